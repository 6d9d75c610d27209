package server

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"time"

	"github.com/labstack/echo/v4"
)

// ErrNoModel says that no model has appeared in the registry yet.
var ErrNoModel = errors.New("no model is in use yet; `churn train` and `churn promote` make one")

// Kind is a class of refusals: a row of the one table from errors to statuses.
type Kind int

// The kinds.
const (
	Malformed    Kind = iota // not JSON, or not HTTP
	Unauthorised             // no key, or none that is known
	Forbidden                // a key without the scope
	NotFound
	NotAllowed // another method
	Slow       // the body did not come in time
	Conflict   // what was meant to change is not as it was thought to be
	Gone       // a cursor of an earlier snapshot
	TooLarge
	MediaType
	Misdirected // a host name that is not this server's
	Invalid     // JSON, but fields are wrong
	TooMany     // over the rate limit
	Internal
	Unavailable // no model, no snapshot, or draining
)

// kindRow is what the table says of a kind.
type kindRow struct {
	name   string
	status int
	title  string
}

// kinds is the table, in the order of the constants.
func kinds() []kindRow {
	return []kindRow{
		{"malformed", http.StatusBadRequest, "The request cannot be read"},
		{"unauthorised", http.StatusUnauthorized, "A key is needed"},
		{"forbidden", http.StatusForbidden, "This is not allowed"},
		{"not-found", http.StatusNotFound, "There is no such thing here"},
		{"method-not-allowed", http.StatusMethodNotAllowed, "The method does not fit"},
		{"slow", http.StatusRequestTimeout, "The request did not arrive in time"},
		{"conflict", http.StatusConflict, "Things are not as you thought"},
		{"gone", http.StatusGone, "This has passed"},
		{"too-large", http.StatusRequestEntityTooLarge, "The request is too large"},
		{"media-type", http.StatusUnsupportedMediaType, "The content type does not fit"},
		{"misdirected", http.StatusMisdirectedRequest, "This server has another name"},
		{"invalid", http.StatusUnprocessableEntity, "Fields of the request are wrong"},
		{"too-many", http.StatusTooManyRequests, "Too many requests"},
		{"internal", http.StatusInternalServerError, "Something went wrong here"},
		{"unavailable", http.StatusServiceUnavailable, "Not ready yet"},
	}
}

func (k Kind) row() kindRow { return kinds()[k] }

// Status returns the HTTP status of a kind.
func (k Kind) Status() int { return k.row().status }

// Problem is the document that tells a client what is wrong (RFC 9457). It is
// an error too: a handler returns one where the client may read its text.
type Problem struct {
	Type      string        `json:"type"` // a reference into the page of the interface
	Title     string        `json:"title"`
	Status    int           `json:"status"`
	Detail    string        `json:"detail,omitempty"`
	RequestID string        `json:"request_id,omitempty"`
	Errors    []Fault       `json:"errors,omitempty"` // of Invalid: every field that is wrong
	Retry     time.Duration `json:"-"`                // 0 = no Retry-After
}

// Refuse returns a problem whose detail the client may read.
func Refuse(k Kind, format string, args ...any) *Problem {
	row := k.row()
	return &Problem{Type: "/docs#" + row.name, Title: row.title, Status: row.status, Detail: fmt.Sprintf(format, args...)}
}

// Error returns the title and the detail.
func (p *Problem) Error() string { return p.Title + ": " + p.Detail }

// after adds when to ask again.
func (p *Problem) after(d time.Duration) *Problem {
	p.Retry = d
	return p
}

// MalformedError is a body that is not JSON, or not of the form that a route
// reads.
type MalformedError struct {
	Offset int64  // in bytes
	What   string // is wrong there; never a value of the body
}

// Error says what is wrong, and where.
func (e *MalformedError) Error() string { return fmt.Sprintf("%s, at byte %d", e.What, e.Offset) }

// problemOf is the one table from Go errors to problems. An error that it does
// not know is ours: the log has it, the client is told nothing of it.
func problemOf(err error) *Problem {
	var problem *Problem
	var faults Faults
	var malformed *MalformedError
	var large *http.MaxBytesError
	var routed *echo.HTTPError
	switch {
	case errors.As(err, &problem):
		return problem
	case errors.As(err, &faults):
		p := Refuse(Invalid, "%d of its fields cannot be used; see errors", len(faults))
		p.Errors = faults
		return p
	case errors.As(err, &malformed):
		return Refuse(Malformed, "%s", malformed)
	case errors.As(err, &large):
		return Refuse(TooLarge, "the body may have %d bytes", large.Limit)
	case errors.Is(err, ErrNoModel):
		return Refuse(Unavailable, "%s", ErrNoModel).after(5 * time.Second)
	case errors.Is(err, ErrNoSnapshot):
		return Refuse(Unavailable, "%s", ErrNoSnapshot).after(time.Minute)
	case errors.Is(err, ErrNotInUse):
		return Refuse(Unavailable, "%s", ErrNotInUse).after(5 * time.Second)
	case errors.Is(err, ErrNoUser):
		return Refuse(NotFound, "%s", ErrNoUser)
	case errors.Is(err, ErrCursorExpired):
		return Refuse(Gone, "%s", ErrCursorExpired)
	case errors.Is(err, os.ErrDeadlineExceeded):
		return Refuse(Slow, "the body did not arrive in time")
	case errors.Is(err, io.ErrUnexpectedEOF):
		return Refuse(Malformed, "the body ended early")
	case errors.As(err, &routed) && routed.Code == http.StatusNotFound:
		return Refuse(NotFound, "no such path; /openapi.json lists them")
	case errors.As(err, &routed) && routed.Code == http.StatusMethodNotAllowed:
		return Refuse(NotAllowed, "see the Allow header")
	}
	return Refuse(Internal, "the server's log says what, under this request id")
}

// writeProblem answers with a problem.
func writeProblem(c echo.Context, p Problem) error {
	header := c.Response().Header()
	if p.Retry > 0 {
		header.Set("Retry-After", strconv.Itoa(int((p.Retry+time.Second-1)/time.Second)))
	}
	p.RequestID = RequestID(c)
	text, err := json.Marshal(p)
	if err != nil {
		panic("server: " + err.Error()) // plain data always encodes
	}
	header.Set(echo.HeaderContentType, "application/problem+json")
	header.Set(echo.HeaderContentLength, strconv.Itoa(len(text)))
	c.Response().WriteHeader(p.Status)
	_, err = c.Response().Write(text)
	return err
}
