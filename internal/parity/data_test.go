package parity

import (
	"compress/gzip"
	"encoding/csv"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"churn/pipeline/source"
)

// data is users and events as texts, in the order of the contract's columns;
// "" is NULL.
type data struct {
	zone    string // source.timezone
	zoned   bool   // times have a zone
	lenient bool   // numbers out of their range are a warning
	strict  bool   // events before signup, and users whose plan is another than what they pay, are rejected
	numbers string // type of the quantities: double or decimal
	whole   bool   // ids are of type int
	users   [][]string
	events  [][]string
}

// write puts the data into files.
func (d *data) write(t *testing.T) source.Files {
	t.Helper()
	dir := t.TempDir()
	put := func(name string, header []string, rows [][]string) string {
		path := filepath.Join(dir, name)
		f, err := os.Create(path)
		if err != nil {
			t.Fatal(err)
		}
		w := csv.NewWriter(f)
		if err := w.WriteAll(append([][]string{header}, rows...)); err != nil {
			t.Fatal(err)
		}
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
		return path
	}
	return source.Files{Users: []string{put("users.csv", source.UserColumns(), d.users)}, Events: []string{put("events.csv", source.EventColumns(), d.events)}}
}

// shared reads the data of the original course.
func shared(t *testing.T) *data {
	t.Helper()
	root := os.Getenv("CHURN_SHARED")
	if root == "" {
		root = "../../../shared"
	}
	dir := filepath.Join(root, "parity", "seed_small", "raw")
	if _, err := os.Stat(dir); err != nil {
		t.Skipf("the data of the original course is not at %s; set CHURN_SHARED to the folder that has parity/", dir)
	}
	d := &data{zone: "UTC", numbers: "double"}
	for _, row := range readCSV(t, filepath.Join(dir, "users.csv")) {
		d.users = append(d.users, row[:6])
	}
	for _, row := range readCSV(t, filepath.Join(dir, "events.csv.gz")) {
		d.events = append(d.events, append(row, ""))
	}
	return d
}

// readCSV returns the rows of a file, without the header.
func readCSV(t *testing.T, path string) [][]string {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	in := csv.NewReader(f)
	if filepath.Ext(path) == ".gz" {
		z, err := gzip.NewReader(f)
		if err != nil {
			t.Fatal(err)
		}
		in = csv.NewReader(z)
	}
	rows, err := in.ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	return rows[1:]
}

