package snapshot

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/RoaringBitmap/roaring/v2"
	"github.com/cespare/xxhash/v2"
	"go.etcd.io/bbolt"

	"churn/server"
)

// The sorts of a query.
const (
	sortRisk    = "risk"
	sortUser    = "user_id"
	sortSilence = "last_activity" // longest silent first, as the simple rule calls; who was never active is first
)

const defaultLimit = 50

// List returns a page of the users that a query selects. What it must not hold
// is server.Faults; a cursor of another snapshot is server.ErrCursorExpired.
func (s *Store) List(q server.Query) (server.Page, error) {
	page := server.Page{Users: []server.User{}, Snapshot: s.meta.Snapshot}
	if faults := s.faults(&q); len(faults) > 0 {
		return page, faults
	}
	from, err := s.resume(&q)
	if err != nil {
		return page, err
	}
	err = s.view(func(tx *bbolt.Tx) error {
		selected, err := s.selected(tx, &q)
		if err != nil {
			return err
		}
		return s.fill(tx, &q, selected, from, &page)
	})
	return page, err
}

// orderOf returns the order of a sort, "" if there is none of the name.
func orderOf(sort string) string {
	return map[string]string{sortRisk: byRank, sortUser: byUser, sortSilence: bySilence}[sort]
}

// faults checks a query and fills in what it leaves open.
func (s *Store) faults(q *server.Query) (out server.Faults) {
	if q.Sort == "" {
		q.Sort = sortRisk
	}
	if orderOf(q.Sort) == "" {
		out = append(out, server.Fault{Field: "?sort", Got: strconv.Quote(q.Sort), Expected: strings.Join([]string{sortRisk, sortUser, sortSilence}, ", ")})
	}
	if q.Limit == 0 {
		q.Limit = defaultLimit
	}
	if q.Limit < 1 || q.Limit > server.MaxUsers {
		out = append(out, server.Fault{Field: "?limit", Got: strconv.Itoa(q.Limit), Expected: fmt.Sprintf("1 to %d", server.MaxUsers)})
	}
	if tiers := []string{"low", "medium", "high"}; q.Tier != "" && !slices.Contains(tiers, q.Tier) {
		out = append(out, server.Fault{Field: "?tier", Got: strconv.Quote(q.Tier), Expected: strings.Join(tiers, ", ")})
	}
	for _, f := range fieldsOf(q) {
		if f.value != "" && slices.Contains(s.meta.Wide, f.name) {
			out = append(out, server.Fault{Field: "?" + f.name, Got: strconv.Quote(f.value), Expected: fmt.Sprintf("another field: this one has more than %d values", maxValues)})
		}
	}
	return out
}

// condition is one value that users must have.
type condition struct{ name, value string }

func fieldsOf(q *server.Query) []condition {
	return []condition{{fieldTier, q.Tier}, {fieldPlan, q.Plan}, {fieldCountry, q.Country}, {fieldSource, q.Source}}
}

// selected returns the places of the selected users in the order of the sort,
// or nil for everybody.
func (s *Store) selected(tx *bbolt.Tx, q *server.Query) (*roaring.Bitmap, error) {
	order := orderOf(q.Sort)
	var sets []*roaring.Bitmap
	for _, f := range fieldsOf(q) {
		if f.value == "" {
			continue
		}
		set, err := facet(tx, order, f.name, f.value)
		if err != nil {
			return nil, err
		}
		sets = append(sets, set)
	}
	if q.Search != "" {
		set := s.beginning(tx, q.Search)
		if places := tx.Bucket(bucketOrders).Get(placesKey(order)); places != nil {
			set = reorder(set, places)
		}
		sets = append(sets, set)
	}
	if len(sets) == 0 {
		return nil, nil //nolint:nilnil // everybody
	}
	return roaring.FastAnd(sets...), nil
}

