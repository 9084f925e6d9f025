package pipeline

import (
	"time"

	"picket/pipeline/triage"
)

// Config is what a person may change about a pipeline. Its zero value is not
// usable: begin with Default.
type Config struct {
	MaxEntities     int           `json:"max_entities" yaml:"max_entities"`           // actors, and victims, of a window that keep a row of their own
	Lateness        time.Duration `json:"lateness" yaml:"lateness"`                   // a window is final this long after its end
	Debounce        time.Duration `json:"debounce" yaml:"debounce"`                   // parts are closed over when none has arrived for this long
	AlertsPerDay    float64       `json:"alerts_per_day" yaml:"alerts_per_day"`       // the alert budget, once a site has 24 h of scores; 0 is none
	AnomaliesPerDay float64       `json:"anomalies_per_day" yaml:"anomalies_per_day"` // findings of the baseline, once it has learned 24 h; 0 is no baseline
	Brands          string        `json:"brands" yaml:"brands"`                       // file of protected names of one's own; see extract.ReadBrands
	AllowedNames    string        `json:"allowed_names" yaml:"allowed_names"`         // file of names that are no findings, nor what is below them
	Lists           []ListFile    `json:"lists" yaml:"lists"`                         // addresses, networks and names of one's own, by tag
	Places          []string      `json:"places" yaml:"places"`                       // files in MaxMind's format, of countries and autonomous systems
	Suppress        []triage.Rule `json:"suppress" yaml:"suppress"`                   // findings that nobody wants to see, until the rule expires
}

// Default returns the configuration that Picket runs with when nobody says
// otherwise. It has no alert budget and no baseline: who reads one folder of logs
// wants what the model sees in it, all of it; who watches a site sets both.
func Default() Config {
	return Config{
		MaxEntities: 8192,
		Lateness:    15 * time.Minute, // VPC Flow Logs arrive about 10 minutes late
		Debounce:    time.Second,
	}
}
