package triage

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"picket"
)

// captions of finer types and, for the rest, of classes: how a title begins.
var captions = map[string]string{
	typeSYNFlood:             "SYN flood",
	typeACKFlood:             "ACK flood",
	typeUDPFlood:             "UDP flood",
	typeICMPFlood:            "ICMP flood",
	typeReflection:           "Reflection flood",
	typeHTTPFlood:            "HTTP flood",
	typePortScan:             "Port scan",
	typeHostSweep:            "Host sweep",
	typeSlowScan:             "Slow scan",
	typePingSweep:            "Ping sweep",
	typeUDPScan:              "UDP scan",
	typeXmasScan:             "XMAS scan",
	typeNullScan:             "NULL scan",
	typeFINScan:              "FIN scan",
	typeACKScan:              "ACK scan",
	typeSpraying:             "Password spraying",
	typeUpload:               "Bulk upload",
	typeDNSTunnel:            "DNS tunnel",
	typeICMPTunnel:           "ICMP tunnel",
	typeBeacon:               "Beacon",
	picket.ClassDDoS:         "Flood",
	picket.ClassScan:         "Scan",
	picket.ClassBruteforce:   "Brute force",
	picket.ClassExfiltration: "Exfiltration",
	picket.ClassC2:           "Command and control",
	picket.ClassAccess:       "Unauthorized access",
	picket.ClassPhishing:     "Phishing",
	picket.ClassAnomaly:      "Unusual behaviour",
}

func captionOf(f *picket.Finding) string {
	if t := accessTypeNamed(f); t != nil {
		return t.caption
	}
	if l := listOf(f); l != nil {
		return l.caption
	}
	if t, ok := ruleTypes[f.Type]; ok && f.Cut == picket.CutRule {
		return t.caption
	}
	if c, ok := captions[f.Type]; ok {
		return c
	}
	if service, ok := strings.CutSuffix(f.Type, "-bruteforce"); ok {
		return strings.ToUpper(service) + " brute force"
	}
	if c, ok := captions[f.Class]; ok {
		return c
	}
	return f.Class
}

// title names what, by whom and against whom: "Port scan by 10.0.0.9 against
// 10.0.0.5". counted is how many peers there are, where more than the finding lists.
func title(f *picket.Finding, counted int) string {
	peers := several(f, counted)
	switch f.Entity.Kind {
	case picket.KindActor:
		return join(captionOf(f)+" by "+f.Entity.ID, against[f.Class], peers)
	case picket.KindVictim:
		whom := f.Entity.ID
		if f.Network != "" {
			whom = fmt.Sprintf("%d hosts of %s, most against %s,", f.Hosts, f.Network, f.Entity.ID)
		}
		return join(captionOf(f)+" against "+whom, "by", peers)
	case picket.KindName:
		return join(captionOf(f)+": "+f.Entity.ID+imitating(f, peers), "asked for by", peers)
	}
	return join(captionOf(f)+": "+f.Entity.ID, "from", peers)
}

// imitating names the protected name that a name plays on, before those who asked.
func imitating(f *picket.Finding, peers string) string {
	i := slices.IndexFunc(f.Facts, func(fact picket.Fact) bool { return fact.Name == picket.FactImitates })
	if i < 0 {
		return ""
	}
	word, _, _ := strings.Cut(f.Facts[i].Value, " ")
	if peers == "" {
		return ", imitating " + word
	}
	return ", imitating " + word + ","
}

// against is the word between an attack and the other side, where it is not "against".
var against = map[string]string{
	picket.ClassDDoS:         "against",
	picket.ClassScan:         "against",
	picket.ClassBruteforce:   "against",
	picket.ClassExfiltration: "to",
	picket.ClassC2:           "to",
	picket.ClassAccess:       "to",
	picket.ClassPhishing:     "to",
	picket.ClassAnomaly:      "towards",
}

func join(head, word, peers string) string {
	if peers == "" {
		return head
	}
	return head + " " + word + " " + peers
}

// several names the other side: the one peer, or the largest and how many more.
func several(f *picket.Finding, counted int) string {
	if len(f.Peers) == 0 {
		return ""
	}
	n := max(len(f.Peers), counted)
	switch {
	case n == 1:
		return f.Peers[0]
	case n == 2 && len(f.Peers) == 2:
		return f.Peers[0] + " and " + f.Peers[1]
	}
	return fmt.Sprintf("%s and %d others", f.Peers[0], n-1)
}

// sentence says what happened, from when to when, how sure that is and which
// three features moved the score most: "Port scan by 10.0.0.9 against 10.0.0.5
// from 10:04 to 10:09 UTC on 2026-03-02, confidence 97 %: moved most by ...".
func sentence(f *picket.Finding, word func(feature string) Feature) string {
	s := fmt.Sprintf("%s %s, confidence %d %%", f.Title, when(f.FirstSeen, f.LastSeen), percent(f.Confidence))
	var moved []string
	for _, c := range f.Reasons {
		if len(moved) < 3 && !math.IsNaN(c.Shap) && c.Shap != 0 {
			moved = append(moved, moving(c, word(c.Feature)))
		}
	}
	if len(moved) > 0 {
		s += ": moved most by " + strings.Join(moved, ", ")
	}
	for _, f := range f.Facts {
		s += "; " + f.Name + " " + f.Value
	}
	return s
}

// when prints a range of one UTC day, to the second where it is under a minute.
func when(first, last int64) string {
	layout := "15:04"
	if last-first < picket.Minute {
		layout = "15:04:05"
	}
	from, to := time.Unix(first, 0).UTC(), time.Unix(last, 0).UTC()
	end := to.Format(layout)
	if last == dayOf(first)+picket.Day {
		end = strings.Replace(end, "00", "24", 1)
	}
	return fmt.Sprintf("from %s to %s UTC on %s", from.Format(layout), end, from.Format(time.DateOnly))
}

// moving prints one feature: "service_ports 812 ports (usual 3)", "idle_seconds
// missing", and says where one spoke for normal.
func moving(c picket.Contribution, word Feature) string {
	var notes []string
	if word.Usual != nil && !math.IsNaN(*word.Usual) {
		notes = append(notes, "usual "+quantity(*word.Usual, ""))
	}
	if c.Shap < 0 {
		notes = append(notes, "speaks against")
	}
	s := c.Feature + " " + quantity(c.Value, word.Unit)
	if len(notes) > 0 {
		s += " (" + strings.Join(notes, ", ") + ")"
	}
	return s
}

// quantity prints a value to three digits, from a hundred on without decimals.
func quantity(v float64, unit string) string {
	if math.IsNaN(v) {
		return "missing"
	}
	text := strconv.FormatFloat(v, 'g', 3, 64)
	if math.Abs(v) >= 100 && math.Abs(v) < 1e15 {
		text = strconv.FormatFloat(v, 'f', 0, 64)
	}
	switch unit {
	case "", "share", "ratio":
		return text
	}
	return text + " " + unit
}
