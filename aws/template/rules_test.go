package template

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// starts returns which functions and pipelines an object under a key of the data
// bucket starts: rule by rule, through the queue that it fills.
func starts(stack map[string]Resource, bucket, key string) []string {
	var all []string
	for _, id := range sortedKeys(stack) {
		res := stack[id]
		if res.Type != "AWS::Events::Rule" || !matches(res, bucket, key) {
			continue
		}
		for _, target := range anyList(res.Properties["Targets"]) {
			all = append(all, workers(stack, text(target.(map[string]any)["Arn"]))...)
		}
	}
	return all
}

// matches evaluates the pattern of a rule for S3's event Object Created.
func matches(rule Resource, bucket, key string) bool {
	pattern, _ := rule.Properties["EventPattern"].(map[string]any)
	if !slices.Contains(texts(pattern["source"]), "aws.s3") {
		return false
	}
	detail := pattern["detail"].(map[string]any)
	if !slices.Contains(texts(detail["bucket"].(map[string]any)["name"]), bucket) {
		return false
	}
	for _, test := range anyList(detail["object"].(map[string]any)["key"]) {
		switch test := test.(type) {
		case string:
			if test == key {
				return true
			}
		case map[string]any:
			if prefix, ok := test["prefix"].(string); ok && strings.HasPrefix(key, prefix) || test["exists"] == true {
				return true
			}
		}
	}
	return false
}

// workers returns the functions that a target is, or that take from the queue
// that it is; a pipeline stands for itself.
func workers(stack map[string]Resource, target string) []string {
	var all []string
	for _, res := range stack {
		if res.Type == "AWS::Lambda::EventSourceMapping" && text(res.Properties["EventSourceArn"]) == target {
			all = append(all, text(res.Properties["FunctionName"]))
		}
	}
	if all == nil {
		all = []string{target[strings.LastIndexAny(target, ":/")+1:]}
	}
	return all
}

// writes returns the prefixes of the data bucket that a role may put objects under.
func writes(all []Statement, role string) []string {
	var prefixes []string
	for _, st := range all {
		if st.Owner != role || st.Kind != Identity || !slices.Contains(st.Actions, "s3:PutObject") {
			continue
		}
		for _, res := range st.Resources {
			prefixes = append(prefixes, strings.TrimSuffix(strings.TrimPrefix(short(res), "DATA/"), "*"))
		}
	}
	return prefixes
}

// No key that a function may write starts it again, at once or by way of others,
// and none that a step of the pipeline may write starts anything.
func TestNoCircle(t *testing.T) {
	for name, p := range ways() {
		base, ml := resolved(t, p)
		resources := map[string]Resource{}
		for _, stack := range []*Stack{base, ml} {
			for id, res := range stack.Resources {
				resources[id] = res
			}
		}
		bucket := text(base.Resources["DataBucket"].Properties["BucketName"])
		all := statements(t, p)
		follow := map[string][]string{}
		for _, role := range []string{"picket-ingest", "picket-close", "picket-detect", "picket-deploy-model", "picket-processing", "picket-training", "picket-endpoint"} {
			for _, prefix := range writes(all, role) {
				follow[role] = append(follow[role], starts(resources, bucket, prefix+"x")...)
			}
		}
		if got, want := fmt.Sprint(follow["picket-ingest"], follow["picket-close"], follow["picket-detect"]), "[picket-close] [picket-detect] []"; got != want {
			t.Errorf("%s: ingest, close, detect start %s, want %s", name, got, want)
		}
		for role := range follow {
			if circle := reach(follow, role, role, nil); circle != nil {
				t.Errorf("%s: %s starts itself: %v", name, role, circle)
			}
		}
		for _, role := range []string{"picket-processing", "picket-training", "picket-endpoint", "picket-deploy-model"} {
			if len(follow[role]) > 0 {
				t.Errorf("%s: what %s writes starts %v", name, role, follow[role])
			}
		}
	}
}

// reach returns a way from one function to another, nil if there is none.
func reach(follow map[string][]string, from, to string, way []string) []string {
	for _, next := range follow[from] {
		switch {
		case next == to:
			return append(way, next)
		case slices.Contains(way, next):
			continue
		}
		if found := reach(follow, next, to, append(slices.Clone(way), next)); found != nil {
			return found
		}
	}
	return nil
}

