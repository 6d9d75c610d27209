package cli

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/urfave/cli/v2"

	"churn/internal/figures"
	"churn/internal/serving/predictionlog"
	"churn/pipeline"
	"churn/pipeline/monitor"
)

// What drift is looked for in.
const (
	sourceData = "data"
	sourceLog  = "log"
)

// reportLogDrift is the report of the log: pages read those of the data.
const reportLogDrift = reportDrift + "_log"

// loggedDays is the default length of a window of the log.
const loggedDays = 7

// loggedPeriod returns the window of the log that is asked for; nil for the data.
func (s *session) loggedPeriod(c *cli.Context) (*period, error) {
	p, err := parsePeriod(c)
	if err != nil {
		return nil, err
	}
	switch source := c.String("source"); {
	case source != "" && source != sourceData && source != sourceLog:
		return nil, usageError{fmt.Errorf("--source %q is unknown; use %s or %s", source, sourceData, sourceLog)}
	case source != sourceLog && p != period{pipeline.NoDate, pipeline.NoDate}:
		return nil, usageError{errors.New("--from and --to are those of --source log; for the data use --as-of, or --backtest FROM..TO")}
	case source != sourceLog:
		return nil, nil
	case c.IsSet("as-of"):
		return nil, usageError{errors.New("--as-of is that of --source data; for the log use --from and --to")}
	}
	if p.to == pipeline.NoDate {
		p.to = s.today()
	}
	if p.from == pipeline.NoDate {
		p.from = p.to - loggedDays + 1
	}
	if p.from > p.to {
		return nil, usageError{fmt.Errorf("--from %s is after --to %s", p.from, p.to)}
	}
	return &p, nil
}

// midnight returns the time at which a day begins where the events are.
func (s *session) midnight(d pipeline.Date) time.Time {
	y, m, day := d.Time().Date()
	return time.Date(y, m, day, 0, 0, 0, 0, s.location)
}

// asked is what the server was asked.
type asked struct {
	rows    monitor.Rows
	left    int // rows of the window that are left out, of users who were not at risk
	other   int64
	damaged int64
}

// askedOf reads what a model's check of a window of the log looks at.
func (s *session) askedOf(ctx context.Context, w watched, window period) (a asked, err error) {
	days := monitor.Needs(window.to, 0, window.length(), s.config.Monitor)
	rows, summary, err := predictionlog.Collect(ctx, s.logFolder(), predictionlog.Query{From: s.midnight(days[0]), To: s.midnight(window.to + 1)}, w.model.Bundle.Numeric, w.model.Bundle.Categorical)
	if err != nil {
		return a, err
	}
	all := monitor.Rows{Frame: rows.Frame, User: rows.User}
	for _, at := range rows.Time {
		all.Day = append(all.Day, pipeline.DateOf(at.In(s.location)))
	}
	kept, left := all.AtRisk(definedDays(w.version, "labels.cohort_active_days", s.config.Labels.CohortActiveDays))
	a = asked{rows: kept, other: rows.Other, damaged: int64(summary.Damaged)}
	for _, d := range left {
		if d >= window.from {
			a.left++
		}
	}
	return a, nil
}

// length returns the number of days.
func (p period) length() int { return int(p.to-p.from) + 1 }

// notes says what was left out.
func (a asked) notes() (out []string) {
	if a.left > 0 {
		out = append(out, fmt.Sprintf("%s of users who were not at risk (labels.cohort_active_days), of whom the model has learned nothing, left out", figures.Counted(a.left, "prediction is", "predictions are")))
	}
	if a.other > 0 {
		out = append(out, fmt.Sprintf("%s of models with other features, left out", figures.Counted(int(a.other), "prediction is", "predictions are")))
	}
	if a.damaged > 0 {
		out = append(out, fmt.Sprintf("%s left out", figures.Counted(int(a.damaged), "damaged part of the log is", "damaged parts of the log are")))
	}
	return out
}

// nothing says why there is nothing to compare.
func (s *session) nothing(a asked, w watched, window period) error {
	if a.left > 0 {
		return fmt.Errorf("%s from %s to %s, all of users who were not at risk (labels.cohort_active_days), of whom the model has learned nothing: there is nothing to compare",
			figures.Counted(a.left, "prediction", "predictions"), window.from, window.to)
	}
	return fmt.Errorf("%s holds no predictions from %s to %s of a model with the features of %s, so that there is nothing to compare; `churn serve` keeps them where serve.log.sample is above 0",
		s.logFolder(), window.from, window.to, w.version.Version)
}

// logDrift compares what the server was asked in a window, about users at risk, with
// the reference, and with the windows of the weeks before.
func (s *session) logDrift(ctx context.Context, q watching) error {
	w, err := s.toWatch(ctx, q.model)
	if err != nil {
		return err
	}
	a, err := s.askedOf(ctx, w, *q.log)
	if err != nil {
		return err
	}
	w.watch = monitor.NewWatch(w.model, a.rows, q.log.length(), s.config.Monitor)
	if w.watch.Count(q.log.to) == 0 {
		return s.nothing(a, w, *q.log)
	}
	reference, err := w.reference(q.reference, q.log.to)
	if err != nil {
		return err
	}
	r, err := w.watch.Drift(q.log.to, reference)
	if err != nil {
		return fmt.Errorf("predictions from %s to %s: %w", q.log.from, q.log.to, err)
	}
	r.Current, r.NotAtRisk = fmt.Sprintf("predictions from %s to %s", q.log.from, q.log.to), a.left
	if reference.Kind == monitor.RefTraining && reference.Made == nil {
		r.Notes = append(r.Notes, "the log does not tell how far users had moved already when the model was made")
	}
	r.Notes = append(r.Notes, a.notes()...)
	return s.tellDrift(r, reportLogDrift, w, q)
}
