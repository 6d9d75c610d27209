package cli_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/csv"
	"errors"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/gofrs/flock"
	"github.com/google/go-cmp/cmp"
	"github.com/klauspost/compress/zstd"

	"churn/internal/cli"
	"churn/registry"
)

// badInput is one thing that users get wrong, and what the program answers.
// In texts $DIR is the folder of the case, $TODAY the present day and 0.#### a
// figure of a model.
type badInput struct {
	name      string
	files     map[string]string // laid over the sound raw files
	user      string            // a line to append to users.csv
	event     string            // a line to append to events.csv
	simulated bool              // start from a finished run on simulated data instead
	after     []string          // command lines that succeed before
	damage    func(t *testing.T, dir string)
	args      string // split at spaces
	env       []string

	code        int
	stderr      lines    // exactly, each after "churn: "
	says        string   // is part of stdout; empty = stdout is empty
	quarantined []string // the records in quarantine.csv, checked where given; default: user or event
	makes       []string // results that were complete before the fault was met
}

type lines []string

const (
	exitOK       = 0
	exitFailure  = 1
	exitRejected = 3
	exitHeld     = 4
	exitUsage    = 64
	exitConfig   = 78
)

// Sound raw data, to be broken: three users and five events.
const (
	usersCSV = `user_id,signup_date,plan,is_paid,country,marketing_source
u1,2025-01-01,free,0,DE,ads
u2,2025-01-01,paid,1,FR,seo
u3,2025-01-02,free,0,DE,seo
`
	eventsCSV = `event_id,user_id,event_time,event_type,course_id,watch_minutes,quiz_score,amount
e1,u1,2025-01-02T10:00:00,login,,,,
e2,u1,2025-01-03T10:00:00,video_watch,c1,12.5,,
e3,u2,2025-01-04T10:00:00,quiz_attempt,c1,,80,
e4,u2,2025-01-05 10:00:00,payment_success,,,,9.99
e5,u3,2025-01-06T10:00:00Z,login,,,,
`
	eventsHeader = "event_id,user_id,event_time,event_type,course_id,watch_minutes,quiz_score,amount\n"
)

// Parts that many messages share.
const (
	badEvent  = "data rejected: 1 of 6 rows of events (16.67%) are bad, more than validate.max_reject_rate = 0.01 allows; most: "
	badUser   = "data rejected: 1 of 4 rows of users (25.00%) are bad, more than validate.max_reject_rate = 0.01 allows; most: "
	untouched = "; correct the data and run again: nothing downstream was touched"
	hint      = "`churn help` lists the commands, `churn COMMAND --help` explains one"
)

// brokenFiles are files that cannot be found, opened or made sense of.
func brokenFiles() []badInput {
	return []badInput{
		{name: "users file missing", args: "validate --set source.users=$DIR/none.csv",
			code: exitFailure, stderr: lines{`source.users: no file matches "$DIR/none.csv"; check the path, or set it with --set source.users=PATH`}},
		{name: "pattern without match", args: "validate --set source.events=$DIR/2025-*.csv",
			code: exitFailure, stderr: lines{`source.events: no file matches "$DIR/2025-*.csv"; check the path, or set it with --set source.events=PATH`}},
		{name: "pattern malformed", args: "validate --set source.events=$DIR/[.csv",
			code: exitFailure, stderr: lines{`source.events: "$DIR/[.csv" is not a valid pattern: syntax error in pattern; close the bracket, or write \[ for a bracket in a name`}},
		{name: "both files missing", args: "validate --set source.users=$DIR/a.csv --set source.events=$DIR/b.csv",
			code: exitFailure, stderr: lines{
				`source.users: no file matches "$DIR/a.csv"; check the path, or set it with --set source.users=PATH`,
				`source.events: no file matches "$DIR/b.csv"; check the path, or set it with --set source.events=PATH`,
			}},
		{name: "nothing in the raw folder", args: "validate --set source.users= --set source.events=",
			code: exitFailure, stderr: lines{
				"source.users: no users file in $DIR/data/raw; run `churn generate` for synthetic data, or name yours with --set source.users=PATH",
				"source.events: no events file in $DIR/data/raw; run `churn generate` for synthetic data, or name yours with --set source.events=PATH",
			}},
		{name: "folder instead of a file", args: "validate --set source.users=$DIR",
			code: exitFailure, stderr: lines{"source.users: $DIR is a folder; name a file or a pattern such as $DIR/*.csv"}},
		{name: "extension unknown", files: map[string]string{"users.xlsx": "PK"}, args: "validate --set source.users=$DIR/users.xlsx",
			code: exitFailure, stderr: lines{"source.users: $DIR/users.xlsx is of no kind that can be read; use .csv, .csv.gz, .csv.zst, .csv.bz2, .parquet"}},
		{name: "users.csv and users.parquet", files: map[string]string{"data/raw/users.csv": usersCSV, "data/raw/users.parquet": "PAR1"}, args: "validate --set source.users=",
			code: exitFailure, stderr: lines{"source.users: $DIR/data/raw/users.csv and $DIR/data/raw/users.parquet all exist; name the one to use with --set source.users=PATH"}},
		{name: "users file empty", files: map[string]string{"users.csv": "\n"}, args: "prepare",
			code: exitRejected, stderr: lines{`data rejected: users_columns: 1 of 1 failed (the users file has the columns of the contract), first: $DIR/users.csv: the file is empty; users_not_empty: 1 of 1 failed (there is at least one user), first: "0 rows, none of them usable"` + untouched},
			says: "$DIR/users.csv: the file is empty"},
		{name: "events file empty", files: map[string]string{"events.csv": "\n"}, args: "prepare",
			code: exitRejected, stderr: lines{`data rejected: events_columns: 1 of 1 failed (the events file has the columns of the contract), first: $DIR/events.csv: the file is empty; events_not_empty: 1 of 1 failed (there is at least one event), first: "0 rows, none of them usable"` + untouched},
			says: "$DIR/events.csv: the file is empty"},
		{name: "users file with a header only", files: map[string]string{"users.csv": "user_id,signup_date,plan,is_paid,country,marketing_source\n"}, args: "prepare",
			code: exitRejected, stderr: lines{`data rejected: users_not_empty: 1 of 1 failed (there is at least one user), first: "0 rows, none of them usable"` + untouched},
			says: "critical failed    users_not_empty          1 of 1 do not fulfil: there is at least one user"},
		{name: "events file with a header only", files: map[string]string{"events.csv": eventsHeader}, args: "prepare",
			code: exitRejected, stderr: lines{`data rejected: events_not_empty: 1 of 1 failed (there is at least one event), first: "0 rows, none of them usable"` + untouched},
			says: "critical failed    events_not_empty         1 of 1 do not fulfil: there is at least one event"},
		{name: "semicolons", files: map[string]string{"users.csv": strings.ReplaceAll(usersCSV, ",", ";")}, args: "prepare",
			code: exitRejected, stderr: lines{`data rejected: delimiter: 1 of 1 failed (columns are separated by commas), first: $DIR/users.csv:1: "user_id;signup_date;plan;is_paid;country;marketing_source": the columns are separated by semicolons; export with commas; users_not_empty: 1 of 1 failed (there is at least one user), first: "0 rows, none of them usable"` + untouched},
			says: `$DIR/users.csv:1: "user_id;signup_date;plan;is_paid;country;marketing_source": the columns are separated by semicolons; export with commas`},
		{name: "tabs", files: map[string]string{"events.csv": strings.ReplaceAll(eventsCSV, ",", "\t")}, args: "prepare",
			code: exitRejected, stderr: lines{`data rejected: delimiter: 1 of 2 failed (columns are separated by commas), first: $DIR/events.csv:1: "event_id\tuser_id\tevent_time\tevent_type\tcourse_id\twatch_minutes\tquiz_score\tamount": the columns are separated by tabs; export with commas; events_not_empty: 1 of 1 failed (there is at least one event), first: "0 rows, none of them usable"` + untouched},
			says: `$DIR/events.csv:1: "event_id\tuser_id\tevent_time\tevent_type\tcourse_id\twatch_minutes\tquiz_score\tamount": the columns are separated by tabs; export with commas`},
		{name: "columns missing", files: map[string]string{"events.csv": strings.NewReplacer("event_time", "time", "amount", "price").Replace(eventsCSV)}, args: "prepare",
			code: exitRejected, stderr: lines{`data rejected: events_columns: 1 of 1 failed (the events file has the columns of the contract), first: $DIR/events.csv:1: header = "event_id, user_id, time, event_type, course_id, watch_minutes, quiz_score, price": lacks event_time, amount; events_not_empty: 1 of 1 failed (there is at least one event), first: "0 rows, none of them usable"` + untouched},
			says: `$DIR/events.csv:1: header = "event_id, user_id, time, event_type, course_id, watch_minutes, quiz_score, price": lacks event_time, amount`},
		{name: "column in other letters", files: map[string]string{"users.csv": strings.Replace(usersCSV, "user_id", "User_ID", 1)}, args: "prepare",
			code: exitRejected, stderr: lines{`data rejected: users_columns: 1 of 1 failed (the users file has the columns of the contract), first: $DIR/users.csv:1: header = "User_ID, signup_date, plan, is_paid, country, marketing_source": lacks user_id; users_not_empty: 1 of 1 failed (there is at least one user), first: "0 rows, none of them usable"` + untouched},
			says: `$DIR/users.csv:1: header = "User_ID, signup_date, plan, is_paid, country, marketing_source": lacks user_id`},
		{name: "no header", files: map[string]string{"users.csv": "u1,2025-01-01,free,0,DE,ads\n"}, args: "prepare",
			code: exitRejected, stderr: lines{`data rejected: users_columns: 1 of 1 failed (the users file has the columns of the contract), first: $DIR/users.csv:1: header = "u1, 2025-01-01, free, 0, DE, ads": lacks user_id, signup_date, plan, is_paid, country, marketing_source; users_not_empty: 1 of 1 failed (there is at least one user), first: "0 rows, none of them usable"` + untouched},
			says: `$DIR/users.csv:1: header = "u1, 2025-01-01, free, 0, DE, ads": lacks user_id, signup_date, plan, is_paid, country, marketing_source`},
		{name: "byte order mark", files: map[string]string{"users.csv": "\ufeff" + usersCSV}, args: "prepare",
			code: exitOK,
			says: "info     failed    byte_order_mark          1 of 2 do not fulfil: the file begins without a byte order mark (it is skipped)"},
		{name: "CRLF and LF", files: map[string]string{"events.csv": strings.Replace(eventsCSV, "\n", "\r\n", 2)}, args: "prepare",
			code: exitOK,
			says: "info     failed    mixed_line_ends          1 of 2 do not fulfil: all lines end in the same way"},
		{name: "last line without its end", files: map[string]string{"events.csv": strings.TrimSuffix(eventsCSV, "\n")}, args: "prepare",
			code: exitOK,
			says: "$DIR/events.csv: the last line has no line end; if its row is short, the file was cut off"},
		{name: "last line cut off", files: map[string]string{"events.csv": eventsCSV + "e6,u1,2025-01-0"}, args: "prepare", quarantined: []string{"e6,u1,2025-01-0"},
			code: exitRejected, stderr: lines{badEvent + `row_shape: 1 (a row has as many fields as the header, and its quotes close), first: $DIR/events.csv:7: "e6,u1,2025-01-0": 3 fields, the header has 8` + untouched},
			says: `$DIR/events.csv:7: "e6,u1,2025-01-0": 3 fields, the header has 8`},
		{name: "gz that is none", files: map[string]string{"users.csv.gz": usersCSV}, args: "prepare --set source.users=$DIR/users.csv.gz",
			code: exitFailure, stderr: lines{"$DIR/users.csv.gz: gzip: invalid header; the file is damaged or not of the kind that its name says: copy or export it again"}},
		{name: "gz cut off", files: map[string]string{"events.csv.gz": cutGzip(eventsCSV)}, args: "prepare --set source.events=$DIR/events.csv.gz",
			code: exitFailure, stderr: lines{"$DIR/events.csv.gz: after line 1: unexpected EOF; the file is damaged or was cut off: copy or export it again"}},
		{name: "zst cut off", files: map[string]string{"events.csv.zst": cutZstd(eventsCSV)}, args: "prepare --set source.events=$DIR/events.csv.zst",
			code: exitFailure, stderr: lines{"$DIR/events.csv.zst: after line 1: unexpected EOF; the file is damaged or was cut off: copy or export it again"}},
		{name: "zst that is none", files: map[string]string{"users.csv.zst": usersCSV}, args: "prepare --set source.users=$DIR/users.csv.zst",
			code: exitFailure, stderr: lines{"$DIR/users.csv.zst: after line 1: invalid input: magic number mismatch; the file is damaged or was cut off: copy or export it again"}},
		{name: "bz2 that is none", files: map[string]string{"users.csv.bz2": usersCSV}, args: "prepare --set source.users=$DIR/users.csv.bz2",
			code: exitFailure, stderr: lines{"$DIR/users.csv.bz2: after line 1: bzip2 data invalid: bad magic value; the file is damaged or was cut off: copy or export it again"}},
		{name: "parquet that is none", files: map[string]string{"users.parquet": usersCSV}, args: "prepare --set source.users=$DIR/users.parquet",
			code: exitFailure, stderr: lines{`$DIR/users.parquet: not a complete Parquet file: invalid magic header of parquet file: "user"; copy or export it again`}},
		{name: "parquet empty", files: map[string]string{"users.parquet": "PAR1"}, args: "prepare --set source.users=$DIR/users.parquet",
			code: exitFailure, stderr: lines{"$DIR/users.parquet: not a complete Parquet file: reading magic footer of parquet file: readat $DIR/users.parquet: negative offset (read: 0); copy or export it again"}},
	}
}

