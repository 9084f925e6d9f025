package extract

import (
	"bytes"
	"crypto/sha256"
	_ "embed"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"math"
	"sync"

	"github.com/klauspost/compress/zstd"
)

// Lexicon is what the letters of a name say: how much each run of letters speaks
// for phishing, and how surprising it is after harmless names. It is learned from
// the training part of labelled names alone (see pipeline/names.go) and is data,
// so that a feature is the same number on every machine.
type Lexicon struct {
	weights [GramSpace]int8 // of a gram, in steps of scale
	scale   float64         // log-odds
	bias    float64         // log-odds
	bits    []uint8         // surprise of a letter after two others, in sixteenths of a bit
}

// Grams are hashed into GramSpace places, of which few share a letter run that
// says much.
const (
	GramBits  = 17
	GramSpace = 1 << GramBits
)

// Grams are the letter runs of the parts of a name, as places in a Lexicon: of the
// registrable label, of what is below it, of the suffixes.
type Grams [3][]uint32

const (
	gramLabel = iota
	gramSub
	gramSuffix
)

// GramsOf returns the grams of a name: runs of two to five letters of the label and
// three to five of what is below, whole words of both, both suffixes.
func GramsOf(n Name) Grams {
	return Grams{
		runs('l', n.Label, 2), runs('s', n.Sub, 3),
		{gram('z', n.Suffix), gram('h', n.Hosting)},
	}
}

func runs(space byte, text string, shortest int) []uint32 {
	if text == "" {
		return []uint32{gram(space, "")}
	}
	text = "^" + text + "$"
	list := make([]uint32, 0, 4*len(text))
	for size := shortest; size <= 5; size++ {
		for i := 0; i+size <= len(text); i++ {
			list = append(list, gram(space, text[i:i+size]))
		}
	}
	for word := range words(text[1 : len(text)-1]) {
		list = append(list, gram(space-'a'+'A', word))
	}
	return list
}

// runOdds is what the runs of a text say, which it does not write down.
func (l *Lexicon) runOdds(space byte, text string, shortest int) float64 {
	if text == "" {
		return l.oddsOf(int64(l.weights[gram(space, "")]), 1)
	}
	const prime, longest = 16777619, 5
	var room [maxName + 2 + longest]byte
	marked := append(append(append(room[:0], '^'), text...), '$')
	begun := (uint32(2166136261) ^ uint32(space)) * prime
	sum, n := l.wordOdds(space-'a'+'A', text)
	for size := shortest; size <= min(longest, len(marked)); size++ {
		n += len(marked) - size + 1
	}
	at := 0
	for ; at+longest <= len(marked); at++ {
		run := (*[longest]byte)(marked[at:])
		two := ((begun^uint32(run[0]))*prime ^ uint32(run[1])) * prime
		three := (two ^ uint32(run[2])) * prime
		four := (three ^ uint32(run[3])) * prime
		five := (four ^ uint32(run[4])) * prime
		sum += int64(l.weights[fold(three)]) + int64(l.weights[fold(four)]) + int64(l.weights[fold(five)])
		if shortest == 2 {
			sum += int64(l.weights[fold(two)])
		}
	}
	for ; at+shortest <= len(marked); at++ {
		h := begun
		for i, c := range marked[at:] {
			if h = (h ^ uint32(c)) * prime; i+1 >= shortest {
				sum += int64(l.weights[fold(h)])
			}
		}
	}
	return l.oddsOf(sum, n)
}

// wordOdds sums the weights of the words of a text, and counts them.
func (l *Lexicon) wordOdds(space byte, text string) (sum int64, n int) {
	begun := (uint32(2166136261) ^ uint32(space)) * 16777619
	h, inside := begun, false
	for i := range len(text) {
		if c := text[i]; c >= 'a' && c <= 'z' {
			h, inside = (h^uint32(c))*16777619, true
		} else if inside {
			sum += int64(l.weights[fold(h)])
			n++
			h, inside = begun, false
		}
	}
	if inside {
		sum += int64(l.weights[fold(h)])
		n++
	}
	return sum, n
}

// words yields the runs of letters of a name, without digits and signs.
func words(text string) func(func(string) bool) {
	return func(yield func(string) bool) {
		for i := 0; i < len(text); i++ {
			from := i
			for i < len(text) && text[i] >= 'a' && text[i] <= 'z' {
				i++
			}
			if i > from && !yield(text[from:i]) {
				return
			}
		}
	}
}

// gram hashes a letter run (FNV-1a).
func gram(space byte, text string) uint32 {
	h := (uint32(2166136261) ^ uint32(space)) * 16777619
	for i := range len(text) {
		h = (h ^ uint32(text[i])) * 16777619
	}
	return fold(h)
}

// fold makes a place in a Lexicon of a hash.
func fold(h uint32) uint32 { return (h ^ h>>GramBits) & (GramSpace - 1) }

