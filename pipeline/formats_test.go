package pipeline

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"maps"
	"math"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"picket"
	"picket/pipeline/decode"
	"picket/pipeline/extract"
	"picket/simulate"
)

// flowFormats are the formats that the same traffic is written in, with what each
// cannot carry of it.
var flowFormats = []flowFormat{
	{name: "vpc", source: picket.SourceVPC, noFlags: true, noOpener: true},
	{name: "vpc5", source: picket.SourceVPC},
	{name: "vpc-parquet", source: picket.SourceVPC},
	{name: "tgw", source: picket.SourceVPC},
	{name: "tgw-parquet", source: picket.SourceVPC},
	{name: "ocsf-parquet", source: picket.SourceVPC},
	{name: "zeek", source: picket.SourceZeek},
	{name: "zeek-json", source: picket.SourceZeek},
	{name: "pcap", source: picket.SourcePcap},
	{name: "pcapng", source: picket.SourcePcap},
	{name: "eve", source: picket.SourceEVE},
	{name: "ocsf", source: picket.SourceOCSF, noFlags: true},
	{name: "nfw", source: picket.SourceNetFlow},
	{name: "netflow5", source: picket.SourceNetFlow, onlyFour: true},
	{name: "netflow9", source: picket.SourceNetFlow},
	{name: "ipfix", source: picket.SourceNetFlow},
	{name: "goflow2", source: picket.SourceNetFlow},
	{name: "nfdump", source: picket.SourceNetFlow},
}

type flowFormat struct {
	name, source string
	noFlags      bool // says nothing of TCP flags
	noOpener     bool // and nothing else of who opened
	onlyFour     bool // IPv4 alone
}

// onceWritten has every protocol, IPv6, answers that are missing, connections over
// many minutes, and a scan; nothing that a cloud's flow log leaves out, and nothing
// that stays within the network, which a gateway would not see.
const onceWritten = `
seed 11
start 2026-03-02T09:10:00Z
duration 20m
network 10.20.0.0/20 hosts 5 servers 6 ipv6 2001:db8:9::/64
volume 0.05
from 00:00 for 20m benign visitors level 2
from 00:00 for 20m benign browse
at 00:02 for 1m scan syn from outside
at 00:05 for 2m bruteforce ssh from outside
at 00:06 for 20s ddos udp-flood strength 0.05 to web1
at 00:08 for 4m exfiltration icmp-tunnel
`

// plainly is that without the scan and the flood, whose ports do not tell who opened:
// a log that has neither flags nor an originator takes the lower for the server's.
var plainly = func() string {
	var lines []string
	for _, line := range strings.Split(onceWritten, "\n") {
		if !strings.Contains(line, " scan ") && !strings.Contains(line, " ddos ") {
			lines = append(lines, line)
		}
	}
	return strings.Join(lines, "\n")
}()

