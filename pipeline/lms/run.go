package lms

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"slices"
	"strings"
	"time"

	"churn/internal/lines"
	"churn/internal/parallel"
	"churn/internal/spill"
	"churn/internal/table"
	"churn/pipeline"
	"churn/pipeline/validate"
)

// Job is what one import reads and writes.
type Job struct {
	Preset     string
	Paths      []string // files; for Moodle the folder of the tables will do
	Users      string   // table of accounts; "" = none. Moodle has its own
	Location   *time.Location
	Memory     int64   // bound of the whole process, bytes
	MaxFaults  float64 // share of records that may be unreadable
	TempDir    string  // existing folder for what does not fit into memory
	Format     table.Format
	UsersPath  string // to write
	EventsPath string
	buckets    int          // 0 = as the input needs; tests set it
	Begin      func() error // called before the tables are put in place; nil = nothing
	Progress   func(done, total int64)
}

// Result is what an import made. The tables are empty where it was rejected.
type Result struct {
	Report        Report
	Users, Events table.Info
}

// job is a run.
type job struct {
	Job
	params Params
	people *people
	facts  *spill.Buckets
	tally  tally
	inputs []pipeline.FileState
	strict bool  // there is a table of quiz attempts
	size   int64 // of the input, about; bytes
	done   int64 // of it
}

// Run reads an export and writes users and events, each complete or not at all.
// What is wrong with single records stands in the report; the error is a
// *Rejection where it is too much.
func Run(ctx context.Context, in Job, p Params) (Result, error) {
	j := &job{Job: in, params: p}
	var out Result
	source, err := j.open()
	if err != nil {
		return out, err
	}
	if j.buckets == 0 {
		j.buckets = bucketsFor(j.size)
	}
	j.facts = spill.New(j.TempDir, "facts", j.buckets, j.Memory/4)
	if err := errors.Join(source(ctx), j.oneHome()); err != nil {
		return out, err
	}
	out, err = j.write(ctx)
	out.Report.Preset, out.Report.Inputs = j.Preset, j.inputs
	j.tally.report(&out.Report)
	return out, err
}

// bucketBytes is how much input the facts of one bucket come from: they are
// sorted in memory, in about as much of it again on each core.
const bucketBytes = 32 << 20

// bucketsFor returns the number of buckets for an input. The input alone decides
// it, so that the rows come in the same order on any machine.
func bucketsFor(size int64) int { return int(min(max(size/bucketBytes, 1), 1024)) }

// open returns what reads the input of the preset.
func (j *job) open() (func(context.Context) error, error) {
	if j.Preset == Moodle {
		return j.openMoodle()
	}
	decoders := map[string]func(*job) lineDecoder{OpenEdX: newOpenEdX, XAPI: newXAPI, Caliper: newCaliper}
	make, ok := decoders[j.Preset]
	if !ok {
		return nil, fmt.Errorf("preset %q is unknown; use moodle, openedx, xapi or caliper", j.Preset)
	}
	paths, err := expand(j.Paths, ".log", ".json", ".jsonl", ".ndjson")
	if err != nil {
		return nil, err
	}
	if j.Users != "" {
		if j.people, err = j.readPeople(j.Users); err != nil {
			return nil, err
		}
	}
	j.measure(paths)
	return func(ctx context.Context) error {
		for _, path := range paths {
			if err := j.readLines(ctx, path, make(j)); err != nil {
				return err
			}
		}
		return nil
	}, nil
}

// compressed names the endings of compressed files.
func compressed() []string { return []string{".gz", ".zst", ".bz2"} }

// measure sets the size of the input, compressed parts at ten times their size
// as is usual of logs.
func (j *job) measure(paths []string) {
	for _, path := range paths {
		info, err := os.Stat(path)
		if err != nil {
			continue // reading will say so
		}
		n := info.Size()
		if slices.ContainsFunc(compressed(), func(x string) bool { return strings.HasSuffix(path, x) }) {
			n *= 10
		}
		j.size += n
	}
}

func (j *job) progress() {
	if j.Progress != nil {
		j.Progress(min(j.done, j.size), j.size)
	}
}

// lineDecoder turns lines of one file into facts. It is used by several
// goroutines at once.
type lineDecoder interface {
	line(line []byte, s *sink)
}

