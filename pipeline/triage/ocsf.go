package triage

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"net/netip"
	"slices"
	"strings"
	"time"

	"picket"
)

// OCSFVersion is the version of the Open Cybersecurity Schema Framework that
// findings are written in (https://schema.ocsf.io/1.6.0/classes/detection_finding).
const OCSFVersion = "1.6.0"

// Encoder writes findings as OCSF Detection Findings. What it is given is the
// same for all findings of a run.
type Encoder struct {
	Version   string    // of Picket
	Cloud     Cloud     // where the logs are from
	Processed time.Time // when; left out if zero, so that the same finding is the same bytes
}

// Cloud is what is known of where logs are from. Without a provider, VPC flow
// logs are from AWS, which alone writes them, and others from "Unknown": a
// capture does not say where its sensor stood.
type Cloud struct {
	Provider string
	Account  string // AWS account id
	Region   string
}

// Encode returns a finding as one line of JSON without the line's end.
func (e Encoder) Encode(f *picket.Finding) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(e.event(f)); err != nil {
		return nil, fmt.Errorf("encode finding %s: %w", f.UID, err)
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}

// WriteJSONL writes findings as OCSF, one on a line.
func (e Encoder) WriteJSONL(w io.Writer, findings []picket.Finding) error {
	for i := range findings {
		line, err := e.Encode(&findings[i])
		if err != nil {
			return err
		}
		if _, err := w.Write(append(line, '\n')); err != nil {
			return err
		}
	}
	return nil
}

// WriteJSON writes findings as one array of OCSF events, a line each.
func (e Encoder) WriteJSON(w io.Writer, findings []picket.Finding) error {
	var b bytes.Buffer
	b.WriteString("[\n")
	for i := range findings {
		line, err := e.Encode(&findings[i])
		if err != nil {
			return err
		}
		if i > 0 {
			b.WriteString(",\n")
		}
		b.Write(line)
	}
	b.WriteString("\n]\n")
	_, err := w.Write(b.Bytes())
	return err
}

func (e Encoder) event(f *picket.Finding) *event {
	activity, status, confidence := activityOf(f), statusOf(f), confidenceOf(f)
	ev := &event{
		ActivityID: activity.id, ActivityName: activity.caption,
		CategoryUID: 2, CategoryName: "Findings",
		ClassUID: classUID, ClassName: "Detection Finding",
		TypeUID: classUID*100 + activity.id, TypeName: "Detection Finding: " + activity.caption,
		Time: f.LastSeen * 1000, StartTime: f.FirstSeen * 1000, EndTime: f.LastSeen * 1000,
		SeverityID: severityOf(f).id, Severity: severityOf(f).caption,
		StatusID: status.id, Status: status.caption,
		ConfidenceID: confidence.id, Confidence: confidence.caption, ConfidenceScore: percent(f.Confidence),
		IsAlert:  f.Status == picket.StatusNew || f.Status == picket.StatusUpdated,
		Count:    f.Count,
		Message:  f.Sentence,
		Metadata: e.metadata(f),
		Cloud:    e.cloud(f.Source),
		FindingInfo: findingInfo{
			UID: f.UID, Title: f.Title, Desc: f.Sentence,
			FirstSeenTime: f.FirstSeen * 1000, LastSeenTime: f.LastSeen * 1000,
			Types: distinct(f.Class, f.Type), DataSources: distinct(f.Source),
			Analytic: analyticOf(f), Attacks: attacksOf(f),
		},
		Evidences: []evidences{evidenceOf(f)},
		Unmapped:  unmappedField{oursOf(f)},
	}
	if f.Verdict != nil {
		verdict := verdicts[f.Verdict.Says]
		ev.VerdictID, ev.Verdict = verdict.id, verdict.caption
	}
	if f.Successor != "" {
		ev.StatusDetail = "merged into " + f.Successor
	}
	ev.Resources, ev.Observables = resourcesOf(f)
	return ev
}

const classUID = 2004

// verdicts are what OCSF calls an analyst's word.
var verdicts = map[string]coded{
	picket.VerdictFalse:    {1, "False Positive"},
	picket.VerdictTrue:     {2, "True Positive"},
	picket.VerdictExpected: {5, "Benign"},
}

func (e Encoder) metadata(f *picket.Finding) metadata {
	m := metadata{
		Version: OCSFVersion, Profiles: []string{"cloud"}, UID: EventUID(f), LogName: f.Source,
		Product: product{Name: "Picket", VendorName: "Picket", UID: "picket", Version: e.Version},
	}
	if !e.Processed.IsZero() {
		m.ProcessedTime = e.Processed.UnixMilli()
	}
	return m
}

func (e Encoder) cloud(source string) cloud {
	c := cloud{Provider: e.Cloud.Provider, Region: e.Cloud.Region}
	if family, _, _ := strings.Cut(source, "/"); c.Provider == "" {
		c.Provider = "Unknown"
		if family == picket.SourceVPC {
			c.Provider = "AWS"
		}
	}
	if e.Cloud.Account != "" {
		c.Account = &account{UID: e.Cloud.Account}
		if c.Provider == "AWS" {
			c.Account.TypeID, c.Account.Type = 10, "AWS Account"
		}
	}
	return c
}

// coded is an OCSF id and the caption that belongs to it.
type coded struct {
	id      int
	caption string
}

func activityOf(f *picket.Finding) coded {
	switch {
	case f.Status == picket.StatusClosed:
		return coded{3, "Close"}
	case f.Count > 1:
		return coded{2, "Update"}
	}
	return coded{1, "Create"}
}

func statusOf(f *picket.Finding) coded {
	switch f.Status {
	case picket.StatusClosed:
		return coded{4, "Resolved"}
	case picket.StatusSuppressed:
		return coded{3, "Suppressed"}
	}
	return coded{1, "New"} // an update too: In Progress means that somebody looks at it
}

