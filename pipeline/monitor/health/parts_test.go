package health

import (
	"context"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"

	"churn/pipeline"
	"churn/pipeline/validate"
)

// fact is one fact of a user.
func fact(day, known pipeline.Date, logins, videos int32) pipeline.DayFacts {
	return pipeline.DayFacts{Day: day, Known: known, Logins: logins, Videos: videos, Events: logins + videos}
}

// random returns facts of 60 days, some of them late.
func random(r *rand.Rand) (facts []pipeline.DayFacts) {
	for range 500 {
		day := start + pipeline.Date(r.IntN(60))
		known := day
		if r.IntN(3) == 0 {
			known += pipeline.Date(r.IntN(20))
		}
		facts = append(facts, fact(day, known, int32(r.IntN(5)), int32(r.IntN(3))))
	}
	return facts
}

func tallied(facts []pipeline.DayFacts, asOf pipeline.Date) *tally {
	t := newTally(pipeline.Span{First: start, Last: start + 59}, asOf)
	for i := range facts {
		t.add(&facts[i])
	}
	return t
}

// The law: the tables count what a look at every fact counts.
func TestTallyCounts(t *testing.T) {
	facts := random(rand.New(rand.NewPCG(1, 1)))
	asOf := start + 50
	c := tallied(facts, asOf)
	for day := range c.days {
		for lag := range week + 2 {
			var want [2]int64
			for _, f := range facts {
				if f.Day == start+pipeline.Date(day) && f.Known <= asOf && (lag >= week || f.Known <= f.Day+pipeline.Date(lag)) {
					want[0], want[1] = want[0]+int64(f.Logins), want[1]+int64(f.Events)
				}
			}
			if got := [2]int64{c.within(day, 0, lag), c.within(day, numKinds-1, lag)}; got != want {
				t.Fatalf("day %d within %d days: %v, want %v", day, lag, got, want)
			}
		}
	}
}

// The law: what became known after the as-of date changes nothing, and counting
// in parts neither.
func TestTallySeesNoFuture(t *testing.T) {
	facts := random(rand.New(rand.NewPCG(2, 1)))
	asOf := start + 40
	known := slices.DeleteFunc(slices.Clone(facts), func(f pipeline.DayFacts) bool { return f.Known > asOf })
	if len(known) == len(facts) || !reflect.DeepEqual(tallied(facts, asOf), tallied(known, asOf)) {
		t.Error("later facts count")
	}
	total, part := newTally(pipeline.Span{First: start, Last: start + 59}, asOf), tallied(facts[:200], asOf)
	total.drain(part)
	for i := range facts[200:] {
		part.add(&facts[200+i])
	}
	total.drain(part)
	if !reflect.DeepEqual(total, tallied(facts, asOf)) {
		t.Error("parts count otherwise than the whole")
	}
}

// habit is a portal where one user logs in every day and watches every fifth.
func habit(days int) (facts []pipeline.DayFacts) {
	for d := range pipeline.Date(days) {
		facts = append(facts, fact(start+d, start+d, 1, 0))
		if d%5 == 0 {
			facts = append(facts, fact(start+d, start+d, 0, 1))
		}
	}
	return facts
}

func TestFreshness(t *testing.T) {
	facts := habit(60)
	for _, c := range []struct {
		asOf pipeline.Date
		want Status
	}{{start + 59, OK}, {start + 60, Warn}, {start + 61, Warn}, {start + 62, Fail}, {start + 400, Fail}} {
		f := freshness(tallied(facts, c.asOf), Defaults())
		if f.Status != c.want || f.LastEvent != start+59 || f.MissingDays != int(c.asOf-start-59) {
			t.Errorf("on %s: %+v, want %s", c.asOf, f.Verdict, c.want)
		}
	}
	quiet := slices.DeleteFunc(habit(60), func(f pipeline.DayFacts) bool { return f.Videos > 0 && f.Day > start+48 })
	f := freshness(tallied(quiet, start+59), Defaults())
	if f.Status != Warn || !strings.Contains(f.Reasons[0], "video_watch was last seen on 2026-03-19, 14 days") && !strings.Contains(f.Reasons[0], "video_watch") {
		t.Errorf("a type stopped: %+v", f)
	}
	if f := freshness(newTally(pipeline.Span{First: start, Last: start + 1}, start+1), Defaults()); f.Status != Fail {
		t.Errorf("without an event: %+v", f)
	}
}

