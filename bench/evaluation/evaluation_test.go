package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func write(t *testing.T, path, text string) string {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestCheckSets(t *testing.T) {
	dir := t.TempDir()
	list := write(t, filepath.Join(dir, "data.md"), fmt.Sprintf("# Data\n```\n%x  one/a b.csv\n%x  two/c.csv\n```\n", sha256.Sum256([]byte("a")), sha256.Sum256([]byte("c"))))
	sets := filepath.Join(dir, "sets")
	write(t, filepath.Join(sets, "one/a b.csv"), "a")
	f := func(folder, set, want string) {
		t.Helper()
		err := checkSets(list, folder, []string{set})
		switch {
		case want == "" && err != nil, want != "" && err == nil:
			t.Errorf("%s: %v, want %q", set, err, want)
		case err != nil && (!strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n")):
			t.Errorf("%s: %v, want one line with %q", set, err, want)
		}
	}
	f(sets, "one", "")
	f(sets, "two", "no two/c.csv in")
	f(sets, "three", `no file of a set "three"`)
	f("", "one", "DATA=DIR")
	write(t, filepath.Join(sets, "two/c.csv"), "x")
	f(sets, "two", "two/c.csv in "+sets+" has sha256 2d71")
	if err := checkSets(list, "", nil); err != nil {
		t.Errorf("no set is needed, and yet: %v", err)
	}
}

// Every set that a section reads is in docs/data.md, in its table and by its files.
func TestDataPageListsEverySet(t *testing.T) {
	text, err := os.ReadFile("../../docs/data.md")
	if err != nil {
		t.Fatal(err)
	}
	files := listed(string(text))
	for _, s := range sections() {
		for _, set := range s.sets {
			if !slices.ContainsFunc(files, func(f setFile) bool { return strings.HasPrefix(f.path, set+"/") }) {
				t.Errorf("section %s reads %s, of which docs/data.md lists no file", s.name, set)
			}
			if !strings.Contains(string(text), "\n| "+set+" |") {
				t.Errorf("docs/data.md does not say what %s is", set)
			}
		}
	}
}

func TestPageKeepsOtherSections(t *testing.T) {
	file := filepath.Join(t.TempDir(), "evaluation.md")
	p := page{"logs": "## Logs\n\nfour\n", "tables": "## Tables\n", "another": "## Another's\n"}
	if err := p.write(file); err != nil {
		t.Fatal(err)
	}
	again, err := readPage(file)
	if err != nil {
		t.Fatal(err)
	}
	again["tables"] = "## Tables anew\n"
	if err := again.write(file); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	want := preface + "\n<!-- section logs -->\n## Logs\n\nfour\n\n<!-- section tables -->\n## Tables anew\n\n<!-- section another -->\n## Another's\n"
	if string(text) != want {
		t.Errorf("got\n%s", text)
	}
}

const someEvents = `[1678444174.081 -- 2023-03-10 10:29:34 -- 0.00] [INFO] data collection starts
[1678444220.741 -- 2023-03-10 10:30:20 -- 46.66] [BAD-MITM-START] Manual MITM starts
[1678444253.856 -- 2023-03-10 10:30:53 -- 79.78] [BAD-MITM-END] done
[1678444332.170 -- 2023-03-10 10:32:12 -- 158.09] [BAD-SSH-START] SSH 248 times (T=5) target: 198.18.134.6
[1678444459.636 -- 2023-03-10 10:34:19 -- 285.56] [BAD-SSH-END] 74 of 248 retval 5
[1678444473.834 -- 2023-03-10 10:34:33 -- 299.75] [GOOD-SSH-START] target: 198.18.134.5 top
[1678444476.762 -- 2023-03-10 10:34:36 -- 302.68] [GOOD-SSH-END]done
[1678444635.389 -- 2023-03-10 10:37:15 -- 461.31] [BAD-PORTSCAN2-START] Port scan several devices nmap 198.18.134.37 198.18.134.1 198.18.134.37
[1678444652.783 -- 2023-03-10 10:37:32 -- 478.70] [BAD-PORTSCAN2-END] 2
`

func TestReadEvents(t *testing.T) {
	events, err := readEvents(strings.NewReader(someEvents))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for i := range events {
		e := &events[i]
		got = append(got, fmt.Sprint(e.kind, " ", e.class(), " ", clock(e.start), " ", len(e.targets)))
	}
	want := []string{
		"BAD-MITM excluded 2023-03-10T09:30:20Z 0", "BAD-SSH bruteforce 2023-03-10T09:32:12Z 1",
		"GOOD-SSH normal 2023-03-10T09:34:33Z 1", "BAD-PORTSCAN2 scan 2023-03-10T09:37:15Z 2",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %q", got)
	}
	var labels bytes.Buffer
	packets := [][]int{{}, {0}, {200}, {3000, 2}}
	if err := writeEventLabels(&labels, events, packets, events[0].start, events[3].end); err != nil {
		t.Fatal(err)
	}
	wantLabels := `start,end,entity_kind,entity,class,note
2023-03-10T09:30:20Z,2023-03-10T09:37:32Z,*,*,normal,everything but what a row below says
2023-03-10T09:30:20Z,2023-03-10T09:30:54Z,*,*,excluded,BAD-MITM 2023-03-10T09:30:20Z
2023-03-10T09:32:12Z,2023-03-10T09:34:20Z,victim,198.18.134.6,excluded,BAD-SSH 2023-03-10T09:32:12Z
2023-03-10T09:32:12Z,2023-03-10T09:34:20Z,actor,198.18.134.99,excluded,BAD-SSH 2023-03-10T09:32:12Z
2023-03-10T09:37:15Z,2023-03-10T09:37:33Z,victim,198.18.134.37,scan,BAD-PORTSCAN2 2023-03-10T09:37:15Z
2023-03-10T09:37:15Z,2023-03-10T09:37:33Z,victim,198.18.134.1,excluded,BAD-PORTSCAN2 2023-03-10T09:37:15Z
2023-03-10T09:37:15Z,2023-03-10T09:37:33Z,actor,198.18.134.99,scan,BAD-PORTSCAN2 2023-03-10T09:37:15Z
`
	if labels.String() != wantLabels {
		t.Errorf("got\n%s", labels.String())
	}
	for _, bad := range []string{
		"[1.5 -- x -- 0] [BAD-SSH-END] early\n",
		"[1.5 -- x -- 0] [BAD-SSH-START] a\n[2.5 -- x -- 0] [GOOD-SSH-START] b\n",
	} {
		if _, err := readEvents(strings.NewReader(bad)); err == nil {
			t.Errorf("%q was read", bad)
		}
	}
}

// pcap makes a capture of empty IPv4 packets, one a second.
func pcap(t *testing.T, addresses ...string) string {
	t.Helper()
	body := binary.LittleEndian.AppendUint32(nil, 0xa1b2c3d4)
	body = append(body, make([]byte, 20)...)
	for i, pair := range addresses {
		from, to, _ := strings.Cut(pair, ">")
		frame := make([]byte, 54)
		frame[12], frame[13] = 0x08, 0x00
		copy(frame[26:], netip.MustParseAddr(from).AsSlice())
		copy(frame[30:], netip.MustParseAddr(to).AsSlice())
		for _, v := range []uint32{uint32(i), 500_000, uint32(len(frame)), uint32(len(frame))} {
			body = binary.LittleEndian.AppendUint32(body, v)
		}
		body = append(body, frame...)
	}
	return write(t, filepath.Join(t.TempDir(), "x.pcap"), string(body))
}

func TestCutCapture(t *testing.T) {
	from := pcap(t, "198.18.134.99>198.18.134.6", "198.18.134.6>198.18.134.99", "198.18.134.5>198.18.134.6", "198.18.134.99>198.18.134.5")
	counts, err := seen(from, []event{
		{kind: "BAD-SSH", start: 0, end: 1, targets: []netip.Addr{netip.MustParseAddr("198.18.134.6")}},
		{kind: "BAD-SSH", start: 3, end: 9, targets: []netip.Addr{netip.MustParseAddr("198.18.134.6"), netip.MustParseAddr("198.18.134.5")}},
	})
	if err != nil || fmt.Sprint(counts) != "[[2] [0 1]]" {
		t.Errorf("seen: %v, %v", counts, err)
	}
	to := filepath.Join(t.TempDir(), "cut.pcap")
	if err := cutCapture(from, to, func(p packet) bool { return p.seconds < 3 && p.names(attacker) }); err != nil {
		t.Fatal(err)
	}
	var left []float64
	err = eachPacket(to, func(p packet, _ []byte) error { left = append(left, p.seconds); return nil })
	if err != nil || !slices.Equal(left, []float64{0.5, 1.5}) {
		t.Errorf("left: %v, %v", left, err)
	}
}

func TestDayIsJudged(t *testing.T) {
	script := "seed 1\nat 01:40 for 6m  ddos pulse strength 0.15 to web1\nat 02:00 for 9m scan fin strength 0.5 from outside\n"
	label := func(class, entity, start, end, note string) row {
		return row{"class": class, "entity": entity, "start": start, "end": end, "note": note}
	}
	d := &simulatedDay{labels: []row{
		label("normal", "*", "2026-05-12T00:00:00Z", "2026-05-13T00:00:00Z", "benign"),
		label("scan", "203.0.113.9", "2026-05-12T02:00:00Z", "2026-05-12T02:09:00Z", "fin strength 0.5"),
		label("excluded", "10.0.0.9", "2026-05-12T02:00:00Z", "2026-05-12T02:09:00Z", "fin strength 0.5"),
		label("ddos", "10.0.0.1", "2026-05-12T01:40:00Z", "2026-05-12T01:46:00Z", "pulse strength 0.15, and a remark"),
	}}
	var err error
	if d.attacks, err = attacksOf(script, d.labels); err != nil || len(d.attacks) != 2 || d.attacks[0].name() != "ddos pulse 0.15" {
		t.Fatalf("attacks %+v, %v", d.attacks, err)
	}
	finding := func(class, entity, first, last string) row {
		return row{"class": class, "entity": entity, "first_seen": first, "last_seen": last}
	}
	d.findings = []row{
		finding("scan", "203.0.113.9", "2026-05-12T02:01:00Z", "2026-05-12T02:02:00Z"),
		finding("scan", "10.0.0.1", "2026-05-12T01:41:00Z", "2026-05-12T01:42:00Z"), // of another class: neither found nor false
		finding("ddos", "10.0.0.1", "2026-05-12T05:00:00Z", "2026-05-12T05:01:00Z"), // hours later: false
		finding("c2", "10.0.0.77", "2026-05-12T02:01:00Z", "2026-05-12T02:02:00Z"),
	}
	if d.found(&d.attacks[0]) || !d.found(&d.attacks[1]) {
		t.Errorf("found: %v and %v", d.found(&d.attacks[0]), d.found(&d.attacks[1]))
	}
	if wrong := d.wrong(); len(wrong) != 2 {
		t.Errorf("false findings: %v", wrong)
	}
	if _, err := attacksOf(script+"at 03:00 for 1m c2 tcp-beacon strength 1 from host1\n", d.labels); err == nil {
		t.Error("an attack without a label went unnoticed")
	}
}

func TestPrintedFigures(t *testing.T) {
	text := `BOOSTER   TESTED ON                 ROWS   MALICIOUS  ACCURACY  MACRO F1  AUC     RECALL  FPR     RECALL AT 1 %  AT 0.1 %  ECE
table//0  a folder/KDDTest+.txt.gz  22544  12833      0.9192    0.9176    0.9688  0.9277  0.0921  0.4086         0.2842    0.2199
BOOSTER   CLASS   ROWS  DETECTED  PRECISION  RECALL  F1
table//0  normal  7401  0.0139    0.9628     0.9861  0.9743
`
	all, rows, err := printedFigures(text)
	if err != nil || len(all) != 1 || rows[0] != "22544" || all[0] != (figures{0.9192, 0.9176, 0.9688, 0.4086, 0}) {
		t.Errorf("%+v %v %v", all, rows, err)
	}
}
