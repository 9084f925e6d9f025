package decode

// zeekShapes are the orders of keys that lines of a log had lately. A line of a known
// order is read by comparing what stands before each value, with no search for keys;
// any other goes to the key walker, which may teach a new one.
type zeekShapes struct {
	known  [8][]shapeKey
	last   int // the one that fitted last
	next   int // the one to be forgotten
	misses int
}

// shapeKey is what stands before a value: brace or comma, key and colon.
type shapeKey struct {
	text  string
	field zeekField
}

// maxMisses are learned from; a log of ever new orders is left to the walker.
const maxMisses = 1000

// parse fills the row, which is empty, from a line of a known order. Where it returns
// false the row is empty again.
func (s *zeekShapes) parse(row *zeekRow, line []byte) bool {
	for i := range s.known {
		at := (s.last + i) % len(s.known)
		if len(s.known[at]) == 0 {
			continue
		}
		if fillShape(row, line, s.known[at]) {
			s.last = at
			return true
		}
		*row = zeekRow{}
	}
	return false
}

func fillShape(row *zeekRow, line []byte, keys []shapeKey) bool {
	i := 0
	for k := range keys {
		key := &keys[k]
		if len(line)-i <= len(key.text) || string(line[i:i+len(key.text)]) != key.text {
			return false
		}
		i += len(key.text)
		from, to, null := i, 0, false
		if line[i] == '"' {
			n := indexShort(line[i+1:], '"')
			if n < 0 || indexShort(line[i+1:i+1+n], '\\') >= 0 {
				return false
			}
			from, to, i = i+1, i+1+n, i+n+2
		} else {
			if i = tokenEnd(line, i); i < 0 {
				return false
			}
			to, null = i, line[from] == 'n'
		}
		switch {
		case key.field == zeekOther:
		case null: // of a key that came before, too
			row[key.field] = nil
		default:
			row[key.field] = line[from:to]
		}
	}
	return i+1 == len(line) && line[i] == '}'
}

// learn takes the order of a line that the walker knew, if it is of plain values.
func (s *zeekShapes) learn(line []byte) {
	if s.misses++; s.misses > maxMisses {
		return
	}
	var keys []shapeKey
	before := `{"`
	plain := walkObject(line, func(key, value []byte) bool {
		f := zeekFieldOf(key)
		keys = append(keys, shapeKey{before + string(key) + `":`, f})
		before = `,"`
		return f != zeekAnswers && f != zeekCertNames && value[0] != '{' && value[0] != '['
	})
	var row zeekRow
	if plain && len(keys) <= 64 && fillShape(&row, line, keys) { // it has no white space
		s.known[s.next] = keys
		s.next = (s.next + 1) % len(s.known)
	}
}
