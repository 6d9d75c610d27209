package cli

import (
	"cmp"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"churn/internal/serving/predictionlog"
	"churn/pipeline"
)

// predictionsReport is what the log of predictions holds.
type predictionsReport struct {
	Folder string `json:"folder"`
	predictionlog.Summary
	Users    int              `json:"users"`
	First    time.Time        `json:"first,omitzero"`
	Last     time.Time        `json:"last,omitzero"`
	MeanRisk float64          `json:"mean_risk"`
	Versions map[string]int64 `json:"model_versions"`
	Routes   map[string]int64 `json:"routes"`
	Latest   []prediction     `json:"latest"` // of the selected ones
}

// prediction is one entry of the log.
type prediction struct {
	Time      time.Time      `json:"time"`
	RequestID string         `json:"request_id"`
	Route     string         `json:"route"`
	User      string         `json:"user_id"`
	AsOf      string         `json:"as_of_date"`
	Version   string         `json:"model_version"`
	Digest    string         `json:"digest"`
	Set       string         `json:"feature_set"`
	Margin    float64        `json:"margin"`
	Risk      float64        `json:"churn_risk"`
	Tier      string         `json:"risk_tier"`
	Inputs    map[string]any `json:"inputs"` // a number, a text or null each
}

func predictionsCommand(s *session) *cli.Command {
	return &cli.Command{
		Name:  "predictions",
		Usage: "list what the server has answered, from its log (serve.log.sample)",
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "user", Usage: "only of the user `ID`"},
			&cli.StringFlag{Name: "from", Usage: "from `TIME` on: 2026-04-30 or 2026-04-30T12:00:00Z"},
			&cli.StringFlag{Name: "to", Usage: "before `TIME`, or up to the end of a date"},
			&cli.StringFlag{Name: "as-of", Usage: "only with features as of `DATE`"},
			&cli.StringFlag{Name: "model", Usage: "only by `VERSION`"},
			&cli.BoolFlag{Name: "shadow", Usage: "what the second model said (serve.shadow), not what was answered"},
			&cli.IntFlag{Name: "last", Value: 10, Usage: "list the last `N`"},
			&cli.BoolFlag{Name: "csv", Usage: "print all of them as CSV, with every input"},
		},
		Action: func(c *cli.Context) error { return s.predictions(c) },
	}
}

func (s *session) predictions(c *cli.Context) error {
	if err := s.load(c, nil); err != nil {
		return err
	}
	q, err := s.predictionQuery(c)
	if err != nil {
		return err
	}
	if c.Bool("csv") {
		return s.predictionsCSV(c, q)
	}
	r := predictionsReport{Folder: s.logFolder(), Versions: map[string]int64{}, Routes: map[string]int64{}, Latest: []prediction{}}
	users, last := map[string]bool{}, c.Int("last")
	r.Summary, err = predictionlog.Each(c.Context, r.Folder, q, func(e *predictionlog.Entry) error {
		users[e.UserID] = true
		r.add(e, last)
		return nil
	})
	if err != nil {
		return err
	}
	r.Users = len(users)
	if r.Rows > 0 {
		r.MeanRisk /= float64(r.Rows)
	}
	return s.print(r, r.write)
}

// add counts an entry, and keeps it while it is among the last.
func (r *predictionsReport) add(e *predictionlog.Entry, last int) {
	if r.First.IsZero() || e.Time.Before(r.First) {
		r.First = e.Time
	}
	if e.Time.After(r.Last) {
		r.Last = e.Time
	}
	r.MeanRisk += e.Risk
	r.Versions[e.Model.Version]++
	r.Routes[e.Route]++
	byTime := func(a, b prediction) int { return a.Time.Compare(b.Time) }
	if last > 0 && (len(r.Latest) < last || e.Time.After(r.Latest[0].Time)) { // files of several servers overlap
		at, _ := slices.BinarySearchFunc(r.Latest, prediction{Time: e.Time.Add(1)}, byTime)
		r.Latest = slices.Insert(r.Latest, at, predictionOf(e))
		r.Latest = r.Latest[max(0, len(r.Latest)-last):]
	}
}

func predictionOf(e *predictionlog.Entry) prediction {
	p := prediction{Time: e.Time, RequestID: e.RequestID, Route: e.Route, User: e.UserID, AsOf: e.AsOf, Version: e.Model.Version, Digest: e.Model.Digest, Set: e.Model.FeatureSet,
		Margin: e.Margin, Risk: e.Risk, Tier: e.Tier, Inputs: map[string]any{}}
	for i, name := range e.Model.Numeric {
		if p.Inputs[name] = any(nil); !math.IsNaN(e.Row.Numeric[i]) {
			p.Inputs[name] = e.Row.Numeric[i]
		}
	}
	for j, name := range e.Model.Categorical {
		if p.Inputs[name] = any(nil); e.Row.Categorical[j] != "" {
			p.Inputs[name] = e.Row.Categorical[j]
		}
	}
	return p
}

