package decode

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"net/netip"
	"os"
	"strings"
	"testing"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
	"github.com/gopacket/gopacket/pcapgo"

	"picket"
)

// be writes values in network order: uint8, uint16, uint32, string or bytes.
func be(values ...any) []byte { return pack(binary.BigEndian, values...) }

func pack(order binary.ByteOrder, values ...any) []byte {
	var b bytes.Buffer
	for _, v := range values {
		switch v := v.(type) {
		case string:
			b.WriteString(v)
		case []byte:
			b.Write(v)
		default:
			if err := binary.Write(&b, order, v); err != nil {
				panic(err)
			}
		}
	}
	return b.Bytes()
}

func u8(v int) uint8   { return uint8(v) }
func u16(v int) uint16 { return uint16(v) }
func u32(v int) uint32 { return uint32(v) }

// ipv4 returns a packet from 10.0.0.1 to 10.0.0.2; fragment is the flags and
// offset word.
func ipv4(proto, fragment int, body []byte) []byte {
	return be(u8(0x45), u8(0), u16(20+len(body)), u16(1), u16(fragment), u8(64), u8(proto), u16(0), "\x0a\x00\x00\x01\x0a\x00\x00\x02", body)
}

// ipv6 returns a packet from 2001:db8::1 to 2001:db8::2.
func ipv6(next int, body []byte) []byte {
	addr := "\x20\x01\x0d\xb8" + strings.Repeat("\x00", 11)
	return be(u32(6<<28), u16(len(body)), u8(next), u8(64), addr+"\x01", addr+"\x02", body)
}

func tcp(flags int, payload string) []byte {
	return be(u16(1000), u16(80), u32(0), u32(0), u8(0x50), u8(flags), u16(0), u32(0), payload)
}

func udp(payload string) []byte {
	return be(u16(1000), u16(53), u16(8+len(payload)), u16(0), payload)
}

func ethernet(ether int, body []byte) []byte {
	return be(strings.Repeat("\x02", 12), u16(ether), body)
}

// pcapFile returns a classic capture of packets a second apart.
func pcapFile(order binary.ByteOrder, magic, link uint32, packets ...[]byte) []byte {
	b := pack(order, magic, u16(2), u16(4), u32(0), u32(0), u32(262144), link)
	for i, p := range packets {
		b = append(b, pack(order, u32(1600000000+i), u32(5), u32(len(p)), u32(len(p)), p)...)
	}
	return b
}

func onePacket(t *testing.T, link uint32, packet []byte) (picket.Record, result) {
	t.Helper()
	got := decodeBytes(pcapFile(binary.LittleEndian, 0xa1b2c3d4, link, packet), Options{})
	if got.err != nil || got.stats.Lines != 1 {
		t.Fatalf("%+v", got)
	}
	if len(got.records) == 1 {
		return got.records[0], got
	}
	return picket.Record{}, got
}

