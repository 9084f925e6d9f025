package extract

import (
	_ "embed"
	"strings"
	"sync"
)

//go:embed names/suffixes.txt
var suffixesFile string

// suffixTree is the public suffix list, a node for each end of a rule. It answers as
// golang.org/x/net/publicsuffix does for a host that is no address, in a quarter of
// the time: a node is found by the hash of its text and not by its order.
type suffixTree struct {
	nodes []suffixNode
	slots [1 << 15]uint32 // open addressing: the upper half of a hash, and a place in nodes, from 1 on
}

type suffixNode struct {
	name             string // "uk", "co.uk"
	kind             uint8
	icann            bool // of a registry, not of a service
	wildcard, parent bool // what is below it is a suffix; has nodes below it
}

// Kinds of nodes.
const (
	suffixWay  = iota // only on the way to others
	suffixRule        // a suffix
	suffixNot         // none, though what is beside it is
)

// readSuffixes reads the rules of a list, one to a line.
func readSuffixes(text string) *suffixTree {
	t := &suffixTree{}
	icann := true
	for line := range strings.Lines(text) {
		rule := strings.TrimSpace(line)
		if strings.HasPrefix(rule, "#") {
			icann = !strings.HasPrefix(rule, "# Rules of services")
			continue
		}
		name, wildcard := strings.CutPrefix(rule, "*.")
		name, exception := strings.CutPrefix(name, "!")
		n := t.enter(name)
		switch {
		case n.kind != suffixWay || wildcard:
		case exception:
			n.kind = suffixNot
		default:
			n.kind = suffixRule
		}
		n.icann = n.icann && icann
		n.wildcard = n.wildcard || wildcard
	}
	return t
}

// enter returns the node of a name, made if need be with those above it.
func (t *suffixTree) enter(name string) *suffixNode {
	hash, at := suffixBasis, 0
	for i := len(name) - 1; i >= -1; i-- {
		if i >= 0 && name[i] != '.' {
			hash = suffixHash(hash, name[i])
			continue
		}
		slot, found := t.find(hash, name[i+1:])
		if !found {
			t.nodes = append(t.nodes, suffixNode{name: name[i+1:], icann: true})
			t.slots[slot] = hash&^0xffff | uint32(len(t.nodes))
		}
		at = int(t.slots[slot]&0xffff) - 1
		if i >= 0 {
			t.nodes[at].parent = true
			hash = suffixHash(hash, '.')
		}
	}
	return &t.nodes[at]
}

// suffixBasis and suffixHash hash a name from its end (FNV-1a).
const suffixBasis = uint32(2166136261)

func suffixHash(hash uint32, c byte) uint32 { return (hash ^ uint32(c)) * 16777619 }

// find returns the slot of a name, or the free one where it would be.
func (t *suffixTree) find(hash uint32, name string) (slot uint32, found bool) {
	const mask = uint32(len(t.slots) - 1)
	for slot = (hash ^ hash>>15) & mask; t.slots[slot] != 0; slot = (slot + 1) & mask {
		if v := t.slots[slot]; v>>16 == hash>>16 && t.nodes[v&0xffff-1].name == name {
			return slot, true
		}
	}
	return slot, false
}

// suffix returns the public suffix of a host, and whether it is a registry's.
func (t *suffixTree) suffix(host string) (suffix string, icann bool) {
	from, wildcard, ofRegistry := len(host), false, false
	last := 0 // of the top-level domain
	hash := suffixBasis
	for i := len(host) - 1; ; i-- {
		if i >= 0 && host[i] != '.' {
			hash = suffixHash(hash, host[i])
			continue
		}
		if last == 0 {
			last = i + 1
		}
		if wildcard {
			icann, from = ofRegistry, i+1
		}
		slot, found := t.find(hash, host[i+1:])
		if !found {
			break
		}
		n := &t.nodes[t.slots[slot]&0xffff-1]
		ofRegistry, wildcard = n.icann, n.wildcard
		if n.kind == suffixRule {
			from = i + 1
		} else if n.kind == suffixNot {
			_, parent, _ := strings.Cut(n.name, ".")
			return parent, icann
		}
		if !wildcard {
			icann = ofRegistry
		}
		if i < 0 || !n.parent && !wildcard {
			break
		}
		hash = suffixHash(hash, '.')
	}
	if from == len(host) { // no rule: the top-level domain
		from = last
	}
	return host[from:], icann
}

// suffixes is the list that ships.
var suffixes = sync.OnceValue(func() *suffixTree { return readSuffixes(suffixesFile) })
