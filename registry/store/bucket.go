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
	url   string // without the query, for messages
	needs string // what to set where it lets nobody in
}

var _ Store = (*bucket)(nil)

// openBucket opens a URL. A path in it is a folder of the bucket.
func openBucket(ctx context.Context, place string) (Store, error) {
	if !strings.HasPrefix(place, "mem://") { // which is for tests
		if err := CheckURL(place); err != nil {
			return nil, fmt.Errorf("registry.url: %w", err)
		}
	}
	u, err := url.Parse(place)
	if err != nil {
		return nil, fmt.Errorf("registry.url: %w", err)
	}
	folder, err := folderOf(u)
	if err != nil {
		return nil, fmt.Errorf("registry.url: %w", err)
	}
	name := (&url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path}).String()
	if u.Scheme == "gs" {
		return openGCS(ctx, u.Host, folder)
	}
	u.Path = ""
	b, err := blob.DefaultURLMux().OpenBucketURL(ctx, u)
	if err != nil {
		return nil, fmt.Errorf("open the store %s: %w; %s", name, err, needs(u.Scheme))
	}
	if folder != "" {
		b = blob.PrefixedBucket(b, folder+"/")
	}
	return &bucket{Bucket: b, url: strings.TrimSuffix(name, "/"), needs: needs(u.Scheme)}, nil
}

func (b *bucket) Locate(key string) string { return b.url + "/" + key }

// errNoBucket is the error of a listing that found nothing to list in.
var errNoBucket = errors.New("there is no such bucket; make it, or correct registry.url")

// needs says what a store must be told to let anybody in.
func needs(scheme string) string {
	switch scheme {
	case "s3":
		return "S3 takes credentials from AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY (or a profile or role of the AWS tools), the region from AWS_REGION or ?region=REGION, and another vendor's server from &endpoint=https://HOST&use_path_style=true"
	case "azblob":
		return "Azure takes the account from AZURE_STORAGE_ACCOUNT, and credentials from AZURE_STORAGE_KEY, AZURE_STORAGE_SAS_TOKEN, AZURE_STORAGE_CONNECTION_STRING or a login of the Azure tools"
	}
	return "write a folder path or a URL"
}

// unlet says in our words why a store let nobody in, "" if it was for another
// reason: what the libraries say of it fills a screen and names no way out.
func unlet(err error) string {
	text := err.Error()
	switch {
	case strings.Contains(text, "get credentials"), strings.Contains(text, "DefaultAzureCredential"):
		return "no credentials are known"
	case strings.Contains(text, "Invalid region"), strings.Contains(text, "Missing Region"):
		return "no region is known"
	}
	return ""
}

// fault names the object in an error and gives it the kinds of package fs.
func (b *bucket) fault(verb, key string, err error) error {
	if err == nil {
		return nil
	}
	kind, code := err, gcerrors.Code(err)
	switch why := unlet(err); {
	case code == gcerrors.NotFound:
		kind = fs.ErrNotExist
	case code == gcerrors.FailedPrecondition:
		kind = fs.ErrExist
	case why != "":
		kind = fmt.Errorf("%s; %s", why, b.needs)
	case code == gcerrors.PermissionDenied, strings.Contains(err.Error(), "StatusCode: 403"): // of S3 the library does not know it
		kind = fmt.Errorf("%w (%w); %s", fs.ErrPermission, err, b.needs)
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
		if gcerrors.Code(err) == gcerrors.NotFound {
			return nil, fmt.Errorf("list %s: %w", b.Locate(folder), errNoBucket)
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
