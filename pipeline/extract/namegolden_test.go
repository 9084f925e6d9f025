package extract

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"golang.org/x/net/idna"
)

// goldenRows are the digests of the features of nameFamilies, as they were before
// names were read in one pass: what makes them faster must leave every bit as it is.
var goldenRows = map[string]string{
	"misspelt": "ecc235ec147536b1", "combined": "7e7f5ad504b405b8", "below": "1a6018ad9e9e1ae6", "letters": "4347c836ccbc6dc9",
	"deep": "4217a5041c98a410", "glyphs": "23938bf51e00a672", "as typed": "c90cfe3f27a84976", "refused": "53fbd9c3a8432939",
}

// nameFamilies makes names of every kind that is read in its own way.
var nameFamilies = map[string]func(rng *rand.Rand, b *Brands) string{
	"misspelt": func(rng *rand.Rand, b *Brands) string { return misspelt(rng, b) + anySuffix(rng) },
	"combined": func(rng *rand.Rand, b *Brands) string {
		words := CredentialWords()
		return misspelt(rng, b) + []string{"-", "", "."}[rng.IntN(3)] + words[rng.IntN(len(words))] + []string{"", "7", "-2"}[rng.IntN(3)] + anySuffix(rng)
	},
	"below": func(rng *rand.Rand, b *Brands) string {
		return []string{"www.", "com.", "login-", "rn-vv.", "3d."}[rng.IntN(5)] + misspelt(rng, b) + []string{".", ".com.", ".co-uk."}[rng.IntN(3)] + letters(rng, 4+rng.IntN(12)) + anySuffix(rng)
	},
	"letters": func(rng *rand.Rand, _ *Brands) string { return letters(rng, 1+rng.IntN(60)) + anySuffix(rng) },
	"deep": func(rng *rand.Rand, _ *Brands) string {
		return strings.Repeat(letters(rng, 1+rng.IntN(6))+".", 1+rng.IntN(30)) + "com"
	},
	"glyphs": glyphName,
	"as typed": func(rng *rand.Rand, b *Brands) string {
		text := misspelt(rng, b) + anySuffix(rng)
		return []string{"https://user:pw@", "http://", " ", "HTTP://www.", ""}[rng.IntN(5)] + strings.ToUpper(text[:1]) + text[1:] + []string{"", ".", ":443", "/a?b", ":x"}[rng.IntN(5)]
	},
	"refused": func(rng *rand.Rand, _ *Brands) string {
		return []string{"10.0.0.", "_ldap._tcp.", "printer", "a..", "[2001:db8::", "x.local", "co.uk", "1.2.3.4.", "a.b.corp", "sp ace.", "-", "::", "1.2.3.4:"}[rng.IntN(13)] + letters(rng, rng.IntN(3))
	},
}

const nameLetters = "etaoinshrdlucmfwypvbgkjqxz-0123456789_"

func letters(rng *rand.Rand, n int) string {
	b := make([]byte, n)
	for i := range b {
		b[i] = nameLetters[min(rng.IntN(len(nameLetters)), rng.IntN(len(nameLetters)))]
	}
	return string(b)
}

func anySuffix(rng *rand.Rand) string {
	list := strings.Fields(".com .de .co.uk .net .org .pages.dev .top .com.br .github.io .s3.amazonaws.com .blogspot.com .xn--p1ai .ck .www.ck .city.kawasaki.jp .x.kawasaki.jp .nosuch .compute.amazonaws.com .q.compute.amazonaws.com .gov .ac.jp .tokyo.jp")
	return list[rng.IntN(len(list))]
}

// glyphName writes a name in letters that look like its own.
func glyphName(rng *rand.Rand, b *Brands) string {
	glyphs := Glyphs()
	var out strings.Builder
	for _, c := range []byte(misspelt(rng, b)) {
		if like := glyphs[c]; len(like) > 0 && rng.IntN(3) == 0 {
			out.WriteRune(like[rng.IntN(len(like))])
		} else {
			out.WriteByte(c)
		}
	}
	text := out.String()
	if p, err := idna.Punycode.ToASCII(text); err == nil && rng.IntN(2) == 0 {
		text = p
	}
	return []string{"", "www.", "xn--a."}[rng.IntN(3)] + text + anySuffix(rng)
}

// rowDigest reads so many names of a family and hashes all that is known of them.
func rowDigest(family string, n int) string {
	rng, b, l := rand.New(rand.NewPCG(97, 98)), DefaultBrands(), DefaultLexicon()
	h := sha256.New()
	for range n {
		text := nameFamilies[family](rng, b)
		name, err := ParseName(text)
		fmt.Fprintf(h, "%q %+v %v\n", text, name, err)
		if err != nil {
			continue
		}
		for _, v := range NameRow(name, l, b) {
			binary.Write(h, binary.LittleEndian, math.Float64bits(v))
		}
		fmt.Fprintln(h, NameFacts(name.Host, b))
	}
	return hex.EncodeToString(h.Sum(nil)[:8])
}

// TestNameRowsGolden holds the features of names to the bit.
func TestNameRowsGolden(t *testing.T) {
	for family := range nameFamilies {
		if got := rowDigest(family, 3000); got != goldenRows[family] {
			t.Errorf("%q: %q,", family, got)
		}
	}
}
