package gbdt

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestNoFusedProducts builds the packages whose results must not depend on the
// processor for arm64, where the compiler fuses what it may, and looks for a fused
// multiply-add in their code. It would round once where amd64 rounds twice.
func TestNoFusedProducts(t *testing.T) {
	if testing.Short() {
		t.Skip("builds for arm64")
	}
	for _, pkg := range []string{"gbdt", "pipeline/extract"} {
		for _, line := range fused(t, pkg) {
			t.Errorf("%s: %s", pkg, line)
		}
	}
}

var fusedLine = regexp.MustCompile(`\bFN?M(ADD|SUB)[SD]\b`)

// fused returns the instructions of a package's own functions that fuse a product
// into a sum, with their source lines.
func fused(t *testing.T, pkg string) []string {
	t.Helper()
	archive := filepath.Join(t.TempDir(), "pkg.a")
	build := exec.Command("go", "build", "-o", archive, "./"+pkg)
	build.Dir = ".."
	build.Env = append(os.Environ(), "GOARCH=arm64", "GOOS=linux", "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build %s for arm64: %v\n%s", pkg, err, out)
	}
	code, err := exec.Command("go", "tool", "objdump", archive).Output()
	if err != nil {
		t.Fatalf("disassemble %s: %v", pkg, err)
	}
	if !bytes.Contains(code, []byte("FMUL")) && pkg == "gbdt" {
		t.Fatalf("the disassembly of %s has no product at all", pkg)
	}
	var found []string
	for line := range strings.Lines(string(code)) {
		if fusedLine.MatchString(line) {
			found = append(found, strings.TrimSpace(line))
		}
	}
	return found
}
