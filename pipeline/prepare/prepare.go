// Package prepare turns accepted events into one timeline a user and writes
// what the later stages and people read: timelines, user_daily, users_clean
// and, where asked for, events_clean.
package prepare

import (
	"context"
	"fmt"
	"slices"
	"sync"

	"churn/internal/parallel"
	"churn/internal/size"
	"churn/internal/table"
	"churn/pipeline"
	"churn/pipeline/validate"
)

// Params are the settings of the stage.
type Params struct {
	Memory      string `mapstructure:"memory"`       // such as 2GiB: bound of the whole process
	Dense       bool   `mapstructure:"dense"`        // user_daily has the days without events too
	WriteEvents bool   `mapstructure:"write_events"` // write events_clean
}

// Defaults returns the built-in settings.
func Defaults() Params { return Params{Memory: "2GiB"} }

// minMemory is what the process needs for code, buffers and a few thousand users.
const minMemory = 128 << 20

// Validate returns all faults, each with its key.
func (p Params) Validate() error {
	n, err := size.Parse(p.Memory)
	switch {
	case err != nil:
		return fmt.Errorf("prepare.memory: %w", err)
	case n < minMemory:
		return fmt.Errorf("prepare.memory: %s is too little; use at least 128MiB", p.Memory)
	}
	return nil
}

// MemoryBytes returns the memory bound in bytes. It panics on settings that
// Validate refuses.
func (p Params) MemoryBytes() int64 {
	n, err := size.Parse(p.Memory)
	if err != nil {
		panic("prepare: " + err.Error())
	}
	return n
}

// Outputs are the paths to write; an empty one is left out.
type Outputs struct {
	Format                                        table.Format
	Timelines, UserDaily, UsersClean, EventsClean string
}

// Report is what the stage did.
type Report struct {
	Users      int           `json:"users"`
	Events     int64         `json:"events"`
	ActiveDays int64         `json:"active_days"`
	LateFacts  int64         `json:"late_facts"` // days with facts that became known later than they happened
	DailyRows  int64         `json:"user_daily_rows"`
	FirstDate  pipeline.Date `json:"first_date"`
	LastDate   pipeline.Date `json:"last_date"`

	Timelines, UserDaily, UsersClean, EventsClean table.Info `json:"-"`
}

// Run writes the outputs from a validated data set.
func Run(ctx context.Context, data *validate.Result, v pipeline.Vocabulary, header Header, p Params, out Outputs, progress func(done, total int64)) (Report, error) {
	courses := slices.Sorted(slices.Values(data.Courses))
	b := &builder{data: data, vocabulary: v, dense: p.Dense, courses: courses, renumber: renumbering(data.Courses, courses), progress: progress}
	header.Users = len(data.Users)
	return b.run(ctx, out, header, b.build)
}

// run opens the outputs, has build fill them, and puts them in place.
func (b *builder) run(ctx context.Context, out Outputs, header Header, build func(context.Context) error) (Report, error) {
	header.Span, header.Courses = b.data.Span, b.courses
	err := b.open(out, header)
	defer b.abort()
	if err == nil {
		err = build(ctx)
	}
	if err == nil {
		err = b.commit()
	}
	return b.report, err
}

// renumbering maps the numbers that scheduling gave to courses to their rank
// by name, so that the same input gives the same bytes.
func renumbering(names, sorted []string) []uint32 {
	out := make([]uint32, len(names)+1)
	for i, name := range names {
		rank, _ := slices.BinarySearch(sorted, name)
		out[i+1] = uint32(rank + 1)
	}
	return out
}

// builder is one run of the stage.
type builder struct {
	data       *validate.Result
	vocabulary pipeline.Vocabulary
	dense      bool
	courses    []string // by name
	renumber   []uint32
	progress   func(done, total int64)
	report     Report

	scratch   sync.Pool // of *scratch
	timelines *timelineWriter
	daily     *table.Writer
	users     *table.Writer
	events    *table.Writer // nil unless asked for
}

func (b *builder) open(out Outputs, header Header) (err error) {
	if b.timelines, err = createTimelines(out.Timelines, header); err != nil {
		return err
	}
	if b.daily, err = table.Create(out.UserDaily, out.Format, dailySchema()); err != nil {
		return err
	}
	if b.users, err = table.Create(out.UsersClean, out.Format, usersSchema()); err != nil {
		return err
	}
	if out.EventsClean != "" {
		b.events, err = table.Create(out.EventsClean, out.Format, eventsSchema())
	}
	return err
}

func (b *builder) abort() {
	if b.timelines != nil {
		b.timelines.file.Abort()
	}
	for _, w := range []*table.Writer{b.daily, b.users, b.events} {
		if w != nil {
			w.Abort()
		}
	}
}

