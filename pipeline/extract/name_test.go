package extract

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"picket"
)

func TestParseName(t *testing.T) {
	f := func(text, want string) {
		t.Helper()
		got := ""
		if n, err := ParseName(text); err != nil {
			got = err.Error()
		} else {
			got = fmt.Sprintf("%s|%s|%s|%s", n.Sub, n.Label, n.Suffix, n.Hosting)
		}
		if got != want {
			t.Errorf("%q: %s, want %s", text, got, want)
		}
	}
	f("WWW.Example.CO.UK.", "www|example|co.uk|")
	f("example.com", "|example|com|")
	f("a.b.example.com", "a.b|example|com|")
	f("me.github.io", "|me|io|github.io")
	f("www.me.pages.dev", "www|me|dev|pages.dev")
	f("bucket.s3.amazonaws.com", "|bucket|com|s3.amazonaws.com")
	f("me.blogspot.com", "|me|com|blogspot.com")
	f("https://user:pw@login.example.com:8443/a?b#c", "login|example|com|")
	f("http://example.com\\@evil.example.net/", "|example|com|")
	f("login.example.com:443", "login|example|com|")
	f("example.com/path", "|example|com|")
	f("münchen.de", "|xn--mnchen-3ya|de|")
	f("xn--pypal-4ve.com", "|xn--pypal-4ve|com|")
	f("_ldap._tcp.example.com", "a service name")
	f("10.0.0.1", "an address")
	f("http://10.0.0.1:8080/", "an address")
	f("[2001:db8::1]:443", "an address")
	f("1.2.3.4.5", "an address")
	f("printer", "a name of the local network")
	f("printer.local", "a name of the local network")
	f("1.0.0.10.in-addr.arpa", "a name of the local network")
	f("host.corp.nosuchsuffix", "a name of the local network")
	f("github.io", "a public suffix")
	f("co.uk", "a public suffix")
	f("", "not a host name")
	f("a..b.com", "not a host name")
	f("spaces are.com", "not a host name")
	f(strings.Repeat("a", 64)+".com", "not a host name")
	f(strings.Repeat("a.", 130)+"com", "not a host name")
	f("\x00\xff.com", "not a host name")
}

// TestImitated holds every technique, and names that imitate nothing.
func TestImitated(t *testing.T) {
	brands := DefaultBrands()
	f := func(host, want string) {
		t.Helper()
		n, err := ParseName(host)
		if err != nil {
			t.Fatal(err)
		}
		m := brands.imitated(&n)
		if got := strings.TrimSpace(fmt.Sprintf("%s %s %s", m.word, m.how, m.where)); got != want {
			t.Errorf("%s: %q, want %q", host, got, want)
		}
	}
	f("www.paypal.com", "paypal own")
	f("paypal-cash.com", "paypal own") // theirs, by the list of v2fly
	f("paypal.top", "paypal is label")
	f("paypal-login.top", "paypal word label")
	f("mypaypallogin.top", "paypal part label")
	f("paypa1.com", "paypal own") // registered against look-alikes, by the same list
	f("paypa1.top", "paypal glyphs label")
	f("paypa1-secure.com", "paypal glyphs label")
	f("rnicrosoft.com", "microsoft glyphs label")
	f("xn--pypal-4ve.com", "paypal glyphs label") // with a Cyrillic а
	f("payapl.com", "paypal near label")
	f("paypall.top", "paypal part label")
	f("micorsoftt.com", "microsoft near label")
	f("www.paypal.com.xkcjqz.top", "paypal word sub")
	f("paypal-login.pages.dev", "paypal word label")
	f("wikimedia.org", "")
	f("kernel.org", "")
	f("pineapple-farm.org", "apple part label") // trees weigh it by its length
}