// brokenRows are rows that cannot be right.
func brokenRows() []badInput {
	return []badInput{
		{name: "row too short", event: "e6,u1", args: "prepare",
			code: exitRejected, stderr: lines{badEvent + `row_shape: 1 (a row has as many fields as the header, and its quotes close), first: $DIR/events.csv:7: "e6,u1": 2 fields, the header has 8` + untouched},
			says: `$DIR/events.csv:7: "e6,u1": 2 fields, the header has 8`},
		{name: "row too long", user: "u4,2025-01-02,free,0,DE,seo,x", args: "prepare",
			code: exitRejected, stderr: lines{badUser + `row_shape: 1 (a row has as many fields as the header, and its quotes close), first: $DIR/users.csv:5: "u4,2025-01-02,free,0,DE,seo,x": 7 fields, the header has 6` + untouched},
			says: `$DIR/users.csv:5: "u4,2025-01-02,free,0,DE,seo,x": 7 fields, the header has 6`},
		{name: "quote left open", event: `e6,u1,2025-01-06T10:00:00,login,"c1,,,`, args: "prepare",
			code: exitRejected, stderr: lines{badEvent + `row_shape: 1 (a row has as many fields as the header, and its quotes close), first: $DIR/events.csv:7: "e6,u1,2025-01-06T10:00:00,login,\"c1,,,": quotes are broken at column 39: extraneous or missing " in quoted-field` + untouched},
			says: `$DIR/events.csv:7: "e6,u1,2025-01-06T10:00:00,login,\"c1,,,": quotes are broken at column 39: extraneous or missing " in quoted-field`},
		{name: "quote inside a field", event: `e6,u1,2025-01-06T10:00:00,login,c"1",,,`, args: "prepare",
			code: exitRejected, stderr: lines{badEvent + `row_shape: 1 (a row has as many fields as the header, and its quotes close), first: $DIR/events.csv:7: "e6,u1,2025-01-06T10:00:00,login,c\"1\",,,": quotes are broken at column 34: bare " in non-quoted-field` + untouched},
			says: `$DIR/events.csv:7: "e6,u1,2025-01-06T10:00:00,login,c\"1\",,,": quotes are broken at column 34: bare " in non-quoted-field`},
		{name: "user_id empty", user: ",2025-01-02,free,0,DE,seo", args: "prepare",
			code: exitRejected, stderr: lines{badUser + `user_id_present: 1 (user_id is not empty), first: $DIR/users.csv:5: user_id = ""` + untouched},
			says: `$DIR/users.csv:5: user_id = ""`},
		{name: "user_id twice", user: "u1,2025-01-02,free,0,DE,seo", args: "prepare",
			code: exitRejected, stderr: lines{badUser + `user_id_unique: 1 (a user_id stands in the users file once), first: $DIR/users.csv:5: user_id = "u1": stands on line 2 already` + untouched},
			says: `$DIR/users.csv:5: user_id = "u1": stands on line 2 already`},
		{name: "signup_date in another order", user: "u4,02.01.2025,free,0,DE,seo", args: "prepare",
			code: exitRejected, stderr: lines{badUser + `signup_date_parses: 1 (signup_date is a date such as 2026-04-30 and not after today), first: $DIR/users.csv:5: signup_date = "02.01.2025"` + untouched},
			says: `$DIR/users.csv:5: signup_date = "02.01.2025"`},
		{name: "signup_date not in the calendar", user: "u4,2025-02-30,free,0,DE,seo", args: "prepare",
			code: exitRejected, stderr: lines{badUser + `signup_date_parses: 1 (signup_date is a date such as 2026-04-30 and not after today), first: $DIR/users.csv:5: signup_date = "2025-02-30"` + untouched},
			says: `$DIR/users.csv:5: signup_date = "2025-02-30"`},
		{name: "plan unknown", user: "u4,2025-01-02,gold,0,DE,seo", args: "prepare",
			code: exitRejected, stderr: lines{badUser + `plan_known: 1 (plan is free or paid), first: $DIR/users.csv:5: plan = "gold"` + untouched},
			says: `$DIR/users.csv:5: plan = "gold"`},
		{name: "is_paid of 2", user: "u4,2025-01-02,paid,2,DE,seo", args: "prepare",
			code: exitRejected, stderr: lines{badUser + `is_paid_binary: 1 (is_paid is 0 or 1), first: $DIR/users.csv:5: is_paid = "2"` + untouched},
			says: `$DIR/users.csv:5: is_paid = "2"`},
		{name: "event of an unknown user", event: "e6,u9,2025-01-06T10:00:00,login,,,,", args: "prepare",
			code: exitRejected, stderr: lines{badEvent + `event_user_known: 1 (the user_id of an event stands in the users file), first: $DIR/events.csv:7: user_id = "u9"` + untouched},
			says: `$DIR/events.csv:7: user_id = "u9"`},
		{name: "event_id empty", event: ",u1,2025-01-06T10:00:00,login,,,,", args: "prepare",
			code: exitRejected, stderr: lines{badEvent + `event_id_present: 1 (event_id is not empty), first: $DIR/events.csv:7: event_id = ""` + untouched},
			says: `$DIR/events.csv:7: event_id = ""`},
		{name: "event_id twice", event: "e1,u1,2025-01-06T10:00:00,login,,,,", args: "prepare",
			code: exitRejected, stderr: lines{badEvent + `event_id_unique: 1 (an event_id stands in the events once), first: $DIR/events.csv:7: event_id = "e1": stands on another line too; the one known first counts` + untouched},
			says: `$DIR/events.csv:7: event_id = "e1": stands on another line too; the one known first counts`},
		{name: "event_time unreadable", event: "e6,u1,yesterday,login,,,,", args: "prepare",
			code: exitRejected, stderr: lines{badEvent + `event_time_parses: 1 (event_time is a time such as 2026-04-30T18:05:00), first: $DIR/events.csv:7: event_time = "yesterday": not a time; write 2026-04-30T18:05:00, with a space instead of the T, or with a zone as in RFC 3339` + untouched},
			says: `$DIR/events.csv:7: event_time = "yesterday": not a time; write 2026-04-30T18:05:00, with a space instead of the T, or with a zone as in RFC 3339`},
		{name: "event_time in the future", event: "e6,u1,2999-01-01T00:00:00,login,,,,", args: "prepare",
			code: exitRejected, stderr: lines{badEvent + `event_time_not_future: 1 (event_time does not lie after today), first: $DIR/events.csv:7: event_time = "2999-01-01T00:00:00": today is $TODAY` + untouched},
			says: `$DIR/events.csv:7: event_time = "2999-01-01T00:00:00": today is $TODAY`},
		{name: "known_at before event_time", files: map[string]string{"events.csv": strings.Replace(strings.ReplaceAll(eventsCSV, "\n", ",\n"), ",\n", ",known_at\n", 1)}, event: "e6,u1,2025-01-06T10:00:00,login,,,,,2025-01-05T10:00:00", args: "prepare",
			code: exitRejected, stderr: lines{badEvent + `known_at_valid: 1 (known_at, where given, is a time between event_time and today), first: $DIR/events.csv:7: known_at = "2025-01-05T10:00:00": before event_time 2025-01-06T10:00:00` + untouched},
			says: `$DIR/events.csv:7: known_at = "2025-01-05T10:00:00": before event_time 2025-01-06T10:00:00`},
		{name: "event_type unknown", event: "e6,u1,2025-01-06T10:00:00,logn,,,,", args: "prepare",
			code: exitRejected, stderr: lines{badEvent + `event_type_known: 1 (event_type is in validate.event_types), first: $DIR/events.csv:7: event_type = "logn"` + untouched},
			says: `$DIR/events.csv:7: event_type = "logn"`},
		{name: "watch_minutes negative", event: "e6,u1,2025-01-06T10:00:00,video_watch,c1,-5,,", args: "prepare",
			code: exitRejected, stderr: lines{badEvent + `watch_minutes_range: 1 (watch_minutes is a number from 0 to 1,000,000), first: $DIR/events.csv:7: watch_minutes = "-5"` + untouched},
			says: `$DIR/events.csv:7: watch_minutes = "-5"`},
		{name: "watch_minutes NaN", event: "e6,u1,2025-01-06T10:00:00,video_watch,c1,NaN,,", args: "prepare",
			code: exitRejected, stderr: lines{badEvent + `watch_minutes_range: 1 (watch_minutes is a number from 0 to 1,000,000), first: $DIR/events.csv:7: watch_minutes = "NaN": not a number` + untouched},
			says: `$DIR/events.csv:7: watch_minutes = "NaN": not a number`},
		{name: "quiz_score of 101", event: "e6,u1,2025-01-06T10:00:00,quiz_attempt,c1,,101,", args: "prepare",
			code: exitRejected, stderr: lines{badEvent + `quiz_score_range: 1 (quiz_score is empty or a number from 0 to 100), first: $DIR/events.csv:7: quiz_score = "101"` + untouched},
			says: `$DIR/events.csv:7: quiz_score = "101"`},
		{name: "payment without amount", event: "e6,u1,2025-01-06T10:00:00,payment_success,,,,", args: "prepare",
			code: exitRejected, stderr: lines{badEvent + `payment_amount_positive: 1 (a payment has an amount above 0 and up to 1,000,000,000), first: $DIR/events.csv:7: amount = ""` + untouched},
			says: `$DIR/events.csv:7: amount = ""`},
		{name: "payment of 0", event: "e6,u1,2025-01-06T10:00:00,payment_failed,,,,0", args: "prepare",
			code: exitRejected, stderr: lines{badEvent + `payment_amount_positive: 1 (a payment has an amount above 0 and up to 1,000,000,000), first: $DIR/events.csv:7: amount = "0"` + untouched},
			says: `$DIR/events.csv:7: amount = "0"`},
		{name: "too many amounts without payment", event: "e6,u1,2025-01-06T10:00:00,login,,,,9.99", args: "prepare", quarantined: []string{},
			code: exitRejected, stderr: lines{`data rejected: non_payment_amount: 1 of 5 failed (events other than payments carry no amount), first: $DIR/events.csv:7: amount = "9.99"` + untouched},
			says: `$DIR/events.csv:7: amount = "9.99"`},
		{name: "several faults in one row", event: "e6,u9,soon,nap,c1,-1,x,", args: "prepare",
			code: exitRejected, stderr: lines{badEvent + `event_user_known: 1 (the user_id of an event stands in the users file), first: $DIR/events.csv:7: user_id = "u9"` + untouched},
			says: `$DIR/events.csv:7: user_id = "u9"`},
		{name: "one bad row within the limit", event: "e6,u1,2025-01-06T10:00:00,logn,,,,", args: "prepare --set validate.max_reject_rate=0.2",
			code: exitOK,
			says: `$DIR/events.csv:7: event_type = "logn"`},
		{name: "all users bad", files: map[string]string{"users.csv": strings.ReplaceAll(usersCSV, "2025-", "25-")}, args: "prepare",
			quarantined: []string{"u1,25-01-01,free,0,DE,ads", "u2,25-01-01,paid,1,FR,seo", "u3,25-01-02,free,0,DE,seo"},
			code:        exitRejected, stderr: lines{`data rejected: users_not_empty: 1 of 1 failed (there is at least one user), first: "3 rows, none of them usable"; 3 of 3 rows of users (100.00%) are bad, more than validate.max_reject_rate = 0.01 allows; most: signup_date_parses: 3 (signup_date is a date such as 2026-04-30 and not after today), first: $DIR/users.csv:2: signup_date = "25-01-01"` + untouched},
			says: `$DIR/users.csv:2: signup_date = "25-01-01"`},
		{name: "all events bad", files: map[string]string{"events.csv": eventsHeader + "e1,u8,2025-01-02,nap,,,,\ne2,u9,2025-01-02,nap,,,,\n"}, args: "prepare --set validate.max_reject_rate=1",
			quarantined: []string{"e1,u8,2025-01-02,nap,,,,", "e2,u9,2025-01-02,nap,,,,"},
			code:        exitRejected, stderr: lines{`data rejected: events_not_empty: 1 of 1 failed (there is at least one event), first: "2 rows, none of them usable"` + untouched},
			says: `$DIR/events.csv:2: user_id = "u8"`},
		{name: "bad row found by validate", event: "e6,u1,2025-01-06T10:00:00,quiz_attempt,c1,,101,", args: "validate",
			code: exitRejected, stderr: lines{badEvent + `quiz_score_range: 1 (quiz_score is empty or a number from 0 to 100), first: $DIR/events.csv:7: quiz_score = "101"` + untouched},
			says: `$DIR/events.csv:7: quiz_score = "101"`},
		{name: "bad row found by run-all", event: "e6,u1,2025-01-06T10:00:00,quiz_attempt,c1,,101,", args: "run-all",
			code: exitRejected, stderr: lines{badEvent + `quiz_score_range: 1 (quiz_score is empty or a number from 0 to 100), first: $DIR/events.csv:7: quiz_score = "101"` + untouched},
			says: `$DIR/events.csv:7: quiz_score = "101"`},
	}
}

