package server

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"golang.org/x/net/html"
)

// unkind is what a page must not take for its own.
const unkind = `"><script>alert(1)</script>&amp;'`

// crowd is a server.Users that holds everybody in memory.
type crowd struct {
	noUsers
	users []User
	last  int // a page from here on is of another snapshot; 0 = never
	asked int
}

// newCrowd returns users, some with ids that nobody would wish for.
func newCrowd(n int) *crowd {
	c := &crowd{}
	odd := []string{unkind, "../../etc", "..", "javascript:alert(1)", "=cmd|' /C calc'!A0", "+1", "-1", "@sum", "\tx", "a/b?c#d&e", "é\u202eü", "{{.}}"}
	for i := range n {
		u := User{ID: fmt.Sprint(i), AsOf: "2026-04-30", Risk: float64(n-i) / float64(n+1), Rank: i + 1, Tier: "low", Plan: "paid", Country: "DE", Source: "ads", SinceSignup: int64(i), Version: "v0003",
			Reasons: []string{"no activity in 5 days", unkind}}
		if i < len(odd) {
			u.ID, u.Country = odd[i], unkind
		}
		switch {
		case u.Risk > 0.8:
			u.Tier = "high"
		case u.Risk > 0.5:
			u.Tier = "medium"
		}
		if days := float64(i % 9); i%7 != 0 {
			u.LastActivity = &days
		}
		c.users = append(c.users, u)
	}
	return c
}

func (c *crowd) snapshot() Snapshot {
	s := Snapshot{AsOf: "2026-04-30", Version: "v0003", Digest: fmt.Sprint("d", len(c.users)), Users: len(c.users), Tiers: map[string]int{}, Plans: []string{"", "free", "paid"}, Countries: []string{"DE", unkind},
		Scored: time.Date(2026, 5, 1, 6, 0, 0, 0, time.UTC)}
	for i := range c.users {
		s.Tiers[c.users[i].Tier]++
		s.MeanRisk += c.users[i].Risk / float64(len(c.users))
	}
	return s
}

func (c *crowd) Snapshot(context.Context) (Snapshot, error) { return c.snapshot(), nil }

func (c *crowd) Find(_ context.Context, id string) (User, Snapshot, error) {
	i := slices.IndexFunc(c.users, func(u User) bool { return u.ID == id })
	if i < 0 {
		return User{}, Snapshot{}, ErrNoUser
	}
	return c.users[i], c.snapshot(), nil
}

func (c *crowd) selected(q Query) (out []User) {
	for _, u := range c.users {
		if (q.Tier == "" || q.Tier == u.Tier) && (q.Country == "" || q.Country == u.Country) && strings.HasPrefix(u.ID, q.Search) {
			out = append(out, u)
		}
	}
	if q.Sort == "user_id" {
		slices.SortFunc(out, func(a, b User) int { return cmp.Compare(a.ID, b.ID) })
	}
	return out
}

func (c *crowd) List(_ context.Context, q Query) (Page, error) {
	c.asked++
	if q.Tier == "huge" {
		return Page{}, Faults{{Field: "?tier", Got: `"huge"`, Expected: "low, medium, high"}}
	}
	all, from := c.selected(q), 0
	if q.Cursor != "" {
		fmt.Sscan(q.Cursor, &from) //nolint:errcheck // it is ours
	}
	if c.last > 0 && from >= c.last {
		return Page{}, ErrCursorExpired
	}
	to := min(from+q.Limit, len(all))
	p := Page{Users: all[from:to], Total: len(all), Snapshot: c.snapshot()}
	if to < len(all) {
		p.Cursor = fmt.Sprint(to)
	}
	return p, nil
}

func (c *crowd) History(context.Context) ([]Snapshot, error) {
	now := c.snapshot()
	before, again := now, now
	before.AsOf, again.AsOf = "2026-04-16", "2026-04-23"
	before.Tiers = map[string]int{"high": 1, "medium": 2}
	return []Snapshot{before, again, again, now}, nil
}

// evidence is everything that pages show beside the users.
type evidence struct {
	noDossiers
	asked  Return
	refuse error
}

