package triage

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"picket"
)

// day is 2026-03-02 00:00 UTC, the day of all tests.
var day = time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC).Unix()

// parse reads alerts, one on a line:
//
//	10:04+60 actor 10.0.0.9 scan .97 flows=120 peers=10.0.0.5:100,10.0.0.6:20
//
// The probability is that of the class; what is left goes to normal, or as
// "ddos=.3" to another class. What is no word of the alert is a feature. A peer
// in IPv6 has dashes for colons.
func parse(t testing.TB, text string) []Alert {
	t.Helper()
	var out []Alert
	for line := range strings.Lines(text) {
		if fields := strings.Fields(line); len(fields) > 0 {
			out = append(out, parseAlert(t, fields))
		}
	}
	return out
}

func parseAlert(t testing.TB, fields []string) Alert {
	t.Helper()
	clock, width, _ := strings.Cut(fields[0], "+")
	seconds := int64(number64(t, width))
	a := Alert{Key: "features/x/000001-a"}
	a.Entity = picket.Entity{Kind: picket.Kind(fields[1]), ID: fields[2]}
	a.Start, a.Seconds, a.Source, a.Elapsed = day+at(t, clock), seconds, "zeek", seconds
	a.Booster = picket.BoosterID{Detector: picket.DetectorTraffic, Kind: a.Entity.Kind, Seconds: seconds}
	a.Flows, a.Classes = 100, picket.TrafficClasses()
	switch a.Entity.Kind {
	case picket.KindPrincipal:
		a.Booster.Detector, a.Classes = picket.DetectorAccess, []string{picket.ClassNormal, picket.ClassAccess}
	case picket.KindName:
		a.Booster.Detector, a.Classes = picket.DetectorPhishing, []string{picket.ClassNormal, picket.ClassPhishing}
	}
	if fields[3] == picket.ClassAnomaly {
		a.Classes = []string{picket.ClassNormal, picket.ClassAnomaly}
	}
	a.Probabilities = make([]float64, len(a.Classes))
	a.set(t, fields[3], fields[4])
	for _, f := range fields[5:] {
		key, value, _ := strings.Cut(f, "=")
		a.set(t, key, value)
	}
	for _, p := range a.Probabilities[1:] {
		a.Malicious += p
	}
	a.Probabilities[0] = 1 - a.Malicious
	a.Margin = math.Log(a.Malicious / (1 - a.Malicious))
	a.Threshold = -1
	return a
}

func (a *Alert) set(t testing.TB, key, value string) {
	t.Helper()
	switch key {
	case "flows":
		a.Flows = uint64(number64(t, value))
	case "key":
		a.Key = value
	case "detector":
		a.Booster.Detector = value
	case "ruling":
		a.Ruling = &Ruling{Cut: picket.CutRule, Type: value, Severity: picket.SeverityHigh}
	case "source":
		a.Source = value
	case "elapsed":
		a.Elapsed = int64(number64(t, value))
	case "port":
		a.Port = uint16(number64(t, value))
	case "takers":
		for peer := range strings.SplitSeq(value, ",") {
			id, n, _ := strings.Cut(peer, ":")
			a.Takers = append(a.Takers, Peer{ID: id, Bytes: uint64(number64(t, n))})
		}
	case "peers":
		if !strings.Contains(value, ":") {
			a.move(t, key, value)
			return
		}
		for peer := range strings.SplitSeq(value, ",") {
			id, n, _ := strings.Cut(peer, ":")
			a.Peers = append(a.Peers, Peer{ID: strings.ReplaceAll(id, "-", ":"), Flows: uint64(number64(t, n))})
		}
	default:
		if i := slices.Index(a.Classes, key); i > 0 {
			a.Probabilities[i] = number64(t, value)
			return
		}
		a.move(t, key, value)
	}
}

// move adds a contribution, each of them smaller than the one before.
func (a *Alert) move(t testing.TB, feature, value string) {
	t.Helper()
	a.Contributions = append(a.Contributions, picket.Contribution{Feature: feature, Value: number64(t, value), Shap: 3 / float64(len(a.Contributions)+1)})
}

