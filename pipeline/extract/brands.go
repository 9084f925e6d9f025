package extract

import (
	"bufio"
	_ "embed"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"sync"

	"golang.org/x/net/idna"
	"golang.org/x/text/unicode/norm"
)

// Brands are the names that phishing imitates, with the domains that are theirs.
type Brands struct {
	list    []brand
	at      map[string]int   // place of a word in the list
	owners  map[string][]int // by registrable domain: whose it is
	letters int              // of all words
	search  func() *brandSearch
	given   map[string]bool       // domains that were added by With
	twins   func() map[string]int // by glance: place in the list
}

// maxBrandLetters of a list have room in the states of a brandSearch.
const maxBrandLetters = 60_000

type brand struct {
	word  string // as people read it: letters and digits
	plain string // its skeleton

	domains []string
}

// ReadBrands reads lines of a word and the domains that belong to it, those of a
// word that comes again added. # begins a comment.
func ReadBrands(r io.Reader) (*Brands, error) {
	b := newBrands()
	return b, b.read(r)
}

func newBrands() *Brands {
	b := &Brands{at: map[string]int{}, owners: map[string][]int{}, given: map[string]bool{}}
	b.search = sync.OnceValue(func() *brandSearch { return newBrandSearch(b.list) })
	b.twins = sync.OnceValue(func() map[string]int { return glances(b.list) })
	return b
}

func (b *Brands) read(r io.Reader) error {
	lines := bufio.NewScanner(r)
	for n := 1; lines.Scan(); n++ {
		f := strings.Fields(lines.Text())
		if len(f) == 0 || f[0][0] == '#' {
			continue
		}
		if err := b.add(strings.ToLower(f[0]), f[1:]); err != nil {
			return fmt.Errorf("line %d: %w", n, err)
		}
	}
	return lines.Err()
}

func (b *Brands) add(word string, domains []string) error {
	if len(word) < 2 || strings.Trim(word, "abcdefghijklmnopqrstuvwxyz0123456789") != "" {
		return fmt.Errorf("brand %q: want two letters or digits or more", word)
	}
	i, known := b.at[word]
	if b.letters += len(word); !known && b.letters > maxBrandLetters {
		return fmt.Errorf("brand %q: the list has more than %d letters in all", word, maxBrandLetters)
	}
	if !known {
		i = len(b.list)
		b.at[word] = i
		b.list = append(b.list, brand{word: word, plain: skeleton(word)})
	}
	b.list[i].domains = append(b.list[i].domains, domains...)
	for _, d := range domains {
		n, err := ParseName(d)
		if err != nil && err != errSuffix {
			return fmt.Errorf("domain %q of brand %s: %w", d, word, err)
		}
		if err == nil {
			d = n.Registrable
		}
		if !slices.Contains(b.owners[d], i) {
			b.owners[d] = append(b.owners[d], i)
		}
	}
	return nil
}

// With returns the brands and those that more has, in the form of ReadBrands.
func (b *Brands) With(more io.Reader) (*Brands, error) {
	own, err := ReadBrands(more)
	if err != nil {
		return nil, err
	}
	all := newBrands()
	for _, e := range slices.Concat(b.list, own.list) {
		if err := all.add(e.word, e.domains); err != nil {
			return nil, err
		}
	}
	for domain := range own.owners {
		all.given[domain] = true
	}
	return all, nil
}

// Each visits every brand's word and domains, in order.
func (b *Brands) Each(visit func(word string, domains []string)) {
	for _, e := range b.list {
		visit(e.word, e.domains)
	}
}

//go:embed names/brands.txt
var brandsFile string

//go:embed names/owned.txt
var ownedFile string

//go:embed names/words.txt
var wordsFile string

//go:embed names/confusables.tsv
var confusablesFile string

// DefaultBrands are those that ship.
var DefaultBrands = sync.OnceValue(func() *Brands {
	b, err := ReadBrands(strings.NewReader(brandsFile + ownedFile))
	if err != nil {
		panic(err) // it is part of the program
	}
	return b
})

// credentialWords ask for credentials or money.
var credentialWords = sync.OnceValue(func() *wordSet {
	s := &wordSet{words: map[string]bool{}}
	for line := range strings.Lines(wordsFile) {
		if line[0] != '#' {
			for _, w := range strings.Fields(line) {
				s.add(w)
			}
		}
	}
	return s
})

// confusables are the letters that look like an ASCII letter or digit (UTS #39).
var confusables = sync.OnceValue(func() map[rune]byte {
	m := map[rune]byte{}
	for line := range strings.Lines(confusablesFile) {
		var code rune
		var like string
		if n, _ := fmt.Sscanf(line, "%X\t%s", &code, &like); n == 2 {
			m[code] = like[0]
		}
	}
	return m
})

// readable returns a label as people see it: of a punycode label its letters.
func readable(label string) string {
	if !strings.HasPrefix(label, "xn--") {
		return label
	}
	if s, err := idna.Punycode.ToUnicode(label); err == nil {
		return s
	}
	return label
}

