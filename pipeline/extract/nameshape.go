package extract

import "math/bits"

// textSigns are the shape of one part of a name.
type textSigns struct {
	length, hyphens, digits, digitRun, consonantRun, switches, longest int
	vowels                                                             float64
	entropy                                                            float64 // bits
}

// spelling is what one character of a name is, in the order of characters.
type spelling struct {
	code                                           uint8
	digit, alpha, vowel, consonant, hyphen, inside int // 1 or 0; inside a word: neither dot nor hyphen
}

var spellings = func() (of [256]spelling) {
	for c := range of {
		s := spelling{code: 63, inside: 1}
		switch {
		case c == '-':
			s = spelling{code: 0, hyphen: 1}
		case c == '.':
			s = spelling{code: 1}
		case c >= '0' && c <= '9':
			s = spelling{code: uint8(2 + c - '0'), digit: 1, inside: 1}
		case c == '_':
			s.code = 12
		case c >= 'a' && c <= 'z':
			vowel := vowels >> (c - 'a') & 1
			s = spelling{code: uint8(13 + c - 'a'), alpha: 1, vowel: vowel, consonant: 1 - vowel, inside: 1}
		}
		of[c] = s
	}
	return of
}()

// vowels are a, e, i, o, u and y, a bit each.
const vowels = 1<<0 | 1<<4 | 1<<8 | 1<<14 | 1<<20 | 1<<24

// spell reads the shape of a part of a name that ParseName took apart, without a
// branch for a letter: names are too various to be foretold.
func spell(text string) textSigns {
	s := textSigns{length: len(text)}
	var counts [64]uint16
	var used, again uint64 // codes that came once, twice
	voiced, letters, digitRun, consonantRun, run := 0, 0, 0, 0, 0
	last := &spellings['.']
	for i := range len(text) {
		c := &spellings[text[i]]
		counts[c.code&63]++
		bit := uint64(1) << (c.code & 63)
		again |= used & bit
		used |= bit
		s.digits += c.digit
		s.hyphens += c.hyphen
		letters += c.alpha
		voiced += c.vowel
		s.switches += c.digit&last.alpha | c.alpha&last.digit
		digitRun = (digitRun + 1) & -c.digit
		consonantRun = (consonantRun + 1) & -c.consonant
		run = (run + 1) & -c.inside
		s.digitRun = max(s.digitRun, digitRun)
		s.consonantRun = max(s.consonantRun, consonantRun)
		s.longest = max(s.longest, run)
		last = c
	}
	s.vowels = ratio(float64(voiced), float64(letters))
	// What came once adds nothing but a key: 1·log2(1) is 0.
	e := entropy{keys: uint64(bits.OnesCount64(used &^ again)), total: uint64(bits.OnesCount64(used &^ again))}
	for ; again != 0; again &= again - 1 {
		e.add(uint64(counts[bits.TrailingZeros64(again)]))
	}
	s.entropy = e.bits()
	return s
}
