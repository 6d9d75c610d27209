package monitor

import (
	"errors"
	"fmt"
	"math"
	"slices"

	"churn/model"
	"churn/model/profile"
	"churn/pipeline"
	"churn/pipeline/features"
	"churn/pipeline/score"
)

const (
	week         = 7 // days; a date is compared with the same weekday
	weeksBefore  = 4 // that a step is measured against: enough rows, and the season has hardly moved
	earlierSteps = 8 // that tell what a feature does by itself: two months, since bills come monthly
	// usualMargin is by how much a step must exceed the largest of the earlier
	// ones: the next of nine alike is the largest in one case of nine. Likewise
	// the level that of the day on which the model was made.
	usualMargin = 1.5
	// longestEcho is for how many days after a holiday the features whose windows
	// reach back to it are no company: what people did not do then shows in them.
	// A drift that came with the holiday is in those of a week as soon as it is over.
	longestEcho = 30
	// importanceRows bounds the rows that importance is measured on.
	importanceRows = 2000
)

// The kinds of references.
const (
	RefTraining = "training"
	RefSeason   = "same-weeks-last-term"
)

// Reference is what a level is measured against.
type Reference struct {
	Kind    string
	Profile *profile.Reference
	Made    map[string]float64 // index by feature on the day that the model was made; nil = unknown
	Notes   []string           // what is to be known of it
}

// scored is the key of the scores in Reference.Made.
const scored = ""

// Rows are the snapshots of several days: cohorts of as-of dates, or logged
// predictions.
type Rows struct {
	Frame   *model.Frame
	User    []int32
	Day     []pipeline.Date
	Sampled bool
}

// Watch compares days of rows. It keeps what it has computed.
type Watch struct {
	model   *score.Model
	params  Params
	rows    Rows
	length  int                     // days that a check looks at, up to its date
	at      map[pipeline.Date][]int // rows by day
	risk    []float64               // scores of the rows
	weight  []float64               // importance by feature
	steps   map[pipeline.Date]*Step // without Jumped and New; nil: there are too few rows
	high    float64                 // probability that counts as high
	catalog map[string]features.Feature
}

// NewWatch returns a watch over rows with the features of the model. A check
// looks at so many days.
func NewWatch(m *score.Model, rows Rows, length int, p Params) *Watch {
	w := &Watch{model: m, params: p, rows: rows, length: length, at: map[pipeline.Date][]int{}, steps: map[pipeline.Date]*Step{}, high: m.Bundle.Threshold, catalog: map[string]features.Feature{}}
	for _, f := range m.Index.Catalog {
		w.catalog[f.Name] = f
	}
	for i, d := range rows.Day {
		w.at[d] = append(w.at[d], i)
	}
	w.risk = m.Bundle.Probabilities(m.Bundle.Margins(rows.Frame))
	return w
}

// lag is the distance of windows that do not overlap, in whole weeks.
func lag(length int) int { return (length + week - 1) / week * week }

// Needs returns the days whose rows a check of the as-of date looks at, ascending,
// none before first.
func Needs(asOf, first pipeline.Date, length int, p Params) (days []pipeline.Date) {
	apart, season := lag(length), p.SeasonDays
	var ends []int
	for j := range p.FailOf {
		for k := range earlierSteps + weeksBefore + 1 {
			ends = append(ends, j*p.EveryDays+k*apart)
		}
		for k := -1; k <= weeksBefore+1; k++ {
			ends = append(ends, j*p.EveryDays+season+k*apart)
		}
	}
	for _, end := range ends {
		for i := range length {
			if d := asOf - pipeline.Date(end+i); d >= first {
				days = append(days, d)
			}
		}
	}
	slices.Sort(days)
	return slices.Compact(days)
}

// window returns the days that a check of a date looks at.
func (w *Watch) window(d pipeline.Date) (days []pipeline.Date) {
	for i := range w.length {
		days = append(days, d-pipeline.Date(i))
	}
	return days
}

