// Package s3test is an S3 at the edge of the network, for tests: HTTP requests of
// its protocol -> objects in memory.
//
// It does what Picket relies on: versions, conditions, ranges, lists by page,
// uploads in parts with S3's limits, keys of SSE-KMS, and one event for each
// object that is put. What it does not know it refuses. It checks no signature.
package s3test

import (
	"cmp"
	"encoding/xml"
	"fmt"
	"hash/crc32"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
)

// Event is an object that was put.
type Event struct {
	Bucket, Key, Version, ETag, Sequencer string
	Size                                  int64
	Time                                  time.Time
}

// Server is an http.Handler. The zero value is not usable; see New.
type Server struct {
	// Put is told of each object that was put, in its own order; may be nil.
	Put func(Event)
	// Fault may answer a request in the server's place: it returns an HTTP status
	// and the code of S3's error, 0 to let the request through. With done the
	// request is carried out all the same, as where an answer is lost.
	Fault func(r *http.Request) (status int, code string, done bool)
	// Cut is how many bytes of an object's content are sent before the connection
	// breaks; 0 is all.
	Cut func(r *http.Request) int64
	// PageSize is how many keys a page of a list has; 0 is 1,000.
	PageSize int
	// LongestKey is in bytes; 0 is S3's 1,024.
	LongestKey int
	// Now is the clock; nil is the system's.
	Now func() time.Time

	mu       sync.Mutex
	buckets  map[string]map[string][]*object // by bucket and key, the newest version last
	kms      map[string]string               // default key by bucket
	uploads  map[string]*upload
	count    int
	requests []string
}

// object is one version. Its content never changes.
type object struct {
	version, etag string
	data          []byte
	modified      time.Time
	kms           string // key id
	deleted       bool
}

type upload struct {
	bucket, key, kms string
	parts            map[int][]byte
}

// New returns a server with empty buckets of the given names.
func New(buckets ...string) *Server {
	s := &Server{buckets: map[string]map[string][]*object{}, uploads: map[string]*upload{}, kms: map[string]string{}}
	for _, b := range buckets {
		s.buckets[b] = map[string][]*object{}
	}
	return s
}

// Requests returns what was asked so far: "PUT bucket/key", "LIST bucket/prefix".
func (s *Server) Requests() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.requests)
}

// Keys returns the keys of a bucket that begin so.
func (s *Server) Keys(bucket, prefix string) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.keys(bucket, prefix)
}

func (s *Server) keys(bucket, prefix string) []string {
	var keys []string
	for key, versions := range s.buckets[bucket] {
		if strings.HasPrefix(key, prefix) && !versions[len(versions)-1].deleted {
			keys = append(keys, key)
		}
	}
	slices.Sort(keys)
	return keys
}

// KMSKeys returns by key the KMS key that each object was put with.
func (s *Server) KMSKeys(bucket string) map[string]string {
	s.mu.Lock()
	defer s.mu.Unlock()
	keys := map[string]string{}
	for key, versions := range s.buckets[bucket] {
		if o := newest(versions); o != nil {
			keys[key] = o.kms
		}
	}
	return keys
}

// Uploads returns how many uploads in parts were begun and neither completed nor
// taken back.
func (s *Server) Uploads() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.uploads)
}

func (s *Server) now() time.Time {
	if s.Now != nil {
		return s.Now()
	}
	return time.Now()
}

// failure is an answer that is an error.
type failure struct {
	status int
	code   string
}

func (f failure) Error() string { return f.code }

func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if s.Fault != nil {
		if status, code, done := s.Fault(r); status != 0 {
			if done {
				s.serve(discard{http.Header{}}, r)
			}
			refuse(w, r, failure{status, code})
			return
		}
	}
	if err := s.serve(w, r); err != nil {
		refuse(w, r, err)
	}
}

// discard is an answer that is lost.
type discard struct{ header http.Header }

