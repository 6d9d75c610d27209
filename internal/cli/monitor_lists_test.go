package cli_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// nulls returns the places in decoded JSON where there is a null that is no number:
// a list or an object that whoever reads it goes through.
func nulls(v any, place, key string) (out []string) {
	numbers := []string{"value", "low", "high", "mean_risk", "ece_of_calibrated", "expected", "mean_error", "mean_absolute_error"} // undefined figures
	switch v := v.(type) {
	case nil:
		if !slices.Contains(numbers, key) {
			out = append(out, place)
		}
	case []any:
		for i, x := range v {
			out = append(out, nulls(x, fmt.Sprintf("%s[%d]", place, i), key)...)
		}
	case map[string]any:
		for name, x := range v {
			out = append(out, nulls(x, place+"."+name, name)...)
		}
	}
	return out
}

// noNulls fails the test where JSON has a null that is no number.
func noNulls(t *testing.T, what string, text []byte) {
	t.Helper()
	var v any
	if err := json.Unmarshal(text, &v); err != nil {
		t.Errorf("%s: %v", what, err)
	}
	for _, place := range nulls(v, what, "") {
		t.Errorf("%s is null", place)
	}
}

// noNullLists looks at every report that monitors have left in a folder, of which
// there must be those of the given kinds.
func noNullLists(t *testing.T, dir string, kinds ...string) {
	t.Helper()
	for _, kind := range kinds {
		paths, err := filepath.Glob(metricsFile(dir, kind+"*"))
		if err != nil || len(paths) == 0 {
			t.Errorf("no report %s (%v)", kind, err)
		}
		for _, path := range paths {
			text, err := os.ReadFile(path)
			if err != nil {
				t.Error(err)
			}
			noNulls(t, filepath.Base(path), text)
		}
	}
}

// The mutant: a list that is null is seen, wherever it stands; a number is not.
func TestNullsAreSeen(t *testing.T) {
	var v any
	if err := json.Unmarshal([]byte(`{"reasons": null, "dates": [{"low": null, "figures": null}]}`), &v); err != nil {
		t.Fatal(err)
	}
	if got := slices.Sorted(slices.Values(nulls(v, "r", ""))); !slices.Equal(got, []string{"r.dates[0].figures", "r.reasons"}) {
		t.Error(got)
	}
}

// Where there is nothing to tell, lists are empty.
func TestNoNullLists(t *testing.T) {
	empty, young := t.TempDir(), tinyPortal(t)
	for _, c := range []struct {
		dir     string
		command string
	}{{empty, "alarms"}, {empty, "all"}, {young, "health"}, {young, "all"}, {young, "alarms"}} {
		out := finish(t, program(c.dir, ofPortal("--json", "monitor", c.command)...))
		noNulls(t, "monitor "+c.command, []byte(out.stdout))
	}
	noNullLists(t, young, "data_health", "alarms")
}
