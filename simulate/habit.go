package simulate

import (
	"math"
	"net/netip"
	"slices"
	"strings"

	"picket"
)

var broadcast = netip.AddrFrom4([4]byte{255, 255, 255, 255})

// habit is one thing that machines do all day. Each actor draws its own numbers
// from the ranges, once, and then varies around them.
type habit struct {
	name   string
	who    string // machines that have it: "hosts", "servers", "all", a role; "one": one of them all; "crowd:ROLE": people outside, to servers of the role
	share  span   // of those machines
	to     string // "site", "service" (one of the few dozen sites that everybody uses), "home" (always the same), "few" (a handful outside), "peer", "walk:ROLE" (each in turn), a role, "resolver", "anyone" (outside), or an address
	ports  []uint16
	proto  uint8 // 0: TCP
	gap    span  // seconds between sessions
	burst  span  // conversations in a session; 0: one
	within span  // seconds over which a session's conversations start
	up     span  // payload bytes from the one who opens
	down   span
	sigma  float64 // spread of sizes and gaps in one actor, of their logarithm; 0: 0.7
	heavy  float64 // tail index of a Pareto distribution in place of it; 0: none
	life   span    // seconds that a conversation lasts
	rounds span    // exchanges in a conversation
	clock  float64 // above 0: by the clock, with this much jitter as a share of the gap
	day    bool    // only while people are awake, mostly
	spell  span    // hours that it goes on, and then pauses about three times as long; 0: always
	lookup float64 // chance that a name is looked up first
	fail   span    // share that fails
	people span    // crowd: how many different addresses come
	oops   float64 // chance that short failed tries (a mistyped password) come before a session
	size   int     // UDP: payload bytes of the largest datagram; 0: 1200
	hidden bool    // flow logs of a cloud network leave it out
	evenly bool    // crowd: everybody comes as often; else the first few come most
	fixed  bool    // the source port is the destination port
	quic   float64 // chance of UDP in place of TCP, and of IPv6 where there is some: the same peers
}

// providers is how many sites people upload to, and leave open all day: a few
// providers, not the whole world.
const providers = 24

// doer is one actor with its draws from a habit.
type doer struct {
	w      *world
	h      *habit
	self   *host // nil in a crowd
	peers  []*host
	gap    float64
	burst  float64
	within float64
	up     float64
	down   float64
	life   float64
	rounds float64
	fail   float64
	jitter float64
	people int
	home   uint64
	port   uint16
	key    uint64
	rhythm float64 // how deep the night is
	until  int64   // end of the spell at hand
}

// live lets the actors of a stretch of benign traffic loose.
func (w *world) live(b Stretch, line uint64) {
	from, until := w.from+int64(b.From), w.from+int64(b.From+b.For)
	if b.From == 0 {
		from = w.begin
	}
	all := w.varied(habitsOf(b.Mix))
	missing := 0.4 * newDice(w.script.Seed, key("mix", line)).Float64() // no two networks have all of it
	for i, h := range all {
		d := newDice(w.script.Seed, key("habit", line, uint64(i)))
		if len(all) > 1 && d.chance(missing) {
			continue
		}
		for n, self := range w.doers(h, d) {
			k := key(h.name, line, uint64(i), uint64(n))
			do := w.doer(h, self, newDice(w.script.Seed, k^1), b.Level)
			if do == nil {
				continue
			}
			do.key = k
			first := from + int64(float64(nanos(do.gap))*d.Float64())
			w.add(k, first, until, do.step)
		}
	}
}

