package server

import (
	"net/http"
	"time"

	"github.com/labstack/echo/v4"
)

// probeRoutes tell machines how the server does.
func (s *Server) probeRoutes() []route {
	routes := []route{
		{method: http.MethodGet, path: "/live", handle: s.live, probe: true},
		{method: http.MethodGet, path: "/ready", handle: s.ready, probe: true},
		{method: http.MethodGet, path: "/health", handle: s.health, probe: true},
	}
	if s.params.MetricsAddress == "" {
		routes = append(routes, route{method: http.MethodGet, path: "/metrics", scope: ScopeRead, handle: echo.WrapHandler(s.metrics.handler()), probe: true})
	}
	return routes
}

// Liveness is the answer of /live: the process answers, nothing more.
type Liveness struct {
	Status string `json:"status"` // alive
}

// Readiness is the answer of /ready once there is a model.
type Readiness struct {
	Status  string `json:"status"` // ready
	Version string `json:"model_version"`
}

// Health is the answer of /health, which is always 200.
type Health struct {
	Status      string `json:"status"` // ok, or degraded: without a model, or draining
	ModelLoaded bool   `json:"model_loaded"`
	Version     string `json:"model_version,omitempty"`
	Path        string `json:"model_path,omitempty"`
	Reason      string `json:"reason,omitempty"` // for degraded
}

func (s *Server) live(c echo.Context) error {
	return c.JSON(http.StatusOK, Liveness{Status: "alive"})
}

func (s *Server) ready(c echo.Context) error {
	if p := s.notReady(); p != nil {
		return p
	}
	return c.JSON(http.StatusOK, Readiness{Status: "ready", Version: s.options.Models.Status().Version})
}

// notReady returns why the server should get no requests, or nil.
func (s *Server) notReady() *Problem {
	switch {
	case s.draining.Load():
		return Refuse(Unavailable, "the server is going down").after(5 * time.Second)
	case s.options.Models.Current() == nil:
		return problemOf(ErrNoModel)
	}
	return nil
}

func (s *Server) health(c echo.Context) error {
	h := Health{Status: "ok"}
	if model := s.options.Models.Current(); model != nil {
		info := model.Info()
		h.ModelLoaded, h.Version, h.Path = true, info.Version, info.Path
	}
	if p := s.notReady(); p != nil {
		h.Status, h.Reason = "degraded", p.Detail
	}
	return c.JSON(http.StatusOK, h)
}
