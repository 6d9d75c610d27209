package main

import (
	"fmt"
	"io"
	"math"
	"runtime"
	"slices"
	"strings"

	"churn/bench/internal/kit"
)

// results are the raw numbers of a run.
type results struct {
	Threads  int               `json:"threads"`
	Wait     string            `json:"omp_wait_policy"`
	Runs     int               `json:"runs"`
	Load     []string          `json:"load_average,omitempty"` // before and after; "" where the system does not tell
	Versions map[string]string `json:"versions"`
	Trees    []treeQuality     `json:"trees,omitempty"`
	Linear   []linearQuality   `json:"logistic,omitempty"`
	Races    []race            `json:"speed,omitempty"`
}

// The limits of quality.
const (
	mostBehind    = 0.002 // of PR-AUC, that our trees may be behind the better peer
	mostApart     = 0.001 // of PR-AUC, between the logistic regressions
	mostExcess    = 1e-6  // of our regularised loss over scikit-learn's
	mostCoefApart = 1e-3  // of a coefficient, relative to the largest
)

func (q treeQuality) ok() bool { return q.lead() >= -mostBehind }

func (q linearQuality) ok() bool {
	return math.Abs(q.Ours.PRAUC-q.Sklearn.PRAUC) <= mostApart && q.Excess <= mostExcess && q.Coef <= mostCoefApart
}

// times returns how many times faster we are than a peer, by the medians of
// wall or of CPU time; NaN where it did not run.
func (r race) times(peer []took, pick func(took) float64) float64 {
	if peer == nil {
		return math.NaN()
	}
	return kit.Median(each(peer, pick)) / kit.Median(each(r.Ours, pick))
}

// rate returns our rows per second.
func (r race) rate() float64 { return float64(r.Rows) / kit.Median(each(r.Ours, wall)) }

func (r race) ok() bool {
	t := r.Target
	return (t.LightGBM == 0 || r.times(r.LightGBM, wall) >= t.LightGBM) && (t.Sklearn == 0 || r.times(r.Sklearn, wall) >= t.Sklearn) && r.rate() >= t.Rate
}

// missed counts the targets that are not met.
func (r results) missed() (n int) {
	count := func(ok bool) {
		if !ok {
			n++
		}
	}
	for _, q := range r.Trees {
		count(q.ok())
	}
	for _, q := range r.Linear {
		count(q.ok())
	}
	for _, q := range r.Races {
		count(q.ok())
	}
	return n
}

// print writes the tables in Markdown.
func (r results) print(w io.Writer) {
	v := r.Versions
	fmt.Fprintf(w, "%d threads each; %s, LightGBM %s, scikit-learn %s on Python %s; OMP_WAIT_POLICY=%s\n", r.Threads, v["go"], v["lightgbm"], v["scikit-learn"], v["python"], r.Wait)
	if len(r.Load) == 2 && r.Load[0] != "" {
		fmt.Fprintf(w, "load average %s before and %s after, our own included, on %d cores: above %d others ran, too\n", r.Load[0], r.Load[1], runtime.NumCPU(), r.Threads)
	}
	if len(r.Trees) > 0 {
		r.printTrees(w)
	}
	if len(r.Linear) > 0 {
		r.printLinear(w)
	}
	if len(r.Races) > 0 {
		r.printRaces(w)
	}
}

