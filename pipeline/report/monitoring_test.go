package report

import (
	"math"
	"strings"
	"testing"
	"time"

	"churn/model/metric"
	"churn/model/profile"
	"churn/pipeline"
	"churn/pipeline/monitor"
	"churn/pipeline/monitor/alarms"
	"churn/pipeline/monitor/health"
)

// watched is all that monitors can have found, with a hostile name wherever data
// or people can bring one in.
func watched() Monitored {
	m := Monitored{AsOf: days[2], Title: func(name string) string {
		if name == "b" {
			return "logins " + hostile
		}
		return ""
	}, Unreadable: []string{"x.json cannot be read " + hostile}}
	for i, d := range days {
		m.Drift = append(m.Drift, drifts(d, []string{"v0001", "v0001", "v0002" + hostile}[i]))
	}
	m.Scores = []monitor.ScoreReport{scores(days[2])}
	m.Performance = []monitor.Performance{realised(days[2])}
	m.Health = []health.Report{sound(days[1]), sound(days[2])}
	at := func(d pipeline.Date) time.Time { return (d + 1).Time() }
	m.Alarms = alarms.Book{Evaluated: at(days[2]), Alarms: []alarms.Alarm{{Name: "drift", State: alarms.Firing, Since: at(days[1]), Summary: hostile}},
		Silences: []alarms.Silence{{Alarm: "scores", Reason: hostile, By: hostile, From: at(days[1]), Until: at(days[2] + 9)}},
		History: []alarms.Message{{Alarm: "scores", State: alarms.Firing, At: at(days[0]), Begun: at(days[0]), Summary: "s"}, {Alarm: "scores", State: alarms.Resolved, At: at(days[1]), Begun: at(days[0]), Summary: "s"},
			{Alarm: "drift", State: alarms.Firing, At: at(days[1]), Begun: at(days[1]), Summary: hostile}}}
	return m
}

func drifts(d pipeline.Date, version string) monitor.DriftReport {
	feature := func(name string, psi float64) profile.Feature {
		return profile.Feature{Name: name, Status: profile.Fail, PSI: psi, WarnLimit: 0.1, FailLimit: 0.25, Missing: 0.125, Cells: []profile.Cell{{Label: "≤ 3", Before: 0.5, Now: 0.25}, {Label: hostile, Before: 0.5, Now: 0.75}}}
	}
	r := monitor.DriftReport{Status: monitor.Fail, AsOf: d, Version: version, Baseline: "training rows of " + hostile, Current: "cohort", Rows: 900, Users: 900, OverallMaxPSI: 0.5, Reasons: []string{"moved: " + hostile}, Notes: []string{hostile},
		PSIByFeature: map[string]float64{"b": 0.5, hostile: 0.25}, Fixed: monitor.Fixed{Status: monitor.Fail}, Hindsight: d + 1,
		Level:  monitor.Level{Features: []monitor.LevelFeature{{Feature: feature("b", 0.5), Importance: 0.5}, {Feature: feature(hostile, 0.25), Importance: 0.25}}, WeightedPSI: 0.3125, FailedShare: 0.75, Limit: 0.2},
		Trends: []monitor.Trend{{Series: "PSI of " + hostile, Real: true, Slope: 0.01, Text: hostile + " reaches 1 in about 9 days", From: days[0], To: d}, {Series: "short", Note: "too few"}}}
	r.Step = &monitor.Step{Features: []monitor.StepFeature{{Feature: feature("b", 0.5), Jumped: true, New: true}}}
	return r
}

func scores(d pipeline.Date) monitor.ScoreReport {
	p := monitor.ScorePoint{AsOf: d, Rows: 900, Mean: 0.2, P50: 0.1, P90: 0.5, P99: 0.9, High: 0.1}
	level := drifts(d, "").Level.Features[0]
	return monitor.ScoreReport{Status: monitor.Warn, ScorePoint: p, Version: hostile, Threshold: 0.5, Expected: p, Level: &level, Over: []monitor.ScorePoint{p}, Reasons: []string{hostile}, Notes: []string{hostile}}
}

func realised(d pipeline.Date) monitor.Performance {
	all := append(estimates(0.4), est(metric.PRAUCAtRate, 0.38), est(monitor.ObservedExpected, 1.25))
	return monitor.Performance{AsOf: d, Status: monitor.OK, Reasons: []string{hostile}, Primary: metric.PRAUC, Blind: monitor.Blindness, SetAside: []monitor.SetAside{{Path: hostile, Why: hostile}},
		Judged:   &monitor.Judged{To: days[0]},
		Dates:    []monitor.Realised{{AsOf: days[0] - 30, Version: hostile, Status: monitor.OK, Users: 800, Churned: 100, MeanRisk: 0.2, Figures: all, Promise: &monitor.Promise{Figures: all}, Note: hostile}, {AsOf: days[0] - 23, Version: "v0002", MeanRisk: monitor.Number(math.NaN())}},
		Immature: []monitor.Immature{{AsOf: days[1], Version: "v0002", Matures: days[1] + 30, Users: 700, MeanRisk: 0.2, Estimated: all, Note: hostile}},
		Tracked:  []monitor.Tracked{{Name: "roc_auc", Dates: 3, Inside: 2, Error: 0.01, Size: 0.02}},
		Contacts: &monitor.Contacts{Why: hostile, Treatments: []monitor.Contacted{{Treatment: hostile, Rows: 9, Users: 9, Figures: all}}}}
}

