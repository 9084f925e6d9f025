package pipeline

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"time"

	"picket"
	"picket/pipeline/extract"
	"picket/pipeline/triage"
)

// maxFollowed connections are told of a finding.
const maxFollowed = 3

// followed says of a finding on a name whether who asked for it connected to an
// address that it led to, in the same hour, by the flows that the bucket has.
func (p *Pipeline) followed(ctx context.Context, f *picket.Finding, proof extract.Proof) error {
	if f.Entity.Kind != picket.KindName || len(proof.Answers) == 0 || len(proof.Peers) == 0 {
		return nil
	}
	asked, led := map[string]bool{}, map[netip.Addr]bool{}
	for _, peer := range proof.Peers {
		asked[peer.ID] = true
	}
	for _, a := range proof.Answers {
		led[a] = true
	}
	first := map[string]int64{} // by "10.0.0.5 to 192.0.2.7"
	note := func(client, server netip.Addr, start int64) {
		if asked[client.String()] && led[server] {
			pair := client.String() + " to " + server.String()
			if at, known := first[pair]; !known || start < at {
				first[pair] = start
			}
		}
	}
	looked := false
	for _, source := range extract.FlowSources() {
		hour := slot{Start: f.At - f.At%picket.Hour, Source: source}
		parts, err := p.parts(ctx, hour)
		if err != nil {
			return err
		}
		looked = looked || len(parts.newest) > 0
		o := extract.CloseOptions{Source: source, From: hour.Start, To: hour.End(), TempDir: p.deps.TempDir}
		err = extract.Talks(ctx, parts.newest, o, func(a, b netip.Addr, start, _ int64) {
			note(a, b, start)
			note(b, a, start)
		})
		if err != nil {
			return err
		}
	}
	if !looked {
		return nil // nothing is known of connections
	}
	if len(first) == 0 {
		f.Facts = append(slices.Clip(f.Facts), picket.Fact{Name: triage.FactFollowed, Value: "no connection that the flows of the hour show"})
		return nil
	}
	pairs := slices.SortedFunc(maps.Keys(first), func(a, b string) int { return cmp.Or(cmp.Compare(first[a], first[b]), cmp.Compare(a, b)) })
	for _, pair := range pairs[:min(len(pairs), maxFollowed)] {
		f.Facts = append(slices.Clip(f.Facts), picket.Fact{Name: triage.FactFollowed,
			Value: fmt.Sprintf("a connection from %s at %s", pair, time.Unix(first[pair], 0).UTC().Format("15:04 UTC"))})
	}
	return nil
}
