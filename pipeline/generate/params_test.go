package generate

import (
	"math"
	"strings"
	"testing"

	"churn/pipeline"
)

func TestParseDrift(t *testing.T) {
	for _, name := range DriftNames() {
		d, err := ParseDrift(name + "@2026-03-01")
		if err != nil || d.Name != name || d.Date != pipeline.DateFromCivil(2026, 3, 1) || d.String() != name+"@2026-03-01" {
			t.Errorf("%s: %v, %v", name, d, err)
		}
	}
	for text, want := range map[string]string{
		"":                      "engagement, content, pricing, acquisition, bots",
		"engagement":            "NAME@2026-03-01",
		"weather@2026-03-01":    `"weather@2026-03-01"`,
		"engagement@2026-13-01": `"2026-13-01"`,
		"bots@":                 "2026-04-30",
	} {
		if _, err := ParseDrift(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: error %v lacks %q", text, err, want)
		}
	}
}

func TestValidate(t *testing.T) {
	if err := Defaults().Validate(); err != nil {
		t.Errorf("defaults: %v", err)
	}
	bad := Params{Users: 0, Days: -1, StartDate: pipeline.NoDate, PaidRatio: math.NaN(), ChurnBaseRate: 1,
		Drifts: []Drift{{Name: "weather"}}, Format: "xlsx"}
	err := bad.Validate()
	if err == nil {
		t.Fatal("nothing found")
	}
	for _, key := range []string{"users", "days", "start_date", "paid_ratio", "churn_base_rate", "drift"} {
		if !strings.Contains(err.Error(), "generate."+key+": ") {
			t.Errorf("no word of %s in %v", key, err)
		}
	}
	if !strings.Contains(err.Error(), `data.format: format "xlsx" is unknown`) {
		t.Errorf("no word of the format in %v", err)
	}
	if _, err := Run(t.Context(), bad, t.TempDir(), nil); err == nil {
		t.Error("Run accepts what Validate refuses")
	}
}

func TestValidateDrifts(t *testing.T) {
	p := Defaults()
	p.Drifts = []Drift{{DriftBots, p.StartDate}, {DriftBots, p.StartDate + 1}, {DriftPricing, p.StartDate + 365}}
	err := p.Validate()
	for _, want := range []string{"bots is given twice", "pricing@2026-01-01 begins after the last day, 2025-12-31"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v lacks %q", err, want)
		}
	}
}