func (*evidence) Dossier(_ context.Context, id string) (Dossier, error) {
	if id == "nobody" {
		return Dossier{}, ErrNoUser
	}
	low, lower := 0.3, 0.2
	return Dossier{ID: id, AsOf: "2026-04-30", Risk: 0.9, Tier: "high", AtRisk: true, BaseRisk: 0.1, Usual: &lower,
		Factors: []Factor{{Theme: "recency", Text: unkind, Contribution: 1.2, Usual: &low, Values: []FactorValue{{Title: "days since the last activity", Value: "20", Usual: "3"}}},
			{Theme: "videos", Contribution: 0.4, Usual: &low, Values: []FactorValue{{Title: unkind}}}, {Theme: "plan", Text: "on a free plan", Contribution: -0.3}},
		Days:  []Day{{Date: "2026-04-02", Events: 1, Payments: 1}, {Date: "2026-04-03", Active: true, Events: 9, Logins: 2, Minutes: 31, Tickets: 1, FailedPayments: 1}},
		Risks: []PastRisk{{AsOf: "2026-04-16", Risk: 0.2, Hindsight: true}, {AsOf: "2026-04-23", Risk: 0.4, AtRisk: true}, {AsOf: "2026-04-30", Risk: 0.9, AtRisk: true}}}, nil
}

func (*evidence) Card(_ context.Context, version string) (Card, error) {
	e := func(x float64) Estimate { return Estimate{x, x - 0.1, x + 0.1} }
	return Card{Version: version, Kind: "gbdt", AsOf: "2026-03-31", WindowDays: 30, TestUsers: 9, Train: Period{First: "2026-01-01", Last: "2026-02-01", Rows: 100}, Test: Period{First: "2026-03-01", Last: "2026-03-31", Rows: 50},
		Measures: []Measure{{"pr_auc", e(0.41), e(0.32), e(0.33)}, {"brier", e(0.1), Estimate{math.NaN(), 0, 0}, e(0.2)}}, OverRule: e(0.2), ProfitOver: e(0.05), Chosen: "better", Warnings: []string{"the churn rate moved " + unkind}, Text: []byte("# Card " + unkind),
		Evaluated: &Evaluated{Rows: 50, Error: 0.01, Noise: 0.008, Bins: []CalibrationBin{{5, 4, 0.1, Estimate{0.12, 0.05, 0.2}}, {5, 4, 0.6, Estimate{0.5, 0.4, 0.7}}}, Importance: []Importance{{"f", unkind, "recency", 0.3}, {"g", "events", "activity", 0}}}}, nil
}

func (*evidence) Past(context.Context) (Past, error) {
	return Past{Production: "v0002", Previous: "v0001", Versions: []VersionHead{{Version: "v0001", Kind: "logistic", AsOf: "2026-02-28", PRAUC: math.NaN(), Served: true}, {Version: "v0003", Kind: "gbdt", AsOf: "2026-03-31", PRAUC: 0.4}, {Version: "v0002", Kind: "gbdt", AsOf: "2026-03-31", PRAUC: 0.4}},
		Moves: []Move{{Number: 1, Actor: "ann", Action: "promote", To: "v0001"}, {Number: 2, Actor: unkind, Action: "promote", From: "v0001", To: "v0002", Reason: unkind, Verdict: "REJECT", Override: true}}}, nil
}

func (e *evidence) RollBack(_ context.Context, r Return) (Move, error) {
	e.asked = r
	return Move{Number: 3, Action: "rollback", Alias: "production", From: "v0002", To: "v0001", Reason: r.Reason, Actor: r.Actor}, e.refuse
}

func (*evidence) Drifts(context.Context) ([]Drift, error) {
	feature := func(name, status string, psi float64) Drifted {
		return Drifted{Name: name, Title: name, Status: status, PSI: psi, WarnLimit: 0.1, FailLimit: 0.25, Importance: 0.2, Cells: []Cell{{"≤ 3", 0.4, 0.6}, {unkind, 0.6, 0.4}}}
	}
	of := func(date, status string) Drift {
		score, plan := feature("score", "ok", 0.01), feature("plan", "warn", 0.15)
		plan.Discounted = "as on the day the model was made " + unkind
		return Drift{AsOf: date, Version: "v0002", Status: status, Rows: 40, Users: 40, Reasons: []string{unkind}, Moved: 0.4, Failed: 0.3, Limit: 0.2, Score: &score,
			Features: []Drifted{feature("events_7d", "ok", 0.02), feature(unkind, "fail", 0.4), plan}}
	}
	return []Drift{of("2026-04-23", "ok"), of("2026-04-30", "fail")}, nil
}

