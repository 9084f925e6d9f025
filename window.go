package picket

import (
	"fmt"
	"time"
)

// Kind is the role in which an entity is looked at.
type Kind string

const (
	KindActor     Kind = "actor"     // an address that opens conversations
	KindVictim    Kind = "victim"    // an address that conversations are opened to
	KindName      Kind = "name"      // a domain or URL that is asked for
	KindPrincipal Kind = "principal" // a user, role or account that logs in
)

// Entity is who a window is about.
type Entity struct {
	Kind Kind
	ID   string // an address in RFC 5952 form, a name, a principal
}

// Rest is the ID of the row that stands for all entities of a window beyond the
// largest ones: exact sums, no distinct counts.
const Rest = "*"

func (e Entity) String() string { return string(e.Kind) + " " + e.ID }

// Widths of windows in seconds. A log whose own interval is longer than a minute
// has windows of that interval in place of the minute.
const (
	Minute     = 60
	TenMinutes = 600
	Hour       = 3600
	Day        = 86400
)

// Window is one entity in one span of time, as one source saw it.
type Window struct {
	Entity  Entity
	Start   int64  // Unix seconds, a multiple of Seconds
	Seconds int64  // width
	Source  string // family of log and, where records cover more than an instant, its interval: "vpc/60", "vpc/600", "zeek", "pcap"
}

func (w Window) End() int64 { return w.Start + w.Seconds }

func (w Window) String() string {
	return fmt.Sprintf("%s %s+%s %s", w.Entity, time.Unix(w.Start, 0).UTC().Format(time.RFC3339),
		time.Duration(w.Seconds)*time.Second, w.Source)
}
