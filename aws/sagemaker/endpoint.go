package sagemaker

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sagemaker"
	"github.com/aws/aws-sdk-go-v2/service/sagemaker/types"

	"picket"
)

// Scorers: where rows are scored.
const (
	ScorerEndpoint   = "endpoint"   // of SageMaker, on instances
	ScorerServerless = "serverless" // of SageMaker, without
	ScorerLambda     = "lambda"     // in the function that detects: there is no endpoint
)

// Variant is the one variant of the endpoint.
const Variant = "picket"

// Tags of everything that deploy-model makes. By TagOwner all of it is removed again.
const (
	TagOwner = "picket"       // the prefix
	TagModel = "picket-model" // id of the package
)

// Endpoint says how a package is served. Its zero values are a small endpoint.
type Endpoint struct {
	Prefix         string           `json:"-"`
	Bucket         string           `json:"bucket"`
	Name           string           `json:"-"`
	Group          string           `json:"-"` // of model packages
	Scorer         string           `json:"scorer"`
	Role           string           `json:"role"`
	Image          string           `json:"image"` // Picket's, or the built-in XGBoost, which serves Booster alone
	Booster        picket.BoosterID `json:"booster"`
	KMSKey         string           `json:"kms_key"`
	Subnets        []string         `json:"subnets"`
	SecurityGroups []string         `json:"security_groups"`
	InstanceType   string           `json:"instance_type"`
	Instances      int              `json:"instances"`   // least; 1 where 0
	MaxInstances   int              `json:"-"`           // 4 where 0
	CapturePercent int              `json:"capture"`     // of requests, kept below capture/; 0 is none
	MemoryMB       int              `json:"memory"`      // serverless; 2048 where 0
	Concurrency    int              `json:"concurrency"` // serverless; 5 where 0
	CanarySeconds  int              `json:"-"`           // how long the canary is watched; 600 where 0
	Alarms         []string         `json:"-"`           // that roll a deployment back
}

// EndpointFromEnv reads the variables of the function deploy-model.
func EndpointFromEnv(getenv func(string) string) (Endpoint, error) {
	prefix := cmp.Or(getenv("PICKET_PREFIX"), "picket")
	e := Endpoint{
		Prefix: prefix, Bucket: getenv("PICKET_BUCKET"), Name: cmp.Or(getenv("PICKET_ENDPOINT"), prefix), Group: cmp.Or(getenv("PICKET_MODEL_GROUP"), prefix),
		Scorer: cmp.Or(getenv("PICKET_SCORER"), ScorerLambda), Role: getenv("PICKET_ENDPOINT_ROLE"), Image: getenv("PICKET_IMAGE"), KMSKey: getenv("PICKET_KMS_KEY"),
		InstanceType: cmp.Or(getenv("PICKET_INSTANCE_TYPE"), "ml.m5.large"), Subnets: list(getenv("PICKET_SUBNETS")), SecurityGroups: list(getenv("PICKET_SECURITY_GROUPS")),
		Alarms: []string{prefix + "-endpoint-5xx", prefix + "-endpoint-p99"},
	}
	if b := getenv("PICKET_BOOSTER"); b != "" {
		var err error
		if e.Booster, err = picket.ParseBoosterID(b); err != nil {
			return e, fmt.Errorf("PICKET_BOOSTER: %w", err)
		}
	}
	for name, field := range map[string]*int{"PICKET_INSTANCES": &e.Instances, "PICKET_MAX_INSTANCES": &e.MaxInstances, "PICKET_CAPTURE": &e.CapturePercent} {
		if v := getenv(name); v != "" {
			n, err := strconv.Atoi(v)
			if err != nil || n < 0 {
				return e, fmt.Errorf("%s=%q is no number", name, v)
			}
			*field = n
		}
	}
	return e, e.complete()
}

func list(text string) []string {
	if text == "" {
		return nil
	}
	return strings.Split(text, ",")
}

func (e *Endpoint) complete() error {
	e.Instances, e.MaxInstances = cmp.Or(e.Instances, 1), cmp.Or(e.MaxInstances, 4)
	e.MemoryMB, e.Concurrency = cmp.Or(e.MemoryMB, 2048), cmp.Or(e.Concurrency, 5)
	e.CanarySeconds = cmp.Or(e.CanarySeconds, 600)
	switch e.Scorer {
	case ScorerLambda:
		return nil
	case ScorerEndpoint, ScorerServerless:
	default:
		return fmt.Errorf("scorer %q is none of endpoint, serverless, lambda", e.Scorer)
	}
	if e.Role == "" || e.Image == "" {
		return errors.New("an endpoint needs PICKET_ENDPOINT_ROLE and PICKET_IMAGE")
	}
	if e.builtIn() && e.Booster == (picket.BoosterID{}) {
		return errors.New("the built-in XGBoost image serves one booster: name it in PICKET_BOOSTER")
	}
	if e.Scorer == ScorerServerless && (len(e.Subnets) > 0 || e.CapturePercent > 0) {
		return errors.New("a serverless endpoint has no VPC and no data capture")
	}
	return nil
}

func (e *Endpoint) builtIn() bool { return strings.Contains(e.Image, "/sagemaker-xgboost:") }

// idInName is how much of a package's id stands in the name of its configuration.
const idInName = 12

