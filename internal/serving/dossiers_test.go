package serving

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"churn/pipeline"
	"churn/pipeline/prepare"
	"churn/pipeline/score"
	"churn/server"
)

// file is a Data of the tests: one path.
type file string

func (f file) Mark() (string, error) {
	info, err := os.Stat(string(f))
	if err != nil {
		return "", err
	}
	return fmt.Sprint(info.Size(), info.ModTime()), nil
}

func (f file) Open() (*prepare.Lookup, error) { return prepare.OpenLookup(string(f)) }

func newDossiers(t testing.TB, data Data, p *Predictor, log *output) *Dossiers {
	clock := time.Unix(1767225600, 0)
	d := NewDossiers(DossierOptions{Data: data, Model: func() *Predictor { return p }, Every: 7, Log: slog.New(slog.NewTextHandler(log, nil)),
		Now: func() time.Time { clock = clock.Add(3 * time.Second); return clock }})
	t.Cleanup(func() { d.swap(nil) })
	return d
}

// The law: what a dossier says of a user is what the batch path says, bit for
// bit: the explanation as of the last day, and each earlier risk as of its date.
func TestDossierEqualsBatch(t *testing.T) {
	users := 150
	if raceEnabled {
		users = 50
	}
	w := newWorld(t, users)
	for _, m := range w.models(t) {
		info := server.ModelInfo{Version: m.Version, FeatureSet: "set", AsOf: (w.span.Last - 10).String()}
		d := newDossiers(t, file(w.prepared), NewPredictor(m, info, w.settings), &output{})
		if err := d.Reload(t.Context()); err != nil {
			t.Fatal(err)
		}
		s, seen := m.NewScorer(w.settings.Score), 0
		for i := range w.timelines {
			timeline := &w.timelines[i]
			got, err := d.Dossier(t.Context(), timeline.User.ID)
			if h, _ := timeline.Cut(w.span.Last, &w.span); !h.Exists() {
				if !errors.Is(err, server.ErrNoUser) {
					t.Errorf("user %s, who does not exist yet: %v", timeline.User.ID, err)
				}
				continue
			}
			seen++
			if diff := gocmp.Diff(expected(w, m, s, timeline, info), got); err != nil || diff != "" {
				t.Fatalf("%s, user %s: %v (-batch +dossier)\n%s", m.Bundle.Kind, timeline.User.ID, err, diff)
			}
		}
		if seen < users/2 {
			t.Errorf("%d users only", seen)
		}
	}
}

// expected is the readable twin of a dossier.
func expected(w *world, m *score.Model, s *score.Scorer, timeline *pipeline.Timeline, info server.ModelInfo) server.Dossier {
	h, _ := timeline.Cut(w.span.Last, &w.span)
	e := s.Explain(&h)
	out := server.Dossier{ID: timeline.User.ID, AsOf: w.span.Last.String(), Version: m.Version, FeatureSet: info.FeatureSet, Risk: e.Risk, Tier: e.Tier, AtRisk: e.AtRisk, BaseRisk: e.BaseRisk,
		Usual: e.Usual, Factors: []server.Factor{}, Days: []server.Day{}, Risks: []server.PastRisk{}}
	for _, f := range e.Factors {
		factor := server.Factor{Theme: string(f.Theme), Text: f.Text, Contribution: f.Contribution, Usual: f.Usual}
		for _, v := range f.Values {
			factor.Values = append(factor.Values, server.FactorValue{Feature: v.Feature, Title: v.Title, Value: v.Value, Usual: v.Usual, Contribution: v.Contribution})
		}
		out.Factors = append(out.Factors, factor)
	}
	for _, f := range timeline.Days {
		if f.Known > w.span.Last {
			continue
		}
		if n := len(out.Days); n == 0 || out.Days[n-1].Date != f.Day.String() {
			out.Days = append(out.Days, server.Day{Date: f.Day.String()})
		}
		d := &out.Days[len(out.Days)-1]
		d.Active, d.Minutes = d.Active || f.Active > 0, d.Minutes+f.Minutes
		d.Events, d.Logins, d.Enrolls, d.Quizzes = d.Events+int(f.Events), d.Logins+int(f.Logins), d.Enrolls+int(f.Enrolls), d.Quizzes+int(f.Quizzes)
		d.Payments, d.FailedPayments, d.Tickets = d.Payments+int(f.PaymentsOK), d.FailedPayments+int(f.PaymentsFailed), d.Tickets+int(f.Tickets)
	}
	for date := w.span.Last; date >= w.span.First; date -= 7 {
		past, _ := timeline.Cut(date, &w.span)
		if !past.Exists() {
			continue
		}
		r := server.PastRisk{AsOf: date.String(), Risk: s.History(&past).Risk, AtRisk: m.Spec.Labels.InCohort(&past), Hindsight: date < w.span.Last-10}
		out.Risks = append(out.Risks, r)
	}
	slices.Reverse(out.Risks)
	return out
}

