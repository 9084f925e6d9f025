//go:build unix

package decode

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/compress"

	"picket"
)

// benchRows is how many records each benchmark reads in one go.
const benchRows = 100_000

func benchmark(b *testing.B, data []byte) {
	obj := Object{Key: "bench", Modified: time.Unix(1_800_000_000, 0)}
	emit := func(*picket.Record) error { return nil }
	r := bytes.NewReader(nil)
	b.SetBytes(int64(len(data)))
	b.ReportAllocs()
	before := cpuSeconds(b)
	for b.Loop() {
		r.Reset(data)
		s, err := Decode(context.Background(), obj, r, emit, nil)
		if err != nil || s.Records != benchRows {
			b.Fatal(s, err)
		}
	}
	b.ReportMetric(benchRows*float64(b.N)/(cpuSeconds(b)-before)/1e6, "Mrecords/cpu-s")
}

// cpuSeconds returns what the process has used, which a busy machine does not
// change as it does the wall clock.
func cpuSeconds(b *testing.B) float64 {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano()).Seconds()
}

func BenchmarkVPC(b *testing.B) { benchmark(b, benchVPC(false)) }

func BenchmarkVPC29Columns(b *testing.B) { benchmark(b, benchVPC(true)) }

func BenchmarkVPCGzip(b *testing.B) {
	var buf bytes.Buffer
	z := gzip.NewWriter(&buf)
	z.Write(benchVPC(false))
	z.Close()
	benchmark(b, buf.Bytes())
}

func benchVPC(wide bool) []byte {
	var buf bytes.Buffer
	rng := rand.New(rand.NewPCG(1, 2))
	header := "version account-id interface-id srcaddr dstaddr srcport dstport protocol packets bytes start end action log-status"
	if wide {
		header += " vpc-id subnet-id instance-id tcp-flags type pkt-srcaddr pkt-dstaddr region az-id sublocation-type sublocation-id pkt-src-aws-service pkt-dst-aws-service flow-direction traffic-path"
	}
	fmt.Fprintln(&buf, header)
	for i := range benchRows {
		src, dst := benchAddr(rng), benchAddr(rng)
		start := 1_700_000_000 + i/1000
		fmt.Fprintf(&buf, "2 123456789012 eni-%017x %s %s %d 443 6 %d %d %d %d ACCEPT OK", rng.IntN(20), src, dst, rng.IntN(65536), 1+rng.IntN(50), 40+rng.IntN(50000), start, start+60)
		if wide {
			fmt.Fprintf(&buf, " vpc-0123456789abcdef0 subnet-0123456789abcdef0 i-0123456789abcdef0 19 IPv4 %s %s eu-central-1 euc1-az2 - - - AMAZON egress 8", src, dst)
		}
		buf.WriteByte('\n')
	}
	return buf.Bytes()
}

func benchAddr(rng *rand.Rand) string {
	return fmt.Sprintf("10.%d.%d.%d", rng.IntN(256), rng.IntN(256), rng.IntN(256))
}

func BenchmarkZeekTSV(b *testing.B) {
	var buf bytes.Buffer
	buf.WriteString("#separator \\x09\n#set_separator\t,\n#empty_field\t(empty)\n#unset_field\t-\n#path\tconn\n#fields\tts\tuid\tid.orig_h\tid.orig_p\tid.resp_h\tid.resp_p\tproto\tservice\tduration\torig_bytes\tresp_bytes\tconn_state\tlocal_orig\tlocal_resp\tmissed_bytes\thistory\torig_pkts\torig_ip_bytes\tresp_pkts\tresp_ip_bytes\ttunnel_parents\n")
	rng := rand.New(rand.NewPCG(1, 2))
	for i := range benchRows {
		fmt.Fprintf(&buf, "%d.%06d\tCvf4XX17hSAgXDdGEd\t%s\t%d\t%s\t443\ttcp\tssl\t1.5%05d\t%d\t%d\tSF\tT\tF\t0\tShADadFf\t%d\t%d\t%d\t%d\t-\n", 1_700_000_000+i/1000, rng.IntN(1e6),
			benchAddr(rng), rng.IntN(65536), benchAddr(rng), rng.IntN(1e5), rng.IntN(1e4), rng.IntN(1e4), rng.IntN(100), 1e5+rng.IntN(1e5), rng.IntN(100), 1e5+rng.IntN(1e5))
	}
	benchmark(b, buf.Bytes())
}

