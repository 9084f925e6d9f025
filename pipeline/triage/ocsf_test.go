package triage

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/santhosh-tekuri/jsonschema/v6"
	"pgregory.net/rapid"

	"picket"
)

var update = flag.Bool("update", false, "rewrite golden files")

// incidents by golden file: one of each class, kind and source.
var incidents = map[string]string{
	"scan": `
		10:04+60 actor 10.0.0.9 scan .97 peers=10.0.0.5:100 service_ports=812 packet_size_mean=60.5 beacon_gap_cv=NaN ports_per_peer_max=812 peers_per_port_max=1
		10:05+60 actor 10.0.0.9 scan .91 peers=10.0.0.5:90
		10:04+60 victim 10.0.0.5 ddos .95 peers=10.0.0.9:100`,
	"ddos": `
		10:04+60 victim 10.0.1.20 ddos .985 source=vpc/60 flows=41000 peers=203.0.113.7:900,203.0.113.8:800 peers=512 tcp_packet_share=.9 established_share=.1
		10:04+60 actor 203.0.113.7 ddos .90 source=vpc/60 peers=10.0.1.20:900`,
	"bruteforce":   `22:00+3600 victim 2001:db8::5 bruteforce .93 flows=4000 peers=2001-db8--9:30 port=22`,
	"exfiltration": `00:00+86400 actor 192.168.1.20 exfiltration .62 elapsed=43200 peers=198.51.100.4:12 byte_ratio_out=.98`,
	"c2":           `00:00+86400 actor 10.0.0.77 c2 .40 peers=198.51.100.4:288 beacon_gaps=287 beacon_gap_cv=.02`,
	"anomaly":      `10:00+3600 actor 10.0.0.77 anomaly .80`,
}

func goldenFindings(t testing.TB, name string) []picket.Finding {
	t.Helper()
	alerts := parse(t, incidents[name])
	usual := 3.0
	words := map[string]Feature{"service_ports": {"ports", &usual}, "packet_size_mean": {"bytes", nil}, "beacon_gap_cv": {"ratio", &usual}}
	findings := Diff(nil, Triage(alerts, Config{Model: "m1", Words: words}))
	for i := range findings {
		findings[i].Evidence = []picket.Evidence{{Object: "raw/a.log.gz", Version: "f00d", FirstLine: 3, LastLine: 900, Flows: 12}}
	}
	return findings
}

// events are the findings of all golden files in every status.
func events(t testing.TB) []picket.Finding {
	var out []picket.Finding
	for _, name := range sortedKeys(incidents) {
		first := goldenFindings(t, name)
		stronger := make([]picket.Finding, len(first))
		for i, f := range first {
			f.Windows++
			stronger[i] = f
		}
		out = append(out, first...)
		second := Diff(first, stronger)
		out = append(out, second...)
		hidden := append([]picket.Finding(nil), stronger...)
		Suppress(hidden, []Rule{{Class: "*", Expires: time.Unix(day, 0).AddDate(1, 0, 0), Author: "a", Reason: "r"}}, time.Unix(day, 0))
		third := Diff(second, hidden)
		out = append(out, third...)
		out = append(out, Diff(third, nil)...)
	}
	return out
}

