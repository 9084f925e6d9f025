package sagemaker

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"picket"
	"picket/pipeline"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// example is the pipeline of an account that uses everything: a key, a VPC, spot.
func example() Options {
	return Options{
		Prefix: "picket", Region: "eu-central-1", Bucket: "picket-data-111122223333-eu-central-1",
		KMSKey:         "arn:aws:kms:eu-central-1:111122223333:key/0a1b2c3d-1111-2222-3333-444455556666",
		Image:          "111122223333.dkr.ecr.eu-central-1.amazonaws.com/picket:0a1b2c3d",
		ProcessingRole: "arn:aws:iam::111122223333:role/picket-processing", TrainingRole: "arn:aws:iam::111122223333:role/picket-training",
		DeployFunction: "arn:aws:lambda:eu-central-1:111122223333:function:picket-deploy-model",
		Subnets:        []string{"subnet-0a1b2c3d", "subnet-1a1b2c3d"}, SecurityGroups: []string{"sg-0a1b2c3d"},
		Seed: 1,
		Shape: pipeline.Shape{
			{Detector: picket.DetectorTraffic, Kind: picket.KindActor, Seconds: picket.Minute}:  {picket.ClassNormal, picket.ClassScan, picket.ClassBruteforce},
			{Detector: picket.DetectorTraffic, Kind: picket.KindVictim, Seconds: picket.Minute}: {picket.ClassNormal, picket.ClassDDoS, picket.ClassScan, picket.ClassBruteforce},
			{Detector: picket.DetectorAccess, Kind: picket.KindPrincipal, Seconds: picket.Hour}: {picket.ClassNormal, picket.ClassAccess},
		},
	}
}

