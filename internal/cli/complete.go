package cli

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"churn/internal/config"
	"churn/pipeline/monitor/alarms"
	"churn/registry"
)

// The scripts of the shells ask the program itself what may come next, by a hidden command
// that is given the words so far. Package cli has hooks of the kind, but they know no values
// of flags, and its script for bash evaluates what was typed.

// choice is a flag with a few possible values.
type choice struct {
	*cli.StringFlag
	values []string
}

// candidate is what may come next, and what it is.
type candidate struct{ word, about string }

func completionCommand(s *session) *cli.Command {
	c := &cli.Command{
		Name:  "completion",
		Usage: "print the script by which a shell completes commands, flags and values",
		Subcommands: []*cli.Command{
			{Name: "words", Hidden: true, SkipFlagParsing: true, HideHelp: true, ArgsUsage: "WORD", Usage: "what may come next", Action: func(c *cli.Context) error {
				words := c.Args().Slice()
				if len(words) == 0 {
					return usageError{errors.New("completion words needs the words so far, the last one unfinished")}
				}
				return s.printCandidates(candidates(c.App, words))
			}},
		},
	}
	for _, shell := range []struct{ name, script string }{{"bash", bashScript}, {"zsh", zshScript}, {"fish", fishScript}} {
		c.Subcommands = append(c.Subcommands, &cli.Command{Name: shell.name, Usage: "print the script for " + shell.name, Action: func(*cli.Context) error {
			_, err := io.WriteString(s.stdout, shell.script)
			return err
		}})
	}
	return c
}

func (s *session) printCandidates(all []candidate) error {
	var b strings.Builder
	for _, c := range all {
		about, _, _ := strings.Cut(c.about, "\n")
		fmt.Fprintf(&b, "%s\t%s\n", c.word, about)
	}
	_, err := io.WriteString(s.stdout, b.String())
	return err
}

// candidates returns what may stand in the place of the last word; nothing where it is a
// file or only the user knows it.
func candidates(app *cli.App, words []string) []candidate {
	last := words[len(words)-1]
	at := &cli.Command{Subcommands: app.Commands, Flags: app.Flags}
	var waiting cli.Flag // a flag whose value comes next
	for _, word := range words[:len(words)-1] {
		switch name, isFlag := strings.CutPrefix(word, "-"); {
		case waiting != nil:
			waiting = nil
		case isFlag:
			waiting = awaits(at, strings.TrimPrefix(name, "-"))
		default:
			if next := named(at.Subcommands, word); next != nil {
				at = next
			}
		}
	}
	name, value, assigned := strings.Cut(last, "=")
	switch {
	case waiting != nil:
		return matching(valuesOf(waiting), "", last)
	case assigned && strings.HasPrefix(name, "--"):
		return matching(valuesOf(flagOf(at, name[2:])), name+"=", value)
	case strings.HasPrefix(last, "-"):
		return matching(flagsOf(at), "", last)
	case len(at.Subcommands) > 0:
		return matching(commandsOf(at.Subcommands), "", last)
	}
	return matching(argumentsOf(app, at), "", last)
}

// matching returns the candidates that go on as what was typed, after a prefix.
func matching(all []candidate, prefix, typed string) (out []candidate) {
	for _, c := range all {
		if strings.HasPrefix(c.word, typed) {
			out = append(out, candidate{prefix + c.word, c.about})
		}
	}
	return out
}

// awaits returns the flag of a word if its value is the next word.
func awaits(c *cli.Command, name string) cli.Flag {
	if f, ok := flagOf(c, name).(cli.DocGenerationFlag); ok && f.TakesValue() {
		return f
	}
	return nil
}

// flagOf returns a flag by its name, nil if there is none.
func flagOf(c *cli.Command, name string) cli.Flag {
	i := slices.IndexFunc(c.Flags, func(f cli.Flag) bool { return slices.Contains(f.Names(), name) })
	if i < 0 {
		return nil
	}
	return c.Flags[i]
}

