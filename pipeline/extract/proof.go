package extract

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"

	"picket"
)

// Proof is what one window rests on.
type Proof struct {
	Evidence []picket.Evidence
	Rows     []ConversationRow // the largest
	Peers    []Peer            // the largest, at most 10
	Port     uint16            // service port of most conversations; of equal ones the lowest
	Answers  []netip.Addr      // of a name: the addresses that it led to
	Facts    []picket.Fact     // what there is to say in words
}

// Peer is one other side of a window's conversations.
type Peer struct {
	ID    string
	Flows uint64 // conversations per hour with it
}

const (
	maxPeers     = 10
	maxPeerCount = 1 << 16 // peers of a window that are counted; a flood's sources beyond are all alike
)

// Proofs returns what each of some windows of one source rests on, in one
// reading of the parts: the raw objects with the lines in between which they tell
// of its entity, sorted by key; its largest conversation rows, at most limit,
// largest first; its largest peers. Evidence.Flows counts conversations per hour.
// The parts must be those that the windows were closed over; parts of other hours
// are not read. The remainder row has no proof.
func Proofs(ctx context.Context, parts []Part, windows []picket.Window, limit int) ([]Proof, error) {
	if len(windows) == 0 {
		return nil, nil
	}
	family, _, _ := strings.Cut(windows[0].Source, "/")
	o := CloseOptions{Source: family, From: windows[0].Start, To: windows[0].End()}
	court := &court{ctx: ctx, cases: map[role][]*evidence{}}
	all := make([]*evidence, len(windows))
	for i, w := range windows {
		if f, _, _ := strings.Cut(w.Source, "/"); f != family {
			return nil, fmt.Errorf("proofs: %s is not of source %s", w, family)
		}
		o.From, o.To = min(o.From, w.Start), max(o.To, w.End())
		all[i] = &evidence{window: w, limit: limit, objects: map[[2]string]*picket.Evidence{}, peers: map[addr]uint64{}, ports: map[uint16]uint64{}}
		if ip, err := netip.ParseAddr(w.Entity.ID); err == nil {
			key := role{w.Entity.Kind, toAddr(ip)}
			court.cases[key] = append(court.cases[key], all[i])
		}
	}
	o.From = floorDiv(o.From, picket.Hour) * picket.Hour
	o.To = (floorDiv(o.To-1, picket.Hour) + 1) * picket.Hour
	for _, hour := range byHour(parts, o) {
		if err := court.hour(hour, o); err != nil {
			return nil, fmt.Errorf("proofs: %w", err)
		}
	}
	proofs := make([]Proof, len(windows))
	for i, e := range all {
		proofs[i] = Proof{Evidence: e.list(), Rows: e.rows, Peers: e.largestPeers(), Port: e.largestPort()}
	}
	return proofs, nil
}

// court hears the conversations of an hour for all windows at once.
type court struct {
	ctx   context.Context
	cases map[role][]*evidence
}

// role is an entity in the form that rows have it.
type role struct {
	kind picket.Kind
	addr addr
}

func (c *court) hour(parts []Part, o CloseOptions) error {
	in, err := openHour(parts, o, true)
	if err != nil {
		return err
	}
	defer in.close()
	witness := &witness{in: in, from: o.From, to: o.To}
	talks := &conversations{in: &summed{in: witness}, long: &in.long}
	for {
		rows, err := talks.next()
		if err != nil {
			return err
		}
		if len(rows) == 0 {
			return c.ctx.Err()
		}
		told := witness.told(&rows[0])
		for _, kind := range []picket.Kind{picket.KindActor, picket.KindVictim} {
			v := see(&rows[0], kind)
			for _, e := range c.cases[role{kind, v.entity}] {
				if e.take(rows, told, parts) {
					e.meet(v.peer)
					e.ports[v.servicePort]++
				}
			}
		}
	}
}

// meet counts a conversation with a peer.
func (e *evidence) meet(peer addr) {
	if _, known := e.peers[peer]; known || len(e.peers) < maxPeerCount {
		e.peers[peer]++
	}
}

func (e *evidence) largestPeers() []Peer {
	order := slices.SortedFunc(maps.Keys(e.peers), func(a, b addr) int {
		return cmp.Or(cmp.Compare(e.peers[b], e.peers[a]), a.compare(b))
	})
	var peers []Peer
	for _, a := range order[:min(len(order), maxPeers)] {
		peers = append(peers, Peer{ID: a.String(), Flows: e.peers[a]})
	}
	return peers
}

func (e *evidence) largestPort() (largest uint16) {
	for port, flows := range e.ports {
		if most := e.ports[largest]; flows > most || flows == most && port < largest {
			largest = port
		}
	}
	return largest
}
