package main

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
)

// checkManifests builds every kustomization of deploy/ and looks at what comes
// out.
func checkManifests(repo string, p program, routes func(path string) error) (told string, faults []string, err error) {
	dirs, err := kustomizations(filepath.Join(repo, "deploy"))
	if err != nil {
		return "", nil, err
	}
	config, err := os.ReadFile(filepath.Join(repo, "config.yaml"))
	if err != nil {
		return "", nil, err
	}
	keys, err := p.keys()
	if err != nil {
		return "", nil, err
	}
	rules := append(rulesOfObjects(), settings{p, config, keys}.check, probes{routes}.check)
	top, n := []object(nil), 0
	for _, dir := range dirs {
		docs, err := build(dir)
		if err != nil {
			return "", nil, err
		}
		objects, found := decode(docs)
		n += len(objects)
		if len(objects) == 0 {
			found = append(found, "no object")
		}
		if filepath.Base(dir) == "deploy" {
			top = objects
		}
		found = append(found, checkObjects(objects, top, rules)...)
		for _, f := range found {
			faults = append(faults, dir+": "+f)
		}
	}
	return fmt.Sprintf("%d objects of %d kustomizations", n, len(dirs)), faults, nil
}

// kustomizations lists the folders that can be applied, the shortest first.
func kustomizations(root string) (dirs []string, err error) {
	err = filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.Name() != "kustomization.yaml" {
			return err
		}
		text, err := os.ReadFile(path)
		if !strings.Contains(string(text), "kind: Component") {
			dirs = append(dirs, filepath.Dir(path))
		}
		return err
	})
	for i, dir := range dirs { // the folder on top first: monitoring is laid on it
		if filepath.Base(dir) == "deploy" {
			dirs[0], dirs[i] = dirs[i], dirs[0]
		}
	}
	return dirs, err
}

// rule looks at the objects of one kustomization. beneath are those of the one
// that it is laid on, which it may refer to.
type rule func(objects, beneath []object) []string

// checkObjects looks at the objects by all rules.
func checkObjects(objects, beneath []object, rules []rule) (faults []string) {
	for _, r := range rules {
		faults = append(faults, r(objects, beneath)...)
	}
	return faults
}

// rulesOfObjects are those that need nothing but the objects.
func rulesOfObjects() []rule {
	each := func(f func(p pods, all []object) []string) rule {
		return func(objects, beneath []object) (faults []string) {
			for _, p := range workloads(objects) {
				for _, fault := range f(p, objects) {
					faults = append(faults, p.of.String()+": "+fault)
				}
			}
			return faults
		}
	}
	return []rule{namespaces, selectors, each(references), each(volumes), each(restricted), each(resources), each(lives)}
}

// namespaces asks that everything is in one namespace, which is restricted if it
// is made here.
func namespaces(objects, _ []object) (faults []string) {
	var first object
	for _, o := range objects {
		if n, ok := o.it.(*corev1.Namespace); ok {
			if n.Labels["pod-security.kubernetes.io/enforce"] != "restricted" {
				faults = append(faults, o.String()+": pods are not held to the standard restricted")
			}
			continue
		}
		if first.it == nil {
			first = o
		}
		if o.GetNamespace() == "" || o.GetNamespace() != first.GetNamespace() {
			faults = append(faults, fmt.Sprintf("%s: is in another namespace than %s: %q", o, first, o.GetNamespace()))
		}
	}
	return faults
}

// references asks that what a pod names is made, with the keys that it reads.
func references(p pods, all []object) (faults []string) {
	spec := p.template.Spec
	need := func(kind, name string, optional *bool) object {
		o, ok := named(all, kind, name)
		if !ok && (optional == nil || !*optional) {
			faults = append(faults, fmt.Sprintf("there is no %s/%s", kind, name))
		}
		return o
	}
	needKey := func(o object, key string) {
		if o.it != nil && !holds(o, key) {
			faults = append(faults, fmt.Sprintf("%s has no key %s", o, key))
		}
	}
	need("ServiceAccount", spec.ServiceAccountName, nil)
	for _, v := range spec.Volumes {
		if c := v.ConfigMap; c != nil {
			o := need("ConfigMap", c.Name, c.Optional)
			for _, item := range c.Items {
				needKey(o, item.Key)
			}
		}
		if s := v.Secret; s != nil {
			o := need("Secret", s.SecretName, s.Optional)
			for _, item := range s.Items {
				needKey(o, item.Key)
			}
		}
		if c := v.PersistentVolumeClaim; c != nil {
			need("PersistentVolumeClaim", c.ClaimName, nil)
		}
	}
	for _, c := range containers(&spec) {
		for _, e := range c.EnvFrom {
			if e.ConfigMapRef != nil {
				need("ConfigMap", e.ConfigMapRef.Name, e.ConfigMapRef.Optional)
			}
			if e.SecretRef != nil {
				need("Secret", e.SecretRef.Name, e.SecretRef.Optional)
			}
		}
		for _, e := range c.Env {
			if from := e.ValueFrom; from != nil && from.ConfigMapKeyRef != nil {
				needKey(need("ConfigMap", from.ConfigMapKeyRef.Name, from.ConfigMapKeyRef.Optional), from.ConfigMapKeyRef.Key)
			} else if from != nil && from.SecretKeyRef != nil {
				needKey(need("Secret", from.SecretKeyRef.Name, from.SecretKeyRef.Optional), from.SecretKeyRef.Key)
			}
		}
	}
	return faults
}

// holds tells whether a ConfigMap or Secret has a key.
func holds(o object, key string) bool {
	switch m := o.it.(type) {
	case *corev1.ConfigMap:
		_, text := m.Data[key]
		_, binary := m.BinaryData[key]
		return text || binary
	case *corev1.Secret:
		_, text := m.StringData[key]
		_, binary := m.Data[key]
		return text || binary
	}
	return false
}

// volumes asks that mounts and volumes fit each other.
func volumes(p pods, _ []object) (faults []string) {
	mounted := map[string]bool{}
	for _, c := range containers(&p.template.Spec) {
		for _, m := range c.VolumeMounts {
			mounted[m.Name] = true
		}
	}
	for _, v := range p.template.Spec.Volumes {
		if !mounted[v.Name] {
			faults = append(faults, "the volume "+v.Name+" is mounted nowhere")
		}
		delete(mounted, v.Name)
	}
	for name := range mounted {
		faults = append(faults, "there is no volume "+name)
	}
	return faults
}

// lives asks what a workload needs to end, and to be replaced, in good order.
func lives(p pods, _ []object) (faults []string) {
	faults = append(faults, jobLives(p)...)
	d, ok := p.of.it.(*appsv1.Deployment)
	if !ok {
		return faults
	}
	for _, c := range d.Spec.Template.Spec.Containers {
		if c.StartupProbe == nil || c.ReadinessProbe == nil || c.LivenessProbe == nil {
			faults = append(faults, c.Name+": needs a startup, a readiness and a liveness probe")
		}
	}
	if s := d.Spec.Strategy; s.RollingUpdate == nil || s.RollingUpdate.MaxUnavailable == nil || s.RollingUpdate.MaxUnavailable.IntValue() != 0 {
		faults = append(faults, "a rolling update may take away a pod before another is ready (maxUnavailable: 0)")
	}
	return faults
}
