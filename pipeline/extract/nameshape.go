package extract

import (
	"math"
	"math/bits"
)

// textSigns are the shape of one part of a name.
type textSigns struct {
	length, hyphens, digits, digitRun, consonantRun, switches, longest int
	vowels                                                             float64
	entropy                                                            float64 // bits
}

// spelling is what one character of a name is.
type spelling struct {
	adds                     uint64 // 1 in the sixteen bits of each count that it belongs to
	digit, consonant, inside uint16 // all bits where it is one; inside a word: neither dot nor hyphen
	code                     uint8  // in the order of characters
	kind                     uint8  // 1 a digit, 2 a letter
}

// Counts of spelling.adds.
const (
	addDigit, addHyphen, addLetter, addVowel = 1, 1 << 16, 1 << 32, 1 << 48
)

var spellings = func() (of [256]spelling) {
	const all = 1<<16 - 1
	for c := range of {
		s := spelling{code: 63, inside: all}
		switch {
		case c == '-':
			s = spelling{code: 0, adds: addHyphen}
		case c == '.':
			s = spelling{code: 1}
		case c >= '0' && c <= '9':
			s = spelling{code: uint8(2 + c - '0'), adds: addDigit, digit: all, inside: all, kind: 1}
		case c == '_':
			s.code = 12
		case c >= 'a' && c <= 'z':
			s = spelling{code: uint8(13 + c - 'a'), adds: addLetter, inside: all, kind: 2}
			if vowels>>(c-'a')&1 != 0 {
				s.adds += addVowel
			} else {
				s.consonant = all
			}
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
	if text == "" {
		return textSigns{vowels: math.NaN(), entropy: math.NaN()}
	}
	var counts [64]uint8
	var used, again, adds uint64 // codes that came once, twice
	var digitRun, consonantRun, run, digits, consonants, longest uint16
	var switches, last uint8
	for i := range len(text) {
		c := &spellings[text[i]]
		adds += c.adds
		counts[c.code&63]++
		bit := uint64(1) << (c.code & 63)
		again |= used & bit
		used |= bit
		switches += (c.kind&(last>>1) | c.kind>>1&last) & 1
		last = c.kind
		digitRun = (digitRun + 1) & c.digit
		consonantRun = (consonantRun + 1) & c.consonant
		run = (run + 1) & c.inside
		digits = max(digits, digitRun)
		consonants = max(consonants, consonantRun)
		longest = max(longest, run)
	}
	// What came once adds nothing but a key: 1·log2(1) is 0.
	once := uint64(bits.OnesCount64(used &^ again))
	e := entropy{keys: once, total: once}
	for ; again != 0; again &= again - 1 {
		e.add(uint64(counts[bits.TrailingZeros64(again)]))
	}
	of := func(count uint64) int { return int(adds / count & (1<<16 - 1)) }
	return textSigns{
		length: len(text), hyphens: of(addHyphen), digits: of(addDigit), switches: int(switches),
		digitRun: int(digits), consonantRun: int(consonants), longest: int(longest),
		vowels: ratio(float64(of(addVowel)), float64(of(addLetter))), entropy: e.bits(),
	}
}
