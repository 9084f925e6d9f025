package extract

import (
	"math"
	"math/rand/v2"
	"net/netip"
	"testing"

	"picket"
)

// TestProjection wants each column by itself to be the bits that it is among all.
func TestProjection(t *testing.T) {
	rng := rand.New(rand.NewPCG(81, 82))
	for _, source := range sources {
		records := traffic(rng, source, 400)
		o := options(source, 60, 600, 3600)
		o.MaxEntities = 7
		all := rows(t, records, o)
		for i := range Catalogue {
			o.Columns = []int{i}
			for j, row := range rows(t, records, o) {
				if math.Float64bits(row.Values[0]) != math.Float64bits(all[j].Values[i]) || row.Window != all[j].Window {
					t.Errorf("%s of %s alone is %v, among all %v", Catalogue[i].Name, row.Window, row.Values[0], all[j].Values[i])
					break
				}
			}
		}
		o.Columns, o.Kinds = nil, []picket.Kind{picket.KindVictim}
		for _, row := range rows(t, records, o) {
			if row.Entity.Kind != picket.KindVictim {
				t.Fatal(row.Window)
			}
		}
	}
}

func TestExternal4(t *testing.T) {
	rng := rand.New(rand.NewPCG(83, 84))
	f := func(ip uint32) {
		t.Helper()
		a := netip.AddrFrom4([4]byte{byte(ip >> 24), byte(ip >> 16), byte(ip >> 8), byte(ip)})
		want := a.IsGlobalUnicast() && !a.IsPrivate() && ip>>22 != 100<<2|1
		if external4(ip) != want {
			t.Errorf("%s: external %v", a, !want)
		}
	}
	for first := range uint32(256) {
		for second := range uint32(256) {
			f(first<<24 | second<<16)
			f(first<<24 | second<<16 | 0xffff)
			f(first<<24 | second<<16 | rng.Uint32N(1<<16))
		}
	}
}
