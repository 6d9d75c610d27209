package validate

import (
	"fmt"
	"strings"

	"churn/internal/table"
	"churn/pipeline"
	"churn/pipeline/source"
)

// quarantineSchema has a line per bad row: where it stands, each thing that is
// wrong with it, and the row itself.
func quarantineSchema() table.Schema {
	return table.Schema{{Name: "file", Kind: table.Text}, {Name: "line", Kind: table.Int}, {Name: "checks", Kind: table.Text},
		{Name: "reasons", Kind: table.Text}, {Name: "record", Kind: table.Text}}
}

// takeBad counts failures, keeps examples and quarantines critical rows.
func (v *findings) takeBad(bad []badRow, failures *[numChecks]int64) error {
	for id, n := range failures {
		v.report.Checks[id].Failures += n
	}
	if len(bad) == 0 {
		return nil
	}
	batch := v.quarantine.NewBatch()
	for _, b := range bad {
		for i, id := range b.checks {
			if c := v.check(id); len(c.Examples) < v.params.Examples {
				c.Examples = append(c.Examples, b.faults[i])
			}
		}
		if b.critical {
			v.quarantineRow(batch, &b)
		}
	}
	return v.quarantine.Append(batch)
}

func (v *findings) quarantineRow(batch *table.Batch, b *badRow) {
	var names, reasons []string
	for i, id := range b.checks {
		f := b.faults[i]
		names = append(names, v.check(id).Name)
		reason := fmt.Sprintf("%s %q", f.Field, f.Value)
		if f.Field == "" {
			reason = "row"
		}
		if f.What == "" {
			f.What = "must hold: " + v.check(id).Demand
		}
		reasons = append(reasons, strings.TrimSpace(reason+": "+f.What))
	}
	batch.Text(b.faults[0].File)
	batch.Int(int64(b.line))
	batch.Text(join(names))
	batch.Text(strings.Join(reasons, "; "))
	batch.Text(b.text)
	batch.EndRow()
}

// readUsers reads all users: they stay in memory, about 150 bytes each.
func (v *validation) readUsers() error {
	var accepted []pipeline.User
	seen := map[string]int{}
	for _, path := range v.in.Files.Users {
		r, ok, err := v.open(path, usersColumns, UserColumns(), UserColumns())
		if err != nil {
			return err
		}
		if !ok {
			continue
		}
		before := v.report.Users.Rows
		if err := v.readUserFile(r, seen, &accepted); err != nil {
			r.Close()
			return err
		}
		v.progress(r.Offset())
		v.closeFile(r, v.report.Users.Rows-before)
	}
	v.users = newRoster(accepted)
	v.report.Users.Accepted = int64(len(accepted))
	v.report.Users.Rejected = v.report.Users.Rows - v.report.Users.Accepted
	for id := userIDPresent; id <= isPaidMatchesPlan; id++ {
		v.check(id).Checked = v.report.Users.Rows
	}
	c := v.check(usersNotEmpty)
	c.Checked = 1
	if len(accepted) == 0 {
		c.fail(Failure{Value: fmt.Sprintf("%d rows, none of them usable", v.report.Users.Rows)}, v.params.Examples)
	}
	return nil
}

func (v *validation) readUserFile(r *table.Reader, seen map[string]int, accepted *[]pipeline.User) error {
	columns := source.Locate(r, UserColumns())
	return r.Each(func(rec *table.Record) error {
		v.report.Users.Rows++
		user, f := v.userOf(rec, len(r.Header()), columns, seen)
		if !v.rules.rejects(f) {
			seen[user.ID] = rec.Number()
			*accepted = append(*accepted, user)
		}
		if len(f) == 0 {
			return nil
		}
		return v.takeUserFaults(rec, f)
	})
}

func (v *validation) userOf(rec *table.Record, width int, c source.Columns, seen map[string]int) (user pipeline.User, f faults) {
	if !checkShape(rec, width, &f) {
		return user, f
	}
	field := func(i int) []byte { return trim(rec.Field(c[i])) }
	raw := UserRecord{ID: field(0), Signup: field(1), Plan: field(2), IsPaid: field(3), Country: field(4), Source: field(5)}
	v.rules.user(&raw, &user, &f)
	// A million users share a few plans, countries and sources.
	user.Plan, user.Country, user.Source = v.intern(user.Plan), v.intern(user.Country), v.intern(user.Source)
	if line, ok := seen[user.ID]; ok {
		f.add(userIDUnique, "user_id", raw.ID, fmt.Sprintf("stands on line %d already", line))
	}
	return user, f
}

func (v *validation) intern(s string) string {
	if known, ok := v.interned[s]; ok {
		return known
	}
	v.interned[s] = s
	return s
}

func (v *validation) takeUserFaults(rec *table.Record, f faults) error {
	var failures [numChecks]int64
	for _, x := range f {
		failures[x.check]++
	}
	return v.takeBad([]badRow{newBadRow(rec, f, v.rules.rejects(f))}, &failures)
}

// quarantineRepeated reads the files with repeated event ids once more, since
// only the end of the pass tells which rows they are.
func (v *validation) quarantineRepeated(repeated []uint64) error {
	for number, path := range v.in.Files.Events {
		if len(repeated) == 0 {
			return nil
		}
		if fileOf(repeated[0]) != number {
			continue
		}
		n, err := v.quarantineFrom(path, number, repeated)
		if err != nil {
			return err
		}
		repeated = repeated[n:]
	}
	return nil
}

// quarantineFrom takes the leading positions that lie in one file, and returns
// how many they are.
func (v *validation) quarantineFrom(path string, number int, positions []uint64) (n int, err error) {
	r, err := table.OpenColumns(path, EventColumns())
	if err != nil {
		return 0, err
	}
	defer r.Close()
	id := r.Column(EventColumns()[0])
	err = r.Each(func(rec *table.Record) error {
		if n == len(positions) || positions[n] != positionOf(number, rec) {
			return nil
		}
		n++
		f := faults{{eventIDUnique, "event_id", trim(rec.Field(id)), "stands on another line too; the one known first counts"}}
		return v.takeBad([]badRow{newBadRow(rec, f, true)}, &[numChecks]int64{eventIDUnique: 1})
	})
	return n, err
}

func missingColumns(r *table.Reader, wanted []string) (missing []string) {
	for _, name := range wanted {
		if r.Column(name) < 0 {
			missing = append(missing, name)
		}
	}
	return missing
}

// otherDelimiter names the delimiter of a header that has no comma, if it is a
// common one.
func otherDelimiter(header []string) string {
	if len(header) != 1 {
		return ""
	}
	for _, x := range [][2]string{{";", "semicolons"}, {"\t", "tabs"}, {"|", "vertical bars"}} {
		if strings.Contains(header[0], x[0]) {
			return x[1]
		}
	}
	return ""
}

func join(names []string) string { return strings.Join(names, ", ") }

func fieldsMismatch(got, want int) string {
	return fmt.Sprintf("%d fields, the header has %d", got, want)
}
