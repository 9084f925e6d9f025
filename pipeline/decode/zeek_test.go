package decode

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"picket"
)

const (
	flagF = picket.FlagFIN
	flagS = picket.FlagSYN
	flagR = picket.FlagRST
	flagA = picket.FlagACK
)

func TestZeekFlags(t *testing.T) {
	f := func(state, history string, orig, resp uint8, has bool) {
		t.Helper()
		row := zeekRow{zeekState: []byte(state), zeekHistory: []byte(history)}
		var r picket.Record
		row.flags(&r)
		if r.SrcFlags != orig || r.DstFlags != resp || (r.Has == picket.HasFlags) != has {
			t.Errorf("%s %s: %05b %05b %v, want %05b %05b %v", state, history, r.SrcFlags, r.DstFlags, r.Has, orig, resp, has)
		}
	}
	f("SF", "ShADadFf", flagS|flagA|flagF, flagS|flagA|flagF, true)
	f("S0", "S", flagS, 0, true)
	f("REJ", "Sr", flagS, flagR, true)
	f("OTH", "F", flagF, 0, true) // a FIN scan, told from a close by its missing ACK
	f("OTH", "^h", 0, flagS|flagA, true)
	f("OTH", "^dA", flagA, flagA, true)
	f("OTH", "D^r", 0, flagA|flagR, true) // what Zeek noted before it turned the connection is of the other side
	f("OTH", "Q", flagS|flagF, 0, true)
	f("OTH", "i", 0, flagF|flagR, true)
	f("OTH", "CcGgWwTt", flagA, flagA, true)
	f("S0", "", flagS, 0, true)
	f("S1", "", flagS|flagA, flagS|flagA, true)
	f("SF", "", flagS|flagA|flagF, flagS|flagA|flagF, true)
	f("REJ", "", flagS, flagR, true)
	f("S2", "", flagS|flagA|flagF, flagS|flagA, true)
	f("S3", "", flagS|flagA, flagS|flagA|flagF, true)
	f("RSTO", "", flagS|flagA|flagR, flagS|flagA, true)
	f("RSTR", "", flagS|flagA, flagS|flagA|flagR, true)
	f("RSTOS0", "", flagS|flagR, 0, true)
	f("RSTRH", "", 0, flagS|flagA|flagR, true)
	f("SH", "", flagS|flagF, 0, true)
	f("SHR", "", 0, flagS|flagA|flagF, true)
	f("OTH", "", 0, 0, false)
	f("", "", 0, 0, false)
}

func TestZeekCounts(t *testing.T) {
	f := func(fields string, packets, bytes, payload uint64) {
		t.Helper()
		got := decodeString(`{"ts":1600000000,"id.orig_h":"192.0.2.1","id.orig_p":1,"id.resp_h":"192.0.2.2","id.resp_p":2,"proto":"tcp","conn_state":"SF"` + fields + "}\n")
		if len(got.records) != 1 {
			t.Fatal(got)
		}
		r := got.records[0]
		if r.SrcPackets != packets || r.SrcBytes != bytes || r.SrcPayload != payload {
			t.Errorf("%s: %d packets, %d bytes, %d payload; want %d, %d, %d", fields, r.SrcPackets, r.SrcBytes, r.SrcPayload, packets, bytes, payload)
		}
		if r.DstPackets > 1 || r.Has&picket.HasReverse == 0 {
			t.Errorf("%s: %+v", fields, r)
		}
	}
	f(`,"orig_bytes":100,"orig_pkts":5,"orig_ip_bytes":400`, 5, 400, 100)
	f(`,"orig_bytes":4294967295,"orig_pkts":5,"orig_ip_bytes":400`, 5, 400, 200) // sequence numbers after a reset
	f(`,"orig_bytes":100,"orig_pkts":5`, 5, 300, 100)
	f(`,"orig_bytes":100`, 1, 140, 100)
	f(`,"orig_bytes":3000`, 3, 3120, 3000)
	f(`,"orig_bytes":0`, 1, 40, 0) // SF: it did send something
	f(`,"orig_pkts":2,"orig_ip_bytes":10`, 2, 10, 0)
}

