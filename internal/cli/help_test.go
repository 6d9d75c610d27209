package cli_test

import (
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"churn/internal/cli"
)

// shellWords takes a line apart as a shell does, as far as the examples need it, up to the
// first operator.
func shellWords(line string) (words []string) {
	line = regexp.MustCompile(`\s+[>|].*`).ReplaceAllString(line, "")
	if inner, ok := strings.CutPrefix(line, "source <("); ok {
		line = strings.TrimSuffix(inner, ")")
	}
	for _, w := range regexp.MustCompile(`'[^']*'|"[^"]*"|\S+`).FindAllString(line, -1) {
		words = append(words, strings.Trim(w, `'"`))
	}
	return words
}

// The law: every command has an example, none is of a command that is not there, and every
// line of them is understood as that command. The mutants are lines that are not.
func TestExamples(t *testing.T) {
	all, commands := cli.LinesByCommand(), cli.Commands()
	if len(commands) < 40 {
		t.Fatalf("%d commands only: the walk is broken", len(commands))
	}
	for _, path := range commands {
		if len(all[path]) == 0 {
			t.Errorf("churn %s has no example: add one to examples.go", path)
		}
	}
	for path, lines := range all {
		if !slices.Contains(commands, path) {
			t.Errorf("there are examples of churn %s, which is no command", path)
		}
		for _, line := range lines {
			words := shellWords(line)
			if words[0] != "churn" {
				t.Errorf("%s: %q does not begin with churn", path, line)
			}
			if got, err := cli.Understand(words); err != nil || got != path && !strings.HasPrefix(got, path+" ") {
				t.Errorf("%s: %q is understood as %q, %v", path, line, got, err)
			}
		}
	}
	for _, line := range []string{"churn score --asof 2025-01-01", "churn explain", "churn prepare now", "churn score --merge four", "churn monitor drift --reference yesterday", "churn --log-format xml score"} {
		if got, err := cli.Understand(shellWords(line)); err == nil {
			t.Errorf("%q is understood as %q", line, got)
		}
	}
}

// The law: help and --help of every command say the same, with its name in full, its examples and its
// flags.
func TestHelpHasExamples(t *testing.T) {
	dir, all := t.TempDir(), cli.LinesByCommand()
	for _, path := range []string{"score", "registry", "registry rollback", "monitor silence", "run-all"} {
		help := churn(t, dir, append([]string{"help"}, strings.Fields(path)...)...).stdout
		for _, says := range append([]string{"churn " + path, "EXAMPLES:"}, all[path]...) {
			if !strings.Contains(help, says) {
				t.Errorf("help %s does not say %q:\n%s", path, says, help)
			}
		}
		if flag := churn(t, dir, append(strings.Fields(path), "--help")...).stdout; flag != help {
			t.Errorf("%s --help says\n%s\nand help says\n%s", path, flag, help)
		}
	}
	out := finish(t, program(dir, "help", "registry", "frob"))
	if out.code != exitUsage || !strings.Contains(out.stderr, `there is no command "registry frob"`) {
		t.Errorf("exit code %d\n%s", out.code, out.stderr)
	}
}

