// Command access measures the access detector: the detonations of stratus-red-team
// in simulated accounts, a real log of sshd, and simulated guessers -> docs/evaluation-access.md.
//
//	go run ./bench/access -data DIR -o docs/evaluation-access.md
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"time"

	"picket/pipeline"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "access: error:", err)
		os.Exit(1)
	}
}

// recipe is what the evaluation learns from: other seeds than the shipped package's
// are not needed, since none of the logs it is judged by is simulated from them.
var recipe = pipeline.AccessRecipe{Seed: 1, Accounts: 48, Logins: 40, Days: 24, MaxRows: 2500}

// judgedSeed is of the accounts that detonations are put into.
const judgedSeed = 1 << 40

func run(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("access", flag.ContinueOnError)
	data := flags.String("data", "", "folder of the public sets (docs/data.md)")
	output := flags.String("o", "", "page to write; standard output if empty")
	accounts := flags.Int("accounts", recipe.Accounts, "simulated accounts to learn from")
	logins := flags.Int("logins", recipe.Logins, "simulated networks of logins to learn from")
	judged := flags.Int("judged", 3, "simulated accounts to judge by")
	only := flags.Bool("alone", false, "only print the sections that the package in the binary is judged by: half a minute in place of a quarter of an hour")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if *data == "" {
		return fmt.Errorf("-data says where the public sets are")
	}
	if *only {
		list, err := readDetonations(*data)
		if err != nil {
			return err
		}
		p := &page{}
		if err := p.alone(ctx, list); err != nil {
			return err
		}
		if err := p.pam(ctx, *data); err != nil {
			return err
		}
		fmt.Print(p.text.String())
		return nil
	}
	recipe.Accounts, recipe.Logins = *accounts, *logins
	began := time.Now()
	say := func(format string, a ...any) {
		fmt.Fprintf(os.Stderr, "%5.0f s  %s\n", time.Since(began).Seconds(), fmt.Sprintf(format, a...))
	}
	examples, err := pipeline.AccessExamples(ctx, recipe)
	if err != nil {
		return err
	}
	say("%d rows to learn from", len(examples))
	p := &page{examples: examples, say: say}
	for _, write := range []func(context.Context) error{
		p.begin,
		func(ctx context.Context) error { return p.detonations(ctx, *data, *judged) },
		func(ctx context.Context) error { return p.sshd(ctx, *data) },
		func(ctx context.Context) error { return p.pam(ctx, *data) },
		p.guessers,
	} {
		if err := write(ctx); err != nil {
			return err
		}
	}
	out := io.Writer(os.Stdout)
	if *output != "" {
		f, err := os.Create(*output)
		if err != nil {
			return err
		}
		defer f.Close()
		out = f
	}
	_, err = io.WriteString(out, p.text.String())
	return err
}
