package extract

import "slices"

// ports counts conversations and targets per port. Up to a few ports are looked
// up one by one; beyond, slot says where a port is, if it is there at all.
type ports struct {
	used []portCount
	slot []uint16
}

type portCount struct {
	flows   uint64
	targets uint64
	port    uint16
}

const fewPorts = 8

func (p *ports) reuse() ports { return ports{p.used[:0], p.slot} }

// at returns the counts of a port.
func (p *ports) at(port uint16) *portCount {
	n := len(p.used)
	if n < fewPorts {
		for i := range p.used {
			if p.used[i].port == port {
				return &p.used[i]
			}
		}
	} else if i := int(p.slot[port]); i < n && p.used[i].port == port {
		return &p.used[i]
	}
	p.used = append(p.used, portCount{port: port})
	if n+1 == fewPorts && p.slot == nil {
		p.slot = make([]uint16, 1<<16)
	}
	if n+1 == fewPorts {
		for i := range p.used {
			p.slot[p.used[i].port] = uint16(i)
		}
	} else if n+1 > fewPorts {
		p.slot[port] = uint16(n)
	}
	return &p.used[n]
}

// entropy returns the distribution of conversations over ports, which it sorts.
func (p *ports) entropy() entropy {
	slices.SortFunc(p.used, func(a, b portCount) int { return int(a.port) - int(b.port) })
	var e entropy
	for i := range p.used {
		e.add(p.used[i].flows)
	}
	return e
}

func (p *ports) mostTargets() uint64 {
	var most uint64
	for i := range p.used {
		most = max(most, p.used[i].targets)
	}
	return most
}
