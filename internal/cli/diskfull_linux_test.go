package cli_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// smallDisk mounts a file system of that size in memory, or skips.
func smallDisk(t *testing.T, size string) (dir string) {
	t.Helper()
	dir = t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size="+size); err != nil {
		t.Skipf("a small disk cannot be mounted here (%v): run this test as root, or in a container with CAP_SYS_ADMIN", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, 0); err != nil {
			t.Error(err)
		}
	})
	return dir
}

// fill writes to path until the disk is full, and then frees spare bytes.
func fill(t *testing.T, path string, spare int64) {
	t.Helper()
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	page := make([]byte, 4096)
	for err == nil {
		_, err = f.Write(page)
	}
	if !errors.Is(err, syscall.ENOSPC) {
		t.Fatal(err)
	}
	size, err := f.Seek(0, 2)
	if err = errors.Join(err, f.Truncate(size-spare)); err != nil {
		t.Fatal(err)
	}
}

// The law: on a full disk every stage says so, says what to do, ends with code
// 1 and leaves earlier results intact; with space again the same command works.
func TestFullDisk(t *testing.T) {
	disk := smallDisk(t, "24m")
	churn(t, disk, smallWorld(t, 80, "run-all")...)
	want := results(t, disk)
	filler := filepath.Join(disk, "filler")
	for _, spare := range []int64{0, 16 << 10} { // fails with the first byte, or later
		for _, command := range []string{"prepare", "features", "labels", "train", "score", "run-all --no-cache"} {
			name, flag, _ := strings.Cut(command, " ")
			args := append(smallWorld(t, 80, name), strings.Fields(flag)...)
			if spare > 0 && (command == "train" || command == "score") {
				continue // 16 KiB are enough for what they write
			}
			fill(t, filler, spare)
			out := finish(t, program(disk, args...))
			if err := os.Remove(filler); err != nil {
				t.Fatal(err)
			}
			const says = ": no space left on device: the disk is full; free some space and run the same command again, earlier results are intact\n"
			_, message, _ := strings.Cut(out.stderr, "churn: write ")
			path, rest, _ := strings.Cut(message, ": ")
			if out.code != 1 || !strings.HasSuffix(message, says) || strings.Count(message, "\n") != 1 || want[path] == "" || !strings.HasPrefix(rest, "write ") {
				t.Errorf("%s with %d bytes free: exit code %d, want 1 and `churn: write RESULT: …%s`, got\n%s", command, spare, out.code, strings.TrimSpace(says), out.stderr)
			}
			sameResults(t, command+" on a full disk", want, results(t, disk))
			churn(t, disk, args...)
			sameResults(t, command+" with space again", want, results(t, disk))
		}
	}
}

// A model that cannot be stored leaves the registry as it was: the version that
// is in production stays whole, and no half of a new one appears.
func TestFullDiskInRegistry(t *testing.T) {
	disk := smallDisk(t, "24m")
	churn(t, disk, smallWorld(t, 80, "run-all")...)
	want := results(t, disk)
	filler := filepath.Join(disk, "filler")
	fill(t, filler, 4<<10)
	other := append([]string{"--set", "train.logistic.l2_regularization=12"}, smallWorld(t, 80, "train")...)
	out := finish(t, program(disk, other...))
	if err := os.Remove(filler); err != nil {
		t.Fatal(err)
	}
	if out.code != 1 || !strings.Contains(out.stderr, ": write artifacts/registry/") || !strings.HasSuffix(out.stderr, "the disk is full; free some space and run the same command again, earlier results are intact\n") {
		t.Errorf("exit code %d\n%s", out.code, out.stderr)
	}
	sameResults(t, "train on a full disk", want, results(t, disk))
	churn(t, disk, "registry", "show", "production")
	churn(t, disk, other...)
	before := placed(t, disk, "v0001/bundle.json")
	if got := results(t, disk); got["artifacts/registry/versions/v0002.json"] == "" || got[before] != want[before] {
		t.Error("with space again, train did not add a version")
	}
}
