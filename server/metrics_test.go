package server

import (
	"fmt"
	"strings"
	"testing"
)

// The law: the figures of the latest list are those of the overview, and an empty
// tier is a 0, not a gap.
func TestMetricsOfTheList(t *testing.T) {
	f, users, _ := newBoard(t, nil)
	for i := range users.users {
		users.users[i].Tier = "low"
	}
	snapshot := users.snapshot()
	scrape := f.ask("GET", "/metrics", "").Body.String()
	p, err := f.prospect(t.Context(), &snapshot)
	if err != nil || p.Calls == 0 {
		t.Fatal(p, err)
	}
	for series, value := range map[string]float64{
		`churn_snapshot_tier_users{tier="low"}`: float64(snapshot.Users), `churn_snapshot_tier_users{tier="high"}`: 0, "churn_snapshot_mean_risk": snapshot.MeanRisk,
		"churn_snapshot_expected_leavers": p.Leavers, "churn_snapshot_value_at_stake": p.AtStake, "churn_snapshot_calls": float64(p.Calls), "churn_snapshot_calls_gain": p.Gain,
	} {
		if want := fmt.Sprint("\n", series, " ", value, "\n"); !strings.Contains(scrape, want) {
			t.Errorf("lacks %q", want)
		}
	}
	bare := newFixture(t, nil).ask("GET", "/metrics", "").Body.String()
	if strings.Contains(bare, "churn_snapshot_calls") || !strings.Contains(bare, "\nchurn_snapshot_users 0\n") {
		t.Error("a server without a list tells what it is worth")
	}
}
