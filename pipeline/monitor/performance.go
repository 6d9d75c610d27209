package monitor

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"churn/internal/lists"
	"churn/model/metric"
	"churn/pipeline"
)

// Unmeasured is the status of what nothing can be said of; it is no OK.
const Unmeasured Status = "UNMEASURED"

// Given is a set of predictions with what its model promised.
type Given struct {
	Predictions
	Window  int      // days of the label window
	Cohort  int      // as Due.Cohort: 0 where all were at risk when they were scored
	Promise *Promise // nil = none
	Why     string   // there is no promise

	fates []Fate
}

// closes returns the last day of the label window.
func (g *Given) closes() pipeline.Date { return g.AsOf + pipeline.Date(g.Window) }

// hindsight returns the last day that the model has learned from if that lies
// after the as-of date: it then knew what it was to foresee. 0 stands for none.
func (g *Given) hindsight() pipeline.Date {
	if g.Rows() == 0 || g.Promise == nil {
		return 0
	}
	first := g.AsOf
	if g.Days != nil {
		first = slices.Min(g.Days)
	}
	if g.Promise.Learned > first {
		return g.Promise.Learned
	}
	return 0
}

// PerformanceInput is what monitor performance looks at.
type PerformanceInput struct {
	AsOf       pipeline.Date // labels are known up to this day
	Given      []Given
	SetAside   []SetAside
	Treatments Treatments
	Params     Rules
	Trend      TrendParams
}

// SetAside are predictions that cannot be used.
type SetAside struct {
	Path string `json:"path"`
	Why  string `json:"why"`
}

// Performance is the report of monitor performance.
type Performance struct {
	AsOf     pipeline.Date `json:"as_of_date"`
	Status   Status        `json:"status"`
	Reasons  []string      `json:"reasons"` // for the status
	Primary  string        `json:"primary_metric"`
	Judged   *Judged       `json:"judged,omitempty"` // the latest dates together; nil = none can be
	Dates    []Realised    `json:"dates"`            // matured, by date
	Immature []Immature    `json:"immature"`         // never counted
	SetAside []SetAside    `json:"set_aside,omitempty"`
	Blind    string        `json:"estimates_are_blind"`
	Tracked  []Tracked     `json:"estimator"` // estimates against what came
	Contacts *Contacts     `json:"contacted,omitempty"`
	Trends   []Trend       `json:"trends"`
}

// Judged are the latest dates together, of one version.
type Judged struct {
	From     pipeline.Date     `json:"from"`
	To       pipeline.Date     `json:"to"`
	Dates    int               `json:"dates"`
	Version  string            `json:"model_version"`
	Rows     int               `json:"rows"`
	Users    int               `json:"users"`
	Churned  int               `json:"churned"`
	Figures  []metric.Estimate `json:"figures"`
	Criteria []Criterion       `json:"criteria"`
}

// performer is one run.
type performer struct {
	PerformanceInput
	users  map[string]int32 // numbers of users, for clusters
	report Performance
}

// Perform measures predictions whose labels have matured, against what their
// models promised, and estimates what the others will come to. Users who were
// contacted in the label window are counted apart; predictions of a model that had
// learned from later days are measured and not judged. join, which is Join over the
// timelines, is asked once for the fates of all that has matured.
func Perform(ctx context.Context, in PerformanceInput, join func([]Due) error) (Performance, error) {
	p := &performer{PerformanceInput: in, users: map[string]int32{}, report: Performance{AsOf: in.AsOf, Primary: in.Params.Primary, SetAside: in.SetAside, Blind: Blindness}}
	p.choose()
	if err := p.join(join); err != nil {
		return p.report, err
	}
	if err := p.realise(ctx); err != nil {
		return p.report, err
	}
	if err := p.foresee(ctx); err != nil {
		return p.report, err
	}
	if err := p.judge(); err != nil {
		return p.report, err
	}
	var err error
	if p.report.Contacts, err = p.contacts(); err != nil {
		return p.report, err
	}
	p.report.Tracked = track(p.report.Dates)
	p.report.Trends = p.trends()
	p.conclude()
	p.report.fill()
	return p.report, nil
}

// fill makes JSON write lists without elements as [].
func (r *Performance) fill() {
	r.Reasons, r.Dates, r.Immature = lists.Filled(r.Reasons), lists.Filled(r.Dates), lists.Filled(r.Immature)
	r.Tracked, r.Trends = lists.Filled(r.Tracked), lists.Filled(r.Trends)
	for i := range r.Dates {
		d := &r.Dates[i]
		d.Criteria, d.Estimated = lists.Filled(d.Criteria), lists.Filled(d.Estimated)
	}
	for i := range r.Immature {
		r.Immature[i].Estimated = lists.Filled(r.Immature[i].Estimated)
	}
	if r.Judged != nil {
		r.Judged.Criteria = lists.Filled(r.Judged.Criteria)
	}
}

// choose keeps the latest dates, by date and version.
func (p *performer) choose() {
	p.Given = slices.DeleteFunc(slices.Clone(p.Given), func(g Given) bool { return g.AsOf > p.AsOf })
	slices.SortStableFunc(p.Given, func(a, b Given) int { return cmp.Or(cmp.Compare(a.AsOf, b.AsOf), cmp.Compare(a.Version, b.Version)) })
	dates := map[pipeline.Date]bool{}
	for k := len(p.Given) - 1; k >= 0; k-- {
		if dates[p.Given[k].AsOf] = true; len(dates) > p.Params.Dates {
			p.Given = p.Given[k+1:]
			break
		}
	}
}

