package serving

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"

	"churn/model/metric"
	"churn/pipeline"
	"churn/pipeline/evaluate"
	"churn/pipeline/train"
	"churn/registry"
	"churn/server"
)

// Cards tells what is known of the versions of a registry: from the report that
// a version was registered with, and from what `churn evaluate` found since.
type Cards struct {
	Registry *registry.Registry
	Metrics  string // folder with the evaluations
}

var _ server.Cards = (*Cards)(nil)

// Card returns what is known of a version, its digests checked.
func (c *Cards) Card(ctx context.Context, version string) (server.Card, error) {
	v, err := c.Registry.Load(ctx, version)
	if err != nil {
		return server.Card{}, err
	}
	card := server.Card{Version: v.Version, Kind: v.Kind, AsOf: v.AsOf.String(), Made: v.Created, Code: v.Lineage.CodeVersion, Text: v.Files[registry.CardFile]}
	data, err := v.File(registry.MetricsFile)
	if err != nil {
		return card, err
	}
	var r train.Report
	if err := json.Unmarshal(data, &r); err != nil {
		return card, fmt.Errorf("model %s: %s: %w", v.Version, registry.MetricsFile, err)
	}
	describe(&card, &r)
	card.Evaluated, err = c.evaluated(v.Version)
	return card, err
}

// describe fills in what the training says.
func describe(card *server.Card, r *train.Report) {
	s := r.Split
	card.WindowDays, card.TestUsers, card.Warnings = r.WindowDays, r.TestUsers, r.Warnings
	card.Train, card.Test = period(s.TrainFirst, s.TrainLast, s.TrainRows, s.TrainRate), period(s.TestFirst, s.TestLast, s.TestRows, s.TestRate)
	for _, e := range r.Model(card.Kind).Estimates {
		card.Measures = append(card.Measures, server.Measure{Name: e.Name, Model: estimate(e), Rule: estimate(r.Rule.Find(e.Name)), Floor: estimate(r.Floor.Find(e.Name))})
	}
	card.OverRule, card.ProfitOver = server.Estimate{Value: math.NaN()}, server.Estimate{Value: math.NaN()}
	i := slices.IndexFunc(r.Verdicts, func(v train.Verdict) bool { return v.Name == card.Kind })
	if i >= 0 {
		v := &r.Verdicts[i]
		card.OverRule, card.ProfitOver = estimate(v.OverRule), estimate(v.ProfitOverRule)
		for _, text := range []string{v.Warning, v.Suspicion.Reason} {
			if text != "" {
				card.Warnings = append(card.Warnings, text)
			}
		}
	}
	if r.Selection.Name == card.Kind {
		card.Chosen = r.Selection.Reason
	}
}

func period(first, last pipeline.Date, rows int, rate float64) server.Period {
	return server.Period{First: first.String(), Last: last.String(), Rows: rows, ChurnRate: rate}
}

func estimate(e metric.Estimate) server.Estimate {
	return server.Estimate{Value: e.Value, Low: e.Low, High: e.High}
}

// evaluated reads the evaluation of a version on its test period, nil if there
// is none.
func (c *Cards) evaluated(version string) (*server.Evaluated, error) {
	path := filepath.Join(c.Metrics, "evaluation_"+version+".json")
	var e evaluate.Evaluation
	found, err := readJSON(path, &e, "churn evaluate "+version)
	if err != nil || !found || e.Version != version {
		return nil, err
	}
	r := e.Calibration.Reliability
	out := &server.Evaluated{From: e.From.String(), To: e.To.String(), Rows: e.Cohort.Rows, Users: e.Cohort.Users, InTheLarge: estimate(e.Calibration.InTheLarge), Error: r.ECE, Noise: r.ExpectedECE, Warnings: e.Warnings}
	for _, b := range r.Bins {
		out.Bins = append(out.Bins, server.CalibrationBin{Rows: b.Rows, Users: b.Users, MeanRisk: b.MeanProb, Left: server.Estimate{Value: b.Rate, Low: b.RateLow, High: b.RateHigh}})
	}
	for _, x := range e.Importance {
		out.Importance = append(out.Importance, server.Importance{Feature: x.Feature, Title: x.Title, Theme: string(x.Theme), Mean: x.Mean})
	}
	return out, nil
}

