package snapshot

import (
	"cmp"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"churn/internal/table"
	"churn/pipeline"
	"churn/pipeline/score"
	"churn/pipeline/validate"
	"churn/server"
)

// results returns n scored users with the ids that id gives, in user order.
func results(n int, id func(i int) string) []score.Result {
	rng := rand.New(rand.NewPCG(uint64(n), 1))
	tiers := score.Defaults().Tiers
	out := make([]score.Result, n)
	for i := range out {
		risk := math.Floor(rng.Float64()*500) / 500
		out[i] = score.Result{AsOf: 20000, SinceSignup: int64(rng.IntN(900)), LastActivity: float64(rng.IntN(30)),
			Score: score.Score{Risk: risk, Tier: tiers.Of(risk),
				Reasons: []score.Reason{{Text: fmt.Sprintf("no video in %d days; usually every %d", rng.IntN(30), rng.IntN(9))}, {Text: `a "quoted", one`}}[:rng.IntN(3)]},
			User: pipeline.User{ID: id(i), Plan: []string{"free", "paid"}[rng.IntN(2)], Paid: rng.IntN(2) == 1,
				Country: []string{"DE", "US", "IN", ""}[rng.IntN(4)], Source: []string{"organic", "ads", "naïve, source"}[rng.IntN(3)]}}
		if rng.IntN(9) == 0 {
			out[i].LastActivity = math.NaN()
		}
	}
	slices.SortFunc(out, func(a, b score.Result) int { return validate.CompareIDs(a.User.ID, b.User.ID) })
	order := make([]int, n)
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(out[b].Risk, out[a].Risk) })
	for k, i := range order {
		out[i].Rank = k + 1
	}
	return out
}

// source writes results as churn score does.
func source(tb testing.TB, rows []score.Result, format table.Format) Source {
	tb.Helper()
	path := filepath.Join(tb.TempDir(), "batch_predictions_latest."+string(format))
	info, err := score.Write(rows, "v0007", path, format)
	if err != nil {
		tb.Fatal(err)
	}
	return Source{Path: path, SHA256: info.SHA256}
}

func build(tb testing.TB, s Source) *Store {
	tb.Helper()
	store, err := Build(context.Background(), tb.TempDir(), s)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { store.Close() })
	return store
}

// expected is a result as the store should give it back.
func expected(r *score.Result) server.User {
	u := server.User{ID: r.User.ID, AsOf: r.AsOf.String(), Risk: r.Risk, Rank: r.Rank, Tier: r.Tier, Plan: r.User.Plan, Paid: r.User.Paid, Country: r.User.Country,
		Source: r.User.Source, SinceSignup: r.SinceSignup, Reasons: []string{}, Version: "v0007"}
	if !math.IsNaN(r.LastActivity) {
		u.LastActivity = &r.LastActivity
	}
	for _, reason := range r.Reasons {
		u.Reasons = append(u.Reasons, reason.Text)
	}
	return u
}

func mixedIDs(i int) string {
	return []string{strconv.Itoa(i), fmt.Sprintf("%05d", i), fmt.Sprintf("u-%x", i*7919), fmt.Sprintf("é\xff%d", i)}[i%4]
}

func plainIDs(i int) string { return strconv.Itoa(i + 1) }

// naive lists by looking at everybody: the readable twin of List.
func naive(rows []score.Result, q server.Query) []server.User {
	out := []server.User{}
	for i := range rows {
		u := expected(&rows[i])
		if (q.Tier == "" || q.Tier == u.Tier) && (q.Plan == "" || q.Plan == u.Plan) && (q.Country == "" || q.Country == u.Country) &&
			(q.Source == "" || q.Source == u.Source) && strings.HasPrefix(u.ID, q.Search) {
			out = append(out, u)
		}
	}
	silence := func(u *server.User) float64 {
		if u.LastActivity == nil {
			return math.Inf(1)
		}
		return *u.LastActivity
	}
	switch q.Sort {
	case sortUser:
	case sortSilence:
		slices.SortFunc(out, func(a, b server.User) int {
			return cmp.Or(cmp.Compare(silence(&b), silence(&a)), cmp.Compare(a.Rank, b.Rank))
		})
	default:
		slices.SortFunc(out, func(a, b server.User) int { return cmp.Compare(a.Rank, b.Rank) })
	}
	return out
}