// on returns the rows and scores of days.
func (w *Watch) on(days []pipeline.Date) (profile.Rows, profile.Scores) {
	var at []int
	for _, d := range days {
		at = append(at, w.at[d]...)
	}
	f := &model.Frame{NumericNames: w.rows.Frame.NumericNames, CategoricalNames: w.rows.Frame.CategoricalNames}
	rows, scores := profile.Rows{Frame: f, User: make([]int32, 0, len(at))}, profile.Scores{}
	for _, i := range at {
		numeric, categorical := w.rows.Frame.Row(i)
		f.Numeric, f.Categorical = append(f.Numeric, numeric...), append(f.Categorical, categorical...)
		rows.User, scores.Probability = append(rows.User, w.rows.User[i]), append(scores.Probability, w.risk[i])
	}
	scores.User = rows.User
	return rows, scores
}

// Training returns the profile of a model's training as a reference. Since labels
// come late, the rows of a training are older than the day on which it is done:
// how far the users of that day had moved already is no news.
func (w *Watch) Training(p *profile.Reference, made pipeline.Date) (*Reference, error) {
	r := &Reference{Kind: RefTraining, Profile: p}
	drift, err := w.against(p, made)
	if errors.Is(err, profile.ErrFewRows) {
		return r, nil
	}
	if err != nil {
		return nil, err
	}
	r.Made = map[string]float64{}
	for _, f := range drift.Features {
		r.Made[f.Name] = f.PSI
	}
	if drift.Score != nil {
		r.Made[scored] = drift.Score.PSI
	}
	return r, nil
}

// against compares the rows of a date, and their scores, with a profile.
func (w *Watch) against(p *profile.Reference, d pipeline.Date) (profile.Drift, error) {
	rows, scores := w.on(w.window(d))
	if p.Score == nil {
		scores = profile.Scores{}
	}
	return p.Drift(rows, scores, w.params.level())
}

// Season returns the profile of the same weeks one season before: of the date
// and of one week to either side.
func (w *Watch) Season(asOf pipeline.Date) (*Reference, error) {
	var days []pipeline.Date
	middle := asOf - pipeline.Date(w.params.SeasonDays)
	for k := -1; k <= 1; k++ {
		days = append(days, w.window(middle+pipeline.Date(k*lag(w.length)))...)
	}
	rows, scores := w.on(days)
	if rows.Frame.Rows() < profile.LeastRows {
		return nil, fmt.Errorf("there are %d rows around %s, %d days before %s (monitor.season_days), and at least %d are needed; compare with the training: --reference %s",
			rows.Frame.Rows(), middle, w.params.SeasonDays, asOf, profile.LeastRows, RefTraining)
	}
	r := profile.Of(rows).WithScores(scores, w.high)
	return &Reference{Kind: RefSeason, Profile: &r}, nil
}

// importance returns the share of each feature in the mean |contribution|.
func (w *Watch) importance() []float64 {
	if w.weight != nil {
		return w.weight
	}
	n := w.rows.Frame.Rows()
	sample := &model.Frame{NumericNames: w.rows.Frame.NumericNames, CategoricalNames: w.rows.Frame.CategoricalNames}
	for i := 0; i < n; i += max((n+importanceRows-1)/importanceRows, 1) {
		numeric, categorical := w.rows.Frame.Row(i)
		sample.Numeric, sample.Categorical = append(sample.Numeric, numeric...), append(sample.Categorical, categorical...)
	}
	var total float64
	for _, x := range w.model.Bundle.Importance(sample, nil) {
		w.weight = append(w.weight, x.Mean)
		total += x.Mean
	}
	for i := range w.weight {
		w.weight[i] /= math.Max(total, math.SmallestNonzeroFloat64)
	}
	return w.weight
}

// before returns the days of so many weeks before a date, and their rows and
// scores.
func (w *Watch) before(d pipeline.Date, weeks int) (days []pipeline.Date, rows profile.Rows, scores profile.Scores) {
	for k := range weeks {
		days = append(days, w.window(d-pipeline.Date((k+1)*lag(w.length)))...)
	}
	rows, scores = w.on(days)
	return days, rows, scores
}

// now returns the rows of a date, knowing the users who are among those before.
func (w *Watch) now(d pipeline.Date, before profile.Rows) (profile.Rows, profile.Scores) {
	rows, scores := w.on(w.window(d))
	users := map[int32]bool{}
	for _, u := range before.User {
		users[u] = true
	}
	rows.Known = make([]bool, len(rows.User))
	for i, u := range rows.User {
		rows.Known[i] = users[u]
	}
	return rows, scores
}