// edges has every trap that could tell one engine from another. Times lie
// around midnight and, in Berlin, around both changes of the clocks. zoned
// tells whether they are instants.
func edges(zoned bool) *data {
	d := &data{zone: "Europe/Berlin", zoned: zoned, numbers: "decimal"}
	user := func(id, signup, plan, paid string) {
		d.users = append(d.users, []string{id, signup, plan, paid, "DE", "ads"})
	}
	user("10", "2026-03-01", "free", "0")
	user("9", "2026-03-01", "paid", "1")
	user("007", "2026-03-01", "free", "0")
	user("7", "2026-03-01", "free", "0")
	user("9007199254740993", "2026-03-01", "free", "0") // 2^53 + 1
	user("9007199254740992", "2026-03-01", "free", "0")
	user("123456789012345678901234567890", "2026-03-01", "paid", "1")
	user("b-user", "2026-03-01", "free", "0")
	user("B-user", "2026-03-01", "free", "0")
	user("ä-user", "2026-03-01", "free", "0")
	user("a_user's \"x\"", "2026-03-01", "free", "0")
	user("never", "2026-03-05", "paid", "1")
	user("odd plan", "2026-03-01", "gold", "1") // rejected
	user("mismatch", "2026-03-01", "paid", "0") // a warning
	user("future", "2026-09-01", "free", "0")   // rejected: signs up after today
	user("no signup", "", "free", "0")          // rejected
	user("", "2026-03-01", "free", "0")         // rejected
	user("7", "2026-03-01", "free", "0")        // rejected: stands already
	user(" 10 ", "2026-03-01", "free", "0")     // rejected: blanks do not count
	d.users[1][4], d.users[2][5] = "", ""       // NULL country and source

	n := 0
	event := func(user, at, kind, course, minutes, score, amount, known string) {
		n++
		d.events = append(d.events, []string{"e" + strconv.Itoa(n), user, d.time(at), kind, course, minutes, score, amount, d.time(known)})
	}
	for i, id := range []string{"10", "9", "007", "7", "9007199254740993", "9007199254740992", "123456789012345678901234567890", "b-user", "B-user", "ä-user", "a_user's \"x\""} {
		event(id, fmt.Sprintf("2026-03-%02d 12:00:00", 2+i), "login", "", "", "", "", "")
	}
	event("10", "2026-03-10 23:59:59", "video_watch", "go", "0.1", "", "", "")
	event("10", "2026-03-11 00:00:00", "video_watch", "go", "0.2", "", "", "")
	event("10", "2026-03-10 00:00:00", "video_watch", "sql", "0.7", "", "", "")
	for range 11 { // in binary fractions the sum depends on the order
		event("10", "2026-03-10 08:00:00", "video_watch", "go", "0.1", "", "", "")
	}
	event("10", "2026-03-10 09:00:00.999999", "quiz_attempt", "go", "", "33.333333", "", "")
	event("10", "2026-03-10 09:30:00", "quiz_attempt", "a,b|c;\"d\"", "", "0", "", "")
	event("10", "2026-03-29 01:59:59", "login", "", "", "", "", "") // the hour that follows does not exist in Berlin
	event("10", "2026-03-29 03:00:00", "login", "", "", "", "", "")
	event("10", "2026-03-29 23:59:59", "login", "", "", "", "", "")
	event("10", "2026-03-30 00:00:00", "login", "", "", "", "", "")
	event("9", "2026-02-27 10:00:00", "login", "", "", "", "", "") // before signup: a warning
	event("9", "2026-03-01 00:00:00", "course_enroll", "go", "", "", "", "")
	event("9", "2026-03-31 00:00:00", "payment_success", "", "", "", "19.99", "") // 30 days after
	event("9", "2026-03-30 23:59:59", "payment_failed", "", "", "", "19.99", "")
	event("9", "2026-03-31 10:00:00", "payment_success", "", "", "", "0.01", "2026-04-20 10:00:00") // known late
	event("9", "2026-03-31 10:00:00", "video_watch", "go", "5", "", "", "2026-04-02 00:00:00")
	event("9", "2026-03-31 11:00:00", "video_watch", "sql", "1000000", "", "", "2026-03-31 11:00:00")
	event("9", "2026-04-10 10:00:00", "support_ticket", "", "", "", "0", "")
	event("9", "2026-04-10 10:00:00", "login", "", "", "", "3.5", "")                        // an amount that is none
	event("9", "2026-04-10 10:00:00", "payment_success", "", "", "", "", "")                 // rejected: no amount
	event("9", "2026-04-10 10:00:00", "payment_success", "", "", "", "-1", "")               // rejected
	event("9", "2026-04-10 10:00:00", "video_watch", "go", "-0.5", "", "", "")               // rejected
	event("9", "2026-04-10 10:00:00", "quiz_attempt", "go", "", "100.000001", "", "")        // rejected
	event("9", "2026-04-10 10:00:00", "quiz_attempt", "go", "", "100", "", "")               //
	event("9", "2026-04-10 10:00:00", "login", "", "", "", "", "2026-04-10 09:59:59")        // rejected: known before
	event("9", "2026-04-10 10:00:00.900000", "login", "", "", "", "", "2026-04-10 10:00:00") // the same second
	event("9", "2026-04-10 10:00:00", "login", "", "", "", "", "2026-09-10 10:00:00")        // rejected: known after today
	event("9", "2026-09-10 10:00:00", "login", "", "", "", "", "")                           // rejected: after today
	event("9", "", "login", "", "", "", "", "")                                              // rejected: no time
	event("9", "", "login", "", "", "", "", "2026-04-10 10:00:00")                           // rejected: no time
	event("9", "2026-04-10 10:00:00", "dance", "", "", "", "", "")                           // rejected: no such type
	event("9", "2026-04-10 10:00:00", "", "", "", "", "", "")                                // rejected
	event("stranger", "2026-04-10 10:00:00", "login", "", "", "", "", "")                    // rejected
	event("odd plan", "2026-04-10 10:00:00", "login", "", "", "", "", "")                    // rejected with its user
	event("", "2026-04-10 10:00:00", "login", "", "", "", "", "")                            // rejected
	event("mismatch", "2026-04-30 23:59:59", "login", "", "", "", "", "")                    // the last day
	event("7", "2026-02-20 10:00:00", "login", "", "", "", "", "2026-04-01 10:00:00")        // the first day, known late
	event(" 7 ", "2026-04-11 10:00:00", " login ", " go ", "", "", "", "")                   // blanks do not count
	event("9", "2026-04-12 10:00:00", "course_complete", "go", "", "", "", "")
	event("9", "2026-04-12 10:00:00", "course_enroll", "sql", "", "", "", "2026-04-20 00:00:00")
	event("9", "2026-04-12 11:00:00", "course_enroll", "", "", "", "", "") // no course is named
	event("9", "2026-04-12 12:00:00", "course_complete", "a:b", "", "", "", "")
	again := func(i int, known string) {
		row := append([]string(nil), d.events[i]...)
		row[8] = d.time(known)
		d.events = append(d.events, row)
	}
	again(0, "")                    // the same row twice
	again(1, "2026-04-15 00:00:00") // known again later: the first counts
	d.events = append(d.events, d.events[0], d.events[0])
	d.events[3][8] = d.time("2026-04-20 00:00:00")
	again(3, "2026-04-05 00:00:00")                                       // known earlier, though it stands later
	d.events = append(d.events, append([]string{""}, d.events[5][1:]...)) // rejected: no id
	return d
}

