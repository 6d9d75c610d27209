package registry

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"churn/registry/store"
)

// decisionDigits is how much of a digest the names of its record hold.
const decisionDigits = 16

func decisionKeys(sum string) (jsonKey, markdownKey string) {
	name := decisionsDir + sum[:decisionDigits]
	return name + ".json", name + ".md"
}

// decisionOf returns the begin of the digest that an object's name holds, "" if
// it is no half of a record.
func decisionOf(key string) string {
	name, ours := strings.CutPrefix(key, decisionsDir)
	begin := strings.TrimSuffix(strings.TrimSuffix(name, ".json"), ".md")
	if !ours || len(begin) != decisionDigits || begin == name || strings.Trim(begin, "0123456789abcdef") != "" {
		return ""
	}
	return begin
}

// PutDecision stores a record of the gate, once for machines and once for
// people, and returns the digest by which entries of the ledger name it.
func (r *Registry) PutDecision(ctx context.Context, json, markdown []byte) (string, error) {
	sum := decisionDigest(json, markdown)
	jsonKey, markdownKey := decisionKeys(sum)
	if err := r.store.Write(ctx, markdownKey, markdown); err != nil {
		return "", fmt.Errorf("registry: %w", err)
	}
	if err := r.store.Write(ctx, jsonKey, json); err != nil {
		return "", fmt.Errorf("registry: %w", err)
	}
	return sum, nil
}

func decisionDigest(json, markdown []byte) string {
	_, sum := contents(map[string][]byte{"decision.json": json, "decision.md": markdown})
	return sum
}

// Decision returns the record of a digest, checked.
func (r *Registry) Decision(ctx context.Context, sum string) (json, markdown []byte, err error) {
	if len(sum) != 64 {
		return nil, nil, fmt.Errorf("registry: %q is not the digest of a decision", sum)
	}
	return r.decision(ctx, sum)
}

// decision returns the record whose digest begins so, checked.
func (r *Registry) decision(ctx context.Context, begin string) (json, markdown []byte, err error) {
	jsonKey, markdownKey := decisionKeys(begin)
	if json, err = r.store.Read(ctx, jsonKey); err != nil {
		return nil, nil, fmt.Errorf("registry: decision: %w; restore it from a copy", err)
	}
	if markdown, err = r.store.Read(ctx, markdownKey); err != nil {
		return nil, nil, fmt.Errorf("registry: decision: %w; restore it from a copy", err)
	}
	if !strings.HasPrefix(decisionDigest(json, markdown), begin) {
		return nil, nil, fmt.Errorf("registry: %s or %s does not have the digest of its name: one of them was changed or damaged; restore both from a copy", r.store.Locate(jsonKey), r.store.Locate(markdownKey))
	}
	return json, markdown, nil
}

// unnamed returns the records that no entry names, by the begin of their
// digest: of challengers that were rejected or held, which moved nothing.
func unnamed(objects []store.Object, entries []Entry) (records [][]store.Object) {
	named := map[string]bool{"": true}
	for _, e := range entries {
		if len(e.Decision) > decisionDigits {
			named[e.Decision[:decisionDigits]] = true
		}
	}
	halves := slices.DeleteFunc(slices.Clone(objects), func(o store.Object) bool { return named[decisionOf(o.Key)] })
	slices.SortFunc(halves, func(a, b store.Object) int { return cmp.Compare(a.Key, b.Key) })
	for i, o := range halves {
		if i > 0 && decisionOf(halves[i-1].Key) == decisionOf(o.Key) {
			records[len(records)-1] = append(records[len(records)-1], o)
		} else {
			records = append(records, []store.Object{o})
		}
	}
	return records
}