// verdict is the answer for one date, before k of n are counted.
type verdict struct {
	level  Level
	step   *Step
	status Status
}

func (w *Watch) verdict(d pipeline.Date, r *Reference) (v verdict, err error) {
	if v.level, err = w.level(d, r); err != nil {
		return v, err
	}
	v.step, err = w.step(d)
	v.status = v.level.Status
	if v.step != nil {
		v.status = worst(v.status, v.step.Status)
	}
	return v, err
}

// Drift checks a date. It fails with profile.ErrFewRows where there are too few
// rows to tell.
//
// Where monitor.fail_after of monitor.fail_of checks are asked for, the earlier
// ones are computed again from the rows: no state can get lost or disagree, and a
// check of a past date gives what it gave then.
func (w *Watch) Drift(asOf pipeline.Date, r *Reference) (DriftReport, error) {
	v, err := w.verdict(asOf, r)
	if err != nil {
		return DriftReport{}, err
	}
	rows, _ := w.on(w.window(asOf))
	report := DriftReport{Status: v.status, PSIByFeature: map[string]float64{}, AsOf: asOf, Version: w.model.Version, Rows: rows.Frame.Rows(), Users: users(rows.User),
		Sampled: w.rows.Sampled, Reasons: []string{}, Notes: slices.Clone(r.Notes), Level: v.level, Step: v.step, Fixed: v.level.fixed(w.params.WarnPSI, w.params.FailPSI), Customary: v.level.customary(w.params)}
	for _, f := range v.level.Features {
		report.PSIByFeature[f.Name] = f.PSI
		report.OverallMaxPSI = math.Max(report.OverallMaxPSI, f.PSI)
	}
	report.explain(v)
	return report, w.count(&report, r)
}

// explain says what made a check warn or fail, what failed first, and what could not
// be looked at.
func (r *DriftReport) explain(v verdict) {
	level, step := v.level.reasons(), []string{}
	switch {
	case v.step == nil:
		r.Notes = append(r.Notes, noStep)
	case v.step.Earlier < earlierSteps/2:
		r.Notes = append(r.Notes, fmt.Sprintf("only %d earlier weeks tell what features do by themselves; a sudden change may be none", v.step.Earlier))
		fallthrough
	default:
		step = v.step.reasons()
	}
	if v.step != nil && v.step.Holiday && v.step.Status == Warn {
		r.Notes = append(r.Notes, "there was a holiday within the last week (monitor.health.holidays): sudden changes are a warning at most")
	}
	if v.level.Status == Fail {
		r.Reasons = append(append(r.Reasons, level...), step...)
	} else {
		r.Reasons = append(append(r.Reasons, step...), level...)
	}
}

// noStep is the note of a check without a step.
const noStep = "there are too few rows in the weeks before to look for a sudden change"

func users(of []int32) int {
	return len(slices.Compact(slices.Sorted(slices.Values(of))))
}

// count asks for k of n failures before there is an alarm.
func (w *Watch) count(report *DriftReport, r *Reference) error {
	if w.params.FailOf == 1 {
		return nil
	}
	failed := 0
	for j := range w.params.FailOf {
		d := report.AsOf - pipeline.Date(j*w.params.EveryDays)
		v, err := w.verdict(d, r)
		if errors.Is(err, profile.ErrFewRows) {
			continue
		}
		if err != nil {
			return err
		}
		report.Recent = append(report.Recent, Recent{d, v.status})
		if v.status == Fail {
			failed++
		}
	}
	if report.Status == Fail && failed < w.params.FailAfter {
		report.Status = Warn
		report.Notes = append(report.Notes, fmt.Sprintf("%d of the last %d checks failed; %d make an alarm (monitor.fail_after)", failed, w.params.FailOf, w.params.FailAfter))
	}
	return nil
}

// Count returns the number of rows that a check of a date looks at.
func (w *Watch) Count(d pipeline.Date) (n int) {
	for _, x := range w.window(d) {
		n += len(w.at[x])
	}
	return n
}
