package decode

import (
	"bytes"
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"picket"
)

// ocsfField is what one attribute of an OCSF event says.
type ocsfField uint8

const (
	ocsfOther ocsfField = iota
	ocsfClass
	ocsfActivity
	ocsfTime
	ocsfStart
	ocsfEnd
	ocsfStatus
	ocsfStatusCode
	ocsfStatusDetail
	ocsfAction
	ocsfDisposition
	ocsfProduct
	ocsfUID
	ocsfRegion
	ocsfAccount
	ocsfSrcIP
	ocsfSrcPort
	ocsfSrcName
	ocsfSrcInterface
	ocsfDstIP
	ocsfDstPort
	ocsfDstName
	ocsfDstInterface
	ocsfProtocol
	ocsfProtocolName
	ocsfFlags
	ocsfDirection
	ocsfBytes
	ocsfPackets
	ocsfBytesOut
	ocsfBytesIn
	ocsfPacketsOut
	ocsfPacketsIn
	ocsfQuery
	ocsfQueryType
	ocsfQueryID
	ocsfCode
	ocsfAnswers
	ocsfUserName
	ocsfUserID
	ocsfUserAlt
	ocsfUserType
	ocsfUserAccount
	ocsfUserKey
	ocsfMFA
	ocsfInvoked
	ocsfService
	ocsfAuth
	ocsfOperation
	ocsfAPIService
	ocsfError
	ocsfAgent
	ocsfFields
)

// ocsfPaths are the attributes that are read, of OCSF 1.0 to 1.6 as AWS Security
// Lake and others write them. Of an attribute that has two, the one that comes
// later in the event counts where it is set.
var ocsfPaths = map[string]ocsfField{
	"class_uid": ocsfClass, "activity_id": ocsfActivity, "time": ocsfTime, "time_dt": ocsfTime,
	"start_time": ocsfStart, "start_time_dt": ocsfStart, "end_time": ocsfEnd, "end_time_dt": ocsfEnd,
	"status_id": ocsfStatus, "status_code": ocsfStatusCode, "status_detail": ocsfStatusDetail,
	"action_id": ocsfAction, "disposition_id": ocsfDisposition,
	"metadata.product.name": ocsfProduct, "metadata.uid": ocsfUID, "cloud.region": ocsfRegion,
	"cloud.account.uid": ocsfAccount, "cloud.account_uid": ocsfAccount,
	"src_endpoint.ip": ocsfSrcIP, "src_endpoint.port": ocsfSrcPort, "src_endpoint.interface_uid": ocsfSrcInterface,
	"src_endpoint.hostname": ocsfSrcName, "src_endpoint.domain": ocsfSrcName,
	"dst_endpoint.ip": ocsfDstIP, "dst_endpoint.port": ocsfDstPort, "dst_endpoint.interface_uid": ocsfDstInterface,
	"dst_endpoint.hostname": ocsfDstName, "dst_endpoint.domain": ocsfDstName,
	"connection_info.protocol_num": ocsfProtocol, "connection_info.protocol_name": ocsfProtocolName,
	"connection_info.tcp_flags": ocsfFlags, "connection_info.direction_id": ocsfDirection,
	"traffic.bytes": ocsfBytes, "traffic.packets": ocsfPackets,
	"traffic.bytes_out": ocsfBytesOut, "traffic.bytes_in": ocsfBytesIn,
	"traffic.packets_out": ocsfPacketsOut, "traffic.packets_in": ocsfPacketsIn,
	"query.hostname": ocsfQuery, "query.type": ocsfQueryType, "query.packet_uid": ocsfQueryID,
	"rcode": ocsfCode, "answers": ocsfAnswers,
	"actor.user.name": ocsfUserName, "actor.user.uid": ocsfUserID, "actor.user.uuid": ocsfUserID, "actor.user.uid_alt": ocsfUserAlt,
	"actor.user.type": ocsfUserType, "actor.user.account.uid": ocsfUserAccount, "actor.user.account_uid": ocsfUserAccount,
	"actor.user.credential_uid": ocsfUserKey, "actor.session.is_mfa": ocsfMFA, "actor.session.mfa": ocsfMFA, "actor.invoked_by": ocsfInvoked,
	"user.name": ocsfUserName, "user.uid": ocsfUserID, "user.uuid": ocsfUserID, "user.uid_alt": ocsfUserAlt,
	"user.type": ocsfUserType, "user.account.uid": ocsfUserAccount, "user.credential_uid": ocsfUserKey, "is_mfa": ocsfMFA, "mfa": ocsfMFA,
	"service.name": ocsfService, "auth_protocol": ocsfAuth,
	"api.operation": ocsfOperation, "api.service.name": ocsfAPIService, "api.response.error": ocsfError,
	"http_request.user_agent": ocsfAgent,
}

// ocsfNode is an attribute that is read, or has some below it.
type ocsfNode struct {
	field ocsfField
	below map[string]*ocsfNode
}

// ocsfTree is ocsfPaths by their parts.
var ocsfTree = func() *ocsfNode {
	root := &ocsfNode{}
	for path, field := range ocsfPaths {
		at := root
		for part := range strings.SplitSeq(path, ".") {
			if at.below == nil {
				at.below = map[string]*ocsfNode{}
			}
			if at.below[part] == nil {
				at.below[part] = &ocsfNode{}
			}
			at = at.below[part]
		}
		at.field = field
	}
	return root
}()

// ocsfEvent is one event: the text of each attribute, nil where it is unset.
type ocsfEvent [ocsfFields][]byte

