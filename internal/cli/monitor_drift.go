package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"churn/internal/atomicfile"
	"churn/internal/figures"
	"churn/internal/workspace"
	"churn/model/profile"
	"churn/pipeline"
	"churn/pipeline/monitor"
	"churn/registry"
)

// courseDrift compares the features file with the training set, as the original
// course does.
func (s *session) courseDrift() error {
	training, features := s.files.TrainingSet(), s.files.Features()
	inputs := make([]pipeline.FileState, 2)
	var err error
	for i, out := range []workspace.Output{training, features} {
		if inputs[i], err = s.files.State(out); err != nil {
			return err
		}
	}
	r, err := monitor.Course(training.Path, features.Path, s.config.Monitor)
	if err != nil {
		return err
	}
	writing := s.files.Begin(reportDrift)
	basis := workspace.Basis{Inputs: inputs, Settings: []pipeline.Setting{workspace.Setting("monitor", s.config.Monitor)}}
	path := s.files.Metrics(reportDrift + "_latest")
	if err := errors.Join(writing.Report(reportDrift+"_latest", r, inputs[1].Rows), writing.End(path, basis, nil)); err != nil {
		return err
	}
	show := func(w io.Writer) {
		fmt.Fprintf(w, "drift     %s: %s against %s, PSI as in the original course, limits %.2f and %.2f\n", r.Status, r.Current, r.Baseline, s.config.Monitor.WarnPSI, s.config.Monitor.FailPSI)
		for _, name := range slices.Sorted(maps.Keys(r.PSIByFeature)) {
			fmt.Fprintf(w, "          %-22s %.4f\n", name, r.PSIByFeature[name])
		}
		fmt.Fprintf(w, "          %s\n", path)
	}
	return errors.Join(s.print(r, show), alarm(r.Status, "drift", []string{fmt.Sprintf("PSI up to %.3f", r.OverallMaxPSI)}))
}

// sortedDates returns the dates of a set, ascending.
func sortedDates(days map[pipeline.Date]bool) []pipeline.Date { return slices.Sorted(maps.Keys(days)) }

// backtestDrift replays history.
func (s *session) backtestDrift(ctx context.Context, q watching) error {
	span, last, err := s.span()
	if err != nil {
		return err
	}
	if q.backtest.from > last || q.backtest.to < span.First {
		return usageError{fmt.Errorf("--backtest %s..%s lies outside the data, which runs from %s to %s", q.backtest.from, q.backtest.to, span.First, last)}
	}
	every := s.config.Features.EveryDays
	dates := slices.DeleteFunc(span.Grid(min(q.backtest.to, last), every), func(d pipeline.Date) bool { return d < q.backtest.from })
	if len(dates) == 0 {
		return usageError{fmt.Errorf("--backtest %s..%s holds none of the as-of dates, which are %d days apart (features.every_days) and end with its last day", q.backtest.from, q.backtest.to, every)}
	}
	b := monitor.NewBacktest(span.First, s.config.Monitor)
	b.From, b.To, b.EveryDays, b.Reference = dates[0], dates[len(dates)-1], every, q.reference
	runs, err := s.inProduction(ctx, q.model, dates)
	if err != nil {
		return err
	}
	for _, run := range runs {
		if err := s.replay(ctx, q, run, &b); err != nil {
			return err
		}
	}
	path := s.files.Metrics(reportDrift + "_backtest")
	if _, err := atomicfile.WriteJSON(path, b); err != nil {
		return err
	}
	return s.print(b, func(w io.Writer) { printReplays(w, b, path) })
}

// reign is a model with the dates on which it is taken to be in production.
type reign struct {
	version string
	dates   []pipeline.Date
}

// inProduction returns the models of dates. Where none is named, it is the latest
// one by its data among those that ever were in production: when they were moved
// there tells nothing where the dates are of the past. Before the first of them,
// that one serves in hindsight.
func (s *session) inProduction(ctx context.Context, name string, dates []pipeline.Date) (out []reign, err error) {
	if name != registry.Production {
		return []reign{{name, dates}}, nil
	}
	r, err := s.registry(ctx)
	if err != nil {
		return nil, err
	}
	if _, err := r.Resolve(ctx, name); err != nil {
		return nil, err
	}
	history, err := r.History(ctx)
	if err != nil {
		return nil, err
	}
	versions, err := r.List(ctx)
	if err != nil {
		return nil, err
	}
	versions = slices.DeleteFunc(versions, func(m registry.Manifest) bool {
		return !slices.ContainsFunc(history, func(e registry.Entry) bool { return e.Alias == registry.Production && e.To == m.Version })
	})
	slices.SortStableFunc(versions, func(a, b registry.Manifest) int { return cmp.Compare(a.AsOf, b.AsOf) })
	for _, d := range dates {
		k := max(0, slices.IndexFunc(versions, func(m registry.Manifest) bool { return m.AsOf > d })-1)
		if versions[len(versions)-1].AsOf <= d {
			k = len(versions) - 1
		}
		if n := len(out); n == 0 || out[n-1].version != versions[k].Version {
			out = append(out, reign{version: versions[k].Version})
		}
		last := &out[len(out)-1]
		last.dates = append(last.dates, d)
	}
	return out, nil
}

