package cli_test

import (
	"encoding/json"
	"maps"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"churn/pipeline"
	"churn/pipeline/monitor"
)

// driftWorld trains on the eve of new courses and then lets two weeks pass. It
// returns the folder and the arguments of another command in it.
func driftWorld(t *testing.T) (dir string, command func(words ...string) []string) {
	t.Helper()
	dir = t.TempDir()
	world := worldArgs(800, 1, "")
	world = append(world[:len(world)-1], "--set", "train.models=logistic", "--set", "generate.days=230", "--set", "features.usual_days=30", "--set", "generate.drift=content@2025-08-05")
	command = func(words ...string) []string { return slices.Concat(world, words) }
	churn(t, dir, command("run-all", "--as-of", "2025-08-04")...)
	return dir, command
}

func metricsFile(dir, name string) string {
	return filepath.Join(dir, "artifacts", "metrics", name+".json")
}

// The life of a monitor: quiet before the drift, an alarm within a week after it
// that names what has changed, the same answer whenever it is asked again.
func TestMonitorDrift(t *testing.T) {
	dir, command := driftWorld(t)
	quiet := decoded[monitor.DriftReport](t, dir, command("monitor", "drift", "--as-of", "2025-08-04")...)
	if quiet.Status == monitor.Fail || quiet.Step == nil || len(quiet.Step.Jumped) > 1 {
		t.Errorf("before the drift: %s, %v", quiet.Status, quiet.Reasons)
	}
	out := finish(t, program(dir, command("monitor", "drift", "--as-of", "2025-08-11")...))
	if out.code != 2 || !strings.Contains(out.stderr, "enroll_7d changed suddenly") || !strings.Contains(out.stdout, "fixed limits of PSI") {
		t.Errorf("after it: exit code %d\n%s%s", out.code, out.stdout, out.stderr)
	}
	r := readJSON[monitor.DriftReport](t, metricsFile(dir, "data_drift_latest"))
	if r.Status != monitor.Fail || !slices.Contains(r.Step.Jumped, "enroll_7d") || r.Baseline != "training rows of "+r.Version || r.Current != "cohort of 2025-08-11" {
		t.Errorf("%s, %v", r.Status, r.Reasons)
	}
	checkDriftReport(t, r)
	before := results(t, dir)
	finish(t, program(dir, command("monitor", "drift", "--as-of", "2025-08-11")...))
	sameResults(t, "run again", before, results(t, dir))
	if dated := readJSON[monitor.DriftReport](t, metricsFile(dir, "data_drift_2025-08-11")); !reflect.DeepEqual(dated, r) {
		t.Error("the report by date is another")
	}
	if _, err := os.Stat(metricsFile(dir, "data_drift_latest.manifest")); err != nil {
		t.Error(err)
	}
	monitorPages(t, dir, command)
	kOfN(t, dir, command)
	seasons(t, dir, command)
	replays(t, dir, command)
	sums(t, dir, command)
	scores(t, dir, command)
	noNullLists(t, dir, "data_drift", "score_proxy")
}

// checkDriftReport looks at what others draw.
func checkDriftReport(t *testing.T, r monitor.DriftReport) {
	t.Helper()
	weight, most := 0.0, 0.0
	for _, f := range r.Level.Features {
		var before, now float64
		for _, c := range f.Cells {
			before, now = before+c.Before, now+c.Now
		}
		if math.Abs(before-1) > 1e-9 || math.Abs(now-1) > 1e-9 || r.PSIByFeature[f.Name] != f.PSI {
			t.Errorf("%s: shares of %v and %v, PSI %v", f.Name, before, now, f.PSI)
		}
		weight, most = weight+f.Importance, math.Max(most, f.PSI)
	}
	if math.Abs(weight-1) > 1e-9 || r.OverallMaxPSI != most || len(r.PSIByFeature) != len(r.Level.Features) || len(r.Step.Features) != len(r.Level.Features)+1 || r.Level.Score == nil {
		t.Errorf("importance %v, largest PSI %v of %v, %d features", weight, r.OverallMaxPSI, most, len(r.Level.Features))
	}
}

