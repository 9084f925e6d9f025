package lambda

import (
	"context"
	"log/slog"
	"sync/atomic"
)

// says adds to every log line which invocation it is of. One process works on one
// at a time, so that what is deep in the pipeline need not be told.
type says struct{ attrs atomic.Pointer[[]slog.Attr] }

func (s *says) set(attrs ...slog.Attr) { s.attrs.Store(&attrs) }

func (s *says) handler(h slog.Handler) slog.Handler { return saying{h, s} }

type saying struct {
	slog.Handler
	says *says
}

func (h saying) Handle(ctx context.Context, r slog.Record) error {
	if attrs := h.says.attrs.Load(); attrs != nil {
		r = r.Clone()
		r.AddAttrs(*attrs...)
	}
	return h.Handler.Handle(ctx, r)
}

func (h saying) WithAttrs(attrs []slog.Attr) slog.Handler {
	return saying{h.Handler.WithAttrs(attrs), h.says}
}

func (h saying) WithGroup(name string) slog.Handler { return saying{h.Handler.WithGroup(name), h.says} }
