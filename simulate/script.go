package simulate

import (
	"bufio"
	"fmt"
	"io"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Script says what to simulate.
type Script struct {
	Seed     uint64
	Start    time.Time
	Duration time.Duration
	Network  Network
	Capture  string  // "": everything, "oneway": only what comes from outside or opens, "midstream": began in the middle of long conversations
	Vary     float64 // how far the network's habits lie from the usual ones: deviation of the logarithm of their paces and sizes
	Volume   float64 // below 1: the share of the payload beyond 100 kB that a conversation keeps, for small captures
	Benign   []Stretch
	Attacks  []Order
}

// Network says which machines there are.
type Network struct {
	Prefix, Prefix6              netip.Prefix
	Hosts, Servers, Things, PLCs int
	Cloud                        bool // the provider's resolver is not logged, and a security group refuses what is not allowed
}

// Machines is how many machines the network has.
func (n Network) Machines() int { return n.Hosts + n.Servers + n.Things + n.PLCs }

// Stretch is benign traffic of one mix over a part of the script.
type Stretch struct {
	From, For time.Duration // after the script's start
	Mix       string        // name of a mix or of a single habit
	Level     float64       // 1: as usual; 2: twice as much
}

// Order is one attack: a line of the script.
type Order struct {
	At, For     time.Duration // after the script's start
	Class, Kind string
	Strength    float64       // 1: typical
	From, To    string        // names; "": chosen at random
	Every       time.Duration // c2: between beacons; 0: chosen at random
	Jitter      float64       // c2: share of Every; below 0: chosen at random
}

// LineError is a line of a script that cannot be used.
type LineError struct {
	Line   int
	Reason string
	Hint   string
}

func (e *LineError) Error() string {
	return fmt.Sprintf("script line %d: %s (%s)", e.Line, e.Reason, e.Hint)
}

// hints say how each statement is written.
var hints = map[string]string{
	"seed":     "seed 7",
	"start":    "start 2026-03-02T00:00:00Z",
	"duration": "duration 24h",
	"network":  "network 10.0.0.0/16 hosts 200 servers 12 [iot 10] [plc 4] [ipv6 2001:db8:7::/64] [cloud]",
	"volume":   "volume 0.1",
	"vary":     "vary 0.5",
	"capture":  "capture oneway | capture midstream",
	"from":     "from 10:00 for 2h benign office [level 1.5]",
	"at":       "at 10:20 for 5m ddos syn-flood [strength 2] [from host3|outside] [to web1] [every 60s] [jitter 20%]",
}

// ParseScript reads a script: one statement a line, # starts a comment. Times
// (T) are HH:MM, HH:MM:SS or durations such as 90m or 2d, counted from the start.
//
//	seed N                     another seed is another day of the same plan
//	start RFC3339              2026-03-02T00:00:00Z if left out
//	duration T                 1h if left out
//	network PREFIX [hosts N] [servers N] [iot N] [plc N] [ipv6 PREFIX] [cloud]
//	volume X                   share of the payload beyond 100 kB that is kept, for small captures
//	vary X                     how far this network's habits lie from the usual ones, 0 to 2
//	capture oneway|midstream   only what the opener sends; or begun amid long conversations
//	from T for T benign MIX [level X]
//	at T for T CLASS KIND [strength X] [from WHO] [to WHO] [every T] [jitter P%]
//
// Machines are host1, host2, ..., iot1, plc1, and servers by role: web1, db1,
// file1, app1, mail1, dns1, monitor1, ssh1, backup1, proxy1, then over again with
// cache, ci and ldap among them. WHO is one of them, an address, a role (one of
// its machines is chosen), hosts, servers, all, or outside. MIX is one of [Mixes]
// or a single habit; CLASS and KIND are in [Kinds]. Strength 1 is a typical
// attack; more is faster, or larger.
//
// It returns a *LineError for the first line that it cannot use.
func ParseScript(r io.Reader) (*Script, error) {
	s := &Script{Seed: 1, Start: time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC), Duration: time.Hour}
	lines := bufio.NewScanner(r)
	n := 0
	for lines.Scan() {
		n++
		text, _, _ := strings.Cut(lines.Text(), "#")
		words := strings.Fields(text)
		if len(words) == 0 {
			continue
		}
		if err := s.statement(words); err != nil {
			return nil, &LineError{n, err.Error(), hintFor(words[0])}
		}
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("read script after line %d: %w", n, err)
	}
	if err := s.check(); err != nil {
		return nil, &LineError{n, err.Error(), hintFor("network")}
	}
	return s, nil
}

