package lambda_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/lambdacontext"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/smithy-go/middleware"

	"picket"
	"picket/aws/lambda"
	"picket/aws/record"
	"picket/aws/s3"
	"picket/aws/s3/s3test"
	"picket/pipeline"
	"picket/pipeline/train"
	"picket/server"
	"picket/store"
)

const (
	dataBucket = "picket-data-1-eu-north-1"
	logs       = "../../testdata/logs/"
)

// noon is when everything in these tests happens: names.txt has no times of its own.
var noon = time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)

func clock() time.Time { return noon }

// world is an account on this machine: S3, EventBridge, Security Hub and an
// endpoint at the edge of the network, queues between them, and the functions.
type world struct {
	request   atomic.Pointer[func()] // called for each request to S3, if there is one
	t         *testing.T
	s3        *s3test.Server
	log       bytes.Buffer
	functions map[string]*lambda.Function
	calls     map[string]*record.Calls
	settings  lambda.Settings
	pkg       *train.Package

	mu     sync.Mutex
	queues map[string][]string // bodies of messages by verb
	told   []string            // details of the events on the bus
	hub    []map[string]any    // findings that Security Hub took
	asked  int                 // rows of the endpoint
}

// newWorld starts everything. The model of cmd/picket is live.
func newWorld(t *testing.T, change func(*lambda.Settings)) *world {
	t.Helper()
	w := &world{t: t, s3: s3test.New(dataBucket, "logs"), functions: map[string]*lambda.Function{}, calls: map[string]*record.Calls{}, queues: map[string][]string{}}
	w.s3.Now = clock
	w.s3.Put = w.put
	w.s3.Fault = func(*http.Request) (int, string, bool) {
		if f := w.request.Load(); f != nil {
			(*f)()
		}
		return 0, "", false
	}
	w.pkg = defaultPackage(t)
	t.Setenv("AWS_ACCESS_KEY_ID", "test")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "test")
	t.Setenv("AWS_CONFIG_FILE", "none")
	t.Setenv("AWS_SHARED_CREDENTIALS_FILE", "none")
	for service, h := range map[string]http.Handler{
		"S3": w.s3, "EVENTBRIDGE": http.HandlerFunc(w.bus), "SECURITYHUB": http.HandlerFunc(w.securityHub), "SAGEMAKER_RUNTIME": w.endpoint(),
	} {
		web := httptest.NewServer(h)
		t.Cleanup(web.Close)
		t.Setenv("AWS_ENDPOINT_URL_"+service, web.URL)
	}
	w.settings = lambda.Settings{
		Bucket: dataBucket, KMSKey: "arn:aws:kms:eu-north-1:1:key/k", Scorer: lambda.ScorerLambda, Endpoint: "picket", EventBus: "default",
		SecurityHub: true, Pipeline: pipeline.Default(), MemoryMB: 512, Architecture: "arm64", Version: "test", TempDir: t.TempDir(),
	}
	if change != nil {
		change(&w.settings)
	}
	w.register()
	for _, verb := range []string{lambda.VerbIngest, lambda.VerbClose, lambda.VerbDetect} {
		w.start(verb)
	}
	return w
}

func (w *world) cfg(calls *record.Calls) aws.Config {
	w.t.Helper()
	cfg, err := config.LoadDefaultConfig(w.t.Context(), config.WithRegion("eu-north-1"), config.WithAPIOptions(
		[]func(*middleware.Stack) error{calls.Option()}))
	if err != nil {
		w.t.Fatal(err)
	}
	return cfg
}

// start makes a function anew, as Lambda does for another process.
func (w *world) start(verb string) {
	if w.calls[verb] == nil {
		w.calls[verb] = &record.Calls{}
	}
	s := w.settings
	s.Verb = verb
	w.functions[verb] = lambda.New(s, w.cfg(w.calls[verb]), &w.log, clock)
}

func defaultPackage(t *testing.T) *train.Package {
	t.Helper()
	f, err := os.Open("../../cmd/picket/default/model.zip")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	pkg, err := train.ReadPackage(f)
	if err != nil {
		t.Fatal(err)
	}
	return pkg
}

// register makes the package live, as "picket deploy" does.
func (w *world) register() {
	w.t.Helper()
	cfg := w.cfg(&record.Calls{})
	p := pipeline.New(w.settings.Pipeline, pipeline.Deps{Bucket: s3.New(s3.NewClient(cfg, ""), s3.Options{Name: dataBucket}), Now: clock})
	if err := p.PutModel(w.t.Context(), w.pkg); err != nil {
		w.t.Fatal(err)
	}
	_, err := p.ChangeStages(w.t.Context(), func(s train.Stages) (train.Stages, error) {
		s.Live = w.pkg.Model.ID
		return s, nil
	})
	if err != nil {
		w.t.Fatal(err)
	}
}