// configName names a package served so: the same package and settings have the same
// name, and who finds the name finds the package.
func (e *Endpoint) configName(id string) string {
	body, _ := json.Marshal(e)
	sum := sha256.Sum256(body)
	return e.Prefix + "-" + id[:idInName] + "-" + hex.EncodeToString(sum[:4])
}

// idOf returns the beginning of the id of the package that a configuration serves, or
// "" where it is none of ours.
func (e *Endpoint) idOf(config string) string {
	rest, ok := strings.CutPrefix(config, e.Prefix+"-")
	id, _, found := strings.Cut(rest, "-")
	if !ok || !found || len(id) != idInName {
		return ""
	}
	return id
}

// artifactKey is where the artifact lies that the endpoint of a package reads.
func (e *Endpoint) artifactKey(id string) string {
	key := picket.ModelsPrefix + id + "/"
	if e.builtIn() {
		key += strings.ReplaceAll(e.Booster.String(), "/", "-") + "/"
	}
	return key + ArtifactName
}

func (e *Endpoint) tags(id string) []types.Tag {
	return []types.Tag{{Key: aws.String(TagOwner), Value: &e.Prefix}, {Key: aws.String(TagModel), Value: &id}}
}

func (e *Endpoint) model(name, id string) *sagemaker.CreateModelInput {
	in := &sagemaker.CreateModelInput{
		ModelName: &name, ExecutionRoleArn: &e.Role, Tags: e.tags(id),
		PrimaryContainer: &types.ContainerDefinition{Image: &e.Image, ModelDataUrl: aws.String("s3://" + e.Bucket + "/" + e.artifactKey(id))},
	}
	if e.Scorer == ScorerEndpoint {
		in.EnableNetworkIsolation = aws.Bool(true)
		if len(e.Subnets) > 0 {
			in.VpcConfig = &types.VpcConfig{Subnets: e.Subnets, SecurityGroupIds: e.SecurityGroups}
		}
	}
	return in
}

func (e *Endpoint) config(name, id string) *sagemaker.CreateEndpointConfigInput {
	v := types.ProductionVariant{VariantName: aws.String(Variant), ModelName: &name, InitialVariantWeight: aws.Float32(1)}
	in := &sagemaker.CreateEndpointConfigInput{EndpointConfigName: &name, Tags: e.tags(id)}
	if e.Scorer == ScorerServerless {
		v.ServerlessConfig = &types.ProductionVariantServerlessConfig{MemorySizeInMB: aws.Int32(int32(e.MemoryMB)), MaxConcurrency: aws.Int32(int32(e.Concurrency))}
		in.ProductionVariants = []types.ProductionVariant{v}
		return in
	}
	v.InstanceType, v.InitialInstanceCount = types.ProductionVariantInstanceType(e.InstanceType), aws.Int32(int32(e.Instances))
	in.ProductionVariants = []types.ProductionVariant{v}
	if e.KMSKey != "" {
		in.KmsKeyId = &e.KMSKey
	}
	if e.CapturePercent > 0 {
		in.DataCaptureConfig = &types.DataCaptureConfig{
			EnableCapture: aws.Bool(true), InitialSamplingPercentage: aws.Int32(int32(e.CapturePercent)),
			DestinationS3Uri: aws.String("s3://" + e.Bucket + "/capture/"), KmsKeyId: in.KmsKeyId,
			CaptureOptions:           []types.CaptureOption{{CaptureMode: types.CaptureModeInput}, {CaptureMode: types.CaptureModeOutput}},
			CaptureContentTypeHeader: &types.CaptureContentTypeHeader{CsvContentTypes: []string{"text/csv"}, JsonContentTypes: []string{"application/json", "application/jsonlines"}},
		}
	}
	return in
}

// Limits of a deployment, in seconds.
const (
	terminationWait = 120
	deploymentLimit = 3600
)

// deployment is how an endpoint on instances moves: new instances beside the old ones,
// part of the traffic first, back at an alarm. One instance cannot be parted: all its
// traffic moves, and the alarms are watched as long.
func (e *Endpoint) deployment() *types.DeploymentConfig {
	if e.Scorer == ScorerServerless {
		return nil // SageMaker moves it by itself
	}
	routing := &types.TrafficRoutingConfig{Type: types.TrafficRoutingConfigTypeAllAtOnce, WaitIntervalInSeconds: aws.Int32(int32(e.CanarySeconds))}
	if e.Instances > 1 {
		routing.Type = types.TrafficRoutingConfigTypeCanary
		routing.CanarySize = &types.CapacitySize{Type: types.CapacitySizeTypeInstanceCount, Value: aws.Int32(1)}
	}
	c := &types.DeploymentConfig{BlueGreenUpdatePolicy: &types.BlueGreenUpdatePolicy{
		TrafficRoutingConfiguration: routing, TerminationWaitInSeconds: aws.Int32(terminationWait),
		MaximumExecutionTimeoutInSeconds: aws.Int32(int32(e.CanarySeconds + deploymentLimit)),
	}}
	if len(e.Alarms) > 0 {
		c.AutoRollbackConfiguration = &types.AutoRollbackConfig{}
		for i := range e.Alarms {
			c.AutoRollbackConfiguration.Alarms = append(c.AutoRollbackConfiguration.Alarms, types.Alarm{AlarmName: &e.Alarms[i]})
		}
	}
	return c
}
