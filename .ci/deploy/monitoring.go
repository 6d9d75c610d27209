package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"

	"github.com/prometheus/prometheus/model/labels"
	"sigs.k8s.io/yaml"
)

// ruleFile is a file of rules of Prometheus, as far as it is looked at here;
// promtool looks at the rest.
type ruleFile struct {
	Groups []struct {
		Name  string `json:"name"`
		Rules []promRule
	} `json:"groups"`
}

type promRule struct {
	Record, Alert, Expr string
	Labels, Annotations map[string]string
}

// testFile is one of promtool's tests of rules.
type testFile struct {
	Tests []struct {
		Name  string
		Cases []struct {
			Alert    string `json:"alertname"`
			Expected []any  `json:"exp_alerts"`
		} `json:"alert_rule_test"`
	} `json:"tests"`
}

// checkMonitoring looks at rules, their tests and their page, and at the
// dashboards.
func checkMonitoring(repo string, exported []labels.Labels) (told string, faults []string, err error) {
	read := func(name string) []byte {
		text, readErr := os.ReadFile(filepath.Join(repo, name))
		if readErr != nil && err == nil {
			err = readErr
		}
		return text
	}
	const dir = "deploy/monitoring/"
	texts := ruleTexts{rules: read(dir + "rules.yml"), tests: [][]byte{read(dir + "rules_test.yml"), read(dir + "rules_days_test.yml")}, operator: read(dir + "prometheusrule.yaml"), page: read("docs/alerts.md")}
	if err != nil {
		return "", nil, err
	}
	rules, faults := texts.check()
	m := newMetrics(exported, rules.recorded())
	for _, r := range rules.all() {
		faults = append(faults, prefixed("rules.yml: "+r.Record+r.Alert+": ", m.check(r.Expr))...)
	}
	files, err := filepath.Glob(filepath.Join(repo, dir+"dashboards/*.json"))
	if err != nil {
		return "", nil, err
	}
	if len(files) == 0 {
		faults = append(faults, "there is no dashboard")
	}
	panels := 0
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			return "", nil, err
		}
		n, found := checkDashboard(filepath.Base(file), text, m)
		panels, faults = panels+n, append(faults, prefixed(filepath.Base(file)+": ", found)...)
	}
	return fmt.Sprintf("%d rules (%d alerts) and %d panels of %d dashboards on %d exported metrics", len(rules.all()), len(rules.alerts()), panels, len(files), len(m.exported)), faults, nil
}

func prefixed(prefix string, all []string) (out []string) {
	for _, s := range all {
		out = append(out, prefix+s)
	}
	return out
}

func (f ruleFile) all() (out []promRule) {
	for _, g := range f.Groups {
		out = append(out, g.Rules...)
	}
	return out
}

func (f ruleFile) recorded() (names []string) {
	for _, r := range f.all() {
		if r.Record != "" {
			names = append(names, r.Record)
		}
	}
	return names
}

func (f ruleFile) alerts() (out []promRule) {
	for _, r := range f.all() {
		if r.Alert != "" {
			out = append(out, r)
		}
	}
	return out
}

// ruleTexts are the files that speak of the same alerts.
type ruleTexts struct {
	rules, operator, page []byte
	tests                 [][]byte
}

// check asks that they agree.
func (t ruleTexts) check() (rules ruleFile, faults []string) {
	var whole, operator map[string]any
	for _, x := range []struct {
		name string
		text []byte
		to   any
	}{{"rules.yml", t.rules, &rules}, {"rules.yml", t.rules, &whole}, {"prometheusrule.yaml", t.operator, &operator}} {
		if err := yaml.Unmarshal(x.text, x.to); err != nil {
			faults = append(faults, x.name+": "+err.Error())
		}
	}
	var tests testFile
	for _, text := range t.tests {
		var f testFile
		if err := yaml.Unmarshal(text, &f); err != nil {
			faults = append(faults, "tests of rules: "+err.Error())
		}
		tests.Tests = append(tests.Tests, f.Tests...)
	}
	if !reflect.DeepEqual(operator["spec"], any(whole)) {
		faults = append(faults, "prometheusrule.yaml has other groups than rules.yml; run `make monitoring-rules`")
	}
	if len(rules.alerts()) == 0 {
		faults = append(faults, "rules.yml has no alert")
	}
	for _, r := range rules.alerts() {
		faults = append(faults, prefixed("alert "+r.Alert+": ", append(alertFaults(r), tests.faults(r.Alert)...))...)
	}
	return rules, append(faults, t.pageFaults(rules)...)
}

// alertFaults asks for what somebody needs who is woken by an alert.
func alertFaults(r promRule) (faults []string) {
	if s := r.Labels["severity"]; s != "critical" && s != "warning" {
		faults = append(faults, fmt.Sprintf("its severity is %q; use critical or warning", s))
	}
	for _, name := range []string{"summary", "description"} {
		if r.Annotations[name] == "" {
			faults = append(faults, "has no "+name)
		}
	}
	if want := "docs/alerts.md#" + strings.ToLower(r.Alert); r.Annotations["runbook_url"] != want {
		faults = append(faults, "its runbook_url is not "+want)
	}
	return faults
}

