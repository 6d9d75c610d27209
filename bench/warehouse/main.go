// Command warehouse measures churn prepare from PostgreSQL: beside files, with
// and without staging, what crosses, and the memory of the client as users grow.
// It makes tables of its own in the database of CHURN_POSTGRES_URL, and drops
// them; `make bench-postgres` starts a server and calls it.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5"

	"churn/bench/internal/kit"
)

type options struct {
	churn, url        string
	users, days, runs int
	sizes             string
}

func main() {
	o := options{url: os.Getenv("CHURN_POSTGRES_URL")}
	flag.StringVar(&o.churn, "churn", "./bin/churn", "the binary to measure")
	flag.IntVar(&o.users, "users", 20000, "simulated users")
	flag.IntVar(&o.days, "days", 120, "simulated days")
	flag.IntVar(&o.runs, "runs", 3, "runs behind each median")
	flag.StringVar(&o.sizes, "sizes", "20000,200000,2000000", "numbers of users, of three events each, whose memory is measured")
	flag.Parse()
	if err := errors.Join(kit.SetStopwatch(), run(context.Background(), o)); err != nil {
		fmt.Fprintln(os.Stderr, "warehouse:", err)
		os.Exit(1)
	}
}

const schema = "churn_bench"

// bench is a folder, a schema and a connection to it.
type bench struct {
	options
	dir  string
	conn *pgx.Conn
	out  io.Writer
}

func run(ctx context.Context, o options) (err error) {
	b := bench{options: o, out: os.Stdout}
	if b.churn, err = filepath.Abs(o.churn); err != nil {
		return err
	}
	if b.dir, err = os.MkdirTemp("", "churn-warehouse-*"); err != nil {
		return err
	}
	defer os.RemoveAll(b.dir)
	if o.url == "" {
		return errors.New("CHURN_POSTGRES_URL is not set; make bench-postgres starts a server and sets it")
	}
	if b.conn, err = pgx.Connect(ctx, o.url); err != nil {
		return err
	}
	defer b.conn.Close(ctx)
	if err := b.exec(ctx, "DROP SCHEMA IF EXISTS "+schema+" CASCADE", "CREATE SCHEMA "+schema); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.exec(ctx, "DROP SCHEMA "+schema+" CASCADE")) }()
	if err := b.ways(ctx); err != nil {
		return err
	}
	return b.memory(ctx)
}

func (b *bench) exec(ctx context.Context, statements ...string) error {
	for _, s := range statements {
		if _, err := b.conn.Exec(ctx, s); err != nil {
			return fmt.Errorf("%s: %w", s, err)
		}
	}
	return nil
}

// create makes empty tables as an application has them.
func (b *bench) create(ctx context.Context) error {
	return b.exec(ctx, "DROP TABLE IF EXISTS "+schema+".users, "+schema+".events",
		"CREATE TABLE "+schema+".users (user_id bigint PRIMARY KEY, signup_date date, plan text, is_paid int, country text, marketing_source text)",
		"CREATE TABLE "+schema+".events (event_id bigint PRIMARY KEY, user_id bigint, event_time timestamp, event_type text, course_id text, watch_minutes double precision, quiz_score double precision, amount numeric)")
}

// ways measures prepare from files, from tables, and from tables with staging,
// in turn, and what crosses.
func (b *bench) ways(ctx context.Context) error {
	if _, err := b.prepare(ctx, "generate", "--set", "paths.raw="+filepath.Join(b.dir, "raw"), "generate", "--users", strconv.Itoa(b.users), "--days", strconv.Itoa(b.days)); err != nil {
		return err
	}
	if err := b.create(ctx); err != nil {
		return err
	}
	for _, name := range []string{"users", "events"} {
		if err := b.load(ctx, name); err != nil {
			return err
		}
	}
	if err := b.exec(ctx, "ANALYZE"); err != nil {
		return err
	}
	all := []way{
		{name: "files", args: []string{"--set", "source.users=" + b.raw("users"), "--set", "source.events=" + b.raw("events")}},
		{name: "PostgreSQL", args: b.tables()},
		{name: "PostgreSQL, staged in a schema", args: append(b.tables(), "--set", "source.scratch_schema="+schema)},
		{name: "PostgreSQL, staged in pg_temp", args: append(b.tables(), "--set", "source.scratch_schema=pg_temp")},
	}
	kit.Heading(b.out, fmt.Sprintf("churn prepare, %d users, %d days, medians of %d runs", b.users, b.days, b.runs), "from", "seconds", "processor of the program, s", "of the server, s", "peak memory of the program, MiB")
	for range b.runs {
		for i := range all {
			m, err := b.prepare(ctx, "prepare", append(all[i].args, "prepare")...)
			if err != nil {
				return err
			}
			all[i].runs = append(all[i].runs, m)
		}
	}
	for _, w := range all {
		if w.runs[0].digest != all[0].runs[0].digest {
			return fmt.Errorf("the timelines from %s are others than those from files", w.name)
		}
		w.print(b.out)
	}
	return b.transfer(ctx)
}

func (b *bench) raw(name string) string { return filepath.Join(b.dir, "raw", name+".csv") }

func (b *bench) tables() []string {
	return []string{"--set", "source.kind=postgres", "--set", "source.url=" + b.url, "--set", "source.users=" + schema + ".users", "--set", "source.events=" + schema + ".events"}
}

func (b *bench) load(ctx context.Context, name string) error {
	f, err := os.Open(b.raw(name))
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = b.conn.PgConn().CopyFrom(ctx, f, "COPY "+schema+"."+name+" FROM STDIN (FORMAT csv, HEADER)")
	return err
}

// memory measures the peak memory of the program as users grow.
func (b *bench) memory(ctx context.Context) error {
	kit.Heading(b.out, "churn prepare from PostgreSQL, three events a user", "users", "seconds", "processor of the program, s", "of the server, s", "peak memory of the program, MiB")
	for text := range strings.SplitSeq(b.sizes, ",") {
		n, err := strconv.Atoi(text)
		if err != nil {
			return fmt.Errorf("-sizes: %w", err)
		}
		if err := b.create(ctx); err != nil {
			return err
		}
		if err := b.exec(ctx,
			fmt.Sprintf("INSERT INTO %s.users SELECT i, DATE '2025-01-01', 'free', 0, 'DE', 'ads' FROM generate_series(1, %d) AS i", schema, n),
			fmt.Sprintf("INSERT INTO %s.events SELECT i, 1 + i * 7919 %% %d, TIMESTAMP '2025-01-02' + i %% 120 * INTERVAL '1 day' + i %% 80000 * INTERVAL '1 second', 'video_watch', 'c' || i %% 50, i %% 60 FROM generate_series(1, 3 * %d::bigint) AS i", schema, n, n),
			"ANALYZE"); err != nil {
			return err
		}
		m, err := b.prepare(ctx, "prepare", append(b.tables(), "prepare")...)
		if err != nil {
			return err
		}
		way{name: strconv.Itoa(n), runs: []measured{m}}.print(b.out)
	}
	return nil
}
