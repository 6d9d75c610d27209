package server

import (
	"encoding/binary"
	"encoding/json"
	"math"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
)

func TestV2Metadata(t *testing.T) {
	f, _ := predicting(t, false)
	for path, want := range map[string]string{
		"/v2":                              `{"name":"churn","version":"","extensions":["binary_tensor_data"]}`,
		"/v2/health/live":                  `{"live":true}`,
		"/v2/health/ready":                 `{"ready":true}`,
		"/v2/models/churn/ready":           `{"ready":true}`,
		"/v2/models/churn/versions/v0007":  `{"name":"churn","versions":["v0007"],"platform":"churn","inputs":[{"name":"events_7d","datatype":"FP64","shape":[-1]},{"name":"is_paid","datatype":"FP64","shape":[-1]},{"name":"quiz_avg_score","datatype":"FP64","shape":[-1]},{"name":"plan","datatype":"BYTES","shape":[-1]},{"name":"country","datatype":"BYTES","shape":[-1]}],"outputs":[{"name":"churn_risk","datatype":"FP64","shape":[-1]},{"name":"risk_tier","datatype":"BYTES","shape":[-1]},{"name":"margin","datatype":"FP64","shape":[-1]}]}`,
		"/v2/models/churn/versions/v9":     `{"error":"There is no such thing here: the version in use is v0007"}`,
		"/v2/models/other":                 `{"error":"There is no such thing here: there is one model here, churn"}`,
		"/v2/models/churn/versions/v0007/": ``,
	} {
		if w := f.ask("GET", path, ""); want != "" && strings.TrimSpace(w.Body.String()) != want {
			t.Errorf("%s: %d %s\nwant %s", path, w.Code, w.Body, want)
		}
	}
	f.models.current.Store(nil)
	for path, want := range map[string]string{"/v2/health/live": `{"live":true}`, "/v2/health/ready": `{"ready":false}`, "/v2/models/churn/ready": `{"ready":false}`} {
		if w := f.ask("GET", path, ""); strings.TrimSpace(w.Body.String()) != want || strings.HasSuffix(path, "ready") != (w.Code == 503) {
			t.Errorf("%s without a model: %d %s", path, w.Code, w.Body)
		}
	}
}

// v2Answer is an answer of infer.
type v2Answer struct {
	ModelName    string            `json:"model_name"`
	ModelVersion string            `json:"model_version"`
	ID           string            `json:"id"`
	Parameters   map[string]string `json:"parameters"`
	Outputs      []v2Output        `json:"outputs"`
}

type v2Output struct {
	Name       string         `json:"name"`
	Datatype   string         `json:"datatype"`
	Shape      []int          `json:"shape"`
	Parameters map[string]int `json:"parameters"`
	Data       []any          `json:"data"`
}

const inferBody = `{"id":"42","inputs":[
	{"name":"user_id","shape":[2],"datatype":"BYTES","data":["a","b"]},
	{"name":"plan","datatype":"BYTES","shape":[2,1],"data":[["free"],["paid"]]},
	{"data":[1.5,null],"name":"events_7d","shape":[2],"datatype":"FP64"},
	{"name":"is_paid","shape":[2],"datatype":"BOOL","data":[true,false]}]}`

func TestV2Infer(t *testing.T) {
	f, kept := predicting(t, false)
	var got v2Answer
	f.post(t, "/v2/models/churn/infer", inferBody, &got)
	want := v2Answer{ModelName: "churn", ModelVersion: "v0007", ID: "42", Parameters: map[string]string{"feature_set": "f00d", "as_of_date": kept.logged[1].AsOf, "request_id": "req-1", "missing": "quiz_avg_score,country"}, Outputs: []v2Output{
		{"churn_risk", "FP64", []int{2}, nil, []any{4011.5 / 1e6, 4000 / 1e6}},
		{"risk_tier", "BYTES", []int{2}, nil, []any{"low", "low"}},
		{"margin", "FP64", []int{2}, nil, []any{4011.5, 4000.0}}}}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	f.post(t, "/v2/models/churn/infer", `{"inputs":[{"name":"plam","shape":[1],"datatype":"BYTES","data":["free"]}]}`, &got)
	if got.Parameters["unknown"] != "plam" {
		t.Errorf("a misspelt tensor: %v", got.Parameters)
	}
	if len(kept.logged) != 3 || kept.logged[1].UserID != "b" || kept.logged[1].Route != "/v2/models/:model/infer" {
		t.Errorf("logged %+v", kept.logged)
	}
	got = v2Answer{}
	f.post(t, "/v2/models/churn/versions/v0007/infer", strings.TrimSuffix(inferBody, "}")+`,"outputs":[{"name":"margin"}]}`, &got)
	if len(got.Outputs) != 1 || got.Outputs[0].Name != "margin" {
		t.Errorf("%+v", got.Outputs)
	}
}

