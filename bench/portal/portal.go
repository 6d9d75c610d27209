// Package portal is what benchmarks by simulation share: portals, and intervals of
// what was counted.
package portal

import (
	"context"
	"path/filepath"
	"time"

	"churn/internal/table"
	"churn/pipeline"
	"churn/pipeline/generate"
	"churn/pipeline/labels"
	"churn/pipeline/prepare"
	"churn/pipeline/source"
	"churn/pipeline/validate"
)

// Simulate makes a portal in the folder dir and returns the path of its
// timelines.
func Simulate(ctx context.Context, p generate.Params, dir string) (string, error) {
	if _, err := generate.Run(ctx, p, dir, nil); err != nil {
		return "", err
	}
	files, err := source.Find(source.Defaults(), dir)
	if err != nil {
		return "", err
	}
	v := pipeline.NewVocabulary(pipeline.EventTypes(), labels.Defaults().ActivityEvents)
	in := validate.Input{Files: files, Location: time.UTC, Vocabulary: v, Today: pipeline.DateFromCivil(2100, 1, 1), Quarantine: filepath.Join(dir, "quarantine.csv"), TempDir: dir, Memory: 1 << 30, Stage: true}
	data, err := validate.Run(ctx, in, validate.Defaults(pipeline.EventTypes()))
	if err != nil {
		return "", err
	}
	out := prepare.Outputs{Format: table.CSV, Timelines: filepath.Join(dir, "timelines.bin"), UserDaily: filepath.Join(dir, "daily.csv"), UsersClean: filepath.Join(dir, "clean.csv")}
	_, err = prepare.Run(ctx, data, v, prepare.Header{}, prepare.Defaults(), out, nil)
	return out.Timelines, err
}
