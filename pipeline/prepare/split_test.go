package prepare_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/klauspost/compress/zstd"

	"churn/internal/table"
	"churn/pipeline"
	"churn/pipeline/prepare"
	"churn/pipeline/source"
	"churn/pipeline/validate"
)

// randomEvents returns rows in the order of EventColumns, with an extra column:
// some that break each check, and some ids that stand twice.
func randomEvents(rng *rand.Rand, n int) (rows [][]string) {
	kinds := append(pipeline.EventTypes(), "dance")
	start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	for i := range n {
		at := start.Add(time.Duration(i/30) * time.Hour) // several of a second: they are in the order of the files
		known := ""
		if rng.IntN(9) == 0 {
			known = at.Add(time.Duration(rng.IntN(90)) * time.Hour).Format(time.RFC3339)
		}
		row := []string{fmt.Sprint(i + 1), fmt.Sprint(rng.IntN(130) + 1), at.Format("2006-01-02T15:04:05"), kinds[rng.IntN(len(kinds))], fmt.Sprintf("c%d", rng.IntN(7)),
			"", "", "", known, strings.Repeat("extra, ", rng.IntN(2))}
		switch row[3] {
		case pipeline.VideoWatch:
			row[5] = fmt.Sprint(float64(rng.IntN(9000)-200) / 64)
		case pipeline.QuizAttempt:
			row[6] = fmt.Sprint(rng.IntN(104))
		case pipeline.PaymentSuccess, pipeline.PaymentFailed:
			row[7] = fmt.Sprint(rng.IntN(30))
		}
		rows = append(rows, row)
		if rng.IntN(30) == 0 { // the same id again, known later
			again := slices.Clone(row)
			again[4], again[8] = "c9", at.AddDate(0, 0, 9).Format(time.RFC3339)
			rows = append(rows, again)
		}
		if rng.IntN(30) == 0 { // the same under another id
			again := slices.Clone(row)
			again[0] = fmt.Sprint(n + i + 1)
			rows = append(rows, again)
		}
	}
	return rows
}

// eventColumns are those of the rows; numbers have kinds of their own in Parquet
// where all of them are numbers.
func eventColumns() table.Schema {
	var s table.Schema
	for _, name := range append(validate.EventColumns(), "note") {
		kind := table.Text
		switch name {
		case "event_id", "user_id":
			kind = table.Int
		case "watch_minutes", "quiz_score", "amount":
			kind = table.Float
		}
		s = append(s, table.Column{Name: name, Kind: kind})
	}
	return s
}

// writeTable writes rows in a format, by way of CSV.
func writeTable(t *testing.T, path string, schema table.Schema, rows [][]string) {
	t.Helper()
	format := table.CSV
	if strings.HasSuffix(path, ".parquet") {
		format = table.Parquet
	}
	plain := table.NewBatch(textOnly(schema))
	for _, row := range rows {
		for _, cell := range row {
			plain.Text(cell)
		}
		plain.EndRow()
	}
	head := strings.Join(names(schema), ",") + "\n"
	if format == table.CSV {
		pack(t, path, append([]byte(head), plain.Bytes()...))
		return
	}
	from := filepath.Join(t.TempDir(), "rows.csv")
	pack(t, from, append([]byte(head), plain.Bytes()...))
	w, err := table.Create(path, format, schema)
	if err != nil {
		t.Fatal(err)
	}
	r, err := table.Open(from)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	b := w.NewBatch()
	err = r.Each(func(rec *table.Record) error {
		err := b.Copy(rec, schema)
		b.EndRow()
		return err
	})
	if err := errors.Join(err, w.Append(b)); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Commit(); err != nil {
		t.Fatal(err)
	}
}

func names(s table.Schema) (out []string) {
	for _, c := range s {
		out = append(out, c.Name)
	}
	return out
}

func textOnly(s table.Schema) table.Schema {
	out := slices.Clone(s)
	for i := range out {
		out[i].Kind = table.Text
	}
	return out
}

