package httpurl

import (
	"strings"
	"testing"
)

func TestCheck(t *testing.T) {
	for _, good := range []string{"", "http://h", "https://user:secret@h:1/p?q=1"} {
		if err := Check(good); err != nil {
			t.Errorf("%q: %v", good, err)
		}
	}
	for _, bad := range []string{"h", "h:80", "ftp://h/p", "http://", "http://h:x:y", "://", "/path"} {
		if Check(bad) == nil {
			t.Errorf("%q passes", bad)
		}
	}
}

// The law: a fault does not tell a password or a query.
func TestCheckTellsNoSecret(t *testing.T) {
	if text := Check("ftp://u:pass@h/hush?token=hush").Error(); strings.Contains(text, "pass") || strings.Contains(text, "hush") {
		t.Error(text)
	}
}
