// Command peers measures our logistic regression and our trees against those of
// scikit-learn and LightGBM: the same rows, columns and settings, the quality of
// what comes out and the time that it takes. `make bench-peers` calls it.
//
// The peers are installed by pip into a virtual environment of their own, once,
// and run in one long-lived Python process. Each gets as many threads as we do.
// Timed runs take turns (ours, a peer, the other peer, ours, …), so that
// whatever else the machine does meets all alike; ratios are of medians.
package main

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"

	"churn/bench/internal/kit"
	"churn/internal/atomicfile"
	"churn/model/encode"
)

// threads is what each side gets.
const threads = 2

type options struct {
	churn, cache, shared, python, wait, only, json string
	quick, strict                                  bool
	runs                                           int
}

func main() {
	var o options
	f := flag.NewFlagSet("peers", flag.ExitOnError)
	f.StringVar(&o.churn, "churn", "./bin/churn", "the binary that makes the training sets")
	f.StringVar(&o.cache, "cache", kit.Cache("churn-peers"), "folder for the peers' virtual environment")
	f.StringVar(&o.shared, "shared", cmp.Or(os.Getenv("CHURN_SHARED"), "../shared"), "folder with real/oulad and real/cdnow")
	f.StringVar(&o.python, "python", "python3", "makes the virtual environment")
	f.StringVar(&o.wait, "wait", "passive", "how idle threads of the peers wait: passive (they sleep) or active (they spin, many times slower on a busy machine)")
	f.StringVar(&o.only, "only", "", "quality or speed (default: both)")
	f.StringVar(&o.json, "json", "", "write the raw numbers to this file, too")
	f.BoolVar(&o.quick, "quick", false, "speed at 200,000 rows only, and three runs")
	f.BoolVar(&o.strict, "strict", false, "exit 1 if a target is missed")
	f.IntVar(&o.runs, "runs", 5, "runs behind each median")
	f.Parse(os.Args[1:]) //nolint:errcheck // ExitOnError
	if o.quick {
		o.runs = min(o.runs, 3)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, o); err != nil {
		fmt.Fprintln(os.Stderr, "peers:", err)
		os.Exit(1)
	}
}

// check returns what is wrong with the options.
func (o options) check() error {
	switch {
	case o.only != "" && o.only != "quality" && o.only != "speed":
		return fmt.Errorf("-only %q is unknown; use quality or speed", o.only)
	case o.wait != "passive" && o.wait != "active":
		return fmt.Errorf("-wait %q is unknown; use passive or active", o.wait)
	case o.runs < 1:
		return fmt.Errorf("-runs %d is out of range; use 1 or more", o.runs)
	}
	return nil
}

func run(ctx context.Context, o options) (err error) {
	runtime.GOMAXPROCS(threads)
	if err := errors.Join(o.check(), kit.SetStopwatch()); err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "churn-peers-*")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	python, err := kit.Python(ctx, o.python, o.cache, requirements)
	if err != nil {
		return err
	}
	p, err := start(ctx, python, o.wait)
	if err != nil {
		return err
	}
	b := bench{ctx: ctx, options: o, peer: p, dir: dir}
	b.results.Load = []string{kit.Load()}
	if err := errors.Join(b.measure(), p.stop()); err != nil {
		return err
	}
	b.results.Load = append(b.results.Load, kit.Load())
	return b.report()
}

// bench is one run of the program.
type bench struct {
	ctx     context.Context
	options options
	peer    *peer
	dir     string // for files that pass between the processes
	results results
}

func (b *bench) measure() error {
	r, err := b.peer.call(request{Command: "versions"})
	if err != nil {
		return err
	}
	b.results.Threads, b.results.Wait, b.results.Runs, b.results.Versions = threads, b.options.wait, b.options.runs, r.Versions
	b.results.Versions["go"] = runtime.Version()
	sets, err := b.portals()
	if err != nil {
		return err
	}
	if b.options.only != "speed" {
		if err := b.quality(sets); err != nil {
			return err
		}
	}
	if b.options.only != "quality" {
		return b.speed(sets)
	}
	return nil
}

// labelled is a data set with its split and its encoding for the logistic
// regression.
type labelled struct {
	name        string
	train, test *sample
	standard    encode.Options
}

// portals runs the churn binary for each data set.
func (b *bench) portals() (sets []labelled, err error) {
	binary, errBinary := filepath.Abs(b.options.churn)
	shared, errShared := filepath.Abs(b.options.shared)
	if err := errors.Join(errBinary, errShared); err != nil {
		return nil, err
	}
	for _, d := range portals(shared) {
		train, test, err := d.prepare(b.ctx, binary, filepath.Join(b.dir, d.name))
		if err != nil {
			return nil, fmt.Errorf("prepare %s: %w", d.name, err)
		}
		sets = append(sets, labelled{d.name, train, test, skewed(&train.frame)})
	}
	return sets, nil
}

// inTurn runs steps up to the first error.
func inTurn(steps ...func() error) error {
	for _, step := range steps {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

// report prints the table and writes the numbers.
func (b *bench) report() error {
	b.results.print(os.Stdout)
	if b.options.json != "" {
		if _, err := atomicfile.WriteJSON(b.options.json, b.results); err != nil {
			return err
		}
	}
	if missed := b.results.missed(); b.options.strict && missed > 0 {
		return fmt.Errorf("%d targets are missed", missed)
	}
	return nil
}

// hand encodes samples by what the first one tells, and gives them to the peers.
func (b *bench) hand(name string, o encode.Options, samples ...*sample) ([]*rows, error) {
	all, err := encoded(name, o, samples...)
	if err != nil {
		return nil, err
	}
	for _, r := range all {
		if err := r.hand(b.peer, b.dir); err != nil {
			return nil, fmt.Errorf("hand over %s: %w", r.name, err)
		}
	}
	return all, nil
}

// forget frees what the peers hold.
func (b *bench) forget() error {
	_, err := b.peer.call(request{Command: "forget"})
	return err
}