func (d discard) Header() http.Header         { return d.header }
func (d discard) Write(b []byte) (int, error) { return len(b), nil }
func (d discard) WriteHeader(int)             {}

func refuse(w http.ResponseWriter, r *http.Request, err error) {
	f, ok := err.(failure)
	if !ok {
		f = failure{http.StatusBadRequest, err.Error()}
	}
	w.Header().Set("Content-Type", "application/xml")
	w.Header().Set("X-Amz-Request-Id", "TEST")
	w.WriteHeader(f.status)
	if r.Method != http.MethodHead && f.status != http.StatusNotModified {
		fmt.Fprintf(w, `<?xml version="1.0" encoding="UTF-8"?><Error><Code>%s</Code><Message>%s</Message></Error>`, f.code, f.code)
	}
}

func (s *Server) serve(w http.ResponseWriter, r *http.Request) error {
	if !strings.HasPrefix(r.Header.Get("Authorization"), "AWS4-HMAC-SHA256 ") {
		return failure{http.StatusForbidden, "AccessDenied"}
	}
	bucket, key, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	body, err := readBody(r)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	objects, ok := s.buckets[bucket]
	if !ok {
		return failure{http.StatusNotFound, "NoSuchBucket"}
	}
	q := r.URL.Query()
	verb := r.Method
	if key == "" {
		verb = "LIST"
	}
	s.requests = append(s.requests, fmt.Sprintf("%s %s/%s%s", verb, bucket, key, q.Get("prefix")))
	if key == "" && !q.Has("list-type") {
		if done, err := s.aboutBucket(w, r, bucket, body); done || err != nil {
			return err
		}
	}
	switch {
	case len(key) > cmp.Or(s.LongestKey, 1024):
		return failure{http.StatusBadRequest, "KeyTooLongError"}
	case key == "" && verb == "LIST" && q.Get("list-type") == "2":
		return s.list(w, bucket, q.Get)
	case q.Has("uploads") && r.Method == http.MethodPost:
		return s.begin(w, r, bucket, key)
	case q.Has("uploadId"):
		return s.part(w, r, objects, body)
	case r.Method == http.MethodPut:
		return s.put(w, r, bucket, key, body)
	case r.Method == http.MethodGet || r.Method == http.MethodHead:
		return s.get(w, r, objects[key])
	case r.Method == http.MethodDelete:
		if len(objects[key]) > 0 {
			objects[key] = append(objects[key], &object{deleted: true, version: s.next(), modified: s.now()})
		}
		w.WriteHeader(http.StatusNoContent)
		return nil
	}
	return failure{http.StatusNotImplemented, "NotImplemented"}
}

// readBody reads a body and checks what was said of it.
func readBody(r *http.Request) ([]byte, error) {
	if strings.HasPrefix(r.Header.Get("X-Amz-Content-Sha256"), "STREAMING-") {
		return nil, failure{http.StatusNotImplemented, "NotImplemented"}
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, failure{http.StatusBadRequest, "IncompleteBody"}
	}
	if want := r.Header.Get("X-Amz-Checksum-Crc32"); want != "" {
		if got := checksum(body); got != want {
			return nil, failure{http.StatusBadRequest, "BadDigest"}
		}
	}
	return body, nil
}

func checksum(b []byte) string {
	n := crc32.ChecksumIEEE(b)
	return base64of([]byte{byte(n >> 24), byte(n >> 16), byte(n >> 8), byte(n)})
}

// next returns the name of a version, upload or event: later ones are greater.
func (s *Server) next() string {
	s.count++
	return fmt.Sprintf("%016X", s.count)
}

// precondition is S3's answer to conditions that an object, nil for none, does not meet.
func precondition(h http.Header, now *object) error {
	if h.Get("If-None-Match") == "*" && now != nil {
		return failure{http.StatusPreconditionFailed, "PreconditionFailed"}
	}
	if want := h.Get("If-Match"); want != "" {
		if now == nil {
			return failure{http.StatusNotFound, "NoSuchKey"}
		}
		if now.etag != want {
			return failure{http.StatusPreconditionFailed, "PreconditionFailed"}
		}
	}
	return nil
}

