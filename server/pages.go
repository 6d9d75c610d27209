package server

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"html/template"
	"math"
	"net/http"
	"net/url"
	"path"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"churn/internal/figures"
)

//go:embed pages
var pageFiles embed.FS

// The files of pages/. A page's template has the name of the page.
const (
	pageOverview = "overview"
	pageList     = "list"
	pageUser     = "user"
	pageModel    = "model"
	pageDrift    = "drift"
	pageProblem  = "problem"
)

// pageSet is the dashboard's templates and files.
type pageSet struct {
	templates map[string]*template.Template
	assets    map[string]asset // by the name in their address
	style     string           // addresses
	script    string
	icon      string
}

// asset is a file that pages load. Its digest is in its name, so that it can be
// kept for ever.
type asset struct {
	contentType string
	text        []byte
}

// newPageSet reads what is embedded, and panics where it is not sound.
func newPageSet() *pageSet {
	p := &pageSet{templates: map[string]*template.Template{}, assets: map[string]asset{}}
	base := template.Must(template.New("").Funcs(pageFuncs()).ParseFS(pageFiles, "pages/layout.html", "pages/parts.html"))
	for _, name := range []string{pageOverview, pageList, pageUser, pageModel, pageDrift, pageProblem} {
		p.templates[name] = template.Must(template.Must(base.Clone()).ParseFS(pageFiles, "pages/"+name+".html"))
	}
	p.style, p.script, p.icon = p.addAsset("churn.css", "text/css; charset=utf-8"), p.addAsset("churn.js", "text/javascript; charset=utf-8"), p.addAsset("churn.svg", "image/svg+xml")
	return p
}

func (p *pageSet) addAsset(name, contentType string) (address string) {
	text, err := pageFiles.ReadFile("pages/" + name)
	if err != nil {
		panic("server: " + err.Error()) // it is embedded
	}
	sum := sha256.Sum256(text)
	extension := path.Ext(name)
	name = strings.TrimSuffix(name, extension) + "-" + hex.EncodeToString(sum[:6]) + extension
	p.assets[name] = asset{contentType, text}
	return "/assets/" + name
}

// pageFuncs are what templates write numbers and dates with.
func pageFuncs() template.FuncMap {
	return template.FuncMap{
		"percent": figures.Percent, "percent1": figures.Percent1, "whole": figures.Whole, "money": figures.Money, "decimals": func(digits int, x float64) string { return figures.Decimals(digits)(x) },
		"signed": func(x float64) string { return figures.Signed(figures.Decimals(2))(x) }, "date": writtenDate, "moment": moment,
		"user": func(id string) string { return "/user?" + url.Values{"id": {id}}.Encode() }, "plural": plural, "silent": silent, "value": valueText, "width": share,
		"count": func(x float64) string { return figures.Whole(int(math.Round(x))) }, "less": func(n int) string { return figures.Whole(-n) }, "gain": func(x float64) string { return figures.Signed(figures.Money)(x) }, "kind": kindName, "plain": figures.Plain, "said": said,
		"feature": func(name string) string { return "/drift?" + url.Values{"feature": {name}}.Encode() + "#feature" },
	}
}

// writtenDate writes 2026-04-30 as 30 Apr 2026, which does not break.
func writtenDate(text string) string {
	d, err := time.Parse(time.DateOnly, text)
	if err != nil {
		return text
	}
	return d.Format("2\u00a0Jan\u00a02006")
}

// moment writes a time in UTC to the minute.
func moment(t time.Time) string {
	if t.IsZero() {
		return "unknown"
	}
	return t.UTC().Format("2\u00a0Jan\u00a02006, 15:04\u00a0UTC")
}

// plural writes a number with its word: 1 user, 2 users.
func plural(n int, word string) string {
	if n != 1 {
		word += "s"
	}
	return figures.Whole(n) + "\u00a0" + word
}

// silent says how many days before the as-of date somebody was active last.
func silent(days *float64) string {
	switch {
	case days == nil:
		return "never"
	case *days < 1:
		return "that day"
	}
	return plural(int(*days), "day") + "\u00a0ago"
}

// kindName puts the kind of a model into words.
func kindName(kind string) string {
	switch kind {
	case "logistic":
		return "logistic regression"
	case "gbdt":
		return "boosted trees"
	}
	return kind
}

