package template

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"strings"
	"time"
)

//go:embed prices.json
var pricesJSON []byte

// Price is what AWS asks for one unit of something.
type Price struct {
	USD  float64 `json:"usd"`
	Unit string  `json:"unit"`
	Read string  `json:"read"` // "page" or "quoted" if it was read on the date, "memory" if not, "api" if refreshed
	Page string  `json:"page"`
}

// Prices are those of one region on one day.
type Prices struct {
	Region string           `json:"region"`
	Date   string           `json:"date"` // YYYY-MM-DD
	Note   string           `json:"note"`
	By     map[string]Price `json:"prices"`
}

// KnownPrices returns the embedded table. Its figures are of one region and one
// day; Prices.By may be refreshed from AWS's Price List API.
func KnownPrices() Prices {
	var p Prices
	if err := json.Unmarshal(pricesJSON, &p); err != nil {
		panic(err) // embedded; its test fails first
	}
	return p
}

// Volume is what a system is to take in.
type Volume struct {
	GBPerDay      float64 // of raw logs as they lie in the bucket, compressed
	ObjectsPerDay float64
	RunsPerMonth  float64 // trainings on SageMaker
}

// SmallSite is about a hundred machines with VPC Flow Logs: the volume that an
// estimate is made for unless another is given.
var SmallSite = Volume{GBPerDay: 0.5, ObjectsPerDay: 10_000, RunsPerMonth: 4}

// Assumptions of the estimate. They are guesses to be replaced by the site's own
// figures (the metric CostPerMillionRecords); none of them was measured on AWS.
const (
	recordsPerGB       = 60e6   // flow records in a gzip GB: about 17 bytes each
	ingestPerGBSecond  = 400e3  // records that a GB of function reads in a second
	closePerGBSecond   = 300e3  // records that it closes over in a second
	closedTimes        = 3.0    // how often a record is closed over until its day is final
	detectShare        = 0.25   // of close's time
	partsPerObject     = 2.0    // hours and sources that an object has records of
	putsPerPart        = 3.0    // part, mark of its hour, mark of its day
	windowsShare       = 0.6    // bytes of windows/ for a byte of raw logs
	featuresShare      = 0.1    // bytes of features/ for a byte of raw logs
	closesPerDay       = 3000.0 // at most: one close for all marks of some seconds
	requestsPerClose   = 60.0   // lists and gets
	customMetrics      = 60.0   // Picket's own, by function, source, class and reason
	logBytesPerCall    = 2000.0 // log lines and metrics of an invocation
	findingsPerDay     = 50.0
	hoursPerMonth      = 730.0
	daysPerMonth       = 365.0 / 12
	instanceHoursOfRun = 1.5 // all steps of a training together
	trainingInstance   = "ml.m5.xlarge"
	imageGB            = 0.05
	keyReuseSeconds    = 3600.0 // KmsDataKeyReusePeriodSeconds of the queues
	bucketKeyShare     = 0.01   // of S3's requests ask KMS where bucket keys are on
)

// CostItem is one line of an estimate.
type CostItem struct {
	What     string
	Quantity float64
	Unit     string
	USD      float64 // a month
	Unpriced bool    // the table has no such price
}

// Cost is an estimate of a month.
type Cost struct {
	Items  []CostItem
	Prices Prices
}

// USD returns the sum.
func (c Cost) USD() float64 {
	var sum float64
	for _, i := range c.Items {
		sum += i.USD
	}
	return sum
}

// Estimate says what a month of the system costs, item by item, without free tiers.
func Estimate(p Params, v Volume, prices Prices) (Cost, error) {
	account := Account{"aws", prices.Region, "000000000000"}
	given := p.Base()
	if given["CodeKey"] == "" {
		given["CodeKey"] = "code/" + strings.Repeat("0", 64) + ".zip"
	}
	stack, err := Resolve(Base(), account, given)
	if err != nil {
		return Cost{}, fmt.Errorf("estimate: %w", err)
	}
	e := &estimate{p: p, v: v, cost: Cost{Prices: prices}, count: map[string]float64{}}
	for _, res := range stack.Resources {
		e.count[res.Type]++
		if res.Type == "AWS::EC2::VPCEndpoint" && res.Properties["VpcEndpointType"] == "Interface" {
			e.count["interface endpoint"]++
		}
	}
	e.functions()
	e.bucket()
	e.queues()
	e.key()
	e.watching()
	e.network()
	e.scorer()
	return e.cost, nil
}

type estimate struct {
	p     Params
	v     Volume
	cost  Cost
	count map[string]float64
	s3    float64 // requests a month
}

func (e *estimate) add(what, price string, quantity float64) {
	if quantity == 0 {
		return
	}
	known, ok := e.cost.Prices.By[price]
	e.cost.Items = append(e.cost.Items, CostItem{what, quantity, known.Unit, quantity * known.USD, !ok})
}

