package cli_test

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"churn/pipeline/score"
	"churn/server"
)

// scoredUsers returns a table of predictions as the server should say it, in the
// order of the file.
func scoredUsers(t *testing.T, path string) (out []server.User) {
	t.Helper()
	all := readCSV(t, path)
	for _, row := range all[1:] {
		at := func(name string) string { return row[slices.Index(all[0], name)] }
		number := func(name string) float64 {
			x, err := strconv.ParseFloat(at(name), 64)
			if err != nil {
				t.Fatal(err)
			}
			return x
		}
		silent := number("days_since_last_activity")
		u := server.User{ID: at("user_id"), AsOf: at("as_of_date"), Risk: number("churn_risk"), Rank: int(number("risk_rank")), Tier: at("risk_tier"), Plan: at("plan"), Paid: at("is_paid") == "1",
			Country: at("country"), Source: at("marketing_source"), SinceSignup: int64(number("days_since_signup")), LastActivity: &silent, Reasons: []string{}, Version: at("model_version")}
		for _, name := range []string{"reason_1", "reason_2", "reason_3"} {
			if text := at(name); text != "" {
				u.Reasons = append(u.Reasons, text)
			}
		}
		out = append(out, u)
	}
	return out
}

// get asks for JSON, which must be answered with 200.
func get[T any](t *testing.T, r running, path string) (v T) {
	t.Helper()
	status, body := r.ask(t, "GET", path, "")
	if err := json.Unmarshal([]byte(body), &v); err != nil || status != http.StatusOK {
		t.Fatalf("%s: %d %s (%v)", path, status, body, err)
	}
	return v
}

// pages walks a list to its end.
func pages(t *testing.T, r running, query url.Values) (out []server.User) {
	t.Helper()
	for {
		page := get[server.UsersAnswer](t, r, "/users?"+query.Encode())
		if out = append(out, page.Users...); page.Cursor == "" {
			if page.Total != len(out) {
				t.Errorf("%v: %d users, total %d", query, len(out), page.Total)
			}
			return out
		}
		query.Set("cursor", page.Cursor)
	}
}

// until waits for something that a server does soon by itself.
func until(t *testing.T, done func() bool) {
	t.Helper()
	for !done() {
		time.Sleep(20 * time.Millisecond)
	}
}

// The life of a server beside the runs of batch: what it says of users is what
// stands in the tables; a new scoring appears by itself and ends the lists of the
// one before; a table that is spoilt changes nothing; a restart builds nothing.
func TestServeUsers(t *testing.T) {
	dir, command := modelWorld(t)
	settings := command()
	latest := filepath.Join(dir, "data/predictions/batch_predictions_latest.csv")
	r := startServe(t, dir, nil, settings...)
	until(t, func() bool { status, _ := r.ask(t, "GET", "/users", ""); return status == http.StatusOK })

	users := scoredUsers(t, latest)
	byRank := slices.SortedFunc(slices.Values(users), func(a, b server.User) int { return a.Rank - b.Rank })
	low := slices.DeleteFunc(slices.Clone(users), func(u server.User) bool { return u.Tier != "low" })
	for query, want := range map[string][]server.User{"limit=17": byRank, "limit=23&tier=low&sort=user_id": low} {
		q, err := url.ParseQuery(query)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, pages(t, r, q)); diff != "" {
			t.Errorf("%s (-table +server)\n%s", query, diff)
		}
	}
	first := byRank[0]
	answer := get[server.UserAnswer](t, r, "/users/"+first.ID)
	if diff := cmp.Diff(first, answer.User); diff != "" || len(answer.FeatureSet) == 0 || answer.Scored.IsZero() {
		t.Errorf("%+v (-table +server)\n%s", answer.SnapshotHead, diff)
	}
	raw, events := rawRows(t, dir, "users"), rawRows(t, dir, "events")
	for _, u := range users {
		sameFromEvents(t, r, u, raw[u.ID][0], events[u.ID])
	}
	sameAsExplain(t, r, decoded[score.Explanation](t, dir, command("explain", first.ID)...))

	cursor := get[server.UsersAnswer](t, r, "/users?limit=5").Cursor
	earlier := decoded[score.Report](t, dir, command("score", "--as-of", day(t, first.AsOf, -7))...)
	until(t, func() bool { return get[server.UsersAnswer](t, r, "/users?limit=1").AsOf == earlier.AsOf.String() })
	if status, body := r.ask(t, "GET", "/users?limit=5&cursor="+cursor, ""); status != http.StatusGone {
		t.Errorf("an earlier cursor: %d %s", status, body)
	}
	until(t, func() bool { return len(get[server.SnapshotsAnswer](t, r, "/snapshots").Snapshots) == 2 })

	text, err := os.ReadFile(latest)
	if err != nil {
		t.Fatal(err)
	}
	writeFile(t, latest, string(text[:len(text)/2]))
	until(t, func() bool {
		writeFile(t, filepath.Join(dir, "data/predictions/hint"), "") // a look before the next poll
		return get[server.SnapshotsAnswer](t, r, "/snapshots").Predictions.Refusals == 1
	})
	if got := pages(t, r, url.Values{"limit": {"1000"}}); len(got) != earlier.Scored {
		t.Errorf("%d users after the table was cut, want %d", len(got), earlier.Scored)
	}
	if _, body := r.ask(t, "GET", "/metrics", ""); !strings.Contains(body, `churn_data_stale{data="predictions"} 1`) {
		t.Error("the metrics do not tell")
	}
	if code := r.stop(); code != 0 || !strings.Contains(r.log.String(), "does not agree with its manifest") || strings.Contains(r.log.String(), "user_id="+first.ID) {
		t.Errorf("exit code %d\n%s", code, r.log)
	}

	before := cacheFiles(t, dir)
	again := startServe(t, dir, nil, settings...)
	until(t, func() bool { status, _ := again.ask(t, "GET", "/users", ""); return status == http.StatusOK })
	if diff := cmp.Diff(before, cacheFiles(t, dir)); diff != "" {
		t.Errorf("a restart changes the cache\n%s", diff)
	}
	again.stop()
}

