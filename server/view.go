package server

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"picket"
	"picket/telemetry"
)

// What the pages show, ready to print. Every text in here went through clean;
// escaping is html/template's.
type (
	frame struct {
		Title, Version string
		Refresh        int // seconds; 0 never
	}
	home struct {
		frame
		Stages   []stageView
		Findings []findingView
		Count    string
		Model    *modelView
		Facts    []fact
		Drops    []fact
		Up       string
		Cut      string
		Trouble  string
		NotReady string
	}
	finding struct {
		frame
		Finding  findingView
		Facts    []fact
		Reasons  []reasonView
		Evidence []evidenceView
		Rows     *Table
		Features []fact
		Judge    bool // there is a form for verdicts
	}
	fact        struct{ Name, Value string }
	stageView   struct{ Name, In, Out, Dropped, Errors, Took string }
	findingView struct {
		UID                                                                                     string // escaped for a path
		Title, Sentence, Type, Entity, Status, Severity, SeverityClass, Confidence, First, Last string
	}
	modelView struct {
		ID, Name string
		Boosters []boosterView
	}
	boosterView  struct{ ID, Columns, Classes string }
	reasonView   struct{ Name, Value, Shap, Direction, X, Width string }
	evidenceView struct{ Object, Version, First, Last, Flows string }
)

// longest is the most of one text that is shown, in characters.
const longest = 300

