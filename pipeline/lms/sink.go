package lms

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/cespare/xxhash/v2"
)

// Why records are left out, where several presets say so.
const (
	dropNoUser    = "no user: a guest, the system or nobody"
	dropStranger  = "the user is not in the users table"
	dropStaff     = "the account is a guest's or of the staff"
	dropAlias     = "left out by import.aliases"
	dropNotActive = "says nothing about a learner's activity"
)

// sink takes what a decoder makes of the records of one block. Each record ends
// in exactly one of take, drop, unknown and fault.
type sink struct {
	people *people // nil: there is no users table
	facts  [][]byte
	tally  tally

	file, unit string // where the present record stands
	number     int
}

func newSink(buckets int, p *people) *sink { return &sink{people: p, facts: make([][]byte, buckets)} }

// at says where the next record stands.
func (s *sink) at(file, unit string, number int) { s.file, s.unit, s.number = file, unit, number }

// take adds a fact that the record called name tells.
func (s *sink) take(name string, f fact) {
	if why := s.people.refuses(f.user); why != "" {
		s.drop(why)
		return
	}
	s.tally.records++
	s.tally.take(name, f.kind)
	i := bucketOf(f.user, len(s.facts))
	s.facts[i] = appendFact(s.facts[i], &f)
}

// bucketOf returns the bucket of a user.
func bucketOf(user string, buckets int) int { return int(xxhash.Sum64String(user) % uint64(buckets)) }

// drop counts a record that is left out on purpose.
func (s *sink) drop(why string) {
	s.tally.records++
	s.tally.dropped.add(why, 1)
}

// unknown counts a record whose verb or name the preset does not know.
func (s *sink) unknown(name string) {
	s.tally.records++
	if name == "" {
		name = "(none)"
	}
	s.tally.unknown.add(name, 1)
}

// note counts a value that was corrected.
func (s *sink) note(what string) { s.tally.notes.add(what, 1) }

// fault counts a record that cannot be read.
func (s *sink) fault(field, value, what string) {
	s.tally.records++
	s.tally.faults++
	if len(s.tally.examples) < maxExamples {
		const longest = 80
		if len(value) > longest {
			value = value[:longest] + "…"
		}
		s.tally.examples = append(s.tally.examples, fmt.Sprintf("%s: %s %d: %s: %s: %s", s.file, s.unit, s.number, field, strconv.Quote(value), what))
	}
}

const notATime = "is not a time; write 2026-04-30T18:05:00Z, RFC 3339"

// when reads the time of an event and the time of its arrival, which may be
// empty. Of a record without a usable time it notes the fault.
func (s *sink) when(field, at, knownField, known string) (a, k time.Time, ok bool) {
	if a, ok = parseTime(at); !ok {
		s.fault(field, at, notATime)
		return a, k, false
	}
	if k, ok = a, true; known != "" {
		if k, ok = parseTime(known); !ok {
			s.fault(knownField, known, notATime)
		}
	}
	return a, k, ok
}

// fact returns a fact of the present record.
func (s *sink) fact(k kind, id, user string, at, known time.Time) fact {
	f, early := newFact(k, id, user, at, known)
	if early {
		s.note("time after its arrival: the arrival counts")
	}
	return f
}

// percent returns a score as a share of 100, NaN where there is none.
func (s *sink) percent(given, most float64) float64 {
	p := 100 * given / most
	if math.IsNaN(p) || !(most > 0) {
		return math.NaN()
	}
	if p < 0 || p > 100 {
		s.note("score outside 0 to 100: the nearest end counts")
		p = min(max(p, 0), 100)
	}
	return math.Round(p*1e4) / 1e4 // finer differences come from dividing only
}

// digestID identifies a record that has no id by its text.
func digestID(text []byte) string {
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:12])
}

// number reads a decimal number that is finite.
func number(s string) (float64, bool) {
	if strings.ContainsAny(s, "xXpP_iInN") {
		return math.NaN(), false
	}
	v, err := strconv.ParseFloat(s, 64)
	return v, err == nil && !math.IsInf(v, 0)
}