// brokenOrder are stages run too early, on damaged or on other inputs.
func brokenOrder() []badInput {
	const timelines, bundle = "data/processed/timelines.bin", "v0001/bundle.json"
	return []badInput{
		{name: "features before prepare", args: "features",
			code: exitFailure, stderr: lines{"$DIR/data/processed/timelines.bin is not there yet; run `churn prepare` first"}},
		{name: "labels before features", after: []string{"prepare"}, args: "labels",
			code: exitFailure, stderr: lines{"$DIR/data/features/user_features_daily.csv is not there yet; run `churn features` first"}},
		{name: "train before labels", args: "train",
			code: exitFailure, stderr: lines{"$DIR/data/features/training_dataset.csv is not there yet; run `churn labels` first"}},
		{name: "promote with an empty registry", args: "promote",
			code: exitFailure, stderr: lines{"there is no training yet; run `churn train` first, or name a version: `churn registry list` shows them"}},
		{name: "score without a production model", after: []string{"prepare"}, args: "score",
			code: exitFailure, stderr: lines{"registry: no model is in production yet; run `churn train` and `churn promote`, or `churn run-all`"}},
		{name: "score before prepare", simulated: true, damage: remove(timelines), args: "score",
			code: exitFailure, stderr: lines{"$DIR/data/processed/timelines.bin is not there yet; run `churn prepare` first"}},
		{name: "bad data after a good run", simulated: true, damage: edit("data/raw/users.csv", func(b []byte) []byte { return append(b, "x1,2025-01-02,gold,0,DE,seo\nx2,,free,0,DE,seo\n"...) }), args: "run-all --set generate.users=120 --set generate.days=250",
			quarantined: []string{"x1,2025-01-02,gold,0,DE,seo", "x2,,free,0,DE,seo"},
			code:        exitRejected, stderr: lines{`data rejected: 2 of 122 rows of users (1.64%) are bad, more than validate.max_reject_rate = 0.01 allows; most: signup_date_parses: 1 (signup_date is a date such as 2026-04-30 and not after today), first: $DIR/data/raw/users.csv:123: signup_date = ""` + untouched},
			says: `$DIR/data/raw/users.csv:122: plan = "gold"`},
		{name: "other activity since prepare", simulated: true, args: "features --set labels.activity_events=login,quiz_attempt",
			code: exitFailure, stderr: lines{"$DIR/data/processed/timelines.bin was prepared with labels.activity_events = [login course_enroll video_watch quiz_attempt support_ticket], now they are [login quiz_attempt]; repeat the setting (best in config.yaml), or run `churn prepare` again"}},
		{name: "other windows since features", simulated: true, args: "labels --set features.windows_days=7,14",
			code: exitFailure, stderr: lines{"$DIR/data/features/user_features_daily.csv was made from other timelines, another --as-of or other settings of features.*; run `churn features` again"}},
		{name: "other windows since labels", simulated: true, args: "train --set features.windows_days=7,14",
			code: exitFailure, stderr: lines{"$DIR/data/features/training_dataset.csv was made with other settings of labels.* or features.*; run `churn features` and `churn labels` again"}},
		{name: "other format since prepare", simulated: true, args: "labels --set data.format=parquet",
			code: exitFailure, stderr: lines{"$DIR/data/features/user_features_daily.parquet is not there yet; run `churn features` first"}},
		{name: "other as-of date since features", simulated: true, args: "labels --as-of 2025-06-01",
			code: exitFailure, stderr: lines{"$DIR/data/features/user_features_daily.csv was made from other timelines, another --as-of or other settings of features.*; run `churn features` again"}},
		{name: "as-of date after the data", simulated: true, args: "features --as-of 2026-01-01",
			code: exitUsage, stderr: lines{"--as-of 2026-01-01 lies outside the data, which runs from 2025-01-01 to 2025-09-07", hint}},
		{name: "as-of date before the data", simulated: true, args: "score --as-of 2024-12-31",
			code: exitUsage, stderr: lines{"--as-of 2024-12-31 lies outside the data, which runs from 2025-01-01 to 2025-09-07", hint}},
		{name: "as-of date unreadable", args: "features --as-of 01.06.2025",
			code: exitUsage, stderr: lines{`--as-of: date "01.06.2025" is not of the form 2026-04-30`, hint}},
		{name: "probe outside the data", simulated: true, args: "features --probe 2026-01-01",
			code: exitUsage, stderr: lines{"--probe 2026-01-01 lies outside the data, which runs from 2025-01-01 to 2025-09-07", hint}},
		{name: "probe unreadable", args: "features --probe soon",
			code: exitUsage, stderr: lines{`--probe: date "soon" is not of the form 2026-04-30`, hint}},
		{name: "too little history to label", after: []string{"prepare", "features"}, args: "labels",
			code: exitFailure, stderr: lines{"no label window of 30 days has closed: the data runs from 2025-01-02 to 2025-01-06; use more history or a smaller labels.window_days"}},
		{name: "too little history to train", simulated: true, after: []string{"generate --users 40 --days 75", "prepare", "features", "labels"}, args: "train",
			code: exitFailure, stderr: lines{"no training date is left: the label windows of 30 days of all dates before the test period (from 2025-02-02) reach into it; give at least 88 days of history before the last labelled date (there are 36), a shorter labels.window_days, or a smaller train.test_size"}},
		{name: "only one labelled date", simulated: true, after: []string{"generate --users 40 --days 38", "prepare", "features", "labels"}, args: "train",
			code: exitFailure, stderr: lines{"1 as-of dates with labels are too few to train and to test on; use more history or a smaller features.every_days"}},
		{name: "as-of date leaves too little to train", simulated: true, args: "train --as-of 2025-02-15",
			code: exitFailure, stderr: lines{"no training date is left: the label windows of 30 days of all dates before the test period (from 2025-01-12) reach into it; give at least 67 days of history before the last labelled date (there are 8), a shorter labels.window_days, or a smaller train.test_size"}},
		{name: "nobody in the cohort", files: map[string]string{"events.csv": eventsHeader + "e1,u2,2025-01-05T10:00:00,payment_success,,,,9.99\ne2,u2,2025-03-20T10:00:00,payment_success,,,,9.99\n"}, after: []string{"prepare", "features"}, args: "labels",
			code: exitFailure, stderr: lines{"the training set would be empty: no labelled user was active in the last 30 days (labels.cohort_active_days) on any as-of date"},
			makes: []string{"data/processed/labels_daily.csv", "data/processed/labels_daily.manifest.json"}},
		{name: "no model good enough", simulated: true, after: []string{"generate --users 60 --days 110 --seed 1", "prepare", "features", "labels"}, args: "train",
			code: exitHeld, stderr: lines{"the selected model, logistic, was not registered: PR-AUC 0.#### does not beat the least-squares floor 0.####"},
			makes: []string{"artifacts/metrics/train_latest.manifest.json"}, // the record of a training without a model
			says:  "logistic not registered: PR-AUC 0.#### does not beat the least-squares floor 0.####"},
		{name: "timelines with a flipped byte", simulated: true, damage: flip(timelines, -5000), args: "features",
			code: exitFailure, stderr: lines{"$DIR/data/processed/timelines.bin is damaged (a checksum is wrong); run `churn prepare` again"}},
		{name: "timelines with a flipped byte in the header", simulated: true, damage: flip(timelines, 3), args: "score",
			code: exitFailure, stderr: lines{"$DIR/data/processed/timelines.bin is damaged (not a file of timelines of this version); run `churn prepare` again"}},
		{name: "timelines cut off", simulated: true, damage: truncate(timelines), args: "features",
			code: exitFailure, stderr: lines{"$DIR/data/processed/timelines.bin does not agree with its manifest: an earlier run was interrupted or the file was changed; run `churn prepare` again"}},
		{name: "manifest damaged", simulated: true, damage: truncate("data/processed/timelines.manifest.json"), args: "features",
			code: exitFailure, stderr: lines{"$DIR/data/processed/timelines.manifest.json is not a manifest (unexpected end of JSON input); run `churn prepare` again"}},
		{name: "training set cut off", simulated: true, damage: truncate("data/features/training_dataset.csv"), args: "train",
			code: exitFailure, stderr: lines{"$DIR/data/features/training_dataset.csv does not agree with its manifest: an earlier run was interrupted or the file was changed; run `churn labels` again"}},
		{name: "training set with a strange label", simulated: true, damage: replaceEnd("data/features/training_dataset.csv", "7\n"), args: "train",
			code: exitFailure, stderr: lines{"$DIR/data/features/training_dataset.csv: line 1607: churn_label: \"7\" is neither 0 nor 1; run `churn labels` again"}},
		{name: "bundle with a flipped byte", simulated: true, damage: flip(bundle, 100), args: "score",
			code: exitFailure, stderr: lines{"registry: $DIR/artifacts/registry/models/####/bundle.json does not have the digest of its manifest: it was changed or damaged; restore it, or use another version"}},
		{name: "bundle with a flipped byte, promoted", simulated: true, damage: flip(bundle, 100), args: "promote",
			code: exitFailure, stderr: lines{"registry: $DIR/artifacts/registry/models/####/bundle.json does not have the digest of its manifest: it was changed or damaged; restore it, or use another version"}},
		{name: "bundle missing", simulated: true, damage: remove(bundle), args: "registry show v0001",
			code: exitFailure, stderr: lines{"registry: version v0001: open $DIR/artifacts/registry/models/####/bundle.json: no such file or directory; restore it, or use another version"}},
		{name: "ledger damaged", simulated: true, damage: truncate("artifacts/registry/ledger/00000001.json"), args: "score",
			code: exitFailure, stderr: lines{"registry: $DIR/artifacts/registry/ledger/00000001.json: it is damaged (unexpected end of JSON input); restore it from a copy, or delete it and run `churn promote`"}},
		{name: "version unknown", simulated: true, args: "registry show v0099",
			code: exitFailure, stderr: lines{"registry: there is no version v0099; `churn registry list` shows them"}},
		{name: "alias unknown", simulated: true, args: "score --model staging",
			code: exitFailure, stderr: lines{"registry: \"staging\" is neither a version nor an alias; `churn registry list` shows them"}},
		{name: "another process writes", damage: lock("data"), args: "prepare",
			code: exitFailure, stderr: lines{"another churn process is writing to $DIR/data; wait for it to end, or use other folders with --set paths.data=DIR and paths.artifacts=DIR"}},
		{name: "results folder is a file", args: "prepare --set paths.data=$DIR/users.csv",
			code: exitFailure, stderr: lines{"make the folder for results: mkdir $DIR/users.csv: not a directory; choose another with --set paths.data=DIR and paths.artifacts=DIR"}},
		{name: "generate over foreign data", files: map[string]string{"data/raw/users.csv": usersCSV}, args: "generate",
			code: exitFailure, stderr: lines{"$DIR/data/raw/users.csv is there already and was not made by `churn generate`; move it away, or write elsewhere with --out DIR"}},
	}
}

