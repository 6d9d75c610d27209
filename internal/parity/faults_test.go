package parity

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"

	"churn/pipeline/prepare"
	"churn/pipeline/source"
	"churn/pipeline/validate"
	"churn/pipeline/warehouse"
)

// readStandIn runs validate and prepare. The stream is cancelled before the user of
// the given number, if any.
func readStandIn(ctx context.Context, t *testing.T, at source.Params, out prepare.Outputs, cancelAt int) (report prepare.Report, err error) {
	t.Helper()
	d := &data{zone: "UTC"}
	in, p, header := settings(t, d)
	at.Timezone = d.zone
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	db, err := warehouse.Open(ctx, at, validate.WarehouseRules(in, p))
	if err != nil {
		return report, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	result, err := validate.RunIn(ctx, db, in, p)
	if err != nil {
		return report, err
	}
	stream, err := db.Features(ctx, in.Vocabulary, result.Courses, result.Repeats, validate.CompareIDs)
	if err != nil {
		return report, err
	}
	defer stream.Close()
	return prepare.RunFrom(ctx, &breaking{stream: stream, at: cancelAt, crash: cancel}, result, in.Vocabulary, header, prepare.Params{}, out, nil)
}

// cut sends half of a body, and breaks off.
func cut(w http.ResponseWriter) bool {
	w.Header().Set("Content-Length", "1000")
	w.Write([]byte(`{"id": "x", "data": [[1, 2`)) //nolint:errcheck // it is to fail
	return true
}

func status(w http.ResponseWriter, code int) bool {
	w.WriteHeader(code)
	return true
}

func failing(w http.ResponseWriter, q *asked, name, kind string) bool {
	q.ended = true
	reply(w, map[string]any{"id": q.id, "stats": map[string]any{"state": "FAILED"}, "error": map[string]any{"errorName": name, "errorType": kind, "message": "what went wrong"}})
	return true
}

// The law: whatever goes wrong on the way, a part is never taken for the whole:
// nothing is written, the error says what to do, and no query is left running.
func TestFaultsOfTrino(t *testing.T) {
	type taker = func(s *standIn, q *asked, page int, w http.ResponseWriter, r *http.Request) bool
	on := func(kind string, number int, do taker) taker {
		return func(s *standIn, q *asked, page int, w http.ResponseWriter, r *http.Request) bool {
			return q.kind == kind && page == number && do(s, q, page, w, r)
		}
	}
	const advice = "run the same command again"
	for name, test := range map[string]struct {
		fault taker
		want  []string
	}{
		"error on page 4": {on("facts", 4, func(_ *standIn, q *asked, _ int, w http.ResponseWriter, _ *http.Request) bool {
			return failing(w, q, "REMOTE_TASK_ERROR", "INTERNAL_ERROR")
		}), []string{"REMOTE_TASK_ERROR: what went wrong", advice}},
		"too little memory": {on("facts", 4, func(_ *standIn, q *asked, _ int, w http.ResponseWriter, _ *http.Request) bool {
			return failing(w, q, "EXCEEDED_LOCAL_MEMORY_LIMIT", "INSUFFICIENT_RESOURCES")
		}), []string{"EXCEEDED_LOCAL_MEMORY_LIMIT", "narrow source.events"}},
		"error in a check": {on("users", 1, func(_ *standIn, q *asked, _ int, w http.ResponseWriter, _ *http.Request) bool {
			return failing(w, q, "PERMISSION_DENIED", "USER_ERROR")
		}), []string{"PERMISSION_DENIED", "check the tables"}},
		"killed by another": {on("facts", 5, func(_ *standIn, q *asked, _ int, w http.ResponseWriter, _ *http.Request) bool {
			return failing(w, q, "USER_CANCELLED", "USER_ERROR")
		}), []string{"somebody has cancelled", advice}},
		"cut body": {on("facts", 4, func(_ *standIn, _ *asked, _ int, w http.ResponseWriter, _ *http.Request) bool { return cut(w) }),
			[]string{"unexpected EOF", advice}},
		"half a page": {on("facts", 4, func(_ *standIn, q *asked, _ int, w http.ResponseWriter, _ *http.Request) bool {
			w.Write([]byte(`{"id": "` + q.id + `", "data": [[1, 2`)) //nolint:errcheck // the client will tell
			return true
		}), []string{"no page of Trino", advice}},
		"503": {on("facts", 4, func(_ *standIn, _ *asked, _ int, w http.ResponseWriter, _ *http.Request) bool { return status(w, 503) }),
			[]string{"HTTP status 503", advice}},
		"401": {on("facts", 4, func(_ *standIn, _ *asked, _ int, w http.ResponseWriter, _ *http.Request) bool { return status(w, 401) }),
			[]string{"HTTP status 401", "check user and password"}},
		"page of nothing": {on("facts", 4, func(_ *standIn, _ *asked, _ int, w http.ResponseWriter, _ *http.Request) bool {
			reply(w, map[string]any{})
			return true
		}), []string{"has no id of a query", advice}},
		"no next page": {on("facts", 4, func(_ *standIn, q *asked, _ int, w http.ResponseWriter, _ *http.Request) bool {
			reply(w, map[string]any{"id": q.id, "stats": map[string]any{"state": "RUNNING"}})
			return true
		}), []string{`ended in state "RUNNING"`, advice}},
		"pages without users":   {withoutRows("facts"), []string{"other users than were accepted", "run again"}},
		"pages without counts":  {withoutRows("users"), []string{"its answer was cut", "run again"}},
		"pages without events":  {withoutRows("events"), []string{"its answer was cut", "run again"}},
		"pages without numbers": {withoutRows("alike"), []string{"0 rows in answer"}},
		"a way of counting less": {func(s *standIn, q *asked, page int, w http.ResponseWriter, _ *http.Request) bool {
			if q.kind == "events" && page == 2 {
				s.give(w, q, page, append(q.pages[0][:1:1], q.pages[0][2:]...))
				return true
			}
			return false
		}, []string{"30 events in all, 0 by day", "run again"}},
		"a user less": {func(s *standIn, q *asked, page int, w http.ResponseWriter, _ *http.Request) bool {
			if q.kind == "facts" && page == 7 {
				s.give(w, q, page, q.pages[5][:4])
				return true
			}
			return false
		}, []string{"other users than were accepted", "run again"}},
		"a user more": {func(s *standIn, q *asked, page int, w http.ResponseWriter, _ *http.Request) bool {
			if q.kind == "facts" && page == 7 {
				more := append([]any{"31"}, q.pages[5][4][1:]...)
				s.give(w, q, page, append(q.pages[5][:5:5], more))
				return true
			}
			return false
		}, []string{"other users than were accepted", "run again"}},
		"a page twice": {func(s *standIn, q *asked, page int, w http.ResponseWriter, _ *http.Request) bool {
			if q.kind == "facts" && page == 4 {
				s.give(w, q, page, q.pages[1])
				return true
			}
			return false
		}, []string{"the database orders users in another way"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newStandIn(t)
			s.fault = func(q *asked, page int, w http.ResponseWriter, r *http.Request) bool {
				return test.fault(s, q, page, w, r)
			}
			err := s.breaks(t.Context(), t, 0)
			for _, want := range test.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%v\nwant %q", err, want)
				}
			}
		})
	}
}