func TestPacket(t *testing.T) {
	const all = picket.HasPackets | picket.HasFlags | picket.HasPayload
	v4, v6 := [2]string{"10.0.0.1", "10.0.0.2"}, [2]string{"2001:db8::1", "2001:db8::2"}
	f := func(name string, link uint32, packet []byte, addrs [2]string, want picket.Record) {
		t.Helper()
		got, r := onePacket(t, link, packet)
		want.Source, want.Line, want.SrcPackets = picket.SourcePcap, 1, 1
		want.Start = 1600000000_000005000
		want.End = want.Start
		want.Src, want.Dst = netip.MustParseAddr(addrs[0]), netip.MustParseAddr(addrs[1])
		if got != want {
			t.Errorf("%s: %+v\nwant %+v\n%v", name, got, want, r.stats)
		}
	}
	syn := picket.Record{Proto: 6, SrcPort: 1000, DstPort: 80, SrcBytes: 40, SrcFlags: 2, Opener: picket.OpenerSrc, Has: all}
	data := picket.Record{Proto: 6, SrcPort: 1000, DstPort: 80, SrcBytes: 45, SrcPayload: 5, SrcFlags: 0x18, Has: all}
	dns := picket.Record{Proto: 17, SrcPort: 1000, DstPort: 53, SrcBytes: 33, SrcPayload: 5, Has: picket.HasPackets | picket.HasPayload}
	f("SYN", 1, ethernet(0x0800, ipv4(6, 0, tcp(2, ""))), v4, syn)
	answer := syn
	answer.SrcFlags, answer.Opener = 0x12, picket.OpenerDst
	f("SYN-ACK", 1, ethernet(0x0800, ipv4(6, 0, tcp(0x12, ""))), v4, answer)
	f("data", 1, ethernet(0x0800, ipv4(6, 0, tcp(0x18, "hello"))), v4, data)
	f("padding is not counted", 1, ethernet(0x0800, append(ipv4(6, 0, tcp(0x18, "hello")), 0, 0, 0, 0, 0)), v4, data)
	f("UDP", 1, ethernet(0x0800, ipv4(17, 0, udp("hello"))), v4, dns)
	f("VLAN", 1, ethernet(0x8100, be(u16(7), u16(0x0800), ipv4(17, 0, udp("hello")))), v4, dns)
	f("QinQ", 1, ethernet(0x88a8, be(u16(7), u16(0x8100), u16(8), u16(0x0800), ipv4(17, 0, udp("hello")))), v4, dns)
	for _, link := range []uint32{12, 14, 101, 228} {
		f("raw", link, ipv4(17, 0, udp("hello")), v4, dns)
	}
	f("null", 0, be(u32(2), ipv4(17, 0, udp("hello"))), v4, dns)
	f("cooked", 113, be(u16(0), u16(1), u16(6), "\x02\x02\x02\x02\x02\x02\x00\x00", u16(0x0800), ipv4(17, 0, udp("hello"))), v4, dns)
	f("cooked 2", 276, be(u16(0x0800), strings.Repeat("\x00", 18), ipv4(17, 0, udp("hello"))), v4, dns)

	dns6 := dns
	dns6.SrcBytes = 53
	f("IPv6", 1, ethernet(0x86dd, ipv6(17, udp("hello"))), v6, dns6)
	f("raw IPv6", 101, ipv6(17, udp("hello")), v6, dns6)
	extended := dns
	extended.SrcBytes = 53 + 8 + 16 + 8
	f("extension headers", 1, ethernet(0x86dd, ipv6(0, be(u8(60), u8(0), "\x00\x00\x00\x00\x00\x00", u8(43), u8(1), strings.Repeat("\x00", 14), u8(17), u8(0), "\x00\x00\x00\x00\x00\x00", udp("hello")))), v6, extended)

	authenticated := dns
	authenticated.SrcBytes = 53 + 24
	f("authentication header", 1, ethernet(0x86dd, ipv6(51, be(u8(17), u8(4), strings.Repeat("\x00", 22), udp("hello")))), v6, authenticated)

	first := dns
	first.Fragment = true
	f("first fragment", 1, ethernet(0x0800, ipv4(17, 0x2000, udp("hello"))), v4, first)
	f("later fragment", 1, ethernet(0x0800, ipv4(17, 0x00b9, udp("hello"))), v4,
		picket.Record{Proto: 17, SrcBytes: 33, SrcPayload: 13, Fragment: true, Has: picket.HasPackets | picket.HasPayload})
	first6 := dns6
	first6.SrcBytes, first6.Fragment = 61, true
	f("first IPv6 fragment", 1, ethernet(0x86dd, ipv6(44, be(u8(17), u8(0), u16(1), u32(9), udp("hello")))), v6, first6)
	f("later IPv6 fragment", 1, ethernet(0x86dd, ipv6(44, be(u8(17), u8(0), u16(185<<3), u32(9), udp("hello")))), v6,
		picket.Record{Proto: 17, SrcBytes: 61, SrcPayload: 13, Fragment: true, Has: picket.HasPackets | picket.HasPayload})
	whole6 := first6
	whole6.Fragment = false
	f("an IPv6 fragment that is whole", 1, ethernet(0x86dd, ipv6(44, be(u8(17), u8(0), u16(0), u32(9), udp("hello")))), v6, whole6)

	icmp := picket.Record{Proto: 1, SrcBytes: 32, SrcPayload: 4, Has: picket.HasPackets | picket.HasPayload, Opener: picket.OpenerSrc}
	f("echo request", 1, ethernet(0x0800, ipv4(1, 0, be(u8(8), u8(0), u16(0), u32(1), "ping"))), v4, icmp)
	icmp.Opener = picket.OpenerDst
	f("echo reply", 1, ethernet(0x0800, ipv4(1, 0, be(u8(0), u8(0), u16(0), u32(1), "ping"))), v4, icmp)
	icmp.Opener = picket.OpenerUnknown
	f("unreachable", 1, ethernet(0x0800, ipv4(1, 0, be(u8(3), u8(3), u16(0), u32(1), "ping"))), v4, icmp)
	icmp.Proto, icmp.SrcBytes, icmp.Opener = 58, 52, picket.OpenerSrc
	f("echo request 6", 1, ethernet(0x86dd, ipv6(58, be(u8(128), u8(0), u16(0), u32(1), "ping"))), v6, icmp)

	offload := data // the card fills in the length of a large segment
	offloaded := ipv4(6, 0, tcp(0x18, "hello"))
	offloaded[2], offloaded[3] = 0, 0
	f("length left to the card", 1, ethernet(0x0800, offloaded), v4, offload)
}

