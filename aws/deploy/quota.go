package deploy

import (
	"context"
	"fmt"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/servicequotas"
)

// Need is a quota that a deployment depends on.
type Need struct {
	Service string  // lambda, sagemaker
	Quota   string  // its name in the Service Quotas console
	Least   float64 // what the deployment takes
	Why     string
}

// Doubt is a quota that is too small, or could not be asked for.
type Doubt struct {
	Need
	Have  float64
	Known bool
}

func (d Doubt) String() string {
	if !d.Known {
		return fmt.Sprintf("could not ask for the quota %q of %s (%s)", d.Quota, d.Service, d.Why)
	}
	return fmt.Sprintf("quota %q of %s is %g, and %g is needed: %s", d.Quota, d.Service, d.Have, d.Least, d.Why)
}

// concurrency is what Lambda calls its quota of functions that run at once.
const concurrency = "Concurrent executions"

// Quotas compares what is needed with what the account has. A quota that cannot be
// asked for is a doubt, and no reason to stop.
func (a *Account) Quotas(ctx context.Context, needs []Need) ([]Doubt, error) {
	var doubts []Doubt
	have := map[string]map[string]float64{}
	for _, n := range needs {
		if have[n.Service] == nil {
			q, err := a.quotasOf(ctx, n.Service)
			if ctx.Err() != nil {
				return nil, err
			}
			have[n.Service] = q // nil where it could not be asked for
		}
		value, known := have[n.Service][n.Quota]
		if !known || value < n.Least {
			doubts = append(doubts, Doubt{n, value, known})
		}
	}
	return doubts, nil
}

// short returns an error if a quota is known to be too small.
func short(doubts []Doubt) error {
	var short []string
	for _, d := range doubts {
		if d.Known {
			short = append(short, d.String())
		}
	}
	if len(short) == 0 {
		return nil
	}
	return Failure{fmt.Errorf("%s", strings.Join(short, "; ")), "ask for more in the Service Quotas console (an answer takes minutes to a day), choose other instance types, or a scorer that needs none (--scorer lambda); --ignore-quotas goes on regardless"}
}

// quotasOf returns the quotas of a service by name.
func (a *Account) quotasOf(ctx context.Context, service string) (map[string]float64, error) {
	have := map[string]float64{}
	if service == "lambda" { // asked of Lambda itself: it knows what is reserved already
		out, err := a.lambda.GetAccountSettings(ctx, &lambda.GetAccountSettingsInput{})
		if err != nil {
			return nil, err
		}
		if out.AccountLimit != nil {
			have[concurrency] = float64(aws.ToInt32(out.AccountLimit.UnreservedConcurrentExecutions))
			if have[concurrency] == 0 {
				have[concurrency] = float64(out.AccountLimit.ConcurrentExecutions)
			}
		}
		return have, nil
	}
	return have, pages(func(token *string) (*string, error) {
		page, err := a.quotas.ListServiceQuotas(ctx, &servicequotas.ListServiceQuotasInput{ServiceCode: &service, MaxResults: aws.Int32(100), NextToken: token})
		if err != nil {
			return nil, err
		}
		for _, q := range page.Quotas {
			have[aws.ToString(q.QuotaName)] = aws.ToFloat64(q.Value)
		}
		return page.NextToken, nil
	})
}
