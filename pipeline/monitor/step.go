package monitor

import (
	"math"
	"slices"

	"churn/model/profile"
	"churn/pipeline"
)

// measured compares a date with the weeks before it. It is nil where there are
// too few rows.
func (w *Watch) measured(d pipeline.Date) (*Step, error) {
	if s, ok := w.steps[d]; ok {
		return s, nil
	}
	days, before, known := w.before(d, weeksBefore)
	now, scores := w.now(d, before)
	w.steps[d] = nil
	if before.Frame.Rows() < profile.LeastRows || now.Frame.Rows() < profile.LeastRows {
		return nil, nil
	}
	r := profile.Of(before).WithScores(known, w.high)
	drift, err := r.Drift(now, scores, w.params.step())
	if err != nil {
		return nil, err
	}
	s := &Step{From: slices.Min(days), To: slices.Max(days), Rows: r.Rows, Users: r.Users}
	for _, f := range append(drift.Features, *drift.Score) {
		f.Cells = nil // those of the level are enough to draw, and a report a day adds up
		s.Features = append(s.Features, StepFeature{Feature: f, Grows: w.catalog[f.Name].Grows, Monthly: w.catalog[f.Name].Monthly})
	}
	w.steps[d] = s
	return s, nil
}

// novelties replaces what is novel against four weeks by what is against all
// twelve: what is far from the values of a quarter of a year is rarer by chance,
// so that fewer users tell.
func (w *Watch) novelties(s *Step, d pipeline.Date) error {
	_, before, _ := w.before(d, weeksBefore+earlierSteps)
	now, _ := w.now(d, before)
	r := profile.Of(before)
	drift, err := r.Drift(now, profile.Scores{}, w.params.step())
	for i, f := range drift.Features {
		s.Features[i].Novelty = f.Novelty
	}
	return err
}

// step compares a date with the weeks before it, and what has changed with what
// changes by itself.
func (w *Watch) step(d pipeline.Date) (*Step, error) {
	measured, err := w.measured(d)
	if err != nil || measured == nil {
		return nil, err
	}
	s := *measured
	s.Holiday = w.holiday(d, week)
	s.Features, s.Jumped, s.Strange = slices.Clone(measured.Features), []string{}, []string{}
	for i := range s.Features {
		f := &s.Features[i]
		f.Echo = w.holiday(d, min(w.catalog[f.Name].Window, longestEcho))
	}
	for _, e := range w.earlier(d) {
		past, err := w.measured(e)
		if err != nil {
			return nil, err
		}
		if past == nil {
			continue
		}
		s.Earlier++
		for i := range s.Features {
			f := &s.Features[i]
			f.UsualPSI, f.UsualNovel = math.Max(f.UsualPSI, past.Features[i].PSI), math.Max(f.UsualNovel, past.Features[i].Novel)
		}
	}
	if err := w.novelties(&s, d); err != nil {
		return nil, err
	}
	s.judge(w.params)
	return &s, nil
}

// holiday reports whether there was a holiday on a date or within so many days
// before it.
func (w *Watch) holiday(d pipeline.Date, days int) bool {
	for k := range days + 1 {
		if w.params.Health.Holiday(d - pipeline.Date(k)) {
			return true
		}
	}
	return false
}

// earlier returns the dates whose steps tell what features do by themselves.
func (w *Watch) earlier(d pipeline.Date) (out []pipeline.Date) {
	apart := lag(w.length)
	for k := range earlierSteps {
		out = append(out, d-pipeline.Date((k+1)*apart))
	}
	for k := -1; k <= 1; k++ {
		out = append(out, d-pipeline.Date(w.params.SeasonDays+k*apart))
	}
	return out
}

// judge decides what has changed suddenly. Changes come in company: features share
// the events that they count, so that one alone is more often a matter of the
// calendar, unless it is so great that it must be broken.
func (s *Step) judge(p Params) {
	great, company := false, 0
	for i := range s.Features {
		f := &s.Features[i]
		f.Jumped = f.Status == profile.Fail && f.PSI > usualMargin*f.UsualPSI
		f.New = f.Strange && f.Novel >= p.NovelShare && f.Novel > usualMargin*f.UsualNovel && !f.Grows && !f.Monthly
		if f.Jumped {
			s.Jumped = append(s.Jumped, f.Name)
		}
		if f.Jumped && !f.Monthly && !f.Echo {
			company++
			great = great || f.great(p) || i == len(s.Features)-1 // the score, which is what matters
		}
		if f.New {
			s.Strange = append(s.Strange, f.Name)
		}
	}
	switch {
	case (great || company > 1 || len(s.Strange) > 0) && !s.Holiday:
		s.Status = Fail
	case len(s.Jumped)+len(s.Strange) > 0:
		s.Status = Warn
	default:
		s.Status = OK
	}
}

// great tells whether a change is alarming by itself: beyond monitor.fail_psi, and
// values that have moved by half a standard deviation, nulls by a tenth of the
// rows, or categories.
func (f *StepFeature) great(p Params) bool {
	return f.PSI >= p.FailPSI && (f.Shift >= 0.5 || f.KS == 0 || math.Abs(f.Missing-f.MissingBefore) >= 0.1)
}
