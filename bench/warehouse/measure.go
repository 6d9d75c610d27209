package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"churn/bench/internal/kit"
	"churn/pipeline"
	"churn/pipeline/labels"
	"churn/pipeline/source"
	"churn/pipeline/validate"
	"churn/pipeline/warehouse"
)

// way is where prepare reads from.
type way struct {
	name string
	args []string
	runs []measured
}

// measured is one run of the program.
type measured struct {
	seconds, program, server float64 // server: negative if it cannot be told
	peak                     int64   // bytes
	digest                   [sha256.Size]byte
}

func (w way) print(out io.Writer) {
	median := func(of func(m measured) float64) float64 {
		var all []float64
		for _, m := range w.runs {
			all = append(all, of(m))
		}
		return kit.Median(all)
	}
	server := "-"
	if s := median(func(m measured) float64 { return m.server }); s >= 0 {
		server = fmt.Sprintf("%.1f", s)
	}
	fmt.Fprintf(out, "| %s | %.1f | %.1f | %s | %.0f |\n", w.name, median(func(m measured) float64 { return m.seconds }), median(func(m measured) float64 { return m.program }), server,
		median(func(m measured) float64 { return float64(m.peak >> 20) }))
}

// prepare runs a command of the program in an empty workspace.
func (b *bench) prepare(ctx context.Context, what string, args ...string) (m measured, err error) {
	work := filepath.Join(b.dir, "work")
	if err := os.RemoveAll(work); err != nil {
		return m, err
	}
	var said bytes.Buffer
	cmd := exec.CommandContext(ctx, b.churn, append([]string{"--log-level", "error", "--set", "paths.data=" + work, "--set", "paths.artifacts=" + filepath.Join(work, "artifacts")}, args...)...)
	cmd.Dir, cmd.Stderr = b.dir, &said
	before := b.serverSeconds(ctx)
	if m.seconds, err = kit.Seconds(cmd.Run); err != nil {
		return m, fmt.Errorf("churn %s: %w\n%s", what, err, said.String())
	}
	m.program, m.server = (cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()).Seconds(), -1
	if usage, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage); ok {
		m.peak = usage.Maxrss * 1024 // Linux counts KiB
	}
	if after := b.serverSeconds(ctx); before >= 0 && after >= before {
		m.server = after - before
	}
	timelines, err := os.ReadFile(filepath.Join(work, "processed", "timelines.bin"))
	if err == nil {
		m.digest = sha256.Sum256(timelines)
	} else if what != "generate" {
		return m, err
	}
	return m, nil
}

// serverSeconds is the processor time of the server's processes that have ended,
// which are those of other connections; negative if this is not its machine.
func (b *bench) serverSeconds(ctx context.Context) float64 {
	time.Sleep(200 * time.Millisecond) // its processes end after the program
	var dir string
	if err := b.conn.QueryRow(ctx, "SHOW data_directory").Scan(&dir); err != nil {
		return -1
	}
	text, err := os.ReadFile(filepath.Join(dir, "postmaster.pid"))
	if err != nil {
		return -1
	}
	pid, _, _ := strings.Cut(string(text), "\n")
	stat, err := os.ReadFile("/proc/" + pid + "/stat")
	fields := strings.Fields(string(stat))
	if err != nil || len(fields) < 17 {
		return -1
	}
	user, err1 := strconv.Atoi(fields[15])
	system, err2 := strconv.Atoi(fields[16])
	if err1 != nil || err2 != nil {
		return -1
	}
	const ticks = 100 // a second, on Linux
	return float64(user+system) / ticks
}

// transfer measures what crosses, from the first user to the last.
func (b *bench) transfer(ctx context.Context) error {
	types, l := append(pipeline.EventTypes(), pipeline.CourseComplete), labels.Defaults()
	in := validate.Input{Location: time.UTC, Vocabulary: l.Vocabulary(types), Today: pipeline.DateFromCivil(2025, 1, 1) + pipeline.Date(b.days), Quarantine: filepath.Join(b.dir, "quarantine.csv"), TempDir: b.dir, Memory: 1 << 28}
	params := validate.Defaults(types)
	at := source.Defaults()
	at.Kind, at.URL, at.Users, at.Events = source.KindPostgres, b.url, schema+".users", schema+".events"
	db, err := warehouse.Open(ctx, at, validate.WarehouseRules(in, params))
	if err != nil {
		return err
	}
	defer db.Close()
	var result *validate.Result
	checks, err := kit.Seconds(func() (err error) {
		result, err = validate.RunIn(ctx, db, in, params)
		return err
	})
	if err != nil {
		return err
	}
	users, days := 0, 0
	var stream *warehouse.Facts
	next := func() (more bool, err error) {
		t, more, err := stream.Next()
		if more {
			users, days = users+1, days+len(t.Days)
		}
		return more, err
	}
	sums, err := kit.Seconds(func() (err error) {
		if stream, err = db.Features(ctx, in.Vocabulary, result.Courses, result.Repeats, validate.CompareIDs); err == nil {
			_, err = next()
		}
		return err
	})
	if err != nil {
		return err
	}
	defer stream.Close()
	rest, err := kit.Seconds(func() error {
		for {
			if more, err := next(); !more || err != nil {
				return err
			}
		}
	})
	fmt.Fprintf(b.out, "\nchecks %.1f s, sums until the first user %.1f s, then %d users with %d days in %.2f s: %.0f users/s, %.0f days/s\n", checks, sums, users, days, rest, float64(users)/rest, float64(days)/rest)
	return err
}
