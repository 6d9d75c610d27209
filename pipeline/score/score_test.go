package score

import (
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"churn/pipeline/features"
)

// The law: ranks are 1…n without gaps, never rise with falling margin, and equal
// margins keep the order of users. Risks that calibration made equal do not tell.
func TestRank(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	all := make([]Result, 500)
	for i := range all {
		all[i].Margin = float64(rng.IntN(40)) / 40
		all[i].Risk = math.Floor(4*all[i].Margin) / 4
	}
	order := rank(all)
	for k, i := range order {
		if all[i].Rank != k+1 {
			t.Fatalf("position %d has rank %d", k, all[i].Rank)
		}
		if k == 0 {
			continue
		}
		before := order[k-1]
		if all[before].Margin < all[i].Margin || all[before].Margin == all[i].Margin && before > i {
			t.Fatalf("rank %d (margin %v, user %d) stands before rank %d (margin %v, user %d)", k, all[before].Margin, before, k+1, all[i].Margin, i)
		}
	}
}

func TestTiersAtTheirEdges(t *testing.T) {
	tiers := Tiers{Medium: 0.2, High: 0.5}
	for p, want := range map[float64]string{0: Low, 0.19999: Low, 0.2: Medium, 0.49999: Medium, 0.5: High, 1: High} {
		if got := tiers.Of(p); got != want {
			t.Errorf("%v is %s, want %s", p, got, want)
		}
	}
}

// scorer returns one whose contributions and features are set by hand.
func scorer(p features.Params, values map[string]float64, contributions map[string]float64) *Scorer {
	index := features.NewIndex(features.Catalog(p))
	s := &Scorer{model: &Model{Spec: Spec{Features: p}, Index: index}, params: Defaults(), vector: index.NewVector()}
	for i := range s.vector.Numeric {
		s.vector.Numeric[i] = math.NaN()
	}
	for name, v := range values {
		s.vector.Numeric[index.Position(name)] = v
	}
	s.group()
	s.contributions = make([]float64, len(s.themes))
	for name, c := range contributions {
		s.contributions[index.Position(name)] = c
	}
	return s
}

// Contributions of one theme add up before they are compared; what lowers the
// risk is no reason; the words hold the user's own values.
func TestReasons(t *testing.T) {
	s := scorer(features.Defaults(),
		map[string]float64{"days_since_last_video": 16, "usual_gap_video": 3.2, "days_since_last_activity": 5, "usual_gap_activity": 1.1,
			"payment_failed_30d": 2, "logins_30d": 4, "logins_7d": 0},
		map[string]float64{"watch_minutes_7d": 0.9, "watch_minutes_30d": -0.2, "days_since_last_video": 0.1, // videos: 0.8
			"gap_against_usual": 0.5, "days_since_last_activity": 0.4, // recency: 0.9
			"payment_failed_30d": 0.3, "logins_30d": 0.2, "quiz_attempts_30d": -3})
	var got []string
	for _, r := range s.explain(3) {
		got = append(got, r.Text)
	}
	want := []string{"no activity in 5 days; usually every day", "no video in 16 days; usually every 3", "2 failed payments in the last 30 days"}
	if !slices.Equal(got, want) {
		t.Errorf("got %q\nwant %q", got, want)
	}
}

// What looks fine is no reason, however the model counts it; and one silence is
// not told twice.
func TestNoReasonThatSoundsLikePraise(t *testing.T) {
	s := scorer(features.Defaults(),
		map[string]float64{"days_since_last_activity": 12, "usual_gap_activity": 4, "days_since_last_payment": 12, "usual_gap_payment": 4,
			"active_days_7d": 5, "active_days_30d": 6, "observed_days_30d": 30, "weekend_share_30d": 0, "support_ticket_30d": 0, "quiz_avg_score_30d": 95, "days_since_last_quiz": 0},
		map[string]float64{"days_since_last_activity": 1, "days_since_last_payment": 0.9, "active_days_trend_28d": 0.8, "weekend_share_30d": 0.7,
			"support_ticket_30d": 0.6, "quiz_avg_score_30d": 0.5, "active_days_30d": 0.1})
	var got []string
	for _, r := range s.explain(3) {
		got = append(got, r.Text)
	}
	if want := []string{"no activity in 12 days; usually every 4", "active on 6 of the last 30 days"}; !slices.Equal(got, want) {
		t.Errorf("got %q\nwant %q", got, want)
	}
}

// The law: no theme stumbles over any values, null ones too, in both sets of
// features and for a single window, and every theme can speak.
func TestEveryThemeHasWords(t *testing.T) {
	single := features.Defaults()
	single.WindowsDays = []int{10}
	course := features.Defaults()
	course.Set = features.SetCourse
	rng := rand.New(rand.NewPCG(7, 8))
	for _, p := range []features.Params{features.Defaults(), single, course} {
		s := scorer(p, nil, nil)
		spoke := map[features.Theme]bool{}
		for range 500 {
			values := features.Values{Params: p, Catalog: s.model.Index, Vector: s.vector}
			for _, theme := range s.themes {
				text := values.Say(theme)
				if strings.Contains(text, "NaN") || strings.Contains(text, "%!") || text == string(theme) {
					t.Fatalf("%s: %q", theme, text)
				}
				spoke[theme] = spoke[theme] || text != ""
			}
			for i := range s.vector.Numeric {
				s.vector.Numeric[i] = float64(rng.IntN(50)-5) * float64(rng.IntN(2))
				if rng.IntN(3) == 0 {
					s.vector.Numeric[i] = math.NaN()
				}
			}
		}
		for theme, ok := range spoke {
			if mute := theme == features.ThemeCourse && p.Set == features.SetCourse; !ok && !mute {
				t.Errorf("set %s, windows %v: theme %s never speaks", p.Set, p.WindowsDays, theme)
			}
		}
	}
}
