package server

import (
	"bytes"
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// contract is the description that a server serves, with its schemas compiled.
type contract struct {
	document object
	compiler *jsonschema.Compiler
}

// newContract reads /openapi.json as a client would.
func newContract(t *testing.T, f *fixture) *contract {
	t.Helper()
	w := f.ask("GET", "/openapi.json", "")
	document, err := jsonschema.UnmarshalJSON(bytes.NewReader(w.Body.Bytes()))
	if err != nil || w.Code != 200 {
		t.Fatalf("%d %v", w.Code, err)
	}
	c := &contract{document: document.(object), compiler: jsonschema.NewCompiler()}
	c.compiler.DefaultDraft(jsonschema.Draft2020)
	c.compiler.AssertFormat()
	if err := c.compiler.AddResource("http://test/openapi.json", document); err != nil {
		t.Fatal(err)
	}
	return c
}

// check returns how a value differs from the schema at a place in the document.
func (c *contract) check(t *testing.T, text []byte, place ...string) error {
	t.Helper()
	for i, p := range place {
		place[i] = strings.NewReplacer("~", "~0", "/", "~1", "{", "%7B", "}", "%7D").Replace(p)
	}
	schema, err := c.compiler.Compile("http://test/openapi.json#/" + strings.Join(place, "/"))
	if err != nil {
		t.Fatal(err)
	}
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		return err
	}
	return schema.Validate(value)
}

// has reports whether the document has something at a place.
func (c *contract) has(place ...string) bool {
	at := c.document
	for _, p := range place {
		next, ok := at[p].(object)
		if !ok {
			return false
		}
		at = next
	}
	return true
}

