package extract

import (
	"encoding/binary"
	"io"
	"maps"
	"math"
	"net/netip"
	"slices"
	"strings"

	"picket"
)

// AccessBuilder keeps what principals did, event by event, and writes it as window
// parts.
type AccessBuilder struct {
	ledgerBuilder[accessState, *accessState]
}

// accessRows is how many rows of events are held in memory, about 800 bytes each.
const accessRows = DefaultMaxRows / 4

func accessOptions(o Options) Options {
	if o.MaxRows <= 0 {
		o.MaxRows = accessRows
	}
	return o
}

// NewAccessBuilder returns an empty AccessBuilder.
func NewAccessBuilder(o Options) *AccessBuilder {
	return &AccessBuilder{newLedgerBuilder[accessState](picket.SourceAccess, accessOptions(o))}
}

// Add counts the record's access. Events with an id are counted once, however
// often they are told; others as often as they are told.
func (b *AccessBuilder) Add(r *picket.Record) error {
	if r.Access == nil {
		return b.err
	}
	e := eventOf(r)
	s := accessState{count: max(r.Access.Count, 1), once: e.id != "", lines: [2]uint64{r.Line, r.Line}}
	return b.count(r.Start, e.key(), &s)
}

// writeEmptyAccessPart writes a part without rows.
func writeEmptyAccessPart(w io.Writer, id PartID) error {
	return writeEmptyLedgerPart[accessState](w, id)
}

// accessState is what a ledger keeps under an event, or under an item of a history.
type accessState struct {
	count uint64 // times the event happened
	once  bool   // the event has an id: told twice it is still one
	lines [2]uint64
	days  uint64 // of a history: bit i is set if it was seen i days before the history's
}

func (s *accessState) merge(o *accessState) {
	switch {
	case s.count == 0:
		s.lines = o.lines
	case o.count != 0:
		s.lines = [2]uint64{min(s.lines[0], o.lines[0]), max(s.lines[1], o.lines[1])}
	}
	if s.once || o.once {
		s.once, s.count = true, max(s.count, o.count)
	} else {
		s.count = add64(s.count, o.count)
	}
	s.days |= o.days
}

func (s *accessState) append(b []byte) []byte {
	once := byte(0)
	if s.once {
		once = 1
	}
	b = binary.AppendUvarint(append(b, once), s.count)
	b = binary.AppendUvarint(b, s.lines[0])
	b = binary.AppendUvarint(b, s.lines[1])
	return binary.AppendUvarint(b, s.days)
}

func (s *accessState) read(d *fields) {
	s.once = d.byte() == 1
	s.count, s.lines[0], s.lines[1], s.days = d.uvarint(), d.uvarint(), d.uvarint(), d.uvarint()
	d.bad = d.bad || s.lines[1] < s.lines[0] || s.count == 0 && s.days == 0
}

// event is one row: what one principal did at one instant.
type event struct {
	at        int64 // Unix nanoseconds
	id        string
	principal string
	kind      string
	account   string
	service   string // "iam", "ssh": without ".amazonaws.com"
	action    string // without the version of the API
	target    string
	region    string
	from      string // an address in RFC 5952 form, else what the log has in its place
	agent     string // the family of the user agent; see agentFamily
	keyID     string // access key that signed it
	session   string
	error     string
	failed    bool
	mfa       bool
	write     bool
	params    map[string]string

	count uint64
}

func eventOf(r *picket.Record) event {
	a := r.Access
	e := event{
		at: r.Start, id: clip(a.ID, 96), principal: clip(a.Principal, 256), kind: clip(a.Kind, 16), account: clip(a.Account, 64),
		service: clip(strings.TrimSuffix(a.Service, ".amazonaws.com"), 64), action: clip(trimVersion(a.Action), 96),
		target: clip(a.Target, 160), region: clip(a.Region, 32), from: clip(a.From, 96), agent: agentFamily(a.Agent),
		keyID: clip(a.Key, 64), session: clip(a.Session, 96), error: clip(a.Error, 96),
		failed: a.Failed, mfa: a.MFA, write: a.Write,
	}
	if r.Src.IsValid() {
		e.from = r.Src.String()
	}
	for name, value := range a.Params {
		if e.params == nil {
			e.params = map[string]string{}
		}
		e.params[clip(name, 16)] = clip(value, 160)
	}
	return e
}

// clip cuts a text to n bytes and takes out the byte that ends a field.
func clip(s string, n int) string {
	if len(s) > n {
		s = strings.ToValidUTF8(s[:n], "")
	}
	return strings.ReplaceAll(s, "\x00", "\uFFFD")
}

// trimVersion cuts the version of the API off a call, as in CreateFunction20150331
// and AddPermission20150331v2 and CreateDistribution2020_05_31.
func trimVersion(action string) string {
	name := action
	if i := strings.LastIndexByte(name, 'v'); i > 0 && i < len(name)-1 && strings.Trim(name[i+1:], "0123456789") == "" {
		name = name[:i]
	}
	base := strings.TrimRight(name, "0123456789_")
	if digits := len(strings.ReplaceAll(name[len(base):], "_", "")); digits == 8 && base != "" {
		return base
	}
	return action
}

// Flags of an event in its key.
const (
	eventFailed = 1 << iota
	eventMFA
	eventWrite
)

// key is the form in which a part has the event: by principal, time and id, then
// all the rest, so that equal keys are equal events.
func (e *event) key() string {
	b := append([]byte(e.principal), 0)
	return string(e.append(b))
}

