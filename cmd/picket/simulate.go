package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"picket/simulate"
)

func (a *app) simulateCommand() *cobra.Command {
	var format, out string
	c := &cobra.Command{
		Use: "simulate SCRIPT", Short: "Write labelled traffic as real log files, with their label file",
		Long: fmt.Sprintf(`Plays a script of benign habits and attacks and writes it as log files, with
labels.csv beside them. The same script gives the same bytes. SCRIPT is a file, or
the name of one of the scripts in this binary: %s.`, strings.Join(simulate.Scripts(), ", ")),
		Args:    exactArgs(1, "one script"),
		Example: "  picket simulate demo-new --format zeek -o simulated",
		RunE: func(c *cobra.Command, args []string) error {
			script, err := a.script(args[0])
			if err != nil {
				return err
			}
			if err := os.MkdirAll(out, 0o755); err != nil {
				return err
			}
			summary, err := simulate.Write(c.Context(), script, format, func(name string) (io.WriteCloser, error) {
				path := filepath.Join(out, filepath.FromSlash(name))
				if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
					return nil, err
				}
				return os.Create(path)
			})
			if err != nil {
				return hint(err, "formats: %s", strings.Join(simulate.Formats(), ", "))
			}
			a.say("wrote %d objects: %d records of %d conversations, %d of them of attacks; labels.csv beside them", summary.Objects, summary.Records, summary.Conversations, summary.Attacks)
			return nil
		},
	}
	c.Flags().StringVar(&format, "format", "vpc", "one of "+strings.Join(simulate.Formats(), ", "))
	c.Flags().StringVarP(&out, "output", "o", "simulated", "folder to write to")
	return c
}

// script reads a script by file or by the name of a built-in one.
func (a *app) script(name string) (*simulate.Script, error) {
	f, err := os.Open(name)
	if errors.Is(err, fs.ErrNotExist) {
		script, err := simulate.Load(name)
		return script, hintIf(err, "name a file, or one of %s", strings.Join(simulate.Scripts(), ", "))
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	script, err := simulate.ParseScript(f)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return script, nil
}

// hintIf attaches what to try to an error, if there is one.
func hintIf(err error, format string, args ...any) error {
	if err == nil {
		return nil
	}
	return hint(err, format, args...)
}
