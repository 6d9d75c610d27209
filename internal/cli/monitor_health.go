package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"churn/internal/atomicfile"
	"churn/internal/monitored"
	"churn/pipeline"
	"churn/pipeline/monitor/health"
	"churn/pipeline/prepare"
	"churn/pipeline/validate"
)

// reportHealth begins the names of the reports.
const reportHealth = "data_health"

func healthMonitor(s *session) *cli.Command {
	return &cli.Command{
		Name:  "health",
		Usage: "look whether the data is there, as much of it as usual, accepted, in time and once",
		Description: "Reads what churn prepare left. The day that should be there is that of --as-of; without it yesterday, or the last day of simulated data. Only what was known on that day counts.\n" +
			"Exit code 2 where a limit of monitor.health.* is passed that fails.",
		Flags: []cli.Flag{asOfFlag()},
		Action: s.untilToday(func(ctx context.Context) error {
			report, err := s.dataHealth(ctx)
			if err != nil {
				return err
			}
			s.tellFigures(ctx)
			return errors.Join(s.print(report, func(w io.Writer) { printHealth(w, report) }), failedHealth(report))
		}),
	}
}

// failedHealth is the error of a report that failed.
func failedHealth(r health.Report) error {
	if r.Status != health.Fail {
		return nil
	}
	var failed []string
	for _, part := range r.Parts() {
		if part.Status == health.Fail {
			failed = append(failed, part.Name+": "+part.Reasons[0])
		}
	}
	return alarmError{fmt.Errorf("data health: %s", strings.Join(failed, "; "))}
}

// dataHealth judges the data and writes the report: the latest, and that of the
// date. Without any data there is no report.
func (s *session) dataHealth(ctx context.Context) (report health.Report, err error) {
	in := health.Input{MostRejected: s.config.Validate.MaxRejectRate}
	if err := s.readInput(&in); err != nil {
		return report, err
	}
	if in.Timelines != nil {
		defer in.Timelines.Close()
	}
	err = s.stage(ctx, "health", func(ctx context.Context, progress func(done, total int64)) (err error) {
		report, err = health.Run(ctx, in, s.config.Monitor.Health, progress)
		return err
	})
	if err != nil {
		return report, err
	}
	for _, name := range []string{reportHealth + "_" + report.AsOf.String(), monitored.HealthLatest} {
		if _, err := atomicfile.WriteJSON(s.files.Metrics(name), report); err != nil {
			return report, err
		}
	}
	return report, nil
}

// readInput opens what is judged. Where one of timelines and validation cannot be
// used, the other is judged all the same.
func (s *session) readInput(in *health.Input) error {
	t, _, noTimelines := s.timelines()
	if noTimelines == nil {
		in.Timelines = t
	}
	var v validate.Report
	noValidation := s.readReport(validationReport, &v)
	if errors.Is(noValidation, fs.ErrNotExist) {
		noValidation = fmt.Errorf("%s is not there yet; run `churn prepare` first", s.files.Metrics(validationReport))
	}
	if noValidation == nil {
		in.Validation = &v
	}
	if noTimelines != nil && noValidation != nil {
		return noTimelines
	}
	in.NoTimelines, in.NoValidation = text(noTimelines), text(noValidation)
	if in.Timelines != nil && in.Validation != nil {
		in.StaleTimelines = s.otherData(&v)
	}
	in.AsOf = s.lastWholeDay(in.Timelines)
	return nil
}

func text(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// otherData says why the timelines are not made from the data that was validated
// last, if so.
func (s *session) otherData(v *validate.Report) string {
	if !v.Accepted {
		return "the latest data was rejected; this is the data from before"
	}
	m, err := s.files.Manifest(s.files.Timelines())
	if err == nil && slices.Equal(m.Inputs, v.Inputs) {
		return ""
	}
	return "other data has been validated since; run `churn prepare` to look at it"
}

// lastWholeDay returns the last day that should be in the data, whole: yesterday,
// unless a day is named. Simulated data ends when it likes.
func (s *session) lastWholeDay(t *prepare.Timelines) pipeline.Date {
	switch {
	case s.asOf != pipeline.NoDate:
		return s.asOf
	case t != nil && s.simulated():
		return t.Header.Span.Last
	}
	return s.today() - 1
}

// untilToday makes the action of a monitor whose as-of date may lie after the data.
func (s *session) untilToday(run func(context.Context) error) cli.ActionFunc {
	return s.dated(func(c *cli.Context) error {
		if err := s.notAhead(); err != nil {
			return err
		}
		return run(c.Context)
	})
}

// notAhead refuses an as-of date that has not come: a mistyped one would move the
// alarms to a time before which no evaluation counts. Simulated days end with the
// data; real ones may be missing at its end, which is what health is to find.
func (s *session) notAhead() error {
	if s.asOf == pipeline.NoDate {
		return nil
	}
	if s.simulated() {
		if t, _, err := s.timelines(); err == nil { // else there is nothing yet that it could lie outside of
			defer t.Close()
			_, err = s.asOfWithin(t.Header.Span)
			return err
		}
	}
	if today := s.today(); s.asOf > today {
		return usageError{fmt.Errorf("--as-of %s has not come yet: today is %s", s.asOf, today)}
	}
	return nil
}

// shownReasons is how many reasons an alarm, or a part of a report, shows to
// people; the file has all.
const shownReasons = 3

func printHealth(w io.Writer, r health.Report) {
	fmt.Fprintf(w, "health    %s as of %s\n", r.Status, r.AsOf)
	notes := map[string]string{
		"freshness":  fmt.Sprintf("data to %s", r.Freshness.LastEvent),
		"volume":     fmt.Sprintf("%d counts of days and weeks compared with the weekly pattern", len(r.Volume.Levels)),
		"rejected":   fmt.Sprintf("%.2f%% of the users, %.2f%% of the events", 100*r.Rejected.UserShare, 100*r.Rejected.EventShare),
		"late":       fmt.Sprintf("%.1f%% of the facts of the last week, usual are %.1f%%; 99%% within %d days", 100*r.Late.Share, 100*r.Late.Usual, r.Late.P99),
		"duplicates": fmt.Sprintf("%s event ids, %s rows equal but for the id", thousands(r.Duplicates.EventIDs), thousands(r.Duplicates.Equal)),
	}
	for _, part := range r.Parts() {
		note := notes[part.Name]
		if part.Status == health.Unmeasured {
			note = ""
		}
		fmt.Fprintln(w, strings.TrimRight(fmt.Sprintf("  %-10s  %-10s  %s", part.Name, part.Status, note), " "))
		for _, reason := range part.Reasons[:min(shownReasons, len(part.Reasons))] {
			fmt.Fprintf(w, "  %-10s              %s\n", "", reason)
		}
		if more := len(part.Reasons) - shownReasons; more > 0 {
			fmt.Fprintf(w, "  %-10s              and %d more in %s.json\n", "", more, monitored.HealthLatest)
		}
	}
}
