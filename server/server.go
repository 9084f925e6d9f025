// Package server is Picket's face on the network: HTTP requests -> scores,
// findings and counters; and files in a folder -> keys to work on.
package server

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"time"
)

// Limits of a connection. A request has a minute in all: SageMaker's own limit
// for an answer.
const (
	headerTimeout  = 5 * time.Second
	requestTimeout = 60 * time.Second
	idleTimeout    = 2 * time.Minute
	maxHeader      = 32 << 10
	drainTimeout   = 10 * time.Second
)

// Listen opens a TCP address, "127.0.0.1:8080". An address that other machines
// can reach is refused unless remote is true.
func Listen(addr string, remote bool) (net.Listener, error) {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, fmt.Errorf("listen on %q: %w", addr, err)
	}
	if !remote && !isLoopback(host) {
		return nil, fmt.Errorf("listen on %q: not a loopback address, and there is no password: %w", addr, ErrRemote)
	}
	return net.Listen("tcp", addr)
}

// ErrRemote is the error of an address that was not allowed explicitly.
var ErrRemote = errors.New("reachable from other machines")

func isLoopback(host string) bool {
	if host == "localhost" {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.Unmap().IsLoopback()
}

// Serve answers requests on l with h until ctx ends; then it lets those under way
// finish, for 10 s at most, and returns nil. It closes l.
func Serve(ctx context.Context, l net.Listener, h http.Handler) error {
	s := &http.Server{
		Handler:           h,
		ReadHeaderTimeout: headerTimeout,
		ReadTimeout:       requestTimeout,
		WriteTimeout:      requestTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeader,
	}
	failed := make(chan error, 1)
	go func() { failed <- s.Serve(l) }()
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
	}
	drain, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainTimeout)
	defer cancel()
	err := s.Shutdown(drain)
	if errors.Is(err, context.DeadlineExceeded) {
		return s.Close()
	}
	return err
}

// Guard refuses what a page of a stranger could make a browser on this machine
// send: requests under another name than an IP address, localhost or one of
// hosts (DNS rebinding), and unsafe methods from another origin. hosts "*" is any
// name, for a container behind somebody else's front.
func Guard(h http.Handler, hosts ...string) http.Handler {
	anyHost := slices.Contains(hosts, "*")
	guarded := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !anyHost && !known(r.Host, hosts) {
			http.Error(w, fmt.Sprintf("unknown host %.100q", r.Host), http.StatusMisdirectedRequest)
			return
		}
		head := w.Header()
		head["X-Content-Type-Options"] = nosniff
		h.ServeHTTP(w, r)
	})
	return http.NewCrossOriginProtection().Handler(guarded)
}

var nosniff = []string{"nosniff"}

// known reports whether a Host header is an address, localhost or one of hosts.
func known(header string, hosts []string) bool {
	host := header
	if h, _, err := net.SplitHostPort(header); err == nil {
		host = h
	}
	if host == "localhost" || slices.ContainsFunc(hosts, func(h string) bool { return strings.EqualFold(h, host) }) {
		return true
	}
	_, err := netip.ParseAddr(strings.Trim(host, "[]"))
	return err == nil
}
