package main

import (
	"errors"
	"os"
	"strings"
	"testing"
)

// binary is the program, which `make deploy-check` names.
func binary(t *testing.T) program {
	t.Helper()
	path := os.Getenv("CHURN_BINARY")
	if path == "" {
		t.Fatal("CHURN_BINARY names no program; run `make deploy-check`")
	}
	return program{path}
}

// app is the rendered application of testdata, and looks is what the rules say
// of a text.
func app(t *testing.T) (text string, look func(text string) []string) {
	t.Helper()
	docs, err := build("testdata/app")
	if err != nil {
		t.Fatal(err)
	}
	config, err := os.ReadFile("testdata/app/config.yaml")
	if err != nil {
		t.Fatal(err)
	}
	p := binary(t)
	keys, err := p.keys()
	if err != nil {
		t.Fatal(err)
	}
	answers := func(path string) error {
		if path == "/live" || path == "/ready" {
			return nil
		}
		return errors.New("a probe asks " + path)
	}
	rules := append(rulesOfObjects(), settings{p, config, keys}.check, probes{answers}.check)
	return string(docs), func(text string) []string {
		objects, faults := decode([]byte(text))
		return append(faults, checkObjects(objects, nil, rules)...)
	}
}

// The law: the sound application has no fault.
func TestSound(t *testing.T) {
	text, look := app(t)
	if faults := look(text); len(faults) > 0 {
		t.Errorf("%s", strings.Join(faults, "\n"))
	}
	objects, _ := decode([]byte(text))
	if n := len(workloads(objects)); n != 2 {
		t.Errorf("%d workloads", n)
	}
}

