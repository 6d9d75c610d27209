package lms

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"churn/pipeline"
)

// Report is the mapping report: what became of every record that was read.
// Records = Taken + Dropped + Unknown + Faults, and of those taken each either
// made an event or is counted in Folded.
type Report struct {
	Preset   string               `json:"preset"`
	Records  int64                `json:"records"`
	Taken    []Taken              `json:"taken"`
	Dropped  []Count              `json:"dropped"`            // left out on purpose
	Unknown  []Count              `json:"unknown"`            // verbs and event names that the preset does not know
	Faults   int64                `json:"faults"`             // records that cannot be read
	Examples []string             `json:"examples,omitempty"` // of faults, with file, line, field and value
	Folded   []Count              `json:"folded"`             // taken, without a row of their own
	Notes    []Count              `json:"notes"`              // values that were corrected
	Users    int64                `json:"users"`
	Events   []Count              `json:"events"` // rows by event type
	First    pipeline.Date        `json:"first_date"`
	Last     pipeline.Date        `json:"last_date"`
	Inputs   []pipeline.FileState `json:"inputs"`
}

// Count is how often something was seen.
type Count struct {
	What string `json:"what"`
	N    int64  `json:"n"`
}

// Taken is how many records of a name were taken, and as what.
type Taken struct {
	Name string `json:"name"`
	As   string `json:"as"`
	N    int64  `json:"n"`
}

// Total returns the sum of counts.
func Total(counts []Count) (n int64) {
	for _, c := range counts {
		n += c.N
	}
	return n
}

// TakenTotal returns the number of records that were taken.
func (r *Report) TakenTotal() (n int64) {
	for _, t := range r.Taken {
		n += t.N
	}
	return n
}

// Rejection is the error of an export of which too much cannot be read.
type Rejection struct{ Report *Report }

// Error says what is wrong and what to do.
func (e *Rejection) Error() string {
	r := e.Report
	if r.Records == 0 || r.Faults == 0 {
		return fmt.Sprintf("data rejected: %d records hold no event of a learner; look at the mapping report: is it the right preset, and the right file?", r.Records)
	}
	return fmt.Sprintf("data rejected: %d of %d records cannot be read, more than validate.max_reject_rate allows; the first: %s", r.Faults, r.Records, strings.Join(r.Examples[:1], ""))
}

const (
	maxExamples = 10   // faults that are shown
	maxNames    = 1000 // distinct names that are counted apart; a log could bring any number
)

// otherNames counts the names beyond maxNames.
const otherNames = "(others)"

// tally counts what becomes of records.
type tally struct {
	records, faults                 int64
	taken                           map[Taken]int64 // N = 0 in the key
	dropped, unknown, folded, notes counts
	examples                        []string
	voided                          map[string]bool // ids of statements that were taken back
	homes                           map[string]bool // home pages of accounts
}

// counts is how often each thing was seen.
type counts map[string]int64

func (c *counts) add(what string, n int64) {
	if *c == nil {
		*c = counts{}
	}
	if _, known := (*c)[what]; !known && len(*c) >= maxNames {
		what = otherNames
	}
	(*c)[what] += n
}

func (c *counts) merge(d counts) {
	for _, what := range slices.Sorted(maps.Keys(d)) { // the order decides whose names are left over
		c.add(what, d[what])
	}
}

// list returns the counts, the largest first.
func (c counts) list() []Count {
	out := []Count{}
	for what, n := range c {
		out = append(out, Count{what, n})
	}
	slices.SortFunc(out, func(a, b Count) int { return cmp.Or(cmp.Compare(b.N, a.N), cmp.Compare(a.What, b.What)) })
	return out
}

func (t *tally) take(name string, k kind) { t.takeN(Taken{Name: name, As: k.eventType()}, 1) }

func (t *tally) takeN(key Taken, n int64) {
	if t.taken == nil {
		t.taken = map[Taken]int64{}
	}
	if _, known := t.taken[key]; !known && len(t.taken) >= maxNames {
		key.Name = otherNames
	}
	t.taken[key] += n
}

func (t *tally) merge(u *tally) {
	t.records += u.records
	t.faults += u.faults
	for _, key := range slices.SortedFunc(maps.Keys(u.taken), compareTaken) {
		t.takeN(key, u.taken[key])
	}
	t.dropped.merge(u.dropped)
	t.unknown.merge(u.unknown)
	t.folded.merge(u.folded)
	t.notes.merge(u.notes)
	t.examples = append(t.examples, u.examples[:min(len(u.examples), maxExamples-len(t.examples))]...)
	if t.voided == nil {
		t.voided, t.homes = map[string]bool{}, map[string]bool{}
	}
	maps.Copy(t.voided, u.voided)
	maps.Copy(t.homes, u.homes)
}

func compareTaken(a, b Taken) int {
	return cmp.Or(cmp.Compare(b.N, a.N), cmp.Compare(a.Name, b.Name), cmp.Compare(a.As, b.As))
}

// report fills in what was counted.
func (t *tally) report(r *Report) {
	r.Records, r.Faults, r.Examples = t.records, t.faults, t.examples
	r.Taken = []Taken{}
	for key, n := range t.taken {
		key.N = n
		r.Taken = append(r.Taken, key)
	}
	slices.SortFunc(r.Taken, compareTaken)
	r.Dropped, r.Unknown, r.Folded, r.Notes = t.dropped.list(), t.unknown.list(), t.folded.list(), t.notes.list()
}
