// Command peer reads a capture with gopacket's DecodingLayerParser into a table of
// flows by the minute: counts, bytes, flags, first and last time of each direction.
// It is a module of its own, so that Picket does not depend on gopacket.
package main

import (
	"fmt"
	"io"
	"net/netip"
	"os"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
	"github.com/gopacket/gopacket/pcapgo"
)

type key struct {
	a, b   netip.Addr
	pa, pb uint16
	proto  uint8
	minute int64
}

type flow struct {
	packets, bytes, payload [2]uint64
	squares                 [2]float64
	flags                   [2]uint8
	first, last             int64
}

func main() {
	if err := run(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	r, err := pcapgo.NewReader(f)
	if err != nil {
		return err
	}
	var eth layers.Ethernet
	var ip4 layers.IPv4
	var ip6 layers.IPv6
	var tcp layers.TCP
	var udp layers.UDP
	parser := gopacket.NewDecodingLayerParser(layers.LayerTypeEthernet, &eth, &ip4, &ip6, &tcp, &udp)
	parser.IgnoreUnsupported = true
	var decoded []gopacket.LayerType
	flows := map[key]*flow{}
	var packets, bytes uint64
	for {
		data, info, err := r.ZeroCopyReadPacketData()
		if err == io.EOF {
			break
		}
		if err != nil {
			return err
		}
		if err := parser.DecodeLayers(data, &decoded); err != nil {
			continue
		}
		var k key
		var size, payload int
		var flags uint8
		for _, t := range decoded {
			switch t {
			case layers.LayerTypeIPv4:
				k.a, _ = netip.AddrFromSlice(ip4.SrcIP)
				k.b, _ = netip.AddrFromSlice(ip4.DstIP)
				k.proto, size = uint8(ip4.Protocol), int(ip4.Length)
			case layers.LayerTypeIPv6:
				k.a, _ = netip.AddrFromSlice(ip6.SrcIP)
				k.b, _ = netip.AddrFromSlice(ip6.DstIP)
				k.proto, size = uint8(ip6.NextHeader), int(ip6.Length)+40
			case layers.LayerTypeTCP:
				k.pa, k.pb, payload = uint16(tcp.SrcPort), uint16(tcp.DstPort), len(tcp.Payload)
				flags = flagsOf(&tcp)
			case layers.LayerTypeUDP:
				k.pa, k.pb, payload = uint16(udp.SrcPort), uint16(udp.DstPort), len(udp.Payload)
			}
		}
		at := info.Timestamp.UnixNano()
		k.minute = at / 60e9
		side := 0
		if c := k.a.Compare(k.b); c > 0 || c == 0 && k.pa > k.pb {
			k.a, k.b, k.pa, k.pb, side = k.b, k.a, k.pb, k.pa, 1
		}
		v := flows[k]
		if v == nil {
			v = &flow{first: at}
			flows[k] = v
		}
		v.packets[side]++
		v.bytes[side] += uint64(size)
		v.payload[side] += uint64(payload)
		v.squares[side] += float64(size) * float64(size)
		v.flags[side] |= flags
		v.last = at
		packets++
		bytes += uint64(size)
	}
	conversations := map[key]bool{}
	for k := range flows {
		k.minute = 0
		conversations[k] = true
	}
	fmt.Println(packets, bytes, len(conversations))
	return nil
}

func flagsOf(t *layers.TCP) (flags uint8) {
	for i, set := range []bool{t.FIN, t.SYN, t.RST, t.PSH, t.ACK, t.URG, t.ECE, t.CWR} {
		if set {
			flags |= 1 << i
		}
	}
	return flags
}
