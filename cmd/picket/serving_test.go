package main

import (
	"bytes"
	"context"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"picket"
	"picket/aws/sagemaker"
	"picket/pipeline"
	"picket/server"
)

// TestEndpointSameBits scores the same rows in this process and through the
// endpoint, over HTTP and text, by the package as SageMaker unpacks it for an endpoint
// on instances or serverless: margin, probabilities and contributions are the same to
// the bit.
func TestEndpointSameBits(t *testing.T) {
	a := &app{stdout: os.Stdout, stderr: os.Stderr, getenv: os.Getenv, quiet: true}
	ctx := context.Background()
	model, scorer, err := a.loadModel("")
	if err != nil {
		t.Fatal(err)
	}
	endpoint, err := server.NewEndpoint(server.EndpointOptions{})
	if err != nil {
		t.Fatal(err)
	}
	remote, served, err := modelIn(unpacked(t))
	if err != nil || remote.ID != model.ID {
		t.Fatalf("%.12s, want %.12s: %v", remote.ID, model.ID, err)
	}
	if err := endpoint.Use(remote, byBooster{served}); err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	endpoint.Register(mux)
	s := httptest.NewServer(mux)
	defer s.Close()

	w, err := a.workspace(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	logs, err := filepath.Glob("../../testdata/logs/*.[pj]*")
	if err != nil || len(logs) < 3 {
		t.Fatal(logs, err)
	}
	if _, err := w.ingest(ctx, logs); err != nil {
		t.Fatal(err)
	}
	if err := w.closeAll(ctx); err != nil {
		t.Fatal(err)
	}
	var rows []picket.Features
	err = w.Rows(ctx, func(f *picket.Features) error {
		row := *f
		row.Values = slices.Clone(f.Values)
		rows = append(rows, row)
		return nil
	})
	if err != nil || len(rows) < 50 {
		t.Fatal(len(rows), err)
	}
	client := &server.Client{URL: s.URL + "/invocations", Model: model, HTTP: s.Client()}
	for _, explain := range []bool{false, true} {
		here, err := (pipeline.Local{Scorer: scorer}).Score(ctx, rows, explain)
		if err != nil {
			t.Fatal(err)
		}
		there, err := client.Score(ctx, rows, explain)
		if err != nil {
			t.Fatal(err)
		}
		for i := range rows {
			h, o := here[i], there[i]
			if h.Booster != o.Booster || h.Margin != o.Margin || h.Malicious != o.Malicious || h.Threshold != o.Threshold ||
				!slices.Equal(h.Classes, o.Classes) || !slices.Equal(h.Probabilities, o.Probabilities) {
				h.Features, o.Features = picket.Features{}, picket.Features{}
				t.Fatalf("%s:\nhere  %#v\nthere %#v", rows[i].Window, h, o)
			}
			if !slices.EqualFunc(h.Contributions, o.Contributions, sameContribution) {
				t.Fatalf("%s: contributions\nhere  %v\nthere %v", rows[i].Window, h.Contributions, o.Contributions)
			}
		}
	}
}

// sameContribution is equality in which NaN, a missing value, is like itself.
func sameContribution(a, b picket.Contribution) bool {
	return a.Feature == b.Feature && a.Shap == b.Shap && (a.Value == b.Value || a.Value != a.Value && b.Value != b.Value)
}

// unpacked is a folder with the embedded package as it comes out of its artifact.
func unpacked(t *testing.T) string {
	t.Helper()
	file, err := defaults.ReadFile("default/model.zip")
	if err != nil {
		t.Fatal(err)
	}
	var artifact bytes.Buffer
	if err := sagemaker.WriteArtifact(&artifact, sagemaker.PackageName, file); err != nil {
		t.Fatal(err)
	}
	body, err := sagemaker.ReadArtifact(&artifact, sagemaker.PackageName)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, sagemaker.PackageName), body, 0o644); err != nil {
		t.Fatal(err)
	}
	return dir
}
