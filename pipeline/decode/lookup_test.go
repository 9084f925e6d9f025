package decode

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"picket"
)

// question returns a DNS query for a name in labels.
func question(labels ...string) []byte {
	b := []byte{0, 1, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0}
	for _, l := range labels {
		b = append(b, byte(len(l)))
		b = append(b, l...)
	}
	return append(b, 0, 0, 1, 0, 1)
}

func TestReadDNS(t *testing.T) {
	answer := question("www", "Example", "com")
	answer[2], answer[3], answer[7] = 0x81, 0x80, 2
	answer = append(answer, 0xc0, 12, 0, 5, 0, 1, 0, 0, 0, 60, 0, 2, 0xc0, 12) // an alias
	answer = append(answer, 0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 192, 0, 2, 7)
	missing := question("nowhere", "example")
	missing[2], missing[3] = 0x81, 0x83
	twice := question("a", "example")
	twice[5] = 2
	update := question("a", "example")
	update[2] = 5 << 3
	loop := append(append([]byte(nil), answer[:12]...), 1, 'a', 0xc0, 12, 0, 1, 0, 1)
	forward := append(append([]byte(nil), answer[:12]...), 0xc0, 200, 0, 1, 0, 1)
	f := func(name string, b []byte, want string) {
		t.Helper()
		got := "nil"
		if l := readDNS(b); l != nil {
			got = fmt.Sprintf("%s %s %s %v", l.Name, l.Type, l.Code, l.Answers)
		}
		if got != want {
			t.Errorf("%s: %s, want %s", name, got, want)
		}
	}
	f("question", question("www", "Example", "com"), "www.Example.com A  []")
	f("answer by way of an alias", answer, "www.Example.com A NOERROR [192.0.2.7]")
	f("no such name", missing, "nowhere.example A NXDOMAIN []")
	f("answer cut inside a record", answer[:len(answer)-2], "www.Example.com A NOERROR []")
	f("two questions", twice, "nil")
	f("dynamic update", update, "nil")
	f("the root", question(), "nil")
	f("pointer to itself", loop, "nil")
	f("pointer forward", forward, "nil")
	f("cut", question("www", "example")[:20], "nil")
	f("not DNS", []byte("HELO example.com and so on"), "nil")
	f("label with a dot and a space", question("a.b c", "example"), "a.b c.example A  []")
	f("name beyond 255", question(strings.Repeat("a", 60), strings.Repeat("b", 60), strings.Repeat("c", 60), strings.Repeat("d", 60), strings.Repeat("e", 60)), "nil")
}

// clientHello returns a ClientHello for a name, with padding before it.
func clientHello(name string, padding int) []byte {
	ext := binary.BigEndian.AppendUint16([]byte{0, 21}, uint16(padding))
	ext = append(ext, make([]byte, padding)...)
	if name != "" {
		ext = append(ext, 0, 0)
		ext = binary.BigEndian.AppendUint16(ext, uint16(len(name)+5))
		ext = binary.BigEndian.AppendUint16(ext, uint16(len(name)+3))
		ext = append(ext, 0)
		ext = binary.BigEndian.AppendUint16(ext, uint16(len(name)))
		ext = append(ext, name...)
	}
	body := append([]byte{3, 3}, make([]byte, 32)...)
	body = append(body, 0, 0, 2, 0x13, 0x01, 1, 0)
	body = binary.BigEndian.AppendUint16(body, uint16(len(ext)))
	body = append(body, ext...)
	b := []byte{22, 3, 1, 0, 0, 1, 0, 0, 0}
	binary.BigEndian.PutUint16(b[3:], uint16(len(body)+4))
	b[7], b[8] = byte(len(body)>>8), byte(len(body))
	return append(b, body...)
}

func TestReadTLS(t *testing.T) {
	f := func(name string, b []byte, want string, wantMore bool) {
		t.Helper()
		got := ""
		l, more := readTLS(b)
		if l != nil {
			got = l.Name
		}
		if got != want || more != wantMore {
			t.Errorf("%s: %q, more %v", name, got, more)
		}
	}
	whole := clientHello("login.example.com", 100)
	f("hello", whole, "login.example.com", false)
	f("hello without a name", clientHello("", 100), "", false)
	f("first segment of a hello", whole[:80], "", true)
	f("not a hello", append([]byte{23}, whole[1:]...), "", false)
}

