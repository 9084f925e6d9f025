package server_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"picket/server"
)

func TestListen(t *testing.T) {
	f := func(addr string, remote, ok bool) {
		t.Helper()
		l, err := server.Listen(addr, remote)
		if (err == nil) != ok {
			t.Errorf("%s, remote %v: %v", addr, remote, err)
		}
		if err == nil {
			l.Close()
		} else if !strings.Contains(err.Error(), addr) {
			t.Errorf("%v does not name %s", err, addr)
		}
	}
	f("127.0.0.1:0", false, true)
	f("localhost:0", false, true)
	f("127.8.9.1:0", false, true)
	f(":0", false, false)
	f("0.0.0.0:0", false, false)
	f("[::]:0", false, false)
	f("10.1.2.3:0", false, false)
	f("127.0.0.1.example.com:0", false, false)
	f("0.0.0.0:0", true, true)
	f("127.0.0.1", false, false)
	if _, err := server.Listen("0.0.0.0:0", false); !errors.Is(err, server.ErrRemote) {
		t.Error(err)
	}
}

func TestGuard(t *testing.T) {
	hello := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "hello") })
	f := func(host string, code int, hosts ...string) {
		t.Helper()
		r := httptest.NewRequest("GET", "/", nil)
		r.Host = host
		w := httptest.NewRecorder()
		server.Guard(hello, hosts...).ServeHTTP(w, r)
		if w.Code != code {
			t.Errorf("host %q with %q: %d, want %d", host, hosts, w.Code, code)
		}
	}
	f("127.0.0.1:8080", 200)
	f("127.0.0.1", 200)
	f("[::1]:8080", 200)
	f("[::1]", 200)
	f("localhost:8080", 200)
	f("10.0.0.7:8080", 200)
	f("attacker.example:8080", 421)
	f("127.0.0.1.attacker.example", 421)
	f("localhost.attacker.example", 421)
	f("", 421)
	f("picket.example:443", 200, "Picket.example")
	f("other.example", 421, "picket.example")
	f("any.name", 200, "*")

	r := httptest.NewRequest("POST", "http://127.0.0.1:8080/", nil)
	r.Header.Set("Sec-Fetch-Site", "cross-site")
	w := httptest.NewRecorder()
	if server.Guard(hello).ServeHTTP(w, r); w.Code != 403 {
		t.Errorf("a page of another origin: %d", w.Code)
	}
}

// TestServe: a request under way is answered after the end has come, and then
// nothing listens any more.
func TestServe(t *testing.T) {
	l, err := server.Listen("127.0.0.1:0", false)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		cancel()
		if r.Context().Err() != nil {
			t.Error("the end of the server ended the request")
		}
		io.WriteString(w, "hello")
	})
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(ctx, l, h) }()
	resp, err := http.Get(fmt.Sprintf("http://%s/", l.Addr()))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if body, err := io.ReadAll(resp.Body); string(body) != "hello" || err != nil {
		t.Errorf("%q, %v", body, err)
	}
	select {
	case err := <-ended:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(5 * time.Second):
		t.Fatal("the server does not end")
	}
	if c, err := net.Dial("tcp", l.Addr().String()); err == nil {
		c.Close()
		t.Error("something still listens")
	}
}

// TestServeLargeHeader: a header without end does not fill the memory.
func TestServeLargeHeader(t *testing.T) {
	l, err := server.Listen("127.0.0.1:0", false)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(ctx, l, http.NotFoundHandler()) }()
	c, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	go fmt.Fprintf(c, "GET / HTTP/1.1\r\nHost: localhost\r\nX: %s\r\n\r\n", strings.Repeat("x", 1<<20))
	resp, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil || resp.StatusCode != http.StatusRequestHeaderFieldsTooLarge {
		t.Errorf("%v, %v", resp, err)
	}
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}
