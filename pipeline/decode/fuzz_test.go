package decode

import (
	"bytes"
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"unicode/utf8"

	"picket"
)

// seed adds the golden inputs whose extension or folder is one of names.
func seed(f *testing.F, names ...string) {
	f.Helper()
	for _, file := range goldenFiles(f) {
		data, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		for _, name := range names {
			if filepath.Base(filepath.Dir(file)) == name {
				f.Add(data)
			}
		}
	}
}

func FuzzVPC(f *testing.F) {
	seed(f, "vpc")
	f.Fuzz(func(t *testing.T, data []byte) {
		check(t, data)
		check(t, append([]byte(vpcHeader), data...))
		for _, field := range bytes.Fields(data) {
			if msg := addrDiffers(string(field)); msg != "" {
				t.Error(msg)
			}
		}
	})
}

func FuzzZeek(f *testing.F) {
	seed(f, "zeek")
	f.Fuzz(func(t *testing.T, data []byte) {
		check(t, data)
		check(t, append([]byte("#separator \\x09\n#fields\tts\tid.orig_h\tid.orig_p\tid.resp_h\tid.resp_p\tproto\tduration\thistory\torig_pkts\torig_bytes\n"), data...))
		for line := range bytes.Lines(data) {
			if msg := walkerDiffers(bytes.TrimSpace(line)); msg != "" {
				t.Error(msg)
			}
		}
	})
}

func FuzzPcap(f *testing.F) {
	seed(f, "pcap")
	f.Fuzz(func(t *testing.T, data []byte) {
		check(t, data)
		check(t, append([]byte("\xd4\xc3\xb2\xa1\x02\x00\x04\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x04\x00\x01\x00\x00\x00"), data...))
		var r picket.Record
		for _, link := range []uint32{linkEthernet, linkRaw, linkSLL, linkSLL2, linkNull} {
			r = picket.Record{}
			if _, reason := readPacket(&r, link, data, len(data)); reason == "" && (!r.Src.IsValid() || r.SrcPayload > r.SrcBytes) {
				t.Errorf("link type %d: %+v", link, r)
			}
		}
	})
}

func FuzzEVE(f *testing.F) {
	seed(f, "eve", "nfw")
	f.Fuzz(func(t *testing.T, data []byte) {
		check(t, data)
		for line := range bytes.Lines(data) {
			line = bytes.TrimSpace(line)
			var quick, slow eveRow
			if quick.scan(line) && walkObject(line, slow.set) && !reflect.DeepEqual(quick, slow) {
				t.Errorf("the quick reading of %q differs: %q and %q", line, quick, slow)
			}
		}
		check(t, append([]byte(`{"timestamp":"2025-06-01T12:00:00.000001+0000","event_type":"stats"}`+"\n"), data...))
	})
}

func FuzzOCSF(f *testing.F) {
	seed(f, "ocsf")
	f.Fuzz(func(t *testing.T, data []byte) {
		check(t, data)
		check(t, append([]byte(`{"class_uid":0,"metadata":{}}`+"\n"), data...))
	})
}

func FuzzNetFlow(f *testing.F) {
	seed(f, "netflow")
	f.Fuzz(func(t *testing.T, data []byte) {
		check(t, data)
		check(t, append(exportHead9(), data...))
	})
}

// exportHead9 is a packet of version 9 with one template.
func exportHead9() []byte {
	b := binary.BigEndian.AppendUint32([]byte{0, 9, 0, 1, 0, 0, 0x10, 0}, 1748779265)
	b = append(b, 0, 0, 0, 1, 0, 0, 0, 7, 0, 0, 0, 24, 1, 0, 0, 4)
	return append(b, 0, 8, 0, 4, 0, 12, 0, 4, 0, 1, 0, 2, 0, 2, 0, 2)
}

func FuzzParquet(f *testing.F) {
	seed(f, "parquet")
	f.Fuzz(check)
}

func FuzzThrift(f *testing.F) {
	f.Add([]byte{0x15, 0, 0x15, 8, 0x15, 8, 0x2c, 0x15, 2, 0x15, 0, 0x15, 6, 0x15, 6, 0, 0})
	f.Fuzz(func(t *testing.T, data []byte) {
		h, ok := readPageHeader(data)
		if ok && (h.size <= 0 || h.size > len(data)) {
			t.Errorf("a header of %d bytes out of %d", h.size, len(data))
		}
	})
}

func FuzzALB(f *testing.F) {
	seed(f, "alb")
	f.Fuzz(check)
}

