package monitor

import (
	"encoding/json"
	"math"
	"math/rand/v2"
	"os"
	"strings"
	"testing"

	"churn/pipeline"
)

// goldenTrends is testdata/trend.json; its README says where it comes from.
type goldenTrends struct {
	Confidence float64
	Cases      []struct {
		Name                   string
		Days                   []int
		Values                 []float64
		Shared, Lags           int
		Limit, Level, Slope, P float64
		NeweyWest              [2][2]float64 `json:"newey_west"`
		Overlapping            [2][2]float64
		OLS                    *[2][2]float64
		OLSP                   float64 `json:"ols_p"`
		Freedom                float64
		SlopeInterval          [2]float64 `json:"slope_interval"`
		Fieller                [2]float64
	}
}

func readGoldenTrends(t *testing.T) (g goldenTrends) {
	t.Helper()
	text, err := os.ReadFile("testdata/trend.json")
	if err == nil {
		err = json.Unmarshal(text, &g)
	}
	if err != nil {
		t.Fatal(err)
	}
	return g
}

func near(a, b float64) bool { return math.Abs(a-b) <= 1e-9*math.Abs(b)+1e-20 }

func nearMatrix(a, b [2][2]float64) bool {
	for i := range 2 {
		for j := range 2 {
			if !near(a[i][j], b[i][j]) {
				return false
			}
		}
	}
	return true
}

// Lines, their errors by both estimates, and the crossing agree with statsmodels
// and scipy.
func TestTrendsAgreeWithStatsmodels(t *testing.T) {
	g := readGoldenTrends(t)
	for _, c := range g.Cases {
		t.Run(c.Name, func(t *testing.T) {
			s := Series{Name: c.Name, Limit: c.Limit, SharedDays: c.Shared}
			d := design{}
			for i, day := range c.Days {
				s.Points = append(s.Points, Point{pipeline.Date(100 + day), c.Values[i]})
				x := float64(day - c.Days[len(c.Days)-1])
				d.days, d.residuals = append(d.days, x), append(d.residuals, c.Values[i]-(c.Level+c.Slope*x))
			}
			if lags := d.lags(float64(c.Shared)); lags != c.Lags {
				t.Errorf("%d lags, want %d", lags, c.Lags)
			}
			if got := d.neweyWest(c.Lags); !nearMatrix(got, c.NeweyWest) {
				t.Errorf("Newey-West %v, want %v", got, c.NeweyWest)
			}
			got, freedom := d.overlapping(float64(c.Shared))
			if !nearMatrix(got, c.Overlapping) || !near(freedom, c.Freedom) {
				t.Errorf("overlapping %v with %v degrees, want %v with %v", got, freedom, c.Overlapping, c.Freedom)
			}
			if c.OLS != nil && !nearMatrix(got, *c.OLS) {
				t.Errorf("without overlap %v, want %v of least squares", got, *c.OLS)
			}
			p := TrendParams{Confidence: g.Confidence, HorizonDays: 3650, MinPoints: 4}
			trend := Trends([]Series{s}, p)[0]
			if !near(trend.Level, c.Level) || !near(trend.Slope, c.Slope) || !near(trend.P, c.P) || !near(trend.SlopeLow, c.SlopeInterval[0]) || !near(trend.SlopeHigh, c.SlopeInterval[1]) {
				t.Errorf("%+v, want level %v slope %v p %v interval %v", trend, c.Level, c.Slope, c.P, c.SlopeInterval)
			}
			if trend.Crossing == nil || !near(trend.Crossing.Low, c.Fieller[0]) || !near(trend.Crossing.High, c.Fieller[1]) {
				t.Errorf("crossing %+v, want %v", trend.Crossing, c.Fieller)
			}
		})
	}
}

// windows returns n weekly values of windows over so many independent days, with a
// slope a day.
func windows(rng *rand.Rand, n, shared int, slope float64) []Point {
	const every = 7
	daily := make([]float64, n*every+shared)
	for i := range daily {
		daily[i] = rng.NormFloat64()
	}
	out := make([]Point, n)
	for k := range out {
		var sum float64
		for _, v := range daily[k*every : k*every+max(shared, 1)] {
			sum += v
		}
		out[k] = Point{pipeline.Date(1000 + k*every), sum + slope*float64(k*every)}
	}
	return out
}

// The law: where there is no trend, one is found as often as the confidence says,
// on few dates and with windows that overlap. The errors of least squares, which
// know nothing of that, find one several times as often: the mutant.
func TestOverlappingWindowsMakeNoTrend(t *testing.T) {
	const replays = 800
	rng := rand.New(rand.NewPCG(7, 7))
	for _, n := range []int{8, 20} {
		found, naive := 0, 0
		for range replays {
			points := windows(rng, n, 30, 0)
			for k, shared := range []int{30, 0} {
				trend := Trends([]Series{{Points: points, Limit: math.NaN(), SharedDays: shared}}, DefaultTrend())[0]
				if trend.Real && k == 0 {
					found++
				} else if trend.Real {
					naive++
				}
			}
		}
		// 5% of 800 are 40, with a standard deviation of 6.
		if found > 60 {
			t.Errorf("%d dates: %d of %d series without a trend have one", n, found, replays)
		}
		if naive < 100 {
			t.Errorf("%d dates: least squares finds only %d; the test tests nothing", n, naive)
		}
	}
}

