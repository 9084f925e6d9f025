package decode

import (
	"bytes"
	"math"
	"strings"

	"picket"
)

// networkRecord fills r from Network Activity (4001). Events that Security Lake
// makes of VPC Flow Logs are that log's rows, and count as such.
func (o *ocsf) networkRecord(r *picket.Record) (reason string) {
	e := &o.event
	vpc := bytes.Contains(bytes.ToUpper(e[ocsfProduct]), []byte("VPC"))
	*r = picket.Record{Source: picket.SourceOCSF, Interface: o.place()}
	if vpc {
		r.Source = picket.SourceVPC
	}
	if reason = e.times(r); reason != "" {
		return reason
	}
	if r.Proto, reason = e.protocol(); reason != "" {
		return reason
	}
	if reason = e.sides(r); reason != "" {
		return reason
	}
	if !r.Dst.IsValid() {
		return reasonAddress
	}
	if reason = e.counts(r); reason != "" {
		return reason
	}
	e.decided(r)
	return e.flags(r, vpc)
}

// protocol reads the protocol by number, else by name.
func (e *ocsfEvent) protocol() (proto uint8, reason string) {
	if v, ok := parseCount(e[ocsfProtocol], math.MaxUint8); ok {
		return uint8(v), ""
	}
	if name := e[ocsfProtocolName]; len(name) > 0 {
		if v, ok := protocolNumbers[strings.ToLower(string(name[:min(len(name), 16)]))]; ok {
			return v, ""
		}
	}
	return 0, reasonProtocol
}

// counts reads what was sent: by direction where the event has both, else all of it
// by the source. Out is from the source to the destination.
func (e *ocsfEvent) counts(r *picket.Record) (reason string) {
	var v [6]uint64
	fields := [6]ocsfField{ocsfPacketsOut, ocsfPacketsIn, ocsfBytesOut, ocsfBytesIn, ocsfPackets, ocsfBytes}
	for i, f := range fields {
		if e[f] == nil {
			continue
		}
		var ok bool
		if v[i], ok = parseCount(e[f], maxCount); !ok {
			return reasonNumber
		}
	}
	if e[ocsfBytesOut] == nil && e[ocsfBytesIn] == nil && e[ocsfPacketsOut] == nil && e[ocsfPacketsIn] == nil {
		if e[ocsfPackets] == nil && e[ocsfBytes] == nil {
			return reasonNumber
		}
		r.SrcPackets, r.SrcBytes = v[4], v[5]
	} else {
		r.SrcPackets, r.DstPackets, r.SrcBytes, r.DstBytes = v[0], v[1], v[2], v[3]
		r.Has |= picket.HasReverse
		r.Opener = picket.OpenerSrc
	}
	r.SrcPackets, r.DstPackets = fewest(r.SrcPackets, r.SrcBytes), fewest(r.DstPackets, r.DstBytes)
	return ""
}

// fewest returns packets, or where the log has none the fewest that could have
// carried the bytes.
func fewest(packets, bytes uint64) uint64 {
	if packets == 0 {
		return (bytes + 1499) / 1500
	}
	return packets
}

// decided reads whether the network let the flow pass: by disposition or action, 1
// is allowed and 2 is blocked or denied in both; 6 is dropped.
func (e *ocsfEvent) decided(r *picket.Record) {
	id := e[ocsfDisposition]
	if id == nil || string(id) == "0" {
		id = e[ocsfAction]
	}
	switch string(id) {
	case "1":
		r.Has |= picket.HasAction
	case "2", "6":
		r.Has |= picket.HasAction
		r.Rejected = true
	}
}

// flags reads TCP flags: as VPC Flow Logs note them, or gathered over the flow.
func (e *ocsfEvent) flags(r *picket.Record, vpc bool) (reason string) {
	if r.Proto != picket.ProtoTCP || !set(e[ocsfFlags]) {
		return ""
	}
	v, ok := parseCount(e[ocsfFlags], math.MaxUint16)
	if !ok {
		return reasonNumber
	}
	switch {
	case vpc:
		r.Has |= picket.HasFlags
		r.SrcFlags = uint8(v)
		r.Opener = opener(r.SrcFlags)
	case r.Has&picket.HasReverse != 0: // of both sides together: of each nothing is known
	default:
		oneWayFlags(r, uint8(v))
	}
	return ""
}

