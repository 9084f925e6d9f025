package simulate

import (
	"net/netip"

	"picket"
)

// scans are the kinds of scan. Strength 1 is some dozens of probes a second,
// for the slow ones some dozens an hour.
var scans = []play{
	{picket.ClassScan, "syn", func(r *raid) { r.vertical(picket.FlagSYN, false) }},
	{picket.ClassScan, "connect", func(r *raid) { r.vertical(picket.FlagSYN, true) }},
	{picket.ClassScan, "fin", func(r *raid) { r.vertical(picket.FlagFIN, false) }},
	{picket.ClassScan, "xmas", func(r *raid) { r.vertical(picket.FlagFIN|picket.FlagPSH|picket.FlagURG, false) }},
	{picket.ClassScan, "null", func(r *raid) { r.vertical(0, false) }},
	{picket.ClassScan, "ack", func(r *raid) { r.vertical(picket.FlagACK, false) }},
	{picket.ClassScan, "udp", (*raid).udpScan},
	{picket.ClassScan, "horizontal", func(r *raid) { r.horizontal(r.rate(span{2, 150}), 1) }},
	{picket.ClassScan, "services", func(r *raid) { r.horizontal(r.rate(span{2, 150}), 3+r.d.IntN(20)) }},
	{picket.ClassScan, "ping-sweep", (*raid).pingSweep},
	{picket.ClassScan, "slow", (*raid).slowScan},
	{picket.ClassScan, "slow-horizontal", func(r *raid) { r.horizontal(r.Strength*r.d.in(span{4, 120})/3600, 1+r.d.IntN(3)) }},
	{picket.ClassScan, "outward", (*raid).outward},
}

func (r *raid) rate(s span) float64 { return r.Strength * r.d.in(s) }

// wellKnown are ports that scanners like to ask for.
var wellKnown = []uint16{21, 22, 23, 25, 53, 80, 81, 88, 110, 111, 135, 139, 143, 161, 389, 443, 445, 465, 514, 587, 631, 636, 993, 995, 1080, 1433, 1521, 1723, 2049, 2181, 2323, 2375, 3000, 3128, 3306, 3389, 4443, 5000, 5060, 5432, 5555, 5601, 5672, 5900, 5985, 6379, 6443, 7001, 7547, 8000, 8008, 8080, 8081, 8088, 8443, 8728, 8888, 9000, 9090, 9200, 9300, 10250, 11211, 15672, 27017, 37215, 50070}

// ports draws the ports that a scan asks for, in its order.
func (r *raid) ports() []uint16 {
	d := r.d
	var ports []uint16
	switch d.IntN(4) {
	case 0:
		ports = append(ports, wellKnown...)
	case 1: // nmap's default: the thousand most common ones
		ports = append(ports, wellKnown...)
		for p := uint16(1024); len(ports) < 1000; p += uint16(1 + d.IntN(30)) {
			ports = append(ports, p)
		}
	case 2:
		for p := uint16(1); p <= 1024; p++ {
			ports = append(ports, p)
		}
	default:
		for p := 1; p < 65536; p++ {
			ports = append(ports, uint16(p))
		}
	}
	if d.chance(0.8) {
		d.Shuffle(len(ports), func(i, j int) { ports[i], ports[j] = ports[j], ports[i] })
	}
	return ports
}

// vertical walks the ports of a target, or of a few targets one after another.
func (r *raid) vertical(flags uint8, whole bool) {
	ports, tries := r.ports(), 1+r.d.IntN(3)
	targets := []*host{r.target()}
	for r.d.chance(0.4) && len(targets) < 6 {
		targets = append(targets, r.target())
	}
	src, sport, fixed := r.source(), r.d.ephemeral(), r.d.chance(0.5)
	at := 0
	r.every(0, r.rate(span{3, 300}), r.d.Float64(), func(d dice, t int64) bool {
		if at == len(ports)*len(targets) {
			return false
		}
		h := targets[at/len(ports)]
		if !fixed {
			sport = d.ephemeral()
		}
		r.ask(d, port(src, sport), port(r.address(h), ports[at%len(ports)]), t, flags, whole, tries)
		at++
		return true
	})
}

