package lms

import (
	"cmp"
	"math"
	"slices"
	"time"

	"churn/pipeline"
)

// Why facts have no row of their own.
const (
	foldVisit     = "part of a visit that has a row"
	foldRepeat    = "the same record again"
	foldVoided    = "voided"
	foldPreview   = "preview of a quiz"
	foldDeleted   = "the attempt is not in the table of attempts: deleted, as previews are"
	foldVerb      = "another record of the same attempt"
	foldScore     = "score that is in the row of its attempt"
	foldRegrade   = "later score of the same attempt"
	foldNoAttempt = "score or state of an attempt that is not in the events"
	foldHalt      = "end of a viewing that has a row"
	foldNoPlay    = "end of a viewing whose beginning is not in the events"
	foldResume    = "play within a viewing that has a row"
	foldJump      = "jump within a video"
	foldSegments  = "no new part of the video"
	foldDone      = "the course was completed before"
)

// row is one event of the contract.
type row struct {
	fact
	event string // event type
	until int64  // end of what was watched; 0 = at
}

// grouping are the rules by which the facts of one user become rows.
type grouping struct {
	gap, maxViewing int64 // microseconds
	location        *time.Location
	tableOfAttempts bool // attempts that it lacks were deleted
	voided          map[string]bool
}

// day returns the calendar day of a time.
func (g *grouping) day(at int64) pipeline.Date {
	return pipeline.DateOf(time.UnixMicro(at).In(g.location))
}

// person makes the rows of one user.
type person struct {
	*grouping
	folded   *counts
	rows     []row
	visits   []fact // signs of presence
	attempts map[string]*attempt
	handedIn map[string]*handIn
	viewings map[string]*viewing
	order    []string // keys of viewings as they began
	sessions map[string]*session
	watched  []string       // keys of sessions as they began
	done     map[string]int // row by course
}

// attempt is what is told of an attempt beside its hand-in.
type attempt struct {
	preview, handedIn bool
	score             *fact // the first that was known
}

// handIn is an attempt that has a row.
type handIn struct {
	row   int
	verbs []string
	at    int64
}

// viewing is a video that is playing.
type viewing struct {
	play    fact
	at      int64 // of the latest play
	from    float64
	seconds float64
	timed   bool // seconds say something
	known   int64
}

// session is a video that is played part by part.
type session struct {
	first  fact
	played []stretch
	total  float64
	rows   int
	opened bool // the first record has a row
}

// rowsOf returns the rows of one user, in order of time. Facts are sorted in
// place.
func (g *grouping) rowsOf(facts []fact, folded *counts) []row {
	p := &person{grouping: g, folded: folded, attempts: map[string]*attempt{}, handedIn: map[string]*handIn{}, viewings: map[string]*viewing{}, sessions: map[string]*session{}, done: map[string]int{}}
	slices.SortStableFunc(facts, func(a, b fact) int { return cmp.Or(cmp.Compare(a.at, b.at), cmp.Compare(a.known, b.known)) })
	facts = p.unique(facts)
	p.collectAttempts(facts)
	for i := range facts {
		p.add(&facts[i])
	}
	p.endViewings()
	p.endSessions()
	p.countScores(facts)
	p.addVisits()
	slices.SortStableFunc(p.rows, func(a, b row) int { return cmp.Compare(a.at, b.at) })
	return p.rows
}

func (p *person) fold(why string) { p.folded.add(why, 1) }

// unique leaves out what was voided, and what stands more than once.
func (p *person) unique(facts []fact) []fact {
	seen := make(map[string]bool, len(facts))
	return slices.DeleteFunc(facts, func(f fact) bool {
		if p.voided[f.id] {
			p.fold(foldVoided)
			return true
		}
		if seen[f.id] {
			p.fold(foldRepeat)
			return true
		}
		seen[f.id] = true
		return false
	})
}

// collectAttempts notes what is told of attempts, which may be before they are
// handed in.
func (p *person) collectAttempts(facts []fact) {
	for i := range facts {
		f := &facts[i]
		if f.key == "" || f.kind != score && f.kind != preview && f.kind != quiz {
			continue
		}
		a := p.attempts[f.key]
		if a == nil {
			a = &attempt{}
			p.attempts[f.key] = a
		}
		switch {
		case f.kind == preview:
			a.preview = true
		case f.kind == quiz:
			a.handedIn = true
		case a.score == nil || math.IsNaN(a.score.value) || !math.IsNaN(f.value) && f.known < a.score.known:
			a.score = f
		}
	}
}

