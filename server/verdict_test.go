package server_test

import (
	"context"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"picket"
	"picket/server"
)

// A verdict comes in by a form of the page itself, and by nothing else.
func TestVerdict(t *testing.T) {
	var got []picket.Verdict
	judge := func(_ context.Context, uid string, v picket.Verdict) error {
		switch {
		case uid != example().UID:
			return fs.ErrNotExist
		case v.Author == "":
			return fmt.Errorf("%w: it needs an author", server.ErrVerdict)
		}
		got = append(got, v)
		return nil
	}
	status, err := server.NewStatus(server.StatusOptions{
		Source: &memory{findings: []picket.Finding{example()}}, Metrics: metrics(), Log: slog.New(slog.DiscardHandler), Now: time.Now,
		Model: func() *picket.Model { return nil }, Judge: judge,
	})
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	status.Register(mux)
	h := server.Guard(mux)
	f := func(name, uid, says, author, origin string, code int) {
		t.Helper()
		r := httptest.NewRequest("POST", "http://127.0.0.1/findings/"+uid+"/verdict", strings.NewReader(url.Values{"says": {says}, "author": {author}}.Encode()))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		if origin != "" {
			r.Header.Set("Origin", origin)
			r.Header.Set("Sec-Fetch-Site", map[bool]string{true: "same-origin", false: "cross-site"}[origin == "http://127.0.0.1"])
		}
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code != code {
			t.Errorf("%s: %d %s, want %d", name, w.Code, w.Body, code)
		}
	}
	f("of the page", "3f9a2c", "false", "ana", "http://127.0.0.1", http.StatusSeeOther)
	f("of a stranger's page", "3f9a2c", "false", "eve", "http://evil.example", http.StatusForbidden)
	f("of nobody", "3f9a2c", "false", " ", "http://127.0.0.1", http.StatusBadRequest)
	f("of no finding", "000000", "false", "ana", "http://127.0.0.1", http.StatusNotFound)
	if len(got) != 1 || got[0].Says != "false" || got[0].Author != "ana" {
		t.Errorf("judged %+v", got)
	}

	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest("GET", "http://127.0.0.1/findings/3f9a2c", nil))
	page, _ := io.ReadAll(w.Body)
	if !strings.Contains(string(page), `action="/findings/3f9a2c/verdict"`) || !strings.Contains(w.Header().Get("Content-Security-Policy"), "form-action 'self'") {
		t.Errorf("the page has no form that it may send: %s", w.Header().Get("Content-Security-Policy"))
	}
}
