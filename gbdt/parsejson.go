package gbdt

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"strconv"
)

// kind is what a document's value is.
type kind uint8

const (
	null kind = iota
	boolean
	number
	text
	list
	numbers // a list of numbers only
	object
)

// value is a value of a parsed document.
type value struct {
	kind    kind
	number  float64 // also of boolean, 0 or 1
	text    string
	numbers []float64
	list    []value
	fields  []field
}

type field struct {
	key   string
	value value
}

// Bounds on a document: nesting, and values that are not in lists of numbers.
const (
	maxNesting = 32
	maxValues  = 1 << 22
)

// get returns the value at the path of keys, or null.
func (v *value) get(path ...string) *value {
next:
	for _, key := range path {
		for i := range v.fields {
			if v.fields[i].key == key {
				v = &v.fields[i].value
				continue next
			}
		}
		return &value{}
	}
	return v
}

// jsonParser parses JSON, and the bare NaN and Infinity that XGBoost 1.x writes.
type jsonParser struct {
	data   []byte
	at     int
	depth  int
	values int
}

func parseJSON(data []byte) (value, error) {
	p := &jsonParser{data: data}
	v, err := p.value()
	if err == nil {
		if p.space(); p.at < len(data) {
			err = p.errorf("something follows the end")
		}
	}
	return v, err
}

func (p *jsonParser) errorf(format string, args ...any) error {
	return fmt.Errorf("byte %d: %s", p.at, fmt.Sprintf(format, args...))
}

func (p *jsonParser) space() {
	for p.at < len(p.data) && (p.data[p.at] == ' ' || p.data[p.at] == '\n' || p.data[p.at] == '\t' || p.data[p.at] == '\r') {
		p.at++
	}
}

// peek returns the next byte that is not space, or 0.
func (p *jsonParser) peek() byte {
	p.space()
	if p.at == len(p.data) {
		return 0
	}
	return p.data[p.at]
}

func (p *jsonParser) value() (value, error) {
	if p.values++; p.values > maxValues {
		return value{}, p.errorf("more than %d values", maxValues)
	}
	switch c := p.peek(); {
	case c == '{':
		return p.nested(p.object)
	case c == '[':
		return p.nested(p.list)
	case c == '"':
		s, err := p.text()
		return value{kind: text, text: s}, err
	case c == 't' && p.word("true"):
		return value{kind: boolean, number: 1}, nil
	case c == 'f' && p.word("false"):
		return value{kind: boolean}, nil
	case c == 'n' && p.word("null"):
		return value{}, nil
	}
	x, err := p.number()
	return value{kind: number, number: x}, err
}

func (p *jsonParser) nested(parse func() (value, error)) (value, error) {
	if p.depth++; p.depth > maxNesting {
		return value{}, p.errorf("nested deeper than %d", maxNesting)
	}
	defer func() { p.depth-- }()
	p.at++
	return parse()
}

func (p *jsonParser) word(w string) bool {
	if !bytes.HasPrefix(p.data[p.at:], []byte(w)) {
		return false
	}
	p.at += len(w)
	return true
}

func (p *jsonParser) object() (value, error) {
	v := value{kind: object}
	for {
		c := p.peek()
		if c == '}' && len(v.fields) == 0 {
			p.at++
			return v, nil
		}
		if c != '"' {
			return v, p.errorf("want a key")
		}
		key, err := p.text()
		if err != nil {
			return v, err
		}
		if p.peek() != ':' {
			return v, p.errorf("want ':'")
		}
		p.at++
		x, err := p.value()
		if err != nil {
			return v, err
		}
		v.fields = append(v.fields, field{key, x})
		if end, err := p.more('}'); end || err != nil {
			return v, err
		}
	}
}

// more reads a comma, or the end of a list or object.
func (p *jsonParser) more(end byte) (bool, error) {
	switch c := p.peek(); c {
	case ',', end:
		p.at++
		return c == end, nil
	}
	return false, p.errorf("want ',' or %q", end)
}

func (p *jsonParser) list() (value, error) {
	switch c := p.peek(); {
	case c == ']':
		p.at++
		return value{kind: numbers}, nil
	case c == '-' || c >= '0' && c <= '9' || c == 'N' || c == 'I' || c == 't' || c == 'f':
		return p.numbers()
	}
	v := value{kind: list}
	for {
		x, err := p.value()
		if err != nil {
			return v, err
		}
		v.list = append(v.list, x)
		if end, err := p.more(']'); end || err != nil {
			return v, err
		}
	}
}

