package report

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"churn/internal/figures"
	"churn/model/profile"
	"churn/pipeline"
	"churn/pipeline/monitor"
	"churn/pipeline/monitor/health"
)

// drawnFeatures is how many distributions are drawn, beside that of the scores:
// those whose move matters most to the model. The table has all.
const drawnFeatures = 8

// title says a feature in plain words.
func (m Monitored) title(name string) string {
	if m.Title == nil {
		return name
	}
	return cmp.Or(m.Title(name), name)
}

// drifted draws whether the users are still like those that the model knows.
func (m Monitored) drifted() *section {
	s := &section{ID: "drift", Title: "Are the users still those that the model knows?"}
	r := latest(m.Drift)
	if r == nil {
		s.Lead = m.parts()[1].absent(m.AsOf)
		return s
	}
	s.Lead = fmt.Sprintf("%s on %s: %s rows (%s) against %s (%s rows). Features that carry %s of the model's importance have moved, %s far; the check fails at %s far. Fixed limits of PSI alone, %s.",
		marked(health.Status(r.Status)), written(r.AsOf), figures.Whole(r.Rows), r.Current, r.Baseline, figures.Whole(r.Level.Rows), figures.Percent(r.Level.MovedShare), figures.Percent(r.Level.FailedShare), figures.Percent(r.Level.Limit), r.Fixed)
	s.Figures = append(s.Figures, m.overallPSI(), m.featurePSI(r))
	for _, f := range mattering(r) {
		s.Figures = append(s.Figures, m.distribution(f.Feature, fmt.Sprintf("%s of the model's importance", figures.Percent1(f.Importance))))
	}
	s.Tables = append(s.Tables, m.featureTable(r))
	s.Notes = append(s.Notes, r.Notes...)
	if r.Hindsight != 0 {
		s.Notes = append(s.Notes, fmt.Sprintf("In hindsight: model %s has learned from data up to %s.", r.Version, r.Hindsight))
	}
	return s
}

// byMatter returns the features, those first whose move matters most to the model.
func byMatter(r *monitor.DriftReport) []monitor.LevelFeature {
	return slices.SortedStableFunc(slices.Values(r.Level.Features), func(a, b monitor.LevelFeature) int { return cmp.Compare(b.PSI*b.Importance, a.PSI*a.Importance) })
}

// mattering returns those that are drawn.
func mattering(r *monitor.DriftReport) []monitor.LevelFeature {
	features := byMatter(r)
	return features[:min(drawnFeatures, len(features))]
}

// distribution draws a feature then and now: two bars for each cell.
func (m Monitored) distribution(f profile.Feature, beside string) figure {
	c := chart{height: float64(len(f.Cells)*rowHeight + 56)}
	var names []string
	values := []float64{0}
	t := table{Head: []string{"value", "reference", "now"}}
	for i, cell := range f.Cells {
		y := -float64(i)
		names, values = append(names, cell.Label), append(values, cell.Before, cell.Now)
		c.spans = append(c.spans, span{y: y + 0.19, half: 0.17, to: cell.Before, ink: inkGap}, span{y: y - 0.19, half: 0.17, to: cell.Now, ink: inkModel})
		t.Rows = append(t.Rows, []string{cell.Label, figures.Percent1(cell.Before), figures.Percent1(cell.Now)})
	}
	c.y, c.x = rows(names), numbers("share of the users", values, figures.Percent)
	reading := fmt.Sprintf("%s: PSI %s (limits %s and %s), %s.",
		marked(health.Status(strings.ToUpper(string(f.Status)))), figures.Decimals(3)(f.PSI), figures.Decimals(3)(f.WarnLimit), figures.Decimals(3)(f.FailLimit), beside)
	out := draws(m.title(f.Name), reading, c, t)
	out.Legend = []key{{"reference (upper, pale)", inkGap.String(), "bar"}, {"now (lower, dark)", inkModel.String(), "bar"}}
	return out
}

func (m Monitored) driftDates() (out []pipeline.Date) {
	for _, r := range m.Drift {
		out = append(out, r.AsOf)
	}
	return out
}

func (m Monitored) driftVersion(i int) string { return m.Drift[i].Version }