// replay checks the dates of one model.
func (s *session) replay(ctx context.Context, q watching, run reign, b *monitor.Backtest) error {
	w, err := s.watchModel(ctx, run.version, run.dates...)
	if err != nil {
		return err
	}
	for _, d := range run.dates {
		reference, err := w.reference(q.reference, d)
		if err != nil {
			b.Add(monitor.Replayed{AsOf: d, Version: w.version.Version, Reasons: []string{}, Note: err.Error()})
			continue
		}
		r, err := w.watch.Replay(d, reference)
		if err != nil {
			return err
		}
		r.Hindsight = w.hindsight(d)
		b.Add(r)
	}
	return nil
}

// shownFeatures is how many features of a check are printed; the report has all.
const shownFeatures = 10

func printDrift(w io.Writer, r monitor.DriftReport, path string) {
	fmt.Fprintf(w, "drift     %s on %s: %s rows of %s users (%s), model %s\n", r.Status, r.AsOf, thousands(int64(r.Rows)), thousands(int64(r.Users)), r.Current, r.Version)
	printReasons(w, r.Reasons, r.Notes)
	l := r.Level
	fmt.Fprintf(w, "          level %s against the %s (%s rows of %s users): %.0f%% of the model's importance has moved, %.0f%% far (it fails at %.0f%%); PSI weighted by importance %.3f\n",
		l.Status, r.Baseline, thousands(int64(l.Rows)), thousands(int64(l.Users)), 100*l.MovedShare, 100*l.FailedShare, 100*l.Limit, l.WeightedPSI)
	if l.Score != nil {
		fmt.Fprintf(w, "          scores: PSI %.3f (limits %.3f, %.3f), mean %.3f after %.3f, high risk %.1f%% after %.1f%%\n", l.Score.PSI, l.Score.WarnLimit, l.Score.FailLimit, l.MeanScore[1], l.MeanScore[0], 100*l.HighShare[1], 100*l.HighShare[0])
	}
	if s := r.Step; s != nil {
		fmt.Fprintf(w, "          step  %s against %s to %s (%s rows): %d features changed suddenly, %d have values far from all before\n", s.Status, s.From, s.To, thousands(int64(s.Rows)), len(s.Jumped), len(s.Strange))
	}
	printFeatureDrift(w, r)
	printTrends(w, r.Trends)
	fmt.Fprintf(w, "          fixed limits of PSI, %s\n", r.Fixed)
	if r.Customary != nil {
		fmt.Fprintf(w, "          the customary ones, %s\n", r.Customary)
	}
	fmt.Fprintf(w, "          %s\n", path)
	if r.Hindsight != 0 {
		fmt.Fprintf(w, "          in hindsight: model %s has learned from data up to %s\n", r.Version, r.Hindsight)
	}
}

func printReasons(w io.Writer, reasons, notes []string) {
	for _, text := range reasons {
		fmt.Fprintf(w, "          * %s\n", text)
	}
	for _, text := range notes {
		fmt.Fprintf(w, "          note: %s\n", text)
	}
}

// printFeatureDrift lists the features that matter most.
func printFeatureDrift(w io.Writer, r monitor.DriftReport) {
	features := slices.Clone(r.Level.Features)
	slices.SortStableFunc(features, func(a, b monitor.LevelFeature) int { return cmp.Compare(b.PSI*b.Importance, a.PSI*a.Importance) })
	steps := map[string]monitor.StepFeature{}
	if r.Step != nil {
		for _, f := range r.Step.Features {
			steps[f.Name] = f
		}
	}
	fmt.Fprintf(w, "          %-30s  %10s  %-4s  %6s  %-13s  %5s  %5s  %8s  %7s  %9s\n", "feature (importance × PSI)", "importance", "", "PSI", "limits", "JS", "KS", "missing", "unseen", "step PSI")
	for _, f := range features[:min(shownFeatures, len(features))] {
		line := fmt.Sprintf("          %-30s  %9.1f%%  %-4s  %6.3f  %.3f, %.3f   %.3f  %.3f  %7.1f%%  %6.1f%%  %9.3f  %s", f.Name, 100*f.Importance, shortStatus(f.Status), f.PSI, f.WarnLimit, f.FailLimit, f.JS, f.KS, 100*f.Missing, 100*f.Unseen, steps[f.Name].PSI, remark(&f))
		fmt.Fprintln(w, strings.TrimRight(line, " "))
	}
}

