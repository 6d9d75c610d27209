package monitor

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"churn/internal/table"
	"churn/pipeline"
	"churn/pipeline/validate"
)

// Contact is that a user was contacted.
type Contact struct {
	Day       pipeline.Date
	Treatment string // what was done; "" = not said
}

// Treatments are the contacts of every user, by rising day.
type Treatments map[string][]Contact

// Within returns the first contact of a user in (asOf, asOf+window], the days on
// which it can change whether the user stays.
func (t Treatments) Within(user string, asOf pipeline.Date, window int) (Contact, bool) {
	for _, c := range t[user] {
		if c.Day > asOf && c.Day <= asOf+pipeline.Date(window) {
			return c, true
		}
	}
	return Contact{}, false
}

// The columns of a file of treatments; the last may be missing.
const (
	userColumn      = "user_id"
	contactedColumn = "contacted_at"
	treatmentColumn = "treatment"
)

// shownFaults bounds the faults of a file that are listed.
const shownFaults = 20

// ReadTreatments reads a table (CSV, also compressed, or Parquet) with a row for
// every contact: user_id, contacted_at (a date, or a time, in loc where it has no
// zone) and, if there is one, treatment. It lists the faults of all rows, each with
// file, line, field and value.
func ReadTreatments(path string, loc *time.Location) (Treatments, error) {
	r, err := table.Open(path)
	if err != nil {
		return nil, fmt.Errorf("treatments: %w; name the file with --treatments or monitor.treatments", err)
	}
	defer r.Close()
	columns := treatmentColumns{user: r.Column(userColumn), contacted: r.Column(contactedColumn), treatment: r.Column(treatmentColumn), width: len(r.Header()), location: loc}
	if columns.user < 0 || columns.contacted < 0 {
		return nil, fmt.Errorf("treatments: %s: the header %q lacks %s or %s; the columns are user_id, contacted_at and, if you like, treatment", path, strings.Join(r.Header(), ","), userColumn, contactedColumn)
	}
	out, faults, more := Treatments{}, []error{}, 0
	err = r.Each(func(rec *table.Record) error {
		user, c, err := columns.contact(rec)
		switch {
		case err == nil:
			out[user] = append(out[user], c)
		case len(faults) < shownFaults:
			faults = append(faults, fmt.Errorf("treatments: %w", err))
		default:
			more++
		}
		return nil
	})
	if more > 0 {
		faults = append(faults, fmt.Errorf("treatments: %s: and %d more lines", path, more))
	}
	for _, contacts := range out {
		slices.SortStableFunc(contacts, func(a, b Contact) int { return int(a.Day) - int(b.Day) })
	}
	return out, errors.Join(append(faults, err)...)
}

// treatmentColumns are the places of the columns.
type treatmentColumns struct {
	user, contacted, treatment, width int
	location                          *time.Location
}

func (t treatmentColumns) contact(rec *table.Record) (user string, c Contact, err error) {
	field := func(i int) []byte { return bytes.TrimSpace(rec.Field(i)) }
	if rec.Bad() != nil {
		return "", c, rec.Errorf("record", "%v; correct the line", rec.Bad())
	}
	if rec.Len() != t.width {
		return "", c, rec.Errorf("record", "has %d fields where the header has %d; correct the line", rec.Len(), t.width)
	}
	if user = string(field(t.user)); user == "" {
		return "", c, rec.Errorf(userColumn, "is empty; name the user who was contacted")
	}
	day, ok := validate.ParseDay(field(t.contacted), t.location)
	if !ok {
		return "", c, rec.Errorf(contactedColumn, "%q is neither a date such as 2026-04-30 nor a time such as 2026-04-30T18:05:00", field(t.contacted))
	}
	return user, Contact{Day: day, Treatment: string(field(t.treatment))}, nil
}