// pack writes text, compressed as the name of the file says.
func pack(t *testing.T, path string, text []byte) {
	t.Helper()
	var b bytes.Buffer
	var w io.WriteCloser
	switch filepath.Ext(path) {
	case ".gz":
		w = gzip.NewWriter(&b)
	case ".zst":
		w, _ = zstd.NewWriter(&b)
	default:
		b.Write(text)
	}
	if w != nil {
		w.Write(text)
		w.Close()
	}
	if err := os.WriteFile(path, b.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
}

// outcome is all that a run writes and reports.
type outcome struct {
	files  map[string]string
	report validate.Report
}

func prepared(t *testing.T, files source.Files, memory int64) outcome {
	t.Helper()
	dir, vocabulary := t.TempDir(), pipeline.NewVocabulary(pipeline.EventTypes(), pipeline.EventTypes()[:4])
	p := validate.Defaults(pipeline.EventTypes())
	p.MaxRejectRate = 1
	in := validate.Input{Files: files, Location: time.UTC, Vocabulary: vocabulary, Today: pipeline.DateFromCivil(2026, 12, 31),
		Quarantine: filepath.Join(dir, "quarantine.csv"), TempDir: t.TempDir(), Memory: memory, Stage: true, KeepText: true}
	data, err := validate.Run(context.Background(), in, p)
	if err != nil {
		t.Fatal(err)
	}
	at := func(name string) string { return filepath.Join(dir, name) }
	out := prepare.Outputs{Format: table.CSV, Timelines: at("timelines.bin"), UserDaily: at("user_daily.csv"), UsersClean: at("users_clean.csv"), EventsClean: at("events_clean.csv")}
	if _, err := prepare.Run(context.Background(), data, vocabulary, prepare.Header{}, prepare.Defaults(), out, nil); err != nil {
		t.Fatal(err)
	}
	o := outcome{map[string]string{}, data.Report}
	for _, path := range []string{in.Quarantine, out.Timelines, out.UserDaily, out.UsersClean, out.EventsClean} {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		o.files[filepath.Base(path)] = string(text)
	}
	return o
}

// split deals rows to files of the given formats; each keeps their order.
func split(t *testing.T, rng *rand.Rand, rows [][]string, formats []string) (paths []string) {
	t.Helper()
	dir, parts := t.TempDir(), make([][][]string, len(formats))
	for _, row := range rows {
		i := rng.IntN(len(formats))
		parts[i] = append(parts[i], row)
	}
	for i, format := range formats {
		path := filepath.Join(dir, fmt.Sprintf("events-%02d.%s", i, format))
		writeTable(t, path, eventColumns(), parts[i])
		paths = append(paths, path)
	}
	return paths
}

func someUsers(t *testing.T) []string {
	t.Helper()
	var b strings.Builder
	b.WriteString("user_id,signup_date,plan,is_paid,country,marketing_source\n")
	for u := range 120 {
		fmt.Fprintf(&b, "%d,2026-01-%02d,free,0,DE,ads\n", u+1, u%28+1)
	}
	path := filepath.Join(t.TempDir(), "users.csv")
	pack(t, path, []byte(b.String()))
	return []string{path}
}

// The law: however events are split over files, and in whatever formats, the
// same is written, and the same rows fail the same checks.
func TestAnySplitGivesTheSame(t *testing.T) {
	rng := rand.New(rand.NewPCG(8, 1))
	users, rows := someUsers(t), randomEvents(rng, 6000)
	want := prepared(t, source.Files{Users: users, Events: split(t, rng, rows, []string{"csv"})}, 1<<30)
	if rowChecks(want.report)["duplicate_rows"] < 100 || want.report.Events.Rejected < 300 || want.report.Events.Accepted < 3000 {
		t.Fatalf("%+v: the events test nothing", want.report.Events)
	}
	for _, formats := range [][]string{
		{"parquet"},
		{"csv", "csv.gz", "csv.zst", "parquet"},
		strings.Fields(strings.Repeat("parquet csv.gz csv ", 9)),
	} {
		for _, memory := range []int64{1 << 30, 1 << 10} { // in memory, and on disk
			got := prepared(t, source.Files{Users: users, Events: split(t, rng, rows, formats)}, memory)
			for _, name := range []string{"timelines.bin", "user_daily.csv", "users_clean.csv", "events_clean.csv"} {
				if !same(name, got.files[name], want.files[name]) {
					t.Errorf("%d files of %v: %s differs", len(formats), formats[:1], name)
				}
			}
			if diff := cmp.Diff(rowChecks(want.report), rowChecks(got.report)); diff != "" {
				t.Errorf("%d files: (-one file +several)\n%s", len(formats), diff)
			}
		}
	}
}

// same compares files; among events of one second the split decides the order.
func same(name, a, b string) bool {
	if name != "events_clean.csv" {
		return a == b
	}
	return slices.Equal(slices.Sorted(strings.SplitSeq(a, "\n")), slices.Sorted(strings.SplitSeq(b, "\n")))
}

// rowChecks returns how many rows failed each check.
func rowChecks(r validate.Report) map[string]int64 {
	out := map[string]int64{"accepted": r.Events.Accepted, "rejected": r.Events.Rejected}
	for _, c := range r.Checks {
		if c.Level == validate.RowLevel || c.Name == "duplicate_rows" {
			out[c.Name] = c.Failures
		}
	}
	return out
}

// The law: how many files are read at once changes no byte, not of the
// quarantine and the examples of the report either.
func TestWorkersChangeNothing(t *testing.T) {
	rng := rand.New(rand.NewPCG(8, 2))
	files := source.Files{Users: someUsers(t), Events: split(t, rng, randomEvents(rng, 6000), strings.Fields("csv csv.gz parquet csv.zst csv csv parquet"))}
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	want := prepared(t, files, 1<<30)
	for _, workers := range []int{2, 8} {
		runtime.GOMAXPROCS(workers)
		for _, memory := range []int64{1 << 30, 1 << 10} {
			got := prepared(t, files, memory)
			for name := range want.files {
				if got.files[name] != want.files[name] {
					t.Errorf("%d workers: %s differs", workers, name)
				}
			}
			if diff := cmp.Diff(want.report, got.report, cmp.AllowUnexported(validate.Check{})); diff != "" {
				t.Errorf("%d workers: %s", workers, diff)
			}
		}
	}
}
