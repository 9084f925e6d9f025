package simulate

import (
	"cmp"
	"fmt"
	"io"
	"strconv"
	"time"

	"github.com/klauspost/compress/gzip"

	"picket"
)

// connLog is how Zeek sees conversations: each once, when it is over.
type connLog struct {
	going heap[line]
	count uint64
}

func connView(*Script, *network) view {
	v := &connLog{}
	v.going.less = func(a, b *line) bool { return cmp.Or(cmp.Compare(a.End, b.End), cmp.Compare(a.count, b.count)) < 0 }
	return v
}

func (v *connLog) take(c *Conversation, put func(*line) error) error {
	for len(v.going.items) > 0 && v.going.items[0].End < c.Start {
		l := v.going.pop()
		if err := put(&l); err != nil {
			return err
		}
	}
	v.count++
	l := line{conv: c, count: v.count, in: turned(c)}
	l.Record = connRecord(c, l.in)
	v.going.push(l)
	return nil
}

func (v *connLog) finish(put func(*line) error) error {
	for len(v.going.items) > 0 {
		l := v.going.pop()
		if err := put(&l); err != nil {
			return err
		}
	}
	return nil
}

// turned reports whether Zeek takes the receiver for the originator: of a lone
// SYN-ACK, and of UDP from a port that it knows as a server's.
func turned(c *Conversation) bool {
	if !c.Reply {
		return false
	}
	return c.Proto == picket.ProtoTCP || c.SrcPort == 53 || c.SrcPort == 123 || c.SrcPort == 161 || c.SrcPort == 389
}

// connRecord is what a decoder reads from the line.
func connRecord(c *Conversation, turned bool) picket.Record {
	r := picket.Record{
		Source: picket.SourceZeek, Opener: picket.OpenerSrc, Has: picket.HasReverse | picket.HasPayload,
		Start: c.Start / 1000 * 1000, Src: c.Src, Dst: c.Dst, Proto: c.Proto,
		SrcPackets: c.Out.Packets, DstPackets: c.In.Packets, SrcBytes: c.Out.Bytes, DstBytes: c.In.Bytes,
		SrcPayload: c.Out.Payload, DstPayload: c.In.Payload,
	}
	r.End = r.Start + (c.End-c.Start)/1000*1000
	if hasPorts(c.Proto) {
		r.SrcPort, r.DstPort = c.SrcPort, c.DstPort
	}
	if c.Pieces > 1 { // decoders take a whole header off each packet, fragments too
		r.SrcPayload = min(r.SrcPayload, r.SrcBytes-28*r.SrcPackets)
		r.DstPayload = min(r.DstPayload, r.DstBytes-28*r.DstPackets)
	}
	if turned {
		r.Src, r.Dst, r.SrcPort, r.DstPort = r.Dst, r.Src, r.DstPort, r.SrcPort
		r.SrcPackets, r.DstPackets, r.SrcBytes, r.DstBytes = r.DstPackets, r.SrcPackets, r.DstBytes, r.SrcBytes
		r.SrcPayload, r.DstPayload = r.DstPayload, r.SrcPayload
	}
	if c.Proto == picket.ProtoTCP {
		if h := history(c, turned); h != "" { // nothing is known of the flags of a null scan
			r.Has |= picket.HasFlags
			r.SrcFlags, r.DstFlags = historyFlags(h)
		}
	}
	return r
}

func hasPorts(proto uint8) bool { return proto == picket.ProtoTCP || proto == picket.ProtoUDP }

// history is Zeek's string of what was seen, in capitals from the originator.
func history(c *Conversation, turned bool) string {
	var out, in string
	switch {
	case c.Proto != picket.ProtoTCP:
		out, in = once("D", c.Out.Packets), once("d", c.In.Packets)
	case c.Outcome == Raw:
		out, in = rawLetters(c.Out), ""
		if c.In.Packets > 0 {
			in = "r"
		}
	case c.Outcome == Refused:
		out, in = "S", "r"
	case c.Outcome == HalfOpen:
		out, in = "S", once("h", c.In.Packets)
		if c.Out.Packets > 1 {
			in += "R"
		}
	case c.Outcome > Reset:
		out = "S"
	default:
		return tcpHistory(c)
	}
	if turned { // the letters' case follows the sides as they stand in the line
		flip := []byte(out + in)
		for i := range flip {
			flip[i] ^= 0x20
		}
		return "^" + string(flip)
	}
	return out + in
}

func once(letter string, packets uint64) string {
	if packets > 0 {
		return letter
	}
	return ""
}

// tcpHistory is the history of a connection that came to data, or of a half that
// was captured.
func tcpHistory(c *Conversation) string {
	var b []byte
	add := func(ok bool, letters string) {
		if ok {
			b = append(b, letters...)
		}
	}
	out, in := c.Out.Packets > 0, c.In.Packets > 0
	add(out && !c.Headless, "S")
	add(in && !c.Headless, "h")
	add(out && (c.Out.Packets > 1 || c.Headless), "A")
	add(c.Out.Data > 0, "D")
	add(in && (c.In.Packets > 1+c.In.Data || c.Headless), "a")
	add(c.In.Data > 0, "d")
	switch {
	case c.Outcome == Closed:
		add(out && c.trail(false) > 0, "F")
		add(in && c.trail(true) > 0, "f")
	case c.Outcome == Reset:
		add(in && c.trail(true) > 0, "r")
	}
	return string(b)
}

