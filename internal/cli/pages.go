package cli

import (
	"context"

	"churn/internal/serving"
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
	}
}
