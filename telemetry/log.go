package telemetry

import (
	"io"
	"log/slog"
	"time"
)

// Keys of log lines, the same everywhere.
const (
	KeyKey     = "key"     // of the object that it is about
	KeyStage   = "stage"   // the verb: decode, extract, train, infer, triage
	KeyRecords = "records" // how many
	KeyError   = "error"
	KeyTook    = "took" // seconds
)

// NewLog returns a logger that writes one JSON object a line to w: time in UTC,
// level, msg, then the attributes, with durations in seconds.
func NewLog(w io.Writer, level slog.Leveler) *slog.Logger {
	return slog.New(slog.NewJSONHandler(w, &slog.HandlerOptions{Level: level, ReplaceAttr: plain}))
}

func plain(groups []string, a slog.Attr) slog.Attr {
	switch a.Value.Kind() {
	case slog.KindDuration:
		a.Value = slog.Float64Value(a.Value.Duration().Seconds())
	case slog.KindTime:
		a.Value = slog.TimeValue(a.Value.Time().UTC().Truncate(time.Millisecond))
	}
	return a
}
