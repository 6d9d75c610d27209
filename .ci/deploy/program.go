package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
)

// program is the binary of churn.
type program struct{ path string }

// run runs it in a folder, with only the variables given, and returns what it
// printed; the error says what it had to say.
func (p program) run(dir string, env []string, args ...string) ([]byte, error) {
	c := exec.Command(p.path, args...)
	c.Dir, c.Env = dir, append([]string{"HOME=" + dir, "PATH="}, env...)
	var out, told bytes.Buffer
	c.Stdout, c.Stderr = &out, &told
	if err := c.Run(); err != nil {
		return out.Bytes(), fmt.Errorf("churn %s: %w: %s", strings.Join(args, " "), err, strings.TrimSpace(told.String()))
	}
	return out.Bytes(), nil
}

// keys returns the variables of the environment that are settings, and those
// that are none but mean something.
func (p program) keys() (map[string]bool, error) {
	out, err := p.run(os.TempDir(), nil, "--json", "config", "show")
	if err != nil {
		return nil, err
	}
	var all []struct{ Key string }
	if err := json.Unmarshal(out, &all); err != nil {
		return nil, err
	}
	keys := map[string]bool{"CHURN_API_KEYS": true}
	for _, k := range all {
		keys["CHURN_"+strings.ToUpper(strings.ReplaceAll(k.Key, ".", "_"))] = true
	}
	return keys, nil
}

// settings asks that the program understands what manifests tell it.
type settings struct {
	program
	config []byte // the one config.yaml
	keys   map[string]bool
}

// check asks that the ConfigMap is config.yaml, that variables are settings with
// sound values, and that the command with its flags exists.
func (s settings) check(objects, _ []object) (faults []string) {
	for _, o := range objects {
		if m, ok := o.it.(*corev1.ConfigMap); ok && m.Data["config.yaml"] != "" && m.Data["config.yaml"] != string(s.config) {
			faults = append(faults, o.String()+": config.yaml is not the one of the repository")
		}
	}
	for _, p := range workloads(objects) {
		for _, c := range containers(&p.template.Spec) {
			if !strings.HasPrefix(filepath.Base(c.Image), "churn") {
				continue
			}
			for _, f := range s.container(objects, p, c) {
				faults = append(faults, fmt.Sprintf("%s: %s: %s", p.of, c.Name, f))
			}
		}
	}
	return faults
}

// container looks at the command and the variables of one container.
func (s settings) container(objects []object, p pods, c corev1.Container) (faults []string) {
	if len(c.Command) > 0 && filepath.Base(c.Command[0]) != "churn" {
		return []string{"the image has no " + c.Command[0]}
	}
	env := variables(objects, c)
	for _, e := range env {
		name, _, _ := strings.Cut(e, "=")
		if strings.HasPrefix(name, "CHURN_") && !s.keys[name] {
			faults = append(faults, name+" is no setting")
		}
	}
	if p.template.Spec.EnableServiceLinks == nil || *p.template.Spec.EnableServiceLinks {
		faults = append(faults, "Services become variables CHURN_…, which are no settings (enableServiceLinks: false)")
	}
	args := append(slices.Clone(c.Command[min(1, len(c.Command)):]), c.Args...)
	if p.job != nil {
		args = indexed(args, p.job)
	}
	if _, err := s.run(os.TempDir(), nil, append(slices.Clone(args), "--help")...); err != nil {
		return append(faults, err.Error())
	}
	return append(faults, s.sound(env, globals(args))...)
}

// indexed gives the arguments of one pod of an Indexed Job.
func indexed(args []string, job *batchv1.JobSpec) []string {
	n := "1"
	if job.Completions != nil {
		n = fmt.Sprint(*job.Completions)
	}
	var out []string
	for _, a := range args {
		out = append(out, strings.NewReplacer("$(JOB_COMPLETION_INDEX)", "0", "$(N)", n, "$(SHARDS)", n).Replace(a))
	}
	return out
}

// sound lets the program check the settings, with the repository's config.yaml
// in the place of the one that is mounted.
func (s settings) sound(env, args []string) []string {
	dir, err := os.MkdirTemp("", "deploycheck-")
	if err != nil {
		return []string{err.Error()}
	}
	defer os.RemoveAll(dir) //nolint:errcheck // a folder of the system's own
	file := filepath.Join(dir, "config.yaml")
	if err := os.WriteFile(file, s.config, 0o600); err != nil {
		return []string{err.Error()}
	}
	for i := range args {
		if i > 0 && args[i-1] == "--config" {
			args[i] = file
		}
	}
	if _, err := s.run(dir, env, append(args, "config", "check")...); err != nil {
		return []string{err.Error()}
	}
	return nil
}

// globals returns the arguments before the command.
func globals(args []string) (out []string) {
	for i := 0; i < len(args) && strings.HasPrefix(args[i], "-"); i++ {
		out = append(out, args[i])
		if args[i] != "--json" && !strings.Contains(args[i], "=") && i+1 < len(args) {
			i++
			out = append(out, args[i])
		}
	}
	return out
}

// variables returns those of a container whose values are known here.
func variables(objects []object, c corev1.Container) (env []string) {
	for _, from := range c.EnvFrom {
		if from.ConfigMapRef == nil {
			continue
		}
		if o, ok := named(objects, "ConfigMap", from.ConfigMapRef.Name); ok {
			for k, v := range o.it.(*corev1.ConfigMap).Data {
				env = append(env, from.Prefix+k+"="+v)
			}
		}
	}
	for _, e := range c.Env {
		if e.ValueFrom == nil {
			env = append(env, e.Name+"="+e.Value)
		}
	}
	slices.Sort(env)
	return env
}

// probes asks that the program answers what the kubelet will ask.
type probes struct{ answers func(path string) error }

func (q probes) check(objects, _ []object) (faults []string) {
	for _, p := range workloads(objects) {
		for _, c := range containers(&p.template.Spec) {
			for _, probe := range []*corev1.Probe{c.StartupProbe, c.ReadinessProbe, c.LivenessProbe} {
				if err := q.probe(c, probe); err != nil {
					faults = append(faults, fmt.Sprintf("%s: %s: %v", p.of, c.Name, err))
				}
			}
		}
	}
	return faults
}

func (q probes) probe(c corev1.Container, p *corev1.Probe) error {
	switch {
	case p == nil || p.Exec != nil && len(p.Exec.Command) > 0:
		return nil
	case p.HTTPGet == nil:
		return errors.New("a probe asks nothing that is known")
	case !has(c, p.HTTPGet.Port):
		return fmt.Errorf("a probe asks the port %s, which it does not have", p.HTTPGet.Port.String())
	}
	return q.answers(p.HTTPGet.Path)
}