func BenchmarkZeekJSON(b *testing.B) {
	var buf bytes.Buffer
	rng := rand.New(rand.NewPCG(1, 2))
	for i := range benchRows {
		fmt.Fprintf(&buf, `{"ts":%d.%06d,"uid":"Cvf4XX17hSAgXDdGEd","id.orig_h":"%s","id.orig_p":%d,"id.resp_h":"%s","id.resp_p":443,"proto":"tcp","service":"ssl","duration":1.5%05d,"orig_bytes":%d,"resp_bytes":%d,"conn_state":"SF","local_orig":true,"local_resp":false,"missed_bytes":0,"history":"ShADadFf","orig_pkts":%d,"orig_ip_bytes":%d,"resp_pkts":%d,"resp_ip_bytes":%d}`+"\n", 1_700_000_000+i/1000, rng.IntN(1e6),
			benchAddr(rng), rng.IntN(65536), benchAddr(rng), rng.IntN(1e5), rng.IntN(1e4), rng.IntN(1e4), rng.IntN(100), 1e5+rng.IntN(1e5), rng.IntN(100), 1e5+rng.IntN(1e5))
	}
	benchmark(b, buf.Bytes())
}

func BenchmarkPcap(b *testing.B) {
	buf := binary.LittleEndian.AppendUint32(nil, 0xa1b2c3d4)
	buf = append(buf, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 0, 1, 0, 0, 0)
	rng := rand.New(rand.NewPCG(1, 2))
	for i := range benchRows {
		size := 60 + rng.IntN(1400)
		for _, v := range []uint32{uint32(1_700_000_000 + i/1000), uint32(i % 1000), uint32(size), uint32(size)} {
			buf = binary.LittleEndian.AppendUint32(buf, v)
		}
		buf = append(buf, strings.Repeat("\x02", 12)+"\x08\x00\x45\x00"...)
		buf = binary.BigEndian.AppendUint16(buf, uint16(size-14))
		buf = append(buf, 0, 0, 0, 0, 64, 6, 0, 0, 10, 0, byte(rng.Uint32()), byte(rng.Uint32()), 10, 1, 2, 3, 0x80, byte(i), 1, 187, 0, 0, 0, 0, 0, 0, 0, 0, 0x50, 0x10, 1, 0, 0, 0, 0, 0)
		buf = append(buf, make([]byte, size-54)...)
	}
	benchmark(b, buf)
}

func BenchmarkEVE(b *testing.B) {
	var buf bytes.Buffer
	rng := rand.New(rand.NewPCG(1, 2))
	for i := range benchRows {
		at := time.Unix(int64(1_700_000_000+i/1000), rng.Int64N(1e9)).UTC().Format("2006-01-02T15:04:05.000000-0700")
		fmt.Fprintf(&buf, `{"timestamp":"%s","flow_id":%d,"in_iface":"eth0","event_type":"flow","src_ip":"%s","src_port":%d,"dest_ip":"%s","dest_port":443,"proto":"TCP","app_proto":"tls","flow":{"pkts_toserver":%d,"pkts_toclient":%d,"bytes_toserver":%d,"bytes_toclient":%d,"start":"%s","end":"%s","age":30,"state":"closed","reason":"timeout","alerted":false},"community_id":"1:LQU9qZlK+B5F3KDmev6m5PMibrg=","tcp":{"tcp_flags":"1b","tcp_flags_ts":"1b","tcp_flags_tc":"1b","syn":true,"fin":true,"psh":true,"ack":true,"state":"closed","ts_max_regions":1,"tc_max_regions":1}}`+"\n",
			at, rng.Uint64N(1<<51), benchAddr(rng), rng.IntN(65536), benchAddr(rng), rng.IntN(100), rng.IntN(100), 10000+rng.IntN(1e5), 10000+rng.IntN(1e5), at, at)
	}
	benchmark(b, buf.Bytes())
}

func BenchmarkParquet(b *testing.B) {
	rng := rand.New(rand.NewPCG(1, 2))
	rows := make([]flowTableRow, benchRows)
	for i := range rows {
		rows[i] = tableRow(rng.IntN(60000))
		rows[i].Src, rows[i].Dst, rows[i].Bytes = of(benchAddr(rng)), of(benchAddr(rng)), of(rng.Int64N(1e6))
	}
	for _, codec := range []compress.Codec{&parquet.Snappy, &parquet.Gzip} {
		b.Run(codec.String(), func(b *testing.B) {
			var buf bytes.Buffer
			w := parquet.NewGenericWriter[flowTableRow](&buf, parquet.Compression(codec))
			if _, err := w.Write(rows); err != nil || w.Close() != nil {
				b.Fatal(err)
			}
			benchmark(b, buf.Bytes())
		})
	}
}

func BenchmarkNetFlow9(b *testing.B) {
	rng := rand.New(rand.NewPCG(1, 2))
	data := nine(7, (&export{}).set(0, basic(256)))
	for range benchRows / 25 {
		set := &export{}
		for range 25 {
			set.raw(record(byte(rng.Uint32()), rng.Uint32N(1e6), 1+rng.Uint32N(1000), 30_000, 59_500).b)
		}
		data = append(data, nine(7, (&export{}).set(256, set))...)
	}
	benchmark(b, data)
}
