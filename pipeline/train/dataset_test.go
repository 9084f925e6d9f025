package train

import (
	"bytes"
	"io"
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
	add("tunnel", picket.SplitTrain, 1, 2)
	if err := WriteCSV(io.Discard, d, picket.SplitTrain, true); err == nil {
		t.Error("a class that the dataset does not name was written")
	}
}