func severityOf(f *picket.Finding) coded {
	captions := [...]string{"Unknown", "Informational", "Low", "Medium", "High", "Critical"}
	if f.Severity < 1 || int(f.Severity) >= len(captions) {
		return coded{0, captions[0]}
	}
	return coded{int(f.Severity), captions[f.Severity]}
}

// confidenceOf puts a probability into thirds of our own: below an even chance
// is low, from nine in ten is high.
func confidenceOf(f *picket.Finding) coded {
	switch {
	case f.Confidence >= 0.9:
		return coded{3, "High"}
	case f.Confidence >= 0.5:
		return coded{2, "Medium"}
	}
	return coded{1, "Low"}
}

// percent is a probability in 0 to 100, rounded down: 100 is certainty alone.
func percent(p float64) int {
	if math.IsNaN(p) {
		return 0
	}
	return int(min(max(p, 0), 1)*100 + 1e-9)
}

func analyticOf(f *picket.Finding) analytic {
	id := picket.BoosterID{Detector: f.Detector, Kind: f.Entity.Kind, Seconds: f.Seconds}
	a := analytic{TypeID: 4, Type: "Learning (ML/DL)", Name: "picket " + id.String(), UID: f.Model}
	switch {
	case f.Class == picket.ClassAnomaly:
		a.TypeID, a.Type = 3, "Statistical"
	case f.Cut == picket.CutRule || f.Cut == picket.CutList:
		a = analytic{TypeID: 1, Type: "Rule", Name: "picket " + f.Cut + " " + f.Type}
	}
	return a
}

func evidenceOf(f *picket.Finding) evidences {
	ev := evidences{Name: "window", Data: evidenceData{
		WindowStart: f.At, WindowSeconds: f.Seconds,
		Features: make(map[string]number, len(f.Features)), Contributions: make([]contribution, len(f.Reasons)),
		Objects: f.Evidence,
	}}
	for name, v := range f.Features {
		if !math.IsNaN(v) && !math.IsInf(v, 0) {
			ev.Data.Features[name] = number(v)
		}
	}
	for i, c := range f.Reasons {
		ev.Data.Contributions[i] = contribution{c.Feature, number(c.Value), number(c.Shap)}
	}
	own, peer := endpointOf(f.Entity.ID), endpointOf("")
	if len(f.Peers) > 0 {
		peer = endpointOf(f.Peers[0])
	}
	switch f.Entity.Kind {
	case picket.KindActor:
		ev.Src, ev.Dst = own, peer
	case picket.KindVictim:
		ev.Src, ev.Dst = peer, own
	}
	return ev
}

func endpointOf(id string) *endpoint {
	if id == "" {
		return nil // an endpoint must be named somehow
	}
	if ip := plainIP(id); ip != "" {
		return &endpoint{IP: ip}
	}
	return &endpoint{Name: id}
}

// plainIP returns id if it is an address without a zone, else "".
func plainIP(id string) string {
	if a, err := netip.ParseAddr(id); err != nil || a.Zone() != "" {
		return ""
	}
	return id
}

// resourcesOf returns the entity and its peers, each with its part in it.
func resourcesOf(f *picket.Finding) ([]resource, []observable) {
	role, other := coded{3, "Affected"}, coded{4, "Related"}
	switch f.Entity.Kind {
	case picket.KindActor:
		role, other = coded{2, "Actor"}, coded{1, "Target"}
	case picket.KindVictim:
		role, other = coded{1, "Target"}, coded{2, "Actor"}
	case picket.KindPrincipal:
		role, other = coded{3, "Affected"}, coded{2, "Actor"}
	}
	var resources []resource
	var observables []observable
	add := func(id string, kind picket.Kind, role coded) {
		r := resource{UID: id, IP: plainIP(id), RoleID: role.id, Role: role.caption}
		field, o := "uid", observableType(id, kind)
		r.Type = o.caption
		if r.IP != "" {
			field = "ip"
		}
		observables = append(observables, observable{fmt.Sprintf("resources[%d].%s", len(resources), field), o.id, o.caption, id})
		resources = append(resources, r)
	}
	add(f.Entity.ID, f.Entity.Kind, role)
	for _, id := range f.Others {
		add(id, f.Entity.Kind, role)
	}
	for _, p := range f.Peers {
		add(p, "", other)
	}
	return resources, observables
}

func observableType(id string, kind picket.Kind) coded {
	switch {
	case plainIP(id) != "":
		return coded{2, "IP Address"}
	case kind == picket.KindPrincipal:
		return coded{4, "User Name"}
	case strings.Contains(id, "/"):
		return coded{6, "URL String"}
	case kind == picket.KindName:
		return coded{1, "Hostname"}
	}
	return coded{10, "Resource UID"}
}

func oursOf(f *picket.Finding) ours {
	return ours{
		Status: f.Status, Revision: f.Revision, Successor: f.Successor,
		Detector: f.Detector, Class: f.Class, Type: f.Type,
		EntityKind: string(f.Entity.Kind), Entity: f.Entity.ID, Peers: f.Peers, Facts: f.Facts, Windows: f.Windows,
		Network: f.Network, Hosts: f.Hosts, Others: f.Others,
		Confidence: number(f.Confidence), Margin: number(f.Margin), Threshold: number(f.Threshold), Cut: f.Cut,
		Model: f.Model, Source: f.Source, Verdict: f.Verdict,
	}
}

// distinct returns the texts that are not empty, each once.
func distinct(texts ...string) []string {
	var out []string
	for _, s := range texts {
		if s != "" && !slices.Contains(out, s) {
			out = append(out, s)
		}
	}
	return out
}
