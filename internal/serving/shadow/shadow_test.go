package shadow

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"churn/server"
)

// model is a predictor of the tests.
type model struct {
	info                 server.ModelInfo
	numeric, categorical []string
	predict              func(server.Row) server.Score
}

func (m *model) Info() server.ModelInfo { return m.info }
func (m *model) Inputs() (numeric, categorical []server.Input) {
	for _, n := range m.numeric {
		numeric = append(numeric, server.Input{Name: n})
	}
	for _, n := range m.categorical {
		categorical = append(categorical, server.Input{Name: n})
	}
	return numeric, categorical
}
func (m *model) Predict(row server.Row, _ int) server.Score { return m.predict(row) }
func (*model) PredictEvents(server.Events, int) (server.EventScore, error) {
	return server.EventScore{}, nil
}

// scored returns a score in one of the tiers.
func scored(risk float64) server.Score {
	tier := "low"
	if risk >= 0.5 {
		tier = "high"
	}
	return server.Score{Risk: risk, Margin: math.Log(risk / (1 - risk)), Tier: tier}
}

func champion() *model {
	return &model{info: server.ModelInfo{Version: "v1", Digest: "d1", FeatureSet: "f"}, numeric: []string{"a", "b", "c"}, categorical: []string{"p", "q"},
		predict: func(r server.Row) server.Score { return scored(r.Numeric[0]) }}
}

// challenger reads fewer inputs, in another order; its risk is 0.25 more.
func challenger() *model {
	return &model{info: server.ModelInfo{Version: "v2", Digest: "d2", FeatureSet: "f"}, numeric: []string{"c", "a"}, categorical: []string{"q"},
		predict: func(r server.Row) server.Score { return scored(r.Numeric[1] + 0.25) }}
}

// holder is a server.Models with one model, or none.
type holder struct{ server.Predictor }

func (h holder) Current() server.Predictor { return h.Predictor }
func (holder) Status() server.ModelStatus {
	return server.ModelStatus{Alias: "challenger", Version: "v2"}
}
func (holder) Reload(context.Context) error { return nil }

// kept is a server.Log of the tests.
type kept struct {
	sync.Mutex
	rows []server.Logged
}

func (k *kept) Record(l server.Logged) {
	k.Lock()
	defer k.Unlock()
	l.Row = server.Row{Numeric: slices.Clone(l.Row.Numeric), Categorical: slices.Clone(l.Row.Categorical)}
	k.rows = append(k.rows, l)
}
func (*kept) Status() server.LogStatus { return server.LogStatus{} }

func runner(t testing.TB, folder string, second server.Predictor, log server.Log) *Runner {
	t.Helper()
	r := New(Options{Models: holder{second}, Log: log, Folder: folder, Now: time.Now, Logger: slog.New(slog.DiscardHandler)})
	t.Cleanup(r.Close)
	return r
}

func answered(m *model, i int, risk float64) server.Logged {
	row := server.Row{Numeric: []float64{risk, 7, float64(i)}, Categorical: []string{"x", fmt.Sprint("q", i)}}
	return server.Logged{Time: time.Unix(int64(i), 0).UTC(), RequestID: fmt.Sprint("r", i), UserID: fmt.Sprint("u", i), Model: m, Row: row, Score: m.predict(row)}
}

// The law: a second model is given every row by the names of its inputs, its
// answers go to the log as what they are, and what is recorded is how they
// differ: by this process and the ones before it, until a model is another.
func TestCompares(t *testing.T) {
	folder, first, log := filepath.Join(t.TempDir(), "shadow"), champion(), &kept{}
	r := runner(t, folder, challenger(), log)
	for i := range 8 {
		r.Offer(answered(first, i, float64(i)/10))
	}
	r.Close()
	for i, l := range log.rows {
		if !l.Shadow || l.Model.Info().Version != "v2" || l.UserID != fmt.Sprint("u", i) || !slices.Equal(l.Row.Numeric, []float64{float64(i), float64(i) / 10}) || l.Row.Categorical[0] != fmt.Sprint("q", i) || l.Score.Risk != float64(i)/10+0.25 {
			t.Errorf("row %d: %+v", i, l)
		}
	}
	s := r.Status()
	want := server.ShadowComparison{Champion: "v1", Challenger: "v2", First: time.Unix(0, 0).UTC(), Last: time.Unix(7, 0).UTC(), Rows: 8, MeanDifference: 0.25, MeanAbsolute: 0.25,
		Quantiles: server.Quantiles{P1: 0.25, P10: 0.25, Median: 0.25, P90: 0.25, P99: 0.25}, RankCorrelation: 1, SameTier: 6. / 8, HighOnly: 2. / 8}
	approximately := cmp.Options{cmpopts.EquateApprox(0, 1e-9), cmpopts.IgnoreFields(server.ShadowComparison{}, "LatencyMean", "Latency99")}
	if len(log.rows) != 8 || s.Rows != 8 || s.Comparison == nil {
		t.Fatalf("%d logged, %+v", len(log.rows), s)
	}
	if d := cmp.Diff(want, *s.Comparison, approximately); d != "" {
		t.Error(d)
	}
	again := runner(t, folder, challenger(), nil)
	again.Offer(answered(first, 100, 0.1))
	again.Close()
	got, err := Read(folder, [2]string{"v1", "d1"}, [2]string{"v2", "d2"})
	if err != nil || got == nil || got.Rows != 9 || got.Last.Unix() != 100 || again.Status().Rows != 1 || again.Status().Comparison.Rows != 9 {
		t.Errorf("%+v %v", got, err)
	}
	if got, err := Read(folder, [2]string{"v1", "d1"}, [2]string{"v2", "other"}); got != nil || err != nil {
		t.Errorf("of another model: %+v %v", got, err)
	}
	anew := challenger()
	anew.info.Digest = "d3"
	other := runner(t, folder, anew, nil)
	other.Offer(answered(first, 1, 0.1))
	other.Close()
	if got, err := Read(folder, [2]string{"v1", "d1"}, [2]string{"v2", "d3"}); err != nil || got == nil || got.Rows != 1 {
		t.Errorf("after the model changed: %+v %v", got, err)
	}
}

