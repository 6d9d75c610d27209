package stages_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"churn/internal/stages"
)

// clock advances by a second each time it is read.
func clock() func() time.Time {
	at := time.Unix(0, 0)
	return func() time.Time { at = at.Add(time.Second); return at }
}

// world is a pipeline a → b → c → d of which c is decided anew each time, and
// a is kept. A stage is stale while its name is in stale.
type world struct {
	stale map[string]bool
	ran   []string
	fails string
}

func (w *world) stages() (all []stages.Stage) {
	for _, name := range []string{"a", "b", "c", "d"} {
		s := stages.Stage{Name: name, Kept: name == "a",
			Run: func(context.Context) error {
				if name == w.fails {
					return errors.New("broken")
				}
				w.ran = append(w.ran, name)
				w.stale[name] = false
				return nil
			},
			Made: func() (int64, string) { return 7, "digest of " + name }}
		if name != "c" {
			s.Stale = func(context.Context) (string, error) {
				if w.stale[name] {
					return "changed", nil
				}
				return "", nil
			}
		}
		all = append(all, s)
	}
	return all
}

// The law: what runs is what is stale, what is decided anew, and what the plan
// asks for, in order, up to the end of the plan.
func TestRun(t *testing.T) {
	for name, test := range map[string]struct {
		stale, ran string
		plan       stages.Plan
		err        string
	}{
		"nothing is stale":               {"", "c", stages.Plan{}, ""},
		"all is stale":                   {"abd", "abcd", stages.Plan{}, ""},
		"one is stale":                   {"b", "bc", stages.Plan{}, ""},
		"forced, except what is kept":    {"", "bcd", stages.Plan{Force: true}, ""},
		"kept but stale":                 {"a", "abcd", stages.Plan{Force: true}, ""},
		"until":                          {"abd", "ab", stages.Plan{Until: "b"}, ""},
		"from":                           {"", "bc", stages.Plan{From: "b"}, ""},
		"from, and later ones are stale": {"d", "bcd", stages.Plan{From: "b"}, ""},
		"from leaves out what is opaque": {"", "d", stages.Plan{From: "d"}, ""},
		"from and until the same":        {"abd", "", stages.Plan{From: "b", Until: "b"}, "cannot start from b: a is not up to date (changed); start from a"},
		"from a kept stage":              {"", "c", stages.Plan{From: "a"}, ""},
		"from behind one that is stale":  {"b", "", stages.Plan{From: "d"}, "cannot start from d: b is not up to date (changed); start from b"},
		"from, the rest forced":          {"b", "", stages.Plan{From: "d", Force: true}, "cannot start from d: b is not up to date (changed)"},
	} {
		t.Run(name, func(t *testing.T) {
			w := &world{stale: map[string]bool{}}
			for _, c := range test.stale {
				w.stale[string(c)] = true
			}
			var seen []stages.Outcome
			out, err := stages.Run(t.Context(), w.stages(), test.plan, clock(), func(o stages.Outcome) { seen = append(seen, o) })
			if got := strings.Join(w.ran, ""); got != test.ran {
				t.Errorf("ran %q, want %q", got, test.ran)
			}
			if test.err == "" && err != nil || test.err != "" && (err == nil || !strings.Contains(err.Error(), test.err)) {
				t.Errorf("error %v, want %q", err, test.err)
			}
			if !slices.Equal(out, seen) {
				t.Errorf("told of %v, returned %v", seen, out)
			}
			for _, o := range out {
				if (o.What == stages.Ran) != slices.Contains(w.ran, o.Stage) || (o.What == stages.Ran) != (o.Why != "") {
					t.Errorf("%+v, but ran %v", o, w.ran)
				}
				if o.What != stages.LeftOut && (o.Rows != 7 || o.Digest != "digest of "+o.Stage || o.Seconds != 1) {
					t.Errorf("%+v", o)
				}
			}
		})
	}
}

// A failure ends the run; the outcomes before it are kept.
func TestRunStopsAtAFailure(t *testing.T) {
	w := &world{stale: map[string]bool{"a": true, "b": true, "d": true}, fails: "b"}
	out, err := stages.Run(t.Context(), w.stages(), stages.Plan{}, clock(), func(stages.Outcome) {})
	if err == nil || err.Error() != "broken" || len(out) != 1 || !slices.Equal(w.ran, []string{"a"}) {
		t.Errorf("%v %v %v", err, out, w.ran)
	}
	ended, stop := context.WithCancel(t.Context())
	stop()
	if _, err := stages.Run(ended, w.stages(), stages.Plan{}, clock(), func(stages.Outcome) {}); !errors.Is(err, context.Canceled) {
		t.Errorf("after the end: %v", err)
	}
}

func TestValidate(t *testing.T) {
	names := stages.Names((&world{}).stages())
	for _, test := range []struct {
		plan stages.Plan
		want string
	}{
		{stages.Plan{}, ""}, {stages.Plan{From: "b", Until: "b"}, ""},
		{stages.Plan{From: "x"}, `--from: there is no stage "x"; use one of a, b, c, d`},
		{stages.Plan{Until: "y"}, `--until: there is no stage "y"; use one of a, b, c, d`},
		{stages.Plan{From: "c", Until: "b"}, "--from c comes after --until b"},
	} {
		err := test.plan.Validate(names)
		if test.want == "" && err != nil || test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)) {
			t.Errorf("%+v: %v, want %q", test.plan, err, test.want)
		}
	}
}
