package decode

import (
	"bytes"
	"math"
	"net/netip"
	"strings"

	"picket"
)

// Fields of an access log of an Application Load Balancer, in order (Elastic Load
// Balancing user guide, "Access log entries"). More are added at the end.
const (
	albType = iota
	albTime
	albName
	albClient
	albTarget
	albWaited   // request_processing_time
	albServed   // target_processing_time
	albAnswered // response_processing_time
	albStatus
	albTargetStatus
	albReceived
	albSent
	albRequest
	albFields // read
)

// isALB reports whether line is of an access log of an Application Load Balancer:
// a protocol, a time, app/NAME.
func isALB(line []byte) bool {
	f := bytes.SplitN(line, []byte{' '}, 4)
	return len(f) == 4 && strings.Contains(" http https h2 grpcs ws wss ", " "+string(f[0])+" ") && bytes.HasPrefix(f[2], []byte("app/"))
}

// alb reads access logs of Application Load Balancers.
type alb struct {
	*run
	node  netip.Addr // of the balancer that wrote the log; invalid where its key does not say
	names names
}

// readALB reads an access log, one request a line. A request is a flow of its
// client with the node of the balancer, whose address only the object's key tells;
// where it does not, with the target that served it.
func readALB(d *run) error {
	a := &alb{run: d, node: albNode(d.obj.Key)}
	return d.eachLine(a.read)
}

// albNode returns the address in ..._app.NAME.ID_END_ADDRESS_RANDOM.log.gz.
func albNode(key string) netip.Addr {
	f := strings.Split(key[strings.LastIndexByte(key, '/')+1:], "_")
	if len(f) < 3 {
		return netip.Addr{}
	}
	a, _ := netip.ParseAddr(f[len(f)-2])
	return a.Unmap().WithZone("")
}

func (a *alb) read(line []byte) error {
	var f [albFields][]byte
	if !albSplit(line, &f) {
		return a.drop(reasonColumns, "", line)
	}
	switch reason := a.record(&f, &a.rec); reason {
	case "":
		return a.send(line)
	case reasonNoAddress:
		a.stats.Dropped[reason]++
		return nil
	default:
		return a.drop(reason, "", line)
	}
}

// albSplit cuts the line at its spaces, those in quotes left alone. A quote within
// quotes is written \x22 or \".
func albSplit(line []byte, f *[albFields][]byte) bool {
	for i := range f {
		if len(line) > 0 && line[0] == '"' {
			end := stringEnd(line, 0)
			if end < 0 {
				return false
			}
			f[i], line = line[1:end-1], line[end:]
			if len(line) > 0 && line[0] != ' ' {
				return false
			}
			line = line[min(1, len(line)):]
			continue
		}
		var more bool
		if f[i], line, more = bytes.Cut(line, []byte{' '}); !more && i < albFields-1 {
			return false
		}
	}
	return true
}

// record fills r from a request. The log has no packets: they are as few as could
// have carried what was sent and received, with a handshake before, which the log
// shows to have come about.
func (a *alb) record(f *[albFields][]byte, r *picket.Record) (reason string) {
	*r = picket.Record{Source: picket.SourceALB, Opener: picket.OpenerSrc, Proto: picket.ProtoTCP,
		Has: picket.HasReverse | picket.HasPayload | picket.HasFlags, SrcFlags: picket.FlagSYN, DstFlags: picket.FlagSYN | picket.FlagACK}
	if reason = albTimes(f, r); reason != "" {
		return reason
	}
	if reason = a.sides(f, r); reason != "" {
		return reason
	}
	var ok1, ok2 bool
	r.SrcPayload, ok1 = parseUint(f[albReceived], maxCount)
	r.DstPayload, ok2 = parseUint(f[albSent], maxCount)
	if !ok1 || !ok2 {
		return reasonNumber
	}
	r.SrcPackets = 2 + max(1, (r.SrcPayload+fullPayload-1)/fullPayload)
	r.DstPackets = 1 + max(1, (r.DstPayload+fullPayload-1)/fullPayload)
	r.SrcBytes = r.SrcPayload + r.SrcPackets*headerBytes(r)
	r.DstBytes = r.DstPayload + r.DstPackets*headerBytes(r)
	r.Interface = a.names.of(f[albName][:min(len(f[albName]), 200)])
	return ""
}

// albTimes reads when the answer was sent, and from the times that it took when the
// request came. -1 is a time that was never measured.
func albTimes(f *[albFields][]byte, r *picket.Record) (reason string) {
	var ok bool
	if r.End, ok = parseStamp(f[albTime]); !ok {
		return reasonBadTime
	}
	r.Start = r.End
	for _, took := range f[albWaited : albAnswered+1] {
		if len(took) > 0 && took[0] == '-' {
			continue
		}
		ns, ok := parseSeconds(took)
		if !ok || ns > 86400e9 {
			return reasonBadTime
		}
		r.Start -= ns
	}
	return ""
}

// sides reads client and server: the balancer's node on the port of the URL, else
// the target.
func (a *alb) sides(f *[albFields][]byte, r *picket.Record) (reason string) {
	var ok bool
	if r.Src, r.SrcPort, ok = addrPort(f[albClient]); !ok {
		return reasonAddress
	}
	if a.node.IsValid() {
		r.Dst, r.DstPort = a.node, albPort(f)
		return ""
	}
	if !set(f[albTarget]) {
		return reasonNoAddress
	}
	if r.Dst, r.DstPort, ok = addrPort(f[albTarget]); !ok {
		return reasonAddress
	}
	return ""
}

// addrPort reads address:port, in which an address of IPv6 may stand in brackets or
// not.
func addrPort(b []byte) (netip.Addr, uint16, bool) {
	at := bytes.LastIndexByte(b, ':')
	if at < 0 {
		return netip.Addr{}, 0, false
	}
	port, ok := parseUint(b[at+1:], math.MaxUint16)
	if !ok {
		return netip.Addr{}, 0, false
	}
	a, ok := parseAddr(bytes.Trim(b[:at], "[]"))
	return a, uint16(port), ok
}

// albPort returns the port that the request was made to: of the URL, which is
// anybody's text, or as its protocol has it.
func albPort(f *[albFields][]byte) uint16 {
	if _, rest, ok := bytes.Cut(f[albRequest], []byte("://")); ok {
		host, _, _ := bytes.Cut(rest, []byte{'/'})
		if at := bytes.LastIndexByte(host, ':'); at >= 0 && at > bytes.LastIndexByte(host, ']') {
			if port, ok := parseUint(bytes.TrimRight(host[at+1:], "- "), math.MaxUint16); ok && port > 0 {
				return uint16(port)
			}
		}
	}
	switch string(f[albType]) {
	case "http", "ws":
		return 80
	}
	return 443
}
