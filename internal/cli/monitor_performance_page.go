package cli

import (
	"fmt"
	"io"
	"math"
	"strings"

	"churn/model/metric"
	"churn/pipeline/evaluate"
	"churn/pipeline/monitor"
)

// performancePage returns what prints a report as people read it.
func performancePage(r monitor.Performance, path string) func(io.Writer) {
	return func(w io.Writer) {
		fmt.Fprintf(w, "monitor   performance on %s: %s\n", r.AsOf, r.Status)
		for _, reason := range r.Reasons {
			fmt.Fprintf(w, "          %s\n", reason)
		}
		printRealised(w, r)
		printImmature(w, r)
		printContacted(w, r.Contacts)
		printTrends(w, r.Trends)
		fmt.Fprintf(w, "          %s\n", path)
	}
}

// printTrends prints the trends that say something.
func printTrends(w io.Writer, trends []monitor.Trend) {
	for _, t := range trends {
		if t.Text != "" {
			fmt.Fprintf(w, "          trend: %s\n", t.Text)
		}
	}
}

// printRealised prints a line for every matured date, and one for the latest
// together.
func printRealised(w io.Writer, r monitor.Performance) {
	if len(r.Dates) == 0 {
		return
	}
	fmt.Fprintf(w, "          %-10s  %-6s  %7s  %7s  %9s  %-18s  %-20s  %-20s  %8s  %-20s  %-6s  %s\n", "as of", "model", "users", "churned", "mean risk", "left per expected", "PR-AUC", "at promised rate", "promised", "ROC-AUC", "lift", "verdict")
	for i := range r.Dates {
		d := &r.Dates[i]
		note := ""
		if d.Contacted > 0 {
			note = fmt.Sprintf("; %d contacted", d.Contacted)
		}
		if d.Unknown > 0 {
			note += fmt.Sprintf("; %d not in the data", d.Unknown)
		}
		if d.Note != "" {
			note += "; " + d.Note
		}
		printFigures(w, d.AsOf.String(), d.Version, realisedLine{d.Users, d.Churned, float64(d.MeanRisk), d.Figures, d.Criteria, string(d.Status) + note})
	}
	if j := r.Judged; j != nil && j.Dates > 1 {
		risk := float64(j.Churned) / float64(j.Rows) / evaluate.Find(j.Figures, monitor.ObservedExpected).Value
		printFigures(w, fmt.Sprintf("latest %d", j.Dates), j.Version, realisedLine{j.Rows, j.Churned, risk, j.Figures, j.Criteria, fmt.Sprintf("together, %s users", thousands(int64(j.Users)))})
	}
}

// realisedLine is what a line shows.
type realisedLine struct {
	rows, churned int
	risk          float64
	figures       []metric.Estimate
	criteria      []monitor.Criterion
	verdict       string
}

func printFigures(w io.Writer, name, version string, l realisedLine) {
	promise, lift := "", ""
	for _, c := range l.criteria {
		if c.Name == monitor.CriterionRanking {
			promise = showNumber("%.3f", c.Promise.Value)
		}
	}
	for _, e := range l.figures {
		if strings.HasPrefix(e.Name, "lift_at_") {
			lift = showNumber("%.1f", e.Value)
		}
	}
	find := func(name string) string { return showEstimate(evaluate.Find(l.figures, name)) }
	ratio := evaluate.Find(l.figures, monitor.ObservedExpected)
	fmt.Fprintf(w, "          %-10s  %-6s  %7s  %7s  %9s  %-18s  %-20s  %-20s  %8s  %-20s  %-6s  %s\n", name, version, thousands(int64(l.rows)), showNumber("%.1f%%", 100*float64(l.churned)/float64(l.rows)), showNumber("%.1f%%", 100*l.risk),
		showEstimate(ratio), find(metric.PRAUC), find(metric.PRAUCAtRate), promise, find("roc_auc"), lift, l.verdict)
}

func showNumber(format string, v float64) string {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return "–"
	}
	return fmt.Sprintf(format, v)
}

// printImmature prints the estimates of what has not matured, and how earlier
// estimates fared.
func printImmature(w io.Writer, r monitor.Performance) {
	if len(r.Immature) > 0 {
		fmt.Fprintf(w, "          not matured, %s:\n", r.Blind)
		fmt.Fprintf(w, "          %-10s  %-6s  %7s  %-10s  %9s  %-20s  %-20s  %-20s  %s\n", "as of", "model", "users", "matures", "mean risk", "churn rate", "ROC-AUC", "log-loss", "")
	}
	for _, i := range r.Immature {
		find := func(name string) string { return showEstimate(evaluate.Find(i.Estimated, name)) }
		note := i.Note
		if i.Status == monitor.Warn {
			note = string(i.Status) + ": " + note
		}
		line := fmt.Sprintf("          %-10s  %-6s  %7s  %-10s  %9s  %-20s  %-20s  %-20s  %s", i.AsOf, i.Version, thousands(int64(i.Users)), i.Matures, showNumber("%.1f%%", 100*float64(i.MeanRisk)), find("base_rate"), find("roc_auc"), find("log_loss"), note)
		fmt.Fprintln(w, strings.TrimRight(line, " "))
	}
	for k, t := range r.Tracked {
		lead := "                                  "
		if k == 0 {
			lead = "          estimates against labels"
		}
		fmt.Fprintf(w, "%s  %-9s in its band on %d of %d dates, off by %+.3f on average, by %.3f in size\n", lead, t.Name, t.Inside, t.Dates, float64(t.Error), float64(t.Size))
	}
}

// printContacted prints what became of contacted users.
func printContacted(w io.Writer, c *monitor.Contacts) {
	if c == nil {
		return
	}
	fmt.Fprintf(w, "          contacted users, counted apart since %s:\n", c.Why)
	for _, t := range c.Treatments {
		ratio := evaluate.Find(t.Figures, monitor.ObservedExpected)
		fmt.Fprintf(w, "            %-16s %s rows of %s users: %d left, %.1f expected by their risks: %s\n", t.Treatment, thousands(int64(t.Rows)), thousands(int64(t.Users)), t.Churned, float64(t.Expected), showEstimate(ratio))
	}
}
