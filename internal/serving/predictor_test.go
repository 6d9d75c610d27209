package serving

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"testing"

	"churn/model/bundle"
	"churn/pipeline"
	"churn/pipeline/labels"
	"churn/pipeline/score"
	"churn/server"
)

func post(t *testing.T, h http.Handler, path string, body []byte) (int, []byte) {
	t.Helper()
	r := httptest.NewRequest(http.MethodPost, path, bytes.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w.Code, w.Body.Bytes()
}

// The law: an answer from raw events, and one from its features, equal what the
// batch path says of the same user, bit for bit; with late facts, repeated ids
// and facts after the as-of date in the request.
func TestOnlineEqualsBatch(t *testing.T) {
	users := 10_000
	if raceEnabled || testing.Short() {
		users = 500
	}
	w := newWorld(t, users+users/20) // some sign up after the as-of date
	if n := w.existing(); n < users {
		t.Fatalf("%d users on %s, want %d", n, w.asOf, users)
	}
	for _, m := range w.models(t) {
		n := len(w.users)
		if m.Bundle.Kind == bundle.KindGBDT {
			n /= 5 // of the law only the last step is another
		}
		if d := w.compare(t, w.users[:n], m, func([]string) {}); len(d) > 0 {
			t.Errorf("%s: %d of %d users differ, such as: %s", m.Bundle.Kind, len(d), n, d[0])
		}
	}
}

// existing counts the users who have a snapshot on the as-of date.
func (w *world) existing() (n int) {
	for i := range w.timelines {
		if h, _ := w.timelines[i].Cut(w.asOf, &w.span); h.Exists() {
			n++
		}
	}
	return n
}

// The mutants: a request without known_at, or with the repeated ids made
// unique, is another one.
func TestOnlineEqualsBatchCatches(t *testing.T) {
	w := newWorld(t, 300)
	m := w.models(t)["v0001"]
	n := 0
	for name, mutant := range map[string]func(event []string){
		"known_at dropped": func(e []string) { e[eventKnown] = "" },
		"ids made unique":  func(e []string) { n++; e[eventID] = strconv.Itoa(n) },
		"minutes changed":  func(e []string) { e[eventMinutes] = "1" },
	} {
		if len(w.compare(t, w.users, m, mutant)) == 0 {
			t.Errorf("%s: nobody differs", name)
		}
	}
}

// compare returns how the answers for the users differ from the batch path.
func (w *world) compare(t *testing.T, users [][]string, m *score.Model, change func(event []string)) (differences []string) {
	t.Helper()
	byID := map[string]*pipeline.Timeline{}
	for i := range w.timelines {
		byID[w.timelines[i].User.ID] = &w.timelines[i]
	}
	h, s := w.handler(t, m), m.NewScorer(w.settings.Score)
	for _, u := range users {
		if d := w.difference(t, h, s, byID[u[0]], w.request(u, change)); d != "" {
			differences = append(differences, d)
		}
	}
	return differences
}

// difference says how the answer for one user differs from the batch path.
func (w *world) difference(t *testing.T, h http.Handler, s *score.Scorer, timeline *pipeline.Timeline, body []byte) string {
	t.Helper()
	history, _ := timeline.Cut(w.asOf, &w.span)
	status, text := post(t, h, "/predict/events", body)
	if !history.Exists() {
		if status != http.StatusUnprocessableEntity {
			return fmt.Sprintf("status %d for a user who does not exist yet: %s", status, text)
		}
		return ""
	}
	var got server.EventsPrediction
	if err := json.Unmarshal(text, &got); err != nil || status != http.StatusOK {
		return fmt.Sprintf("status %d: %s", status, text)
	}
	want := s.History(&history)
	if !same(got.Risk, want.Risk) || got.Tier != want.Tier || got.AtRisk != labels.Defaults().InCohort(&history) || got.AsOf != w.asOf.String() {
		return fmt.Sprintf("user %s: %+v, want %+v", got.User, got.Outcome, want)
	}
	if d := differentReasons(got.Reasons, want.Reasons); d != "" {
		return d
	}
	for i, name := range w.numeric {
		if !same(got.Features[name], s.Last().Numeric[i]) {
			return fmt.Sprintf("user %s, %s: %v, want %v", got.User, name, got.Features[name], s.Last().Numeric[i])
		}
	}
	for j, name := range w.categorical {
		if x, _ := got.Features[name].(string); x != s.Last().Categorical[j] {
			return fmt.Sprintf("user %s, %s: %v, want %q", got.User, name, got.Features[name], s.Last().Categorical[j])
		}
	}
	return w.repredict(t, h, &got)
}

// repredict sends the features back: a row must score as its events do.
func (w *world) repredict(t *testing.T, h http.Handler, events *server.EventsPrediction) string {
	t.Helper()
	body, err := json.Marshal(map[string]any{"user_id": events.User, "snapshot_date": events.AsOf, "features": events.Features})
	if err != nil {
		return err.Error()
	}
	var got server.Prediction
	status, text := post(t, h, "/predict", body)
	if err := json.Unmarshal(text, &got); err != nil || status != http.StatusOK {
		return fmt.Sprintf("status %d: %s", status, text)
	}
	if !same(got.Risk, events.Risk) || got.Tier != events.Tier || !slices.Equal(got.Reasons, events.Reasons) || !slices.Equal(got.Missing, events.Missing) {
		return fmt.Sprintf("user %s by features: %+v, by events %+v", got.User, got.Outcome, events.Outcome)
	}
	return ""
}

func differentReasons(got []server.Reason, want []score.Reason) string {
	equal := slices.EqualFunc(got, want, func(a server.Reason, b score.Reason) bool {
		return a.Feature == string(b.Theme) && a.Text == b.Text && same(a.Contribution, b.Contribution)
	})
	if !equal {
		return fmt.Sprintf("reasons %+v, want %+v", got, want)
	}
	return ""
}
