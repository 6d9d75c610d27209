package table

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"math/big"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/parquet-go/parquet-go"
)

// wide is a row with every kind of column that is read.
type wide struct {
	ID       int64    `parquet:"id"`
	Name     string   `parquet:"name,dict"`
	Text     *string  `parquet:"text,optional"`
	Word     *string  `parquet:"word,optional,dict"`
	Small    int32    `parquet:"small"`
	Count    *int64   `parquet:"count,optional,dict"`
	Share    *float64 `parquet:"share,optional"`
	Rate     float64  `parquet:"rate,dict"`
	Single   float32  `parquet:"single"`
	Flag     *bool    `parquet:"flag,optional"`
	Day      int32    `parquet:"day,date"`
	Milli    int64    `parquet:"milli,timestamp(millisecond:utc)"`
	Micro    int64    `parquet:"micro,timestamp(microsecond:local)"`
	Nano     *int64   `parquet:"nano,optional,timestamp(nanosecond:local)"`
	Price    int32    `parquet:"price,decimal(2:9)"`
	Tax      *int64   `parquet:"tax,optional,decimal(4:18)"`
	Exchange [5]byte  `parquet:"exchange,decimal(3:11)"`
}

func randomWide(rng *rand.Rand, i int) wide {
	text, word := strings.Repeat("é,\"\n", rng.IntN(3)), "w"+strconv.Itoa(rng.IntN(5))
	n, share, flag := rng.Int64N(9)-4, rng.NormFloat64(), rng.IntN(2) == 0
	if rng.IntN(20) == 0 {
		share = math.NaN()
	}
	when := rng.Int64N(4e18) - 2e18
	w := wide{ID: int64(i), Name: word, Small: int32(rng.Uint32()), Rate: float64(rng.IntN(9)) / 8, Single: rng.Float32(), Day: rng.Int32N(40000) - 20000,
		Milli: when / 1e6, Micro: when / 1e9 * 1e6, Price: int32(rng.IntN(2000) - 1000)}
	for j := range w.Exchange {
		w.Exchange[j] = byte(rng.Uint32())
	}
	if rng.IntN(3) > 0 {
		w.Text, w.Word, w.Count = &text, &word, &n
	}
	if rng.IntN(3) > 0 {
		w.Share, w.Flag, w.Nano, w.Tax = &share, &flag, &when, &n
	}
	return w
}

// writeWide writes rows with small pages, so that pages of different columns
// end at different rows.
func writeWide(t testing.TB, rows []wide, options ...parquet.WriterOption) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "wide.parquet")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	w := parquet.NewGenericWriter[wide](f, options...)
	if _, err := w.Write(rows); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(w.Close(), f.Close()); err != nil {
		t.Fatal(err)
	}
	return path
}

// naiveRows is the readable twin: whole rows, value by value.
func naiveRows(t *testing.T, path string) (out [][]string) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	file, err := parquet.OpenFile(bytes.NewReader(text), int64(len(text)))
	if err != nil {
		t.Fatal(err)
	}
	fields, rows := file.Schema().Fields(), parquet.MultiRowGroup(file.RowGroups()...).Rows()
	defer rows.Close()
	for {
		row := make([]parquet.Row, 1)
		n, err := rows.ReadRows(row)
		if n == 0 {
			if !errors.Is(err, io.EOF) {
				t.Fatal(err)
			}
			return out
		}
		var cells []string
		for i, v := range row[0] {
			cells = append(cells, naiveCell(fields[i].Name(), v))
		}
		out = append(out, cells)
	}
}

func naiveCell(name string, v parquet.Value) string {
	scaled := func(n *big.Int, scale int64) string {
		return new(big.Rat).SetFrac(n, new(big.Int).Exp(big.NewInt(10), big.NewInt(scale), nil)).FloatString(int(scale))
	}
	plain := "2006-01-02T15:04:05.999999999"
	switch {
	case v.IsNull() || v.Kind() == parquet.Double && math.IsNaN(v.Double()):
		return ""
	case name == "day":
		return time.Unix(int64(v.Int32())*86400, 0).UTC().Format("2006-01-02")
	case name == "milli":
		return time.UnixMilli(v.Int64()).UTC().Format(time.RFC3339Nano)
	case name == "micro":
		return time.UnixMicro(v.Int64()).UTC().Format(plain)
	case name == "nano":
		return time.Unix(0, v.Int64()).UTC().Format(plain)
	case name == "price":
		return scaled(big.NewInt(int64(v.Int32())), 2)
	case name == "tax":
		return scaled(big.NewInt(v.Int64()), 4)
	case name == "exchange":
		n := int64(0)
		for _, b := range v.ByteArray() {
			n = n<<8 | int64(b)
		}
		return scaled(big.NewInt(n<<24>>24), 3) // five bytes, with their sign
	case v.Kind() == parquet.Boolean && v.Boolean():
		return "1"
	case v.Kind() == parquet.Boolean:
		return "0"
	case v.Kind() == parquet.Float:
		return strconv.FormatFloat(float64(v.Float()), 'g', -1, 32)
	case v.Kind() == parquet.Double:
		return string(AppendFloat(nil, v.Double()))
	}
	return v.String()
}

