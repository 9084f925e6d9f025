package lambda

import (
	"cmp"
	"fmt"
	"runtime"
	"strconv"
	"time"

	"picket/pipeline"
)

// Scorers: where rows are scored.
const (
	ScorerEndpoint   = "endpoint"   // of SageMaker, on instances
	ScorerServerless = "serverless" // of SageMaker, without: the same call
	ScorerLambda     = "lambda"     // in the function itself
)

// Verbs: what a function does.
const (
	VerbIngest      = "ingest"
	VerbClose       = "close"
	VerbDetect      = "detect"
	VerbDeployModel = "deploy-model"
)

// Settings are what a function's environment says. Nothing in them is secret.
type Settings struct {
	Verb         string
	Name         string // of the function in its account: what its metrics go by; "" is the verb
	Bucket       string // all of Picket's prefixes
	RawBucket    string // of raw logs alone, where they are not below raw/ of Bucket; may be ""
	KMSKey       string
	Scorer       string
	Endpoint     string // name
	EventBus     string // name; "" tells nobody
	SecurityHub  bool
	Pipeline     pipeline.Config
	MemoryMB     int
	Architecture string
	Version      string // of the program
	TempDir      string // "" is the system's
}

// FromEnv reads the variables of a function. _HANDLER is the verb.
func FromEnv(getenv func(string) string, version string) (Settings, error) {
	s := Settings{
		Verb: getenv("_HANDLER"), Name: getenv("AWS_LAMBDA_FUNCTION_NAME"), Bucket: getenv("PICKET_BUCKET"), RawBucket: getenv("PICKET_RAW_BUCKET"), KMSKey: getenv("PICKET_KMS_KEY"),
		Scorer: cmp.Or(getenv("PICKET_SCORER"), ScorerLambda), Endpoint: cmp.Or(getenv("PICKET_ENDPOINT"), getenv("PICKET_PREFIX"), "picket"),
		EventBus: getenv("PICKET_EVENT_BUS"), SecurityHub: getenv("PICKET_SECURITY_HUB") == "on",
		Pipeline: pipeline.Default(), Architecture: runtime.GOARCH, Version: version,
	}
	switch s.Verb {
	case VerbIngest, VerbClose, VerbDetect, VerbDeployModel:
	default:
		return s, fmt.Errorf("handler %q is none of ingest, close, detect, deploy-model", s.Verb)
	}
	switch s.Scorer {
	case ScorerEndpoint, ScorerServerless, ScorerLambda:
	default:
		return s, fmt.Errorf("PICKET_SCORER=%q is none of endpoint, serverless, lambda", s.Scorer)
	}
	if s.Bucket == "" {
		return s, fmt.Errorf("PICKET_BUCKET is not set")
	}
	s.Pipeline.AlertsPerDay, s.Pipeline.AnomaliesPerDay = 5, 2 // as "picket up": a site is watched
	for name, set := range map[string]func(string) error{
		"PICKET_LATENESS":                 func(v string) error { return parseInto(&s.Pipeline.Lateness, v, lateness) },
		"PICKET_ALERTS_PER_DAY":           func(v string) error { return parseInto(&s.Pipeline.AlertsPerDay, v, number) },
		"PICKET_ANOMALIES_PER_DAY":        func(v string) error { return parseInto(&s.Pipeline.AnomaliesPerDay, v, number) },
		"AWS_LAMBDA_FUNCTION_MEMORY_SIZE": func(v string) error { return parseInto(&s.MemoryMB, v, strconv.Atoi) },
	} {
		if v := getenv(name); v != "" {
			if err := set(v); err != nil {
				return s, fmt.Errorf("%s=%q: %w", name, v, err)
			}
		}
	}
	return s, nil
}

// lateness reads "15m", or a number of seconds as a template's parameter may be.
func lateness(text string) (time.Duration, error) {
	if n, err := strconv.Atoi(text); err == nil {
		return time.Duration(n) * time.Second, nil
	}
	return time.ParseDuration(text)
}

func number(text string) (float64, error) { return strconv.ParseFloat(text, 64) }

func parseInto[T any](to *T, text string, parse func(string) (T, error)) error {
	v, err := parse(text)
	if err == nil {
		*to = v
	}
	return err
}
