package cli_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"churn/pipeline"
)

// rawFact is one line of the events file.
type rawFact struct {
	id, user, kind, course string
	day, known             pipeline.Date // known: NoDate = as it happened
	second                 int
	value                  int
}

// after reports whether the fact happened or became known after asOf.
func (f *rawFact) after(asOf pipeline.Date) bool { return f.day > asOf || f.known > asOf }

func (f *rawFact) line() string {
	minutes, score, amount, known := "", "", "", ""
	switch f.kind {
	case pipeline.VideoWatch:
		minutes = fmt.Sprintf("%d.1", f.value)
	case pipeline.QuizAttempt:
		score = fmt.Sprintf("%d.7", f.value)
	case pipeline.PaymentSuccess, pipeline.PaymentFailed:
		amount = fmt.Sprintf("%d.9", f.value)
	}
	if f.known != pipeline.NoDate {
		known = f.known.String() + "T23:59:59"
	}
	clock := fmt.Sprintf("%02d:%02d:%02d", f.second/3600, f.second/60%60, f.second%60)
	return strings.Join([]string{f.id, f.user, f.day.String() + "T" + clock, f.kind, f.course, minutes, score, amount, known}, ",")
}

// rawWorld is random raw data: some users, some facts, some of them late.
type rawWorld struct {
	rng   *rand.Rand
	first pipeline.Date
	days  int
	users []string // lines
	facts []rawFact
}

func newRawWorld(seed uint64) *rawWorld {
	w := &rawWorld{rng: rand.New(rand.NewPCG(seed, 7)), first: pipeline.DateFromCivil(2025, 1, 1)}
	w.days = 20 + w.rng.IntN(60)
	for u := range 5 + w.rng.IntN(10) {
		signup := w.first + pipeline.Date(w.rng.IntN(w.days)-30)
		w.users = append(w.users, fmt.Sprintf("u%d,%s,free,0,DE,ads", u, signup))
	}
	for i := range 20 + w.rng.IntN(400) {
		w.facts = append(w.facts, w.fact(fmt.Sprintf("e%d", i), w.first, w.days))
	}
	return w
}

// fact returns a random fact of days from first on; one in five is late.
func (w *rawWorld) fact(id string, first pipeline.Date, days int) rawFact {
	types := pipeline.EventTypes()
	f := rawFact{id: id, user: fmt.Sprintf("u%d", w.rng.IntN(len(w.users))), kind: types[w.rng.IntN(len(types))],
		day: first + pipeline.Date(w.rng.IntN(days)), known: pipeline.NoDate, second: w.rng.IntN(86400), value: w.rng.IntN(99)}
	if w.rng.IntN(2) == 0 {
		f.course = string(rune('a' + w.rng.IntN(20)))
	}
	if w.rng.IntN(5) == 0 {
		f.known = f.day + pipeline.Date(w.rng.IntN(30))
	}
	return f
}

// changed returns the world with every fact after asOf kept, deleted or
// altered, and with new ones among the old: of the future, late ones of the
// past, and one late fact from before the data began.
func (w *rawWorld) changed(asOf pipeline.Date) *rawWorld {
	out := *w
	out.facts = nil
	add := func(f rawFact) {
		i := w.rng.IntN(len(out.facts) + 1)
		out.facts = slices.Insert(out.facts, i, f)
	}
	for _, f := range w.facts {
		if f.after(asOf) {
			switch w.rng.IntN(3) {
			case 0:
				continue
			case 1:
				id := f.id
				f = w.fact(id, asOf+1, 40)
			}
		}
		out.facts = append(out.facts, f)
	}
	for i := range 1 + w.rng.IntN(40) {
		add(w.fact(fmt.Sprintf("future%d", i), asOf+1, 40))
		late := w.fact(fmt.Sprintf("late%d", i), w.first, int(asOf-w.first)+1)
		late.known = asOf + 1 + pipeline.Date(w.rng.IntN(20))
		add(late)
	}
	old := w.fact("old", w.first-50, 1)
	old.known = asOf + 1
	add(old)
	out.users = append([]string{fmt.Sprintf("a-newcomer,%s,paid,1,FR,seo", asOf+1)}, w.users...)
	return &out
}

