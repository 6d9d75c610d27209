package table

import (
	"encoding/csv"
	"errors"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"churn/pipeline"
)

// readAll reads every record through the block path.
func readAll(t *testing.T, path string) (header []string, rows [][]string, lines []int, notes Notes) {
	t.Helper()
	r, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	for {
		b, err := r.ReadBlock()
		if errors.Is(err, io.EOF) {
			return r.Header(), rows, lines, r.Notes()
		}
		if err != nil {
			t.Fatal(err)
		}
		rec := b.Scan()
		for rec.Next() {
			rows = append(rows, rec.Strings())
			lines = append(lines, rec.Number())
		}
		if rec.Err() != nil {
			t.Fatal(rec.Err())
		}
	}
}

func write(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

// The law: on well-formed input the block reader equals encoding/csv, its
// slow and readable twin, whatever the size of the input against the block.
func TestReaderEqualsEncodingCSV(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	cells := []string{"", "a", "3.25", "x y", `say "hi"`, "a,b", "two\nlines", "é漢", strings.Repeat("long ", 50)}
	for _, n := range []int{0, 1, 2, 100, 30_000} {
		var b strings.Builder
		w := csv.NewWriter(&b)
		w.Write([]string{"one", "two", "three"})
		for range n {
			w.Write([]string{cells[rng.IntN(len(cells))], cells[rng.IntN(len(cells))], "z" + cells[rng.IntN(len(cells))]})
		}
		w.Flush()
		want, err := csv.NewReader(strings.NewReader(b.String())).ReadAll()
		if err != nil {
			t.Fatal(err)
		}
		header, rows, _, _ := readAll(t, write(t, "x.csv", b.String()))
		if diff := cmp.Diff(want, append([][]string{header}, rows...)); diff != "" {
			t.Fatalf("%d rows: (-encoding/csv +table)\n%.2000s", n, diff)
		}
	}
}

func TestReaderNotesForm(t *testing.T) {
	_, rows, lines, notes := readAll(t, write(t, "x.csv", "\xef\xbb\xbfa,b\r\n1,2\r\n\n3,4\n5,6"))
	if diff := cmp.Diff([][]string{{"1", "2"}, {"3", "4"}, {"5", "6"}}, rows); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]int{2, 4, 5}, lines); diff != "" {
		t.Error("line numbers", diff)
	}
	if want := (Notes{BOM: true, CRLF: 2, LF: 2, NoFinalNewline: true}); notes != want {
		t.Errorf("notes %+v, want %+v", notes, want)
	}
}

func TestOpenQuoteIsNamed(t *testing.T) {
	r, err := Open(write(t, "x.csv", "a,b\n1,\"never closed\n"+strings.Repeat("1,2\n", 3<<20)))
	if err != nil {
		t.Fatal(err)
	}
	for err == nil {
		_, err = r.ReadBlock()
	}
	if err == io.EOF || !strings.Contains(err.Error(), "line 2: a record longer than 4 MiB; a quote") {
		t.Errorf("got %v", err)
	}
}

// The law: both formats give back what was written, bit for bit, and a row
// count and digest that agree with the file.
func TestWriterRoundTrip(t *testing.T) {
	schema := Schema{{"id", Text}, {"day", Date}, {"n", Int}, {"x", Float}}
	values := []float64{0, 1, -1, 0.1, math.NaN(), 1e-300, 1e300, math.MaxFloat64, 93.77382106507338, -0.5, math.Copysign(0, -1)}
	for _, format := range []Format{CSV, Parquet} {
		path := filepath.Join(t.TempDir(), "t."+string(format))
		w, err := Create(path, format, schema)
		if err != nil {
			t.Fatal(err)
		}
		b := w.NewBatch()
		for i, v := range values {
			b.Text(`u,"` + strconv.Itoa(i))
			b.Date(pipeline.Date(i * 1000))
			b.Int(int64(i))
			b.Float(v)
			b.EndRow()
		}
		if err := w.Append(b); err != nil {
			t.Fatal(err)
		}
		info, err := w.Commit()
		if err != nil || info.Rows != int64(len(values)) {
			t.Fatalf("%s: %+v %v", format, info, err)
		}
		_, rows, _, _ := readAll(t, path)
		for i, row := range rows {
			x, err := ParseFloat([]byte(row[3]))
			if row[3] == "" {
				x, err = math.NaN(), nil
			}
			same := math.Float64bits(x) == math.Float64bits(values[i]) || math.IsNaN(x) && math.IsNaN(values[i])
			if err != nil || !same || row[0] != `u,"`+strconv.Itoa(i) || row[1] != pipeline.Date(i*1000).String() {
				t.Errorf("%s row %d: %q (%v), want %v", format, i, row, err, values[i])
			}
		}
		if len(rows) != len(values) {
			t.Errorf("%s: %d rows, want %d", format, len(rows), len(values))
		}
	}
}

// The fast path of ParseFloat equals strconv, its twin.
func FuzzParseFloat(f *testing.F) {
	for _, s := range []string{"0", "-0", "1.5", "123456789012345", "39.22227871042617", "1e3", "", ".", "-", "1.", ".5", "NaN", "0x1p3", "1_000", "+2"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got, err := ParseFloat([]byte(s))
		want, wantErr := strconv.ParseFloat(s, 64)
		if err != nil {
			return // stricter than strconv: hexadecimal, NaN, Inf, underscores
		}
		if wantErr != nil || math.Float64bits(got) != math.Float64bits(want) {
			t.Errorf("ParseFloat(%q) = %v, strconv %v %v", s, got, want, wantErr)
		}
	})
}

// Any bytes: the reader ends without a panic and loses no line silently.
func FuzzReader(f *testing.F) {
	f.Add("a,b\n1,2\n")
	f.Add("a\n\"x\ny\"\n\"open")
	f.Add("\xef\xbb\xbf\"h\r\n\"\r\nq")
	f.Fuzz(func(t *testing.T, s string) {
		path := filepath.Join(t.TempDir(), "x.csv")
		if err := os.WriteFile(path, []byte(s), 0o600); err != nil {
			t.Fatal(err)
		}
		r, err := Open(path)
		if err != nil {
			return
		}
		defer r.Close()
		for {
			b, err := r.ReadBlock()
			if err != nil {
				return
			}
			for rec := b.Scan(); rec.Next(); {
				if rec.Len() == 0 && rec.Bad() == nil && len(rec.Line()) > 0 {
					t.Fatalf("a record without fields: %q", rec.Line())
				}
			}
		}
	})
}
