package extract

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"net/netip"
	"slices"

	"picket"
)

// maxHosts of one registrable domain have a row of their own in an hour, the first
// by name; what was asked of the others counts into the domain's own row, so that
// a tunnel's random names are one entity.
const maxHosts = 64

// rowsAtOnce of a window of names have room made for them together.
const rowsAtOnce = 64

// nameWindow is one name in one hour, over everybody who asked.
type nameWindow struct {
	Name
	sum     nameState
	clients uint64
	hour    int64
	elapsed int64
}

// NameWindows closes over parts of SourceNames: it computes the features of every
// name in every hour and hands them to emit, which may keep them. Rows come by
// hour, then by the name's labels from the last to the first.
func NameWindows(ctx context.Context, parts []Part, o CloseOptions, emit func(*picket.Features) error) (CloseStats, error) {
	stats := CloseStats{}
	for _, hour := range byHour(parts, o) {
		if err := nameHour(ctx, hour, o, &stats, emit); err != nil {
			return stats, fmt.Errorf("close windows of names: %w", err)
		}
	}
	return stats, nil
}

func nameHour(ctx context.Context, parts []Part, o CloseOptions, stats *CloseStats, emit func(*picket.Features) error) error {
	rows := newLedger[nameState](Options{TempDir: o.TempDir, MaxRows: o.MaxRows})
	defer rows.reset()
	for _, p := range parts {
		stats.Parts++
		if err := readLedgerPart(p, rows.add); err != nil {
			return err
		}
		if err := ctx.Err(); err != nil {
			return err
		}
	}
	hour := parts[0].ID.Hour
	elapsed := int64(picket.Hour)
	if o.Elapsed != nil {
		elapsed = o.Elapsed(hour, picket.Hour)
	}
	brands := o.Brands
	if brands == nil {
		brands = DefaultBrands()
	}
	var room []float64 // of rows to come: one allocation for many
	t := nameTally{hour: hour, elapsed: elapsed, emit: func(w *nameWindow) error {
		stats.Windows++
		if cap(room) < len(NameCatalogue) {
			room = make([]float64, 0, rowsAtOnce*len(NameCatalogue))
		}
		row := w.values(room[:0:len(NameCatalogue)], DefaultLexicon(), brands)
		room = room[len(NameCatalogue):len(NameCatalogue)]
		return emit(w.features(row))
	}}
	err := rows.each(func(key string, s *nameState) error {
		stats.Rows++
		stats.Conversations = add64(stats.Conversations, s.lookups())
		host, _ := splitNameKey(key)
		return t.add(host, s)
	})
	if err != nil {
		return err
	}
	return t.end()
}

// nameTally holds the windows of one registrable domain at a time.
type nameTally struct {
	hour, elapsed int64
	emit          func(*nameWindow) error
	domain        string
	windows       []*nameWindow
	rest          *nameWindow
}

func (t *nameTally) add(host string, s *nameState) error {
	if n := len(t.windows); n > 0 && t.rest == nil && t.windows[n-1].Host == host {
		t.windows[n-1].count(s)
		return nil
	}
	name, err := ParseName(host)
	if err != nil {
		return fmt.Errorf("%w: a row of %q", errCorrupt, host)
	}
	if name.Registrable != t.domain {
		if err := t.end(); err != nil {
			return err
		}
		t.domain = name.Registrable
	}
	if len(t.windows) < maxHosts {
		w := &nameWindow{Name: name, hour: t.hour, elapsed: t.elapsed}
		t.windows = append(t.windows, w)
		w.count(s)
		return nil
	}
	if t.rest == nil {
		t.rest = t.domainWindow()
	}
	t.rest.count(s)
	return nil
}

