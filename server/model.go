package server

import (
	"net/http"

	"github.com/labstack/echo/v4"
)

// modelRoutes tell of the model in use, and change it.
func (s *Server) modelRoutes() []route {
	return []route{
		{method: http.MethodGet, path: "/model", scope: ScopeRead, query: []string{}, handle: s.model},
		{method: http.MethodPost, path: "/admin/reload", scope: ScopeAdmin, query: []string{}, handle: s.reload},
	}
}

// ModelAnswer is the answer of /model and of /admin/reload.
type ModelAnswer struct {
	*ModelInfo               // absent before there is a model
	Status     ModelStatus   `json:"status"`
	Shadow     *ShadowStatus `json:"shadow,omitempty"` // absent without a second model
	Inputs     []Input       `json:"inputs"`           // what the model reads: numbers, then categories
	RequestID  string        `json:"request_id"`
}

func (s *Server) model(c echo.Context) error {
	return c.JSON(http.StatusOK, s.modelAnswer(c))
}

func (s *Server) modelAnswer(c echo.Context) ModelAnswer {
	a := ModelAnswer{Status: s.options.Models.Status(), Inputs: []Input{}, RequestID: RequestID(c)}
	if s.options.Shadow != nil {
		status := s.options.Shadow.Status()
		a.Shadow = &status
	}
	if model := s.options.Models.Current(); model != nil {
		info := model.Info()
		numeric, categorical := model.Inputs()
		a.ModelInfo, a.Inputs = &info, append(append(a.Inputs, numeric...), categorical...)
	}
	return a
}

// reload looks at the registry now. What it found there, also a version that it
// had to refuse, is in the answer.
func (s *Server) reload(c echo.Context) error {
	if err := s.options.Models.Reload(c.Request().Context()); err != nil {
		s.log.Warn("reload", "request_id", RequestID(c), "error", err)
		return Refuse(Unavailable, "the registry's model was not taken, the one in use goes on; GET /model says why")
	}
	return c.JSON(http.StatusOK, s.modelAnswer(c))
}
