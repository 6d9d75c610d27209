package table

import (
	"math"
	"strconv"
	"strings"

	"github.com/parquet-go/parquet-go"

	"churn/pipeline"
)

// Batch is a run of rows in the making. Cells are appended from left to right
// and a row is closed by EndRow. One goroutine fills a batch; different
// batches can be filled at once.
type Batch struct {
	columns int
	rows    int
	text    []byte          // CSV
	values  []parquet.Value // Parquet
	typed   bool            // Parquet
	cell    int
}

// Rows returns the number of closed rows.
func (b *Batch) Rows() int { return b.rows }

// Bytes returns the CSV text of the closed rows. It panics for Parquet.
func (b *Batch) Bytes() []byte {
	if b.typed {
		panic("table: a Parquet batch has no text")
	}
	return b.text
}

// NewBatch returns an empty batch of CSV text that belongs to no file.
func NewBatch(schema Schema) *Batch { return &Batch{columns: len(schema)} }

// EndRow closes the row. It panics if cells are missing: the caller's schema
// and loop disagree.
func (b *Batch) EndRow() {
	if b.cell != b.columns {
		panic("table: a row of " + strconv.Itoa(b.cell) + " cells for " + strconv.Itoa(b.columns) + " columns")
	}
	if !b.typed {
		b.text[len(b.text)-1] = '\n'
	}
	b.cell = 0
	b.rows++
}

func (b *Batch) value(v parquet.Value, definition int) {
	b.values = append(b.values, v.Level(0, definition, b.cell))
	b.cell++
}

func (b *Batch) next() {
	b.text = append(b.text, ',')
	b.cell++
}

// Text appends a string. In CSV it is quoted only where it must be.
func (b *Batch) Text(s string) {
	if b.typed {
		b.value(parquet.ByteArrayValue([]byte(s)), 0)
		return
	}
	if needsQuotes(s) {
		b.text = append(b.text, '"')
		b.text = append(b.text, strings.ReplaceAll(s, `"`, `""`)...)
		b.text = append(b.text, '"')
	} else {
		b.text = append(b.text, s...)
	}
	b.next()
}

// needsQuotes reports whether a CSV reader would misread the bare text.
func needsQuotes(s string) bool {
	if s == "" {
		return false
	}
	for i := range len(s) {
		switch s[i] {
		case ',', '"', '\r', '\n':
			return true
		}
	}
	return s[0] <= ' ' || s[len(s)-1] <= ' '
}

// Int appends an integer.
func (b *Batch) Int(v int64) {
	if b.typed {
		b.value(parquet.Int64Value(v), 0)
		return
	}
	b.text = strconv.AppendInt(b.text, v, 10)
	b.next()
}

// Date appends a calendar day; CSV shows it as 2006-01-02.
func (b *Batch) Date(d pipeline.Date) {
	if b.typed {
		b.value(parquet.Int32Value(int32(d)), 0)
		return
	}
	b.text = d.Append(b.text)
	b.next()
}

// Float appends a number; NaN is null, an empty cell in CSV. The text is the
// shortest that reads back to the same bits.
func (b *Batch) Float(v float64) {
	switch {
	case b.typed && math.IsNaN(v):
		b.value(parquet.NullValue(), 0)
	case b.typed:
		b.value(parquet.DoubleValue(v), 1)
	case math.IsNaN(v):
		b.next()
	default:
		b.text = AppendFloat(b.text, v)
		b.next()
	}
}

// AppendFloat appends the shortest decimal form that reads back to v.
func AppendFloat(b []byte, v float64) []byte {
	const exactInts = 1 << 53
	if v == math.Trunc(v) && math.Abs(v) < exactInts && (v != 0 || !math.Signbit(v)) {
		return strconv.AppendInt(b, int64(v), 10)
	}
	if a := math.Abs(v); a >= 1e-5 && a < 1e21 {
		return strconv.AppendFloat(b, v, 'f', -1, 64)
	}
	return strconv.AppendFloat(b, v, 'g', -1, 64)
}

// Copy appends all cells of a record that was read, in the reader's columns.
// The row stays open for further cells.
func (b *Batch) Copy(r *Record, schema Schema) error {
	if !b.typed {
		b.text = append(append(b.text, r.Line()...), ',')
		b.cell += len(schema)
		return nil
	}
	for i, c := range schema {
		if err := b.parse(c.Kind, string(r.Field(i))); err != nil {
			return r.Errorf(c.Name, "%v", err)
		}
	}
	return nil
}

// parse appends a cell from its text.
func (b *Batch) parse(kind Kind, s string) error {
	switch kind {
	case Int:
		v, err := strconv.ParseInt(s, 10, 64)
		b.Int(v)
		return err
	case Date:
		v, err := pipeline.ParseDate(s)
		b.Date(v)
		return err
	case Float:
		if s == "" {
			b.Float(math.NaN()) // null
			return nil
		}
		v, err := ParseFloat([]byte(s))
		b.Float(v)
		return err
	default:
		b.Text(s)
		return nil
	}
}