func FuzzFlowText(f *testing.F) {
	seed(f, "tgw", "goflow", "nfdump")
	f.Fuzz(func(t *testing.T, data []byte) {
		check(t, data)
		check(t, append([]byte("ts,te,td,sa,da,sp,dp,pr,flg,fwd,stos,ipkt,ibyt,opkt,obyt\n"), data...))
	})
}

func FuzzStamp(f *testing.F) {
	for _, s := range []string{"2025-06-01T12:00:00.000001+0000", "2024-02-29 23:59:59Z", "2025-13-01T00:00:00", "2023-02-29T00:00:00+01:30"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got, ok := parseStamp([]byte(s))
		want, also := parseISO([]byte(strings.Replace(s, " ", "T", 1)))
		if ok && also && got != want {
			t.Errorf("%q is %d, want %d", s, got, want)
		}
	})
}

func FuzzDecode(f *testing.F) {
	seed(f, "vpc", "zeek", "pcap", "bad", "eve", "netflow", "parquet")
	f.Add(gzipped(f, vpcRows(3)))
	f.Add(zstded(f, vpcRows(3)))
	f.Fuzz(check)
}

// check holds what must be true of any input.
func check(t *testing.T, data []byte) {
	o := Options{MaxBytes: 1 << 20}
	got := decodeBytes(data, o)
	if a, b := golden(got), golden(decodeBytes(data, o)); a != b {
		t.Errorf("two readings differ:\n%s\n%s", a, b)
	}
	var oe *ObjectError
	if got.err != nil && (!errors.As(got.err, &oe) || oe.Reason == "" || oe.Offset < 0 || oe.Offset > int64(got.stats.Bytes)) {
		t.Errorf("error %v", got.err)
	}
	dropped := uint64(0)
	for _, n := range got.stats.Dropped {
		dropped += n
	}
	packed := strings.HasSuffix(got.stats.Format, "parquet") // rows of which many may take no byte at all
	if n := uint64(len(got.records)); n != got.stats.Records || n+dropped > got.stats.Lines || got.stats.Lines > got.stats.Bytes && !packed {
		t.Errorf("%d records, %+v", n, got.stats)
	}
	line := uint64(0)
	for i := range got.records {
		r := &got.records[i]
		// The flow of an alert waits for the end of its flow.
		if msg := wrong(r); msg != "" || r.Line <= line && r.Source != picket.SourceEVE {
			t.Errorf("%s: %+v", msg, *r)
		}
		line = r.Line
	}
	for _, r := range got.rejects {
		if r.Offset > int64(got.stats.Bytes) || len(r.Bytes) > 4096 || len(r.Detail) > 200 || strings.Contains(r.Reason, "%") {
			t.Errorf("reject %+v", r)
		}
	}
}

// wrong says which promise of picket.Record is broken.
func wrong(r *picket.Record) string {
	limit := latest(Object{Modified: testTime}, nil)
	switch {
	case r.Start < earliest || r.End < r.Start || r.End > limit:
		return "times"
	case r.Source == "":
		return "source"
	case r.Access != nil:
		return wrongAccess(r)
	case r.Source == picket.SourceNames:
		if r.Lookup == nil || r.Lookup.Name == "" || len(r.Lookup.Name) > maxNameText || !utf8.ValidString(r.Lookup.Name) || len(r.Lookup.Answers) > maxAnswers {
			return "lookup"
		}
	case r.Lost:
		if r.Src.IsValid() || r.SrcPackets != 0 {
			return "lost"
		}
	case !r.Src.IsValid() || !r.Dst.IsValid() || r.Src.Is4In6() || r.Dst.Is4In6() || r.Src.Zone() != "":
		return "address"
	case !hasPorts(r.Proto) && (r.SrcPort != 0 || r.DstPort != 0):
		return "ports"
	case r.SrcPayload > r.SrcBytes || r.DstPayload > r.DstBytes:
		return "payload"
	case r.SrcPackets > maxCount || r.DstPackets > maxCount || r.SrcBytes > 64*maxCount || r.DstBytes > 64*maxCount:
		return "counts"
	case r.Proto != picket.ProtoTCP && r.Has&picket.HasFlags != 0, r.Has&picket.HasFlags == 0 && r.SrcFlags|r.DstFlags != 0:
		return "flags"
	case r.Has&picket.HasPayload == 0 && r.SrcPayload+r.DstPayload != 0:
		return "payload without saying so"
	}
	return ""
}