// The law: handler and description agree. Each answer, of whatever status, is
// of a status, a content type and a schema that the description lists; and what
// the schemas of requests refuse, the handlers refuse, and the other way round.
func TestContract(t *testing.T) {
	f, _ := predicting(t, true)
	c := newContract(t, f)
	for _, x := range []struct {
		method, path, of, body string
		status                 int
	}{
		{"POST", "/predict", "/predict", `{"user_id":"u","features":{"events_7d":1,"plan":"free","is_paid":true,"quiz_avg_score":null}}`, 200},
		{"POST", "/predict", "/predict", `{"user_id":"u","features":{"events_7d":-1}}`, 422},
		{"POST", "/predict", "/predict", `{"user_id":"u","features":{"is_paid":0.5}}`, 422},
		{"POST", "/predict", "/predict", `{"user_id":"u","features":{"quiz_avg_score":101}}`, 422},
		{"POST", "/predict", "/predict", `{"user_id":12345678901234567890,"snapshot_date":"2026-04-30","features":{}}`, 200},
		{"POST", "/predict", "/predict", `{"user_id":"u","snapshot_date":null,"features":{}}`, 200},
		{"POST", "/predict", "/predict", `{"user_id":"","features":{}}`, 422},
		{"POST", "/predict", "/predict", `{"user_id":"u","snapshot_date":"","features":{}}`, 422},
		{"POST", "/predict", "/predict", `{"user_id":"u","snapshot_date":"2026-02-30","features":{}}`, 422},
		{"POST", "/predict", "/predict", `{"user_id":"` + strings.Repeat("ü", maxText) + `","features":{}}`, 200},
		{"POST", "/predict", "/predict", `{"user_id":"` + strings.Repeat("ü", maxText+1) + `","features":{}}`, 422},
		{"POST", "/predict", "/predict", `{"user_id":"u","features":{"plan":"` + strings.Repeat("x", maxText+1) + `"}}`, 422},
		{"POST", "/predict", "/predict", `{"user_id":"u","features":{"events_7d":"1"}}`, 422},
		{"POST", "/predict", "/predict", `{"user_id":"u","features":{"events_7d":true}}`, 422},
		{"POST", "/predict", "/predict", `{"user_id":"u","features":{"events_7d":1e999}}`, 422},
		{"POST", "/predict", "/predict", `{"user_id":"u","features":{"shoes":1}}`, 422},
		{"POST", "/predict", "/predict", `{"user_id":"u"}`, 422},
		{"POST", "/predict", "/predict", `[]`, 422},
		{"POST", "/predict", "/predict", `{`, 400},
		{"POST", "/predict/batch", "/predict/batch", `{"instances":[{"user_id":"u","features":{}}]}`, 200},
		{"POST", "/predict/batch", "/predict/batch", `{"instances":[]}`, 200},
		{"POST", "/predict/batch", "/predict/batch", `{"instances":{}}`, 422},
		{"POST", "/predict/batch", "/predict/batch", `{}`, 422},
		{"POST", "/predict/batch", "/predict/batch", `{"instances":[` + strings.Repeat("1,", maxRows) + `1]}`, 413},
		{"POST", "/predict/events", "/predict/events", `{"user":{"user_id":1,"signup_date":"2026-01-01","plan":"free","is_paid":0},"events":[{"event_id":1,"event_time":"2026-01-02T00:00:00","event_type":"login"}]}`, 200},
		{"POST", "/predict/events", "/predict/events", `{"user":{"user_id":[],"signup_date":"2026-01-01","plan":"free","is_paid":0},"events":[]}`, 422},
		{"POST", "/predict/events", "/predict/events", `{"user":{}}`, 422},
		{"POST", "/predict/events", "/predict/events", `{"user":{"user_id":"","signup_date":"2026-01-01","plan":"free","is_paid":0},"events":[]}`, 422},
		{"GET", "/users", "/users", "", 503},
		{"GET", "/users?color=red", "/users", "", 422},
		{"GET", "/users?limit=1001", "/users", "", 422},
		{"GET", "/users/u1", "/users/{id}", "", 503},
		{"GET", "/model", "/model", "", 200},
		{"POST", "/admin/reload", "/admin/reload", "", 403},
		{"GET", "/live", "/live", "", 200}, {"GET", "/ready", "/ready", "", 200}, {"GET", "/health", "/health", "", 200},
		{"GET", "/openapi.json", "/openapi.json", "", 200},
		{"GET", "/v2", "/v2", "", 200}, {"GET", "/v2/health/live", "/v2/health/live", "", 200}, {"GET", "/v2/health/ready", "/v2/health/ready", "", 200},
		{"GET", "/v2/models/churn", "/v2/models/{model}", "", 200}, {"GET", "/v2/models/x", "/v2/models/{model}", "", 404},
		{"GET", "/v2/models/churn/versions/v0007/ready", "/v2/models/{model}/versions/{version}/ready", "", 200},
		{"POST", "/v2/models/churn/infer", "/v2/models/{model}/infer", inferBody, 200},
		{"POST", "/v2/models/churn/infer", "/v2/models/{model}/infer", `{"inputs":[{"name":"plan","datatype":"TEXT","shape":[1],"data":[1]}]}`, 400},
		{"POST", "/v2/models/churn/infer", "/v2/models/{model}/infer", `{"inputs":[{"name":"shoes","datatype":"TEXT","shape":[1],"data":[1]}]}`, 400},
		{"POST", "/v2/models/churn/infer", "/v2/models/{model}/infer", `{"inputs":[{"name":"shoes","shape":[0],"data":[]}]}`, 400},
		{"POST", "/v2/models/churn/infer", "/v2/models/{model}/infer", `{"inputs":[{"name":"","datatype":"FP64","shape":[0],"data":[]}]}`, 400},
		{"POST", "/v2/models/churn/infer", "/v2/models/{model}/infer", `{"inputs":[{"name":"events_7d","datatype":"UINT64","shape":[1],"data":[1]}]}`, 200},
		{"POST", "/v2/models/churn/infer", "/v2/models/{model}/infer", `{"inputs":[]}`, 400},
	} {
		c.exchange(t, f, x.method, x.path, x.of, x.body, x.status)
	}
	f.models.current.Store(nil)
	c = newContract(t, f)
	for path, of := range map[string]string{"/ready": "/ready", "/v2/health/ready": "/v2/health/ready", "/v2/models/churn/ready": "/v2/models/{model}/ready"} {
		c.exchange(t, f, "GET", path, of, "", 503)
	}
	for path, status := range map[string]int{"/health": 200, "/model": 200} {
		c.exchange(t, f, "GET", path, path, "", status)
	}
	c.exchange(t, f, "POST", "/predict", "/predict", `{"user_id":"u","features":{}}`, 503)
}

