package monitored

import "churn/pipeline/monitor"

// driftFigures tells how far the users of a date are from those that the model
// knows, and from those of the weeks before.
func driftFigures(r *monitor.DriftReport, f *figures) {
	f.add("churn_drift_psi_max", "Largest population stability index of a feature.", r.OverallMaxPSI)
	for _, x := range r.Level.Features {
		levelFigures(&x, f)
	}
	if len(r.Level.Features) == 0 { // the report of the original course
		for name, psi := range r.PSIByFeature {
			f.add("churn_drift_psi", helpPSI, psi, "feature", name)
		}
		return
	}
	f.add("churn_drift_users", "Users that were compared.", float64(r.Users))
	f.add("churn_drift_weighted_psi", "Population stability index of all features, weighted by the model's importance.", r.Level.WeightedPSI)
	f.add("churn_drift_moved_ratio", "Share of the model's importance in features that have moved.", r.Level.MovedShare)
	f.add("churn_drift_moved_limit_ratio", "Share of the model's importance from which drift fails.", r.Level.Limit)
	if r.Step == nil {
		return
	}
	for _, x := range r.Step.Features {
		f.add("churn_drift_step_psi", "Population stability index of a feature against the weeks before.", x.PSI, "feature", x.Name)
	}
	f.add("churn_drift_sudden_features", "Features that changed suddenly, or have values far from all before.", float64(len(r.Step.Jumped)+len(r.Step.Strange)))
}

const helpPSI = "Population stability index of a feature against the reference."

// levelFigures tells one feature.
func levelFigures(x *monitor.LevelFeature, f *figures) {
	const limit = "Population stability index from which a feature warns or fails."
	f.add("churn_drift_psi", helpPSI, x.PSI, "feature", x.Name)
	f.add("churn_drift_psi_limit", limit, x.WarnLimit, "feature", x.Name, "level", "warn")
	f.add("churn_drift_psi_limit", limit, x.FailLimit, "feature", x.Name, "level", "fail")
	f.add("churn_drift_jensen_shannon", "Jensen-Shannon distance of a feature from the reference, to base 2.", x.JS, "feature", x.Name)
	f.add("churn_drift_kolmogorov_smirnov", "Kolmogorov-Smirnov distance of a feature from the reference.", x.KS, "feature", x.Name)
	f.add("churn_drift_missing_ratio", "Share of nulls of a feature.", x.Missing, "feature", x.Name)
	f.add("churn_drift_unseen_ratio", "Share of values of a feature that the reference does not have.", x.Unseen, "feature", x.Name)
	f.add("churn_drift_importance_ratio", "Share of a feature in what the model says.", x.Importance, "feature", x.Name)
}

// scoreFigures tells the scores beside what the model's training led to expect.
func scoreFigures(r *monitor.ScoreReport, f *figures) {
	for of, p := range map[string]monitor.ScorePoint{"now": r.ScorePoint, "expected": r.Expected} {
		f.add("churn_scores_mean", "Mean risk of the users at risk.", p.Mean, "of", of)
		f.add("churn_scores_high_ratio", "Share of the users at risk whose risk counts as high.", p.High, "of", of)
		for percentile, risk := range map[string]float64{"50": p.P50, "90": p.P90, "99": p.P99} {
			f.add("churn_scores_risk", "Risk by percentile of the users at risk.", risk, "of", of, "percentile", percentile)
		}
	}
	f.add("churn_scores_users", "Users at risk that were scored.", float64(r.Rows))
	f.add("churn_scores_threshold", "Risk from which one counts as high.", r.Threshold)
	if l := r.Level; l != nil {
		f.add("churn_scores_psi", "Population stability index of the scores against the reference.", l.PSI)
		f.add("churn_scores_psi_limit", "Population stability index from which the scores warn or fail.", l.WarnLimit, "level", "warn")
		f.add("churn_scores_psi_limit", "Population stability index from which the scores warn or fail.", l.FailLimit, "level", "fail")
	}
}
