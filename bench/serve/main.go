// Command serve measures `churn serve` on this machine: its throughput beside a
// bare Echo handler (bare.go) and beside a service of FastAPI and scikit-learn
// (peer.py), its latency under a steady load, its start, and its memory over
// time. `make bench-serve` calls it.
//
// The world is that of `churn run-all`; the logistic regression and the trees
// are put into production in turn. All servers answer the same 100 bodies of
// /predict with every feature, of users of the latest day, over 64 connections
// on loopback, and share the cores with the generator. Ours runs as it is set
// up by default: with reasons, access log (into a file), metrics and checks.
// Runs take turns, so that whatever else the machine does meets all alike;
// ratios are medians of those of a turn.
//
// The load comes from two generators that others have written. wrk, of which a
// request takes the least from the cores that it shares with the server (it is C
// and does not parse what it gets), tells the throughput. It sends the next
// request when the last is answered, so its latencies leave out the waiting of
// a steady stream; vegeta sends at a constant rate, whatever comes back, and
// tells the latencies. hey and bombardier do neither better, and k6 takes ten
// times the memory of the server.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"time"

	"churn/bench/internal/kit"
	"churn/internal/atomicfile"
)

// connections are open to the server that is under load.
const connections = 64

type options struct {
	churn, cache, python, wrk, vegeta, json string
	bare, strict                            bool
	runs, starts                            int
	seconds, soak                           time.Duration
}

func main() {
	var o options
	f := flag.NewFlagSet("serve", flag.ExitOnError)
	f.StringVar(&o.churn, "churn", "./bin/churn", "the binary to measure")
	f.StringVar(&o.cache, "cache", kit.Cache("churn-serve-peer"), "folder for the peer's virtual environment")
	f.StringVar(&o.python, "python", "python3", "makes the virtual environment")
	f.StringVar(&o.wrk, "wrk", "wrk", "the generator for throughput (Debian: apt-get install wrk)")
	f.StringVar(&o.vegeta, "vegeta", "vegeta", "the generator for latency (go install github.com/tsenart/vegeta/v12)")
	f.StringVar(&o.json, "json", "", "write the raw numbers to this file, too")
	f.BoolVar(&o.bare, "bare", false, "be the bare server, nothing else")
	f.BoolVar(&o.strict, "strict", false, "exit 1 if a target is missed")
	f.IntVar(&o.runs, "runs", 5, "turns behind each median")
	f.IntVar(&o.starts, "starts", 9, "starts behind their median")
	f.DurationVar(&o.seconds, "run", 5*time.Second, "length of a run")
	f.DurationVar(&o.soak, "soak", 10*time.Minute, "how long memory is watched; 0 = not at all")
	f.Parse(os.Args[1:]) //nolint:errcheck // ExitOnError
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	err := o.check()
	switch {
	case err != nil:
	case o.bare:
		err = serveBare(ctx)
	default:
		err = run(ctx, o)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "serve:", err)
		os.Exit(1)
	}
}

// check returns what is wrong with the options.
func (o options) check() error {
	switch {
	case o.runs < 1 || o.starts < 1:
		return errors.New("-runs and -starts are 1 or more")
	case o.seconds < time.Second || o.seconds%time.Second != 0:
		return fmt.Errorf("-run %v: use whole seconds", o.seconds)
	case o.soak != 0 && o.soak < windows*time.Second:
		return fmt.Errorf("-soak %v is too short; use %ds or more", o.soak, windows)
	}
	return nil
}

func run(ctx context.Context, o options) error {
	if err := kit.SetStopwatch(); err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "churn-serve-*")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	b := bench{ctx: ctx, options: o, dir: dir}
	if b.binary, err = filepath.Abs(o.churn); err != nil {
		return err
	}
	if b.python, err = kit.Python(ctx, o.python, o.cache, requirements); err != nil {
		return err
	}
	b.results = results{Go: runtime.Version(), CPUs: runtime.NumCPU(), Runs: o.runs, Starts: o.starts, Run: o.seconds.String(), Load: []string{kit.Load()}}
	if err := b.measure(); err != nil {
		return err
	}
	b.results.Load = append(b.results.Load, kit.Load())
	return b.report()
}

// bench is one run of the program.
type bench struct {
	ctx            context.Context
	options        options
	binary, python string
	dir            string // the world
	bodies         bodies
	results        results
}

// measure takes the models in turn.
func (b *bench) measure() error {
	if err := b.makeWorld(); err != nil {
		return err
	}
	for _, m := range []struct{ kind, version string }{{"logistic", "v0001"}, {"gbdt", "v0002"}} {
		if err := b.produce(m.kind, m.version); err != nil {
			return err
		}
		if err := b.model(m.kind); err != nil {
			return fmt.Errorf("%s: %w", m.kind, err)
		}
	}
	return nil
}

// model measures one model: side by side with the others, then alone.
func (b *bench) model(kind string) error {
	r := measured{Model: kind}
	b.results.Models = append(b.results.Models, &r)
	servers, err := b.start(kind)
	if err != nil {
		return err
	}
	defer servers.stop()
	if err := b.race(servers, &r); err != nil {
		return err
	}
	if err := b.latency(servers.ours, &r); err != nil {
		return err
	}
	if kind == "gbdt" && b.options.soak > 0 {
		r.Soak, err = b.soak(servers.ours, kit.Median(r.Most)/2)
		if err != nil {
			return err
		}
	}
	return b.starts(&r)
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
