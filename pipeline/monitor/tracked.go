package monitor

import (
	"cmp"
	"math"
	"slices"

	"churn/model/metric"
)

// Tracked is how the estimates of a figure, made before labels matured, compare
// with what came.
type Tracked struct {
	Name   string `json:"name"`
	Dates  int    `json:"dates"`
	Inside int    `json:"inside_band"` // dates on which the realised figure lay in the band
	Error  Number `json:"mean_error"`  // estimate less realised
	Size   Number `json:"mean_absolute_error"`
}

// track compares the estimates of the dates that were not in hindsight. The
// estimates are of the risks and the model card only, and so are those that were
// made at the time.
func track(dates []Realised) (out []Tracked) {
	for _, name := range []string{rocAUC, metric.PRAUC, logLoss, baseRate} {
		t := Tracked{Name: name}
		var errors, sizes []float64
		for i := range dates {
			e, r := find(dates[i].Estimated, name), find(dates[i].Figures, name)
			if !dates[i].counts() || math.IsNaN(e.Value) || math.IsNaN(r.Value) {
				continue
			}
			if t.Dates++; e.Low <= r.Value && r.Value <= e.High {
				t.Inside++
			}
			errors, sizes = append(errors, e.Value-r.Value), append(sizes, math.Abs(e.Value-r.Value))
		}
		if t.Dates > 0 {
			t.Error, t.Size = Number(mean(errors)), Number(mean(sizes))
			out = append(out, t)
		}
	}
	return out
}

// trends draws lines through the figures of the version that was judged.
func (p *performer) trends() []Trend {
	if p.report.Judged == nil {
		return nil
	}
	var dates []Realised
	for _, r := range p.report.Dates {
		if r.counts() && r.Version == p.report.Judged.Version {
			dates = append(dates, r)
		}
	}
	last := dates[len(dates)-1]
	series := func(name, figure string, limit float64) Series {
		s := Series{Name: name, Limit: limit, SharedDays: last.set.Window}
		for _, r := range dates {
			s.Points = append(s.Points, Point{r.AsOf, find(r.Figures, figure).Value})
		}
		return s
	}
	floor := (1 - p.Params.MaxDrop) * find(last.Promise.Figures, p.Params.Primary).Value
	ratio := p.Params.MaxRatio // the one of the two limits that lies on the side of the last date
	if find(last.Figures, ObservedExpected).Value < 1 {
		ratio = 1 / ratio
	}
	return Trends([]Series{
		series(title(p.Params.Primary), p.Params.ranked(), floor), series("log-loss", logLoss, math.NaN()),
		series("users who left for one expected", ObservedExpected, ratio), series("churn rate", baseRate, math.NaN()),
	}, p.Trend)
}

// Contacts are the users who were contacted in their label window, over all
// matured dates that are not in hindsight.
type Contacts struct {
	Why        string      `json:"why_apart"`
	Treatments []Contacted `json:"treatments"` // all together, then by treatment
}

// Contacted is what became of users who were contacted.
type Contacted struct {
	Treatment string            `json:"treatment"`
	Rows      int               `json:"rows"`
	Users     int               `json:"users"`
	Churned   int               `json:"churned"`
	Expected  Number            `json:"expected"` // to leave, by their risks
	Figures   []metric.Estimate `json:"figures"`
}

// whyApart stands beside the figures of contacted users.
const whyApart = "a contact is made to change the outcome: who stays because of it was named rightly, and would be counted as a mistake of the model"

// AllTreatments names the users of all treatments together.
const AllTreatments = "all"

// contacts measures the contacted users of all dates; nil if there are none.
func (p *performer) contacts() (*Contacts, error) {
	dates := slices.DeleteFunc(slices.Clone(p.report.Dates), func(r Realised) bool { return r.Hindsight != 0 || len(r.apart) == 0 })
	if len(dates) == 0 {
		return nil, nil
	}
	out := &Contacts{Why: whyApart}
	for _, name := range append([]string{AllTreatments}, treatments(dates)...) {
		s, t := p.together(dates, func(c *counted) []int {
			return slices.DeleteFunc(slices.Clone(c.apart), func(i int) bool { return name != AllTreatments && c.named(i) != name })
		})
		figures, err := measure(s, p.Params.evaluation(nil))
		if err != nil {
			return nil, err
		}
		out.Treatments = append(out.Treatments, Contacted{name, t.rows, distinct(s.User), t.churned, Number(mean(s.Prob) * float64(t.rows)), figures})
	}
	return out, nil
}

// named returns the treatment of a row.
func (c *counted) named(i int) string { return cmp.Or(c.treatment[i], "unnamed") }

// treatments returns the names that there are, if there are two or more.
func treatments(dates []Realised) []string {
	var names []string
	for k := range dates {
		for _, i := range dates[k].apart {
			names = append(names, dates[k].named(i))
		}
	}
	slices.Sort(names)
	if names = slices.Compact(names); len(names) < 2 {
		return nil
	}
	return names
}
