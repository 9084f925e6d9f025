package simulate

import (
	"net/netip"

	"picket"
)

// service is what one login attempt looks like.
type service struct {
	port         uint16
	up, down     float64 // payload bytes of the connection before the tries
	upTry, dnTry float64 // and of each try
	connect, try float64 // seconds
	tries        int     // most tries in one connection
}

var services = map[string]service{
	"ssh":      {22, 1500, 2200, 160, 100, 0.4, 1.8, 6},
	"rdp":      {3389, 1200, 1400, 700, 900, 0.5, 0.8, 1},
	"ftp":      {21, 0, 80, 32, 40, 0.1, 1.5, 4},
	"smb":      {445, 400, 500, 600, 400, 0.05, 0.05, 3},
	"telnet":   {23, 30, 80, 20, 60, 0.5, 2, 3},
	"mysql":    {3306, 0, 90, 110, 60, 0.02, 0.03, 1},
	"postgres": {5432, 60, 20, 50, 110, 0.02, 0.05, 1},
	"mssql":    {1433, 200, 200, 250, 150, 0.05, 0.1, 1},
	"http":     {443, 600, 3500, 450, 900, 0.15, 0.15, 20},
	"imap":     {993, 600, 3500, 60, 60, 0.2, 1.5, 3},
	"smtp":     {587, 700, 3600, 90, 70, 0.3, 1, 3},
	"vnc":      {5900, 30, 40, 20, 10, 0.1, 0.3, 1},
	"winrm":    {5985, 0, 0, 900, 500, 0.05, 0.1, 4},
	"ldap":     {389, 0, 0, 60, 30, 0.01, 0.02, 5},
}

// guesses are the kinds of bruteforce. Strength 1 is a try every few seconds to
// some tries a second.
var guesses = func() []play {
	var all []play
	for _, kind := range []string{"ssh", "rdp", "ftp", "smb", "telnet", "mysql", "postgres", "mssql", "http", "imap", "smtp", "vnc", "winrm", "ldap"} {
		all = append(all, play{picket.ClassBruteforce, kind, func(r *raid) { r.guess(services[kind]) }})
	}
	return append(all,
		play{picket.ClassBruteforce, "spray", (*raid).spray},
		play{picket.ClassBruteforce, "distributed", (*raid).distributed})
}()

// guess is one source at one target.
func (r *raid) guess(s service) {
	h, src, g := r.target(), r.source(), r.guesser(s)
	lanes := 1 + r.d.IntN(12)
	rate := r.rate(span{0.15, 8}) / float64(lanes)
	for n := range lanes {
		r.every(uint64(n), rate, r.d.Float64(), func(d dice, t int64) bool {
			g(d, src, r.address(h), t)
			return true
		})
	}
}

// guesser draws how the tool works and returns what makes one connection of it.
func (r *raid) guesser(s service) func(d dice, src, dst netip.Addr, t int64) {
	most := 1 + r.d.IntN(s.tries)
	pace, size, drop := r.d.in(span{0.3, 2}), r.d.in(span{0.7, 1.6}), r.d.Float64()*0.08
	reset := r.d.Float64()
	return func(d dice, src, dst netip.Addr, t int64) {
		from, to := port(src, d.ephemeral()), port(dst, s.port)
		if d.chance(drop) {
			r.send(probe(from, to, t, 1+d.IntN(2), []Outcome{Silent, Refused}[d.IntN(2)]))
			return
		}
		tries := most
		if d.chance(0.1) {
			tries = 1 + d.IntN(most)
		}
		up := size * (s.up + float64(tries)*s.upTry) * (0.97 + 0.06*d.Float64())
		down := size * (s.down + float64(tries)*s.dnTry) * (0.97 + 0.06*d.Float64())
		life := pace * (s.connect + float64(tries)*s.try) * (0.8 + 0.4*d.Float64())
		c := tcp(from, to, t, nanos(life), uint64(up), uint64(down), 3+2*tries)
		if d.chance(reset) {
			c.Outcome = Reset
		}
		r.send(c)
	}
}

// spray tries one password at many machines, and then the next.
func (r *raid) spray() {
	kind := []string{"ssh", "smb", "rdp", "winrm"}[r.d.IntN(4)]
	src, g, at := r.source(), r.guesser(services[kind]), 0
	targets := r.w.net.all
	if r.d.chance(0.5) && len(r.w.net.servers) > 2 {
		targets = r.w.net.servers
	}
	r.every(0, r.rate(span{0.1, 6}), r.d.Float64(), func(d dice, t int64) bool {
		h := targets[at%len(targets)]
		if at++; h.addr != src {
			g(d, src, r.address(h), t)
		}
		return true
	})
}

