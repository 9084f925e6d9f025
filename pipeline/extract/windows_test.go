package extract

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"picket"
)

func TestOpener(t *testing.T) {
	const a, b = "10.0.0.1", "10.0.0.2"
	const syn, ack, rst = picket.FlagSYN, picket.FlagACK, picket.FlagRST
	f := func(what, opener string, records ...picket.Record) {
		t.Helper()
		all := rows(t, records, options(records[0].Source, 60))
		if len(all) != 2 || all[0].Entity.Kind != picket.KindActor || all[0].Entity.ID != opener {
			t.Errorf("%s: %v, want the actor %s and its victim", what, all, opener)
		}
	}
	noFlags := func(r picket.Record) picket.Record { r.Has &^= picket.HasFlags; r.SrcFlags = 0; return r }
	by := func(r picket.Record, o picket.Opener) picket.Record { r.Opener = o; return r }

	f("SYN, whatever the ports", b, vpc(9, b, 22, a, 40000, 3, 200, syn), vpc(0, a, 40000, b, 22, 3, 200, syn|ack))
	f("SYN-ACK that was asked for", b, vpc(9, b, 22, a, 40000, 3, 200, ack), vpc(0, a, 40000, b, 22, 3, 200, syn|ack))
	f("SYN-ACK that nobody asked for", a, vpc(0, a, 80, b, 40000, 3, 200, syn|ack))
	f("answer of an amplifier", a, by(noFlags(vpc(0, a, 53, b, 40000, 3, 200, 0)), picket.OpenerDst))
	f("lower port is opened to", b, noFlags(vpc(0, a, 443, b, 40000, 3, 200, 0)), noFlags(vpc(9, b, 40000, a, 443, 3, 200, 0)))
	f("equal ports: who was first", b, noFlags(vpc(9, a, 123, b, 123, 1, 76, 0)), noFlags(vpc(0, b, 123, a, 123, 1, 76, 0)))
	f("equal all: smaller address", a, noFlags(vpc(0, b, 123, a, 123, 1, 76, 0)), noFlags(vpc(0, a, 123, b, 123, 1, 76, 0)))
	f("the word of an earlier minute of the hour", b, vpc(0, b, 22, a, 40000, 3, 200, syn),
		vpc(5, a, 40000, b, 22, 3, 200, syn|ack))
	f("refused: RST is no word", b, vpc(0, b, 40000, a, 22, 1, 40, syn), vpc(0, a, 22, b, 40000, 1, 40, rst|ack))
	f("echo request", b, by(packet(9, b, 0, a, 0, 1, 84), picket.OpenerSrc), by(packet(0, a, 0, b, 0, 1, 84), picket.OpenerDst))
	zeek := packet(0, b, 22, a, 40000, 6, 100)
	zeek.Source, zeek.Has, zeek.DstPackets, zeek.DstBytes = picket.SourceZeek, picket.HasReverse, 1, 100
	f("Zeek's originator", b, zeek)
	zeek.SrcPackets, zeek.SrcBytes = 0, 0
	f("Zeek's originator that sent nothing", a, zeek)
}

// TestOpenerOfTheHour wants later minutes to follow the SYN of the first.
func TestOpenerOfTheHour(t *testing.T) {
	const a, b = "10.0.0.1", "10.0.0.2"
	var records []picket.Record
	for minute := range int64(5) {
		flags := [2]uint8{picket.FlagSYN, picket.FlagSYN | picket.FlagACK}
		if minute > 0 {
			flags = [2]uint8{}
		}
		records = append(records, vpc(minute*60, b, 22, a, 40000, 3, 200, flags[0]), vpc(minute*60, a, 40000, b, 22, 3, 200, flags[1]))
	}
	for _, f := range rows(t, records, options("vpc", 60)) {
		if (f.Entity.Kind == picket.KindActor) != (f.Entity.ID == b) {
			t.Errorf("%v: the other end opened", f.Window)
		}
	}
}

func TestReflectionNamesTheVictim(t *testing.T) {
	var records []picket.Record
	for i := range 500 {
		reflector := fmt.Sprintf("198.51.%d.%d", i/250, i%250)
		records = append(records, vpc(3, reflector, 443, "10.0.0.9", uint16(30000+i), 4, 200, picket.FlagSYN|picket.FlagACK))
	}
	all := rows(t, records, options("vpc", 60))
	v := find(t, all, picket.KindVictim, "10.0.0.9", 60)
	if v.Flows != 500 || value(t, v, "peers") != 500 || value(t, v, "unsolicited_answer_share") != 1 ||
		value(t, v, "unanswered_share") != 1 || value(t, v, "syn_share") != 0 {
		t.Errorf("flows %d values %v", v.Flows, v.Values)
	}
	for i := range all {
		if all[i].Entity == (picket.Entity{Kind: picket.KindActor, ID: "10.0.0.9"}) {
			t.Error("the flooded host is an actor")
		}
	}
}

