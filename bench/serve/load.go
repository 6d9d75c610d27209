package main

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"

	"churn/bench/internal/kit"
)

// runs are those of one server.
type runs struct {
	Rates []float64 `json:"requests_per_second"`
	CPU   []float64 `json:"cpu_microseconds_per_request,omitempty"`
}

// race lets all servers answer as fast as they can, in turns.
func (b *bench) race(all servers, r *measured) error {
	script, err := b.wrkScript()
	if err != nil {
		return err
	}
	for i := range b.options.runs {
		for _, lane := range []struct {
			of   *server
			into *runs
		}{{all.bare, &r.Bare}, {all.ours, &r.Ours}, {all.peer, &r.Peer}} {
			before := lane.of.cpu()
			n, rate, err := b.wrk(script, lane.of)
			if err != nil {
				return fmt.Errorf("%s: %w", lane.of.name, err)
			}
			lane.into.Rates = append(lane.into.Rates, rate)
			lane.into.CPU = append(lane.into.CPU, 1e6*(lane.of.cpu()-before)/n)
			if err := lane.of.trim(); err != nil {
				return err
			}
		}
		kit.Say("%s, turn %d: bare Echo %.0f requests/s, ours %.0f, FastAPI %.0f", r.Model, i+1, r.Bare.Rates[i], r.Ours.Rates[i], r.Peer.Rates[i])
	}
	return nil
}

// wrkScript writes what wrk sends: the bodies in turn, made once.
func (b *bench) wrkScript() (string, error) {
	var s strings.Builder
	s.WriteString("wrk.method = 'POST'\nwrk.headers['Content-Type'] = 'application/json'\nlocal made, i = {}, 0\nfunction init()\n")
	for _, text := range b.bodies.texts {
		fmt.Fprintf(&s, "  made[#made + 1] = wrk.format(nil, nil, nil, [==[%s]==])\n", text)
	}
	s.WriteString("end\nfunction request()\n  i = i % #made + 1\n  return made[i]\nend\n")
	path := filepath.Join(b.dir, "bodies.lua")
	return path, os.WriteFile(path, []byte(s.String()), 0o600)
}

// wrk loads a server for one run and returns the number of requests, and that
// of a second.
func (b *bench) wrk(script string, s *server) (n, rate float64, err error) {
	out, err := exec.CommandContext(b.ctx, b.options.wrk, "-t1", "-c"+strconv.Itoa(connections), fmt.Sprintf("-d%ds", int(b.options.seconds.Seconds())), "--timeout", "60s", "-s", script, s.URL+"/predict").CombinedOutput()
	if err != nil {
		return 0, 0, fmt.Errorf("%s: %w (Debian: apt-get install wrk)\n%s", b.options.wrk, err, out)
	}
	return readWrk(string(out))
}

// readWrk reads what wrk prints. A request that failed fails the run.
func readWrk(out string) (n, rate float64, err error) {
	if strings.Contains(out, "Non-2xx") || strings.Contains(out, "Socket errors") {
		return 0, 0, fmt.Errorf("requests failed:\n%s", out)
	}
	for _, want := range []struct {
		pattern string
		into    *float64
	}{{`(\d+) requests in`, &n}, {`Requests/sec:\s+([\d.]+)`, &rate}} {
		m := regexp.MustCompile(want.pattern).FindStringSubmatch(out)
		if m == nil {
			return 0, 0, fmt.Errorf("wrk did not say %s:\n%s", want.pattern, out)
		}
		if *want.into, err = strconv.ParseFloat(m[1], 64); err != nil {
			return 0, 0, err
		}
	}
	if n == 0 {
		return 0, 0, fmt.Errorf("no request was answered:\n%s", out)
	}
	return n, rate, nil
}

// share of the most that it can take under which latency is measured.
const share = 0.7

// latency measures ours at a steady load, in each turn a share of what it and
// vegeta together have just come to: a request of vegeta takes several times
// what one of wrk does from the cores that they share.
func (b *bench) latency(s *server, r *measured) error {
	for range b.options.runs {
		most, err := b.vegeta(s, 0, b.options.seconds.String())
		if err != nil {
			return err
		}
		steady, err := b.vegeta(s, share*most.Rate, b.options.seconds.String())
		if err != nil {
			return err
		}
		r.Most, r.Steady = append(r.Most, most.Rate), append(r.Steady, steady)
		if err := s.trim(); err != nil {
			return err
		}
		kit.Say("%s at %.0f requests/s: p50 %.2f ms, p99 %.2f ms", r.Model, steady.Rate, steady.P50, steady.P99)
	}
	return nil
}

// steady is what vegeta tells of a run: latencies in milliseconds.
type steady struct {
	Wanted float64 `json:"requests_per_second_wanted"`
	Rate   float64 `json:"requests_per_second"` // that the generator came to
	P50    float64 `json:"p50_ms"`
	P99    float64 `json:"p99_ms"`
	Max    float64 `json:"max_ms"`
}

// vegeta sends at a constant rate over the connections, 0 = as fast as they are
// answered. A request that has to wait for a connection counts from when it was
// due.
func (b *bench) vegeta(s *server, rate float64, duration string) (steady, error) {
	var targets strings.Builder
	for _, file := range b.bodies.files {
		fmt.Fprintf(&targets, "POST %s/predict\nContent-Type: application/json\n@%s\n\n", s.URL, file)
	}
	attack := exec.CommandContext(b.ctx, b.options.vegeta, "attack", "-rate", strconv.Itoa(int(rate)), "-duration", duration,
		"-connections", strconv.Itoa(connections), "-max-connections", strconv.Itoa(connections), "-max-body", "0")
	if rate == 0 {
		attack.Args = append(attack.Args, "-max-workers", strconv.Itoa(connections))
	}
	attack.Stdin, attack.Stderr = strings.NewReader(targets.String()), os.Stderr
	report := exec.CommandContext(b.ctx, b.options.vegeta, "report", "-type", "json")
	report.Stderr = os.Stderr
	pipe, err := attack.StdoutPipe()
	if err != nil {
		return steady{}, err
	}
	report.Stdin = pipe
	if err := attack.Start(); err != nil {
		return steady{}, fmt.Errorf("%s: %w; go install github.com/tsenart/vegeta/v12@latest", b.options.vegeta, err)
	}
	out, err := report.Output()
	if err == nil {
		err = attack.Wait()
	}
	if err != nil {
		return steady{}, fmt.Errorf("%s: %w", b.options.vegeta, err)
	}
	return readVegeta(out, rate)
}

// readVegeta reads a report of vegeta. A request that failed fails the run.
func readVegeta(out []byte, wanted float64) (steady, error) {
	var r struct {
		Latencies struct {
			P50 float64 `json:"50th"`
			P99 float64 `json:"99th"`
			Max float64 `json:"max"`
		}
		Rate    float64
		Success float64
		Errors  []string
	}
	if err := json.Unmarshal(out, &r); err != nil {
		return steady{}, err
	}
	if r.Success != 1 {
		return steady{}, fmt.Errorf("%.4f of the requests succeeded: %s", r.Success, strings.Join(r.Errors, "; "))
	}
	const ms = 1e6
	return steady{wanted, r.Rate, r.Latencies.P50 / ms, r.Latencies.P99 / ms, r.Latencies.Max / ms}, nil
}