// distributed is many sources that take turns at one target.
func (r *raid) distributed() {
	kind := []string{"ssh", "http", "rdp", "imap"}[r.d.IntN(4)]
	h, g, n := r.target(), r.guesser(services[kind]), r.d.count(span{4, 60})
	r.sources = nil
	r.every(0, r.rate(span{0.5, 10}), 0.5+0.5*r.d.Float64(), func(d dice, t int64) bool {
		g(d, r.bot(d, n), h.addr, t)
		return true
	})
}

// leaks are the kinds of exfiltration. Strength 1 is some hundred megabytes in
// bulk, some megabytes by a tunnel, over an hour.
var leaks = []play{
	{picket.ClassExfiltration, "bulk", func(r *raid) { r.leak(span{60 * mB, 4 * gB}, span{1, 8}, []uint16{443, 22, 8443, 4444, 990}) }},
	{picket.ClassExfiltration, "cloud", func(r *raid) { r.leak(span{60 * mB, 4 * gB}, span{5, 80}, []uint16{443}) }},
	{picket.ClassExfiltration, "ftp", func(r *raid) { r.leak(span{40 * mB, 2 * gB}, span{3, 60}, []uint16{20, 21, 40021}) }},
	{picket.ClassExfiltration, "drip", func(r *raid) { r.leak(span{4 * mB, 80 * mB}, span{30, 400}, []uint16{443, 8443, 80}) }},
	{picket.ClassExfiltration, "dns-tunnel", (*raid).dnsTunnel},
	{picket.ClassExfiltration, "icmp-tunnel", (*raid).icmpTunnel},
}

// dropPoint is the address outside that an infected machine talks to.
func (r *raid) dropPoint(shared bool) netip.Addr {
	if r.To != "" && r.To != "outside" && len(r.targets) > 0 {
		return r.targets[0].addr
	}
	if shared {
		return r.w.net.site(r.d.rank(r.w.net.sites))
	}
	return r.w.net.outside(r.key ^ 0xd0d0)
}

// leak uploads a volume per hour in some parts over the length of the attack.
func (r *raid) leak(volume, parts span, ports []uint16) {
	src, dst := r.source(), r.dropPoint(r.Kind == "cloud" && r.d.chance(0.5))
	hours := r.For.Hours()
	total := r.Strength * r.d.in(volume) * max(hours, 0.15)
	n := max(1, r.d.in(parts)*max(1, hours*0.5))
	p, speed := ports[r.d.IntN(len(ports))], r.d.in(span{0.2 * mB, 12 * mB})
	lossy := r.d.Float64() * 0.05
	r.every(0, n/r.For.Seconds(), r.d.Float64(), func(d dice, t int64) bool {
		if d.chance(0.3) && r.Kind != "bulk" {
			t += r.w.lookup(d, src, t)
		}
		up := d.around(total/n, 0.4)
		life := min(max(up/speed, 0.3), float64(r.until-t)/1e9+1)
		c := tcp(port(src, d.ephemeral()), port(dst, p), t, nanos(life), uint64(up), 900+uint64(up*0.0005)+d.Uint64N(4000), 1+d.IntN(4))
		if d.chance(lossy) {
			c.Outcome = Reset
		}
		r.send(c)
		return true
	})
}

// dnsTunnel hides data in names that are asked for.
func (r *raid) dnsTunnel() {
	src, dst := r.source(), r.w.net.resolver
	if r.w.net.cloud || r.d.chance(0.5) || src == dst {
		dst = r.dropPoint(false)
	}
	up, down := r.d.in(span{90, 230}), r.d.in(span{80, 900})
	sport, fixed := r.d.ephemeral(), r.d.chance(0.3)
	r.every(0, r.rate(span{2, 60}), r.d.Float64(), func(d dice, t int64) bool {
		if !fixed {
			sport = d.ephemeral()
		}
		life := nanos(0.01 + 0.1*d.Float64())
		r.send(udp(port(src, sport), port(dst, 53), t, life, uint64(d.around(up, 0.12)), uint64(d.around(down, 0.25)), 1400, 1))
		return true
	})
}

// icmpTunnel hides data in echo requests.
func (r *raid) icmpTunnel() {
	src, dst := r.source(), r.dropPoint(false)
	size, per := uint64(r.d.in(span{150, 1400})), r.d.in(span{1, 200})
	r.every(0, max(0.02, r.rate(span{2, 60})/per), r.d.Float64(), func(d dice, t int64) bool {
		n := max(1, uint64(d.around(per, 0.4)))
		c := ping(src, dst, t, nanos(per*0.05), n, size, true)
		if d.chance(0.5) {
			c.In.Payload = n * 40
		}
		r.send(c)
		return true
	})
}

