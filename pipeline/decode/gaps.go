package decode

import (
	"cmp"
	"slices"
	"time"
)

// Gap is a span for which an interface's log has no records, by the log's own word.
type Gap struct {
	Interface string `json:"interface"`
	Lost      bool   `json:"lost,omitempty"` // records were lost (SKIPDATA); else there was no traffic (NODATA)
	Start     int64  `json:"start"`          // Unix seconds
	End       int64  `json:"end"`
}

// MaxGaps are kept of one object, after those that touch are joined.
const MaxGaps = 4096

// joined is how far apart two gaps of one interface may be to count as one: a log
// writes a line for each of its intervals, and those have a second in between.
const joined = 2

// gaps gathers gaps. Lines of a log come nearly in order, so that most extend the
// newest gap of their interface.
type gaps struct {
	newest map[gapKey]int
	list   []Gap
}

type gapKey struct {
	iface string
	lost  bool
}

// add notes a gap of Unix nanoseconds, and reports whether there was room.
func (g *gaps) add(iface string, lost bool, start, end int64) bool {
	start, end = start/int64(time.Second), max(start, end)/int64(time.Second)
	key := gapKey{iface, lost}
	if i, ok := g.newest[key]; ok {
		if last := &g.list[i]; start <= last.End+joined && end >= last.Start-joined {
			last.Start, last.End = min(last.Start, start), max(last.End, end)
			return true
		}
	}
	if len(g.list) == MaxGaps {
		if g.list = join(g.list); len(g.list) == MaxGaps {
			return false
		}
		g.newest = map[gapKey]int{}
		for i := range g.list {
			g.newest[gapKey{g.list[i].Interface, g.list[i].Lost}] = i
		}
	}
	if g.newest == nil {
		g.newest = map[gapKey]int{}
	}
	g.newest[key] = len(g.list)
	g.list = append(g.list, Gap{Interface: iface, Lost: lost, Start: start, End: end})
	return true
}

func (g *gaps) sorted() []Gap { return join(g.list) }

// join sorts gaps by interface, kind and time, and joins those that touch.
func join(list []Gap) []Gap {
	slices.SortFunc(list, func(a, b Gap) int {
		return cmp.Or(cmp.Compare(a.Interface, b.Interface), compareBool(b.Lost, a.Lost), cmp.Compare(a.Start, b.Start), cmp.Compare(a.End, b.End))
	})
	out := list[:0]
	for _, g := range list {
		if n := len(out); n > 0 && out[n-1].Interface == g.Interface && out[n-1].Lost == g.Lost && g.Start <= out[n-1].End+joined {
			out[n-1].End = max(out[n-1].End, g.End)
			continue
		}
		out = append(out, g)
	}
	return out
}

// JoinGaps is the union of gaps of several objects, sorted by interface and time.
func JoinGaps(list []Gap) []Gap { return join(slices.Clone(list)) }

func compareBool(a, b bool) int {
	switch {
	case a == b:
		return 0
	case b:
		return -1
	}
	return 1
}
