package simulate

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
)

// host is one machine of the network.
type host struct {
	name string
	role string // "host", "iot", "plc" or a server's role
	addr netip.Addr
	six  netip.Addr // not valid: the network has no IPv6
	id   uint64
}

// serverRoles are given to the network's servers in this order, over and over.
var serverRoles = []string{"web", "db", "file", "app", "mail", "dns", "monitor", "ssh", "backup", "proxy", "web", "app", "cache", "ci", "web", "ldap"}

// serverPorts are the open ports of a role, the main one first.
var serverPorts = map[string][]uint16{
	"web": {443, 80, 22}, "db": {3306, 5432, 22}, "file": {445, 139, 22}, "app": {8080, 8443, 22},
	"mail": {25, 587, 993, 143, 22}, "dns": {53, 22}, "monitor": {3000, 9090, 22}, "ssh": {22}, "backup": {873, 22},
	"proxy": {3128, 8080, 22}, "cache": {6379, 11211, 22}, "ci": {8080, 443, 22}, "ldap": {389, 636, 88, 445, 3389, 135},
	"plc": {502}, "host": {445, 3389, 135, 22}, "iot": {80, 23},
}

// network is who there is: the machines inside, and how to draw those outside.
type network struct {
	seed     uint64
	prefix   netip.Prefix
	hosts    []*host // workstations
	things   []*host // iot
	plcs     []*host
	servers  []*host
	all      []*host
	byName   map[string]*host
	byRole   map[string][]*host
	byAddr   map[netip.Addr]*host
	resolver netip.Addr // of the cloud provider or the router; or the network's own
	ownDNS   bool
	cloud    bool
	wall     bool // a firewall refuses what no rule allows
	sites    int  // how many sites the world outside has
}

// newNetwork lays the machines out over the prefix.
func newNetwork(n Network, seed uint64) (*network, error) {
	net := &network{seed: mix(seed ^ 0x6e6574), prefix: n.Prefix.Masked(), cloud: n.Cloud, byName: map[string]*host{}, byRole: map[string][]*host{}, byAddr: map[netip.Addr]*host{}}
	d := newDice(seed, 1)
	net.sites = 200 + d.count(span{100, 20000})
	net.wall = n.Cloud || d.chance(0.6)
	total := n.Machines()
	room := uint64(1) << min(40, net.prefix.Addr().BitLen()-net.prefix.Bits())
	if uint64(total)+10 > room {
		return nil, fmt.Errorf("%s has no room for %d machines", net.prefix, total)
	}
	step := max(1, min(room/uint64(total+8), uint64(1+d.IntN(7))))
	slot := uint64(4 + d.IntN(4))
	place := func(role, name string) *host {
		h := &host{name: name, role: role, addr: offset(net.prefix.Addr(), slot), id: mix(net.seed + slot)}
		if n.Prefix6.IsValid() {
			h.six = offset(n.Prefix6.Masked().Addr(), mix(slot)>>1)
		}
		slot += 1 + uint64(d.IntN(int(step)))
		net.all = append(net.all, h)
		net.byName[name], net.byAddr[h.addr] = h, h
		if h.six.IsValid() {
			net.byAddr[h.six] = h
		}
		net.byRole[role] = append(net.byRole[role], h)
		return h
	}
	for i := range n.Servers {
		role := serverRoles[i%len(serverRoles)]
		net.servers = append(net.servers, place(role, role+strconv.Itoa(len(net.byRole[role])+1)))
	}
	for i := range n.Hosts {
		net.hosts = append(net.hosts, place("host", "host"+strconv.Itoa(i+1)))
	}
	for i := range n.Things {
		net.things = append(net.things, place("iot", "iot"+strconv.Itoa(i+1)))
	}
	for i := range n.PLCs {
		net.plcs = append(net.plcs, place("plc", "plc"+strconv.Itoa(i+1)))
	}
	net.resolver = offset(net.prefix.Addr(), 2)
	if own := net.byRole["dns"]; len(own) > 0 && !n.Cloud {
		net.resolver, net.ownDNS = own[0].addr, true
	}
	return net, nil
}

// offset is the address n after a.
func offset(a netip.Addr, n uint64) netip.Addr {
	if a.Is4() {
		b := a.As4()
		binary.BigEndian.PutUint32(b[:], binary.BigEndian.Uint32(b[:])+uint32(n))
		return netip.AddrFrom4(b)
	}
	b := a.As16()
	binary.BigEndian.PutUint64(b[8:], binary.BigEndian.Uint64(b[8:])+n)
	return netip.AddrFrom16(b)
}

// outside is the public address that the number stands for.
func (n *network) outside(x uint64) netip.Addr {
	for {
		x = mix(x ^ n.seed)
		b := [4]byte{byte(1 + x%222), byte(x >> 8), byte(x >> 16), byte(1 + (x>>24)%254)}
		a := netip.AddrFrom4(b)
		if b[0] == 127 || b[0] == 100 || b[0] == 198 || b[0] == 169 || b[0] == 192 || a.IsPrivate() || n.prefix.Contains(a) {
			continue
		}
		return a
	}
}

// outside6 is the same for IPv6.
func (n *network) outside6(x uint64) netip.Addr {
	x = mix(x ^ n.seed)
	var b [16]byte
	binary.BigEndian.PutUint64(b[:], 0x2400_0000_0000_0000|x>>8&0x0fff_ffff_ffff_ffff)
	binary.BigEndian.PutUint64(b[8:], mix(x)>>(x%3*16))
	return netip.AddrFrom16(b)
}

// inside reports whether a is one of the network's own addresses.
func (n *network) inside(a netip.Addr) bool { return n.prefix.Contains(a) || n.byAddr[a] != nil }

// site is a server outside by popularity: number 0 is asked for most.
func (n *network) site(i int) netip.Addr { return n.outside(uint64(i) + 1<<32) }

// site6 is the same server's IPv6 address.
func (n *network) site6(i int) netip.Addr { return n.outside6(uint64(i) + 1<<32) }

// listens reports whether the machine at a has the port open.
func (n *network) listens(a netip.Addr, port uint16) bool {
	h := n.byAddr[a]
	if h == nil {
		return false
	}
	for _, p := range serverPorts[h.role] {
		if p == port {
			return true
		}
	}
	return mix(h.id^uint64(port))%97 == 0
}

// find gives the machines that a script's word names: a machine, a role, or a
// group. A word that is none of these is an error.
func (n *network) find(word string) ([]*host, error) {
	switch word {
	case "all":
		return n.all, nil
	case "hosts":
		return n.hosts, nil
	case "servers":
		return n.servers, nil
	}
	if h := n.byName[word]; h != nil {
		return []*host{h}, nil
	}
	if group := n.byRole[word]; len(group) > 0 {
		return group, nil
	}
	if a, err := netip.ParseAddr(word); err == nil {
		if h := n.byAddr[a]; h != nil {
			return []*host{h}, nil
		}
		return []*host{{name: word, role: "outside", addr: a, id: mix(uint64(len(word)))}}, nil
	}
	var names []string
	for _, h := range n.servers {
		names = append(names, h.name)
	}
	return nil, fmt.Errorf("no machine %q; there are %d hosts (host1, host2, ...) and the servers %s", word, len(n.hosts), strings.Join(names, ", "))
}
