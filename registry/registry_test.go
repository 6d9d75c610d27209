package registry

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"churn/pipeline"
)

func now() time.Time { return time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC) }

func candidate(bundle string) Candidate {
	return Candidate{Manifest: Manifest{Kind: "logistic", Inputs: []pipeline.FileState{{Path: "x"}}}, Bundle: []byte(bundle), Metrics: []byte("{}\n"),
		Card: func(version string) []byte { return []byte("# " + version) }}
}

func register(t *testing.T, r *Registry, bundle string) string {
	t.Helper()
	version, _, err := r.Register(candidate(bundle), now())
	if err != nil {
		t.Fatal(err)
	}
	return version
}

// The law: the same bundle is the same version; another one gets the next number.
func TestRegisterIsIdempotent(t *testing.T) {
	r := Open(filepath.Join(t.TempDir(), "registry"))
	a, b := register(t, r, "a"), register(t, r, "b")
	if again := register(t, r, "a"); a != "v0001" || b != "v0002" || again != a {
		t.Errorf("versions %s, %s, and %s for the first again", a, b, again)
	}
	m, data, err := r.Load("v0002", BundleFile)
	if err != nil || string(data) != "b" || m.Version != "v0002" || !m.Created.Equal(now()) {
		t.Errorf("loaded %q of %+v: %v", data, m, err)
	}
	_, card, err := r.Load("v0002", CardFile)
	if err != nil || string(card) != "# v0002" {
		t.Errorf("card %q: %v", card, err)
	}
}

// The law: racing writers give every bundle one version, numbered without gaps.
func TestRegisterWithoutRaces(t *testing.T) {
	dir := t.TempDir()
	var group sync.WaitGroup
	for i := range 20 {
		group.Go(func() {
			if _, _, err := Open(dir).Register(candidate(fmt.Sprint(i%10)), now()); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	versions, err := Open(dir).List()
	if err != nil || len(versions) != 10 {
		t.Fatalf("%d versions: %v", len(versions), err)
	}
	for i, m := range versions {
		if m.Version != fmt.Sprintf("v%04d", i+1) {
			t.Errorf("version %d is %s", i+1, m.Version)
		}
	}
}

// The law: of racing promotions from the same state one wins.
func TestPromoteComparesAndSwaps(t *testing.T) {
	r := Open(t.TempDir())
	register(t, r, "base")
	if err := r.Promote("v0001", ""); err != nil {
		t.Fatal(err)
	}
	for i := range 8 {
		register(t, r, fmt.Sprint(i))
	}
	var group sync.WaitGroup
	errs := make([]error, 8)
	for i := range errs {
		group.Go(func() { errs[i] = r.Promote(fmt.Sprintf("v%04d", i+2), "v0001") })
	}
	group.Wait()
	winners, winner := 0, ""
	for i, err := range errs {
		if err == nil {
			winners, winner = winners+1, fmt.Sprintf("v%04d", i+2)
		}
	}
	aliases, err := r.Aliases()
	if err != nil || winners != 1 || aliases[Production] != winner || aliases[Previous] != "v0001" {
		t.Errorf("%d winners, aliases %v (%v), want production %s", winners, aliases, err, winner)
	}
}

// The law: one changed byte in any file of a version, and no file of it loads.
func TestOneFlippedByteIsRefused(t *testing.T) {
	for _, name := range []string{BundleFile, MetricsFile, CardFile} {
		dir := t.TempDir()
		r := Open(dir)
		register(t, r, "bundle")
		path := filepath.Join(dir, "v0001", name)
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		data[0] ^= 1
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, _, err := r.Load("v0001", BundleFile); err == nil || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: got %v", name, err)
		}
		if err := r.Promote("v0001", ""); err == nil {
			t.Errorf("%s: a damaged version was promoted", name)
		}
	}
}

func TestResolveExplains(t *testing.T) {
	r := Open(filepath.Join(t.TempDir(), "absent"))
	for name, want := range map[string]string{
		Production: "no model is in production yet", "v0007": "there is no version v0007", "../../etc": "neither a version nor an alias",
	} {
		if _, err := r.Resolve(name); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v", name, err)
		}
	}
	if versions, err := r.List(); len(versions) != 0 || err != nil {
		t.Errorf("an absent registry lists %v, %v", versions, err)
	}
	if _, err := os.Stat(r.dir); !errors.Is(err, os.ErrNotExist) {
		t.Error("looking made the folder")
	}
}