// A second model that cannot answer, or that rows are none for, is counted and
// told, and harms nobody.
func TestCannotCompare(t *testing.T) {
	for name, x := range map[string]struct {
		change                func(*model)
		failed, skipped, rows int64
		says                  string
	}{
		"NaN":              {func(m *model) { m.predict = func(server.Row) server.Score { return server.Score{Risk: math.NaN()} } }, 3, 0, 0, "v2 answers a risk of NaN"},
		"beyond 1":         {func(m *model) { m.predict = func(server.Row) server.Score { return server.Score{Risk: 1.5} } }, 3, 0, 0, "1.5"},
		"panic":            {func(m *model) { m.predict = func(server.Row) server.Score { panic("no") } }, 3, 0, 0, "v2 cannot score a row: string"},
		"other features":   {func(m *model) { m.info.FeatureSet = "g" }, 0, 3, 0, "feature set f, and v2 reads g"},
		"an input is gone": {func(m *model) { m.numeric = append(m.numeric, "z") }, 0, 3, 0, "do not have z"},
		"the same model":   {func(m *model) { m.info.Digest = "d1" }, 0, 0, 0, ""},
		"sound":            {func(*model) {}, 0, 0, 3, ""},
	} {
		t.Run(name, func(t *testing.T) {
			folder, second := t.TempDir(), challenger()
			x.change(second)
			r := runner(t, folder, second, nil)
			for i := range 3 {
				r.Offer(answered(champion(), i, 0.25))
			}
			r.Close()
			s := r.Status()
			if s.Failed != x.failed || s.Skipped != x.skipped || s.Rows != x.rows || s.Dropped != 0 || !strings.Contains(s.Error, x.says) || (s.Error == "") != (x.says == "") {
				t.Errorf("%+v", s)
			}
			got, err := Read(folder, [2]string{"v1", "d1"}, [2]string{"v2", second.info.Digest})
			if err != nil || (got == nil) != (x.failed+x.skipped+x.rows == 0) || got != nil && (got.Failed != x.failed || got.Skipped != x.skipped || got.Rows != x.rows) {
				t.Errorf("recorded %+v %v", got, err)
			}
		})
	}
	r := runner(t, t.TempDir(), nil, nil)
	r.options.Models = holder{}
	r.Offer(answered(champion(), 1, 0.1))
	r.Close()
	if s := r.Status(); s.Rows+s.Failed+s.Skipped+s.Dropped != 0 || s.Comparison != nil {
		t.Errorf("without a second model: %+v", s)
	}
}

// A request never waits for a second model that hangs.
func TestHangingModelDrops(t *testing.T) {
	first, second, hold := champion(), challenger(), make(chan bool)
	second.predict = func(server.Row) server.Score { <-hold; return scored(0.5) }
	r := runner(t, t.TempDir(), second, nil)
	const offered = queued + 100
	for i := range offered {
		r.Offer(answered(first, i, 0.25))
	}
	if d := r.Status().Dropped; d < 99 || d > 100 { // one may be in the model's hands
		t.Errorf("%d dropped", d)
	}
	close(hold)
	r.Close()
	if s := r.Status(); s.Rows+s.Dropped != offered {
		t.Errorf("%+v", s)
	}
}

