package main

import (
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"

	"churn/bench/internal/kit"
)

// makeWorld runs the main job once: it registers v0001, a logistic regression,
// and v0002, trees.
func (b *bench) makeWorld() error {
	kit.Say("churn run-all")
	return b.churn("run-all")
}

// churn runs a command of ours in the world.
func (b *bench) churn(args ...string) error {
	cmd := exec.CommandContext(b.ctx, b.binary, append([]string{"--log-level", "warn", "--progress", "never"}, args...)...)
	cmd.Dir = b.dir
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("churn %s: %w\n%s", args[0], err, out)
	}
	return nil
}

// produce puts a version into production, if it is not there, and makes sure of
// its kind.
func (b *bench) produce(kind, version string) error {
	in, err := b.inProduction()
	if err != nil {
		return err
	}
	if in.Version != version {
		if err := b.churn("promote", version, "--force", "--reason", "bench-serve"); err != nil {
			return err
		}
		if in, err = b.inProduction(); err != nil {
			return err
		}
	}
	if in.Version != version || in.Kind != kind {
		return fmt.Errorf("%s, a %s, is in production, not %s, a %s", in.Version, in.Kind, version, kind)
	}
	return nil
}

// card is what we read of a version.
type card struct {
	Version string `json:"version"`
	Kind    string `json:"kind"`
}

func (b *bench) inProduction() (c card, err error) {
	cmd := exec.CommandContext(b.ctx, b.binary, "--json", "registry", "show", "production")
	cmd.Dir = b.dir
	out, err := cmd.Output()
	if err != nil {
		return c, fmt.Errorf("churn registry show: %w", err)
	}
	return c, json.Unmarshal(out, &c)
}

// input is one of the model's, as GET /model tells.
type input struct {
	Name        string
	Categorical bool
}

// bodies are requests, and where each stands as a file.
type bodies struct {
	texts []string
	files []string
}

// bodyCount is how many different bodies are sent.
const bodyCount = 100

// makeBodies writes bodies of users at risk on the latest day with a value, or null, for
// every input.
func (b *bench) makeBodies(inputs []input) error {
	if len(inputs) == 0 {
		return errors.New("the model reads nothing")
	}
	rows, err := latest(filepath.Join(b.dir, "data", "features", "user_features_daily.csv"))
	if err != nil {
		return err
	}
	b.bodies = bodies{}
	for i := range bodyCount {
		text, err := bodyOf(rows[i*len(rows)/bodyCount], inputs)
		if err != nil {
			return err
		}
		file := filepath.Join(b.dir, "body"+strconv.Itoa(i)+".json")
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			return err
		}
		b.bodies.texts, b.bodies.files = append(b.bodies.texts, text), append(b.bodies.files, file)
	}
	return nil
}

// latest reads the rows of the last as-of date of a table, of the users at risk:
// of the others the model has not learned, and an answer says so.
func latest(path string) (rows []map[string]string, err error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	r := csv.NewReader(file)
	header, err := r.Read()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	last := ""
	for {
		record, err := r.Read()
		if err == io.EOF {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		row := map[string]string{}
		for j, name := range header {
			row[name] = record[j]
		}
		if row["as_of_date"] > last {
			last, rows = row["as_of_date"], nil
		}
		if row["as_of_date"] == last && row["active_days_30d"] != "0" {
			rows = append(rows, row)
		}
	}
	if len(rows) < bodyCount {
		return nil, fmt.Errorf("%s has %d users at risk on %s, fewer than %d", path, len(rows), last, bodyCount)
	}
	return rows, nil
}

// bodyOf writes a row as the body of /predict, its members in the order of the
// inputs.
func bodyOf(row map[string]string, inputs []input) (string, error) {
	var parts []string
	for _, in := range inputs {
		value, ok := row[in.Name]
		switch {
		case !ok:
			return "", fmt.Errorf("the table of features has no column %s", in.Name)
		case value == "":
			value = "null"
		case in.Categorical:
			value = strconv.Quote(value)
		}
		parts = append(parts, strconv.Quote(in.Name)+":"+value)
	}
	return fmt.Sprintf(`{"user_id":%q,"snapshot_date":%q,"features":{%s}}`, row["user_id"], row["as_of_date"], strings.Join(parts, ",")), nil
}
