package parity

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"path"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"churn/pipeline/source"
)

// standIn plays the coordinator of a Trino that has so many users, each with
// one login, and no other rows. It answers every question of the engine in
// pages, the first of which has no rows, as Trino does.
type standIn struct {
	*httptest.Server
	users  int
	answer func(query string) *asked
	fault  func(q *asked, page int, w http.ResponseWriter, r *http.Request) bool // takes over the answer of a page

	mu      sync.Mutex
	queries []*asked
	killed  []string
}

// asked is a query. Its answer is pages of rows.
type asked struct {
	id, kind string
	columns  []string
	pages    [][][]any
	ended    bool // the last page was given
}

const rowsPerPage = 5

func newStandIn(t *testing.T) *standIn {
	s := &standIn{users: 30, fault: func(*asked, int, http.ResponseWriter, *http.Request) bool { return false }}
	s.answer, s.Server = s.asks, httptest.NewServer(s)
	t.Cleanup(s.Close)
	return s
}

// at is where the tables are. A request is repeated once.
func (s *standIn) at() source.Params {
	return source.Params{Kind: source.KindTrino, URL: strings.Replace(s.URL, "//", "//reader@", 1) + "?catalog=lake&schema=portal&request_retry_max_attempts=2", Users: "users", Events: "events"}
}

func (s *standIn) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case r.Method == http.MethodDelete:
		s.killed = append(s.killed, path.Base(r.URL.Path))
		w.WriteHeader(http.StatusNoContent)
	case r.Method == http.MethodPost:
		text, err := io.ReadAll(r.Body)
		if err != nil {
			panic(err)
		}
		q := s.answer(string(text))
		q.id = fmt.Sprintf("20260601_000000_%05d_tests", len(s.queries))
		s.queries = append(s.queries, q)
		s.give(w, q, 0, nil)
	default: // /v1/statement/executing/ID/PAGE
		number, err := strconv.Atoi(path.Base(r.URL.Path))
		if err != nil {
			panic(err)
		}
		id := path.Base(path.Dir(r.URL.Path))
		q := s.queries[slices.IndexFunc(s.queries, func(q *asked) bool { return q.id == id })]
		if s.fault(q, number, w, r) {
			return
		}
		var rows [][]any
		if number > 1 && number-2 < len(q.pages) {
			rows = q.pages[number-2]
		}
		s.give(w, q, number, rows)
	}
}

// give answers with a page. Page 0 is the answer to the statement, page 1 has
// the columns, and rows follow from page 2.
func (s *standIn) give(w http.ResponseWriter, q *asked, number int, rows [][]any) {
	state, p := "RUNNING", map[string]any{"id": q.id}
	if number < len(q.pages)+1 {
		p["nextUri"] = fmt.Sprintf("%s/v1/statement/executing/%s/%d", s.URL, q.id, number+1)
	} else {
		state, q.ended = "FINISHED", true
	}
	if number > 0 {
		p["columns"] = q.described()
	}
	if len(rows) > 0 {
		p["data"] = rows
	}
	p["stats"] = map[string]any{"state": state}
	reply(w, p)
}

func reply(w http.ResponseWriter, answer any) {
	w.Header().Set("Content-Type", "application/json")
	if err := json.NewEncoder(w).Encode(answer); err != nil {
		panic(err)
	}
}

// described tells names and types of the columns.
func (q *asked) described() (out []any) {
	for i, name := range q.columns {
		kind := "bigint"
		if len(q.pages) > 0 {
			if _, is := q.pages[0][0][i].(string); is {
				kind = "varchar"
			}
		}
		if q.kind == "inspect" {
			name, kind, _ = strings.Cut(name, " ")
		}
		out = append(out, map[string]any{"name": name, "type": kind, "typeSignature": map[string]any{"rawType": kind, "arguments": []any{}}})
	}
	return out
}

// asks finds out what a query is about, and answers it.
func (s *standIn) asks(query string) *asked {
	is := func(part string) bool { return strings.Contains(query, part) }
	var row func(int) []any
	q, n := &asked{}, 1
	day := int64(today()) - 60
	switch {
	case is(`"users" AS q WHERE 1 = 0`):
		return &asked{kind: "inspect", columns: []string{"user_id varchar", "signup_date date", "plan varchar", "is_paid boolean", "country varchar", "marketing_source varchar"}}
	case is(`"events" AS q WHERE 1 = 0`):
		return &asked{kind: "inspect", columns: []string{"event_id varchar", "user_id varchar", "event_time timestamp", "event_type varchar", "course_id varchar", "watch_minutes double", "quiz_score double", "amount double"}}
	case is("LEFT JOIN d ON"):
		q.kind, n, row = "facts", s.users, func(i int) []any {
			return []any{strconv.Itoa(i + 1), day - 1, "free", "0", "DE", "ads", fmt.Sprint(day, ":0:0:1:0:0:0:0:go")}
		}
	case is("FROM u3 GROUP BY"):
		q.kind, n, row = "users", 2, func(i int) []any { return []any{i, 0, 0, s.users} }
	case is("GROUPING SETS"): // by fault, day, known day, course; all
		ways := [][]any{{0, 1, 1, 1}, {1, 0, 1, 1}, {1, 1, 0, 1}, {1, 1, 1, 0}, {1, 1, 1, 1}}
		q.kind, n, row = "events", len(ways), func(i int) []any { return append(ways[i], 0, 0, day, 0, day, "go", day, s.users) }
	default:
		q.kind, row = "alike", func(int) []any { return []any{0} }
	}
	var rows [][]any
	for i := range n {
		rows = append(rows, row(i))
	}
	q.columns = make([]string, len(rows[0]))
	for page := range slices.Chunk(rows, rowsPerPage) {
		q.pages = append(q.pages, page)
	}
	return q
}

// loose lists the queries that have neither ended nor been killed.
func (s *standIn) loose() (out []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, q := range s.queries {
		if !q.ended && !slices.Contains(s.killed, q.id) {
			out = append(out, q.id+" "+q.kind)
		}
	}
	return out
}
