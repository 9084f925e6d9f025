package simulate

import (
	"math"
	"net/netip"

	"picket"
)

// floods are the kinds of ddos. Strength 1 is some hundred packets or some
// dozens of requests a second.
var floods = []play{
	{picket.ClassDDoS, "syn-flood", func(r *raid) { r.synFlood(0, 1) }},
	{picket.ClassDDoS, "syn-flood-bots", func(r *raid) { r.synFlood(r.d.count(span{1, 300}), 1) }},
	{picket.ClassDDoS, "pulse", func(r *raid) { r.synFlood(r.d.IntN(2)*50, 0.2+0.4*r.d.Float64()) }},
	{picket.ClassDDoS, "ack-flood", (*raid).ackFlood},
	{picket.ClassDDoS, "udp-flood", func(r *raid) { r.udpFlood(false) }},
	{picket.ClassDDoS, "udp-flood-spoofed", func(r *raid) { r.udpFlood(true) }},
	{picket.ClassDDoS, "icmp-flood", (*raid).icmpFlood},
	{picket.ClassDDoS, "http-flood", (*raid).httpFlood},
	{picket.ClassDDoS, "slowloris", (*raid).slowloris},
	{picket.ClassDDoS, "carpet", (*raid).carpet},
	{picket.ClassDDoS, "dns-amplification", func(r *raid) { r.reflect(53, span{900, 4000}, span{1, 4}) }},
	{picket.ClassDDoS, "ntp-amplification", func(r *raid) { r.reflect(123, span{440, 468}, span{5, 100}) }},
	{picket.ClassDDoS, "ssdp-amplification", func(r *raid) { r.reflect(1900, span{250, 500}, span{3, 20}) }},
	{picket.ClassDDoS, "cldap-amplification", func(r *raid) { r.reflect(389, span{1400, 3500}, span{1, 6}) }},
	{picket.ClassDDoS, "memcached-amplification", func(r *raid) { r.reflect(11211, span{1300, 1400}, span{50, 700}) }},
	{picket.ClassDDoS, "isakmp-amplification", func(r *raid) { r.reflect(500, span{60, 400}, span{1, 8}) }},
	{picket.ClassDDoS, "snmp-amplification", func(r *raid) { r.reflect(161, span{400, 1400}, span{2, 30}) }},
	{picket.ClassDDoS, "synack-reflection", (*raid).synAck},
}

// bot is source number i of a botnet of n, of an endless one for n = 0.
func (r *raid) bot(d dice, n int) netip.Addr {
	if len(r.sources) > 0 {
		return r.sources[0]
	}
	if n == 0 {
		return r.w.net.outside(d.Uint64())
	}
	return r.w.net.outside(r.key + uint64(d.IntN(n)))
}

// synFlood is SYNs from n sources, spoofed for 0; on is the share of the time in
// which it goes on, in pulses.
func (r *raid) synFlood(n int, on float64) {
	h, rate := r.target(), r.Strength*r.d.in(span{100, 900})
	p, answers, again := r.open(h), r.d.Float64(), r.d.chance(0.4)
	random, syn := r.d.chance(0.15), uint8(4*r.d.IntN(6))
	period := r.d.in(span{4, 60})
	r.every(0, rate, 0.4, func(d dice, t int64) bool {
		if on < 1 && math.Mod(float64(t-r.from)/1e9, period) > on*period {
			return true
		}
		to := port(h.addr, p)
		if random {
			to = port(h.addr, uint16(1+d.IntN(65535)))
		}
		c := probe(port(r.bot(d, n), uint16(1024+d.IntN(64000))), to, t, 1, Silent)
		c.SynOptions = syn
		if d.chance(answers) {
			c.Outcome, c.In.Packets = HalfOpen, 1
			if again {
				c.In.Packets, c.End = 1+d.Uint64N(5), t+nanos(1+8*d.Float64())
			}
		}
		r.send(c)
		return true
	})
}

