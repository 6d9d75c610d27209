package promote

import (
	"errors"
	"fmt"

	"churn/model/profile"
	"churn/pipeline/dataset"
)

// drift asks whether the judged rows are like those that the challenger was
// trained on, or at least no less so than for the champion. Moved features prove
// no loss, so that the answer is never worse than unproven.
func (j *judge) drift() error {
	if j.in.Challenger.Reference == nil {
		return nil
	}
	ours, moved, err := share(j.in.Challenger.Reference, j.rows)
	if err != nil {
		return err
	}
	theirs := none()
	if champion := j.in.Champion.Reference; champion != nil {
		if theirs, _, err = share(champion, j.champions); err != nil {
			return err
		}
	}
	c := Criterion{Name: "drift", Outcome: Pass}.plain()
	c.Challenger, c.Champion, c.Limit = ours, theirs, Number(j.params.Drift)
	c.Text = fmt.Sprintf("%.0f%% of the features have moved since the challenger's training (%.0f%% are allowed)%s", 100*float64(ours), 100*j.params.Drift, moved)
	if float64(ours) > j.params.Drift && !(ours <= theirs) {
		c.Outcome, c.Change = Unproven, "a challenger that is trained on later rows"
	}
	j.add(c)
	return nil
}

// share returns the share of the features that have drifted from the reference
// beyond profile.DefaultLimits, and names the one that has most.
func share(r *profile.Reference, rows *dataset.Rows) (failed Number, most string, err error) {
	d, err := r.Drift(profile.Rows{Frame: &rows.Frame, User: rows.User}, profile.Scores{}, profile.DefaultLimits())
	if errors.Is(err, profile.ErrFewRows) {
		return 0, ", as far as so few rows tell", nil
	}
	if err != nil {
		return 0, "", fmt.Errorf("gate: drift: %w", err)
	}
	var index float64
	for _, f := range d.Features {
		if f.Status == profile.Fail && f.PSI > index {
			index, most = f.PSI, fmt.Sprintf(", most of all %s (population stability index %.2f)", f.Name, f.PSI)
		}
	}
	return Number(float64(d.Failed) / float64(len(d.Features))), most, nil
}
