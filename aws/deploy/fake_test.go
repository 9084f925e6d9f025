package deploy

import (
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
)

func recordPuts(h http.Handler, puts *int) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPut {
			*puts++
		}
		h.ServeHTTP(w, r)
	})
}

// failure wants an error that says what to try.
func failure(t *testing.T, err error) Failure {
	t.Helper()
	var f Failure
	if !errors.As(err, &f) || f.Try == "" {
		t.Fatalf("error %v: no word on what to try", err)
	}
	return f
}

// fakeCFN is CloudFormation's API at the HTTP edge, as far as a deployment uses it,
// for what no emulator does as AWS does: failures, rollbacks, states left behind.
type fakeCFN struct {
	mu     sync.Mutex
	status string            // of the one stack; "" is none
	after  []string          // statuses that follow when a change set is executed or the stack deleted
	events []fakeEvent       // oldest first
	later  []fakeEvent       // that come with the execution
	change string            // status and reason of the next change set: "FAILED|reason"
	items  []string          // of the change set: "Add|ID|Type"
	params map[string]string // of the last change set
	calls  []string
	deny   string // action that is refused
}

type fakeEvent struct{ id, status, reason string }

const stackARN = "arn:aws:cloudformation:eu-west-1:123456789012:stack/picket/1"

func (f *fakeCFN) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	body, _ := io.ReadAll(r.Body)
	form, _ := url.ParseQuery(string(body))
	action := form.Get("Action")
	f.calls = append(f.calls, action)
	if action == f.deny {
		fail(w, 403, "AccessDenied", "User: arn:aws:iam::123456789012:user/eve is not authorized to perform: cloudformation:"+action+" on resource: "+stackARN+" because no identity-based policy allows the cloudformation:"+action+" action")
		return
	}
	switch action {
	case "DescribeStacks":
		if len(f.after) > 0 && strings.HasSuffix(f.status, "_IN_PROGRESS") && f.status != "REVIEW_IN_PROGRESS" {
			f.status, f.after = f.after[0], f.after[1:]
		}
		if f.status == "" {
			fail(w, 400, "ValidationError", "Stack with id picket does not exist")
			return
		}
		answer(w, action, fmt.Sprintf("<Stacks><member><StackName>picket</StackName><StackId>%s</StackId><StackStatus>%s</StackStatus><CreationTime>2026-01-01T00:00:00Z</CreationTime></member></Stacks>", stackARN, f.status))
	case "CreateChangeSet":
		f.params = map[string]string{}
		for i := 1; form.Has(fmt.Sprintf("Parameters.member.%d.ParameterKey", i)); i++ {
			f.params[form.Get(fmt.Sprintf("Parameters.member.%d.ParameterKey", i))] = form.Get(fmt.Sprintf("Parameters.member.%d.ParameterValue", i))
		}
		if f.status == "" {
			f.status = "REVIEW_IN_PROGRESS"
		}
		answer(w, action, "<Id>arn:changeset</Id><StackId>"+stackARN+"</StackId>")
	case "DescribeChangeSet":
		status, reason, _ := strings.Cut(f.change, "|")
		var changes strings.Builder
		for _, i := range f.items {
			p := strings.Split(i, "|")
			fmt.Fprintf(&changes, "<member><Type>Resource</Type><ResourceChange><Action>%s</Action><LogicalResourceId>%s</LogicalResourceId><ResourceType>%s</ResourceType></ResourceChange></member>", p[0], p[1], p[2])
		}
		answer(w, action, fmt.Sprintf("<Status>%s</Status><StatusReason>%s</StatusReason><Changes>%s</Changes>", status, escaped(reason), changes.String()))
	case "ExecuteChangeSet":
		f.status = "UPDATE_IN_PROGRESS"
		f.events = append(f.events, f.later...)
		answer(w, action, "")
	case "DeleteStack":
		f.status = "DELETE_IN_PROGRESS"
		f.events = append(f.events, f.later...)
		answer(w, action, "")
	case "DescribeStackEvents":
		var all strings.Builder
		for i := len(f.events) - 1; i >= 0; i-- {
			e := f.events[i]
			fmt.Fprintf(&all, "<member><EventId>%d</EventId><StackId>%s</StackId><StackName>picket</StackName><LogicalResourceId>%s</LogicalResourceId><ResourceType>AWS::X::Y</ResourceType><ResourceStatus>%s</ResourceStatus><ResourceStatusReason>%s</ResourceStatusReason><Timestamp>2026-01-01T00:00:00Z</Timestamp></member>", i, stackARN, e.id, e.status, escaped(e.reason))
		}
		answer(w, action, "<StackEvents>"+all.String()+"</StackEvents>")
	default:
		answer(w, action, "")
	}
}

func escaped(s string) string {
	var b strings.Builder
	xml.EscapeText(&b, []byte(s))
	return b.String()
}

func answer(w http.ResponseWriter, action, inner string) {
	fmt.Fprintf(w, `<%sResponse xmlns="http://cloudformation.amazonaws.com/doc/2010-05-15/"><%sResult>%s</%sResult></%sResponse>`, action, action, inner, action, action)
}

func fail(w http.ResponseWriter, status int, code, message string) {
	w.WriteHeader(status)
	fmt.Fprintf(w, `<ErrorResponse xmlns="http://cloudformation.amazonaws.com/doc/2010-05-15/"><Error><Type>Sender</Type><Code>%s</Code><Message>%s</Message></Error></ErrorResponse>`, code, escaped(message))
}

// config is of an account at a server on loopback.
func config(server *httptest.Server) aws.Config {
	return aws.Config{
		Region: "eu-west-1", BaseEndpoint: &server.URL, RetryMaxAttempts: 1,
		Credentials: credentials.NewStaticCredentialsProvider("id", "secret", ""),
	}
}

// stacks are those of a fake CloudFormation, by a clock that moves when it is waited for.
func (f *fakeCFN) stacks(t *testing.T, told *[]Event) stacks {
	t.Helper()
	server := httptest.NewServer(f)
	t.Cleanup(server.Close)
	now := time.Unix(1_800_000_000, 0)
	return stacks{
		api: cloudformation.NewFromConfig(config(server)),
		now: func() time.Time { return now },
		wait: func(ctx context.Context, d time.Duration) error {
			now = now.Add(d)
			return ctx.Err()
		},
		report: func(e Event) { *told = append(*told, e) },
	}
}
