package main

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
	"net/netip"
	"os"
)

// packet is what of a captured packet decides whether it is kept.
type packet struct {
	seconds  float64    // Unix
	src, dst netip.Addr // zero where it is not IPv4
}

func (p packet) between(a, b netip.Addr) bool {
	return p.src == a && p.dst == b || p.src == b && p.dst == a
}

func (p packet) names(a netip.Addr) bool { return p.src == a || p.dst == a }

// eachPacket calls visit with every packet of a classic pcap file of Ethernet, and
// with its bytes, record header included.
func eachPacket(path string, visit func(p packet, raw []byte) error) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	in := bufio.NewReaderSize(f, 1<<20)
	var head [24]byte
	if _, err := io.ReadFull(in, head[:]); err != nil || binary.LittleEndian.Uint32(head[:]) != 0xa1b2c3d4 {
		return fmt.Errorf("%s is no little-endian pcap file (%v)", path, err)
	}
	for {
		raw := make([]byte, 16)
		if _, err := io.ReadFull(in, raw); err == io.EOF {
			return nil
		} else if err != nil {
			return err
		}
		raw = append(raw, make([]byte, min(binary.LittleEndian.Uint32(raw[8:]), 1<<18))...)
		if _, err := io.ReadFull(in, raw[16:]); err != nil {
			return err
		}
		if err := visit(parsePacket(raw), raw); err != nil {
			return err
		}
	}
}

func parsePacket(raw []byte) packet {
	p := packet{seconds: float64(binary.LittleEndian.Uint32(raw)) + float64(binary.LittleEndian.Uint32(raw[4:]))/1e6}
	if frame := raw[16:]; len(frame) >= 34 && binary.BigEndian.Uint16(frame[12:]) == 0x0800 {
		p.src, p.dst = netip.AddrFrom4([4]byte(frame[26:30])), netip.AddrFrom4([4]byte(frame[30:34]))
	}
	return p
}

// cutCapture copies the packets that keep wants to another file.
func cutCapture(from, to string, keep func(packet) bool) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	var head [24]byte
	_, err = io.ReadFull(in, head[:])
	in.Close()
	if err != nil {
		return err
	}
	f, err := os.Create(to)
	if err != nil {
		return err
	}
	out := bufio.NewWriter(f)
	out.Write(head[:])
	err = eachPacket(from, func(p packet, raw []byte) error {
		if !keep(p) {
			return nil
		}
		_, err := out.Write(raw)
		return err
	})
	if err := out.Flush(); err != nil {
		return err
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	return err
}
