package train

import (
	"archive/zip"
	"bytes"
	"compress/gzip"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/parquet-go/parquet-go"

	"picket"
)

func write(t *testing.T, name string, data []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func gzipped(t *testing.T, data string) []byte {
	t.Helper()
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	if _, err := w.Write([]byte(data)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func zipped(t *testing.T, files ...string) []byte {
	t.Helper()
	var out bytes.Buffer
	w := zip.NewWriter(&out)
	for i := 0; i < len(files); i += 2 {
		f, err := w.Create(files[i])
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.Write([]byte(files[i+1])); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

const flows = `id,proto,bytes,rate,label
1,tcp,100,1.5,BENIGN
2,udp,,inf,Normal.
3,tcp,1e3,-,scan
4,"icmp, v6",nan,-Infinity,scan
5,NA,0x10p0,1e999,ddos
`

// values returns the columns of a table's rows, missing as -1.
func values(t *Table) [][]float64 {
	var rows [][]float64
	for _, e := range t.Dataset.Examples {
		row := []float64{}
		for _, v := range e.Values {
			if math.IsNaN(v) {
				v = -1
			}
			row = append(row, v)
		}
		rows = append(rows, row)
	}
	return rows
}

func TestReadTable(t *testing.T) {
	type row struct {
		ID    int64   `parquet:"id"`
		Proto *string `parquet:"proto,optional"`
		Bytes float64 `parquet:"bytes"`
		Rate  float32 `parquet:"rate"`
		Label string  `parquet:"label"`
	}
	tcp, udp, icmp := "tcp", "udp", "icmp, v6"
	inf, nan := float32(math.Inf(1)), float32(math.NaN())
	var columnar bytes.Buffer
	err := parquet.Write(&columnar, []row{
		{1, &tcp, 100, 1.5, "BENIGN"}, {2, &udp, math.NaN(), inf, "Normal."}, {3, &tcp, 1000, nan, "scan"},
		{4, &icmp, math.NaN(), -inf, "scan"}, {5, nil, 16, inf, "ddos"},
	})
	if err != nil {
		t.Fatal(err)
	}
	want := [][]float64{{2, 100, 1.5}, {1, -1, math.Inf(1)}, {2, 1000, -1}, {0, -1, math.Inf(-1)}, {-1, 16, math.Inf(1)}}
	f := func(name string, data []byte) {
		t.Helper()
		table, err := ReadTable([]string{write(t, name, data)}, TableOptions{Label: "label", Drop: []string{"id"}})
		if err != nil {
			t.Fatal(err)
		}
		d := table.Dataset
		if diff := cmp.Diff([]string{"proto", "bytes", "rate"}, d.Schema.Names); diff != "" {
			t.Error(diff)
		}
		if diff := cmp.Diff(map[string][]string{"proto": {"icmp, v6", "udp", "tcp"}}, table.Categories); diff != "" {
			t.Error(diff)
		}
		if diff := cmp.Diff(want, values(table)); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
		if diff := cmp.Diff([]string{"normal", ClassOther}, d.Classes); diff != "" {
			t.Error(diff)
		}
		if diff := cmp.Diff(map[string]int{"ddos": 1, "scan": 2}, table.Pooled); diff != "" {
			t.Error(diff)
		}
		if d.Examples[0].Class != picket.ClassNormal || d.Examples[1].Class != picket.ClassNormal || d.Examples[4].Class != ClassOther {
			t.Error("classes are not the labels")
		}
		if len(table.Files) != 1 || table.Files[0].Rows != 5 || len(table.Files[0].SHA256) != 64 {
			t.Errorf("files %+v", table.Files)
		}
	}
	f("flows.csv", []byte(flows))
	f("bom.txt", []byte("\ufeff"+strings.ReplaceAll(flows, "\n", "\r\n")))
	f("flows.gz", gzipped(t, flows))
	f("flows.zip", zipped(t, "__MACOSX/._flows.csv", "\x00\x05", "flows.csv", flows))
	f("flows.parquet", columnar.Bytes())
}

// Several files are one table, whatever the order of their columns, and the same
// table whatever the order of their rows' categories.
func TestReadTableOfManyFiles(t *testing.T) {
	a := write(t, "a.csv", []byte("x,kind,label\n1,b,0\n2,a,1\n"))
	b := write(t, "b.csv", []byte("label,kind,x\n0.0,c,3\n"))
	table, err := ReadTable([]string{a, b}, TableOptions{Label: "label"})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([][]float64{{1, 1}, {2, 0}, {3, 2}}, values(table)); diff != "" {
		t.Error(diff)
	}
	if table.Dataset.Examples[2].Class != picket.ClassNormal {
		t.Error("0.0 is not 0")
	}
}

func TestRareClassesArePooled(t *testing.T) {
	data := "x,label\n" + strings.Repeat("1,0\n", 3) + strings.Repeat("2,flood\n", minKindRows) + "3,worm\n"
	read := func(data string) *Table {
		table, err := ReadTable([]string{write(t, "a.csv", []byte(data))}, TableOptions{Label: "label"})
		if err != nil {
			t.Fatal(err)
		}
		return table
	}
	if one := read(data); !cmp.Equal(one.Dataset.Classes, []string{"normal", "flood", "worm"}) || one.Pooled != nil {
		t.Errorf("one rare class became %v", one.Dataset.Classes)
	}
	if two := read(data + "4,spy\n"); !cmp.Equal(two.Dataset.Classes, []string{"normal", "flood", ClassOther}) {
		t.Errorf("two rare classes became %v", two.Dataset.Classes)
	}
}

func TestReadTableForABooster(t *testing.T) {
	b := &picket.Booster{
		ID: picket.BoosterID{Detector: picket.DetectorTable}, Schema: picket.NewSchema([]string{"proto", "bytes"}),
		Classes: []string{"normal", "scan"}, Categories: map[string][]string{"proto": {"udp", "tcp"}},
	}
	path := write(t, "flows.csv", []byte("bytes,more,proto,label\n7,x,tcp,normal\n8,y,gre,worm\n9,z,udp,scan\n"))
	table, err := ReadTable([]string{path}, TableOptions{Label: "label", Like: b})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([][]float64{{1, 7}, {-1, 8}, {0, 9}}, values(table)); diff != "" {
		t.Error(diff)
	}
	if table.Dataset.Examples[1].Class != "worm" || !cmp.Equal(table.Dataset.Classes, b.Classes) {
		t.Error("a class that the booster does not know must stay what it is")
	}
	if diff := cmp.Diff(b.Categories, table.Categories); diff != "" {
		t.Error(diff)
	}
	if _, err := ReadTable([]string{path}, TableOptions{Like: b}); err != nil {
		t.Errorf("rows without a label: %v", err)
	}
}

func TestReadTableOfFeatures(t *testing.T) {
	path := write(t, "f.csv", []byte("entity_kind,entity,window_start,window_seconds,source,x,label\nactor,10.0.0.1,2024-05-01T00:00:00Z,60,zeek,5,0\nvictim,10.0.0.2,1714521600,3600,vpc/60,6,scan\n"))
	table, err := ReadTable([]string{path}, TableOptions{Label: "label"})
	if err != nil {
		t.Fatal(err)
	}
	want := []picket.Window{
		{Entity: picket.Entity{Kind: picket.KindActor, ID: "10.0.0.1"}, Start: 1714521600, Seconds: 60, Source: "zeek"},
		{Entity: picket.Entity{Kind: picket.KindVictim, ID: "10.0.0.2"}, Start: 1714521600, Seconds: 3600, Source: "vpc/60"},
	}
	for i, e := range table.Dataset.Examples {
		if e.Window != want[i] || len(e.Values) != 1 {
			t.Errorf("row %d: %v with %v", i+1, e.Window, e.Values)
		}
	}
}

func TestReadTableWithoutHeader(t *testing.T) {
	columns, err := ReadColumns(strings.NewReader("duration,continuous\nprotocol_type,symbolic\n"), "names")
	if err != nil {
		t.Fatal(err)
	}
	path := write(t, "kdd.txt", []byte("0,tcp,normal,20\n1,udp,neptune,21\n"))
	table, err := ReadTable([]string{path}, TableOptions{Label: "column_3", Drop: []string{"column_4"}, Columns: columns})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([][]float64{{0, 0}, {1, 1}}, values(table), cmpopts.EquateEmpty()); diff != "" {
		t.Error(diff)
	}
	if one, err := ReadColumns(strings.NewReader("a, b,\"c\"\n"), "names"); err != nil || !cmp.Equal(one, []string{"a", "b", "c"}) {
		t.Errorf("names on one line: %q %v", one, err)
	}
}

func TestReadTableRefuses(t *testing.T) {
	f := func(want, data string, o TableOptions) {
		t.Helper()
		o.Label = "label"
		path := write(t, "t.csv", []byte(data))
		_, err := ReadTable([]string{path}, o)
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), path) {
			t.Errorf("error %v, want %q", err, want)
		}
	}
	f("header", "", TableOptions{})
	f("no rows", "x,label\n", TableOptions{})
	f(`no label column "label"; it has x, class`, "x,class\n1,0\n", TableOptions{})
	f(`no column "id" to drop`, "x,label\n1,0\n", TableOptions{Drop: []string{"id"}})
	f(`two columns are called "x"`, "x,x,label\n1,1,0\n", TableOptions{})
	f("column 2 has no name", "x,,label\n1,1,0\n", TableOptions{})
	f("no column is left", "x,label\n1,0\n", TableOptions{Drop: []string{"x"}})
	f("row 2: 1 values under 2 columns", "x,label\n1,0\n1\n", TableOptions{})
	f("row 2: no label", "x,label\n1,0\n1,\n", TableOptions{})
	f("longer than", "x,label\n"+strings.Repeat("1", maxLine+70_000)+",0\n", TableOptions{})
	f("3 column names for rows of 2", "1,0\n", TableOptions{Columns: []string{"a", "b", "label"}})
	like := &picket.Booster{Schema: picket.NewSchema([]string{"x"}), Classes: []string{"normal", "scan"}}
	f(`row 1 column "x": "tcp" is no number`, "x,label\ntcp,0\n", TableOptions{Like: like})
	f(`no column "x"`, "y,label\n1,0\n", TableOptions{Like: like})
	var texts, labels strings.Builder
	for i := range maxCategories + 1 {
		texts.WriteString("text-" + strings.Repeat("x", i%7) + string(rune('a'+i%26)) + string(rune(0x4e00+i)) + ",0\n")
		labels.WriteString("1,label" + string(rune(0x4e00+i)) + "\n")
	}
	f("different texts", "x,label\n"+texts.String(), TableOptions{})
	f("different labels", "x,label\n"+labels.String(), TableOptions{})
	if _, err := ReadTable([]string{write(t, "t.gz", gzipped(t, flows)[:60])}, TableOptions{Label: "label"}); err == nil {
		t.Error("a truncated gzip was read")
	}
	if _, err := ReadTable([]string{write(t, "t.zip", zipped(t, "__MACOSX/x", ""))}, TableOptions{Label: "label"}); err == nil || !strings.Contains(err.Error(), "no table inside") {
		t.Errorf("a zip without a table: %v", err)
	}
	if _, err := ReadTable(nil, TableOptions{}); err == nil {
		t.Error("no file was read")
	}
}

func FuzzReadTable(f *testing.F) {
	f.Add([]byte(flows))
	f.Add([]byte("PAR1"))
	f.Add([]byte("PK\x03\x04"))
	f.Add([]byte("\x1f\x8b"))
	f.Add([]byte("a,label\n\"\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		path := write(t, "t", data)
		table, err := ReadTable([]string{path}, TableOptions{Label: "label"})
		if err == nil && len(table.Dataset.Examples) == 0 {
			t.Error("an empty table is no error")
		}
	})
}
