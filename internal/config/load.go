package config

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/go-viper/mapstructure/v2"
	"github.com/spf13/viper"
)

// EnvPrefix begins the environment variables: CHURN_LABELS_WINDOW_DAYS.
const EnvPrefix = "CHURN"

// Request says where settings come from, in ascending precedence: the
// defaults of the profile, the file, the environment, Set.
type Request struct {
	File    string            // path; empty = DefaultFile if that exists
	Environ []string          // as os.Environ
	Set     []string          // key=value
	Profile string            // of the flag; empty = look further
	Flags   map[string]string // settings from flags of a command, above Set
}

// DefaultFile is read where no file is named.
const DefaultFile = "config.yaml"

// Entry is one setting and where it came from.
type Entry struct {
	Key    string `json:"key"`
	Value  any    `json:"value"`
	Source string `json:"source"` // default, profile, file, environment, set, flag
}

// Loaded is a checked configuration.
type Loaded struct {
	Config
	Entries []Entry // sorted by key
	File    string  // the file that was read, if any
}

// Sections returns the values of the settings under some dotted keys: of whole
// sections or of single ones.
func (l *Loaded) Sections(keys ...string) map[string]any {
	out := map[string]any{}
	for _, e := range l.Entries {
		if slices.ContainsFunc(keys, func(k string) bool { return e.Key == k || strings.HasPrefix(e.Key, k+".") }) {
			out[e.Key] = e.Value
		}
	}
	return out
}

// Load reads, composes and checks the settings. It returns all faults at once.
func Load(r Request) (*Loaded, error) {
	l := loader{defaults: flatten(Defaults(ProfileDefault)), values: map[string]any{}, source: map[string]string{}}
	file, err := l.readFile(r.File)
	l.fault(err)
	l.readEnvironment(r.Environ)
	for _, s := range r.Set {
		l.readSet(s)
	}
	for key, value := range r.Flags {
		l.take(key, value, "flag")
	}
	if r.Profile != "" {
		l.take("profile", r.Profile, "flag")
	}
	c, err := l.decode()
	l.fault(err)
	if len(l.faults) == 0 {
		l.fault(c.Check())
	}
	if len(l.faults) > 0 {
		return nil, errors.Join(l.faults...)
	}
	entries := l.entries(c)
	c.Paths.derive()
	return &Loaded{Config: c, Entries: entries, File: file}, nil
}

// Keys returns all dotted keys, sorted.
func Keys() []string { return slices.Sorted(maps.Keys(flatten(Defaults(ProfileDefault)))) }

// loader collects values by dotted key.
type loader struct {
	defaults map[string]any
	values   map[string]any
	source   map[string]string
	file     string // that is read
	faults   []error
}

// place names a source in messages.
func (l *loader) place(from string) string {
	if from == "file" {
		return l.file
	}
	return from
}

func (l *loader) fault(err error) {
	if err != nil {
		l.faults = append(l.faults, err)
	}
}

// take overrides one setting, or notes that there is no such key.
func (l *loader) take(key string, value any, from string) {
	if _, ok := l.defaults[key]; !ok {
		l.fault(fmt.Errorf("%s: there is no such key (%s)%s", key, l.place(from), l.suggest(key)))
		return
	}
	l.values[key], l.source[key] = value, from
}

func (l *loader) readFile(path string) (string, error) {
	named := path != ""
	if !named {
		path = DefaultFile
	}
	switch info, err := os.Stat(path); {
	case errors.Is(err, os.ErrNotExist) && !named:
		return "", nil
	case errors.Is(err, os.ErrNotExist):
		return "", fmt.Errorf("config file %s is not there; name another with --config FILE", path)
	case err != nil:
		return "", fmt.Errorf("config file: %w", err)
	case info.IsDir():
		return "", fmt.Errorf("config file %s is a folder; name a YAML file with --config FILE", path)
	}
	v := viper.New()
	v.SetConfigFile(path)
	v.SetConfigType("yaml")
	if err := v.ReadInConfig(); err != nil {
		return "", fmt.Errorf("config file %s: %s; correct the YAML", path, yamlFault(err))
	}
	l.file = path
	keys := v.AllKeys()
	slices.Sort(keys)
	for _, key := range keys {
		l.take(key, v.Get(key), "file")
	}
	return path, nil
}

