package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/textparse"
)

// world is a small portal on which everything has run that leaves a metric, and
// a server beside it.
type world struct {
	dir      string
	server   *exec.Cmd
	url      string
	exported []labels.Labels // of /metrics, and of the text files
}

// small are settings that make it in seconds.
func small() []string {
	var args []string
	for _, s := range []string{"generate.users=500", "train.bootstrap=20", "promote.bootstrap=100", "monitor.performance.bootstrap=100",
		"train.gbdt.max_iter=20", "train.gbdt.max_leaf_nodes=8", "train.gbdt.min_samples_leaf=50"} {
		args = append(args, "--set", s)
	}
	return append(args, "--log-level", "error", "--progress", "never")
}

// newWorld makes one. It trains on an early date and scores later ones, so that
// there is a past that can be judged.
func newWorld(p program) (w *world, err error) {
	w = &world{}
	if w.dir, err = os.MkdirTemp("", "deploycheck-world-"); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			w.close()
		}
	}()
	for _, command := range []string{"run-all --as-of 2025-09-03", "prepare", "score --as-of 2025-09-10", "score --as-of 2025-10-01", "score", "monitor all", "retrain"} {
		_, err := p.run(w.dir, nil, append(small(), strings.Fields(command)...)...)
		var exit *exec.ExitError
		if alarm := errors.As(err, &exit) && (exit.ExitCode() == 2 || exit.ExitCode() == 4); err != nil && !alarm {
			return nil, err
		}
	}
	if err := w.serve(p); err != nil {
		return nil, err
	}
	return w, w.scrape()
}

// serve starts a server with all that has metrics of its own, and asks it.
func (w *world) serve(p program) error {
	keys := filepath.Join(w.dir, "keys")
	out, err := p.run(w.dir, nil, "--json", "key", "new", "--scopes", "predict,read", "check")
	if err != nil {
		return err
	}
	var made struct{ Key, Line string }
	if err := errors.Join(json.Unmarshal(out, &made), os.WriteFile(keys, []byte(made.Line+"\n"), 0o600)); err != nil {
		return err
	}
	w.server = exec.Command(p.path, append(small(), "--json", "--set", "serve.address=127.0.0.1:0", "--set", "serve.drain_delay=0s",
		"--set", "serve.keys_file="+keys, "--set", "serve.log.sample=1", "--set", "serve.shadow=challenger", "serve")...)
	w.server.Dir, w.server.Stderr = w.dir, os.Stderr
	stdout, err := w.server.StdoutPipe()
	if err != nil {
		return err
	}
	if err := w.server.Start(); err != nil {
		return err
	}
	var listening struct{ URL string }
	if err := json.NewDecoder(bufio.NewReader(stdout)).Decode(&listening); err != nil {
		return fmt.Errorf("the server does not say where it listens: %w", err)
	}
	w.url = listening.URL
	http.DefaultClient.Timeout = 10 * time.Second
	http.DefaultClient.Transport = withKey(made.Key)
	return w.traffic()
}

// withKey shows a key with each request.
type withKey string

// RoundTrip sends a request.
func (k withKey) RoundTrip(r *http.Request) (*http.Response, error) {
	r.Header.Set("Authorization", "Bearer "+string(k))
	return http.DefaultTransport.RoundTrip(r)
}

// traffic asks for predictions until the second model has answered some, too.
func (w *world) traffic() error {
	body := `{"instances":[{"user_id":"a","features":{"plan":"free"}},{"user_id":"b","features":{"plan":"paid","active_days_30d":9}},{"user_id":"c","features":{"days_since_last_activity":20}}]}`
	for range 200 {
		r, err := http.Post(w.url+"/predict/batch", "application/json", strings.NewReader(body))
		if err != nil {
			return err
		}
		r.Body.Close() //nolint:errcheck // nothing was read
		if r.StatusCode == http.StatusOK {
			text, err := w.metrics()
			if err != nil || strings.Contains(string(text), "\nchurn_shadow_rank_correlation") && strings.Contains(string(text), "\nchurn_snapshot_calls_gain") {
				return err
			}
		}
		time.Sleep(50 * time.Millisecond)
	}
	return errors.New("the server does not come to show a second model and a list")
}

func (w *world) metrics() ([]byte, error) {
	r, err := http.Get(w.url + "/metrics")
	if err != nil {
		return nil, err
	}
	defer r.Body.Close() //nolint:errcheck // read
	if r.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("/metrics: %s", r.Status)
	}
	return io.ReadAll(r.Body)
}

// scrape reads every series that Prometheus would see.
func (w *world) scrape() error {
	text, err := w.metrics()
	if err != nil {
		return err
	}
	files, err := filepath.Glob(filepath.Join(w.dir, "artifacts/metrics/*.prom"))
	if err != nil {
		return err
	}
	if len(files) == 0 {
		return errors.New("the jobs have left no text file")
	}
	texts := [][]byte{text}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		texts = append(texts, text)
	}
	for _, text := range texts {
		all, err := series(text)
		if err != nil {
			return err
		}
		w.exported = append(w.exported, all...)
	}
	return nil
}

// series reads the text format.
func series(text []byte) (all []labels.Labels, err error) {
	p := textparse.NewPromParser(text, labels.NewSymbolTable(), false)
	for {
		entry, err := p.Next()
		if errors.Is(err, io.EOF) {
			return all, nil
		}
		if err != nil {
			return nil, err
		}
		if entry == textparse.EntrySeries {
			var l labels.Labels
			p.Labels(&l)
			all = append(all, l)
		}
	}
}

// routes asks the server for a path without a key, as a kubelet does.
func (w *world) routes(path string) error {
	if !slices.Contains([]string{"/live", "/ready", "/health"}, path) {
		r, err := http.Get(w.url + path)
		if err != nil {
			return err
		}
		r.Body.Close() //nolint:errcheck // nothing was read
		return fmt.Errorf("a probe asks %s, which is no probe (the server answers %s)", path, r.Status)
	}
	r, err := (&http.Client{Timeout: 10 * time.Second, Transport: http.DefaultTransport}).Get(w.url + path)
	if err != nil {
		return err
	}
	r.Body.Close() //nolint:errcheck // nothing was read
	if r.StatusCode != http.StatusOK {
		return fmt.Errorf("a probe asks %s, and the server answers %s", path, r.Status)
	}
	return nil
}

// close ends the server and takes the world away.
func (w *world) close() {
	if w.server != nil && w.server.Process != nil {
		w.server.Process.Signal(os.Interrupt) //nolint:errcheck // it may have ended
		w.server.Wait()                       //nolint:errcheck // likewise
	}
	os.RemoveAll(w.dir) //nolint:errcheck // a folder of the system's own
}
