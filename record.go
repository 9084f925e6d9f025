package picket

import "net/netip"

// Sources: the families of logs that records come from. A source decides which
// features a window can have; see the catalogue in pipeline/extract.
const (
	SourceVPC  = "vpc"  // VPC Flow Logs: one direction at one interface per record
	SourceZeek = "zeek" // Zeek conn: both directions of one connection per record
	SourcePcap = "pcap" // packets: one direction, one packet per record

	SourceNetFlow = "netflow" // NetFlow, IPFIX, netflow events: one direction of one flow at one exporter per record
	SourceEVE     = "eve"     // Suricata flow events: both directions of one flow per record
	SourceALB     = "alb"     // load balancer requests: both directions of one request per record
	SourceOCSF    = "ocsf"    // OCSF Network Activity that is not made of VPC Flow Logs: one or both directions

	SourceNames  = "names"  // names asked for: resolver queries, HTTP hosts, TLS server names, lists
	SourceAccess = "access" // what principals did: API calls, logins
)

// TCP flags as in RFC 9293, section 3.1, and VPC Flow Logs' tcp-flags.
const (
	FlagFIN uint8 = 1 << iota
	FlagSYN
	FlagRST
	FlagPSH
	FlagACK
	FlagURG
	FlagECE
	FlagCWR
)

// Opener says which side opened the conversation, where the log itself says so.
type Opener uint8

const (
	OpenerUnknown Opener = iota // the log does not say; extract decides from all records of the conversation
	OpenerSrc
	OpenerDst
)

// Has says which optional fields a log line carried. What it did not carry is
// unknown, which is not the same as zero.
type Has uint8

const (
	HasFlags   Has = 1 << iota // TCP flags
	HasPackets                 // packet sizes are per packet: the record is one packet
	HasPayload                 // payload bytes, headers excluded
	HasAction                  // the log says accepted or rejected
	HasReverse                 // the record speaks for both directions: zero from Dst means that Dst was silent
)

// Record is one event of a raw log: a flow record, a connection or a packet.
//
// Src and Dst are the sides as the log names them: the originator and the
// responder where the log knows (Opener), else the sender and the receiver.
// Who opened the conversation is decided in extract, from all its records.
type Record struct {
	Source    string // SourceVPC, SourceZeek, SourcePcap, ...
	Interface string // where the log was taken; "" where it does not say
	Line      uint64 // line or packet number in the raw object, from 1

	Start int64 // Unix nanoseconds, first packet
	End   int64 // Unix nanoseconds, last packet; not before Start

	Src, Dst         netip.Addr // never IPv4-mapped IPv6
	SrcPort, DstPort uint16     // 0 where the protocol has none (ICMP too)
	Proto            uint8      // IANA protocol number

	SrcPackets, DstPackets uint64 // sent by Src, sent by Dst
	SrcBytes, DstBytes     uint64 // IP bytes, headers included
	SrcPayload, DstPayload uint64 // transport payload bytes; see HasPayload
	SrcFlags, DstFlags     uint8  // TCP flags seen from each side, OR-ed
	Fragment               bool   // an IP fragment, first ones included
	Rejected               bool   // the network refused it (action REJECT)
	Lost                   bool   // the log says that records are missing here (SKIPDATA): no addresses, only times
	Opener                 Opener
	Has                    Has

	Lookup *Lookup // a name that Src asked for; such a record may be a packet too
	Access *Access // what a principal did, or tried to, from Src; such a record is no flow
}

// Lookup is a name that somebody asked for. It is what a record of SourceNames
// says, and what a packet can carry besides being a packet.
type Lookup struct {
	Name string // a host name as the log has it, or a URL; hostile input
	Via  string // "dns", "http", "tls", "list"

	Type    string       // of the DNS question: "A", "AAAA", "TXT"; "" where unknown
	Code    string       // of the DNS answer: "NOERROR", "NXDOMAIN"; "" where unknown
	Told    bool         `json:",omitempty"` // the answer to a question that the log told by itself
	Answers []netip.Addr // addresses that it led to
	Issuer  string       // of the TLS certificate, where the log has it
	Valid   [2]int64     // Unix seconds: the certificate's validity; 0 where unknown
}

// Access is one thing that a principal did or tried to do: an API call, a
// console login, a login at a host.
type Access struct {
	ID        string // of the event, where the log gives it one (CloudTrail eventID): an event told twice is one event
	Principal string // user, role or account: an ARN, or a user name; hostile input
	Account   string // AWS account, or the host that logged it
	Kind      string // of principal: "root", "user", "role", "service", "federated", "login"; "" where unknown

	Service string // "iam.amazonaws.com", "ssh", "rdp"
	Action  string // "CreateUser", "ConsoleLogin", "login"
	Target  string // what it was done to, where the log says: a role, a bucket, a host
	Region  string
	Agent   string // user agent, or SSH client version
	From    string // where it came from, where that is no address: "cloudformation.amazonaws.com", a host name
	Key     string // access key id that signed it
	Session string // who assumed the role, where the principal is one

	Failed bool
	Error  string // "AccessDenied", "Failed authentication", "invalid user"
	MFA    bool   // the login or session was authenticated by a second factor
	Write  bool   // it changes something
	Count  uint64 // how many such events the record stands for ("message repeated N times"); at least 1

	Params map[string]string // the few request parameters that rules read; see pipeline/extract
}

// Protocol numbers that features name.
const (
	ProtoICMP   uint8 = 1
	ProtoTCP    uint8 = 6
	ProtoUDP    uint8 = 17
	ProtoICMPv6 uint8 = 58
)
