package triage

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"picket"
)

// TestFinerType: the type follows from the row of the surest window.
func TestFinerType(t *testing.T) {
	f := func(alert, want, technique string) {
		t.Helper()
		got := Triage(parse(t, "10:00+3600 "+alert), Config{})[0]
		if _, id := Technique(&got); got.Type != want || id != technique {
			t.Errorf("%s: %s %s, want %s %s", alert, got.Type, id, want, technique)
		}
	}
	f("victim 10.0.0.5 ddos .9", "ddos", "T1498")
	f("victim 10.0.0.5 ddos .9 udp_packet_share=.9 amplifier_byte_share=.8", "reflection", "T1498.002")
	f("victim 10.0.0.5 ddos .9 tcp_packet_share=.9 established_share=0 unsolicited_answer_share=.8", "reflection", "T1498.002")
	f("victim 10.0.0.5 ddos .9 tcp_packet_share=.7 established_share=.1 amplifier_byte_share=.4 fragment_packet_share=.3", "reflection", "T1498.002")
	f("victim 10.0.0.5 ddos .9 udp_packet_share=.9", "udp-flood", "T1498.001")
	f("victim 10.0.0.5 ddos .9 icmp_packet_share=.9", "icmp-flood", "T1498.001")
	f("victim 10.0.0.5 ddos .9 tcp_packet_share=.9 established_share=.1", "syn-flood", "T1499.001")
	f("victim 10.0.0.5 ddos .9 tcp_packet_share=.9 established_share=.1 syn_share=.9", "syn-flood", "T1499.001")
	f("victim 10.0.0.5 ddos .9 tcp_packet_share=.9 established_share=.1 syn_share=.1 ack_packet_share=.9", "ack-flood", "T1499.001")
	f("victim 10.0.0.5 ddos .9 tcp_packet_share=.9 established_share=.9 web_port_share=.9", "http-flood", "T1499.002")

	f("actor 8.8.8.8 scan .9", "scan", "T1595")
	f("actor 10.0.0.9 scan .9", "scan", "T1046")
	f("victim 10.0.0.5 scan .9 peers=10.0.0.9:40", "scan", "T1046")
	f("actor 8.8.8.8 scan .9 xmas_packet_share=.9", "xmas-scan", "T1595")
	f("actor 8.8.8.8 scan .9 null_packet_share=.9", "null-scan", "T1595")
	f("actor 8.8.8.8 scan .9 fin_packet_share=.9", "fin-scan", "T1595")
	f("actor 8.8.8.8 scan .9 ack_packet_share=.9 established_share=.1", "ack-scan", "T1595")
	f("actor 8.8.8.8 scan .9 ack_packet_share=.9 established_share=.8", "scan", "T1595")
	f("actor 8.8.8.8 scan .9 icmp_flow_share=.9", "ping-sweep", "T1595.001")
	f("actor 8.8.8.8 scan .9 udp_flow_share=.9", "udp-scan", "T1595")
	f("actor 8.8.8.8 scan .9 ports_per_peer_max=100 peers_per_port_max=1", "port-scan", "T1595")
	f("actor 8.8.8.8 scan .9 ports_per_peer_max=1 peers_per_port_max=100", "host-sweep", "T1595.001")
	f("actor 8.8.8.8 scan .9 targets=10 active_tick_share=.16 elapsed_seconds=3600", "slow-scan", "T1595")
	f("actor 8.8.8.8 scan .9 targets=50 active_tick_share=.03 elapsed_seconds=3600", "scan", "T1595") // a short fast one

	f("actor 8.8.8.8 bruteforce .9", "bruteforce", "T1110.001")
	f("actor 8.8.8.8 bruteforce .9 port=22", "ssh-bruteforce", "T1110.001")
	f("actor 8.8.8.8 bruteforce .9 port=3389", "rdp-bruteforce", "T1110.001")
	f("actor 8.8.8.8 bruteforce .9 port=4711", "bruteforce", "T1110.001")
	f("actor 8.8.8.8 bruteforce .9 port=22 targets=30", "password-spraying", "T1110.003")
	f("victim 10.0.0.5 bruteforce .9 port=22 targets=30", "ssh-bruteforce", "T1110.001") // many actors are no spraying
	f("victim 10.0.0.5 ddos .9 port=22", "ddos", "T1498")

	f("actor 10.0.0.9 exfiltration .9", "exfiltration", "T1048")
	f("actor 10.0.0.9 exfiltration .9 byte_ratio_out=.9", "bulk-upload", "T1048")
	f("actor 10.0.0.9 exfiltration .9 dns_port_share=.9 udp_packet_share=.9", "dns-tunnel", "T1048.003")
	f("actor 10.0.0.9 exfiltration .9 dns_port_share=.9 udp_packet_share=.1 byte_ratio_out=.9", "bulk-upload", "T1048")
	f("actor 10.0.0.9 exfiltration .9 icmp_packet_share=.9", "icmp-tunnel", "T1048.003")
	f("actor 10.0.0.9 c2 .9", "c2", "T1071")
	f("actor 10.0.0.9 c2 .9 dns_port_share=.9 udp_packet_share=.9", "dns-tunnel", "T1071.004")
	f("actor 10.0.0.9 c2 .9 icmp_packet_share=.9", "icmp-tunnel", "T1572")
	f("actor 10.0.0.9 c2 .9 beacon_gaps=9 beacon_gap_cv=.1", "beacon", "T1071")
	f("actor 10.0.0.9 c2 .9 beacon_gaps=9 beacon_gap_cv=.9", "c2", "T1071")
	f("actor 10.0.0.9 c2 .9 beacon_gaps=0 sole_pair_gap_cv=.1", "beacon", "T1071")
	f("actor 10.0.0.9 c2 .9 dns_port_share=.9 udp_packet_share=.9 dns_asked_bytes_mean=70 sole_pair_gap_cv=.1", "beacon", "T1071")
	f("actor 10.0.0.9 c2 .9 dns_port_share=.9 udp_packet_share=.9 dns_asked_bytes_mean=180 sole_pair_gap_cv=.1", "dns-tunnel", "T1071.004")
	f("actor 10.0.0.9 anomaly .9", "anomaly", "")
}

