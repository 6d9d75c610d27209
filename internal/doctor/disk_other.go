//go:build !linux && !darwin

package doctor

import "errors"

// DiskUsage cannot be told here.
func DiskUsage(string) (Usage, error) { return Usage{}, errors.ErrUnsupported }
