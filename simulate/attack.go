package simulate

import (
	"net/netip"
	"slices"

	"picket"
)

// play is one kind of attack: how to let its actors loose.
type play struct {
	class, kind string
	start       func(*raid)
}

// raid is an attack being let loose: the order with what was left open filled in.
type raid struct {
	Order
	w           *world
	attack      *Attack
	d           dice
	key         uint64
	from, until int64 // Unix nanoseconds
	sources     []netip.Addr
	targets     []*host
}

var plays = slices.Concat(floods, scans, guesses, leaks, beacons)

// Kinds are the kinds of attack of a class, all of them for a class that is none.
func Kinds(class string) []string {
	var of, all []string
	for i := range plays {
		all = append(all, plays[i].class+" "+plays[i].kind)
		if plays[i].class == class {
			of = append(of, plays[i].kind)
		}
	}
	if of == nil {
		return all
	}
	return of
}

// playOf finds a kind of attack, or nil.
func playOf(class, kind string) *play {
	for i := range plays {
		if plays[i].class == class && plays[i].kind == kind {
			return &plays[i]
		}
	}
	return nil
}

// strike lets the actors of one attack loose.
func (w *world) strike(o Order, index int) error {
	a := &Attack{Index: index, Class: o.Class, Kind: o.Kind, Strength: o.Strength,
		actors: &ledger{map[netip.Addr]*tally{}}, victims: &ledger{map[netip.Addr]*tally{}}}
	k := key("attack", uint64(index))
	r := &raid{Order: o, w: w, attack: a, key: k, d: newDice(w.script.Seed, k), from: w.from + int64(o.At), until: w.from + int64(o.At+o.For)}
	if err := r.choose(); err != nil {
		return err
	}
	a.from, a.until = r.from, r.until
	w.attacks = append(w.attacks, a)
	playOf(o.Class, o.Kind).start(r)
	return nil
}

// choose fills in who attacks and who is attacked where the order does not say.
// An inside attacker is one machine; what is outside is drawn by the play.
func (r *raid) choose() error {
	net, d := r.w.net, r.d
	r.targets = net.servers
	if len(r.targets) == 0 {
		r.targets = net.all
	}
	if r.Class == picket.ClassDDoS && len(net.byRole["web"]) > 0 && d.chance(0.6) {
		r.targets = net.byRole["web"]
	}
	if r.To == "outside" {
		r.targets = []*host{{name: "outside", role: serverRoles[d.IntN(8)], addr: net.outside(r.key ^ 0x7a)}}
	} else if r.To != "" {
		found, err := net.find(r.To)
		if err != nil {
			return err
		}
		r.targets = found
	}
	inside := r.Class == picket.ClassExfiltration || r.Class == picket.ClassC2
	if r.From == "" && r.To != "outside" && !inside && (r.Class == picket.ClassDDoS || d.chance(0.6)) || r.From == "outside" {
		return nil
	}
	group := net.all
	if r.From != "" {
		found, err := net.find(r.From)
		if err != nil {
			return err
		}
		group = found
	} else if inside && len(net.hosts) > 0 && d.chance(0.7) {
		group = net.hosts
	}
	if len(group) > 0 {
		h := group[d.IntN(len(group))]
		r.sources = []netip.Addr{h.addr}
		if h.six.IsValid() && d.chance(0.2) && !inside {
			r.sources = []netip.Addr{h.six}
		}
	}
	return nil
}

// source is the one attacker: the machine inside, or an address outside.
func (r *raid) source() netip.Addr {
	if len(r.sources) == 0 {
		r.sources = []netip.Addr{r.w.net.outside(r.key)}
	}
	return r.sources[0]
}

// target is the one machine attacked, another than the attacker.
func (r *raid) target() *host {
	for range 8 {
		if h := r.targets[r.d.IntN(len(r.targets))]; len(r.sources) == 0 || h.addr != r.sources[0] && h.six != r.sources[0] {
			return h
		}
	}
	return r.targets[0]
}

// address is the target's address of the attacker's family.
func (r *raid) address(h *host) netip.Addr {
	if r.source().Is6() && h.six.IsValid() {
		return h.six
	}
	return h.addr
}

// send emits a conversation of the attack.
func (r *raid) send(c Conversation) {
	if c.Delay == 0 {
		c.Delay = r.w.delay(c.Src, c.Dst)
	}
	if c.Outcome <= Reset && c.Proto == picket.ProtoTCP {
		c.End = max(c.End, c.Start+2*c.Delay)
	}
	c.Attack, c.Habit = r.attack, r.Kind
	r.w.emit(c)
}

// every calls do at the given rate per second, in batches of a tick where the
// rate is high, until it returns false. burst is how unevenly: 0 by the clock.
func (r *raid) every(n uint64, rate, burst float64, do func(d dice, t int64) bool) {
	const tick = 0.05 // seconds
	r.w.add(key("raid", r.key, n), r.from+int64(n%7)*second/9, r.until, func(a *actor) int64 {
		if rate*tick < 1 {
			if !do(a.d, a.at) {
				return -1
			}
			return a.at + max(1, nanos(wait(a.d, 1/rate, burst)))
		}
		whole := rate * tick * (1 + burst*(a.d.Float64()-0.5))
		count := int(whole + a.d.Float64())
		for i := range count {
			if !do(a.d, a.at+int64(i)*nanos(tick)/int64(count)) {
				return -1
			}
		}
		return a.at + nanos(tick)
	})
}

// wait draws a gap of the given mean: by the clock for burst 0, random for 1.
func wait(d dice, mean, burst float64) float64 {
	return mean * (1 - burst + burst*d.ExpFloat64())
}

// open is a port that the machine serves.
func (r *raid) open(h *host) uint16 {
	ports := serverPorts[h.role]
	if len(ports) == 0 {
		return 443
	}
	if r.d.chance(0.7) {
		return ports[0]
	}
	return ports[r.d.IntN(len(ports))]
}