// readLines decodes one file.
func (j *job) readLines(ctx context.Context, path string, d lineDecoder) error {
	r, err := lines.Open(path)
	if err != nil {
		return err
	}
	defer r.Close()
	work := func(b *lines.Block) (*sink, error) {
		s := newSink(j.facts.Len(), j.people)
		b.Each(func(n int, line []byte) {
			if n == 1 {
				line = []byte(strings.TrimPrefix(string(line), "\ufeff"))
			}
			if len(strings.TrimSpace(string(line))) == 0 {
				return
			}
			s.at(b.File, "line", n)
			d.line(line, s)
		})
		return s, nil
	}
	if err := parallel.Ordered(ctx, r.Next, work, func(s *sink) error { return j.collect(s, lineBytes) }); err != nil {
		return err
	}
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	j.inputs = append(j.inputs, pipeline.FileState{Path: path, SHA256: r.SHA256(), Bytes: info.Size()})
	return nil
}

// lineBytes is about what a block of lines and a block of rows hold, for
// progress.
const lineBytes = 1 << 20

// collect takes what came of one block.
func (j *job) collect(s *sink, size int64) error {
	for i, b := range s.facts {
		if err := j.facts.Append(i, b); err != nil {
			return err
		}
	}
	j.tally.merge(&s.tally)
	j.done += size
	j.progress()
	return nil
}

// openTable opens a table, whose digest read adds to the inputs at its end.
func (j *job) openTable(path string) (*table.Reader, error) {
	r, err := table.Open(path)
	if err != nil {
		return nil, err
	}
	if why := notCSV(r.Header()); why != "" {
		r.Close()
		return nil, fmt.Errorf("%s: %s", path, why)
	}
	return r, nil
}

// notCSV says what is wrong with a header, "" if it may be one.
func notCSV(header []string) string {
	switch {
	case len(header) == 0:
		return "is empty; it must begin with the names of its columns"
	case len(header) == 1 && strings.ContainsAny(header[0], "\t;|"):
		return fmt.Sprintf("its first line %q has no comma; separate columns with commas, not with tabs or semicolons (docs/sources.md has the commands)", header[0])
	}
	return ""
}

func (j *job) read(r *table.Reader) {
	info, err := os.Stat(r.Path())
	if err != nil {
		return // it was read a moment ago: the digest will do
	}
	j.inputs = append(j.inputs, pipeline.FileState{Path: r.Path(), SHA256: r.SHA256(), Bytes: info.Size()})
}

// member is a user who will be written.
type member struct {
	id    string
	first pipeline.Date // day on which he is first known of
}

// grouped is what a bucket came to.
type grouped struct {
	rows        *table.Batch
	members     []member
	folded      counts
	types       counts
	first, last pipeline.Date
}

// write makes rows of the facts, bucket by bucket.
func (j *job) write(ctx context.Context) (out Result, err error) {
	out.Report.First, out.Report.Last = pipeline.NoDate, pipeline.NoDate
	if j.tally.records == j.tally.faults || float64(j.tally.faults) > j.MaxFaults*float64(j.tally.records) {
		j.tally.report(&out.Report)
		return out, &Rejection{&out.Report}
	}
	w, err := table.Create(j.EventsPath, j.Format, eventsSchema())
	if err != nil {
		return out, err
	}
	defer w.Abort()
	var members []member
	var types counts
	bucket := -1
	next := func() (int, bool, error) { bucket++; return bucket, bucket < j.facts.Len(), nil }
	take := func(g *grouped) error {
		members = append(members, g.members...)
		j.tally.folded.merge(g.folded)
		types.merge(g.types)
		if g.first != pipeline.NoDate {
			if out.Report.First == pipeline.NoDate || g.first < out.Report.First {
				out.Report.First = g.first
			}
			out.Report.Last = max(out.Report.Last, g.last)
		}
		return w.Append(g.rows)
	}
	if err := parallel.Ordered(ctx, next, func(k int) (*grouped, error) { return j.group(k, w.NewBatch()) }, take); err != nil {
		return out, err
	}
	out.Report.Events = types.list()
	if w.Rows() == 0 {
		j.tally.report(&out.Report)
		return out, &Rejection{&out.Report}
	}
	return out, j.commit(w, members, &out)
}

// commit writes the users, and puts both tables in place.
func (j *job) commit(events *table.Writer, members []member, out *Result) error {
	users, err := table.Create(j.UsersPath, j.Format, usersSchema())
	if err != nil {
		return err
	}
	defer users.Abort()
	if err := users.Append(j.usersBatch(users.NewBatch(), members)); err != nil {
		return err
	}
	out.Report.Users = users.Rows()
	if j.Begin != nil {
		if err := j.Begin(); err != nil {
			return err
		}
	}
	if out.Users, err = users.Commit(); err != nil {
		return err
	}
	out.Events, err = events.Commit()
	return err
}

