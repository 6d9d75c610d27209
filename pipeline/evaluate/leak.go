package evaluate

import (
	"fmt"
	"math"
	"slices"

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

// Strongest returns the feature that alone ranks the rows best, with its
// ROC-AUC, high or low values first.
func Strongest(rows *dataset.Rows) (feature string, auc float64) {
	numeric, categorical := rows.Frame.NumericNames, rows.Frame.CategoricalNames
	each := make([]float64, len(numeric)+len(categorical))
	parallel.Each(len(each), func(j int) {
		if j < len(numeric) {
			each[j] = metric.SingleFeatureAUC(rows.Numeric(numeric[j]), rows.Label)
		} else {
			each[j] = metric.ROCAUC(levelRates(rows, rows.Categorical(categorical[j-len(numeric)])), rows.Label)
		}
	})
	for j, a := range each {
		if a > auc {
			feature, auc = slices.Concat(numeric, categorical)[j], a
		}
	}
	return feature, auc
}

// levelRates returns for each row the churn rate of its level among the users
// with the other parity, so that no row tells of itself; a level that those do
// not have counts as the mean.
func levelRates(rows *dataset.Rows, level []string) []float64 {
	type sum struct{ rows, positives float64 }
	sums := map[string]*[2]sum{}
	for i, l := range level {
		if sums[l] == nil {
			sums[l] = &[2]sum{}
		}
		s := &sums[l][rows.User[i]&1]
		s.rows++
		if rows.Label[i] {
			s.positives++
		}
	}
	out, mean := make([]float64, len(level)), rows.Rate()
	for i, l := range level {
		out[i] = mean
		if s := sums[l][1-rows.User[i]&1]; s.rows > 0 {
			out[i] = s.positives / s.rows
		}
	}
	return out
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
		s.Reason = fmt.Sprintf("%s alone has a ROC-AUC of %.3f; the model has %.3f, hardly more", s.Feature, s.FeatureROCAUC, auc)
	}
	if s.Reason != "" {
		s.Reason += "; look for future information in the features (`churn features --probe DATE`)"
	}
	return s
}