// TestTechniqueNames: every id has its name, and the type's row a class's kin.
func TestTechniqueNames(t *testing.T) {
	check := func(class string, x technique) {
		t.Helper()
		parent, _, _ := strings.Cut(x.id, ".")
		if tactics[x.tactic] == "" || techniques[x.id] == "" || techniques[parent] == "" {
			t.Errorf("%s: %v has no name", class, x)
		}
		if x.tactic != byClass[class].tactic {
			t.Errorf("%s: tactic %s is not the class's", class, x.tactic)
		}
	}
	for class, x := range byClass {
		check(class, x)
	}
	for key, x := range byType {
		check(key[0], x)
	}
}

func TestSeverity(t *testing.T) {
	f := func(class, entity string, confidence, over float64, want picket.Severity) {
		t.Helper()
		got := severity(&picket.Finding{Class: class, Confidence: confidence, Margin: over - 1, Threshold: -1,
			Entity: picket.Entity{Kind: picket.KindActor, ID: entity}})
		if got != want {
			t.Errorf("%s of %s at %v, %v over: %s, want %s", class, entity, confidence, over, got, want)
		}
	}
	f("scan", "8.8.8.8", .7, 1, picket.SeverityLow)
	f("scan", "8.8.8.8", .3, 1, picket.SeverityInformational)
	f("scan", "8.8.8.8", .95, 5, picket.SeverityMedium)
	f("scan", "10.0.0.9", .95, 5, picket.SeverityHigh)
	f("ddos", "10.0.0.9", .95, 5, picket.SeverityCritical)
	f("ddos", "10.0.0.9", .95, 3, picket.SeverityHigh)
	f("anomaly", "10.0.0.9", .95, 50, picket.SeverityLow)
	f("something new", "x", .7, 1, picket.SeverityMedium)
}

func TestWords(t *testing.T) {
	usual := 3.0
	words := map[string]Feature{"service_ports": {"ports", &usual}, "packet_size_mean": {"bytes", nil}}
	f := func(alert, want string) {
		t.Helper()
		got := Triage(parse(t, alert), Config{Words: words})[0].Sentence
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("(-want +got)\n%s", d)
		}
	}
	f("10:04+60 actor 10.0.0.9 scan .979 peers=10.0.0.5:100 service_ports=812 packet_size_mean=60.4567 reset_share=NaN flows=7",
		"Scan by 10.0.0.9 against 10.0.0.5 from 10:04 to 10:05 UTC on 2026-03-02, confidence 97 %: moved most by service_ports 812 ports (usual 3), packet_size_mean 60.5 bytes, reset_share missing")
	f("23:59+60 victim 10.0.0.5 bruteforce 1 port=22 peers=8.8.8.8:3,8.8.4.4:2",
		"SSH brute force against 10.0.0.5 by 8.8.8.8 and 8.8.4.4 from 23:59 to 24:00 UTC on 2026-03-02, confidence 100 %")
	f("00:00+86400 actor 10.0.0.9 exfiltration .5 elapsed=30 peers=8.8.8.8:9,1.1.1.1:1 peers=1200",
		"Exfiltration by 10.0.0.9 to 8.8.8.8 and 1199 others from 00:00:00 to 00:00:30 UTC on 2026-03-02, confidence 50 %: moved most by peers 1200")
	f("10:00+3600 actor 10.0.0.9 c2 .5 bytes_per_flow=1234567",
		"Command and control by 10.0.0.9 from 10:00 to 11:00 UTC on 2026-03-02, confidence 50 %: moved most by bytes_per_flow 1234567")
}

// TestUsual says what is usual by the medians of the very booster, and before
// those by what is known of the entity.
func TestUsual(t *testing.T) {
	alerts := parse(t, "10:04+60 actor 10.0.0.9 scan .9 targets=412 peers=40 flow_count=500")
	id := alerts[0].Booster
	hour := id
	hour.Seconds = picket.Hour
	config := Config{Usual: map[picket.BoosterID]map[string]float64{id: {"targets": 2, "peers": 1}, hour: {"flow_count": 7}}}
	f := func(want string) {
		t.Helper()
		_, got, _ := strings.Cut(Triage(alerts, config)[0].Sentence, "moved most by ")
		if got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
	f("targets 412 (usual 2), peers 40 (usual 1), flow_count 500")
	alerts[0].Usual = map[string]float64{"targets": 30}
	f("targets 412 (usual 30), peers 40 (usual 1), flow_count 500")
}