// asTheLogHasIt writes the script in a format and decodes its objects.
func asTheLogHasIt(t *testing.T, script, format string) []picket.Record {
	t.Helper()
	s, err := simulate.ParseScript(strings.NewReader(script))
	if err != nil {
		t.Fatal(err)
	}
	objects := map[string]*bytes.Buffer{}
	_, err = simulate.Write(context.Background(), s, format, func(name string) (io.WriteCloser, error) {
		objects[name] = &bytes.Buffer{}
		return closing{objects[name]}, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	var records []picket.Record
	for _, name := range slices.Sorted(maps.Keys(objects)) {
		if name == "labels.csv" {
			continue
		}
		stats, err := decode.Decode(context.Background(), decode.Object{Key: name, Modified: s.Start.Add(48 * time.Hour)}, objects[name],
			func(r *picket.Record) error { records = append(records, *r); return nil },
			func(r decode.Reject) error { return fmt.Errorf("%s: %+v", name, r) })
		if err != nil || len(stats.Dropped) > 0 && stats.Dropped["options of the exporter"] == 0 {
			t.Fatalf("%s: %+v, %v", name, stats, err)
		}
	}
	return records
}

type closing struct{ io.Writer }

func (closing) Close() error { return nil }

// TestFormatsDecodeToTheirRecords wants of every format that is written just the
// records that simulate.Records says a decoder reads.
func TestFormatsDecodeToTheirRecords(t *testing.T) {
	text := func(records []picket.Record) []string {
		var lines []string
		for _, r := range records {
			r.Line = 0
			lines = append(lines, fmt.Sprintf("%+v", r))
		}
		slices.Sort(lines)
		return lines
	}
	for _, format := range simulate.Formats() {
		s, err := simulate.ParseScript(strings.NewReader(onceWritten))
		if err != nil {
			t.Fatal(err)
		}
		var want []picket.Record
		if _, err := simulate.Records(context.Background(), s, format, func(r *picket.Record) error { want = append(want, *r); return nil }); err != nil {
			t.Fatal(err)
		}
		if len(want) < 100 {
			t.Errorf("%s: %d records", format, len(want))
		}
		if diff := cmp.Diff(text(want), text(asTheLogHasIt(t, onceWritten, format))); diff != "" {
			t.Errorf("%s: %.2000s", format, diff)
		}
	}
}

// trafficRows returns the rows of an hour of records by kind, entity and start.
func trafficRows(t *testing.T, records []picket.Record, seconds int64) map[string]picket.Features {
	t.Helper()
	p := New(Default(), Deps{TempDir: t.TempDir()})
	s, err := p.takeStraight(func(emit func(*picket.Record) error) error {
		for i := range records {
			if r := &records[i]; r.Access == nil && r.Source != picket.SourceNames {
				if err := emit(r); err != nil {
					return err
				}
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	rows := map[string]picket.Features{}
	err = s.Rows(context.Background(), Query{Seconds: seconds}, func(f *picket.Features) error {
		if f.Seconds == seconds {
			row := *f
			row.Values = slices.Clone(f.Values)
			rows[fmt.Sprintf("%s %d", f.Entity, f.Start)] = row
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return rows
}

// inside reports whether an address is of the script's network. What stays within it
// is seen at two interfaces whose minutes begin at different seconds.
func inside(a netip.Addr) bool {
	return netip.MustParsePrefix("10.20.0.0/20").Contains(a) || netip.MustParsePrefix("2001:db8:9::/64").Contains(a)
}

// alike are the features that every pair of formats must agree on: counts, bytes,
// packets, distincts, entropies and shares of protocols.
var alike = []string{
	"flow_count", "packets_out_per_second", "packets_in_per_second", "bytes_out_per_second", "bytes_in_per_second", "byte_ratio_out", "packets_per_flow", "bytes_per_flow",
	"packet_size_mean", "packet_size_mean_out", "packet_size_mean_in", "tcp_flow_share", "udp_flow_share", "icmp_flow_share", "tcp_packet_share", "udp_packet_share",
	"icmp_packet_share", "protocol_entropy", "peers", "peer_subnets", "peer_ip_entropy", "peer_ip_entropy_normalised", "peer_subnet_entropy", "top_peer_flow_share",
	"top_peer_byte_share_out", "external_byte_share_out", "external_peers", "sole_peers", "service_ports", "service_port_entropy", "service_port_entropy_normalised",
	"client_port_entropy", "client_port_entropy_normalised", "top_service_port_flow_share", "login_port_share", "web_port_share", "low_service_port_share", "targets",
	"ports_per_peer_max", "peers_per_port_max", "flows_per_target_mean", "flows_per_target_max", "login_flows_per_target_max", "unanswered_share", "established_share",
}

// alikeWithFlags are those of formats that have TCP flags.
var alikeWithFlags = []string{"syn_share", "failed_handshake_share", "reset_share"}

// TestEveryPairOfFormatsAgrees writes the same traffic in every flow format and
// wants the same features of the hour from each pair.
func TestEveryPairOfFormatsAgrees(t *testing.T) {
	schema := extract.Schema(picket.KindActor)
	type table = map[string]picket.Features
	all := map[string]table{}
	of := func(f flowFormat, script string, four bool) table {
		key := fmt.Sprint(f.name, len(script), four)
		if all[key] == nil {
			records := slices.DeleteFunc(asTheLogHasIt(t, script, f.name), func(r picket.Record) bool {
				return four && r.Src.Is6() || inside(r.Src) == inside(r.Dst)
			})
			all[key] = trafficRows(t, records, picket.Hour)
		}
		return all[key]
	}
	for i, a := range flowFormats {
		for _, b := range flowFormats[i+1:] {
			script, four := onceWritten, a.onlyFour || b.onlyFour
			if a.noOpener || b.noOpener {
				script = plainly
			}
			left, right := of(a, script, four), of(b, script, four)
			if len(left) < 20 {
				t.Errorf("%s: %d rows", a.name, len(left))
			}
			if diff := cmp.Diff(slices.Sorted(maps.Keys(left)), slices.Sorted(maps.Keys(right))); diff != "" {
				t.Errorf("%s and %s: other rows: %.800s", a.name, b.name, diff)
				continue
			}
			names := alike
			if !a.noFlags && !b.noFlags {
				names = slices.Concat(alike, alikeWithFlags)
			}
			for _, name := range names {
				at := slices.Index(schema.Names, name)
				for key, x := range left {
					y := right[key]
					u, v := x.Values[at], y.Values[at]
					if strings.HasSuffix(name, "_per_second") { // what is covered so far is each log's own
						u, v = u*float64(x.Elapsed), v*float64(y.Elapsed)
					}
					if math.IsNaN(u) != math.IsNaN(v) || math.Abs(u-v) > 1e-9*math.Max(1, math.Abs(u)) {
						t.Errorf("%s and %s: %s of %s is %v and %v", a.name, b.name, name, key, u, v)
						break
					}
				}
			}
		}
	}
}

// TestAnyCutOfAnyFormatGivesTheSameFeatures cuts the records of each format into
// objects, in any order and some of them delivered twice, and builds and closes them
// with bounds below, at and above what is needed: the bytes of features stay.
func TestAnyCutOfAnyFormatGivesTheSameFeatures(t *testing.T) {
	rng := rand.New(rand.NewPCG(21, 22))
	for _, format := range slices.Concat(flowFormats, []flowFormat{{name: "alb", source: picket.SourceALB}}) {
		records := asTheLogHasIt(t, plainly, format.name)
		if len(records) > 1500 {
			records = records[:1500]
		}
		want := closedBytes(t, partsOf(t, records, 1, 0, rng), format.source, 0)
		if len(want) < 1000 {
			t.Fatalf("%s: %d bytes of features", format.name, len(want))
		}
		for _, bound := range []int{len(records) / 3, len(records) - 1, len(records), len(records) + 1, 10 * len(records)} {
			for range 2 {
				parts := partsOf(t, records, 1+rng.IntN(6), bound, rng)
				if got := closedBytes(t, parts, format.source, 4*bound); !bytes.Equal(got, want) {
					t.Errorf("%s: other features of %d parts with %d rows in memory", format.name, len(parts), bound)
				}
			}
		}
	}
}

// partsOf deals records out to objects, each in an order of its own. An object that
// is delivered twice has one part: a bucket keeps parts by object and content.
func partsOf(t *testing.T, records []picket.Record, objects, maxRows int, rng *rand.Rand) []extract.Part {
	t.Helper()
	deck := make([][]picket.Record, objects)
	for _, i := range rng.Perm(len(records)) {
		o := rng.IntN(objects)
		deck[o] = append(deck[o], records[i])
		deck[o][len(deck[o])-1].Line = uint64(i + 1)
	}
	byKey := map[string]extract.Part{}
	for i := range deck {
		for range 1 + rng.IntN(2) {
			rng.Shuffle(len(deck[i]), func(a, b int) { deck[i][a], deck[i][b] = deck[i][b], deck[i][a] })
			for _, p := range buildParts(t, fmt.Sprint("object", i), deck[i], maxRows) {
				byKey[fmt.Sprint(p.Object, p.ID)] = p
			}
		}
	}
	parts := slices.Collect(maps.Values(byKey))
	return parts
}

func buildParts(t *testing.T, object string, records []picket.Record, maxRows int) []extract.Part {
	t.Helper()
	b := extract.NewBuilder(extract.Options{MaxRows: maxRows, TempDir: t.TempDir()})
	defer b.Close()
	for i := range records {
		if err := b.Add(&records[i]); err != nil {
			t.Fatal(err)
		}
	}
	var bodies []*bytes.Buffer
	infos, err := b.Finish(func(extract.PartID) (io.WriteCloser, error) {
		bodies = append(bodies, &bytes.Buffer{})
		return closing{bodies[len(bodies)-1]}, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	var parts []extract.Part
	for i, info := range infos {
		parts = append(parts, extract.Part{ID: info.ID, Object: object, Version: "1", Open: func() (io.ReadCloser, error) {
			return io.NopCloser(bytes.NewReader(bodies[i].Bytes())), nil
		}})
	}
	return parts
}

// closedBytes is what features/ holds of the script's hour, of the given source.
func closedBytes(t *testing.T, parts []extract.Part, source string, maxRows int) []byte {
	t.Helper()
	start := time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC).Unix()
	o := extract.CloseOptions{Source: source, From: start, To: start + picket.Hour, Seconds: []int64{60, 600, 3600}, MaxRows: maxRows, TempDir: t.TempDir()}
	var rows []picket.Features
	if _, err := extract.Windows(context.Background(), parts, o, func(f *picket.Features) error { rows = append(rows, *f); return nil }); err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := extract.WriteParquet(&b, extract.Schema(picket.KindActor), slices.Values(rows)); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}
