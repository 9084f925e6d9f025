// Package accounttest is an AWS account at the edge of the network, for tests of
// "picket deploy": calls of CloudFormation, S3, ECR, SageMaker, Lambda, Service Quotas,
// CloudWatch Logs and STS -> what AWS answers.
//
// CloudFormation works out what a template and its parameters change, makes buckets and
// names, keeps what a template retains, and rolls back where a test says that a resource
// fails. Functions are run by the test.
package accounttest

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/google/go-containerregistry/pkg/registry"

	"picket/aws/s3/s3test"
	"picket/aws/sagemaker/sagemakertest"
	"picket/aws/template"
)

// Account is one account in one region.
type Account struct {
	ID, Region string
	URL        string // where all its services are
	S3         *s3test.Server
	SageMaker  *sagemakertest.Server
	// Function answers a function that is invoked, with what it returns or its error.
	Function func(name string, payload []byte) ([]byte, error)
	// Concurrency is the quota of functions that run at once.
	Concurrency int
	// Quotas are those of services by name; a service that is not there refuses to tell.
	Quotas map[string]map[string]float64
	// Prices are what the Price List says, by service and first attribute beside the
	// region, as AWSLambda group=AWS-Lambda-Requests; nil refuses to tell.
	Prices map[string]string
	// Fail says of resources, by logical id, why CloudFormation cannot make or change them.
	Fail map[string]string
	// Logs are the events of log groups.
	Logs map[string][]LogEvent

	images http.Handler
	mu     sync.Mutex
	stacks map[string]*stack
	sets   map[string]*changeSet
	names  map[string]bool // of KMS aliases
	calls  []string
}

// LogEvent is a line in a log group.
type LogEvent struct {
	ID      string `json:"eventId"`
	Time    int64  `json:"timestamp"` // Unix milliseconds
	Message string `json:"message"`
}

// Start serves an empty account; close it.
func Start(region string) (*Account, func()) {
	a := &Account{
		ID: "123456789012", Region: region, S3: s3test.New(), Concurrency: 1000,
		Quotas: map[string]map[string]float64{}, Fail: map[string]string{}, Logs: map[string][]LogEvent{},
		images: registry.New(registry.Logger(log.New(io.Discard, "", 0))),
		stacks: map[string]*stack{}, sets: map[string]*changeSet{}, names: map[string]bool{},
	}
	a.SageMaker = sagemakertest.New(region, a.ID)
	server := httptest.NewServer(a)
	a.URL = server.URL
	return a, server.Close
}

// Environ is what the AWS command line would be told to reach the account.
func (a *Account) Environ() map[string]string {
	return map[string]string{
		"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_SESSION_TOKEN": "", "AWS_PROFILE": "",
		"AWS_REGION": a.Region, "AWS_ENDPOINT_URL": a.URL, "AWS_CONFIG_FILE": "none", "AWS_SHARED_CREDENTIALS_FILE": "none",
	}
}

// Calls returns what was called, as SERVICE:ACTION, where the action is in the request.
func (a *Account) Calls() []string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.Clone(a.calls)
}

// signedFor finds which service a signature is for.
var signedFor = regexp.MustCompile(`Credential=[^/]+/\d+/[^/]+/([^/]+)/`)

// ServeHTTP implements http.Handler.
func (a *Account) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	m := signedFor.FindStringSubmatch(r.Header.Get("Authorization"))
	if m == nil || strings.HasPrefix(r.URL.Path, "/v2/") {
		a.images.ServeHTTP(w, r)
		return
	}
	switch m[1] {
	case "s3":
		a.S3.ServeHTTP(w, r)
		return
	case "sagemaker", "application-autoscaling":
		a.SageMaker.ServeHTTP(w, r)
		return
	}
	body, _ := io.ReadAll(r.Body)
	out := httptest.NewRecorder()
	a.serve(out, r, m[1], body)
	for name, values := range out.Header() {
		w.Header()[name] = values
	}
	w.Header().Set("Content-Length", fmt.Sprint(out.Body.Len()))
	w.WriteHeader(out.Code)
	_, _ = w.Write(out.Body.Bytes()) // who asks has gone
}

func (a *Account) serve(w http.ResponseWriter, r *http.Request, service string, body []byte) {
	form, _ := url.ParseQuery(string(body))
	_, action, _ := strings.Cut(r.Header.Get("X-Amz-Target"), ".")
	a.mu.Lock()
	defer a.mu.Unlock()
	a.calls = append(a.calls, service+":"+form.Get("Action")+action)
	switch service {
	case "sts":
		answer(w, form.Get("Action"), "<Account>"+a.ID+"</Account><Arn>arn:aws:iam::"+a.ID+":user/tester</Arn><UserId>x</UserId>")
	case "cloudformation":
		a.cloudFormation(w, form)
	case "ecr":
		token := base64.StdEncoding.EncodeToString([]byte("AWS:secret"))
		a.json(w, map[string]any{"authorizationData": []any{map[string]any{"authorizationToken": token, "proxyEndpoint": a.URL}}})
	case "servicequotas":
		a.serviceQuotas(w, body)
	case "pricing":
		a.priceList(w, body)
	case "logs":
		a.filterLogs(w, body)
	case "lambda":
		a.lambda(w, r, body)
	default:
		http.Error(w, `{"__type":"UnknownOperationException"}`, http.StatusBadRequest)
	}
}

