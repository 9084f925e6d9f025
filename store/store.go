// Package store keeps objects under keys: bytes in -> the same bytes out, whole
// or not at all.
package store

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"strings"
	"time"
)

// Info is what a bucket knows of an object without reading it.
type Info struct {
	Key      string
	Size     int64     // bytes
	ETag     string    // opaque version of the content; may be empty, see Bucket
	Modified time.Time // UTC, when the object was last put
}

// Bucket holds objects under keys, as S3 does. A missing object is
// fs.ErrNotExist; a condition that does not hold is ErrPrecondition; a key that
// CheckKey refuses is ErrKey.
//
// A reader sees an object as it was at one moment, and a writer that is killed
// leaves either the old object or the new one.
//
// Info.ETag names the content. In memory and on disk it is the SHA-256 of the
// content, as NewHash gives it. Put and Stat always give it; on disk Get leaves
// it empty for objects above 1 MiB, and List for all, because giving it would
// mean reading them.
type Bucket interface {
	// Get opens the object; the caller closes it.
	Get(ctx context.Context, key string) (io.ReadCloser, Info, error)
	// GetRange opens n bytes of the object from off, fewer where it ends before;
	// n below 0 is all of the rest.
	GetRange(ctx context.Context, key string, off, n int64) (io.ReadCloser, error)
	// Stat returns what is known of the object.
	Stat(ctx context.Context, key string) (Info, error)
	// Put writes all of r under key if every condition holds. If r fails,
	// nothing is written.
	Put(ctx context.Context, key string, r io.Reader, conditions ...Condition) (Info, error)
	// List yields the objects whose key begins with prefix and is greater than
	// after, in the byte order of their keys. What cannot be looked at is
	// yielded as an error with its key (a folder's ends in "/"), and the list
	// goes on; an error without a key ends it.
	List(ctx context.Context, prefix, after string) iter.Seq2[Info, error]
	// Delete removes the object. A missing one is no error.
	Delete(ctx context.Context, key string) error
}

var (
	// ErrPrecondition is the error of a Put that lost its race.
	ErrPrecondition = errors.New("precondition failed")
	// ErrKey is the error of a key that no bucket takes.
	ErrKey = errors.New("bad key")
)

// Condition is what must be so for Put to write.
type Condition struct {
	absent bool
	match  string
}

// IfAbsent lets Put write only where there is no object yet.
var IfAbsent = Condition{absent: true}

// IfMatch lets Put write only over an object that has this ETag.
func IfMatch(etag string) Condition { return Condition{match: etag} }

// Match returns the ETag that the object must have, "" for any.
func (c Condition) Match() string { return c.match }

// Sum returns one condition that holds where all of them do: how a bucket reads
// those of a Put.
func Sum(conditions []Condition) (Condition, error) {
	var all Condition
	for _, c := range conditions {
		if c == (Condition{}) {
			return all, errors.New("IfMatch with an empty ETag")
		}
		all.absent = all.absent || c.absent
		all.match = max(all.match, c.match)
		if c.match != "" && c.match != all.match || all.absent && all.match != "" {
			return all, errors.New("conditions exclude each other")
		}
	}
	return all, nil
}

// Longest key and longest part of one between slashes, in bytes: S3's limit and
// that of common file systems.
const (
	maxKey  = 1024
	maxPart = 255
)

// privateFolder is where a bucket on disk keeps what is not an object.
const privateFolder = ".picket"

// CheckKey returns nil if key can name an object in every kind of bucket: UTF-8
// of at most 1,024 bytes, parts of 1 to 255 bytes between slashes, none of them
// "." or "..", no zero byte, and nothing under ".picket/".
//
// One thing differs: on disk an object cannot lie "under" another (a and a/b).
func CheckKey(key string) error {
	switch {
	case !fs.ValidPath(key) || key == "." || strings.IndexByte(key, 0) >= 0:
		return fmt.Errorf("%w %.80q", ErrKey, key)
	case len(key) > maxKey:
		return fmt.Errorf("%w %.80q: longer than %d bytes", ErrKey, key, maxKey)
	}
	for i, part := range strings.Split(key, "/") {
		if len(part) > maxPart {
			return fmt.Errorf("%w %.80q: a part longer than %d bytes", ErrKey, key, maxPart)
		}
		if i == 0 && part == privateFolder {
			return fmt.Errorf("%w %.80q: %s is the bucket's own", ErrKey, key, privateFolder)
		}
	}
	return nil
}

// wrap says what was done to which key, once: a path inside err is dropped.
func wrap(verb, key string, err error) error {
	var path *fs.PathError
	if errors.As(err, &path) {
		err = path.Err
	}
	return fmt.Errorf("%s %q: %w", verb, key, err)
}
