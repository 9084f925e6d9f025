package sagemaker

import (
	"maps"
	"slices"
	"strconv"
	"strings"

	"picket"
	"picket/gbdt"
	"picket/pipeline"
	"picket/pipeline/train"
)

// job is what differs between the Processing steps.
type job struct {
	name, shown, does string
	verb              string
	arguments         []any
	instances         any
	inputs            []object
	outputs           []string
	files             []object // property files
	after             []string
	cached            bool
	seconds           int // most that it may run
}

func (d *definition) processing(j job) object {
	cluster := kms(object{"InstanceType": parameter(ParamProcessing), "InstanceCount": j.instances, "VolumeSizeInGB": d.o.VolumeGB}, "VolumeKmsKeyId", d.o.KMSKey)
	network := object{"EnableNetworkIsolation": true, "EnableInterContainerTrafficEncryption": true}
	if len(d.o.Subnets) > 0 {
		network["VpcConfig"] = d.vpc()
	}
	var outputs []object
	for _, channel := range j.outputs {
		uri := d.runURI(channel)
		if channel == "package" { // the endpoint reads models/ and nothing else
			uri = join("/", "s3://"+d.o.Bucket+"/"+picket.ModelsPrefix+"candidates", get("Execution.PipelineExecutionId"))
		}
		outputs = append(outputs, object{"OutputName": channel, "AppManaged": false, "S3Output": object{
			"S3Uri": uri, "LocalPath": outputRoot + channel, "S3UploadMode": "EndOfJob",
		}})
	}
	app := object{"ImageUri": d.o.Image, "ContainerEntrypoint": []string{"/picket", "processing", j.verb}}
	if len(j.arguments) > 0 {
		app["ContainerArguments"] = j.arguments
	}
	step := object{
		"Name": j.name, "Type": "Processing", "DisplayName": j.shown, "Description": j.does,
		"Arguments": object{
			"AppSpecification":       app,
			"Environment":            object{"PICKET_DATA_VERSION": parameter(ParamData)},
			"NetworkConfig":          network,
			"ProcessingInputs":       j.inputs,
			"ProcessingOutputConfig": kms(object{"Outputs": outputs}, "KmsKeyId", d.o.KMSKey),
			"ProcessingResources":    object{"ClusterConfig": cluster},
			"RoleArn":                d.o.ProcessingRole,
			"StoppingCondition":      object{"MaxRuntimeInSeconds": j.seconds},
		},
		"RetryPolicies": retry(tries(j.name)),
	}
	if j.cached {
		step["CacheConfig"] = cache()
	}
	if len(j.files) > 0 {
		step["PropertyFiles"] = j.files
	}
	if len(j.after) > 0 {
		step["DependsOn"] = j.after
	}
	return step
}

// input is a channel that a container reads below /opt/ml/processing/input/. A
// sharded one gives each instance its part of the objects.
func input(channel string, uri any, sharded bool) object {
	distribution := "FullyReplicated"
	if sharded {
		distribution = "ShardedByS3Key"
	}
	return object{"InputName": channel, "AppManaged": false, "S3Input": object{
		"S3Uri": uri, "LocalPath": inputRoot + channel, "S3DataType": "S3Prefix", "S3InputMode": "File",
		"S3DataDistributionType": distribution, "S3CompressionType": "None",
	}}
}

func (d *definition) extract() object {
	return d.processing(job{
		name: StepExtract, shown: "extract", does: does("extract"), verb: "extract", seconds: 6 * 3600, cached: true,
		instances: parameter(ParamExtractors),
		inputs:    []object{input("raw", parameter(ParamRawURI), true)},
		outputs:   []string{"windows", "quarantine"},
	})
}

func (d *definition) dataset() object {
	return d.processing(job{
		name: StepDataset, shown: "close and dataset", does: does("close", "dataset"), verb: "dataset", seconds: 6 * 3600, cached: true,
		arguments: d.datasetArguments(), instances: 1,
		inputs: []object{
			input("windows", output(StepExtract, "windows"), false),
			input("labels", "s3://"+d.o.Bucket+"/"+picket.LabelsPrefix, false),
		},
		outputs: []string{"dataset"},
		files:   []object{{"PropertyFileName": "plan", "OutputName": "dataset", "FilePath": "plan.json"}},
	})
}