// Sizes come from headers: a snap length changes none of them.
func TestSnapLength(t *testing.T) {
	whole := ethernet(0x0800, ipv4(6, 0, tcp(0x18, strings.Repeat("x", 1000))))
	want, _ := onePacket(t, 1, whole)
	for _, snap := range []int{54, 60, 96, len(whole)} {
		file := pcapFile(binary.LittleEndian, 0xa1b2c3d4, 1, whole[:snap])
		binary.LittleEndian.PutUint32(file[24+12:], uint32(len(whole)))
		if got := decodeBytes(file, Options{}); len(got.records) != 1 || got.records[0] != want {
			t.Errorf("snap length %d: %+v\nwant %+v", snap, got.records, want)
		}
	}
	got, _ := onePacket(t, 1, whole[:14+20+4]) // ports, no flags
	if got.SrcPort != 1000 || got.SrcBytes != 1040 || got.Has != picket.HasPackets {
		t.Errorf("cut after the ports: %+v", got)
	}
}

func TestBadPackets(t *testing.T) {
	f := func(name string, packet []byte, reason string) {
		t.Helper()
		if _, got := onePacket(t, 1, packet); got.stats.Dropped[reason] != 1 || (len(got.rejects) == 1) == (reason == "not ip") {
			t.Errorf("%s: %+v", name, got)
		}
	}
	f("ARP", ethernet(0x0806, make([]byte, 28)), "not ip")
	f("spanning tree", ethernet(38, make([]byte, 38)), "not ip")
	f("empty", nil, "packet cut before its addresses")
	f("cut", ethernet(0x0800, ipv4(6, 0, nil))[:30], "packet cut before its addresses")
	f("cut in a tag", ethernet(0x8100, []byte{0, 1}), "packet cut before its addresses")
	f("version", ethernet(0x86dd, append(ipv4(6, 0, tcp(2, "")), make([]byte, 20)...)), "malformed packet")
	short := ipv4(6, 0, tcp(2, ""))
	short[3] = 10
	f("length", ethernet(0x0800, short), "malformed packet")
	f("extension longer than the packet", ethernet(0x86dd, ipv6(0, be(u8(17), u8(200), "\x00\x00\x00\x00\x00\x00"))), "malformed packet")
}

func TestPcapHeaders(t *testing.T) {
	packet := ethernet(0x0800, ipv4(6, 0, tcp(2, "")))
	f := func(order binary.ByteOrder, magic uint32, start int64) {
		t.Helper()
		got := decodeBytes(pcapFile(order, magic, 1, packet, packet), Options{})
		if got.err != nil || len(got.records) != 2 || got.records[0].Start != start || got.records[1].Line != 2 {
			t.Errorf("%v %x: %+v", order, magic, got)
		}
	}
	f(binary.LittleEndian, 0xa1b2c3d4, 1600000000_000005000)
	f(binary.BigEndian, 0xa1b2c3d4, 1600000000_000005000)
	f(binary.LittleEndian, 0xa1b23c4d, 1600000000_000000005)
	f(binary.BigEndian, 0xa1b23c4d, 1600000000_000000005)

	wantError(t, decodeBytes(pcapFile(binary.LittleEndian, 0xa1b2c3d4, 105), Options{}).err, "link type not read")
	file := pcapFile(binary.LittleEndian, 0xa1b2c3d4, 1, packet, packet)
	got := decodeBytes(file[:len(file)-1], Options{})
	if e := wantError(t, got.err, "cut short"); len(got.records) != 1 || e.Offset != int64(len(file)-1) {
		t.Errorf("%+v, %d records", e, len(got.records))
	}
	got = decodeBytes(file[:len(file)-len(packet)], Options{}) // cut between a packet's header and its bytes
	if wantError(t, got.err, "cut short"); len(got.records) != 1 {
		t.Errorf("%d records", len(got.records))
	}
	binary.LittleEndian.PutUint32(file[24+8:], 1<<20)
	wantError(t, decodeBytes(file, Options{}).err, "damaged capture")
}

