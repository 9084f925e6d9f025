package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os/user"
	"time"

	"github.com/spf13/cobra"

	"picket"
	"picket/pipeline"
)

func (a *app) labelCommand() *cobra.Command {
	var data, author, reason string
	var expires time.Duration
	c := &cobra.Command{
		Use: "label UID true|false|expected", Short: "Say what a finding was: the next training run learns from it",
		Long: `Puts an analyst's verdict on a finding. "true" labels its windows with its class,
"false" labels them normal, and "expected" keeps quiet of the like (same entity,
class and type) for a while and leaves the windows out of training. What the same
author says later of the same finding holds.`,
		Args:    exactArgs(2, "the uid of a finding, or its beginning, and true, false or expected"),
		Example: "  picket label --data picket-data fd3b expected --author ana --reason 'our own test'",
		RunE: func(c *cobra.Command, args []string) error {
			p, err := a.open(c.Context(), data)
			if err != nil {
				return err
			}
			v := picket.Verdict{Says: args[1], Author: author, Reason: reason}
			if v.Author == "" {
				v.Author = a.login()
			}
			if expires > 0 {
				v.Expires = time.Now().Add(expires).Unix()
			}
			v, err = p.PutVerdict(c.Context(), args[0], v)
			switch {
			case errors.Is(err, fs.ErrNotExist):
				return hint(err, "uids are in findings/ and on the page of \"picket up\"")
			case errors.Is(err, pipeline.ErrVerdict):
				return usageError(hint(err, "run \"picket label --help\""))
			case err != nil:
				return hint(err, "run \"picket label --help\"")
			}
			until := ""
			if v.Expires > 0 {
				until = ", kept quiet until " + time.Unix(v.Expires, 0).UTC().Format(time.RFC3339)
			}
			_, err = fmt.Fprintf(a.stdout, "%s%s\n", oneLine(v.String()), until)
			return err
		},
	}
	c.Flags().StringVar(&data, "data", "", dataUsage)
	c.Flags().StringVar(&author, "author", "", "who says so (default: the user of this machine)")
	c.Flags().StringVar(&reason, "reason", "", "why, for who reads it later")
	c.Flags().DurationVar(&expires, "for", 0, "how long what is expected is kept quiet (default: 720h)")
	return c
}

// login is the user's name on this machine, "" if it has none.
func (a *app) login() string {
	if name := a.getenv("USER"); name != "" {
		return name
	}
	if u, err := user.Current(); err == nil {
		return u.Username
	}
	return ""
}
