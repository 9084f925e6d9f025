package extract

import (
	"cmp"
	"context"
	"fmt"
	"net/netip"
)

// Asked is one name that one address asked for in one hour.
type Asked struct {
	Host   string
	Domain string // the registrable part
	Label  string // of the domain, without its suffix
	Sub    string // of the host, left of the domain; "" for none
	By     netip.Addr
	Told   bool // the log says how the question was answered
	NoName bool // by NXDOMAIN, whenever it was asked
}

// AskedNames visits who asked for which names in the given parts. A name that several
// parts speak of comes several times.
func AskedNames(ctx context.Context, parts []Part, visit func(Asked)) error {
	for _, p := range parts {
		err := readLedgerPart(p, func(key string, s *nameState) error {
			host, client := splitNameKey(key)
			n, err := ParseName(host)
			if err != nil || !client.IsValid() {
				return nil
			}
			visit(Asked{Host: n.Host, Domain: n.Registrable, Label: n.Label, Sub: n.Sub, By: client, Told: s.answered > 0, NoName: s.answered > 0 && s.missing == s.answered})
			return nil
		})
		if err := cmp.Or(err, ctx.Err()); err != nil {
			return fmt.Errorf("names asked: %w", err)
		}
	}
	return nil
}

// Surprise is how many bits a letter of a text is worth after the letters of harmless
// names: 3 to 4 for words, above 5 for letters drawn by chance.
func Surprise(text string) float64 { return DefaultLexicon().surprise(text) }
