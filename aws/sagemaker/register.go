package sagemaker

import (
	"strings"

	"picket/pipeline/train"
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
