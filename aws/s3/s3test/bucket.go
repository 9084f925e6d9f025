package s3test

import (
	"cmp"
	"encoding/xml"
	"fmt"
	"net/http"
	"slices"
	"strings"
)

// Make makes a bucket, encrypted with a KMS key by default; "" is S3's own.
func (s *Server) Make(bucket, kms string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.buckets[bucket] == nil {
		s.buckets[bucket] = map[string][]*object{}
	}
	s.kms[bucket] = kms
}

// Has reports whether there is such a bucket.
func (s *Server) Has(bucket string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.buckets[bucket] != nil
}

// aboutBucket answers what is asked of a bucket as a whole; false leaves the request to
// others.
func (s *Server) aboutBucket(w http.ResponseWriter, r *http.Request, bucket string, body []byte) (bool, error) {
	q := r.URL.Query()
	switch {
	case r.Method == http.MethodHead:
		w.WriteHeader(http.StatusOK)
	case r.Method == http.MethodGet && q.Has("encryption"):
		if s.kms[bucket] == "" {
			return true, failure{http.StatusNotFound, "ServerSideEncryptionConfigurationNotFoundError"}
		}
		fmt.Fprintf(w, `<ServerSideEncryptionConfiguration><Rule><ApplyServerSideEncryptionByDefault><SSEAlgorithm>aws:kms</SSEAlgorithm><KMSMasterKeyID>%s</KMSMasterKeyID></ApplyServerSideEncryptionByDefault></Rule></ServerSideEncryptionConfiguration>`, s.kms[bucket])
	case r.Method == http.MethodGet && q.Has("versions"):
		s.listVersions(w, bucket)
	case r.Method == http.MethodPost && q.Has("delete"):
		return true, s.deleteVersions(w, bucket, body)
	case r.Method == http.MethodDelete:
		if len(s.buckets[bucket]) > 0 {
			return true, failure{http.StatusConflict, "BucketNotEmpty"}
		}
		delete(s.buckets, bucket)
		w.WriteHeader(http.StatusNoContent)
	default:
		return false, nil
	}
	return true, nil
}

// listVersions lists a page of all versions and marks of deletion.
func (s *Server) listVersions(w http.ResponseWriter, bucket string) {
	var all strings.Builder
	n := 0
	names := make([]string, 0, len(s.buckets[bucket]))
	for key := range s.buckets[bucket] {
		names = append(names, key)
	}
	slices.Sort(names)
	truncated := false
	for _, key := range names {
		for _, o := range s.buckets[bucket][key] {
			if n++; n > cmp.Or(s.PageSize, 1000) {
				truncated = true
				break
			}
			kind := "Version"
			if o.deleted {
				kind = "DeleteMarker"
			}
			var name strings.Builder
			_ = xml.EscapeText(&name, []byte(key)) // a builder takes all
			fmt.Fprintf(&all, "<%s><Key>%s</Key><VersionId>%s</VersionId></%s>", kind, name.String(), o.version, kind)
		}
	}
	fmt.Fprintf(w, "<ListVersionsResult><IsTruncated>%t</IsTruncated>%s</ListVersionsResult>", truncated, all.String())
}

func (s *Server) deleteVersions(w http.ResponseWriter, bucket string, body []byte) error {
	var in struct {
		Objects []struct{ Key, VersionId string } `xml:"Object"`
	}
	if err := xml.Unmarshal(body, &in); err != nil || len(in.Objects) > 1000 {
		return failure{http.StatusBadRequest, "MalformedXML"}
	}
	for _, o := range in.Objects {
		left := slices.DeleteFunc(s.buckets[bucket][o.Key], func(v *object) bool { return v.version == o.VersionId })
		if s.buckets[bucket][o.Key] = left; len(left) == 0 {
			delete(s.buckets[bucket], o.Key)
		}
	}
	fmt.Fprint(w, "<DeleteResult></DeleteResult>")
	return nil
}
