package monitor

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"churn/model/profile"
	"churn/pipeline"
)

func TestValidate(t *testing.T) {
	if err := Defaults().Validate(); err != nil {
		t.Error(err)
	}
	err := Params{FailAfter: 2}.Validate()
	for _, key := range []string{"warn_psi", "false_alarms", "moved_share", "step_psi", "novel_share", "season_days", "fail_after", "fail_of", "every_days", "history"} {
		if err == nil || !strings.Contains(err.Error(), "monitor."+key+":") && !strings.Contains(err.Error(), "monitor."+key+",") {
			t.Errorf("%s: %v", key, err)
		}
	}
}

// moved is a feature that is beyond chance and its floor.
func moved(psi, usual, shift float64) StepFeature {
	return StepFeature{Feature: profile.Feature{Name: "x", Status: profile.Fail, PSI: psi, KS: 0.1, Shift: shift}, UsualPSI: usual}
}

// novel is a feature with values that nobody has seen.
func novel(share, usual float64, beyond bool) StepFeature {
	return StepFeature{Feature: profile.Feature{Name: "n", Status: profile.OK, Novelty: profile.Novelty{Novel: share, Strange: beyond}}, UsualNovel: usual}
}

func monthly(f StepFeature) StepFeature { f.Monthly = true; return f }
func grows(f StepFeature) StepFeature   { f.Grows = true; return f }

// Within a week of a holiday nothing sudden is more than a warning.
func TestStepOnHolidays(t *testing.T) {
	for _, f := range []StepFeature{moved(0.3, 0, 0.6), novel(0.01, 0, true)} {
		s := Step{Features: []StepFeature{f, {}}, Holiday: true}
		if s.judge(Defaults()); s.Status != Warn {
			t.Errorf("%+v: %s", f, s.Status)
		}
	}
	w := Watch{params: Defaults()}
	for text, want := range map[string]bool{"2025-12-23": false, "2025-12-24": true, "2025-12-30": true, "2026-01-08": true, "2026-01-09": false} {
		d, err := pipeline.ParseDate(text)
		if err != nil || w.holiday(d) != want {
			t.Errorf("%s: %v, want %v (%v)", text, !want, want, err)
		}
	}
}

