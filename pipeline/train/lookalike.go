package train

import (
	"fmt"
	"math/rand/v2"
	"strings"
)

// Forger makes names that imitate a brand, by every technique that phishing lists
// show: a typing error, letters that look alike, the brand joined with words,
// below another domain, under another suffix, with a host of many.
type Forger struct {
	Words    []string        // that names are joined with: those that ask for credentials,
	Others   []string        // and any others
	Services []string        // what people call hosts below a domain
	Glyphs   map[byte][]rune // letters of other scripts that look like a letter
	Suffixes []string        // of registries, as often as they are met
	Hosts    []string        // suffixes of hosts of many
	Rand     *rand.Rand
}

// Forge returns a name that imitates the brand of a word and its domains.
func (f *Forger) Forge(word string, domains []string) string {
	switch f.Rand.IntN(10) {
	case 0, 1:
		return f.maybeJoined(f.typo(word)) + "." + f.suffix()
	case 2:
		return f.maybeJoined(f.glyphs(word)) + "." + f.suffix()
	case 3, 4, 5:
		return f.joined(word) + "." + f.suffix()
	case 6, 7:
		return f.below(word, domains)
	case 8:
		return word + "." + f.suffix()
	}
	return f.joined(word) + "." + f.pick(f.Hosts)
}

func (f *Forger) pick(list []string) string { return list[f.Rand.IntN(len(list))] }

func (f *Forger) suffix() string { return f.pick(f.Suffixes) }

const letters = "abcdefghijklmnopqrstuvwxyz"

// keyboard is what lies next to a key on a QWERTY keyboard.
var keyboard = map[byte]string{
	'a': "qwsz", 'b': "vghn", 'c': "xdfv", 'd': "serfcx", 'e': "wsdr", 'f': "drtgvc", 'g': "ftyhbv", 'h': "gyujnb", 'i': "ujko",
	'j': "huikmn", 'k': "jiolm", 'l': "kop", 'm': "njk", 'n': "bhjm", 'o': "iklp", 'p': "ol", 'q': "wa", 'r': "edft", 's': "awedxz",
	't': "rfgy", 'u': "yhji", 'v': "cfgb", 'w': "qase", 'x': "zsdc", 'y': "tghu", 'z': "asx",
}

// typo changes one letter: left out, doubled, swapped, hit next to, put in.
func (f *Forger) typo(word string) string {
	i := f.Rand.IntN(len(word))
	switch f.Rand.IntN(5) {
	case 0:
		if len(word) > 4 {
			return word[:i] + word[i+1:]
		}
	case 1:
		return word[:i] + word[i:i+1] + word[i:]
	case 2:
		if i+1 < len(word) && word[i] != word[i+1] {
			return word[:i] + word[i+1:i+2] + word[i:i+1] + word[i+2:]
		}
	case 3:
		if near := keyboard[word[i]]; near != "" {
			return word[:i] + string(near[f.Rand.IntN(len(near))]) + word[i+1:]
		}
	}
	return word[:i] + string(letters[f.Rand.IntN(len(letters))]) + word[i:]
}

// word is what names are joined with.
func (f *Forger) word() string {
	if len(f.Others) > 0 && f.Rand.IntN(3) == 0 {
		return f.pick(f.Others)
	}
	return f.pick(f.Words)
}

// Service is what people call a host: by what it does, of a large network also by
// where it is.
func (f *Forger) Service() string {
	s := f.pick(f.Services)
	switch f.Rand.IntN(6) {
	case 0:
		s += "-" + f.pick([]string{"eu", "us", "de", "jp", "prod", "dev", "test", "new", "beta"})
	case 1:
		s = f.pick(f.Services) + "." + s
	case 2:
		s += fmt.Sprint(1 + f.Rand.IntN(9))
	}
	return s
}

// alike are the glyphs of keyboards that look like letters.
var alike = map[byte]string{'o': "0", 'l': "1", 'i': "1", 'e': "3", 'a': "4", 's': "5", 'm': "rn", 'w': "vv", 't': "7"}

