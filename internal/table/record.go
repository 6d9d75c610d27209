package table

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"sync"
)

// Block is a run of consecutive records of one file.
type Block struct {
	File      string
	FirstLine int // number of the first line; for Parquet, of the first row

	data   []byte
	run    *parquetRun // Parquet: is read when it is scanned
	isRow  bool        // Parquet
	rows   int         // Parquet
	buffer []byte      // CSV: what data lies in
	pool   *sync.Pool  // CSV: where Release puts it
}

func (b *Block) lines() int { return bytes.Count(b.data, []byte{'\n'}) }

// Release hands the memory of the block back to its reader. Nothing of its
// records may be used afterwards; not to call it costs time only.
func (b *Block) Release() {
	if b.pool != nil {
		buffer := b.buffer[:0]
		b.data, b.buffer = nil, nil
		b.pool.Put(&buffer)
		b.pool = nil
	}
}

// Records returns the number of records without reading them where it can.
func (b *Block) Records() int {
	if b.isRow {
		return b.rows
	}
	if bytes.IndexByte(b.data, '"') < 0 && !bytes.Contains(b.data, []byte("\n\n")) {
		n := b.lines()
		if len(b.data) > 0 && b.data[len(b.data)-1] != '\n' {
			n++
		}
		return n
	}
	n := 0
	for r := b.Scan(); r.Next(); {
		n++
	}
	return n
}

// Scan returns a cursor before the first record.
func (b *Block) Scan() *Record {
	r := &Record{block: b, rest: b.data, next: b.FirstLine}
	if b.run != nil {
		if r.cells, r.err = b.run.cursor(); r.err != nil {
			r.err = fmt.Errorf("%s: after row %d: %w", b.File, b.FirstLine-1, r.err)
		}
	}
	return r
}

// Record is a cursor over the records of a block. Its fields are valid until
// the next call of Next.
type Record struct {
	block     *Block
	cells     *parquetCursor // Parquet; nothing else then counts
	rest      []byte
	text      []byte // the record without its line end
	fields    [][]byte
	line      int
	next      int
	hasQuotes bool
	whole     bool // fields still lie in text, uncut: some callers want the line only
	bad       error
	err       error
}

// Next moves to the next record that is not an empty line.
func (r *Record) Next() bool {
	if r.cells != nil {
		return r.nextRow()
	}
	for len(r.rest) > 0 && r.err == nil {
		end := bytes.IndexByte(r.rest, '\n')
		text := r.rest
		if end >= 0 {
			text, r.rest = r.rest[:end], r.rest[end+1:]
		} else {
			r.rest = nil
		}
		r.line = r.next
		r.next++
		if bytes.IndexByte(text, '"') >= 0 {
			r.quoted(text)
			return true
		}
		if n := len(text); n > 0 && text[n-1] == '\r' {
			text = text[:n-1]
		}
		if len(text) > 0 {
			r.text, r.bad, r.whole, r.hasQuotes = text, nil, true, false
			return true
		}
	}
	return false
}

// nextRow is Next for Parquet.
func (r *Record) nextRow() bool {
	if r.err != nil {
		return false
	}
	switch err := r.cells.next(); err {
	case nil:
		r.line = r.next
		r.next++
		return true
	case io.EOF:
		return false
	default:
		r.err = fmt.Errorf("%s: after row %d: %w; the file is damaged: copy or export it again", r.block.File, r.line, err)
		return false
	}
}

// split cuts a record without quotes at its commas.
func (r *Record) split() {
	r.fields, r.whole = r.fields[:0], false
	text := r.text
	for {
		i := bytes.IndexByte(text, ',')
		if i < 0 {
			r.fields = append(r.fields, text)
			return
		}
		r.fields = append(r.fields, text[:i])
		text = text[i+1:]
	}
}

