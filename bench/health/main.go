// Command health replays data health over a history: it looks at every day as
// if it were the present one, and prints what was found, each finding once for as
// long as it lasts. `make bench-health` calls it.
//
//	go run ./bench/health data/processed/timelines.bin
package main

import (
	"context"
	"flag"
	"fmt"
	"os"

	"churn/pipeline"
	"churn/pipeline/monitor/health"
	"churn/pipeline/prepare"
)

// settled is how many days a history has before the first look: with fewer, weeks
// are not judged.
const settled = 80

func main() {
	every := flag.Int("every", 1, "days from one look to the next")
	flag.Parse()
	for _, path := range flag.Args() {
		if err := replay(path, *every); err != nil {
			fmt.Fprintln(os.Stderr, "health:", err)
			os.Exit(1)
		}
	}
}

// part names a part with a status.
type part struct {
	name   string
	status health.Status
}

func replay(path string, every int) error {
	span, err := spanOf(path)
	if err != nil {
		return err
	}
	looks, days, before := 0, map[part]int{}, map[string]health.Status{}
	for d := span.First + settled; d <= span.Last; d += pipeline.Date(every) {
		r, err := look(path, d)
		if err != nil {
			return err
		}
		looks++
		for _, p := range judged(&r) {
			days[part{p.Name, p.Status}]++
			if bad := p.Status == health.Fail || p.Status == health.Warn; bad && before[p.Name] != p.Status {
				fmt.Printf("%s  %-9s  %-4s  %s\n", d, p.Name, p.Status, p.Reasons[0])
			}
			before[p.Name] = p.Status
		}
	}
	fmt.Printf("%s: %d looks", path, looks)
	for _, p := range judged(new(health.Report)) {
		fmt.Printf("; %s %d WARN, %d FAIL, %d unmeasured", p.Name, days[part{p.Name, health.Warn}], days[part{p.Name, health.Fail}], days[part{p.Name, health.Unmeasured}])
	}
	fmt.Println()
	return nil
}

// judged returns the parts that are judged from the timelines; validation has no
// history.
func judged(r *health.Report) (out []health.Part) {
	for _, p := range r.Parts() {
		if p.Name == "freshness" || p.Name == "volume" || p.Name == "late" {
			out = append(out, p)
		}
	}
	return out
}

func spanOf(path string) (pipeline.Span, error) {
	t, err := prepare.OpenTimelines(path)
	if err != nil {
		return pipeline.Span{}, err
	}
	defer t.Close()
	return t.Header.Span, nil
}

// look judges one day.
func look(path string, asOf pipeline.Date) (health.Report, error) {
	t, err := prepare.OpenTimelines(path)
	if err != nil {
		return health.Report{}, err
	}
	defer t.Close()
	return health.Run(context.Background(), health.Input{AsOf: asOf, Timelines: t, NoValidation: "a replay"}, health.Defaults(), nil)
}
