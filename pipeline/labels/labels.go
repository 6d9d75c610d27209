// Package labels tells what became of each user after each as-of date.
package labels

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"churn/internal/table"
	"churn/pipeline"
	"churn/pipeline/prepare"
)

// Params define churn.
type Params struct {
	WindowDays       int      `mapstructure:"window_days"`        // label window W: (asOf, asOf+W]
	CohortActiveDays int      `mapstructure:"cohort_active_days"` // users active in so many days up to asOf are at risk; 0 = everyone
	ActivityEvents   []string `mapstructure:"activity_events"`    // event types that learners do themselves
	CompletionEvents []string `mapstructure:"completion_events"`  // event types that end a course
	CompletedIsChurn bool     `mapstructure:"completed_is_churn"` // false: who leaves with his last course completed has not churned
}

// Defaults returns the built-in settings. Billing runs by itself, so payments
// are no activity.
func Defaults() Params {
	return Params{WindowDays: 30, CohortActiveDays: 30,
		ActivityEvents:   []string{pipeline.Login, pipeline.CourseEnroll, pipeline.VideoWatch, pipeline.QuizAttempt, pipeline.SupportTicket},
		CompletionEvents: []string{pipeline.CourseComplete}, CompletedIsChurn: true}
}

// Completions returns the event types by which timelines must know completed
// courses: none where completion makes no difference.
func (p Params) Completions() []string {
	if p.CompletedIsChurn {
		return nil
	}
	return p.CompletionEvents
}

// Vocabulary returns what the accepted event types mean for these labels.
func (p Params) Vocabulary(eventTypes []string) pipeline.Vocabulary {
	return pipeline.NewVocabulary(eventTypes, p.ActivityEvents).Completing(p.Completions())
}

// Validate returns all faults, each with its key. eventTypes are the accepted
// event types.
func (p Params) Validate(eventTypes []string) error {
	var errs []error
	if p.WindowDays < 1 || p.WindowDays > 730 {
		errs = append(errs, fmt.Errorf("labels.window_days: %d is out of range; use 1 to 730 days", p.WindowDays))
	}
	if p.CohortActiveDays < 0 || p.CohortActiveDays > 3650 {
		errs = append(errs, fmt.Errorf("labels.cohort_active_days: %d is out of range; use 1 to 3650 days, or 0 for everyone", p.CohortActiveDays))
	}
	if len(p.ActivityEvents) == 0 {
		errs = append(errs, errors.New("labels.activity_events: the list is empty; name at least one event type that shows presence"))
	}
	known := pipeline.NewVocabulary(eventTypes, nil)
	for _, e := range p.ActivityEvents {
		if known.Index([]byte(e)) < 0 {
			errs = append(errs, fmt.Errorf("labels.activity_events: %q is not in validate.event_types %v", e, eventTypes))
		}
	}
	if !p.CompletedIsChurn && len(p.CompletionEvents) == 0 {
		errs = append(errs, errors.New("labels.completion_events: the list is empty, so that labels.completed_is_churn = false has nothing to go by; name the event type of a finished course"))
	}
	for _, e := range p.Completions() {
		if known.Index([]byte(e)) < 0 {
			errs = append(errs, fmt.Errorf("labels.completion_events: %q is not in validate.event_types %v", e, eventTypes))
		}
	}
	return errors.Join(errs...)
}

// SameAs reports whether both define the same churn. A definition stored before
// there were completions is one in which they make no difference.
func (p Params) SameAs(q Params) bool {
	return p.WindowDays == q.WindowDays && p.CohortActiveDays == q.CohortActiveDays &&
		slices.Equal(p.ActivityEvents, q.ActivityEvents) && slices.Equal(p.Completions(), q.Completions())
}

