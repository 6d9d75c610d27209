package serving

import (
	"cmp"
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"churn/pipeline/monitor"
	"churn/pipeline/monitor/alarms"
	"churn/server"
)

// Drifts tells of the comparisons that `churn monitor drift` has left in a
// folder: data_drift_<as-of date>.json.
type Drifts struct {
	Metrics string
	// Title says a feature in plain words; "" = it is not known.
	Title func(name string) string

	mu   sync.Mutex
	read map[string]readDrift // by path
}

var _ server.Drifts = (*Drifts)(nil)

// readDrift is a file as it was when it was read.
type readDrift struct {
	changed time.Time
	bytes   int64
	drift   server.Drift
}

// mostDrifts bounds the comparisons that are told: a year of weeks.
const mostDrifts = 53

// Drifts returns the latest comparisons, oldest first. Files are read once.
func (d *Drifts) Drifts(context.Context) ([]server.Drift, error) {
	paths, err := filepath.Glob(filepath.Join(d.Metrics, "data_drift_[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9].json"))
	if err != nil {
		return nil, err
	}
	paths = paths[max(0, len(paths)-mostDrifts):]
	d.mu.Lock()
	defer d.mu.Unlock()
	fresh, out := map[string]readDrift{}, []server.Drift{}
	for _, path := range paths {
		r, err := d.open(path)
		if errors.Is(err, fs.ErrNotExist) {
			continue // replaced meanwhile
		}
		if err != nil {
			return nil, err
		}
		fresh[path] = r
		out = append(out, r.drift)
	}
	d.read = fresh
	return out, nil
}

func (d *Drifts) open(path string) (r readDrift, err error) {
	info, err := os.Stat(path)
	if err != nil {
		return r, err
	}
	if kept, ok := d.read[path]; ok && kept.changed.Equal(info.ModTime()) && kept.bytes == info.Size() {
		return kept, nil
	}
	var report monitor.DriftReport
	if found, err := readJSON(path, &report, "churn monitor drift"); err != nil || !found {
		return r, cmp.Or(err, error(fs.ErrNotExist))
	}
	return readDrift{info.ModTime(), info.Size(), d.tell(&report)}, nil
}

// tell puts a report into the words of the pages.
func (d *Drifts) tell(r *monitor.DriftReport) server.Drift {
	l := &r.Level
	out := server.Drift{AsOf: r.AsOf.String(), Version: r.Version, Status: strings.ToLower(string(r.Status)), Reference: l.Reference, Rows: r.Rows, Users: r.Users,
		Reasons: r.Reasons, Notes: r.Notes, Moved: l.MovedShare, Failed: l.FailedShare, Limit: l.Limit}
	for i := range l.Features {
		f := d.feature(&l.Features[i])
		f.Sudden = r.Step != nil && (slices.Contains(r.Step.Jumped, f.Name) || slices.Contains(r.Step.Strange, f.Name))
		out.Features = append(out.Features, f)
	}
	if l.Score != nil {
		f := d.feature(l.Score)
		out.Score = &f
	}
	return out
}

func (d *Drifts) feature(f *monitor.LevelFeature) server.Drifted {
	out := server.Drifted{Name: f.Name, Title: cmp.Or(d.Title(f.Name), f.Name), Status: string(f.Status), PSI: f.PSI, WarnLimit: f.WarnLimit, FailLimit: f.FailLimit,
		MissingBefore: f.MissingBefore, Missing: f.Missing, Unseen: f.Unseen, Importance: f.Importance, Discounted: f.Discounted()}
	for _, c := range f.Cells {
		out.Cells = append(out.Cells, server.Cell{Name: c.Label, Before: c.Before, Now: c.Now})
	}
	return out
}

// Alarms tells of the alarms that `churn monitor` keeps.
type Alarms struct{ Store alarms.Store }

var _ server.Alarms = (*Alarms)(nil)

// Alarms returns those that fire, and those that wait to.
func (a *Alarms) Alarms(context.Context) ([]server.Alarm, error) {
	book, err := a.Store.Read()
	switch {
	case err != nil:
		return nil, err
	case book.Evaluated.IsZero():
		return nil, server.ErrNotKept
	}
	out := []server.Alarm{}
	for _, x := range book.Alarms {
		if x.State == alarms.Firing || x.State == alarms.Pending {
			out = append(out, server.Alarm{Name: x.Name, State: string(x.State), Since: x.Since, Text: cmp.Or(x.Summary, x.Name)})
		}
	}
	slices.SortStableFunc(out, func(a, b server.Alarm) int { return cmp.Compare(a.State, b.State) }) // firing first
	return out, nil
}
