package extract

import (
	"math"
	"math/rand/v2"
	"testing"

	"picket"
)

// TestSplitSumsExactly spreads random records and wants every packet and byte
// back, in shares that go by time.
func TestSplitSumsExactly(t *testing.T) {
	rng := rand.New(rand.NewPCG(13, 14))
	for range 2000 {
		r := packet(rng.Int64N(picket.Hour*1e9), "10.0.0.1", 1, "10.0.0.2", 2, 6, 0)
		r.Source, r.Has = picket.SourceZeek, picket.HasReverse
		r.End = r.Start + rng.Int64N(2*picket.Hour*1e9)
		r.SrcPackets, r.DstPackets = rng.Uint64N(1000), rng.Uint64()>>rng.IntN(64)
		r.SrcBytes, r.DstBytes = rng.Uint64()>>rng.IntN(64), rng.Uint64()>>rng.IntN(64)
		var sum [2]volume
		var records uint32
		minutes := map[int64]bool{}
		err := split(&r, func(f *flow) error {
			if minutes[f.time()] {
				t.Errorf("two shares in one minute")
			}
			minutes[f.time()] = true
			records += f.records
			for i, s := range f.sides {
				sum[i].packets += s.packets
				sum[i].bytes += s.bytes
				if s.packets == 0 && s.bytes > 0 && f.records == 0 {
					t.Errorf("a share of bytes without packets")
				}
			}
			return nil
		})
		if err != nil || records != 1 || sum[0].packets != r.SrcPackets || sum[1].packets != r.DstPackets ||
			sum[0].bytes != r.SrcBytes || sum[1].bytes != r.DstBytes {
			t.Fatalf("%+v became %d records, %v, error %v", r, records, sum, err)
		}
	}
}

func TestSplitGoesByTime(t *testing.T) {
	f := func(start, end int64, packets uint64, want ...uint64) {
		t.Helper()
		r := vpc(start, "10.0.0.1", 1, "10.0.0.2", 2, packets, packets*100, picket.FlagSYN)
		r.End = (t0 + end) * 1e9
		got := make([]uint64, len(want))
		err := split(&r, func(f *flow) error {
			i := (f.time() - t0) / 60
			if got[i] = f.sides[0].packets; f.sides[0].bytes != got[i]*100 || (f.sides[0].flags != 0) != (f.records == 1) {
				t.Errorf("minute %d: %+v", i, f.sides[0])
			}
			return nil
		})
		if err != nil {
			t.Error(err)
		}
		for i := range want {
			if got[i] != want[i] {
				t.Errorf("%d packets from %d to %d: shares %v, want %v", packets, start, end, got, want)
				return
			}
		}
	}
	f(0, 60, 10, 10, 0)
	f(0, 0, 10, 10)
	f(30, 90, 10, 5, 5)
	f(30, 90, 11, 6, 5)
	f(0, 600, 6, 6, 0, 0, 0, 0, 0, 0, 0, 0, 0)
	f(0, 600, 1005, 105, 100, 100, 100, 100, 100, 100, 100, 100, 100)
	f(59, 119, 60, 1, 59)
}

func TestSplitBounds(t *testing.T) {
	count := func(r picket.Record) (n int, err error) {
		err = split(&r, func(*flow) error { n++; return nil })
		return n, err
	}
	week := vpc(0, "10.0.0.1", 1, "10.0.0.2", 2, 1e9, 1e12, 0)
	week.End = week.Start + 7*picket.Day*1e9
	if n, err := count(week); n != maxMinutes || err != nil {
		t.Errorf("a week is %d rows, error %v", n, err)
	}
	backwards := vpc(0, "10.0.0.1", 1, "10.0.0.2", 2, 1, 40, 0)
	backwards.End = backwards.Start - 1e9
	if n, err := count(backwards); n != 1 || err != nil {
		t.Errorf("an end before the start is %d rows, error %v", n, err)
	}
	for _, at := range []int64{math.MinInt64, math.MaxInt64} {
		r := vpc(0, "10.0.0.1", 1, "10.0.0.2", 2, 1, 40, 0)
		r.End = at
		if n, err := count(r); n != 0 || err == nil {
			t.Errorf("end %d is %d rows, error %v", at, n, err)
		}
	}
	if n, err := count(picket.Record{Source: picket.SourceVPC}); n != 0 || err == nil {
		t.Errorf("a record without addresses is %d rows, error %v", n, err)
	}
	if n, err := count(picket.Record{Source: "x"}); n != 0 || err == nil {
		t.Errorf("a record of an unknown source is %d rows, error %v", n, err)
	}
}

func TestPatterns(t *testing.T) {
	f := func(flags uint8, payload uint64, want int) {
		t.Helper()
		r := picket.Record{Proto: picket.ProtoTCP, SrcFlags: flags, SrcPayload: payload, Has: picket.HasFlags | picket.HasPackets}
		if got := pattern(&r); got != want {
			t.Errorf("flags %#b: pattern %d, want %d", flags, got, want)
		}
	}
	const fin, syn, rst, psh, ack, urg, ece = picket.FlagFIN, picket.FlagSYN, picket.FlagRST, picket.FlagPSH, picket.FlagACK, picket.FlagURG, picket.FlagECE
	f(syn, 0, patternSYN)
	f(syn|ece|picket.FlagCWR, 0, patternSYN)
	f(syn|ack, 0, patternSYNACK)
	f(ack, 0, patternACK)
	f(ack, 5, -1)
	f(ack|psh, 5, -1)
	f(fin, 0, patternFIN)
	f(fin|ack, 0, -1)
	f(0, 0, patternNULL)
	f(fin|psh|urg, 0, patternXMAS)
	f(rst|ack, 0, patternRST)
}