// withoutRows takes all rows out of the answers to a query, whose pages go on
// to a regular end.
func withoutRows(kind string) func(s *standIn, q *asked, page int, w http.ResponseWriter, r *http.Request) bool {
	return func(s *standIn, q *asked, page int, w http.ResponseWriter, _ *http.Request) bool {
		if q.kind == kind {
			s.give(w, q, page, nil)
		}
		return q.kind == kind
	}
}

// breaks returns why the stand-in could not be read, and fails if it could, or
// if something is left behind.
func (s *standIn) breaks(ctx context.Context, t *testing.T, cancelAt int) error {
	t.Helper()
	out := outputs(t.TempDir())
	report, err := readStandIn(ctx, t, s.at(), out, cancelAt)
	if err == nil {
		t.Fatalf("a part was taken for the whole: %+v", report)
	}
	if left := filesBeside(out.Timelines); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
	if left := s.loose(); len(left) > 0 {
		t.Errorf("left running: %v", left)
	}
	return err
}

// The law: what passes is not felt.
func TestStandInForTrino(t *testing.T) {
	first := ""
	for name, fault := range map[string]func(w http.ResponseWriter) bool{
		"nothing": func(http.ResponseWriter) bool { return false },
		"cut":     cut,
		"503":     func(w http.ResponseWriter) bool { return status(w, 503) },
	} {
		s, done := newStandIn(t), map[string]bool{}
		s.fault = func(q *asked, page int, w http.ResponseWriter, r *http.Request) bool {
			again := page != 4 || done[r.URL.Path] // of long answers one page fails once
			done[r.URL.Path] = true
			return !again && fault(w)
		}
		report, err := readStandIn(t.Context(), t, s.at(), outputs(t.TempDir()), 0)
		if err != nil || report.Users != 30 || report.Events != 30 {
			t.Fatalf("%s: %+v, %v", name, report, err)
		}
		if first == "" {
			first = report.Timelines.SHA256
		}
		if report.Timelines.SHA256 != first {
			t.Errorf("%s: other timelines", name)
		}
		if left := s.loose(); len(left) > 0 || len(s.killed) > 0 {
			t.Errorf("%s: running %v, killed %v", name, left, s.killed)
		}
	}
}

