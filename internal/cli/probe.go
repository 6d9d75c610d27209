package cli

import (
	"context"
	"fmt"
	"io"

	"churn/pipeline"
	"churn/pipeline/features"
)

// probe searches the features for leaks and fails if it finds one.
func (s *session) probe(ctx context.Context, date pipeline.Date) error {
	t, _, err := s.timelines()
	if err != nil {
		return err
	}
	defer t.Close()
	if span := t.Header.Span; date < span.First || date > span.Last {
		return usageError{fmt.Errorf("--probe %s lies outside the data, which runs from %s to %s", date, span.First, span.Last)}
	}
	report, err := features.Probe(ctx, t, date, s.config.Features.EveryDays, features.NewRower(s.config.Features))
	if err != nil {
		return err
	}
	err = s.print(report, func(w io.Writer) {
		fmt.Fprintf(w, "probe     after %s: %s facts changed, %s deleted, %s added; %s feature rows up to it compared, %s differ\n",
			date, thousands(report.Changed), thousands(report.Deleted), thousands(report.Added), thousands(report.Rows), thousands(report.Differing))
	})
	if err == nil && report.Differing > 0 {
		err = fmt.Errorf("a feature looks ahead: %d rows up to %s changed with facts after it, first:\n%s", report.Differing, date, report.First)
	}
	return err
}
