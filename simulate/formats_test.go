package simulate

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"encoding/csv"
	"encoding/json"
	"io"
	"net/netip"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/gzip"

	"picket"
)

// sums is what a log speaks of in all.
type sums struct{ records, packets, bytes uint64 }

// truthOf sums conversations as a view should see them: seen says how often.
func truthOf(t *testing.T, s *Script, seen func(*Conversation) uint64) sums {
	all, _ := run(t, s)
	var sum sums
	for _, c := range all {
		n := seen(c)
		sum.records += min(n, 1)
		sum.packets += n * (c.Out.Packets + c.In.Packets)
		sum.bytes += n * (c.Out.Bytes + c.In.Bytes)
	}
	return sum
}

// interfaces is at how many interfaces a flow log sees a conversation.
func interfaces(t *testing.T, s *Script) func(*Conversation) uint64 {
	net, err := newNetwork(s.Network, s.Seed)
	if err != nil {
		t.Fatal(err)
	}
	return func(c *Conversation) (n uint64) {
		if c.Hidden {
			return 0
		}
		for _, a := range []netip.Addr{c.Src, c.Dst} {
			if net.byAddr[a] != nil {
				n++
			}
		}
		return n
	}
}

func once1(*Conversation) uint64 { return 1 }

// What is in the files is what the conversations sum to, in every format, and
// what Records gives.
func TestFilesHoldEverything(t *testing.T) {
	f := func(format string, want sums, read func(*testing.T, *object) sums) {
		t.Helper()
		s := parse(t, small)
		objects, summary := written(t, s, format)
		var got sums
		for name, o := range objects {
			if name == "labels.csv" {
				continue
			}
			part := read(t, o)
			got.records, got.packets, got.bytes = got.records+part.records, got.packets+part.packets, got.bytes+part.bytes
		}
		if got.packets != want.packets || got.bytes != want.bytes {
			t.Errorf("%s: files hold %+v, the conversations %+v", format, got, want)
		}
		if said := (sums{summary.Records, summary.Packets, summary.Bytes}); said != got {
			t.Errorf("%s: the summary says %+v, files hold %+v", format, said, got)
		}
		var again sums
		_, err := Records(context.Background(), s, format, func(r *picket.Record) error {
			again.records++
			again.packets += r.SrcPackets + r.DstPackets
			again.bytes += r.SrcBytes + r.DstBytes
			return nil
		})
		if err != nil || again != got {
			t.Errorf("%s: Records gives %+v (%v), files hold %+v", format, again, err, got)
		}
	}
	s := parse(t, small)
	flows, conns := truthOf(t, s, interfaces(t, s)), truthOf(t, s, once1)
	for _, format := range []string{"vpc", "vpc600", "vpc5", "vpc5-600"} {
		f(format, flows, readFlows)
	}
	f("zeek", conns, readConns)
	f("zeek-json", conns, readConnsJSON)
	f("pcap", conns, readPcap)
	f("pcapng", conns, readPcapng)
}

func lines(t *testing.T, o *object, each func(string)) {
	t.Helper()
	zip, err := gzip.NewReader(bytes.NewReader(o.Bytes()))
	if err != nil {
		t.Fatal(err)
	}
	in := bufio.NewScanner(zip)
	for in.Scan() {
		each(in.Text())
	}
	if in.Err() != nil {
		t.Fatal(in.Err())
	}
}

