package main

import (
	"encoding/json"
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"
)

// version is set at release by -ldflags "-X main.version=v1.2.3".
var version = "dev"

// buildFacts say which program this is.
type buildFacts struct {
	Version  string `json:"version"`
	Go       string `json:"go"`
	Platform string `json:"platform"`
	Revision string `json:"revision,omitempty"`
	Modified bool   `json:"modified,omitempty"` // built from a tree with uncommitted changes
}

func facts() buildFacts {
	f := buildFacts{Version: version, Go: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return f
	}
	for _, s := range info.Settings {
		switch s.Key {
		case "vcs.revision":
			f.Revision = s.Value
		case "vcs.modified":
			f.Modified = s.Value == "true"
		}
	}
	return f
}

func (a *app) versionCommand() *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use: "version", Short: "Say which build this is",
		Args:    exactArgs(0, "no arguments"),
		Example: "  picket version",
		RunE: func(c *cobra.Command, _ []string) error {
			f := facts()
			if asJSON {
				return json.NewEncoder(a.stdout).Encode(f)
			}
			fmt.Fprintf(a.stdout, "picket %s %s %s %s\n", f.Version, f.Go, f.Platform, f.Revision)
			return nil
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, "as JSON")
	return c
}
