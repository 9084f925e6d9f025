package decode

import (
	"bytes"
	"net/netip"

	"picket"
)

// nameRecord fills r with a name that the originator asked for.
func (row *zeekRow) nameRecord(r *picket.Record, via string, name []byte) (reason string) {
	*r = picket.Record{Source: picket.SourceNames, Opener: picket.OpenerSrc, Proto: picket.ProtoTCP}
	var ok bool
	if r.Start, ok = parseZeekTime(row[zeekTS]); !ok {
		return reasonBadTime
	}
	r.End = r.Start
	if len(name) == 0 {
		return reasonNoName
	}
	r.Lookup = &picket.Lookup{Name: nameText(name), Via: via}
	if row[zeekOrigH] == nil && row[zeekRespH] == nil { // x509 knows no connection
		return ""
	}
	if reason := row.addresses(r); reason != "" {
		return reason
	}
	return row.ports(r)
}

// dnsRecord makes a lookup of a row of dns.log, which has the question and its
// answer.
func (row *zeekRow) dnsRecord(r *picket.Record) (reason string) {
	if reason := row.nameRecord(r, viaDNS, row[zeekQuery]); reason != "" {
		return reason
	}
	if proto, ok := row.proto(r.Src); ok {
		r.Proto = proto
	}
	r.Lookup.Type, r.Lookup.Code = text(row[zeekQType]), text(bytes.ToUpper(row[zeekRCodeName]))
	if code, ok := parseCount(row[zeekRCode], 1<<12); ok && r.Lookup.Code == "" {
		r.Lookup.Code = rcodeName(code)
	}
	r.Lookup.Answers = addressesIn(row[zeekAnswers])
	return ""
}

// httpRecord makes a lookup of a row of http.log: of the URL where the log has it.
// A proxy is asked for whole URLs.
func (row *zeekRow) httpRecord(r *picket.Record) (reason string) {
	host, uri := row[zeekHost], row[zeekURI]
	proxied := bytes.Contains(uri, []byte("://")) || len(host) == 0
	switch {
	case proxied:
		host = uri
	case len(host) > 0 && len(uri) > 0 && uri[0] == '/':
		host = bytes.Join([][]byte{[]byte("http://"), host, uri}, nil)
	}
	if reason := row.nameRecord(r, viaHTTP, host); reason != "" {
		return reason
	}
	if !proxied {
		r.Lookup.Answers = []netip.Addr{r.Dst}
	}
	return ""
}

// sslRecord makes a lookup of a row of ssl.log: of the name that the client asked for.
func (row *zeekRow) sslRecord(r *picket.Record) (reason string) {
	if reason := row.nameRecord(r, viaTLS, row[zeekServerName]); reason != "" {
		return reason
	}
	r.Lookup.Issuer = text(row[zeekIssuer])
	r.Lookup.Answers = []netip.Addr{r.Dst}
	return ""
}

// x509Record makes a lookup of a row of x509.log: of the name that the certificate
// is for. The log does not say who was shown it.
func (row *zeekRow) x509Record(r *picket.Record) (reason string) {
	if reason := row.nameRecord(r, viaTLS, certificateName(row)); reason != "" {
		return reason
	}
	r.Lookup.Issuer = text(row[zeekCertIssuer])
	for i, f := range [][]byte{row[zeekNotBefore], row[zeekNotAfter]} {
		if at, ok := parseZeekTime(f); ok {
			r.Lookup.Valid[i] = at / 1e9
		}
	}
	return ""
}

// certificateName returns the common name of the subject, else the first name that
// the certificate is for besides; of *.example.org what is behind the star.
func certificateName(row *zeekRow) []byte {
	name := []byte(nil)
	for part := range bytes.SplitSeq(row[zeekCertSubject], []byte{','}) {
		if v, ok := bytes.CutPrefix(bytes.TrimSpace(part), []byte("CN=")); ok && bytes.IndexByte(v, '.') > 0 && bytes.IndexByte(v, ' ') < 0 {
			name = v
			break
		}
	}
	if name == nil {
		name, _, _ = bytes.Cut(bytes.Trim(row[zeekCertNames], "[]"), []byte{','})
		name = bytes.Trim(name, " \"")
	}
	return bytes.TrimPrefix(name, []byte("*."))
}
