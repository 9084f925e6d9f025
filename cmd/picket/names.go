package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"slices"

	"github.com/spf13/cobra"

	"picket"
	"picket/pipeline"
	"picket/pipeline/train"
)

// nameBudget is the part of harmless names that may pass: an office asks for tens
// of thousands of names a day.
const nameBudget = 0.001

// nameParams are those of the trees over names, chosen on the validation split:
// deeper than those over flows, and never stopped early, since more rounds cost
// nothing there and find more of the look-alikes (recall at 1 % of them .79 after 60
// rounds, .87 after 300).
var nameParams = map[string]string{"max_depth": "6", "num_round": "300", "eta": "0.1", "early_stopping_rounds": "0"}

// namesRun is what "picket model names" is asked to do.
type namesRun struct {
	data, lexicon, owned, figures, from, into, out string
	without                                        []string
}

func (a *app) namesCommand() *cobra.Command {
	var r namesRun
	c := &cobra.Command{
		Use: "names", Short: "Learn the phishing booster from lists of names",
		Long: `Learns from the public lists of docs/data.md which names phish, tests it on later
months and on other lists, and writes a package of the one booster, or with --into
that package with the booster in it. Lists that are not in the folder are left out.

The letter runs that its features rest on are part of the program. --lexicon learns
them and writes them, and nothing else: as pipeline/extract/names/lexicon.bin they
are in the next build, and a booster is trained by a build that has them. --owned
writes which domains belong to brands, likewise.`,
		Args:    exactArgs(0, "no arguments"),
		Example: "  picket model names --data testdata/names --lexicon lexicon.bin",
		RunE:    func(c *cobra.Command, _ []string) error { return a.runNames(c, r) },
	}
	c.Flags().StringVar(&r.data, "data", "", "folder of the public sets (see docs/data.md)")
	c.Flags().StringVar(&r.lexicon, "lexicon", "", "write the letter runs to this file, and nothing else")
	c.Flags().StringVar(&r.owned, "owned", "", "write the domains of brands to this file, and nothing else")
	c.Flags().StringVar(&r.figures, "figures", "", "write the figures to this file, as Markdown")
	c.Flags().StringSliceVar(&r.without, "without", nil, "a source of phishing that is not learned from: jpcert or polkadot")
	c.Flags().StringVar(&r.from, "from", "", "take the booster from this package, and learn nothing")
	c.Flags().StringVar(&r.into, "into", "", "package that gets the booster")
	c.Flags().StringVarP(&r.out, "output", "o", "names.zip", "package to write")
	return c
}

func (a *app) runNames(c *cobra.Command, r namesRun) error {
	if r.from != "" {
		pkg, err := readPackage(r.from)
		if err != nil {
			return err
		}
		pkg.Keep(func(id picket.BoosterID) bool { return id.Detector == picket.DetectorPhishing })
		return a.writeNames(r, pkg)
	}
	listed, notes, err := train.ReadNameSets(r.data)
	for _, note := range notes {
		a.say("%s", note)
	}
	if err != nil {
		return hint(err, "docs/data.md says how the folder is laid out")
	}
	recipe := pipeline.DefaultNameRecipe()
	recipe.Phishing = slices.DeleteFunc(recipe.Phishing, func(s string) bool { return slices.Contains(r.without, s) })
	if r.owned != "" {
		return writeFile(r.owned, []byte(ownedHeader+pipeline.OwnedDomains(listed, recipe.Brands)))
	}
	all := pipeline.Forge(pipeline.SplitNames(listed, recipe), recipe)
	for _, split := range []string{picket.SplitTrain, picket.SplitCalibration, picket.SplitValidation, picket.SplitTest} {
		a.say("%s: %s", split, pipeline.CountNames(all, split))
	}
	lexicon := pipeline.LearnLexicon(pipeline.TrainPart(all), recipe.Seed)
	if r.lexicon != "" {
		var body bytes.Buffer
		if err := lexicon.Write(&body); err != nil {
			return err
		}
		return writeFile(r.lexicon, body.Bytes())
	}
	if len(r.without) == 0 && !pipeline.SameLexicon(lexicon) {
		return hint(fmt.Errorf("these lists make another lexicon than this build has"), "write it with --lexicon pipeline/extract/names/lexicon.bin and build again")
	}
	pkg, scores, err := pipeline.LearnNames(c.Context(), all, lexicon, recipe, pipeline.Learning{
		Name: "picket-names", Data: "later months of the lists, other lists, harmless names of other domains",
		Training: map[string]any{"phishing": recipe.Phishing, "look-alikes": recipe.Forged},
		Options:  train.Options{Params: nameParams, Threshold: train.ThresholdOptions{Budget: nameBudget}},
	})
	if err != nil {
		return err
	}
	if err := a.nameFigures(c.Context(), r, scores, listed, recipe); err != nil {
		return err
	}
	return a.writeNames(r, pkg)
}

const ownedHeader = `# Domains of protected names beside those of brands.txt: the lists of v2fly/domain-list-community that are called
# like the brand (MIT, LICENSE-v2fly). Made by: picket model names --owned
`