func sound(d pipeline.Date) health.Report {
	ok := health.Verdict{Status: health.OK}
	return health.Report{Status: health.Warn, AsOf: d, Freshness: health.Freshness{Verdict: ok, LastEvent: d}, Rejected: health.Rejected{Verdict: ok}, Late: health.Late{Verdict: ok},
		Duplicates: health.Duplicates{Verdict: health.Verdict{Status: health.Warn, Reasons: []string{hostile}}},
		Volume: health.Volume{Verdict: ok, Rare: []string{hostile}, Levels: []health.Level{{Type: hostile, First: d - 6, Last: d, Events: 90, Expected: 100, Low: 80, High: 120, Status: health.OK},
			{Type: "all", First: d, Last: d, Events: 9, Expected: 10, Low: 5, High: 20, Status: health.OK}, {Type: "all", First: d - 1, Last: d - 1}}}}
}

func renderMonitored(t *testing.T, m Monitored) string {
	t.Helper()
	b, err := RenderMonitored(m)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// monitoredPages are those that every law must hold for: all, nothing, each kind
// alone, an earlier date, and reports without any content.
func monitoredPages() map[string]Monitored {
	all := watched()
	earlier := watched()
	earlier.AsOf, earlier.Past = days[1], true
	return map[string]Monitored{"all": all, "nothing": {AsOf: days[2]}, "an earlier date": earlier,
		"drift alone": {AsOf: days[2], Drift: all.Drift[:1]}, "scores alone": {AsOf: days[2], Scores: all.Scores}, "performance alone": {AsOf: days[2], Performance: all.Performance},
		"health alone": {AsOf: days[2], Health: all.Health}, "alarms alone": {AsOf: days[2], Alarms: all.Alarms},
		"reports of nothing": {AsOf: days[2], Drift: []monitor.DriftReport{{}}, Scores: []monitor.ScoreReport{{}}, Performance: []monitor.Performance{{}}, Health: []health.Report{{}}}}
}

// The law: whatever monitors found, the page is sound, escaped and on its own.
func TestMonitoredPagesAreSound(t *testing.T) {
	for name, m := range monitoredPages() {
		page := renderMonitored(t, m)
		for _, f := range faults(page) {
			t.Errorf("%s: %s", name, f)
		}
		if err := wellFormed(page[strings.Index(page, "<body>") : strings.Index(page, "</body>")+len("</body>")]); err != nil {
			t.Errorf("%s: the body: %v", name, err)
		}
		if renderMonitored(t, m) != page {
			t.Errorf("%s: the second page differs", name)
		}
	}
	if n := len(drawings(renderMonitored(t, watched()))); n != 11 {
		t.Errorf("%d drawings of all", n)
	}
}

// The law: what is missing or old is told on top, with the command that makes it,
// and is never all quiet.
func TestMonitoredTellsWhatIsMissing(t *testing.T) {
	commands := []string{"churn monitor health --as-of 2024-10-18", "churn monitor drift --as-of 2024-10-18", "churn monitor scores --as-of 2024-10-18", "churn monitor performance --as-of 2024-10-18", "churn monitor all --as-of 2024-10-18"}
	page := renderMonitored(t, Monitored{AsOf: days[2]})
	top, below, _ := strings.Cut(page, "<main>")
	for _, c := range commands {
		if !strings.Contains(top, c) || !strings.Contains(below, c) {
			t.Errorf("%s does not stand on top and in its part", c)
		}
	}
	if strings.Contains(page, "All is quiet") || !strings.Contains(page, "not all could be looked at") {
		t.Error("an empty page is quiet")
	}
	whole := renderMonitored(t, watched())
	for _, c := range commands {
		if strings.Contains(whole, c) {
			t.Errorf("%s is asked for though it has run", c)
		}
	}
	old := watched()
	old.Scores[0].AsOf = days[0]
	if page := renderMonitored(t, old); !strings.Contains(page, "14 days before: `churn monitor scores --as-of 2024-10-18`") {
		t.Error("an old report is not told of")
	}
}

// The law: the verdict is that of the worst, and an alarm goes before all.
func TestMonitoredVerdict(t *testing.T) {
	ok := Monitored{AsOf: days[2], Drift: []monitor.DriftReport{{AsOf: days[2], Status: monitor.OK}}, Scores: []monitor.ScoreReport{{Status: monitor.OK, ScorePoint: monitor.ScorePoint{AsOf: days[2]}}},
		Performance: []monitor.Performance{{AsOf: days[2], Status: monitor.OK}}, Health: []health.Report{{AsOf: days[2], Status: health.OK}}}
	for want, change := range map[string]func(m *Monitored){
		`<h1 class="good">All is quiet.`:                                            func(*Monitored) {},
		`<h1 class="unclear">Nothing fails, but keep an eye on it: WARN of scores.`: func(m *Monitored) { m.Scores = []monitor.ScoreReport{{Status: monitor.Warn}} },
		`<h1 class="bad">Somebody must look: FAIL of drift.`:                        func(m *Monitored) { m.Drift = []monitor.DriftReport{{Status: monitor.Fail}} },
		`<h1 class="unclear">Nothing fails, but not all could be looked at: perfor`: func(m *Monitored) { m.Performance[0].Status = monitor.Unmeasured },
		`<h1 class="bad">Somebody must look: drift.`:                                func(m *Monitored) { m.Alarms = watched().Alarms },
	} {
		m := ok
		m.Performance = []monitor.Performance{ok.Performance[0]}
		change(&m)
		if page := renderMonitored(t, m); !strings.Contains(page, want) {
			t.Errorf("no %s", want)
		}
	}
}

// The law: a page about an earlier date knows no later message.
func TestMonitoredKnowsNoLaterMessage(t *testing.T) {
	for days, want := range map[pipeline.Date]string{days[0]: "scores", days[1]: "drift", days[0] - 1: ""} {
		m := watched()
		m.AsOf, m.Past = days, true
		if got := listOf(m.firingOn(days)); got != want {
			t.Errorf("at the end of %s %q fires, want %q", days, got, want)
		}
	}
}
