// Package validate checks raw users and events in one streaming pass. Bad rows
// go to a quarantine with their reasons; too many of them, or a failed critical
// check, reject the data set.
package validate

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"churn/internal/spill"
	"churn/internal/table"
	"churn/pipeline"
	"churn/pipeline/source"
)

// Input is what to validate, and where to.
type Input struct {
	Files      source.Files
	Location   *time.Location
	Vocabulary pipeline.Vocabulary
	Today      pipeline.Date // events after it lie in the future
	Quarantine string        // path of the table of bad rows
	TempDir    string        // existing folder for what does not fit in memory
	Memory     int64         // bytes that staged rows and keys may take before they go to TempDir
	Stage      bool          // keep accepted events, for prepare
	KeepText   bool          // keep event ids and times of day too, for events_clean
	Progress   func(done, total int64)
}

// Result is what the later stages need of a validated data set.
type Result struct {
	Report  Report
	Users   []pipeline.User // accepted, in order
	Courses []string        // the course numbered n in a staged event is Courses[n-1]
	Span    pipeline.Span
	// Staged holds the accepted events by runs of users, if Input.Stage; the
	// events at the Repeated positions are to be left out.
	Staged     *spill.Buckets
	Repeated   []uint64
	Repeats    bool       // some ids of events in a database stand more than once
	Quarantine table.Info // of the table of bad rows
}

// Run validates. A rejected data set is a Result whose Report says so, with a
// *Rejection as the error; any other error means that validation could not run.
func Run(ctx context.Context, in Input, p Params) (*Result, error) {
	v, err := newValidation(in, p)
	if err != nil {
		return nil, err
	}
	defer v.out.Abort()
	if err := v.readUsers(); err != nil {
		return nil, err
	}
	if len(v.users.Users) > 0 { // without users every event would only repeat that fault
		if err := v.readEvents(ctx); err != nil {
			return nil, err
		}
	}
	return v.finish()
}

// What may stay in memory before it goes to disk, as shares of Input.Memory.
// They leave the larger half to users, blocks in flight and what the collector
// has not freed yet (measured at 100 million events).
const (
	keyShare   = 16
	eventShare = 8
)

// validation is one run.
type validation struct {
	findings
	in       Input
	rules    *Rules
	out      *table.Writer // of the quarantine
	users    *Roster
	courses  *courses
	volume   volumes
	starts   map[pipeline.Date]pipeline.Date
	last     pipeline.Date
	plain    int64
	staged   *spill.Buckets
	ids      *spill.Buckets
	contents *spill.Buckets
	done     int64
	total    int64
	interned map[string]string
}

func newValidation(in Input, p Params) (*validation, error) {
	w, err := table.Create(in.Quarantine, table.CSV, quarantineSchema())
	if err != nil {
		return nil, err
	}
	v := &validation{
		findings: findings{params: p, quarantine: w}, in: in, rules: NewRules(p, in.Vocabulary, in.Location, in.Today), out: w,
		courses: newCourses(), volume: volumes{}, interned: map[string]string{}, starts: map[pipeline.Date]pipeline.Date{}, last: pipeline.NoDate,
		ids:      spill.New(in.TempDir, "ids", keyBuckets, in.Memory/keyShare),
		contents: spill.New(in.TempDir, "contents", keyBuckets, in.Memory/keyShare),
		total:    source.Size(in.Files.Users) + source.Size(in.Files.Events),
	}
	v.report.Checks = p.List()
	return v, nil
}

func (v *validation) progress(bytes int64) {
	v.done += bytes
	if v.in.Progress != nil {
		v.in.Progress(v.done, v.total)
	}
}

// open opens one file and runs the checks on its form that can be told from
// the header. ok is false where its rows cannot be read at all.
func (v *findings) open(path string, id checkID, columns, required []string) (r *table.Reader, ok bool, err error) {
	r, err = table.OpenColumns(path, columns)
	if err != nil {
		return nil, false, err
	}
	missing := missingColumns(r, required)
	v.check(id).Checked++
	v.check(delimiter).Checked++
	switch sep := otherDelimiter(r.Header()); {
	case r.Notes().Empty:
		v.check(id).fail(Failure{File: path, Value: "", What: "the file is empty"}, v.params.Examples)
	case sep != "":
		v.check(delimiter).fail(Failure{File: path, Line: 1, Value: r.Header()[0], What: "the columns are separated by " + sep + "; export with commas"}, v.params.Examples)
	case len(missing) > 0:
		v.check(id).fail(Failure{File: path, Line: 1, Field: "header", Value: join(r.Header()), What: "lacks " + join(missing)}, v.params.Examples)
	default:
		return r, true, nil
	}
	r.Close()
	return nil, false, nil
}

// closeFile runs the checks on a file's form that need its end.
func (v *findings) closeFile(r *table.Reader, rows int64) {
	n := r.Notes()
	v.fileCheck(truncatedLastLine, r, n.NoFinalNewline, "the last line has no line end; if its row is short, the file was cut off")
	v.fileCheck(byteOrderMark, r, n.BOM, "begins with a UTF-8 byte order mark")
	v.fileCheck(mixedLineEnds, r, n.CRLF > 0 && n.LF > 0, fmt.Sprintf("%d lines end in CRLF and %d in LF", n.CRLF, n.LF))
	size, _ := os.Stat(r.Path())
	state := pipeline.FileState{Path: r.Path(), SHA256: r.SHA256(), Rows: rows}
	if size != nil {
		state.Bytes = size.Size()
	}
	v.report.Inputs = append(v.report.Inputs, state)
	r.Close()
}

