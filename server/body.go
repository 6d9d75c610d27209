package server

import (
	"io"
	"mime"
	"net/http"
	"strings"

	"github.com/labstack/echo/v4"
)

// limitBody bounds what a handler can read of a body. One that says beforehand
// that it is too large is refused before any of it is read.
func (s *Server) limitBody(c echo.Context) error {
	r := c.Request()
	switch {
	case r.ContentLength > s.maxBody:
		return &http.MaxBytesError{Limit: s.maxBody}
	case r.ContentLength < 0: // in chunks: only reading tells
		r.Body = http.MaxBytesReader(c.Response().Writer, r.Body, s.maxBody)
	}
	return nil
}

// readBody appends the body of a request to buffer, if it is of a media type
// that the route reads. The caller may use the buffer again.
func readBody(c echo.Context, buffer []byte, mediaType string) ([]byte, error) {
	r := c.Request()
	if err := checkMediaType(r.Header, mediaType); err != nil {
		return buffer, err
	}
	for {
		if len(buffer) == cap(buffer) {
			buffer = append(buffer, 0)[:len(buffer)]
		}
		n, err := r.Body.Read(buffer[len(buffer):cap(buffer)])
		buffer = buffer[:len(buffer)+n]
		switch {
		case err == io.EOF:
			return buffer, nil
		case err != nil:
			return buffer, err
		}
	}
}

func checkMediaType(h http.Header, want string) error {
	if coding := h.Get(echo.HeaderContentEncoding); coding != "" && !strings.EqualFold(coding, "identity") {
		return Refuse(MediaType, "bodies are read as they are, without a Content-Encoding")
	}
	got := h.Get(echo.HeaderContentType)
	if got == want {
		return nil // the common case, without parsing
	}
	name, params, err := mime.ParseMediaType(got)
	if err != nil || name != want || params["charset"] != "" && !strings.EqualFold(params["charset"], "utf-8") {
		return Refuse(MediaType, "the Content-Type must be %s in UTF-8", want)
	}
	return nil
}
