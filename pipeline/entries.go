package pipeline

import (
	"bufio"
	"fmt"
	"io"
	"net/netip"
	"slices"
	"strings"

	"picket/pipeline/extract"
)

// entries are what a list holds: addresses, networks and names.
type entries struct {
	networks map[netip.Prefix]bool
	bits     [2][]int // lengths of IPv4 and IPv6 networks that occur
	names    map[string]bool
}

// readEntries reads addresses, networks in CIDR form and names, one a line; # begins
// a comment.
func readEntries(r io.Reader) (*entries, int, error) {
	e := &entries{networks: map[netip.Prefix]bool{}, names: map[string]bool{}}
	lines := bufio.NewScanner(r)
	for n := 1; lines.Scan(); n++ {
		text, _, _ := strings.Cut(lines.Text(), "#")
		if text = strings.TrimSpace(text); text == "" {
			continue
		}
		if err := e.add(text); err != nil {
			return nil, 0, fmt.Errorf("line %d: %q: %w", n, text, err)
		}
	}
	return e, len(e.networks) + len(e.names), lines.Err()
}

func (e *entries) add(text string) error {
	if network, err := netip.ParsePrefix(text); err == nil {
		return e.addNetwork(network)
	}
	if address, err := netip.ParseAddr(text); err == nil {
		address = address.Unmap().WithZone("")
		return e.addNetwork(netip.PrefixFrom(address, address.BitLen()))
	}
	name, err := extract.ParseName(text)
	if err != nil {
		return err
	}
	e.names[name.Host] = true
	return nil
}

func (e *entries) addNetwork(network netip.Prefix) error {
	network = network.Masked()
	if !network.IsValid() {
		return fmt.Errorf("not a network")
	}
	e.networks[network] = true
	family := &e.bits[boolIndex(network.Addr().Is6())]
	if !slices.Contains(*family, network.Bits()) {
		*family = append(*family, network.Bits())
	}
	return nil
}

func boolIndex(b bool) int {
	if b {
		return 1
	}
	return 0
}

// hasAddress reports whether an address, or a network that it is in, is listed.
func (e *entries) hasAddress(a netip.Addr) bool {
	if e == nil || !a.IsValid() {
		return false
	}
	for _, bits := range e.bits[boolIndex(a.Is6())] {
		if network, err := a.Prefix(bits); err == nil && e.networks[network] {
			return true
		}
	}
	return false
}

// has reports whether an entity's id is listed: an address, or a name or a domain
// above it.
func (e *entries) has(id string) bool {
	if e == nil {
		return false
	}
	if a, err := netip.ParseAddr(id); err == nil {
		return e.hasAddress(a)
	}
	return covers(e.names, id)
}
