// Command gbdt measures package gbdt for comparison with its peers: raw float32
// files -> one line of JSON with times and quality.
//
//	go run ./bench/gbdt train -x X.f32 -y y.f32 -tx Xt.f32 -ty yt.f32 -p max_depth=6,num_round=100
//	go run ./bench/gbdt predict -m model.json -tx Xt.f32 -rows 10000
//	go run ./bench/gbdt explain -m model.json -tx Xt.f32 -rows 1000
package main

import (
	"bufio"
	"context"
	"encoding/binary"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"iter"
	"math"
	"os"
	"runtime"
	"runtime/pprof"
	"slices"
	"strings"
	"syscall"
	"time"

	"picket/gbdt"
)

func main() {
	if len(os.Args) < 2 {
		fatal(fmt.Errorf("want train, predict or explain"))
	}
	var b bench
	f := flag.NewFlagSet(os.Args[1], flag.ExitOnError)
	f.StringVar(&b.x, "x", "", "training rows: float32, little-endian, row-major")
	f.StringVar(&b.y, "y", "", "training labels")
	f.StringVar(&b.testX, "tx", "", "test rows")
	f.StringVar(&b.testY, "ty", "", "test labels")
	f.IntVar(&b.cols, "cols", 40, "columns")
	f.IntVar(&b.rows, "rows", 0, "test rows to use; 0 is all")
	f.IntVar(&b.repeat, "repeat", 5, "measurements, of which the median is printed")
	f.IntVar(&b.threads, "threads", 1, "goroutines for prediction")
	f.StringVar(&b.params, "p", "", "parameters: name=value,...")
	f.StringVar(&b.model, "m", "", "model to write (train) or read")
	f.StringVar(&b.profile, "profile", "", "write a CPU profile")
	f.BoolVar(&b.stream, "stream", false, "train from bins made in two passes over the file")
	f.Parse(os.Args[2:])
	run, ok := map[string]func(*bench) (map[string]any, error){"train": train, "predict": predict, "explain": explain}[os.Args[1]]
	if !ok {
		fatal(fmt.Errorf("unknown work %q", os.Args[1]))
	}
	out, err := run(&b)
	if err != nil {
		fatal(err)
	}
	out["rss_mb"] = peakMemory()
	json.NewEncoder(os.Stdout).Encode(out)
}

func fatal(err error) {
	fmt.Fprintln(os.Stderr, "gbdt:", err)
	os.Exit(1)
}

type bench struct {
	x, y, testX, testY, params, model, profile string
	cols, rows, repeat, threads                int
	stream                                     bool
}

// floats reads a file of float32.
func floats(path string) ([]float32, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	out := make([]float32, len(b)/4)
	for i := range out {
		out[i] = math.Float32frombits(binary.LittleEndian.Uint32(b[4*i:]))
	}
	return out, nil
}

func (b *bench) parameters() (gbdt.Params, error) {
	values := map[string]string{}
	for pair := range strings.SplitSeq(b.params, ",") {
		if name, value, ok := strings.Cut(pair, "="); ok {
			values[name] = value
		}
	}
	return gbdt.ParseParams(values)
}

func train(b *bench) (map[string]any, error) {
	p, err := b.parameters()
	if err != nil {
		return nil, err
	}
	y, err := floats(b.y)
	if err != nil {
		return nil, err
	}
	x, err := b.matrix(len(y), p.MaxBin)
	if err != nil {
		return nil, err
	}
	runtime.GC()
	if b.profile != "" {
		f, err := os.Create(b.profile)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		pprof.StartCPUProfile(f)
		defer pprof.StopCPUProfile()
	}
	start, cpu := time.Now(), cpuSeconds()
	m, err := gbdt.Train(context.Background(), p, gbdt.TrainData{X: x, Labels: y})
	if err != nil {
		return nil, err
	}
	out := map[string]any{"fit_s": time.Since(start).Seconds(), "fit_cpu_s": cpuSeconds() - cpu, "train_rss_mb": peakMemory()}
	if b.model != "" {
		if err := save(m, b.model); err != nil {
			return nil, err
		}
	}
	return out, quality(b, m, out)
}

// matrix reads the training rows as floats, or with stream as bins.
func (b *bench) matrix(rows, maxBin int) (*gbdt.Matrix, error) {
	if b.stream {
		return gbdt.NewQuantised(b.rowsOf(b.x), rows, b.cols, maxBin)
	}
	data, err := floats(b.x)
	return gbdt.NewDense(data, rows, b.cols), err
}

// rowsOf reads a file of float32 row by row.
func (b *bench) rowsOf(path string) iter.Seq2[[]float32, error] {
	return func(yield func([]float32, error) bool) {
		f, err := os.Open(path)
		if err != nil {
			yield(nil, err)
			return
		}
		defer f.Close()
		in, raw, row := bufio.NewReaderSize(f, 1<<20), make([]byte, 4*b.cols), make([]float32, b.cols)
		for {
			if _, err := io.ReadFull(in, raw); err == io.EOF {
				return
			} else if err != nil {
				yield(nil, err)
				return
			}
			for i := range row {
				row[i] = math.Float32frombits(binary.LittleEndian.Uint32(raw[4*i:]))
			}
			if !yield(row, nil) {
				return
			}
		}
	}
}

