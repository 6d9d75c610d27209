// Package archtest holds the import table of the architecture: who may use
// whom, and which package alone may use which library.
package archtest

import (
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// stages lists the pipeline in the direction of the data: a stage imports only
// those before it. Packages on one line do not import each other.
func stages() [][]string {
	return [][]string{
		{"generate", "source"}, {"warehouse"}, {"validate"}, {"prepare", "lms"}, {"features", "labels"}, {"dataset"}, {"score"}, {"evaluate"}, {"train"}, {"promote"}, {"backtest"}, {"monitor"}, {"retrain"}, {"report"},
	}
}

// onlyIn names the packages that alone may import a library.
func onlyIn() map[string][]string {
	return map[string][]string{
		"github.com/urfave/cli/v2":            {"internal/cli"},
		"github.com/spf13/viper":              {"internal/config"},
		"github.com/labstack/echo/v4":         {"server", "bench/serve"},
		"github.com/prometheus/client_golang": {"server", "internal/telemetry", "internal/monitored"}, // the last for its tests: the linter of promtool
		"github.com/sajari/regression":        {"model/linear", "pipeline/monitor"},
		"github.com/parquet-go/parquet-go":    {"internal/table"},
		"github.com/schollz/progressbar/v3":   {"internal/cli"},
		"gonum.org/v1/plot":                   {"pipeline/report"},
		"go.etcd.io/bbolt":                    {"internal/serving/snapshot"},
		"github.com/jackc/pgx/v5":             {"pipeline/warehouse", "internal/parity", "bench/warehouse"},
		"github.com/ClickHouse/clickhouse-go": {"pipeline/warehouse", "internal/parity"},
		"github.com/trinodb/trino-go-client":  {"pipeline/warehouse", "internal/parity"},
		"github.com/RoaringBitmap/roaring":    {"internal/serving/snapshot"},
		"gocloud.dev":                         {"registry/store"},
		"golang.org/x/oauth2":                 {"registry/store"},
	}
}

// faults returns what is wrong with package pkg importing path.
func faults(pkg, path string) (out []string) {
	for library, allowed := range onlyIn() {
		if (path == library || strings.HasPrefix(path, library+"/")) && !slices.Contains(allowed, pkg) {
			out = append(out, pkg+" imports "+path+", which only "+strings.Join(allowed, ", ")+" may")
		}
	}
	own, ok := strings.CutPrefix(path, "churn/")
	if !ok {
		return out
	}
	bad := func(why string) { out = append(out, pkg+" imports "+own+": "+why) }
	switch {
	case pkg == "pipeline":
		bad("the vocabulary imports nothing of ours")
	case within(pkg, "model") && (within(own, "pipeline") || within(own, "registry") || within(own, "server")):
		bad("model knows nothing of churn")
	case within(pkg, "server") && (strings.HasPrefix(own, "pipeline/") || own == "internal/cli"):
		bad("the server imports neither stages nor the command line")
	case own == "internal/cli" && pkg != "." && pkg != "internal/cli":
		bad("only main imports the command line")
	case strings.HasPrefix(pkg, "pipeline/") && (own == "internal/config" || within(own, "registry")):
		bad("stages are given what they need")
	case strings.HasPrefix(pkg, "pipeline/") && strings.HasPrefix(own, "pipeline/") && rank(pkg) <= rank(own) && stageOf(pkg) != stageOf(own):
		bad("a stage never imports one beside or after it")
	}
	return out
}

func within(pkg, root string) bool { return pkg == root || strings.HasPrefix(pkg, root+"/") }

// stageOf returns the stage that a package is, or is a part of.
func stageOf(pkg string) string {
	stage, _, _ := strings.Cut(strings.TrimPrefix(pkg, "pipeline/"), "/")
	return stage
}

func rank(pkg string) int {
	return slices.IndexFunc(stages(), func(level []string) bool { return slices.Contains(level, stageOf(pkg)) })
}

// eachFile calls visit for the imports of every Go file of the module.
func eachFile(t *testing.T, visit func(pkg, file string, imports []string, text string)) {
	t.Helper()
	const root = "../.."
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || filepath.Ext(path) != ".go" {
			return err
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		var imports []string
		for _, i := range file.Imports {
			name, err := strconv.Unquote(i.Path.Value)
			if err != nil {
				return err
			}
			imports = append(imports, name)
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, path)
		visit(filepath.ToSlash(filepath.Dir(rel)), filepath.ToSlash(rel), imports, string(text))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestImports(t *testing.T) {
	files := 0
	eachFile(t, func(pkg, file string, imports []string, _ string) {
		files++
		for _, path := range imports {
			for _, f := range faults(pkg, path) {
				t.Errorf("%s: %s", file, f)
			}
		}
	})
	if files < 30 {
		t.Errorf("looked at %d files only: the walk is broken", files)
	}
}

// The mutants: each import is one that the table must refuse.
func TestTableRefuses(t *testing.T) {
	for _, m := range [][2]string{
		{"pipeline", "churn/internal/table"}, {"model/gbdt", "churn/pipeline"}, {"pipeline/features", "churn/pipeline/labels"},
		{"pipeline/validate", "churn/pipeline/prepare"}, {"server", "churn/pipeline/score"}, {"registry", "github.com/spf13/viper"},
		{"pipeline/train", "github.com/labstack/echo/v4/middleware"}, {"pipeline/score", "churn/registry"}, {"registry", "churn/internal/cli"},
		{"pipeline/evaluate", "gonum.org/v1/plot/plotter"}, {"pipeline/score", "churn/pipeline/monitor/alarms"}, {"pipeline/monitor/alarm", "churn/pipeline/retrain"},
	} {
		if len(faults(m[0], m[1])) == 0 {
			t.Errorf("%s may import %s", m[0], m[1])
		}
	}
}

// Every stage folder stands in the order of stages.
func TestEveryStageHasARank(t *testing.T) {
	entries, err := os.ReadDir("../../pipeline")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if e.IsDir() && rank("pipeline/"+e.Name()) < 0 {
			t.Errorf("pipeline/%s has no place in the order of stages", e.Name())
		}
	}
}

// Results must not depend on the time of day: only the command edge reads it.
func TestOnlyTheEdgeReadsAClock(t *testing.T) {
	eachFile(t, func(pkg, file string, _ []string, text string) {
		if strings.HasSuffix(file, "_test.go") || pkg == "internal/cli" {
			return
		}
		if strings.Contains(text, "time."+"Now") {
			t.Errorf("%s reads the clock", file)
		}
	})
}