// domainWindow is the row of the domain itself. Its name sorts before those of its
// hosts.
func (t *nameTally) domainWindow() *nameWindow {
	if t.windows[0].Host == t.domain {
		return t.windows[0]
	}
	name, err := ParseName(t.domain)
	if err != nil { // a suffix that is a name of its own
		return t.windows[0]
	}
	w := &nameWindow{Name: name, hour: t.hour, elapsed: t.elapsed}
	t.windows = append(t.windows, w)
	return w
}

// end emits the windows of the domain at hand.
func (t *nameTally) end() error {
	for _, w := range t.windows {
		if err := t.emit(w); err != nil {
			return err
		}
	}
	t.windows, t.rest = t.windows[:0], nil
	return nil
}

func (w *nameWindow) count(s *nameState) {
	w.sum.merge(s)
	w.clients++
}

func (w *nameWindow) features(row []float64) *picket.Features {
	return &picket.Features{
		Window: picket.Window{
			Entity: picket.Entity{Kind: picket.KindName, ID: w.Host},
			Start:  w.hour, Seconds: picket.Hour, Source: picket.SourceNames,
		},
		Elapsed: w.elapsed,
		Flows:   w.sum.lookups(),
		Values:  row,
	}
}

// NameProofs returns what each of some windows of names rests on: the raw objects
// with the lines in between which they tell of the name, who asked most, and what
// there is to say in words. There are no conversation rows.
func NameProofs(ctx context.Context, parts []Part, windows []picket.Window, _ int) ([]Proof, error) {
	type key struct {
		hour int64
		host string
	}
	cases := map[key][]*nameProof{}
	all := make([]*nameProof, len(windows))
	for i, w := range windows {
		all[i] = &nameProof{clients: map[netip.Addr]uint64{}}
		k := key{w.Start, w.Entity.ID}
		cases[k] = append(cases[k], all[i])
	}
	for i := range parts {
		p := &parts[i]
		err := readLedgerPart(*p, func(text string, s *nameState) error {
			host, client := splitNameKey(text)
			for _, c := range cases[key{p.ID.Hour, host}] {
				c.take(p, client, s)
			}
			return nil
		})
		if err := cmp.Or(err, ctx.Err()); err != nil {
			return nil, fmt.Errorf("proofs of names: %w", err)
		}
	}
	proofs := make([]Proof, len(windows))
	for i, c := range all {
		proofs[i] = c.proof()
	}
	return proofs, nil
}

// nameProof gathers what one window of a name rests on.
type nameProof struct {
	evidence []picket.Evidence
	clients  map[netip.Addr]uint64
	sum      nameState
}

func (c *nameProof) take(p *Part, client netip.Addr, s *nameState) {
	c.sum.merge(s)
	if _, known := c.clients[client]; client.IsValid() && (known || len(c.clients) < maxPeerCount) {
		c.clients[client] += s.lookups()
	}
	last := len(c.evidence) - 1
	if last < 0 || c.evidence[last].Object != p.Object || c.evidence[last].Version != p.Version {
		c.evidence = append(c.evidence, picket.Evidence{Object: p.Object, Version: p.Version, FirstLine: s.lines[0]})
		last++
	}
	e := &c.evidence[last]
	e.FirstLine, e.LastLine = min(e.FirstLine, s.lines[0]), max(e.LastLine, s.lines[1])
	e.Flows += s.lookups()
}

func (c *nameProof) proof() Proof {
	slices.SortFunc(c.evidence, func(a, b picket.Evidence) int {
		return cmp.Or(cmp.Compare(a.Object, b.Object), cmp.Compare(a.Version, b.Version))
	})
	var peers []Peer
	order := slices.SortedFunc(maps.Keys(c.clients), func(a, b netip.Addr) int {
		return cmp.Or(cmp.Compare(c.clients[b], c.clients[a]), a.Compare(b))
	})
	for _, a := range order[:min(len(order), maxPeers)] {
		peers = append(peers, Peer{ID: a.String(), Flows: c.clients[a]})
	}
	return Proof{Evidence: c.evidence, Peers: peers, Answers: c.sum.answers, Facts: c.facts()}
}
