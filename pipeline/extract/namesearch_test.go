package extract

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// deletions returns a word and what is left of it without one letter, of a long
// word without two.
func deletions(word string) []string {
	list := []string{word}
	if len(word) < minFuzzy {
		return list
	}
	for i := range len(word) {
		one := word[:i] + word[i+1:]
		list = append(list, one)
		if len(word) >= minFuzzier {
			for j := i; j < len(one); j++ {
				list = append(list, one[:j]+one[j+1:])
			}
		}
	}
	return list
}

// misspelt returns a brand's plain word with some letters changed, left out, put in
// or swapped, or any other word.
func misspelt(rng *rand.Rand, b *Brands) string {
	const letters = "abcdefghijklmnopqrstuvwxyz0269-"
	word := []byte(b.list[rng.IntN(len(b.list))].plain)
	if rng.IntN(5) == 0 {
		word = word[:0]
		for range 3 + rng.IntN(12) {
			word = append(word, letters[rng.IntN(len(letters))])
		}
	}
	for range rng.IntN(4) {
		i, c := rng.IntN(len(word)), letters[rng.IntN(len(letters))]
		switch rng.IntN(4) {
		case 0:
			word[i] = c
		case 1:
			word = slices.Insert(word, i, c)
		case 2:
			if len(word) > 1 {
				word = slices.Delete(word, i, i+1)
			}
		case 3:
			j := (i + 1) % len(word)
			word[i], word[j] = word[j], word[i]
		}
	}
	return string(word)
}

// TestBrandSearch holds both searches against looking at every brand.
func TestBrandSearch(t *testing.T) {
	rng, b := rand.New(rand.NewPCG(91, 92)), DefaultBrands()
	rests := map[string][]int{}
	for i := range b.list {
		if len(b.list[i].plain) >= minFuzzy {
			for _, rest := range deletions(b.list[i].plain) {
				rests[rest] = append(rests[rest], i)
			}
		}
	}
	near := 0
	for range 20_000 {
		word := misspelt(rng, b)
		text := word + []string{"", "-", "."}[rng.IntN(3)] + misspelt(rng, b)
		var in []int32
		for i := range b.list {
			if strings.Contains(text, b.list[i].plain) {
				in = append(in, int32(i))
			}
		}
		found := b.search().in([]byte(text), nil)
		slices.Sort(found)
		if found = slices.Compact(found); !slices.Equal(found, in) {
			t.Fatalf("%q has brands %v, want %v", text, found, in)
		}
		want := map[int]bool{}
		for _, rest := range deletions(word) {
			for _, i := range rests[rest] {
				want[i] = true
			}
		}
		near += len(want)
		b.search().near([]byte(word), func(brands []int32) {
			for _, i := range brands {
				delete(want, int(i))
			}
		})
		if len(want) > 0 {
			t.Fatalf("%q is near %v too", word, want)
		}
	}
	if near < 1000 {
		t.Errorf("only %d words were near a brand", near)
	}
}

// TestNearest holds the search against the distance to every brand: the least, of
// equals the first.
func TestNearest(t *testing.T) {
	rng, b := rand.New(rand.NewPCG(99, 100)), DefaultBrands()
	near := 0
	for range 20_000 {
		word := misspelt(rng, b)
		at, best := 0, 3
		for i := range b.list {
			w := b.list[i].plain
			d := editDistance(word, w)
			allowed := -1
			switch {
			case len(w) >= minFuzzier:
				allowed = 2
			case len(w) >= minFuzzy:
				allowed = 1
			}
			if got := editsWithin(word, w, 2); got != d && min(got, d) <= 2 {
				t.Fatalf("%s and %s differ by %d, want %d", word, w, got, d)
			}
			if d <= allowed && d < best {
				at, best = i, d
			}
		}
		found := best < 3 && len(word) >= minFuzzy-1 && len(word) <= maxFuzzy
		if !found {
			at, best = 0, 3
		}
		gotAt, got, ok := b.nearest([]byte(word))
		if len(word) >= minFuzzy-1 && len(word) <= maxFuzzy && (ok != found || got != best || gotAt != at) {
			t.Fatalf("%s: brand %d at %d, %v; want %d at %d", word, gotAt, got, ok, at, best)
		}
		if found {
			near++
		}
	}
	if near < 1000 {
		t.Errorf("only %d words were near a brand", near)
	}
}

// TestTyped holds the skeleton of ASCII against what it replaces a Replacer for.
func TestTyped(t *testing.T) {
	replacer := strings.NewReplacer("0", "o", "1", "l", "3", "e", "4", "a", "5", "s", "7", "t", "rn", "m", "vv", "w")
	rng := rand.New(rand.NewPCG(93, 94))
	for range 10_000 {
		text := "x"
		for range rng.IntN(12) {
			text += string("0123457rnv-.y\u00e9"[rng.IntN(13)])
		}
		if got, want := skeleton(text), replacer.Replace(text); got != want {
			t.Fatalf("%q is %q, want %q", text, got, want)
		}
	}
}

// TestRunOdds holds the sum of the runs of a text against the list of them.
func TestRunOdds(t *testing.T) {
	l := DefaultLexicon()
	f := func(label, sub string) {
		t.Helper()
		n := Name{Label: label, Sub: sub, Suffix: "com"}
		grams := GramsOf(n)
		if got, want := l.runOdds('l', label, 2), l.logOdds(grams[gramLabel]); got != want {
			t.Errorf("label %q is worth %v, want %v", label, got, want)
		}
		if got, want := l.runOdds('s', sub, 3), l.logOdds(grams[gramSub]); got != want {
			t.Errorf("sub %q is worth %v, want %v", sub, got, want)
		}
	}
	f("", "")
	f("a", "b")
	f("paypal-login7", "www.secure-2")
	for i := range 200 {
		f(fmt.Sprintf("x%d-ab%dc", i*i, i), strings.Repeat("a.", i))
	}
}