// A hello of several segments is put together; one with a hole is not, and no
// number of begun ones costs more than the bound.
func TestHelloInSegments(t *testing.T) {
	var h hellos
	r := &picket.Record{Src: netip.MustParseAddr("10.0.0.1"), Dst: netip.MustParseAddr("192.0.2.1"), SrcPort: 1, DstPort: 443}
	b := clientHello("login.example.com", 2000)
	if l := h.read(r, 5, b[:1400]); l != nil {
		t.Error("name before its segment")
	}
	if l := h.read(r, 1405, b[1400:]); l == nil || l.Name != "login.example.com" {
		t.Errorf("second segment: %v", l)
	}
	h.read(r, 5, b[:1400])
	if l := h.read(r, 1406, b[1401:]); l != nil {
		t.Error("name across a hole")
	}
	for port := range 5 * maxHellos {
		r.SrcPort = uint16(port)
		h.read(r, 0, b[:1400])
	}
	if len(h.begun) > maxHellos || len(h.order) > maxHellos {
		t.Errorf("%d hellos kept", len(h.begun))
	}
}

func TestReadHTTP(t *testing.T) {
	f := func(request, want string) {
		t.Helper()
		got := ""
		if l := readHTTP([]byte(request)); l != nil {
			got = l.Name
		}
		if got != want {
			t.Errorf("%q: %q, want %q", request, got, want)
		}
	}
	f("GET /a HTTP/1.1\r\nAccept: */*\r\nHOST:  example.com:8080 \r\n\r\n", "http://example.com:8080/a")
	f("GET http://example.com/a HTTP/1.1\r\n\r\n", "http://example.com/a")
	f("CONNECT example.com:443 HTTP/1.1\r\n\r\n", "example.com:443")
	f("GET /a HTTP/1.1\r\nHost: exam", "") // the capture may end inside the name
	f("GET /a HTTP/1.1\r\n\r\nHost: example.com\r\n", "")
	f("GET /a\r\nHost: example.com\r\n", "")
	f("CONNECT  HTTP/1.1\r\n\r\n", "")
}

// TestNameList holds what is a list and what is not.
func TestNameList(t *testing.T) {
	f := func(text string, want bool) {
		t.Helper()
		if got := isNameList([]byte(text)); got != want {
			t.Errorf("%q: %v", text, got)
		}
	}
	f("example.com\n", true)
	f("https://example.com/a\n", true)
	f("example.com:8443\nwww.example.org/path\n", true)
	f("# only a comment\n", false)
	f("just\nwords\n", false)
	f("10.0.0.1\n10.0.0.2\n", false)
	f("a,b,c\n1.5,2.5,3.5\n", false)
	f("A sentence with example.com in it.\n", false)
	f("<a href=\"x.html\">\n", false)
	f("one.example\ntwo.example\nthree.example\nfour.example\nnot a name\n", true)
	f("one.example\nnot a name\n", false)
}

func FuzzNames(f *testing.F) {
	seed(f, "names")
	f.Add(question("www", "example", "com"))
	f.Add(clientHello("example.com", 10))
	f.Add([]byte("GET / HTTP/1.1\r\nHost: example.com\r\n\r\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		check(t, data)
		check(t, append([]byte("{\"query_timestamp\":\"2024-03-01T09:00:00Z\",\"query_name\":\"a.\"}\n"), data...))
		check(t, append([]byte("example.com\nexample.com\nexample.com\nexample.com\n"), data...))
		for _, l := range []*picket.Lookup{readDNS(data), readHTTP(data), serverName(data)} {
			if l != nil && (l.Name == "" || len(l.Name) > 3*maxNameText) {
				t.Errorf("lookup %+v", l)
			}
		}
		var h hellos
		r := &picket.Record{Src: netip.IPv6Loopback(), Dst: netip.IPv6Loopback()}
		for i, part := range bytes.SplitAfter(data, []byte{0}) {
			h.read(r, uint32(i), part)
		}
	})
}