// features writes the world to dir and returns the features up to asOf.
func (w *rawWorld) features(t *testing.T, dir string, asOf pipeline.Date) string {
	t.Helper()
	lines := []string{"event_id,user_id,event_time,event_type,course_id,watch_minutes,quiz_score,amount,known_at"}
	for _, f := range w.facts {
		lines = append(lines, f.line())
	}
	writeFile(t, filepath.Join(dir, "data/raw/users.csv"), "user_id,signup_date,plan,is_paid,country,marketing_source\n"+strings.Join(w.users, "\n")+"\n")
	writeFile(t, filepath.Join(dir, "data/raw/events.csv"), strings.Join(lines, "\n")+"\n")
	churn(t, dir, "prepare")
	churn(t, dir, "--set", "features.every_days=3", "features", "--as-of", asOf.String())
	data, err := os.ReadFile(filepath.Join(dir, "data/features/user_features_daily.csv"))
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// firstDifference tells where two texts differ, "" if nowhere.
func firstDifference(a, b string) string {
	if a == b {
		return ""
	}
	x, y := strings.Split(a, "\n"), strings.Split(b, "\n")
	for i := range min(len(x), len(y)) {
		if x[i] != y[i] {
			return fmt.Sprintf("line %d\n%s\nbecame\n%s", i+1, x[i], y[i])
		}
	}
	return fmt.Sprintf("%d lines became %d", len(x), len(y))
}

// dateWithFacts picks an as-of date inside the data, with facts on both sides.
func (w *rawWorld) dateWithFacts() pipeline.Date {
	first, last := w.facts[0].day, w.facts[0].day
	for _, f := range w.facts {
		first, last = min(first, f.day), max(last, f.day)
	}
	quarter := (last - first) / 4
	return first + quarter + pipeline.Date(w.rng.IntN(int(last-first-quarter)))
}

// The law: whatever happens or becomes known after an as-of date, the feature
// rows up to it keep their bytes. Through the raw files and the real program.
func TestFeaturesDoNotLookAhead(t *testing.T) {
	rounds := 15
	if testing.Short() {
		rounds = 3
	}
	for seed := range rounds {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			w := newRawWorld(uint64(seed))
			asOf := w.dateWithFacts()
			before := w.features(t, t.TempDir(), asOf)
			if strings.Count(before, "\n") < 2 {
				t.Fatalf("no rows up to %s to compare", asOf)
			}
			after := w.changed(asOf).features(t, t.TempDir(), asOf)
			if d := firstDifference(before, after); d != "" {
				t.Errorf("facts after %s changed the features, first at %s", asOf, d)
			}
		})
	}
}

// The mutant: the same change of facts seen from a day later must show, or
// TestFeaturesDoNotLookAhead would prove nothing.
func TestLookingAheadWouldShow(t *testing.T) {
	w := newRawWorld(0)
	asOf := w.dateWithFacts()
	changed := w.changed(asOf)
	if firstDifference(w.features(t, t.TempDir(), asOf+1), changed.features(t, t.TempDir(), asOf+1)) == "" {
		t.Error("features of the day after did not change with the facts of that day")
	}
}

// The search for leaks that the program offers finds none in our features.
func TestProbeCommand(t *testing.T) {
	dir := t.TempDir()
	w := newRawWorld(1)
	asOf := w.dateWithFacts()
	w.features(t, dir, asOf)
	out := churn(t, dir, "--set", "features.every_days=1", "features", "--probe", asOf.String())
	if !strings.Contains(out.stdout, "probe     after "+asOf.String()) || !strings.Contains(out.stdout, ", 0 differ\n") {
		t.Errorf("probe says %q", out.stdout)
	}
}
