package doctor

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"churn/internal/atomicfile"
	"churn/internal/size"
)

// Folder is a folder that churn writes into, and the setting that chooses it.
type Folder struct{ Key, Path string }

// Folders checks that files can be written, renamed and synced in each folder, or
// in what it will be made in.
func Folders(all []Folder) (out []Finding) {
	for _, f := range all {
		at, err := standing(f.Path)
		if err == nil {
			_, err = atomicfile.Probe(at)
		}
		if err != nil {
			out = append(out, Failure(fmt.Sprintf("give this user the right to write there, or choose another folder with --set %s=DIR", f.Key), "%s: %v", f.Key, plainly(err))...)
		}
	}
	if len(out) > 0 {
		return out
	}
	return Sound("%d folders: files can be written, renamed and synced", len(all))
}

// plainly takes the advice of package atomicfile off an error: the finding has its
// own.
func plainly(err error) error {
	if cause := errors.Unwrap(err); cause != nil && strings.Contains(err.Error(), "--set ") {
		return cause
	}
	return err
}

// standing returns the folder itself, or the nearest one above it that is there.
func standing(dir string) (string, error) {
	for {
		info, err := os.Stat(dir)
		switch {
		case err == nil && info.IsDir():
			return dir, nil
		case err == nil:
			return "", fmt.Errorf("%s is a file, not a folder", dir)
		case !errors.Is(err, fs.ErrNotExist):
			return "", err
		case filepath.Dir(dir) == dir:
			return "", err
		}
		dir = filepath.Dir(dir)
	}
}

// Usage is what a file system has left.
type Usage struct {
	Free   int64 // bytes for this user
	Inodes int64 // files that can still be made; -1 = no limit known
}

// Needs says how much room one run needs: new files are written beside the old
// ones and renamed. Where there are no old ones it is three times the raw data:
// measured on 20,000 simulated users as CSV, outputs come to 1.55 times the raw
// data, and the staging of prepare to about as much as that.
func Needs(raw, outputs int64) int64 {
	if outputs == 0 {
		return 3 * raw
	}
	return raw + outputs
}

// RawSize returns the size of raw files as CSV. Compressed ones and Parquet are about a
// fifth of it.
func RawSize(paths []string) (total int64) {
	for _, path := range paths {
		if info, err := os.Stat(path); err == nil && filepath.Ext(path) == ".csv" {
			total += info.Size()
		} else if err == nil {
			total += 5 * info.Size()
		}
	}
	return total
}

// fewInodes is how many files a few runs make.
const fewInodes = 1000

// Disk compares what is free in the folders of results with what one run needs.
func Disk(dirs []string, need int64, usage func(dir string) (Usage, error)) (out []Finding) {
	var free []string
	for _, dir := range dirs {
		at, err := standing(dir)
		if err != nil {
			continue // Folders has told
		}
		u, err := usage(at)
		switch {
		case errors.Is(err, errors.ErrUnsupported):
			return Sound("free space cannot be told on this system; one run needs about %s", size.Format(need))
		case err != nil:
			out = append(out, Warning("look at the disk by hand", "free space of %s cannot be told: %v", dir, err)...)
		case u.Free < need:
			out = append(out, Failure("free some space, or put paths.data and paths.artifacts on a larger disk", "%s has %s free, one run needs about %s", dir, size.Format(u.Free), size.Format(need))...)
		case u.Inodes >= 0 && u.Inodes < fewInodes:
			out = append(out, Failure("remove small files from that file system", "%s has room for %d more files only (inodes)", dir, u.Inodes)...)
		case u.Free < 3*need:
			out = append(out, Warning("free some space: a larger load of data would not fit", "%s has %s free, one run needs about %s", dir, size.Format(u.Free), size.Format(need))...)
		default:
			free = append(free, fmt.Sprintf("%s free in %s", size.Format(u.Free), dir))
		}
	}
	if len(out) > 0 {
		return out
	}
	if need == 0 {
		return Sound("%s; without data nobody knows what a run needs", strings.Join(free, ", "))
	}
	return Sound("%s; one run needs about %s", strings.Join(free, ", "), size.Format(need))
}

// Size returns the bytes of the files in folders and below them. What cannot be read does not
// count.
func Size(dirs ...string) (total int64) {
	for _, dir := range dirs {
		filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error { //nolint:errcheck // see above
			if err != nil || d.IsDir() {
				return nil //nolint:nilerr // likewise
			}
			if info, err := d.Info(); err == nil {
				total += info.Size()
			}
			return nil
		})
	}
	return total
}

// Newest returns the file that was changed last in some folders.
func Newest(dirs []string) (path string, at time.Time) {
	var paths []string
	for _, dir := range dirs {
		entries, _ := os.ReadDir(dir) // what cannot be read does not count
		for _, e := range entries {
			if !e.IsDir() {
				paths = append(paths, filepath.Join(dir, e.Name()))
			}
		}
	}
	return Latest(paths)
}

// Latest returns the file that was changed last.
func Latest(paths []string) (path string, at time.Time) {
	for _, p := range paths {
		if info, err := os.Stat(p); err == nil && info.ModTime().After(at) {
			path, at = p, info.ModTime()
		}
	}
	return path, at
}

// Leftovers looks for what killed processes left. busy reports whether one is writing
// just now, whose temporary files are none.
func Leftovers(dirs []string, parts string, busy func() bool) []Finding {
	var temporary []string
	for _, dir := range slices.Compact(slices.Sorted(slices.Values(dirs))) {
		found, _ := atomicfile.Leftovers(dir) // Folders has told what cannot be read
		temporary = append(temporary, found...)
	}
	shards, _ := filepath.Glob(filepath.Join(parts, "*"))
	var out []Finding
	if len(temporary) > 0 && !busy() {
		out = append(out, Warning("nothing: the next command that writes removes them", "%d temporary files of processes that were killed, such as %s", len(temporary), temporary[0])...)
	}
	if len(shards) > 0 {
		out = append(out, Warning(fmt.Sprintf("if no shard is running, start the missing ones again, or rm -r %s", shards[0]), "%d unfinished runs of score --shard, such as %s", len(shards), shards[0])...)
	}
	if len(out) > 0 {
		return out
	}
	return Sound("none")
}
