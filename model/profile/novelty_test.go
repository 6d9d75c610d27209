package profile

import (
	"math"
	"testing"

	"churn/model"
)

// numbers returns rows of one numeric feature, so many of each user.
func numbers(each int, values ...float64) Rows {
	r := Rows{Frame: &model.Frame{NumericNames: []string{"x"}, Numeric: values}}
	for i := range values {
		r.User = append(r.User, int32(i/each))
	}
	return r
}

// Values beyond the maximum by the distance from the last percentile are novel;
// by hand: 4 of 100 users with half a draw each against 1,000.
func TestNoveltyOfNumbers(t *testing.T) {
	var before, now []float64
	for i := range 1000 {
		before = append(before, float64(i)) // the last percentile is 989, the fence 999+10
	}
	for i := range 100 {
		now = append(now, float64(10*i))
	}
	copy(now, []float64{1009, 1010, 5000, -11, 2000, math.Inf(1), math.NaN()})
	r := Of(numbers(1, before...))
	d, err := r.Drift(numbers(1, now...), Scores{}, Limits{WarnPSI: 1, FailPSI: 1, FDR: 0.01, NovelFDR: 0.01, MovedShare: 1})
	if err != nil {
		t.Fatal(err)
	}
	f := d.Features[0]
	if f.NovelUsers != 4 || !f.Strange {
		t.Errorf("%+v", f)
	}
	near(t, "share", f.Novel, 0.04, 1e-12)
	near(t, "p-value", f.NovelP, math.Pow(50.0/1050, 4), 1e-15)
}

// Bins and novelties have shares of false alarms of their own.
func TestNovelShare(t *testing.T) {
	values := make([]float64, 300)
	for i := range values {
		values[i] = float64(i)
	}
	r := Of(numbers(1, values...))
	now := append(make([]float64, 0, 100), values[100:200]...)
	now[0], now[1] = 1e6, 1e6
	for novel, want := range map[float64]bool{0.5: true, 1e-9: false} {
		d, err := r.Drift(numbers(1, now...), Scores{}, Limits{WarnPSI: 1, FailPSI: 1, FDR: 1e-9, NovelFDR: novel, MovedShare: 1})
		if err != nil || d.Features[0].Strange != want {
			t.Errorf("at %v: %+v (%v)", novel, d.Features[0].Novelty, err)
		}
	}
}

// Five rows of one user are one user.
func TestNoveltyCountsUsers(t *testing.T) {
	var before, now []float64
	for i := range 1000 {
		before = append(before, float64(i/5))
	}
	for i := range 200 {
		now = append(now, float64(i))
	}
	for i := range 5 {
		now[i] = 1e6
	}
	r := Of(numbers(5, before...))
	d, err := r.Drift(numbers(5, now...), Scores{}, DefaultLimits())
	if err != nil || d.Features[0].NovelUsers != 1 || d.Features[0].Strange {
		t.Errorf("%+v (%v)", d.Features[0].Novelty, err)
	}
}

// A level that only newcomers have is judged among the newcomers: three of ten
// are no chance, three of a thousand could be.
func TestNoveltyOfLevels(t *testing.T) {
	before, now := Rows{Frame: &model.Frame{CategoricalNames: []string{"source"}}}, Rows{Frame: &model.Frame{CategoricalNames: []string{"source"}}}
	for i := range 1000 {
		before.Frame.Categorical = append(before.Frame.Categorical, []string{"search", "friend"}[i%2])
		level := []string{"search", "friend"}[i%2]
		if i < 3 {
			level = "new"
		}
		now.Frame.Categorical, now.Known = append(now.Frame.Categorical, level), append(now.Known, i >= 10)
	}
	r := Of(before)
	for name, c := range map[string]struct {
		known []bool
		p     float64
	}{"nobody knows": {nil, 1.0 / 8}, "newcomers": {now.Known, math.Pow(10.0/1010, 3)}} {
		now.Known = c.known
		d, err := r.Drift(now, Scores{}, DefaultLimits())
		if err != nil {
			t.Fatal(err)
		}
		near(t, name, d.Features[0].NovelP, c.p, 1e-12)
		if d.Features[0].NovelUsers != 3 {
			t.Errorf("%s: %+v", name, d.Features[0])
		}
	}
	now.Known = nil
	for i := range 3 {
		now.Frame.Categorical[999-i] = "newer" // of users who are known: attributes change, too
	}
	if d, err := r.Drift(now, Scores{}, DefaultLimits()); err != nil || d.Features[0].NovelUsers != 6 {
		t.Errorf("%+v (%v)", d.Features, err)
	}
}

// The law: the shares of the cells of a feature add up to 1, before and now, and
// give its index.
func TestCellsTellTheIndex(t *testing.T) {
	rng := random(21)
	r := Of(world(rng, 600, 3, 0.5, 0))
	d, err := r.Drift(world(rng, 500, 3, 0.5, 0.4), Scores{}, DefaultLimits())
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range d.Features {
		var before, now, psi float64
		k := float64(len(f.Cells))
		for _, c := range f.Cells {
			before, now = before+c.Before, now+c.Now
			p, q := (c.Before*1800+smoothing)/(1800+smoothing*k), (c.Now*1500+smoothing)/(1500+smoothing*k)
			psi += (q - p) * math.Log(q/p)
			if c.Label == "" {
				t.Errorf("%s: a cell without a label", f.Name)
			}
		}
		near(t, f.Name+" before", before, 1, 1e-12)
		near(t, f.Name+" now", now, 1, 1e-12)
		near(t, f.Name+" PSI", f.PSI, psi, 1e-12)
	}
}

// The law: the quantile of a percentile is the value at its rounded rank, whatever
// the number of rows.
func TestQuantile(t *testing.T) {
	for rows := 1; rows < 400; rows++ {
		var values []float64
		for i := range rows {
			values = append(values, float64(i))
		}
		n := numericOf("x", values, newGroups(nil, rows))
		for _, q := range []float64{0, 0.01, 0.5, 0.9, 0.99, 1} {
			if got, want := n.Quantile(q), float64(int(q*float64(rows-1)+0.5)); got != want {
				t.Fatalf("%d rows, quantile %v: %v, want %v", rows, q, got, want)
			}
		}
	}
	if n := numericOf("x", []float64{math.NaN()}, newGroups(nil, 1)); !math.IsNaN(n.Quantile(0.5)) {
		t.Error("nothing has a quantile")
	}
}

// A reference of before novelties were measured is read, and is careful.
func TestWithoutApart(t *testing.T) {
	rows := world(random(22), 300, 4, 0.2, 0)
	r := Of(rows)
	if r.Numeric[0].Apart < 0.2 || r.Numeric[0].Apart > 1 {
		t.Errorf("rows are hardly alike, and %v apart", r.Numeric[0].Apart)
	}
	r.Numeric[0].Apart = 0
	data, err := r.Encode()
	if err != nil {
		t.Fatal(err)
	}
	old, err := Decode(data)
	if err != nil {
		t.Fatal(err)
	}
	if m := effective(old.Rows, old.RowsPerUser, 1-old.Numeric[0].Apart); math.Abs(m-300) > 1e-9 {
		t.Errorf("%v draws of 300 users", m)
	}
}
