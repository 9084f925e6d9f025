package deploy

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	cwtypes "github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/sagemaker"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	sqstypes "github.com/aws/aws-sdk-go-v2/service/sqs/types"
)

// Status is how an installation is.
type Status struct {
	Names
	Stacks    []StackStatus    `json:"stacks"`
	Functions []FunctionStatus `json:"functions"`
	Queues    []QueueStatus    `json:"queues"`
	Endpoint  string           `json:"endpoint,omitempty"` // InService, Updating, …; "" where there is none
	Live      string           `json:"live,omitempty"`     // id of the model package that scores
	Alarms    []string         `json:"alarms"`             // that ring
	Findings  int              `json:"findings_today"`     // events of findings of this UTC day
	Unknown   []string         `json:"unknown,omitempty"`  // what could not be asked for, and why
}

// StackStatus is a stack and its state; "" where it is not there.
type StackStatus struct {
	Name    string    `json:"name"`
	Status  string    `json:"status"`
	Reason  string    `json:"reason,omitempty"`
	Changed time.Time `json:"changed,omitzero"`
}

// FunctionStatus is a function and what it runs.
type FunctionStatus struct {
	Name     string `json:"name"`
	State    string `json:"state"`
	Arch     string `json:"arch"`
	Code     string `json:"code"` // SHA-256 of its archive, base64
	Modified string `json:"modified"`
}

// QueueStatus is a queue and its dead letters.
type QueueStatus struct {
	Name    string `json:"name"`
	Waiting int    `json:"waiting"`
	Taken   int    `json:"taken"` // by a function, not done yet
	Dead    int    `json:"dead"`
}

// Well reports whether nothing rings, nothing is dead and every stack is whole.
func (s *Status) Well() bool {
	for _, st := range s.Stacks {
		if st.Status != "" && !strings.HasSuffix(st.Status, "_COMPLETE") || strings.Contains(st.Status, "ROLLBACK") {
			return false
		}
	}
	return len(s.Alarms) == 0 && !slices.ContainsFunc(s.Queues, func(q QueueStatus) bool { return q.Dead > 0 })
}

// Status looks at everything; what may not be looked at is named in Unknown.
func (a *Account) Status(ctx context.Context) (*Status, error) {
	s := &Status{Names: a.Names, Alarms: []string{}}
	for _, name := range []string{a.BaseStack(), a.MLStack()} {
		have, err := a.stacks(nil).describe(ctx, name)
		if err != nil {
			return nil, err
		}
		st := StackStatus{Name: name}
		if have != nil {
			st.Status, st.Reason, st.Changed = string(have.StackStatus), aws.ToString(have.StackStatusReason), aws.ToTime(have.CreationTime)
			if have.LastUpdatedTime != nil {
				st.Changed = *have.LastUpdatedTime
			}
		}
		s.Stacks = append(s.Stacks, st)
	}
	if s.Stacks[0].Status == "" {
		return nil, Failure{fmt.Errorf("no stack %s in %s", a.BaseStack(), a.Region), tryDeploy}
	}
	for what, look := range map[string]func(context.Context, *Status) error{
		"functions": a.functionStatus, "queues": a.queueStatus, "endpoint": a.endpointStatus,
		"live model": a.liveStatus, "alarms": a.alarmStatus, "findings": a.findingStatus,
	} {
		if err := look(ctx, s); err != nil {
			if ctx.Err() != nil {
				return nil, err
			}
			s.Unknown = append(s.Unknown, fmt.Sprintf("%s: %v", what, err))
		}
	}
	slices.Sort(s.Unknown)
	return s, nil
}

func (a *Account) functionStatus(ctx context.Context, s *Status) error {
	for _, verb := range Functions() {
		name := a.Function(verb)
		out, err := a.lambda.GetFunctionConfiguration(ctx, &lambda.GetFunctionConfigurationInput{FunctionName: &name})
		if notFound(err) {
			s.Functions = append(s.Functions, FunctionStatus{Name: name, State: "missing"})
			continue
		}
		if err != nil {
			return err
		}
		f := FunctionStatus{Name: name, State: string(out.State), Code: aws.ToString(out.CodeSha256), Modified: aws.ToString(out.LastModified)}
		if len(out.Architectures) > 0 {
			f.Arch = string(out.Architectures[0])
		}
		s.Functions = append(s.Functions, f)
	}
	return nil
}

func (a *Account) queueStatus(ctx context.Context, s *Status) error {
	for _, verb := range Queues() {
		q := QueueStatus{Name: a.Queue(verb)}
		var err error
		if q.Waiting, q.Taken, err = a.depth(ctx, a.Queue(verb)); err != nil {
			return err
		}
		if q.Dead, _, err = a.depth(ctx, a.DeadQueue(verb)); err != nil {
			return err
		}
		s.Queues = append(s.Queues, q)
	}
	return nil
}

