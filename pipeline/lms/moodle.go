package lms

import (
	"context"
	"fmt"
	"math"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"churn/internal/parallel"
	"churn/internal/table"
)

// The tables of Moodle that are read, without their prefix (mdl_).
const (
	logTable         = "logstore_standard_log"
	userTable        = "user"
	quizTable        = "quiz"
	attemptsTable    = "quiz_attempts"
	completionsTable = "course_completions"
	paymentsTable    = "payments"
)

// moodleTables lists the columns that each table must have.
func moodleTables() map[string][]string {
	return map[string][]string{
		logTable:         {"id", "eventname", "edulevel", "userid", "courseid", "relateduserid", "timecreated", "origin", "realuserid"},
		userTable:        {"id", "timecreated"},
		quizTable:        {"id", "sumgrades"},
		attemptsTable:    {"id", "quiz", "userid", "preview", "sumgrades", "timefinish", "timemodified"},
		completionsTable: {"id", "userid", "course", "timecompleted"},
		paymentsTable:    {"id", "userid", "amount", "timecreated"},
	}
}

// moodleFiles finds the files of each table: mdl_user.csv, user.parquet,
// mdl_logstore_standard_log.2026-01.csv.gz and the like.
func moodleFiles(paths []string) (map[string][]string, error) {
	all, err := expand(paths, ".csv", ".parquet")
	if err != nil {
		return nil, err
	}
	names := regexp.MustCompile(`^(?:[a-z0-9]+_)?(logstore_standard_log|user|quiz|quiz_attempts|course_completions|payments)(?:[.-].*|_[0-9].*)?\.(?:csv|parquet)$`)
	files := map[string][]string{}
	for _, path := range all {
		if m := names.FindStringSubmatch(strings.ToLower(plainName(filepath.Base(path)))); m != nil {
			files[m[1]] = append(files[m[1]], path)
		}
	}
	for _, name := range []string{logTable, userTable} {
		if len(files[name]) == 0 {
			return nil, fmt.Errorf("mdl_%s.csv (or .csv.gz, .csv.zst, .parquet) is not among the files of %s; export that table", name, strings.Join(paths, ", "))
		}
	}
	return files, nil
}

// moodle decodes the rows of tables.
type moodle struct {
	*job
	names
	most map[string]float64 // sum of the grades of a quiz
}

// openMoodle reads the small tables, and returns what reads the others.
func (j *job) openMoodle() (func(context.Context) error, error) {
	files, err := moodleFiles(j.Paths)
	if err != nil {
		return nil, err
	}
	if len(files[userTable]) > 1 {
		return nil, fmt.Errorf("%s are several tables of users; name one", strings.Join(files[userTable], " and "))
	}
	if j.people, err = j.readPeople(files[userTable][0]); err != nil {
		return nil, err
	}
	m := newMoodle(j)
	for _, path := range files[quizTable] {
		if err := m.readQuizzes(path); err != nil {
			return nil, err
		}
	}
	j.strict = len(files[attemptsTable]) > 0
	if !j.strict {
		j.tally.notes.add("no table mdl_quiz_attempts: attempts have no scores, and previews count as attempts", 1)
	}
	rows := map[string]func(*columns, *sink){logTable: m.logRow, attemptsTable: m.attemptRow, completionsTable: m.completionRow, paymentsTable: m.paymentRow}
	order := []string{attemptsTable, completionsTable, paymentsTable, logTable}
	for _, name := range order {
		j.measure(files[name])
	}
	return func(ctx context.Context) error {
		for _, name := range order {
			for _, path := range files[name] {
				if err := j.readRows(ctx, path, name, rows[name]); err != nil {
					return err
				}
			}
		}
		return nil
	}, nil
}

// openColumns opens a table of Moodle, which must have its columns.
func (j *job) openColumns(path, name string) (*table.Reader, *columns, error) {
	r, err := j.openTable(path)
	if err != nil {
		return nil, nil, err
	}
	c := columnsOf(r)
	if lacks := c.lacks(moodleTables()[name]...); len(lacks) > 0 {
		r.Close()
		return nil, nil, fmt.Errorf("%s: lacks the columns %s of mdl_%s; export the whole table with the names of its columns", path, strings.Join(lacks, ", "), name)
	}
	return r, c, nil
}

