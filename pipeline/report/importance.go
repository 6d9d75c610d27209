package report

import (
	"cmp"
	"fmt"
	"slices"

	"churn/internal/figures"
	"churn/pipeline/evaluate"
)

// importance draws what moves the risk.
func importance(e evaluate.Evaluation) *section {
	if len(e.Importance) == 0 {
		return nil
	}
	features := e.Importance[:min(mostFeatures, len(e.Importance))]
	for len(features) > 1 && features[len(features)-1].Mean < least {
		features = features[:len(features)-1]
	}
	s := &section{ID: "importance", Title: "What drives the risk?",
		Lead: "How far each piece of knowledge moves a user's risk up or down, on average over the users at risk. It says what the model looks at, not what makes people leave."}
	var names []string
	var values []float64
	for _, f := range features {
		names, values = append(names, f.Title), append(values, f.Mean)
	}
	s.Figures = append(s.Figures, barsFigure(fmt.Sprintf("The %d strongest of %d features", len(features), len(e.Importance)), names, values))
	names, values = themes(e.Importance)
	s.Figures = append(s.Figures, barsFigure("By theme", names, values))
	return s
}

// mostFeatures bounds the bars, and least is the effect below which there is
// nothing to see.
const (
	mostFeatures = 20
	least        = 0.0005
)

// themes sums the features of each theme, the strongest first, without those
// that have no effect.
func themes(of []evaluate.Importance) (names []string, values []float64) {
	type sum struct {
		name  string
		total float64
	}
	var sums []sum
	for _, f := range of {
		i := slices.IndexFunc(sums, func(s sum) bool { return s.name == string(f.Theme) })
		if i < 0 {
			i, sums = len(sums), append(sums, sum{name: string(f.Theme)})
		}
		sums[i].total += f.Mean
	}
	slices.SortStableFunc(sums, func(a, b sum) int { return cmp.Compare(b.total, a.total) })
	for i, s := range sums {
		if i > 0 && s.total < least {
			break
		}
		names, values = append(names, s.name), append(values, s.total)
	}
	return names, values
}

// barHeight is the room of a bar with its name above it, in points.
const barHeight = 31

// barsFigure draws a bar per name, with the name above the bar so that it may
// be long.
func barsFigure(title string, names []string, values []float64) figure {
	c := chart{x: numbers("mean effect on the log-odds of leaving", append([]float64{0}, values...), figures.Plain), height: float64(len(names)*barHeight + 50)}
	c.y = axis{min: -float64(len(names)), max: 0}
	t := table{Head: []string{"what", "mean effect"}}
	for i, name := range names {
		top := -float64(i)
		c.spans = append(c.spans, span{y: top - 0.72, half: 0.2, to: values[i], ink: inkModel})
		c.captions = append(c.captions, caption{x: 0, y: top - 0.46, text: short(name, 60)})
		t.Rows = append(t.Rows, []string{name, figures.Decimals(3)(values[i])})
	}
	return draws(title, "A longer bar moves the risk more.", c, t)
}
