package sagemaker

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sagemaker"
	"github.com/aws/aws-sdk-go-v2/service/sagemaker/types"

	"picket"
	"picket/pipeline"
	"picket/pipeline/train"
	"picket/store"
)

// Media types that the endpoint reads and writes.
func mediaTypes() []string { return []string{"text/csv", "application/json", "application/jsonlines"} }

// Instance types that a package may be served on. Any CPU will do; the list is what
// the registry shows.
func servingInstances() []string {
	return []string{"ml.t2.medium", "ml.m5.large", "ml.m5.xlarge", "ml.c5.large", "ml.c5.xlarge", "ml.c6i.large", "ml.m6i.large"}
}

func inferenceSpecification(image string, data any) object {
	return object{
		"Containers":                              []object{{"Image": image, "ModelDataUrl": data}},
		"SupportedContentTypes":                   mediaTypes(),
		"SupportedResponseMIMETypes":              mediaTypes(),
		"SupportedRealtimeInferenceInstanceTypes": servingInstances(),
		"SupportedTransformInstanceTypes":         []string{"ml.m5.large", "ml.m5.xlarge", "ml.c5.xlarge"},
	}
}

// Customer metadata of a model package.
const (
	MetaModel  = "picket-model"  // id of the package that is inside
	MetaReason = "picket-reason" // why it was trained
)

// register registers the package that the evaluate step wrote. Its full card and the
// evaluation of every booster lie beside it.
func (d *definition) register() object {
	metrics := join("/", output(StepEvaluate, "evaluation"), "evaluation.json")
	return object{
		"Name": StepRegister, "Type": "RegisterModel", "DisplayName": "register", "Description": does("register"),
		"Arguments": object{
			"ModelPackageGroupName":   d.o.Prefix,
			"ModelPackageDescription": join(" ", "Picket, trained by run", get("Execution.PipelineExecutionId"), "for", parameter(ParamReason)),
			"InferenceSpecification":  inferenceSpecification(d.o.Image, join("/", output(StepEvaluate, "package"), "model.tar.gz")),
			"ModelApprovalStatus":     parameter(ParamApproval),
			"ModelMetrics":            object{"ModelQuality": object{"Statistics": object{"ContentType": "application/json", "S3Uri": metrics}}},
			"ModelCard":               object{"ModelCardStatus": "PendingReview", "ModelCardContent": d.card()},
			"CustomerMetadataProperties": object{
				MetaModel:  textOf(measured("picket.model")),
				MetaReason: parameter(ParamReason),
			},
		},
		"RetryPolicies": retry(tries("register"))[:1],
	}
}

// card is the registry's short card: what is known before the run. The figures are
// in the metrics, and in card.json beside the package.
func (d *definition) card() object {
	const mark = "@package@"
	before, after, _ := strings.Cut(train.ShortCard(d.o.Prefix, mark), mark)
	return join("", before, output(StepEvaluate, "package"), after)
}

// maxCard is the longest card that SageMaker takes, in bytes.
const maxCard = 100_000

// Register puts a package, as it stands in a file, into the registry as approved, if it
// is not there yet, and returns its ARN: how the package in the binary becomes version 1.
func (d *Deployer) Register(ctx context.Context, file []byte) (string, error) {
	pkg, err := train.ReadPackage(bytes.NewReader(file))
	if err != nil {
		return "", fmt.Errorf("register: %w", err)
	}
	id := pkg.Model.ID
	arn, err := d.registered(ctx, id)
	if arn != "" || err != nil {
		return arn, err
	}
	artifact, metrics, err := d.lay(ctx, pkg, file)
	if err != nil {
		return "", fmt.Errorf("register %s: %w", id, err)
	}
	card := string(pkg.Card)
	if card == "" || len(card) > maxCard {
		card = train.ShortCard(pkg.Model.Name, artifact)
	}
	media := mediaTypes()
	var instances []types.ProductionVariantInstanceType
	for _, name := range servingInstances() {
		instances = append(instances, types.ProductionVariantInstanceType(name))
	}
	out, err := d.API.CreateModelPackage(ctx, &sagemaker.CreateModelPackageInput{
		ModelPackageGroupName: &d.Endpoint.Group, ModelApprovalStatus: types.ModelApprovalStatusApproved,
		ModelPackageDescription:    aws.String("Picket, package " + id),
		ClientToken:                aws.String(id[:36]),
		CustomerMetadataProperties: map[string]string{MetaModel: id, MetaReason: ReasonHand},
		InferenceSpecification: &types.InferenceSpecification{
			Containers:            []types.ModelPackageContainerDefinition{{Image: &d.Endpoint.Image, ModelDataUrl: &artifact}},
			SupportedContentTypes: media, SupportedResponseMIMETypes: media,
			SupportedRealtimeInferenceInstanceTypes: instances,
			SupportedTransformInstanceTypes:         []types.TransformInstanceType{types.TransformInstanceTypeMlM5Large},
		},
		ModelMetrics: &types.ModelMetrics{ModelQuality: &types.ModelQuality{Statistics: &types.MetricsSource{ContentType: aws.String("application/json"), S3Uri: &metrics}}},
		ModelCard:    &types.ModelPackageModelCard{ModelCardStatus: types.ModelCardStatusApproved, ModelCardContent: &card},
	})
	if err != nil {
		return "", fmt.Errorf("register %s: %w", id, err)
	}
	return aws.ToString(out.ModelPackageArn), nil
}

// registered returns the ARN of a package that is in the registry already.
func (d *Deployer) registered(ctx context.Context, id string) (string, error) {
	pages := sagemaker.NewListModelPackagesPaginator(d.API, &sagemaker.ListModelPackagesInput{ModelPackageGroupName: &d.Endpoint.Group})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return "", fmt.Errorf("register: %w", err)
		}
		for _, p := range page.ModelPackageSummaryList {
			if strings.Contains(aws.ToString(p.ModelPackageDescription), id) {
				return aws.ToString(p.ModelPackageArn), nil
			}
		}
	}
	return "", nil
}

// lay puts a package's artifact and metrics where the registry will point.
func (d *Deployer) lay(ctx context.Context, pkg *train.Package, file []byte) (artifact, metrics string, err error) {
	own, id := d.Endpoint, pkg.Model.ID
	own.Image = "picket" // the artifact of the registry is the package, whatever image serves
	body, err := own.artifact(file)
	if err != nil {
		return "", "", err
	}
	f := pipeline.Finished{Package: pkg}
	if pipeline.Weakest(pkg) == nil {
		return "", "", errors.New("the package has no evaluation")
	}
	evaluation, err := json.MarshalIndent(newEvaluation(f), "", " ")
	if err != nil {
		return "", "", err
	}
	uri := "s3://" + d.Endpoint.Bucket + "/"
	artifact, metrics = own.artifactKey(id), picket.ModelsPrefix+id+"/evaluation.json"
	for key, body := range map[string][]byte{artifact: body, metrics: evaluation} {
		if _, err := d.Pipeline.Bucket().Put(ctx, key, bytes.NewReader(body), store.IfAbsent); err != nil && !errors.Is(err, store.ErrPrecondition) {
			return "", "", err
		}
	}
	return uri + artifact, uri + metrics, nil
}