// remark says why a feature counts as broken, or why its status does not count.
func remark(f *monitor.LevelFeature) string {
	if f.Broken != "" {
		return "broken: " + string(f.Broken)
	}
	if why := f.Discounted(); why != "" {
		return "does not count: " + why
	}
	return ""
}

func shortStatus(s profile.Status) string { return strings.ToUpper(string(s)) }

func printScores(w io.Writer, r monitor.ScoreReport, path string) {
	fmt.Fprintf(w, "scores    %s on %s: %s users at risk, model %s\n", r.Status, r.AsOf, thousands(int64(r.Rows)), r.Version)
	printReasons(w, r.Reasons, r.Notes)
	fmt.Fprintf(w, "          %-10s  %8s  %6s  %6s  %6s  %6s  risk ≥ %.2g\n", "", "users", "mean", "p50", "p90", "p99", r.Threshold)
	line := func(name string, p monitor.ScorePoint) {
		fmt.Fprintf(w, "          %-10s  %8s  %6.3f  %6.3f  %6.3f  %6.3f  %.1f%%\n", name, thousands(int64(p.Rows)), p.Mean, p.P50, p.P90, p.P99, 100*p.High)
	}
	line("expected", r.Expected)
	for _, p := range r.Over {
		line(p.AsOf.String(), p)
	}
	printTrends(w, r.Trends)
	fmt.Fprintf(w, "          %s\n", path)
	if r.Hindsight != 0 {
		fmt.Fprintf(w, "          in hindsight: model %s has learned from data up to %s\n", r.Version, r.Hindsight)
	}
}

func printReplays(w io.Writer, b monitor.Backtest, path string) {
	fmt.Fprintf(w, "drift     replayed from %s to %s every %d days against the %s; of the models that ever were in production, each date has the latest one by its data (*: it has seen later days; ~: warm-up)\n", b.From, b.To, b.EveryDays, b.Reference)
	fmt.Fprintf(w, "          %-10s  %-8s  %-5s  %-5s  %-5s  %8s  %7s  %-5s  %s\n", "as of", "model", "", "level", "step", "weighted", "max PSI", "fixed", "because")
	for _, r := range b.Checks {
		mark := ""
		if r.Hindsight != 0 {
			mark = "*"
		}
		if r.WarmUp {
			mark += "~"
		}
		if r.Status == "" {
			fmt.Fprintf(w, "          %-10s  %-8s  %s\n", r.AsOf, r.Version+mark, r.Note)
			continue
		}
		fmt.Fprintf(w, "          %-10s  %-8s  %-5s  %-5s  %-5s  %8.3f  %7.3f  %-5s  %s\n", r.AsOf, r.Version+mark, r.Status, r.Level, cmp.Or(r.Step, "–"), r.WeightedPSI, r.MaxPSI, r.Fixed, strings.Join(r.Reasons, "; "))
	}
	printTold(w, b)
	fmt.Fprintf(w, "          %s\n", path)
}

// printTold sums a replay up: the share of bad checks first, since limits that
// always fail come to one alarm.
func printTold(w io.Writer, b monitor.Backtest) {
	if b.Counted > 0 {
		fmt.Fprintf(w, "          %-36s  %-10s  %-10s  %s\n", fmt.Sprintf("%s in %.1f months", figures.Counted(b.Counted, "check", "checks"), b.Months), "FAIL", "WARN", "alarms: failures in a row are one")
		line := func(name string, t monitor.Told) {
			fmt.Fprintf(w, "          %-36s  %-10s  %-10s  %s, %.2f a month", name, ofChecks(t.Failed, t.FailedShare), ofChecks(t.Warned, t.WarnedShare), figures.Counted(t.Alarms, "alarm", "alarms"), t.PerMonth)
			if t.Longest > 1 {
				fmt.Fprintf(w, ", the longest for %d checks", t.Longest)
			}
			fmt.Fprintln(w)
		}
		line("these limits", b.Told)
		line(fmt.Sprintf("fixed limits of PSI, %v and %v", b.WarnPSI, b.FailPSI), b.Fixed)
	}
	if n := len(b.Checks) - b.Counted - b.WarmUp.Checks; n > 0 {
		fmt.Fprintf(w, "          %s without an answer\n", figures.Counted(n, "check", "checks"))
	}
	if u := b.WarmUp; u.Checks > 0 {
		fmt.Fprintf(w, "          not counted: %s of the warm-up (~), before %s: the data was too young to tell; FAIL on %d of them, by fixed limits on %d\n",
			figures.Counted(u.Checks, "check", "checks"), u.Until, u.Failed, u.FixedFailed)
	}
}

// ofChecks writes how many checks, and what share.
func ofChecks(n int, share float64) string { return fmt.Sprintf("%.0f%% (%d)", 100*share, n) }