// brokenSettings are faults of the configuration.
func brokenSettings() []badInput {
	file := func(text string) map[string]string { return map[string]string{"c.yaml": text} }
	const check = "--config $DIR/c.yaml config check"
	return []badInput{
		{name: "key unknown in the file", files: file("labels: {windw_days: 14}\n"), args: check,
			code: exitConfig, stderr: lines{"labels.windw_days: there is no such key ($DIR/c.yaml); did you mean labels.window_days?"}},
		{name: "section unknown in the file", files: file("label: {window_days: 14}\n"), args: check,
			code: exitConfig, stderr: lines{"label.window_days: there is no such key ($DIR/c.yaml); did you mean labels.window_days?"}},
		{name: "key unknown in --set", args: "config check --set labels.windw_days=14",
			code: exitConfig, stderr: lines{"labels.windw_days: there is no such key (set); did you mean labels.window_days?"}},
		{name: "key far from any", args: "config check --set colour=red",
			code: exitConfig, stderr: lines{"colour: there is no such key (set); `churn config show` lists all keys"}},
		{name: "--set without =", args: "config check --set labels.window_days",
			code: exitConfig, stderr: lines{`--set "labels.window_days": write key=value, such as --set labels.window_days=14`}},
		{name: "text for a number", files: file("labels: {window_days: a month}\n"), args: check,
			code: exitConfig, stderr: lines{`labels.window_days: "a month" is not a whole number ($DIR/c.yaml)`}},
		{name: "text for a number in --set", args: "config check --set train.test_size=fifth",
			code: exitConfig, stderr: lines{`train.test_size: "fifth" is not a number (set)`}},
		{name: "text for a switch", args: "config check --set train.purge=perhaps",
			code: exitConfig, stderr: lines{`train.purge: "perhaps" is neither true nor false (set)`}},
		{name: "list for a number", files: file("labels: {window_days: [7, 14]}\n"), args: check,
			code: exitConfig, stderr: lines{`labels.window_days: "[7 14]" is not a whole number ($DIR/c.yaml)`}},
		{name: "list for a text", files: file("profile: [seed]\n"), args: check,
			code: exitConfig, stderr: lines{`profile: "[seed]" is a list; give one value ($DIR/c.yaml)`}},
		{name: "number for a switch", files: file("train: {purge: 2}\n"), args: check,
			code: exitConfig, stderr: lines{`train.purge: "2" is neither true nor false ($DIR/c.yaml)`}},
		{name: "switch for a number", files: file("score: {top_k: true}\n"), args: check,
			code: exitConfig, stderr: lines{`score.top_k: "true" is not a whole number ($DIR/c.yaml)`}},
		{name: "value for a section", files: file("labels: 30\n"), args: check,
			code: exitConfig, stderr: lines{"labels: there is no such key ($DIR/c.yaml); `churn config show` lists all keys"}},
		{name: "fraction for a whole number", files: file("score: {top_k: 7.5}\n"), args: check,
			code: exitConfig, stderr: lines{`score.top_k: "7.5" is not a whole number ($DIR/c.yaml)`}},
		{name: "fraction for a whole number in --set", args: "config check --set score.top_k=7.5",
			code: exitConfig, stderr: lines{`score.top_k: "7.5" is not a whole number (set)`}},
		{name: "negative for an unsigned number", args: "config check --set train.seed=-1",
			code: exitConfig, stderr: lines{`train.seed: "-1" is not a whole number from 0 (set)`}},
		{name: "text in a list of numbers", args: "config check --set features.windows_days=7,x",
			code: exitConfig, stderr: lines{`features.windows_days[1]: "x" is not a whole number (set)`}},
		{name: "empty value", args: "config check --set labels.cohort_active_days=",
			code: exitConfig, stderr: lines{`labels.cohort_active_days: "" is not a whole number (set)`}},
		{name: "empty value in the environment", env: []string{"CHURN_TRAIN_SEED="}, args: "config check",
			code: exitConfig, stderr: lines{`train.seed: "" is not a whole number from 0 (environment)`}},
		{name: "not YAML", files: file("labels: [\n"), args: check,
			code: exitConfig, stderr: lines{"config file $DIR/c.yaml: line 1: did not find expected node content; correct the YAML"}},
		{name: "tab in YAML", files: file("labels:\n\twindow_days: 3\n"), args: check,
			code: exitConfig, stderr: lines{"config file $DIR/c.yaml: line 2: found character that cannot start any token; correct the YAML"}},
		{name: "key twice in the file", files: file("profile: seed\nprofile: default\n"), args: check,
			code: exitConfig, stderr: lines{`config file $DIR/c.yaml: line 2: mapping key "profile" already defined at line 1; correct the YAML`}},
		{name: "config file missing", args: "--config $DIR/none.yaml config check",
			code: exitConfig, stderr: lines{"config file $DIR/none.yaml is not there; name another with --config FILE"}},
		{name: "config file is a folder", args: "--config $DIR config check",
			code: exitConfig, stderr: lines{"config file $DIR is a folder; name a YAML file with --config FILE"}},
		{name: "profile unknown", args: "--profile sead config check",
			code: exitConfig, stderr: lines{`profile: "sead" is unknown; use default or seed`}},
		{name: "values not among the known ones", args: "config check --set data.format=xlsx --set train.models=forest --set promote.primary_metric=f1 --set source.kind=sql",
			code: exitConfig, stderr: lines{
				`data.format: format "xlsx" is unknown; use csv or parquet`,
				`source.kind: "sql" is unknown; use files, postgres, trino or clickhouse`,
				`train.models: "forest" is unknown; use logistic or gbdt`,
				`promote.primary_metric: "f1" is unknown; use pr_auc or roc_auc`,
			}},
		{name: "several faults at once", files: file("labels: {windw_days: 14}\nscore: {top_k: many}\n"), env: []string{"CHURN_TRAIN_SEDE=1"}, args: check + " --set nonsense",
			code: exitConfig, stderr: lines{
				"labels.windw_days: there is no such key ($DIR/c.yaml); did you mean labels.window_days?",
				"CHURN_TRAIN_SEDE: there is no such key (environment); did you mean train.seed?",
				`--set "nonsense": write key=value, such as --set labels.window_days=14`,
				`score.top_k: "many" is not a whole number ($DIR/c.yaml)`,
			}},
		{name: "several values out of range", args: "config check --set labels.window_days=0 --set validate.max_reject_rate=2 --set features.windows_days=14,7 --set prepare.memory=1MiB --set score.tiers.high=0.1",
			code: exitConfig, stderr: lines{
				"validate.max_reject_rate: 2 is not a share; use a number from 0 to 1",
				"prepare.memory: 1MiB is too little; use at least 128MiB",
				"features.windows_days: [14 7]; list one or more different numbers of days in ascending order",
				"labels.window_days: 0 is out of range; use 1 to 730 days",
				"score.tiers: medium 0.2 and high 0.1; use probabilities with 0 < medium < high < 1",
			}},
		{name: "values that are not numbers", args: "config check --set validate.max_reject_rate=NaN --set train.logistic.l2_regularization=Inf,1 --set train.test_size=NaN",
			code: exitConfig, stderr: lines{
				"validate.max_reject_rate: NaN is not a share; use a number from 0 to 1",
				"train.test_size: NaN is not a share; use a number between 0 and 1",
				"train.logistic.l2_regularization: +Inf is out of range; use 0 or more",
			}},
		{name: "environment variable unknown", env: []string{"CHURN_LABELS_WINDOW_DAY=14"}, args: "config check",
			code: exitConfig, stderr: lines{"CHURN_LABELS_WINDOW_DAY: there is no such key (environment); did you mean labels.window_days?"}},
		{name: "environment variable of the wrong type", env: []string{"CHURN_LABELS_WINDOW_DAYS=month"}, args: "config check",
			code: exitConfig, stderr: lines{`labels.window_days: "month" is not a whole number (environment)`}},
		{name: "time zone unknown", args: "config check --set source.timezone=Mars/Olympus",
			code: exitConfig, stderr: lines{`source.timezone: "Mars/Olympus" is not a time zone; use an IANA name such as Europe/Berlin or UTC`}},
		{name: "time zone of the machine", args: "config check --set source.timezone=Local",
			code: exitConfig, stderr: lines{`source.timezone: "Local" is not a time zone; use an IANA name such as Europe/Berlin or UTC`}},
		{name: "severity unknown", files: file("validate: {checks: {plan_known: {severity: bad}}}\n"), args: check,
			code: exitConfig, stderr: lines{`validate.checks.plan_known.severity: "bad" is unknown; use critical, warning or info`}},
		{name: "check that must stay critical", args: "config check --set validate.checks.row_shape.severity=info",
			code: exitConfig, stderr: lines{"validate.checks.row_shape.severity: must be critical: a row that fails it cannot be used"}},
		{name: "check unknown", args: "config check --set validate.checks.plan_knwon.severity=info",
			code: exitConfig, stderr: lines{"validate.checks.plan_knwon.severity: there is no such key (set); did you mean validate.checks.plan_known.severity?"}},
		{name: "activity that is no event type", args: "config check --set labels.activity_events=login,lgoin",
			code: exitConfig, stderr: lines{`labels.activity_events: "lgoin" is not in validate.event_types [login course_enroll video_watch quiz_attempt payment_success payment_failed support_ticket course_complete]`}},
		{name: "address without a port", args: "config check --set serve.address=localhost",
			code: exitConfig, stderr: lines{`serve.address: "localhost" is not an address; write host:port, such as 127.0.0.1:8080`}},
		{name: "size of memory unreadable", args: "config check --set prepare.memory=much",
			code: exitConfig, stderr: lines{`prepare.memory: "much" is not a size; write a number and a unit, such as 512MiB or 2GiB`}},
		{name: "start date unreadable", args: "generate --start-date 1.1.2025",
			code: exitConfig, stderr: lines{`generate.start_date: date "1.1.2025" is not of the form 2026-04-30`}},
		{name: "users not a number", args: "generate --users many",
			code: exitConfig, stderr: lines{`generate.users: "many" is not a whole number (flag)`}},
		{name: "drift unknown", args: "generate --drift weather@2025-03-01",
			code: exitConfig, stderr: lines{`generate.drift: "weather@2025-03-01" is not of the form NAME@2026-03-01 with NAME one of engagement, content, pricing, acquisition, bots`}},
		{name: "drift without a date", args: "generate --drift pricing",
			code: exitConfig, stderr: lines{`generate.drift: "pricing" is not of the form NAME@2026-03-01 with NAME one of engagement, content, pricing, acquisition, bots`}},
	}
}

