// Command datapath measures the data path of the churn binary as a user runs
// it: each stage a process of its own, on simulated data, with its wall time
// and its peak memory. It prints medians; `make bench` calls it.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"
	"time"
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
	peak    int64 // bytes, the largest of all runs
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
	c := command{binary: binary, dir: o.dir, memory: o.memory}
	simulated, events, err := c.generate(o)
	if err != nil {
		return err
	}
	stages := []*measured{simulated}
	for range o.runs {
		for i, name := range []string{"validate", "prepare", "features", "labels"} {
			if len(stages) <= i+1 {
				stages = append(stages, &measured{stage: name})
			}
			if _, err := c.measure(stages[i+1], name); err != nil {
				return err
			}
		}
	}
	print(o, events, stages)
	return nil
}

// command runs the binary in a folder.
type command struct{ binary, dir, memory string }

func (c command) generate(o options) (*measured, int64, error) {
	m := &measured{stage: "generate"}
	out, err := c.measure(m, "generate", "--users", strconv.Itoa(o.users), "--days", strconv.Itoa(o.days))
	if err != nil {
		return m, 0, err
	}
	var report struct {
		Events int64 `json:"events"`
	}
	err = json.Unmarshal(out, &report)
	return m, report.Events, err
}

// measure runs one command and adds its wall time and peak memory to m.
func (c command) measure(m *measured, args ...string) ([]byte, error) {
	cmd := exec.Command(c.binary, append([]string{"--json", "--log-level", "error", "--set", "prepare.memory=" + c.memory}, args...)...)
	cmd.Dir = c.dir
	cmd.Stderr = os.Stderr
	started := time.Now()
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("churn %s: %w", args[0], err)
	}
	m.seconds = append(m.seconds, time.Since(started).Seconds())
	if usage, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage); ok {
		m.peak = max(m.peak, usage.Maxrss*1024) // Linux counts KiB
	}
	return out, nil
}

func print(o options, events int64, stages []*measured) {
	fmt.Printf("%d users, %d days, %d events; prepare.memory %s; medians of %d runs, one process a stage\n\n", o.users, o.days, events, o.memory, o.runs)
	fmt.Printf("| stage | seconds | min–max | events/s | peak memory, MiB |\n|---|---:|---:|---:|---:|\n")
	path := 0.0
	for _, m := range stages {
		slices.Sort(m.seconds)
		median := m.seconds[len(m.seconds)/2]
		if m.stage == "prepare" || m.stage == "features" || m.stage == "labels" {
			path += median
		}
		fmt.Printf("| %s | %.2f | %.2f–%.2f | %.0f | %d |\n", m.stage, median, m.seconds[0], m.seconds[len(m.seconds)-1], float64(events)/median, m.peak>>20)
	}
	fmt.Printf("| prepare + features + labels | %.2f | | %.0f | |\n\n", path, float64(events)/path)
	fmt.Println("prepare validates in the same pass; labels joins the training set too.")
}
