package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"time"
)

// The address that the pages show. Each page has a port of its own in its place.
const shownAddress = "127.0.0.1:8080"

const (
	stepLimit = 4 * time.Minute       // of a command that hangs
	pollEvery = 50 * time.Millisecond // while a server starts
	polls     = 600
)

// shell runs the commands of one page in a folder of its own.
type shell struct {
	dir     string // work in it, with bin/churn
	address string // in place of shownAddress
	server  *server
	quiet   *regexp.Regexp // lines of the log that a terminal does not show
}

// server is a command in the background.
type server struct {
	step   step
	cmd    *exec.Cmd
	output *bytes.Buffer
	ended  chan error
}

func newShell(dir string) (*shell, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	defer l.Close()
	return &shell{dir: dir, address: l.Addr().String(), quiet: regexp.MustCompile(`(?m)^time=\S+ level=(DEBUG|INFO) .*\n?`)}, nil
}

// command returns a step as a process group of its own, so that what it leaves
// behind can be ended too.
func (s *shell) command(ctx context.Context, text string, output *bytes.Buffer) *exec.Cmd {
	cmd := exec.CommandContext(ctx, "sh", "-eu", "-c", strings.ReplaceAll(text, shownAddress, s.address))
	cmd.Dir, cmd.Stdout, cmd.Stderr = s.dir, output, output
	cmd.Env = append(os.Environ(), "PATH="+filepath.Join(s.dir, "bin")+":"+os.Getenv("PATH"), "HOME="+s.dir, "TZ=UTC", "CHURN_SERVE_ADDRESS="+s.address)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = time.Second
	return cmd
}

// shown returns an output as a terminal would show it.
func (s *shell) shown(output []byte) string {
	return strings.ReplaceAll(s.quiet.ReplaceAllString(string(output), ""), s.address, shownAddress)
}

// run does one step and returns what is wrong with how it went.
func (s *shell) run(ctx context.Context, step step) error {
	if step.serve {
		return s.serve(ctx, step)
	}
	if step.served && s.server == nil {
		if err := s.ready(ctx, step.line); err != nil {
			return err
		}
	}
	ctx, cancel := context.WithTimeout(ctx, stepLimit)
	defer cancel()
	var output bytes.Buffer
	err := s.command(ctx, step.command, &output).Run()
	if ctx.Err() != nil {
		return fmt.Errorf("it did not end within %s", stepLimit)
	}
	code, err := exitCode(err)
	if err != nil {
		return err
	}
	shown := s.shown(output.Bytes())
	if code != step.exit {
		return fmt.Errorf("exit code %d, want %d; it said\n%s", code, step.exit, shown)
	}
	if missing := match(step.want, shown); step.want != nil && missing != "" {
		return fmt.Errorf("the output lacks, where it is looked for,\n\t%s\nit is\n%s", missing, shown)
	}
	return nil
}

func exitCode(err error) (int, error) {
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return exit.ExitCode(), nil
	}
	return 0, err
}

// ready starts the server of pages that show none, and waits until it is ready.
func (s *shell) ready(ctx context.Context, line int) error {
	if err := s.serve(ctx, step{line: line, command: "churn serve"}); err != nil {
		return err
	}
	return s.run(ctx, step{line: line, command: "until churn healthcheck; do sleep 0.1; done"})
}

// serve starts a server in place of the one before it, and waits until it
// listens.
func (s *shell) serve(ctx context.Context, step step) error {
	if err := s.stop(); err != nil {
		return err
	}
	lines := strings.Split(step.command, "\n")
	first := len(lines) - 1 // of the last command, which the shell becomes
	for first > 0 && strings.HasSuffix(lines[first-1], "\\") {
		first--
	}
	lines[first] = "exec " + lines[first]
	s.server = &server{step: step, output: new(bytes.Buffer), ended: make(chan error, 1)}
	s.server.cmd = s.command(ctx, strings.Join(lines, "\n"), s.server.output)
	if err := s.server.cmd.Start(); err != nil {
		return err
	}
	go func(v *server) { v.ended <- v.cmd.Wait() }(s.server)
	return s.listening()
}

func (s *shell) listening() error {
	for range polls {
		if c, err := net.Dial("tcp", s.address); err == nil {
			return c.Close()
		}
		select {
		case err := <-s.server.ended:
			output := s.server.output.String()
			s.server = nil
			return fmt.Errorf("the server ended at once (%v); it said\n%s", err, output)
		case <-time.After(pollEvery):
		}
	}
	return errors.Join(errors.New("the server does not listen on serve.address"), s.stop())
}

// stop ends the server, which must end well.
func (s *shell) stop() error {
	v := s.server
	if v == nil {
		return nil
	}
	s.server = nil
	if err := syscall.Kill(-v.cmd.Process.Pid, syscall.SIGTERM); err != nil {
		return fmt.Errorf("end the server: %w", err)
	}
	if err := <-v.ended; err != nil {
		return fmt.Errorf("the server ended with %w; it said\n%s", err, v.output)
	}
	return nil
}

// play runs a page to its first fault: later commands build on earlier ones.
func (s *shell) play(ctx context.Context, p page) (ran int, faults []fault) {
	for _, b := range p.blocks {
		for _, step := range b.steps() {
			if err := s.run(ctx, step); err != nil {
				faults = append(faults, fault{p.path, step.line, fmt.Sprintf("%s\n\t%s", firstLine(step.command), indented(err.Error()))})
				return ran, s.close(p, faults)
			}
			ran++
		}
	}
	return ran, s.close(p, faults)
}

func (s *shell) close(p page, faults []fault) []fault {
	v := s.server
	if err := s.stop(); err != nil {
		faults = append(faults, fault{p.path, v.step.line, indented(err.Error())})
	}
	return faults
}

func firstLine(s string) string {
	line, _, more := strings.Cut(s, "\n")
	if more {
		line += " …"
	}
	return line
}

func indented(s string) string { return strings.ReplaceAll(strings.TrimRight(s, "\n"), "\n", "\n\t") }