func (*evidence) Alarms(context.Context) ([]Alarm, error) {
	return []Alarm{{"drift", AlarmFiring, time.Date(2026, 4, 29, 0, 0, 0, 0, time.UTC), unkind}, {"fresh", AlarmPending, time.Time{}, "late"}}, nil
}

// newBoard returns a server with all that pages can show.
func newBoard(t testing.TB, change func(*Options)) (*fixture, *crowd, *evidence) {
	users, e := newCrowd(120), &evidence{}
	f := newFixture(t, func(o *Options) {
		o.Users, o.Dossiers = users, e
		o.Pages = Pages{Worth: Worth{100, 5, 0.3, 50}, Cards: e, Ledger: e, Drifts: e, Alarms: e}
		o.Now = func() time.Time { return time.Date(2026, 5, 3, 6, 0, 1, 0, time.UTC) }
		if change != nil {
			change(o)
		}
	})
	return f, users, e
}

// A feature that fails and does not count says why, in the table and where it is chosen.
func TestDriftPageSaysWhatDoesNotCount(t *testing.T) {
	f, _, _ := newBoard(t, nil)
	for path, want := range map[string]string{"/drift": "<small>as on the day the model was made", "/drift?feature=plan": " · does not count: as on the day the model was made"} {
		if page := f.ask("GET", path, "").Body.String(); !strings.Contains(page, want) {
			t.Errorf("%s does not say %q", path, want)
		}
	}
}

func boardPaths(users *crowd) []string {
	paths := []string{"/", "/at-risk", "/at-risk?search=1&sort=user_id&tier=high", "/at-risk?tier=&search=", "/model-card", "/drift", "/drift?feature=" + url.QueryEscape(unkind), "/drift?feature=none"}
	for i := range 12 {
		paths = append(paths, "/user?id="+url.QueryEscape(users.users[i].ID))
	}
	return paths
}

// pageFaults returns what is wrong with a page whatever it shows: scripts, styles
// and events of its own, links out of the house, numbers that are none.
func pageFaults(page string) (out []string) {
	for _, mark := range []string{"NaN", "Inf%", "%!", "ZgotmplZ", "<no value>", "undefined", "0001"} {
		if strings.Contains(strings.ReplaceAll(page, "v0001", ""), mark) {
			out = append(out, "contains "+mark)
		}
	}
	root, err := html.Parse(strings.NewReader(page))
	if err != nil {
		return append(out, err.Error())
	}
	seen := map[string]int{}
	for n := range root.Descendants() {
		if n.Type != html.ElementNode {
			continue
		}
		seen[n.Data]++
		for _, a := range n.Attr {
			switch {
			case a.Key == "style" || strings.HasPrefix(a.Key, "on"):
				out = append(out, n.Data+" has "+a.Key)
			case (a.Key == "href" || a.Key == "src" || a.Key == "action") && !strings.HasPrefix(a.Val, "/") && !strings.HasPrefix(a.Val, "#"):
				out = append(out, n.Data+" leads to "+a.Val)
			case (a.Key == "href" || a.Key == "src" || a.Key == "action") && strings.HasPrefix(a.Val, "//"):
				out = append(out, n.Data+" leads to "+a.Val)
			}
		}
	}
	for element, want := range map[string]int{"script": 1, "style": 0, "h1": 1, "main": 1, "title": -1, "iframe": 0, "img": 0} {
		if want >= 0 && seen[element] != want {
			out = append(out, fmt.Sprintf("%d of %s, want %d", seen[element], element, want))
		}
	}
	return out
}