// exchange sends one request, and compares it and its answer with the
// description.
func (c *contract) exchange(t *testing.T, f *fixture, method, path, of, body string, status int) {
	t.Helper()
	w := f.ask(method, path, body, jsonHeader, "application/json")
	what := method + " " + path + " " + clip(body)
	if w.Code != status {
		t.Errorf("%s: %d, want %d: %s", what, w.Code, status, w.Body)
		return
	}
	operation := []string{"paths", of, strings.ToLower(method)}
	media := w.Header().Get("Content-Type")
	place := append(operation, "responses", strconv.Itoa(w.Code), "content", media, "schema")
	if !c.has(place...) {
		t.Errorf("%s: the description lacks %v", what, place)
		return
	}
	if err := c.check(t, w.Body.Bytes(), place...); err != nil {
		t.Errorf("%s: the answer is not as described: %v\n%s", what, err, w.Body)
	}
	if body == "" || !json.Valid([]byte(body)) {
		return
	}
	err := c.check(t, []byte(body), "paths", of, strings.ToLower(method), "requestBody", "content", "application/json", "schema")
	if (err == nil) != (w.Code == http.StatusOK) && w.Code != http.StatusServiceUnavailable {
		t.Errorf("%s: the handler says %d, the schema %v", what, w.Code, err)
	}
}

// Every route is described, and what is described is a route.
func TestEveryRouteIsDescribed(t *testing.T) {
	f, _ := predicting(t, false)
	described := map[string]bool{}
	for _, o := range operations() {
		described[o.key] = true
		method, path, _ := strings.Cut(o.key, " ")
		if _, ok := f.find(method, path); !ok {
			t.Errorf("%s is described, but no route", o.key)
		}
	}
	for _, r := range f.routes() {
		if key := r.method + " " + r.path; !described[key] && !r.page {
			t.Errorf("%s has no description; add it to operations, or mark it as a page", key)
		}
	}
}

func TestDocs(t *testing.T) {
	f, _ := predicting(t, false)
	w := f.ask("GET", "/docs", "")
	page := w.Body.String()
	for _, want := range []string{`id="malformed"`, `id="post-predict"`, "quiz_avg_score", `id="PredictRequest"`, "POST /v2/models/{model}/infer"} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %s", want)
		}
	}
	if w.Code != 200 || strings.Contains(page, "<script") || strings.Contains(page, "style=") || strings.Contains(page, "http://") || strings.Contains(page, "https://") {
		t.Errorf("%d: the page has scripts, styles of its own or foreign addresses", w.Code)
	}
	if w := f.ask("GET", "/docs/style.css", ""); w.Code != 200 || w.Header().Get("Content-Type") != "text/css; charset=utf-8" {
		t.Errorf("%d %s", w.Code, w.Header())
	}
	for _, k := range kinds() {
		if !strings.Contains(page, `id="`+k.name+`"`) {
			t.Errorf("a problem's type leads to #%s, which the page lacks", k.name)
		}
	}
}

// The description refuses the roll-backs that the handler does.
func TestRollbackRequestIsDescribed(t *testing.T) {
	f, _ := predicting(t, false)
	c := newContract(t, f)
	for body, ok := range map[string]bool{
		`{"reason":"it named the wrong ones"}`:                   true,
		`{"to":"v0001","reason":"x"}`:                            true,
		`{"to":"v0001"}`:                                         false,
		`{"reason":" "}`:                                         false,
		`{"reason":"x","t0":"v0001"}`:                            false,
		`{"reason":"` + strings.Repeat("ü", mostReason) + `"}`:   true,
		`{"reason":"` + strings.Repeat("ü", mostReason+1) + `"}`: false,
	} {
		if err := c.check(t, []byte(body), "components", "schemas", "RollbackRequest"); (err == nil) != ok {
			t.Errorf("%s: %v", clip(body), err)
		}
		w := f.ask("POST", "/admin/rollback", body, jsonHeader, "application/json")
		if w.Code == http.StatusOK {
			t.Errorf("%s: %d without a key", clip(body), w.Code)
		}
	}
}
