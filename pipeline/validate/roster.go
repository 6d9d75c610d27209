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
	rank  map[string]uint32 // of those that are not in dense
	days  []pipeline.Date   // of the signups, side by side: asked for with every event
	// dense holds rank + 1 by id, 0 for none, where ids are integers without
	// large holes: most are, and a look-up in an array is several times faster.
	dense []uint32
}

// maxSparseness is how many places of dense a user may take on average.
const maxSparseness = 8

func newRoster(users []pipeline.User) *Roster {
	slices.SortFunc(users, func(a, b pipeline.User) int { return CompareIDs(a.ID, b.ID) })
	r := &Roster{Users: users, rank: map[string]uint32{}, days: make([]pipeline.Date, len(users))}
	for i, u := range users {
		r.days[i] = u.Signup
		n, ok := integer([]byte(u.ID))
		if !ok || n >= uint64(maxSparseness*len(users)) {
			r.rank[u.ID] = uint32(i)
			continue
		}
		if n >= uint64(len(r.dense)) {
			r.dense = append(r.dense, make([]uint32, int(n)+1-len(r.dense))...)
		}
		r.dense[n] = uint32(i + 1)
	}
	return r
}

// find returns the rank of a user.
func (r *Roster) find(id []byte) (uint32, bool) {
	if n, ok := integer(id); ok && n < uint64(len(r.dense)) {
		return r.dense[n] - 1, r.dense[n] != 0
	}
	rank, ok := r.rank[string(id)]
	return rank, ok
}

// integer reads an id that is a positive integer in its usual form, so that
// no two ids give the same number.
func integer(id []byte) (n uint64, ok bool) {
	if len(id) == 0 || len(id) > 18 || id[0] == '0' {
		return 0, false
	}
	for _, c := range id {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = n*10 + uint64(c-'0')
	}
	return n, true
}

func (r *Roster) signup(user uint32) pipeline.Date {
	if int(user) >= len(r.days) {
		return pipeline.NoDate
	}
	return r.days[user]
}

// bucket returns which of n buckets holds a user. Buckets are runs of the
// user order, so reading them one after the other gives all users in order.
func (r *Roster) bucket(user uint32, n int) int {
	return int(uint64(user) * uint64(n) / uint64(len(r.Users)))
}

// Buckets returns into how many buckets the events of so many users go.
func Buckets(users int) int { return min(max(users/64, 1), 256) }

// UsersOf returns the run of users [first, last) of a bucket: the inverse of
// the roster's bucket.
func UsersOf(bucket, users, buckets int) (first, last int) {
	from := func(k int) int { return (k*users + buckets - 1) / buckets }
	return from(bucket), from(bucket + 1)
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
