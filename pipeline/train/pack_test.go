package train

import (
	"archive/zip"
	"bytes"
	"encoding/json"
	"io"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"picket"
)

// packed is a whole package of one booster.
func packed(t *testing.T) *Package {
	t.Helper()
	d := drawn(400, 1)
	SplitByGroup(d, DefaultFractions, 1)
	f := fitted(t, d)
	rows, err := Score(&f.Booster, f.Model, In(d, picket.SplitTrain))
	if err != nil {
		t.Fatal(err)
	}
	id := f.Booster.ID
	p := &Package{
		Model:       picket.Model{Name: "drawn", Boosters: []picket.Booster{f.Booster}, Training: map[string]any{"seed": 1.0}},
		Evaluations: map[picket.BoosterID]*Evaluation{id: evaluated(t, f, d, picket.SplitTest)},
		Snapshots:   map[picket.BoosterID]*Snapshot{id: NewSnapshot(d.Schema, In(d, picket.SplitTrain), rows)},
	}
	p.Card, err = NewCard(p, CardFacts{Description: strings.Repeat("drawn ", 500), Datasets: make([]string, 30), Details: map[string]string{"licence": "none"}})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// A card keeps apart what was learned and tested on what, and real data comes first.
func TestCardKeepsEvidenceApart(t *testing.T) {
	p := packed(t)
	id := p.Model.Boosters[0].ID
	if err := p.AddToCard(SimulatedToReal, p.Evaluations[id]); err != nil { // replaces that of the same data
		t.Fatal(err)
	}
	other := *p.Evaluations[id]
	other.Picket.Data = "a real network"
	for range 2 { // the second time replaces the first
		if err := p.AddToCard(RealToReal, &other); err != nil {
			t.Fatal(err)
		}
	}
	got, err := CardEvaluations(p.Card)
	if err != nil {
		t.Fatal(err)
	}
	var kinds []string
	for _, e := range got {
		kinds = append(kinds, string(e.Evidence)+" on "+e.Data)
	}
	want := []string{"real → real on a real network", "simulated → real on test"}
	if !slices.Equal(kinds, want) {
		t.Errorf("got %q, want %q", kinds, want)
	}
	if got[0].Metrics["AUC"] != other.Picket.AUC {
		t.Errorf("AUC %v, want %v", got[0].Metrics["AUC"], other.Picket.AUC)
	}
	other.Picket.Booster = "traffic/nobody/60"
	if err := p.AddToCard(RealToReal, &other); err == nil {
		t.Error("a booster that the package does not have was added")
	}
	if err := p.AddToCard("hearsay", p.Evaluations[id]); err == nil {
		t.Error("evidence of no kind was added")
	}
}

func TestPackageRoundTrip(t *testing.T) {
	p := packed(t)
	var archive bytes.Buffer
	if err := p.Write(&archive); err != nil {
		t.Fatal(err)
	}
	got, err := ReadPackage(bytes.NewReader(archive.Bytes()))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(p, got, cmpopts.IgnoreFields(Evaluation{}, "Binary", "Multiclass")); diff != "" {
		t.Error(diff)
	}
	fresh := drawn(50, 9).Examples
	before, err := ScoreBooster(&p.Model.Boosters[0], fresh)
	if err != nil {
		t.Fatal(err)
	}
	after, err := ScoreBooster(&got.Model.Boosters[0], fresh)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(before, after); diff != "" {
		t.Error(diff)
	}
	var again bytes.Buffer
	if err := got.Write(&again); err != nil {
		t.Fatal(err)
	}
	if got.Model.ID != p.Model.ID || !bytes.Equal(archive.Bytes(), again.Bytes()) {
		t.Error("a package that is read and written again differs")
	}
	p.Model.Boosters[0].Threshold.Margin++
	if id, err := p.ID(); err != nil || id == got.Model.ID {
		t.Errorf("another threshold has the same id (%v)", err)
	}
}

// rebuild changes the files of an archive.
func rebuild(t *testing.T, archive []byte, change func(files map[string][]byte)) []byte {
	t.Helper()
	r, err := zip.NewReader(bytes.NewReader(archive), int64(len(archive)))
	if err != nil {
		t.Fatal(err)
	}
	files, err := unzip(r)
	if err != nil {
		t.Fatal(err)
	}
	change(files)
	var out bytes.Buffer
	w := zip.NewWriter(&out)
	for name, data := range files {
		f, err := w.Create(name)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.Write(data); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func TestReadPackageRefuses(t *testing.T) {
	p := packed(t)
	var archive bytes.Buffer
	if err := p.Write(&archive); err != nil {
		t.Fatal(err)
	}
	const trees = "boosters/traffic-actor-60.ubj"
	f := func(want string, change func(files map[string][]byte)) {
		t.Helper()
		_, err := ReadPackage(bytes.NewReader(rebuild(t, archive.Bytes(), change)))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %q", err, want)
		}
	}
	manifest := func(old, new string) func(files map[string][]byte) {
		return func(files map[string][]byte) {
			if !bytes.Contains(files[manifestName], []byte(old)) {
				t.Fatalf("no %s in the manifest", old)
			}
			files[manifestName] = bytes.Replace(files[manifestName], []byte(old), []byte(new), 1)
		}
	}
	f("no manifest.json", func(files map[string][]byte) { delete(files, manifestName) })
	f("is missing", func(files map[string][]byte) { delete(files, trees) })
	f("not in the manifest", func(files map[string][]byte) { files["virus.exe"] = nil })
	f("SHA-256", func(files map[string][]byte) { files[trees][50] ^= 1 })
	f("trees", func(files map[string][]byte) {
		manifest(hashOf(files[trees]), hashOf([]byte("{}")))(files)
		files[trees] = []byte("{}")
	})
	f("format 9", manifest(`"format": 1`, `"format": 9`))
	f("calibration method", manifest(`"sigmoid"`, `"magic"`))
	f("falls as the margin rises", manifest(`"a": -`, `"a": `))
	f("the manifest says 4", manifest(`"noise"`, `"noise", "more"`))
	f("twice", manifest(`"noise"`, `"ports"`))
	f("features and give 3 margins, the manifest says 3 and 1", manifest(`"normal",`, ""))
	f("manifest.json", func(files map[string][]byte) { files[manifestName] = []byte(`{"format":1,"boosters":7}`) })
}

// Any bytes give a package or an error.
func TestReadPackageSurvivesDamage(t *testing.T) {
	var archive bytes.Buffer
	if err := packed(t).Write(&archive); err != nil {
		t.Fatal(err)
	}
	random := rand.New(rand.NewPCG(1, 0))
	for range 300 {
		data := bytes.Clone(archive.Bytes())
		for range 1 + random.IntN(4) {
			data[random.IntN(len(data))] ^= byte(1 << random.IntN(8))
		}
		if got, err := ReadPackage(bytes.NewReader(data)); err == nil && got.Model.Name != "drawn" {
			t.Fatal("a damaged package was read as another")
		}
		if _, err := ReadPackage(bytes.NewReader(data[:random.IntN(len(data))])); err == nil {
			t.Fatal("a truncated package was read")
		}
	}
}

func FuzzReadPackage(f *testing.F) {
	var empty bytes.Buffer
	if err := (&Package{}).Write(&empty); err != nil {
		f.Fatal(err)
	}
	f.Add(empty.Bytes())
	f.Add([]byte("PK\x03\x04"))
	f.Fuzz(func(t *testing.T, data []byte) {
		if p, err := ReadPackage(bytes.NewReader(data)); err == nil {
			if err := p.Write(io.Discard); err != nil {
				t.Error(err)
			}
		}
	})
}

func TestCardIsValid(t *testing.T) {
	schema, err := os.ReadFile("testdata/model-card-0.1.0.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	var document map[string]any
	if err := json.Unmarshal(schema, &document); err != nil {
		t.Fatal(err)
	}
	delete(document, "$id") // it repeats the metaschema's
	compiler := jsonschema.NewCompiler()
	if err := compiler.AddResource("card.json", document); err != nil {
		t.Fatal(err)
	}
	compiled, err := compiler.Compile("card.json")
	if err != nil {
		t.Fatal(err)
	}
	p := packed(t)
	measured := *p.Evaluations[p.Model.Boosters[0].ID]
	measured.Picket.Data = "a real network"
	if err := p.AddToCard(RealToReal, &measured); err != nil {
		t.Fatal(err)
	}
	card, err := jsonschema.UnmarshalJSON(bytes.NewReader(p.Card))
	if err != nil {
		t.Fatal(err)
	}
	if err := compiled.Validate(card); err != nil {
		t.Error(err)
	}
	short, err := jsonschema.UnmarshalJSON(strings.NewReader(ShortCard("picket", "s3://bucket/models/1")))
	if err == nil {
		err = compiled.Validate(short)
	}
	if err != nil {
		t.Errorf("short card: %v", err)
	}
	card.(map[string]any)["model_overview"].(map[string]any)["model_version"] = 0
	if compiled.Validate(card) == nil {
		t.Error("the schema lets a version of 0 pass: is it read at all?")
	}
}