// NewLexicon returns a lexicon of weights, in log-odds of phishing, and of letters
// counted by CountLetters.
func NewLexicon(weights []float64, bias float64, letters []uint32) *Lexicon {
	l := &Lexicon{bias: bias, bits: make([]uint8, len(letters))}
	most := 0.0
	for _, w := range weights {
		most = max(most, math.Abs(w))
	}
	l.scale = max(most, 1e-9) / math.MaxInt8
	for i, w := range weights {
		l.weights[i] = int8(math.RoundToEven(w / l.scale))
	}
	for pair := 0; pair < len(letters); pair += alphabet {
		var total float64
		for _, n := range letters[pair : pair+alphabet] {
			total += float64(n) + smoothing
		}
		for i, n := range letters[pair : pair+alphabet] {
			l.bits[pair+i] = uint8(min(255, math.RoundToEven(16*log2(total/(float64(n)+smoothing)))))
		}
	}
	return l
}

// smoothing stands for the letters that were never seen after two others.
const smoothing = 0.05

// alphabet of names: end, letters, digits, hyphen, anything else.
const alphabet = 1 + 26 + 10 + 2

var letter = func() (of [256]uint8) {
	for c := range of {
		switch {
		case c >= 'a' && c <= 'z':
			of[c] = uint8(1 + c - 'a')
		case c >= '0' && c <= '9':
			of[c] = uint8(27 + c - '0')
		case c == '-':
			of[c] = 37
		default:
			of[c] = 38
		}
	}
	return of
}()

// Letters is the room that CountLetters counts in.
const Letters = alphabet * alphabet * alphabet

// CountLetters counts each letter of a text after the two before it.
func CountLetters(counts []uint32, text string) {
	eachLetter(text, func(i int) { counts[i]++ })
}

func eachLetter(text string, visit func(place int)) {
	a, b := 0, 0
	for i := 0; i <= len(text); i++ {
		c := 0
		if i < len(text) {
			c = int(letter[text[i]])
		}
		visit((a*alphabet+b)*alphabet + c)
		a, b = b, c
	}
}

// surprise returns the bits per letter that a text is worth after harmless names;
// NaN for no text.
func (l *Lexicon) surprise(text string) float64 {
	if text == "" {
		return math.NaN()
	}
	var sum uint64
	pair := 0 // of the two letters before
	for i := range len(text) {
		c := int(letter[text[i]])
		sum += uint64(l.bits[pair*alphabet+c])
		pair = pair%alphabet*alphabet + c
	}
	sum += uint64(l.bits[pair*alphabet])
	return float64(sum) / float64(16*(len(text)+1))
}

// logOdds returns what the grams of one part say, in log-odds.
func (l *Lexicon) logOdds(grams []uint32) float64 {
	var sum int64
	for _, g := range grams {
		sum += int64(l.weights[g])
	}
	return l.oddsOf(sum, len(grams))
}

// oddsOf weighs the sum of n weights.
func (l *Lexicon) oddsOf(sum int64, n int) float64 {
	return float64(float64(sum)*l.scale) / math.Sqrt(float64(max(1, n)))
}

const lexiconMagic = "PKTLEX01"

// Write writes the lexicon in its stored form.
func (l *Lexicon) Write(w io.Writer) error {
	b := []byte(lexiconMagic)
	b = binary.LittleEndian.AppendUint64(b, math.Float64bits(l.scale))
	b = binary.LittleEndian.AppendUint64(b, math.Float64bits(l.bias))
	for _, v := range l.weights {
		b = append(b, byte(v))
	}
	b = append(b, l.bits...)
	b = binary.LittleEndian.AppendUint32(b, crc32.Checksum(b, castagnoli))
	z, err := zstd.NewWriter(w, zstd.WithEncoderLevel(zstd.SpeedBestCompression), zstd.WithEncoderConcurrency(1))
	if err != nil {
		return err
	}
	_, err = z.Write(b)
	return errors.Join(err, z.Close())
}

// ReadLexicon reads what Write wrote.
func ReadLexicon(r io.Reader) (*Lexicon, error) {
	z, err := zstd.NewReader(r, zstd.WithDecoderConcurrency(1))
	if err != nil {
		return nil, err
	}
	defer z.Close()
	const head, size = len(lexiconMagic) + 16, len(lexiconMagic) + 16 + GramSpace + Letters + 4
	b, err := io.ReadAll(io.LimitReader(z, int64(size)+1))
	if err != nil {
		return nil, fmt.Errorf("read lexicon: %w", err)
	}
	if len(b) != size || string(b[:8]) != lexiconMagic || crc32.Checksum(b[:size-4], castagnoli) != binary.LittleEndian.Uint32(b[size-4:]) {
		return nil, fmt.Errorf("read lexicon: %w", errCorrupt)
	}
	l := &Lexicon{
		scale: math.Float64frombits(binary.LittleEndian.Uint64(b[8:])), bias: math.Float64frombits(binary.LittleEndian.Uint64(b[16:])),
		bits: bytes.Clone(b[head+GramSpace : size-4]),
	}
	for i := range l.weights {
		l.weights[i] = int8(b[head+i])
	}
	return l, nil
}

//go:embed names/lexicon.bin
var lexiconFile []byte

// DefaultLexicon is the one that ships.
var DefaultLexicon = sync.OnceValue(func() *Lexicon {
	l, err := ReadLexicon(bytes.NewReader(lexiconFile))
	if err != nil {
		panic(err) // it is part of the program
	}
	return l
})

// lexiconHash names the shipped lexicon in the schema.
var lexiconHash = sync.OnceValue(func() string {
	sum := sha256.Sum256(lexiconFile)
	return hex.EncodeToString(sum[:8])
})