// TestTwoInterfaces wants a flow seen at two interfaces counted once: at the one
// with more bytes, of equal ones at the smaller name.
func TestTwoInterfaces(t *testing.T) {
	f := func(wantBytes float64, bytes ...uint64) {
		t.Helper()
		var records []picket.Record
		for i, n := range bytes {
			r := vpc(0, "10.0.0.1", 40000, "10.0.0.2", 443, uint64(1+i), n, picket.FlagSYN)
			r.Interface = fmt.Sprintf("eni-%d", i)
			records = append(records, r)
		}
		for range 2 {
			a := find(t, rows(t, records, options("vpc", 60)), picket.KindActor, "10.0.0.1", 60)
			if got := value(t, a, "bytes_per_flow"); got != wantBytes || a.Flows != 1 {
				t.Errorf("bytes %v: %v bytes and %d flows, want %v and 1", bytes, got, a.Flows, wantBytes)
			}
			slices.Reverse(records)
		}
	}
	f(500, 400, 500)
	f(500, 500, 400)
	f(500, 500, 500, 3)

	r, s := vpc(0, "10.0.0.1", 40000, "10.0.0.2", 443, 7, 500, 0), vpc(0, "10.0.0.1", 40000, "10.0.0.2", 443, 9, 500, 0)
	r.Interface, s.Interface = "eni-b", "eni-a"
	a := find(t, rows(t, []picket.Record{r, s}, options("vpc", 60)), picket.KindActor, "10.0.0.1", 60)
	if got := value(t, a, "packets_per_flow"); got != 9 {
		t.Errorf("%v packets: not those of the smaller interface", got)
	}
}

// TestTenMinuteLog wants one long record to make its interface's hour one of
// ten-minute windows, even from another object, and no other interface's.
func TestTenMinuteLog(t *testing.T) {
	long := vpc(0, "10.0.0.1", 40000, "10.0.0.2", 443, 100, 10000, picket.FlagSYN)
	long.End = long.Start + 590e9
	short := vpc(1800, "10.0.0.3", 40000, "10.0.0.4", 443, 100, 10000, picket.FlagSYN)
	other := vpc(1800, "10.0.0.5", 40000, "10.0.0.6", 443, 100, 10000, picket.FlagSYN)
	other.Interface = "eni-2"
	parts := slices.Concat(build(t, Options{}, "a", []picket.Record{long}), build(t, Options{}, "b", []picket.Record{short, other}))
	all := closeAll(t, parts, options("vpc", 60, 3600))
	want := map[string][]string{
		"10.0.0.1": {"vpc/600 600", "vpc/600 3600"},
		"10.0.0.3": {"vpc/600 600", "vpc/600 3600"},
		"10.0.0.5": {"vpc/60 60", "vpc/60 3600"},
	}
	got := map[string][]string{}
	for _, f := range all {
		if f.Entity.Kind == picket.KindActor {
			got[f.Entity.ID] = append(got[f.Entity.ID], fmt.Sprint(f.Source, " ", f.Seconds))
		}
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("windows %v, want %v", got, want)
	}
	a := find(t, all, picket.KindActor, "10.0.0.1", 600)
	if a.Flows != 1 || value(t, a, "bytes_per_flow") != 10000 || value(t, a, "packets_per_flow") != 100 {
		t.Errorf("flows %d values %v", a.Flows, a.Values)
	}
}

// TestIntervalsNeverMix sees one host through logs of both intervals.
func TestIntervalsNeverMix(t *testing.T) {
	long := vpc(0, "10.0.0.1", 40000, "10.0.0.2", 443, 10, 1000, picket.FlagSYN)
	long.End, long.Interface = long.Start+590e9, "eni-2"
	short := vpc(0, "10.0.0.1", 40001, "10.0.0.3", 443, 1, 60, picket.FlagSYN)
	var got []string
	for _, f := range rows(t, []picket.Record{long, short}, options("vpc", 3600)) {
		if f.Entity.ID == "10.0.0.1" {
			got = append(got, fmt.Sprint(f.Source, " ", value(t, &f, "bytes_per_flow")))
		}
	}
	if fmt.Sprint(got) != "[vpc/60 60 vpc/600 1000]" {
		t.Errorf("rows %v", got)
	}
}

// TestElapsed wants rates over what is covered.
func TestElapsed(t *testing.T) {
	records := []picket.Record{vpc(0, "10.0.0.1", 40000, "10.0.0.2", 443, 60, 6000, picket.FlagSYN)}
	o := options("vpc", 3600)
	o.To = t0 + 600
	a := find(t, rows(t, records, o), picket.KindActor, "10.0.0.1", 3600)
	if a.Elapsed != 600 || value(t, a, "packets_out_per_second") != 0.1 || value(t, a, "elapsed_share") != 1.0/6 {
		t.Errorf("by To: elapsed %d values %v", a.Elapsed, a.Values)
	}
	o = options("vpc", 3600)
	o.Elapsed = func(start, seconds int64) int64 { return start + seconds - t0 - 3540 }
	if a = find(t, rows(t, records, o), picket.KindActor, "10.0.0.1", 3600); a.Elapsed != 60 || value(t, a, "packets_out_per_second") != 1 {
		t.Errorf("by the caller: elapsed %d values %v", a.Elapsed, a.Values)
	}
}

