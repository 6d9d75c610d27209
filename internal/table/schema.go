// Package table reads and writes the tables that stages exchange, as CSV or
// Parquet, in bounded memory: a table is a stream of batches (writing) or of
// blocks of text records (reading), and both can be worked on in parallel
// while their order is kept.
package table

import (
	"fmt"
	"strings"
)

// Kind is the type of a column.
type Kind uint8

// The kinds of columns. A Float is null where it is NaN.
const (
	Text Kind = iota
	Int
	Float
	Date // days since 1970-01-01
)

// Column is one named column of a table.
type Column struct {
	Name string
	Kind Kind
}

// Schema lists the columns of a table in order.
type Schema []Column

// Format is a file format, and at once the file name extension without a dot.
type Format string

// The formats that tables are written in.
const (
	CSV     Format = "csv"
	Parquet Format = "parquet"
)

// ParseFormat returns the format of that name.
func ParseFormat(name string) (Format, error) {
	switch f := Format(name); f {
	case CSV, Parquet:
		return f, nil
	}
	return "", fmt.Errorf("format %q is unknown; use csv or parquet", name)
}

// isParquet reports whether the file at path is read as Parquet.
func isParquet(path string) bool { return strings.HasSuffix(path, "."+string(Parquet)) }
