package table

import (
	"fmt"
	"io"
	"reflect"
	"strconv"
	"sync"

	"github.com/parquet-go/parquet-go"

	"churn/internal/atomicfile"
)

// Writer writes one table. The file is at its path only after Commit.
type Writer struct {
	schema Schema
	format Format
	file   *atomicfile.File
	pq     *parquet.GenericWriter[any]
	rows   int64
	free   []parquet.Row
	pool   sync.Pool // of *Batch, appended and empty again
}

// Info describes a committed table.
type Info struct {
	atomicfile.Info
	Rows int64
}

// Create starts a table at path.
func Create(path string, format Format, schema Schema) (*Writer, error) {
	f, err := atomicfile.Create(path)
	if err != nil {
		return nil, err
	}
	w := &Writer{schema: schema, format: format, file: f}
	if format == Parquet {
		w.pq = parquet.NewGenericWriter[any](f, parquetSchema(schema), parquet.Compression(&parquet.Zstd),
			parquet.MaxRowsPerRowGroup(1<<17), parquet.CreatedBy("churn", "", ""))
		return w, nil
	}
	header := &Batch{columns: len(schema)}
	for _, c := range schema {
		header.Text(c.Name)
	}
	header.EndRow()
	if _, err := f.Write(header.text); err != nil {
		f.Abort()
		return nil, err
	}
	return w, nil
}

// parquetSchema builds the schema by way of a struct type, the one way to keep
// the order of columns: parquet.Group sorts them by name.
func parquetSchema(schema Schema) *parquet.Schema {
	fields := make([]reflect.StructField, len(schema))
	for i, c := range schema {
		t, option := reflect.TypeFor[string](), ""
		switch c.Kind {
		case Int:
			t = reflect.TypeFor[int64]()
		case Float:
			t, option = reflect.TypeFor[float64](), ",optional"
		case Date:
			t, option = reflect.TypeFor[int32](), ",date"
		}
		tag := reflect.StructTag(fmt.Sprintf(`parquet:"%s%s"`, c.Name, option))
		fields[i] = reflect.StructField{Name: "C" + strconv.Itoa(i), Type: t, Tag: tag}
	}
	return parquet.SchemaOf(reflect.New(reflect.StructOf(fields)).Interface())
}

// NewBatch returns an empty batch for this table. It can be called by any
// goroutine.
func (w *Writer) NewBatch() *Batch {
	if b, ok := w.pool.Get().(*Batch); ok {
		return b
	}
	return &Batch{columns: len(w.schema), typed: w.format == Parquet}
}

// Append appends the rows of a batch, which must not be used afterwards: its
// memory goes to the next NewBatch.
func (w *Writer) Append(b *Batch) error {
	w.rows += int64(b.rows)
	defer w.recycle(b)
	if w.format == CSV {
		_, err := w.file.Write(b.text)
		return err
	}
	rows := w.free[:0]
	for i := range b.rows {
		rows = append(rows, b.values[i*b.columns:(i+1)*b.columns])
	}
	w.free = rows
	_, err := w.pq.WriteRows(rows)
	return err
}

// CopyRows appends rows that copy writes as CSV. It panics for Parquet.
func (w *Writer) CopyRows(rows int64, copy func(io.Writer) error) error {
	if w.format != CSV {
		panic("table: CSV copied into a Parquet file")
	}
	w.rows += rows
	return copy(w.file)
}

// Rows returns the number of rows appended so far.
func (w *Writer) Rows() int64 { return w.rows }

func (w *Writer) recycle(b *Batch) {
	b.text, b.values, b.rows, b.cell = b.text[:0], b.values[:0], 0, 0
	w.pool.Put(b)
}

// Commit completes the table and puts it at its path.
func (w *Writer) Commit() (Info, error) {
	if w.pq != nil {
		if err := w.pq.Close(); err != nil {
			w.Abort()
			return Info{}, err
		}
	}
	info, err := w.file.Commit()
	return Info{Info: info, Rows: w.rows}, err
}

// Abort drops the table. It is harmless after Commit.
func (w *Writer) Abort() { w.file.Abort() }
