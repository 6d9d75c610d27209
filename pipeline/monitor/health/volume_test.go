package health

import (
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"churn/pipeline"
)

// portal is a simulated history of daily volumes with a weekly pattern.
type portal struct {
	days       int
	level      float64 // events a day
	growth     float64 // a week
	dispersion float64 // of whole days, all types together
}

var start = pipeline.DateFromCivil(2026, 2, 2) // a Monday; no holiday of the defaults within half a year

// mix is the share of each kind but all.
func mix() [numKinds - 1]float64 {
	return [...]float64{0.3, 0.02, 0.4, 0.15, 0.02, 0.003, 0.005, 0.102}
}

// tally plays the portal. Every fact is known at once.
func (p portal) tally(r *rand.Rand) *tally {
	t := newTally(pipeline.Span{First: start, Last: start + pipeline.Date(p.days) - 1}, start+pipeline.Date(p.days)-1)
	for d := range t.days {
		weekly := [7]float64{1.15, 1.15, 1.1, 1.05, 0.8, 0.75, 1}[d%7]
		mean := p.level * weekly * math.Pow(1+p.growth, float64(d)/7)
		if p.dispersion > 0 {
			mean *= gamma(r, 1/p.dispersion) * p.dispersion
		}
		for k, share := range mix() {
			t.set(d, k, poisson(r, share*mean))
		}
	}
	return t
}

// set puts the events of a kind on a day, and keeps the sum.
func (t *tally) set(day, kind int, n int64) {
	c := &t.days[day]
	c[numKinds-1][0] += n - c[kind][0]
	c[kind][0] = n
}

// gamma draws by Marsaglia and Tsang (2000), for a shape of 1 or more.
func gamma(r *rand.Rand, shape float64) float64 {
	d := shape - 1.0/3
	c := 1 / math.Sqrt(9*d)
	for {
		x := r.NormFloat64()
		if v := math.Pow(1+c*x, 3); v > 0 && math.Log(1-r.Float64()) < x*x/2+d-d*v+d*math.Log(v) {
			return d * v
		}
	}
}

// poisson draws by counting waits, for large means by the normal distribution.
func poisson(r *rand.Rand, mean float64) (n int64) {
	if mean > 100 {
		return int64(max(0, math.Round(mean+math.Sqrt(mean)*r.NormFloat64())))
	}
	for t := r.ExpFloat64(); t < mean; t += r.ExpFloat64() {
		n++
	}
	return n
}

func portals() map[string]portal {
	return map[string]portal{
		"small":      {170, 60, 0, 0},
		"regular":    {170, 3000, 0, 0},
		"growing":    {170, 3000, 0.03, 0.005},
		"shrinking":  {170, 3000, -0.03, 0.005},
		"uneven":     {170, 3000, 0, 0.03},
		"capricious": {170, 20000, 0, 0.1},
		"young":      {84, 3000, 0.02, 0.01},
	}
}

// The law: sound volumes fail in at most the nominal share of runs, and warn
// seldom.
func TestFalseAlarms(t *testing.T) {
	p := Defaults()
	const runs = 50
	for name, world := range portals() {
		fails, warns := 0, 0
		for seed := range uint64(runs) {
			v := volume(world.tally(rand.New(rand.NewPCG(seed, 7))), p)
			switch v.Status {
			case Fail:
				fails++
			case Warn:
				warns++
			case Unmeasured:
				t.Fatalf("%s: %v", name, v.Reasons)
			}
		}
		t.Logf("%s: %d FAIL, %d WARN in %d runs", name, fails, warns, runs)
		if fails > 1 || warns > 4 { // 1% and its chance; WARN may be a few times as frequent
			t.Errorf("%s: %d FAIL and %d WARN in %d runs without a fault", name, fails, warns, runs)
		}
	}
}

// The mutant: a band that knows nothing of overdispersion is left all the time.
func TestPoissonAlarms(t *testing.T) {
	v := volume(portals()["capricious"].tally(rand.New(rand.NewPCG(1, 7))), Defaults())
	left := 0
	for _, l := range v.Levels {
		if (model{mean: l.Expected}).odds(float64(l.Events)) < v.FalseAlarms/float64(len(v.Levels)) {
			left++
		}
	}
	if left < len(v.Levels)/3 {
		t.Errorf("Poisson's band is left by %d of %d counts: the portals show too little", left, len(v.Levels))
	}
}

