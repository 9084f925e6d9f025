package s3test

import (
	"bytes"
	"crypto/md5"
	"encoding/base64"
	"encoding/hex"
	"encoding/xml"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

// leastPart is S3's: of all parts but the last, in bytes.
const leastPart = 5 << 20

func base64of(b []byte) string { return base64.StdEncoding.EncodeToString(b) }

// urlEncode encodes a key as a list does: slashes stay.
func urlEncode(key string) string { return strings.ReplaceAll(url.QueryEscape(key), "%2F", "/") }

func (s *Server) begin(w http.ResponseWriter, r *http.Request, bucket, key string) error {
	kms, err := kmsKey(r.Header)
	if err != nil {
		return err
	}
	id := s.next()
	s.uploads[id] = &upload{bucket: bucket, key: key, kms: kms, parts: map[int][]byte{}}
	w.Header().Set("Content-Type", "application/xml")
	_, err = fmt.Fprintf(w, "<InitiateMultipartUploadResult><UploadId>%s</UploadId></InitiateMultipartUploadResult>", id)
	return err
}

// part takes a part, or ends an upload.
func (s *Server) part(w http.ResponseWriter, r *http.Request, objects map[string][]*object, body []byte) error {
	q := r.URL.Query()
	u := s.uploads[q.Get("uploadId")]
	if u == nil {
		return failure{http.StatusNotFound, "NoSuchUpload"}
	}
	switch r.Method {
	case http.MethodDelete:
		delete(s.uploads, q.Get("uploadId"))
		w.WriteHeader(http.StatusNoContent)
		return nil
	case http.MethodPost:
		return s.complete(w, r, u, objects, body)
	case http.MethodPut:
		n, err := strconv.Atoi(q.Get("partNumber"))
		if err != nil || n < 1 || n > 10_000 {
			return failure{http.StatusBadRequest, "InvalidArgument"}
		}
		u.parts[n] = body
		w.Header().Set("ETag", partETag(body))
		if r.Header.Get("X-Amz-Checksum-Crc32") != "" {
			w.Header().Set("X-Amz-Checksum-Crc32", checksum(body))
		}
		return nil
	}
	return failure{http.StatusNotImplemented, "NotImplemented"}
}

func partETag(body []byte) string {
	sum := md5.Sum(body)
	return `"` + hex.EncodeToString(sum[:]) + `"`
}

func (s *Server) complete(w http.ResponseWriter, r *http.Request, u *upload, objects map[string][]*object, body []byte) error {
	var list struct {
		Part []struct {
			PartNumber int
			ETag       string
		}
	}
	if err := xml.Unmarshal(body, &list); err != nil {
		return failure{http.StatusBadRequest, "MalformedXML"}
	}
	var whole bytes.Buffer
	sums := md5.New()
	for i, p := range list.Part {
		data, ok := u.parts[p.PartNumber]
		switch {
		case !ok || partETag(data) != p.ETag:
			return failure{http.StatusBadRequest, "InvalidPart"}
		case i > 0 && p.PartNumber <= list.Part[i-1].PartNumber:
			return failure{http.StatusBadRequest, "InvalidPartOrder"}
		case i < len(list.Part)-1 && len(data) < leastPart:
			return failure{http.StatusBadRequest, "EntityTooSmall"}
		}
		whole.Write(data)
		sum := md5.Sum(data)
		sums.Write(sum[:])
	}
	if err := precondition(r.Header, newest(objects[u.key])); err != nil {
		return err
	}
	delete(s.uploads, r.URL.Query().Get("uploadId"))
	etag := fmt.Sprintf(`"%x-%d"`, sums.Sum(nil), len(list.Part))
	s.keep(w, u.bucket, u.key, u.kms, etag, whole.Bytes())
	w.Header().Set("Content-Type", "application/xml")
	escaped := strings.ReplaceAll(etag, `"`, "&quot;")
	_, err := fmt.Fprintf(w, "<CompleteMultipartUploadResult><ETag>%s</ETag></CompleteMultipartUploadResult>", escaped)
	return err
}

// get sends an object, or the range of it that was asked for.
func (s *Server) get(w http.ResponseWriter, r *http.Request, versions []*object) error {
	o := newest(versions)
	if id := r.URL.Query().Get("versionId"); id != "" {
		o = nil
		for _, v := range versions {
			if v.version == id {
				o = v
			}
		}
		if o == nil {
			return failure{http.StatusNotFound, "NoSuchVersion"}
		}
		if o.deleted {
			return failure{http.StatusMethodNotAllowed, "MethodNotAllowed"}
		}
	}
	if o == nil {
		return failure{http.StatusNotFound, "NoSuchKey"}
	}
	if err := precondition(r.Header, o); err != nil {
		return err
	}
	data, status := o.data, http.StatusOK
	if span := r.Header.Get("Range"); span != "" {
		from, to, ok := parseRange(span, int64(len(data)))
		if !ok {
			return failure{http.StatusRequestedRangeNotSatisfiable, "InvalidRange"}
		}
		w.Header().Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", from, to-1, len(data)))
		data, status = data[from:to], http.StatusPartialContent
	}
	h := w.Header()
	h.Set("ETag", o.etag)
	h.Set("X-Amz-Version-Id", o.version)
	h.Set("Last-Modified", o.modified.Format(http.TimeFormat))
	h.Set("Content-Type", "binary/octet-stream")
	h.Set("Content-Length", strconv.Itoa(len(data)))
	w.WriteHeader(status)
	if r.Method == http.MethodHead {
		return nil
	}
	if s.Cut != nil {
		if n := s.Cut(r); n > 0 && n < int64(len(data)) {
			data = data[:n]
			defer panic(http.ErrAbortHandler)
		}
	}
	_, err := w.Write(data)
	return err
}

// parseRange reads "bytes=FROM-" and "bytes=FROM-TO"; to is out.
func parseRange(text string, size int64) (from, to int64, ok bool) {
	text, ok = strings.CutPrefix(text, "bytes=")
	first, last, cut := strings.Cut(text, "-")
	from, err := strconv.ParseInt(first, 10, 64)
	if !ok || !cut || err != nil || from >= size {
		return 0, 0, false
	}
	to = size
	if last != "" {
		if to, err = strconv.ParseInt(last, 10, 64); err != nil || to < from {
			return 0, 0, false
		}
		to = min(to+1, size)
	}
	return from, to, true
}
