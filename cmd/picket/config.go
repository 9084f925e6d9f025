package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/spf13/cobra"

	"picket/pipeline"
)

// settings are the effective configuration: defaults, then the file, then the
// environment, then flags.
type settings struct {
	Data         string          `yaml:"data" json:"data"`
	Listen       string          `yaml:"listen" json:"listen"`
	Model        string          `yaml:"model" json:"model"`
	Settle       time.Duration   `yaml:"settle" json:"settle"`
	Retrain      time.Duration   `yaml:"retrain" json:"retrain"`
	RetrainDrift float64         `yaml:"retrain_drift" json:"retrain_drift"`
	RetrainRest  time.Duration   `yaml:"retrain_rest" json:"retrain_rest"`
	Pipeline     pipeline.Config `yaml:"pipeline" json:"pipeline"`
}

// setting is one value that a person may set: its name in the file, what it
// means, and how to set it from text.
type setting struct {
	name, meaning string
	set           func(s *settings, text string) error
	get           func(s *settings) string
}

// defaultConfig is the file that is read when none is named.
const defaultConfig = "picket.yaml"

func defaultSettings() settings {
	s := settings{
		Data: "picket-data", Listen: "127.0.0.1:8080", Settle: 2 * time.Second,
		RetrainDrift: 0.25, RetrainRest: 24 * time.Hour, Pipeline: pipeline.Default(),
	}
	s.Pipeline.AlertsPerDay, s.Pipeline.AnomaliesPerDay = 5, 2
	return s
}

// table lists every scalar setting. The environment variable of data is
// PICKET_DATA, that of pipeline.lateness PICKET_PIPELINE_LATENESS.
var table = []setting{
	text("data", "the bucket: a folder, or s3://NAME/PREFIX", func(s *settings) *string { return &s.Data }),
	text("listen", "address of the server; loopback unless --allow-remote", func(s *settings) *string { return &s.Listen }),
	text("model", "model package; empty is the registry's live one, else the one in the binary", func(s *settings) *string { return &s.Model }),
	span("settle", "a raw file is taken once unchanged for this long", func(s *settings) *time.Duration { return &s.Settle }),
	span("retrain", "train again this often; 0 is never", func(s *settings) *time.Duration { return &s.Retrain }),
	number("retrain_drift", "train again when the last day's scores have drifted so far (PSI) and there are labels; 0 is never", func(s *settings) *float64 { return &s.RetrainDrift }),
	span("retrain_rest", "drift starts no retrain for so long after the last run", func(s *settings) *time.Duration { return &s.RetrainRest }),
	span("pipeline.lateness", "a window is final this long after its end", func(s *settings) *time.Duration { return &s.Pipeline.Lateness }),
	span("pipeline.debounce", "parts are closed over when none has arrived for this long", func(s *settings) *time.Duration { return &s.Pipeline.Debounce }),
	text("pipeline.brands", "file of names of one's own that nobody may imitate: a word and its domains a line", func(s *settings) *string { return &s.Pipeline.Brands }),
	text("pipeline.allowed_names", "file of names, one a line, that are no findings, nor what is below them", func(s *settings) *string { return &s.Pipeline.AllowedNames }),
	{"pipeline.max_entities", "actors, and victims, of a window that keep a row of their own",
		func(s *settings, v string) error { return parseInto(&s.Pipeline.MaxEntities, v, strconv.Atoi) },
		func(s *settings) string { return strconv.Itoa(s.Pipeline.MaxEntities) }},
	number("pipeline.alerts_per_day", "the alert budget of \"picket up\", once a site has 24 h of scores; 0 is none", func(s *settings) *float64 { return &s.Pipeline.AlertsPerDay }),
	number("pipeline.anomalies_per_day", "most findings a day of the baseline of \"picket up\", once it has learned 24 h; 0 is no baseline", func(s *settings) *float64 { return &s.Pipeline.AnomaliesPerDay }),
}

func text(name, meaning string, field func(*settings) *string) setting {
	return setting{name, meaning,
		func(s *settings, v string) error { *field(s) = v; return nil },
		func(s *settings) string { return *field(s) }}
}

func span(name, meaning string, field func(*settings) *time.Duration) setting {
	return setting{name, meaning,
		func(s *settings, v string) error { return parseInto(field(s), v, time.ParseDuration) },
		func(s *settings) string { return field(s).String() }}
}