// put is EventBridge's rules: which queue hears of which object.
func (w *world) put(e s3test.Event) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for prefix, verb := range map[string]string{picket.RawPrefix: lambda.VerbIngest, picket.DuePrefix: lambda.VerbClose, picket.FeaturesPrefix: lambda.VerbDetect} {
		if strings.HasPrefix(e.Key, prefix) {
			w.queues[verb] = append(w.queues[verb], eventOf(e))
		}
	}
}

func eventOf(e s3test.Event) string {
	body, _ := json.Marshal(map[string]any{
		"version": "0", "id": e.Sequencer, "detail-type": "Object Created", "source": "aws.s3", "time": e.Time,
		"detail": map[string]any{
			"bucket": map[string]any{"name": e.Bucket},
			"object": map[string]any{"key": e.Key, "size": e.Size, "etag": e.ETag, "version-id": e.Version, "sequencer": e.Sequencer},
		},
	})
	return string(body)
}

// take empties a queue.
func (w *world) take(verb string) []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	all := w.queues[verb]
	w.queues[verb] = nil
	return all
}

// deliver hands bodies to a function as one batch and returns those that it gives
// back.
func (w *world) deliver(ctx context.Context, verb string, bodies []string) []string {
	w.t.Helper()
	var records []map[string]any
	for i, body := range bodies {
		records = append(records, map[string]any{
			"messageId": fmt.Sprint(i), "eventSource": "aws:sqs", "body": body, "attributes": map[string]string{"AWSTraceHeader": "Root=1-5759e988-bd862e3fe1be46a994272793"},
		})
	}
	payload, _ := json.Marshal(map[string]any{"Records": records})
	answer, err := w.functions[verb].Invoke(lambdacontext.NewContext(ctx, &lambdacontext.LambdaContext{
		AwsRequestID: "11111111-2222-3333-4444-555555555555", InvokedFunctionArn: "arn:aws:lambda:eu-north-1:123456789012:function:picket-" + verb,
	}), payload)
	if err != nil {
		w.t.Fatalf("%s: %v", verb, err)
	}
	var failed struct {
		BatchItemFailures []struct{ ItemIdentifier string }
	}
	if err := json.Unmarshal(answer, &failed); err != nil {
		w.t.Fatalf("%s: %s: %v", verb, answer, err)
	}
	var back []string
	for _, f := range failed.BatchItemFailures {
		var i int
		fmt.Sscan(f.ItemIdentifier, &i)
		back = append(back, bodies[i])
	}
	return back
}

// drain delivers until every queue is empty: each message twice, in another order.
func (w *world) drain(r *rand.Rand) {
	w.t.Helper()
	for range 200 {
		worked := false
		for _, verb := range []string{lambda.VerbIngest, lambda.VerbClose, lambda.VerbDetect} {
			bodies := w.take(verb)
			if len(bodies) == 0 {
				continue
			}
			worked = true
			bodies = append(bodies, bodies...)
			r.Shuffle(len(bodies), func(i, j int) { bodies[i], bodies[j] = bodies[j], bodies[i] })
			back := w.deliver(w.t.Context(), verb, bodies)
			w.mu.Lock()
			w.queues[verb] = append(w.queues[verb], back...)
			w.mu.Unlock()
		}
		if !worked {
			return
		}
	}
	w.t.Fatal("the queues do not run empty")
}

// upload puts a log into raw/.
func (w *world) upload(name string) {
	w.t.Helper()
	body, err := os.ReadFile(filepath.Join(logs, name))
	if err != nil {
		w.t.Fatal(err)
	}
	w.s3.Add(dataBucket, picket.RawPrefix+name, body)
}

