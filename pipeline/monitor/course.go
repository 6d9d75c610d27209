package monitor

import (
	"fmt"
	"math"
	"path/filepath"

	"churn/internal/table"
	"churn/model/profile"
)

// CourseReport is data_drift_latest.json as the original course writes it.
type CourseReport struct {
	Status        Status             `json:"status"`
	OverallMaxPSI float64            `json:"overall_max_psi"`
	PSIByFeature  map[string]float64 `json:"psi_by_feature"`
	Baseline      string             `json:"baseline"` // name of the file
	Current       string             `json:"current"`
}

// courseFeatures are those that the course watches.
func courseFeatures() []string {
	return []string{"watch_minutes_7d", "watch_minutes_14d", "watch_minutes_30d", "quiz_attempts_7d", "quiz_avg_score_7d"}
}

// courseBins is the number of bins of its index.
const courseBins = 10

// Course compares all rows of the features file with the training set, as the
// course does: see profile.PSI. A feature without values in one of them counts as
// moved.
func Course(training, features string, p Params) (CourseReport, error) {
	r := CourseReport{Status: OK, PSIByFeature: map[string]float64{}, Baseline: filepath.Base(training), Current: filepath.Base(features)}
	before, err := columns(training, courseFeatures())
	if err != nil {
		return r, err
	}
	now, err := columns(features, courseFeatures())
	if err != nil {
		return r, err
	}
	for i, name := range courseFeatures() {
		psi := profile.PSI(before[i], now[i], courseBins)
		if math.IsNaN(psi) {
			r.Status = Fail // an index that JSON can hold there is none
			continue
		}
		r.PSIByFeature[name] = psi
		r.OverallMaxPSI = math.Max(r.OverallMaxPSI, psi)
	}
	switch {
	case r.OverallMaxPSI >= p.FailPSI:
		r.Status = Fail
	case r.OverallMaxPSI >= p.WarnPSI:
		r.Status = worst(r.Status, Warn)
	}
	return r, nil
}

// columns reads numeric columns of a table; NaN is null.
func columns(path string, names []string) ([][]float64, error) {
	r, err := table.Open(path)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	at, out := make([]int, len(names)), make([][]float64, len(names))
	for i, name := range names {
		if at[i] = r.Column(name); at[i] < 0 {
			return nil, fmt.Errorf("%s: lacks the column %s; run `churn features` and `churn labels` again", path, name)
		}
	}
	err = r.Each(func(rec *table.Record) error {
		for i, c := range at {
			x := math.NaN()
			if field := rec.Field(c); len(field) > 0 {
				var err error
				if x, err = table.ParseFloat(field); err != nil {
					return rec.Errorf(names[i], "%v; run `churn features` and `churn labels` again", err)
				}
			}
			out[i] = append(out[i], x)
		}
		return nil
	})
	return out, err
}
