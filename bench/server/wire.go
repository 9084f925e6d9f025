package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"slices"
	"strconv"
	"sync"
	"time"
)

// wire is a connection that sends the same requests again and again. It does as
// little as it can, so that the server is measured and not the client.
type wire struct {
	conn net.Conn
	in   *bufio.Reader
	body []byte
}

func dial(addr string) (*wire, error) {
	conn, err := net.DialTimeout("tcp", addr, 5*time.Second)
	if err != nil {
		return nil, err
	}
	return &wire{conn: conn, in: bufio.NewReaderSize(conn, 1<<16)}, nil
}

// request is a POST of rows as CSV.
func request(header string, rows []byte) []byte {
	return fmt.Appendf(nil, "POST /invocations HTTP/1.1\r\nHost: localhost\r\nContent-Type: text/csv\r\n%sContent-Length: %d\r\n\r\n%s", header, len(rows), rows)
}

// ask sends a request and returns the body of the answer, which the next call overwrites.
func (w *wire) ask(request []byte) ([]byte, error) {
	if _, err := w.conn.Write(request); err != nil {
		return nil, err
	}
	status, err := w.in.ReadSlice('\n')
	if err != nil {
		return nil, err
	}
	ok := bytes.Contains(status, []byte(" 200 "))
	length := -1
	for {
		line, err := w.in.ReadSlice('\n')
		if err != nil {
			return nil, err
		}
		line = bytes.TrimRight(line, "\r\n")
		if len(line) == 0 {
			break
		}
		if name, value, _ := bytes.Cut(line, []byte(":")); bytes.EqualFold(name, []byte("content-length")) {
			if length, err = strconv.Atoi(string(bytes.TrimSpace(value))); err != nil {
				return nil, err
			}
		}
	}
	if length < 0 {
		return nil, fmt.Errorf("an answer without its length")
	}
	w.body = slices.Grow(w.body[:0], length)[:length]
	if _, err := io.ReadFull(w.in, w.body); err != nil {
		return nil, err
	}
	if !ok {
		return nil, fmt.Errorf("refused: %.200s", w.body)
	}
	return w.body, nil
}

// pace is what a server did under load.
type pace struct {
	requests  int
	perSecond float64
	p50, p99  time.Duration
	cpu       time.Duration // of the server, a request
}

// drive sends requests over so many connections for some time, each as soon as the
// one before is answered.
func drive(ctx context.Context, addr string, requests [][]byte, connections int, length time.Duration) (pace, error) {
	var mu sync.Mutex
	var all []time.Duration
	var failed error
	var group sync.WaitGroup
	began := time.Now()
	for c := range connections {
		group.Go(func() {
			took, err := driveOne(ctx, addr, requests, c, began.Add(length))
			mu.Lock()
			defer mu.Unlock()
			all = append(all, took...)
			if err != nil {
				failed = err
			}
		})
	}
	group.Wait()
	spent := time.Since(began)
	if failed != nil || len(all) == 0 {
		return pace{}, fmt.Errorf("%s: %w", addr, failed)
	}
	slices.Sort(all)
	return pace{len(all), float64(len(all)) / spent.Seconds(), all[len(all)/2], all[len(all)*99/100], 0}, nil
}

func driveOne(ctx context.Context, addr string, requests [][]byte, first int, until time.Time) ([]time.Duration, error) {
	w, err := dial(addr)
	if err != nil {
		return nil, err
	}
	defer w.conn.Close()
	var took []time.Duration
	for i := first; ctx.Err() == nil; i++ {
		began := time.Now()
		if !began.Before(until) {
			break
		}
		if _, err := w.ask(requests[i%len(requests)]); err != nil {
			return took, err
		}
		took = append(took, time.Since(began))
	}
	return took, ctx.Err()
}
