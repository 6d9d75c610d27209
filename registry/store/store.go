// Package store keeps named objects: in a local folder, in memory, or in an
// object store. It is what the registry needs of a place, and no more.
//
// Guarantees, by every driver, held by the suite in registry/storetest:
//
//   - An object is complete or absent, to every reader, whenever the writer
//     is killed.
//   - Create makes an object only where there is none; of racing writers, in
//     whatever process, one wins and the others get fs.ErrExist. A writer that
//     finds its very bytes there may be told that it won: an answer that is lost
//     on the way must not turn a success into a failure.
//   - What was written is read, and listed, by everybody from then on. (S3 gives
//     this since 2020, Google and Azure always did.)
//   - An error names the object by its path or URL.
//
// Objects are small (a model is some hundred kilobytes), so they go as slices.
package store

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"
)

// Store is a place for objects. Keys are paths with slashes; see CheckKey.
// All methods may be called from several goroutines.
type Store interface {
	// Read returns an object, or an error that is fs.ErrNotExist.
	Read(ctx context.Context, key string) ([]byte, error)
	// Create makes an object, or returns an error that is fs.ErrExist.
	Create(ctx context.Context, key string, data []byte) error
	// Write makes an object whose key tells its content, such as a digest: it
	// leaves equal bytes alone, and puts right what was damaged.
	Write(ctx context.Context, key string, data []byte) error
	// List returns the objects under a folder such as "versions/", or all for
	// "", in the order of the bytes of their keys.
	List(ctx context.Context, folder string) ([]Object, error)
	// Delete removes an object. It is no error if there is none.
	Delete(ctx context.Context, key string) error
	// Locate returns the path or URL of an object, for messages.
	Locate(key string) string
}

// Object is what List tells of an object.
type Object struct {
	Key      string
	Bytes    int64
	Modified time.Time // by the clock of the store
}

// schemes are those of the object stores.
func schemes() []string { return []string{"azblob", "gs", "s3"} }

// CheckURL fails unless a text is the URL of an object store as Open takes it:
// a known scheme, a bucket, perhaps a folder. What a query means only the store
// knows.
func CheckURL(text string) error {
	const example = "write s3://BUCKET/FOLDER?region=REGION, gs://BUCKET/FOLDER or azblob://CONTAINER/FOLDER"
	u, err := url.Parse(text)
	if err != nil {
		return fmt.Errorf("this is no URL; %s", example) // and may hold what must not be shown
	}
	if u.User != nil {
		return errors.New("it holds a user or a password; credentials are taken from the environment, as the store's own tools take them")
	}
	scheme, _, _ := strings.Cut(text, ":")
	switch {
	case u.Scheme == "mem":
		return fmt.Errorf("what mem:// keeps is gone at the end of a command; %s", example)
	case !slices.Contains(schemes(), u.Scheme):
		return fmt.Errorf("%q is of no object store that is known; available schemes: %s; %s", text, strings.Join(schemes(), ", "), example)
	case u.Host == "" || scheme != u.Scheme || !strings.HasPrefix(text, u.Scheme+"://"):
		return fmt.Errorf("%q names no bucket; %s", text, example)
	}
	_, err = folderOf(u)
	return err
}

// folderOf returns the folder of a bucket that a URL names, "" for none.
func folderOf(u *url.URL) (folder string, err error) {
	if folder = strings.Trim(u.Path, "/"); folder != "" {
		err = CheckKey(folder)
	}
	return folder, err
}

// likeURL is what is taken for a URL: a folder called s3: is hardly meant.
var likeURL = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9+.-]+:/`)

// Open returns the store at a place: a folder path, which need not exist yet,
// or a URL: mem://, s3://BUCKET/FOLDER, gs://BUCKET/FOLDER,
// azblob://CONTAINER/FOLDER; the query of a URL is that of gocloud.dev.
// Credentials are those of the environment, as the vendor's own tools find
// them.
func Open(ctx context.Context, place string) (Store, error) {
	if likeURL.MatchString(place) {
		return openBucket(ctx, place)
	}
	if place == "" {
		return nil, fmt.Errorf("the registry has no place; set paths.registry to a folder or registry.url to the URL of a store")
	}
	return newFolder(place), nil
}

// keyPattern keeps keys portable: every file system, URL and shell takes them as
// they are, and none of them leads out of the store or hides as a temporary.
var keyPattern = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9._-]{0,99}(/[A-Za-z0-9_][A-Za-z0-9._-]{0,99}){0,7}$`)

// CheckKey refuses keys that are not letters, digits, dots, underscores and
// hyphens between slashes, with no part that begins with a dot or a hyphen.
func CheckKey(key string) error {
	if !keyPattern.MatchString(key) {
		return fmt.Errorf("%q cannot be the name of an object: use letters, digits, dots, underscores and hyphens between slashes", key)
	}
	return nil
}

// checkFolder refuses folders that List does not take.
func checkFolder(folder string) error {
	if folder == "" {
		return nil
	}
	name, ok := strings.CutSuffix(folder, "/")
	if !ok {
		return fmt.Errorf("%q is not a folder of objects: it must end with a slash", folder)
	}
	return CheckKey(name)
}
