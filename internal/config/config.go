// Package config composes the settings of all packages and reads them from
// flags, the environment and a file. Nothing else imports viper.
package config

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"churn/internal/serving/predictionlog"
	"churn/internal/table"
	"churn/pipeline"
	"churn/pipeline/evaluate"
	"churn/pipeline/features"
	"churn/pipeline/generate"
	"churn/pipeline/labels"
	"churn/pipeline/lms"
	"churn/pipeline/monitor"
	"churn/pipeline/prepare"
	"churn/pipeline/promote"
	"churn/pipeline/retrain"
	"churn/pipeline/score"
	"churn/pipeline/source"
	"churn/pipeline/train"
	"churn/pipeline/validate"
	"churn/registry"
	"churn/registry/store"
	"churn/server"
)

// The profiles.
const (
	ProfileDefault = "default"
	ProfileSeed    = "seed" // the definitions of the original course
)

// Config is all settings.
type Config struct {
	Profile  string          `mapstructure:"profile"`
	Data     Data            `mapstructure:"data"`
	Paths    Paths           `mapstructure:"paths"`
	Source   source.Params   `mapstructure:"source"`
	Import   lms.Params      `mapstructure:"import"`
	Generate Generate        `mapstructure:"generate"`
	Validate validate.Params `mapstructure:"validate"`
	Prepare  prepare.Params  `mapstructure:"prepare"`
	Features features.Params `mapstructure:"features"`
	Labels   labels.Params   `mapstructure:"labels"`
	Train    train.Params    `mapstructure:"train"`
	Evaluate evaluate.Params `mapstructure:"evaluate"`
	Value    evaluate.Value  `mapstructure:"value"`
	Promote  promote.Params  `mapstructure:"promote"`
	Retrain  retrain.Params  `mapstructure:"retrain"`
	Registry Registry        `mapstructure:"registry"`
	Score    score.Params    `mapstructure:"score"`
	Serve    Serve           `mapstructure:"serve"`
	Monitor  monitor.Params  `mapstructure:"monitor"`
}

// Data says how tables are written.
type Data struct {
	Format string `mapstructure:"format"`
}

// Paths says where files are. All derive from Data and Artifacts unless set.
type Paths struct {
	Data        string `mapstructure:"data"`
	Artifacts   string `mapstructure:"artifacts"`
	Raw         string `mapstructure:"raw"`
	Processed   string `mapstructure:"processed"`
	Features    string `mapstructure:"features"`
	Predictions string `mapstructure:"predictions"`
	Metrics     string `mapstructure:"metrics"`
	Reports     string `mapstructure:"reports"`
	Registry    string `mapstructure:"registry"`
	Cache       string `mapstructure:"cache"`
}

// Generate is the world that churn generate simulates.
type Generate struct {
	Users         int      `mapstructure:"users"`
	Days          int      `mapstructure:"days"`
	StartDate     string   `mapstructure:"start_date"`
	Seed          uint64   `mapstructure:"seed"`
	PaidRatio     float64  `mapstructure:"paid_ratio"`
	ChurnBaseRate float64  `mapstructure:"churn_base_rate"`
	Drift         []string `mapstructure:"drift"`
}

// Registry says where models are kept, and for how long.
type Registry struct {
	URL      string `mapstructure:"url"`       // of an object store; "" = the folder paths.registry
	KeepDays int    `mapstructure:"keep_days"` // a version that was in use so lately is kept
	Actor    string `mapstructure:"actor"`     // who moves aliases; "" = user@machine
}

// Serve is the server, and what it keeps beside answering.
type Serve struct {
	server.Params `mapstructure:",squash"`
	Shadow        string               `mapstructure:"shadow"` // alias of a second model that scores the same requests; "" = none
	Log           predictionlog.Params `mapstructure:"log"`
}

// Validate returns all faults, each with its dotted key.
func (s Serve) Validate() error {
	err := errors.Join(s.Params.Validate(), s.Log.Validate())
	if s.Shadow != "" && s.Shadow != registry.Challenger && s.Shadow != registry.Previous {
		err = errors.Join(err, fmt.Errorf("serve.shadow: %q is no second model; use %s, %s or nothing", s.Shadow, registry.Challenger, registry.Previous))
	}
	return err
}

// Validate returns all faults, each with its dotted key.
func (r Registry) Validate() (err error) {
	if r.URL != "" {
		if fault := store.CheckURL(r.URL); fault != nil {
			err = fmt.Errorf("registry.url: %w; the path of a folder goes into paths.registry", fault)
		}
	}
	if r.KeepDays < 0 {
		err = errors.Join(err, fmt.Errorf("registry.keep_days: %d is out of range; use 0 or more", r.KeepDays))
	}
	return err
}

