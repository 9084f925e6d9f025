package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
)

// vpcLines of the set that DuckDB reads too.
const vpcLines = 2_500_000

// columns that both sides compute: see duckdb_peer.py.
const columns = "flow_count,flows_per_second,packets_out_per_second,packets_in_per_second,bytes_out_per_second,bytes_in_per_second," +
	"byte_ratio_out,packets_per_flow,bytes_per_flow,packet_size_mean,packet_size_mean_out,packet_size_mean_in,flow_mean_packet_size_variance," +
	"tcp_flow_share,udp_flow_share,icmp_flow_share,tcp_packet_share,protocol_entropy,peers,peer_ip_entropy,peer_ip_entropy_normalised," +
	"top_peer_flow_share,service_ports,service_port_entropy,client_port_entropy,targets,flows_per_target_mean,unanswered_share," +
	"established_share,rejected_share,login_port_share"

func (b *bench) cloud(zip bool) ([]string, error) {
	name := "vpc"
	if zip {
		name = "vpc-gzip"
	}
	dir, err := b.input(name, func(dir string) error { return writeCloud(dir, 1, vpcLines, 8, 2000, zip) })
	if err != nil {
		return nil, err
	}
	return filepath.Glob(filepath.Join(dir, "vpc-*"))
}

// features is Picket's side: windows of a minute of actors.
func (b *bench) features(out string, files []string) side {
	args := []string{b.picket, "features", "--kind", "actor", "--window", "1m", "--columns", columns, "-o", "parquet"}
	return side{name: "picket", args: append(args, files...), out: out}
}

func (b *bench) duckdb(what, out string, files []string) side {
	return side{name: "duckdb", args: append([]string{b.python(), "bench/ingest/duckdb_peer.py", what, "2", out}, files...)}
}

// same wants the same rows of both sides.
func (b *bench) same(ctx context.Context, files []string) error {
	ours, theirs := filepath.Join(b.work, "ours.parquet"), filepath.Join(b.work, "theirs.parquet")
	us, them := b.features(ours, files), b.duckdb("features", theirs, files)
	for _, s := range []*side{&us, &them} {
		if _, err := s.run(ctx); err != nil {
			return err
		}
	}
	check := exec.CommandContext(ctx, b.python(), "bench/ingest/duckdb_peer.py", "check", "2", ours, theirs)
	said, err := check.CombinedOutput()
	fmt.Fprintf(os.Stderr, "  same numbers: %s", said)
	if err != nil {
		return fmt.Errorf("the two do not give the same: %s", said)
	}
	return nil
}

// againstDuckDB measures both sides on some files.
func (b *bench) againstDuckDB(ctx context.Context, files []string) (ours, theirs cost, err error) {
	if err := b.same(ctx, files); err != nil {
		return ours, theirs, err
	}
	out := filepath.Join(b.work, "ours.parquet")
	medians, err := b.turns(ctx, b.features(out, files), b.duckdb("features", filepath.Join(b.work, "theirs.parquet"), files))
	if err != nil {
		return ours, theirs, err
	}
	return medians[0], medians[1], nil
}

func (b *bench) vpc(ctx context.Context) ([]line, error) {
	files, err := b.cloud(false)
	if err != nil {
		return nil, err
	}
	ours, theirs, err := b.againstDuckDB(ctx, files)
	if err != nil {
		return nil, err
	}
	return []line{
		{work: "2.5 M lines of VPC text to Parquet: 31 features of actors by the minute", against: "itself", ours: ours.cpu, unit: "s",
			figure: fmt.Sprintf("%.2f M lines per CPU second", vpcLines/ours.cpu/1e6), wanted: "3.5 M; 5 M"},
		{work: "the same", against: "DuckDB's SQL", ours: ours.cpu, theirs: theirs.cpu, unit: "s", wanted: "5; 8"},
	}, nil
}

