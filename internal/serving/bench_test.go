package serving

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"testing"
)

// answer is a response writer without memory of its own.
type answer struct {
	header http.Header
	status int
}

func (a *answer) Header() http.Header         { return a.header }
func (a *answer) WriteHeader(status int)      { a.status = status }
func (a *answer) Write(b []byte) (int, error) { return len(b), nil }

// BenchmarkPredict is the whole of /predict but for the network.
func BenchmarkPredict(b *testing.B) {
	w := newWorld(b, 1500)
	for _, m := range w.models(b) {
		h := w.handler(b, m)
		body := w.features(b, 0)
		for _, reasons := range []string{"3", "0"} {
			b.Run(m.Bundle.Kind+"/reasons="+reasons, func(b *testing.B) {
				source := bytes.NewReader(body)
				r := httptest.NewRequest(http.MethodPost, "/predict?reasons="+reasons, source)
				r.Header.Set("Content-Type", "application/json")
				out := &answer{header: http.Header{}}
				b.SetBytes(int64(len(body)))
				b.ReportAllocs()
				for b.Loop() {
					source.Reset(body)
					clear(out.header)
					h.ServeHTTP(out, r)
				}
				if out.status != http.StatusOK {
					b.Fatal(out.status)
				}
			})
		}
	}
}

// features returns the body of /predict for a user.
func (w *world) features(t testing.TB, user int) []byte {
	m := w.models(t)["v0001"]
	s := m.NewScorer(w.settings.Score)
	h, _ := w.timelines[user].Cut(w.asOf, &w.span)
	s.History(&h)
	values := map[string]any{}
	for i, name := range w.numeric {
		if x := s.Last().Numeric[i]; x == x {
			values[name] = x
		}
	}
	for j, name := range w.categorical {
		values[name] = s.Last().Categorical[j]
	}
	body, err := json.Marshal(map[string]any{"user_id": w.timelines[user].User.ID, "snapshot_date": w.asOf.String(), "features": values})
	if err != nil {
		t.Fatal(err)
	}
	return body
}
