package doctor

import (
	"context"
	"strings"
	"time"

	"churn/pipeline"
	"churn/pipeline/monitor/alarms"
	"churn/registry"
)

// Model is what was found of the model in production.
type Model struct {
	Version string
	AsOf    pipeline.Date // of the data that it was made from; NoDate = there is none
	Moved   time.Time     // last move of an alias
}

// shown is how many faults of one kind are listed.
const shown = 3

// Registry verifies the registry and loads the model in production. answers is asked of every
// version: whether it loads and gives its stored answers.
func Registry(ctx context.Context, r *registry.Registry, answers func(*registry.Version) error) (m Model, out []Finding) {
	m.AsOf = pipeline.NoDate
	report, err := r.Verify(ctx, answers)
	if err != nil {
		return m, Failure("check registry.url or paths.registry, and who may read there", "%v", err)
	}
	for _, fault := range report.Faults[:min(shown, len(report.Faults))] {
		out = append(out, Failure("churn registry verify lists all faults", "%s", fault)...)
	}
	if more := len(report.Faults) - shown; more > 0 {
		out = append(out, Failure("churn registry verify", "%d more faults", more)...)
	}
	aliases, err := r.Aliases(ctx)
	switch {
	case err != nil && len(out) == 0:
		return m, Failure("churn registry verify", "%v", err)
	case err != nil:
		return m, out
	case aliases.Production == "":
		return m, append(out, Warning("churn run-all, or churn train and churn promote", "%s holds %d versions, and none is in production", r, report.Versions)...)
	}
	return serving(ctx, r, aliases.Production, report, out)
}

// serving loads the model in production.
func serving(ctx context.Context, r *registry.Registry, version string, report registry.VerifyReport, out []Finding) (m Model, _ []Finding) {
	m = Model{Version: version, AsOf: pipeline.NoDate}
	v, err := r.Load(ctx, version)
	if err != nil {
		return m, append(out, Failure("churn registry rollback --reason TEXT puts the model from before into production", "model %s, which is in production, cannot be used: %v", version, err)...)
	}
	m.AsOf = v.AsOf
	if entries, err := r.History(ctx); err == nil && len(entries) > 0 {
		m.Moved = entries[len(entries)-1].Time
	}
	if len(out) > 0 {
		return m, out
	}
	return m, Sound("%d versions and %d moves of aliases agree with their digests; %s is in production and gives its stored answers", report.Versions, report.Entries, version)
}

// Age judges how old the data is that the model in production has learned from. today is
// the day up to which there should be data; most 0 = it never grows too old.
func Age(m Model, today pipeline.Date, most int) []Finding {
	if m.AsOf == pipeline.NoDate {
		return Sound("no model yet")
	}
	age := int(today - m.AsOf)
	if most > 0 && age > most {
		return Warning("churn retrain", "model %s is made from data up to %s, %d days ago; retrain.max_age_days allows %d", m.Version, m.AsOf, age, most)
	}
	return Sound("model %s is made from data up to %s, %d days ago", m.Version, m.AsOf, max(0, age))
}

// Freshness judges how far the data lags behind the last whole day.
func Freshness(last, due pipeline.Date, warn, fail int) []Finding {
	lag := int(due - last)
	const load = "load the days that are missing, then churn run-all (or churn prepare)"
	switch {
	case lag >= fail:
		return Failure(load, "the data ends on %s: %d whole days are missing up to %s (monitor.health.freshness_fail_days = %d)", last, lag, due, fail)
	case lag >= warn:
		return Warning(load, "the data ends on %s: %d whole days are missing up to %s", last, lag, due)
	}
	return Sound("the data ends on %s", last)
}

// Alarms tells of the alarms that fire or are about to and are not silenced, and of
// messages that nobody took.
func Alarms(b alarms.Book, err error, now time.Time) (out []Finding) {
	if err != nil {
		return Failure("churn monitor alarms", "%v", err)
	}
	states := map[alarms.State][]string{}
	for _, a := range b.Alarms {
		if _, silent := b.Silenced(a.Name, now); !silent {
			states[a.State] = append(states[a.State], a.Name)
		}
	}
	for _, state := range []alarms.State{alarms.Firing, alarms.Pending} {
		if names := states[state]; len(names) > 0 {
			out = append(out, Warning("churn monitor alarms; churn monitor report is the page about it", "%s: %s", state, strings.Join(names, ", "))...)
		}
	}
	if n := len(b.Outbox); n > 0 {
		out = append(out, Warning("check monitor.alarms.webhook and who listens there; churn monitor all sends them again", "%d messages have not been taken by the webhook", n)...)
	}
	switch {
	case len(out) > 0:
		return out
	case b.Evaluated.IsZero():
		return Sound("never evaluated; churn monitor all does it")
	}
	return Sound("none fires (evaluated %s)", b.Evaluated.UTC().Format(time.RFC3339))
}

// Lock tells who trains again just now.
func Lock(held *registry.HeldError, err error) []Finding {
	switch {
	case err != nil:
		return Failure("churn registry verify", "%v", err)
	case held != nil:
		return Sound("held by %s since %s, to %s at the latest", held.Holder, held.Since.Format(time.RFC3339), held.Until.Format(time.RFC3339))
	}
	return Sound("no retrain is running")
}
