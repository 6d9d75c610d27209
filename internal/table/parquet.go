package table

import (
	"fmt"
	"io"
	"os"
	"slices"

	"github.com/parquet-go/parquet-go"
)

// How many rows a block has at most. With an index of pages a block begins
// where it likes; without one the pages before it are read in vain, so a row
// group of the usual size stays whole.
const (
	indexedRows   = 1 << 17
	unindexedRows = 1 << 20
)

// parquetBlocks cuts a file into runs of rows. A block is read and decoded by
// whoever scans it, column by column, and only in the columns that are wanted.
type parquetBlocks struct {
	path    string
	groups  []parquet.RowGroup
	columns []parquetColumn
	width   int // columns of the file
	total   int64
	size    *countingReader
	sum     *digester
	group   int
	from    int64 // next row of the group
	row     int   // next row of the file, from 1
}

func (r *Reader) openParquet(f *os.File, wanted []string) error {
	info, err := f.Stat()
	if err != nil {
		return err
	}
	blocks, header, err := newParquetBlocks(r.path, f, info.Size(), wanted)
	if err != nil {
		return err
	}
	r.header, r.blocks, r.size = header, blocks, blocks.size
	blocks.sum = digest(r.path, r.sum)
	r.close = func() error { blocks.sum.stop(); return f.Close() }
	return nil
}

// newParquetBlocks reads what stands at the end of a file, and finds the wanted
// columns; nil are all.
func newParquetBlocks(path string, in io.ReaderAt, size int64, wanted []string) (p *parquetBlocks, header []string, err error) {
	file, err := parquet.OpenFile(in, size, parquet.SkipBloomFilters(true), parquet.ReadBufferSize(1<<16))
	if err != nil {
		return nil, nil, fmt.Errorf("%s: not a complete Parquet file: %w; copy or export it again", path, err)
	}
	p = &parquetBlocks{path: path, groups: file.RowGroups(), total: size, row: 1, size: &countingReader{}}
	for i, c := range file.Root().Columns() {
		header = append(header, c.Name())
		switch {
		case wanted != nil && !slices.Contains(wanted, c.Name()):
		case !c.Leaf() || c.Repeated():
			return nil, nil, fmt.Errorf("%s: column %s is nested; only flat columns can be read", path, c.Name())
		default:
			p.columns = append(p.columns, newParquetColumn(i, c))
		}
	}
	p.width = len(header)
	return p, header, nil
}

// readBlock returns the next run of rows. It reads nothing of them.
func (p *parquetBlocks) readBlock() (*Block, error) {
	for p.group < len(p.groups) && p.from == p.groups[p.group].NumRows() {
		p.group, p.from = p.group+1, 0
	}
	if p.group == len(p.groups) {
		p.size.n.Store(p.total)
		if err := p.sum.wait(); err != nil {
			return nil, err
		}
		return nil, io.EOF
	}
	rows := p.groups[p.group]
	n := min(p.limit(rows), rows.NumRows()-p.from)
	run := &parquetRun{blocks: p, group: rows, from: p.from, rows: int(n)}
	b := &Block{File: p.path, FirstLine: p.row, isRow: true, rows: int(n), run: run}
	p.from += n
	p.row += int(n)
	p.size.n.Store(int64(float64(p.total) * float64(p.group) / float64(len(p.groups))))
	return b, nil
}

// limit returns how many rows of a group may be one block.
func (p *parquetBlocks) limit(group parquet.RowGroup) int64 {
	chunks := group.ColumnChunks()
	for _, c := range p.columns {
		if index, err := chunks[c.leaf].OffsetIndex(); err != nil || index == nil {
			return unindexedRows
		}
	}
	return indexedRows
}

// parquetRun is the rows of a block.
type parquetRun struct {
	blocks *parquetBlocks
	group  parquet.RowGroup
	from   int64 // in the group
	rows   int
}

// cursor returns the records of the run, before the first.
func (p *parquetRun) cursor() (*parquetCursor, error) {
	c := &parquetCursor{left: p.rows, cells: make([]columnCursor, len(p.blocks.columns)), at: make([]int, p.blocks.width)}
	for i := range c.at {
		c.at[i] = -1
	}
	chunks := p.group.ColumnChunks()
	for i, column := range p.blocks.columns {
		pages := chunks[column.leaf].Pages()
		c.cells[i] = columnCursor{column: column, pages: pages}
		c.at[column.place] = i
		if p.from == 0 {
			continue
		}
		if err := pages.SeekToRow(p.from); err != nil {
			c.close()
			return nil, err
		}
	}
	return c, nil
}

// parquetCursor goes through the rows of a run.
type parquetCursor struct {
	cells []columnCursor
	at    []int // place in cells by column of the file, -1 for columns not wanted
	left  int   // rows not yet gone to
	text  []byte
}

// next moves to the next row; it returns io.EOF after the last.
func (c *parquetCursor) next() error {
	c.text = c.text[:0]
	if c.left == 0 {
		c.close()
		return io.EOF
	}
	c.left--
	for i := range c.cells {
		if err := c.cells[i].next(); err != nil {
			c.close()
			return err
		}
	}
	return nil
}

func (c *parquetCursor) close() {
	for i := range c.cells {
		c.cells[i].close()
	}
	c.cells, c.at = nil, nil
}

// field returns a cell as the text that the CSV contract has for it.
func (c *parquetCursor) field(i int) []byte {
	if i < 0 || i >= len(c.at) || c.at[i] < 0 {
		return nil
	}
	cell := &c.cells[c.at[i]]
	if cell.null {
		return nil
	}
	if data, ok := cell.bytes(); ok {
		return data
	}
	from := len(c.text)
	c.text = cell.render(c.text)
	return c.text[from:len(c.text):len(c.text)]
}

// double returns a cell that the file has as a double.
func (c *parquetCursor) double(i int) (v float64, ok bool) {
	if i < 0 || i >= len(c.at) || c.at[i] < 0 {
		return 0, false
	}
	cell := &c.cells[c.at[i]]
	if cell.null || cell.doubles == nil {
		return 0, false
	}
	v = cell.doubles[cell.value]
	return v, v == v // NaN stands for null
}

// integer returns a cell that the file has as an integer, if it is positive and
// of at most 18 digits: as text it has one form only.
func (c *parquetCursor) integer(i int) (n uint64, ok bool) {
	if i < 0 || i >= len(c.at) || c.at[i] < 0 {
		return 0, false
	}
	cell := &c.cells[c.at[i]]
	if cell.null || cell.int64s == nil || !cell.column.plain {
		return 0, false
	}
	v := cell.int64s[cell.value]
	return uint64(v), v > 0 && v < 1e18
}

// line returns the row as a line of CSV, as Batch would write it.
func (c *parquetCursor) line() []byte {
	b := &Batch{columns: len(c.at)}
	for i := range c.at {
		b.Text(string(c.field(i)))
	}
	return b.text[:len(b.text)-1]
}