// The law: whatever is selected and however it is sorted, the pages together
// are what looking at everybody gives, and each says the total.
func TestListEqualsTheNaiveTwin(t *testing.T) {
	pick := func(rng *rand.Rand, values ...string) string { return values[rng.IntN(len(values))] }
	for name, id := range map[string]func(int) string{"numbers": plainIDs, "mixed": mixedIDs, "padded": func(i int) string { return fmt.Sprintf("%06d", i) }} {
		for _, format := range []table.Format{table.CSV, table.Parquet} {
			rows := results(1200, id)
			store := build(t, source(t, rows, format))
			if store.meta.Ordered != (name != "mixed") {
				t.Errorf("%s: ordered is %v", name, store.meta.Ordered)
			}
			rng := rand.New(rand.NewPCG(3, 4))
			for range 40 {
				q := server.Query{Tier: pick(rng, "", "", "low", "high"), Plan: pick(rng, "", "", "free"), Country: pick(rng, "", "", "DE", "XX"), Source: pick(rng, "", "", "naïve, source"),
					Search: pick(rng, "", "", "1", "00", "12", "u-", "u-1", "é", "é\xff1", "\xff", "999999"), Sort: pick(rng, "", sortRisk, sortUser, sortSilence), Limit: 1 + rng.IntN(200)}
				want, got := naive(rows, q), []server.User{}
				for page, first := (server.Page{}), true; first || page.Cursor != ""; first = false {
					var err error
					q.Cursor = page.Cursor
					if page, err = store.List(q); err != nil {
						t.Fatalf("%+v: %v", q, err)
					}
					if page.Total != len(want) || len(page.Users) > q.Limit {
						t.Fatalf("%s %+v: total %d and %d users, want %d and at most %d", name, q, page.Total, len(page.Users), len(want), q.Limit)
					}
					got = append(got, page.Users...)
				}
				if diff := gocmp.Diff(want, got); diff != "" {
					t.Fatalf("%s %+v (-want +got)\n%s", name, q, diff)
				}
			}
		}
	}
}

func TestFindAndSnapshot(t *testing.T) {
	rows := results(1000, mixedIDs)
	s := source(t, rows, table.CSV)
	store := build(t, s)
	tiers, sum := map[string]int{}, 0.0
	for i := range rows {
		tiers[rows[i].Tier]++
		sum += rows[i].Risk
		u, err := store.Find(rows[i].User.ID)
		if diff := gocmp.Diff(expected(&rows[i]), u); err != nil || diff != "" {
			t.Fatalf("%q: %v (-want +got)\n%s", rows[i].User.ID, err, diff)
		}
	}
	for _, id := range []string{"", "nobody", "99999999", "0", strings.Repeat("9", 1<<17), "\x00"} {
		if _, err := store.Find(id); id != "0" && !errors.Is(err, server.ErrNoUser) {
			t.Errorf("%.20q: %v, want %v", id, err, server.ErrNoUser)
		}
	}
	want := server.Snapshot{AsOf: rows[0].AsOf.String(), Version: "v0007", Digest: s.SHA256, Users: 1000, Tiers: tiers, MeanRisk: sum / 1000,
		Plans: []string{"free", "paid"}, Countries: []string{"", "DE", "IN", "US"}, Sources: []string{"ads", "naïve, source", "organic"}}
	if diff := gocmp.Diff(want, store.Snapshot()); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	want.Plans, want.Countries, want.Sources = nil, nil, nil
	summary, err := Summarise(t.Context(), s)
	if diff := gocmp.Diff(want, summary); err != nil || diff != "" {
		t.Errorf("summary: %v (-want +got)\n%s", err, diff)
	}
}

// A store that is opened again says the same of itself. Its bytes may differ
// from those of another build of the same predictions.
func TestOpenAgain(t *testing.T) {
	built := build(t, source(t, results(500, plainIDs), table.CSV))
	again, err := Open(built.path)
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	if diff := gocmp.Diff(built.meta, again.meta); diff != "" {
		t.Error(diff)
	}
}

