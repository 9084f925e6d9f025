//go:build e2e

package gbdt

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// TestPeers trains 20 random configurations here and in XGBoost. Each must load
// the other's models, JSON and UBJ, and predict and explain alike. PICKET_XGB3 and
// PICKET_XGB17 are Python interpreters with xgboost 3.x and 1.7.4: bench/peers.sh
// makes them.
func TestPeers(t *testing.T) {
	eachPeer(t, func(t *testing.T, python string) {
		dir := t.TempDir()
		var cases []*peerCase
		for i := range 20 {
			cases = append(cases, newPeerCase(t, filepath.Join(dir, strconv.Itoa(i)), uint64(i)))
		}
		runPeer(t, python, dir)
		for i, c := range cases {
			t.Run(strconv.Itoa(i), c.check)
		}
	})
}

// TestPeersSplitCategoriesAlike trains on nothing but categories, whose bins leave no
// room for opinion: our trees must be XGBoost's.
func TestPeersSplitCategoriesAlike(t *testing.T) {
	eachPeer(t, func(t *testing.T, python string) {
		dir := t.TempDir()
		var cases []*peerCase
		for i, limit := range []string{"1", "13", "100"} {
			r, d := rand.New(rand.NewPCG(uint64(i), 5)), sample(2000, 6, 40+uint64(i))
			makeCategories(r, d.X, []int{0, 1, 2, 3, 4, 5})
			cases = append(cases, writePeerCase(t, filepath.Join(dir, limit), d, map[string]string{
				"objective": BinaryLogistic, "num_round": "10", "max_depth": "4", "base_score": "0.5", "full_precision": "true",
				"max_cat_to_onehot": limit, "max_cat_threshold": "8"}))
		}
		runPeer(t, python, dir)
		for _, c := range cases {
			ours, theirs := floatsOf(t, filepath.Join(c.dir, "margins.f32")), floatsOf(t, filepath.Join(c.dir, "their-margins.f32"))
			for i := range ours {
				if diff := math.Abs(float64(ours[i] - theirs[i])); diff > 1e-4 {
					t.Fatalf("max_cat_to_onehot %s: row %d has margin %v, XGBoost's own model gives %v", c.params["max_cat_to_onehot"], i, ours[i], theirs[i])
				}
			}
		}
	})
}

// eachPeer runs f for each version of XGBoost.
func eachPeer(t *testing.T, f func(t *testing.T, python string)) {
	for _, peer := range []string{"PICKET_XGB3", "PICKET_XGB17"} {
		t.Run(peer, func(t *testing.T) {
			python := os.Getenv(peer)
			if python == "" {
				t.Fatalf("%s is not set: run bench/peers.sh and set it to .peers/xgb*/bin/python", peer)
			}
			f(t, python)
		})
	}
}

func runPeer(t *testing.T, python, dir string) {
	t.Helper()
	run := exec.Command(python, "../bench/gbdt/e2e.py", dir)
	if out, err := run.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", run, err, out)
	}
}

// peerCase is a folder with our model and, after the peer ran, with its.
type peerCase struct {
	dir    string
	x      *Matrix
	params map[string]string
}

func newPeerCase(t *testing.T, dir string, seed uint64) *peerCase {
	t.Helper()
	r := rand.New(rand.NewPCG(seed, 1))
	d := sample(1500, 5+r.IntN(20), seed)
	params := randomParams(r)
	var columns []int
	for f := 2; f < d.X.Cols() && r.IntN(2) == 0; f += 3 {
		columns = append(columns, f)
	}
	makeCategories(r, d.X, columns)
	if params["objective"] == MultiSoftprob {
		for i := range d.Labels {
			d.Labels[i] = float32((int(d.Labels[i]) + r.IntN(2)*i%3) % 3)
		}
	}
	return writePeerCase(t, dir, d, params)
}

// makeCategories turns columns into 2 to 60 categories each, a tenth missing.
func makeCategories(r *rand.Rand, x *Matrix, columns []int) {
	for _, f := range columns {
		most := []float32{2, 3, 12, 60}[r.IntN(4)]
		for i := range x.Rows() {
			v := &x.dense[i*x.Cols()+f]
			if r.IntN(10) == 0 || *v != *v {
				*v = nan32
				continue
			}
			*v = float32(int(min(max((*v+3)/6, 0), 0.999) * most))
		}
	}
	x.Categorical(columns...)
}

