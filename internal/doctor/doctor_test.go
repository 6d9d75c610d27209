package doctor_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"churn/internal/doctor"
	"churn/pipeline"
	"churn/pipeline/monitor/alarms"
	"churn/registry"
	"churn/server"
)

// now is the time of all tests.
func now() time.Time { return time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC) }

// wants fails the test unless the worst finding has the status, and one says the words.
func wants(t *testing.T, found []doctor.Finding, status doctor.Status, words string) {
	t.Helper()
	r := doctor.Report{Status: doctor.OK}
	all := ""
	for _, f := range found {
		r.Add(f)
		all += string(f.Status) + ": " + f.Found + " → " + f.Do + "\n"
		if (f.Do == "") != (f.Status == doctor.OK) {
			t.Errorf("what is not sound says what to do, and only that: %+v", f)
		}
	}
	if len(found) == 0 || r.Status != status || !strings.Contains(all, words) {
		t.Errorf("want %s and %q, got\n%s", status, words, all)
	}
}

// The law: the status of a report is the worst of its findings, and its error names the
// checks that failed.
func TestReport(t *testing.T) {
	check := func(name string, found []doctor.Finding) doctor.Check {
		return doctor.Check{Name: name, Look: func(context.Context) []doctor.Finding { return found }}
	}
	good, odd, bad := check("a", doctor.Sound("x")), check("b", doctor.Warning("do", "x")), check("c", doctor.Failure("do", "x"))
	for _, test := range []struct {
		checks []doctor.Check
		status doctor.Status
		err    string
	}{{[]doctor.Check{good}, doctor.OK, ""}, {[]doctor.Check{odd, good}, doctor.Warn, ""}, {[]doctor.Check{bad, odd}, doctor.Fail, "doctor: 1 check fails: c"},
		{[]doctor.Check{bad, good, check("d", doctor.Failure("do", "x"))}, doctor.Fail, "doctor: 2 checks fail: c, d"}} {
		r := doctor.Examine(t.Context(), test.checks)
		text := ""
		if err := r.Err(); err != nil {
			text = err.Error()
		}
		if r.Status != test.status || text != test.err || len(r.Findings) != len(test.checks) || r.Findings[0].Check != test.checks[0].Name {
			t.Errorf("%+v, %q; want %s, %q", r, text, test.status, test.err)
		}
	}
}

func TestFolders(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "file"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	one := func(path string) []doctor.Finding {
		return doctor.Folders([]doctor.Folder{{Key: "paths.data", Path: path}})
	}
	wants(t, one(dir), doctor.OK, "1 folders")
	wants(t, one(filepath.Join(dir, "a", "b")), doctor.OK, "1 folders")
	wants(t, one(filepath.Join(dir, "file")), doctor.Fail, "is a file, not a folder → give this user the right to write there, or choose another folder with --set paths.data=DIR")
	wants(t, one(filepath.Join(dir, "file", "b")), doctor.Fail, "paths.data")
	if entries, err := os.ReadDir(dir); err != nil || len(entries) != 1 {
		t.Errorf("the folder holds %v (%v)", entries, err)
	}
}

func TestDisk(t *testing.T) {
	dir := t.TempDir()
	look := func(u doctor.Usage, err error) []doctor.Finding {
		return doctor.Disk([]string{dir, filepath.Join(dir, "new")}, 100<<20, func(string) (doctor.Usage, error) { return u, err })
	}
	wants(t, look(doctor.Usage{Free: 300 << 20, Inodes: 5000}, nil), doctor.OK, "300.0 MiB free")
	wants(t, look(doctor.Usage{Free: 300 << 20, Inodes: -1}, nil), doctor.OK, "one run needs about 100.0 MiB")
	wants(t, look(doctor.Usage{Free: 200 << 20, Inodes: -1}, nil), doctor.Warn, "has 200.0 MiB free, one run needs about 100.0 MiB")
	wants(t, look(doctor.Usage{Free: 99 << 20, Inodes: -1}, nil), doctor.Fail, "has 99.0 MiB free")
	wants(t, look(doctor.Usage{Free: 300 << 20, Inodes: 10}, nil), doctor.Fail, "10 more files")
	wants(t, look(doctor.Usage{}, errors.ErrUnsupported), doctor.OK, "cannot be told on this system")
	wants(t, look(doctor.Usage{}, errors.New("no such device")), doctor.Warn, "no such device")
	if real, err := doctor.DiskUsage(dir); !errors.Is(err, errors.ErrUnsupported) && (err != nil || real.Free <= 0) {
		t.Errorf("this disk: %+v, %v", real, err)
	}
}