// A folder that cannot be written costs nothing but the record, which comes
// once it can.
func TestFaultyFolder(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "shadow")
	if err := os.WriteFile(folder, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	r := runner(t, folder, challenger(), nil)
	r.Offer(answered(champion(), 1, 0.25))
	r.Close()
	if s := r.Status(); s.Rows != 1 || s.Comparison == nil || s.Comparison.Rows != 1 {
		t.Errorf("%+v", s)
	}
	if err := os.Remove(folder); err != nil {
		t.Fatal(err)
	}
	r.save() // the goroutine has ended
	if got, err := Read(folder, [2]string{"v1", "d1"}, [2]string{"v2", "d2"}); err != nil || got == nil || got.Rows != 1 {
		t.Errorf("%+v %v", got, err)
	}
	if err := os.WriteFile(pathOf(folder, names{side{"v1", "d1"}, side{"v2", "d2"}}), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Read(folder, [2]string{"v1", "d1"}, [2]string{"v2", "d2"}); err == nil || !strings.Contains(err.Error(), "remove the file") {
		t.Errorf("%v", err)
	}
}

// The law: what is summed up from bins, over parts added in any order and
// through JSON, agrees with the same figures from the rows themselves.
func TestTallyEqualsItsTwin(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	const n = 3000
	parts := []*tally{newTally(), newTally(), newTally()}
	var ours, theirs, differences []float64
	var sum, size, same float64
	for i := range n {
		x := 1 / (1 + math.Exp(-2*rng.NormFloat64()))
		y := min(max(x+rng.NormFloat64()/10, 0), 1)
		a, b := scored(x), scored(y)
		parts[i%3].seen(time.Unix(int64(i), 0))
		parts[i%3].compare(a, b, time.Duration(1+rng.IntN(1000))*time.Microsecond)
		ours, theirs, differences = append(ours, float64(riskBin(x))), append(theirs, float64(riskBin(y))), append(differences, y-x)
		sum, size = sum+y-x, size+math.Abs(y-x)
		if a.Tier == b.Tier {
			same++
		}
	}
	var summaries []server.ShadowComparison
	for _, order := range [][]int{{0, 1, 2}, {2, 0, 1}} {
		all := newTally()
		for _, k := range order {
			text, err := json.Marshal(parts[k])
			if err != nil {
				t.Fatal(err)
			}
			part := newTally()
			if err := json.Unmarshal(text, part); err != nil {
				t.Fatal(err)
			}
			all.add(part)
		}
		summaries = append(summaries, all.comparison(names{}))
	}
	if d := cmp.Diff(summaries[0], summaries[1], cmpopts.EquateApprox(1e-12, 0)); d != "" {
		t.Error(d)
	}
	got := summaries[0]
	slices.Sort(differences)
	for _, c := range []struct {
		what           string
		got, want, off float64
	}{
		{"mean", got.MeanDifference, sum / n, 1e-12}, {"mean size", got.MeanAbsolute, size / n, 1e-12}, {"same tier", got.SameTier, same / n, 1e-12},
		{"other tiers", got.SameTier + got.HighOnly + got.HighNoMore, 1, 1e-12},
		{"p1", got.Quantiles.P1, differences[n/100-1], 0.0006}, {"median", got.Quantiles.Median, differences[n/2-1], 0.0006}, {"p99", got.Quantiles.P99, differences[n*99/100-1], 0.0006},
		{"rank correlation", got.RankCorrelation, naiveSpearman(ours, theirs), 1e-9}, {"p99 of latency", got.Latency99, 0.99, 0.2},
	} {
		if !(math.Abs(c.got-c.want) <= c.off) {
			t.Errorf("%s: %v, want %v", c.what, c.got, c.want)
		}
	}
	if got.Rows != n || got.First.Unix() != 0 || got.Last.Unix() != n-1 || got.RankCorrelation < 0.5 || got.RankCorrelation > 0.999 {
		t.Errorf("%+v", got)
	}
}

// naiveSpearman is Pearson's correlation of the mean ranks, by counting.
func naiveSpearman(a, b []float64) float64 {
	rank := func(of []float64, x float64) (r float64) {
		for _, y := range of {
			switch {
			case y < x:
				r++
			case y == x:
				r += 0.5
			}
		}
		return r
	}
	var ab, aa, bb float64
	mean := float64(len(a)) / 2
	for i := range a {
		x, y := rank(a, a[i])-mean, rank(b, b[i])-mean
		ab, aa, bb = ab+x*y, aa+x*x, bb+y*y
	}
	return ab / math.Sqrt(aa*bb)
}

func TestOfferAllocatesNothing(t *testing.T) {
	r := runner(t, t.TempDir(), challenger(), nil)
	first := champion()
	first.info.Digest = "d2" // the same model, so that only the queue is at work
	l := answered(first, 1, 0.25)
	least := math.Inf(1)
	for range 50 { // the scorer may lag behind at first, and the collector empties pools at any time
		for range 2 * queued {
			r.Offer(l)
		}
		least = min(least, testing.AllocsPerRun(1000, func() { r.Offer(l) }))
		if least <= 0.2 {
			break
		}
	}
	if least > 0.2 && !raceEnabled { // with the race detector pools forget
		t.Errorf("%v allocations a row", least)
	}
}
