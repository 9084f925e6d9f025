// Package record writes down which rights the SDK's calls need: calls -> IAM
// actions on resources. Tests put it into the clients of a function and hold
// what it saw against the list that the templates' roles are proved with.
package record

import (
	"context"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"sync"

	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"
	"github.com/aws/smithy-go/middleware"
)

// Need is a right that a call needs: an IAM action on a resource. The resource
// is what follows the account in its ARN; an object of S3 is its bucket and the
// first folders of its key, what is listed BUCKET?PREFIX.
type Need struct{ Action, Resource string }

func (n Need) String() string { return n.Action + " " + n.Resource }

// Calls remembers what calls needed. The zero value is ready; it may be used by
// many clients at once.
type Calls struct {
	mu      sync.Mutex
	needs   map[Need]bool
	unknown map[string]bool
}

// Option records every call of a client: give it to config.WithAPIOptions.
func (c *Calls) Option() func(*middleware.Stack) error {
	return func(stack *middleware.Stack) error {
		// After the others of this step: service, operation and input are all there.
		return stack.Initialize.Add(middleware.InitializeMiddlewareFunc("picketRecord",
			func(ctx context.Context, in middleware.InitializeInput, next middleware.InitializeHandler) (middleware.InitializeOutput, middleware.Metadata, error) {
				c.add(awsmiddleware.GetServiceID(ctx), awsmiddleware.GetOperationName(ctx), in.Parameters)
				return next.HandleInitialize(ctx, in)
			}), middleware.After)
	}
}

// Needs returns the rights that the calls so far needed, and an error if one of
// them has no row in this package's table.
func (c *Calls) Needs() ([]Need, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.unknown) > 0 {
		return nil, fmt.Errorf("no row for %s in aws/record", strings.Join(slices.Sorted(maps.Keys(c.unknown)), ", "))
	}
	return slices.SortedFunc(maps.Keys(c.needs), func(a, b Need) int { return strings.Compare(a.String(), b.String()) }), nil
}

func (c *Calls) add(service, operation string, input any) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.needs == nil {
		c.needs, c.unknown = map[Need]bool{}, map[string]bool{}
	}
	name := service + "." + operation
	row, ok := operations[name]
	if !ok {
		c.unknown[name] = true
		return
	}
	for _, need := range row(fields{reflect.Indirect(reflect.ValueOf(input))}) {
		c.needs[need] = true
	}
}

// fields reads a call's input by the names of its fields.
type fields struct{ v reflect.Value }

// text returns a field of type *string or string, "" if it is not given.
func (f fields) text(name string) string {
	x := f.v.FieldByName(name)
	if x.IsValid() && x.Kind() == reflect.Pointer && !x.IsNil() {
		x = x.Elem()
	}
	if !x.IsValid() || x.Kind() != reflect.String {
		return ""
	}
	return x.String()
}

// last returns what follows the last slash of a name or an ARN.
func (f fields) last(name string) string {
	s := f.text(name)
	return s[strings.LastIndex(s, "/")+1:]
}

// folders are the prefixes of which two levels tell rights apart.
var folders = []string{"windows/objects/", "labels/verdicts/", "history/baseline/", "history/incidents/"}

// folder cuts a key down to what a policy names.
func folder(key string) string {
	for _, f := range folders {
		if strings.HasPrefix(key, f) {
			return f + "*"
		}
	}
	if first, _, ok := strings.Cut(key, "/"); ok {
		return first + "/*"
	}
	return key
}

func (f fields) object() string { return f.text("Bucket") + "/" + folder(f.text("Key")) }

type row func(fields) []Need

