//go:build e2e

package gbdt

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
)

// TestPeers trains 20 random configurations here and in XGBoost. Each must load
// the other's models, JSON and UBJ, and predict and explain alike. PICKET_XGB3 and
// PICKET_XGB17 are Python interpreters with xgboost 3.x and 1.7.4: bench/peers.sh
// makes them.
func TestPeers(t *testing.T) {
	for _, peer := range []string{"PICKET_XGB3", "PICKET_XGB17"} {
		t.Run(peer, func(t *testing.T) {
			python := os.Getenv(peer)
			if python == "" {
				t.Fatalf("%s is not set: run bench/peers.sh and set it to .peers/xgb*/bin/python", peer)
			}
			dir := t.TempDir()
			var cases []*peerCase
			for i := range 20 {
				cases = append(cases, newPeerCase(t, filepath.Join(dir, strconv.Itoa(i)), uint64(i)))
			}
			run := exec.Command(python, "../bench/gbdt/e2e.py", dir)
			if out, err := run.CombinedOutput(); err != nil {
				t.Fatalf("%s: %v\n%s", run, err, out)
			}
			for i, c := range cases {
				t.Run(strconv.Itoa(i), c.check)
			}
		})
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
	if err := os.Mkdir(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	r := rand.New(rand.NewPCG(seed, 1))
	d := sample(1500, 5+r.IntN(20), seed)
	c := &peerCase{dir: dir, x: d.X, params: randomParams(r)}
	p, err := ParseParams(c.params)
	if err != nil {
		t.Fatal(err)
	}
	for i := range d.Labels {
		if p.Objective == MultiSoftprob {
			d.Labels[i] = float32((int(d.Labels[i]) + r.IntN(2)*i%3) % p.NumClass)
		}
	}
	m := train(t, p, d)
	width := m.Classes() * (m.Features() + 1)
	margins, contribs := make([]float32, 1500*m.Classes()), make([]float32, 1500*width)
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
	config, _ := json.Marshal(c.params)
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
		"max_bin": one(16, 64, 256), "grow_policy": one(DepthWise, LossGuide), "seed": one(1, 2, 3),
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
