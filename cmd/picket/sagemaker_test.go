package main

import (
	"archive/zip"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"picket"
	"picket/aws/sagemaker"
	"picket/pipeline/train"
	"picket/simulate"
)

// TestExportedPipelineRuns executes the exported definition as SageMaker would, but
// with folders as S3 and processes of this binary as jobs: it ends with a registered
// package of the same bytes as "picket pipeline run" makes of the same logs.
func TestExportedPipelineRuns(t *testing.T) {
	data := t.TempDir()
	writeNetworks(t, data, 1004, 1007, 1015, 1024, 1033, 1040)
	f := func(boosters ...string) (e *executor, refused, whole string) {
		shape := flags("--booster", boosters...)
		e = newExecutor(t, data)
		e.define(append(shape, "--training-image", "picket")...)
		e.run()
		whole = t.TempDir()
		if err := os.CopyFS(whole, os.DirFS(data)); err != nil {
			t.Fatal(err)
		}
		c := exec.Command("picket", append([]string{"pipeline", "run", "-q", "--data", whole, "--name", "picket"}, shape...)...)
		out, err := c.CombinedOutput()
		if err != nil {
			refused = string(out)
		}
		return e, refused, whole
	}
	e, refused, whole := f("traffic/actor/60=normal,scan,bruteforce", "traffic/actor/3600=normal,scan,bruteforce,c2", "access/principal/3600=normal,unauthorized_access")
	want, err := filepath.Glob(filepath.Join(whole, "models", "*.zip"))
	if err != nil || len(want) != 1 || e.registered == nil {
		t.Fatalf("here: %v %v %s; as jobs: %s", want, err, refused, e.failed)
	}
	e.compare(want[0])
	e, refused, _ = f("traffic/victim/60=normal,ddos,scan,bruteforce")
	if e.registered != nil || e.failed == "" || !strings.Contains(refused, e.failed) {
		t.Errorf("a bad candidate: here %q, as jobs %q", refused, e.failed)
	}
}

func flags(name string, values ...string) (all []string) {
	for _, v := range values {
		all = append(all, name, v)
	}
	return all
}

