package validate

import (
	"bytes"
	"encoding/binary"
	"math"
	"sync"

	"github.com/cespare/xxhash/v2"

	"churn/internal/table"
	"churn/pipeline"
	"churn/pipeline/source"
)

// badRow is a row on its way to the quarantine or the report.
type badRow struct {
	line     int
	faults   []Failure
	checks   []checkID
	critical bool
	text     string
}

// blockResult is what one block of events came to.
type blockResult struct {
	file     *eventFile
	end      bool // of the file; nothing else counts then
	rows     int64
	accepted int64
	bad      []badRow // all critical ones, and the first few others of each check
	failures [numChecks]int64
	volume   volumes
	plain    int64 // events other than payments
	starts   map[pipeline.Date]pipeline.Date
	last     pipeline.Date

	staged   [][]byte          // by user bucket
	ids      [][]byte          // by key bucket
	contents [][]byte          // by key bucket
	courses  map[string]uint32 // numbers seen so far: asking the shared table costs a lock
}

// reset empties the result but keeps its memory.
func (b *blockResult) reset(userBuckets int) {
	if b.staged == nil {
		b.staged, b.ids, b.contents = make([][]byte, userBuckets), make([][]byte, keyBuckets), make([][]byte, keyBuckets)
		b.courses = map[string]uint32{}
	}
	for _, set := range [][][]byte{b.staged, b.ids, b.contents} {
		for i := range set {
			set[i] = set[i][:0]
		}
	}
	*b = blockResult{volume: volumes{}, starts: map[pipeline.Date]pipeline.Date{}, last: pipeline.NoDate, staged: b.staged, ids: b.ids, contents: b.contents, courses: b.courses}
}

// eventScanner turns blocks of events into results. It is safe for use by
// several goroutines.
type eventScanner struct {
	rules    *Rules
	users    *Roster
	courses  *courses
	examples int
	keepText bool
	buckets  int // of users; 0 = accepted events are not staged
	pool     sync.Pool
}

func (s *eventScanner) result() *blockResult {
	b, ok := s.pool.Get().(*blockResult)
	if !ok {
		b = &blockResult{}
	}
	b.reset(s.buckets)
	return b
}

func (s *eventScanner) scan(block eventBlock) (*blockResult, error) {
	if block.Block == nil {
		return &blockResult{file: block.file, end: true}, nil
	}
	out := s.result()
	out.file = block.file
	width, columns := len(block.file.reader.Header()), block.file.columns
	var f faults
	var event Staged
	rec := block.Scan()
	for rec.Next() {
		out.rows++
		f = f[:0]
		if !checkShape(rec, width, &f) {
			s.keep(rec, f, out)
			continue
		}
		raw := s.fields(rec, columns)
		minutes, score := typed(rec, columns[minutesColumn], &raw.Minutes, pipeline.MaxMinutes), typed(rec, columns[scoreColumn], &raw.Score, maxScore)
		user, known := s.user(rec, columns[userColumn], &raw)
		signup := pipeline.NoDate
		if event.User = user; known {
			signup = s.users.signup(user)
		} else {
			f.add(eventUserKnown, "user_id", raw.User, "")
		}
		event.Second = s.rules.event(&raw, signup, &event.Event, &f)
		minutes.store(&event.Minutes)
		score.store(&event.Score)
		event.Position = positionOf(block.file.number, rec)
		if len(f) > 0 && s.keep(rec, f, out) {
			continue
		}
		s.accept(&raw, &event, out)
	}
	err := rec.Err()
	block.Release() // what is kept of its rows has been copied
	return out, err
}

// Where numbers stand among EventColumns.
const (
	userColumn    = 1
	minutesColumn = 5
	scoreColumn   = 6
)

// fields returns a row as text, but for its user and for what files have as
// numbers.
func (s *eventScanner) fields(rec *table.Record, c source.Columns) (e EventRecord) {
	field := func(i int) []byte { return trim(rec.Field(c[i])) }
	if e.number, e.numbered = rec.Integer(c[0]); !e.numbered || s.keepText {
		e.ID = field(0)
	}
	e.Time, e.Type, e.Course, e.Amount, e.KnownAt = field(2), field(3), field(4), field(7), field(8)
	return e
}

// user finds the user of a row.
func (s *eventScanner) user(rec *table.Record, column int, e *EventRecord) (rank uint32, known bool) {
	if n, ok := rec.Integer(column); ok && n < uint64(len(s.users.dense)) && s.users.dense[n] != 0 {
		return s.users.dense[n] - 1, true
	}
	e.User = trim(rec.Field(column))
	return s.users.find(e.User)
}

// checked is a number that needs no check any more, if there is one.
type checked struct {
	value float64
	ok    bool
}

// typed returns a number that a file has as such and that lies in [0, limit]:
// to write it out and to parse it again would cost more than all else. Any
// other one goes its way as text.
func typed(rec *table.Record, column int, text *[]byte, limit float64) checked {
	if v, ok := rec.Double(column); ok && v >= 0 && v <= limit {
		return checked{v, true}
	}
	*text = trim(rec.Field(column))
	return checked{}
}

