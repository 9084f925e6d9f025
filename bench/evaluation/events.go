package main

import (
	"bufio"
	"cmp"
	"encoding/csv"
	"fmt"
	"io"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// event is one thing that was done to Westermo's testbed, on the clock of its
// captures.
type event struct {
	kind       string // as BAD-SSH
	start, end float64
	text       string
	targets    []netip.Addr
}

// captureClock is what to add to a time of events.txt to get the captures': both
// print 10:29:34 for their begin, and their epochs are one hour apart.
const captureClock = -3600

// attacker is the laptop A1 that the set's README names: it guesses and scans.
var attacker = netip.MustParseAddr("198.18.134.99")

var (
	eventLine = regexp.MustCompile(`^\[(\d+\.\d+) -- [^\]]*\] \[([A-Z0-9-]+?)-(START|END)\](.*)$`)
	dotted    = regexp.MustCompile(`\d+\.\d+\.\d+\.\d+`)
)

// readEvents reads events.txt: a START line and an END line for each event.
func readEvents(r io.Reader) ([]event, error) {
	var all []event
	open := -1
	lines := bufio.NewScanner(r)
	for n := 1; lines.Scan(); n++ {
		m := eventLine.FindStringSubmatch(lines.Text())
		if m == nil {
			continue // [INFO]
		}
		at, err := strconv.ParseFloat(m[1], 64)
		if err != nil {
			return nil, fmt.Errorf("events line %d: %w", n, err)
		}
		switch {
		case m[3] == "START" && open < 0:
			e := event{kind: m[2], start: at + captureClock, text: strings.TrimSpace(m[4])}
			for _, text := range dotted.FindAllString(m[4], -1) {
				if a, err := netip.ParseAddr(text); err == nil && !slices.Contains(e.targets, a) {
					e.targets = append(e.targets, a)
				}
			}
			open, all = len(all), append(all, e)
		case m[3] == "END" && open >= 0 && all[open].kind == m[2]:
			all[open].end, open = at+captureClock, -1
		default:
			return nil, fmt.Errorf("events line %d: %s-%s out of turn", n, m[2], m[3])
		}
	}
	return all, lines.Err()
}

// class is what an event teaches: an attack's class, normal, or excluded.
func (e *event) class() string {
	switch {
	case e.kind == "BAD-SSH":
		return "bruteforce"
	case strings.HasPrefix(e.kind, "BAD-PORTSCAN"):
		return "scan"
	case e.kind == "GOOD-SSH":
		return "normal"
	}
	return "excluded" // MITM, MISCONF, DUPLICATION: neither an attack that Picket knows nor normal
}

func (e *event) attack() bool { return e.class() == "bruteforce" || e.class() == "scan" }

func clock(seconds float64) string {
	return time.UnixMilli(int64(seconds * 1000)).UTC().Format(time.RFC3339)
}

// writeEventLabels writes the label file of the events in [from, to): all is normal
// but what a row says. Where packets of each event's targets are known, a target of
// which the tap saw too few is excluded: its other traffic is no attack.
func writeEventLabels(w io.Writer, events []event, packets [][]int, from, to float64) error {
	out := csv.NewWriter(w)
	out.Write([]string{"start", "end", "entity_kind", "entity", "class", "note"})
	out.Write([]string{clock(from), clock(to), "*", "*", "normal", "everything but what a row below says"})
	for i := range events {
		e := &events[i]
		if e.end <= from || e.start >= to || e.class() == "normal" {
			continue
		}
		start, end := clock(e.start), clock(e.end+1)
		note := e.kind + " " + start
		if !e.attack() {
			out.Write([]string{start, end, "*", "*", "excluded", note})
			continue
		}
		actor := "excluded"
		for at, target := range e.targets {
			class := "excluded"
			if packets == nil || packets[i][at] >= visibleFrom {
				class, actor = e.class(), e.class()
			}
			out.Write([]string{start, end, "victim", target.String(), class, note})
		}
		out.Write([]string{start, end, "actor", attacker.String(), actor, note})
	}
	out.Flush()
	return out.Error()
}

// visibleFrom is how many packets between attacker and target make an event one
// that the tap saw.
const visibleFrom = 10

// seen counts the packets between the attacker and each target of an event while
// it lasted: the tap does not see every path.
func seen(capture string, events []event) ([][]int, error) {
	counts := make([][]int, len(events))
	for i := range events {
		counts[i] = make([]int, len(events[i].targets))
	}
	err := eachPacket(capture, func(p packet, _ []byte) error {
		// The first event that ends after the packet; the clocks agree to a second.
		i, _ := slices.BinarySearchFunc(events, p.seconds, func(e event, at float64) int { return cmp.Compare(e.end+1, at) })
		if i == len(events) || p.seconds < events[i].start-1 {
			return nil
		}
		for at, target := range events[i].targets {
			if p.between(attacker, target) {
				counts[i][at]++
			}
		}
		return nil
	})
	return counts, err
}
