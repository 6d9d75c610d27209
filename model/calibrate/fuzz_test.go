package calibrate

import (
	"encoding/json"
	"testing"
)

// Law: whatever passes Check gives probabilities in [0, 1] that never fall.
func FuzzMap(f *testing.F) {
	f.Add(`{"kind":"none"}`, 0.0, 1.0)
	f.Add(`{"kind":"platt","slope":0.7,"intercept":-1.5}`, -1e300, 1e300)
	f.Add(`{"kind":"isotonic","margins":[-1e308,0,1e308],"probs":[0.1,0.1,0.9]}`, -1.0, 1e307)
	f.Add(`{"kind":"isotonic","margins":[-1e308,1e308],"probs":[0.1,0.9]}`, 0.0, 9e307)
	f.Add(`{"kind":"isotonic","margins":[1],"probs":[1]}`, 0.0, 1.0)
	f.Fuzz(func(t *testing.T, text string, a, b float64) {
		var m Map
		if json.Unmarshal([]byte(text), &m) != nil || m.Check() != nil || !(a <= b) {
			return
		}
		if low, high := m.Probability(a), m.Probability(b); !(0 <= low && low <= high && high <= 1) {
			t.Errorf("%s: %v at %v, %v at %v", text, low, a, high, b)
		}
	})
}
