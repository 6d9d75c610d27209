package monitor

import (
	"cmp"
	"slices"
	"time"

	"churn/pipeline"
)

// Answer is one risk that a server gave.
type Answer struct {
	Time    time.Time
	User    string
	AsOf    pipeline.Date // of the features
	Version string
	Margin  float64
	Risk    float64
}

// Answers makes lists of what servers answered one by one: of each period of so
// many days and each version one, with the last answer of every user. Rows of a
// list are of different users then, as those of churn score are.
type Answers struct {
	Every  int    // days of a period
	Source string // where they stand

	of map[period]map[string]Answer
}

// period is one of a fixed calendar, so that the lists stay what they are when
// days are added.
type period struct {
	number  int
	version string
}

// Add takes an answer. Of two for the same period and user the one with the later
// as-of date counts, and of the same date the later one.
func (a *Answers) Add(x Answer) {
	if a.of == nil {
		a.of = map[period]map[string]Answer{}
	}
	at := period{int(x.AsOf) / a.Every, x.Version}
	if a.of[at] == nil {
		a.of[at] = map[string]Answer{}
	}
	before, there := a.of[at][x.User]
	if !there || cmp.Or(cmp.Compare(before.AsOf, x.AsOf), before.Time.Compare(x.Time)) <= 0 {
		a.of[at][x.User] = x
	}
}

// Lists returns the lists by period and version, ranked by margin.
func (a *Answers) Lists() (out []Predictions) {
	var all []period
	for at := range a.of {
		all = append(all, at)
	}
	slices.SortFunc(all, func(a, b period) int {
		return cmp.Or(cmp.Compare(a.number, b.number), cmp.Compare(a.version, b.version))
	})
	for _, at := range all {
		p := Predictions{Version: at.version, Source: a.Source, AsOf: pipeline.NoDate}
		for _, x := range sortedAnswers(a.of[at]) {
			rank := int32(p.Rows() + 1)
			if n := p.Rows(); n > 0 && a.of[at][p.Users[n-1]].Margin == x.Margin {
				rank = p.Ranks[n-1]
			}
			p.add(x.User, x.Risk, rank)
			p.Days, p.AsOf = append(p.Days, x.AsOf), max(p.AsOf, x.AsOf)
		}
		out = append(out, p)
	}
	return out
}

// sortedAnswers returns answers by falling margin, then by user.
func sortedAnswers(of map[string]Answer) []Answer {
	out := make([]Answer, 0, len(of))
	for _, x := range of {
		out = append(out, x)
	}
	slices.SortFunc(out, func(a, b Answer) int { return cmp.Or(cmp.Compare(b.Margin, a.Margin), cmp.Compare(a.User, b.User)) })
	return out
}