func (e *estimate) records() float64 { return e.v.GBPerDay * recordsPerGB * daysPerMonth }

func (e *estimate) closes() float64 {
	return min(closesPerDay, e.v.ObjectsPerDay*partsPerObject) * daysPerMonth
}

func (e *estimate) invocations() float64 {
	scheduled := 12 * 24 * daysPerMonth // every five minutes
	return e.v.ObjectsPerDay*daysPerMonth + 2*e.closes() + scheduled
}

func (e *estimate) functions() {
	closing := closedTimes * e.records() / closePerGBSecond
	seconds := e.records()/ingestPerGBSecond + closing*(1+detectShare)
	e.add("Lambda, requests", "lambda.request", e.invocations())
	e.add("Lambda, time of ingest, close and detect", "lambda.gb_second."+e.p.Architecture, seconds)
	gib := float64(e.p.FunctionMemoryMiB) / 1024
	e.add("Lambda, disk beyond 512 MiB", "lambda.disk_gb_second", seconds/gib*float64(e.p.FunctionDiskMiB-512)/1024)
}

func (e *estimate) bucket() {
	parts := e.v.ObjectsPerDay * partsPerObject * daysPerMonth
	puts := parts*putsPerPart + e.v.ObjectsPerDay*daysPerMonth*2 + e.closes()*2
	reads := parts*closedTimes + e.closes()*requestsPerClose
	e.s3 = puts + reads
	e.add("S3, writes and lists", "s3.put", puts+e.closes()*requestsPerClose/4)
	e.add("S3, reads", "s3.get", reads)
	raw := float64(e.p.RawRetentionDays)
	if e.p.RawBucket != "" {
		raw = 0 // it is paid for already
	}
	held := e.v.GBPerDay * (raw + float64(e.p.DataRetentionDays)*(windowsShare+featuresShare))
	e.add("S3, storage once retention is reached", "s3.gb_month", held)
	e.add("ECR, image", "ecr.gb_month", imageGB)
}

func (e *estimate) queues() {
	messages := e.v.ObjectsPerDay*daysPerMonth*(1+partsPerObject) + e.closes()
	polls := 3 * 5 * 3 * 60 * 24 * daysPerMonth // three queues, five pollers, a long poll of 20 s each
	e.add("SQS, requests of messages and of Lambda's polling", "sqs.request", 3*messages+polls)
	e.add("EventBridge, findings", "events.put", findingsPerDay*daysPerMonth)
	if e.p.SecurityHub == "on" {
		e.add("Security Hub, findings", "securityhub.finding", findingsPerDay*daysPerMonth)
	}
}

func (e *estimate) key() {
	if e.p.KmsKeyArn == "" {
		e.add("KMS, key", "kms.key_month", 1)
	}
	// One producer and one consumer a queue: https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-key-management.html
	queues := e.count["AWS::SQS::Queue"] * daysPerMonth * 86400 / keyReuseSeconds * (2*1 + 1)
	e.add("KMS, requests (bucket keys on)", "kms.request", queues+bucketKeyShare*e.s3)
}

func (e *estimate) watching() {
	e.add("CloudWatch, logs and metrics in them", "logs.gb", e.invocations()*logBytesPerCall/1e9)
	e.add("CloudWatch, custom metrics", "cloudwatch.metric_month", customMetrics)
	e.add("CloudWatch, alarms", "cloudwatch.alarm_month", e.count["AWS::CloudWatch::Alarm"])
	e.add("CloudWatch, dashboard", "cloudwatch.dashboard_month", e.count["AWS::CloudWatch::Dashboard"])
}

func (e *estimate) network() {
	subnets := float64(max(1, len(e.p.SubnetIds)))
	e.add("VPC, interface endpoints", "privatelink.hour", e.count["interface endpoint"]*subnets*hoursPerMonth)
	if e.count["interface endpoint"] > 0 {
		e.add("VPC, data through them", "privatelink.gb", e.v.GBPerDay*daysPerMonth*featuresShare)
	}
}

func (e *estimate) scorer() {
	switch e.p.Scorer {
	case "endpoint":
		e.add("SageMaker, endpoint, one "+e.p.EndpointInstanceType, "sagemaker.hour."+e.p.EndpointInstanceType, hoursPerMonth)
	case "serverless":
		e.add("SageMaker, serverless endpoint", "sagemaker.serverless.gb_second", 2*detectShare*closedTimes*e.records()/closePerGBSecond)
	}
	e.add("SageMaker, trainings", "sagemaker.hour."+trainingInstance, e.v.RunsPerMonth*instanceHoursOfRun)
}

// Age returns how old the prices are.
func (p Prices) Age(now time.Time) time.Duration {
	day, err := time.Parse(time.DateOnly, p.Date)
	if err != nil {
		return 0
	}
	return now.Sub(day)
}