func (d *definition) datasetArguments() []any {
	arguments := []any{"--name", d.o.Prefix, "--seed", number(d.o.Seed), "--max-rows", strconv.Itoa(d.o.MaxRows)}
	for _, id := range d.o.Shape.IDs() {
		arguments = append(arguments, "--booster", id.String()+"="+strings.Join(d.o.Shape[id], ","))
	}
	for _, p := range sortedParams(d.o.Params) {
		arguments = append(arguments, "--param", p)
	}
	return arguments
}

// train is the training job of one booster, by SageMaker's built-in XGBoost or by
// Picket's own image, which honours the same contract.
func (d *definition) train(id picket.BoosterID) object {
	folder := pipeline.Folder(id)
	arguments := object{
		"AlgorithmSpecification":                d.algorithm(),
		"HyperParameters":                       d.hyperparameters(id),
		"InputDataConfig":                       []object{d.channel(folder, picket.SplitTrain), d.channel(folder, picket.SplitValidation)},
		"OutputDataConfig":                      kms(object{"S3OutputPath": d.runURI("trees", folder)}, "KmsKeyId", d.o.KMSKey),
		"ResourceConfig":                        kms(object{"InstanceType": parameter(ParamTraining), "InstanceCount": 1, "VolumeSizeInGB": d.o.VolumeGB}, "VolumeKmsKeyId", d.o.KMSKey),
		"RoleArn":                               d.o.TrainingRole,
		"EnableNetworkIsolation":                true,
		"EnableInterContainerTrafficEncryption": true,
		"StoppingCondition":                     object{"MaxRuntimeInSeconds": 4 * 3600},
		"ProfilerConfig":                        object{"DisableProfiler": true},
	}
	if !d.o.OnDemand {
		arguments["EnableManagedSpotTraining"] = true
		arguments["CheckpointConfig"] = object{"S3Uri": d.runURI("checkpoints", folder), "LocalPath": "/opt/ml/checkpoints"}
		arguments["StoppingCondition"] = object{"MaxRuntimeInSeconds": 4 * 3600, "MaxWaitTimeInSeconds": 8 * 3600}
	}
	if len(d.o.Subnets) > 0 {
		arguments["VpcConfig"] = d.vpc()
	}
	return object{
		"Name": TrainStep(id), "Type": "Training", "DisplayName": "train " + id.String(), "Description": does("train"),
		"Arguments": arguments, "RetryPolicies": retry(tries("train")),
	}
}

func (d *definition) algorithm() object {
	a := object{"TrainingImage": d.o.TrainingImage, "TrainingInputMode": "File"}
	if !d.builtIn {
		a["ContainerEntrypoint"] = []string{"/picket", "train"}
		a["MetricDefinitions"] = metricDefinitions() // the built-in image brings its own
	}
	return a
}

// metricDefinitions read the lines that the training container prints.
func metricDefinitions() []object {
	var all []object
	for _, data := range []string{"train", "validation"} {
		for _, metric := range []string{"logloss", "mlogloss"} {
			all = append(all, object{"Name": data + ":" + metric, "Regex": `.*\[[0-9]+\].*#011` + data + "-" + metric + `:(\S+)`})
		}
	}
	return all
}

// channel is the CSV of one split: label, weight, features; no header.
func (d *definition) channel(folder, split string) object {
	return object{"ChannelName": split, "ContentType": "text/csv", "DataSource": object{"S3DataSource": object{
		"S3Uri": join("/", output(StepDataset, "dataset"), folder, split, ""), "S3DataType": "S3Prefix", "S3DataDistributionType": "FullyReplicated",
	}}}
}

