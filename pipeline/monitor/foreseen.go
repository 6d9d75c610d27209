package monitor

import (
	"context"
	"fmt"
	"math"
	"slices"

	"churn/model/metric"
	"churn/pipeline"
)

// Immature are predictions whose label window is open.
type Immature struct {
	AsOf      pipeline.Date     `json:"as_of_date"`
	Version   string            `json:"model_version"`
	Source    string            `json:"source"`
	Matures   pipeline.Date     `json:"matures"`
	Hindsight pipeline.Date     `json:"hindsight,omitempty"`
	Users     int               `json:"users"`
	MeanRisk  Number            `json:"mean_risk"`
	Status    Status            `json:"status"` // of the estimate, which never fails alone
	Estimated []metric.Estimate `json:"estimated"`
	Corrected string            `json:"corrected_by,omitempty"`
	Note      string            `json:"note,omitempty"`
}

// foresee estimates what has not matured.
func (p *performer) foresee(ctx context.Context) error {
	for k := range p.Given {
		g := &p.Given[k]
		if g.closes() <= p.AsOf {
			continue
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		s := g.atRisk()
		i := Immature{AsOf: g.AsOf, Version: g.Version, Source: g.Source, Matures: g.closes(), Hindsight: g.hindsight(), Users: len(s.Prob), MeanRisk: Number(mean(s.Prob)), Status: Unmeasured, Note: g.Why}
		switch {
		case i.Hindsight != 0:
			i.Note = fmt.Sprintf("in hindsight: %s has learned from data up to %s", g.Version, i.Hindsight)
		case g.Promise != nil && i.Users > 0:
			var err error
			if i.Estimated, i.Corrected, err = p.estimate(g, s); err != nil {
				return fmt.Errorf("predictions of %s: %w", g.AsOf, err)
			}
			i.Status, i.Note = p.Params.estimated(i.Estimated, g.Promise)
		}
		p.report.Immature = append(p.report.Immature, i)
	}
	return nil
}

// atRisk returns the rows without labels, but for those that are known not to count.
func (g *Given) atRisk() metric.Sample {
	var keep []int
	for i := range g.Risks {
		if g.fates == nil || g.fates[i] == Open {
			keep = append(keep, i)
		}
	}
	return metric.Sample{Score: scores(g.Risks, g.Ranks), Prob: g.Risks}.Subset(keep)
}

// estimate returns what the figures of rows of a set come to, by what was known on
// its as-of date. The reference is what had matured by then of the same version,
// of the latest dates that are judged together, and else the test period.
func (p *performer) estimate(g *Given, s metric.Sample) (figures []metric.Estimate, reference string, err error) {
	m := p.Params.evaluation(g.Promise)
	line, reference := g.Promise.line(), fmt.Sprintf("test period %s to %s", g.Promise.From, g.Promise.To)
	known := slices.DeleteFunc(slices.Clone(p.report.Dates), func(r Realised) bool { return !r.counts() || r.Version != g.Version || r.Closed > g.AsOf })
	known = known[max(0, len(known)-p.Params.Together):]
	if rows, t := p.together(known, func(c *counted) []int { return c.keep }); t.rows >= leastRows && min(t.churned, t.rows-t.churned) >= leastFate {
		if line, err = fitLogOdds(rows, m); err != nil {
			return nil, "", err
		}
		reference = fmt.Sprintf("labels of %s to %s", known[0].AsOf, known[len(known)-1].AsOf)
	}
	figures, err = estimate(s, line, m)
	return figures, reference, err
}

// estimated compares the estimate with the promise. Without labels nothing is
// proven: a warning is the most.
func (p Rules) estimated(figures []metric.Estimate, promise *Promise) (Status, string) {
	e, promised := find(figures, p.ranked()), find(promise.Figures, p.Primary)
	switch {
	case math.IsNaN(e.Value) || math.IsNaN(promised.Value):
		return Unmeasured, fmt.Sprintf("%s cannot be estimated", p.Primary)
	case distance(e, promised, 1-p.MaxDrop) < 0:
		return Warn, fmt.Sprintf("%s is estimated at %.3f (%.3f–%.3f), more than %.0f%% below the promised %.3f", title(p.Primary), e.Value, e.Low, e.High, 100*p.MaxDrop, promised.Value)
	}
	return OK, ""
}
