package retrain

import (
	"fmt"
	"slices"
	"strings"

	"churn/model/metric"
	"churn/model/profile"
	"churn/pipeline"
)

// Trigger names a reason to train.
type Trigger string

// The triggers.
const (
	First       Trigger = "first"       // no model is in production
	Unfinished  Trigger = "unfinished"  // the latest training was never judged
	Forced      Trigger = "force"       // somebody asks for it
	Drift       Trigger = "drift"       // users are not those that the model has learned from
	Alarm       Trigger = "alarm"       // an alarm of the monitors fires that a new model may end
	Performance Trigger = "performance" // the model no longer keeps its promise
	Labels      Trigger = "labels"      // there is much to learn from since the latest training
	Age         Trigger = "age"         // the model in production is of old data
)

// Input is what the decision rests on.
type Input struct {
	AsOf     pipeline.Date // last day that is known
	Matured  pipeline.Date // latest as-of date whose label window has closed by AsOf; NoDate = none
	Trained  pipeline.Date // latest as-of date whose label any training has seen, registered or not; NoDate = there was none
	Champion *Champion     // nil: no model is in production

	Unfinished bool // the latest training was never judged: the run was cut off
	Force      bool // train whatever the rest says
	IfDrift    bool // of the reasons that can wait, only drift and alarms count

	Alarms []string // of the monitors, that fire, are not silenced, and may be ended by a new model
}

// Champion is the model in production, as it does now.
type Champion struct {
	Version     string
	AsOf        pipeline.Date // last day of the data that it was made from
	Drift       *profile.Drift
	NoDrift     string // why Drift is nil
	Performance *Kept
	Unmeasured  string // why Performance is nil
}

// Kept is how well a model has kept its promise on rows that have matured since.
type Kept struct {
	From    pipeline.Date   `json:"from"` // first as-of date, after the test period
	To      pipeline.Date   `json:"to"`
	Rows    int             `json:"rows"`
	Users   int             `json:"users"`
	Now     metric.Estimate `json:"now"`
	Promise float64         `json:"promise"` // the same figure on the test period
}

// Reason is one trigger with its number.
type Reason struct {
	Trigger Trigger  `json:"trigger"`
	Due     bool     `json:"due"`
	Value   *float64 `json:"value,omitempty"` // nil: there is no number
	Limit   *float64 `json:"limit,omitempty"`
	Text    string   `json:"text"`
}

// Due says whether it is time to train, and why or why not.
type Due struct {
	Due     bool          `json:"due"`
	AsOf    pipeline.Date `json:"as_of_date"`
	Matured pipeline.Date `json:"last_matured_date"`
	// NewDays is the number of days by which labels have matured since the latest
	// training, of all there are if there was none.
	NewDays int      `json:"new_label_days"`
	Held    string   `json:"held_back,omitempty"` // why reasons that stand do not count
	Reasons []Reason `json:"reasons"`             // all of them, those that fired or not, the most urgent first
}

// Fired returns the triggers that are due.
func (d Due) Fired() (out []Trigger) {
	for _, r := range d.Reasons {
		if r.Due {
			out = append(out, r.Trigger)
		}
	}
	return out
}

// Decide says whether it is time to train.
//
// The same labels give the same model, so that without newly matured ones only
// --force trains, a first model that is still wanting, or a run that was cut
// off: both cost next to nothing where the training is up to date. Drift, an
// alarm, a broken promise and age need retrain.min_new_days of new labels, without
// which a model can hardly learn what has changed.
func Decide(in Input, p Params) Due {
	d := Due{AsOf: in.AsOf, Matured: in.Matured, NewDays: in.newDays()}
	if in.Matured == pipeline.NoDate {
		d.Held = "no label window has closed yet, so that there is nothing to learn from"
		d.Reasons = []Reason{{Trigger: First, Text: d.Held}}
		return d
	}
	enough := d.NewDays >= p.MinNewDays
	d.Reasons = []Reason{in.first(), in.unfinished(), in.force(), in.drift(), in.alarm(), in.performance(p), in.labels(d.NewDays, p), in.age(p)}
	for i := range d.Reasons {
		r := &d.Reasons[i]
		waits := slices.Contains([]Trigger{Drift, Alarm, Performance, Labels, Age}, r.Trigger)
		switch {
		case !r.Due:
		case in.IfDrift && !slices.Contains([]Trigger{Drift, Alarm, Unfinished, Forced}, r.Trigger):
			r.Due, r.Text = false, r.Text+"; not asked for (--if-drift)"
		case waits && !enough:
			r.Due = false
			d.Held = fmt.Sprintf("labels have matured by %s since the latest training, %d are needed (retrain.min_new_days): the same labels give the same model; `churn retrain --force` trains all the same",
				days(d.NewDays), p.MinNewDays)
		}
		d.Due = d.Due || r.Due
	}
	return d
}

