package explain

import (
	"math"
	"math/rand/v2"
	"runtime"
	"slices"
	"testing"

	"churn/model"
)

// naiveGlobal is the readable twin: contributions row by row, totals by user.
func naiveGlobal(x *model.Matrix, features int, user []int32, e Explainer) []Importance {
	total, rows := map[int32][]float64{}, map[int32]float64{}
	out := make([]float64, features)
	for i := range x.Rows() {
		if total[user[i]] == nil {
			total[user[i]] = make([]float64, features)
		}
		e.Contributions(x.Row(i), out)
		for j, v := range out {
			total[user[i]][j] += math.Abs(v)
		}
		rows[user[i]]++
	}
	n, u := float64(x.Rows()), float64(len(rows))
	importance := make([]Importance, features)
	for j := range importance {
		mean, squares := 0.0, 0.0
		for id := range rows {
			mean += total[id][j] / n
		}
		for id := range rows {
			squares += math.Pow(total[id][j]-mean*rows[id], 2)
		}
		importance[j] = Importance{mean, math.Sqrt(u/(u-1)*squares) / n}
	}
	return importance
}

// users returns users of 1 to 9 rows.
func users(rng *rand.Rand, n int) []int32 {
	var user []int32
	for id := int32(0); len(user) < n; id++ {
		user = append(user, slices.Repeat([]int32{id}, 1+rng.IntN(9))...)
	}
	return user[:n]
}

func near(a, b []Importance) bool {
	return slices.EqualFunc(a, b, func(a, b Importance) bool {
		return math.Abs(a.Mean-b.Mean) < 1e-9 && math.Abs(a.StdErr-b.StdErr) < 1e-9
	})
}

// Law: Global gives what its twin gives. The planted mutant, every row a user
// of its own, must be noticed; so must users that are cut by a chunk.
func TestGlobalMatchesNaiveTwin(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 1))
	l, x := randomLinear(rng, 2*chunkRows+100)
	user, explainer := users(rng, x.Rows()), func() Explainer { return l }
	user[chunkRows] = user[chunkRows-1] // a user over the border of two chunks
	want := naiveGlobal(x, numerics+categoricals, user, l)
	if got := Global(x, numerics+categoricals, user, explainer); !near(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	if near(Global(x, numerics+categoricals, nil, explainer), want) {
		t.Error("the law does not notice that users are ignored")
	}
	if got := Global(&model.Matrix{}, 2, nil, explainer); len(got) != 2 || !math.IsNaN(got[0].Mean) {
		t.Errorf("no rows: %v, want NaN", got)
	}
}

// Law: the same bits for any number of processors. The planted mutant, which
// sums in as many parts as there are, must be noticed.
func TestSameBitsForAnyProcessors(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 2))
	m, x := randomModel(rng, 5, 12), randomMatrix(rng, 3*chunkRows)
	trees := NewTrees(m, nil)
	all := make([]float64, x.Rows()*len(m.Features))
	trees.NewExplainer().Block(x, all)
	var global [][]Importance
	var mutant []float64
	for _, procs := range []int{1, 2, 7} {
		defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(procs))
		global = append(global, Global(x, len(m.Features), nil, func() Explainer { return trees.NewExplainer() }))
		mutant = append(mutant, sumInParts(all, procs))
	}
	if !slices.Equal(global[0], global[1]) || !slices.Equal(global[0], global[2]) {
		t.Errorf("1, 2 and 7 processors: %v", global)
	}
	if mutant[0] == mutant[2] {
		t.Error("the law does not notice the order of sums")
	}
}

func sumInParts(values []float64, parts int) (sum float64) {
	size := (len(values) + parts - 1) / parts
	for part := range slices.Chunk(values, size) {
		s := 0.0
		for _, v := range part {
			s += math.Abs(v)
		}
		sum += s
	}
	return sum
}

func BenchmarkGlobal(b *testing.B) {
	rng := rand.New(rand.NewPCG(3, 3))
	m, x := randomModel(rng, 250, 31), randomMatrix(rng, 1e4)
	trees := NewTrees(m, nil)
	for b.Loop() {
		Global(x, len(m.Features), nil, func() Explainer { return trees.NewExplainer() })
	}
	b.ReportMetric(1e4*float64(b.N)/b.Elapsed().Seconds(), "rows/s")
}