// append adds all of the event that comes after whom it is filed under.
func (e *event) append(b []byte) []byte {
	b = binary.BigEndian.AppendUint64(b, uint64(e.at)^1<<63)
	for _, s := range []string{e.id, e.principal, e.kind, e.account, e.service, e.action, e.target, e.region, e.from, e.agent, e.keyID, e.session, e.error} {
		b = append(append(b, s...), 0)
	}
	flags := byte('0')
	if e.failed {
		flags |= eventFailed
	}
	if e.mfa {
		flags |= eventMFA
	}
	if e.write {
		flags |= eventWrite
	}
	b = append(b, flags)
	for _, name := range slices.Sorted(maps.Keys(e.params)) {
		b = append(append(append(append(b, name...), '='), e.params[name]...), 0)
	}
	return b
}

// parseEvent reads what append wrote.
func parseEvent(b []byte, count uint64) (e event, ok bool) {
	if len(b) < 8 {
		return e, false
	}
	e.at, e.count = int64(binary.BigEndian.Uint64(b)^1<<63), count
	rest := string(b[8:])
	for _, s := range []*string{&e.id, &e.principal, &e.kind, &e.account, &e.service, &e.action, &e.target, &e.region, &e.from, &e.agent, &e.keyID, &e.session, &e.error} {
		if *s, rest, ok = strings.Cut(rest, "\x00"); !ok {
			return e, false
		}
	}
	if rest == "" {
		return e, false
	}
	flags := rest[0]
	e.failed, e.mfa, e.write = flags&eventFailed != 0, flags&eventMFA != 0, flags&eventWrite != 0
	for rest = rest[1:]; rest != ""; {
		var one string
		if one, rest, ok = strings.Cut(rest, "\x00"); !ok {
			return e, false
		}
		name, value, _ := strings.Cut(one, "=")
		if e.params == nil {
			e.params = map[string]string{}
		}
		e.params[name] = value
	}
	return e, true
}

// same reports whether two events that follow each other in a ledger are one: told
// twice, perhaps in other words.
func (e *event) same(o *event) bool { return e.id != "" && e.id == o.id && e.at == o.at }

// login reports whether the event is an attempt to log in at a host or a console.
func (e *event) login() bool {
	return e.kind == "login" && e.action == "login" || e.service == "signin" && e.action == "ConsoleLogin"
}

// guess reports whether the event is a login that failed by a password: a key that
// is not taken is what a client tries before the one that is.
func (e *event) guess() bool { return e.login() && e.failed && e.error != "publickey" }

// denied reports whether the call was refused for want of a permission. Services
// spell it in several ways.
func (e *event) denied() bool {
	return e.failed && (strings.Contains(e.error, "AccessDenied") || strings.Contains(e.error, "Unauthorized") || strings.Contains(e.error, "Forbidden") || e.error == "AuthorizationError")
}

// network is the neighbourhood of the event's source: the /24 or /48 of an address.
// Services of AWS that call on a principal's behalf are one.
func (e *event) network() string {
	a, err := netip.ParseAddr(e.from)
	if err != nil {
		if strings.HasSuffix(e.from, ".amazonaws.com") || e.from == "AWS Internal" {
			return "aws"
		}
		return e.from
	}
	bits := 24
	if a.Is6() {
		bits = 48
	}
	p, err := a.Prefix(bits)
	if err != nil {
		return e.from
	}
	return p.String()
}

// agentFamily is what made the call, without versions, which change every week:
// "aws-cli", "boto3", "terraform", "browser".
func agentFamily(agent string) string {
	agent = strings.ToLower(strings.Trim(agent, "[] "))
	for _, tool := range []string{"terraform", "pulumi", "cloudformation", "ansible", "packer", "kubernetes", "aws-internal", "aws internal"} {
		if strings.Contains(agent, tool) {
			return tool
		}
	}
	switch {
	case strings.HasPrefix(agent, "mozilla/"), strings.HasPrefix(agent, "console.amazonaws"), strings.HasPrefix(agent, "signin.amazonaws"):
		return "browser"
	case strings.HasPrefix(agent, "ssh-2.0-"):
		agent = agent[len("ssh-2.0-"):]
		if i := strings.IndexAny(agent, "_- "); i > 0 {
			agent = agent[:i]
		}
	case strings.HasPrefix(agent, "botocore"), strings.HasPrefix(agent, "boto3"):
		return "boto3"
	}
	if i := strings.IndexAny(agent, "/ "); i > 0 {
		agent = agent[:i]
	}
	return clip(agent, 64)
}

// hashItem is a stable hash of a text: FNV-1a, spread over all bits.
func hashItem(s string) uint64 {
	h := uint64(14695981039346656037)
	for i := range len(s) {
		h = (h ^ uint64(s[i])) * 1099511628211
	}
	return mix(h, 0)
}

// items counts distinct texts, exactly up to maxItems, and no further.
type items map[uint64]struct{}

const maxItems = 1 << 16

func (m *items) add(s string) bool {
	if s == "" {
		return false
	}
	h := hashItem(s)
	if _, known := (*m)[h]; known || len(*m) >= maxItems {
		return false
	}
	if *m == nil {
		*m = items{}
	}
	(*m)[h] = struct{}{}
	return true
}

func (m items) count() float64 { return float64(len(m)) }

// orMissing is NaN unless known.
func orMissing(v float64, known bool) float64 {
	if !known {
		return math.NaN()
	}
	return v
}
