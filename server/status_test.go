package server_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"math"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"
	"unicode"

	"golang.org/x/net/html"

	"picket"
	"picket/server"
	"picket/telemetry/prometheus"
)

// memory is findings as a bucket would have them.
type memory struct {
	findings []picket.Finding
	rows     server.Table
	err      error // of everything
	after    int   // bytes of WriteFindings that come before err
}

func (m *memory) Findings(_ context.Context, limit int) ([]picket.Finding, error) {
	return m.findings[:min(limit, len(m.findings))], m.err
}

func (m *memory) Finding(_ context.Context, uid string) (picket.Finding, error) {
	for _, f := range m.findings {
		if f.UID == uid {
			return f, m.err
		}
	}
	return picket.Finding{}, fmt.Errorf("finding %q: %w", uid, fs.ErrNotExist)
}

func (m *memory) Rows(context.Context, picket.Finding, int) (server.Table, error) {
	return m.rows, m.err
}

func (m *memory) WriteFindings(_ context.Context, w io.Writer) error {
	io.WriteString(w, strings.Repeat("x", m.after))
	for _, f := range m.findings {
		if m.err == nil {
			fmt.Fprintf(w, "{\"uid\":%q}\n", f.UID)
		}
	}
	return m.err
}

func example() picket.Finding {
	return picket.Finding{
		UID: "3f9a2c", Revision: "2-77ab", Status: picket.StatusUpdated, Detector: "traffic", Class: "scan", Type: "port-scan",
		Severity: picket.SeverityHigh, Confidence: .99987, Seconds: 3600, Entity: picket.Entity{Kind: picket.KindActor, ID: "203.0.113.9"},
		FirstSeen: 1767225600, LastSeen: 1767229200, Title: "Port scan by 203.0.113.9",
		Sentence: "203.0.113.9 tried 412 ports of 3 hosts between 00:00 and 01:00 (confidence 99.9 %): distinct ports 412, failed handshakes 0.97, packets per conversation 1.1.",
		Windows:  3, Source: "vpc/60", Model: "m-0123456789", Cut: picket.CutBudget, Threshold: 2.2, Margin: 7.43,
		Reasons: []picket.Contribution{
			{Feature: "distinct_dst_ports", Value: 412, Shap: 3.1}, {Feature: "failed_share", Value: .97, Shap: 1.6},
			{Feature: "packets_per_flow", Value: 1.08, Shap: .8}, {Feature: "bytes_per_second", Value: 1234567, Shap: -.6}, {Feature: "ttl", Value: math.NaN(), Shap: -.1},
		},
		Features: map[string]float64{"distinct_dst_ports": 412, "failed_share": .97, "entropy_dst_port": 8.412345, "packets_per_flow": 1.08},
		Peers:    []string{"10.0.0.4", "10.0.0.5"},
		Evidence: []picket.Evidence{{Object: "raw/vpc/2026/01/01/flow.log.gz", Version: "9f86d081884c7d65", FirstLine: 1204, LastLine: 98211, Flows: 1236}},
	}
}

func metrics() *prometheus.Metrics {
	m := prometheus.New()
	m.In("decode", 1234567)
	m.Out("decode", 1234000)
	m.Dropped("decode", "bad time", 567)
	m.Took("decode", 1200*time.Millisecond)
	m.Error("extract")
	m.Lag("vpc/60", 75*time.Second)
	m.Lag("zeek", 73*time.Hour)
	m.Drift("traffic/actor/60", "bytes_per_second", .31)
	m.Drift("traffic/actor/60", "calm", .01)
	m.Drift("traffic/actor/60", "score", .02)
	m.Drift("traffic/victim/60", "score", .04)
	m.Invocation(200, time.Millisecond)
	m.Retrained(time.Unix(1767225600, 0), "candidate")
	return m
}

// status returns the pages over a source, with a model unless m is nil.
func status(t *testing.T, source server.Source, m *picket.Model) http.Handler {
	t.Helper()
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	s, err := server.NewStatus(server.StatusOptions{
		Version: "1.2.3", Build: map[string]string{"commit": "abc"}, Source: source, Metrics: metrics(),
		Model: func() *picket.Model { return m }, Cut: func() string { return "shipped: 3 of 24 hours" }, Log: slog.New(slog.DiscardHandler), Now: func() time.Time { return at },
	})
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	s.Register(mux)
	return mux
}

func page(t *testing.T, h http.Handler, path string, code int) (string, http.Header) {
	t.Helper()
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest("GET", path, nil))
	if w.Code != code {
		t.Fatalf("%s: %d %s", path, w.Code, w.Body)
	}
	return w.Body.String(), w.Header()
}

// text is a page as it reads: without marks, spaces collapsed.
func text(page string) string {
	page = regexp.MustCompile(`<[^>]*>`).ReplaceAllString(page, " ")
	return strings.Join(strings.Fields(strings.NewReplacer("&#43;", "+", "&gt;", ">", "&#39;", "'").Replace(page)), " ")
}