// A raw object starts ingest and nothing else, wherever raw logs are.
func TestRawStartsIngest(t *testing.T) {
	for _, c := range []struct {
		p           Params
		bucket, key string
		want        string
	}{
		{least(), "picket-data-111122223333-us-east-1", "raw/AWSLogs/1/vpc.gz", "[picket-ingest]"},
		{least(), "picket-data-111122223333-us-east-1", "rawest/vpc.gz", "[]"},
		{least(), "another-bucket", "raw/vpc.gz", "[]"},
		{full(), "logs-of-others", "any/where.gz", "[picket-ingest]"},
		{full(), "picket-data-111122223333-us-east-1", "raw/vpc.gz", "[]"},
		{least(), "picket-data-111122223333-us-east-1", "windows/objects/a/b.json", "[]"},
	} {
		base, _ := resolved(t, c.p)
		if got := fmt.Sprint(starts(base.Resources, c.bucket, c.key)); got != c.want {
			t.Errorf("%s/%s starts %s, want %s", c.bucket, c.key, got, c.want)
		}
	}
}

// Queues hold a message for six times as long as their function may work, as
// Lambda asks, and give up into a dead-letter queue of their own.
func TestQueues(t *testing.T) {
	base, _ := resolved(t, full())
	mapped := 0
	for _, res := range base.Resources {
		if res.Type != "AWS::Lambda::EventSourceMapping" {
			continue
		}
		mapped++
		if got := texts(res.Properties["FunctionResponseTypes"]); !slices.Equal(got, []string{"ReportBatchItemFailures"}) {
			t.Errorf("%v: response types %v", res.Properties["FunctionName"], got)
		}
		name := text(res.Properties["FunctionName"])
		var queue, function map[string]any
		for _, r := range base.Resources {
			switch {
			case r.Type == "AWS::SQS::Queue" && text(r.Properties["QueueName"]) == name:
				queue = r.Properties
			case r.Type == "AWS::Lambda::Function" && text(r.Properties["FunctionName"]) == name:
				function = r.Properties
			}
		}
		if fmt.Sprint(queue["VisibilityTimeout"]) == "" || number(queue["VisibilityTimeout"]) < 6*number(function["Timeout"]) {
			t.Errorf("%s: visible again after %v, works for %v", name, queue["VisibilityTimeout"], function["Timeout"])
		}
		redrive, _ := queue["RedrivePolicy"].(map[string]any)
		if !strings.HasSuffix(text(redrive["deadLetterTargetArn"]), ":"+name+"-dead") {
			t.Errorf("%s: gives up into %v", name, redrive["deadLetterTargetArn"])
		}
	}
	if mapped != 3 {
		t.Errorf("%d event source mappings", mapped)
	}
}

func number(v any) float64 {
	var f float64
	fmt.Sscan(fmt.Sprint(v), &f)
	return f
}

// Everything that takes the customer's key has it, and nothing secret stands in
// a function's variables.
func TestEncrypted(t *testing.T) {
	base, ml := resolved(t, full())
	key := "arn:aws:kms:us-east-1:111122223333:key/" + keyID
	where := map[string]string{"AWS::SQS::Queue": "KmsMasterKeyId", "AWS::SNS::Topic": "KmsMasterKeyId", "AWS::Logs::LogGroup": "KmsKeyId", "AWS::Lambda::Function": "KmsKeyArn"}
	seen := 0
	for _, stack := range []*Stack{base, ml} {
		for id, res := range stack.Resources {
			property, takes := where[res.Type]
			if !takes {
				continue
			}
			seen++
			if got := text(res.Properties[property]); got != key {
				t.Errorf("%s: %s is %q", id, property, got)
			}
			environment, _ := res.Properties["Environment"].(map[string]any)
			variables, _ := environment["Variables"].(map[string]any)
			for name := range variables {
				if !strings.HasPrefix(name, "PICKET_") || strings.Contains(name, "SECRET") || strings.Contains(name, "TOKEN") || strings.Contains(name, "PASSWORD") {
					t.Errorf("%s: variable %s", id, name)
				}
			}
		}
	}
	if seen < 15 {
		t.Errorf("%d resources that take a key: the walk is broken", seen)
	}
	bucket := fmt.Sprint(base.Resources["DataBucket"].Properties["BucketEncryption"])
	if !strings.Contains(bucket, key) || !strings.Contains(bucket, "BucketKeyEnabled:true") {
		t.Errorf("bucket: %s", bucket)
	}
}
