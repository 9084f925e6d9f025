package pipeline

import (
	_ "embed"
	"strings"
	"sync"
)

//go:embed edges.txt
var edgesFile string

// edges are the domains of content networks: what is below one is a machine's name that
// its operator makes from the customer's, "www.example.com.edgekey.net".
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