// readJSON reads a report of a command; found is false where there is none.
func readJSON(path string, v any, remedy string) (found bool, err error) {
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err == nil {
		err = json.Unmarshal(data, v)
	}
	if err != nil {
		return false, fmt.Errorf("read %s: %w; run `%s` again", path, err, remedy)
	}
	return true, nil
}

// Ledger tells the history of the models of a registry, and goes back in it.
type Ledger struct {
	Registry *registry.Registry
	// Back puts a version back into production after it has shown that it is
	// sound: what `churn registry rollback` does.
	Back func(ctx context.Context, to, reason, actor string) (registry.Entry, error)
}

var _ server.Ledger = (*Ledger)(nil)

// Past returns the versions and the moves. Where something is damaged, the rest
// is returned with the fault.
func (l *Ledger) Past(ctx context.Context) (out server.Past, err error) {
	versions, err := l.Registry.List(ctx)
	var damaged *registry.Damaged
	if err != nil && !errors.As(err, &damaged) {
		return out, err
	}
	entries, broken := l.Registry.History(ctx)
	if broken != nil || damaged != nil {
		out.Fault = "Some of this cannot be read; `churn registry verify` says what, and what to do."
	}
	for i := range versions {
		m := &versions[i]
		head := server.VersionHead{Version: m.Version, Kind: m.Kind, AsOf: m.AsOf.String(), Made: m.Created, PRAUC: math.NaN(), Served: served(entries, m.Version)}
		if x, ok := m.Metrics[metric.PRAUC]; ok {
			head.PRAUC = x
		}
		out.Versions = append(out.Versions, head)
	}
	for i := range entries {
		out.Moves = append(out.Moves, moveOf(&entries[i]))
	}
	if n := len(entries); n > 0 {
		a := entries[n-1].Aliases
		out.Production, out.Challenger, out.Previous = a.Production, a.Challenger, a.Previous
	}
	return out, nil
}

// served reports whether a version is or was in production: a roll-back asks no
// gate, so it leads only to what went through one.
func served(entries []registry.Entry, version string) bool {
	return slices.ContainsFunc(entries, func(e registry.Entry) bool {
		return e.Alias == registry.Production && (e.To == version || e.From == version)
	})
}

func moveOf(e *registry.Entry) server.Move {
	to := e.To
	if e.Action == registry.ActionCollect {
		to = fmt.Sprint(len(e.Collected), " versions removed")
	}
	return server.Move{Number: e.Number, Time: e.Time, Actor: e.Actor, Action: e.Action, Alias: e.Alias, From: e.From, To: to, Reason: e.Reason, Verdict: e.Verdict, Override: e.Override}
}

// RollBack puts a version back into production.
func (l *Ledger) RollBack(ctx context.Context, r server.Return) (server.Move, error) {
	aliases, err := l.Registry.Aliases(ctx)
	if err != nil {
		return server.Move{}, err
	}
	to, err := l.Registry.Resolve(ctx, r.To)
	switch {
	case err != nil || to == "":
		return server.Move{}, server.Faults{{Field: "/to", Got: r.To, Expected: "a version that the registry has, or previous where there is one before"}}
	case to == aliases.Production:
		return server.Move{}, server.Faults{{Field: "/to", Got: to + ", which is in production already", Expected: "another version"}}
	}
	if entries, err := l.Registry.History(ctx); err == nil && !served(entries, to) {
		return server.Move{}, server.Faults{{Field: "/to", Got: to + ", which was never in production", Expected: "a version that was; `churn promote " + to + "` asks the gate"}}
	}
	unsound := server.Refuse(server.Conflict, "%s did not load, or did not give its stored answers, in a fresh process; production stays %s. `churn registry verify %s` says why", to, aliases.Production, to)
	if _, err := l.Registry.Load(ctx, to); err != nil {
		return server.Move{}, unsound
	}
	e, err := l.Back(ctx, to, r.Reason, r.Actor)
	var moved *registry.Moved
	switch {
	case errors.As(err, &moved):
		return server.Move{}, server.Refuse(server.Conflict, "%s moved from %s to %s meanwhile; look at the history and decide again", moved.Alias, cmp.Or(moved.Expected, "nothing"), cmp.Or(moved.Found, "nothing"))
	case errors.Is(err, ErrUnsound):
		return server.Move{}, unsound
	case err != nil:
		return server.Move{}, err
	}
	return moveOf(&e), nil
}

// ErrUnsound is what Back fails with where the version was asked and did not
// show that it is sound.
var ErrUnsound = errors.New("the version is not sound")
