package serving

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"churn/internal/atomicfile"
	"churn/internal/config"
	"churn/internal/serving/snapshot"
	"churn/internal/table"
	"churn/internal/workspace"
	"churn/pipeline"
	"churn/pipeline/score"
	"churn/server"
)

// office is a folder of predictions with the users that are served from it.
type office struct {
	*Users
	files *workspace.Workspace
	cache string
	log   *output
	clock time.Time
	sets  map[string]string
}

// output is a log that several goroutines may write.
type output struct {
	sync.Mutex
	strings.Builder
}

func (o *output) Write(b []byte) (int, error) {
	o.Lock()
	defer o.Unlock()
	return o.Builder.Write(b)
}

func newOffice(t testing.TB) *office {
	t.Helper()
	dir := t.TempDir()
	o := &office{cache: filepath.Join(dir, "cache"), log: &output{}, clock: time.Unix(1767225600, 0), sets: map[string]string{"digest of v0001": "set"}}
	o.files = &workspace.Workspace{Format: table.CSV, Clock: func() time.Time { return o.clock },
		Paths: config.Paths{Data: filepath.Join(dir, "data"), Artifacts: dir, Predictions: filepath.Join(dir, "data", "predictions")}}
	o.Users = o.another(t)
	return o
}

// another returns the users of another server that shares the folders.
func (o *office) another(t testing.TB) *Users {
	u := NewUsers(UsersOptions{Tables: WorkspaceTables(o.files), Cache: o.cache, Now: func() time.Time { return o.clock },
		FeatureSets: func(context.Context) (map[string]string, error) { return o.sets, nil }, Log: slog.New(slog.NewTextHandler(o.log, nil))})
	t.Cleanup(func() { u.swap(nil) })
	return u
}

// results returns n scored users.
func results(n int, asOf pipeline.Date) []score.Result {
	rng := rand.New(rand.NewPCG(uint64(n), uint64(asOf)))
	tiers, order, out := score.Defaults().Tiers, make([]int, n), make([]score.Result, n)
	for i := range out {
		risk := rng.Float64()
		out[i] = score.Result{User: pipeline.User{ID: fmt.Sprint(i + 1), Plan: "free", Country: "DE", Source: "ads"}, AsOf: asOf,
			Score: score.Score{Risk: risk, Tier: tiers.Of(risk), Reasons: []score.Reason{{Text: "no activity"}}}}
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(out[b].Risk, out[a].Risk) })
	for rank, i := range order {
		out[i].Rank = rank + 1
	}
	return out
}

// score writes predictions as churn score does: table and manifest of the date,
// then of the latest.
func (o *office) score(t testing.TB, n int, asOf pipeline.Date) []score.Result {
	t.Helper()
	o.clock = o.clock.Add(time.Second)
	return o.scoreNow(t, n, asOf)
}

// scoreNow is score without a change of the clock.
func (o *office) scoreNow(t testing.TB, n int, asOf pipeline.Date) []score.Result {
	t.Helper()
	rows := results(n, asOf)
	for _, out := range []workspace.Output{o.files.Predictions(asOf), o.files.LatestPredictions()} {
		info, err := score.Write(rows, "v0001", out.Path, table.CSV)
		if err != nil {
			t.Fatal(err)
		}
		made := workspace.Made{Inputs: []pipeline.FileState{{Path: "processed/timelines.bin"}, {Path: "registry/v0001", SHA256: "digest of v0001"}}}
		if err := o.files.Record(out, info, made); err != nil {
			t.Fatal(err)
		}
	}
	return rows
}

