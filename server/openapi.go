package server

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"html/template"
	"net/http"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/labstack/echo/v4"
)

// operation describes a route.
type operation struct {
	key     string // method and path, as of the route
	summary string
	query   []parameter
	request any // a value of its type; nil = no body
	answer  any // of status 200
	also    int // another status with the same answer, or 0
	binary  bool
}

// parameter is one of a query.
type parameter struct {
	name, doc string
	schema    object
}

// operations describes every route that is not a page, in the order of the
// page /docs.
func operations() []operation {
	reasons := []parameter{{"reasons", "How many reasons to give; 0 is the fastest.", object{"type": "integer", "minimum": 0, "maximum": MaxReasons, "default": MaxReasons}}}
	text := func(name, doc string) parameter { return parameter{name, doc, object{"type": "string"}} }
	choice := func(name, doc string, values ...string) parameter {
		return parameter{name, doc, object{"type": "string", "enum": append(values, "")}}
	}
	list := []parameter{
		{"limit", "Users of a page.", object{"type": "integer", "minimum": 1, "maximum": MaxUsers}}, choice("tier", "All if empty.", "low", "medium", "high"), text("plan", ""), text("country", ""), text("marketing_source", ""),
		text("search", "Beginning of the user id."), choice("sort", "By falling risk if empty; last_activity: longest silent first.", "risk", "user_id", "last_activity"), text("cursor", "next_cursor of the page before."),
	}
	all := []operation{
		{key: "POST /predict", summary: "The risk of one row of features", query: reasons, request: PredictRequest{}, answer: Prediction{}},
		{key: "POST /predict/batch", summary: "The risks of many rows, each answered on its own", query: reasons, request: BatchRequest{}, answer: BatchAnswer{}},
		{key: "POST /predict/events", summary: "The risk of a user, from raw events", query: reasons, request: EventsRequest{}, answer: EventsPrediction{}},
		{key: "GET /users", summary: "Users of the latest scored snapshot, by risk", query: list, answer: UsersAnswer{}},
		{key: "GET /users/:id", summary: "The latest score of a user, with its reasons", answer: UserAnswer{}},
		{key: "GET /users/:id/dossier", summary: "Why a user is at risk beside peers, what was done when, and how the risk came to be", answer: DossierAnswer{}},
		{key: "GET /snapshots", summary: "What the answers about users come from, and the snapshots kept", answer: SnapshotsAnswer{}},
		{key: "GET /model", summary: "The model in use, and what it reads", answer: ModelAnswer{}},
		{key: "POST /admin/reload", summary: "Look for another model in the registry now", answer: ModelAnswer{}},
		{key: "POST /admin/rollback", summary: "Put an earlier model back into production", request: RollbackRequest{}, answer: RollbackAnswer{}},
		{key: "GET /live", summary: "Whether the process answers", answer: Liveness{}},
		{key: "GET /ready", summary: "Whether predictions are answered", answer: Readiness{}},
		{key: "GET /health", summary: "How the service does; always 200", answer: Health{}},
		{key: "GET /metrics", summary: "Metrics for Prometheus", answer: ""},
		{key: "GET /openapi.json", summary: "This description", answer: object{}},
		{key: "GET /v2", summary: "Open Inference Protocol: the server", answer: V2Server{}},
		{key: "GET /v2/health/live", summary: "Open Inference Protocol: whether the process answers", answer: V2Flag{}},
		{key: "GET /v2/health/ready", summary: "Open Inference Protocol: whether predictions are answered", answer: V2Flag{}, also: http.StatusServiceUnavailable},
	}
	for _, path := range []string{"/v2/models/:model", "/v2/models/:model/versions/:version"} {
		all = append(all,
			operation{key: "GET " + path, summary: "Open Inference Protocol: what the model reads and answers", answer: V2Model{}},
			operation{key: "GET " + path + "/ready", summary: "Open Inference Protocol: whether the model answers", answer: V2Flag{}, also: http.StatusServiceUnavailable},
			operation{key: "POST " + path + "/infer", summary: "Open Inference Protocol: the risks of tensors", request: V2Request{}, answer: V2Answer{}, binary: true})
	}
	return all
}

// docRoutes serve the description.
func (s *Server) docRoutes() []route {
	return []route{
		{method: http.MethodGet, path: "/openapi.json", handle: s.openAPI},
		{method: http.MethodGet, path: "/docs", handle: s.docs, page: true},
		{method: http.MethodGet, path: "/docs/style.css", handle: docsStyle, page: true},
	}
}

func (s *Server) openAPI(c echo.Context) error {
	text, err := json.Marshal(s.description())
	if err != nil {
		panic("server: " + err.Error()) // plain data always encodes
	}
	return s.send(c, text)
}

