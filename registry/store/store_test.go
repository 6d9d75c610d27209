package store_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gofrs/flock"

	"churn/registry/s3test"
	"churn/registry/store"
	"churn/registry/storetest"
)

// actAsRacer makes the test binary a process that races for objects.
const actAsRacer = "TEST_BINARY_RACES_FOR_OBJECTS_IN"

func TestMain(m *testing.M) {
	if dir := os.Getenv(actAsRacer); dir != "" {
		os.Exit(raceIn(dir))
	}
	os.Exit(m.Run())
}

func open(t *testing.T, place string) store.Store {
	t.Helper()
	s, err := store.Open(context.Background(), place)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestFolder(t *testing.T) {
	storetest.Run(t, func(t *testing.T) store.Store { return open(t, filepath.Join(t.TempDir(), "not/yet")) })
}

func TestMemory(t *testing.T) {
	storetest.Run(t, func(t *testing.T) store.Store { return open(t, "mem://") })
}

// A real S3 server: the one that make test-s3 starts, and any other whose URL
// is given, such as s3://bucket/folder?region=eu-central-1.
func TestS3(t *testing.T) {
	server := s3test.Start(t)
	n := 0
	storetest.Run(t, func(t *testing.T) store.Store {
		n++
		return open(t, strings.Replace(server.URL, "?", fmt.Sprintf("/suite/%d?", n), 1))
	})
	_, err := open(t, strings.Replace(server.URL, "s3://", "s3://absent-", 1)).List(t.Context(), "")
	if err == nil || !strings.Contains(err.Error(), "there is no such bucket") {
		t.Errorf("a bucket that is not there: %v", err)
	}
	t.Setenv("AWS_SECRET_ACCESS_KEY", "wrong")
	_, err = open(t, server.URL).List(t.Context(), "")
	if !errors.Is(err, fs.ErrPermission) || !strings.Contains(err.Error(), "AWS_SECRET_ACCESS_KEY") {
		t.Errorf("a wrong key: %v", err)
	}
}

func TestS3Elsewhere(t *testing.T) {
	place := os.Getenv("CHURN_TEST_S3")
	if place == "" {
		t.Skip("needs CHURN_TEST_S3, the URL of a folder that is empty, and credentials in the environment")
	}
	n := 0
	storetest.Run(t, func(t *testing.T) store.Store {
		n++
		before, query, _ := strings.Cut(place, "?")
		s := open(t, fmt.Sprintf("%s/%d-%d?%s", strings.TrimSuffix(before, "/"), os.Getpid(), n, query))
		t.Cleanup(func() {
			objects, err := s.List(context.Background(), "")
			for _, o := range objects {
				err = errors.Join(err, s.Delete(context.Background(), o.Key))
			}
			if err != nil {
				t.Error(err)
			}
		})
		return s
	})
}

// A folder on a file system without links.
func TestFolderWithoutLinks(t *testing.T) {
	storetest.Run(t, func(t *testing.T) store.Store { return store.WithoutLinks(t.TempDir()) })
}

const raced = 60

// raceIn tries to create every object, and prints those that it won.
func raceIn(dir string) int {
	s, err := store.Open(context.Background(), dir)
	if err != nil {
		return 1
	}
	for i := range raced {
		key := fmt.Sprintf("turns/%08d.json", i)
		switch err := s.Create(context.Background(), key, fmt.Appendf(nil, "%d\n", os.Getpid())); {
		case err == nil:
			fmt.Println(key)
		case !errors.Is(err, fs.ErrExist):
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
	}
	return 0
}

// The law: of two processes one wins each object, with links and without.
func TestTwoProcesses(t *testing.T) {
	dir := t.TempDir()
	var racers [2]*exec.Cmd
	var said [2]strings.Builder
	for i := range racers {
		racers[i] = exec.Command(os.Args[0])
		racers[i].Env = append(os.Environ(), actAsRacer+"="+dir)
		racers[i].Stdout, racers[i].Stderr = &said[i], os.Stderr
		if err := racers[i].Start(); err != nil {
			t.Fatal(err)
		}
	}
	wins := 0
	for i := range racers {
		if err := racers[i].Wait(); err != nil {
			t.Fatal(err)
		}
		for key := range strings.Lines(said[i].String()) {
			wins++
			data, err := open(t, dir).Read(context.Background(), strings.TrimSpace(key))
			if err != nil || string(data) != fmt.Sprintf("%d\n", racers[i].Process.Pid) {
				t.Errorf("%s was won by process %d and holds %q: %v", key, racers[i].Process.Pid, data, err)
			}
		}
	}
	if wins != raced {
		t.Errorf("%d wins of %d objects", wins, raced)
	}
}

// Sweep removes what a killed writer left, and nothing while somebody writes;
// no listing shows it, before or after.
func TestSweep(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	if err := s.Create(context.Background(), "a/b", []byte("x")); err != nil {
		t.Fatal(err)
	}
	left := filepath.Join(dir, ".b.tmp-123")
	if err := os.WriteFile(left, []byte("half"), 0o600); err != nil {
		t.Fatal(err)
	}
	writer := flock.New(filepath.Join(dir, ".lock"))
	if err := writer.RLock(); err != nil {
		t.Fatal(err)
	}
	for _, writing := range []bool{true, false} {
		if !writing {
			writer.Unlock() //nolint:errcheck // the test would fail below
		}
		if err := store.Sweep(dir); err != nil {
			t.Fatal(err)
		}
		if _, err := os.Stat(left); (err == nil) != writing {
			t.Errorf("somebody writes: %v; the temporary: %v", writing, err)
		}
		if objects, err := s.List(context.Background(), ""); len(objects) != 1 || err != nil {
			t.Errorf("listed %v: %v", objects, err)
		}
	}
	if err := store.Sweep(filepath.Join(dir, "absent")); err != nil {
		t.Error(err)
	}
}

// A failed write leaves no temporary.
func TestNoLeftovers(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	for range 3 {
		s.Create(context.Background(), "a/b", []byte("x")) //nolint:errcheck // the later ones fail
	}
	found, err := filepath.Glob(filepath.Join(dir, ".*.tmp-*"))
	if err != nil || len(found) != 0 {
		t.Errorf("left %v: %v", found, err)
	}
}

func TestOpenRefuses(t *testing.T) {
	for place, want := range map[string]string{
		"": "set paths.registry", "ftp://host/x": "available schemes: azblob, gs, s3", "s3:/x": "names no bucket", "gs:///x": "names no bucket", "mem://bucket/../x": "cannot be the name", "s3://%zz": "registry.url",
	} {
		if _, err := store.Open(context.Background(), place); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", place, err)
		}
	}
}

// A store that lets nobody in says in a line what it needs, not how its library
// looked for it.
func TestWithoutCredentials(t *testing.T) {
	for _, name := range []string{"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE", "AWS_REGION", "AWS_DEFAULT_REGION", "AZURE_STORAGE_ACCOUNT", "AZURE_STORAGE_KEY"} {
		t.Setenv(name, "")
	}
	t.Setenv("AWS_EC2_METADATA_DISABLED", "true")
	for _, name := range []string{"AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE", "GOOGLE_APPLICATION_CREDENTIALS"} {
		t.Setenv(name, filepath.Join(t.TempDir(), "absent"))
	}
	for place, want := range map[string][]string{
		"s3://bucket?region=eu-central-1": {"list s3://bucket/versions/: no credentials are known", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "endpoint="},
		"s3://bucket":                     {"no region is known", "?region="},
		"s3://bucket?regoin=x":            {`"regoin"`, "?region="},
		"azblob://container":              {"AZURE_STORAGE_ACCOUNT", "AZURE_STORAGE_KEY"},
		"gs://bucket":                     {"GOOGLE_APPLICATION_CREDENTIALS", "gcloud auth"},
	} {
		s, err := store.Open(t.Context(), place)
		if err == nil {
			_, err = s.List(t.Context(), "versions/")
		}
		if err == nil || strings.Contains(err.Error(), "\n") || strings.Contains(err.Error(), "IMDS") {
			t.Errorf("%s: %v", place, err)
			continue
		}
		for _, part := range want {
			if !strings.Contains(err.Error(), part) {
				t.Errorf("%s: %v lacks %s", place, err, part)
			}
		}
	}
}

// A folder of a bucket is a store of its own, whose messages give the URL.
func TestFolderOfABucket(t *testing.T) {
	s := open(t, "mem://bucket/a/b")
	if err := s.Create(context.Background(), "x/y", []byte("1")); err != nil {
		t.Fatal(err)
	}
	objects, err := s.List(context.Background(), "x/")
	if err != nil || len(objects) != 1 || objects[0].Key != "x/y" || s.Locate("x/y") != "mem://bucket/a/b/x/y" {
		t.Errorf("%v at %s: %v", objects, s.Locate("x/y"), err)
	}
}
