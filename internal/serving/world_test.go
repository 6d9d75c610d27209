package serving

import (
	"context"
	"encoding/csv"
	"encoding/json"
	"io"
	"log/slog"
	"math"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"testing"
	"time"

	"churn/internal/table"
	"churn/model"
	"churn/model/bundle"
	"churn/model/calibrate"
	"churn/model/encode"
	"churn/model/gbdt"
	"churn/model/logistic"
	"churn/pipeline"
	"churn/pipeline/features"
	"churn/pipeline/generate"
	"churn/pipeline/labels"
	"churn/pipeline/prepare"
	"churn/pipeline/score"
	"churn/pipeline/source"
	"churn/pipeline/validate"
	"churn/server"
)

// world is a simulated data set, raw and prepared as batch runs have it.
type world struct {
	users     [][]string            // in the order of validate.UserColumns
	events    map[string][][]string // by user, in the order of the file and of validate.EventColumns
	timelines []pipeline.Timeline
	prepared  string // path of the file of timelines
	span      pipeline.Span
	asOf      pipeline.Date
	settings  Settings

	numeric, categorical []string // names of the features
}

// newWorld simulates users. Some facts become known late, some event ids stand
// twice, and some events lie after the as-of date.
func newWorld(t testing.TB, users int) *world {
	t.Helper()
	dir := t.TempDir()
	p := generate.Defaults()
	p.Users, p.Days = users, 45
	if _, err := generate.Run(context.Background(), p, dir, nil); err != nil {
		t.Fatal(err)
	}
	w := &world{asOf: p.StartDate + 34, events: map[string][][]string{}}
	w.settings = Settings{Score: score.Defaults(), Validate: validate.Defaults(pipeline.EventTypes()), Location: time.UTC,
		Now: func() time.Time { return (p.StartDate + 45).Time() }}
	w.settings.Validate.MaxRejectRate = 1
	w.users = rows(t, filepath.Join(dir, "users.csv"), validate.UserColumns())
	for _, e := range w.spoil(t, filepath.Join(dir, "events.csv")) {
		w.events[e[eventUser]] = append(w.events[e[eventUser]], e)
	}
	w.prepare(t, dir)
	w.settings.Span = &w.span
	w.numeric, w.categorical = features.NewIndex(features.Catalog(features.Defaults())).Names()
	return w
}

// Positions in a row of events.
const (
	eventID, eventUser, eventTime, eventMinutes, eventKnown = 0, 1, 2, 5, 8
)

// rows reads the columns of a file; those that it lacks are empty.
func rows(t testing.TB, path string, columns []string) (out [][]string) {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	all, err := csv.NewReader(f).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	for _, fields := range all[1:] {
		row := make([]string, len(columns))
		for i, name := range columns {
			if k := slices.Index(all[0], name); k >= 0 {
				row[i] = fields[k]
			}
		}
		out = append(out, row)
	}
	return out
}

// spoil writes the events anew, and returns them: with known_at, and with
// repeated ids.
func (w *world) spoil(t testing.TB, path string) [][]string {
	t.Helper()
	rng := rand.New(rand.NewPCG(3, 4))
	all := rows(t, path, validate.EventColumns())
	for i, e := range all {
		if rng.IntN(8) == 0 {
			at, err := time.Parse("2006-01-02", e[eventTime][:10])
			if err != nil {
				t.Fatal(err)
			}
			if known := at.AddDate(0, 0, rng.IntN(12)); !known.After(w.settings.Now()) {
				e[eventKnown] = known.Format("2006-01-02")
			}
		}
		if before := all[max(i-1, 0)]; rng.IntN(50) == 0 && i > 0 {
			e[eventID], e[eventUser] = before[eventID], before[eventUser] // of one user, or no request could know
		}
	}
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	out := csv.NewWriter(f)
	out.Write(validate.EventColumns()) //nolint:errcheck // WriteAll tells
	if err := out.WriteAll(all); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	return all
}

// prepare runs the batch path up to the timelines.
func (w *world) prepare(t testing.TB, dir string) {
	t.Helper()
	v := pipeline.NewVocabulary(pipeline.EventTypes(), labels.Defaults().ActivityEvents)
	in := validate.Input{Files: source.Files{Users: []string{filepath.Join(dir, "users.csv")}, Events: []string{filepath.Join(dir, "events.csv")}}, Location: time.UTC, Vocabulary: v,
		Today: pipeline.DateOf(w.settings.Now()), Quarantine: filepath.Join(dir, "quarantine.csv"), TempDir: dir, Memory: 1 << 30, Stage: true}
	data, err := validate.Run(context.Background(), in, w.settings.Validate)
	if err != nil {
		t.Fatal(err)
	}
	path := func(name string) string { return filepath.Join(dir, name) }
	out := prepare.Outputs{Format: table.CSV, Timelines: path("timelines.bin"), UserDaily: path("user_daily.csv"), UsersClean: path("users_clean.csv")}
	if _, err := prepare.Run(context.Background(), data, v, prepare.Header{}, prepare.Defaults(), out, nil); err != nil {
		t.Fatal(err)
	}
	w.prepared = out.Timelines
	stored, err := prepare.OpenTimelines(out.Timelines)
	if err != nil {
		t.Fatal(err)
	}
	defer stored.Close()
	w.span = stored.Header.Span
	keep := func(u []pipeline.Timeline) ([]pipeline.Timeline, error) { return u, nil }
	take := func(u []pipeline.Timeline) error { w.timelines = append(w.timelines, u...); return nil }
	if _, err := prepare.Each(context.Background(), stored, keep, take, nil); err != nil {
		t.Fatal(err)
	}
}

