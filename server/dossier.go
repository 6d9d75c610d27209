package server

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/labstack/echo/v4"
)

// Dossier is what a page about one user shows beyond the latest score: why, what
// was done when, and how the risk came to be.
type Dossier struct {
	ID         string     `json:"user_id"`
	AsOf       string     `json:"as_of_date"` // last day of the data
	Version    string     `json:"model_version"`
	FeatureSet string     `json:"feature_set"` // fingerprint
	Risk       float64    `json:"churn_risk"`
	Tier       string     `json:"risk_tier"`
	AtRisk     bool       `json:"at_risk"`   // active lately: the model has learned from nobody else
	BaseRisk   float64    `json:"base_risk"` // that contributions start from
	Usual      *float64   `json:"risk_if_usual,omitempty"`
	Factors    []Factor   `json:"factors"` // by falling contribution
	Days       []Day      `json:"days"`    // those of the last year with events, oldest first
	Risks      []PastRisk `json:"risks"`   // oldest first; the last is of AsOf
}

// Factor is what one theme, such as recency, does to a risk.
type Factor struct {
	Theme        string        `json:"theme"`
	Text         string        `json:"text"`         // "" where the values sound like the opposite
	Contribution float64       `json:"contribution"` // log-odds, before calibration
	Values       []FactorValue `json:"values"`       // by falling size of contribution
	Usual        *float64      `json:"risk_if_usual,omitempty"`
}

// FactorValue is one feature of the user beside that of peers.
type FactorValue struct {
	Feature      string  `json:"feature"`
	Title        string  `json:"title"`
	Value        string  `json:"value"` // "" is null
	Usual        string  `json:"usual"` // median, or most frequent, of the training cohort
	Contribution float64 `json:"contribution"`
}

// Day is what a user did on one day.
type Day struct {
	Date           string  `json:"date"`
	Active         bool    `json:"active"` // with something that counts as activity
	Events         int     `json:"events"`
	Logins         int     `json:"logins"`
	Enrolls        int     `json:"enrolls"`
	Minutes        float64 `json:"watch_minutes"`
	Quizzes        int     `json:"quiz_attempts"`
	Payments       int     `json:"payments"`
	FailedPayments int     `json:"payments_failed"`
	Tickets        int     `json:"support_tickets"`
}

// PastRisk is the risk at the end of one day, by the model in use.
type PastRisk struct {
	AsOf      string  `json:"as_of_date"`
	Risk      float64 `json:"churn_risk"`
	AtRisk    bool    `json:"at_risk"`
	Hindsight bool    `json:"hindsight"` // the model has learned from data of after that day
}

// Dossiers tells about single users, from the prepared data.
type Dossiers interface {
	// Dossier fails with ErrNoUser where the data have no such user, with
	// ErrNoSnapshot where there are no data yet, and with ErrNoModel.
	Dossier(ctx context.Context, id string) (Dossier, error)
	Status() DataStatus
}

// DossierAnswer is the answer of /users/{id}/dossier.
type DossierAnswer struct {
	Dossier
	RequestID string `json:"request_id"`
}

func (s *Server) dossier(c echo.Context) error {
	id, err := userID(c)
	if err != nil {
		return err
	}
	d, err := s.options.Dossiers.Dossier(c.Request().Context(), id)
	switch {
	case errors.Is(err, ErrNoUser):
		return Refuse(NotFound, "the prepared data have no such user")
	case errors.Is(err, ErrNoSnapshot):
		return Refuse(Unavailable, "there are no prepared data in use; run `churn prepare`, or see GET /snapshots").after(time.Minute)
	case err != nil:
		return err
	}
	return c.JSON(http.StatusOK, DossierAnswer{d, RequestID(c)})
}
