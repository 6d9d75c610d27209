package report

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"churn/internal/figures"
	"churn/model/metric"
	"churn/pipeline/evaluate"
	"churn/pipeline/train"
)

// head is the top of the page: whether to trust the model, and why.
type head struct {
	Tone      string // good, unclear or bad
	Verdict   string
	Sentences []string
	Tiles     []tile
	Facts     string
	Alarms    []string // leaks, or what fires
	Heed      string   // title of the warnings
	Warnings  []string
}

// tile is a number that stands out.
type tile struct{ Value, Name, Beside string }

// alarmPrefix marks the warning of the evaluation that is an alarm.
const alarmPrefix = "LEAK ALARM"

func (in Input) head() head {
	e := in.Evaluation
	h := head{Facts: facts(e), Tiles: tiles(e), Heed: "Know before you use it"}
	h.Tone, h.Verdict = verdict(e)
	h.Sentences = sentences(e)
	for _, w := range in.warnings() {
		if strings.HasPrefix(w, alarmPrefix) {
			h.Alarms = append(h.Alarms, w)
		} else {
			h.Warnings = append(h.Warnings, w)
		}
	}
	return h
}

// verdict says in a word whether the model is better than the rule.
func verdict(e evaluate.Evaluation) (tone, text string) {
	rank, profit := evaluate.Find(e.OverRule, metric.PRAUC), evaluate.Find(e.OverRule, metric.ProfitAtCapacity)
	switch {
	case e.Suspicion.Reason != "":
		return "bad", "Too good to be true: do not use this model before a leak is ruled out."
	case !figures.Finite(rank.Value):
		return "unclear", "This model could not be compared with the simple rule."
	case rank.Value <= 0:
		return "bad", "This model does not beat the simple rule: use the rule."
	case !(rank.Low > 0):
		return "unclear", "It is not shown that this model is better than the simple rule: its lead may be chance."
	case !(profit.Low > 0):
		return "unclear", "This model ranks users better than the simple rule, but that it earns more is not shown."
	}
	return "good", "This model is better than the simple rule, in ranking and in money."
}

// sentences are the verdict's reasons for a retention manager.
func sentences(e evaluate.Evaluation) (out []string) {
	if s := named(e); s != "" {
		out = append(out, s)
	}
	if d := evaluate.Find(e.OverRule, metric.PRAUC); figures.Finite(d.Value) {
		out = append(out, fmt.Sprintf("In ranking (PR-AUC: 1 is perfect, a blind guess gets the churn rate) the model reaches %s and the rule %s; the difference is %s.",
			figures.Decimals(3)(e.Cohort.Find(metric.PRAUC).Value), figures.Decimals(3)(evaluate.Find(e.Cohort.Rule, metric.PRAUC).Value), confident(d, figures.Signed(figures.Decimals(3)))))
	}
	if d := evaluate.Find(e.OverRule, metric.ProfitAtCapacity); figures.Finite(d.Value) {
		out = append(out, fmt.Sprintf("In money, contacting %s users a date brings %s by the model and %s by the rule; the difference is %s.",
			figures.Whole(e.Value.Capacity), figures.Money(e.Cohort.Find(metric.ProfitAtCapacity).Value), figures.Money(evaluate.Find(e.Cohort.Rule, metric.ProfitAtCapacity).Value), confident(d, figures.Signed(figures.Money))))
	}
	return out
}

// topList returns the suffix of the list that people will work through: as
// many users as can be contacted, or else the first list that was measured.
func topList(e evaluate.Evaluation) string {
	const prefix = "precision_at_"
	suffix := fmt.Sprint(e.Value.Capacity)
	if figures.Finite(e.Cohort.Find(prefix + suffix).Value) {
		return suffix
	}
	i := slices.IndexFunc(e.Cohort.Model, func(m metric.Estimate) bool { return strings.HasPrefix(m.Name, prefix) })
	if i < 0 {
		return ""
	}
	return strings.TrimPrefix(e.Cohort.Model[i].Name, prefix)
}

// listName puts the suffix of a list into words.
func listName(suffix string) string {
	if of, ok := strings.CutSuffix(suffix, "pct"); ok {
		return of + "% of the users"
	}
	return suffix + " users"
}

// named says how many of the users named first left.
func named(e evaluate.Evaluation) string {
	list := topList(e)
	model, rule, base := e.Cohort.Find("precision_at_"+list), evaluate.Find(e.Cohort.Rule, "precision_at_"+list), e.Cohort.Find("base_rate")
	if list == "" || !figures.Finite(model.Value) || !figures.Finite(base.Value) {
		return ""
	}
	text := fmt.Sprintf("Of the %s named first on a date, %s left, against %s of all users at risk", listName(list), figures.Percent(model.Value), figures.Percent(base.Value))
	if figures.Finite(rule.Value) {
		text += fmt.Sprintf(" and %s of those whom the rule names first", figures.Percent(rule.Value))
	}
	return text + "."
}