// readQuizzes reads what the questions of each quiz are worth together.
func (m *moodle) readQuizzes(path string) error {
	r, c, err := m.openColumns(path, quizTable)
	if err != nil {
		return err
	}
	defer r.Close()
	err = r.Each(func(rec *table.Record) error {
		c.rec = rec
		if v, ok := number(c.text("sumgrades")); ok {
			m.most[c.text("id")] = v
		}
		return nil
	})
	m.read(r)
	return err
}

// readRows decodes one table.
func (j *job) readRows(ctx context.Context, path, name string, decode func(*columns, *sink)) error {
	r, shape, err := j.openColumns(path, name)
	if err != nil {
		return err
	}
	defer r.Close()
	unit := "line"
	if filepath.Ext(path) == ".parquet" {
		unit = "row"
	}
	work := func(b *table.Block) (*sink, error) {
		s, c := newSink(j.facts.Len(), j.people), &columns{at: shape.at}
		rec := b.Scan()
		for rec.Next() {
			c.rec = rec
			s.at(path, unit, rec.Number())
			if why := broken(rec, len(r.Header())); why != "" {
				s.fault("(row)", string(rec.Line()), why)
				continue
			}
			decode(c, s)
		}
		err := rec.Err()
		b.Release()
		return s, err
	}
	if err := parallel.Ordered(ctx, r.Next, work, func(s *sink) error { return j.collect(s, lineBytes) }); err != nil {
		return err
	}
	j.read(r)
	return nil
}

// moodleKinds lists the events that have a meaning of their own. Whatever else a
// learner does himself is a sign of presence, by the level of education that
// Moodle gives each event.
func moodleKinds() map[string]kind {
	return map[string]kind{
		`\core\event\user_loggedin`:              login,
		`\core\event\user_enrolment_created`:     enrol,
		`\core\event\course_completed`:           complete,
		`\mod_quiz\event\attempt_submitted`:      quiz,
		`\mod_quiz\event\attempt_started`:        visit,
		`\core\event\dashboard_viewed`:           visit,
		`\core\event\message_sent`:               visit,
		`\core\event\message_viewed`:             visit,
		`\core\event\user_profile_viewed`:        visit,
		`\core\event\user_list_viewed`:           visit,
		`\core\event\course_user_report_viewed`:  visit,
		`\core\event\courses_searched`:           visit,
		`\core\event\mycourses_viewed`:           visit,
		`\mod_quiz\event\attempt_reviewed`:       visit, // of level teaching, though learners look at their own
		`\mod_quiz\event\attempt_summary_viewed`: visit, // likewise
	}
}

// moodleDropped says why events are left out.
func moodleDropped() map[string]string {
	out := map[string]string{}
	for why, names := range map[string][]string{
		dropNotActive: {`\core\event\user_loggedout`, `\core\event\user_login_failed`, `\core\event\user_created`, `\core\event\user_updated`, `\core\event\user_deleted`,
			`\core\event\user_password_updated`, `\core\event\role_assigned`, `\core\event\role_unassigned`, `\core\event\user_enrolment_deleted`, `\core\event\user_enrolment_updated`,
			`\core\event\user_graded`, `\core\event\notification_sent`, `\core\event\notification_viewed`, `\core\event\group_member_added`, `\core\event\group_member_removed`,
			`\core\event\course_completion_updated`, `\core\event\badge_awarded`, `\core\event\email_failed`, `\core\event\webservice_function_called`, `\core\event\config_log_created`,
			`\mod_quiz\event\attempt_becameoverdue`, `\mod_quiz\event\attempt_abandoned`, `\mod_quiz\event\attempt_deleted`, `\mod_quiz\event\attempt_regraded`, `\mod_quiz\event\attempt_graded`, `\mod_quiz\event\attempt_manual_grading_completed`},
		foldPreview:                  {`\mod_quiz\event\attempt_preview_started`},
		"logged in as somebody else": {`\core\event\user_loggedinas`},
	} {
		for _, n := range names {
			out[n] = why
		}
	}
	return out
}

func newMoodle(j *job) *moodle {
	return &moodle{job: j, names: names{moodleKinds(), moodleDropped()}.with(j.params.aliases(asWritten)), most: map[string]float64{}}
}

// Values of the column edulevel.
const (
	levelTeaching      = "1"
	levelParticipating = "2"
)

