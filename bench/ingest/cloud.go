package main

import (
	"bufio"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"

	"github.com/klauspost/compress/gzip"
)

// t0 is the hour that all inputs stand in: 2026-03-03 09:00 UTC.
const t0 = 1772528400

// cloud makes VPC flow logs of a network of a thousand hosts, minute by minute: most
// conversations with some outside peers or among each other, each direction a record
// at each of its interfaces, a scan, a password guesser, a flood of spoofed sources.
// The same seed gives the same bytes.
type cloud struct {
	rng   *rand.Rand
	hosts int
	peers []string
	draw  []float64 // cumulated popularity of peers
	flood int       // sources a minute while it lasts; 0 is none
	lines int
	out   io.Writer
	buf   []byte
}

func newCloud(seed uint64, hosts, flood int, out io.Writer) *cloud {
	c := &cloud{rng: rand.New(rand.NewPCG(seed, 1)), hosts: hosts, flood: flood, out: out}
	total := 0.0
	for i := range 30_000 {
		b := uint32(0x17000000) + c.rng.Uint32N(0x40000000)
		c.peers = append(c.peers, netip.AddrFrom4([4]byte{byte(b >> 24), byte(b >> 16), byte(b >> 8), byte(b)}).String())
		total += math.Pow(float64(i+1), -0.9)
		c.draw = append(c.draw, total)
	}
	return c
}

