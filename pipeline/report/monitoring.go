package report

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"churn/internal/figures"
	"churn/pipeline"
	"churn/pipeline/monitor"
	"churn/pipeline/monitor/alarms"
	"churn/pipeline/monitor/health"
)

// Monitored is what the page about a date shows: what the monitors found on it,
// or last before it, and on the dates before. Reports are by rising date, none
// after AsOf; the last of each kind is shown in full, those before it as lines.
type Monitored struct {
	AsOf        pipeline.Date
	Health      []health.Report
	Drift       []monitor.DriftReport
	Scores      []monitor.ScoreReport
	Performance []monitor.Performance
	Alarms      alarms.Book
	Past        bool                     // monitors have looked at later dates, too: of the alarms, only what was told by AsOf counts
	Zone        *time.Location           // of the dates
	Unreadable  []string                 // what could not be read, and what to do
	Title       func(name string) string // says a feature in plain words, "" = not known; nil = none is
}

// RenderMonitored returns the page about a date. The same input gives the same
// bytes.
func RenderMonitored(m Monitored) ([]byte, error) {
	p := pageOf("Churn monitoring "+m.AsOf.String(), m.head(),
		m.overview(), m.alarmed(), m.drifted(), m.scored(), m.performed(), m.trends(), m.healthy())
	return p.render()
}

// part is what one monitor says in a line.
type part struct {
	name, command string
	reports       int
	asOf          pipeline.Date
	status        health.Status
	reasons       []string
	beside        string // of its tile
}

// parts lists the monitors in the order of the page's head.
func (m Monitored) parts() []part {
	out := []part{{name: "data health", command: "health", reports: len(m.Health)}, {name: "drift", command: "drift", reports: len(m.Drift)},
		{name: "scores", command: "scores", reports: len(m.Scores)}, {name: "performance", command: "performance", reports: len(m.Performance)}}
	if r := latest(m.Health); r != nil {
		out[0].asOf, out[0].status = r.AsOf, r.Status
		for _, p := range r.Parts() {
			if p.Status != health.OK {
				out[0].reasons = append(out[0].reasons, p.Reasons...)
			}
		}
	}
	if r := latest(m.Drift); r != nil {
		out[1].asOf, out[1].status, out[1].reasons, out[1].beside = r.AsOf, health.Status(r.Status), r.Reasons, "model "+r.Version
	}
	if r := latest(m.Scores); r != nil {
		out[2].asOf, out[2].status, out[2].reasons, out[2].beside = r.AsOf, health.Status(r.Status), r.Reasons, "mean risk "+figures.Percent1(r.Mean)
	}
	if r := latest(m.Performance); r != nil {
		out[3].asOf, out[3].status, out[3].reasons = r.AsOf, health.Status(r.Status), r.Reasons
		if r.Judged != nil {
			out[3].beside = fmt.Sprintf("of predictions up to %s", r.Judged.To)
		}
	}
	return out
}

// latest returns the last of a list, nil if there is none.
func latest[R any](list []R) *R {
	if len(list) == 0 {
		return nil
	}
	return &list[len(list)-1]
}

// makes is the command that makes what is missing.
func (p part) makes(asOf pipeline.Date) string {
	return fmt.Sprintf("churn monitor %s --as-of %s", p.command, asOf)
}

// absent says that there is no report, and how to make one.
func (p part) absent(asOf pipeline.Date) string {
	return fmt.Sprintf("There is no report on %s up to %s: `%s` makes it.", p.name, asOf, p.makes(asOf))
}

// old says that a report is of an earlier date, "" if it is not.
func (p part) old(asOf pipeline.Date) string {
	if p.reports == 0 || p.asOf == asOf {
		return ""
	}
	return fmt.Sprintf("The latest report on %s is of %s, %s before: `%s` makes that of the date.", p.name, p.asOf, daysText(int(asOf-p.asOf)), p.makes(asOf))
}

func daysText(n int) string {
	if n == 1 {
		return "1 day"
	}
	return figures.Whole(n) + " days"
}

// marked writes a status with a shape, so that it is read without colours.
func marked(s health.Status) string {
	shape := map[health.Status]string{health.OK: "✓", health.Warn: "▲", health.Fail: "✕", health.Unmeasured: "?"}[s]
	return strings.TrimSpace(shape + " " + cmp.Or(string(s), "–"))
}

// head says first whether somebody must look.
func (m Monitored) head() head {
	h := head{Heed: "Not everything is here", Facts: m.facts(), Warnings: m.Gaps()}
	firing := m.firingOn(m.AsOf)
	worst, named := health.Status(""), map[health.Status][]string{}
	for _, p := range m.parts() {
		status := p.status
		if p.reports == 0 {
			status = health.Unmeasured
		}
		worst = health.Worst(worst, status)
		named[status] = append(named[status], p.name)
		h.Tiles = append(h.Tiles, tile{marked(cmp.Or(p.status, "none")), p.name, p.beside})
		if status == health.Fail || status == health.Warn {
			for _, reason := range p.reasons[:min(mostReasons, len(p.reasons))] {
				h.Sentences = append(h.Sentences, fmt.Sprintf("%s %s: %s.", marked(status), p.name, strings.TrimSuffix(reason, ".")))
			}
		}
	}
	h.Tiles = append(h.Tiles, tile{figures.Whole(len(firing)), "alarms fire", listOf(firing)})
	for _, a := range firing {
		h.Alarms = append(h.Alarms, fmt.Sprintf("%s fires since %s: %s", a.Alarm, moment(a.Begun), a.Summary))
	}
	h.Tone, h.Verdict = m.verdict(firing, worst, named)
	return h
}