// doers are the machines with the habit; for a crowd, the servers they come to.
func (w *world) doers(h *habit, d dice) []*host {
	who, crowd := strings.CutPrefix(h.who, "crowd:")
	var all []*host
	switch who {
	case "one":
		all = w.net.all
		if len(all) > 0 {
			all = []*host{all[d.IntN(len(all))]}
		}
	default:
		all, _ = w.net.find(who)
	}
	p := d.in(h.share)
	if h.share.hi == 0 {
		p = 1
	}
	var have []*host
	for _, m := range all {
		if d.chance(p) {
			have = append(have, m)
		}
	}
	if len(have) == 0 && len(all) > 0 && !crowd && p > 0.02 {
		have = append(have, all[d.IntN(len(all))])
	}
	return have
}

// doer draws one actor's numbers. It is nil where there is nobody to talk to.
func (w *world) doer(h *habit, self *host, d dice, level float64) *doer {
	do := &doer{w: w, h: h, self: self, gap: d.in(h.gap) / level, burst: max(1, d.in(h.burst)), within: d.in(h.within), up: d.in(h.up), down: d.in(h.down),
		life: d.in(h.life), rounds: max(1, d.in(h.rounds)), fail: d.in(h.fail), people: max(1, d.count(h.people)), home: w.home(h, d), rhythm: 1 + 6*d.Float64(), jitter: h.clock * d.Float64() * 2}
	if len(h.ports) > 0 {
		do.port = h.ports[d.IntN(len(h.ports))]
	}
	if strings.HasPrefix(h.who, "crowd:") {
		return do
	}
	role := strings.TrimPrefix(h.to, "walk:")
	switch role {
	case "site", "service", "home", "few", "resolver", "anyone":
		return do
	case "peer":
		do.peers = w.net.all
	default:
		if a, err := netip.ParseAddr(role); err == nil {
			do.peers = []*host{{addr: a, six: a}}
			return do
		}
		do.peers, _ = w.net.find(role)
	}
	do.peers = slices.DeleteFunc(slices.Clone(do.peers), func(p *host) bool { return p == self })
	if len(do.peers) == 0 {
		return nil
	}
	if len(do.peers) > 3 && role != h.to && d.chance(0.5) { // walks over a part
		do.peers = do.peers[:2+d.IntN(len(do.peers)-2)]
	}
	return do
}

// home draws what an actor's home is numbered by. The machines of a network run
// much the same software, so that most of them call the same few makers, of whom
// each has some addresses; the rest call somewhere of their own.
func (w *world) home(h *habit, d dice) uint64 {
	own := d.Uint64()
	maker := newDice(w.script.Seed, key("maker", key(h.name)))
	alone, makers, addresses := 0.35*maker.Float64(), 1+maker.IntN(4), 1+maker.IntN(6)
	if strings.HasPrefix(h.who, "crowd:") || d.chance(alone) {
		return own
	}
	return mix(w.script.Seed ^ key(h.name, uint64(d.rank(makers)), own%uint64(addresses)))
}

// step plays one session.
func (do *doer) step(a *actor) int64 {
	h, d := do.h, a.d
	n := 1
	if do.burst > 1 {
		n = max(1, int(do.vary(d, do.burst)))
	}
	if strings.HasPrefix(h.to, "walk:") {
		n = len(do.peers)
	}
	if h.day && d.chance(do.asleep(a.at)) {
		return a.at + nanos(do.wait(d))
	}
	if next := do.pause(d, a.at); next > a.at {
		return next
	}
	t := a.at
	for i := range n {
		do.talk(d, t, i)
		t += nanos(do.within / float64(n) * d.ExpFloat64())
	}
	return a.at + max(nanos(do.wait(d)), 1)
}

// pause says when the next spell begins, where the last one is over.
func (do *doer) pause(d dice, at int64) int64 {
	if do.h.spell.hi == 0 || at < do.until {
		return at
	}
	length := nanos(3600 * d.in(do.h.spell))
	if do.until == 0 { // some time before or after the first
		at += int64(float64(4*length)*d.Float64()) - length
	} else {
		at += int64(float64(length) * d.around(3, 0.7))
	}
	do.until = at + length
	return at
}

