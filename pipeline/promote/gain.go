package promote

import (
	"fmt"
	"math"

	"churn/model/metric"
)

// gains compares every metric with the champion's.
func (j *judge) gains() {
	for _, b := range j.params.bounds() {
		if b.primary {
			j.gain(b)
		}
	}
	for _, b := range j.params.bounds() {
		if !b.primary {
			j.loss(b)
		}
	}
}

// gain asks for the proof: the interval of the difference lies above zero, and
// the difference is worth a change of models.
func (j *judge) gain(b bound) {
	ours, theirs := j.challenger[b.name], j.champion[b.name]
	less := ours.Less(theirs, 1)
	d := less.Interval(b.name, j.params.Confidence)
	relative := d.Value / theirs.Value
	c := Criterion{Name: "gain", Metric: b.name, Challenger: Number(ours.Value), Champion: Number(theirs.Value), Difference: interval(d), Limit: Number(b.gain)}
	text := fmt.Sprintf("%s %.4f against %.4f: %s, %+.1f%%", title(b.name), ours.Value, theirs.Value, between(b.name, d), 100*relative)
	switch {
	case d.High < 0:
		c.Outcome, c.Text, c.Change = Fail, "proven worse: "+text, "a challenger that is better"
	case d.Low > 0 && relative >= b.gain:
		c.Outcome, c.Text = Pass, "proven better: "+text
	case d.Low > 0:
		c.Outcome, c.Text = Unproven, fmt.Sprintf("proven better, but by less than the %g%% that a change of models must bring: %s", 100*b.gain, text)
		c.Change = fmt.Sprintf("a gain of %g%% (promote.metrics.%s.gain)", 100*b.gain, b.name)
	default:
		c.Outcome, c.Text, c.Change = Unproven, "not proven better: "+text, j.needed(less, d, b.gain*theirs.Value)
	}
	j.add(c)
}

// needed says what would prove a difference of replicates s and interval d: so
// many users if it is large enough, or else a larger one.
func (j *judge) needed(s metric.Series, d metric.Estimate, least float64) string {
	half := (d.High - d.Low) / 2
	if !(s.StdErr() > 0) {
		return "a challenger that ranks these users otherwise than the champion"
	}
	if d.Value > 0 && d.Value >= least {
		users := math.Ceil(float64(j.decision.Judged.Users) * (half / d.Value) * (half / d.Value))
		return fmt.Sprintf("a lead of this size would be proven by about %.0f users", users)
	}
	return fmt.Sprintf("with as many users, a lead of about %.4f", max(half, least))
}

// loss asks that another metric is not proven to fall short of the champion's
// by more than is put up with. How far it is beyond that multiple of the
// champion's is measured on every resample, so that the champion's own noise counts.
func (j *judge) loss(b bound) {
	ours, theirs := j.challenger[b.name], j.champion[b.name]
	d := ours.Less(theirs, 1).Interval(b.name, j.params.Confidence)
	beyond := ours.Less(theirs, b.least(theirs.Value)).Interval(b.name, j.params.Confidence)
	c := Criterion{Name: "no loss", Metric: b.name, Outcome: Pass, Challenger: Number(ours.Value), Champion: Number(theirs.Value), Difference: interval(d), Limit: Number(b.gain)}
	c.Text = fmt.Sprintf("%s %s, %+.1f%%", title(b.name), between(b.name, d), 100*d.Value/math.Abs(theirs.Value))
	if b.lower && beyond.Low > 0 || !b.lower && beyond.High < 0 {
		c.Outcome, c.Change = Fail, fmt.Sprintf("a challenger that does not lose more than %g%% here (promote.metrics.%s.gain)", -100*b.gain, b.name)
		c.Text = fmt.Sprintf("proven to lose more than %g%%: %s", -100*b.gain, c.Text)
	}
	j.add(c)
}

// least returns the multiple of the champion's value that must not be missed: a
// gain of -2% is 0.98 of a metric that grows with quality, and 1.02 of a loss or
// of a profit below zero.
func (b bound) least(champion float64) float64 {
	if b.lower || champion < 0 {
		return 1 - b.gain
	}
	return 1 + b.gain
}
