package cli

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"churn/internal/atomicfile"
	"churn/internal/monitored"
	"churn/internal/workspace"
	"churn/pipeline"
	"churn/pipeline/monitor"
	"churn/pipeline/monitor/alarms"
	"churn/pipeline/monitor/health"
	"churn/pipeline/report"
)

// stageMonitorReport is the page about what the monitors found on a date.
const stageMonitorReport = "monitor_report"

func monitorReportCommand(s *session) *cli.Command {
	return &cli.Command{
		Name:  "report",
		Usage: "write the page about what the monitors found on a date and before: one HTML file, no network",
		Description: "Reads what the monitors have left in the folder of metrics, of the date or the latest before it. It runs none of them: what is missing is told with the command that makes it.\n" +
			"`churn report --as-of DATE` does the same.",
		Flags:  []cli.Flag{&cli.StringFlag{Name: "as-of", Usage: "of `DATE` (default: the latest that a monitor has looked at)"}},
		Action: s.dated(func(c *cli.Context) error { return s.monitorReport(c.Context) }),
	}
}

// monitorPage is the page about a date.
type monitorPage struct {
	AsOf    pipeline.Date `json:"as_of_date"`
	Path    string        `json:"path"`
	Bytes   int64         `json:"bytes"`
	SHA256  string        `json:"sha256"`
	Reports []string      `json:"reports"` // that it was made from
	Gaps    []string      `json:"gaps"`    // what is missing, old or damaged, and what to do
}

// monitorReport makes, writes and names the page.
func (s *session) monitorReport(ctx context.Context) error {
	found, err := s.monitorFiles()
	if err != nil {
		return err
	}
	basis := workspace.Basis{Raw: found.paths, Settings: []pipeline.Setting{workspace.Setting("--as-of", found.page.AsOf)}}
	raw, err := s.files.Identify(ctx, basis.Raw)
	if err != nil {
		return err
	}
	page, err := report.RenderMonitored(found.page)
	if err != nil {
		return err
	}
	writing, r := s.files.Begin(stageMonitorReport), monitorPage{AsOf: found.page.AsOf, Reports: filled(found.paths), Gaps: filled(found.page.Gaps())}
	r.Path = filepath.Join(s.config.Paths.Reports, fmt.Sprintf("monitor_%s.html", r.AsOf))
	info, err := atomicfile.Write(r.Path, page)
	if err != nil {
		return err
	}
	r.Bytes, r.SHA256 = info.Bytes, info.SHA256
	writing.File(r.Path, info)
	if err := errors.Join(writing.Report(stageMonitorReport+"_latest", r, 0), writing.End(r.Path, basis, raw)); err != nil {
		return err
	}
	return s.print(r, func(w io.Writer) { printMonitorPage(w, r) })
}

func filled(list []string) []string {
	if list == nil {
		return []string{}
	}
	return list
}

func printMonitorPage(w io.Writer, r monitorPage) {
	fmt.Fprintf(w, "report    what the monitors found up to %s, by %d reports, %s bytes; open it in a browser\n", r.AsOf, len(r.Reports), thousands(r.Bytes))
	for _, text := range r.Gaps {
		fmt.Fprintf(w, "          note: %s\n", text)
	}
	fmt.Fprintf(w, "          %s\n", r.Path)
}

// monitorFound is what the page is made of, and the files that it came from.
type monitorFound struct {
	page  report.Monitored
	paths []string
}

// mostPages bounds the dates of a page: a year of weeks.
const mostPages = 53

// monitorFiles reads the reports of the monitors up to the date, and the alarms.
func (s *session) monitorFiles() (f monitorFound, err error) {
	dir := s.config.Paths.Metrics
	dated := map[string][]datedReport{}
	newest := pipeline.NoDate
	for _, name := range []string{reportHealth, reportDrift, reportScores, reportPerformance} {
		if dated[name], err = datedReports(dir, name); err != nil {
			return f, err
		}
		if n := len(dated[name]); n > 0 {
			newest = max(newest, dated[name][n-1].date)
		}
	}
	if f.page.AsOf = s.asOf; s.asOf == pipeline.NoDate {
		f.page.AsOf = newest
	}
	if f.page.AsOf == pipeline.NoDate {
		return f, fmt.Errorf("no monitor has left a report in %s; run `churn monitor all` first", dir)
	}
	f.page.Past, f.page.Zone, f.page.Title = f.page.AsOf < newest, s.location, s.featureTitle()
	f.page.Health = readDated[health.Report](&f, dated[reportHealth])
	f.page.Drift = readDated[monitor.DriftReport](&f, dated[reportDrift])
	f.page.Scores = readDated[monitor.ScoreReport](&f, dated[reportScores])
	f.page.Performance = readDated[monitor.Performance](&f, dated[reportPerformance])
	f.readAlarms(monitored.AlarmStore(dir))
	return f, nil
}

// readAlarms reads the book of the alarms. A damaged one is told of on the page.
func (f *monitorFound) readAlarms(store alarms.Store) {
	book, err := store.Read()
	switch {
	case err != nil:
		f.page.Unreadable = append(f.page.Unreadable, err.Error())
	case exists(store.Path):
		f.page.Alarms, f.paths = book, append(f.paths, store.Path)
	}
}

// datedReport is the report of a monitor on a date.
type datedReport struct {
	date pipeline.Date
	path string
}

// datedReports lists the reports NAME_DATE.json of a folder by rising date.
func datedReports(dir, name string) (out []datedReport, err error) {
	paths, err := filepath.Glob(filepath.Join(dir, name+"_[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9].json"))
	for _, path := range paths {
		text := strings.TrimSuffix(strings.TrimPrefix(filepath.Base(path), name+"_"), ".json")
		if d, err := pipeline.ParseDate(text); err == nil {
			out = append(out, datedReport{d, path})
		}
	}
	slices.SortFunc(out, func(a, b datedReport) int { return cmp.Compare(a.date, b.date) })
	return out, err
}

// readDated reads the latest reports of a monitor up to the page's date. One that
// is damaged is told of on the page.
func readDated[R any](f *monitorFound, all []datedReport) (out []R) {
	all = slices.DeleteFunc(all, func(d datedReport) bool { return d.date > f.page.AsOf })
	for _, d := range all[max(0, len(all)-mostPages):] {
		var r R
		data, err := os.ReadFile(d.path)
		if err == nil {
			err = json.Unmarshal(data, &r)
		}
		if err != nil {
			f.page.Unreadable = append(f.page.Unreadable, fmt.Sprintf("%s cannot be read (%v): `churn monitor all --as-of %s` makes it again.", d.path, err, d.date))
			continue
		}
		out, f.paths = append(out, r), append(f.paths, d.path)
	}
	return out
}