func wantText(t *testing.T, got string, want ...string) {
	t.Helper()
	for _, w := range want {
		if !strings.Contains(text(got), w) {
			t.Errorf("%q is not in the page:\n%s", w, text(got))
		}
	}
}

func TestStatusHome(t *testing.T) {
	m := model(actor, victim)
	m.Name = "day one"
	got, head := page(t, status(t, &memory{findings: []picket.Finding{example()}}, m), "/", 200)
	wantText(t, got, "decode in 1,234,567 out 1,234,000 dropped 567 mean time 1.2s", "extract in 0 out 0 dropped 0 errors 1",
		"Findings the last 1", "high port-scan 203.0.113.9 > 99.9 % 2026-01-01 00:00:00 2026-01-01 01:00:00 Port scan by 203.0.113.9 updated",
		"day one", "traffic/victim/60 2 columns, normal, ddos, scan", "ready yes", "lag of vpc/60 1m15s", "lag of zeek 3 days", "decode: bad time 567",
		"drift of score in traffic/victim/60 0.04", "drift of bytes_per_second in traffic/actor/60 0.31", "threshold shipped: 3 of 24 hours", "requests answered 1", "last retrain, candidate 2026-01-01 00:00:00")
	if strings.Contains(got, "calm") || strings.Contains(got, "score in traffic/actor/60") {
		t.Error("a feature that does not drift is shown")
	}
	if p := head.Get("Content-Security-Policy"); !strings.Contains(p, "default-src 'none'; style-src 'self'") || strings.Contains(p, "unsafe") {
		t.Error(p)
	}
	if !strings.Contains(got, `href="/findings/3f9a2c"`) {
		t.Error("no link to the finding")
	}
}

func TestStatusHomeEmpty(t *testing.T) {
	got, _ := page(t, status(t, &memory{}, nil), "/", 200)
	wantText(t, got, "Nothing found so far", "No model is live", "ready no: no model is live")
	got, _ = page(t, status(t, &memory{err: errors.New("disk on fire")}, nil), "/", 200)
	wantText(t, got, "Findings cannot be read: disk on fire")
}

func TestStatusFinding(t *testing.T) {
	source := &memory{findings: []picket.Finding{example()}, rows: server.Table{
		Columns: []string{"minute", "peer"}, Rows: [][]string{{"2026-01-01 00:03", "10.0.0.4"}}}}
	h := status(t, source, nil)
	got, _ := page(t, h, "/findings/3f9a2c", 200)
	wantText(t, got, "Port scan by 203.0.113.9", "tried 412 ports", "entity actor 203.0.113.9", "3 fired, the surest of 1h",
		"distinct_dst_ports 412 +3.100", "bytes_per_second 1,234,567 -0.600", "ttl missing -0.100",
		"raw/vpc/2026/01/01/flow.log.gz 9f86d081884c 1,204 98,211 1,236", "minute peer 2026-01-01 00:03 10.0.0.4",
		"entropy_dst_port 8.4123", "margin 7.430 against a threshold of 2.200", "threshold from the alert budget: this site's own", "in a terminal picket explain 3f9a2c", "peers 10.0.0.4, 10.0.0.5")
	for _, bar := range []string{`class="up" x="100" y="1" width="100.0"`, `class="down" x="80.6" y="1" width="19.4"`} {
		if !strings.Contains(got, bar) {
			t.Errorf("no bar %s", bar)
		}
	}
	page(t, h, "/findings/none", 404)
	source.err = errors.New("secret path")
	if got, _ := page(t, h, "/findings/3f9a2c", 500); strings.Contains(got, "secret") {
		t.Error("the page tells the reason to anybody")
	}
}

// TestStatusHostile: whatever a log says is text on the page.
func TestStatusHostile(t *testing.T) {
	evil := "\"'><script>alert(1)</script><img src=x onerror=alert(1)>\x1b[31m\u202e\u200b\x00\xff\nline{{.}}" + strings.Repeat("A", 5000)
	f := example()
	f.UID, f.Title, f.Sentence, f.Class, f.Type, f.Entity.ID, f.Source, f.Model, f.Revision = evil, evil, evil, evil, evil, evil, evil, evil, evil
	f.UID = evil[:100] // only ever in a link, whole
	f.Status, f.Detector, f.Successor, f.Peers = evil, evil, evil, []string{evil}
	f.Cut, f.Network, f.Others = evil, evil, []string{evil}
	f.Severity = 99
	f.Confidence, f.Margin = math.NaN(), math.Inf(1)
	f.Reasons = []picket.Contribution{{Feature: evil, Value: math.Inf(-1), Shap: math.NaN()}, {Feature: evil, Shap: math.Inf(-1)}, {Shap: math.MaxFloat64}}
	f.Features = map[string]float64{evil: 1, "x": -math.MaxFloat64}
	f.Evidence = []picket.Evidence{{Object: evil, Version: evil, FirstLine: math.MaxUint64}}
	m := model(actor)
	m.ID, m.Name, m.Boosters[0].Classes = evil, evil, []string{evil}
	g := f
	g.UID = "plain"
	h := status(t, &memory{findings: []picket.Finding{f, g}, rows: server.Table{Columns: []string{evil}, Rows: [][]string{{evil}}}}, m)
	for _, path := range []string{"/", "/findings/plain"} {
		got, _ := page(t, h, path, 200)
		harmless(t, got)
	}
}

