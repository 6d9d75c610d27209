package main

import (
	"bytes"
	"context"
	"io"
	"math/rand/v2"
	"strings"
	"testing"

	"churn/pipeline/generate"
)

// The small version: on a small portal, new courses and less engagement are
// found within a week, rows that have not moved do not fail, and the quiet twin
// is quieter than the worlds with drift.
func TestMonitorOnASmallPortal(t *testing.T) {
	d, err := simulate(t.Context(), t.TempDir(), 1200, 3, 300)
	if err != nil {
		t.Fatal(err)
	}
	rng := rand.New(rand.NewPCG(3, 1))
	users := d.draw(rng, 900)
	m, err := d.learn(t.Context(), users, line(1))
	if err != nil || m == nil {
		t.Fatalf("no model (%v)", err)
	}
	for name, failed := range map[string]bool{quiet: false, generate.DriftContent: true, generate.DriftEngagement: true} {
		o, err := d.detect(name, users, m)
		if err != nil || o.failed != failed {
			t.Errorf("%s: %+v (%v)", name, o, err)
		}
	}
	others := map[string]bool{}
	for _, id := range d.users {
		others[id] = !users[id]
	}
	pool := newCrowd(d.learned(others, m))
	failed := 0
	for range 10 {
		rows, err := pool.shuffled(rng, d.date, 40, 60, rowsPerUser)
		if err != nil {
			t.Fatal(err)
		}
		o, err := still(rows, d.date, m)
		if err != nil {
			t.Fatal(err)
		}
		if o.failed {
			failed++
		}
	}
	if failed > 1 { // at a rate of 1% one case in 240
		t.Errorf("%d of 10 checks without drift fail", failed)
	}
	if _, err := pool.shuffled(rng, d.date, 4000, 60, rowsPerUser); err == nil || !strings.Contains(err.Error(), "too few") {
		t.Error(err)
	}
}

// A broken limit shows in the row.
func TestRow(t *testing.T) {
	var c count
	for k := range 20 {
		c.add(outcome{failed: k < 5, fixedFailed: true, fixedWarned: true})
	}
	if row := c.row("x", "at most 5%", false); !strings.Contains(row, "| x | 20 | 25.0% (8.7% to 49.1%) | at most 5%: BROKEN | 100.0% | 100.0% |") {
		t.Error(row)
	}
	var out bytes.Buffer
	outcome{failed: true, reasons: []string{"because"}}.tell(&out)
	outcome{reasons: []string{"never mind"}}.tell(&out)
	if out.String() != "monitor: failed without drift: because\n" {
		t.Error(out.String())
	}
}

// An interrupted run ends with an error.
func TestRunIsInterrupted(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	stop()
	if ok, err := run(ctx, options{users: 100, sample: 50, worlds: 1, replays: 1, still: 1, models: 1, sizes: []size{{200, rowsPerUser}}, seed: 1}, io.Discard, io.Discard); ok || err == nil {
		t.Error(ok, err)
	}
}