// hyperparameters are all texts. What follows from the shape or was given stands
// here; what depends on the data is read from the dataset step's plan.json.
func (d *definition) hyperparameters(id picket.BoosterID) object {
	h := object{"csv_weights": "1", "seed": number(d.o.Seed), "objective": gbdt.BinaryLogistic, "eval_metric": "logloss"}
	if classes := len(d.o.Shape[id]); classes > 2 {
		h["objective"], h["eval_metric"], h["num_class"] = gbdt.MultiSoftprob, "mlogloss", strconv.Itoa(classes)
	}
	params := train.Defaults()
	maps.Copy(params, d.o.Params)
	for name, value := range params {
		h[name] = value
		if slices.Contains(dataParams, name) {
			h[name] = textOf(jsonGet(StepDataset, "plan", "boosters."+pipeline.PlanKey(id)+"."+name))
		}
	}
	return h
}

func (d *definition) evaluate() object {
	var after []string
	for _, id := range d.o.Shape.IDs() {
		after = append(after, TrainStep(id))
	}
	return d.processing(job{
		name: StepEvaluate, shown: "evaluate, calibrate, package", does: does("evaluate", "gate"), verb: "evaluate", seconds: 2 * 3600, instances: 1,
		after: after,
		// One prefix for the trees of all boosters: a job has at most ten inputs.
		inputs: []object{
			input("dataset", output(StepDataset, "dataset"), false),
			input("trees", d.runURI("trees", ""), false),
			input("registry", "s3://"+d.o.Bucket+"/"+picket.ModelsPrefix, false),
		},
		outputs: []string{"package", "evaluation"},
		files:   []object{{"PropertyFileName": "evaluation", "OutputName": "evaluation", "FilePath": "evaluation.json"}},
	})
}

// measured reads the metrics file.
func measured(path string) object { return jsonGet(StepEvaluate, "evaluation", path) }

// gate registers what passed. A candidate that too few test rows could judge is
// registered only where a person still has to approve it.
func (d *definition) gate() object {
	verdict := measured("picket.gate.verdict")
	is := func(left any, right any) object {
		return object{"Type": "Equals", "LeftValue": left, "RightValue": right}
	}
	or := func(conditions ...object) object { return object{"Type": "Or", "Conditions": conditions} }
	conditions := []object{
		{"Type": "In", "QueryValue": verdict, "Values": []string{pipeline.GatePassed, pipeline.GateUnjudged}},
		or(is(verdict, pipeline.GatePassed), is(parameter(ParamApproval), Pending)),
		or(is(verdict, pipeline.GateUnjudged), object{
			"Type": "GreaterThanOrEqualTo", "LeftValue": measured("binary_classification_metrics.auc.value"), "RightValue": parameter(ParamMinAUC),
		}),
	}
	return object{
		"Name": StepGate, "Type": "Condition", "DisplayName": "gate", "Description": does("gate"),
		"Arguments": object{
			"Conditions": conditions,
			"IfSteps":    []any{d.register(), d.approved()},
			"ElseSteps": []any{object{"Name": StepRefused, "Type": "Fail", "Arguments": object{
				"ErrorMessage": join(" ", "the candidate is not good enough:", measured("picket.gate.reasons")),
			}}},
		},
	}
}

// approved calls deploy-model where the approval was given before; otherwise the
// event of the approval does.
func (d *definition) approved() object {
	return object{
		"Name": StepApproved, "Type": "Condition", "DisplayName": "approved beforehand?", "DependsOn": []string{StepRegister},
		"Arguments": object{
			"Conditions": []object{{"Type": "Equals", "LeftValue": parameter(ParamApproval), "RightValue": Approved}},
			"IfSteps": []any{object{
				"Name": StepDeploy, "Type": "Lambda", "DisplayName": "deploy", "Description": does("deploy"),
				"FunctionArn":      d.o.DeployFunction,
				"Arguments":        object{"ModelPackageArn": get("Steps." + StepRegister + ".ModelPackageArn")},
				"OutputParameters": []object{},
			}},
			"ElseSteps": []any{},
		},
	}
}