func (n checked) store(to *float64) {
	if n.ok {
		*to = n.value
	}
}

// accept counts an event and stages it.
func (s *eventScanner) accept(raw *EventRecord, e *Staged, out *blockResult) {
	out.accepted++
	out.volume.add(e.Day, e.Type)
	out.last = max(out.last, e.Day)
	if first, ok := out.starts[e.Known]; !ok || e.Day < first {
		out.starts[e.Known] = e.Day
	}
	if !s.rules.isPayment[e.Type] {
		out.plain++
	}
	id, content := idKey(raw, xxhash.Sum64), contentKey(e, raw)
	i, j := keyBucket(id), keyBucket(content)
	out.ids[i] = appendKey(out.ids[i], id, e.Position, e.Known)
	out.contents[j] = appendKey(out.contents[j], content, e.Position, e.Known)
	if s.buckets == 0 {
		return
	}
	e.Course = s.course(raw.Course, out)
	e.ID = nil
	if s.keepText {
		e.ID = raw.ID
	}
	u := s.users.bucket(e.User, s.buckets)
	out.staged[u] = e.append(out.staged[u])
}

// course numbers a course id.
func (s *eventScanner) course(id []byte, out *blockResult) uint32 {
	if n, ok := out.courses[string(id)]; ok {
		return n
	}
	n := s.courses.number(id)
	out.courses[string(id)] = n
	return n
}

// contentKey hashes what an event says apart from its id, so that rows are equal
// in whatever format and order of columns they stand: what a database compares.
func contentKey(e *Staged, raw *EventRecord) uint64 {
	words := [...]uint64{
		uint64(e.User)<<32 | uint64(uint32(e.Day)), uint64(e.Second)<<32 | uint64(uint32(e.Known)), uint64(e.Type), fraction(raw.Time),
		bits(e.Minutes), bits(e.Score), bits(e.Amount),
	}
	var b [8 * len(words)]byte
	for i, w := range words {
		binary.LittleEndian.PutUint64(b[8*i:], w)
	}
	h := xxhash.Sum64(b[:])
	if len(raw.Course) > 0 {
		h = h*contentPrime ^ xxhash.Sum64(raw.Course)
	}
	return h
}

// contentPrime (of FNV) keeps a course from undoing what came before it.
const contentPrime = 1099511628211

// bits tells numbers apart; 0 and -0 are one.
func bits(v float64) uint64 { return math.Float64bits(v + 0) }

// fraction returns what stands behind the point of a time, as a key: 0 where
// nothing does.
func fraction(text []byte) (n uint64) {
	if len(text) < len("2006-01-02T15:04:05.") || text[19] != '.' {
		return 0
	}
	for _, c := range bytes.TrimRight(digits(text[20:]), "0") {
		n = n*10 + uint64(c-'0') + 1 // so that .01 is not .1
	}
	return n
}

// digits returns the decimal digits with which b begins.
func digits(b []byte) []byte {
	for i, c := range b {
		if c < '0' || c > '9' {
			return b[:i]
		}
	}
	return b
}

// keep records the faults of a row and reports whether it is rejected.
func (s *eventScanner) keep(rec *table.Record, f faults, out *blockResult) bool {
	rejected, shown := s.rules.rejects(f), false
	for _, x := range f {
		out.failures[x.check]++
		shown = shown || out.failures[x.check] <= int64(s.examples)
	}
	if rejected || shown {
		out.bad = append(out.bad, newBadRow(rec, f, rejected))
	}
	return rejected
}

func newBadRow(rec *table.Record, f faults, critical bool) badRow {
	b := badRow{line: rec.Number(), critical: critical, text: string(rec.Line())}
	for _, x := range f {
		b.checks = append(b.checks, x.check)
		b.faults = append(b.faults, Failure{File: rec.File(), Line: rec.Number(), Field: x.field, Value: string(x.value), What: x.what})
	}
	return b
}

// courses numbers course ids from 1 in the order in which they turn up; the
// order depends on scheduling, so prepare renumbers them by name.
type courses struct {
	mu   sync.Mutex
	byID map[string]uint32
}

func newCourses() *courses { return &courses{byID: map[string]uint32{}} }

func (c *courses) number(id []byte) uint32 {
	if len(id) == 0 {
		return 0
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	n := c.byID[string(id)]
	if n == 0 {
		n = uint32(len(c.byID) + 1)
		c.byID[string(id)] = n
	}
	return n
}

// names returns the course ids, the one numbered n at n-1.
func (c *courses) names() []string {
	out := make([]string, len(c.byID))
	for id, n := range c.byID {
		out[n-1] = id
	}
	return out
}

// checkShape checks that the record has the fields of the header.
func checkShape(rec *table.Record, width int, f *faults) bool {
	switch {
	case rec.Bad() != nil:
		f.add(rowShape, "", rec.Line(), rec.Bad().Error())
	case rec.Len() != width:
		f.add(rowShape, "", rec.Line(), fieldsMismatch(rec.Len(), width))
	default:
		return true
	}
	return false
}
