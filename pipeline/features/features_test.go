package features

import (
	"bytes"
	"context"
	"encoding/csv"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"churn/internal/table"
	"churn/pipeline"
	"churn/pipeline/generate"
	"churn/pipeline/prepare"
	"churn/pipeline/source"
	"churn/pipeline/validate"
)

// prepared simulates a portal and returns the path of its timelines.
func prepared(t *testing.T, users, days int) string {
	t.Helper()
	ctx, dir := context.Background(), t.TempDir()
	p := generate.Defaults()
	p.Users, p.Days = users, days
	if _, err := generate.Run(ctx, p, dir, nil); err != nil {
		t.Fatal(err)
	}
	files, err := source.Find(source.Defaults(), dir)
	if err != nil {
		t.Fatal(err)
	}
	v := pipeline.NewVocabulary(pipeline.EventTypes(), []string{pipeline.Login, pipeline.CourseEnroll, pipeline.VideoWatch, pipeline.QuizAttempt, pipeline.SupportTicket})
	in := validate.Input{Files: files, Location: time.UTC, Vocabulary: v, Today: pipeline.DateFromCivil(2100, 1, 1), Quarantine: filepath.Join(dir, "quarantine.csv"), TempDir: dir, Memory: 1 << 30, Stage: true}
	data, err := validate.Run(ctx, in, validate.Defaults(pipeline.EventTypes()))
	if err != nil {
		t.Fatal(err)
	}
	out := prepare.Outputs{Format: table.CSV, Timelines: filepath.Join(dir, "timelines.bin"), UserDaily: filepath.Join(dir, "d.csv"), UsersClean: filepath.Join(dir, "u.csv")}
	if _, err := prepare.Run(ctx, data, v, prepare.Header{}, prepare.Defaults(), out, nil); err != nil {
		t.Fatal(err)
	}
	return out.Timelines
}

