package telemetry

import "testing"

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