// isOCSF reports whether text is JSON that holds OCSF events.
func isOCSF(text []byte) bool {
	text = bytes.TrimSpace(text)
	if len(text) == 0 || text[0] != '{' && text[0] != '[' {
		return false
	}
	has := func(s string) bool { return bytes.Contains(text, []byte(s)) }
	return has(`"class_uid"`) && (has(`"metadata"`) || has(`"activity_id"`) || has(`"category_uid"`))
}

// ocsf reads OCSF events of the classes Network Activity, DNS Activity,
// Authentication and API Activity.
type ocsf struct {
	*run
	event ocsfEvent
	asked recentQuestions
	names names
	key   []byte
}

// readOCSF reads OCSF events in JSON: one a line, an array, or one alone.
func readOCSF(d *run) error {
	o := &ocsf{run: d}
	return d.eachEvent(func(b []byte) error {
		o.event = ocsfEvent{}
		if !o.event.fill(ocsfTree, b) {
			return o.drop(reasonJSON, "", b)
		}
		return o.take(b)
	})
}

// fill takes the attributes of an object that are below a node.
func (e *ocsfEvent) fill(node *ocsfNode, b []byte) bool {
	ok := walkObject(b, func(key, value []byte) bool { return e.set(node, key, value) })
	if ok {
		return true
	}
	var m map[string]json.RawMessage
	if json.Unmarshal(b, &m) != nil || m == nil {
		return false
	}
	for _, key := range slices.Sorted(maps.Keys(m)) {
		e.set(node, []byte(key), m[key])
	}
	return true
}

func (e *ocsfEvent) set(node *ocsfNode, key, value []byte) bool {
	child := node.below[string(key)]
	switch {
	case child == nil || string(value) == "null":
	case child.below != nil && value[0] == '{':
		e.fill(child, value)
	case child.field != ocsfOther:
		if text := plain(value); len(text) > 0 {
			e[child.field] = text
		}
	}
	return true
}

// take sends what the event says; b is what it was read from.
func (o *ocsf) take(b []byte) error {
	e, r := &o.event, &o.rec
	reason := reasonClass
	switch string(e[ocsfClass]) {
	case "4001":
		if string(e[ocsfStatusCode]) == "NODATA" || string(e[ocsfStatusCode]) == "SKIPDATA" {
			return o.gap(b)
		}
		reason = o.networkRecord(r)
	case "4003":
		reason = o.dnsRecord(r)
	case "3002":
		reason = e.loginRecord(r)
	case "6003":
		reason = e.apiRecord(r)
	}
	switch reason {
	case "":
		return o.send(b)
	case reasonClass, reasonNoName, reasonNoLogin, reasonNoAddress:
		o.stats.Dropped[reason]++
		return nil
	}
	return o.drop(reason, "", b)
}

// gap notes an interval of VPC Flow Logs without records.
func (o *ocsf) gap(b []byte) error {
	lost := string(o.event[ocsfStatusCode]) == "SKIPDATA"
	o.rec = picket.Record{Source: picket.SourceVPC, Interface: o.place(), Lost: true}
	if reason := o.event.times(&o.rec); reason != "" {
		return o.drop(reason, "", b)
	}
	if o.inTime(o.rec.Start, o.rec.End) && !o.gaps.add(o.rec.Interface, lost, o.rec.Start, o.rec.End) {
		o.stats.GapsLeft++
	}
	if lost {
		return o.send(b)
	}
	o.stats.Dropped[reasonNoData]++
	return nil
}

// times reads when the event began and ended. Numbers are Unix time of whatever
// unit their size allows: the schema says milliseconds, and not all keep to it.
func (e *ocsfEvent) times(r *picket.Record) (reason string) {
	start, end := e[ocsfStart], e[ocsfEnd]
	if start == nil {
		start = e[ocsfTime]
	}
	var ok bool
	if r.Start, ok = unixTime(start); !ok {
		return reasonBadTime
	}
	r.End = r.Start
	if end != nil {
		if r.End, ok = unixTime(end); !ok {
			return reasonBadTime
		}
	}
	return ""
}

// unixTime reads Unix seconds, milli-, micro- or nanoseconds, or an ISO 8601 time,
// as nanoseconds.
func unixTime(b []byte) (int64, bool) {
	if len(b) > 10 && b[4] == '-' {
		return parseStamp(b)
	}
	v, ok := parseCount(b, 1<<62)
	switch {
	case !ok:
		return 0, false
	case v < 1e11:
		return int64(v) * 1e9, true
	case v < 1e14:
		return int64(v) * 1e6, true
	case v < 1e17:
		return int64(v) * 1e3, true
	}
	return int64(v), true
}

// sides reads addresses and ports.
func (e *ocsfEvent) sides(r *picket.Record) (reason string) {
	var ok bool
	if e[ocsfSrcIP] == nil && e[ocsfDstIP] == nil {
		return reasonNoAddress
	}
	if r.Src, ok = parseAddr(e[ocsfSrcIP]); !ok {
		return reasonAddress
	}
	if e[ocsfDstIP] != nil {
		if r.Dst, ok = parseAddr(e[ocsfDstIP]); !ok {
			return reasonAddress
		}
	}
	if !hasPorts(r.Proto) {
		return ""
	}
	if r.SrcPort, ok = parsePort(e[ocsfSrcPort]); !ok {
		return reasonPort
	}
	if r.DstPort, ok = parsePort(e[ocsfDstPort]); !ok {
		return reasonPort
	}
	return ""
}

// place names the interface that the event was seen at: of the side that its
// direction makes the observer, of the only one that has any.
func (o *ocsf) place() string {
	src, dst := o.event[ocsfSrcInterface], o.event[ocsfDstInterface]
	id := src
	if len(src) == 0 || len(dst) > 0 && string(o.event[ocsfDirection]) == "1" { // inbound
		id = dst
	}
	if !set(id) || len(id) > 256 {
		return ""
	}
	return o.names.of(id)
}
