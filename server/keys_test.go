package server

import (
	"crypto/sha256"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/labstack/echo/v4"
	"github.com/prometheus/client_golang/prometheus/testutil"
)

// newKey makes a key that must be sound.
func newKey(t *testing.T, name, expires string, scopes ...Scope) (secret, line string) {
	t.Helper()
	secret, line, err := NewKey(name, scopes, expires)
	if err != nil {
		t.Fatal(err)
	}
	return secret, line
}

// ok is a route of a scope that answers nothing.
func ok(path string, scope Scope) route {
	return route{method: "GET", path: path, scope: scope, handle: func(c echo.Context) error { return c.NoContent(200) }}
}

// The law: a key that NewKey makes is found by its secret, by no other text, at
// whatever place it stands; the line does not hold the secret.
func TestKeyRoundTrip(t *testing.T) {
	var secrets, lines []string
	for _, name := range []string{"a", "b", "b"} { // b rotates
		secret, line := newKey(t, name, "2026-12-31", ScopePredict, ScopeAdmin)
		if strings.Contains(line, secret) || len(secret) < 26 {
			t.Errorf("line %q of key %q", line, secret)
		}
		secrets, lines = append(secrets, secret), append(lines, line)
	}
	keys, err := ParseKeys("# for the clients\n\n" + strings.Join(lines, "\r\n") + "\n")
	if err != nil || len(keys) != 3 {
		t.Fatal(keys, err)
	}
	for i, secret := range secrets {
		key, ok := find(keys, secret)
		if !ok || key.Digest != sha256.Sum256([]byte(secret)) || key.Name != keys[i].Name || !key.allows(ScopeAdmin) || key.allows(ScopeRead) {
			t.Errorf("key %d: %+v, %v", i, key, ok)
		}
		for _, other := range []string{"", secret[1:], secret + "x", strings.ToLower(secret), strings.Fields(lines[i])[2]} {
			if _, ok := find(keys, other); ok {
				t.Errorf("%q passes for key %d", other, i)
			}
		}
	}
	end := time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC)
	if keys[0].expired(end.Add(-time.Second)) || !keys[0].expired(end) {
		t.Error("a date of expiry is the last day on which a key works")
	}
	if one, err := ParseKeys(lines[0] + ";" + lines[1]); err != nil || len(one) != 2 {
		t.Errorf("keys between semicolons: %v, %v", one, err)
	}
}

func TestParseKeysFaults(t *testing.T) {
	digest := strings.Repeat("0a", 32)
	for line, want := range map[string]string{
		"app predict":                           "2 words",
		"app predict " + digest + " 2026 x":     "5 words",
		"app write " + digest:                   `no scope "write"`,
		"app predict churn_SECRETSECRETSECRET":  "take it out",
		"app predict " + digest[2:]:             "64 digits",
		"app predict " + digest + " tomorrow":   "neither a date",
		"a\"pp predict " + digest:               "the name may have",
		"app predict, " + digest:                `no scope ""`,
		"app predict " + digest + " 2026-02-30": "neither a date",
	} {
		_, err := ParseKeys("# first\n" + line)
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "line 2") {
			t.Errorf("%q: %v, want %q", line, err, want)
		}
		if err != nil && strings.Contains(err.Error(), "SECRET") {
			t.Errorf("the error repeats a key: %v", err)
		}
	}
	if _, _, err := NewKey("two words", []Scope{ScopeRead}, ""); err == nil {
		t.Error("NewKey makes a line that cannot be read")
	}
}

func TestScopes(t *testing.T) {
	predict, line1 := newKey(t, "app", "", ScopePredict)
	admin, line2 := newKey(t, "ops", "", ScopeAdmin, ScopeRead)
	old, line3 := newKey(t, "old", "2020-01-01", ScopePredict)
	f := newFixture(t, func(o *Options) { o.Keys = line1 + "\n" + line2 + "\n" + line3 }, ok("/p", ScopePredict), ok("/r", ScopeRead), ok("/a", ScopeAdmin))
	for _, c := range []struct {
		path, header, value string
		want                int
	}{
		{"/live", "", "", 200}, {"/ready", "", "", 200}, {"/health", "", "", 200},
		{"/metrics", "", "", 401}, {"/p", "", "", 401}, {"/r", "", "", 401}, {"/a", "", "", 401}, {"/model", "", "", 401},
		{"/p", "Authorization", "Bearer " + predict, 200}, {"/p", "Authorization", "bearer  " + predict, 200}, {"/p", "X-API-Key", predict, 200},
		{"/p", "Authorization", "Bearer " + predict + "x", 401}, {"/p", "Authorization", predict, 401}, {"/p", "X-API-Key", old, 401},
		{"/r", "X-API-Key", predict, 403}, {"/a", "X-API-Key", predict, 403},
		{"/p", "X-API-Key", admin, 403}, {"/r", "X-API-Key", admin, 200}, {"/a", "X-API-Key", admin, 200}, {"/metrics", "X-API-Key", admin, 200},
	} {
		w := f.ask("GET", c.path, "", c.header, c.value)
		if w.Code != c.want {
			t.Errorf("%s with %s %q: %d, want %d", c.path, c.header, c.value, w.Code, c.want)
		}
		if challenge := w.Header().Get("WWW-Authenticate"); (challenge != "") != (c.want == 401) {
			t.Errorf("%s with %d: WWW-Authenticate %q", c.path, c.want, challenge)
		}
	}
	if log := f.log.String(); strings.Contains(log, predict) || strings.Contains(log, admin) || !strings.Contains(log, "client=app") {
		t.Errorf("the log must name keys, and hold none: %s", log)
	}
}

