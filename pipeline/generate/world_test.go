package generate

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"testing"

	"churn/pipeline"
)

// TestWorldBehavesLikePeople checks one default year for what makes it a
// learning problem.
func TestWorldBehavesLikePeople(t *testing.T) {
	p := Defaults()
	p.Users = 3000 // enough for calibration by tenths
	o := observe(t, p)
	all := o.cohort()
	t.Run("base rate", func(t *testing.T) {
		if rate := baseRate(all); rate < 0.10 || rate > 0.20 {
			t.Errorf("churn label rate %.3f; portals report 0.10 to 0.20", rate)
		}
	})
	t.Run("difficulty", func(t *testing.T) { checkDifficulty(t, all) })
	t.Run("calibration", func(t *testing.T) {
		if err := miscalibrated(all, func(p float64) float64 { return p }); err != nil {
			t.Error(err)
		}
		if miscalibrated(all, func(p float64) float64 { return 0.8 * p }) == nil {
			t.Error("probabilities that are a fifth too low pass for calibrated")
		}
	})
	t.Run("average condition", func(t *testing.T) { checkCondition(t, o) })
	t.Run("rhythm", func(t *testing.T) { checkRhythm(t, o) })
	t.Run("fades", func(t *testing.T) { checkFades(t, o) })
	t.Run("all happens", func(t *testing.T) { checkVariety(t, o) })
}

// checkCondition holds averageCondition: of the engaged, the share that
// ChurnBaseRate promises begins to leave within 30 days.
func checkCondition(t *testing.T, o *observed) {
	var factors []float64
	for _, truths := range o.truths {
		for _, v := range truths {
			if v.state == "engaged" || v.state == "binging" {
				factors = append(factors, v.hazard/o.baseHazard)
			}
		}
	}
	if m := mean(factors); math.Abs(m/averageCondition-1) > 0.06 {
		t.Errorf("mean of the hazard factors %.3f, averageCondition is %.2f", m, averageCondition)
	}
}

// checkDifficulty holds the distance between the rule "longest silent first"
// and what can be known at all: room for a model, no crystal ball.
func checkDifficulty(t *testing.T, all []snapshot) {
	best, bestPR := aucs(all, func(s *snapshot) float64 { return s.silent })
	rule, rulePR := aucs(all, func(s *snapshot) float64 { return float64(s.recency) })
	t.Logf("%d snapshots, base rate %.3f; ROC-AUC truth %.3f, recency %.3f; PR-AUC truth %.3f, recency %.3f",
		len(all), baseRate(all), best, rule, bestPR, rulePR)
	if best < 0.85 || best > 0.93 {
		t.Errorf("ROC-AUC of the truth %.3f, want 0.85 to 0.93", best)
	}
	if best-rule < 0.08 || bestPR-rulePR < 0.15 {
		t.Errorf("the recency rule, ROC-AUC %.3f and PR-AUC %.3f, is too good against %.3f and %.3f", rule, rulePR, best, bestPR)
	}
}

// miscalibrated compares the mean probability with the observed share in each
// tenth of the snapshots. 3,000 users with some 15 overlapping windows each
// leave a sampling error of about 0.012 in the middle tenths: three of them.
func miscalibrated(all []snapshot, bend func(float64) float64) error {
	const tolerance = 0.036
	all = slices.Clone(all)
	slices.SortFunc(all, func(a, b snapshot) int { return cmp.Compare(a.silent, b.silent) })
	for i := range 10 {
		tenth := all[i*len(all)/10 : (i+1)*len(all)/10]
		mean := 0.0
		for _, s := range tenth {
			mean += bend(s.silent) / float64(len(tenth))
		}
		if got := baseRate(tenth); math.Abs(got-mean) > tolerance {
			return fmt.Errorf("tenth %d: true probability %.4f, observed share %.4f", i+1, mean, got)
		}
	}
	return nil
}

// logins counts the logins of the days that a condition picks, per day.
func (o *observed) logins(on func(d *day) bool) float64 {
	n, days := 0, 0
	for i, events := range o.events {
		if d := o.day(o.params.StartDate + pipeline.Date(i)); on(d) {
			days++
			for _, e := range events {
				if e.kind == login {
					n++
				}
			}
		}
	}
	return float64(n) / float64(days)
}

