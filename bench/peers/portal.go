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

	"churn/internal/table"
	"churn/model"
	"churn/model/encode"
	"churn/pipeline/dataset"
	"churn/pipeline/features"
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
	for _, real := range []portal{
		{name: "oulad", asOf: "2014-02-14", settings: []string{"labels.window_days=30", "labels.activity_events=login,video_watch,quiz_attempt"}},
		{name: "cdnow", settings: []string{"labels.window_days=90", "labels.activity_events=payment_success"}},
	} {
		dir := filepath.Join(shared, "real", real.name)
		users, events := filepath.Join(dir, "users.csv"), filepath.Join(dir, "events.csv.gz")
		if _, err := os.Stat(events); err != nil {
			say("%s is skipped: there is no %s (CHURN_SHARED or -shared names the folder)", real.name, events)
			continue
		}
		real.settings = append(real.settings, "source.users="+users, "source.events="+events)
		list = append(list, real)
	}
	return list
}

// prepare runs the stages in dir and returns the rows on which `churn train`
// fits and those on which it tests.
func (d portal) prepare(ctx context.Context, churn, dir string) (train, test *sample, err error) {
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
		say("%s: churn %s", d.name, command[0])
		if err := stage(ctx, churn, dir, settings, command); err != nil {
			return nil, nil, err
		}
	}
	return read(dir)
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

// period is a range of as-of dates, both ends within it. Dates as text order as
// dates.
type period struct{ first, last string }

func (p period) holds(date string) bool { return p.first <= date && date <= p.last }

// split returns the periods of the report of `churn train`.
func split(report []byte) (train, test period, err error) {
	var r struct {
		Split struct {
			TrainFirst string `json:"train_first"`
			TrainLast  string `json:"train_last"`
			TestFirst  string `json:"test_first"`
			TestLast   string `json:"test_last"`
		} `json:"split"`
	}
	err = json.Unmarshal(report, &r)
	s := r.Split
	if err == nil && (s.TrainFirst == "" || s.TrainFirst > s.TrainLast || s.TrainLast >= s.TestFirst || s.TestFirst > s.TestLast) {
		err = fmt.Errorf("the train report has no split: %+v", s)
	}
	return period{s.TrainFirst, s.TrainLast}, period{s.TestFirst, s.TestLast}, err
}

// read takes the two periods from the training set of a workspace.
func read(dir string) (train, test *sample, err error) {
	report, err := os.ReadFile(filepath.Join(dir, "artifacts", "metrics", "train_latest.json"))
	if err != nil {
		return nil, nil, err
	}
	fit, hold, err := split(report)
	if err != nil {
		return nil, nil, err
	}
	r, err := table.Open(filepath.Join(dir, "data", "features", "training_dataset.csv"))
	if err != nil {
		return nil, nil, err
	}
	defer r.Close()
	c, err := locate(r)
	if err != nil {
		return nil, nil, err
	}
	train, test = c.sample(), c.sample()
	err = r.Each(func(rec *table.Record) error {
		switch date := string(rec.Field(c.asOf)); {
		case fit.holds(date):
			return c.add(rec, train)
		case hold.holds(date):
			return c.add(rec, test)
		}
		return nil
	})
	if err != nil {
		return nil, nil, err
	}
	keep := filled(&train.frame)
	train.frame, test.frame = selected(&train.frame, keep), selected(&test.frame, keep)
	return train, test, nil
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

// columns are the positions of a training set's columns.
type columns struct {
	asOf, label                    int
	numeric, categorical           []int
	numericNames, categoricalNames []string
}

func locate(r *table.Reader) (*columns, error) {
	c := &columns{asOf: r.Column("as_of_date"), label: r.Column(dataset.LabelColumn)}
	c.numericNames, c.categoricalNames = features.NewIndex(features.Catalog(features.Defaults())).Names()
	for _, name := range c.numericNames {
		c.numeric = append(c.numeric, r.Column(name))
	}
	for _, name := range c.categoricalNames {
		c.categorical = append(c.categorical, r.Column(name))
	}
	for _, k := range append(append([]int{c.asOf, c.label}, c.numeric...), c.categorical...) {
		if k < 0 {
			return nil, fmt.Errorf("%s lacks columns of the catalog: build bin/churn from this checkout", r.Path())
		}
	}
	return c, nil
}

func (c *columns) sample() *sample {
	return &sample{frame: model.Frame{NumericNames: c.numericNames, CategoricalNames: c.categoricalNames}}
}

// add appends a record.
func (c *columns) add(rec *table.Record, s *sample) error {
	for k, column := range c.numeric {
		v, field := math.NaN(), rec.Field(column)
		if len(field) > 0 {
			var err error
			if v, err = table.ParseFloat(field); err != nil {
				return rec.Errorf(c.numericNames[k], "%v", err)
			}
		}
		s.frame.Numeric = append(s.frame.Numeric, v)
	}
	for _, column := range c.categorical {
		s.frame.Categorical = append(s.frame.Categorical, string(rec.Field(column)))
	}
	s.label = append(s.label, string(rec.Field(c.label)) == "1")
	return nil
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
