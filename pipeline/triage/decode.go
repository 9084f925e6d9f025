package triage

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"

	"picket"
)

// maxLine is the longest finding that is read back, in bytes. One of ours is
// some kilobytes.
const maxLine = 16 << 20

// Decode reads one finding that Encode wrote. Detection Findings of other
// products are refused: they have no class or entity of ours.
func Decode(text []byte) (picket.Finding, error) {
	var ev event
	if err := json.Unmarshal(text, &ev); err != nil {
		return picket.Finding{}, fmt.Errorf("decode finding: %w", err)
	}
	o := ev.Unmapped.Picket
	if ev.ClassUID != classUID || ev.FindingInfo.UID == "" || o.Class == "" || o.Entity == "" {
		return picket.Finding{}, fmt.Errorf("decode finding: class_uid %d, uid %q is not a finding of Picket", ev.ClassUID, ev.FindingInfo.UID)
	}
	f := picket.Finding{
		UID: ev.FindingInfo.UID, Revision: o.Revision, Count: ev.Count, Status: o.Status, Successor: o.Successor,
		Detector: o.Detector, Class: o.Class, Type: o.Type,
		Severity: picket.Severity(ev.SeverityID), Confidence: float64(o.Confidence),
		Entity:    picket.Entity{Kind: picket.Kind(o.EntityKind), ID: o.Entity},
		FirstSeen: ev.FindingInfo.FirstSeenTime / 1000, LastSeen: ev.FindingInfo.LastSeenTime / 1000,
		Title: ev.FindingInfo.Title, Sentence: ev.FindingInfo.Desc,
		Windows: o.Windows, Source: o.Source, Model: o.Model,
		Threshold: float64(o.Threshold), Cut: o.Cut, Margin: float64(o.Margin), Peers: o.Peers, Facts: o.Facts,
		Network: o.Network, Hosts: o.Hosts, Others: o.Others, Verdict: o.Verdict,
	}
	if len(ev.Evidences) > 0 {
		readEvidence(&f, &ev.Evidences[0].Data)
	}
	return f, nil
}

func readEvidence(f *picket.Finding, data *evidenceData) {
	f.At, f.Seconds, f.Evidence = data.WindowStart, data.WindowSeconds, data.Objects
	f.Features = make(map[string]float64, len(data.Features))
	for name, v := range data.Features {
		if !math.IsNaN(float64(v)) {
			f.Features[name] = float64(v)
		}
	}
	for _, c := range data.Contributions {
		f.Reasons = append(f.Reasons, picket.Contribution{Feature: c.Feature, Value: float64(c.Value), Shap: float64(c.Shap)})
	}
}

// ReadJSONL reads findings, one on a line; empty lines are nothing. An error
// names its line, and what was read before it is returned with it.
func ReadJSONL(r io.Reader) ([]picket.Finding, error) {
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, maxLine)
	var out []picket.Finding
	n := 0
	for lines.Scan() {
		n++
		if len(bytes.TrimSpace(lines.Bytes())) == 0 {
			continue
		}
		f, err := Decode(lines.Bytes())
		if err != nil {
			return out, fmt.Errorf("line %d: %w", n, err)
		}
		out = append(out, f)
	}
	if err := lines.Err(); errors.Is(err, bufio.ErrTooLong) {
		return out, fmt.Errorf("line %d is longer than %d bytes", n+1, maxLine)
	} else if err != nil {
		return out, err
	}
	return out, nil
}
