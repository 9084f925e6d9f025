package extract

import (
	"errors"
	"net/netip"
	"net/url"
	"strings"

	"golang.org/x/net/idna"
)

// Name is a host name taken apart by the public suffix list.
type Name struct {
	Host        string // lower case, ASCII (RFC 5891 for others), no dot at the end
	Registrable string // what somebody registered, or was given by a host of many: "example.co.uk", "me.github.io"
	Label       string // its first label: "example", "me"
	Sub         string // what is below it: "www", "a.b"; "" where there is nothing
	Suffix      string // public suffix of the registry: "co.uk", for "me.github.io" it is "io"
	Hosting     string // suffix of a service that gives names to anybody: "github.io"; "" for a name of a registry
}

// Why a text is not a name that is looked at.
var (
	errNoName  = errors.New("not a host name")
	errAddress = errors.New("an address")
	errLocal   = errors.New("a name of the local network")
	errService = errors.New("a service name")
	errSuffix  = errors.New("a public suffix")
)

// The longest name of the DNS in text, and the longest label (RFC 1035, section 2.3.4).
const (
	maxName  = 253
	maxLabel = 63
)

// isLocal reports whether a top-level domain is of names that no public resolver
// answers for: special-use names (RFC 6761, RFC 6762, RFC 8375, RFC 9476) and what
// networks use instead.
func isLocal(top string) bool {
	switch top {
	case "local", "localhost", "localdomain", "test", "example", "invalid", "alt", "onion",
		"arpa", "internal", "lan", "home", "corp", "intranet", "private", "localnet",
		"workgroup", "domain", "belkin", "router":
		return true
	}
	return false
}

// ParseName takes a host name or URL apart, as a log or a list has it. Service
// names (_ldap._tcp), addresses, names without a public suffix and names of the
// local network give an error that says which they are.
func ParseName(text string) (Name, error) {
	host, ok := plainHost(text)
	if !ok {
		var err error
		if host, err = hostOf(text); err != nil {
			return Name{}, err
		}
	}
	top := strings.LastIndexByte(host, '.')
	if top < 0 {
		return Name{}, errLocal
	}
	n := Name{Host: host}
	if isLocal(host[top+1:]) {
		return n, errLocal
	}
	suffix, icann := suffixes().suffix(host)
	if !icann && !strings.Contains(suffix, ".") {
		return n, errLocal // no registry has that suffix
	}
	if suffix == host {
		return n, errSuffix
	}
	n.Suffix = suffix
	if !icann {
		n.Hosting = suffix
		n.Suffix = registrySuffix(suffix)
	}
	rest := host[:len(host)-len(suffix)-1]
	at := strings.LastIndexByte(rest, '.')
	n.Label, n.Sub, n.Registrable = rest[at+1:], rest[:max(at, 0)], host[at+1:]
	return n, nil
}

// registrySuffix returns the suffix of the registry that a service's own suffix is
// below of.
func registrySuffix(hosting string) string {
	for rest := hosting; ; {
		_, parent, ok := strings.Cut(rest, ".")
		if !ok {
			return rest
		}
		if s, icann := suffixes().suffix(parent); icann && s == parent {
			return parent
		}
		rest = parent
	}
}

// plainHost returns the host of a text that is a name in its normal form but for a dot
// at the end, as most are. All others are left to hostOf.
func plainHost(text string) (string, bool) {
	if n := len(text); n > 0 && text[n-1] == '.' {
		text = text[:n-1]
	}
	if len(text) == 0 || len(text) > maxName {
		return "", false
	}
	from, digits := 0, true // of the label at hand
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case c >= 'a' && c <= 'z', c == '-':
			digits = false
		case c >= '0' && c <= '9':
		case c == '.':
			if i == from || i-from > maxLabel {
				return "", false
			}
			from, digits = i+1, true
		case c == '_' && i > from:
			digits = false
		default:
			return "", false
		}
	}
	return text, !digits && len(text) > from && len(text)-from <= maxLabel
}

// hostOf returns the host of a name or URL in its normal form.
func hostOf(text string) (string, error) {
	text = strings.TrimSpace(text)
	if _, rest, ok := strings.Cut(text, "://"); ok {
		text = rest
		if i := strings.IndexAny(text, "/?#\\"); i >= 0 {
			text = text[:i]
		}
		text = text[strings.LastIndexByte(text, '@')+1:]
		if plain, err := url.PathUnescape(text); err == nil {
			text = plain
		}
	} else if i := strings.IndexByte(text, '/'); i > 0 {
		text = text[:i]
	}
	if isAddress(text) {
		return "", errAddress
	}
	if host, port, ok := strings.Cut(text, ":"); ok && strings.Trim(port, "0123456789") == "" {
		text = host
	}
	text = strings.TrimSuffix(strings.ToLower(text), ".")
	if len(text) > 4*maxName {
		return "", errNoName
	}
	if !isASCII(text) {
		var err error
		if text, err = idna.Punycode.ToASCII(text); err != nil {
			return "", errNoName
		}
	}
	return text, checkHost(text)
}

func isASCII(s string) bool {
	for i := range len(s) {
		if s[i] >= 0x80 {
			return false
		}
	}
	return true
}

// isAddress reports whether text is an IP address, with a port or without.
func isAddress(text string) bool {
	if strings.IndexByte(text, ':') < 0 && strings.Trim(text, "[]0123456789.") != "" {
		return false // most names: what follows makes an error, which costs
	}
	if _, err := netip.ParseAddr(strings.Trim(text, "[]")); err == nil {
		return true
	}
	_, err := netip.ParseAddrPort(text)
	return err == nil
}

// checkHost wants the labels of a host name: letters, digits, hyphens, and the
// underscores that some hosts have.
func checkHost(host string) error {
	if len(host) == 0 || len(host) > maxName {
		return errNoName
	}
	digits := true
	for label := range strings.SplitSeq(host, ".") {
		if len(label) == 0 || len(label) > maxLabel {
			return errNoName
		}
		if label[0] == '_' {
			return errService
		}
		digits = true
		for i := range len(label) {
			c := label[i]
			letter := c >= 'a' && c <= 'z'
			digit := c >= '0' && c <= '9'
			if !letter && !digit && c != '-' && c != '_' {
				return errNoName
			}
			digits = digits && digit
		}
	}
	if digits { // a top-level domain is not a number: an address written badly
		return errAddress
	}
	return nil
}