func (c *cloud) peer() string {
	x := c.rng.Float64() * c.draw[len(c.draw)-1]
	lo, hi := 0, len(c.draw)-1
	for lo < hi {
		if mid := (lo + hi) / 2; c.draw[mid] < x {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	return c.peers[lo]
}

func (c *cloud) host() int { return c.rng.IntN(c.hosts) }

func (c *cloud) address(host int) string {
	return "10.0." + strconv.Itoa(host/250) + "." + strconv.Itoa(1+host%250)
}

// flow is one direction of a conversation in one capture window.
type flow struct {
	host                  int // whose interface
	src, dst              string
	sport, dport          int
	proto                 int
	packets, bytes        int
	start, length, reject int
}

func (c *cloud) write(f *flow) error {
	b := append(c.buf[:0], "2 123456789010 eni-"...)
	b = append(b, fmt.Sprintf("%017x", 0xabcdef0000000+f.host)...)
	for _, s := range []string{f.src, f.dst} {
		b = append(append(b, ' '), s...)
	}
	for _, n := range []int{f.sport, f.dport, f.proto, f.packets, f.bytes, f.start, f.start + f.length} {
		b = strconv.AppendInt(append(b, ' '), int64(n), 10)
	}
	if f.reject == 1 {
		b = append(b, " REJECT OK\n"...)
	} else {
		b = append(b, " ACCEPT OK\n"...)
	}
	c.buf = b
	c.lines++
	_, err := c.out.Write(b)
	return err
}

// minute writes about n lines of a minute.
func (c *cloud) minute(m, n int) error {
	until := c.lines + n
	if c.flood > 0 && m >= 12 && m < 17 {
		if err := c.attack(m); err != nil {
			return err
		}
	}
	for i := range 400 * n / 100_000 { // a scan
		f := flow{host: c.host(), src: "203.0.113.5", sport: 40000 + i%100, dport: 1 + c.rng.IntN(65000), proto: 6, packets: 1, bytes: 44,
			start: t0 + 60*m + c.rng.IntN(50), length: 5, reject: 1}
		f.dst = c.address(f.host)
		if err := c.write(&f); err != nil {
			return err
		}
	}
	for c.lines < until {
		if err := c.conversation(m); err != nil {
			return err
		}
	}
	return nil
}

// attack writes a flood's minute. Sources are seldom the same.
func (c *cloud) attack(m int) error {
	for range c.flood {
		ip := c.rng.Uint32()>>8 + 0x60000000
		f := flow{host: 9, dst: c.address(9), sport: 1024 + c.rng.IntN(60000), dport: 443, proto: 6, packets: 1 + c.rng.IntN(3),
			start: t0 + 60*m + c.rng.IntN(50), length: c.rng.IntN(9)}
		f.src = netip.AddrFrom4([4]byte{byte(ip >> 24), byte(ip >> 16), byte(ip >> 8), byte(ip)}).String()
		f.bytes = 40 * f.packets
		if err := c.write(&f); err != nil {
			return err
		}
	}
	return nil
}

var services = []int{443, 443, 443, 443, 80, 53, 53, 22, 3306, 5432, 6379, 8080, 9092, 25, 389}

// conversation writes both directions of one in a capture window, at one or two
// interfaces. It may last for more windows.
func (c *cloud) conversation(m int) error {
	client, server := c.host(), -1
	f := flow{src: c.address(client), sport: 32768 + c.rng.IntN(28000), dport: services[c.rng.IntN(len(services))], proto: 6}
	switch kind := c.rng.IntN(100); {
	case kind < 45: // outwards
		f.dst = c.peer()
	case kind < 60: // from outside
		client, server = -1, c.host()
		f.src, f.dst = c.peer(), c.address(server)
	default:
		server = (client + 1 + c.rng.IntN(c.hosts-1)) % c.hosts
		f.dst = c.address(server)
	}
	switch {
	case f.dport == 53:
		f.proto = 17
	case c.rng.IntN(50) == 0:
		f.proto, f.sport, f.dport = 1, 0, 0
	}
	for more := true; more && m < 60; m++ {
		f.start, f.length = t0+60*m+c.rng.IntN(60), c.rng.IntN(58)
		f.packets = 1 + int(c.rng.ExpFloat64()*c.rng.ExpFloat64()*20)
		f.bytes = f.packets * (44 + c.rng.IntN(700))
		back := f
		back.src, back.dst, back.sport, back.dport = f.dst, f.src, f.dport, f.sport
		back.start, back.length = f.start+1, max(0, f.length-1)
		back.packets = 1 + f.packets*(50+c.rng.IntN(100))/100
		back.bytes = back.packets * (44 + c.rng.IntN(1400))
		if f.reject = 0; server >= 0 && client < 0 && c.rng.IntN(20) == 0 {
			f.reject, back.packets, f.packets, f.bytes = 1, 0, 1, 44
		}
		for _, host := range []int{client, server} {
			if host < 0 {
				continue
			}
			f.host, back.host = host, host
			if err := c.write(&f); err != nil {
				return err
			}
			if back.packets > 0 {
				if err := c.write(&back); err != nil {
					return err
				}
			}
		}
		more = f.proto == 6 && c.rng.IntN(4) == 0
	}
	return nil
}

const vpcHeader = "version account-id interface-id srcaddr dstaddr srcport dstport protocol packets bytes start end action log-status\n"

// writeCloud writes files of about lines lines together, plain or as gzip.
func writeCloud(dir string, seed uint64, lines, files, flood int, zip bool) error {
	c := newCloud(seed, 1500, flood, nil)
	const minutes = 24
	for i := range files {
		name := fmt.Sprintf("vpc-%02d.log", i)
		if zip {
			name += ".gz"
		}
		err := create(filepath.Join(dir, name), zip, func(w io.Writer) error {
			c.out = w
			if _, err := io.WriteString(w, vpcHeader); err != nil {
				return err
			}
			for m := i * minutes / files; m < (i+1)*minutes/files; m++ {
				if err := c.minute(m, lines/minutes); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// create writes a file, as gzip if asked.
func create(path string, zip bool, write func(io.Writer) error) error {
	file, err := os.Create(path)
	if err != nil {
		return err
	}
	defer file.Close()
	b := bufio.NewWriterSize(file, 1<<20)
	var w io.Writer = b
	if zip {
		z := gzip.NewWriter(b)
		defer func() { z.Close(); b.Flush() }()
		w = z
	}
	if err := write(w); err != nil {
		return err
	}
	return b.Flush()
}

// feedCloud writes one log of about size bytes, hour after hour.
func feedCloud(w io.Writer, seed uint64, size int64) error {
	out := &counted{w: bufio.NewWriterSize(w, 1<<20)}
	if _, err := io.WriteString(out, vpcHeader); err != nil {
		return err
	}
	c := newCloud(seed, 1500, 0, out)
	for m := 0; out.n < size; m = (m + 1) % 60 {
		if err := c.minute(m, 20_000); err != nil {
			return err
		}
	}
	return out.w.Flush()
}

type counted struct {
	w *bufio.Writer
	n int64
}

func (c *counted) Write(b []byte) (int, error) {
	c.n += int64(len(b))
	return c.w.Write(b)
}
