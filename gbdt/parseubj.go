package gbdt

import (
	"encoding/binary"
	"fmt"
	"math"
)

// ubjParser parses UBJSON.
type ubjParser struct {
	data   []byte
	at     int
	depth  int
	values int
	spare  []float64 // room for lists of numbers
}

func parseUBJ(data []byte) (value, error) {
	p := &ubjParser{data: data}
	kind, err := p.byte()
	if err != nil {
		return value{}, err
	}
	return p.value(kind)
}

func (p *ubjParser) errorf(format string, args ...any) error {
	return fmt.Errorf("byte %d: %s", p.at, fmt.Sprintf(format, args...))
}

// take returns the next n bytes.
func (p *ubjParser) take(n int) ([]byte, error) {
	if n < 0 || n > len(p.data)-p.at {
		return nil, p.errorf("%d bytes wanted, %d left", n, len(p.data)-p.at)
	}
	p.at += n
	return p.data[p.at-n : p.at], nil
}

func (p *ubjParser) byte() (byte, error) {
	b, err := p.take(1)
	if err != nil {
		return 0, err
	}
	return b[0], nil
}

// size returns the bytes of a number of this kind, or 0 if it is none.
func size(kind byte) int {
	switch kind {
	case 'i', 'U':
		return 1
	case 'I':
		return 2
	case 'l', 'd':
		return 4
	case 'L', 'D':
		return 8
	}
	return 0
}

// decode returns the number of this kind in b.
func decode(kind byte, b []byte) float64 {
	switch kind {
	case 'i':
		return float64(int8(b[0]))
	case 'U':
		return float64(b[0])
	case 'I':
		return float64(int16(binary.BigEndian.Uint16(b)))
	case 'l':
		return float64(int32(binary.BigEndian.Uint32(b)))
	case 'L':
		return float64(int64(binary.BigEndian.Uint64(b)))
	case 'd':
		return float64(math.Float32frombits(binary.BigEndian.Uint32(b)))
	}
	return math.Float64frombits(binary.BigEndian.Uint64(b))
}

func (p *ubjParser) value(kind byte) (value, error) {
	if p.values++; p.values > maxValues {
		return value{}, p.errorf("more than %d values", maxValues)
	}
	switch kind {
	case '{':
		return p.nested(p.object)
	case '[':
		return p.nested(p.list)
	case 'S':
		s, err := p.text()
		return value{kind: text, text: s}, err
	case 'C':
		b, err := p.take(1)
		return value{kind: text, text: string(b)}, err
	case 'T':
		return value{kind: boolean, number: 1}, nil
	case 'F':
		return value{kind: boolean}, nil
	case 'Z':
		return value{}, nil
	}
	n := size(kind)
	if n == 0 {
		return value{}, p.errorf("unknown type %q", kind)
	}
	b, err := p.take(n)
	if err != nil {
		return value{}, err
	}
	return value{kind: number, number: decode(kind, b)}, nil
}

func (p *ubjParser) nested(parse func() (value, error)) (value, error) {
	if p.depth++; p.depth > maxNesting {
		return value{}, p.errorf("nested deeper than %d", maxNesting)
	}
	defer func() { p.depth-- }()
	return parse()
}

// length reads a count.
func (p *ubjParser) length() (int, error) {
	kind, err := p.byte()
	if err != nil {
		return 0, err
	}
	if kind == 'd' || kind == 'D' || size(kind) == 0 {
		return 0, p.errorf("a length of type %q", kind)
	}
	b, err := p.take(size(kind))
	if err != nil {
		return 0, err
	}
	n := decode(kind, b)
	if n < 0 || n > float64(len(p.data)) {
		return 0, p.errorf("a length of %v in %d bytes", n, len(p.data))
	}
	return int(n), nil
}

func (p *ubjParser) text() (string, error) {
	n, err := p.length()
	if err != nil {
		return "", err
	}
	b, err := p.take(n)
	return string(b), err
}

func (p *ubjParser) object() (value, error) {
	v := value{kind: object}
	for {
		if p.at < len(p.data) && p.data[p.at] == '}' {
			p.at++
			return v, nil
		}
		key, err := p.text()
		if err != nil {
			return v, err
		}
		kind, err := p.byte()
		if err != nil {
			return v, err
		}
		x, err := p.value(kind)
		if err != nil {
			return v, err
		}
		v.fields = append(v.fields, field{key, x})
	}
}

// list reads an array: of a type and a count, of a count, or up to "]".
func (p *ubjParser) list() (value, error) {
	kind, err := p.byte()
	if err != nil {
		return value{}, err
	}
	switch kind {
	case '$':
		return p.typed()
	case '#':
		n, err := p.length()
		if err != nil {
			return value{}, err
		}
		return p.counted(n)
	}
	v := value{kind: list}
	for ; kind != ']'; kind, err = p.byte() {
		if err != nil {
			return v, err
		}
		x, err := p.value(kind)
		if err != nil {
			return v, err
		}
		v.list = append(v.list, x)
	}
	return v.compact(), err
}

func (p *ubjParser) counted(n int) (value, error) {
	v := value{kind: list}
	for range n {
		kind, err := p.byte()
		if err != nil {
			return v, err
		}
		x, err := p.value(kind)
		if err != nil {
			return v, err
		}
		v.list = append(v.list, x)
	}
	return v.compact(), nil
}

// compact turns a list of numbers into numbers.
func (v value) compact() value {
	c := value{kind: numbers}
	for _, x := range v.list {
		if x.kind != number {
			return v
		}
		c.numbers = append(c.numbers, x.number)
	}
	return c
}

func (p *ubjParser) typed() (value, error) {
	kind, err := p.byte()
	if err != nil {
		return value{}, err
	}
	mark, err := p.byte()
	if err != nil {
		return value{}, err
	}
	step := size(kind)
	if mark != '#' || step == 0 {
		return value{}, p.errorf("an array of type %q", kind)
	}
	n, err := p.length()
	if err != nil {
		return value{}, err
	}
	b, err := p.take(n * step)
	if err != nil {
		return value{}, err
	}
	if n > len(p.spare) {
		p.spare = make([]float64, max(n, 1<<13)) // a list at a time was slow
	}
	out := p.spare[:n:n]
	p.spare = p.spare[n:]
	decodeAll(kind, b, out)
	return value{kind: numbers, numbers: out}, nil
}

// decodeAll decodes numbers of one kind, the two that models are made of without
// asking for the kind of each.
func decodeAll(kind byte, b []byte, out []float64) {
	switch kind {
	case 'd':
		for i := range out {
			out[i] = float64(math.Float32frombits(binary.BigEndian.Uint32(b[4*i:])))
		}
	case 'l':
		for i := range out {
			out[i] = float64(int32(binary.BigEndian.Uint32(b[4*i:])))
		}
	default:
		for i := range out {
			out[i] = decode(kind, b[i*size(kind):])
		}
	}
}
