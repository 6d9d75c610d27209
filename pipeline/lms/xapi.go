package lms

import (
	"bytes"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// xapiStatement is an xAPI statement (1.0 or 2.0), as far as it is read.
type xapiStatement struct {
	ID        string         `json:"id"`
	Actor     xapiActor      `json:"actor"`
	Verb      xapiThing      `json:"verb"`
	Object    xapiObject     `json:"object"`
	Result    xapiResult     `json:"result"`
	Context   xapiContext    `json:"context"`
	Timestamp string         `json:"timestamp"`
	Stored    string         `json:"stored"`
	Inner     jsontext.Value `json:"statements"` // of a result of a query
}

type xapiThing struct {
	ID string `json:"id"`
}

type xapiActor struct {
	Type    string `json:"objectType"`
	Mbox    string `json:"mbox"`
	Sum     string `json:"mbox_sha1sum"`
	OpenID  string `json:"openid"`
	Account struct {
		HomePage string         `json:"homePage"`
		Name     jsontext.Value `json:"name"`
	} `json:"account"`
}

type xapiObject struct {
	ID         string `json:"id"`
	Type       string `json:"objectType"`
	Definition struct {
		Type string `json:"type"`
	} `json:"definition"`
}

type xapiResult struct {
	Score struct {
		Scaled jsontext.Value `json:"scaled"`
		Raw    jsontext.Value `json:"raw"`
		Min    jsontext.Value `json:"min"`
		Max    jsontext.Value `json:"max"`
	} `json:"score"`
	Duration   string                    `json:"duration"`
	Extensions map[string]jsontext.Value `json:"extensions"`
}

type xapiContext struct {
	Registration string                    `json:"registration"`
	Activities   map[string]jsontext.Value `json:"contextActivities"` // lists of objects; before 1.0.1 single ones
	Extensions   map[string]jsontext.Value `json:"extensions"`
}

// verb is the meaning of a verb, whatever its IRI.
type verb uint8

const (
	vVisit verb = iota
	vLogin
	vEnrol
	vPlayed
	vVideo   // paused, seeked, terminated: tells which parts were played
	vWatched // with a duration
	vCompleted
	vPassed
	vFailed
	vScored
	vSubmitted
	vSatisfied // said by the LMS once all parts are passed
	vEvaluated // an attempt, where there is a score
	vTicket
	vVoided
	vNothing
)

// xapiVerbs is the alias table: the IRIs of each verb, without the scheme and a
// slash at the end. Vocabularies: ADL, TinCan registry, Activity Streams, the
// video profile, cmi5, TLA, and what plugins of Moodle send.
func xapiVerbs() map[string]verb {
	out := map[string]verb{}
	adl, tin, stream, video, adl2 := "adlnet.gov/expapi/verbs/", "id.tincanapi.com/verb/", "activitystrea.ms/schema/1.0/", "w3id.org/xapi/video/verbs/", "w3id.org/xapi/adl/verbs/"
	add := func(v verb, prefix string, names ...string) {
		for _, n := range names {
			out[prefix+n] = v
		}
	}
	add(vVisit, adl, "initialized", "launched", "experienced", "interacted", "attempted", "answered", "progressed", "resumed", "suspended", "asked", "attended", "commented", "responded", "shared", "preferred", "exited", "terminated", "imported")
	add(vVisit, tin, "viewed", "previewed", "read", "bookmarked", "downloaded", "replied", "rated", "reviewed", "selected", "skipped", "used", "opened", "focused", "unfocused", "defined", "discarded", "enabled", "mentored")
	add(vVisit, stream, "access", "open", "consume", "experience", "read", "listen", "search", "share", "like", "create", "update", "author", "start", "use", "view", "interact")
	add(vVisit, video, "initialized", "interacted")
	add(vVisit, adl2, "bookmarked")
	add(vVisit, "w3id.org/xapi/dod-isd/verbs/", "accessed", "navigated", "opened", "read", "deleted")
	add(vVisit, "w3id.org/xapi/netc/verbs/", "accessed", "initialized", "uploaded")
	add(vVisit, "w3id.org/xapi/acrossx/verbs/", "posted", "edited", "reported", "searched", "liked")
	add(vVisit, "w3id.org/xapi/openedx/verb/", "voted", "unreported")
	add(vVisit, "brindlewaye.com/xAPITerms/verbs/", "walkedin")
	add(vLogin, adl2, "logged-in")
	add(vLogin, adl, "logged-in")
	add(vLogin, "brindlewaye.com/xAPITerms/verbs/", "loggedin")
	add(vLogin, stream, "login")
	add(vLogin, "", "w3id.org/xapi/netc/verbs/logged-in")
	add(vEnrol, adl, "registered")
	add(vEnrol, "", "www.tincanapi.co.uk/verbs/enrolled_onto_learning_plan", "activitystrea.ms/schema/1.0/join", "w3id.org/xapi/tla/verbs/registered", "w3id.org/xapi/tla/verbs/enrolled")
	add(vPlayed, "", video+"played", stream+"play")
	add(vVideo, video, "paused", "seeked")
	add(vVideo, tin, "paused")
	add(vWatched, "", stream+"watch", tin+"watched")
	add(vCompleted, "", adl+"completed", stream+"complete", tin+"completed")
	add(vPassed, "", adl+"passed", adl+"mastered")
	add(vSatisfied, adl2, "satisfied")
	add(vEvaluated, "w3id.org/xapi/acrossx/verbs/", "evaluated") // Open edX's answered problems
	add(vFailed, adl, "failed")
	add(vScored, adl, "scored")
	add(vSubmitted, "", stream+"submit", tin+"submitted", "adlnet.gov/expapi/verbs/submitted")
	add(vTicket, "", stream+"request", tin+"requested-attention")
	add(vVoided, adl, "voided")
	add(vNothing, adl2, "logged-out", "abandoned", "waived")
	add(vNothing, tin, "earned", "unregistered", "cancelled", "expired", "reassigned", "was-at", "tweeted")
	add(vNothing, "", "brindlewaye.com/xAPITerms/verbs/loggedout", stream+"receive", stream+"leave", stream+"delete", "activitystrea.ms/logout", "www.tincanapi.co.uk/verbs/evaluated", "id.openbadges.org/earned", "specification.openbadges.org/xapi/verbs/earned")
	return out
}

// normalIRI makes the spellings of one IRI equal.
func normalIRI(iri string) string {
	iri = strings.TrimPrefix(strings.TrimPrefix(iri, "https://"), "http://")
	return strings.TrimSuffix(iri, "/")
}

// The extensions of the video profile.
const (
	extSegments = "https://w3id.org/xapi/video/extensions/played-segments"
	extLength   = "https://w3id.org/xapi/video/extensions/length"
	extSession  = "https://w3id.org/xapi/video/extensions/session-id"
)

// xapi decodes statements.
type xapi struct {
	verbs   map[string]verb
	aliases map[string]kind
	homes   []string
}

func newXAPI(j *job) lineDecoder {
	return &xapi{verbs: xapiVerbs(), aliases: j.params.aliases(normalIRI), homes: j.params.HomePages}
}

// line reads a statement, a list of them, or the result of a query.
func (d *xapi) line(line []byte, s *sink) {
	if bytes.HasPrefix(bytes.TrimSpace(line), []byte{'['}) {
		d.list(line, s)
		return
	}
	var st xapiStatement
	err := unmarshal(line, &st)
	switch {
	case err != nil:
		s.malformed(line, err)
	case len(st.Inner) > 0:
		d.list(st.Inner, s)
	default:
		d.statement(&st, line, s)
	}
}

func (d *xapi) list(text []byte, s *sink) {
	var all []jsontext.Value
	if err := unmarshal(text, &all); err != nil {
		s.malformed(text, err)
		return
	}
	for _, v := range all {
		var st xapiStatement
		if err := unmarshal(v, &st); err != nil {
			s.malformed(v, err)
			continue
		}
		d.statement(&st, v, s)
	}
}

func (d *xapi) statement(st *xapiStatement, line []byte, s *sink) {
	iri := normalIRI(st.Verb.ID)
	alias, aliased := d.aliases[iri]
	v, known := d.verbs[iri]
	switch {
	case aliased && alias == numKinds:
		s.drop(dropAlias)
		return
	case iri == "":
		s.fault("verb.id", st.Verb.ID, "is missing")
		return
	case !aliased && !known:
		s.unknown(st.Verb.ID)
		return
	case !aliased && v == vVoided:
		s.void(strings.ToLower(st.Object.ID))
		return
	case !aliased && v == vNothing:
		s.drop(dropNotActive)
		return
	}
	happened := st.Timestamp
	if happened == "" {
		happened = st.Stored
	}
	at, stored, ok := s.when("timestamp", happened, "stored", st.Stored)
	if !ok {
		return
	}
	user, why := d.userOf(&st.Actor, s)
	if why != "" {
		s.drop(why)
		return
	}
	if st.ID = strings.ToLower(st.ID); st.ID == "" { // a UUID, in either case
		st.ID = digestID(line)
	}
	k := alias
	if !aliased {
		k = st.kindOf(v)
	}
	f := s.fact(k, st.ID, user, at, stored)
	f.course = st.course()
	if st.fill(&f, v, s) {
		s.take(st.Verb.ID, f)
	}
}

// void notes that a statement was taken back.
func (s *sink) void(id string) {
	if s.tally.voided == nil {
		s.tally.voided = map[string]bool{}
	}
	s.tally.voided[id] = true
	s.drop("voids another statement")
}

// maxHomes is how many home pages are kept: two are one too many.
const maxHomes = 5

// home notes a home page of accounts.
func (s *sink) home(page string) {
	if len(s.tally.homes) < maxHomes {
		if s.tally.homes == nil {
			s.tally.homes = map[string]bool{}
		}
		s.tally.homes[page] = true
	}
}

// oneHome fails where accounts of several systems came without a word on which of
// them are meant.
func (j *job) oneHome() error {
	if len(j.tally.homes) < 2 || len(j.params.HomePages) > 0 {
		return nil
	}
	pages := slices.Sorted(maps.Keys(j.tally.homes))
	return fmt.Errorf("actors have accounts of several home pages (%s): the same name may be two people; name those to read with --set import.home_pages=%s, all of them if names are unique over all", strings.Join(pages, ", "), pages[0])
}

// userOf returns the id of an actor, or why there is none. The names of two
// account systems could be those of different people, so that only those of the
// listed ones are read.
func (d *xapi) userOf(a *xapiActor, s *sink) (user, why string) {
	switch name := text(a.Account.Name); {
	case a.Type == "Group":
		return "", "the actor is a group"
	case name != "" && len(d.homes) > 0 && !slices.Contains(d.homes, a.Account.HomePage):
		return "", "account of a home page that import.home_pages does not list"
	case name != "":
		s.home(a.Account.HomePage)
		return name, ""
	case a.Mbox != "":
		return strings.TrimPrefix(a.Mbox, "mailto:"), ""
	case a.Sum != "":
		return a.Sum, ""
	}
	return a.OpenID, ""
}

// The last words of the types of activities.
func (o *xapiObject) word() string {
	t := strings.TrimSuffix(o.Definition.Type, "/")
	return strings.ToLower(t[strings.LastIndexAny(t, "/#")+1:])
}

func (o *xapiObject) isCourse() bool {
	return slices.Contains([]string{"course", "courseoffering", "course-offering", "program", "curriculum", "learning-plan"}, o.word())
}

func (o *xapiObject) isVideo() bool {
	return slices.Contains([]string{"video", "audio", "media"}, o.word())
}

// kindOf returns what a verb says of its object.
func (st *xapiStatement) kindOf(v verb) kind {
	o := &st.Object
	scored := !math.IsNaN(st.score())
	switch {
	case v == vPlayed || v == vVideo || o.isVideo() && (v == vCompleted || st.Result.Extensions[extSegments] != nil):
		return segments
	case v == vWatched:
		return watched
	case v == vLogin:
		return login
	case v == vEnrol:
		return enrol
	case v == vTicket:
		return ticket
	case o.isCourse() && (v == vCompleted || v == vPassed || v == vSatisfied):
		return complete
	case o.isCourse():
		return visit
	case v == vPassed || v == vFailed || v == vScored || v == vEvaluated && scored || v == vCompleted && (scored || isQuiz(o.word())) || v == vSubmitted && isQuiz(o.word()):
		return quiz
	}
	return visit
}

// isQuiz reports whether a type of activity is a test.
func isQuiz(word string) bool {
	return slices.Contains([]string{"assessment", "quiz", "test", "exam", "assignment"}, word)
}

// score returns the score as a share of 1, NaN without one.
func (st *xapiStatement) score() float64 {
	sc := &st.Result.Score
	if v := real(sc.Scaled); !math.IsNaN(v) {
		return v
	}
	least := real(sc.Min)
	if math.IsNaN(least) {
		least = 0
	}
	if most := real(sc.Max); most > least {
		return (real(sc.Raw) - least) / (most - least)
	}
	return math.NaN()
}

// course returns the course that a statement belongs to: its object, or one of its
// context.
func (st *xapiStatement) course() string {
	if st.Object.isCourse() {
		return st.Object.ID
	}
	for _, relation := range []string{"parent", "grouping"} {
		v := st.Context.Activities[relation]
		if isObject(v) {
			v = slices.Concat(jsontext.Value("["), v, jsontext.Value("]"))
		}
		var all []xapiObject
		if len(v) == 0 || unmarshal(v, &all) != nil {
			continue
		}
		for i := range all {
			if all[i].isCourse() {
				return all[i].ID
			}
		}
	}
	return ""
}

// fill adds what facts of a kind have beside who, when and where. It reports
// whether they make sense.
func (st *xapiStatement) fill(f *fact, v verb, s *sink) bool {
	if f.length = real(st.Context.Extensions[extLength]); math.IsNaN(f.length) {
		f.length = real(st.Result.Extensions[extLength])
	}
	switch f.kind {
	case quiz:
		f.value = s.percent(st.score(), 1)
		if v == vFailed {
			v = vPassed // one attempt has one verdict
		}
		f.key, f.text = st.Object.ID+" "+st.Context.Registration, strconv.Itoa(int(v))
	case segments:
		session := text(st.Context.Extensions[extSession])
		if session == "" {
			session = st.Context.Registration
		}
		f.key, f.text = st.Object.ID+" "+session, text(st.Result.Extensions[extSegments])
		if _, ok := parseSegments(f.text, f.length); !ok {
			s.fault("result.extensions.played-segments", f.text, "is not a list of parts such as 0[.]12.5[,]20[.]30")
			return false
		}
	case watched:
		f.value = minutes(parseSpan(st.Result.Duration))
	}
	return true
}
