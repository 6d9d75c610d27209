package main

import (
	"fmt"
	"slices"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
)

// exitCodes are those of the program that a run again would not change.
func exitCodes() []int32 { return []int32{2, 3, 4, 64, 78} }

// jobLives asks that a Job ends: that it is no longer tried at some time, and
// that runs do not pile up.
func jobLives(p pods) (faults []string) {
	if p.job == nil {
		return nil
	}
	if p.job.ActiveDeadlineSeconds == nil {
		faults = append(faults, "has no activeDeadlineSeconds")
	}
	if p.job.BackoffLimit == nil && p.job.BackoffLimitPerIndex == nil {
		faults = append(faults, "has no backoffLimit")
	}
	if r := p.template.Spec.RestartPolicy; p.job.PodFailurePolicy != nil && r != corev1.RestartPolicyNever {
		faults = append(faults, "a podFailurePolicy needs restartPolicy: Never")
	}
	if f := p.job.PodFailurePolicy; f != nil {
		for _, r := range f.Rules {
			faults = append(faults, foreignCodes(r)...)
		}
	}
	if c, ok := p.of.it.(*batchv1.CronJob); ok {
		faults = append(faults, cronLives(&c.Spec)...)
	}
	return faults
}

// foreignCodes names exit codes of a rule that the program does not have.
func foreignCodes(r batchv1.PodFailurePolicyRule) (faults []string) {
	if r.OnExitCodes == nil || r.OnExitCodes.Operator != batchv1.PodFailurePolicyOnExitCodesOpIn {
		return nil
	}
	for _, code := range r.OnExitCodes.Values {
		if !slices.Contains(exitCodes(), code) {
			faults = append(faults, fmt.Sprintf("exit code %d is none of churn's", code))
		}
	}
	return faults
}

func cronLives(c *batchv1.CronJobSpec) (faults []string) {
	if c.ConcurrencyPolicy != batchv1.ForbidConcurrent {
		faults = append(faults, "runs may overlap (concurrencyPolicy: Forbid)")
	}
	if c.SuccessfulJobsHistoryLimit == nil || c.FailedJobsHistoryLimit == nil {
		faults = append(faults, "has no history limits")
	}
	if c.StartingDeadlineSeconds == nil {
		faults = append(faults, "has no startingDeadlineSeconds: after 100 missed runs it never starts again")
	}
	return faults
}