// skeleton returns what a text looks like in plain letters: accents taken off
// (NFD), look-alikes replaced by UTS #39, and by what typists use besides: digits
// for letters, rn for m, vv for w. Of a number nothing is replaced.
func skeleton(text string) string { return string(appendSkeleton(nil, text)) }

// appendSkeleton appends the skeleton of a text.
func appendSkeleton(out []byte, text string) []byte {
	if !isASCII(text) {
		text = unaccented(text)
	}
	if isNumber(text) {
		return append(out, text...)
	}
	for i := 0; i < len(text); i++ {
		c := text[i]
		switch {
		case c == 'r' && i+1 < len(text) && text[i+1] == 'n':
			c = 'm'
			i++
		case c == 'v' && i+1 < len(text) && text[i+1] == 'v':
			c = 'w'
			i++
		default:
			c = lookalike[c]
		}
		out = append(out, c)
	}
	return out
}

// isNumber reports whether there are only digits in a text, or nothing.
func isNumber(text string) bool {
	for i := range len(text) {
		if text[i] < '0' || text[i] > '9' {
			return false
		}
	}
	return true
}

// lookalike says of each character what it looks like: of some digits the letter that
// they stand for.
var lookalike = func() (of [256]byte) {
	for c := range of {
		of[c] = byte(c)
	}
	for digit, c := range map[byte]byte{'0': 'o', '1': 'l', '3': 'e', '4': 'a', '5': 's', '7': 't'} {
		of[digit] = c
	}
	return of
}()

func unaccented(text string) string {
	var out strings.Builder
	for _, r := range norm.NFD.String(strings.ToLower(text)) {
		switch c, ok := confusables()[r]; {
		case ok:
			out.WriteByte(c)
		case r >= 0x300 && r < 0x370: // combining marks
		default:
			out.WriteRune(r)
		}
	}
	return out.String()
}

// Words shorter than this are like too many others to be near one of them.
const (
	minFuzzy   = 5 // one letter may differ
	minFuzzier = 9 // two may
	maxFuzzy   = 40
)

// nearest returns the brand that a plain word is next to, and the distance: one or
// two letters changed, left out, put in or swapped (Damerau 1964). Not ok where
// there is none.
func (b *Brands) nearest(plain []byte) (at, distance int, ok bool) {
	if len(plain) < minFuzzy-1 || len(plain) > maxFuzzy {
		return 0, 0, false
	}
	best, last := 3, -1
	b.search().near(plain, func(candidates []int32) {
		for _, c := range candidates {
			i := int(c)
			if i == last { // most come more than once
				continue
			}
			last = i
			w := b.list[i].plain
			allowed := 1
			if len(w) >= minFuzzier {
				allowed = 2
			}
			if d := editsWithin(string(plain), w, allowed); d <= allowed && (d < best || d == best && i < at) {
				at, best = i, d
			}
		}
	})
	return at, best, best < 3
}

// editsWithin is editDistance of two words where that is at most so much, else more.
func editsWithin(a, b string, most int) int {
	for len(a) > 0 && len(b) > 0 && a[0] == b[0] {
		a, b = a[1:], b[1:]
	}
	for len(a) > 0 && len(b) > 0 && a[len(a)-1] == b[len(b)-1] {
		a, b = a[:len(a)-1], b[:len(b)-1]
	}
	if d := len(a) - len(b); d > most || -d > most {
		return most + 1
	}
	if len(a) == 0 || len(b) == 0 {
		return max(len(a), len(b))
	}
	if most == 1 { // one letter for another, or two swapped
		if len(a) == 1 && len(b) == 1 || len(a) == 2 && len(b) == 2 && a[0] == b[1] && a[1] == b[0] {
			return 1
		}
		return 2
	}
	return editDistance(a, b)
}

// editDistance is the restricted Damerau-Levenshtein distance of two words.
func editDistance(a, b string) int {
	var rows [3][64]int
	if len(a) > 62 || len(b) > 62 {
		return max(len(a), len(b))
	}
	for j := range len(b) + 1 {
		rows[1][j] = j
	}
	for i := 1; i <= len(a); i++ {
		two, one, row := &rows[(i+2)%3], &rows[i%3], &rows[(i+1)%3]
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			row[j] = min(one[j]+1, row[j-1]+1, one[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], two[j-2]+1)
			}
		}
	}
	return rows[(len(a)+1)%3][len(b)]
}

// Len is the number of brands.
func (b *Brands) Len() int { return len(b.list) }

// Own reports whether a name's domain belongs to a brand.
func (b *Brands) Own(n Name) bool { return len(b.owners[n.Registrable]) > 0 }

// Glyphs returns the letters of other scripts that look like an ASCII letter or
// digit, in order (UTS #39).
func Glyphs() map[byte][]rune {
	m := map[byte][]rune{}
	for _, r := range slices.Sorted(maps.Keys(confusables())) {
		m[confusables()[r]] = append(m[confusables()[r]], r)
	}
	return m
}

// CredentialWords returns the words that ask for credentials or money, in order.
func CredentialWords() []string { return slices.Sorted(maps.Keys(credentialWords().words)) }
