package cli_test

import (
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"churn/pipeline/monitor/alarms"
)

// tinyPortal is a folder with raw data to 2025-01-06, prepared.
func tinyPortal(t *testing.T) (dir string) {
	t.Helper()
	dir = t.TempDir()
	writeFile(t, filepath.Join(dir, "users.csv"), usersCSV)
	extend(t, dir, "")
	return dir
}

func ofPortal(args ...string) []string {
	return append([]string{"--set", "source.users=users.csv", "--set", "source.events=events.csv"}, args...)
}

// extend appends events and prepares.
func extend(t *testing.T, dir, events string) {
	t.Helper()
	writeFile(t, filepath.Join(dir, "events.csv"), eventsCSV+events)
	churn(t, dir, ofPortal("prepare")...)
}

// receiver is a webhook that can be broken.
type receiver struct {
	url    string
	mu     sync.Mutex
	broken bool
	got    []alarms.Message
}

func newReceiver(t *testing.T) *receiver {
	h := &receiver{}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h.mu.Lock()
		defer h.mu.Unlock()
		if h.broken {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		var m alarms.Message
		body, _ := io.ReadAll(r.Body)
		if err := json.Unmarshal(body, &m); err != nil {
			t.Errorf("%v in %s", err, body)
		}
		h.got = append(h.got, m)
	}))
	t.Cleanup(s.Close)
	h.url = s.URL
	return h
}

// takes returns what has arrived since the last call.
func (h *receiver) takes() (states []string) {
	for _, m := range h.messages() {
		states = append(states, m.Alarm+" "+string(m.State))
	}
	return states
}

func (h *receiver) messages() []alarms.Message {
	h.mu.Lock()
	defer h.mu.Unlock()
	out := h.got
	h.got = nil
	return out
}

func (h *receiver) breaks(broken bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.broken = broken
}

// The life of an alarm as the real program, one process a day: it fires once, a
// webhook that was down gets the message later, a silence makes the job green and
// does not eat the end.
func TestLifeOfAnAlarm(t *testing.T) {
	dir, h := tinyPortal(t), newReceiver(t)
	look := func(asOf string) outcome {
		t.Helper()
		return finish(t, program(dir, ofPortal("--set", "monitor.alarms.webhook="+h.url, "monitor", "all", "--as-of", asOf)...))
	}
	step := func(what string, out outcome, alarms bool, want string, says string) {
		t.Helper()
		if got := strings.Join(h.takes(), ", "); got != want {
			t.Errorf("%s: the webhook got %q, want %q", what, got, want)
		}
		if (out.code == 2) != alarms || !strings.Contains(out.stdout, says) {
			t.Errorf("%s: exit code %d\n%s%s", what, out.code, out.stdout, out.stderr)
		}
	}
	state := filepath.Join(dir, "artifacts/metrics/alarms.json")
	step("fresh", look("2025-01-06"), false, "", "alarms       none fires")
	h.breaks(true)
	step("old, webhook down", look("2025-01-10"), true, "", "firing      data_freshness since 2025-01-11 00:00: the latest event is of 2025-01-06")
	h.breaks(false)
	step("again", look("2025-01-10"), true, "data_freshness firing", "alarms       data_freshness fires")
	before := results(t, dir)
	step("once more", look("2025-01-10"), true, "", "alarms       data_freshness fires")
	sameResults(t, "the same look again", before, results(t, dir))
	step("an earlier day", look("2025-01-08"), true, "", "does not move them")
	if data, _ := os.ReadFile(state); !strings.Contains(string(data), `"evaluated": "2025-01-11T00:00:00Z"`) {
		t.Errorf("an earlier day moved the alarms: %s", data)
	}
	churn(t, dir, "monitor", "silence", "data_freshness", "--reason", "the source is being moved", "--for", "7d")
	if out := churn(t, dir, "monitor", "alarms"); !strings.Contains(out.stdout, "(silenced)") || !strings.Contains(out.stdout, "the source is being moved") || !strings.Contains(out.stdout, "firing    data_freshness: ") {
		t.Errorf("alarms: %s", out.stdout)
	}
	step("silenced", look("2025-01-11"), false, "", "data_freshness fires, silenced")
	extend(t, dir, "e6,u3,2025-01-12T10:00:00Z,login,,,,\n")
	step("mended while silenced", look("2025-01-12"), false, "data_freshness resolved", "alarm        resolved")
	churn(t, dir, "monitor", "unsilence", "data_freshness")
	step("old again", look("2025-01-20"), true, "data_freshness firing", "data_freshness fires")
	text, err := os.ReadFile(filepath.Join(dir, "artifacts/metrics/churn_monitor.prom"))
	for _, want := range []string{`churn_alarm_state{alarm="data_freshness",state="firing"} 1`, `churn_monitor_status{monitor="health",status="FAIL"} 1`, "churn_data_missing_seconds 691200"} {
		if err != nil || !strings.Contains(string(text), want+"\n") {
			t.Errorf("no %s in %s (%v)", want, text, err)
		}
	}
}

