package metric

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"

	"churn/internal/parallel"
)

// EvalParams are the parameters of Evaluate. Start from Defaults.
type EvalParams struct {
	Bootstrap  int       `json:"bootstrap"`  // replicates; 0 = no intervals
	Seed       uint64    `json:"seed"`       // of the replicates
	TopK       []int     `json:"top_k"`      // lists of so many rows per group; each ≥ 1
	TopShare   []float64 `json:"top_share"`  // lists of such a share of every group; each in (0, 1]
	Confidence float64   `json:"confidence"` // of the intervals; in (0, 1)
	Value      *Value    `json:"value"`      // what contacts cost and bring; nil = no profits
	// BaseRate is a share of positives, below 1, at which pr_auc is given besides;
	// 0 = none.
	BaseRate float64 `json:"base_rate,omitempty"`
}

// Defaults returns 95 % intervals from 500 replicates: their ends are then the
// 12th or 13th value from either side, steady to a few percent of the width.
func Defaults() EvalParams {
	return EvalParams{Bootstrap: 500, Seed: 1, TopK: []int{50}, TopShare: []float64{0.01, 0.05, 0.10}, Confidence: 0.95}
}

// Validate returns all faults of p, each led by its key.
func (p EvalParams) Validate() error {
	var errs []error
	if p.Bootstrap < 0 {
		errs = append(errs, fmt.Errorf("bootstrap: %d is negative", p.Bootstrap))
	}
	for _, k := range p.TopK {
		if k < 1 {
			errs = append(errs, fmt.Errorf("top_k: %d is not ≥ 1", k))
		}
	}
	for _, share := range p.TopShare {
		if !(share > 0 && share <= 1) {
			errs = append(errs, fmt.Errorf("top_share: %v is not in (0, 1]", share))
		}
	}
	if !(p.Confidence > 0 && p.Confidence < 1) {
		errs = append(errs, fmt.Errorf("confidence: %v is not in (0, 1)", p.Confidence))
	}
	if !(p.BaseRate >= 0 && p.BaseRate < 1) {
		errs = append(errs, fmt.Errorf("base_rate: %v is not in [0, 1)", p.BaseRate))
	}
	if p.Value != nil {
		errs = append(errs, p.Value.Validate())
	}
	return errors.Join(errs...)
}

// cuts returns the lists of p in order.
func (p EvalParams) cuts() []cut {
	var cuts []cut
	for _, k := range p.TopK {
		cuts = append(cuts, cut{rows: k})
	}
	for _, share := range p.TopShare {
		cuts = append(cuts, cut{share: share})
	}
	return cuts
}

// Names of metrics that others ask for.
const (
	PRAUC            = "pr_auc"
	PRAUCAtRate      = "pr_auc_at_rate"
	ProfitAtCapacity = "profit_at_capacity"
)

// Estimate is a metric with the ends of its interval. NaN stands for what is
// not defined, and is null in JSON.
type Estimate struct {
	Name             string
	Value, Low, High float64
}

// estimateJSON is the wire form of an Estimate.
type estimateJSON struct {
	Name  string   `json:"name"`
	Value *float64 `json:"value"`
	Low   *float64 `json:"low"`
	High  *float64 `json:"high"`
}

// MarshalJSON writes {"name", "value", "low", "high"} with null for NaN.
func (e Estimate) MarshalJSON() ([]byte, error) {
	pointer := func(v float64) *float64 {
		if math.IsNaN(v) {
			return nil
		}
		return &v
	}
	return json.Marshal(estimateJSON{e.Name, pointer(e.Value), pointer(e.Low), pointer(e.High)})
}

// UnmarshalJSON reads what MarshalJSON writes.
func (e *Estimate) UnmarshalJSON(text []byte) error {
	var wire estimateJSON
	if err := json.Unmarshal(text, &wire); err != nil {
		return err
	}
	value := func(v *float64) float64 {
		if v == nil {
			return math.NaN()
		}
		return *v
	}
	*e = Estimate{wire.Name, value(wire.Value), value(wire.Low), value(wire.High)}
	return nil
}

// Report is the result of Evaluate.
type Report struct {
	Rows      int        `json:"rows"`
	Users     int        `json:"users"`
	Groups    int        `json:"groups"`
	Positives int        `json:"positives"`
	Estimates []Estimate `json:"estimates"`
}

// Find returns the estimate of a metric, and whether there is one.
func (r Report) Find(name string) (Estimate, bool) {
	i := slices.IndexFunc(r.Estimates, func(e Estimate) bool { return e.Name == name })
	if i < 0 {
		return Estimate{}, false
	}
	return r.Estimates[i], true
}

