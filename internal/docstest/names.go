package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
)

// names knows what a text may name: commands and flags of the program, settings,
// targets of the Makefile, files.
type names struct {
	program  string // churn
	root     string // of the repository
	settings []string
	targets  []string
	help     sync.Map // of a command, by its words: each is asked for once
	word     *regexp.Regexp
	setting  *regexp.Regexp
	flag     *regexp.Regexp
	heading  *regexp.Regexp
	unnamed  *regexp.Regexp // characters that the name of a heading lacks
}

func newNames(ctx context.Context, program, root string) (*names, error) {
	n := &names{program: program, root: root,
		word:    regexp.MustCompile(`^[a-z][a-z0-9-]*$`),
		setting: regexp.MustCompile(`^[a-z]+(\.[a-z0-9_]+)+$`),
		flag:    regexp.MustCompile(`^--?[a-z][a-z-]*`),
		heading: regexp.MustCompile(`(?m)^#+ +(.*?) *$`),
		unnamed: regexp.MustCompile(`[^\p{L}\p{N}_-]`),
	}
	out, err := exec.CommandContext(ctx, program, "--json", "config", "show").Output()
	if err != nil {
		return nil, fmt.Errorf("config show: %w", err)
	}
	var settings []struct{ Key string }
	if err := json.Unmarshal(out, &settings); err != nil {
		return nil, fmt.Errorf("config show: %w", err)
	}
	for _, s := range settings {
		n.settings = append(n.settings, s.Key)
	}
	makefile, err := os.ReadFile(filepath.Join(root, "Makefile"))
	if err != nil {
		return nil, err
	}
	for _, m := range regexp.MustCompile(`(?m)^([a-z][a-z0-9-]*):`).FindAllSubmatch(makefile, -1) {
		n.targets = append(n.targets, string(m[1]))
	}
	return n, nil
}

// check returns the names of a page that there are not.
func (n *names) check(ctx context.Context, p page) (faults []fault) {
	for _, s := range p.spans {
		if wrong := n.wrong(ctx, s.text); wrong != "" {
			faults = append(faults, fault{p.path, s.line, wrong})
		}
	}
	for _, l := range p.links {
		if wrong := n.wrongLink(p.path, l.text); wrong != "" {
			faults = append(faults, fault{p.path, l.line, wrong})
		}
	}
	return faults
}

// wrongLink looks for the file that a relative link leads to, and for the heading
// if it is a page.
func (n *names) wrongLink(page, link string) string {
	if strings.Contains(link, "://") || strings.HasPrefix(link, "mailto:") {
		return ""
	}
	path, anchor, _ := strings.Cut(link, "#")
	file := filepath.Join(n.root, page)
	if path != "" {
		file = filepath.Join(n.root, filepath.Dir(page), path)
	}
	if _, err := os.Stat(file); err != nil {
		return fmt.Sprintf("the link %s leads nowhere", link)
	}
	if anchor == "" || filepath.Ext(file) != ".md" {
		return ""
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return err.Error()
	}
	if !slices.Contains(n.anchors(string(text)), anchor) {
		return fmt.Sprintf("the link %s leads to no heading", link)
	}
	return ""
}

// anchors returns the names that GitHub gives the headings of a page.
func (n *names) anchors(text string) (out []string) {
	for _, m := range n.heading.FindAllStringSubmatch(text, -1) {
		name := strings.ReplaceAll(strings.ToLower(m[1]), " ", "-")
		out = append(out, n.unnamed.ReplaceAllString(name, ""))
	}
	return out
}

func (n *names) wrong(ctx context.Context, text string) string {
	if rest, ok := strings.CutPrefix(strings.TrimPrefix(text, "./bin/"), "churn "); ok {
		return n.wrongCommand(ctx, strings.Fields(rest))
	}
	if rest, ok := strings.CutPrefix(text, "make "); ok {
		for _, target := range strings.Fields(rest) {
			if n.word.MatchString(target) && !slices.Contains(n.targets, target) {
				return fmt.Sprintf("the Makefile has no target %s", target)
			}
		}
		return ""
	}
	return n.wrongSetting(text)
}

// wrongSetting looks at what begins as a section of the settings does.
func (n *names) wrongSetting(text string) string {
	key, _, _ := strings.Cut(strings.TrimPrefix(text, "--set "), "=")
	section, _, _ := strings.Cut(key, ".")
	isSection := slices.ContainsFunc(n.settings, func(s string) bool { return strings.HasPrefix(s, section+".") })
	if !n.setting.MatchString(key) || !isSection || hasFileEnding(key) {
		return ""
	}
	if slices.ContainsFunc(n.settings, func(s string) bool { return s == key || strings.HasPrefix(s, key+".") }) {
		return ""
	}
	return fmt.Sprintf("there is no setting %s", key)
}

func hasFileEnding(name string) bool {
	return slices.Contains([]string{".json", ".csv", ".html", ".yaml", ".md", ".bin", ".prom", ".parquet"}, filepath.Ext(name))
}

// wrongCommand follows the words of a command line as far as they are commands,
// and looks for its flags in their help.
func (n *names) wrongCommand(ctx context.Context, words []string) string {
	var path []string
	for i := 0; i < len(words); i++ {
		help, flag := n.helpOf(ctx, path), n.flag.FindString(words[i])
		commands := n.commandsOf(help)
		switch {
		case flag != "" && !regexp.MustCompile(regexp.QuoteMeta(flag)+`[ ,]`).MatchString(help):
			return fmt.Sprintf("churn %s has no flag %s", strings.Join(path, " "), flag)
		case flag != "":
			if len(path) == 0 && flag != "--json" && !strings.Contains(words[i], "=") {
				i++ // its value
			}
		case slices.Contains(commands, words[i]):
			path = append(path, words[i])
		case n.word.MatchString(words[i]) && len(commands) > 0:
			return fmt.Sprintf("churn %s has no command %q", strings.Join(path, " "), words[i])
		case len(path) == 0:
			return "" // COMMAND, …: it stands for any
		}
	}
	return ""
}

func (n *names) helpOf(ctx context.Context, path []string) string {
	key := strings.Join(path, " ")
	if help, ok := n.help.Load(key); ok {
		return help.(string) //nolint:forcetypeassert // only strings are stored
	}
	out, err := exec.CommandContext(ctx, n.program, append(slices.Clone(path), "--help")...).Output()
	if err != nil {
		return ""
	}
	n.help.Store(key, string(out))
	return string(out)
}

// commandsOf returns the commands that a help text lists.
func (n *names) commandsOf(help string) (out []string) {
	_, list, found := strings.Cut(help, "\nCOMMANDS:\n")
	for line := range strings.Lines(list) {
		if !found || !strings.HasPrefix(line, "   ") {
			break
		}
		if words := strings.Fields(line); len(words) > 0 {
			out = append(out, strings.TrimSuffix(words[0], ","))
		}
	}
	return out
}
