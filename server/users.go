package server

import (
	"context"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/labstack/echo/v4"
	"github.com/prometheus/client_golang/prometheus"
)

// userRoutes answer from the latest scored snapshot.
func (s *Server) userRoutes() []route {
	return []route{
		{method: http.MethodGet, path: "/users", scope: ScopeRead, handle: s.users},
		{method: http.MethodGet, path: "/users/:id", scope: ScopeRead, query: []string{}, handle: s.user},
		{method: http.MethodGet, path: "/users/:id/dossier", scope: ScopeRead, query: []string{}, handle: s.dossier},
		{method: http.MethodGet, path: "/snapshots", scope: ScopeRead, query: []string{}, handle: s.snapshots},
	}
}

// SnapshotHead says how old an answer from the snapshot is.
type SnapshotHead struct {
	FeatureSet string    `json:"feature_set,omitempty"` // fingerprint, if the registry still knows it
	Scored     time.Time `json:"scored_at"`             // when churn score had finished
	AgeDays    int       `json:"snapshot_age_days"`     // from the as-of date to today
	AgeSeconds int64     `json:"snapshot_age_seconds"`  // since it was scored
	RequestID  string    `json:"request_id"`
}

// UserAnswer is the answer of /users/{id}.
type UserAnswer struct {
	User
	SnapshotHead
}

// UsersAnswer is the answer of /users.
type UsersAnswer struct {
	Users   []User `json:"users"`
	Total   int    `json:"total"`                 // that the query selects
	Cursor  string `json:"next_cursor,omitempty"` // absent at the end
	AsOf    string `json:"as_of_date"`
	Version string `json:"model_version"`
	SnapshotHead
}

// SnapshotsAnswer is the answer of /snapshots.
type SnapshotsAnswer struct {
	Snapshots   []Snapshot `json:"snapshots"` // one a kept table of predictions, oldest first
	Predictions DataStatus `json:"predictions"`
	Timelines   DataStatus `json:"timelines"` // the prepared data behind /users/{id}/dossier
	RequestID   string     `json:"request_id"`
}

// snapshots tells what the answers about users come from, and what came before.
func (s *Server) snapshots(c echo.Context) error {
	history, err := s.options.Users.History(c.Request().Context())
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, SnapshotsAnswer{Snapshots: append([]Snapshot{}, history...), Predictions: s.options.Users.Status(),
		Timelines: s.options.Dossiers.Status(), RequestID: RequestID(c)})
}

// userID returns the user that a path names.
func userID(c echo.Context) (string, error) {
	id := c.Param("id")
	if c.Request().URL.RawPath == "" {
		return id, nil
	}
	plain, err := url.PathUnescape(id) // echo matches the path as it was escaped
	if err != nil {
		return "", Refuse(Malformed, "the user id is not escaped well")
	}
	return plain, nil
}

func (s *Server) user(c echo.Context) error {
	id, err := userID(c)
	if err != nil {
		return err
	}
	u, snapshot, err := s.options.Users.Find(c.Request().Context(), id)
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, UserAnswer{u, s.head(c, &snapshot)})
}

func (s *Server) users(c echo.Context) error {
	q, faults := readQuery(c.QueryParams())
	if len(faults) > 0 {
		return faults
	}
	page, err := s.options.Users.List(c.Request().Context(), q)
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, UsersAnswer{Users: page.Users, Total: page.Total, Cursor: page.Cursor,
		AsOf: page.Snapshot.AsOf, Version: page.Snapshot.Version, SnapshotHead: s.head(c, &page.Snapshot)})
}

func (s *Server) head(c echo.Context, snapshot *Snapshot) SnapshotHead {
	now := s.options.Now()
	h := SnapshotHead{FeatureSet: snapshot.FeatureSet, Scored: snapshot.Scored, AgeSeconds: max(0, int64(now.Sub(snapshot.Scored).Seconds())), RequestID: RequestID(c)}
	if asOf, err := time.Parse(time.DateOnly, snapshot.AsOf); err == nil {
		h.AgeDays = max(0, int(now.UTC().Sub(asOf).Hours()/24))
	}
	return h
}

