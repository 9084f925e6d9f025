// Package lambda is Picket as functions: an event of a queue -> the step of the
// pipeline that it asks for, and what of it is given back.
//
// The steps are those of "picket up"; only bucket, clock and queue differ. A
// message is given back where the infrastructure failed, and taken where what it
// speaks of is itself bad: that is in quarantine/ by then. What is given back, or
// comes twice, has its effect once, because every key follows from its input.
package lambda

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"runtime/debug"
	"strings"
	"time"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-lambda-go/lambdacontext"
	"github.com/aws/aws-sdk-go-v2/aws"

	"picket/aws/s3"
	"picket/aws/sagemaker"
	"picket/pipeline"
	"picket/telemetry"
)

// Function is one of the functions. It keeps what stays the same between two
// events: connections, the model, and what was scored already.
type Function struct {
	settings Settings
	data     *s3.Bucket
	raw      *s3.Bucket // the same as data where raw logs are below its raw/
	pipeline *pipeline.Pipeline
	metrics  *telemetry.EMF
	log      *slog.Logger
	said     *says
	now      func() time.Time
	out      *outbox
	score    func(*pipeline.Serving) // puts the endpoint in the place of the package's own trees; nil leaves them
	serving  pipeline.Serving
	deployer *sagemaker.Deployer // of deploy-model

}

// mainStage is the stage whose rows are a function's records.
var mainStage = map[string]string{VerbIngest: "decode", VerbClose: "extract", VerbDetect: "infer"}

// New returns a function. It asks nothing of AWS yet. out takes its log and its
// metrics, one JSON object a line.
func New(s Settings, cfg aws.Config, out io.Writer, now func() time.Time) *Function {
	f := &Function{settings: s, now: now, metrics: telemetry.NewEMF(out, cmp.Or(s.Name, s.Verb), mainStage[s.Verb], now), said: &says{}}
	client := s3.NewClient(cfg, "")
	f.data = s3.New(client, s3.Options{Name: s.Bucket, KMSKey: s.KMSKey})
	f.raw = f.data
	if s.RawBucket != "" && s.RawBucket != s.Bucket {
		f.raw = s3.New(client, s3.Options{Name: s.RawBucket})
	}
	f.log = slog.New(f.said.handler(telemetry.NewLog(out, slog.LevelInfo).Handler())).With("function", s.Verb)
	deps := pipeline.Deps{Bucket: f.data, Log: f.log, Metrics: f.metrics, Now: now, TempDir: s.TempDir, Version: s.Version}
	if s.Verb == VerbDetect {
		f.out = newOutbox(s, cfg, f)
		deps.Tell = f.out.tell
		if s.Scorer != ScorerLambda {
			f.score = endpointScorer(s.Endpoint, cfg)
		}
	}
	f.pipeline = pipeline.New(s.Pipeline, deps)
	return f
}

// Run answers events of the Lambda runtime until the process ends.
func Run(ctx context.Context, getenv func(string) string, version string, out io.Writer) error {
	s, err := FromEnv(getenv, version)
	if err != nil {
		return err
	}
	if s.MemoryMB > 0 {
		debug.SetMemoryLimit(int64(s.MemoryMB) << 20 * 9 / 10)
	}
	cfg := environment(getenv)
	f := New(s, cfg, out, time.Now)
	if s.Verb == VerbDeployModel {
		e, err := sagemaker.EndpointFromEnv(getenv)
		if err != nil {
			return err
		}
		if f.deployer, err = sagemaker.NewDeployer(e, f.pipeline, cfg, f.log); err != nil {
			return err
		}
	}
	lambda.StartWithOptions(f, lambda.WithContext(ctx))
	return nil
}

// attempts of a call to AWS. The SDK waits between them, longer each time, with
// jitter.
const attempts = 6

// Pipeline returns the pipeline that the function's steps run on.
func (f *Function) Pipeline() *pipeline.Pipeline { return f.pipeline }

// failures is what a queue is answered: the messages that it gets back.
type failures struct {
	Items []failure `json:"batchItemFailures"`
}

type failure struct {
	ID string `json:"itemIdentifier"`
}

