package decode

import (
	"bytes"
	"encoding/binary"
	"math/bits"
)

// walkObject calls set with each key and value of the JSON object b, in order.
// Keys come without quotes, values as they stand. It returns false where set
// does, and on any shape that it does not know, among them escaped keys: the
// caller then asks encoding/json. Values that set does not look at are skipped
// by their brackets and quotes alone.
func walkObject(b []byte, set func(key, value []byte) bool) bool {
	i := space(b, 0)
	if i >= len(b) || b[i] != '{' {
		return false
	}
	i = space(b, i+1)
	if i < len(b) && b[i] == '}' {
		return space(b, i+1) == len(b)
	}
	for {
		end := stringEnd(b, i)
		if end < 0 {
			return false
		}
		key := b[i+1 : end-1]
		if indexShort(key, '\\') >= 0 {
			return false
		}
		i = space(b, end)
		if i >= len(b) || b[i] != ':' {
			return false
		}
		i = space(b, i+1)
		if end = valueEnd(b, i); end < 0 || !set(key, b[i:end]) {
			return false
		}
		i = space(b, end)
		if i >= len(b) {
			return false
		}
		switch b[i] {
		case ',':
			i = space(b, i+1)
		case '}':
			return space(b, i+1) == len(b)
		default:
			return false
		}
	}
}

// scalar returns the text of a string, number, true or false, nil for null. It
// is false for escaped strings and for arrays and objects.
func scalar(value []byte) ([]byte, bool) {
	switch value[0] {
	case '"':
		text := value[1 : len(value)-1]
		return text, indexShort(text, '\\') < 0
	case '{', '[':
		return nil, false
	case 'n':
		return nil, true
	}
	return value, true
}

// space returns the index of the first byte from i on that is not white.
func space(b []byte, i int) int {
	for i < len(b) && (b[i] == ' ' || b[i] == '\t' || b[i] == '\r' || b[i] == '\n') {
		i++
	}
	return i
}

// stringEnd returns the index after the string that starts at i, -1 if none does.
func stringEnd(b []byte, i int) int {
	if i >= len(b) || b[i] != '"' {
		return -1
	}
	for i++; i < len(b); i++ {
		k := indexShort(b[i:], '"')
		if k < 0 {
			return -1
		}
		if i += k; b[i-1] != '\\' || !escaped(b, i) {
			return i + 1
		}
	}
	return -1
}

// indexShort is bytes.IndexByte for what is seldom far: it looks at eight bytes at a
// time, where a call would cost more than the search.
func indexShort(b []byte, c byte) int {
	const ones, low, near = 0x0101010101010101, 0x7f7f7f7f7f7f7f7f, 32
	pattern, i := uint64(c)*ones, 0
	for ; i+8 <= len(b) && i < near; i += 8 {
		x := binary.LittleEndian.Uint64(b[i:]) ^ pattern
		if m := ^((x&low + low) | x | low); m != 0 {
			return i + bits.TrailingZeros64(m)/8
		}
	}
	if i == near {
		if k := bytes.IndexByte(b[i:], c); k >= 0 {
			return i + k
		}
		return -1
	}
	if i < len(b) && i+8 <= cap(b) { // the end, with what lies behind it
		x := binary.LittleEndian.Uint64(b[i:i+8:i+8]) ^ pattern
		m := ^((x&low + low) | x | low)
		if k := bits.TrailingZeros64(m) / 8; m != 0 && i+k < len(b) {
			return i + k
		}
		return -1
	}
	for ; i < len(b); i++ {
		if b[i] == c {
			return i
		}
	}
	return -1
}

// escaped reports whether an odd number of backslashes stands before b[i].
func escaped(b []byte, i int) bool {
	n := 0
	for i--; i >= 0 && b[i] == '\\'; i-- {
		n++
	}
	return n%2 == 1
}

// valueEnd returns the index after the value that starts at i, -1 if none does.
func valueEnd(b []byte, i int) int {
	if i >= len(b) {
		return -1
	}
	switch b[i] {
	case '"':
		return stringEnd(b, i)
	case '{', '[':
		return nestEnd(b, i)
	}
	return tokenEnd(b, i)
}

// nestEnd returns the index after the bracket that closes the one at i.
func nestEnd(b []byte, i int) int {
	depth := 0
	for i < len(b) {
		switch b[i] {
		case '"':
			if i = stringEnd(b, i); i < 0 {
				return -1
			}
			continue
		case '{', '[':
			depth++
		case '}', ']':
			if depth--; depth == 0 {
				return i + 1
			}
		}
		i++
	}
	return -1
}

// tokenEnd returns the index after a number, true, false or null.
func tokenEnd(b []byte, i int) int {
	start := i
	for i < len(b) && b[i] != ',' && b[i] != '}' && b[i] != ']' && b[i] > ' ' {
		i++
	}
	switch token := b[start:i]; {
	case len(token) == 0:
		return -1
	case token[0] == '-' || token[0]-'0' < 10:
		return i
	case string(token) == "true" || string(token) == "false" || string(token) == "null":
		return i
	}
	return -1
}
