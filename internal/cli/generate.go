package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/urfave/cli/v2"

	"churn/internal/atomicfile"
	"churn/internal/config"
	"churn/internal/table"
	"churn/internal/workspace"
	"churn/pipeline/generate"
)

func generateCommand(s *session) *cli.Command {
	settings := map[string]string{
		"users": "generate.users", "days": "generate.days", "start-date": "generate.start_date", "seed": "generate.seed",
		"paid-ratio": "generate.paid_ratio", "churn-base-rate": "generate.churn_base_rate", "drift": "generate.drift",
		"out": "paths.raw", "format": "data.format",
	}
	return &cli.Command{
		Name:  "generate",
		Usage: "simulate the users and events of an e-learning portal",
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "users", Usage: "number of users"},
			&cli.StringFlag{Name: "days", Usage: "length of the history in days"},
			&cli.StringFlag{Name: "start-date", Usage: "first day, `DATE`"},
			&cli.StringFlag{Name: "seed", Usage: "seed of the simulation: the same seed, the same bytes"},
			&cli.StringFlag{Name: "paid-ratio", Usage: "share of paying users, 0 to 1"},
			&cli.StringFlag{Name: "churn-base-rate", Usage: "share of active users who leave in 30 days, in an average season"},
			&cli.StringFlag{Name: "drift", Usage: "change the world from a date on: `NAME@DATE`,… of engagement, content, pricing, acquisition, bots"},
			&cli.StringFlag{Name: "out", Usage: "write to the folder `DIR` (default: paths.data/raw)"},
			&choice{&cli.StringFlag{Name: "format", Usage: "csv or parquet"}, []string{string(table.CSV), string(table.Parquet)}},
		},
		Action: func(c *cli.Context) error {
			flags := map[string]string{}
			for name, key := range settings {
				if c.IsSet(name) {
					flags[key] = c.String(name)
				}
			}
			if err := s.load(c, flags); err != nil {
				return err
			}
			return s.locked(func() error {
				report, err := s.generate(c.Context)
				if err != nil {
					return err
				}
				return s.print(report, func(w io.Writer) { printGenerate(w, report) })
			})
		},
	}
}

// unfinished marks a raw folder that generate has begun to write into.
const unfinished = ".generate-unfinished"

// generate writes synthetic raw data. It refuses to replace data that it did
// not make.
func (s *session) generate(ctx context.Context) (generate.Report, error) {
	p, err := s.config.Simulation()
	if err != nil {
		return generate.Report{}, configError{err}
	}
	dir := s.config.Paths.Raw
	if err := s.ownRaw(stageGenerate, unfinished); err != nil {
		return generate.Report{}, err
	}
	if _, err := atomicfile.Write(filepath.Join(dir, unfinished), nil); err != nil {
		return generate.Report{}, err
	}
	started := s.stamp()
	var report generate.Report
	err = s.stage(ctx, "generate", func(ctx context.Context, progress func(done, total int64)) (err error) {
		report, err = generate.Run(ctx, p, dir, progress)
		return err
	})
	if err != nil {
		return report, err
	}
	made := workspace.Made{ConfigDigest: config.Digest(p), Seed: p.Seed, Started: started}
	for _, o := range report.Outputs {
		info := table.Info{Info: atomicfile.Info{SHA256: o.SHA256, Bytes: o.Bytes}, Rows: o.Rows}
		if err := s.files.Record(workspace.Output{Path: o.Path, Stage: "generate"}, info, made); err != nil {
			return report, err
		}
	}
	return report, os.Remove(filepath.Join(dir, unfinished))
}

// ownRaw fails if the raw folder holds users or events that another stage wrote, or
// nobody of us. mark is in the folder where the stage did not finish.
func (s *session) ownRaw(stage, mark string) error {
	if exists(filepath.Join(s.config.Paths.Raw, mark)) {
		return nil
	}
	for _, name := range []string{"users", "events"} {
		if out := s.files.Raw(name); exists(out.Path) && !s.madeBy(stage, out) {
			return fmt.Errorf("%s is there already and was not made by `churn %s`; move it away, or write elsewhere with --out DIR", out.Path, stage)
		}
	}
	return nil
}

// madeBy reports whether a stage wrote a raw file as it is.
func (s *session) madeBy(stage string, out workspace.Output) bool {
	if _, err := s.files.State(out); err != nil {
		return false
	}
	m, err := s.files.Manifest(out)
	return err == nil && m.Stage == stage
}

// needsGenerate says why run-all must simulate data first, "" if not: no source
// is named and there is nothing in the raw folder, or only what a killed run
// left.
func (s *session) needsGenerate() (why string, err error) {
	if s.config.Source.InDatabase() || s.config.Source.Users != "" || s.config.Source.Events != "" {
		return "", nil
	}
	raw := s.config.Paths.Raw
	if err := s.whole(); err != nil {
		return "", err
	}
	if exists(filepath.Join(raw, unfinished)) {
		return "an earlier run did not finish", nil
	}
	found, err := filepath.Glob(filepath.Join(raw, "*s.*"))
	if err != nil || len(found) == 0 {
		return "there is no data in " + raw, err
	}
	s.log.Info("using the data that is there", "folder", raw)
	return "", s.warnOtherWorld()
}

// simulated reports whether run-all reads data that churn generate wrote.
func (s *session) simulated() bool {
	if s.config.Source.InDatabase() || s.config.Source.Users != "" || s.config.Source.Events != "" {
		return false
	}
	return s.madeBy(stageGenerate, s.files.Raw("events"))
}

// warnOtherWorld says where the data that is there was simulated with other
// settings than those given now: it is kept all the same.
func (s *session) warnOtherWorld() error {
	p, err := s.config.Simulation()
	if err != nil {
		return configError{err}
	}
	m, err := s.files.Manifest(s.files.Raw("events"))
	if err == nil && s.simulated() && m.ConfigDigest != config.Digest(p) {
		s.log.Warn("the data was simulated with other settings of generate.*; it is kept, `churn generate` makes it anew", "folder", s.config.Paths.Raw)
	}
	return nil
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return !errors.Is(err, os.ErrNotExist)
}

func printGenerate(w io.Writer, r generate.Report) {
	fmt.Fprintf(w, "generate  %s users, %s events from %s to %s\n", thousands(int64(r.Users)), thousands(int64(r.Events)), r.First, r.Last)
	for _, o := range r.Outputs {
		fmt.Fprintf(w, "          %s\n", o.Path)
	}
}
