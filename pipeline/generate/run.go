package generate

import (
	"context"
	"path/filepath"
	"slices"

	"churn/internal/parallel"
	"churn/internal/table"
	"churn/pipeline"
)

// Output is one written file.
type Output struct {
	Path   string `json:"path"`
	SHA256 string `json:"sha256"`
	Rows   int64  `json:"rows"`
	Bytes  int64  `json:"bytes"`
}

// Report is what the stage did.
type Report struct {
	Users    int64         `json:"users"`
	Events   int64         `json:"events"`
	Churned  int64         `json:"churned"`  // users who have left by the end
	Returned int64         `json:"returned"` // times that someone came back
	First    pipeline.Date `json:"first_date"`
	Last     pipeline.Date `json:"last_date"`
	Outputs  []Output      `json:"outputs"`
}

// chunkUsers is how many users one task simulates: a constant, so that the
// number of cores changes nothing.
const chunkUsers = 4096

// Run simulates the world and writes dir/users, dir/events and dir/truth.
func Run(ctx context.Context, p Params, dir string, progress func(done, total int64)) (Report, error) {
	s := &simulation{world: newWorld(p), truth: newTruth(p)}
	defer s.abort()
	if err := s.open(dir); err != nil {
		return Report{}, err
	}
	s.people = make([]person, p.Users)
	s.eachChunk(func(_ int, people []person, first int) {
		for i := range people {
			people[i] = newPerson(s.world, first+i+1)
		}
	})
	slices.SortStableFunc(s.people, func(a, b person) int { return int(a.signup - b.signup) })
	for i := range s.people {
		s.people[i].number = int32(i + 1) // accounts are numbered as they come
	}
	for d := range p.Days {
		if err := ctx.Err(); err != nil {
			return Report{}, err
		}
		if err := s.day(p.StartDate + pipeline.Date(d)); err != nil {
			return Report{}, err
		}
		if progress != nil {
			progress(int64(d+1), int64(p.Days))
		}
	}
	return s.finish()
}

// simulation is one run.
type simulation struct {
	world   *world
	people  []person
	truth   *truth
	diaries []diary
	sorted  []event
	counts  []int32
	nextID  int64

	paths                     []string
	users, events, truthTable *table.Writer
}

func (s *simulation) open(dir string) (err error) {
	format := s.world.params.Format
	create := func(name string, schema table.Schema) *table.Writer {
		if err != nil {
			return nil
		}
		path := filepath.Join(dir, name+"."+string(format))
		s.paths = append(s.paths, path)
		var w *table.Writer
		w, err = table.Create(path, format, schema)
		return w
	}
	s.users = create("users", usersSchema())
	s.events = create("events", eventsSchema())
	s.truthTable = create("truth", truthSchema())
	return err
}

func (s *simulation) abort() {
	for _, w := range []*table.Writer{s.users, s.events, s.truthTable} {
		if w != nil {
			w.Abort()
		}
	}
}

func (s *simulation) eachChunk(work func(chunk int, people []person, first int)) {
	n := (len(s.people) + chunkUsers - 1) / chunkUsers
	parallel.Each(n, func(i int) {
		first := i * chunkUsers
		work(i, s.people[first:min(first+chunkUsers, len(s.people))], first)
	})
}

// day simulates one day and appends its events in order of time.
func (s *simulation) day(day pipeline.Date) error {
	c := s.world.climate(day)
	records := s.truth.at(day, len(s.people))
	var ahead []climate
	for i := range horizon {
		ahead = append(ahead, s.world.climate(day+1+pipeline.Date(i)))
	}
	if n := (len(s.people) + chunkUsers - 1) / chunkUsers; len(s.diaries) != n {
		s.diaries = make([]diary, n)
	}
	s.eachChunk(func(chunk int, people []person, first int) {
		d := &s.diaries[chunk]
		d.events = d.events[:0]
		for i := range people {
			people[i].step(s.world, &c, d)
			if records != nil && people[i].phase != absent {
				p := &people[i]
				records[first+i] = record{float32(p.hazard(s.world, &c)), float32(p.silence(s.world, ahead)), p.phase}
			}
		}
	})
	s.sortByTime()
	return s.write(day)
}

// sortByTime gathers the diaries by second of the day with a counting sort,
// which keeps the order of users within a second.
func (s *simulation) sortByTime() {
	const seconds = 86400
	if s.counts == nil {
		s.counts = make([]int32, seconds+1)
	}
	clear(s.counts)
	total := 0
	for i := range s.diaries {
		total += len(s.diaries[i].events)
		for _, e := range s.diaries[i].events {
			s.counts[e.second+1]++
		}
	}
	for i := range seconds {
		s.counts[i+1] += s.counts[i]
	}
	s.sorted = slices.Grow(s.sorted[:0], total)[:total]
	for i := range s.diaries {
		for _, e := range s.diaries[i].events {
			s.sorted[s.counts[e.second]] = e
			s.counts[e.second]++
		}
	}
}

const batchEvents = 16384

// write appends the sorted events of a day.
func (s *simulation) write(day pipeline.Date) error {
	n := (len(s.sorted) + batchEvents - 1) / batchEvents
	batches := make([]*table.Batch, n)
	parallel.Each(n, func(i int) {
		first := i * batchEvents
		part := s.sorted[first:min(first+batchEvents, len(s.sorted))]
		batches[i] = s.events.NewBatch()
		appendEvents(batches[i], part, day, s.nextID+int64(first)+1)
	})
	s.nextID += int64(len(s.sorted))
	for _, b := range batches {
		if err := s.events.Append(b); err != nil {
			return err
		}
	}
	return nil
}

// finish writes users and truth and puts the three files in place.
func (s *simulation) finish() (Report, error) {
	p := s.world.params
	report := Report{Users: int64(len(s.people)), Events: s.nextID, First: p.StartDate, Last: p.StartDate + pipeline.Date(p.Days) - 1}
	for part := range slices.Chunk(s.people, chunkUsers) {
		b := s.users.NewBatch()
		t := s.truthTable.NewBatch()
		for i := range part {
			x := &part[i]
			appendUser(b, x)
			s.appendTruth(t, x)
			report.Returned += int64(x.returns)
			if x.phase == gone {
				report.Churned++
			}
		}
		if err := s.users.Append(b); err != nil {
			return report, err
		}
		if err := s.truthTable.Append(t); err != nil {
			return report, err
		}
	}
	for i, w := range []*table.Writer{s.users, s.events, s.truthTable} {
		info, err := w.Commit()
		if err != nil {
			return report, err
		}
		report.Outputs = append(report.Outputs, Output{Path: s.paths[i], SHA256: info.SHA256, Rows: info.Rows, Bytes: info.Bytes})
	}
	return report, nil
}
