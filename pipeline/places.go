package pipeline

import (
	"cmp"
	"fmt"
	"io"
	"net/netip"
	"slices"
	"strings"

	"github.com/oschwald/maxminddb-golang/v2"

	"picket"
	"picket/pipeline/extract"
	"picket/pipeline/triage"
)

// maxPlaces bounds what is read of a file of places, in bytes. GeoLite2-City, the
// largest that is common, has 60 MB.
const maxPlaces = 1 << 29

// readPlaces reads a file in MaxMind's format: GeoLite2, GeoIP2, DB-IP, IPinfo.
func readPlaces(r io.Reader) (*maxminddb.Reader, int, error) {
	content, err := io.ReadAll(io.LimitReader(r, maxPlaces+1))
	if err != nil {
		return nil, 0, err
	}
	if len(content) > maxPlaces {
		return nil, 0, fmt.Errorf("larger than %d bytes", maxPlaces)
	}
	db, err := maxminddb.OpenBytes(content)
	if err != nil {
		return nil, 0, fmt.Errorf("not in MaxMind's format: %w", err)
	}
	return db, int(db.Metadata.NodeCount), nil
}

// place is where an address is, as far as the user's files say: "" and 0 are unknown.
type place struct {
	country string // ISO 3166-1, "DE"
	asn     uint64
	holder  string // of the autonomous system
}

func (p place) String() string {
	var parts []string
	if p.country != "" {
		parts = append(parts, p.country)
	}
	if p.asn != 0 {
		parts = append(parts, strings.TrimSpace(fmt.Sprintf("AS%d %s", p.asn, p.holder)))
	}
	return strings.Join(parts, ", ")
}

// places are the user's files of places as they are now.
type places []*maxminddb.Reader

// of looks an address up in all of them. What cannot be read there is unknown.
func (p places) of(a netip.Addr) (found place) {
	for _, db := range p {
		var row struct {
			Country struct {
				Code string `maxminddb:"iso_code"`
			} `maxminddb:"country"`
			ASN    uint64 `maxminddb:"autonomous_system_number"`
			Holder string `maxminddb:"autonomous_system_organization"`
		}
		if r := db.Lookup(a.WithZone("")); !r.Found() || r.Decode(&row) != nil {
			continue
		}
		found.country = cmp.Or(found.country, row.Country.Code)
		found.asn = cmp.Or(found.asn, row.ASN)
		found.holder = cmp.Or(found.holder, row.Holder)
	}
	return found
}

// maxPlaceFacts addresses of a finding are told with their places.
const maxPlaceFacts = 3

// facts say where the largest peers of an alert of access are.
func (p places) facts(peers []triage.Peer) (facts []picket.Fact) {
	for _, peer := range peers {
		a, err := netip.ParseAddr(peer.ID)
		if err != nil {
			continue
		}
		if where := p.of(a).String(); where != "" && len(facts) < maxPlaceFacts {
			facts = append(facts, picket.Fact{Name: "from", Value: peer.ID + " (" + where + ")"})
		}
	}
	return facts
}

// travel is what the callers of a day tell of the places that principals call from.
type travel struct {
	places places
	calls  map[string][]stop // of each principal
}

type stop struct {
	at   int64 // Unix nanoseconds
	from netip.Addr
	in   place
}

// maxStops bounds what is followed of one principal.
const maxStops = 1 << 16

func (t *travel) take(c extract.Caller) {
	where := t.places.of(c.From)
	if where.country == "" || len(t.calls[c.Principal]) >= maxStops || len(t.calls) >= maxRuled && t.calls[c.Principal] == nil {
		return
	}
	t.calls[c.Principal] = append(t.calls[c.Principal], stop{c.At, c.From, where})
}

// travelTime is how close in time calls from two countries are to be impossible for
// one person, and rare for one program.
const travelTime = 3600 * 1_000_000_000

// tell adds the principals that call from two countries within an hour.
func (t *travel) tell(all meetings) {
	for principal, stops := range t.calls {
		slices.SortFunc(stops, func(a, b stop) int {
			return cmp.Or(cmp.Compare(a.at, b.at), a.from.Compare(b.from))
		})
		for i := 1; i < len(stops); i++ {
			a, b := &stops[i-1], &stops[i]
			if a.in.country == b.in.country || b.at-a.at > travelTime {
				continue
			}
			ruling := &triage.Ruling{Cut: picket.CutRule, Type: triage.TypeTwoCountries, Severity: picket.SeverityMedium}
			fact := picket.Fact{Name: "from", Value: fmt.Sprintf("%s (%s) and, %d minutes later, %s (%s)", a.from, a.in, (b.at-a.at)/60e9, b.from, b.in)}
			e := picket.Entity{Kind: picket.KindPrincipal, ID: principal}
			all.add(e, ruling, picket.ClassAccess, b.from.String(), 1, fact)
			all.add(e, ruling, picket.ClassAccess, a.from.String(), 1, fact)
			break
		}
	}
}
