package simulate

import (
	"fmt"
	"math"
	"net/netip"
	"slices"
	"strings"
	"time"

	"picket"
)

// profile says what random networks of a kind are like.
type profile struct {
	name                         string
	mixes                        []string
	hosts, servers, things, plcs span
	cloud                        float64 // chance
	level                        span
	bits                         span // of the prefix
	hours                        span
	volume                       span
	attacks                      span // an hour, and at least one
	sieged                       span // attacks by machine in place of it, most of them c2 and exfiltration
}

var profiles = []profile{
	{name: "office", mixes: []string{"office"}, hosts: span{8, 120}, servers: span{3, 14}, things: span{1, 10}, level: span{0.3, 1.5}, bits: span{16, 23}, hours: span{2, 26}, attacks: span{1, 6}},
	{name: "cloud", mixes: []string{"cloud"}, hosts: span{1, 6}, servers: span{3, 40}, cloud: 0.9, level: span{0.1, 1}, bits: span{16, 22}, hours: span{2, 26}, attacks: span{1, 6}},
	{name: "campus", mixes: []string{"campus"}, hosts: span{20, 120}, servers: span{6, 20}, things: span{2, 20}, level: span{0.2, 1}, bits: span{16, 20}, hours: span{2, 20}, attacks: span{1, 6}},
	{name: "plant", mixes: []string{"plant"}, hosts: span{4, 25}, servers: span{4, 12}, things: span{1, 8}, plcs: span{3, 30}, level: span{0.3, 1.5}, bits: span{20, 24}, hours: span{2, 26}, attacks: span{1, 6}},
	{name: "farm", mixes: []string{"farm"}, servers: span{3, 30}, cloud: 0.7, level: span{0.1, 1.5}, bits: span{20, 24}, hours: span{2, 20}, attacks: span{1, 6}},
	{name: "home", mixes: []string{"home"}, hosts: span{2, 8}, servers: span{0, 2}, things: span{2, 12}, level: span{0.5, 3}, bits: span{24, 24}, hours: span{3, 26}, attacks: span{1, 6}},
	{name: "lab", mixes: []string{"office", "home", "plant", "cloud", "campus", "browse", "visitors", "ssh-admin", "script", "ssh-quick", "syslog", "modbus-long", "files", "intranet", "upload-inside"}, hosts: span{1, 8}, servers: span{1, 5}, things: span{0, 2}, plcs: span{0, 3}, cloud: 0.1, level: span{0.3, 5}, bits: span{20, 24}, hours: span{0.1, 2}, volume: span{0.01, 0.3}, attacks: span{4, 24}},
	{name: "quiet", mixes: []string{"office", "campus"}, hosts: span{80, 180}, servers: span{6, 16}, things: span{2, 12}, level: span{0.2, 0.6}, bits: span{16, 20}, hours: span{24, 24}},
	{name: "siege", mixes: []string{"office", "cloud", "campus", "plant", "farm", "home"}, hosts: span{4, 40}, servers: span{3, 14}, things: span{1, 6}, plcs: span{0, 3}, cloud: 0.3, level: span{0.1, 0.7}, bits: span{18, 23}, hours: span{2, 20}, volume: span{0.05, 0.6}, sieged: span{0.3, 0.9}},
}

// heldOutKinds are kinds of attack that Random leaves to the tests.
var heldOutKinds = []string{"ddos pulse", "ddos snmp-amplification", "scan services", "scan fin", "bruteforce vnc", "bruteforce winrm", "exfiltration ftp", "c2 http-beacon"}

// Profiles are the names of the kinds of network that Random knows.
func Profiles() []string {
	var names []string
	for _, p := range profiles {
		names = append(names, p.name)
	}
	return names
}

