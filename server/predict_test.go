package server

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"math"
	"slices"
	"strings"
	"sync"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
)

// summing is a model whose risk tells the row that it was given.
type summing struct{ version string }

func (m summing) Info() ModelInfo {
	return ModelInfo{Version: m.version, Path: "registry/" + m.version, Kind: "sum", FeatureSet: "f00d"}
}

func (summing) Inputs() (numeric, categorical []Input) {
	return []Input{{Name: "events_7d", Least: new(0.0), Min: new(0.0), Max: new(50.0)}, {Name: "is_paid", Binary: true, Least: new(0.0), Most: new(1.0)}, {Name: "quiz_avg_score", Least: new(0.0), Most: new(100.0)}},
		[]Input{{Name: "plan", Categorical: true, Levels: []string{"free", "paid"}}, {Name: "country", Categorical: true}}
}

func (summing) Predict(row Row, reasons int) Score {
	s := Score{Tier: "low"}
	for i, x := range row.Numeric {
		if !math.IsNaN(x) {
			s.Margin += x * math.Pow(10, float64(i))
		}
	}
	s.Margin += float64(1000 * len(strings.Join(row.Categorical, "")))
	s.Risk = s.Margin / 1e6
	for i := range reasons {
		s.Reasons = append(s.Reasons, Reason{Feature: "videos", Text: fmt.Sprintf("reason \"%d\"", i), Contribution: 1 / float64(i+3)})
	}
	return s
}

// PredictEvents counts the bytes that it is given.
func (m summing) PredictEvents(in Events, reasons int) (EventScore, error) {
	if in.User.ID == "" {
		return EventScore{}, Faults{{Field: "/user/user_id", Got: `""`, Expected: "an id"}}
	}
	row := Row{Numeric: []float64{float64(len(in.Events)), 1, math.NaN()}, Categorical: []string{in.User.Plan, ""}}
	return EventScore{Score: m.Predict(row, reasons), UserID: in.User.ID, AsOf: in.AsOf, AtRisk: true, Features: row,
		Warnings: []Fault{{Field: "/events/0/event_id", Got: "e1", Expected: fmt.Sprint(in)}}}, nil
}

// ledger is a Log and a Shadow of the tests.
type ledger struct {
	sync.Mutex
	logged  []Logged
	offered int
}

func (l *ledger) Record(x Logged) {
	l.Lock()
	defer l.Unlock()
	x.Row = Row{Numeric: slices.Clone(x.Row.Numeric), Categorical: slices.Clone(x.Row.Categorical)}
	l.logged = append(l.logged, x)
}
func (l *ledger) Offer(Logged) {
	l.Lock()
	defer l.Unlock()
	l.offered++
}

// twice is a ledger under both names, since a Log and a Shadow both have a Status.
type (
	keptLedger   struct{ *ledger }
	shadowLedger struct{ *ledger }
)

func (l keptLedger) Status() LogStatus {
	return LogStatus{Kept: int64(len(l.logged)), Dropped: 2, Faults: 1}
}
func (l shadowLedger) Status() ShadowStatus { return ShadowStatus{Rows: int64(l.offered)} }

func predicting(t *testing.T, strict bool) (*fixture, *ledger) {
	t.Helper()
	kept := &ledger{}
	f := newFixture(t, func(o *Options) { o.Params.Strict, o.Log, o.Shadow = strict, keptLedger{kept}, shadowLedger{kept} })
	f.models.set(summing{"v0007"})
	return f, kept
}

const jsonHeader = "Content-Type"

// post sends a JSON body and reads the answer into out.
func (f *fixture) post(t *testing.T, path, body string, out any) {
	t.Helper()
	w := f.ask("POST", path, body, jsonHeader, "application/json", "X-Request-ID", "req-1")
	if w.Code != 200 {
		t.Fatalf("%s %s: %d %s", path, body, w.Code, w.Body)
	}
	d := json.NewDecoder(w.Body)
	d.DisallowUnknownFields()
	if err := d.Decode(out); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
}