// numbers reads a list of numbers, or of true and false, which XGBoost 1.3
// writes where later ones write 1 and 0.
func (p *jsonParser) numbers() (value, error) {
	v := value{kind: numbers}
	for {
		var x float64
		var err error
		switch c := p.peek(); {
		case c == 't' && p.word("true"):
			x = 1
		case c == 'f' && p.word("false"):
		default:
			x, err = p.number()
		}
		if err != nil {
			return v, err
		}
		v.numbers = append(v.numbers, x)
		if end, err := p.more(']'); end || err != nil {
			return v, err
		}
	}
}

func (p *jsonParser) text() (string, error) {
	start := p.at
	for p.at++; p.at < len(p.data); p.at++ {
		switch p.data[p.at] {
		case '\\':
			p.at++
		case '"':
			p.at++
			raw := p.data[start:p.at]
			if bytes.IndexByte(raw, '\\') < 0 {
				return string(raw[1 : len(raw)-1]), nil
			}
			var s string
			if err := json.Unmarshal(raw, &s); err != nil {
				return "", p.errorf("bad text: %v", err)
			}
			return s, nil
		}
	}
	p.at = start
	return "", p.errorf("text without end")
}

// number reads a number. One with a point or an exponent is rounded to float32, as
// XGBoost reads it.
func (p *jsonParser) number() (float64, error) {
	c := p.peek()
	if c == 'N' && p.word("NaN") {
		return math.NaN(), nil
	}
	start, isFloat := p.at, false
	if c == '-' {
		p.at++
	}
	if p.word("Infinity") {
		return math.Inf(1 - 2*int(one(c == '-'))), nil
	}
	var mantissa uint64
	digits, exponent := 0, 0
	for ; p.at < len(p.data); p.at++ {
		c := p.data[p.at]
		if c == '.' && !isFloat {
			isFloat, exponent = true, p.at
			continue
		}
		if c < '0' || c > '9' {
			break
		}
		mantissa = mantissa*10 + uint64(c-'0')
		digits++
	}
	if digits == 0 {
		return 0, p.errorf("want a value")
	}
	if isFloat {
		exponent -= p.at - 1
	}
	power, hasPower := p.power()
	exponent += power
	isFloat = isFloat || hasPower
	if digits > 15 || exponent < -22 || exponent > 22 {
		return p.slowNumber(start, isFloat)
	}
	x := float64(mantissa)
	if exponent < 0 {
		x /= powers[-exponent]
	} else {
		x *= powers[exponent]
	}
	if isFloat {
		// Rounding twice is once unless the first falls between two float32.
		if math.Float64bits(x)&(1<<29-1) == 1<<28 {
			return p.slowNumber(start, true)
		}
		x = float64(float32(x))
	}
	if c == '-' {
		x = -x
	}
	return x, nil
}

// power reads an exponent if there is one; beyond ±999 it does not matter.
func (p *jsonParser) power() (int, bool) {
	if p.at == len(p.data) || p.data[p.at]|0x20 != 'e' {
		return 0, false
	}
	p.at++
	sign := 1
	if p.at < len(p.data) && (p.data[p.at] == '-' || p.data[p.at] == '+') {
		if p.data[p.at] == '-' {
			sign = -1
		}
		p.at++
	}
	n := 0
	for ; p.at < len(p.data) && p.data[p.at] >= '0' && p.data[p.at] <= '9'; p.at++ {
		n = min(n*10+int(p.data[p.at]-'0'), 999)
	}
	return sign * n, true
}

func (p *jsonParser) slowNumber(start int, isFloat bool) (float64, error) {
	size := 64
	if isFloat {
		size = 32
	}
	x, err := strconv.ParseFloat(string(p.data[start:p.at]), size)
	if err != nil && !math.IsInf(x, 0) {
		return 0, p.errorf("bad number %.20q", p.data[start:p.at])
	}
	return x, nil
}

// powers are the powers of ten that a float64 holds exactly.
var powers = [...]float64{1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11,
	1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22}
