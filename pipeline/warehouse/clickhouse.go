package warehouse

import (
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"

	ch "github.com/ClickHouse/clickhouse-go/v2"

	"churn/pipeline/source"
)

// clickhouse is the dialect of ClickHouse, over its own protocol or HTTP. It has
// no transactions: each query sees the tables as they are then, and what is
// counted twice must agree (Histograms, prepare).
//
// Its times are instants, shown in a zone; there are none without. Days are
// Nullable, so that a LEFT JOIN without a match yields NULL and not 1970-01-01,
// whatever join_use_nulls says. Where a column may be NULL, toString keeps it,
// and CAST would not.
func clickhouse() dialect {
	return dialect{
		name:     source.KindClickHouse,
		open:     openClickHouse,
		explain:  explainClickHouse,
		describe: func(from string) string { return "DESCRIBE TABLE (SELECT * FROM " + from + ")" },
		kind:     clickhouseKind,
		quote:    func(name string) string { return `"` + clickhouseEscape(name, `"`) + `"` },
		literal:  func(text string) string { return `'` + clickhouseEscape(text, `'`) + `'` },
		text:     func(x string) string { return `trim(BOTH ' \t\n\v\f\r' FROM toString(` + x + `))` },
		numeral:  func(x string) string { return "toString(" + x + ")" },
		number:   clickhouseNumber,
		wall:     clickhouseWall,
		day:      func(w string) string { return "toNullable(toInt32(toDate32(" + w + ")))" },
		second:   func(w string) string { return "toStartOfSecond(" + w + ")" },
		fixed:    clickhouseFixed,
		digits:   func(x string) string { return "match(" + x + ", '^[0-9]+$')" },
		bytewise: func(x string) string { return x },
		list:     func(x string) string { return "arrayStringConcat(groupArray(" + x + "), char(31))" },
		stream:   " SETTINGS max_block_size = 1024", // rows, of a user each; the client holds a few blocks, and 65,409 would be hundreds of megabytes
	}
}

// openClickHouse reads the address. An https one need not say secure=true. The
// client would give up after five minutes: over HTTP of waiting for the first
// rows, over the native protocol of reading one answer.
func openClickHouse(p source.Params) (*sql.DB, error) {
	address := p.URL
	if u, err := url.Parse(address); err == nil && u.Scheme == "https" && !u.Query().Has("secure") {
		q := u.Query()
		q.Set("secure", "true")
		u.RawQuery = q.Encode()
		address = u.String()
	}
	o, err := ch.ParseDSN(address)
	if err != nil {
		return nil, err // it leaves the password out
	}
	if o.ReadTimeout == 0 {
		o.ReadTimeout = 24 * time.Hour
	}
	o.ClientInfo.Products = append(o.ClientInfo.Products, struct{ Name, Version string }{"churn", "1"})
	maps.Copy(o.Settings, clickhouseSettings())
	return sql.OpenDB(clickhouseConnector{Connector: ch.Connector(o)}), nil
}

// clickhouseSettings go with each query. What a profile may cut off in silence
// must be an error, a count must be exact, and nothing is written. None of them
// gives views and queries another meaning.
func clickhouseSettings() ch.Settings {
	out := ch.Settings{
		"readonly":                              2, // 1 would not let the others through
		"count_distinct_implementation":         "uniqExact",
		"extremes":                              0,
		"force_grouping_standard_compatibility": 1, // 0 turns the sense of grouping() around
		// Over HTTP the server would go on when the program is gone.
		"cancel_http_readonly_queries_on_client_close": 1,
	}
	for _, what := range []string{"read", "group_by", "sort", "result", "timeout", "set", "join", "transfer", "distinct"} {
		out[what+"_overflow_mode"] = "throw"
	}
	return out
}

// clickhouseEscape escapes backslashes and the quote.
func clickhouseEscape(text, quote string) string {
	return strings.NewReplacer(`\`, `\\`, quote, `\`+quote).Replace(text)
}

// clickhouseNumber gives decimals room: products with a unit stay below the
// limit of 76 digits.
func clickhouseNumber(x string, k kind) string {
	switch k {
	case absent:
		return "CAST(NULL AS Nullable(Int32))"
	case decimal:
		return "toDecimal256(" + x + ", 38)"
	case double:
		return "toFloat64(" + x + ")"
	}
	return x
}

// clickhouseWall writes what a clock in the zone shows as a time of zone UTC.
func clickhouseWall(x, zone string, k kind) string {
	switch {
	case zone == "":
		return "CAST(NULL AS Nullable(DateTime64(6, 'UTC')))"
	case k == instant:
		return fmt.Sprintf("addSeconds(toDateTime64(%s, 6, 'UTC'), timeZoneOffset(toTimeZone(%s, %s)))", x, x, literalDoubled(zone))
	}
	return "toDateTime64(" + x + ", 6, 'UTC')"
}

// clickhouseFixed writes a quantity as whole units. It is computed also for rows
// that do not count, and must not fail there.
func clickhouseFixed(x string, units int64, k kind) string {
	switch k {
	case double: // the same multiplication, addition and floor as in pipeline.Fixed
		return fmt.Sprintf("accurateCastOrNull(floor(%s * toFloat64(%d) + toFloat64(0.5)), 'Int64')", x, units)
	case decimal:
		return fmt.Sprintf("toInt256(floor(%s * %d + toDecimal32('0.5', 1)))", x, units)
	}
	return fmt.Sprintf("toInt64(%s) * %d", x, units)
}

// explainClickHouse says in words what the client and the server have numbers for.
func explainClickHouse(err error) error {
	const readonly = 164
	var said *ch.Exception
	switch {
	case errors.Is(err, driver.ErrBadConn): // the client says no more
		return explained{"the connection was lost before the answer was whole; run the same command again", err}
	case errors.As(err, &said) && said.Code == readonly:
		return fmt.Errorf("%w; the user must have readonly = 2 or 0: with 1 a query cannot bring settings, on which the exactness of the answer depends", err)
	}
	return err
}

// clickhouseKind reads a type such as LowCardinality(Nullable(String)).
func clickhouseKind(name string) kind {
	for again := true; again; {
		again = false
		for _, wrapper := range []string{"Nullable(", "LowCardinality("} {
			if inner, ok := strings.CutPrefix(name, wrapper); ok {
				name, again = strings.TrimSuffix(inner, ")"), true
			}
		}
	}
	constructor, _, _ := strings.Cut(name, "(")
	switch constructor {
	case "String", "FixedString", "Enum8", "Enum16":
		return text
	case "UUID":
		return bare
	case "Int8", "Int16", "Int32", "Int64", "Int128", "Int256", "UInt8", "UInt16", "UInt32", "UInt64", "UInt128", "UInt256":
		return integer
	case "Decimal":
		return clickhouseDecimal(name)
	case "Float32", "Float64":
		return double
	case "Bool":
		return boolean
	case "Date", "Date32":
		return date
	case "DateTime", "DateTime64":
		return instant
	}
	return other
}

// clickhouseDecimal takes decimals that have up to 29 digits before the point and
// 38 after it: all that fits into 76 together with a unit.
func clickhouseDecimal(name string) kind {
	m := regexp.MustCompile(`^Decimal\((\d+), (\d+)\)$`).FindStringSubmatch(name)
	if m == nil {
		return other
	}
	precision, err1 := strconv.Atoi(m[1])
	scale, err2 := strconv.Atoi(m[2])
	if err1 != nil || err2 != nil || scale > 38 || precision-scale > 29 {
		return other
	}
	return decimal
}