// TestDay wants the hours of a day in one row, and a day that is not over.
func TestDay(t *testing.T) {
	var records []picket.Record
	for hour := range int64(24) {
		records = append(records, vpc((hour-12)*3600, "10.0.0.1", uint16(40000+hour), "10.0.0.2", uint16(100+hour), 1, 40, picket.FlagSYN))
	}
	o := options("vpc", 86400)
	o.From, o.To = t0-12*3600, t0+12*3600
	a := find(t, rows(t, records, o), picket.KindActor, "10.0.0.1", 86400)
	if a.Start != o.From || a.Flows != 24 || a.Elapsed != 86400 || value(t, a, "ports_per_peer_max") != 24 || value(t, a, "active_tick_share") != 1 {
		t.Errorf("%v: flows %d values %v", a.Window, a.Flows, a.Values)
	}
	o.To = t0
	a = find(t, rows(t, records, o), picket.KindActor, "10.0.0.1", 86400)
	if a.Flows != 12 || a.Elapsed != 43200 || value(t, a, "active_tick_share") != 1 {
		t.Errorf("%v: flows %d values %v", a.Window, a.Flows, a.Values)
	}
}

func TestMaxEntities(t *testing.T) {
	var records []picket.Record
	for host := 1; host <= 5; host++ { // host n has min(n, 4) records: 4 and 5 are even
		for i := range min(host, 4) {
			records = append(records, vpc(0, fmt.Sprintf("10.0.0.%d", host), uint16(40000+i), "10.9.9.9", 443, 1, 100, picket.FlagSYN))
		}
	}
	f := func(bound int, want string) {
		t.Helper()
		o := options("vpc", 60)
		o.MaxEntities = bound
		var got []string
		for _, f := range rows(t, records, o) {
			if f.Entity.Kind == picket.KindActor {
				got = append(got, fmt.Sprintf("%s %d", strings.TrimPrefix(f.Entity.ID, "10.0.0."), f.Flows))
			}
			if rest := f.Entity.ID == picket.Rest; rest != math.IsNaN(value(t, &f, "peers")) {
				t.Errorf("%v: peers %v", f.Window, value(t, &f, "peers"))
			} else if rest && (value(t, &f, "bytes_per_flow") != 100 || value(t, &f, "bytes_out_per_second") != float64(f.Flows)*100/60) {
				t.Errorf("%v: values %v", f.Window, f.Values)
			}
		}
		if s := strings.Join(got, ", "); s != want {
			t.Errorf("%d entities: %s, want %s", bound, s, want)
		}
	}
	f(1, "4 4, * 10")
	f(2, "4 4, 5 4, * 6")
	f(4, "2 2, 3 3, 4 4, 5 4, * 1")
	f(5, "1 1, 2 2, 3 3, 4 4, 5 4")
	f(6, "1 1, 2 2, 3 3, 4 4, 5 4")
}

func TestLostIsNotTraffic(t *testing.T) {
	lost := picket.Record{Source: picket.SourceVPC, Interface: "eni-1", Start: t0 * 1e9, End: (t0 + 58) * 1e9, Lost: true}
	parts := build(t, Options{}, "a", []picket.Record{lost, lost})
	stats, err := Windows(context.Background(), parts, options("vpc", 60), func(f *picket.Features) error {
		t.Errorf("a row: %v", f.Window)
		return nil
	})
	if err != nil || stats.Lost != 1 || stats.Parts != 1 {
		t.Errorf("stats %+v, error %v", stats, err)
	}
}

func TestWindowsRefuses(t *testing.T) {
	never := func(*picket.Features) error { return errors.New("emitted") }
	f := func(want string, change func(*CloseOptions)) {
		t.Helper()
		o := options("vpc", 60)
		change(&o)
		if _, err := Windows(context.Background(), nil, o, never); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %q", err, want)
		}
	}
	f("unknown source", func(o *CloseOptions) { o.Source = "syslog" })
	f("no window widths", func(o *CloseOptions) { o.Seconds = nil })
	f("window of 61 s", func(o *CloseOptions) { o.Seconds = []int64{61} })
	f("window of 5400 s", func(o *CloseOptions) { o.Seconds = []int64{5400} })
	f("window of 172800 s", func(o *CloseOptions) { o.Seconds = []int64{172800} })
	f("whole minutes", func(o *CloseOptions) { o.From++ })
	f("whole minutes", func(o *CloseOptions) { o.To = o.From })
}

func TestWindowsStops(t *testing.T) {
	records := []picket.Record{vpc(0, "10.0.0.1", 40000, "10.0.0.2", 443, 1, 40, 0)}
	stop := errors.New("stop")
	_, err := Windows(context.Background(), build(t, Options{}, "a", records), options("vpc", 60), func(*picket.Features) error { return stop })
	if !errors.Is(err, stop) {
		t.Errorf("error %v, want that of emit", err)
	}
}
