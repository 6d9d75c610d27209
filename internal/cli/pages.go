package cli

import (
	"context"

	"churn/internal/serving"
	"churn/pipeline/features"
	"churn/registry"
	"churn/server"
)

// pages is what the dashboard shows beside the model and the users.
func (s *session) pages(r *registry.Registry) server.Pages {
	v := s.config.Value
	back := func(ctx context.Context, to, reason, actor string) (registry.Entry, error) {
		return s.rollBack(ctx, r, registry.Move{To: to, Reason: reason, Actor: actor})
	}
	return server.Pages{
		Worth:  server.Worth{KeptCustomer: v.KeptCustomer, ContactCost: v.ContactCost, SuccessRate: v.SuccessRate, Capacity: v.Capacity},
		Cards:  &serving.Cards{Registry: r, Metrics: s.config.Paths.Metrics},
		Ledger: &serving.Ledger{Registry: r, Back: back},
		Drifts: &serving.Drifts{Metrics: s.config.Paths.Metrics, Title: s.featureTitle()},
		Alarms: &serving.Alarms{Store: s.alarms()},
	}
}

// featureTitle returns what says a feature in plain words, "" for one that the
// settings do not have.
func (s *session) featureTitle() func(name string) string {
	titles := map[string]string{}
	for _, f := range features.Catalog(s.config.Features) {
		titles[f.Name] = f.Title
	}
	return func(name string) string { return titles[name] }
}
