//go:build e2e

package main

import (
	"archive/zip"
	"bytes"
	"debug/elf"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"picket/aws/deploy"
	"picket/aws/lambda/runtimetest"
)

// TestARM64Function builds the functions for arm64 as picket deploy does, packs them,
// and runs what is in the archive under qemu against a Lambda Runtime API: the archive
// holds a program for that processor, and it answers.
func TestARM64Function(t *testing.T) {
	qemu := os.Getenv("PICKET_QEMU")
	if qemu == "" {
		t.Fatal("PICKET_QEMU is not set: bench/e2e.sh finds or fetches qemu-aarch64-static")
	}
	binaries := deploy.Binaries{Self: os.Args[0], Source: "../..", TempDir: t.TempDir(), Version: "v1.2.3"}
	built, err := binaries.Functions(t.Context(), deploy.ARM64)
	if err != nil {
		t.Fatal(err)
	}
	archive, err := deploy.Zip(built)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%.2f MB zipped", float64(len(archive.Body))/1e6)
	z, err := zip.NewReader(bytes.NewReader(archive.Body), int64(len(archive.Body)))
	if err != nil || len(z.File) != 1 {
		t.Fatalf("%d files, %v", len(z.File), err)
	}
	r, err := z.File[0].Open()
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	program, err := elf.NewFile(bytes.NewReader(body))
	if err != nil || program.Machine != elf.EM_AARCH64 || program.Type != elf.ET_EXEC {
		t.Fatalf("the archive holds %v: %v", program, err)
	}
	for _, s := range program.Progs {
		if s.Type == elf.PT_INTERP {
			t.Error("the program is not static")
		}
	}
	bootstrap := filepath.Join(t.TempDir(), z.File[0].Name)
	if err := os.WriteFile(bootstrap, body, z.File[0].Mode()); err != nil {
		t.Fatal(err)
	}
	var said bytes.Buffer
	f, err := runtimetest.Start(t.Context(), "ingest", []string{qemu, bootstrap}, []string{"PICKET_BUCKET=data"}, &said)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Stop()
	event := []byte(`{"Records":[{"messageId":"1","eventSource":"aws:sqs","body":"{\"Event\":\"s3:TestEvent\"}"}]}`)
	if a, err := f.Invoke(t.Context(), event, time.Minute); err != nil || string(a.Body) != `{"batchItemFailures":[]}` {
		t.Errorf("%s %v: %s", a.Body, err, said.String())
	}
}
