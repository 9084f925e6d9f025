package extract

import (
	"math/bits"
	"slices"
)

// brandSearch finds brands in a text in one pass (Aho and Corasick 1975), and the
// words that are a letter or two away from one by what is left of both without these
// letters: both at the price of the text, however many brands there are.
type brandSearch struct {
	next  []uint16           // by state and letter
	last  uint16             // from this state on a brand ends in each
	ends  [][]int32          // of these states: brands whose plain word ends here
	rests map[uint64][]int32 // by sum of the letters that are left of a plain word when one or two are taken away
	seen  []uint64           // which of these sums there can be, a word by their upper bits
	shift int                // of what is below these
}

// plainLetters are those of plain words: none of them, digits, letters.
const plainLetters = 1 + 10 + 26

var plainLetter = func() (of [256]uint8) {
	for c := byte('0'); c <= '9'; c++ {
		of[c] = 1 + c - '0'
	}
	for c := byte('a'); c <= 'z'; c++ {
		of[c] = 11 + c - 'a'
	}
	return of
}()

func newBrandSearch(list []brand) *brandSearch {
	s := &brandSearch{rests: map[uint64][]int32{}}
	s.enterAll(list)
	for i := range list {
		if len(list[i].plain) < minFuzzy {
			continue
		}
		for _, sum := range appendRests(nil, []byte(list[i].plain)) {
			if all := s.rests[sum]; len(all) == 0 || all[len(all)-1] != int32(i) {
				s.rests[sum] = append(all, int32(i))
			}
		}
	}
	// With 16 bits to a sum, and two of a word for each, two in a hundred that are not
	// there look as if they were.
	size := min(max(6, bits.Len(uint(16*len(s.rests)))), 20)
	s.seen, s.shift = make([]uint64, 1<<(size-6)), 64-(size-6)
	for sum := range s.rests {
		s.seen[sum>>(s.shift&63)] |= seenBits(sum)
	}
	return s
}

// enterAll makes the automaton: a trie of the plain words, which link completes. The
// states in which a word ends come last, so that a comparison tells them.
func (s *brandSearch) enterAll(list []brand) {
	trie := [][plainLetters]uint16{{}}
	ends := [][]int32{nil}
	for i := range list {
		at := uint16(0)
		for _, c := range []byte(list[i].plain) {
			to := trie[at][plainLetter[c]]
			if to == 0 {
				to = uint16(len(trie))
				trie[at][plainLetter[c]] = to
				trie, ends = append(trie, [plainLetters]uint16{}), append(ends, nil)
			}
			at = to
		}
		ends[at] = append(ends[at], int32(i))
	}
	link(trie, ends)
	place, n := make([]uint16, len(trie)), uint16(0)
	for _, ending := range []bool{false, true} {
		if ending {
			s.last = n
		}
		for at := range trie {
			if (len(ends[at]) > 0) == ending {
				place[at] = n
				n++
			}
		}
	}
	s.next, s.ends = make([]uint16, len(trie)*plainLetters), make([][]int32, n-s.last)
	for at := range trie {
		for c, to := range trie[at] {
			s.next[int(place[at])*plainLetters+c] = place[to]
		}
		if len(ends[at]) > 0 {
			s.ends[place[at]-s.last] = ends[at]
		}
	}
}

// link makes an automaton of a trie, level by level.
func link(next [][plainLetters]uint16, ends [][]int32) {
	fail := make([]uint16, len(next))
	queue := []uint16{0}
	for len(queue) > 0 {
		at := queue[0]
		queue = queue[1:]
		for c := 1; c < plainLetters; c++ {
			child, other := next[at][c], uint16(0)
			if at != 0 {
				other = next[fail[at]][c]
			}
			if child == 0 {
				next[at][c] = other
				continue
			}
			fail[child] = other
			ends[child] = slices.Concat(ends[child], ends[other])
			queue = append(queue, child)
		}
	}
}

// in appends the brands whose plain word stands in a text, each as often as it does.
func (s *brandSearch) in(plain []byte, found []int32) []int32 {
	at := uint16(0)
	for _, c := range plain {
		if at = s.next[uint(at)*plainLetters+uint(plainLetter[c])]; at >= s.last {
			found = append(found, s.ends[at-s.last]...)
		}
	}
	return found
}

// near visits the brands that share with a word the letters that are left of both when
// one is taken away, or two of a long word; some more than once. Whoever differs from
// the word by no more than that is among them: letters without their order are fewer
// to look up than what is left of the word, and few words are made of the same.
func (s *brandSearch) near(word []byte, visit func(brands []int32)) {
	var room [96]uint64 // enough for most
	for _, sum := range appendRests(room[:0], word) {
		if want := seenBits(sum); s.seen[sum>>(s.shift&63)]&want == want {
			visit(s.rests[sum])
		}
	}
}

// seenBits are the two bits that a sum sets in its word.
func seenBits(sum uint64) uint64 { return 1<<(sum%64) | 1<<(sum/64%64) }

// letterSums are what each letter adds to the sum of a word: any numbers whose sums
// seldom meet.
var letterSums = func() (of [256]uint64) {
	for c := range of {
		h := uint64(c+1) * 0x9e3779b97f4a7c15 // SplitMix64
		h = (h ^ h>>30) * 0xbf58476d1ce4e5b9
		h = (h ^ h>>27) * 0x94d049bb133111eb
		of[c] = h ^ h>>31
	}
	return of
}()

// plainSums are letterSums by plainLetter.
var plainSums = func() (of [plainLetters]uint64) {
	for c, code := range plainLetter {
		of[code] = letterSums[c]
	}
	return of
}()

// appendRests appends the sum of a word's letters, and of what is left of them without
// one, of a long word without two.
func appendRests(sums []uint64, word []byte) []uint64 {
	var kinds [maxFuzzy]uint64 // one of each letter
	n, sum := 0, uint64(0)
	var once, twice uint64 // letters by plainLetter
	for _, c := range word[:min(len(word), maxFuzzy)] {
		add, bit := letterSums[c], uint64(1)<<(plainLetter[c]&63)
		sum += add
		if once&bit == 0 || bit == 1 { // no brand has the other letters
			kinds[n] = add
			n++
		}
		twice |= once & bit
		once |= bit
	}
	sums = append(sums, sum)
	if len(word) < minFuzzy {
		return sums
	}
	for i, one := range kinds[:n] {
		left := sum - one
		sums = append(sums, left)
		if len(word) >= minFuzzier {
			for _, other := range kinds[:i] {
				sums = append(sums, left-other)
			}
		}
	}
	if len(word) >= minFuzzier {
		for twice &^= 1; twice != 0; twice &= twice - 1 {
			sums = append(sums, sum-2*plainSums[bits.TrailingZeros64(twice)])
		}
	}
	return sums
}
