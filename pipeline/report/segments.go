package report

import (
	"fmt"
	"strings"

	"churn/internal/figures"
	"churn/model/metric"
	"churn/pipeline/evaluate"
)

// segments draws for whom the model works.
func segments(e evaluate.Evaluation) *section {
	s := &section{ID: "segments", Title: "Does it work for everyone?",
		Lead: "The ranking within each group of users at risk. PR-AUC rises with the churn rate of a group, so compare the model with the rule of the same group rather than groups with each other."}
	for _, by := range e.Segments {
		if by.Small > 0 {
			s.Notes = append(s.Notes, fmt.Sprintf("By %s: groups too small to say anything about: %d.", segmentName(by.By), by.Small))
		}
		switch {
		case len(by.Groups) == 1 && by.Small == 0:
			s.Notes = append(s.Notes, fmt.Sprintf("By %s: all users are in one group, %q.", segmentName(by.By), by.Groups[0].Name))
		case len(by.Groups) > 0:
			s.Figures = append(s.Figures, segmentFigure(by))
		}
	}
	if len(s.Figures)+len(s.Notes) == 0 {
		return nil
	}
	return s
}

func segmentName(by string) string { return strings.ReplaceAll(by, "_", " ") }

// mostGroups bounds the rows of a drawing; its table has all.
const mostGroups = 12

// rowHeight is the room of a row, in points.
const rowHeight = 30

func segmentFigure(s evaluate.Segment) figure {
	drawn := s.Groups[:min(mostGroups, len(s.Groups))]
	c := chart{across: true, height: float64(len(drawn)*rowHeight + 56)}
	var names []string
	model, rule := series{name: "model", ink: inkModel, style: discs}, series{name: "rule", ink: inkRule, style: boxes}
	values := []float64{0}
	for i, g := range drawn {
		e, y := evaluate.Find(g.Model, metric.PRAUC), -float64(i)
		names = append(names, g.Name)
		values = append(values, e.High, e.Value, g.Rule.Value, g.Rule.High)
		model.at = append(model.at, point{e.Value, y + 0.14, e.Low, e.High})
		rule.at = append(rule.at, point{g.Rule.Value, y - 0.14, g.Rule.Low, g.Rule.High})
	}
	c.y, c.x = rows(names), numbers("PR-AUC", values, figures.Plain)
	c.series = []series{model, rule}
	return draws("By "+segmentName(s.By), segmentReading(s), c, groupTable(s.Groups))
}

func segmentReading(s evaluate.Segment) string {
	if n := len(s.Groups); n > mostGroups {
		return fmt.Sprintf("The %d largest of %d groups, with intervals.", mostGroups, n)
	}
	return "Further right is better; lines are intervals."
}

func groupTable(groups []evaluate.Group) table {
	t := table{Head: []string{"group", "snapshots", "users", "churn rate", "mean risk", "PR-AUC", "PR-AUC of the rule"}}
	for _, g := range groups {
		t.Rows = append(t.Rows, []string{g.Name, figures.Whole(g.Rows), figures.Whole(g.Users), figures.Percent1(share(g.Churned, g.Rows)), figures.Percent1(g.MeanRisk),
			estimate(evaluate.Find(g.Model, metric.PRAUC), figures.Decimals(3)), estimate(g.Rule, figures.Decimals(3))})
	}
	return t
}
