package extract

import (
	"math"
	"math/rand/v2"
	"testing"

	"picket"
)

// TestSolePeers has an infected machine among three that call the same clock: its
// own peer outside is what tells it.
func TestSolePeers(t *testing.T) {
	const clock, drop = "93.184.216.34", "185.220.101.4"
	var records []picket.Record
	call := func(minute int64, src, dst string, sport, port uint16, out, in uint64) {
		there := vpc(minute*60+5, src, sport, dst, port, 4, out, picket.FlagSYN)
		back := vpc(minute*60+5, dst, port, src, sport, 4, in, picket.FlagSYN|picket.FlagACK)
		records = append(records, there, back)
	}
	for minute := int64(0); minute < 60; minute += 5 {
		for i, src := range []string{"10.0.0.1", "10.0.0.2", "10.0.0.3"} {
			call(minute, src, clock, uint16(40000+10*minute)+uint16(i), 443, 300, 300)
		}
	}
	for minute := int64(2); minute < 60; minute += 7 {
		call(minute, "10.0.0.1", drop, uint16(50000+minute), 8443, 900+uint64(minute%2)*200, 100)
	}
	all := rows(t, records, options("vpc", 60, 3600))
	f := find(t, all, picket.KindActor, "10.0.0.1", 3600)
	for name, want := range map[string]float64{
		"external_peers": 2, "sole_peers": 1, "top_external_peer_entities": 1,
		"sole_byte_share_out":                8900.0 / (8900 + 12*300),
		"top_sole_peer_bytes_out_per_second": 8900.0 / 3600,
		"top_sole_peer_byte_ratio_out":       8900.0 / (8900 + 900),
		"top_sole_peer_bytes_out_per_flow":   8900.0 / 9,
		"sole_pair_active_share":             9.0 / 60,
		"sole_pair_flows_per_minute":         1,
		"sole_pair_bytes_out_per_flow":       8900.0 / 9,
		"beacon_gaps":                        11, // the clock is as regular and has more
		"external_beacon_gaps":               8,  // but everybody has it
		"external_beacon_gap_mean_seconds":   420,
		"external_beacon_gap_cv":             0,
		"external_beacon_entities":           1,
		"external_beacon_asked_bytes_mean":   8900.0 / 9,
		"external_beacon_asked_bytes_cv":     math.Sqrt(5.0*4/81) * 200 / (8900.0 / 9),
		"top_sole_peer_start_share":          2.0 / 60, // the clock was called in the first minute
		"top_sole_peer_span_share":           57.0 / 60,
		"top_sole_peer_network_share":        8900.0 / (8900 + 3*12*300),
		"top_sole_peer_port_entities":        1, // 8443; 443 has three
		"network_entities":                   3,
		"sole_pair_bytes_in_per_flow":        100,
		"sole_pair_asked_bytes_cv":           math.Sqrt(5.0*4/81) * 200 / (8900.0 / 9),
		"sole_pair_gap_mean_seconds":         420,
		"sole_pair_gap_cv":                   0,
		"sole_pair_flow_dispersion":          1 - 7.0/55, // seven starts in the 55 minutes between the first and the last
		"sole_pair_start_share":              2.0 / 60,
		"sole_pair_port_entities":            1,
	} {
		if got := value(t, f, name); math.Abs(got-want) > 1e-9 {
			t.Errorf("%s is %v, want %v", name, got, want)
		}
	}
	clean := find(t, all, picket.KindActor, "10.0.0.2", 3600)
	if p := value(t, clean, "sole_pair_start_share"); !math.IsNaN(p) {
		t.Errorf("a machine without a sole peer began with it after %v", p)
	}
	if n, e := value(t, clean, "sole_peers"), value(t, clean, "external_beacon_entities"); n != 0 || e != 3 {
		t.Errorf("a machine with the clock alone has %v sole peers, and %v entities call the clock, want 0 and 3", n, e)
	}
}

// TestCrowdsBound wants the same addresses kept whatever the order.
func TestCrowdsBound(t *testing.T) {
	const n = maxCrowds + 5000
	order := rand.New(rand.NewPCG(1, 2)).Perm(n)
	var a, b crowds
	for i := range n {
		a.add(addr{1, uint64(i)}, uint32(2+i%100))
		j := order[i]
		b.add(addr{1, uint64(j)}, uint32(2+j%100))
	}
	if len(a.of) > maxCrowds || len(a.of) != len(b.of) || a.floor != b.floor {
		t.Fatalf("%d and %d addresses from %d and %d on", len(a.of), len(b.of), a.floor, b.floor)
	}
	if a.count(addr{1, 99}) != 101 || a.count(addr{1, 0}) != 1 || a.count(addr{2, 0}) != 1 {
		t.Errorf("%d, %d, %d", a.count(addr{1, 99}), a.count(addr{1, 0}), a.count(addr{2, 0}))
	}
}