// yamlFault puts what the parser says on one line.
func yamlFault(err error) string {
	text := strings.TrimPrefix(err.Error(), "While parsing config: yaml: ")
	return strings.Join(strings.Fields(strings.TrimPrefix(text, "unmarshal errors:")), " ")
}

// readEnvironment takes CHURN_<SECTION>_<KEY>. Variables with the prefix but
// of no section of ours are left alone; a misspelt key is a fault.
func (l *loader) readEnvironment(environ []string) {
	names := map[string]string{}
	for key := range l.defaults {
		names[envName(key)] = key
	}
	for _, e := range environ {
		name, value, _ := strings.Cut(e, "=")
		if !strings.HasPrefix(name, EnvPrefix+"_") {
			continue
		}
		if key, ok := names[name]; ok {
			l.take(key, value, "environment")
		} else if l.isSection(name) {
			l.fault(fmt.Errorf("%s: there is no such key (environment)%s", name, l.suggest(strings.ToLower(strings.Replace(strings.TrimPrefix(name, EnvPrefix+"_"), "_", ".", 1)))))
		}
	}
}

func envName(key string) string {
	return EnvPrefix + "_" + strings.ToUpper(strings.ReplaceAll(key, ".", "_"))
}

func (l *loader) isSection(name string) bool {
	for key := range l.defaults {
		if section, _, ok := strings.Cut(key, "."); ok && strings.HasPrefix(name, envName(section)+"_") {
			return true
		}
	}
	return false
}

func (l *loader) readSet(s string) {
	key, value, ok := strings.Cut(s, "=")
	if !ok {
		l.fault(fmt.Errorf("--set %q: write key=value, such as --set labels.window_days=14", s))
		return
	}
	l.take(strings.TrimSpace(key), value, "set")
}

// decode lays the values over the defaults of the profile. viper holds them,
// so that its strict decoding serves for all sources alike.
func (l *loader) decode() (Config, error) {
	profile, _ := l.values["profile"].(string)
	if profile == "" {
		profile = ProfileDefault
	}
	defaults := flatten(Defaults(profile))
	v := viper.New()
	for key, value := range defaults {
		if l.source[key] == "" && !reflect.DeepEqual(value, l.defaults[key]) {
			l.source[key] = "profile"
		}
		v.SetDefault(key, value)
	}
	for key, value := range l.values {
		v.Set(key, value)
	}
	var c Config
	err := v.UnmarshalExact(&c, viper.DecodeHook(mapstructure.ComposeDecodeHookFunc(splitList, strict, dateText)))
	return c, l.explainDecode(err)
}

// splitList reads comma-separated lists out of text.
func splitList(from, to reflect.Type, value any) (any, error) {
	if from.Kind() != reflect.String || to.Kind() != reflect.Slice {
		return value, nil
	}
	out := []string{}
	for _, part := range strings.Split(value.(string), ",") {
		if part = strings.TrimSpace(part); part != "" {
			out = append(out, part)
		}
	}
	return out, nil
}

// strict refuses what weak decoding would bend: 7.5 to 7, nothing to 0, true
// to 1.
func strict(_, to reflect.Type, value any) (any, error) {
	text := fmt.Sprint(value)
	if f, ok := value.(float64); ok {
		text = strconv.FormatFloat(f, 'f', -1, 64) // 1e6 is whole
	}
	var err error
	wanted := ""
	switch k := to.Kind(); {
	case to == reflect.TypeFor[time.Duration]():
		wanted = "not a length of time such as 90s, 10m or 24h"
		value, err = time.ParseDuration(text)
	case k == reflect.String && reflect.TypeOf(value).Kind() == reflect.Slice:
		wanted, err = "a list; give one value", errors.ErrUnsupported
	case k == reflect.Bool:
		wanted = "neither true nor false"
		value, err = strconv.ParseBool(text)
	case k >= reflect.Int && k <= reflect.Int64:
		wanted = "not a whole number"
		value, err = strconv.ParseInt(text, 10, 64)
	case k >= reflect.Uint && k <= reflect.Uint64:
		wanted = "not a whole number from 0"
		value, err = strconv.ParseUint(text, 10, 64)
	case k == reflect.Float64:
		wanted = "not a number"
		value, err = strconv.ParseFloat(text, 64)
	}
	if err != nil {
		return nil, fmt.Errorf("%q is %s", text, wanted)
	}
	return value, nil
}

