package extract

// maxCrowds bounds the outside addresses whose company is known. Beyond, those
// with the least company count as if one entity alone had them.
const maxCrowds = 1 << 17

// crowds says how many entities of a span had an outside address as a peer. Who
// is a peer of many is a site, an update server or a scanner; who is a peer of
// one alone is seldom any of these. Addresses that have one are not kept.
type crowds struct {
	of    map[addr]uint32
	floor uint32 // the fewest that are kept
}

// count returns how many entities had the address as a peer, at least 1.
func (c *crowds) count(a addr) uint64 {
	return uint64(max(1, c.of[a]))
}

// add takes an address with its number of peers. Each is told once.
func (c *crowds) add(a addr, peers uint32) {
	if peers < max(2, c.floor) {
		return
	}
	if c.of == nil {
		c.of = map[addr]uint32{}
	}
	c.of[a] += peers // of logs of two intervals
	for len(c.of) > maxCrowds {
		c.floor = max(2, c.floor) + 1
		for a, n := range c.of {
			if n < c.floor {
				delete(c.of, a)
			}
		}
	}
}

// habits are what the entities of a kind do with addresses outside, all together,
// in the hour or day around a window. A port, an upload or a machine is only odd
// beside the others of its network.
type habits struct {
	entities uint64           // that have a peer outside
	bytesOut uint64           // that they sent there
	ports    *[1 << 16]uint32 // by service port, entities that have a peer outside on it; nil: nobody has
}

// on returns how many entities use a service port with somebody outside, at least 1.
func (h *habits) on(port uint16) uint64 {
	if h.ports == nil {
		return 1
	}
	return uint64(max(1, h.ports[port]))
}

// look counts, in one reading of the pass's rows, the peers of the outside
// entities, which are peers of the other kind's entities, and what the pass's own
// entities do outside.
func (p *pass) look() (*crowds, *habits, error) {
	in, err := p.rows.each()
	if err != nil {
		return nil, nil, err
	}
	l := looker{crowds: &crowds{}, habits: &habits{}}
	err = copyRows(in, func(f *flow) error {
		l.add(see(f, p.kind))
		return p.step()
	})
	l.end()
	return l.crowds, l.habits, err
}

// looker is the entity at hand of look. The rows of an entity come peer by peer.
type looker struct {
	crowds *crowds
	habits *habits

	entity, peer addr
	peers        uint32
	outside      bool             // the entity
	away         bool             // the peer
	counted      bool             // among the entities that have a peer outside
	last         *[1 << 16]uint32 // by service port, the last entity that was counted, from 1
}

func (l *looker) add(v view) {
	switch {
	case l.peers == 0 || v.entity != l.entity:
		l.end()
		l.entity, l.peers, l.outside, l.counted = v.entity, 0, v.entity.external(), false
		fallthrough
	case v.peer != l.peer:
		l.peer, l.away = v.peer, v.peer.external()
		l.peers++
	}
	if !l.away {
		return
	}
	if !l.counted {
		l.counted = true
		l.habits.entities++
	}
	if l.last == nil {
		l.last, l.habits.ports = new([1 << 16]uint32), new([1 << 16]uint32)
	}
	l.habits.bytesOut = add64(l.habits.bytesOut, v.out.bytes)
	if n := uint32(l.habits.entities); l.last[v.servicePort] != n {
		l.last[v.servicePort] = n
		l.habits.ports[v.servicePort]++
	}
}

func (l *looker) end() {
	if l.outside {
		l.crowds.add(l.entity, l.peers)
	}
}
