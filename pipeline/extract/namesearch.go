package extract

import (
	"math/bits"
	"slices"
)

// brandSearch finds brands in a text in one pass (Aho and Corasick 1975), and the
// words that are a letter or two away from one by what is left of both without these
// letters: both at the price of the text, however many brands there are.
type brandSearch struct {
	next  []uint32           // by state (times plainLetters) and letter
	last  uint32             // from this state on a brand ends in each
	ends  [][]int32          // of these states: brands whose plain word ends here
	rests map[uint64][]int32 // by sum of the letters that are left of a plain word when one or two are taken away
	seen  []uint64           // which of these sums there can be, by their upper bits
	shift int                // what is above the bits that count
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
		eachRest([]byte(list[i].plain), func(sum uint64) {
			if all := s.rests[sum]; len(all) == 0 || all[len(all)-1] != int32(i) {
				s.rests[sum] = append(all, int32(i))
			}
		})
	}
	// With 64 bits to a sum few that are not there look as if they were.
	size := min(max(6, bits.Len(uint(64*len(s.rests)))), 23)
	s.seen, s.shift = make([]uint64, 1<<(size-6)), 64-size
	for sum := range s.rests {
		s.seen[sum>>s.shift/64] |= 1 << (sum >> s.shift % 64)
	}
	return s
}

// enterAll makes the automaton: a trie of the plain words, which link completes. The
// states in which a word ends come last, so that a comparison tells them.
func (s *brandSearch) enterAll(list []brand) {
	trie := [][plainLetters]uint32{{}}
	ends := [][]int32{nil}
	for i := range list {
		at := uint32(0)
		for _, c := range []byte(list[i].plain) {
			to := trie[at][plainLetter[c]]
			if to == 0 {
				to = uint32(len(trie))
				trie[at][plainLetter[c]] = to
				trie, ends = append(trie, [plainLetters]uint32{}), append(ends, nil)
			}
			at = to
		}
		ends[at] = append(ends[at], int32(i))
	}
	link(trie, ends)
	place, n := make([]uint32, len(trie)), uint32(0)
	for _, ending := range []bool{false, true} {
		if ending {
			s.last = n * plainLetters
		}
		for at := range trie {
			if (len(ends[at]) > 0) == ending {
				place[at] = n * plainLetters
				n++
			}
		}
	}
	s.next, s.ends = make([]uint32, len(trie)*plainLetters), make([][]int32, n-s.last/plainLetters)
	for at := range trie {
		for c, to := range trie[at] {
			s.next[place[at]+uint32(c)] = place[to]
		}
		if len(ends[at]) > 0 {
			s.ends[(place[at]-s.last)/plainLetters] = ends[at]
		}
	}
}

// link makes an automaton of a trie, level by level.
func link(next [][plainLetters]uint32, ends [][]int32) {
	fail := make([]uint32, len(next))
	queue := []uint32{0}
	for len(queue) > 0 {
		at := queue[0]
		queue = queue[1:]
		for c := 1; c < plainLetters; c++ {
			child, other := next[at][c], uint32(0)
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
	at := uint32(0)
	for _, c := range plain {
		if at = s.next[at+uint32(plainLetter[c])]; at >= s.last {
			found = append(found, s.ends[(at-s.last)/plainLetters]...)
		}
	}
	return found
}

// near visits the brands that share with a word the letters that are left of both when
// one is taken away, or two of a long word; some more than once. Whoever differs from
// the word by no more than that is among them: letters without their order are fewer
// to look up than what is left of the word, and few words are made of the same.
func (s *brandSearch) near(word []byte, visit func(brands []int32)) {
	eachRest(word, func(sum uint64) {
		if s.seen[sum>>s.shift/64]>>(sum>>s.shift%64)&1 != 0 {
			visit(s.rests[sum])
		}
	})
}

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

// eachRest visits the sum of a word's letters, and of what is left of them without one,
// of a long word without two.
func eachRest(word []byte, visit func(sum uint64)) {
	var room [maxFuzzy]uint64
	kinds := room[:0] // one of each letter
	var once, twice [4]uint64
	sum := uint64(0)
	for _, c := range word {
		add := letterSums[c]
		sum += add
		bit := uint64(1) << (c % 64)
		if once[c/64]&bit == 0 {
			kinds = append(kinds, add)
		}
		twice[c/64] |= once[c/64] & bit
		once[c/64] |= bit
	}
	visit(sum)
	if len(word) < minFuzzy {
		return
	}
	for i, one := range kinds {
		visit(sum - one)
		if len(word) >= minFuzzier {
			for _, other := range kinds[:i] {
				visit(sum - one - other)
			}
		}
	}
	if len(word) < minFuzzier {
		return
	}
	for i, set := range twice {
		for ; set != 0; set &= set - 1 {
			visit(sum - 2*letterSums[64*i+bits.TrailingZeros64(set)])
		}
	}
}
