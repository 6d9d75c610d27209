package main

import (
	"context"
	_ "embed" // the peer and its requirements
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"churn/bench/internal/kit"
)

//go:embed peer.py
var peerScript string

//go:embed requirements.txt
var requirements []byte

// server is a process that answers /predict. Its first line on stdout is a JSON
// object that says where.
type server struct {
	URL     string `json:"url"`
	Metrics string `json:"metrics_url"`
	name    string
	cmd     *exec.Cmd
	log     string // file of its stderr
}

// launch starts a process and waits until it listens.
func (b *bench) launch(name, program string, args ...string) (*server, error) {
	s := &server{name: name, cmd: exec.CommandContext(b.ctx, program, args...), log: filepath.Join(b.dir, name+".log")}
	s.cmd.Dir = b.dir
	s.cmd.Env = append(os.Environ(), "OMP_WAIT_POLICY=passive") // of the peer: threads that spin slow it down where cores are shared
	log, err := os.OpenFile(s.log, os.O_CREATE|os.O_APPEND|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	s.cmd.Stderr = log
	out, err := s.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := s.cmd.Start(); err != nil {
		return nil, err
	}
	lines := json.NewDecoder(out)
	if err := lines.Decode(s); err != nil {
		s.stop()
		text, _ := os.ReadFile(s.log) //nolint:errcheck // a help only
		return nil, fmt.Errorf("%s does not say where it listens: %w\n%s", name, err, text)
	}
	go io.Copy(io.Discard, io.MultiReader(lines.Buffered(), out)) //nolint:errcheck // until it ends
	return s, nil
}

// stop ends the process.
func (s *server) stop() {
	s.cmd.Process.Signal(syscall.SIGTERM) //nolint:errcheck // it may have ended
	s.cmd.Wait()                          //nolint:errcheck // its code tells nothing more
}

// trim empties the log, which the process appends to.
func (s *server) trim() error { return os.Truncate(s.log, 0) }

// cpu returns the seconds that the process has run on the cores, 0 where the
// system does not tell.
func (s *server) cpu() float64 {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", s.cmd.Process.Pid))
	if err != nil {
		return 0
	}
	_, rest, _ := strings.Cut(string(text), ") ") // the name may hold blanks
	fields := strings.Fields(rest)
	if len(fields) < 13 {
		return 0
	}
	const ticks = 100                               // a second, on every Linux that Go runs on
	user, _ := strconv.ParseFloat(fields[11], 64)   //nolint:errcheck // a number by proc(5)
	system, _ := strconv.ParseFloat(fields[12], 64) //nolint:errcheck // likewise
	return (user + system) / ticks
}

// servers are those that stand side by side.
type servers struct{ ours, bare, peer *server }

func (s servers) all() []*server { return []*server{s.ours, s.bare, s.peer} }

func (s servers) stop() {
	for _, x := range s.all() {
		if x != nil {
			x.stop()
		}
	}
}

// serve starts ours, with the settings that it has by default but for the
// addresses and the pause before it ends.
func (b *bench) serve() (*server, error) {
	return b.launch("churn", b.binary, "--json", "--set", "serve.address=127.0.0.1:0", "--set", "serve.metrics_address=127.0.0.1:0", "--set", "serve.drain_delay=0s", "serve")
}

// start starts all three, and makes the bodies that they are sent.
func (b *bench) start(kind string) (s servers, err error) {
	defer func() {
		if err != nil {
			s.stop()
		}
	}()
	if s.ours, err = b.serve(); err != nil {
		return s, err
	}
	var model struct {
		Kind   string `json:"model_kind"`
		Inputs []input
	}
	if err := b.get(s.ours.URL+"/model", &model); err != nil {
		return s, err
	}
	if model.Kind != kind {
		return s, fmt.Errorf("the server answers by %q", model.Kind)
	}
	if err := b.makeBodies(model.Inputs); err != nil {
		return s, err
	}
	own, err := os.Executable()
	if err != nil {
		return s, err
	}
	if s.bare, err = b.launch("bare Echo", own, "-bare"); err != nil {
		return s, err
	}
	var numeric, categorical []string
	for _, in := range model.Inputs {
		if in.Categorical {
			categorical = append(categorical, in.Name)
		} else {
			numeric = append(numeric, in.Name)
		}
	}
	kit.Say("%s: the peer trains", kind)
	s.peer, err = b.launch("FastAPI", b.python, "-c", peerScript, kind, filepath.Join("data", "features", "training_dataset.csv"), strings.Join(numeric, ","), strings.Join(categorical, ","))
	if err != nil {
		return s, err
	}
	return s, b.agree(s)
}

// get reads a JSON document.
func (b *bench) get(url string, out any) error {
	body, err := b.fetch(http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	return json.Unmarshal(body, out)
}

// fetch sends a request that must be answered with 200.
func (b *bench) fetch(method, url string, body io.Reader) ([]byte, error) {
	ctx, stop := context.WithTimeout(b.ctx, 10*time.Second)
	defer stop()
	r, err := http.NewRequestWithContext(ctx, method, url, body)
	if err != nil {
		return nil, err
	}
	r.Header.Set("Content-Type", "application/json")
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err == nil && answer.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: status %d: %s", url, answer.StatusCode, text)
	}
	return text, err
}

// agree makes sure that each server answers every body with a risk, and ours
// without a warning: what is measured must be the real work.
func (b *bench) agree(all servers) error {
	for _, s := range all.all() {
		for _, body := range b.bodies.texts {
			text, err := b.fetch(http.MethodPost, s.URL+"/predict", strings.NewReader(body))
			if err != nil {
				return fmt.Errorf("%s: %w", s.name, err)
			}
			var answer struct {
				Risk     *float64 `json:"churn_risk"`
				Warnings []any
			}
			if err := json.Unmarshal(text, &answer); err != nil {
				return fmt.Errorf("%s: %w", s.name, err)
			}
			if answer.Risk == nil || !(*answer.Risk >= 0 && *answer.Risk <= 1) || len(answer.Warnings) > 0 {
				return fmt.Errorf("%s answers %s", s.name, text)
			}
		}
	}
	return nil
}

// starts measures the time from the start of the process to its first answer
// to /ready with 200.
func (b *bench) starts(r *measured) error {
	for range b.options.starts {
		var s *server
		took, err := kit.Seconds(func() (err error) {
			if s, err = b.serve(); err != nil {
				return err
			}
			_, err = b.fetch(http.MethodGet, s.URL+"/ready", nil)
			return err
		})
		if s != nil {
			s.stop()
		}
		if err != nil {
			return errors.Join(errors.New("the server was not ready when it began to listen"), err)
		}
		r.Starts = append(r.Starts, 1000*took)
	}
	return nil
}
