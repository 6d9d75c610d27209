"""One contestant of bench/scale: the table of churn prepare, by DuckDB or by polars.

    peers.py DuckDB|polars USERS EVENTS OUT THREADS TEMP MEMORY
    peers.py verify OURS OUT...

The table has a row for each user and day on which he did something: events of each
type, minutes, scores and amounts of payments. Rows are checked as `churn validate`
checks them by default; a repeated event_id counts once. DuckDB keeps to MEMORY and
spills to TEMP; polars knows no such limit.
"""

import datetime
import sys

TYPES = ["login", "course_enroll", "video_watch", "quiz_attempt", "payment_success", "payment_failed", "support_ticket"]
PAYMENTS = ["payment_success", "payment_failed"]


def duckdb_table(users, events, out, threads, temp, memory):
    import duckdb

    db = duckdb.connect(config={"threads": threads, "memory_limit": memory, "temp_directory": temp, "preserve_insertion_order": False})
    # Text as it stands in CSV; the types of Parquet as they are.
    read = f"read_parquet('{events}')" if events.endswith(".parquet") else f"read_csv('{events}', all_varchar = true, header = true)"
    read_users = f"read_parquet('{users}')" if users.endswith(".parquet") else f"read_csv('{users}', all_varchar = true, header = true)"
    types = ", ".join(f"'{t}'" for t in TYPES)
    payments = ", ".join(f"'{t}'" for t in PAYMENTS)
    counts = ", ".join(f"count(*) FILTER (event_type = '{t}')::INTEGER AS {t}" for t in TYPES)
    db.execute(f"""
        CREATE TEMP VIEW typed AS
        SELECT try_cast(event_id AS BIGINT) AS event_id, try_cast(user_id AS BIGINT) AS user_id,
               try_cast(event_time AS TIMESTAMP)::DATE AS day, event_type,
               watch_minutes AS text_minutes, try_cast(watch_minutes AS DOUBLE) AS minutes,
               quiz_score AS text_score, try_cast(quiz_score AS DOUBLE) AS score,
               amount AS text_amount, try_cast(amount AS DOUBLE) AS amount
        FROM {read};
        CREATE TEMP TABLE people AS SELECT try_cast(user_id AS BIGINT) AS user_id, try_cast(signup_date AS DATE) AS signup FROM {read_users};
        CREATE TEMP VIEW accepted AS
        SELECT event_id, e.user_id, day, event_type, minutes, score, amount
        FROM typed e JOIN people USING (user_id)
        WHERE event_id IS NOT NULL AND day >= signup AND day <= current_date AND event_type IN ({types})
          AND (text_minutes IS NULL OR minutes BETWEEN 0 AND 1000000)
          AND (text_score IS NULL OR score BETWEEN 0 AND 100)
          AND CASE WHEN event_type IN ({payments}) THEN amount > 0 AND amount <= 1000000000
                   ELSE text_amount IS NULL OR amount = 0 END;
    """)
    # Repeats are rare: to find their ids first takes less than to make every row
    # distinct, which would hold whole rows instead of numbers.
    db.execute("CREATE TEMP TABLE repeated AS SELECT event_id FROM accepted GROUP BY event_id HAVING count(*) > 1")
    source = "accepted"
    if db.execute("SELECT count(*) FROM repeated").fetchone()[0]:
        db.execute("""CREATE TEMP VIEW once AS
            SELECT * FROM accepted WHERE event_id NOT IN (SELECT event_id FROM repeated)
            UNION ALL SELECT DISTINCT ON (event_id) * FROM accepted WHERE event_id IN (SELECT event_id FROM repeated) ORDER BY event_id, day""")
        source = "once"
    db.execute(f"""
        COPY (SELECT user_id, day, day AS known, {counts}, coalesce(sum(minutes), 0) AS minutes,
                     coalesce(sum(score), 0) AS scores, count(score)::INTEGER AS scored,
                     coalesce(sum(amount) FILTER (event_type = 'payment_success'), 0) AS paid
              FROM {source} GROUP BY user_id, day) TO '{out}' (FORMAT parquet)""")