// commit puts the files in place. The timelines come last: until their
// manifest agrees with them, no later stage reads anything.
func (b *builder) commit() (err error) {
	if b.report.UsersClean, err = b.users.Commit(); err != nil {
		return err
	}
	if b.events != nil {
		if b.report.EventsClean, err = b.events.Commit(); err != nil {
			return err
		}
	}
	if b.report.UserDaily, err = b.daily.Commit(); err != nil {
		return err
	}
	b.report.Timelines.Info, err = b.timelines.commit()
	b.report.Timelines.Rows = int64(b.report.Users)
	b.report.DailyRows = b.report.UserDaily.Rows
	return err
}

// scratch is memory that buckets use one after the other.
type scratch struct{ staged, sorted staged }

// block is a run of users on its way to the file.
type block struct {
	payload []byte
	users   int
}

// room returns the block that takes the next user.
func (p *part) room() *block {
	if n := len(p.blocks); n == 0 || len(p.blocks[n-1].payload) >= blockSize {
		p.blocks = append(p.blocks, block{})
	}
	return &p.blocks[len(p.blocks)-1]
}

// part is the output of one bucket of users.
type part struct {
	blocks              []block
	users               int
	daily, clean, event *table.Batch
	events, days, late  int64
}

func (b *builder) build(ctx context.Context) error {
	b.report.FirstDate, b.report.LastDate = b.data.Span.First, b.data.Span.Last
	bucket, total := -1, b.data.Staged.Len()
	next := func() (int, bool, error) { bucket++; return bucket, bucket < total, nil }
	return parallel.Ordered(ctx, next, b.part, b.taker(total))
}

// taker returns what appends the parts, total in number, one after the other.
func (b *builder) taker(total int) func(*part) error {
	done := 0
	return func(p *part) error {
		b.report.Users += p.users
		b.report.Events += p.events
		b.report.ActiveDays += p.days
		b.report.LateFacts += p.late
		if done++; b.progress != nil {
			b.progress(int64(done), int64(total))
		}
		return b.append(p)
	}
}

// append writes one part to all outputs, up to the first error: a full disk
// need not be told of once a file.
func (b *builder) append(p *part) error {
	for _, x := range p.blocks {
		if err := b.timelines.append(x.payload, x.users); err != nil {
			return err
		}
	}
	if err := b.daily.Append(p.daily); err != nil {
		return err
	}
	if err := b.users.Append(p.clean); err != nil || b.events == nil {
		return err
	}
	return b.events.Append(p.event)
}

// part builds the timelines of one bucket.
func (b *builder) part(bucket int) (*part, error) {
	pages, err := b.data.Staged.Read(bucket)
	if err != nil {
		return nil, err
	}
	first, last := b.usersOf(bucket)
	memory, ok := b.scratch.Get().(*scratch)
	if !ok {
		memory = &scratch{}
	}
	defer b.scratch.Put(memory)
	if err := b.decode(pages, first, &memory.staged); err != nil {
		return nil, err
	}
	p := b.newPart()
	if b.events != nil {
		p.event = b.events.NewBatch()
	}
	from := memory.staged.byUser(last-first, &memory.sorted)
	for i := range last - first {
		b.add(p, b.data.Users[first+i], &memory.sorted, from[i], from[i+1])
	}
	return p, nil
}

func (b *builder) newPart() *part { return &part{daily: b.daily.NewBatch(), clean: b.users.NewBatch()} }

// decode reads the staged events of the users from first on into s, without
// those whose id stood before.
func (b *builder) decode(pages [][]byte, first int, s *staged) error {
	s.reset()
	for _, page := range pages {
		err := validate.DecodeStaged(page, func(e *validate.Staged) {
			if len(b.data.Repeated) > 0 {
				if _, again := slices.BinarySearch(b.data.Repeated, e.Position); again {
					return
				}
			}
			s.users = append(s.users, e.User-uint32(first))
			s.events = append(s.events, e.Event)
			s.events[len(s.events)-1].Course = b.renumber[e.Course]
			if b.events != nil {
				s.texts = append(s.texts, text{e.ID, e.Second, e.Position})
			}
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// usersOf returns the run of users [first, last) of a bucket.
func (b *builder) usersOf(bucket int) (first, last int) {
	return validate.UsersOf(bucket, len(b.data.Users), b.data.Staged.Len())
}

// add builds the timeline of one user from events [from, to).
func (b *builder) add(p *part, user pipeline.User, s *staged, from, to int) {
	if p.event != nil {
		appendEvents(p.event, user, s.events[from:to], s.texts[from:to], b.vocabulary, b.courseName)
	}
	t := pipeline.NewTimeline(user, s.events[from:to], b.vocabulary)
	b.take(p, &t)
}

// take adds one timeline to a part.
func (b *builder) take(p *part, t *pipeline.Timeline) {
	x := p.room()
	x.payload = encodeTimeline(x.payload, t)
	x.users++
	p.users++
	for i := range t.Days {
		p.events += int64(t.Days[i].Events)
		if t.Days[i].Known != t.Days[i].Day {
			p.late++
		}
	}
	p.days += appendDaily(p.daily, t, b.data.Span, b.dense)
	appendUser(p.clean, &t.User)
}

func (b *builder) courseName(n uint32) string {
	if n == 0 {
		return ""
	}
	return b.courses[n-1]
}