// brokenModels are requests that the models cannot serve.
func brokenModels() []badInput {
	return []badInput{
		{name: "evaluate what is not there", simulated: true, args: "evaluate v0099",
			code: exitFailure, stderr: lines{"registry: there is no version v0099; `churn registry list` shows them"}},
		{name: "evaluate two", simulated: true, args: "evaluate v0001 v0002",
			code: exitUsage, stderr: lines{"evaluate takes one version or alias", hint}},
		{name: "evaluate open label windows", simulated: true, args: "evaluate production --to 2025-09-01",
			code: exitUsage, stderr: lines{"the label windows of as-of dates after 2025-08-08 are still open: the data ends on 2025-09-07 and the window is 30 days; use --to 2025-08-08 or earlier", hint}},
		{name: "evaluate before the data", simulated: true, args: "evaluate --to 2024-06-01",
			code: exitUsage, stderr: lines{"there is no as-of date up to 2024-06-01; the data runs from 2025-01-01 to 2025-09-07, and label windows have closed up to 2025-08-08", hint}},
		{name: "evaluate backwards", simulated: true, args: "evaluate --from 2025-05-01 --to 2025-04-01",
			code: exitUsage, stderr: lines{"--from 2025-05-01 is after --to 2025-04-01", hint}},
		{name: "evaluate from an unreadable date", args: "evaluate --from May",
			code: exitUsage, stderr: lines{`--from: date "May" is not of the form 2026-04-30`, hint}},
		{name: "evaluate without a model", args: "evaluate",
			code: exitFailure, stderr: lines{"registry: no model is in production yet; run `churn train` and `churn promote`, or `churn run-all`"}},
		{name: "explain nobody", simulated: true, args: "explain",
			code: exitUsage, stderr: lines{"explain takes one user id", hint}},
		{name: "explain an unknown user", simulated: true, args: "explain u-none",
			code: exitFailure, stderr: lines{`there is no user "u-none" in the data`}},
		{name: "explain with a flag that is not there", simulated: true, args: "explain 1 --asof 2025-05-01",
			code: exitUsage, stderr: lines{"there is no flag --asof", hint}},
		{name: "explain with a flag without its value", simulated: true, args: "explain 1 --as-of",
			code: exitUsage, stderr: lines{"a value is missing after --as-of", hint}},
		{name: "train a model that is not there", simulated: true, args: "train --model forest",
			code: exitUsage, stderr: lines{`--model: train.models: "forest" is unknown; use logistic or gbdt`, hint}},
		{name: "backtest every 0 days", simulated: true, args: "backtest --every 0",
			code: exitUsage, stderr: lines{"--every 0 is out of range; use 1 or more days", hint}},
		{name: "backtest before there is anything to learn from", simulated: true, args: "backtest --from 2025-01-10 --to 2025-01-20",
			code: exitFailure, stderr: lines{"no model could be trained and judged on any date; on the last date: no label window had closed yet"}},
		{name: "promote by force without a reason", simulated: true, args: "promote --force",
			code: exitUsage, stderr: lines{"--force and --reason go together: overruling the gate needs a reason", hint}},
		{name: "settings of the models out of range", args: "config check --set train.folds=0 --set train.validation_size=1 --set train.search_rows=10 --set train.half_life_days=-1 --set train.logistic.l1_ratio=2 --set train.gbdt.max_leaf_nodes=1 --set train.gbdt.learning_rate=",
			code: exitConfig, stderr: lines{
				"train.validation_size: 1 is not a share; use a number between 0 and 1",
				"train.folds: 0 is out of range; use 1 to 20",
				"train.search_rows: 10 is too few; use at least 1000",
				"train.half_life_days: -1 is out of range; use 0 to 36500",
				"train.logistic.l1_ratio: 2 is out of range; use 0 to 1",
				"train.gbdt.learning_rate: the list is empty; give at least one value",
				"train.gbdt.max_leaf_nodes: 1 is out of range; use 2 to 1024",
			}},
		{name: "too many settings to try", args: "config check --set train.gbdt.max_leaf_nodes=2,3,4,5,6,7,8,9,10 --set train.gbdt.min_samples_leaf=1,2,3,4,5,6,7,8",
			code: exitConfig, stderr: lines{"train.gbdt: 72 combinations of settings are too many to try; use at most 64"}},
		{name: "value and segments out of range", args: "config check --set value.success_rate=1.5 --set value.capacity=0 --set evaluate.segments=planet --set evaluate.leak_roc_auc=0.2",
			code: exitConfig, stderr: lines{
				`evaluate.segments: "planet" is unknown; use some of [plan country tenure marketing_source]`,
				"evaluate.leak_roc_auc: 0.2 is out of range; use a number above 0.5, at most 1 (1 = never)",
				"value.success_rate: 1.5 is not a share; use a number between 0 and 1",
				"value.capacity: 0 is out of range; use 1 or more",
			}},
		{name: "contacts that can never pay", args: "config check --set value.contact_cost=40",
			code: exitConfig, stderr: lines{"value.contact_cost: 40 is not below kept_customer × success_rate = 30; no contact could ever pay"}},
	}
}