// What is long past is not told: a year of days, half a year of risks.
func TestDossierIsBounded(t *testing.T) {
	w := newWorld(t, 100)
	last := pipeline.Date(21000)
	first := last - 3000
	u := pipeline.Timeline{User: pipeline.User{ID: "u", Signup: first}}
	for day := first; day <= last; day++ {
		u.Days = append(u.Days, pipeline.DayFacts{Day: day, Known: day, Events: 1, Active: 1, Logins: 1})
	}
	span := pipeline.NewSpan(last, map[pipeline.Date]pipeline.Date{first: first})
	p := NewPredictor(w.models(t)["v0001"], server.ModelInfo{}, w.settings)
	d, err := p.dossier(&u, &span, 7)
	if err != nil || len(d.Days) != 365 || len(d.Risks) != 27 || d.Risks[0].AsOf != (last-182).String() || d.Risks[26].Risk != d.Risk {
		t.Errorf("%v: %d days, %d risks", err, len(d.Days), len(d.Risks))
	}
}

// Nothing to tell is told as what it is.
func TestDossierAbsent(t *testing.T) {
	w := newWorld(t, 100)
	p := NewPredictor(w.models(t)["v0001"], server.ModelInfo{}, w.settings)
	path := file(filepath.Join(t.TempDir(), "timelines.bin"))
	d := newDossiers(t, path, p, &output{})
	if err := d.Reload(t.Context()); err != nil {
		t.Errorf("no data is no fault: %v", err)
	}
	if _, err := d.Dossier(t.Context(), "1"); !errors.Is(err, server.ErrNoSnapshot) {
		t.Errorf("no data: %v", err)
	}
	copyFile(t, w.prepared, string(path))
	if err := d.Reload(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := d.Dossier(t.Context(), "nobody"); !errors.Is(err, server.ErrNoUser) {
		t.Errorf("nobody: %v", err)
	}
	if s := d.Status(); s.AsOf != w.span.Last.String() || s.Swaps != 1 {
		t.Errorf("%+v", s)
	}
	if _, err := newDossiers(t, path, nil, &output{}).Dossier(t.Context(), "1"); !errors.Is(err, server.ErrNoModel) {
		t.Errorf("no model: %v", err)
	}
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	for range questions {
		d.slots <- struct{}{}
	}
	if _, err := d.Dossier(cancelled, "1"); !errors.Is(err, context.Canceled) {
		t.Errorf("a client that does not wait: %v", err)
	}
}

// The law: data that are written anew are taken without failing a question;
// those that are damaged, or gone, are not, and the ones before go on.
func TestDossiersFollow(t *testing.T) {
	w := newWorld(t, 100)
	p, log := NewPredictor(w.models(t)["v0001"], server.ModelInfo{}, w.settings), &output{}
	path := filepath.Join(t.TempDir(), "timelines.bin")
	copyFile(t, w.prepared, path)
	d := newDossiers(t, file(path), p, log)
	if err := d.Reload(t.Context()); err != nil {
		t.Fatal(err)
	}
	id := w.timelines[0].User.ID
	want, err := d.Dossier(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	load := newLoad(t, 2, func() {
		if got, err := d.Dossier(t.Context(), id); err != nil || got.Risk != want.Risk {
			t.Errorf("%v: risk %v, want %v", err, got.Risk, want.Risk)
		}
	})
	for i := range 20 {
		load.more(5)
		copyFile(t, w.prepared, path)
		later := time.Unix(int64(1800000000+i), 0)
		if err := errors.Join(os.Chtimes(path, later, later), d.Reload(t.Context())); err != nil {
			t.Fatal(err)
		}
	}
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for what, spoil := range map[string]func(){
		"cut":        func() { replace(t, path, whole[:len(whole)/2]) },
		"not one":    func() { replace(t, path, []byte("something else")) },
		"users gone": func() { replace(t, path, append(bytes.Clone(whole[:len(whole)-4]), 9, 9, 9, 9)) },
		"removed":    func() { remove(t, path) },
	} {
		spoil()
		for range 3 {
			if err := d.Reload(t.Context()); err == nil || !strings.Contains(err.Error(), "damaged") && !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("%s: %v", what, err)
			}
		}
		if s := d.Status(); s.Error == "" || s.Swaps != 21 {
			t.Errorf("%s: %+v", what, s)
		}
	}
	load.stop()
	if s := d.Status(); s.Refusals != 3 || s.Errors != 3 {
		t.Errorf("%+v\n%s", s, log)
	}
}

func copyFile(t *testing.T, from, to string) {
	t.Helper()
	data, err := os.ReadFile(from)
	if err != nil {
		t.Fatal(err)
	}
	replace(t, to, data)
}

// replace puts a file in the place of another, as prepare does.
func replace(t *testing.T, path string, data []byte) {
	t.Helper()
	if err := errors.Join(os.WriteFile(path+".new", data, 0o600), os.Rename(path+".new", path)); err != nil {
		t.Fatal(err)
	}
}

// BenchmarkDossier is a dossier of a user with half a year of activity.
func BenchmarkDossier(b *testing.B) {
	w := newWorld(b, 1500)
	for _, m := range w.models(b) {
		d := newDossiers(b, file(w.prepared), NewPredictor(m, server.ModelInfo{}, w.settings), &output{})
		if err := d.Reload(b.Context()); err != nil {
			b.Fatal(err)
		}
		b.Run(m.Bundle.Kind, func(b *testing.B) {
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				if _, err := d.Dossier(b.Context(), w.timelines[i%len(w.timelines)].User.ID); err != nil && !errors.Is(err, server.ErrNoUser) {
					b.Fatal(err)
				}
			}
		})
	}
}
