package train

import (
	"fmt"

	"churn/internal/table"
	"churn/pipeline"
)

// NameTruth is the ranking by the true probabilities of simulated data: the
// best that any model could do. Only the evaluation reads them.
const NameTruth = "truth"

// truthColumn is the simulator's probability of no activity in the next
// truthDays days.
const (
	truthColumn = "churn_probability_30d"
	truthDays   = 30
)

// Truth is the true churn probability of users on as-of dates.
type Truth map[truthKey]float64

type truthKey struct {
	user string
	asOf pipeline.Date
}

// LoadTruth reads the simulator's file.
func LoadTruth(path string) (Truth, error) {
	r, err := table.Open(path)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	user, asOf, probability := r.Column("user_id"), r.Column("as_of_date"), r.Column(truthColumn)
	if user < 0 || asOf < 0 || probability < 0 {
		return nil, fmt.Errorf("%s: lacks one of user_id, as_of_date, %s; run `churn generate` again", path, truthColumn)
	}
	truth := Truth{}
	err = r.Each(func(rec *table.Record) error {
		date, err := pipeline.ParseDate(string(rec.Field(asOf)))
		if err != nil {
			return rec.Errorf("as_of_date", "%v", err)
		}
		p, err := table.ParseFloat(rec.Field(probability))
		if err != nil {
			return rec.Errorf(truthColumn, "%v", err)
		}
		truth[truthKey{string(rec.Field(user)), date}] = p
		return nil
	})
	return truth, err
}

// ceiling measures the truth on the test rows; nil where it does not cover
// them, or speaks of another label window.
func (t *trainer) ceiling() *Measured {
	if t.definition.Truth == nil || t.definition.Labels.WindowDays != truthDays {
		return nil
	}
	probs := make([]float64, t.test.Len())
	for i := range probs {
		p, ok := t.definition.Truth[truthKey{t.test.IDs[t.test.User[i]], t.test.AsOf[i]}]
		if !ok {
			return nil
		}
		probs[i] = p
	}
	m := t.measure(NameTruth, probs, probs)
	return &m
}
