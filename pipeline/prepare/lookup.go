package prepare

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"sort"
	"sync"

	"churn/internal/wire"
	"churn/pipeline"
	"churn/pipeline/validate"
)

// Lookup finds single users in a file of timelines. It holds where each block
// is and with whom it begins, and reads one block a question. It keeps the file
// open: when prepare writes another in its place, it goes on with the old one.
// It is safe for concurrent use.
type Lookup struct {
	Header Header
	path   string
	file   *os.File
	blocks []entry
	pages  sync.Pool // of *[]byte
}

// entry is one block.
type entry struct {
	first  string // id of its first user
	offset int64  // of the payload
	length uint32
	sum    uint32 // CRC-32C
}

// OpenLookup opens a file and finds its blocks, without reading what is in
// them. Each is checked against its sum when it is read.
func OpenLookup(path string) (*Lookup, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	l := &Lookup{path: path, file: f}
	l.pages.New = func() any { return new([]byte) }
	if err := l.index(); err != nil {
		f.Close()
		return nil, l.damaged(err)
	}
	return l, nil
}

func (l *Lookup) damaged(err error) error { return (&Timelines{path: l.path}).damaged(err) }

func (l *Lookup) index() error {
	info, err := l.file.Stat()
	if err != nil {
		return err
	}
	size := info.Size()
	var at int64
	if l.Header, at, err = readHeader(io.NewSectionReader(l.file, 0, size), size); err != nil {
		return err
	}
	for {
		var head [8]byte
		if _, err := l.file.ReadAt(head[:], at); err != nil {
			return err
		}
		at += int64(len(head))
		e := entry{offset: at, length: binary.LittleEndian.Uint32(head[:]), sum: binary.LittleEndian.Uint32(head[4:])}
		if e.length == 0 {
			return l.ends(at == size, e.sum)
		}
		if at += int64(e.length); at > size {
			return errors.New("a block is too long")
		}
		if err := l.add(e); err != nil {
			return err
		}
	}
}

// ends checks the end of the file.
func (l *Lookup) ends(here bool, users uint32) error {
	if !here || int64(users) != int64(l.Header.Users) {
		return errors.New("users are missing")
	}
	return nil
}

// idRoom is how much of a block is read for its first id; few ids are longer.
const idRoom = 64

// add reads the first id of a block.
func (l *Lookup) add(e entry) error {
	id, err := l.firstID(e, idRoom)
	if err != nil {
		return err
	}
	e.first = id
	if n := len(l.blocks); n > 0 && validate.CompareIDs(l.blocks[n-1].first, id) >= 0 {
		return errors.New("users are out of order")
	}
	l.blocks = append(l.blocks, e)
	return nil
}

func (l *Lookup) firstID(e entry, room int) (string, error) {
	b := make([]byte, min(room, int(e.length)))
	if _, err := l.file.ReadAt(b, e.offset); err != nil {
		return "", err
	}
	r := wire.NewReader(b)
	id := r.String()
	switch {
	case !r.Bad():
		return id, nil
	case len(b) < int(e.length):
		return l.firstID(e, int(e.length))
	}
	return "", errors.New("a block has no user")
}

// Find returns the timeline of a user; ok is false if there is none. After Close
// it fails with os.ErrClosed.
func (l *Lookup) Find(id string) (t pipeline.Timeline, ok bool, err error) {
	after := sort.Search(len(l.blocks), func(i int) bool { return validate.CompareIDs(l.blocks[i].first, id) > 0 })
	if after == 0 {
		return t, false, nil
	}
	page := l.pages.Get().(*[]byte)
	defer l.pages.Put(page)
	e := &l.blocks[after-1]
	if cap(*page) < int(e.length) {
		*page = make([]byte, e.length)
	}
	payload := (*page)[:e.length]
	if _, err := l.file.ReadAt(payload, e.offset); err != nil {
		return t, false, fmt.Errorf("read %s: %w", l.path, err)
	}
	if crc32.Checksum(payload, castagnoli()) != e.sum {
		return t, false, l.damaged(errors.New("a checksum is wrong"))
	}
	return findIn(payload, id)
}

// findIn returns the timeline of a user in a block.
func findIn(payload []byte, id string) (t pipeline.Timeline, ok bool, err error) {
	d := decoder{Reader: wire.NewReader(payload)}
	for d.Len() > 0 {
		start := d.Reader
		if string(d.Bytes(d.Uvarint())) == id && !d.Bad() {
			d.Reader = start
			t, ok = d.timeline(), true
			break
		}
		d.pass()
	}
	if d.Bad() {
		return t, false, errors.New("timelines: a block is cut off")
	}
	return t, ok, nil
}

// Close releases the file. Questions being answered end well.
func (l *Lookup) Close() error { return l.file.Close() }
