package picket

import "net/netip"

// Sources: the families of logs that records come from. A source decides which
// features a window can have; see the catalogue in pipeline/extract.
const (
	SourceVPC  = "vpc"  // VPC Flow Logs: one direction at one interface per record
	SourceZeek = "zeek" // Zeek conn: both directions of one connection per record
	SourcePcap = "pcap" // packets: one direction, one packet per record
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
	Source    string // SourceVPC, SourceZeek, SourcePcap
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
}

// Protocol numbers that features name.
const (
	ProtoICMP   uint8 = 1
	ProtoTCP    uint8 = 6
	ProtoUDP    uint8 = 17
	ProtoICMPv6 uint8 = 58
)