// summary is the report of monitor all.
type summary struct {
	Status   string
	Monitors []struct {
		Monitor, Status, Error string
		Reasons                []string
	}
}

// The law: monitor all finds what the monitors' own commands find.
func TestMonitorAll(t *testing.T) {
	dir := t.TempDir()
	churn(t, dir, smallWorld(t, 80, "run-all")...)
	args := smallWorld(t, 80, "monitor")
	var all summary
	out := finish(t, program(dir, append(append([]string{"--json"}, args...), "all")...))
	if err := json.Unmarshal([]byte(out.stdout), &all); err != nil || out.code != 0 && out.code != 2 {
		t.Fatalf("%v %+v", err, out)
	}
	if len(all.Monitors) < 3 {
		t.Errorf("%d monitors", len(all.Monitors))
	}
	for _, m := range all.Monitors {
		var own struct{ Status string }
		out := finish(t, program(dir, append(append([]string{"--json"}, args...), m.Monitor)...))
		if err := json.Unmarshal([]byte(out.stdout), &own); err != nil || !strings.EqualFold(own.Status, m.Status) || m.Error != "" {
			t.Errorf("%s: %+v, its own command: %s (%v)", m.Monitor, m, own.Status, err)
		}
		if failed := out.code == 2; failed != (m.Status == "FAIL") {
			t.Errorf("%s: %s, exit code of its own command %d", m.Monitor, m.Status, out.code)
		}
	}
}

// Without a model drift cannot run; what can is found all the same, and the job
// fails.
func TestMonitorAllWithoutAModel(t *testing.T) {
	var all summary
	out := finish(t, program(tinyPortal(t), ofPortal("--json", "monitor", "all", "--as-of", "2025-01-06")...))
	if err := json.Unmarshal([]byte(out.stdout), &all); err != nil || out.code != 1 || !strings.Contains(out.stderr, "monitor drift could not run: ") {
		t.Fatalf("%v %+v", err, out)
	}
	for _, m := range all.Monitors {
		if m.Status != "UNMEASURED" || (m.Error == "") != (m.Monitor == "health") {
			t.Errorf("%+v", m)
		}
	}
}

// A server shows what a job has found while it runs.
func TestServeShowsFindings(t *testing.T) {
	dir := tinyPortal(t)
	r := startServe(t, dir, nil)
	if _, body := r.ask(t, "GET", "/metrics", ""); strings.Contains(body, "churn_monitor_status") {
		t.Error("findings before there are any")
	}
	if out := finish(t, program(dir, ofPortal("monitor", "health", "--as-of", "2025-01-20")...)); out.code != 2 {
		t.Errorf("%+v", out)
	}
	if status, body := r.ask(t, "GET", "/metrics", ""); status != 200 || !strings.Contains(body, `churn_monitor_status{monitor="health",status="FAIL"} 1`) {
		t.Errorf("%d %s", status, body)
	}
}

