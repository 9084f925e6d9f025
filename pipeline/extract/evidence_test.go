package extract

import (
	"bytes"
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"picket"
)

func TestProofs(t *testing.T) {
	record := func(line uint64, second int64, sport uint16, octets uint64) picket.Record {
		r := vpc(second, "198.51.100.7", sport, "10.0.0.1", 22, 10, octets, picket.FlagSYN)
		r.Line = line
		return r
	}
	other := vpc(0, "10.0.0.5", 40000, "10.0.0.6", 443, 1, 9999, picket.FlagSYN)
	parts := slices.Concat(
		build(t, Options{}, "raw/b", []picket.Record{record(7, 0, 40000, 500), record(9, 60, 40001, 800), other}),
		build(t, Options{}, "raw/a", []picket.Record{record(3, 0, 40000, 100), record(5, 3600, 40002, 900)}),
		build(t, Options{}, "raw/c", []picket.Record{other}))
	f := func(w picket.Window, limit int, want string) {
		t.Helper()
		proofs, err := Proofs(context.Background(), parts, []picket.Window{w}, limit)
		if err != nil {
			t.Fatal(err)
		}
		objects, rows := proofs[0].Evidence, proofs[0].Rows
		var s strings.Builder
		for _, o := range objects {
			fmt.Fprintf(&s, "%s %s %d-%d %d; ", o.Object, o.Version, o.FirstLine, o.LastLine, o.Flows)
		}
		for _, r := range rows {
			fmt.Fprintf(&s, "%d %s:%d>%s:%d %d %s:%d-%d; ", (r.Minute-t0)/60, r.Actor, r.ActorPort, r.Victim, r.VictimPort, r.ActorBytes,
				r.Object, r.FirstLine, r.LastLine)
		}
		if s.String() != want {
			t.Errorf("proof of %v:\n%s\nwant\n%s", w, s.String(), want)
		}
	}
	actor := picket.Entity{Kind: picket.KindActor, ID: "198.51.100.7"}
	f(picket.Window{Entity: actor, Start: t0, Seconds: 60, Source: "vpc/60"}, 9,
		"raw/a v1 3-3 1; raw/b v1 7-7 1; 0 198.51.100.7:40000>10.0.0.1:22 600 raw/a:3-3; ")
	victim := picket.Entity{Kind: picket.KindVictim, ID: "10.0.0.1"}
	f(picket.Window{Entity: victim, Start: t0, Seconds: 3600, Source: "vpc/60"}, 1,
		"raw/a v1 3-3 1; raw/b v1 7-9 2; 1 198.51.100.7:40001>10.0.0.1:22 800 raw/b:9-9; ")
	f(picket.Window{Entity: victim, Start: t0 - 12*3600, Seconds: 86400, Source: "vpc/60"}, 2,
		"raw/a v1 3-5 2; raw/b v1 7-9 2; 60 198.51.100.7:40002>10.0.0.1:22 900 raw/a:5-5; 1 198.51.100.7:40001>10.0.0.1:22 800 raw/b:9-9; ")
	f(picket.Window{Entity: victim, Start: t0, Seconds: 3600, Source: "vpc/600"}, 9, "")
	f(picket.Window{Entity: picket.Entity{Kind: picket.KindVictim, ID: picket.Rest}, Start: t0, Seconds: 60, Source: "vpc/60"}, 9, "")
}

// TestTakers wants the outside peers by what was sent to them in the window, not by
// flows, and nobody inside.
func TestTakers(t *testing.T) {
	var records []picket.Record
	for minute := range int64(3) {
		records = append(records, vpc(minute*60, "10.0.0.9", uint16(40000+minute), "198.51.100.1", 443, 2, 100, picket.FlagSYN))
	}
	records = append(records, vpc(60, "10.0.0.9", 41000, "198.51.100.2", 443, 90, 90000, picket.FlagSYN),
		vpc(60, "10.0.0.9", 42000, "10.0.0.3", 445, 900, 900000, picket.FlagSYN),
		vpc(660, "10.0.0.9", 43000, "198.51.100.3", 443, 900, 900000, picket.FlagSYN))
	w := picket.Window{Entity: picket.Entity{Kind: picket.KindActor, ID: "10.0.0.9"}, Start: t0, Seconds: 600, Source: "vpc/60"}
	proofs, err := Proofs(context.Background(), build(t, Options{}, "raw/a", records), []picket.Window{w}, 0)
	if err != nil {
		t.Fatal(err)
	}
	want := []Peer{{"198.51.100.2", 1, 90000}, {"198.51.100.1", 3, 300}}
	if got := proofs[0].Takers; !slices.Equal(got, want) {
		t.Errorf("takers %v, want %v", got, want)
	}
}

