package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"picket/aws/deploy"
)

func (a *app) deployStatusCommand(w *where) *cobra.Command {
	var output string
	c := &cobra.Command{
		Use: "status", Short: "How the AWS system is: stacks, functions, queues, endpoint, model, alarms",
		Args: exactArgs(0, "no arguments"), Example: "  picket deploy status",
		RunE: func(c *cobra.Command, _ []string) error {
			if output != "table" && output != "json" {
				return usageError(hint(fmt.Errorf("output %q", output), "use table or json"))
			}
			account, err := a.connect(c.Context(), *w)
			if err != nil {
				return err
			}
			s, err := account.Status(c.Context())
			if err != nil {
				return tried(err)
			}
			if output == "json" {
				return a.printJSON(s)
			}
			return writeStatus(a.stdout, s)
		},
	}
	c.Flags().StringVarP(&output, "output", "o", "table", "table or json")
	return c
}

func writeStatus(w io.Writer, s *deploy.Status) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, st := range s.Stacks {
		fmt.Fprintf(t, "stack\t%s\t%s\t%s\n", st.Name, cmp.Or(st.Status, "not there"), oneLine(st.Reason))
	}
	for _, f := range s.Functions {
		fmt.Fprintf(t, "function\t%s\t%s\t%s code %.12s\n", f.Name, f.State, f.Arch, f.Code)
	}
	for _, q := range s.Queues {
		fmt.Fprintf(t, "queue\t%s\t%d waiting, %d taken\t%d dead\n", q.Name, q.Waiting, q.Taken, q.Dead)
	}
	fmt.Fprintf(t, "endpoint\t%s\t%s\t\n", s.Names.Endpoint(), cmp.Or(s.Endpoint, "none"))
	fmt.Fprintf(t, "model\t%.12s\tlive\t\n", cmp.Or(s.Live, "embedded"))
	fmt.Fprintf(t, "findings\t%d\ttoday\t\n", s.Findings)
	for _, alarm := range s.Alarms {
		fmt.Fprintf(t, "alarm\t%s\tRINGS\t\n", oneLine(alarm))
	}
	if err := t.Flush(); err != nil {
		return err
	}
	for _, u := range s.Unknown {
		fmt.Fprintf(w, "unknown: %s\n", oneLine(u))
	}
	if slices.ContainsFunc(s.Queues, func(q deploy.QueueStatus) bool { return q.Dead > 0 }) {
		fmt.Fprintln(w, "dead letters: see why with \"picket deploy logs\", then \"picket redrive\"")
	}
	return nil
}

// verbsOf checks the names of functions; none is all.
func verbsOf(args, all []string) ([]string, error) {
	for _, v := range args {
		if !slices.Contains(all, v) {
			return nil, usageError(hint(fmt.Errorf("no function %q", v), "name any of %s", strings.Join(all, ", ")))
		}
	}
	if len(args) == 0 {
		return all, nil
	}
	return args, nil
}

func (a *app) deployLogsCommand(w *where) *cobra.Command {
	var follow, asJSON bool
	var since time.Duration
	var filter string
	c := &cobra.Command{
		Use: "logs [FUNCTION...]", Short: "What the functions logged",
		Long: `Prints what the functions ingest, close, detect and deploy-model logged, all of them
in the order of time; -f goes on until it is stopped.`,
		Args: cobra.ArbitraryArgs, Example: "  picket deploy logs --follow detect",
		RunE: func(c *cobra.Command, args []string) error {
			verbs, err := verbsOf(args, deploy.Functions())
			if err != nil {
				return err
			}
			account, err := a.connect(c.Context(), *w)
			if err != nil {
				return err
			}
			return tried(account.Logs(c.Context(), verbs, time.Now().Add(-since), filter, follow, func(l deploy.Line) error {
				if asJSON {
					return json.NewEncoder(a.stdout).Encode(l)
				}
				_, err := fmt.Fprintf(a.stdout, "%s %-12s %s\n", l.Time.Format(time.RFC3339), l.Function, oneLine(strings.TrimRight(l.Text, "\n")))
				return err
			}))
		},
	}
	c.Flags().BoolVarP(&follow, "follow", "f", false, "go on as lines come")
	c.Flags().DurationVar(&since, "since", 10*time.Minute, "how far back")
	c.Flags().StringVar(&filter, "filter", "", "CloudWatch filter pattern, such as '{ $.level = \"ERROR\" }'")
	c.Flags().BoolVar(&asJSON, "json", false, "a JSON object a line")
	return c
}

func (a *app) redriveCommand() *cobra.Command {
	w := new(where)
	c := &cobra.Command{
		Use: "redrive [FUNCTION...]", Short: "Give dead letters back to their queues",
		Long: `What a function could not do five times lies in a dead-letter queue. Once the
reason is mended, redrive gives it back; nothing is found twice.`,
		Args: cobra.ArbitraryArgs, Example: "  picket redrive ingest",
		RunE: func(c *cobra.Command, args []string) error {
			verbs, err := verbsOf(args, deploy.Queues())
			if err != nil {
				return err
			}
			account, err := a.connect(c.Context(), *w)
			if err != nil {
				return err
			}
			moved, err := account.Redrive(c.Context(), verbs, func(queue, body string) { a.say("%s: %.200s", queue, oneLine(body)) })
			for _, r := range moved {
				fmt.Fprintf(a.stdout, "%s: %d given back\n", r.Queue, r.Moved)
			}
			return tried(err)
		},
	}
	w.flags(c)
	return c
}

func (a *app) deployDestroyCommand(w *where) *cobra.Command {
	var yes, data bool
	c := &cobra.Command{
		Use: "destroy", Short: "Remove the AWS system; the data stays unless told",
		Long: `Removes the stacks, and what SageMaker holds by its tag. The data bucket and its key
stay, and a later "picket deploy" takes them over; --delete-data deletes the bucket
with every version of every object, which cannot be undone.`,
		Args: exactArgs(0, "no arguments"), Example: "  picket deploy destroy",
		RunE: func(c *cobra.Command, _ []string) error {
			account, err := a.connect(c.Context(), *w)
			if err != nil {
				return err
			}
			question := fmt.Sprintf("Remove %q from account %s, region %s, and keep the data?", account.Prefix, account.Names.Account, account.Region)
			if data {
				question = fmt.Sprintf("Remove %q from account %s, region %s, and DELETE s3://%s for good?", account.Prefix, account.Names.Account, account.Region, account.DataBucket())
			}
			if ok, err := a.agreed(yes, question); err != nil || !ok {
				return err
			}
			d, err := account.Destroy(c.Context(), data, a.reportEvent, func(what string) { a.say("removed %s", what) })
			for _, k := range d.Kept {
				fmt.Fprintf(a.stdout, "kept %s\n", k)
			}
			return tried(err)
		},
	}
	c.Flags().BoolVarP(&yes, "yes", "y", false, "do not ask")
	c.Flags().BoolVar(&data, "delete-data", false, "delete the data bucket too")
	return c
}
