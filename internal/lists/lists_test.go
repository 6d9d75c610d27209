package lists

import (
	"encoding/json"
	"testing"
)

func TestFilled(t *testing.T) {
	for want, list := range map[string][]int{"[]": nil, "[1,2]": {1, 2}} {
		if got, err := json.Marshal(Filled(list)); err != nil || string(got) != want {
			t.Errorf("%s, want %s (%v)", got, want, err)
		}
	}
}
