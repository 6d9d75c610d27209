package profile

import (
	"bytes"
	"math"
	"math/rand/v2"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"

	"churn/model"
)

// world returns rows of users, each with so many, of features that are alike
// within a user to the degree of share: normal, with many zeros and nulls, of
// two values, constant, and text. shift moves all of them.
func world(rng *rand.Rand, users, each int, share, shift float64) Rows {
	f := &model.Frame{NumericNames: []string{"normal", "zeros", "flag", "constant"}, CategoricalNames: []string{"letter", "free"}}
	var user []int32
	for u := range users {
		own := rng.NormFloat64()
		for range each {
			x := math.Sqrt(share)*own + math.Sqrt(1-share)*rng.NormFloat64() + shift
			zeros := math.Max(x, 0)
			if x > 1.5 {
				zeros = math.NaN()
			}
			flag := 0.0
			if x > 0.2 {
				flag = 1
			}
			f.Numeric = append(f.Numeric, x, zeros, flag, 7)
			letter := string(rune('a' + min(max(int(2*x+4), 0), 8)))
			if rng.IntN(20) == 0 {
				letter = ""
			}
			f.Categorical = append(f.Categorical, letter, strconv.Itoa(rng.IntN(800)))
			user = append(user, int32(u))
		}
	}
	return Rows{Frame: f, User: user}
}

func random(seed uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, 1)) }

// naiveAlike is the definition: a one-way analysis of variance of every cell's
// indicator, added up with weights 1/p.
func naiveAlike(cell []int32, cells int, user []int32) float64 {
	n, members := float64(len(cell)), map[int32][]int32{}
	for i, u := range user {
		members[u] = append(members[u], cell[i])
	}
	var between, within, squares float64
	for _, m := range members {
		squares += float64(len(m) * len(m))
	}
	shareOf := func(of []int32, k int32) (s float64) {
		for _, c := range of {
			if c == k {
				s += 1 / float64(len(of))
			}
		}
		return s
	}
	for k := range int32(cells) {
		p := shareOf(cell, k)
		if p == 0 {
			continue
		}
		for _, m := range members {
			own := shareOf(m, k)
			between += float64(len(m)) * (own - p) * (own - p) / p
			within += float64(len(m)) * own * (1 - own) / p
		}
	}
	users := float64(len(members))
	sb, sw, k0 := between/(users-1), within/(n-users), (n-squares/n)/(users-1)
	return (sb - sw) / (sb + (k0-1)*sw)
}

// The law: counts, points and correlations are those of their definitions.
func TestOfIsItsDefinition(t *testing.T) {
	rows := world(random(1), 60, 5, 0.5, 0)
	rows.User[299], rows.User[3] = 0, 59 // unequal users, not in order
	r := Of(rows)
	if r.Rows != 300 || r.Users != 60 || r.Score != nil {
		t.Fatalf("%d rows of %d users", r.Rows, r.Users)
	}
	for j := range r.Numeric {
		n, values := &r.Numeric[j], column(rows.Frame.Numeric, j, 4)
		of, cells := n.cells(values)
		if got := n.counts(); !slices.Equal(got, tally(of, cells)) {
			t.Errorf("%s: counts %v, the cells hold %v", n.Name, got, tally(of, cells))
		}
		for k, x := range n.Points {
			upTo := 0
			for _, v := range values {
				if v <= x {
					upTo++
				}
			}
			if !slices.Contains(values, x) || upTo != n.UpTo[k] {
				t.Errorf("%s: %d values up to %v, stored %d", n.Name, upTo, x, n.UpTo[k])
			}
		}
		if n.Name != "constant" {
			near(t, n.Name+" correlation", n.Alike, math.Max(naiveAlike(of, cells, rows.User), 0), 1e-9)
		}
	}
	for j := range r.Categorical {
		c := &r.Categorical[j]
		of, cells := c.cells(column(rows.Frame.Categorical, j, 2))
		if got := c.counts(); !slices.Equal(got, tally(of, cells)) || c.unseen(column(rows.Frame.Categorical, j, 2)) != 0 {
			t.Errorf("%s: counts %v, the cells hold %v", c.Name, got, tally(of, cells))
		}
		if c.Name != "free" { // all of whose values are rare
			near(t, c.Name+" correlation", c.Alike, math.Max(naiveAlike(of, cells, rows.User), 0), 1e-9)
		}
	}
	if r.Numeric[0].Alike < 0.03 || r.Categorical[1].Alike > 0.1 {
		t.Errorf("correlations %v of a feature that is alike, %v of noise", r.Numeric[0].Alike, r.Categorical[1].Alike)
	}
	normal := r.Numeric[0]
	if mean, sd := moments(column(rows.Frame.Numeric, 0, 4)); math.Abs(normal.Mean-mean) > 1e-12 || math.Abs(normal.SD-sd) > 1e-12 || len(normal.Edges) != 9 || len(normal.Points) != 101 {
		t.Errorf("normal: %+v", normal)
	}
	if zeros := r.Numeric[1]; len(zeros.Edges) > 6 || zeros.Edges[0] != 0 || zeros.Nulls == 0 {
		t.Errorf("half zeros make the bins %v, %d nulls", zeros.Edges, zeros.Nulls)
	}
}

