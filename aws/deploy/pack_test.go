package deploy

import (
	"archive/zip"
	"bytes"
	"io"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	"github.com/google/go-containerregistry/pkg/v1/remote"
)

// program writes a file that stands for a binary.
func program(t *testing.T, content string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "program")
	if err := os.WriteFile(file, []byte(content), 0o700); err != nil {
		t.Fatal(err)
	}
	return file
}

func TestZipIsReproducible(t *testing.T) {
	content := strings.Repeat("binary", 1000)
	one, err := Zip(program(t, content))
	if err != nil {
		t.Fatal(err)
	}
	later := program(t, content)
	if err := os.Chtimes(later, time.Unix(1, 0), time.Unix(1, 0)); err != nil {
		t.Fatal(err)
	}
	two, err := Zip(later)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(one.Body, two.Body) || one.Key() != two.Key() {
		t.Errorf("the same binary made %s and %s", one.Key(), two.Key())
	}
	if other, _ := Zip(program(t, content+"!")); other.Key() == one.Key() {
		t.Error("another binary has the same key")
	}
	z, err := zip.NewReader(bytes.NewReader(one.Body), int64(len(one.Body)))
	if err != nil || len(z.File) != 1 || z.File[0].Name != "bootstrap" || z.File[0].Mode().Perm() != 0o755 {
		t.Fatalf("archive: %v, %+v", err, z.File)
	}
	if year := z.File[0].Modified.Year(); year != 1980 {
		t.Errorf("the archive says that it was made in %d: it will not be the same tomorrow", year)
	}
	r, err := z.File[0].Open()
	if err != nil {
		t.Fatal(err)
	}
	if got, _ := io.ReadAll(r); string(got) != content {
		t.Error("what comes out is not what went in")
	}
}

// TestImage pushes to a registry that runs here: only what is not there yet goes over,
// and what comes back runs /picket.
func TestImage(t *testing.T) {
	var puts int
	images := registry.New()
	server := httptest.NewServer(recordPuts(images, &puts))
	defer server.Close()
	r := Registry{Repository: strings.TrimPrefix(server.URL, "http://") + "/picket", Auth: authn.Anonymous, Insecure: true}
	img, err := NewImage(program(t, "binary"), "v1")
	if err != nil {
		t.Fatal(err)
	}
	again, err := NewImage(program(t, "binary"), "v1")
	if err != nil || again.Tag != img.Tag {
		t.Errorf("the same binary made tags %s and %s (%v)", img.Tag, again.Tag, err)
	}
	for i, want := range []bool{true, false} {
		pushed, err := r.Push(t.Context(), img)
		if err != nil || pushed != want {
			t.Fatalf("push %d: %v, %v", i+1, pushed, err)
		}
	}
	if puts == 0 {
		t.Error("nothing was put")
	}
	ref, err := name.NewTag(r.Reference(img), name.Insecure)
	if err != nil {
		t.Fatal(err)
	}
	got, err := remote.Image(ref)
	if err != nil {
		t.Fatal(err)
	}
	config, err := got.ConfigFile()
	if err != nil || config.Config.Entrypoint[0] != "/picket" || config.Architecture != "amd64" || config.OS != "linux" {
		t.Errorf("configuration: %v %+v", err, config)
	}
	layers, err := got.Layers()
	if err != nil || len(layers) != 1 {
		t.Fatalf("layers: %d, %v", len(layers), err)
	}
}

func TestBinaryThatDoesNotFit(t *testing.T) {
	_, err := Binaries{Self: program(t, "none"), Named: program(t, "no Go program")}.Functions(t.Context(), ARM64)
	f := failure(t, err)
	if !strings.Contains(f.Error(), "--binary") || !strings.Contains(f.Try, "GOARCH=arm64") {
		t.Errorf("said %q, %q", f.Error(), f.Try)
	}
	_, err = Binaries{Self: program(t, "none")}.Functions(t.Context(), "riscv")
	if f := failure(t, err); !strings.Contains(f.Try, "arm64") {
		t.Errorf("said %q, %q", f.Error(), f.Try)
	}
}
