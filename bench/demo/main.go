// Command demo tells the story of a drift on simulated data, by the commands that
// a CronJob would run week after week: all is quiet; the courses of the portal are
// replaced; the monitor sees it and an alarm fires; once labels of the new world
// have matured the model is trained again and the gate promotes it; all is quiet
// again. It ends with the page about the last date, and fails where a stage of the
// story does not happen. `make demo-drift` calls it.
//
//	go run ./bench/demo -churn ./bin/churn
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"

	"churn/bench/internal/kit"
	"churn/model/metric"
	"churn/pipeline"
	"churn/pipeline/evaluate"
)

// The story. Labels of a date mature 30 days after it, so that on the day of the
// retrain those of the first two weeks after the drift have.
const (
	users, days = 2000, 448 // a year before the drift ends the first season; three months follow
	drift       = "content"
	step        = 7
)

func trained() pipeline.Date   { return pipeline.DateFromCivil(2025, 10, 29) } // the first model
func drifted() pipeline.Date   { return pipeline.DateFromCivil(2025, 12, 10) }
func retrained() pipeline.Date { return pipeline.DateFromCivil(2026, 1, 21) }
func last() pipeline.Date      { return pipeline.DateFromCivil(2026, 3, 4) }

func main() {
	program := flag.String("churn", "./bin/churn", "the program")
	dir := flag.String("dir", "", "folder to work in (default: a new one)")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, *program, *dir); err != nil {
		fmt.Fprintln(os.Stderr, "demo:", err)
		os.Exit(1) //nolint:gocritic // nothing is left to stop
	}
}

// demo is where the story is played.
type demo struct {
	program, dir string
}

// look is what the monitors said on a date.
type look struct {
	asOf     pipeline.Date
	code     int
	drift    string
	firing   []string
	model    string // in production on the date, before a retrain
	retrain  string // outcome, "" = none
	realised metric.Estimate
	churned  bool // labels have matured by the end
}

func run(ctx context.Context, program, dir string) (err error) {
	if program, err = filepath.Abs(program); err != nil {
		return err
	}
	if dir == "" {
		if dir, err = os.MkdirTemp("", "churn-demo-"); err != nil {
			return err
		}
	}
	d := demo{program, dir}
	kit.Say("simulating %d users, with new courses from %s on, and training the first model on %s", users, drifted(), trained())
	if err := d.begin(ctx); err != nil {
		return err
	}
	var looks []look
	for at := trained() + step; at <= last(); at += step {
		l, err := d.week(ctx, at)
		if err != nil {
			return err
		}
		looks = append(looks, l)
		kit.Say("%s  exit %d  drift %-5s %s", l.asOf, l.code, l.drift, told(l))
	}
	if err := d.realise(looks); err != nil {
		return err
	}
	page, err := d.page(ctx)
	if err != nil {
		return err
	}
	tell(looks)
	fmt.Printf("\nthe page about %s: %s (remove %s when you have seen enough)\n", last(), page, d.dir)
	return judge(looks)
}

// churn runs the program in the folder and returns what it printed.
func (d demo) churn(ctx context.Context, args ...string) (out []byte, code int, err error) {
	c := exec.CommandContext(ctx, d.program, append([]string{"--json", "--log-level", "error", "--progress", "never", "--set", "paths.data=data", "--set", "paths.artifacts=artifacts"}, args...)...)
	c.Dir = d.dir
	var said strings.Builder
	c.Stderr = &said
	out, err = c.Output()
	var exit *exec.ExitError
	if errors.As(err, &exit) && ctx.Err() == nil {
		code, err = exit.ExitCode(), nil
	}
	if err != nil || code == 1 || code >= 64 {
		return out, code, fmt.Errorf("churn %s: exit code %d, %w\n%s", strings.Join(args, " "), code, errors.Join(err, ctx.Err()), said.String())
	}
	return out, code, nil
}

// begin simulates the portal and puts the first model into production.
func (d demo) begin(ctx context.Context) error {
	for _, args := range [][]string{
		{"generate", "--users", fmt.Sprint(users), "--days", fmt.Sprint(days), "--drift", fmt.Sprintf("%s@%s", drift, drifted())},
		{"run-all", "--as-of", trained().String()},
	} {
		if _, code, err := d.churn(ctx, args...); err != nil || code != 0 {
			return errors.Join(err, fmt.Errorf("churn %s: exit code %d", args[0], code))
		}
	}
	return nil
}

