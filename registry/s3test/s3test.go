// Package s3test runs a real S3-compatible server on loopback for tests:
// versitygw (github.com/versity/versitygw), which keeps objects in a folder.
package s3test

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// Binary is the variable that names the program; make test-s3 sets it.
const Binary = "CHURN_TEST_VERSITYGW"

// Server is a server that can be killed and started again on its data.
type Server struct {
	URL string // of an empty bucket

	program, address, dir string
	running               *exec.Cmd
}

const bucket = "churn"

// Start starts a server that ends with the test, or skips the test where the
// program is not named.
func Start(t testing.TB) *Server {
	t.Helper()
	program := os.Getenv(Binary)
	if program == "" {
		t.Skip("needs an S3 server: make test-s3")
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &Server{program: program, address: listener.Addr().String(), dir: t.TempDir()}
	listener.Close()
	if err := os.Mkdir(filepath.Join(s.dir, bucket), 0o755); err != nil {
		t.Fatal(err)
	}
	s.URL = fmt.Sprintf("s3://%s?endpoint=http://%s&region=us-east-1&use_path_style=true", bucket, s.address)
	t.Setenv("AWS_ACCESS_KEY_ID", "churn")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "for tests only")
	s.Run(t)
	t.Cleanup(func() { s.Kill(t) })
	return s
}

// Run starts the server, and returns when it answers.
func (s *Server) Run(t testing.TB) {
	t.Helper()
	s.running = exec.Command(s.program, "--quiet", "--port", s.address, "posix", s.dir)
	s.running.Env = append(os.Environ(), "ROOT_ACCESS_KEY="+os.Getenv("AWS_ACCESS_KEY_ID"), "ROOT_SECRET_KEY="+os.Getenv("AWS_SECRET_ACCESS_KEY"))
	if err := s.running.Start(); err != nil {
		t.Fatal(err)
	}
	for range 200 {
		c, err := net.DialTimeout("tcp", s.address, time.Second)
		if err == nil {
			c.Close()
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Fatalf("%s does not listen on %s", s.program, s.address)
}

// Kill ends the server at once, whatever it is doing.
func (s *Server) Kill(t testing.TB) {
	t.Helper()
	if s.running == nil {
		return
	}
	if err := s.running.Process.Kill(); err != nil {
		t.Error(err)
	}
	s.running.Wait() //nolint:errcheck // it was killed
	s.running = nil
}
