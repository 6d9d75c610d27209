package server

import (
	"context"
	"errors"
	"net/url"
	"strings"
	"testing"
)

// told is a server.Dossiers with one user.
type told struct{ err error }

func (d *told) Dossier(_ context.Context, id string) (Dossier, error) {
	if id != "a/b é%" {
		return Dossier{}, ErrNoUser
	}
	usual := 0.125
	return Dossier{ID: id, AsOf: "2026-04-30", Version: "v0003", FeatureSet: "fp", Risk: 0.5, Tier: "high", AtRisk: true, BaseRisk: 0.1, Usual: &usual,
		Factors: []Factor{{Theme: "recency", Text: "no activity in 5 days", Contribution: 1, Values: []FactorValue{{Feature: "days_since_last_activity", Value: "5", Usual: "2", Contribution: 1}}, Usual: &usual}, {Values: []FactorValue{}}},
		Days:    []Day{{Date: "2026-04-25", Active: true, Events: 1, Logins: 1}},
		Risks:   []PastRisk{{AsOf: "2026-04-23", Risk: 0.25, AtRisk: true, Hindsight: true}, {AsOf: "2026-04-30", Risk: 0.5, AtRisk: true}}}, d.err
}

func (*told) Status() DataStatus {
	return DataStatus{AsOf: "2026-04-30", Error: "a later file is damaged", Swaps: 2, Refusals: 1}
}

func newTold(t *testing.T) (*fixture, *scored, *told) {
	users, dossiers := &scored{}, &told{}
	return newFixture(t, func(o *Options) { o.Users, o.Dossiers = users, dossiers }), users, dossiers
}

// The law of TestContract, for the routes about users.
func TestContractOfUsers(t *testing.T) {
	f, users, dossiers := newTold(t)
	c := newContract(t, f)
	id := url.PathEscape("a/b é%")
	for _, x := range []struct {
		path, of string
		status   int
	}{
		{"/users", "/users", 200}, {"/users?limit=3&tier=low", "/users", 200},
		{"/users/" + id, "/users/{id}", 200}, {"/users/x", "/users/{id}", 404},
		{"/users/" + id + "/dossier", "/users/{id}/dossier", 200}, {"/users/x/dossier", "/users/{id}/dossier", 404},
		{"/snapshots", "/snapshots", 200},
	} {
		c.exchange(t, f, "GET", x.path, x.of, "", x.status)
	}
	for err, status := range map[error]int{ErrCursorExpired: 410, ErrNotInUse: 503} {
		users.err = err
		c.exchange(t, f, "GET", "/users", "/users", "", status)
	}
	for err, status := range map[error]int{ErrNoSnapshot: 503, ErrNoModel: 503, errors.New("damaged"): 500} {
		dossiers.err = err
		c.exchange(t, f, "GET", "/users/"+id+"/dossier", "/users/{id}/dossier", "", status)
	}
}

func TestDossier(t *testing.T) {
	f, users, _ := newTold(t)
	w := f.ask("GET", "/users/"+url.PathEscape("a/b é%")+"/dossier", "", "X-Request-Id", "r1")
	for _, want := range []string{`"user_id":"a/b é%"`, `"churn_risk":0.5`, `"hindsight":true`, `"feature_set":"fp"`, `"as_of_date":"2026-04-30"`, `"model_version":"v0003"`, `"request_id":"r1"`} {
		if !strings.Contains(w.Body.String(), want) {
			t.Errorf("%s lacks %s", w.Body, want)
		}
	}
	p := f.wantProblem(t, 404, "GET", "/users/someone-else/dossier", "")
	if strings.Contains(p.Detail, "someone") || !strings.Contains(p.Detail, "prepared data") {
		t.Errorf("%+v", p)
	}
	users.err = nil
	empty := newFixture(t, nil)
	if p := empty.wantProblem(t, 503, "GET", "/users/1/dossier", ""); !strings.Contains(p.Detail, "churn prepare") {
		t.Errorf("%+v", p)
	}
}

// Metrics and /snapshots tell of data that are not in use.
func TestDataStatus(t *testing.T) {
	f, _, _ := newTold(t)
	metrics := f.ask("GET", "/metrics", "").Body.String()
	for _, want := range []string{`churn_data_stale{data="timelines"} 1`, `churn_data_stale{data="predictions"} 0`, `churn_data_refusals_total{data="timelines"} 1`,
		`churn_data_as_of_timestamp_seconds{data="timelines"} 1.777`, `churn_data_as_of_timestamp_seconds{data="predictions"} 0`} {
		if !strings.Contains(metrics, want) {
			t.Errorf("the metrics lack %s", want)
		}
	}
	if body := f.ask("GET", "/snapshots", "").Body.String(); !strings.Contains(body, "a later file is damaged") || !strings.Contains(body, `"snapshots":[]`) {
		t.Error(body)
	}
}
