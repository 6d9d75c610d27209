// Package monitor watches what a model meets after its training.
//
// A drift check asks two questions of the users of a date.
//
// The level: are they like those that the model was trained on, or those of the
// same weeks of the last term? Profile has the statistics. What matters is
// weighted by the model: the check fails where features that carry
// monitor.moved_share of its importance have moved, or its scores have, beyond
// where they were already on the day on which the model was made.
//
// The step: are they suddenly unlike those of the weeks before? Seasons and
// growth, which move every portal, move it slowly, so that a much smaller change
// counts, and within days. Some features move by themselves, since months are
// not equally long and sums only grow. What counts is therefore a change that is
// beyond chance, larger than the floor, and larger than all that the same feature
// did in each of the eight weeks before, and in the same weeks of the last term
// as far as the data reaches. One feature that does so, and not by much, only
// warns.
package monitor

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	text "churn/internal/figures"
	"churn/model/profile"
	"churn/pipeline"
)

// Status is the answer of a check.
type Status string

// The statuses, as the original course writes them.
const (
	OK   Status = "OK"
	Warn Status = "WARN"
	Fail Status = "FAIL"
)

// statusOf spells the status of a profile.
func statusOf(s profile.Status) Status {
	return map[profile.Status]Status{profile.OK: OK, profile.Warn: Warn, profile.Fail: Fail}[s]
}

// worst returns the more serious status.
func worst(a, b Status) Status {
	order := []Status{OK, Unmeasured, Warn, Fail}
	return order[max(slices.Index(order, a), slices.Index(order, b))]
}

// DriftReport is the drift of one date: what data_drift_latest.json and
// data_drift_<asOf>.json hold. The first five fields are those of the original
// course.
type DriftReport struct {
	Status        Status             `json:"status"`
	OverallMaxPSI float64            `json:"overall_max_psi"` // against the reference
	PSIByFeature  map[string]float64 `json:"psi_by_feature"`  // likewise
	Baseline      string             `json:"baseline"`        // what the reference is
	Current       string             `json:"current"`         // what is compared with it

	AsOf      pipeline.Date `json:"as_of_date"`
	Version   string        `json:"model_version"`
	Hindsight pipeline.Date `json:"model_knows_until,omitempty"` // last day of the model's data, where that is later than the as-of date
	Rows      int           `json:"rows"`
	Users     int           `json:"users"`
	Sampled   bool          `json:"sampled,omitempty"` // some users were left out, since there are too many rows
	Reasons   []string      `json:"reasons"`           // what made it warn or fail
	Notes     []string      `json:"notes,omitempty"`   // what could not be looked at, and why
	Level     Level         `json:"level"`
	Step      *Step         `json:"step,omitempty"`             // nil: a note says why
	Recent    []Recent      `json:"recent,omitempty"`           // the last monitor.fail_of checks, this one first, where more than one counts
	NotAtRisk int           `json:"not_at_risk,omitempty"`      // rows that are left out, of users of whom the model has learned nothing
	Fixed     Fixed         `json:"fixed_limits"`               // what monitor.warn_psi and fail_psi alone would say
	Customary *Fixed        `json:"customary_limits,omitempty"` // what 0.1 and 0.25 would, where those are others
	Trends    []Trend       `json:"trends,omitempty"`           // of the index of every feature, and of the scores, over the dates of the scores over time
}

// Level is how far the rows are from the reference.
type Level struct {
	Status      Status         `json:"status"`
	Reference   string         `json:"reference"` // training, or same-weeks-last-term
	Rows        int            `json:"reference_rows"`
	Users       int            `json:"reference_users"`
	Features    []LevelFeature `json:"features"`
	Score       *LevelFeature  `json:"score,omitempty"`
	MeanScore   [2]float64     `json:"mean_score"`        // reference, now
	HighShare   [2]float64     `json:"high_share"`        // likewise
	WeightedPSI float64        `json:"weighted_psi"`      // by importance
	MovedShare  float64        `json:"moved_importance"`  // of the features that warn or fail, and have moved since the model was made: it warns from the limit on
	FailedShare float64        `json:"failed_importance"` // of those that fail: it fails from the limit on
	Limit       float64        `json:"moved_limit"`
	Broken      []string       `json:"broken"` // features that tell nothing any more, or in another language

	made bool // it is known how far the users were when the model was made
}

// LevelFeature is a feature against the reference. Its cells are enough to draw
// both distributions.
type LevelFeature struct {
	profile.Feature
	Importance float64 `json:"importance"`    // share of the mean |contribution| to the log-odds; all add up to 1
	MadePSI    float64 `json:"psi_when_made"` // index of the users of the day on which the model was made; 0 = unknown
	Broken     Break   `json:"broken,omitempty"`
}

