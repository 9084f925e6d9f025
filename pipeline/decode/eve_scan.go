package decode

import "bytes"

// scan fills the row from an event as Suricata writes it: without white space, and
// without escapes where it matters. On any other shape it is false, and the row must
// be filled anew. The key walker does the same, slower.
func (row *eveRow) scan(b []byte) bool {
	return len(b) > 0 && row.scanObject(b, 0, eveTop) == len(b)
}

// Objects of an event that are looked into.
const (
	eveTop = iota
	eveFlow
	eveTCP
)

// scanObject reads the object that begins at i and returns where it ends, -1 for a
// shape that it does not know.
func (row *eveRow) scanObject(b []byte, i, kind int) int {
	if i >= len(b) || b[i] != '{' {
		return -1
	}
	if i++; i < len(b) && b[i] == '}' {
		return i + 1
	}
	for i < len(b) && b[i] == '"' {
		start := i + 1
		for i = start; i < len(b) && b[i] != '"' && b[i] != '\\'; i++ {
		}
		if i+2 >= len(b) || b[i] != '"' || b[i+1] != ':' {
			return -1
		}
		key := b[start:i]
		if i = row.scanValue(b, i+2, kind, key); i < 0 || i >= len(b) {
			return -1
		}
		switch b[i] {
		case ',':
			i++
		case '}':
			return i + 1
		default:
			return -1
		}
	}
	return -1
}

// scanValue reads the value of a key.
func (row *eveRow) scanValue(b []byte, i, kind int, key []byte) int {
	start := i
	switch c := b[i]; {
	case c == '"':
		end := bytes.IndexByte(b[i+1:], '"')
		if end < 0 {
			return -1
		}
		if i += end + 2; b[i-2] == '\\' {
			if i = stringEnd(b, start); i < 0 {
				return -1
			}
		}
	case c == '{':
		if inner := innerKind(kind, key); inner != eveTop {
			if i = row.scanObject(b, i, inner); i < 0 {
				return -1
			}
			switch {
			case kind == eveTop && string(key) == "flow":
				row.flow = b[start:i]
			case kind == eveTop && string(key) == "netflow":
				row.netflow = b[start:i]
			}
			return i
		}
		if i = nestEnd(b, i); i < 0 {
			return -1
		}
	case c == '[':
		if i = nestEnd(b, i); i < 0 {
			return -1
		}
	default:
		if i = tokenEnd(b, i); i < 0 {
			return -1
		}
	}
	value := b[start:i]
	switch kind {
	case eveFlow:
		row.setFlow(key, value)
	case eveTCP:
		row.setTCP(key, value)
	default:
		row.setTop(key, value)
	}
	return i
}

// innerKind says which object a key of another holds; eveTop for one that is kept
// whole.
func innerKind(kind int, key []byte) int {
	if kind != eveTop {
		return eveTop
	}
	switch string(key) {
	case "flow", "netflow":
		return eveFlow
	case "tcp":
		return eveTCP
	}
	return eveTop
}
