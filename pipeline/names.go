package pipeline

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"hash/fnv"
	"maps"
	"math"
	"slices"
	"strings"
	"time"

	"picket"
	"picket/pipeline/extract"
	"picket/pipeline/train"
)

// NameExample is one labelled name, taken apart, with where it came from and what
// it is used for.
type NameExample struct {
	extract.Name
	Source   string
	Phishing bool
	Owned    bool   // the domain is one of a protected name's own
	Split    string // of picket; "" is left out
	Weight   float64
}

// Form is what a name looks like to a resolver: "bare" (the registrable domain, or
// www below it), "subdomain", "hosted" (with a host of many).
func (e *NameExample) Form() string {
	switch {
	case e.Hosting != "":
		return "hosted"
	case e.Sub == "" || e.Sub == "www":
		return "bare"
	}
	return "subdomain"
}

// sourceForged is of names that were made here.
const (
	sourceForged = "look-alikes"
	sourceForms  = "subdomain forms"
)

// NameRecipe says which names are learned from and how they are split.
type NameRecipe struct {
	Phishing []string // sources of phishing that train
	Brands   *extract.Brands
	Forged   int // look-alikes made
	Seed     uint64
}

// DefaultNameRecipe is that of the package that ships.
func DefaultNameRecipe() NameRecipe {
	return NameRecipe{Phishing: []string{train.SourceJPCERT, train.SourcePolkadot}, Brands: extract.DefaultBrands(), Forged: 24000, Seed: 1}
}

// lastLearned is the first day of each dated list that is tuned by and not learned
// from, and the first that tests.
var lastLearned = map[string][2]string{
	train.SourceJPCERT:   {"2023-10-01", "2024-01-01"},
	train.SourcePolkadot: {"2024-09-01", "2025-01-01"},
}

// SplitNames takes listed names apart and gives each its split. Phishing is split
// by time: the last months before the test set thresholds and calibration, by
// domain. Harmless names are split by registrable domain. A name of a later split
// whose domain, as phishing, is in an earlier one is left out, and so is one that
// is there as it stands; of a name that is listed twice the first counts. Phishing
// on a domain that is known as harmless is left out of training alone, and the
// domains of protected names are trained on alone.
func SplitNames(listed []train.ListedName, r NameRecipe) []NameExample {
	var all []NameExample
	known := map[string]bool{} // harmless registrable domains
	seen := map[string]bool{}  // hosts of a source
	for _, l := range listed {
		n, err := extract.ParseName(l.Text)
		if err != nil || seen[l.Source+" "+n.Host+" "+fmt.Sprint(l.Phishing)] {
			continue
		}
		seen[l.Source+" "+n.Host+" "+fmt.Sprint(l.Phishing)] = true
		e := NameExample{Name: n, Source: l.Source, Phishing: l.Phishing, Owned: r.Brands.Own(n), Split: r.split(n, &l), Weight: 1}
		if e.Owned && !l.Phishing && e.Split != picket.SplitTrain {
			e.Split = "" // the table of brands knows it: there is nothing to tune or test
		}
		if !l.Phishing && e.Split == picket.SplitTrain {
			known[n.Registrable] = true
		}
		all = append(all, e)
	}
	apart(all, known)
	return weigh(all)
}

// split says what a name is used for.
func (r *NameRecipe) split(n extract.Name, l *train.ListedName) string {
	dice := hash01(n.Registrable, r.Seed)
	days, dated := lastLearned[l.Source]
	switch {
	case l.Source == train.SourcePDD || l.Source == train.SourceHannousse:
		return picket.SplitTest
	case l.Phishing && dated:
		switch day := time.Unix(l.Unix, 0).UTC().Format(time.DateOnly); {
		case day >= days[1]:
			return picket.SplitTest
		case !slices.Contains(r.Phishing, l.Source):
			return ""
		case day < days[0]:
			return picket.SplitTrain
		case dice < 0.5:
			return picket.SplitValidation
		}
		return picket.SplitCalibration
	case dice < 0.6:
		return picket.SplitTrain
	case dice < 0.7:
		return picket.SplitCalibration
	case dice < 0.8:
		return picket.SplitValidation
	}
	return picket.SplitTest
}

// hash01 is a number in [0, 1) that depends on the text alone.
func hash01(text string, seed uint64) float64 {
	h := fnv.New64a()
	fmt.Fprintf(h, "%d %s", seed, text)
	return float64(mix(h.Sum64())>>11) / (1 << 53)
}

