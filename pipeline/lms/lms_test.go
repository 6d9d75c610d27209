package lms

import (
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"churn/internal/table"
	"churn/pipeline"
)

// rules are the usual ones, in UTC.
func rules() *grouping {
	p := Defaults()
	return &grouping{gap: p.VisitGap.Microseconds(), maxViewing: p.MaxViewing.Microseconds(), location: time.UTC}
}

// anyFacts returns facts of one user in three days, many of them around
// midnight, a third of them known late, and few keys and courses.
func anyFacts(rng *rand.Rand) []fact {
	nan := math.NaN()
	maybe := func(v float64) float64 {
		if rng.IntN(3) == 0 {
			return nan
		}
		return v
	}
	out := make([]fact, rng.IntN(14))
	for i := range out {
		at := time.Date(2026, 1, 1+rng.IntN(3), []int{0, 9, 23}[rng.IntN(3)], rng.IntN(60), rng.IntN(60), 0, time.UTC).UnixMicro()
		f := fact{kind: kind(rng.IntN(int(numKinds))), id: fmt.Sprint("f", rng.IntN(20)), user: "u", at: at, known: at, course: fmt.Sprint(rng.IntN(2)), position: nan, length: nan, value: nan}
		if rng.IntN(3) == 0 {
			f.known += int64(rng.IntN(3*86400)) * 1e6
		}
		f.key = fmt.Sprint("k", rng.IntN(2))
		switch f.kind {
		case play, halt, jump:
			f.position, f.length = maybe(float64(rng.IntN(600))), maybe(600)
		case segments:
			f.length, f.text = maybe(100), []string{"", "0[.]30", "20[.]50[,]90[.]120"}[rng.IntN(3)]
		case score:
			f.value = maybe(float64(rng.IntN(101)))
		case quiz:
			f.text = []string{"", "a", "b"}[rng.IntN(3)]
			f.value = maybe(float64(rng.IntN(101)))
		}
		out[i] = f
	}
	return out
}

// counted returns the facts that count: the first of each id, previews left out.
func counted(facts []fact) []fact {
	sorted := slices.Clone(facts)
	slices.SortStableFunc(sorted, func(a, b fact) int {
		if a.at != b.at {
			return int((a.at - b.at) / 1e6)
		}
		return int((a.known - b.known) / 1e6)
	})
	seen, previews := map[string]bool{}, map[string]bool{}
	sorted = slices.DeleteFunc(sorted, func(f fact) bool { again := seen[f.id]; seen[f.id] = true; return again })
	for _, f := range sorted {
		previews[f.key] = previews[f.key] || f.kind == preview
	}
	return slices.DeleteFunc(sorted, func(f fact) bool { return f.kind == quiz && previews[f.key] })
}

// here reports whether a fact shows the presence of the learner, by its kind
// alone.
func here(k kind) bool {
	return slices.Contains([]kind{visit, login, quiz, play, halt, jump, segments, watched, ticket}, k)
}

// presenceFault compares, for every day and every later day on which one may
// look back, whether the learner was there as the facts know it and as the rows
// do.
func presenceFault(facts []fact, rows []row) string {
	g := rules()
	type look struct{ day, from pipeline.Date }
	fromFacts, fromRows := map[look]bool{}, map[look]bool{}
	mark := func(m map[look]bool, at, known int64) {
		for from := g.day(known); from < g.day(at)+10; from++ {
			m[look{g.day(at), from}] = true
		}
	}
	for _, f := range counted(facts) {
		if here(f.kind) {
			mark(fromFacts, f.at, f.known)
		}
	}
	for i := range rows {
		if presence(&rows[i]) {
			mark(fromRows, rows[i].at, rows[i].known)
		}
	}
	return cmp.Diff(fromFacts, fromRows)
}

