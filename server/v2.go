package server

import (
	"errors"
	"net/http"
	"strconv"

	"github.com/labstack/echo/v4"
)

// The Open Inference Protocol v2, which KServe and Triton clients speak
// (kserve.github.io/website/docs/concepts/architecture/data-plane/v2-protocol).
// The model's name is modelName, and each of its inputs is a tensor of shape
// [n], or [n, 1]. Triton's extension for binary tensors is in v2binary.go.
const (
	modelName     = "churn"
	modelPlatform = "churn"
)

// V2Server is the answer of GET /v2.
type V2Server struct {
	Name       string   `json:"name"`
	Version    string   `json:"version"`
	Extensions []string `json:"extensions"`
}

// V2Flag is the answer of the probes of the protocol.
type V2Flag struct {
	Live  *bool `json:"live,omitempty"`
	Ready *bool `json:"ready,omitempty"`
}

// V2Tensor describes a tensor; -1 in its shape is the number of rows.
type V2Tensor struct {
	Name     string `json:"name"`
	Datatype string `json:"datatype"`
	Shape    []int  `json:"shape"`
}

// V2Model is the answer of GET /v2/models/churn.
type V2Model struct {
	Name     string     `json:"name"`
	Versions []string   `json:"versions"`
	Platform string     `json:"platform"`
	Inputs   []V2Tensor `json:"inputs"`
	Outputs  []V2Tensor `json:"outputs"`
}

// V2Error is what a request of the protocol gets that cannot be answered.
type V2Error struct {
	Error string `json:"error"`
}

// v2Routes are those of the protocol, with and without a version.
func (s *Server) v2Routes() []route {
	routes := []route{
		{method: http.MethodGet, path: "/v2", handle: s.v2Server},
		{method: http.MethodGet, path: "/v2/health/live", handle: s.v2Live, probe: true},
		{method: http.MethodGet, path: "/v2/health/ready", handle: s.v2Ready, probe: true},
	}
	for _, path := range []string{"/v2/models/:model", "/v2/models/:model/versions/:version"} {
		routes = append(routes,
			route{method: http.MethodGet, path: path, scope: ScopePredict, handle: s.v2Metadata},
			route{method: http.MethodGet, path: path + "/ready", handle: s.v2ModelReady, probe: true},
			route{method: http.MethodPost, path: path + "/infer", scope: ScopePredict, handle: s.v2Infer})
	}
	for i := range routes {
		routes[i].handle = v2(routes[i].handle)
	}
	return routes
}

// v2 turns errors of a handler into answers of the protocol.
func v2(handle echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		err := handle(c)
		if err == nil {
			return nil
		}
		p := problemOf(err)
		if p.Status == http.StatusInternalServerError {
			return err // the log says what
		}
		text := p.Title + ": " + p.Detail
		if len(p.Errors) > 0 {
			text = p.Title + ": " + Faults(p.Errors).Error()
		}
		if p.Status == http.StatusUnprocessableEntity {
			p.Status = http.StatusBadRequest // the protocol knows no other
		}
		if p.Retry > 0 {
			c.Response().Header().Set("Retry-After", strconv.Itoa(int(p.Retry.Seconds())))
		}
		return c.JSON(p.Status, V2Error{Error: text})
	}
}

func (s *Server) v2Server(c echo.Context) error {
	return c.JSON(http.StatusOK, V2Server{Name: modelName, Version: s.options.Version, Extensions: []string{"binary_tensor_data"}})
}

func (s *Server) v2Live(c echo.Context) error {
	yes := true
	return c.JSON(http.StatusOK, V2Flag{Live: &yes})
}

func (s *Server) v2Ready(c echo.Context) error { return v2Flag(c, s.notReady() == nil) }

// v2Flag says whether something is ready: by its status too, which is what
// probes look at.
func v2Flag(c echo.Context, ready bool) error {
	if ready {
		return c.JSON(http.StatusOK, V2Flag{Ready: &ready})
	}
	return c.JSON(http.StatusServiceUnavailable, V2Flag{Ready: &ready})
}

func (s *Server) v2ModelReady(c echo.Context) error {
	_, err := s.v2Model(c)
	if errors.Is(err, ErrNoModel) {
		return v2Flag(c, false)
	}
	if err != nil {
		return err
	}
	return v2Flag(c, s.notReady() == nil)
}

// v2Model returns the model that a path names.
func (s *Server) v2Model(c echo.Context) (*inputs, error) {
	if c.Param("model") != modelName {
		return nil, Refuse(NotFound, "there is one model here, %s", modelName)
	}
	in, err := s.current()
	if err != nil {
		return nil, err
	}
	if v := c.Param("version"); v != "" && v != in.info.Version {
		return nil, Refuse(NotFound, "the version in use is %s", in.info.Version)
	}
	return in, nil
}

func (s *Server) v2Metadata(c echo.Context) error {
	in, err := s.v2Model(c)
	if err != nil {
		return err
	}
	m := V2Model{Name: modelName, Versions: []string{in.info.Version}, Platform: modelPlatform, Inputs: []V2Tensor{}, Outputs: v2Outputs()}
	for _, x := range in.numeric {
		m.Inputs = append(m.Inputs, V2Tensor{x.Name, typeFP64, []int{-1}})
	}
	for _, x := range in.categorical {
		m.Inputs = append(m.Inputs, V2Tensor{x.Name, typeBytes, []int{-1}})
	}
	return c.JSON(http.StatusOK, m)
}

// The outputs.
const (
	outputRisk   = "churn_risk"
	outputTier   = "risk_tier"
	outputMargin = "margin"
)

func v2Outputs() []V2Tensor {
	return []V2Tensor{{outputRisk, typeFP64, []int{-1}}, {outputTier, typeBytes, []int{-1}}, {outputMargin, typeFP64, []int{-1}}}
}
