package gbdt

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestReadRefuses(t *testing.T) {
	good, err := os.ReadFile("testdata/1.7.4/binary.json")
	if err != nil {
		t.Fatal(err)
	}
	f := func(old, new, want string) {
		t.Helper()
		bad := strings.Replace(string(good), old, new, 1)
		if bad == string(good) {
			t.Fatalf("%q is not in the model", old)
		}
		m, err := Read(strings.NewReader(bad))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q for %q: model read %v, error %v; want one with %q", new, old, m != nil, err, want)
		}
	}
	f(`"left_children":[1,`, `"left_children":[0,`, "reached twice")
	f(`"left_children":[1,`, `"left_children":[1e9,`, "children")
	f(`"left_children":[1,`, `"left_children":[1.5,`, "children")
	f(`"left_children":[1,`, `"left_children":[`, "numbers for")
	f(`"split_indices":[`, `"split_indices":[7,`, "numbers for")
	f(`"num_class":"0","num_feature":"6"`, `"num_class":"0","num_feature":"1"`, "column")
	f(`"num_class":"0","num_feature":"6"`, `"num_class":"0","num_feature":"99999999999"`, "num_feature")
	f(`"base_score":"5E-1"`, `"base_score":"5E+1"`, "margin")
	f(`"base_score":"5E-1"`, `"base_score":"x"`, "base_score")
	f(`"name":"gbtree"`, `"name":"dart"`, "dart")
	f(`"name":"gbtree"`, `"name":"gblinear"`, "gblinear")
	f(`"num_target":"1"`, `"num_target":"2"`, "several targets")
	f(`"num_nodes":"25","size_leaf_vector":"0"`, `"num_nodes":"25","size_leaf_vector":"3"`, "several targets")
	f(`"binary:logistic"`, `"rank:ndcg"`, "objective")
	f(`"num_class":"0"`, `"num_class":"3"`, "classes")
	f(`"tree_info":[0,`, `"tree_info":[1,`, "class 1")
	f(`"split_conditions":[`, `"split_conditions":[NaN,`, "numbers for")
	f(`{"learner"`, `{"teacher"`, "learner")

	g := func(content, want string) {
		t.Helper()
		if _, err := Read(strings.NewReader(content)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.10q: %v; want %q", content, err, want)
		}
	}
	g("", "empty")
	g("binf\x00\x00", "save_model")
	g("\x80\x04\x95", "pickle")
	g("PK\x03\x04", "unpack")
	g("booster", "neither")
	g(strings.Repeat("[", 100), "neither")
	g(`{"a":`+strings.Repeat("[", 100), "nested")
	g("{L\x00\x00\x00\x00\x7f\x00\x00\x00", "length")
	g("{i\x01a[$d#L\x00\x00\x00\x00\x00\x00\x00\x02", "bytes wanted")
	g("{i\x01a[$Z#L\x00\x00\x00\x00\x00\x00\x00\x02", "array of type")
}

func TestNaNThreshold(t *testing.T) {
	good, err := os.ReadFile("testdata/1.7.4/binary.json")
	if err != nil {
		t.Fatal(err)
	}
	at := bytes.Index(good, []byte(`"split_conditions":[`)) + len(`"split_conditions":[`)
	end := at + bytes.IndexByte(good[at:], ',')
	bad := append(append(append([]byte{}, good[:at]...), "NaN"...), good[end:]...)
	if _, err := Read(bytes.NewReader(bad)); err == nil || !strings.Contains(err.Error(), "value NaN") {
		t.Errorf("a NaN threshold gave %v", err)
	}
}

// FuzzRead wants a model or an error of any bytes, and of a model that it
// predicts, explains and survives being written and read.
func FuzzRead(f *testing.F) {
	paths, _ := filepath.Glob("testdata/*/*.json")
	more, _ := filepath.Glob("testdata/*/*.ubj")
	for _, p := range append(paths, more...) {
		if b, err := os.ReadFile(p); err == nil {
			f.Add(b)
		}
	}
	f.Add([]byte(`{"learner":{}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		m, err := Read(bytes.NewReader(data))
		if err != nil || m.Features() > 1000 || len(m.trees) > 1000 {
			return
		}
		row, out := make([]float32, m.Features()), make([]float32, m.Classes())
		m.Predict(row, out)
		m.Contributions(row, make([]float32, m.Classes()*(m.Features()+1)))
		var b bytes.Buffer
		if err := m.WriteUBJ(&b); err != nil {
			t.Fatal(err)
		}
		if _, err := Read(&b); err != nil {
			t.Fatalf("the model written can not be read: %v", err)
		}
	})
}

// TestWiden reads rows of more columns than a model was trained on as rows of its own,
// also through a file.
func TestWiden(t *testing.T) {
	d := sample(300, 6, 8)
	p := DefaultParams()
	p.Rounds, p.EarlyStoppingRounds = 4, 2
	m := train(t, p, d, Watch("train", d))
	if m.Attribute("best_iteration") == "" || m.Unstopped().Attribute("best_iteration") != "" || m.Attribute("best_score") == "" {
		t.Error("Unstopped keeps what early stopping noted, or takes it from the model itself")
	}
	var file bytes.Buffer
	if err := m.Widen(2).Widen(8).WriteUBJ(&file); err != nil {
		t.Fatal(err)
	}
	wide, err := Read(&file)
	if err != nil || wide.Features() != 8 || m.Features() != 6 {
		t.Fatal(err, wide.Features(), m.Features())
	}
	var narrow, more [1]float32
	for i := range 300 {
		row := append(append([]float32{}, d.X.Row(i, make([]float32, 6))...), float32(i), 7)
		m.Margin(row[:6], narrow[:])
		if wide.Margin(row, more[:]); narrow != more {
			t.Fatalf("row %d: %v, widened %v", i, narrow, more)
		}
	}
}
