package decode

import (
	"bytes"
	"encoding/binary"
	"strconv"
	"strings"
	"unicode/utf8"
)

// peekSize is how much of an object is looked at to tell its format.
const peekSize = 64 << 10

// format is what an object was found to be. Without a reader it cannot be read,
// for the reason given; without a reason either it is empty.
type format struct {
	name         string
	read         func(*run) error
	reason, hint string
}

// detect tells a format by the first unpacked bytes of an object. The first
// line that is of a format decides, so that a few broken lines before it do no
// harm.
func detect(head []byte) format {
	if f, ok := detectBinary(head); ok {
		return f
	}
	head = trimBOM(head)
	switch {
	case isCloudTrail(head):
		return format{name: "cloudtrail", read: readCloudTrail}
	case isOCSF(head):
		return format{name: "ocsf", read: readOCSF}
	case isEVE(head):
		return format{name: "eve", read: readEVE}
	case isGoFlow(head):
		return format{name: "goflow2", read: readGoFlow}
	}
	rest := head
	for range 100 {
		var line []byte
		line, rest, _ = bytes.Cut(rest, []byte{'\n'})
		if f, ok := detectLine(bytes.TrimSpace(line)); ok {
			return f
		}
		if len(rest) == 0 {
			break
		}
	}
	if isNameList(head) {
		return format{name: "list", read: readNameList}
	}
	if text := bytes.TrimSpace(head); len(text) > 0 {
		return format{reason: reasonFormat, hint: guess(text)}
	}
	return format{}
}

// detectBinary tells formats by their first bytes.
func detectBinary(b []byte) (format, bool) {
	if len(b) >= 4 {
		if order, _ := pcapMagic(b); order != nil {
			return format{name: "pcap", read: readPcap}, true
		}
		if binary.BigEndian.Uint32(b) == blockSection {
			return format{name: "pcapng", read: readPcapng}, true
		}
	}
	switch {
	case bytes.HasPrefix(b, []byte("PAR1")):
		return format{name: "parquet", read: readParquet}, true
	case isNetFlow(b):
		return format{name: "netflow", read: readNetFlow}, true
	}
	for _, m := range []struct{ magic, hint string }{
		{"PK\x03\x04", "a zip archive: unpack it first"},
		{"PK\x05\x06", "an empty zip archive"},
		{"BZh", "bzip2: unpack it first"},
		{"\xfd7zXZ\x00", "xz: unpack it first"},
		{"7z\xbc\xaf", "a 7z archive: unpack it first"},
		{"\x04\x22\x4d\x18", "lz4: unpack it first"},
		{"\x1f\x9d", "compress: unpack it first"},
		{"SQLite format 3\x00", "an SQLite database"},
		{"ElfFile\x00", "a Windows event log"},
		{"\x34\xcd\xb2\xa1", "a capture of the old modified pcap format"},
		{"\xa1\xb2\xcd\x34", "a capture of the old modified pcap format"},
		{"snoop\x00\x00\x00", "a snoop capture"},
		{"\xff\xfe", "text in UTF-16: convert it to UTF-8"},
		{"\xfe\xff", "text in UTF-16: convert it to UTF-8"},
	} {
		if bytes.HasPrefix(b, []byte(m.magic)) {
			return format{reason: reasonFormat, hint: m.hint}, true
		}
	}
	if len(b) >= 263 && string(b[257:262]) == "ustar" {
		return format{reason: reasonFormat, hint: "a tar archive: unpack it first"}, true
	}
	return format{}, false
}

// detectLine tells formats by one line of text.
func detectLine(line []byte) (format, bool) {
	switch {
	case len(line) == 0:
	case bytes.HasPrefix(line, []byte("#separator ")), bytes.HasPrefix(line, []byte("#fields\t")):
		return format{name: "zeek-tsv", read: readZeekTSV}, true
	case line[0] == '{' && isRoute53(line):
		return format{name: "route53", read: readRoute53}, true
	case line[0] == '{' && isZeekJSON(line):
		return format{name: "zeek-json", read: readZeekJSON}, true
	case isVPCHeader(line):
		if bytes.Contains(line, []byte("tgw-")) {
			return format{name: "tgw", read: readVPC}, true
		}
		return format{name: "vpc", read: readVPC}, true
	case isTGWDefault(line):
		return format{name: "tgw", read: readTGW}, true
	case isVPCDefault(line):
		return format{name: "vpc", read: readVPC}, true
	case isALB(line):
		return format{name: "alb", read: readALB}, true
	case isNfdump(line):
		return format{name: "nfdump", read: readNfdump}, true
	case isSSHD(line):
		return format{name: "sshd", read: readSSHD}, true
	}
	return format{}, false
}

// isCloudTrail reports whether text is JSON that holds events of CloudTrail, on
// one line or indented: it begins with a bracket and has the names of an event.
func isCloudTrail(text []byte) bool {
	text = bytes.TrimSpace(text)
	if len(text) == 0 || text[0] != '{' && text[0] != '[' {
		return false
	}
	has := func(s string) bool { return bytes.Contains(text, []byte(s)) }
	return has(`"eventSource"`) && has(`"eventName"`) && (has(`"userIdentity"`) || has(`"eventVersion"`)) ||
		has(`"CloudTrailEvent"`) || bytes.HasPrefix(text, []byte(`{"Records":[`))
}

// isVPCDefault reports whether line is a row of a flow log of version 2.
func isVPCDefault(line []byte) bool {
	f := bytes.Fields(line)
	if len(f) != len(vpcDefault) {
		return false
	}
	_, version := parseUint(f[0], 99)
	_, start := parseUint(f[10], maxCount)
	_, end := parseUint(f[11], maxCount)
	switch string(f[13]) {
	case "OK", "NODATA", "SKIPDATA":
		return version && start && end
	}
	return false
}

// isZeekJSON reports whether line is of a Zeek log: its path says so, or it has
// Zeek's time and connection.
func isZeekJSON(line []byte) bool {
	var row zeekRow
	if !row.parse(line) {
		return false
	}
	return row[zeekTS] != nil && (row.isConn() || row[zeekPath] != nil || row[zeekOrigH] != nil)
}

// guess says what an unreadable object looks like.
func guess(text []byte) string {
	line, _, _ := bytes.Cut(text, []byte{'\n'})
	line = line[:min(len(line), 4096)]
	has := func(s string) bool { return bytes.Contains(text[:min(len(text), 4096)], []byte(s)) }
	switch {
	case !utf8.Valid(line[:max(len(line)-utf8.UTFMax, 0)]) || bytes.IndexByte(line, 0) >= 0:
		return "binary data"
	case has(`"digestStartTime"`):
		return "a digest of CloudTrail: it holds no events"
	case has(" queries: ") && has(" query: ") || has("dnsmasq[") && has(" query["):
		return "DNS query log: not read yet"
	case has("#Fields: "):
		return "W3C extended log"
	case has(" eni-"):
		return "a flow log without its header line: without one, version 2 with 14 fields is read"
	case line[0] == '{':
		return "JSON, but no Zeek log"
	case line[0] == '[':
		return "a JSON array: one object a line is read"
	case bytes.Count(line, []byte{','}) > 2:
		return "comma-separated: " + excerpt(line)
	}
	return "text: " + excerpt(line)
}

// excerpt quotes the first 60 bytes of line.
func excerpt(line []byte) string {
	return strconv.Quote(strings.ToValidUTF8(string(line[:min(len(line), 60)]), "?"))
}