func TestPagesAreSound(t *testing.T) {
	f, users, _ := newBoard(t, nil)
	bare := newFixture(t, nil)
	empty := newFixture(t, func(o *Options) { o.Models = &models{} })
	for name, f := range map[string]*fixture{"full": f, "bare": bare, "empty": empty} {
		for _, path := range boardPaths(users) {
			w := f.ask("GET", path, "")
			user := strings.HasPrefix(path, "/user")
			if w.Code != 200 && !(user && w.Code == 404 && name != "full") {
				t.Errorf("%s %s: %d %s", name, path, w.Code, w.Body)
			}
			for _, fault := range pageFaults(w.Body.String()) {
				t.Errorf("%s %s: %s", name, path, fault)
			}
		}
	}
	if log := f.log.String(); strings.Contains(log, "level=ERROR") || strings.Contains(log, "script") {
		t.Error(log)
	}
}

// The mutants: each spoils a page in a way that pageFaults must see.
func TestPageFaultsAreSeen(t *testing.T) {
	f, _, _ := newBoard(t, nil)
	page := f.ask("GET", "/", "").Body.String()
	for _, m := range []struct{ name, from, to string }{
		{"a name is not escaped", "no activity in 5 days", unkind}, {"a style", "<h1>", `<h1 style="x">`}, {"an event", "<h1>", `<h1 onclick="x">`}, {"a link out", `href="/docs"`, `href="https://example.com"`},
		{"a link out without a scheme", `href="/docs"`, `href="//example.com"`}, {"a link that runs", `href="/docs"`, `href="javascript:x"`}, {"no number", "2026", "NaN"}, {"two heads", "</h1>", "</h1><h1></h1>"},
	} {
		spoiled := strings.Replace(page, m.from, m.to, 1)
		if spoiled == page {
			t.Errorf("%s: the mutant changes nothing", m.name)
		}
		if len(pageFaults(spoiled)) == 0 {
			t.Errorf("%s: not seen", m.name)
		}
	}
}

