package extract

import (
	"math"
	"math/bits"
	"strings"
	"unicode"
)

// What a name says by itself, in the order of the catalogue.
const (
	signLabels = iota
	signLabelLength
	signLabelLongestWord
	signLabelHyphens
	signLabelDigitShare
	signLabelDigitRun
	signLabelConsonantRun
	signLabelVowelShare
	signLabelSwitches
	signLabelEntropy
	signSubLength
	signSubLongestWord
	signSubHyphens
	signSubDigitShare
	signSubEntropy
	signHosted
	signSuffixInside
	signLabelLogOdds
	signSubLogOdds
	signSuffixLogOdds
	signNameLogOdds
	signLabelSurprise
	signSubSurprise
	signLabelCredentialWords
	signSubCredentialWords
	signBrandOwn
	signBrandIsLabel
	signBrandWordInLabel
	signBrandPartOfLabel
	signBrandInSub
	signBrandGlyphs
	signBrandDistance
	signBrandLength
	signPunycode
	signScripts
	signConfusableLetters
	signs // their number
)

// nameSigns are their values.
type nameSigns [signs]float64

// signs computes them.
func (l *Lexicon) signs(s *nameSigns, n *Name, brands *Brands) {
	label, sub := spell(n.Label), spell(n.Sub)
	s[signLabels] = float64(strings.Count(n.Host, ".") + 1)
	s[signLabelLength] = float64(label.length)
	s[signLabelLongestWord] = float64(label.longest)
	s[signLabelHyphens] = float64(label.hyphens)
	s[signLabelDigitShare] = ratio(float64(label.digits), float64(label.length))
	s[signLabelDigitRun] = float64(label.digitRun)
	s[signLabelConsonantRun] = float64(label.consonantRun)
	s[signLabelVowelShare] = label.vowels
	s[signLabelSwitches] = float64(label.switches)
	s[signLabelEntropy] = label.entropy
	s[signSubLength] = float64(sub.length)
	s[signSubLongestWord] = float64(sub.longest)
	s[signSubHyphens] = float64(sub.hyphens)
	s[signSubDigitShare] = ratio(float64(sub.digits), float64(sub.length))
	s[signSubEntropy] = sub.entropy
	s[signHosted] = flag(n.Hosting != "")
	s[signSuffixInside] = flag(suffixInside(n))

	ofLabel, ofSub := l.runOdds('l', n.Label, 2), l.runOdds('s', n.Sub, 3)
	ofSuffix := l.oddsOf(int64(l.weights[gram('z', n.Suffix)])+int64(l.weights[gram('h', n.Hosting)]), 2)
	s[signLabelLogOdds], s[signSubLogOdds], s[signSuffixLogOdds] = ofLabel, ofSub, ofSuffix
	s[signNameLogOdds] = ofLabel + ofSub + ofSuffix
	s[signLabelSurprise], s[signSubSurprise] = l.surprise(n.Label), l.surprise(n.Sub)
	s[signLabelCredentialWords], s[signSubCredentialWords] = float64(countCredential(n.Label)), float64(countCredential(n.Sub))

	m := brands.imitated(n)
	m.sign(s)
	s[signPunycode], s[signScripts], s[signConfusableLetters] = 0, 0, 0
	if strings.Contains(n.Host, "xn--") {
		for label := range strings.SplitSeq(n.Host, ".") {
			if strings.HasPrefix(label, "xn--") {
				s[signPunycode] = 1
				s.unicode(readable(label))
			}
		}
	}
}

// unicode counts the scripts of a label and the letters that look like others.
func (s *nameSigns) unicode(label string) {
	latin, other := false, false
	for _, r := range label {
		if _, ok := confusables()[r]; ok {
			s[signConfusableLetters]++
		}
		switch {
		case r < 0x80 && !unicode.IsLetter(r), unicode.Is(unicode.Common, r), unicode.Is(unicode.Inherited, r):
		case unicode.Is(unicode.Latin, r):
			latin = true
		default:
			other = true
		}
	}
	s[signScripts] = max(s[signScripts], 1+flag(latin && other))
}

// countCredential counts the words of a text that ask for credentials or money; one
// where they are only written together with others: "paypallogin".
func countCredential(text string) int {
	known := credentialWords()
	n, inside := 0, 0
	for i := 0; i < len(text); i++ {
		from := i
		for i < len(text) && text[i] >= 'a' && text[i] <= 'z' {
			i++
		}
		if i == from {
			continue
		}
		w := text[from:i]
		if known.has(w) {
			n++
		} else if inside == 0 && known.within(w) {
			inside = 1
		}
	}
	return max(n, inside)
}

// wordSet is words of letters that are looked up for nearly every part of a name,
// and are nearly never there.
type wordSet struct {
	words      map[string]bool
	lengths    [26][26]uint32 // by first and last letter, a bit for each length
	begin, end [26]uint32     // by first letter, by last
}

func (s *wordSet) add(w string) {
	s.words[w] = true
	first, last, bit := w[0]-'a', w[len(w)-1]-'a', uint32(1)<<min(len(w), 31)
	s.lengths[first][last] |= bit
	s.begin[first] |= bit
	s.end[last] |= bit
}