// ask sends one probe and answers it as the target would.
func (r *raid) ask(d dice, from, to netip.AddrPort, t int64, flags uint8, whole bool, tries int) {
	net := r.w.net
	machine := net.byAddr[to.Addr()]
	open := machine != nil && net.listens(to.Addr(), to.Port()) || !net.inside(to.Addr()) && d.chance(0.05)
	closed := !open && (machine != nil || !net.inside(to.Addr()) && d.chance(0.3))
	walled := net.wall && !(net.inside(from.Addr()) && mix(net.seed)%3 != 0) || machine != nil && mix(machine.id)%4 == 0
	if flags != picket.FlagSYN {
		c := raw(from, to, t, 0, 1, 0, flags)
		if !open && !walled && machine != nil || flags == picket.FlagACK && !walled && machine != nil {
			c.In = Side{Packets: 1, Flags: picket.FlagRST | picket.FlagACK}
		} else {
			c.Out.Packets, c.End = uint64(tries), t+int64(tries-1)*second
		}
		r.send(c)
		return
	}
	var c Conversation
	switch {
	case open && whole:
		c = tcp(from, to, t, nanos(0.02+d.Float64()), d.Uint64N(2)*d.Uint64N(200), d.Uint64N(2)*d.Uint64N(300), 1)
		c.Outcome = []Outcome{Reset, Closed}[d.IntN(2)]
	case open:
		c = probe(from, to, t, 1, HalfOpen)
	case closed && !walled:
		c = probe(from, to, t, 1, Refused)
	case machine != nil && walled && net.cloud:
		c = probe(from, to, t, tries, Blocked)
	default:
		c = probe(from, to, t, tries, Silent)
	}
	c.SynOptions = 4
	if whole {
		c.Options, c.SynOptions = stack(from.Addr())
	}
	r.send(c)
}

func (r *raid) udpScan() {
	ports, h, src, at := r.ports(), r.target(), r.source(), 0
	tries := 1 + r.d.IntN(2)
	r.every(0, r.rate(span{1, 40}), r.d.Float64(), func(d dice, t int64) bool {
		if at == len(ports) {
			return false
		}
		down := uint64(0)
		if d.chance(0.01) {
			down = 20 + d.Uint64N(300)
		}
		c := udp(port(src, d.ephemeral()), port(r.address(h), ports[at]), t, int64(tries-1)*second, uint64(tries)*(1+d.Uint64N(60)), down, 60, tries)
		at++
		r.send(c)
		return true
	})
}

// horizontal asks many addresses for n ports. Addresses without a machine are
// asked too.
func (r *raid) horizontal(rate float64, n int) {
	src, at, tries := r.source(), 0, 1+r.d.IntN(2)
	whole, ports := r.d.chance(0.4), make([]uint16, n)
	for i := range ports {
		ports[i] = wellKnown[r.d.IntN(len(wellKnown))]
	}
	room := uint64(1) << min(16, r.w.net.prefix.Addr().BitLen()-r.w.net.prefix.Bits())
	stride := r.d.Uint64N(room)*2 | 1 // odd: reaches every address once
	if r.d.chance(0.4) {
		stride = 1
	}
	known := r.To != "" || r.d.chance(0.4)
	r.every(0, rate, r.d.Float64(), func(d dice, t int64) bool {
		i := uint64(at / n)
		var to netip.Addr
		if known {
			if i >= uint64(len(r.w.net.all)) {
				at, i = 0, 0
			}
			to = r.address(r.w.net.all[i])
		} else {
			to = offset(r.w.net.prefix.Addr(), (i*stride)%room)
		}
		if to != src {
			r.ask(d, port(src, d.ephemeral()), port(to, ports[at%n]), t, picket.FlagSYN, whole, tries)
		}
		at++
		return known || at < int(room)*n
	})
}

func (r *raid) pingSweep() {
	src, at := r.source(), uint64(0)
	room := uint64(1) << min(16, r.w.net.prefix.Addr().BitLen()-r.w.net.prefix.Bits())
	r.every(0, r.rate(span{2, 100}), r.d.Float64(), func(d dice, t int64) bool {
		to := offset(r.w.net.prefix.Addr(), at%room)
		if at++; to != src && src.Is4() {
			r.send(ping(src, to, t, 0, 1, 8, r.w.net.byAddr[to] != nil && !r.w.net.wall))
		}
		return at < room
	})
}

// slowScan touches a few ports an hour of one target or of a few.
func (r *raid) slowScan() {
	ports, src, tries := r.ports(), r.source(), 1+r.d.IntN(2)
	targets := []*host{r.target(), r.target(), r.target()}[:1+r.d.IntN(3)]
	at := 0
	r.every(0, r.Strength*r.d.in(span{3, 100})/3600, 0.2+0.8*r.d.Float64(), func(d dice, t int64) bool {
		r.ask(d, port(src, d.ephemeral()), port(r.address(targets[at%len(targets)]), ports[at%len(ports)]), t, picket.FlagSYN, false, tries)
		at++
		return true
	})
}

// outward is an infected machine inside that looks for others outside.
func (r *raid) outward() {
	src, n := r.source(), 1+r.d.IntN(3)
	if !r.w.net.inside(src) && len(r.w.net.all) > 0 {
		src = r.w.net.all[r.d.IntN(len(r.w.net.all))].addr
	}
	ports := make([]uint16, n)
	for i := range ports {
		ports[i] = []uint16{23, 2323, 22, 445, 3389, 5555, 6379, 80, 8080, 37215}[r.d.IntN(10)]
	}
	r.every(0, r.rate(span{1, 150}), r.d.Float64(), func(d dice, t int64) bool {
		r.ask(d, port(src, d.ephemeral()), port(r.w.net.outside(d.Uint64()), ports[d.IntN(n)]), t, picket.FlagSYN, false, 1)
		return true
	})
}
