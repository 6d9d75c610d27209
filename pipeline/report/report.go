// Package report makes the page that people look at before they trust a model:
// one HTML file with everything in it, for readers with and without colours, in
// the light and in the dark, on paper and on a phone.
//
// It only shows. Every number comes from the evaluation, the training and the
// backtest that it is given, and what speaks against the model stands on top.
package report

import (
	"bytes"
	_ "embed" // the template and the style sheet
	"fmt"
	"html/template"

	"churn/pipeline/backtest"
	"churn/pipeline/evaluate"
	"churn/pipeline/train"
)

//go:embed page.html
var pageHTML string

//go:embed page.css
var pageCSS string

// Input is what the page shows.
type Input struct {
	Evaluation evaluate.Evaluation
	Training   *train.Report    // how the model was made; nil = not known
	Backtest   *backtest.Report // nil = there is none
}

// Render returns the page. The same input gives the same bytes: the page names
// the dates of its data, not the time of its making.
func Render(in Input) ([]byte, error) {
	e := in.Evaluation
	return pageOf("Churn model "+e.Version, in.head(), in.keyFigures(), ranking(e), calibration(e), in.money(), importance(e), segments(e), overDates(e), in.backtest(), in.making()).render()
}

// pageOf puts a page together; sections that are nil are left out.
func pageOf(title string, h head, sections ...*section) page {
	p := page{Title: title, Style: template.CSS(pageCSS), Head: h}
	for _, s := range sections {
		if s != nil {
			p.Sections = append(p.Sections, *s)
		}
	}
	return p
}

func (p page) render() ([]byte, error) {
	t, err := template.New("page").Parse(pageHTML)
	if err != nil {
		return nil, fmt.Errorf("parse the template of the report: %w", err)
	}
	var b bytes.Buffer
	if err := t.Execute(&b, p); err != nil {
		return nil, fmt.Errorf("render %q: %w", p.Title, err)
	}
	return b.Bytes(), nil
}
