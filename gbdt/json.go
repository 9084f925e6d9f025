package gbdt

import (
	"encoding/json"
	"strconv"
)

// jsonEncoder writes JSON on one line.
type jsonEncoder struct {
	out
	comma bool // the next value or key is not the first
}

func (e *jsonEncoder) next() {
	if e.comma {
		e.buf = append(e.buf, ',')
	}
	e.comma = true
	e.spill()
}

func (e *jsonEncoder) open(c byte) {
	e.next()
	e.buf = append(e.buf, c)
	e.comma = false
}

func (e *jsonEncoder) close(c byte) {
	e.buf = append(e.buf, c)
	e.comma = true
}

func (e *jsonEncoder) object()    { e.open('{') }
func (e *jsonEncoder) endObject() { e.close('}') }
func (e *jsonEncoder) array(int)  { e.open('[') }
func (e *jsonEncoder) endArray()  { e.close(']') }

func (e *jsonEncoder) key(name string) {
	e.text(name)
	e.buf = append(e.buf, ':')
	e.comma = false
}

func (e *jsonEncoder) text(s string) {
	e.next()
	quoted, _ := json.Marshal(s) // a string always marshals
	e.buf = append(e.buf, quoted...)
}

func (e *jsonEncoder) integer(n int) {
	e.next()
	e.buf = strconv.AppendInt(e.buf, int64(n), 10)
}

func (e *jsonEncoder) list(n int, each func(i int)) {
	e.open('[')
	for i := range n {
		e.next()
		each(i)
	}
	e.close(']')
}

func (e *jsonEncoder) int32s(n int, at func(int) int32) {
	e.list(n, func(i int) { e.buf = strconv.AppendInt(e.buf, int64(at(i)), 10) })
}

func (e *jsonEncoder) int64s(n int, at func(int) int64) {
	e.list(n, func(i int) { e.buf = strconv.AppendInt(e.buf, at(i), 10) })
}

func (e *jsonEncoder) bytes(n int, at func(int) uint8) {
	e.list(n, func(i int) { e.buf = strconv.AppendInt(e.buf, int64(at(i)), 10) })
}

func (e *jsonEncoder) floats(n int, at func(int) float32) {
	e.list(n, func(i int) { e.buf = appendFloat(e.buf, at(i)) })
}