func writeFile(path string, body []byte) error { return os.WriteFile(path, body, 0o644) }

// nameFigures writes the table of the booster and, after it, what a booster reaches
// that knows the source that it is tested on.
func (a *app) nameFigures(ctx context.Context, r namesRun, s *pipeline.NameScores, listed []train.ListedName, recipe pipeline.NameRecipe) error {
	var table bytes.Buffer
	nameTable(&table, s)
	fmt.Fprintln(&table, "\n| within one source | hosts | AUC | accuracy |\n|---|---|---|---|")
	for _, source := range []string{train.SourcePDD, train.SourceHannousse} {
		f, err := pipeline.WithinSource(ctx, listed, source, recipe, train.Options{Params: nameParams})
		if err != nil {
			a.say("%s: %v", source, err)
			continue
		}
		fmt.Fprintf(&table, "| %s, split by domain | %d, %d | %.3f | %.2f %% |\n", source, f.Positives, f.Negatives, f.AUC, 100*f.Accuracy)
	}
	if r.figures != "" {
		return writeFile(r.figures, table.Bytes())
	}
	_, err := a.stdout.Write(table.Bytes())
	return err
}

// writeNames writes the package of the booster, or another with the booster in it.
func (a *app) writeNames(r namesRun, pkg *train.Package) error {
	facts := nameCard()
	if r.into != "" {
		into, err := readPackage(r.into)
		if err != nil {
			return err
		}
		if err := into.Take(pkg, facts); err != nil {
			return err
		}
		return writePackage(r.out, into)
	}
	var err error
	if pkg.Card, err = train.NewCard(pkg, facts); err != nil {
		return err
	}
	return writePackage(r.out, pkg)
}

func readPackage(path string) (*train.Package, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, hint(err, "name a model package")
	}
	defer f.Close()
	return train.ReadPackage(f)
}

// nameCard says what the figures of the booster cannot.
func nameCard() train.CardFacts {
	return train.CardFacts{
		Description: "Tells names that phish by the name alone.",
		Version:     1,
		Datasets: []string{
			"JPCERT/CC phishurl-list to September 2023 (published against phishing; no row is redistributed)",
			"polkadot-js/phishing to August 2024 (Apache-2.0)",
			"OpenDNS top and random domains (public domain), the .gov registry and zone (CC0), v2fly/domain-list-community (MIT), 60 % of the domains of each",
			"look-alikes of brands, and harmless names with something below them, made by this project",
		},
		Evidence: train.RealToReal,
		Purpose:  "First findings on names from day one.",
		Caveats:  "Phishing on a domain that was broken into, or on a page of a big host, is not seen in the name. The lists lean to Japan and to digital money. What it finds elsewhere is in docs/evaluation.md.",
	}
}

// nameTable prints the figures of a booster for names.
func nameTable(w io.Writer, s *pipeline.NameScores) {
	all := func(*pipeline.NameExample) bool { return true }
	from := func(sources ...string) func(*pipeline.NameExample) bool {
		return func(e *pipeline.NameExample) bool { return slices.Contains(sources, e.Source) }
	}
	lists := from(train.SourceTop, train.SourceRandom, train.SourceGov, train.SourceV2fly)
	later := from(train.SourceJPCERT, train.SourcePolkadot)
	fmt.Fprintln(w, "| phishing | harmless | names | AUC | recall at 1 % | recall at 0.1 % | recall at the shipped threshold | false there |")
	fmt.Fprintln(w, "|---|---|---|---|---|---|---|---|")
	row := func(name, other string, p, n func(*pipeline.NameExample) bool) {
		f := s.Figure(name, other, p, n)
		if f.Positives == 0 || f.Negatives == 0 {
			return
		}
		fmt.Fprintf(w, "| %s | %s | %d, %d | %.3f | %.3f | %.3f | %.3f | %.2f %% |\n", name, other, f.Positives, f.Negatives,
			f.AUC, f.Recall1, f.Recall01, f.RecallAtCut, 100*f.FalseAtCut)
	}
	row("later months (jpcert, polkadot)", "all lists", later, lists)
	row("all four", "all lists", all, lists)
	for _, list := range []string{train.SourceTop, train.SourceRandom, train.SourceGov, train.SourceV2fly} {
		row("all four", list, all, from(list))
	}
	for _, source := range []string{train.SourceJPCERT, train.SourcePolkadot, train.SourcePDD, train.SourceHannousse} {
		row(source, "all lists", from(source), lists)
	}
	for _, form := range []string{"bare", "subdomain", "hosted"} {
		of := func(e *pipeline.NameExample) bool { return e.Form() == form }
		row("all four, "+form, "all lists, "+form, of, func(e *pipeline.NameExample) bool { return of(e) && lists(e) })
	}
	for _, source := range []string{train.SourcePDD, train.SourceHannousse} {
		row("all four", "hosts of "+source+"'s harmless URLs", all, from(source))
	}
}
