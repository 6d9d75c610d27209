package train

import (
	"fmt"
	"math"

	"churn/pipeline"
	"churn/pipeline/dataset"
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

// gap returns the days that a training date must lie before the next period.
func (p Params) gap(window int) pipeline.Date {
	if p.Purge {
		return pipeline.Date(window)
	}
	return 0
}

// purged returns how many of the first dates train for a period from first on:
// those whose label window ends before it.
func purged(dates []pipeline.Date, first, gap pipeline.Date) int {
	k := len(dates)
	for k > 0 && dates[k-1]+gap >= first {
		k--
	}
	return k
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
	k := purged(dates[:n-test], s.TestFirst, p.gap(window))
	if k == 0 {
		need := int(s.TestFirst-dates[0]) + window
		return Split{}, fmt.Errorf("no training date is left: the label windows of %d days of all dates before the test period (from %s) reach into it; "+
			"give at least %d days of history before the last labelled date (there are %d), a shorter labels.window_days, or a smaller train.test_size", window, s.TestFirst, need+window, int(dates[n-1]-dates[0])+1)
	}
	s.TrainLast, s.Purged = dates[k-1], n-test-k
	return s, nil
}

// Fold is one way to divide the training rows into those that are fitted and
// those that the fit is judged by.
type Fold struct {
	By            string        `json:"by"` // dates, or users
	FitFirst      pipeline.Date `json:"fit_first"`
	FitLast       pipeline.Date `json:"fit_last"`
	ValidateFirst pipeline.Date `json:"validate_first"`
	ValidateLast  pipeline.Date `json:"validate_last"`
	FitRows       int           `json:"fit_rows"`
	ValidateRows  int           `json:"validate_rows"`

	fit, validate *dataset.Rows
}

// The kinds of folds.
const (
	ByDates = "dates" // validation is later than all that is fitted, and purged
	ByUsers = "users" // other users, the same dates: where the history is too short for the former
)

// leastShare is the share of the training dates that the fit of a fold must
// keep: a model of much less history says little about the final one.
const leastShare = 1.0 / 3

// folds divides training rows in time: validation periods of an equal number of
// dates, the last one ending with the training period, each fitted on the dates
// whose label windows end before it. Where there is no room for one, it divides
// them by users. The latest fold comes first.
func folds(rows *dataset.Rows, window int, p Params) []Fold {
	dates := rows.Dates()
	size := max(int(math.Ceil(p.ValidationSize*float64(len(dates)))), 1)
	var out []Fold
	for end := len(dates); end-size >= 1 && len(out) < p.Folds; end -= size {
		first, last := dates[end-size], dates[end-1]
		k := purged(dates[:end-size], first, p.gap(window))
		if k < 1 || float64(k) < leastShare*float64(len(dates)) {
			break
		}
		f := Fold{By: ByDates, fit: rows.Between(dates[0], dates[k-1]), validate: rows.Between(first, last)}
		if f.fit.OneClass("") != nil || f.validate.OneClass("") != nil {
			break
		}
		out = append(out, f)
	}
	if len(out) == 0 {
		out = byUsers(rows)
	}
	for i := range out {
		out[i].describe()
	}
	return out
}

// userFolds is the number of folds by users.
const userFolds = 3

// byUsers divides the rows by their users. It returns none if a part would
// have one outcome only.
func byUsers(rows *dataset.Rows) (out []Fold) {
	for k := range userFolds {
		mine := func(i int) bool { return rows.User[i]%userFolds == int32(k) }
		f := Fold{By: ByUsers, fit: rows.Where(func(i int) bool { return !mine(i) }), validate: rows.Where(mine)}
		if f.fit.OneClass("") != nil || f.validate.OneClass("") != nil {
			return nil
		}
		out = append(out, f)
	}
	return out
}

func (f *Fold) describe() {
	fit, validate := f.fit.Dates(), f.validate.Dates()
	f.FitFirst, f.FitLast, f.FitRows = fit[0], fit[len(fit)-1], f.fit.Len()
	f.ValidateFirst, f.ValidateLast, f.ValidateRows = validate[0], validate[len(validate)-1], f.validate.Len()
}
