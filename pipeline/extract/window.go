package extract

import (
	"math"
	"math/bits"

	"picket"
)

// maxWidth of a window in seconds: what the minutes of a pair of hosts are kept for.
const maxWidth = picket.Day

// window adds up the rows of one entity in one span. Rows come in the order of
// byEntity, so that what is counted per conversation, target, peer and subnet is
// counted as each of them ends, and nothing is held but the one at hand and the
// counts per port.
type window struct {
	frame   *frame
	start   int64 // Unix seconds
	elapsed int64 // seconds
	open    bool
	rest    bool // of the entities without a row of their own: sums alone
	needs   needs

	sums
	shape

	company      *crowds // of the peers, in the hour or day around the window
	network      *habits // of the entities of the kind, in the same
	conversation conversation
	target       target
	peer         peer
	subnet       subnet
}

// begin empties the window for a new entity. It keeps the memory of the tables.
func (w *window) begin(f *frame, start, elapsed int64, rest bool) {
	services, clients := w.services.reuse(), w.clients.reuse()
	*w = window{frame: f, start: start, elapsed: max(elapsed, 1), open: true, rest: rest}
	w.services, w.clients = services, clients
	w.tick = tick(f)
}

// add counts a row.
func (w *window) add(v *view) {
	if !w.conversation.is(v) {
		w.turn(v)
	}
	w.conversation.add(v)
	w.sums.add(v, w.needs)
	if w.rest {
		return
	}
	if w.needs&needTime != 0 {
		w.addTime(v)
		w.conversation.at = v.time()
	}
	if w.needs&needPeers != 0 {
		w.peer.bytesOut = add64(w.peer.bytesOut, v.out.bytes)
		w.peer.bytesIn = add64(w.peer.bytesIn, v.in.bytes)
		w.target.bytesOut = add64(w.target.bytesOut, v.out.bytes)
		w.target.bytesIn = add64(w.target.bytesIn, v.in.bytes)
	}
}

// turn ends what the row no longer belongs to and begins what it does.
func (w *window) turn(v *view) {
	c := &w.conversation
	w.endConversation()
	if !w.rest && w.needs&needPeers != 0 {
		if c.peer != v.peer || c.servicePort != v.servicePort {
			w.endTarget()
		}
		if c.peer != v.peer {
			w.endPeer()
		}
		if c.peer.subnet() != v.peer.subnet() {
			w.endSubnet()
		}
	}
	*c = conversation{entity: v.entity, peer: v.peer, servicePort: v.servicePort, clientPort: v.clientPort, proto: v.proto,
		has: v.has, open: true}
}

// close ends everything. The window is then only good for values and begin.
func (w *window) close() {
	w.endConversation()
	if !w.rest && w.needs&needPeers != 0 {
		w.endTarget()
		w.endPeer()
		w.endSubnet()
	}
	if !w.rest {
		w.servicePort = w.services.entropy()
		w.clientPort = w.clients.entropy()
		w.peersPerPort = w.services.mostTargets()
	}
	w.conversation.open, w.open = false, false
}

// conversation is one conversation in the window.
type conversation struct {
	open                    bool
	entity, peer            addr
	servicePort, clientPort uint16
	proto                   uint8
	at                      int64      // minute of its last row, Unix seconds; 0 before the first
	has                     picket.Has // see mergeHas
	rejected                bool
	unasked                 bool      // the opener's first word was an answer
	asked, replied          [2]uint64 // packets and bytes of the opener and of the other end
	flags                   [2]uint8  // of the opener and of the other end
}

func (c *conversation) is(v *view) bool {
	return c.open && c.clientPort == v.clientPort && c.servicePort == v.servicePort && c.peer == v.peer &&
		c.proto == v.proto && c.entity == v.entity
}

// goesOn reports whether a record that starts in the row's minute goes on where one
// before it ended: exporters of NetFlow end the record of a flow at their active
// timeout and begin another, which would else be the rhythm of every long flow.
func (c *conversation) goesOn(v *view) bool {
	return v.source == sourceNetFlow && c.at != 0 && v.time()-c.at <= picket.Minute
}