func (b *bench) gzip(ctx context.Context) ([]line, error) {
	files, err := b.cloud(true)
	if err != nil {
		return nil, err
	}
	ours, theirs, err := b.againstDuckDB(ctx, files)
	if err != nil {
		return nil, err
	}
	medians, err := b.turns(ctx, b.features(filepath.Join(b.work, "ours.parquet"), files), side{name: "inflate alone", args: append([]string{b.self, "inflate"}, files...)})
	if err != nil {
		return nil, err
	}
	return []line{
		{work: "the same from gzip", against: "DuckDB's SQL", ours: ours.cpu, theirs: theirs.cpu, unit: "s", wanted: "2.7; 3.3"},
		{work: "the same from gzip", against: "inflating alone (klauspost/compress)", ours: medians[0].cpu, theirs: medians[1].cpu, unit: "s", wanted: "0.55; 0.65"},
	}, nil
}

func (b *bench) parquet(ctx context.Context) ([]line, error) {
	text, err := b.cloud(false)
	if err != nil {
		return nil, err
	}
	dir, err := b.input("vpc-parquet", func(dir string) error {
		for i, f := range text {
			s := b.duckdb("parquet", filepath.Join(dir, fmt.Sprintf("vpc-%02d.parquet", i)), []string{f})
			if _, err := s.run(ctx); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	files, err := filepath.Glob(filepath.Join(dir, "vpc-*"))
	if err != nil {
		return nil, err
	}
	ours, theirs, err := b.againstDuckDB(ctx, files)
	if err != nil {
		return nil, err
	}
	return []line{{work: "the same from Parquet (snappy, DuckDB's own)", against: "DuckDB's SQL", ours: ours.cpu, theirs: theirs.cpu, unit: "s", wanted: "1.5; 2.5"}}, nil
}

func (b *bench) pcap(ctx context.Context) ([]line, error) {
	const packets = 2_000_000
	dir, err := b.input("pcap", func(dir string) error { return writePcap(filepath.Join(dir, "a.pcap"), 3, packets) })
	if err != nil {
		return nil, err
	}
	file := filepath.Join(dir, "a.pcap")
	peer := filepath.Join(b.peers, "gopacket", "peer")
	ours := side{name: "picket", args: []string{b.picket, "features", "--window", "1m", "--kind", "actor", "--columns", columns, "-o", "parquet", file}, out: filepath.Join(b.work, "ours.parquet")}
	theirs := side{name: "gopacket", args: []string{peer, file}, out: filepath.Join(b.work, "gopacket.txt")}
	sides := []side{ours, theirs}
	argus := filepath.Join(b.peers, "argus/usr/sbin/argus")
	if _, err := os.Stat(argus); err == nil {
		sides = append(sides, side{name: "argus", args: []string{argus, "-r", file, "-w", "/dev/null"},
			env: []string{"LD_LIBRARY_PATH=" + filepath.Join(b.peers, "argus/usr/lib/x86_64-linux-gnu") + ":" + filepath.Join(b.peers, "argus/lib/x86_64-linux-gnu")}})
	}
	if err := b.samePackets(ctx, ours, theirs); err != nil {
		return nil, err
	}
	m, err := b.turns(ctx, sides...)
	if err != nil {
		return nil, err
	}
	lines := []line{{work: "2 M packets to 31 features of actors by the minute", against: "gopacket's DecodingLayerParser with the same table of flows", ours: m[0].cpu, theirs: m[1].cpu, unit: "s", wanted: "2; 3"}}
	if len(m) > 2 {
		lines = append(lines, line{work: "the same", against: "argus", ours: m[0].cpu, theirs: m[2].cpu, unit: "s", wanted: "6; 8"})
	}
	return lines, nil
}

// samePackets wants the same packets, bytes and flows.
func (b *bench) samePackets(ctx context.Context, ours, theirs side) error {
	if _, err := theirs.run(ctx); err != nil {
		return err
	}
	want, err := os.ReadFile(theirs.out)
	if err != nil {
		return err
	}
	ours.args = []string{b.self, "flows", ours.args[len(ours.args)-1]}
	ours.out = filepath.Join(b.work, "flows.txt")
	if _, err := ours.run(ctx); err != nil {
		return err
	}
	got, err := os.ReadFile(ours.out)
	if err != nil {
		return err
	}
	fmt.Fprintf(os.Stderr, "  ours %s  theirs %s", got, want)
	if string(got) != string(want) {
		return fmt.Errorf("the two do not count the same: %s and %s", got, want)
	}
	return nil
}

func (b *bench) json(ctx context.Context) ([]line, error) {
	var lines []line
	for _, kind := range []string{"zeek-json", "eve"} {
		const size = 150 << 20
		dir, err := b.input(kind, func(dir string) error { return writeJSON(filepath.Join(dir, "a.json"), kind, 4, size) })
		if err != nil {
			return nil, err
		}
		m, err := b.turns(ctx, side{name: kind, args: []string{b.self, "decode", filepath.Join(dir, "a.json")}})
		if err != nil {
			if kind == "eve" {
				fmt.Fprintln(os.Stderr, "  left out:", err)
				continue
			}
			return nil, err
		}
		lines = append(lines, line{work: "150 MiB of " + kind + " to records", against: "itself", ours: m[0].cpu, unit: "s",
			figure: fmt.Sprintf("%.0f MB per CPU second", size/1e6/m[0].cpu), wanted: "400; 700"})
	}
	return lines, nil
}

func (b *bench) names(ctx context.Context) ([]line, error) {
	const names = 500_000
	m, err := b.turns(ctx, side{name: "names", args: []string{b.self, "names", fmt.Sprint(names)}}, side{name: "names, made alone", args: []string{b.self, "names", fmt.Sprint(names), "none"}})
	if err != nil {
		return nil, err
	}
	cpu := m[0].cpu - m[1].cpu
	return []line{{work: "half a million names to features", against: "itself", ours: cpu, unit: "s",
		figure: fmt.Sprintf("%.2f M names per CPU second", names/cpu/1e6), wanted: "0.8 M; 1.5 M"}}, nil
}

func (b *bench) cores(ctx context.Context) ([]line, error) {
	files, err := b.cloud(false)
	if err != nil {
		return nil, err
	}
	one, two := b.features(filepath.Join(b.work, "ours.parquet"), files), b.features(filepath.Join(b.work, "ours.parquet"), files)
	one.name, two.name, one.env = "one core", "two cores", []string{"GOMAXPROCS=1"}
	m, err := b.turns(ctx, two, one)
	if err != nil {
		return nil, err
	}
	return []line{{work: "the VPC row on two cores", against: "on one, by the clock", ours: m[0].wall, theirs: m[1].wall, unit: "s", wanted: "1.8; 1.95"}}, nil
}

func (b *bench) memory(ctx context.Context) ([]line, error) {
	dir, err := b.input("flood", func(dir string) error { return writeCloud(dir, 5, 10_000_000, 8, 320_000, false) })
	if err != nil {
		return nil, err
	}
	files, err := filepath.Glob(filepath.Join(dir, "vpc-*"))
	if err != nil {
		return nil, err
	}
	s := b.features("", files)
	c, err := s.run(ctx)
	if err != nil {
		return nil, err
	}
	return []line{{work: "10 M lines with a spoofed flood of 1.6 M sources", against: "itself", ours: c.rss, unit: "MiB", figure: fmt.Sprintf("%.1f CPU seconds", c.cpu), wanted: "512 MiB; 256 MiB"}}, nil
}

// large feeds one object of 10 GB, and one of 100 MB, by standard input.
func (b *bench) large(ctx context.Context) ([]line, error) {
	var rss []float64
	for _, size := range []int64{100e6, 10e9} {
		s := side{name: fmt.Sprintf("%d MB", size/1e6), args: []string{b.picket, "features", "--kind", "actor", "--window", "1m", "--columns", columns, "-"},
			in: func(w io.Writer) error { return feedCloud(w, 6, size) }}
		c, err := s.run(ctx)
		if err != nil {
			return nil, err
		}
		fmt.Fprintf(os.Stderr, "  %s: %.2f s CPU, %.0f MiB\n", s.name, c.cpu, c.rss)
		rss = append(rss, c.rss)
	}
	return []line{{work: "one object of 10 GB", against: "one of 100 MB", ours: rss[1], theirs: rss[0], unit: "MiB", wanted: "the same"}}, nil
}

// tools are what this program does for a row in a process of its own.
var tools = map[string]func(args []string) error{
	"cloud":   func(args []string) error { return writeCloud(args[0], 1, vpcLines, 8, 2000, len(args) > 1) },
	"inflate": inflate, "decode": decodeFile, "flows": countFlows, "names": nameRows,
}
