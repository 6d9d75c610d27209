package monitor

import (
	"context"
	"fmt"
	"slices"

	"churn/model/metric"
	"churn/pipeline"
)

// Realised are predictions whose labels have matured.
type Realised struct {
	AsOf      pipeline.Date     `json:"as_of_date"`
	Version   string            `json:"model_version"`
	Source    string            `json:"source"`
	Closed    pipeline.Date     `json:"window_closed"`
	Status    Status            `json:"status"`
	Hindsight pipeline.Date     `json:"hindsight,omitempty"` // the model has learned from data up to this later day
	Users     int               `json:"users"`               // who are counted
	Churned   int               `json:"churned"`
	Unknown   int               `json:"unknown,omitempty"` // predicted, and not in the data now
	Outside   int               `json:"not_at_risk,omitempty"`
	Contacted int               `json:"contacted,omitempty"` // counted apart
	MeanRisk  Number            `json:"mean_risk"`
	Figures   []metric.Estimate `json:"figures"`
	Noise     Number            `json:"ece_of_calibrated"` // ece that so many users show without any fault
	Promise   *Promise          `json:"promise,omitempty"`
	Criteria  []Criterion       `json:"criteria"`
	Estimated []metric.Estimate `json:"estimated"`              // by what was known on the as-of date
	Corrected string            `json:"corrected_by,omitempty"` // the reference of the estimate
	Note      string            `json:"note,omitempty"`

	set *Given
	counted
}

// counted are the rows of a set that count, and those that are counted apart.
type counted struct {
	keep, apart []int
	churned     []bool // of all rows
	treatment   map[int]string

	unknown, outside int // rows that do not count at all
}

// tally is how many rows there are, and churned ones among them.
type tally struct{ rows, churned int }

// realise measures what has matured.
func (p *performer) realise(ctx context.Context) error {
	for k := range p.Given {
		g := &p.Given[k]
		if g.closes() > p.AsOf {
			continue
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		r, err := p.realised(g)
		if err != nil {
			return fmt.Errorf("predictions of %s: %w", g.AsOf, err)
		}
		p.report.Dates = append(p.report.Dates, r)
	}
	return nil
}

// realised measures one set.
func (p *performer) realised(g *Given) (Realised, error) {
	r := Realised{AsOf: g.AsOf, Version: g.Version, Source: g.Source, Closed: g.closes(), Status: Unmeasured, Hindsight: g.hindsight(), Promise: g.Promise, Note: g.Why, set: g}
	r.count(g, p.Treatments)
	r.Users, r.Contacted, r.Unknown, r.Outside = len(r.keep), len(r.apart), r.unknown, r.outside
	t := r.tally()
	r.Churned = t.churned
	s, measured := g.sample(r.keep, r.churned), p.Params.evaluation(g.Promise)
	r.MeanRisk = Number(mean(s.Prob))
	var err error
	if r.Figures, err = measure(s, measured); err != nil {
		return r, err
	}
	r.Noise = Number(metric.ReliabilityCurve(s, reliabilityBins, p.Params.Confidence).ExpectedECE)
	keep := 1.0
	if g.Promise != nil && r.Hindsight == 0 && t.rows > 0 {
		if r.Estimated, r.Corrected, err = p.estimate(g, s); err != nil {
			return r, err
		}
		if keep, err = p.kept(s, g.sample(append(slices.Clone(r.keep), r.apart...), r.churned), g.Promise); err != nil {
			return r, err
		}
	}
	r.Criteria = p.Params.criteria(r.Figures, t, g.Promise, keep)
	r.settle()
	return r, nil
}

// settle gives the date its status and says why there is none.
func (r *Realised) settle() {
	switch {
	case r.Hindsight != 0:
		r.Note = fmt.Sprintf("in hindsight: %s has learned from data up to %s; not judged", r.Version, r.Hindsight)
		r.Criteria = nil
	case r.Promise == nil:
	case r.Users == 0:
		r.Note = fmt.Sprintf("none of the %d users can be counted: %d are not in the data, %d were not at risk, %d were contacted", r.set.Rows(), r.Unknown, r.Outside, r.Contacted)
	case r.Users < leastRows:
		r.Note = fmt.Sprintf("%d users are too few to judge (fewer than %d)", r.Users, leastRows)
	default:
		r.Status = worstOf(r.Criteria)
	}
}

// counts reports whether the date may be judged.
func (r *Realised) counts() bool {
	return r.Promise != nil && r.Hindsight == 0 && r.Users > 0
}

// count divides the rows.
func (c *counted) count(g *Given, treatments Treatments) {
	c.churned, c.treatment = make([]bool, len(g.fates)), map[int]string{}
	for i, f := range g.fates {
		c.churned[i] = f == Churned
		contact, contacted := treatments.Within(g.Users[i], g.day(i), g.Window)
		switch {
		case f == Unknown:
			c.unknown++
		case f == Outside:
			c.outside++
		case contacted:
			c.apart, c.treatment[i] = append(c.apart, i), contact.Treatment
		default:
			c.keep = append(c.keep, i)
		}
	}
}

func (c *counted) tally() (t tally) {
	for _, i := range c.keep {
		if t.rows++; c.churned[i] {
			t.churned++
		}
	}
	return t
}

// sample returns rows of a set, each of its own user.
func (g *Given) sample(rows []int, churned []bool) metric.Sample {
	s := metric.Sample{Score: scores(g.Risks, g.Ranks), Prob: g.Risks, Label: churned}
	return s.Subset(rows)
}

// kept returns the share of the ranking that is expected among some rows,
// of that among all of them, by the risks alone.
func (p *performer) kept(some, all metric.Sample, promise *Promise) (float64, error) {
	if len(some.Prob) == len(all.Prob) {
		return 1, nil
	}
	m := p.Params.evaluation(promise)
	m.Bootstrap = 0
	var values [2]float64
	for k, s := range []metric.Sample{some, all} {
		series, err := metric.Expect(s, promise.line().chances(s.Prob), []string{p.Params.ranked()}, m)
		if err != nil {
			return 1, err
		}
		values[k] = series[0].Value
	}
	return values[0] / values[1], nil
}