func (r *raid) ackFlood() {
	h, rate, n := r.target(), r.Strength*r.d.in(span{100, 900}), r.d.IntN(2)*r.d.count(span{10, 400})
	p, size := r.open(h), uint64(r.d.IntN(2))*r.d.Uint64N(1000)
	flags := []uint8{picket.FlagACK, picket.FlagACK | picket.FlagPSH, picket.FlagRST, picket.FlagFIN | picket.FlagACK}[r.d.IntN(4)]
	r.every(0, rate, 0.4, func(d dice, t int64) bool {
		c := raw(port(r.bot(d, n), uint16(1024+d.IntN(64000))), port(h.addr, p), t, 0, 1, size, flags)
		if flags&picket.FlagRST == 0 && d.chance(0.6) {
			c.In = Side{Packets: 1, Flags: picket.FlagRST}
		}
		r.send(c)
		return true
	})
}

// udpFlood is large or small datagrams, from some sources in long flows, or from
// spoofed ones in single packets.
func (r *raid) udpFlood(spoofed bool) {
	h, size := r.target(), uint64(r.d.in(span{1, 1400}))
	rate, n := r.Strength*r.d.in(span{200, 2000}), r.d.count(span{1, 300})
	p, walks, pieces := uint16(1+r.d.IntN(65535)), r.d.chance(0.4), r.d.chance(0.15)
	if r.d.chance(0.4) {
		p = []uint16{53, 80, 123, 443, 5060, 27015}[r.d.IntN(6)]
	}
	per := r.d.in(span{20, 3000}) // packets in a flow
	if spoofed {
		n, per = 0, 1
	}
	r.every(0, max(rate/per, 0.05), 0.3, func(d dice, t int64) bool {
		to := port(h.addr, p)
		if walks {
			to = port(h.addr, uint16(1+d.IntN(65535)))
		}
		packets := uint64(max(1, per))
		life := nanos(per / rate * float64(max(1, min(n, 50))))
		c := udp(port(r.bot(d, n), d.ephemeral()), to, t, min(life, r.until-t), packets*size, 0, int(size), 1)
		if pieces {
			c.Pieces, c.Out.Payload, c.Out.Packets = 3, packets*3*1400, packets*3
			c.Out.Data = c.Out.Packets
		}
		r.send(c)
		return true
	})
}

func (r *raid) icmpFlood() {
	h, size := r.target(), uint64(r.d.in(span{18, 1400}))
	rate, n := r.Strength*r.d.in(span{200, 2000}), r.d.IntN(2)*r.d.count(span{1, 300})
	per := r.d.in(span{20, 2000})
	if n == 0 {
		per = 1
	}
	answered := r.d.chance(0.5)
	r.every(0, max(rate/per, 0.05), 0.3, func(d dice, t int64) bool {
		life := nanos(per / rate * float64(max(1, min(n, 50))))
		r.send(ping(r.bot(d, n), h.addr, t, min(life, r.until-t), uint64(per), size, answered))
		return true
	})
}

// httpFlood is whole requests from a botnet.
func (r *raid) httpFlood() {
	h, rate, n := r.target(), r.Strength*r.d.in(span{15, 150}), r.d.count(span{5, 1500})
	p, down := []uint16{443, 80}[r.d.IntN(2)], r.d.in(span{200, 60 * kB})
	up, full, keeps := r.d.in(span{150, 2 * kB}), r.d.Float64()*0.4, r.d.in(span{1, 30})
	r.every(0, rate, 0.6, func(d dice, t int64) bool {
		from, to := port(r.bot(d, n), d.ephemeral()), port(h.addr, p)
		if d.chance(full) { // the server is full
			r.send(probe(from, to, t, 1+d.IntN(3), Silent))
			return true
		}
		c := tcp(from, to, t, nanos(d.around(0.4*keeps, 0.6)), uint64(keeps*d.around(up, 0.1)), uint64(keeps*d.around(down, 0.3)), int(keeps))
		if d.chance(0.3) {
			c.Outcome = Reset
		}
		r.send(c)
		return true
	})
}

