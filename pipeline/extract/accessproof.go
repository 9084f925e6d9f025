package extract

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"picket"
)

// AccessProofs returns what each of some windows of access rests on: the raw
// objects with the lines in between which they tell of the entity, where it came
// from (of a source of logins: whom it tried), and in words which rules hit and
// which sensitive calls were made. There are no conversation rows.
func AccessProofs(ctx context.Context, parts []Part, windows []picket.Window, _ int) ([]Proof, error) {
	cases := map[picket.Entity][]*accessProof{}
	all := make([]*accessProof, len(windows))
	for i, w := range windows {
		all[i] = &accessProof{window: w, peers: map[string]uint64{}, calls: map[string]*callMade{}, hits: make([]uint64, len(Rules))}
		cases[w.Entity] = append(cases[w.Entity], all[i])
	}
	for i := range parts {
		p := &parts[i]
		err := readLedgerPart(*p, func(key string, s *accessState) error {
			e, err := storedEvent(key, s)
			if err != nil {
				return err
			}
			for _, c := range cases[picket.Entity{Kind: picket.KindPrincipal, ID: e.principal}] {
				c.take(p, &e, s)
			}
			if e.kind == "login" || e.login() {
				for _, c := range cases[picket.Entity{Kind: picket.KindActor, ID: e.from}] {
					c.take(p, &e, s)
				}
			}
			return nil
		})
		if err := cmp.Or(err, ctx.Err()); err != nil {
			return nil, fmt.Errorf("proofs of access: %w", err)
		}
	}
	proofs := make([]Proof, len(windows))
	for i, c := range all {
		proofs[i] = c.proof()
	}
	return proofs, nil
}

// Caller is somebody who did something from somewhere.
type Caller struct {
	Principal string
	From      netip.Addr
	At        int64 // Unix nanoseconds
	Count     uint64
	Write     bool // something was changed
	Login     bool // at a host
}

// Callers visits who did what from which address. Events that do not say where they
// came from are left out.
func Callers(ctx context.Context, parts []Part, visit func(Caller)) error {
	for _, p := range parts {
		err := readLedgerPart(p, func(key string, s *accessState) error {
			e, err := storedEvent(key, s)
			if err != nil {
				return err
			}
			if from, err := netip.ParseAddr(e.from); err == nil && e.principal != "" {
				visit(Caller{Principal: e.principal, From: from, At: e.at, Count: e.count, Write: e.write, Login: e.kind == "login"})
			}
			return nil
		})
		if err := cmp.Or(err, ctx.Err()); err != nil {
			return fmt.Errorf("callers: %w", err)
		}
	}
	return nil
}

// accessProof gathers what one window rests on.
type accessProof struct {
	window   picket.Window
	evidence []picket.Evidence
	peers    map[string]uint64
	calls    map[string]*callMade
	hits     []uint64 // by rule
	logins   callMade // that succeeded
	guesses  uint64
}

// callMade is a sensitive call in a window.
type callMade struct {
	*Call
	first, count, failed uint64 // first: Unix nanoseconds
	target               string // of the first, of equal ones the least
}

// Of rules that hit and of calls so many are told.
const (
	maxRuleFacts = 3
	maxCallFacts = 4
)

func (c *accessProof) take(p *Part, e *event, s *accessState) {
	if e.at < c.window.Start*1e9 || e.at >= c.window.End()*1e9 {
		return
	}
	peer := e.from
	if c.window.Entity.Kind == picket.KindActor {
		peer = e.account
	}
	if _, ok := c.peers[peer]; peer != "" && (ok || len(c.peers) < maxPeerCount) {
		c.peers[peer] += e.count
	}
	last := len(c.evidence) - 1
	if last < 0 || c.evidence[last].Object != p.Object || c.evidence[last].Version != p.Version {
		c.evidence = append(c.evidence, picket.Evidence{Object: p.Object, Version: p.Version, FirstLine: s.lines[0]})
		last++
	}
	ev := &c.evidence[last]
	ev.FirstLine, ev.LastLine = min(ev.FirstLine, s.lines[0]), max(ev.LastLine, s.lines[1])
	ev.Flows += e.count
	if e.login() {
		if e.guess() {
			c.guesses = add64(c.guesses, e.count)
		} else if !e.failed {
			c.logins.note(e)
		}
	}
	if call := callOf()[e.call()]; call != nil {
		made := c.calls[e.call()]
		if made == nil {
			made = &callMade{Call: call}
			c.calls[e.call()] = made
		}
		made.note(e)
		for i := range Rules {
			if len(Rules[i].Classes) > 0 && Rules[i].takes(e, call.Class) {
				c.hits[i] = add64(c.hits[i], e.count)
			}
		}
	}
}

