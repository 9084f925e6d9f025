package pipeline

import (
	"context"
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"picket"
	"picket/pipeline/triage"
	"picket/store"
)

// judge what a pipeline with lists says of raw objects, by a model that knows nothing
// but scans.
func listedIn(t *testing.T, lists map[string]string, raws ...Raw) []picket.Finding {
	t.Helper()
	p := withLists(t, lists)
	take(t, p, raws...)
	return tellAll(t, p)
}

func withLists(t *testing.T, lists map[string]string) *Pipeline {
	t.Helper()
	cfg := Default()
	for tag, text := range lists {
		l := ListFile{Tag: tag, Path: filepath.Join(t.TempDir(), tag)}
		if err := os.WriteFile(l.Path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		cfg.Lists = append(cfg.Lists, l)
	}
	return New(cfg, Deps{Bucket: store.NewMemory(nil), Now: func() time.Time { return nine.Add(3 * time.Hour) }, TempDir: t.TempDir()})
}

func tellAll(t *testing.T, p *Pipeline) []picket.Finding {
	t.Helper()
	ctx := context.Background()
	if err := p.Close(ctx, true, func([]Closed) error { return nil }); err != nil {
		t.Fatal(err)
	}
	days, err := p.Days(ctx)
	if err != nil {
		t.Fatal(err)
	}
	var all []picket.Finding
	for _, day := range days {
		d, err := p.Detect(ctx, &picket.Model{ID: strings.Repeat("a", 64)}, newWalker(), day)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, d.Events...)
	}
	return all
}

// answered is a conversation with an answer, as a flow log has it.
func answered(at time.Time, src string, srcPort int, dst string, dstPort int) string {
	return flow(at, src, srcPort, dst, dstPort) + flow(at, dst, dstPort, src, srcPort)
}

// resolver is a raw object of a resolver query log: a line is the address that asks,
// the name and, if it is not NOERROR, the answer's code.
func resolver(key string, lines ...string) Raw { return resolverAt(key, nine, lines...) }

func resolverAt(key string, start time.Time, lines ...string) Raw {
	var b strings.Builder
	for i, line := range lines {
		client, name, _ := strings.Cut(line, " ")
		name, code, told := strings.Cut(name, " ")
		if !told {
			code = "NOERROR"
		}
		at := start.Add(time.Duration(i) * time.Second)
		b.WriteString(`{"version":"1.100000","account_id":"111122223333","region":"us-east-1","vpc_id":"vpc-1","query_timestamp":"` + at.Format(time.RFC3339) +
			`","query_name":"` + name + `.","query_type":"A","query_class":"IN","rcode":"` + code + `","answers":[],"srcaddr":"` + client + `","srcport":"4000","transport":"UDP","srcids":{}}` + "\n")
	}
	text := b.String()
	return Raw{Key: key, Modified: start.Add(2 * time.Hour), Size: int64(len(text)), Open: func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(text)), nil }}
}

// What is on a list is told with its own type, what is allowed or one's own is not.
func TestLists(t *testing.T) {
	log := rawText("raw/flows.log", nine.Add(2*time.Hour), answered(nine, "10.0.0.5", 40000, "198.51.100.7", 9001), answered(nine, "10.0.0.6", 40000, "198.51.100.99", 443), answered(nine, "10.0.0.7", 40000, "203.0.113.9", 443))
	f := func(name string, lists map[string]string, entities ...string) {
		t.Helper()
		found := listedIn(t, lists, log)
		var got []string
		for _, f := range found {
			got = append(got, f.Entity.ID+" "+f.Type)
			if f.Cut != picket.CutList || f.Detector != picket.DetectorLists || len(f.Facts) == 0 {
				t.Errorf("%s: %+v", name, f)
			}
		}
		if strings.Join(got, ", ") != strings.Join(entities, ", ") {
			t.Errorf("%s: found %v, want %v", name, got, entities)
		}
	}
	f("an address", map[string]string{"tor": "198.51.100.7 # exit\n"}, "10.0.0.5 listed-tor")
	f("a network", map[string]string{"c2": "198.51.100.64/26\n"}, "10.0.0.6 listed-c2")
	f("allowed", map[string]string{"c2": "198.51.100.0/24\n", "allow": "198.51.100.99"}, "10.0.0.5 listed-c2")
	f("one's own", map[string]string{"threat": "198.51.100.0/24\n", "own": "198.51.100.0/25\n10.0.0.0/8"})
	f("an allowed host", map[string]string{"threat": "203.0.113.9", "allow": "10.0.0.7"})
	f("names and other addresses", map[string]string{"threat": "example.com\n192.0.2.1"})
}

// A list that changes is read again, and what was told of it closes.
func TestListsAreReadAgain(t *testing.T) {
	p := withLists(t, map[string]string{"c2": "198.51.100.7\n"})
	take(t, p, rawText("raw/flows.log", nine.Add(2*time.Hour), answered(nine, "10.0.0.5", 40000, "198.51.100.7", 9001)))
	if found := tellAll(t, p); len(found) != 1 {
		t.Fatalf("found %v", found)
	}
	path := p.cfg.Lists[0].Path
	if err := os.WriteFile(path, []byte("10.0.0.1.2 is nothing\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if found := tellAll(t, p); len(found) != 0 {
		t.Errorf("a bad list: %v", found) // what it last held stays
	}
	if err := os.WriteFile(path, []byte("192.0.2.1\n192.0.2.2\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if found := tellAll(t, p); len(found) != 1 || found[0].Status != picket.StatusClosed {
		t.Errorf("a list without it: %v", found)
	}
}

func TestEntries(t *testing.T) {
	e, n, err := readEntries(strings.NewReader("10.0.0.0/8\n2001:db8::/32\n::ffff:192.0.2.1\nEvil-site.com\n# nothing\n"))
	if err != nil || n != 4 {
		t.Fatal(n, err)
	}
	for id, want := range map[string]bool{"10.255.0.1": true, "11.0.0.1": false, "2001:db8:1::1": true, "2001:db9::1": false, "192.0.2.1": true, "evil-site.com": true, "a.evil-site.com": true, "notevil-site.com": false} {
		if e.has(id) != want {
			t.Errorf("%s: %t", id, !want)
		}
	}
	if e.hasAddress(netip.Addr{}) {
		t.Error("no address is listed")
	}
	if _, _, err := readEntries(strings.NewReader("10.0.0.1\nnot a name at all\n")); err == nil || !strings.Contains(err.Error(), "line 2") {
		t.Errorf("a bad line: %v", err)
	}
	for _, l := range []ListFile{{"nonsense", "x"}, {triage.TagTor, ""}} {
		if l.Validate() == nil {
			t.Errorf("%v is taken", l)
		}
	}
}
