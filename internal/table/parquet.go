package table

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"time"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/format"

	"churn/pipeline"
)

const parquetRows = 8192 // rows in a block

// parquetBlocks reads rows and hands them on to be rendered as text by
// whoever scans the block: from there on both formats take one path.
type parquetBlocks struct {
	path    string
	rows    parquet.RowReader
	columns []parquetColumn
	row     int
}

type parquetColumn struct {
	kind      parquet.Kind
	isDate    bool
	timestamp *format.TimestampType
}

func newParquetColumn(t parquet.Type) parquetColumn {
	c := parquetColumn{kind: t.Kind()}
	if logical := t.LogicalType(); logical != nil {
		_, c.isDate = logical.Value.(*format.DateType)
		c.timestamp, _ = logical.Value.(*format.TimestampType)
	}
	return c
}

func (r *Reader) openParquet(f *os.File) error {
	size, err := io.Copy(r.sum, f)
	if err != nil {
		return err
	}
	file, err := parquet.OpenFile(f, size)
	if err != nil {
		return fmt.Errorf("%s: not a complete Parquet file: %w; copy or export it again", r.path, err)
	}
	blocks := &parquetBlocks{path: r.path, row: 1}
	for _, c := range file.Root().Columns() {
		if !c.Leaf() || c.Repeated() {
			return fmt.Errorf("%s: column %s is nested; only flat columns can be read", r.path, c.Name())
		}
		r.header = append(r.header, c.Name())
		blocks.columns = append(blocks.columns, newParquetColumn(c.Type()))
	}
	rows := parquet.MultiRowGroup(file.RowGroups()...).Rows()
	blocks.rows = rows
	r.blocks = blocks
	r.close = func() error { return errors.Join(rows.Close(), f.Close()) }
	return nil
}

func (p *parquetBlocks) readBlock() (*Block, error) {
	rows := make([]parquet.Row, parquetRows)
	n, err := p.rows.ReadRows(rows)
	if n == 0 {
		if err == nil || errors.Is(err, io.EOF) {
			return nil, io.EOF
		}
		return nil, fmt.Errorf("%s: after row %d: %w", p.path, p.row, err)
	}
	for i := range rows[:n] {
		rows[i] = rows[i].Clone() // the reader's pages are reused
	}
	b := &Block{File: p.path, FirstLine: p.row, isRow: true, rows: n}
	b.render = func() ([]byte, error) { return renderRows(rows[:n], p.columns) }
	p.row += n
	return b, nil
}

func renderRows(rows []parquet.Row, columns []parquetColumn) ([]byte, error) {
	b := &Batch{columns: len(columns)}
	for _, row := range rows {
		for _, v := range row {
			columns[v.Column()].render(b, v)
		}
		b.EndRow()
	}
	return b.text, nil
}

// render appends a value in the form that the CSV contract has for it.
func (c parquetColumn) render(b *Batch, v parquet.Value) {
	switch {
	case v.IsNull():
		b.next()
	case c.isDate:
		b.Date(pipeline.Date(v.Int32()))
	case c.timestamp != nil:
		b.Text(timestampText(c.timestamp, v.Int64()))
	default:
		c.renderPlain(b, v)
	}
}

func timestampText(kind *format.TimestampType, v int64) string {
	t := time.Unix(0, v)
	switch kind.Unit.Value.(type) {
	case *format.MilliSeconds:
		t = time.UnixMilli(v)
	case *format.MicroSeconds:
		t = time.UnixMicro(v)
	}
	if kind.IsAdjustedToUTC {
		return t.UTC().Format(time.RFC3339Nano)
	}
	return t.UTC().Format("2006-01-02T15:04:05.999999999")
}

func (c parquetColumn) renderPlain(b *Batch, v parquet.Value) {
	switch c.kind {
	case parquet.Boolean:
		n := int64(0)
		if v.Boolean() {
			n = 1
		}
		b.Int(n)
	case parquet.Int32:
		b.Int(int64(v.Int32()))
	case parquet.Int64:
		b.Int(v.Int64())
	case parquet.Float:
		b.text = strconv.AppendFloat(b.text, float64(v.Float()), 'g', -1, 32)
		b.next()
	case parquet.Double:
		b.Float(v.Double())
	default:
		b.Text(string(v.ByteArray()))
	}
}
