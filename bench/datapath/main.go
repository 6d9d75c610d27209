// Command datapath measures the data path of the churn binary on simulated
// data: the wall time of each stage as its log tells it, and the peak memory of
// its process. It prints medians; `make bench` calls it.
package main

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"
)

type options struct {
	churn, dir, memory string
	users, days, runs  int
}

func main() {
	var o options
	flag.StringVar(&o.churn, "churn", "./bin/churn", "the binary to measure")
	flag.StringVar(&o.dir, "dir", "", "folder for the data (default: a temporary one)")
	flag.StringVar(&o.memory, "memory", "2GiB", "prepare.memory")
	flag.IntVar(&o.users, "users", 20000, "simulated users")
	flag.IntVar(&o.days, "days", 120, "simulated days")
	flag.IntVar(&o.runs, "runs", 5, "runs behind each median")
	flag.Parse()
	if err := run(o); err != nil {
		fmt.Fprintln(os.Stderr, "datapath:", err)
		os.Exit(1)
	}
}

// measured is one stage over all runs.
type measured struct {
	stage   string
	seconds []float64
	peak    int64 // bytes, the largest of all runs, of the process it ran in
}

func run(o options) error {
	binary, err := filepath.Abs(o.churn)
	if err != nil {
		return err
	}
	if o.dir == "" {
		if o.dir, err = os.MkdirTemp("", "churn-datapath-*"); err != nil {
			return err
		}
		defer os.RemoveAll(o.dir)
	}
	b := bench{binary: binary, options: o}
	out, err := b.measure("generate", "--users", strconv.Itoa(o.users), "--days", strconv.Itoa(o.days))
	if err != nil {
		return err
	}
	var report struct {
		Events int64 `json:"events"`
	}
	if err := json.Unmarshal(out, &report); err != nil {
		return err
	}
	for range o.runs {
		for _, command := range []string{"prepare", "features", "labels"} {
			if _, err := b.measure(command); err != nil {
				return err
			}
		}
	}
	b.print(report.Events)
	return nil
}

// bench runs the binary and collects its stages in the order of their first end.
type bench struct {
	binary  string
	options options
	stages  []*measured
}

// measure runs one command and returns its report.
func (b *bench) measure(args ...string) ([]byte, error) {
	cmd := exec.Command(b.binary, append([]string{"--json", "--log-format", "json", "--log-level", "info", "--set", "prepare.memory=" + b.options.memory}, args...)...)
	cmd.Dir = b.options.dir
	var log bytes.Buffer
	cmd.Stderr = &log
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("churn %s: %w\n%s", args[0], err, log.String())
	}
	peak := int64(0)
	if usage, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage); ok {
		peak = usage.Maxrss * 1024 // Linux counts KiB
	}
	return out, b.take(&log, peak)
}

// take reads the stages that ended from the log of one process.
func (b *bench) take(log *bytes.Buffer, peak int64) error {
	for lines := json.NewDecoder(log); lines.More(); {
		var line struct {
			Msg, Stage string
			Seconds    float64
		}
		if err := lines.Decode(&line); err != nil {
			return err
		}
		if line.Msg == "stage finished" {
			m := b.stage(line.Stage)
			m.seconds, m.peak = append(m.seconds, line.Seconds), max(m.peak, peak)
		}
	}
	return nil
}

func (b *bench) stage(name string) *measured {
	for _, m := range b.stages {
		if m.stage == name {
			return m
		}
	}
	b.stages = append(b.stages, &measured{stage: name})
	return b.stages[len(b.stages)-1]
}

func (b *bench) print(events int64) {
	o := b.options
	fmt.Printf("%d users, %d days, %d events; prepare.memory %s; medians of %d runs\n\n", o.users, o.days, events, o.memory, o.runs)
	fmt.Printf("| stage | seconds | min–max | events/s | peak memory, MiB |\n|---|---:|---:|---:|---:|\n")
	path := 0.0
	for _, m := range b.stages {
		slices.Sort(m.seconds)
		median := m.seconds[len(m.seconds)/2]
		if slices.Contains([]string{"validate", "prepare", "features", "labels"}, m.stage) {
			path += median
		}
		fmt.Printf("| %s | %.2f | %.2f–%.2f | %.0f | %d |\n", m.stage, median, m.seconds[0], m.seconds[len(m.seconds)-1], float64(events)/median, m.peak>>20)
	}
	fmt.Printf("| validate + prepare + features + labels | %.2f | | %.0f | |\n", path, float64(events)/path)
}
