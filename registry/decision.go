package registry

import (
	"context"
	"fmt"
)

func decisionKeys(sum string) (jsonKey, markdownKey string) {
	name := decisionsDir + sum[:16]
	return name + ".json", name + ".md"
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
	jsonKey, markdownKey := decisionKeys(sum)
	if json, err = r.store.Read(ctx, jsonKey); err != nil {
		return nil, nil, fmt.Errorf("registry: decision: %w; restore it from a copy", err)
	}
	if markdown, err = r.store.Read(ctx, markdownKey); err != nil {
		return nil, nil, fmt.Errorf("registry: decision: %w; restore it from a copy", err)
	}
	if decisionDigest(json, markdown) != sum {
		return nil, nil, fmt.Errorf("registry: %s or %s does not have the digest of its name: one of them was changed or damaged; restore both from a copy", r.store.Locate(jsonKey), r.store.Locate(markdownKey))
	}
	return json, markdown, nil
}