// newDays returns the days by which labels have matured since the latest
// training; none where that has seen later ones, or where there was none.
func (in Input) newDays() int {
	if in.Matured == pipeline.NoDate || in.Trained == pipeline.NoDate {
		return 0
	}
	return max(int(in.Matured-in.Trained), 0)
}

func days(n int) string {
	if n == 1 {
		return "1 day"
	}
	return fmt.Sprintf("%d days", n)
}

// number returns a pointer for Reason.
func number(x float64) *float64 { return &x }

func (in Input) first() Reason {
	if in.Champion == nil {
		return Reason{Trigger: First, Due: true, Text: "no model is in production"}
	}
	return Reason{Trigger: First, Text: fmt.Sprintf("%s is in production", in.Champion.Version)}
}

func (in Input) unfinished() Reason {
	if in.Unfinished {
		return Reason{Trigger: Unfinished, Due: true, Text: "the latest training was cut off before its model was judged"}
	}
	return Reason{Trigger: Unfinished, Text: "no training waits to be judged"}
}

func (in Input) force() Reason {
	if in.Force {
		return Reason{Trigger: Forced, Due: true, Text: "asked for by --force"}
	}
	return Reason{Trigger: Forced, Text: "not asked for"}
}

func (in Input) drift() Reason {
	r := Reason{Trigger: Drift}
	switch {
	case in.Champion == nil:
		r.Text = "there is no model to compare with"
	case in.Champion.Drift == nil:
		r.Text = in.Champion.NoDrift
	default:
		d := in.Champion.Drift
		r.Due, r.Value, r.Limit = d.Status == profile.Fail, number(d.MovedShare), number(d.Limit)
		r.Text = fmt.Sprintf("drift %s: %d of %d features of the cohort fail, %d warn", d.Status, d.Failed, len(d.Features), d.Warned)
		if d.Score != nil {
			r.Text += fmt.Sprintf("; the scores are %s (PSI %.3f, limit %.3f)", d.Score.Status, d.Score.PSI, d.Score.FailLimit)
		}
	}
	return r
}

// alarm is due where a monitor has called for somebody: it sees sudden changes,
// which the distance from the training rows alone may not show yet.
func (in Input) alarm() Reason {
	if len(in.Alarms) == 0 {
		return Reason{Trigger: Alarm, Text: "no alarm of the monitors fires that a new model could end"}
	}
	return Reason{Trigger: Alarm, Due: true, Text: "alarms of the monitors fire: " + strings.Join(in.Alarms, ", ")}
}

// performance is due where the whole interval lies below what is left of the
// promise after retrain.max_drop: bad luck alone is no reason.
func (in Input) performance(p Params) Reason {
	r := Reason{Trigger: Performance}
	switch {
	case in.Champion == nil:
		r.Text = "there is no model to measure"
	case in.Champion.Performance == nil:
		r.Text = in.Champion.Unmeasured
	default:
		k := in.Champion.Performance
		limit := k.Promise * (1 - p.MaxDrop)
		r.Due, r.Value, r.Limit = k.Now.High < limit, number(k.Now.Value), number(limit)
		r.Text = fmt.Sprintf("%s %.3f (%.3f to %.3f) on %d rows from %s to %s; %.3f was promised", k.Now.Name, k.Now.Value, k.Now.Low, k.Now.High, k.Rows, k.From, k.To, k.Promise)
	}
	return r
}

func (in Input) labels(newDays int, p Params) Reason {
	r := Reason{Trigger: Labels, Due: p.NewLabelsDays > 0 && newDays >= p.NewLabelsDays}
	switch {
	case in.Trained == pipeline.NoDate:
		r.Text = "there was no training yet"
		return r
	case in.Matured < in.Trained:
		r.Text = fmt.Sprintf("a training has seen labels up to %s already, later than those up to %s", in.Trained, in.Matured)
	default:
		r.Text = fmt.Sprintf("labels up to %s have matured, %s more than the latest training has seen", in.Matured, days(newDays))
	}
	r.Value, r.Limit = number(float64(newDays)), limited(p.NewLabelsDays)
	return r
}

func (in Input) age(p Params) Reason {
	r := Reason{Trigger: Age}
	if in.Champion == nil {
		r.Text = "there is no model"
		return r
	}
	age := int(in.AsOf - in.Champion.AsOf)
	r.Due, r.Value, r.Limit = p.MaxAgeDays > 0 && age >= p.MaxAgeDays, number(float64(age)), limited(p.MaxAgeDays)
	r.Text = fmt.Sprintf("%s was made from data up to %s, %s before %s", in.Champion.Version, in.Champion.AsOf, days(age), in.AsOf)
	return r
}

// limited returns a limit in days; nil where 0 says that there is none.
func limited(limit int) *float64 {
	if limit == 0 {
		return nil
	}
	return number(float64(limit))
}