// Whatever a user is called, the list leads to the page about exactly this one.
func TestEveryUserHasAPage(t *testing.T) {
	f, users, _ := newBoard(t, nil)
	root, err := html.Parse(f.ask("GET", "/at-risk", "").Body)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for n := range root.Descendants() {
		if n.Data == "a" && len(n.Attr) == 1 && strings.HasPrefix(n.Attr[0].Val, "/user?") {
			w := f.ask("GET", n.Attr[0].Val, "")
			page, _ := html.Parse(w.Body)
			for h := range page.Descendants() {
				if h.Data == "h1" {
					got = append(got, strings.TrimPrefix(h.FirstChild.Data, "User "))
				}
			}
		}
	}
	var want []string
	for i := range listLimit {
		want = append(want, users.users[i].ID)
	}
	if diff := gocmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

// Where something is missing, the page says which command makes it.
func TestPagesSayWhatToDo(t *testing.T) {
	f := newFixture(t, func(o *Options) { o.Models = &models{} })
	for path, commands := range map[string][]string{"/": {"churn run-all", "churn score", "churn promote", "churn monitor drift", "No alarms are kept yet"}, "/at-risk": {"churn score"},
		"/model-card": {"churn train", "churn promote", "churn registry history"}, "/drift": {"churn monitor drift"}} {
		page := f.ask("GET", path, "").Body.String()
		for _, c := range commands {
			if !strings.Contains(page, c) {
				t.Errorf("%s does not say %q", path, c)
			}
		}
	}
}

// What cannot be read of models and monitors takes the list from nobody.
func TestPagesLiveWithoutEvidence(t *testing.T) {
	f, _, _ := newBoard(t, func(o *Options) {
		b := broken{}
		o.Pages.Cards, o.Pages.Ledger, o.Pages.Drifts, o.Pages.Alarms = b, b, b, b
	})
	for _, path := range []string{"/", "/model-card"} {
		w := f.ask("GET", path, "")
		if w.Code != 200 || !strings.Contains(w.Body.String(), "cannot be read now") || strings.Contains(w.Body.String(), "/secret/path") {
			t.Errorf("%s: %d %s", path, w.Code, w.Body)
		}
	}
	if !strings.Contains(f.log.String(), "/secret/path") {
		t.Error("the log does not say why")
	}
	if w := f.ask("GET", "/drift", ""); w.Code != 500 || !strings.Contains(w.Header().Get("Content-Type"), "text/html") || strings.Contains(w.Body.String(), "/secret/path") {
		t.Errorf("/drift: %d %s", w.Code, w.Body)
	}
}

// broken fails at everything.
type broken struct{ noEvidence }

var errBroken = errors.New("open /secret/path: no")

func (broken) Card(context.Context, string) (Card, error) { return Card{}, errBroken }
func (broken) Past(context.Context) (Past, error)         { return Past{}, errBroken }
func (broken) Drifts(context.Context) ([]Drift, error)    { return nil, errBroken }
func (broken) Alarms(context.Context) ([]Alarm, error)    { return nil, errBroken }

// The law: what calling brings is what adding up the users one by one gives.
func TestProspect(t *testing.T) {
	for _, w := range []Worth{{100, 5, 0.3, 50}, {100, 29, 0.3, 50}, {100, 5, 0.3, 1000}, {40, 2, 0.5, 1}} {
		f, users, _ := newBoard(t, func(o *Options) { o.Pages.Worth = w })
		users.users = newCrowd(2*listStep + 77).users
		snapshot := users.snapshot()
		got, err := f.prospect(t.Context(), &snapshot)
		if err != nil {
			t.Fatal(err)
		}
		calls, gain, leavers := 0, 0.0, 0.0
		for _, u := range users.users {
			leavers += u.Risk
			if brings := u.Risk*w.SuccessRate*w.KeptCustomer - w.ContactCost; brings >= 0 && calls < w.Capacity {
				calls, gain = calls+1, gain+brings
			}
		}
		if got.Calls != calls || math.Abs(got.Gain-gain) > 1e-6 || math.Abs(got.Leavers-leavers) > 1e-6 || math.Abs(got.AtStake-leavers*w.KeptCustomer) > 1e-6 {
			t.Errorf("%+v: got %+v, want %d calls that bring %v, %v leavers", w, got, calls, gain, leavers)
		}
		asked := users.asked
		if again, _ := f.prospect(t.Context(), &snapshot); again != got || users.asked != asked {
			t.Error("it was not kept")
		}
		snapshot.Digest = "another"
		if f.prospect(t.Context(), &snapshot); users.asked == asked { //nolint:errcheck // it did before
			t.Error("another snapshot was not looked at")
		}
	}
}

// The law: the export is all users of the selection in its order, whatever the
// pages of the list are, and no cell is a formula.
func TestExport(t *testing.T) {
	f, users, _ := newBoard(t, nil)
	users.users = newCrowd(2*listStep + 123).users
	for _, c := range []struct {
		path string
		q    Query
	}{{"/at-risk.csv", Query{}}, {"/at-risk.csv?tier=high", Query{Tier: "high"}}, {"/at-risk.csv?search=1&sort=user_id&country=DE&limit=3&cursor=7", Query{Search: "1", Sort: "user_id", Country: "DE"}}, {"/at-risk.csv?search=nobody", Query{Search: "nobody"}}} {
		w := f.ask("GET", c.path, "")
		rows, err := csv.NewReader(w.Body).ReadAll()
		if err != nil || w.Code != 200 {
			t.Fatalf("%s: %d %v", c.path, w.Code, err)
		}
		want := [][]string{exportColumns()}
		for _, u := range users.selected(c.q) {
			want = append(want, exportRow(&u))
		}
		if diff := gocmp.Diff(want, rows); diff != "" {
			t.Errorf("%s (-want +got)\n%s", c.path, diff)
		}
		for _, row := range rows[1:] {
			for _, cell := range row {
				if cell != "" && strings.Contains("=+-@\t\r\n", cell[:1]) {
					t.Errorf("%s: the cell %q is a formula", c.path, cell)
				}
			}
		}
		if got := w.Header().Get("Content-Disposition"); got != `attachment; filename="churn_at_risk_2026-04-30.csv"` {
			t.Error(got)
		}
	}
	for path, status := range map[string]int{"/at-risk.csv?tier=huge": 422, "/at-risk.csv?teir=low": 422} {
		if w := f.ask("GET", path, ""); w.Code != status || w.Header().Get("Content-Disposition") != "" {
			t.Errorf("%s: %d", path, w.Code)
		}
	}
}

// A user is in the export as in the list, but for the apostrophe.
func TestExportRow(t *testing.T) {
	days := 4.0
	u := User{ID: "=1+1", AsOf: "2026-04-30", Risk: 0.25, Rank: 3, Tier: "medium", Plan: "paid", Paid: true, Country: "@DE", Source: "ads", SinceSignup: 7, LastActivity: &days, Reasons: []string{"+1", "b", "c", "d"}, Version: "v0003"}
	want := []string{"'=1+1", "2026-04-30", "paid", "1", "'@DE", "ads", "7", "4", "0.25", "3", "medium", "'+1", "b", "c", "v0003"}
	if diff := gocmp.Diff(want, exportRow(&u)); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

// Scored anew while it is written, an export is cut off: half of it must not pass
// for the whole.
func TestExportIsCutOff(t *testing.T) {
	f, users, _ := newBoard(t, func(o *Options) { o.Now = time.Now })
	users.users, users.last = newCrowd(3*listStep).users, 2*listStep
	s := httptest.NewServer(f.Handler())
	defer s.Close()
	answer, err := http.Get(s.URL + "/at-risk.csv")
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	if text, err := io.ReadAll(answer.Body); err == nil {
		t.Errorf("%d bytes without an error", len(text))
	}
}

// The parts of the list together are the list, and every link keeps the selection.
func TestListPages(t *testing.T) {
	f, users, _ := newBoard(t, nil)
	path, got := "/at-risk?sort=user_id&country=DE", []string{}
	for path != "" {
		root, err := html.Parse(f.ask("GET", path, "").Body)
		if err != nil {
			t.Fatal(err)
		}
		path = ""
		for n := range root.Descendants() {
			if n.Data != "a" || n.FirstChild == nil {
				continue
			}
			href := n.Attr[0].Val
			for _, a := range n.Attr {
				if a.Key == "href" {
					href = a.Val
				}
			}
			switch {
			case strings.HasPrefix(href, "/user?"):
				got = append(got, n.FirstChild.Data)
			case n.FirstChild.Data == "Next page":
				path = href
			case strings.HasPrefix(href, "/at-risk?") && !strings.Contains(href, "country=DE"):
				t.Errorf("%s forgets the selection", href)
			}
		}
	}
	want := []string{}
	for _, u := range users.selected(Query{Sort: "user_id", Country: "DE"}) {
		want = append(want, u.ID)
	}
	if diff := gocmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

// Files of pages may be kept for ever, under names that change with them.
func TestAssets(t *testing.T) {
	f, _, _ := newBoard(t, func(o *Options) { o.Keys = keyLines() })
	for _, address := range []string{f.pages.style, f.pages.script, f.pages.icon} {
		w := f.ask("GET", address, "")
		if w.Code != 200 || !strings.Contains(w.Header().Get("Cache-Control"), "immutable") || w.Header().Get("Content-Type") == "" || w.Body.Len() == 0 {
			t.Errorf("%s: %d %v", address, w.Code, w.Header())
		}
		if text := strings.ReplaceAll(w.Body.String(), "http://www.w3.org/2000/svg", ""); strings.Contains(text, "http:") || strings.Contains(text, "https:") {
			t.Errorf("%s names another host", address)
		}
	}
	if w := f.ask("GET", "/assets/churn-0.css", ""); w.Code != 404 {
		t.Errorf("an older file: %d", w.Code)
	}
}

// Two keys of the tests: one may read, one may do all.
const (
	readKey, adminKey = "churn_reads", "churn_moves"
)

// keyLines returns the lines of the two keys.
func keyLines() string {
	return fmt.Sprintf("reader read %x;boss read,admin %x", sha256.Sum256([]byte(readKey)), sha256.Sum256([]byte(adminKey)))
}

// basic is the header that a browser sends.
func basic(key string) string {
	return "Basic " + base64.StdEncoding.EncodeToString([]byte("anybody:"+key))
}

// People are asked for a key by their browser and see a page; programs get a
// problem.
func TestPagesAndKeys(t *testing.T) {
	f, _, _ := newBoard(t, func(o *Options) { o.Keys = keyLines() })
	w := f.ask("GET", "/", "", "Accept", "text/html")
	if w.Code != 401 || !strings.Contains(w.Header().Get("Content-Type"), "text/html") || !strings.Contains(strings.Join(w.Header().Values("Www-Authenticate"), " "), "Basic") || strings.Contains(w.Body.String(), "2026-04-30") || strings.Contains(w.Body.String(), "v0001") {
		t.Errorf("%d %v %s", w.Code, w.Header(), w.Body)
	}
	for _, fault := range pageFaults(w.Body.String()) {
		t.Error(fault)
	}
	f.wantProblem(t, 401, "GET", "/users", "")
	for key, form := range map[string]bool{readKey: false, adminKey: true} {
		w := f.ask("GET", "/model-card", "", "Authorization", basic(key))
		if w.Code != 200 || strings.Contains(w.Body.String(), `action="/admin/rollback"`) != form || strings.Contains(w.Body.String(), `value="v0003"`) {
			t.Errorf("%s: %d, form %v", key, w.Code, !form)
		}
	}
}

func TestRollBack(t *testing.T) {
	f, _, e := newBoard(t, func(o *Options) { o.Keys = keyLines() })
	key := []string{"Authorization", basic(adminKey), "Content-Type"}
	w := f.ask("POST", "/admin/rollback", "to=v0001&reason=+it+named+the+wrong+ones+", append(key, "application/x-www-form-urlencoded")...)
	if want := (Return{"v0001", "it named the wrong ones", "key boss"}); w.Code != 303 || w.Header().Get("Location") != "/model-card#history" || e.asked != want {
		t.Errorf("form: %d %v, asked %+v", w.Code, w.Header(), e.asked)
	}
	w = f.ask("POST", "/admin/rollback", `{"reason":"x"}`, append(key, "application/json")...)
	if w.Code != 200 || e.asked.To != "previous" || !strings.Contains(w.Body.String(), `"model_in_use":"v0001"`) {
		t.Errorf("json: %d %s, asked %+v", w.Code, w.Body, e.asked)
	}
	e.asked = Return{}
	for _, c := range []struct {
		body, contentType string
		want              int
	}{{"to=v0001&reason=", "application/x-www-form-urlencoded", 422}, {`{"to":"v0001"}`, "application/json", 422}, {`{"to":"v0001","reason":"x","force":true}`, "application/json", 400}, {`{`, "application/json", 400},
		{`{"reason":"` + strings.Repeat("x", 2001) + `"}`, "application/json", 422}, {"x", "text/plain", 415}, {"", "", 415}} {
		w := f.ask("POST", "/admin/rollback", c.body, append(key, c.contentType)...)
		page := strings.Contains(w.Header().Get("Content-Type"), "text/html")
		if w.Code != c.want || page != strings.Contains(c.contentType, "form") {
			t.Errorf("%.40s: %d %s", c.body, w.Code, w.Body)
		}
	}
	if w := f.ask("POST", "/admin/rollback", "reason=x", "Authorization", basic(readKey), "Content-Type", "application/x-www-form-urlencoded"); w.Code != 403 {
		t.Errorf("who may only read: %d", w.Code)
	}
	if w := f.ask("POST", "/admin/rollback", "reason=x", append(key, "application/x-www-form-urlencoded", "Sec-Fetch-Site", "cross-site")...); w.Code != 403 {
		t.Errorf("from another site: %d", w.Code)
	}
	if e.asked != (Return{}) {
		t.Errorf("the ledger was asked %+v", e.asked)
	}
	e.refuse = Refuse(Conflict, "v0001 did not give its stored answers")
	if w := f.ask("POST", "/admin/rollback", "reason=x", append(key, "application/x-www-form-urlencoded")...); w.Code != 409 || !strings.Contains(w.Body.String(), "did not give its stored answers") {
		t.Errorf("refused: %d %s", w.Code, w.Body)
	}
}

func TestSaid(t *testing.T) {
	for text, want := range map[string]string{"run `churn score` <now>": "run <code>churn score</code> &lt;now&gt;", "`a": "<code>a</code>", "": "", unkind: "&#34;&gt;&lt;script&gt;alert(1)&lt;/script&gt;&amp;amp;&#39;"} {
		if got := string(said(text)); got != want {
			t.Errorf("%q: %s, want %s", text, got, want)
		}
	}
}

func BenchmarkOverview(b *testing.B) {
	f, _, _ := newBoard(b, nil)
	for b.Loop() {
		if w := f.ask("GET", "/", ""); w.Code != 200 {
			b.Fatal(w.Code)
		}
	}
}
