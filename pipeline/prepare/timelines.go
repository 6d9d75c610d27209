package prepare

import (
	"bufio"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"

	"churn/internal/atomicfile"
	"churn/pipeline"
)

// The file of timelines is how prepare hands every fact, with its day and its
// known day, to the later stages: user_daily shows the same facts to people,
// but has no room for the day on which a fact became known (docs/adr/0002).
//
//	"CHURNTL1" | header length, header JSON | blocks | end
//	block = payload length | CRC-32C of the payload | payload (a run of users)
//	end   = 0 | number of users
//
// A block ends with the user that fills blockSize, so that one user can be
// looked up by reading little.
//
// Lengths, counts and checksums are 32-bit little endian.
const magic = "CHURNTL1"

// Header describes the data set behind a file of timelines.
type Header struct {
	Span           pipeline.Span `json:"span"`
	Users          int           `json:"users"`
	Courses        []string      `json:"courses"` // course n is Courses[n-1]
	Timezone       string        `json:"timezone"`
	EventTypes     []string      `json:"event_types"`
	ActivityEvents []string      `json:"activity_events"`
	// CompletionEvents are the types whose courses count as completed; empty where
	// completed courses make no difference.
	CompletionEvents []string `json:"completion_events,omitempty"`
}

// blockSize is the size from which a block is full, in bytes. Each holds the
// users of one bucket of validate or a part of them: below some 200,000 users
// buckets are smaller than this.
const blockSize = 1 << 20

// castagnoli has hardware support on the usual processors.
func castagnoli() *crc32.Table { return crc32.MakeTable(crc32.Castagnoli) }

// timelineWriter writes a file of timelines.
type timelineWriter struct {
	file  *atomicfile.File
	users uint32
}

func createTimelines(path string, h Header) (*timelineWriter, error) {
	head, err := json.Marshal(h)
	if err != nil {
		return nil, err
	}
	f, err := atomicfile.Create(path)
	if err != nil {
		return nil, err
	}
	b := binary.LittleEndian.AppendUint32([]byte(magic), uint32(len(head)))
	if _, err := f.Write(append(b, head...)); err != nil {
		f.Abort()
		return nil, err
	}
	return &timelineWriter{file: f}, nil
}

// append writes one block made by encodeBlock.
func (w *timelineWriter) append(payload []byte, users int) error {
	if len(payload) == 0 {
		return nil
	}
	w.users += uint32(users)
	head := binary.LittleEndian.AppendUint32(nil, uint32(len(payload)))
	head = binary.LittleEndian.AppendUint32(head, crc32.Checksum(payload, castagnoli()))
	if _, err := w.file.Write(head); err != nil {
		return err
	}
	_, err := w.file.Write(payload)
	return err
}

func (w *timelineWriter) commit() (atomicfile.Info, error) {
	end := binary.LittleEndian.AppendUint32(make([]byte, 4), w.users)
	if _, err := w.file.Write(end); err != nil {
		w.file.Abort()
		return atomicfile.Info{}, err
	}
	return w.file.Commit()
}

// Timelines reads a file of timelines, block by block.
type Timelines struct {
	Header Header
	path   string
	file   *os.File
	in     *bufio.Reader
	size   int64 // of the file: bounds what is allocated on its word
	sum    interface {
		io.Writer
		Sum([]byte) []byte
	}
}

// OpenTimelines opens the file and reads its header.
func OpenTimelines(path string) (*Timelines, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err != nil {
		f.Close()
		return nil, err
	}
	sum := sha256.New()
	t := &Timelines{path: path, file: f, in: bufio.NewReaderSize(io.TeeReader(f, sum), 1<<20), size: info.Size(), sum: sum}
	if err := t.readHeader(); err != nil {
		f.Close()
		return nil, err
	}
	return t, nil
}

func (t *Timelines) damaged(err error) error {
	return fmt.Errorf("%s is damaged (%w); run `churn prepare` again", t.path, err)
}

func (t *Timelines) readHeader() (err error) {
	if t.Header, _, err = readHeader(t.in, t.size); err != nil {
		return t.damaged(err)
	}
	return nil
}

// readHeader reads the header of a file of that size, and returns where the
// blocks begin.
func readHeader(in io.Reader, size int64) (h Header, blocks int64, err error) {
	head := make([]byte, len(magic)+4)
	if _, err := io.ReadFull(in, head); err != nil {
		return h, 0, err
	}
	n := binary.LittleEndian.Uint32(head[len(magic):])
	if string(head[:len(magic)]) != magic || int64(n) > size {
		return h, 0, errors.New("not a file of timelines of this version")
	}
	text := make([]byte, n)
	if _, err := io.ReadFull(in, text); err != nil {
		return h, 0, err
	}
	return h, int64(len(head)) + int64(n), json.Unmarshal(text, &h)
}

// Next returns the payload of the next block for DecodeBlock; ok is false
// after the last.
func (t *Timelines) Next() (payload []byte, ok bool, err error) {
	var head [8]byte
	if _, err := io.ReadFull(t.in, head[:]); err != nil {
		return nil, false, t.damaged(err)
	}
	n, sum := binary.LittleEndian.Uint32(head[:]), binary.LittleEndian.Uint32(head[4:])
	if n == 0 {
		if int64(sum) != int64(t.Header.Users) {
			return nil, false, t.damaged(errors.New("users are missing"))
		}
		return nil, false, nil
	}
	if int64(n) > t.size {
		return nil, false, t.damaged(errors.New("a block is too long"))
	}
	payload = make([]byte, n)
	if _, err := io.ReadFull(t.in, payload); err != nil {
		return nil, false, t.damaged(err)
	}
	if crc32.Checksum(payload, castagnoli()) != sum {
		return nil, false, t.damaged(errors.New("a checksum is wrong"))
	}
	return payload, true, nil
}

// SHA256 returns the digest of the file; valid after Next has returned false.
func (t *Timelines) SHA256() string { return hex.EncodeToString(t.sum.Sum(nil)) }

// Close releases the file.
func (t *Timelines) Close() error { return t.file.Close() }
