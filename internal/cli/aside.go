package cli

import (
	"cmp"
	"context"
	"path/filepath"

	"churn/internal/serving"
	"churn/internal/serving/predictionlog"
	"churn/internal/serving/shadow"
	"churn/pipeline/promote"
	"churn/registry"
	"churn/server"
)

// aside is what a server does beside answering: it keeps predictions, and lets
// a second model score them.
type aside struct {
	log    *predictionlog.Writer // nil = none
	shadow *shadow.Runner        // nil = none
	second *serving.Follower     // of shadow
}

// openAside opens what the settings ask for, and puts it into the options of
// the server.
func (s *session) openAside(ctx context.Context, r *registry.Registry, o *server.Options) (a aside, err error) {
	if p := s.config.Serve.Log; p.Sample > 0 {
		if a.log, err = predictionlog.NewWriter(predictionlog.Options{Params: p, Folder: s.logFolder(), Now: s.now, Log: s.log}); err != nil {
			return a, configError{err}
		}
		o.Log = a.log
	} else {
		s.log.Info("predictions are not kept; serve.log.sample=1 keeps them for monitors")
	}
	if alias := s.config.Serve.Shadow; alias != "" {
		a.second = s.follower(r, alias)
		a.second.Reload(ctx) //nolint:errcheck // in its status and in the log; it goes on looking
		a.shadow = shadow.New(shadow.Options{Models: a.second, Log: o.Log, Folder: s.shadowFolder(), Now: s.now, Logger: s.log})
		o.Shadow = a.shadow
	}
	return a, nil
}

// follows returns what follows the alias of the second model.
func (a aside) follows(folders []string) []follows {
	if a.second == nil {
		return nil
	}
	return []follows{{a.second.Run, folders}}
}

// close writes what is left, once the last request has been answered.
func (a aside) close() (err error) {
	if a.shadow != nil {
		a.shadow.Close()
	}
	if a.log != nil {
		err = a.log.Close()
	}
	return err
}

// logFolder is where predictions are kept.
func (s *session) logFolder() string {
	return cmp.Or(s.config.Serve.Log.Folder, filepath.Join(s.config.Paths.Predictions, "log"))
}

// shadowFolder is where the records of second models are.
func (s *session) shadowFolder() string { return filepath.Join(s.config.Paths.Metrics, "shadow") }

// shadowed returns what servers have seen of a challenger beside the champion;
// nil if they have not.
func (s *session) shadowed(ctx context.Context, r *registry.Registry, champion string, challenger *registry.Manifest) (*promote.Shadow, error) {
	v, err := r.Load(ctx, champion)
	if err != nil {
		return nil, err
	}
	c, err := shadow.Read(s.shadowFolder(), [2]string{v.Version, v.Digest}, [2]string{challenger.Version, challenger.Digest})
	if c == nil || err != nil {
		return nil, err
	}
	return &promote.Shadow{Rows: c.Rows, Failed: c.Failed, Skipped: c.Skipped, Mean: c.MeanDifference, MeanAbsolute: c.MeanAbsolute, RankCorrelation: c.RankCorrelation,
		SameTier: c.SameTier, HighOnly: c.HighOnly, HighNoMore: c.HighNoMore, Milliseconds: c.LatencyMean}, nil
}