func tiles(e evaluate.Evaluation) (out []tile) {
	rule := func(name string, f figures.Format) string {
		if v := evaluate.Find(e.Cohort.Rule, name).Value; figures.Finite(v) {
			return "rule " + f(v)
		}
		return ""
	}
	if list := topList(e); list != "" {
		out = append(out, tile{figures.Percent(e.Cohort.Find("precision_at_" + list).Value), "of the first " + listName(list) + " left", rule("precision_at_"+list, figures.Percent)})
	}
	c := e.Calibration.InTheLarge
	return append(out,
		tile{figures.Decimals(3)(e.Cohort.Find(metric.PRAUC).Value), "PR-AUC", rule(metric.PRAUC, figures.Decimals(3))},
		tile{figures.Money(e.Cohort.Find(metric.ProfitAtCapacity).Value), "profit a date", rule(metric.ProfitAtCapacity, figures.Money)},
		tile{figures.Signed(figures.Decimals(1))(100 * c.Value), "points of mean risk less churn rate", "0 is right"})
}

func facts(e evaluate.Evaluation) string {
	when := "one as-of date, " + written(e.From)
	if e.From != e.To {
		when = fmt.Sprintf("%s as-of dates, %s to %s", figures.Whole(e.Cohort.Dates), written(e.From), written(e.To))
	}
	text := fmt.Sprintf("%s model, measured on %s snapshots of %s users on %s. A user churns who is not active in the %d days after the as-of date.",
		kindName(e.Kind), figures.Whole(e.Cohort.Rows), figures.Whole(e.Cohort.Users), when, e.WindowDays)
	if e.CohortDays > 0 {
		text += fmt.Sprintf(" At risk are users who were active in the %d days up to it.", e.CohortDays)
	}
	return text + fmt.Sprintf(" The simple rule ranks users by %q: who was silent longest.", evaluate.RuleFeature)
}

// kindName puts the kind of a model into words.
func kindName(kind string) string {
	switch kind {
	case "logistic":
		return "Logistic"
	case "gbdt":
		return "Boosted-trees"
	}
	return cmp.Or(kind, "Unnamed")
}

// warnings are all that the evaluation and the training warn of, each once.
func (in Input) warnings() []string {
	out := slices.Clone(in.Evaluation.Warnings)
	if in.Evaluation.Suspicion.Reason != "" && !slices.ContainsFunc(out, func(w string) bool { return strings.HasPrefix(w, alarmPrefix) }) {
		out = append(out, alarmPrefix+": "+in.Evaluation.Suspicion.Reason)
	}
	out = append(out, shortfalls(in)...)
	if in.Training == nil {
		return out
	}
	for _, w := range in.Training.Warnings {
		out = append(out, "training: "+w)
	}
	if overlaps(in.Training) {
		out = append(out, "training: labels of the training period reach into the test period (no purge), so figures on it flatter the model")
	}
	if v := in.judged(); v != nil {
		if v.Warning != "" {
			out = append(out, "training: "+v.Warning)
		}
		if !v.Passed {
			out = append(out, "training: the model did not pass: "+v.Reason)
		}
		if v.Suspicion.Reason != "" {
			out = append(out, alarmPrefix+" in training: "+v.Suspicion.Reason)
		}
	}
	return out
}

// shortfalls are where the model is no better than the rule although it is on
// the users at risk.
func shortfalls(in Input) (out []string) {
	if all := in.Evaluation.Everyone; all != nil {
		if m, r := all.Find(metric.PRAUC), evaluate.Find(all.Rule, metric.PRAUC); m.Value <= r.Value {
			out = append(out, fmt.Sprintf("over everyone, long-silent users included, the rule ranks at least as well: PR-AUC %s against %s of the model; use the model for users at risk only", figures.Decimals(3)(r.Value), figures.Decimals(3)(m.Value)))
		}
	}
	if b := in.Backtest; b != nil && !(b.PRAUC.Difference.Low > 0) {
		out = append(out, "backtest: it is not shown that models trained before were better than the rule: PR-AUC "+estimate(b.PRAUC.Difference, figures.Signed(figures.Decimals(3))))
	}
	if b := in.Backtest; b != nil && !(b.Profit.Difference.Low > 0) {
		out = append(out, "backtest: it is not shown that models trained before earned more than the rule: profit a date "+estimate(b.Profit.Difference, figures.Signed(figures.Money)))
	}
	return out
}

// judged returns the verdict of the training on this model, nil if there is none.
func (in Input) judged() *train.Verdict {
	if in.Training == nil {
		return nil
	}
	for _, same := range []func(train.Verdict) bool{
		func(v train.Verdict) bool { return v.Version != "" && v.Version == in.Evaluation.Version },
		func(v train.Verdict) bool { return v.Name == in.Evaluation.Kind },
	} {
		if i := slices.IndexFunc(in.Training.Verdicts, same); i >= 0 {
			return &in.Training.Verdicts[i]
		}
	}
	return nil
}
