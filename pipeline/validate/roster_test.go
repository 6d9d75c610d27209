package validate

import (
	"slices"
	"strconv"
	"testing"

	"churn/pipeline"
)

// The order of the contract: integers by number and first, others bytewise.
func TestCompareIDs(t *testing.T) {
	want := []string{"0", "1", "2", "007", "7", "10", "123456789012345678901234567890", "-1", "A", "a", "a1", "é"}
	got := slices.Clone(want)
	slices.Reverse(got)
	slices.SortFunc(got, CompareIDs)
	if !slices.Equal(got, want) {
		t.Errorf("got %v\nwant %v", got, want)
	}
}

// The law: find equals a look-up by text, for dense, sparse and odd ids, and
// never mistakes one for another.
func TestFindEqualsTheMap(t *testing.T) {
	var users []pipeline.User
	for i := range 300 {
		users = append(users, pipeline.User{ID: strconv.Itoa(3 * i)})
	}
	for _, id := range []string{"007", "1e3", "99999999999999999999", "18446744073709551617", "u1", " 9", "+9", "2500000"} {
		users = append(users, pipeline.User{ID: id})
	}
	r := newRoster(users)
	ids := []string{"", "0", "00", "7", "9", "09", "898", "100000", "u2", "-3", "18446744073709551616"}
	rank := map[string]uint32{}
	for i, u := range r.Users {
		ids, rank[u.ID] = append(ids, u.ID), uint32(i)
	}
	for _, id := range ids {
		want, known := rank[id]
		if got, ok := r.find([]byte(id)); ok != known || ok && got != want {
			t.Errorf("%q: rank %d (%v), want %d (%v)", id, got, ok, want, known)
		}
	}
	if len(r.dense) == 0 {
		t.Error("no id is in the array: the test is dead")
	}
}
