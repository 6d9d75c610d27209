package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"churn/pipeline"
	"churn/pipeline/monitor"
	"churn/pipeline/monitor/alarms"
	"churn/pipeline/monitor/health"
	"churn/registry"
)

func allMonitors(s *session) *cli.Command {
	return &cli.Command{
		Name:  "all",
		Usage: "run every monitor, then the alarms, and tell Prometheus",
		Description: "Made for a CronJob. A monitor that cannot run does not keep the others from running.\n" +
			"Exit code 2: an alarm fires that is not silenced, so that the Job is shown as failed for as long as it does; 1: a monitor could not run; 0: neither. A FAIL that its alarm still holds back, or that is silenced, is no 2.",
		Flags:  []cli.Flag{asOfFlag()},
		Action: s.untilToday(s.monitorAll),
	}
}

// finding is what a monitor found, for the summary and the alarms.
type finding struct {
	Monitor  string           `json:"monitor"`
	Status   health.Status    `json:"status"`
	Reasons  []string         `json:"reasons,omitempty"`
	Error    string           `json:"error,omitempty"` // why it could not run
	readings []alarms.Reading // by default one, of the alarm with the monitor's name
}

// watcher runs a monitor.
type watcher struct {
	name string
	run  func(context.Context) (finding, error)
}

// watchers lists the monitors in their order.
func (s *session) watchers() []watcher {
	usual := watching{model: registry.Production, reference: monitor.RefTraining}
	return []watcher{
		{"health", s.watchHealth},
		{"drift", s.quietly(reportDrift, func(ctx context.Context, s *session) error { return s.monitorDrift(ctx, usual) })},
		{"scores", s.quietly(reportScores, func(ctx context.Context, s *session) error { return s.monitorScores(ctx, usual) })},
		{"performance", s.quietly(reportPerformance, func(ctx context.Context, s *session) error { return s.monitorPerformance(ctx, sourceTables, "") })},
	}
}

// quietly runs a monitor as its own command does, without its page, and takes
// what it found from the report that it leaves.
func (s *session) quietly(report string, run func(context.Context, *session) error) func(context.Context) (finding, error) {
	return func(ctx context.Context) (f finding, err error) {
		if _, err := s.registry(ctx); err != nil { // once for all
			return f, err
		}
		quiet := *s
		quiet.stdout = io.Discard
		if err := run(ctx, &quiet); err != nil && !errors.As(err, &alarmError{}) {
			return f, err
		}
		err = s.readReport(report+"_latest", &f)
		f.Status = health.Status(strings.ToUpper(string(f.Status)))
		return f, err
	}
}

// allMonitored is the report of monitor all.
type allMonitored struct {
	Status   health.Status `json:"status"` // the worst
	Monitors []finding     `json:"monitors"`
	Alarms   alarmed       `json:"alarms"`
}

// monitorAll runs all monitors and moves the alarms.
func (s *session) monitorAll(ctx context.Context) error {
	var report allMonitored
	var readings []alarms.Reading
	for _, w := range s.watchers() {
		f := s.watch(ctx, w)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		report.Monitors, readings = append(report.Monitors, f), append(readings, f.readings...)
		report.Status = health.Worst(report.Status, f.Status)
	}
	var err error
	report.Alarms, err = s.moveAlarms(ctx, append(readings, s.retrainReading()...))
	s.tellFigures(ctx)
	return errors.Join(s.print(report, func(w io.Writer) { printAll(w, report) }), report.alarm(), report.incomplete(), err)
}

// watch runs one monitor. One that cannot run is unmeasured, and leaves its
// alarms as they are.
func (s *session) watch(ctx context.Context, w watcher) finding {
	f, err := w.run(ctx)
	f.Monitor = w.name
	if err != nil {
		f.Status, f.Error, f.readings = health.Unmeasured, err.Error(), nil
	} else if f.readings == nil {
		f.readings = []alarms.Reading{s.reading(w.name, f.Status, f.Reasons)}
	}
	return f
}

// reading is what a status says to an alarm.
func (s *session) reading(name string, status health.Status, reasons []string) alarms.Reading {
	r := alarms.Reading{Alarm: name, Sign: alarms.Good, Summary: string(status)}
	switch {
	case status == health.Unmeasured:
		r.Sign = alarms.Unknown
	case status == health.Fail, status == health.Warn && s.config.Monitor.Alarms.On == alarms.OnWarn:
		r.Sign = alarms.Bad
	}
	switch {
	case len(reasons) == 0:
	case r.Sign == alarms.Good: // the reason alone would read as if the trouble went on
		r.Summary = fmt.Sprintf("%s: %s", status, reasons[0])
	default:
		r.Summary = reasons[0]
	}
	return r
}

