package predictionlog

import (
	"errors"
	"fmt"
	"time"

	"churn/internal/size"
)

// Params are the settings of the log. Each has its reason in config.yaml.
type Params struct {
	Sample      float64       `mapstructure:"sample"`       // share of the users whose predictions are kept; 0 = nothing is
	Folder      string        `mapstructure:"folder"`       // "" = the folder log of paths.predictions
	Buffer      string        `mapstructure:"buffer"`       // size of what waits to be written; more is dropped
	FlushEvery  time.Duration `mapstructure:"flush_every"`  // what a kill can lose
	RotateSize  string        `mapstructure:"rotate_size"`  // of a file, from which on the next begins
	RotateEvery time.Duration `mapstructure:"rotate_every"` // age of a file, likewise
	KeepDays    int           `mapstructure:"keep_days"`    // a file goes when its last row is older
	KeepSize    string        `mapstructure:"keep_size"`    // of all files, beyond which the oldest go
}

// Defaults returns the built-in settings.
func Defaults() Params {
	return Params{Buffer: "8MiB", FlushEvery: time.Second, RotateSize: "64MiB", RotateEvery: 24 * time.Hour, KeepDays: 90, KeepSize: "10GiB"}
}

// Validate returns all faults, each with its key.
func (p Params) Validate() error {
	var errs []error
	bad := func(wrong bool, format string, args ...any) {
		if wrong {
			errs = append(errs, fmt.Errorf("serve.log."+format, args...))
		}
	}
	bad(!(p.Sample >= 0 && p.Sample <= 1), "sample: %v is not a share; use a number from 0 (nothing is kept) to 1", p.Sample)
	bad(p.FlushEvery <= 0, "flush_every: %v is out of range; use more than 0s", p.FlushEvery)
	bad(p.RotateEvery < time.Minute, "rotate_every: %v is too often; use 1m or more", p.RotateEvery)
	bad(p.KeepDays < 1, "keep_days: %d is out of range; use 1 or more", p.KeepDays)
	bad(p.RotateEvery > time.Duration(p.KeepDays)*24*time.Hour, "rotate_every: %v is longer than serve.log.keep_days, %d, keep a file", p.RotateEvery, p.KeepDays)
	for _, s := range []struct{ key, text string }{{"buffer", p.Buffer}, {"rotate_size", p.RotateSize}, {"keep_size", p.KeepSize}} {
		n, err := size.Parse(s.text)
		bad(err != nil, "%s: %v", s.key, err)
		bad(err == nil && n < 2*blockSize, "%s: %s is too small; use 1MiB or more", s.key, s.text)
	}
	return errors.Join(errs...)
}

// bytesOf reads a size that Validate has accepted.
func bytesOf(text string) int64 {
	n, err := size.Parse(text)
	if err != nil {
		panic("predictionlog: " + err.Error())
	}
	return n
}