// rawRows returns the rows of a raw table by user.
func rawRows(t *testing.T, dir, name string) map[string][]map[string]string {
	t.Helper()
	all, out := readCSV(t, filepath.Join(dir, "data/raw", name+".csv")), map[string][]map[string]string{}
	for _, row := range all[1:] {
		record := map[string]string{}
		for i, column := range all[0] {
			record[column] = row[i]
		}
		out[record["user_id"]] = append(out[record["user_id"]], record)
	}
	return out
}

// sameFromEvents sends what the raw files have of a user, and compares the answer
// with the table of predictions, bit for bit.
func sameFromEvents(t *testing.T, r running, want server.User, user map[string]string, events []map[string]string) {
	t.Helper()
	body, err := json.Marshal(map[string]any{"user": user, "events": events, "as_of_date": want.AsOf})
	if err != nil {
		t.Fatal(err)
	}
	answer, err := http.Post(r.url+"/predict/events", "application/json", bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	var got server.EventsPrediction
	if err := json.NewDecoder(answer.Body).Decode(&got); err != nil || answer.StatusCode != http.StatusOK {
		t.Fatalf("user %s: %d, %v", want.ID, answer.StatusCode, err)
	}
	texts := []string{}
	for _, reason := range got.Reasons {
		texts = append(texts, reason.Text)
	}
	if got.Risk != want.Risk || got.Tier != want.Tier || !slices.Equal(texts, want.Reasons) || got.AsOf != want.AsOf || got.Version != want.Version {
		t.Errorf("from events %+v, in the table %+v", got.Outcome, want)
	}
}

// sameAsExplain compares a dossier with what `churn explain` says.
func sameAsExplain(t *testing.T, r running, e score.Explanation) {
	t.Helper()
	d := get[server.DossierAnswer](t, r, "/users/"+url.PathEscape(e.User)+"/dossier")
	last := d.Risks[len(d.Risks)-1]
	if d.Risk != e.Risk || d.Tier != e.Tier || d.AsOf != e.AsOf.String() || d.Version != e.Version || len(d.Factors) != len(e.Factors) || len(d.Days) == 0 || last.Risk != e.Risk || last.AsOf != d.AsOf {
		t.Errorf("the dossier %+v, explain %+v", d, e)
	}
	for i, f := range d.Factors {
		if f.Contribution != e.Factors[i].Contribution || f.Text != e.Factors[i].Text || len(f.Values) != len(e.Factors[i].Values) {
			t.Errorf("%s: %+v, explain says %+v", f.Theme, f, e.Factors[i])
		}
	}
	if status, body := r.ask(t, "GET", "/users/nobody/dossier", ""); status != http.StatusNotFound {
		t.Errorf("%d %s", status, body)
	}
}

func day(t *testing.T, date string, days int) string {
	t.Helper()
	d, err := time.Parse(time.DateOnly, date)
	if err != nil {
		t.Fatal(err)
	}
	return d.AddDate(0, 0, days).Format(time.DateOnly)
}

// cacheFiles returns when each store was written.
func cacheFiles(t *testing.T, dir string) map[string]time.Time {
	t.Helper()
	out := map[string]time.Time{}
	paths, err := filepath.Glob(filepath.Join(dir, "artifacts/cache/users-*.db"))
	if err != nil || len(paths) == 0 {
		t.Fatal(paths, err)
	}
	for _, path := range paths {
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		out[filepath.Base(path)] = info.ModTime()
	}
	return out
}