def polars_table(users, events, out):
    import polars as pl

    def scan(path):
        return pl.scan_parquet(path) if path.endswith(".parquet") else pl.scan_csv(path, infer_schema=False)

    raw = scan(events)
    text = raw.collect_schema()["event_id"] == pl.String

    def number(name, dtype):
        return pl.col(name).cast(dtype, strict=False) if text else pl.col(name)

    people = scan(users).select(
        pl.col("user_id").cast(pl.Int64, strict=False),
        pl.col("signup_date").str.to_date("%Y-%m-%d", strict=False) if text else pl.col("signup_date"),
    )
    day = pl.col("event_time").str.to_datetime("%Y-%m-%dT%H:%M:%S", strict=False).dt.date()
    typed = raw.select(
        number("event_id", pl.Int64),
        number("user_id", pl.Int64),
        day.alias("day"),
        "event_type",
        pl.col("watch_minutes").is_null().alias("no_minutes"),
        number("watch_minutes", pl.Float64).alias("minutes"),
        pl.col("quiz_score").is_null().alias("no_score"),
        number("quiz_score", pl.Float64).alias("score"),
        pl.col("amount").is_null().alias("no_amount"),
        number("amount", pl.Float64),
    )
    payment = pl.col("event_type").is_in(PAYMENTS)
    accepted = typed.join(people, on="user_id").filter(
        pl.col("event_id").is_not_null()
        & (pl.col("day") >= pl.col("signup_date"))
        & (pl.col("day") <= datetime.date.today())
        & pl.col("event_type").is_in(TYPES)
        & (pl.col("no_minutes") | pl.col("minutes").is_between(0, 1_000_000))
        & (pl.col("no_score") | pl.col("score").is_between(0, 100))
        & pl.when(payment).then((pl.col("amount") > 0) & (pl.col("amount") <= 1_000_000_000)).otherwise(pl.col("no_amount") | (pl.col("amount") == 0))
    )
    repeated = accepted.group_by("event_id").len().filter(pl.col("len") > 1).select("event_id").collect(engine="streaming")
    if repeated.height:
        again = accepted.join(repeated.lazy(), on="event_id", how="semi").sort("event_id", "day").unique("event_id", keep="first")
        accepted = pl.concat([accepted.join(repeated.lazy(), on="event_id", how="anti"), again])
    accepted.group_by("user_id", "day").agg(
        *[(pl.col("event_type") == t).sum().cast(pl.Int32).alias(t) for t in TYPES],
        pl.col("minutes").sum(),
        pl.col("score").sum().alias("scores"),
        pl.col("score").count().cast(pl.Int32).alias("scored"),
        pl.col("amount").filter(pl.col("event_type") == "payment_success").sum().alias("paid"),
    ).with_columns(pl.col("day").alias("known")).sink_parquet(out, engine="streaming")


def verify(ours, *outs):
    """Fails unless each of outs has the rows of ours, with the same sums."""
    import duckdb

    db = duckdb.connect(config={"threads": 2, "memory_limit": "4GiB", "preserve_insertion_order": False})
    whole, real = ["known", *TYPES, "scored"], ["minutes", "scores", "paid"]
    for out in outs:
        # Doubles added in another order differ in the last bits; ours are exact.
        wrong = " OR ".join([f"a.{c} <> b.{c}" for c in whole] + [f"abs(a.{c} - b.{c}) > 1e-6" for c in real])
        n, m, bad = db.execute(f"""
            SELECT count(a.user_id), count(b.user_id), count(*) FILTER (a.user_id IS NULL OR b.user_id IS NULL OR {wrong})
            FROM '{ours}' a FULL JOIN '{out}' b USING (user_id, day)""").fetchone()
        if bad or n != m or n == 0:
            sys.exit(f"{out}: {m} rows against {n} of churn; {bad} of them differ")
    print(n)


if __name__ == "__main__":
    what, *args = sys.argv[1:]
    if what == "DuckDB":
        duckdb_table(*args)
    elif what == "polars":
        polars_table(*args[:3])
    else:
        verify(*args)