// week does what the weekly jobs do: score, monitor, and on its date retrain.
func (d demo) week(ctx context.Context, at pipeline.Date) (l look, err error) {
	if _, _, err := d.churn(ctx, "score", "--as-of", at.String()); err != nil {
		return l, err
	}
	out, code, err := d.churn(ctx, "monitor", "all", "--as-of", at.String())
	if err != nil {
		return l, err
	}
	var found struct {
		Alarms struct {
			Firing []string `json:"firing"`
		} `json:"alarms"`
	}
	var drift struct {
		Status  string `json:"status"`
		Version string `json:"model_version"`
	}
	if err := errors.Join(json.Unmarshal(out, &found), d.read("data_drift_"+at.String(), &drift)); err != nil {
		return l, err
	}
	l = look{asOf: at, code: code, drift: drift.Status, firing: found.Alarms.Firing, model: drift.Version}
	if at != retrained() {
		return l, nil
	}
	if out, _, err = d.churn(ctx, "retrain", "--as-of", at.String()); err != nil {
		return l, err
	}
	var done struct {
		Outcome string `json:"outcome"`
	}
	err = json.Unmarshal(out, &done)
	l.retrain = done.Outcome
	return l, err
}

// read reads a report from the folder of metrics.
func (d demo) read(name string, report any) error {
	data, err := os.ReadFile(filepath.Join(d.dir, "artifacts", "metrics", name+".json"))
	if err != nil {
		return err
	}
	return json.Unmarshal(data, report)
}

// realise adds what became of the predictions, by the last look at them.
func (d demo) realise(looks []look) error {
	var r struct {
		Dates []struct {
			AsOf    pipeline.Date     `json:"as_of_date"`
			Figures []metric.Estimate `json:"figures"`
		} `json:"dates"`
	}
	if err := d.read("performance_latest", &r); err != nil {
		return err
	}
	for _, x := range r.Dates {
		if i := slices.IndexFunc(looks, func(l look) bool { return l.asOf == x.AsOf }); i >= 0 {
			looks[i].realised, looks[i].churned = evaluate.Find(x.Figures, metric.PRAUC), true
		}
	}
	return nil
}

// page writes the page about the last date and returns its path.
func (d demo) page(ctx context.Context) (string, error) {
	out, _, err := d.churn(ctx, "report", "--as-of", last().String())
	if err != nil {
		return "", err
	}
	var r struct {
		Path string   `json:"path"`
		Gaps []string `json:"gaps"`
	}
	if err := json.Unmarshal(out, &r); err != nil {
		return "", err
	}
	if len(r.Gaps) > 0 {
		return "", fmt.Errorf("the page has gaps: %s", strings.Join(r.Gaps, " "))
	}
	return filepath.Join(d.dir, r.Path), nil
}

// told says what happened on a date beside the status.
func told(l look) string {
	var out []string
	if l.asOf-drifted() >= 0 && l.asOf-drifted() < step {
		out = append(out, "new courses")
	}
	if len(l.firing) > 0 {
		out = append(out, strings.Join(l.firing, ", ")+" fires")
	}
	if l.retrain != "" {
		out = append(out, "retrain: "+l.retrain)
	}
	return strings.Join(out, "; ")
}

func tell(looks []look) {
	fmt.Printf("\n%-10s  %4s  %-5s  %-6s  %-22s  %s\n", "as of", "exit", "drift", "model", "PR-AUC realised", "")
	for _, l := range looks {
		realised := "not matured"
		if l.churned {
			realised = fmt.Sprintf("%.3f (%.3f–%.3f)", l.realised.Value, l.realised.Low, l.realised.High)
		}
		fmt.Println(strings.TrimRight(fmt.Sprintf("%-10s  %4d  %-5s  %-6s  %-22s  %s", l.asOf, l.code, l.drift, l.model, realised, told(l)), " "))
	}
}

// judge returns the stages of the story that did not happen.
func judge(looks []look) error {
	var errs []error
	must := func(ok bool, format string, args ...any) {
		if !ok {
			errs = append(errs, fmt.Errorf(format, args...))
		}
	}
	first, seen, again := looks[0].model, false, false
	for _, l := range looks {
		silent := l.code == 0 && l.drift != "FAIL" && len(l.firing) == 0 // a feature alone may warn: the calendar does that
		switch {
		case l.asOf < drifted():
			must(silent && l.model == first, "%s: not quiet before the drift", l.asOf)
		case l.asOf <= retrained():
			must(l.drift != "OK" && l.model == first, "%s: the drift is not seen", l.asOf)
			seen = seen || l.asOf <= drifted()+step && l.code == 2 && slices.Contains(l.firing, "drift")
			must(l.asOf != retrained() || l.retrain == "promoted", "%s: the retrain was not promoted but %q", l.asOf, l.retrain)
		default:
			must(silent && l.model != first, "%s: not quiet after the retrain", l.asOf)
			again = again || l.churned
		}
	}
	must(seen, "no alarm fired within %d days of the drift", step)
	must(again, "no prediction of the new model has matured by %s", last())
	return errors.Join(errs...)
}
