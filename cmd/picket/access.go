package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"picket"
	"picket/pipeline"
	"picket/pipeline/train"
)

// accessRun is what "picket model access" is asked to do.
type accessRun struct {
	recipe          pipeline.AccessRecipe
	from, into, out string
}

func (a *app) accessCommand() *cobra.Command {
	var r accessRun
	c := &cobra.Command{
		Use: "access", Short: "Learn the access boosters from simulated accounts",
		Long: `Simulates AWS accounts with people, tools and intruders in them, and networks that
people and guessers log in to; learns from their logs who is not who it says, and
writes a package of the boosters, or with --into that package with the boosters in
it. It learns from no real log. The same seed gives the same bytes.`,
		Args:    exactArgs(0, "no arguments"),
		Example: "  picket model access --accounts 8 --logins 8 --days 10 -o access.zip",
		RunE:    func(c *cobra.Command, _ []string) error { return a.runAccess(c, r) },
	}
	c.Flags().IntVar(&r.recipe.Accounts, "accounts", 48, "simulated AWS accounts")
	c.Flags().IntVar(&r.recipe.Logins, "logins", 40, "simulated networks of hosts that people log in to")
	c.Flags().IntVar(&r.recipe.Days, "days", 24, "days of an account")
	c.Flags().IntVar(&r.recipe.MaxRows, "max-rows", 2500, "normal rows kept of an account and booster")
	c.Flags().Uint64Var(&r.recipe.Seed, "seed", 1, "of the accounts and of training")
	c.Flags().StringVar(&r.from, "from", "", "take the boosters from this package, which the same flags made, and learn nothing")
	c.Flags().StringVar(&r.into, "into", "", "package that gets the boosters")
	c.Flags().StringVarP(&r.out, "output", "o", "access.zip", "package to write")
	return c
}

func (a *app) runAccess(c *cobra.Command, r accessRun) error {
	learn := a.learnAccess
	if r.from != "" {
		learn = func(context.Context, pipeline.AccessRecipe) (*train.Package, error) {
			pkg, err := a.loadPackage(r.from)
			if err == nil {
				pkg.Keep(func(id picket.BoosterID) bool { return id.Detector == picket.DetectorAccess })
			}
			return pkg, err
		}
	}
	pkg, err := learn(c.Context(), r.recipe)
	if err != nil {
		return err
	}
	facts := accessCard(r.recipe)
	if r.into == "" {
		if pkg.Card, err = train.NewCard(pkg, facts); err != nil {
			return err
		}
		return writePackage(r.out, pkg)
	}
	into, err := a.loadPackage(r.into)
	if err != nil {
		return err
	}
	if err := into.Take(pkg, facts); err != nil {
		return err
	}
	return writePackage(r.out, into)
}

// learnAccess simulates and trains.
func (a *app) learnAccess(ctx context.Context, r pipeline.AccessRecipe) (*train.Package, error) {
	bar := a.progress("simulating", int64(r.Accounts+r.Logins))
	r.Done = func(string) { bar.Add(1) }
	examples, err := pipeline.AccessExamples(ctx, r)
	bar.Done()
	if err != nil {
		return nil, err
	}
	a.say("simulated %d accounts and %d networks of logins: %d rows", r.Accounts, r.Logins, len(examples))
	return pipeline.LearnAccess(ctx, examples, pipeline.Learning{
		Name: "picket-access", Data: "simulated accounts and logins not trained on", Seed: r.Seed,
		Training: map[string]any{"accounts": r.Accounts, "logins": r.Logins, "days": r.Days, "max_rows": r.MaxRows, "seed": r.Seed},
		Done:     a.sayFitted,
	})
}

// accessCard says what the figures of the boosters cannot.
func accessCard(r pipeline.AccessRecipe) train.CardFacts {
	return train.CardFacts{
		Evidence:    train.SimulatedToSimulated,
		Description: "Tells what is done with stolen credentials, and guessing, in CloudTrail and in logs of logins.",
		Version:     1,
		Datasets:    []string{fmt.Sprintf("%d simulated AWS accounts of %d days and %d simulated networks of logins, seeds %d and up (Apache-2.0, made by this project)", r.Accounts, r.Days, r.Logins, r.Seed)},
		Purpose:     "First findings in an account from day one, better ones after a week of its history.",
		Caveats:     "Access was trained on simulation alone, and its figures in this card are simulated to simulated: they flatter. What it finds of real attacks is in docs/evaluation-access.md.",
		Details:     map[string]string{"history": "what an account and its principals did before counts from its fifth day on; until then the kind of call alone speaks"},
	}
}
