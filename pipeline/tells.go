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
// by those of whom it talks to, and a flood by those of its victim. A day is for
// what is slow, which its actor does.
func Tells(id picket.BoosterID, class string) bool {
	actor := id.Kind == picket.KindActor
	if id.Seconds == picket.Day && (!actor || class == picket.ClassBruteforce) {
		return class == picket.ClassNormal
	}
	switch class {
	case picket.ClassDDoS:
		return !actor
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

// packetsIn is the place of packets_in_per_second in a row of flows.
var packetsIn = sync.OnceValue(func() int {
	return slices.Index(extract.Schema(picket.KindVictim).Names, "packets_in_per_second")
})

// bears reports whether a row holds enough of what it is taken for.
func bears(s *picket.Score) bool {
	if class, _ := s.Class(); class != picket.ClassDDoS || s.Booster.Detector != picket.DetectorTraffic {
		return true
	}
	return s.Values[packetsIn()]*float64(s.Elapsed) >= floodPackets
}