func TestPredict(t *testing.T) {
	f, kept := predicting(t, false)
	var got Prediction
	f.post(t, "/predict?reasons=1", `{"user_id": 17, "snapshot_date": "2026-04-30", "colour": [{"a":1}],
		"features": {"plan": " paid ", "events_7d": 2.5, "is_paid": true, "quiz_avg_score": null, "shoe_size": 44}}`, &got)
	want := Prediction{
		Outcome: Outcome{User: "17", Risk: 4012.5 / 1e6, Tier: "low", Reasons: []Reason{{"videos", `reason "0"`, 1.0 / 3}}, AsOf: "2026-04-30",
			Warnings: []Fault{{"/colour", "a name that is not known", "user_id, snapshot_date or features"}, {"/features/shoe_size", "a name that is not known", "a feature that the model reads; GET /model lists them"}},
			Missing:  []string{"quiz_avg_score", "country"}},
		Stamp: Stamp{"v0007", "registry/v0007", "f00d", "req-1"},
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	if len(kept.logged) != 1 || kept.offered != 1 {
		t.Fatalf("logged %d, offered %d, want 1 each", len(kept.logged), kept.offered)
	}
	if l := kept.logged[0]; l.UserID != "17" || l.AsOf != "2026-04-30" || l.Route != "/predict" || l.RequestID != "req-1" || l.Row.Numeric[0] != 2.5 || l.Row.Categorical[0] != "paid" {
		t.Errorf("logged %+v", l)
	}
}

// Without a date the row is of today, and a request leaves nothing behind for
// the next: not a value, not a warning.
func TestPredictForgets(t *testing.T) {
	f, _ := predicting(t, false)
	var got Prediction
	f.post(t, "/predict", `{"user_id":"a","features":{"events_7d":9,"plan":"free","x":1},"snapshot_date":"2020-01-01"}`, &got)
	got = Prediction{}
	f.post(t, "/predict?reasons=0", `{"user_id":"b","features":{}}`, &got)
	if got.Risk != 0 || len(got.Missing) != 5 || len(got.Warnings) != 0 || len(got.Reasons) != 0 || got.AsOf != f.options.Now().Format("2006-01-02") {
		t.Errorf("%+v", got)
	}
}

func TestPredictRefuses(t *testing.T) {
	long := strings.Repeat("x", maxText+1)
	deep := strings.Repeat("[", 60) + strings.Repeat("]", 60)
	for _, c := range []struct {
		body   string
		status int
		want   string // field of a fault, or part of the detail
	}{
		{`{"user_id":"u","features":{"events_7d":"12"}}`, 422, "/features/events_7d"},
		{`{"user_id":"u","features":{"events_7d":true}}`, 422, "/features/events_7d"},
		{`{"user_id":"u","features":{"events_7d":{}}}`, 422, "/features/events_7d"},
		{`{"user_id":"u","features":{"is_paid":"yes"}}`, 422, "/features/is_paid"},
		{`{"user_id":"u","features":{"events_7d":1e999}}`, 422, "/features/events_7d"},
		{`{"user_id":"u","features":{"plan":1}}`, 422, "/features/plan"},
		{`{"user_id":"u","features":{"plan":"` + long + `"}}`, 422, "/features/plan"},
		{`{"user_id":"u","features":[]}`, 422, "/features"},
		{`{"user_id":"u"}`, 422, "/features"},
		{`{"features":{}}`, 422, "/user_id"},
		{`{"user_id":"  ","features":{}}`, 422, "/user_id"},
		{`{"user_id":1.5,"features":{}}`, 422, "/user_id"},
		{`{"user_id":null,"features":{}}`, 422, "/user_id"},
		{`{"user_id":"u","snapshot_date":"30.4.2026","features":{}}`, 422, "/snapshot_date"},
		{`[]`, 422, ""},
		{`{"user_id":"u","features":{"events_7d":NaN}}`, 400, "/features/events_7d"},
		{`{"user_id":"u","features":{"events_7d":Infinity}}`, 400, "/features/events_7d"},
		{`{"user_id":"u","features":{"events_7d":1,"events_7d":2}}`, 400, "duplicate"},
		{`{"user_id":"u","features":{},"user_id":"v"}`, 400, "duplicate"},
		{"{\"user_id\":\"\xff\",\"features\":{}}", 400, "UTF-8"},
		{`{"user_id":"u","features":{"x":` + deep + `}}`, 400, "nested deeper"},
		{`{"user_id":"u","features":{}} {}`, 400, "follows"},
		{`{"user_id":"u","features":{}`, 400, "EOF"},
		{` `, 400, "empty"},
		{``, 400, "empty"},
	} {
		f, kept := predicting(t, false)
		p := f.wantProblem(t, c.status, "POST", "/predict", c.body, jsonHeader, "application/json")
		if c.status == 400 && !strings.Contains(p.Detail, c.want) {
			t.Errorf("%s: %q does not say %q", clip(c.body), p.Detail, c.want)
		}
		if c.status == 422 && (len(p.Errors) == 0 || p.Errors[0].Field != c.want || p.Errors[0].Got == "" || p.Errors[0].Expected == "") {
			t.Errorf("%s: %+v, want a fault of %q", clip(c.body), p.Errors, c.want)
		}
		if len(kept.logged) > 0 {
			t.Errorf("%s: logged although refused", clip(c.body))
		}
	}
}

func TestPredictStrict(t *testing.T) {
	f, _ := predicting(t, true)
	p := f.wantProblem(t, 422, "POST", "/predict", `{"user_id":"u","features":{"a":1,"events_7d":2,"b":{"c":[]}}}`, jsonHeader, "application/json")
	if len(p.Errors) != 2 || p.Errors[0].Field != "/features/a" || p.Errors[1].Field != "/features/b" {
		t.Errorf("%+v", p.Errors)
	}
}

// What a feature cannot be is a warning, or a fault where the settings are
// strict. What is far from training is a warning in both, and what lies a little
// outside of it is neither.
func TestPredictDoubts(t *testing.T) {
	for _, c := range []struct {
		row        string // beside the user
		field      string // "" = nothing is odd
		impossible bool
	}{
		{`"features":{"events_7d":-1}`, "/features/events_7d", true},
		{`"features":{"events_7d":-0.0}`, "", false},
		{`"features":{"events_7d":50}`, "", false},
		{`"features":{"events_7d":100}`, "", false},
		{`"features":{"events_7d":100.5}`, "/features/events_7d", false},
		{`"features":{"events_7d":1e300}`, "/features/events_7d", false},
		{`"features":{"is_paid":0.5}`, "/features/is_paid", true},
		{`"features":{"is_paid":2}`, "/features/is_paid", true},
		{`"features":{"quiz_avg_score":100}`, "", false},
		{`"features":{"quiz_avg_score":100.1}`, "/features/quiz_avg_score", true},
		{`"features":{"plan":"gold"}`, "/features/plan", false},
		{`"features":{"plan":null,"country":"FR"}`, "", false},
		{`"snapshot_date":"9999-12-31","features":{}`, "/snapshot_date", true},
	} {
		body := `{"user_id":"u",` + c.row + `}`
		lax, _ := predicting(t, false)
		strict, _ := predicting(t, true)
		if c.impossible {
			p := strict.wantProblem(t, 422, "POST", "/predict", body, jsonHeader, "application/json")
			if len(p.Errors) != 1 || p.Errors[0].Field != c.field {
				t.Errorf("%s, strictly: %+v", body, p.Errors)
			}
		} else {
			wantWarning(t, strict, body, c.field)
		}
		wantWarning(t, lax, body, c.field)
	}
}

// wantWarning sends a row and checks the only warning of the answer.
func wantWarning(t *testing.T, f *fixture, body, field string) {
	t.Helper()
	var got Prediction
	f.post(t, "/predict", body, &got)
	switch {
	case field == "" && len(got.Warnings) > 0, field != "" && len(got.Warnings) != 1:
		t.Errorf("%s: %+v", body, got.Warnings)
	case field != "" && (got.Warnings[0].Field != field || got.Warnings[0].Got == "" || got.Warnings[0].Expected == ""):
		t.Errorf("%s: %+v, want one of %s", body, got.Warnings, field)
	}
}

// A name in a query that no route reads is refused, since it may be one that is
// misspelt.
func TestUnknownQuery(t *testing.T) {
	f, _ := predicting(t, false)
	for _, x := range []struct{ method, path, body string }{
		{"POST", "/predict?reason=0", `{"user_id":"u","features":{}}`}, {"POST", "/predict/batch?limit=3", `{"instances":[]}`}, {"GET", "/model?version=3", ""}, {"GET", "/users/u1?as_of=2026-01-01", ""},
	} {
		p := f.wantProblem(t, 422, x.method, x.path, x.body, jsonHeader, "application/json")
		if len(p.Errors) != 1 || !strings.HasPrefix(p.Errors[0].Field, "?") {
			t.Errorf("%s: %+v", x.path, p.Errors)
		}
	}
}

func TestPredictWithoutModel(t *testing.T) {
	f, _ := predicting(t, false)
	f.models.current.Store(nil)
	for _, path := range []string{"/predict", "/predict/batch", "/predict/events"} {
		f.wantProblem(t, 503, "POST", path, `{}`, jsonHeader, "application/json")
	}
	f.models.set(summing{"v1"})
	f.wantProblem(t, 415, "POST", "/predict", `{}`, jsonHeader, "text/plain")
	f.wantProblem(t, 422, "POST", "/predict?reasons=many", `{}`, jsonHeader, "application/json")
}

// BatchRow is what one row of a batch answers: an outcome, or its faults.
type batchAnswer struct {
	Predictions []struct {
		Outcome
		Errors []Fault `json:"errors"`
	} `json:"predictions"`
	Stamp
	Scored int `json:"scored"`
	Failed int `json:"failed"`
}

func TestBatch(t *testing.T) {
	f, kept := predicting(t, false)
	var got batchAnswer
	f.post(t, "/predict/batch", `{"note":1,"instances":[{"user_id":"a","features":{"events_7d":1}},
		{"user_id":"b","features":{"events_7d":"x","q":1}}, 7, {"user_id":"c","features":{"events_7d":3}}]}`, &got)
	if len(got.Predictions) != 4 || got.Scored != 2 || got.Failed != 2 || got.Version != "v0007" || len(kept.logged) != 2 {
		t.Fatalf("%+v, %d logged", got, len(kept.logged))
	}
	for i, want := range []struct {
		user, field string
		risk        float64
	}{{"a", "", 1e-6}, {"b", "/instances/1/features/events_7d", 0}, {"", "/instances/2", 0}, {"c", "", 3e-6}} {
		p := got.Predictions[i]
		field := ""
		if len(p.Errors) > 0 {
			field = p.Errors[0].Field
		}
		if p.User != want.user || p.Risk != want.risk || field != want.field {
			t.Errorf("row %d: %+v", i, p)
		}
	}
	if w := got.Predictions[3].Warnings; len(w) != 0 {
		t.Errorf("the warnings of row 1 are those of row 3: %v", w)
	}
	f.post(t, "/predict/batch", `{"instances":[]}`, &got)
	if got.Scored != 0 || got.Failed != 0 {
		t.Errorf("%+v", got)
	}
}

func TestBatchRefuses(t *testing.T) {
	f, kept := predicting(t, false)
	row := `{"user_id":"a","features":{}}`
	f.wantProblem(t, 400, "POST", "/predict/batch", `{"instances":[`+row+`,{]}`, jsonHeader, "application/json")
	f.wantProblem(t, 422, "POST", "/predict/batch", `{"instances":{}}`, jsonHeader, "application/json")
	f.wantProblem(t, 422, "POST", "/predict/batch", `{}`, jsonHeader, "application/json")
	f.wantProblem(t, 422, "POST", "/predict/batch", `[]`, jsonHeader, "application/json")
	if len(kept.logged) != 0 {
		t.Errorf("%d rows of a document that cannot be read were scored", len(kept.logged))
	}
	f.wantProblem(t, 413, "POST", "/predict/batch", `{"instances":[`+strings.Repeat("1,", maxRows)+`1]}`, jsonHeader, "application/json")
	f.wantProblem(t, 413, "POST", "/predict/events", `{"user":{},"events":[`+strings.Repeat("{},", maxEvents)+`{}]}`, jsonHeader, "application/json")
}

func TestPredictEvents(t *testing.T) {
	f, kept := predicting(t, false)
	var got EventsPrediction
	f.post(t, "/predict/events", `{"user":{"user_id":5,"signup_date":"2026-01-02","plan":"free","is_paid":false,"country":null,"marketing_source":"ads","extra":1},
		"events":[{"event_id":"e1","event_time":"2026-02-03T04:05:06","event_type":"login","watch_minutes":1.50,"quiz_score":null,"x":[]},{"event_id":2}],
		"as_of_date":"2026-03-01","data_start":"2025-01-01"}`, &got)
	raw := Events{AsOf: "2026-03-01", DataStart: "2025-01-01", User: RawUser{ID: "5", Signup: "2026-01-02", Plan: "free", IsPaid: "0", Source: "ads"},
		Events: []RawEvent{{ID: "e1", Time: "2026-02-03T04:05:06", Type: "login", Minutes: "1.50"}, {ID: "2"}}}
	if len(got.Warnings) != 1 || got.Warnings[0].Expected != fmt.Sprint(raw) {
		t.Errorf("the model was given %+v\nwant %+v", got.Warnings, raw)
	}
	if got.User != "5" || !got.AtRisk || got.AsOf != "2026-03-01" || got.Features["events_7d"] != 2.0 || got.Features["quiz_avg_score"] != nil || got.Features["plan"] != "free" || len(got.Features) != 5 {
		t.Errorf("%+v", got)
	}
	if len(kept.logged) != 1 || kept.logged[0].UserID != "5" {
		t.Errorf("%+v", kept.logged)
	}
	for _, body := range []string{`{}`, `{"user":{}}`, `{"user":[],"events":[]}`, `{"user":{"user_id":true},"events":[]}`, `{"user":{"user_id":""},"events":[]}`} {
		f.wantProblem(t, 422, "POST", "/predict/events", body, jsonHeader, "application/json")
	}
}

// The law: the encoder that does not reflect writes what encoding/json reads
// back as the same values.
func TestEncoderEqualsItsTwin(t *testing.T) {
	o := Outcome{User: "ü\"\\\n\x00<", Risk: 0.1 + 0.2, Tier: "low", Reasons: []Reason{{"a", "b\tc", -1e-300}, {"", "", 1e21}}, AsOf: "2026-01-01",
		Warnings: []Fault{{"/x~1", "1", "2"}, {}}, Missing: []string{"m", "n"}}
	w := work{info: &ModelInfo{Version: "v1", Path: "p", FeatureSet: "f"}, request: "r"}
	text := append(w.appendStamp(appendOutcome([]byte{'{'}, &o)), '}')
	var got Prediction
	if err := json.Unmarshal(text, &got); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	if d := cmp.Diff(Prediction{o, Stamp{"v1", "p", "f", "r"}}, got); d != "" {
		t.Error(d)
	}
	if string(appendNumber(nil, math.NaN())) != "null" || string(appendNumber(nil, math.Inf(1))) != "null" {
		t.Error("NaN and infinities are not null")
	}
}

// Any body: a row that another decoder reads the same, or a refusal.
func FuzzPredict(f *testing.F) {
	for _, seed := range []string{`{"user_id":1,"features":{"events_7d":1e5,"plan":"free","is_paid":true}}`, `{"user_id":"é","features":{"quiz_avg_score":null}}`,
		`{"a":[[[]]],"user_id":"u","features":{"b":{"c":{}}}}`, "{\"\xff\":1}", `{"features":{"events_7d":1e999}}`, `{"user_id":"u","snapshot_date":"2026-02-30","features":{}}`} {
		f.Add(seed, false)
	}
	model := newInputs(summing{"v1"})
	f.Fuzz(func(t *testing.T, body string, strict bool) {
		var w work
		w.open([]byte(body), strict)
		if err := w.read(model); err == nil {
			checkRow(t, &w)
			checkTwin(t, &w, model, body)
		}
	})
}

// checkTwin holds a row against what encoding/json reads.
func checkTwin(t *testing.T, w *work, in *inputs, body string) {
	t.Helper()
	var members map[string]json.RawMessage
	var features map[string]any
	if err := json.Unmarshal([]byte(body), &members); err != nil {
		t.Fatalf("%q was read: %v", body, err)
	}
	if err := json.Unmarshal(members["features"], &features); err != nil {
		t.Fatalf("%q was read: %v", body, err)
	}
	for i, x := range w.row.Numeric {
		want := math.NaN()
		switch v := features[in.numeric[i].Name].(type) {
		case float64:
			want = v
		case bool:
			want = boolean(v)
		}
		if math.Float64bits(x) != math.Float64bits(want) && !(math.IsNaN(x) && math.IsNaN(want)) {
			t.Errorf("%s of %q is %v, want %v", in.numeric[i].Name, body, x, want)
		}
	}
	for j, x := range w.row.Categorical {
		if want, _ := features[in.categorical[j].Name].(string); x != strings.TrimSpace(want) {
			t.Errorf("%s of %q is %q, want %q", in.categorical[j].Name, body, x, want)
		}
	}
}

// fuzzHandler sends any body to a route: an answer that is JSON, or a refusal
// that is the client's fault. A panic is a 500.
func fuzzHandler(f *testing.F, path string, seeds ...string) {
	for _, seed := range seeds {
		f.Add(seed, false)
	}
	var servers [2]*fixture
	for i := range servers {
		servers[i] = newFixture(f, func(o *Options) {
			o.Params.Strict, o.Params.AccessLog, o.Logger = i == 1, false, slog.New(slog.DiscardHandler)
		})
		servers[i].models.set(summing{"v1"})
	}
	f.Fuzz(func(t *testing.T, body string, strict bool) {
		w := servers[map[bool]int{true: 1}[strict]].ask("POST", path, body, jsonHeader, "application/json")
		if w.Code != 200 && (w.Code < 400 || w.Code > 499) || !json.Valid(w.Body.Bytes()) {
			t.Errorf("%q: %d %.300s", body, w.Code, w.Body)
		}
	})
}

func FuzzBatch(f *testing.F) {
	fuzzHandler(f, "/predict/batch", `{"instances":[{"user_id":"é","features":{}},null,{"user_id":1,"features":{"events_7d":"x","plan":"a"},"x":[{}]}]}`,
		`{"instances":[],"instances":[]}`, `{"a":{},"instances":[[]]}`, `{"instances":{}}`)
}

func FuzzEvents(f *testing.F) {
	fuzzHandler(f, "/predict/events", `{"user":{"user_id":1,"is_paid":true},"events":[{"event_id":"x","watch_minutes":1.50,"known_at":null}],"as_of_date":"2026-01-01","data_start":"2025-01-01"}`,
		`{"user":{"user_id":{}},"events":[1]}`, `{"events":[{"event_id":[[[]]]}],"user":{"x":{"y":1}}}`)
}

// checkRow holds what a row that was accepted must be like.
func checkRow(t *testing.T, w *work) {
	t.Helper()
	if w.user == "" || utf8.RuneCountInString(w.user) > maxText {
		t.Errorf("user %q", w.user)
	}
	for _, x := range w.row.Numeric {
		if math.IsInf(x, 0) {
			t.Error("an infinity got through")
		}
	}
	for _, x := range w.row.Categorical {
		if utf8.RuneCountInString(x) > maxText {
			t.Errorf("%d characters of text", utf8.RuneCountInString(x))
		}
	}
}

// The law: a batch that is refused is not scored, whatever its first rows are:
// nothing is counted, and nothing is logged.
func TestRefusedBatchScoresNothing(t *testing.T) {
	f, kept := predicting(t, true)
	row := `{"user_id":"u","features":{}}`
	for name, body := range map[string]string{
		"too many":          `{"instances":[` + strings.Repeat(row+",", maxRows) + row + `]}`,
		"a name behind":     `{"instances":[` + row + `],"zzz":1}`,
		"no end":            `{"instances":[` + row + `]`,
		"something follows": `{"instances":[` + row + `]} 1`,
	} {
		if answer := f.ask("POST", "/predict/batch", body, "Content-Type", "application/json"); answer.Code < 400 {
			t.Errorf("%s: %d", name, answer.Code)
		}
	}
	if len(kept.logged) != 0 {
		t.Errorf("%d rows of refused batches were logged", len(kept.logged))
	}
}
