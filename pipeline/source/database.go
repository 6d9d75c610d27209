package source

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
)

// UserColumns lists the columns of the users of the contract.
func UserColumns() []string {
	return []string{"user_id", "signup_date", "plan", "is_paid", "country", "marketing_source"}
}

// EventColumns lists the columns of the events of the contract. The last one
// is optional.
func EventColumns() []string {
	return []string{"event_id", "user_id", "event_time", "event_type", "course_id", "watch_minutes", "quiz_score", "amount", "known_at"}
}

// optional names the columns that a source need not have.
func optional() []string {
	return []string{"country", "marketing_source", "course_id", "watch_minutes", "quiz_score", "amount", "known_at"}
}

// Mapping says where the columns of the contract are in a table.
type Mapping struct {
	Theirs []string // in the order of the contract; "" = there is none
	Named  []bool   // the settings name it: it must be there
}

// MapUsers returns where the columns of users are.
func (p Params) MapUsers() (Mapping, error) {
	return mapping("source.user_columns", UserColumns(), p.UserColumns)
}

// MapEvents returns where the columns of events are.
func (p Params) MapEvents() (Mapping, error) {
	return mapping("source.event_columns", EventColumns(), p.EventColumns)
}

func mapping(key string, contract, pairs []string) (m Mapping, err error) {
	m = Mapping{Theirs: slices.Clone(contract), Named: make([]bool, len(contract))}
	for _, pair := range pairs {
		ours, theirs, ok := strings.Cut(pair, "=")
		ours, theirs = strings.TrimSpace(ours), strings.TrimSpace(theirs)
		i := slices.Index(contract, ours)
		switch {
		case !ok || i < 0:
			err = errors.Join(err, fmt.Errorf("%s: %q does not name a column; write COLUMN=THEIRS with COLUMN of %s", key, pair, strings.Join(contract, ", ")))
		case m.Named[i]:
			err = errors.Join(err, fmt.Errorf("%s: %s stands twice", key, ours))
		case theirs == "" && !slices.Contains(optional(), ours):
			err = errors.Join(err, fmt.Errorf("%s: %s cannot be left out; name the column, or give a query that makes it", key, ours))
		default:
			m.Theirs[i], m.Named[i] = theirs, true
		}
	}
	return m, err
}

// EventType is the name of an event type there and here.
type EventType struct{ Theirs, Ours string }

// MapEventTypes returns the event types that have another name there.
func (p Params) MapEventTypes() (out []EventType, err error) {
	for _, pair := range p.EventTypes {
		i := strings.LastIndex(pair, "=")
		theirs, ours := strings.TrimSpace(pair[:max(i, 0)]), strings.TrimSpace(pair[i+1:])
		same := func(e EventType) bool { return e.Theirs == theirs }
		switch {
		case theirs == "" || ours == "":
			err = errors.Join(err, fmt.Errorf("source.event_types: %q does not rename a type; write THEIRS=OURS, such as course_viewed=video_watch", pair))
		case slices.ContainsFunc(out, same):
			err = errors.Join(err, fmt.Errorf("source.event_types: %s stands twice", theirs))
		default:
			out = append(out, EventType{theirs, ours})
		}
	}
	return out, err
}

// validateFiles refuses what only databases have: it would be ignored.
func (p Params) validateFiles() error {
	refuse := func(key string, is bool, kinds string) error {
		if is {
			return fmt.Errorf("source.%s: files have none; it goes with a database (source.kind: %s)", key, kinds)
		}
		return nil
	}
	set := func(key string, is bool) error {
		return refuse(key, is, fmt.Sprintf("%s, %s or %s", KindPostgres, KindTrino, KindClickHouse))
	}
	return errors.Join(set("url", p.URL != ""), set("user_columns", len(p.UserColumns) > 0), set("event_columns", len(p.EventColumns) > 0), set("event_types", len(p.EventTypes) > 0),
		refuse("scratch_schema", p.ScratchSchema != "", KindPostgres))
}

func (p Params) validateDatabase() error {
	errs := []error{CheckAddress("source.url", p.Kind, p.URL)}
	for _, r := range []struct{ key, relation string }{{"users", p.Users}, {"events", p.Events}} {
		if strings.TrimSpace(r.relation) == "" {
			errs = append(errs, fmt.Errorf("source.%s: name the table or view, such as public.%s, or give a query that begins with SELECT", r.key, r.key))
		}
	}
	if p.ScratchSchema != "" && p.Kind != KindPostgres {
		errs = append(errs, fmt.Errorf("source.scratch_schema: only %s takes back what was staged when a run ends or dies; leave it empty, and have a view or a table made there if source.events costs much", KindPostgres))
	}
	_, users := p.MapUsers()
	_, events := p.MapEvents()
	_, types := p.MapEventTypes()
	return errors.Join(append(errs, users, events, types)...)
}

// CheckAddress checks the address of a database of a kind, which the setting key
// holds. It may hold a password: it is not in the error.
func CheckAddress(key, kind, address string) error {
	form, schemes := "postgres://USER@HOST/DATABASE", []string{"postgres", "postgresql"}
	switch kind {
	case KindTrino:
		form, schemes = "http://USER@HOST:PORT?catalog=CATALOG&schema=SCHEMA, or https with a password", []string{"http", "https"}
	case KindClickHouse:
		form, schemes = "clickhouse://USER@HOST:PORT/DATABASE, or http or https", []string{"clickhouse", "http", "https"}
	}
	at, err := url.Parse(address)
	if address == "" || err != nil || !slices.Contains(schemes, at.Scheme) {
		variable := "CHURN_" + strings.ToUpper(strings.ReplaceAll(key, ".", "_"))
		return fmt.Errorf("%s: it is not the address of a database of kind %s; write %s (best in the environment: %s)", key, kind, form, variable)
	}
	if _, has := at.User.Password(); has && kind == KindTrino && at.Scheme == "http" {
		return fmt.Errorf("%s: Trino takes passwords by https only; write https://USER@HOST:PORT, or leave out the password", key)
	}
	return nil
}

// Place tells people, and manifests, where a relation is, without the password.
func (p Params) Place(relation string) string {
	address, err := url.Parse(p.URL)
	if err != nil {
		return p.Kind + ": " + relation
	}
	where := address.Host + address.Path
	for _, part := range []string{"catalog", "schema"} { // of Trino
		if v := address.Query().Get(part); v != "" {
			where += "/" + v
		}
	}
	return p.Kind + "://" + where + ": " + strings.Join(strings.Fields(relation), " ")
}
