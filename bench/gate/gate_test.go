package main

import (
	"bytes"
	"context"
	"io"
	"math"
	"strings"
	"testing"

	"churn/pipeline/promote"
	"churn/pipeline/train"
)

// The small version: in 20 replays on a small portal, leaks are never promoted,
// and an equal challenger hardly ever: more than 3 of 10 at a rate of 5% is one
// case in 970 (binomial). Trainings see none of the judged dates.
func TestGateOnASmallPortal(t *testing.T) {
	p, err := simulate(context.Background(), t.TempDir(), 900, 240, 28, 3)
	if err != nil {
		t.Fatal(err)
	}
	b, err := newBench(p, 350, 3)
	if err != nil {
		t.Fatal(err)
	}
	b.gate.Bootstrap, b.learn = 100, line
	leak := scenario{name: "a leak of 14 or 30 days", champion: always(honest), challenger: func(n int) view { return leaking([]int{14, 30}[n%2]) }}
	for _, s := range []scenario{scenarios()[0], leak} {
		results, err := replays(context.Background(), []*bench{b}, s, 10)
		if err != nil {
			t.Fatal(err)
		}
		limit := 3
		if s.atMost == 0 {
			limit = 0
		}
		tally := count(results)
		if tally.promoted > limit || tally.promoted+tally.held+tally.rejected != 10 {
			t.Errorf("%s", tally.row(s))
		}
		for _, r := range results {
			d := r.decision
			if d.Champion != nil && (d.Judged.From <= d.Champion.Learned || d.Judged.From <= d.Challenger.Learned) {
				t.Errorf("judged from %s on: %+v", d.Judged.From, d)
			}
		}
	}
}

// line are the settings of a logistic regression, which is quick. Its seed moves
// the last digits only: a difference that is nothing, but the same for everybody.
func line(seed uint64) train.Params {
	p := trees(seed)
	p.Models, p.Logistic.L2, p.Logistic.Tol = []string{train.ModelLogistic}, []float64{100}, 1e-3
	return p
}

// A broken limit shows in the row and in the verdict.
func TestHolds(t *testing.T) {
	results := []result{{promote.Decision{Verdict: promote.Promote}, 0.1}, {promote.Decision{Verdict: promote.Hold}, 0.3}, {promote.Decision{Verdict: promote.Reject}, math.NaN()}, {promote.Decision{Verdict: promote.Hold}, 0.2}}
	tally := count(results)
	for _, c := range []struct {
		scenario scenario
		holds    bool
	}{{scenario{atMost: 0.25}, true}, {scenario{atMost: 0.2}, false}, {scenario{atMost: 0}, false}, {scenario{atMost: 1, atLeast: 0.25}, true}, {scenario{atMost: 1, atLeast: 0.8}, false}} {
		row := tally.row(c.scenario)
		if tally.holds(c.scenario) != c.holds || strings.Contains(row, "BROKEN") == c.holds || !strings.Contains(row, "| 1 | 2 | 1 | 25.0%") || !strings.Contains(row, "+0.2000 (+0.1000 to +0.3000)") {
			t.Errorf("%+v: %s", c.scenario, row)
		}
	}
}

// Too few users to draw from are a fault, said at once.
func TestRunRefuses(t *testing.T) {
	var out bytes.Buffer
	if ok, err := run(context.Background(), options{users: 60, days: 90, sample: 500, worlds: 1, replays: 1}, &out, io.Discard); ok || err == nil || !strings.Contains(err.Error(), "too few") {
		t.Errorf("%v %v %s", ok, err, &out)
	}
}
