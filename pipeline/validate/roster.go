package validate

import (
	"cmp"
	"slices"
	"strings"

	"churn/pipeline"
)

// Roster is the accepted users in the order of the contract.
type Roster struct {
	Users []pipeline.User
	rank  map[string]uint32
}

func newRoster(users []pipeline.User) *Roster {
	slices.SortFunc(users, func(a, b pipeline.User) int { return CompareIDs(a.ID, b.ID) })
	r := &Roster{Users: users, rank: make(map[string]uint32, len(users))}
	for i, u := range users {
		r.rank[u.ID] = uint32(i)
	}
	return r
}

func (r *Roster) signup(user uint32) pipeline.Date {
	if int(user) >= len(r.Users) {
		return pipeline.NoDate
	}
	return r.Users[user].Signup
}

// bucket returns which of n buckets holds a user. Buckets are runs of the
// user order, so reading them one after the other gives all users in order.
func (r *Roster) bucket(user uint32, n int) int {
	return int(uint64(user) * uint64(n) / uint64(len(r.Users)))
}

// CompareIDs orders user ids: numeric ones by number and before all others,
// others bytewise. Equal numbers (7, 007) are ordered bytewise.
func CompareIDs(a, b string) int {
	na, nb := isNumeric(a), isNumeric(b)
	switch {
	case na && nb:
		x, y := strings.TrimLeft(a, "0"), strings.TrimLeft(b, "0")
		return cmp.Or(cmp.Compare(len(x), len(y)), strings.Compare(x, y), strings.Compare(a, b))
	case na:
		return -1
	case nb:
		return 1
	}
	return strings.Compare(a, b)
}

func isNumeric(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return s != ""
}
