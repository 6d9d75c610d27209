// Command scale measures the in-process engine against DuckDB and polars on the
// same files of simulated events: how long each takes to check them and to write
// the table of what every user did on every day, and how that grows from one to
// ten to a hundred million events. `make bench-scale` calls it.
//
// churn runs as `churn prepare`, with all that it writes besides (the report of
// the checks, the quarantine, user_daily for people to read); the peers compute
// the table alone (peers.py). Each runs in a process of its own with two threads,
// in turns; churn and DuckDB are bound to the same memory, polars knows no bound.
// Before any time is told, the three tables are compared row by row.
package main

import (
	"context"
	_ "embed"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"

	"churn/bench/internal/kit"
)

// threads is what each contestant gets.
const threads = 2

// days is how long the simulated portals run: about 115 events a user.
const days = 120

//go:embed requirements.txt
var requirements []byte

//go:embed peers.py
var script []byte

type options struct {
	churn, cache, python, memory, dir, sizes, csv string
	runs                                          int
}

func main() {
	var o options
	flag.StringVar(&o.churn, "churn", "./bin/churn", "the binary to measure")
	flag.StringVar(&o.cache, "cache", kit.Cache("churn-scale"), "folder for the peers' virtual environment")
	flag.StringVar(&o.python, "python", "python3", "makes the virtual environment")
	flag.StringVar(&o.memory, "memory", "2GiB", "prepare.memory, and DuckDB's memory_limit")
	flag.StringVar(&o.dir, "dir", "", "folder for the data, kept (default: a temporary one)")
	flag.StringVar(&o.sizes, "users", "8750,87500,875000", "simulated users, from few to many; a million events have 8750")
	flag.StringVar(&o.csv, "csv", "8750,87500", "the sizes that are measured in CSV, too")
	flag.IntVar(&o.runs, "runs", 3, "runs of each size but those above ten million events, which run once")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := errors.Join(kit.SetStopwatch(), run(ctx, o)); err != nil {
		fmt.Fprintln(os.Stderr, "scale:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, o options) error {
	sizes, err := numbers(o.sizes)
	if err != nil {
		return err
	}
	csv, err := numbers(o.csv)
	if err != nil {
		return err
	}
	b, err := prepareBench(ctx, o)
	if err != nil {
		return err
	}
	if o.dir == "" {
		defer os.RemoveAll(b.dir)
	}
	var all []result
	for _, kind := range []struct {
		format string
		sizes  []int
	}{{"parquet", sizes}, {"csv", csv}} {
		for _, users := range kind.sizes {
			r, err := b.measure(ctx, kind.format, users)
			if err != nil {
				return err
			}
			all = append(all, r)
		}
	}
	return report(os.Stdout, o, all)
}

func numbers(list string) (out []int, err error) {
	for _, s := range strings.FieldsFunc(list, func(r rune) bool { return r == ',' }) {
		n, bad := strconv.Atoi(s)
		if bad != nil {
			err = errors.Join(err, fmt.Errorf("%q is not a number of users", s))
		}
		out = append(out, n)
	}
	return out, err
}

// prepareBench makes the folders and the peers' environment.
func prepareBench(ctx context.Context, o options) (b *bench, err error) {
	b = &bench{options: o, dir: o.dir}
	if b.churn, err = filepath.Abs(o.churn); err != nil {
		return nil, err
	}
	if b.dir == "" {
		if b.dir, err = os.MkdirTemp("", "churn-scale-*"); err != nil {
			return nil, err
		}
	}
	if b.dir, err = filepath.Abs(b.dir); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(b.dir, 0o755); err != nil {
		return nil, err
	}
	b.script = filepath.Join(b.dir, "peers.py")
	if err := os.WriteFile(b.script, script, 0o644); err != nil {
		return nil, err
	}
	b.python, err = kit.Python(ctx, o.python, o.cache, requirements)
	return b, err
}