// beacons are the kinds of c2. Strength makes them more frequent and larger.
var beacons = []play{
	{picket.ClassC2, "https-beacon", func(r *raid) { r.beacon([]uint16{443, 443, 8443}, span{500, 2500}, span{1500, 6000}) }},
	{picket.ClassC2, "http-beacon", func(r *raid) { r.beacon([]uint16{80, 8080, 8000}, span{200, 900}, span{150, 3000}) }},
	{picket.ClassC2, "tcp-beacon", func(r *raid) { r.beacon([]uint16{4444, 1337, 9001, 50050, 6667, 53}, span{20, 600}, span{10, 600}) }},
	{picket.ClassC2, "dns-beacon", (*raid).dnsBeacon},
	{picket.ClassC2, "long-poll", (*raid).longPoll},
}

// rhythm draws the interval in seconds and the jitter as a share of it.
func (r *raid) rhythm() (every, jitter float64) {
	every = r.Every.Seconds()
	if every == 0 {
		every = min(3600, max(5, r.d.in(span{8, 2400})/r.Strength))
	}
	if jitter = r.Jitter; jitter < 0 {
		jitter = []float64{0, 0.05, 0.1, 0.2, 0.3, 0.5}[r.d.IntN(6)]
	}
	return every, jitter
}

// clockwork calls do at each beat.
func (r *raid) clockwork(every, jitter float64, do func(d dice, t int64)) {
	r.w.add(key("raid", r.key), r.from, r.until, func(a *actor) int64 {
		do(a.d, a.at)
		return a.at + nanos(every*(1+jitter*(2*a.d.Float64()-1)))
	})
}

func (r *raid) beacon(ports []uint16, up, down span) {
	src, dst, p := r.source(), r.dropPoint(r.d.chance(0.1)), ports[r.d.IntN(len(ports))]
	asks, tasks, gone := r.d.Float64()*0.3, r.d.Float64()*0.06, r.d.Float64()*0.05
	u, v, life := r.d.in(up), r.d.in(down), r.d.in(span{0.1, 4})
	every, jitter := r.rhythm()
	r.clockwork(every, jitter, func(d dice, t int64) {
		if d.chance(asks) {
			t += r.w.lookup(d, src, t)
		}
		from, to := port(src, d.ephemeral()), port(dst, p)
		if d.chance(gone) {
			r.send(probe(from, to, t, 3, Silent))
			return
		}
		x, y := u, v
		if d.chance(tasks) { // a task, and its result
			x, y = u*d.in(span{2, 200}), v*d.in(span{1, 40})
		}
		r.send(tcp(from, to, t, nanos(d.around(life, 0.2)), uint64(d.around(x, 0.03)), uint64(d.around(y, 0.03)), 2))
	})
}

func (r *raid) dnsBeacon() {
	src, dst := r.source(), r.w.net.resolver
	if r.w.net.cloud || r.d.chance(0.5) || src == dst {
		dst = r.dropPoint(false)
	}
	every, jitter := r.rhythm()
	every = min(every, 600)
	n := 1 + r.d.IntN(3)
	r.clockwork(every, jitter, func(d dice, t int64) {
		for i := range n {
			at := t + int64(i)*second/5
			r.send(udp(port(src, d.ephemeral()), port(dst, 53), at, nanos(0.02+0.1*d.Float64()), 40+d.Uint64N(60), 60+d.Uint64N(200), 1400, 1))
		}
	})
}

// longPoll holds a connection open and says a little at each beat.
func (r *raid) longPoll() {
	src, dst := r.source(), r.dropPoint(r.d.chance(0.1))
	p := []uint16{443, 80, 8080, 4444}[r.d.IntN(4)]
	every, jitter := r.rhythm()
	every = min(every, 120)
	hold := max(r.d.in(span{30, 3600}), every*2)
	u, v := r.d.in(span{60, 900}), r.d.in(span{60, 600})
	r.clockwork(hold+1, jitter*0.2, func(d dice, t int64) {
		beats := max(1, hold/every)
		c := tcp(port(src, d.ephemeral()), port(dst, p), t, nanos(hold), uint64(beats*d.around(u, 0.1)), uint64(beats*d.around(v, 0.1)), int(beats))
		c.Busy = 0.05
		r.send(c)
	})
}