func (c *conversation) add(v *view) {
	c.has = mergeHas(c.has, v.has)
	c.rejected = c.rejected || v.rejected > 0
	c.unasked = c.unasked || v.asked.answered > 0
	c.asked[0] = add64(c.asked[0], v.asked.packets)
	c.asked[1] = add64(c.asked[1], v.asked.bytes)
	c.replied[0] = add64(c.replied[0], v.replied.packets)
	c.replied[1] = add64(c.replied[1], v.replied.bytes)
	c.flags[0] |= v.asked.flags
	c.flags[1] |= v.replied.flags
}

// hasPorts reports whether the conversation's protocol has ports.
func (c *conversation) hasPorts() bool { return hasPorts(c.proto) }

func hasPorts(proto uint8) bool {
	const dccp, sctp, udpLite = 33, 132, 136
	switch proto {
	case picket.ProtoTCP, picket.ProtoUDP, dccp, sctp, udpLite:
		return true
	}
	return false
}

func (w *window) endConversation() {
	c := &w.conversation
	if !c.open {
		return
	}
	w.count(c)
	if w.rest {
		return
	}
	if w.needs&needPeers != 0 {
		w.countTarget(c)
	}
	if !c.hasPorts() {
		return
	}
	if w.needs&needServices != 0 {
		w.services.at(c.servicePort).flows++
	}
	if w.needs&needClients != 0 {
		w.clients.at(c.clientPort).flows++
	}
}

func (w *window) countTarget(c *conversation) {
	w.target.flows++
	w.target.asked.add(c.asked[1])
	w.peer.flows++
	w.subnet.flows++
	if c.proto == picket.ProtoTCP && loginPort(c.servicePort) {
		w.target.logins++
	}
	w.target.ported = w.target.ported || c.hasPorts()
}

// target is a peer's port of a service, or the entity's own, towards one peer.
type target struct {
	flows    uint64
	logins   uint64
	bytesOut uint64 // to the target
	bytesIn  uint64 // from the target
	asked    sizes  // bytes of the opener by flow
	ported   bool
	active   minutes    // with a packet
	starts   minutes    // with the start of a record
	counts   [60]uint32 // of starts by tick
}

// sizes are moments of some sizes in bytes.
type sizes struct {
	n, sum  uint64
	squares uint128
}

func (s *sizes) add(bytes uint64) {
	s.n++
	s.sum = add64(s.sum, bytes)
	s.squares.add(square(bytes))
}

func (s *sizes) mean() float64 { return share(s.sum, s.n) }
func (s *sizes) cv() float64   { return variation(s.n, s.sum, s.squares) }

func (w *window) endTarget() {
	t := &w.target
	if t.flows == 0 {
		return
	}
	w.targets++
	w.flowsPerTarget = max(w.flowsPerTarget, t.flows)
	w.loginsPerTarget = max(w.loginsPerTarget, t.logins)
	if t.ported {
		if w.needs&needServices != 0 {
			w.services.at(w.conversation.servicePort).targets++
		}
		w.peer.ports++
	}
	if w.needs&needCompany != 0 {
		w.endPair(t)
	}
	t.reset()
}

func (t *target) reset() {
	t.active.reset()
	t.starts.reset()
	t.flows, t.logins, t.bytesOut, t.bytesIn, t.asked, t.ported = 0, 0, 0, 0, sizes{}, false
	clear(t.counts[:])
}

// endPair tells the rhythm of a target.
func (w *window) endPair(t *target) {
	if t.bytesOut >= w.peer.portOut {
		w.peer.port, w.peer.portOut = w.conversation.servicePort, t.bytesOut
	}
	w.pairActive = max(w.pairActive, t.active.count())
	r, regular := w.rhythmOf(t)
	if regular {
		w.rhythm.offer(&r)
	}
	if company := w.peerCompany(); company > 0 {
		if regular {
			r.company = company
			r.score += float64(0.125 * float64(bits.Len64(company)-1))
			w.outsideRhythm.offer(&r)
		}
		if company == 1 {
			w.soleTarget.offer(t, w)
		}
	}
}

// peer is the other side.
type peer struct {
	flows    uint64
	ports    uint64 // distinct, of the service
	bytesOut uint64 // to the peer
	bytesIn  uint64 // from the peer
	company  uint64 // entities that have it as a peer, itself one; 0 inside
	placed   bool   // company is known
	active   bool   // some packet passed
	first    int    // minute with a packet, and the last one
	last     int
	port     uint16 // of the service that got most bytes, and how many they were
	portOut  uint64
}