// logRow decodes a row of mdl_logstore_standard_log.
func (m *moodle) logRow(c *columns, s *sink) {
	name := strings.ReplaceAll(c.text("eventname"), `\\`, `\`) // MySQL writes a backslash twice
	k, known := m.known[name]
	if why := m.refuses(c, k, known, name); why != "" {
		s.drop(why)
		return
	}
	if !known && c.text("edulevel") != levelParticipating {
		s.unknown(name)
		return
	}
	at, ok := epoch(c.text("timecreated"))
	if !ok {
		s.fault("timecreated", c.text("timecreated"), "is not a time in Unix seconds")
		return
	}
	f := s.fact(k, "log-"+c.text("id"), m.learner(c, k, name), at, at)
	f.course = courseOf(c.text("courseid"))
	if k == quiz {
		f.key = c.text("objectid")
	}
	s.take(name, f)
}

// refuses says why a row of the log is no learner's doing, "" if it may be one.
func (m *moodle) refuses(c *columns, k kind, known bool, name string) string {
	why, dropped := m.dropped[name]
	origin := c.text("origin")
	switch {
	case dropped:
		return why
	case !absent(c.text("realuserid")):
		return "realuserid: somebody else was logged in as the user"
	case m.params.dropsOrigin(origin) && k != complete: // a completion is found by cron, and true all the same
		return "origin " + origin + ": done by a program"
	case c.yes("anonymous"):
		return "anonymous"
	case c.text("edulevel") == levelTeaching && (!known || k == visit && c.text("userid") != c.text("relateduserid")):
		return "teaching"
	}
	return ""
}

// absent reports whether a reference to a user names nobody.
func absent(user string) bool { return user == "" || user == "0" || user == "-1" }

// learner returns whom a row of the log is about: in enrolments, completions and
// attempts the user that it relates to; userid is whoever pressed the button.
func (m *moodle) learner(c *columns, k kind, name string) string {
	user := c.text("userid")
	related := k == enrol || k == complete || k == quiz || name == `\mod_quiz\event\attempt_started`
	if r := c.text("relateduserid"); related && !absent(r) {
		user = r
	}
	if absent(user) {
		return ""
	}
	return user
}

// siteCourse is the course that stands for the front page of the site.
const siteCourse = "1"

func courseOf(id string) string {
	if id == "0" || id == siteCourse {
		return ""
	}
	return id
}

// attemptRow decodes a row of mdl_quiz_attempts: the score of an attempt that the
// log tells of. It is known once nobody changes it any more.
func (m *moodle) attemptRow(c *columns, s *sink) {
	at, ok := epoch(c.text("timefinish"))
	changed, okChanged := epoch(c.text("timemodified"))
	if !ok {
		at, ok = changed, okChanged // it is open, perhaps again
	}
	if !ok {
		s.fault("timefinish", c.text("timefinish"), "is not a time in Unix seconds")
		return
	}
	k := score
	if c.yes("preview") {
		k = preview
	}
	f := s.fact(k, "attempt-"+c.text("id"), c.text("userid"), at, later(at, changed))
	f.key = c.text("id")
	if most, known := m.most[c.text("quiz")]; known && c.text("sumgrades") != "" {
		given, ok := number(c.text("sumgrades"))
		if !ok {
			s.fault("sumgrades", c.text("sumgrades"), "is not a number")
			return
		}
		f.value = s.percent(given, most)
	}
	s.take("mdl_quiz_attempts", f)
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

// completionRow decodes a row of mdl_course_completions.
func (m *moodle) completionRow(c *columns, s *sink) {
	if text := c.text("timecompleted"); text == "" || text == "0" {
		s.drop("course that is not completed yet")
		return
	}
	at, ok := epoch(c.text("timecompleted"))
	if !ok {
		s.fault("timecompleted", c.text("timecompleted"), "is not a time in Unix seconds")
		return
	}
	f := s.fact(complete, "completion-"+c.text("id"), c.text("userid"), at, at)
	f.course, f.text = courseOf(c.text("course")), onlyDated
	s.take("mdl_course_completions", f)
}

// paymentRow decodes a row of mdl_payments, which holds what was paid.
func (m *moodle) paymentRow(c *columns, s *sink) {
	at, ok := epoch(c.text("timecreated"))
	if !ok {
		s.fault("timecreated", c.text("timecreated"), "is not a time in Unix seconds")
		return
	}
	amount, ok := number(c.text("amount"))
	if !ok || math.Signbit(amount) {
		s.fault("amount", c.text("amount"), "is not an amount")
		return
	}
	if amount == 0 {
		s.drop("payment of nothing")
		return
	}
	f := s.fact(paid, "payment-"+c.text("id"), c.text("userid"), at, at)
	f.value = amount
	s.take("mdl_payments", f)
}
