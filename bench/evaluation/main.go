// Command evaluation measures Picket on the public sets of docs/data.md and on
// simulated networks: a folder of sets -> docs/evaluation.md. It runs the picket
// commands that anybody can run, and writes down what they say.
//
//	go run ./bench/evaluation -data DIR                  # every section
//	go run ./bench/evaluation -only day200 -seeds 10     # one section anew, the others stay
//	go run ./bench/evaluation -check -data DIR westermo  # only look whether the sets are there
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, "evaluation: error:", strings.ReplaceAll(err.Error(), "\n", " "))
		os.Exit(1)
	}
}

// section is one part of docs/evaluation.md: what it needs and what writes it.
type section struct {
	name  string
	sets  []string // folders of the public sets
	write func(ctx context.Context, b *bench, out io.Writer) error
}

// sections, in the order of the page.
func sections() []section {
	return []section{
		{"logs", []string{"zeek-btest-pcaps", "ddos-pcaps-stopddos", "westermo", "zeek-apt29-otrf"}, realLogs},
		{"mixed", []string{"ddos-pcaps-stopddos"}, mixedCaptures},
		{"westermo", []string{"westermo"}, westermo},
		{"day200", nil, days},
		{"month", []string{"benign-domains"}, month},
		{"package", nil, heldOut},
		{"calibration", nil, calibrations},
		{"tables", []string{"nsl-kdd", "unsw-nb15", "luflow"}, tables},
	}
}

// bench is what every section shares.
type bench struct {
	picket string // the binary under test
	data   string // folder of the public sets
	python string // with xgboost, or "": then nothing is compared
	seeds  int    // simulated days
	page   string // to write
	work   string // a folder for files on the way, emptied at the end
	log    io.Writer
}

func run(ctx context.Context, args []string, log io.Writer) error {
	b := bench{log: log}
	f := flag.NewFlagSet("evaluation", flag.ContinueOnError)
	f.SetOutput(log)
	f.StringVar(&b.data, "data", "", "folder of the public sets, laid out as docs/data.md says")
	f.StringVar(&b.picket, "picket", "bin/picket", "the binary to measure")
	f.StringVar(&b.python, "python", "", "a Python with xgboost (.peers/xgb3/bin/python after sh bench/peers.sh)")
	f.IntVar(&b.seeds, "seeds", 10, "simulated days")
	only := f.String("only", "", "sections to measure, as logs,mixed,westermo,day200,month,package,calibration,tables; all if empty")
	check := f.Bool("check", false, "only look whether the sets named as arguments are there, byte by byte")
	labels := f.String("labels", "", "only print the label file of this events.txt of Westermo's testbed")
	card := f.String("card", "", "only add to this package's model card what it does on Westermo's capture")
	list := f.String("sets", "docs/data.md", "the page that lists the sets")
	f.StringVar(&b.page, "o", "docs/evaluation.md", "the page to write")
	if err := f.Parse(args); err != nil {
		return err
	}
	if *labels != "" {
		return printLabels(*labels)
	}
	if *check {
		return checkSets(*list, b.data, f.Args())
	}
	wanted, err := choose(*only)
	if err != nil {
		return err
	}
	if *card != "" {
		wanted = []section{{sets: []string{"westermo"}}}
	}
	for _, s := range wanted {
		if err := checkSets(*list, b.data, s.sets); err != nil {
			return err
		}
	}
	if b.work, err = os.MkdirTemp("", "picket-evaluation-"); err != nil {
		return err
	}
	defer os.RemoveAll(b.work)
	if *card != "" {
		return b.addToCard(ctx, *card)
	}
	return b.measure(ctx, wanted, b.page)
}

// choose returns the sections named, or all.
func choose(only string) ([]section, error) {
	all := sections()
	if only == "" {
		return all, nil
	}
	var wanted []section
	for _, name := range strings.Split(only, ",") {
		i := slices.IndexFunc(all, func(s section) bool { return s.name == name })
		if i < 0 {
			return nil, fmt.Errorf("no section %q", name)
		}
		wanted = append(wanted, all[i])
	}
	return wanted, nil
}

// measure writes the page after each section, so that what took long is kept.
func (b *bench) measure(ctx context.Context, wanted []section, file string) error {
	p, err := readPage(file)
	if err != nil {
		return err
	}
	for _, s := range wanted {
		fmt.Fprintf(b.log, "evaluation: %s\n", s.name)
		var out strings.Builder
		if err := s.write(ctx, b, &out); err != nil {
			return fmt.Errorf("section %s: %w", s.name, err)
		}
		p[s.name] = out.String()
		if err := p.write(file); err != nil {
			return err
		}
	}
	return nil
}

// printLabels prints the label file of Westermo's events, to the last of them.
func printLabels(file string) error {
	f, err := os.Open(file)
	if err != nil {
		return err
	}
	defer f.Close()
	events, err := readEvents(f)
	if err != nil || len(events) == 0 {
		return fmt.Errorf("%s: no events (%w)", file, err)
	}
	return writeEventLabels(os.Stdout, events, nil, events[0].start-60, events[len(events)-1].end+60)
}
