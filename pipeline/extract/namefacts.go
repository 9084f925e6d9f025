package extract

import (
	"fmt"
	"strings"
	"time"

	"picket"
)

// facts says in words what a finding on the name tells beside its numbers: whom it
// imitates, what it looks like, when it was asked for and where it led.
func (c *nameProof) facts(host string, brands *Brands) []picket.Fact {
	n, err := ParseName(host)
	if err != nil {
		return nil
	}
	var facts []picket.Fact
	add := func(name, format string, args ...any) {
		facts = append(facts, picket.Fact{Name: name, Value: fmt.Sprintf(format, args...)})
	}
	if m := brands.imitated(n); m.word != "" && !m.own && m.telling() {
		add("imitates", "%s%s", m.word, brands.domainOf(m.at))
	}
	if plain := plainName(n); plain != "" && strings.Contains(host, "xn--") {
		add("reads", "%s in plain letters", plain)
	}
	if n.Hosting != "" {
		add("hosted by", "%s, which gives names to anybody", n.Hosting)
	}
	if c.sum.lookups() > c.sum.via[3] { // a list does not say when
		add("first asked", "%s", time.Unix(0, c.sum.first).UTC().Format("2006-01-02 15:04:05 UTC"))
	}
	if len(c.sum.answers) > 0 {
		add("led to", "%s", strings.Trim(fmt.Sprint(c.sum.answers), "[]"))
	}
	return facts
}

// telling reports whether an imitation is worth naming: a short word inside another
// is chance.
func (m *imitation) telling() bool { return m.how != "part" || len(m.word) > minPart }

// domainOf returns a brand's first domain in brackets.
func (b *Brands) domainOf(i int) string {
	if d := b.list[i].domains; len(d) > 0 {
		return " (" + d[0] + ")"
	}
	return ""
}