func (p *person) countScores(facts []fact) {
	for i := range facts {
		f := &facts[i]
		if f.kind != score && f.kind != preview {
			continue
		}
		switch a := p.attempts[f.key]; {
		case a == nil || !a.handedIn:
			p.fold(foldNoAttempt)
		case f.kind == preview || a.preview:
			p.fold(foldPreview)
		case a.score == f:
			p.fold(foldScore)
		default:
			p.fold(foldRegrade)
		}
	}
}

func (p *person) add(f *fact) {
	switch f.kind {
	case visit:
		p.visits = append(p.visits, *f)
	case quiz:
		p.addQuiz(f)
	case play:
		p.addPlay(f)
	case halt:
		p.addHalt(f)
	case jump:
		p.addJump(f)
	case segments:
		p.addSegments(f)
	case complete:
		p.addComplete(f)
	case enrol:
		delete(p.done, f.course) // he takes it again
		p.append(f)
	case watched:
		f.value = min(f.value, minutes(p.longest(f)))
		p.append(f)
	case login, ticket, paid, unpaid:
		p.append(f)
	}
}

// append adds the row of a fact.
func (p *person) append(f *fact) int {
	p.rows = append(p.rows, row{fact: *f, event: f.kind.eventType()})
	return len(p.rows) - 1
}

// addComplete adds a row for the first completion of a course. What a table dates
// is known from the first record of it on.
func (p *person) addComplete(f *fact) {
	i, done := p.done[f.course]
	if !done {
		p.done[f.course] = p.append(f)
		return
	}
	p.fold(foldDone)
	if r := &p.rows[i]; r.text == onlyDated && f.text != onlyDated {
		r.known, r.text = max(r.known, f.known), ""
	}
}

// present notes that a fact without a row of its own, or with one that is known
// later, shows that the learner was there. Unless a row says as much, it gets one.
func (p *person) present(f *fact) {
	sign := *f
	sign.id += "-visit"
	p.visits = append(p.visits, sign)
}

// knownWith makes row i known no earlier than another record of it.
func (p *person) knownWith(i int, known int64) {
	r := &p.rows[i]
	if p.day(known) > p.day(r.known) {
		p.present(&r.fact)
	}
	r.known = max(r.known, known)
}

func (p *person) addQuiz(f *fact) {
	a, h := p.attempts[f.key], p.handedIn[f.key]
	switch {
	case a != nil && a.preview:
		p.fold(foldPreview)
		return
	case p.tableOfAttempts && (a == nil || a.score == nil):
		p.fold(foldDeleted)
		return
	}
	if h != nil && f.key != "" && (f.text == "" || f.at-h.at <= p.gap && !slices.Contains(h.verbs, f.text)) {
		p.fold(foldVerb)
		p.present(f)
		h.verbs, h.at = append(h.verbs, f.text), f.at
		if r := &p.rows[h.row]; math.IsNaN(r.value) && !math.IsNaN(f.value) {
			r.value = f.value
			p.knownWith(h.row, f.known)
		}
		return
	}
	i := p.append(f)
	p.handedIn[f.key] = &handIn{row: i, verbs: []string{f.text}, at: f.at}
	if h == nil && a != nil && a.score != nil && !math.IsNaN(a.score.value) {
		p.rows[i].value = a.score.value
		p.knownWith(i, a.score.known)
	}
}

// longest returns the longest viewing of the video of a fact, in seconds.
func (p *person) longest(f *fact) float64 {
	if f.length > 0 {
		return f.length
	}
	return float64(p.maxViewing) / 1e6
}

func (p *person) addPlay(f *fact) {
	v := p.viewings[f.key]
	if v != nil {
		gone := float64(f.at-v.at) / 1e6
		if gone <= p.longest(&v.play) { // a player that had to wait plays again
			v.advance(f, p.longest(&v.play))
			v.at, v.from = f.at, f.position
			p.present(f)
			p.fold(foldResume)
			return
		}
		if !math.IsNaN(f.position - v.from) { // he comes back to where he was
			v.advance(f, p.longest(&v.play))
		}
		p.endViewing(f.key)
	}
	p.viewings[f.key] = &viewing{play: *f, at: f.at, from: f.position, known: f.known}
	p.order = append(p.order, f.key)
}

// advance adds the time from the latest play to f: no more than passed on the
// clock, than the position moved, and than the video is long.
func (v *viewing) advance(f *fact, longest float64) {
	s := float64(f.at-v.at) / 1e6
	if moved := f.position - v.from; !math.IsNaN(moved) {
		s = min(s, max(moved, 0))
	}
	v.seconds = min(v.seconds+s, longest)
	v.timed = true
	v.known = max(v.known, f.known)
}

