// Package sagemaker brings Picket to SageMaker: the training pipeline and a model
// package -> SageMaker's definitions and calls.
package sagemaker

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"picket"
	"picket/pipeline"
	"picket/pipeline/train"
)

// Version is the schema version of the definitions.
const Version = "2020-12-01"

// Options say where the pipeline runs. Prefix, Region, Bucket, Image, the roles and
// the function are needed; the rest has defaults.
type Options struct {
	Prefix         string // of every name
	Region         string
	Bucket         string // the data bucket
	RawURI         string // where raw logs are; "" is raw/ of the bucket
	KMSKey         string // ARN, for volumes and outputs; "" is none
	Image          string // Picket's image
	TrainingImage  string // "" is the built-in XGBoost of the region; Picket's own trains, too
	ProcessingRole string // ARN
	TrainingRole   string // ARN
	DeployFunction string // ARN of deploy-model

	Subnets, SecurityGroups []string // the jobs' VPC; none is none

	Shape    pipeline.Shape    // boosters to train, with their classes
	Params   map[string]string // hyperparameters over the defaults
	Seed     uint64
	MaxRows  int // of each class and booster; 0 is 20,000
	VolumeGB int // of each job; 0 is 50
	OnDemand bool
}

// Named returns options with the names that a deployment gives everything: see
// docs/sagemaker.md. Image, Shape and Seed are left to the caller.
func Named(prefix, account, region string) Options {
	partition := "aws"
	switch {
	case strings.HasPrefix(region, "cn-"):
		partition = "aws-cn"
	case strings.HasPrefix(region, "us-gov-"):
		partition = "aws-us-gov"
	}
	role := func(name string) string {
		return "arn:" + partition + ":iam::" + account + ":role/" + prefix + "-" + name
	}
	return Options{
		Prefix: prefix, Region: region, Bucket: prefix + "-data-" + account + "-" + region,
		ProcessingRole: role("processing"), TrainingRole: role("training"),
		DeployFunction: "arn:" + partition + ":lambda:" + region + ":" + account + ":function:" + prefix + "-deploy-model",
	}
}

// ImageURI is a tag of the deployment's image repository.
func ImageURI(prefix, account, region, tag string) string {
	return account + ".dkr.ecr." + region + "." + domain(region) + "/" + prefix + ":" + tag
}

// Parameters of the pipeline, which whoever starts it may set.
const (
	ParamRawURI     = "RawUri"
	ParamApproval   = "ApprovalStatus"
	ParamMinAUC     = "MinAUC"
	ParamExtractors = "ExtractInstanceCount"
	ParamProcessing = "ProcessingInstanceType"
	ParamTraining   = "TrainingInstanceType"
	ParamData       = "DataVersion"
	ParamReason     = "Reason"
)

// Why a pipeline was started; the value of ParamReason that each trigger passes.
const (
	ReasonHand     = "by-hand"
	ReasonSchedule = "schedule"
	ReasonDrift    = "drift"
	ReasonVerdicts = "verdicts"
)

// Approval states of a model package.
const (
	Pending  = "PendingManualApproval"
	Approved = "Approved"
	Rejected = "Rejected"
)

// Paths of channels inside a container.
const (
	inputRoot  = "/opt/ml/processing/input/"
	outputRoot = "/opt/ml/processing/output/"
)

// object is a JSON object; its keys are written sorted.
type object = map[string]any

// Definition returns the pipeline as SageMaker takes it. The same options give the
// same bytes.
func Definition(o Options) ([]byte, error) {
	d := definition{o: o}
	if err := d.complete(); err != nil {
		return nil, fmt.Errorf("pipeline definition: %w", err)
	}
	steps := []any{d.extract(), d.dataset()}
	for _, id := range d.o.Shape.IDs() {
		steps = append(steps, d.train(id))
	}
	steps = append(steps, d.evaluate(), d.gate())
	var out bytes.Buffer
	e := json.NewEncoder(&out)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	err := e.Encode(struct {
		Version, Metadata, Parameters, Steps any
	}{Version, object{}, d.parameters(), steps})
	return out.Bytes(), err
}

type definition struct {
	o       Options
	builtIn bool // the training image is SageMaker's
}

// Limits of SageMaker: https://docs.aws.amazon.com/general/latest/gr/sagemaker.html
// and CreateProcessingJob's ContainerArguments.
const (
	maxSteps        = 50
	maxArguments    = 100
	maxArgument     = 256
	stepsBeside     = 8 // extract, dataset, evaluate, gate, register, approved, deploy, refused
	defaultVolumeGB = 50
)

func (d *definition) complete() error {
	o := &d.o
	for name, value := range map[string]string{
		"prefix": o.Prefix, "region": o.Region, "bucket": o.Bucket, "image": o.Image, "processing role": o.ProcessingRole,
		"training role": o.TrainingRole, "deploy function": o.DeployFunction,
	} {
		if value == "" {
			return fmt.Errorf("no %s", name)
		}
	}
	if len(o.Shape) == 0 {
		return errors.New("no boosters to train")
	}
	if n := len(o.Shape) + stepsBeside; n > maxSteps {
		return fmt.Errorf("%d boosters make %d steps; SageMaker takes %d", len(o.Shape), n, maxSteps)
	}
	if (len(o.Subnets) == 0) != (len(o.SecurityGroups) == 0) {
		return errors.New("subnets and security groups go together")
	}
	if o.TrainingImage == "" {
		image, err := XGBoostImage(o.Region)
		if err != nil {
			return err
		}
		o.TrainingImage = image
	}
	d.builtIn = strings.Contains(o.TrainingImage, "/sagemaker-xgboost:")
	o.RawURI = cmp.Or(o.RawURI, "s3://"+o.Bucket+"/"+picket.RawPrefix)
	o.VolumeGB = cmp.Or(o.VolumeGB, defaultVolumeGB)
	o.MaxRows = cmp.Or(o.MaxRows, 20_000)
	return d.checkParams()
}