// Break is how a feature has broken; "" = it has not.
type Break string

// The breaks.
const (
	Nulls   Break = "null in all rows, or nearly all"
	Zeros   Break = "0 in all rows"
	Renamed Break = "values that the reference does not have"
)

const (
	// brokenRows is how many users must be expected to differ before that none
	// does is a break: by chance none of 30 is one in e³⁰.
	brokenRows = 30
	// brokenLeft is the share of the values that a broken feature may still have,
	// such as those of a cache.
	brokenLeft = 0.1
	// brokenNew is the share of categorical values that the reference does not have
	// from which they have been renamed.
	brokenNew = 0.2
)

// broken says how a feature of a month or more has broken, given how many users have rows. Nothing
// excuses it: not that it matters little to the model, since the next training
// may see that differently, and not that it was so on the day on which the model
// was made. For that day is looked up in the data of today, and a fault that
// reaches back over all history excuses itself.
func (f *LevelFeature) broken(users int) Break {
	had, has := 1-f.MissingBefore, 1-f.Missing
	if had*float64(users) >= brokenRows && has < brokenLeft*had {
		return Nulls
	}
	if f.KS == 0 && f.Unseen >= brokenNew && f.PSI >= profile.DefaultLimits().FailPSI {
		return Renamed
	}
	if other := 1 - f.ZeroBefore; f.Zero && has*other*float64(users) >= brokenRows && other >= brokenLeft {
		return Zeros
	}
	return ""
}

// Step is how far the rows are from those of the weeks before.
type Step struct {
	Status   Status        `json:"status"`
	From     pipeline.Date `json:"from"` // first of the days before
	To       pipeline.Date `json:"to"`
	Rows     int           `json:"rows"` // of them
	Users    int           `json:"users"`
	Earlier  int           `json:"earlier_steps"`     // by which is known what a feature does by itself
	Features []StepFeature `json:"features"`          // in the order of Level, the score last
	Jumped   []string      `json:"jumped"`            // features that have changed suddenly
	Strange  []string      `json:"strange"`           // features with novel values
	Holiday  bool          `json:"holiday,omitempty"` // within a week of one: it warns at most
}

// StepFeature is a feature against the weeks before, without cells.
type StepFeature struct {
	profile.Feature
	UsualPSI   float64 `json:"usual_psi"`   // the most that it did in the weeks before
	UsualNovel float64 `json:"usual_novel"` // likewise, share of rows
	Jumped     bool    `json:"jumped"`
	New        bool    `json:"new_values"`
	Grows      bool    `json:"grows,omitempty"`   // by definition: its new highs are no novelties
	Monthly    bool    `json:"monthly,omitempty"` // likewise it follows the calendar: its change warns at most
}

// Recent is the status of a check before k of n are counted.
type Recent struct {
	AsOf   pipeline.Date `json:"as_of_date"`
	Status Status        `json:"status"`
}

// Fixed is what limits on the index alone would say, as they are in wide use.
type Fixed struct {
	Status  Status  `json:"status"`
	Warned  int     `json:"warned"`
	Failed  int     `json:"failed"`
	WarnPSI float64 `json:"warn_psi"` // the limits
	FailPSI float64 `json:"fail_psi"`
}

// String says what the limits come to.
func (f Fixed) String() string {
	return fmt.Sprintf("%v and %v, would say %s: %s, %s", f.WarnPSI, f.FailPSI, f.Status, text.Counted(f.Warned, "feature warns", "features warn"), text.Counted(f.Failed, "fails", "fail"))
}

// level compares the rows of a date with a reference.
func (w *Watch) level(d pipeline.Date, r *Reference) (Level, error) {
	drift, err := w.against(r.Profile, d)
	if err != nil {
		return Level{}, err
	}
	l := Level{Reference: r.Kind, Rows: r.Profile.Rows, Users: r.Profile.Users, MeanScore: drift.MeanScore, HighShare: drift.HighShare, Limit: w.params.MovedShare, Broken: []string{}, made: r.Made != nil}
	weights := w.importance()
	for i, f := range drift.Features {
		x := LevelFeature{Feature: f, Importance: weights[i], MadePSI: r.Made[f.Name]}
		if about := w.catalog[f.Name]; about.Lasting() {
			x.Broken = x.broken(drift.Users)
		}
		if x.Broken != "" {
			l.Broken = append(l.Broken, f.Name)
		}
		l.weigh(x)
	}
	if drift.Score != nil {
		l.Score = &LevelFeature{Feature: *drift.Score, MadePSI: r.Made[scored]}
	}
	l.Status = l.status()
	return l, nil
}