func TestSkeleton(t *testing.T) {
	f := func(text, want string) {
		t.Helper()
		if got := skeleton(text); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
	f("paypal", "paypal")
	f("раураl", "paypal") // four Cyrillic letters
	f("pàypál", "paypal")
	f("g00gle", "google")
	f("365", "365")
	f("vvestern", "westem")
}

func TestEditDistance(t *testing.T) {
	f := func(a, b string, want int) {
		t.Helper()
		if got := editDistance(a, b); got != want {
			t.Errorf("%s %s: %d, want %d", a, b, got, want)
		}
	}
	f("", "abc", 3)
	f("paypal", "paypal", 0)
	f("payapl", "paypal", 1)
	f("papal", "paypal", 1)
	f("paypall", "paypal", 1)
	f("paybal", "paypal", 1)
	f("microsfot", "microsoft", 1)
	f("mcirosfot", "microsoft", 2)
	f("kitten", "sitting", 3)
}

// lookups returns records of names as several logs tell them.
func lookups(n int) []picket.Record {
	rng := rand.New(rand.NewPCG(3, 4))
	records := make([]picket.Record, n)
	for i := range records {
		l := &picket.Lookup{Name: fmt.Sprintf("h%d.d%d.example.com", rng.IntN(90), rng.IntN(3)), Via: []string{"dns", "http", "tls", "list"}[rng.IntN(4)]}
		if rng.IntN(3) == 0 {
			l.Name = fmt.Sprintf("Site%d.co.uk.", rng.IntN(40))
		}
		r := &records[i]
		*r = picket.Record{Source: picket.SourceNames, Line: uint64(i + 1), Start: (1_700_000_000+int64(rng.IntN(9000)))*1e9 + rng.Int64N(1e9), Lookup: l,
			Src: netip.AddrFrom4([4]byte{10, 0, 0, byte(rng.IntN(9))}), Dst: netip.AddrFrom4([4]byte{192, 0, 2, 53})}
		if rng.IntN(4) == 0 {
			r.Source, l.Via, l.Code = picket.SourcePcap, "dns", []string{"NOERROR", "NXDOMAIN", "SERVFAIL"}[rng.IntN(3)]
			r.Src, r.Dst = r.Dst, r.Src
		}
		for range rng.IntN(12) {
			l.Answers = append(l.Answers, netip.AddrFrom4([4]byte{198, 51, 100, byte(rng.IntN(30))}))
		}
		if rng.IntN(4) == 0 {
			l.Issuer, l.Valid = fmt.Sprint("CN=", rng.IntN(3)), [2]int64{1_690_000_000 + rng.Int64N(5), 1_700_000_000}
		}
		r.End = r.Start
	}
	return records
}

// nameParts builds the parts of records cut into n objects.
func nameParts(t *testing.T, records []picket.Record, n, maxRows int) []Part {
	t.Helper()
	var parts []Part
	for k := range n {
		b := NewNameBuilder(Options{MaxRows: maxRows, TempDir: t.TempDir()})
		for i := k * len(records) / n; i < (k+1)*len(records)/n; i++ {
			if err := b.Add(&records[i]); err != nil {
				t.Fatal(err)
			}
		}
		var bodies []*bytes.Buffer
		infos, err := b.Finish(func(PartID) (io.WriteCloser, error) {
			bodies = append(bodies, &bytes.Buffer{})
			return unclosed{bodies[len(bodies)-1]}, nil
		})
		if err != nil {
			t.Fatal(err)
		}
		for i, info := range infos {
			body := bodies[i].Bytes()
			parts = append(parts, Part{ID: info.ID, Object: fmt.Sprint("object ", k), Open: func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(body)), nil }})
		}
		b.Close()
	}
	return parts
}

func nameRows(t *testing.T, parts []Part, maxRows int) string {
	t.Helper()
	var out strings.Builder
	o := CloseOptions{Source: picket.SourceNames, From: 1_699_999_200, To: 1_700_010_000, MaxRows: maxRows, TempDir: t.TempDir()}
	stats, err := NameWindows(context.Background(), parts, o, func(f *picket.Features) error {
		fmt.Fprintf(&out, "%s %d %d", f.Window, f.Elapsed, f.Flows)
		for _, v := range f.Values {
			fmt.Fprintf(&out, " %x", math.Float64bits(v))
		}
		out.WriteByte('\n')
		return nil
	})
	if err != nil || stats.Windows == 0 {
		t.Fatal(stats, err)
	}
	return out.String()
}

