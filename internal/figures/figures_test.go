package figures

import (
	"math"
	"testing"
)

func TestFormats(t *testing.T) {
	for _, c := range []struct{ got, want string }{
		{Decimals(3)(-0.0001), "0.000"}, {Decimals(1)(-2.25), "−2.2"}, {Decimals(2)(math.NaN()), Undefined}, {Percent(math.Inf(1)), Undefined},
		{Signed(Points)(0.008), "+0.8 points"}, {Signed(Points)(0.0001), "0.0 points"}, {Money(1234567.4), "1,234,567"}, {Money(-1234), "−1,234"}, {Money(3.86), "3.9"},
		{Whole(0), "0"}, {Whole(-1234), "-1,234"}, {Whole(999), "999"}, {Whole(1000000), "1,000,000"}, {Plain(-0.25), "−0.25"}, {Percent1(0.1234), "12.3%"},
	} {
		if c.got != c.want {
			t.Errorf("got %q, want %q", c.got, c.want)
		}
	}
}

// The marks hold the values, begin and end the axis, and are a readable number.
func TestTicks(t *testing.T) {
	for _, values := range [][]float64{{0, 0.66}, {-300, 240}, {0, 0}, {5, 5}, {1e-9, 3e-9}, {0, 1e12}, {}, {math.NaN(), 2}, {math.Inf(1)}, {-0.1, -0.05}} {
		ticks := Ticks(values, 5)
		first, last := ticks[0], ticks[len(ticks)-1]
		if len(ticks) < 2 || len(ticks) > 8 || !(first < last) {
			t.Errorf("%v: %v", values, ticks)
		}
		for _, v := range values {
			if Finite(v) && (v < first || v > last) {
				t.Errorf("%v lies outside of %v", v, ticks)
			}
		}
	}
}

func TestCounted(t *testing.T) {
	for n, want := range map[int]string{0: "0 alarms", 1: "1 alarm", 2000: "2,000 alarms"} {
		if got := Counted(n, "alarm", "alarms"); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
}
