// Package monitored reads what the monitors have left in the folder of metrics,
// and tells it as figures: to the text file of batch jobs, to a Pushgateway, and
// to the server, all alike.
package monitored

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"churn/internal/telemetry"
	"churn/pipeline"
	"churn/pipeline/monitor/health"
)

// Figure is one value of a gauge. Names, units and help texts follow the
// conventions of Prometheus (prometheus.io/docs/practices/naming).
type Figure struct {
	Name, Help string
	Labels     []string // names and values in turns
	Value      float64
}

// series identifies the figure among all.
func (f Figure) series() string { return f.Name + "\xff" + strings.Join(f.Labels, "\xff") }

// figures collects them. A series that comes twice counts once, with the first
// value: a report that was tampered with must not break a scrape.
type figures struct {
	all  []Figure
	seen map[string]bool
	now  time.Time
}

func (f *figures) add(name, help string, value float64, labels ...string) {
	for i := range labels {
		labels[i] = strings.ToValidUTF8(labels[i], "�")
	}
	one := Figure{name, help, labels, value}
	if !f.seen[one.series()] {
		f.seen[one.series()] = true
		f.all = append(f.all, one)
	}
}

// states adds a series for each state, 1 for the present one.
func (f *figures) states(name, help, label, present string, all []string, labels ...string) {
	for _, s := range all {
		f.add(name, help, boolean(s == present), append(slices.Clone(labels), label, s)...)
	}
}

func boolean(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

// seconds is a time as Prometheus counts it; 0 is never.
func seconds(t time.Time) float64 {
	if t.IsZero() {
		return 0
	}
	return float64(t.Unix())
}

// report is a file that a monitor leaves.
type report struct {
	monitor, file string
	figures       func(data []byte, f *figures) error
}

// reports lists them.
func reports() []report {
	return []report{
		{"health", HealthLatest, decoded(healthFigures)},
		{"drift", DriftLatest, decoded(driftFigures)},
		{"scores", ScoresLatest, decoded(scoreFigures)},
		{"performance", PerformanceLatest, decoded(performanceFigures)},
	}
}

// Names of the latest reports, without their extension.
const (
	HealthLatest      = "data_health_latest"
	DriftLatest       = "data_drift_latest"
	ScoresLatest      = "score_proxy_latest"
	PerformanceLatest = "performance_latest"
	Alarms            = "alarms"
)

// decoded reads JSON for a function of what it says.
func decoded[R any](tell func(*R, *figures)) func([]byte, *figures) error {
	return func(data []byte, f *figures) error {
		var r R
		if err := json.Unmarshal(data, &r); err != nil {
			return err
		}
		tell(&r, f)
		return nil
	}
}

// Statuses lists the statuses of monitors.
func Statuses() []string {
	return []string{string(health.OK), string(health.Unmeasured), string(health.Warn), string(health.Fail)}
}

// Read returns the figures of all reports in a folder. What cannot be read is
// in the error, and the figures of the others are returned all the same. Reports
// that were written after now are told to be of now: so a fixed clock gives the
// same bytes again.
func Read(dir string, now time.Time) ([]Figure, error) {
	f := &figures{seen: map[string]bool{}, now: now}
	var errs []error
	for _, r := range reports() {
		errs = append(errs, r.read(dir, f))
	}
	errs = append(errs, alarmFigures(dir, f))
	return f.all, errors.Join(errs...)
}

// read adds the figures of one report: those that every report has, and its own.
func (r report) read(dir string, f *figures) error {
	path := filepath.Join(dir, r.file+".json")
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	var head struct {
		Status string        `json:"status"`
		AsOf   pipeline.Date `json:"as_of_date"`
	}
	var written time.Time
	if info, statErr := os.Stat(path); statErr == nil {
		written = info.ModTime()
	}
	if written.After(f.now) {
		written = f.now
	}
	own := &figures{seen: f.seen}
	if err == nil {
		err = json.Unmarshal(data, &head)
	}
	if err == nil {
		err = r.figures(data, own)
	}
	f.add("churn_monitor_report_readable", "1 if the latest report of the monitor can be read.", boolean(err == nil), "monitor", r.monitor)
	f.add("churn_monitor_report_timestamp_seconds", "When the latest report of the monitor was written.", seconds(written), "monitor", r.monitor)
	if err != nil {
		return fmt.Errorf("%s cannot be read: %w; run `churn monitor %s` again", path, err, r.monitor)
	}
	if head.AsOf > 0 { // not in the report of the original course
		f.add("churn_monitor_as_of_timestamp_seconds", "Day that the latest report of the monitor is about.", seconds(head.AsOf.Time()), "monitor", r.monitor)
	}
	f.states("churn_monitor_status", "What the latest report of the monitor came to (1 = this).", "status", strings.ToUpper(head.Status), Statuses(), "monitor", r.monitor)
	f.all = append(f.all, own.all...)
	return nil
}

// Jobs names the text files that jobs other than the monitors leave, without
// their extension: of the latest retrain, and of the latest check whether one is
// due.
func Jobs() []string { return []string{Retrain, RetrainDue} }

// Names of the text files of jobs.
const (
	Retrain    = "churn_retrain"
	RetrainDue = "churn_retrain_due"
)

// readJobs returns the figures of the text files of jobs. A textfile collector
// reads them itself: only who is scraped in its place needs them.
func readJobs(dir string) ([]Figure, error) {
	f := &figures{seen: map[string]bool{}}
	var errs []error
	for _, job := range Jobs() {
		path := filepath.Join(dir, job+".prom")
		text, err := os.ReadFile(path)
		if err == nil {
			err = telemetry.Each(text, f.add)
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			errs = append(errs, fmt.Errorf("%s: %w; run `churn retrain` again", path, err))
		}
	}
	return f.all, errors.Join(errs...)
}

// Reader reads the reports and the text files of jobs of a folder again when one
// of them has changed. It is safe for concurrent use.
type Reader struct {
	Dir string
	Now func() time.Time

	mu      sync.Mutex
	stamp   string
	figures []Figure
	err     error
}

// Figures returns what Read does, and the figures of jobs.
func (r *Reader) Figures() ([]Figure, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if now := r.look(); r.stamp == "" || now != r.stamp {
		reports, err := Read(r.Dir, r.Now())
		jobs, jobsErr := readJobs(r.Dir)
		r.figures, r.err = append(reports, jobs...), errors.Join(err, jobsErr)
		r.stamp = now
	}
	return r.figures, r.err
}

// look returns what tells changed files from those that were read.
func (r *Reader) look() string {
	files := []string{Alarms + ".json"}
	for _, one := range reports() {
		files = append(files, one.file+".json")
	}
	for _, job := range Jobs() {
		files = append(files, job+".prom")
	}
	var b strings.Builder
	for _, file := range files {
		b.WriteString(file)
		if info, err := os.Stat(filepath.Join(r.Dir, file)); err == nil {
			fmt.Fprint(&b, info.ModTime().UnixNano(), info.Size())
		}
	}
	return b.String()
}
