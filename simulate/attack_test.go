package simulate

import (
	"fmt"
	"math"
	"net/netip"
	"slices"
	"testing"

	"picket"
)

// look is what an analyst would count in the conversations of one attack.
type look struct {
	n, sources, targets, ports int
	replies                    int     // conversations that only answer
	once                       float64 // share of one packet from Src
	silent                     float64 // share without an answer
	data                       float64 // share in which Src sent payload
	up, down                   float64 // payload bytes
	life                       float64 // seconds, median
	gap, spread                float64 // between starts: mean seconds, standard deviation over mean
	sizes                      float64 // standard deviation over mean of Src's payload where there is some
	empty                      float64 // share of seconds without a start
	first                      *Conversation
	inside                     bool // the first source is inside
}

func lookAt(net *network, all []*Conversation) (l look) {
	sources, targets, ports, ticks := map[netip.Addr]bool{}, map[netip.Addr]bool{}, map[uint16]bool{}, map[int64]bool{}
	var gaps, lives, sizes []float64
	for i, c := range all {
		sources[c.Src], targets[c.Dst], ports[c.DstPort], ticks[c.Start/second] = true, true, true, true
		l.once += one(c.Out.Packets == 1)
		l.silent += one(c.In.Packets == 0)
		l.data += one(c.Out.Payload > 0)
		l.replies += int(one(c.Reply))
		l.up, l.down = l.up+float64(c.Out.Payload), l.down+float64(c.In.Payload)
		lives = append(lives, float64(c.End-c.Start)/1e9)
		if c.Out.Payload > 0 {
			sizes = append(sizes, float64(c.Out.Payload))
		}
		if i > 0 {
			gaps = append(gaps, float64(c.Start-all[i-1].Start)/1e9)
		}
	}
	l.n, l.sources, l.targets, l.ports = len(all), len(sources), len(targets), len(ports)
	if l.n == 0 {
		return l
	}
	l.first, l.inside = all[0], net.inside(all[0].Src)
	l.once, l.silent, l.data = l.once/float64(l.n), l.silent/float64(l.n), l.data/float64(l.n)
	l.gap, l.spread = moments(gaps)
	_, l.sizes = moments(sizes)
	slices.Sort(lives)
	l.life = lives[l.n/2]
	l.empty = 1 - float64(len(ticks))/(float64(all[l.n-1].Start-all[0].Start)/1e9+1)
	return l
}

func one(ok bool) float64 {
	if ok {
		return 1
	}
	return 0
}

// moments are the mean and the standard deviation as a share of it.
func moments(x []float64) (mean, spread float64) {
	for _, v := range x {
		mean += v / float64(len(x))
	}
	for _, v := range x {
		spread += (v - mean) * (v - mean) / float64(len(x))
	}
	return mean, math.Sqrt(spread) / mean
}

const arena = "network 10.9.0.0/22 hosts 30 servers 12 iot 3\n"

// play runs one attack by itself.
func playAlone(t *testing.T, seed int, line string) (look, []*Conversation, []Truth) {
	t.Helper()
	s := parse(t, fmt.Sprintf("seed %d\nduration 4h\n%s%s\n", seed, arena, line))
	net, err := newNetwork(s.Network, s.Seed)
	if err != nil {
		t.Fatal(err)
	}
	all, rows := run(t, s)
	var mine []*Conversation
	for _, c := range all {
		if c.Attack != nil {
			mine = append(mine, c)
		}
	}
	return lookAt(net, mine), mine, rows
}