// readQuery reads the parameters of /users. A parameter that it does not know
// is a fault: a misspelt filter must not pass for everybody.
func readQuery(values url.Values) (q Query, faults Faults) {
	texts := map[string]*string{"tier": &q.Tier, "plan": &q.Plan, "country": &q.Country, "marketing_source": &q.Source, "search": &q.Search, "sort": &q.Sort, "cursor": &q.Cursor}
	for _, name := range sortedKeys(values) {
		value := values[name][0]
		target := texts[name]
		switch {
		case len(values[name]) > 1:
			faults = append(faults, Fault{Field: "?" + name, Got: "several values", Expected: "one"})
		case target != nil:
			*target = value
		case name == "limit":
			n, err := strconv.Atoi(value)
			if err != nil || n < 1 || n > MaxUsers {
				faults = append(faults, Fault{Field: "?limit", Got: strconv.Quote(clip(value)), Expected: "a whole number from 1 to " + strconv.Itoa(MaxUsers)})
			}
			q.Limit = n
		default:
			faults = append(faults, Fault{Field: "?" + name, Got: strconv.Quote(clip(value)), Expected: "one of limit, " + strings.Join(sortedKeys(texts), ", ")})
		}
	}
	return q, faults
}

// usersCollector tells of the latest snapshot.
type usersCollector struct{ s *Server }

// Describe sends the series that Collect may send.
func (c usersCollector) Describe(out chan<- *prometheus.Desc) { prometheus.DescribeByCollect(c, out) }

// Collect sends them. Without a snapshot both are 0.
func (c usersCollector) Collect(out chan<- prometheus.Metric) {
	snapshot, err := c.s.options.Users.Snapshot(context.Background())
	if err != nil {
		snapshot = Snapshot{}
	}
	send := func(name, help string, value float64) {
		out <- prometheus.MustNewConstMetric(prometheus.NewDesc(name, help, nil, nil), prometheus.GaugeValue, value)
	}
	for name, status := range map[string]DataStatus{"predictions": c.s.options.Users.Status(), "timelines": c.s.options.Dossiers.Status()} {
		collectData(out, name, status)
	}
	send("churn_snapshot_users", "Users of the latest scored snapshot.", float64(snapshot.Users))
	send("churn_snapshot_scored_timestamp_seconds", "When the latest snapshot was scored, in seconds since 1970; 0 is never.", seconds(snapshot.Scored))
	if err == nil && snapshot.Users > 0 {
		c.risks(snapshot, out)
	}
}

// risks tells what the risks of a snapshot come to: the figures of the
// dashboard's overview, in the currency of value.*.
func (c usersCollector) risks(snapshot Snapshot, out chan<- prometheus.Metric) {
	send := func(name, help string, value float64) {
		out <- prometheus.MustNewConstMetric(prometheus.NewDesc(name, help, nil, nil), prometheus.GaugeValue, value)
	}
	tiers := prometheus.NewDesc("churn_snapshot_tier_users", "Users of the latest scored snapshot, by tier of their risk.", []string{"tier"}, nil)
	for _, tier := range []string{"low", "medium", "high"} { // one that is empty, too
		out <- prometheus.MustNewConstMetric(tiers, prometheus.GaugeValue, float64(snapshot.Tiers[tier]), tier)
	}
	send("churn_snapshot_mean_risk", "Mean risk of the users of the latest scored snapshot.", snapshot.MeanRisk)
	p, err := c.s.prospect(context.Background(), &snapshot)
	if err != nil {
		return
	}
	send("churn_snapshot_expected_leavers", "Users who are expected to leave in the label window if nobody does anything.", p.Leavers)
	send("churn_snapshot_value_at_stake", "What the expected leavers are worth, by value.kept_customer.", p.AtStake)
	send("churn_snapshot_calls", "Users who are worth a call, and can be called, by value.*.", float64(p.Calls))
	send("churn_snapshot_calls_gain", "What these calls are expected to bring, less what they cost.", p.Gain)
}

// collectData sends how old the files that answers come from are, and how
// following them goes.
func collectData(out chan<- prometheus.Metric, data string, status DataStatus) {
	send := func(kind prometheus.ValueType, name, help string, value float64) {
		out <- prometheus.MustNewConstMetric(prometheus.NewDesc(name, help, []string{"data"}, nil), kind, value, data)
	}
	send(prometheus.GaugeValue, "churn_data_as_of_timestamp_seconds", "Last day of the data in use, in seconds since 1970; 0 is none yet.", daySeconds(status.AsOf))
	send(prometheus.GaugeValue, "churn_data_last_check_timestamp_seconds", "When the data in use were last found to be the latest, in seconds since 1970; 0 is never.", seconds(status.Checked))
	send(prometheus.GaugeValue, "churn_data_stale", "1 if the latest data are not in use because they were refused or cannot be read.", boolean(status.Error != ""))
	send(prometheus.CounterValue, "churn_data_swaps_total", "Times that later data have been taken into use.", float64(status.Swaps))
	send(prometheus.CounterValue, "churn_data_refusals_total", "Data that were not taken because they are not sound.", float64(status.Refusals))
	send(prometheus.CounterValue, "churn_data_errors_total", "Times that the data could not be looked at.", float64(status.Errors))
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
