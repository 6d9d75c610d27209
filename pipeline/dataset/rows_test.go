package dataset

import (
	"math"
	"strings"
	"testing"

	"churn/pipeline"
)

// The law: a sample keeps a user with all his rows, and about the share asked for.
func TestSamplerKeepsAShareOfUsers(t *testing.T) {
	s, kept := newSampler(40_000, 10_000), 0
	for i := range 40_000 {
		id := []byte(strings.Repeat("u", i%3) + string(rune('a'+i%26)) + pipeline.Date(i).String())
		if s.keeps(id) {
			kept++
			if larger := newSampler(40_000, 20_000); !larger.keeps(id) {
				t.Fatal("a larger sample lacks a user of the smaller one")
			}
		}
	}
	if math.Abs(float64(kept)/40_000-0.25) > 0.01 {
		t.Errorf("%d of 40000 kept, want a quarter", kept)
	}
	if !newSampler(10, 10).keeps(nil) {
		t.Error("a small set is sampled")
	}
}