func near(t *testing.T, what string, got, want, tolerance float64) {
	t.Helper()
	if !(math.Abs(got-want) <= tolerance) {
		t.Errorf("%s: %v, want %v", what, got, want)
	}
}

// The law: the order of the rows changes no bit.
func TestOrderDoesNotMatter(t *testing.T) {
	rows := world(random(2), 50, 4, 0.5, 0)
	order := random(3).Perm(len(rows.User))
	shuffled := Rows{Frame: &model.Frame{NumericNames: rows.Frame.NumericNames, CategoricalNames: rows.Frame.CategoricalNames}}
	for _, i := range order {
		num, cat := rows.Frame.Row(i)
		shuffled.Frame.Numeric, shuffled.Frame.Categorical = append(shuffled.Frame.Numeric, num...), append(shuffled.Frame.Categorical, cat...)
		shuffled.User = append(shuffled.User, rows.User[i])
	}
	a, b := Of(rows), Of(shuffled)
	if !reflect.DeepEqual(round(a), round(b)) {
		t.Error("the order of the rows shows")
	}
}

// round drops the last bits of sums, which do depend on the order.
func round(r Reference) Reference {
	for i := range r.Numeric {
		r.Numeric[i].Alike = float64(float32(r.Numeric[i].Alike))
	}
	for i := range r.Categorical {
		r.Categorical[i].Alike = float64(float32(r.Categorical[i].Alike))
	}
	return r
}

// Published values: the first two are the examples in the documentation of
// scipy.spatial.distance.jensenshannon (the second with base e there), the third
// that of scipy.stats.chi2_contingency.
func TestPublishedValues(t *testing.T) {
	near(t, "Jensen-Shannon of nothing in common", jensenShannon([]int{9, 0, 0}, []int{0, 4, 0}), 1, 1e-12)
	near(t, "Jensen-Shannon", jensenShannon([]int{2, 0}, []int{1, 1}), 0.46450140402245893/math.Sqrt(math.Ln2), 1e-12)
	near(t, "Pearson", pearson([]int{10, 10, 20}, []int{20, 20, 20}, 40, 60), 0.24935220877729619, 1e-12)
	// By hand: 0.2·ln(0.7/0.5) + 0.2·ln(0.5/0.3), with counts that leave the smoothing nothing to do.
	near(t, "PSI", psi([]int{5e8, 5e8}, []int{7e8, 3e8}), 0.2*math.Log(0.7/0.5)+0.2*math.Log(0.5/0.3), 1e-8)
	// By hand: of 2 cells 1/n+1/m, of a χ² with 1 degree of freedom the square of the normal's 1.959964.
	c := chancePSI([]int{5, 5, 0}, []int{5, 5, 0}, 100, 50)
	near(t, "mean without drift", c.mean(), 0.03, 1e-12)
	near(t, "quantile without drift", c.quantile(0.95), 0.03*1.959964*1.959964, 1e-6)
}

// The law: on values whose every one is a point of the reference, KS is the
// largest distance of the two step functions.
func TestKSIsExactOnFewValues(t *testing.T) {
	rng := random(4)
	for range 50 {
		var a, b []float64
		for range 100 {
			a, b = append(a, float64(rng.IntN(12))), append(b, float64(rng.IntN(12)+rng.IntN(3)))
		}
		var want float64
		for x := -1.0; x < 16; x++ {
			want = math.Max(want, math.Abs(upTo(a, x)-upTo(b, x)))
		}
		n := numericOf("x", a, newGroups(nil, len(a)))
		if got := n.ks(b); got > want+1e-12 || len(n.Points) == 12 && got < want-upTo(b, 99)+upTo(b, 11)-1e-12 {
			t.Fatalf("KS %v, naive %v", got, want)
		}
		if got := n.ks(a); got != 0 {
			t.Fatalf("KS of the same values %v", got)
		}
	}
}

func upTo(values []float64, x float64) (share float64) {
	for _, v := range values {
		if v <= x {
			share += 1 / float64(len(values))
		}
	}
	return share
}