// One line in each spelling and both containers must give one record.
func TestZeekSpellings(t *testing.T) {
	values := `,"proto":"udp","duration":0.5,"orig_bytes":10,"resp_bytes":20,"conn_state":"SF","history":"Dd","orig_pkts":1,"orig_ip_bytes":38,"resp_pkts":1,"resp_ip_bytes":48}`
	tsv := "#separator \\x09\n#unset_field\t-\n#path\tconn\n#fields\tresp_ip_bytes\tresp_pkts\torig_ip_bytes\torig_pkts\tproto\tduration\torig_bytes\tresp_bytes\tconn_state\thistory\tts\tid.orig_h\tid.orig_p\tid.resp_h\tid.resp_p\n"
	for _, line := range []string{
		`{"ts":1600000000.123456,"id.orig_h":"192.0.2.1","id.orig_p":1000,"id.resp_h":"192.0.2.2","id.resp_p":53` + values,
		`{"ts":1600000000.123456,"id_orig_h":"192.0.2.1","id_orig_p":1000,"id_resp_h":"192.0.2.2","id_resp_p":53` + values,
		`{"ts":1600000000.123456,"id":{"orig_h":"192.0.2.1","orig_p":1000,"resp_h":"192.0.2.2","resp_p":53}` + values,
		`{"ts":"2020-09-13T12:26:40.123456Z","id":{"orig_h":"192.0.2.1","orig_p":1000,"resp_h":"192.0.2.2","resp_p":53}` + values,
		`{"ts":"2020-09-13T14:26:40.123456+02:00","id":{"orig_h":"192.0.2.1","orig_p":1000,"resp_h":"192.0.2.2","resp_p":53}` + values,
		`{"@stream":"conn","@proc":"zeek","ts":1600000000.123456,"id.orig_h":"192.0.2.1","id.orig_p":1000,"id.resp_h":"192.0.2.2","id.resp_p":53` + values,
		` { "ts" : 1600000000.123456 , "tags" : [ {"id":{"orig_h":"no"}} , "}" ] , "id.orig_h":"192.0.2.1","id.orig_p":1000,"id.resp_h":"192.0.2.2","id.resp_p":53` + values,
		`{"ts":1600000000.123456,"id.orig_h":"192.0.2.\u0031","id.orig_p":1000,"id.resp_h":"192.0.2.2","id.resp_p":53` + values,
		`{"ts":1600000000.123456,"id.orig\u005fh":"192.0.2.1","id.orig_p":1000,"id.resp_h":"192.0.2.2","id.resp_p":53` + values,
		tsv + "48\t1\t38\t1\tudp\t0.5\t10\t20\tSF\tDd\t1600000000.123456\t192.0.2.1\t1000\t192.0.2.2\t53",
		strings.NewReplacer("#separator \\x09", "#separator \\x2c", "\t", ",").Replace(tsv) + "48,1,38,1,udp,0.5,10,20,SF,Dd,1600000000.123456,192.0.2.1,1000,192.0.2.2,53",
	} {
		got := decodeString(line + "\n")
		if len(got.records) != 1 || got.err != nil {
			t.Errorf("%s: %+v", line, got)
			continue
		}
		r := got.records[0]
		r.Line = 0
		const want = "{zeek  0 1600000000123456000 1600000000623456000 192.0.2.1 192.0.2.2 1000 53 17 1 1 38 48 10 20 0 0 false false false 1 20 <nil> <nil>}"
		if s := fmt.Sprint(r); s != want {
			t.Errorf("%s:\n%s, want\n%s", line, s, want)
		}
	}
}

// The key walker and encoding/json must agree on every line that both can read.
func TestWalkerAgrees(t *testing.T) {
	f := func(line string, walks bool) {
		t.Helper()
		if msg := walkerDiffers([]byte(line)); msg != "" {
			t.Error(msg)
		}
		var row zeekRow
		if walkObject([]byte(line), row.set) != walks {
			t.Errorf("walker reads %s: %v, want %v", line, !walks, walks)
		}
	}
	f(`{"ts":1,"id":{"orig_h":"a","x":[1,{"y":"}"}]},"proto":null,"uid":"\\","note":"\\\"","history":"S"}`, true)
	f(`{"ts":1,"ts":2,"id.orig_h":"b","id":{"orig_h":"a"}}`, true)
	f(`{"id":{"orig_h":null},"id.orig_p":"1"}`, true)
	f(`{}`, true)
	f(`{"history":"\"S"}`, false) // escaped: left to encoding/json
	f(`{"\u0074s":1}`, false)
	f(`{"ts":tru}`, false)
	f(`{"a":1,}`, false)
	f(`{"a":1`, false)
	f(`{"a":[1}`, false)
	f(`{"a":1}}`, false)
}

// walkerDiffers compares both readers of a JSON line; "" if they agree.
func walkerDiffers(line []byte) string {
	if !json.Valid(line) || !utf8.Valid(line) { // encoding/json replaces what is not UTF-8
		return ""
	}
	var fast, slow zeekRow
	if !walkObject(line, fast.set) {
		return ""
	}
	if !slow.parseSlow(line) {
		return fmt.Sprintf("only the walker reads %q", line)
	}
	for i := range fast {
		if string(fast[i]) != string(slow[i]) {
			return fmt.Sprintf("field %d of %q: walker %q, encoding/json %q", i, line, fast[i], slow[i])
		}
	}
	return ""
}

func TestUnescape(t *testing.T) {
	f := func(in, want string) {
		t.Helper()
		if got := string(unescape([]byte(in))); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
	f(`\x09`, "\t")
	f(`a\x5eb\x`, `a^b\x`)
	f(`\xzz\x4`, `\xzz\x4`)
	f(``, ``)
}

func TestZeekSkipped(t *testing.T) {
	f := func(path, want string) {
		t.Helper()
		if got := zeekSkipped([]byte(path)); got != want {
			t.Errorf("%s: %s, want %s", path, got, want)
		}
	}
	f("dns", "zeek dns log: not read yet")
	f("SMB_Files", "zeek smb_files log: not read yet")
	f("made-up-by-an-attacker", "zeek log of another kind: not read yet")
}
