// Command docstest runs the commands of the documentation: it takes the blocks of
// code out of Markdown pages, runs those of sh and console in the order of the
// page, in a folder of its own, and fails where one ends or answers in another
// way than the page says. `make docs-test` calls it.
//
//	go run ./internal/docstest -churn ./bin/churn README.md docs/*.md
//
// A block of sh is a script that must succeed. A block of console shows commands
// after "$ " and what they print, where … stands for what differs from run to
// run. A comment before a block says otherwise:
//
//	<!-- docs-test: skip REASON -->          it is not run; its commands must exist all the same
//	<!-- docs-test: exit 2 -->               its last command ends with this code
//	<!-- docs-test: serve -->                its last command runs until the page ends, or the next such block
//	<!-- docs-test: served -->               a server answers while it runs: that of the page, or else `churn serve`
//	<!-- docs-test: output of COMMAND -->    the block is what COMMAND prints
//	<!-- docs-test: after run-all -->        of the page: its folder has the results of `churn run-all`
//
// A block that looks like commands and is neither run nor marked is a fault, as
// are commands, flags, settings, targets and links in the text that there are not.
// The address 127.0.0.1:8080 becomes a free port.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"sync"
	"syscall"
)

func main() {
	program := flag.String("churn", "./bin/churn", "the program")
	list := flag.Bool("skipped", false, "list the blocks that are not run, and why, and run nothing")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, *program, *list, flag.Args()); err != nil {
		fmt.Fprintln(os.Stderr, "docstest:", err)
		stop()
		os.Exit(1) //nolint:gocritic // stop is called
	}
}

func run(ctx context.Context, program string, list bool, paths []string) error {
	if len(paths) == 0 {
		return errors.New("name the pages: docstest README.md docs/*.md")
	}
	pages, faults := loadAll(paths)
	if list {
		skipped(pages)
		return nil
	}
	program, err := filepath.Abs(program)
	if err != nil {
		return err
	}
	names, err := newNames(ctx, program, ".")
	if err != nil {
		return err
	}
	for _, p := range pages {
		faults = append(faults, names.check(ctx, p)...)
	}
	work, err := os.MkdirTemp("", "docstest-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(work)
	t := &theatre{program: program, work: work}
	played, err := t.playAll(ctx, pages)
	if err != nil {
		return err
	}
	fmt.Printf("%d pages, %d commands ran, %d blocks skipped (-skipped says which, and why)\n", len(pages), t.ran, t.skips)
	return verdict(append(faults, played...))
}

func loadAll(paths []string) (pages []page, faults []fault) {
	for _, path := range paths {
		p, f := load(path)
		pages = append(pages, p)
		faults = append(faults, f...)
	}
	return pages, faults
}

func skipped(pages []page) {
	for _, p := range pages {
		for _, b := range p.blocks {
			if b.mark.kind == markSkip {
				fmt.Printf("%s:%d: %s\n", p.path, b.line, b.mark.argument)
			}
		}
	}
}

func verdict(faults []fault) error {
	for _, f := range faults {
		fmt.Println(f)
	}
	if len(faults) > 0 {
		return fmt.Errorf("%d faults", len(faults))
	}
	return nil
}

// theatre is where pages are played: folders under work, which begin empty or as
// copies of one finished run.
type theatre struct {
	program, work string
	mu            sync.Mutex // of what is printed, and of the sums
	ran, skips    int
}

func (t *theatre) playAll(ctx context.Context, pages []page) ([]fault, error) {
	if err := t.prepare(ctx, pages); err != nil {
		return nil, err
	}
	results := make([][]fault, len(pages))
	var wait sync.WaitGroup
	free := make(chan struct{}, max(1, runtime.NumCPU()))
	for i, p := range pages {
		wait.Go(func() {
			free <- struct{}{}
			defer func() { <-free }()
			results[i] = t.play(ctx, p)
		})
	}
	wait.Wait()
	var faults []fault
	for _, r := range results {
		faults = append(faults, r...)
	}
	return faults, nil
}

// prepare makes the finished run that pages begin with, if any does.
func (t *theatre) prepare(ctx context.Context, pages []page) error {
	for _, p := range pages {
		if !p.afterRun {
			continue
		}
		dir := filepath.Join(t.work, "run-all")
		if err := os.Mkdir(dir, 0o755); err != nil {
			return err
		}
		cmd := exec.CommandContext(ctx, t.program, "--log-level", "warn", "--progress", "never", "run-all")
		cmd.Dir = dir
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("churn run-all: %w\n%s", err, out)
		}
		return nil
	}
	return nil
}

func (t *theatre) play(ctx context.Context, p page) []fault {
	dir, err := t.stage(p)
	if err != nil {
		return []fault{{p.path, 0, err.Error()}}
	}
	defer os.RemoveAll(dir)
	s, err := newShell(dir)
	if err != nil {
		return []fault{{p.path, 0, err.Error()}}
	}
	ran, faults := s.play(ctx, p)
	t.tell(p, ran, len(faults))
	return faults
}

// tell prints a line about a page that has commands.
func (t *theatre) tell(p page, ran, faults int) {
	skips := 0
	for _, b := range p.blocks {
		if b.mark.kind == markSkip {
			skips++
		}
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.ran, t.skips = t.ran+ran, t.skips+skips
	if ran+skips+faults > 0 {
		fmt.Printf("%-24s %3d commands ran, %d blocks skipped, %d faults\n", p.path, ran, skips, faults)
	}
}

// stage makes the folder of a page: bin/churn, the settings, and results where
// the page begins with some.
func (t *theatre) stage(p page) (string, error) {
	dir, err := os.MkdirTemp(t.work, "page-")
	if err != nil {
		return "", err
	}
	if p.afterRun {
		if err := os.CopyFS(dir, os.DirFS(filepath.Join(t.work, "run-all"))); err != nil {
			return "", err
		}
	}
	if err := os.Mkdir(filepath.Join(dir, "bin"), 0o755); err != nil {
		return "", err
	}
	settings, err := os.ReadFile("config.yaml")
	if err != nil {
		return "", err
	}
	return dir, errors.Join(os.WriteFile(filepath.Join(dir, "config.yaml"), settings, 0o644), os.Symlink(t.program, filepath.Join(dir, "bin", "churn")))
}
