package metric

import (
	"math"
	"sync"

	"churn/model"
	"churn/model/calibrate"
)

// slopes are the sums of one user's first and second derivatives of the log-loss
// by slope a and intercept b.
type slopes struct{ ga, gb, haa, hab, hbb float64 }

// recalibration measures the line through the log-odds of Prob under which the
// labels are likeliest (Cox, 1958): slope 1 and intercept 0 if the probabilities
// are right, a slope below 1 if they are too sure.
//
// With all weights 1 it is the exact optimum. Under others it is one step of
// Newton's method from there, which costs a pass over the users and not ten over
// the rows, and is as accurate as the full optimum to the order of the bootstrap
// itself (Davidson & MacKinnon, 1999). NaN if the classes do not overlap.
func recalibration(s Sample, user []int32, users int) measure {
	fit := sync.OnceValue(func() fitted { return s.recalibrated(user, users) })
	return measure{[]string{"calibration_slope", "calibration_intercept"}, func(weight []float64) []float64 {
		f := fit()
		if f.of == nil {
			return []float64{math.NaN(), math.NaN()}
		}
		da, db := step(f.of, weight)
		return []float64{f.slope + da, f.intercept + db}
	}}
}

// fitted is the line at all weights 1, with what a step from it needs; of is nil
// if the classes do not overlap.
type fitted struct {
	slope, intercept float64
	of               []slopes
}

func (s Sample) recalibrated(user []int32, users int) fitted {
	margin := make([]float64, len(s.Prob))
	for i, p := range s.Prob {
		margin[i] = logOdds(p)
	}
	slope, intercept, err := calibrate.Line(margin, s.Label, nil)
	if err != nil {
		return fitted{}
	}
	of := make([]slopes, users)
	for i, x := range margin {
		of[user[i]].add(x, model.Sigmoid(float64(slope*x)+intercept), number(s.Label[i]))
	}
	return fitted{slope, intercept, of}
}

// add adds a row of log-odds x, probability p by the line and label y.
func (t *slopes) add(x, p, y float64) {
	g, h := p-y, float64(p*(1-p))
	t.ga, t.gb = t.ga+float64(g*x), t.gb+g
	t.haa, t.hab, t.hbb = t.haa+float64(float64(h*x)*x), t.hab+float64(h*x), t.hbb+h
}

// step returns Newton's step under weights of the users.
func step(of []slopes, weight []float64) (da, db float64) {
	var t slopes
	for u, w := range weight {
		s := &of[u]
		t.ga, t.gb = t.ga+float64(w*s.ga), t.gb+float64(w*s.gb)
		t.haa, t.hab, t.hbb = t.haa+float64(w*s.haa), t.hab+float64(w*s.hab), t.hbb+float64(w*s.hbb)
	}
	det := float64(t.haa*t.hbb) - float64(t.hab*t.hab)
	return ratio(float64(t.hab*t.gb)-float64(t.hbb*t.ga), det), ratio(float64(t.hab*t.ga)-float64(t.haa*t.gb), det)
}

// logOdds returns log(p/(1-p)), p clipped as in LogLoss.
func logOdds(p float64) float64 {
	p = max(probabilityClip, min(1-probabilityClip, p))
	return math.Log(p) - math.Log1p(-p)
}
