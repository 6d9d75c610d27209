package report

import (
	"fmt"
	"slices"

	"churn/internal/figures"
	"churn/pipeline"
	"churn/pipeline/train"
)

// making tells how the model came about; nil if that is not known.
func (in Input) making() *section {
	t := in.Training
	if t == nil {
		return nil
	}
	s := &section{ID: "making", Title: "How it was made",
		Lead:    fmt.Sprintf("Selected was %s: %s. %s", t.Selection.Name, t.Selection.Reason, purging(t)),
		Figures: []figure{timeline(t)}}
	s.Tables = append(s.Tables, splitTable(t), modelTable(t))
	for _, m := range t.Models {
		if len(m.Trials) > 0 {
			s.Tables = append(s.Tables, trialTable(m))
		}
		if m.Calibration != nil {
			s.Tables = append(s.Tables, candidateTable(m))
		}
	}
	if v := in.judged(); v != nil {
		s.Notes = append(s.Notes, "Verdict of the training: "+v.Reason+".")
	}
	return s
}

// purging says whether the labels of the training were known before the test.
func purging(t *train.Report) string {
	if overlaps(t) {
		return fmt.Sprintf("Labels look %d days ahead, and those of the last training dates reach into the test period: nothing was left out between them.", t.WindowDays)
	}
	return fmt.Sprintf("Labels look %d days ahead, so dates whose labels reach into the next period are left out (purged): a model is never judged on days that it has learned from.", t.WindowDays)
}

// overlaps reports whether a training label was decided in the test period.
func overlaps(t *train.Report) bool {
	return t.Split.TrainLast+pipeline.Date(t.WindowDays) >= t.Split.TestFirst
}

// timeline draws which as-of dates fit, validate and test.
func timeline(t *train.Report) figure {
	s := t.Split
	lines := newLines(s.TrainFirst, s.TestLast)
	lines.add("final fit", s.TrainFirst, s.TrainLast, s.TestFirst, s.TestLast, inkObserved)
	for i, f := range t.Folds {
		if f.By == train.ByDates {
			lines.add(fmt.Sprintf("search %d", i+1), f.FitFirst, f.FitLast, f.ValidateFirst, f.ValidateLast, inkRule)
		}
	}
	reading := "Each row is one fit, judged on later dates only."
	if len(lines.names) == 1 {
		reading = "The history is too short for later validation dates: settings were searched on other users of the same dates."
	}
	f := draws("Who learns from which dates", reading, lines.chart(), lines.numbers)
	f.Legend = []key{{"fitted", inkModel.String(), "bar"}, {"purged", inkGap.String(), "bar"}, {"validation", inkRule.String(), "bar"}, {"test", inkObserved.String(), "bar"}}
	return f
}

// timelines are the rows of the timeline.
type timelines struct {
	first, last pipeline.Date
	names       []string
	spans       []span
	numbers     table
}

func newLines(first, last pipeline.Date) *timelines {
	return &timelines{first: first, last: last, numbers: table{Head: []string{"fit", "learns from", "to", "judged from", "to"}}}
}

// add draws a fit and the period that judges it, with what is purged between.
func (l *timelines) add(name string, first, last, from, to pipeline.Date, judge ink) {
	y, half := -float64(len(l.names)), 0.3
	l.names = append(l.names, name)
	l.spans = append(l.spans, span{y, half, float64(first), float64(last), inkModel}, span{y, half, float64(last), float64(from), inkGap}, span{y, half, float64(from), float64(to), judge})
	l.numbers.Rows = append(l.numbers.Rows, []string{name, first.String(), last.String(), from.String(), to.String()})
}

func (l *timelines) chart() chart {
	var dates []pipeline.Date
	for k := range mostDates {
		dates = append(dates, l.first+pipeline.Date(k*int(l.last-l.first)/(mostDates-1)))
	}
	return chart{x: calendar("as-of date", slices.Compact(dates)), y: rows(l.names), spans: l.spans, height: float64(len(l.names)*34 + 56)}
}

func splitTable(t *train.Report) table {
	s := t.Split
	return table{Caption: fmt.Sprintf("Periods; %s as-of dates are purged between them", figures.Whole(s.Purged)), Head: []string{"period", "from", "to", "snapshots", "churn rate"}, Rows: [][]string{
		{"training", s.TrainFirst.String(), s.TrainLast.String(), figures.Whole(s.TrainRows), figures.Percent1(s.TrainRate)},
		{"test", s.TestFirst.String(), s.TestLast.String(), figures.Whole(s.TestRows), figures.Percent1(s.TestRate)},
	}}
}

// modelTable compares all that was trained, on the test period.
func modelTable(t *train.Report) table {
	out := table{Caption: "All models, on the test period", Head: []string{"model", "setting", "fit", "PR-AUC", "ROC-AUC", "log-loss"}, Words: true}
	all := slices.Concat(t.Models, []train.Measured{t.Floor, t.Rule})
	if t.Ceiling != nil {
		all = append(all, *t.Ceiling)
	}
	for _, m := range all {
		out.Rows = append(out.Rows, []string{m.Name, dash(m.Setting), fitted(m.Fit), orDash(estimate(m.Find(train.PRAUC), figures.Decimals(3))), orDash(estimate(m.Find(train.ROCAUC), figures.Decimals(3))), orDash(figures.Decimals(4)(m.Find("log_loss").Value))})
	}
	return out
}

func dash(text string) string {
	if text == "" {
		return "–"
	}
	return text
}

// fitted says how a fit ended.
func fitted(f *train.Fit) string {
	if f == nil {
		return "–"
	}
	return fmt.Sprintf("%s, %s iterations", f.Status, figures.Whole(f.Iterations))
}

func trialTable(m train.Measured) table {
	t := table{Caption: fmt.Sprintf("%s: %d settings tried on the validation rows", m.Name, len(m.Trials)), Head: []string{"setting", "log-loss", "PR-AUC", "iterations", "chosen"}}
	for _, x := range m.Trials {
		chosen := ""
		if x.Chosen {
			chosen = "✓"
		}
		t.Rows = append(t.Rows, []string{x.Setting, figures.Decimals(4)(x.LogLoss), figures.Decimals(3)(x.PRAUC), figures.Whole(x.Iterations), chosen})
	}
	return t
}

func candidateTable(m train.Measured) table {
	c := m.Calibration
	t := table{Caption: fmt.Sprintf("%s: calibration maps on %s validation rows; chosen: %s", m.Name, figures.Whole(c.Rows), c.Kind), Head: []string{"map", "log-loss", "above the best", "standard error", "note"}}
	for _, x := range c.Candidates {
		if x.Refused != "" {
			t.Rows = append(t.Rows, []string{x.Kind, "–", "–", "–", x.Refused})
			continue
		}
		t.Rows = append(t.Rows, []string{x.Kind, figures.Decimals(4)(x.LogLoss), figures.Decimals(4)(x.Excess), figures.Decimals(4)(x.StdErr), ""})
	}
	return t
}
