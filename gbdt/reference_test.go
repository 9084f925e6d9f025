package gbdt

import (
	"encoding/binary"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// floatsOf reads a file of float32.
func floatsOf(t testing.TB, path string) []float32 {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	out := make([]float32, len(b)/4)
	for i := range out {
		out[i] = math.Float32frombits(binary.LittleEndian.Uint32(b[4*i:]))
	}
	return out
}

func readModel(t testing.TB, path string) *Model {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	m, err := Read(f)
	if err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	return m
}

// sameModel compares m with what XGBoost predicted: margins to the bit,
// contributions within 1e-4, in every way there is to predict.
func sameModel(t *testing.T, m *Model, x *Matrix, margins, contribs []float32) {
	t.Helper()
	all := make([]float32, len(margins))
	if err := m.Margins(x, all, 2); err != nil {
		t.Fatal(err)
	}
	slow := m.clone() // walks the trees as they are
	width := m.Classes() * (m.Features() + 1)
	phi, one := make([]float32, width), make([]float32, m.Classes())
	for i := range x.Rows() {
		want, row := margins[i*m.Classes():(i+1)*m.Classes()], x.Row(i, nil)
		m.Margin(row, one)
		for k, w := range want {
			walked := slow.base[k]
			for j := range slow.trees {
				if tr := &slow.trees[j]; tr.class == k {
					walked += tr.nodes[tr.find(row)].value
				}
			}
			if one[k] != w || all[i*m.Classes()+k] != w || walked != w {
				t.Fatalf("row %d class %d: margins %v, %v and %v; XGBoost has %v", i, k, one[k], all[i*m.Classes()+k], walked, w)
			}
		}
		m.Contributions(row, phi)
		for k, c := range phi {
			if w := contribs[i*width+k]; math.Abs(float64(c-w)) > 1e-4 {
				t.Fatalf("row %d contribution %d is %v; XGBoost has %v", i, k, c, w)
			}
		}
	}
}

func TestXGBoostModels(t *testing.T) {
	paths, _ := filepath.Glob("testdata/*/*.rows")
	if len(paths) < 32 {
		t.Fatalf("%d reference models: run testdata/make.py", len(paths))
	}
	for _, rows := range paths {
		base := strings.TrimSuffix(rows, ".rows")
		t.Run(strings.TrimPrefix(base, "testdata/"), func(t *testing.T) {
			suffix := ".json"
			if strings.HasSuffix(base, "-ubj") {
				suffix = ".ubj"
			}
			m := readModel(t, base+suffix)
			x := floatsOf(t, rows)
			data := NewDense(x, len(x)/m.Features(), m.Features())
			sameModel(t, m, data, floatsOf(t, base+".margins"), floatsOf(t, base+".contribs"))
			sameLeaves(t, m, data, floatsOf(t, base+".leaves"))
			if !strings.Contains(base, "/1.3.") { // it can not predict by some rounds alone
				sameRange(t, m, data, floatsOf(t, base+".ranged"))
			}
			sameImportance(t, m, floatsOf(t, base+".importance"))
		})
	}
}

// sameLeaves compares the leaves of rows with XGBoost's pred_leaf.
func sameLeaves(t *testing.T, m *Model, x *Matrix, want []float32) {
	t.Helper()
	n := len(want) / x.Rows()
	got := make([]int32, n)
	for i := range x.Rows() {
		m.Leaves(x.Row(i, nil), got)
		for k, leaf := range got {
			if float32(leaf) != want[i*n+k] {
				t.Fatalf("row %d ends at node %d of tree %d; XGBoost has %v", i, leaf, k, want[i*n+k])
			}
		}
	}
}

// sameRange compares the margins of the rounds 1 and 2 from base margins of 0, 1/8, ...
func sameRange(t *testing.T, m *Model, x *Matrix, want []float32) {
	t.Helper()
	part, got := m.Slice(1, 3), make([]float32, m.Classes())
	for i := range want {
		row, k := i/m.Classes(), i%m.Classes()
		for j := range got {
			got[j] = float32(i-k+j) / 8
		}
		part.Add(x.Row(row, nil), got)
		if got[k] != want[i] {
			t.Fatalf("row %d class %d: margin %v of two rounds from a base margin; XGBoost has %v", row, k, got[k], want[i])
		}
	}
}

func sameImportance(t *testing.T, m *Model, want []float32) {
	t.Helper()
	for i, kind := range []string{Weight, Gain, Cover, TotalGain, TotalCover} {
		got, err := m.Importance(kind)
		if err != nil {
			t.Fatal(err)
		}
		for f, v := range got {
			w := float64(want[i*len(got)+f])
			near(t, kind, v, w, 1e-5*max(1, w))
		}
	}
}
