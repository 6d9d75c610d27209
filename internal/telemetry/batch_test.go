package telemetry

import (
	"strings"
	"testing"
)

// The law: names and labels in their order, whatever the order of Add.
func TestText(t *testing.T) {
	var b Batch
	b.Add("churn_b", "Second.", 2)
	b.Add("churn_a", "First.", 1, "k", "y")
	b.Add("churn_a", "First.", 0.5, "k", "x")
	got, err := b.Text()
	want := "# HELP churn_a First.\n# TYPE churn_a gauge\nchurn_a{k=\"x\"} 0.5\nchurn_a{k=\"y\"} 1\n# HELP churn_b Second.\n# TYPE churn_b gauge\nchurn_b 2\n"
	if err != nil || string(got) != want {
		t.Errorf("got %q, %v", got, err)
	}
}

// The law: what is written can be read again.
func TestEach(t *testing.T) {
	var b, again Batch
	b.Add("churn_b", "Second.", 2)
	b.Add("churn_a", "First.", -1.5e9, "k", "y \"quoted\"\n", "l", "é")
	text, err := b.Text()
	if err != nil {
		t.Fatal(err)
	}
	if err := Each(text, again.Add); err != nil {
		t.Fatal(err)
	}
	if got, err := again.Text(); err != nil || string(got) != string(text) {
		t.Errorf("got %q, %v; want %q", got, err, text)
	}
	if err := Each(text[:len(text)-3], again.Add); err == nil || !strings.Contains(err.Error(), "read figures") {
		t.Errorf("half a text: %v", err)
	}
}
