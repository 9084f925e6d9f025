package extract

import (
	"math"
	"math/bits"
	"strings"
	"unicode"
)

// nameSigns are what a name says by itself.
type nameSigns struct {
	label, sub             textSigns
	labels                 int
	hosted                 bool
	odds                   [3]float64 // of the lexicon: label, sub, suffixes
	surprise, subSurprise  float64    // bits per letter
	brand                  imitation
	labelWords, subWords   int  // credential words
	suffixInside           bool // below the label stands what ends other names: "example.com.login.top"
	punycode               bool
	scripts, confusedChars int
}

// textSigns are the shape of one part of a name.
type textSigns struct {
	length, hyphens, digits, digitRun, consonantRun, switches, longest int
	vowels                                                             float64
	entropy                                                            float64 // bits
}

// imitation is the brand that a name plays on.
type imitation struct {
	own      bool   // the name belongs to a brand
	at       int    // of the brand in the list
	word     string // "" where there is none
	where    string // "label", "sub"
	how      string // "is", "word", "part", "near", "glyphs"
	distance int    // letters that differ, for "near"
}

// signs computes them.
func (l *Lexicon) signs(n Name, brands *Brands) *nameSigns {
	s := &nameSigns{
		label: spell(n.Label), sub: spell(n.Sub), hosted: n.Hosting != "", labels: strings.Count(n.Host, ".") + 1,
		surprise: l.surprise(n.Label), subSurprise: l.surprise(n.Sub),
		labelWords: countCredential(n.Label), subWords: countCredential(n.Sub),
		suffixInside: suffixInside(n), brand: brands.imitated(n),
	}
	s.odds = [3]float64{l.runOdds('l', n.Label, 2), l.runOdds('s', n.Sub, 3), l.logOdds([]uint32{gram('z', n.Suffix), gram('h', n.Hosting)})}
	for label := range strings.SplitSeq(n.Host, ".") {
		if strings.HasPrefix(label, "xn--") {
			s.punycode = true
			s.unicode(readable(label))
		}
	}
	return s
}

// vowels are a, e, i, o, u and y, a bit each.
const vowels = 1<<0 | 1<<4 | 1<<8 | 1<<14 | 1<<20 | 1<<24

func spell(text string) textSigns {
	s := textSigns{length: len(text)}
	var counts [256]uint16
	var used [4]uint64
	voiced, letters, digitRun, consonantRun, run := 0, 0, 0, 0, 0
	last := byte(0)
	for i := range len(text) {
		c := text[i]
		counts[c]++
		used[c/64] |= 1 << (c % 64)
		digit, alpha := c >= '0' && c <= '9', c >= 'a' && c <= 'z'
		vowel := alpha && vowels>>(c-'a')&1 != 0
		digitRun, consonantRun = next(digitRun, digit), next(consonantRun, alpha && !vowel)
		s.digitRun, s.consonantRun = max(s.digitRun, digitRun), max(s.consonantRun, consonantRun)
		switch {
		case digit:
			s.digits++
		case alpha:
			letters++
		case c == '-':
			s.hyphens++
		}
		if vowel {
			voiced++
		}
		if digit && last >= 'a' && last <= 'z' || alpha && last >= '0' && last <= '9' {
			s.switches++
		}
		if run = next(run, c != '.' && c != '-'); run > s.longest {
			s.longest = run
		}
		last = c
	}
	s.vowels = ratio(float64(voiced), float64(letters))
	var e entropy
	for i, word := range used {
		for ; word != 0; word &= word - 1 {
			e.add(uint64(counts[64*i+bits.TrailingZeros64(word)]))
		}
	}
	s.entropy = e.bits()
	return s
}

// next counts how long something holds.
func next(run int, holds bool) int {
	if holds {
		return run + 1
	}
	return 0
}

func countCredential(text string) int {
	known := credentialWords()
	n := 0
	for w := range words(text) {
		if known.has(w) {
			n++
		}
	}
	if n > 0 {
		return n
	}
	for w := range words(text) { // written together: "paypallogin"
		for size := 5; size < len(w); size++ {
			if known.has(w[:size]) || known.has(w[len(w)-size:]) {
				return 1
			}
		}
	}
	return 0
}

// wordSet is words of letters that are looked up for nearly every part of a name,
// and are nearly never there.
type wordSet struct {
	words   map[string]bool
	lengths [26][26]uint32 // by first and last letter, a bit for each length
}

func (s *wordSet) add(w string) {
	s.words[w] = true
	s.lengths[w[0]-'a'][w[len(w)-1]-'a'] |= 1 << min(len(w), 31)
}

