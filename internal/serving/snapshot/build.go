package snapshot

import (
	"bytes"
	"cmp"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"go.etcd.io/bbolt"

	"churn/internal/atomicfile"
	"churn/internal/table"
	"churn/server"
)

const (
	extension   = ".db"
	digestChars = 16      // of a digest in a name
	txRows      = 1 << 14 // users written at once: a transaction is held in memory
)

// Source is a table of predictions and the digest that its manifest gives.
type Source struct {
	Path   string // .csv or .parquet
	SHA256 string
}

// Prefix begins the names of the stores that are built from the source.
func (s *Source) Prefix() string { return "users-" + s.SHA256[:digestChars] + "-" }

// Build makes the store of a source in dir and opens it. The users stream
// through; what grows in memory is some thirty bytes a user: three orders and the
// sets of users by field.
func Build(ctx context.Context, dir string, source Source) (*Store, error) {
	temp, err := atomicfile.TempDir(dir, "users")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(temp)
	path := filepath.Join(temp, "store")
	if err := write(ctx, path, source); err != nil {
		return nil, fmt.Errorf("build the store of users: %w", err)
	}
	info, err := atomicfile.Digest(path)
	if err != nil {
		return nil, err
	}
	final := filepath.Join(dir, source.Prefix()+info.SHA256[:digestChars]+extension)
	if err := errors.Join(os.Chmod(path, 0o644), os.Rename(path, final), atomicfile.SyncDir(dir)); err != nil {
		return nil, err
	}
	return open(final)
}

func write(ctx context.Context, path string, source Source) (err error) {
	db, err := bbolt.Open(path, 0o600, &bbolt.Options{NoSync: true, NoGrowSync: true, NoFreelistSync: true, FreelistType: bbolt.FreelistArrayType, NoStatistics: true})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	b := &builder{db: db, facets: newFacets(), meta: meta{Format: format, Ordered: true}, tally: newTally(source)}
	err = b.begin()
	if err == nil {
		err = each(ctx, source, b.add)
	}
	if err != nil {
		return errors.Join(err, b.tx.Rollback())
	}
	if err := errors.Join(b.finish(), b.tx.Commit()); err != nil {
		return err
	}
	return db.Sync()
}

// builder writes one store.
type builder struct {
	db     *bbolt.DB
	tx     *bbolt.Tx
	facets *facets
	tally  *tally
	meta   meta
	ranks  []byte    // position → rank−1
	silent []float32 // position → days since the last activity; infinite = never active
	last   []byte    // key of the user before
	value  []byte    // scratch
}

// begin starts a transaction. Keys come in order, so pages are filled.
func (b *builder) begin() (err error) {
	if b.tx, err = b.db.Begin(true); err != nil {
		return err
	}
	for _, name := range [][]byte{bucketMeta, bucketUsers, bucketIDs, bucketOrders, bucketFacets} {
		bucket, err := b.tx.CreateBucketIfNotExists(name)
		if err != nil {
			return err
		}
		bucket.FillPercent = 1
	}
	return nil
}

// each visits all users of a source, one after the other. The digest must be that
// of its manifest.
func each(ctx context.Context, source Source, visit func(*server.User) error) error {
	r, err := table.Open(source.Path)
	if err != nil {
		return err
	}
	defer r.Close()
	c, err := findColumns(r)
	if err != nil {
		return err
	}
	var u server.User
	err = r.Each(func(rec *table.Record) error {
		if err := errors.Join(ctx.Err(), c.read(rec, &u)); err != nil {
			return err
		}
		if err := visit(&u); err != nil {
			return rec.Errorf("user "+u.ID, "%v", err)
		}
		return nil
	})
	if err != nil {
		return err
	}
	return source.agrees(r.SHA256())
}

func (s *Source) agrees(sha256 string) error {
	if sha256 != s.SHA256 {
		return fmt.Errorf("%s does not agree with its manifest: it is being written or was changed; run `churn score` again", s.Path)
	}
	return nil
}

// Verify reads the table and compares its digest.
func (s *Source) Verify() error {
	info, err := atomicfile.Digest(s.Path)
	if err != nil {
		return err
	}
	return s.agrees(info.SHA256)
}

func (b *builder) users() int { return len(b.ranks) / 4 }

