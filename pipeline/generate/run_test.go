package generate

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"churn/internal/table"
	"churn/pipeline"
)

// small is a world of two chunks and a few weeks.
func small(format table.Format) Params {
	p := Defaults()
	p.Users, p.Days, p.Format = chunkUsers+300, 26, format
	return p
}

func runSmall(t *testing.T, p Params) Report {
	t.Helper()
	r, err := Run(t.Context(), p, t.TempDir(), nil)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func digests(r Report) (all []string) {
	for _, o := range r.Outputs {
		all = append(all, o.SHA256)
	}
	return all
}

func TestSameBytesWhateverTheCores(t *testing.T) {
	for format, cores := range map[table.Format][]int{table.CSV: {1, 2, 5}, table.Parquet: {1, 2}} {
		p := small(format)
		var first []string
		for _, cores := range cores {
			was := runtime.GOMAXPROCS(cores)
			got := digests(runSmall(t, p))
			runtime.GOMAXPROCS(was)
			if first == nil {
				first = got
			}
			if !slices.Equal(got, first) {
				t.Errorf("%s: %d cores give other bytes than one", format, cores)
			}
		}
		if format == table.Parquet {
			continue // the same world: what differs as text differs here
		}
		p.Seed++
		for i, d := range digests(runSmall(t, p)) {
			if d == first[i] {
				t.Errorf("%s: another seed gives the same file %d", format, i)
			}
		}
	}
}

func TestParquetHoldsTheRowsOfCSV(t *testing.T) {
	asText, asParquet := runSmall(t, small(table.CSV)), runSmall(t, small(table.Parquet))
	for i := range asText.Outputs {
		a, b := readRows(t, asText.Outputs[i].Path), readRows(t, asParquet.Outputs[i].Path)
		if !slices.EqualFunc(a, b, slices.Equal[[]string]) {
			t.Errorf("%s and %s differ", asText.Outputs[i].Path, asParquet.Outputs[i].Path)
		}
	}
}

// readRows returns the header and all rows of a table.
func readRows(t *testing.T, path string) [][]string {
	t.Helper()
	r, err := table.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	rows := [][]string{r.Header()}
	for {
		block, err := r.ReadBlock()
		if errors.Is(err, io.EOF) {
			return rows
		}
		if err != nil {
			t.Fatal(err)
		}
		rec := block.Scan()
		for rec.Next() {
			rows = append(rows, rec.Strings())
		}
		if rec.Err() != nil {
			t.Fatal(rec.Err())
		}
	}
}

func TestFilesKeepTheContract(t *testing.T) {
	p := small(table.CSV)
	p.Drifts = []Drift{{DriftBots, p.StartDate + 13}, {DriftPricing, p.StartDate + 13}, {DriftContent, p.StartDate + 13}}
	var steps []int64
	r, err := Run(t.Context(), p, t.TempDir(), func(done, total int64) { steps = append(steps, done*1000+total) })
	if err != nil {
		t.Fatal(err)
	}
	if len(steps) != p.Days || !slices.IsSorted(steps) || steps[p.Days-1] != int64(p.Days)*1001 {
		t.Errorf("progress %v", steps)
	}
	users, events := readRows(t, r.Outputs[usersFile].Path), readRows(t, r.Outputs[eventsFile].Path)
	signup := map[string]string{}
	for _, u := range users[1:] {
		signup[u[0]] = u[1]
	}
	checkUsers(t, p, users)
	if err := faultOfEvents(events, signup); err != nil {
		t.Error(err)
	}
	mutateEvents(t, events, signup)
	checkReport(t, p, r, events)
	checkTruth(t, p, readRows(t, r.Outputs[truthFile].Path), signup)
}

func checkUsers(t *testing.T, p Params, rows [][]string) {
	t.Helper()
	if got := strings.Join(rows[0], ","); got != "user_id,signup_date,plan,is_paid,country,marketing_source" {
		t.Errorf("users header %s", got)
	}
	if len(rows) != p.Users+1 {
		t.Errorf("%d users", len(rows)-1)
	}
	paid := 0
	for i, u := range rows[1:] {
		if u[2] == "paid" {
			paid++
		}
		if u[0] != strconv.Itoa(i+1) || u[1] > p.last().String() || (u[2] == "paid") != (u[3] == "1") || u[4] == "" || u[5] == "" {
			t.Fatalf("user %v", u)
		}
	}
	if share := float64(paid) / float64(p.Users); share < p.PaidRatio-0.04 || share > p.PaidRatio+0.04 {
		t.Errorf("%.3f of users pay, want about %.2f", share, p.PaidRatio)
	}
}

// faultOfEvents returns the first breach of the data contract.
func faultOfEvents(rows [][]string, signup map[string]string) error {
	if got := strings.Join(rows[0], ","); got != "event_id,user_id,event_time,event_type,course_id,watch_minutes,quiz_score,amount" {
		return fmt.Errorf("header %s", got)
	}
	before := ""
	for i, e := range rows[1:] {
		if e[0] != strconv.Itoa(i+1) {
			return fmt.Errorf("row %d has event_id %s", i+1, e[0])
		}
		if e[2] < before {
			return fmt.Errorf("event %s at %s comes after %s", e[0], e[2], before)
		}
		before = e[2]
		if s, known := signup[e[1]]; !known || e[2][:10] < s {
			return fmt.Errorf("event %s at %s of user %s, who signed up on %q", e[0], e[2], e[1], s)
		}
		if _, err := time.Parse("2006-01-02T15:04:05", e[2]); err != nil {
			return err
		}
		if err := faultOfCells(e); err != nil {
			return fmt.Errorf("event %v: %w", e, err)
		}
	}
	return nil
}

// faultOfCells checks which cells are filled, their ranges and their decimals.
func faultOfCells(e []string) error {
	want := map[string][4]bool{ // course, minutes, score, amount
		pipeline.Login: {}, pipeline.SupportTicket: {}, pipeline.CourseEnroll: {0: true},
		pipeline.VideoWatch: {0: true, 1: true}, pipeline.QuizAttempt: {0: true, 2: true},
		pipeline.PaymentSuccess: {3: true}, pipeline.PaymentFailed: {3: true},
	}
	filled, known := want[e[3]]
	if !known {
		return errors.New("unknown type")
	}
	limits := [4][2]float64{1: {0.01, 1440}, 2: {0, 100}, 3: {0.01, 1000}}
	decimals := [4]int{1: 2, 2: 1, 3: 2}
	for i, cell := range e[4:] {
		if (cell != "") != filled[i] {
			return fmt.Errorf("column %d is %q", i+4, cell)
		}
		if cell == "" || i == 0 {
			continue
		}
		v, err := strconv.ParseFloat(cell, 64)
		if _, fraction, _ := strings.Cut(cell, "."); err != nil || v < limits[i][0] || v > limits[i][1] || len(fraction) > decimals[i] {
			return fmt.Errorf("column %d is %q", i+4, cell)
		}
	}
	return nil
}

// mutateEvents plants faults, each of which faultOfEvents must find.
func mutateEvents(t *testing.T, rows [][]string, signup map[string]string) {
	t.Helper()
	i := len(rows) / 2
	quiz := slices.IndexFunc(rows, func(e []string) bool { return e[3] == pipeline.QuizAttempt })
	for _, m := range []struct {
		row, column int
		value       string
	}{
		{i, 0, "0"}, {i, 1, "x"}, {i, 2, "2000-01-01T00:00:00"}, {i, 2, "2025-01-32T00:00:00"}, {i, 3, "dance"}, {i, 7, "1"},
		{quiz, 6, "100.1"}, {quiz, 6, "-1"}, {quiz, 6, "50.25"}, {quiz, 6, ""}, {quiz, 4, ""},
	} {
		was := rows[m.row][m.column]
		rows[m.row][m.column] = m.value
		if faultOfEvents(rows, signup) == nil {
			t.Errorf("column %s = %q passes", rows[0][m.column], m.value)
		}
		rows[m.row][m.column] = was
	}
}

func checkReport(t *testing.T, p Params, r Report, events [][]string) {
	t.Helper()
	payments := 0
	for _, e := range events[1:] {
		if strings.HasPrefix(e[3], "payment_") {
			payments++
		}
	}
	n := len(events) - 1
	if r.Users != int64(p.Users) || r.Events != int64(n) || r.Payments != int64(payments) || r.Outputs[eventsFile].Rows != int64(n) {
		t.Errorf("report %+v for %d events, %d payments", r, n, payments)
	}
	if r.First.String() != events[1][2][:10] || r.Last.String() != events[n][2][:10] {
		t.Errorf("report from %s to %s", r.First, r.Last)
	}
	if info, err := os.Stat(r.Outputs[eventsFile].Path); err != nil || info.Size() != r.Outputs[eventsFile].Bytes {
		t.Errorf("size %v, reported %d, %v", info.Size(), r.Outputs[eventsFile].Bytes, err)
	}
}

func checkTruth(t *testing.T, p Params, rows [][]string, signup map[string]string) {
	t.Helper()
	if got := strings.Join(rows[0], ","); got != "user_id,as_of_date,hazard,state,churn_date,churn_probability_30d" {
		t.Errorf("truth header %s", got)
	}
	dates := map[string]int{}
	for _, v := range rows[1:] {
		dates[v[1]]++
		if signup[v[0]] > v[1] || v[4] > v[1] || (v[4] != "") != (v[3] == "gone") {
			t.Fatalf("truth %v of a user of %s", v, signup[v[0]])
		}
	}
	if len(dates) != 4 || dates[p.last().String()] != p.Users { // days 4, 11, 18, 25
		t.Errorf("rows by date: %v", dates)
	}
}

func TestCancelLeavesNoFiles(t *testing.T) {
	dir := t.TempDir()
	ctx, cancel := context.WithCancel(t.Context())
	_, err := Run(ctx, small(table.CSV), dir, func(done, _ int64) {
		if done == 9 {
			cancel()
		}
	})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
	if left, _ := filepath.Glob(filepath.Join(dir, "*")); len(left) > 0 {
		t.Errorf("left %v", left)
	}
	if left, _ := filepath.Glob(filepath.Join(dir, ".*")); len(left) > 0 {
		t.Errorf("left %v", left)
	}
}

func TestRunSaysWhatItCannotWrite(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := Run(t.Context(), small(table.CSV), file, nil); err == nil || !strings.Contains(err.Error(), "create "+file) {
		t.Errorf("error %v", err)
	}
}

// TestTinyWorlds runs the corners: one user, one day, nobody or everybody
// paying, hardly any or nearly all leaving, a drift in force from the start.
func TestTinyWorlds(t *testing.T) {
	for _, change := range []func(*Params){
		func(p *Params) { p.Users, p.Days = 1, 1 },
		func(p *Params) { p.Users, p.Days = 1, 400 },
		func(p *Params) { p.Users, p.Days = 300, 1 },
		func(p *Params) { p.PaidRatio = 0 },
		func(p *Params) { p.PaidRatio, p.ChurnBaseRate = 1, 0.999 },
		func(p *Params) { p.ChurnBaseRate = 1e-9 },
		func(p *Params) { p.Drifts = []Drift{{DriftBots, p.StartDate - 900}} },
		func(p *Params) { p.StartDate = pipeline.DateFromCivil(1900, 1, 1) },
	} {
		p := Defaults()
		p.Users, p.Days = 200, 60
		change(&p)
		r, err := Run(t.Context(), p, t.TempDir(), nil)
		if err != nil {
			t.Errorf("%+v: %v", p, err)
		}
		if p.PaidRatio == 0 && r.Payments > 0 {
			t.Errorf("%d payments where nobody pays", r.Payments)
		}
	}
}
