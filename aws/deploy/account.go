package deploy

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/arn"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/sagemaker"
	"github.com/aws/aws-sdk-go-v2/service/servicequotas"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sts"
)

// Account is one installation in one account and region, seen by one caller.
type Account struct {
	Names
	Caller string // ARN of who asks

	// Now and Wait are the clock. Wait returns early when its context ends.
	Now  func() time.Time
	Wait func(ctx context.Context, d time.Duration) error

	cfg    aws.Config
	cfn    *cloudformation.Client
	s3     *s3.Client
	ecr    *ecr.Client
	lambda *lambda.Client
	sqs    *sqs.Client
	logs   *cloudwatchlogs.Client
	alarms *cloudwatch.Client
	quotas *servicequotas.Client
	maker  *sagemaker.Client
}

// prefixes are what an installation may be called: it begins bucket names, which are
// lower case and at most 63 characters with account and region.
var prefixes = regexp.MustCompile(`^[a-z][a-z0-9-]{1,19}[a-z0-9]$`)

// Connect asks AWS who the caller is. It changes nothing.
func Connect(ctx context.Context, cfg aws.Config, prefix string) (*Account, error) {
	if !prefixes.MatchString(prefix) {
		return nil, Failure{fmt.Errorf("prefix %q", prefix), "use 3 to 21 lower-case letters, digits and hyphens, beginning with a letter"}
	}
	if cfg.Region == "" {
		return nil, Failure{errors.New("no region is chosen"), "name one with --region, or set AWS_REGION"}
	}
	if cfg.Credentials == nil {
		return nil, Failure{errors.New("no AWS credentials"), tryNoCred}
	}
	who, err := sts.NewFromConfig(cfg).GetCallerIdentity(ctx, &sts.GetCallerIdentityInput{})
	if err != nil {
		return nil, explain("ask AWS who you are", err)
	}
	parsed, err := arn.Parse(aws.ToString(who.Arn))
	if err != nil {
		return nil, fmt.Errorf("ask AWS who you are: %w", err)
	}
	return &Account{
		Names:  Names{Prefix: prefix, Account: aws.ToString(who.Account), Region: cfg.Region, Partition: parsed.Partition},
		Caller: aws.ToString(who.Arn),
		Now:    time.Now, Wait: wait,
		cfg: cfg,
		cfn: cloudformation.NewFromConfig(cfg),
		s3: s3.NewFromConfig(cfg, func(o *s3.Options) {
			o.UsePathStyle = o.BaseEndpoint != nil
			o.DisableLogOutputChecksumValidationSkipped = true // what was put without one has none
		}),
		ecr:    ecr.NewFromConfig(cfg),
		lambda: lambda.NewFromConfig(cfg),
		sqs:    sqs.NewFromConfig(cfg),
		logs:   cloudwatchlogs.NewFromConfig(cfg),
		alarms: cloudwatch.NewFromConfig(cfg),
		quotas: servicequotas.NewFromConfig(cfg),
		maker:  sagemaker.NewFromConfig(cfg),
	}, nil
}

// wait waits for d, or until ctx ends.
func wait(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (a *Account) stacks(report func(Event)) stacks {
	if report == nil {
		report = func(Event) {}
	}
	return stacks{api: a.cfn, now: a.Now, wait: a.Wait, report: report}
}

// Config is what this account's clients are made from.
func (a *Account) Config() aws.Config { return a.cfg }

// pages asks for page after page: ask takes the token of one and returns the next's.
//
// The SDK's own paginators take its clients as interfaces. Since the console's
// templates look methods up by name, the linker then keeps every operation of every
// such client: 33 MB more of binary (measured with the eight clients of this package).
func pages(ask func(token *string) (next *string, err error)) error {
	var token *string
	for {
		next, err := ask(token)
		if err != nil || aws.ToString(next) == "" {
			return err
		}
		token = next
	}
}

// until asks again every pollEvery until done says so.
func (a *Account) until(ctx context.Context, atMost time.Duration, done func() (bool, error)) (bool, error) {
	end := a.Now().Add(atMost)
	for {
		ok, err := done()
		if ok || err != nil {
			return ok, err
		}
		if a.Now().After(end) {
			return false, nil
		}
		if err := a.Wait(ctx, pollEvery); err != nil {
			return false, err
		}
	}
}

// notFound reports whether AWS says that a thing is not there: each service has its
// own word.
func notFound(err error) bool {
	if err == nil {
		return false
	}
	text := err.Error()
	for _, word := range []string{"ResourceNotFoundException", "NoSuchBucket", "NotFound", "NoSuchKey", "QueueDoesNotExist", "NonExistentQueue", "RepositoryNotFoundException", "ImageNotFoundException", "Could not find", "does not exist"} {
		if strings.Contains(text, word) {
			return true
		}
	}
	return false
}
