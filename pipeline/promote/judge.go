package promote

import (
	"fmt"
	"math"

	"churn/model/metric"
	"churn/pipeline/dataset"
	"churn/pipeline/evaluate"
	"churn/pipeline/train"
)

// judge is one decision in the making.
type judge struct {
	in       Input
	params   Params
	decision Decision

	rows         *dataset.Rows // those at risk, with the challenger's features, by user and then by date
	champions    *dataset.Rows // the same with the champion's features; nil without one
	ours, theirs metric.Sample // theirs is empty without a champion
	rule         metric.Sample
	challenger   series
	champion     series // nil without one
	line         series // of the rule; pr_auc and roc_auc only
}

// series are the measured metrics by name.
type series map[string]metric.Series

func (j *judge) add(c Criterion) { j.decision.Criteria = append(j.decision.Criteria, c) }

// describe starts the decision.
func (in Input) describe(p Params) Decision {
	d := Decision{First: in.Champion == nil, Challenger: in.Challenger.side(), Settings: p, Criteria: []Criterion{}}
	if in.Champion != nil {
		side := in.Champion.side()
		d.Champion = &side
	}
	return d
}

func (c *Contender) side() Side {
	return Side{Version: c.Model.Version, Kind: c.Model.Bundle.Kind, TrainLast: c.TrainLast, Learned: c.Learned()}
}

// barred looks whether production was rolled back from the challenger.
func (j *judge) barred() {
	c := Criterion{Name: "not rolled back", Outcome: Pass, Text: "it was never rolled back from"}
	if b := j.in.Barred; b != nil {
		c.Outcome, c.Change = Fail, "train a new challenger, or overrule the gate"
		c.Text = fmt.Sprintf("production was rolled back from it on %s: %s", b.Date, b.Reason)
	}
	j.add(c.plain())
}

// lookForFuture is what to do about a leak alarm.
const lookForFuture = "look for future information in the features (`churn features --probe DATE`); overrule the gate if there is none"

// training takes over the verdict of the training, and its leak alarm.
func (j *judge) training() {
	v := j.in.Training
	c := Criterion{Name: "training", Metric: train.PRAUC, Outcome: Pass, Text: v.Reason}.plain()
	c.Difference = interval(v.OverFloor)
	switch {
	case !v.Passed:
		c.Outcome, c.Change = Fail, "more history or better features: a challenger must beat least squares"
	case v.Suspicion.Reason != "":
		c.Outcome, c.Text, c.Change = Fail, "leak alarm of the training: "+v.Suspicion.Reason, lookForFuture
	}
	j.add(c)
}

// question looks whether both models foretell the same: a champion that was
// trained on another definition of churn cannot be compared with.
func (j *judge) question() {
	if j.in.Champion == nil {
		return
	}
	c := Criterion{Name: "same question", Outcome: Pass, Text: "both models foretell the same churn"}
	ours, theirs := j.in.Challenger.Model.Spec.Labels, j.in.Champion.Model.Spec.Labels
	if !ours.SameAs(theirs) {
		c.Outcome, c.Change = Unproven, "decide which definition of churn counts; overrule the gate to change over to the new one"
		c.Text = fmt.Sprintf("the models foretell different things (labels.*: a window of %d days of users active in %d, completed courses told apart by %v, against %d, %d and %v), so no comparison is fair",
			ours.WindowDays, ours.CohortActiveDays, ours.Completions(), theirs.WindowDays, theirs.CohortActiveDays, theirs.Completions())
	}
	j.add(c.plain())
}

// leastOutcome is the number of users who churned, and of users who stayed,
// below which no interval of a ranking can be trusted.
const leastOutcome = 20

