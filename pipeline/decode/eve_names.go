package decode

import (
	"bytes"
	"net/netip"
	"strings"

	"picket"
)

// about fills r with who talked with whom in an event of a protocol: Src asked.
func (e *eve) about(r *picket.Record, source string) (reason string) {
	*r = picket.Record{Source: source, Opener: picket.OpenerSrc}
	if source == picket.SourceNames {
		r.Interface = e.place()
	}
	if reason := e.times(r, nil, nil); reason != "" {
		return reason
	}
	if reason := e.sides(r); reason != "" {
		return reason
	}
	if string(e.row.direction) == "to_client" {
		turn(r)
	}
	return ""
}

// turn swaps the sides of a record.
func turn(r *picket.Record) {
	r.Src, r.Dst, r.SrcPort, r.DstPort = r.Dst, r.Src, r.DstPort, r.SrcPort
}

// eveDNS is the dns object of an event. Version 3 (Suricata 8) has the question in
// queries and calls query and answer request and response; the answer's source is
// then the server, and a request has a code that says nothing.
type eveDNS struct {
	kind, id, name, qtype, code []byte
	queries, answers, grouped   []byte
}

func (q *eveDNS) set(key, value []byte) bool {
	switch string(key) {
	case "type":
		q.kind = plain(value)
	case "id":
		q.id = value
	case "rrname":
		q.name = plain(value)
	case "rrtype":
		q.qtype = plain(value)
	case "rcode":
		q.code = plain(value)
	case "queries":
		q.queries = value
	case "answers":
		q.answers = value
	case "grouped":
		q.grouped = value
	}
	return true
}

// question takes the first question of a list.
func (q *eveDNS) question() {
	list := q.queries
	if at := bytes.IndexByte(list, '{'); at >= 0 {
		if end := nestEnd(list[at:], 0); end > 0 {
			q.name, q.qtype = field(list[at:at+end], "rrname"), field(list[at:at+end], "rrtype")
		}
	}
}

// dnsRecord makes a lookup of a dns event. Suricata writes the question and its
// answer as two events: where both are told, the answer adds to the question and
// is none of its own.
func (e *eve) dnsRecord(r *picket.Record) (reason string) {
	var q eveDNS
	walkObject(e.row.dns, q.set)
	if q.name == nil {
		q.question()
	}
	if reason := e.about(r, picket.SourceNames); reason != "" {
		return reason
	}
	if r.SrcPort == 53 && r.DstPort != 53 {
		turn(r)
	}
	if len(q.name) == 0 {
		return reasonNoName
	}
	l := &picket.Lookup{Name: nameText(q.name), Via: viaDNS, Type: text(q.qtype)}
	r.Lookup = l
	switch string(q.kind) {
	case "answer", "response":
		l.Code = strings.ToUpper(text(q.code))
		l.Answers = q.addresses()
		l.Told = e.asked.take(e.row.flowID, q.id)
	default:
		e.asked.put(e.row.flowID, q.id)
	}
	return ""
}

// addresses returns those of the answers, in detail or grouped by type.
func (q *eveDNS) addresses() []netip.Addr {
	if q.grouped != nil {
		return append(addressesIn(field(q.grouped, "A")), addressesIn(field(q.grouped, "AAAA"))...)
	}
	var found []netip.Addr
	list := q.answers
	for len(found) < maxAnswers {
		at := bytes.IndexByte(list, '{')
		if at < 0 {
			break
		}
		end := nestEnd(list[at:], 0)
		if end < 0 {
			break
		}
		if a, ok := parseAddr(field(list[at:at+end], "rdata")); ok {
			found = append(found, a)
		}
		list = list[at+end:]
	}
	return found
}

// httpRecord makes a lookup of an http event: of the URL.
func (e *eve) httpRecord(r *picket.Record) (reason string) {
	if reason := e.about(r, picket.SourceNames); reason != "" {
		return reason
	}
	host, uri := field(e.row.http, "hostname"), field(e.row.http, "url")
	proxied := bytes.Contains(uri, []byte("://")) || len(host) == 0
	switch {
	case proxied:
		host = uri
	case len(uri) > 0 && uri[0] == '/':
		host = bytes.Join([][]byte{[]byte("http://"), host, uri}, nil)
	}
	if len(host) == 0 || host[0] == '/' {
		return reasonNoName
	}
	r.Lookup = &picket.Lookup{Name: nameText(host), Via: viaHTTP}
	if !proxied {
		r.Lookup.Answers = []netip.Addr{r.Dst}
	}
	return ""
}

// tlsRecord makes a lookup of a tls event: of the name that the client asked for.
func (e *eve) tlsRecord(r *picket.Record) (reason string) {
	if e.row.tls == nil { // an error of Network Firewall's TLS inspection
		return reasonNoName
	}
	if reason := e.about(r, picket.SourceNames); reason != "" {
		return reason
	}
	sni := field(e.row.tls, "sni")
	if len(sni) == 0 {
		return reasonNoName
	}
	r.Lookup = &picket.Lookup{Name: nameText(sni), Via: viaTLS, Issuer: text(field(e.row.tls, "issuerdn")), Answers: []netip.Addr{r.Dst}}
	for i, key := range []string{"notbefore", "notafter"} {
		if at, ok := parseStamp(field(e.row.tls, key)); ok {
			r.Lookup.Valid[i] = at / 1e9
		}
	}
	return ""
}

// sshRecord makes a login of an ssh event, which tells that client and server
// greeted each other, and not how the login ended.
func (e *eve) sshRecord(r *picket.Record) (reason string) {
	if reason := e.about(r, picket.SourceAccess); reason != "" {
		return reason
	}
	host := r.Dst.String()
	r.Access = &picket.Access{
		Kind: "login", Service: "ssh", Action: "connect", Count: 1, Account: host, Target: host,
		Agent: text(field(field(e.row.ssh, "client"), "software_version")),
	}
	return ""
}

// recentQuestions are the questions of late that an answer may be to.
type recentQuestions struct {
	open  map[string]bool
	order []string // oldest first; those that are no longer open are passed over
}

// maxQuestions are kept open.
const maxQuestions = 1 << 15

// questionKey names a question; false where the log does not tell questions apart.
func questionKey(flow, id []byte) (string, bool) {
	if len(flow) == 0 || len(flow)+len(id) > 64 {
		return "", false
	}
	return string(flow) + "/" + string(id), true
}

func (q *recentQuestions) put(flow, id []byte) {
	key, ok := questionKey(flow, id)
	if !ok || q.open[key] {
		return
	}
	if q.open == nil {
		q.open = map[string]bool{}
	}
	if len(q.order) >= maxQuestions {
		delete(q.open, q.order[0])
		q.order = q.order[1:]
	}
	q.open[key] = true
	q.order = append(q.order, key)
}

// take reports whether the question was told, and closes it.
func (q *recentQuestions) take(flow, id []byte) bool {
	key, ok := questionKey(flow, id)
	if !ok || !q.open[key] {
		return false
	}
	delete(q.open, key)
	return true
}