// block returns one pcapng block.
func block(order binary.ByteOrder, kind int, body []byte) []byte {
	body = append(body, make([]byte, -len(body)&3)...)
	return pack(order, u32(kind), u32(len(body)+12), body, u32(len(body)+12))
}

func section(order binary.ByteOrder) []byte {
	return block(order, 0x0a0d0d0a, pack(order, u32(0x1a2b3c4d), u16(1), u16(0), uint64(math.MaxUint64)))
}

// describe returns an interface description with options of code, value.
func describe(order binary.ByteOrder, link int, options ...any) []byte {
	body := pack(order, u16(link), u16(0), u32(0))
	for i := 0; i < len(options); i += 2 {
		value := pack(order, options[i+1])
		body = append(body, pack(order, u16(options[i].(int)), u16(len(value)), value, make([]byte, -len(value)&3))...)
	}
	return block(order, 1, append(body, 0, 0, 0, 0))
}

func enhanced(order binary.ByteOrder, number int, ticks uint64, packet []byte) []byte {
	return block(order, 6, pack(order, u32(number), uint32(ticks>>32), uint32(ticks), u32(len(packet)), u32(len(packet)), packet))
}

func TestPcapng(t *testing.T) {
	packet := ethernet(0x0800, ipv4(6, 0, tcp(2, "")))
	raw := ipv4(6, 0, tcp(2, ""))
	const second = uint64(1600000000)
	f := func(name string, want string, blocks ...[]byte) {
		t.Helper()
		got := decodeBytes(bytes.Join(blocks, nil), Options{})
		var s []string
		for _, r := range got.records {
			s = append(s, fmt.Sprintf("%d %s@%d", r.Line, r.Interface, r.Start))
		}
		for _, r := range got.rejects {
			s = append(s, r.Reason)
		}
		if text := strings.Join(s, ", "); text != want || got.err != nil || got.stats.Format != "pcapng" {
			t.Errorf("%s: %s, want %s, error %v", name, text, want, got.err)
		}
	}
	for _, o := range []binary.ByteOrder{binary.LittleEndian, binary.BigEndian} {
		f("one interface", "1 @1600000000000001000", section(o), describe(o, 1, 2, "eth0"), enhanced(o, 0, second*1e6+1, packet))
		f("two interfaces", "1 eth0@1600000000000000000, 2 1@1600000000000000000", section(o), describe(o, 1, 2, "eth0"), describe(o, 101),
			enhanced(o, 0, second*1e6, packet), enhanced(o, 1, second*1e6, raw))
		f("nanoseconds", "1 @1600000000000000001", section(o), describe(o, 1, 9, "\x09"), enhanced(o, 0, second*1e9+1, packet))
		f("binary fractions", "1 @1600000000500000000", section(o), describe(o, 1, 9, "\x8a"), enhanced(o, 0, second<<10+512, packet))
		f("offset", "1 @1600000000000000000", section(o), describe(o, 1, 9, "\x00", 14, uint64(second-7)), enhanced(o, 0, 7, packet))
		f("obsolete block", "1 @1600000000000000000", section(o), describe(o, 1),
			block(o, 2, pack(o, u16(0), u16(9), uint32(second*1e6>>32), uint32(second*1e6&0xffffffff), u32(len(packet)), u32(len(packet)), packet)))
		f("simple block", "packet without a time", section(o), describe(o, 1), block(o, 3, pack(o, u32(len(packet)), packet)))
		f("unknown blocks", "1 @1600000000000000000", section(o), block(o, 0xbad, make([]byte, 3<<20)), describe(o, 1), block(o, 5, nil), enhanced(o, 0, second*1e6, packet))
		f("undefined interface", "packet of an undefined interface", section(o), describe(o, 1), enhanced(o, 1, second*1e6, packet))
		f("other link types", "2 1@1600000000000000000, link type not read", section(o), describe(o, 105), describe(o, 1), enhanced(o, 0, second*1e6, packet), enhanced(o, 1, second*1e6, packet))
		f("too long", "packet longer than 1 MiB", section(o), describe(o, 1), enhanced(o, 0, second*1e6, make([]byte, 2<<20)))
	}
	l, b := binary.LittleEndian, binary.BigEndian
	f("sections of both orders", "1 @1600000000000000000, 2 @1600000001000000000",
		section(l), describe(l, 1), enhanced(l, 0, second*1e6, packet), section(b), describe(b, 101), enhanced(b, 0, (second+1)*1e6, raw))
	f("a section forgets interfaces", "packet of an undefined interface", section(l), describe(l, 1), section(b), enhanced(b, 0, second*1e6, packet))
	f("absurd times", "time out of range, time out of range", section(l), describe(l, 1), describe(l, 1, 9, "\x00"), enhanced(l, 0, math.MaxUint64, packet), enhanced(l, 1, math.MaxUint64, packet))

	whole := bytes.Join([][]byte{section(l), describe(l, 1), enhanced(l, 0, second*1e6, packet), enhanced(l, 0, second*1e6, packet)}, nil)
	got := decodeBytes(whole[:len(whole)-4], Options{})
	if wantError(t, got.err, "cut short"); len(got.records) != 1 {
		t.Errorf("%d records", len(got.records))
	}
	whole[len(whole)-4]++
	wantError(t, decodeBytes(whole, Options{}).err, "damaged capture")
	wantError(t, decodeBytes(append(section(l), 1, 0, 0, 0, 13, 0, 0, 0, 0, 0, 0, 0), Options{}).err, "damaged capture")
}

