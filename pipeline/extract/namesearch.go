package extract

import "slices"

// brandSearch finds brands in a text in one pass (Aho and Corasick 1975), and the
// words that are a letter or two away from one without writing down what is left of
// them: both at the price of the text, however many brands there are.
type brandSearch struct {
	next  [][plainLetters]uint16 // by state and letter
	ends  [][]int                // by state: brands whose plain word ends here
	rests map[uint64][]int       // by hash of what is left of a plain word when a letter or two is taken away
	seen  [1 << 10]uint64        // which of these hashes there can be, by their lower bits
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
	s := &brandSearch{next: make([][plainLetters]uint16, 1), ends: make([][]int, 1), rests: map[uint64][]int{}}
	for i := range list {
		s.enter(i, list[i].plain)
		if len(list[i].plain) < minFuzzy {
			continue
		}
		eachRest(list[i].plain, func(hash uint64) {
			if !slices.Contains(s.rests[hash], i) {
				s.rests[hash] = append(s.rests[hash], i)
			}
			s.seen[hash>>6%uint64(len(s.seen))] |= 1 << (hash % 64)
		})
	}
	s.link()
	return s
}

// enter adds a word to the trie.
func (s *brandSearch) enter(i int, word string) {
	at := uint16(0)
	for j := range len(word) {
		to := &s.next[at][plainLetter[word[j]]]
		if *to == 0 {
			*to = uint16(len(s.next))
			s.ends = append(s.ends, nil)
			s.next = append(s.next, [plainLetters]uint16{}) // moves *to, which is set
		}
		at = s.next[at][plainLetter[word[j]]]
	}
	s.ends[at] = append(s.ends[at], i)
}

// link makes an automaton of the trie, level by level.
func (s *brandSearch) link() {
	fail := make([]uint16, len(s.next))
	queue := []uint16{0}
	for len(queue) > 0 {
		at := queue[0]
		queue = queue[1:]
		for c := 1; c < plainLetters; c++ {
			child, other := s.next[at][c], uint16(0)
			if at != 0 {
				other = s.next[fail[at]][c]
			}
			if child == 0 {
				s.next[at][c] = other
				continue
			}
			fail[child] = other
			s.ends[child] = slices.Concat(s.ends[child], s.ends[other])
			queue = append(queue, child)
		}
	}
}

// in returns the brands whose plain word stands in a text, in their order.
func (s *brandSearch) in(plain string, found []int) []int {
	at := uint16(0)
	for i := range len(plain) {
		at = s.next[at][plainLetter[plain[i]]]
		if ends := s.ends[at]; ends != nil {
			found = append(found, ends...)
		}
	}
	if len(found) > 1 {
		slices.Sort(found)
		found = slices.Compact(found)
	}
	return found
}

// near visits the brands that share with a word what is left of both when a letter
// is taken away, or two of a long word; some more than once.
func (s *brandSearch) near(word string, visit func(i int)) {
	eachRest(word, func(hash uint64) {
		if s.seen[hash>>6%uint64(len(s.seen))]>>(hash%64)&1 == 0 {
			return
		}
		for _, i := range s.rests[hash] {
			visit(i)
		}
	})
}

// restFactor is the base of the polynomial that eachRest hashes by.
const restFactor = 0x9e3779b97f4a7c15

// eachRest visits the hash of a word, and of what is left of it without one letter,
// of a long one without two.
func eachRest(word string, visit func(hash uint64)) {
	const most = 64
	if len(word) > most {
		return
	}
	var before, after, power [most + 1]uint64 // hashes of what is before and from a letter on
	power[0] = 1
	for i := range len(word) {
		power[i+1] = power[i] * restFactor
		before[i+1] = before[i]*restFactor + uint64(word[i]) + 1
	}
	for i := len(word) - 1; i >= 0; i-- {
		after[i] = (uint64(word[i])+1)*power[len(word)-1-i] + after[i+1]
	}
	visit(spread(before[len(word)]))
	if len(word) < minFuzzy {
		return
	}
	n := len(word)
	for i := range n {
		visit(spread(before[i]*power[n-i-1] + after[i+1]))
		if n < minFuzzier {
			continue
		}
		between := before[i] // of what is before i and between i and j
		for j := i + 1; j < n; j++ {
			visit(spread(between*power[n-j-1] + after[j+1]))
			between = between*restFactor + uint64(word[j]) + 1
		}
	}
}

// spread makes lower bits depend on all.
func spread(hash uint64) uint64 {
	hash ^= hash >> 32
	hash *= 0xd6e8feb86659fd93
	return hash ^ hash>>32
}
