package extract

import (
	_ "embed"
	"strings"
	"sync"
)

//go:embed names/edges.txt
var edgesFile string

// edges are the domains of content networks.
var edges = sync.OnceValue(func() map[string]bool {
	all := map[string]bool{}
	for line := range strings.Lines(edgesFile) {
		if line[0] == '#' {
			continue
		}
		for _, domain := range strings.Fields(line) {
			all[domain] = true
		}
	}
	return all
})

// Edge reports whether a host name is that of a content network's machine, which its
// operator makes from the customer's name: "www.example.com.edgekey.net".
func Edge(host string) bool {
	for {
		if edges()[host] {
			return true
		}
		_, rest, ok := strings.Cut(host, ".")
		if !ok {
			return false
		}
		host = rest
	}
}