func TestQueryFaults(t *testing.T) {
	store := build(t, source(t, results(100, plainIDs), table.CSV))
	later := build(t, source(t, results(101, plainIDs), table.CSV))
	page, err := store.List(server.Query{Limit: 10})
	if err != nil {
		t.Fatal(err)
	}
	for name, q := range map[string]server.Query{
		"?sort": {Sort: "name"}, "?limit": {Limit: 1001}, "?tier": {Tier: "huge"}, "?cursor": {Cursor: "x!"},
		"?cursor ": {Cursor: page.Cursor, Tier: "low"}, // of another selection
	} {
		_, err := store.List(q)
		var faults server.Faults
		if !errors.As(err, &faults) || faults[0].Field != strings.TrimSpace(name) {
			t.Errorf("%+v: %v, want a fault of %s", q, err, name)
		}
	}
	if _, err := later.List(server.Query{Cursor: page.Cursor}); !errors.Is(err, server.ErrCursorExpired) {
		t.Errorf("a cursor of an earlier snapshot: %v", err)
	}
}

// Any cursor, under any selection: a page of the selected, or a refusal; that
// of the page before goes on where it ended.
func FuzzCursor(f *testing.F) {
	s := build(f, source(f, results(300, mixedIDs), table.CSV))
	for _, q := range []server.Query{{Limit: 7}, {Limit: 7, Tier: "high"}, {Limit: 7, Sort: "user_id", Search: "1"}} {
		page, err := s.List(q)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(page.Cursor, q.Tier, q.Search, q.Sort, 7)
		if b, err := base64.RawURLEncoding.DecodeString(page.Cursor); err == nil && len(b) > 0 {
			b[len(b)-4] = 0xff // beyond the end
			f.Add(base64.RawURLEncoding.EncodeToString(b), q.Tier, q.Search, q.Sort, 7)
		}
	}
	f.Add("AAAA", "", "", "risk", 0)
	f.Add("%", "x", "\x00", "", -1)
	f.Fuzz(func(t *testing.T, cursor, tier, search, sort string, limit int) {
		page, err := s.List(server.Query{Cursor: cursor, Tier: tier, Search: search, Sort: sort, Limit: limit})
		var faults server.Faults
		if err != nil {
			if !errors.As(err, &faults) && !errors.Is(err, server.ErrCursorExpired) {
				t.Errorf("%q: %v", cursor, err)
			}
			return
		}
		if len(page.Users) > max(limit, defaultLimit) || len(page.Users) > page.Total {
			t.Errorf("%q: %d users of %d", cursor, len(page.Users), page.Total)
		}
		for _, u := range page.Users {
			if !strings.HasPrefix(u.ID, search) || tier != "" && u.Tier != tier {
				t.Errorf("%q %q %q: %+v", cursor, tier, search, u)
			}
		}
	})
}

// A field with too many values is no field to select by, and says so.
func TestWideField(t *testing.T) {
	rows := results(maxValues+100, plainIDs)
	for i := range rows {
		rows[i].User.Country = fmt.Sprint("country ", i)
	}
	store := build(t, source(t, rows, table.CSV))
	var faults server.Faults
	if _, err := store.List(server.Query{Country: "country 1"}); !errors.As(err, &faults) {
		t.Errorf("got %v, want a fault", err)
	}
	if page, err := store.List(server.Query{Plan: "paid"}); err != nil || len(page.Users) == 0 {
		t.Errorf("other fields: %v", err)
	}
}

// Predictions that cannot be are refused with the line; nothing is left behind.
func TestBuildRefuses(t *testing.T) {
	good := results(50, plainIDs)
	for name, x := range map[string]struct {
		spoil func(rows []score.Result) []score.Result
		want  string
	}{
		"twice":      {func(r []score.Result) []score.Result { r[9].User.ID = r[8].User.ID; return r }, "line 11: user 9: the user stands there twice"},
		"rank twice": {func(r []score.Result) []score.Result { r[9].Rank = r[8].Rank; return r }, "is there twice"},
		"rank 0":     {func(r []score.Result) []score.Result { r[9].Rank = 0; return r }, "rank 0 is out of range"},
		"rank high":  {func(r []score.Result) []score.Result { r[9].Rank = 51; return r }, "beyond the 50 users"},
		"two dates":  {func(r []score.Result) []score.Result { r[9].AsOf++; return r }, "as of 2024-10-05"},
		"risk":       {func(r []score.Result) []score.Result { r[9].Risk = 1.5; return r }, "line 11: churn_risk: \"1.5\" is not a probability"},
		"nobody":     {func([]score.Result) []score.Result { return nil }, "has no users"},
	} {
		dir := t.TempDir()
		_, err := Build(context.Background(), dir, source(t, x.spoil(slices.Clone(good)), table.CSV))
		if err == nil || !strings.Contains(err.Error(), x.want) {
			t.Errorf("%s: %v, want %s", name, err, x.want)
		}
		_, err = Summarise(context.Background(), source(t, x.spoil(slices.Clone(good)), table.CSV))
		if byOrder := strings.HasPrefix(name, "rank") || name == "twice"; (err == nil) != byOrder {
			t.Errorf("%s: a summary says %v", name, err)
		}
		if left, _ := os.ReadDir(dir); len(left) > 0 {
			t.Errorf("%s: left %v behind", name, left)
		}
	}
	s := source(t, good, table.CSV)
	s.SHA256 = strings.Repeat("0", 64)
	if _, err := Build(context.Background(), t.TempDir(), s); err == nil || !strings.Contains(err.Error(), "does not agree with its manifest") {
		t.Errorf("another digest: %v", err)
	}
}

