// Command monitor measures the error rates of the drift monitor
// (pipeline/monitor) by simulation: how often a check fails where nothing has
// moved, and within how many days it finds each drift that generate can make.
// `make bench-monitor` calls it; it exits with 1 if a limit is broken. Beside
// ours it shows what the customary fixed limits of the population stability index
// would have said of the same rows.
//
// Portals are simulated once, with each drift from the same dice. Every replay
// draws some of their users, trains a model on their past through pipeline/train,
// and lets the monitor look at their later days, with the code and the limits of
// production.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strconv"

	"churn/bench/portal"
	"churn/internal/parallel"
	"churn/pipeline/generate"
	"churn/pipeline/monitor"
)

type options struct {
	users, sample, worlds, lives, replays, still, models, estimates int
	sizes                                                           []size
	seed                                                            uint64
}

// size is how many rows a check looks at, so many of each user.
type size struct{ rows, each int }

func main() {
	o := options{sizes: []size{{200, 1}, {1000, 1}, {200, rowsPerUser}, {1000, rowsPerUser}, {10_000, rowsPerUser}}}
	f := flag.NewFlagSet("monitor", flag.ExitOnError)
	f.IntVar(&o.users, "users", 8000, "users of each simulated portal")
	f.IntVar(&o.sample, "sample", generate.Defaults().Users, "users that a replay draws")
	f.IntVar(&o.worlds, "worlds", 4, "portals, which share the replays, with their drifts in different weeks")
	f.IntVar(&o.lives, "lives", 40, "portals on which nothing is wrong, watched for half a year each")
	f.IntVar(&o.replays, "replays", 100, "replays of each drift")
	f.IntVar(&o.still, "still", 500, "replays without drift of each size")
	f.IntVar(&o.estimates, "estimates", 500, "replays of each shift under which performance is estimated without labels")
	f.IntVar(&o.models, "models", 20, "models that the replays without drift share")
	f.Func("size", "current rows of the replays without drift, 5 of each user, instead of 200, 1000 and 10000", func(text string) error {
		n, err := strconv.Atoi(text)
		o.sizes = []size{{n, rowsPerUser}}
		return err
	})
	f.Uint64Var(&o.seed, "seed", 1, "of the first portal")
	f.Parse(os.Args[1:]) //nolint:errcheck // ExitOnError
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	ok, err := run(ctx, o, os.Stdout, os.Stderr)
	if err != nil {
		fmt.Fprintln(os.Stderr, "monitor:", err)
	}
	if err != nil || !ok {
		os.Exit(1)
	}
}

// run replays everything and prints what came of it. It reports whether every
// limit holds.
func run(ctx context.Context, o options, out, progress io.Writer) (ok bool, err error) {
	dir, err := os.MkdirTemp("", "churn-monitor-")
	if err != nil {
		return false, err
	}
	defer os.RemoveAll(dir)
	var portals []*drifted
	for k := range o.worlds {
		at := filepath.Join(dir, fmt.Sprint(k))
		if err := os.Mkdir(at, 0o700); err != nil {
			return false, err
		}
		d, err := simulate(ctx, at, o.users, o.seed+uint64(k), history(k))
		if err != nil {
			return false, err
		}
		portals = append(portals, d)
		fmt.Fprintf(progress, "monitor: portal %d of %d is simulated\n", k+1, o.worlds)
	}
	fmt.Fprintf(out, "%d portals of %d users; replays draw %d of them; the monitor's defaults\n\n", o.worlds, o.users, o.sample)
	quietly, err := o.falseAlarms(ctx, portals, out, progress)
	if err != nil {
		return false, err
	}
	alive, err := o.living(ctx, dir, out, progress)
	if err != nil {
		return false, err
	}
	found, err := o.detection(ctx, portals, out, progress)
	if err != nil {
		return false, err
	}
	foreseen, err := o.foresight(ctx, portals, out)
	if err != nil {
		return false, err
	}
	if !quietly || !alive || !found || !foreseen {
		fmt.Fprintln(out, "\nA limit is broken.")
	}
	return quietly && alive && found && foreseen, nil
}

// count is how many of n replays alarmed.
type count struct{ n, ours, fixedFail, fixedWarn int }

func (c *count) add(o outcome) {
	one := func(b bool) int {
		if b {
			return 1
		}
		return 0
	}
	c.n++
	c.ours, c.fixedFail, c.fixedWarn = c.ours+one(o.failed), c.fixedFail+one(o.fixedFailed), c.fixedWarn+one(o.fixedWarned)
}

// tell says why a check failed where nothing had moved.
func (o outcome) tell(w io.Writer) {
	for _, r := range o.reasons {
		if o.failed {
			fmt.Fprintf(w, "monitor: failed without drift: %s\n", r)
		}
	}
}

