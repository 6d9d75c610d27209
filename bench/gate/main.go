// Command gate measures the error rates of the gate (pipeline/promote) by
// simulation: how often it promotes a challenger that is no better, one that is
// better by a margin that is known, and one that has seen the future. `make
// bench-gate` calls it; it exits with 1 if a limit is broken.
//
// Portals are simulated once. Every replay draws some of their users, trains
// champion and challenger on the past of these through pipeline/train, and lets
// the gate judge by their later rows, all with the code and the limits of
// production. What a challenger is truly better by is measured on thousands of
// other users, whom no model and no gate has seen.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"maps"
	"math"
	"os"
	"os/signal"
	"path/filepath"
	"slices"

	"churn/bench/portal"
	"churn/internal/parallel"
	"churn/pipeline/promote"
)

// everyDays is the distance of as-of dates: twice the default, since rows that
// lie closer cost time and tell little more.
const everyDays = 14

type options struct {
	users, days, sample, worlds, replays int
	seed                                 uint64
}

func main() {
	var o options
	f := flag.NewFlagSet("gate", flag.ExitOnError)
	f.IntVar(&o.users, "users", 12000, "users of each simulated portal")
	f.IntVar(&o.days, "days", 365, "days of history")
	f.IntVar(&o.sample, "sample", 1500, "users that a replay draws")
	f.IntVar(&o.worlds, "worlds", 2, "portals, which share the replays")
	f.IntVar(&o.replays, "replays", 200, "replays of each kind of challenger")
	f.Uint64Var(&o.seed, "seed", 1, "of the first portal")
	f.Parse(os.Args[1:]) //nolint:errcheck // ExitOnError
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	ok, err := run(ctx, o, os.Stdout, os.Stderr)
	if err != nil {
		fmt.Fprintln(os.Stderr, "gate:", err)
	}
	if err != nil || !ok {
		os.Exit(1)
	}
}

// run replays all scenarios and prints what came of them. It reports whether
// every limit holds.
func run(ctx context.Context, o options, out, progress io.Writer) (ok bool, err error) {
	benches, err := o.benches(ctx)
	if err != nil {
		return false, err
	}
	fmt.Fprintf(out, "%d replays each of %d users, out of %d portals of %d users over %d days; the gate's defaults\n\n", o.replays, o.sample, o.worlds, o.users, o.days)
	fmt.Fprintln(out, "| challenger | promoted | held | rejected | share promoted (95%, exact) | limit | true margin in PR-AUC: mean (5% to 95%) | judged users |\n|---|---:|---:|---:|---|---|---|---:|")
	ok = true
	for _, s := range scenarios() {
		results, err := replays(ctx, benches, s, o.replays)
		if err != nil {
			return false, fmt.Errorf("%s: %w", s.name, err)
		}
		t := count(results)
		fmt.Fprintln(out, t.row(s))
		why := t.reasons()
		for _, text := range slices.Sorted(maps.Keys(why)) {
			fmt.Fprintf(progress, "gate: %s: %3d times %s\n", s.name, why[text], text)
		}
		ok = ok && t.holds(s)
	}
	if !ok {
		fmt.Fprintln(out, "\nA limit is broken.")
	}
	return ok, nil
}

// benches simulates the portals.
func (o options) benches(ctx context.Context) (out []*bench, err error) {
	dir, err := os.MkdirTemp("", "churn-gate-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	for k := range o.worlds {
		world := filepath.Join(dir, fmt.Sprint(k))
		if err := os.Mkdir(world, 0o700); err != nil {
			return nil, err
		}
		p, err := simulate(ctx, world, o.users, o.days, everyDays, o.seed+uint64(k))
		if err != nil {
			return nil, err
		}
		b, err := newBench(p, o.sample, o.seed+uint64(k))
		if err != nil {
			return nil, err
		}
		out = append(out, b)
	}
	return out, nil
}

// replays runs n replays of a scenario, side by side; their order does not
// matter.
func replays(ctx context.Context, benches []*bench, s scenario, n int) ([]result, error) {
	out, errs := make([]result, n), make([]error, n)
	parallel.Each(n, func(i int) {
		if ctx.Err() == nil {
			out[i], errs[i] = benches[i%len(benches)].replay(ctx, s, i/len(benches))
		}
	})
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	for _, err := range errs {
		if err != nil {
			return nil, err
		}
	}
	return out, nil
}

// tally is what came of the replays of a scenario.
type tally struct {
	results                  []result
	promoted, held, rejected int
	margins                  []float64 // ascending
	users                    float64   // mean
}

func count(results []result) tally {
	t := tally{results: results}
	for _, r := range results {
		switch r.decision.Verdict {
		case promote.Promote:
			t.promoted++
		case promote.Hold:
			t.held++
		default:
			t.rejected++
		}
		if !math.IsNaN(r.margin) {
			t.margins = append(t.margins, r.margin)
			t.users += float64(r.decision.Judged.Users)
		}
	}
	t.users /= float64(max(len(t.margins), 1))
	slices.Sort(t.margins)
	return t
}

func (t tally) share() float64 { return float64(t.promoted) / float64(len(t.results)) }

// holds reports whether the share of promotions is within the limits.
func (t tally) holds(s scenario) bool { return t.share() <= s.atMost && t.share() >= s.atLeast }

// row returns the line of the table.
func (t tally) row(s scenario) string {
	low, high := portal.Exact(t.promoted, len(t.results))
	limit := "–"
	switch {
	case s.atLeast > 0:
		limit = fmt.Sprintf("at least %.0f%%", 100*s.atLeast)
	case s.atMost == 0:
		limit = "never"
	case s.atMost < 1:
		limit = fmt.Sprintf("at most %.0f%%", 100*s.atMost)
	}
	if !t.holds(s) {
		limit += ": BROKEN"
	}
	return fmt.Sprintf("| %s | %d | %d | %d | %.1f%% (%.1f%% to %.1f%%) | %s | %s | %.0f |", s.name, t.promoted, t.held, t.rejected, 100*t.share(), 100*low, 100*high, limit, t.margin(), t.users)
}

// margin describes the true margins.
func (t tally) margin() string {
	n := len(t.margins)
	if n == 0 {
		return "–"
	}
	var sum float64
	for _, m := range t.margins {
		sum += m
	}
	return fmt.Sprintf("%+.4f (%+.4f to %+.4f)", sum/float64(n), t.margins[n/20], t.margins[n-1-n/20])
}

// reasons counts the criteria that kept challengers out.
func (t tally) reasons() map[string]int {
	out := map[string]int{}
	for _, r := range t.results {
		for _, c := range r.decision.Criteria {
			if c.Outcome != promote.Pass {
				out[fmt.Sprintf("%s %s %s", c.Name, c.Metric, c.Outcome)]++
			}
		}
	}
	return out
}