// wait is the seconds to the next session.
func (do *doer) wait(d dice) float64 {
	switch {
	case do.h.clock > 0:
		return max(do.gap*(1+do.jitter*(d.Float64()-0.5)), 0.001)
	case do.self != nil && strings.HasPrefix(do.h.who, "crowd:"):
		return do.gap * d.ExpFloat64()
	}
	return do.vary(d, do.gap)
}

func (do *doer) vary(d dice, median float64) float64 {
	const most = 30 // medians
	if do.h.heavy > 0 {
		return min(most*median, d.pareto(median, do.h.heavy))
	}
	sigma := do.h.sigma
	if sigma == 0 {
		sigma = 0.7
	}
	return min(most*median, d.around(median, sigma))
}

// asleep is the chance that a session does not take place at that hour.
func (do *doer) asleep(at int64) float64 {
	hour := math.Mod(float64(at/second)/3600+do.w.shift, 24)
	awake := 0.5 + 0.5*math.Cos((hour-14)/24*2*math.Pi)
	return 1 - math.Pow(awake, do.rhythm/3)
}

// talk plays conversation i of a session.
func (do *doer) talk(d dice, t int64, i int) {
	w, h := do.w, do.h
	src, dst, p := do.sides(d, i)
	if !src.IsValid() || !dst.IsValid() || src == dst {
		return
	}
	if d.chance(h.lookup) {
		t += do.w.lookup(d, src, t)
	}
	sport := d.ephemeral()
	if h.fixed {
		sport = p
	}
	up, down := uint64(do.vary(d, do.up)), uint64(do.vary(d, do.down))
	life, rounds := nanos(min(do.vary(d, do.life), 20*do.life)), int(do.vary(d, do.rounds))
	from, to := port(src, sport), port(dst, p)
	if d.chance(do.fail) {
		do.failed(d, from, to, t, up)
		return
	}
	if d.chance(h.oops) {
		for range 1 + d.IntN(4) {
			c := tcp(port(src, d.ephemeral()), to, t, nanos(3+9*d.Float64()), 1800+d.Uint64N(900), 2200+d.Uint64N(900), 8)
			do.send(c)
			t = c.End + nanos(1+6*d.Float64())
		}
	}
	var c Conversation
	switch {
	case h.proto == picket.ProtoUDP || h.proto == 0 && d.chance(h.quic):
		size := h.size
		if size == 0 {
			size = 1200
		}
		c = udp(from, to, t, life, max(1, up), down, size, rounds)
	case h.proto == picket.ProtoICMP:
		c = ping(src, dst, t, life, uint64(max(1, rounds)), 56, true)
	case h.proto != 0:
		c = udp(from, to, t, life, max(1, up), down, 1400, rounds)
		c.Proto, c.SrcPort, c.DstPort = h.proto, 0, 0
	default:
		c = tcp(from, to, t, life, up, down, rounds)
		if d.chance(0.12) {
			c.Outcome = Reset
		}
	}
	c.Delay = w.delay(src, dst)
	if c.Pieces == 0 && c.Src.Is4() && c.Proto == picket.ProtoUDP && p == 53 && d.chance(0.003) {
		c = fragmented(c, 2+d.Uint64N(2))
	}
	do.send(c)
}

func (do *doer) send(c Conversation) {
	if c.Delay == 0 {
		c.Delay = do.w.delay(c.Src, c.Dst)
	}
	c.End = max(c.End, c.Start+2*c.Delay)
	c.Hidden = do.h.hidden && do.w.net.cloud || c.Dst.IsMulticast() || c.Dst == broadcast
	c.Habit = do.h.name
	do.w.emit(c)
}

// fragmented makes the answer one datagram of that many fragments.
func fragmented(c Conversation, pieces uint64) Conversation {
	c.Pieces = uint8(pieces)
	c.Out.Packets, c.Out.Data = pieces, pieces
	c.Out.Payload = max(c.Out.Payload, 1480*(pieces-1))
	c.In = Side{Packets: pieces, Data: pieces, Payload: 1480*(pieces-1) + 200}
	return c
}