// faults asks for a test in which an alert fires, and one in which it does not.
func (f testFile) faults(alert string) (faults []string) {
	var fires, quiet bool
	for _, t := range f.Tests {
		for _, c := range t.Cases {
			if c.Alert == alert {
				fires, quiet = fires || len(c.Expected) > 0, quiet || len(c.Expected) == 0
			}
		}
	}
	if !fires {
		faults = append(faults, "no test sees it fire")
	}
	if !quiet {
		faults = append(faults, "no test sees it stay quiet")
	}
	return faults
}

// pageFaults asks that every alert has a section with something to do, and every
// section an alert.
func (t ruleTexts) pageFaults(rules ruleFile) (faults []string) {
	sections := map[string]string{}
	for _, s := range strings.Split(string(t.page), "\n## ")[1:] {
		name, text, _ := strings.Cut(s, "\n")
		sections[name] = text
	}
	var names []string
	for _, r := range rules.alerts() {
		names = append(names, r.Alert)
		if !strings.Contains(sections[r.Alert], "\n```sh\n") {
			faults = append(faults, "docs/alerts.md: no section on "+r.Alert+" with a command")
		}
	}
	for name := range sections {
		if strings.HasPrefix(name, "Churn") && !slices.Contains(names, name) {
			faults = append(faults, "docs/alerts.md: there is no alert "+name)
		}
	}
	slices.Sort(faults)
	return faults
}

// dashboard is one of Grafana's, as far as it is looked at here.
type dashboard struct {
	UID, Title string
	Panels     []panel
	Templating struct {
		List []struct {
			Name, Type, Definition string
		}
	}
	Annotations struct{ List []struct{ Expr string } }
}

type panel struct {
	ID                       int
	Type, Title, Description string
	GridPos                  struct{ X, Y, W, H int }
	Datasource               source
	Targets                  []struct {
		Expr       string
		Datasource source
	}
}

type source struct{ Type, UID string }

// checkDashboard looks at one, and counts its panels.
func checkDashboard(file string, text []byte, m metrics) (panels int, faults []string) {
	var d dashboard
	if err := json.Unmarshal(text, &d); err != nil {
		return 0, []string{err.Error()}
	}
	if d.UID+".json" != file || d.Title == "" {
		faults = append(faults, fmt.Sprintf("its uid is %q, and its title %q", d.UID, d.Title))
	}
	variables := map[string]bool{"datasource": false}
	for _, v := range d.Templating.List {
		variables[v.Name] = true
		if metric, ok := strings.CutPrefix(v.Definition, "label_values("); ok {
			metric, _, _ = strings.Cut(metric, ",")
			faults = append(faults, m.check(metric)...)
		}
	}
	if !variables["datasource"] {
		faults = append(faults, "it has no variable datasource")
	}
	for _, a := range d.Annotations.List {
		faults = append(faults, m.check(filled(a.Expr))...)
	}
	ids := map[int]bool{}
	for i, p := range d.Panels {
		if ids[p.ID] {
			faults = append(faults, fmt.Sprintf("two panels have the id %d", p.ID))
		}
		ids[p.ID] = true
		faults = append(faults, prefixed(p.Title+": ", append(p.faults(m), p.overlaps(d.Panels[:i])...))...)
	}
	return len(d.Panels), faults
}

func (p panel) faults(m metrics) (faults []string) {
	if p.Type == "row" {
		return nil
	}
	if p.Title == "" || p.Description == "" || len(p.Targets) == 0 {
		faults = append(faults, fmt.Sprintf("panel %d lacks a title, a description or a query", p.ID))
	}
	ours := source{"prometheus", "${datasource}"}
	for _, t := range p.Targets {
		if t.Datasource != ours || p.Datasource != ours {
			faults = append(faults, "its data source is fixed, which only one Grafana has")
		}
		faults = append(faults, m.check(filled(t.Expr))...)
	}
	return faults
}

func (p panel) overlaps(others []panel) (faults []string) {
	a := p.GridPos
	if a.W <= 0 || a.H <= 0 || a.X < 0 || a.X+a.W > 24 {
		faults = append(faults, "it is outside of the grid")
	}
	for _, o := range others {
		if b := o.GridPos; a.X < b.X+b.W && b.X < a.X+a.W && a.Y < b.Y+b.H && b.Y < a.Y+a.H {
			faults = append(faults, "it lies over "+o.Title)
		}
	}
	return faults
}

// filled puts in what Grafana would for its variables; one that is unknown
// stays, and is a fault of the expression.
func filled(expr string) string {
	expr = regexp.MustCompile(`\$__(rate_)?interval\b`).ReplaceAllString(expr, "5m")
	return strings.ReplaceAll(expr, `"$namespace"`, `".*"`)
}
