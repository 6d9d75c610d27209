package server

import (
	"net/http"

	"github.com/labstack/echo/v4"
)

// Scope is what a key allows.
type Scope string

// The scopes. Public asks for no key.
const (
	Public       Scope = ""
	ScopePredict Scope = "predict"
	ScopeRead    Scope = "read"
	ScopeAdmin   Scope = "admin"
)

// route is one thing that the server answers.
type route struct {
	method, path string
	scope        Scope
	handle       echo.HandlerFunc
	query        []string // names that its query may have; nil: the handler looks for itself
	page         bool     // for people: no part of the interface's description
	probe        bool     // asked all day by machines: logged at debug level only, never limited
}

// routes lists all of them. Each file of handlers adds its own list here.
func (s *Server) routes() []route {
	var all []route
	for _, part := range [][]route{s.probeRoutes(), s.modelRoutes(), s.predictRoutes(), s.v2Routes(), s.userRoutes(), s.pageRoutes(), s.docRoutes()} {
		all = append(all, part...)
	}
	return all
}

// add registers a route. GET answers HEAD too, and counts as it: net/http
// leaves the body out.
func (s *Server) add(r route) {
	methods := []string{r.method}
	if r.method == http.MethodGet {
		methods = append(methods, http.MethodHead)
	}
	for _, method := range methods {
		s.echo.Add(method, r.path, s.admit(r))
	}
	s.metrics.add(r, methods)
}