// clean makes text from a log safe to look at: no control characters, none that
// turn the direction of writing or take no room, nothing endless.
func clean(s string) string {
	var b strings.Builder
	n := 0
	for _, r := range s { // bytes that are not UTF-8 come as U+FFFD
		if n++; n > longest {
			b.WriteRune('…')
			break
		}
		switch {
		case r == '\n' || r == '\t' || r == '\r':
			b.WriteByte(' ')
		case unicode.IsControl(r) || unicode.Is(unicode.Cf, r) || r == '\u2028' || r == '\u2029':
			b.WriteRune('\uFFFD')
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}

func homePage(samples []telemetry.Sample, list []picket.Finding, m *picket.Model) home {
	h := home{Count: "none"}
	if len(list) > 0 {
		h.Count = "the last " + strconv.Itoa(len(list))
	}
	for _, f := range list {
		h.Findings = append(h.Findings, viewFinding(f))
	}
	for _, stage := range []string{"decode", "extract", "infer", "triage"} {
		h.Stages = append(h.Stages, viewStage(samples, stage))
	}
	for _, s := range samples {
		switch s.Name {
		case "picket_records_total":
			if s.Label("result") == "dropped" {
				h.Drops = append(h.Drops, fact{clean(s.Label("stage") + ": " + s.Label("reason")), count(s.Value)})
			}
		case "picket_lag_seconds":
			h.Facts = append(h.Facts, fact{clean("lag of " + s.Label("source")), seconds(s.Value)})
		case "picket_last_retrain_timestamp_seconds":
			h.Facts = append(h.Facts, fact{clean("last retrain, " + s.Label("outcome")), clock(int64(s.Value))})
		}
	}
	h.Facts = append(h.Facts, fact{"requests answered", count(telemetry.Sum(samples, "picket_invocations_total"))})
	h.Facts = append(h.Facts, viewDrift(samples)...)
	h.Model = viewModel(m)
	return h
}

func viewStage(samples []telemetry.Sample, stage string) stageView {
	sum := func(name string, labels ...string) float64 {
		return telemetry.Sum(samples, name, append(labels, "stage", stage)...)
	}
	v := stageView{
		Name: stage,
		In:   count(sum("picket_records_total", "result", "in")),
		Out:  count(sum("picket_records_total", "result", "out")),
	}
	v.Dropped = count(sum("picket_records_total", "result", "dropped"))
	if n := sum("picket_errors_total"); n > 0 {
		v.Errors = count(n)
	}
	for _, s := range samples {
		if s.Name == "picket_latency_seconds" && s.Label("stage") == stage && s.Count > 0 {
			v.Took = seconds(s.Value / float64(s.Count))
		}
	}
	return v
}

// viewDrift returns how far the scores have drifted where they did most, and the
// three features that moved most, from 0.1 up, which is where the index begins to
// mean a shift.
func viewDrift(samples []telemetry.Sample) []fact {
	var scores, moved []telemetry.Sample
	for _, s := range samples {
		switch {
		case s.Name != "picket_drift_psi":
		case s.Label("feature") == "score":
			scores = append(scores, s)
		case s.Value >= .1:
			moved = append(moved, s)
		}
	}
	most := func(a, b telemetry.Sample) int { return cmp.Compare(b.Value, a.Value) }
	slices.SortStableFunc(scores, most)
	slices.SortStableFunc(moved, most)
	var facts []fact
	for _, s := range append(scores[:min(1, len(scores))], moved[:min(3, len(moved))]...) {
		facts = append(facts, fact{clean("drift of " + s.Label("feature") + " in " + s.Label("booster")), fmt.Sprintf("%.2f", s.Value)})
	}
	return facts
}

func viewModel(m *picket.Model) *modelView {
	if m == nil {
		return nil
	}
	v := &modelView{ID: clean(m.ID), Name: clean(m.Name)}
	for _, b := range m.Boosters {
		v.Boosters = append(v.Boosters, boosterView{clean(b.ID.String()), strconv.Itoa(len(b.Schema.Names)), clean(strings.Join(b.Classes, ", "))})
	}
	return v
}

func viewFinding(f picket.Finding) findingView {
	v := findingView{
		UID: url.PathEscape(f.UID), Title: clean(f.Title), Sentence: clean(strings.TrimPrefix(f.Sentence, f.Title+" ")), Type: clean(cmp.Or(f.Type, f.Class)),
		Entity: clean(f.Entity.ID), Confidence: percent(f.Confidence), First: clock(f.FirstSeen), Last: clock(f.LastSeen),
	}
	if v.Title == "" {
		v.Title = clean(f.UID)
	}
	if f.Status != picket.StatusNew {
		v.Status = clean(f.Status)
	}
	v.Severity = severity(f.Severity)
	v.SeverityClass = v.Severity
	return v
}

func findingPage(f picket.Finding, rows Table) finding {
	p := finding{Finding: viewFinding(f), Reasons: viewReasons(f.Reasons), Rows: viewRows(rows)}
	add := func(name, value string) {
		if value != "" {
			p.Facts = append(p.Facts, fact{name, clean(value)})
		}
	}
	add("entity", f.Entity.String())
	add("class", f.Class)
	add("type", f.Type)
	add("confidence", percent(f.Confidence))
	add("first seen", clock(f.FirstSeen))
	add("last seen", clock(f.LastSeen))
	add("windows", fmt.Sprintf("%d fired, the surest of %s", f.Windows, seconds(float64(f.Seconds))))
	add("peers", strings.Join(f.Peers, ", "))
	if f.Network != "" {
		add("network", fmt.Sprintf("%s, %d hosts of it", f.Network, f.Hosts))
		add("other hosts", strings.Join(f.Others, ", "))
	}
	add("margin", fmt.Sprintf("%.3f against a threshold of %.3f", f.Margin, f.Threshold))
	add("threshold from", cutWords[f.Cut])
	add("source", f.Source)
	add("detector", f.Detector)
	add("model", f.Model)
	add("merged into", f.Successor)
	add("uid", f.UID)
	if strings.Trim(f.UID, "0123456789abcdef") == "" { // nothing that a shell would do something with
		add("in a terminal", "picket explain "+f.UID)
	}
	add("revision", f.Revision)
	if v := f.Verdict; v != nil {
		add("verdict", fmt.Sprintf("%s, by %s at %s", v.Says, v.Author, clock(v.At)))
		add("because", v.Reason)
	}
	for _, e := range f.Evidence[:min(pageRows, len(f.Evidence))] {
		p.Evidence = append(p.Evidence, evidenceView{
			clean(e.Object), clean(e.Version[:min(12, len(e.Version))]),
			count(float64(e.FirstLine)), count(float64(e.LastLine)), count(float64(e.Flows)),
		})
	}
	for _, name := range slices.Sorted(maps.Keys(f.Features)) {
		p.Features = append(p.Features, fact{clean(name), value(f.Features[name])})
	}
	return p
}

// cutWords say where the threshold of a finding is from.
var cutWords = map[string]string{
	picket.CutShipped:  "the model package",
	picket.CutBudget:   "the alert budget: this site's own incident scores",
	picket.CutBaseline: "the baseline: what this site was seen to do",
}

// viewReasons draws each contribution as a bar from the middle of 200 units; the
// largest fills its half.
func viewReasons(list []picket.Contribution) []reasonView {
	list = list[:min(pageReasons, len(list))]
	most := 0.0
	for _, c := range list {
		if !math.IsNaN(c.Shap) && !math.IsInf(c.Shap, 0) {
			most = max(most, math.Abs(c.Shap))
		}
	}
	var views []reasonView
	for _, c := range list {
		v := reasonView{Name: clean(c.Feature), Value: value(c.Value), Shap: fmt.Sprintf("%+.3f", c.Shap), Direction: "up", X: "100"}
		width := 0.0
		if most > 0 && !math.IsNaN(c.Shap) {
			width = min(100, 100*math.Abs(c.Shap)/most)
		}
		v.Width = strconv.FormatFloat(width, 'f', 1, 64)
		if c.Shap < 0 {
			v.Direction, v.X = "down", strconv.FormatFloat(100-width, 'f', 1, 64)
		}
		views = append(views, v)
	}
	return views
}

func viewRows(t Table) *Table {
	if len(t.Rows) == 0 {
		return nil
	}
	shown := &Table{Columns: cleanAll(t.Columns)}
	for _, row := range t.Rows[:min(pageRows, len(t.Rows))] {
		shown.Rows = append(shown.Rows, cleanAll(row))
	}
	return shown
}

func cleanAll(list []string) []string {
	out := make([]string, len(list))
	for i, s := range list {
		out[i] = clean(s)
	}
	return out
}

// severity returns OCSF's caption in lower case.
func severity(s picket.Severity) string {
	switch s {
	case picket.SeverityLow:
		return "low"
	case picket.SeverityMedium:
		return "medium"
	case picket.SeverityHigh:
		return "high"
	case picket.SeverityCritical:
		return "critical"
	}
	return "informational"
}

func clock(unix int64) string { return time.Unix(unix, 0).UTC().Format("2006-01-02 15:04:05") }

// percent never rounds to a certainty that is not there.
func percent(p float64) string {
	if p < 1 && p > .9995 {
		return "> 99.9 %"
	}
	return fmt.Sprintf("%.1f %%", 100*p)
}

// seconds prints a span of time: "1.2s", "1m15s", "10m", "24h", "3 days".
func seconds(s float64) string {
	d := time.Duration(s * float64(time.Second))
	switch {
	case d < time.Millisecond:
		return d.Round(time.Microsecond).String()
	case d < time.Minute:
		return d.Round(time.Millisecond).String()
	case d > 48*time.Hour:
		return count(math.Round(d.Hours()/24)) + " days"
	}
	text := d.Round(time.Second).String()
	for _, zero := range []string{"m0s", "h0m"} {
		if strings.HasSuffix(text, zero) {
			text = text[:len(text)-2]
		}
	}
	return text
}

// count groups the digits of a whole number by thousands.
func count(n float64) string {
	digits := strconv.FormatFloat(n, 'f', 0, 64)
	var b strings.Builder
	for i, c := range digits {
		if i > 0 && (len(digits)-i)%3 == 0 {
			b.WriteByte(',')
		}
		b.WriteRune(c)
	}
	return b.String()
}

func value(v float64) string {
	switch {
	case math.IsNaN(v):
		return "missing"
	case v == math.Trunc(v) && math.Abs(v) < 1e15 && v >= 0:
		return count(v)
	}
	return strconv.FormatFloat(v, 'g', 5, 64)
}
