package deploy

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"picket/aws/template"
)

// Print prints the plan for a person: who, what changes, what it costs, what is
// doubtful.
func (p *Plan) Print(w io.Writer) error {
	verb := "upgrade"
	if p.New {
		verb = "new installation"
	}
	fmt.Fprintf(w, "%s %q in account %s, region %s, as %s\n", verb, p.Prefix, p.Account, p.Region, p.Caller)
	fmt.Fprintf(w, "functions for %s (%.1f MB zipped), scorer %s\n\n", p.Arch, float64(p.Size)/1e6, p.Scorer)
	if len(p.Changes) == 0 {
		fmt.Fprintln(w, "no resource changes")
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, c := range p.Changes {
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\n", c.Stack, c.Action, c.ID, c.Type, c.note())
	}
	if err := t.Flush(); err != nil {
		return err
	}
	if err := p.printCosts(w); err != nil {
		return err
	}
	for _, d := range p.Doubts {
		fmt.Fprintf(w, "\ncare: %s\n", d)
	}
	_, err := fmt.Fprintln(w)
	return err
}

// printCosts prints what a month costs, item by item.
func (p *Plan) printCosts(w io.Writer) error {
	c := p.Costs
	fmt.Fprintf(w, "\nabout USD %.2f a month for %g GB of compressed logs a day (prices of %s, %s; yours follow your logs)\n",
		c.USD(), template.SmallSite.GBPerDay, c.Prices.Region, c.Prices.Date)
	if p.Stale != "" {
		fmt.Fprintln(w, p.Stale)
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	for _, i := range c.Items {
		price := fmt.Sprintf("%.2f", i.USD)
		if i.Unpriced {
			price = "no price known"
		}
		fmt.Fprintf(t, "%s\t%.6g\t  %s\t\n", price, i.Quantity, strings.Join([]string{i.Unit, i.What}, "  "))
	}
	return t.Flush()
}

// note says what of a resource changes, and whether it is made anew.
func (c Change) note() string {
	var notes []string
	if len(c.Properties) > 0 {
		notes = append(notes, strings.Join(c.Properties, ", "))
	}
	switch c.Replacement {
	case "True":
		notes = append(notes, "REPLACED")
	case "Conditional":
		notes = append(notes, "may be replaced")
	}
	return strings.Join(notes, "; ")
}
