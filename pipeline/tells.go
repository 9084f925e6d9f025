package pipeline

import (
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

// beaconSeconds is the least of a beacon: what has lasted a few minutes has not come
// back yet.
const beaconSeconds = 10 * picket.Minute

// column returns the place of a feature in a row of flows.
func column(name string) func() int {
	return sync.OnceValue(func() int { return slices.Index(extract.Schema(picket.KindVictim).Names, name) })
}

var packetsIn, targets, portsPerPeer = column("packets_in_per_second"), column("targets"), column("ports_per_peer_max")

// bears reports whether a row holds enough of what it is taken for.
func bears(s *picket.Score) bool {
	switch s.Booster.Detector {
	case picket.DetectorPhishing:
		return !extract.Edge(s.Entity.ID)
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
	case picket.ClassC2:
		return s.Elapsed >= beaconSeconds
	}
	return true
}
