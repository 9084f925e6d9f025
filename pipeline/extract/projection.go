package extract

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"picket"
)

// needs says which state of a window some features are computed from, beyond its
// sums: what nobody asks for is not kept.
type needs uint8

const (
	needPeers    needs = 1 << iota // peers, subnets and targets
	needServices                   // flows by service port
	needClients                    // flows by client port
	needTime                       // ticks, and minutes of pairs
	needCompany                    // how many entities have a peer
	needSizes                      // squares of packet sizes
	needExternal                   // bytes to the outside
	needAll      = needPeers | needServices | needClients | needTime | needCompany | needSizes | needExternal
)

// more are sums that need what others do not.
var more = map[string]needs{"flow_mean_packet_size_variance": needSizes, "external_byte_share_out": needExternal}

// lesser are features of the shape that need only some of it. All others of the
// shape need all.
var lesser = map[string]needs{
	"peers": needPeers, "peer_subnets": needPeers, "peer_ip_entropy": needPeers, "peer_ip_entropy_normalised": needPeers,
	"peer_subnet_entropy": needPeers, "top_peer_flow_share": needPeers, "top_peer_byte_share_out": needPeers,
	"service_ports": needServices, "service_port_entropy": needServices, "service_port_entropy_normalised": needServices,
	"top_service_port_flow_share": needServices, "client_port_entropy": needClients, "client_port_entropy_normalised": needClients,
	"targets": needPeers, "ports_per_peer_max": needPeers, "peers_per_port_max": needPeers | needServices,
	"flows_per_target_mean": needPeers, "flows_per_target_max": needPeers, "login_flows_per_target_max": needPeers,
	"active_tick_share": needTime, "tick_count_cv": needTime,
}

// projection is the columns that a close computes.
type projection struct {
	columns []*Feature
	needs   needs
}

// project returns the projection onto some columns of the catalogue, by number;
// none are all.
func project(columns []int) projection {
	if len(columns) == 0 {
		columns = make([]int, len(Catalogue))
		for i := range columns {
			columns[i] = i
		}
	}
	var p projection
	for _, i := range columns {
		f := &Catalogue[i]
		p.columns = append(p.columns, f)
		if f.State == fromSums {
			p.needs |= more[f.Name]
		} else if n, ok := lesser[f.Name]; ok {
			p.needs |= n
		} else {
			p.needs |= needAll
		}
	}
	return p
}

// Columns returns the places of features in a schema, for CloseOptions. An unknown
// name is an error that tells of a near one.
func Columns(schema picket.Schema, names []string) ([]int, error) {
	columns := make([]int, len(names))
	for i, name := range names {
		columns[i] = slices.Index(schema.Names, name)
		if columns[i] >= 0 {
			continue
		}
		for _, known := range schema.Names {
			if strings.Contains(known, name) || editDistance(known, name) <= 2 {
				return nil, fmt.Errorf("no feature %q: %q?", name, known)
			}
		}
		return nil, fmt.Errorf("no feature %q", name)
	}
	return columns, nil
}

// values computes the features of a closed window.
func (p *projection) values(w *window) []float64 {
	values := make([]float64, len(p.columns))
	for i, f := range p.columns {
		if w.rest && f.State == fromShape {
			values[i] = math.NaN()
			continue
		}
		values[i] = f.of(w)
	}
	return values
}
