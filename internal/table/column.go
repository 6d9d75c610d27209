package table

import (
	"errors"
	"fmt"
	"io"
	"math"
	"math/big"
	"strconv"
	"time"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/format"

	"churn/pipeline"
)

// parquetColumn is a column of a file that is wanted.
type parquetColumn struct {
	name      string
	place     int // in the header
	leaf      int // among the chunks of a row group
	optional  bool
	plain     bool // what is stored is meant, without a unit or a scale
	kind      parquet.Kind
	isDate    bool
	timestamp *format.TimestampType
	decimal   *format.DecimalType
}

func newParquetColumn(place int, column *parquet.Column) parquetColumn {
	t := column.Type()
	c := parquetColumn{name: column.Name(), place: place, leaf: column.Index(), optional: column.Optional(), kind: t.Kind()}
	logical := t.LogicalType()
	c.plain = logical == nil
	if logical != nil {
		_, c.isDate = logical.Value.(*format.DateType)
		c.timestamp, _ = logical.Value.(*format.TimestampType)
		c.decimal, _ = logical.Value.(*format.DecimalType)
		if _, integer := logical.Value.(*format.IntType); integer {
			c.plain = true
		}
	}
	return c
}

// columnCursor goes through the cells of one column, a page at a time.
type columnCursor struct {
	column   parquetColumn
	pages    parquet.Pages
	page     parquet.Page
	row      int // within the page
	rows     int // of the page
	upcoming int // place of the next value that is not null
	null     bool
	value    int // place of the cell among the values of the page, or of its dictionary
	levels   []byte
	index    []int32 // into the dictionary; nil without one
	values
}

// values are those of a page, or of the dictionary that it points into, in the
// one form that its kind has.
type values struct {
	int32s  []int32
	int64s  []int64
	doubles []float64
	text    []byte
	offsets []uint32
	others  []parquet.Value
}

// next moves to the next cell.
func (c *columnCursor) next() error {
	for c.row == c.rows {
		if err := c.turn(); err != nil {
			return fmt.Errorf("column %s: %w", c.column.name, err)
		}
	}
	c.null = c.levels != nil && c.levels[c.row] == 0
	c.row++
	if c.null {
		return nil
	}
	c.value = c.upcoming
	c.upcoming++
	if c.index != nil {
		c.value = int(c.index[c.value])
	}
	return nil
}

// turn goes on to the next page.
func (c *columnCursor) turn() error {
	parquet.Release(c.page)
	c.page = nil
	page, err := c.pages.ReadPage()
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF // the rows of the group were counted
	}
	if err != nil {
		return err
	}
	c.page, c.row, c.rows, c.upcoming = page, 0, int(page.NumRows()), 0
	c.levels, c.index, c.values = nil, nil, values{}
	if c.column.optional {
		c.levels = page.DefinitionLevels()
	}
	if dictionary := page.Dictionary(); dictionary != nil {
		data := page.Data()
		c.index = data.Int32()
		page = dictionary.Page()
	}
	return c.take(page)
}

// take keeps the values of a page.
func (c *columnCursor) take(page parquet.Page) (err error) {
	data := page.Data()
	switch c.column.kind {
	case parquet.Int32:
		c.int32s = data.Int32()
	case parquet.Int64:
		c.int64s = data.Int64()
	case parquet.Double:
		c.doubles = data.Double()
	case parquet.ByteArray:
		c.text, c.offsets = data.ByteArray()
	default:
		c.others, err = notNull(page)
	}
	return err
}

// notNull reads the values of a page of a rarer kind one by one.
func notNull(page parquet.Page) (out []parquet.Value, err error) {
	all := make([]parquet.Value, page.NumValues())
	n, err := page.Values().ReadValues(all)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	for _, v := range all[:n] {
		if !v.IsNull() {
			out = append(out, v)
		}
	}
	return out, nil
}

func (c *columnCursor) close() {
	parquet.Release(c.page)
	c.page = nil
	if c.pages != nil {
		c.pages.Close()
	}
}

