package main

import (
	"fmt"
	"io"
	"slices"

	"churn/bench/internal/kit"
)

// results are the raw numbers.
type results struct {
	Go     string      `json:"go"`
	CPUs   int         `json:"cpus"`
	Runs   int         `json:"runs"`
	Starts int         `json:"starts"`
	Run    string      `json:"run"`
	Load   []string    `json:"load_average"` // before and after
	Models []*measured `json:"models"`
}

// measured is what was measured with one model.
type measured struct {
	Model  string    `json:"model"`
	Ours   runs      `json:"ours"`
	Bare   runs      `json:"bare_echo"`
	Peer   runs      `json:"fastapi"`
	Most   []float64 `json:"most_requests_per_second_by_vegeta"`
	Steady []steady  `json:"steady"`
	Starts []float64 `json:"starts_ms"`
	Soak   *soak     `json:"soak,omitempty"`
}

// The targets.
const (
	leastOfBare = 0.70
	leastOfPeer = 300
	mostP99     = 10.  // ms
	mostStart   = 100. // ms
)

// row is a line of the table.
type row struct {
	what, ours, beside, figure, target string
	ok                                 bool
}

// ratio returns the median of the ratios of ours to another's in each turn.
func (r *measured) ratio(other runs) float64 {
	var out []float64
	for i, x := range r.Ours.Rates {
		out = append(out, x/other.Rates[i])
	}
	return kit.Median(out)
}

func each(all []steady, pick func(steady) float64) (out []float64) {
	for _, s := range all {
		out = append(out, pick(s))
	}
	return out
}

// ranged writes a median with its range.
func ranged(format string, v []float64) string {
	return fmt.Sprintf(format+" ("+format+"–"+format+")", kit.Median(v), slices.Min(v), slices.Max(v))
}

// rows returns the lines of a model.
func (r *measured) rows() []row {
	bare, peer := r.ratio(r.Bare), r.ratio(r.Peer)
	p99 := each(r.Steady, func(s steady) float64 { return s.P99 })
	p50 := each(r.Steady, func(s steady) float64 { return s.P50 })
	came := kit.Median(each(r.Steady, func(s steady) float64 { return s.Rate / s.Wanted }))
	rows := []row{
		{"requests/s beside bare Echo", ranged("%.0f", r.Ours.Rates), ranged("%.0f", r.Bare.Rates), fmt.Sprintf("%.0f%%", 100*bare), fmt.Sprintf("≥ %.0f%%", 100*leastOfBare), bare >= leastOfBare},
		{"requests/s beside FastAPI", ranged("%.0f", r.Ours.Rates), ranged("%.1f", r.Peer.Rates), fmt.Sprintf("%.0f times", peer), fmt.Sprintf("≥ %d times", leastOfPeer), peer >= leastOfPeer},
		{fmt.Sprintf("p99 at %.0f%% of the most by vegeta (%.0f requests/s), ms", 100*share, kit.Median(r.Most)), ranged("%.2f", p99), "", fmt.Sprintf("p50 %.2f; the generator came to %.0f%% of its rate", kit.Median(p50), 100*came), fmt.Sprintf("< %g", mostP99), kit.Median(p99) < mostP99},
		{"start to ready, ms", ranged("%.0f", r.Starts), "", "", fmt.Sprintf("< %g", mostStart), kit.Median(r.Starts) < mostStart},
	}
	if s := r.Soak; s != nil {
		first, last := s.Windows[0], s.Windows[len(s.Windows)-1]
		rows = append(rows, row{fmt.Sprintf("memory over %.3g minutes at %.0f requests/s", s.Minutes, s.Rate),
			fmt.Sprintf("live heap %.2f → %.2f MiB, resident %.0f → %.0f MiB, %.0f → %.0f bytes a request", first.Heap/mib, last.Heap/mib, first.Resident/mib, last.Resident/mib, first.Allocated, last.Allocated), "",
			fmt.Sprintf("slope %+.2f MiB, %+.1f bytes a request", s.growth(heapOf)/mib, s.growth(allocatedOf)), "no growth", s.ok()})
	}
	return rows
}

// missed counts the targets that are not met.
func (r results) missed() (n int) {
	for _, m := range r.Models {
		for _, x := range m.rows() {
			if !x.ok {
				n++
			}
		}
	}
	return n
}

// print writes the table in Markdown.
func (r results) print(w io.Writer) {
	fmt.Fprintf(w, "%s, %d cores shared with the generator, loopback, %d connections, bodies with every feature; medians of %d turns of %s each, of %d starts\n", r.Go, r.CPUs, connections, r.Runs, r.Run, r.Starts)
	if len(r.Load) == 2 && r.Load[0] != "" {
		fmt.Fprintf(w, "load average %s before and %s after, our own included\n", r.Load[0], r.Load[1])
	}
	for _, m := range r.Models {
		kit.Heading(w, fmt.Sprintf("%s: CPU time of a request %.0f µs, of bare Echo's %.0f µs, of FastAPI's %.0f µs", m.Model, kit.Median(m.Ours.CPU), kit.Median(m.Bare.CPU), kit.Median(m.Peer.CPU)),
			"what", "ours", "beside it", "figure", "asked for", "target")
		for _, x := range m.rows() {
			fmt.Fprintf(w, "| %s | %s | %s | %s | %s | %s |\n", x.what, x.ours, x.beside, x.figure, x.target, kit.Verdict(x.ok))
		}
	}
}
