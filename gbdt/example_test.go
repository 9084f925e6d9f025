package gbdt_test

import (
	"bytes"
	"context"
	"fmt"
	"log"

	"picket/gbdt"
)

// Train on rows where the answer is whether the first column is above the second,
// save, load, and explain a prediction.
func Example() {
	var rows, labels []float32
	for i := range 400 {
		rows = append(rows, float32(i%20), float32(i/20))
		labels = append(labels, map[bool]float32{true: 1}[i%20 > i/20])
	}
	data := gbdt.TrainData{X: gbdt.NewDense(rows, 400, 2), Labels: labels}
	model, err := gbdt.Train(context.Background(), gbdt.DefaultParams(), data)
	if err != nil {
		log.Fatal(err)
	}
	var file bytes.Buffer
	if err = model.WriteJSON(&file); err != nil { // XGBoost loads it
		log.Fatal(err)
	}
	if model, err = gbdt.Read(&file); err != nil { // and the other way round
		log.Fatal(err)
	}
	row, p, why := []float32{15, 5}, make([]float32, 1), make([]float32, 3)
	model.Predict(row, p)
	model.Contributions(row, why)
	fmt.Printf("probability %.3f: column 0 %+.1f, column 1 %+.1f, mean %+.1f\n", p[0], why[0], why[1], why[2])
	// Output: probability 1.000: column 0 +5.6, column 1 +3.9, mean -0.1
}
