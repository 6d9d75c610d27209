package report

import (
	"fmt"
	"strings"

	"churn/internal/figures"
	"churn/model/metric"
	"churn/pipeline"
)

// estimate writes a figure with its interval, which stays on one line.
func estimate(e metric.Estimate, f figures.Format) string {
	switch {
	case !figures.Finite(e.Value):
		return figures.Undefined
	case !figures.Finite(e.Low) || !figures.Finite(e.High):
		return f(e.Value)
	}
	return fmt.Sprintf("%s (%s\u00a0to\u00a0%s)", f(e.Value), strings.TrimSuffix(f(e.Low), " points"), strings.TrimSuffix(f(e.High), " points"))
}

// written writes a date for a sentence, which does not break it.
func written(d pipeline.Date) string { return d.Time().Format("2\u00a0January\u00a02006") }

// confident writes a figure and says what its interval is.
func confident(e metric.Estimate, f figures.Format) string {
	return strings.Replace(estimate(e, f), "(", "("+figures.Percent(metric.Defaults().Confidence)+"\u00a0interval\u00a0", 1)
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