func (m *callMade) note(e *event) {
	m.count = add64(m.count, e.count)
	if e.failed {
		m.failed = add64(m.failed, e.count)
	}
	at := uint64(max(0, e.at))
	if m.first == 0 || at < m.first || at == m.first && e.target < m.target {
		m.first, m.target = at, e.target
	}
}

func (c *accessProof) proof() Proof {
	slices.SortFunc(c.evidence, func(a, b picket.Evidence) int {
		return cmp.Or(cmp.Compare(a.Object, b.Object), cmp.Compare(a.Version, b.Version))
	})
	var peers []Peer
	order := slices.SortedFunc(maps.Keys(c.peers), func(a, b string) int {
		return cmp.Or(cmp.Compare(c.peers[b], c.peers[a]), cmp.Compare(a, b))
	})
	for _, id := range order[:min(len(order), maxPeers)] {
		peers = append(peers, Peer{ID: id, Flows: c.peers[id]})
	}
	return Proof{Evidence: c.evidence, Peers: peers, Facts: c.facts()}
}

// facts are the rules that hit, the gravest first, and the sensitive calls.
func (c *accessProof) facts() []picket.Fact {
	var facts []picket.Fact
	rules := make([]int, 0, len(Rules))
	for i, n := range c.hits {
		if n > 0 {
			rules = append(rules, i)
		}
	}
	slices.SortStableFunc(rules, func(a, b int) int { return cmp.Compare(Rules[b].Severity, Rules[a].Severity) })
	for _, i := range rules[:min(len(rules), maxRuleFacts)] {
		facts = append(facts, picket.Fact{Name: "rule " + Rules[i].Name, Value: fmt.Sprintf("%s (%s)", Rules[i].Meaning, Rules[i].Technique)})
	}
	made := slices.SortedFunc(maps.Values(c.calls), func(a, b *callMade) int {
		return cmp.Or(cmp.Compare(b.Severity, a.Severity), cmp.Compare(a.first, b.first), cmp.Compare(a.Service+a.Action, b.Service+b.Action))
	})
	for _, m := range made[:min(len(made), maxCallFacts)] {
		facts = append(facts, picket.Fact{Name: "call", Value: m.words()})
	}
	if c.guesses > 0 {
		facts = append(facts, picket.Fact{Name: "failed logins", Value: strconv.FormatUint(c.guesses, 10)})
	}
	if c.logins.count > 0 && c.guesses > 0 {
		facts = append(facts, picket.Fact{Name: "successful logins", Value: fmt.Sprintf("%d, the first at %s", c.logins.count, clock(c.logins.first))})
	}
	return facts
}

// words is "iam CreateAccessKey on bob, 2 times from 10:00:07 UTC, 1 refused".
func (m *callMade) words() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s", m.Service, m.Action)
	if m.target != "" {
		fmt.Fprintf(&b, " on %s", m.target)
	}
	if m.count > 1 {
		fmt.Fprintf(&b, ", %d times from %s", m.count, clock(m.first))
	} else {
		fmt.Fprintf(&b, " at %s", clock(m.first))
	}
	if m.failed > 0 {
		fmt.Fprintf(&b, ", %d failed", m.failed)
	}
	return b.String()
}

func clock(nanos uint64) string {
	return time.Unix(0, int64(nanos)).UTC().Format("15:04:05") + " UTC"
}
