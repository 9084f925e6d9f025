package decode

import (
	"bytes"
	"encoding/json"
	"io"
	"net/netip"
	"strconv"
	"strings"
	"unicode/utf8"

	"picket"
)

// Ways in which a name is met.
const (
	viaDNS  = "dns"
	viaHTTP = "http"
	viaTLS  = "tls"
	viaList = "list"
)

// maxNameText is how many bytes of a name or URL are kept: a host name has at most
// 253, and stands in front of the path.
const maxNameText = 512

// nameText returns b as a name is kept: valid UTF-8 without control characters.
func nameText(b []byte) string {
	b = b[:min(len(b), maxNameText)]
	for _, c := range b {
		if c <= ' ' || c >= 0x7f {
			// What stands in for a byte is longer than it.
			s := strings.Map(printable, strings.ToValidUTF8(string(b), "\uFFFD"))
			return strings.ToValidUTF8(s[:min(len(s), maxNameText)], "")
		}
	}
	return string(b)
}

// rcodes are the names of DNS answer codes (IANA DNS RCODEs, 0 to 5).
var rcodes = []string{"NOERROR", "FORMERR", "SERVFAIL", "NXDOMAIN", "NOTIMP", "REFUSED"}

// rcodeName is how all logs write a code: by name, in capitals.
func rcodeName(code uint64) string {
	if code < uint64(len(rcodes)) {
		return rcodes[code]
	}
	return "RCODE" + strconv.FormatUint(code, 10)
}

// qtypes are the names of the DNS question types that are met often (IANA DNS
// resource record types).
var qtypes = map[uint16]string{
	1: "A", 2: "NS", 5: "CNAME", 6: "SOA", 10: "NULL", 12: "PTR", 15: "MX", 16: "TXT", 28: "AAAA", 33: "SRV",
	35: "NAPTR", 41: "OPT", 43: "DS", 46: "RRSIG", 48: "DNSKEY", 64: "SVCB", 65: "HTTPS", 255: "ANY",
}

func qtypeName(code uint16) string {
	if name, ok := qtypes[code]; ok {
		return name
	}
	return "TYPE" + strconv.Itoa(int(code))
}

// maxAnswers are kept of one answer.
const maxAnswers = 16

// addressesIn returns the addresses in a list of texts, as JSON or with commas in
// between. What is no address, such as the name of an alias, is passed over.
func addressesIn(list []byte) []netip.Addr {
	var found []netip.Addr
	for len(list) > 0 && len(found) < maxAnswers {
		var item []byte
		item, list, _ = bytes.Cut(list, []byte{','})
		if a, ok := parseAddr(bytes.Trim(item, " []\"")); ok {
			found = append(found, a)
		}
	}
	return found
}

// isRoute53 reports whether line is of a Route 53 Resolver query log.
func isRoute53(line []byte) bool {
	return bytes.Contains(line, []byte(`"query_name"`)) && bytes.Contains(line, []byte(`"query_timestamp"`))
}

// route53Row is one line of a Route 53 Resolver query log (Amazon Route 53
// Developer Guide, "Values that appear in VPC Resolver query logs").
type route53Row struct {
	when, name, kind, code, addr, port, transport, vpc []byte
	answers                                            []byte
}

// readRoute53 reads Route 53 Resolver query logs, one JSON object a line.
func readRoute53(d *run) error {
	return d.jsonLines(func(line []byte) (reason string) {
		var row route53Row
		if !walkObject(line, row.set) {
			return reasonJSON
		}
		return row.record(&d.rec)
	})
}

// jsonLines sends the record that each line makes of d.rec.
func (d *run) jsonLines(record func(line []byte) (reason string)) error {
	return d.eachLine(func(line []byte) error {
		if reason := record(line); reason != "" {
			return d.drop(reason, "", line)
		}
		return d.send(line)
	})
}

func (row *route53Row) set(key, value []byte) bool {
	switch string(key) {
	case "query_timestamp":
		row.when = plain(value)
	case "query_name":
		row.name = plain(value)
	case "query_type":
		row.kind = plain(value)
	case "rcode":
		row.code = plain(value)
	case "srcaddr":
		row.addr = plain(value)
	case "srcport": // a string, or a number
		row.port = plain(value)
	case "transport":
		row.transport = plain(value)
	case "vpc_id":
		row.vpc = plain(value)
	case "answers":
		row.answers = value
	}
	return true
}