// operations maps each SDK operation to the actions that it needs. The names of
// most actions are the operation's; those of S3 are not.
var operations = map[string]row{
	"S3.GetObject": func(f fields) []Need {
		if f.text("VersionId") != "" {
			return []Need{{"s3:GetObjectVersion", f.object()}}
		}
		return []Need{{"s3:GetObject", f.object()}}
	},
	"S3.HeadObject": func(f fields) []Need { return []Need{{"s3:GetObject", f.object()}} },
	"S3.PutObject": func(f fields) []Need {
		needs := []Need{{"s3:PutObject", f.object()}}
		if f.text("IfMatch") != "" { // S3 compares with what is there
			needs = append(needs, Need{"s3:GetObject", f.object()})
		}
		return needs
	},
	"S3.CreateMultipartUpload":   onObject("s3:PutObject"),
	"S3.UploadPart":              onObject("s3:PutObject"),
	"S3.CompleteMultipartUpload": onObject("s3:PutObject"),
	"S3.AbortMultipartUpload":    onObject("s3:AbortMultipartUpload"),
	"S3.DeleteObject":            onObject("s3:DeleteObject"),
	"S3.ListObjectsV2": func(f fields) []Need {
		return []Need{{"s3:ListBucket", f.text("Bucket") + "?" + folder(f.text("Prefix"))}}
	},

	"SageMaker Runtime.InvokeEndpoint": on("sagemaker:InvokeEndpoint", "endpoint/", "EndpointName"),
	"SageMaker.DescribeModelPackage": func(f fields) []Need {
		name := f.text("ModelPackageName") // arn:…:model-package/GROUP/VERSION
		_, name, _ = strings.Cut(name, "model-package/")
		return []Need{{"sagemaker:DescribeModelPackage", "model-package/" + folder(name)}}
	},
	"SageMaker.CreateModel": func(f fields) []Need {
		return append(made("CreateModel", "model/", f.text("ModelName")), Need{"iam:PassRole", "role/" + f.last("ExecutionRoleArn")})
	},
	"SageMaker.CreateEndpointConfig": func(f fields) []Need {
		return made("CreateEndpointConfig", "endpoint-config/", f.text("EndpointConfigName"))
	},
	"SageMaker.CreateEndpoint": func(f fields) []Need {
		return append(made("CreateEndpoint", "endpoint/", f.text("EndpointName")),
			Need{"sagemaker:CreateEndpoint", "endpoint-config/" + family(f.text("EndpointConfigName"))})
	},
	"SageMaker.UpdateEndpoint": func(f fields) []Need {
		return []Need{{"sagemaker:UpdateEndpoint", "endpoint/" + f.text("EndpointName")},
			{"sagemaker:UpdateEndpoint", "endpoint-config/" + family(f.text("EndpointConfigName"))}}
	},
	"SageMaker.DescribeEndpoint": on("sagemaker:DescribeEndpoint", "endpoint/", "EndpointName"),
	"SageMaker.DescribeModel":    onFamily("sagemaker:DescribeModel", "model/", "ModelName"),
	"SageMaker.DescribeEndpointConfig": onFamily("sagemaker:DescribeEndpointConfig",
		"endpoint-config/", "EndpointConfigName"),
	"SageMaker.DeleteModel":          onFamily("sagemaker:DeleteModel", "model/", "ModelName"),
	"SageMaker.DeleteEndpointConfig": onFamily("sagemaker:DeleteEndpointConfig", "endpoint-config/", "EndpointConfigName"),
	"SageMaker.DeleteEndpoint":       on("sagemaker:DeleteEndpoint", "endpoint/", "EndpointName"),

	"EventBridge.PutEvents":           eventBuses,
	"SecurityHub.BatchImportFindings": fixed("securityhub:BatchImportFindings", "product/default"),
	"CloudWatch.DescribeAlarms":       alarms,
	"Application Auto Scaling.RegisterScalableTarget": fixed("application-autoscaling:RegisterScalableTarget",
		"scalable-target/*"),
	"Application Auto Scaling.PutScalingPolicy": fixed("application-autoscaling:PutScalingPolicy", "scalable-target/*"),
	"STS.GetCallerIdentity":                     func(fields) []Need { return nil }, // needs no right
}

func onObject(action string) row {
	return func(f fields) []Need { return []Need{{action, f.object()}} }
}

func on(action, kind, field string) row {
	return func(f fields) []Need { return []Need{{action, kind + f.text(field)}} }
}

func onFamily(action, kind, field string) row {
	return func(f fields) []Need { return []Need{{action, kind + family(f.text(field))}} }
}

func fixed(action, resource string) row {
	return func(fields) []Need { return []Need{{action, resource}} }
}

// family turns PREFIX-REST into PREFIX-*.
func family(name string) string {
	prefix, _, _ := strings.Cut(name, "-")
	return prefix + "-*"
}

// made are the rights to make something with tags.
func made(operation, kind, name string) []Need {
	if kind != "endpoint/" {
		name = family(name)
	}
	return []Need{{"sagemaker:" + operation, kind + name}, {"sagemaker:AddTags", kind + name}}
}

func eventBuses(f fields) []Need {
	var needs []Need
	entries := f.v.FieldByName("Entries")
	for i := range entries.Len() {
		bus := fields{entries.Index(i)}.last("EventBusName")
		if bus == "" {
			bus = "default"
		}
		needs = append(needs, Need{"events:PutEvents", "event-bus/" + bus})
	}
	return needs
}

func alarms(f fields) []Need {
	var needs []Need
	names := f.v.FieldByName("AlarmNames")
	for i := range names.Len() {
		needs = append(needs, Need{"cloudwatch:DescribeAlarms", "alarm:" + names.Index(i).String()})
	}
	return needs
}
