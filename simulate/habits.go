package simulate

import (
	"slices"

	"picket"
)

const (
	kB = 1e3
	mB = 1e6
	gB = 1e9
)

// habits are what machines do in the mixes that Random draws from. The numbers
// are wide on purpose: each network and each machine draws its own from them.
var habits = []habit{
	// People.
	{name: "browse", who: "hosts", share: span{0.6, 1}, to: "site", ports: []uint16{443, 443, 443, 443, 80}, gap: span{15, 400}, burst: span{2, 25}, within: span{0.5, 12}, up: span{600, 6 * kB}, down: span{3 * kB, 120 * kB}, sigma: 1.3, life: span{0.2, 60}, rounds: span{1, 6}, day: true, lookup: 0.4, fail: span{0.001, 0.03}, quic: 0.25},
	{name: "keepalive", who: "hosts", share: span{0.3, 0.9}, to: "few", ports: []uint16{443}, gap: span{120, 1800}, up: span{2 * kB, 40 * kB}, down: span{2 * kB, 80 * kB}, life: span{120, 3600}, rounds: span{10, 120}, day: true, lookup: 0.2},
	{name: "video", who: "hosts", share: span{0.05, 0.4}, to: "site", ports: []uint16{443}, gap: span{900, 10800}, burst: span{1, 8}, within: span{5, 200}, up: span{30 * kB, 2 * mB}, down: span{5 * mB, 600 * mB}, sigma: 1, life: span{30, 1800}, rounds: span{5, 200}, day: true, lookup: 0.9, quic: 0.4},
	{name: "upload", who: "hosts", share: span{0.05, 0.3}, to: "service", ports: []uint16{443}, gap: span{1800, 20000}, up: span{1 * mB, 400 * mB}, down: span{5 * kB, 400 * kB}, sigma: 1.2, life: span{5, 900}, rounds: span{1, 20}, day: true, lookup: 0.9},
	{name: "upload-rare", who: "hosts", share: span{0.01, 0.06}, to: "site", ports: []uint16{443, 443, 22, 21}, gap: span{6000, 80000}, burst: span{1, 3}, within: span{5, 60}, up: span{300 * kB, 60 * mB}, down: span{4 * kB, 200 * kB}, sigma: 1, life: span{2, 300}, rounds: span{1, 20}, day: true, lookup: 0.9},
	{name: "tab", who: "hosts", share: span{0.2, 0.7}, to: "service", ports: []uint16{443}, gap: span{5, 300}, clock: 0.3, up: span{300, 4 * kB}, down: span{300, 30 * kB}, sigma: 0.4, life: span{0.1, 4}, rounds: span{1, 3}, day: true, spell: span{0.2, 6}, quic: 0.2},
	{name: "rare-tab", who: "hosts", share: span{0.01, 0.06}, to: "home", ports: []uint16{443, 443, 80, 8443}, gap: span{5, 300}, clock: 0.4, up: span{300, 4 * kB}, down: span{300, 60 * kB}, sigma: 0.5, life: span{0.1, 4}, rounds: span{1, 3}, day: true, spell: span{0.2, 4}},
	{name: "sip", who: "all", share: span{0.02, 0.4}, to: "few", proto: picket.ProtoUDP, ports: []uint16{5060, 5061, 3478}, gap: span{20, 400}, clock: 0.05, up: span{300, 1200}, down: span{300, 900}, sigma: 0.05, life: span{0.02, 0.3}, fixed: true},
	{name: "sync", who: "hosts", share: span{0.2, 0.7}, to: "few", ports: []uint16{443}, gap: span{60, 1200}, burst: span{1, 4}, within: span{1, 10}, up: span{2 * kB, 3 * mB}, down: span{2 * kB, 1 * mB}, sigma: 1.5, life: span{1, 120}, rounds: span{2, 12}, day: true, lookup: 0.5},
	{name: "call", who: "hosts", share: span{0.1, 0.5}, to: "site", proto: picket.ProtoUDP, ports: []uint16{3478, 3481, 19305, 8801, 50000}, gap: span{3600, 20000}, burst: span{1, 3}, within: span{1, 5}, up: span{3 * mB, 300 * mB}, down: span{3 * mB, 500 * mB}, life: span{300, 3600}, rounds: span{1000, 20000}, day: true, lookup: 0.9, size: 1100},
	{name: "mailbox", who: "hosts", share: span{0.3, 1}, to: "mail", ports: []uint16{993, 587, 143}, gap: span{60, 900}, up: span{600, 8 * kB}, down: span{2 * kB, 200 * kB}, life: span{0.5, 30}, rounds: span{4, 14}, sigma: 1.1, day: true, lookup: 0.3},
	{name: "stale-password", who: "hosts", share: span{0.005, 0.03}, to: "mail", ports: []uint16{993}, gap: span{60, 900}, clock: 0.05, up: span{700, 1500}, down: span{3 * kB, 5 * kB}, sigma: 0.05, life: span{0.3, 3}, rounds: span{5, 8}},
	{name: "files", who: "hosts", share: span{0.2, 0.9}, to: "file", ports: []uint16{445}, gap: span{120, 3000}, burst: span{1, 4}, within: span{0.1, 5}, up: span{5 * kB, 8 * mB}, down: span{10 * kB, 60 * mB}, sigma: 1.6, life: span{2, 1200}, rounds: span{5, 100}, day: true},
	{name: "login", who: "hosts", share: span{0.5, 1}, to: "ldap", ports: []uint16{389, 88, 445, 135}, gap: span{900, 15000}, burst: span{3, 10}, within: span{0.5, 5}, up: span{600, 4 * kB}, down: span{600, 8 * kB}, life: span{0.05, 20}, rounds: span{2, 6}, day: true},
	{name: "intranet", who: "hosts", share: span{0.4, 1}, to: "app", ports: []uint16{8080, 8443}, gap: span{30, 900}, burst: span{1, 12}, within: span{0.3, 6}, up: span{400, 6 * kB}, down: span{1 * kB, 90 * kB}, sigma: 1.2, life: span{0.05, 20}, rounds: span{1, 5}, day: true, fail: span{0, 0.01}},
	{name: "proxy", who: "hosts", share: span{0, 0.6}, to: "proxy", ports: []uint16{3128, 8080}, gap: span{20, 300}, burst: span{2, 20}, within: span{0.5, 10}, up: span{600, 8 * kB}, down: span{2 * kB, 100 * kB}, sigma: 1.3, life: span{0.2, 60}, rounds: span{1, 8}, day: true},
	{name: "chat", who: "hosts", share: span{0.2, 0.8}, to: "few", ports: []uint16{443, 5222, 5228}, gap: span{1800, 9000}, up: span{5 * kB, 100 * kB}, down: span{5 * kB, 300 * kB}, life: span{900, 7200}, rounds: span{30, 400}, lookup: 0.9},
	{name: "vpn", who: "hosts", share: span{0.01, 0.08}, to: "home", proto: picket.ProtoUDP, ports: []uint16{1194, 4500, 51820, 443}, gap: span{7200, 30000}, up: span{5 * mB, 200 * mB}, down: span{20 * mB, 900 * mB}, life: span{1800, 14000}, rounds: span{500, 5000}, day: true, fixed: true},
	{name: "games", who: "hosts", share: span{0, 0.15}, to: "few", proto: picket.ProtoUDP, ports: []uint16{27015, 3074, 7777, 30120}, gap: span{3600, 20000}, up: span{2 * mB, 40 * mB}, down: span{5 * mB, 120 * mB}, life: span{600, 5000}, rounds: span{5000, 40000}, size: 400, day: true},
	{name: "p2p", who: "hosts", share: span{0, 0.06}, to: "anyone", ports: []uint16{6881, 0, 51413, 0, 0}, gap: span{6, 120}, burst: span{2, 40}, within: span{2, 30}, up: span{200, 300 * kB}, down: span{200, 2 * mB}, sigma: 2, life: span{0.3, 200}, rounds: span{1, 30}, fail: span{0.2, 0.7}, quic: 0.6},
	{name: "print", who: "hosts", share: span{0.1, 0.5}, to: "file", ports: []uint16{9100, 631}, gap: span{3600, 20000}, up: span{50 * kB, 20 * mB}, down: span{500, 4 * kB}, life: span{2, 60}, rounds: span{1, 4}, day: true},
	{name: "rdp-session", who: "hosts", share: span{0.01, 0.1}, to: "servers", ports: []uint16{3389}, gap: span{3600, 20000}, up: span{300 * kB, 20 * mB}, down: span{3 * mB, 200 * mB}, life: span{300, 7200}, rounds: span{300, 4000}, day: true, oops: 0.2},
	{name: "ssh-admin", who: "hosts", share: span{0.02, 0.15}, to: "servers", ports: []uint16{22}, gap: span{600, 10000}, up: span{6 * kB, 300 * kB}, down: span{8 * kB, 3 * mB}, sigma: 1.2, life: span{20, 3600}, rounds: span{20, 800}, day: true, oops: 0.3, fail: span{0, 0.05}},
	{name: "script", who: "hosts", share: span{0.02, 0.2}, to: "few", ports: []uint16{80, 443, 8080}, gap: span{900, 20000}, burst: span{8, 150}, within: span{0.5, 90}, up: span{90, 900}, down: span{150, 9 * kB}, sigma: 0.2, life: span{0.01, 1}, lookup: 0.1, fail: span{0, 0.03}},
	{name: "script-inside", who: "all", share: span{0.01, 0.1}, to: "servers", ports: []uint16{80, 8080, 443, 5000}, gap: span{900, 20000}, burst: span{8, 200}, within: span{0.5, 90}, up: span{90, 1500}, down: span{150, 20 * kB}, sigma: 0.25, life: span{0.005, 1}, fail: span{0, 0.03}},
	{name: "vpn-users", who: "crowd:ssh", share: span{0.2, 0.8}, proto: picket.ProtoUDP, ports: []uint16{1194, 51820, 4500}, gap: span{200, 4000}, up: span{1 * mB, 90 * mB}, down: span{4 * mB, 300 * mB}, life: span{600, 9000}, rounds: span{300, 4000}, people: span{3, 60}, day: true},
	{name: "netbios", who: "hosts", share: span{0, 0.4}, to: "255.255.255.255", proto: picket.ProtoUDP, ports: []uint16{137, 138}, gap: span{30, 900}, up: span{50, 250}, rounds: span{1, 3}, life: span{0, 2}, fixed: true, hidden: true},
	{name: "torrent-in", who: "crowd:host", share: span{0, 0.05}, ports: []uint16{51413, 6881}, gap: span{2, 90}, up: span{100, 90 * kB}, down: span{100, 3 * mB}, life: span{0.5, 200}, rounds: span{1, 20}, people: span{50, 5000}, fail: span{0, 0.3}, quic: 0.5},
	{name: "ssh-quick", who: "all", share: span{0.03, 0.3}, to: "servers", ports: []uint16{22}, gap: span{60, 6000}, burst: span{1, 4}, within: span{1, 60}, up: span{1500, 9 * kB}, down: span{1800, 20 * kB}, sigma: 0.5, life: span{0.3, 12}, rounds: span{5, 25}, oops: 0.15, fail: span{0, 0.1}},
	{name: "upload-inside", who: "hosts", share: span{0.05, 0.5}, to: "servers", ports: []uint16{445, 443, 2049, 8080, 104, 9000}, gap: span{120, 9000}, burst: span{1, 5}, within: span{1, 30}, up: span{200 * kB, 300 * mB}, down: span{1 * kB, 100 * kB}, sigma: 1.2, life: span{0.5, 300}, rounds: span{1, 20}, day: true},
	// One way only, as floods are.
	{name: "syslog", who: "all", share: span{0.1, 1}, to: "monitor", proto: picket.ProtoUDP, ports: []uint16{514, 5140, 12201}, gap: span{2, 400}, burst: span{1, 8}, within: span{0.05, 3}, up: span{80, 900}, sigma: 0.5, life: span{0.001, 20}, rounds: span{1, 12}, fixed: true},
	{name: "statsd", who: "servers", share: span{0.1, 0.9}, to: "monitor", proto: picket.ProtoUDP, ports: []uint16{8125, 25826, 2055, 6343}, gap: span{1, 60}, clock: 0.1, up: span{100, 200 * kB}, sigma: 0.4, life: span{0.01, 20}, rounds: span{1, 40}, size: 1400},
	{name: "iptv", who: "one", share: span{0, 0.5}, to: "239.1.2.3", proto: picket.ProtoUDP, ports: []uint16{5004, 1234, 5500}, gap: span{300, 3000}, up: span{5 * mB, 600 * mB}, life: span{250, 2900}, rounds: span{500, 5000}, size: 1328},
	{name: "discovery", who: "all", share: span{0, 0.6}, to: "239.255.255.250", proto: picket.ProtoUDP, ports: []uint16{3702, 427}, gap: span{20, 900}, up: span{300, 3 * kB}, rounds: span{1, 6}, life: span{0.2, 6}, size: 700},
	{name: "hello", who: "servers", share: span{0, 0.5}, to: "224.0.0.18", proto: picket.ProtoUDP, ports: []uint16{1985, 5405, 694}, gap: span{0.5, 10}, clock: 0.05, up: span{20, 200}, sigma: 0.05, life: span{0, 0.1}, fixed: true},
	// Clockwork that looks like beacons and is none.
	{name: "ntp", who: "all", share: span{0.5, 1}, to: "few", proto: picket.ProtoUDP, ports: []uint16{123}, gap: span{64, 1024}, clock: 0.04, up: span{48, 48}, down: span{48, 48}, sigma: 0.001, life: span{0.01, 0.15}, fixed: true, fail: span{0, 0.02}},
	{name: "telemetry", who: "all", share: span{0.05, 0.5}, to: "home", ports: []uint16{443, 8883, 8086, 4318, 9997}, gap: span{10, 3600}, clock: 0.15, up: span{300, 30 * kB}, down: span{200, 6 * kB}, sigma: 0.25, life: span{0.1, 3}, rounds: span{1, 4}, lookup: 0.3, fail: span{0, 0.02}},
	{name: "poll", who: "all", share: span{0.03, 0.3}, to: "home", ports: []uint16{443, 80}, gap: span{5, 600}, clock: 0.3, up: span{400, 3 * kB}, down: span{300, 40 * kB}, sigma: 0.3, life: span{0.1, 2}, rounds: span{1, 3}, lookup: 0.2, fail: span{0, 0.03}},
	{name: "push", who: "all", share: span{0.02, 0.3}, to: "home", ports: []uint16{443, 5228, 8883, 1883}, gap: span{1800, 7200}, clock: 0.3, up: span{3 * kB, 40 * kB}, down: span{3 * kB, 40 * kB}, life: span{1700, 7000}, rounds: span{20, 240}},
	{name: "heartbeat", who: "servers", share: span{0.1, 0.8}, to: "monitor", ports: []uint16{9090, 8125, 10051, 5044}, gap: span{5, 120}, clock: 0.05, up: span{300, 20 * kB}, down: span{100, 2 * kB}, sigma: 0.2, life: span{0.01, 1}, rounds: span{1, 3}},
	{name: "pollers", who: "monitor", to: "walk:all", ports: []uint16{22, 443, 9100, 80, 161, 5666}, gap: span{15, 300}, clock: 0.05, within: span{0.5, 15}, up: span{200, 2 * kB}, down: span{500, 60 * kB}, sigma: 0.3, life: span{0.01, 1}, rounds: span{1, 3}, fail: span{0, 0.25}},
	{name: "snmp", who: "monitor", share: span{0.3, 1}, to: "walk:all", proto: picket.ProtoUDP, ports: []uint16{161}, gap: span{30, 300}, clock: 0.03, within: span{1, 20}, up: span{80, 2 * kB}, down: span{100, 20 * kB}, sigma: 0.3, life: span{0.02, 1}, rounds: span{1, 12}, fail: span{0, 0.3}},
	{name: "pings", who: "monitor", share: span{0.3, 1}, to: "walk:all", proto: picket.ProtoICMP, gap: span{10, 300}, clock: 0.05, within: span{0.5, 10}, rounds: span{1, 4}, life: span{0.01, 3}, fail: span{0, 0.2}},
	{name: "ping", who: "all", share: span{0.02, 0.1}, to: "few", proto: picket.ProtoICMP, gap: span{30, 7000}, rounds: span{1, 20}, life: span{0.1, 20}, fail: span{0, 0.1}},
	{name: "inventory", who: "monitor", share: span{0, 0.15}, to: "walk:servers", ports: []uint16{22, 443, 80, 3306, 8080}, gap: span{3600, 40000}, burst: span{1, 2}, within: span{10, 600}, up: span{100, 2 * kB}, down: span{100, 4 * kB}, life: span{0.05, 3}, fail: span{0.1, 0.5}},
	// Servers among themselves.
	{name: "database", who: "app", to: "db", ports: []uint16{3306, 5432}, gap: span{0.3, 30}, burst: span{1, 6}, within: span{0.05, 1}, up: span{400, 20 * kB}, down: span{500, 300 * kB}, sigma: 1.2, life: span{0.01, 5}, rounds: span{3, 20}},
	{name: "pool", who: "app", to: "db", ports: []uint16{3306, 5432, 6379}, gap: span{600, 4000}, burst: span{2, 12}, within: span{0.1, 60}, up: span{300 * kB, 60 * mB}, down: span{500 * kB, 300 * mB}, life: span{600, 5000}, rounds: span{200, 5000}},
	{name: "cache", who: "web", share: span{0.2, 1}, to: "cache", ports: []uint16{6379, 11211}, gap: span{0.5, 20}, burst: span{1, 8}, within: span{0.05, 1}, up: span{100, 4 * kB}, down: span{100, 40 * kB}, sigma: 1.2, life: span{0.001, 1}, rounds: span{1, 10}},
	{name: "upstream", who: "web", to: "app", ports: []uint16{8080, 8443}, gap: span{0.5, 40}, burst: span{1, 5}, within: span{0.05, 2}, up: span{400, 6 * kB}, down: span{800, 80 * kB}, sigma: 1.2, life: span{0.01, 10}, rounds: span{1, 6}, fail: span{0, 0.02}},
	{name: "healthcheck", who: "web", to: "walk:app", ports: []uint16{8080, 8443, 80}, gap: span{2, 30}, clock: 0.02, within: span{0.05, 1}, up: span{100, 400}, down: span{100, 800}, sigma: 0.05, life: span{0.002, 0.1}, fail: span{0, 0.02}},
	{name: "api", who: "app", share: span{0.3, 1}, to: "few", ports: []uint16{443}, gap: span{1, 120}, burst: span{1, 10}, within: span{0.1, 5}, up: span{500, 20 * kB}, down: span{500, 60 * kB}, sigma: 1, life: span{0.1, 10}, rounds: span{1, 4}, lookup: 0.3, fail: span{0, 0.02}},
	{name: "recursion", who: "dns", to: "anyone", proto: picket.ProtoUDP, ports: []uint16{53}, gap: span{0.5, 30}, burst: span{1, 6}, within: span{0.05, 1}, up: span{30, 80}, down: span{60, 900}, sigma: 0.4, life: span{0.005, 0.3}, fail: span{0.005, 0.06}},
	{name: "mail-out", who: "mail", to: "site", ports: []uint16{25}, gap: span{5, 300}, burst: span{1, 20}, within: span{1, 60}, up: span{3 * kB, 300 * kB}, down: span{800, 5 * kB}, sigma: 1.3, life: span{0.5, 60}, rounds: span{6, 14}, lookup: 1, fail: span{0.01, 0.2}},
	{name: "backup", who: "servers", share: span{0.3, 1}, to: "backup", ports: []uint16{873, 22, 10000}, gap: span{7200, 86400}, up: span{20 * mB, 20 * gB}, down: span{20 * kB, 20 * mB}, life: span{60, 3600}, rounds: span{1, 20}},
	{name: "cloud-backup", who: "servers", share: span{0.05, 0.4}, to: "home", ports: []uint16{443}, gap: span{3600, 50000}, burst: span{1, 20}, within: span{10, 1200}, up: span{5 * mB, 3 * gB}, down: span{20 * kB, 3 * mB}, sigma: 1, life: span{20, 1800}, rounds: span{1, 30}, lookup: 0.8},
	{name: "pc-backup", who: "hosts", share: span{0.02, 0.2}, to: "home", ports: []uint16{443}, gap: span{1800, 40000}, burst: span{1, 30}, within: span{10, 900}, up: span{1 * mB, 500 * mB}, down: span{5 * kB, 500 * kB}, sigma: 1.2, life: span{5, 900}, rounds: span{1, 10}, lookup: 0.8},
	{name: "update", who: "all", share: span{0.3, 1}, to: "few", ports: []uint16{443, 80}, gap: span{3600, 40000}, burst: span{1, 10}, within: span{5, 120}, up: span{1 * kB, 200 * kB}, down: span{200 * kB, 400 * mB}, sigma: 1.3, life: span{2, 300}, rounds: span{1, 6}, lookup: 0.9},
	{name: "build", who: "ci", to: "few", ports: []uint16{443}, gap: span{120, 4000}, burst: span{10, 200}, within: span{10, 200}, up: span{600, 10 * kB}, down: span{5 * kB, 10 * mB}, sigma: 1.6, life: span{0.2, 30}, rounds: span{1, 4}, lookup: 0.2},
	{name: "git-ssh", who: "ci", to: "home", ports: []uint16{22}, gap: span{5, 300}, burst: span{1, 5}, within: span{1, 20}, up: span{3 * kB, 40 * kB}, down: span{5 * kB, 5 * mB}, sigma: 1.2, life: span{0.8, 30}, rounds: span{10, 30}},
	{name: "deploy", who: "ci", to: "walk:servers", ports: []uint16{22}, gap: span{900, 20000}, within: span{2, 60}, up: span{10 * kB, 20 * mB}, down: span{5 * kB, 300 * kB}, sigma: 1, life: span{3, 120}, rounds: span{20, 200}, fail: span{0, 0.05}},
	{name: "ansible", who: "one", to: "walk:all", ports: []uint16{22}, gap: span{1200, 30000}, within: span{1, 120}, up: span{8 * kB, 400 * kB}, down: span{5 * kB, 200 * kB}, sigma: 0.8, life: span{4, 90}, rounds: span{20, 120}, fail: span{0, 0.15}},
	{name: "cron-ssh", who: "servers", share: span{0.02, 0.2}, to: "servers", ports: []uint16{22}, gap: span{20, 900}, clock: 0.02, up: span{3 * kB, 30 * kB}, down: span{3 * kB, 100 * kB}, sigma: 0.4, life: span{0.4, 10}, rounds: span{10, 30}},
	{name: "replication", who: "db", to: "db", ports: []uint16{3306, 5432}, gap: span{1800, 8000}, up: span{1 * mB, 200 * mB}, down: span{1 * mB, 500 * mB}, life: span{1500, 7000}, rounds: span{500, 5000}},
	{name: "nat", who: "proxy", share: span{0.4, 1}, to: "site", ports: []uint16{443, 443, 80, 993, 5223}, gap: span{0.3, 6}, burst: span{1, 10}, within: span{0.2, 3}, up: span{600, 8 * kB}, down: span{2 * kB, 120 * kB}, sigma: 1.5, life: span{0.2, 90}, rounds: span{1, 8}, lookup: 0.1, fail: span{0.002, 0.04}, quic: 0.25},
	// The public at the servers.
	{name: "visitors", who: "crowd:web", ports: []uint16{443, 443, 80}, gap: span{0.1, 20}, burst: span{1, 14}, within: span{0.3, 10}, up: span{500, 6 * kB}, down: span{2 * kB, 200 * kB}, sigma: 1.3, life: span{0.1, 70}, rounds: span{1, 8}, people: span{50, 60000}, fail: span{0, 0.03}, quic: 0.15, day: true},
	{name: "crawler", who: "crowd:web", share: span{0.2, 0.9}, ports: []uint16{443, 80}, gap: span{0.3, 30}, burst: span{1, 4}, within: span{0.1, 2}, up: span{300, 1500}, down: span{5 * kB, 150 * kB}, sigma: 1, life: span{0.1, 10}, rounds: span{1, 4}, people: span{1, 6}},
	{name: "uptime", who: "crowd:web", share: span{0.2, 0.9}, ports: []uint16{443, 80}, gap: span{1, 60}, clock: 0.1, up: span{200, 800}, down: span{300, 6 * kB}, sigma: 0.05, life: span{0.05, 0.6}, people: span{1, 16}},
	{name: "flash-crowd", who: "crowd:web", share: span{0, 0.3}, ports: []uint16{443}, gap: span{7000, 40000}, burst: span{300, 6000}, within: span{120, 1200}, up: span{600, 4 * kB}, down: span{5 * kB, 300 * kB}, sigma: 1, life: span{0.2, 60}, rounds: span{1, 6}, people: span{5000, 100000}, fail: span{0, 0.1}},
	{name: "customers", who: "crowd:web", share: span{0.2, 0.8}, ports: []uint16{443}, gap: span{1, 60}, burst: span{1, 5}, within: span{1, 10}, up: span{2 * kB, 5 * mB}, down: span{500, 20 * kB}, sigma: 1.2, life: span{0.3, 120}, rounds: span{1, 10}, people: span{5, 3000}},
	{name: "downloads", who: "crowd:web", share: span{0, 0.4}, ports: []uint16{443, 80}, gap: span{20, 900}, up: span{1 * kB, 200 * kB}, down: span{1 * mB, 800 * mB}, sigma: 1.2, life: span{5, 900}, people: span{100, 20000}},
	{name: "mail-in", who: "crowd:mail", ports: []uint16{25}, gap: span{0.5, 60}, up: span{3 * kB, 200 * kB}, down: span{800, 4 * kB}, sigma: 1.4, life: span{0.5, 60}, rounds: span{6, 14}, people: span{50, 8000}, fail: span{0, 0.05}},
	{name: "resolvers", who: "crowd:dns", share: span{0.3, 1}, proto: picket.ProtoUDP, ports: []uint16{53}, gap: span{0.1, 8}, up: span{30, 80}, down: span{60, 900}, sigma: 0.5, life: span{0.001, 0.02}, people: span{100, 60000}},
	{name: "roaming", who: "crowd:ssh", share: span{0.3, 1}, ports: []uint16{22}, gap: span{300, 8000}, up: span{6 * kB, 300 * kB}, down: span{8 * kB, 3 * mB}, life: span{20, 4000}, rounds: span{20, 800}, people: span{1, 12}, oops: 0.3},
	{name: "radiation", evenly: true, who: "crowd:servers", share: span{0.3, 1}, ports: []uint16{23, 445, 22, 80, 443, 3389, 8080, 2323, 5555, 6379, 1433, 0, 0, 0}, gap: span{20, 900}, up: span{40, 40}, people: span{3000, 90000}, fail: span{1, 1}},
	{name: "radiation-udp", evenly: true, who: "crowd:servers", share: span{0, 0.8}, proto: picket.ProtoUDP, ports: []uint16{53, 123, 161, 1900, 5060, 389, 11211}, gap: span{200, 4000}, up: span{20, 400}, people: span{3000, 90000}, fail: span{1, 1}},
	{name: "backscatter", evenly: true, who: "crowd:hosts", share: span{0, 0.1}, ports: []uint16{0}, gap: span{600, 9000}, up: span{40, 40}, people: span{100, 9000}, fail: span{1, 1}},
	// Small things, machines on a shop floor, noise.
	{name: "iot-cloud", who: "iot", share: span{0.7, 1}, to: "home", ports: []uint16{8883, 443, 1883}, gap: span{5, 600}, clock: 0.1, up: span{80, 4 * kB}, down: span{60, 2 * kB}, sigma: 0.2, life: span{0.1, 4}, rounds: span{1, 5}, lookup: 0.2},
	{name: "camera", who: "iot", share: span{0.05, 0.5}, to: "home", ports: []uint16{443, 554, 8554}, gap: span{300, 4000}, up: span{5 * mB, 400 * mB}, down: span{50 * kB, 3 * mB}, life: span{200, 3600}, rounds: span{20, 900}},
	{name: "modbus", who: "app", to: "walk:plc", ports: []uint16{502}, gap: span{0.5, 20}, clock: 0.02, within: span{0.05, 1}, up: span{12, 60}, down: span{20, 260}, sigma: 0.05, life: span{0.005, 0.1}, fail: span{0, 0.05}},
	{name: "modbus-long", who: "hosts", share: span{0.02, 0.4}, to: "walk:plc", ports: []uint16{502, 102, 44818, 4840}, gap: span{600, 4000}, clock: 0.01, within: span{0.1, 5}, up: span{5 * kB, 600 * kB}, down: span{8 * kB, 2 * mB}, sigma: 0.2, life: span{590, 3900}, rounds: span{300, 5000}},
	{name: "machines", who: "plc", share: span{0.3, 1}, to: "plc", proto: picket.ProtoUDP, ports: []uint16{2222, 34964, 47808}, gap: span{1, 60}, clock: 0.02, up: span{60, 1 * kB}, down: span{60, 1 * kB}, sigma: 0.05, life: span{0.01, 0.2}, fixed: true},
	{name: "historian", who: "plc", share: span{0.3, 1}, to: "db", ports: []uint16{5432, 1433, 8086}, gap: span{5, 120}, clock: 0.05, up: span{200, 8 * kB}, down: span{60, 600}, sigma: 0.2, life: span{0.02, 1}},
	{name: "mdns", who: "all", share: span{0.1, 0.8}, to: "224.0.0.251", proto: picket.ProtoUDP, ports: []uint16{5353}, gap: span{60, 1800}, up: span{60, 400}, life: span{0, 1}, fixed: true},
	{name: "ssdp", who: "all", share: span{0, 0.5}, to: "239.255.255.250", proto: picket.ProtoUDP, ports: []uint16{1900}, gap: span{60, 1200}, up: span{170, 2 * kB}, rounds: span{1, 4}, life: span{0.5, 4}, size: 300},
	{name: "dhcp", who: "hosts", share: span{0.3, 1}, to: "255.255.255.255", proto: picket.ProtoUDP, ports: []uint16{67}, gap: span{1800, 40000}, up: span{300, 600}, size: 600, life: span{0, 1}, hidden: true},
	{name: "names", who: "all", share: span{0.3, 1}, to: "resolver", proto: picket.ProtoUDP, ports: []uint16{53}, gap: span{5, 200}, burst: span{1, 4}, within: span{0.01, 1}, up: span{28, 90}, down: span{50, 500}, sigma: 0.4, life: span{0.001, 0.1}, hidden: true, fail: span{0, 0.02}},
	{name: "dead-port", who: "all", share: span{0.005, 0.05}, to: "servers", ports: []uint16{8081, 5000, 1514, 9200, 389, 3307}, gap: span{1, 120}, clock: 0.3, up: span{40, 40}, fail: span{1, 1}},
	{name: "gone-host", who: "all", share: span{0, 0.03}, to: "home", ports: []uint16{443, 8080, 5938}, gap: span{2, 300}, clock: 0.5, up: span{40, 40}, fail: span{1, 1}},
	{name: "esp", who: "servers", share: span{0, 0.1}, to: "home", proto: 50, gap: span{300, 4000}, up: span{100 * kB, 90 * mB}, down: span{100 * kB, 90 * mB}, life: span{250, 3800}, rounds: span{100, 4000}},
}

