package main

import (
	"strings"
	"testing"
)

const exportedText = `# TYPE churn_api_requests_total counter
churn_api_requests_total{method="GET",path="/live",status="200"} 3
# TYPE churn_alarm_state gauge
churn_alarm_state{alarm="drift",state="firing"} 1
# TYPE churn_latency_seconds histogram
churn_latency_seconds_bucket{path="/predict",le="0.1"} 1
churn_latency_seconds_count{path="/predict"} 1
churn_ready 1
`

func exported(t *testing.T) metrics {
	t.Helper()
	all, err := series([]byte(exportedText))
	if err != nil || len(all) != 5 {
		t.Fatal(all, err)
	}
	return newMetrics(all, []string{"churn:recorded"})
}

// The law: an expression that asks for what is exported is sound, and each kind
// of fault is found.
func TestExpressions(t *testing.T) {
	m := exported(t)
	for _, sound := range []string{
		`sum by (namespace, path) (rate(churn_api_requests_total{status=~"5..", path!~"/ready"}[5m]))`,
		`max by (alarm) (churn_alarm_state{state="firing", namespace="x"}) == 1 and on (alarm) churn_alarm_state`,
		`histogram_quantile(0.9, sum by (le) (rate(churn_latency_seconds_bucket{le="0.1"}[5m])))`,
		`churn:recorded{any="label"} > 1`,
		`absent(churn_ready) or churn_ready offset 1d`,
	} {
		if faults := m.check(sound); len(faults) > 0 {
			t.Errorf("%s: %v", sound, faults)
		}
	}
	for expr, want := range map[string]string{
		`sum(rate(churn_api_request_total[5m]))`:                 "nobody exports churn_api_request_total",
		`churn:other`:                                            "nobody exports churn:other",
		`churn_alarm_state{name="drift"}`:                        "has no label name",
		`churn_alarm_state{state="fires"}`:                       "selects nothing",
		`churn_latency_seconds_bucket{le="0.2"}`:                 "selects nothing",
		`sum by (route) (churn_api_requests_total)`:              "no series of it has the label route",
		`churn_ready and on (alarms) churn_alarm_state`:          "no series of it has the label alarms",
		`sum(rate(churn_api_requests_total[5m])`:                 "parse error",
		`rate(churn_ready)`:                                      "expected type range vector",
		filled(`rate(churn_api_requests_total[$__range_step])`):  "parse error",
		filled(`churn_ready{instance="$instance"} + $undefined`): "parse error",
	} {
		if faults := strings.Join(m.check(expr), "\n"); !strings.Contains(faults, want) {
			t.Errorf("%s: no fault says %q: %q", expr, want, faults)
		}
	}
}

const (
	soundRules = `groups:
- name: a
  rules:
  - {record: "churn:recorded", expr: churn_ready}
  - alert: ChurnGone
    expr: churn_ready == 0
    labels: {severity: critical}
    annotations: {summary: It is gone., description: Look., runbook_url: docs/alerts.md#churngone}
`
	soundTests = `tests:
- alert_rule_test:
  - {alertname: ChurnGone, eval_time: 1m, exp_alerts: []}
  - {alertname: ChurnGone, eval_time: 9m, exp_alerts: [{exp_labels: {severity: critical}}]}
`
	soundPage = "# Alerts\n\n## ChurnGone\n\nLook.\n\n```sh\nchurn config check\n```\n"
)

func soundTexts() ruleTexts {
	return ruleTexts{rules: []byte(soundRules), operator: []byte("kind: PrometheusRule\nspec:\n  " + strings.ReplaceAll(soundRules, "\n", "\n  ")), page: []byte(soundPage), tests: [][]byte{[]byte("tests: []"), []byte(soundTests)}}
}

