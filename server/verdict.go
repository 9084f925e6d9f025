package server

import (
	"context"
	"errors"
	"io/fs"
	"net/http"
	"net/url"
	"strings"

	"picket"
)

// Judge puts a verdict on a finding. An error that wraps ErrVerdict is the sender's
// fault and shown; fs.ErrNotExist is a finding that there is none.
type Judge func(ctx context.Context, uid string, v picket.Verdict) error

// ErrVerdict is the error of a verdict that cannot be taken.
var ErrVerdict = errors.New("not a verdict")

// maxForm bounds a verdict's form, in bytes.
const maxForm = 8 << 10

// verdict takes the form of a finding's page and shows the page again. Guard refuses
// what another site makes a browser send.
func (s *Status) verdict(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	if err := r.ParseForm(); err != nil {
		http.Error(w, "this form cannot be read", http.StatusBadRequest)
		return
	}
	uid := r.PathValue("uid")
	v := picket.Verdict{Says: r.PostForm.Get("says"), Author: strings.TrimSpace(clean(r.PostForm.Get("author"))), Reason: strings.TrimSpace(clean(r.PostForm.Get("reason")))}
	err := s.o.Judge(r.Context(), uid, v)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		http.Error(w, "there is no such finding", http.StatusNotFound)
	case errors.Is(err, ErrVerdict):
		http.Error(w, clean(err.Error()), http.StatusBadRequest)
	case err != nil:
		s.fail(w, err)
	default:
		http.Redirect(w, r, "/findings/"+url.PathEscape(uid), http.StatusSeeOther)
	}
}