func open(t *testing.T, path string) *prepare.Timelines {
	t.Helper()
	f, err := prepare.OpenTimelines(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

// The law: batch features are those of one user at a time, byte for byte,
// whatever was computed before.
func TestBatchEqualsOneAtATime(t *testing.T) {
	path, ctx, p := prepared(t, 150, 100), context.Background(), Defaults()
	f := open(t, path)
	span := f.Header.Span
	out := filepath.Join(t.TempDir(), "features.csv")
	report, err := Run(ctx, f, span.Last, p, out, table.CSV, nil)
	if err != nil || report.Rows < 500 {
		t.Fatalf("%+v %v", report, err)
	}
	batch, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	var users []pipeline.Timeline
	_, err = prepare.Each(ctx, open(t, path), func(b []pipeline.Timeline) ([]pipeline.Timeline, error) { return b, nil },
		func(b []pipeline.Timeline) error { users = append(users, b...); return nil }, nil)
	if err != nil {
		t.Fatal(err)
	}
	rows, single := NewRower(p), make([][]byte, len(users))
	grid := span.Grid(span.Last, p.EveryDays)
	for _, i := range rand.New(rand.NewPCG(1, 1)).Perm(len(users)) {
		for _, d := range grid {
			single[i] = append(single[i], rows(&users[i], &span, []pipeline.Date{d})...)
		}
	}
	header, _, _ := strings.Cut(string(batch), "\n")
	if !bytes.Equal(batch, append([]byte(header+"\n"), bytes.Join(single, nil)...)) {
		t.Error("batch rows differ from rows computed one user and one date at a time")
	}
}

// The law: no feature leaves the range that its definition allows.
func TestWithinRange(t *testing.T) {
	path, p := prepared(t, 300, 150), Defaults()
	f, out := open(t, path), filepath.Join(t.TempDir(), "features.csv")
	if _, err := Run(context.Background(), f, f.Header.Span.Last, p, out, table.CSV, nil); err != nil {
		t.Fatal(err)
	}
	file, err := os.Open(out)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	rows, err := csv.NewReader(file).ReadAll()
	if err != nil || len(rows) < 1000 {
		t.Fatal(len(rows), err)
	}
	for _, x := range Catalog(p) {
		column := slices.Index(rows[0], x.Name)
		if x.Categorical() {
			continue
		}
		least, most := x.Range()
		for _, row := range rows[1:] {
			if v, err := strconv.ParseFloat(row[column], 64); row[column] != "" && (err != nil || v < least || v > most) {
				t.Fatalf("%s: %s, want a number from %v to %v (%v)", x.Name, row[column], least, most, err)
			}
		}
	}
}

// The law: our own features pass the search for leaks at any date, and it had
// something to change.
func TestProbeFindsNothing(t *testing.T) {
	path := prepared(t, 80, 100)
	for _, back := range []pipeline.Date{1, 30, 31, 75} {
		f := open(t, path)
		p := Defaults()
		report, err := Probe(context.Background(), f, f.Header.Span.Last-back, p.EveryDays, NewRower(p))
		if err != nil || report.Differing != 0 {
			t.Errorf("%d days before the end: %+v %v", back, report, err)
		}
		if report.Rows < 20 || report.Changed == 0 || report.Deleted == 0 || report.Added == 0 {
			t.Errorf("%d days before the end: a probe that proves nothing: %+v", back, report)
		}
	}
}

// The mutants: planted leaks, each of which the probe must find.
func TestProbeFindsPlantedLeaks(t *testing.T) {
	p := Defaults()
	honest := NewRower(p)
	leaks := map[string]Rower{
		"sees the day after": func(t *pipeline.Timeline, span *pipeline.Span, grid []pipeline.Date) []byte {
			next := slices.Clone(grid)
			for i := range next {
				next[i]++
			}
			return honest(t, span, next)
		},
		"takes late facts for known": func(t *pipeline.Timeline, span *pipeline.Span, grid []pipeline.Date) []byte {
			u := pipeline.Timeline{User: t.User, Days: slices.Clone(t.Merged())}
			for i := range u.Days {
				u.Days[i].Known = u.Days[i].Day
			}
			return honest(&u, span, grid)
		},
		"uses the last date of the data": func(t *pipeline.Timeline, span *pipeline.Span, grid []pipeline.Date) []byte {
			return append([]byte(span.Last.String()+","), honest(t, span, grid)...)
		},
		"uses a first date that was not known yet": func(t *pipeline.Timeline, span *pipeline.Span, grid []pipeline.Date) []byte {
			s := *span
			s.Starts = slices.Clone(span.Starts)
			for i := range s.Starts {
				s.Starts[i] = pipeline.Start{Known: pipeline.NoDate, First: span.Starts[len(span.Starts)-1].First}
			}
			return honest(t, &s, grid)
		},
		"reads the label": func(t *pipeline.Timeline, span *pipeline.Span, grid []pipeline.Date) []byte {
			var out []byte
			for _, d := range grid {
				_, future := t.Cut(d, span)
				out = append(append(out, byte('0'+min(future.ActiveDays(30), 9))), '\n')
			}
			return out
		},
		"counts all events of the user": func(t *pipeline.Timeline, span *pipeline.Span, grid []pipeline.Date) []byte {
			n := int32(0)
			for i := range t.Days {
				n += t.Days[i].Events
			}
			return append([]byte(string(rune('a'+n%26))+","), honest(t, span, grid)...)
		},
	}
	path := prepared(t, 40, 100)
	for name, leak := range leaks {
		f := open(t, path)
		report, err := Probe(context.Background(), f, f.Header.Span.Last-40, 7, leak)
		if err != nil || report.Differing == 0 || report.First == "" {
			t.Errorf("the leak %q was not found: %+v %v", name, report, err)
		}
	}
}

// The law: windows equal their definition, summed day by day.
func TestWindowsEqualDefinition(t *testing.T) {
	p := Defaults()
	index := NewIndex(Catalog(p))
	e, v := NewExtractor(p, index), index.NewVector()
	for seed := range uint64(200) {
		rng := rand.New(rand.NewPCG(seed, 1))
		const last = pipeline.Date(20000)
		u := pipeline.Timeline{User: pipeline.User{Signup: last - 200}}
		for d := last - 120; d <= last; d++ {
			if rng.IntN(3) == 0 {
				u.Days = append(u.Days, pipeline.DayFacts{Day: d, Known: d, Events: 1 + rng.Int32N(3), Active: rng.Int32N(2), Logins: rng.Int32N(3), Minutes: float64(rng.IntN(60))})
			}
		}
		asOf := last - pipeline.Date(rng.IntN(40))
		h, _ := u.Cut(asOf, &pipeline.Span{Starts: []pipeline.Start{{Known: last - 120, First: last - 120}}})
		e.Extract(&h, v)
		for _, w := range append(slices.Clone(p.WindowsDays), p.UsualDays) {
			var active, events, minutes float64
			for i := range u.Days {
				if d := &u.Days[i]; d.Day <= asOf && d.Day > asOf-pipeline.Date(w) {
					events, minutes = events+float64(d.Events), minutes+d.Minutes
					if d.Active > 0 {
						active++
					}
				}
			}
			values := Values{Params: p, Catalog: index, Vector: v}
			for name, want := range map[string]float64{"active_days": active, "events": events, "watch_minutes": minutes} {
				if got := values.in(name, w); got != want {
					t.Fatalf("seed %d: %s_%dd = %v, want %v", seed, name, w, got, want)
				}
			}
		}
	}
}

// By hand: active days a week, oldest first, 1, 0, 3, 6. Least squares over
// x = −1.5, −0.5, 0.5, 1.5: Σxy = −1.5 − 0 + 1.5 + 9 = 9, Σx² = 5, so 1.8.
func TestTrendByHand(t *testing.T) {
	const asOf = pipeline.Date(20000)
	ago := []pipeline.Date{27, 13, 10, 7, 6, 5, 4, 3, 1, 0} // days; 27 is the first day of the oldest week
	u := pipeline.Timeline{User: pipeline.User{Signup: asOf - 300}}
	for _, a := range ago {
		u.Days = append(u.Days, pipeline.DayFacts{Day: asOf - a, Known: asOf - a, Events: 1, Active: 1})
	}
	for observed, want := range map[pipeline.Date]float64{28: 1.8, 27: math.NaN()} {
		p := Defaults()
		index := NewIndex(Catalog(p))
		v := index.NewVector()
		first := asOf - observed + 1
		h, _ := u.Cut(asOf, &pipeline.Span{Starts: []pipeline.Start{{Known: first, First: first}}})
		NewExtractor(p, index).Extract(&h, v)
		if got := v.Numeric[index.Position("active_days_trend_28d")]; got != want && !(math.IsNaN(got) && math.IsNaN(want)) {
			t.Errorf("observed for %d days: trend %v, want %v", observed, got, want)
		}
	}
}
