package registry

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"churn/internal/atomicfile"
)

// Aliases returns the version behind each alias.
func (r *Registry) Aliases() (map[string]string, error) {
	path := filepath.Join(r.dir, aliasesFile)
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return map[string]string{}, nil
	}
	if err != nil {
		return nil, err
	}
	aliases := map[string]string{}
	if err := json.Unmarshal(data, &aliases); err != nil {
		return nil, fmt.Errorf("registry: %s is damaged: %w; restore it, or delete it and run `churn promote`", path, err)
	}
	return aliases, nil
}

// Promote moves the alias production to a version, if it still points to from
// ("" where there is none): a compare-and-swap. Previous keeps what production
// was. Both move in one rename.
func (r *Registry) Promote(version, from string) error {
	unlock, err := r.lock()
	if err != nil {
		return err
	}
	defer unlock()
	aliases, err := r.Aliases()
	if err != nil {
		return err
	}
	if aliases[Production] != from {
		return fmt.Errorf("registry: production moved from %q to %q meanwhile; look at it and promote again", from, aliases[Production])
	}
	if _, _, err := r.Load(version, BundleFile); err != nil {
		return err
	}
	aliases[Production] = version
	if from != "" {
		aliases[Previous] = from
	}
	_, err = atomicfile.WriteJSON(filepath.Join(r.dir, aliasesFile), aliases)
	return err
}

func digest(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}
