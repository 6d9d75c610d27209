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
		{method: http.MethodGet, path: "/users/:id", scope: ScopeRead, handle: s.user},
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

func (s *Server) user(c echo.Context) error {
	id := c.Param("id")
	if c.Request().URL.RawPath != "" { // echo matches the path as it was escaped
		plain, err := url.PathUnescape(id)
		if err != nil {
			return Refuse(Malformed, "the user id is not escaped well")
		}
		id = plain
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

// usersCollector tells how old the snapshot is.
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
	send("churn_snapshot_users", "Users of the latest scored snapshot.", float64(snapshot.Users))
	send("churn_snapshot_scored_timestamp_seconds", "When the latest snapshot was scored, in seconds since 1970; 0 is never.", seconds(snapshot.Scored))
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
