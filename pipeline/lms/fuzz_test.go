package lms

import (
	"bytes"
	"math"
	"os"
	"path/filepath"
	"testing"

	"churn/internal/table"
)

// fuzzLines adds the lines of a golden input.
func fuzzLines(f *testing.F, path string) {
	f.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		f.Fatal(err)
	}
	for line := range bytes.SplitSeq(data, []byte{'\n'}) {
		f.Add(line)
	}
}

// decoded checks what a decoder made of one line: every record is counted once,
// and its facts can be put aside and become rows.
func decoded(t *testing.T, d lineDecoder, line []byte) {
	s := newSink(1, nil)
	s.at("f", "line", 1)
	d.line(line, s)
	checkSink(t, s)
}

func checkSink(t *testing.T, s *sink) {
	t.Helper()
	var r Report
	s.tally.report(&r)
	if sum := r.TakenTotal() + Total(r.Dropped) + Total(r.Unknown) + r.Faults; sum != r.Records {
		t.Errorf("%d records, %d accounted for", r.Records, sum)
	}
	facts, ok := readFacts([][]byte{s.facts[0]})
	if !ok || int64(len(facts)) != r.TakenTotal() {
		t.Fatalf("%d facts of %d taken", len(facts), r.TakenTotal())
	}
	for i := range facts {
		facts[i].user = "u"
	}
	for _, row := range rules().rowsOf(facts, &counts{}) {
		if row.known < row.at || row.id == "" || row.kind == quiz && !(row.value >= 0 && row.value <= 100 || math.IsNaN(row.value)) || row.event == "video_watch" && row.value < 0 {
			t.Errorf("row %+v", row)
		}
	}
}

func FuzzOpenEdX(f *testing.F) {
	fuzzLines(f, "testdata/openedx/in/tracking.log")
	d := newOpenEdX(&job{})
	f.Fuzz(func(t *testing.T, line []byte) { decoded(t, d, line) })
}

func FuzzXAPI(f *testing.F) {
	fuzzLines(f, "testdata/xapi/in/statements.jsonl")
	d := newXAPI(&job{})
	f.Fuzz(func(t *testing.T, line []byte) { decoded(t, d, line) })
}

func FuzzCaliper(f *testing.F) {
	fuzzLines(f, "testdata/caliper/in/events.json")
	d := newCaliper(&job{})
	f.Fuzz(func(t *testing.T, line []byte) { decoded(t, d, line) })
}

// FuzzMoodle reads rows of each table.
func FuzzMoodle(f *testing.F) {
	names := []string{logTable, attemptsTable, completionsTable, paymentsTable}
	headers := map[string][]byte{}
	for i, name := range names {
		data, err := os.ReadFile(filepath.Join("testdata/moodle/in", "mdl_"+name+".csv"))
		if err != nil {
			f.Fatal(err)
		}
		header, rows, _ := bytes.Cut(data, []byte{'\n'})
		headers[name] = header
		for row := range bytes.SplitSeq(rows, []byte{'\n'}) {
			f.Add(byte(i), row)
		}
	}
	m := newMoodle(&job{params: Defaults()})
	m.most["5"] = 20
	decoders := map[string]func(*columns, *sink){logTable: m.logRow, attemptsTable: m.attemptRow, completionsTable: m.completionRow, paymentsTable: m.paymentRow}
	f.Fuzz(func(t *testing.T, which byte, row []byte) {
		name := names[int(which)%len(names)]
		path := filepath.Join(t.TempDir(), "t.csv")
		if err := os.WriteFile(path, append(append(bytes.Clone(headers[name]), '\n'), row...), 0o600); err != nil {
			t.Fatal(err)
		}
		r, err := table.Open(path)
		if err != nil {
			return
		}
		defer r.Close()
		c, s := columnsOf(r), newSink(1, nil)
		_ = r.Each(func(rec *table.Record) error { // a file that cannot be read ends early
			c.rec = rec
			s.at(path, "line", rec.Number())
			decoders[name](c, s)
			return nil
		})
		checkSink(t, s)
	})
}

func FuzzSegments(f *testing.F) {
	for _, s := range []string{"", "0[.]12.5[,]20[.]30", "30[.]20", "a[.]b", "[,]", "1[.]2[,]"} {
		f.Add(s, 100.0)
	}
	f.Fuzz(func(t *testing.T, s string, length float64) {
		all, ok := parseSegments(s, length)
		if !ok {
			return
		}
		if _, total := union(all); total < 0 || length > 0 && total > length || math.IsNaN(total) {
			t.Errorf("parseSegments(%q, %v): %v seconds", s, length, total)
		}
	})
}

func FuzzSpan(f *testing.F) {
	for _, s := range []string{"PT1H2M3.5S", "P1DT1S", "P", "PT1S2M", "P2W"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if v := parseSpan(s); v < 0 || math.IsInf(v, 0) {
			t.Errorf("parseSpan(%q) = %v", s, v)
		}
	})
}
