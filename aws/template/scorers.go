package template

// Limit is something that a scorer cannot have.
type Limit struct {
	What   string
	Scorer map[string]bool // whether endpoint, serverless and lambda can have it
	Why    string
	Page   string // of AWS's documentation
}

const (
	serverlessPage = "https://docs.aws.amazon.com/sagemaker/latest/dg/serverless-endpoints.html"
	lambdaPage     = "https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html"
)

// Scorers says what each scorer can and cannot have. docs/deploy.md shows it and
// Params.Check refuses what contradicts it.
func Scorers() []Limit {
	can := func(endpoint, serverless, lambda bool) map[string]bool {
		return map[string]bool{"endpoint": endpoint, "serverless": serverless, "lambda": lambda}
	}
	return []Limit{
		{"scale to zero", can(false, true, true), "an endpoint on instances keeps one running", serverlessPage},
		{"in a VPC", can(true, false, true), "AWS refuses VpcConfig for a serverless endpoint", serverlessPage},
		{"network isolation", can(true, false, false), "AWS refuses it for a serverless endpoint; a function must reach the bucket", serverlessPage},
		{"data capture", can(true, false, false), "AWS refuses it for a serverless endpoint; detect keeps what it scored in features/", serverlessPage},
		{"several variants, canary with rollback", can(true, false, false), "a serverless endpoint has one variant and is replaced at once", serverlessPage},
		{"KMS key of the volume", can(true, false, false), "only instances have a volume", serverlessPage},
		{"AWS's built-in XGBoost image", can(true, true, false), "a function runs Picket's own scorer alone", serverlessPage},
		{"more than 6 GB of memory", can(true, false, true), "a serverless endpoint has 6,144 MB at most, a function 10,240", lambdaPage},
		{"reasons with each score (SHAP) and refusal of a wrong schema", can(true, true, true), "with Picket's image; the built-in image gives neither", serverlessPage},
	}
}