// TestProofsFitTheWindows wants the rows of the evidence to add up to the
// window, however many parts there are.
func TestProofsFitTheWindows(t *testing.T) {
	rng := rand.New(rand.NewPCG(23, 24))
	records := traffic(rng, picket.SourceVPC, 2*fanIn)
	parts := cut(t, rng, t.TempDir(), records, fanIn+5, 1000)
	all := closeAll(t, parts, options("vpc", 3600))
	windows := make([]picket.Window, len(all))
	for i := range all {
		windows[i] = all[i].Window
	}
	proofs, err := Proofs(context.Background(), parts, windows, 1e6)
	if err != nil {
		t.Fatal(err)
	}
	for i, f := range all {
		var bytes float64
		for _, r := range proofs[i].Rows {
			bytes += float64(r.ActorBytes + r.VictimBytes)
		}
		if want := value(t, &f, "bytes_per_flow") * float64(f.Flows); math.Abs(bytes-want) > 1e-6*want || len(proofs[i].Evidence) == 0 {
			t.Errorf("%v: rows of %v bytes in %d objects, the window has %v", f.Window, bytes, len(proofs[i].Evidence), want)
		}
		var flows uint64
		for _, p := range proofs[i].Peers {
			flows += p.Flows
		}
		if flows != f.Flows || float64(len(proofs[i].Peers)) != value(t, &f, "peers") {
			t.Errorf("%v: peers %v, the window has %d flows", f.Window, proofs[i].Peers, f.Flows)
		}
	}
}

func TestParquet(t *testing.T) {
	rng := rand.New(rand.NewPCG(25, 26))
	schema := Schema(picket.KindActor)
	for _, n := range []int{0, 1, 700} {
		want := rows(t, traffic(rng, picket.SourceZeek, n), options("zeek", 60, 3600))
		var b, again bytes.Buffer
		for _, out := range []*bytes.Buffer{&b, &again} {
			if err := WriteParquet(out, schema, slices.Values(want)); err != nil {
				t.Fatal(err)
			}
		}
		if !bytes.Equal(b.Bytes(), again.Bytes()) {
			t.Errorf("%d rows: not the same bytes twice", len(want))
		}
		var got []picket.Features
		in := bytes.NewReader(b.Bytes())
		keep := func(f *picket.Features) error { got = append(got, *f); return nil }
		if err := ReadParquet(in, in.Size(), schema, keep); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(encode(got), encode(want)) {
			t.Errorf("%d rows came back as %d others", len(want), len(got))
		}
		other := picket.Schema{Names: schema.Names, Hash: "0123"}
		if err := ReadParquet(in, in.Size(), other, keep); err == nil || !strings.Contains(err.Error(), schema.Hash) {
			t.Errorf("another schema: error %v", err)
		}
		if err := ReadParquet(in, in.Size()-9, schema, keep); err == nil {
			t.Error("no error for a file cut off")
		}
	}
}

func FuzzParquet(f *testing.F) {
	rng := rand.New(rand.NewPCG(27, 28))
	var b bytes.Buffer
	all := rows(f, traffic(rng, picket.SourceVPC, 20), options("vpc", 3600))
	if err := WriteParquet(&b, Schema(picket.KindActor), slices.Values(all)); err != nil {
		f.Fatal(err)
	}
	f.Add(b.Bytes())
	f.Fuzz(func(t *testing.T, b []byte) {
		_ = ReadParquet(bytes.NewReader(b), int64(len(b)), Schema(picket.KindActor), func(*picket.Features) error { return nil })
	})
}
