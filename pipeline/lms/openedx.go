package lms

import (
	"bytes"
	"math"
	"strings"
	"time"

	"github.com/go-json-experiment/json/jsontext"
)

// edxRecord is a line of a tracking log, as far as it is read. What is of one type in
// one release and of another in the next is taken as it comes.
type edxRecord struct {
	Time     string         `json:"time"`
	Username jsontext.Value `json:"username"`
	Type     string         `json:"event_type"`
	Name     jsontext.Value `json:"name"`
	Source   string         `json:"event_source"` // server, browser, mobile
	Session  jsontext.Value `json:"session"`
	Event    jsontext.Value `json:"event"` // an object; from browsers a text that holds one
	Context  jsontext.Value `json:"context"`
}

// edxContext is the context of an event.
type edxContext struct {
	User     jsontext.Value `json:"user_id"`
	Course   jsontext.Value `json:"course_id"`
	Received jsontext.Value `json:"received_at"`
}

// edxPayload is what an event says, of all types that are read.
type edxPayload struct {
	ID       jsontext.Value `json:"id"` // of the video
	Current  jsontext.Value `json:"currentTime"`
	Snake    jsontext.Value `json:"current_time"` // of mobile applications
	Old      jsontext.Value `json:"old_time"`     // from where a learner sought
	Duration jsontext.Value `json:"duration"`
	Grade    jsontext.Value `json:"grade"`
	Most     jsontext.Value `json:"max_grade"`
	User     jsontext.Value `json:"user_id"` // who is enrolled, or has passed
	Course   jsontext.Value `json:"course_id"`
}

// openEdX decodes tracking logs.
type openEdX struct {
	names
	people   *people
	presence []string // beginnings of names
}

const (
	edxSeek     = "seek_video"
	edxSeekName = "edx.video.position.changed"
	edxCheck    = "problem_check"
	edxRequest  = "(page of a course)"
)

func newOpenEdX(j *job) lineDecoder {
	return &openEdX{names: names{edxKinds(), edxDropped()}.with(j.params.aliases(asWritten)), people: j.people, presence: edxPresence()}
}

// edxKinds lists the events that have a meaning of their own.
func edxKinds() map[string]kind {
	return map[string]kind{
		"play_video": play, "edx.video.played": play,
		"pause_video": halt, "edx.video.paused": halt, "stop_video": halt, "edx.video.stopped": halt, edxSeek: halt, edxSeekName: halt,
		edxCheck:                                          quiz,
		"edx.course.enrollment.activated":                 enrol,
		"edx.certificate.created":                         complete,
		"edx.course.grade.passed.first_time":              complete,
		"edx.course.completed":                            complete,
		"openedx.completion_aggregator.completion.course": complete,
		"edx.completion_aggregator.completion.course":     complete,
		"edx.user.login":                                  login,
		"page_close":                                      visit,
		"showanswer":                                      visit,
		"load_video":                                      visit,
		"show_transcript":                                 visit,
		"hide_transcript":                                 visit,
		"speed_change_video":                              visit,
		"video_show_cc_menu":                              visit,
		"video_hide_cc_menu":                              visit,
		"save_problem_success":                            visit,
		"reset_problem":                                   visit,
		"book":                                            visit,
	}
}

// edxPresence lists how the names of events begin that show no more than presence.
func edxPresence() []string {
	return []string{"seq_", "problem_", "textbook.", "edx.ui.lms.", "edx.forum.", "edx.bookmark.", "edx.video.", "edx.problem.", "edx.notes.", "edx.course.student_notes.", "edx.course.tool.",
		"edx.course.home.", "edx.drag_and_drop", "edx.done.", "edx.googlecomponent.", "edx.special_exam.", "edx.completion.", "edx.team.", "xblock.", "openassessment", "oppia.", "ubc."}
}

// edxDropped says why events are left out.
func edxDropped() map[string]string {
	return map[string]string{
		"problem_graded":                           "browser's copy of problem_check",
		"edx.grades.problem.submitted":             "problem_check says it, too",
		"edx.grades.problem.rescored":              dropNotActive,
		"edx.grades.problem.score_overridden":      dropNotActive,
		"edx.grades.problem.state_deleted":         dropNotActive,
		"edx.grades.course.grade_calculated":       dropNotActive,
		"edx.grades.subsection.grade_calculated":   dropNotActive,
		"edx.course.enrollment.deactivated":        dropNotActive,
		"edx.course.enrollment.mode_changed":       dropNotActive,
		"edx.course.enrollment.upgrade.succeeded":  dropNotActive,
		"edx.course.grade.now_passed":              dropNotActive,
		"edx.course.grade.now_failed":              dropNotActive,
		"edx.certificate.revoked":                  dropNotActive,
		"edx.certificate.shared":                   dropNotActive,
		"edx.certificate.evidence_visited":         dropNotActive,
		"edx.user.logout":                          dropNotActive,
		"edx.user.settings.changed":                dropNotActive,
		"edx.user.settings.viewed":                 dropNotActive,
		"edx.cohort.created":                       dropNotActive,
		"edx.cohort.user_added":                    dropNotActive,
		"edx.cohort.user_removed":                  dropNotActive,
		"edx.cohort.creation_requested":            dropNotActive,
		"edx.experiment.enrolled":                  dropNotActive,
		"edx.librarycontentblock.content.assigned": dropNotActive,
		"edx.librarycontentblock.content.removed":  dropNotActive,
	}
}