// The law: Benjamini and Hochberg reject p(k) for the largest k with
// p(k) ≤ kq/n, and all below.
func TestDiscoveries(t *testing.T) {
	// Benjamini and Hochberg (1995), section 3.2: of 15 p-values four are rejected at 0.05.
	p := []float64{0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344, 0.0459, 0.3240, 0.4262, 0.5719, 0.6528, 0.7590, 1}
	slices.Reverse(p)
	count := 0
	for i, moved := range Discoveries(p, 0.05) {
		if moved {
			count++
		}
		if moved != (p[i] <= 0.0095) {
			t.Errorf("p %v: rejected %v", p[i], moved)
		}
	}
	if count != 4 {
		t.Errorf("%d rejections", count)
	}
}

// The law: without drift hardly anything is flagged, whatever the sizes and
// however alike the rows of a user; the customary fixed limit alone flags far
// more.
func TestQuietWithoutDrift(t *testing.T) {
	loose := Limits{WarnPSI: 1e-9, FailPSI: 1e-9, FDR: 0.01, MovedShare: 1e-9} // chance alone decides
	rng := random(5)
	for name, c := range map[string]struct {
		before, beforeEach, now, each int
		share                         float64
	}{
		"200 rows":              {20_000, 1, 200, 1, 0},
		"1000 rows":             {20_000, 1, 1000, 1, 0},
		"40 users with 5 rows":  {2000, 5, 40, 5, 0.8},
		"one row of users with": {1000, 10, 300, 1, 0.8},
	} {
		r := Of(world(rng, c.before, c.beforeEach, c.share, 0))
		alarms, fixed, beyond, runs := 0, 0, 0, 200
		for range runs {
			d, err := r.Drift(world(rng, c.now, c.each, c.share, 0), Scores{}, loose)
			if err != nil {
				t.Fatal(err)
			}
			if d.Status != OK {
				alarms++
			}
			for _, f := range d.Features {
				if f.PSI > 0.1 {
					fixed++
				}
				if f.PSI > f.FailLimit {
					beyond++
				}
			}
		}
		// 1% of 200 runs is 2; more than 8 has a probability of 2 in 10,000. The
		// features beyond their own limit are five times as many chances.
		if alarms > 8 || beyond > 40 {
			t.Errorf("%s: %d alarms, %d features beyond chance in %d runs", name, alarms, beyond, runs)
		}
		t.Logf("%s: %d of %d runs with an alarm; features beyond chance %d, beyond a fixed 0.1: %d", name, alarms, runs, beyond, fixed)
	}
}

// The mutant: taken for independent, rows of users who are alike raise alarms
// all the time.
func TestAlikeRowsMatter(t *testing.T) {
	rng := random(6)
	r := Of(world(rng, 1000, 10, 0.95, 0))
	alarms := 0
	for range 50 {
		rows := world(rng, 40, 10, 0.95, 0)
		rows.User = nil
		if d, err := r.Drift(rows, Scores{}, Limits{WarnPSI: 1e-9, FailPSI: 1e-9, FDR: 0.01, MovedShare: 1e-9}); err != nil || d.Status != OK {
			alarms++
		}
	}
	if alarms < 15 {
		t.Errorf("%d alarms of 50: the correlation does nothing, the test is dead", alarms)
	}
}

// The law: what has moved is found, and what has moved by less than anybody
// would act on is no alarm, however many the rows.
func TestFindsDrift(t *testing.T) {
	rng := random(7)
	score := func(rows Rows) Scores {
		var p []float64
		for _, x := range column(rows.Frame.Numeric, 0, 4) {
			p = append(p, model.Sigmoid(x))
		}
		return Scores{p, rows.User}
	}
	before := world(rng, 3000, 3, 0.5, 0)
	r := Of(before).WithScores(score(before), 0.7)
	limits := DefaultLimits()
	limits.MovedShare = 0.9 // the score decides about the whole
	for shift, want := range map[float64]Status{0: OK, 0.02: OK, 0.4: Warn, 1: Fail} {
		now := world(rng, 3000, 3, 0.5, shift)
		d, err := r.Drift(now, score(now), limits)
		if err != nil {
			t.Fatal(err)
		}
		if d.Status != want || d.Score.Status != want || d.Features[0].Status != want || d.Features[5].Status != OK {
			t.Errorf("moved by %v: %s, score %+v, feature %+v, noise %+v", shift, d.Status, d.Score, d.Features[0], d.Features[5])
		}
		if shift == 1 && (d.MeanScore[1] <= d.MeanScore[0] || d.HighShare[1] <= d.HighShare[0] || d.Features[1].Missing <= d.Features[1].MissingBefore || d.Features[0].Unseen == 0) {
			t.Errorf("the shares do not move: %+v", d)
		}
	}
}