func search(fault func(rng *rand.Rand) string) string {
	for seed := range uint64(800) {
		if f := fault(rand.New(rand.NewPCG(seed, 5))); f != "" {
			return fmt.Sprintf("seed %d: %s", seed, f)
		}
	}
	return ""
}

// The law: as known on any day, the learner was there on exactly the days on
// which his own records, known by then, say so. No day is lost because records
// were joined, and none is told before it was known.
func TestPresenceLaw(t *testing.T) {
	if f := search(func(rng *rand.Rand) string {
		facts := anyFacts(rng)
		return presenceFault(facts, rules().rowsOf(slices.Clone(facts), &counts{}))
	}); f != "" {
		t.Error(f)
	}
}

// The law catches these rows.
func TestPresenceMutants(t *testing.T) {
	for name, spoil := range map[string]func(r *row){
		"rows are known at once":         func(r *row) { r.known = r.at },
		"visits have no row":             func(r *row) { r.kind = enrol * kind(b2i(r.kind == login)) },
		"rows are known with their days": func(r *row) { r.known += 86400e6 },
	} {
		if search(func(rng *rand.Rand) string {
			facts := anyFacts(rng)
			rows := rules().rowsOf(slices.Clone(facts), &counts{})
			for i := range rows {
				spoil(&rows[i])
			}
			return presenceFault(facts, rows)
		}) == "" {
			t.Errorf("mutant %q passes", name)
		}
	}
}

func b2i(b bool) int {
	if b {
		return 1
	}
	return 0
}

// The laws of single rows: a score and a time of watching are within their
// limits; no row is known before it happened; ids are unique; every fact is a row
// or folded.
func TestRowLaws(t *testing.T) {
	if f := search(func(rng *rand.Rand) string {
		var folded counts
		facts := anyFacts(rng)
		rows := rules().rowsOf(slices.Clone(facts), &folded)
		ids, own := map[string]bool{}, 0
		for _, r := range rows {
			if ids[r.id] {
				return "two rows have the id " + r.id
			}
			ids[r.id] = true
			if !strings.HasSuffix(r.id, "-visit") {
				own++
			}
			limit := map[kind]float64{quiz: 100, play: 180, segments: 2}[r.kind]
			if limit > 0 && (r.value < 0 || r.value > limit) || r.known < r.at {
				return fmt.Sprintf("row %+v", r)
			}
		}
		if sum := own + int(Total(folded.list())); sum != len(facts) {
			return fmt.Sprintf("%d facts, %d rows and %v folded", len(facts), own, folded.list())
		}
		return ""
	}); f != "" {
		t.Error(f)
	}
}

// The law: the union of stretches is what a ruler of tenths of a second sees.
func TestUnionEqualsRuler(t *testing.T) {
	if f := search(func(rng *rand.Rand) string {
		var all []stretch
		var ruler [1000]bool
		for range rng.IntN(6) {
			a, b := rng.IntN(1000), rng.IntN(1000)
			a, b = min(a, b), max(a, b)
			all = append(all, stretch{float64(a), float64(b)})
			for i := a; i < b; i++ {
				ruler[i] = true
			}
		}
		want := 0
		for _, on := range ruler {
			want += b2i(on)
		}
		if _, got := union(all); got != float64(want) {
			return fmt.Sprintf("%v: %v, want %d", all, got, want)
		}
		return ""
	}); f != "" {
		t.Error(f)
	}
}

// The law: reading what was put aside gives the same facts.
func TestFactCodec(t *testing.T) {
	if f := search(func(rng *rand.Rand) string {
		facts := anyFacts(rng)
		var page []byte
		for i := range facts {
			page = appendFact(page, &facts[i])
		}
		got, ok := readFacts([][]byte{page})
		if d := cmp.Diff(facts, got, cmp.AllowUnexported(fact{}), cmpopts.EquateNaNs(), cmpopts.EquateEmpty()); d != "" || !ok {
			return d
		}
		if _, ok := readFacts([][]byte{page[:max(len(page)-1, 0)]}); ok && len(page) > 0 {
			return "a page that was cut off is read"
		}
		return ""
	}); f != "" {
		t.Error(f)
	}
}

