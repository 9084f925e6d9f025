package deploy

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/pricing"
	"github.com/aws/aws-sdk-go-v2/service/pricing/types"
	"golang.org/x/sync/errgroup"

	"picket/aws/template"
)

// product says how the Price List finds one of our prices in a region: by attributes
// of the product, each as NAME=VALUE.
type product struct {
	service    string
	attributes []string
}

// products are by the names of template.Prices. What is not here keeps its price of the
// table.
var products = map[string]product{
	"lambda.request":                 {"AWSLambda", []string{"group=AWS-Lambda-Requests"}},
	"lambda.gb_second.x86_64":        {"AWSLambda", []string{"group=AWS-Lambda-Duration"}},
	"lambda.gb_second.arm64":         {"AWSLambda", []string{"group=AWS-Lambda-Duration-ARM"}},
	"lambda.disk_gb_second":          {"AWSLambda", []string{"group=AWS-Lambda-Storage-Duration"}},
	"s3.put":                         {"AmazonS3", []string{"group=S3-API-Tier1"}},
	"s3.get":                         {"AmazonS3", []string{"group=S3-API-Tier2"}},
	"s3.gb_month":                    {"AmazonS3", []string{"volumeType=Standard", "storageClass=General Purpose"}},
	"sqs.request":                    {"AWSQueueService", []string{"queueType=Standard"}},
	"events.put":                     {"AWSEvents", []string{"eventType=Custom Event"}},
	"kms.key_month":                  {"awskms", []string{"productFamily=Encryption Key"}},
	"kms.request":                    {"awskms", []string{"productFamily=API Request"}},
	"logs.gb":                        {"AmazonCloudWatch", []string{"productFamily=Data Payload", "group=Ingested Logs"}},
	"cloudwatch.metric_month":        {"AmazonCloudWatch", []string{"productFamily=Metric", "group=Metric"}},
	"cloudwatch.alarm_month":         {"AmazonCloudWatch", []string{"productFamily=Alarm", "alarmType=Standard"}},
	"cloudwatch.dashboard_month":     {"AmazonCloudWatch", []string{"productFamily=Dashboard"}},
	"ecr.gb_month":                   {"AmazonECR", []string{"productFamily=EC2 Container Registry"}},
	"privatelink.hour":               {"AmazonVPC", []string{"productFamily=VpcEndpoint", "endpointType=PrivateLink", "operation=VpcEndpoint"}},
	"sagemaker.hour.ml.t2.medium":    {"AmazonSageMaker", []string{"instanceName=ml.t2.medium", "component=Hosting"}},
	"sagemaker.hour.ml.m5.large":     {"AmazonSageMaker", []string{"instanceName=ml.m5.large", "component=Hosting"}},
	"sagemaker.hour.ml.m5.xlarge":    {"AmazonSageMaker", []string{"instanceName=ml.m5.xlarge", "component=Training"}},
	"sagemaker.hour.ml.m5.2xlarge":   {"AmazonSageMaker", []string{"instanceName=ml.m5.2xlarge", "component=Hosting"}},
	"sagemaker.hour.ml.c5.xlarge":    {"AmazonSageMaker", []string{"instanceName=ml.c5.xlarge", "component=Hosting"}},
	"sagemaker.serverless.gb_second": {"AmazonSageMaker", []string{"productFamily=ML Serverless", "component=Serverless Inference"}},
}

const (
	pricesRegion  = "us-east-1" // the Price List is asked there, about any region
	pricesAtMost  = 10 * time.Second
	pricesAtOnce  = 4
	pricesDiffer  = 3.0 // a price that is this many times the table's is another product's
	firstOfATable = "0" // beginRange of the price that the first unit has
)

// quote is what the Price List answers.
type quote struct {
	name string
	usd  float64
	err  error
}

// Prices returns the table with what the Price List says today of this region laid over
// it, and why where that is not all of it. A price that is far from the table's is that
// of something else and is left: the attributes by which products are found are not a
// contract of AWS's.
func (a *Account) Prices(ctx context.Context) (template.Prices, string) {
	known := template.KnownPrices()
	ctx, cancel := context.WithTimeout(ctx, pricesAtMost)
	defer cancel()
	client := pricing.NewFromConfig(a.cfg, func(o *pricing.Options) { o.Region, o.RetryMaxAttempts = pricesRegion, 1 })
	got := map[string]float64{}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(pricesAtOnce)
	answers := make(chan quote, len(products))
	for name, p := range products {
		group.Go(func() error {
			usd, err := a.price(ctx, client, p)
			answers <- quote{name, usd, err}
			return nil
		})
	}
	_ = group.Wait() // no call fails the others
	close(answers)
	why := ""
	for one := range answers {
		was := known.By[one.name].USD
		switch {
		case one.err != nil:
			why = one.err.Error()
		case one.usd <= was*pricesDiffer && one.usd*pricesDiffer >= was:
			got[one.name] = one.usd
		}
	}
	if len(got) == 0 {
		return known, fmt.Sprintf("the Price List could not be asked (%.200s): prices are of %s, %s", why, known.Region, known.Date)
	}
	p := known
	p.By = map[string]template.Price{}
	for name, price := range known.By {
		if usd, ok := got[name]; ok {
			price.USD, price.Read = usd, "api"
		}
		p.By[name] = price
	}
	p.Region, p.Date = a.Region, a.Now().UTC().Format(time.DateOnly)
	if len(got) == len(known.By) {
		return p, ""
	}
	return p, fmt.Sprintf("%d of %d prices are of %s, %s: the Price List has no such product", len(known.By)-len(got), len(known.By), known.Region, known.Date)
}

// price asks what the first unit of a product costs on demand.
func (a *Account) price(ctx context.Context, client *pricing.Client, p product) (float64, error) {
	in := &pricing.GetProductsInput{ServiceCode: &p.service, FormatVersion: aws.String("aws_v1"), MaxResults: aws.Int32(20)}
	for _, attribute := range append([]string{"regionCode=" + a.Region}, p.attributes...) {
		name, value, _ := strings.Cut(attribute, "=")
		in.Filters = append(in.Filters, types.Filter{Type: types.FilterTypeTermMatch, Field: aws.String(name), Value: aws.String(value)})
	}
	out, err := client.GetProducts(ctx, in)
	if err != nil {
		return 0, err
	}
	// Where several products match (a free tier among them), the dearest is meant.
	dearest := 0.0
	for _, text := range out.PriceList {
		usd, err := firstPrice(text)
		if err != nil {
			return 0, err
		}
		dearest = max(dearest, usd)
	}
	if dearest == 0 {
		return 0, fmt.Errorf("no product of %s with %s", p.service, strings.Join(p.attributes, ", "))
	}
	return dearest, nil
}

// firstPrice reads a product of the Price List: what the first unit costs on demand.
func firstPrice(text string) (float64, error) {
	var item struct {
		Terms struct {
			OnDemand map[string]struct {
				PriceDimensions map[string]struct {
					BeginRange   string
					PricePerUnit map[string]string
				}
			}
		}
	}
	if err := json.Unmarshal([]byte(text), &item); err != nil {
		return 0, fmt.Errorf("price list: %w", err)
	}
	first := 0.0
	for _, term := range item.Terms.OnDemand {
		for _, d := range term.PriceDimensions {
			if d.BeginRange != firstOfATable && d.BeginRange != "" {
				continue
			}
			usd, err := strconv.ParseFloat(d.PricePerUnit["USD"], 64)
			if err != nil {
				continue // in another currency, as in China
			}
			first = max(first, usd)
		}
	}
	return first, nil
}
