package main

import (
	"context"
	"errors"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// listenName is the variable that makes the test binary a server on
// CHURN_SERVE_ADDRESS.
const listenName = "DOCSTEST_LISTEN"

func TestMain(m *testing.M) {
	if os.Getenv(listenName) == "" {
		os.Exit(m.Run())
	}
	l, err := net.Listen("tcp", os.Getenv("CHURN_SERVE_ADDRESS"))
	if err != nil {
		panic(err)
	}
	end := make(chan os.Signal, 1)
	signal.Notify(end, syscall.SIGTERM)
	<-end
	l.Close()
}

// fenced writes a page: ~~~ in a test stands for the fences of Markdown.
func fenced(text string) string { return strings.ReplaceAll(text, "~~~", "```") }

func parsed(t *testing.T, text string) page {
	t.Helper()
	p, faults := parse("p.md", fenced(text))
	if len(faults) > 0 {
		t.Fatal(faults)
	}
	return p
}

func TestParseRefuses(t *testing.T) {
	for name, c := range map[string]struct{ text, says string }{
		"a command that nobody runs":      {"~~~\nchurn score\n~~~\n", `p.md:2: "churn score" looks like a command`},
		"a command among other text":      {"~~~text\nfirst\n\n  ./bin/churn score\n~~~\n", `p.md:4: "./bin/churn score" looks like`},
		"an indented command":             {"Text:\n\n    make run\n", "p.md:3: an indented command"},
		"skip without a reason":           {"<!-- docs-test: skip -->\n~~~sh\nmake run\n~~~\n", "p.md:1: skip needs a reason"},
		"a mark that there is not":        {"<!-- docs-test: ignore it all -->\n~~~sh\nmake\n~~~\n", `there is no mark "ignore"`},
		"a mark without a block":          {"<!-- docs-test: exit 2 -->\ntext\n", `p.md:1: no block follows the mark "exit"`},
		"a mark at the end":               {"<!-- docs-test: serve -->\n", "p.md:1: no block follows"},
		"an exit code that is none":       {"<!-- docs-test: exit two -->\n~~~sh\nmake\n~~~\n", "p.md:1: write: exit CODE"},
		"an output of nothing":            {"<!-- docs-test: output -->\n~~~\nx\n~~~\n", "p.md:1: write: output of COMMAND"},
		"a mark before something to read": {"<!-- docs-test: exit 2 -->\n~~~yaml\na: 1\n~~~\n", `p.md:2: the mark "exit" belongs before`},
		"a block that does not end":       {"~~~sh\nmake\n", "p.md:1: the block does not end"},
	} {
		_, faults := parse("p.md", fenced(c.text))
		if len(faults) != 1 || !strings.Contains(faults[0].String(), c.says) {
			t.Errorf("%s: %v, want one that says %q", name, faults, c.says)
		}
	}
}

func TestParseReads(t *testing.T) {
	p := parsed(t, "<!-- docs-test: after run-all -->\nSee `churn score` in [x](a.md#b).\n\n<!-- docs-test: skip needs a cluster -->\n~~~sh\nkubectl apply  # now\n~~~\n\n"+
		"1. In a list:\n   ~~~console\n   $ echo a \\\n       b\n   a b\n   $ true\n   ~~~\n")
	if !p.afterRun || len(p.spans) != 2 || p.spans[0] != (span{2, "churn score"}) || p.spans[1] != (span{6, "kubectl apply"}) || p.links[0] != (span{2, "a.md#b"}) {
		t.Errorf("read %+v", p)
	}
	if skipped := p.blocks[0].steps(); skipped != nil {
		t.Errorf("a block to skip has steps %+v", skipped)
	}
	steps := p.blocks[1].steps()
	if len(steps) != 2 || steps[0].command != "echo a \\\n    b" || steps[0].line != 11 || strings.Join(steps[0].want, "|") != "a b" || steps[1].want != nil {
		t.Errorf("steps %+v", steps)
	}
}

// Of a block that is not run the commands are looked at, not what they print.
func TestSkippedNames(t *testing.T) {
	p := parsed(t, "<!-- docs-test: skip needs a cluster -->\n~~~\n$ churn score\nchurn  node-2\n~~~\n")
	if len(p.spans) != 1 || p.spans[0] != (span{3, "churn score"}) {
		t.Errorf("names %+v", p.spans)
	}
}

func TestMatch(t *testing.T) {
	const output = "one 1\ntwo 2  \n\nthree 3\nfour (4)\n"
	for _, want := range []string{
		"one 1\ntwo 2\n\nthree 3\nfour (4)", "…\nfour (4)", "one …\n…\nfour (…)\n", "…", "one 1\n…\nthree 3\n…", "…\nthree 3\nfour (4)\n…",
	} {
		if missing := match(strings.Split(want, "\n"), output); missing != "" {
			t.Errorf("%q is not found: %q", want, missing)
		}
	}
	for want, missing := range map[string]string{
		"one 1":                   "(the end of the output)",
		"…\nfive 5":               "five 5",
		"one 1\ntwo 2\nthree 3":   "three 3",
		"one …\n…\nfour 4":        "four 4",
		"…\nthree 3\n…\none 1\n…": "one 1",
		"two 2\n…":                "two 2",
	} {
		if got := match(strings.Split(want, "\n"), output); got != missing {
			t.Errorf("%q: lacks %q, want %q", want, got, missing)
		}
	}
}

// played runs a page in a folder of its own.
func played(t *testing.T, text string) (int, []fault) {
	t.Helper()
	t.Setenv(listenName, "")
	s, err := newShell(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return s.play(context.Background(), parsed(t, text))
}

func TestPlay(t *testing.T) {
	ran, faults := played(t, "~~~sh\nprintf 'kept\\n' >file\n~~~\n~~~console\n$ cat file\nkept\n$ echo 'time=1 level=INFO msg=x'\n$ echo 127.0.0.1:8080\n127.0.0.1:8080\n~~~\n"+
		"<!-- docs-test: exit 3 -->\n~~~console\n$ echo no; exit 3\nno\n~~~\n<!-- docs-test: output of cat file -->\n~~~\nk…\n~~~\n~~~yaml\nnot: run\n~~~\n")
	if ran != 6 || len(faults) > 0 {
		t.Errorf("ran %d commands: %v", ran, faults)
	}
}

// The mutants: each page says something that is not so.
func TestPlayFinds(t *testing.T) {
	for name, c := range map[string]struct{ text, says string }{
		"a command that fails":       {"~~~sh\nfalse\necho never\n~~~\n", "p.md:1: false …\n\texit code 1, want 0"},
		"a command that there's not": {"~~~sh\nchurm score\n~~~\n", "exit code 127, want 0"},
		"a failure that's none":      {"<!-- docs-test: exit 2 -->\n~~~sh\ntrue\n~~~\n", "exit code 0, want 2"},
		"another failure":            {"<!-- docs-test: exit 2 -->\n~~~sh\nexit 1\n~~~\n", "exit code 1, want 2"},
		"another output":             {"~~~console\n$ echo 41\n42\n~~~\n", "p.md:2: echo 41\n\tthe output lacks, where it is looked for,\n\t\t42\n\tit is\n\t41"},
		"more output":                {"~~~console\n$ echo 1; echo 2\n1\n~~~\n", "(the end of the output)"},
		"an output of a command":     {"<!-- docs-test: output of echo 1 -->\n~~~\n2\n~~~\n", "the output lacks"},
		"an unset variable":          {"~~~sh\necho $NOT_SET_ANYWHERE\n~~~\n", ", want 0; it said"},
		"a server that ends":         {"<!-- docs-test: serve -->\n~~~sh\ntrue\n~~~\n", "the server ended at once"},
	} {
		if _, faults := played(t, c.text); len(faults) != 1 || !strings.Contains(faults[0].String(), c.says) {
			t.Errorf("%s: %v, want one that says %q", name, faults, c.says)
		}
	}
}

// Of two servers the second takes the place of the first, and both end with the
// page.
func TestPlayServes(t *testing.T) {
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := errors.Join(os.Mkdir(filepath.Join(dir, "bin"), 0o755), os.Symlink(program, filepath.Join(dir, "bin", "listens"))); err != nil {
		t.Fatal(err)
	}
	s, err := newShell(dir)
	if err != nil {
		t.Fatal(err)
	}
	const serve = "<!-- docs-test: serve -->\n~~~sh\nexport " + listenName + "=1\nlistens \\\n  now\n~~~\n"
	ran, faults := s.play(context.Background(), parsed(t, serve+serve))
	if ran != 2 || len(faults) > 0 {
		t.Errorf("ran %d commands: %v", ran, faults)
	}
	if c, err := net.Dial("tcp", s.address); err == nil {
		c.Close()
		t.Error("a server still listens")
	}
}

// program is a stand-in for churn that has one command, with a subcommand, and
// one setting.
const program = `#!/bin/sh
case "$*" in
"--json config show") echo '[{"key":"score.top_k"}]' ;;
"--help") printf '\nCOMMANDS:\n   registry  x\n   help, h  y\n\nOPTIONS:\n   --set key=value  z\n' ;;
"registry --help") printf 'NAME\n\nCOMMANDS:\n   gc  x\n' ;;
"registry gc --help") printf 'OPTIONS:\n   --dry-run  x\n' ;;
esac
`

// A block that needs a server has one, once.
func TestPlayServed(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	churn := "#!/bin/sh\nif test \"$1\" = healthcheck; then exit 0; fi\necho started >>starts\n" + listenName + "=1 exec " + self + "\n"
	if err := errors.Join(os.Mkdir(filepath.Join(dir, "bin"), 0o755), os.WriteFile(filepath.Join(dir, "bin", "churn"), []byte(churn), 0o755)); err != nil {
		t.Fatal(err)
	}
	s, err := newShell(dir)
	if err != nil {
		t.Fatal(err)
	}
	const served = "<!-- docs-test: served -->\n~~~console\n$ cat starts\nstarted\n~~~\n"
	if ran, faults := s.play(context.Background(), parsed(t, served+served)); ran != 2 || len(faults) > 0 {
		t.Errorf("ran %d commands: %v", ran, faults)
	}
}

func TestNames(t *testing.T) {
	root := t.TempDir()
	file := filepath.Join(root, "churn")
	if err := errors.Join(os.WriteFile(file, []byte(program), 0o755), os.WriteFile(filepath.Join(root, "Makefile"), []byte("run: build\nbuild:\n"), 0o644),
		os.WriteFile(filepath.Join(root, "p.md"), []byte("# Top\n## Read it, *twice*\n"), 0o644)); err != nil {
		t.Fatal(err)
	}
	n, err := newNames(context.Background(), file, root)
	if err != nil {
		t.Fatal(err)
	}
	right := "`churn registry gc --dry-run` `churn --set a=b registry gc` `churn COMMAND --help` `make run` `score.top_k` `score` `score.json` `a.b` [x](Makefile#a) [y](https://a.b/c) [z](#top) [u](p.md#read-it-twice)\n"
	if faults := n.check(context.Background(), parsed(t, right)); len(faults) > 0 {
		t.Errorf("right names: %v", faults)
	}
	for _, wrong := range []string{
		"`churn registri`", "`churn registry go`", "`./bin/churn registry gc --dry`", "`churn registry --dry-run`", "`make runs`", "`score.top_n`", "`score.top_k.x`", "`--set score.top=1`", "[x](none.md)", "[x](p.md#read)", "[x](#none)",
	} {
		if faults := n.check(context.Background(), parsed(t, wrong+"\n")); len(faults) != 1 {
			t.Errorf("%s: %v, want one fault", wrong, faults)
		}
	}
}