func TestTimesAndSpans(t *testing.T) {
	for text, want := range map[string]string{"2026-01-05T09:00:00Z": "2026-01-05T09:00:00Z", "2026-01-05 09:00:00.5": "2026-01-05T09:00:00Z", "2026-01-05T09:00:00.123456+00:00": "2026-01-05T09:00:00Z",
		"2026-01-05T09:00:00+0530": "2026-01-05T03:30:00Z", "2026-01-05T09:00:00-05": "2026-01-05T14:00:00Z", "2026-02-30T09:00:00Z": "", "1767600000": "", "": "", "0001-01-01T00:00:00Z": ""} {
		got := ""
		if at, ok := parseTime(text); ok {
			got = timeText(at.UnixMicro())
		}
		if got != want {
			t.Errorf("parseTime(%q) = %q, want %q", text, got, want)
		}
	}
	for text, want := range map[string]float64{"PT0S": 0, "PT1H2M3.5S": 3723.5, "PT10M": 600, "P1DT1S": 86401, "P2W": 1209600, "PT90M": 5400, "": -1, "P": -1, "PT": -1, "PT1S2M": -1, "P1Y": -1, "1H": -1, "PTS": -1, "PT1e9S": -1, "PT-1S": -1} {
		got := parseSpan(text)
		if math.IsNaN(got) {
			got = -1
		}
		if got != want {
			t.Errorf("parseSpan(%q) = %v, want %v", text, got, want)
		}
	}
}

// The law: rows do not depend on memory, cores or the number of buckets, but for
// the order of users over buckets.
func TestSameRowsAnyway(t *testing.T) {
	sorted := func(buckets int, memory int64, cores int) []string {
		defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(cores))
		dir := t.TempDir()
		job := Job{Preset: OpenEdX, Paths: []string{"testdata/openedx/in"}, MaxFaults: 0.2, Location: time.UTC, Memory: memory, TempDir: t.TempDir(), Format: table.CSV,
			UsersPath: filepath.Join(dir, "users.csv"), EventsPath: filepath.Join(dir, "events.csv"), buckets: buckets}
		if _, err := Run(t.Context(), job, Defaults()); err != nil {
			t.Fatal(err)
		}
		data, err := os.ReadFile(job.EventsPath)
		if err != nil {
			t.Fatal(err)
		}
		lines := strings.Split(string(data), "\n")
		slices.Sort(lines)
		return lines
	}
	want := sorted(1, 1<<30, 1)
	for _, x := range []struct {
		buckets int
		memory  int64
		cores   int
	}{{1, 4, 1}, {7, 1 << 30, 4}, {64, 4, 4}} {
		if d := cmp.Diff(want, sorted(x.buckets, x.memory, x.cores)); d != "" {
			t.Errorf("%+v\n%s", x, d)
		}
	}
}

