package server

import (
	"encoding/csv"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/labstack/echo/v4"
)

// listLimit is how many users a page of the list shows.
const listLimit = 50

// listView is the list of users at risk.
type listView struct {
	Query   Query
	Page    Page
	Why     string // there is no list; "" = there is
	First   string
	Next    string // address of the next page; "" = the end
	Export  string
	Sorts   []sortLink
	Tiers   []string
	Filters []filter
}

// filter is a field that users can be selected by.
type filter struct {
	Title, Name, On string
	Values          []string
}

// sortLink is a way to order the list.
type sortLink struct {
	Name, Path string
	On         bool
}

// Filtered reports whether the list is a selection.
func (v *listView) Filtered() bool {
	q := v.Query
	return q.Tier+q.Plan+q.Country+q.Source+q.Search != ""
}

func (s *Server) listPage(c echo.Context) error {
	q, err := listQuery(c)
	if err != nil {
		return err
	}
	q.Limit = listLimit
	page, err := s.options.Users.List(c.Request().Context(), q)
	v := listView{Query: q, Page: page, Why: whyAbsent(err), Tiers: []string{"high", "medium", "low"}}
	if err != nil && !absent(err) {
		return err
	}
	v.Filters = []filter{{"Plan", "plan", q.Plan, page.Snapshot.Plans}, {"Country", "country", q.Country, page.Snapshot.Countries}, {"Source", "marketing_source", q.Source, page.Snapshot.Sources}}
	q.Cursor = page.Cursor
	if q.Cursor != "" {
		v.Next = listPath("/at-risk", q)
	}
	q.Cursor = ""
	v.First, v.Export = listPath("/at-risk", q), listPath("/at-risk.csv", q)
	for _, x := range []sortLink{{Name: "Risk", Path: ""}, {Name: "Last active", Path: "last_activity"}, {Name: "User", Path: "user_id"}} {
		other := q
		other.Sort = x.Path
		v.Sorts = append(v.Sorts, sortLink{x.Name, listPath("/at-risk", other), q.Sort == x.Path || q.Sort == "risk" && x.Path == ""})
	}
	return s.show(c, pageList, "At risk", &v)
}

// absent reports whether there are no users to answer about.
func absent(err error) bool { return errors.Is(err, ErrNoSnapshot) || errors.Is(err, ErrNotInUse) }

// whyAbsent says why there are none, and what to do; "" where there are.
func whyAbsent(err error) string {
	switch {
	case errors.Is(err, ErrNoSnapshot):
		return "`churn run-all` goes from events to a list of users in one command; with a model in production, `churn score` is enough."
	case errors.Is(err, ErrNotInUse):
		return "The latest predictions are not in use yet: they are being read, or were refused. Look again in a minute; `/snapshots` says which."
	}
	return ""
}

// listQuery reads the selection of a form. Empty fields select nothing, since a
// form sends all of its fields.
func listQuery(c echo.Context) (Query, error) {
	values := c.QueryParams()
	for name, x := range values {
		if len(x) == 1 && strings.TrimSpace(x[0]) == "" {
			delete(values, name)
		}
	}
	q, faults := readQuery(values)
	if len(faults) > 0 {
		return q, faults
	}
	q.Search = strings.TrimSpace(q.Search)
	return q, nil
}

// listPath returns the address of a selection.
func listPath(path string, q Query) string {
	values := url.Values{}
	for name, value := range map[string]string{"tier": q.Tier, "plan": q.Plan, "country": q.Country, "marketing_source": q.Source, "search": q.Search, "sort": q.Sort, "cursor": q.Cursor} {
		if value != "" {
			values.Set(name, value)
		}
	}
	if len(values) == 0 {
		return path
	}
	return path + "?" + values.Encode()
}

// exportColumns are those of the predictions of the data contract.
func exportColumns() []string {
	return []string{"user_id", "as_of_date", "plan", "is_paid", "country", "marketing_source", "days_since_signup", "days_since_last_activity",
		"churn_risk", "risk_rank", "risk_tier", "reason_1", "reason_2", "reason_3", "model_version"}
}

// exportUsers writes all users of a selection as CSV, however many they are. If
// they are scored anew meanwhile, the answer is cut off: half a list must not
// pass for a whole one.
func (s *Server) exportUsers(c echo.Context) error {
	q, err := listQuery(c)
	if err != nil {
		return err
	}
	q.Cursor = ""
	snapshot, err := s.options.Users.Snapshot(c.Request().Context())
	if err != nil {
		return err
	}
	probe := q
	probe.Limit = 1
	if _, err := s.options.Users.List(c.Request().Context(), probe); err != nil {
		return err // while it can still be said
	}
	header := c.Response().Header()
	header.Set(echo.HeaderContentType, "text/csv; charset=utf-8; header=present")
	header.Set(echo.HeaderContentDisposition, fmt.Sprintf(`attachment; filename="churn_at_risk_%s.csv"`, snapshot.AsOf))
	c.Response().WriteHeader(http.StatusOK)
	if c.Request().Method == http.MethodHead {
		return nil
	}
	return s.writeUsers(c, q)
}

// writeUsers streams users. Every part of the list gets the time of a whole
// answer, since nobody knows how long the list is.
func (s *Server) writeUsers(c echo.Context, q Query) error {
	out := csv.NewWriter(c.Response())
	if err := out.Write(exportColumns()); err != nil {
		return err
	}
	deadline := http.NewResponseController(c.Response())
	n := 0
	err := s.eachUser(c.Request().Context(), q, func(u *User) bool {
		if n%listStep == 0 {
			deadline.SetWriteDeadline(s.options.Now().Add(s.params.WriteTimeout)) //nolint:errcheck // a recorder of a test has none
		}
		n++
		return out.Write(exportRow(u)) == nil
	})
	out.Flush()
	return errors.Join(err, out.Error())
}

// exportRow writes a user in the order of exportColumns.
func exportRow(u *User) []string {
	paid, activity := "0", ""
	if u.Paid {
		paid = "1"
	}
	if u.LastActivity != nil {
		activity = strconv.FormatFloat(*u.LastActivity, 'f', -1, 64)
	}
	row := []string{harmless(u.ID), u.AsOf, harmless(u.Plan), paid, harmless(u.Country), harmless(u.Source), strconv.FormatInt(u.SinceSignup, 10), activity,
		strconv.FormatFloat(u.Risk, 'f', -1, 64), strconv.Itoa(u.Rank), u.Tier, "", "", "", u.Version}
	for i, reason := range u.Reasons[:min(MaxReasons, len(u.Reasons))] {
		row[11+i] = harmless(reason)
	}
	return row
}

// harmless puts an apostrophe before text that a spreadsheet would run as a
// formula (OWASP, CSV injection).
func harmless(text string) string {
	if text != "" && strings.ContainsRune("=+-@\t\r\n＝＋－＠", []rune(text)[0]) {
		return "'" + text
	}
	return text
}
