package sagemaker

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/parquet-go/parquet-go"
)

// layJob lays out a training job of 400 rows and two columns.
func layJob(t *testing.T, hyperparameters map[string]string) string {
	t.Helper()
	root, r := t.TempDir(), rand.New(rand.NewPCG(1, 2))
	for _, dir := range []string{"input/config", "input/data/train", "input/data/validation", "checkpoints"} {
		if err := os.MkdirAll(filepath.Join(root, dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for _, channel := range []string{"train", "validation"} {
		var b strings.Builder
		for i := range 400 {
			fmt.Fprintf(&b, "%d,1,%.4f,%.4f\n", i%2, r.NormFloat64()+float64(i%2), r.NormFloat64())
		}
		put(t, filepath.Join(root, "input/data", channel, channel+".csv"), []byte(b.String()))
	}
	putJSON(t, filepath.Join(root, "input/config/hyperparameters.json"), hyperparameters)
	putJSON(t, filepath.Join(root, "input/config/inputdataconfig.json"), map[string]any{
		"train": map[string]string{"ContentType": "text/csv"}, "validation": map[string]string{"ContentType": "text/csv;label_size=1"}})
	return root
}

func put(t *testing.T, name string, body []byte) {
	t.Helper()
	if err := os.WriteFile(name, body, 0o644); err != nil {
		t.Fatal(err)
	}
}

func putJSON(t *testing.T, name string, v any) {
	t.Helper()
	body, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	put(t, name, body)
}

func parameters() map[string]string {
	return map[string]string{"num_round": "60", "objective": "binary:logistic", "csv_weights": "1", "seed": "7", "subsample": "0.7", "early_stopping_rounds": "40"}
}

// stopAfter cancels once a line that begins so was printed, as a spot instance does
// in the middle of a job.
type stopAfter struct {
	line string
	stop context.CancelFunc
	all  bytes.Buffer
}

func (s *stopAfter) Write(b []byte) (int, error) {
	if strings.HasPrefix(string(b), s.line) {
		s.stop()
	}
	return s.all.Write(b)
}

// TestTrainJobResumes stops a job twice and goes on from its checkpoints: the model
// is that of a job that nobody stopped, to the byte.
func TestTrainJobResumes(t *testing.T) {
	whole, stopped := layJob(t, parameters()), layJob(t, parameters())
	if err := TrainJob(context.Background(), whole, io.Discard); err != nil {
		t.Fatal(err)
	}
	for _, line := range []string{"[7]#011train-", "[31]#011train-"} {
		ctx, cancel := context.WithCancel(context.Background())
		log := &stopAfter{line: line, stop: cancel}
		if err := TrainJob(ctx, stopped, log); err != nil || !strings.Contains(log.all.String(), "stopped after ") {
			t.Fatalf("%v\n%s", err, &log.all)
		}
		if _, err := os.Stat(filepath.Join(stopped, "model", TreesName)); err == nil {
			t.Error("a stopped job left a model without being told to")
		}
	}
	var log bytes.Buffer
	if err := TrainJob(context.Background(), stopped, &log); err != nil || !strings.HasPrefix(log.String(), "resuming after round 31 from xgboost-checkpoint.31\n[32]") {
		t.Fatalf("%v\n%.100s", err, log.String())
	}
	a, errA := os.ReadFile(filepath.Join(whole, "model", TreesName))
	b, errB := os.ReadFile(filepath.Join(stopped, "model", TreesName))
	if errA != nil || errB != nil || !bytes.Equal(a, b) {
		t.Errorf("resumed training gives another model: %v %v", errA, errB)
	}
}

// TestTrainJobReadsEveryFormat trains on the same rows as CSV, libsvm and Parquet: the
// models are one, to the byte.
func TestTrainJobReadsEveryFormat(t *testing.T) {
	csv := layJob(t, parameters())
	if err := TrainJob(context.Background(), csv, io.Discard); err != nil {
		t.Fatal(err)
	}
	want, err := os.ReadFile(filepath.Join(csv, "model", TreesName))
	if err != nil {
		t.Fatal(err)
	}
	type row struct {
		Label int64
		X, Y  float64
	}
	formats := map[string]func(rows []row) []byte{
		"text/libsvm": func(rows []row) []byte {
			var b bytes.Buffer
			for _, r := range rows {
				fmt.Fprintf(&b, "%d 0:%.4f 1:%.4f\n", r.Label, r.X, r.Y)
			}
			return b.Bytes()
		},
		"application/x-parquet": func(rows []row) []byte {
			var b bytes.Buffer
			if err := parquet.Write(&b, rows); err != nil {
				t.Fatal(err)
			}
			return b.Bytes()
		},
	}
	for media, encode := range formats {
		root, config := layJob(t, parameters()), map[string]any{}
		for _, channel := range []string{"train", "validation"} {
			name := filepath.Join(root, "input/data", channel, channel+".csv")
			text, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			var rows []row
			for line := range strings.Lines(string(text)) {
				var r row
				if _, err := fmt.Sscanf(line, "%d,1,%f,%f", &r.Label, &r.X, &r.Y); err != nil {
					t.Fatal(err)
				}
				rows = append(rows, r)
			}
			put(t, name, encode(rows))
			config[channel] = map[string]string{"ContentType": media}
		}
		putJSON(t, filepath.Join(root, "input/config/inputdataconfig.json"), config)
		if err := TrainJob(context.Background(), root, io.Discard); err != nil {
			t.Fatalf("%s: %v", media, err)
		}
		if got, err := os.ReadFile(filepath.Join(root, "model", TreesName)); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s gives another model than CSV: %v", media, err)
		}
	}
}

func TestTrainJobSavesOnStop(t *testing.T) {
	p := parameters()
	p["save_model_on_termination"] = "true"
	root := layJob(t, p)
	ctx, cancel := context.WithCancel(context.Background())
	if err := TrainJob(ctx, root, &stopAfter{line: "[3]#011", stop: cancel}); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(root, "model", TreesName)); err != nil {
		t.Error(err)
	}
}

// TestTrainJobRefuses wants every failure where SageMaker looks for it.
func TestTrainJobRefuses(t *testing.T) {
	f := func(change func(root string), want string) {
		t.Helper()
		root := layJob(t, parameters())
		change(root)
		err := TrainJob(context.Background(), root, io.Discard)
		failure, _ := os.ReadFile(filepath.Join(root, "output", "failure"))
		if err == nil || !strings.Contains(err.Error(), want) || string(failure) != err.Error() {
			t.Errorf("%v, want %s; failure file %q", err, want, failure)
		}
	}
	config := func(name string, v any) func(string) {
		return func(root string) { putJSON(t, filepath.Join(root, "input/config", name), v) }
	}
	f(config("hyperparameters.json", map[string]string{"objective": "binary:logistic"}), "num_round is missing")
	f(config("hyperparameters.json", map[string]string{"num_round": "5", "booster": "dart"}), "booster")
	f(config("inputdataconfig.json", map[string]any{"train": map[string]string{"ContentType": "application/x-recordio-protobuf"}}), "text/csv, text/libsvm and application/x-parquet are read")
	f(config("inputdataconfig.json", map[string]any{"train": map[string]string{"ContentType": "text/libsvm"}}), "channel train: train.csv: line 1: ")
	f(config("inputdataconfig.json", map[string]any{"train": map[string]string{"ContentType": "text/csv", "TrainingInputMode": "Pipe"}}), "input mode Pipe")
	f(config("inputdataconfig.json", map[string]any{}), "no rows in channel train")
	f(config("resourceconfig.json", map[string]any{"hosts": []string{"algo-1", "algo-2"}}), "2 hosts")
	f(func(root string) { put(t, filepath.Join(root, "input/data/train/train.csv"), []byte("1,x\n")) }, "channel train: train.csv: line 1: column 2")
}

// TestTrees reads what a training job wrote, and refuses what nobody should read.
func TestTrees(t *testing.T) {
	f := func(want string, files map[string][]byte) {
		t.Helper()
		dir := t.TempDir()
		for name, body := range files {
			if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o755); err != nil {
				t.Fatal(err)
			}
			put(t, filepath.Join(dir, name), body)
		}
		got, err := Trees(dir)
		if err != nil {
			got = []byte(err.Error())
		}
		if !strings.Contains(string(got), want) {
			t.Errorf("%s, want %s", got, want)
		}
	}
	packed := func(name, body string) []byte {
		var b bytes.Buffer
		if err := WriteArtifact(&b, name, []byte(body)); err != nil {
			t.Fatal(err)
		}
		return b.Bytes()
	}
	f("trees", map[string][]byte{"job-1/output/model.tar.gz": packed(TreesName, "trees"), "job-1/output/output.tar.gz": {1}})
	f("bare", map[string][]byte{"xgboost-model": []byte("bare")})
	f("did its training job end?", nil)
	f("2 models", map[string][]byte{"a/model.tar.gz": packed(TreesName, "1"), "b/model.tar.gz": packed(TreesName, "2")})
	f("no xgboost-model in it", map[string][]byte{"a/model.tar.gz": packed("model.pth", "1")})
	f("read artifact", map[string][]byte{"a/model.tar.gz": []byte("not gzip")})
	if a, b := packed("x", "y"), packed("x", "y"); !bytes.Equal(a, b) {
		t.Error("the same content gives other bytes")
	}
}

// TestOpenModel finds the package in every layout of a model folder.
func TestOpenModel(t *testing.T) {
	var artifact bytes.Buffer
	if err := WriteArtifact(&artifact, PackageName, []byte("package")); err != nil {
		t.Fatal(err)
	}
	f := func(want string, files map[string][]byte) {
		t.Helper()
		dir := t.TempDir()
		for name, body := range files {
			put(t, filepath.Join(dir, name), body)
		}
		r, err := OpenModel(dir)
		if want == "" {
			if err == nil {
				t.Errorf("%v: opened", files)
			}
			return
		}
		if err != nil {
			t.Error(err)
			return
		}
		body, err := io.ReadAll(r)
		if err = errors.Join(err, r.Close()); err != nil || string(body) != want {
			t.Errorf("%q, %v", body, err)
		}
	}
	f("package", map[string][]byte{"model.zip": []byte("package"), "other.zip": nil})
	f("package", map[string][]byte{"flows.zip": []byte("package"), "card.json": nil})
	f("package", map[string][]byte{"model.tar.gz": artifact.Bytes()})
	f("", map[string][]byte{"a.zip": nil, "b.zip": nil})
	f("", map[string][]byte{"xgboost-model": nil})
}