func number(name, meaning string, field func(*settings) *float64) setting {
	return setting{name, meaning,
		func(s *settings, v string) error {
			return parseInto(field(s), v, func(t string) (float64, error) { return strconv.ParseFloat(t, 64) })
		},
		func(s *settings) string { return strconv.FormatFloat(*field(s), 'g', -1, 64) }}
}

func parseInto[T any](to *T, text string, parse func(string) (T, error)) error {
	v, err := parse(text)
	if err == nil {
		*to = v
	}
	return err
}

// settings returns the effective configuration.
func (a *app) settings() (settings, error) {
	s, _, err := a.settingsWithOrigin()
	return s, err
}

// settingsWithOrigin returns the effective configuration and, by name, where each
// value came from.
func (a *app) settingsWithOrigin() (settings, map[string]string, error) {
	s, origin := defaultSettings(), map[string]string{}
	for _, v := range table {
		origin[v.name] = "default"
	}
	if err := a.readConfig(&s, origin); err != nil {
		return s, origin, err
	}
	for _, v := range table {
		name := "PICKET_" + strings.ToUpper(strings.ReplaceAll(v.name, ".", "_"))
		value := a.getenv(name)
		if value == "" {
			continue
		}
		if err := v.set(&s, value); err != nil {
			return s, origin, usageError(hint(fmt.Errorf("%s=%q: %w", name, value, err), "%s: %s", v.name, v.meaning))
		}
		origin[v.name] = name
	}
	for i, rule := range s.Pipeline.Suppress {
		if err := rule.Validate(); err != nil {
			return s, origin, usageError(hint(fmt.Errorf("suppression rule %d: %w", i+1, err), "give it a pattern, expires, author and reason"))
		}
	}
	for i, list := range s.Pipeline.Lists {
		if err := list.Validate(); err != nil {
			return s, origin, usageError(hint(fmt.Errorf("list %d: %w", i+1, err), "give it a tag and a path"))
		}
	}
	return s, origin, nil
}

// readConfig lays the configuration file over s. An unknown name is an error.
func (a *app) readConfig(s *settings, origin map[string]string) error {
	path := a.configPath
	if path == "" {
		path = defaultConfig
	}
	body, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) && a.configPath == "" {
		return nil
	}
	if err != nil {
		return hint(err, "name a file with --config, or leave it out")
	}
	before := *s
	if err := yaml.NewDecoder(bytes.NewReader(body), yaml.Strict()).Decode(s); err != nil && !errors.Is(err, io.EOF) {
		return usageError(hint(fmt.Errorf("%s: %s", path, yaml.FormatError(err, false, false)), "run \"picket config\" to see every name"))
	}
	for _, v := range table {
		if v.get(s) != v.get(&before) {
			origin[v.name] = path
		}
	}
	return nil
}

func (a *app) configCommand() *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use: "config", Short: "Show the effective configuration and where each value came from",
		Long: `Shows every setting with its value and its origin. A flag wins over the
environment (PICKET_DATA, PICKET_PIPELINE_LATENESS), that over the file, that over
the default.`,
		Args:    exactArgs(0, "no arguments"),
		Example: "  picket config",
		RunE: func(c *cobra.Command, _ []string) error {
			s, origin, err := a.settingsWithOrigin()
			if err != nil {
				return err
			}
			if asJSON {
				e := json.NewEncoder(a.stdout)
				e.SetIndent("", "  ")
				return e.Encode(map[string]any{"settings": s, "origin": origin})
			}
			for _, v := range table {
				fmt.Fprintf(a.stdout, "%-24s %-22s %-12s # %s\n", v.name, v.get(&s), origin[v.name], v.meaning)
			}
			fmt.Fprintf(a.stdout, "%-24s %d rules\n", "pipeline.suppress", len(s.Pipeline.Suppress))
			for _, l := range s.Pipeline.Lists {
				fmt.Fprintf(a.stdout, "%-24s %s %s\n", "pipeline.lists", l.Tag, l.Path)
			}
			for _, path := range s.Pipeline.Places {
				fmt.Fprintf(a.stdout, "%-24s %s\n", "pipeline.places", path)
			}
			return nil
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, "as JSON")
	return c
}
