package warehouse

import (
	"strings"
	"testing"

	"churn/pipeline/source"
)

// A server that cannot be reached is told with what to look at, and without the
// password.
func TestPostgresUnreached(t *testing.T) {
	p := source.Params{Kind: source.KindPostgres, URL: "postgres://reader:hidden@127.0.0.1:1/portal", Users: "users", Events: "events"}
	_, err := Open(t.Context(), p, Rules{Zone: "UTC"})
	if err == nil || !strings.Contains(err.Error(), "check host and port in source.url") || strings.Contains(err.Error(), "hidden") {
		t.Errorf("error %v", err)
	}
}