// writePeerCase trains a model of d and writes all that the peer is to check.
func writePeerCase(t *testing.T, dir string, d TrainData, params map[string]string) *peerCase {
	t.Helper()
	if err := os.Mkdir(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	p, err := ParseParams(params)
	if err != nil {
		t.Fatal(err)
	}
	c := &peerCase{dir: dir, x: d.X, params: params}
	m := train(t, p, d)
	width := m.Classes() * (m.Features() + 1)
	margins, contribs := make([]float32, d.X.Rows()*m.Classes()), make([]float32, d.X.Rows()*width)
	if err := m.Margins(d.X, margins, 2); err != nil {
		t.Fatal(err)
	}
	if err := m.Explanations(d.X, contribs, 2); err != nil {
		t.Fatal(err)
	}
	for name, values := range map[string][]float32{"rows": d.X.dense, "labels": d.Labels, "margins": margins, "contribs": contribs} {
		writeFloats(t, filepath.Join(dir, name), values)
	}
	writeModels(t, m, dir)
	types := make([]string, d.X.Cols())
	for f := range types {
		types[f] = "q"
		if d.X.categorical[f] {
			types[f] = "c"
		}
	}
	theirs := maps.Clone(params)
	delete(theirs, "full_precision") // theirs is
	theirs["types"] = strings.Join(types, ",")
	config, _ := json.Marshal(theirs)
	if err := os.WriteFile(filepath.Join(dir, "params.json"), config, 0o666); err != nil {
		t.Fatal(err)
	}
	return c
}

func randomParams(r *rand.Rand) map[string]string {
	one := func(values ...any) string { return fmt.Sprint(values[r.IntN(len(values))]) }
	p := map[string]string{
		"objective": one(BinaryLogistic, BinaryLogistic, SquaredError, MultiSoftprob), "num_round": one(1, 5, 30),
		"eta": one(0.05, 0.3, 1), "max_depth": one(1, 3, 6, 9), "min_child_weight": one(0, 1, 5),
		"gamma": one(0, 0.5), "alpha": one(0, 0.3), "lambda": one(0.5, 1, 4), "subsample": one(0.6, 1),
		"colsample_bytree": one(0.5, 1), "colsample_bylevel": one(0.7, 1), "colsample_bynode": one(0.7, 1),
		"max_cat_to_onehot": one(1, 4, 100), "max_cat_threshold": one(3, 64), "max_bin": one(16, 64, 256),
		"grow_policy": one(DepthWise, LossGuide), "seed": one(1, 2, 3),
	}
	if p["objective"] == MultiSoftprob {
		p["num_class"] = "3"
	}
	if r.IntN(3) == 0 && p["objective"] == BinaryLogistic {
		p["base_score"], p["scale_pos_weight"] = one(0.1, 0.7), one(1, 3)
	}
	if r.IntN(4) == 0 {
		p["monotone_constraints"] = "(1,-1,0)"
	}
	return p
}

func writeFloats(t *testing.T, path string, values []float32) {
	t.Helper()
	var b []byte
	for _, x := range values {
		b = binary.LittleEndian.AppendUint32(b, math.Float32bits(x))
	}
	if err := os.WriteFile(path+".f32", b, 0o666); err != nil {
		t.Fatal(err)
	}
}

func writeModels(t *testing.T, m *Model, dir string) {
	t.Helper()
	for _, suffix := range []string{"json", "ubj"} {
		f, err := os.Create(filepath.Join(dir, "ours."+suffix))
		if err != nil {
			t.Fatal(err)
		}
		write := m.WriteJSON
		if suffix == "ubj" {
			write = m.WriteUBJ
		}
		if err := write(f); err != nil {
			t.Fatal(err)
		}
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// check reads what the peer says of our model, and compares its models with us.
func (c *peerCase) check(t *testing.T) {
	var report struct {
		Version                        string
		JSON, UBJ, Contribs, JSONToUBJ float64
	}
	b, err := os.ReadFile(filepath.Join(c.dir, "report.json"))
	if err == nil {
		err = json.Unmarshal(b, &report)
	}
	if err != nil {
		t.Fatal(err)
	}
	if report.JSON > 1e-6 || report.UBJ > 1e-6 || report.Contribs > 1e-4 {
		t.Errorf("xgboost %s finds margins of our JSON off by %g, of our UBJ by %g, contributions by %g: %v",
			report.Version, report.JSON, report.UBJ, report.Contribs, c.params)
	}
	margins, contribs := floatsOf(t, filepath.Join(c.dir, "their-margins.f32")), floatsOf(t, filepath.Join(c.dir, "their-contribs.f32"))
	for _, suffix := range []string{"json", "ubj"} {
		sameModel(t, readModel(t, filepath.Join(c.dir, "theirs."+suffix)), c.x, margins, contribs)
	}
}
