package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"slices"

	"churn/bench/internal/kit"
	"churn/model"
	"churn/model/encode"
	"churn/pipeline/dataset"
	"churn/pipeline/features"
	"churn/pipeline/train"
)

// portal is a data set that goes through the churn binary.
type portal struct {
	name     string
	generate []string // arguments of `churn generate`; nil = the files are there
	settings []string // --set key=value
	asOf     string   // --as-of; "" = the last day
}

// portals returns the simulated portal of `make run` and, where the folder of
// shared data has them, the two real ones with the README's settings.
func portals(shared string) []portal {
	list := []portal{{name: "generated", generate: []string{"--users", "2000", "--days", "365"}}}
	for _, p := range []portal{
		{name: "oulad", asOf: "2014-02-14", settings: []string{"labels.window_days=30", "labels.activity_events=login,video_watch,quiz_attempt"}},
		{name: "cdnow", settings: []string{"labels.window_days=90", "labels.activity_events=payment_success"}},
	} {
		dir := filepath.Join(shared, "real", p.name)
		users, events := filepath.Join(dir, "users.csv"), filepath.Join(dir, "events.csv.gz")
		if _, err := os.Stat(events); err != nil {
			kit.Say("%s is skipped: there is no %s (CHURN_SHARED or -shared names the folder)", p.name, events)
			continue
		}
		p.settings = append(p.settings, "source.users="+users, "source.events="+events)
		list = append(list, p)
	}
	return list
}

// prepare runs the stages in dir and returns the rows on which `churn train`
// fits and those on which it tests.
func (d portal) prepare(ctx context.Context, churn, dir string) (fit, hold *sample, err error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, nil, err
	}
	var settings []string
	for _, s := range append(d.settings, "train.models=logistic", "train.bootstrap=20") {
		settings = append(settings, "--set", s)
	}
	var date []string
	if d.asOf != "" {
		date = []string{"--as-of", d.asOf}
	}
	commands := [][]string{{"prepare"}, append([]string{"features"}, date...), append([]string{"labels"}, date...), append([]string{"train"}, date...)}
	if d.generate != nil {
		commands = append([][]string{append([]string{"generate"}, d.generate...)}, commands...)
	}
	for _, command := range commands {
		kit.Say("%s: churn %s", d.name, command[0])
		if err := stage(ctx, churn, dir, settings, command); err != nil {
			return nil, nil, err
		}
	}
	return read(ctx, dir)
}

// held is the exit code of `churn train` without a model that beats the floor:
// its report is written all the same.
const held = 4

func stage(ctx context.Context, churn, dir string, settings, command []string) error {
	args := append(append([]string{"--json", "--log-level", "warn"}, settings...), command...)
	cmd := exec.CommandContext(ctx, churn, args...)
	cmd.Dir, cmd.Stderr = dir, os.Stderr
	err := cmd.Run()
	var exit *exec.ExitError
	if errors.As(err, &exit) && exit.ExitCode() == held && command[0] == "train" {
		return nil
	}
	if err != nil {
		return fmt.Errorf("%s %s: %w", churn, command[0], err)
	}
	return nil
}

// split returns the periods of the report of `churn train`.
func split(report []byte) (train.Split, error) {
	var r struct {
		Split train.Split `json:"split"`
	}
	err := json.Unmarshal(report, &r)
	s := r.Split
	if err == nil && (s.TrainFirst > s.TrainLast || s.TrainLast >= s.TestFirst || s.TestFirst > s.TestLast) {
		err = fmt.Errorf("the train report has no split: %+v", s)
	}
	return s, err
}

// read takes the two periods from the training set of a workspace.
func read(ctx context.Context, dir string) (fit, hold *sample, err error) {
	report, err := os.ReadFile(filepath.Join(dir, "artifacts", "metrics", "train_latest.json"))
	if err != nil {
		return nil, nil, err
	}
	s, err := split(report)
	if err != nil {
		return nil, nil, err
	}
	index := features.NewIndex(features.Catalog(features.Defaults()))
	all, err := dataset.Load(ctx, filepath.Join(dir, "data", "features", "training_dataset.csv"), index, 0, 0, nil)
	if err != nil {
		return nil, nil, err
	}
	past, later := all.Between(s.TrainFirst, s.TrainLast), all.Between(s.TestFirst, s.TestLast)
	keep := filled(&past.Frame)
	return &sample{frame: selected(&past.Frame, keep), label: past.Label}, &sample{frame: selected(&later.Frame, keep), label: later.Label}, nil
}

// filled returns the numeric columns that have a value in some row. The others
// tell nothing, and scikit-learn's binning fails on them.
func filled(f *model.Frame) (keep []int) {
	for j := range f.NumericNames {
		for i := range f.Rows() {
			if num, _ := f.Row(i); !math.IsNaN(num[j]) {
				keep = append(keep, j)
				break
			}
		}
	}
	return keep
}

// selected returns f with only those numeric columns.
func selected(f *model.Frame, keep []int) model.Frame {
	out := model.Frame{CategoricalNames: f.CategoricalNames, Categorical: f.Categorical}
	for _, j := range keep {
		out.NumericNames = append(out.NumericNames, f.NumericNames[j])
	}
	for i := range f.Rows() {
		num, _ := f.Row(i)
		for _, j := range keep {
			out.Numeric = append(out.Numeric, num[j])
		}
	}
	return out
}

// skewed returns how `churn train` encodes the numerics for the logistic
// regression, for the columns of f.
func skewed(f *model.Frame) encode.Options {
	var o encode.Options
	catalog := features.Catalog(features.Defaults())
	for i := range catalog {
		if c := &catalog[i]; slices.Contains(f.NumericNames, c.Name) {
			o.Numeric = append(o.Numeric, encode.Column{Name: c.Name, Log: c.Skewed})
		}
	}
	return o
}