// watchHealth judges the data; each part has an alarm of its own.
func (s *session) watchHealth(ctx context.Context) (f finding, err error) {
	report, err := s.dataHealth(ctx)
	if err != nil {
		return f, err
	}
	f.Status = report.Status
	for _, part := range report.Parts() {
		f.readings = append(f.readings, s.reading("data_"+part.Name, part.Status, part.Reasons))
		if part.Status == health.OK {
			continue
		}
		for _, reason := range part.Reasons {
			f.Reasons = append(f.Reasons, fmt.Sprintf("%s %s: %s", part.Name, part.Status, reason))
		}
	}
	return f, nil
}

// news is how long a retrain that came to nothing is worth an alarm: the model in
// production goes on, and the next retrain may be weeks away.
const news = 7 * 24 * time.Hour

// retrainReading says whether the latest retrain found a model good enough. There
// is none before the first.
func (s *session) retrainReading() []alarms.Reading {
	var r retraining
	err := s.readReport(retrainLatest, &r)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		s.log.Warn("the report of the latest retrain cannot be read", "error", err)
		return []alarms.Reading{{Alarm: alarms.Retrain}}
	}
	ended := r.Finished
	if s.asOf != pipeline.NoDate { // days that are looked at again
		ended = (r.AsOf + 1).Time()
	}
	return []alarms.Reading{r.reading(s.moment().Sub(ended) <= news)}
}

// reading is what a retrain says to its alarm.
func (r retraining) reading(fresh bool) alarms.Reading {
	out := alarms.Reading{Alarm: alarms.Retrain, Sign: alarms.Good, Summary: r.Outcome}
	reason := r.Reason
	if r.Promotion != nil && reason == "" {
		reason = fmt.Sprintf("%s: %s", r.Promotion.Version, r.Promotion.Decision.Reason)
	}
	switch r.Outcome {
	case "": // it runs, or was cut off
		out.Sign = alarms.Unknown
	case outcomeRejected, outcomeNoModel, outcomeFailed:
		out.Summary = strings.TrimSuffix(fmt.Sprintf("the retrain of %s: %s: %s", r.AsOf, r.Outcome, reason), ": ")
		if fresh {
			out.Sign = alarms.Bad
		}
	}
	return out
}

// alarm is the error of a run after which alarms fire.
func (r allMonitored) alarm() error {
	switch firing := r.Alarms.Firing; {
	case len(firing) > 0:
		return alarmError{fmt.Errorf("%s; `churn monitor alarms` says since when, `churn monitor silence NAME --reason TEXT --for DURATION` silences", listed(firing, "fires", "fire"))}
	case r.Alarms.Note != "" && r.Status == health.Fail:
		return alarmError{errors.New("a monitor failed")}
	}
	return nil
}

// listed writes names before a verb.
func listed(names []string, one, many string) string {
	verb := many
	if len(names) == 1 {
		verb = one
	}
	return strings.Join(names, ", ") + " " + verb
}

// incomplete is the error of a run in which a monitor could not run.
func (r allMonitored) incomplete() error {
	var errs []error
	for _, f := range r.Monitors {
		if f.Error != "" {
			errs = append(errs, fmt.Errorf("monitor %s could not run: %s", f.Monitor, strings.ReplaceAll(f.Error, "\n", "; ")))
		}
	}
	return errors.Join(errs...)
}

func printAll(w io.Writer, r allMonitored) {
	for _, f := range r.Monitors {
		note := "could not run"
		if f.Error == "" {
			note = ""
		}
		fmt.Fprintln(w, strings.TrimRight(fmt.Sprintf("%-11s  %-10s  %s", f.Monitor, f.Status, note), " "))
		for _, reason := range f.Reasons[:min(shownReasons, len(f.Reasons))] {
			fmt.Fprintf(w, "%-11s  %-10s  %s\n", "", "", reason)
		}
		if more := len(f.Reasons) - shownReasons; more > 0 {
			fmt.Fprintf(w, "%-11s  %-10s  and %d more; `churn monitor %s` shows them\n", "", "", more, f.Monitor)
		}
	}
	printAlarmed(w, r.Alarms)
}

func printAlarmed(w io.Writer, e alarmed) {
	for _, m := range e.Messages {
		fmt.Fprintf(w, "alarm        %-10s  %s since %s: %s\n", m.State, m.Alarm, m.Begun.Format(minute), m.Summary)
	}
	switch {
	case e.Unknown != "":
		fmt.Fprintf(w, "alarms       unknown: %s\n", e.Unknown)
	case e.Note != "":
		fmt.Fprintf(w, "alarms       %s\n", e.Note)
	case len(e.Firing) == 0 && len(e.Silenced) == 0:
		fmt.Fprintln(w, "alarms       none fires")
	case len(e.Firing) > 0:
		fmt.Fprintf(w, "alarms       %s\n", listed(e.Firing, "fires", "fire"))
	}
	if len(e.Silenced) > 0 {
		fmt.Fprintf(w, "alarms       %s, silenced\n", listed(e.Silenced, "fires", "fire"))
	}
}
