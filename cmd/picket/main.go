// Command picket finds attacks in network logs: raw logs in, explained findings
// out. This package reads the command line and wires the others together; what
// it prints on stdout is the result, and on stderr words about the work.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path"
	"strings"
	"syscall"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/spf13/cobra"

	"picket/aws/lambda"
)

// Exit codes, listed in every help text.
const (
	exitOK       = 0
	exitError    = 1
	exitUsage    = 2
	exitFindings = 3 // with --fail-on: a finding of that severity or above
)

func main() {
	if os.Getenv("AWS_LAMBDA_RUNTIME_API") != "" && path.Base(os.Args[0]) == "bootstrap" {
		function()
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], os.Getenv, os.Stdin, os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// function is this program in AWS Lambda: it answers events until it is ended.
func function() {
	if err := lambda.Run(context.Background(), os.Getenv, version, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "picket: error:", err)
		os.Exit(exitError)
	}
	os.Exit(exitOK)
}

// app is what every command shares: where to read and write, and the
// environment. Nothing in it is global, so that tests call run.
type app struct {
	stdin          io.Reader
	stdout, stderr io.Writer
	getenv         func(string) string
	configPath     string
	quiet          bool
	watchAWS       func(*aws.Config) // for tests: what is asked of AWS
}

// run executes one command line and returns its exit code.
func run(ctx context.Context, args []string, getenv func(string) string, stdin io.Reader, stdout, stderr io.Writer) int {
	a := &app{stdin: stdin, stdout: stdout, stderr: stderr, getenv: getenv}
	root := a.root()
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return exitOK
	}
	var code codedError
	if errors.As(err, &code) {
		if code.err != nil {
			a.complain(code.err)
		}
		return code.code
	}
	a.complain(err)
	return exitError
}

// root is the command tree.
func (a *app) root() *cobra.Command {
	root := &cobra.Command{
		Use:   "picket",
		Short: "Find attacks in the network logs that you already have",
		Long: `Picket finds DDoS, scans, brute force, exfiltration and command-and-control in
network logs, and says why. Raw logs go in; findings come out, each with the
features that moved it and the rows behind it.`,
		Example:       "  picket demo",
		SilenceErrors: true,
		SilenceUsage:  true,
	}
	root.SetOut(a.stdout)
	root.SetErr(a.stderr)
	root.SetFlagErrorFunc(func(c *cobra.Command, err error) error {
		return usageError(hint(err, "run %q", c.CommandPath()+" --help"))
	})
	root.PersistentFlags().StringVar(&a.configPath, "config", "", "configuration file (default: picket.yaml, if there is one)")
	root.PersistentFlags().BoolVarP(&a.quiet, "quiet", "q", false, "say nothing on stderr but errors")
	root.CompletionOptions.HiddenDefaultCmd = true
	group(root)
	root.AddCommand(a.commands()...)
	for _, c := range append([]*cobra.Command{root}, root.Commands()...) {
		c.SetUsageTemplate(usageTemplate)
	}
	return root
}

// usageTemplate is cobra's with the exit codes at the end.
const usageTemplate = `Usage:{{if not .HasAvailableSubCommands}}
  {{.UseLine}}{{end}}{{if .HasAvailableSubCommands}}
  {{.CommandPath}} COMMAND

Commands:{{range .Commands}}{{if .IsAvailableCommand}}
  {{rpad .Name .NamePadding}} {{.Short}}{{end}}{{end}}{{end}}{{if .HasAvailableLocalFlags}}

Flags:
{{.LocalFlags.FlagUsages | trimTrailingWhitespaces}}{{end}}

Exit codes: 0 done, 1 error, 2 wrong usage, 3 findings (with --fail-on).{{if .HasExample}}

Example:
{{.Example}}{{end}}
`

// codedError carries an exit code with an error.
type codedError struct {
	code int
	err  error
}

func (e codedError) Error() string {
	if e.err == nil {
		return fmt.Sprintf("exit %d", e.code)
	}
	return e.err.Error()
}

func (e codedError) Unwrap() error { return e.err }

func usageError(err error) error { return codedError{exitUsage, err} }

// hinted is an error that says what to try.
type hinted struct {
	err  error
	hint string
}

func (h hinted) Error() string { return h.err.Error() }
func (h hinted) Unwrap() error { return h.err }

// hint attaches what to try to an error.
func hint(err error, format string, args ...any) error {
	return hinted{err, fmt.Sprintf(format, args...)}
}

// complain prints one line for what happened and one for what to try.
func (a *app) complain(err error) {
	fmt.Fprintf(a.stderr, "picket: error: %s\n", oneLine(err.Error()))
	var h hinted
	if errors.As(err, &h) {
		fmt.Fprintf(a.stderr, "picket: hint: %s\n", h.hint)
	}
}

// say prints words about the work, unless --quiet.
func (a *app) say(format string, args ...any) {
	if !a.quiet {
		fmt.Fprintf(a.stderr, format+"\n", args...)
	}
}

// oneLine keeps hostile text from moving the cursor: control characters go.
func oneLine(s string) string {
	return strings.Map(func(r rune) rune {
		if r < 0x20 || r == 0x7f || r >= 0x80 && r < 0xa0 {
			return ' '
		}
		return r
	}, s)
}

// group makes a command that only has commands below it say which ones it does
// not have.
func group(c *cobra.Command) {
	c.Args = cobra.ArbitraryArgs
	c.RunE = func(c *cobra.Command, args []string) error {
		if len(args) == 0 {
			return c.Help()
		}
		err := fmt.Errorf("%s has no command %q", c.CommandPath(), args[0])
		if like := c.SuggestionsFor(args[0]); len(like) > 0 {
			return usageError(hint(err, "did you mean %q?", c.CommandPath()+" "+like[0]))
		}
		return usageError(hint(err, "run %q", c.CommandPath()+" --help"))
	}
}

// exactArgs is cobra.ExactArgs with an error that says what to do.
func exactArgs(n int, what string) cobra.PositionalArgs {
	return func(c *cobra.Command, args []string) error {
		if len(args) == n {
			return nil
		}
		return usageError(hint(fmt.Errorf("%s takes %s", c.CommandPath(), what), "run %q", c.CommandPath()+" --help"))
	}
}

// upToOneArg is cobra.MaximumNArgs(1) with an error that says what to do.
func upToOneArg(what string) cobra.PositionalArgs {
	return func(c *cobra.Command, args []string) error {
		if len(args) < 2 {
			return nil
		}
		return exactArgs(1, what)(c, args)
	}
}

// someArgs wants at least one argument.
func someArgs(what string) cobra.PositionalArgs {
	return func(c *cobra.Command, args []string) error {
		if len(args) > 0 {
			return nil
		}
		return usageError(hint(fmt.Errorf("%s needs %s", c.CommandPath(), what), "run %q", c.CommandPath()+" --help"))
	}
}
