package main

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"flag"
	"math"
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"

	"picket"
	"picket/pipeline/infer"
)

var update = flag.Bool("update", false, "write default/expected.json anew")

// expected is what default/model.zip is known to be and to say.
type expected struct {
	SHA256  string               `json:"sha256"`
	Cuts    map[string]float64   `json:"cuts"`    // by booster, on the margin
	Margins map[string][]float64 `json:"margins"` // by booster, of the rows of probeRow
}

// probeRow is row k of a fixed set that has small, large and missing values.
func probeRow(k, width int) []float64 {
	row := make([]float64, width)
	for j := range row {
		row[j] = float64((j*j*7+k*13)%23) * float64(1+k*k*k)
		if (j+k)%5 == 0 {
			row[j] = math.NaN()
		}
	}
	return row
}

// sourceOf is a source of rows of a detector.
func sourceOf(detector string) string {
	switch detector {
	case picket.DetectorAccess:
		return picket.SourceAccess
	case picket.DetectorPhishing:
		return picket.SourceNames
	}
	return picket.SourcePcap
}

func TestDefaultPackage(t *testing.T) {
	body, err := os.ReadFile("default/model.zip")
	if err != nil {
		t.Fatal(err)
	}
	pkg, err := defaultPackage()
	if err != nil {
		t.Fatal(err)
	}
	scorer, err := infer.New(&pkg.Model)
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(body)
	got := expected{hex.EncodeToString(sum[:]), map[string]float64{}, map[string][]float64{}}
	for _, b := range pkg.Model.Boosters {
		road, err := roadFor(b.ID.Detector)
		if err != nil {
			t.Fatal(err)
		}
		schema := road.Schema()
		if err := b.Schema.Match(schema); err != nil {
			t.Fatalf("%s: %v; make the package again", b.ID, err)
		}
		got.Cuts[b.ID.String()] = b.Threshold.Margin
		for k := range 6 {
			row := picket.Features{Window: picket.Window{Entity: picket.Entity{Kind: b.ID.Kind, ID: "192.0.2.1"}, Seconds: b.ID.Seconds, Source: sourceOf(b.ID.Detector)}, Values: probeRow(k, len(schema.Names))}
			score, ok, err := scorer.Score(&row, false)
			if err != nil || !ok {
				t.Fatalf("%s: scored %v, %v", b.ID, ok, err)
			}
			got.Margins[b.ID.String()] = append(got.Margins[b.ID.String()], score.Margin)
		}
	}
	if *update {
		text, err := json.MarshalIndent(got, "", "  ")
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile("default/expected.json", append(text, '\n'), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	var want expected
	text, err := os.ReadFile("default/expected.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &want); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the embedded package is not the expected one (-want +got):\n%s", diff)
	}
}
