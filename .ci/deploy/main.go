// Command deploycheck holds what deploy/ says to Kubernetes, Prometheus and
// Grafana against their own types and against the real program, without a
// cluster: a misspelt field, a Secret that nobody makes, a flag that does not
// exist, a dashboard that asks for a metric that nobody exports.
//
//	deploycheck -repo . -churn bin/churn
//
// It is a module of its own, so that the program carries none of its libraries.
// The tests plant a fault of each kind.
package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
)

func main() {
	repo := flag.String("repo", ".", "the repository")
	binary := flag.String("churn", "bin/churn", "the program")
	flag.Parse()
	told, faults, err := check(*repo, *binary)
	for _, line := range told {
		fmt.Println(line)
	}
	for _, f := range faults {
		fmt.Fprintln(os.Stderr, "FAULT", f)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
	if err != nil || len(faults) > 0 {
		os.Exit(1)
	}
}

// check looks at everything. The error is one of the check itself.
func check(repo, binary string) (told, faults []string, err error) {
	binary, err = filepath.Abs(binary)
	if err != nil {
		return nil, nil, err
	}
	p := program{binary}
	w, err := newWorld(p)
	if err != nil {
		return nil, nil, err
	}
	defer w.close()
	for _, part := range []func() (string, []string, error){
		func() (string, []string, error) { return checkManifests(repo, p, w.routes) },
		func() (string, []string, error) { return checkMonitoring(repo, w.exported) },
	} {
		line, found, err := part()
		if err != nil {
			return told, faults, err
		}
		told, faults = append(told, line), append(faults, found...)
	}
	return told, faults, nil
}
