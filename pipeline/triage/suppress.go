package triage

import (
	"errors"
	"fmt"
	"net/netip"
	"time"

	"picket"
)

// Rule suppresses the findings that match all of its patterns, until it expires.
// In a pattern * stands for any text and ? for one character; an empty one
// matches everything.
type Rule struct {
	Entity  string    `json:"entity,omitempty"` // pattern
	CIDR    string    `json:"cidr,omitempty"`   // network that the entity is in
	Class   string    `json:"class,omitempty"`  // pattern
	Type    string    `json:"type,omitempty"`   // pattern
	Peer    string    `json:"peer,omitempty"`   // pattern or network that all listed peers match
	Expires time.Time `json:"expires"`
	Author  string    `json:"author"`
	Reason  string    `json:"reason"`
}

// Validate says what a rule lacks. One that does not validate suppresses nothing.
func (r Rule) Validate() error {
	var errs []error
	if r.Entity+r.CIDR+r.Class+r.Type+r.Peer == "" {
		errs = append(errs, errors.New("no pattern: it would suppress everything"))
	}
	if r.CIDR != "" {
		if _, err := netip.ParsePrefix(r.CIDR); err != nil {
			errs = append(errs, fmt.Errorf("cidr: %w", err))
		}
	}
	if r.Expires.IsZero() {
		errs = append(errs, errors.New("no expires: a rule must end"))
	}
	if r.Author == "" {
		errs = append(errs, errors.New("no author"))
	}
	if r.Reason == "" {
		errs = append(errs, errors.New("no reason"))
	}
	return errors.Join(errs...)
}

// Expired returns the rules that no longer hold, to be reported and removed.
func Expired(rules []Rule, now time.Time) []Rule {
	var out []Rule
	for _, r := range rules {
		if !r.Expires.IsZero() && !now.Before(r.Expires) {
			out = append(out, r)
		}
	}
	return out
}

// Suppress sets the status of the findings that a valid rule matches before its
// expiry.
func Suppress(findings []picket.Finding, rules []Rule, now time.Time) {
	var live []Rule
	for _, r := range rules {
		if r.Validate() == nil && now.Before(r.Expires) {
			live = append(live, r)
		}
	}
	for i := range findings {
		for _, r := range live {
			if r.matches(&findings[i]) {
				findings[i].Status = picket.StatusSuppressed
			}
		}
	}
}

func (r Rule) matches(f *picket.Finding) bool {
	return matches(r.Entity, f.Entity.ID) && r.holds(f.Entity.ID) &&
		matches(r.Class, f.Class) && matches(r.Type, f.Type) && r.allPeers(f.Peers)
}

func (r Rule) holds(id string) bool { return r.CIDR == "" || inNetwork(r.CIDR, id) }

// allPeers asks for every listed peer: a rule for one peer must not hide another.
func (r Rule) allPeers(peers []string) bool {
	if r.Peer == "" {
		return true
	}
	for _, p := range peers {
		if !matches(r.Peer, p) && !inNetwork(r.Peer, p) {
			return false
		}
	}
	return len(peers) > 0
}

func inNetwork(cidr, id string) bool {
	network, err := netip.ParsePrefix(cidr)
	addr, bad := netip.ParseAddr(id)
	return err == nil && bad == nil && network.Contains(addr)
}

// matches reports whether text is of the pattern; "" matches all. path.Match
// does not serve: its * stops at a slash, and URLs have slashes.
func matches(pattern, text string) bool {
	if pattern == "" {
		return true
	}
	p, t, star, mark := 0, 0, -1, 0
	for t < len(text) {
		switch {
		case p < len(pattern) && pattern[p] == '*':
			star, mark = p, t
			p++
		case p < len(pattern) && (pattern[p] == '?' || pattern[p] == text[t]):
			p, t = p+1, t+1
		case star >= 0:
			mark++
			p, t = star+1, mark
		default:
			return false
		}
	}
	for p < len(pattern) && pattern[p] == '*' {
		p++
	}
	return p == len(pattern)
}
