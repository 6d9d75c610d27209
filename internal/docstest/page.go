package main

import (
	"fmt"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// page is one Markdown file: its blocks of code, and what its text names.
type page struct {
	path     string
	afterRun bool // its folder begins with the results of `churn run-all`
	blocks   []block
	spans    []span // `code` within the text, and commands that are not run
	links    []span // what relative links lead to
}

// block is a fenced block of code.
type block struct {
	line int // of its fence
	lang string
	text []string
	mark mark
}

// span is a piece of text and its line.
type span struct {
	line int
	text string
}

// mark is a comment `<!-- docs-test: KIND ARGUMENT -->` before a block.
type mark struct {
	kind, argument string
	line           int
}

// The kinds of marks. Without one the commands of a block run and succeed.
const (
	markSkip   = "skip"   // REASON: the block is not run
	markExit   = "exit"   // CODE: its last command ends so
	markServe  = "serve"  // its last command runs until the next such block, or the end of the page
	markServed = "served" // a server is there: that of the page, or else `churn serve`
	markOutput = "output" // of COMMAND: the block is what COMMAND prints
	markAfter  = "after"  // run-all: of the page, anywhere in it
)

// step is one command to run.
type step struct {
	line    int
	command string
	want    []string // of its output, nil = whatever it says
	exit    int
	serve   bool
	served  bool
}

// fault is what is wrong with a line of a page.
type fault struct {
	path string
	line int
	text string
}

func (f fault) String() string { return fmt.Sprintf("%s:%d: %s", f.path, f.line, f.text) }

// patterns are those of Markdown and of what looks like a command.
type patterns struct{ mark, fence, span, link, command *regexp.Regexp }

func newPatterns() patterns {
	return patterns{
		mark:    regexp.MustCompile(`^\s*<!--\s*docs-test:\s*(\S+)\s*(.*?)\s*-->\s*$`),
		fence:   regexp.MustCompile("^(\\s*)```(\\S*)\\s*$"),
		span:    regexp.MustCompile("`([^`]+)`"),
		link:    regexp.MustCompile(`\]\(([^)\s]+)\)`),
		command: regexp.MustCompile(`^\s*(\$ |(\./bin/)?churn |make |curl |go (run|test|build) |kubectl |docker |buildah |export |crontab )`),
	}
}

// parser reads a page line by line.
type parser struct {
	patterns
	page   page
	faults []fault
	line   int
	mark   mark   // waits for its block
	open   *block // whose fence has not closed
	indent string // of its fence
	blank  bool   // the line before was empty
}

// parse reads a page. What cannot be run and is not marked is a fault.
func parse(path, text string) (page, []fault) {
	p := &parser{patterns: newPatterns(), page: page{path: path}}
	for line := range strings.Lines(text) {
		p.line++
		p.read(strings.TrimRight(line, "\r\n"))
	}
	if p.open != nil {
		p.fail(p.open.line, "the block does not end")
	}
	p.orphan()
	return p.page, p.faults
}

func (p *parser) fail(line int, format string, args ...any) {
	p.faults = append(p.faults, fault{p.page.path, line, fmt.Sprintf(format, args...)})
}

// orphan complains of a mark that no block follows.
func (p *parser) orphan() {
	if p.mark.kind != "" {
		p.fail(p.mark.line, "no block follows the mark %q", p.mark.kind)
	}
	p.mark = mark{}
}

func (p *parser) read(line string) {
	fence := p.fence.FindStringSubmatch(line)
	switch {
	case p.open != nil && fence != nil && fence[2] == "":
		p.close()
	case p.open != nil:
		p.open.text = append(p.open.text, strings.TrimPrefix(line, p.indent))
	case fence != nil:
		p.indent = fence[1]
		p.open = &block{line: p.line, lang: fence[2], mark: p.mark}
		p.mark = mark{}
	default:
		p.prose(line)
	}
	p.blank = strings.TrimSpace(line) == ""
}

// prose reads a line outside of blocks.
func (p *parser) prose(line string) {
	if m := p.patterns.mark.FindStringSubmatch(line); m != nil {
		p.orphan()
		p.take(mark{kind: m[1], argument: m[2], line: p.line})
		return
	}
	if strings.TrimSpace(line) == "" {
		return
	}
	p.orphan()
	if p.blank && strings.HasPrefix(line, "    ") && p.command.MatchString(line) {
		p.fail(p.line, "an indented command is not tested: put it between fences")
	}
	for _, m := range p.span.FindAllStringSubmatch(line, -1) {
		p.page.spans = append(p.page.spans, span{p.line, m[1]})
	}
	for _, m := range p.link.FindAllStringSubmatch(line, -1) {
		p.page.links = append(p.page.links, span{p.line, m[1]})
	}
}

// take keeps a mark for its block, if it makes sense.
func (p *parser) take(m mark) {
	switch {
	case m.kind == markAfter && m.argument == "run-all":
		p.page.afterRun = true
		return
	case m.kind == markSkip && len(m.argument) < 10:
		p.fail(m.line, "skip needs a reason")
	case m.kind == markOutput && !strings.HasPrefix(m.argument, "of "):
		p.fail(m.line, "write: output of COMMAND")
	case m.kind == markExit && !isNumber(m.argument):
		p.fail(m.line, "write: exit CODE")
	case !slices.Contains([]string{markSkip, markExit, markServe, markServed, markOutput}, m.kind):
		p.fail(m.line, "there is no mark %q: use skip REASON, exit CODE, serve, served, output of COMMAND, or after run-all", m.kind)
	}
	p.mark = m
}

func isNumber(s string) bool {
	_, err := strconv.Atoi(s)
	return err == nil
}

// close ends a block. One that has commands and will not be run is a fault.
func (p *parser) close() {
	b := *p.open
	p.open = nil
	p.page.blocks = append(p.page.blocks, b)
	if b.mark.kind == markSkip {
		p.named(b)
		return
	}
	if b.runs() || b.mark.kind == markOutput {
		return
	}
	if b.mark.kind != "" {
		p.fail(b.line, "the mark %q belongs before a block of sh or console", b.mark.kind)
	}
	if i := slices.IndexFunc(b.text, p.command.MatchString); i >= 0 {
		p.fail(b.line+1+i, "%q looks like a command: make the block sh or console, or mark it <!-- docs-test: skip REASON -->", strings.TrimSpace(b.text[i]))
	}
}

// named keeps the commands of a block that is not run, whose names at least can
// be looked at.
func (p *parser) named(b block) {
	for i, line := range b.text {
		if b.lang != "sh" && !strings.HasPrefix(line, "$ ") {
			continue // an output
		}
		command, _, _ := strings.Cut(strings.TrimPrefix(line, "$ "), " #")
		p.page.spans = append(p.page.spans, span{b.line + 1 + i, strings.TrimSpace(strings.TrimSuffix(command, "\\"))})
	}
}

func (b block) runs() bool { return b.lang == "sh" || b.lang == "console" }

// steps returns the commands of a block in their order.
func (b block) steps() []step {
	switch {
	case b.mark.kind == markSkip:
		return nil
	case b.mark.kind == markOutput:
		return []step{{line: b.line, command: strings.TrimPrefix(b.mark.argument, "of "), want: b.text}}
	case b.lang == "console":
		return b.ended(b.dialogue())
	case b.lang == "sh":
		return b.ended([]step{{line: b.line, command: strings.Join(b.text, "\n")}})
	}
	return nil
}

// dialogue reads `$ command` and the output below it. A command goes on after a
// backslash.
func (b block) dialogue() (out []step) {
	more := false
	for i, line := range b.text {
		command, isCommand := strings.CutPrefix(line, "$ ")
		switch {
		case more:
			out[len(out)-1].command += "\n" + line
		case isCommand:
			out = append(out, step{line: b.line + 1 + i, command: command})
		case len(out) > 0:
			last := &out[len(out)-1]
			last.want = append(last.want, line)
		}
		more = (more || isCommand) && strings.HasSuffix(line, "\\")
	}
	return out
}

// ended puts the mark of the block on its last command.
func (b block) ended(steps []step) []step {
	if len(steps) == 0 {
		return nil
	}
	last := &steps[len(steps)-1]
	switch b.mark.kind {
	case markExit:
		last.exit, _ = strconv.Atoi(b.mark.argument) // take has looked
	case markServe:
		last.serve = true
	case markServed:
		steps[0].served = true
	}
	return steps
}

// load reads a page from its file.
func load(path string) (page, []fault) {
	text, err := os.ReadFile(path)
	if err != nil {
		return page{path: path}, []fault{{path, 0, err.Error()}}
	}
	return parse(path, string(text))
}
