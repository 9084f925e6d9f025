package simulate

import (
	"net/netip"
	"strconv"

	"picket"
)

// flowLog is how a cloud network sees conversations: at each interface of the
// network, each direction by itself, cut at the edges of an interval whose phase
// is the interface's own, and summed over what shares addresses and ports.
type flowLog struct {
	net      *network
	interval int64 // nanoseconds
	version  int
	loose    bool // records carry the interval's times, not those of the packets
	ids      map[netip.Addr]string
	places   func(netip.Addr) string // where a gateway sees a side; nil for interfaces of machines
	groups   [12]flowGroup
}

// flowGroup is the interfaces of one phase.
type flowGroup struct {
	edge  int64 // end of the interval that is being gathered, Unix nanoseconds
	going []flowPart
	index map[flowKey]int
	lines []line
}

// flowPart is a conversation as one interface sees it.
type flowPart struct {
	c    *Conversation
	eni  string
	host *host
}

type flowKey struct {
	src, dst     netip.Addr
	sport, dport uint16
	proto        uint8
	rejected     bool
	eni          string
}

func flowView(seconds int64, version int) func(*Script, *network) view {
	return func(s *Script, net *network) view {
		v := &flowLog{net: net, interval: seconds * second, version: version, ids: map[netip.Addr]string{}}
		v.loose = mix(net.seed^0x6c6f)%2 == 0
		for i := range v.groups {
			phase := int64(i) * v.interval / int64(len(v.groups))
			start := s.Start.UnixNano()
			v.groups[i] = flowGroup{edge: start - start%v.interval + phase, index: map[flowKey]int{}}
		}
		return v
	}
}

// eni is the name of a machine's interface.
func (v *flowLog) eni(h *host) string {
	id, ok := v.ids[h.addr]
	if !ok {
		hex := strconv.FormatUint(mix(h.id)|1<<63, 16) + "f"
		id = "eni-" + hex[:17]
		v.ids[h.addr] = id
	}
	return id
}

func (v *flowLog) take(c *Conversation, put func(*line) error) error {
	if c.Hidden {
		return nil
	}
	for i := range v.groups {
		if err := v.advance(&v.groups[i], c.Start, put); err != nil {
			return err
		}
	}
	if v.places != nil {
		v.passes(c)
		return nil
	}
	for _, a := range []netip.Addr{c.Src, c.Dst} {
		if h := v.net.byAddr[a]; h != nil {
			g := &v.groups[h.id%uint64(len(v.groups))]
			g.going = append(g.going, flowPart{c, v.eni(h), h})
		}
	}
	return nil
}

// passes notes a conversation at the attachments of a gateway that it passes.
func (v *flowLog) passes(c *Conversation) {
	in, out := v.places(c.Src), v.places(c.Dst)
	v.groups[0].going = append(v.groups[0].going, flowPart{c, in, v.net.byAddr[c.Dst]})
	if out != in {
		v.groups[0].going = append(v.groups[0].going, flowPart{c, out, v.net.byAddr[c.Dst]})
	}
}

// advance closes the intervals of a group that end before t.
func (v *flowLog) advance(g *flowGroup, t int64, put func(*line) error) error {
	for g.edge <= t {
		if len(g.going) == 0 {
			g.edge += (t-g.edge)/v.interval*v.interval + v.interval
			return nil
		}
		kept := g.going[:0]
		for _, p := range g.going {
			v.add(g, p, false)
			v.add(g, p, true)
			if p.c.End >= g.edge {
				kept = append(kept, p)
			}
		}
		clear(g.going[len(kept):])
		g.going = kept
		for i := range g.lines {
			if err := put(&g.lines[i]); err != nil {
				return err
			}
		}
		g.lines = g.lines[:0]
		clear(g.index)
		g.edge += v.interval
	}
	return nil
}

// add enters what one direction of a conversation sent in the interval.
func (v *flowLog) add(g *flowGroup, p flowPart, in bool) {
	c, from := p.c, g.edge-v.interval
	first, last := uint64(0), c.side(in).Packets
	if c.Start < from {
		first = c.before(in, from)
	}
	if c.End >= g.edge {
		last = c.before(in, g.edge)
	}
	if first >= last {
		return
	}
	src, dst, sport, dport := c.Src, c.Dst, c.SrcPort, c.DstPort
	if in {
		src, dst, sport, dport = dst, src, dport, sport
	}
	if c.Proto != picket.ProtoTCP && c.Proto != picket.ProtoUDP {
		sport, dport = 0, 0
	}
	rejected := c.Outcome == Blocked && v.net.byAddr[c.Dst] == p.host
	key := flowKey{src, dst, sport, dport, c.Proto, rejected, p.eni}
	i, ok := g.index[key]
	if !ok {
		i = len(g.lines)
		g.index[key] = i
		g.lines = append(g.lines, line{Record: picket.Record{Source: picket.SourceVPC, Interface: p.eni, Src: src, Dst: dst, SrcPort: sport, DstPort: dport,
			Proto: c.Proto, Rejected: rejected, Has: picket.HasAction, Start: seconds(c.at(in, first)), End: seconds(c.at(in, first))}, conv: c, in: in})
	}
	r := &g.lines[i].Record
	r.SrcPackets += last - first
	r.SrcBytes += c.bytes(in, last) - c.bytes(in, first)
	r.Start, r.End = min(r.Start, seconds(c.at(in, first))), max(r.End, seconds(c.at(in, last-1)))
	if v.loose {
		r.Start, r.End = from, g.edge-second
	}
	if v.version >= 3 && c.Proto == picket.ProtoTCP {
		r.Has |= picket.HasFlags
		r.SrcFlags |= flowFlags(c, in, first, last)
		r.Opener = openerOf(r.SrcFlags)
	}
}

// seconds cuts a time to whole seconds.
func seconds(t int64) int64 { return t - t%second }

// flowFlags are the TCP flags of packets [first, last) as flow logs note them:
// FIN, SYN and RST, and ACK with a SYN only.
func flowFlags(c *Conversation, in bool, first, last uint64) uint8 {
	const note = picket.FlagFIN | picket.FlagSYN | picket.FlagRST
	ends := c.flags(in, first) | c.flags(in, last-1)
	flags := ends & note
	if first == 0 && c.flags(in, 0)&picket.FlagSYN != 0 {
		flags |= c.flags(in, 0) & picket.FlagACK
	}
	return flags
}

func openerOf(flags uint8) picket.Opener {
	switch flags & (picket.FlagSYN | picket.FlagACK) {
	case picket.FlagSYN:
		return picket.OpenerSrc
	case picket.FlagSYN | picket.FlagACK:
		return picket.OpenerDst
	}
	return picket.OpenerUnknown
}

func (v *flowLog) finish(put func(*line) error) error {
	for i := range v.groups {
		g := &v.groups[i]
		for len(g.going) > 0 {
			if err := v.advance(g, g.edge, put); err != nil {
				return err
			}
		}
	}
	return nil
}
