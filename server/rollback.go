package server

import (
	"mime"
	"net/http"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/go-json-experiment/json"
	"github.com/labstack/echo/v4"
)

// RollbackRequest asks for an earlier model.
type RollbackRequest struct {
	_      struct{} `schema:"closed"`
	To     string   `json:"to,omitempty" doc:"A version; the one before if absent."`
	Reason string   `json:"reason" schema:"reason" doc:"Why; it is recorded."`
}

// RollbackAnswer says what was moved, and which model answers now.
type RollbackAnswer struct {
	Move
	ModelInUse string `json:"model_in_use"` // "" before there is one
	RequestID  string `json:"request_id"`
}

const previousModel = "previous"

// mostReason bounds a reason, in characters: it stays in the ledger for ever.
const mostReason = 2000

// rollBack puts an earlier version back into production, for programs that send
// JSON and for the form of the page about the model.
func (s *Server) rollBack(c echo.Context) error {
	k := c.(*call)
	mediaType, _, _ := mime.ParseMediaType(c.Request().Header.Get(echo.HeaderContentType)) //nolint:errcheck // then it is no form
	k.page = mediaType == echo.MIMEApplicationForm
	r, err := readRollback(c, k.page)
	if err != nil {
		return err
	}
	move, err := s.options.Pages.Ledger.RollBack(c.Request().Context(), Return{To: r.To, Reason: r.Reason, Actor: "key " + k.client})
	if err != nil {
		return err
	}
	s.log.Info("rolled back", "request_id", k.id, "client", k.client, "from", move.From, "to", move.To)
	if err := s.options.Models.Reload(c.Request().Context()); err != nil { // the ledger has it: the poll goes on trying
		s.log.Warn("reload after a roll-back", "request_id", k.id, "error", err)
	}
	if k.page {
		return c.Redirect(http.StatusSeeOther, "/model-card#history")
	}
	return c.JSON(http.StatusOK, RollbackAnswer{move, s.options.Models.Status().Version, k.id})
}

// readRollback reads the request of either kind.
func readRollback(c echo.Context, form bool) (r RollbackRequest, err error) {
	if form {
		r = RollbackRequest{To: c.FormValue("to"), Reason: c.FormValue("reason")}
	} else {
		text, err := readBody(c, nil, echo.MIMEApplicationJSON)
		if err != nil {
			return r, err
		}
		if err := json.Unmarshal(text, &r, json.RejectUnknownMembers(true)); err != nil {
			return r, Refuse(Malformed, `the body must be {"to": "v0001", "reason": "…"}`)
		}
	}
	r.To, r.Reason = strings.TrimSpace(r.To), strings.TrimSpace(r.Reason)
	if r.To == "" {
		r.To = previousModel
	}
	switch {
	case r.Reason == "":
		return r, Faults{{Field: "/reason", Got: "nothing", Expected: "why, for whoever looks at the history later"}}
	case utf8.RuneCountInString(r.Reason) > mostReason:
		return r, Faults{{Field: "/reason", Got: "a longer text", Expected: "at most " + strconv.Itoa(mostReason) + " characters"}}
	}
	return r, nil
}
