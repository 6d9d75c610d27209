package main

import (
	"fmt"

	monitoringv1 "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// selectors asks that what selects by labels finds something, and on it the
// ports that it names.
func selectors(objects, beneath []object) (faults []string) {
	all := workloads(objects)
	for _, o := range objects {
		var found []string
		switch s := o.it.(type) {
		case *appsv1.Deployment:
			found = selectsOwn(s)
		case *corev1.Service:
			found = selectsPorts(all, labels.SelectorFromSet(s.Spec.Selector), portsOf(s))
		case *policyv1.PodDisruptionBudget:
			found = selectsPorts(all, selector(s.Spec.Selector), nil)
		case *networkingv1.NetworkPolicy:
			found = policyFaults(all, s)
		case *autoscalingv2.HorizontalPodAutoscaler:
			if t := s.Spec.ScaleTargetRef; !exists(objects, t.Kind, t.Name) {
				found = []string{fmt.Sprintf("there is no %s/%s to scale", t.Kind, t.Name)}
			}
		case *monitoringv1.ServiceMonitor:
			found = scrapes(append(objects[:len(objects):len(objects)], beneath...), s)
		}
		for _, f := range found {
			faults = append(faults, o.String()+": "+f)
		}
	}
	return faults
}

func exists(objects []object, kind, name string) bool {
	_, ok := named(objects, kind, name)
	return ok
}

// selector is a selector of labels; one that is malformed selects nothing.
func selector(s *metav1.LabelSelector) labels.Selector {
	out, err := metav1.LabelSelectorAsSelector(s)
	if err != nil {
		return labels.Nothing()
	}
	return out
}

// selectsOwn asks that a Deployment selects, and spreads, its own pods.
func selectsOwn(d *appsv1.Deployment) (faults []string) {
	own := labels.Set(d.Spec.Template.Labels)
	if !selector(d.Spec.Selector).Matches(own) {
		faults = append(faults, "its selector does not select its own pods")
	}
	for _, c := range d.Spec.Template.Spec.TopologySpreadConstraints {
		if c.LabelSelector == nil || !selector(c.LabelSelector).Matches(own) {
			faults = append(faults, "spreads pods over "+c.TopologyKey+" that are not its own")
		}
	}
	return faults
}

// portsOf lists where a Service leads.
func portsOf(s *corev1.Service) (ports []intstr.IntOrString) {
	for _, p := range s.Spec.Ports {
		target := p.TargetPort
		if target == (intstr.IntOrString{}) {
			target = intstr.FromInt32(p.Port)
		}
		ports = append(ports, target)
	}
	return ports
}

// selectsPorts asks that a selector finds pods that have ports.
func selectsPorts(all []pods, s labels.Selector, ports []intstr.IntOrString) (faults []string) {
	matched := 0
	for _, p := range all {
		if s.Empty() || !s.Matches(labels.Set(p.template.Labels)) {
			continue
		}
		matched++
		for _, port := range ports {
			if !listens(&p.template.Spec, port) {
				faults = append(faults, fmt.Sprintf("%s has no port %s", p.of, port.String()))
			}
		}
	}
	if matched == 0 {
		faults = append(faults, fmt.Sprintf("selects no pod (%s)", s))
	}
	return faults
}

// listens tells whether a container declares a port.
func listens(spec *corev1.PodSpec, port intstr.IntOrString) bool {
	for _, c := range containers(spec) {
		if has(c, port) {
			return true
		}
	}
	return false
}

func has(c corev1.Container, port intstr.IntOrString) bool {
	for _, p := range c.Ports {
		if port.Type == intstr.String && p.Name == port.StrVal || port.Type == intstr.Int && p.ContainerPort == port.IntVal {
			return true
		}
	}
	return false
}

// nameLabel tells the pods of the program from those of its clients.
const nameLabel = "app.kubernetes.io/name"

// policyFaults asks that a policy for pods of the program finds them, and the
// ports that it opens on them. Pods of clients are made by others.
func policyFaults(all []pods, n *networkingv1.NetworkPolicy) (faults []string) {
	ours := func(s metav1.LabelSelector) bool { return s.MatchLabels[nameLabel] != "" }
	if s := n.Spec.PodSelector; ours(s) {
		var ports []intstr.IntOrString
		for _, in := range n.Spec.Ingress {
			ports = append(ports, policyPorts(in.Ports)...)
		}
		faults = append(faults, selectsPorts(all, selector(&s), ports)...)
	}
	for _, out := range n.Spec.Egress {
		for _, to := range out.To {
			if to.PodSelector != nil && to.NamespaceSelector == nil && ours(*to.PodSelector) {
				faults = append(faults, selectsPorts(all, selector(to.PodSelector), policyPorts(out.Ports))...)
			}
		}
	}
	return faults
}

func policyPorts(all []networkingv1.NetworkPolicyPort) (ports []intstr.IntOrString) {
	for _, p := range all {
		if p.Port != nil {
			ports = append(ports, *p.Port)
		}
	}
	return ports
}

// scrapes asks that a ServiceMonitor finds a Service, and its ports there.
func scrapes(all []object, m *monitoringv1.ServiceMonitor) (faults []string) {
	matched := 0
	for _, o := range all {
		s, ok := o.it.(*corev1.Service)
		if !ok || o.GetNamespace() != m.Namespace || !selector(&m.Spec.Selector).Matches(labels.Set(s.Labels)) {
			continue
		}
		matched++
		for _, e := range m.Spec.Endpoints {
			if !servicePort(s, e.Port) {
				faults = append(faults, fmt.Sprintf("%s has no port %s", o, e.Port))
			}
		}
	}
	if matched == 0 {
		faults = append(faults, "selects no Service")
	}
	return faults
}

func servicePort(s *corev1.Service, name string) bool {
	for _, p := range s.Spec.Ports {
		if p.Name == name {
			return true
		}
	}
	return false
}