// harmless walks over a page as a browser reads it.
func harmless(t *testing.T, page string) {
	t.Helper()
	for _, r := range page {
		if r != '\n' && (unicode.IsControl(r) || unicode.Is(unicode.Cf, r)) {
			t.Errorf("character %U is in the page", r)
		}
	}
	if strings.Contains(page, strings.Repeat("A", 400)) {
		t.Error("a text without end is in the page")
	}
	tokens := html.NewTokenizer(strings.NewReader(page))
	for tokens.Next() != html.ErrorToken {
		token := tokens.Token()
		if token.Type == html.TextToken {
			continue
		}
		switch token.Data {
		case "script", "img", "iframe", "style", "base", "form":
			t.Errorf("there is a <%s>", token.Data)
		}
		for _, a := range token.Attr {
			if strings.HasPrefix(a.Key, "on") || a.Key == "style" || a.Key == "href" && !strings.HasPrefix(a.Val, "/") {
				t.Errorf("<%s %s=%q>", token.Data, a.Key, a.Val)
			}
		}
	}
	if err := tokens.Err(); err != io.EOF {
		t.Error(err)
	}
}

func TestStatusFindings(t *testing.T) {
	source := &memory{findings: []picket.Finding{{UID: "a"}, {UID: "b"}}}
	h := status(t, source, nil)
	got, head := page(t, h, "/findings", 200)
	if got != "{\"uid\":\"a\"}\n{\"uid\":\"b\"}\n" || head.Get("Content-Type") != "application/jsonlines" {
		t.Errorf("%q %v", got, head)
	}
	source.err = errors.New("secret path")
	if got, _ := page(t, h, "/findings", 500); strings.Contains(got, "secret") {
		t.Error(got)
	}
	source.after = 1 << 20
	s := httptest.NewServer(h)
	defer s.Close()
	resp, err := http.Get(s.URL + "/findings")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if _, err := io.Copy(io.Discard, resp.Body); err == nil {
		t.Error("half of the findings came as if they were all")
	}
}

func TestStatusForPrograms(t *testing.T) {
	h := status(t, &memory{}, model(actor))
	if got, _ := page(t, h, "/healthz", 200); got != "ok\n" {
		t.Error(got)
	}
	page(t, h, "/readyz", 200)
	page(t, status(t, &memory{}, nil), "/readyz", 503)
	if got, _ := page(t, h, "/metrics", 200); !strings.Contains(got, `picket_lag_seconds{source="vpc/60"} 75`) {
		t.Error("no counters")
	}
	if got, head := page(t, h, "/style.css", 200); !strings.Contains(got, "prefers-color-scheme: dark") || !strings.HasPrefix(head.Get("Content-Type"), "text/css") {
		t.Error(head)
	}
	got, _ := page(t, h, "/version", 200)
	var facts map[string]string
	if err := json.Unmarshal([]byte(got), &facts); err != nil || facts["version"] != "1.2.3" || facts["commit"] != "abc" || facts["model"] != "m1" {
		t.Error(got, err)
	}
	page(t, h, "/nothing", 404)
	page(t, h, "/web/home.html", 404)
}

// TestStatusSample writes the pages to a folder, for people to look at.
func TestStatusSample(t *testing.T) {
	dir := os.Getenv("STATUS_SAMPLE")
	if dir == "" {
		return
	}
	f, g := example(), example()
	g.UID, g.Type, g.Severity, g.Entity.ID, g.Confidence, g.Status = "b", "syn-flood", picket.SeverityCritical, "2001:db8::17", .91, picket.StatusNew
	g.Title, g.Sentence = "SYN flood on 2001:db8::17", "2001:db8::17 was opened to 91,000 times in a minute."
	m := model(actor, victim)
	m.Name = "day one"
	h := status(t, &memory{findings: []picket.Finding{g, f}, rows: server.Table{Columns: []string{"minute", "peer", "port", "packets"},
		Rows: [][]string{{"2026-01-01 00:03", "10.0.0.4", "22", "2"}, {"2026-01-01 00:03", "10.0.0.5", "23", "1"}}}}, m)
	for name, path := range map[string]string{"home.html": "/", "finding.html": "/findings/3f9a2c", "style.css": "/style.css"} {
		got, _ := page(t, h, path, 200)
		got = strings.Replace(got, "/style.css", "style.css", 1)
		if err := os.WriteFile(dir+"/"+name, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}