// With k of n asked for, the first failure after quiet days only warns.
func kOfN(t *testing.T, dir string, command func(...string) []string) {
	t.Helper()
	set := []string{"--set", "monitor.fail_of=3", "--set", "monitor.every_days=7", "--set", "monitor.fail_after="}
	for k, want := range map[string]monitor.Status{"1": monitor.Fail, "3": monitor.Warn} {
		args := command(slices.Concat(set[:len(set)-1], []string{set[len(set)-1] + k, "--json", "monitor", "drift", "--as-of", "2025-08-11"})...)
		out := finish(t, program(dir, args...))
		var r monitor.DriftReport
		if err := json.Unmarshal([]byte(out.stdout), &r); err != nil {
			t.Fatal(err, out.stderr)
		}
		if r.Status != want || len(r.Recent) != 3 || r.Recent[0].Status != monitor.Fail || r.Recent[1].AsOf != r.AsOf-7 {
			t.Errorf("%s of 3: %s, %+v", k, r.Status, r.Recent)
		}
	}
}

// A season before that the data does not reach is a clear answer; one that it
// does is compared with.
func seasons(t *testing.T, dir string, command func(...string) []string) {
	t.Helper()
	out := finish(t, program(dir, command("monitor", "drift", "--as-of", "2025-08-11", "--reference", monitor.RefSeason)...))
	if out.code != 1 || !strings.Contains(out.stderr, "0 rows around 2024-08-12") {
		t.Errorf("exit code %d: %s", out.code, out.stderr)
	}
	out = finish(t, program(dir, command("--set", "monitor.season_days=112", "--json", "monitor", "drift", "--as-of", "2025-08-11", "--reference", monitor.RefSeason)...))
	var r monitor.DriftReport
	if err := json.Unmarshal([]byte(out.stdout), &r); err != nil || r.Level.Reference != monitor.RefSeason || r.Baseline != "same weeks of the last term" || out.code != 2 || strings.Contains(strings.Join(r.Reasons, ""), "was made") {
		t.Errorf("%v %+v", err, r.Level)
	}
	for _, name := range []string{"drift", "scores"} { // whose last term is the first fortnight of the data
		out = finish(t, program(dir, command("--set", "monitor.season_days=203", "monitor", name, "--as-of", "2025-08-11", "--reference", monitor.RefSeason)...))
		if out.code != 1 || !strings.Contains(out.stderr, "day 13 of the data: the windows of features, of up to 30 days, were not full yet") {
			t.Errorf("%s: exit code %d: %s", name, out.code, out.stderr)
		}
	}
}

// A replay of history says on each date what the check says.
func replays(t *testing.T, dir string, command func(...string) []string) {
	t.Helper()
	b := decoded[monitor.Backtest](t, dir, command("monitor", "drift", "--backtest", "2025-07-01..2025-08-11")...)
	if len(b.Checks) != 6 || b.To != pipeline.DateFromCivil(2025, 8, 11) || b.Alarms != 1 || b.Checks[5].Status != monitor.Fail || b.Checks[5].Hindsight != 0 || b.Checks[0].Hindsight == 0 {
		t.Errorf("%+v", b)
	}
	for _, c := range b.Checks {
		out := finish(t, program(dir, command("--json", "monitor", "drift", "--as-of", c.AsOf.String())...))
		var r monitor.DriftReport
		if err := json.Unmarshal([]byte(out.stdout), &r); err != nil || r.Status != c.Status || math.Abs(r.Level.WeightedPSI-c.WeightedPSI) > 0.02 || r.OverallMaxPSI != c.MaxPSI {
			t.Errorf("%s: the check says %s, the replay %s", c.AsOf, r.Status, c.Status)
		}
	}
}

// What is printed of a replay says first how many checks were bad, tells the warm-up
// apart, and counts in good English; the limits are those that are set.
func sums(t *testing.T, dir string, command func(...string) []string) {
	t.Helper()
	out := churn(t, dir, command("monitor", "drift", "--backtest", "2025-07-01..2025-08-11")...)
	for _, want := range []string{"6 checks in 1.4 months                FAIL        WARN        alarms: failures in a row are one\n", "these limits                          17% (1) ", " 1 alarm, 0.72 a month", "fixed limits of PSI, 0.1 and 0.25     100% (6)    0% (0)      1 alarm, 0.72 a month, the longest for 6 checks\n"} {
		if !strings.Contains(out.stdout, want) || strings.Contains(out.stdout, "warm-up (~)") {
			t.Errorf("no %q in\n%s", want, out.stdout)
		}
	}
	out = churn(t, dir, command("monitor", "drift", "--backtest", "2025-02-17..2025-02-24")...)
	if !strings.Contains(out.stdout, "not counted: 2 checks of the warm-up (~), before 2025-02-26") || strings.Contains(out.stdout, "these limits") {
		t.Errorf("the warm-up: %s", out.stdout)
	}
	out = finish(t, program(dir, command("--set", "monitor.warn_psi=0.2", "--set", "monitor.fail_psi=9", "monitor", "drift", "--as-of", "2025-08-04")...))
	if !strings.Contains(out.stdout, "fixed limits of PSI, 0.2 and 9, would say WARN: ") || !strings.Contains(out.stdout, "the customary ones, 0.1 and 0.25, would say FAIL: ") {
		t.Errorf("limits that are set: %s%s", out.stdout, out.stderr)
	}
}