func write(t testing.TB, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// What cannot be used is said with what to do, and nothing is written.
func TestRefusals(t *testing.T) {
	good := `{"verb":{"id":"http://adlnet.gov/expapi/verbs/experienced"},"actor":{"account":{"homePage":"https://a","name":"x"}},"timestamp":"2026-01-01T00:00:00Z"}` + "\n"
	other := strings.Replace(good, "https://a", "https://b", 1)
	for name, x := range map[string]struct {
		preset, text, users, want string
		rejection                 bool
	}{
		"too much cannot be read": {preset: XAPI, text: good + "{\n", want: "1 of 2 records cannot be read, more than validate.max_reject_rate allows; the first: ", rejection: true},
		"nothing":                 {preset: XAPI, text: "\n", want: "0 records hold no event of a learner", rejection: true},
		"another format":          {preset: Caliper, text: good, want: "hold no event of a learner", rejection: true},
		"two home pages":          {preset: XAPI, text: good + other, want: "import.home_pages=https://a"},
		"no such file":            {preset: XAPI, want: "no file matches"},
		"a table without ids":     {preset: OpenEdX, text: good, users: "name\nx\n", want: "has no column user_id or id"},
		"a user twice":            {preset: OpenEdX, text: good, users: "id\n1\n1\n", want: `line 3: id: "1" stands here for the second time`},
		"a day that is none":      {preset: OpenEdX, text: good, users: "id,date_joined\n1,2026-02-30\n", want: `line 2: date_joined: "2026-02-30" is not a date`},
		"unknown preset":          {preset: "canvas", text: good, want: "use moodle, openedx, xapi or caliper"},
	} {
		job := Job{Preset: x.preset, Paths: []string{filepath.Join(t.TempDir(), "none.json")}, MaxFaults: 0.01}
		if x.text != "" {
			job.Paths[0] = write(t, "in.json", x.text)
		}
		if x.users != "" {
			job.Users = write(t, "users.csv", x.users)
		}
		_, dir, err := importFiles(t, job, Defaults())
		if err == nil || !strings.Contains(err.Error(), x.want) || rejected(err) != x.rejection {
			t.Errorf("%s: %v", name, err)
		}
		if left, _ := os.ReadDir(dir); len(left) > 0 {
			t.Errorf("%s: left %v", name, left)
		}
	}
}

func TestMoodleRefusals(t *testing.T) {
	for name, x := range map[string]struct {
		files map[string]string
		want  string
	}{
		"no log":         {map[string]string{"mdl_user.csv": "id,timecreated\n1,1\n"}, "mdl_logstore_standard_log.csv"},
		"columns":        {map[string]string{"mdl_user.csv": "id,timecreated\n1,1\n", "mdl_logstore_standard_log.csv": "id,eventname\n1,x\n"}, "lacks the columns edulevel, userid"},
		"two user lists": {map[string]string{"mdl_user.csv": "id,timecreated\n1,1\n", "m_user.csv": "id,timecreated\n1,1\n", "mdl_logstore_standard_log.csv": "id\n1\n"}, "several tables of users"},
		"empty":          {map[string]string{"mdl_user.csv": "", "mdl_logstore_standard_log.csv": "id\n1\n"}, "is empty"},
		"tabs":           {map[string]string{"mdl_user.csv": "id\ttimecreated\n1\t1\n", "mdl_logstore_standard_log.csv": "id\n1\n"}, "separate columns with commas"},
		"semicolons":     {map[string]string{"mdl_user.csv": "id;timecreated\n1;1\n", "mdl_logstore_standard_log.csv": "id\n1\n"}, "separate columns with commas"},
		"backslashes":    {map[string]string{"mdl_user.csv": "id,timecreated,description\n1,1,\"a \\\"b\\\" c\"\n", "mdl_logstore_standard_log.csv": "id\n1\n"}, "write a quote inside of quotes twice"},
		"a short row":    {map[string]string{"mdl_user.csv": "id,timecreated\n1\n", "mdl_logstore_standard_log.csv": "id\n1\n"}, "has 1 of the 2 columns"},
	} {
		dir := t.TempDir()
		for file, text := range x.files {
			if err := os.WriteFile(filepath.Join(dir, file), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if _, _, err := importFiles(t, Job{Preset: Moodle, Paths: []string{dir}}, Defaults()); err == nil || !strings.Contains(err.Error(), x.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A folder stands for the files in it and below: not for hidden ones, nor for
// others; and it may be a link, as volumes are.
func TestFolders(t *testing.T) {
	dir := t.TempDir()
	for _, path := range []string{"b.log", "2026/01/a.log-20260101.gz", "2026/notes.txt", ".old/c.log"} {
		if err := os.MkdirAll(filepath.Join(dir, filepath.Dir(path)), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, path), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(dir, link); err != nil {
		t.Fatal(err)
	}
	got, err := expand([]string{link}, ".log", ".json")
	if want := []string{filepath.Join(link, "2026/01/a.log-20260101.gz"), filepath.Join(link, "b.log")}; err != nil || !slices.Equal(got, want) {
		t.Errorf("%v, %v, want %v", got, err, want)
	}
}

// Aliases add names, change their meaning, and leave them out.
func TestAliases(t *testing.T) {
	p := Defaults()
	p.Aliases = []string{"https://example.org/verbs/danced/=support_ticket", "http://adlnet.gov/expapi/verbs/experienced=drop"}
	if err := p.Validate(); err != nil {
		t.Fatal(err)
	}
	result, _, err := importFiles(t, Job{Preset: XAPI, Paths: []string{"testdata/xapi/in/statements.jsonl"}, MaxFaults: 0.2}, p)
	if err != nil {
		t.Fatal(err)
	}
	balance(t, &result.Report, 0)
	if len(result.Report.Unknown) != 0 || !slices.Contains(result.Report.Events, Count{pipeline.SupportTicket, 1}) {
		t.Errorf("unknown %v, events %v", result.Report.Unknown, result.Report.Events)
	}
	if i := slices.IndexFunc(result.Report.Dropped, func(c Count) bool { return c.What == dropAlias }); i < 0 {
		t.Errorf("dropped %v", result.Report.Dropped)
	}
	for _, bad := range []string{"x", "=login", "x=payment", ""} {
		p.Aliases = []string{bad}
		if err := p.Validate(); err == nil || !strings.Contains(err.Error(), "import.aliases") {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

// With the mobile application's rows taken, ben's visit by ws counts.
func TestDropOrigins(t *testing.T) {
	p := Defaults()
	p.DropOrigins = []string{"cli"}
	result, _, err := importFiles(t, Job{Preset: Moodle, Paths: []string{"testdata/moodle/in"}, MaxFaults: 0.2}, p)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Contains(result.Report.Events, Count{pipeline.Login, 7}) {
		t.Errorf("events %v, want one login more than the golden 6", result.Report.Events)
	}
}

// Parquet tables read like CSV ones.
func TestMoodleParquet(t *testing.T) {
	dir := t.TempDir()
	paths, err := filepath.Glob("testdata/moodle/in/*.csv")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range paths {
		toParquet(t, path, filepath.Join(dir, strings.TrimSuffix(filepath.Base(path), ".csv")+".parquet"))
	}
	result, out, err := importFiles(t, Job{Preset: Moodle, Paths: []string{dir}, MaxFaults: 0.2}, Defaults())
	if err != nil {
		t.Fatal(err)
	}
	balance(t, &result.Report, 1)
	for _, name := range []string{"users.csv", "events.csv"} {
		want, _ := os.ReadFile(filepath.Join("testdata/moodle", name))
		got, _ := os.ReadFile(filepath.Join(out, name))
		if d := cmp.Diff(string(want), string(got)); d != "" {
			t.Errorf("%s (-csv +parquet)\n%s", name, d)
		}
	}
	if e := result.Report.Examples; len(e) != 1 || !strings.Contains(e[0], "row 23") {
		t.Errorf("examples %v", e)
	}
}

func toParquet(t *testing.T, from, to string) {
	t.Helper()
	r, err := table.Open(from)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	var schema table.Schema
	for _, name := range r.Header() {
		schema = append(schema, table.Column{Name: name, Kind: table.Text})
	}
	w, err := table.Create(to, table.Parquet, schema)
	if err != nil {
		t.Fatal(err)
	}
	b := w.NewBatch()
	err = r.Each(func(rec *table.Record) error {
		for i := range schema {
			b.Text(string(rec.Field(i)))
		}
		b.EndRow()
		return nil
	})
	if err == nil {
		err = w.Append(b)
	}
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Commit(); err != nil {
		t.Fatal(err)
	}
}