// A Pushgateway gets what the text file holds; one that is down is a warning.
func TestPushFindings(t *testing.T) {
	dir, got := tinyPortal(t), ""
	gateway := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		got = r.URL.Path + "\n" + string(body)
	}))
	defer gateway.Close()
	args := ofPortal("--set", "monitor.pushgateway="+gateway.URL, "monitor", "health", "--as-of", "2025-01-06")
	churn(t, dir, args...)
	text, err := os.ReadFile(filepath.Join(dir, "artifacts/metrics/churn_monitor.prom"))
	if want := "/metrics/job/churn_monitor\n" + string(text); err != nil || got != want {
		t.Errorf("%v, got %s", err, got)
	}
	gateway.Close()
	if out := churn(t, dir, args...); !strings.Contains(out.stderr, "they are pushed again by the next run") {
		t.Error(out.stderr)
	}
}

// Health says what it found and what it could not tell; data that was refused is
// no reason to be quiet.
func TestHealth(t *testing.T) {
	dir := tinyPortal(t)
	out := churn(t, dir, ofPortal("monitor", "health", "--as-of", "2025-01-06")...)
	for _, want := range []string{"health    UNMEASURED as of 2025-01-06", "freshness   OK          data to 2025-01-06", "volume      UNMEASURED", "volumes are not judged", "rejected    OK", "late        OK", "duplicates  OK"} {
		if !strings.Contains(out.stdout, want) {
			t.Errorf("no %q in\n%s", want, out.stdout)
		}
	}
	writeFile(t, filepath.Join(dir, "events.csv"), eventsCSV+"e6,u3,soon,login,,,,\n")
	if out := finish(t, program(dir, ofPortal("validate")...)); out.code != 3 {
		t.Fatalf("%+v", out)
	}
	out = finish(t, program(dir, ofPortal("monitor", "health", "--as-of", "2025-01-06")...))
	if out.code != 2 || !strings.Contains(out.stdout, "rejected    FAIL") || !strings.Contains(out.stdout, "the latest data was rejected; this is the data from before") || !strings.Contains(out.stderr, "churn: data health: rejected: 1 of 6 rows of events") {
		t.Errorf("%+v", out)
	}
	writeFile(t, filepath.Join(dir, "events.csv"), eventsCSV)
	churn(t, dir, ofPortal("validate")...)
	if err := os.Remove(filepath.Join(dir, "artifacts/metrics/validation.json")); err != nil {
		t.Fatal(err)
	}
	out = churn(t, dir, ofPortal("monitor", "health", "--as-of", "2025-01-06")...)
	if !strings.Contains(out.stdout, "rejected    UNMEASURED") || !strings.Contains(out.stdout, "run `churn prepare` first") {
		t.Error(out.stdout)
	}
	for name, asOf := range map[string]string{"data_health_latest": "2025-01-06", "data_health_2025-01-06": "2025-01-06"} {
		report := readJSON[struct {
			AsOf string `json:"as_of_date"`
		}](t, filepath.Join(dir, "artifacts/metrics", name+".json"))
		if report.AsOf != asOf {
			t.Errorf("%s is of %q", name, report.AsOf)
		}
	}
}

