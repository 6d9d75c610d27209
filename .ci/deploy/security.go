package main

import (
	corev1 "k8s.io/api/core/v1"
)

// restricted asks for the fields of the pod security standard restricted
// (kubernetes.io/docs/concepts/security/pod-security-standards), a root that is
// read only, and no token.
func restricted(p pods, all []object) (faults []string) {
	spec := &p.template.Spec
	if spec.HostNetwork || spec.HostPID || spec.HostIPC {
		faults = append(faults, "shares a namespace of the host")
	}
	for _, v := range spec.Volumes {
		if !allowedVolume(v.VolumeSource) {
			faults = append(faults, "the kind of the volume "+v.Name+" is not allowed")
		}
	}
	if tokens(spec, all) {
		faults = append(faults, "mounts a token of its ServiceAccount")
	}
	for _, c := range containers(spec) {
		for _, f := range containerFaults(spec.SecurityContext, c) {
			faults = append(faults, c.Name+": "+f)
		}
	}
	return faults
}

func allowedVolume(v corev1.VolumeSource) bool {
	return v.ConfigMap != nil || v.CSI != nil || v.DownwardAPI != nil || v.EmptyDir != nil || v.Ephemeral != nil || v.PersistentVolumeClaim != nil || v.Projected != nil || v.Secret != nil
}

// tokens tells whether the pod gets a token.
func tokens(spec *corev1.PodSpec, all []object) bool {
	if spec.AutomountServiceAccountToken != nil {
		return *spec.AutomountServiceAccountToken
	}
	o, ok := named(all, "ServiceAccount", spec.ServiceAccountName)
	if !ok {
		return true
	}
	a := o.it.(*corev1.ServiceAccount)
	return a.AutomountServiceAccountToken == nil || *a.AutomountServiceAccountToken
}

func containerFaults(pod *corev1.PodSecurityContext, c corev1.Container) (faults []string) {
	if pod == nil {
		pod = &corev1.PodSecurityContext{}
	}
	s := c.SecurityContext
	if s == nil {
		s = &corev1.SecurityContext{}
	}
	yes := func(b *bool) bool { return b != nil && *b }
	no := func(b *bool) bool { return b != nil && !*b }
	profile := s.SeccompProfile
	if profile == nil {
		profile = pod.SeccompProfile
	}
	for _, x := range []struct {
		holds bool
		fault string
	}{
		{yes(s.RunAsNonRoot) || s.RunAsNonRoot == nil && yes(pod.RunAsNonRoot), "may run as root (runAsNonRoot: true)"},
		{(s.RunAsUser == nil || *s.RunAsUser != 0) && (pod.RunAsUser == nil || *pod.RunAsUser != 0), "runs as root"},
		{no(s.AllowPrivilegeEscalation), "may gain privileges (allowPrivilegeEscalation: false)"},
		{!yes(s.Privileged), "is privileged"},
		{profile != nil && profile.Type != corev1.SeccompProfileTypeUnconfined, "has no seccomp profile (RuntimeDefault)"},
		{dropsAll(s.Capabilities), "keeps capabilities (drop: [ALL])"},
		{yes(s.ReadOnlyRootFilesystem), "can write to its root (readOnlyRootFilesystem: true)"},
	} {
		if !x.holds {
			faults = append(faults, x.fault)
		}
	}
	return faults
}

func dropsAll(c *corev1.Capabilities) bool {
	return c != nil && len(c.Add) == 0 && len(c.Drop) == 1 && c.Drop[0] == "ALL"
}

// resources asks for what the scheduler and the kernel must know.
func resources(p pods, _ []object) (faults []string) {
	for _, c := range containers(&p.template.Spec) {
		r := c.Resources
		if r.Requests.Cpu().IsZero() || r.Requests.Memory().IsZero() || r.Limits.Memory().IsZero() {
			faults = append(faults, c.Name+": needs requests of cpu and memory, and a limit of memory")
		}
	}
	return faults
}
