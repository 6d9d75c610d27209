// Package score ranks users by their risk and says why.
package score

import (
	"errors"
	"fmt"
	"strings"

	"churn/pipeline/source"
)

// Params are the settings of the stage.
type Params struct {
	TopK      int    `mapstructure:"top_k"`   // users in the short list
	Reasons   int    `mapstructure:"reasons"` // reasons a user, 1 to 3
	Tiers     Tiers  `mapstructure:"tiers"`
	Sink      string `mapstructure:"sink"`       // where predictions go
	SinkURL   string `mapstructure:"sink_url"`   // of the database
	SinkTable string `mapstructure:"sink_table"` // that is replaced
}

// The sinks. Files are written in any case: later stages read them.
const (
	SinkFiles    = "files"
	SinkPostgres = source.KindPostgres
	SinkTrino    = source.KindTrino
)

// Tiers are the probabilities from which a risk is called medium or high.
type Tiers struct {
	Medium float64 `mapstructure:"medium" json:"medium"`
	High   float64 `mapstructure:"high" json:"high"`
}

// The tiers.
const (
	Low    = "low"
	Medium = "medium"
	High   = "high"
)

// Of returns the tier of a probability.
func (t Tiers) Of(p float64) string {
	switch {
	case p >= t.High:
		return High
	case p >= t.Medium:
		return Medium
	}
	return Low
}

// Defaults returns the built-in settings.
func Defaults() Params {
	return Params{TopK: 50, Reasons: 3, Tiers: Tiers{Medium: 0.2, High: 0.5}, Sink: SinkFiles, SinkTable: "churn_predictions"}
}

// Validate returns all faults, each with its key.
func (p Params) Validate() error {
	var errs []error
	if p.TopK < 1 {
		errs = append(errs, fmt.Errorf("score.top_k: %d is out of range; use 1 or more", p.TopK))
	}
	if p.Reasons < 1 || p.Reasons > maxReasons {
		errs = append(errs, fmt.Errorf("score.reasons: %d is out of range; use 1 to %d", p.Reasons, maxReasons))
	}
	if !(p.Tiers.Medium > 0 && p.Tiers.Medium < p.Tiers.High && p.Tiers.High < 1) {
		errs = append(errs, fmt.Errorf("score.tiers: medium %v and high %v; use probabilities with 0 < medium < high < 1", p.Tiers.Medium, p.Tiers.High))
	}
	return errors.Join(append(errs, p.validateSink())...)
}

func (p Params) validateSink() error {
	switch {
	case p.Sink != SinkFiles && p.Sink != SinkPostgres && p.Sink != SinkTrino:
		return fmt.Errorf("score.sink: %q is unknown; use %s, %s or %s", p.Sink, SinkFiles, SinkPostgres, SinkTrino)
	case p.Sink == SinkFiles && p.SinkURL != "":
		return fmt.Errorf("score.sink_url: files have none; it goes with score.sink: %s or %s", SinkPostgres, SinkTrino)
	case p.Sink == SinkFiles:
		return nil
	case strings.TrimSpace(p.SinkTable) == "":
		return errors.New("score.sink_table: name the table that predictions replace, such as churn.predictions")
	}
	return source.CheckAddress("score.sink_url", p.Sink, p.SinkURL)
}