func rawLetters(s Side) string {
	const fin, syn, rst, ack = picket.FlagFIN, picket.FlagSYN, picket.FlagRST, picket.FlagACK
	switch {
	case s.Flags&(syn|ack) == syn|ack:
		return "H"
	case s.Flags&fin != 0:
		return "F"
	case s.Flags&rst != 0:
		return "R"
	case s.Data > 0:
		return "D"
	case s.Flags&ack != 0:
		return "A"
	}
	return ""
}

// historyFlags gives the TCP flags that a history tells of.
func historyFlags(history string) (orig, resp uint8) {
	of := map[byte]uint8{'S': picket.FlagSYN, 'H': picket.FlagSYN | picket.FlagACK, 'A': picket.FlagACK, 'D': picket.FlagACK, 'F': picket.FlagFIN, 'R': picket.FlagRST}
	for i := range len(history) {
		if c := history[i]; c >= 'a' {
			resp |= of[c-0x20]
		} else {
			orig |= of[c]
		}
	}
	return orig, resp
}

// connState is Zeek's summary of the connection.
func connState(c *Conversation, turned bool) string {
	out, in := c.Out.Packets > 0, c.In.Packets > 0
	if turned {
		out, in = in, out
	}
	switch {
	case c.Proto == picket.ProtoUDP && out && in:
		return "SF"
	case c.Proto == picket.ProtoUDP && in:
		return "SHR"
	case c.Proto == picket.ProtoUDP:
		return "S0"
	case c.Proto != picket.ProtoTCP || c.Outcome == Raw || c.Headless:
		return "OTH"
	case c.Outcome == Refused:
		return "REJ"
	case c.Outcome == HalfOpen && c.Out.Packets > 1:
		return "RSTO"
	case c.Outcome == HalfOpen:
		return "S1"
	case c.Outcome > Reset || !in && c.Outcome != Closed:
		return "S0"
	case !in:
		return "SH"
	case c.Outcome == Open:
		return "S1"
	case c.Outcome == Reset:
		return "RSTR"
	}
	return "SF"
}

// connWriter writes conn logs, a new one each hour.
type connWriter struct {
	net  *network
	out  *objects
	json bool
	hour int64 // of the open object, from 1970
	file io.WriteCloser
	zip  *gzip.Writer
	buf  []byte
}

func connText(json bool) func(*Script, *network, *objects) encoder {
	return func(s *Script, net *network, out *objects) encoder {
		return &connWriter{net: net, out: out, json: json}
	}
}

const hourNanos = 3600 * second

func (z *connWriter) write(l *line) error {
	if hour := l.End / hourNanos; z.file == nil || hour > z.hour {
		if err := z.finish(); err != nil {
			return err
		}
		if err := z.create(hour); err != nil {
			return err
		}
	}
	if z.json {
		z.buf = z.appendJSON(z.buf[:0], l)
	} else {
		z.buf = z.appendTSV(z.buf[:0], l)
	}
	_, err := z.zip.Write(z.buf)
	return err
}

func (z *connWriter) create(hour int64) (err error) {
	from := time.Unix(0, hour*hourNanos).UTC()
	name := fmt.Sprintf("%s/conn.%s-%s.log.gz", from.Format("2006-01-02"), from.Format("15_04_05"), from.Add(time.Hour).Format("15_04_05"))
	if z.file, err = z.out.create(name); err != nil {
		return err
	}
	z.hour = hour
	if z.zip, err = gzip.NewWriterLevel(z.file, gzip.BestSpeed); err != nil || z.json {
		return err
	}
	_, err = fmt.Fprintf(z.zip, "#separator \\x09\n#set_separator\t,\n#empty_field\t(empty)\n#unset_field\t-\n#path\tconn\n#open\t%s\n"+
		"#fields\tts\tuid\tid.orig_h\tid.orig_p\tid.resp_h\tid.resp_p\tproto\tservice\tduration\torig_bytes\tresp_bytes\tconn_state\tlocal_orig\tlocal_resp\tmissed_bytes\thistory\torig_pkts\torig_ip_bytes\tresp_pkts\tresp_ip_bytes\ttunnel_parents\tip_proto\n"+
		"#types\ttime\tstring\taddr\tport\taddr\tport\tenum\tstring\tinterval\tcount\tcount\tstring\tbool\tbool\tcount\tstring\tcount\tcount\tcount\tcount\tset[string]\tcount\n", from.Format("2006-01-02-15-04-05"))
	return err
}