func (p *person) addHalt(f *fact) {
	p.present(f)
	v := p.viewings[f.key]
	if v == nil {
		p.fold(foldNoPlay)
		return
	}
	if math.IsNaN(v.play.length) {
		v.play.length = f.length
	}
	v.advance(f, p.longest(&v.play))
	v.at = f.at
	p.fold(foldHalt)
	p.endViewing(f.key)
}

// addJump lets a viewing go on elsewhere: it is known where to, not where from.
func (p *person) addJump(f *fact) {
	p.present(f)
	p.fold(foldJump)
	v := p.viewings[f.key]
	if v == nil {
		return
	}
	left := *f
	left.position = math.NaN()
	v.advance(&left, p.longest(&v.play))
	v.at, v.from = f.at, f.position
}

// endViewing adds the row of a viewing; without an end its time is not known.
func (p *person) endViewing(key string) {
	v := p.viewings[key]
	delete(p.viewings, key)
	i := p.append(&v.play)
	p.rows[i].until = v.at
	if v.timed {
		p.rows[i].value = minutes(v.seconds)
		p.knownWith(i, v.known)
	}
}

func (p *person) endViewings() {
	for _, key := range p.order {
		if p.viewings[key] != nil {
			p.endViewing(key)
		}
	}
}

// minutes returns seconds in minutes, to the 10,000th.
func minutes(seconds float64) float64 { return math.Round(seconds/60*1e4) / 1e4 }

// addSegments adds a row for what a statement adds to the parts of the video
// that were played before in its session.
func (p *person) addSegments(f *fact) {
	s := p.sessions[f.key]
	if s == nil {
		s = &session{first: *f}
		p.sessions[f.key] = s
		p.watched = append(p.watched, f.key)
	}
	parts, _ := parseSegments(f.text, f.length) // the decoder has tried
	merged, total := union(slices.Concat(s.played, parts))
	added := min(total, p.longest(f)) - s.total
	s.played = merged
	if added > 0 {
		s.rows++
		s.total += added
		s.opened = s.opened || f.id == s.first.id
		p.rows[p.append(f)].value = minutes(added)
		return
	}
	if f.id != s.first.id {
		p.present(f)
		p.fold(foldSegments)
	}
}

// endSessions adds a row without a time for a video of which nothing but the
// playing is told.
func (p *person) endSessions() {
	for _, key := range p.watched {
		s := p.sessions[key]
		switch {
		case s.rows == 0:
			p.append(&s.first)
		case !s.opened:
			p.present(&s.first)
			p.fold(foldSegments)
		}
	}
}

// presence reports whether an event shows that the learner was there: others
// can enrol him, grade him or charge him.
func presence(r *row) bool {
	switch r.kind {
	case login, quiz, play, segments, watched, ticket:
		return true
	}
	return false
}

// sign is a time of presence: of a row, or of a visit that may need one.
type sign struct {
	at, until, known int64
	visit            *fact // nil: it has a row
}

// addVisits adds a login for every visit of which no row tells: for the first sign
// of presence of a day, or after a silence. A row tells of a visit from the day on
// which it is known.
func (p *person) addVisits() {
	var last int64
	day, cover := pipeline.NoDate, int64(math.MaxInt64)
	for _, s := range p.signs() {
		if d := p.day(s.at); d != day || s.at-last > p.gap {
			day, cover, last = d, math.MaxInt64, s.at
		}
		last = max(last, s.at, s.until)
		switch {
		case s.visit == nil:
			cover = min(cover, s.known)
		case cover != math.MaxInt64 && p.day(cover) <= p.day(s.visit.known):
			if !synthetic(s.visit) {
				p.fold(foldVisit)
			}
		default:
			cover = min(cover, s.visit.known)
			f := *s.visit
			f.kind, f.value = login, math.NaN()
			p.append(&f)
		}
	}
}

// synthetic reports whether a sign of presence was made from a row, and is no
// record of its own.
func synthetic(f *fact) bool { return f.kind != visit }

func (p *person) signs() (out []sign) {
	for i := range p.rows {
		if r := &p.rows[i]; presence(r) {
			out = append(out, sign{at: r.at, until: r.until, known: r.known})
		}
	}
	for i := range p.visits {
		out = append(out, sign{at: p.visits[i].at, visit: &p.visits[i]})
	}
	slices.SortStableFunc(out, func(a, b sign) int { return cmp.Compare(a.at, b.at) }) // rows first
	return out
}
