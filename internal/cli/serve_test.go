package cli_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// running is a server as a process of its own.
type running struct {
	url  string
	log  *bytes.Buffer // to be read after stop
	stop func() (code int)
	kill func(t *testing.T) // at once
}

// startServe starts `churn serve` on any free port and waits until it listens.
func startServe(t *testing.T, dir string, environ []string, args ...string) running {
	t.Helper()
	c := program(dir, append(append([]string{"--json", "--set", "serve.address=127.0.0.1:0", "--set", "serve.drain_delay=0s"}, args...), "serve")...)
	c.Env = append(c.Env, environ...)
	r := running{log: &bytes.Buffer{}}
	c.Stderr = r.log
	stdout, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	stopped := false
	r.stop = func() int {
		stopped = true
		if err := c.Process.Signal(syscall.SIGTERM); err != nil {
			t.Fatal(err)
		}
		c.Wait() //nolint:errcheck // the exit code says it
		return c.ProcessState.ExitCode()
	}
	r.kill = func(t *testing.T) {
		stopped = true
		if err := c.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		c.Wait() //nolint:errcheck // it was killed
	}
	t.Cleanup(func() {
		if !stopped {
			c.Process.Kill() //nolint:errcheck // after a failed test
			c.Wait()         //nolint:errcheck // likewise
		}
	})
	var report struct{ URL string }
	lines := bufio.NewReader(stdout)
	if err := json.NewDecoder(lines).Decode(&report); err != nil {
		t.Fatalf("does not say where it listens: %v\n%s", err, r.log)
	}
	go io.Copy(io.Discard, lines) //nolint:errcheck // until it ends
	r.url = report.URL
	return r
}