// mix spreads the bits of a hash (the finaliser of MurmurHash3).
func mix(h uint64) uint64 {
	h = (h ^ h>>33) * 0xff51afd7ed558ccd
	h = (h ^ h>>33) * 0xc4ceb9fe1a85ec53
	return h ^ h>>33
}

// splitOrder is the order in which splits may have a domain.
var splitOrder = []string{picket.SplitTrain, picket.SplitCalibration, picket.SplitValidation, picket.SplitTest}

// apart takes out of every split what an earlier one has.
func apart(all []NameExample, known map[string]bool) {
	hosts, domains := map[string]bool{}, map[string]bool{}
	for _, split := range splitOrder {
		newHosts, newDomains := map[string]bool{}, map[string]bool{}
		for i := range all {
			e := &all[i]
			if e.Split != split {
				continue
			}
			learned := split != picket.SplitTest
			if hosts[e.Host] || e.Phishing && domains[e.Registrable] || e.Phishing && learned && known[e.Registrable] {
				e.Split = ""
				continue
			}
			newHosts[e.Host] = true
			if e.Phishing {
				newDomains[e.Registrable] = true
			}
		}
		if split != picket.SplitTest {
			maps.Copy(hosts, newHosts)
			maps.Copy(domains, newDomains)
		}
	}
}

// weigh drops what is left out and weighs the names of a domain together as the
// square root of their number: one campaign of a thousand names is one campaign.
func weigh(all []NameExample) []NameExample {
	all = slices.DeleteFunc(all, func(e NameExample) bool { return e.Split == "" })
	counts := map[string]int{}
	key := func(e *NameExample) string { return e.Source + " " + e.Split + " " + e.Registrable }
	for i := range all {
		counts[key(&all[i])]++
	}
	for i := range all {
		all[i].Weight = 1 / math.Sqrt(float64(counts[key(&all[i])]))
	}
	return all
}

// TrainPart returns the examples that a lexicon is learned from.
func TrainPart(all []NameExample) []*NameExample {
	var part []*NameExample
	for i := range all {
		if all[i].Split == picket.SplitTrain {
			part = append(part, &all[i])
		}
	}
	return part
}

// LearnLexicon learns a lexicon from examples. A brand's own domains are left out,
// or its letters would speak for whoever writes them.
func LearnLexicon(part []*NameExample, seed uint64) *extract.Lexicon {
	part = slices.DeleteFunc(slices.Clone(part), func(e *NameExample) bool { return e.Owned })
	rows := make([]train.LinearRow, len(part))
	letters := make([]uint32, extract.Letters)
	var total [2]float64
	for i, e := range part {
		rows[i] = train.LinearRow{Groups: extract.GramsOf(e.Name), Positive: e.Phishing, Weight: e.Weight}
		total[b2i(e.Phishing)] += e.Weight
		if !e.Phishing {
			extract.CountLetters(letters, e.Label)
			extract.CountLetters(letters, e.Sub)
		}
	}
	for i := range rows { // both classes weigh the same
		rows[i].Weight *= (total[0] + total[1]) / (2 * total[b2i(rows[i].Positive)])
	}
	weights, bias := train.FitLinear(rows, extract.GramSpace, train.LinearOptions{Seed: seed})
	return extract.NewLexicon(weights, bias, letters)
}

func b2i(b bool) int {
	if b {
		return 1
	}
	return 0
}

// folds is into how many parts the training names are cut, so that the lexicon that
// reads a training name was learned without it: on names that it knows by heart it
// is more certain than on any other, and the trees would trust it too much.
const folds = 5

