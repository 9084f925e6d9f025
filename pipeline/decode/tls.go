package decode

import (
	"encoding/binary"

	"picket"
)

// readTLS reads the name that a ClientHello asks for (RFC 8446, section 4.1.2; RFC
// 6066, section 3). more says that the hello goes on after b, and the name has not
// come yet.
func readTLS(b []byte) (l *picket.Lookup, more bool) {
	if !isClientHello(b) {
		return nil, false
	}
	c := cursor{b: b[5:]}
	c.skip(4 + 2 + 32)      // handshake head, version, random
	c.skip(int(c.uint8()))  // session
	c.skip(int(c.uint16())) // cipher suites
	c.skip(int(c.uint8()))  // compression
	left := int(c.uint16()) // extensions
	for left >= 4 && !c.short {
		kind, size := c.uint16(), int(c.uint16())
		left -= 4 + size
		body := c.take(size)
		if kind == 0 && !c.short {
			return serverName(body), false
		}
	}
	return nil, c.short
}

func isClientHello(b []byte) bool {
	return len(b) >= 9 && b[0] == 22 && b[1] == 3 && b[5] == 1
}

func serverName(body []byte) *picket.Lookup {
	c := cursor{b: body}
	c.skip(2) // length of the list
	for !c.short && len(c.b) > 0 {
		kind, name := c.uint8(), c.take(int(c.uint16()))
		if kind == 0 && !c.short && len(name) > 0 {
			return &picket.Lookup{Name: nameText(name), Via: viaTLS}
		}
	}
	return nil
}

// cursor takes values off the front of b; short says that one was not whole.
type cursor struct {
	b     []byte
	short bool
}

func (c *cursor) take(n int) []byte {
	if n > len(c.b) {
		c.short, c.b = true, nil
		return nil
	}
	v := c.b[:n]
	c.b = c.b[n:]
	return v
}

func (c *cursor) skip(n int) { c.take(n) }

func (c *cursor) uint8() uint8 {
	if v := c.take(1); v != nil {
		return v[0]
	}
	return 0
}

func (c *cursor) uint16() uint16 {
	if v := c.take(2); v != nil {
		return binary.BigEndian.Uint16(v)
	}
	return 0
}

// hellos keeps ClientHellos whose name comes in a later segment: browsers send
// hellos longer than a segment, and order their extensions at random.
type hellos struct {
	begun map[conversation]*hello
	order []conversation // oldest first
}

type conversation struct {
	src, dst         [16]byte
	srcPort, dstPort uint16
}

type hello struct {
	bytes []byte
	next  uint32 // sequence number that it goes on at
}

// Bounds of what is kept: hellos under way, and bytes of each.
const (
	maxHellos     = 256
	maxHelloBytes = 8 << 10
)

// read reads the payload of a TCP segment at a sequence number.
func (h *hellos) read(r *picket.Record, seq uint32, payload []byte) *picket.Lookup {
	key := conversation{r.Src.As16(), r.Dst.As16(), r.SrcPort, r.DstPort}
	kept := h.begun[key]
	if kept == nil && !isClientHello(payload) {
		return nil
	}
	b := payload
	if kept != nil {
		if kept.next != seq {
			return nil
		}
		b = append(kept.bytes, payload...)
	}
	l, more := readTLS(b)
	if !more || len(b) > maxHelloBytes {
		h.forget(key)
		return l
	}
	if kept == nil {
		b = append([]byte(nil), b...)
		h.keep(key)
	}
	h.begun[key] = &hello{b, seq + uint32(len(payload))}
	return nil
}

func (h *hellos) keep(key conversation) {
	if h.begun == nil {
		h.begun = map[conversation]*hello{}
	}
	if len(h.order) >= maxHellos {
		delete(h.begun, h.order[0])
		h.order = h.order[1:]
	}
	h.order = append(h.order, key)
}

func (h *hellos) forget(key conversation) {
	if _, ok := h.begun[key]; !ok {
		return
	}
	delete(h.begun, key)
	for i := range h.order {
		if h.order[i] == key {
			h.order = append(h.order[:i], h.order[i+1:]...)
			return
		}
	}
}
