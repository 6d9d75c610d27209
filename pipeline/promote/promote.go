// Package promote is the gate: it decides, by rows that neither model has
// learned from, whether a challenger replaces the champion.
//
// There are three answers. PROMOTE means that the challenger is proven better
// where it must be and not proven worse anywhere; REJECT that something speaks
// against it; HOLD that nothing is proven either way, so that the champion
// stays. Both models are scored on the same rows, and every difference is
// measured on the same resamples of users: see docs/adr/0009-the-gate.md.
//
// The package knows neither the registry nor the clock: models and rows in,
// Decision out. The same input gives the same bytes.
package promote

import (
	"cmp"
	"errors"
	"fmt"
	"slices"

	"churn/model/profile"
	"churn/pipeline"
	"churn/pipeline/dataset"
	"churn/pipeline/evaluate"
	"churn/pipeline/score"
	"churn/pipeline/train"
)

// Contender is a model with what it has learned from and the rows to judge it by.
type Contender struct {
	Model     *score.Model
	TrainLast pipeline.Date // last as-of date that it has learned from
	// Rows are labelled snapshots with the model's own features, of everyone
	// (AtRisk marks those who count) or of users at risk. Those of both contenders
	// are of the same users, dates and labels in the same order, by the
	// challenger's definition of churn: usually they are the same.
	Rows *dataset.Rows
	// Reference is the profile of the rows that the model was trained on; nil =
	// there is none, and drift is not judged.
	Reference *profile.Reference
	// Promise is the ROC-AUC of the test period of the champion's own training,
	// which says what can be reached without a leak; 0 = unknown. A challenger has none.
	Promise float64
}

// Learned returns the last day that the model's training labels tell of.
func (c *Contender) Learned() pipeline.Date {
	return c.TrainLast + pipeline.Date(c.Model.Spec.Labels.WindowDays)
}

// Barred says that production was rolled back from the challenger.
type Barred struct {
	Date   string // of the rollback, as it should be shown
	Reason string
}

// Input is what Judge decides by.
type Input struct {
	Challenger Contender
	Champion   *Contender    // nil: nothing is in production yet
	Training   train.Verdict // of the training that made the challenger
	Barred     *Barred       // nil: it was never rolled back from
	Shadow     *Shadow       // nil: no server has compared the two models
	Evaluate   evaluate.Params
	Value      evaluate.Value
}

// Dates returns which of the as-of dates of the challenger's test period may
// judge: those later than every day that a label of either training tells of,
// whose own label windows have closed by last, the last day of the data. The
// champion may be nil; the Rows of the contenders are not looked at.
func Dates(test []pipeline.Date, last pipeline.Date, challenger Contender, champion *Contender) []pipeline.Date {
	learned := challenger.Learned()
	if champion != nil {
		learned = max(learned, champion.Learned())
	}
	window := pipeline.Date(challenger.Model.Spec.Labels.WindowDays)
	return slices.DeleteFunc(slices.Clone(test), func(d pipeline.Date) bool { return d <= learned || d+window > last })
}

// check returns why the rows cannot be judged by: a fault of the caller.
func (in Input) check() error {
	rows := in.Challenger.Rows
	if in.Champion != nil {
		other := in.Champion.Rows
		if (rows == nil) != (other == nil) {
			return errors.New("gate: one model has rows to judge by and the other has none")
		}
		if rows != nil && !(slices.Equal(rows.Label, other.Label) && slices.Equal(rows.AsOf, other.AsOf) && slices.Equal(rows.User, other.User) && slices.Equal(rows.AtRisk, other.AtRisk)) {
			return errors.New("gate: the rows of challenger and champion are not of the same users, dates and labels")
		}
	}
	if rows == nil || rows.Len() == 0 {
		return nil
	}
	first := slices.Min(rows.AsOf)
	for _, c := range []*Contender{&in.Challenger, in.Champion} {
		if c != nil && first <= c.Learned() {
			return fmt.Errorf("gate: %s has learned of days up to %s, so rows of %s cannot judge it", c.Model.Version, c.Learned(), first)
		}
	}
	return nil
}

// cohort returns the positions of the rows at risk, by user and then by date.
func cohort(rows *dataset.Rows) (at []int) {
	for i := range rows.Len() {
		if rows.AtRisk == nil || rows.AtRisk[i] {
			at = append(at, i)
		}
	}
	slices.SortStableFunc(at, func(a, b int) int {
		return cmp.Or(cmp.Compare(rows.User[a], rows.User[b]), cmp.Compare(rows.AsOf[a], rows.AsOf[b]))
	})
	return at
}

// Judge decides. It returns an error if the input contradicts itself: rows that
// a model has learned from, or rows that are not the same for both models.
// Too few rows are no error: the answer is then HOLD. p must be valid.
//
// The first challenger, without a champion, is promoted if it ranks better than
// least squares (train.Verdict), reaches every limit, raises no leak alarm and
// is not proven worse than the one-line rule.
func Judge(in Input, p Params) (Decision, error) {
	if err := in.check(); err != nil {
		return Decision{}, err
	}
	j := judge{in: in, params: p, decision: in.describe(p)}
	if in.Champion != nil && in.Champion.Model.Version == in.Challenger.Model.Version {
		j.decision.InProduction = true
		j.add(Criterion{Name: "another model", Outcome: Unproven, Text: in.Challenger.Model.Version + " is in production already",
			Change: "train a new challenger (`churn train`)"}.plain())
	} else if err := j.all(); err != nil {
		return Decision{}, err
	}
	j.decision.conclude()
	return j.decision, nil
}

// all takes every criterion in turn.
func (j *judge) all() error {
	j.barred()
	j.training()
	j.question()
	j.shadow()
	if !j.evidence() {
		return nil
	}
	if err := j.measure(); err != nil {
		return err
	}
	j.leak()
	j.floors()
	if j.in.Champion != nil {
		j.gains()
		if err := j.slices(); err != nil {
			return err
		}
		j.calibration()
		if err := j.drift(); err != nil {
			return err
		}
	}
	j.baseline()
	return nil
}
