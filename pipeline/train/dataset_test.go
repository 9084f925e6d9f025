package train

import (
	"bytes"
	"io"
	"math"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

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
	add("worm", picket.SplitTest, 3, 4)
	var tested bytes.Buffer
	if err := WriteCSV(&tested, d, picket.SplitTest, false); err != nil || tested.String() != "0,1,2\n2,3,4\n" {
		t.Errorf("test rows: %q, %v", tested.String(), err)
	}
}

// What is written as Parquet is read again as a table, windows included.
func TestWriteParquet(t *testing.T) {
	d := drawn(20, 1)
	for i := range d.Examples {
		d.Examples[i].Split = []string{picket.SplitTrain, picket.SplitTest}[i%2]
	}
	var body, again bytes.Buffer
	for _, w := range []io.Writer{&body, &again} {
		if err := WriteParquet(w, d, picket.SplitTrain); err != nil {
			t.Fatal(err)
		}
	}
	if !bytes.Equal(body.Bytes(), again.Bytes()) {
		t.Error("the same rows gave other bytes")
	}
	read, err := ReadTable([]string{write(t, "train.parquet", body.Bytes())}, TableOptions{Label: "class", Drop: []string{"group", "weight"}})
	if err != nil {
		t.Fatal(err)
	}
	want := In(d, picket.SplitTrain)
	if len(read.Dataset.Examples) != len(want) || !slices.Equal(read.Dataset.Schema.Names, d.Schema.Names) {
		t.Fatalf("%d rows of %v", len(read.Dataset.Examples), read.Dataset.Schema.Names)
	}
	pooled := func(class string) string { // twenty rows are enough to keep a class, ten are not
		if class == picket.ClassNormal {
			return class
		}
		return ClassOther
	}
	for i, e := range read.Dataset.Examples {
		if e.Window != want[i].Window || e.Class != pooled(want[i].Class) || !cmp.Equal(e.Values, want[i].Values, cmpopts.EquateNaNs()) {
			t.Fatalf("row %d: %v, want %v", i+1, e, want[i])
		}
	}
	d.Schema = picket.NewSchema([]string{"class", "bytes", "noise"})
	if err := WriteParquet(io.Discard, d, picket.SplitTrain); err == nil {
		t.Error("two columns of one name were written")
	}
}
