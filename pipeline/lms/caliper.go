package lms

import (
	"cmp"
	"slices"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// caliperEnvelope is what a sensor sends: events, and entities that they mention.
type caliperEnvelope struct {
	SendTime string           `json:"sendTime"`
	Version  string           `json:"dataVersion"`
	Data     []jsontext.Value `json:"data"`
}

// caliperEvent is an event of IMS Caliper 1.1 and 1.2, or an entity, as far as
// they are read. An entity inside it is an object, or its IRI alone.
type caliperEvent struct {
	ID         string         `json:"id"`
	Type       string         `json:"type"`
	OldType    jsontext.Value `json:"@type"` // of Caliper 1.0
	Actor      jsontext.Value `json:"actor"`
	Action     string         `json:"action"`
	Object     jsontext.Value `json:"object"`
	Target     jsontext.Value `json:"target"`
	Generated  jsontext.Value `json:"generated"`
	Group      jsontext.Value `json:"group"`
	Membership jsontext.Value `json:"membership"`
	Session    jsontext.Value `json:"session"`
	EventTime  string         `json:"eventTime"`
	// Of an entity of the type Membership.
	Member       jsontext.Value `json:"member"`
	Organization jsontext.Value `json:"organization"`
	Roles        jsontext.Value `json:"roles"`
	Created      string         `json:"dateCreated"`

	sent string // by the envelope
	text []byte
}

// caliperEntity is an entity inside an event.
type caliperEntity struct {
	ID       string         `json:"id"`
	Type     string         `json:"type"`
	Duration string         `json:"duration"`
	Current  string         `json:"currentTime"`
	Assignee jsontext.Value `json:"assignee"`
	Part     jsontext.Value `json:"subOrganizationOf"`
	Roles    jsontext.Value `json:"roles"`
	Given    jsontext.Value `json:"scoreGiven"`
	Most     jsontext.Value `json:"maxScore"`
	Attempt  jsontext.Value `json:"attempt"`
}

// entity reads an entity or an IRI; anything else is the empty entity. So is one
// that is anonymous, which has the IRI of its type.
func entity(v jsontext.Value) (e caliperEntity) {
	if !isObject(v) {
		e.ID = text(v)
	} else if unmarshal(v, &e) != nil {
		return caliperEntity{}
	}
	if strings.HasPrefix(e.ID, "http://purl.imsglobal.org/") {
		e.ID = ""
	}
	return e
}

// caliper decodes envelopes.
type caliper struct {
	names // by Type.Action, or by Type alone
}

const membership = "Membership"

func newCaliper(j *job) lineDecoder {
	dropped := map[string]string{}
	for _, name := range []string{"SessionEvent.LoggedOut", "SessionEvent.TimedOut", "ResourceManagementEvent", "SurveyInvitationEvent"} {
		dropped[name] = dropNotActive
	}
	return &caliper{names{caliperKinds(), dropped}.with(j.params.aliases(asWritten))}
}

// caliperKinds lists the events that are known.
func caliperKinds() map[string]kind {
	return map[string]kind{
		"SessionEvent.LoggedIn":     login,
		"MediaEvent.Started":        play,
		"MediaEvent.Resumed":        play,
		"MediaEvent.Restarted":      play,
		"MediaEvent.Paused":         halt,
		"MediaEvent.Ended":          halt,
		"MediaEvent.JumpedTo":       jump,
		"MediaEvent.ForwardedTo":    jump,
		"MediaEvent":                visit,
		"AssessmentEvent.Submitted": quiz,
		"AssessmentEvent.Completed": quiz, // of some platforms
		"AssessmentEvent":           visit,
		"AssignableEvent.Submitted": quiz,
		"AssignableEvent":           visit,
		"GradeEvent.Graded":         score,
		"NavigationEvent":           visit,
		"ViewEvent":                 visit,
		"AssessmentItemEvent":       visit,
		"AnnotationEvent":           visit,
		"ForumEvent":                visit,
		"ThreadEvent":               visit,
		"MessageEvent":              visit,
		"FeedbackEvent":             visit,
		"QuestionnaireEvent":        visit,
		"QuestionnaireItemEvent":    visit,
		"SurveyEvent":               visit,
		"SearchEvent":               visit,
		"ReadingEvent":              visit,
		"ToolUseEvent":              visit,
		"ToolLaunchEvent":           visit,
		membership:                  enrol,
	}
}

// line reads an envelope, or a single event.
func (d *caliper) line(line []byte, s *sink) {
	var e caliperEnvelope
	if err := unmarshal(line, &e); err != nil {
		s.malformed(line, err)
		return
	}
	if e.Data == nil {
		d.event(line, "", s)
		return
	}
	for _, v := range e.Data {
		if e.Version != "" && !strings.HasSuffix(e.Version, "/v1p1") && !strings.HasSuffix(e.Version, "/v1p2") {
			s.drop("dataVersion " + e.Version + ": 1.1 and 1.2 are read")
			continue
		}
		d.event(v, e.SendTime, s)
	}
}

// nameOf returns by which name an event is known, the more exact one first.
func (d *caliper) nameOf(e *caliperEvent) (name string, k kind, ok bool) {
	exact := e.Type + "." + e.Action
	for _, name = range []string{exact, e.Type} {
		if k, ok = d.known[name]; ok {
			return exact, k, true
		}
	}
	return exact, 0, false
}

func (d *caliper) event(v []byte, sent string, s *sink) {
	var e caliperEvent
	if err := unmarshal(v, &e); err != nil {
		s.malformed(v, err)
		return
	}
	e.sent, e.text = sent, v
	name, k, ok := d.nameOf(&e)
	object := entity(e.Object)
	switch {
	case e.Type == "" && len(e.OldType) > 0:
		s.drop("an event of Caliper 1.0: 1.1 and 1.2 are read")
	case e.Type == membership:
		d.membership(&e, s)
	case e.Type != "" && e.Action == "" && !strings.HasSuffix(e.Type, "Event"):
		s.drop("an entity, no event")
	case d.dropped[name]+d.dropped[e.Type] != "":
		s.drop(cmp.Or(d.dropped[name], d.dropped[e.Type]))
	case e.Type == "Event" && e.Action == "Completed" && isSection(object.Type):
		d.fact(&e, &object, name, complete, s)
	case !ok:
		s.unknown(name)
	default:
		d.fact(&e, &object, name, k, s)
	}
}

func isSection(kind string) bool { return kind == "CourseSection" || kind == "CourseOffering" }

// learners reports whether roles are those of a learner; nothing said is.
func learners(roles jsontext.Value) bool {
	if len(roles) == 0 || string(roles) == "null" {
		return true
	}
	var all []string
	if unmarshal(roles, &all) != nil {
		all = []string{text(roles)}
	}
	return len(all) == 0 || slices.ContainsFunc(all, func(r string) bool { return strings.HasPrefix(r[strings.LastIndexByte(r, '#')+1:], "Learner") })
}

// membership takes the entity by which a platform tells of an enrolment.
func (d *caliper) membership(e *caliperEvent, s *sink) {
	if !learners(e.Roles) {
		s.drop("not a learner's role")
		return
	}
	if e.Created == "" {
		s.drop("membership without dateCreated")
		return
	}
	at, known, ok := s.when("dateCreated", e.Created, "sendTime", e.sent)
	if !ok {
		return
	}
	f := s.fact(enrol, "membership-"+e.idOrDigest(), entity(e.Member).ID, at, known)
	f.course = sectionOf(e.Organization)
	s.take(membership, f)
}

// idOrDigest returns the id of an event, or one made of its text.
func (e *caliperEvent) idOrDigest() string {
	if e.ID != "" {
		return e.ID
	}
	return digestID(e.text)
}

// sectionOf returns the course of a group, which may be a part of it.
func sectionOf(v jsontext.Value) string {
	e := entity(v)
	for range 4 { // a group of a group
		if e.Type != "Group" || len(e.Part) == 0 {
			break
		}
		e = entity(e.Part)
	}
	return e.ID
}

func (d *caliper) fact(e *caliperEvent, object *caliperEntity, name string, k kind, s *sink) {
	at, known, ok := s.when("eventTime", e.EventTime, "sendTime", e.sent)
	if !ok {
		return
	}
	actor := entity(e.Actor)
	user := actor.ID
	switch {
	case k == score: // somebody, or something, grades somebody else's attempt
		attempt := entity(entity(e.Generated).Attempt)
		user = cmp.Or(entity(object.Assignee).ID, entity(attempt.Assignee).ID)
	case actor.Type != "" && actor.Type != "Person":
		s.drop("the actor is no person")
		return
	case !learners(entity(e.Membership).Roles):
		s.drop("not a learner's role")
		return
	}
	f := s.fact(k, e.idOrDigest(), user, at, known)
	if f.course = sectionOf(e.Group); k == complete {
		f.course = object.ID
	}
	e.fill(&f, object, s)
	s.take(name, f)
}

// fill adds what facts of a kind have beside who, when and where.
func (e *caliperEvent) fill(f *fact, object *caliperEntity, s *sink) {
	generated := entity(e.Generated)
	switch f.kind {
	case play, halt, jump:
		f.key = object.ID + " " + entity(e.Session).ID
		f.length = parseSpan(object.Duration)
		f.position = parseSpan(entity(e.Target).Current)
	case quiz:
		switch {
		case generated.ID != "":
			f.key = generated.ID
		case object.Type == "Attempt": // of Canvas, which hands in one again and again
			f.key, f.text = object.ID, e.Type
		default:
			f.key = object.ID + " " + f.id
		}
	case score:
		if f.key = entity(generated.Attempt).ID; f.key == "" || object.Type == "Attempt" {
			f.key = object.ID
		}
		f.value = s.percent(real(generated.Given), real(generated.Most))
	}
}
