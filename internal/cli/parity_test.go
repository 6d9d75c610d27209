package cli_test

import (
	"compress/gzip"
	"encoding/csv"
	"fmt"
	"io"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// sheet is a table as text.
type sheet struct {
	path   string
	header []string
	rows   [][]string
}

// readSheet reads a CSV file, which may be compressed, through encoding/csv,
// the twin of our own reader.
func readSheet(t *testing.T, path string) sheet {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var in io.Reader = f
	if strings.HasSuffix(path, ".gz") {
		if in, err = gzip.NewReader(f); err != nil {
			t.Fatal(err)
		}
	}
	all, err := csv.NewReader(in).ReadAll()
	if err != nil || len(all) == 0 {
		t.Fatalf("%s: %d lines, %v", path, len(all), err)
	}
	return sheet{path, all[0], all[1:]}
}

// cell returns the value of a column in a row.
func (s *sheet) cell(t *testing.T, row int, column string) string {
	t.Helper()
	i := slices.Index(s.header, column)
	if i < 0 {
		t.Fatalf("%s has no column %s", s.path, column)
	}
	return s.rows[row][i]
}

// find returns the row of a user at an as-of date.
func (s *sheet) find(t *testing.T, user, asOf string) int {
	t.Helper()
	i := slices.IndexFunc(s.rows, func(r []string) bool { return r[0] == user && r[1] == asOf })
	if i < 0 {
		t.Fatalf("%s has no row of user %s at %s", s.path, user, asOf)
	}
	return i
}

// sameCell reports whether two cells agree: as text, or as numbers to 1e-9
// relative (pandas and we add in a different order). Null equals null only.
func sameCell(a, b string) bool {
	if a == b {
		return true
	}
	x, errX := strconv.ParseFloat(a, 64)
	y, errY := strconv.ParseFloat(b, 64)
	return errX == nil && errY == nil && math.Abs(x-y) <= 1e-9*math.Max(math.Abs(x), math.Abs(y))
}

// sameSheets compares two tables row by row and column by column. Columns are
// found by name; engagement_score, a latent of the course's generator and so a
// leak, is the one that we leave out.
func sameSheets(t *testing.T, want, got sheet) {
	t.Helper()
	wanted := slices.DeleteFunc(slices.Clone(want.header), func(c string) bool { return c == "engagement_score" })
	if a, b := slices.Sorted(slices.Values(wanted)), slices.Sorted(slices.Values(got.header)); !slices.Equal(a, b) {
		t.Fatalf("%s: columns\n%v\nwant\n%v", got.path, b, a)
	}
	if len(got.rows) != len(want.rows) {
		t.Fatalf("%s: %d rows, want %d", got.path, len(got.rows), len(want.rows))
	}
	for _, column := range wanted {
		i, k, faults := slices.Index(want.header, column), slices.Index(got.header, column), 0
		for row := range want.rows {
			if a, b := want.rows[row][i], got.rows[row][k]; !sameCell(a, b) {
				if faults++; faults <= 3 {
					t.Errorf("%s row %d (user %s, %s) %s = %q, want %q", filepath.Base(got.path), row+1, want.rows[row][0], want.rows[row][1], column, b, a)
				}
			}
		}
	}
}

// shared returns the folder that lies beside the repository, or skips.
func shared(t *testing.T, name string) string {
	t.Helper()
	root := os.Getenv("CHURN_SHARED")
	if root == "" {
		root = filepath.Join("..", "..", "..", "shared")
	}
	path, err := filepath.Abs(filepath.Join(root, filepath.FromSlash(name)))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(path); err != nil {
		t.Skipf("the shared data set is not here (%v): its terms do not allow it into the repository; name the folder that holds parity/ with CHURN_SHARED=DIR", err)
	}
	return path
}

// The law: under the profile seed our tables equal those that the original
// course's pandas pipeline computed (shared/README.md says how).
func TestParityWithTheCourse(t *testing.T) {
	data := shared(t, "parity/seed_small")
	dir := t.TempDir()
	for _, command := range []string{"prepare", "features", "labels"} {
		churn(t, dir, "--profile", "seed", "--set", "source.users="+filepath.Join(data, "raw", "users.csv"),
			"--set", "source.events="+filepath.Join(data, "raw", "events.csv.gz"), command)
	}
	for ours, theirs := range map[string]string{
		"processed/users_clean.csv":        "users_clean.csv",
		"processed/user_daily.csv":         "user_daily.csv.gz",
		"features/user_features_daily.csv": "user_features_daily.csv.gz",
		"processed/labels_daily.csv":       "labels_daily.csv.gz",
		"features/training_dataset.csv":    "training_dataset.csv.gz",
	} {
		sameSheets(t, readSheet(t, filepath.Join(data, "expected", theirs)), readSheet(t, filepath.Join(dir, "data", ours)))
	}
}

// The comparison of TestParityWithTheCourse must see what it is there to see.
func TestParityMutants(t *testing.T) {
	for _, x := range []struct {
		a, b string
		same bool
	}{{"1", "1.0", true}, {"0.1", "0.10000000001", true}, {"0.1", "0.1000000002", false}, {"", "0", false}, {"0", "", false}, {"a", "b", false}, {"-1", "1", false}, {"0", "1e-300", false}} {
		if sameCell(x.a, x.b) != x.same {
			t.Errorf("sameCell(%q, %q) = %v", x.a, x.b, !x.same)
		}
	}
}

// A case small enough to compute by hand: ten days from Thursday 2026-01-01 to
// Saturday 2026-01-10. b's country is empty; c signed up and never came.
const (
	handUsers = `user_id,signup_date,plan,is_paid,country,marketing_source
a,2025-12-30,paid,1,DE,ads
b,2026-01-04,free,0,,organic
c,2026-01-06,free,0,FR,ads
`
	// Minutes and scores are binary fractions, so that sums are exact. The last
	// quiz has no score. The rows are out of order on purpose.
	handEvents = `event_id,user_id,event_time,event_type,course_id,watch_minutes,quiz_score,amount
13,b,2026-01-10T08:00:00,quiz_attempt,x,,,
1,a,2026-01-01T09:00:00,login,,,,
2,a,2026-01-01T09:05:00,video_watch,x,30.5,,
3,a,2026-01-01T10:00:00,quiz_attempt,x,,80,
4,a,2026-01-01T10:30:00,quiz_attempt,x,,60,
5,a,2026-01-01T11:00:00,payment_success,,,,20
6,a,2026-01-03T12:00:00,payment_failed,,,,20
7,a,2026-01-05T00:00:00,support_ticket,,,,
8,a,2026-01-05T01:00:00,course_enroll,y,,,
9,a,2026-01-05T23:59:59,quiz_attempt,y,,100,
10,a,2026-01-08T09:00:00,login,,,,
11,a,2026-01-08T09:10:00,video_watch,y,10.25,,
12,b,2026-01-10T08:30:00,video_watch,x,4,,
14,b,2026-01-04T07:00:00,login,,,,
15,b,2026-01-04T08:00:00,login,,,,
16,b,2026-01-06T10:00:00,payment_success,,,,5.5
17,b,2026-01-06T11:00:00,payment_failed,,,,5.5
`
)

// handRow is what one row must hold.
type handRow struct {
	user, asOf string
	want       map[string]string
}

func checkHandRows(t *testing.T, s sheet, rows []handRow) {
	t.Helper()
	for _, r := range rows {
		row := s.find(t, r.user, r.asOf)
		for _, column := range slices.Sorted(maps.Keys(r.want)) {
			if got := s.cell(t, row, column); !sameCell(r.want[column], got) {
				t.Errorf("%s: user %s at %s: %s = %q, want %q", filepath.Base(s.path), r.user, r.asOf, column, got, r.want[column])
			}
		}
	}
}

// runHandCase runs the hand case with a label window of 3 days.
func runHandCase(t *testing.T, args ...string) (table func(name string) sheet) {
	t.Helper()
	dir := t.TempDir()
	writeFile(t, filepath.Join(dir, "data/raw/users.csv"), handUsers)
	writeFile(t, filepath.Join(dir, "data/raw/events.csv"), handEvents)
	for _, command := range []string{"prepare", "features", "labels"} {
		churn(t, dir, append(args, "--set", "labels.window_days=3", command)...)
	}
	return func(name string) sheet {
		return readSheet(t, filepath.Join(dir, "data", filepath.FromSlash(name)+".csv"))
	}
}

// Under the profile seed every event is activity, every day has a row, and the
// cohort is everyone.
func TestHandCaseSeed(t *testing.T) {
	table := runHandCase(t, "--profile", "seed")
	daily, features, labels, training := table("processed/user_daily"), table("features/user_features_daily"), table("processed/labels_daily"), table("features/training_dataset")

	// Rows: a from the first event date (signup is before it) to the last, 10
	// days; b from signup, Jan 4 to 10, 7 days; c from Jan 6 to 10, 5 days.
	if len(daily.rows) != 22 || len(features.rows) != 22 {
		t.Errorf("%d and %d rows, want 10 + 7 + 5 = 22", len(daily.rows), len(features.rows))
	}
	ownDay := []handRow{
		{"a", "2026-01-01", map[string]string{
			"signup_date": "2025-12-30", "plan": "paid", "is_paid": "1", "country": "DE", "marketing_source": "ads",
			"days_since_signup": "2",                                                                // Dec 30 → Jan 1
			"is_active_day":     "1", "total_events": "5", "logins_count": "1", "enroll_count": "0", // events 1 to 5
			"watch_minutes_sum": "30.5", "quiz_attempts_count": "2",
			"quiz_avg_score":        "70", // (80 + 60) / 2
			"payment_success_count": "1", "payment_failed_count": "0", "support_ticket_count": "0"}},
		{"a", "2026-01-02", map[string]string{"is_active_day": "0", "total_events": "0", "watch_minutes_sum": "0", "quiz_avg_score": ""}}, // a zero day: no score is null, not 0
		{"a", "2026-01-03", map[string]string{"is_active_day": "1", "total_events": "1", "payment_failed_count": "1"}},                    // a payment alone is activity here
		{"a", "2026-01-05", map[string]string{"total_events": "3", "enroll_count": "1", "quiz_avg_score": "100", "support_ticket_count": "1"}},
		{"b", "2026-01-04", map[string]string{"days_since_signup": "0", "plan": "free", "is_paid": "0", "country": "", "logins_count": "2", "total_events": "2"}},
		{"b", "2026-01-10", map[string]string{"quiz_attempts_count": "1", "quiz_avg_score": ""}}, // a quiz without a score
		{"c", "2026-01-10", map[string]string{"days_since_signup": "4", "total_events": "0", "is_active_day": "0"}},
	}
	checkHandRows(t, daily, ownDay)
	checkHandRows(t, features, ownDay)

	// The same in all windows: they are clipped to the ten days of the data.
	all := func(want map[string]string, values ...string) map[string]string {
		for i := 0; i < len(values); i += 2 {
			for _, w := range []string{"14", "30"} {
				want[values[i]+"_"+w+"d"] = values[i+1]
			}
		}
		return want
	}
	checkHandRows(t, features, []handRow{
		// a on Jan 10: the 7 days are Jan 4 to 10 and hold Jan 5 (3 events) and
		// Jan 8 (2); longer windows also hold Jan 1 (5) and Jan 3 (1).
		{"a", "2026-01-10", all(map[string]string{
			"days_since_last_activity": "2", // Jan 8
			"active_days_7d":           "2", "events_7d": "5", "logins_7d": "1", "enroll_7d": "1", "watch_minutes_7d": "10.25", "quiz_attempts_7d": "1",
			"quiz_avg_score_7d": "100", "payment_success_7d": "0", "payment_failed_7d": "0", "support_ticket_7d": "1",
			"payment_fail_rate_30d": "0.5", // 1 failed of 1 + 1
		}, "active_days", "4", "events", "11", "logins", "2", "enroll", "1", "watch_minutes", "40.75", "quiz_attempts", "3",
			"quiz_avg_score", "85", // the mean of the daily means, (70 + 100) / 2; not of the scores, 240 / 3 = 80
			"payment_success", "1", "payment_failed", "1", "support_ticket", "1")},
		// a on Jan 7: 7 days are Jan 1 to 7, the first one included.
		{"a", "2026-01-07", map[string]string{"active_days_7d": "3", "events_7d": "9", "payment_success_7d": "1", "days_since_last_activity": "2"}},
		// a on Jan 8: Jan 1 has left the 7 days, Jan 2 to 8.
		{"a", "2026-01-08", map[string]string{"active_days_7d": "3", "events_7d": "6", "payment_success_7d": "0", "payment_failed_7d": "1", "quiz_avg_score_7d": "100", "days_since_last_activity": "0"}},
		{"a", "2026-01-01", map[string]string{"events_30d": "5", "payment_fail_rate_30d": "0"}}, // 0 failed of 1
		{"b", "2026-01-10", all(map[string]string{
			"days_since_last_activity": "0", "active_days_7d": "3", "events_7d": "6", // Jan 4 (2), 6 (2), 10 (2)
			"logins_7d": "2", "watch_minutes_7d": "4", "quiz_attempts_7d": "1", "quiz_avg_score_7d": "", "payment_fail_rate_30d": "0.5",
		}, "active_days", "3", "events", "6", "quiz_avg_score", "")},
		{"c", "2026-01-10", all(map[string]string{
			"days_since_last_activity": "4", // never active: days since signup
			"active_days_7d":           "0", "events_7d": "0", "watch_minutes_7d": "0", "quiz_avg_score_7d": "",
			"payment_fail_rate_30d": "0", // no payments: 0, by definition
		}, "active_days", "0", "quiz_avg_score", "")},
	})

	// Labels: windows of 3 days have closed up to Jan 7: a 7 rows, b 4 (Jan 4 to
	// 7), c 2 (Jan 6, 7). With everyone in the cohort all 13 are learnt from.
	if len(labels.rows) != 13 || len(training.rows) != 13 {
		t.Errorf("%d labels, %d training rows, want 13 of each", len(labels.rows), len(training.rows))
	}
	label := func(active, churn string) map[string]string {
		return map[string]string{"future_active_days": active, "churn_label": churn}
	}
	checkHandRows(t, labels, []handRow{
		{"a", "2026-01-01", label("1", "0")}, // Jan 2 to 4: the payment of Jan 3
		{"a", "2026-01-02", label("2", "0")}, // Jan 3 to 5: 3 and 5
		{"a", "2026-01-05", label("1", "0")}, // Jan 6 to 8: 8, the last day of the window; 5 itself does not count
		{"a", "2026-01-04", label("1", "0")}, // Jan 5 to 7: 5, the first day of the window
		{"b", "2026-01-06", label("0", "1")}, // Jan 7 to 9: nothing; 10 lies one day after the window
		{"b", "2026-01-07", label("1", "0")}, // Jan 8 to 10
		{"c", "2026-01-06", label("0", "1")},
	})
	checkHandRows(t, training, []handRow{
		{"a", "2026-01-07", map[string]string{"churn_label": "0", "events_7d": "9"}},
		{"b", "2026-01-06", map[string]string{"churn_label": "1", "payment_failed_count": "1"}},
		{"c", "2026-01-07", map[string]string{"churn_label": "1", "events_7d": "0"}},
	})
}

// Under the default profile payments are no activity, and our own features
// join the course's.
func TestHandCaseDefault(t *testing.T) {
	table := runHandCase(t, "--set", "features.every_days=3")
	daily, features, labels, training := table("processed/user_daily"), table("features/user_features_daily"), table("processed/labels_daily"), table("features/training_dataset")

	// user_daily holds the days with an event: a 4, b 3.
	if len(daily.rows) != 7 {
		t.Errorf("%d rows of user_daily, want 4 + 3", len(daily.rows))
	}
	checkHandRows(t, daily, []handRow{{"a", "2026-01-03", map[string]string{"is_active_day": "0", "total_events": "1"}}})
	// As-of dates are Jan 10, 7, 4, 1: a has 4, b 3 (from Jan 4), c 2 (from Jan 7).
	if len(features.rows) != 9 {
		t.Errorf("%d feature rows, want 4 + 3 + 2", len(features.rows))
	}
	ratio := func(a, b float64) string { return fmt.Sprint(a / b) }
	checkHandRows(t, features, []handRow{
		// a was active on Jan 1 (Thursday), 5 (Monday) and 8 (Thursday).
		{"a", "2026-01-10", map[string]string{
			"active_days_7d": "2", "active_days_30d": "3", "events_30d": "11", // all events count, payments too
			"days_since_last_activity": "2", "days_since_first_activity": "9", "active_days_total": "3", "streak_days": "0",
			"usual_gap_activity": "3.5", "longest_gap_activity": "4", // gaps 4 and 3
			"gap_against_usual": ratio(2, 3.5), "gap_against_longest": "0.5", // 2 / 4
			"days_since_last_video": "2", "usual_gap_video": "7", // Jan 1 and 8
			"days_since_last_quiz": "5", "usual_gap_quiz": "4", // Jan 1 and 5
			"days_since_last_payment": "9", "usual_gap_payment": "", // one payment has no gap
			"days_since_last_failed_payment": "7", "days_since_last_support_ticket": "5",
			"observed_days_7d": "7", "observed_days_30d": "10", // the data began on Jan 1
			"active_share_7d": ratio(2, 7), "active_share_30d": "0.3", // 3 / 10
			"active_days_pace_7d_30d": ratio(2*10, 3*7), "events_pace_7d_30d": ratio(5*10, 11*7),
			"watch_minutes_pace_14d_30d": "1", "active_days_trend_28d": "", // 28 days were not observed
			"courses_30d": "2", "courses_90d": "2", "weekend_share_30d": "0", "events_per_active_day_30d": ratio(11, 3),
			"watch_minutes_90d": "40.75", "amount_90d": "20", "amount_total": "20", "amount_per_payment": "20", "payment_failed_90d": "1"}},
		// b on Sunday Jan 4 and Saturday Jan 10; the payments of Jan 6 show no presence.
		{"b", "2026-01-10", map[string]string{
			"days_since_last_activity": "0", "active_days_30d": "2", "usual_gap_activity": "6", "gap_against_usual": "0", "streak_days": "1",
			"observed_days_30d": "7", "active_share_30d": ratio(2, 7), "weekend_share_30d": "1", "events_per_active_day_30d": "3", // 6 / 2
			"amount_total": "5.5", "days_since_last_quiz": "0", "usual_gap_quiz": "", "courses_30d": "1"}},
		{"b", "2026-01-07", map[string]string{"is_active_day": "0", "days_since_last_activity": "3"}}, // Jan 4
		{"c", "2026-01-10", map[string]string{
			"days_since_last_activity": "4", "days_since_last_video": "", "usual_gap_activity": "", "longest_gap_activity": "", "gap_against_usual": "",
			"days_since_first_activity": "", "observed_days_30d": "5", "active_share_30d": "0", "weekend_share_30d": "", "events_per_active_day_30d": "",
			"active_days_pace_7d_30d": "", "amount_total": "0", "amount_per_payment": "", "courses_30d": "0"}},
	})
	// Closed windows: Jan 1, 4, 7; a 3 rows, b 2, c 1.
	if len(labels.rows) != 6 {
		t.Errorf("%d labels, want 3 + 2 + 1", len(labels.rows))
	}
	checkHandRows(t, labels, []handRow{
		{"a", "2026-01-01", map[string]string{"future_active_days": "0", "churn_label": "1"}}, // Jan 2 to 4: a payment only
		{"a", "2026-01-04", map[string]string{"future_active_days": "1", "churn_label": "0"}}, // Jan 5
		{"b", "2026-01-04", map[string]string{"future_active_days": "0", "churn_label": "1"}}, // Jan 5 to 7: payments only
	})
	// The cohort is those active in the last 30 days: c is not at risk.
	if len(training.rows) != 5 {
		t.Errorf("%d training rows, want 3 of a and 2 of b", len(training.rows))
	}
}
