package labels

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"churn/pipeline"
)

func types() []string { return append(pipeline.EventTypes(), pipeline.CourseComplete) }

// aware are the settings that tell completers apart.
func aware() Params {
	p := Defaults()
	p.CompletedIsChurn = false
	return p
}

// life is a user's events about three courses in 80 days, a third of them late.
func life(rng *rand.Rand) []pipeline.Event {
	names := []string{pipeline.Login, pipeline.CourseEnroll, pipeline.CourseComplete, pipeline.VideoWatch}
	out := make([]pipeline.Event, rng.IntN(9))
	for i := range out {
		day := pipeline.Date(20000 + rng.IntN(80))
		out[i] = pipeline.Event{Day: day, Known: day, Type: uint8(slices.Index(types(), names[rng.IntN(len(names))])), Course: uint32(rng.IntN(3)), Minutes: math.NaN(), Score: math.NaN(), Amount: math.NaN()}
		if rng.IntN(3) == 0 {
			out[i].Known += pipeline.Date(rng.IntN(40))
		}
	}
	return out
}

// completer is the slow twin of Finished, from the definition: of the courses of
// the latest day with enrolments by the end, each has a completion from that day
// on; without enrolments, those of the latest day with a course stand for them.
func completer(events []pipeline.Event, counts func(pipeline.Event) bool) bool {
	name := func(e pipeline.Event) string { return types()[e.Type] }
	pick := func(is func(pipeline.Event) bool) (out []pipeline.Event) {
		last := pipeline.NoDate
		for _, e := range events {
			if counts(e) && is(e) {
				last = max(last, e.Day)
			}
		}
		for _, e := range events {
			if counts(e) && is(e) && e.Day == last {
				out = append(out, e)
			}
		}
		return out
	}
	begun := pick(func(e pipeline.Event) bool { return name(e) == pipeline.CourseEnroll })
	enrolled := len(begun) > 0
	if !enrolled {
		begun = pick(func(e pipeline.Event) bool { return e.Course != 0 })
	}
	any := false
	for _, e := range events {
		any = any || counts(e) && name(e) == pipeline.CourseComplete
	}
	for _, b := range begun {
		done := slices.ContainsFunc(events, func(e pipeline.Event) bool {
			return counts(e) && name(e) == pipeline.CourseComplete && e.Course == b.Course && (!enrolled || e.Day >= b.Day)
		})
		if !done {
			return false
		}
	}
	return any
}

// rule labels one life: the real one, or a mutant of it.
type rule func(events []pipeline.Event, asOf pipeline.Date, p Params) (atRisk, churn bool)

func real(events []pipeline.Event, asOf pipeline.Date, p Params) (atRisk, churn bool) {
	t := pipeline.NewTimeline(pipeline.User{}, slices.Clone(events), p.Vocabulary(types()))
	h, f := t.Cut(asOf, &pipeline.Span{})
	_, churn = p.Of(&f)
	return p.InCohort(&h), churn
}

// fault says how a rule differs from the definition of completion-aware labels.
func fault(label rule, events []pipeline.Event, asOf pipeline.Date) string {
	blind, seeing := Defaults(), aware()
	end := asOf + pipeline.Date(seeing.WindowDays)
	active, churned := real(events, asOf, blind)
	atRisk, churn := label(events, asOf, seeing)
	finishes := completer(events, func(e pipeline.Event) bool { return e.Day <= end })
	known := completer(events, func(e pipeline.Event) bool { return e.Day <= asOf && e.Known <= asOf })
	switch {
	case finishes && churn:
		return "a completer is labelled churn"
	case !finishes && churn != churned:
		return fmt.Sprintf("nothing was completed, and the label is %v instead of %v", churn, churned)
	case atRisk != (active && !known):
		return fmt.Sprintf("at risk %v; active %v, known to have finished %v", atRisk, active, known)
	}
	return ""
}

