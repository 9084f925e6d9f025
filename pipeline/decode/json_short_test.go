package decode

import (
	"bytes"
	"math/rand/v2"
	"testing"
)

// TestIndexShort holds it against bytes.IndexByte, with the byte behind the end too.
func TestIndexShort(t *testing.T) {
	rng := rand.New(rand.NewPCG(21, 22))
	for range 50_000 {
		b := make([]byte, rng.IntN(60))
		for i := range b {
			b[i] = `ab\"`[rng.IntN(4)]
			if rng.IntN(4) > 0 {
				b[i] = 'x'
			}
		}
		from := rng.IntN(len(b) + 1)
		to := from + rng.IntN(len(b)-from+1)
		if got, want := indexShort(b[from:to], '"'), bytes.IndexByte(b[from:to], '"'); got != want {
			t.Fatalf("%q of %q: %d, want %d", b[from:to], b, got, want)
		}
	}
}
