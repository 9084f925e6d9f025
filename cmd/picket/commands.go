package main

import "github.com/spf13/cobra"

// commands lists every command, in the order of the data.
func (a *app) commands() []*cobra.Command {
	return []*cobra.Command{
		a.detectCommand(),
		a.featuresCommand(),
		a.configCommand(),
		a.versionCommand(),
	}
}
