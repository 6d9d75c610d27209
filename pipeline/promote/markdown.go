package promote

import (
	"fmt"
	"math"
	"strings"

	"churn/model/metric"
)

// Markdown returns the decision for people: the verdict, what it rests on, and
// what would change it. The same decision gives the same bytes.
func (d Decision) Markdown() []byte {
	m := &page{decision: d}
	m.head()
	m.table()
	m.models()
	m.parts()
	m.changes()
	return []byte(m.String())
}

// page writes a decision line by line.
type page struct {
	strings.Builder
	decision Decision
}

func (m *page) line(format string, args ...any) { fmt.Fprintf(m, format+"\n", args...) }

func (m *page) head() {
	d := m.decision
	m.line("# %s: %s", d.Verdict, m.summary())
	m.line("\n%s.", cell(d.Reason))
	if d.Override != "" {
		m.line("\n**Overruled:** promoted in spite of the verdict. Reason given: %s", cell(d.Override))
	}
}

// summary says in a few words what the verdict means.
func (m *page) summary() string {
	ours, d := m.decision.Challenger.Version, m.decision
	switch {
	case d.InProduction:
		return ours + " is in production already"
	case d.Verdict == Promote && d.First:
		return ours + " may go into production as the first model"
	case d.Verdict == Promote:
		return ours + " replaces " + d.Champion.Version
	case d.Verdict == Reject:
		return ours + " must not go into production"
	case d.First:
		return "nothing goes into production yet"
	}
	return d.Champion.Version + " stays, since nothing is proven"
}

func (m *page) table() {
	m.line("\n## Criteria\n")
	m.line("| criterion | metric | answer | challenger | champion | difference | limit | in words |\n|---|---|---|---:|---:|---|---:|---|")
	for _, c := range m.decision.Criteria {
		m.line("| %s | %s | %s | %s | %s | %s | %s | %s |", c.Name, c.Metric, c.Outcome, c.figure(c.Challenger), c.figure(c.Champion), c.spread(), number(c.Limit, "%g"), cell(c.Text))
	}
}

// figure writes a number of the criterion's metric.
func (c Criterion) figure(v Number) string {
	switch {
	case c.Name == "evidence":
		return number(v, "%.0f")
	case c.Metric == metric.ProfitAtCapacity:
		return number(v, "%.1f")
	}
	return number(v, "%.4f")
}

// spread writes the difference with its interval.
func (c Criterion) spread() string {
	d := c.Difference
	if math.IsNaN(float64(d.Value)) {
		return ""
	}
	verb := "%+.4f"
	if c.Metric == metric.ProfitAtCapacity {
		verb = "%+.1f"
	}
	if math.IsNaN(float64(d.Low)) {
		return number(d.Value, verb)
	}
	return fmt.Sprintf("%s (%s to %s)", number(d.Value, verb), number(d.Low, verb), number(d.High, verb))
}

// number writes v, or nothing where it is undefined.
func number(v Number, verb string) string {
	if math.IsNaN(float64(v)) {
		return ""
	}
	return fmt.Sprintf(verb, float64(v))
}

// cell keeps a text from ending its cell or its line.
func cell(text string) string {
	return strings.NewReplacer("|", "\\|", "\n", " ").Replace(text)
}

func (m *page) models() {
	d, j := m.decision, m.decision.Judged
	m.line("\n## Models and rows\n")
	m.line("| | version | kind | learned from as-of dates up to | whose labels tell of days up to |\n|---|---|---|---|---|")
	m.line("| challenger | %s | %s | %s | %s |", d.Challenger.Version, d.Challenger.Kind, d.Challenger.TrainLast, d.Challenger.Learned)
	if c := d.Champion; c != nil {
		m.line("| champion | %s | %s | %s | %s |", c.Version, c.Kind, c.TrainLast, c.Learned)
	}
	if j.Rows == 0 {
		return
	}
	m.line("\nJudged by %d rows of %d users on %d as-of dates from %s to %s, later than anything that either learned from; %d rows churned (%.1f%%).", j.Rows, j.Users, j.Dates, j.From, j.To, j.Churned, 100*float64(j.Churned)/float64(j.Rows))
	if j.Sampled {
		m.line("They are a sample of the users (train.max_rows).")
	}
	m.line("Intervals are %g%%, from %d resamples of users, the same for both models.", 100*d.Settings.Confidence, d.Settings.Bootstrap)
}

// parts lists the slices.
func (m *page) parts() {
	if len(m.decision.Slices) == 0 {
		return
	}
	m.line("\n## Slices (%s)\n", title(m.decision.Settings.PrimaryMetric))
	m.line("| by | slice | users | churned rows | challenger | champion | difference | answer |\n|---|---|---:|---:|---:|---:|---:|---|")
	for _, s := range m.decision.Slices {
		answer := string(s.Outcome)
		if answer == "" {
			answer = "too small to judge"
		}
		m.line("| %s | %s | %d | %d | %s | %s | %s | %s |", s.By, cell(s.Name), s.Users, s.Churned, number(s.Challenger, "%.4f"), number(s.Champion, "%.4f"), number(s.Difference, "%+.4f"), answer)
	}
}

// changes lists what would change the verdict.
func (m *page) changes() {
	m.line("\n## What would change the verdict\n")
	if m.decision.Verdict == Promote {
		m.line("A proven loss of any criterion on later rows; `churn registry rollback` goes back to the champion.")
		return
	}
	for _, c := range m.decision.Criteria {
		if c.Change != "" {
			m.line("- %s: %s", c.Name, cell(c.Change))
		}
	}
}
