package server

import (
	"math"

	"github.com/go-json-experiment/json/jsontext"
)

// jsonType is a header value; it is shared and never changed.
var jsonType = []string{"application/json"}

// Outcome is what an answer says of one row.
type Outcome struct {
	User     string   `json:"user_id"`
	Risk     float64  `json:"churn_risk"`
	Tier     string   `json:"risk_tier"`
	Reasons  []Reason `json:"reasons"`
	AsOf     string   `json:"as_of_date"`
	Warnings []Fault  `json:"warnings"`
	Missing  []string `json:"missing"` // inputs without a value, for which the model's null rule holds
}

// Stamp says what made an answer.
type Stamp struct {
	Version    string `json:"model_version"`
	Path       string `json:"model_path"`
	FeatureSet string `json:"feature_set"`
	RequestID  string `json:"request_id"`
}

// Prediction is the answer of /predict.
type Prediction struct {
	Outcome
	Stamp
}

// appendOutcome writes the members of an Outcome, and a comma behind each.
func (w *work) appendOutcome(b []byte, score Score) []byte {
	return appendOutcome(b, &Outcome{User: w.user, Risk: score.Risk, Tier: score.Tier, Reasons: score.Reasons, AsOf: w.asOf, Warnings: w.warnings, Missing: w.missing})
}

func appendOutcome(b []byte, o *Outcome) []byte {
	b = appendText(append(b, `"user_id":`...), o.User)
	b = appendNumber(append(b, `,"churn_risk":`...), o.Risk)
	b = appendText(append(b, `,"risk_tier":`...), o.Tier)
	b = appendReasons(append(b, `,"reasons":`...), o.Reasons)
	b = appendText(append(b, `,"as_of_date":`...), o.AsOf)
	b = appendFaults(append(b, `,"warnings":`...), o.Warnings)
	b = append(b, `,"missing":[`...)
	for i, name := range o.Missing {
		b = appendText(comma(b, i), name)
	}
	return append(b, "],"...)
}

// appendStamp writes the members of a Stamp.
func (w *work) appendStamp(b []byte) []byte {
	b = appendText(append(b, `"model_version":`...), w.info.Version)
	b = appendText(append(b, `,"model_path":`...), w.info.Path)
	b = appendText(append(b, `,"feature_set":`...), w.info.FeatureSet)
	return appendText(append(b, `,"request_id":`...), w.request)
}

func appendReasons(b []byte, reasons []Reason) []byte {
	b = append(b, '[')
	for i := range reasons {
		r := &reasons[i]
		b = appendText(append(comma(b, i), `{"feature":`...), r.Feature)
		b = appendText(append(b, `,"text":`...), r.Text)
		b = appendNumber(append(b, `,"contribution":`...), r.Contribution)
		b = append(b, '}')
	}
	return append(b, ']')
}

func appendFaults(b []byte, faults []Fault) []byte {
	b = append(b, '[')
	for i := range faults {
		f := &faults[i]
		b = appendText(append(comma(b, i), `{"field":`...), f.Field)
		b = appendText(append(b, `,"got":`...), f.Got)
		b = appendText(append(b, `,"expected":`...), f.Expected)
		b = append(b, '}')
	}
	return append(b, ']')
}

// comma separates element i of a list from the one before.
func comma(b []byte, i int) []byte {
	if i > 0 {
		b = append(b, ',')
	}
	return b
}

// appendText writes a JSON string. Bytes that are not UTF-8 are replaced.
func appendText(b []byte, text string) []byte {
	b, _ = jsontext.AppendQuote(b, text)
	return b
}

// appendNumber writes a number so that it reads back to the same bits; NaN and
// infinities, which JSON lacks, are null.
func appendNumber(b []byte, x float64) []byte {
	if math.IsNaN(x) || math.IsInf(x, 0) {
		return append(b, "null"...)
	}
	return jsontext.AppendFloat(b, x, 64)
}