// bus is EventBridge. It refuses the first entry of each call of more than one.
func (w *world) bus(rw http.ResponseWriter, r *http.Request) {
	var in struct {
		Entries []struct{ EventBusName, Source, DetailType, Detail string }
	}
	body, _ := io.ReadAll(r.Body)
	if r.Header.Get("X-Amz-Target") != "AWSEvents.PutEvents" || json.Unmarshal(body, &in) != nil || len(in.Entries) > 10 || len(body) > 400<<10 {
		http.Error(rw, `{"__type":"ValidationException"}`, http.StatusBadRequest)
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	var out []map[string]string
	failed := 0
	for i, e := range in.Entries {
		if i == 0 && len(in.Entries) > 1 {
			failed++
			out = append(out, map[string]string{"ErrorCode": "ThrottlingException", "ErrorMessage": "slower"})
			continue
		}
		if e.Source != "picket" || e.DetailType != "Picket Finding" || e.EventBusName != "default" {
			w.t.Errorf("entry %+v", e)
		}
		w.told = append(w.told, e.Detail)
		out = append(out, map[string]string{"EventId": "x"})
	}
	rw.Header().Set("Content-Type", "application/x-amz-json-1.1")
	json.NewEncoder(rw).Encode(map[string]any{"FailedEntryCount": failed, "Entries": out})
}

func (w *world) securityHub(rw http.ResponseWriter, r *http.Request) {
	var in struct{ Findings []map[string]any }
	if r.URL.Path != "/findings/import" || json.NewDecoder(r.Body).Decode(&in) != nil || len(in.Findings) > 100 {
		http.Error(rw, "{}", http.StatusBadRequest)
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.hub = append(w.hub, in.Findings...)
	rw.Header().Set("Content-Type", "application/json")
	json.NewEncoder(rw).Encode(map[string]any{"FailedCount": 0, "SuccessCount": len(in.Findings)})
}

// endpoint is "picket serve". Every twelfth request finds it overrun.
func (w *world) endpoint() http.Handler {
	e, err := server.NewEndpoint(server.EndpointOptions{Name: "picket"})
	if err != nil {
		w.t.Fatal(err)
	}
	serving, err := pipeline.ServePackage(w.pkg)
	if err != nil {
		w.t.Fatal(err)
	}
	if err := e.Use(serving.Model, byBooster{serving.Scorer.(pipeline.Local)}); err != nil {
		w.t.Fatal(err)
	}
	mux := http.NewServeMux()
	e.Register(mux)
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		w.mu.Lock()
		w.asked++
		overrun := w.asked%12 == 1
		w.mu.Unlock()
		if overrun {
			rw.Header().Set("X-Amzn-ErrorType", "ThrottlingException")
			http.Error(rw, `{"message":"slower"}`, http.StatusBadRequest)
			return
		}
		if !strings.HasPrefix(r.Header.Get("Authorization"), "AWS4-HMAC-SHA256 ") {
			w.t.Error("the endpoint was asked without a signature")
		}
		mux.ServeHTTP(rw, r)
	})
}

// byBooster scores rows by the name of the booster, as cmd/picket does.
type byBooster struct{ pipeline.Local }

func (b byBooster) Score(id picket.BoosterID, row []float64, explain bool, out *picket.Score) error {
	f := picket.Features{Window: picket.Window{Entity: picket.Entity{Kind: id.Kind}, Seconds: id.Seconds}, Values: row}
	return b.ScoreInto(out, id.Detector, &f, explain)
}

// reference is what "picket detect" finds in a folder with the same logs: the
// latest event of each finding that is not closed, and the newest features.
func reference(t *testing.T, pkg *train.Package, names ...string) (map[string]picket.Finding, map[string]string) {
	t.Helper()
	bucket := store.NewMemory(clock)
	for _, name := range names {
		f, err := os.Open(filepath.Join(logs, name))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := bucket.Put(t.Context(), picket.RawPrefix+name, f); err != nil {
			t.Fatal(err)
		}
		f.Close()
	}
	p := pipeline.New(pipeline.Default(), pipeline.Deps{Bucket: bucket, Now: clock, TempDir: t.TempDir(), Version: "test"})
	serving, err := pipeline.ServePackage(pkg)
	if err != nil {
		t.Fatal(err)
	}
	if err := p.RawObjects(t.Context(), func(r pipeline.Raw) error { _, err := p.Ingest(t.Context(), r); return err }); err != nil {
		t.Fatal(err)
	}
	if err := p.Close(t.Context(), true, nil); err != nil {
		t.Fatal(err)
	}
	days, err := p.Days(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := p.DetectDays(t.Context(), serving, days, nil); err != nil {
		t.Fatal(err)
	}
	return open(t, p), newest(t, p)
}

// open returns the findings that are not closed, without what counts how often
// each was told.
func open(t *testing.T, p *pipeline.Pipeline) map[string]picket.Finding {
	t.Helper()
	all, err := p.LatestFindings(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	byUID := map[string]picket.Finding{}
	for _, f := range all {
		if f.Status != picket.StatusClosed {
			f.Count, f.Status = 0, ""
			byUID[f.UID] = f
		}
	}
	return byUID
}

// newest returns the rows of the newest features as text, by entity and window.
func newest(t *testing.T, p *pipeline.Pipeline) map[string]string {
	t.Helper()
	rows := map[string]string{}
	err := p.Rows(t.Context(), func(f *picket.Features) error {
		rows[f.Window.String()] = fmt.Sprint(f.Values)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return rows
}
