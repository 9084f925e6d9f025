package decode

import (
	"bytes"
	"math"
	"slices"
	"strings"

	"picket"
)

// zeekField is what one field of a conn log says.
type zeekField uint8

const (
	zeekOther zeekField = iota
	zeekTS
	zeekOrigH
	zeekOrigP
	zeekRespH
	zeekRespP
	zeekProto
	zeekDuration
	zeekOrigBytes
	zeekRespBytes
	zeekState
	zeekHistory
	zeekOrigPkts
	zeekOrigIPBytes
	zeekRespPkts
	zeekRespIPBytes
	zeekIPProto
	zeekPath   // which log a JSON line is of
	zeekMissed // these three are in no log but conn
	zeekLocalOrig
	zeekLocalResp
	zeekAuthSuccess // of ssh
	zeekAuthAttempts
	zeekClient
	zeekCookie // these two of rdp
	zeekResult
	zeekQuery // of dns
	zeekQType
	zeekRCode
	zeekRCodeName
	zeekAnswers
	zeekHost // of http
	zeekURI
	zeekServerName // of ssl
	zeekIssuer
	zeekCertSubject // of x509
	zeekCertIssuer
	zeekNotBefore
	zeekNotAfter
	zeekCertNames
	zeekFields
)

// zeekFieldOf names the fields of base/protocols/conn/main.zeek, in Zeek's own
// spelling and in that of shippers that cannot have dots in a name.
func zeekFieldOf(name []byte) zeekField {
	switch string(name) {
	case "ts":
		return zeekTS
	case "id.orig_h", "id_orig_h":
		return zeekOrigH
	case "id.orig_p", "id_orig_p":
		return zeekOrigP
	case "id.resp_h", "id_resp_h":
		return zeekRespH
	case "id.resp_p", "id_resp_p":
		return zeekRespP
	case "proto":
		return zeekProto
	case "duration":
		return zeekDuration
	case "orig_bytes":
		return zeekOrigBytes
	case "resp_bytes":
		return zeekRespBytes
	case "conn_state":
		return zeekState
	case "history":
		return zeekHistory
	case "orig_pkts":
		return zeekOrigPkts
	case "orig_ip_bytes":
		return zeekOrigIPBytes
	case "resp_pkts":
		return zeekRespPkts
	case "resp_ip_bytes":
		return zeekRespIPBytes
	case "ip_proto":
		return zeekIPProto
	case "_path", "@stream", "@path":
		return zeekPath
	case "missed_bytes":
		return zeekMissed
	case "local_orig":
		return zeekLocalOrig
	case "local_resp":
		return zeekLocalResp
	case "auth_success":
		return zeekAuthSuccess
	case "auth_attempts":
		return zeekAuthAttempts
	case "client":
		return zeekClient
	case "cookie":
		return zeekCookie
	case "result":
		return zeekResult
	case "query":
		return zeekQuery
	case "qtype_name":
		return zeekQType
	case "rcode":
		return zeekRCode
	case "rcode_name":
		return zeekRCodeName
	case "answers":
		return zeekAnswers
	case "host":
		return zeekHost
	case "uri":
		return zeekURI
	case "server_name":
		return zeekServerName
	case "issuer":
		return zeekIssuer
	case "certificate.subject", "certificate_subject":
		return zeekCertSubject
	case "certificate.issuer", "certificate_issuer":
		return zeekCertIssuer
	case "certificate.not_valid_before", "certificate_not_valid_before":
		return zeekNotBefore
	case "certificate.not_valid_after", "certificate_not_valid_after":
		return zeekNotAfter
	case "san.dns", "san_dns":
		return zeekCertNames
	}
	return zeekOther
}

// zeekRow is one line of a Zeek log: the text of each field, nil where unset.
type zeekRow [zeekFields][]byte

// zeekLog is a Zeek log that is read: its name, and what makes a record of a row.
type zeekLog struct {
	name   string
	record func(row *zeekRow, r *picket.Record) (reason string)
}

