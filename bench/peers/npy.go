package main

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"os"
	"strconv"
	"strings"
)

// Version 1.0 of NumPy's .npy format (numpy.lib.format): a magic string, the
// version, the length of the header, the header as a Python literal padded with
// blanks so that the data is aligned to 64 bytes, and the raw data.
const (
	npyMagic = "\x93NUMPY\x01\x00"
	npyAlign = 64
	npyOrder = "{'descr': '<f8', 'fortran_order': False, 'shape': "
)

// npyHeader returns everything before the data of a float64 array of the given
// shape, in row-major order.
func npyHeader(shape ...int) []byte {
	dims := make([]string, len(shape))
	for i, n := range shape {
		dims[i] = strconv.Itoa(n)
	}
	tuple := strings.Join(dims, ", ")
	if len(shape) == 1 {
		tuple += "," // a tuple of one
	}
	header := npyOrder + "(" + tuple + "), }"
	before := len(npyMagic) + 2
	padding := npyAlign - 1 - (before+len(header))%npyAlign
	header += strings.Repeat(" ", padding) + "\n"
	out := binary.LittleEndian.AppendUint16([]byte(npyMagic), uint16(len(header)))
	return append(out, header...)
}

// writeNpy writes rows × cols float64 values row by row as fill gives them;
// cols 0 means an array of one dimension, one value a row.
func writeNpy(path string, rows, cols int, fill func(i int, row []float64)) (err error) {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	defer func() {
		if closeErr := f.Close(); err == nil {
			err = closeErr
		}
	}()
	shape := []int{rows}
	if cols > 0 {
		shape = append(shape, cols)
	}
	w := bufio.NewWriterSize(f, 1<<20)
	w.Write(npyHeader(shape...)) //nolint:errcheck // bufio keeps the error for Flush
	row := make([]float64, max(cols, 1))
	data := make([]byte, 0, 8*len(row))
	for i := range rows {
		fill(i, row)
		data = data[:0]
		for _, v := range row {
			data = binary.LittleEndian.AppendUint64(data, math.Float64bits(v))
		}
		w.Write(data) //nolint:errcheck // likewise
	}
	return w.Flush()
}

// readNpy reads an array of n float64 values and of one dimension.
func readNpy(path string, n int) ([]float64, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	want := npyHeader(n)
	r := bufio.NewReaderSize(f, 1<<20)
	got := make([]byte, len(want))
	if _, err := io.ReadFull(r, got); err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	if !bytes.Equal(bytes.TrimRight(got, " \n"), bytes.TrimRight(want, " \n")) {
		return nil, fmt.Errorf("read %s: header %q, want %q", path, got, want)
	}
	out := make([]float64, n)
	return out, binary.Read(r, binary.LittleEndian, out)
}
