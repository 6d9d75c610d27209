package store

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"strings"

	"gocloud.dev/blob"
	_ "gocloud.dev/blob/memblob" // mem://
	"gocloud.dev/gcerrors"
)

// bucket is a store in a bucket of gocloud.dev: in memory or in an object store.
type bucket struct {
	*blob.Bucket
	url string // without the query, for messages
}

var _ Store = (*bucket)(nil)

// openBucket opens a URL. A path in it is a folder of the bucket.
func openBucket(ctx context.Context, place string) (Store, error) {
	u, err := url.Parse(place)
	if err != nil {
		return nil, fmt.Errorf("registry.url: %w", err)
	}
	name := (&url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path}).String()
	folder := strings.Trim(u.Path, "/")
	if folder != "" {
		if err := CheckKey(folder); err != nil {
			return nil, fmt.Errorf("registry.url: %s: %w", name, err)
		}
	}
	if u.Scheme == "gs" {
		return openGCS(ctx, u.Host, folder)
	}
	u.Path = ""
	b, err := blob.DefaultURLMux().OpenBucketURL(ctx, u)
	if err != nil {
		return nil, fmt.Errorf("open the store %s: %w; write a folder path, or a URL such as s3://bucket/folder?region=eu-central-1", name, err)
	}
	if folder != "" {
		b = blob.PrefixedBucket(b, folder+"/")
	}
	return &bucket{Bucket: b, url: strings.TrimSuffix(name, "/")}, nil
}

func (b *bucket) Locate(key string) string { return b.url + "/" + key }

// fault names the object in an error and gives it the kinds of package fs.
func (b *bucket) fault(verb, key string, err error) error {
	if err == nil {
		return nil
	}
	kind := err
	switch gcerrors.Code(err) {
	case gcerrors.NotFound:
		kind = fs.ErrNotExist
	case gcerrors.FailedPrecondition:
		kind = fs.ErrExist
	case gcerrors.PermissionDenied:
		kind = fmt.Errorf("%w (%w)", fs.ErrPermission, err)
	}
	return fmt.Errorf("%s %s: %w", verb, b.Locate(key), kind)
}

func (b *bucket) Read(ctx context.Context, key string) ([]byte, error) {
	if err := errors.Join(ctx.Err(), CheckKey(key)); err != nil {
		return nil, named(b, key, err)
	}
	data, err := b.ReadAll(ctx, key)
	return data, b.fault("read", key, err)
}

func (b *bucket) Create(ctx context.Context, key string, data []byte) error {
	return settle(ctx, b, key, data, b.put(ctx, key, data, &blob.WriterOptions{IfNotExist: true}))
}

// settle tells how a creation on an object store ended that failed with err.
// The answer may have been lost after the object was made, and racing creators
// may get a conflict in place of a winner: what is there tells.
func settle(ctx context.Context, s Store, key string, data []byte, err error) error {
	if err == nil || ctx.Err() != nil {
		return err
	}
	switch there, readErr := s.Read(ctx, key); {
	case readErr != nil:
		return err
	case bytes.Equal(there, data):
		return nil
	}
	return fmt.Errorf("create %s: %w", s.Locate(key), fs.ErrExist)
}

func (b *bucket) Write(ctx context.Context, key string, data []byte) error {
	if there, err := b.Read(ctx, key); err == nil && bytes.Equal(there, data) {
		return nil
	}
	return b.put(ctx, key, data, &blob.WriterOptions{})
}

// put writes an object, which appears as a whole when its last byte is there.
func (b *bucket) put(ctx context.Context, key string, data []byte, o *blob.WriterOptions) error {
	if err := errors.Join(ctx.Err(), CheckKey(key)); err != nil {
		return named(b, key, err)
	}
	o.ContentType = "application/octet-stream" // without one the library would guess by the content
	return b.fault("write", key, b.WriteAll(ctx, key, data, o))
}

func (b *bucket) List(ctx context.Context, folder string) (out []Object, err error) {
	if err := errors.Join(ctx.Err(), checkFolder(folder)); err != nil {
		return nil, named(b, folder, err)
	}
	for list := b.Bucket.List(&blob.ListOptions{Prefix: folder}); ; {
		o, err := list.Next(ctx)
		if errors.Is(err, io.EOF) {
			return out, nil
		}
		if err != nil {
			return nil, b.fault("list", folder, err)
		}
		if !o.IsDir && !strings.HasSuffix(o.Key, "/") {
			out = append(out, Object{Key: o.Key, Bytes: o.Size, Modified: o.ModTime})
		}
	}
}

func (b *bucket) Delete(ctx context.Context, key string) error {
	if err := errors.Join(ctx.Err(), CheckKey(key)); err != nil {
		return named(b, key, err)
	}
	err := b.Bucket.Delete(ctx, key)
	if gcerrors.Code(err) == gcerrors.NotFound {
		return nil
	}
	return b.fault("delete", key, err)
}
