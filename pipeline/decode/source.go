package decode

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

// zstdWindow is the largest window taken, as of the zstd command by default.
const zstdWindow = 128 << 20

// errNested stops an object that is compressed inside its compression's compression.
var errNested = errors.New("compressed more than twice")

// bombError says at which limit an object was stopped.
type bombError struct {
	in, out, limit int64
	ratio          bool
}

func (e *bombError) Error() string {
	if e.ratio {
		return fmt.Sprintf("%d bytes of %d compressed ones, over %d to 1", e.out, e.in, e.limit)
	}
	return fmt.Sprintf("more than %d bytes", e.limit)
}

func (o Options) withDefaults() Options {
	if o.MaxBytes == 0 {
		o.MaxBytes = 64 << 30
	}
	if o.MaxRatio == 0 {
		o.MaxRatio = 1000
	}
	if o.RatioFrom == 0 {
		o.RatioFrom = 64 << 20
	}
	if o.MaxSpool == 0 {
		o.MaxSpool = 8 << 30
	}
	return o
}

// source is the object's bytes: raw at the bottom, unpacked at the top.
type source struct {
	raw         *counter // as stored
	top         *counter // as unpacked; raw itself where plain
	compression string
	broken      error  // of the raw reader or the context, never of the content
	ahead       *ahead // reads top; nil where plain
	closers     []func()
}

func (s *source) bytes() int64 {
	if s.ahead != nil {
		return s.ahead.n
	}
	return s.top.n
}

func (s *source) close() {
	if s.ahead != nil {
		s.ahead.close()
	}
	for _, f := range s.closers {
		f()
	}
}

// counter counts what is read through it and checks each read.
type counter struct {
	r     io.Reader
	n     int64
	check func(n int, err error) error
}

// readSize is the most that is read at once, so that what is read is still in
// the processor's cache when it is parsed.
const readSize = 128 << 10

func (c *counter) Read(p []byte) (int, error) {
	n, err := c.r.Read(p[:min(len(p), readSize)])
	c.n += int64(n)
	return n, c.check(n, err)
}

// open resets in to read the unpacked bytes of r. It always returns a source.
func open(ctx context.Context, r io.Reader, in *bufio.Reader, o Options) (*source, error) {
	s := &source{}
	s.raw = &counter{r: r, check: func(_ int, err error) error {
		if ctx.Err() != nil {
			err = ctx.Err()
		}
		if err != nil && err != io.EOF {
			s.broken = err
		}
		return err
	}}
	s.top = s.raw
	level := bufio.NewReaderSize(s.raw, 1<<16)
	for depth := 0; ; depth++ {
		name, unpack := compression(level)
		switch {
		case unpack == nil && depth == 0:
			in.Reset(level)
			return s, nil
		case unpack == nil:
			s.ahead = readAhead(level)
			in.Reset(s.ahead)
			return s, nil
		case depth == 2:
			return s, errNested
		case depth == 1:
			name = s.compression + "+" + name
		}
		s.compression = name
		r, err := unpack(level)
		if err != nil {
			return s, err
		}
		s.closers = append(s.closers, func() { r.Close() })
		s.top = &counter{r: r, check: s.guard(ctx, o)}
		level = bufio.NewReaderSize(s.top, 1<<16)
	}
}

// guard returns the check of an unpacked stream: against ctx, which a bomb may
// never come back to otherwise, and against the limits.
func (s *source) guard(ctx context.Context, o Options) func(int, error) error {
	var out int64
	return func(n int, err error) error {
		out += int64(n)
		switch {
		case ctx.Err() != nil:
			s.broken = ctx.Err()
			return s.broken
		case out > o.MaxBytes:
			return &bombError{out: out, limit: o.MaxBytes}
		case out > o.RatioFrom && out/o.MaxRatio > s.raw.n:
			return &bombError{in: s.raw.n, out: out, limit: o.MaxRatio, ratio: true}
		}
		return err
	}
}

// unpacker starts a decompressor.
type unpacker func(io.Reader) (io.ReadCloser, error)

// compression looks at the first bytes of r.
func compression(r *bufio.Reader) (string, unpacker) {
	head, _ := r.Peek(4)
	switch {
	case bytes.HasPrefix(head, []byte{0x1f, 0x8b, 8}):
		return "gzip", ungzip
	case bytes.Equal(head, []byte{0x28, 0xb5, 0x2f, 0xfd}),
		len(head) == 4 && head[0]&0xf0 == 0x50 && bytes.Equal(head[1:], []byte{0x2a, 0x4d, 0x18}): // skippable frame, as pzstd writes
		return "zstd", unzstd
	}
	return "", nil
}

func ungzip(r io.Reader) (io.ReadCloser, error) { return gzip.NewReader(r) }

func unzstd(r io.Reader) (io.ReadCloser, error) {
	z, err := zstd.NewReader(r, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxWindow(zstdWindow))
	if err != nil {
		return nil, err
	}
	return z.IOReadCloser(), nil
}