// Each kind of attack looks like what it is called, whatever the dice say.
func TestAttacksLookTheirPart(t *testing.T) {
	f := func(line string, is func(look) bool) {
		t.Helper()
		for seed := 1; seed <= 3; seed++ {
			if l, _, _ := playAlone(t, seed, line); !is(l) {
				t.Errorf("seed %d, %s: %+v", seed, line, l)
			}
		}
	}
	flood := func(l look) bool { return l.n > 1000 && l.targets == 1 && !l.inside }
	f("at 00:00 for 1m ddos syn-flood", func(l look) bool {
		return flood(l) && l.sources > l.n/2 && l.data == 0 && l.first.Out.Flags&picket.FlagSYN != 0
	})
	f("at 00:00 for 1m ddos syn-flood-bots", func(l look) bool { return flood(l) && l.sources <= 301 && l.data == 0 })
	f("at 00:00 for 4m ddos pulse", func(l look) bool { return flood(l) && l.empty > 0.2 })
	f("at 00:00 for 1m ddos ack-flood", func(l look) bool { return flood(l) && l.first.Outcome == Raw && l.once == 1 })
	f("at 00:00 for 1m ddos udp-flood", func(l look) bool { return l.n > 1 && l.first.Proto == picket.ProtoUDP && l.silent == 1 && l.up > 0 })
	f("at 00:00 for 1m ddos udp-flood-spoofed", func(l look) bool { return flood(l) && l.sources > l.n/2 && l.silent == 1 })
	f("at 00:00 for 1m ddos icmp-flood", func(l look) bool { return l.n > 1 && l.first.Proto == picket.ProtoICMP && l.targets == 1 })
	f("at 00:00 for 2m ddos http-flood", func(l look) bool {
		return l.n > 500 && l.sources >= 5 && l.targets == 1 && l.data > 0.5 && l.ports == 1
	})
	f("at 00:00 for 9m ddos slowloris", func(l look) bool {
		return l.n > 100 && l.life > 15 && l.up/float64(l.n) < 4000 && l.down == 0 && l.sources <= 41
	})
	f("at 00:00 for 1m ddos carpet", func(l look) bool { return l.n > 1000 && l.targets == 45 })
	reflection := func(p uint16) func(look) bool {
		return func(l look) bool {
			return l.n > 3 && l.replies == l.n && l.targets == 1 && l.sources > 2 && l.first.SrcPort == p && l.down == 0 && !l.inside
		}
	}
	for name, p := range map[string]uint16{"dns": 53, "ntp": 123, "ssdp": 1900, "cldap": 389, "memcached": 11211, "isakmp": 500, "snmp": 161} {
		f("at 00:00 for 2m ddos "+name+"-amplification", reflection(p))
	}
	f("at 00:00 for 1m ddos synack-reflection", func(l look) bool {
		return l.n > 500 && l.replies == l.n && l.first.Out.Flags == picket.FlagSYN|picket.FlagACK && l.up == 0
	})
	walk := func(flags uint8) func(look) bool {
		return func(l look) bool {
			return l.n >= 60 && l.sources == 1 && l.targets <= 6 && l.ports >= 50 && l.n <= l.ports*l.targets && l.first.Out.Flags == flags
		}
	}
	f("at 00:00 for 20m scan fin from outside", walk(picket.FlagFIN))
	f("at 00:00 for 20m scan xmas from outside", walk(picket.FlagFIN|picket.FlagPSH|picket.FlagURG))
	f("at 00:00 for 20m scan null from outside", walk(0))
	f("at 00:00 for 20m scan ack from outside", walk(picket.FlagACK))
	asks := func(l look) bool {
		return l.n >= 60 && l.sources == 1 && l.targets <= 6 && l.ports >= 50 && l.first.Out.Flags&picket.FlagSYN != 0
	}
	f("at 00:00 for 20m scan syn", func(l look) bool { return asks(l) && l.data == 0 })
	f("at 00:00 for 20m scan connect", asks)
	f("at 00:00 for 1h scan udp", func(l look) bool { return l.n >= 60 && l.ports >= 50 && l.silent > 0.9 && l.targets == 1 })
	f("at 00:00 for 20m scan horizontal", func(l look) bool { return l.targets >= 40 && l.ports == 1 && l.sources == 1 })
	f("at 00:00 for 20m scan services", func(l look) bool { return l.targets >= 30 && l.ports >= 2 && l.ports <= 23 && l.sources == 1 })
	f("at 00:00 for 20m scan ping-sweep", func(l look) bool { return l.targets > 100 && l.first.Proto == picket.ProtoICMP })
	f("at 00:00 for 4h scan slow", func(l look) bool {
		return l.n >= 6 && l.gap > 30 && l.targets <= 3 && (l.ports > l.n/2 || l.ports >= 60)
	})
	f("at 00:00 for 4h scan slow-horizontal", func(l look) bool { return l.n >= 8 && l.gap > 25 && l.ports <= 3 && l.targets >= 3 })
	f("at 00:00 for 5m scan outward", func(l look) bool { return l.n > 200 && l.inside && l.targets > l.n*9/10 && l.ports <= 3 })
	for kind, s := range services {
		f("at 00:00 for 30m bruteforce "+kind, func(l look) bool {
			return l.n > 100 && l.sources == 1 && l.targets == 1 && l.ports == 1 && l.first.DstPort == s.port && l.sizes < 0.5 && l.data > 0.85
		})
	}
	f("at 00:00 for 30m bruteforce spray", func(l look) bool { return l.sources == 1 && l.targets >= 11 && l.ports == 1 && l.n > 80 })
	f("at 00:00 for 30m bruteforce distributed", func(l look) bool { return l.sources >= 4 && l.targets == 1 && l.n > 300 })
	for _, kind := range []string{"bulk", "cloud", "ftp", "drip"} {
		f("at 00:00 for 1h exfiltration "+kind, func(l look) bool {
			return l.n >= 1 && l.inside && l.sources == 1 && l.up > 1e6 && l.up > 4*l.down
		})
	}
	f("at 00:00 for 30m exfiltration dns-tunnel", func(l look) bool {
		return l.inside && l.n > 1000 && l.ports == 1 && l.first.DstPort == 53 && l.up/float64(l.n) > 75
	})
	f("at 00:00 for 30m exfiltration icmp-tunnel", func(l look) bool {
		return l.inside && l.first.Proto == picket.ProtoICMP && l.up > 3e5 && l.up >= l.down
	})
	f("at 00:00 for 3h c2 https-beacon every 60s jitter 0%", func(l look) bool {
		return l.inside && l.n > 170 && l.n < 182 && l.gap > 59 && l.gap < 62 && l.spread < 0.05 && l.targets < 3
	})
	f("at 00:00 for 3h c2 tcp-beacon every 30s jitter 50%", func(l look) bool { return l.n > 300 && l.n < 420 && l.spread > 0.2 && l.spread < 0.4 })
	f("at 00:00 for 3h c2 http-beacon every 20s jitter 10%", func(l look) bool { return l.n > 500 && l.spread < 0.12 && l.up < 50e6 })
	f("at 00:00 for 3h c2 dns-beacon every 60s", func(l look) bool { return l.first.DstPort == 53 && l.n > 150 })
	f("at 00:00 for 4h c2 long-poll every 20s", func(l look) bool { return l.life > 25 && l.up/float64(l.n) < 300e3 })
}

