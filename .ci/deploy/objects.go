package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"

	monitoringv1 "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	storagev1 "k8s.io/api/storage/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"
)

// build renders a kustomization by the library that `kubectl kustomize` is.
func build(dir string) ([]byte, error) {
	all, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(filesys.MakeFsOnDisk(), dir)
	if err != nil {
		return nil, fmt.Errorf("kustomize %s: %w", dir, err)
	}
	return all.AsYaml()
}

// object is one of a rendered kustomization.
type object struct {
	kind string
	metav1.Object
	it runtime.Object
}

func (o object) String() string { return o.kind + "/" + o.GetName() }

// decode reads documents into the types of the API, and refuses fields that are
// unknown or stand twice.
func decode(docs []byte) (objects []object, faults []string) {
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{
		appsv1.AddToScheme, autoscalingv2.AddToScheme, batchv1.AddToScheme, corev1.AddToScheme, networkingv1.AddToScheme,
		policyv1.AddToScheme, rbacv1.AddToScheme, storagev1.AddToScheme, monitoringv1.AddToScheme,
	} {
		if err := add(scheme); err != nil {
			return nil, []string{err.Error()}
		}
	}
	decoder := serializer.NewCodecFactory(scheme, serializer.EnableStrict).UniversalDeserializer()
	reader := yaml.NewYAMLReader(bufio.NewReader(bytes.NewReader(docs)))
	for {
		doc, err := reader.Read()
		if errors.Is(err, io.EOF) {
			return objects, faults
		}
		if err != nil {
			return objects, append(faults, err.Error())
		}
		if len(bytes.TrimSpace(doc)) == 0 {
			continue
		}
		it, kind, err := decoder.Decode(doc, nil, nil)
		if err != nil {
			faults = append(faults, fmt.Sprintf("%v in\n%s", err, head(doc)))
			continue
		}
		m, err := meta.Accessor(it)
		if err != nil {
			return objects, append(faults, err.Error())
		}
		objects = append(objects, object{kind.Kind, m, it})
	}
}

// head is the beginning of a document.
func head(doc []byte) []byte { return doc[:min(len(doc), 300)] }

// pods is what a workload makes them from.
type pods struct {
	of       object
	template *corev1.PodTemplateSpec
	job      *batchv1.JobSpec // nil for a Deployment
}

// workloads returns the templates of pods.
func workloads(objects []object) (all []pods) {
	for _, o := range objects {
		switch w := o.it.(type) {
		case *appsv1.Deployment:
			all = append(all, pods{o, &w.Spec.Template, nil})
		case *appsv1.StatefulSet:
			all = append(all, pods{o, &w.Spec.Template, nil})
		case *batchv1.Job:
			all = append(all, pods{o, &w.Spec.Template, &w.Spec})
		case *batchv1.CronJob:
			all = append(all, pods{o, &w.Spec.JobTemplate.Spec.Template, &w.Spec.JobTemplate.Spec})
		}
	}
	return all
}

// containers returns all of a pod.
func containers(spec *corev1.PodSpec) []corev1.Container {
	return append(append([]corev1.Container{}, spec.InitContainers...), spec.Containers...)
}

// named returns an object by kind and name.
func named(objects []object, kind, name string) (object, bool) {
	for _, o := range objects {
		if o.kind == kind && o.GetName() == name {
			return o, true
		}
	}
	return object{}, false
}