func TestGolden(t *testing.T) {
	for name := range incidents {
		var got bytes.Buffer
		if err := (Encoder{Version: "0.1.0"}).WriteJSONL(&got, goldenFindings(t, name)); err != nil {
			t.Fatal(err)
		}
		file := filepath.Join("testdata", name+".golden.jsonl")
		if *update {
			if err := os.WriteFile(file, got.Bytes(), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(string(want), got.String()); d != "" {
			t.Errorf("%s: run with -update and review (-want +got)\n%s", name, d)
		}
	}
}

func compileSchema(t testing.TB) *jsonschema.Schema {
	t.Helper()
	s, err := jsonschema.NewCompiler().Compile("testdata/detection_finding-1.6.0-cloud.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// encoded returns one event as JSON that a test may change.
func encoded(t testing.TB, e Encoder, f picket.Finding) map[string]any {
	t.Helper()
	text, err := e.Encode(&f)
	if err != nil {
		t.Fatal(err)
	}
	v, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		t.Fatalf("%v in %s", err, text)
	}
	return v.(map[string]any)
}

func TestSchema(t *testing.T) {
	schema := compileSchema(t)
	encoders := []Encoder{
		{},
		{Version: "0.1.0", Cloud: Cloud{"AWS", "123456789012", "eu-west-1"}, Processed: time.Unix(day, 0)},
		{Cloud: Cloud{Provider: "GCP", Account: "my-project"}},
	}
	activities := map[string]bool{}
	for _, f := range events(t) {
		for _, e := range encoders {
			v := encoded(t, e, f)
			if err := schema.Validate(v); err != nil {
				t.Errorf("%s %s: %v", f.Class, f.Status, err)
			}
			checkCaptions(t, v)
			activities[fmt.Sprint(v["type_uid"], " ", v["status"])] = true
		}
	}
	want := map[string]bool{"200401 New": true, "200402 New": true, "200402 Suppressed": true, "200403 Resolved": true}
	if d := cmp.Diff(want, activities); d != "" {
		t.Errorf("events (-want +got)\n%s", d)
	}
}

// pairs are the captions that belong to an id, from the schema's text: the JSON
// Schema itself does not tie them together.
var pairs = []struct {
	id, caption string
	captions    map[string]string
}{
	{"activity_id", "activity_name", map[string]string{"0": "Unknown", "1": "Create", "2": "Update", "3": "Close", "99": "Other"}},
	{"category_uid", "category_name", map[string]string{"2": "Findings"}},
	{"class_uid", "class_name", map[string]string{"2004": "Detection Finding"}},
	{"type_uid", "type_name", map[string]string{"200401": "Detection Finding: Create", "200402": "Detection Finding: Update", "200403": "Detection Finding: Close"}},
	{"severity_id", "severity", map[string]string{"0": "Unknown", "1": "Informational", "2": "Low", "3": "Medium", "4": "High", "5": "Critical", "6": "Fatal"}},
	{"confidence_id", "confidence", map[string]string{"0": "Unknown", "1": "Low", "2": "Medium", "3": "High"}},
	{"status_id", "status", map[string]string{"0": "Unknown", "1": "New", "2": "In Progress", "3": "Suppressed", "4": "Resolved", "5": "Archived", "6": "Deleted"}},
	{"role_id", "role", map[string]string{"0": "Unknown", "1": "Target", "2": "Actor", "3": "Affected", "4": "Related"}},
}

// typeIDs are the captions of type_id by the object that it is in.
var typeIDs = map[string]map[string]string{
	"observables": {"1": "Hostname", "2": "IP Address", "4": "User Name", "6": "URL String", "10": "Resource UID"},
	"analytic":    {"1": "Rule", "2": "Behavioral", "3": "Statistical", "4": "Learning (ML/DL)", "5": "Fingerprinting"},
	"account":     {"10": "AWS Account"},
}

func checkCaptions(t testing.TB, event map[string]any) {
	t.Helper()
	for _, err := range captionErrors("", event) {
		t.Error(err)
	}
	if fmt.Sprint(event["type_uid"]) != fmt.Sprintf("%v0%v", event["class_uid"], event["activity_id"]) {
		t.Errorf("type_uid %v of activity %v", event["type_uid"], event["activity_id"])
	}
	for i, o := range event["observables"].([]any) {
		name := o.(map[string]any)["name"].(string)
		var at int
		var field string
		if _, err := fmt.Sscanf(name, "resources[%d].%s", &at, &field); err != nil {
			t.Fatalf("observable %d: name %q is no path", i, name)
		}
		if got := event["resources"].([]any)[at].(map[string]any)[field]; got != o.(map[string]any)["value"] {
			t.Errorf("observable %s is %v, the resource has %v", name, o.(map[string]any)["value"], got)
		}
	}
}

func captionErrors(parent string, v any) []error {
	var out []error
	switch v := v.(type) {
	case []any:
		for _, x := range v {
			out = append(out, captionErrors(parent, x)...)
		}
	case map[string]any:
		for _, p := range pairs {
			if id, ok := v[p.id]; ok && p.captions[fmt.Sprint(id)] != v[p.caption] {
				out = append(out, fmt.Errorf("%s: %s %v with %s %v", parent, p.id, id, p.caption, v[p.caption]))
			}
		}
		if id, ok := v["type_id"]; ok && typeIDs[parent][fmt.Sprint(id)] != v["type"] {
			out = append(out, fmt.Errorf("%s: type_id %v with type %v", parent, id, v["type"]))
		}
		for _, name := range sortedKeys(v) {
			out = append(out, captionErrors(name, v[name])...)
		}
	}
	return out
}

// TestSchemaRefuses: what the tests above rely on does notice mistakes.
func TestSchemaRefuses(t *testing.T) {
	schema := compileSchema(t)
	f := func(name string, change func(map[string]any)) {
		t.Helper()
		v := encoded(t, Encoder{Cloud: Cloud{"AWS", "123456789012", ""}}, goldenFindings(t, "scan")[0])
		if schema.Validate(v) != nil || captionErrors("", v) != nil {
			t.Fatal("the finding itself is refused")
		}
		change(v)
		if schema.Validate(v) == nil && captionErrors("", v) == nil {
			t.Errorf("%s was let through", name)
		}
	}
	info := func(v map[string]any) map[string]any { return v["finding_info"].(map[string]any) }
	f("missing uid", func(v map[string]any) { delete(info(v), "uid") })
	f("missing cloud", func(v map[string]any) { delete(v, "cloud") })
	f("severity 9", func(v map[string]any) { v["severity_id"] = json.Number("9") })
	f("unknown attribute", func(v map[string]any) { v["revision"] = "1" })
	f("wrong type_uid", func(v map[string]any) { v["type_uid"] = json.Number("200499999") })
	f("ISO time", func(v map[string]any) { v["time"] = "2026-03-02T10:04:00Z" })
	f("bad IP", func(v map[string]any) { v["resources"].([]any)[0].(map[string]any)["ip"] = "10.0.0.999" })
	f("observable without type_id", func(v map[string]any) { delete(v["observables"].([]any)[0].(map[string]any), "type_id") })
	f("empty evidence", func(v map[string]any) { v["evidences"] = []any{map[string]any{}} })
	f("fractional confidence", func(v map[string]any) { v["confidence_score"] = json.Number("0.97") })
	f("wrong severity caption", func(v map[string]any) { v["severity"] = "Critical" })
	f("wrong status caption", func(v map[string]any) { v["status"] = "Closed" })
	f("wrong role caption", func(v map[string]any) { v["resources"].([]any)[0].(map[string]any)["role"] = "Target" })
	f("wrong analytic caption", func(v map[string]any) { info(v)["analytic"].(map[string]any)["type"] = "Rule" })
}

func TestRoundTrip(t *testing.T) {
	for _, f := range events(t) {
		text, err := Encoder{}.Encode(&f)
		if err != nil {
			t.Fatal(err)
		}
		got, err := Decode(text)
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(f, got, cmpopts.EquateNaNs(), cmpopts.EquateEmpty()); d != "" {
			t.Errorf("%s (-encoded +decoded)\n%s", f.Title, d)
		}
	}
}

// TestNoNaN: whatever floats a score holds, the event is JSON.
func TestNoNaN(t *testing.T) {
	schema := compileSchema(t)
	odd := []float64{math.NaN(), math.Inf(1), math.Inf(-1), 0, 1.5, -3}
	rapid.Check(t, func(t *rapid.T) {
		draw := func(name string) float64 { return rapid.SampledFrom(odd).Draw(t, name) }
		f := picket.Finding{
			UID: "u", Class: "scan", Entity: picket.Entity{Kind: picket.KindActor, ID: rapid.String().Draw(t, "id")},
			Confidence: draw("confidence"), Margin: draw("margin"), Threshold: draw("threshold"),
			Features: map[string]float64{"a": draw("a")}, Reasons: []picket.Contribution{{Feature: "a", Value: draw("value"), Shap: draw("shap")}},
			Severity: picket.Severity(rapid.IntRange(-1, 9).Draw(t, "severity")),
		}
		text, err := Encoder{}.Encode(&f)
		if err != nil {
			t.Fatal(err)
		}
		v, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
		if err != nil {
			t.Fatal(err)
		}
		if err := schema.Validate(v); err != nil {
			t.Fatal(err)
		}
	})
}

func TestPercent(t *testing.T) {
	f := func(p float64, want int) {
		t.Helper()
		if got := percent(p); got != want {
			t.Errorf("%v is %d %%", p, got)
		}
	}
	f(0.29, 29) // 28.999999999999996 as a float
	f(0.999, 99)
	f(1, 100)
	f(-1, 0)
	f(7, 100)
	f(math.NaN(), 0)
}

func TestDecodeRefuses(t *testing.T) {
	f := func(text, want string) {
		t.Helper()
		_, err := ReadJSONL(strings.NewReader(text))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
	f("{", "line 1: decode finding: unexpected end")
	f("\n\n{}", "line 3: decode finding: class_uid 0")
	f(`{"class_uid":2004,"finding_info":{"uid":"x"}}`, `uid "x" is not a finding of Picket`)
	f(`{"time":"2026-03-02T10:04:00Z"}`, "decode finding: json")
	if _, err := ReadJSONL(strings.NewReader(strings.Repeat(" ", maxLine+1))); err == nil {
		t.Error("an endless line was read")
	}
}

func FuzzDecode(f *testing.F) {
	for _, e := range events(f) {
		text, err := Encoder{}.Encode(&e)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		first, err := Decode(text)
		if err != nil {
			return
		}
		once, err := Encoder{}.Encode(&first)
		if err != nil {
			t.Fatal(err)
		}
		second, err := Decode(once)
		if err != nil {
			t.Fatalf("%v in what was encoded: %s", err, once)
		}
		twice, err := Encoder{}.Encode(&second)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(once, twice) {
			t.Fatalf("encoded twice:\n%s\n%s", once, twice)
		}
	})
}
