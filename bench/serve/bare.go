package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"

	"github.com/labstack/echo/v4"
)

// bareRequest is the body of /predict as a handler of Echo usually declares it.
type bareRequest struct {
	User     any            `json:"user_id"`
	AsOf     string         `json:"snapshot_date"`
	Features map[string]any `json:"features"`
}

// bareAnswer has the course's fields.
type bareAnswer struct {
	User    string  `json:"user_id"`
	Risk    float64 `json:"churn_risk"`
	Version string  `json:"model_version"`
}

// serveBare is the yardstick: an Echo server whose one handler decodes the same
// JSON by Bind (encoding/json) and answers a constant. It neither logs nor counts,
// has no keys, ids or limits, and scores nothing.
func serveBare(ctx context.Context) error {
	e := echo.New()
	e.POST("/predict", func(c echo.Context) error {
		var r bareRequest
		if err := c.Bind(&r); err != nil {
			return err
		}
		if len(r.Features) == 0 {
			return echo.NewHTTPError(http.StatusUnprocessableEntity, "no features")
		}
		return c.JSON(http.StatusOK, bareAnswer{User: "u1", Risk: 0.5, Version: "v0001"})
	})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fmt.Printf("{\"url\":%q}\n", "http://"+l.Addr().String())
	server := &http.Server{Handler: e}
	context.AfterFunc(ctx, func() { server.Close() }) //nolint:errcheck // it ends with the process
	if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}