func (v *findings) fileCheck(id checkID, r *table.Reader, failed bool, what string) {
	c := v.check(id)
	c.Checked++
	if failed {
		c.fail(Failure{File: r.Path(), What: what}, v.params.Examples)
	}
}

// readEvents runs the one pass over all event files.
func (v *validation) readEvents(ctx context.Context) error {
	s := &eventScanner{rules: v.rules, users: v.users, courses: v.courses, examples: v.params.Examples, keepText: v.in.KeepText}
	if v.in.Stage {
		s.buckets = Buckets(len(v.users.Users))
		v.staged = spill.New(v.in.TempDir, "events", s.buckets, v.in.Memory/eventShare)
	}
	if err := v.newEventFiles(s).read(ctx); err != nil {
		return err
	}
	for id := eventIDPresent; id <= paymentAmount; id++ {
		v.check(id).Checked = v.report.Events.Rows
	}
	v.check(rowShape).Checked = v.report.Users.Rows + v.report.Events.Rows
	v.check(nonPaymentAmount).Checked = v.plain
	c := v.check(eventsNotEmpty)
	c.Checked = 1
	if v.report.Events.Accepted == 0 {
		c.fail(Failure{Value: fmt.Sprintf("%d rows, none of them usable", v.report.Events.Rows)}, v.params.Examples)
	}
	return nil
}

// take adds the accepted events of a block to those of others.
func (v *validation) take(b *blockResult) error {
	v.report.Events.Rows += b.rows
	v.report.Events.Accepted += b.accepted
	v.report.Events.Rejected += b.rows - b.accepted
	v.plain += b.plain
	v.volume.merge(b.volume)
	v.last = max(v.last, b.last)
	for known, first := range b.starts {
		if old, ok := v.starts[known]; !ok || first < old {
			v.starts[known] = first
		}
	}
	var err error
	for i := range b.ids {
		err = errors.Join(err, v.ids.Append(i, b.ids[i]), v.contents.Append(i, b.contents[i]))
	}
	for i := range b.staged {
		err = errors.Join(err, v.staged.Append(i, b.staged[i]))
	}
	return err
}

// finish finds repeated rows, and concludes.
func (v *validation) finish() (*Result, error) {
	again, err := v.findRepeated()
	if err != nil {
		return nil, err
	}
	return v.conclude(&Result{Users: v.users.Users, Courses: v.courses.names(), Staged: v.staged, Repeated: again})
}

// conclude runs the checks that need the whole data, and completes the result.
func (v *validation) conclude(result *Result) (*Result, error) {
	v.wholeData(dailyVolume, func(c *Check) error { return checkDailyVolume(v.volume, c, v.params.Examples) })
	v.wholeData(typeVolume, func(c *Check) error {
		return checkTypeVolume(v.volume, v.in.Vocabulary, c, v.params.Examples)
	})
	v.wholeData(freshness, func(c *Check) error { return checkFreshness(v.volume, v.in.Vocabulary, c, v.params.Examples) })
	result.Span = pipeline.NewSpan(v.last, v.starts)
	v.report.FirstDate, v.report.LastDate = result.Span.First, result.Span.Last
	v.report.conclude(v.params)
	var err error
	if result.Quarantine, err = v.out.Commit(); err != nil {
		return nil, err
	}
	result.Report = v.report
	if !v.report.Accepted {
		return result, &Rejection{Report: &result.Report}
	}
	return result, nil
}

// wholeData runs one check; an error or a panic in it counts as its failure,
// since a check that cannot tell must never pass.
func (v *validation) wholeData(id checkID, run func(*Check) error) {
	c := v.check(id)
	defer func() {
		if r := recover(); r != nil {
			c.Error = fmt.Sprint(r)
		}
	}()
	c.Status = Passed
	if err := run(c); err != nil {
		c.Error = err.Error()
	}
}

// findRepeated rejects events whose event_id stood before, and counts rows
// that are equal but for their event_id.
func (v *validation) findRepeated() ([]uint64, error) {
	again, err := repeated(v.ids)
	if err != nil {
		return nil, err
	}
	equal, err := repeated(v.contents)
	if err != nil {
		return nil, err
	}
	c := v.check(duplicateRows)
	c.Checked, c.Failures = v.report.Events.Accepted, int64(len(equal))
	for _, position := range equal[:min(len(equal), v.params.Examples)] {
		c.Examples = append(c.Examples, Failure{File: v.in.Files.Events[fileOf(position)], Line: lineOf(position), What: "equal to another row apart from event_id"})
	}
	v.report.Events.Accepted -= int64(len(again))
	v.report.Events.Rejected += int64(len(again))
	return again, v.quarantineRepeated(again)
}

// A position tells a row apart from all others, in the order of reading: the
// number of the file, then the line.
const lineBits = 40

func positionOf(file int, rec *table.Record) uint64 {
	return uint64(file)<<lineBits | uint64(rec.Number())
}

func fileOf(position uint64) int { return int(position >> lineBits) }

func lineOf(position uint64) int { return int(position & (1<<lineBits - 1)) }
