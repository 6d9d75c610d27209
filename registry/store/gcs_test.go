package store_test

import (
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"churn/registry/store"
	"churn/registry/storetest"
)

// fakeGCS answers the five calls of the JSON API as its reference says
// (cloud.google.com/storage/docs/json_api/v1/objects), in pages of three.
type fakeGCS struct {
	mu      sync.Mutex
	objects map[string]gcsObject
	busy    atomic.Int32 // so many calls more are answered with 503, having been done
}

type gcsObject struct {
	Name    string    `json:"name"`
	Size    int64     `json:"size,string"`
	Updated time.Time `json:"updated"`
	data    []byte
}

const gcsPage = 3

func (f *fakeGCS) ServeHTTP(w http.ResponseWriter, q *http.Request) {
	status, answer := f.answer(q)
	if f.busy.Add(-1) >= 0 {
		status, answer = http.StatusServiceUnavailable, nil
	}
	w.WriteHeader(status)
	w.Write(answer) //nolint:errcheck // the client would notice
}

func (f *fakeGCS) answer(q *http.Request) (status int, answer []byte) {
	body, err := io.ReadAll(q.Body)
	if err != nil {
		return http.StatusBadRequest, nil
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	query := q.URL.Query()
	escaped, single := strings.CutPrefix(q.URL.EscapedPath(), "/storage/v1/b/bucket/o/")
	name, err := url.PathUnescape(escaped)
	o, there := f.objects[name]
	switch {
	case err != nil:
		return http.StatusBadRequest, nil
	case q.Method == http.MethodPost && q.URL.Path == "/upload/storage/v1/b/bucket/o":
		return f.upload(query, body), []byte("{}")
	case q.Method == http.MethodGet && q.URL.Path == "/storage/v1/b/bucket/o":
		return http.StatusOK, f.list(query)
	case single && !there:
		return http.StatusNotFound, []byte(`{"error": {"message": "No such object"}}`)
	case single && q.Method == http.MethodGet && query.Get("alt") == "media":
		return http.StatusOK, o.data
	case single && q.Method == http.MethodDelete:
		delete(f.objects, name)
		return http.StatusNoContent, nil
	}
	return http.StatusBadRequest, []byte(`{"error": {"message": "what?"}}`)
}

func (f *fakeGCS) upload(query url.Values, body []byte) int {
	name := query.Get("name")
	_, there := f.objects[name]
	switch {
	case query.Get("uploadType") != "media" || name == "":
		return http.StatusBadRequest
	case there && query.Get("ifGenerationMatch") == "0":
		return http.StatusPreconditionFailed
	}
	f.objects[name] = gcsObject{name, int64(len(body)), time.Now(), body}
	return http.StatusOK
}

func (f *fakeGCS) list(query url.Values) []byte {
	var page struct {
		Items         []gcsObject `json:"items,omitempty"`
		NextPageToken string      `json:"nextPageToken,omitempty"`
	}
	var names []string
	for name := range f.objects {
		if strings.HasPrefix(name, query.Get("prefix")) && name > query.Get("pageToken") {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	for _, name := range names[:min(len(names), gcsPage)] {
		page.Items = append(page.Items, f.objects[name])
	}
	if len(names) > gcsPage {
		page.NextPageToken = names[gcsPage-1]
	}
	text, _ := json.Marshal(page) //nolint:errcheck // plain data
	return text
}

// emulate starts the fake and points the driver to it.
func emulate(t *testing.T) *fakeGCS {
	t.Helper()
	f := &fakeGCS{objects: map[string]gcsObject{}}
	server := httptest.NewServer(f)
	t.Cleanup(server.Close)
	t.Setenv("STORAGE_EMULATOR_HOST", server.URL)
	return f
}

func TestGoogle(t *testing.T) {
	storetest.Run(t, func(t *testing.T) store.Store {
		emulate(t)
		return open(t, "gs://bucket/registry/of")
	})
}

// The law: an answer that is lost is asked for again, and does not turn a
// success into a failure, nor a failure into a success.
func TestGoogleLosesAnswers(t *testing.T) {
	f := emulate(t)
	s := open(t, "gs://bucket")
	for i, data := range []string{"first", "second"} {
		f.busy.Store(2)
		if err := s.Create(t.Context(), "a/b", []byte(data)); (err == nil) != (i == 0) || i > 0 && !errors.Is(err, fs.ErrExist) {
			t.Errorf("create %s: %v", data, err)
		}
	}
	f.busy.Store(1)
	if data, err := s.Read(t.Context(), "a/b"); string(data) != "first" || err != nil {
		t.Errorf("read %q: %v", data, err)
	}
	f.busy.Store(99)
	if _, err := s.Read(t.Context(), "a/b"); err == nil || !strings.Contains(err.Error(), "gs://bucket/a/b: status 503") {
		t.Errorf("read while nothing works: %v", err)
	}
}