func flagsOf(c *cli.Command) (out []candidate) {
	for _, f := range c.Flags {
		if doc, ok := f.(cli.DocGenerationFlag); ok {
			out = append(out, candidate{"--" + f.Names()[0], strings.ReplaceAll(doc.GetUsage(), "`", "")})
		}
	}
	if flagOf(c, "help") == nil { // package cli adds it when the command runs
		out = append(out, candidate{"--help", "show help"})
	}
	return out
}

func commandsOf(commands []*cli.Command) (out []candidate) {
	for _, c := range commands {
		if !c.Hidden {
			out = append(out, candidate{c.Name, c.Usage})
		}
	}
	return out
}

// valuesOf returns what a flag may be set to, as far as that is known.
func valuesOf(f cli.Flag) (out []candidate) {
	switch f := f.(type) {
	case *choice:
		return plain(f.values)
	case *cli.StringSliceFlag: // --set
		for _, key := range config.Keys() {
			out = append(out, candidate{key + "=", "a setting"})
		}
	}
	return out
}

func plain(words []string) (out []candidate) {
	for _, w := range words {
		out = append(out, candidate{word: w})
	}
	return out
}

// argumentsOf returns what a command may be given beside flags.
func argumentsOf(app *cli.App, c *cli.Command) []candidate {
	switch {
	case c.Name == "help":
		return commandsOf(app.Commands)
	case strings.Contains(c.ArgsUsage, "VERSION"):
		return plain(aliases())
	case c.Name == "silence" || c.Name == "unsilence":
		return plain(append(alarms.Names(), alarms.All))
	}
	return nil
}

// aliases are the names by which a version can be meant.
func aliases() []string { return []string{registry.Production, registry.Challenger, registry.Previous} }

// aliasFlag is a flag for a version, the model in production by default.
func aliasFlag(usage string) cli.Flag {
	return &choice{&cli.StringFlag{Name: "model", Value: registry.Production, Usage: usage}, aliases()}
}

const bashScript = `# bash completion for churn
_churn() {
  local IFS=$'\n' cur=${COMP_WORDS[COMP_CWORD]} line words=() i
  # bash takes --flag=value and key=value apart; put them together again.
  for ((i = 1; i <= COMP_CWORD; i++)); do
    if [[ ${#words[@]} -gt 0 && (${COMP_WORDS[i]} == "=" || ${COMP_WORDS[i-1]} == "=") ]]; then
      words[${#words[@]}-1]+=${COMP_WORDS[i]}
    else
      words+=("${COMP_WORDS[i]}")
    fi
  done
  local whole=${words[${#words[@]}-1]}
  [[ $cur == "=" ]] && cur=
  COMPREPLY=()
  while IFS= read -r line; do
    line=${line%%$'\t'*}
    COMPREPLY+=("${line:${#whole}-${#cur}}")
  done < <("${COMP_WORDS[0]}" completion words "${words[@]}" 2>/dev/null)
  [[ ${#COMPREPLY[@]} -eq 1 && ${COMPREPLY[0]} == *= ]] && compopt -o nospace
  return 0
}
complete -o bashdefault -o default -F _churn churn
`

const zshScript = `#compdef churn
# zsh completion for churn
_churn() {
  local -a all words_so_far
  local line word
  words_so_far=("${(@Q)words[2,CURRENT]}")
  for line in "${(@f)$("${words[1]}" completion words "${words_so_far[@]}" 2>/dev/null)}"; do
    [[ -z $line ]] && continue
    word=${line%%$'\t'*}
    all+=("${word//:/\\:}:${line#*$'\t'}")
  done
  if (( ${#all} == 0 )); then
    _files
  elif [[ ${#all} -eq 1 && $word == *= ]]; then
    compadd -S '' -- "$word"
  else
    _describe 'churn' all
  fi
}
if [[ $funcstack[1] == _churn ]]; then
  _churn
else
  compdef _churn churn
fi
`

const fishScript = `# fish completion for churn
function __churn_words
    set -l words (commandline -opc)
    set -e words[1]
    set -l all (churn completion words $words (commandline -ct) 2>/dev/null)
    if test (count $all) -eq 0
        __fish_complete_path (commandline -ct)
    else
        printf '%s\n' $all
    end
end
complete -c churn -f -a '(__churn_words)'
`