// Random makes a script by chance: a network of the profile ("": any), mostly of
// 2 to 26 hours, and attacks of many kinds at many strengths, or none. The
// profile "lab" is small and short, with its large transfers cut, as captures of
// packets are; of "siege" many machines are infected or leak at once, and in "quiet",
// a day of a large office, nothing happens. What is held out for the tests (mixes that begin with "other-",
// some kinds of attack) is never drawn.
func Random(seed uint64, name string) (*Script, error) {
	d := newDice(seed, 4)
	i := d.IntN(len(profiles) - 2) // no siege and no quiet day by chance
	if name != "" {
		if i = slices.IndexFunc(profiles, func(p profile) bool { return p.name == name }); i < 0 {
			return nil, fmt.Errorf("no profile %q; there are %s", name, strings.Join(Profiles(), ", "))
		}
	}
	p := profiles[i]
	s := &Script{Seed: seed, Volume: d.in(p.volume)}
	s.Start = time.Date(2025, 1, 1+d.IntN(365), d.IntN(24), d.IntN(60), d.IntN(60), 0, time.UTC)
	s.Duration = time.Duration(d.in(p.hours) * float64(time.Hour)).Round(time.Second)
	s.Network = Network{Prefix: privatePrefix(d, d.count(p.bits)), Hosts: d.count(p.hosts), Servers: d.count(p.servers), Things: d.count(p.things), PLCs: d.count(p.plcs), Cloud: d.chance(p.cloud)}
	if d.chance(0.25) {
		s.Network.Prefix6 = netip.PrefixFrom(netip.AddrFrom16([16]byte{0x20, 0x01, 0x0d, 0xb8, byte(d.IntN(256)), byte(d.IntN(256))}), 64)
	}
	if d.chance(0.1) {
		s.Capture = []string{"oneway", "midstream", "midstream"}[d.IntN(3)]
	}
	if vary := newDice(seed, 5); vary.chance(0.8) {
		s.Vary = math.Round(100*vary.in(span{0.1, 0.9})) / 100
	}
	s.Benign = []Stretch{{For: s.Duration, Mix: p.mixes[d.IntN(len(p.mixes))], Level: d.in(p.level)}}
	if d.chance(0.15) || p.name == "quiet" {
		return s, nil
	}
	machines := s.Network.Machines()
	n := 1 + int(s.Duration.Hours()*d.in(p.attacks))
	if p.sieged.hi > 0 {
		n = 1 + int(float64(machines)*d.in(p.sieged))
	}
	for range min(60, 4+machines, n) {
		s.Attacks = append(s.Attacks, randomOrder(d, randomClass(d, p.sieged.hi > 0), s.Duration))
	}
	return s, nil
}

// randomClass draws a class of attack, each as often; under siege mostly those
// that one machine can suffer beside another, and that show over hours.
func randomClass(d dice, siege bool) string {
	classes := picket.TrafficClasses()[1:]
	if siege && d.chance(0.8) {
		return []string{picket.ClassC2, picket.ClassExfiltration}[d.IntN(2)]
	}
	return classes[d.IntN(len(classes))]
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

// randomOrder draws an attack of a class.
func randomOrder(d dice, class string, length time.Duration) Order {
	o := Order{Class: class, Jitter: -1, Strength: d.in(span{0.05, 5})}
	if o.Class == picket.ClassDDoS && d.chance(0.5) {
		o.Strength = d.in(span{0.05, 0.5}) // half of them small: what is large is easy
	}
	kinds := slices.DeleteFunc(Kinds(o.Class), func(k string) bool { return slices.Contains(heldOutKinds, o.Class+" "+k) })
	o.Kind = kinds[d.IntN(len(kinds))]
	minutes := map[string]span{picket.ClassDDoS: {1, 20}, picket.ClassScan: {1, 90}, picket.ClassBruteforce: {0.7, 200}, picket.ClassExfiltration: {2, 240}, picket.ClassC2: {30, 900}}[o.Class]
	switch {
	case strings.HasPrefix(o.Kind, "slow") && o.Class == picket.ClassScan:
		minutes = span{120, 1500}
	case o.Class == picket.ClassDDoS || o.Class == picket.ClassScan: // the strong ones are short: enough is enough
		minutes.hi = max(1.5, min(minutes.hi, 6/o.Strength))
	}
	inward := o.Class == picket.ClassDDoS || o.Class == picket.ClassScan || o.Class == picket.ClassBruteforce
	if inward && o.Kind != "outward" && d.chance(0.12) {
		o.To = "outside"
	}
	o.At = time.Duration(d.Float64() * 0.9 * float64(length)).Round(time.Second)
	if d.chance(0.3) && minutes.lo >= 30 {
		o.At = o.At / 4
	}
	o.For = max(time.Second, min(time.Duration(d.in(minutes)*float64(time.Minute)).Round(time.Second), length-o.At))
	return o
}