func (f *Forger) glyphs(word string) string {
	if len(f.Glyphs) > 0 && f.Rand.IntN(3) == 0 {
		for range 8 {
			i := f.Rand.IntN(len(word))
			if like := f.Glyphs[word[i]]; len(like) > 0 {
				return word[:i] + string(like[f.Rand.IntN(len(like))]) + word[i+1:]
			}
		}
	}
	for range 8 {
		i := f.Rand.IntN(len(word))
		if glyph, ok := alike[word[i]]; ok {
			return word[:i] + glyph + word[i+1:]
		}
	}
	return f.typo(word)
}

// joined puts words and numbers around a word.
func (f *Forger) joined(word string) string {
	parts := []string{word, f.word()}
	if f.Rand.IntN(3) == 0 {
		parts = append(parts, f.word())
	}
	if f.Rand.IntN(5) == 0 {
		parts = append(parts, fmt.Sprint(f.Rand.IntN(1000)))
	}
	f.Rand.Shuffle(len(parts), func(i, j int) { parts[i], parts[j] = parts[j], parts[i] })
	sign := "-"
	if f.Rand.IntN(3) == 0 {
		sign = ""
	}
	return strings.Join(parts, sign)
}

func (f *Forger) maybeJoined(word string) string {
	if f.Rand.IntN(3) == 0 {
		return f.joined(word)
	}
	return word
}

// below puts the brand, or its whole domain, below a domain that means nothing.
func (f *Forger) below(word string, domains []string) string {
	head := word
	switch {
	case len(domains) > 0 && f.Rand.IntN(2) == 0:
		head = f.pick(domains)
	case f.Rand.IntN(2) == 0:
		head = f.joined(word)
	}
	if f.Rand.IntN(3) == 0 {
		head = f.pick(f.Words) + "." + head
	}
	if f.Rand.IntN(4) == 0 {
		head += "." + f.pick(f.Words)
	}
	return head + "." + f.nonsense() + "." + f.suffix()
}

// nonsense is a label that somebody registered for nothing else.
func (f *Forger) nonsense() string {
	if f.Rand.IntN(3) == 0 {
		return f.pick(f.Words) + "-" + f.pick(f.Words)
	}
	return f.Random(5+f.Rand.IntN(10), letters+"0123456789")
}

// Random returns n characters of an alphabet.
func (f *Forger) Random(n int, alphabet string) string {
	b := make([]byte, n)
	for i := range b {
		b[i] = alphabet[f.Rand.IntN(len(alphabet))]
	}
	return string(b)
}

// Machine returns what machines call hosts below a domain: numbers, places, random
// letters. Harmless names are full of them.
func (f *Forger) Machine() string {
	const hex = "0123456789abcdef"
	switch f.Rand.IntN(9) {
	case 0:
		return f.Random(8+4*f.Rand.IntN(7), hex)
	case 1:
		return "d" + f.Random(13, letters+"0123456789")
	case 2:
		return fmt.Sprintf("e%d.%s", f.Rand.IntN(20000), f.pick([]string{"a", "b", "g", "dscb", "dsca", "dscx"}))
	case 3:
		return fmt.Sprintf("r%d---sn-%s", 1+f.Rand.IntN(9), f.Random(8, letters+"0123456789"))
	case 4:
		return fmt.Sprintf("ip-%d-%d-%d-%d", f.Rand.IntN(256), f.Rand.IntN(256), f.Rand.IntN(256), f.Rand.IntN(256))
	case 5:
		return fmt.Sprintf("%s-%02d.%s", f.pick([]string{"edge", "cdn", "node", "srv", "web", "mx", "img", "api", "gw", "ns"}), f.Rand.IntN(40), f.pick([]string{"us-east-1", "eu-west-1", "eu", "us", "ap", "lon", "fra", "sjc", "prod", "int"}))
	case 6:
		return fmt.Sprintf("%s%d", f.pick([]string{"img", "static", "cdn", "mail", "ns", "mx", "edge", "t", "s", "a", "p", "www"}), f.Rand.IntN(60))
	case 7:
		return f.Random(8, hex) + "-" + f.Random(4, hex) + "-" + f.Random(4, hex) + "-" + f.Random(4, hex) + "-" + f.Random(12, hex)
	}
	return f.Random(3+f.Rand.IntN(8), letters) + "-" + f.Random(3, "0123456789")
}
