package telemetry_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"picket/telemetry"
)

func TestLog(t *testing.T) {
	var out bytes.Buffer
	log := telemetry.NewLog(&out, slog.LevelInfo)
	log.Debug("not shown")
	log.Info("object decoded", telemetry.KeyKey, "raw/a\nb\x1b[31m", telemetry.KeyStage, "decode", telemetry.KeyRecords, 7,
		telemetry.KeyTook, 1500*time.Millisecond, telemetry.KeyError, errors.New("broken \"quote\""),
		"at", time.Date(2026, 1, 1, 1, 0, 0, 0, time.FixedZone("", 3600)))
	if n := strings.Count(out.String(), "\n"); n != 1 || strings.Contains(out.String(), "\x1b") {
		t.Fatalf("%d lines: %q", n, out.String())
	}
	var got map[string]any
	if err := json.Unmarshal(out.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	if at, err := time.Parse(time.RFC3339Nano, got["time"].(string)); err != nil || at.Location() != time.UTC {
		t.Errorf("time %v, %v", got["time"], err)
	}
	delete(got, "time")
	want := map[string]any{
		"level": "INFO", "msg": "object decoded", "key": "raw/a\nb\x1b[31m", "stage": "decode", "records": 7.,
		"took": 1.5, "error": `broken "quote"`, "at": "2026-01-01T00:00:00Z",
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}
