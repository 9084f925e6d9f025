package decode

import "encoding/binary"

// thrift walks over a structure in Thrift's compact protocol, in which Parquet
// writes its metadata, before the library makes room for what it claims: a list of
// a billion takes five bytes.
type thrift struct {
	b     []byte
	items int // list items and fields that may still come
	bad   bool
}

// Types of the compact protocol.
const (
	thriftTrue   = 1
	thriftFalse  = 2
	thriftByte   = 3
	thriftI16    = 4
	thriftI32    = 5
	thriftI64    = 6
	thriftDouble = 7
	thriftBinary = 8
	thriftList   = 9
	thriftSet    = 10
	thriftMap    = 11
	thriftStruct = 12
)

// maxThriftDepth is deeper than any Parquet metadata nests.
const maxThriftDepth = 16

// structure visits the fields of a structure; visit returns whether it has taken
// the field's value.
func (t *thrift) structure(depth int, visit func(id int, kind byte) bool) {
	id := 0
	for !t.bad && depth < maxThriftDepth {
		head := t.byte()
		if head == 0 {
			return
		}
		if t.items--; t.items < 0 {
			break
		}
		if delta := int(head >> 4); delta != 0 {
			id += delta
		} else {
			id = int(t.zigzag())
		}
		if visit == nil || !visit(id, head&15) {
			t.skip(head&15, depth, false)
		}
	}
	t.bad = true
}

// skip passes over a value.
func (t *thrift) skip(kind byte, depth int, inList bool) {
	switch kind {
	case thriftTrue, thriftFalse:
		if inList {
			t.byte()
		}
	case thriftByte:
		t.byte()
	case thriftI16, thriftI32, thriftI64:
		t.uvarint()
	case thriftDouble:
		t.take(8)
	case thriftBinary:
		t.take(t.uvarint())
	case thriftList, thriftSet:
		head := t.byte()
		size := uint64(head >> 4)
		if size == 15 {
			size = t.uvarint()
		}
		t.list(size, depth, head&15)
	case thriftMap:
		size := t.uvarint()
		if size == 0 {
			return
		}
		kinds := t.byte()
		for ; size > 0 && !t.bad; size-- {
			t.list(1, depth, kinds>>4)
			t.list(1, depth, kinds&15)
		}
	case thriftStruct:
		t.structure(depth+1, nil)
	default:
		t.bad = true
	}
}

func (t *thrift) list(size uint64, depth int, kind byte) {
	if size > uint64(len(t.b)) || size > uint64(t.items) || depth > maxThriftDepth {
		t.bad = true
		return
	}
	t.items -= int(size)
	for ; size > 0 && !t.bad; size-- {
		t.skip(kind, depth+1, true)
	}
}

func (t *thrift) byte() byte {
	if b := t.take(1); b != nil {
		return b[0]
	}
	return 0
}

func (t *thrift) take(n uint64) []byte {
	if t.bad || n > uint64(len(t.b)) {
		t.bad = true
		return nil
	}
	b := t.b[:n]
	t.b = t.b[n:]
	return b
}

func (t *thrift) uvarint() uint64 {
	v, n := binary.Uvarint(t.b)
	if n <= 0 {
		t.bad = true
		return 0
	}
	t.b = t.b[n:]
	return v
}

func (t *thrift) zigzag() int64 {
	v := t.uvarint()
	return int64(v>>1) ^ -int64(v&1)
}

// pageHeader is what is read of the header of a Parquet page.
type pageHeader struct {
	unpacked, packed int64 // bytes
	values           int64
	levels           int64 // bytes of levels, which version 2 does not compress
	uncompressed     bool  // in version 2
	size             int   // bytes of the header itself
}

// readPageHeader reads the header that b begins with.
func readPageHeader(b []byte) (h pageHeader, ok bool) {
	t := thrift{b: b, items: 1000}
	t.structure(0, func(id int, kind byte) bool {
		switch {
		case kind == thriftI32 && id == 2:
			h.unpacked = t.zigzag()
		case kind == thriftI32 && id == 3:
			h.packed = t.zigzag()
		case kind == thriftStruct && (id == 5 || id == 7 || id == 8):
			t.structure(1, func(field int, kind byte) bool {
				switch {
				case kind == thriftI32 && field == 1:
					h.values = t.zigzag()
				case kind == thriftI32 && id == 8 && (field == 5 || field == 6):
					h.levels += t.zigzag()
				case id == 8 && field == 7:
					h.uncompressed = kind == thriftFalse
				default:
					return false
				}
				return true
			})
		default:
			return false
		}
		return true
	})
	h.size = len(b) - len(t.b)
	return h, !t.bad
}