func (a *Account) json(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/x-amz-json-1.1")
	_ = json.NewEncoder(w).Encode(v) // who asks has gone
}

func (a *Account) lambda(w http.ResponseWriter, r *http.Request, body []byte) {
	name, invoked := strings.CutSuffix(strings.TrimPrefix(r.URL.Path, "/2015-03-31/functions/"), "/invocations")
	switch {
	case strings.HasSuffix(strings.TrimSuffix(r.URL.Path, "/"), "/account-settings"):
		a.json(w, map[string]any{"AccountLimit": map[string]any{"ConcurrentExecutions": a.Concurrency, "UnreservedConcurrentExecutions": a.Concurrency}})
	case invoked && a.Function != nil:
		a.mu.Unlock() // the function asks this account
		out, err := a.Function(name, body)
		a.mu.Lock()
		if err != nil {
			w.Header().Set("X-Amz-Function-Error", "Unhandled")
			out, _ = json.Marshal(map[string]string{"errorMessage": err.Error()})
		}
		_, _ = w.Write(out) // who asks has gone
	default:
		w.Header().Set("X-Amzn-ErrorType", "ResourceNotFoundException")
		http.Error(w, "{}", http.StatusNotFound)
	}
}

func (a *Account) serviceQuotas(w http.ResponseWriter, body []byte) {
	var in struct{ ServiceCode string }
	_ = json.Unmarshal(body, &in) // another body has no service
	known, ok := a.Quotas[in.ServiceCode]
	if !ok {
		w.WriteHeader(http.StatusBadRequest)
		a.json(w, map[string]string{"__type": "AccessDeniedException", "message": "no"})
		return
	}
	rows := []any{}
	for name, value := range known {
		rows = append(rows, map[string]any{"QuotaName": name, "Value": value})
	}
	a.json(w, map[string]any{"Quotas": rows})
}

// priceList answers with a product of two tiers, the first of which is the price.
func (a *Account) priceList(w http.ResponseWriter, body []byte) {
	var in struct {
		ServiceCode string
		Filters     []struct{ Field, Value string }
	}
	if err := json.Unmarshal(body, &in); err != nil || a.Prices == nil {
		w.WriteHeader(http.StatusBadRequest)
		a.json(w, map[string]string{"__type": "AccessDeniedException", "message": "no prices for you"})
		return
	}
	list := []string{}
	if len(in.Filters) > 1 && in.Filters[0].Value == a.Region {
		if usd, ok := a.Prices[in.ServiceCode+" "+in.Filters[1].Field+"="+in.Filters[1].Value]; ok {
			list = append(list, `{"terms":{"OnDemand":{"T":{"priceDimensions":{"T.1":{"beginRange":"0","pricePerUnit":{"USD":"`+usd+
				`"}},"T.2":{"beginRange":"1000","pricePerUnit":{"USD":"0.0000000001"}}}}}}}`)
		}
	}
	a.json(w, map[string]any{"PriceList": list})
}

// filterLogs answers with the events since a time, one a page.
func (a *Account) filterLogs(w http.ResponseWriter, body []byte) {
	var in struct {
		LogGroupName, NextToken string
		StartTime               int64
	}
	_ = json.Unmarshal(body, &in) // another body has no group
	group, ok := a.Logs[in.LogGroupName]
	if !ok {
		w.WriteHeader(http.StatusBadRequest)
		a.json(w, map[string]string{"__type": "ResourceNotFoundException", "message": "no such group"})
		return
	}
	since := slices.DeleteFunc(slices.Clone(group), func(e LogEvent) bool { return e.Time < in.StartTime })
	at := 0
	_, _ = fmt.Sscan(in.NextToken, &at) // the first page has no token
	out := map[string]any{"events": since[min(at, len(since)):min(at+1, len(since))]}
	if at+1 < len(since) {
		out["nextToken"] = fmt.Sprint(at + 1)
	}
	a.json(w, out)
}

// Write adds a line to a log group.
func (a *Account) Write(group string, e LogEvent) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.Logs[group] = append(a.Logs[group], e)
}

// Parameters returns those that a stack was deployed with.
func (a *Account) Parameters(stack string) map[string]string {
	a.mu.Lock()
	defer a.mu.Unlock()
	if s := a.stacks[stack]; s != nil {
		return s.parameters
	}
	return nil
}

// Environment returns the variables of a function that a stack made; nil where there is
// none of that name.
func (a *Account) Environment(function string) map[string]string {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, s := range a.stacks {
		for _, r := range s.resources {
			if r.Type != "AWS::Lambda::Function" || r.Properties["FunctionName"] != function {
				continue
			}
			env := map[string]string{}
			of, _ := r.Properties["Environment"].(map[string]any)
			all, _ := of["Variables"].(map[string]any)
			for k, v := range all {
				env[k] = fmt.Sprint(v)
			}
			return env
		}
	}
	return nil
}

// Status returns a stack's status, "" where there is none.
func (a *Account) Status(stack string) string {
	a.mu.Lock()
	defer a.mu.Unlock()
	if s := a.stacks[stack]; s != nil {
		return s.status
	}
	return ""
}

func (a *Account) templates() template.Account {
	return template.Account{Partition: "aws", Region: a.Region, ID: a.ID}
}