func hintFor(word string) string {
	if h, ok := hints[word]; ok {
		return "write it as: " + h
	}
	names := make([]string, 0, len(hints))
	for name := range hints {
		names = append(names, name)
	}
	slices.Sort(names)
	return "a line begins with one of " + strings.Join(names, ", ")
}

func (s *Script) statement(words []string) (err error) {
	args := words[1:]
	if len(args) == 0 && hints[words[0]] != "" {
		return fmt.Errorf("%q wants a value", words[0])
	}
	switch words[0] {
	case "seed":
		s.Seed, err = strconv.ParseUint(args[0], 10, 64)
	case "start":
		s.Start, err = time.Parse(time.RFC3339, args[0])
		s.Start = s.Start.UTC()
	case "duration":
		s.Duration, err = parseTime(args[0])
	case "network":
		err = s.Network.parse(args)
	case "volume":
		s.Volume, err = positive(args[0])
	case "vary":
		if s.Vary, err = positive(args[0]); err == nil && s.Vary > 2 {
			err = fmt.Errorf("%q is above 2", args[0])
		}
	case "capture":
		if s.Capture = args[0]; args[0] != "oneway" && args[0] != "midstream" {
			err = fmt.Errorf("no capture %q", args[0])
		}
	case "from":
		var b Stretch
		b, err = parseStretch(args)
		s.Benign = append(s.Benign, b)
	case "at":
		var o Order
		o, err = parseOrder(args)
		s.Attacks = append(s.Attacks, o)
	default:
		err = fmt.Errorf("no statement %q", words[0])
	}
	return err
}

// check looks at what only the whole script can tell, and fills in the default
// network.
func (s *Script) check() error {
	if !s.Network.Prefix.IsValid() {
		s.Network.Prefix = netip.MustParsePrefix("10.0.0.0/16")
		s.Network.Hosts, s.Network.Servers = 40, 8
	}
	if s.Duration <= 0 || s.Duration > 400*24*time.Hour {
		return fmt.Errorf("duration %s is not between 1 s and 400 days", s.Duration)
	}
	net, err := newNetwork(s.Network, s.Seed)
	if err != nil {
		return err
	}
	for _, o := range s.Attacks {
		if o.At >= s.Duration {
			return fmt.Errorf("attack %s %s begins at %s, after the end of the script at %s", o.Class, o.Kind, o.At, s.Duration)
		}
		for _, word := range []string{o.From, o.To} {
			if word == "" || word == "outside" {
				continue
			}
			if _, err := net.find(word); err != nil {
				return err
			}
		}
	}
	return nil
}

// parseTime reads HH:MM, HH:MM:SS, a Go duration, or days such as 2d.
func parseTime(word string) (time.Duration, error) {
	if parts := strings.Split(word, ":"); len(parts) == 2 || len(parts) == 3 {
		var total time.Duration
		for i, unit := range []time.Duration{time.Hour, time.Minute, time.Second}[:len(parts)] {
			n, err := strconv.ParseUint(parts[i], 10, 16)
			if err != nil || i > 0 && n > 59 {
				return 0, fmt.Errorf("no time %q", word)
			}
			total += time.Duration(n) * unit
		}
		return total, nil
	}
	if days, ok := strings.CutSuffix(word, "d"); ok {
		if n, err := strconv.ParseUint(days, 10, 16); err == nil {
			return time.Duration(n) * 24 * time.Hour, nil
		}
	}
	d, err := time.ParseDuration(word)
	if err != nil || d < 0 {
		return 0, fmt.Errorf("no time %q", word)
	}
	return d, nil
}

func (n *Network) parse(args []string) (err error) {
	if n.Prefix, err = netip.ParsePrefix(args[0]); err != nil {
		return err
	}
	for i := 1; i < len(args); i++ {
		word := args[i]
		if word == "cloud" {
			n.Cloud = true
			continue
		}
		if i++; i == len(args) {
			return fmt.Errorf("%q wants a value", word)
		}
		if word == "ipv6" {
			if n.Prefix6, err = netip.ParsePrefix(args[i]); err != nil {
				return err
			}
			continue
		}
		count := map[string]*int{"hosts": &n.Hosts, "servers": &n.Servers, "iot": &n.Things, "plc": &n.PLCs}[word]
		if count == nil {
			return fmt.Errorf("no network word %q", word)
		}
		if *count, err = strconv.Atoi(args[i]); err != nil || *count < 0 || *count > 1<<20 {
			return fmt.Errorf("%s %q is not a count up to a million", word, args[i])
		}
	}
	return nil
}