// The law: cells read column by column are those read row by row, whatever the
// pages, row groups and encodings, with an index of pages and without.
func TestParquetColumnsEqualRows(t *testing.T) {
	for i, options := range [][]parquet.WriterOption{
		{parquet.PageBufferSize(1 << 9), parquet.MaxRowsPerRowGroup(700)},
		{parquet.PageBufferSize(1 << 8), parquet.DataPageVersion(1), parquet.Compression(&parquet.Snappy)},
		{parquet.Compression(&parquet.Zstd), parquet.MaxRowsPerRowGroup(20)},
	} {
		rng := rand.New(rand.NewPCG(3, uint64(i)))
		var rows []wide
		for i := range 1000 {
			rows = append(rows, randomWide(rng, i))
		}
		path := writeWide(t, rows, options...)
		want := naiveRows(t, path)
		_, got, numbers, _ := readAll(t, path)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("options %d: (-rows +columns)\n%.2000s", i, diff)
		}
		if len(numbers) != len(rows) || numbers[999] != 1000 {
			t.Errorf("options %d: rows are numbered up to %d", i, numbers[len(numbers)-1])
		}
		for _, from := range []int64{0, 1, 499, 699} {
			testRun(t, path, want, from)
		}
	}
}

// testRun reads a part of the first row group.
func testRun(t *testing.T, path string, want [][]string, from int64) {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	info, _ := f.Stat()
	blocks, _, err := newParquetBlocks(path, f, info.Size(), nil)
	if err != nil {
		t.Fatal(err)
	}
	n := min(blocks.groups[0].NumRows()-from, 50)
	if n <= 0 {
		return
	}
	b := &Block{File: path, FirstLine: int(from) + 1, isRow: true, run: &parquetRun{blocks, blocks.groups[0], from, int(n)}}
	row := from
	for r := b.Scan(); r.Next(); row++ {
		if diff := cmp.Diff(want[row], r.Strings()); diff != "" {
			t.Fatalf("row %d of a run from %d: %s", row, from, diff)
		}
	}
	if row != from+n {
		t.Errorf("a run of %d rows from %d ended at %d", n, from, row)
	}
}

// countedReader counts the bytes that are asked of a file.
type countedReader struct {
	*bytes.Reader
	n int64
}

func (c *countedReader) ReadAt(b []byte, at int64) (int, error) {
	n, err := c.Reader.ReadAt(b, at)
	c.n += int64(n)
	return n, err
}

// The law: columns that nobody wants cost next to nothing, though they be most
// of the file, and of kinds that cannot be read.
func TestUnwantedColumnsAreNotRead(t *testing.T) {
	narrow := parquet.Group{"id": parquet.Leaf(parquet.Int64Type), "share": parquet.Optional(parquet.Leaf(parquet.DoubleType))}
	broad := parquet.Group{"id": narrow["id"], "share": narrow["share"], "tags": parquet.Repeated(parquet.String())}
	for i := range 40 {
		broad[fmt.Sprintf("wide_%02d", i)] = parquet.String()
	}
	read := func(schema parquet.Group) (sum, size int64, rows int) {
		var out bytes.Buffer
		w := parquet.NewGenericWriter[map[string]any](&out, parquet.NewSchema("t", schema))
		for i := range 5000 {
			row := map[string]any{"id": int64(i), "share": float64(i+1) / 7} // a zero in a map would be null
			for name := range schema {
				if strings.HasPrefix(name, "wide") {
					row[name] = strings.Repeat("x", 50) + strconv.Itoa(i*i) + name
				}
			}
			if _, err := w.Write([]map[string]any{row}); err != nil {
				t.Fatal(err)
			}
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		in := &countedReader{Reader: bytes.NewReader(out.Bytes())}
		p, _, err := newParquetBlocks("t.parquet", in, int64(out.Len()), []string{"id", "share"})
		if err != nil {
			t.Fatal(err)
		}
		for b, err := p.readBlock(); err == nil; b, err = p.readBlock() {
			for r := b.Scan(); r.Next(); rows++ {
				if _, ok := r.Double(slicesIndex(p, "share")); !ok {
					t.Fatal("a number is missing")
				}
			}
		}
		return in.n, int64(out.Len()), rows
	}
	little, _, rows := read(narrow)
	much, size, again := read(broad)
	if rows != 5000 || again != 5000 {
		t.Fatalf("%d and %d rows", rows, again)
	}
	// What is left is the footer, which names all columns.
	if size < 50*little || much > little+size/100 {
		t.Errorf("%d bytes read of %d; without the wide columns %d", much, size, little)
	}
}

// slicesIndex returns where a wanted column stands in the header.
func slicesIndex(p *parquetBlocks, name string) int {
	for _, c := range p.columns {
		if c.name == name {
			return c.place
		}
	}
	return -1
}

// A file that is damaged in the middle is an error that names it, never a short
// table.
func TestDamagedParquet(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 9))
	var rows []wide
	for i := range 500 {
		rows = append(rows, randomWide(rng, i))
	}
	path := writeWide(t, rows, parquet.PageBufferSize(1<<10))
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for i := 4; i < 600; i++ {
		text[i] ^= 0xff
	}
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	r, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if err := r.Each(func(*Record) error { return nil }); err == nil || !strings.Contains(err.Error(), "wide.parquet: after row") {
		t.Errorf("got %v", err)
	}
}
