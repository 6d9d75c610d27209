// Package snapshot keeps the latest scored users in one file that answers
// without being in memory: by user id, by rank, and by what is selected.
//
// A store is written once and never changes:
//
//	users-<digest of the predictions>-<digest of the store>.db    go.etcd.io/bbolt
//	  meta    snapshot → what it is of, as JSON
//	  users   position → user, in the order of user ids (4 bytes, big endian)
//	  ids     key of the user id → position
//	  orders  for each order but the first: positions by place, and places by position (4 bytes each)
//	  facets  order, field, value → roaring bitmap of those users' places in that order
//
// It is complete or absent: built under a temporary name, synced and renamed.
// What it is of and its own digest are in its name, so that a restart neither
// builds again nor trusts a damaged file. It is a cache: bbolt gives pages to
// buckets in the order of a map, so two builds of the same predictions differ in
// bytes, and in nothing that is asked of them.
package snapshot

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"runtime/debug"
	"strings"
	"time"

	"go.etcd.io/bbolt"
	berrors "go.etcd.io/bbolt/errors"

	"churn/internal/atomicfile"
	"churn/server"
)

// format is the version of the layout.
const format = 2

var (
	bucketMeta   = []byte("meta")
	bucketUsers  = []byte("users")
	bucketIDs    = []byte("ids")
	bucketOrders = []byte("orders")
	bucketFacets = []byte("facets")
	keyMeta      = []byte("snapshot")
)

// ErrClosed says that a store has made way for a later one.
var ErrClosed = berrors.ErrDatabaseNotOpen

// ErrDamaged says that a store was changed since it was built. It can be removed
// and built again.
var ErrDamaged = errors.New("it was changed or damaged")

// meta is what a store says of itself.
type meta struct {
	Format   int             `json:"format"`
	Snapshot server.Snapshot `json:"snapshot"`
	Digits   []int           `json:"digits"`  // lengths of the user ids that are numbers, rising
	Ordered  bool            `json:"ordered"` // keys of user ids rise with the positions
	Wide     []string        `json:"wide"`    // fields with too many values to select by
}

// Store is one snapshot on disk. It is safe for concurrent use.
type Store struct {
	db   *bbolt.DB
	path string
	meta meta
}

// Open opens a store after checking its digest.
func Open(path string) (*Store, error) {
	info, err := atomicfile.Digest(path)
	if err != nil {
		return nil, err
	}
	if !strings.HasSuffix(path, "-"+info.SHA256[:digestChars]+extension) {
		return nil, fmt.Errorf("%s does not have the digest in its name: %w; it is built again from the predictions", path, ErrDamaged)
	}
	return open(path)
}

func open(path string) (*Store, error) {
	db, err := bbolt.Open(path, 0o644, &bbolt.Options{ReadOnly: true, NoStatistics: true, Timeout: time.Second})
	if err != nil {
		return nil, fmt.Errorf("open the store %s: %w", path, err)
	}
	s := &Store{db: db, path: path}
	err = s.view(func(tx *bbolt.Tx) error { return json.Unmarshal(tx.Bucket(bucketMeta).Get(keyMeta), &s.meta) })
	if err == nil && s.meta.Format != format {
		err = fmt.Errorf("format %d is not known to this version of churn, which reads %d: %w; it is built again", s.meta.Format, format, ErrDamaged)
	}
	if err != nil {
		db.Close()
		return nil, fmt.Errorf("open the store %s: %w", path, err)
	}
	return s, nil
}

// Snapshot says what the store is of.
func (s *Store) Snapshot() server.Snapshot { return s.meta.Snapshot }

// Name returns the name of the store's file.
func (s *Store) Name() string { return filepath.Base(s.path) }

// Path returns the path of the store's file.
func (s *Store) Path() string { return s.path }

// Close waits for the questions being answered. Later ones fail with
// ErrClosed.
func (s *Store) Close() error { return s.db.Close() }

// view answers one question. A file that was damaged or cut while in use is an
// error, not the end of the program: bbolt panics on a page that it cannot read,
// and a page that is no longer there is a fault of memory.
func (s *Store) view(f func(*bbolt.Tx) error) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("the store %s: %w: %v", s.Name(), ErrDamaged, r)
		}
	}()
	tx, err := s.db.Begin(false)
	if err != nil {
		return err
	}
	defer tx.Rollback() //nolint:errcheck // reading changes nothing
	return f(tx)
}

// Find returns the user with an id, or server.ErrNoUser.
func (s *Store) Find(id string) (u server.User, err error) {
	err = s.view(func(tx *bbolt.Tx) error {
		position := tx.Bucket(bucketIDs).Get(idKey(id))
		if position == nil {
			return server.ErrNoUser
		}
		u, err = s.user(tx, binary.BigEndian.Uint32(position))
		return err
	})
	return u, err
}

func (s *Store) user(tx *bbolt.Tx, position uint32) (server.User, error) {
	u, ok := decodeUser(tx.Bucket(bucketUsers).Get(positionKey(position)))
	if !ok {
		return u, fmt.Errorf("the store %s: %w, at user %d", s.Name(), ErrDamaged, position)
	}
	u.AsOf, u.Version = s.meta.Snapshot.AsOf, s.meta.Snapshot.Version
	return u, nil
}

func positionKey(position uint32) []byte { return binary.BigEndian.AppendUint32(nil, position) }

// The first byte of the key of a user id: numbers stand before text.
const (
	numberKey = iota
	textKey
)

// idKey returns the key of a user id. Numbers are ordered by their length
// first, which is the order of the predictions (validate.CompareIDs) unless
// some numbers have leading zeros and others have not.
func idKey(id string) []byte {
	if !isNumber(id) {
		return append([]byte{textKey}, id...)
	}
	return numberPrefix(len(id), id)
}

// numberPrefix begins the keys of the numbers with that many digits that begin
// with prefix.
func numberPrefix(digits int, prefix string) []byte {
	return append([]byte{numberKey, byte(digits >> 8), byte(digits)}, prefix...)
}

func isNumber(id string) bool {
	return id != "" && len(id) < 1<<16 && strings.Trim(id, "0123456789") == ""
}

// after returns the smallest key that is greater than all with this prefix. No
// prefix of ours is all 0xff.
func after(prefix []byte) []byte {
	out := bytes.Clone(prefix)
	for len(out) > 0 && out[len(out)-1] == 0xff {
		out = out[:len(out)-1]
	}
	out[len(out)-1]++
	return out
}
