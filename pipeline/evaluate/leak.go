package evaluate

import (
	"fmt"
	"math"

	"churn/internal/parallel"
	"churn/model/metric"
	"churn/pipeline/dataset"
)

// leastSuspect is the ROC-AUC below which a single strong feature is no sign
// of a leak: the future always tells more than that.
const leastSuspect = 0.85

// Suspicion is a result that is too good to be true. Churn is hard to foresee
// among users who were active lately; who nearly can has often seen the future.
type Suspicion struct {
	ROCAUC        float64 `json:"roc_auc"`         // of the model
	Feature       string  `json:"feature"`         // the single best one
	FeatureROCAUC float64 `json:"feature_roc_auc"` // its own, high or low values first
	Reason        string  `json:"reason"`          // "" if nothing is suspect
}

// Strongest returns the numeric feature that alone ranks the rows best, with its
// ROC-AUC, high or low values first.
func Strongest(rows *dataset.Rows) (feature string, auc float64) {
	names := rows.Frame.NumericNames
	each := make([]float64, len(names))
	parallel.Each(len(names), func(j int) { each[j] = metric.SingleFeatureAUC(rows.Numeric(names[j]), rows.Label) })
	for j, a := range each {
		if a > auc {
			feature, auc = names[j], a
		}
	}
	return feature, auc
}

// Suspect looks for signs of a leak in a model that ranks rows of the cohort
// with the given ROC-AUC, of which the strongest feature alone has its own.
func Suspect(auc float64, feature string, featureAUC float64, p Params) Suspicion {
	s := Suspicion{ROCAUC: auc, Feature: feature, FeatureROCAUC: featureAUC}
	share := (s.FeatureROCAUC - 0.5) / (auc - 0.5)
	switch {
	case math.IsNaN(auc):
	case auc > p.LeakROCAUC:
		s.Reason = fmt.Sprintf("ROC-AUC %.3f on the cohort is above %g: too good to be true", auc, p.LeakROCAUC)
	case s.FeatureROCAUC >= leastSuspect && share > p.LeakShare:
		s.Reason = fmt.Sprintf("%s alone has a ROC-AUC of %.3f, nearly all of the model's %.3f", s.Feature, s.FeatureROCAUC, auc)
	}
	if s.Reason != "" {
		s.Reason += "; look for future information in the features (`churn features --probe DATE`)"
	}
	return s
}