// join asks for the fates of what has matured, and of the rest who was at risk
// where that is not known.
func (p *performer) join(join func([]Due) error) error {
	var due []Due
	var sets []*Given
	for k := range p.Given {
		g := &p.Given[k]
		if open := g.closes() > p.AsOf; !open || g.Cohort > 0 {
			due, sets = append(due, Due{Predictions: &g.Predictions, Window: g.Window, Cohort: g.Cohort, Open: open}), append(sets, g)
		}
	}
	if err := join(due); err != nil {
		return err
	}
	for k, g := range sets {
		g.fates = due[k].Fates
	}
	return nil
}

// reliabilityBins is the number of bins behind the figure ece.
const reliabilityBins = 10

// worstOf returns the worst status; what cannot be measured is worse than OK only.
func worstOf(criteria []Criterion) Status {
	out := OK
	for _, c := range criteria {
		out = worst(out, c.Status)
	}
	return out
}

// judge measures the latest dates of the version that made the last of them.
func (p *performer) judge() error {
	dates := slices.DeleteFunc(slices.Clone(p.report.Dates), func(r Realised) bool { return !r.counts() })
	if len(dates) == 0 {
		return nil
	}
	last := dates[len(dates)-1]
	dates = slices.DeleteFunc(dates, func(r Realised) bool { return r.Version != last.Version })
	dates = dates[max(0, len(dates)-p.Params.Together):]
	some, t := p.together(dates, func(c *counted) []int { return c.keep })
	all, _ := p.together(dates, func(c *counted) []int { return append(slices.Clone(c.keep), c.apart...) })
	j := Judged{From: dates[0].AsOf, To: last.AsOf, Dates: len(dates), Version: last.Version, Rows: t.rows, Churned: t.churned, Users: distinct(some.User)}
	var err error
	if j.Figures, err = measure(some, p.Params.evaluation(last.Promise)); err != nil {
		return err
	}
	keep, err := p.kept(some, all, last.Promise)
	if err != nil {
		return err
	}
	j.Criteria = p.Params.criteria(j.Figures, t, last.Promise, keep)
	p.report.Judged = &j
	return nil
}

// together returns rows of several dates as one sample, grouped by date, with
// users as clusters.
func (p *performer) together(dates []Realised, which func(*counted) []int) (s metric.Sample, t tally) {
	var risks []float64
	var ranks []int32
	for k := range dates {
		r := &dates[k]
		for _, i := range which(&r.counted) {
			risks, ranks = append(risks, r.set.Risks[i]), append(ranks, r.set.Ranks[i])
			s.Label, s.Group, s.User = append(s.Label, r.churned[i]), append(s.Group, int32(k)), append(s.User, p.number(r.set.Users[i]))
			if t.rows++; r.churned[i] {
				t.churned++
			}
		}
	}
	s.Score, s.Prob = scores(risks, ranks), risks
	return s, t
}

// number returns the number of a user.
func (p *performer) number(user string) int32 {
	n, ok := p.users[user]
	if !ok {
		n = int32(len(p.users))
		p.users[user] = n
	}
	return n
}

func distinct(users []int32) int {
	return len(slices.Compact(slices.Sorted(slices.Values(users))))
}

// conclude gives the whole its status: by the latest dates together and by each
// of them, and by what cannot be used or is estimated to be worse than promised.
func (p *performer) conclude() {
	r := &p.report
	r.Status = OK
	switch {
	case r.Judged == nil:
		p.say(Unmeasured, p.nothing())
	case len(r.Judged.Criteria) == 0:
		p.say(Unmeasured, fmt.Sprintf("%d users of the latest dates are too few to judge", r.Judged.Rows))
	default:
		for _, c := range r.Judged.Criteria {
			p.say(c.Status, fmt.Sprintf("%s, %s to %s: %s", c.Name, r.Judged.From, r.Judged.To, c.Text))
		}
		p.single()
	}
	for _, x := range r.SetAside {
		p.say(Warn, fmt.Sprintf("%s is set aside: %s", x.Path, x.Why))
	}
	for _, i := range r.Immature {
		if i.Status == Warn {
			p.say(Warn, fmt.Sprintf("%s, not matured: %s", i.AsOf, i.Note))
		}
	}
}

// say adds a reason for a status.
func (p *performer) say(s Status, why string) {
	p.report.Status = worst(p.report.Status, s)
	if s != OK {
		p.report.Reasons = append(p.report.Reasons, why)
	}
}

// single adds the dates that fail alone, since together they may hide each other:
// too many leave on one date, too few on the next. An earlier one is a warning;
// the last, which may be a sudden break, and half of them are an alarm.
func (p *performer) single() {
	j := p.report.Judged
	if j.Dates == 1 {
		return
	}
	var failed []Realised
	for _, r := range p.report.Dates {
		if r.Status == Fail && r.Version == j.Version && r.AsOf >= j.From && r.AsOf <= j.To {
			failed = append(failed, r)
		}
	}
	status := Warn
	if n := len(failed); n > 0 && (2*n >= j.Dates || failed[n-1].AsOf == j.To) {
		status = Fail
	}
	for _, r := range failed {
		for _, c := range r.Criteria {
			if c.Status == Fail {
				p.say(status, fmt.Sprintf("%s, %s alone: %s", c.Name, r.AsOf, c.Text))
			}
		}
	}
}

// nothing says why no date can be judged.
func (p *performer) nothing() string {
	r := &p.report
	if len(r.Dates) == 0 && len(r.Immature) > 0 {
		return fmt.Sprintf("no label window of a prediction has closed by %s; the first does on %s", r.AsOf, r.Immature[0].Matures)
	}
	if len(r.Dates) == 0 {
		return fmt.Sprintf("there are no predictions up to %s that can be used", r.AsOf)
	}
	last := r.Dates[len(r.Dates)-1]
	return fmt.Sprintf("no matured prediction can be judged; of %s: %s", last.AsOf, last.Note)
}
