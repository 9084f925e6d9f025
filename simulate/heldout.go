package simulate

import "picket"

// heldOutHabits are habits that Random never draws from: other ports, paces,
// sizes and shapes (Pareto tails in place of log-normal ones), so that a model
// trained on Random is tested on something that it has not seen.
var heldOutHabits = []habit{
	{name: "terminal", who: "hosts", share: span{0.7, 0.9}, to: "app", ports: []uint16{8443, 9443}, gap: span{10, 90}, heavy: 1.5, up: span{300, 2 * kB}, down: span{900, 20 * kB}, life: span{0.05, 2}, rounds: span{1, 3}, day: true},
	{name: "reading", who: "hosts", share: span{0.8, 0.95}, to: "site", ports: []uint16{443, 443, 443, 8443}, gap: span{40, 400}, burst: span{3, 16}, within: span{1, 25}, heavy: 1.3, up: span{700, 3 * kB}, down: span{4 * kB, 50 * kB}, life: span{0.5, 30}, rounds: span{2, 5}, day: true, lookup: 0.35, fail: span{0.002, 0.015}, quic: 0.35},
	{name: "images", who: "hosts", share: span{0.1, 0.3}, to: "file", ports: []uint16{104, 11112}, gap: span{200, 3000}, heavy: 1.6, burst: span{1, 6}, within: span{1, 20}, up: span{2 * mB, 60 * mB}, down: span{4 * kB, 30 * kB}, life: span{1, 60}, rounds: span{2, 30}, day: true},
	{name: "softphone", who: "hosts", share: span{0.2, 0.4}, to: "few", proto: picket.ProtoUDP, ports: []uint16{5060, 10000, 16384}, gap: span{400, 4000}, heavy: 1.7, up: span{400 * kB, 9 * mB}, down: span{400 * kB, 9 * mB}, life: span{40, 900}, rounds: span{2000, 20000}, size: 172, day: true},
	{name: "register", who: "hosts", share: span{0.3, 0.6}, to: "home", proto: picket.ProtoUDP, ports: []uint16{5060}, gap: span{25, 110}, clock: 0.02, up: span{500, 900}, down: span{400, 700}, sigma: 0.03, life: span{0.03, 0.2}, fixed: true},
	{name: "drive", who: "hosts", share: span{0.3, 0.5}, to: "few", ports: []uint16{443}, gap: span{150, 2500}, heavy: 1.2, up: span{20 * kB, 2 * mB}, down: span{20 * kB, 900 * kB}, life: span{1, 90}, rounds: span{2, 9}, day: true, lookup: 0.4},
	{name: "agent", who: "all", share: span{0.6, 0.9}, to: "home", ports: []uint16{443, 4443, 8014}, gap: span{40, 900}, clock: 0.2, up: span{700, 9 * kB}, down: span{300, 3 * kB}, sigma: 0.15, life: span{0.2, 2}, rounds: span{2, 5}},
	{name: "socket", who: "hosts", share: span{0.4, 0.8}, to: "few", ports: []uint16{443}, gap: span{1500, 5000}, heavy: 1.8, up: span{10 * kB, 90 * kB}, down: span{20 * kB, 200 * kB}, life: span{1000, 5000}, rounds: span{40, 200}},
	{name: "clock", who: "all", share: span{0.7, 1}, to: "few", proto: picket.ProtoUDP, ports: []uint16{123}, gap: span{128, 1100}, clock: 0.02, up: span{48, 48}, down: span{48, 48}, sigma: 0.001, life: span{0.01, 0.1}},
	{name: "shares", who: "hosts", share: span{0.4, 0.7}, to: "file", ports: []uint16{2049, 445}, gap: span{200, 2000}, heavy: 1.2, up: span{8 * kB, 900 * kB}, down: span{20 * kB, 4 * mB}, life: span{5, 700}, rounds: span{6, 60}, day: true},
	{name: "directory", who: "hosts", share: span{0.6, 1}, to: "ldap", ports: []uint16{636, 88, 464}, gap: span{600, 7000}, heavy: 1.6, burst: span{2, 6}, within: span{0.2, 3}, up: span{500, 2 * kB}, down: span{500, 3 * kB}, life: span{0.02, 3}, rounds: span{2, 5}, day: true},
	{name: "inbox", who: "hosts", share: span{0.5, 0.9}, to: "mail", ports: []uint16{993, 443}, gap: span{90, 600}, heavy: 1.8, up: span{800, 4 * kB}, down: span{3 * kB, 60 * kB}, life: span{0.5, 12}, rounds: span{5, 10}, day: true},
	{name: "watch", who: "monitor", to: "walk:all", ports: []uint16{10050, 22, 443}, gap: span{30, 120}, clock: 0.03, within: span{2, 25}, up: span{300, 900}, down: span{2 * kB, 20 * kB}, sigma: 0.2, life: span{0.02, 0.5}, fail: span{0.02, 0.12}},
	{name: "echo", who: "monitor", to: "walk:servers", proto: picket.ProtoICMP, gap: span{20, 60}, clock: 0.02, rounds: span{2, 3}, within: span{1, 5}, life: span{1, 2}, fail: span{0, 0.05}},
	{name: "query", who: "app", to: "db", ports: []uint16{1433, 1521}, gap: span{0.4, 6}, heavy: 1.4, burst: span{1, 4}, within: span{0.1, 2}, up: span{600, 6 * kB}, down: span{900, 40 * kB}, life: span{0.02, 3}, rounds: span{4, 12}},
	{name: "shoppers", who: "crowd:web", ports: []uint16{443}, gap: span{0.3, 6}, burst: span{2, 10}, within: span{1, 20}, heavy: 1.4, up: span{700, 4 * kB}, down: span{5 * kB, 70 * kB}, life: span{1, 40}, rounds: span{2, 6}, people: span{900, 20000}, fail: span{0.002, 0.02}, day: true, quic: 0.3},
	{name: "bots", who: "crowd:web", share: span{0.4, 0.8}, ports: []uint16{443}, gap: span{0.6, 9}, heavy: 1.7, up: span{300, 900}, down: span{8 * kB, 60 * kB}, life: span{0.2, 4}, people: span{2, 5}},
	{name: "probes", evenly: true, who: "crowd:servers", share: span{0.4, 0.9}, ports: []uint16{22, 23, 445, 3389, 8728, 37215, 81, 0, 0}, gap: span{60, 700}, up: span{40, 40}, people: span{9000, 50000}, fail: span{1, 1}},
	{name: "post", who: "crowd:mail", ports: []uint16{25}, gap: span{3, 40}, heavy: 1.3, up: span{5 * kB, 90 * kB}, down: span{900, 2 * kB}, life: span{1, 30}, rounds: span{7, 12}, people: span{200, 4000}},
	{name: "away", who: "crowd:ssh", share: span{0.8, 1}, ports: []uint16{22}, gap: span{500, 4000}, heavy: 1.6, up: span{9 * kB, 90 * kB}, down: span{20 * kB, 900 * kB}, life: span{60, 2500}, rounds: span{50, 500}, people: span{2, 8}, oops: 0.35},
	{name: "operators", who: "hosts", share: span{0.03, 0.06}, to: "servers", ports: []uint16{22}, gap: span{900, 6000}, heavy: 1.7, up: span{9 * kB, 120 * kB}, down: span{15 * kB, 900 * kB}, life: span{40, 2000}, rounds: span{40, 400}, day: true, oops: 0.35},
	{name: "puppet", who: "all", share: span{0.5, 0.9}, to: "ci1", ports: []uint16{8140}, gap: span{1700, 1900}, clock: 0.1, up: span{20 * kB, 200 * kB}, down: span{20 * kB, 900 * kB}, sigma: 0.3, life: span{3, 30}, rounds: span{5, 12}},
	{name: "rollout", who: "ci", to: "walk:all", ports: []uint16{22, 5986}, gap: span{9000, 30000}, within: span{30, 240}, up: span{20 * kB, 300 * kB}, down: span{10 * kB, 90 * kB}, life: span{8, 60}, rounds: span{30, 90}, fail: span{0.01, 0.1}},
	{name: "archive", who: "servers", share: span{0.2, 0.5}, to: "home", ports: []uint16{443}, gap: span{9000, 40000}, heavy: 1.5, burst: span{2, 12}, within: span{30, 900}, up: span{30 * mB, 900 * mB}, down: span{40 * kB, 900 * kB}, life: span{30, 900}, rounds: span{2, 20}},
	{name: "album", who: "hosts", share: span{0.05, 0.15}, to: "home", ports: []uint16{443}, gap: span{4000, 30000}, heavy: 1.4, burst: span{3, 25}, within: span{20, 500}, up: span{1 * mB, 12 * mB}, down: span{3 * kB, 20 * kB}, life: span{2, 40}, rounds: span{1, 5}, day: true},
	{name: "vault", who: "servers", share: span{0.5, 1}, to: "backup", ports: []uint16{9102, 13724}, gap: span{20000, 80000}, up: span{200 * mB, 9 * gB}, down: span{200 * kB, 9 * mB}, life: span{200, 3000}, rounds: span{4, 40}},
	{name: "patch", who: "all", share: span{0.6, 1}, to: "few", ports: []uint16{443, 80, 8530}, gap: span{6000, 30000}, heavy: 1.4, burst: span{2, 8}, within: span{10, 90}, up: span{3 * kB, 90 * kB}, down: span{900 * kB, 90 * mB}, life: span{4, 200}, rounds: span{2, 6}, lookup: 0.8},
	{name: "sensors", who: "iot", to: "home", ports: []uint16{8883, 5683}, gap: span{20, 300}, clock: 0.15, up: span{90, 900}, down: span{70, 300}, sigma: 0.1, life: span{0.2, 2}, rounds: span{2, 4}},
	{name: "asks", who: "all", share: span{0.6, 1}, to: "resolver", proto: picket.ProtoUDP, ports: []uint16{53}, gap: span{8, 120}, heavy: 1.5, up: span{30, 70}, down: span{60, 400}, life: span{0.001, 0.08}, hidden: true, fail: span{0, 0.01}},
	{name: "wrong-host", who: "all", share: span{0.01, 0.03}, to: "servers", ports: []uint16{10051, 8089, 515}, gap: span{5, 90}, clock: 0.1, up: span{40, 40}, fail: span{1, 1}},
	{name: "stream", who: "hosts", share: span{0.1, 0.25}, to: "site", ports: []uint16{443}, gap: span{1500, 9000}, heavy: 1.5, burst: span{2, 6}, within: span{10, 200}, up: span{60 * kB, 900 * kB}, down: span{9 * mB, 200 * mB}, life: span{60, 1500}, rounds: span{20, 150}, day: true, lookup: 0.9},
	{name: "llmnr", who: "hosts", share: span{0.3, 0.6}, to: "224.0.0.252", proto: picket.ProtoUDP, ports: []uint16{5355}, gap: span{100, 2000}, heavy: 1.5, up: span{30, 60}, life: span{0, 0.5}},
}

var heldOutMixes = map[string][]string{
	"other-clinic": {"terminal", "reading", "images", "softphone", "register", "drive", "agent", "socket", "clock", "shares", "directory", "inbox", "watch", "echo", "query", "shoppers", "bots", "probes", "post", "away", "operators", "puppet", "rollout", "archive", "album", "vault", "patch", "sensors", "asks", "wrong-host", "stream", "llmnr"},
	"other-shop":   {"query", "shoppers", "bots", "probes", "post", "away", "agent", "clock", "watch", "echo", "puppet", "rollout", "archive", "vault", "patch", "asks", "wrong-host", "operators"},
}