func number(t *testing.T, word string) uint64 {
	t.Helper()
	n, err := strconv.ParseUint(word, 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func readFlows(t *testing.T, o *object) (sum sums) {
	columns := 0
	lines(t, o, func(line string) {
		words := strings.Fields(line)
		if columns == 0 {
			if columns = len(words); words[8] != "packets" || words[9] != "bytes" {
				t.Fatalf("header %q", line)
			}
			return
		}
		if len(words) != columns {
			t.Fatalf("%d columns under a header of %d: %s", len(words), columns, line)
		}
		sum.records++
		sum.packets += number(t, words[8])
		sum.bytes += number(t, words[9])
	})
	return sum
}

func readConns(t *testing.T, o *object) (sum sums) {
	at := map[string]int{}
	closed := false
	lines(t, o, func(line string) {
		words := strings.Split(line, "\t")
		switch {
		case words[0] == "#fields":
			for i, name := range words[1:] {
				at[name] = i
			}
		case words[0] == "#close":
			closed = true
		case line[0] != '#':
			sum.records++
			sum.packets += number(t, words[at["orig_pkts"]]) + number(t, words[at["resp_pkts"]])
			sum.bytes += number(t, words[at["orig_ip_bytes"]]) + number(t, words[at["resp_ip_bytes"]])
		}
	})
	if !closed {
		t.Error("a log without #close")
	}
	return sum
}

func readConnsJSON(t *testing.T, o *object) (sum sums) {
	lines(t, o, func(line string) {
		var v struct {
			A uint64 `json:"orig_pkts"`
			B uint64 `json:"resp_pkts"`
			C uint64 `json:"orig_ip_bytes"`
			D uint64 `json:"resp_ip_bytes"`
		}
		if err := json.Unmarshal([]byte(line), &v); err != nil {
			t.Fatal(err)
		}
		sum.records++
		sum.packets += v.A + v.B
		sum.bytes += v.C + v.D
	})
	return sum
}

func readPcap(t *testing.T, o *object) (sum sums) {
	b := o.Bytes()
	if binary.LittleEndian.Uint32(b) != 0xa1b2c3d4 {
		t.Fatal("no pcap")
	}
	for b = b[24:]; len(b) > 0; {
		kept, wire := binary.LittleEndian.Uint32(b[8:]), binary.LittleEndian.Uint32(b[12:])
		checkFrame(t, b[16:16+kept], int(wire))
		sum.records, sum.packets, sum.bytes = sum.records+1, sum.packets+1, sum.bytes+uint64(wire)-14
		b = b[16+kept:]
	}
	return sum
}

func readPcapng(t *testing.T, o *object) (sum sums) {
	for b := o.Bytes(); len(b) > 0; {
		kind, size := binary.LittleEndian.Uint32(b), binary.LittleEndian.Uint32(b[4:])
		if size%4 != 0 || binary.LittleEndian.Uint32(b[size-4:]) != size {
			t.Fatalf("block of %d bytes ends with another size", size)
		}
		if kind == 6 {
			kept, wire := binary.LittleEndian.Uint32(b[20:]), binary.LittleEndian.Uint32(b[24:])
			checkFrame(t, b[28:28+kept], int(wire))
			sum.records, sum.packets, sum.bytes = sum.records+1, sum.packets+1, sum.bytes+uint64(wire)-14
		}
		b = b[size:]
	}
	return sum
}

// checkFrame wants an IP packet of the size that the capture says, and right
// checksums where all of the packet's header is there.
func checkFrame(t *testing.T, b []byte, wire int) {
	t.Helper()
	if len(b) > wire || len(b) < min(wire, 34) {
		t.Fatalf("%d bytes kept of %d", len(b), wire)
	}
	if b[12] == 0x86 {
		if got := int(binary.BigEndian.Uint16(b[18:])) + 40 + 14; got != wire {
			t.Fatalf("IPv6 says %d bytes, the capture %d", got, wire)
		}
		return
	}
	if got := int(binary.BigEndian.Uint16(b[16:])) + 14; got != wire {
		t.Fatalf("IPv4 says %d bytes, the capture %d", got, wire)
	}
	if fold(sum(0, b[14:34])) != 0xffff {
		t.Fatal("wrong IPv4 header checksum")
	}
	fragment := binary.BigEndian.Uint16(b[20:])&0x3fff != 0
	if b[23] == 6 && !fragment {
		length := uint32(wire - 34)
		if fold(sum(sum(6+length, b[26:34]), b[34:])) != 0xffff {
			t.Fatal("wrong TCP checksum")
		}
	}
}

// A capture is a stream of packets in order; a Zeek log is in order of the ends.
func TestLogsAreInOrder(t *testing.T) {
	f := func(format string, key func(*picket.Record) int64) {
		last := int64(0)
		_, err := Records(context.Background(), parse(t, small), format, func(r *picket.Record) error {
			if key(r) < last {
				t.Fatalf("%s: record %d is before the one before it", format, r.Line)
			}
			last = key(r)
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	f("pcap", func(r *picket.Record) int64 { return r.Start })
	f("zeek", func(r *picket.Record) int64 { return r.End / 10_000 })
}

// Flow logs come in objects of five minutes, a little late and out of order,
// each record in one interval of its interface.
func TestFlowLogsAreLateAndCut(t *testing.T) {
	s := parse(t, strings.Replace(small, "duration 6m", "duration 40m", 1))
	objects, _ := written(t, s, "vpc")
	late, disorder, n := 0, 0, 0
	for name, o := range objects {
		if name == "labels.csv" {
			continue
		}
		parts := strings.Split(name, "_")
		stamp, err := time.Parse("20060102T1504Z", parts[4])
		if err != nil {
			t.Fatal(err)
		}
		last := uint64(0)
		lines(t, o, func(line string) {
			w := strings.Fields(line)
			if w[0] == "version" {
				return
			}
			n++
			start, end := number(t, w[10]), number(t, w[11])
			if end < start || end-start > 60 {
				t.Fatalf("a record of %d s: %s", int64(end-start), line)
			}
			if int64(end) > stamp.Unix() {
				t.Fatalf("a record of %d in the object of %s", end, stamp)
			}
			if stamp.Unix()-int64(end) > 600 {
				late++
			}
			if end < last {
				disorder++
			}
			last = end
		})
	}
	if len(objects) < 8 || late == 0 || late > n/20 || disorder < n/20 {
		t.Errorf("%d objects, %d lines, %d of them late, %d out of order", len(objects), n, late, disorder)
	}
}

// The label file is the summary's labels, and can be read as CSV.
func TestLabelFile(t *testing.T) {
	s := parse(t, small)
	objects, sum := written(t, s, "zeek")
	rows, err := csv.NewReader(bytes.NewReader(objects["labels.csv"].Bytes())).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	if got, want := strings.Join(rows[0], ","), "start,end,entity_kind,entity,class,note"; got != want {
		t.Errorf("header %q, want %q", got, want)
	}
	if len(rows)-1 != len(sum.Labels) || rows[1][2] != "*" || rows[1][3] != "*" || rows[1][4] != "normal" {
		t.Errorf("%d rows for %d labels, the first %v", len(rows)-1, len(sum.Labels), rows[1])
	}
	for i, row := range rows[1:] {
		start, err := time.Parse(time.RFC3339, row[0])
		if err != nil || start.Unix() != sum.Labels[i].Start {
			t.Errorf("row %v: start %v, want %d (%v)", row, start, sum.Labels[i].Start, err)
		}
	}
}

func TestWriteSaysWhatFailed(t *testing.T) {
	_, err := Write(context.Background(), parse(t, small), "vpc", func(name string) (io.WriteCloser, error) { return nil, io.ErrClosedPipe })
	if err == nil || !strings.Contains(err.Error(), "create AWSLogs/") {
		t.Errorf("got %v", err)
	}
}
