package pipeline

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"io"
	"maps"
	"runtime"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"picket"
	"picket/pipeline/decode"
	"picket/pipeline/extract"
	"picket/pipeline/train"
	"picket/simulate"
)

// AccessRecipe says which accounts and networks of logins to learn access from.
type AccessRecipe struct {
	Seed     uint64
	Accounts int               // simulated AWS accounts
	Logins   int               // simulated networks that people log in to
	Days     int               // of an account
	MaxRows  int               // normal rows kept of one account and booster; 0 is all
	Done     func(name string) // after each, from any goroutine; may be nil
}

// AccessExample is a labelled row of access, with the attack that it is of.
type AccessExample struct {
	picket.Example
	Kind   string // of simulate.IntrusionKinds or LoginAttackKinds; "" for normal
	Tactic string // of ATT&CK; "" for normal and for guesses
}

// AccessExamples simulates accounts and logins and returns their labelled rows in a
// fixed order, one group for each: an account is trained on or tested on as a whole.
func AccessExamples(ctx context.Context, r AccessRecipe) ([]AccessExample, error) {
	all := make([][]AccessExample, r.Accounts+r.Logins)
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(runtime.GOMAXPROCS(0))
	for i := range all {
		group.Go(func() error {
			name, log, label, err := r.log(i)
			if err == nil {
				all[i], err = labelAccess(ctx, name, log, label, r.MaxRows)
			}
			if err != nil {
				return fmt.Errorf("simulate %s: %w", name, err)
			}
			if r.Done != nil {
				r.Done(name)
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	return slices.Concat(all...), nil
}

// AccessSets makes datasets of examples, one for each booster that has something to
// learn, split by account.
func AccessSets(examples []AccessExample, seed uint64) []*picket.Dataset {
	g := Gathered{Sets: map[picket.BoosterID]*picket.Dataset{}}
	schema := extract.AccessSchema()
	for i := range examples {
		e := &examples[i]
		id := picket.BoosterOf(picket.DetectorAccess, &e.Features)
		if g.Sets[id] == nil {
			g.Sets[id] = &picket.Dataset{Booster: id, Schema: schema}
		}
		g.Sets[id].Examples = append(g.Sets[id].Examples, e.Example)
	}
	sets := g.Datasets()
	for _, set := range sets {
		train.SplitByGroup(set, train.DefaultFractions, seed)
	}
	return sets
}

// log writes the i-th log: of an account, or, after those, of logins.
func (r *AccessRecipe) log(i int) (name string, log []byte, label accessLabels, err error) {
	var b bytes.Buffer
	if i < r.Accounts {
		seed := r.Seed + uint64(i)
		truths, err := simulate.RandomAccount(seed, r.Days, simulate.IntrusionKinds()).Write(&b)
		return fmt.Sprintf("account %d", seed), b.Bytes(), intrusionLabels(truths), err
	}
	seed := r.Seed + uint64(i-r.Accounts)
	truths, err := simulate.RandomLogins(seed, 3, simulate.LoginAttackKinds()).Write(&b)
	return fmt.Sprintf("logins %d", seed), b.Bytes(), guessLabels(truths), err
}

// accessLabels gives a window its class and the attack that it is of; the class ""
// leaves it out.
type accessLabels func(w *picket.Window) (class, kind string)

// intrusionLabels calls every window an attack that an intrusion touches.
func intrusionLabels(truths []simulate.AccountTruth) accessLabels {
	by := map[picket.Entity][]*simulate.AccountTruth{}
	for i := range truths {
		by[truths[i].Entity] = append(by[truths[i].Entity], &truths[i])
	}
	return func(w *picket.Window) (string, string) {
		for _, t := range by[w.Entity] {
			if t.Start < w.End() && w.Start < t.End {
				return t.Class, t.Kind
			}
		}
		if w.Entity.Kind == picket.KindActor { // what an intruder does at the console is told by the user's row
			return "", ""
		}
		return picket.ClassNormal, ""
	}
}

// Least guesses in a window that make it an attack of a source, and at a user. Less
// than half of that is what people do too, and what nobody wants to hear of.
const (
	leastGuesses       = 6
	leastGuessesAtUser = 12
)

// guessLabels calls a window an attack that holds enough guesses, normal if it holds
// few, and leaves out those in between.
func guessLabels(truths []simulate.LoginTruth) accessLabels {
	by := map[picket.Entity]*simulate.LoginTruth{}
	for i := range truths {
		by[truths[i].Entity] = &truths[i]
	}
	return func(w *picket.Window) (string, string) {
		t := by[w.Entity]
		if t == nil {
			return picket.ClassNormal, ""
		}
		first, _ := slices.BinarySearch(t.Times, w.Start)
		last, _ := slices.BinarySearch(t.Times, w.End())
		least := leastGuesses
		if w.Entity.Kind == picket.KindPrincipal {
			least = leastGuessesAtUser
		}
		switch n := last - first; {
		case 2*n < least:
			return picket.ClassNormal, ""
		case n < least:
			return "", ""
		}
		if w.Entity.Kind == picket.KindPrincipal { // somebody tries to get in by this name
			return picket.ClassAccess, t.Kind
		}
		return t.Class, t.Kind
	}
}

// labelAccess labels the rows of one log.
func labelAccess(ctx context.Context, name string, log []byte, label accessLabels, maxRows int) ([]AccessExample, error) {
	days, err := AccessDays(ctx, bytes.NewReader(log))
	if err != nil {
		return nil, err
	}
	var all []AccessExample
	for _, day := range days {
		err := day.Rows(ctx, nil, func(f *picket.Features) error {
			class, kind := label(&f.Window)
			if class != "" {
				e := picket.Example{Features: *f, Class: class, Group: name, Weight: 1}
				all = append(all, AccessExample{e, kind, simulate.IntrusionTactic(kind)})
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	return thin(all, maxRows), nil
}

// thin keeps at most n normal rows of each booster, evenly over time, which then
// weigh for those left out.
func thin(all []AccessExample, n int) []AccessExample {
	if n <= 0 {
		return all
	}
	normal, seen, kept := map[picket.BoosterID]int{}, map[picket.BoosterID]int{}, map[picket.BoosterID]int{}
	id := func(e *AccessExample) picket.BoosterID { return picket.BoosterOf(picket.DetectorAccess, &e.Features) }
	for i := range all {
		if all[i].Class == picket.ClassNormal {
			normal[id(&all[i])]++
		}
	}
	return slices.DeleteFunc(all, func(e AccessExample) bool {
		b := id(&e)
		if e.Class != picket.ClassNormal || normal[b] <= n {
			return false
		}
		seen[b]++
		if seen[b]*n/normal[b] == kept[b] {
			return true
		}
		kept[b]++
		return false
	})
}

// AccessDay is a UTC day of a log of access, ready to be closed.
type AccessDay struct {
	Start   int64 // Unix seconds
	Parts   []extract.Part
	History *extract.Part // of the days before; nil for the first
}

// AccessDays decodes a log of access and returns its days in order, each with the
// history of those before, as Close would have it; it needs no bucket.
func AccessDays(ctx context.Context, log io.Reader) ([]AccessDay, error) {
	parts, err := AccessParts(ctx, log)
	if err != nil {
		return nil, err
	}
	road := extract.RoadOf(picket.SourceAccess)
	var days []AccessDay
	var history *extract.Part
	for len(parts) > 0 {
		day := AccessDay{Start: parts[0].ID.Hour - parts[0].ID.Hour%picket.Day, History: history}
		until := 0
		for until < len(parts) && parts[until].ID.Hour < day.Start+picket.Day {
			until++
		}
		day.Parts, parts = parts[:until], parts[until:]
		days = append(days, day)
		var next bytes.Buffer
		if err := road.History(ctx, unclosed{&next}, day.Start, history, day.Parts, extract.Options{}); err != nil {
			return nil, err
		}
		history = memoryPart(extract.PartID{Hour: day.Start + picket.Day, Source: extract.AccessHistorySource}, &next)
	}
	return days, nil
}

// Rows computes the rows of the day and of further parts. emit may keep them.
func (d *AccessDay) Rows(ctx context.Context, further []extract.Part, emit func(*picket.Features) error) error {
	road := extract.RoadOf(picket.SourceAccess)
	o := extract.CloseOptions{Source: picket.SourceAccess, From: d.Start, To: d.Start + picket.Day, Seconds: road.Widths, History: d.History}
	_, err := road.Windows(ctx, slices.Concat(d.Parts, further), o, emit)
	return err
}

// AccessParts decodes a log into parts, hours in order.
func AccessParts(ctx context.Context, log io.Reader) ([]extract.Part, error) {
	builder := extract.NewAccessBuilder(extract.Options{})
	defer builder.Close()
	if _, err := decode.Decode(ctx, decode.Object{Key: "log", Modified: time.Now()}, log, builder.Add, nil); err != nil {
		return nil, err
	}
	var parts []extract.Part
	_, err := builder.Finish(func(id extract.PartID) (io.WriteCloser, error) {
		var b bytes.Buffer
		parts = append(parts, *memoryPart(id, &b))
		return unclosed{&b}, nil
	})
	slices.SortFunc(parts, func(a, b extract.Part) int { return cmp.Compare(a.ID.Hour, b.ID.Hour) })
	return parts, err
}

func memoryPart(id extract.PartID, b *bytes.Buffer) *extract.Part {
	return &extract.Part{ID: id, Object: "log", Open: func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(b.Bytes())), nil }}
}

// accessBudget is the part of normal rows of a booster that may pass: an account has
// some hundred rows a day.
const accessBudget = 0.0005

// LearnAccess trains the boosters of access. Each tells two classes: principals
// normal and unauthorized_access, sources of logins normal and bruteforce.
func LearnAccess(ctx context.Context, examples []AccessExample, l Learning) (*train.Package, error) {
	if l.Options.Threshold.Budget == 0 {
		l.Options.Threshold.Budget = accessBudget
	}
	params := map[string]string{"monotone_constraints": strings.ReplaceAll(strings.Trim(fmt.Sprint(extract.AccessMonotone()), "[]"), " ", ",")}
	params["monotone_constraints"] = "(" + params["monotone_constraints"] + ")"
	maps.Copy(params, l.Options.Params)
	l.Options.Params = params
	return Learn(ctx, AccessSets(examples, l.Seed), l)
}
