package main

import "github.com/spf13/cobra"

// commands lists every command, in the order of the data.
func (a *app) commands() []*cobra.Command {
	return []*cobra.Command{
		a.demoCommand(),
		a.detectCommand(),
		a.explainCommand(),
		a.featuresCommand(),
		a.scoreCommand(),
		a.trainCommand(),
		a.serveCommand(),
		a.simulateCommand(),
		a.modelCommand(),
		a.configCommand(),
		a.versionCommand(),
	}
}
