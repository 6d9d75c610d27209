// Package kit is what the programs under bench have in common.
package kit

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// Cache returns a folder in the user's cache, or a temporary one.
func Cache(name string) string {
	dir, err := os.UserCacheDir()
	if err != nil {
		dir = os.TempDir()
	}
	return filepath.Join(dir, name)
}

// Python makes sure of a virtual environment with the requirements under cache
// and returns its Python. It is made once: its folder is named by the digest of
// the requirements, and a mark in it says that it is complete.
func Python(ctx context.Context, python, cache string, requirements []byte) (string, error) {
	digest := sha256.Sum256(requirements)
	dir := filepath.Join(cache, "venv-"+hex.EncodeToString(digest[:6]))
	own, mark := filepath.Join(dir, "bin", "python"), filepath.Join(dir, "complete")
	if _, err := os.Stat(mark); err == nil {
		return own, nil
	}
	if err := errors.Join(os.RemoveAll(dir), os.MkdirAll(dir, 0o755)); err != nil {
		return "", err
	}
	list := filepath.Join(dir, "requirements.txt")
	if err := os.WriteFile(list, requirements, 0o644); err != nil {
		return "", err
	}
	Say("installing the peers into %s", dir)
	for _, args := range [][]string{{python, "-m", "venv", dir}, {own, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r", list}} {
		if out, err := exec.CommandContext(ctx, args[0], args[1:]...).CombinedOutput(); err != nil {
			return "", fmt.Errorf("install the peers: %w; this needs Python 3.11 or later with venv (-python names it) and a package index\n%s", err, out)
		}
	}
	return own, os.WriteFile(mark, nil, 0o644)
}

// Say tells the progress.
func Say(format string, args ...any) { fmt.Fprintf(os.Stderr, format+"\n", args...) }

// SetStopwatch makes testing.Benchmark, our only clock, run its function once.
// Package testing keeps the setting among its flags, which are not ours.
func SetStopwatch() error {
	testing.Init()
	return flag.CommandLine.Set("test.benchtime", "1x")
}

// Seconds returns how long f took.
func Seconds(f func() error) (seconds float64, err error) {
	result := testing.Benchmark(func(*testing.B) { err = f() })
	return result.T.Seconds(), err
}

// Median returns the middle of v, the mean of the two middle ones of an even
// number.
func Median(v []float64) float64 {
	s := slices.Sorted(slices.Values(v))
	n := len(s)
	return (s[(n-1)/2] + s[n/2]) / 2
}

// Verdict says whether a target is met.
func Verdict(ok bool) string {
	if ok {
		return "ok"
	}
	return "short"
}

// Heading writes a title and the head of a Markdown table, whose first and last
// columns hold text.
func Heading(w io.Writer, title string, columns ...string) {
	fmt.Fprintf(w, "\n%s\n\n| %s |\n|---|%s---|\n", title, strings.Join(columns, " | "), strings.Repeat("---:|", len(columns)-2))
}

// Load returns the load average of the last minute, "" where the system does not
// tell.
func Load() string {
	text, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return ""
	}
	one, _, _ := strings.Cut(string(text), " ")
	return one
}