// parseSpan reads "T for D", the beginning of both kinds of timed lines.
func parseSpan(args []string) (at, length time.Duration, rest []string, err error) {
	if len(args) < 4 || args[1] != "for" {
		return 0, 0, nil, fmt.Errorf("a time, \"for\" and a duration are wanted")
	}
	if at, err = parseTime(args[0]); err != nil {
		return 0, 0, nil, err
	}
	if length, err = parseTime(args[2]); err == nil && length <= 0 {
		err = fmt.Errorf("the duration is 0")
	}
	return at, length, args[3:], err
}

func parseStretch(args []string) (b Stretch, err error) {
	b.Level = 1
	if b.From, b.For, args, err = parseSpan(args); err != nil {
		return b, err
	}
	if args[0] != "benign" || len(args) != 2 && len(args) != 4 {
		return b, fmt.Errorf("\"benign\" and the name of a mix are wanted")
	}
	if b.Mix = args[1]; habitsOf(b.Mix) == nil {
		return b, fmt.Errorf("no mix %q; there are %s", b.Mix, strings.Join(Mixes(), ", "))
	}
	if len(args) == 4 {
		if args[2] != "level" {
			return b, fmt.Errorf("no word %q", args[2])
		}
		b.Level, err = positive(args[3])
	}
	return b, err
}

func parseOrder(args []string) (o Order, err error) {
	o.Strength, o.Jitter = 1, -1
	if o.At, o.For, args, err = parseSpan(args); err != nil {
		return o, err
	}
	if len(args) < 2 {
		return o, fmt.Errorf("a class and a kind are wanted")
	}
	o.Class, o.Kind = args[0], args[1]
	if playOf(o.Class, o.Kind) == nil {
		return o, fmt.Errorf("no attack %q of class %q; there are %s", o.Kind, o.Class, strings.Join(Kinds(o.Class), ", "))
	}
	for args = args[2:]; len(args) >= 2 && err == nil; args = args[2:] {
		value := args[1]
		switch args[0] {
		case "strength":
			o.Strength, err = positive(value)
		case "from":
			o.From = value
		case "to":
			o.To = value
		case "every":
			o.Every, err = parseTime(value)
		case "jitter":
			var p float64
			p, err = strconv.ParseFloat(strings.TrimSuffix(value, "%"), 64)
			if o.Jitter = p / 100; err == nil && (p < 0 || p > 100) {
				err = fmt.Errorf("jitter %q is not between 0%% and 100%%", value)
			}
		default:
			err = fmt.Errorf("no word %q", args[0])
		}
	}
	if err == nil && len(args) == 1 {
		err = fmt.Errorf("%q wants a value", args[0])
	}
	return o, err
}

func positive(word string) (float64, error) {
	x, err := strconv.ParseFloat(word, 64)
	if err != nil || !(x > 0 && x <= 1e6) {
		return 0, fmt.Errorf("%q is not a number above 0", word)
	}
	return x, nil
}

// String writes the script as ParseScript reads it.
func (s *Script) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "seed %d\nstart %s\nduration %s\n", s.Seed, s.Start.Format(time.RFC3339), s.Duration)
	n := s.Network
	fmt.Fprintf(&b, "network %s hosts %d servers %d iot %d plc %d", n.Prefix, n.Hosts, n.Servers, n.Things, n.PLCs)
	if n.Prefix6.IsValid() {
		fmt.Fprintf(&b, " ipv6 %s", n.Prefix6)
	}
	if n.Cloud {
		b.WriteString(" cloud")
	}
	b.WriteByte('\n')
	if s.Capture != "" {
		fmt.Fprintf(&b, "capture %s\n", s.Capture)
	}
	if s.Volume > 0 {
		fmt.Fprintf(&b, "volume %g\n", s.Volume)
	}
	if s.Vary > 0 {
		fmt.Fprintf(&b, "vary %g\n", s.Vary)
	}
	for _, st := range s.Benign {
		fmt.Fprintf(&b, "from %s for %s benign %s level %g\n", st.From, st.For, st.Mix, st.Level)
	}
	for _, o := range s.Attacks {
		b.WriteString(o.line())
	}
	return b.String()
}

func (o Order) line() string {
	var b strings.Builder
	fmt.Fprintf(&b, "at %s for %s %s %s strength %g", o.At, o.For, o.Class, o.Kind, o.Strength)
	if o.From != "" {
		b.WriteString(" from " + o.From)
	}
	if o.To != "" {
		b.WriteString(" to " + o.To)
	}
	if o.Every > 0 {
		fmt.Fprintf(&b, " every %s", o.Every)
	}
	if o.Jitter >= 0 {
		fmt.Fprintf(&b, " jitter %g%%", o.Jitter*100)
	}
	b.WriteByte('\n')
	return b.String()
}
