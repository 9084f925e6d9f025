package train

import (
	"bufio"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"

	"picket"
)

// WriteCSV writes one split as the CSV that SageMaker's built-in XGBoost trains
// on: no header, the class's number first, then the values as float32, missing
// ones empty. With weights a row's weight stands second (csv_weights=1).
func WriteCSV(w io.Writer, d *picket.Dataset, split string, weights bool) error {
	out := bufio.NewWriter(w)
	row := make([]float32, len(d.Schema.Names))
	var line []byte
	for i := range d.Examples {
		e := &d.Examples[i]
		if e.Split != split {
			continue
		}
		class := slices.Index(d.Classes, e.Class)
		if class < 0 || len(e.Values) != len(row) {
			return fmt.Errorf("write %s split of %s: row %d is of class %q with %d values; the dataset has %v and %d columns",
				split, d.Booster, i+1, e.Class, len(e.Values), d.Classes, len(row))
		}
		line = strconv.AppendInt(line[:0], int64(class), 10)
		if weights {
			line = strconv.AppendFloat(append(line, ','), e.Weight, 'g', -1, 32)
		}
		picket.Narrow(e.Values, row)
		for _, v := range row {
			if line = append(line, ','); !math.IsNaN(float64(v)) {
				line = strconv.AppendFloat(line, float64(v), 'g', -1, 32)
			}
		}
		if _, err := out.Write(append(line, '\n')); err != nil {
			return fmt.Errorf("write %s split of %s: %w", split, d.Booster, err)
		}
	}
	if err := out.Flush(); err != nil {
		return fmt.Errorf("write %s split of %s: %w", split, d.Booster, err)
	}
	return nil
}