func (o *office) reload(t *testing.T) {
	t.Helper()
	if err := o.Reload(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// stores returns the names of the stores in the cache.
func (o *office) stores(t *testing.T) []string {
	t.Helper()
	names, err := snapshot.Names(o.cache)
	if err != nil {
		t.Fatal(err)
	}
	return names
}

// asOf returns the date of the snapshot in use.
func asOf(t *testing.T, u *Users) string {
	t.Helper()
	s, err := u.Snapshot(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return s.AsOf
}

const day0 = pipeline.Date(20000)

// Without predictions there is no fault; the first that appear are taken, with
// what their manifest says of them.
func TestUsersFirstPredictions(t *testing.T) {
	o := newOffice(t)
	if _, err := o.Snapshot(t.Context()); !errors.Is(err, server.ErrNotInUse) {
		t.Errorf("before the first look: %v", err)
	}
	o.reload(t)
	if _, _, err := o.Find(t.Context(), "1"); !errors.Is(err, server.ErrNoSnapshot) {
		t.Errorf("without predictions: %v", err)
	}
	rows := o.score(t, 120, day0)
	o.reload(t)
	u, s, err := o.Find(t.Context(), "7")
	if err != nil || u.Risk != rows[6].Risk || u.Rank != rows[6].Rank || s.FeatureSet != "set" || !s.Scored.Equal(o.clock) || s.Users != 120 || s.AsOf != day0.String() {
		t.Errorf("%v: %+v of %+v", err, u, s)
	}
	if _, _, err := o.Find(t.Context(), "nobody"); !errors.Is(err, server.ErrNoUser) {
		t.Error(err)
	}
	page, err := o.List(t.Context(), server.Query{Limit: 10})
	if diff := gocmp.Diff(s, page.Snapshot); err != nil || diff != "" || len(page.Users) != 10 || page.Total != 120 {
		t.Errorf("%v, %d users of %d (-found +listed)\n%s", err, len(page.Users), page.Total, diff)
	}
	if st := o.Status(); st.Swaps != 1 || st.AsOf != day0.String() || st.Error != "" || st.Checked.IsZero() {
		t.Errorf("%+v", st)
	}
	o.score(t, 120, day0) // the same again: only its time is another
	o.reload(t)
	if s, _ := o.Snapshot(t.Context()); !s.Scored.Equal(o.clock) || o.Status().Swaps != 1 || len(o.stores(t)) != 1 {
		t.Errorf("%+v, %+v", s, o.Status())
	}
}

// The law: changes of the snapshot under load fail no question, and every answer
// is whole: of the users and the date of one snapshot. A cursor of an earlier
// one is refused.
func TestUsersSwapUnderLoad(t *testing.T) {
	o := newOffice(t)
	const swaps = 12
	risks := map[string]float64{}
	for i := range swaps + 1 {
		date := day0 + pipeline.Date(i)
		risks[date.String()] = results(50, date)[0].Risk
	}
	o.score(t, 50, day0)
	o.reload(t)
	first, err := o.List(t.Context(), server.Query{Limit: 10})
	if err != nil {
		t.Fatal(err)
	}
	load := newLoad(t, 2, func() {
		u, s, err := o.Find(t.Context(), "1")
		if err != nil || u.AsOf != s.AsOf || u.Risk != risks[s.AsOf] {
			t.Errorf("%v: %+v of %+v", err, u, s)
		}
		page, err := o.List(t.Context(), server.Query{Limit: 50})
		if err != nil || len(page.Users) != 50 || page.Users[49].AsOf != page.Snapshot.AsOf {
			t.Errorf("%v: %d users of %+v", err, len(page.Users), page.Snapshot)
		}
	})
	for i := 1; i <= swaps; i++ {
		load.more(5) // between any two swaps
		o.score(t, 50, day0+pipeline.Date(i))
		o.reload(t)
	}
	load.stop()
	if s := o.Status(); s.Swaps != swaps+1 || s.Refusals != 0 || s.Errors != 0 {
		t.Errorf("%d questions, %+v", load.asked.Load(), s)
	}
	if _, err := o.List(t.Context(), server.Query{Limit: 10, Cursor: first.Cursor}); !errors.Is(err, server.ErrCursorExpired) {
		t.Errorf("an old cursor: %v", err)
	}
}

// Whatever the predictions come to, those in use go on, and status and log say
// why, once; when they are mended, they are taken.
func TestUsersRefuse(t *testing.T) {
	line := func(text string, i int) string { return strings.Split(text, "\n")[i] }
	for name, x := range map[string]struct {
		spoil  func(t *testing.T, o *office, path, text string)
		says   string
		errors bool
	}{
		"cut off, as is the manifest": {func(t *testing.T, o *office, path, text string) { o.put(t, text[:len(text)/2]) }, "run `churn score` again", false},
		"a risk of 7": {func(t *testing.T, o *office, path, text string) {
			o.put(t, strings.Replace(text, ",low,", ",7,low,", 1))
		}, "line", false},
		"a user twice":                {func(t *testing.T, o *office, path, text string) { o.put(t, text+line(text, 1)+"\n") }, "stands there twice", false},
		"other columns":               {func(t *testing.T, o *office, path, text string) { o.put(t, "a,b\n1,2\n") }, "has no column user_id", false},
		"empty":                       {func(t *testing.T, o *office, path, text string) { o.put(t, "") }, "no column", false},
		"nobody":                      {func(t *testing.T, o *office, path, text string) { o.put(t, line(text, 0)+"\n") }, "has no users", false},
		"another manifest":            {func(t *testing.T, o *office, path, text string) { write(t, path, text+line(text, 1)+"\n") }, "does not agree with its manifest", false},
		"no table":                    {func(t *testing.T, o *office, path, text string) { remove(t, path) }, "cannot be read", true},
		"no manifest":                 {func(t *testing.T, o *office, path, text string) { remove(t, manifestOf(path)) }, "is not there yet; run `churn score`", true},
		"a manifest that is none":     {func(t *testing.T, o *office, path, text string) { write(t, manifestOf(path), "{") }, "is not a manifest", true},
		"a manifest without a digest": {func(t *testing.T, o *office, path, text string) { write(t, manifestOf(path), "{}") }, "has no digest", true},
	} {
		t.Run(name, func(t *testing.T) {
			o := newOffice(t)
			o.score(t, 60, day0)
			o.reload(t)
			path := o.files.LatestPredictions().Path
			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			x.spoil(t, o, path, string(text))
			for range 4 {
				if err := o.Reload(t.Context()); err == nil || !strings.Contains(err.Error(), x.says) {
					t.Errorf("reload: %v, want %s", err, x.says)
				}
				o.clock = o.clock.Add(5 * time.Second)
			}
			if u, _, err := o.Find(t.Context(), "3"); err != nil || u.AsOf != day0.String() {
				t.Errorf("those from before: %v, %+v", err, u)
			}
			s := o.Status()
			if (s.Refusals == 1) == x.errors || (s.Errors > 0) != x.errors || !strings.Contains(s.Error, x.says) || s.AsOf != day0.String() {
				t.Errorf("status %+v", s)
			}
			if n := strings.Count(o.log.String(), "level=ERROR"); n != 1 {
				t.Errorf("%d errors in the log, want one that is not repeated: %s", n, o.log)
			}
			o.score(t, 70, day0+7)
			o.reload(t)
			if s := o.Status(); s.Error != "" || s.AsOf != (day0+7).String() {
				t.Errorf("after it was mended: %+v", s)
			}
		})
	}
}

// A table that is looked at while it is written is no fault to tell anybody of.
func TestUsersAreWrittenWhileRead(t *testing.T) {
	o := newOffice(t)
	o.score(t, 60, day0)
	o.reload(t)
	out := o.files.LatestPredictions()
	info, err := score.Write(results(61, day0+7), "v0001", out.Path, table.CSV)
	if err != nil {
		t.Fatal(err)
	}
	if err := o.Reload(t.Context()); err == nil {
		t.Error("a table without its manifest was taken")
	}
	if err := o.files.Record(out, info, workspace.Made{}); err != nil {
		t.Fatal(err)
	}
	o.reload(t)
	if s := o.Status(); s.Refusals != 0 || s.Error != "" || s.AsOf != (day0+7).String() || strings.Contains(o.log.String(), "ERROR") {
		t.Errorf("%+v\n%s", s, o.log)
	}
}

// put writes the latest predictions, good or bad, with a manifest that agrees.
func (o *office) put(t *testing.T, text string) {
	t.Helper()
	out := o.files.LatestPredictions()
	write(t, out.Path, text)
	info, err := atomicfile.Digest(out.Path)
	if err != nil {
		t.Fatal(err)
	}
	if err := o.files.Record(out, table.Info{Info: info}, workspace.Made{}); err != nil {
		t.Fatal(err)
	}
}

func manifestOf(path string) string {
	return strings.TrimSuffix(path, filepath.Ext(path)) + ".manifest.json"
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func remove(t *testing.T, path string) {
	t.Helper()
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
}

// A restart opens the store that is there, and so does another server; of several
// that begin at once one builds.
func TestUsersShareStores(t *testing.T) {
	o := newOffice(t)
	o.score(t, 400, day0)
	var all [4]*Users
	var begin sync.WaitGroup
	for i := range all {
		all[i] = o.another(t)
		begin.Go(func() {
			if err := all[i].Reload(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
	begin.Wait()
	if names := o.stores(t); len(names) != 1 {
		t.Errorf("four servers have built %v", names)
	}
	for _, u := range all {
		if asOf(t, u) != day0.String() {
			t.Error("another date")
		}
	}
	if err := os.Chmod(o.cache, 0o555); err != nil { // what is there can be used without writing
		t.Fatal(err)
	}
	defer os.Chmod(o.cache, 0o755) //nolint:errcheck // so that it can be removed
	if err := o.Reload(t.Context()); err != nil {
		t.Errorf("a cache that cannot be written: %v", err)
	}
}

// Stores that nobody needs go, after a while in which other servers may still
// be answering from them; so does what a killed build left.
func TestUsersCleanTheCache(t *testing.T) {
	o := newOffice(t)
	o.score(t, 60, day0)
	o.reload(t)
	left := filepath.Join(o.cache, ".users.tmp-1")
	if err := os.MkdirAll(left, 0o755); err != nil {
		t.Fatal(err)
	}
	slow := o.another(t)
	if err := slow.Reload(t.Context()); err != nil {
		t.Fatal(err)
	}
	o.score(t, 60, day0+7)
	o.reload(t)
	o.clock = o.clock.Add(keepUnused - time.Second)
	o.reload(t)
	if names := o.stores(t); len(names) != 2 {
		t.Errorf("too early: %v", names)
	}
	o.clock = o.clock.Add(2 * time.Second)
	o.reload(t)
	if names := o.stores(t); len(names) != 1 {
		t.Errorf("they stay: %v", names)
	}
	if _, err := os.Stat(left); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("what a killed build left is there: %v", err)
	}
	if u, s, err := slow.Find(t.Context(), "5"); err != nil || u.AsOf != day0.String() || s.AsOf != day0.String() {
		t.Errorf("a slow server: %v", err)
	}
}

// A store that is damaged, at rest or in use, is built again.
func TestUsersMendStores(t *testing.T) {
	o := newOffice(t)
	o.score(t, 3000, day0)
	o.reload(t)
	path := filepath.Join(o.cache, o.stores(t)[0])
	if err := os.Truncate(path, 8192); err != nil {
		t.Fatal(err)
	}
	if _, err := o.List(t.Context(), server.Query{Limit: 1000}); !errors.Is(err, snapshot.ErrDamaged) {
		t.Fatalf("cut while in use: %v", err)
	}
	next := o.another(t)
	for _, u := range []*Users{o.Users, next} {
		if err := u.Reload(t.Context()); err != nil {
			t.Fatal(err)
		}
		if page, err := u.List(t.Context(), server.Query{Limit: 1000}); err != nil || len(page.Users) != 1000 {
			t.Errorf("%d users: %v", len(page.Users), err)
		}
	}
	if len(o.stores(t)) != 1 {
		t.Errorf("%v", o.stores(t))
	}
}

// The history has a line for every kept table; each is read once, also over
// restarts. One that cannot be read is left out, and told of.
func TestUsersHistory(t *testing.T) {
	o := newOffice(t)
	var want []server.Snapshot
	for i := range 4 {
		date := day0 + pipeline.Date(7*i)
		s := server.Snapshot{AsOf: date.String(), Version: "v0001", FeatureSet: "set", Users: 40 + i, Tiers: map[string]int{}}
		sum := 0.0
		for _, r := range o.score(t, 40+i, date) {
			s.Tiers[r.Tier]++
			sum += r.Risk
		}
		s.MeanRisk, s.Scored = sum/float64(s.Users), o.clock.UTC()
		want = append(want, s)
	}
	same := func(what string, u *Users, want []server.Snapshot) {
		t.Helper()
		u.look(t.Context())
		got, err := u.History(t.Context())
		for i := range got {
			if len(got[i].Digest) != 64 {
				t.Errorf("%s: digest %q", what, got[i].Digest)
			}
			got = slices.Clone(got)
			got[i].Digest = ""
		}
		if diff := gocmp.Diff(want, got); err != nil || diff != "" {
			t.Errorf("%s: %v (-want +got)\n%s", what, err, diff)
		}
	}
	same("first", o.Users, want)
	write(t, o.files.Predictions(day0).Path, "spoilt") // its summary is known, so nobody reads it
	write(t, o.files.Predictions(day0+7).Path, "spoilt")
	same("restart", o.another(t), want)
	remove(t, filepath.Join(o.cache, summariesFile))
	same("a cache without summaries", o.another(t), want[2:])
	if n := strings.Count(o.log.String(), "left out of the history"); n != 2 {
		t.Errorf("%d warnings: %s", n, o.log)
	}
	remove(t, o.files.Predictions(day0+21).Path)
	same("the latest is not kept", o.another(t), want[2:])
	same("nothing new", o.Users, want) // as at its last look: the predictions have not changed
}

// A folder that cannot be written is a fault that says which setting to change.
func TestUsersWithoutACache(t *testing.T) {
	o := newOffice(t)
	o.score(t, 10, day0)
	write(t, o.cache, "a file")
	if err := o.Reload(t.Context()); err == nil || !strings.Contains(err.Error(), "--set paths.cache=DIR") {
		t.Errorf("%v", err)
	}
}

// Run takes what appears, by the hint of the folder alone, and closes the store
// when it ends.
func TestUsersRun(t *testing.T) {
	o := newOffice(t)
	o.score(t, 20, day0)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		o.Run(ctx, time.Hour, []string{o.files.Paths.Predictions})
	}()
	wait := func(users int) {
		for {
			if s, err := o.Snapshot(ctx); err == nil && s.Users == users {
				return
			}
			time.Sleep(time.Millisecond)
		}
	}
	wait(20)
	o.scoreNow(t, 30, day0+1)
	wait(30)
	cancel()
	<-done
	if _, err := o.Snapshot(t.Context()); err == nil {
		t.Error("the store is still in use")
	}
}