// Defaults returns the built-in settings of a profile.
func Defaults(profile string) Config {
	g := generate.Defaults()
	c := Config{
		Profile: profile,
		Data:    Data{Format: string(table.CSV)},
		Paths:   Paths{Data: "data", Artifacts: "artifacts"},
		Source:  source.Defaults(),
		Import:  lms.Defaults(),
		Generate: Generate{Users: g.Users, Days: g.Days, StartDate: g.StartDate.String(), Seed: g.Seed,
			PaidRatio: g.PaidRatio, ChurnBaseRate: g.ChurnBaseRate, Drift: []string{}},
		Validate: validate.Defaults(append(pipeline.EventTypes(), pipeline.CourseComplete)),
		Prepare:  prepare.Defaults(),
		Features: features.Defaults(),
		Labels:   labels.Defaults(),
		Train:    train.Defaults(),
		Evaluate: evaluate.Defaults(),
		Value:    evaluate.DefaultValue(),
		Promote:  promote.Defaults(),
		Retrain:  retrain.Defaults(),
		Registry: Registry{KeepDays: 90},
		Score:    score.Defaults(),
		Serve:    Serve{Params: server.Defaults(), Log: predictionlog.Defaults()},
		Monitor:  monitor.Defaults(),
	}
	if profile == ProfileSeed {
		c.Prepare.Dense = true
		c.Features.EveryDays = 1
		c.Features.Set = features.SetCourse
		c.Labels.CohortActiveDays = 0
		c.Labels.ActivityEvents = pipeline.EventTypes()
		c.Train.Purge = false
		// With everyone in the cohort most have left long ago, and any rule is "too good".
		c.Evaluate.LeakROCAUC, c.Evaluate.LeakShare = 1, 2
	}
	return c
}

// Check returns all faults of the settings, each with its dotted key.
func (c *Config) Check() error {
	var errs []error
	if c.Profile != ProfileDefault && c.Profile != ProfileSeed {
		errs = append(errs, fmt.Errorf("profile: %q is unknown; use %s or %s", c.Profile, ProfileDefault, ProfileSeed))
	}
	if _, err := table.ParseFormat(c.Data.Format); err != nil {
		errs = append(errs, fmt.Errorf("data.format: %w", err))
	}
	errs = append(errs, c.Source.Validate(), c.Import.Validate(), c.Validate.Validate(), c.Prepare.Validate(), c.Features.Validate(),
		c.Labels.Validate(c.Validate.EventTypes), c.Train.Validate(), c.Evaluate.Validate(), c.Value.Validate(),
		c.Promote.Validate(), c.Retrain.Validate(), c.Score.Validate(), c.Serve.Validate(), c.Monitor.Validate())
	if _, err := c.Simulation(); err != nil {
		errs = append(errs, err)
	}
	errs = append(errs, c.Registry.Validate(), c.Paths.validate())
	if c.Prepare.WriteEvents && c.Source.InDatabase() {
		errs = append(errs, errors.New("prepare.write_events: single events stay in the database (source.kind); use false, and look at them there"))
	}
	return errors.Join(errs...)
}

// Simulation returns the settings of generate in its own types.
func (c *Config) Simulation() (generate.Params, error) {
	g := c.Generate
	p := generate.Params{Users: g.Users, Days: g.Days, Seed: g.Seed, PaidRatio: g.PaidRatio, ChurnBaseRate: g.ChurnBaseRate, Format: table.Format(c.Data.Format)}
	var errs []error
	start, err := pipeline.ParseDate(g.StartDate)
	if err != nil {
		errs = append(errs, fmt.Errorf("generate.start_date: %w", err))
		start = generate.Defaults().StartDate // so that the other faults are found too
	}
	p.StartDate = start
	for _, text := range g.Drift {
		d, err := generate.ParseDrift(text)
		if err != nil {
			errs = append(errs, fmt.Errorf("generate.drift: %w", err))
			continue
		}
		p.Drifts = append(p.Drifts, d)
	}
	if _, err := table.ParseFormat(c.Data.Format); err == nil {
		errs = append(errs, p.Validate())
	}
	return p, errors.Join(errs...)
}

// validate returns all faults, each with its dotted key.
func (p *Paths) validate() (err error) {
	for _, f := range [][2]string{{"paths.data", p.Data}, {"paths.artifacts", p.Artifacts}} {
		if f[1] == "" {
			err = errors.Join(err, fmt.Errorf("%s: is empty; name a folder", f[0]))
		}
	}
	if strings.Contains(p.Registry, "://") {
		err = errors.Join(err, errors.New("paths.registry: is the path of a folder; the URL of an object store goes into registry.url"))
	}
	return err
}

// derive fills in the paths that were left open.
func (p *Paths) derive() {
	set := func(path *string, root, name string) {
		if *path == "" {
			*path = filepath.Join(root, name)
		}
	}
	set(&p.Raw, p.Data, "raw")
	set(&p.Processed, p.Data, "processed")
	set(&p.Features, p.Data, "features")
	set(&p.Predictions, p.Data, "predictions")
	set(&p.Metrics, p.Artifacts, "metrics")
	set(&p.Reports, p.Artifacts, "reports")
	set(&p.Registry, p.Artifacts, "registry")
	set(&p.Cache, p.Artifacts, "cache")
}

// Digest identifies the settings in v, the sections that a stage reads.
func Digest(v ...any) string {
	text, err := json.Marshal(v)
	if err != nil {
		panic("config: " + err.Error()) // plain data always encodes
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:])
}