// What nobody has seen before shows: new levels, another value of a constant,
// nothing but nulls.
func TestFindsTheUnseen(t *testing.T) {
	rows := world(random(8), 500, 1, 0, 0)
	r := Of(rows)
	now := world(random(9), 500, 1, 0, 0)
	for i := range 500 {
		now.Frame.Numeric[4*i+1], now.Frame.Numeric[4*i+3] = math.NaN(), 8
		if i%2 == 0 {
			now.Frame.Categorical[2*i] = "n\xffw"
		}
	}
	d, err := r.Drift(now, Scores{}, DefaultLimits())
	if err != nil {
		t.Fatal(err)
	}
	for i, unseen := range map[int]float64{1: 0, 3: 1, 4: 0.5} {
		if f := d.Features[i]; f.Status != Fail || f.Unseen != unseen {
			t.Errorf("%+v", f)
		}
	}
	if d.Features[1].Missing != 1 || d.Failed != 3 || d.MovedShare != 0.5 || d.Status != Fail {
		t.Errorf("%+v", d)
	}
}

// Clear answers where there is nothing to compare.
func TestDriftRefuses(t *testing.T) {
	rows := world(random(10), 100, 1, 0, 0)
	r := Of(rows)
	few, gone := world(random(11), LeastRows-1, 1, 0, 0), world(random(11), 100, 1, 0, 0)
	gone.Frame.NumericNames = []string{"normal", "zeros", "flag", "other"}
	for name, now := range map[string]Rows{"few": few, "gone": gone, "none": {Frame: &model.Frame{NumericNames: rows.Frame.NumericNames, CategoricalNames: rows.Frame.CategoricalNames}}} {
		if _, err := r.Drift(now, Scores{}, DefaultLimits()); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	if _, err := r.Drift(rows, Scores{Probability: make([]float64, 100)}, DefaultLimits()); err == nil {
		t.Error("scores without a reference: no error")
	}
}

func encoded(t testing.TB) []byte {
	rows := world(random(12), 300, 2, 0.5, 0)
	r := Of(rows).WithScores(Scores{column(rows.Frame.Numeric, 2, 4), rows.User}, 0.5)
	data, err := r.Encode()
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// The law: decode∘encode is the identity, and the same rows give the same bytes.
func TestRoundTrip(t *testing.T) {
	data := encoded(t)
	r, err := Decode(data)
	if err != nil {
		t.Fatal(err)
	}
	again, err := r.Encode()
	if err != nil || !bytes.Equal(again, data) || !bytes.Equal(data, encoded(t)) {
		t.Errorf("the bytes differ (%v)", err)
	}
}

// The mutants: each is a reference that would compare nonsense.
func TestDecodeRefuses(t *testing.T) {
	data := string(encoded(t))
	for name, edit := range map[string][2]string{
		"format":       {`"format": 1`, `"format": 9`},
		"rows":         {`"rows": 600`, `"rows": 601`},
		"users":        {`"users": 300`, `"users": 3000`},
		"unknown":      {`"users"`, `"run": 1, "users"`},
		"name twice":   {`"name": "zeros"`, `"name": "normal"`},
		"nulls":        {`"nulls": 0`, `"nulls": -1`},
		"points":       {`"points": [`, `"points": [1e9,`},
		"edges":        {`"edges": [`, `"edges": [-1e9,`},
		"correlation":  {`"alike": 0.`, `"alike": 7.`},
		"level counts": {`"rare_rows": `, `"rare_rows": 1`},
		"text after":   {"\n}\n", "\n} {}\n"},
		"not JSON":     {`{`, `<`},
	} {
		bad := strings.Replace(data, edit[0], edit[1], 1)
		if bad == data {
			t.Fatalf("%s: the edit changes nothing", name)
		}
		if _, err := Decode([]byte(bad)); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

// Any bytes: an error or a reference that compares, never a panic.
func FuzzDecode(f *testing.F) {
	f.Add(encoded(f))
	f.Add([]byte(`{"format":1,"rows":1,"users":1,"rows_per_user":1,"numeric":[{"name":"a","nulls":1}],"categorical":[{"name":"b","nulls":1,"listed":true}]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		r, err := Decode(data)
		if err != nil {
			return
		}
		frame := &model.Frame{}
		for i := range r.Numeric {
			frame.NumericNames = append(frame.NumericNames, r.Numeric[i].Name)
		}
		for i := range r.Categorical {
			frame.CategoricalNames = append(frame.CategoricalNames, r.Categorical[i].Name)
		}
		frame.Numeric, frame.Categorical = make([]float64, LeastRows*len(r.Numeric)), make([]string, LeastRows*len(r.Categorical))
		scores := Scores{}
		if r.Score != nil {
			scores.Probability = make([]float64, LeastRows)
		}
		if _, err := r.Drift(Rows{Frame: frame}, scores, DefaultLimits()); err != nil && frame.Rows() >= LeastRows {
			t.Error(err)
		}
	})
}
