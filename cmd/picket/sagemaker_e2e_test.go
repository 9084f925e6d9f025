//go:build e2e

package main

import (
	"bytes"
	"encoding/json"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"picket/aws/sagemaker"
	"picket/gbdt"
	"picket/pipeline/train"
)

// sageMaker runs a script of bench/sagemaker with the Python that bench/peers.sh makes.
func sageMaker(t *testing.T, args ...string) []byte {
	t.Helper()
	python := os.Getenv("PICKET_SAGEMAKER")
	if python == "" {
		t.Fatal("PICKET_SAGEMAKER is not set: run bench/peers.sh and set it to .peers/sagemaker/bin/python")
	}
	args[0] = filepath.Join("../../bench/sagemaker", args[0])
	c := exec.Command(python, args...)
	var stderr bytes.Buffer
	c.Stderr = &stderr
	out, err := c.Output()
	if err != nil {
		t.Fatalf("%q: %v\n%s", args, err, stderr.String())
	}
	return out
}

// TestContainerShapes holds the arguments of every step against SageMaker's API shapes, with
// everything on and with little.
func TestContainerShapes(t *testing.T) {
	base := []string{"pipeline", "export", "--account", "111122223333", "--region", "eu-central-1"}
	full := append(base, "--kms-key", "arn:aws:kms:eu-central-1:111122223333:key/1", "--subnet", "subnet-1", "--security-group", "sg-1", "--param", "eta=0.2")
	for _, args := range [][]string{base, full, append(full, "--training-image", "picket", "--on-demand")} {
		file := filepath.Join(t.TempDir(), "pipeline.json")
		if err := os.WriteFile(file, executes(t, args...), 0o644); err != nil {
			t.Fatal(err)
		}
		var checked map[string]any
		if err := json.Unmarshal(sageMaker(t, "shapes.py", file), &checked); err != nil {
			t.Fatal(err)
		}
		t.Log(checked)
		if checked["CreateProcessingJob"] != 3.0 || checked["CreateTrainingJob"].(float64) < 5 || checked["CreateModelPackage"] != 1.0 {
			t.Errorf("checked %v", checked)
		}
	}
	file := filepath.Join(t.TempDir(), "bad.json")
	bad := strings.Replace(string(executes(t, base...)), `"InstanceCount": 1,`, `"InstanceCount": "one",`, 1)
	if err := os.WriteFile(file, []byte(bad), 0o644); err != nil {
		t.Fatal(err)
	}
	c := exec.Command(os.Getenv("PICKET_SAGEMAKER"), "../../bench/sagemaker/shapes.py", file)
	if out, err := c.CombinedOutput(); err == nil || !strings.Contains(string(out), "InstanceCount") {
		t.Errorf("an instance count of \"one\" passes: %s", out)
	}
}

// TestBuiltInTrains executes the exported definition with XGBoost 3.0.5 as the training
// container, as the built-in image 3.0-5 has it: it reads our channels, and our steps
// make a package of what it writes, whose predictions are XGBoost's.
func TestBuiltInTrains(t *testing.T) {
	data := t.TempDir()
	writeNetworks(t, data, 1004, 1007, 1015, 1024, 1033, 1040)
	e := newExecutor(t, data)
	e.define(flags("--booster", "traffic/actor/60=normal,scan,bruteforce", "traffic/actor/3600=normal,scan,bruteforce,c2", "access/principal/3600=normal,unauthorized_access")...)
	compared := 0
	e.train = func(root string) {
		sageMaker(t, "container.py", root)
		compared += likeXGBoost(t, root)
	}
	e.run()
	if e.registered == nil {
		t.Fatalf("nothing was registered: %s", e.failed)
	}
	pkg, err := train.ReadPackage(bytes.NewReader(e.artifact()))
	if err != nil {
		t.Fatal(err)
	}
	// Two have labels of theirs; what judges the rest is kept from what ships.
	if len(pkg.Evaluations) != 2 || len(pkg.Model.Boosters) <= 2 || compared < 1000 {
		t.Errorf("%d boosters, %d evaluations, %d predictions compared", len(pkg.Model.Boosters), len(pkg.Evaluations), compared)
	}
	for _, ev := range pkg.Evaluations {
		t.Logf("%s: AUC %.4f, recall %.4f, false positives %.4f", ev.Picket.Booster, ev.Picket.AUC, ev.Picket.Recall, ev.Picket.FPR)
	}
}

// likeXGBoost wants the predictions of the model that a container wrote to be the same
// here, to 1e-6, on the validation rows as they lie in the channel.
func likeXGBoost(t *testing.T, root string) int {
	t.Helper()
	body, err := os.ReadFile(filepath.Join(root, "model", sagemaker.TreesName))
	if err != nil {
		t.Fatal(err)
	}
	if body[0] != '{' {
		t.Fatalf("the container wrote neither UBJ nor JSON: %q", body[:8])
	}
	model, err := gbdt.Read(bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	var said struct {
		Version     string
		Columns     int
		Parsed      int `json:"parsed_differently"`
		Predictions json.RawMessage
	}
	answer, err := os.ReadFile(filepath.Join(root, "predictions.json"))
	if err == nil {
		err = json.Unmarshal(answer, &said)
	}
	if err != nil || said.Version != "3.0.5" || said.Columns != model.Features() {
		t.Fatalf("%+v %v", said, err)
	}
	var c train.Channel
	f, err := os.Open(filepath.Join(root, "input/data/validation/validation.csv"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := c.Read(f, true); err != nil {
		t.Fatal(err)
	}
	rows := c.Data(c.Cols())
	model = model.Widen(rows.X.Cols()) // columns without a value at the end are none to XGBoost
	out := make([]float32, len(rows.Labels)*model.Classes())
	if err := model.Predictions(rows.X, out, 2); err != nil {
		t.Fatal(err)
	}
	var flat []float64
	if model.Classes() == 1 {
		err = json.Unmarshal(said.Predictions, &flat)
	} else {
		var nested [][]float64
		err = json.Unmarshal(said.Predictions, &nested)
		for _, row := range nested {
			flat = append(flat, row...)
		}
	}
	if err != nil || len(flat) != len(out) {
		t.Fatalf("%d predictions, want %d: %v", len(flat), len(out), err)
	}
	for i := range flat {
		if math.Abs(flat[i]-float64(out[i])) > 1e-6 {
			t.Fatalf("prediction %d is %v here and %v in XGBoost %s", i, out[i], flat[i], said.Version)
		}
	}
	t.Logf("%d predictions alike; of %d its loader of files read a number otherwise", len(flat), said.Parsed)
	return len(flat)
}
