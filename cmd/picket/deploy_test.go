package main

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
	"time"

	"picket/aws/deploy"
	"picket/pipeline/triage"
)

// TestSmokeLog: what a deployment is tested with is found by the package that it makes
// live, as one finding about the address that it looks for; and two tests within a
// second are two findings.
func TestSmokeLog(t *testing.T) {
	folder := t.TempDir()
	want := map[string]bool{}
	for i := range 2 {
		log := deploy.SmokeLogAt(time.Date(2026, 3, 2, 9, 59, 30+i, 0, time.UTC))
		want[log.Entity] = true
		if err := os.WriteFile(filepath.Join(folder, log.Name), log.Body, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	var out, words bytes.Buffer
	if code := run(t.Context(), []string{"detect", "-q", "-o", "jsonl", folder}, func(string) string { return "" }, nil, &out, &words); code != exitOK {
		t.Fatalf("exit %d: %s", code, words.String())
	}
	lines := bytes.Split(bytes.TrimSpace(out.Bytes()), []byte("\n"))
	if len(lines) != len(want) {
		t.Errorf("%d findings, want %d", len(lines), len(want))
	}
	for _, line := range lines {
		f, err := triage.Decode(line)
		if err != nil {
			t.Fatal(err)
		}
		if !want[f.Entity.ID] || f.Class != "scan" {
			t.Errorf("finding %s about %s, want scans by %v", f.Class, f.Entity.ID, want)
		}
	}
}
