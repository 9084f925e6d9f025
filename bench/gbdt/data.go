package main

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
)

// columns of the made data.
const columns = 40

// table names rows made by write: x, y (0 or 1) and y5 (0 to 4).
type table struct {
	rows    int
	seed    uint64
	missing float64 // part of all values that is missing, besides what always is
}

// files returns the paths of a table's x, y and y5, made if they are not there.
func (t table) files(dir string) (x, y, y5 string, err error) {
	base := filepath.Join(dir, fmt.Sprintf("%d-%d-%g", t.rows, t.seed, t.missing))
	x, y, y5 = base+".x", base+".y", base+".y5"
	if _, err := os.Stat(y5); err == nil {
		return x, y, y5, nil
	}
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return "", "", "", err
	}
	var out [3]*bufio.Writer
	for i, path := range []string{x, y, y5 + ".part"} {
		f, err := os.Create(path)
		if err != nil {
			return "", "", "", err
		}
		defer f.Close()
		out[i] = bufio.NewWriterSize(f, 1<<20)
	}
	t.write(out)
	for _, w := range out {
		if err := w.Flush(); err != nil {
			return "", "", "", err
		}
	}
	return x, y, y5, os.Rename(y5+".part", y5)
}

// write makes the rows: heavy tails, counts, flags and normal columns, of which the
// label knows steps, sines, products and noise. Six columns have missing values.
func (t table) write(out [3]*bufio.Writer) {
	law := rand.New(rand.NewPCG(20240601, 1)) // the same for every table
	type term struct {
		a, b, c           int
		threshold, weight float64
	}
	terms := make([]term, 60)
	for i := range terms {
		terms[i] = term{law.IntN(columns), law.IntN(columns), law.IntN(columns), law.NormFloat64(), law.NormFloat64()}
	}
	var slope [columns]float64
	for i := range slope {
		slope[i] = law.NormFloat64()
	}
	r := rand.New(rand.NewPCG(t.seed, 2))
	var z [columns]float64
	var row [columns]float32
	for range t.rows {
		for f := range z {
			z[f] = r.NormFloat64()
			row[f] = shape(f, z[f])
		}
		s, far := 0.6*z[3]*z[25]+0.5*math.Abs(z[30])*z[9], 0.0
		for _, k := range terms {
			if z[k.a] > k.threshold {
				s += k.weight * math.Tanh(z[k.b])
			}
			if z[k.a] < 0.5 {
				s += k.weight * 0.5 * math.Sin(1.3*z[k.c])
			}
		}
		for f := range z {
			far += slope[f] * z[f]
		}
		s = (s + 2) / 4
		y, class := float32(0), float32(0)
		if s+0.55*r.NormFloat64() > 0.75 {
			y = 1
		}
		score := math.Tanh(0.15*far) + 0.5*s + 0.25*r.NormFloat64()
		for _, edge := range []float64{-0.8, -0.1, 0.6, 1.4} {
			if score >= edge {
				class++
			}
		}
		for f := range row {
			part := map[int]float64{2: 0.05, 10: 0.2, 14: 0.1, 21: 0.3, 27: 0.02, 35: 0.5}[f]
			if r.Float64() < part || t.missing > 0 && r.Float64() < t.missing {
				row[f] = float32(math.NaN())
			}
		}
		binary.Write(out[0], binary.LittleEndian, &row)
		binary.Write(out[1], binary.LittleEndian, y)
		binary.Write(out[2], binary.LittleEndian, class)
	}
}

// shape is the value of column f for the normal number z.
func shape(f int, z float64) float32 {
	switch {
	case f < 8:
		return float32(math.Exp(2 * z))
	case f < 12:
		return float32(z * z * z)
	case f < 17:
		return float32(min(max(math.Floor(z+3), 0), 5))
	case f < 20:
		if z > 1.2 {
			return 1
		}
		return 0
	case f < 23:
		return float32(min(math.Floor(math.Exp(1.5*z)), 2000))
	}
	return float32(z)
}