// Invoke implements lambda.Handler.
func (f *Function) Invoke(ctx context.Context, payload []byte) ([]byte, error) {
	began := f.now()
	f.said.set(about(ctx)...)
	if f.settings.Verb == VerbDeployModel {
		return f.deployModel(ctx, payload)
	}
	messages := unwrap(payload)
	for _, m := range messages {
		if m.err == nil && m.trace != "" {
			f.said.set(append(about(ctx), slog.String("xray", m.trace))...)
			break
		}
	}
	work, cancel := f.spare(ctx)
	f.run(work, messages)
	cancel()

	answer := failures{Items: []failure{}}
	var failed error
	for _, m := range messages {
		if m.err == nil {
			continue
		}
		f.metrics.Error(f.settings.Verb)
		f.log.Error("message given back", "message", m.id, "error", m.err)
		if m.id == "" {
			failed = errors.Join(failed, m.err)
		} else {
			answer.Items = append(answer.Items, failure{m.id})
		}
	}
	f.log.Info("invoked", "messages", len(messages), "given_back", len(answer.Items), "took", f.now().Sub(began))
	f.count(began)
	if failed != nil {
		return nil, failed
	}
	return json.Marshal(answer)
}

// count writes the metrics of an invocation.
func (f *Function) count(began time.Time) {
	f.metrics.Invoked(f.now().Sub(began), f.settings.MemoryMB, telemetry.RatesOf(f.settings.Architecture))
	if err := f.metrics.Flush(); err != nil {
		f.log.Error("metrics lost", "error", err)
	}
}

// deployModel hands an event on as it came. Who calls waits for the answer: a step
// of the training pipeline, or EventBridge, which calls again after an error.
func (f *Function) deployModel(ctx context.Context, payload []byte) ([]byte, error) {
	began := f.now()
	defer f.count(began)
	var answer sagemaker.Outcome
	err := f.guarded(func() (err error) {
		answer, err = f.deployer.Handle(ctx, payload)
		return err
	})
	if err != nil {
		f.metrics.Error(f.settings.Verb)
		f.log.Error("model not deployed", "stage", "deploy", "error", err)
		return nil, err
	}
	return json.Marshal(answer)
}

// run does what the messages ask, and notes in each why it is given back.
func (f *Function) run(ctx context.Context, messages []*message) {
	switch f.settings.Verb {
	case VerbIngest:
		f.ingest(ctx, messages)
	case VerbClose:
		f.close(ctx, messages)
	case VerbDetect:
		f.detect(ctx, messages)
	}
}

// spare returns a context that ends before the function is killed: what is not
// done by then is given back, in time to say so.
func (f *Function) spare(ctx context.Context) (context.Context, context.CancelFunc) {
	end, ok := ctx.Deadline()
	if !ok {
		return context.WithCancel(ctx)
	}
	left := time.Until(end)
	return context.WithTimeoutCause(ctx, left-reserve(left), errNoTime)
}

// reserve is how much of a function's time is kept for giving back what is not done.
func reserve(left time.Duration) time.Duration { return max(0, min(5*time.Second, left/5)) }

var errNoTime = errors.New("the function's time is nearly over")

// guarded runs do and turns a panic into an error: one object must not take the
// others of its batch with it.
func (f *Function) guarded(do func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			f.log.Error("panic", "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
			err = fmt.Errorf("panic: %v", p)
		}
	}()
	return do()
}

// about says which invocation a log line is of.
func about(ctx context.Context) []slog.Attr {
	var attrs []slog.Attr
	if c, ok := lambdacontext.FromContext(ctx); ok {
		attrs = append(attrs, slog.String("request", c.AwsRequestID))
	}
	if id, ok := ctx.Value("x-amzn-trace-id").(string); ok && id != "" {
		attrs = append(attrs, slog.String("xray", id))
	}
	return attrs
}

// account returns partition, region and account of the function that is invoked.
func account(ctx context.Context) (partition, region, id string) {
	c, ok := lambdacontext.FromContext(ctx)
	if !ok {
		return "aws", "", ""
	}
	arn := strings.Split(c.InvokedFunctionArn, ":")
	if len(arn) < 5 {
		return "aws", "", ""
	}
	return arn[1], arn[3], arn[4]
}