// evidence reports whether there is enough to judge by: if not, nothing that
// could be measured would prove anything. Without a champion nothing must be
// proven, so that both outcomes are enough.
func (j *judge) evidence() bool {
	if rows := j.in.Challenger.Rows; rows != nil {
		j.rows = rows.Take(cohort(rows))
	} else {
		j.rows = &dataset.Rows{}
	}
	d := j.describeRows()
	churned, stayed := outcomes(j.rows)
	c := Criterion{Name: "evidence", Outcome: Pass}.plain()
	c.Challenger, c.Limit = Number(d.Users), Number(j.params.MinUsers)
	if j.decision.First {
		c.Limit = none()
	}
	switch {
	case d.Rows == 0:
		c.Outcome, c.Change = Unproven, "later as-of dates: every one up to "+j.learned().String()+" was learned from"
		c.Text = "there are no rows that neither model has learned from, with label windows that have closed"
		if j.decision.First {
			c.Text = "there are no rows that the model has not learned from, with label windows that have closed"
		}
	case churned == 0 || stayed == 0:
		c.Outcome, c.Change = Unproven, "rows of both outcomes"
		c.Text = fmt.Sprintf("all %d judged rows had the same outcome: nothing can be ranked", d.Rows)
	case !j.decision.First && (d.Users < j.params.MinUsers || min(churned, stayed) < leastOutcome):
		c.Outcome, c.Change = Unproven, fmt.Sprintf("at least %d users, %d of each outcome (promote.min_users)", j.params.MinUsers, leastOutcome)
		c.Text = fmt.Sprintf("only %d users to judge by, of whom %d churned and %d stayed at some date", d.Users, churned, stayed)
	default:
		c.Text = fmt.Sprintf("%d users on %d as-of dates, of whom %d churned and %d stayed at some date", d.Users, d.Dates, churned, stayed)
	}
	j.add(c)
	return c.Outcome == Pass
}

// learned returns the last day that either model has learned of.
func (j *judge) learned() (last fmt.Stringer) {
	d := j.in.Challenger.Learned()
	if j.in.Champion != nil {
		d = max(d, j.in.Champion.Learned())
	}
	return d
}

// outcomes returns how many users churned at some date, and how many stayed at
// some date.
func outcomes(rows *dataset.Rows) (churned, stayed int) {
	seen := map[int32][2]bool{}
	for i, u := range rows.User {
		s := seen[u]
		if rows.Label[i] {
			s[0] = true
		} else {
			s[1] = true
		}
		seen[u] = s
	}
	for _, s := range seen {
		if s[0] {
			churned++
		}
		if s[1] {
			stayed++
		}
	}
	return churned, stayed
}

// describeRows notes what was judged by.
func (j *judge) describeRows() Judged {
	d := Judged{Rows: j.rows.Len(), Users: j.rows.Users(), Churned: j.rows.Positives(), Sampled: j.rows.Sampled}
	if dates := j.rows.Dates(); len(dates) > 0 {
		d.From, d.To, d.Dates = dates[0], dates[len(dates)-1], len(dates)
	}
	j.decision.Judged = d
	return d
}

// evaluation returns how the rows are measured: every metric on the same
// resamples.
func (j *judge) evaluation() metric.EvalParams {
	return metric.EvalParams{Bootstrap: j.params.Bootstrap, Seed: 1, Confidence: j.params.Confidence, Value: j.in.Value.Metric()}
}

// measure scores the rows with both models and the rule, and measures all of
// them on the same resamples of users.
func (j *judge) measure() (err error) {
	samples := []metric.Sample{scored(&j.in.Challenger, j.rows)}
	j.ours = samples[0]
	if champion := j.in.Champion; champion != nil {
		if j.champions = j.rows; champion.Rows != j.in.Challenger.Rows {
			j.champions = champion.Rows.Take(cohort(champion.Rows))
		}
		j.theirs = scored(champion, j.champions)
		samples = append(samples, j.theirs)
	}
	var names []string
	for _, b := range j.params.bounds() {
		names = append(names, b.name)
	}
	drawn, err := j.bootstrap(samples, names)
	if err != nil {
		return err
	}
	if j.challenger = drawn[0]; len(drawn) > 1 {
		j.champion = drawn[1]
	}
	j.rule = evaluate.Sample(j.rows, evaluate.Rule(j.rows), nil)
	drawn, err = j.bootstrap([]metric.Sample{j.rule}, []string{train.PRAUC, train.ROCAUC})
	if err != nil {
		return err
	}
	j.line = drawn[0]
	return nil
}

func (j *judge) bootstrap(samples []metric.Sample, names []string) (out []series, err error) {
	drawn, err := metric.Bootstrap(samples, names, j.evaluation())
	if err != nil {
		return nil, fmt.Errorf("gate: %w", err)
	}
	for _, row := range drawn {
		of := series{}
		for k, s := range row {
			of[names[k]] = s
		}
		out = append(out, of)
	}
	return out, nil
}

// scored returns the sample of a model on rows.
func scored(c *Contender, rows *dataset.Rows) metric.Sample {
	margins := c.Model.Bundle.Margins(&rows.Frame)
	return evaluate.Sample(rows, margins, c.Model.Bundle.Probabilities(margins))
}

