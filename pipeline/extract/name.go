package extract

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"picket"
)

// NameBuilder sums what was asked for by hour, name and asker, and writes it as
// window parts.
type NameBuilder struct {
	ledgerBuilder[nameState, *nameState]
}

// NewNameBuilder returns an empty NameBuilder.
func NewNameBuilder(o Options) *NameBuilder {
	return &NameBuilder{newLedgerBuilder[nameState](picket.SourceNames, o)}
}

// Add counts the record's lookup. Names that nobody can be phished with are left
// out: addresses, service names, names of the local network (see ParseName).
func (b *NameBuilder) Add(r *picket.Record) error {
	if r.Lookup == nil {
		return b.err
	}
	n, err := ParseName(r.Lookup.Name)
	if err != nil {
		return b.err
	}
	s := nameStateOf(r)
	return b.count(r.Start, nameKey(n.Host, asker(r)), &s)
}

// asker is who wanted to know: the sender of a query, the receiver of an answer.
func asker(r *picket.Record) netip.Addr {
	if isAnswer(r) {
		return r.Dst
	}
	return r.Src
}

// isAnswer reports whether the record is a packet from a resolver: other logs tell
// the question and its answer in one line.
func isAnswer(r *picket.Record) bool {
	return r.Source == picket.SourcePcap && r.Lookup.Via == ViaDNS && r.Lookup.Code != ""
}

// How a name was met.
const (
	ViaDNS  = "dns"
	ViaHTTP = "http"
	ViaTLS  = "tls"
	ViaList = "list"
)

var vias = []string{ViaDNS, ViaHTTP, ViaTLS, ViaList}

// nameKey orders rows by registrable domain: the labels of the name from the last
// to the first, then the asker.
func nameKey(host string, asker netip.Addr) string {
	labels := strings.Split(host, ".")
	slices.Reverse(labels)
	key := strings.Join(labels, "\x01") + "\x00"
	if asker.IsValid() {
		b := asker.As16()
		key += string(b[:])
	}
	return key
}

func splitNameKey(key string) (host string, asker netip.Addr) {
	name, rest, _ := strings.Cut(key, "\x00")
	labels := strings.Split(name, "\x01")
	slices.Reverse(labels)
	if len(rest) == 16 {
		asker = netip.AddrFrom16([16]byte([]byte(rest))).Unmap()
	}
	return strings.Join(labels, "."), asker
}

// nameState is what is known of one name, asked for by one address in one hour.
type nameState struct {
	asked, answered  uint64 // questions, and answers that were told
	missing, refused uint64 // answers: NXDOMAIN, and any other error
	via              [4]uint64
	first, last      int64 // Unix nanoseconds
	lines            [2]uint64
	minutes          uint64 // bit i: asked for in minute i of the hour
	answers          []netip.Addr
	certificate      certificate
}

// maxAnswers are kept of a name: the lowest.
const maxAnswers = 8

// certificate is the newest that was shown.
type certificate struct {
	issued, expires int64 // Unix seconds; 0 where unknown
	issuer          string
}

// maxIssuer is how many bytes of an issuer's name are kept.
const maxIssuer = 256

func (c certificate) compare(o certificate) int {
	return cmp.Or(cmp.Compare(c.issued, o.issued), cmp.Compare(c.expires, o.expires), cmp.Compare(c.issuer, o.issuer))
}

func nameStateOf(r *picket.Record) nameState {
	l := r.Lookup
	minute := floorDiv(r.Start, minuteNanos)
	s := nameState{
		asked: 1, first: r.Start, last: r.Start, lines: [2]uint64{r.Line, r.Line},
		minutes:     1 << uint(minute-floorDiv(minute, 60)*60),
		certificate: certificate{l.Valid[0], l.Valid[1], strings.Clone(l.Issuer[:min(len(l.Issuer), maxIssuer)])},
	}
	if isAnswer(r) || l.Told {
		s.asked = 0
	}
	switch l.Code {
	case "":
	case "NOERROR":
		s.answered = 1
	case "NXDOMAIN":
		s.answered, s.missing = 1, 1
	default:
		s.answered, s.refused = 1, 1
	}
	if i := slices.Index(vias, l.Via); i >= 0 {
		s.via[i] = 1
	}
	for _, a := range l.Answers {
		s.addAnswer(a)
	}
	return s
}

func (s *nameState) addAnswer(a netip.Addr) {
	if at, found := slices.BinarySearchFunc(s.answers, a, netip.Addr.Compare); !found {
		s.answers = slices.Insert(s.answers, at, a)
		s.answers = s.answers[:min(len(s.answers), maxAnswers)]
	}
}

func (s *nameState) empty() bool { return s.asked+s.answered == 0 }

// lookups is how often the name was asked for, also where only answers were seen.
func (s *nameState) lookups() uint64 { return max(s.asked, s.answered) }

func (s *nameState) merge(o *nameState) {
	if o.empty() {
		return
	}
	if s.empty() {
		s.first, s.last, s.lines = o.first, o.last, o.lines
	}
	s.asked, s.answered = add64(s.asked, o.asked), add64(s.answered, o.answered)
	s.missing, s.refused = add64(s.missing, o.missing), add64(s.refused, o.refused)
	for i := range s.via {
		s.via[i] = add64(s.via[i], o.via[i])
	}
	s.first, s.last = min(s.first, o.first), max(s.last, o.last)
	s.lines = [2]uint64{min(s.lines[0], o.lines[0]), max(s.lines[1], o.lines[1])}
	s.minutes |= o.minutes
	s.answers = slices.Clone(s.answers)
	for _, a := range o.answers {
		s.addAnswer(a)
	}
	if s.certificate.compare(o.certificate) < 0 {
		s.certificate = o.certificate
	}
}

func (s *nameState) append(b []byte) []byte {
	for _, v := range []uint64{s.asked, s.answered, s.missing, s.refused, s.via[0], s.via[1], s.via[2], s.via[3], s.lines[0], s.lines[1], s.minutes} {
		b = binary.AppendUvarint(b, v)
	}
	b = binary.AppendVarint(b, s.first)
	b = binary.AppendVarint(b, s.last-s.first)
	b = append(b, uint8(len(s.answers)))
	for _, a := range s.answers {
		b = appendAddr(b, toAddr(a))
	}
	b = binary.AppendVarint(b, s.certificate.issued)
	b = binary.AppendVarint(b, s.certificate.expires)
	return appendText(b, s.certificate.issuer)
}

func (s *nameState) read(d *fields) {
	for _, v := range []*uint64{&s.asked, &s.answered, &s.missing, &s.refused, &s.via[0], &s.via[1], &s.via[2], &s.via[3], &s.lines[0], &s.lines[1], &s.minutes} {
		*v = d.uvarint()
	}
	s.first = d.varint()
	s.last = s.first + d.varint()
	n := int(d.byte())
	d.bad = d.bad || n > maxAnswers
	for range min(n, maxAnswers) {
		s.answers = append(s.answers, d.addr().netip())
	}
	s.certificate = certificate{d.varint(), d.varint(), d.text()}
	d.bad = d.bad || s.empty() || s.lines[1] < s.lines[0] || s.last < s.first
}

func (s *nameState) String() string { return fmt.Sprintf("%d lookups", s.lookups()) }
