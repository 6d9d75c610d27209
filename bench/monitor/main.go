package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"time"

	"churn/internal/parallel"
	"churn/pipeline/generate"
)

func main() {
	ctx := context.Background()
	dir, _ := os.MkdirTemp("", "churn-monitor-")
	defer os.RemoveAll(dir)
	t0 := time.Now()
	d, err := simulate(ctx, dir, 6000, 1)
	if err != nil {
		panic(err)
	}
	fmt.Println("simulated", time.Since(t0), d.worlds[quiet].Len())
	n := 12
	type res map[string]outcome
	all := make([]res, n)
	t0 = time.Now()
	parallel.Each(n, func(i int) {
		rng := rand.New(rand.NewPCG(1, uint64(i)))
		users := d.draw(rng, 2000)
		t, err := d.learn(ctx, users, uint64(i))
		if err != nil {
			panic(err)
		}
		if t == nil {
			fmt.Println("no model")
			return
		}
		all[i] = res{}
		for _, name := range append([]string{quiet}, generate.DriftNames()...) {
			o, err := d.detect(name, users, t)
			if err != nil {
				panic(err)
			}
			all[i][name] = o
		}
	})
	fmt.Println("replays", time.Since(t0))
	for _, name := range append([]string{quiet}, generate.DriftNames()...) {
		f, fx, fw := 0, 0, 0
		for _, r := range all {
			if r[name].failed {
				f++
			}
			if r[name].fixedFailed {
				fx++
			}
			if r[name].fixedWarned {
				fw++
			}
			fmt.Println("   ", name, r[name].failed, r[name].day, r[name].reasons)
		}
		fmt.Println(name, f, fx, fw, "of", n)
	}
}