// Any cut of the records, in any order and with any memory, gives the same bytes.
func TestNamesMerge(t *testing.T) {
	records := lookups(4000)
	want := nameRows(t, nameParts(t, records, 1, 0), 0)
	if n := strings.Count(want, "\n"); n < 300 {
		t.Fatalf("%d rows", n)
	}
	for _, cut := range []struct{ objects, maxRows int }{{7, 0}, {3, 50}, {70, 20}} {
		shuffled := slices.Clone(records)
		rand.New(rand.NewPCG(uint64(cut.objects), 1)).Shuffle(len(shuffled), func(i, j int) { shuffled[i], shuffled[j] = shuffled[j], shuffled[i] })
		parts := nameParts(t, shuffled, cut.objects, cut.maxRows)
		slices.Reverse(parts)
		if got := nameRows(t, parts, cut.maxRows); got != want {
			t.Errorf("%d objects, %d rows in memory: other rows", cut.objects, cut.maxRows)
		}
	}
}

// What was counted, by hand.
func TestNameWindow(t *testing.T) {
	at := func(seconds int64) int64 { return (1_700_000_000 + seconds) * 1e9 }
	client, server := netip.MustParseAddr("10.0.0.5"), netip.MustParseAddr("10.0.0.53")
	ask := func(source string, from, to netip.Addr, seconds int64, l picket.Lookup) picket.Record {
		return picket.Record{Source: source, Src: from, Dst: to, Start: at(seconds), End: at(seconds), Line: uint64(seconds + 1), Lookup: &l}
	}
	records := []picket.Record{
		ask(picket.SourcePcap, client, server, 0, picket.Lookup{Name: "Login.Example.com", Via: "dns"}),
		ask(picket.SourcePcap, server, client, 1, picket.Lookup{Name: "login.example.com.", Via: "dns", Code: "NOERROR", Answers: []netip.Addr{netip.MustParseAddr("192.0.2.9")}}),
		ask(picket.SourceNames, netip.MustParseAddr("10.0.0.6"), server, 70, picket.Lookup{Name: "login.example.com", Via: "dns", Code: "NXDOMAIN"}),
		ask(picket.SourceNames, client, server, 80, picket.Lookup{Name: "login.example.com", Via: "tls", Valid: [2]int64{1_700_000_000 - 2*picket.Day, 1_700_000_000 + 88*picket.Day}}),
		ask(picket.SourceNames, client, server, 90, picket.Lookup{Name: "printer.local", Via: "dns"}),
	}
	parts := nameParts(t, records, 2, 0)
	var rows []picket.Features
	o := CloseOptions{Source: picket.SourceNames, From: 1_699_999_200, To: 1_700_002_800}
	if _, err := NameWindows(context.Background(), parts, o, func(f *picket.Features) error { rows = append(rows, *f); return nil }); err != nil {
		t.Fatal(err)
	}
	if len(rows) != 1 || rows[0].Entity.ID != "login.example.com" || rows[0].Flows != 3 {
		t.Fatalf("%+v", rows)
	}
	for name, want := range map[string]float64{"lookups": 3, "clients": 2, "active_minutes": 2, "missing_share": 0.5, "addresses": 1, "certificate_valid_days": 90, "labels": 3, "label_length": 7} {
		if got := rows[0].Values[slices.Index(nameSchema().Names, name)]; got != want {
			t.Errorf("%s is %v, want %v", name, got, want)
		}
	}
	proofs, err := NameProofs(context.Background(), parts, []picket.Window{rows[0].Window}, 0)
	if err != nil {
		t.Fatal(err)
	}
	p := proofs[0]
	if len(p.Peers) != 2 || p.Peers[0].ID != "10.0.0.5" || p.Peers[0].Flows != 2 || len(p.Evidence) != 2 || p.Evidence[0].FirstLine != 1 || len(p.Answers) != 1 {
		t.Errorf("%+v", p)
	}
}