// brokenCalls are command lines that cannot be understood.
func brokenCalls() []badInput {
	return []badInput{
		{name: "command unknown", args: "score-all",
			code: exitUsage, stderr: lines{`there is no command "score-all"; did you mean score?`, hint}},
		{name: "command far from any", args: "frobnicate",
			code: exitUsage, stderr: lines{`there is no command "frobnicate"`, hint}},
		{name: "flag unknown", args: "features --asof 2025-01-01",
			code: exitUsage, stderr: lines{"there is no flag --asof", hint}},
		{name: "global flag unknown", args: "--verbose features",
			code: exitUsage, stderr: lines{"there is no flag --verbose", hint}},
		{name: "flag without its value", args: "features --as-of",
			code: exitUsage, stderr: lines{"a value is missing after --as-of", hint}},
		{name: "argument too many", args: "prepare now",
			code: exitUsage, stderr: lines{`prepare takes no argument "now"; flags go before arguments, and global flags before the command`, hint}},
		{name: "subcommand of registry unknown", args: "registry shwo v0001",
			code: exitUsage, stderr: lines{`registry has no subcommand "shwo"; use list, show, history, who, rollback, verify, gc, export, import`, hint}},
		{name: "subcommand of config unknown", args: "config cehck",
			code: exitUsage, stderr: lines{`config has no subcommand "cehck"; use show, check`, hint}},
		{name: "scratch schema with files", args: "--set source.scratch_schema=tmp validate",
			code: exitConfig, stderr: lines{"source.scratch_schema: files have none; it goes with a database (source.kind: postgres)"}},
		{name: "shell that has no completion", args: "completion tcsh",
			code: exitUsage, stderr: lines{`completion has no subcommand "tcsh"; use bash, zsh, fish`, hint}},
		{name: "registry show without a version", args: "registry show",
			code: exitUsage, stderr: lines{"registry show takes one version or alias, such as v0001 or production", hint}},
		{name: "registry show with two versions", args: "registry show v0001 v0002",
			code: exitUsage, stderr: lines{"registry show takes one version or alias, such as v0001 or production", hint}},
		{name: "registry list with an argument", args: "registry list v0001",
			code: exitUsage, stderr: lines{`list takes no argument "v0001"; flags go before arguments, and global flags before the command`, hint}},
		{name: "log format unknown", args: "--log-format xml prepare",
			code: exitUsage, stderr: lines{`--log-format "xml" is unknown; use auto, text or json`, hint}},
		{name: "log level unknown", args: "--log-level loud prepare",
			code: exitUsage, stderr: lines{`--log-level "loud" is unknown; use debug, info, warn, error or auto`, hint}},
		{name: "progress unknown", args: "--progress always prepare",
			code: exitUsage, stderr: lines{`--progress "always" is unknown; use auto or never`, hint}},
		{name: "help on an unknown command", args: "help frobnicate",
			code: exitUsage, stderr: lines{`there is no command "frobnicate"`, hint}},
	}
}