// What a run needs is never less than the raw data, which is staged.
func TestNeeds(t *testing.T) {
	dir := t.TempDir()
	csv, parquet := filepath.Join(dir, "a.csv"), filepath.Join(dir, "b.parquet")
	for _, path := range []string{csv, parquet} {
		if err := os.WriteFile(path, make([]byte, 100), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if got := doctor.RawSize([]string{csv, parquet, filepath.Join(dir, "none")}); got != 600 {
		t.Errorf("raw data of %d bytes", got)
	}
	if got := doctor.Size(dir, filepath.Join(dir, "none")); got != 200 {
		t.Errorf("a folder of %d bytes", got)
	}
	if first, later := doctor.Needs(100, 0), doctor.Needs(100, 50); first != 300 || later != 150 {
		t.Errorf("needs %d at first and %d later", first, later)
	}
}

func TestLeftovers(t *testing.T) {
	dir := t.TempDir()
	shards := filepath.Join(dir, "shards")
	look := func(busy bool) []doctor.Finding {
		return doctor.Leftovers([]string{dir, dir}, shards, func() bool { return busy })
	}
	wants(t, look(false), doctor.OK, "none")
	if err := os.WriteFile(filepath.Join(dir, ".x.csv.tmp-12"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	wants(t, look(false), doctor.Warn, "1 temporary files")
	wants(t, look(true), doctor.OK, "none")
	if err := os.MkdirAll(filepath.Join(shards, "latest_of_4"), 0o700); err != nil {
		t.Fatal(err)
	}
	wants(t, look(true), doctor.Warn, "1 unfinished runs of score --shard, such as "+filepath.Join(shards, "latest_of_4"))
}

func TestClock(t *testing.T) {
	sound := doctor.Clock{Now: time.Now, Folder: t.TempDir(), Lease: 10 * time.Minute}
	wants(t, sound.Look(), doctor.OK, "the storage agrees")
	change := func(f func(*doctor.Clock)) []doctor.Finding {
		c := sound
		f(&c)
		return c.Look()
	}
	at := func(d time.Duration) func() time.Time { return func() time.Time { return time.Now().Add(d) } }
	wants(t, change(func(c *doctor.Clock) { c.Now = at(-30 * time.Second) }), doctor.Warn, "is off by 30s")
	wants(t, change(func(c *doctor.Clock) { c.Now = at(time.Hour) }), doctor.Fail, "is off by 1h0m0s: retrain.lock_ttl = 10m0s cannot keep two machines apart")
	wants(t, change(func(c *doctor.Clock) { c.Newest, c.File = time.Now().Add(time.Hour), "x.json" }), doctor.Warn, "x.json was changed 1h0m0s in the future")
	wants(t, change(func(c *doctor.Clock) { c.Move = time.Now().Add(time.Hour) }), doctor.Fail, "the last move of an alias in the registry is 1h0m0s in the future")
	wants(t, change(func(c *doctor.Clock) { c.DataEnd = "2027-01-01" }), doctor.Warn, "the data ends on 2027-01-01, which is after today")
}

func TestPort(t *testing.T) {
	look := func(answer string) []doctor.Finding {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/health" {
				w.Write([]byte(answer)) //nolint:errcheck // a test
			}
		}))
		defer s.Close()
		return doctor.Port(t.Context(), "serve.address", s.Listener.Addr().String(), s.URL)
	}
	wants(t, doctor.Port(t.Context(), "serve.address", "127.0.0.1:0", ""), doctor.OK, "is free")
	wants(t, look(`{"status": "ok", "model_loaded": true, "model_version": "v0007"}`), doctor.OK, "with model v0007")
	wants(t, look(`{"status": "degraded", "reason": "no model"}`), doctor.Warn, "is degraded: no model")
	wants(t, look("<html>"), doctor.Fail, "is taken by something that is not churn serve")
	wants(t, doctor.Port(t.Context(), "serve.address", "192.0.2.1:80", ""), doctor.Fail, "serve.address")
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	wants(t, doctor.Port(t.Context(), "serve.metrics_address", l.Addr().String(), ""), doctor.OK, "is in use: by churn serve, if it runs")
}

func TestKeys(t *testing.T) {
	dir := t.TempDir()
	file := func(mode os.FileMode, lines ...string) server.Params {
		p := server.Defaults()
		p.KeysFile = filepath.Join(dir, "keys")
		os.Remove(p.KeysFile)
		if err := errors.Join(os.WriteFile(p.KeysFile, []byte(strings.Join(lines, "\n")), 0o600), os.Chmod(p.KeysFile, mode)); err != nil {
			t.Fatal(err)
		}
		return p
	}
	line := func(expires string) string {
		_, line, err := server.NewKey("crm", []server.Scope{server.ScopeRead}, expires)
		if err != nil {
			t.Fatal(err)
		}
		return line
	}
	wants(t, doctor.Keys(server.Defaults(), "", now()), doctor.OK, "only this machine")
	wants(t, doctor.Keys(file(0o600, line("2026-12-31")), line(""), now()), doctor.OK, "2 in force")
	wants(t, doctor.Keys(file(0o600, line("2026-04-30")), "", now()), doctor.Warn, "the key of crm expired on 2026-05-01")
	wants(t, doctor.Keys(file(0o600, line("2026-05-08")), "", now()), doctor.Warn, "the key of crm expires on 2026-05-09")
	wants(t, doctor.Keys(file(0o666, line("")), "", now()), doctor.Warn, "may be changed by others")
	wants(t, doctor.Keys(file(0o600, "crm read secret"), "", now()), doctor.Fail, "line 1: the third word is not a SHA-256 in hex")
	wants(t, doctor.Keys(file(0o600), "", now()), doctor.Fail, "holds no key")
	wants(t, doctor.Keys(server.Params{Address: "0.0.0.0:80"}, "", now()), doctor.Fail, "there are no API keys")
	wants(t, doctor.Keys(server.Params{Address: "0.0.0.0:80", Insecure: true}, "", now()), doctor.OK, "serve.insecure is set")
}

