package retrain

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"churn/model/metric"
	"churn/model/profile"
	"churn/pipeline"
)

// quiet returns a world in which nothing calls for a training: the champion is
// of day 100, the latest training of day 107, labels have matured by 14 days.
func quiet() Input {
	return Input{AsOf: 151, Matured: 121, Trained: 107, Champion: &Champion{Version: "v0003", AsOf: 130,
		Drift:       &profile.Drift{Status: profile.Warn, Features: make([]profile.Feature, 80), Failed: 4, MovedShare: 0.05, Limit: 0.1},
		Performance: &Kept{From: 108, To: 121, Rows: 900, Now: metric.Estimate{Name: "pr_auc", Value: 0.41, Low: 0.36, High: 0.47}, Promise: 0.5}}}
}

// Every case changes the quiet world; fired is what calls for a training then.
func TestDecide(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*Input, *Params)
		fired  []Trigger
		held   string
	}{
		"quiet":                       {func(*Input, *Params) {}, nil, ""},
		"first":                       {func(in *Input, _ *Params) { in.Champion, in.Trained = nil, pipeline.NoDate }, []Trigger{First}, ""},
		"first, trained already":      {func(in *Input, _ *Params) { in.Champion, in.Trained = nil, in.Matured }, []Trigger{First}, ""},
		"nothing matured":             {func(in *Input, _ *Params) { in.Champion, in.Matured, in.Force = nil, pipeline.NoDate, true }, nil, "no label window"},
		"force":                       {func(in *Input, _ *Params) { in.Force, in.Trained = true, in.Matured }, []Trigger{Forced}, ""},
		"cut off":                     {func(in *Input, _ *Params) { in.Unfinished, in.Trained = true, in.Matured }, []Trigger{Unfinished}, ""},
		"drift":                       {func(in *Input, _ *Params) { in.Champion.Drift.Status = profile.Fail }, []Trigger{Drift}, ""},
		"drift, few new labels":       {func(in *Input, _ *Params) { in.Champion.Drift.Status, in.Trained = profile.Fail, 115 }, nil, "matured by 6 days since the latest training, 7 are needed"},
		"drift unknown":               {func(in *Input, _ *Params) { in.Champion.Drift, in.Champion.NoDrift = nil, "too few rows" }, nil, ""},
		"promise broken":              {func(in *Input, _ *Params) { in.Champion.Performance.Now.High = 0.44 }, []Trigger{Performance}, ""},
		"promise kept, just":          {func(in *Input, _ *Params) { in.Champion.Performance.Now.High = 0.45 }, nil, ""},
		"promise unmeasured":          {func(in *Input, _ *Params) { in.Champion.Performance = nil }, nil, ""},
		"old":                         {func(in *Input, _ *Params) { in.Champion.AsOf = -29 }, []Trigger{Age}, ""},
		"old, switched off":           {func(in *Input, p *Params) { in.Champion.AsOf, p.MaxAgeDays = -29, 0 }, nil, ""},
		"old, nothing new":            {func(in *Input, _ *Params) { in.Champion.AsOf, in.Trained = -29, in.Matured }, nil, "matured by 0 days"},
		"many labels":                 {func(in *Input, _ *Params) { in.Trained = 93 }, []Trigger{Labels}, ""},
		"many labels, switched off":   {func(in *Input, p *Params) { in.Trained, p.NewLabelsDays = 93, 0 }, nil, ""},
		"a later training":            {func(in *Input, _ *Params) { in.Trained, in.Champion.Drift.Status = 200, profile.Fail }, nil, "matured by 0 days"},
		"if drift, and there is none": {func(in *Input, _ *Params) { in.IfDrift, in.Trained = true, 93 }, nil, ""},
		"if drift, and there is":      {func(in *Input, _ *Params) { in.IfDrift, in.Trained, in.Champion.Drift.Status = true, 93, profile.Fail }, []Trigger{Drift}, ""},
		"an alarm":                    {func(in *Input, _ *Params) { in.Alarms = []string{"drift"} }, []Trigger{Alarm}, ""},
		"an alarm, few new labels":    {func(in *Input, _ *Params) { in.Alarms, in.Trained = []string{"scores"}, 115 }, nil, "matured by 6 days"},
		"if drift, and an alarm":      {func(in *Input, _ *Params) { in.IfDrift, in.Alarms = true, []string{"drift", "scores"} }, []Trigger{Alarm}, ""},
		"all at once": {func(in *Input, _ *Params) {
			in.Force, in.Trained, in.Champion.AsOf, in.Champion.Drift.Status, in.Champion.Performance.Now.High = true, 50, -50, profile.Fail, 0.2
		}, []Trigger{Forced, Drift, Performance, Labels, Age}, ""},
	} {
		in, p := quiet(), Defaults()
		c.change(&in, &p)
		d := Decide(in, p)
		if !slices.Equal(d.Fired(), c.fired) || d.Due != (len(c.fired) > 0) || (d.Held == "") != (c.held == "") || !strings.Contains(d.Held, c.held) {
			t.Errorf("%s: fired %v, due %v, held back %q", name, d.Fired(), d.Due, d.Held)
		}
		for _, r := range d.Reasons {
			if r.Text == "" && in.Champion != nil && in.Champion.Performance != nil {
				t.Errorf("%s: %s says nothing", name, r.Trigger)
			}
		}
		if text, err := json.Marshal(d); err != nil || strings.Contains(string(text), "null") {
			t.Errorf("%s: %s (%v)", name, text, err)
		}
	}
}

// Every trigger is listed with its number and limit, whether it fired or not.
func TestEveryTriggerIsListed(t *testing.T) {
	d := Decide(quiet(), Defaults())
	want := []Trigger{First, Unfinished, Forced, Drift, Alarm, Performance, Labels, Age}
	numbers := map[Trigger][2]float64{Drift: {0.05, 0.1}, Performance: {0.41, 0.45}, Labels: {14, 28}, Age: {21, 180}}
	for i, r := range d.Reasons {
		n, ok := numbers[r.Trigger]
		if r.Trigger != want[i] || ok && (*r.Value != n[0] || *r.Limit != n[1]) {
			t.Errorf("%+v", r)
		}
	}
	if len(d.Reasons) != len(want) || d.NewDays != 14 {
		t.Errorf("%+v", d)
	}
}

func TestValidate(t *testing.T) {
	if err := Defaults().Validate(); err != nil {
		t.Error(err)
	}
	p := Params{NewLabelsDays: -1, MaxAgeDays: -1, Webhook: "localhost"}
	for _, key := range []string{"new_labels_days", "min_new_days", "max_age_days", "max_drop", "lock_ttl", "webhook"} {
		if err := p.Validate(); err == nil || !strings.Contains(err.Error(), "retrain."+key+":") {
			t.Errorf("%s: %v", key, err)
		}
	}
}