// writeNetworks writes small simulated networks, one after the other in time, as
// Zeek logs below raw/ and their truth below labels/.
func writeNetworks(t *testing.T, dir string, seeds ...uint64) {
	t.Helper()
	at := time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)
	for _, seed := range seeds {
		script, err := simulate.Random(seed, "lab")
		if err != nil {
			t.Fatal(err)
		}
		script.Start = at
		at = at.Add(script.Duration).Truncate(time.Hour).Add(2 * time.Hour)
		_, err = simulate.Write(context.Background(), script, "zeek-json", func(name string) (io.WriteCloser, error) {
			prefix := picket.RawPrefix
			if name == "labels.csv" {
				prefix = picket.LabelsPrefix
			}
			file := filepath.Join(dir, prefix, "network", string(rune('a'+seed%26)), name)
			if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
				return nil, err
			}
			return os.Create(file)
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

// executes runs a command line of this binary and returns what it printed.
func executes(t *testing.T, args ...string) []byte {
	t.Helper()
	c := exec.Command("picket", args...)
	var stdout, stderr bytes.Buffer
	c.Stdout, c.Stderr = &stdout, &stderr
	if err := c.Run(); err != nil {
		t.Fatalf("picket %.300q: %v\n%s", args, err, stderr.String())
	}
	return stdout.Bytes()
}

const bucketName = "picket-data-111122223333-eu-central-1"

// executor walks a definition. Its S3 is a folder with a folder for each bucket.
type executor struct {
	t          *testing.T
	s3         string
	parameters map[string]any
	outputs    map[string]string // by reference: S3 URIs
	files      map[string]string // by reference: property files, as S3 URIs
	steps      []any
	ran        []string
	registered map[string]any
	called     []any  // arguments of Lambda steps
	failed     string // message of the Fail step
	train      func(root string)
}

func newExecutor(t *testing.T, data string) *executor {
	e := &executor{t: t, s3: t.TempDir(), parameters: map[string]any{}, outputs: map[string]string{}, files: map[string]string{}}
	if err := os.CopyFS(filepath.Join(e.s3, bucketName), os.DirFS(data)); err != nil {
		t.Fatal(err)
	}
	// the registry of an account that "picket deploy" was run in
	registry := filepath.Join(e.s3, bucketName, picket.ModelsPrefix)
	if err := errors.Join(os.MkdirAll(registry, 0o755), os.WriteFile(filepath.Join(registry, "stages.json"), []byte("{}"), 0o644)); err != nil {
		t.Fatal(err)
	}
	e.train = func(root string) { executes(t, "train", "--root", root) }
	return e
}

// define exports a definition and takes its parameters' defaults.
func (e *executor) define(args ...string) {
	body := executes(e.t, append([]string{"pipeline", "export", "--account", "111122223333", "--region", "eu-central-1"}, args...)...)
	var d struct {
		Parameters []struct {
			Name         string
			DefaultValue any
		}
		Steps []any
	}
	if err := json.Unmarshal(body, &d); err != nil {
		e.t.Fatal(err)
	}
	for _, p := range d.Parameters {
		e.parameters[p.Name] = p.DefaultValue
	}
	e.steps = d.Steps
}

func (e *executor) run() { e.walk(e.steps) }

func (e *executor) walk(steps []any) {
	for _, s := range steps {
		step := s.(map[string]any)
		e.ran = append(e.ran, step["Name"].(string))
		arguments := step["Arguments"].(map[string]any)
		if step["Type"] == "Condition" {
			branch := "IfSteps"
			for _, c := range arguments["Conditions"].([]any) {
				if !e.holds(c.(map[string]any)) {
					branch = "ElseSteps"
				}
			}
			e.walk(arguments[branch].([]any))
			continue
		}
		resolved := e.resolve(arguments).(map[string]any)
		switch step["Type"] {
		case "Processing":
			e.processing(step, resolved)
		case "Training":
			e.training(resolved)
		case "RegisterModel":
			e.registered = resolved
			e.outputs["Steps."+step["Name"].(string)+".ModelPackageArn"] = "arn:aws:sagemaker:eu-central-1:111122223333:model-package/picket/2"
		case "Lambda":
			e.called = append(e.called, resolved)
		case "Fail":
			e.failed = resolved["ErrorMessage"].(string)
		default:
			e.t.Fatalf("step %s of type %s", step["Name"], step["Type"])
		}
	}
}

// holds evaluates one condition.
func (e *executor) holds(c map[string]any) bool {
	switch c["Type"] {
	case "Or":
		return slices.ContainsFunc(c["Conditions"].([]any), func(one any) bool { return e.holds(one.(map[string]any)) })
	case "Equals":
		return e.resolve(c["LeftValue"]) == e.resolve(c["RightValue"])
	case "GreaterThanOrEqualTo":
		return e.resolve(c["LeftValue"]).(float64) >= e.resolve(c["RightValue"]).(float64)
	case "In":
		return slices.Contains(e.resolve(c["Values"]).([]any), e.resolve(c["QueryValue"]))
	}
	e.t.Fatalf("condition %s", c["Type"])
	return false
}

// resolve replaces references and functions by what they give.
func (e *executor) resolve(v any) any {
	switch v := v.(type) {
	case []any:
		out := make([]any, len(v))
		for i := range v {
			out[i] = e.resolve(v[i])
		}
		return out
	case map[string]any:
		if path, ok := v["Get"].(string); ok {
			return e.get(path)
		}
		if join, ok := v["Std:Join"].(map[string]any); ok {
			var parts []string
			for _, part := range e.resolve(join["Values"]).([]any) {
				parts = append(parts, fmt.Sprint(part))
			}
			return strings.Join(parts, join["On"].(string))
		}
		if get, ok := v["Std:JsonGet"].(map[string]any); ok {
			return e.jsonGet(get["PropertyFile"].(map[string]any)["Get"].(string), get["Path"].(string))
		}
		out := map[string]any{}
		for name := range v {
			out[name] = e.resolve(v[name])
		}
		return out
	}
	return v
}

func (e *executor) get(path string) any {
	if name, ok := strings.CutPrefix(path, "Parameters."); ok && e.parameters[name] != nil {
		return e.parameters[name]
	}
	if path == "Execution.PipelineExecutionId" {
		return "k3x9f0a1b2c3"
	}
	if uri, ok := e.outputs[path]; ok {
		return uri
	}
	e.t.Fatalf("reference %s", path)
	return nil
}

func (e *executor) jsonGet(file, path string) any {
	body, err := os.ReadFile(e.local(e.files[file]))
	if err != nil {
		e.t.Fatalf("property file %s: %v", file, err)
	}
	var v any
	if err := json.Unmarshal(body, &v); err != nil {
		e.t.Fatal(err)
	}
	for name := range strings.SplitSeq(path, ".") {
		if v = v.(map[string]any)[name]; v == nil {
			e.t.Fatalf("property file %s has no %s", file, path)
		}
	}
	return v
}

// local is the folder or file that an S3 URI stands for.
func (e *executor) local(uri string) string {
	key, ok := strings.CutPrefix(uri, "s3://")
	if !ok {
		e.t.Fatalf("%q is no S3 URI", uri)
	}
	return filepath.Join(e.s3, filepath.FromSlash(key))
}

// down copies what lies below a prefix into a folder. A prefix without objects fails
// a job, as on AWS.
func (e *executor) down(uri, dir string) {
	err := os.CopyFS(dir, os.DirFS(e.local(uri)))
	if err == nil {
		entries, _ := os.ReadDir(dir)
		if len(entries) == 0 {
			err = fs.ErrNotExist
		}
	}
	if err != nil {
		e.t.Fatalf("no objects below %s: %v", uri, err)
	}
}

// processing runs the container of a step as a process. Its paths are in the
// definition as they are in the container; the test's root stands for /opt/ml/processing.
func (e *executor) processing(step, arguments map[string]any) {
	root := filepath.Join(e.t.TempDir(), "processing")
	inside := func(name string) string {
		rest, ok := strings.CutPrefix(name, processingRoot)
		if !ok {
			e.t.Fatalf("channel at %s", name)
		}
		return filepath.Join(root, rest)
	}
	for _, in := range arguments["ProcessingInputs"].([]any) {
		s3 := in.(map[string]any)["S3Input"].(map[string]any)
		e.down(s3["S3Uri"].(string), inside(s3["LocalPath"].(string)))
	}
	app := arguments["AppSpecification"].(map[string]any)
	entry := texts(app["ContainerEntrypoint"])
	if entry[0] != "/picket" {
		e.t.Fatalf("entry point %q", entry)
	}
	e.containerRuns(root, append(append(entry[1:], texts(app["ContainerArguments"])...), "-q", "--root", root))
	reference := "Steps." + step["Name"].(string)
	byName := map[string]string{}
	for _, o := range arguments["ProcessingOutputConfig"].(map[string]any)["Outputs"].([]any) {
		out := o.(map[string]any)
		s3, name := out["S3Output"].(map[string]any), out["OutputName"].(string)
		byName[name] = s3["S3Uri"].(string)
		e.outputs[reference+".ProcessingOutputConfig.Outputs['"+name+"'].S3Output.S3Uri"] = byName[name]
		if err := os.CopyFS(e.local(byName[name]), os.DirFS(inside(s3["LocalPath"].(string)))); err != nil {
			e.t.Fatal(err)
		}
	}
	files, _ := step["PropertyFiles"].([]any)
	for _, f := range files {
		file := f.(map[string]any)
		e.files[reference+".PropertyFiles."+file["PropertyFileName"].(string)] = byName[file["OutputName"].(string)] + "/" + file["FilePath"].(string)
	}
}

// containerRuns wants the container to end well and to leave nothing beside its output.
func (e *executor) containerRuns(root string, args []string) {
	executes(e.t, args...)
	entries, err := os.ReadDir(root)
	if err != nil {
		e.t.Fatal(err)
	}
	for _, entry := range entries {
		if entry.Name() != "input" && entry.Name() != "output" {
			e.t.Errorf("%q left %s", args, entry.Name())
		}
	}
}

func texts(v any) []string {
	list, _ := v.([]any)
	var all []string
	for _, one := range list {
		all = append(all, one.(string)) // SageMaker takes nothing but texts
	}
	return all
}

// training lays out /opt/ml as SageMaker does, trains, and packs the model.
func (e *executor) training(arguments map[string]any) {
	root := filepath.Join(e.t.TempDir(), "ml")
	config := filepath.Join(root, "input", "config")
	channels := map[string]any{}
	for _, c := range arguments["InputDataConfig"].([]any) {
		channel := c.(map[string]any)
		name := channel["ChannelName"].(string)
		e.down(channel["DataSource"].(map[string]any)["S3DataSource"].(map[string]any)["S3Uri"].(string), filepath.Join(root, "input", "data", name))
		channels[name] = map[string]string{"ContentType": channel["ContentType"].(string), "TrainingInputMode": "File", "S3DistributionType": "FullyReplicated", "RecordWrapperType": "None"}
	}
	hyperparameters := map[string]string{}
	for name, value := range arguments["HyperParameters"].(map[string]any) {
		hyperparameters[name] = value.(string)
	}
	for name, v := range map[string]any{"hyperparameters.json": hyperparameters, "inputdataconfig.json": channels, "resourceconfig.json": map[string]any{"current_host": "algo-1", "hosts": []string{"algo-1"}}} {
		body, err := json.Marshal(v)
		if err == nil {
			err = errors.Join(os.MkdirAll(config, 0o755), os.WriteFile(filepath.Join(config, name), body, 0o644))
		}
		if err != nil {
			e.t.Fatal(err)
		}
	}
	if err := os.MkdirAll(filepath.Join(root, "checkpoints"), 0o755); err != nil {
		e.t.Fatal(err)
	}
	e.train(root)
	trees, err := os.ReadFile(filepath.Join(root, "model", sagemaker.TreesName))
	if err != nil {
		e.t.Fatal(err)
	}
	out := e.local(arguments["OutputDataConfig"].(map[string]any)["S3OutputPath"].(string) + "/pipelines-k3x9-" + strconv.Itoa(len(e.ran)) + "/output")
	var artifact bytes.Buffer
	if err := errors.Join(sagemaker.WriteArtifact(&artifact, sagemaker.TreesName, trees), os.MkdirAll(out, 0o755), os.WriteFile(filepath.Join(out, sagemaker.ArtifactName), artifact.Bytes(), 0o644)); err != nil {
		e.t.Fatal(err)
	}
}

// artifact reads the package that was registered.
func (e *executor) artifact() []byte {
	containers := e.registered["InferenceSpecification"].(map[string]any)["Containers"].([]any)
	f, err := os.Open(e.local(containers[0].(map[string]any)["ModelDataUrl"].(string)))
	if err != nil {
		e.t.Fatal(err)
	}
	defer f.Close()
	body, err := sagemaker.ReadArtifact(f, sagemaker.PackageName)
	if err != nil {
		e.t.Fatal(err)
	}
	return body
}

// compare wants the registered package to be the bytes of the file, and what the
// registry is told to be true of it.
func (e *executor) compare(file string) {
	want, err := os.ReadFile(file)
	if err != nil {
		e.t.Fatal(err)
	}
	got := e.artifact()
	if !bytes.Equal(got, want) {
		e.t.Errorf("the registered package differs from %s:\n%s", path.Base(file), differentFiles(e.t, got, want))
	}
	pkg, err := train.ReadPackage(bytes.NewReader(got))
	if err != nil {
		e.t.Fatal(err)
	}
	if meta := e.registered["CustomerMetadataProperties"].(map[string]any); meta[sagemaker.MetaModel] != pkg.Model.ID || meta[sagemaker.MetaReason] != sagemaker.ReasonHand {
		e.t.Errorf("metadata %v of package %s", meta, pkg.Model.ID)
	}
	if len(pkg.Model.Boosters) < 2 || pkg.Model.Training["skipped"] == nil {
		e.t.Errorf("%d boosters, skipped %v: the test should have both", len(pkg.Model.Boosters), pkg.Model.Training["skipped"])
	}
	if len(e.called) != 0 || e.registered["ModelApprovalStatus"] != sagemaker.Pending {
		e.t.Errorf("called %v with approval %v", e.called, e.registered["ModelApprovalStatus"])
	}
	if !regexp.MustCompile(`^s3://.*/evaluation/evaluation\.json$`).MatchString(e.registered["ModelMetrics"].(map[string]any)["ModelQuality"].(map[string]any)["Statistics"].(map[string]any)["S3Uri"].(string)) {
		e.t.Errorf("metrics %v", e.registered["ModelMetrics"])
	}
}

func differentFiles(t *testing.T, a, b []byte) string {
	t.Helper()
	files := func(body []byte) map[string]string {
		r, err := zip.NewReader(bytes.NewReader(body), int64(len(body)))
		if err != nil {
			t.Fatal(err)
		}
		out := map[string]string{}
		for _, f := range r.File {
			rc, err := f.Open()
			if err != nil {
				t.Fatal(err)
			}
			content, err := io.ReadAll(rc)
			if err = errors.Join(err, rc.Close()); err != nil {
				t.Fatal(err)
			}
			out[f.Name] = string(content)
		}
		return out
	}
	var names []string
	x, y := files(a), files(b)
	for name := range x {
		if x[name] != y[name] {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return strings.Join(names, "\n")
}

// TestRegistryInCloud wants the steps of a registry whose model scores at an endpoint to
// go to SageMaker and to deploy-model, and not into stages.json.
func TestRegistryInCloud(t *testing.T) {
	const group = `{"ModelPackageGroupName":"picket","ModelPackageGroupArn":"a","ModelPackageGroupStatus":"Completed","CreationTime":1}`
	var asked []string
	there := true
	cloud := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		_, call, isSageMaker := strings.Cut(r.Header.Get("X-Amz-Target"), ".")
		answer := map[string]string{
			"DescribeModelPackageGroup": group,
			"ListModelPackages":         `{"ModelPackageSummaryList":[{"ModelPackageArn":"arn:2","CreationTime":2},{"ModelPackageArn":"arn:1","CreationTime":1}]}`,
			"DescribeModelPackage":      `{"ModelPackageArn":"arn:1","ModelPackageName":"p","ModelPackageStatus":"Completed","CreationTime":1,"CustomerMetadataProperties":{"picket-model":"abc1"}}`,
			"UpdateModelPackage":        `{"ModelPackageArn":"arn:1"}`,
		}[call]
		switch {
		case !isSageMaker:
			asked, answer = append(asked, r.URL.Path+" "+string(body)), `{}`
		case call == "UpdateModelPackage":
			asked = append(asked, call+" "+string(body))
		case !there:
			w.WriteHeader(http.StatusBadRequest)
			answer = `{"__type":"ValidationException","message":"ModelPackageGroup picket does not exist."}`
		}
		io.WriteString(w, answer)
	}))
	defer cloud.Close()
	for name, value := range map[string]string{"AWS_ENDPOINT_URL": cloud.URL, "AWS_REGION": "eu-central-1", "AWS_ACCESS_KEY_ID": "AKIDEXAMPLE", "AWS_SECRET_ACCESS_KEY": "secret"} {
		t.Setenv(name, value)
	}
	f := func(want string, step, id string) {
		t.Helper()
		asked = nil
		a := &app{stdout: io.Discard, stderr: io.Discard, getenv: os.Getenv}
		done, err := a.stageInCloud(context.Background(), "s3://"+bucketName, step, id)
		if got := strings.Join(asked, ", "); err != nil || done != there || got != want {
			t.Errorf("%s %s: %t %v, asked %s; want %s", step, id, done, err, got, want)
		}
	}
	f(`UpdateModelPackage {"ModelApprovalStatus":"Approved","ModelPackageArn":"arn:2"}`, "approve", "")
	f(`UpdateModelPackage {"ModelApprovalStatus":"Approved","ModelPackageArn":"arn:2"}`, "approve", "abc")
	f(`/2015-03-31/functions/picket-deploy-model/invocations {"ModelPackageArn":"arn:2"}`, "deploy", "")
	f(`/2015-03-31/functions/picket-deploy-model/invocations {"Rollback":true}`, "rollback", "")
	there = false
	f("", "rollback", "") // scores in the function: stages.json is all there is
	a := &app{stdout: io.Discard, stderr: io.Discard, getenv: os.Getenv}
	for _, data := range []string{"picket-data", "s3://my-logs", "s3://" + bucketName + "/elsewhere", "s3://" + bucketName + "?endpoint=http://127.0.0.1:1"} {
		if done, err := a.stageInCloud(context.Background(), data, "rollback", ""); done || err != nil {
			t.Errorf("%s: %t %v", data, done, err)
		}
	}
}
