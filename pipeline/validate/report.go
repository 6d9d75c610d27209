package validate

import (
	"fmt"
	"slices"
	"strings"

	"churn/pipeline"
)

// Status is the outcome of one check.
type Status string

// The outcomes. Tolerated means that rows failed, but no more than the
// check's tolerance allows.
const (
	Passed    Status = "passed"
	Tolerated Status = "tolerated"
	// Quarantined means that the failing rows were taken out.
	Quarantined Status = "quarantined"
	Failed      Status = "failed"
	Errored     Status = "error"
	NotRun      Status = "not_run"
)

// Failure is one place that failed a check.
type Failure struct {
	File  string `json:"file,omitempty"`
	Line  int    `json:"line,omitempty"`
	Field string `json:"field,omitempty"`
	Value string `json:"value"`
	What  string `json:"what,omitempty"` // what was wrong, where the check's demand does not say it
}

// Check is the outcome of one check.
type Check struct {
	Name      string    `json:"name"`
	Demand    string    `json:"demand"`
	Level     Level     `json:"level"`
	Severity  Severity  `json:"severity"`
	Tolerance float64   `json:"tolerance"`
	Status    Status    `json:"status"`
	Checked   int64     `json:"checked"` // rows, files or days looked at
	Failures  int64     `json:"failed"`
	Examples  []Failure `json:"examples,omitempty"`
	Error     string    `json:"error,omitempty"`

	input string
}

// Counts are the rows of one input.
type Counts struct {
	Rows     int64 `json:"rows"`
	Accepted int64 `json:"accepted"`
	Rejected int64 `json:"rejected"`
}

// RejectRate returns the share of rejected rows.
func (c Counts) RejectRate() float64 {
	if c.Rows == 0 {
		return 0
	}
	return float64(c.Rejected) / float64(c.Rows)
}

// Report is what validation found.
type Report struct {
	Accepted  bool                 `json:"accepted"`
	Reasons   []string             `json:"reasons,omitempty"` // why the data set was rejected
	Users     Counts               `json:"users"`
	Events    Counts               `json:"events"`
	FirstDate pipeline.Date        `json:"first_date"`
	LastDate  pipeline.Date        `json:"last_date"`
	Planned   int                  `json:"checks_planned"`
	Run       int                  `json:"checks_run"`
	Failed    int                  `json:"checks_failed"`
	Checks    []Check              `json:"checks"`
	Inputs    []pipeline.FileState `json:"inputs"`
}

// Dated reports whether the outcome depends on the day of the validation: some
// rows were refused by a check that knows what day it is.
func (r *Report) Dated() bool {
	all := specs()
	names := []string{all[signupParses].name, all[eventTimeFuture].name, all[knownAtValid].name}
	return slices.ContainsFunc(r.Checks, func(c Check) bool { return c.Failures > 0 && slices.Contains(names, c.Name) })
}

// Rejection is the error of a data set that was rejected.
type Rejection struct{ Report *Report }

// Error names the reasons and what to do.
func (r *Rejection) Error() string {
	return fmt.Sprintf("data rejected: %s; correct the data and run again: nothing downstream was touched", strings.Join(r.Report.Reasons, "; "))
}

// conclude fills in statuses, counts and the verdict.
func (r *Report) conclude(p Params) {
	r.Planned = len(r.Checks)
	for i := range r.Checks {
		c := &r.Checks[i]
		c.settle()
		if c.Status != NotRun {
			r.Run++
		}
		if c.Status == Failed || c.Status == Errored {
			r.Failed++
			r.reasonFor(c)
		}
	}
	if r.Run == 0 {
		r.Reasons = append(r.Reasons, "no check was run")
	}
	r.limit("users", r.Users, p.MaxRejectRate)
	r.limit("events", r.Events, p.MaxRejectRate)
	r.Accepted = len(r.Reasons) == 0
}

func (c *Check) settle() {
	switch share := float64(c.Failures) / float64(max(c.Checked, 1)); {
	case c.Error != "":
		c.Status, c.Severity = Errored, Critical // a check that cannot tell must not pass
	case c.Status == NotRun && c.Failures == 0 && c.Checked == 0:
	case c.Failures == 0:
		c.Status = Passed
	case share <= c.Tolerance && c.Level == RowLevel && c.Severity == Critical:
		c.Status = Quarantined
	case share <= c.Tolerance:
		c.Status = Tolerated
	default:
		c.Status = Failed
	}
}

func (r *Report) reasonFor(c *Check) {
	if c.Severity != Critical {
		return
	}
	reason := fmt.Sprintf("%s: %d of %d failed (%s)", c.Name, c.Failures, c.Checked, c.Demand)
	if c.Error != "" {
		reason = fmt.Sprintf("%s: the check itself failed: %s", c.Name, c.Error)
	}
	if len(c.Examples) > 0 {
		reason += ", first: " + c.Examples[0].String()
	}
	r.Reasons = append(r.Reasons, reason)
}

func (r *Report) limit(what string, c Counts, limit float64) {
	if rate := c.RejectRate(); rate > limit {
		reason := fmt.Sprintf("%d of %d rows of %s (%.2f%%) are bad, more than validate.max_reject_rate = %v allows", c.Rejected, c.Rows, what, 100*rate, limit)
		if first := r.worst(what); first != "" {
			reason += "; most: " + first
		}
		r.Reasons = append(r.Reasons, reason)
	}
}

// worst names the row check with the most failures in the given input.
func (r *Report) worst(what string) string {
	var worst *Check
	for i := range r.Checks {
		c := &r.Checks[i]
		if c.Level != RowLevel || c.Severity != Critical || c.Failures == 0 || len(c.Examples) == 0 {
			continue
		}
		if c.input != "" && c.input != what {
			continue
		}
		if worst == nil || c.Failures > worst.Failures {
			worst = c
		}
	}
	if worst == nil {
		return ""
	}
	return fmt.Sprintf("%s: %d (%s), first: %s", worst.Name, worst.Failures, worst.Demand, worst.Examples[0])
}

// String writes the place as file:line: field "value".
func (f Failure) String() string {
	var b strings.Builder
	if f.File != "" {
		b.WriteString(f.File)
		if f.Line > 0 {
			fmt.Fprintf(&b, ":%d", f.Line)
		}
		b.WriteString(": ")
	}
	if f.Field != "" {
		fmt.Fprintf(&b, "%s = ", f.Field)
	}
	if f.Field != "" || f.Value != "" {
		fmt.Fprintf(&b, "%q", f.Value)
	}
	if f.What != "" {
		b.WriteString(": " + f.What)
	}
	return strings.TrimPrefix(strings.ReplaceAll(b.String(), ": : ", ": "), ": ")
}