// Another reader sees the same packets in the captures under testdata.
func TestGopacketAgrees(t *testing.T) {
	files := 0
	for _, file := range goldenFiles(t) {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var r interface {
			gopacket.PacketDataSource
			LinkType() layers.LinkType
		}
		switch {
		case strings.HasSuffix(file, ".pcap"):
			r, err = pcapgo.NewReader(bytes.NewReader(data))
		case strings.HasSuffix(file, ".pcapng"):
			r, err = pcapgo.NewNgReader(bytes.NewReader(data), pcapgo.DefaultNgReaderOptions)
		default:
			continue
		}
		if err != nil {
			t.Fatal(file, err)
		}
		files++
		got := decodeBytes(data, Options{}).records
		for number := uint64(1); ; number++ {
			b, info, err := r.ReadPacketData()
			if err == io.EOF {
				break
			}
			if err != nil {
				t.Fatal(file, err)
			}
			want := gopacketRecord(gopacket.NewPacket(b, r.LinkType(), gopacket.Default))
			if want == "" {
				continue
			}
			want = fmt.Sprintf("%d %d %s", number, info.Timestamp.UnixNano(), want)
			if len(got) == 0 || describeRecord(&got[0]) != want {
				t.Fatalf("%s packet %d: %s, want %s", file, number, describeRecord(&got[0]), want)
			}
			got = got[1:]
		}
		if len(got) != 0 {
			t.Errorf("%s: %d packets more", file, len(got))
		}
	}
	if files < 6 {
		t.Errorf("%d captures", files)
	}
}

func describeRecord(r *picket.Record) string {
	return fmt.Sprintf("%d %d %s:%d %s:%d %d %d %05b", r.Line, r.Start, r.Src, r.SrcPort, r.Dst, r.DstPort, r.Proto, r.SrcBytes, r.SrcFlags&31)
}

// gopacketRecord writes a packet as describeRecord does, from its addresses on;
// "" if it is not IP.
func gopacketRecord(p gopacket.Packet) string {
	var src, dst, proto, size, sport, dport, flags any = "", "", 0, 0, 0, 0, 0
	transport := p.TransportLayer()
	switch ip := p.NetworkLayer().(type) {
	case *layers.IPv4:
		src, dst, proto, size = ip.SrcIP, ip.DstIP, int(ip.Protocol), ip.Length
		if ip.Flags&layers.IPv4MoreFragments != 0 && ip.FragOffset == 0 { // left alone by gopacket
			transport = gopacket.NewPacket(ip.Payload, ip.Protocol.LayerType(), gopacket.Default).TransportLayer()
		}
	case *layers.IPv6:
		src, dst, proto, size = ip.SrcIP, ip.DstIP, int(ip.NextHeader), ip.Length+40
	default:
		return ""
	}
	switch l := transport.(type) {
	case *layers.TCP:
		sport, dport = int(l.SrcPort), int(l.DstPort)
		for i, set := range []bool{l.FIN, l.SYN, l.RST, l.PSH, l.ACK} {
			if set {
				flags = flags.(int) | 1<<i
			}
		}
	case *layers.UDP:
		sport, dport = int(l.SrcPort), int(l.DstPort)
	}
	return fmt.Sprintf("%s:%d %s:%d %d %d %05b", src, sport, dst, dport, proto, size, flags)
}
