package extract

import "strings"

// Lookalike reports whether the domain of a host name is written to be taken for a
// protected name's: its label, or a word of it between hyphens, is that name but for
// characters that look like its own (UTS #39; digits for letters, rn for m, vv for w,
// l and i for each other). Domains that a brand holds against look-alikes count too,
// since such registrations lapse; those that b was given beside the brands that ship
// do not.
func (b *Brands) Lookalike(host string) bool {
	n, err := ParseName(host)
	if err != nil {
		return false
	}
	_, ok := b.lookalike(&n)
	return ok
}

// lookalike returns the protected name that a domain is written to be taken for.
func (b *Brands) lookalike(n *Name) (at int, ok bool) {
	if b.given[n.Registrable] {
		return 0, false
	}
	label := readable(n.Label)
	if at, ok = b.twin(label); ok {
		return at, true
	}
	for token := range strings.SplitSeq(label, "-") {
		if at, ok = b.twin(token); ok {
			return at, true
		}
	}
	return 0, false
}

// minTwin is the shortest protected name that look-alikes are told of: shorter words
// have too many by chance.
const minTwin = 5

// twin returns the protected name that a text only looks like.
func (b *Brands) twin(text string) (at int, ok bool) {
	if len(text) < minTwin || isNumber(text) {
		return 0, false
	}
	at, ok = b.twins()[glance(text)]
	if _, itself := b.at[text]; !ok || itself || !disguised(text, b.list[at].word) {
		return 0, false
	}
	return at, true
}

// glance is a text's skeleton, in which l and i are one.
func glance(text string) string { return strings.ReplaceAll(skeleton(text), "i", "l") }

// disguised reports whether a text that looks like a word has characters that the
// word lacks: "modem" is no disguise of "modern".
func disguised(text, word string) bool {
	if len(text) == len(word) && isLetters(text) {
		for i := range len(text) {
			if text[i] != word[i] { // l and i change places
				return true
			}
		}
		return false
	}
	return !isLetters(text) || strings.Count(text, "rn") > strings.Count(word, "rn") || strings.Count(text, "vv") > strings.Count(word, "vv")
}

func isLetters(text string) bool {
	for i := range len(text) {
		if text[i] < 'a' || text[i] > 'z' {
			return false
		}
	}
	return true
}

func glances(list []brand) map[string]int {
	all := map[string]int{}
	for i := range list {
		if w := glance(list[i].word); len(list[i].word) >= minTwin {
			if _, ok := all[w]; !ok {
				all[w] = i
			}
		}
	}
	return all
}
