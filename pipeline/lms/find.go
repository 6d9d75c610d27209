package lms

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// expand resolves paths, globs and folders to files, sorted by name. Of a folder
// and the folders in it, but for hidden ones, it takes those with one of the
// endings in their name.
func expand(patterns []string, endings ...string) (out []string, err error) {
	if len(patterns) == 0 {
		return nil, fmt.Errorf("no file is named; name files, a pattern or a folder")
	}
	for _, pattern := range patterns {
		found, err := expandOne(pattern, endings)
		if err != nil {
			return nil, err
		}
		out = append(out, found...)
	}
	slices.Sort(out)
	return slices.Compact(out), nil
}

func expandOne(pattern string, endings []string) ([]string, error) {
	info, err := os.Stat(pattern)
	switch {
	case err == nil && info.IsDir():
		return expandFolder(pattern, endings)
	case err == nil:
		return []string{pattern}, nil
	}
	found, err := filepath.Glob(pattern)
	if err != nil {
		return nil, fmt.Errorf("%q is not a valid pattern: %w; close the bracket, or write \\[ for a bracket in a name", pattern, err)
	}
	if len(found) == 0 {
		return nil, fmt.Errorf("no file matches %q; check the path", pattern)
	}
	return found, nil
}

func expandFolder(dir string, endings []string) ([]string, error) {
	out, err := filesIn(dir, endings)
	if err == nil && len(out) == 0 {
		err = fmt.Errorf("%s holds no file with one of %s in its name", dir, strings.Join(endings, ", "))
	}
	return out, err
}

// filesIn returns the files below a folder. It follows a link to a file, and the
// folder itself may be one, but no link inside leads to further folders.
func filesIn(dir string, endings []string) (out []string, err error) {
	entries, err := os.ReadDir(dir)
	for _, e := range entries {
		path := filepath.Join(dir, e.Name())
		ends := func(x string) bool { return strings.Contains(e.Name(), x) } // tracking.log-20260113.gz
		switch {
		case e.IsDir() && !strings.HasPrefix(e.Name(), "."):
			more, err := filesIn(path, endings)
			if err != nil {
				return nil, err
			}
			out = append(out, more...)
		case !e.IsDir() && slices.ContainsFunc(endings, ends):
			out = append(out, path)
		}
	}
	return out, err
}

// plainName is a file name without the ending of a compression.
func plainName(name string) string {
	for _, x := range compressed() {
		name = strings.TrimSuffix(name, x)
	}
	return name
}