// Evaluate measures s. In this order:
//
//	pr_auc, roc_auc           AveragePrecision, ROCAUC
//	pr_auc_at_rate            with p.BaseRate: pr_auc if that were the share of positives
//	base_rate                 share of positives
//	with Prob:
//	log_loss, brier           LogLoss, Brier
//	calibration_in_the_large  mean probability less share of positives
//	ece                       ECEEqualMass over ten bins; a resample adds noise, so its interval lies high
//	calibration_slope,        of the log-odds: 1 and 0 if calibrated
//	calibration_intercept
//	for every list of p (K = 50, 1pct, …):
//	precision_at_K, lift_at_K Top.Precision, Top.Lift
//	with p.Value:
//	profit_at_capacity        of the Capacity highest-scored rows of every group, per group
//	profit_per_contact        the same per row contacted
//	max_profit, empc          of the best number of contacts, per row of the sample
//	with p.Value and Prob:
//	profit_at_threshold       as at capacity, without the rows below Value.Threshold
//	contacts_at_threshold     rows contacted then, per group
//
// The intervals are percentiles of a bootstrap over users (Efron & Tibshirani,
// An Introduction to the Bootstrap, §13.3): rows of one user are not
// independent, so users are drawn with replacement and a user drawn c times
// gives its rows weight c. Replicates on which a metric is undefined are left
// out of its interval. It panics if s or p is invalid.
func Evaluate(s Sample, p EvalParams) Report {
	e := newEvaluator(s, p)
	report := Report{Rows: len(s.Label), Users: e.users, Groups: e.groups}
	for _, positive := range s.Label {
		report.Positives += int(number(positive))
	}
	values := e.metrics(ones(e.users))
	draws := replicates(e.users, p, e.metrics)
	for i, name := range e.names() {
		report.Estimates = append(report.Estimates, interval(name, values[i], column(draws, i), p.Confidence))
	}
	return report
}

// PairedDifference returns the metric of a minus that of b, with the interval
// of the difference over the same resamples of users: much narrower than the two
// intervals suggest, since both models face the same users. a and b are the
// same rows in the same order under two models. It returns an error if they are
// not, or if Evaluate would not report the metric.
func PairedDifference(a, b Sample, metric string, p EvalParams) (Estimate, error) {
	if !slices.Equal(a.Label, b.Label) || !slices.Equal(a.Group, b.Group) || !slices.Equal(a.User, b.User) {
		return Estimate{}, errors.New("paired difference: the samples are not of the same rows")
	}
	drawn, err := Bootstrap([]Sample{a, b}, []string{metric}, p)
	if err != nil {
		return Estimate{}, fmt.Errorf("paired difference: %w", err)
	}
	return drawn[0][0].Less(drawn[1][0], 1).Interval(metric, p.Confidence), nil
}

// replicateBlock is the number of replicates that share a weight buffer.
const replicateBlock = 8

// replicates returns what measure gives on every bootstrap replicate. Replicate
// b depends on (Seed, b) alone, whichever core runs it.
func replicates(users int, p EvalParams, measure func(weight []float64) []float64) [][]float64 {
	out := make([][]float64, p.Bootstrap)
	parallel.Each((len(out)+replicateBlock-1)/replicateBlock, func(k int) {
		weight := make([]float64, users)
		for b := k * replicateBlock; b < min((k+1)*replicateBlock, len(out)); b++ {
			resample(rand.New(rand.NewPCG(p.Seed, uint64(b))), weight)
			out[b] = measure(weight)
		}
	})
	return out
}

// resample draws as many users as there are, with replacement, and writes how
// often each was drawn.
func resample(rng *rand.Rand, weight []float64) {
	clear(weight)
	for range weight {
		weight[rng.IntN(len(weight))]++
	}
}

// column returns element i of every row.
func column(rows [][]float64, i int) []float64 {
	out := make([]float64, len(rows))
	for b, row := range rows {
		out[b] = row[i]
	}
	return out
}

// interval returns an estimate with the percentile interval of its replicates.
func interval(name string, value float64, draws []float64, confidence float64) Estimate {
	draws = slices.DeleteFunc(draws, math.IsNaN)
	slices.Sort(draws)
	tail := (1 - confidence) / 2
	return Estimate{Name: name, Value: value, Low: quantile(draws, tail), High: quantile(draws, 1-tail)}
}

// quantile interpolates linearly between the order statistics around
// q·(n-1) (Hyndman & Fan, 1996, type 7). It is NaN if there are none.
func quantile(sorted []float64, q float64) float64 {
	if len(sorted) == 0 {
		return math.NaN()
	}
	at := q * float64(len(sorted)-1)
	k := min(int(at), len(sorted)-1)
	next := sorted[min(k+1, len(sorted)-1)]
	return sorted[k] + float64((at-float64(k))*(next-sorted[k]))
}