func eventsSchema() (s table.Schema) {
	for _, name := range validate.EventColumns() {
		kind := table.Text
		if name == "watch_minutes" || name == "quiz_score" || name == "amount" {
			kind = table.Float
		}
		s = append(s, table.Column{Name: name, Kind: kind})
	}
	return s
}

func usersSchema() (s table.Schema) {
	for _, name := range validate.UserColumns() {
		s = append(s, table.Column{Name: name, Kind: table.Text})
	}
	return s
}

// group makes the rows of the users of one bucket.
func (j *job) group(bucket int, rows *table.Batch) (*grouped, error) {
	pages, err := j.facts.Read(bucket)
	if err != nil {
		return nil, err
	}
	facts, ok := readFacts(pages)
	if !ok {
		return nil, errors.New("the facts that were put aside on disk cannot be read back; is something else writing to " + j.TempDir + "?")
	}
	slices.SortStableFunc(facts, func(a, b fact) int { return validate.CompareIDs(a.user, b.user) })
	rules := grouping{gap: j.params.VisitGap.Microseconds(), maxViewing: j.params.MaxViewing.Microseconds(), location: j.Location, tableOfAttempts: j.strict, voided: j.tally.voided}
	g := &grouped{rows: rows, first: pipeline.NoDate, last: pipeline.NoDate}
	for len(facts) > 0 {
		n := 1
		for n < len(facts) && facts[n].user == facts[0].user {
			n++
		}
		g.user(&rules, facts[:n:n])
		facts = facts[n:]
	}
	return g, nil
}

// user adds the rows of one user.
func (g *grouped) user(rules *grouping, facts []fact) {
	m := member{id: facts[0].user, first: pipeline.NoDate}
	for _, r := range rules.rowsOf(facts, &g.folded) {
		day := rules.day(r.at)
		if g.first == pipeline.NoDate || day < g.first {
			g.first = day
		}
		g.last = max(g.last, day)
		if known := rules.day(r.known); m.first == pipeline.NoDate || known < m.first {
			m.first = known
		}
		g.types.add(r.event, 1)
		appendEvent(g.rows, &r)
	}
	g.members = append(g.members, m)
}

// timeText writes a time as the contract has it.
func timeText(at int64) string { return time.UnixMicro(at).UTC().Format("2006-01-02T15:04:05Z") }

func appendEvent(b *table.Batch, r *row) {
	minutes, score, amount := math.NaN(), math.NaN(), math.NaN()
	switch r.kind {
	case play, segments, watched:
		minutes = r.value
	case quiz:
		score = r.value
	case paid, unpaid:
		amount = r.value
	}
	at, known := timeText(r.at), timeText(r.known)
	if known == at {
		known = "" // the default
	}
	for _, s := range [...]string{r.id, r.user, at, r.event, r.course} {
		b.Text(s)
	}
	b.Float(minutes)
	b.Float(score)
	b.Float(amount)
	b.Text(known)
	b.EndRow()
}

// usersBatch appends all users: those of the table of accounts, or else those of
// the events.
func (j *job) usersBatch(b *table.Batch, members []member) *table.Batch {
	first := make(map[string]pipeline.Date, len(members))
	for _, m := range members {
		if m.first != pipeline.NoDate {
			first[m.id] = m.first
		}
	}
	var ids []string
	if j.people == nil {
		for id := range first {
			ids = append(ids, id)
		}
	} else {
		for id, a := range j.people.byID {
			_, seen := first[id]
			switch {
			case a.excluded:
				j.tally.notes.add("account of a guest or of the staff: left out", 1)
			case !seen && a.signup == pipeline.NoDate:
				j.tally.notes.add("account with neither a day of signing up nor an event: left out", 1)
			default:
				ids = append(ids, id)
			}
		}
	}
	slices.SortFunc(ids, validate.CompareIDs)
	for _, id := range ids {
		a := account{signup: pipeline.NoDate, plan: "free"}
		if j.people != nil {
			a = *j.people.byID[id]
		}
		if a.signup == pipeline.NoDate {
			a.signup = first[id]
			j.tally.notes.add("user without a day of signing up: the day on which he is first known of", 1)
		}
		appendUser(b, id, &a)
	}
	return b
}

func appendUser(b *table.Batch, id string, a *account) {
	paid := "0"
	if a.plan == "paid" {
		paid = "1"
	}
	for _, s := range [...]string{id, a.signup.String(), a.plan, paid, a.country, a.source} {
		b.Text(s)
	}
	b.EndRow()
}
