// Package health judges the data that a run is given: whether it is there, as
// much of it as usual, accepted, in time and once.
package health

import (
	"context"
	"fmt"
	"slices"

	"churn/internal/lists"
	"churn/pipeline"
	"churn/pipeline/prepare"
	"churn/pipeline/validate"
)

// Status is the outcome of a part.
type Status string

// The outcomes. What is unmeasured could not be judged; that is worse than OK.
const (
	OK         Status = "OK"
	Unmeasured Status = "UNMEASURED"
	Warn       Status = "WARN"
	Fail       Status = "FAIL"
)

// Worst returns the worse of two statuses; "" is better than all.
func Worst(a, b Status) Status {
	order := []Status{"", OK, Unmeasured, Warn, Fail}
	return order[max(slices.Index(order, a), slices.Index(order, b))]
}

// Verdict is a status and the reasons for it.
type Verdict struct {
	Status  Status   `json:"status"`
	Reasons []string `json:"reasons,omitempty"`
}

// say adds a finding.
func (v *Verdict) say(s Status, format string, args ...any) {
	v.Status = Worst(v.Status, s)
	v.Reasons = append(v.Reasons, fmt.Sprintf(format, args...))
}

// Report is what was found on an as-of date.
type Report struct {
	Status     Status        `json:"status"` // the worst of the parts
	AsOf       pipeline.Date `json:"as_of_date"`
	Data       string        `json:"data_sha256,omitempty"` // of the timelines
	Freshness  Freshness     `json:"freshness"`
	Volume     Volume        `json:"volume"`
	Rejected   Rejected      `json:"rejected"`
	Late       Late          `json:"late_facts"`
	Duplicates Duplicates    `json:"duplicates"`
}

// Input is what is judged. Where a part of it is nil, the reason stands beside
// it.
type Input struct {
	AsOf           pipeline.Date // the last day that should be there, whole
	Timelines      *prepare.Timelines
	NoTimelines    string
	Validation     *validate.Report // of the data behind the timelines
	NoValidation   string
	MostRejected   float64 // validate.max_reject_rate
	StaleTimelines string  // why the timelines are not those of the validation, if so
}

// Run judges. It reads the timelines once; memory grows with the days.
func Run(ctx context.Context, in Input, p Params, progress func(done, total int64)) (Report, error) {
	r := Report{AsOf: in.AsOf}
	if err := r.timelines(ctx, in, p, progress); err != nil {
		return r, err
	}
	r.validation(in, p)
	r.Freshness.Types, r.Volume.Levels, r.Rejected.Checks = lists.Filled(r.Freshness.Types), lists.Filled(r.Volume.Levels), lists.Filled(r.Rejected.Checks)
	for _, part := range r.Parts() {
		r.Status = Worst(r.Status, part.Status)
	}
	return r, nil
}

// Part is a part of the report under its name.
type Part struct {
	Name string
	Verdict
}

// Parts lists the parts in their order.
func (r *Report) Parts() []Part {
	return []Part{{"freshness", r.Freshness.Verdict}, {"volume", r.Volume.Verdict}, {"rejected", r.Rejected.Verdict}, {"late", r.Late.Verdict}, {"duplicates", r.Duplicates.Verdict}}
}

// timelines judges the parts that are read from the timelines.
func (r *Report) timelines(ctx context.Context, in Input, p Params, progress func(done, total int64)) error {
	t := in.Timelines
	switch {
	case t == nil:
		none := Verdict{Unmeasured, []string{in.NoTimelines}}
		r.Freshness.Verdict, r.Volume.Verdict, r.Late.Verdict = none, none, none
		return nil
	case in.AsOf < t.Header.Span.First:
		return fmt.Errorf("the data begins on %s, after the as-of date %s", t.Header.Span.First, in.AsOf)
	}
	counts, err := collect(ctx, t, in.AsOf, progress)
	if err != nil {
		return err
	}
	r.Data = t.SHA256()
	r.Freshness, r.Volume, r.Late = freshness(counts, p), volume(counts, p), late(counts, p)
	if in.StaleTimelines != "" {
		r.Freshness.say(Warn, "%s", in.StaleTimelines)
	}
	return nil
}

// validation takes over the parts that validation has judged.
func (r *Report) validation(in Input, p Params) {
	if in.Validation == nil {
		none := Verdict{Unmeasured, []string{in.NoValidation}}
		r.Rejected.Verdict, r.Duplicates.Verdict = none, none
		return
	}
	r.Rejected, r.Duplicates = rejected(in.Validation, p, in.MostRejected), duplicates(in.Validation, p)
}
