package serving

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"math"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"churn/model"
	"churn/model/bundle"
	"churn/model/logistic"
	"churn/pipeline/score"
	"churn/registry"
	"churn/server"
)

// live is a server on a socket with a registry in a folder, and models that
// answer otherwise each.
type live struct {
	folder   string
	registry *registry.Registry
	follower *Follower
	url      string
	versions []string // all but production at the start
	bodies   [][]byte // of /predict, one for each user
	want     map[string][]float64

	sequence []string     // versions in the order in which they came into production
	begun    atomic.Int64 // of the sequence: may answer
	done     atomic.Int64 // must answer, at least
	mu       sync.RWMutex // over sequence
}

// startLive registers models, puts the first into production, and serves.
func startLive(t *testing.T, models int) *live {
	t.Helper()
	w, ctx := newWorld(t, 150), t.Context()
	l := &live{folder: filepath.Join(t.TempDir(), "registry"), want: map[string][]float64{}}
	var err error
	if l.registry, err = registry.Open(ctx, l.folder); err != nil {
		t.Fatal(err)
	}
	made := w.models(t)
	rows := w.requests(t, l, made["v0001"])
	for i := range models {
		of := made["v0001"].Bundle
		if i%3 == 2 {
			of = made["v0002"].Bundle
		}
		l.register(t, variant(t, of, uint64(i)), rows)
	}
	l.move(t, l.versions[0])
	l.follower = NewFollower(FollowOptions{Alias: registry.Production, Versions: RegistryVersions(l.registry), Settings: func() Settings { return w.settings }, Now: time.Now, Log: slog.New(slog.DiscardHandler)})
	if err := l.follower.Reload(ctx); err != nil {
		t.Fatal(err)
	}
	l.done.Store(1)
	l.serve(t)
	return l
}

// variant returns a model like another that answers otherwise.
func variant(t *testing.T, of *bundle.Bundle, seed uint64) *bundle.Bundle {
	t.Helper()
	b, rng := *of, rand.New(rand.NewPCG(seed, 5))
	b.Calibration.Intercept += rng.NormFloat64()
	if b.Logistic != nil {
		b.Logistic = &logistic.Model{Intercept: -1}
		for range of.Logistic.Coef {
			b.Logistic.Coef = append(b.Logistic.Coef, rng.NormFloat64()/5)
		}
	}
	complete, err := bundle.New(b)
	if err != nil {
		t.Fatal(err)
	}
	return complete
}

// requests makes a body for each of some users, and returns their rows.
func (w *world) requests(t *testing.T, l *live, m *score.Model) *model.Frame {
	t.Helper()
	rows := &model.Frame{NumericNames: w.numeric, CategoricalNames: w.categorical}
	s := m.NewScorer(w.settings.Score)
	for i := 0; i < len(w.timelines) && len(l.bodies) < 40; i++ {
		h, _ := w.timelines[i].Cut(w.asOf, &w.span)
		if !h.Exists() {
			continue
		}
		s.History(&h)
		values := map[string]any{}
		for k, name := range w.numeric {
			if x := s.Last().Numeric[k]; !math.IsNaN(x) {
				values[name] = x
			}
		}
		for k, name := range w.categorical {
			values[name] = s.Last().Categorical[k]
		}
		body, err := json.Marshal(map[string]any{"user_id": len(l.bodies), "snapshot_date": w.asOf.String(), "features": values})
		if err != nil {
			t.Fatal(err)
		}
		l.bodies = append(l.bodies, body)
		rows.Numeric, rows.Categorical = append(rows.Numeric, s.Last().Numeric...), append(rows.Categorical, s.Last().Categorical...)
	}
	return rows
}

