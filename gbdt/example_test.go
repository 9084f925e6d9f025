package gbdt_test

import (
	"bytes"
	"context"
	"fmt"

	"picket/gbdt"
)

// Train on rows where the answer is whether the first column is above the second,
// save, load, and explain a prediction.
func Example() {
	var rows, labels []float32
	for i := range 400 {
		a, b := float32(i%20), float32(i/20)
		rows = append(rows, a, b)
		labels = append(labels, map[bool]float32{true: 1}[a > b])
	}
	params := gbdt.DefaultParams()
	params.Rounds = 10
	data := gbdt.TrainData{X: gbdt.NewDense(rows, 400, 2), Labels: labels}
	model, err := gbdt.Train(context.Background(), params, data)
	if err != nil {
		fmt.Println(err)
		return
	}
	var file bytes.Buffer
	model.WriteJSON(&file)        // XGBoost loads it
	model, err = gbdt.Read(&file) // and the other way round
	if err != nil {
		fmt.Println(err)
		return
	}
	p, why := make([]float32, 1), make([]float32, 3)
	model.Predict([]float32{15, 5}, p)
	model.Contributions([]float32{15, 5}, why)
	fmt.Printf("probability %.2f: column 0 %+.1f, column 1 %+.1f, mean %+.1f\n", p[0], why[0], why[1], why[2])
	// Output: probability 0.97: column 0 +2.0, column 1 +1.5, mean -0.1
}