// newest returns the newest version, nil where there is none.
func newest(versions []*object) *object {
	if len(versions) == 0 || versions[len(versions)-1].deleted {
		return nil
	}
	return versions[len(versions)-1]
}

func kmsKey(h http.Header) (string, error) {
	if kind := h.Get("X-Amz-Server-Side-Encryption"); kind != "" && kind != "aws:kms" {
		return "", failure{http.StatusBadRequest, "InvalidArgument"}
	}
	return h.Get("X-Amz-Server-Side-Encryption-Aws-Kms-Key-Id"), nil
}

func (s *Server) put(w http.ResponseWriter, r *http.Request, bucket, key string, body []byte) error {
	if err := precondition(r.Header, newest(s.buckets[bucket][key])); err != nil {
		return err
	}
	kms, err := kmsKey(r.Header)
	if err != nil {
		return err
	}
	s.keep(w, bucket, key, kms, partETag(body), body)
	return nil
}

// Add puts an object, as somebody else does.
func (s *Server) Add(bucket, key string, body []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.keep(discard{http.Header{}}, bucket, key, "", partETag(body), body)
}

// keep makes a content the newest version of an object.
func (s *Server) keep(w http.ResponseWriter, bucket, key, kms, etag string, body []byte) {
	o := &object{version: s.next(), etag: etag, data: body, kms: kms, modified: s.now().UTC().Truncate(time.Second)}
	s.buckets[bucket][key] = append(s.buckets[bucket][key], o)
	w.Header().Set("ETag", etag)
	w.Header().Set("X-Amz-Version-Id", o.version)
	if s.Put != nil {
		s.Put(Event{Bucket: bucket, Key: key, Version: o.version, ETag: strings.Trim(etag, `"`), Sequencer: s.next(), Size: int64(len(body)), Time: s.now()})
	}
}

func (s *Server) list(w http.ResponseWriter, bucket string, q func(string) string) error {
	if q("encoding-type") != "url" {
		return failure{http.StatusNotImplemented, "NotImplemented"}
	}
	type content struct {
		Key          string
		LastModified string
		ETag         string
		Size         int
	}
	var page struct {
		XMLName               xml.Name `xml:"ListBucketResult"`
		IsTruncated           bool
		NextContinuationToken string `xml:",omitempty"`
		EncodingType          string
		Contents              []content
	}
	page.EncodingType = "url"
	after := cmp.Or(q("continuation-token"), q("start-after"))
	for _, key := range s.keys(bucket, q("prefix")) {
		if key <= after {
			continue
		}
		if len(page.Contents) == cmp.Or(s.PageSize, 1000) {
			page.IsTruncated = true
			break
		}
		o := newest(s.buckets[bucket][key])
		page.Contents = append(page.Contents, content{urlEncode(key), o.modified.Format("2006-01-02T15:04:05.000Z"), o.etag, len(o.data)})
		page.NextContinuationToken = key
	}
	if !page.IsTruncated {
		page.NextContinuationToken = ""
	}
	w.Header().Set("Content-Type", "application/xml")
	return xml.NewEncoder(w).Encode(page)
}

// Versions returns the version ids of an object, the oldest first.
func (s *Server) Versions(bucket, key string) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var ids []string
	for _, o := range s.buckets[bucket][key] {
		ids = append(ids, o.version)
	}
	return ids
}

// Content returns by key what the objects of a bucket hold whose key begins so.
func (s *Server) Content(bucket, prefix string) map[string][]byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := map[string][]byte{}
	for _, key := range s.keys(bucket, prefix) {
		all[key] = newest(s.buckets[bucket][key]).data
	}
	return maps.Clone(all)
}
