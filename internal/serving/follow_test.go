package serving

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math"
	"math/rand/v2"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"churn/model"
	"churn/model/bundle"
	"churn/model/calibrate"
	"churn/model/encode"
	"churn/model/logistic"
	"churn/pipeline"
	"churn/pipeline/features"
	"churn/pipeline/labels"
	"churn/pipeline/score"
	"churn/pipeline/validate"
	"churn/server"
)

// constantBundle returns a bundle that answers the same risk to every row.
func constantBundle(t testing.TB, risk float64) []byte {
	t.Helper()
	spec := score.Spec{Features: features.Defaults(), Labels: labels.Defaults()}
	f := &model.Frame{}
	for _, x := range features.Catalog(spec.Features) {
		if x.Categorical() {
			f.CategoricalNames = append(f.CategoricalNames, x.Name)
		} else {
			f.NumericNames = append(f.NumericNames, x.Name)
		}
	}
	rng := rand.New(rand.NewPCG(1, 2))
	for range 60 {
		for range f.NumericNames {
			f.Numeric = append(f.Numeric, rng.NormFloat64())
		}
		for range f.CategoricalNames {
			f.Categorical = append(f.Categorical, []string{"a", "b"}[rng.IntN(2)])
		}
	}
	e, err := encode.Fit(f, encode.Options{})
	if err != nil {
		t.Fatal(err)
	}
	x := e.Matrix(f)
	text, err := json.Marshal(spec)
	if err != nil {
		t.Fatal(err)
	}
	raw := json.RawMessage(text)
	b, err := bundle.New(bundle.Bundle{Kind: bundle.KindLogistic, FeatureSet: features.Fingerprint(spec.Features), Numeric: f.NumericNames, Categorical: f.CategoricalNames,
		Encoder: e, Mean: bundle.MeanOf(x), Logistic: &logistic.Model{Intercept: math.Log(risk / (1 - risk)), Coef: make([]float64, x.Cols())},
		Calibration: calibrate.Map{Kind: calibrate.Platt, Slope: 1}, Threshold: 0.5, Profile: bundle.ProfileOf(f), Spec: &raw})
	if err != nil {
		t.Fatal(err)
	}
	data, err := b.Encode()
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// shelf is a registry of the tests.
type shelf struct {
	sync.Mutex
	aliases  map[string]string
	versions map[string]Version
	fault    error
	loads    int
}

func newShelf() *shelf { return &shelf{aliases: map[string]string{}, versions: map[string]Version{}} }

func (s *shelf) Point(_ context.Context, alias string) (Pointer, error) {
	s.Lock()
	defer s.Unlock()
	v := s.aliases[alias]
	return Pointer{v, s.versions[v].Info.Digest}, s.fault
}

func (s *shelf) Load(_ context.Context, version string) (Version, error) {
	s.Lock()
	defer s.Unlock()
	s.loads++
	v, ok := s.versions[version]
	if !ok {
		return v, errors.New("not there")
	}
	return v, nil
}

// put adds a version and points production to it.
func (s *shelf) put(version, digest string, bundle []byte) {
	s.Lock()
	defer s.Unlock()
	s.versions[version] = Version{Info: server.ModelInfo{Version: version, Digest: digest, Path: "registry/" + version}, Bundle: bundle}
	s.aliases["production"] = version
}

func settings() Settings {
	return Settings{Score: score.Defaults(), Validate: validate.Defaults(pipeline.EventTypes()), Location: time.UTC, Now: time.Now}
}

func newTestFollower(s *shelf, log io.Writer) *Follower {
	return NewFollower(FollowOptions{Alias: "production", Versions: s, Settings: settings, Now: time.Now, Log: slog.New(slog.NewTextHandler(log, nil))})
}

func newServer(t *testing.T, change func(*server.Options)) *server.Server {
	t.Helper()
	o := server.Options{Params: server.Defaults(), Now: time.Now, Logger: slog.New(slog.DiscardHandler)}
	change(&o)
	s, err := server.New(o)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// ask predicts for a user through the server.
func ask(s *server.Server, user string) (status int, version string, risk float64) {
	r := httptest.NewRequest("POST", "/predict", strings.NewReader(`{"user_id":"`+user+`","features":{"plan":"a"}}`))
	r.Header.Set("Content-Type", "application/json")
	w := httptest.NewRecorder()
	s.Handler().ServeHTTP(w, r)
	var answer struct {
		Version string  `json:"model_version"`
		Risk    float64 `json:"churn_risk"`
	}
	json.Unmarshal(w.Body.Bytes(), &answer) //nolint:errcheck // the status tells
	return w.Code, answer.Version, answer.Risk
}

// Whatever the registry comes to, the model in use goes on, and the status says
// why; once it is sound again, the new one is taken.
func TestBadVersionsAreRefused(t *testing.T) {
	good := constantBundle(t, 0.25)
	text := string(good)
	for name, x := range map[string]struct {
		spoil    func(s *shelf)
		refusals int64
		errors   int64
		says     string
	}{
		"not a bundle":   {func(s *shelf) { s.put("v0002", "d2", []byte("{")) }, 1, 0, "version v0002 is refused: bundle:"},
		"cut off":        {func(s *shelf) { s.put("v0002", "d2", good[:len(good)/2]) }, 1, 0, "bundle:"},
		"another format": {func(s *shelf) { s.put("v0002", "d2", []byte(strings.Replace(text, `"format": `, `"format": 9`, 1))) }, 1, 0, "format"},
		"other features": {func(s *shelf) {
			s.put("v0002", "d2", []byte(strings.Replace(text, `"feature_set": "`, `"feature_set": "x`, 1)))
		}, 1, 0, "trained on feature set"},
		"answers nonsense": {func(s *shelf) { s.put("v0002", "d2", good); s.check("v0002", errors.New("other answers")) }, 1, 0, "other answers"},
		"panics":           {func(s *shelf) { s.put("v0002", "d2", good); s.check("v0002", nil) }, 1, 0, "cannot be used"},
		"gone":             {func(s *shelf) { s.aliases["production"] = "v0009" }, 1, 0, "not there"},
		"unreadable":       {func(s *shelf) { s.fault = os.ErrPermission }, 0, 1, "permission denied"},
		"deleted":          {func(s *shelf) { clear(s.aliases) }, 0, 1, "names no production model any more"},
	} {
		t.Run(name, func(t *testing.T) {
			shelf, log := newShelf(), &strings.Builder{}
			shelf.put("v0001", "d1", good)
			follower := newTestFollower(shelf, log)
			running := newServer(t, func(o *server.Options) { o.Models = follower })
			if err := follower.Reload(t.Context()); err != nil {
				t.Fatal(err)
			}
			x.spoil(shelf)
			for range 3 {
				if err := follower.Reload(t.Context()); err == nil || !strings.Contains(err.Error(), x.says) {
					t.Errorf("reload: %v, want %s", err, x.says)
				}
			}
			if status, version, risk := ask(running, "u1"); status != 200 || version != "v0001" || math.Abs(risk-0.25) > 1e-12 {
				t.Errorf("the model from before answers %d %s %v", status, version, risk)
			}
			s := follower.Status()
			if s.Version != "v0001" || s.Refusals != x.refusals || s.Errors != 3*x.errors || !strings.Contains(s.Error, x.says) || (s.Refused != "") != (x.refusals > 0) {
				t.Errorf("status %+v", s)
			}
			if n := strings.Count(log.String(), "level=ERROR"); n != 1 {
				t.Errorf("%d errors in the log, want one that is not repeated: %s", n, log)
			}
			shelf.fault = nil
			shelf.put("v0003", "d3", constantBundle(t, 0.75))
			if err := follower.Reload(t.Context()); err != nil {
				t.Fatal(err)
			}
			if s := follower.Status(); s.Version != "v0003" || s.Error != "" || s.Refused != "" {
				t.Errorf("after it was mended: %+v", s)
			}
		})
	}
}

// check sets what a version's stored answers say; nil panics.
func (s *shelf) check(version string, err error) {
	v := s.versions[version]
	v.Check = func(*bundle.Bundle) error {
		if err == nil {
			panic("a hostile bundle")
		}
		return err
	}
	s.versions[version] = v
}

// Without a model there is no fault; the first that appears is taken, and one
// of the same name with other bytes is another.
func TestFirstModelAndSameName(t *testing.T) {
	shelf := newShelf()
	follower := newTestFollower(shelf, io.Discard)
	if err := follower.Reload(t.Context()); err != nil || follower.Current() != nil {
		t.Fatalf("an empty registry: %v, %v", err, follower.Current())
	}
	for i, risk := range []float64{0.25, 0.5} {
		shelf.put("v0001", fmt.Sprint("digest ", i), constantBundle(t, risk))
		if err := follower.Reload(t.Context()); err != nil {
			t.Fatal(err)
		}
		if s := follower.Current().Predict(server.Row{Numeric: make([]float64, len(follower.current.Load().numeric)), Categorical: []string{"", "", ""}[:len(follower.current.Load().categorical)]}, 0); math.Abs(s.Risk-risk) > 1e-12 {
			t.Errorf("digest %d answers %v, want %v", i, s.Risk, risk)
		}
	}
	loads := shelf.loads
	for range 5 {
		if err := follower.Reload(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if shelf.loads != loads {
		t.Errorf("the model in use was loaded %d times more", shelf.loads-loads)
	}
}

// A change of a file is followed long before the next poll; a folder that
// appears later is watched from the next poll on.
func TestNotice(t *testing.T) {
	dir := t.TempDir()
	ctx, cancel := context.WithCancel(t.Context())
	looked, done := make(chan struct{}, 100), make(chan struct{})
	go func() {
		defer close(done)
		notice(ctx, time.Hour, []string{dir, filepath.Join(dir, "absent")}, func(context.Context) { looked <- struct{}{} })
	}()
	<-looked
	if err := os.WriteFile(filepath.Join(dir, "ledger"), []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	<-looked
	cancel()
	<-done
}
