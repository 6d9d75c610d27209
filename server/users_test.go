package server

import (
	"context"
	"encoding/json"
	"net/url"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// scored is a server.Users with one user, which remembers what it was asked.
type scored struct {
	noUsers
	asked Query
	err   error
}

func (s *scored) snapshot() Snapshot {
	return Snapshot{AsOf: "2026-04-30", Version: "v0003", FeatureSet: "fp", Digest: "d", Users: 1, Scored: time.Date(2026, 5, 1, 6, 0, 0, 0, time.UTC)}
}

func (s *scored) Snapshot(context.Context) (Snapshot, error) { return s.snapshot(), s.err }

func (s *scored) Find(_ context.Context, id string) (User, Snapshot, error) {
	if id != "a/b é%" {
		return User{}, Snapshot{}, ErrNoUser
	}
	return User{ID: id, Risk: 0.25, Rank: 1, AsOf: "2026-04-30", Version: "v0003", Reasons: []string{"no activity in 5 days"}}, s.snapshot(), nil
}

func (s *scored) List(_ context.Context, q Query) (Page, error) {
	s.asked = q
	return Page{Users: []User{{ID: "1", Reasons: []string{}}}, Cursor: "next", Total: 7, Snapshot: s.snapshot()}, s.err
}

func newScored(t *testing.T) (*fixture, *scored) {
	users := &scored{}
	return newFixture(t, func(o *Options) {
		o.Users = users
		o.Now = func() time.Time { return time.Date(2026, 5, 3, 6, 0, 1, 0, time.UTC) }
	}), users
}

// Every answer says which model, features and day it is of, and how old it is.
func TestUser(t *testing.T) {
	f, _ := newScored(t)
	w := f.ask("GET", "/users/"+url.PathEscape("a/b é%"), "", "X-Request-Id", "r1")
	var got map[string]any
	if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil || w.Code != 200 {
		t.Fatalf("%d %s: %v", w.Code, w.Body, err)
	}
	want := map[string]any{"user_id": "a/b é%", "as_of_date": "2026-04-30", "churn_risk": 0.25, "risk_rank": 1.0, "risk_tier": "", "plan": "", "is_paid": false, "country": "",
		"marketing_source": "", "days_since_signup": 0.0, "days_since_last_activity": nil, "reasons": []any{"no activity in 5 days"}, "model_version": "v0003",
		"feature_set": "fp", "scored_at": "2026-05-01T06:00:00Z", "snapshot_age_days": 3.0, "snapshot_age_seconds": 172801.0, "request_id": "r1"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	f.wantProblem(t, 404, "GET", "/users/nobody", "")
}

func TestUsers(t *testing.T) {
	f, users := newScored(t)
	w := f.ask("GET", "/users?tier=high&plan=paid&country=DE&marketing_source=ads&search=1&sort=user_id&limit=7&cursor=c", "")
	if want := (Query{Tier: "high", Plan: "paid", Country: "DE", Source: "ads", Search: "1", Sort: "user_id", Limit: 7, Cursor: "c"}); users.asked != want {
		t.Errorf("asked %+v, want %+v", users.asked, want)
	}
	var got UsersAnswer
	if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil || w.Code != 200 {
		t.Fatalf("%d %s: %v", w.Code, w.Body, err)
	}
	if got.Total != 7 || got.Cursor != "next" || len(got.Users) != 1 || got.Version != "v0003" || got.AsOf != "2026-04-30" || got.FeatureSet != "fp" || got.AgeDays != 3 || got.RequestID == "" {
		t.Errorf("got %+v", got)
	}
}

// What cannot be answered is the problem that it is, and names the parameter.
func TestUsersProblems(t *testing.T) {
	f, users := newScored(t)
	for path, field := range map[string]string{"/users?teir=high": "?teir", "/users?limit=0": "?limit", "/users?limit=ten": "?limit", "/users?tier=low&tier=high": "?tier"} {
		if p := f.wantProblem(t, 422, "GET", path, ""); len(p.Errors) != 1 || p.Errors[0].Field != field {
			t.Errorf("%s: %+v, want a fault of %s", path, p, field)
		}
	}
	for err, status := range map[error]int{ErrNoSnapshot: 503, ErrNotInUse: 503, ErrCursorExpired: 410} {
		users.err = err
		f.wantProblem(t, status, "GET", "/users", "")
	}
	empty := newFixture(t, nil)
	empty.wantProblem(t, 503, "GET", "/users/1", "")
	empty.wantProblem(t, 503, "GET", "/users", "")
}

// Any query: one that says what it was given, or faults that name a parameter.
func FuzzReadQuery(f *testing.F) {
	f.Add("tier=high&limit=10&cursor=abc")
	f.Add("limit=-1&limit=2&shoe=1")
	f.Add("search=%ff%00&sort=risk;x=1")
	f.Fuzz(func(t *testing.T, raw string) {
		values, err := url.ParseQuery(raw)
		if err != nil {
			return
		}
		q, faults := readQuery(values)
		for _, fault := range faults {
			if fault.Field[0] != '?' || fault.Expected == "" {
				t.Errorf("%+v", fault)
			}
		}
		if len(faults) == 0 && (q.Limit < 0 || q.Search != values.Get("search") || q.Cursor != values.Get("cursor") || q.Tier != values.Get("tier")) {
			t.Errorf("%q: %+v", raw, q)
		}
	})
}
