package server

// The types of this file are what requests look like, for the description of
// the interface; the decoders read them without making them. A tag `schema`
// names a fragment of schemas.go where the Go type does not say enough; on a
// blank field, closed says that no other members may stand in the object.

// PredictRequest is the body of /predict and an instance of /predict/batch.
type PredictRequest struct {
	User     any            `json:"user_id" schema:"id" doc:"Whom the row is of."`
	AsOf     *string        `json:"snapshot_date,omitzero" schema:"date" doc:"The day at whose end the features were taken; today if absent."`
	Features map[string]any `json:"features" schema:"features" doc:"Values by the names of the model's inputs. For what is absent or null the model's null rule holds; the answer lists it under missing."`
}

// BatchRequest is the body of /predict/batch.
type BatchRequest struct {
	Instances []PredictRequest `json:"instances" schema:"rows" doc:"Each is answered on its own, all by one model."`
}

// EventsRequest is the body of /predict/events.
type EventsRequest struct {
	User      UserRecord    `json:"user"`
	Events    []EventRecord `json:"events" schema:"events" doc:"All that is known of the user up to the as-of date, and more if that is easier: what lies after it is left out."`
	AsOf      *string       `json:"as_of_date,omitzero" schema:"date" doc:"The features see what was known at the end of this day; the day of the latest event if absent."`
	DataStart *string       `json:"data_start,omitzero" schema:"date" doc:"The first day of the data that the events were taken from. If absent, that of the data which the server's batch runs read, else the day of signup or, where that is earlier, of the first event."`
}

// UserRecord is a row of the users file. More members are passed over.
type UserRecord struct {
	ID      any `json:"user_id" schema:"name"`
	Signup  any `json:"signup_date" schema:"moment" doc:"A date such as 2026-04-30, not after today."`
	Plan    any `json:"plan" schema:"plan"`
	Paid    any `json:"is_paid" schema:"flag" doc:"0 or 1."`
	Country any `json:"country,omitzero" schema:"field"`
	Source  any `json:"marketing_source,omitzero" schema:"field"`
}

// EventRecord is a row of the events file. More members are passed over.
type EventRecord struct {
	ID      any `json:"event_id" schema:"name" doc:"Of events with one id the one that was known first counts."`
	User    any `json:"user_id,omitzero" schema:"field" doc:"The user's own, if given."`
	Time    any `json:"event_time" schema:"moment" doc:"Such as 2026-04-30T18:05:00, or with a zone as in RFC 3339; not after today."`
	Type    any `json:"event_type" schema:"event" doc:"Such as login; validate.event_types lists them."`
	Course  any `json:"course_id,omitzero" schema:"field"`
	Minutes any `json:"watch_minutes,omitzero" schema:"field" doc:"From 0."`
	Score   any `json:"quiz_score,omitzero" schema:"field" doc:"From 0 to 100."`
	Amount  any `json:"amount,omitzero" schema:"field" doc:"Above 0, of payments."`
	Known   any `json:"known_at,omitzero" schema:"field" doc:"When the fact became known; event_time if absent."`
}

// BatchAnswer is the answer of /predict/batch.
type BatchAnswer struct {
	Predictions []BatchRow `json:"predictions" doc:"In the order of the instances."`
	Stamp
	Scored int `json:"scored"`
	Failed int `json:"failed"`
}

// BatchRow is an Outcome, or the user and the faults of a row that could not be
// scored.
type BatchRow struct {
	User     string   `json:"user_id"`
	Risk     *float64 `json:"churn_risk,omitzero"`
	Tier     string   `json:"risk_tier,omitzero"`
	Reasons  []Reason `json:"reasons,omitzero"`
	AsOf     string   `json:"as_of_date,omitzero"`
	Warnings []Fault  `json:"warnings,omitzero"`
	Missing  []string `json:"missing,omitzero"`
	Errors   []Fault  `json:"errors,omitzero" doc:"Only of a row that could not be scored."`
}

// V2Request is the body of infer.
type V2Request struct {
	ID         string         `json:"id,omitzero" schema:"note"`
	Parameters map[string]any `json:"parameters,omitzero" doc:"binary_data_output asks for all outputs as bytes."`
	Inputs     []V2Input      `json:"inputs" schema:"tensors" doc:"One tensor for each feature; those left out are missing values. One named user_id is for the log."`
	Outputs    []V2Wanted     `json:"outputs,omitzero" schema:"outputs" doc:"All if absent."`
}

// V2Input is a tensor of a request.
type V2Input struct {
	Name       string         `json:"name" schema:"tensor"`
	Shape      []int          `json:"shape" schema:"shape" doc:"[n] or [n, 1], the same n in all tensors."`
	Datatype   string         `json:"datatype" schema:"datatype"`
	Parameters map[string]any `json:"parameters,omitzero" doc:"binary_data_size, where the values follow the document as bytes (Triton)."`
	Data       []any          `json:"data,omitzero"`
}

// V2Wanted is an output that is asked for.
type V2Wanted struct {
	Name       string         `json:"name" schema:"output"`
	Parameters map[string]any `json:"parameters,omitzero" doc:"binary_data asks for bytes."`
}

// V2Answer is the answer of infer.
type V2Answer struct {
	Model      string         `json:"model_name"`
	Version    string         `json:"model_version"`
	ID         string         `json:"id,omitzero"`
	Parameters map[string]any `json:"parameters"`
	Outputs    []V2Output     `json:"outputs"`
}

// V2Output is a tensor of an answer.
type V2Output struct {
	Name       string         `json:"name" schema:"output"`
	Datatype   string         `json:"datatype" schema:"datatype"`
	Shape      []int          `json:"shape"`
	Parameters map[string]any `json:"parameters,omitzero"`
	Data       []any          `json:"data,omitzero"`
}