// The manual page names every command, has every example, and is sound roff to the formatters
// that are installed.
func TestManual(t *testing.T) {
	dir := t.TempDir()
	page := churn(t, dir, "man").stdout
	if strings.ContainsFunc(page, func(r rune) bool { return r > 126 }) {
		t.Error("the page has letters beyond ASCII")
	}
	plain := strings.NewReplacer(`\-`, "-", `\(aq`, "'", `\e`, `\`).Replace(page)
	for _, path := range cli.Commands() {
		words := strings.Fields(path)
		if !regexp.MustCompile(`(?m)^\.S[HS] ` + regexp.QuoteMeta(words[len(words)-1]) + `\b`).MatchString(plain) {
			t.Errorf("churn %s has no part of its own", path)
		}
	}
	for _, lines := range cli.LinesByCommand() {
		for _, line := range lines {
			if !strings.Contains(plain, line) {
				t.Errorf("the example %q is missing", line)
			}
		}
	}
	writeFile(t, filepath.Join(dir, "churn.1"), page)
	for _, formatter := range [][]string{{"groff", "-man", "-ww", "-z", "churn.1"}, {"man", "--warnings", "-l", "churn.1"}, {"mandoc", "-T", "lint", "-W", "error", "churn.1"}} {
		if !installed(t, formatter[0]) {
			continue
		}
		c := exec.Command(formatter[0], formatter[1:]...)
		c.Dir, c.Env = dir, append(os.Environ(), "MANPAGER=cat", "PAGER=cat")
		var complaints strings.Builder
		c.Stderr = &complaints
		if err := c.Run(); err != nil || complaints.Len() > 0 {
			t.Errorf("%s: %v\n%s", strings.Join(formatter, " "), err, complaints.String())
		}
	}
}

// installed reports whether a program is there. With CHURN_TEST_SHELLS (make test-shells) it
// must be.
func installed(t *testing.T, name string) bool {
	t.Helper()
	_, err := exec.LookPath(name)
	switch {
	case err == nil:
		return true
	case os.Getenv("CHURN_TEST_SHELLS") != "":
		t.Errorf("%s is not installed", name)
	default:
		t.Logf("%s is not installed: not tried; make test-shells tries it", name)
	}
	return false
}

// The drivers load the completion of a shell, complete one line, and print a candidate a line.
// The line comes as arguments, the unfinished word last.
func drivers() map[string]string {
	return map[string]string{
		"bash": `source <(churn completion bash)
complete -p churn >/dev/null || exit 9
COMP_WORDS=(churn)
for word; do # as bash takes them apart
  while [[ $word == *=* ]]; do
    [[ -n ${word%%=*} ]] && COMP_WORDS+=("${word%%=*}")
    COMP_WORDS+=("=")
    word=${word#*=}
    stop=1
  done
  [[ -n $word || -z ${stop-} ]] && COMP_WORDS+=("$word")
  stop=
done
COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
_churn 2>/dev/null
printf '%s\n' "${COMPREPLY[@]}"`,
		"zsh": `compdef() { [[ $2 == churn ]] || exit 9 }
_describe() { for one in "${(@P)2}"; do print -r -- "${${one%%[^\\]:*}}${${(M)one#*[^\\]:}[-2]}"; done }
compadd() { print -r -- "${@[-1]}" }
_files() { print FILES }
source <(churn completion zsh)
words=(churn "$@")
CURRENT=${#words}
_churn`,
		"fish": `churn completion fish | source
set -l line churn
for word in $argv; set -a line $word; end
complete -C (string join ' ' -- $line) | string replace -r '\t.*' ''`,
	}
}

// TestShells completes lines in every shell that is installed.
func TestShells(t *testing.T) {
	bin := t.TempDir()
	program, err := filepath.Abs(os.Args[0])
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(program, filepath.Join(bin, "churn")); err != nil {
		t.Skip("a program cannot be given a second name here:", err)
	}
	flags := map[string][]string{"bash": {"--norc", "-s", "--"}, "zsh": {"-f", "-s", "--"}, "fish": {"--no-config", "-"}}
	for _, shell := range slices.Sorted(maps.Keys(drivers())) {
		t.Run(shell, func(t *testing.T) {
			if !installed(t, shell) {
				t.Skip("not installed")
			}
			for _, x := range completions() {
				script := filepath.Join(t.TempDir(), "driver")
				writeFile(t, script, drivers()[shell])
				args := append(flags[shell][:len(flags[shell])-1:len(flags[shell])-1], script)
				if shell != "fish" {
					args = append(flags[shell][:1:1], script)
				}
				c := exec.Command(shell, append(args, x.words...)...)
				c.Dir = bin
				c.Env = append(os.Environ(), actAsChurn+"=1", "GORACE=atexit_sleep_ms=0", "PATH="+bin+":"+os.Getenv("PATH"), "HOME="+bin)
				out := finish(t, c)
				got := strings.Fields(out.stdout)
				slices.Sort(got)
				want := x.want
				if shell == "bash" { // it has typed what stands before = already
					want = nil
					for _, w := range x.want {
						want = append(want, strings.TrimPrefix(w, x.assigned))
					}
				}
				if !slices.Equal(got, want) {
					t.Errorf("churn %q: %q, want %q\n%s", x.words, got, want, out.stderr)
				}
			}
		})
	}
}

// completion is a line and what may come in the place of its last word.
type completion struct {
	words    []string
	want     []string // sorted
	assigned string   // what stands before the value in the last word
}

func completions() []completion {
	return []completion{
		{words: []string{"mon"}, want: []string{"monitor"}},
		{words: []string{"--log-f"}, want: []string{"--log-format"}},
		{words: []string{"--log-format", ""}, want: []string{"auto", "json", "text"}},
		{words: []string{"--log-format", "json", "score", "--sh"}, want: []string{"--shard"}},
		{words: []string{"registry", "ver"}, want: []string{"verify"}},
		{words: []string{"registry", "show", ""}, want: []string{"challenger", "previous", "production"}},
		{words: []string{"--set", "score.top"}, want: []string{"score.top_k="}},
		{words: []string{"--set", "score.top_k=5", "scor"}, want: []string{"score"}},
		{words: []string{"monitor", "drift", "--reference", "sa"}, want: []string{"same-weeks-last-term"}},
		{words: []string{"monitor", "drift", "--reference=sa"}, want: []string{"--reference=same-weeks-last-term"}, assigned: "--reference="},
		{words: []string{"run-all", "--from", "pr"}, want: []string{"prepare", "promote"}},
		{words: []string{"help", "regi"}, want: []string{"registry"}},
	}
}

// The words that the scripts ask for, without any shell.
func TestCompletionWords(t *testing.T) {
	dir := t.TempDir()
	words := func(words ...string) (got []string) {
		for _, line := range strings.Split(churn(t, dir, append([]string{"completion", "words"}, words...)...).stdout, "\n") {
			if word, _, ok := strings.Cut(line, "\t"); ok {
				got = append(got, word)
			}
		}
		slices.Sort(got)
		return got
	}
	for _, x := range completions() {
		if got := words(x.words...); !slices.Equal(got, x.want) {
			t.Errorf("churn %q: %q, want %q", x.words, got, x.want)
		}
	}
	for _, line := range [][]string{{"--config", ""}, {"score", "--as-of", ""}, {"explain", "u"}, {"monitor", "nothing", "x"}} {
		if got := words(line...); len(got) > 0 {
			t.Errorf("churn %q: %q, where only the user knows", line, got)
		}
	}
	if all := words(""); len(all) < 20 || slices.Contains(all, "words") {
		t.Errorf("commands: %q", all)
	}
}
