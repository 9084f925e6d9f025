package telemetry_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"picket/telemetry"
)

// emfLine is what CloudWatch reads of a line.
type emfLine struct {
	AWS struct {
		Timestamp         int64
		CloudWatchMetrics []struct {
			Namespace  string
			Dimensions [][]string
			Metrics    []struct{ Name, Unit string }
		}
	} `json:"_aws"`
}

// units are those of CloudWatch that are used.
var units = []string{"Count", "Milliseconds", "Seconds", "Bytes", "None"}

// readEMF reads lines as CloudWatch does and returns what it makes metrics of:
// "NAME{Dimension=value}" with its values. What it would refuse fails the test.
func readEMF(t *testing.T, text string) map[string][]float64 {
	t.Helper()
	got := map[string][]float64{}
	for line := range strings.Lines(text) {
		var head emfLine
		var members map[string]any
		if err := json.Unmarshal([]byte(line), &head); err != nil {
			t.Fatal(err)
		}
		json.Unmarshal([]byte(line), &members)
		if head.AWS.Timestamp != 1767225600000 || len(head.AWS.CloudWatchMetrics) != 1 || len(line) > 256<<10 {
			t.Fatalf("%s", line)
		}
		d := head.AWS.CloudWatchMetrics[0]
		if d.Namespace != "Picket" || len(d.Metrics) == 0 || len(d.Metrics) > 100 || len(d.Dimensions) == 0 {
			t.Fatalf("%s", line)
		}
		for _, m := range d.Metrics {
			if !slices.Contains(units, m.Unit) {
				t.Fatalf("unit %q", m.Unit)
			}
			for _, set := range d.Dimensions {
				name := m.Name + dimensions(t, set, members)
				got[name] = append(got[name], numbers(t, members[m.Name])...)
			}
		}
	}
	return got
}

// dimensions returns "{Name=value,...}" of a set.
func dimensions(t *testing.T, set []string, members map[string]any) string {
	t.Helper()
	var all []string
	for _, name := range set {
		value, ok := members[name].(string)
		if !ok || value == "" || len(set) > 30 {
			t.Fatalf("dimension %s is no text of the line %v", name, members)
		}
		all = append(all, name+"="+value)
	}
	return "{" + strings.Join(all, ",") + "}"
}

func numbers(t *testing.T, v any) []float64 {
	t.Helper()
	switch v := v.(type) {
	case float64:
		return []float64{v}
	case []any:
		if len(v) > 100 {
			t.Fatalf("%d values", len(v))
		}
		var all []float64
		for _, one := range v {
			all = append(all, one.(float64))
		}
		return all
	}
	t.Fatalf("%v is no metric", v)
	return nil
}

func TestEMF(t *testing.T) {
	var out bytes.Buffer
	e := telemetry.NewEMF(&out, "detect", "infer", func() time.Time { return time.Unix(1767225600, 0) })
	e.In("infer", 1000)
	e.In("infer", 500)
	e.In("triage", 7)
	e.Out("infer", 7)
	e.Dropped("triage", "allowed name", 2)
	e.Error("detect")
	e.Took("infer", 1500*time.Microsecond)
	e.Took("infer", 2*time.Millisecond)
	e.Finding("scan", "high", .95)
	e.Finding("scan", "low", .95)
	e.Finding("ddos", "low", .2)
	e.Lag("vpc", 90*time.Second)
	e.Drift("traffic/actor/60", "score", .3)
	e.Drift("traffic/actor/60", "bytes", .9)
	e.Invoked(100*time.Millisecond, 512, telemetry.RatesOf("arm64"))
	if err := e.Flush(); err != nil {
		t.Fatal(err)
	}
	cost := (.1*.5*.0000133334 + .0000002) / 1500 * 1e6
	want := map[string][]float64{
		"RecordsIn{Function=detect}":                          {1500},
		"RecordsIn{Function=detect,Stage=infer}":              {1500},
		"RecordsIn{Function=detect,Stage=triage}":             {7},
		"RecordsOut{Function=detect}":                         {7},
		"RecordsOut{Function=detect,Stage=infer}":             {7},
		"RecordsDropped{Function=detect}":                     {2},
		"RecordsDropped{Function=detect,Reason=allowed name}": {2},
		"Errors{Function=detect}":                             {1},
		"Errors{Function=detect,Stage=detect}":                {1},
		"Latency{Function=detect}":                            {100},
		"Latency{Function=detect,Stage=infer}":                {1.5, 2},
		"Findings{Function=detect}":                           {2, 1},
		"Findings{Function=detect,Class=scan,Band=high}":      {2},
		"Findings{Function=detect,Class=ddos,Band=low}":       {1},
		"LagSeconds{Function=detect}":                         {90},
		"LagSeconds{Function=detect,Source=vpc}":              {90},
		"DriftPSI{Function=detect}":                           {.3},
		"DriftPSI{Function=detect,Booster=traffic/actor/60}":  {.3},
		"Invocations{Function=detect}":                        {1},
		"CostPerMillionRecords{Function=detect}":              {cost},
	}
	if d := cmp.Diff(want, readEMF(t, out.String()), cmpopts.EquateApprox(1e-12, 0)); d != "" {
		t.Error(d)
	}
	out.Reset()
	if err := e.Flush(); err != nil || out.Len() != 0 {
		t.Errorf("nothing happened since: %q, %v", out.String(), err)
	}
}

// TestEMFManyValues: a metric with more values than a line takes has more lines.
func TestEMFManyValues(t *testing.T) {
	var out bytes.Buffer
	e := telemetry.NewEMF(&out, "ingest", "decode", func() time.Time { return time.Unix(1767225600, 0) })
	var want []float64
	for i := range 250 {
		e.Took("ingest", time.Duration(i)*time.Millisecond)
		want = append(want, float64(i))
	}
	if err := e.Flush(); err != nil {
		t.Fatal(err)
	}
	got := readEMF(t, out.String())
	if d := cmp.Diff(want, got["Latency{Function=ingest,Stage=ingest}"]); d != "" || strings.Count(out.String(), "\n") != 3 {
		t.Error(d, fmt.Sprint(slices.Sorted(maps.Keys(got))))
	}
}
