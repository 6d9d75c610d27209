package cli

import (
	"fmt"

	"churn/model/bundle"
	"churn/registry"
)

// answers asks a version the rows that are stored with it: whether this program
// gives the very answers that were given when the model was made.
func answers(v *registry.Version) error {
	m, err := modelOf(v)
	data, stored := v.Files[registry.SampleFile]
	if err != nil || !stored {
		return err
	}
	sample, err := bundle.DecodeSample(data)
	if err == nil {
		err = m.Bundle.Answers(sample)
	}
	if err != nil {
		return fmt.Errorf("model %s: %w", v.Version, err)
	}
	return nil
}