// zeekLogs are the logs that are read, by their paths.
var zeekLogs = []zeekLog{
	{"conn", (*zeekRow).record},
	{"ssh", (*zeekRow).sshRecord},
	{"rdp", (*zeekRow).rdpRecord},
	{"dns", (*zeekRow).dnsRecord},
	{"http", (*zeekRow).httpRecord},
	{"ssl", (*zeekRow).sslRecord},
	{"x509", (*zeekRow).x509Record},
}

// log returns which log the row is of: by its path, and by its fields where the
// path is missing or renamed. It is nil for a log that is not read.
func (row *zeekRow) log() *zeekLog {
	for i := range zeekLogs {
		if bytes.EqualFold(row[zeekPath], []byte(zeekLogs[i].name)) {
			return &zeekLogs[i]
		}
	}
	switch {
	case row.isConn():
		return &zeekLogs[0]
	case zeekKnown(row[zeekPath]) || row[zeekTS] == nil:
	case row[zeekNotAfter] != nil:
		return &zeekLogs[6]
	case row[zeekOrigH] == nil:
	case row[zeekQuery] != nil && (row[zeekQType] != nil || row[zeekRCode] != nil || row[zeekRCodeName] != nil):
		return &zeekLogs[3]
	case row[zeekHost] != nil && row[zeekURI] != nil:
		return &zeekLogs[4]
	case row[zeekServerName] != nil:
		return &zeekLogs[5]
	case row[zeekAuthAttempts] != nil:
		return &zeekLogs[1]
	case row[zeekCookie] != nil:
		return &zeekLogs[2]
	}
	return nil
}

// isConn reports whether the row is of a conn log, by its fields where the path
// does not say: paths are renamed or missing.
func (row *zeekRow) isConn() bool {
	if bytes.EqualFold(row[zeekPath], []byte("conn")) {
		return true
	}
	if row[zeekTS] == nil || row[zeekOrigH] == nil || row[zeekRespH] == nil {
		return false
	}
	return row[zeekState] != nil || row[zeekHistory] != nil || row[zeekOrigPkts] != nil ||
		row[zeekOrigIPBytes] != nil || row[zeekMissed] != nil || row[zeekLocalOrig] != nil
}

// parseZeekTime reads epoch seconds, or ISO 8601 as LogAscii::json_timestamps
// can make it.
func parseZeekTime(b []byte) (int64, bool) {
	if len(b) > 10 && b[4] == '-' {
		return parseISO(b)
	}
	return parseSeconds(b)
}

// parseZeekPort reads a port, which JSON may write as a float.
func parseZeekPort(b []byte) (uint16, bool) {
	v, ok := parseCount(b, math.MaxUint16)
	return uint16(v), ok
}

// zeekKinds are the logs that are told by name when they are skipped; the name
// in a file is anybody's text.
var zeekKinds = []string{
	"analyzer", "broker", "capture_loss", "cluster", "conn", "dce_rpc", "dhcp", "dnp3", "dns", "dpd",
	"files", "ftp", "http", "intel", "irc", "kerberos", "known_certs", "known_hosts", "known_services",
	"ldap", "loaded_scripts", "modbus", "mqtt_connect", "mysql", "notice", "ntlm", "ntp", "ocsp",
	"packet_filter", "pe", "quic", "radius", "rdp", "reporter", "rfb", "sip", "smb_cmd", "smb_files",
	"smb_mapping", "smtp", "snmp", "socks", "software", "ssh", "ssl", "stats", "stderr", "stdout",
	"syslog", "telemetry", "traceroute", "tunnel", "weird", "websocket", "x509",
}

// zeekKnown reports whether path is one of zeekKinds.
func zeekKnown(path []byte) bool {
	return slices.ContainsFunc(zeekKinds, func(k string) bool { return bytes.EqualFold(path, []byte(k)) })
}

// zeekSkipped is the reason for a line of a log that is not read.
func zeekSkipped(path []byte) string {
	if zeekKnown(path) && !bytes.EqualFold(path, []byte("conn")) {
		return "zeek " + strings.ToLower(string(path)) + " log: not read yet"
	}
	return "zeek log of another kind: not read yet"
}