// dnsRecord makes a lookup of DNS Activity (4003): a question, its answer, or both.
func (o *ocsf) dnsRecord(r *picket.Record) (reason string) {
	e := &o.event
	*r = picket.Record{Source: picket.SourceNames, Opener: picket.OpenerSrc, Proto: picket.ProtoUDP, Interface: o.place()}
	if bytes.EqualFold(e[ocsfProtocolName], []byte("tcp")) {
		r.Proto = picket.ProtoTCP
	}
	if reason = e.times(r); reason != "" {
		return reason
	}
	if reason = e.sides(r); reason != "" {
		return reason
	}
	if len(e[ocsfQuery]) == 0 {
		return reasonNoName
	}
	r.Lookup = &picket.Lookup{Name: nameText(unescapeDNS(e[ocsfQuery])), Via: viaDNS, Type: text(e[ocsfQueryType])}
	o.key = append(append(append(append(o.key[:0], e[ocsfSrcIP]...), ' '), e[ocsfSrcPort]...), ' ')
	o.key = append(o.key, e[ocsfQueryID]...)
	switch string(e[ocsfActivity]) {
	case "1": // query
		o.asked.put(o.key, nil)
		return ""
	case "2": // response
		r.Lookup.Told = e[ocsfQueryID] != nil && o.asked.take(o.key, nil)
	}
	r.Lookup.Code = strings.ToUpper(text(e[ocsfCode]))
	q := eveDNS{answers: e[ocsfAnswers]}
	if r.Lookup.Answers = q.addresses(); r.Lookup.Answers == nil {
		r.Lookup.Answers = addressesIn(e[ocsfAnswers]) // as Parquet has them
	}
	return ""
}

// trail makes of the event what CloudTrail has of the same call.
func (e *ocsfEvent) trail() trailEvent {
	t := trailEvent{
		time: e[ocsfTime], source: e[ocsfAPIService], name: e[ocsfOperation], region: e[ocsfRegion], address: e[ocsfSrcIP],
		agent: e[ocsfAgent], errorCode: e[ocsfError], id: e[ocsfUID], account: e[ocsfAccount],
		identity: trailIdentity{
			kind: e[ocsfUserType], account: e[ocsfUserAccount], user: e[ocsfUserName], key: e[ocsfUserKey], invoked: e[ocsfInvoked], mfa: e[ocsfMFA],
		},
	}
	if t.address == nil {
		t.address = e[ocsfSrcName]
	}
	for _, id := range [][]byte{e[ocsfUserAlt], e[ocsfUserID]} {
		if bytes.HasPrefix(id, []byte("arn:")) {
			t.identity.arn = id
		} else if id != nil {
			t.identity.principal = id
		}
	}
	return t
}

// apiRecord makes of API Activity (6003) what CloudTrail's own log gives, but for the
// parameters of the request, which have no place of their own in the schema.
func (e *ocsfEvent) apiRecord(r *picket.Record) (reason string) {
	at, ok := unixTime(e[ocsfTime])
	if !ok {
		return reasonBadTime
	}
	t := e.trail()
	if reason = t.recordAt(r, at); reason != "" {
		return reason
	}
	if string(e[ocsfStatus]) == "2" && !r.Access.Failed {
		r.Access.Failed = true
	}
	return ""
}

// loginRecord makes a login of Authentication (3002): of a console login that
// CloudTrail saw, or of a login at a host.
func (e *ocsfEvent) loginRecord(r *picket.Record) (reason string) {
	switch string(e[ocsfActivity]) {
	case "1", "", "0", "3", "5": // logon, and tickets that are asked for
	default:
		return reasonNoLogin
	}
	if e[ocsfOperation] != nil {
		if e[ocsfAPIService] == nil {
			e[ocsfAPIService] = []byte("signin.amazonaws.com")
		}
		reason = e.apiRecord(r)
	} else {
		reason = e.hostLogin(r)
	}
	if reason != "" {
		return reason
	}
	if string(e[ocsfStatus]) == "2" {
		r.Access.Failed = true
		r.Access.Error = text(first(e[ocsfStatusDetail], e[ocsfStatusCode], []byte("Failed authentication")))
	}
	return ""
}

// hostLogin makes a login at a host.
func (e *ocsfEvent) hostLogin(r *picket.Record) (reason string) {
	a := &picket.Access{Kind: "login", Action: "login", Count: 1, Principal: text(first(e[ocsfUserName], e[ocsfUserID])),
		Service: strings.ToLower(text(first(e[ocsfService], e[ocsfAuth], e[ocsfProduct]))), MFA: string(e[ocsfMFA]) == "true", Agent: text(e[ocsfAgent])}
	*r = picket.Record{Source: picket.SourceAccess, Opener: picket.OpenerSrc, Proto: picket.ProtoTCP, Access: a}
	if reason = e.times(r); reason != "" {
		return reason
	}
	if reason = e.sides(r); reason != "" && reason != reasonNoAddress {
		return reason
	}
	a.Account = text(first(e[ocsfDstName], e[ocsfDstIP], e[ocsfAccount]))
	a.Target = a.Account
	if !r.Src.IsValid() {
		a.From = text(e[ocsfSrcName])
	}
	if a.Principal == "" && !r.Src.IsValid() {
		return reasonNoLogin
	}
	return ""
}