// models returns one of each kind, made from the rows of the world. What they
// have learned is chance: they only have to depend on everything.
func (w *world) models(t testing.TB) map[string]*score.Model {
	t.Helper()
	spec := score.Spec{Features: features.Defaults(), Labels: labels.Defaults()}
	text, err := json.Marshal(spec)
	if err != nil {
		t.Fatal(err)
	}
	raw := json.RawMessage(text)
	index := features.NewIndex(features.Catalog(spec.Features))
	frame := &model.Frame{NumericNames: w.numeric, CategoricalNames: w.categorical}
	e, v := features.NewExtractor(spec.Features, index), index.NewVector()
	var label []bool
	rng := rand.New(rand.NewPCG(1, 2))
	for i := range w.timelines[:min(1000, len(w.timelines))] {
		if h, _ := w.timelines[i].Cut(w.asOf, &w.span); h.Exists() {
			e.Extract(&h, v)
			frame.Numeric, frame.Categorical = append(frame.Numeric, v.Numeric...), append(frame.Categorical, v.Categorical...)
			label = append(label, rng.IntN(3) == 0)
		}
	}
	part := bundle.Bundle{FeatureSet: features.Fingerprint(spec.Features), Numeric: frame.NumericNames, Categorical: frame.CategoricalNames, Threshold: 0.5,
		Profile: bundle.ProfileOf(frame), Spec: &raw, Calibration: calibrate.Map{Kind: calibrate.Platt, Slope: 0.7, Intercept: -0.3}}
	return map[string]*score.Model{"v0001": linear(t, part, frame, rng), "v0002": trees(t, part, frame, label)}
}

func linear(t testing.TB, b bundle.Bundle, f *model.Frame, rng *rand.Rand) *score.Model {
	t.Helper()
	e, err := encode.Fit(f, encode.Options{})
	if err != nil {
		t.Fatal(err)
	}
	x := e.Matrix(f)
	b.Kind, b.Encoder, b.Mean, b.Logistic = bundle.KindLogistic, e, bundle.MeanOf(x), &logistic.Model{Intercept: -1}
	for range x.Cols() {
		b.Logistic.Coef = append(b.Logistic.Coef, rng.NormFloat64()/5)
	}
	return made(t, b, "v0001")
}

func trees(t testing.TB, b bundle.Bundle, f *model.Frame, label []bool) *score.Model {
	t.Helper()
	e, err := encode.Fit(f, encode.Options{Raw: true})
	if err != nil {
		t.Fatal(err)
	}
	p := gbdt.Defaults()
	p.MaxIter, p.MinSamplesLeaf, p.MaxLeafNodes = 200, 5, 8
	m, _, err := gbdt.Fit(context.Background(), gbdt.Input{Train: gbdt.Data{X: e.Matrix(f), Label: label}}, p, nil)
	if err != nil {
		t.Fatal(err)
	}
	b.Kind, b.Encoder, b.GBDT = bundle.KindGBDT, e, m
	return made(t, b, "v0002")
}

func made(t testing.TB, b bundle.Bundle, version string) *score.Model {
	t.Helper()
	complete, err := bundle.New(b)
	if err != nil {
		t.Fatal(err)
	}
	m, err := score.NewModel(complete, version)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// fixed is a server.Models with one model.
type fixed struct{ *Predictor }

func (f fixed) Current() server.Predictor  { return f.Predictor }
func (fixed) Status() server.ModelStatus   { return server.ModelStatus{} }
func (fixed) Reload(context.Context) error { return nil }

// handler returns what answers with a model.
func (w *world) handler(t testing.TB, m *score.Model) http.Handler {
	t.Helper()
	p := server.Defaults()
	p.AccessLog, p.MaxBody = false, "64MiB"
	s, err := server.New(server.Options{Params: p, Models: fixed{NewPredictor(m, server.ModelInfo{Version: m.Version}, w.settings)}, Now: w.settings.Now, Logger: slog.New(slog.NewTextHandler(io.Discard, nil))})
	if err != nil {
		t.Fatal(err)
	}
	return s.Handler()
}

// request returns the body of /predict/events for a user.
func (w *world) request(user []string, change func(event []string)) []byte {
	b := appendRow([]byte(`{"user":`), validate.UserColumns(), user)
	b = append(b, `,"events":[`...)
	for i, e := range w.events[user[0]] {
		if i > 0 {
			b = append(b, ',')
		}
		e = slices.Clone(e)
		change(e)
		b = appendRow(b, validate.EventColumns(), e)
	}
	return append(b, `],"as_of_date":"`+w.asOf.String()+`"}`...)
}

// appendRow writes a row as an object: numbers as they stand in the file,
// nothing as null.
func appendRow(b []byte, columns, row []string) []byte {
	b = append(b, '{')
	for i, text := range row {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(strconv.AppendQuote(b, columns[i]), ':')
		_, err := strconv.ParseFloat(text, 64)
		switch {
		case text == "":
			b = append(b, "null"...)
		case err == nil:
			b = append(b, text...)
		default:
			b = strconv.AppendQuote(b, text)
		}
	}
	return append(b, '}')
}

// same reports whether a number of an answer has the bits of x; NaN is null.
func same(answer any, x float64) bool {
	got, ok := answer.(float64)
	if answer == nil {
		return math.IsNaN(x)
	}
	return ok && math.Float64bits(got) == math.Float64bits(x)
}