// The law: one changed line is one fault at least, and is called by its name.
func TestPlantedFaults(t *testing.T) {
	text, look := app(t)
	for name, c := range map[string]struct{ old, new, want string }{
		"unknown field":         {"replicas: 2", "replica: 2", `unknown field "spec.replica"`},
		"field twice":           {"replicas: 2", "replicas: 2\n  replicas: 3", `already set`},
		"wrong type":            {"replicas: 2", "replicas: two", "replicas"},
		"unknown kind":          {"kind: PodDisruptionBudget", "kind: PodDisruption", "no kind"},
		"field of an operator":  {"- port: metrics", "- ports: metrics", "unknown field"},
		"another namespace":     {"  name: web\n  namespace: demo\nspec:\n  maxReplicas", "  name: web\n  namespace: other\nspec:\n  maxReplicas", "another namespace"},
		"free for all":          {"pod-security.kubernetes.io/enforce: restricted", "pod-security.kubernetes.io/enforce: privileged", "not held to the standard"},
		"selector of others":    {"  selector:\n    matchLabels:\n      app.kubernetes.io/name: web\n  strategy", "  selector:\n    matchLabels:\n      app.kubernetes.io/name: wep\n  strategy", "does not select its own pods"},
		"spread of others":      {"- labelSelector:\n          matchLabels:\n            app.kubernetes.io/name: web", "- labelSelector:\n          matchLabels:\n            app.kubernetes.io/name: wep", "spreads pods"},
		"service for nobody":    {"  selector:\n    app.kubernetes.io/name: web", "  selector:\n    app.kubernetes.io/name: wep", "Service/web: selects no pod"},
		"service port":          {"targetPort: http", "targetPort: https", "has no port https"},
		"budget for nobody":     {"maxUnavailable: 1\n  selector:\n    matchLabels:\n      app.kubernetes.io/name: web", "maxUnavailable: 1\n  selector:\n    matchLabels:\n      app.kubernetes.io/name: wep", "PodDisruptionBudget/web: selects no pod"},
		"policy for nobody":     {"podSelector:\n    matchLabels:\n      app.kubernetes.io/name: web", "podSelector:\n    matchLabels:\n      app.kubernetes.io/name: wep", "NetworkPolicy/web: selects no pod"},
		"policy port":           {"- ports:\n    - port: http", "- ports:\n    - port: https", "has no port https"},
		"scales nobody":         {"kind: Deployment\n    name: web", "kind: Deployment\n    name: wep", "no Deployment/wep to scale"},
		"scrapes no port":       {"- port: metrics", "- port: metric", "Service/web has no port metric"},
		"scrapes no service":    {"  - port: metrics\n  selector:\n    matchLabels:\n      app.kubernetes.io/name: web", "  - port: metrics\n  selector:\n    matchLabels:\n      app.kubernetes.io/name: wep", "selects no Service"},
		"no account":            {"serviceAccountName: demo", "serviceAccountName: dem", "no ServiceAccount/dem"},
		"no claim":              {"claimName: work", "claimName: wrk", "no PersistentVolumeClaim/wrk"},
		"no config map":         {"name: settings\n        name: config", "name: setting\n        name: config", "no ConfigMap/setting"},
		"no key of it":          {"- key: config.yaml", "- key: config.yml", "has no key config.yml"},
		"no key of a secret":    {"key: keys\n", "key: kys\n", "Secret/keys has no key kys"},
		"no volume":             {"- mountPath: /etc/churn\n          name: config", "- mountPath: /etc/churn\n          name: conf", "no volume conf"},
		"volume of nobody":      {"- mountPath: /etc/churn\n          name: config", "- mountPath: /etc/churn\n          name: work", "mounted nowhere"},
		"volume of the host":    {"persistentVolumeClaim:\n          claimName: work\n", "hostPath:\n          path: /\n", "is not allowed"},
		"network of the host":   {"enableServiceLinks: false", "enableServiceLinks: false\n      hostNetwork: true", "namespace of the host"},
		"root":                  {"runAsNonRoot: true", "runAsNonRoot: false", "may run as root"},
		"user 0":                {"runAsNonRoot: true", "runAsNonRoot: true\n        runAsUser: 0", "runs as root"},
		"no seccomp":            {"type: RuntimeDefault", "type: Unconfined", "no seccomp profile"},
		"escalation":            {"allowPrivilegeEscalation: false", "allowPrivilegeEscalation: true", "may gain privileges"},
		"capabilities":          {"drop:\n            - ALL", "drop:\n            - KILL", "keeps capabilities"},
		"more capabilities":     {"capabilities:\n            drop", "capabilities:\n            add: [NET_ADMIN]\n            drop", "keeps capabilities"},
		"privileged":            {"readOnlyRootFilesystem: true", "readOnlyRootFilesystem: true\n          privileged: true", "is privileged"},
		"writable root":         {"readOnlyRootFilesystem: true", "readOnlyRootFilesystem: false", "can write to its root"},
		"token":                 {"automountServiceAccountToken: false\n      containers", "automountServiceAccountToken: true\n      containers", "mounts a token"},
		"token of the account":  {"automountServiceAccountToken: false\nkind", "automountServiceAccountToken: true\nkind", "CronJob/daily: mounts a token"},
		"no limit":              {"limits:\n            memory: 256Mi", "limits:\n            cpu: 1", "a limit of memory"},
		"probe of no port":      {"path: /ready\n            port: http", "path: /ready\n            port: https", "asks the port https"},
		"probe of no path":      {"path: /ready", "path: /readyz", "asks /readyz"},
		"unsafe update":         {"maxUnavailable: 0", "maxUnavailable: 1", "may take away a pod"},
		"runs overlap":          {"concurrencyPolicy: Forbid", "concurrencyPolicy: Allow", "runs may overlap"},
		"runs for ever":         {"      activeDeadlineSeconds: 600\n", "", "no activeDeadlineSeconds"},
		"tries for ever":        {"      backoffLimit: 2\n", "", "no backoffLimit"},
		"keeps no history":      {"  failedJobsHistoryLimit: 3\n", "", "no history limits"},
		"never starts again":    {"  startingDeadlineSeconds: 600\n", "", "no startingDeadlineSeconds"},
		"exit code of others":   {"- 78", "- 77", "exit code 77"},
		"restarts":              {"restartPolicy: Never", "restartPolicy: OnFailure", "needs restartPolicy: Never"},
		"other settings":        {"profile: default", "profile: seed", "not the one of the repository"},
		"no such setting":       {"CHURN_SERVE_ADDRESS", "CHURN_SERVE_ADRESS", "CHURN_SERVE_ADRESS is no setting"},
		"setting out of range":  {`value: :8080`, `value: nowhere`, "serve.address"},
		"no such command":       {"- serve\n", "- server\n", `no command "server"`},
		"no such subcommand":    {"- all\n", "- every\n", `no subcommand "every"`},
		"no such flag":          {"- --as-of", "- --at", "no flag --at"},
		"no such global flag":   {"- --log-format", "- --log-form", "no flag"},
		"shell":                 {"image: churn:dev\n        livenessProbe", "command: [/bin/sh, -c]\n        image: churn:dev\n        livenessProbe", "the image has no /bin/sh"},
		"services as variables": {"enableServiceLinks: false", "enableServiceLinks: true", "Services become variables"},
	} {
		mutant := strings.Replace(text, c.old, c.new, 1)
		if mutant == text {
			t.Errorf("%s: the text lacks %q", name, c.old)
			continue
		}
		if faults := strings.Join(look(mutant), "\n"); !strings.Contains(faults, c.want) {
			t.Errorf("%s: no fault says %q:\n%s", name, c.want, faults)
		}
	}
}

// The law: a Deployment lacks a probe where one is taken away.
func TestProbeTakenAway(t *testing.T) {
	text, look := app(t)
	begin := strings.Index(text, "        startupProbe:")
	end := begin + strings.Index(text[begin:], "        volumeMounts:")
	if faults := strings.Join(look(text[:begin]+text[end:]), "\n"); !strings.Contains(faults, "needs a startup, a readiness and a liveness probe") {
		t.Errorf("faults are %q", faults)
	}
}

// The law: a kustomization that does not build is an error.
func TestBuildFails(t *testing.T) {
	if _, err := build(t.TempDir()); err == nil {
		t.Error("an empty folder was built")
	}
}