func save(m *gbdt.Model, path string) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	defer f.Close()
	if strings.HasSuffix(path, ".ubj") {
		err = m.WriteUBJ(f)
	} else {
		err = m.WriteJSON(f)
	}
	if err != nil {
		return err
	}
	return f.Close()
}

// quality adds AUC and logloss on the test rows to out.
func quality(b *bench, m *gbdt.Model, out map[string]any) error {
	if b.testX == "" || b.testY == "" {
		return nil
	}
	x, err := floats(b.testX)
	if err != nil {
		return err
	}
	y, err := floats(b.testY)
	if err != nil {
		return err
	}
	p := make([]float32, len(y)*m.Classes())
	for i := range y {
		m.Predict(x[i*b.cols:(i+1)*b.cols], p[i*m.Classes():(i+1)*m.Classes()])
	}
	if m.Classes() > 1 {
		ll := 0.0
		for i, c := range y {
			ll -= math.Log(float64(p[i*m.Classes()+int(c)])) / float64(len(y))
		}
		out["logloss"] = ll
		return nil
	}
	out["auc"], out["logloss"] = gbdt.AUC(p, y, nil), gbdt.LogLoss(p, y, nil)
	return nil
}

// load reads the model and the test rows, and adds the model's loading time.
func load(b *bench, out map[string]any) (*gbdt.Model, []float32, error) {
	start := time.Now()
	f, err := os.Open(b.model)
	if err != nil {
		return nil, nil, err
	}
	defer f.Close()
	m, err := gbdt.Read(f)
	if err != nil {
		return nil, nil, err
	}
	out["load_ms"] = time.Since(start).Seconds() * 1e3
	x, err := floats(b.testX)
	if b.rows > 0 && err == nil {
		x = x[:min(len(x), b.rows*b.cols)]
	}
	return m, x, err
}

func predict(b *bench) (map[string]any, error) {
	out := map[string]any{}
	m, x, err := load(b, out)
	if err != nil {
		return nil, err
	}
	one := make([]float32, m.Classes())
	var nanos, batch []float64
	for i := range 20000 {
		row := x[i%(len(x)/b.cols)*b.cols:][:b.cols]
		start := time.Now()
		m.Margin(row, one)
		nanos = append(nanos, float64(time.Since(start).Nanoseconds()))
	}
	out["row_p50_us"], out["row_p99_us"] = quantile(nanos, 0.5)/1e3, quantile(nanos, 0.99)/1e3
	rows := len(x) / b.cols
	margins := make([]float32, rows*m.Classes())
	for range b.repeat {
		start := time.Now()
		if err := m.Margins(gbdt.NewDense(x, rows, b.cols), margins, b.threads); err != nil {
			return nil, err
		}
		batch = append(batch, time.Since(start).Seconds())
	}
	out["batch_krows_s"], out["batch_best_krows_s"] = float64(rows)/quantile(batch, 0.5)/1e3, float64(rows)/quantile(batch, 0)/1e3
	return out, nil
}

func explain(b *bench) (map[string]any, error) {
	out := map[string]any{}
	m, x, err := load(b, out)
	if err != nil {
		return nil, err
	}
	phi := make([]float32, m.Classes()*(m.Features()+1))
	var wall, cpu []float64
	for range b.repeat {
		start, c := time.Now(), cpuSeconds()
		for i := range len(x) / b.cols {
			m.Contributions(x[i*b.cols:][:b.cols], phi)
		}
		wall, cpu = append(wall, time.Since(start).Seconds()*1e3), append(cpu, (cpuSeconds()-c)*1e3)
	}
	out["wall_ms"], out["cpu_ms"] = quantile(wall, 0.5), quantile(cpu, 0.5)
	out["best_wall_ms"], out["best_cpu_ms"] = quantile(wall, 0), quantile(cpu, 0)
	return out, nil
}

func quantile(x []float64, q float64) float64 {
	slices.Sort(x)
	return x[int(q*float64(len(x)-1))]
}

func cpuSeconds() float64 {
	var r syscall.Rusage
	syscall.Getrusage(syscall.RUSAGE_SELF, &r)
	seconds := func(t syscall.Timeval) float64 { return float64(t.Sec) + float64(t.Usec)/1e6 }
	return seconds(r.Utime) + seconds(r.Stime)
}

// peakMemory returns the largest resident size so far, in MiB.
func peakMemory() float64 {
	var r syscall.Rusage
	syscall.Getrusage(syscall.RUSAGE_SELF, &r)
	return float64(r.Maxrss) / 1024
}