// beginning returns the positions of the users whose ids begin with prefix. The
// keys of numbers are ordered by length, so each length is a range.
func (s *Store) beginning(tx *bbolt.Tx, prefix string) *roaring.Bitmap {
	out := roaring.New()
	s.addRange(tx, append([]byte{textKey}, prefix...), out)
	if !isNumber(prefix) {
		return out
	}
	for _, digits := range s.meta.Digits {
		if digits >= len(prefix) {
			s.addRange(tx, numberPrefix(digits, prefix), out)
		}
	}
	return out
}

// addRange adds the positions of the keys that begin with prefix: a run, where
// keys rise with positions.
func (s *Store) addRange(tx *bbolt.Tx, prefix []byte, out *roaring.Bitmap) {
	c := tx.Bucket(bucketIDs).Cursor()
	if s.meta.Ordered {
		out.AddRange(s.seek(c, prefix), s.seek(c, after(prefix)))
		return
	}
	for key, at := c.Seek(prefix); bytes.HasPrefix(key, prefix); key, at = c.Next() {
		out.Add(binary.BigEndian.Uint32(at))
	}
}

// seek returns the position of the first key from a key on.
func (s *Store) seek(c *bbolt.Cursor, key []byte) uint64 {
	found, at := c.Seek(key)
	if found == nil {
		return uint64(s.meta.Snapshot.Users)
	}
	return uint64(binary.BigEndian.Uint32(at))
}

// fill reads the users of the page that begins at place from.
func (s *Store) fill(tx *bbolt.Tx, q *server.Query, selected *roaring.Bitmap, from uint32, page *server.Page) error {
	var places sequence = &run{from, uint32(s.meta.Snapshot.Users)}
	page.Total = s.meta.Snapshot.Users
	if selected != nil {
		page.Total = int(selected.GetCardinality())
		it := selected.Iterator()
		it.AdvanceIfNeeded(from)
		places = it
	}
	order := tx.Bucket(bucketOrders).Get(positionsKey(orderOf(q.Sort)))
	for places.HasNext() {
		at := places.Next()
		if len(page.Users) == q.Limit {
			page.Cursor = s.cursor(q, at)
			return nil
		}
		position := at
		if order != nil {
			position = place(order, at)
		}
		u, err := s.user(tx, position)
		if err != nil {
			return err
		}
		page.Users = append(page.Users, u)
	}
	return nil
}

// sequence yields places in rising order.
type sequence interface {
	HasNext() bool
	Next() uint32
}

// run is the places from at to before end.
type run struct{ at, end uint32 }

func (r *run) HasNext() bool { return r.at < r.end }
func (r *run) Next() uint32  { r.at++; return r.at - 1 }

// A cursor is, in base64: a hash of the snapshot's digest in 8 bytes, a
// hash of the query in 8, the next place in 4.
const cursorBytes = 20

func (s *Store) cursor(q *server.Query, next uint32) string {
	b := binary.BigEndian.AppendUint64(s.cursorHead(), hashOf(q))
	return base64.RawURLEncoding.EncodeToString(binary.BigEndian.AppendUint32(b, next))
}

func (s *Store) cursorHead() []byte {
	return binary.BigEndian.AppendUint64(nil, xxhash.Sum64String(s.meta.Snapshot.Digest))
}

func hashOf(q *server.Query) uint64 {
	return xxhash.Sum64String(fmt.Sprintf("%q", []string{q.Tier, q.Plan, q.Country, q.Source, q.Search, q.Sort}))
}

// resume returns the place at which a query's page begins.
func (s *Store) resume(q *server.Query) (uint32, error) {
	if q.Cursor == "" {
		return 0, nil
	}
	b, err := base64.RawURLEncoding.DecodeString(q.Cursor)
	switch {
	case err != nil || len(b) != cursorBytes:
		return 0, server.Faults{{Field: "?cursor", Got: strconv.Quote(q.Cursor), Expected: "next_cursor of the page before, or none"}}
	case !bytes.Equal(b[:8], s.cursorHead()):
		return 0, server.ErrCursorExpired
	case binary.BigEndian.Uint64(b[8:]) != hashOf(q):
		return 0, server.Faults{{Field: "?cursor", Got: "the cursor of another selection or sort", Expected: "the selection and sort of the page before"}}
	}
	return binary.BigEndian.Uint32(b[16:]), nil
}