// quoted reads a record with quotes, which may run over several lines, with
// encoding/csv: it is rare, so correctness comes before speed.
func (r *Record) quoted(text []byte) {
	for bytes.Count(text, []byte{'"'})%2 == 1 && len(r.rest) > 0 {
		end := bytes.IndexByte(r.rest, '\n')
		if end < 0 {
			end = len(r.rest) - 1
		}
		text = append(append(append([]byte(nil), text...), '\n'), bytes.TrimSuffix(r.rest[:end+1], []byte{'\n'})...)
		r.rest = r.rest[end+1:]
		r.next++
	}
	r.text = bytes.TrimSuffix(text, []byte{'\r'})
	c := csv.NewReader(bytes.NewReader(text))
	c.FieldsPerRecord = -1
	row, err := c.Read()
	r.bad, r.whole, r.hasQuotes, r.fields = nil, false, true, r.fields[:0]
	var syntax *csv.ParseError
	if errors.As(err, &syntax) {
		r.bad = fmt.Errorf("quotes are broken at column %d: %w", syntax.Column, syntax.Err)
		r.split()
		return
	}
	for _, f := range row {
		r.fields = append(r.fields, []byte(f))
	}
}

// Len returns the number of fields.
func (r *Record) Len() int {
	if r.cells != nil {
		return len(r.cells.at)
	}
	if r.whole {
		r.split()
	}
	return len(r.fields)
}

// Field returns field i, or nothing where the record is too short.
func (r *Record) Field(i int) []byte {
	if r.cells != nil {
		return r.cells.field(i)
	}
	if r.whole {
		r.split()
	}
	if i < 0 || i >= len(r.fields) {
		return nil
	}
	return r.fields[i]
}

// Double returns field i of a Parquet file that has it as a double; ok is false
// where it does not, or where it is null.
func (r *Record) Double(i int) (v float64, ok bool) {
	if r.cells == nil {
		return 0, false
	}
	return r.cells.double(i)
}

// Integer returns field i of a Parquet file that has it as an integer, if it is
// positive and below 10^18.
func (r *Record) Integer(i int) (n uint64, ok bool) {
	if r.cells == nil {
		return 0, false
	}
	return r.cells.integer(i)
}

// Line returns the text of the record as it was written; of Parquet, as a CSV
// file would have it.
func (r *Record) Line() []byte {
	if r.cells != nil {
		return r.cells.line()
	}
	return r.text
}

// Quoted reports whether the record has quotes, so that its line is not its
// fields with commas between them.
func (r *Record) Quoted() bool { return r.hasQuotes }

// Number returns the line (Parquet: row) on which the record begins.
func (r *Record) Number() int { return r.line }

// File returns the path of the file.
func (r *Record) File() string { return r.block.File }

// Bad returns why the record could not be split into fields, or nil.
func (r *Record) Bad() error { return r.bad }

// Err returns why reading ended before the end of the block, or nil.
func (r *Record) Err() error { return r.err }

// Strings returns a copy of the fields.
func (r *Record) Strings() []string {
	out := make([]string, r.Len())
	for i := range out {
		out[i] = string(r.Field(i))
	}
	return out
}

// Errorf returns an error that names file, line and field.
func (r *Record) Errorf(field, format string, args ...any) error {
	unit := "line"
	if r.block.isRow {
		unit = "row"
	}
	return fmt.Errorf("%s: %s %d: %s: %s", r.block.File, unit, r.line, field, fmt.Sprintf(format, args...))
}

var pow10 = [...]float64{1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22}

// ParseFloat reads a decimal number. Short ones take a fast path that is exact:
// a mantissa below 2^53 divided by a power of ten up to 10^22 is rounded once
// (Clinger 1990). NaN, Inf, hexadecimal and underscores are refused.
func ParseFloat(b []byte) (float64, error) {
	var mantissa uint64
	digits, point := 0, -1
	s := b
	negative := len(s) > 0 && s[0] == '-'
	if negative {
		s = s[1:]
	}
	for i, c := range s {
		switch {
		case c >= '0' && c <= '9' && digits < 15:
			mantissa = mantissa*10 + uint64(c-'0')
			digits++
		case c == '.' && point < 0:
			point = i
		default:
			return parseSlow(b)
		}
	}
	if digits == 0 {
		return parseSlow(b)
	}
	v := float64(mantissa)
	if point >= 0 {
		v /= pow10[len(s)-point-1]
	}
	if negative {
		v = -v
	}
	return v, nil
}

func parseSlow(b []byte) (float64, error) {
	s := string(b)
	if strings.ContainsAny(s, "xXpP_iInN") {
		return 0, fmt.Errorf("%q is not a number", s)
	}
	v, err := strconv.ParseFloat(s, 64)
	if err != nil {
		return 0, fmt.Errorf("%q is not a number", s)
	}
	return v, nil
}
