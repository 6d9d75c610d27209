package lines

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func write(t *testing.T, name string, data []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if strings.HasSuffix(name, ".gz") {
		var b bytes.Buffer
		z := gzip.NewWriter(&b)
		z.Write(data)
		z.Close()
		data = b.Bytes()
	}
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// all reads a file; each line comes with its number.
func all(path string) (out []string, sum string, err error) {
	r, err := Open(path)
	if err != nil {
		return nil, "", err
	}
	defer r.Close()
	for {
		b, ok, err := r.Next()
		if err != nil || !ok {
			return out, r.SHA256(), err
		}
		b.Each(func(n int, line []byte) { out = append(out, fmt.Sprint(n, " ", string(line))) })
	}
}

// The law: the lines are those of strings.Split, whatever their lengths and
// ends, in one block or in several, and the digest is that of the file.
func TestLinesEqualSplit(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	long := strings.Repeat("x", blockSize+7)
	for k := range 4 {
		var text strings.Builder
		for range rng.IntN(8) {
			text.WriteString([]string{"", "a", "{\"b\": 1}", long}[rng.IntN(4)])
			text.WriteString([]string{"\n", "\r\n"}[rng.IntN(2)])
		}
		if rng.IntN(2) == 0 {
			text.WriteString("no end")
		}
		var want []string
		for i, line := range strings.Split(strings.TrimSuffix(text.String(), "\n"), "\n") {
			want = append(want, fmt.Sprint(i+1, " ", strings.TrimSuffix(line, "\r")))
		}
		if text.Len() == 0 {
			want = nil
		}
		path := write(t, []string{"a.log", "a.json.gz"}[k%2], []byte(text.String()))
		got, sum, err := all(path)
		if d := cmp.Diff(want, got); d != "" || err != nil {
			t.Fatalf("%d: %v\n%.2000s", k, err, d)
		}
		data, _ := os.ReadFile(path)
		if digest := sha256.Sum256(data); sum != hex.EncodeToString(digest[:]) {
			t.Fatalf("%d: digest %s", k, sum)
		}
	}
}

func TestDamagedFilesAreNamed(t *testing.T) {
	whole := write(t, "a.json.gz", bytes.Repeat([]byte("{\"a\": 1}\n"), 1000))
	data, _ := os.ReadFile(whole)
	for name, x := range map[string]struct {
		data []byte
		want string
	}{"cut.json.gz": {data[:len(data)/2], "cut off"}, "no.json.gz": {[]byte("plain"), "not of the kind"}, "one.json": {make([]byte, maxLine+2*blockSize), "one JSON value a line"}} {
		path := filepath.Join(t.TempDir(), name)
		os.WriteFile(path, x.data, 0o600)
		if _, _, err := all(path); err == nil || !strings.Contains(err.Error(), x.want) || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