// row shows the shares, ours against a limit.
func (c count) row(name, limit string, holds bool) string {
	if !holds {
		limit += ": BROKEN"
	}
	share := func(k int) float64 { return 100 * float64(k) / float64(c.n) }
	low, high := portal.Exact(c.ours, c.n)
	return fmt.Sprintf("| %s | %d | %.1f%% (%.1f%% to %.1f%%) | %s | %.1f%% | %.1f%% |", name, c.n, share(c.ours), 100*low, 100*high, limit, share(c.fixedFail), share(c.fixedWarn))
}

const header = "| %s | replays | FAIL (95%%, exact) | limit | PSI ≥ 0.25 | PSI ≥ 0.1 |\n|---|---:|---|---|---:|---:|\n"

// falseAlarms replays checks of rows that have not moved.
func (o options) falseAlarms(ctx context.Context, portals []*drifted, out, progress io.Writer) (ok bool, err error) {
	ok = true
	benches, err := o.benches(ctx, portals)
	if err != nil {
		return false, err
	}
	fmt.Fprintf(out, header, "no drift: current rows")
	for _, s := range o.sizes {
		outcomes, err := each(ctx, o.still, func(i int) (outcome, error) {
			b := benches[i%len(benches)]
			rows, err := b.pool.shuffled(rand.New(rand.NewPCG(o.seed+uint64(s.rows), uint64(i))), b.portal.date, s.rows/s.each, o.sample/2, s.each)
			if err != nil {
				return outcome{}, err
			}
			return still(rows, b.portal.date, b.trained)
		})
		if err != nil {
			return false, err
		}
		var c count
		for _, x := range outcomes {
			c.add(x)
			x.tell(progress)
		}
		nominal := monitor.Defaults().FalseAlarms
		holds := float64(c.ours) <= nominal*float64(c.n)
		ok = ok && holds
		fmt.Fprintln(out, c.row(fmt.Sprintf("%d, %d of each user", s.rows, s.each), fmt.Sprintf("at most %.0f%%", 100*nominal), holds))
	}
	return ok, nil
}

// bench is a model with the users whom it has not learned from.
type bench struct {
	portal  *drifted
	trained *trained
	pool    crowd
}

// benches trains models on some users each; the pool of a bench are
// the others, with their rows on the dates of the training.
func (o options) benches(ctx context.Context, portals []*drifted) ([]bench, error) {
	return each(ctx, o.models, func(i int) (bench, error) {
		d, users := portals[i%len(portals)], map[string]bool{}
		var t *trained
		for try := uint64(0); t == nil; try++ {
			var err error
			users = d.draw(rand.New(rand.NewPCG(o.seed+try, uint64(i))), o.sample)
			if t, err = d.learn(ctx, users, line(uint64(i))); err != nil {
				return bench{}, err
			}
		}
		others := map[string]bool{}
		for _, id := range d.users {
			others[id] = !users[id]
		}
		return bench{d, t, newCrowd(d.learned(others, t))}, nil
	})
}

// detection replays the checks after each drift, and those of the same users and
// days without one.
func (o options) detection(ctx context.Context, portals []*drifted, out, progress io.Writer) (ok bool, err error) {
	names := append([]string{quiet}, generate.DriftNames()...)
	all, err := each(ctx, o.replays, func(i int) (map[string]outcome, error) {
		d, rng := portals[i%len(portals)], rand.New(rand.NewPCG(o.seed, uint64(1000+i)))
		for {
			users := d.draw(rng, o.sample)
			t, err := d.learn(ctx, users, line(rng.Uint64()))
			if err != nil {
				return nil, err
			}
			if t == nil {
				continue // no model beats the floor: nobody would monitor one
			}
			found := map[string]outcome{}
			for _, name := range names {
				if found[name], err = d.detect(name, users, t); err != nil {
					return nil, err
				}
			}
			return found, nil
		}
	})
	if err != nil {
		return false, err
	}
	fmt.Fprintln(out)
	fmt.Fprintf(out, header, fmt.Sprintf("within %d days", checkDays))
	ok = true
	for _, name := range names {
		var c count
		days := map[int]int{}
		for _, found := range all {
			c.add(found[name])
			days[found[name].day]++
			if name == quiet {
				found[name].tell(progress)
			}
		}
		limit, holds := "at least 95%", float64(c.ours) >= 0.95*float64(c.n)
		title := fmt.Sprintf("%s (%d by the %dth day)", name, days[checks()[0]+1], checks()[0]+1)
		if name == quiet {
			limit, holds, title = "at most 5%", float64(c.ours) <= 0.05*float64(c.n), "the same users and days without a drift"
		}
		ok = ok && holds
		fmt.Fprintln(out, c.row(title, limit, holds))
	}
	return ok, nil
}

// each runs n replays side by side; their order does not matter.
func each[T any](ctx context.Context, n int, replay func(i int) (T, error)) ([]T, error) {
	out, errs := make([]T, n), make([]error, n)
	parallel.Each(n, func(i int) {
		if errs[i] = ctx.Err(); errs[i] == nil {
			out[i], errs[i] = replay(i)
		}
	})
	if i := slices.IndexFunc(errs, func(err error) bool { return err != nil }); i >= 0 {
		return nil, errs[i]
	}
	return out, nil
}
