package train

import (
	"fmt"
	"math"
	"slices"

	"churn/model"
	"churn/pipeline"
)

// Split says which as-of dates train and which test.
type Split struct {
	TrainFirst pipeline.Date `json:"train_first"`
	TrainLast  pipeline.Date `json:"train_last"`
	TestFirst  pipeline.Date `json:"test_first"`
	TestLast   pipeline.Date `json:"test_last"`
	Purged     int           `json:"purged_dates"` // as-of dates between them, left out
	TrainRows  int           `json:"train_rows"`
	TestRows   int           `json:"test_rows"`
	TrainRate  float64       `json:"train_churn_rate"`
	TestRate   float64       `json:"test_churn_rate"`
}

// split divides the as-of dates: the latest share tests, and a date trains only
// if its label window (asOf, asOf+window] ends before the first test date.
func split(dates []pipeline.Date, window int, p Params) (Split, error) {
	n := len(dates)
	test := max(int(math.Ceil(p.TestSize*float64(n))), 1)
	if n-test < 1 {
		return Split{}, fmt.Errorf("%d as-of dates with labels are too few to train and to test on; use more history or a smaller features.every_days", n)
	}
	s := Split{TestFirst: dates[n-test], TestLast: dates[n-1], TrainFirst: dates[0]}
	gap := pipeline.Date(0)
	if p.Purge {
		gap = pipeline.Date(window)
	}
	k := n - test
	for k > 0 && dates[k-1]+gap >= s.TestFirst {
		k--
	}
	if k == 0 {
		need := int(s.TestFirst-dates[0]) + window
		return Split{}, fmt.Errorf("no training date is left: the label windows of %d days of all dates before the test period (from %s) reach into it; "+
			"give at least %d days of history before the last labelled date (there are %d), a shorter labels.window_days, or a smaller train.test_size", window, s.TestFirst, need+window, int(dates[n-1]-dates[0])+1)
	}
	s.TrainLast, s.Purged = dates[k-1], n-test-k
	return s, nil
}

// datesOf returns the different as-of dates, ascending.
func datesOf(asOf []pipeline.Date) []pipeline.Date {
	seen := map[pipeline.Date]bool{}
	for _, d := range asOf {
		seen[d] = true
	}
	var out []pipeline.Date
	for d := range seen {
		out = append(out, d)
	}
	slices.Sort(out)
	return out
}

// between returns the rows with as-of dates in [first, last].
func (r *Rows) between(first, last pipeline.Date) *Rows {
	out := &Rows{Frame: model.Frame{NumericNames: r.Frame.NumericNames, CategoricalNames: r.Frame.CategoricalNames}, IDs: r.IDs}
	for i, d := range r.AsOf {
		if d < first || d > last {
			continue
		}
		num, cat := r.Frame.Row(i)
		out.Frame.Numeric = append(out.Frame.Numeric, num...)
		out.Frame.Categorical = append(out.Frame.Categorical, cat...)
		out.Label = append(out.Label, r.Label[i])
		out.AsOf = append(out.AsOf, d)
		out.User = append(out.User, r.User[i])
	}
	return out
}

// rate returns the share of churned rows.
func (r *Rows) rate() float64 {
	n := 0
	for _, y := range r.Label {
		if y {
			n++
		}
	}
	return float64(n) / float64(max(len(r.Label), 1))
}

// oneClass explains why rows cannot be learned from or tested on.
func (r *Rows) oneClass(period string) error {
	if rate := r.rate(); rate == 0 || rate == 1 {
		what := "churned"
		if rate == 0 {
			what = "stayed"
		}
		return fmt.Errorf("all %d rows of the %s period %s: nothing can be learned from one outcome; use more users or history, or another labels.window_days", r.Len(), period, what)
	}
	return nil
}