// certificate writes a self-signed certificate of that time, and returns both paths.
func certificate(t *testing.T, from, to time.Time, mode os.FileMode) (cert, key string) {
	t.Helper()
	secret, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	leaf := &x509.Certificate{SerialNumber: big.NewInt(1), DNSNames: []string{"churn.test"}, NotBefore: from, NotAfter: to}
	der, err := x509.CreateCertificate(rand.Reader, leaf, leaf, &secret.PublicKey, secret)
	if err != nil {
		t.Fatal(err)
	}
	pkcs, err := x509.MarshalPKCS8PrivateKey(secret)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	cert, key = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	err = errors.Join(os.WriteFile(cert, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600),
		os.WriteFile(key, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs}), mode), os.Chmod(key, mode))
	if err != nil {
		t.Fatal(err)
	}
	return cert, key
}

func TestTLS(t *testing.T) {
	const day = 24 * time.Hour
	look := func(from, to time.Duration, mode os.FileMode) []doctor.Finding {
		cert, key := certificate(t, now().Add(from), now().Add(to), mode)
		return doctor.TLS(cert, key, now())
	}
	wants(t, doctor.TLS("", "", now()), doctor.OK, "off")
	wants(t, doctor.TLS("nowhere.pem", "nowhere.key", now()), doctor.Fail, "nowhere.pem")
	wants(t, look(-day, 90*day, 0o600), doctor.OK, "certificate of churn.test, to 2026-07-30")
	wants(t, look(-day, 7*day, 0o600), doctor.Warn, "expires on 2026-05-08")
	wants(t, look(-9*day, -day, 0o600), doctor.Fail, "has expired on 2026-04-30")
	wants(t, look(day, 9*day, 0o600), doctor.Fail, "is valid from 2026-05-02 on")
	wants(t, look(-day, 90*day, 0o644), doctor.Warn, "can be read by others (mode 0644)")
}

func TestAgeAndFreshness(t *testing.T) {
	today := pipeline.Date(20000)
	m := doctor.Model{Version: "v0003", AsOf: today - 100}
	wants(t, doctor.Age(m, today, 180), doctor.OK, "100 days ago")
	wants(t, doctor.Age(m, today, 99), doctor.Warn, "100 days ago; retrain.max_age_days allows 99")
	wants(t, doctor.Age(m, today, 0), doctor.OK, "100 days ago")
	wants(t, doctor.Age(doctor.Model{AsOf: pipeline.NoDate}, today, 1), doctor.OK, "no model yet")
	wants(t, doctor.Freshness(today, today, 1, 3), doctor.OK, "the data ends on "+today.String())
	wants(t, doctor.Freshness(today-1, today, 1, 3), doctor.Warn, "1 whole days are missing")
	wants(t, doctor.Freshness(today-3, today, 1, 3), doctor.Fail, "3 whole days are missing")
}

func TestAlarms(t *testing.T) {
	book := alarms.Book{Evaluated: now(), Alarms: []alarms.Alarm{{Name: "data_drift", State: alarms.Firing}, {Name: "performance", State: alarms.Pending}, {Name: "data_health", State: alarms.Resolved}}}
	wants(t, doctor.Alarms(alarms.Book{}, nil, now()), doctor.OK, "never evaluated")
	wants(t, doctor.Alarms(book, nil, now()), doctor.Warn, "firing: data_drift")
	wants(t, doctor.Alarms(book, nil, now()), doctor.Warn, "pending: performance")
	book.Silence(alarms.Silence{Alarm: alarms.All, Reason: "x", From: now(), Until: now().Add(time.Hour)})
	wants(t, doctor.Alarms(book, nil, now()), doctor.OK, "none fires")
	book.Outbox = []alarms.Message{{}}
	wants(t, doctor.Alarms(book, nil, now()), doctor.Warn, "1 messages have not been taken by the webhook")
	wants(t, doctor.Alarms(book, errors.New("alarms.json is damaged"), now()), doctor.Fail, "alarms.json is damaged")
}

func TestLock(t *testing.T) {
	wants(t, doctor.Lock(nil, nil), doctor.OK, "no retrain is running")
	wants(t, doctor.Lock(&registry.HeldError{Name: "retrain", Holder: "a job", Since: now(), Until: now().Add(time.Minute)}, nil), doctor.OK, "held by a job since 2026-05-01T12:00:00Z")
	wants(t, doctor.Lock(nil, errors.New("a lease is damaged")), doctor.Fail, "a lease is damaged")
}