// Triton's clients send and ask for bytes; the numbers are the same.
func TestV2Binary(t *testing.T) {
	f, kept := predicting(t, false)
	var tail []byte
	for _, x := range []float64{1.5, math.NaN()} {
		tail = binary.LittleEndian.AppendUint64(tail, math.Float64bits(x))
	}
	for _, x := range []string{"free", "paid"} {
		tail = append(binary.LittleEndian.AppendUint32(tail, uint32(len(x))), x...)
	}
	head := `{"inputs":[{"name":"events_7d","shape":[2],"datatype":"FP64","parameters":{"binary_data_size":16}},
		{"name":"plan","shape":[2],"datatype":"BYTES","parameters":{"binary_data_size":16}},
		{"name":"quiz_avg_score","shape":[2],"datatype":"INT32","data":[1,2]}],
		"outputs":[{"name":"risk_tier"},{"name":"margin","parameters":{"binary_data":true}},{"name":"risk_tier","parameters":{"binary_data":true}}]}`
	w := f.ask("POST", "/v2/models/churn/infer", head+string(tail), binaryHeader, strconv.Itoa(len(head)))
	n, err := strconv.Atoi(w.Header().Get(binaryHeader))
	if w.Code != 200 || err != nil || n > w.Body.Len() {
		t.Fatalf("%d, JSON of %d bytes in %d (%v): %s", w.Code, n, w.Body.Len(), err, w.Body)
	}
	var got v2Answer
	if err := json.Unmarshal(w.Body.Bytes()[:n], &got); err != nil {
		t.Fatal(err)
	}
	rest := w.Body.Bytes()[n:]
	if len(rest) != 30 || got.Outputs[1].Parameters["binary_data_size"] != 16 || got.Outputs[2].Parameters["binary_data_size"] != 14 {
		t.Fatalf("%+v and %d bytes", got.Outputs, len(rest))
	}
	first, second := math.Float64frombits(binary.LittleEndian.Uint64(rest)), math.Float64frombits(binary.LittleEndian.Uint64(rest[8:]))
	if first != 4101.5 || second != 4200 || string(rest[20:23]) != "low" || got.Outputs[0].Data[0] != "low" || len(kept.logged) != 2 {
		t.Errorf("%v, %v, %q, %+v", first, second, rest[20:], got.Outputs[0])
	}
}

func TestV2Refuses(t *testing.T) {
	f, kept := predicting(t, true)
	one := func(tensor string) string { return `{"inputs":[` + tensor + `]}` }
	for body, want := range map[string]string{
		`{`:             "EOF",
		`{}`:            "/inputs",
		`{"inputs":{}}`: "/inputs",
		one(`{"name":"events_7d","shape":[2],"datatype":"FP64","data":[1]}`):                                                             "2 values",
		one(`{"name":"events_7d","shape":[1],"datatype":"FP64","data":[1,2]}`):                                                           "1 values",
		one(`{"name":"events_7d","shape":[9999],"datatype":"FP64","data":[1,2]}`):                                                        "9999 values",
		one(`{"name":"events_7d","shape":[1],"datatype":"FP64","data":["1"]}`):                                                           "a number",
		one(`{"name":"events_7d","shape":[1],"datatype":"BYTES","data":["1"]}`):                                                          "FP64",
		one(`{"name":"events_7d","shape":[1],"datatype":"FP64","data":[1e999]}`):                                                         "1.8e308",
		one(`{"name":"plan","shape":[1],"datatype":"FP64","data":[1]}`):                                                                  "BYTES",
		one(`{"name":"events_7d","shape":[1,2],"datatype":"FP64","data":[1,2]}`):                                                         "[n, 1]",
		one(`{"name":"events_7d","shape":[-1],"datatype":"FP64","data":[1]}`):                                                            "whole number",
		one(`{"name":"shoes","shape":[1],"datatype":"FP64","data":[1]}`):                                                                 "an input of the model",
		one(`{"name":"plan","shape":[1],"datatype":"BYTES","data":["a"]},{"name":"plan","shape":[1],"datatype":"BYTES","data":["a"]}`):   "once",
		one(`{"name":"events_7d","shape":[1],"datatype":"FP64","data":[1]},{"name":"plan","shape":[2],"datatype":"BYTES","data":[1,1]}`): "as the first tensor",
		one(`{"name":"events_7d","shape":[1],"datatype":"FP64","parameters":{"binary_data_size":8}}`):                                    "binary_data_size",
		strings.TrimSuffix(one(`{"name":"plan","shape":[1],"datatype":"BYTES","data":["a"]}`), "}") + `,"outputs":[{"name":"x"}]}`:       "churn_risk",
	} {
		w := f.ask("POST", "/v2/models/churn/infer", body, jsonHeader, "application/json")
		var got V2Error
		if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil || w.Code != 400 || !strings.Contains(got.Error, want) {
			t.Errorf("%s: %d %s, want an error that says %q", body, w.Code, w.Body, want)
		}
	}
	rows := one(`{"name":"events_7d","shape":[10001],"datatype":"FP64","data":[` + strings.Repeat("1,", 10000) + `1]}`)
	if w := f.ask("POST", "/v2/models/churn/infer", rows, jsonHeader, "application/json"); w.Code != 413 {
		t.Errorf("too many rows: %d", w.Code)
	}
	for _, n := range []string{"-1", "x", "99"} {
		if w := f.ask("POST", "/v2/models/churn/infer", "{}", binaryHeader, n); w.Code != 400 {
			t.Errorf("%s %s: %d", binaryHeader, n, w.Code)
		}
	}
	if len(kept.logged) != 0 {
		t.Errorf("%d rows of requests that were refused are in the log", len(kept.logged))
	}
}