// weigh adds a feature.
func (l *Level) weigh(f LevelFeature) {
	l.Features = append(l.Features, f)
	l.WeightedPSI += f.Importance * f.PSI
	switch f.status() {
	case Fail:
		l.FailedShare += f.Importance
		l.MovedShare += f.Importance
	case Warn:
		l.MovedShare += f.Importance
	}
}

// status is that of the feature, unless the day on which the model was made was
// about as far away.
func (f *LevelFeature) status() Status {
	if f.asMade() {
		return OK
	}
	return statusOf(f.Feature.Status)
}

// asMade reports whether the day on which the model was made was about as far from
// the reference: then it does not count that the feature warns or fails.
func (f *LevelFeature) asMade() bool { return f.PSI <= usualMargin*f.MadePSI }

// Discounted says why it does not count that a feature warns or fails; "" where it
// does count, or rests.
func (f *LevelFeature) Discounted() string {
	if f.Feature.Status == profile.OK || !f.asMade() || f.Broken != "" {
		return ""
	}
	return fmt.Sprintf("as on the day the model was made (PSI %.3f)", f.MadePSI)
}

// status fails where features that fail carry much of the model's importance, or
// the scores fail, and warns where those that warn do.
func (l *Level) status() Status {
	s := OK
	if l.Score != nil {
		s = l.Score.status()
	}
	switch {
	case l.FailedShare >= l.Limit, len(l.Broken) > 0:
		return Fail
	case l.MovedShare >= l.Limit:
		return worst(s, Warn)
	}
	return s
}

// breaks says what has broken, a line for each kind.
func (l *Level) breaks() (out []string) {
	for _, kind := range []Break{Nulls, Zeros, Renamed} {
		var names []string
		for _, f := range l.Features {
			if f.Broken == kind {
				names = append(names, f.Name)
			}
		}
		if n := len(names); n > 0 {
			const shown = 5
			if n > shown {
				names = append(names[:shown], fmt.Sprintf("%d more", n-shown))
			}
			out = append(out, fmt.Sprintf("broken: %s, unlike the reference (%s): %s", kind, l.Reference, strings.Join(names, ", ")))
		}
	}
	return out
}

// reasons says what made it warn or fail.
func (l *Level) reasons() (out []string) {
	out = l.breaks()
	since := ""
	if l.made {
		since = ", further than they were when the model was made"
	}
	if l.MovedShare >= l.Limit {
		out = append(out, fmt.Sprintf("features that carry %.0f%% of the model's importance have moved from the reference (%s)%s, %.0f%% far; it fails at %.0f%% far", 100*l.MovedShare, l.Reference, since, 100*l.FailedShare, 100*l.Limit))
	}
	if s := l.Score; s != nil && s.status() != OK {
		out = append(out, fmt.Sprintf("the scores have moved from the reference (%s): PSI %.3f, limits %.3f and %.3f, mean %.3f after %.3f", l.Reference, s.PSI, s.WarnLimit, s.FailLimit, l.MeanScore[1], l.MeanScore[0]))
	}
	return out
}

// fixed applies limits on the index.
func (l *Level) fixed(warn, fail float64) Fixed {
	f := Fixed{Status: OK, WarnPSI: warn, FailPSI: fail}
	for _, x := range l.Features {
		switch {
		case x.PSI >= fail:
			f.Failed++
		case x.PSI >= warn:
			f.Warned++
		}
	}
	if f.Failed > 0 {
		f.Status = Fail
	} else if f.Warned > 0 {
		f.Status = Warn
	}
	return f
}

// customary applies 0.1 and 0.25 where the limits that are set are others; else it
// is nil, and Fixed says it all.
func (l *Level) customary(p Params) *Fixed {
	c := profile.DefaultLimits()
	if p.WarnPSI == c.WarnPSI && p.FailPSI == c.FailPSI {
		return nil
	}
	f := l.fixed(c.WarnPSI, c.FailPSI)
	return &f
}

// reasons says what changed suddenly, what did most first.
func (s *Step) reasons() (out []string) {
	features := slices.SortedStableFunc(slices.Values(s.Features), func(a, b StepFeature) int { return cmp.Compare(b.PSI, a.PSI) })
	for _, f := range features {
		if f.Jumped {
			out = append(out, fmt.Sprintf("%s changed suddenly: PSI %.3f against the weeks before (limit %.3f; by itself it moved by up to %.3f a week)", f.Name, f.PSI, f.WarnLimit, f.UsualPSI))
		}
	}
	for _, f := range features {
		if f.New {
			out = append(out, fmt.Sprintf("%s has values far from all that were seen in the %d weeks before: %.2f%% of the rows, %d users", f.Name, weeksBefore+earlierSteps, 100*f.Novel, f.NovelUsers))
		}
	}
	return out
}