// A domain with more hosts than maxHosts gives that many rows, and one of its own
// that has the rest.
func TestManyHosts(t *testing.T) {
	var records []picket.Record
	for i := range 300 {
		records = append(records, picket.Record{Source: picket.SourceNames, Start: 1_700_000_000e9, End: 1_700_000_000e9, Line: 1,
			Lookup: &picket.Lookup{Name: fmt.Sprintf("x%03d.tunnel.com", i), Via: "dns"}})
	}
	total, hosts := uint64(0), 0
	o := CloseOptions{Source: picket.SourceNames, From: 1_699_999_200, To: 1_700_002_800}
	_, err := NameWindows(context.Background(), nameParts(t, records, 1, 0), o, func(f *picket.Features) error {
		total += f.Flows
		hosts++
		return nil
	})
	if err != nil || total != 300 || hosts != maxHosts+1 {
		t.Errorf("%d lookups in %d rows, %v", total, hosts, err)
	}
}

// A part that is cut, changed or of another hour is refused.
func TestDamagedLedgerPart(t *testing.T) {
	part := nameParts(t, lookups(500), 1, 0)[0]
	in, _ := part.Open()
	body, _ := io.ReadAll(in)
	read := func(b []byte) error {
		p := part
		p.Open = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(b)), nil }
		return readLedgerPart(p, func(string, *nameState) error { return nil })
	}
	if err := read(body); err != nil {
		t.Fatal(err)
	}
	for n := range len(body) {
		if n%37 == 0 || n > len(body)-20 {
			if err := read(body[:n]); err == nil {
				t.Errorf("cut at %d of %d is read", n, len(body))
			}
		}
		if n%11 == 0 {
			bad := bytes.Clone(body)
			bad[n] ^= 0x40
			if err := read(bad); err == nil {
				t.Errorf("byte %d changed is read", n)
			}
		}
	}
	part.ID.Hour += picket.Hour
	if err := read(body); !errors.Is(err, errCorrupt) {
		t.Errorf("part of another hour: %v", err)
	}
}

func FuzzParseName(f *testing.F) {
	for _, s := range []string{"www.example.co.uk", "https://a@b.com:1/", "xn--pypal-4ve.com", "münchen.de", "[::1]:2", "a.github.io"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		n, err := ParseName(text)
		if err != nil {
			return
		}
		again, err := ParseName(n.Host)
		if err != nil || again != n {
			t.Errorf("%q: %+v, again %+v, %v", text, n, again, err)
		}
		for i, v := range NameRow(n, DefaultLexicon(), DefaultBrands()) {
			if math.IsInf(v, 0) {
				t.Errorf("%q: %s is %v", text, nameSchema().Names[i], v)
			}
		}
		NameFacts(n.Host, DefaultBrands())
	})
}

// BenchmarkNames is from the text of a name to its features.
func BenchmarkNames(b *testing.B) {
	rng, brands, l := rand.New(rand.NewPCG(95, 96)), DefaultBrands(), DefaultLexicon()
	names := make([]string, 1<<13)
	for i := range names {
		names[i] = fmt.Sprintf("%s%s.%s", []string{"", "www.", "mail.", "api-3.eu."}[rng.IntN(4)], misspelt(rng, brands), []string{"com", "de", "co.uk", "top"}[rng.IntN(4)])
		if rng.IntN(3) > 0 {
			names[i] = fmt.Sprintf("%x.example-%d.com", rng.Uint32(), rng.IntN(1000))
		}
	}
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		if n, err := ParseName(names[i%len(names)]); err == nil {
			NameRow(n, l, brands)
		}
		i++
	}
}
