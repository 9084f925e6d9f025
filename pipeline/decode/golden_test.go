package decode

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"picket"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// testTime is when all test objects were modified.
var testTime = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// result is all that Decode says of one object.
type result struct {
	records []picket.Record
	rejects []Reject
	stats   Stats
	err     error
}

func decodeBytes(data []byte, o Options) (r result) {
	obj := Object{Key: "raw/test", Modified: testTime, Size: int64(len(data))}
	r.stats, r.err = o.Decode(context.Background(), obj, bytes.NewReader(data),
		func(rec *picket.Record) error { r.records = append(r.records, *rec); return nil },
		func(rej Reject) error { r.rejects = append(r.rejects, rej); return nil })
	return r
}

func decodeString(s string) result { return decodeBytes([]byte(s), Options{}) }

// goldenFiles returns all inputs under testdata.
func goldenFiles(t testing.TB) []string {
	t.Helper()
	var files []string
	for _, pattern := range []string{"*.log", "*.pcap", "*.pcapng", "*.flows", "*.parquet"} {
		found, err := filepath.Glob("testdata/*/" + pattern)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, found...)
	}
	if len(files) < 30 {
		t.Fatalf("%d golden inputs", len(files))
	}
	return files
}

func TestGolden(t *testing.T) {
	for _, file := range goldenFiles(t) {
		t.Run(strings.TrimPrefix(file, "testdata/"), func(t *testing.T) {
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			got := golden(decodeBytes(data, Options{}))
			name := strings.TrimSuffix(file, filepath.Ext(file)) + ".golden.jsonl"
			if *update {
				if err := os.WriteFile(name, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// golden writes records, rejects, counts and error one a line, zeros left out.
func golden(r result) string {
	var out strings.Builder
	line := func(v any) {
		b, err := json.Marshal(v)
		if err != nil {
			panic(err)
		}
		var m map[string]any
		d := json.NewDecoder(bytes.NewReader(b))
		d.UseNumber() // nanoseconds do not fit a float64
		if err := d.Decode(&m); err != nil {
			panic(err)
		}
		for k, v := range m {
			if s := fmt.Sprint(v); s == "0" || s == "false" || s == "" || s == "map[]" || s == "<nil>" {
				delete(m, k)
			}
		}
		b, _ = json.Marshal(m)
		out.Write(append(b, '\n'))
	}
	for _, rec := range r.records {
		line(rec)
	}
	for _, rej := range r.rejects {
		line(map[string]any{"reject": rej.Reason, "detail": rej.Detail, "line": rej.Line, "offset": rej.Offset})
	}
	line(r.stats)
	if r.err != nil {
		line(map[string]any{"error": r.err.Error()})
	}
	return out.String()
}

// wantError fails unless err is an *ObjectError of the given reason.
func wantError(t *testing.T, err error, reason string) *ObjectError {
	t.Helper()
	var e *ObjectError
	if !errors.As(err, &e) || e.Reason != reason {
		t.Fatalf("error %v, want an ObjectError of %q", err, reason)
	}
	return e
}
