package cli

import (
	"context"
	"encoding/json"
	"fmt"

	"churn/internal/serving/predictionlog"
	"churn/pipeline"
	"churn/pipeline/monitor"
	"churn/registry"
)

// answered adds what servers answered, by periods of features.every_days. Anybody
// may be asked about, so that who was at risk is looked up.
func (s *session) answered(ctx context.Context, in *monitor.PerformanceInput) error {
	folder, every := s.logFolder(), s.config.Features.EveryDays
	answers := monitor.Answers{Every: every, Source: folder}
	first := in.AsOf - pipeline.Date(in.Params.Dates*every)
	nobodys := 0
	summary, err := predictionlog.Each(ctx, folder, predictionlog.Query{AsOfFrom: first.String(), AsOfTo: in.AsOf.String()}, func(e *predictionlog.Entry) error {
		asOf, err := pipeline.ParseDate(e.AsOf)
		if err != nil || e.UserID == "" {
			nobodys++ // of no user or date: nothing can become of it
			return nil
		}
		answers.Add(monitor.Answer{Time: e.Time, User: e.UserID, AsOf: asOf, Version: e.Model.Version, Margin: e.Margin, Risk: e.Risk})
		return nil
	})
	if err != nil {
		return err
	}
	lists := answers.Lists()
	if len(lists) == 0 {
		return fmt.Errorf("the log in %s has no answers about a user from %s to %s (%d without user or date); churn serve keeps them with serve.log.sample above 0", folder, first, in.AsOf, nobodys)
	}
	if summary.Damaged > 0 {
		in.SetAside = append(in.SetAside, monitor.SetAside{Path: folder, Why: fmt.Sprintf("%d blocks of answers are damaged and left out", summary.Damaged)})
	}
	promises := promises{session: s, anybody: true, of: map[string]monitor.Given{}}
	for _, list := range lists {
		g, err := promises.find(ctx, list.Version)
		if err != nil {
			return err
		}
		g.Predictions = list
		in.Given = append(in.Given, g)
	}
	return nil
}

// definedDays returns a number of days out of the definition of churn that a
// version was registered with.
func definedDays(v *registry.Version, key string, other int) int {
	var definition map[string]any
	if err := json.Unmarshal(v.Lineage.Labels, &definition); err != nil {
		return other
	}
	if days, ok := definition[key].(float64); ok {
		return int(days)
	}
	return other
}
