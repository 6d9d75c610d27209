package server

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"time"
)

// Key is one API key as the server knows it: by its digest. The key itself is
// 128 random bits or more, so a plain SHA-256 cannot be undone by guessing, and
// a slow hash would only slow requests down.
type Key struct {
	Name    string // of who uses it: in the log, and what the rate limit counts by
	Scopes  []Scope
	Digest  [sha256.Size]byte
	Expires time.Time // zero = never
}

// keyPrefix begins every key that we make, so that scanners for leaked secrets
// can know one.
const keyPrefix = "churn_"

// NewKey makes a key. The secret is for its user, the line for the file of
// keys; nothing can make the secret from the line. expires is a date, whose end
// it is in UTC, or a time; "" = never.
func NewKey(name string, scopes []Scope, expires string) (secret, line string, err error) {
	secret = keyPrefix + rand.Text()
	sum := sha256.Sum256([]byte(secret))
	line = strings.TrimSpace(strings.Join([]string{name, joinScopes(scopes), hex.EncodeToString(sum[:]), expires}, " "))
	if _, err := parseKey(line); err != nil {
		return "", "", err
	}
	return secret, line, nil
}

func joinScopes(scopes []Scope) string {
	words := make([]string, len(scopes))
	for i, s := range scopes {
		words[i] = string(s)
	}
	return strings.Join(words, ",")
}

// ParseKeys reads keys, one a line (or between semicolons, for an environment
// variable): `name scopes sha256-hex [expires]`. Empty lines and lines that
// begin with # do not count. It returns all faults, each with its line.
func ParseKeys(text string) ([]Key, error) {
	var keys []Key
	var errs []error
	for i, line := range strings.Split(strings.ReplaceAll(text, ";", "\n"), "\n") {
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		key, err := parseKey(line)
		if err != nil {
			errs = append(errs, fmt.Errorf("line %d: %w", i+1, err))
			continue
		}
		keys = append(keys, key)
	}
	return keys, errors.Join(errs...)
}

// parseKey reads a line. Its faults do not repeat what may be a secret.
func parseKey(line string) (Key, error) {
	words := strings.Fields(line)
	if len(words) < 3 || len(words) > 4 {
		return Key{}, fmt.Errorf("has %d words; write: name scopes sha256-hex [expires], as `churn key new` prints them", len(words))
	}
	key := Key{Name: words[0]}
	if !sane(key.Name) {
		return Key{}, errors.New("the name may have letters, digits and -_.:/+= only, at most 128")
	}
	for _, word := range strings.Split(words[1], ",") {
		scope := Scope(word)
		if scope != ScopePredict && scope != ScopeRead && scope != ScopeAdmin {
			return Key{}, fmt.Errorf("there is no scope %q; use %s, %s, %s, separated by commas", word, ScopePredict, ScopeRead, ScopeAdmin)
		}
		key.Scopes = append(key.Scopes, scope)
	}
	digest, err := hex.DecodeString(words[2])
	if err != nil || len(digest) != len(key.Digest) {
		return Key{}, errors.New("the third word is not a SHA-256 in hex, 64 digits; if it is the key itself, take it out and make another with `churn key new`")
	}
	copy(key.Digest[:], digest)
	if len(words) == 4 {
		key.Expires, err = parseExpiry(words[3])
	}
	return key, err
}

func parseExpiry(text string) (time.Time, error) {
	if day, err := time.Parse(time.DateOnly, text); err == nil {
		return day.AddDate(0, 0, 1), nil // its end
	}
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return time.Time{}, fmt.Errorf("%q is neither a date such as 2026-12-31 nor a time such as 2026-12-31T18:00:00Z", text)
	}
	return t, nil
}

// keyring holds the keys in force.
type keyring struct {
	fixed string // keys as text, of the environment
	file  string // "" = none
	keys  atomic.Pointer[[]Key]
}

// load reads the keys again. After a fault the keys from before stay.
func (r *keyring) load() error {
	keys, err := ParseKeys(r.fixed)
	if err != nil {
		return fmt.Errorf("CHURN_API_KEYS: %w", err)
	}
	if r.file != "" {
		text, err := os.ReadFile(r.file)
		if err != nil {
			return fmt.Errorf("serve.keys_file: %w", err)
		}
		more, err := ParseKeys(string(text))
		if err != nil {
			return fmt.Errorf("serve.keys_file %s: %w", r.file, err)
		}
		if len(more) == 0 {
			// An emptied file must not open the server to everybody.
			return fmt.Errorf("serve.keys_file %s holds no key; `churn key new NAME` makes one", r.file)
		}
		keys = append(keys, more...)
	}
	r.keys.Store(&keys)
	return nil
}

// Keys returns the keys of a server with these settings, and fails where it would
// not start. fixed are lines of keys beside those of the file.
func (p Params) Keys(fixed string) ([]Key, error) {
	r := keyring{fixed: fixed, file: p.KeysFile}
	if err := r.load(); err != nil {
		return nil, err
	}
	return r.inForce(), p.checkExposure(r.inForce())
}

// inForce returns the keys; none = no key is asked for.
func (r *keyring) inForce() []Key { return *r.keys.Load() }

// find returns the key of a secret. It looks at all keys, each in constant
// time, so that the time tells nothing of how near a guess came.
func find(keys []Key, secret string) (key Key, ok bool) {
	sum := sha256.Sum256([]byte(secret))
	at := -1
	for i := range keys {
		at = subtle.ConstantTimeSelect(subtle.ConstantTimeCompare(keys[i].Digest[:], sum[:]), i, at)
	}
	if at < 0 {
		return Key{}, false
	}
	return keys[at], true
}

func (k Key) allows(s Scope) bool { return slices.Contains(k.Scopes, s) }

func (k Key) expired(now time.Time) bool { return !k.Expires.IsZero() && !now.Before(k.Expires) }
