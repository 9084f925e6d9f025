package pipeline

import (
	"math"
	"slices"
	"sync"

	"picket"
	"picket/pipeline/extract"
)

// Tells reports whether a row of a booster can tell a class at all. A beacon shows
// in an hour, not in a minute, in which any host calls home; an upload is any
// upload until it goes on. Who leaks or calls home is told by its own rows, not
// by those of whom it talks to, and a flood by those of its victim, in the minutes
// that it takes: over an hour it is a busy server. A day is for
// what is slow, which its actor does.
func Tells(id picket.BoosterID, class string) bool {
	actor := id.Kind == picket.KindActor
	if id.Seconds == picket.Day && (!actor || class == picket.ClassBruteforce) {
		return class == picket.ClassNormal
	}
	switch class {
	case picket.ClassDDoS:
		return !actor && id.Seconds < picket.Hour
	case picket.ClassExfiltration:
		return actor && id.Seconds >= picket.TenMinutes
	case picket.ClassC2:
		return actor && id.Seconds >= picket.Hour
	}
	return true
}

// Keep drops the examples for which keep is false.
func (g *Gathered) Keep(keep func(id picket.BoosterID, class string) bool) {
	for id, set := range g.Sets {
		set.Examples = slices.DeleteFunc(set.Examples, func(e picket.Example) bool { return !keep(id, e.Class) })
	}
}

// floodPackets is the least of a flood: fewer packets in a window are nobody's
// outage, whatever they look like.
const floodPackets = 300

// scanTargets is the least of a scan: ports and machines that one source asks for.
// Who asks one port again and again has lost somebody, and a machine that hundreds
// ask once each is on the internet, and nobody's in particular. A slow scanner passes
// it in the day.
const scanTargets = 10

// leastTries is the least of a bruteforce: fewer connections in a window are somebody who
// mistypes, or one of the many that knock at every door of the internet.
const leastTries = 5

// beaconSeconds is the least of a beacon: what has lasted a few minutes has not come
// back yet.
const beaconSeconds = 10 * picket.Minute

// ntpBytes is what either side sends in an exchange of NTP: 48 bytes of UDP over IPv4
// or IPv6. Sensors that count the Ethernet header add 14.
const ntpBytes, ethernetBytes = 76, 14

// asksTheTime reports whether the most lasting pair of a peer that nobody else has is
// with a time server: all that passes are whole exchanges, answered or not. A machine
// alone in its log has such a pair, as even as any beacon.
func asksTheTime(s *picket.Score) bool {
	out, in := s.Values[soleOut()], s.Values[soleIn()]
	for _, size := range []float64{ntpBytes, ntpBytes + 20, ntpBytes + ethernetBytes, ntpBytes + 20 + ethernetBytes} {
		if out > 0 && in <= out && math.Mod(out, size) == 0 && math.Mod(in, size) == 0 {
			return true
		}
	}
	return false
}

// column returns the place of a feature in a row of flows.
func column(name string) func() int {
	return sync.OnceValue(func() int { return slices.Index(extract.Schema(picket.KindVictim).Names, name) })
}

var packetsIn, targets, portsPerPeer, flowCount = column("packets_in_per_second"), column("targets"), column("ports_per_peer_max"), column("flow_count")

var soleOut, soleIn = column("sole_pair_bytes_out_per_flow"), column("sole_pair_bytes_in_per_flow")

// bears reports whether a row holds enough of what it is taken for.
func bears(s *picket.Score) bool {
	switch s.Booster.Detector {
	case picket.DetectorPhishing:
		return !covers(edges(), s.Entity.ID)
	case picket.DetectorTraffic:
	default:
		return true
	}
	switch class, _ := s.Class(); class {
	case picket.ClassDDoS:
		return s.Booster.Seconds < picket.Hour && s.Values[packetsIn()]*float64(s.Elapsed) >= floodPackets
	case picket.ClassScan:
		if s.Booster.Kind == picket.KindVictim {
			return s.Values[portsPerPeer()] >= scanTargets
		}
		return s.Values[targets()] >= scanTargets
	case picket.ClassBruteforce:
		return s.Values[flowCount()] >= leastTries
	case picket.ClassC2:
		return s.Elapsed >= beaconSeconds && !asksTheTime(s)
	}
	return true
}