// The law: faults worth a message are found in the week in which they happen.
func TestFaultsAreFound(t *testing.T) {
	type fault struct {
		strike func(t *tally, last int)
		want   Status
		says   string
	}
	scale := func(kind, days int, factor float64) func(*tally, int) {
		return func(t *tally, last int) {
			for d := last - days + 1; d <= last; d++ {
				for k := range numKinds - 1 {
					if kind == k || kind == numKinds-1 {
						t.set(d, k, int64(factor*float64(t.days[d][k][0])))
					}
				}
			}
		}
	}
	for name, f := range map[string]fault{
		"logins stop":         {scale(0, 2, 0), Fail, "login on"},
		"rare type stops":     {scale(1, 7, 0), Fail, "course_enroll from"},
		"half of all is lost": {scale(numKinds-1, 7, 0.4), Fail, "all from"},
		"a day is lost":       {scale(numKinds-1, 1, 0.1), Fail, "all on"},
		"a day is loaded 5×":  {scale(numKinds-1, 1, 5), Fail, "all on"},
		"a day is loaded 2×":  {scale(numKinds-1, 1, 2), Warn, "all on"},
	} {
		found := 0
		for seed := range uint64(25) {
			c := portals()["growing"].tally(rand.New(rand.NewPCG(seed, 11)))
			f.strike(c, len(c.days)-1)
			v := volume(c, Defaults())
			if v.Status == f.want && slices.ContainsFunc(v.Reasons, func(s string) bool { return strings.HasPrefix(s, f.says) }) {
				found++
			}
		}
		if found < 24 {
			t.Errorf("%s: found in %d of 25 runs", name, found)
		}
	}
}

// A holiday is a warning at most: of its day, and of its week.
func TestHoliday(t *testing.T) {
	p := Defaults()
	c := portals()["regular"].tally(rand.New(rand.NewPCG(1, 1)))
	last := len(c.days) - 1
	for k := range numKinds - 1 {
		c.set(last-2, k, 0)
	}
	if v := volume(c, p); v.Status != Fail {
		t.Fatalf("a lost day: %s", v.Status)
	}
	day := (start + pipeline.Date(last-2)).String()
	for _, text := range []string{day, day[len("2026-"):]} {
		p.Holidays = []string{text}
		if v := volume(c, p); v.Status != Warn || !strings.Contains(v.Reasons[0], "holiday") {
			t.Errorf("%s as a holiday: %s %v", text, v.Status, v.Reasons)
		}
	}
}

// What cannot be judged says what it lacks: days, events, or a pattern.
func TestUnfit(t *testing.T) {
	played := func(days int, level float64) *tally {
		return portal{days, level, 0, 0}.tally(rand.New(rand.NewPCG(1, 1)))
	}
	young, few, none, erratic := played(48, 3000), played(425, 0.5), played(425, 0), played(425, 0)
	for d := range erratic.days { // nothing for weeks, then thousands in a day
		if d%12 < 2 {
			erratic.set(d, 0, int64(100+d*d))
		}
	}
	for want, c := range map[string]*tally{
		"48 days of data are too few to know the weekly pattern; 49 are needed: volumes are not judged": young,
		"2 events a week are usual, and 5 are needed; 0 events a day are usual, and 20 are needed":      few,
		"no event was known on 2027-04-02": none,
		"stray too far to compare with":    erratic,
	} {
		if v := volume(c, Defaults()); v.Status != Unmeasured || len(v.Reasons) == 0 || !strings.Contains(v.Reasons[0], want) {
			t.Errorf("%s %q, want %q", v.Status, v.Reasons, want)
		}
	}
	if v := volume(played(49, 3000), Defaults()); v.Status == Unmeasured {
		t.Errorf("49 days are too few, too: %q", v.Reasons)
	}
}

// The law: a loss that is no alarm any more is not told as if it were one, nor as if
// it had ended: it has become what is usual.
func TestLossGrowsOld(t *testing.T) {
	alarmed, settled := 0, 0
	for lost := 1; lost < 75; lost++ {
		c := portals()["regular"].tally(rand.New(rand.NewPCG(1, 1)))
		for d := len(c.days) - lost; d < len(c.days); d++ {
			c.set(d, 0, 0)
		}
		v := volume(c, Defaults())
		usual := len(v.Reasons) > 0 && strings.Contains(v.Reasons[0], "login") && strings.Contains(v.Reasons[0], "taken as usual")
		switch {
		case v.Status == Fail:
			alarmed++
		case usual:
			settled++
		}
		if usual == (v.Status == Fail) || (v.Status == Fail) != (lost < 28) {
			t.Errorf("lost for %d days: %s %q", lost, v.Status, v.Reasons)
		}
	}
	if alarmed != 27 || settled != 47 {
		t.Errorf("%d days of alarm, %d days after", alarmed, settled)
	}
	if v := volume(portals()["regular"].tally(rand.New(rand.NewPCG(1, 1))), Defaults()); len(v.Reasons) != 0 {
		t.Errorf("without a loss: %q", v.Reasons)
	}
}
