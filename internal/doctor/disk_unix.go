//go:build linux || darwin

package doctor

import "syscall"

// DiskUsage asks the system.
func DiskUsage(dir string) (Usage, error) {
	var s syscall.Statfs_t
	if err := syscall.Statfs(dir, &s); err != nil {
		return Usage{}, err
	}
	u := Usage{Free: int64(uint64(s.Bsize) * s.Bavail), Inodes: -1} //nolint:unconvert // the types differ between systems
	if s.Files > 0 {
		u.Inodes = int64(s.Ffree)
	}
	return u, nil
}