func (r results) printTrees(w io.Writer) {
	p := defaultTrees()
	kit.Heading(w, fmt.Sprintf("Trees: the same rows and columns, %d trees of %d leaves, rate %g; means over %v bins; target: PR-AUC at least that of the better peer less %g", p.MaxIter, p.MaxLeafNodes, p.LearningRate, binCounts(), mostBehind),
		"data", "training rows × columns", "test rows", "figure", "ours", "LightGBM", "HistGradientBoosting", "ours less the better", "target")
	for _, q := range r.Trees {
		fmt.Fprintf(w, "| %s | %d × %d | %d | PR-AUC | %.4f | %.4f | %.4f | %+.4f (%+.4f to %+.4f) | %s |\n", q.Data, q.Train, q.Columns, q.Test, q.Ours.PRAUC, q.LightGBM.PRAUC, q.Hist.PRAUC, q.lead(), slices.Min(q.Leads), slices.Max(q.Leads), kit.Verdict(q.ok()))
		fmt.Fprintf(w, "| | | | ROC-AUC | %.4f | %.4f | %.4f | %+.4f | |\n", q.Ours.ROCAUC, q.LightGBM.ROCAUC, q.Hist.ROCAUC, q.Ours.ROCAUC-max(q.LightGBM.ROCAUC, q.Hist.ROCAUC))
		fmt.Fprintf(w, "| | | | log-loss | %.4f | %.4f | %.4f | %+.4f | |\n", q.Ours.LogLoss, q.LightGBM.LogLoss, q.Hist.LogLoss, q.Ours.LogLoss-min(q.LightGBM.LogLoss, q.Hist.LogLoss))
	}
}

func (r results) printLinear(w io.Writer) {
	kit.Heading(w, fmt.Sprintf("Logistic regression: the same rows and columns, C = %g, lbfgs with tol %g; targets: PR-AUC within %g, loss within %g, coefficients within %g of the largest", 1./linearL2, tightest, mostApart, mostExcess, mostCoefApart),
		"data", "training rows × columns", "PR-AUC, ours", "scikit-learn", "difference", "ROC-AUC, ours", "log-loss, ours", "training loss over scikit-learn's", "coefficients apart", "target")
	for _, q := range r.Linear {
		fmt.Fprintf(w, "| %s | %d × %d | %.4f | %.4f | %+.5f | %.4f | %.4f | %+.1e | %.1e | %s |\n", q.Data, q.Train, q.Columns, q.Ours.PRAUC, q.Sklearn.PRAUC, q.Ours.PRAUC-q.Sklearn.PRAUC, q.Ours.ROCAUC, q.Ours.LogLoss, q.Excess, q.Coef, kit.Verdict(q.ok()))
	}
}

func (r results) printRaces(w io.Writer) {
	kit.Heading(w, fmt.Sprintf("Speed: medians of %d runs in turns, wall time (ratios of CPU time in brackets); lbfgs with the loosest tolerance whose loss is within %g of ours", r.Runs, sameLossWithin),
		"what", "data", "rows × columns", "ours", "LightGBM", "scikit-learn", "times LightGBM (CPU)", "times scikit-learn (CPU)", "asked for", "target")
	for _, q := range r.Races {
		fmt.Fprintf(w, "| %s | %s | %d × %d | %s | %s | %s | %s | %s | %s | %s |\n", q.What, q.Data, q.Rows, q.Columns, q.show(q.Ours), q.show(q.LightGBM), q.show(q.Sklearn), q.factor(q.LightGBM), q.factor(q.Sklearn), q.Target, kit.Verdict(q.ok()))
	}
}

// show writes a median in the unit of the target, seconds with their range or
// rows per second.
func (r race) show(runs []took) string {
	v := each(runs, wall)
	switch {
	case v == nil:
		return "–"
	case r.Target.Rate > 0:
		return fmt.Sprintf("%.2f M rows/s", float64(r.Rows)/kit.Median(v)/1e6)
	}
	return fmt.Sprintf("%.2f s (%.2f–%.2f)", kit.Median(v), slices.Min(v), slices.Max(v))
}

// factor writes how many times faster we are than a peer, by wall and CPU time.
func (r race) factor(peer []took) string {
	if peer == nil {
		return "–"
	}
	return fmt.Sprintf("%.2f (%.2f)", r.times(peer, wall), r.times(peer, cpuTime))
}

// String writes what is asked for.
func (t target) String() string {
	var parts []string
	if t.LightGBM > 0 {
		parts = append(parts, fmt.Sprintf("%g × LightGBM", t.LightGBM))
	}
	if t.Sklearn > 0 {
		parts = append(parts, fmt.Sprintf("%g × scikit-learn", t.Sklearn))
	}
	if t.Rate > 0 {
		parts = append(parts, fmt.Sprintf("%g M rows/s", t.Rate/1e6))
	}
	return strings.Join(parts, ", ")
}
