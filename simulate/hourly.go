package simulate

import (
	"io"
	"time"

	"github.com/klauspost/compress/gzip"
)

// hourly writes lines into an object for each hour in which they end.
type hourly struct {
	out    *objects
	name   func(hour time.Time) string
	head   func(hour time.Time) []byte // what an object begins with; nil for nothing
	append func(b []byte, l *line) []byte
	plain  bool // not compressed
	hour   int64
	file   io.WriteCloser
	w      io.WriteCloser // into file
	buf    []byte
}

func (h *hourly) write(l *line) error {
	if hour := l.End / hourNanos; h.file == nil || hour > h.hour {
		if err := h.finish(); err != nil {
			return err
		}
		if err := h.create(hour); err != nil {
			return err
		}
	}
	h.buf = h.append(h.buf[:0], l)
	_, err := h.w.Write(h.buf)
	return err
}

func (h *hourly) create(hour int64) (err error) {
	at := time.Unix(0, hour*hourNanos).UTC()
	if h.file, err = h.out.create(h.name(at)); err != nil {
		return err
	}
	h.hour, h.w = hour, unclosed{h.file}
	if !h.plain {
		if h.w, err = gzip.NewWriterLevel(h.file, gzip.BestSpeed); err != nil {
			return err
		}
	}
	if h.head != nil {
		_, err = h.w.Write(h.head(at))
	}
	return err
}

func (h *hourly) finish() error {
	if h.file == nil {
		return nil
	}
	file := h.file
	h.file = nil
	return firstError(h.w.Close(), h.out.close(file))
}

// unclosed is a writer whose owner closes it.
type unclosed struct{ io.Writer }

func (unclosed) Close() error { return nil }