// depth returns how many messages wait in a queue, delayed ones too, and how many are
// being worked on. SQS counts them nearly, not exactly.
func (a *Account) depth(ctx context.Context, queue string) (waiting, taken int, err error) {
	url, err := a.queueURL(ctx, queue)
	if err != nil {
		return 0, 0, err
	}
	out, err := a.sqs.GetQueueAttributes(ctx, &sqs.GetQueueAttributesInput{QueueUrl: &url, AttributeNames: []sqstypes.QueueAttributeName{
		sqstypes.QueueAttributeNameApproximateNumberOfMessages, sqstypes.QueueAttributeNameApproximateNumberOfMessagesDelayed, sqstypes.QueueAttributeNameApproximateNumberOfMessagesNotVisible}})
	if err != nil {
		return 0, 0, explain("look at queue "+queue, err)
	}
	n := func(name sqstypes.QueueAttributeName) int {
		v, _ := strconv.Atoi(out.Attributes[string(name)])
		return v
	}
	return n(sqstypes.QueueAttributeNameApproximateNumberOfMessages) + n(sqstypes.QueueAttributeNameApproximateNumberOfMessagesDelayed), n(sqstypes.QueueAttributeNameApproximateNumberOfMessagesNotVisible), nil
}

func (a *Account) queueURL(ctx context.Context, queue string) (string, error) {
	out, err := a.sqs.GetQueueUrl(ctx, &sqs.GetQueueUrlInput{QueueName: &queue})
	if err != nil {
		return "", explain("look for queue "+queue, err)
	}
	return aws.ToString(out.QueueUrl), nil
}

func (a *Account) endpointStatus(ctx context.Context, s *Status) error {
	name := a.Endpoint()
	out, err := a.maker.DescribeEndpoint(ctx, &sagemaker.DescribeEndpointInput{EndpointName: &name})
	if gone(err) {
		return nil
	}
	if err != nil {
		return err
	}
	s.Endpoint = string(out.EndpointStatus)
	return nil
}

// liveStatus reads which model is live from the registry in the bucket.
func (a *Account) liveStatus(ctx context.Context, s *Status) error {
	stages, err := a.stages(ctx)
	s.Live = stages.Live
	return err
}

// stagesKey is the registry of models, put by the deploy-model function.
const stagesKey = "models/stages.json"

type stagesFile struct {
	Live     string `json:"live"`
	Approved string `json:"approved"`
	Previous string `json:"previous"`
}

func (a *Account) stages(ctx context.Context) (stagesFile, error) {
	var stages stagesFile
	body, err := a.read(ctx, stagesKey)
	if notFound(err) {
		return stages, nil
	}
	if err != nil {
		return stages, err
	}
	return stages, json.Unmarshal(body, &stages)
}

// read returns an object of the data bucket, whole.
func (a *Account) read(ctx context.Context, key string) ([]byte, error) {
	bucket := a.DataBucket()
	out, err := a.s3.GetObject(ctx, &s3.GetObjectInput{Bucket: &bucket, Key: &key})
	if err != nil {
		return nil, explain("read "+key, err)
	}
	defer out.Body.Close()
	return io.ReadAll(out.Body)
}

func (a *Account) alarmStatus(ctx context.Context, s *Status) error {
	return pages(func(token *string) (*string, error) {
		page, err := a.alarms.DescribeAlarms(ctx, &cloudwatch.DescribeAlarmsInput{AlarmNamePrefix: aws.String(a.Prefix + "-"), StateValue: cwtypes.StateValueAlarm, NextToken: token})
		if err != nil {
			return nil, explain("look at the alarms", err)
		}
		for _, alarm := range page.MetricAlarms {
			s.Alarms = append(s.Alarms, aws.ToString(alarm.AlarmName))
		}
		for _, alarm := range page.CompositeAlarms {
			s.Alarms = append(s.Alarms, aws.ToString(alarm.AlarmName))
		}
		return page.NextToken, nil
	})
}

func (a *Account) findingStatus(ctx context.Context, s *Status) error {
	return a.list(ctx, findingsOn(a.Now()), func(string, time.Time) error { s.Findings++; return nil })
}

// findingsOn is where the data bucket keeps the findings of a day.
func findingsOn(t time.Time) string { return "findings/" + t.UTC().Format(time.DateOnly) + "/" }

// list visits the keys of the data bucket below a prefix.
func (a *Account) list(ctx context.Context, prefix string, visit func(key string, modified time.Time) error) error {
	bucket := a.DataBucket()
	return pages(func(token *string) (*string, error) {
		page, err := a.s3.ListObjectsV2(ctx, &s3.ListObjectsV2Input{Bucket: &bucket, Prefix: &prefix, ContinuationToken: token})
		if err != nil {
			return nil, explain("list "+prefix, err)
		}
		for _, o := range page.Contents {
			if err := visit(aws.ToString(o.Key), aws.ToTime(o.LastModified)); err != nil {
				return nil, err
			}
		}
		return page.NextContinuationToken, nil
	})
}