// description returns the OpenAPI 3.1 document of the routes as they are now:
// with the inputs of the model in use.
func (s *Server) description() object {
	g := &schemas{named: object{}, strict: s.params.Strict}
	if in, err := s.current(); err == nil {
		g.model = in
	}
	paths := object{}
	for _, o := range operations() {
		method, path, _ := strings.Cut(o.key, " ")
		r, ok := s.find(method, path)
		if !ok {
			continue // /metrics can have an address of its own
		}
		path = pathTemplate(path)
		if paths[path] == nil {
			paths[path] = object{}
		}
		paths[path].(object)[strings.ToLower(method)] = s.operation(g, o, r)
	}
	return object{
		"openapi":           "3.1.0",
		"jsonSchemaDialect": "https://json-schema.org/draft/2020-12/schema",
		"info": object{"title": "churn", "version": orDev(s.options.Version),
			"description": "Who is about to leave, and why. Errors are problem documents (RFC 9457), those of the Open Inference Protocol as it says."},
		"paths": paths,
		"components": object{"schemas": g.named, "securitySchemes": object{
			"bearer": object{"type": "http", "scheme": "bearer"}, "key": object{"type": "apiKey", "in": "header", "name": "X-API-Key"}}},
	}
}

func orDev(version string) string {
	if version == "" {
		return "dev"
	}
	return version
}

// find returns a route.
func (s *Server) find(method, path string) (route, bool) {
	all := s.routes()
	i := slices.IndexFunc(all, func(r route) bool { return r.method == method && r.path == path })
	if i < 0 {
		return route{}, false
	}
	return all[i], true
}

// pathTemplate writes a path with its parameters in braces.
func pathTemplate(path string) string {
	parts := strings.Split(path, "/")
	for i, p := range parts {
		if name, ok := strings.CutPrefix(p, ":"); ok {
			parts[i] = "{" + name + "}"
		}
	}
	return strings.Join(parts, "/")
}

func (s *Server) operation(g *schemas, o operation, r route) object {
	out := object{"summary": o.summary, "operationId": operationID(o.key), "responses": responses(g, o, r), "parameters": g.parameters(o)}
	if o.request != nil {
		content := object{"application/json": object{"schema": g.of(reflect.TypeOf(o.request))}}
		out["requestBody"] = object{"required": true, "content": content}
	}
	if r.scope != Public {
		out["description"] = "With keys in force: one of the scope " + string(r.scope) + "."
		security := []object{{"bearer": []string{}}, {"key": []string{}}}
		if len(s.keys.inForce()) == 0 && r.scope != ScopeAdmin {
			security = append(security, object{})
		}
		out["security"] = security
	}
	return out
}

// operationID names an operation, such as post-predict-batch.
func operationID(key string) string {
	return strings.Trim(strings.ToLower(strings.NewReplacer(" /", "-", "/", "-", ":", "", ".", "-").Replace(key)), "-")
}

// parameters lists those of the path and of the query.
func (g *schemas) parameters(o operation) []object {
	out := []object{}
	_, path, _ := strings.Cut(o.key, " ")
	for part := range strings.SplitSeq(path, "/") {
		if name, ok := strings.CutPrefix(part, ":"); ok {
			schema := object{"type": "string", "minLength": 1}
			switch {
			case name == "model":
				schema["examples"] = []string{modelName}
			case name == "version" && g.model != nil:
				schema["examples"] = []string{g.model.info.Version}
			}
			out = append(out, object{"name": name, "in": "path", "required": true, "schema": schema})
		}
	}
	for _, p := range o.query {
		out = append(out, object{"name": p.name, "in": "query", "description": p.doc, "schema": p.schema})
	}
	return out
}

// responses lists what a route answers: its answer, and problems.
func responses(g *schemas, o operation, r route) object {
	problem := object{"application/problem+json": object{"schema": g.of(reflect.TypeFor[Problem]())}}
	if strings.HasPrefix(r.path, "/v2") {
		problem["application/json"] = object{"schema": g.of(reflect.TypeFor[V2Error]())}
	}
	out := object{"200": success(g, o), "default": object{"description": "See the table of problems.", "content": problem}}
	if o.also != 0 {
		out[strconv.Itoa(o.also)] = object{"description": http.StatusText(o.also), "content": object{"application/json": object{"schema": g.of(reflect.TypeOf(o.answer))}, "application/problem+json": problem["application/problem+json"]}}
	}
	for k, row := range kinds() {
		if expects(Kind(k), o, r) && out[strconv.Itoa(row.status)] == nil {
			out[strconv.Itoa(row.status)] = object{"description": row.title, "content": problem}
		}
	}
	return out
}