// NameDataset returns the rows of all examples, those of training names by lexicons
// that were learned from the other folds.
func NameDataset(all []NameExample, lexicon *extract.Lexicon, r NameRecipe) *picket.Dataset {
	lexicons := make([]*extract.Lexicon, folds)
	part := TrainPart(all)
	fold := func(e *NameExample) int { return int(hash01("fold "+e.Registrable, r.Seed) * folds) }
	for k := range lexicons {
		rest := slices.DeleteFunc(slices.Clone(part), func(e *NameExample) bool { return fold(e) == k })
		lexicons[k] = LearnLexicon(rest, r.Seed)
	}
	tempered := temper(all)
	d := &picket.Dataset{
		Booster: picket.BoosterID{Detector: picket.DetectorPhishing, Kind: picket.KindName},
		Schema:  extract.Schema(picket.KindName), Classes: picket.ClassesOf(picket.DetectorPhishing),
	}
	for i := range all {
		e := &all[i]
		by := lexicon
		if e.Split == picket.SplitTrain {
			by = lexicons[fold(e)]
		}
		class := picket.ClassNormal
		if e.Phishing {
			class = picket.ClassPhishing
		}
		d.Examples = append(d.Examples, picket.Example{
			Features: picket.Features{
				Window: picket.Window{Entity: picket.Entity{Kind: picket.KindName, ID: e.Host}, Source: picket.SourceNames},
				Values: extract.NameRow(e.Name, by, r.Brands),
			},
			Class: class, Group: e.Registrable, Split: e.Split, Weight: e.Weight * tempered(e),
		})
	}
	return d
}

// phishingShare is how many of a hundred names phish where probabilities are
// calibrated: more than in any office, far fewer than in the lists.
const phishingShare = 0.01

// temper returns what the names of the calibration and test splits weigh besides, so
// that phishingShare of each phish.
func temper(all []NameExample) func(*NameExample) float64 {
	totals := map[string]*[2]float64{picket.SplitCalibration: {}, picket.SplitTest: {}}
	for i := range all {
		if total := totals[all[i].Split]; total != nil {
			total[b2i(all[i].Phishing)] += all[i].Weight
		}
	}
	return func(e *NameExample) float64 {
		if total := totals[e.Split]; total != nil && e.Phishing {
			return phishingShare / (1 - phishingShare) * total[0] / total[1]
		}
		return 1
	}
}

// OwnedDomains returns, one line for each brand, the domains that a list of names
// which is called like the brand gives it, in the form of extract.ReadBrands.
func OwnedDomains(listed []train.ListedName, brands *extract.Brands) string {
	domains := map[string]map[string]bool{}
	brands.Each(func(word string, _ []string) { domains[word] = map[string]bool{} })
	for i := range listed {
		if of := domains[listed[i].Owner]; of != nil {
			if n, err := extract.ParseName(listed[i].Text); err == nil && n.Hosting == "" {
				of[n.Registrable] = true
			}
		}
	}
	var out strings.Builder
	brands.Each(func(word string, _ []string) {
		if len(domains[word]) > 0 {
			fmt.Fprintf(&out, "%s %s\n", word, strings.Join(slices.Sorted(maps.Keys(domains[word])), " "))
		}
	})
	return out.String()
}

// LearnNames trains the phishing booster: names → a package of one booster, with
// the scores of the test names. Only one that was trained with the lexicon of this
// build fits it.
func LearnNames(ctx context.Context, all []NameExample, lexicon *extract.Lexicon, r NameRecipe, l Learning) (*train.Package, *NameScores, error) {
	set := NameDataset(all, lexicon, r)
	var fitted *train.Fitted
	l.Seed = r.Seed
	l.Done = func(_ picket.BoosterID, f *train.Fitted, _ *train.Evaluation) { fitted = f }
	pkg, err := Learn(ctx, []*picket.Dataset{set}, l)
	if err != nil {
		return nil, nil, err
	}
	scores, err := ScoreNames(all, set, fitted, picket.SplitTest)
	return pkg, scores, err
}

// SameLexicon reports whether a lexicon is the one that ships.
func SameLexicon(l *extract.Lexicon) bool {
	var a, b bytes.Buffer
	return l.Write(&a) == nil && extract.DefaultLexicon().Write(&b) == nil && bytes.Equal(a.Bytes(), b.Bytes())
}

// CountNames says how many names there are of each source and class in a split.
func CountNames(all []NameExample, split string) string {
	counts := map[string]int{}
	for i := range all {
		if e := &all[i]; e.Split == split {
			class := picket.ClassNormal
			if e.Phishing {
				class = picket.ClassPhishing
			}
			counts[e.Source+" "+class]++
		}
	}
	var list []string
	for _, key := range slices.SortedFunc(maps.Keys(counts), func(a, b string) int { return cmp.Compare(a, b) }) {
		list = append(list, fmt.Sprintf("%s %d", key, counts[key]))
	}
	return strings.Join(list, ", ")
}
