package store

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/oauth2/google"
)

// gcs is a store in a bucket of Google Cloud Storage, by its JSON API:
// https://cloud.google.com/storage/docs/json_api/v1. The five calls that the
// registry needs are here because the vendor's library, with gRPC and what it
// brings, would make the program half as large again (docs/adr/0008).
type gcs struct {
	client   *http.Client
	endpoint string // https://storage.googleapis.com
	bucket   string
	prefix   string // of all names; "" or with a final slash
}

var _ Store = (*gcs)(nil)

const (
	gcsEndpoint = "https://storage.googleapis.com"
	gcsScope    = "https://www.googleapis.com/auth/devstorage.read_write"
	gcsEmulator = "STORAGE_EMULATOR_HOST" // the variable of the vendor's tools
)

// openGCS opens gs://bucket/folder with the default credentials of the
// machine, or without any where the vendor's variable names an emulator.
func openGCS(ctx context.Context, bucket, folder string) (Store, error) {
	g := &gcs{endpoint: gcsEndpoint, bucket: bucket}
	if folder != "" {
		g.prefix = folder + "/"
	}
	if host := os.Getenv(gcsEmulator); host != "" {
		g.client, g.endpoint = http.DefaultClient, strings.TrimSuffix(host, "/")
		if !strings.Contains(host, "://") {
			g.endpoint = "http://" + g.endpoint
		}
		return g, nil
	}
	client, err := google.DefaultClient(context.WithoutCancel(ctx), gcsScope)
	if err != nil {
		return nil, fmt.Errorf("open the store gs://%s: %w; log in with `gcloud auth application-default login`, or set GOOGLE_APPLICATION_CREDENTIALS to a key file", bucket, err)
	}
	g.client = client
	return g, nil
}

func (g *gcs) Locate(key string) string { return "gs://" + g.bucket + "/" + g.prefix + key }

// object returns the URL of an object's resource.
func (g *gcs) object(key string) string {
	return g.endpoint + "/storage/v1/b/" + url.PathEscape(g.bucket) + "/o/" + url.PathEscape(g.prefix+key)
}

func (g *gcs) Read(ctx context.Context, key string) ([]byte, error) {
	if err := errors.Join(ctx.Err(), CheckKey(key)); err != nil {
		return nil, named(g, key, err)
	}
	return g.call(ctx, http.MethodGet, g.object(key)+"?alt=media", key, nil)
}

func (g *gcs) Create(ctx context.Context, key string, data []byte) error {
	// Generation 0 is that of an object that is not there.
	return settle(ctx, g, key, data, g.upload(ctx, key, data, url.Values{"ifGenerationMatch": {"0"}}))
}

func (g *gcs) Write(ctx context.Context, key string, data []byte) error {
	if there, err := g.Read(ctx, key); err == nil && bytes.Equal(there, data) {
		return nil
	}
	return g.upload(ctx, key, data, url.Values{})
}

// upload makes an object, which appears when its last byte is there.
func (g *gcs) upload(ctx context.Context, key string, data []byte, query url.Values) error {
	if err := errors.Join(ctx.Err(), CheckKey(key)); err != nil {
		return named(g, key, err)
	}
	query.Set("uploadType", "media")
	query.Set("name", g.prefix+key)
	if data == nil {
		data = []byte{}
	}
	_, err := g.call(ctx, http.MethodPost, g.endpoint+"/upload/storage/v1/b/"+url.PathEscape(g.bucket)+"/o?"+query.Encode(), key, data)
	return err
}

func (g *gcs) Delete(ctx context.Context, key string) error {
	if err := errors.Join(ctx.Err(), CheckKey(key)); err != nil {
		return named(g, key, err)
	}
	_, err := g.call(ctx, http.MethodDelete, g.object(key), key, nil)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

func (g *gcs) List(ctx context.Context, folder string) (out []Object, err error) {
	if err := errors.Join(ctx.Err(), checkFolder(folder)); err != nil {
		return nil, named(g, folder, err)
	}
	query := url.Values{"prefix": {g.prefix + folder}, "fields": {"items(name,size,updated),nextPageToken"}}
	for {
		page := struct {
			Items []struct {
				Name, Size string
				Updated    time.Time
			}
			NextPageToken string
		}{}
		text, err := g.call(ctx, http.MethodGet, g.endpoint+"/storage/v1/b/"+url.PathEscape(g.bucket)+"/o?"+query.Encode(), folder, nil)
		if errors.Is(err, fs.ErrNotExist) {
			err = fmt.Errorf("list %s: %w", g.Locate(folder), errNoBucket)
		}
		if err != nil {
			return nil, err
		}
		if err := json.Unmarshal(text, &page); err != nil {
			return nil, fmt.Errorf("list %s: %w", g.Locate(folder), err)
		}
		for _, item := range page.Items {
			size, err := strconv.ParseInt(item.Size, 10, 64)
			if err != nil {
				return nil, fmt.Errorf("list %s: %w", g.Locate(folder), err)
			}
			if !strings.HasSuffix(item.Name, "/") {
				out = append(out, Object{Key: strings.TrimPrefix(item.Name, g.prefix), Bytes: size, Modified: item.Updated})
			}
		}
		if page.NextPageToken == "" {
			return out, nil
		}
		query.Set("pageToken", page.NextPageToken)
	}
}

// attempts is how often a call is made while the service asks for patience.
const attempts = 5

// call makes one call, again where the service says that it may: all calls here
// can be repeated, see settle.
func (g *gcs) call(ctx context.Context, method, address, key string, body []byte) (answer []byte, err error) {
	wait := 100 * time.Millisecond
	for try := 1; ; try++ {
		answer, again, err := g.once(ctx, method, address, body)
		if err == nil || !again || try == attempts || ctx.Err() != nil {
			return answer, named(g, key, err)
		}
		select {
		case <-ctx.Done():
			return nil, named(g, key, ctx.Err())
		case <-time.After(wait):
			wait *= 2
		}
	}
}

func (g *gcs) once(ctx context.Context, method, address string, body []byte) (answer []byte, again bool, err error) {
	var content io.Reader
	if body != nil {
		content = bytes.NewReader(body)
	}
	q, err := http.NewRequestWithContext(ctx, method, address, content)
	if err != nil {
		return nil, false, err
	}
	if body != nil {
		q.Header.Set("Content-Type", "application/octet-stream")
	}
	r, err := g.client.Do(q)
	if err != nil {
		return nil, true, err
	}
	defer r.Body.Close()
	if answer, err = io.ReadAll(r.Body); err != nil {
		return nil, true, err
	}
	again, err = gcsFault(r.StatusCode, answer)
	return answer, again, err
}

// gcsFault makes a status an error of package fs, and says whether to try again.
func gcsFault(status int, answer []byte) (again bool, err error) {
	said := struct{ Error struct{ Message string } }{}
	json.Unmarshal(answer, &said) //nolint:errcheck // not every fault is JSON
	text := cmp.Or(said.Error.Message, http.StatusText(status))
	switch {
	case status < 300:
		return false, nil
	case status == http.StatusNotFound:
		return false, fs.ErrNotExist
	case status == http.StatusPreconditionFailed:
		return false, fs.ErrExist
	case status == http.StatusUnauthorized, status == http.StatusForbidden:
		return false, fmt.Errorf("%w (%s); log in with `gcloud auth application-default login` as somebody who may write to the bucket, or set GOOGLE_APPLICATION_CREDENTIALS to a key file", fs.ErrPermission, text)
	}
	return status == http.StatusRequestTimeout || status == http.StatusTooManyRequests || status >= 500, fmt.Errorf("status %d: %s", status, text)
}