// A browser asks its user for a key as a password, and sends it so; a page of
// another site cannot use it.
func TestBrowser(t *testing.T) {
	admin, line := newKey(t, "ops", "", ScopeAdmin)
	act := route{method: "POST", path: "/act", scope: ScopeAdmin, handle: func(c echo.Context) error { return c.NoContent(200) }}
	f := newFixture(t, func(o *Options) { o.Keys = line }, act)
	w := f.ask("POST", "/act", "", "Accept", "text/html,*/*")
	if challenges := strings.Join(w.Header().Values("WWW-Authenticate"), "; "); w.Code != 401 || !strings.Contains(challenges, "Basic") || !strings.Contains(challenges, "Bearer") {
		t.Errorf("%d %s", w.Code, challenges)
	}
	r, _ := http.NewRequest("POST", "/act", nil)
	r.SetBasicAuth("anyone", admin)
	basic := r.Header.Get("Authorization")
	if w := f.ask("POST", "/act", "", "Authorization", basic, "Sec-Fetch-Site", "same-origin"); w.Code != 200 {
		t.Errorf("own page: %d", w.Code)
	}
	f.wantProblem(t, 403, "POST", "/act", "", "Authorization", basic, "Sec-Fetch-Site", "cross-site")
	f.wantProblem(t, 403, "POST", "/act", "", "Authorization", basic, "Origin", "https://evil.example")
}

// The law: admin is never without a key, all else is on loopback only.
func TestExposure(t *testing.T) {
	_, line := newKey(t, "ops", "", ScopeAdmin)
	for _, c := range []struct {
		address, keys string
		insecure, ok  bool
	}{
		{"127.0.0.1:0", "", false, true}, {"localhost:8080", "", false, true}, {"[::1]:8080", "", false, true}, {"127.8.8.8:1", "", false, true},
		{":8080", "", false, false}, {"0.0.0.0:8080", "", false, false}, {"[::]:8080", "", false, false}, {"10.0.0.1:8080", "", false, false},
		{"localhost.example.com:8080", "", false, false}, {"0.0.0.0:8080", "", true, true}, {"0.0.0.0:8080", line, false, true},
	} {
		f := Options{Params: Defaults(), Models: &models{}, Keys: c.keys, Now: time.Now}
		f.Params.Address, f.Params.Insecure = c.address, c.insecure
		if _, err := New(f); (err == nil) != c.ok || err != nil && !strings.Contains(err.Error(), "churn key new") {
			t.Errorf("%+v: %v", c, err)
		}
	}
	for _, insecure := range []bool{false, true} {
		f := newFixture(t, func(o *Options) { o.Params.Insecure = insecure })
		if p := f.wantProblem(t, 403, "POST", "/admin/reload", ""); !strings.Contains(p.Detail, "churn key new") {
			t.Errorf("%+v", p)
		}
	}
}

// Keys come and go with their file; one that is not sound changes nothing.
func TestRotation(t *testing.T) {
	first, line1 := newKey(t, "app", "", ScopePredict)
	second, line2 := newKey(t, "app", "", ScopePredict)
	file := filepath.Join(t.TempDir(), "keys")
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(line1)
	f := newFixture(t, func(o *Options) { o.Params.KeysFile = file }, ok("/p", ScopePredict))
	expect := func(when string, ok1, ok2 bool, failures float64) {
		t.Helper()
		f.refresh()
		f.refresh() // a fault is told once
		for secret, want := range map[string]bool{first: ok1, second: ok2} {
			if w := f.ask("GET", "/p", "", "X-API-Key", secret); (w.Code == 200) != want {
				t.Errorf("%s: %d, want it to pass: %v", when, w.Code, want)
			}
		}
		if got := testutil.ToFloat64(f.metrics.reloadErrors.WithLabelValues("keys")); got != failures {
			t.Errorf("%s: %v failed reloads, want %v", when, got, failures)
		}
	}
	expect("at first", true, false, 0)
	write(line1 + "\n" + line2)
	expect("both", true, true, 0)
	write(line1 + "\n" + line2 + "\nbad")
	expect("a bad file", true, true, 1)
	write(line2)
	expect("the second only", false, true, 1)
	write("# none\n")
	expect("an emptied file", false, true, 2)
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	expect("no file", false, true, 3)
	if log := f.log.String(); strings.Count(log, "level=ERROR") != 3 || !strings.Contains(log, "line 3") {
		t.Errorf("%s", log)
	}
	o := Options{Params: Defaults(), Models: &models{}, Now: time.Now}
	o.Params.KeysFile = file
	if _, err := New(o); err == nil || !strings.Contains(err.Error(), "serve.keys_file") {
		t.Errorf("starts without its keys: %v", err)
	}
}

// Any text: faults that name a line, or keys that are sound.
func FuzzParseKeys(f *testing.F) {
	f.Add("app predict,read " + strings.Repeat("0a", 32) + " 2026-12-31")
	f.Add("# none\n;;a admin " + strings.Repeat("F", 64) + " 2026-01-02T03:04:05Z")
	f.Add("app predict churn_SECRET")
	f.Fuzz(func(t *testing.T, text string) {
		keys, err := ParseKeys(text)
		if err != nil && !strings.Contains(err.Error(), "line ") {
			t.Errorf("%q: %v", text, err)
		}
		for _, k := range keys {
			if !sane(k.Name) || len(k.Scopes) == 0 {
				t.Errorf("%q: %+v", text, k)
			}
		}
	})
}
