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

// crowds counts the peers of the outside entities among the pass's rows: they are
// the peers of the other kind's entities.
func (p *pass) crowds() (*crowds, error) {
	in, err := p.rows.each()
	if err != nil {
		return nil, err
	}
	c := &crowds{}
	var entity, peer addr
	var outside bool
	var peers uint32
	err = copyRows(in, func(f *flow) error {
		v := see(f, p.kind)
		switch {
		case peers == 0 || v.entity != entity:
			if outside {
				c.add(entity, peers)
			}
			entity, peer, peers, outside = v.entity, v.peer, 1, v.entity.external()
		case v.peer != peer:
			peer = v.peer
			peers++
		}
		return p.step()
	})
	if outside {
		c.add(entity, peers)
	}
	return c, err
}
