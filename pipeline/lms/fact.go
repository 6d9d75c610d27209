package lms

import (
	"math"
	"slices"
	"strings"
	"time"

	"encoding/binary"

	"churn/internal/wire"
	"churn/pipeline"
)

// kind is what a record of a learning platform says, in one language for all of
// them.
type kind uint8

const (
	visit    kind = iota // the learner was there
	login                // and logged in
	enrol                // began a course
	complete             // finished one
	quiz                 // handed in an attempt (key)
	score                // an attempt (key) was given a score (value, 0…100)
	preview              // an attempt (key) was no learner's
	play                 // a viewing (key) began at a position, of a video of some length
	halt                 // it ended at a position
	jump                 // it goes on at another position
	segments             // parts of a video played so far in a session (key), in text
	watched              // minutes of watching (value), told in one piece
	ticket               // asked for support
	paid                 // an amount (value)
	unpaid               // an amount (value) could not be collected
	numKinds
)

// eventType returns what a fact is taken as in the report.
func (k kind) eventType() string {
	switch k {
	case login:
		return pipeline.Login
	case enrol:
		return pipeline.CourseEnroll
	case complete:
		return pipeline.CourseComplete
	case quiz:
		return pipeline.QuizAttempt
	case score:
		return "quiz_score"
	case preview:
		return "preview"
	case play, halt, jump, segments, watched:
		return pipeline.VideoWatch
	case ticket:
		return pipeline.SupportTicket
	case paid:
		return pipeline.PaymentSuccess
	case unpaid:
		return pipeline.PaymentFailed
	}
	return "visit"
}

// fact is one record that concerns one learner. Quantities that a record does
// not have are NaN.
type fact struct {
	kind      kind
	id        string // of the record: what comes twice counts once
	user      string
	at, known int64 // Unix time in microseconds; known is never before at
	course    string
	key       string  // what facts belong together: an attempt, or a video and a session
	text      string  // verb of a quiz, segments, or onlyDated
	position  float64 // seconds into the video
	length    float64 // of the video, seconds
	value     float64
}

// onlyDated marks the completion of a course by a table that tells its day, but
// not since when that is known.
const onlyDated = "only dated"

// newFact returns a fact without quantities. What is known before it happens
// came from a clock that was wrong: the time of arrival then stands for both.
func newFact(k kind, id, user string, at, known time.Time) (f fact, early bool) {
	nan := math.NaN()
	f = fact{kind: k, id: id, user: user, at: at.UnixMicro(), known: known.UnixMicro(), position: nan, length: nan, value: nan}
	if early = f.known < f.at; early {
		f.at = f.known
	}
	return f, early
}

// appendFact appends the fact for spilling.
func appendFact(b []byte, f *fact) []byte {
	b = append(b, byte(f.kind))
	for _, s := range [...]string{f.id, f.user, f.course, f.key, f.text} {
		b = wire.AppendString(b, s)
	}
	b = binary.AppendVarint(b, f.at)
	b = binary.AppendUvarint(b, uint64(f.known-f.at))
	for _, v := range [...]float64{f.position, f.length, f.value} {
		b = wire.AppendFloat(b, v)
	}
	return b
}

// readFacts reads what appendFact wrote. course, text and key come from few
// values each, so that their texts are shared.
func readFacts(pages [][]byte) (out []fact, ok bool) {
	shared := map[string]string{}
	for _, page := range pages {
		r := wire.NewReader(page)
		text := func() string {
			b := r.Bytes(r.Uvarint())
			s, known := shared[string(b)]
			if !known {
				s = string(b)
				shared[s] = s
			}
			return s
		}
		for r.Len() > 0 {
			f := fact{kind: kind(r.Byte())}
			f.id, f.user, f.course, f.key, f.text = r.String(), text(), text(), text(), text()
			f.at = r.Varint()
			f.known = f.at + int64(r.Uvarint())
			f.position, f.length, f.value = r.Float(), r.Float(), r.Float()
			if r.Bad() || f.kind >= numKinds {
				return nil, false
			}
			out = append(out, f)
		}
	}
	return out, true
}

// parseTime reads the times of logs: RFC 3339, also without a zone, with a space
// instead of the T, or with a zone such as +0000. Without a zone it is UTC, as
// all four formats demand.
func parseTime(s string) (time.Time, bool) {
	s = strings.Replace(s, " ", "T", 1)
	for _, layout := range []string{time.RFC3339, "2006-01-02T15:04:05", "2006-01-02T15:04:05Z0700", "2006-01-02T15:04:05Z07"} {
		if t, err := time.Parse(layout, s); err == nil && t.Year() >= 1970 && t.Year() <= 9999 {
			return t, true
		}
	}
	return time.Time{}, false
}

// parseSpan reads an ISO 8601 duration such as PT1H2M3.5S in seconds; NaN if it
// is none. Years and months have no fixed length and are refused.
func parseSpan(s string) float64 {
	date, clock, timed := strings.Cut(strings.TrimPrefix(s, "P"), "T")
	if !strings.HasPrefix(s, "P") || date == "" && clock == "" || timed && clock == "" {
		return math.NaN()
	}
	days := spanPart(date, "WD", []float64{604800, 86400})
	return days + spanPart(clock, "HMS", []float64{3600, 60, 1})
}

// spanPart reads numbers that are each followed by one of the letters, in their
// order.
func spanPart(s, letters string, seconds []float64) (sum float64) {
	for s != "" {
		end := strings.IndexFunc(s, func(r rune) bool { return r != '.' && (r < '0' || r > '9') })
		if end < 1 || end > 15 {
			return math.NaN()
		}
		at := strings.IndexByte(letters, s[end])
		n, ok := number(s[:end])
		if at < 0 || !ok {
			return math.NaN()
		}
		sum += n * seconds[at]
		s, letters, seconds = s[end+1:], letters[at+1:], seconds[at+1:]
	}
	return sum
}

// stretch is a part of a video, in seconds.
type stretch struct{ from, to float64 }

// parseSegments reads the parts of a video that the xAPI video profile lists as
// 0[.]12.5[,]20[.]30, and clips them to the length, if that is known.
func parseSegments(s string, length float64) (out []stretch, ok bool) {
	if s == "" {
		return nil, true
	}
	for part := range strings.SplitSeq(s, "[,]") {
		a, b, cut := strings.Cut(part, "[.]")
		from, okA := number(strings.TrimSpace(a))
		to, okB := number(strings.TrimSpace(b))
		if !cut || !okA || !okB || from < 0 || to < from {
			return nil, false
		}
		if length > 0 {
			from, to = min(from, length), min(to, length)
		}
		out = append(out, stretch{from, to})
	}
	return out, true
}

// union merges stretches that overlap or touch, and returns their total, too.
func union(all []stretch) (merged []stretch, total float64) {
	slices.SortFunc(all, func(a, b stretch) int {
		switch {
		case a.from < b.from:
			return -1
		case a.from > b.from:
			return 1
		}
		return 0
	})
	for _, s := range all {
		if n := len(merged); n > 0 && s.from <= merged[n-1].to {
			merged[n-1].to = max(merged[n-1].to, s.to)
			continue
		}
		merged = append(merged, s)
	}
	for _, s := range merged {
		total += s.to - s.from
	}
	return merged, total
}