// leak looks for results that are too good to be true: by the signs of
// evaluate.Suspect, or in a leap over all that was known before.
func (j *judge) leak() {
	feature, own := evaluate.Strongest(j.rows)
	auc := j.challenger[train.ROCAUC].Value
	c := Criterion{Name: "leak", Metric: train.ROCAUC, Outcome: Pass, Text: "nothing is too good to be true"}.plain()
	c.Challenger, c.Limit = Number(auc), Number(j.in.Evaluate.LeakROCAUC)
	if s := evaluate.Suspect(auc, feature, own, j.in.Evaluate); s.Reason != "" {
		c.Outcome, c.Text, c.Change = Fail, "leak alarm: "+s.Reason, lookForFuture
	}
	if j.champion != nil {
		c.Champion = Number(j.champion[train.ROCAUC].Value)
		j.leap(&c)
	}
	j.add(c)
}

// leap holds a challenger that wins a larger share of what was left to win than
// is allowed: beyond the rule and the champion, as it is and as it once was
// before the world changed.
func (j *judge) leap(c *Criterion) {
	known := max(j.champion[train.ROCAUC].Value, j.line[train.ROCAUC].Value, j.in.Champion.Promise)
	won := (float64(c.Challenger) - known) / (1 - known)
	if c.Outcome == Pass && won > j.params.Leap {
		c.Outcome, c.Change = Unproven, lookForFuture
		c.Text = fmt.Sprintf("ROC-AUC leaps from %.3f to %.3f, which is %.0f%% of what was left to win (%.0f%% is allowed): more often a leak than progress", known, float64(c.Challenger), 100*won, 100*j.params.Leap)
	}
}

// floors holds every metric against its limit. A value on the right side passes;
// one on the wrong side fails if its whole interval is there too.
func (j *judge) floors() {
	for _, b := range j.params.bounds() {
		if !b.floor {
			continue
		}
		e := j.challenger[b.name].Interval(b.name, j.params.Confidence)
		c := Criterion{Name: "floor", Metric: b.name, Outcome: Pass}.plain()
		c.Challenger, c.Limit = Number(e.Value), Number(b.limit)
		side := "at least"
		if b.lower {
			side = "at most"
		}
		c.Text = fmt.Sprintf("%s is %.4f (%.4f to %.4f) and must be %s %g", title(b.name), e.Value, e.Low, e.High, side, b.limit)
		switch {
		case b.reaches(e.Value):
		case b.reaches(e.Low) || b.reaches(e.High):
			c.Outcome = Unproven
		default:
			c.Outcome = Fail
		}
		if c.Outcome != Pass {
			c.Change = "a better challenger, or promote.metrics." + b.name + ".limit if the limit does not suit these data"
		}
		j.add(c)
	}
}

// reaches reports whether v is on the right side of the limit.
func (b bound) reaches(v float64) bool {
	if b.lower {
		return v <= b.limit
	}
	return v >= b.limit
}

// baseline holds the challenger against the one-line rule, which it may not be
// proven to fall short of.
func (j *judge) baseline() {
	name := j.params.PrimaryMetric
	d := j.challenger[name].Less(j.line[name], 1).Interval(name, j.params.Confidence)
	c := Criterion{Name: "baseline", Metric: name, Outcome: Pass, Challenger: Number(j.challenger[name].Value), Champion: Number(j.line[name].Value), Difference: interval(d), Limit: 0}
	c.Text = fmt.Sprintf("%s above the rule %q (%.4f) by %s", title(name), evaluate.RuleFeature, j.line[name].Value, between(name, d))
	if d.High < 0 {
		c.Outcome, c.Change = Fail, "nothing: the one-line rule costs less and ranks better"
		c.Text = fmt.Sprintf("proven worse than the rule %q: %s %s", evaluate.RuleFeature, title(name), between(name, d))
	}
	j.add(c)
}

// title returns a metric in words.
func title(name string) string {
	switch name {
	case train.PRAUC:
		return "PR-AUC"
	case train.ROCAUC:
		return "ROC-AUC"
	case "log_loss":
		return "log-loss"
	case "brier":
		return "Brier score"
	case metric.ProfitAtCapacity:
		return "profit at capacity"
	}
	return name
}

// between writes a difference with its interval.
func between(name string, e metric.Estimate) string {
	verb := "%+.4f"
	if name == metric.ProfitAtCapacity {
		verb = "%+.0f"
	}
	if math.IsNaN(e.Value) {
		return "an undefined amount"
	}
	return fmt.Sprintf(verb+" ("+verb+" to "+verb+")", e.Value, e.Low, e.High)
}