// success describes the answer of status 200.
func success(g *schemas, o operation) object {
	schema := g.of(reflect.TypeOf(o.answer))
	content := object{"application/json": object{"schema": schema}}
	if o.binary {
		content[echo.MIMEOctetStream] = object{"schema": object{}}
	}
	if _, isText := o.answer.(string); isText {
		content = object{"text/plain": object{"schema": schema}}
	}
	return object{"description": "OK", "content": content}
}

// expects reports whether a route can answer with a kind of problem.
func expects(k Kind, o operation, r route) bool {
	switch k {
	case Malformed, Internal:
		return true
	case Unauthorised, Forbidden:
		return r.scope != Public
	case NotFound:
		return strings.Contains(r.path, ":")
	case Slow, TooLarge, MediaType:
		return o.request != nil
	case Invalid:
		return o.request != nil || r.query != nil || o.query != nil
	case Gone:
		return r.path == "/users"
	case Conflict:
		return r.path == "/admin/rollback"
	case TooMany:
		return !r.probe
	case Unavailable:
		return r.scope != Public || r.probe
	}
	return false
}

//go:embed docs.html
var docsPage string

//go:embed docs.css
var docsCSS []byte

// docs answers with the description as a page: readable without a network and
// without scripts.
func (s *Server) docs(c echo.Context) error {
	page, err := template.New("docs").Parse(docsPage)
	if err != nil {
		panic("server: " + err.Error()) // it is embedded
	}
	var out bytes.Buffer
	if err := page.Execute(&out, s.docsView()); err != nil {
		return err
	}
	return c.HTMLBlob(http.StatusOK, out.Bytes())
}

func docsStyle(c echo.Context) error {
	return c.Blob(http.StatusOK, "text/css; charset=utf-8", docsCSS)
}

// docsView is what the page shows.
type docsView struct {
	Icon       string // address
	Operations []docsOperation
	Schemas    []docsSchema
	Problems   []docsProblem
	Numeric    []Input
	Text       []Input
}

type docsOperation struct {
	Method, Path, ID, Summary, Scope, Request, Answer string
	Query                                             []docsField
}

type docsSchema struct {
	Name   string
	Fields []docsField
}

type docsField struct {
	Name, Type, Doc string
	Required        bool
}

type docsProblem struct {
	Name, Title string
	Status      int
}

// docsView reads the page's content off the description.
func (s *Server) docsView() docsView {
	v := docsView{Icon: s.pages.icon}
	description := s.description()
	for _, o := range operations() {
		method, path, _ := strings.Cut(o.key, " ")
		if r, ok := s.find(method, path); ok {
			d := docsOperation{Method: method, Path: pathTemplate(path), ID: operationID(o.key), Summary: o.summary, Scope: string(r.scope), Answer: typeName(o.answer), Request: typeName(o.request)}
			for _, p := range o.query {
				d.Query = append(d.Query, docsField{Name: p.name, Doc: p.doc, Type: typeText(p.schema)})
			}
			v.Operations = append(v.Operations, d)
		}
	}
	named := description["components"].(object)["schemas"].(object)
	for _, name := range sortedKeys(named) {
		v.Schemas = append(v.Schemas, docsSchema{name, docsFields(named[name].(object))})
	}
	for _, row := range kinds() {
		v.Problems = append(v.Problems, docsProblem{row.name, row.title, row.status})
	}
	if in, err := s.current(); err == nil {
		v.Numeric, v.Text = in.numeric, in.categorical
	}
	return v
}

func typeName(x any) string {
	if x == nil || reflect.TypeOf(x).Kind() != reflect.Struct {
		return ""
	}
	return reflect.TypeOf(x).Name()
}

func docsFields(schema object) (out []docsField) {
	required, _ := schema["required"].([]string)
	properties := schema["properties"].(object)
	for _, name := range sortedKeys(properties) {
		p := properties[name].(object)
		doc, _ := p["description"].(string)
		out = append(out, docsField{Name: name, Type: typeText(p), Doc: doc, Required: slices.Contains(required, name)})
	}
	return out
}

// typeText says a schema in a few words.
func typeText(p object) string {
	switch t := p["type"].(type) {
	case string:
		if items, ok := p["items"].(object); ok {
			return "list of " + typeText(items)
		}
		return t
	case []string:
		return strings.Join(t, " or ")
	}
	if ref, ok := p["$ref"].(string); ok {
		return ref[strings.LastIndex(ref, "/")+1:]
	}
	if either, ok := p["anyOf"].([]object); ok {
		return typeText(either[0]) + " or null"
	}
	return "any"
}