// More strength is more of it.
func TestStrengthIsMore(t *testing.T) {
	f := func(line string, of func(look) float64) {
		t.Helper()
		weak, _, _ := playAlone(t, 5, line+" strength 0.5")
		strong, _, _ := playAlone(t, 5, line+" strength 2")
		if ratio := of(strong) / of(weak); ratio < 2.5 || ratio > 6 {
			t.Errorf("%s: four times the strength gives %.2f times as much", line, ratio)
		}
	}
	count := func(l look) float64 { return float64(l.n) }
	bytes := func(l look) float64 { return l.up }
	f("at 00:00 for 1m ddos syn-flood", count)
	f("at 00:00 for 2m ddos http-flood", count)
	f("at 00:00 for 10m bruteforce ssh", count)
	f("at 00:00 for 4h scan slow-horizontal", count)
	f("at 00:00 for 1h exfiltration bulk", bytes)
	f("at 00:00 for 1h exfiltration dns-tunnel", bytes)
}

// The rows of the label file name those who did it and those it was done to, in
// the time that it took.
func TestLabelsNameTheSides(t *testing.T) {
	for _, kind := range Kinds("") {
		_, all, rows := playAlone(t, 9, "at 00:30 for 40m "+kind)
		if len(all) == 0 {
			t.Errorf("%s: no conversations", kind)
			continue
		}
		class := all[0].Attack.Class
		actors, victims := map[string]bool{}, map[string]bool{}
		for _, c := range all {
			actors[c.Src.String()], victims[c.Dst.String()] = true, true
			if c.Reply {
				actors[c.Dst.String()] = true
			}
		}
		sides := map[picket.Kind]int{}
		for _, r := range named(rows) {
			sides[r.Entity.Kind]++
			known := actors
			if r.Entity.Kind == picket.KindVictim {
				known = victims
			}
			if !known[r.Entity.ID] || r.Class != class || r.Start < rows[0].Start+1800 || r.End > rows[0].End || r.End <= r.Start {
				t.Errorf("%s: row %+v", kind, r)
			}
			if r.Conversations == 0 || r.Share <= 0 || r.Share > 1 || r.Filled < 0 || r.Filled > 1 {
				t.Errorf("%s: row %+v", kind, r)
			}
		}
		switch {
		case class == picket.ClassDDoS && sides[picket.KindVictim] == 0:
			t.Errorf("%s names no victim", kind)
		case class == picket.ClassDDoS:
		case sides[picket.KindActor] == 0:
			t.Errorf("%s names no actor", kind)
		case sides[picket.KindActor] > 1 && kind != "bruteforce distributed":
			t.Errorf("%s names %d actors", kind, sides[picket.KindActor])
		}
	}
}

// named returns the rows of sides that a booster should name.
func named(rows []Truth) []Truth {
	var out []Truth
	for _, r := range rows[1:] {
		if r.Class != ClassExcluded {
			out = append(out, r)
		}
	}
	return out
}

