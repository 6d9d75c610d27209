package report

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"churn/model/metric"
	"churn/pipeline"
)

// undefined is written where the data do not define a figure.
const undefined = "undefined"

// format writes a number.
type format func(float64) string

// decimals returns a format with so many digits after the point.
func decimals(digits int) format {
	return func(x float64) string {
		if !finite(x) {
			return undefined
		}
		text := strconv.FormatFloat(x, 'f', digits, 64)
		if strings.Trim(text, "-0.") == "" {
			text = strings.TrimPrefix(text, "-") // no minus zero
		}
		return strings.Replace(text, "-", "−", 1)
	}
}

// percent writes a share in whole percent, percent1 with one decimal.
func percent(x float64) string  { return suffixed(decimals(0)(100*x), "%") }
func percent1(x float64) string { return suffixed(decimals(1)(100*x), "%") }

// points writes a difference of shares in percentage points.
func points(x float64) string { return suffixed(decimals(1)(100*x), " points") }

func suffixed(text, suffix string) string {
	if text == undefined {
		return text
	}
	return text + suffix
}

// money writes an amount: with cents only where they matter.
func money(x float64) string {
	switch size := math.Abs(x); {
	case !finite(x) || size < 1:
		return decimals(2)(x)
	case size < 100:
		return decimals(1)(x)
	}
	text := whole(int(math.Round(math.Abs(x))))
	if x < 0 {
		text = "−" + text
	}
	return text
}

// plain writes a number for an axis: with the digits that it needs.
func plain(x float64) string {
	return strings.Replace(strconv.FormatFloat(math.Round(x*1e6)/1e6, 'f', -1, 64), "-", "−", 1)
}

// signed writes a plus where a number is above zero.
func signed(f format) format {
	return func(x float64) string {
		if text := f(x); x > 0 && strings.ContainsAny(text, "123456789") {
			return "+" + text
		} else {
			return text
		}
	}
}

// estimate writes a figure with its interval, which stays on one line.
func estimate(e metric.Estimate, f format) string {
	switch {
	case !finite(e.Value):
		return undefined
	case !finite(e.Low) || !finite(e.High):
		return f(e.Value)
	}
	return fmt.Sprintf("%s (%s\u00a0to\u00a0%s)", f(e.Value), strings.TrimSuffix(f(e.Low), " points"), strings.TrimSuffix(f(e.High), " points"))
}

// written writes a date for a sentence, which does not break it.
func written(d pipeline.Date) string { return d.Time().Format("2\u00a0January\u00a02006") }

// confident writes a figure and says what its interval is.
func confident(e metric.Estimate, f format) string {
	return strings.Replace(estimate(e, f), "(", "("+percent(metric.Defaults().Confidence)+"\u00a0interval\u00a0", 1)
}

// whole writes 1234567 as 1,234,567.
func whole(n int) string {
	text := strconv.Itoa(n)
	for i := len(text) - 3; i > 0 && text[i-1] != '-'; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}

// short cuts a text to so many letters.
func short(text string, most int) string {
	letters := []rune(text)
	if len(letters) <= most {
		return text
	}
	return string(letters[:most-1]) + "…"
}

// share returns part of all, NaN of nothing.
func share(part, all int) float64 { return float64(part) / float64(all) }
