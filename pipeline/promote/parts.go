package promote

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"

	"churn/model/metric"
	"churn/pipeline/evaluate"
)

// A slice is judged if it has so many users, and leastOutcome of each outcome:
// with fewer, the error of a ranking's figure is not near normal.
const leastSliceUsers = 50

// sliceBootstrap bounds the replicates of the slices, of which only the standard
// error is needed: 200 give it to a twentieth (Efron & Tibshirani, An
// Introduction to the Bootstrap, §6.4).
const sliceBootstrap = 200

// slices asks that no part of the users is proven to lose more than is allowed.
// Of each, z is how far the primary metric is above (1 - allowed)·champion in
// bootstrap standard errors, and the p-values of so many questions are held
// against Holm's (1979) falling limits, under which the chance of one false
// alarm among all of them is at most 1 - confidence.
func (j *judge) slices() error {
	parts, keep := j.parts()
	if err := j.measureParts(parts, keep); err != nil {
		return err
	}
	alarms := holm(parts, 1-j.params.Confidence)
	c := Criterion{Name: "slices", Metric: j.params.PrimaryMetric, Outcome: Pass}.plain()
	c.Limit = Number(-j.params.SliceLoss)
	judged, small := 0, 0
	for _, s := range parts {
		if s.Outcome == "" {
			small++
		} else {
			judged++
		}
	}
	c.Text = fmt.Sprintf("none of %d slices is proven to lose more than %g%%; %d are too small to tell", judged, 100*j.params.SliceLoss, small)
	if len(alarms) > 0 {
		c.Outcome, c.Change = Fail, "a challenger that serves these users no worse (promote.max_slice_loss)"
		c.Text = fmt.Sprintf("proven to lose more than %g%% of %s on %s", 100*j.params.SliceLoss, title(j.params.PrimaryMetric), strings.Join(alarms, ", "))
	}
	j.decision.Slices = parts
	j.add(c)
	return nil
}

// parts returns the slices of the judged rows, and the positions of the rows of
// each: nil of those that are too small.
func (j *judge) parts() (parts []Slice, keep [][]int) {
	for _, by := range j.in.Evaluate.Segments {
		of, order := evaluate.SegmentOf(j.rows, by)
		for _, name := range order {
			var at []int
			for i := range of {
				if of[i] == name {
					at = append(at, i)
				}
			}
			if len(at) == 0 {
				continue
			}
			s, fits := j.part(at)
			s.By, s.Name = by, name
			if !fits {
				at = nil
			}
			parts, keep = append(parts, s), append(keep, at)
		}
	}
	return parts, keep
}

// part counts the rows at the given positions, and reports whether they are
// enough to judge by.
func (j *judge) part(at []int) (s Slice, enough bool) {
	s = Slice{Rows: len(at), Challenger: none(), Champion: none(), Difference: none(), StdErr: none(), PValue: none()}
	churned, stayed, users := map[int32]bool{}, map[int32]bool{}, map[int32]bool{}
	for _, i := range at {
		u := j.rows.User[i]
		users[u] = true
		if j.rows.Label[i] {
			s.Churned++
			churned[u] = true
		} else {
			stayed[u] = true
		}
	}
	s.Users = len(users)
	return s, s.Users >= leastSliceUsers && min(len(churned), len(stayed)) >= leastOutcome
}

// measureParts measures both models on every slice that is large enough, all on
// the same resamples of users.
func (j *judge) measureParts(parts []Slice, keep [][]int) error {
	var samples []metric.Sample
	for _, at := range keep {
		if at != nil {
			samples = append(samples, j.ours.Subset(at), j.theirs.Subset(at))
		}
	}
	if len(samples) == 0 {
		return nil
	}
	p := j.evaluation()
	p.Bootstrap = min(p.Bootstrap, sliceBootstrap)
	drawn, err := metric.Bootstrap(samples, []string{j.params.PrimaryMetric}, p)
	if err != nil {
		return fmt.Errorf("gate: slices: %w", err)
	}
	for k := range parts {
		if keep[k] != nil {
			parts[k].compare(drawn[0][0], drawn[1][0], j.params.SliceLoss)
			drawn = drawn[2:]
		}
	}
	return nil
}

// compare fills in the figures of both models on the slice.
func (s *Slice) compare(ours, theirs metric.Series, allowed float64) {
	spare := ours.Less(theirs, 1-allowed)
	z := spare.Value / spare.StdErr()
	s.Outcome, s.Challenger, s.Champion, s.Difference = Pass, Number(ours.Value), Number(theirs.Value), Number(ours.Value-theirs.Value)
	s.StdErr, s.PValue = Number(spare.StdErr()), Number(0.5*math.Erfc(-z/math.Sqrt2))
}

// holm marks the slices that fail and returns their names: from the least
// p-value on, as long as the k-th of n is at most alpha / (n - k + 1).
func holm(parts []Slice, alpha float64) (alarms []string) {
	var at []int
	for k, s := range parts {
		if !math.IsNaN(float64(s.PValue)) {
			at = append(at, k)
		}
	}
	slices.SortStableFunc(at, func(a, b int) int { return cmp.Compare(parts[a].PValue, parts[b].PValue) })
	for k, i := range at {
		s := &parts[i]
		if float64(s.PValue) > alpha/float64(len(at)-k) {
			break
		}
		s.Outcome = Fail
		alarms = append(alarms, fmt.Sprintf("%s %s (%+.4f)", s.By, s.Name, float64(s.Difference)))
	}
	return alarms
}

// calibration asks that risks can be taken at their word, or no less so than
// the champion's. An expected calibration error is above zero by noise alone
// (metric.ReliabilityCurve): what is beyond that counts.
func (j *judge) calibration() {
	ours, theirs := j.reliability(j.ours), j.reliability(j.theirs)
	off := ours.ECE - ours.ExpectedECE
	c := Criterion{Name: "calibration", Metric: "ece", Outcome: Pass, Challenger: Number(ours.ECE), Champion: Number(theirs.ECE)}
	c.Difference, c.Limit = Interval{Number(ours.ECE - theirs.ECE), none(), none()}, Number(j.params.Calibration)
	c.Text = fmt.Sprintf("risks are off by %.3f on average, of which %.3f is noise (the champion's by %.3f); %g beyond noise is allowed", ours.ECE, ours.ExpectedECE, theirs.ECE, j.params.Calibration)
	if off > j.params.Calibration && ours.ECE > theirs.ECE {
		c.Outcome, c.Change = Unproven, "a challenger that is calibrated better (promote.max_calibration_error)"
		if off > j.params.Calibration+ours.ExpectedECE {
			c.Outcome = Fail
		}
	}
	j.add(c)
}

// calibrationBins is the number of bins of equal mass.
const calibrationBins = 10

func (j *judge) reliability(s metric.Sample) metric.Reliability {
	return metric.ReliabilityCurve(s, calibrationBins, j.params.Confidence)
}