func (row *route53Row) record(r *picket.Record) (reason string) {
	*r = picket.Record{Source: picket.SourceNames, Interface: text(row.vpc), Opener: picket.OpenerSrc, Proto: picket.ProtoUDP, DstPort: 53}
	var ok bool
	if r.Start, ok = parseISO(row.when); !ok {
		return reasonBadTime
	}
	r.End = r.Start
	if len(row.name) == 0 {
		return reasonNoName
	}
	if r.Src, ok = parseAddr(row.addr); !ok {
		return reasonAddress
	}
	if r.SrcPort, ok = parsePort(row.port); !ok {
		return reasonPort
	}
	if bytes.EqualFold(row.transport, []byte("tcp")) {
		r.Proto = picket.ProtoTCP
	}
	r.Lookup = &picket.Lookup{
		Name: nameText(unescapeDNS(row.name)), Via: viaDNS, Type: text(row.kind), Code: strings.ToUpper(text(row.code)), Answers: row.addresses(),
	}
	return ""
}

// addresses reads the answers' Rdata. Amazon's prose spells the key rdata and its
// logs Rdata.
func (row *route53Row) addresses() []netip.Addr {
	if len(row.answers) < 3 {
		return nil
	}
	var answers []struct{ Rdata string }
	if json.Unmarshal(row.answers, &answers) != nil {
		return nil
	}
	var found []netip.Addr
	for _, a := range answers[:min(len(answers), maxAnswers)] {
		if addr, ok := parseAddr([]byte(a.Rdata)); ok {
			found = append(found, addr)
		}
	}
	return found
}

// unescapeDNS replaces each \DDD of a name in zone file form (RFC 1035, section
// 5.1) by its byte.
func unescapeDNS(b []byte) []byte {
	if bytes.IndexByte(b, '\\') < 0 {
		return b
	}
	out := make([]byte, 0, len(b))
	for len(b) > 0 {
		if b[0] == '\\' && len(b) >= 4 {
			if v, ok := parseUint(b[1:4], 255); ok {
				out, b = append(out, byte(v)), b[4:]
				continue
			}
		}
		out, b = append(out, b[0]), b[1:]
	}
	return out
}

// isNameList reports whether text is a list of names or URLs, one a line: four of
// five of its first lines must be.
func isNameList(text []byte) bool {
	if at := bytes.LastIndexByte(text, '\n'); at >= 0 {
		text = text[:at] // the last line may be cut
	}
	names, others := 0, 0
	for line := range bytes.Lines(text) {
		line = bytes.TrimSpace(line)
		switch {
		case isComment(line):
		case isNameLine(line):
			names++
		default:
			others++
		}
	}
	return names > 0 && names >= 4*others
}

func isComment(line []byte) bool {
	return len(line) == 0 || line[0] == '#' || line[0] == ';' || line[0] == '!' || bytes.HasPrefix(line, []byte("//"))
}

// isNameLine reports whether line is one name with a dot in it, or one URL.
func isNameLine(line []byte) bool {
	line = refang(line)
	if i := bytes.Index(line, []byte("://")); i > 0 && i <= 8 {
		return len(line) > i+3 && !bytes.ContainsAny(line, " \t\"<>")
	}
	if i := bytes.IndexByte(line, '/'); i > 0 {
		line = line[:i]
	}
	line = bytes.TrimSuffix(line, []byte{'.'})
	at := bytes.LastIndexByte(line, '.')
	if at <= 0 || at == len(line)-1 || !utf8.Valid(line) {
		return false
	}
	letters := false
	for _, c := range line[at+1:] {
		letters = letters || c-'0' > 9 && c != ':'
	}
	return letters && !bytes.ContainsAny(line, " \t\"'<>{}[]()=,;|\\?&%$^~`")
}

// refang takes off what keeps people from clicking: hxxp and [.].
func refang(line []byte) []byte {
	if len(line) > 4 && bytes.EqualFold(line[:4], []byte("hxxp")) {
		line = append([]byte("http"), line[4:]...)
	}
	if bytes.Contains(line, []byte("[.]")) {
		line = bytes.ReplaceAll(line, []byte("[.]"), []byte("."))
	}
	return line
}

// readNameList reads a list of names or URLs, one a line. A list says neither who
// asked nor when: its names count as met when it was written.
func readNameList(d *run) error {
	at := d.written()
	return d.eachLine(func(line []byte) error {
		if isComment(line) {
			return nil
		}
		if !isNameLine(line) {
			return d.drop(reasonNoName, "", line)
		}
		d.rec = picket.Record{Source: picket.SourceNames, Start: at, End: at,
			Lookup: &picket.Lookup{Name: nameText(refang(line)), Via: viaList}}
		return d.send(line)
	})
}

// written returns when the object was, as far as is known, in Unix nanoseconds.
func (d *run) written() int64 {
	at := d.latest - slack.Nanoseconds()
	return at - at%1_000_000_000
}

// eachLine hands every line that is not blank to read, without white space around it.
func (d *run) eachLine(read func(line []byte) error) error {
	for {
		line, err := d.line()
		if err != nil {
			if err == io.EOF {
				return nil
			}
			return err
		}
		if line = bytes.TrimSpace(line); len(line) == 0 {
			continue
		}
		if err := read(line); err != nil {
			return err
		}
	}
}
