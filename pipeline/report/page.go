package report

import "html/template"

// page is what the template shows.
type page struct {
	Title    string
	Style    template.CSS
	Head     head
	Sections []section
}

// section is a part of the page: what it says, drawings, tables.
type section struct {
	ID, Title string
	Lead      string
	Figures   []figure
	Tables    []table
	Notes     []string
}

// figure is a drawing with its legend, and with its numbers as a table.
type figure struct {
	Title   string // what to see
	Reading string // how to read it
	Legend  []key
	SVG     template.HTML
	Numbers table
}

// key is an entry of a legend.
type key struct{ Name, Ink, Style string }

// table has the names of its rows in the first column.
type table struct {
	Caption string
	Head    []string
	Rows    [][]string
	Words   bool // cells are sentences rather than numbers
}

// draws makes a figure of a chart; what it shows is also its text alternative.
func draws(title, reading string, c chart, numbers table) figure {
	c.alt = title + ". " + reading
	f := figure{Title: title, Reading: reading, SVG: c.svg(), Numbers: numbers}
	for _, s := range c.series {
		if s.name != "" {
			f.Legend = append(f.Legend, key{s.name, s.ink.String(), s.style.String()})
		}
	}
	return f
}
