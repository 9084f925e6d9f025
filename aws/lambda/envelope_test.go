package lambda

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// s3Record is a record of an S3 notification: keys are encoded as forms are.
func s3Record(key string) string {
	return fmt.Sprintf(`{"eventVersion":"2.1","eventSource":"aws:s3","eventName":"ObjectCreated:Put","s3":{"bucket":{"name":"b"},
		"object":{"key":%q,"size":7,"eTag":"e","versionId":"v","sequencer":"0A"}}}`, key)
}

func quoted(text string) string {
	q, _ := json.Marshal(text)
	return string(q)
}

func records(list ...string) string { return `{"Records":[` + strings.Join(list, ",") + `]}` }

func sqs(id, body string) string {
	return fmt.Sprintf(`{"messageId":%q,"eventSource":"aws:sqs","body":%s,"attributes":{"AWSTraceHeader":"Root=1"}}`, id, quoted(body))
}

func sns(message string) string {
	return fmt.Sprintf(`{"EventSource":"aws:sns","EventVersion":"1.0","Sns":{"Type":"Notification","Message":%s}}`, quoted(message))
}

func bridge(key string) string {
	return fmt.Sprintf(`{"version":"0","detail-type":"Object Created","source":"aws.s3","detail":{"bucket":{"name":"b"},
		"object":{"key":%q,"size":7,"etag":"e","version-id":"v","sequencer":"0A"}}}`, key)
}

// TestEnvelopes: whatever an object is told in, and however deep.
func TestEnvelopes(t *testing.T) {
	f := func(payload string, want ...string) {
		t.Helper()
		var got []string
		for _, m := range unwrap([]byte(payload)) {
			switch {
			case m.err != nil:
				got = append(got, m.id+" fails")
			case len(m.notices) == 0:
				got = append(got, m.id+" says nothing")
			}
			for _, n := range m.notices {
				if n.object == nil {
					got = append(got, m.id+" "+string(n.event))
				} else if o := *n.object; o != (object{"b", o.Key, "v", "e", "0A", 7}) {
					got = append(got, fmt.Sprintf("%+v", o))
				} else {
					got = append(got, m.id+" "+o.Key)
				}
			}
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("%s:\n%s", payload, d)
		}
	}
	f(records(s3Record("raw/a")), " raw/a")
	f(records(s3Record("raw/a+b%2Bc%C3%A9.log"), s3Record("raw/d")), " raw/a b+cé.log", " raw/d")
	f(bridge("raw/a+b%2Bc.log"), " raw/a+b%2Bc.log") // EventBridge does not encode
	f(records(sqs("1", bridge("x")), sqs("2", records(s3Record("y"), s3Record("z")))), "1 x", "2 y", "2 z")
	f(records(sns(records(s3Record("x"))), sns(bridge("y"))), " x", " y")
	f(records(sqs("1", `{"Type":"Notification","MessageId":"m","TopicArn":"t","Message":`+quoted(records(s3Record("x")))+`}`)), "1 x")
	f(records(sqs("1", records(sns(records(s3Record("x")))))), "1 x")
	f(`[`+bridge("x")+`,`+sqs("1", bridge("y"))+`]`, " x", " y")
	f(`{"Service":"Amazon S3","Event":"s3:TestEvent","Bucket":"b"}`, " says nothing")
	f(records(sqs("1", `{"Service":"Amazon S3","Event":"s3:TestEvent","Bucket":"b"}`)), "1 says nothing")
	f(records(strings.Replace(s3Record("x"), "ObjectCreated:Put", "ObjectRemoved:Delete", 1)), " says nothing")
	f(records(strings.Replace(s3Record("x"), "ObjectCreated:Put", "s3:ObjectCreated:CompleteMultipartUpload", 1)), " x")
	f(strings.Replace(bridge("x"), "Object Created", "Object Deleted", 1), " says nothing")
	f(records(sqs("1", `{"final":true}`)), `1 {"final":true}`)
	f(`{"drift":true}`, ` {"drift":true}`)
	model := `{"source":"aws.sagemaker","detail-type":"SageMaker Model Package State Change","detail":{"ModelApprovalStatus":"Approved"}}`
	f(model, " "+model)
	// One message that says nothing that is known does not take the others with it.
	f(records(sqs("1", "rubbish"), sqs("2", bridge("x")), sqs("3", `{"a":1}`), sqs("4", records(s3Record("%zz")))), "1 fails", "2 x", "3 fails", "4 fails")
	for _, bad := range []string{"", "null", "7", `"x"`, `{}`, `[`, `{"Records":[7]}`, records(`{"eventSource":"aws:kinesis"}`), strings.Repeat("[", 20) + strings.Repeat("]", 20),
		`{"source":"aws.s3","detail-type":"Object Created","detail":{}}`} {
		f(bad, " fails")
	}
	if _, err := open([]byte(`{"a":1}`), 0); !errors.Is(err, errEnvelope) {
		t.Error(err)
	}
}

// FuzzEnvelope: any bytes give messages, each with what it says or why not.
func FuzzEnvelope(f *testing.F) {
	for _, seed := range []string{records(sqs("1", bridge("x"))), records(sns(records(s3Record("x")))), `{"final":true}`, `[[`, "null"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, payload []byte) {
		messages := unwrap(payload)
		if len(messages) == 0 {
			t.Fatal("nobody answers for it")
		}
		for _, m := range messages {
			for _, n := range m.notices {
				if n.object == nil && n.event == nil || n.object != nil && (n.object.Key == "" || n.object.Bucket == "") {
					t.Fatalf("%+v", n)
				}
			}
		}
	})
}