// mostReasons bounds the reasons of a monitor that are told on top.
const mostReasons = 3

func (m Monitored) verdict(firing []alarms.Message, worst health.Status, named map[health.Status][]string) (tone, text string) {
	names := strings.Join(named[worst], ", ")
	switch {
	case len(firing) > 0:
		return "bad", "Somebody must look: " + listOf(firing) + "."
	case worst == health.Fail:
		return "bad", "Somebody must look: FAIL of " + names + "."
	case worst == health.Warn:
		return "unclear", "Nothing fails, but keep an eye on it: WARN of " + names + "."
	case worst == health.Unmeasured:
		return "unclear", "Nothing fails, but not all could be looked at: " + names + "."
	}
	return "good", "All is quiet."
}

func listOf(messages []alarms.Message) string {
	var names []string
	for _, a := range messages {
		names = append(names, a.Alarm)
	}
	return strings.Join(names, ", ")
}

// Gaps lists what is missing, old or damaged.
func (m Monitored) Gaps() []string {
	out := slices.Clone(m.Unreadable)
	for _, p := range m.parts() {
		if p.reports == 0 {
			out = append(out, p.absent(m.AsOf))
		} else if text := p.old(m.AsOf); text != "" {
			out = append(out, text)
		}
	}
	if m.Alarms.Evaluated.IsZero() {
		out = append(out, noAlarms(m.AsOf))
	}
	return out
}

func (m Monitored) facts() string {
	text := "What the monitors found up to " + written(m.AsOf) + "."
	if r := latest(m.Drift); r != nil {
		text += fmt.Sprintf(" The model in production was %s; %s users at risk were looked at.", r.Version, figures.Whole(r.Users))
	}
	return text + " Labels come late: drift and scores tell of the date itself, realised performance of predictions whose label window has closed."
}

// dates lists the dates of all reports, ascending.
func (m Monitored) dates() (out []pipeline.Date) {
	for _, r := range m.Health {
		out = append(out, r.AsOf)
	}
	for _, r := range m.Drift {
		out = append(out, r.AsOf)
	}
	for _, r := range m.Scores {
		out = append(out, r.AsOf)
	}
	for _, r := range m.Performance {
		out = append(out, r.AsOf)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// overview has a line for each date.
func (m Monitored) overview() *section {
	s := &section{ID: "dates", Title: "Date by date", Lead: "✓ OK   ▲ WARN   ✕ FAIL   ? could not be measured   – no report"}
	rows := map[pipeline.Date][]string{}
	dates := m.dates()
	for _, d := range dates {
		rows[d] = []string{d.String(), "–", "–", "–", "–", "–", cmp.Or(listOf(m.firingOn(d)), "–")}
	}
	for _, r := range m.Health {
		rows[r.AsOf][2] = marked(r.Status)
	}
	for _, r := range m.Drift {
		rows[r.AsOf][1], rows[r.AsOf][3] = r.Version, marked(health.Status(r.Status))
	}
	for _, r := range m.Scores {
		rows[r.AsOf][1], rows[r.AsOf][4] = r.Version, marked(health.Status(r.Status))
	}
	for _, r := range m.Performance {
		rows[r.AsOf][5] = marked(health.Status(r.Status))
	}
	t := table{Head: []string{"as of", "model", "data health", "drift", "scores", "performance", "alarms that fire"}, Words: true}
	for _, d := range slices.Backward(dates) {
		t.Rows = append(t.Rows, rows[d])
	}
	if len(dates) == 0 {
		s.Lead = fmt.Sprintf("No monitor has run up to %s: `churn monitor all --as-of %s` runs them all.", m.AsOf, m.AsOf)
		return s
	}
	s.Tables = append(s.Tables, t)
	return s
}

// change is a date from which another model was in production.
type change struct {
	at      pipeline.Date
	version string
}

// changes returns the dates on which the model was replaced.
func changes(dates []pipeline.Date, version func(i int) string) (out []change) {
	for i, d := range dates {
		if i > 0 && version(i) != version(i-1) {
			out = append(out, change{d, version(i)})
		}
	}
	return out
}

// mark draws the replacements of the model into a chart over dates.
func (c *chart) mark(changes []change) {
	low, high := c.y.ends()
	for _, x := range changes {
		at := float64(x.at)
		c.series = append(c.series, series{ink: inkQuiet, style: dotted, at: []point{bare(at, low), bare(at, high)}})
		c.captions = append(c.captions, caption{at, low + 0.9*(high-low), short(x.version, 12)})
	}
}

// acrossAt draws a limit across a chart over dates.
func acrossAt(name string, x axis, value float64) series {
	low, high := x.ends()
	return series{name: name, ink: inkQuiet, style: dotted, at: []point{bare(low, value), bare(high, value)}}
}