// overallPSI draws one index over time, of all features together.
func (m Monitored) overallPSI() figure {
	weighted, moved := series{name: "PSI weighted by importance", ink: inkModel, style: solid}, series{name: "importance that has moved far", ink: inkRule, style: dashed}
	t := table{Head: []string{"as of", "model", "status", "weighted PSI", "largest PSI", "moved", "moved far"}}
	values := []float64{0}
	for _, r := range m.Drift {
		at := float64(r.AsOf)
		weighted.at, moved.at = append(weighted.at, bare(at, r.Level.WeightedPSI)), append(moved.at, bare(at, r.Level.FailedShare))
		values = append(values, r.Level.WeightedPSI, r.Level.FailedShare, r.Level.Limit)
		t.Rows = append(t.Rows, []string{r.AsOf.String(), r.Version, string(r.Status), figures.Decimals(3)(r.Level.WeightedPSI), figures.Decimals(3)(r.OverallMaxPSI), figures.Percent(r.Level.MovedShare), figures.Percent(r.Level.FailedShare)})
	}
	dates := m.driftDates()
	c := chart{x: calendar("as-of date", dates), y: numbers("PSI, or share of importance", values, figures.Plain)}
	c.series = []series{acrossAt("limit of the share", c.x, m.Drift[len(m.Drift)-1].Level.Limit), moved, weighted}
	c.mark(changes(dates, m.driftVersion))
	return draws("How far the users have moved", "The model's reference counts: after a new model both lines fall if it knows the users of today. Each check's own verdict, which knows of chance and of sudden changes, is in the numbers.", c, t)
}

// featurePSI draws the index of the features that matter most over time.
func (m Monitored) featurePSI(r *monitor.DriftReport) figure {
	inks, styles := []ink{inkModel, inkRule, inkObserved}, []style{solid, dashed, dotted}
	features := mattering(r)
	features = features[:min(len(inks), len(features))]
	t := table{Head: []string{"as of"}}
	values := []float64{0}
	var all []series
	for k, f := range features {
		one := series{name: m.title(f.Name), ink: inks[k], style: styles[k]}
		t.Head = append(t.Head, f.Name)
		for _, r := range m.Drift {
			if v, ok := r.PSIByFeature[f.Name]; ok {
				one.at, values = append(one.at, bare(float64(r.AsOf), v)), append(values, v)
			}
		}
		all = append(all, one)
	}
	for _, r := range m.Drift {
		row := []string{r.AsOf.String()}
		for _, f := range features {
			text := "–"
			if v, ok := r.PSIByFeature[f.Name]; ok {
				text = figures.Decimals(3)(v)
			}
			row = append(row, text)
		}
		t.Rows = append(t.Rows, row)
	}
	dates := m.driftDates()
	c := chart{x: calendar("as-of date", dates), y: numbers("PSI", values, figures.Plain), series: all}
	c.mark(changes(dates, m.driftVersion))
	return draws("PSI over time, of the features that matter most now", "Against the reference of the model that was in production on the date.", c, t)
}

// leastListed is how many features the table has at least.
const leastListed = 10

// listed returns the features of the table: those whose move matters most, and
// all that do not rest.
func listed(r *monitor.DriftReport, steps map[string]monitor.StepFeature) (out []monitor.LevelFeature) {
	for i, f := range byMatter(r) {
		if i < leastListed || f.Status != profile.OK || steps[f.Name].Jumped || steps[f.Name].New {
			out = append(out, f)
		}
	}
	return out
}

// featureTable has the figures of features.
func (m Monitored) featureTable(r *monitor.DriftReport) table {
	t := table{Head: []string{"feature", "status", "importance", "PSI", "limits", "JS", "KS", "missing before", "now", "unseen", "step PSI", ""}}
	steps := map[string]monitor.StepFeature{}
	if r.Step != nil {
		for _, f := range r.Step.Features {
			steps[f.Name] = f
		}
	}
	d, features := figures.Decimals(3), listed(r, steps)
	t.Caption = fmt.Sprintf("The %d of %d features that matter most or do not rest, by importance × PSI; the JSON report has all", len(features), len(r.Level.Features))
	for _, f := range features {
		step, note := "–", cmp.Or(string(f.Broken), f.Discounted())
		if x, ok := steps[f.Name]; ok {
			step = d(x.PSI)
			if x.Jumped {
				note += ", sudden"
			}
			if x.New {
				note += ", new values"
			}
		}
		t.Rows = append(t.Rows, []string{f.Name, marked(health.Status(strings.ToUpper(string(f.Status)))), figures.Percent1(f.Importance), d(f.PSI), d(f.WarnLimit) + ", " + d(f.FailLimit), d(f.JS), d(f.KS),
			figures.Percent1(f.MissingBefore), figures.Percent1(f.Missing), figures.Percent1(f.Unseen), step, strings.TrimPrefix(note, ", ")})
	}
	return t
}
