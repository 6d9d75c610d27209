// Package source finds and opens the raw files of users and events.
package source

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"churn/internal/table"
)

// The kinds of sources.
const (
	KindFiles      = "files"      // CSV and Parquet files, read in process
	KindPostgres   = "postgres"   // tables of PostgreSQL, aggregated there
	KindTrino      = "trino"      // tables of Trino, likewise
	KindClickHouse = "clickhouse" // tables of ClickHouse, likewise
)

// Params says where the raw data is.
type Params struct {
	Kind     string `mapstructure:"kind"`
	URL      string `mapstructure:"url"`      // of a database
	Users    string `mapstructure:"users"`    // path or glob; empty = paths.data/raw/users.*. Of a database: table, view or query
	Events   string `mapstructure:"events"`   // path or glob; empty = paths.data/raw/events.*. Of a database: table, view or query
	Timezone string `mapstructure:"timezone"` // IANA name; decides calendar days
	// Of a database, where its names are not those of the contract. Lists, since
	// keys of maps would lose their capitals.
	UserColumns  []string `mapstructure:"user_columns"`  // contract=theirs; theirs empty = there is none
	EventColumns []string `mapstructure:"event_columns"` // likewise
	EventTypes   []string `mapstructure:"event_types"`   // theirs=contract
	// ScratchSchema is where a database may stage what it has checked; empty = rights to read are enough.
	ScratchSchema string `mapstructure:"scratch_schema"`
}

// Defaults returns the built-in parameters.
func Defaults() Params {
	return Params{Kind: KindFiles, Timezone: "UTC", UserColumns: []string{}, EventColumns: []string{}, EventTypes: []string{}}
}

// InDatabase reports whether the raw data lies in a database.
func (p Params) InDatabase() bool { return p.Kind != KindFiles }

// Validate returns all faults, each with its key.
func (p Params) Validate() error {
	var errs []error
	switch p.Kind {
	case KindFiles:
		errs = append(errs, p.validateFiles())
	case KindPostgres, KindTrino, KindClickHouse:
		errs = append(errs, p.validateDatabase())
	default:
		errs = append(errs, fmt.Errorf("source.kind: %q is unknown; use %s, %s, %s or %s", p.Kind, KindFiles, KindPostgres, KindTrino, KindClickHouse))
	}
	if _, err := p.Location(); err != nil {
		errs = append(errs, fmt.Errorf("source.timezone: %q is not a time zone; use an IANA name such as Europe/Berlin or UTC", p.Timezone))
	}
	return errors.Join(errs...)
}

// Location returns the time zone in which calendar days are counted.
func (p Params) Location() (*time.Location, error) {
	if p.Timezone == "" || p.Timezone == "Local" {
		return nil, errors.New("the zone must not depend on the machine")
	}
	return time.LoadLocation(p.Timezone)
}

// Files is the raw data as lists of files, each in the order of their names.
type Files struct {
	Users, Events []string
}

// Find resolves paths and globs. rawDir is looked into where a path is empty.
func Find(p Params, rawDir string) (Files, error) {
	users, errU := find("users", p.Users, rawDir)
	events, errE := find("events", p.Events, rawDir)
	return Files{Users: users, Events: events}, errors.Join(errU, errE)
}

// extensions are the kinds of files that can be read.
func extensions() []string {
	return []string{".csv", ".csv.gz", ".csv.zst", ".csv.bz2", ".parquet"}
}

func find(what, pattern, rawDir string) ([]string, error) {
	if pattern == "" {
		return findDefault(what, rawDir)
	}
	if _, err := os.Stat(pattern); err == nil {
		return []string{pattern}, readable(what, pattern)
	}
	paths, err := filepath.Glob(pattern)
	if err != nil {
		return nil, fmt.Errorf("source.%s: %q is not a valid pattern: %w; close the bracket, or write \\[ for a bracket in a name", what, pattern, err)
	}
	if len(paths) == 0 {
		return nil, fmt.Errorf("source.%s: no file matches %q; check the path, or set it with --set source.%s=PATH", what, pattern, what)
	}
	slices.Sort(paths)
	for _, p := range paths {
		err = errors.Join(err, readable(what, p))
	}
	return paths, err
}

// readable refuses folders and kinds of files that cannot be read.
func readable(what, path string) error {
	info, err := os.Stat(path)
	if err != nil {
		return fmt.Errorf("source.%s: %w", what, err)
	}
	if info.IsDir() {
		return fmt.Errorf("source.%s: %s is a folder; name a file or a pattern such as %s", what, path, filepath.Join(path, "*.csv"))
	}
	if !slices.ContainsFunc(extensions(), func(x string) bool { return strings.HasSuffix(path, x) }) {
		return fmt.Errorf("source.%s: %s is of no kind that can be read; use %s", what, path, strings.Join(extensions(), ", "))
	}
	return nil
}

func findDefault(what, dir string) ([]string, error) {
	var found []string
	for _, x := range extensions() {
		if path := filepath.Join(dir, what+x); exists(path) {
			found = append(found, path)
		}
	}
	switch len(found) {
	case 0:
		return nil, fmt.Errorf("source.%s: no %s file in %s; run `churn generate` for synthetic data, or name yours with --set source.%s=PATH", what, what, dir, what)
	case 1:
		return found, nil
	}
	return nil, fmt.Errorf("source.%s: %s all exist; name the one to use with --set source.%s=PATH", what, strings.Join(found, " and "), what)
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// Size returns the total size of files in bytes, for progress.
func Size(paths []string) (total int64) {
	for _, p := range paths {
		if info, err := os.Stat(p); err == nil {
			total += info.Size()
		}
	}
	return total
}

// Columns are the positions of named columns in one file, -1 where absent.
type Columns []int

// Locate finds the wanted columns in the header of a file.
func Locate(r *table.Reader, names []string) Columns {
	c := make(Columns, len(names))
	for i, n := range names {
		c[i] = r.Column(n)
	}
	return c
}
