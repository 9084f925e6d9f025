package main

import (
	"bufio"
	"context"
	"encoding/binary"
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

// work is one thing to measure in this process.
type work struct {
	x, y, testX, params, model, out, profile string
	cols, rows, repeat, threads              int
	csr, stream, single                      bool
}

// figures is what a measurement found: medians of seconds, and MiB.
type figures struct {
	Wall   float64 `json:"wall_s"`
	CPU    float64 `json:"cpu_s"`
	Memory float64 `json:"rss_mb"`
}

// measure returns the medians of repeat runs of f.
func measure(repeat int, f func() error) (figures, error) {
	var wall, cpu []float64
	for range repeat {
		runtime.GC()
		start, c := time.Now(), cpuSeconds()
		if err := f(); err != nil {
			return figures{}, err
		}
		wall, cpu = append(wall, time.Since(start).Seconds()), append(cpu, cpuSeconds()-c)
	}
	return figures{Wall: median(wall), CPU: median(cpu)}, nil
}

func train(w *work) (figures, error) {
	p, err := parameters(w.params)
	if err != nil {
		return figures{}, err
	}
	y, err := floats(w.y)
	if err != nil {
		return figures{}, err
	}
	var x *gbdt.Matrix
	if !w.stream {
		if x, err = w.matrix(w.x); err != nil {
			return figures{}, err
		}
	}
	if w.profile != "" {
		f, err := os.Create(w.profile)
		if err != nil {
			return figures{}, err
		}
		defer f.Close()
		pprof.StartCPUProfile(f)
		defer pprof.StopCPUProfile()
	}
	var m *gbdt.Model
	out, err := measure(1, func() error {
		if w.stream {
			if x, err = gbdt.NewQuantised(rowsOf(w.x, w.cols), len(y), w.cols, p.MaxBin); err != nil {
				return err
			}
		}
		m, err = gbdt.Train(context.Background(), p, gbdt.TrainData{X: x, Labels: y})
		return err
	})
	if err != nil {
		return figures{}, err
	}
	out.Memory = peakMemory()
	if w.model != "" {
		if err := save(m, w.model); err != nil {
			return figures{}, err
		}
	}
	if w.testX == "" {
		return out, nil
	}
	t, err := w.matrix(w.testX)
	if err != nil {
		return figures{}, err
	}
	predictions := make([]float32, t.Rows()*m.Classes())
	if err := m.Predictions(t, predictions, runtime.NumCPU()); err != nil {
		return figures{}, err
	}
	return out, writeFloats(w.out, predictions)
}

func predict(w *work) (figures, error) {
	m, x, err := w.load()
	if err != nil {
		return figures{}, err
	}
	margins := make([]float32, x.Rows()*m.Classes())
	if w.single {
		one := make([]float32, m.Classes())
		var seconds []float64
		for i := range 20000 {
			row := x.Row(i%x.Rows(), nil)
			start := time.Now()
			m.Margin(row, one)
			seconds = append(seconds, time.Since(start).Seconds())
		}
		return figures{Wall: median(seconds), CPU: median(seconds)}, nil
	}
	out, err := measure(w.repeat, func() error { return m.Margins(x, margins, w.threads) })
	if err != nil {
		return figures{}, err
	}
	return out, writeFloats(w.out, margins)
}

func explain(w *work) (figures, error) {
	m, x, err := w.load()
	if err != nil {
		return figures{}, err
	}
	phi := make([]float32, x.Rows()*m.Classes()*(m.Features()+1))
	out, err := measure(w.repeat, func() error { return m.Explanations(x, phi, w.threads) })
	if err != nil {
		return figures{}, err
	}
	return out, writeFloats(w.out, phi)
}

func load(w *work) (figures, error) {
	return measure(w.repeat, func() error {
		f, err := os.Open(w.model)
		if err != nil {
			return err
		}
		defer f.Close()
		_, err = gbdt.Read(f)
		return err
	})
}

// load reads the model and the rows.
func (w *work) load() (*gbdt.Model, *gbdt.Matrix, error) {
	f, err := os.Open(w.model)
	if err != nil {
		return nil, nil, err
	}
	defer f.Close()
	m, err := gbdt.Read(f)
	if err != nil {
		return nil, nil, err
	}
	x, err := w.matrix(w.testX)
	return m, x, err
}

// matrix reads rows, dense or with csr as a sparse matrix.
func (w *work) matrix(path string) (*gbdt.Matrix, error) {
	data, err := floats(path)
	if err != nil {
		return nil, err
	}
	n := len(data) / w.cols
	if w.rows > 0 && w.rows < n {
		n = w.rows
		data = data[:n*w.cols]
	}
	if !w.csr {
		return gbdt.NewDense(data, n, w.cols), nil
	}
	start, index, value := []int{0}, []int32{}, []float32{}
	for i, x := range data {
		if x == x {
			index, value = append(index, int32(i%w.cols)), append(value, x)
		}
		if i%w.cols == w.cols-1 {
			start = append(start, len(value))
		}
	}
	return gbdt.NewCSR(start, index, value, w.cols), nil
}

// parameters reads name=value,...
func parameters(list string) (gbdt.Params, error) {
	values := map[string]string{}
	for pair := range strings.SplitSeq(list, ",") {
		name, value, ok := strings.Cut(pair, "=")
		if !ok {
			return gbdt.Params{}, fmt.Errorf("parameter %q: want name=value", pair)
		}
		values[name] = value
	}
	return gbdt.ParseParams(values)
}

// floats reads a file of float32.
func floats(path string) ([]float32, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	out := make([]float32, info.Size()/4)
	in := bufio.NewReaderSize(f, 1<<20)
	var raw [4]byte
	for i := range out {
		if _, err := io.ReadFull(in, raw[:]); err != nil {
			return nil, err
		}
		out[i] = math.Float32frombits(binary.LittleEndian.Uint32(raw[:]))
	}
	return out, nil
}

// rowsOf reads a file of float32 row by row.
func rowsOf(path string, cols int) iter.Seq2[[]float32, error] {
	return func(yield func([]float32, error) bool) {
		f, err := os.Open(path)
		if err != nil {
			yield(nil, err)
			return
		}
		defer f.Close()
		in, raw, row := bufio.NewReaderSize(f, 1<<20), make([]byte, 4*cols), make([]float32, cols)
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

func writeFloats(path string, values []float32) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	defer f.Close()
	out := bufio.NewWriterSize(f, 1<<20)
	if err := binary.Write(out, binary.LittleEndian, values); err != nil {
		return err
	}
	if err := out.Flush(); err != nil {
		return err
	}
	return f.Close()
}

func save(m *gbdt.Model, path string) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	defer f.Close()
	write := m.WriteJSON
	if strings.HasSuffix(path, ".ubj") {
		write = m.WriteUBJ
	}
	if err := write(f); err != nil {
		return err
	}
	return f.Close()
}

func median(x []float64) float64 {
	x = slices.Sorted(slices.Values(x))
	return x[len(x)/2]
}

func cpuSeconds() float64 {
	var r syscall.Rusage
	syscall.Getrusage(syscall.RUSAGE_SELF, &r)
	seconds := func(t syscall.Timeval) float64 { return float64(t.Sec) + float64(t.Usec)/1e6 }
	return seconds(r.Utime) + seconds(r.Stime)
}

// peakMemory returns this program's largest resident size so far, in MiB. (What
// getrusage says counts the process that started it too.)
func peakMemory() float64 {
	b, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0
	}
	_, rest, _ := strings.Cut(string(b), "VmHWM:")
	var kib float64
	fmt.Sscan(rest, &kib)
	return kib / 1024
}
