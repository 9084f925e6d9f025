package main

import "github.com/spf13/cobra"

// commands lists every command, in the order in which one meets them.
func (a *app) commands() []*cobra.Command {
	return []*cobra.Command{
		a.demoCommand(),
		a.upCommand(),
		a.detectCommand(),
		a.explainCommand(),
		a.labelCommand(),
		a.featuresCommand(),
		a.scoreCommand(),
		a.trainCommand(),
		a.evaluateCommand(),
		a.serveCommand(),
		a.pipelineCommand(),
		a.processingCommand(),
		a.modelCommand(),
		a.deployCommand(),
		a.redriveCommand(),
		a.simulateCommand(),
		a.templateCommand(),
		a.configCommand(),
		a.versionCommand(),
	}
}