// Sources that are forged are not named, and a target does whose visitors are more.
func TestLabelsAreFair(t *testing.T) {
	_, all, rows := playAlone(t, 2, "at 00:10 for 2m ddos syn-flood to web1\nfrom 00:00 for 30m benign visitors level 4")
	if rows := named(rows); len(rows) != 1 || rows[0].Entity.Kind != picket.KindVictim || rows[0].Entity.ID != all[0].Dst.String() {
		t.Errorf("a forged flood names %+v", rows)
	}
	_, _, rows = playAlone(t, 2, "at 00:10 for 9m c2 https-beacon from host1 every 3m jitter 0%\nfrom 00:00 for 30m benign browse level 9")
	for _, r := range named(rows) {
		if r.Shows(60) || !r.Shows(3600) {
			t.Errorf("a beacon each three minutes shows at a minute %v, at an hour %v: %+v", r.Shows(60), r.Shows(3600), r)
		}
		if r.Entity.Kind == picket.KindActor && r.Share > 0.9 {
			t.Errorf("a beacon among browsing is %.2f of it", r.Share)
		}
	}
}

// A row is fair to a booster only at widths at which there is something to see.
func TestShows(t *testing.T) {
	f := func(class string, convs, bytes uint64, share float64, seconds int64, want bool) {
		t.Helper()
		r := Truth{Label: picket.Label{Start: 0, End: 3600, Class: class}, Attack: &Attack{}, Conversations: convs, Bytes: bytes, Share: share, ByteShare: share}
		if got := r.Shows(seconds); got != want {
			t.Errorf("%s, %d conversations and %d bytes in an hour, %.2f of all: shows in %d s %v, want %v", class, convs, bytes, share, seconds, got, want)
		}
	}
	f(picket.ClassScan, 60, 3600, 1, 60, false)
	f(picket.ClassScan, 60, 3600, 1, 3600, true)
	f(picket.ClassScan, 600, 36000, 1, 60, true)
	f(picket.ClassScan, 600, 36000, 0.01, 60, false)
	f(picket.ClassBruteforce, 120, 1e6, 1, 60, false)
	f(picket.ClassBruteforce, 1200, 1e6, 1, 60, true)
	f(picket.ClassC2, 60, 1e6, 1, 60, false)
	f(picket.ClassC2, 60, 1e6, 0.15, 3600, true)
	f(picket.ClassC2, 600, 1e6, 0.15, 60, false)
	f(picket.ClassExfiltration, 60, 500e3, 1, 3600, true)
	f(picket.ClassExfiltration, 5, 500e3, 1, 3600, false)
	f(picket.ClassExfiltration, 5, 500e6, 1, 3600, true)
	f(picket.ClassDDoS, 5000, 500e3, 0.2, 60, true)
}

// The demo asks about each class at three strengths, the weakest no larger than
// what some benign machine does in its busiest minute.
func TestDemoIsFair(t *testing.T) {
	s, err := Load("demo-new")
	if err != nil {
		t.Fatal(err)
	}
	type load struct{ convs, bytes map[[2]any]float64 }
	benign, attack := load{map[[2]any]float64{}, map[[2]any]float64{}}, load{map[[2]any]float64{}, map[[2]any]float64{}}
	all, rows := run(t, s)
	for _, c := range all {
		minute := c.Start / (60 * second)
		if c.Attack != nil {
			k := [2]any{c.Attack.Index, minute}
			attack.convs[k]++
			attack.bytes[k] += float64(c.Out.Bytes + c.In.Bytes)
			continue
		}
		for _, a := range []netip.Addr{c.Src, c.Dst} {
			benign.convs[[2]any{a, minute}]++
			benign.bytes[[2]any{a, minute}] += float64(c.Out.Bytes + c.In.Bytes)
		}
	}
	peak := func(m map[[2]any]float64, keep func(any) bool) (most float64) {
		for k, v := range m {
			if keep(k[0]) {
				most = max(most, v)
			}
		}
		return most
	}
	every := func(any) bool { return true }
	for _, class := range picket.TrafficClasses()[1:] {
		var strengths []float64
		weakest := 0
		for i, o := range s.Attacks {
			if o.Class == class {
				strengths = append(strengths, o.Strength)
				if o.Strength < s.Attacks[weakest].Strength || s.Attacks[weakest].Class != class {
					weakest = i
				}
			}
		}
		slices.Sort(strengths)
		if strengths = slices.Compact(strengths); len(strengths) != 3 {
			t.Errorf("%s has the strengths %v, want three", class, strengths)
		}
		is := func(k any) bool { return k == weakest }
		if got, most := peak(attack.convs, is), peak(benign.convs, every); got > most {
			t.Errorf("%s at its weakest has %.0f conversations a minute, the busiest benign machine %.0f", class, got, most)
		}
		if got, most := peak(attack.bytes, is), peak(benign.bytes, every); got > most {
			t.Errorf("%s at its weakest has %.0f bytes a minute, the busiest benign machine %.0f", class, got, most)
		}
	}
	named := map[int]bool{}
	for _, r := range rows[1:] {
		named[r.Attack.Index] = true
	}
	if len(named) != len(s.Attacks) {
		t.Errorf("%d of %d attacks are labelled", len(named), len(s.Attacks))
	}
}