// has reports whether a word of letters is in the set.
func (s *wordSet) has(w string) bool {
	return s.lengths[w[0]-'a'][w[len(w)-1]-'a']>>min(len(w), 31)&1 != 0 && s.words[w]
}

// suffixInside reports whether words that end most names stand where none of them
// belongs.
func suffixInside(n Name) bool {
	for _, part := range []string{n.Sub, n.Label} {
		for label := range strings.FieldsFuncSeq(part, func(r rune) bool { return r == '.' || r == '-' }) {
			switch label {
			case "com", "net", "org", "co", "jp", "gov", "uk":
				return label != n.Label
			}
		}
	}
	return false
}

// unicode counts the scripts of a label and the letters that look like others.
func (s *nameSigns) unicode(label string) {
	latin, other := false, false
	for _, r := range label {
		if _, ok := confusables()[r]; ok {
			s.confusedChars++
		}
		switch {
		case r < 0x80 && !unicode.IsLetter(r), unicode.Is(unicode.Common, r), unicode.Is(unicode.Inherited, r):
		case unicode.Is(unicode.Latin, r):
			latin = true
		default:
			other = true
		}
	}
	if latin && other {
		s.scripts = max(s.scripts, 2)
	} else {
		s.scripts = max(s.scripts, 1)
	}
}

// imitated returns the brand that a name plays on: first what stands in the label,
// then below it; first what is the whole, then a word of it, then a part, then
// what is merely near. Of equals the longest counts.
func (b *Brands) imitated(n Name) imitation {
	owned := b.owners[n.Registrable]
	if len(owned) > 0 {
		return imitation{own: true, at: owned[0], word: b.list[owned[0]].word, how: "own"}
	}
	for _, part := range []struct{ where, text string }{{"label", n.Label}, {"sub", n.Sub}} {
		if m, ok := b.within(part.text); ok {
			m.where = part.where
			return m
		}
	}
	return imitation{}
}

// minPart is the shortest brand that counts as a part of a longer word.
const minPart = 5

// within returns the brand that a part of a name plays on.
func (b *Brands) within(text string) (imitation, bool) {
	if text == "" {
		return imitation{}, false
	}
	seen := text
	if strings.Contains(text, "xn--") {
		labels := strings.Split(text, ".")
		for i := range labels {
			labels[i] = readable(labels[i])
		}
		seen = strings.Join(labels, ".")
	}
	plain := skeleton(seen)
	tokens := strings.FieldsFunc(plain, func(r rune) bool { return r == '.' || r == '-' || r == '_' })
	best, found, rank := imitation{}, false, 0
	take := func(i int, how string, score, distance int) {
		if score = score*64 + len(b.list[i].word); !found || score > rank {
			best, found, rank = imitation{at: i, word: b.list[i].word, how: how, distance: distance}, true, score
		}
	}
	var room [8]int
	for _, i := range b.search().in(plain, room[:0]) {
		w := &b.list[i]
		asWritten := strings.Contains(seen, w.word)
		switch {
		case plain == w.plain && asWritten:
			take(i, "is", 5, 0)
		case hasToken(tokens, w.plain) && asWritten:
			take(i, "word", 4, 0)
		case len(w.plain) >= minPart && asWritten:
			take(i, "part", 2, 0)
		case len(w.plain) >= minPart, hasToken(tokens, w.plain) && len(w.plain) >= 4:
			take(i, "glyphs", 3, 0)
		}
	}
	if found {
		return best, true
	}
	for _, token := range tokens {
		if i, d, ok := b.nearest(token); ok {
			take(i, "near", 3-d, d)
		}
	}
	return best, found
}

func hasToken(tokens []string, word string) bool {
	for _, t := range tokens {
		if t == word {
			return true
		}
	}
	return false
}

// isOf is 1 where the imitation is of that kind in that part, 0 where it is not.
func (m *imitation) isOf(where string, how ...string) float64 {
	if m.where != where {
		return 0
	}
	for _, h := range how {
		if m.how == h {
			return 1
		}
	}
	return 0
}

func flag(is bool) float64 {
	if is {
		return 1
	}
	return 0
}

// plainName returns a name in the letters that it looks like, "" where it is
// written in them.
func plainName(n Name) string {
	labels := strings.Split(n.Host, ".")
	for i := range labels {
		labels[i] = skeleton(readable(labels[i]))
	}
	if plain := strings.Join(labels, "."); plain != n.Host {
		return plain
	}
	return ""
}

func missing(is bool, v float64) float64 {
	if is {
		return math.NaN()
	}
	return v
}

func popcount(v uint64) int { return bits.OnesCount64(v) }