// The scores of a date are those that score writes.
func scores(t *testing.T, dir string, command func(...string) []string) {
	t.Helper()
	churn(t, dir, command("score", "--as-of", "2025-08-04")...)
	var risks []float64
	sheet := readSheet(t, filepath.Join(dir, "data", "predictions", "churn_predictions_2025-08-04.csv"))
	for i := range sheet.rows {
		var x float64
		if err := json.Unmarshal([]byte(sheet.cell(t, i, "churn_risk")), &x); err != nil {
			t.Fatal(err)
		}
		risks = append(risks, x)
	}
	slices.Sort(risks)
	r := decoded[monitor.ScoreReport](t, dir, command("monitor", "scores", "--as-of", "2025-08-04")...)
	var mean, high float64
	for _, x := range risks {
		mean += x / float64(len(risks))
		if x >= r.Threshold {
			high += 1 / float64(len(risks))
		}
	}
	at := func(q float64) float64 { return risks[int(math.Ceil(q*float64(len(risks))))-1] }
	for name, pair := range map[string][2]float64{"mean": {r.Mean, mean}, "p50": {r.P50, at(0.5)}, "p90": {r.P90, at(0.9)}, "p99": {r.P99, at(0.99)}, "high": {r.High, high}} {
		if math.Abs(pair[0]-pair[1]) > 1e-6 {
			t.Errorf("%s: %v, by hand %v", name, pair[0], pair[1])
		}
	}
	if r.Rows != len(risks) || len(r.Over) != 12 || r.Over[11] != r.ScorePoint || r.Expected.Rows == 0 || r.Level == nil {
		t.Errorf("%d rows, %d dates, expected %+v", r.Rows, len(r.Over), r.Expected)
	}
	if again := readJSON[monitor.ScoreReport](t, metricsFile(dir, "score_proxy_2025-08-04")); !reflect.DeepEqual(again, r) {
		t.Error("the report by date is another")
	}
}

// Each bad input gets an answer that says what to do, and none of them is an OK.
func TestMonitorRefuses(t *testing.T) {
	dir, set := t.TempDir(), smallWorld(t, 400, "")
	command := func(words ...string) []string { return slices.Concat(set[:len(set)-1], words) }
	churn(t, dir, command("generate")...)
	refuses := func(code int, want string, words ...string) {
		t.Helper()
		if out := finish(t, program(dir, command(words...)...)); out.code != code || !strings.Contains(out.stderr, want) {
			t.Errorf("%v: exit code %d, %s", words, out.code, out.stderr)
		}
	}
	refuses(1, "run `churn prepare` first", "monitor", "drift")
	churn(t, dir, command("prepare")...)
	refuses(1, "no model is in production yet", "monitor", "drift")
	refuses(1, "no model is in production yet", "monitor", "scores")
	refuses(1, "no model is in production yet", "monitor", "drift", "--backtest", "2025-03-01..2025-04-01")
	churn(t, dir, command("run-all")...)
	refuses(64, "--reference \"last\" is unknown", "monitor", "drift", "--reference", "last")
	refuses(64, "write two dates", "monitor", "drift", "--backtest", "2025-04-01..2025-03-01")
	refuses(64, "excludes --as-of", "monitor", "drift", "--backtest", "2025-03-01..2025-04-01", "--as-of", "2025-03-01")
	refuses(64, "lies outside the data", "monitor", "drift", "--backtest", "2020-03-01..2020-04-01")
	refuses(64, "outside the data", "monitor", "drift", "--as-of", "2029-01-01")
	refuses(1, "there is no version v0099", "monitor", "drift", "--model", "v0099")
	refuses(78, "monitor.fail_after", "--set", "monitor.fail_after=2", "monitor", "drift")

	// Few users, and nobody: those of a portal that has just begun.
	for users, want := range map[int]string{1: "1 users were at risk on 2025-01-02: fewer than 30 rows", 0: "nobody was at risk on 2025-01-02"} {
		writeFile(t, filepath.Join(dir, "few", "users.csv"), "user_id,signup_date,plan,is_paid,country,marketing_source\nu1,2025-01-01,free,0,DE,search\nu2,2025-01-01,free,0,DE,search\n")
		events := "event_id,user_id,event_time,event_type,course_id,watch_minutes,quiz_score,amount\n1,u1,2025-01-01T08:00:00Z,payment_success,,,,9.99\n3,u1,2025-01-02T08:00:00Z,payment_success,,,,9.99\n"
		if users == 1 {
			events += "2,u2,2025-01-02T08:00:00Z,login,,,,\n"
		}
		writeFile(t, filepath.Join(dir, "few", "events.csv"), events)
		few := []string{"--set", "source.users=few/users.csv", "--set", "source.events=few/events.csv", "--set", "validate.max_reject_rate=1"}
		churn(t, dir, command(slices.Concat(few, []string{"prepare"})...)...)
		refuses(1, want, slices.Concat(few, []string{"monitor", "drift"})...)
		refuses(1, want, slices.Concat(few, []string{"monitor", "scores"})...)
	}
}

