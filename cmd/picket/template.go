package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"picket/aws/template"
)

// templateCommand prints the CloudFormation templates.
func (a *app) templateCommand() *cobra.Command {
	return &cobra.Command{
		Use: "template [base|ml|storage]", Short: "Print the CloudFormation templates, every permission with its reason",
		Long: `Prints a CloudFormation template that "picket deploy" deploys, as a reviewer should
read it: base has the bucket, the key, queues, rules, functions, alarms and their
roles; ml has SageMaker's pipeline, its roles and the endpoint's alarms; storage is
the part of base that a new deployment makes first.`,
		Args:      upToOneArg("base, ml or storage"),
		ValidArgs: []string{"base", "ml", "storage"},
		Example:   "  picket template base",
		RunE: func(c *cobra.Command, args []string) error {
			which := "base"
			if len(args) > 0 {
				which = args[0]
			}
			text, ok := map[string]func() string{"base": template.Base, "ml": template.ML, "storage": template.Storage}[which]
			if !ok {
				return usageError(hint(fmt.Errorf("no template %q", which), "say base, ml or storage"))
			}
			_, err := fmt.Fprint(a.stdout, text())
			return err
		},
	}
}
