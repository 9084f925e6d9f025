package simulate

import (
	"fmt"
	"net/netip"
	"strconv"

	"picket"
)

// Attachments of the Transit Gateway that a network's machines and the outside meet
// at: two networks of machines, and the edge.
var attachments = []string{"tgw-attach-0a4a1f9c2d3e4b5c6", "tgw-attach-0b4a1f9c2d3e4b5c7", "tgw-attach-0e4a1f9c2d3e4b5c8"}

// gatewayView is a flow log of a Transit Gateway: each direction at the attachment
// where it comes in and at that where it goes out.
func gatewayView(s *Script, net *network) view {
	v := flowView(60, 6)(s, net).(*flowLog)
	v.places = func(a netip.Addr) string {
		if h := net.byAddr[a]; h != nil {
			return attachments[h.id%2]
		}
		return attachments[2]
	}
	return v
}

const fields6 = "version resource-type account-id tgw-id tgw-attachment-id tgw-src-vpc-account-id tgw-dst-vpc-account-id tgw-src-vpc-id tgw-dst-vpc-id " +
	"tgw-src-subnet-id tgw-dst-subnet-id tgw-src-eni tgw-dst-eni tgw-src-az-id tgw-dst-az-id tgw-pair-attachment-id srcaddr dstaddr srcport dstport protocol " +
	"packets bytes start end log-status type packets-lost-no-route packets-lost-blackhole packets-lost-mtu-exceeded packets-lost-ttl-expired tcp-flags region flow-direction " +
	"pkt-src-aws-service pkt-dst-aws-service"

func gatewayText(s *Script, net *network, out *objects) encoder {
	w := flowText(6)(s, net, out).(*flowWriter)
	w.fields, w.row = fields6, appendGateway
	return w
}

// lostPackets is how many of a record's packets went into a blackhole.
func lostPackets(l *line) uint64 {
	if l.Rejected {
		return l.SrcPackets
	}
	return 0
}

func addressFamily(r *picket.Record) string {
	if r.Src.Is6() {
		return "IPv6"
	}
	return "IPv4"
}

func appendGateway(b []byte, l *line) []byte {
	b = fmt.Appendf(b, "6 TransitGateway %s tgw-0a1b2c3d4e5f60718 %s %s %s - - - - - - - - - %s %s", account, l.Interface, account, account, l.Src, l.Dst)
	for _, n := range [...]uint64{uint64(l.SrcPort), uint64(l.DstPort), uint64(l.Proto), l.SrcPackets, l.SrcBytes, uint64(l.Start / second), uint64(l.End / second)} {
		b = strconv.AppendUint(append(b, ' '), n, 10)
	}
	return fmt.Appendf(b, " OK %s 0 %d 0 0 %d %s - - -\n", addressFamily(&l.Record), lostPackets(l), l.SrcFlags, region)
}