// TestBadInput tells what users get wrong and what they read then.
func TestBadInput(t *testing.T) {
	finished := t.TempDir()
	run := badInput{simulated: true}
	if code, _, stderr := run.churn(finished, "run-all --set generate.users=120 --set generate.days=250"); code != exitOK {
		t.Fatal(stderr)
	}
	cases := slices.Concat(brokenFiles(), brokenRows(), brokenOrder(), brokenSettings(), brokenModels(), brokenCalls())
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) { c.run(t, finished) }) // one after the other: urfave has global state
	}
}

func (c *badInput) run(t *testing.T, finished string) {
	dir := c.world(t, finished)
	for _, args := range c.after {
		if code, _, stderr := c.churn(dir, args); code != exitOK {
			t.Fatalf("churn %s: exit code %d\n%s", args, code, stderr)
		}
	}
	if c.damage != nil {
		c.damage(t, dir)
	}
	before := snapshot(t, dir)
	code, stdout, stderr := c.churn(dir, c.args)
	if code != c.code {
		t.Errorf("exit code %d, want %d", code, c.code)
	}
	if diff := cmp.Diff(strings.Join(c.stderr.prefixed(), ""), stderr); diff != "" {
		t.Errorf("stderr (-want +got)\n%s", diff)
	}
	if !strings.Contains(stdout, c.says) || (c.says == "") != (stdout == "") {
		t.Errorf("stdout does not say %q:\n%s", c.says, stdout)
	}
	c.checkQuarantine(t, dir)
	if code != exitOK {
		for _, fault := range touched(before, snapshot(t, dir), append(reports(), c.makes...)) {
			t.Error(fault)
		}
	}
}

