package extract

import (
	"cmp"
	"context"
	"fmt"
	"iter"
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
	Peers    []Peer            // the largest by conversations, at most 10
	Takers   []Peer            // of those outside, the largest by bytes sent to them, at most 10
	Port     uint16            // service port of most conversations; of equal ones the lowest
	Answers  []netip.Addr      // of a name: the addresses that it led to
	Facts    []picket.Fact     // what there is to say in words
}

// Peer is one other side of a window's conversations.
type Peer struct {
	ID    string
	Flows uint64 // conversations per hour with it
	Bytes uint64 // sent to it
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
		all[i] = &evidence{window: w, limit: limit, objects: map[[2]string]*picket.Evidence{}, peers: map[addr]*peerSum{}, ports: map[uint16]uint64{}}
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
		proofs[i] = Proof{Evidence: e.list(), Rows: e.rows, Peers: e.largestPeers(), Takers: e.largestTakers(), Port: e.largestPort()}
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
					e.meet(rows, kind, v.peer)
					e.ports[v.servicePort]++
				}
			}
		}
	}
}

// peerSum is what an entity had to do with a peer.
type peerSum struct{ flows, bytes uint64 }

// meet counts a conversation with a peer, and what was sent in the window.
func (e *evidence) meet(rows []flow, kind picket.Kind, peer addr) {
	p := e.peers[peer]
	if p == nil {
		if len(e.peers) == maxPeerCount {
			return
		}
		p = &peerSum{}
		e.peers[peer] = p
	}
	p.flows++
	for i := range rows {
		if e.holds(&rows[i]) {
			p.bytes = add64(p.bytes, see(&rows[i], kind).out.bytes)
		}
	}
}

func (e *evidence) largestPeers() []Peer {
	return e.largest(maps.Keys(e.peers), func(p *peerSum) uint64 { return p.flows })
}

func (e *evidence) largestTakers() []Peer {
	outside := func(yield func(addr) bool) {
		for a, p := range e.peers {
			if p.bytes > 0 && a.external() && !yield(a) {
				return
			}
		}
	}
	return e.largest(outside, func(p *peerSum) uint64 { return p.bytes })
}

func (e *evidence) largest(of iter.Seq[addr], by func(*peerSum) uint64) []Peer {
	order := slices.SortedFunc(of, func(a, b addr) int {
		return cmp.Or(cmp.Compare(by(e.peers[b]), by(e.peers[a])), a.compare(b))
	})
	var peers []Peer
	for _, a := range order[:min(len(order), maxPeers)] {
		peers = append(peers, Peer{a.String(), e.peers[a].flows, e.peers[a].bytes})
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