// The law: a query that nobody reads any more is killed by its id, be it
// cancelled between rows, with or without a page on its way, or while a page is
// awaited.
func TestCancelKillsQueryOfTrino(t *testing.T) {
	for name, test := range map[string]struct {
		user, page int // cancelled before that user; a page that does not come
	}{"between rows": {8, 0}, "between rows, a page on its way": {8, 5}, "while waiting": {0, 4}} {
		t.Run(name, func(t *testing.T) {
			s := newStandIn(t)
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			s.fault = func(q *asked, page int, _ http.ResponseWriter, r *http.Request) bool {
				if q.kind != "facts" || page != test.page {
					return false
				}
				if test.user == 0 {
					cancel()
				}
				s.mu.Unlock() // so that the kill is heard
				<-r.Context().Done()
				s.mu.Lock()
				return true
			}
			if err := s.breaks(ctx, t, test.user); !errors.Is(err, context.Canceled) {
				t.Error(err)
			}
			s.mu.Lock()
			defer s.mu.Unlock()
			q := s.queries[len(s.queries)-1]
			if q.kind != "facts" || len(s.killed) == 0 || s.killed[0] != q.id {
				t.Errorf("killed %v, want %s (%s)", s.killed, q.id, q.kind)
			}
		})
	}
}

// No error has a password in it, and none goes over the wire in clear.
func TestTrinoHidesPasswords(t *testing.T) {
	s := newStandIn(t)
	at := s.at()
	at.URL = strings.Replace(at.URL, "reader@", "reader:s3cret@", 1)
	if err := at.Validate(); err == nil || !strings.Contains(err.Error(), "https only") || strings.Contains(err.Error(), "s3cret") {
		t.Errorf("%v", err)
	}
	for _, address := range []string{
		"https://reader:s3cret@127.0.0.1:1?request_retry_max_attempts=1", "http://127.0.0.1:1?accessToken=s3cret&request_retry_max_attempts=1",
		"http://127.0.0.1:1?extra_credentials=s3cret", "https://127.0.0.1:1?SSLClientKey=s3cret", "http://127.0.0.1:1?query_timeout=s3cret", "http://reader:s3cret@127.0.0.1:1",
	} {
		at.URL = address
		_, err := readStandIn(t.Context(), t, at, outputs(t.TempDir()), 0)
		if err == nil || strings.Contains(err.Error(), "s3cret") || !strings.Contains(err.Error(), "source.kind: trino") {
			t.Errorf("%s: %v", address, err)
		}
		if place := at.Place("users"); strings.Contains(place, "s3cret") {
			t.Error(place)
		}
	}
}