// has reports whether a word of letters is in the set.
func (s *wordSet) has(w string) bool {
	return s.lengths[w[0]-'a'][w[len(w)-1]-'a']>>min(len(w), 31)&1 != 0 && s.words[w]
}

// within reports whether a word of letters begins or ends with one of the set that has
// minPart letters or more, and less than 31.
func (s *wordSet) within(w string) bool {
	shorter := (uint32(1)<<min(len(w), 31) - 1) &^ (1<<minPart - 1) // than itself
	for left := (s.begin[w[0]-'a'] | s.end[w[len(w)-1]-'a']) & shorter; left != 0; left &= left - 1 {
		if size := bits.TrailingZeros32(left); s.has(w[:size]) || s.has(w[len(w)-size:]) {
			return true
		}
	}
	return false
}

// suffixInside reports whether words that end most names stand where none of them
// belongs.
func suffixInside(n *Name) bool {
	for _, part := range [2]string{n.Sub, n.Label} {
		for from := 0; from < len(part); {
			to := from
			for to < len(part) && part[to] != '.' && part[to] != '-' {
				to++
			}
			switch word := part[from:to]; word {
			case "com", "net", "org", "co", "jp", "gov", "uk":
				return word != n.Label
			}
			from = to + 1
		}
	}
	return false
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

// sign writes what the imitation says.
func (m *imitation) sign(s *nameSigns) {
	label := m.where == "label"
	s[signBrandOwn] = flag(m.own)
	s[signBrandIsLabel] = flag(label && m.how == "is")
	s[signBrandWordInLabel] = flag(label && m.how == "word")
	s[signBrandPartOfLabel] = flag(label && m.how == "part")
	s[signBrandInSub] = flag(m.where == "sub" && (m.how == "is" || m.how == "word" || m.how == "part"))
	s[signBrandGlyphs] = flag(m.how == "glyphs")
	s[signBrandDistance] = missing(!label || m.how != "near", float64(m.distance))
	s[signBrandLength] = missing(m.word == "", float64(len(m.word)))
}

// imitated returns the brand that a name plays on: first what stands in the label,
// then below it; first what is the whole, then a word of it, then a part, then
// what is merely near. Of equals the longest counts, then the first of the list.
func (b *Brands) imitated(n *Name) imitation {
	punycode := strings.Contains(n.Host, "xn--")
	if owned := b.owners[n.Registrable]; len(owned) > 0 {
		return imitation{own: true, at: owned[0], word: b.list[owned[0]].word, how: "own"}
	}
	m, ok := b.within(n.Label, punycode)
	m.where = "label"
	if !ok {
		if m, ok = b.within(n.Sub, punycode); !ok {
			return imitation{}
		}
		m.where = "sub"
	}
	return m
}

// minPart is the shortest brand that counts as a part of a longer word.
const minPart = 5

// within returns the brand that a part of a name plays on.
func (b *Brands) within(text string, punycode bool) (imitation, bool) {
	if text == "" {
		return imitation{}, false
	}
	seen := text
	if punycode {
		labels := strings.Split(text, ".")
		for i := range labels {
			labels[i] = readable(labels[i])
		}
		seen = strings.Join(labels, ".")
	}
	var room [maxName]byte
	plain := appendSkeleton(room[:0], seen)
	best, rank := imitation{}, 0
	take := func(i int, how string, score int) {
		if score = score*64 + len(b.list[i].word); score > rank || score == rank && i < best.at {
			best, rank = imitation{at: i, word: b.list[i].word, how: how}, score
		}
	}
	var found [16]int32
	for _, i := range b.search().in(plain, found[:0]) {
		i, w := int(i), &b.list[i]
		asWritten := strings.Contains(seen, w.word)
		switch {
		case asWritten && string(plain) == w.plain:
			take(i, "is", 5)
		case asWritten && hasToken(plain, w.plain):
			take(i, "word", 4)
		case asWritten && len(w.plain) >= minPart:
			take(i, "part", 2)
		case len(w.plain) >= minPart, len(w.plain) >= 4 && hasToken(plain, w.plain):
			take(i, "glyphs", 3)
		}
	}
	if rank > 0 {
		return best, true
	}
	return b.nearAny(plain)
}

// nearAny returns the brand next to a word of a plain text, the first of equals.
func (b *Brands) nearAny(plain []byte) (best imitation, found bool) {
	rank := 0
	for len(plain) > 0 {
		var token []byte
		token, plain = cutToken(plain)
		if i, d, ok := b.nearest(token); ok {
			if score := (3-d)*64 + len(b.list[i].word); score > rank {
				best, rank = imitation{at: i, word: b.list[i].word, how: "near", distance: d}, score
			}
		}
	}
	return best, rank > 0
}

// cutToken cuts the first word off a text: what is before a dot, a hyphen or an
// underscore.
func cutToken(text []byte) (token, rest []byte) {
	for i, c := range text {
		if c == '.' || c == '-' || c == '_' {
			return text[:i], text[i+1:]
		}
	}
	return text, nil
}

func hasToken(plain []byte, word string) bool {
	for len(plain) > 0 {
		var token []byte
		if token, plain = cutToken(plain); string(token) == word {
			return true
		}
	}
	return false
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
