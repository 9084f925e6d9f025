//go:build e2e

package main

import (
	"bytes"
	"encoding/json"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"picket/aws/sagemaker"
	"picket/gbdt"
)

// TestBuiltInServes: what the endpoint serves with AWS's built-in image (the artifact that
// deploy-model makes of a booster) gives XGBoost 3.0.5 the scores that Picket has, to 1e-6,
// for every booster of the shipped package.
func TestBuiltInServes(t *testing.T) {
	pkg, err := defaultPackage()
	if err != nil {
		t.Fatal(err)
	}
	r := rand.New(rand.NewPCG(3, 5))
	compared := 0
	for i := range pkg.Model.Boosters {
		b := &pkg.Model.Boosters[i]
		rows := oddRows(r, b.Schema.Names, b.Usual, 400)
		folder := t.TempDir()
		model, csv := filepath.Join(folder, sagemaker.ArtifactName), filepath.Join(folder, "rows.csv")
		var artifact, text bytes.Buffer
		if err := sagemaker.WriteArtifact(&artifact, sagemaker.TreesName, b.Trees); err != nil {
			t.Fatal(err)
		}
		for _, row := range rows {
			cells := make([]string, len(row))
			for j, v := range row {
				if !math.IsNaN(float64(v)) {
					cells[j] = strconv.FormatFloat(float64(v), 'g', -1, 32)
				}
			}
			text.WriteString(strings.Join(cells, ",") + "\n")
		}
		for name, body := range map[string][]byte{model: artifact.Bytes(), csv: text.Bytes()} {
			if err := os.WriteFile(name, body, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		var said struct {
			Version     string
			Predictions [][]float64
		}
		if err := json.Unmarshal(sageMaker(t, "serve.py", model, csv), &said); err != nil || said.Version != "3.0.5" {
			t.Fatalf("XGBoost %s: %v", said.Version, err)
		}
		trees, err := gbdt.Read(bytes.NewReader(b.Trees))
		if err != nil {
			t.Fatal(err)
		}
		out := make([]float32, len(rows)*trees.Classes())
		if err := trees.Predictions(gbdt.NewDense(flatten(rows), len(rows), len(b.Schema.Names)), out, 1); err != nil {
			t.Fatal(err)
		}
		different := map[float32]bool{}
		for j, got := range out {
			want := said.Predictions[j/trees.Classes()][j%trees.Classes()]
			if math.Abs(want-float64(got)) > 1e-6 {
				t.Fatalf("%s: prediction %d is %v here and %v in XGBoost %s", b.ID, j, got, want, said.Version)
			}
			different[got] = true
		}
		if len(different) < 20 {
			t.Errorf("%s: only %d different predictions: the rows show little", b.ID, len(different))
		}
		compared += len(out)
	}
	t.Logf("%d predictions of %d boosters alike", compared, len(pkg.Model.Boosters))
}

// oddRows are rows around the usual values of features, with gaps and extremes.
func oddRows(r *rand.Rand, names []string, usual map[string]float64, n int) [][]float32 {
	rows := make([][]float32, n)
	for i := range rows {
		rows[i] = make([]float32, len(names))
		for j, name := range names {
			v := usual[name]
			switch r.IntN(6) {
			case 0:
				v = math.NaN()
			case 1:
				v = 0
			case 2:
				v = (v + 1) * math.Exp(4*r.NormFloat64())
			default:
				v *= 1 + r.NormFloat64()/2
			}
			rows[i][j] = float32(v)
		}
	}
	return rows
}

func flatten(rows [][]float32) []float32 {
	var all []float32
	for _, row := range rows {
		all = append(all, row...)
	}
	return all
}
