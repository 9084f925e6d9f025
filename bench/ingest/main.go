// Command ingest measures how raw logs become features, beside the tools that one
// would take instead: seeded inputs and a binary of Picket -> the section "Ingest" of
// docs/benchmarks.md.
//
//	go run ./bench/ingest                       # every row
//	go run ./bench/ingest -only vpc,gzip        # some rows
//
// Peers are those that bench/peers.sh ingest installs. A row first checks that both
// sides give the same numbers, then runs them in turn, ours, theirs, ours, theirs, each
// time in a new process, and keeps the median of the CPU seconds (user and system).
// A row that is not measured keeps its line.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
)

// bench is what the rows share.
type bench struct {
	self   string // this program
	picket string // binary under test
	peers  string // folder of the peers
	work   string // folder of the inputs
	rounds int
}

// line is one line of the table.
type line struct {
	work    string
	against string
	ours    float64 // CPU seconds, or what unit says
	theirs  float64
	unit    string
	figure  string // a rate, where that is what is asked for
	wanted  string // at least; aim
}

// rows are what can be measured, in the order of the table.
var rows = []struct {
	name    string
	measure func(*bench, context.Context) ([]line, error)
}{
	{"vpc", (*bench).vpc},
	{"gzip", (*bench).gzip},
	{"parquet", (*bench).parquet},
	{"pcap", (*bench).pcap},
	{"json", (*bench).json},
	{"names", (*bench).names},
	{"cores", (*bench).cores},
	{"memory", (*bench).memory},
	{"large", (*bench).large},
}

func main() {
	if len(os.Args) > 1 && tools[os.Args[1]] != nil {
		if err := tools[os.Args[1]](os.Args[2:]); err != nil {
			fmt.Fprintf(os.Stderr, "ingest %s: %v\n", os.Args[1], err)
			os.Exit(1)
		}
		return
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:])
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "ingest:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	var b bench
	var err error
	f := flag.NewFlagSet("ingest", flag.ExitOnError)
	f.StringVar(&b.picket, "picket", "bin/picket", "binary under test")
	f.StringVar(&b.peers, "peers", ".peers", "folder that bench/peers.sh fills")
	f.StringVar(&b.work, "work", "", "folder for the inputs, kept; a temporary one if empty")
	f.IntVar(&b.rounds, "rounds", 3, "runs of each side")
	only := f.String("only", "", "rows to measure: "+rowNames())
	write := f.String("write", "", "Markdown file whose section Ingest to replace or add")
	f.Parse(args)
	if b.self, err = os.Executable(); err != nil {
		return err
	}
	if b.work == "" {
		if b.work, err = os.MkdirTemp("", "picket-ingest-"); err != nil {
			return err
		}
		defer os.RemoveAll(b.work)
	}
	wanted := strings.FieldsFunc(*only, func(r rune) bool { return r == ',' || r == ' ' })
	for _, name := range wanted {
		if !strings.Contains(","+rowNames()+",", ","+name+",") {
			return fmt.Errorf("no row %q: there are %s", name, rowNames())
		}
	}
	table, err := readTable(*write)
	if err != nil {
		return err
	}
	var failed []string
	for _, row := range rows {
		if len(wanted) > 0 && !slices.Contains(wanted, row.name) {
			continue
		}
		before := load()
		lines, err := row.measure(&b, ctx)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil {
			fmt.Fprintf(os.Stderr, "ingest: %s: %v\n", row.name, err)
			failed = append(failed, row.name)
			continue
		}
		table.replace(row.name, lines, max(before, load()))
	}
	if *write != "" {
		if err := table.write(*write); err != nil {
			return err
		}
	}
	if len(failed) > 0 {
		return fmt.Errorf("not measured: %s", strings.Join(failed, ", "))
	}
	return nil
}

func rowNames() string {
	var names []string
	for _, r := range rows {
		names = append(names, r.name)
	}
	return strings.Join(names, ",")
}

// input makes an input once and returns its folder.
func (b *bench) input(name string, make func(dir string) error) (string, error) {
	dir := filepath.Join(b.work, name)
	if _, err := os.Stat(filepath.Join(dir, "made")); err == nil {
		return dir, nil
	}
	if err := os.RemoveAll(dir); err != nil {
		return "", err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	if err := make(dir); err != nil {
		return "", fmt.Errorf("make %s: %w", name, err)
	}
	return dir, os.WriteFile(filepath.Join(dir, "made"), nil, 0o644)
}

// python is the peers' interpreter.
func (b *bench) python() string { return filepath.Join(b.peers, "ingest/bin/python") }