// peerCompany returns how many entities have the peer at hand, 0 if it is not outside.
func (w *window) peerCompany() uint64 {
	p := &w.peer
	if !p.placed {
		p.placed = true
		if at := w.conversation.peer; at.external() {
			p.company = w.company.count(at)
		}
	}
	return p.company
}

// ratioOut returns the share of what went to the peer, NaN where nothing passed.
func (p *peer) ratioOut() float64 { return share(p.bytesOut, add64(p.bytesOut, p.bytesIn)) }

// entities returns how many have the peer, NaN where there is none.
func (p *peer) entities() float64 {
	if p.flows == 0 {
		return math.NaN()
	}
	return float64(p.company)
}

func (w *window) endPeer() {
	p := &w.peer
	if p.flows == 0 {
		return
	}
	w.peers.add(p.flows)
	w.portsPerPeer = max(w.portsPerPeer, p.ports)
	w.peerBytesOut = max(w.peerBytesOut, p.bytesOut)
	if w.needs&needCompany == 0 {
		*p = peer{}
		return
	}
	if company := w.peerCompany(); company > 0 {
		w.outsidePeers++
		if w.topOutside.flows == 0 || p.bytesOut > w.topOutside.bytesOut {
			w.topOutside = *p
		}
		if company == 1 {
			w.solePeers++
			w.soleBytesOut = add64(w.soleBytesOut, p.bytesOut)
			if w.topSole.flows == 0 || p.bytesOut > w.topSole.bytesOut {
				w.topSole = *p
			}
		}
	}
	*p = peer{}
}

type subnet struct{ flows uint64 }

func (w *window) endSubnet() {
	if w.subnet.flows > 0 {
		w.subnets.add(w.subnet.flows)
	}
	w.subnet = subnet{}
}

// shape is what does not add up over entities: distinct counts, distributions,
// largest values, times.
type shape struct {
	peers, subnets          entropy
	services, clients       ports
	servicePort, clientPort entropy // of services and clients, once closed
	targets                 uint64
	flowsPerTarget          uint64 // most
	loginsPerTarget         uint64 // most
	portsPerPeer            uint64 // most
	peersPerPort            uint64 // most
	peerBytesOut            uint64 // most
	pairActive              uint64 // minutes of the most lasting pair
	rhythm                  rhythm // of the most regular pair
	outside
	tick   int64 // seconds of a tick, 0 where there are none
	counts [60]uint64
	active bool // some packet passed
	first  int  // minute with a packet
}

// outside is what an entity has to do with addresses outside. A sole peer is one
// that no other entity of the network has in that hour or day.
type outside struct {
	outsidePeers  uint64
	solePeers     uint64
	soleBytesOut  uint64 // to sole peers
	topOutside    peer   // that got most bytes
	topSole       peer   // that got most bytes
	outsideRhythm rhythm // of the most regular pair, the less company the better
	soleTarget    lasting
}

// lasting is the pair that was active in most minutes, of equal ones that with
// more flows.
type lasting struct {
	minutes    uint64
	flows      uint64
	bytesOut   uint64
	bytesIn    uint64
	asked      sizes
	first      int     // minute with a packet
	gaps       uint64  // between minutes with a start
	gapMean    float64 // seconds
	gapCV      float64
	dispersion float64 // variance by mean of starts per tick, NaN where there are too few ticks
	port       uint16
}

func (l *lasting) offer(t *target, w *window) {
	n := t.active.count()
	if n < l.minutes || n == l.minutes && t.flows <= l.flows {
		return
	}
	*l = lasting{minutes: n, flows: t.flows, bytesOut: t.bytesOut, bytesIn: t.bytesIn, asked: t.asked, first: t.active.first(),
		dispersion: w.dispersion(&t.counts), port: w.conversation.servicePort}
	gaps, sum, squares := t.starts.gaps()
	l.gaps, l.gapCV = gaps, math.NaN()
	if gaps >= minGaps {
		l.gapMean, l.gapCV = float64(sum*picket.Minute)/float64(gaps), variation(gaps, sum, squares)
	}
}

// rhythmic returns a value of the pair's gaps, NaN where they are too few.
func (l *lasting) rhythmic(v float64) float64 {
	if l.gaps < minGaps {
		return math.NaN()
	}
	return v
}
