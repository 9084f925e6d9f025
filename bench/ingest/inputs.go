package main

import (
	"encoding/binary"
	"fmt"
	"io"
	"math/rand/v2"
)

// writePcap writes a capture of TCP and UDP conversations with payload.
func writePcap(path string, seed uint64, packets int) error {
	rng := rand.New(rand.NewPCG(seed, 1))
	type talk struct {
		host, peer  uint32
		port, other uint16
		udp         bool
	}
	talks := make([]talk, 4000)
	renew := func(t *talk) {
		*t = talk{0x0a000000 + rng.Uint32N(500), 0x17000000 + rng.Uint32N(30000), uint16(32768 + rng.IntN(28000)), uint16(services[rng.IntN(len(services))]), rng.IntN(5) == 0}
	}
	for i := range talks {
		renew(&talks[i])
	}
	head := binary.LittleEndian.AppendUint32(nil, 0xa1b2c3d4)
	head = append(head, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 0, 1, 0, 0, 0)
	payload := make([]byte, 1500)
	return create(path, false, func(w io.Writer) error {
		if _, err := w.Write(head); err != nil {
			return err
		}
		var b []byte
		for i := range packets {
			t := &talks[rng.IntN(len(talks))]
			if rng.IntN(100) == 0 {
				renew(t)
			}
			out := rng.IntN(2) == 0
			data := rng.IntN(3) * rng.IntN(480)
			transport := 20
			if t.udp {
				transport = 8
			}
			size := 14 + 20 + transport + data
			b = b[:0]
			for _, v := range []uint32{uint32(t0 + i*300/packets), uint32(i % 1_000_000), uint32(size), uint32(size)} {
				b = binary.LittleEndian.AppendUint32(b, v)
			}
			b = append(b, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 8, 0, 0x45, 0)
			b = binary.BigEndian.AppendUint16(b, uint16(size-14))
			proto := byte(6)
			if t.udp {
				proto = 17
			}
			b = append(b, 0, 0, 0x40, 0, 64, proto, 0, 0)
			src, dst, sport, dport := t.host, t.peer, t.port, t.other
			if !out {
				src, dst, sport, dport = dst, src, dport, sport
			}
			b = binary.BigEndian.AppendUint32(b, src)
			b = binary.BigEndian.AppendUint32(b, dst)
			b = binary.BigEndian.AppendUint16(b, sport)
			b = binary.BigEndian.AppendUint16(b, dport)
			if t.udp {
				b = binary.BigEndian.AppendUint16(b, uint16(8+data))
				b = append(b, 0, 0)
			} else {
				b = append(b, 0, 0, 0, 0, 0, 0, 0, 0, 0x50, 0x10, 1, 0, 0, 0, 0, 0)
			}
			b = append(b, payload[:data]...)
			if _, err := w.Write(b); err != nil {
				return err
			}
		}
		return nil
	})
}

// writeJSON writes flows as Zeek's conn log or as Suricata's EVE, one object a line.
func writeJSON(path, kind string, seed uint64, size int) error {
	rng := rand.New(rand.NewPCG(seed, 1))
	ip := func() string { return fmt.Sprintf("10.%d.%d.%d", rng.IntN(4), rng.IntN(256), rng.IntN(256)) }
	return create(path, false, func(w io.Writer) error {
		for n, i := 0, 0; n < size; i++ {
			at := t0 + i/1000
			var m int
			var err error
			switch kind {
			case "zeek-json":
				m, err = fmt.Fprintf(w, `{"ts":%d.%06d,"uid":"Cvf4XX17hSAgXDdGEd","id.orig_h":"%s","id.orig_p":%d,"id.resp_h":"%s","id.resp_p":443,"proto":"tcp","service":"ssl","duration":1.5%05d,"orig_bytes":%d,"resp_bytes":%d,"conn_state":"SF","local_orig":true,"local_resp":false,"missed_bytes":0,"history":"ShADadFf","orig_pkts":%d,"orig_ip_bytes":%d,"resp_pkts":%d,"resp_ip_bytes":%d}`+"\n",
					at, rng.IntN(1e6), ip(), 1024+rng.IntN(60000), ip(), rng.IntN(1e5), rng.IntN(1e4), rng.IntN(1e4), 1+rng.IntN(100), 1e5+rng.IntN(1e5), 1+rng.IntN(100), 1e5+rng.IntN(1e5))
			case "eve":
				clock := fmt.Sprintf("2026-03-03T09:%02d:%02d.%06d+0000", at/60%60, at%60, rng.IntN(1e6))
				m, err = fmt.Fprintf(w, `{"timestamp":"%s","flow_id":%d,"in_iface":"eth0","event_type":"flow","src_ip":"%s","src_port":%d,"dest_ip":"%s","dest_port":443,"proto":"TCP","app_proto":"tls","flow":{"pkts_toserver":%d,"pkts_toclient":%d,"bytes_toserver":%d,"bytes_toclient":%d,"start":"%s","end":"%s","age":0,"state":"closed","reason":"timeout","alerted":false},"tcp":{"tcp_flags":"1b","tcp_flags_ts":"1b","tcp_flags_tc":"1b","syn":true,"fin":true,"psh":true,"ack":true,"state":"closed"}}`+"\n",
					clock, rng.Uint64N(1<<50), ip(), 1024+rng.IntN(60000), ip(), 1+rng.IntN(100), 1+rng.IntN(100), 5000+rng.IntN(1e5), 5000+rng.IntN(1e5), clock, clock)
			}
			if err != nil {
				return err
			}
			n += m
		}
		return nil
	})
}
