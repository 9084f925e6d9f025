package deploy

import (
	"context"
	"errors"
	"fmt"
	"net"
	"regexp"
	"strings"

	"github.com/aws/smithy-go"
)

// Failure is an error with what a person can do about it.
type Failure struct {
	What error
	Try  string
}

func (f Failure) Error() string { return f.What.Error() }
func (f Failure) Unwrap() error { return f.What }

// deniedAction finds the action in AWS's sentence about a call that was refused:
// "User: ARN is not authorized to perform: s3:PutObject on resource: ARN because …".
var deniedAction = regexp.MustCompile(`not authorized to perform: ([a-z0-9-]+:[A-Za-z0-9*]+)(?: on resource: ("?arn:[^\s"]+|\*))?`)

// What to try, by the code of AWS's answer.
var byCode = map[string]string{
	"ExpiredToken":                            tryLogin,
	"ExpiredTokenException":                   tryLogin,
	"InvalidClientTokenId":                    tryLogin,
	"UnrecognizedClientException":             tryLogin,
	"InvalidAccessKeyId":                      tryLogin,
	"InvalidSignatureException":               "the secret key is not the one of this access key, or this machine's clock is wrong: run \"aws configure\", and check the clock",
	"SignatureDoesNotMatch":                   "the secret key is not the one of this access key, or this machine's clock is wrong: run \"aws configure\", and check the clock",
	"RequestTimeTooSkewed":                    "this machine's clock is wrong: set it",
	"OptInRequired":                           "activate this region in the account's settings, or choose another with --region",
	"Throttling":                              "wait a minute and run it again: what is done is not done twice",
	"ThrottlingException":                     "wait a minute and run it again: what is done is not done twice",
	"TooManyRequestsException":                "wait a minute and run it again: what is done is not done twice",
	"LimitExceededException":                  tryQuota,
	"ServiceQuotaExceededException":           tryQuota,
	"ResourceLimitExceeded":                   tryQuota,
	"InsufficientCapabilities":                "this is a fault of picket: report it",
	"AlreadyExistsException":                  "another deployment has begun: wait for it, and see \"picket deploy status\"",
	"OperationInProgressException":            "another deployment has begun: wait for it, and see \"picket deploy status\"",
	"ConflictException":                       "something else changes the same thing: run it again",
	"InvalidChangeSetStatus":                  "somebody changed the stack since the change set was made: run \"picket deploy\" again",
	"RepositoryNotFoundException":             "the base stack makes the repository: run \"picket deploy\"",
	"QueueDoesNotExist":                       tryDeploy,
	"AWS.SimpleQueueService.NonExistentQueue": tryDeploy,
	"NoSuchBucket":                            tryDeploy,
}

const (
	tryLogin  = "the credentials are not valid, or no longer: run \"aws sso login\" or \"aws configure\", or set AWS_PROFILE"
	tryQuota  = "ask for a higher quota in the Service Quotas console, or deploy with smaller settings"
	tryDeploy = "nothing is deployed under this prefix in this region: run \"picket deploy\", or name them with --prefix and --region"
	tryNoCred = "set AWS_PROFILE, run \"aws sso login\" or \"aws configure\"; what a deployment needs is printed by \"picket deploy --print-policy\""
)

// explain says what was being done when AWS refused, and what to try. What AWS said
// stays in the error.
func explain(doing string, err error) error {
	if err == nil || errors.Is(err, context.Canceled) {
		return err
	}
	var known Failure
	if errors.As(err, &known) {
		return err
	}
	what := fmt.Errorf("%s: %w", doing, err)
	if try := advice(err); try != "" {
		return Failure{what, try}
	}
	return what
}

// advice says what to try about an answer of AWS; "" where that is not known.
func advice(err error) string {
	text := err.Error()
	if try := adviceOnDenial(text); try != "" {
		return try
	}
	var api smithy.APIError
	if errors.As(err, &api) {
		if try, ok := byCode[api.ErrorCode()]; ok {
			return try
		}
		if strings.HasPrefix(api.ErrorCode(), "AccessDenied") || api.ErrorCode() == "Forbidden" {
			return "the caller may not do this: \"picket deploy --print-policy\" prints what a deployment needs"
		}
		return ""
	}
	switch {
	case strings.Contains(text, "get credentials") || strings.Contains(text, "refresh cached credentials") || strings.Contains(text, "static credentials are empty"):
		return tryNoCred
	case strings.Contains(text, "Invalid Configuration: Missing Region") || strings.Contains(text, "missing region"):
		return "name one with --region, or set AWS_REGION"
	}
	var dns *net.DNSError
	if errors.As(err, &dns) {
		return "no such region, or no network: check --region and the connection"
	}
	return ""
}

// adviceOnDenial names the action that is missing.
func adviceOnDenial(text string) string {
	m := deniedAction.FindStringSubmatch(text)
	if m == nil {
		return ""
	}
	on := ""
	if m[2] != "" {
		on = " on " + strings.Trim(m[2], `"`)
	}
	if strings.Contains(text, "permissions boundary") {
		return fmt.Sprintf("the permissions boundary does not allow %s%s: widen it, or name another with --boundary", m[1], on)
	}
	if strings.Contains(text, "service control policy") {
		return fmt.Sprintf("a service control policy of the organisation forbids %s%s: ask who keeps it", m[1], on)
	}
	return fmt.Sprintf("allow %s%s to who deploys; \"picket deploy --print-policy\" prints all that a deployment needs", m[1], on)
}

// stackReasons are what CloudFormation says of a resource that failed, and what to try.
var stackReasons = []struct{ says, try string }{
	{"BucketAlreadyExists", "somebody else has a bucket of that name: choose another --prefix"},
	{"BucketAlreadyOwnedByYou", "a bucket of that name is in this account already, and not of this stack: choose another --prefix, or move it away"},
	{"requested bucket name is not available", "somebody else has a bucket of that name: choose another --prefix"},
	{"already exists", "something of that name is there already, and not of this stack: choose another --prefix, or remove it"},
	{"UnreservedConcurrentExecution", "the account's quota of concurrent Lambda executions is too small: ask for 1,000 in the Service Quotas console (lambda, L-B99A9384)"},
	{"LimitExceeded", tryQuota},
	{"limit exceeded", tryQuota},
	{"ResourceLimitExceeded", tryQuota},
	{"Please make sure you have provided CloudWatch Logs", "the key's policy does not let CloudWatch Logs use it: add logs.REGION.amazonaws.com to the policy of --kms-key-arn"},
	{"KMS key is invalid for CreateGrant", "the key given by --kms-key-arn does not let the service use it: see \"A key of your own\" in docs/deploy.md"},
	{"does not have a valid", "the role was made a moment ago and is not known everywhere yet: run \"picket deploy\" again"},
	{"cannot be assumed by Lambda", "the role was made a moment ago and is not known everywhere yet: run \"picket deploy\" again"},
}

// adviceOnReason says what to try about the first resource that failed.
func adviceOnReason(reason string) string {
	if try := adviceOnDenial(reason); try != "" {
		return try
	}
	for _, r := range stackReasons {
		if strings.Contains(reason, r.says) {
			return r.try
		}
	}
	return "mend what the reason says and run \"picket deploy\" again; nothing of the failed change is left"
}
