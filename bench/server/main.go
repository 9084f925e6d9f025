// Command server measures the running system on this machine, beside a peer where
// there is one: a binary of Picket -> a section of docs/benchmarks.md.
//
//	go run ./bench/server endpoint -python .peers/server/bin/python   # picket serve beside gunicorn and XGBoost
//	go run ./bench/server latency                                     # picket up: from an object to its finding
//	go run ./bench/server lambda                                      # the functions' program at a Lambda Runtime API
//	go run ./bench/server soak -for 5m                                # picket up under a steady feed
//
// With -write FILE the section goes there, in place of the one of that name.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:])
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "server:", err)
		os.Exit(1)
	}
}

// bench is what the measurements share.
type bench struct {
	picket string        // binary under test
	python string        // with gunicorn and xgboost
	work   string        // folder for files on the way
	length time.Duration // of one measurement
}

func run(ctx context.Context, args []string) error {
	measure := map[string]func(*bench, context.Context) (string, error){
		"endpoint": (*bench).endpoint, "latency": (*bench).latency, "soak": (*bench).soak, "lambda": (*bench).lambda,
	}
	if len(args) == 0 || measure[args[0]] == nil {
		return fmt.Errorf("want endpoint, latency, lambda or soak")
	}
	var b bench
	f := flag.NewFlagSet(args[0], flag.ExitOnError)
	f.StringVar(&b.picket, "picket", "bin/picket", "binary under test")
	f.StringVar(&b.python, "python", ".peers/server/bin/python", "Python with gunicorn and xgboost, for endpoint")
	f.DurationVar(&b.length, "for", 5*time.Second, "length of one measurement")
	write := f.String("write", "", "Markdown file whose section to replace or add")
	f.Parse(args[1:])
	var err error
	if b.work, err = os.MkdirTemp("", "picket-bench-"); err != nil {
		return err
	}
	defer os.RemoveAll(b.work)
	before := load()
	section, err := measure[args[0]](&b, ctx)
	if err != nil {
		return err
	}
	section += fmt.Sprintf("\nMeasured on %s; load of the machine before %s, after %s.\n", time.Now().UTC().Format(time.DateOnly), before, load())
	fmt.Print(section)
	if *write == "" {
		return nil
	}
	return replace(*write, section)
}

// load is the mean number of processes that wanted a core over one minute.
func load() string {
	text, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return "unknown"
	}
	first, _, _ := strings.Cut(string(text), " ")
	return first
}

// replace puts a section, which begins with its heading, into a Markdown file.
func replace(path, section string) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	heading, _, _ := strings.Cut(section, "\n")
	before, after, found := strings.Cut("\n"+string(text), "\n"+heading+"\n")
	if !found {
		return os.WriteFile(path, []byte(strings.TrimRight(string(text), "\n")+"\n\n"+section), 0o644)
	}
	if _, rest, more := strings.Cut(after, "\n## "); more {
		section += "\n## " + rest
	}
	return os.WriteFile(path, []byte(strings.TrimPrefix(before, "\n")+"\n"+section), 0o644)
}