func checkRhythm(t *testing.T, o *observed) {
	at := func(d *day, low, high int) bool {
		_, m, dom := d.date.Time().Date()
		return int(m)*100+dom >= low && int(m)*100+dom <= high
	}
	compare := func(what string, low, high float64) {
		if !(low < 0.9*high) {
			t.Errorf("%s: %.1f logins a day against %.1f", what, low, high)
		}
	}
	compare("Saturday against Tuesday", o.logins(func(d *day) bool { return d.weekday == 6 }), o.logins(func(d *day) bool { return d.weekday == 2 }))
	compare("Christmas against December", o.logins(func(d *day) bool { return at(d, 1224, 1226) }), o.logins(func(d *day) bool { return at(d, 1202, 1215) }))
	compare("July against September", o.logins(func(d *day) bool { return at(d, 710, 810) }), o.logins(func(d *day) bool { return at(d, 910, 1010) }))
	var hours [24]int
	for _, events := range o.events {
		for _, e := range events {
			hours[e.second/3600]++
		}
	}
	if ratio := float64(slices.Max(hours[:])) / float64(slices.Min(hours[:])); ratio < 2 {
		t.Errorf("the busiest hour has only %.1f times the events of the quietest", ratio)
	}
}

// checkFades compares, over daily learners who have gone, the two weeks before
// their last active day with the month that ended six weeks before it.
func checkFades(t *testing.T, o *observed) {
	before, final, ended := 0.0, 0.0, 0
	for u, days := range o.active {
		l, last := &o.learners[u], lastTrue(days)
		if o.kinds[l.kind].name != "daily" || l.phase != gone || last < 75 || count(days[last-75:last-45]) < 8 {
			continue
		}
		ended++
		before += float64(count(days[last-75:last-45])) / 30
		final += float64(count(days[last-14:last])) / 14
	}
	if ended < 25 || final > 0.8*before {
		t.Errorf("%d daily learners left with %.2f of their usual activity", ended, final/before)
	}
	t.Logf("%d daily learners left with %.2f of their usual activity", ended, final/before)
}

func count(b []bool) (n int) {
	for _, v := range b {
		if v {
			n++
		}
	}
	return n
}

func checkVariety(t *testing.T, o *observed) {
	var kinds [supportTicket + 1]int
	for _, events := range o.events {
		for _, e := range events {
			kinds[e.kind]++
		}
	}
	if slices.Min(kinds[:]) < 300 {
		t.Errorf("events by type: %v", kinds)
	}
	if o.tally.churned < 500 || o.tally.reactivated < 200 {
		t.Errorf("%+v over a year of %d users", o.tally, o.params.Users)
	}
	states := map[string]int{}
	for _, truths := range o.truths {
		for _, v := range truths {
			states[v.state]++
			if (v.churn.String() == "") != (v.state != "gone") || v.hazard < 0 || v.hazard > 1 || v.silent < 0 || v.silent > 1 {
				t.Fatalf("truth %+v", v)
			}
		}
	}
	for _, s := range []string{"engaged", "binging", "paused", "fading", "gone"} {
		if states[s] == 0 {
			t.Errorf("nobody is ever %s", s)
		}
	}
	mean, squares := 0.0, 0.0
	for _, days := range o.active {
		n := float64(count(days))
		mean += n / float64(len(o.active))
		squares += n * n / float64(len(o.active))
	}
	if math.Sqrt(squares-mean*mean) < mean {
		t.Errorf("active days: mean %.1f, deviation %.1f; people differ more", mean, math.Sqrt(squares-mean*mean))
	}
}

func TestBaseRateRisesWithChurnBaseRate(t *testing.T) {
	before := 0.0
	for _, rate := range []float64{0.03, 0.12, 0.3} {
		p := Defaults()
		p.Users, p.Days, p.ChurnBaseRate = 1000, 150, rate
		got := baseRate(observe(t, p).cohort())
		if got < before+0.02 {
			t.Errorf("label rate %.3f at churn_base_rate %.2f, %.3f below it", got, rate, before)
		}
		before = got
	}
}
