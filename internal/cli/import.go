package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/urfave/cli/v2"

	"churn/internal/atomicfile"
	"churn/internal/workspace"
	"churn/pipeline"
	"churn/pipeline/lms"
)

const stageImport = "import"

// unfinishedImport marks a raw folder that import has begun to write into.
const unfinishedImport = ".import-unfinished"

func importCommand(s *session) *cli.Command {
	users := &cli.StringFlag{Name: "users", Usage: "table of all accounts, `FILE`: user_id or id; signup_date, date_joined or timecreated; country, plan, username, is_staff where known"}
	return &cli.Command{
		Name:  stageImport,
		Usage: "turn the export of a learning platform into raw users and events, with a mapping report",
		Subcommands: []*cli.Command{
			s.importFrom(lms.Moodle, "a folder with the tables mdl_logstore_standard_log and mdl_user, and mdl_quiz, mdl_quiz_attempts, mdl_course_completions, mdl_payments if they are there", "FOLDER|FILE…"),
			s.importFrom(lms.OpenEdX, "tracking logs, one event a line", "FILE…", users),
			s.importFrom(lms.XAPI, "xAPI statements, a statement or a list of them a line", "FILE…", users),
			s.importFrom(lms.Caliper, "IMS Caliper 1.1 or 1.2, an envelope or an event a line", "FILE…", users),
		},
	}
}

// importFrom returns the command of one preset.
func (s *session) importFrom(preset, usage, arguments string, flags ...cli.Flag) *cli.Command {
	return &cli.Command{
		Name:      preset,
		Usage:     usage,
		ArgsUsage: arguments,
		Flags: append(flags, &cli.StringFlag{Name: "out", Usage: "write to the folder `DIR` (default: paths.data/raw)"},
			&cli.StringFlag{Name: "format", Usage: "csv or parquet"}),
		Action: func(c *cli.Context) error {
			paths := c.Args().Slice()
			if len(paths) == 0 {
				return usageError{fmt.Errorf("import %s: name what to read: %s", preset, arguments)}
			}
			settings := map[string]string{}
			for name, key := range map[string]string{"out": "paths.raw", "format": "data.format"} {
				if c.IsSet(name) {
					settings[key] = c.String(name)
				}
			}
			if err := s.load(c, settings); err != nil {
				return err
			}
			return s.locked(func() error {
				report, err := s.importPreset(c.Context, lms.Job{Preset: preset, Paths: paths, Users: c.String("users")})
				if report.Records == 0 {
					return err
				}
				printed := s.print(report, func(w io.Writer) { printImport(w, &report) })
				return errors.Join(err, printed)
			})
		},
	}
}

// importPreset writes raw users and events from an export. It refuses to replace
// data that it did not make. The mapping report is written whatever it says.
func (s *session) importPreset(ctx context.Context, job lms.Job) (lms.Report, error) {
	started, raw := s.stamp(), s.config.Paths.Raw
	if err := s.ownRaw(stageImport, unfinishedImport); err != nil {
		return lms.Report{}, err
	}
	temp, err := atomicfile.TempDir(raw, "import")
	if err != nil {
		return lms.Report{}, err
	}
	defer os.RemoveAll(temp)
	job.Location, job.Memory, job.MaxFaults = s.location, s.config.Prepare.MemoryBytes(), s.config.Validate.MaxRejectRate
	job.TempDir, job.Format, job.UsersPath, job.EventsPath = temp, s.files.Format, s.files.Raw("users").Path, s.files.Raw("events").Path
	job.Begin = func() error {
		_, err := atomicfile.Write(filepath.Join(raw, unfinishedImport), nil)
		return err
	}
	var result lms.Result
	err = s.stage(ctx, stageImport, func(ctx context.Context, progress func(done, total int64)) (err error) {
		job.Progress = progress
		result, err = lms.Run(ctx, job, s.config.Import)
		return err
	})
	writing := s.files.Begin(stageImport)
	if result.Report.Records > 0 {
		err = errors.Join(err, writing.Report("import_latest", result.Report, 0))
	}
	if err != nil {
		return result.Report, err
	}
	basis := workspace.Basis{Settings: []pipeline.Setting{workspace.Setting(stageImport, s.config.Import), workspace.Setting("source.timezone", s.config.Source.Timezone)}}
	made := workspace.Made{Inputs: result.Report.Inputs, ConfigDigest: basis.Digest(), Started: started}
	events := workspace.Output{Path: job.EventsPath, Stage: stageImport}
	err = errors.Join(writing.Table(workspace.Output{Path: job.UsersPath, Stage: stageImport}, result.Users, made), writing.Table(events, result.Events, made))
	if err == nil {
		err = writing.End(events.Path, basis, result.Report.Inputs)
	}
	if err != nil {
		return result.Report, err
	}
	return result.Report, os.Remove(filepath.Join(raw, unfinishedImport))
}

// whole fails if an import has begun to replace the raw data and did not finish.
func (s *session) whole() error {
	if s.config.Source.Users == "" && s.config.Source.Events == "" && exists(filepath.Join(s.config.Paths.Raw, unfinishedImport)) {
		return fmt.Errorf("an import into %s was interrupted: users and events may be of different exports; run `churn import` again", s.config.Paths.Raw)
	}
	return nil
}

// mostListed is how many lines of each part of the mapping report people see;
// the whole of it is in the file.
const mostListed = 12

func printImport(w io.Writer, r *lms.Report) {
	fmt.Fprintf(w, "import    %s records of %s in %d files: %s taken, %s dropped, %s of unknown names, %s unreadable\n", thousands(r.Records), r.Preset, len(r.Inputs),
		thousands(r.TakenTotal()), thousands(lms.Total(r.Dropped)), thousands(lms.Total(r.Unknown)), thousands(r.Faults))
	if len(r.Events) > 0 {
		fmt.Fprintf(w, "          %s users, %s events from %s to %s\n", thousands(r.Users), thousands(lms.Total(r.Events)), r.First, r.Last)
	}
	if len(r.Taken) > 0 {
		fmt.Fprintln(w, "\ntaken as")
	}
	for _, t := range r.Taken[:min(len(r.Taken), mostListed)] {
		fmt.Fprintf(w, "%13s  %-16s %s\n", thousands(t.N), t.As, t.Name)
	}
	more(w, len(r.Taken))
	for _, part := range []struct {
		title  string
		counts []lms.Count
	}{{"rows", r.Events}, {"taken, without a row of their own", r.Folded}, {"dropped", r.Dropped}, {"unknown: name them in import.aliases if they matter", r.Unknown}, {"corrected", r.Notes}} {
		printCounts(w, part.title, part.counts)
	}
	if len(r.Examples) > 0 {
		fmt.Fprintf(w, "\nunreadable\n  %s\n", strings.Join(r.Examples, "\n  "))
	}
}

func printCounts(w io.Writer, title string, counts []lms.Count) {
	if len(counts) == 0 {
		return
	}
	fmt.Fprintf(w, "\n%s\n", title)
	for _, c := range counts[:min(len(counts), mostListed)] {
		fmt.Fprintf(w, "%13s  %s\n", thousands(c.N), c.What)
	}
	more(w, len(counts))
}

func more(w io.Writer, n int) {
	if n > mostListed {
		fmt.Fprintf(w, "%13s  and %d more in the file import_latest.json of the metrics\n", "…", n-mostListed)
	}
}
