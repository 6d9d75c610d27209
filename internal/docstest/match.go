package main

import (
	"regexp"
	"strings"
)

// anything stands for what differs from run to run: within a line for any text,
// alone on a line for any lines.
const anything = "…"

// match returns "" if the output is what is wanted, else the first wanted line
// that is not there.
func match(want []string, output string) string {
	got := strings.Split(output, "\n")
	for i := range got {
		got[i] = strings.TrimRight(got[i], " \r")
	}
	got = trimEmpty(got)
	want = trimEmpty(want)
	furthest := 0
	if matchLines(want, got, 0, &furthest) {
		return ""
	}
	if furthest < len(want) {
		return want[furthest]
	}
	return "(the end of the output)"
}

// matchLines matches by backtracking: blocks have few gaps. furthest is the
// first wanted line that was never met.
func matchLines(want, got []string, at int, furthest *int) bool {
	*furthest = max(*furthest, at)
	if at == len(want) {
		return len(got) == 0
	}
	if strings.TrimSpace(want[at]) == anything {
		for skip := range len(got) + 1 {
			if matchLines(want, got[skip:], at+1, furthest) {
				return true
			}
		}
		return false
	}
	return len(got) > 0 && matchLine(want[at], got[0]) && matchLines(want, got[1:], at+1, furthest)
}

func matchLine(want, got string) bool {
	want = strings.TrimRight(want, " ")
	if !strings.Contains(want, anything) {
		return want == got
	}
	parts := strings.Split(want, anything)
	for i := range parts {
		parts[i] = regexp.QuoteMeta(parts[i])
	}
	return regexp.MustCompile("^" + strings.Join(parts, ".*") + "$").MatchString(got)
}

// trimEmpty cuts empty lines off both ends.
func trimEmpty(lines []string) []string {
	for len(lines) > 0 && strings.TrimSpace(lines[0]) == "" {
		lines = lines[1:]
	}
	for len(lines) > 0 && strings.TrimSpace(lines[len(lines)-1]) == "" {
		lines = lines[:len(lines)-1]
	}
	return lines
}