// predictionQuery reads the flags that select.
func (s *session) predictionQuery(c *cli.Context) (q predictionlog.Query, err error) {
	q = predictionlog.Query{UserID: c.String("user"), Version: c.String("model"), Shadow: c.Bool("shadow")}
	if err := s.parseAsOf(c); err != nil {
		return q, err
	}
	if s.asOf != pipeline.NoDate {
		q.AsOfFrom, q.AsOfTo = s.asOf.String(), s.asOf.String()
	}
	var bad error
	q.From, err = parseBound("--from", c.String("from"), 0)
	q.To, bad = parseBound("--to", c.String("to"), 1)
	return q, errors.Join(err, bad)
}

// parseBound reads a time, or a date as the begin of so many days later.
func parseBound(flag, text string, days pipeline.Date) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	if d, err := pipeline.ParseDate(text); err == nil {
		return (d + days).Time(), nil
	}
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return t, usageError{fmt.Errorf("%s: %q is neither a date such as 2026-04-30 nor a time such as 2026-04-30T12:00:00Z", flag, text)}
	}
	return t, nil
}

func (r *predictionsReport) write(w io.Writer) {
	if r.Rows == 0 {
		fmt.Fprintf(w, "predictions  none in %s; `churn --set serve.log.sample=1 serve` keeps them\n", r.Folder)
		r.writeFiles(w)
		return
	}
	fmt.Fprintf(w, "predictions  %s of %s users, %s to %s, mean risk %.1f%%\n", thousands(r.Rows), thousands(int64(r.Users)), r.First.Format(minute), r.Last.Format(minute), 100*r.MeanRisk)
	fmt.Fprintf(w, "             by %s; over %s\n", tally(r.Versions), tally(r.Routes))
	r.writeFiles(w)
	for _, p := range r.Latest {
		fmt.Fprintf(w, "             %s  user %s  as of %s  %5.1f%%  %-6s  %s  %s  %s\n", p.Time.Format(time.DateTime), cmp.Or(p.User, "unnamed"), p.AsOf, 100*p.Risk, p.Tier, p.Version, p.Route, p.RequestID)
	}
}

func (r *predictionsReport) writeFiles(w io.Writer) {
	if r.Files == 0 {
		return
	}
	fmt.Fprintf(w, "             %d files in %s", r.Files, r.Folder)
	if r.Torn > 0 {
		fmt.Fprintf(w, "; the end of %d is not whole: a kill cut it off, or it is being written", r.Torn)
	}
	if r.Damaged > 0 {
		fmt.Fprintf(w, "; %d parts are damaged and left out", r.Damaged)
	}
	fmt.Fprintln(w)
}

// tally writes counts, the largest first.
func tally(counts map[string]int64) string {
	names := slices.SortedFunc(maps.Keys(counts), func(a, b string) int {
		return cmp.Or(cmp.Compare(counts[b], counts[a]), cmp.Compare(a, b))
	})
	for i, name := range names {
		names[i] = fmt.Sprintf("%s (%s)", name, thousands(counts[name]))
	}
	return strings.Join(names, ", ")
}

// predictionsCSV prints every selected entry. The columns are those of all
// models, so they are collected first.
func (s *session) predictionsCSV(c *cli.Context, q predictionlog.Query) error {
	key := []string{"time", "request_id", "route", "user_id", "as_of_date", "model_version", "digest", "feature_set", "margin", "churn_risk", "risk_tier"}
	inputs, err := s.inputColumns(c, q)
	if err != nil {
		return err
	}
	out := csv.NewWriter(s.stdout)
	if err := out.Write(slices.Concat(key, inputs)); err != nil {
		return err
	}
	place, row := map[string]int{}, make([]string, len(key)+len(inputs))
	for i, name := range inputs {
		place[name] = len(key) + i
	}
	_, err = predictionlog.Each(c.Context, s.logFolder(), q, func(e *predictionlog.Entry) error {
		clear(row)
		copy(row, []string{e.Time.Format(time.RFC3339Nano), e.RequestID, e.Route, e.UserID, e.AsOf, e.Model.Version, e.Model.Digest, e.Model.FeatureSet, number(e.Margin), number(e.Risk), e.Tier})
		for i, name := range e.Model.Numeric {
			row[place[name]] = number(e.Row.Numeric[i])
		}
		for j, name := range e.Model.Categorical {
			row[place[name]] = e.Row.Categorical[j]
		}
		return out.Write(row)
	})
	out.Flush()
	return errors.Join(err, out.Error())
}

// inputColumns returns the names of the inputs of all models, numbers first.
func (s *session) inputColumns(c *cli.Context, q predictionlog.Query) (names []string, err error) {
	models := map[*predictionlog.Model]bool{}
	_, err = predictionlog.Each(c.Context, s.logFolder(), q, func(e *predictionlog.Entry) error {
		models[e.Model] = true
		return nil
	})
	var numeric, categorical []string
	for m := range models {
		numeric, categorical = append(numeric, m.Numeric...), append(categorical, m.Categorical...)
	}
	slices.Sort(numeric)
	slices.Sort(categorical)
	return slices.Concat(slices.Compact(numeric), slices.Compact(categorical)), err
}

// number writes a number as it reads back; NaN is nothing.
func number(x float64) string {
	if math.IsNaN(x) {
		return ""
	}
	return strconv.FormatFloat(x, 'g', -1, 64)
}