// register stores a model with answers of its own, and notes what it must say.
func (l *live) register(t *testing.T, b *bundle.Bundle, rows *model.Frame) {
	t.Helper()
	data, err := b.Encode()
	if err != nil {
		t.Fatal(err)
	}
	sample, err := b.SampleOf(rows, 10).Encode()
	if err != nil {
		t.Fatal(err)
	}
	m, _, err := l.registry.Register(t.Context(), registry.Candidate{Kind: b.Kind, Lineage: registry.Lineage{FeatureSet: b.FeatureSet},
		Files: map[string][]byte{registry.BundleFile: data, registry.SampleFile: sample}}, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	l.versions, l.want[m.Version] = append(l.versions, m.Version), b.Probabilities(b.Margins(rows))
}

// move puts a version into production.
func (l *live) move(t *testing.T, version string) {
	t.Helper()
	aliases, err := l.registry.Aliases(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	l.mu.Lock()
	l.sequence = append(l.sequence, version)
	l.mu.Unlock()
	l.begun.Add(1)
	if _, err := l.registry.Move(t.Context(), registry.Move{Action: registry.ActionPromote, From: aliases.Production, To: version, Actor: "test", Reason: "load", Time: time.Now()}); err != nil {
		t.Fatal(err)
	}
}

// serve answers on a socket until the test ends.
func (l *live) serve(t *testing.T) {
	t.Helper()
	p := server.Defaults()
	p.Address, p.AccessLog, p.DrainDelay = "127.0.0.1:0", false, 0
	listening, done := make(chan net.Addr, 1), make(chan error, 1)
	s, err := server.New(server.Options{Params: p, Models: l.follower, Now: time.Now, Logger: slog.New(slog.DiscardHandler), Listening: func(a, _ net.Addr) { listening <- a }})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	go func() { done <- s.Run(ctx) }()
	l.url = "http://" + (<-listening).String()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

// fetch sends one request.
func (l *live) fetch(c *http.Client, method, path string, body []byte) (status int, text []byte, err error) {
	r, err := http.NewRequest(method, l.url+path, bytes.NewReader(body))
	if err != nil {
		return 0, nil, err
	}
	r.Header.Set("Content-Type", "application/json")
	answer, err := c.Do(r)
	if err != nil {
		return 0, nil, err
	}
	defer answer.Body.Close()
	text, err = io.ReadAll(answer.Body)
	return answer.StatusCode, text, err
}

// check asks for one user, or for several in a batch, and returns what is wrong
// with the answer: another status, a number that is not that of the version it
// names, or a version that was not in production while it was asked for.
func (l *live) check(c *http.Client, user int, batch bool) error {
	from := l.done.Load() - 1
	users, path, body := []int{user}, "/predict?reasons=0", l.bodies[user]
	if batch {
		users = []int{user, (user + 1) % len(l.bodies), (user + 7) % len(l.bodies)}
		path, body = "/predict/batch", []byte(`{"instances":[`+string(bytes.Join([][]byte{l.bodies[users[0]], l.bodies[users[1]], l.bodies[users[2]]}, []byte(",")))+`]}`)
	}
	status, text, err := l.fetch(c, "POST", path, body)
	var answer struct {
		Risk        float64 `json:"churn_risk"`
		Version     string  `json:"model_version"`
		Predictions []struct {
			Risk float64 `json:"churn_risk"`
		}
	}
	if err == nil {
		err = json.Unmarshal(text, &answer)
	}
	if err != nil || status != 200 {
		return fmt.Errorf("status %d: %s (%w)", status, text, err)
	}
	risks := []float64{answer.Risk}
	if batch {
		risks = nil
		for _, p := range answer.Predictions {
			risks = append(risks, p.Risk)
		}
	}
	l.mu.RLock()
	may := slices.Clone(l.sequence[from:l.begun.Load()])
	l.mu.RUnlock()
	if !slices.Contains(may, answer.Version) || len(risks) != len(users) {
		return fmt.Errorf("%s answered, in production were %v", answer.Version, may)
	}
	for i, u := range users {
		if want := l.want[answer.Version][u]; math.Float64bits(risks[i]) != math.Float64bits(want) {
			return fmt.Errorf("user %d by %s: %v, want %v", u, answer.Version, risks[i], want)
		}
	}
	return nil
}

// load asks from several clients. Every fault is one of the test.
func (l *live) load(t *testing.T, clients int) *load {
	c := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: clients}}
	t.Cleanup(c.CloseIdleConnections)
	var n atomic.Int64
	return newLoad(t, clients, func() {
		i := int(n.Add(1))
		if err := l.check(c, i*13%len(l.bodies), i%5 == 0); err != nil && !t.Failed() {
			t.Error(err)
		}
	})
}

// The law: 100 changes of the model under full load fail no request; every
// answer is, bit for bit, that of the version it names, which was in production
// while it was asked for.
func TestLiveSwaps(t *testing.T) {
	swaps := 100
	if raceEnabled {
		swaps = 20
	}
	l := startLive(t, 6)
	load := l.load(t, 8)
	for i := 1; i <= swaps; i++ {
		load.more(8)
		l.move(t, l.versions[i%len(l.versions)])
		if err := l.follower.Reload(t.Context()); err != nil {
			t.Fatal(err)
		}
		l.done.Add(1)
	}
	load.more(8)
	load.stop()
	t.Logf("%d requests, %d swaps", load.asked.Load(), swaps)
	if s := l.follower.Status(); s.Swaps != int64(swaps)+1 || s.Refusals != 0 || s.Errors != 0 || s.Version != l.versions[swaps%len(l.versions)] {
		t.Errorf("%+v", s)
	}
}

// The mutants: an answer with the number of another version, or of a version
// that is not in production, is caught.
func TestLiveSwapsCatches(t *testing.T) {
	l := startLive(t, 2)
	if err := l.check(http.DefaultClient, 1, true); err != nil {
		t.Fatal(err)
	}
	first, second := l.versions[0], l.versions[1]
	l.want[first], l.want[second] = l.want[second], l.want[first]
	if err := l.check(http.DefaultClient, 1, false); err == nil {
		t.Error("the numbers of another version pass")
	}
	l.want[first], l.want[second] = l.want[second], l.want[first]
	l.move(t, second) // and nobody takes it
	l.done.Add(1)
	if err := l.check(http.DefaultClient, 1, false); err == nil {
		t.Error("a version that was replaced passes")
	}
}

// spoil are the ways in which a registry is lost, each with the metric that
// tells.
func spoil() map[string]struct {
	how    func(t *testing.T, l *live)
	metric string
} {
	errors, refusals := "churn_registry_errors_total", "churn_model_refusals_total"
	return map[string]struct {
		how    func(t *testing.T, l *live)
		metric string
	}{
		"deleted": {func(t *testing.T, l *live) { must(t, os.RemoveAll(l.folder)) }, errors},
		"unreadable": {func(t *testing.T, l *live) {
			if os.Getuid() != 0 {
				must(t, os.Chmod(filepath.Join(l.folder, "ledger"), 0))
				return
			}
			must(t, os.RemoveAll(filepath.Join(l.folder, "ledger"))) // root may read everything, but not a file as a folder
			must(t, os.WriteFile(filepath.Join(l.folder, "ledger"), nil, 0o600))
		}, errors},
		"ledger corrupted": {func(t *testing.T, l *live) { l.scribble(t, "ledger/*.json") }, errors},
		"manifests corrupted": {func(t *testing.T, l *live) {
			l.move(t, l.next())
			l.scribble(t, "versions/*.json")
		}, errors},
		"new model corrupted": {func(t *testing.T, l *live) {
			l.move(t, l.next())
			l.scribble(t, "models/*/"+registry.BundleFile)
		}, refusals},
		"new model's answers corrupted": {func(t *testing.T, l *live) {
			l.move(t, l.next())
			l.scribble(t, "models/*/"+registry.SampleFile)
		}, refusals},
		"new model's files deleted": {func(t *testing.T, l *live) {
			l.move(t, l.next())
			must(t, os.RemoveAll(filepath.Join(l.folder, "models")))
		}, refusals},
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// scribble changes a byte of every file that fits.
func (l *live) scribble(t *testing.T, pattern string) {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(l.folder, pattern))
	must(t, err)
	if len(paths) == 0 {
		t.Fatal("nothing to corrupt")
	}
	for _, path := range paths {
		text, err := os.ReadFile(path)
		must(t, err)
		text[len(text)/2] ^= 4
		must(t, os.WriteFile(path, text, 0o600))
	}
}

// follow follows the registry until the test ends.
func (l *live) follow(t *testing.T) {
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	done := make(chan struct{})
	go func() {
		defer close(done)
		l.follower.Run(ctx, 20*time.Millisecond, []string{l.folder, filepath.Join(l.folder, "ledger")})
	}()
	t.Cleanup(func() {
		cancel()
		<-done
	})
}

// value returns a metric.
func (l *live) value(t *testing.T, name string) string {
	t.Helper()
	_, text, err := l.fetch(http.DefaultClient, "GET", "/metrics", nil)
	must(t, err)
	_, rest, _ := strings.Cut(string(text), "\n"+name+" ")
	value, _, _ := strings.Cut(rest, "\n")
	return value
}

// The law: whatever becomes of the registry under load, the model in use
// answers every request, /ready stays 200, and a metric tells; once the registry
// is sound again, the next model is taken.
func TestLiveRegistryLost(t *testing.T) {
	l := startLive(t, 3)
	for name, way := range spoil() {
		t.Run(name, func(t *testing.T) {
			backup, before, current := t.TempDir(), l.value(t, way.metric), l.follower.Status().Version
			must(t, os.CopyFS(backup, os.DirFS(l.folder)))
			load := l.load(t, 3)
			load.more(20)
			way.how(t, l)
			l.follow(t) // only now, so that it meets the damage whole
			until(t, way.metric+" tells", func() bool { return l.value(t, way.metric) != before })
			load.more(50)
			if status, text, err := l.fetch(http.DefaultClient, "GET", "/ready", nil); status != 200 || !strings.Contains(string(text), current) {
				t.Errorf("/ready: %d %s %v", status, text, err)
			}
			if s := l.follower.Status(); s.Version != current || s.Error == "" {
				t.Errorf("%+v", s)
			}
			must(t, os.RemoveAll(l.folder))
			must(t, os.CopyFS(l.folder, os.DirFS(backup)))
			next := l.next()
			l.move(t, next)
			until(t, "the next model is taken", func() bool { return l.follower.Status().Version == next })
			load.more(20)
			load.stop()
			if l.value(t, "churn_ready") != "1" {
				t.Error("not ready")
			}
		})
		l.done.Store(l.begun.Load())
	}
}

// next returns a version other than the one in use.
func (l *live) next() string {
	return l.versions[(slices.Index(l.versions, l.follower.Status().Version)+1)%len(l.versions)]
}

// until waits for what must come.
func until(t *testing.T, what string, come func() bool) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !come(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("in vain: ", what)
		}
	}
}