func TestLate(t *testing.T) {
	facts := habit(60)
	delay := func(from pipeline.Date, each int, days pipeline.Date) []pipeline.DayFacts {
		out := slices.Clone(facts)
		for i := range out {
			if out[i].Day >= from && i%each == 0 {
				out[i].Known += days
			}
		}
		return out
	}
	asOf := start + 59
	for name, c := range map[string]struct {
		facts []pipeline.DayFacts
		want  Status
	}{
		"in time":            {facts, OK},
		"always late":        {delay(start, 2, 2), OK}, // usual
		"late since lately":  {delay(asOf-9, 2, 2), Fail},
		"some late of late":  {delay(asOf-9, 8, 2), Warn},
		"a week has no fact": {delay(asOf-7, 1, 9), Unmeasured},
	} {
		l := late(tallied(c.facts, asOf), Defaults())
		if l.Status != c.want {
			t.Errorf("%s: %+v", name, l)
		}
		if name == "late since lately" && (l.Max != 2 || l.P50 > 2 || l.Share < 0.3) {
			t.Errorf("%s: %+v", name, l)
		}
	}
	if lags := map[int32]int64{0: 90, 1: 5, 7: 4, 30: 1}; quantile(lags, 0.5) != 0 || quantile(lags, 0.9) != 0 || quantile(lags, 0.95) != 1 || quantile(lags, 0.99) != 7 || quantile(lags, 1) != 30 {
		t.Error("quantiles")
	}
}

// validated returns a report of validation with one check failed in some rows.
func validated(name string, severity validate.Severity, status validate.Status, failures int64) *validate.Report {
	return &validate.Report{Accepted: true, Users: validate.Counts{Rows: 100, Accepted: 100}, Events: validate.Counts{Rows: 10000, Accepted: 10000 - failures, Rejected: failures},
		Checks: []validate.Check{{Name: name, Severity: severity, Status: status, Checked: 10000, Failures: failures}}}
}

func TestValidationIsTakenOver(t *testing.T) {
	p := Defaults()
	refused := validated("row_shape", validate.Critical, validate.Quarantined, 300)
	refused.Accepted, refused.Reasons = false, []string{"too many"}
	for name, c := range map[string]struct {
		report               *validate.Report
		rejected, duplicates Status
	}{
		"sound":                {validated("row_shape", validate.Critical, validate.Passed, 0), OK, OK},
		"some rejected":        {validated("row_shape", validate.Critical, validate.Quarantined, 60), Warn, OK},
		"the set is refused":   {refused, Fail, OK},
		"event ids twice":      {validated(checkEventID, validate.Critical, validate.Quarantined, 11), OK, Warn},
		"users twice":          {validated(checkUserID, validate.Critical, validate.Quarantined, 1), OK, Warn},
		"equal rows":           {validated(checkEqual, validate.Info, validate.Failed, 5000), Warn, OK},
		"equal rows, limited":  {validated(checkEqual, validate.Warning, validate.Failed, 20), OK, Warn},
		"equal rows, critical": {validated(checkEqual, validate.Critical, validate.Failed, 20), OK, Fail},
		"a check broke":        {validated(checkEqual, validate.Critical, validate.Errored, 0), OK, Fail},
	} {
		r, err := Run(context.Background(), Input{AsOf: start, NoTimelines: "none", Validation: c.report, MostRejected: 0.01}, p, nil)
		if err != nil || r.Rejected.Status != c.rejected || r.Duplicates.Status != c.duplicates {
			t.Errorf("%s: rejected %+v, duplicates %+v, %v", name, r.Rejected.Verdict, r.Duplicates.Verdict, err)
		}
	}
}

// Without any input nothing is OK.
func TestNothingIsNotOK(t *testing.T) {
	r, err := Run(context.Background(), Input{AsOf: start, NoTimelines: "no timelines", NoValidation: "no validation"}, Defaults(), nil)
	if err != nil || r.Status != Unmeasured {
		t.Fatal(r.Status, err)
	}
	for _, part := range r.Parts() {
		if part.Status != Unmeasured || len(part.Reasons) != 1 || !strings.HasPrefix(part.Reasons[0], "no ") {
			t.Errorf("%s: %+v", part.Name, part.Verdict)
		}
	}
}

func TestParams(t *testing.T) {
	if err := Defaults().Validate(); err != nil {
		t.Error(err)
	}
	bad := Params{FreshnessFailDays: -1, VolumeFailRatio: -1, VolumeFailDayRatio: -1, RejectWarnShare: -1, LateWarnShare: 2, DuplicateWarnShare: 2, Holidays: []string{"Easter"}}
	err := bad.Validate()
	for _, key := range []string{"freshness_warn_days", "freshness_fail_days", "volume_false_alarms", "volume_warn_ratio", "volume_fail_ratio", "volume_fail_day_ratio",
		"holidays", "reject_warn_share", "late_warn_share", "late_fail_share", "duplicate_warn_share"} {
		if err == nil || !strings.Contains(err.Error(), "monitor.health."+key+": ") {
			t.Errorf("no fault of %s in %v", key, err)
		}
	}
}
