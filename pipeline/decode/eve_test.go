package decode

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"picket"
)

func alertLine(flow int, more string) string {
	return fmt.Sprintf(`{"timestamp":"2025-06-01T12:00:01.000000+0000","flow_id":%d,"event_type":"alert","src_ip":"203.0.113.9","src_port":40000,"dest_ip":"10.0.0.5","dest_port":22,"proto":"TCP",`+
		`"alert":{"gid":1,"signature_id":7,"rev":1,"signature":"s","severity":2},"flow":{"pkts_toserver":1,"pkts_toclient":0,"bytes_toserver":74,"bytes_toclient":0,"start":"2025-06-01T12:00:01.000000+0000"}%s}`+"\n", flow, more)
}

// A flow that is told after its alert counts once; alerts beyond the room for them
// are given as they go, and none is forgotten.
func TestAlertsWaitForTheirFlows(t *testing.T) {
	var log strings.Builder
	for i := range maxWaiting + 10 {
		log.WriteString(alertLine(i+1, ""))
	}
	log.WriteString(`{"timestamp":"2025-06-01T12:01:05.0+0000","flow_id":20,"event_type":"flow","src_ip":"203.0.113.9","src_port":40000,"dest_ip":"10.0.0.5","dest_port":22,"proto":"TCP","flow":{"pkts_toserver":9,"pkts_toclient":8,"bytes_toserver":900,"bytes_toclient":900,"start":"2025-06-01T12:00:01.0+0000","end":"2025-06-01T12:00:31.5+0000"}}` + "\n")
	got := decodeString(log.String())
	nines := 0
	for _, r := range got.records {
		if r.SrcPackets == 9 {
			nines++
		}
	}
	if len(got.records) != maxWaiting+10 || nines != 1 || got.err != nil {
		t.Errorf("%d records, %d of them whole, error %v", len(got.records), nines, got.err)
	}
	if a := got.stats.Alerts; len(a) != 1 || a[0].Count != maxWaiting+10 || a[0].ID != "1:7:1" {
		t.Errorf("alerts %+v", a)
	}
}

// Of alerts between ever new addresses a bounded number is kept and all are counted.
func TestAlertsAreBounded(t *testing.T) {
	var log strings.Builder
	for i := range MaxAlerts + 5 {
		log.WriteString(strings.Replace(alertLine(i, ""), "203.0.113.9", fmt.Sprintf("10.%d.%d.1", i/250, i%250), 1))
	}
	if got := decodeString(log.String()); len(got.stats.Alerts) != MaxAlerts || got.stats.AlertsLeft != 5 {
		t.Errorf("%d alerts and %d left", len(got.stats.Alerts), got.stats.AlertsLeft)
	}
}

// An array, an indented event and one a line say the same.
func TestEVEForms(t *testing.T) {
	one := strings.TrimSpace(alertLine(3, ""))
	want := decodeString(one).records
	for name, text := range map[string]string{
		"array": "[" + one + "]", "array over lines": "[\n" + one + "\n]", "with a byte order mark": "\xef\xbb\xbf" + one, "spaced": strings.ReplaceAll(one, `":`, `": `),
		"indented": strings.NewReplacer(",", ",\n  ", "{", "{\n ").Replace(one),
	} {
		got := decodeString(text)
		if len(got.records) != 1 || got.records[0].SrcBytes != want[0].SrcBytes || got.stats.Format != "eve" {
			t.Errorf("%s: %+v, %v", name, got.stats, got.err)
		}
	}
}

// Names and questions of hostile length cost no more than others.
func TestQuestionsAreBounded(t *testing.T) {
	var q recentQuestions
	for i := range 2 * maxQuestions {
		q.put([]byte(fmt.Sprint(i)), nil)
	}
	if len(q.open) > maxQuestions || len(q.order) > maxQuestions || q.take([]byte("1"), nil) || !q.take([]byte(fmt.Sprint(2*maxQuestions-1)), nil) {
		t.Errorf("%d open, %d in order", len(q.open), len(q.order))
	}
	if q.put([]byte(strings.Repeat("x", 1000)), nil); len(q.open) != maxQuestions-1 {
		t.Errorf("a flow id of 1000 bytes is kept")
	}
}

func TestStamps(t *testing.T) {
	f := func(text, want string) {
		t.Helper()
		got, ok := parseStamp([]byte(text))
		if w, err := time.Parse(time.RFC3339Nano, want); want == "" && ok || want != "" && (!ok || err != nil || got != w.UnixNano()) {
			t.Errorf("%s is %d (%t), want %s", text, got, ok, want)
		}
	}
	f("2026-01-02T03:04:05.678901+0000", "2026-01-02T03:04:05.678901Z")
	f("2026-01-02T03:04:05.678901-0630", "2026-01-02T09:34:05.678901Z")
	f("2024-02-29 23:59:59+01:00", "2024-02-29T22:59:59Z")
	f("2026-01-02T03:04:05", "2026-01-02T03:04:05Z")
	f("2023-02-29T00:00:00Z", "")
	f("2026-01-02T03:04:05+99:00", "")
	for day := int64(0); day < 80000; day += 17 {
		at := time.Unix(day*86400, 0).UTC()
		if got := daysSince1970(int64(at.Year()), int64(at.Month()), int64(at.Day())); got != day {
			t.Fatalf("%s is day %d, want %d", at, got, day)
		}
	}
}

// Gaps that touch are one, whatever their order; those beyond the room are counted.
func TestGaps(t *testing.T) {
	var g gaps
	for _, m := range []int64{0, 1, 2, 9, 5, 3} {
		g.add("eni-1", true, m*60e9, (m*60+59)*1e9)
	}
	g.add("eni-1", false, 60e9, 119e9)
	if got := fmt.Sprint(g.sorted()); got != "[{eni-1 true 0 239} {eni-1 true 300 359} {eni-1 true 540 599} {eni-1 false 60 119}]" {
		t.Error(got)
	}
	g = gaps{}
	for i := range int64(MaxGaps + 1) {
		if ok := g.add("eni-1", true, i*3600e9, i*3600e9); ok != (i < MaxGaps) {
			t.Fatalf("gap %d is %t", i, ok)
		}
	}
}

// The node of a load balancer stands in the key of its log, whose name decides
// nothing else.
func TestALBNodeIsInTheKey(t *testing.T) {
	const line = `https 2025-06-01T12:00:01.500000Z app/shop/50dc 203.0.113.9:2817 - -1 -1 -1 503 - 500 4357 "GET https://www.example.com:8443/ HTTP/1.1" "-"` + "\n"
	obj := Object{Key: "AWSLogs/1/elasticloadbalancing/r/2025/06/01/1_elasticloadbalancing_r_app.shop.50dc_20250601T1205Z_192.0.2.77_4a.log.gz", Modified: testTime}
	var got picket.Record
	_, err := Decode(t.Context(), obj, strings.NewReader(line), func(r *picket.Record) error { got = *r; return nil }, nil)
	if err != nil || got.Dst.String() != "192.0.2.77" || got.DstPort != 8443 {
		t.Errorf("%+v, %v", got, err)
	}
	if r := decodeString(line); len(r.records) != 0 || r.stats.Dropped[reasonNoAddress] != 1 {
		t.Errorf("without the node: %+v", r.stats)
	}
}