func (l lines) prefixed() (out []string) {
	for _, line := range l {
		out = append(out, "churn: "+line+"\n")
	}
	return out
}

// world makes the folder of the case. finished is that of a run on simulated data.
func (c *badInput) world(t *testing.T, finished string) string {
	dir := t.TempDir()
	if c.simulated {
		if err := os.CopyFS(dir, os.DirFS(finished)); err != nil {
			t.Fatal(err)
		}
		return dir
	}
	files := map[string]string{"users.csv": usersCSV, "events.csv": eventsCSV}
	maps.Copy(files, c.files)
	for _, add := range [][2]string{{"users.csv", c.user}, {"events.csv", c.event}} {
		if add[1] != "" {
			files[add[0]] += add[1] + "\n"
		}
	}
	for name, text := range files {
		write(t, filepath.Join(dir, name), text)
	}
	return dir
}

// churn runs the program on the folder and returns what users see, with the
// parts that differ from run to run replaced.
func (c *badInput) churn(dir, args string) (code int, stdout, stderr string) {
	all := []string{"churn", "--log-level", "error", "--set", "paths.data=" + dir + "/data", "--set", "paths.artifacts=" + dir + "/artifacts", "--set", "train.bootstrap=20"}
	if !c.simulated {
		all = append(all, "--set", "source.users="+dir+"/users.csv", "--set", "source.events="+dir+"/events.csv")
	}
	// Global flags stand before the command; the table names the command first.
	var global, command []string
	words := strings.Fields(strings.ReplaceAll(args, "$DIR", dir))
	for i := 0; i < len(words); i++ {
		if words[i] == "--set" && i+1 < len(words) {
			global = append(global, words[i:i+2]...)
			i++
			continue
		}
		command = append(command, words[i])
	}
	var out, errs bytes.Buffer
	code = cli.Main(context.Background(), slices.Concat(all, global, command), append(slices.Clone(c.env), actAsChurn+"=1"), &out, &errs)
	return code, stable(out.String(), dir), stable(errs.String(), dir)
}

func stable(text, dir string) string {
	text = strings.ReplaceAll(text, dir, "$DIR")
	text = regexp.MustCompile(`today is \d{4}-\d\d-\d\d`).ReplaceAllString(text, "today is $$TODAY")
	text = regexp.MustCompile(`models/[0-9a-f]{16}`).ReplaceAllString(text, "models/####")
	return regexp.MustCompile(`0\.\d{4}`).ReplaceAllString(text, "0.####")
}

// checkQuarantine compares the records of quarantine.csv.
func (c *badInput) checkQuarantine(t *testing.T, dir string) {
	want := c.quarantined
	if want == nil && c.user+c.event != "" {
		want = []string{c.user + c.event}
	}
	if want == nil {
		return
	}
	data, err := os.ReadFile(filepath.Join(dir, "data/processed/quarantine.csv"))
	if err != nil {
		t.Fatal(err)
	}
	rows, err := csv.NewReader(bytes.NewReader(data)).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	got := []string{}
	for _, row := range rows[1:] {
		got = append(got, row[4])
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("quarantine (-want +got)\n%s", diff)
	}
}

// snapshot returns the digest of every file, and "folder" for folders.
func snapshot(t *testing.T, dir string) map[string]string {
	out := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name, _ := filepath.Rel(dir, path)
		if e.IsDir() {
			out[name] = "folder"
			return nil
		}
		data, err := os.ReadFile(path)
		sum := sha256.Sum256(data)
		out[name] = string(sum[:])
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// reports are the files that a failing command writes on purpose.
func reports() []string {
	return []string{"data/.lock", "artifacts/.lock", "artifacts/registry/.lock", "data/processed/quarantine.csv", "data/processed/quarantine.manifest.json", "artifacts/metrics/validation.json", "artifacts/metrics/train_latest.json"}
}

// touched is the law of every failure: nothing is lost, nothing is changed,
// nothing half-written or temporary is left, no result is new.
func touched(before, after map[string]string, allowed []string) (faults []string) {
	for _, name := range slices.Sorted(maps.Keys(after)) {
		switch old, existed := before[name]; {
		case strings.Contains(name, ".tmp-"):
			faults = append(faults, name+" was left behind")
		case slices.Contains(allowed, name) || after[name] == "folder":
		case !existed:
			faults = append(faults, name+" is new")
		case old != after[name]:
			faults = append(faults, name+" was changed")
		}
	}
	for _, name := range slices.Sorted(maps.Keys(before)) {
		if _, ok := after[name]; !ok {
			faults = append(faults, name+" is lost")
		}
	}
	return faults
}

// The mutants that touched must catch.
func TestTouched(t *testing.T) {
	before := map[string]string{"a": "1", "b": "1", "data": "folder"}
	after := map[string]string{"a": "2", "data": "folder", "data/.staging.tmp-1": "folder", "data/x.csv": "1", "data/.lock": ""}
	want := []string{"a was changed", "data/.staging.tmp-1 was left behind", "data/x.csv is new", "b is lost"}
	if diff := cmp.Diff(want, touched(before, after, reports())); diff != "" {
		t.Error(diff)
	}
}

func write(t *testing.T, path, text string) {
	if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(text), 0o644)); err != nil {
		t.Fatal(err)
	}
}

// placed returns where a file is: that of a version, such as
// v0001/bundle.json, stands in a folder named by its digest.
func placed(t *testing.T, dir, name string) string {
	version, file, _ := strings.Cut(name, "/")
	manifest := filepath.Join(dir, "artifacts/registry/versions", version+".json")
	if _, err := os.Stat(manifest); err != nil {
		return name
	}
	return filepath.Join("artifacts/registry", readJSON[registry.Manifest](t, manifest).Folder, file)
}

// edit returns a damage that changes the bytes of one file.
func edit(name string, change func([]byte) []byte) func(*testing.T, string) {
	return func(t *testing.T, dir string) {
		path := filepath.Join(dir, placed(t, dir, name))
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		write(t, path, string(change(data)))
	}
}

// flip inverts a byte, counted from the end where at is negative.
func flip(name string, at int) func(*testing.T, string) {
	return edit(name, func(b []byte) []byte { b[(at+len(b))%len(b)] ^= 0xff; return b })
}

func truncate(name string) func(*testing.T, string) {
	return edit(name, func(b []byte) []byte { return b[:len(b)/2] })
}

// replaceEnd overwrites the last bytes.
func replaceEnd(name, with string) func(*testing.T, string) {
	return edit(name, func(b []byte) []byte { return append(b[:len(b)-len(with)], with...) })
}

func remove(name string) func(*testing.T, string) {
	return func(t *testing.T, dir string) {
		if err := os.Remove(filepath.Join(dir, placed(t, dir, name))); err != nil {
			t.Fatal(err)
		}
	}
}

// lock holds the lock of a folder, as another process would.
func lock(name string) func(*testing.T, string) {
	return func(t *testing.T, dir string) {
		if err := os.MkdirAll(filepath.Join(dir, name), 0o755); err != nil {
			t.Fatal(err)
		}
		l := flock.New(filepath.Join(dir, name, ".lock"))
		if ok, err := l.TryLock(); !ok {
			t.Fatal(err)
		}
		t.Cleanup(func() { l.Unlock() }) //nolint:errcheck // ends with the process anyway
	}
}

func cutZstd(text string) string {
	z, err := zstd.NewWriter(nil)
	if err != nil {
		panic(err)
	}
	b := z.EncodeAll([]byte(text), nil)
	return string(b[:len(b)-10])
}

func cutGzip(text string) string {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	z.Write([]byte(text)) //nolint:errcheck // into memory
	z.Close()
	return b.String()[:b.Len()/2]
}