// In the profile seed the report of drift is that of the original course, to the
// last digit.
func TestDriftIsThatOfTheCourse(t *testing.T) {
	data := shared(t, "parity/seed_small")
	dir := t.TempDir()
	for _, command := range [][]string{{"prepare"}, {"features"}, {"labels"}, {"monitor", "drift"}} {
		churn(t, dir, append([]string{"--profile", "seed", "--set", "source.users=" + filepath.Join(data, "raw", "users.csv"),
			"--set", "source.events=" + filepath.Join(data, "raw", "events.csv.gz")}, command...)...)
	}
	want := readJSON[map[string]any](t, filepath.Join(data, "expected", "data_drift_latest.json"))
	got := readJSON[map[string]any](t, metricsFile(dir, "data_drift_latest"))
	if !reflect.DeepEqual(slices.Sorted(maps.Keys(got)), slices.Sorted(maps.Keys(want))) || got["status"] != want["status"] || got["baseline"] != want["baseline"] || got["current"] != want["current"] {
		t.Errorf("%v, want %v", got, want)
	}
	theirs, ours := want["psi_by_feature"].(map[string]any), got["psi_by_feature"].(map[string]any)
	for name, psi := range theirs {
		if mine, ok := ours[name].(float64); !ok || math.Abs(mine-psi.(float64)) > 1e-15 {
			t.Errorf("%s: %v, want %v", name, ours[name], psi)
		}
	}
	if len(ours) != len(theirs) || math.Abs(got["overall_max_psi"].(float64)-want["overall_max_psi"].(float64)) > 1e-15 {
		t.Errorf("%v, want %v", got, want)
	}
}

// Predictions are watched, too: clients that send hardly any of the features are
// found out, and a window without predictions is no OK.
func TestMonitorLog(t *testing.T) {
	dir, command := modelWorld(t)
	r := startServe(t, dir, nil, command("--set", "serve.log.sample=1")...)
	for user := range 50 {
		r.predict(t, user)
	}
	if code := r.stop(); code != 0 {
		t.Fatalf("exit code %d\n%s", code, r.log)
	}
	out := finish(t, program(dir, command("--json", "monitor", "drift", "--source", "log")...))
	var report monitor.DriftReport
	if err := json.Unmarshal([]byte(out.stdout), &report); err != nil {
		t.Fatalf("%v\n%s", err, out.stderr)
	}
	missing := 0
	for _, f := range report.Level.Features {
		if f.Missing == 1 && f.MissingBefore < 1 {
			missing++
		}
	}
	notes := strings.Join(report.Notes, "\n") // two of the users have no active day of late
	if report.NotAtRisk != 2 || !strings.Contains(notes, "2 predictions are of users who were not at risk (labels.cohort_active_days), of whom the model has learned nothing, left out") {
		t.Errorf("%d were not at risk: %s", report.NotAtRisk, notes)
	}
	if out.code != 2 || report.Rows != 48 || report.Users != 48 || strings.Contains(strings.Join(report.Reasons, ""), "was made") || missing < 30 || !strings.HasPrefix(report.Current, "predictions from ") || report.Step != nil || len(report.Notes) == 0 {
		t.Errorf("exit code %d, %d rows of %d users, %d features are missing, %s, %v", out.code, report.Rows, report.Users, missing, report.Current, report.Notes)
	}
	if kept := readJSON[monitor.DriftReport](t, metricsFile(dir, "data_drift_log_"+report.AsOf.String())); !reflect.DeepEqual(kept, report) {
		t.Error("the report by date is another")
	}
	noNullLists(t, dir, "data_drift_log")
	for want, words := range map[string][]string{
		"holds no predictions from 2020-01-01 to 2020-01-07": {"--source", "log", "--from", "2020-01-01", "--to", "2020-01-07"},
		"--from and --to are those of --source log":          {"--to", "2020-01-07"},
		"--source \"logs\" is unknown":                       {"--source", "logs"},
		"is that of --source data":                           {"--source", "log", "--as-of", "2020-01-07"},
		"excludes --as-of and --source log":                  {"--source", "log", "--backtest", "2025-03-01..2025-04-01"},
		"2020-01-08 is after --to 2020-01-07":                {"--source", "log", "--from", "2020-01-08", "--to", "2020-01-07"},
	} {
		if out := finish(t, program(dir, command(append([]string{"monitor", "drift"}, words...)...)...)); out.code == 0 || out.code == 2 || !strings.Contains(out.stderr, want) {
			t.Errorf("%v: exit code %d, %s", words, out.code, out.stderr)
		}
	}
}

