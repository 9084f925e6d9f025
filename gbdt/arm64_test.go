//go:build e2e

package gbdt

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"testing"
)

// TestARM64 runs the tests that tell processors apart on an emulated arm64: ours,
// whose hashes and margins are stored, and those of pipeline/extract, which must
// print the hashes that they print here. PICKET_QEMU is qemu-aarch64-static.
func TestARM64(t *testing.T) {
	qemu := os.Getenv("PICKET_QEMU")
	if qemu == "" {
		t.Fatal("PICKET_QEMU is not set: bench/e2e.sh finds or fetches qemu-aarch64-static")
	}
	run := func(pkg, tests string) []string {
		emulated := runTests(t, exec.Command(qemu, buildTests(t, pkg, "arm64"), "-test.v", "-test.run", tests), pkg)
		native := runTests(t, exec.Command(buildTests(t, pkg, "amd64"), "-test.v", "-test.run", tests), pkg)
		if !slices.Equal(emulated, native) {
			t.Errorf("%s: arm64 has %s, amd64 has %s", pkg, emulated, native)
		}
		return native
	}
	run("gbdt", "TestGolden|TestXGBoostModels|TestExpLog|TestMetrics")
	if hashes := run("pipeline/extract", "TestHashes"); len(hashes) < 3 {
		t.Errorf("pipeline/extract printed the hashes %s", hashes)
	}
}

// buildTests builds the tests of a package for a processor.
func buildTests(t *testing.T, pkg, arch string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), arch+".test")
	build := exec.Command("go", "test", "-c", "-tags", "e2e", "-o", path, "./"+pkg)
	build.Dir = ".."
	build.Env = append(os.Environ(), "GOARCH="+arch, "GOOS=linux", "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build the tests of %s for %s: %v\n%s", pkg, arch, err, out)
	}
	return path
}

var hashLine = regexp.MustCompile(`hash of .*`)

// runTests runs tests in their package's folder and returns the hashes they print.
func runTests(t *testing.T, c *exec.Cmd, pkg string) []string {
	t.Helper()
	c.Dir = filepath.Join("..", pkg)
	out, err := c.CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", c, err, out)
	}
	return hashLine.FindAllString(string(out), -1)
}
