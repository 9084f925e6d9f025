package simulate

import (
	"embed"
	"fmt"
	"strings"
)

//go:embed scripts/*.txt
var scripts embed.FS

// Scripts are the names of the scripts that come with Picket.
func Scripts() []string {
	entries, _ := scripts.ReadDir("scripts") // embedded: cannot fail
	var names []string
	for _, e := range entries {
		names = append(names, strings.TrimSuffix(e.Name(), ".txt"))
	}
	return names
}

// ScriptText is the text of a script that comes with Picket.
func ScriptText(name string) (string, error) {
	b, err := scripts.ReadFile("scripts/" + name + ".txt")
	if err != nil {
		return "", fmt.Errorf("no script %q; there are %s", name, strings.Join(Scripts(), ", "))
	}
	return string(b), nil
}

// Load parses a script that comes with Picket.
func Load(name string) (*Script, error) {
	text, err := ScriptText(name)
	if err != nil {
		return nil, err
	}
	return ParseScript(strings.NewReader(text))
}
