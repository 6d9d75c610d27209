package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"

	"churn/bench/internal/kit"
)

// contestants in the order in which they run.
func contestants() []string { return []string{"churn", "DuckDB", "polars"} }

// large is from how many users on a size runs once.
const large = 100_000

type bench struct {
	options            options
	churn, python, dir string
	script             string
}

// took is what one run took of its process.
type took struct {
	wall, cpu float64 // seconds
	peak      int64   // bytes
}

// result is what one size came to.
type result struct {
	format       string
	users        int
	events, rows int64
	bytes        int64 // of the files of events
	runs         map[string][]took
}

// measure makes the data of one size, compares the tables, and times them.
func (b *bench) measure(ctx context.Context, format string, users int) (r result, err error) {
	home := filepath.Join(b.dir, format+"-"+strconv.Itoa(users))
	r = result{format: format, users: users, runs: map[string][]took{}}
	if err := b.generate(ctx, home, format, users); err != nil {
		return r, err
	}
	if b.options.dir == "" {
		defer os.RemoveAll(home)
	}
	info, err := os.Stat(events(home, format))
	if err != nil {
		return r, err
	}
	r.bytes = info.Size()
	runs := b.options.runs
	if users >= large {
		runs = 1
	}
	for i := range runs {
		for _, who := range contestants() {
			kit.Say("%s, %d users, run %d: %s (load %s)", format, users, i+1, who, kit.Load())
			t, err := b.time(ctx, home, format, who)
			if err != nil {
				return r, err
			}
			kit.Say("  %.2f s, %.2f CPU seconds, %d MiB", t.wall, t.cpu, t.peak>>20)
			r.runs[who] = append(r.runs[who], t)
		}
		if i == 0 {
			if r.events, r.rows, err = b.compare(ctx, home); err != nil {
				return r, err
			}
		}
	}
	return r, nil
}

func events(home, format string) string { return filepath.Join(home, "data", "raw", "events."+format) }

func table(home, who string) string { return filepath.Join(home, who+".parquet") }

// generate makes the data unless it is there.
func (b *bench) generate(ctx context.Context, home, format string, users int) error {
	if _, err := os.Stat(events(home, format)); err == nil {
		return nil
	}
	if err := os.MkdirAll(home, 0o755); err != nil {
		return err
	}
	kit.Say("%s, %d users: churn generate", format, users)
	_, err := b.run(ctx, home, b.churn, "--log-level", "error", "--set", "data.format="+format, "generate", "--users", strconv.Itoa(users), "--days", strconv.Itoa(days))
	return err
}

// time runs one contestant.
func (b *bench) time(ctx context.Context, home, format, who string) (took, error) {
	if who == "churn" {
		return b.run(ctx, home, b.churn, "--log-level", "error", "--set", "prepare.memory="+b.options.memory, "prepare")
	}
	temp := filepath.Join(home, "temp")
	if err := os.MkdirAll(temp, 0o755); err != nil {
		return took{}, err
	}
	defer os.RemoveAll(temp)
	users := filepath.Join(home, "data", "raw", "users."+format)
	return b.run(ctx, home, b.python, b.script, who, users, events(home, format), table(home, who), strconv.Itoa(threads), temp, b.options.memory)
}

// run runs a command in a folder and measures its process.
func (b *bench) run(ctx context.Context, dir, name string, args ...string) (t took, err error) {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GOMAXPROCS="+strconv.Itoa(threads), "POLARS_MAX_THREADS="+strconv.Itoa(threads))
	var out []byte
	t.wall, err = kit.Seconds(func() (err error) { out, err = cmd.CombinedOutput(); return err })
	if err != nil {
		return t, fmt.Errorf("%s: %w\n%s", filepath.Base(name), err, out)
	}
	usage, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage)
	if !ok {
		return t, errors.New("the system does not tell what a process took")
	}
	t.cpu = float64(usage.Utime.Nano()+usage.Stime.Nano()) / 1e9
	t.peak = usage.Maxrss * 1024 // Linux counts KiB
	return t, nil
}

// compare fails unless the peers' tables are ours.
func (b *bench) compare(ctx context.Context, home string) (events, rows int64, err error) {
	ours := filepath.Join(home, "churn.csv")
	defer os.Remove(ours)
	events, rows, err = export(filepath.Join(home, "data", "processed", "timelines.bin"), ours)
	if err != nil {
		return 0, 0, err
	}
	args := []string{b.script, "verify", ours}
	for _, who := range contestants()[1:] {
		args = append(args, table(home, who))
	}
	kit.Say("comparing %d rows", rows)
	cmd := exec.CommandContext(ctx, b.python, args...)
	cmd.Dir = home
	out, err := cmd.CombinedOutput()
	if err != nil {
		return 0, 0, fmt.Errorf("the tables differ, so their times say nothing: %w\n%s", err, out)
	}
	var same int64
	if err := json.Unmarshal(out, &same); err != nil || same != rows {
		return 0, 0, fmt.Errorf("the comparison saw %s rows of %d", out, rows)
	}
	return events, rows, nil
}
