//go:build gcs

package store

// Google's client brings gRPC, a third of the whole program: it is there on
// request (make build TAGS=gcs).
import _ "gocloud.dev/blob/gcsblob" // gs://
