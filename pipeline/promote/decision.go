package promote

import (
	"encoding/json"
	"math"
	"slices"
	"strings"

	"churn/model/metric"
	"churn/pipeline"
)

// Verdict is the answer of the gate.
type Verdict string

// The three answers.
const (
	Promote Verdict = "PROMOTE" // proven better where it must be, proven worse nowhere
	Hold    Verdict = "HOLD"    // nothing is proven either way: the champion stays
	Reject  Verdict = "REJECT"  // something speaks against the challenger
)

// Outcome is what one criterion says.
type Outcome string

// The outcomes of a criterion.
const (
	Pass     Outcome = "pass"
	Unproven Outcome = "unproven"
	Fail     Outcome = "fail"
)

// Number is a float64 that is null in JSON where it is not a number.
type Number float64

// MarshalJSON writes the number, or null.
func (n Number) MarshalJSON() ([]byte, error) {
	if v := float64(n); !math.IsNaN(v) && !math.IsInf(v, 0) {
		return json.Marshal(v)
	}
	return []byte("null"), nil
}

// UnmarshalJSON reads what MarshalJSON writes.
func (n *Number) UnmarshalJSON(text []byte) error {
	if string(text) == "null" {
		*n = none()
		return nil
	}
	return json.Unmarshal(text, (*float64)(n))
}

// none returns what stands for a number that a criterion does not have.
func none() Number { return Number(math.NaN()) }

// Interval is a difference, challenger less champion, with the ends of its
// interval.
type Interval struct {
	Value Number `json:"value"`
	Low   Number `json:"low"`
	High  Number `json:"high"`
}

// interval returns an estimate as an Interval.
func interval(e metric.Estimate) Interval {
	return Interval{Number(e.Value), Number(e.Low), Number(e.High)}
}

// Criterion is one question to the challenger. In the criterion "baseline" the
// one-line rule stands in the champion's place.
type Criterion struct {
	Name       string   `json:"name"`
	Metric     string   `json:"metric,omitempty"`
	Outcome    Outcome  `json:"outcome"`
	Challenger Number   `json:"challenger"`
	Champion   Number   `json:"champion"`
	Difference Interval `json:"difference"`
	Limit      Number   `json:"limit"`
	Text       string   `json:"text"`                   // one sentence in plain words
	Change     string   `json:"would_change,omitempty"` // what would make it pass
}

// plain returns a criterion without numbers.
func (c Criterion) plain() Criterion {
	c.Challenger, c.Champion, c.Limit, c.Difference = none(), none(), none(), Interval{none(), none(), none()}
	return c
}

// Side is one of the two models.
type Side struct {
	Version   string        `json:"version"`
	Kind      string        `json:"kind"`
	TrainLast pipeline.Date `json:"train_last"`    // last as-of date that it has learned from
	Learned   pipeline.Date `json:"learned_up_to"` // last day that its training labels tell of
}

// Judged are the rows that were judged by.
type Judged struct {
	From    pipeline.Date `json:"from"`
	To      pipeline.Date `json:"to"`
	Dates   int           `json:"dates"`
	Rows    int           `json:"rows"`
	Users   int           `json:"users"`
	Churned int           `json:"churned"`
	Sampled bool          `json:"sampled"` // some users only
}

// Slice is a part of the judged rows. Challenger, Champion and Difference are
// of the primary metric.
type Slice struct {
	By         string  `json:"by"`
	Name       string  `json:"name"`
	Rows       int     `json:"rows"`
	Users      int     `json:"users"`
	Churned    int     `json:"churned"`
	Outcome    Outcome `json:"outcome,omitempty"` // "" = too small to judge
	Challenger Number  `json:"challenger"`
	Champion   Number  `json:"champion"`
	Difference Number  `json:"difference"`
	StdErr     Number  `json:"std_err"` // of how far it is above the loss that is allowed
	PValue     Number  `json:"p_value"` // of a challenger that loses just what is allowed
}

// Decision is the answer with everything that it rests on.
type Decision struct {
	Verdict      Verdict     `json:"verdict"`
	Reason       string      `json:"reason"` // the criteria that decided, in plain words
	First        bool        `json:"first"`  // nothing was in production
	InProduction bool        `json:"in_production,omitempty"`
	Override     string      `json:"override,omitempty"` // why the verdict was overruled
	Challenger   Side        `json:"challenger"`
	Champion     *Side       `json:"champion,omitempty"`
	Judged       Judged      `json:"judged"`
	Criteria     []Criterion `json:"criteria"`
	Slices       []Slice     `json:"slices,omitempty"`
	Settings     Params      `json:"settings"`
}

// Overrule returns the decision with the reason why somebody promotes the
// challenger in spite of it. The verdict stays what it was.
func (d Decision) Overrule(reason string) Decision {
	d.Override = strings.TrimSpace(reason)
	return d
}

// Uncompared returns a decision that was made without the champion because that
// could not be read: nothing is proven against it, so what was PROMOTE is HOLD.
func (d Decision) Uncompared(champion string) Decision {
	d.First, d.Champion = false, &Side{Version: champion, TrainLast: pipeline.NoDate, Learned: pipeline.NoDate}
	if d.Verdict == Promote {
		d.Verdict, d.Reason = Hold, champion+", which is in production, cannot be read, so that nothing is proven against it"
	}
	return d
}

// Moves reports whether the challenger goes into production: by the verdict, or
// because it was overruled.
func (d Decision) Moves() bool {
	return !d.InProduction && (d.Verdict == Promote || d.Override != "")
}

// Find returns the first criterion of a name; a zero Criterion if there is none.
func (d Decision) Find(name string) Criterion {
	if i := slices.IndexFunc(d.Criteria, func(c Criterion) bool { return c.Name == name }); i >= 0 {
		return d.Criteria[i]
	}
	return Criterion{}
}

// JSON returns the decision as indented JSON with a newline at its end: the same
// decision gives the same bytes.
func (d Decision) JSON() ([]byte, error) {
	data, err := json.MarshalIndent(d, "", "  ")
	return append(data, '\n'), err
}

// conclude derives the verdict from the criteria.
func (d *Decision) conclude() {
	d.Verdict = Promote
	decides := Pass
	switch {
	case d.any(Fail):
		d.Verdict, decides = Reject, Fail
	case d.any(Unproven):
		d.Verdict, decides = Hold, Unproven
	}
	var texts []string
	for _, c := range d.Criteria {
		if c.Outcome == decides && (decides != Pass || c.Name == decisive(d.First)) {
			texts = append(texts, c.Text)
		}
	}
	d.Reason = strings.Join(texts, "; ")
}

// decisive returns the criterion that speaks for a promotion.
func decisive(first bool) string {
	if first {
		return "training"
	}
	return "gain"
}

func (d *Decision) any(o Outcome) bool {
	return slices.ContainsFunc(d.Criteria, func(c Criterion) bool { return c.Outcome == o })
}
