// Command gbdt measures package gbdt beside its peers: made rows or a CSV file ->
// lines of docs/benchmarks.md.
//
//	go run ./bench/gbdt table [-only NAME] [-write docs/benchmarks.md]
//	go run ./bench/gbdt compare TRAIN.csv TEST.csv
//
// Both start a process of their own for each measurement, of this command or of
// peer.py:
//
//	gbdt train -x X -y Y -tx X -p max_depth=6,num_round=100 -o PREDICTIONS
//	gbdt predict|explain|load -m MODEL -tx X
//
// Files of rows, labels and predictions are float32, little-endian, row-major.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "gbdt:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) == 0 {
		return fmt.Errorf("want table, compare, train, predict, explain or load")
	}
	switch args[0] {
	case "table":
		return runTable(args[1:])
	case "compare":
		return runCompare(args[1:])
	}
	do, ok := map[string]func(*work) (figures, error){"train": train, "predict": predict, "explain": explain, "load": load}[args[0]]
	if !ok {
		return fmt.Errorf("unknown work %q", args[0])
	}
	var w work
	f := flag.NewFlagSet(args[0], flag.ExitOnError)
	f.StringVar(&w.x, "x", "", "training rows")
	f.StringVar(&w.y, "y", "", "training labels")
	f.StringVar(&w.testX, "tx", "", "test rows")
	f.StringVar(&w.params, "p", "", "parameters: name=value,...")
	f.StringVar(&w.model, "m", "", "model to write (train) or read")
	f.StringVar(&w.out, "o", "", "file for predictions, margins or contributions")
	f.IntVar(&w.cols, "cols", columns, "columns")
	f.IntVar(&w.rows, "rows", 0, "rows to use; 0 is all")
	f.IntVar(&w.repeat, "repeat", 5, "measurements, of which the median is printed")
	f.IntVar(&w.threads, "threads", 1, "goroutines for predictions")
	f.BoolVar(&w.csr, "csr", false, "hand rows over as a sparse matrix")
	f.BoolVar(&w.stream, "stream", false, "train from bins made in two passes over the file, which are measured")
	f.BoolVar(&w.single, "single", false, "predict row by row: p50")
	f.StringVar(&w.profile, "profile", "", "write a CPU profile")
	f.Parse(args[1:])
	out, err := do(&w)
	if err != nil {
		return err
	}
	if out.Memory == 0 {
		out.Memory = peakMemory()
	}
	return json.NewEncoder(os.Stdout).Encode(out)
}
