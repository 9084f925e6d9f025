package train

import (
	"bytes"
	"math"
	"testing"

	"picket"
)

func TestWriteCSV(t *testing.T) {
	d := &picket.Dataset{Classes: []string{"normal", "scan"}, Schema: picket.NewSchema([]string{"a", "b"})}
	add := func(class, split string, values ...float64) {
		d.Examples = append(d.Examples, picket.Example{Features: picket.Features{Values: values}, Class: class, Split: split, Weight: 2.5})
	}
	add("scan", picket.SplitTrain, 0.1, math.NaN())
	add("normal", picket.SplitTest, 1, 2)
	add("normal", picket.SplitTrain, math.Inf(1), -3e-9)
	f := func(weights bool, want string) {
		t.Helper()
		var got bytes.Buffer
		if err := WriteCSV(&got, d, picket.SplitTrain, weights); err != nil {
			t.Fatal(err)
		}
		if got.String() != want {
			t.Errorf("got\n%swant\n%s", got.String(), want)
		}
	}
	f(false, "1,0.1,\n0,3.4028235e+38,-3e-09\n")
	f(true, "1,2.5,0.1,\n0,2.5,3.4028235e+38,-3e-09\n")
	one, err := NewManifest(d, "by hand")
	if err != nil {
		t.Fatal(err)
	}
	d.Examples[1].Split = picket.SplitTrain
	two, err := NewManifest(d, "by hand")
	if err != nil {
		t.Fatal(err)
	}
	if one.ID == two.ID || one.Rows[picket.SplitTrain]["scan"] != 1 {
		t.Errorf("manifests %+v and %+v", one, two)
	}
	add("tunnel", picket.SplitTrain, 1, 2)
	if _, err := NewManifest(d, "by hand"); err == nil {
		t.Error("a class that the dataset does not name was written")
	}
}