// monitorPages looks at the pages about dates. What was not run or is damaged is
// told with the command that makes it.
func monitorPages(t *testing.T, dir string, command func(words ...string) []string) {
	t.Helper()
	type page struct {
		Path string
		Gaps []string
	}
	read := func(args ...string) (page, string) {
		p := decoded[page](t, dir, command(args...)...)
		data, err := os.ReadFile(filepath.Join(dir, p.Path))
		if err != nil {
			t.Fatal(err)
		}
		return p, string(data)
	}
	p, text := read("report", "--as-of", "2025-08-11")
	if p.Path != filepath.Join("artifacts", "reports", "monitor_2025-08-11.html") || !strings.Contains(text, "Somebody must look: FAIL of drift") || !strings.Contains(text, "enroll_7d") || strings.Contains(text, "There is no report on drift") {
		t.Errorf("%s, with gaps %q", p.Path, p.Gaps)
	}
	for _, monitor := range []string{"health", "scores", "performance", "all"} {
		if want := "churn monitor " + monitor + " --as-of 2025-08-11"; !strings.Contains(strings.Join(p.Gaps, "\n"), want) || !strings.Contains(text, want) {
			t.Errorf("%s is not asked for: %q", want, p.Gaps)
		}
	}
	if _, err := os.Stat(metricsFile(dir, "monitor_report_latest.manifest")); err != nil {
		t.Error(err)
	}
	if _, again := read("monitor", "report"); again != text {
		t.Error("monitor report of the latest date writes another page")
	}
	if _, early := read("report", "--as-of", "2025-08-04"); strings.Contains(early, "2025-08-11") {
		t.Error("the page about an earlier date knows of a later one")
	}
	if _, none := read("report", "--as-of", "2025-08-01"); !strings.Contains(none, "No monitor has run up to 2025-08-01") {
		t.Error("a date without any report is not told")
	}
	damaged := metricsFile(dir, "data_health_2025-08-10")
	writeFile(t, damaged, "{")
	if p, _ := read("report", "--as-of", "2025-08-11"); !strings.Contains(strings.Join(p.Gaps, "\n"), "data_health_2025-08-10.json cannot be read") {
		t.Errorf("a damaged report is not told of: %q", p.Gaps)
	}
	if err := os.Remove(damaged); err != nil {
		t.Error(err)
	}
	for _, args := range [][]string{{"report", "v0001", "--as-of", "2025-08-11"}, {"report", "--as-of", "2025-08-11", "--from", "2025-08-04"}, {"report", "--as-of", "soon"}} {
		if out := finish(t, program(dir, command(args...)...)); out.code != 64 {
			t.Errorf("%q: exit code %d, want 64: %s", args, out.code, out.stderr)
		}
	}
	if out := finish(t, program(t.TempDir(), "monitor", "report")); out.code != 1 || !strings.Contains(out.stderr, "churn monitor all") {
		t.Errorf("without any report: exit code %d: %s", out.code, out.stderr)
	}
}
