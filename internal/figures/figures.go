// Package figures writes numbers for people: in pages, charts and summaries.
package figures

import (
	"math"
	"strconv"
	"strings"
)

// Undefined is written where the data do not define a figure.
const Undefined = "undefined"

// Format writes a number.
type Format func(float64) string

// Finite reports whether x is a number that can be written.
func Finite(x float64) bool { return !math.IsNaN(x) && !math.IsInf(x, 0) }

// Decimals returns a format with so many digits after the point.
func Decimals(digits int) Format {
	return func(x float64) string {
		if !Finite(x) {
			return Undefined
		}
		text := strconv.FormatFloat(x, 'f', digits, 64)
		if strings.Trim(text, "-0.") == "" {
			text = strings.TrimPrefix(text, "-") // no minus zero
		}
		return strings.Replace(text, "-", "−", 1)
	}
}

// Percent writes a share in whole percent.
func Percent(x float64) string { return suffixed(Decimals(0)(100*x), "%") }

// Percent1 writes a share in percent with one decimal.
func Percent1(x float64) string { return suffixed(Decimals(1)(100*x), "%") }

// Points writes a difference of shares in percentage points.
func Points(x float64) string { return suffixed(Decimals(1)(100*x), " points") }

func suffixed(text, suffix string) string {
	if text == Undefined {
		return text
	}
	return text + suffix
}

// Money writes an amount: with cents only where they matter.
func Money(x float64) string {
	switch size := math.Abs(x); {
	case !Finite(x) || size < 1:
		return Decimals(2)(x)
	case size < 100:
		return Decimals(1)(x)
	}
	text := Whole(int(math.Round(math.Abs(x))))
	if x < 0 {
		text = "−" + text
	}
	return text
}

// Plain writes a number for an axis: with the digits that it needs.
func Plain(x float64) string {
	return strings.Replace(strconv.FormatFloat(math.Round(x*1e6)/1e6, 'f', -1, 64), "-", "−", 1)
}

// Signed writes a plus where a number is above zero.
func Signed(f Format) Format {
	return func(x float64) string {
		if text := f(x); x > 0 && strings.ContainsAny(text, "123456789") {
			return "+" + text
		} else {
			return text
		}
	}
}

// Whole writes 1234567 as 1,234,567.
func Whole(n int) string {
	text := strconv.Itoa(n)
	for i := len(text) - 3; i > 0 && text[i-1] != '-'; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}

// Counted writes a number of things: 1 alarm, 2,000 alarms.
func Counted(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return Whole(n) + " " + many
}

// Ticks returns the values at which an axis is marked that holds the given ones:
// at most wanted parts, and one more at either end so that it begins and ends at
// a mark. Values that are not finite do not count.
func Ticks(values []float64, wanted int) (out []float64) {
	low, high := math.Inf(1), math.Inf(-1)
	for _, v := range values {
		if Finite(v) {
			low, high = min(low, v), max(high, v)
		}
	}
	if low > high {
		low, high = 0, 1
	}
	step := niceStep(high-low, float64(wanted))
	first, last := math.Floor(low/step), math.Ceil(high/step)
	if first == last {
		last++
	}
	for k := first; k <= last; k++ {
		out = append(out, k*step)
	}
	return out
}

// niceStep returns a step of 1, 2 or 5 times a power of ten.
func niceStep(width, wanted float64) float64 {
	if !(width > 0) {
		return 1
	}
	power := math.Pow(10, math.Floor(math.Log10(width/wanted)))
	for _, k := range []float64{1, 2, 5} {
		if width/(k*power) <= wanted {
			return k * power
		}
	}
	return 10 * power
}
