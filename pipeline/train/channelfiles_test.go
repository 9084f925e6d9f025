package train

import (
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/parquet-go/parquet-go"
)

func TestReadLibSVM(t *testing.T) {
	var c Channel
	if err := c.ReadLibSVM(strings.NewReader("1:0.5 0:2 3:-1e3\n\n# a remark\n0 2:nan 0:7 # another\n1\n")); err != nil {
		t.Fatal(err)
	}
	if err := c.ReadLibSVM(strings.NewReader("0 1:4\n")); err != nil { // another file of the channel
		t.Fatal(err)
	}
	d := c.Data(5)
	if diff := cmp.Diff([]float32{1, 0, 1, 0}, d.Labels); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]float32{0.5, 1, 1, 1}, d.Weights); diff != "" {
		t.Error(diff)
	}
	nan := float32(math.NaN())
	want := [][]float32{{2, nan, nan, -1000, nan}, {7, nan, nan, nan, nan}, {nan, nan, nan, nan, nan}, {nan, 4, nan, nan, nan}}
	for i, row := range want {
		got := d.X.Row(i, make([]float32, 5))
		for k := range row {
			if got[k] != row[k] && (got[k] == got[k] || row[k] == row[k]) {
				t.Errorf("row %d is %v, want %v", i, got, row)
				break
			}
		}
	}
	f := func(line, want string) {
		t.Helper()
		if err := new(Channel).ReadLibSVM(strings.NewReader("1 0:1\n" + line)); err == nil || !strings.Contains(err.Error(), want) || !strings.HasPrefix(err.Error(), "line 2: ") {
			t.Errorf("%q: %v, want %q", line, err, want)
		}
	}
	f("x 0:1", "no label")
	f("-1 0:1", "no label")
	f("1:-2 0:1", "no label")
	f("1 qid:3 0:1", "want column:value")
	f("1 -1:3", "want column:value")
	f("1 65536:3", "below 65536")
	f("1 0:x", "no number")
	f("1 3:1 3:2", "twice")
}

func TestReadParquetChannel(t *testing.T) {
	type row struct {
		Label int64    `parquet:"label"`
		X     *float64 `parquet:"x,optional"`
		Y     float32  `parquet:"y"`
	}
	x := 1.5
	path := filepath.Join(t.TempDir(), "a.parquet")
	if err := parquet.WriteFile(path, []row{{1, &x, 2}, {0, nil, 3}}); err != nil {
		t.Fatal(err)
	}
	var c Channel
	if err := c.ReadParquet(path); err != nil {
		t.Fatal(err)
	}
	d := c.Data(c.Cols())
	a, b := d.X.Row(0, nil), d.X.Row(1, nil)
	if c.Cols() != 2 || d.Labels[0] != 1 || d.Weights[1] != 1 || a[0] != 1.5 || a[1] != 2 || b[0] == b[0] || b[1] != 3 {
		t.Errorf("labels %v, rows %v and %v", d.Labels, a, b)
	}
	type text struct {
		Label int64  `parquet:"label"`
		X     string `parquet:"x"`
	}
	if err := parquet.WriteFile(path, []text{{1, "tcp"}}); err != nil {
		t.Fatal(err)
	}
	if err := new(Channel).ReadParquet(path); err == nil || !strings.Contains(err.Error(), "row 1: column 2") {
		t.Errorf("a column of text: %v", err)
	}
	if err := os.WriteFile(path, []byte("1,2,3\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := new(Channel).ReadParquet(path); err == nil || !strings.Contains(err.Error(), path) {
		t.Errorf("a CSV file: %v", err)
	}
}

func FuzzReadLibSVM(f *testing.F) {
	f.Add([]byte("1:0.5 0:2 3:-1e3\n0 2:nan 0:7 # another\n"))
	f.Add([]byte("1 3:1 3:2"))
	f.Fuzz(func(t *testing.T, data []byte) {
		var c Channel
		if err := c.ReadLibSVM(strings.NewReader(string(data))); err != nil {
			return
		}
		if d := c.Data(c.Cols()); d.X.Rows() != len(d.Labels) || len(d.Weights) != len(d.Labels) {
			t.Errorf("%d rows, %d labels, %d weights", d.X.Rows(), len(d.Labels), len(d.Weights))
		}
	})
}