// The law: rules, tests, page and the operator's copy agree, and each that does
// not is named.
func TestRules(t *testing.T) {
	if _, faults := soundTexts().check(); len(faults) > 0 {
		t.Fatal(faults)
	}
	change := func(text *[]byte, old, now string) {
		was := string(*text)
		if *text = []byte(strings.Replace(was, old, now, 1)); string(*text) == was {
			t.Fatalf("no %q in %s", old, was)
		}
	}
	for want, plant := range map[string]func(*ruleTexts){
		"has other groups":           func(x *ruleTexts) { change(&x.operator, "== 0", "== 1") },
		"its severity is":            func(x *ruleTexts) { change(&x.rules, "critical", "page") },
		"has no summary":             func(x *ruleTexts) { change(&x.rules, "summary: It is gone., ", "") },
		"runbook_url is not":         func(x *ruleTexts) { change(&x.rules, "#churngone", "#gone") },
		"no test sees it fire":       func(x *ruleTexts) { change(&x.tests[1], "[{exp_labels: {severity: critical}}]", "[]") },
		"no test sees it stay quiet": func(x *ruleTexts) { change(&x.tests[1], "exp_alerts: []", "exp_alerts: [{}]") },
		"no section on ChurnGone":    func(x *ruleTexts) { change(&x.page, "## ChurnGone", "## ChurnWent") },
		"there is no alert Churn":    func(x *ruleTexts) { change(&x.page, "## ChurnGone", "## ChurnWent\n\n## ChurnGone") },
		"with a command":             func(x *ruleTexts) { change(&x.page, "```sh", "") },
		"has no alert":               func(x *ruleTexts) { x.rules = []byte("groups: []") },
		"rules.yml: ":                func(x *ruleTexts) { x.rules = []byte("groups: 3") },
	} {
		x := soundTexts()
		plant(&x)
		if _, faults := x.check(); !strings.Contains(strings.Join(faults, "\n"), want) {
			t.Errorf("no fault says %q: %v", want, faults)
		}
	}
}

const soundDashboard = `{"uid":"a","title":"A","templating":{"list":[{"name":"datasource","type":"datasource"},{"name":"namespace","definition":"label_values(churn_ready, namespace)"}]},
"annotations":{"list":[{"expr":"churn_ready{namespace=~\"$namespace\"}"}]},
"panels":[{"id":1,"type":"row","title":"R","gridPos":{"x":0,"y":0,"w":24,"h":1}},
{"id":2,"type":"stat","title":"S","description":"D","gridPos":{"x":0,"y":1,"w":8,"h":4},"datasource":{"type":"prometheus","uid":"${datasource}"},"targets":[{"expr":"rate(churn_api_requests_total{namespace=~\"$namespace\"}[$__rate_interval])","datasource":{"type":"prometheus","uid":"${datasource}"}}]}]}`

func TestDashboards(t *testing.T) {
	m := exported(t)
	if n, faults := checkDashboard("a.json", []byte(soundDashboard), m); n != 2 || len(faults) > 0 {
		t.Fatal(n, faults)
	}
	for want, plant := range map[string][2]string{
		"its uid is":                  {`"uid":"a"`, `"uid":"b"`},
		"two panels have the id 1":    {`"id":2`, `"id":1`},
		"lies over R":                 {`"y":1`, `"y":0`},
		"outside of the grid":         {`"x":0,"y":1,"w":8`, `"x":20,"y":1,"w":8`},
		"lacks a title":               {`"description":"D",`, ``},
		"its data source is fixed":    {`"datasource":{"type":"prometheus","uid":"${datasource}"},"targets"`, `"datasource":{"type":"prometheus","uid":"abc"},"targets"`},
		"no variable datasource":      {`"name":"datasource"`, `"name":"source"`},
		"nobody exports churn_steady": {"label_values(churn_ready", "label_values(churn_steady"},
		"nobody exports churn_api_x":  {"churn_api_requests_total", "churn_api_x"},
		"nobody exports churn_stable": {`"expr":"churn_ready{`, `"expr":"churn_stable{`},
		"unexpected end of JSON":      {`}]}]}`, ``},
	} {
		mutant := strings.Replace(soundDashboard, plant[0], plant[1], 1)
		if mutant == soundDashboard {
			t.Errorf("no %q", plant[0])
		}
		if _, faults := checkDashboard("a.json", []byte(mutant), m); !strings.Contains(strings.Join(faults, "\n"), want) {
			t.Errorf("no fault says %q: %v", want, faults)
		}
	}
}
