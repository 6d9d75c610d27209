package parity

import (
	"context"
	"strconv"
	"strings"
	"testing"

	"churn/pipeline"
	"churn/pipeline/prepare"
	"churn/pipeline/source"
	"churn/pipeline/validate"
	"churn/pipeline/warehouse"
)

// opened is an engine with its checks done, at the moment before the stream.
type opened struct {
	*warehouse.Engine
	result *validate.Result
	in     validate.Input
	header prepare.Header
	out    prepare.Outputs
}

func open(t *testing.T, at source.Params) *opened {
	t.Helper()
	d := &data{zone: "UTC"}
	in, params, header := settings(t, d)
	at.Timezone = d.zone
	db, err := warehouse.Open(t.Context(), at, validate.WarehouseRules(in, params))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() }) // some tests break it
	result, err := validate.RunIn(t.Context(), db, in, params)
	if err != nil {
		t.Fatal(err)
	}
	return &opened{db, result, in, header, outputs(t.TempDir())}
}

// prepare runs the stage from the stream, which breaks at a user.
func (o *opened) prepare(ctx context.Context, t *testing.T, at int, crash func()) (prepare.Report, error) {
	t.Helper()
	stream, err := o.Features(ctx, o.in.Vocabulary, o.result.Courses, o.result.Repeats, validate.CompareIDs)
	if err != nil {
		t.Fatal(err)
	}
	defer stream.Close()
	return prepare.RunFrom(ctx, &breaking{stream: stream, at: at, crash: crash}, o.result, o.in.Vocabulary, o.header, prepare.Params{}, o.out, nil)
}

// breaking breaks a stream at a user.
type breaking struct {
	stream prepare.Stream
	at     int
	crash  func()
}

func (b *breaking) Next() (pipeline.Timeline, bool, error) {
	if b.at--; b.at == 0 {
		b.crash()
	}
	return b.stream.Next()
}

// The law: all that one run sees is one snapshot, whatever is written meanwhile;
// where there are none, it is an error, and nothing is written.
func testChanges(t *testing.T, e *engine) {
	for name, change := range map[string]func(at source.Params) string{
		"more events": func(at source.Params) string {
			return "INSERT INTO " + at.Events + " SELECT 5000 + event_id, user_id, event_time, event_type, 'new', watch_minutes, quiz_score, amount FROM " + at.Events
		},
		"more users": func(at source.Params) string {
			return "INSERT INTO " + at.Users + " SELECT 5000 + user_id, signup_date, plan, is_paid, country, marketing_source FROM " + at.Users
		},
	} {
		t.Run(name, func(t *testing.T) {
			at := e.tables(t, userColumns(), fewUsers, eventColumns(), fewEvents)
			o := open(t, at)
			e.exec(t, change(at))
			report, err := o.prepare(t.Context(), t, 0, nil)
			if e.snapshot && (err != nil || report.Events != fewEvents || report.Users != fewUsers) {
				t.Errorf("%+v, %v", report, err)
			}
			if !e.snapshot && (err == nil || !strings.Contains(err.Error(), "while they are read") && !strings.Contains(err.Error(), "other users")) {
				t.Errorf("%+v, %v", report, err)
			}
			if left := filesBeside(o.out.Timelines); !e.snapshot && len(left) > 0 {
				t.Errorf("left behind: %v", left)
			}
		})
	}
}

// The law: a stream that ends early, by a lost connection or because it is
// cancelled, is an error, and leaves no output and no query behind.
func testBreaks(t *testing.T, e *engine) {
	const users, events = 30_000, 60_000 // rows that do not fit into the buffers on the way
	few := eventColumns()
	at := e.tables(t, userColumns(), users, with(few, column{"user_id", asInt, func(i int) string { return strconv.Itoa(i%users + 1) }},
		column{"event_time", asClock, func(i int) string { return few[2].value(i % fewEvents) }}, column{"course_id", asText, always(strings.Repeat("go", 150))}), events)
	cancelled, cancel := context.WithCancel(t.Context())
	defer cancel()
	type way struct {
		ctx   context.Context
		crash func()
	}
	ways := map[string]way{"cancelled": {cancelled, cancel}}
	if e.lose != "" {
		ways["lost"] = way{t.Context(), func() { e.exec(t, e.lose) }}
	}
	for name, test := range ways {
		t.Run(name, func(t *testing.T) {
			o := open(t, at)
			if _, err := o.prepare(test.ctx, t, 1000, test.crash); err == nil {
				t.Error("a part was taken for the whole")
			}
			if left := filesBeside(o.out.Timelines); len(left) > 0 {
				t.Errorf("left behind: %v", left)
			}
			o.Close()
			for busy := 1; busy > 0; { // ends by the test's own deadline if the query goes on
				if err := e.db.QueryRow(e.busy).Scan(&busy); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}