// ask sends a request, with a key unless it is "".
func (r running) ask(t *testing.T, method, path, key string) (status int, body string) {
	t.Helper()
	request, err := http.NewRequest(method, r.url+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	if key != "" {
		request.Header.Set("Authorization", "Bearer "+key)
	}
	return do(t, request)
}

// newKey makes a key, and the line by which a server knows it.
func newKey(t *testing.T, dir string, args ...string) (key, line string) {
	t.Helper()
	var report struct{ Key, Line string }
	if err := json.Unmarshal([]byte(churn(t, dir, append([]string{"--json", "key", "new"}, args...)...).stdout), &report); err != nil {
		t.Fatal(err)
	}
	return report.Key, report.Line
}

// await asks until an answer has a text: a server takes up data as it runs.
func (r running) await(t *testing.T, path, key, want string) {
	t.Helper()
	var status int
	var body string
	for range 200 {
		if status, body = r.ask(t, "GET", path, key); status == 200 && strings.Contains(body, want) {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Errorf("%s: %d, does not say %q:\n%s", path, status, want, body)
}

// do sends a request.
func do(t *testing.T, request *http.Request) (status int, body string) {
	t.Helper()
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer.StatusCode, string(text)
}

// Without a model it lives and is not ready, and on SIGTERM it ends well.
func TestServeWithoutAModel(t *testing.T) {
	dir := t.TempDir()
	r := startServe(t, dir, nil)
	for path, want := range map[string]int{"/live": 200, "/ready": 503, "/health": 200, "/metrics": 200, "/model": 200} {
		if status, body := r.ask(t, "GET", path, ""); status != want {
			t.Errorf("%s: %d %s", path, status, body)
		}
	}
	if status, body := r.ask(t, "POST", "/admin/reload", ""); status != 403 || !strings.Contains(body, "churn key new") {
		t.Errorf("admin without a key: %d %s", status, body)
	}
	if out := finish(t, program(dir, "healthcheck", "--url", r.url)); out.code != 1 || !strings.Contains(out.stderr, "not ready") {
		t.Errorf("healthcheck: %+v", out)
	}
	if code := r.stop(); code != 0 {
		t.Errorf("exit code %d after SIGTERM\n%s", code, r.log)
	}
	if log := r.log.String(); !strings.Contains(log, "draining") || !strings.Contains(log, "route=/model") || strings.Contains(log, "level=ERROR") {
		t.Errorf("%s", log)
	}
	if out := finish(t, program(dir, "healthcheck", "--url", r.url)); out.code != 1 || !strings.Contains(out.stderr, "churn serve") {
		t.Errorf("healthcheck of nothing: %+v", out)
	}
}

// Keys from `churn key new` work from a file and from the environment, which the
// settings do not show.
func TestServeWithKeys(t *testing.T) {
	dir := t.TempDir()
	app, line1 := newKey(t, dir, "app", "--scopes", "read")
	ops, line2 := newKey(t, dir, "--scopes", "admin,read", "--expires", "2999-12-31", "ops")
	writeFile(t, filepath.Join(dir, "keys"), line1+"\n")
	environ := []string{"CHURN_API_KEYS=" + line2}
	r := startServe(t, dir, environ, "--set", "serve.keys_file=keys")
	for _, c := range []struct {
		method, path, key string
		want              int
	}{{"GET", "/live", "", 200}, {"GET", "/model", "", 401}, {"GET", "/model", app, 200}, {"GET", "/model", ops, 200}, {"POST", "/admin/reload", app, 403}, {"POST", "/admin/reload", ops, 200}} {
		if status, body := r.ask(t, c.method, c.path, c.key); status != c.want {
			t.Errorf("%s %s: %d %s", c.method, c.path, status, body)
		}
	}
	if code := r.stop(); code != 0 {
		t.Errorf("exit code %d", code)
	}
	if log := r.log.String(); strings.Contains(log, app) || strings.Contains(log, ops) || !strings.Contains(log, "client=app") {
		t.Errorf("%s", log)
	}
	show := program(dir, "config", "show")
	show.Env = append(show.Env, environ...)
	if out := finish(t, show); out.code != 0 || strings.Contains(out.stdout, strings.Fields(line2)[2]) {
		t.Errorf("config show: %d %s", out.code, out.stderr)
	}
}

// The pages show what the commands have made, and the form's route rolls back as
// the command does: only to a version that is sound.
func TestServePages(t *testing.T) {
	dir, set := twoModels(t)
	key, line := newKey(t, dir, "boss", "--scopes", "read,admin")
	r := startServe(t, dir, []string{"CHURN_API_KEYS=" + line}, set...)
	for path, want := range map[string]string{"/": "Whom to call first", "/at-risk": "users</b>", "/model-card": "Roll back", "/drift": "churn monitor drift", "/at-risk.csv": "user_id,as_of_date"} {
		r.await(t, path, key, want)
	}
	post := func(body string) (status int, answer string) {
		t.Helper()
		request, err := http.NewRequest("POST", r.url+"/admin/rollback", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		request.Header = http.Header{"Authorization": {"Bearer " + key}, "Content-Type": {"application/json"}}
		return do(t, request)
	}
	var moved struct {
		From, To, Actor string
		ModelInUse      string `json:"model_in_use"`
	}
	status, body := post(`{"reason": "it named the wrong ones"}`)
	if err := json.Unmarshal([]byte(body), &moved); err != nil || status != 200 || moved.Actor != "key boss" || moved.ModelInUse != moved.To {
		t.Fatalf("%d %s", status, body)
	}
	if out := churn(t, dir, slices.Concat(set, []string{"registry", "history"})...).stdout; !strings.Contains(out, "by key boss; it named the wrong ones") {
		t.Error(out)
	}
	v := decoded[struct{ Folder string }](t, dir, slices.Concat(set, []string{"registry", "show", moved.From})...)
	if err := os.Truncate(filepath.Join(dir, "artifacts/registry", v.Folder, "bundle.json"), 100); err != nil {
		t.Fatal(err)
	}
	if status, body := post(`{"to": "` + moved.From + `", "reason": "again"}`); status != 409 || !strings.Contains(body, "production stays "+moved.To) {
		t.Errorf("to a damaged version: %d %s", status, body)
	}
	if code := r.stop(); code != 0 {
		t.Errorf("exit code %d\n%s", code, r.log)
	}
}

// config show tells of a webhook no more than its host: its path and query hold
// secrets. What is used, and what other settings show, is not touched.
func TestConfigShowHidesWebhooks(t *testing.T) {
	const webhook = "https://name:hush@hooks.example.com/services/hush?token=hush"
	for _, format := range [][]string{nil, {"--json"}} {
		out := churn(t, t.TempDir(), append(format, "--set", "retrain.webhook="+webhook, "--set", "monitor.alarms.webhook="+webhook, "--set", "monitor.pushgateway="+webhook, "--set", "source.users=a/b?c", "config", "show")...)
		if strings.Contains(out.stdout, "hush") || !strings.Contains(out.stdout, "hooks.example.com (the rest is not shown)") || !strings.Contains(out.stdout, "a/b?c") {
			t.Errorf("%v: %s", format, out.stdout)
		}
	}
}

// What cannot be served safely is a fault of the settings, and says what to do.
func TestServeRefusesSettings(t *testing.T) {
	dir := t.TempDir()
	writeFile(t, filepath.Join(dir, "keys"), "app predict churn_thekeyitself\n")
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"--set", "serve.address=0.0.0.0:0"}, "churn key new"},
		{[]string{"--set", "serve.keys_file=nowhere"}, "serve.keys_file"},
		{[]string{"--set", "serve.keys_file=keys"}, "serve.keys_file keys: line 1"},
		{[]string{"--set", "serve.tls_cert=c", "--set", "serve.tls_key=k"}, "serve.tls_cert"},
		{[]string{"--set", "serve.tls_cert=c"}, "name both files"},
		{[]string{"--set", "serve.max_body=0MiB"}, "serve.max_body"},
	} {
		out := finish(t, program(dir, append(c.args, "serve")...))
		if out.code != 78 || !strings.Contains(out.stderr, c.want) || strings.Contains(out.stderr, "thekeyitself") {
			t.Errorf("%v: %d %s", c.args, out.code, out.stderr)
		}
	}
	for _, args := range [][]string{{"key", "new"}, {"key", "new", "a b"}, {"key", "new", "a", "--scopes", "all"}, {"key", "new", "a", "--expires", "soon"}} {
		if out := finish(t, program(dir, args...)); out.code != 64 || out.stdout != "" {
			t.Errorf("%v: %+v", args, out)
		}
	}
}

// healthcheck asks this machine where the server listens on all interfaces, and
// is well if the server is.
func TestHealthcheck(t *testing.T) {
	dir := t.TempDir()
	r := startServe(t, dir, nil, "--set", "serve.insecure=true", "--set", "serve.address=0.0.0.0:0")
	port := r.url[strings.LastIndex(r.url, ":"):]
	for _, host := range []string{"0.0.0.0", "", "127.0.0.1", "localhost"} {
		if out := finish(t, program(dir, "--set", "serve.address="+host+port, "healthcheck")); out.code != 1 || !strings.Contains(out.stderr, "status 503") {
			t.Errorf("%q: %+v", host, out)
		}
	}
	ready := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/ready" {
			io.WriteString(w, `{"status":"ready"}`) //nolint:errcheck // the test sees it
		}
	}))
	defer ready.Close()
	if out := finish(t, program(dir, "healthcheck", "--url", ready.URL+"/")); out.code != 0 || !strings.Contains(out.stdout, `"ready"`) {
		t.Errorf("%+v", out)
	}
}
