package simulate

import (
	"fmt"
	"net/netip"
	"time"

	"picket"
)

// profiles say what a random network of a kind is like.
var profiles = []struct {
	mix                          string
	hosts, servers, things, plcs span
	cloud                        bool
	level                        span
	bits                         span // of the prefix
}{
	{mix: "office", hosts: span{8, 120}, servers: span{3, 14}, things: span{1, 10}, level: span{0.4, 1.5}, bits: span{16, 23}},
	{mix: "cloud", hosts: span{1, 6}, servers: span{3, 40}, cloud: true, level: span{0.2, 1.5}, bits: span{16, 22}},
	{mix: "campus", hosts: span{30, 150}, servers: span{6, 20}, things: span{2, 20}, level: span{0.3, 1}, bits: span{16, 20}},
	{mix: "plant", hosts: span{4, 25}, servers: span{4, 12}, things: span{1, 8}, plcs: span{3, 30}, level: span{0.5, 1.5}, bits: span{20, 24}},
	{mix: "farm", servers: span{3, 30}, cloud: true, level: span{0.2, 2}, bits: span{20, 24}},
	{mix: "home", hosts: span{2, 8}, servers: span{0, 1}, things: span{2, 12}, level: span{0.5, 2}, bits: span{24, 24}},
}

// Profiles are the names of the kinds of network that Random knows.
func Profiles() []string {
	var names []string
	for _, p := range profiles {
		names = append(names, p.mix)
	}
	return names
}

// Random makes a script by chance: a network of the profile ("": any), a length
// of 2 to 26 hours, and attacks of many kinds at many strengths, or none. No mix
// that tests are kept for is drawn.
func Random(seed uint64, profile string) (*Script, error) {
	d := newDice(seed, 4)
	i := d.IntN(len(profiles))
	if profile != "" {
		for i = 0; i < len(profiles) && profiles[i].mix != profile; i++ {
		}
		if i == len(profiles) {
			return nil, fmt.Errorf("no profile %q", profile)
		}
	}
	p := profiles[i]
	s := &Script{Seed: seed}
	s.Start = time.Date(2025, 1, 1+d.IntN(365), d.IntN(24), d.IntN(60), 0, 0, time.UTC)
	s.Duration = time.Duration(d.in(span{2, 26}) * float64(time.Hour)).Round(time.Minute)
	s.Network = Network{Prefix: privatePrefix(d, d.count(p.bits)), Hosts: d.count(p.hosts), Servers: d.count(p.servers), Things: d.count(p.things), PLCs: d.count(p.plcs), Cloud: p.cloud}
	if d.chance(0.25) {
		s.Network.Prefix6 = netip.PrefixFrom(netip.AddrFrom16([16]byte{0x20, 0x01, 0x0d, 0xb8, byte(d.IntN(256)), byte(d.IntN(256))}), 64)
	}
	if d.chance(0.05) {
		s.Capture = []string{"oneway", "midstream"}[d.IntN(2)]
	}
	s.Benign = []Stretch{{For: s.Duration, Mix: p.mix, Level: d.in(p.level)}}
	if d.chance(0.15) {
		return s, nil
	}
	for n := d.count(span{1, 4}) + int(s.Duration.Hours()*d.in(span{0.2, 1})); n > 0; n-- {
		s.Attacks = append(s.Attacks, randomOrder(d, s.Duration))
	}
	return s, nil
}

// privatePrefix draws a private network of about that many bits.
func privatePrefix(d dice, bits int) netip.Prefix {
	switch d.IntN(3) {
	case 0:
		return netip.PrefixFrom(netip.AddrFrom4([4]byte{192, 168, byte(d.IntN(256)), 0}), max(bits, 22)).Masked()
	case 1:
		return netip.PrefixFrom(netip.AddrFrom4([4]byte{172, byte(16 + d.IntN(16)), byte(d.IntN(256)), 0}), bits).Masked()
	}
	return netip.PrefixFrom(netip.AddrFrom4([4]byte{10, byte(d.IntN(256)), byte(d.IntN(256)), 0}), bits).Masked()
}

// randomOrder draws an attack: a class first, so that each is as frequent.
func randomOrder(d dice, length time.Duration) Order {
	classes := picket.TrafficClasses()[1:]
	o := Order{Class: classes[d.IntN(len(classes))], Jitter: -1, Strength: d.in(span{0.05, 5})}
	kinds := Kinds(o.Class)
	o.Kind = kinds[d.IntN(len(kinds))]
	minutes := map[string]span{picket.ClassDDoS: {1, 15}, picket.ClassScan: {1, 60}, picket.ClassBruteforce: {3, 120}, picket.ClassExfiltration: {5, 180}, picket.ClassC2: {60, 900}}[o.Class]
	if o.Kind == "slow" || o.Kind == "slow-horizontal" {
		minutes = span{120, 1500}
	}
	o.At = time.Duration(d.Float64() * 0.9 * float64(length)).Round(time.Second)
	o.For = min(time.Duration(d.in(minutes)*float64(time.Minute)).Round(time.Second), length-o.At)
	return o
}
