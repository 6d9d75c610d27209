package registry

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"churn/pipeline"
	"churn/registry/store"
)

func at(minute int) time.Time {
	return time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC).Add(time.Duration(minute) * time.Minute)
}

func candidate(bundle string) Candidate {
	return Candidate{Kind: "logistic", AsOf: 20000, Metrics: map[string]float64{"pr_auc": 0.5},
		Lineage: Lineage{Inputs: []pipeline.FileState{{Path: "x"}}, Features: []byte(`{"a":1}`), Labels: []byte(`{}`), Config: []byte(`{"seed":18446744073709551615,"html":"<&>"}`), Seed: 1<<64 - 1},
		Files:   map[string][]byte{BundleFile: []byte(bundle), MetricsFile: []byte("{}\n"), CardFile: []byte("# card of " + bundle)}}
}

// open returns the registry in a folder or another place.
func open(t testing.TB, place string) *Registry {
	t.Helper()
	r, err := Open(context.Background(), place)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// inMemory returns a registry in memory.
func inMemory(t testing.TB) *Registry {
	t.Helper()
	s, err := store.Open(context.Background(), "mem://")
	if err != nil {
		t.Fatal(err)
	}
	return New(s)
}

func register(t testing.TB, r *Registry, bundle string) string {
	t.Helper()
	m, _, err := r.Register(context.Background(), candidate(bundle), at(0))
	if err != nil {
		t.Fatal(err)
	}
	return m.Version
}

// promote makes a version production, whatever it was.
func promote(t testing.TB, r *Registry, version string, minute int) Entry {
	t.Helper()
	aliases, err := r.Aliases(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	e, err := r.Move(context.Background(), Move{Action: ActionPromote, From: aliases.Production, To: version, Actor: "t", Time: at(minute)})
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// The law: the same bundle is the same version; another one gets the next number.
func TestRegisterIsIdempotent(t *testing.T) {
	r := inMemory(t)
	a, b := register(t, r, "a"), register(t, r, "b")
	if again := register(t, r, "a"); a != "v0001" || b != "v0002" || again != a {
		t.Errorf("versions %s, %s, and %s for the first again", a, b, again)
	}
	v, err := r.Load(context.Background(), "v0002")
	if err != nil || string(v.Files[BundleFile]) != "b" || !v.Created.Equal(at(0)) || v.Lineage.Seed != 1<<64-1 {
		t.Errorf("loaded %+v: %v", v, err)
	}
	for _, name := range []string{"sha256:" + v.Digest, "sha256:" + v.Digest[:minPrefix]} {
		if got, err := r.Resolve(context.Background(), name); got != "v0002" || err != nil {
			t.Errorf("%s means %q: %v", name, got, err)
		}
	}
}

// The law: racing writers give every bundle one version, numbered without gaps.
func TestRegisterWithoutRaces(t *testing.T) {
	dir := t.TempDir()
	var group sync.WaitGroup
	for i := range 20 {
		group.Go(func() {
			if _, _, err := open(t, dir).Register(context.Background(), candidate(fmt.Sprint(i%10)), at(0)); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	versions, err := open(t, dir).List(context.Background())
	if err != nil || len(versions) != 10 {
		t.Fatalf("%d versions: %v", len(versions), err)
	}
	for i, m := range versions {
		if m.Version != fmt.Sprintf("v%04d", i+1) {
			t.Errorf("version %d is %s", i+1, m.Version)
		}
	}
}

// The law: of racing moves from the same state one wins, and the aliases are
// those of the last entry.
func TestMoveComparesAndSwaps(t *testing.T) {
	r := open(t, t.TempDir())
	promote(t, r, register(t, r, "base"), 0)
	for i := range 8 {
		register(t, r, fmt.Sprint(i))
	}
	var group sync.WaitGroup
	errs := make([]error, 8)
	for i := range errs {
		group.Go(func() {
			_, errs[i] = r.Move(context.Background(), Move{Action: ActionPromote, From: "v0001", To: versionName(i + 2), Actor: "t", Time: at(1)})
		})
	}
	group.Wait()
	winners, winner := 0, ""
	for i, err := range errs {
		if err == nil {
			winners, winner = winners+1, versionName(i+2)
		}
	}
	aliases, err := r.Aliases(context.Background())
	if err != nil || winners != 1 || aliases != (Aliases{Production: winner, Previous: "v0001"}) {
		t.Errorf("%d winners, aliases %v (%v), want production %s", winners, aliases, err, winner)
	}
	if h, err := r.History(context.Background()); err != nil || len(h) != 2 {
		t.Errorf("%d entries: %v", len(h), err)
	}
}
