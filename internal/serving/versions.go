package serving

import (
	"context"
	"time"

	"churn/model/bundle"
	"churn/registry"
	"churn/server"
)

// registryVersions are the versions of a registry.
type registryVersions struct{ registry *registry.Registry }

// RegistryVersions returns the versions of a registry.
func RegistryVersions(r *registry.Registry) Versions { return &registryVersions{r} }

// Point returns what an alias points to.
func (r *registryVersions) Point(ctx context.Context, alias string) (Pointer, error) {
	aliases, err := r.registry.Aliases(ctx)
	if err != nil || aliases.Of(alias) == "" {
		return Pointer{}, err
	}
	m, err := r.registry.Manifest(ctx, aliases.Of(alias)) // and no other: one that is damaged is no hindrance
	return Pointer{m.Version, m.Digest}, err
}

var _ Holder = (*registryVersions)(nil)

// Hold keeps a version from being collected.
func (r *registryVersions) Hold(ctx context.Context, version, reader string, until, now time.Time) (Held, error) {
	lease, err := r.registry.Hold(ctx, version, reader, until, now)
	if err != nil {
		return nil, err
	}
	return lease, nil
}

// Load returns a version, all of its digests checked, that must answer the rows
// that are stored with it.
func (r *registryVersions) Load(ctx context.Context, version string) (Version, error) {
	v, err := r.registry.Load(ctx, version)
	if err != nil {
		return Version{}, err
	}
	info := server.ModelInfo{Version: v.Version, Path: r.registry.String() + "/" + v.Folder, Kind: v.Kind, Digest: v.Digest,
		FeatureSet: v.Lineage.FeatureSet, AsOf: v.AsOf.String(), Metrics: v.Metrics}
	check := func(b *bundle.Bundle) error {
		data, err := v.File(registry.SampleFile)
		if err != nil {
			return err
		}
		sample, err := bundle.DecodeSample(data)
		if err != nil {
			return err
		}
		return b.Answers(sample)
	}
	return Version{Info: info, Bundle: v.Files[registry.BundleFile], Check: check}, nil
}

// FeatureSets returns what tells the fingerprints of the features of all models
// in a registry, by digest of the version.
func FeatureSets(r *registry.Registry) func(ctx context.Context) (map[string]string, error) {
	return func(ctx context.Context) (map[string]string, error) {
		versions, err := r.List(ctx)
		out := map[string]string{}
		for i := range versions {
			out[versions[i].Digest] = versions[i].Lineage.FeatureSet
		}
		return out, err
	}
}
