package main

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"picket/pipeline/train"
)

// cardCommand shows the figures of a model card, and adds to them.
func (a *app) cardCommand() *cobra.Command {
	var add, evidence, out string
	c := &cobra.Command{
		Use: "card [MODEL]", Short: "What a package's model card claims, by what the claim rests on",
		Long: `Prints the evaluations of a model card, apart by what was trained on and what was
tested on: real to real, simulated to real, simulated to simulated. --add puts
evaluations that "picket evaluate -o json" wrote into the card and writes the
package anew; nothing else in it changes.`,
		Args:    upToOneArg("at most one model package"),
		Example: "  picket model card",
		RunE: func(c *cobra.Command, args []string) error {
			pkg, err := a.loadPackage(cmp.Or(append(args, "")...))
			if err != nil {
				return err
			}
			if add != "" {
				if out == "" {
					return usageError(hint(errors.New("--add needs --output"), "name the package to write"))
				}
				if err := addToCard(pkg, add, train.Evidence(evidence)); err != nil {
					return err
				}
				if err := writePackage(out, pkg); err != nil {
					return err
				}
			}
			return printCard(a.stdout, pkg.Card)
		},
	}
	c.Flags().StringVar(&add, "add", "", "evaluations to add, a file of \"picket evaluate -o json\"")
	c.Flags().StringVar(&evidence, "evidence", string(train.SimulatedToReal), fmt.Sprintf("what they rest on, one of %q", train.Evidences()))
	c.Flags().StringVarP(&out, "output", "o", "", "package to write")
	return c
}

func addToCard(pkg *train.Package, file string, evidence train.Evidence) error {
	f, err := os.Open(file)
	if err != nil {
		return err
	}
	defer f.Close()
	var evaluations []*train.Evaluation
	for d := json.NewDecoder(f); ; {
		e := &train.Evaluation{}
		if err := d.Decode(e); err == io.EOF {
			break
		} else if err != nil {
			return hint(fmt.Errorf("%s: %w", file, err), "make it with \"picket evaluate -o json\"")
		}
		evaluations = append(evaluations, e)
	}
	return hintIf(pkg.AddToCard(evidence, evaluations...), "evaluate this very package, and name its evidence")
}

func printCard(w io.Writer, card json.RawMessage) error {
	if card == nil {
		return hint(errors.New("the package has no model card"), "packages of \"picket model make\" have one")
	}
	evaluations, err := train.CardEvaluations(card)
	if err != nil {
		return err
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "EVIDENCE\tBOOSTER\tTESTED ON\tROWS\tMALICIOUS\tAUC\tRECALL\tFPR\tRECALL AT 1 %\tECE")
	for _, e := range evaluations {
		m := e.Metrics
		fmt.Fprintf(t, "%s\t%s\t%s\t%.0f\t%.0f\t%.4f\t%.4f\t%.4f\t%.4f\t%.4f\n", cmp.Or(e.Evidence, "not said"), oneLine(e.Booster), oneLine(e.Data),
			m["rows"], m["malicious rows"], m["AUC"], m["recall"], m["false positive rate"], m["recall at 1 % false positives"], m["expected calibration error"])
	}
	return t.Flush()
}