// slowloris is connections that are kept open and say almost nothing.
func (r *raid) slowloris() {
	h, rate, n := r.target(), r.Strength*r.d.in(span{3, 40}), r.d.count(span{1, 40})
	p, hold := []uint16{443, 80}[r.d.IntN(2)], r.d.in(span{30, 400})
	r.every(0, rate, 0.3, func(d dice, t int64) bool {
		life := d.around(hold, 0.3)
		rounds := int(life/12) + 2
		c := tcp(port(r.bot(d, n), d.ephemeral()), port(h.addr, p), t, nanos(life), 180+uint64(rounds)*uint64(8+d.IntN(20)), 0, rounds)
		c.Outcome = []Outcome{Open, Reset, Closed}[d.IntN(3)]
		r.send(c)
		return true
	})
}

// carpet spreads a flood over the addresses of the network.
func (r *raid) carpet() {
	rate, n := r.Strength*r.d.in(span{200, 1500}), r.d.IntN(2)*r.d.count(span{20, 300})
	syn, p, size := r.d.chance(0.4), uint16(1+r.d.IntN(65535)), int(r.d.in(span{20, 1400}))
	targets := r.w.net.all
	r.every(0, rate, 0.4, func(d dice, t int64) bool {
		from, to := port(r.bot(d, n), d.ephemeral()), port(targets[d.IntN(len(targets))].addr, p)
		if syn {
			r.send(probe(from, to, t, 1, Silent))
		} else {
			r.send(udp(from, to, t, 0, uint64(size), 0, size, 1))
		}
		return true
	})
}

// reflect is answers that nobody asked for: from many servers outside with their
// well-known port, to one port or to random ones of the target.
func (r *raid) reflect(p uint16, size, packets span) {
	h, n := r.target(), r.d.count(span{10, 4000})
	bytes, per := r.d.in(size), r.d.in(packets)
	rate := max(r.Strength*r.d.in(span{150, 1200})/per, 0.2)
	to, fixed := uint16(1024+r.d.IntN(60000)), r.d.chance(0.5)
	if r.d.chance(0.2) {
		to = 80
	}
	r.every(0, rate, 0.4, func(d dice, t int64) bool {
		target := port(h.addr, to)
		if !fixed {
			target = port(h.addr, uint16(1024+d.IntN(64000)))
		}
		datagram := d.around(bytes, 0.15)
		count := uint64(max(1, d.around(per, 0.5)))
		c := udp(port(r.w.net.outside(r.key+uint64(d.IntN(n))), p), target, t, nanos(per/100), count*uint64(datagram), 0, int(datagram), 1)
		if pieces := (uint64(datagram) + 8 + 1479) / 1480; pieces > 1 {
			c.Pieces, c.Out.Packets = uint8(pieces), count*pieces
			c.Out.Data = c.Out.Packets
		}
		c.Reply, c.Outcome = true, Raw
		r.send(c)
		return true
	})
}

// synAck is SYN-ACKs of servers that got SYNs in the target's name.
func (r *raid) synAck() {
	h, n := r.target(), r.d.count(span{100, 4000})
	rate := r.Strength * r.d.in(span{100, 800})
	p, again := []uint16{443, 80, 22, 179, 21}[r.d.IntN(5)], 1+r.d.Uint64N(5)
	r.every(0, rate/float64(again), 0.4, func(d dice, t int64) bool {
		c := raw(port(r.w.net.outside(r.key+uint64(d.IntN(n))), p), port(h.addr, uint16(1024+d.IntN(64000))), t, nanos(float64(again-1)*2), again, 0, picket.FlagSYN|picket.FlagACK)
		c.Reply = true
		if d.chance(0.3) {
			c.In = Side{Packets: 1, Flags: picket.FlagRST}
		}
		r.send(c)
		return true
	})
}
