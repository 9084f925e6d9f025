package gbdt

import (
	"encoding/binary"
	"math"
)

// ubjEncoder writes UBJSON the way XGBoost does: 64-bit lengths, arrays of numbers
// with a type and a count.
type ubjEncoder struct{ out }

func (e *ubjEncoder) byte(c ...byte) {
	e.buf = append(e.buf, c...)
	e.spill()
}

func (e *ubjEncoder) length(n int) {
	e.buf = append(e.buf, 'L')
	e.buf = binary.BigEndian.AppendUint64(e.buf, uint64(n))
}

func (e *ubjEncoder) object()    { e.byte('{') }
func (e *ubjEncoder) endObject() { e.byte('}') }
func (e *ubjEncoder) endArray()  {}

func (e *ubjEncoder) array(n int) {
	e.byte('[', '#')
	e.length(n)
}

func (e *ubjEncoder) key(name string) {
	e.length(len(name))
	e.buf = append(e.buf, name...)
}

func (e *ubjEncoder) text(s string) {
	e.byte('S')
	e.key(s)
}

func (e *ubjEncoder) integer(n int) {
	switch {
	case n == int(int8(n)):
		e.byte('i', byte(n))
	case n == int(int32(n)):
		e.byte('l')
		e.buf = binary.BigEndian.AppendUint32(e.buf, uint32(n))
	default:
		e.length(n) // 'L' is a 64-bit integer
	}
}

func (e *ubjEncoder) typed(kind byte, n int, each func(i int)) {
	e.byte('[', '$', kind, '#')
	e.length(n)
	for i := range n {
		each(i)
		e.spill()
	}
}

func (e *ubjEncoder) int32s(n int, at func(int) int32) {
	e.typed('l', n, func(i int) { e.buf = binary.BigEndian.AppendUint32(e.buf, uint32(at(i))) })
}

func (e *ubjEncoder) int64s(n int, at func(int) int64) {
	e.typed('L', n, func(i int) { e.buf = binary.BigEndian.AppendUint64(e.buf, uint64(at(i))) })
}

func (e *ubjEncoder) bytes(n int, at func(int) uint8) {
	e.typed('U', n, func(i int) { e.buf = append(e.buf, at(i)) })
}

func (e *ubjEncoder) floats(n int, at func(int) float32) {
	e.typed('d', n, func(i int) { e.buf = binary.BigEndian.AppendUint32(e.buf, math.Float32bits(at(i))) })
}