// A store that was changed is not opened; one that is cut while in use answers
// with an error, and the program lives.
func TestDamage(t *testing.T) {
	store := build(t, source(t, results(20000, plainIDs), table.CSV))
	data, err := os.ReadFile(store.path)
	if err != nil {
		t.Fatal(err)
	}
	changed := filepath.Join(t.TempDir(), store.Name())
	data[len(data)/2] ^= 1
	if err := os.WriteFile(changed, data, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(changed); err == nil || !strings.Contains(err.Error(), "damaged") {
		t.Errorf("a flipped bit: %v", err)
	}
	if err := os.Truncate(store.path, 8192); err != nil {
		t.Fatal(err)
	}
	if _, err := store.List(server.Query{}); err == nil || !strings.Contains(err.Error(), "damaged") {
		t.Errorf("cut while in use: %v", err)
	}
}

// The law: a build holds some thirty bytes a user, not the users.
func TestBuildHoldsLittle(t *testing.T) {
	users := 300_000
	if testing.Short() || raceEnabled {
		users = 30_000
	}
	s := source(t, results(users, plainIDs), table.CSV)
	runtime.GC()
	peak := peakHeap(func() { build(t, s) })
	if limit := uint64(users)*40 + 48<<20; peak > limit {
		t.Errorf("building %d users held %d MB, want at most %d", users, peak>>20, limit>>20)
	}
}

// peakHeap returns by how much the heap grew at most while f ran.
func peakHeap(f func()) uint64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	start, peak := m.HeapInuse, m.HeapInuse
	stop, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		for tick := time.NewTicker(5 * time.Millisecond); ; {
			select {
			case <-stop:
				tick.Stop()
				return
			case <-tick.C:
				runtime.ReadMemStats(&m)
				peak = max(peak, m.HeapInuse)
			}
		}
	}()
	f()
	close(stop)
	<-done
	return peak - start
}

func BenchmarkBuild(b *testing.B) {
	for _, users := range []int{100_000, 2_000_000} {
		b.Run(fmt.Sprint(users), func(b *testing.B) {
			s := source(b, results(users, plainIDs), table.CSV)
			runtime.GC()
			for b.Loop() {
				peak := peakHeap(func() {
					store := build(b, s)
					info, _ := os.Stat(store.path)
					b.ReportMetric(float64(info.Size())/1e6, "file-MB")
				})
				b.ReportMetric(float64(peak)/1e6, "heap-MB")
			}
			b.ReportMetric(float64(users)*float64(b.N)/b.Elapsed().Seconds(), "users/s")
		})
	}
}

func BenchmarkAnswer(b *testing.B) {
	store := build(b, source(b, results(2_000_000, plainIDs), table.CSV))
	b.Run("find", func(b *testing.B) {
		for i := 0; b.Loop(); i++ {
			if _, err := store.Find(strconv.Itoa(1 + i*7919%2_000_000)); err != nil {
				b.Fatal(err)
			}
		}
	})
	for name, q := range map[string]server.Query{"all": {}, "tier": {Tier: "low"}, "four fields": {Tier: "low", Plan: "free", Country: "DE", Source: "ads"},
		"search": {Search: "12345"}, "wide search": {Search: "1"}, "wide search by user": {Search: "1", Sort: sortUser, Tier: "low"}} {
		b.Run("list "+name, func(b *testing.B) {
			for b.Loop() {
				if _, err := store.List(q); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