// A feature is broken if it tells nothing any more, or in another language,
// and enough users were expected to differ.
func TestBroken(t *testing.T) {
	for name, c := range map[string]struct {
		feature profile.Feature
		users   int
		want    Break
	}{
		"as ever":                     {profile.Feature{MissingBefore: 0.3, Missing: 0.31, KS: 0.1, ZeroBefore: 0.5}, 1000, ""},
		"nulls":                       {profile.Feature{MissingBefore: 0.3, Missing: 1, KS: 0.1}, 1000, Nulls},
		"nearly all nulls":            {profile.Feature{MissingBefore: 0.3, Missing: 0.95, KS: 0.1}, 1000, Nulls},
		"more nulls":                  {profile.Feature{MissingBefore: 0.3, Missing: 0.9, KS: 0.1}, 1000, ""},
		"hardly a value before":       {profile.Feature{MissingBefore: 0.98, Missing: 1, KS: 0.1}, 1000, ""},
		"too few users for that":      {profile.Feature{MissingBefore: 0.3, Missing: 1, KS: 0.1}, 40, ""},
		"zeros":                       {profile.Feature{KS: 0.4, ZeroBefore: 0.6, Zero: true}, 1000, Zeros},
		"zeros of few":                {profile.Feature{KS: 0.4, ZeroBefore: 0.6, Zero: true, Missing: 0.95, MissingBefore: 0.9}, 1000, ""},
		"zeros, as nearly all before": {profile.Feature{KS: 0.05, ZeroBefore: 0.95, Zero: true}, 1000, ""},
		"renamed":                     {profile.Feature{Unseen: 0.4, PSI: 2}, 1000, Renamed},
		"a new level":                 {profile.Feature{Unseen: 0.05, PSI: 0.3}, 1000, ""},
		"numbers beyond the range":    {profile.Feature{Unseen: 0.4, PSI: 2, KS: 0.4}, 1000, ""},
	} {
		f := LevelFeature{Feature: c.feature, MadePSI: 10}
		if got := f.broken(c.users); got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}

// What makes a step: company, greatness, the score, or novelties, each beyond what
// the feature does by itself.
func TestStepJudges(t *testing.T) {
	still := StepFeature{Feature: profile.Feature{Name: "still", Status: profile.OK, PSI: 0.01}}
	nulls := moved(0.3, 0, 0)
	nulls.Missing = 0.5
	for name, c := range map[string]struct {
		features []StepFeature // the score last
		want     Status
		jumped   int
		strange  int
	}{
		"nothing":                        {[]StepFeature{still, still}, OK, 0, 0},
		"one alone":                      {[]StepFeature{moved(0.2, 0, 0.2), still}, Warn, 1, 0},
		"two":                            {[]StepFeature{moved(0.2, 0, 0.2), moved(0.11, 0.05, 0.2), still}, Fail, 2, 0},
		"one and one as ever":            {[]StepFeature{moved(0.2, 0, 0.2), moved(0.11, 0.08, 0.2), still}, Warn, 1, 0},
		"both as ever":                   {[]StepFeature{moved(0.2, 0.14, 0.2), moved(0.11, 0.08, 0.2), still}, OK, 0, 0},
		"one, far":                       {[]StepFeature{moved(0.3, 0, 0.6), still}, Fail, 1, 0},
		"one, a great index of little":   {[]StepFeature{moved(0.6, 0.3, 0.2), still}, Warn, 1, 0},
		"one, nulls":                     {[]StepFeature{nulls, still}, Fail, 1, 0},
		"the score":                      {[]StepFeature{still, moved(0.15, 0, 0.2)}, Fail, 1, 0},
		"novel":                          {[]StepFeature{novel(0.01, 0, true), still}, Fail, 0, 1},
		"what follows the calendar, far": {[]StepFeature{monthly(moved(0.6, 0, 1)), still}, Warn, 1, 0},
		"what follows the calendar is no company": {[]StepFeature{monthly(moved(0.6, 0, 1)), moved(0.2, 0, 0.2), still}, Warn, 2, 0},
		"new highs of what grows":                 {[]StepFeature{grows(novel(0.01, 0, true)), still}, OK, 0, 0},
		"two months of bills within one":          {[]StepFeature{monthly(novel(0.01, 0, true)), still}, OK, 0, 0},
		"novel, by chance":                        {[]StepFeature{novel(0.01, 0, false), still}, OK, 0, 0},
		"novel, as ever":                          {[]StepFeature{novel(0.01, 0.009, true), still}, OK, 0, 0},
		"novel, a few of many":                    {[]StepFeature{novel(0.001, 0, true), still}, OK, 0, 0},
	} {
		s := Step{Features: c.features}
		s.judge(Defaults())
		if s.Status != c.want || len(s.Jumped) != c.jumped || len(s.Strange) != c.strange || (len(s.reasons()) > 0) != (c.want != OK) {
			t.Errorf("%s: %s, jumped %v, strange %v, because %v", name, s.Status, s.Jumped, s.Strange, s.reasons())
		}
	}
}

// What matters to the model decides about the level, and only what has moved since
// it was made.
func TestLevelJudges(t *testing.T) {
	feature := func(status profile.Status, psi, made, weight float64) LevelFeature {
		return LevelFeature{Feature: profile.Feature{Status: status, PSI: psi}, Importance: weight, MadePSI: made}
	}
	for name, c := range map[string]struct {
		of    LevelFeature
		score LevelFeature
		want  Status
	}{
		"quiet":                  {feature(profile.OK, 0.01, 0, 0.5), feature(profile.OK, 0, 0, 0), OK},
		"far, of no weight":      {feature(profile.Fail, 2, 0, 0.1), feature(profile.OK, 0, 0, 0), OK},
		"far":                    {feature(profile.Fail, 2, 0, 0.3), feature(profile.OK, 0, 0, 0), Fail},
		"far, and was":           {feature(profile.Fail, 2, 1.9, 0.3), feature(profile.OK, 0, 0, 0), OK},
		"far, and was less so":   {feature(profile.Fail, 2, 1.2, 0.3), feature(profile.OK, 0, 0, 0), Fail},
		"some way":               {feature(profile.Warn, 0.15, 0, 0.3), feature(profile.OK, 0, 0, 0), Warn},
		"the scores":             {feature(profile.OK, 0, 0, 0.3), feature(profile.Fail, 0.3, 0, 0), Fail},
		"the scores, and were":   {feature(profile.OK, 0, 0, 0.3), feature(profile.Fail, 0.3, 0.25, 0), OK},
		"the scores, some way":   {feature(profile.OK, 0, 0, 0.3), feature(profile.Warn, 0.15, 0, 0), Warn},
		"the scores and far off": {feature(profile.Fail, 2, 0, 0.3), feature(profile.Warn, 0.15, 0, 0), Fail},
	} {
		l := Level{Limit: 0.2, Score: &c.score}
		l.weigh(c.of)
		l.Status = l.status()
		if l.Status != c.want || (len(l.reasons()) > 0) != (c.want != OK) {
			t.Errorf("%s: %s, %v", name, l.Status, l.reasons())
		}
	}
}

// Failures in a row are one alarm; dates without an answer end it. The share of bad
// checks tells limits that always fail from those that seldom do. What the first
// weeks of the data say is told apart.
func TestBacktestCounts(t *testing.T) {
	const first = pipeline.Date(20_000)
	b := NewBacktest(first, Defaults())
	b.EveryDays = 7
	for d := first; d < first+WarmUpDays; d += 7 {
		b.Add(Replayed{AsOf: d, Status: Fail, Fixed: Fail})
	}
	if warm := (WarmUp{Until: first + 56, Checks: 8, Failed: 8, FixedFailed: 8}); b.WarmUp != warm || b.Counted != 0 || b.Told != (Told{}) || b.Fixed != (Told{}) || !b.Checks[7].WarmUp {
		t.Errorf("the warm-up counts: %+v", b)
	}
	for i, s := range []Status{OK, Fail, Fail, Warn, Fail, "", Fail, Fail} {
		fixed := Fail
		if s == "" {
			fixed = "" // no answer is one of neither
		}
		b.Add(Replayed{AsOf: first + WarmUpDays + pipeline.Date(7*i), Status: s, Fixed: fixed})
	}
	months := 49 / 30.4375
	ours := Told{Failed: 5, FailedShare: 5.0 / 7, Warned: 1, WarnedShare: 1.0 / 7, Alarms: 3, PerMonth: 3 / months, Longest: 2, run: 2}
	fixed := Told{Failed: 7, FailedShare: 1, Alarms: 2, PerMonth: 2 / months, Longest: 5, run: 2}
	if b.Counted != 7 || math.Abs(b.Months-months) > 1e-12 || b.Told != ours || b.Fixed != fixed || b.Checks[8].WarmUp {
		t.Errorf("%+v", b)
	}
}

// The limits that are told are those that are set; where they are not the customary
// ones, both are told.
func TestFixedLimits(t *testing.T) {
	l, p := Level{Features: []LevelFeature{{Feature: profile.Feature{PSI: 0.15}}, {Feature: profile.Feature{PSI: 0.3}}}}, Defaults()
	if got := l.fixed(p.WarnPSI, p.FailPSI).String(); got != "0.1 and 0.25, would say FAIL: 1 feature warns, 1 fails" || l.customary(p) != nil {
		t.Errorf("%s, %v", got, l.customary(p))
	}
	p.WarnPSI, p.FailPSI = 0.2, 0.5
	if got := l.fixed(p.WarnPSI, p.FailPSI).String(); got != "0.2 and 0.5, would say WARN: 1 feature warns, 0 fail" || l.customary(p).Status != Fail {
		t.Errorf("%s, %v", got, l.customary(p))
	}
}

// What made a level fail is said with the day on which the model was made only where
// that day is known; a feature that fails and does not count says why.
func TestLevelTexts(t *testing.T) {
	l := Level{Limit: 0.2, Reference: RefSeason, MovedShare: 0.5, FailedShare: 0.25}
	if text := l.reasons()[0]; strings.Contains(text, "was made") || !strings.Contains(text, "moved from the reference (same-weeks-last-term), 25% far") {
		t.Error(text)
	}
	l.made = true
	if text := l.reasons()[0]; !strings.Contains(text, "further than they were when the model was made") {
		t.Error(text)
	}
	for want, f := range map[string]LevelFeature{
		"as on the day the model was made (PSI 1.900)": {Feature: profile.Feature{Status: profile.Fail, PSI: 2}, MadePSI: 1.9},
		"": {Feature: profile.Feature{Status: profile.Fail, PSI: 3}, MadePSI: 1.9},
	} {
		if got := f.Discounted(); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
	if broken := (LevelFeature{Feature: profile.Feature{Status: profile.Fail, PSI: 2}, MadePSI: 2, Broken: Nulls}); broken.Discounted() != "" {
		t.Error("a broken feature has an excuse")
	}
	if rests := (LevelFeature{Feature: profile.Feature{Status: profile.OK, PSI: 0.01}, MadePSI: 0.01}); rests.Discounted() != "" {
		t.Error("a feature that rests has an excuse")
	}
}

// The law: every day that a check or one of its steps can look at is asked for,
// and none before the data.
func TestNeedsIsEnough(t *testing.T) {
	p := Defaults()
	p.FailOf, p.EveryDays = 2, 3
	for _, length := range []int{1, 7, 10} {
		const asOf = pipeline.Date(20_000)
		days := Needs(asOf, 0, length, p)
		w := Watch{params: p, length: length}
		var looked []pipeline.Date
		for j := range p.FailOf {
			d := asOf - pipeline.Date(j*p.EveryDays)
			for _, e := range append(w.earlier(d), d) {
				for k := range weeksBefore + 1 {
					looked = append(looked, w.window(e-pipeline.Date(k*lag(length)))...)
				}
			}
		}
		for _, d := range looked {
			if !slices.Contains(days, d) {
				t.Fatalf("length %d: %d days before is not there", length, asOf-d)
			}
		}
		if !slices.IsSorted(days) || slices.Min(Needs(asOf, asOf-10, length, p)) < asOf-10 {
			t.Errorf("length %d: %v", length, days)
		}
	}
	if h := HistoryDates(100, 80, 7, p); !slices.Equal(h, []pipeline.Date{86, 93, 100}) {
		t.Error(h)
	}
}

// The report of the course: limits, a feature without values, a column that is gone.
func TestCourse(t *testing.T) {
	dir := t.TempDir()
	file := func(name string, row func(i int) string) string {
		text := strings.Join(courseFeatures(), ",") + "\n"
		for i := range 100 {
			text += row(i) + "\n"
		}
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	same := func(i int) string { return fmt.Sprintf("%d,%d,%d,%d,%d", i, i, i, i%3, i%50) }
	before := file("before.csv", same)
	for name, c := range map[string]struct {
		row  func(i int) string
		want Status
	}{
		"same":    {same, OK},
		"moved":   {func(i int) string { return fmt.Sprintf("%d,%d,%d,%d,%d", i/2, i, i, i%3, i%50) }, Fail},
		"a bit":   {func(i int) string { return fmt.Sprintf("%d,%d,%d,%d,%d", i*92/100, i, i, i%3, i%50) }, Warn},
		"no more": {func(i int) string { return fmt.Sprintf(",%d,%d,%d,%d", i, i, i%3, i%50) }, Fail},
	} {
		r, err := Course(before, file("now.csv", c.row), Defaults())
		if err != nil || r.Status != c.want || r.Baseline != "before.csv" || r.Current != "now.csv" {
			t.Errorf("%s: %+v (%v)", name, r, err)
		}
	}
	gone := filepath.Join(dir, "gone.csv")
	if err := os.WriteFile(gone, []byte("user_id\n1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Course(before, gone, Defaults()); err == nil || !strings.Contains(err.Error(), "lacks the column watch_minutes_7d") {
		t.Error(err)
	}
}