// dateText undoes YAML's reading of an unquoted date as a time.
func dateText(_, to reflect.Type, value any) (any, error) {
	if t, ok := value.(time.Time); ok && to.Kind() == reflect.String {
		return t.Format(time.DateOnly), nil
	}
	return value, nil
}

// explainDecode says in one line each what cannot be read, and where it was set.
func (l *loader) explainDecode(err error) error {
	if err == nil {
		return nil
	}
	text := strings.TrimSpace(err.Error())
	for _, noise := range []string{"decoding failed due to the following error(s):", "* "} {
		text = strings.ReplaceAll(text, noise, "")
	}
	var lines []error
	for _, line := range strings.Split(text, "\n") {
		line = strings.TrimSpace(line)
		if key, what, ok := strings.Cut(strings.TrimPrefix(line, "'"), "' "); ok && line[0] == '\'' {
			name, _, _ := strings.Cut(key, "[")
			line = fmt.Sprintf("%s: %s (%s)", key, what, l.place(l.source[name]))
		}
		if line != "" {
			lines = append(lines, errors.New(line))
		}
	}
	return errors.Join(lines...)
}

// entries lists the settings as they are, with their source.
func (l *loader) entries(c Config) []Entry {
	var out []Entry
	for key, value := range flatten(c) {
		from := l.source[key]
		if from == "" {
			from = "default"
		}
		out = append(out, Entry{Key: key, Value: value, Source: from})
	}
	slices.SortFunc(out, func(a, b Entry) int { return strings.Compare(a.Key, b.Key) })
	return out
}

// flatten returns all settings by dotted key.
func flatten(c Config) map[string]any {
	out := map[string]any{}
	var walk func(prefix string, v reflect.Value)
	walk = func(prefix string, v reflect.Value) {
		if d, ok := v.Interface().(time.Duration); ok {
			out[prefix] = shortDuration(d)
			return
		}
		switch v.Kind() {
		case reflect.Struct:
			for i := range v.NumField() {
				tag := v.Type().Field(i).Tag.Get("mapstructure")
				if tag == ",squash" { // its fields stand among ours
					walk(prefix, v.Field(i))
					continue
				}
				walk(strings.TrimPrefix(prefix+"."+tag, "."), v.Field(i))
			}
		case reflect.Map:
			for _, k := range v.MapKeys() {
				walk(prefix+"."+k.String(), v.MapIndex(k))
			}
		case reflect.String:
			out[prefix] = v.String() // a plain string, whatever its named type
		default:
			out[prefix] = v.Interface()
		}
	}
	walk("", reflect.ValueOf(c))
	return out
}

// shortDuration writes a length of time as people do: 10m, not 10m0s.
func shortDuration(d time.Duration) string {
	text := d.String()
	for _, zero := range []string{"m0s", "h0m"} {
		if strings.HasSuffix(text, zero) {
			text = strings.TrimSuffix(text, zero[1:])
		}
	}
	return text
}

// suggest names the known key nearest to a misspelt one.
func (l *loader) suggest(key string) string {
	best, distance := "", 4
	for known := range l.defaults {
		if d := editDistance(key, known); d < distance || d == distance && known < best {
			best, distance = known, d
		}
	}
	if best == "" {
		return "; `churn config show` lists all keys"
	}
	return fmt.Sprintf("; did you mean %s?", best)
}

// editDistance is Levenshtein's.
func editDistance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			diagonal, row[j+1] = row[j+1], min(row[j+1]+1, row[j]+1, diagonal+cost)
		}
	}
	return row[len(b)]
}
