package extract

import (
	"math"

	"picket"
)

// Catalogue is every feature of actors and victims, in the order of a row.
var Catalogue = []Feature{
	// Volume.
	{"elapsed_share", 1, "share", "seconds covered so far by the seconds of the window",
		fromSums, fromAll, "none: tells a partial window from a quiet one", func(w *window) float64 { return share(uint64(w.elapsed), uint64(w.frame.seconds)) }},
	{"flow_count", 1, "flows", "flows in the window",
		fromSums, fromAll, "ddos, scan, bruteforce", func(w *window) float64 { return float64(w.flows) }},
	{"flows_per_second", 1, "flows/s", "flows by elapsed seconds",
		fromSums, fromAll, "ddos, scan, bruteforce", func(w *window) float64 { return w.perSecond(w.flows) }},
	{"packets_out_per_second", 1, "packets/s", "packets sent by elapsed seconds",
		fromSums, fromAll, "ddos (actor), exfiltration", func(w *window) float64 { return w.perSecond(w.out.packets) }},
	{"packets_in_per_second", 1, "packets/s", "packets received by elapsed seconds",
		fromSums, fromAll, "ddos (victim)", func(w *window) float64 { return w.perSecond(w.in.packets) }},
	{"bytes_out_per_second", 1, "bytes/s", "IP bytes sent by elapsed seconds",
		fromSums, fromAll, "exfiltration, ddos (actor)", func(w *window) float64 { return w.perSecond(w.out.bytes) }},
	{"bytes_in_per_second", 1, "bytes/s", "IP bytes received by elapsed seconds",
		fromSums, fromAll, "ddos (victim)", func(w *window) float64 { return w.perSecond(w.in.bytes) }},
	{"byte_ratio_out", 1, "share", "bytes sent by bytes sent and received",
		fromSums, fromAll, "exfiltration (high), ddos", func(w *window) float64 { return share(w.out.bytes, w.bytes()) }},
	{"packets_per_flow", 1, "packets", "packets both ways by flows",
		fromSums, fromAll, "scan and ddos (few), exfiltration (many)", func(w *window) float64 { return share(w.packets(), w.flows) }},
	{"bytes_per_flow", 1, "bytes", "IP bytes both ways by flows",
		fromSums, fromAll, "scan and ddos (few), exfiltration (many)", func(w *window) float64 { return share(w.bytes(), w.flows) }},

	// Packet sizes.
	{"packet_size_mean", 1, "bytes", "IP bytes by packets, both ways",
		fromSums, fromAll, "ddos, scan", func(w *window) float64 { return share(w.bytes(), w.packets()) }},
	{"packet_size_mean_out", 1, "bytes", "IP bytes by packets, sent",
		fromSums, fromAll, "exfiltration, c2", func(w *window) float64 { return share(w.out.bytes, w.out.packets) }},
	{"packet_size_mean_in", 1, "bytes", "IP bytes by packets, received",
		fromSums, fromAll, "ddos (amplification)", func(w *window) float64 { return share(w.in.bytes, w.in.packets) }},
	{"packet_size_variance", 1, "bytes²", "variance of the sizes of single packets, both ways",
		fromSums, fromPackets, "ddos and scan (one size)", func(w *window) float64 { return variance(w.captured.count, w.captured.bytes, w.captured.squares, 0) }},
	{"flow_mean_packet_size_variance", 1, "bytes²", "variance of mean packet sizes, one mean per flow, minute and direction, weighted by packets: not that of single packets, which a flow log does not tell",
		fromSums, fromAll, "ddos, scan, bruteforce (one size)", func(w *window) float64 { return variance(w.packets(), w.bytes(), w.meanSquares, 16) }},
	{"payload_mean_out", 1, "bytes", "transport payload by packets, sent",
		fromSums, fromPayloads, "c2 (tunnels), exfiltration", func(w *window) float64 { return share(w.out.payload, w.out.payloadPackets) }},
	{"payload_mean_in", 1, "bytes", "transport payload by packets, received",
		fromSums, fromPayloads, "c2 (tunnels), ddos", func(w *window) float64 { return share(w.in.payload, w.in.payloadPackets) }},

	// Protocols.
	{"tcp_flow_share", 1, "share", "flows that are TCP",
		fromSums, fromAll, "ddos, scan", func(w *window) float64 { return share(w.group[groupTCP], w.flows) }},
	{"udp_flow_share", 1, "share", "flows that are UDP",
		fromSums, fromAll, "ddos, scan", func(w *window) float64 { return share(w.group[groupUDP], w.flows) }},
	{"icmp_flow_share", 1, "share", "flows that are ICMP or ICMPv6",
		fromSums, fromAll, "scan (ping sweep), ddos, c2 (tunnels)", func(w *window) float64 { return share(w.group[groupICMP], w.flows) }},
	{"tcp_packet_share", 1, "share", "packets both ways that are TCP",
		fromSums, fromAll, "ddos, scan", func(w *window) float64 { return share(w.groupPackets[groupTCP], w.packets()) }},
	{"udp_packet_share", 1, "share", "packets both ways that are UDP",
		fromSums, fromAll, "ddos", func(w *window) float64 { return share(w.groupPackets[groupUDP], w.packets()) }},
	{"icmp_packet_share", 1, "share", "packets both ways that are ICMP or ICMPv6",
		fromSums, fromAll, "ddos, c2 (tunnels)", func(w *window) float64 { return share(w.groupPackets[groupICMP], w.packets()) }},
	{"protocol_entropy", 1, "bits", "entropy of flows over TCP, UDP, ICMP and all others",
		fromSums, fromAll, "ddos and scan (one protocol)", func(w *window) float64 { return groupEntropy(&w.group) }},

	// Peers.
	{"peers", 1, "addresses", "distinct peers",
		fromShape, fromAll, "scan (horizontal), ddos", func(w *window) float64 { return float64(w.peers.keys) }},
	{"peer_subnets", 1, "subnets", "distinct /24 (IPv4) and /48 (IPv6) of peers",
		fromShape, fromAll, "ddos (spoofed), scan", func(w *window) float64 { return float64(w.subnets.keys) }},
	{"peer_ip_entropy", 1, "bits", "entropy of flows over peers",
		fromShape, fromAll, "ddos, scan (high), bruteforce (low)", func(w *window) float64 { return w.peers.bits() }},
	{"peer_ip_entropy_normalised", 1, "share", "peer_ip_entropy by the most it could be with as many peers",
		fromShape, fromAll, "ddos, scan (even)", func(w *window) float64 { return w.peers.evenness() }},
	{"peer_subnet_entropy", 1, "bits", "entropy of flows over the subnets of peers",
		fromShape, fromAll, "ddos (spoofed: high), scan of one subnet (low)", func(w *window) float64 { return w.subnets.bits() }},
	{"top_peer_flow_share", 1, "share", "flows with the peer that has most",
		fromShape, fromAll, "bruteforce, c2", func(w *window) float64 { return w.peers.topShare() }},
	{"top_peer_byte_share_out", 1, "share", "bytes sent to the peer that got most, by all bytes sent",
		fromShape, fromAll, "exfiltration", func(w *window) float64 { return share(w.peerBytesOut, w.out.bytes) }},
	{"external_byte_share_out", 1, "share", "bytes sent to peers outside of private, shared and local networks, by all bytes sent",
		fromSums, fromAll, "exfiltration, c2", func(w *window) float64 { return share(w.externalOut, w.out.bytes) }},
	{"top_external_peer_bytes_out_per_second", 1, "bytes/s", "bytes sent to the outside peer that got most, by elapsed seconds",
		fromShape, fromAll, "exfiltration", func(w *window) float64 { return w.perSecond(w.topOutside.bytesOut) }},

	{"top_external_peer_byte_ratio_out", 1, "share", "bytes sent to that peer, by bytes sent to it and received from it",
		fromShape, fromAll, "exfiltration (high)", func(w *window) float64 { return w.topOutside.ratioOut() }},
	{"top_external_peer_entities", 1, "entities", "entities of the kind that have that peer, in the hour or day around the window",
		fromShape, fromAll, "exfiltration (1: nobody else goes there)", func(w *window) float64 { return w.topOutside.entities() }},

	// Outside peers that nobody else has, in the hour or day around the window.
	{"external_peers", 1, "addresses", "distinct peers outside",
		fromShape, fromAll, "scan (outward), ddos", func(w *window) float64 { return float64(w.outsidePeers) }},
	{"sole_peers", 1, "addresses", "of these, peers that no other entity of the kind has",
		fromShape, fromAll, "c2, exfiltration, scan", func(w *window) float64 { return float64(w.solePeers) }},
	{"sole_byte_share_out", 1, "share", "bytes sent to sole peers, by all bytes sent",
		fromShape, fromAll, "exfiltration", func(w *window) float64 { return share(w.soleBytesOut, w.out.bytes) }},
	{"top_sole_peer_bytes_out_per_second", 1, "bytes/s", "bytes sent to the sole peer that got most, by elapsed seconds",
		fromShape, fromAll, "exfiltration", func(w *window) float64 { return w.perSecond(w.topSole.bytesOut) }},
	{"top_sole_peer_byte_ratio_out", 1, "share", "bytes sent to that peer, by bytes sent to it and received from it",
		fromShape, fromAll, "exfiltration (high)", func(w *window) float64 { return w.topSole.ratioOut() }},
	{"top_sole_peer_bytes_out_per_flow", 1, "bytes", "bytes sent to that peer by its flows",
		fromShape, fromAll, "exfiltration", func(w *window) float64 { return share(w.topSole.bytesOut, w.topSole.flows) }},
	{"top_sole_peer_start_share", 1, "share", "time from the entity's first packet to the first with that peer, by elapsed seconds",
		fromShape, fromAll, "exfiltration (late)", func(w *window) float64 { return w.known(w.topSole.flows, w.lateness(w.topSole.first)) }},
	{"top_sole_peer_span_share", 1, "share", "time from the first to the last minute with that peer, by elapsed seconds",
		fromShape, fromAll, "exfiltration (short), backups (long)", func(w *window) float64 { return w.known(w.topSole.flows, w.spanned(&w.topSole)) }},
	{"top_sole_peer_network_share", 1, "share", "bytes sent to that peer, by all bytes that entities of the kind sent outside in the hour or day around the window",
		fromShape, fromAll, "exfiltration", func(w *window) float64 { return share(w.topSole.bytesOut, w.network.bytesOut) }},
	{"top_sole_peer_port_entities", 1, "entities", "entities of the kind that use the service port of most of these bytes with a peer outside",
		fromShape, fromAll, "exfiltration (few)", func(w *window) float64 { return w.known(w.topSole.flows, float64(w.network.on(w.topSole.port))) }},
	{"network_entities", 1, "entities", "entities of the kind that have a peer outside, in the hour or day around the window",
		fromShape, fromAll, "none: a peer that nobody else has is odd among many only", func(w *window) float64 { return float64(w.network.entities) }},
	{"sole_pair_active_share", 1, "share", "elapsed minutes with a packet of the most lasting pair of sole peer and service port",
		fromShape, fromLong, "c2, exfiltration (lasting)", func(w *window) float64 { return w.activeShare(w.soleTarget.minutes) }},
	{"sole_pair_flows_per_minute", 1, "flows", "flows of that pair by its minutes",
		fromShape, fromLong, "c2 (fast beacons, tunnels)", func(w *window) float64 { return share(w.soleTarget.flows, w.soleTarget.minutes) }},
	{"sole_pair_bytes_out_per_flow", 1, "bytes", "bytes sent in that pair by its flows",
		fromShape, fromLong, "c2 (small), exfiltration", func(w *window) float64 { return share(w.soleTarget.bytesOut, w.soleTarget.flows) }},
	{"sole_pair_bytes_in_per_flow", 1, "bytes", "bytes received in that pair by its flows",
		fromShape, fromLong, "c2 (small)", func(w *window) float64 { return share(w.soleTarget.bytesIn, w.soleTarget.flows) }},
	{"sole_pair_asked_bytes_cv", 1, "ratio", "deviation by mean of the bytes of the opener by flows of that pair",
		fromShape, fromLong, "c2 (low)", func(w *window) float64 { return w.soleTarget.asked.cv() }},
	{"sole_pair_gap_mean_seconds", 1, "s", "mean of the gaps between the starts of that pair, in minutes of activity",
		fromShape, fromLong, "c2 (beacons)", func(w *window) float64 { return w.soleTarget.rhythmic(w.soleTarget.gapMean) }},
	{"sole_pair_gap_cv", 1, "ratio", "deviation by mean of these gaps",
		fromShape, fromLong, "c2 (beacons: low)", func(w *window) float64 { return w.soleTarget.rhythmic(w.soleTarget.gapCV) }},
	{"sole_pair_flow_dispersion", 1, "ratio", "variance by mean of that pair's flows per tick: 1 by chance, less by the clock",
		fromShape, fromLong, "c2 (low)", func(w *window) float64 { return w.known(w.soleTarget.minutes, w.soleTarget.dispersion) }},
	{"sole_pair_start_share", 1, "share", "time from the entity's first packet to the first of that pair, by elapsed seconds",
		fromShape, fromLong, "c2 (late)", func(w *window) float64 { return w.known(w.soleTarget.minutes, w.lateness(w.soleTarget.first)) }},
	{"sole_pair_port_entities", 1, "entities", "entities of the kind that use the service port of that pair with a peer outside",
		fromShape, fromLong, "c2 (few)", func(w *window) float64 {
			return w.known(w.soleTarget.minutes, float64(w.network.on(w.soleTarget.port)))
		}},

	// Ports.
	{"service_ports", 1, "ports", "distinct service ports",
		fromShape, fromAll, "scan (vertical)", func(w *window) float64 { return float64(w.servicePort.keys) }},
	{"service_port_entropy", 1, "bits", "entropy of flows over service ports",
		fromShape, fromAll, "scan (vertical)", func(w *window) float64 { return w.servicePort.bits() }},
	{"service_port_entropy_normalised", 1, "share", "service_port_entropy by the most it could be with as many ports",
		fromShape, fromAll, "scan (even)", func(w *window) float64 { return w.servicePort.evenness() }},
	{"client_port_entropy", 1, "bits", "entropy of flows over client ports",
		fromShape, fromAll, "ddos (spoofed: high; reflected: low), scan from one port (low)", func(w *window) float64 { return w.clientPort.bits() }},
	{"client_port_entropy_normalised", 1, "share", "client_port_entropy by the most it could be with as many ports",
		fromShape, fromAll, "ddos", func(w *window) float64 { return w.clientPort.evenness() }},
	{"top_service_port_flow_share", 1, "share", "flows on the service port that has most",
		fromShape, fromAll, "ddos, bruteforce, scan (horizontal)", func(w *window) float64 { return w.servicePort.topShare() }},
	{"login_port_share", 1, "share", "flows on a TCP port of a service that asks for a password, by flows with ports",
		fromSums, fromAll, "bruteforce", func(w *window) float64 { return share(w.class[classLogin], w.ported) }},
	{"web_port_share", 1, "share", "flows on a port of the web, by flows with ports",
		fromSums, fromAll, "c2, exfiltration, ddos", func(w *window) float64 { return share(w.class[classWeb], w.ported) }},
	{"dns_port_share", 1, "share", "flows on port 53 or 853, by flows with ports",
		fromSums, fromAll, "c2 (tunnels), ddos", func(w *window) float64 { return share(w.class[classDNS], w.ported) }},
	{"low_service_port_share", 1, "share", "flows on a service port below 1024, by flows with ports",
		fromSums, fromAll, "scan, ddos", func(w *window) float64 { return share(w.class[classLow], w.ported) }},
	{"amplifier_byte_share", 1, "share", "bytes of the openers sent by UDP from a port known for amplification, by all their bytes",
		fromSums, fromAll, "ddos (reflected)", func(w *window) float64 { return share(w.amplified, w.asked) }},

	// Questions and echoes that carry more than they should.
	{"dns_flows_per_second", 1, "flows/s", "flows on UDP or TCP port 53 by elapsed seconds",
		fromSums, fromAll, "exfiltration, c2 (DNS tunnels)", func(w *window) float64 { return w.perSecond(w.dns.n) }},
	{"dns_asked_bytes_mean", 1, "bytes", "bytes of openers by flows on port 53",
		fromSums, fromAll, "exfiltration, c2 (DNS tunnels)", func(w *window) float64 { return w.dns.mean() }},
	{"dns_asked_bytes_cv", 1, "ratio", "deviation by mean of these bytes",
		fromSums, fromAll, "exfiltration, c2 (DNS tunnels)", func(w *window) float64 { return w.dns.cv() }},
	{"icmp_packets_per_second", 1, "packets/s", "ICMP packets of openers by elapsed seconds",
		fromSums, fromAll, "exfiltration (tunnels), scan, ddos", func(w *window) float64 { return w.perSecond(w.echoes) }},
	{"icmp_packet_size_mean", 1, "bytes", "bytes of ICMP packets of openers",
		fromSums, fromAll, "exfiltration (tunnels)", func(w *window) float64 { return share(w.echoBytes, w.echoes) }},

	// Targets.
	{"targets", 1, "targets", "distinct pairs of peer and service port",
		fromShape, fromAll, "scan", func(w *window) float64 { return float64(w.targets) }},
	{"ports_per_peer_max", 1, "ports", "most service ports between the entity and one peer",
		fromShape, fromAll, "scan (vertical)", func(w *window) float64 { return float64(w.portsPerPeer) }},
	{"peers_per_port_max", 1, "addresses", "most peers on one service port",
		fromShape, fromAll, "scan (horizontal), ddos", func(w *window) float64 { return float64(w.peersPerPort) }},
	{"flows_per_target_mean", 1, "flows", "flows by targets",
		fromShape, fromAll, "bruteforce, ddos (high), scan (1)", func(w *window) float64 { return share(w.flows, w.targets) }},
	{"flows_per_target_max", 1, "flows", "most flows of one target",
		fromShape, fromAll, "bruteforce, ddos", func(w *window) float64 { return float64(w.flowsPerTarget) }},
	{"login_flows_per_target_max", 1, "flows", "most flows of one target with a login port",
		fromShape, fromAll, "bruteforce", func(w *window) float64 { return float64(w.loginsPerTarget) }},
	{"login_flow_packets_mean", 1, "packets", "packets both ways per flow with a login port",
		fromSums, fromAll, "bruteforce (few, but a handshake more than a scan)", func(w *window) float64 { return share(w.login.packets, w.login.n) }},
	{"login_flow_bytes_cv", 1, "ratio", "deviation by mean of the bytes of flows with a login port",
		fromSums, fromAll, "bruteforce (guesses are alike: low)", func(w *window) float64 { return w.login.cv() }},

	// Handshakes and answers.
	{"unanswered_share", 1, "share", "flows in which the end opened to sent nothing",
		fromSums, fromAll, "scan, ddos", func(w *window) float64 { return share(w.unanswered, w.flows) }},
	{"established_share", 1, "share", "TCP flows with 3 packets or more of the opener and 2 or more of the other end, by TCP flows",
		fromSums, fromAll, "scan, ddos (low), bruteforce (high)", func(w *window) float64 { return share(w.established, w.group[groupTCP]) }},
	{"rejected_share", 1, "share", "records that the network refused, by records that say",
		fromSums, fromActions, "scan, bruteforce", func(w *window) float64 { return share(w.rejected, w.decided) }},
	{"syn_share", 1, "share", "TCP flows with a SYN of the opener, by TCP flows with known flags",
		fromSums, fromFlags, "scan, ddos (SYN flood)", func(w *window) float64 { return share(w.syn, w.flagged) }},
	{"failed_handshake_share", 1, "share", "TCP flows with a SYN of the opener and none of the other end, by TCP flows with known flags",
		fromSums, fromFlags, "scan, ddos (SYN flood)", func(w *window) float64 { return share(w.failed, w.flagged) }},
	{"reset_share", 1, "share", "TCP flows with a RST, by TCP flows with known flags",
		fromSums, fromFlags, "scan, bruteforce", func(w *window) float64 { return share(w.reset, w.flagged) }},
	{"unsolicited_answer_share", 1, "share", "TCP flows that opened with a SYN-ACK nobody asked for, by TCP flows with known flags",
		fromSums, fromFlags, "ddos (SYN-ACK reflection, backscatter)", func(w *window) float64 { return share(w.unasked, w.flagged) }},

	// Patterns of single packets.
	{"syn_packet_share", 1, "share", "packets of openers with SYN and no ACK, by all their packets",
		fromSums, fromPackets, "ddos (SYN flood), scan", func(w *window) float64 { return share(w.pattern[patternSYN], w.askedPackets) }},
	{"ack_packet_share", 1, "share", "packets of openers with ACK alone and no payload, by all their packets",
		fromSums, fromPackets, "ddos (ACK flood), scan (ACK and window scan)", func(w *window) float64 { return share(w.pattern[patternACK], w.askedPackets) }},
	{"fin_packet_share", 1, "share", "packets of openers with FIN and no ACK, by all their packets",
		fromSums, fromPackets, "scan (FIN scan)", func(w *window) float64 { return share(w.pattern[patternFIN], w.askedPackets) }},
	{"null_packet_share", 1, "share", "TCP packets of openers with no flag, by all their packets",
		fromSums, fromPackets, "scan (NULL scan)", func(w *window) float64 { return share(w.pattern[patternNULL], w.askedPackets) }},
	{"xmas_packet_share", 1, "share", "packets of openers with FIN, PSH and URG, by all their packets",
		fromSums, fromPackets, "scan (XMAS scan)", func(w *window) float64 { return share(w.pattern[patternXMAS], w.askedPackets) }},
	{"reset_packet_share", 1, "share", "packets of openers with RST, by all their packets",
		fromSums, fromPackets, "ddos (RST flood), scan", func(w *window) float64 { return share(w.pattern[patternRST], w.askedPackets) }},
	{"fragment_packet_share", 1, "share", "packets of openers that are IP fragments, by all their packets",
		fromSums, fromPackets, "ddos (fragments)", func(w *window) float64 { return share(w.pattern[patternFragment], w.askedPackets) }},

	// Time.
	{"active_tick_share", 1, "share", "elapsed ticks with a start of a record; a tick is about a sixtieth of the window, never less than the interval of the log",
		fromShape, fromTicks, "ddos, bruteforce (steady), c2 (low)", func(w *window) float64 { return w.activeTicks() }},
	{"tick_count_cv", 1, "ratio", "deviation by mean of flows per tick: 0 is even, above 1 is bursts",
		fromShape, fromTicks, "ddos, scan (bursts), c2, bruteforce (even)", func(w *window) float64 { return w.tickVariation() }},
	{"pair_active_share", 1, "share", "elapsed minutes with a packet of the most lasting pair of peer and service port",
		fromShape, fromLong, "c2, exfiltration (lasting)", func(w *window) float64 { return w.pairShare() }},
	{"beacon_gaps", 1, "gaps", "gaps between the starts of the most regular pair, in minutes of activity; 0 where no pair has a rhythm coarser than the ticks of the log",
		fromShape, fromLong, "c2 (beacons)", func(w *window) float64 { return w.beacon(float64(w.rhythm.gaps)) }},
	{"beacon_gap_mean_seconds", 1, "s", "mean of these gaps",
		fromShape, fromLong, "c2 (beacons)", func(w *window) float64 { return w.beacon(w.rhythm.known(w.rhythm.mean)) }},
	{"beacon_gap_cv", 1, "ratio", "deviation by mean of these gaps: 0 is a clock",
		fromShape, fromLong, "c2 (beacons: low)", func(w *window) float64 { return w.beacon(w.rhythm.known(w.rhythm.variation)) }},
	{"external_beacon_gaps", 1, "gaps", "as beacon_gaps, of the most regular pair with a peer outside, where a peer that few others have is preferred",
		fromShape, fromLong, "c2 (beacons)", func(w *window) float64 { return w.beacon(float64(w.outsideRhythm.gaps)) }},
	{"external_beacon_gap_mean_seconds", 1, "s", "mean of these gaps",
		fromShape, fromLong, "c2 (beacons)", func(w *window) float64 { return w.beacon(w.outsideRhythm.known(w.outsideRhythm.mean)) }},
	{"external_beacon_gap_cv", 1, "ratio", "deviation by mean of these gaps",
		fromShape, fromLong, "c2 (beacons: low)", func(w *window) float64 { return w.beacon(w.outsideRhythm.known(w.outsideRhythm.variation)) }},
	{"external_beacon_entities", 1, "entities", "entities of the kind that have the peer of that pair",
		fromShape, fromLong, "c2 (1)", func(w *window) float64 {
			return w.beacon(w.outsideRhythm.known(float64(w.outsideRhythm.company)))
		}},
	{"external_beacon_asked_bytes_mean", 1, "bytes", "bytes of the opener by flows of that pair",
		fromShape, fromLong, "c2 (small)", func(w *window) float64 { return w.beacon(w.outsideRhythm.asked.mean()) }},
	{"external_beacon_asked_bytes_cv", 1, "ratio", "deviation by mean of these bytes",
		fromShape, fromLong, "c2 (low)", func(w *window) float64 { return w.beacon(w.outsideRhythm.asked.cv()) }},
}

func (w *window) packets() uint64 { return add64(w.out.packets, w.in.packets) }
func (w *window) bytes() uint64   { return add64(w.out.bytes, w.in.bytes) }

func (w *window) perSecond(n uint64) float64 { return float64(n) / float64(w.elapsed) }

// known returns a value of something that there are n of, NaN where there is none.
func (w *window) known(n uint64, v float64) float64 {
	if n == 0 {
		return math.NaN()
	}
	return v
}

// spanned returns the share of the window so far from a peer's first to its last minute.
func (w *window) spanned(p *peer) float64 {
	return min(1, ratio(float64(int64(p.last-p.first+1)*picket.Minute), float64(w.elapsed)))
}

func share(part, whole uint64) float64 { return ratio(float64(part), float64(whole)) }

func groupEntropy(counts *[groups]uint64) float64 {
	var e entropy
	for _, n := range counts {
		if n > 0 {
			e.add(n)
		}
	}
	return e.bits()
}