// time writes a time as it is in Berlin: with its zone where times have one.
func (d *data) time(wall string) string {
	if !d.zoned || wall == "" {
		return wall
	}
	loc, err := time.LoadLocation(d.zone)
	if err != nil {
		panic(err)
	}
	at, err := time.ParseInLocation("2006-01-02 15:04:05", wall, loc)
	if err != nil {
		panic(err)
	}
	return at.UTC().Format("2006-01-02 15:04:05.999999") + "Z"
}

// random makes data by seed: many days, late facts, repeated ids.
func random(seed uint64, numbers string) *data {
	rng := rand.New(rand.NewPCG(seed, 8))
	d := &data{zone: []string{"UTC", "America/New_York", "Asia/Kolkata", "Europe/Berlin"}[seed%4], zoned: seed%2 == 1, numbers: numbers, whole: seed == 2 || seed == 4}
	least := 1
	if d.whole {
		least = -20
	}
	for i := range 200 {
		plan := rng.IntN(2)
		d.users = append(d.users, []string{strconv.Itoa(least + i*7%200), fmt.Sprintf("2026-01-%02d", 1+rng.IntN(31)), []string{"free", "paid"}[plan], strconv.Itoa(plan), "C" + strconv.Itoa(rng.IntN(5)), ""})
	}
	number := func(limit, digits int) string {
		if rng.IntN(3) == 0 {
			return ""
		}
		if numbers == "double" {
			return strconv.FormatFloat(rng.Float64()*float64(limit), 'g', -1, 64)
		}
		return fmt.Sprintf("%d.%0*d", rng.IntN(limit), digits, rng.IntN(pow10(digits)))
	}
	kinds := []string{"login", "course_enroll", "video_watch", "quiz_attempt", "payment_success", "payment_failed", "support_ticket", "course_complete"}
	for i := range 2000 {
		at := time.Date(2026, 1, 1, 0, 0, rng.IntN(120*86400), 0, time.UTC)
		known := ""
		if rng.IntN(5) == 0 {
			known = d.time(at.Add(time.Duration(rng.IntN(20*86400)) * time.Second).Format("2006-01-02 15:04:05"))
		}
		kind, amount := kinds[rng.IntN(len(kinds))], ""
		if kind[:2] == "pa" {
			amount = strconv.FormatFloat(float64(1+rng.IntN(10000))/100, 'f', 2, 64)
		}
		row := []string{strconv.Itoa(i), strconv.Itoa(least + rng.IntN(200)), d.time(at.Format("2006-01-02 15:04:05")), kind, []string{"", "go", "sql", "k8s"}[rng.IntN(4)], number(90, 9), number(99, 6), amount, known}
		if d.whole && i%70 < 2 {
			row[i%70] = "" // rejected: no id, or no user
		}
		d.events = append(d.events, row)
		if rng.IntN(50) == 0 {
			d.events = append(d.events, row)
		}
	}
	rng.Shuffle(len(d.events), func(i, j int) { d.events[i], d.events[j] = d.events[j], d.events[i] })
	return d
}

func pow10(n int) int {
	out := 1
	for range n {
		out *= 10
	}
	return out
}