// What cannot be done is said, and nothing is OK in silence.
func TestMonitorFaults(t *testing.T) {
	dir := tinyPortal(t)
	damaged := tinyPortal(t)
	writeFile(t, filepath.Join(damaged, "artifacts/metrics/alarms.json"), `{"format": 1, "alarms": [`)
	for _, c := range []struct {
		dir, args string
		code      int
		says      string // in stderr
	}{
		{dir, "monitor silence drift --for 1h", 64, "silence needs --reason TEXT"},
		{dir, "monitor silence drift --reason x", 64, "silence needs --until DATE or --for DURATION"},
		{dir, "monitor silence drift --reason x --for 1h --until 2030-01-01", 64, "silence needs --until DATE or --for DURATION"},
		{dir, "monitor silence drift --reason x --until 2020-01-01", 64, "which has passed"},
		{dir, "monitor silence drift --reason x --until soon", 64, `--until: "soon" is neither a date`},
		{dir, "monitor silence drift --reason x --for 0h", 64, "no length of time above 0"},
		{dir, "monitor silence drift --reason x --for -3d", 64, "no length of time above 0"},
		{dir, "monitor silence drift --reason x --for 99999999d", 64, "no length of time above 0"},
		{dir, "monitor silence mood --reason x --for 1h", 64, `there is no alarm "mood"; use data_freshness, `},
		{dir, "monitor silence --reason x --for 1h", 64, "monitor silence takes one alarm"},
		{dir, "monitor unsilence drift", 1, "drift is not silenced"},
		{dir, "monitor mood", 64, `monitor has no subcommand "mood"`},
		{dir, "monitor health --as-of 2024-12-01", 1, "the data begins on 2025-01-02, after the as-of date 2024-12-01"},
		{t.TempDir(), "monitor health", 1, "run `churn prepare` first"},
		{damaged, "monitor alarms", 1, "alarms.json cannot be used"},
		{damaged, "monitor silence drift --reason x --for 1h", 1, "move it away, and alarms and silences begin anew"},
	} {
		if out := finish(t, program(c.dir, ofPortal(strings.Fields(c.args)...)...)); out.code != c.code || !strings.Contains(out.stderr, c.says) || out.stdout != "" {
			t.Errorf("%s: %+v", c.args, out)
		}
	}
	// Alarms that cannot be moved do not hide what was found.
	out := finish(t, program(damaged, ofPortal("monitor", "all", "--as-of", "2025-01-20")...))
	if out.code != 1 || !strings.Contains(out.stdout, "freshness FAIL") || !strings.Contains(out.stderr, "alarms do not move until it is mended") {
		t.Errorf("%+v", out)
	}
	alarmsUnknown(t, damaged)
	// Nor can they be moved where the book cannot be written.
	unwritable := tinyPortal(t)
	if err := os.MkdirAll(filepath.Join(unwritable, "artifacts/metrics/alarms.json"), 0o755); err != nil {
		t.Fatal(err)
	}
	alarmsUnknown(t, unwritable)
	// Without any data nothing is found, and that is no success.
	if out := finish(t, program(t.TempDir(), "monitor", "all")); out.code != 1 || !strings.Contains(out.stdout, "UNMEASURED") || !strings.Contains(out.stderr, "monitor health could not run: ") {
		t.Errorf("%+v", out)
	}
}

// A loss that has grown old ends its alarm with what it is: taken as usual, not over.
func TestOldLossIsTold(t *testing.T) {
	dir := t.TempDir()
	writeFile(t, filepath.Join(dir, "users.csv"), usersCSV)
	var events strings.Builder
	first := time.Date(2025, 1, 2, 0, 0, 0, 0, time.UTC)
	for i := range 120 * 60 {
		at, kind := first.Add(time.Duration(i)*24*time.Minute), []string{"login", "support_ticket"}[i%2] // of each 30 a day
		if kind == "support_ticket" || at.Before(first.AddDate(0, 0, 80)) {
			fmt.Fprintf(&events, "x%d,u%d,%s,%s,,,,\n", i, i%3+1, at.Format(time.RFC3339), kind)
		}
	}
	writeFile(t, filepath.Join(dir, "events.csv"), eventsHeader+events.String())
	churn(t, dir, ofPortal("prepare")...)
	for _, c := range []struct {
		day  int // of the loss
		says string
	}{{3, "alarm        firing      data_volume since 2025-03-26 00:00: login on "}, {29, "alarm        resolved    data_volume since 2025-03-26 00:00: WARN: login from "}} {
		out := finish(t, program(dir, ofPortal("monitor", "all", "--as-of", first.AddDate(0, 0, 79+c.day).Format(time.DateOnly))...))
		if !strings.Contains(out.stdout, c.says) || strings.Contains(out.stdout, "taken as usual") != (c.day > 20) {
			t.Errorf("day %d: no %q in\n%s%s", c.day, c.says, out.stdout, out.stderr)
		}
	}
}

