package extract

import (
	"fmt"
	"strings"
	"time"

	"picket"
)

// NameFacts says in words what a name tells by itself: whom it imitates, what it
// looks like, who gave it.
func NameFacts(host string, brands *Brands) []picket.Fact {
	n, err := ParseName(host)
	if err != nil {
		return nil
	}
	var facts []picket.Fact
	m := brands.imitated(&n)
	if at, ok := brands.lookalike(&n); ok {
		facts = append(facts, picket.Fact{Name: picket.FactImitates, Value: brands.list[at].word + brands.domainOf(at)})
	} else if m.word != "" && !m.own && m.telling() {
		facts = append(facts, picket.Fact{Name: picket.FactImitates, Value: m.word + brands.domainOf(m.at)})
	}
	if plain := plainName(n); plain != "" && strings.Contains(host, "xn--") {
		facts = append(facts, picket.Fact{Name: "reads", Value: plain + " in plain letters"})
	}
	if n.Hosting != "" {
		facts = append(facts, picket.Fact{Name: "hosted by", Value: n.Hosting + ", which gives names to anybody"})
	}
	return facts
}

// facts says when the name was asked for and where it led. A list does not say.
func (c *nameProof) facts() []picket.Fact {
	var facts []picket.Fact
	if c.sum.lookups() > c.sum.via[3] {
		facts = append(facts, picket.Fact{Name: "first asked", Value: time.Unix(0, c.sum.first).UTC().Format("2006-01-02 15:04:05 UTC")})
	}
	if n := len(c.clients); n > 1 {
		facts = append(facts, picket.Fact{Name: "asked by", Value: fmt.Sprintf("%d hosts", n)})
	}
	if cert := c.sum.certificate; cert.issued > 0 || cert.issuer != "" {
		var words []string
		if cert.issued > 0 {
			words = append(words, fmt.Sprintf("%d days old when it was first shown", max(0, (c.sum.first/1e9-cert.issued)/picket.Day)))
		}
		if cert.issuer != "" {
			words = append(words, "issued by "+cert.issuer)
		}
		facts = append(facts, picket.Fact{Name: "certificate", Value: strings.Join(words, ", ")})
	}
	if len(c.sum.answers) > 0 {
		facts = append(facts, picket.Fact{Name: "led to", Value: strings.Trim(fmt.Sprint(c.sum.answers), "[]")})
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
