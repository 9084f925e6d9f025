package simulate

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"testing"

	"picket"
)

// small has a little of everything: IPv6, machines of each sort, each class.
const small = `
seed 3
duration 6m
network 10.20.0.0/20 hosts 6 servers 9 plc 3 iot 2 ipv6 2001:db8:9::/64
volume 0.05
from 00:00 for 6m benign plant level 0.2
from 00:00 for 6m benign browse
from 00:00 for 6m benign pool
from 00:00 for 6m benign radiation level 10
at 00:01 for 10s ddos syn-flood strength 0.2 to web1
at 00:01 for 10s ddos cldap-amplification strength 0.1 to web1
at 00:01 for 10s ddos synack-reflection strength 0.1
at 00:02 for 10s scan syn from outside
at 00:02 for 10s scan null strength 0.3
at 00:03 for 1m bruteforce ssh
at 00:03 for 2m exfiltration bulk strength 0.01
at 00:04 for 1m exfiltration icmp-tunnel
at 00:01 for 4m c2 long-poll every 10s
`

func parse(t testing.TB, text string) *Script {
	t.Helper()
	s, err := ParseScript(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// run plays a script and keeps its conversations.
func run(t testing.TB, s *Script) ([]*Conversation, []Truth) {
	t.Helper()
	var all []*Conversation
	rows, err := s.Run(context.Background(), func(c *Conversation) error { all = append(all, c); return nil })
	if err != nil {
		t.Fatal(err)
	}
	return all, rows
}

type object struct{ bytes.Buffer }

func (*object) Close() error { return nil }

// written is the objects that a script gives in a format.
func written(t testing.TB, s *Script, format string) (map[string]*object, Summary) {
	t.Helper()
	objects := map[string]*object{}
	sum, err := Write(context.Background(), s, format, func(name string) (io.WriteCloser, error) {
		if objects[name] != nil {
			t.Fatalf("%s: two objects named %s", format, name)
		}
		objects[name] = &object{}
		return objects[name], nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return objects, sum
}

func digest(objects map[string]*object) string {
	h := sha256.New()
	for _, name := range slices.Sorted(maps.Keys(objects)) {
		fmt.Fprintln(h, name, objects[name].Len())
		h.Write(objects[name].Bytes())
	}
	return fmt.Sprintf("%x", h.Sum(nil))
}

func TestSameSeedSameBytes(t *testing.T) {
	for _, format := range Formats() {
		one, _ := written(t, parse(t, small), format)
		two, _ := written(t, parse(t, small), format)
		other, _ := written(t, parse(t, strings.Replace(small, "seed 3", "seed 4", 1)), format)
		if digest(one) != digest(two) {
			t.Errorf("%s: the same script gave other bytes", format)
		}
		if digest(one) == digest(other) {
			t.Errorf("%s: another seed gave the same bytes", format)
		}
	}
}

func TestConversationsComeInOrder(t *testing.T) {
	s := parse(t, small)
	all, _ := run(t, s)
	from, to := s.Start.UnixNano(), s.Start.Add(s.Duration).UnixNano()
	for i, c := range all {
		if i > 0 && c.Start < all[i-1].Start {
			t.Fatalf("conversation %d (%s) begins before the one before it", i, c.Habit)
		}
		if c.Start < from || c.End >= to || c.End < c.Start {
			t.Fatalf("%s runs from %d to %d, outside of the script", c.Habit, c.Start-from, c.End-from)
		}
		if c.Out.Packets+c.In.Packets == 0 {
			t.Fatalf("%s has no packets", c.Habit)
		}
	}
}

// Every packet of every conversation fits on a wire, in order, and they sum to
// what the conversation says.
func TestPacketsSumToConversation(t *testing.T) {
	s := parse(t, small)
	for _, capture := range []string{"", "oneway", "midstream"} {
		s.Capture = capture
		all, _ := run(t, s)
		for _, c := range all {
			for _, in := range []bool{false, true} {
				checkSide(t, c, in)
			}
		}
	}
}

func checkSide(t *testing.T, c *Conversation, in bool) {
	t.Helper()
	s, last := c.side(in), int64(0)
	var total, payload uint64
	var flags uint8
	for k := range s.Packets {
		at, size, data := c.at(in, k), c.bytes(in, k+1)-c.bytes(in, k), c.payload(in, k+1)-c.payload(in, k)
		if at < last || at < c.Start || at > c.End {
			t.Fatalf("%s packet %d at %d is out of order or outside [%d, %d]", c.Habit, k, at, c.Start, c.End)
		}
		if size > 1540 || data+20 > size {
			t.Fatalf("%s packet %d of %d has %d bytes with %d payload: %+v", c.Habit, k, s.Packets, size, data, *c)
		}
		if c.before(in, at) > k || c.before(in, at+1) <= k {
			t.Fatalf("%s: before(%d) = %d does not fit packet %d", c.Habit, at, c.before(in, at), k)
		}
		last, total, payload, flags = at, total+size, payload+data, flags|c.flags(in, k)
	}
	if total != s.Bytes || payload != s.Payload {
		t.Fatalf("%s: packets sum to %d bytes, %d payload; the side says %d, %d: %+v", c.Habit, total, payload, s.Bytes, s.Payload, *c)
	}
	if flags != s.Flags {
		t.Fatalf("%s %d in=%v: packets have flags %08b, the side says %08b: %+v", c.Habit, c.Outcome, in, flags, s.Flags, *c)
	}
}

// A line more in a script leaves the traffic of the others as it was.
func TestLinesAreIndependent(t *testing.T) {
	benign := func(text string) string {
		all, _ := run(t, parse(t, text))
		h := sha256.New()
		for _, c := range all {
			if c.Attack == nil {
				fmt.Fprintln(h, c.Src, c.Dst, c.SrcPort, c.Start, c.Out, c.In)
			}
		}
		return fmt.Sprintf("%x", h.Sum(nil))
	}
	text := strings.Split(small, "at 00:01")[0]
	if benign(text) != benign(text+"\nat 00:01 for 1m scan syn\n") {
		t.Error("an attack changed the benign traffic")
	}
}

func TestScriptErrors(t *testing.T) {
	f := func(text, want string) {
		t.Helper()
		_, err := ParseScript(strings.NewReader(text))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v, want %q in it", text, err, want)
		}
	}
	f("sed 7", `line 1: no statement "sed" (a line begins with one of at, capture, duration`)
	f("seed", `line 1: "seed" wants a value (write it as: seed 7)`)
	f("\n# x\nseed x", `line 3:`)
	f("start yesterday", "write it as: start 2026-03-02T00:00:00Z")
	f("duration -1h", `no time "-1h"`)
	f("duration 0s", "duration 0s is not between")
	f("duration 10:61", `no time "10:61"`)
	f("network 10.0.0.0", "line 1: ")
	f("network 10.0.0.0/16 hosts", `"hosts" wants a value`)
	f("network 10.0.0.0/16 hosts many", `hosts "many" is not a count`)
	f("network 10.0.0.0/16 cats 2", `no network word "cats"`)
	f("network 10.0.0.0/28 hosts 100", "has no room for 100 machines")
	f("capture sideways", `no capture "sideways"`)
	f("from 00:00 for 1h benign moon", `no mix "moon"; there are campus, cloud`)
	f("from 00:00 for 1h benign office level -2", `"-2" is not a number above 0`)
	f("from 00:00 until 01:00 benign office", `"for"`)
	f("at 00:00 for 5m ddos teardrop", `no attack "teardrop" of class "ddos"; there are syn-flood,`)
	f("at 00:00 for 5m fire syn", `no attack "syn" of class "fire"; there are ddos syn-flood`)
	f("at 00:00 for 0s ddos pulse", "the duration is 0")
	f("at 00:00 for 5m ddos pulse strength", `"strength" wants a value`)
	f("at 00:00 for 5m ddos pulse colour red", `no word "colour"`)
	f("at 00:00 for 5m ddos pulse jitter 200%", "not between 0% and 100%")
	f("at 00:00 for 5m ddos pulse to moon1", `no machine "moon1"; there are 40 hosts (host1, host2, ...) and the servers web1`)
	f("duration 1h\nat 02:00 for 5m ddos pulse", "after the end of the script")
}

func TestScriptWritesItself(t *testing.T) {
	f := func(s *Script) {
		t.Helper()
		again := parse(t, s.String())
		if again.String() != s.String() {
			t.Errorf("got\n%swant\n%s", again, s)
		}
	}
	f(parse(t, small))
	for _, name := range Scripts() {
		s, err := Load(name)
		if err != nil {
			t.Fatal(err)
		}
		f(s)
	}
	for seed := range uint64(100) {
		s, err := Random(seed, "")
		if err != nil {
			t.Fatal(err)
		}
		f(s)
	}
}

func TestRandomKeepsTestsApart(t *testing.T) {
	quiet, seen := 0, map[string]bool{}
	for seed := range uint64(400) {
		s, err := Random(seed, "")
		if err != nil {
			t.Fatal(err)
		}
		if strings.HasPrefix(s.Benign[0].Mix, "other-") {
			t.Fatalf("seed %d has the held-out mix %s", seed, s.Benign[0].Mix)
		}
		if len(s.Attacks) == 0 {
			quiet++
		}
		for _, o := range s.Attacks {
			seen[o.Class+" "+o.Kind] = true
		}
	}
	if quiet < 20 || quiet > 120 {
		t.Errorf("%d of 400 scripts are benign only", quiet)
	}
	for _, kind := range Kinds("") {
		if seen[kind] == slices.Contains(heldOutKinds, kind) {
			t.Errorf("%s: drawn %v, held out %v", kind, seen[kind], !seen[kind])
		}
	}
	for _, h := range heldOutHabits {
		if slices.ContainsFunc(habits, func(o habit) bool { return o.name == h.name }) {
			t.Errorf("habit %s is in both families", h.name)
		}
	}
	for _, name := range Profiles() {
		if _, err := Random(1, name); err != nil {
			t.Error(err)
		}
	}
	if _, err := Random(1, "moon"); err == nil {
		t.Error("a profile that there is none of was accepted")
	}
}

func TestMixesNameHabits(t *testing.T) {
	f := func(all []habit, mixes map[string][]string) {
		used := map[string]bool{}
		for mix, names := range mixes {
			for _, name := range names {
				used[name] = true
				if !slices.ContainsFunc(all, func(h habit) bool { return h.name == name }) {
					t.Errorf("mix %s: no habit %q", mix, name)
				}
			}
		}
		for _, h := range all {
			if !used[h.name] {
				t.Errorf("habit %s is in no mix", h.name)
			}
		}
	}
	f(habits, mixes)
	f(heldOutHabits, heldOutMixes)
}

func TestRunStops(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := parse(t, small).Run(ctx, func(*Conversation) error { return nil }); err != context.Canceled {
		t.Errorf("got %v, want it cancelled", err)
	}
	_, err := parse(t, small).Run(context.Background(), func(*Conversation) error { return io.ErrShortWrite })
	if err != io.ErrShortWrite {
		t.Errorf("got %v, want emit's error", err)
	}
	if _, err := Records(context.Background(), parse(t, small), "netware", func(*picket.Record) error { return nil }); err == nil || !strings.Contains(err.Error(), "pcap, pcapng") {
		t.Errorf("got %v for a format that there is none of", err)
	}
}

func BenchmarkDay200(b *testing.B) {
	for b.Loop() {
		s, err := Load("day200")
		if err != nil {
			b.Fatal(err)
		}
		sum, err := Write(context.Background(), s, "vpc", func(string) (io.WriteCloser, error) { return nothing{}, nil })
		if err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(float64(sum.Conversations), "conversations")
		b.ReportMetric(float64(sum.Records), "records")
	}
}

type nothing struct{}

func (nothing) Write(b []byte) (int, error) { return len(b), nil }
func (nothing) Close() error                { return nil }