func TestDefinitionGolden(t *testing.T) {
	got, err := Definition(example())
	if err != nil {
		t.Fatal(err)
	}
	golden := filepath.Join("testdata", "pipeline.golden.json")
	if *update {
		if err := os.WriteFile(golden, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != string(want) {
		t.Errorf("the definition is not %s; go test -update rewrites it:\n%s", golden, got)
	}
}

// step is what every step of a definition has.
type step struct {
	Name, Type    string
	Arguments     map[string]any
	DependsOn     []string
	PropertyFiles []struct{ PropertyFileName, OutputName, FilePath string }
}

// flatten returns all steps, those in the branches of conditions too.
func flatten(t *testing.T, raw any) []step {
	t.Helper()
	body, err := json.Marshal(raw)
	if err != nil {
		t.Fatal(err)
	}
	var steps []step
	if err := json.Unmarshal(body, &steps); err != nil {
		t.Fatal(err)
	}
	var all []step
	for _, s := range steps {
		all = append(all, s)
		for _, branch := range []string{"IfSteps", "ElseSteps"} {
			if s.Arguments[branch] != nil {
				all = append(all, flatten(t, s.Arguments[branch])...)
			}
		}
	}
	return all
}

var reference = regexp.MustCompile(`^(?:Parameters\.(\w+)|Execution\.(?:PipelineExecutionId|PipelineName)|Steps\.([\w-]+)\.(?:ProcessingOutputConfig\.Outputs\['(\w+)'\]\.S3Output\.S3Uri|PropertyFiles\.(\w+)|ModelPackageArn))$`)

// TestReferences wants every reference of the definition to name a parameter, or an
// output, property file or package of a step that comes before.
func TestReferences(t *testing.T) {
	body, err := Definition(example())
	if err != nil {
		t.Fatal(err)
	}
	var d struct {
		Version    string
		Parameters []struct{ Name, Type string }
		Steps      []any
	}
	if err := json.Unmarshal(body, &d); err != nil {
		t.Fatal(err)
	}
	if d.Version != "2020-12-01" {
		t.Errorf("version %s", d.Version)
	}
	known := map[string]bool{}
	for _, p := range d.Parameters {
		known["Parameters."+p.Name] = true
	}
	used := map[string]bool{}
	steps := flatten(t, d.Steps)
	for _, s := range steps {
		if !regexp.MustCompile(`^[A-Za-z0-9\-_]{1,64}$`).MatchString(s.Name) || known[s.Name] {
			t.Errorf("step name %q", s.Name)
		}
		for _, before := range s.DependsOn {
			if !known[before] {
				t.Errorf("%s depends on %s, which does not come before it", s.Name, before)
			}
		}
		arguments := s.Arguments
		walkGets(arguments, func(path string) {
			used[path] = true
			m := reference.FindStringSubmatch(path)
			switch {
			case m == nil:
				t.Errorf("%s: reference %q", s.Name, path)
			case m[1] != "" && !known["Parameters."+m[1]],
				m[3] != "" && !known[m[2]+" output "+m[3]],
				m[4] != "" && !known[m[2]+" file "+m[4]],
				m[2] != "" && m[3] == "" && m[4] == "" && s.Type != "Condition" && !known[m[2]]:
				t.Errorf("%s: nothing before it gives %q", s.Name, path)
			}
		})
		known[s.Name] = true
		for _, o := range outputsOf(s) {
			known[s.Name+" output "+o] = true
		}
		for _, f := range s.PropertyFiles {
			if !slices.Contains(outputsOf(s), f.OutputName) {
				t.Errorf("%s: property file %s of output %s", s.Name, f.PropertyFileName, f.OutputName)
			}
			known[s.Name+" file "+f.PropertyFileName] = true
		}
	}
	for _, p := range d.Parameters {
		if !used["Parameters."+p.Name] {
			t.Errorf("parameter %s is not used", p.Name)
		}
	}
	for _, s := range steps {
		for _, name := range []string{"ProcessingInputs", "ProcessingOutputConfig"} {
			if list, ok := s.Arguments[name].([]any); ok && len(list) > 10 {
				t.Errorf("%s: %d of %s; SageMaker takes 10", s.Name, len(list), name)
			}
		}
	}
}

func outputsOf(s step) (names []string) {
	config, _ := s.Arguments["ProcessingOutputConfig"].(map[string]any)
	outputs, _ := config["Outputs"].([]any)
	for _, o := range outputs {
		names = append(names, o.(map[string]any)["OutputName"].(string))
	}
	return names
}

// walkGets visits every reference but those in the branches of a condition, which
// are steps of their own.
func walkGets(v any, visit func(string)) {
	switch v := v.(type) {
	case map[string]any:
		for key, value := range v {
			switch {
			case key == "Get":
				visit(fmt.Sprint(value))
			case key != "IfSteps" && key != "ElseSteps":
				walkGets(value, visit)
			}
		}
	case []any:
		for _, value := range v {
			walkGets(value, visit)
		}
	}
}

// TestJobsAreClosed wants isolation, encryption, the key and the VPC on every job, no
// hyperparameter that is not a text, and no way to the network but channels.
func TestJobsAreClosed(t *testing.T) {
	o := example()
	body, err := Definition(o)
	if err != nil {
		t.Fatal(err)
	}
	var d struct{ Steps []any }
	if err := json.Unmarshal(body, &d); err != nil {
		t.Fatal(err)
	}
	jobs := 0
	for _, s := range flatten(t, d.Steps) {
		text, _ := json.Marshal(s.Arguments)
		has := func(want ...string) {
			t.Helper()
			for _, w := range want {
				if !strings.Contains(string(text), w) {
					t.Errorf("%s has no %s", s.Name, w)
				}
			}
		}
		switch s.Type {
		case "Processing", "Training":
			jobs++
			has(`"EnableNetworkIsolation":true`, `"EnableInterContainerTrafficEncryption":true`, `"VolumeKmsKeyId":"`+o.KMSKey, `"KmsKeyId":"`+o.KMSKey, `"subnet-0a1b2c3d"`, `"MaxRuntimeInSeconds"`)
		}
		for name, v := range asObject(s.Arguments["HyperParameters"]) {
			if _, isText := v.(string); !isText && asObject(v)["Std:Join"] == nil {
				t.Errorf("%s: hyperparameter %s is %v", s.Name, name, v)
			}
		}
	}
	if jobs != 6 {
		t.Errorf("%d jobs", jobs)
	}
}

func asObject(v any) map[string]any {
	o, _ := v.(map[string]any)
	return o
}

func TestDefinitionRefuses(t *testing.T) {
	f := func(change func(*Options), want string) {
		t.Helper()
		o := example()
		change(&o)
		if _, err := Definition(o); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %s", err, want)
		}
	}
	f(func(o *Options) { o.Region = "mars-1" }, `region "mars-1" has no built-in XGBoost image`)
	f(func(o *Options) { o.Image = "" }, "no image")
	f(func(o *Options) { o.Shape = nil }, "no boosters")
	f(func(o *Options) { o.Subnets = nil }, "subnets and security groups go together")
	f(func(o *Options) { o.Params = map[string]string{"objective": "reg:squarederror"} }, "follows from the dataset")
	f(func(o *Options) { o.Params = map[string]string{"updater": strings.Repeat("x", 300)} }, "longer than 256")
	f(func(o *Options) {
		o.Shape = pipeline.Shape{}
		for i := range 48 {
			o.Shape[picket.BoosterID{Detector: "traffic", Kind: picket.KindActor, Seconds: int64(i)}] = []string{"normal", "scan"}
		}
	}, "SageMaker takes 50")
}

// TestXGBoostImages wants an account of twelve digits in every region, and the domain
// of each partition.
func TestXGBoostImages(t *testing.T) {
	for region := range xgboostAccounts {
		image, err := XGBoostImage(region)
		if err != nil || !regexp.MustCompile(`^\d{12}\.dkr\.ecr\.[a-z0-9-]+\.[a-z0-9.]+/sagemaker-xgboost:3\.0-5$`).MatchString(image) {
			t.Errorf("%s %v", image, err)
		}
	}
	if image, _ := XGBoostImage("cn-north-1"); image != "450853457545.dkr.ecr.cn-north-1.amazonaws.com.cn/sagemaker-xgboost:3.0-5" {
		t.Error(image)
	}
}

// TestTriggersSayWhy wants the rules of the ml stack to pass a parameter that the
// pipeline has, each its own reason.
func TestTriggersSayWhy(t *testing.T) {
	stack, err := os.ReadFile("../template/ml.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var reasons []string
	for _, m := range regexp.MustCompile(`PipelineParameterList: \[\{Name: (\w+), Value: ([\w-]+)\}\]`).FindAllStringSubmatch(string(stack), -1) {
		if m[1] != ParamReason {
			t.Errorf("a rule passes %s", m[1])
		}
		reasons = append(reasons, m[2])
	}
	if want := []string{ReasonSchedule, ReasonDrift, ReasonVerdicts}; !slices.Equal(reasons, want) {
		t.Errorf("reasons %v, want %v", reasons, want)
	}
}