func number64(t testing.TB, s string) float64 {
	t.Helper()
	v, err := strconv.ParseFloat(s, 64)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func at(t testing.TB, clock string) int64 {
	t.Helper()
	c, err := time.Parse("15:04", clock)
	if err != nil {
		t.Fatal(err)
	}
	return int64(c.Hour()*3600 + c.Minute()*60)
}

// short prints findings as the tests name them, closed ones with their successor.
func short(findings []picket.Finding) string {
	name := map[string]string{}
	for _, f := range findings {
		name[f.UID] = f.Class + " " + f.Entity.String()
	}
	var lines []string
	for _, f := range findings {
		if f.Status == picket.StatusClosed {
			lines = append(lines, fmt.Sprintf("closed %s -> %s", name[f.UID], name[f.Successor]))
			continue
		}
		lines = append(lines, fmt.Sprintf("%s %.2f/%d %s n=%d [%s]", name[f.UID], f.Confidence, f.Seconds,
			strings.TrimSuffix(strings.TrimPrefix(when(f.FirstSeen, f.LastSeen), "from "), " UTC on 2026-03-02"), f.Windows, strings.Join(f.Peers, " ")))
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}

func TestTriage(t *testing.T) {
	f := func(name, alerts, want string) {
		t.Run(name, func(t *testing.T) {
			t.Helper()
			got := short(Triage(parse(t, alerts), Config{}))
			if d := cmp.Diff(lines(want), got); d != "" {
				t.Errorf("(-want +got)\n%s", d)
			}
		})
	}
	f("nothing", ``, ``)
	f("an upload names who got most of it first, a beacon who is outside", `
10:00+3600 actor 10.0.0.9 exfiltration .97 peers=10.0.0.5:100,8.8.8.8:20,9.9.9.9:2 takers=9.9.9.9:5000,7.7.7.7:900,8.8.8.8:10
10:00+3600 actor 10.0.0.7 c2 .97 peers=10.0.0.5:100,8.8.8.8:20 takers=9.9.9.9:5000`, `
c2 actor 10.0.0.7 0.97/3600 10:00 to 11:00 n=1 [8.8.8.8 10.0.0.5]
exfiltration actor 10.0.0.9 0.97/3600 10:00 to 11:00 n=1 [9.9.9.9 7.7.7.7 8.8.8.8 10.0.0.5]`)
	f("below its threshold, a rest and a malformed one are left out", `
		10:04+60 actor 10.0.0.9 scan .05
		10:04+60 actor * scan .99
		10:04+60 actor 10.0.0.8 anomaly NaN`, ``)
	f("windows of one class are one finding, the surest width named", `
		10:04+60 actor 10.0.0.9 scan .90
		10:05+60 actor 10.0.0.9 scan .80
		10:00+3600 actor 10.0.0.9 scan .97`,
		`scan actor 10.0.0.9 0.97/3600 10:04 to 10:06 n=3 []`)
	f("each UTC day has its own", `
		23:59+60 actor 10.0.0.9 scan .90`,
		`scan actor 10.0.0.9 0.90/60 23:59 to 24:00 n=1 []`)
	f("a partial window ends where it was seen to", `
		10:00+3600 actor 10.0.0.9 scan .90 elapsed=600`,
		`scan actor 10.0.0.9 0.90/3600 10:00 to 10:10 n=1 []`)
	f("one that does not say how much it saw is whole", `
		10:00+3600 actor 10.0.0.9 scan .90 elapsed=0`,
		`scan actor 10.0.0.9 0.90/3600 10:00 to 11:00 n=1 []`)
	f("the newer revision of a window counts", `
		10:04+60 actor 10.0.0.9 scan .90 key=000001-f
		10:04+60 actor 10.0.0.9 c2 .70 key=000002-a`,
		`c2 actor 10.0.0.9 0.70/60 10:04 to 10:05 n=1 []`)
	f("a wavering window takes its neighbours' class", `
		10:04+60 actor 10.0.0.9 bruteforce .90
		10:05+60 actor 10.0.0.9 scan .50 bruteforce=.45
		10:06+60 actor 10.0.0.9 bruteforce .92`,
		`bruteforce actor 10.0.0.9 0.95/60 10:04 to 10:07 n=3 []
		closed scan actor 10.0.0.9 -> bruteforce actor 10.0.0.9`)
	f("a clear scan before a brute force stands", `
		10:04+60 actor 10.0.0.9 scan .97
		10:05+60 actor 10.0.0.9 bruteforce .95
		10:06+60 actor 10.0.0.9 bruteforce .95`,
		`bruteforce actor 10.0.0.9 0.95/60 10:05 to 10:07 n=2 []
		scan actor 10.0.0.9 0.97/60 10:04 to 10:05 n=1 []`)
	f("one clear window in many does not stand", `
		10:04+60 actor 10.0.0.9 bruteforce .9
		10:05+60 actor 10.0.0.9 bruteforce .9
		10:06+60 actor 10.0.0.9 bruteforce .9
		10:07+60 actor 10.0.0.9 bruteforce .9
		10:08+60 actor 10.0.0.9 bruteforce .9
		10:09+60 actor 10.0.0.9 bruteforce .9
		10:10+60 actor 10.0.0.9 bruteforce .9
		10:11+60 actor 10.0.0.9 bruteforce .9
		10:12+60 actor 10.0.0.9 bruteforce .9
		10:13+60 actor 10.0.0.9 bruteforce .9
		10:14+60 actor 10.0.0.9 bruteforce .9
		10:15+60 actor 10.0.0.9 bruteforce .9
		10:16+60 actor 10.0.0.9 bruteforce .9
		10:17+60 actor 10.0.0.9 bruteforce .9
		10:18+60 actor 10.0.0.9 scan .8`,
		`bruteforce actor 10.0.0.9 0.90/60 10:04 to 10:19 n=15 []
		closed scan actor 10.0.0.9 -> bruteforce actor 10.0.0.9`)
	f("three do", `
		10:04+60 actor 10.0.0.9 bruteforce .9
		10:05+60 actor 10.0.0.9 bruteforce .9
		10:06+60 actor 10.0.0.9 bruteforce .9
		10:07+60 actor 10.0.0.9 bruteforce .9
		10:08+60 actor 10.0.0.9 bruteforce .9
		10:09+60 actor 10.0.0.9 bruteforce .9
		10:10+60 actor 10.0.0.9 bruteforce .9
		10:11+60 actor 10.0.0.9 bruteforce .9
		10:12+60 actor 10.0.0.9 bruteforce .9
		10:13+60 actor 10.0.0.9 bruteforce .9
		10:14+60 actor 10.0.0.9 bruteforce .9
		10:15+60 actor 10.0.0.9 bruteforce .9
		10:16+60 actor 10.0.0.9 bruteforce .9
		10:17+60 actor 10.0.0.9 bruteforce .9
		10:18+60 actor 10.0.0.9 scan .35
		10:19+60 actor 10.0.0.9 scan .4
		10:20+60 actor 10.0.0.9 scan .3`,
		`bruteforce actor 10.0.0.9 0.90/60 10:04 to 10:18 n=14 []
		scan actor 10.0.0.9 0.40/60 10:18 to 10:21 n=3 []`)
	f("hours apart, two classes are two findings", `
		10:04+60 actor 10.0.0.9 scan .50 c2=.4
		15:04+60 actor 10.0.0.9 exfiltration .95`,
		`exfiltration actor 10.0.0.9 0.95/60 15:04 to 15:05 n=1 []
		scan actor 10.0.0.9 0.90/60 10:04 to 10:05 n=1 []`)
	f("a wide window of the same flows takes the narrow ones' class", `
		10:04+60 actor 10.0.0.9 scan .97 flows=80
		10:00+3600 actor 10.0.0.9 c2 .60 scan=.35 flows=100
		00:00+86400 actor 10.0.0.9 exfiltration .60 flows=120`,
		`closed c2 actor 10.0.0.9 -> scan actor 10.0.0.9
		closed exfiltration actor 10.0.0.9 -> scan actor 10.0.0.9
		scan actor 10.0.0.9 0.97/60 10:04 to 10:05 n=3 []`)
	f("unless it is clear and they are not", `
		10:04+60 actor 10.0.0.9 scan .40 bruteforce=.30 flows=80
		10:00+3600 actor 10.0.0.9 bruteforce .95 flows=100`,
		`bruteforce actor 10.0.0.9 0.95/3600 10:04 to 10:05 n=2 []
		closed scan actor 10.0.0.9 -> bruteforce actor 10.0.0.9`)
	f("a wide window of other flows keeps its class", `
		10:04+60 actor 10.0.0.9 scan .97 flows=80
		00:00+86400 actor 10.0.0.9 c2 .60 flows=1000`,
		`c2 actor 10.0.0.9 0.60/86400 00:00 to 24:00 n=1 []
		scan actor 10.0.0.9 0.97/60 10:04 to 10:05 n=1 []`)
	f("an anomaly is shown beside the model's finding", `
		10:04+60 actor 10.0.0.9 scan .97
		10:04+60 actor 10.0.0.9 anomaly .99`,
		`anomaly actor 10.0.0.9 0.99/60 10:04 to 10:05 n=1 []
		scan actor 10.0.0.9 0.97/60 10:04 to 10:05 n=1 []`)
}

func TestMerge(t *testing.T) {
	f := func(name, alerts, want string) {
		t.Run(name, func(t *testing.T) {
			t.Helper()
			got := short(Triage(parse(t, alerts), Config{}))
			if d := cmp.Diff(lines(want), got); d != "" {
				t.Errorf("(-want +got)\n%s", d)
			}
		})
	}
	f("the actor carries a scan", `
		10:04+60 actor 10.0.0.9 scan .97 peers=10.0.0.5:100
		10:04+60 victim 10.0.0.5 scan .90 flows=110 peers=10.0.0.9:100`,
		`closed scan victim 10.0.0.5 -> scan actor 10.0.0.9
		scan actor 10.0.0.9 0.97/60 10:04 to 10:05 n=1 [10.0.0.5]`)
	f("the victim carries a flood", `
		10:04+60 actor 10.0.0.9 ddos .97 peers=10.0.0.5:100
		10:05+60 actor 10.0.0.8 ddos .97 peers=10.0.0.5:100
		10:04+60 victim 10.0.0.5 ddos .90 flows=900 peers=10.0.0.9:100
		10:05+60 victim 10.0.0.5 ddos .90 flows=900`,
		`closed ddos actor 10.0.0.8 -> ddos victim 10.0.0.5
		closed ddos actor 10.0.0.9 -> ddos victim 10.0.0.5
		ddos victim 10.0.0.5 0.90/60 10:04 to 10:06 n=2 [10.0.0.8 10.0.0.9]`)
	f("another hour is another incident", `
		10:04+60 actor 10.0.0.9 ddos .97 peers=10.0.0.5:100
		12:04+60 victim 10.0.0.5 ddos .90 peers=10.0.0.9:100`,
		`ddos actor 10.0.0.9 0.97/60 10:04 to 10:05 n=1 [10.0.0.5]
		ddos victim 10.0.0.5 0.90/60 12:04 to 12:05 n=1 [10.0.0.9]`)
	f("a fast scan of a host is no flood of it", `
		10:04+60 actor 10.0.0.9 scan .70 peers=10.0.0.5:1000 flows=1000
		10:04+60 victim 10.0.0.5 ddos .99 flows=1010 peers=10.0.0.9:1000,10.0.0.7:10`,
		`closed ddos victim 10.0.0.5 -> scan actor 10.0.0.9
		closed scan victim 10.0.0.5 -> scan actor 10.0.0.9
		scan actor 10.0.0.9 0.70/60 10:04 to 10:05 n=1 [10.0.0.5]`)
	f("a scan of a host that is flooded, by one that does nothing else, is of the flood", `
		10:04+60 actor 10.0.0.9 scan .97 peers=10.0.0.5:100
		10:04+60 victim 10.0.0.5 ddos .99 flows=5000 peers=10.0.0.9:100,10.0.0.7:10`,
		`closed scan actor 10.0.0.9 -> ddos victim 10.0.0.5
		ddos victim 10.0.0.5 0.99/60 10:04 to 10:05 n=1 [10.0.0.9 10.0.0.7]`)
	f("a scanner with other targets, or at other times, is no part of a flood", `
		10:04+60 actor 10.0.0.9 scan .97 peers=10.0.0.5:100,10.0.0.6:1
		10:04+60 actor 10.0.0.8 scan .97 peers=10.0.0.5:100
		10:09+60 actor 10.0.0.8 scan .97 peers=10.0.0.5:100
		10:04+60 victim 10.0.0.5 ddos .99 flows=5000
		10:00+3600 victim 10.0.0.5 ddos .99 flows=5100`,
		`ddos victim 10.0.0.5 0.99/60 10:04 to 10:05 n=2 []
		scan actor 10.0.0.8 0.97/60 10:04 to 10:10 n=2 [10.0.0.5]
		scan actor 10.0.0.9 0.97/60 10:04 to 10:05 n=1 [10.0.0.5 10.0.0.6]`)
	f("many weak sources that look like scanners do not talk a flood away", `
		10:04+60 actor 10.1.0.1 scan .80 flows=10 peers=10.0.0.5:10
		10:04+60 actor 10.1.0.2 scan .80 flows=10 peers=10.0.0.5:10
		10:04+60 actor 10.1.0.3 scan .80 flows=10 peers=10.0.0.5:10
		10:04+60 actor 10.1.0.4 scan .80 flows=10 peers=10.0.0.5:10
		10:04+60 actor 10.1.0.5 scan .80 flows=10 peers=10.0.0.5:10
		10:04+60 victim 10.0.0.5 ddos .99 flows=61 peers=10.1.0.1:10,10.1.0.2:10,10.1.0.3:10,10.1.0.4:10,10.1.0.5:10,10.1.0.6:10`,
		`closed scan actor 10.1.0.1 -> ddos victim 10.0.0.5
		closed scan actor 10.1.0.2 -> ddos victim 10.0.0.5
		closed scan actor 10.1.0.3 -> ddos victim 10.0.0.5
		closed scan actor 10.1.0.4 -> ddos victim 10.0.0.5
		closed scan actor 10.1.0.5 -> ddos victim 10.0.0.5
		ddos victim 10.0.0.5 0.99/60 10:04 to 10:05 n=1 [10.1.0.1 10.1.0.2 10.1.0.3 10.1.0.4 10.1.0.5 10.1.0.6]`)
	f("one source, two views: the more probable names it", `
		10:04+60 actor 10.0.0.9 ddos .50 bruteforce=.3 peers=10.0.0.5:100
		10:04+60 victim 10.0.0.5 bruteforce .95 peers=10.0.0.9:100`,
		`bruteforce actor 10.0.0.9 0.80/60 10:04 to 10:05 n=1 [10.0.0.5]
		closed bruteforce victim 10.0.0.5 -> bruteforce actor 10.0.0.9
		closed ddos actor 10.0.0.9 -> bruteforce actor 10.0.0.9`)
	f("a scan that keeps to one port is no walk: the more probable names it", `
		10:04+60 actor 10.0.0.9 scan .70 peers=10.0.0.5:1000 flows=1000 ports_per_peer_max=1
		10:04+60 victim 10.0.0.5 ddos .99 flows=1010 peers=10.0.0.9:1000 ports_per_peer_max=1`,
		`closed ddos actor 10.0.0.9 -> ddos victim 10.0.0.5
		closed scan actor 10.0.0.9 -> ddos victim 10.0.0.5
		ddos victim 10.0.0.5 0.99/60 10:04 to 10:05 n=1 [10.0.0.9]`)
	f("the small ones of a flood are of the flood, whatever they look like", `
		10:04+60 actor 10.0.0.8 c2 .70 peers=10.0.0.5:100 ports_per_peer_max=1
		10:04+60 actor 10.0.0.9 scan .70 peers=10.0.0.5:100 ports_per_peer_max=90
		10:04+60 victim 10.0.0.5 ddos .99 flows=1000`,
		`closed c2 actor 10.0.0.8 -> ddos victim 10.0.0.5
		closed ddos actor 10.0.0.8 -> ddos victim 10.0.0.5
		closed scan actor 10.0.0.9 -> ddos victim 10.0.0.5
		ddos victim 10.0.0.5 0.99/60 10:04 to 10:05 n=1 [10.0.0.8 10.0.0.9]`)
	f("one peer that makes nearly all of it carries what only the victim shows", `
		10:04+60 victim 10.0.0.5 bruteforce .90 flows=100 peers=10.0.0.9:90,10.0.0.7:10
		10:30+60 victim 10.0.0.6 bruteforce .95 flows=100 peers=10.0.0.9:95
		10:04+60 victim 10.0.0.8 bruteforce .90 flows=100 peers=10.0.0.9:89
		10:04+60 victim 10.0.0.3 ddos .90 flows=100 peers=10.0.0.2:100`,
		`bruteforce actor 10.0.0.9 0.95/60 10:04 to 10:31 n=2 [10.0.0.6 10.0.0.5]
		bruteforce victim 10.0.0.8 0.90/60 10:04 to 10:05 n=1 [10.0.0.9]
		closed bruteforce victim 10.0.0.5 -> bruteforce actor 10.0.0.9
		closed bruteforce victim 10.0.0.6 -> bruteforce actor 10.0.0.9
		ddos victim 10.0.0.3 0.90/60 10:04 to 10:05 n=1 [10.0.0.2]`)
	f("what only the victim shows is of the actor's other hour", `
		12:04+60 actor 10.0.0.9 bruteforce .97 peers=10.0.0.5:100
		10:04+60 victim 10.0.0.6 bruteforce .90 flows=100 peers=10.0.0.9:95`,
		`bruteforce actor 10.0.0.9 0.97/60 10:04 to 12:05 n=1 [10.0.0.5 10.0.0.6]
		closed bruteforce victim 10.0.0.6 -> bruteforce actor 10.0.0.9`)
	f("many who guess at one victim are one finding, though it shows none itself, or not all", `
		10:01+60 actor 10.1.0.1 bruteforce .80 flows=10 peers=10.0.0.5:10
		10:02+60 actor 10.1.0.2 bruteforce .90 flows=10 peers=10.0.0.5:10
		10:03+60 actor 10.1.0.3 bruteforce .80 flows=10 peers=10.0.0.5:9,10.0.0.6:1
		10:04+60 actor 10.1.0.4 bruteforce .80 flows=10 peers=10.0.0.5:10
		10:05+60 actor 10.1.0.5 bruteforce .80 flows=10 peers=10.0.0.5:10
		10:01+60 actor 10.1.0.7 bruteforce .80 flows=10 peers=10.0.0.8:10
		10:02+60 actor 10.1.0.8 bruteforce .80 flows=30 peers=10.0.0.5:10,10.0.0.7:10,10.0.0.6:10`,
		`bruteforce actor 10.1.0.7 0.80/60 10:01 to 10:02 n=1 [10.0.0.8]
		bruteforce actor 10.1.0.8 0.80/60 10:02 to 10:03 n=1 [10.0.0.5 10.0.0.6 10.0.0.7]
		bruteforce victim 10.0.0.5 0.90/60 10:01 to 10:06 n=5 [10.1.0.1 10.1.0.2 10.1.0.4 10.1.0.5 10.1.0.3]
		closed bruteforce actor 10.1.0.1 -> bruteforce victim 10.0.0.5
		closed bruteforce actor 10.1.0.2 -> bruteforce victim 10.0.0.5
		closed bruteforce actor 10.1.0.3 -> bruteforce victim 10.0.0.5
		closed bruteforce actor 10.1.0.4 -> bruteforce victim 10.0.0.5
		closed bruteforce actor 10.1.0.5 -> bruteforce victim 10.0.0.5`)
	f("the victims of one scanner are one finding", `
		10:04+60 actor 10.0.0.9 scan .97 flows=300 peers=10.0.0.5:100,10.0.0.6:100,10.0.0.7:100
		10:04+60 victim 10.0.0.5 scan .90 peers=10.0.0.9:100
		10:04+60 victim 10.0.0.6 scan .90 peers=10.0.0.9:100
		10:04+60 victim 10.0.0.7 ddos .90 peers=10.0.0.9:100`,
		`closed ddos victim 10.0.0.7 -> scan actor 10.0.0.9
		closed scan victim 10.0.0.5 -> scan actor 10.0.0.9
		closed scan victim 10.0.0.6 -> scan actor 10.0.0.9
		closed scan victim 10.0.0.7 -> scan actor 10.0.0.9
		scan actor 10.0.0.9 0.97/60 10:04 to 10:05 n=1 [10.0.0.5 10.0.0.6 10.0.0.7]`)
	f("what an actor did that day does not speak for a minute that has its own", `
		10:04+60 actor 10.0.0.9 ddos .97 flows=1000 peers=10.0.0.5:1000 ports_per_peer_max=1
		00:00+86400 actor 10.0.0.9 scan .97 flows=9000 peers=10.0.0.6:8000 ports_per_peer_max=800
		10:04+60 victim 10.0.0.5 ddos .90 flows=1000 peers=10.0.0.9:1000`,
		`closed ddos actor 10.0.0.9 -> ddos victim 10.0.0.5
		ddos victim 10.0.0.5 0.90/60 10:04 to 10:05 n=1 [10.0.0.9]
		scan actor 10.0.0.9 0.97/86400 00:00 to 24:00 n=1 [10.0.0.6]`)
	f("the same flows at two widths count once", `
		10:00+60 actor 10.1.0.1 bruteforce .60 flows=60 peers=10.0.0.5:60
		10:00+60 victim 10.0.0.5 bruteforce .97 flows=100 peers=10.1.0.1:60
		10:00+3600 victim 10.0.0.5 bruteforce .97 flows=100 peers=10.1.0.1:60`,
		`bruteforce actor 10.1.0.1 0.60/60 10:00 to 10:01 n=1 [10.0.0.5]
		closed bruteforce victim 10.0.0.5 -> bruteforce actor 10.1.0.1`)
	f("many weak actors: the victim carries, the few found are merged into it", `
		10:00+3600 actor 10.1.0.1 bruteforce .60 flows=20 peers=10.0.0.5:20
		10:00+3600 victim 10.0.0.5 bruteforce .97 flows=900 peers=10.1.0.1:20,10.1.0.2:19`,
		`bruteforce victim 10.0.0.5 0.97/3600 10:00 to 11:00 n=1 [10.1.0.1 10.1.0.2]
		closed bruteforce actor 10.1.0.1 -> bruteforce victim 10.0.0.5`)
	f("a crowd of actors with one victim is one finding", `
		10:00+3600 actor 10.1.0.1 bruteforce .60 flows=20 peers=10.0.0.5:20
		10:00+3600 actor 10.1.0.2 bruteforce .60 flows=20 peers=10.0.0.5:20
		10:00+3600 actor 10.1.0.3 bruteforce .60 flows=20 peers=10.0.0.5:20
		10:00+3600 actor 10.1.0.4 bruteforce .60 flows=20 peers=10.0.0.5:20
		10:00+3600 actor 10.1.0.5 bruteforce .60 flows=90 peers=10.0.0.6:70,10.0.0.5:20
		10:00+3600 actor 10.1.0.6 bruteforce .60 flows=20 peers=10.0.0.5:20
		10:00+3600 victim 10.0.0.5 bruteforce .97 flows=130`,
		`bruteforce actor 10.1.0.5 0.60/3600 10:00 to 11:00 n=1 [10.0.0.6 10.0.0.5]
		bruteforce victim 10.0.0.5 0.97/3600 10:00 to 11:00 n=1 [10.1.0.1 10.1.0.2 10.1.0.3 10.1.0.4 10.1.0.6]
		closed bruteforce actor 10.1.0.1 -> bruteforce victim 10.0.0.5
		closed bruteforce actor 10.1.0.2 -> bruteforce victim 10.0.0.5
		closed bruteforce actor 10.1.0.3 -> bruteforce victim 10.0.0.5
		closed bruteforce actor 10.1.0.4 -> bruteforce victim 10.0.0.5
		closed bruteforce actor 10.1.0.6 -> bruteforce victim 10.0.0.5`)
}

// TestBest: of equally sure windows, the one whose own class it is explains it.
// TestCarpet rolls the floods of one network into one incident.
func TestCarpet(t *testing.T) {
	// flood is a minute's flood of each host of a network, from a source that the
	// row names, of n flows in all.
	flood := func(clock, network, hosts, from string, n int) string {
		var b strings.Builder
		for i, host := range strings.Fields(hosts) {
			fmt.Fprintf(&b, "%s+60 victim %s%s ddos .90 flows=%d peers=%s:10 peers=%d\n", clock, network, host, n+i, from, 500)
		}
		return b.String()
	}
	f := func(name, alerts string, want ...string) {
		t.Run(name, func(t *testing.T) {
			t.Helper()
			var got []string
			for _, f := range Triage(parse(t, alerts), Config{}) {
				if f.Status != picket.StatusClosed {
					got = append(got, fmt.Sprintf("%s %q %d %v", f.Entity.ID, f.Network, f.Hosts, f.Others))
				} else if f.Successor == "" {
					t.Errorf("%s has no successor", f.Entity)
				}
			}
			slices.Sort(got)
			if d := cmp.Diff(want, got); d != "" {
				t.Errorf("(-want +got)\n%s", d)
			}
		})
	}
	f("four hosts, one source", flood("10:04", "10.0.0.", "1 2 3 4", "10.9.9.9", 5),
		`10.0.0.4 "10.0.0.0/24" 4 [10.0.0.3 10.0.0.2 10.0.0.1]`)
	f("four hosts, sources too many to list", flood("10:04", "10.0.0.", "1 2", "10.9.9.9", 100)+flood("10:12", "10.0.0.", "3 4", "10.9.9.8", 200),
		`10.0.0.4 "10.0.0.0/24" 4 [10.0.0.3 10.0.0.2 10.0.0.1]`)
	f("two floods of other sources", flood("10:04", "10.0.0.", "1 2", "10.9.9.9", 5)+flood("10:04", "10.0.0.", "3 4", "10.9.9.8", 5),
		`10.0.0.1 "" 0 []`, `10.0.0.2 "" 0 []`, `10.0.0.3 "" 0 []`, `10.0.0.4 "" 0 []`)
	f("three hosts are three", flood("10:04", "10.0.0.", "1 2 3", "10.9.9.9", 5),
		`10.0.0.1 "" 0 []`, `10.0.0.2 "" 0 []`, `10.0.0.3 "" 0 []`)
	f("another network, another hour", flood("10:04", "10.0.0.", "1 2 3", "10.9.9.9", 5)+flood("10:04", "10.0.1.", "4", "10.9.9.9", 5)+flood("10:30", "10.0.0.", "5", "10.9.9.9", 5),
		`10.0.0.1 "" 0 []`, `10.0.0.2 "" 0 []`, `10.0.0.3 "" 0 []`, `10.0.0.5 "" 0 []`, `10.0.1.4 "" 0 []`)
	f("from host to host", flood("10:04", "10.0.0.", "1", "10.9.9.9", 5)+flood("10:12", "10.0.0.", "2", "10.9.9.9", 5)+
		flood("10:22", "10.0.0.", "3", "10.9.9.9", 5)+flood("10:31", "10.0.0.", "4", "10.9.9.9", 5),
		`10.0.0.3 "10.0.0.0/24" 4 [10.0.0.1 10.0.0.4 10.0.0.2]`)
	f("in IPv6", flood("10:04", "2001:db8:1:", "1::1 2::1 3::1 4::1", "10.9.9.9", 5),
		`2001:db8:1:4::1 "2001:db8:1::/48" 4 [2001:db8:1:3::1 2001:db8:1:2::1 2001:db8:1:1::1]`)
	f("its reflectors look like scanners", flood("10:04", "10.0.0.", "1 2 3 4", "10.9.9.9", 50)+`
		10:04+60 actor 10.9.9.9 scan .90 flows=20 peers=10.0.0.1:10,10.0.0.2:10`,
		`10.0.0.4 "10.0.0.0/24" 4 [10.0.0.3 10.0.0.2 10.0.0.1]`)
	all := Triage(parse(t, flood("10:04", "10.0.0.", "1 2 3 4 5 6 7 8 9 10 11 12 13", "10.9.9.9", 5)), Config{})
	at := slices.IndexFunc(all, func(f picket.Finding) bool { return f.Status != picket.StatusClosed })
	title := "Flood against 13 hosts of 10.0.0.0/24, most against 10.0.0.13, by 10.9.9.9 and 499 others"
	if f := all[at]; f.Title != title || len(f.Others) != 10 || f.Hosts != 13 {
		t.Errorf("%q, others %v", f.Title, f.Others)
	}
}

// TestSilence tells the anomalies of a day that are furthest off, and all attacks.
func TestSilence(t *testing.T) {
	alerts := parse(t, `
		09:00+3600 actor 10.0.0.1 anomaly .6
		10:00+3600 actor 10.0.0.2 anomaly .8
		11:00+3600 actor 10.0.0.3 anomaly .7
		11:00+3600 actor 10.0.0.3 scan .5`)
	f := func(n int, want string) {
		t.Helper()
		if d := cmp.Diff(lines(want), short(Triage(alerts, Config{Anomalies: n}))); d != "" {
			t.Errorf("%d: (-want +got)\n%s", n, d)
		}
	}
	f(1, `anomaly actor 10.0.0.2 0.80/3600 10:00 to 11:00 n=1 []
		scan actor 10.0.0.3 0.50/3600 11:00 to 12:00 n=1 []`)
	f(2, `anomaly actor 10.0.0.2 0.80/3600 10:00 to 11:00 n=1 []
		anomaly actor 10.0.0.3 0.70/3600 11:00 to 12:00 n=1 []
		scan actor 10.0.0.3 0.50/3600 11:00 to 12:00 n=1 []`)
	f(0, `anomaly actor 10.0.0.1 0.60/3600 09:00 to 10:00 n=1 []
		anomaly actor 10.0.0.2 0.80/3600 10:00 to 11:00 n=1 []
		anomaly actor 10.0.0.3 0.70/3600 11:00 to 12:00 n=1 []
		scan actor 10.0.0.3 0.50/3600 11:00 to 12:00 n=1 []`)
}

func TestBest(t *testing.T) {
	got := Triage(parse(t, `
		10:04+60 actor 10.0.0.9 scan .50 bruteforce=.45 from=1
		10:05+60 actor 10.0.0.9 bruteforce .95 from=2
		10:06+60 actor 10.0.0.9 bruteforce .95 from=3`), Config{})[1] // the first is the scan that it closes
	if got.Features["from"] != 2 || got.At != day+at(t, "10:05") || got.Windows != 3 {
		t.Errorf("%+v", got)
	}
}

func lines(text string) string {
	var out []string
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(line); line != "" {
			out = append(out, line)
		}
	}
	slices.Sort(out)
	return strings.Join(out, "\n")
}

func TestUID(t *testing.T) {
	e := picket.Entity{Kind: picket.KindActor, ID: "10.0.0.9"}
	uid := UID("traffic", "scan", e, day)
	same := func(other string, want bool) {
		t.Helper()
		if (uid == other) != want {
			t.Errorf("%s and %s", uid, other)
		}
	}
	same(UID("traffic", "scan", e, day+86399), true)
	same(UID("traffic", "scan", e, day+86400), false)
	same(UID("traffic", "scan", e, day-1), false)
	same(UID("access", "scan", e, day), false)
	same(UID("traffic", "ddos", e, day), false)
	same(UID("traffic", "scan", picket.Entity{Kind: picket.KindVictim, ID: "10.0.0.9"}, day), false)
	same(UID("traffic", "scan", picket.Entity{Kind: picket.KindActor, ID: "10.0.0.90"}, day), false)
	if UID("traffic", "scan", e, -1) == UID("traffic", "scan", e, 1) {
		t.Error("the last second before 1970 is of another day")
	}
}

// genAlerts draws alerts of a small network in one afternoon, so that windows
// meet, agree and disagree in many ways.
func genAlerts(t *rapid.T) []Alert {
	hosts := []string{"10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.4"}
	gen := rapid.Custom(func(t *rapid.T) Alert {
		a := Alert{Key: fmt.Sprintf("%06d-a", rapid.IntRange(1, 3).Draw(t, "key"))}
		a.Entity = picket.Entity{
			Kind: rapid.SampledFrom([]picket.Kind{picket.KindActor, picket.KindVictim}).Draw(t, "kind"),
			ID:   rapid.SampledFrom(hosts).Draw(t, "id"),
		}
		a.Seconds = rapid.SampledFrom([]int64{60, 3600, 86400}).Draw(t, "seconds")
		minute := int64(rapid.IntRange(0, 40).Draw(t, "minute")) * 60
		a.Start = (day + 12*3600 + minute) / a.Seconds * a.Seconds
		a.Source, a.Elapsed = "zeek", a.Seconds
		a.Booster = picket.BoosterID{Detector: picket.DetectorTraffic, Kind: a.Entity.Kind, Seconds: a.Seconds}
		a.Classes = picket.TrafficClasses()
		a.Probabilities = make([]float64, len(a.Classes))
		for range 2 {
			p := float64(rapid.IntRange(1, 49).Draw(t, "p")) / 100
			a.Probabilities[rapid.IntRange(1, len(a.Classes)-1).Draw(t, "class")] += p
			a.Malicious += p
		}
		a.Probabilities[0] = 1 - a.Malicious
		a.Flows = uint64(rapid.IntRange(0, 50).Draw(t, "flows"))
		a.Margin = float64(rapid.IntRange(0, 3).Draw(t, "margin"))
		for _, id := range rapid.SliceOfNDistinct(rapid.SampledFrom(hosts), 0, 3, rapid.ID).Draw(t, "peers") {
			a.Peers = append(a.Peers, Peer{ID: id, Flows: uint64(rapid.IntRange(0, 30).Draw(t, "n"))})
		}
		return a
	})
	alerts := rapid.SliceOfN(gen, 0, 40).Draw(t, "alerts")
	index := map[string]bool{} // a window has one score for each key
	return slices.DeleteFunc(alerts, func(a Alert) bool {
		id := a.Window.String() + a.Key
		seen := index[id]
		index[id] = true
		return seen
	})
}

// TestAnyOrder: what triage says follows from the alerts, not from their order.
func TestAnyOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		alerts := genAlerts(t)
		want := Triage(alerts, Config{})
		got := Triage(rapid.Permutation(alerts).Draw(t, "order"), Config{})
		if d := cmp.Diff(want, got); d != "" {
			t.Fatalf("(-one order +another)\n%s", d)
		}
	})
}

// TestIncidents: every accepted window is in one open incident, every successor
// is open, and no uid is there twice.
func TestIncidents(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		alerts := genAlerts(t)
		findings := Triage(alerts, Config{})
		open := map[string]bool{}
		seen := map[string]bool{}
		for _, f := range findings {
			if seen[f.UID] {
				t.Fatalf("%s twice", f.UID)
			}
			seen[f.UID] = true
			open[f.UID] = f.Status != picket.StatusClosed
			if f.Status != picket.StatusClosed && (f.FirstSeen >= f.LastSeen || f.Confidence <= 0 || f.Class == picket.ClassNormal) {
				t.Fatalf("%+v", f)
			}
		}
		for _, f := range findings {
			if f.Status == picket.StatusClosed && !open[f.Successor] {
				t.Fatalf("%s is closed for %q, which is not open", f.UID, f.Successor)
			}
		}
		if len(accept(alerts)) > 0 && len(open) == 0 {
			t.Fatal("alerts without a finding")
		}
	})
}