func (z *connWriter) finish() error {
	if z.file == nil {
		return nil
	}
	var err error
	if !z.json {
		end := time.Unix(0, (z.hour+1)*hourNanos).UTC()
		_, err = fmt.Fprintf(z.zip, "#close\t%s\n", end.Format("2006-01-02-15-04-05"))
	}
	file := z.file
	z.file = nil
	return firstError(err, z.zip.Close(), z.out.close(file))
}

// conn holds the columns of a line that are text.
type conn struct {
	uid, proto, state, history string
	orig, resp                 uint16 // ports, or ICMP type and code
	localOrig, localResp       bool
}

func (z *connWriter) conn(l *line) conn {
	c := l.conv
	n := conn{uid: "C" + strconv.FormatUint(mix(z.net.seed^l.count), 36), state: connState(c, l.in), history: history(c, l.in), orig: l.SrcPort, resp: l.DstPort,
		localOrig: z.net.inside(l.Src), localResp: z.net.inside(l.Dst)}
	switch c.Proto {
	case picket.ProtoTCP:
		n.proto = "tcp"
	case picket.ProtoUDP:
		n.proto = "udp"
	case picket.ProtoICMP, picket.ProtoICMPv6:
		n.proto, n.orig, n.resp = "icmp", c.SrcPort, c.DstPort
	default:
		n.proto = "unknown_transport"
	}
	return n
}

// appendMicros writes nanoseconds as seconds with six decimals.
func appendMicros(b []byte, t int64) []byte {
	b = append(strconv.AppendInt(b, t/second, 10), '.')
	frac := strconv.FormatInt(1_000_000+t%second/1000, 10)
	return append(b, frac[1:]...)
}

func (z *connWriter) appendTSV(b []byte, l *line) []byte {
	n := z.conn(l)
	b = append(appendMicros(b, l.Start), '\t')
	b = append(append(b, n.uid...), '\t')
	b = append(l.Src.AppendTo(b), '\t')
	b = append(strconv.AppendUint(b, uint64(n.orig), 10), '\t')
	b = append(l.Dst.AppendTo(b), '\t')
	b = append(strconv.AppendUint(b, uint64(n.resp), 10), '\t')
	b = append(append(b, n.proto...), "\t-\t"...)
	b = append(appendMicros(b, l.End-l.Start), '\t')
	b = append(strconv.AppendUint(b, l.SrcPayload, 10), '\t')
	b = append(strconv.AppendUint(b, l.DstPayload, 10), '\t')
	b = append(append(b, n.state...), '\t', truth(n.localOrig), '\t', truth(n.localResp), '\t', '0', '\t')
	if n.history == "" {
		n.history = "-"
	}
	b = append(b, n.history...)
	for _, v := range [...]uint64{l.SrcPackets, l.SrcBytes, l.DstPackets, l.DstBytes} {
		b = strconv.AppendUint(append(b, '\t'), v, 10)
	}
	b = append(b, "\t-\t"...)
	return append(strconv.AppendUint(b, uint64(l.Proto), 10), '\n')
}

func truth(ok bool) byte {
	if ok {
		return 'T'
	}
	return 'F'
}

func (z *connWriter) appendJSON(b []byte, l *line) []byte {
	n := z.conn(l)
	b = appendMicros(append(b, `{"ts":`...), l.Start)
	b = append(append(append(b, `,"uid":"`...), n.uid...), `","id.orig_h":"`...)
	b = append(l.Src.AppendTo(b), `","id.orig_p":`...)
	b = append(strconv.AppendUint(b, uint64(n.orig), 10), `,"id.resp_h":"`...)
	b = append(l.Dst.AppendTo(b), `","id.resp_p":`...)
	b = append(strconv.AppendUint(b, uint64(n.resp), 10), `,"proto":"`...)
	b = append(append(b, n.proto...), `","duration":`...)
	b = appendMicros(b, l.End-l.Start)
	b = strconv.AppendUint(append(b, `,"orig_bytes":`...), l.SrcPayload, 10)
	b = strconv.AppendUint(append(b, `,"resp_bytes":`...), l.DstPayload, 10)
	b = append(append(append(b, `,"conn_state":"`...), n.state...), '"')
	b = strconv.AppendBool(append(b, `,"local_orig":`...), n.localOrig)
	b = strconv.AppendBool(append(b, `,"local_resp":`...), n.localResp)
	b = append(b, `,"missed_bytes":0`...)
	if n.history != "" {
		b = append(append(append(b, `,"history":"`...), n.history...), '"')
	}
	b = strconv.AppendUint(append(b, `,"orig_pkts":`...), l.SrcPackets, 10)
	b = strconv.AppendUint(append(b, `,"orig_ip_bytes":`...), l.SrcBytes, 10)
	b = strconv.AppendUint(append(b, `,"resp_pkts":`...), l.DstPackets, 10)
	b = strconv.AppendUint(append(b, `,"resp_ip_bytes":`...), l.DstBytes, 10)
	b = strconv.AppendUint(append(b, `,"ip_proto":`...), uint64(l.Proto), 10)
	return append(b, "}\n"...)
}