// Of returns the label of one future: the active days in the label window, and
// whether their absence makes it churn. To finish is another end than to churn,
// so that who has completed his last course by the end of the window has label 0
// (docs/adr/0019). Timelines know of completions only where the settings that
// they were prepared with tell them apart.
func (p Params) Of(f *pipeline.Future) (activeDays int, churn bool) {
	n := f.ActiveDays(p.WindowDays)
	return n, n == 0 && !f.Finished(p.WindowDays)
}

// InCohort reports whether a user is at risk: recently active on the as-of date,
// and not known to have completed his last course.
func (p Params) InCohort(h *pipeline.History) bool {
	return (p.CohortActiveDays == 0 || h.ActiveWithin(p.CohortActiveDays)) && !h.Finished()
}

// Matured returns the as-of dates whose label window has closed by last.
func (p Params) Matured(grid []pipeline.Date, last pipeline.Date) []pipeline.Date {
	n := len(grid)
	for n > 0 && grid[n-1]+pipeline.Date(p.WindowDays) > last {
		n--
	}
	return grid[:n]
}

// Report is what the stage did.
type Report struct {
	Rows      int64         `json:"rows"`
	Churned   int64         `json:"churned"`
	Finished  int64         `json:"finished"` // rows without an active day that are no churn: the last course was completed
	AsOfDates int           `json:"as_of_dates"`
	FirstAsOf pipeline.Date `json:"first_as_of_date"`
	LastAsOf  pipeline.Date `json:"last_as_of_date"`

	Output table.Info `json:"-"`
	Input  string     `json:"-"` // digest of the timelines that were read
}

// Schema returns the columns of labels_daily.
func Schema() table.Schema {
	return table.Schema{{Name: "user_id", Kind: table.Text}, {Name: "as_of_date", Kind: table.Date}, {Name: "future_active_days", Kind: table.Int}, {Name: "churn_label", Kind: table.Int}}
}

// Run writes the labels of all snapshots of grid whose window has closed by
// last, the last day that the data covers.
func Run(ctx context.Context, t *prepare.Timelines, grid []pipeline.Date, last pipeline.Date, p Params, path string, format table.Format, progress func(done, total int64)) (Report, error) {
	matured := p.Matured(grid, last)
	report := Report{AsOfDates: len(matured), FirstAsOf: pipeline.NoDate, LastAsOf: pipeline.NoDate}
	if len(matured) == 0 {
		return report, fmt.Errorf("no label window of %d days has closed: the data runs from %s to %s; use more history or a smaller labels.window_days", p.WindowDays, t.Header.Span.First, last)
	}
	report.FirstAsOf, report.LastAsOf = matured[0], matured[len(matured)-1]
	w, err := table.Create(path, format, Schema())
	if err != nil {
		return report, err
	}
	defer w.Abort()
	type part struct {
		rows              *table.Batch
		churned, finished int64
	}
	work := func(users []pipeline.Timeline) (part, error) {
		out := part{rows: w.NewBatch()}
		for i := range users {
			for _, d := range matured {
				if h, f := users[i].Cut(d, &t.Header.Span); h.Exists() {
					n, churn := p.Of(&f)
					appendLabel(out.rows, h.User().ID, d, n, churn)
					switch {
					case churn:
						out.churned++
					case n == 0:
						out.finished++
					}
				}
			}
		}
		return out, nil
	}
	take := func(out part) error {
		report.Churned += out.churned
		report.Finished += out.finished
		return w.Append(out.rows)
	}
	if _, err := prepare.Each(ctx, t, work, take, progress); err != nil {
		return report, err
	}
	report.Input = t.SHA256()
	report.Output, err = w.Commit()
	report.Rows = report.Output.Rows
	return report, err
}

func appendLabel(b *table.Batch, user string, asOf pipeline.Date, activeDays int, churn bool) {
	label := int64(0)
	if churn {
		label = 1
	}
	b.Text(user)
	b.Date(asOf)
	b.Int(int64(activeDays))
	b.Int(label)
	b.EndRow()
}