// alarmsUnknown checks that alarms of which nothing is known are not told to be
// quiet.
func alarmsUnknown(t *testing.T, dir string) {
	t.Helper()
	out := finish(t, program(dir, ofPortal("monitor", "all", "--as-of", "2025-01-20")...))
	if out.code != 1 || !strings.Contains(out.stdout, "alarms       unknown: ") || strings.Contains(out.stdout, "none fires") || strings.Contains(out.stdout, "alarm        firing") {
		t.Errorf("%+v", out)
	}
	out = finish(t, program(dir, ofPortal("--json", "monitor", "all", "--as-of", "2025-01-20")...))
	var all struct{ Alarms struct{ Unknown string } }
	if err := json.Unmarshal([]byte(out.stdout), &all); err != nil || !strings.Contains(all.Alarms.Unknown, "alarms.json") {
		t.Errorf("%v: %+v", err, out)
	}
}

// A date that has not come is refused before anything is judged: the book of the
// alarms would stand in the future, and no evaluation before it would count. Real
// data may lag behind today, simulated data ends with itself.
func TestMonitorAhead(t *testing.T) {
	dir := tinyPortal(t)
	refuses := func(dir string, args []string, says string) {
		t.Helper()
		before := results(t, dir)
		if out := finish(t, program(dir, args...)); out.code != 64 || !strings.Contains(out.stderr, says) || out.stdout != "" {
			t.Errorf("%q: %+v", args, out)
		}
		sameResults(t, "refused", before, results(t, dir))
	}
	for _, command := range []string{"all", "health", "silence drift --reason x --for 1h", "unsilence drift"} {
		refuses(dir, ofPortal(strings.Fields("monitor "+command+" --as-of 9999-01-01")...), "--as-of 9999-01-01 has not come yet: today is ")
	}
	if out := finish(t, program(dir, ofPortal("monitor", "health", "--as-of", "2025-03-01")...)); out.code != 2 {
		t.Errorf("data that is late: %+v", out)
	}
	simulated := t.TempDir()
	for _, stage := range []string{"generate", "prepare"} {
		churn(t, simulated, worldArgs(60, 1, stage)...)
	}
	world := worldArgs(60, 1, "monitor")
	for _, command := range []string{"all", "health", "silence drift --reason x --for 1h"} {
		refuses(simulated, append(world, strings.Fields(command+" --as-of 2025-05-12")...), "--as-of 2025-05-12 lies outside the data, which runs from 2025-01-01 to 2025-05-10")
	}
	churn(t, simulated, append(world, "health", "--as-of", "2025-05-10")...)
}

// A retrain that came to nothing is an alarm for a week; one that runs, or whose
// report is damaged, leaves the alarm as it is.
func TestRetrainAlarm(t *testing.T) {
	dir := tinyPortal(t)
	for _, c := range []struct{ report, asOf, state string }{
		{`{"outcome": "rejected", "as_of_date": "2025-01-05"}`, "2025-01-05", "firing"},
		{`{"as_of_date": "2025-01-05"}`, "2025-01-06", "firing"},
		{`{"outcome`, "2025-01-07", "firing"},
		{`{"outcome": "promoted", "as_of_date": "2025-01-05"}`, "2025-01-08", "resolved"},
		{`{"outcome": "failed", "as_of_date": "2025-01-08", "reason": "no room"}`, "2025-01-09", "firing"},
		{`{"outcome": "failed", "as_of_date": "2025-01-08", "reason": "no room"}`, "2025-01-17", "resolved"},
	} {
		writeFile(t, filepath.Join(dir, "artifacts/metrics/retrain_latest.json"), c.report)
		finish(t, program(dir, ofPortal("monitor", "all", "--as-of", c.asOf)...))
		out := churn(t, dir, "monitor", "alarms")
		if !strings.Contains(out.stdout, fmt.Sprintf("%-15s  %-8s  since", "retrain", c.state)) {
			t.Errorf("%s on %s: want %s\n%s", c.report, c.asOf, c.state, out.stdout)
		}
	}
	if out := churn(t, dir, "monitor", "alarms"); !strings.Contains(out.stdout, "the retrain of 2025-01-08: failed: no room") {
		t.Error(out.stdout)
	}
}

