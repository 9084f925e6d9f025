package main

import (
	"encoding/csv"
	"flag"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

const compareHeader = "| data | rows, training / test | columns | AUC, ours / theirs | logloss, ours / theirs | ours | theirs | load |"

// runCompare trains here and in xgboost on a CSV file and prints how both do on
// another. The label stands first; there is no header; an empty field is missing. A
// column with text is read as the numbers of its texts in the training file, and a
// text that is not there as missing.
func runCompare(args []string) error {
	f := flag.NewFlagSet("compare", flag.ExitOnError)
	params := f.String("p", usual+",num_round=100,nthread=1", "parameters of both")
	name := f.String("name", "", "the data's name; the training file's if empty")
	root := f.String("root", ".", "the repository")
	path := f.String("write", "", "file with the table whose line to replace or add")
	f.Parse(args)
	if f.NArg() != 2 {
		return fmt.Errorf("want TRAIN.csv TEST.csv")
	}
	dir, err := os.MkdirTemp("", "gbdt-compare")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	self, err := os.Executable()
	if err != nil {
		return err
	}
	b := &bench{dir, self, *root}
	var codes codebook
	trainX, trainY, cols, rows, err := codes.convert(f.Arg(0), filepath.Join(dir, "train"))
	if err != nil {
		return err
	}
	testX, testY, testCols, testRows, err := codes.convert(f.Arg(1), filepath.Join(dir, "test"))
	if err != nil {
		return err
	}
	if cols != testCols {
		return fmt.Errorf("%s has %d columns, %s %d", f.Arg(0), cols, f.Arg(1), testCols)
	}
	if *name == "" {
		*name = filepath.Base(f.Arg(0))
	}
	t := trial{peers: []peer{xgb305}, repeat: 3, title: *name}
	t.prepare = func(*bench) (ours, all []string, err error) {
		return nil, []string{"train", "-cols", strconv.Itoa(cols), "-x", trainX, "-y", trainY, "-tx", testX, "-p", *params}, nil
	}
	var us, they quality
	t.check = func(_ *bench, ours, theirs string) (string, error) {
		if us, err = scoreOf(testY, ours); err != nil {
			return "", err
		}
		they, err = scoreOf(testY, theirs)
		return "", err
	}
	line, err := t.run(b, xgb305)
	if err != nil {
		return err
	}
	cells := strings.Split(line, " | ")
	return put(*path, compareHeader, *name, fmt.Sprintf("| %s | %d / %d | %d | %.4f / %.4f | %.4f / %.4f | %s | %s | %s", *name, rows, testRows, cols,
		us.auc, they.auc, us.logloss, they.logloss, cells[2], cells[3], cells[len(cells)-1]))
}

// codebook numbers the texts of each column in the order they come.
type codebook struct {
	texts []map[string]float32
	known bool // no text is new any more
}

// convert writes a CSV file's columns and labels as float32.
func (c *codebook) convert(path, base string) (x, y string, cols, rows int, err error) {
	f, err := os.Open(path)
	if err != nil {
		return "", "", 0, 0, err
	}
	defer f.Close()
	in := csv.NewReader(f)
	in.ReuseRecord = true
	var values, labels []float32
	for {
		record, err := in.Read()
		if err == io.EOF {
			break
		}
		if err != nil {
			return "", "", 0, 0, fmt.Errorf("%s: %w", path, err)
		}
		label, err := strconv.ParseFloat(record[0], 32)
		if err != nil {
			return "", "", 0, 0, fmt.Errorf("%s line %d: label %q is not a number", path, rows+1, record[0])
		}
		labels, rows, cols = append(labels, float32(label)), rows+1, len(record)-1
		for k, field := range record[1:] {
			values = append(values, c.value(k, field))
		}
	}
	c.known = true
	x, y = base+".x", base+".y"
	if err := writeFloats(x, values); err != nil {
		return "", "", 0, 0, err
	}
	return x, y, cols, rows, writeFloats(y, labels)
}

// value reads a field of column k.
func (c *codebook) value(k int, field string) float32 {
	for len(c.texts) <= k {
		c.texts = append(c.texts, map[string]float32{})
	}
	if x, err := strconv.ParseFloat(field, 32); err == nil || field == "" {
		if field == "" {
			x = math.NaN()
		}
		return float32(x)
	}
	code, ok := c.texts[k][field]
	if !ok {
		if c.known {
			return float32(math.NaN())
		}
		code = float32(len(c.texts[k]))
		c.texts[k][strings.Clone(field)] = code
	}
	return code
}