// told is who may say what, and when.
type told struct {
	name      string // of the record
	kind      kind
	id        string
	at, known time.Time
}

// kindOf returns what a record is by its type, or by its name where releases call
// the same event by different types.
func (d *openEdX) kindOf(r *edxRecord) (name string, k kind, ok bool) {
	names := []string{r.Type, text(r.Name)}
	for _, n := range names {
		if k, ok := d.known[n]; ok {
			return n, k, true
		}
	}
	if strings.HasPrefix(r.Type, "/") {
		return edxRequest, visit, true
	}
	for _, n := range names {
		for _, p := range d.presence {
			if strings.HasPrefix(n, p) {
				return n, visit, true
			}
		}
	}
	return r.Type, 0, false
}

// refuses says why a record is left out by its type, "" if it is not.
func (d *openEdX) refuses(r *edxRecord) string {
	why := d.dropped[r.Type]
	if why == "" {
		why = d.dropped[text(r.Name)]
	}
	switch {
	case why != "":
		return why
	case r.Source == "task": // regrading and the like, in the name of who ordered it
		return "event_source task: done by a program"
	case r.Type == edxCheck && r.Source == "browser":
		return "browser's copy of problem_check" // its payload is a form, without the grade
	case strings.HasPrefix(r.Type, "/") && !strings.HasPrefix(r.Type, "/courses/") && !strings.HasPrefix(r.Type, "/dashboard"):
		return "request for something else than a course"
	}
	return ""
}

func (d *openEdX) line(line []byte, s *sink) {
	if i := bytes.IndexByte(line, '{'); i > 0 { // syslog puts a prefix before
		line = line[i:]
	}
	var r edxRecord
	if err := unmarshal(line, &r); err != nil {
		s.malformed(line, err)
		return
	}
	if why := d.refuses(&r); why != "" {
		s.drop(why)
		return
	}
	name, k, ok := d.kindOf(&r)
	if !ok {
		s.unknown(name)
		return
	}
	var c edxContext
	if isObject(r.Context) {
		if err := unmarshal(r.Context, &c); err != nil {
			s.malformed(r.Context, err)
			return
		}
	}
	at, known, ok := s.when("time", r.Time, "context.received_at", text(c.Received))
	if !ok {
		return
	}
	d.fact(&r, &c, told{name, k, digestID(line), at, known}, s)
}

// payload reads what an event says, which browsers send as text.
func (r *edxRecord) payload() (p edxPayload, err error) {
	v := r.Event
	if len(v) > 0 && v.Kind() == '"' {
		v = jsontext.Value(text(v))
	}
	if len(bytes.TrimSpace(v)) == 0 || string(v) == "null" {
		return p, nil
	}
	return p, unmarshal(v, &p)
}

func (d *openEdX) fact(r *edxRecord, c *edxContext, t told, s *sink) {
	var p edxPayload
	if t.kind != visit && t.kind != login {
		var err error
		if p, err = r.payload(); err != nil {
			s.fault("event", string(r.Event), "is not an object of JSON, nor a text that holds one")
			return
		}
	}
	user := d.userOf(r, c, &p, t.kind)
	if user == "" && text(r.Username) != "" {
		s.drop("no context.user_id, and no users table that has the user name")
		return
	}
	f := s.fact(t.kind, t.id, user, t.at, t.known)
	f.course = text(c.Course)
	switch t.kind {
	case play, halt:
		p.video(&f, r, t.name)
		if f.key == "" {
			s.fault("event.id", string(r.Event), "names no video")
			return
		}
	case quiz:
		f.value = s.percent(real(p.Grade), real(p.Most))
	case enrol, complete:
		if course := text(p.Course); course != "" {
			f.course = course
		}
	}
	s.take(t.name, f)
}

// userOf returns whom a record is about: of enrolments and passed courses the user
// that the event names, since staff and programs cause them, too.
func (d *openEdX) userOf(r *edxRecord, c *edxContext, p *edxPayload, k kind) string {
	if user := text(p.User); (k == enrol || k == complete) && user != "" {
		return user
	}
	if user := text(c.User); user != "" {
		return user
	}
	return d.people.idOf(text(r.Username))
}

// video fills in where in which video a viewing begins or ends: the end of a
// viewing by seeking is where the learner came from.
func (p *edxPayload) video(f *fact, r *edxRecord, name string) {
	if id := text(p.ID); id != "" {
		f.key = id + " " + text(r.Session)
	}
	if f.position = real(p.Current); math.IsNaN(f.position) {
		f.position = real(p.Snake)
	}
	if name == edxSeek || name == edxSeekName {
		f.position = real(p.Old)
	}
	f.length = real(p.Duration)
}