// The law: the interval of the slope holds the slope, and that of the crossing
// holds the crossing, in 95% of the series.
func TestTrendIntervalsHoldTheTruth(t *testing.T) {
	const replays, n, shared, slope = 800, 14, 30, 0.8
	rng := rand.New(rand.NewPCG(8, 8))
	limit := slope * float64((n-1)*7+20) // reached 20 days after the last date
	held, crossed, timed := 0, 0, 0
	for range replays {
		trend := Trends([]Series{{Points: windows(rng, n, shared, slope), Limit: limit, SharedDays: shared}}, DefaultTrend())[0]
		if trend.SlopeLow <= slope && slope <= trend.SlopeHigh {
			held++
		}
		if trend.Crossing != nil {
			crossed++
			if trend.Crossing.Low <= 20 && 20 <= trend.Crossing.High {
				timed++
			}
		}
	}
	if share := float64(held) / replays; share < 0.93 {
		t.Errorf("the slope's interval holds it in %.1f%%", 100*share)
	}
	if share := float64(timed) / float64(crossed); crossed < replays/2 || share < 0.92 {
		t.Errorf("the crossing's interval holds it in %.1f%% of %d", 100*share, crossed)
	}
}

// A clear trend becomes a sentence; one that leads away, that comes too late or
// that has passed the limit does not, and chance does not.
func TestTrendText(t *testing.T) {
	series := func(from, step, limit float64) Series {
		s := Series{Name: "PSI of watch_minutes_30d", Limit: limit}
		for k := range 10 {
			s.Points = append(s.Points, Point{pipeline.Date(k * 7), from + step*float64(k) + 0.002*float64(k%3)})
		}
		return s
	}
	for name, c := range map[string]struct {
		series Series
		want   string
	}{
		"towards":  {series(0.05, 0.02, 0.25), "PSI of watch_minutes_30d reaches 0.25 in about 6 days (5 to 7)"},
		"tomorrow": {series(0.05, 0.02, 0.235), "PSI of watch_minutes_30d reaches 0.235 in about 1 day (0 to 2)"},
		"away":     {series(0.25, -0.02, 0.3), ""},
		"falling":  {series(0.5, -0.02, 0.3), "PSI of watch_minutes_30d reaches 0.3 in about 8 days (7 to 9)"},
		"too late": {series(0.05, 0.001, 0.25), ""},
		"past":     {series(0.05, 0.02, 0.1), ""},
		"no limit": {series(0.05, 0.02, math.NaN()), "PSI of watch_minutes_30d rises by 0.02 a week (0.02 to 0.021)"},
		"and down": {series(0.5, -0.02, math.NaN()), "PSI of watch_minutes_30d falls by 0.02 a week (0.019 to 0.02)"},
		"flat":     {series(0.05, 0, 0.25), ""},
	} {
		if trend := Trends([]Series{c.series}, DefaultTrend())[0]; trend.Text != c.want || (trend.Crossing != nil) != strings.Contains(c.want, "reaches") {
			t.Errorf("%s: %q, want %q", name, trend.Text, c.want)
		}
	}
}

// Of many series without a trend hardly one is said to have one.
func TestTrendsOfManySeries(t *testing.T) {
	rng := rand.New(rand.NewPCG(9, 9))
	real := 0
	for range 10 {
		var all []Series
		for range 60 {
			all = append(all, Series{Points: windows(rng, 12, 30, 0), SharedDays: 30, Limit: math.NaN()})
		}
		for _, trend := range Trends(all, DefaultTrend()) {
			if trend.Real {
				real++
			}
		}
	}
	if real > 6 {
		t.Errorf("%d of 600 series without a trend have one", real)
	}
}

func TestTrendOfPoorSeries(t *testing.T) {
	at := func(values ...float64) (s Series) {
		for k, v := range values {
			s.Points = append(s.Points, Point{pipeline.Date(k), v})
		}
		return s
	}
	nan := math.NaN()
	trends := Trends([]Series{at(), at(1, 2, nan, nan, nan, nan, nan), at(3, 3, 3, 3, 3, 3), at(0, 0, 0, 0, 0, 0), at(1, 2, 3, 4, 5, 6)}, DefaultTrend())
	for i, trend := range trends[:2] {
		if !strings.Contains(trend.Note, "too few") || trend.Real {
			t.Errorf("series %d: %+v", i, trend)
		}
	}
	for i, trend := range trends[2:4] {
		if trend.Note != "" || trend.Real || trend.Slope != 0 || trend.P != 1 {
			t.Errorf("series of equals %d: %+v", i, trend)
		}
	}
	if trend := trends[4]; !trend.Real || math.Abs(trend.Slope-1) > 1e-9 {
		t.Errorf("a straight line: %+v", trend)
	}
	if out := Trends(nil, DefaultTrend()); len(out) != 0 {
		t.Errorf("%v", out)
	}
}

func TestTrendParams(t *testing.T) {
	if err := DefaultTrend().Validate(); err != nil {
		t.Error(err)
	}
	err := TrendParams{Confidence: 1, HorizonDays: 0, MinPoints: 3, Dates: 2}.Validate()
	for _, key := range []string{"confidence", "horizon_days", "min_points", "dates"} {
		if err == nil || !strings.Contains(err.Error(), "monitor.trend."+key) {
			t.Errorf("%v lacks %s", err, key)
		}
	}
}