// A FAIL that is held back is no alarm yet; a warning is one where it is asked for.
func TestHoldAndLevel(t *testing.T) {
	dir := tinyPortal(t)
	look := func(asOf string, set ...string) outcome {
		return finish(t, program(dir, ofPortal(append(set, "monitor", "all", "--as-of", asOf)...)...))
	}
	hold := []string{"--set", "monitor.alarms.rules.data_freshness.for=24h"}
	if out := look("2025-01-10", hold...); out.code == 2 || !strings.Contains(out.stdout, "freshness FAIL") || !strings.Contains(out.stdout, "none fires") {
		t.Errorf("held back: %+v", out)
	}
	if out := look("2025-01-11", hold...); out.code != 2 || !strings.Contains(out.stdout, "firing") {
		t.Errorf("held for long enough: %+v", out)
	}
	dir = tinyPortal(t)
	if out := look("2025-01-07"); out.code == 2 {
		t.Errorf("a warning: %+v", out)
	}
	if out := look("2025-01-08", "--set", "monitor.alarms.on=warn"); out.code != 2 || !strings.Contains(out.stdout, "data_freshness fires") {
		t.Errorf("a warning that counts: %+v", out)
	}
}

// The law: of silences by several processes at once, none is lost.
func TestSilencesAtOnce(t *testing.T) {
	dir := t.TempDir()
	var all sync.WaitGroup
	for _, name := range alarms.Names() {
		all.Go(func() {
			if out := finish(t, program(dir, "monitor", "silence", name, "--reason", name, "--until", "2030-01-01")); out.code != 0 {
				t.Errorf("%+v", out)
			}
		})
	}
	all.Wait()
	out := churn(t, dir, "monitor", "alarms")
	for _, name := range alarms.Names() {
		if want := fmt.Sprintf("silence of %s until 2030-01-02 00:00 by ", name); !strings.Contains(out.stdout, want) {
			t.Errorf("no %q in\n%s", want, out.stdout)
		}
	}
}

// The law: monitor all, killed at any moment, ends the same way when it is run
// again, and its message arrives, under one id.
func TestKillMonitor(t *testing.T) {
	world, h := tinyPortal(t), newReceiver(t)
	args := ofPortal("--set", "monitor.alarms.webhook="+h.url, "monitor", "all", "--as-of", "2025-01-10")
	calm := t.TempDir()
	copyFolder(t, calm, world)
	started := time.Now()
	want := finish(t, program(calm, args...))
	took := time.Since(started)
	if h.takes(); want.code != 2 {
		t.Fatalf("%+v", want)
	}
	for i := range killCount(t) {
		dir := t.TempDir()
		copyFolder(t, dir, world)
		moment := time.Duration(rand.New(rand.NewPCG(uint64(i), 301)).Int64N(int64(took)))
		killAt(t, dir, args, moment)
		if out := finish(t, program(dir, args...)); out.code != want.code {
			t.Errorf("after a kill at %v: %+v", moment, out)
		}
		sameResults(t, fmt.Sprintf("after a kill at %v", moment), results(t, calm), results(t, dir))
		ids := map[string]bool{}
		for _, m := range h.messages() {
			ids[m.ID] = true
		}
		if len(ids) != 1 || !ids["data_freshness-1"] {
			t.Errorf("after a kill at %v: messages %v", moment, ids)
		}
	}
}
