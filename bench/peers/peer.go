package main

import (
	"context"
	_ "embed" // the script and its requirements
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
)

//go:embed peers.py
var script string

//go:embed requirements.txt
var requirements []byte

// peer is the Python process.
type peer struct {
	cmd     *exec.Cmd
	in      io.WriteCloser
	replies *json.Decoder
}

// start runs the script with as many threads as ours, which wait for each other
// as the OpenMP policy says: passive or active. Threads that spin while others
// run are what makes OpenMP many times slower where cores are shared.
func start(ctx context.Context, python, wait string) (*peer, error) {
	p := &peer{cmd: exec.CommandContext(ctx, python, "-c", script)}
	n := strconv.Itoa(threads)
	p.cmd.Env = append(os.Environ(), "OMP_NUM_THREADS="+n, "OPENBLAS_NUM_THREADS="+n, "OMP_WAIT_POLICY="+wait)
	p.cmd.Stderr = os.Stderr
	in, errIn := p.cmd.StdinPipe()
	out, errOut := p.cmd.StdoutPipe()
	if err := errors.Join(errIn, errOut, p.cmd.Start()); err != nil {
		return nil, fmt.Errorf("start the peers: %w", err)
	}
	p.in, p.replies = in, json.NewDecoder(out)
	return p, nil
}

// stop ends the process.
func (p *peer) stop() error {
	p.in.Close() //nolint:errcheck // it ends the loop of the script; Wait tells the rest
	return p.cmd.Wait()
}

// request is a line to the script, which documents the commands.
type request struct {
	Command     string `json:"command"`
	Name        string `json:"name,omitempty"`
	X           string `json:"x,omitempty"`
	Y           string `json:"y,omitempty"`
	W           string `json:"w,omitempty"`
	Categorical []int  `json:"categorical,omitempty"`
	Model       string `json:"model,omitempty"`
	Data        string `json:"data,omitempty"`
	Params      any    `json:"params,omitempty"`
	Out         string `json:"out,omitempty"`
}

// reply is a line from the script.
type reply struct {
	took
	Error      string            `json:"error"`
	Iterations int               `json:"iterations"`
	Coef       []float64         `json:"coef"`
	Intercept  float64           `json:"intercept"`
	Versions   map[string]string `json:"versions"`
}

// call sends a request and waits for its reply.
func (p *peer) call(r request) (reply, error) {
	line, err := json.Marshal(r)
	if err != nil {
		return reply{}, err
	}
	var answer reply
	if _, err = p.in.Write(append(line, '\n')); err == nil {
		err = p.replies.Decode(&answer)
	}
	if err == nil && answer.Error != "" {
		err = errors.New(answer.Error)
	}
	if err != nil {
		return answer, fmt.Errorf("peer %s %s: %w", r.Command, r.Model, err)
	}
	return answer, nil
}

// fit fits the model that the script knows by that name.
func (p *peer) fit(model, data string, params any) (reply, error) {
	return p.call(request{Command: "fit", Model: model, Data: data, Params: params})
}

// predict returns the margins of all rows of d, and what they took.
func (p *peer) predict(model string, d *rows, dir string) (margins []float64, t took, err error) {
	out := filepath.Join(dir, "margins.npy")
	r, err := p.call(request{Command: "predict", Model: model, Data: d.name, Out: out})
	if err != nil {
		return nil, took{}, err
	}
	margins, err = readNpy(out, len(d.label))
	return margins, r.took, err
}
