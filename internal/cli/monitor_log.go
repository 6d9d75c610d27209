package cli

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/urfave/cli/v2"

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

// logDrift compares what the server was asked in a window with the reference, and
// with the windows of the weeks before.
func (s *session) logDrift(ctx context.Context, q watching) error {
	w, err := s.toWatch(ctx, q.model)
	if err != nil {
		return err
	}
	length := int(q.log.to-q.log.from) + 1
	days := monitor.Needs(q.log.to, 0, length, s.config.Monitor)
	rows, summary, err := predictionlog.Collect(ctx, s.logFolder(), predictionlog.Query{From: s.midnight(days[0]), To: s.midnight(q.log.to + 1)}, w.model.Bundle.Numeric, w.model.Bundle.Categorical)
	if err != nil {
		return err
	}
	logged := monitor.Rows{Frame: rows.Frame, User: rows.User}
	for _, at := range rows.Time {
		logged.Day = append(logged.Day, pipeline.DateOf(at.In(s.location)))
	}
	w.watch = monitor.NewWatch(w.model, logged, length, s.config.Monitor)
	if w.watch.Count(q.log.to) == 0 {
		return fmt.Errorf("%s holds no predictions from %s to %s of a model with the features of %s, so that there is nothing to compare; `churn serve` keeps them where serve.log.sample is above 0",
			s.logFolder(), q.log.from, q.log.to, w.version.Version)
	}
	reference, err := w.reference(q.reference, q.log.to)
	if err != nil {
		return err
	}
	r, err := w.watch.Drift(q.log.to, reference)
	if err != nil {
		return fmt.Errorf("predictions from %s to %s: %w", q.log.from, q.log.to, err)
	}
	r.Current = fmt.Sprintf("predictions from %s to %s", q.log.from, q.log.to)
	if reference.Kind == monitor.RefTraining && reference.Made == nil {
		r.Notes = append(r.Notes, "the log does not tell how far users had moved already when the model was made")
	}
	if rows.Other > 0 {
		r.Notes = append(r.Notes, fmt.Sprintf("%d predictions of models with other features are left out", rows.Other))
	}
	if summary.Damaged > 0 {
		r.Notes = append(r.Notes, fmt.Sprintf("%d damaged parts of the log are left out", summary.Damaged))
	}
	return s.tellDrift(r, reportLogDrift, w, q)
}
