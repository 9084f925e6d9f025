package pipeline

import (
	"bytes"
	"encoding/binary"
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

// mmdb makes a file in MaxMind's format, version 2.0, with a record for each network
// of IPv4 (maxmind.github.io/MaxMind-DB).
func mmdb(rows map[string]any) []byte {
	type node [2]int // below 0: empty; from leaf on: data
	const leaf = 1 << 20
	nodes := []node{{-1, -1}}
	var data bytes.Buffer
	for cidr, row := range rows {
		p := netip.MustParsePrefix(cidr)
		bits, at := binary.BigEndian.Uint32(p.Addr().AsSlice()), 0
		for i := range p.Bits() {
			side := bits >> (31 - i) & 1
			if i == p.Bits()-1 {
				nodes[at][side] = leaf + data.Len()
				break
			}
			if nodes[at][side] < 0 {
				nodes = append(nodes, node{-1, -1})
				nodes[at][side] = len(nodes) - 1
			}
			at = nodes[at][side]
		}
		encodeMMDB(&data, row)
	}
	var file bytes.Buffer
	for _, n := range nodes {
		for _, to := range n {
			switch {
			case to < 0:
				to = len(nodes)
			case to >= leaf:
				to += len(nodes) + 16 - leaf
			}
			file.Write([]byte{byte(to >> 16), byte(to >> 8), byte(to)})
		}
	}
	file.Write(make([]byte, 16))
	file.Write(data.Bytes())
	file.WriteString("\xab\xcd\xefMaxMind.com")
	encodeMMDB(&file, map[string]any{
		"node_count": uint32(len(nodes)), "record_size": uint16(24), "ip_version": uint16(4), "database_type": "Test",
		"binary_format_major_version": uint16(2), "binary_format_minor_version": uint16(0), "build_epoch": uint32(1), "languages": []any{}, "description": map[string]any{},
	})
	return file.Bytes()
}

func encodeMMDB(w *bytes.Buffer, v any) {
	switch v := v.(type) {
	case map[string]any:
		w.WriteByte(7<<5 | byte(len(v)))
		for key, value := range v {
			encodeMMDB(w, key)
			encodeMMDB(w, value)
		}
	case []any:
		w.Write([]byte{byte(len(v)), 11 - 7})
	case string:
		if len(v) < 29 {
			w.WriteByte(2<<5 | byte(len(v)))
		} else {
			w.Write([]byte{2<<5 | 29, byte(len(v) - 29)})
		}
		w.WriteString(v)
	case uint16:
		w.Write([]byte{5<<5 | 2, byte(v >> 8), byte(v)})
	case uint32:
		w.Write([]byte{6<<5 | 4, byte(v >> 24), byte(v >> 16), byte(v >> 8), byte(v)})
	}
}

func country(code string) any { return map[string]any{"country": map[string]any{"iso_code": code}} }

// Where the user has files of countries and autonomous systems, findings of access say
// from where, two countries within an hour are a finding, and a file that changes is
// read again. What no file says is unknown.
func TestPlaces(t *testing.T) {
	countries, systems := filepath.Join(t.TempDir(), "countries.mmdb"), filepath.Join(t.TempDir(), "systems.mmdb")
	write := func(path string, rows map[string]any) {
		t.Helper()
		if err := os.WriteFile(path, mmdb(rows), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write(countries, map[string]any{"198.51.100.0/24": country("DE"), "203.0.113.0/24": country("BR")})
	write(systems, map[string]any{"198.51.100.0/24": map[string]any{"autonomous_system_number": uint32(64500), "autonomous_system_organization": "Example Networks"}})
	cfg := Default()
	cfg.Places = []string{countries, systems}
	judge := func(events ...trailLog) []picket.Finding {
		t.Helper()
		p := New(cfg, Deps{Bucket: store.NewMemory(nil), Now: func() time.Time { return trailDay.Add(40 * time.Hour) }, TempDir: t.TempDir()})
		take(t, p, trail("raw/trail.json", events...))
		return tellAll(t, p)
	}
	found := judge(event(1, "cloudtrail", "StopLogging", `request={"name":"main"}`))
	if len(found) != 1 || !strings.Contains(found[0].Sentence, "198.51.100.7 (DE, AS64500 Example Networks)") {
		t.Errorf("the place is not told: %v", found)
	}
	here, there, nowhere := event(1, "s3", "ListBuckets", ""), event(40, "s3", "ListBuckets", "address=203.0.113.9"), event(40, "s3", "ListBuckets", "address=192.0.2.1")
	found = judge(here, there)
	if len(found) != 1 || found[0].Type != triage.TypeTwoCountries || found[0].Entity.Kind != picket.KindPrincipal {
		t.Fatalf("two countries: %v", found)
	}
	if found := judge(here, nowhere); len(found) != 0 {
		t.Errorf("an unknown country: %v", found)
	}
	write(countries, map[string]any{"198.51.100.0/24": country("DE"), "203.0.113.0/25": country("DE")})
	if found := judge(here, there); len(found) != 0 {
		t.Errorf("one country: %v", found)
	}
	if _, _, err := readPlaces(strings.NewReader("nothing of the kind")); err == nil {
		t.Error("a text is taken for a file of places")
	}
}
