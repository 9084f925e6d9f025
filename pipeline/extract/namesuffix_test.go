package extract

import (
	"math/rand/v2"
	"strings"
	"testing"

	"golang.org/x/net/publicsuffix"
)

// TestSuffixes holds the list against that of golang.org/x/net: for every rule what is
// it, what is above and what is below it.
func TestSuffixes(t *testing.T) {
	if version := publicsuffix.List.String(); !strings.Contains(suffixesFile, "# "+version+"\n") {
		t.Fatalf("names/suffixes.txt is not %s: run bench/suffixes.sh", version)
	}
	tree, n := suffixes(), 0
	f := func(host string) {
		t.Helper()
		n++
		got, icann := tree.suffix(host)
		if want, registry := publicsuffix.PublicSuffix(host); got != want || icann != registry {
			t.Errorf("%q: %q %v, want %q %v", host, got, icann, want, registry)
		}
	}
	rng := rand.New(rand.NewPCG(101, 102))
	for line := range strings.Lines(suffixesFile) {
		if rule := strings.TrimSpace(line); rule[0] != '#' {
			name := strings.TrimLeft(rule, "*.!")
			for _, below := range []string{"", "a.", "b.a.", "c.b.a.", letters(rng, 2) + "."} {
				f(below + name)
			}
			for _, rest, ok := strings.Cut(name, "."); ok; _, rest, ok = strings.Cut(rest, ".") {
				f(rest)
				f(letters(rng, 3) + "." + rest)
				f("x" + rest)
			}
		}
	}
	for range 10_000 {
		f(letters(rng, 1+rng.IntN(3)) + "." + letters(rng, 2))
	}
	f("")
	f("nosuch")
	if n < 50_000 {
		t.Errorf("only %d hosts", n)
	}
}
