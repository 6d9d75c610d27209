package main

import (
	"fmt"
	"slices"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/parser"
)

// metrics is what expressions may ask for.
type metrics struct {
	exported map[string][]labels.Labels // by name
	recorded map[string]bool            // by rules
}

func newMetrics(all []labels.Labels, recorded []string) metrics {
	m := metrics{map[string][]labels.Labels{}, map[string]bool{}}
	for _, l := range all {
		name := l.Get(labels.MetricName)
		m.exported[name] = append(m.exported[name], l)
	}
	for _, name := range recorded {
		m.recorded[name] = true
	}
	return m
}

// targetLabels are those that a scrape adds.
func targetLabels() []string { return []string{"namespace", "instance", "job", "pod"} }

// check parses an expression, and asks that each selector selects something that
// the program exports. Only the label status is free: no server is in every state.
func (m metrics) check(expr string) (faults []string) {
	e, err := parser.ParseExpr(expr)
	if err != nil {
		return []string{fmt.Sprintf("%v in %s", err, expr)}
	}
	known := slices.Clone(targetLabels())
	free := false // labels of recorded series are not known here
	parser.Inspect(e, func(n parser.Node, _ []parser.Node) error {
		if v, ok := n.(*parser.VectorSelector); ok {
			names, found := m.selector(v)
			known, faults = append(known, names...), append(faults, found...)
			free = free || m.recorded[v.Name]
		}
		return nil
	})
	parser.Inspect(e, func(n parser.Node, _ []parser.Node) error {
		for _, name := range joined(n) {
			if !free && !slices.Contains(known, name) {
				faults = append(faults, fmt.Sprintf("no series of it has the label %s: %s", name, n))
			}
		}
		return nil
	})
	return faults
}

// joined returns the labels by which a node groups or matches.
func joined(n parser.Node) []string {
	switch n := n.(type) {
	case *parser.AggregateExpr:
		return n.Grouping
	case *parser.BinaryExpr:
		if n.VectorMatching != nil {
			return append(slices.Clone(n.VectorMatching.MatchingLabels), n.VectorMatching.Include...)
		}
	}
	return nil
}

// selector returns the labels of what a selector names, and what is wrong.
func (m metrics) selector(v *parser.VectorSelector) (names, faults []string) {
	if m.recorded[v.Name] {
		return nil, nil
	}
	all := m.exported[v.Name]
	if len(all) == 0 {
		return nil, []string{"nobody exports " + v.Name}
	}
	all[0].Range(func(l labels.Label) { names = append(names, l.Name) })
	for _, match := range v.LabelMatchers {
		if !slices.Contains(names, match.Name) && !slices.Contains(targetLabels(), match.Name) {
			return names, []string{fmt.Sprintf("%s has no label %s", v.Name, match.Name)}
		}
	}
	if !slices.ContainsFunc(all, func(l labels.Labels) bool { return selects(v.LabelMatchers, l) }) {
		faults = []string{fmt.Sprintf("selects nothing: %s", v)}
	}
	return names, faults
}

func selects(all []*labels.Matcher, l labels.Labels) bool {
	for _, m := range all {
		if m.Name == "status" && l.Get(labels.MetricName) == "churn_api_requests_total" || slices.Contains(targetLabels(), m.Name) {
			continue
		}
		if !m.Matches(l.Get(m.Name)) {
			return false
		}
	}
	return true
}