func search(label rule) string {
	for seed := range uint64(4000) {
		rng := rand.New(rand.NewPCG(seed, 7))
		events, asOf := life(rng), pipeline.Date(20000+rng.IntN(80))
		if f := fault(label, events, asOf); f != "" {
			return fmt.Sprintf("seed %d, as of %s: %s: %+v", seed, asOf, f, events)
		}
	}
	return ""
}

// The law: a completer is never labelled churn; for everybody else the label is
// the one without completions; and who is known to have finished is not at risk.
func TestCompleterIsNeverChurn(t *testing.T) {
	if f := search(real); f != "" {
		t.Error(f)
	}
}

// The law catches these rules.
func TestCompletionMutants(t *testing.T) {
	without := func(keep func(e pipeline.Event, asOf pipeline.Date) bool) rule {
		return func(events []pipeline.Event, asOf pipeline.Date, p Params) (bool, bool) {
			atRisk, _ := real(events, asOf, p)
			_, churn := real(slices.DeleteFunc(slices.Clone(events), func(e pipeline.Event) bool { return !keep(e, asOf) }), asOf, p)
			return atRisk, churn
		}
	}
	isCompletion := func(e pipeline.Event) bool { return types()[e.Type] == pipeline.CourseComplete }
	mutants := map[string]rule{
		"completion makes no difference": without(func(e pipeline.Event, _ pipeline.Date) bool { return !isCompletion(e) }),
		"only completions of the past":   without(func(e pipeline.Event, asOf pipeline.Date) bool { return !isCompletion(e) || e.Day <= asOf }),
		"only completions known by then": without(func(e pipeline.Event, asOf pipeline.Date) bool { return !isCompletion(e) || e.Known <= asOf }),
		"any completion will do": without(func(e pipeline.Event, _ pipeline.Date) bool {
			return types()[e.Type] != pipeline.CourseEnroll
		}),
		"late completions are foreseen": func(events []pipeline.Event, asOf pipeline.Date, p Params) (bool, bool) {
			_, churn := real(events, asOf, p)
			foreseen := slices.Clone(events)
			for i := range foreseen {
				if isCompletion(foreseen[i]) {
					foreseen[i].Known = foreseen[i].Day
				}
			}
			atRisk, _ := real(foreseen, asOf, p)
			return atRisk, churn
		},
	}
	for name, m := range mutants {
		if search(m) == "" {
			t.Errorf("mutant %q passes", name)
		}
	}
}

// By default nothing changes: timelines keep no steps, and labels are the
// absence of activity.
func TestDefaultKnowsNoCompletion(t *testing.T) {
	for seed := range uint64(300) {
		events := life(rand.New(rand.NewPCG(seed, 8)))
		timeline := pipeline.NewTimeline(pipeline.User{}, events, Defaults().Vocabulary(types()))
		for _, d := range timeline.Days {
			if len(d.Steps) > 0 {
				t.Fatalf("seed %d: %s keeps %v", seed, d.Day, d.Steps)
			}
		}
		h, f := timeline.Cut(20040, &pipeline.Span{})
		if n, churn := Defaults().Of(&f); churn != (n == 0) || h.Finished() {
			t.Fatalf("seed %d: %d active days, churn %v, finished %v", seed, n, churn, h.Finished())
		}
	}
}

func TestCompletionSettings(t *testing.T) {
	p := aware()
	if err := p.Validate(types()); err != nil {
		t.Error(err)
	}
	if err := p.Validate(pipeline.EventTypes()); err == nil || !strings.Contains(err.Error(), `labels.completion_events: "course_complete" is not in validate.event_types`) {
		t.Errorf("an unknown type: %v", err)
	}
	p.CompletionEvents = nil
	if err := p.Validate(types()); err == nil || !strings.Contains(err.Error(), "labels.completion_events: the list is empty") {
		t.Errorf("no type: %v", err)
	}
	if (Params{}).SameAs(aware()) || !Defaults().SameAs(Params{WindowDays: 30, CohortActiveDays: 30, ActivityEvents: Defaults().ActivityEvents}) {
		t.Error("definitions are compared wrongly")
	}
}
