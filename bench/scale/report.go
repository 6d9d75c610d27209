package main

import (
	"fmt"
	"io"
	"runtime"
	"strings"

	"churn/bench/internal/kit"
)

// report writes the results as Markdown.
func report(w io.Writer, o options, all []result) error {
	pins := strings.Join(strings.Fields(strings.ReplaceAll(string(requirements), "==", " ")), " ")
	fmt.Fprintf(w, "%d threads each; churn and DuckDB within %s; %s, %s; ran in turns, load average at the end %s\n", threads, o.memory, runtime.Version(), pins, kit.Load())
	kit.Heading(w, "Time and memory (medians): each table is equal to that of churn, row by row",
		"files", "events", "rows", "MB", "who", "seconds", "CPU seconds", "peak MiB", "churn is faster by (CPU)", "target")
	for _, r := range all {
		for _, who := range contestants() {
			fmt.Fprintf(w, "| %s | %d | %d | %.0f | %s | %.2f | %.2f | %.0f | %s |\n", r.format, r.events, r.rows, float64(r.bytes)/1e6, who,
				r.median(who, wall), r.median(who, cpu), r.median(who, peak)/(1<<20), r.against(who))
		}
	}
	kit.Heading(w, "Growth: CPU seconds a million events, and what ten times the events take", "files", "events", "who", "CPU seconds a million", "times the seconds", "times the CPU", "")
	for i, r := range all {
		for _, who := range contestants() {
			grown := "| |"
			if i > 0 && all[i-1].format == r.format {
				p := all[i-1]
				grown = fmt.Sprintf("%.1f | %.1f |", r.median(who, wall)/p.median(who, wall), r.median(who, cpu)/p.median(who, cpu))
			}
			fmt.Fprintf(w, "| %s | %d | %s | %.3f | %s |\n", r.format, r.events, who, r.median(who, cpu)/float64(r.events)*1e6, grown)
		}
	}
	return nil
}

func wall(t took) float64 { return t.wall }
func cpu(t took) float64  { return t.cpu }
func peak(t took) float64 { return float64(t.peak) }

func (r *result) median(who string, pick func(took) float64) float64 {
	var v []float64
	for _, t := range r.runs[who] {
		v = append(v, pick(t))
	}
	return kit.Median(v)
}

// against compares churn with a peer. The target is set against the faster one.
func (r *result) against(who string) string {
	ratio := func(pick func(took) float64) float64 { return r.median(who, pick) / r.median("churn", pick) }
	if who == "churn" {
		best := min(r.median("DuckDB", wall), r.median("polars", wall))
		return " | " + kit.Verdict(r.median("churn", wall) <= best)
	}
	return fmt.Sprintf("%.2f (%.2f) | ", ratio(wall), ratio(cpu))
}
