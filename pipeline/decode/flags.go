package decode

import "picket"

// gatheredFlags turns the TCP flags of all packets of one side into what extract
// reads: ACK beside SYN is the answer to a SYN. Every side of a conversation that
// came about sent both, so what they say must follow from who is the client. A
// single packet says it itself.
func gatheredFlags(flags uint8, packets uint64, client bool) uint8 {
	const both = picket.FlagSYN | picket.FlagACK
	if client && packets > 1 && flags&both == both {
		return flags &^ picket.FlagACK
	}
	return flags
}

// oneWayFlags fills in the gathered flags of what Src sent, and who opened. Where
// SYN and ACK may be of several packets, the side with the higher port is the
// client; of equal ports nothing is said.
func oneWayFlags(r *picket.Record, flags uint8) {
	const both = picket.FlagSYN | picket.FlagACK
	r.Has |= picket.HasFlags
	if flags&both == both && r.SrcPackets > 1 && r.SrcPort == r.DstPort {
		r.SrcFlags = flags &^ picket.FlagACK
		return
	}
	r.SrcFlags = gatheredFlags(flags, r.SrcPackets, r.SrcPort > r.DstPort)
	r.Opener = opener(r.SrcFlags)
}