// mixes name the habits of a kind of network.
var mixes = map[string][]string{
	"office": {"upload-rare", "tab", "rare-tab", "sip", "browse", "ssh-quick", "upload-inside", "syslog", "statsd", "iptv", "discovery", "hello", "script", "script-inside", "vpn-users", "netbios", "keepalive", "video", "upload", "sync", "call", "mailbox", "stale-password", "files", "login", "intranet", "proxy", "chat", "vpn", "print", "rdp-session", "ssh-admin", "ntp", "telemetry", "poll", "push", "heartbeat", "pollers", "snmp", "pings", "ping", "database", "upstream", "recursion", "mail-out", "mail-in", "backup", "cloud-backup", "pc-backup", "update", "build", "deploy", "ansible", "roaming", "radiation", "iot-cloud", "mdns", "ssdp", "dhcp", "names", "dead-port", "gone-host", "inventory"},
	"cloud":  {"visitors", "ssh-quick", "syslog", "statsd", "script", "script-inside", "vpn-users", "crawler", "uptime", "flash-crowd", "customers", "downloads", "upstream", "healthcheck", "database", "pool", "cache", "api", "heartbeat", "pollers", "pings", "telemetry", "poll", "push", "ntp", "backup", "cloud-backup", "update", "build", "git-ssh", "deploy", "ansible", "cron-ssh", "replication", "nat", "mail-out", "mail-in", "resolvers", "roaming", "radiation", "radiation-udp", "backscatter", "ssh-admin", "names", "dead-port", "gone-host", "esp", "inventory"},
	"campus": {"upload-rare", "tab", "rare-tab", "sip", "browse", "ssh-quick", "upload-inside", "syslog", "statsd", "iptv", "discovery", "hello", "script", "script-inside", "torrent-in", "netbios", "vpn-users", "keepalive", "video", "upload", "sync", "call", "mailbox", "stale-password", "files", "login", "chat", "vpn", "games", "p2p", "ssh-admin", "cron-ssh", "ntp", "telemetry", "poll", "push", "pollers", "snmp", "pings", "ping", "recursion", "resolvers", "mail-in", "mail-out", "nat", "visitors", "crawler", "update", "pc-backup", "roaming", "radiation", "radiation-udp", "iot-cloud", "camera", "mdns", "ssdp", "dhcp", "names", "dead-port", "gone-host"},
	"plant":  {"modbus", "ssh-quick", "upload-inside", "syslog", "statsd", "iptv", "discovery", "hello", "script-inside", "modbus-long", "machines", "historian", "intranet", "files", "rdp-session", "ssh-admin", "ntp", "telemetry", "poll", "heartbeat", "pollers", "snmp", "pings", "ping", "backup", "update", "database", "pool", "ansible", "cron-ssh", "mdns", "dhcp", "names", "dead-port", "gone-host", "camera"},
	"farm":   {"visitors", "ssh-quick", "syslog", "statsd", "script-inside", "crawler", "uptime", "flash-crowd", "customers", "downloads", "upstream", "healthcheck", "database", "cache", "pool", "api", "mail-in", "mail-out", "resolvers", "recursion", "radiation", "radiation-udp", "backscatter", "backup", "cloud-backup", "pollers", "heartbeat", "ntp", "telemetry", "deploy", "cron-ssh", "roaming", "update", "names", "dead-port"},
	"home":   {"upload-rare", "tab", "rare-tab", "sip", "browse", "ssh-quick", "upload-inside", "iptv", "discovery", "script", "torrent-in", "ssh-admin", "keepalive", "video", "upload", "sync", "call", "chat", "vpn", "games", "p2p", "ntp", "telemetry", "poll", "push", "ping", "update", "pc-backup", "radiation", "iot-cloud", "camera", "mdns", "ssdp", "dhcp", "names", "gone-host"},
}

// Mixes are the names of the mixes of benign habits, sorted.
func Mixes() []string {
	var names []string
	for name := range mixes {
		names = append(names, name)
	}
	for name := range heldOutMixes {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// habitsOf gives the habits of a mix, or the single habit of that name.
func habitsOf(mix string) []*habit {
	for _, family := range []struct {
		habits []habit
		mixes  map[string][]string
	}{{habits, mixes}, {heldOutHabits, heldOutMixes}} {
		var found []*habit
		for i := range family.habits {
			h := &family.habits[i]
			if h.name == mix || slices.Contains(family.mixes[mix], h.name) {
				found = append(found, h)
			}
		}
		if found != nil {
			return found
		}
	}
	return nil
}