// said marks what stands between backquotes as code.
func said(text string) template.HTML {
	var out strings.Builder
	for i, part := range strings.Split(text, "`") {
		part = template.HTMLEscapeString(part)
		if i%2 == 1 {
			part = "<code>" + part + "</code>"
		}
		out.WriteString(part)
	}
	return template.HTML(out.String())
}

// valueText writes the value of a feature, of which "" is none.
func valueText(text string) string {
	if text == "" {
		return "none"
	}
	return text
}

// pageRoutes are the dashboard.
func (s *Server) pageRoutes() []route {
	page := func(path string, handle echo.HandlerFunc) route {
		return route{method: http.MethodGet, path: path, scope: ScopeRead, handle: handle, page: true}
	}
	return []route{
		page("/", s.overviewPage), page("/at-risk", s.listPage), page("/at-risk.csv", s.exportUsers), page("/user", s.userPage), page("/model-card", s.modelPage),
		page("/model-card.md", s.cardText), page("/drift", s.driftPage),
		{method: http.MethodGet, path: "/assets/:name", handle: s.asset, page: true},
		{method: http.MethodPost, path: "/admin/rollback", scope: ScopeAdmin, handle: s.rollBack},
	}
}

// asset answers with a file of the pages. It holds nothing about anybody, so
// that it needs no key and may be kept anywhere.
func (s *Server) asset(c echo.Context) error {
	a, ok := s.pages.assets[c.Param("name")]
	if !ok {
		return Refuse(NotFound, "there is no such file; it belongs to another version of churn")
	}
	header := c.Response().Header()
	header.Set("Cache-Control", "public, max-age=31536000, immutable")
	return c.Blob(http.StatusOK, a.contentType, a.text)
}

// layout is what every page shows around its own content.
type layout struct {
	Title, Here   string
	Style, Script string // addresses
	Icon          string
	Version       string // of the model in use; "" = none
	AsOf          string // of the latest snapshot; "" = none
	Age           string // of its data
	Old           bool   // they are older than people would expect
	View          any
}

// nav lists the pages that every page leads to.
func (layout) Nav() []navItem {
	return []navItem{{"/", "Overview"}, {"/at-risk", "At risk"}, {"/model-card", "Model"}, {"/drift", "Drift"}}
}

type navItem struct{ Path, Name string }

// show answers with a page.
func (s *Server) show(c echo.Context, name, title string, view any) error {
	return s.showStatus(c, http.StatusOK, name, layout{Title: title, Here: here(c.Path()), View: view})
}

// here returns the page of the navigation that a page belongs to.
func here(path string) string {
	if path == "/user" {
		return "/at-risk"
	}
	return path
}

func (s *Server) showStatus(c echo.Context, status int, name string, l layout) error {
	l.Style, l.Script, l.Icon = s.pages.style, s.pages.script, s.pages.icon
	if status == http.StatusOK { // whoever was refused learns nothing
		l.Version = s.options.Models.Status().Version
		if snapshot, err := s.options.Users.Snapshot(c.Request().Context()); err == nil { // pages that need it say why not
			l.AsOf = snapshot.AsOf
			l.Age, l.Old = s.age(snapshot.AsOf)
		}
	}
	var out bytes.Buffer
	if err := s.pages.templates[name].ExecuteTemplate(&out, "layout", l); err != nil {
		return err
	}
	return c.HTMLBlob(status, out.Bytes())
}

// oldDays is the age from which data are called old: a week, and a day for the
// run that brings new ones.
const oldDays = 8

// age says how long ago a date was.
func (s *Server) age(date string) (text string, old bool) {
	d, err := time.Parse(time.DateOnly, date)
	if err != nil {
		return "", false
	}
	switch days := max(0, int(s.options.Now().UTC().Sub(d).Hours()/24)); days {
	case 0:
		return "today", false
	case 1:
		return "yesterday", false
	default:
		return plural(days, "day") + "\u00a0ago", days > oldDays
	}
}

// problemView is a problem as a page shows it.
type problemView struct {
	Problem
	RequestID string
}

// showProblem answers with a problem as a page.
func (s *Server) showProblem(c echo.Context, p Problem) error {
	return s.showStatus(c, p.Status, pageProblem, layout{Title: p.Title, View: problemView{p, RequestID(c)}})
}
