// Package pipeline is the vocabulary of churn: dates, users, events, the
// timeline of one user and the cut that separates what was known at an as-of
// date from what came after it. It imports nothing of ours; every stage below
// it speaks these words.
//
//	source → validate → prepare ⇒ timelines → Cut(asOf) ┬ History → features ┐
//	                                                     └ Future  → labels   ┴ dataset → train ⇒ registry
//
// Only Timeline.Cut makes a History or a Future. Features are computed from a
// History and labels from a Future, so a feature that looks ahead does not
// compile.
package pipeline