// dataParams are hyperparameters that the dataset step decides by the data.
var dataParams = []string{"num_round", "early_stopping_rounds", "min_child_weight"}

func (d *definition) checkParams() error {
	for _, name := range []string{"objective", "num_class", "eval_metric", "seed", "csv_weights"} {
		if d.o.Params[name] != "" {
			return fmt.Errorf("parameter %s follows from the dataset", name)
		}
	}
	arguments := d.datasetArguments()
	if len(arguments) > maxArguments {
		return fmt.Errorf("%d arguments; SageMaker takes %d: name fewer boosters", len(arguments), maxArguments)
	}
	for _, a := range arguments {
		if text, ok := a.(string); ok && len(text) > maxArgument {
			return fmt.Errorf("argument %.40q… is longer than %d", text, maxArgument)
		}
	}
	return nil
}

func (d *definition) parameters() []object {
	return []object{
		{"Name": ParamRawURI, "Type": "String", "DefaultValue": d.o.RawURI},
		{"Name": ParamApproval, "Type": "String", "DefaultValue": Pending, "EnumValues": []string{Pending, Approved, Rejected}},
		{"Name": ParamMinAUC, "Type": "Float", "DefaultValue": train.DefaultGate.AUC},
		{"Name": ParamExtractors, "Type": "Integer", "DefaultValue": 1},
		{"Name": ParamProcessing, "Type": "String", "DefaultValue": "ml.m5.large"},
		{"Name": ParamTraining, "Type": "String", "DefaultValue": "ml.m5.large"},
		{"Name": ParamData, "Type": "String", "DefaultValue": "unset"},
		{"Name": ParamReason, "Type": "String", "DefaultValue": ReasonHand},
	}
}

// get is a reference that SageMaker resolves when the step runs.
func get(path string) object { return object{"Get": path} }

func parameter(name string) object { return get("Parameters." + name) }

func join(on string, values ...any) object {
	return object{"Std:Join": object{"On": on, "Values": values}}
}

func jsonGet(step, file, path string) object {
	return object{"Std:JsonGet": object{"PropertyFile": get("Steps." + step + ".PropertyFiles." + file), "Path": path}}
}

// textOf makes a text of a value that is read from a file: where SageMaker wants one,
// as for a hyperparameter.
func textOf(v object) object { return join("", v) }

// output is the URI of what a step wrote to a channel.
func output(step, channel string) object {
	return get("Steps." + step + ".ProcessingOutputConfig.Outputs['" + channel + "'].S3Output.S3Uri")
}

// runURI is a place of this execution in the bucket: what one run writes, no other
// overwrites.
func (d *definition) runURI(parts ...any) object {
	return join("/", append([]any{"s3://" + d.o.Bucket + "/" + strings.TrimSuffix(picket.RunsPrefix, "/"), get("Execution.PipelineExecutionId")}, parts...)...)
}

// TrainStep is the name of the step that trains a booster.
func TrainStep(id picket.BoosterID) string { return "train-" + pipeline.Folder(id) }

// Names of the steps, as pipeline.Steps has them where it has them.
const (
	StepExtract  = "extract"
	StepDataset  = "dataset"
	StepEvaluate = "evaluate"
	StepGate     = "gate"
	StepRegister = "register"
	StepApproved = "approved"
	StepDeploy   = "deploy"
	StepRefused  = "refused"
)

// does says what a step of the pipeline does, in the pipeline's own words.
func does(names ...string) string {
	var all []string
	for _, s := range pipeline.Steps() {
		if slices.Contains(names, s.Name) {
			all = append(all, s.Does)
		}
	}
	return strings.Join(all, "; ")
}

// tries is how often a step is tried, as pipeline.Steps has it, and once more for
// what is SageMaker's own fault.
func tries(name string) int {
	for _, s := range pipeline.Steps() {
		if s.Name == name {
			return s.Tries + 1
		}
	}
	return 2
}

// retry is the policies of a step that runs a job. What fails for want of capacity
// is tried for an hour.
func retry(attempts int) []object {
	return []object{
		{"ExceptionType": []string{"Step.SERVICE_FAULT", "Step.THROTTLING"}, "IntervalSeconds": 10, "BackoffRate": 2.0, "MaxAttempts": attempts + 3},
		{"ExceptionType": []string{"SageMaker.JOB_INTERNAL_ERROR"}, "IntervalSeconds": 30, "BackoffRate": 2.0, "MaxAttempts": attempts},
		{"ExceptionType": []string{"SageMaker.CAPACITY_ERROR", "SageMaker.RESOURCE_LIMIT"}, "IntervalSeconds": 120, "BackoffRate": 2.0, "ExpireAfterMin": 60},
	}
}

// cache lets a step take an earlier run's result. SageMaker compares the names of
// inputs, never their content (see ParamData), so what rests on a prefix that grows
// keeps for an hour only.
func cache() object { return object{"Enabled": true, "ExpireAfter": "PT1H"} }

func kms(o object, name, key string) object {
	if key != "" {
		o[name] = key
	}
	return o
}

func (d *definition) vpc() object {
	return object{"SecurityGroupIds": d.o.SecurityGroups, "Subnets": d.o.Subnets}
}

// number writes a whole number as an argument of a container.
func number(n uint64) string { return strconv.FormatUint(n, 10) }

// sortedParams returns parameters as NAME=VALUE.
func sortedParams(params map[string]string) []string {
	var all []string
	for _, name := range slices.Sorted(maps.Keys(params)) {
		all = append(all, name+"="+params[name])
	}
	return all
}