// failed is an attempt that does not come to data.
func (do *doer) failed(d dice, from, to netip.AddrPort, t int64, up uint64) {
	if do.h.proto == picket.ProtoICMP {
		do.send(ping(from.Addr(), to.Addr(), t, second, 1+d.Uint64N(3), 56, false))
		return
	}
	if do.h.proto != 0 {
		do.send(udp(from, to, t, second, max(1, min(up, 900)), 0, 1200, 1+d.IntN(3)))
		return
	}
	b := to.Addr().As16() // one target fails in one way
	outcome := []Outcome{Silent, Silent, Refused, Refused, Blocked}[mix(uint64(b[13])<<24|uint64(b[14])<<16|uint64(b[15])<<8|uint64(to.Port()))%5]
	if net := do.w.net; net.wall && net.inside(to.Addr()) && !net.inside(from.Addr()) && !net.listens(to.Addr(), to.Port()) {
		outcome = Blocked
	}
	c := probe(from, to, t, 1+d.IntN(4), outcome)
	c.Options, c.SynOptions = stack(from.Addr())
	do.send(c)
}

// sides draws who talks to whom, and on which port.
func (do *doer) sides(d dice, i int) (src, dst netip.Addr, p uint16) {
	h, net := do.h, do.w.net
	p = do.port
	if len(h.ports) > 1 && (h.to == "anyone" || d.chance(0.3)) {
		p = h.ports[d.IntN(len(h.ports))]
	}
	six := do.self.six.IsValid() && d.chance(0.4)
	src = do.self.addr
	if six {
		src = do.self.six
	}
	if strings.HasPrefix(h.who, "crowd:") {
		who := do.home + uint64(d.rank(do.people))
		if h.evenly {
			who = do.home + d.Uint64N(uint64(do.people))
		}
		if p == 0 {
			p = uint16(1 + d.IntN(65535))
		}
		if six {
			return net.outside6(who), src, p
		}
		return net.outside(who), src, p
	}
	var site int
	switch strings.TrimPrefix(h.to, "walk:") {
	case "site":
		site = d.rank(net.sites)
	case "service":
		site = d.rank(min(net.sites, providers))
	case "home":
		site = int(do.home % uint64(net.sites))
	case "few":
		site = int((do.home + uint64(d.rank(4))*7919) % uint64(net.sites))
	case "anyone":
		if p == 0 {
			p = uint16(1024 + d.IntN(64000))
		}
		return do.self.addr, net.outside(d.Uint64()), p
	case "resolver":
		return do.self.addr, net.resolver, p
	default:
		peer := do.peers[d.rank(len(do.peers))]
		if strings.HasPrefix(h.to, "walk:") {
			peer = do.peers[i%len(do.peers)]
		}
		if p == 0 {
			p = serverPorts[peer.role][0]
		}
		if six && peer.six.IsValid() {
			return src, peer.six, p
		}
		return do.self.addr, peer.addr, p
	}
	if six {
		return src, net.site6(site), p
	}
	return src, net.site(site), p
}

// lookup asks for one or two names and returns how long that took.
func (w *world) lookup(d dice, src netip.Addr, t int64) int64 {
	var took int64
	if src.Is6() {
		return 0
	}
	for range 1 + d.IntN(2) {
		wait := nanos(0.002 + 0.05*d.Float64())
		c := udp(port(src, d.ephemeral()), port(w.net.resolver, 53), t+took, wait, 30+d.Uint64N(40), 60+d.Uint64N(300), 1400, 1)
		if src == w.net.resolver {
			return 0
		}
		c.Delay, c.Hidden, c.Habit = wait, w.net.cloud && !w.net.ownDNS, "lookup"
		w.emit(c)
		took += wait
	}
	return took
}
