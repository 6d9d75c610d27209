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

// A step divides every width into a readable number of parts.
func TestStep(t *testing.T) {
	for _, width := range []float64{1e-9, 0.1, 0.66, 1, 3, 7, 999, 1e12} {
		if parts := width / Step(width, 5); parts > 5 || parts < 1.9 {
			t.Errorf("width %v: %v parts", width, parts)
		}
	}
	if Step(0, 5) != 1 || Step(math.NaN(), 5) != 1 {
		t.Error("no width has no step of 1")
	}
}
