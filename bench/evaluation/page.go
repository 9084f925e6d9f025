package main

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"slices"
	"strings"
)

// page is docs/evaluation.md by section, so that one can be measured anew and the
// others stay, also those that this command does not know.
type page map[string]string

const preface = `# Evaluation

Made by ` + "`make evaluation DATA=DIR`" + `, a section at a time; the commands stand in each.
Bad figures stand beside the good ones. [data.md](data.md) names every set, its
licence and the hash of each file.

A figure says how much it is worth: *real → real* is trained and tested on real
traffic, *simulated → real* trained on simulated networks and tested on real traffic,
*simulated → simulated* is both on simulated networks, other ones, and flatters.
`

func marker(name string) string { return "<!-- section " + name + " -->" }

// readPage reads the sections of a page; one that is not there has none.
func readPage(file string) (page, error) {
	p := page{}
	body, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return p, nil
	}
	if err != nil {
		return nil, err
	}
	name := ""
	for line := range strings.Lines(string(body)) {
		if rest, ok := strings.CutPrefix(strings.TrimSpace(line), "<!-- section "); ok {
			name = strings.TrimSuffix(rest, " -->")
			continue
		}
		if name != "" {
			p[name] += line
		}
	}
	return p, nil
}

func (p page) write(file string) error {
	var b strings.Builder
	b.WriteString(preface)
	var names []string
	for _, s := range sections() {
		names = append(names, s.name)
	}
	for _, name := range slices.Sorted(maps.Keys(p)) {
		if !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	for _, name := range names {
		if text := strings.TrimSpace(p[name]); text != "" {
			fmt.Fprintf(&b, "\n%s\n%s\n", marker(name), text)
		}
	}
	return os.WriteFile(file, []byte(b.String()), 0o644)
}
