package serving

import (
	"cmp"
	"context"
	"encoding/json"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"sync/atomic"

	"churn/internal/atomicfile"
	"churn/internal/serving/snapshot"
	"churn/server"
)

// history has a line for each kept table of predictions. A table is summed up
// once: what came of it is kept in the cache by the table's digest.
type history struct {
	options UsersOptions
	file    string
	models  fingerprints
	lines   atomic.Pointer[[]server.Snapshot]

	of        string                     // mark of the predictions at the last refresh
	summaries map[string]server.Snapshot // by digest; nil before they were read
	bad       map[string]bool            // tables that cannot be summed up, by mark
}

// summariesFile is the name of the file of summaries in the cache. Servers that
// share it may overwrite each other's: what is lost is summed up again.
const summariesFile = "snapshots.json"

func newHistory(o UsersOptions) *history {
	return &history{options: o, file: filepath.Join(o.Cache, summariesFile), models: fingerprints{read: o.FeatureSets, log: o.Log}, of: "nothing yet", bad: map[string]bool{}}
}

// all returns the lines, oldest first.
func (h *history) all() []server.Snapshot {
	if lines := h.lines.Load(); lines != nil {
		return *lines
	}
	return nil
}

// refresh reads the kept tables, if the predictions have changed since: first the
// latest, which people look at first. Between two of them the users may take
// later predictions.
func (h *history) refresh(ctx context.Context, users *Users) {
	mark := users.mark()
	if mark == h.of {
		return
	}
	tables, err := h.options.Tables.Kept()
	if err != nil {
		h.options.Log.Warn("list the kept predictions", "error", err)
		return
	}
	h.load()
	h.publish(ctx, tables, users)
	for _, t := range slices.Backward(tables) {
		if _, known := h.summaries[t.SHA256]; known || h.bad[t.Mark] {
			continue
		}
		h.sumUp(ctx, t)
		if ctx.Err() != nil {
			return
		}
		h.publish(ctx, tables, users)
		users.Reload(ctx) //nolint:errcheck // in the status and the log
	}
	h.save(tables)
	h.of = mark
}

// mark identifies the predictions in use.
func (u *Users) mark() string {
	u.looking.Lock()
	defer u.looking.Unlock()
	return u.in
}

func (h *history) sumUp(ctx context.Context, t Table) {
	var s server.Snapshot
	err := guard(func() (err error) {
		s, err = snapshot.Summarise(ctx, t.Source)
		return err
	})
	switch {
	case ctx.Err() != nil:
	case err != nil:
		h.bad[t.Mark] = true
		h.options.Log.Warn("a kept table of predictions is left out of the history", "error", err)
	default:
		h.summaries[t.SHA256] = s
	}
}

// publish makes the lines of what has been summed up so far. The snapshot in use
// is one of them, also where its table is not kept.
func (h *history) publish(ctx context.Context, tables []Table, users *Users) {
	var lines []server.Snapshot
	current := ""
	if now, err := users.Snapshot(ctx); err == nil {
		current = now.Digest
		now.Plans, now.Countries, now.Sources = nil, nil, nil
		lines = append(lines, now)
		h.summaries[current] = now
	}
	for _, t := range tables {
		if s, known := h.summaries[t.SHA256]; known && t.SHA256 != current {
			s.Scored, s.FeatureSet = t.Finished, h.models.of(ctx, t.Model)
			lines = append(lines, s)
		}
	}
	slices.SortStableFunc(lines, func(a, b server.Snapshot) int {
		return cmp.Or(cmp.Compare(a.AsOf, b.AsOf), a.Scored.Compare(b.Scored))
	})
	h.lines.Store(&lines)
}

// load reads the summaries of an earlier run. Without them all is summed up.
func (h *history) load() {
	if h.summaries != nil {
		return
	}
	h.summaries = map[string]server.Snapshot{}
	data, err := os.ReadFile(h.file)
	if err == nil && json.Unmarshal(data, &h.summaries) != nil {
		h.summaries = map[string]server.Snapshot{}
	}
}

// save writes the summaries of the kept tables.
func (h *history) save(tables []Table) {
	kept := map[string]server.Snapshot{}
	for _, t := range tables {
		if s, known := h.summaries[t.SHA256]; known {
			kept[t.SHA256] = s
		}
	}
	h.summaries = kept
	if _, err := atomicfile.WriteJSON(h.file, kept); err != nil {
		h.options.Log.Warn("keep the summaries of predictions", "error", err)
	}
}

// fingerprints are those of the features of models, by digest of the version.
type fingerprints struct {
	read  func(ctx context.Context) (map[string]string, error)
	log   *slog.Logger
	known map[string]string
}

// of returns the fingerprint of a model, "" if the registry does not know it.
func (f *fingerprints) of(ctx context.Context, model string) string {
	if set, ok := f.known[model]; ok || model == "" {
		return set
	}
	known, err := f.read(ctx)
	if err != nil {
		f.log.Warn("look up the features of the model that has scored", "error", err)
		return ""
	}
	if f.known = known; known[model] == "" {
		f.known[model] = "" // collected since: not worth asking again
	}
	return f.known[model]
}
