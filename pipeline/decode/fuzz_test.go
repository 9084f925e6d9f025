package decode

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
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

func FuzzDecode(f *testing.F) {
	seed(f, "vpc", "zeek", "pcap", "bad")
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
	if n := uint64(len(got.records)); n != got.stats.Records || n+dropped > got.stats.Lines || got.stats.Lines > got.stats.Bytes {
		t.Errorf("%d records, %+v", n, got.stats)
	}
	line := uint64(0)
	for i := range got.records {
		r := &got.records[i]
		if msg := wrong(r); msg != "" || r.Line <= line {
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
