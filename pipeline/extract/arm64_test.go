//go:build e2e

package extract

import (
	"crypto/sha256"
	"math/rand/v2"
	"testing"
)

// TestHashes prints hashes of the features of random records. gbdt's TestARM64 runs
// it on amd64 and on arm64, and wants the same.
func TestHashes(t *testing.T) {
	for i, source := range sources {
		o := options(source, 60, 600, 3600, 86400)
		o.From, o.To = t0-t0%86400, t0-t0%86400+86400
		o.TempDir = t.TempDir()
		features := encode(closeAll(t, build(t, Options{}, "one", traffic(rand.New(rand.NewPCG(1, uint64(i))), source, 4000)), o))
		if len(features) == 0 {
			t.Fatalf("%s has no features", source)
		}
		t.Logf("hash of %s: %x", source, sha256.Sum256(features))
	}
}