// add writes the next user.
func (b *builder) add(u *server.User) error {
	position := b.users()
	if err := b.tally.add(u); err != nil {
		return err
	}
	if u.Rank < 1 || u.Rank > math.MaxUint32/4 {
		return fmt.Errorf("rank %d is out of range; run `churn score` again", u.Rank)
	}
	b.ranks = binary.BigEndian.AppendUint32(b.ranks, uint32(u.Rank-1))
	silence := float32(math.Inf(1))
	if u.LastActivity != nil {
		silence = float32(*u.LastActivity)
	}
	b.silent = append(b.silent, silence)
	b.facets.add(uint32(position), u)
	b.value = encodeUser(b.value[:0], u)
	// bbolt keeps the slice of a value until the transaction ends.
	err := errors.Join(b.putID(u.ID, position), b.tx.Bucket(bucketUsers).Put(positionKey(uint32(position)), bytes.Clone(b.value)))
	if err == nil && b.users()%txRows == 0 {
		err = errors.Join(b.tx.Commit(), b.begin())
	}
	return err
}

func (b *builder) putID(id string, position int) error {
	key, bucket := idKey(id), b.tx.Bucket(bucketIDs)
	if bytes.Compare(key, b.last) <= 0 {
		b.meta.Ordered = false
		if bucket.Get(key) != nil {
			return errors.New("the user stands there twice; run `churn score` again")
		}
	}
	b.last = key
	if isNumber(id) {
		if i, found := slices.BinarySearch(b.meta.Digits, len(id)); !found {
			b.meta.Digits = slices.Insert(b.meta.Digits, i, len(id))
		}
	}
	return bucket.Put(key, positionKey(uint32(position)))
}

// finish writes what is known only after the last user.
func (b *builder) finish() error {
	sum, err := b.tally.sum()
	if err != nil {
		return err
	}
	byRanks, err := b.invert()
	if err != nil {
		return err
	}
	silence, silencePlaces := b.bySilence(byRanks)
	b.meta.Snapshot = sum
	s := &b.meta.Snapshot
	s.Plans, s.Countries, s.Sources = b.facets.values(fieldPlan), b.facets.values(fieldCountry), b.facets.values(fieldSource)
	b.meta.Wide = b.facets.wide()
	text, err := json.Marshal(b.meta)
	orders := b.tx.Bucket(bucketOrders)
	return errors.Join(err, b.tx.Bucket(bucketMeta).Put(keyMeta, text),
		orders.Put(placesKey(byRank), b.ranks), orders.Put(positionsKey(byRank), byRanks), orders.Put(placesKey(bySilence), silencePlaces), orders.Put(positionsKey(bySilence), silence),
		b.facets.write(b.tx.Bucket(bucketFacets), map[string][]byte{byRank: b.ranks, bySilence: silencePlaces}))
}

// placesKey is the key of the places that all positions have in an order.
func placesKey(order string) []byte { return []byte(order + "/places") }

// positionsKey is the key of the positions in an order.
func positionsKey(order string) []byte { return []byte(order + "/positions") }

// bySilence returns the positions by falling silence, then by rank, and the places
// of all positions in that order.
func (b *builder) bySilence(byRanks []byte) (positions, places []byte) {
	n := b.users()
	order := make([]uint32, n)
	for rank := range n {
		order[rank] = place(byRanks, uint32(rank))
	}
	slices.SortStableFunc(order, func(x, y uint32) int { return cmp.Compare(b.silent[y], b.silent[x]) })
	positions, places = make([]byte, 0, 4*n), make([]byte, 4*n)
	for at, position := range order {
		positions = binary.BigEndian.AppendUint32(positions, position)
		binary.BigEndian.PutUint32(places[4*position:], uint32(at))
	}
	return positions, places
}

// invert returns the positions by rank. Ranks must be 1…n, each once.
func (b *builder) invert() ([]byte, error) {
	const open = math.MaxUint32
	n := b.users()
	order := bytes.Repeat([]byte{0xff}, 4*n)
	for position := range n {
		rank := place(b.ranks, uint32(position))
		if int(rank) >= n || place(order, rank) != open {
			return nil, fmt.Errorf("rank %d is there twice or beyond the %d users; run `churn score` again", rank+1, n)
		}
		binary.BigEndian.PutUint32(order[4*rank:], uint32(position))
	}
	return order, nil
}

// place returns element i of an order.
func place(order []byte, i uint32) uint32 { return binary.BigEndian.Uint32(order[4*i:]) }

// Names returns the names of the stores in dir.
func Names(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	var out []string
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), "users-") && strings.HasSuffix(e.Name(), extension) {
			out = append(out, e.Name())
		}
	}
	return out, err
}
