// Package doctor looks at all that churn stands on before somebody meets it as an
// error: folders, disk, data, models, clock, port, keys. It says what it found and
// what to do, and leaves everything as it was.
//
// Each check is a function of plain values that returns findings; the command
// line gathers the values.
package doctor

import (
	"context"
	"errors"
	"fmt"
	"strings"
)

// Status is how a check ended.
type Status string

// The statuses, from good to bad.
const (
	OK   Status = "ok"
	Warn Status = "warn" // it works, but not for long, or not as one would think
	Fail Status = "fail" // a command would fail
)

func (s Status) rank() int { return strings.Index("ok  warnfail", string(s)) }

// Finding is one thing that was found.
type Finding struct {
	Check  string `json:"check"`
	Status Status `json:"status"`
	Found  string `json:"found"`
	Do     string `json:"do,omitempty"` // what mends it
}

// Report is all findings, in the order of the checks.
type Report struct {
	Status   Status    `json:"status"` // the worst
	Findings []Finding `json:"findings"`
}

// Check is one thing to look at.
type Check struct {
	Name string
	Look func(ctx context.Context) []Finding
}

// Examine runs the checks one after the other.
func Examine(ctx context.Context, checks []Check) Report {
	r := Report{Status: OK, Findings: []Finding{}}
	for _, c := range checks {
		for _, f := range c.Look(ctx) {
			f.Check = c.Name
			r.Add(f)
		}
	}
	return r
}

// Add appends a finding.
func (r *Report) Add(f Finding) {
	r.Findings = append(r.Findings, f)
	if f.Status.rank() > r.Status.rank() {
		r.Status = f.Status
	}
}

// Count returns the number of findings of a status.
func (r *Report) Count(s Status) (n int) {
	for _, f := range r.Findings {
		if f.Status == s {
			n++
		}
	}
	return n
}

// Err names the checks that failed, nil if none did.
func (r *Report) Err() error {
	var names []string
	for _, f := range r.Findings {
		if f.Status == Fail {
			names = append(names, f.Check)
		}
	}
	switch len(names) {
	case 0:
		return nil
	case 1:
		return errors.New("doctor: 1 check fails: " + names[0])
	}
	return fmt.Errorf("doctor: %d checks fail: %s", len(names), strings.Join(names, ", "))
}

// Sound is the finding of a check that found no fault.
func Sound(format string, args ...any) []Finding {
	return []Finding{{Status: OK, Found: fmt.Sprintf(format, args...)}}
}

// Warning is something to look at, and what to do.
func Warning(do, format string, args ...any) []Finding {
	return []Finding{{Status: Warn, Found: fmt.Sprintf(format, args...), Do: do}}
}

// Failure is what makes commands fail, and what to do.
func Failure(do, format string, args ...any) []Finding {
	return []Finding{{Status: Fail, Found: fmt.Sprintf(format, args...), Do: do}}
}