// bytes returns the cell of a column of texts.
func (c *columnCursor) bytes() ([]byte, bool) {
	if c.offsets == nil || c.column.decimal != nil {
		return nil, false
	}
	from, to := c.offsets[c.value], c.offsets[c.value+1]
	return c.text[from:to:to], true
}

// render appends the cell in the form that the CSV contract has for it.
func (c *columnCursor) render(b []byte) []byte {
	kind := &c.column
	switch {
	case kind.decimal != nil:
		return appendDecimal(b, c.unscaled(), int(kind.decimal.Scale))
	case kind.isDate:
		return pipeline.Date(c.int32s[c.value]).Append(b)
	case kind.timestamp != nil:
		return appendTimestamp(b, kind.timestamp, c.int64s[c.value])
	case c.int32s != nil:
		return strconv.AppendInt(b, int64(c.int32s[c.value]), 10)
	case c.int64s != nil:
		return strconv.AppendInt(b, c.int64s[c.value], 10)
	case c.doubles != nil:
		if v := c.doubles[c.value]; !math.IsNaN(v) {
			return AppendFloat(b, v)
		}
		return b
	}
	return appendOther(b, c.others[c.value])
}

func appendOther(b []byte, v parquet.Value) []byte {
	switch v.Kind() {
	case parquet.Boolean:
		if v.Boolean() {
			return append(b, '1')
		}
		return append(b, '0')
	case parquet.Float:
		return strconv.AppendFloat(b, float64(v.Float()), 'g', -1, 32)
	default:
		return append(b, v.ByteArray()...)
	}
}

// unscaled returns the digits of a decimal as a whole number: an integer, or
// one in two's complement, the highest byte first.
func (c *columnCursor) unscaled() *big.Int {
	switch {
	case c.int32s != nil:
		return big.NewInt(int64(c.int32s[c.value]))
	case c.int64s != nil:
		return big.NewInt(c.int64s[c.value])
	case c.offsets != nil:
		return fromTwos(c.text[c.offsets[c.value]:c.offsets[c.value+1]])
	}
	return fromTwos(c.others[c.value].ByteArray())
}

func fromTwos(b []byte) *big.Int {
	n := new(big.Int).SetBytes(b)
	if len(b) > 0 && b[0]&0x80 != 0 {
		n.Sub(n, new(big.Int).Lsh(big.NewInt(1), uint(8*len(b))))
	}
	return n
}

// appendDecimal writes n · 10^-scale.
func appendDecimal(b []byte, n *big.Int, scale int) []byte {
	digits := new(big.Int).Abs(n).String()
	for len(digits) <= scale {
		digits = "0" + digits
	}
	if n.Sign() < 0 {
		b = append(b, '-')
	}
	whole := len(digits) - scale
	b = append(b, digits[:whole]...)
	if scale > 0 {
		b = append(append(b, '.'), digits[whole:]...)
	}
	return b
}

// appendTimestamp writes a time: with a Z where the file says that it is in
// UTC, else as the time of the source's zone.
func appendTimestamp(b []byte, kind *format.TimestampType, v int64) []byte {
	per := int64(time.Second)
	switch kind.Unit.Value.(type) {
	case *format.MilliSeconds:
		per = 1e3
	case *format.MicroSeconds:
		per = 1e6
	}
	second, part := floorDiv(v, per)
	day, second := floorDiv(second, 86400)
	b = append(pipeline.Date(day).Append(b), 'T')
	b = appendTwo(append(appendTwo(append(appendTwo(b, second/3600), ':'), second/60%60), ':'), second%60)
	if part > 0 {
		digits := strconv.AppendInt(nil, per+part, 10)
		digits[0] = '.'
		for digits[len(digits)-1] == '0' {
			digits = digits[:len(digits)-1]
		}
		b = append(b, digits...)
	}
	if kind.IsAdjustedToUTC {
		b = append(b, 'Z')
	}
	return b
}

func appendTwo(b []byte, n int64) []byte { return append(b, byte('0'+n/10), byte('0'+n%10)) }

// floorDiv returns the quotient, rounded down, and what remains.
func floorDiv(a, b int64) (quotient, rest int64) {
	quotient, rest = a/b, a%b
	if rest < 0 {
		quotient, rest = quotient-1, rest+b
	}
	return quotient, rest
}