// Any document, and any bytes behind it: rows of the right shape, or a refusal.
func FuzzV2(f *testing.F) {
	f.Add(inferBody, "")
	f.Add(`{"inputs":[{"name":"plan","shape":[1],"datatype":"BYTES","parameters":{"binary_data_size":6}}]}`, "\x02\x00\x00\x00ab")
	f.Add(`{"inputs":[{"name":"events_7d","shape":[1],"datatype":"FP32","parameters":{"binary_data_size":4}}],"outputs":[]}`, "\x00\x00\x80\x7f")
	f.Add(`{"id":"1","parameters":{"binary_data_output":true},"inputs":[{"name":"user_id","shape":[2,1],"datatype":"BYTES","data":[["a"],["b"]]}],"outputs":[{"name":"margin","parameters":{"binary_data":false}}]}`, "x")
	model := newInputs(summing{"v1"})
	f.Fuzz(func(t *testing.T, head, tail string) { infer(t, model, head, tail) })
}

// Tensors of any datatype and shape from any bytes.
func FuzzV2Binary(f *testing.F) {
	f.Add("FP64", "events_7d", 1, []byte("\x00\x00\x00\x00\x00\x00\xf0\x7f"))
	f.Add("INT16", "is_paid", 2, []byte("\x01\x00\xff\xff"))
	f.Add("BYTES", "plan", 2, []byte("\x01\x00\x00\x00a\x02\x00\x00\x00\xff\xfe"))
	f.Add("BYTES", "user_id", 1, []byte("\xff\xff\xff\xff"))
	model := newInputs(summing{"v1"})
	f.Fuzz(func(t *testing.T, datatype, name string, rows int, data []byte) {
		document, err := json.Marshal(map[string]any{"inputs": []any{map[string]any{"name": name, "datatype": datatype, "shape": []int{rows}, "parameters": map[string]any{"binary_data_size": len(data)}}}})
		if err != nil {
			t.Fatal(err)
		}
		infer(t, model, string(document), string(data))
	})
}

// Every datatype of numbers has a width.
func TestNumberTypesHaveAWidth(t *testing.T) {
	for _, name := range numberTypes() {
		if widthOf(name) == 0 {
			t.Errorf("%s has none", name)
		}
	}
	if widthOf(typeBytes) != 0 {
		t.Error("texts have one")
	}
}

// infer reads a request and checks what came of it.
func infer(t *testing.T, model *inputs, head, tail string) {
	t.Helper()
	var w work
	var q inference
	w.body = []byte(head)
	w.open(w.body, false)
	if w.inference(&q) != nil || q.split([]byte(tail)) != nil || q.fill(model, &w) != nil {
		return
	}
	if q.rows > maxRows || len(q.numeric) != q.rows*len(model.numeric) || len(q.categorical) != q.rows*len(model.categorical) || q.users != nil && len(q.users) != q.rows {
		t.Errorf("%d rows, %d numbers, %d texts, %d users", q.rows, len(q.numeric), len(q.categorical), len(q.users))
	}
	for _, x := range q.numeric {
		if math.IsInf(x, 0) {
			t.Error("an infinity got through")
		}
	}
	for _, x := range append(q.users, q.categorical...) {
		if !utf8.ValidString(x) || utf8.RuneCountInString(x) > maxText {
			t.Errorf("the text %q got through", x)
		}
	}
}
