package decode

import (
	"bytes"
	"io"
)

// eachObject hands every JSON object of the log to read, however they stand: one a
// line, in an array, under "Records", or one alone, indented or not. A line number
// is that of the object.
//
// Objects are framed by their brackets and read one at a time, so that an array on
// one long line costs no more memory than the buffer.
func (d *run) eachObject(read func(object []byte) error) error {
	f := frames{run: d}
	if head, _ := d.in.Peek(3); len(trimBOM(head)) < len(head) {
		f.skip(3)
	}
	for {
		object, err := f.frame()
		if err == io.EOF {
			return nil
		}
		if err == nil && object != nil {
			err = read(object)
		}
		if err != nil {
			return err
		}
	}
}

// eachEvent is eachObject, quicker where the log is of one object a line: a line
// need not be scanned for its brackets first.
func (d *run) eachEvent(read func(object []byte) error) error {
	head, _ := d.in.Peek(peekSize)
	first := firstLine(bytes.TrimSpace(trimBOM(head)))
	if len(first) > 0 && first[0] == '{' && nestEnd(first, 0) == len(bytes.TrimSpace(first)) {
		return d.eachLine(read)
	}
	return d.eachObject(read)
}

// frames frames objects.
type frames struct {
	*run
	lines bool // brackets were found broken: an event ends with its line
}

// frame returns the next event, valid until the call after. It is nil for what
// was passed over, and io.EOF is the end.
func (f *frames) frame() ([]byte, error) {
	for {
		b, err := f.in.Peek(1)
		if err == io.EOF {
			return nil, err
		} else if err != nil {
			return nil, f.readError(err)
		}
		switch b[0] {
		case ' ', '\t', '\r', '\n', ',', '[', ']', '}':
			f.skip(1)
		case '{':
			if n := f.wrapper(); n > 0 {
				f.skip(n)
				continue
			}
			return f.event()
		default:
			return nil, f.dropLine()
		}
	}
}

func (f *frames) skip(n int) {
	k, _ := f.in.Discard(n)
	f.next += int64(k)
}

// wrapper returns the length of the opening of an object that holds events and is
// none, up to the bracket of their array.
func (f *frames) wrapper() int {
	b, _ := f.in.Peek(256)
	i := space(b, 1)
	end := stringEnd(b, i)
	if end < 0 {
		return 0
	}
	switch string(b[i+1 : end-1]) {
	case "Records", "records", "Events":
	default:
		return 0
	}
	if i = space(b, end); i >= len(b) || b[i] != ':' {
		return 0
	}
	if i = space(b, i+1); i >= len(b) || b[i] != '[' {
		return 0
	}
	return i + 1
}

// event frames the object that begins here.
func (f *frames) event() ([]byte, error) {
	f.begin()
	for n := min(f.in.Buffered(), bufferSize); ; n = min(2*n+4096, bufferSize) {
		b, err := f.in.Peek(n)
		if f.lines {
			if k := bytes.IndexByte(b, '\n'); k >= 0 {
				b = b[:k]
			}
		}
		if end := nestEnd(b, 0); end > 0 {
			f.skip(end)
			return b[:end], nil
		}
		switch {
		case f.lines && len(b) < n, err == nil && n == bufferSize, err != nil:
			return nil, f.broken(b, err)
		}
	}
}

// begin counts an event or what stands for one.
func (f *frames) begin() {
	f.stats.Lines++
	f.offset = f.next
}

// broken passes over an object whose brackets do not close in b. Where lines of
// it begin objects of their own, it is one bad line, and from there on every
// event must end with its line: else each bad line would be looked at with all
// that follows it.
func (f *frames) broken(b []byte, err error) error {
	switch {
	case f.lines, bytes.Contains(b, []byte("\n{")):
		f.lines = true
		if err := f.drop(reasonJSON, "brackets do not close", firstLine(b)); err != nil {
			return err
		}
		return f.endLine()
	case err == io.EOF:
		return f.failAt(f.offset, reasonCut, "everything before the cut was kept", io.ErrUnexpectedEOF)
	case err != nil:
		return f.readError(err)
	}
	if err := f.drop(reasonLongLine, "", b); err != nil {
		return err
	}
	return f.skipObject()
}

func firstLine(b []byte) []byte {
	line, _, _ := bytes.Cut(b, []byte{'\n'})
	return line
}

// dropLine passes over a line that is no JSON.
func (f *frames) dropLine() error {
	f.begin()
	b, _ := f.in.Peek(4096)
	if err := f.drop(reasonJSON, "", firstLine(b)); err != nil {
		return err
	}
	return f.endLine()
}

// endLine skips to the next line.
func (f *frames) endLine() error {
	for {
		b, err := f.in.ReadSlice('\n')
		f.next += int64(len(b))
		switch {
		case err == nil || err == io.EOF:
			return nil
		case len(b) < bufferSize:
			return f.readError(err)
		}
	}
}

// skipObject skips an object that does not fit the buffer.
func (f *frames) skipObject() error {
	depth, quoted, escape := 0, false, false
	for {
		b, err := f.in.ReadByte()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return f.readError(err)
		}
		f.next++
		switch {
		case escape:
			escape = false
		case quoted:
			escape, quoted = b == '\\', b != '"'
		case b == '"':
			quoted = true
		case b == '{' || b == '[':
			depth++
		case b == '}' || b == ']':
			if depth--; depth == 0 {
				return nil
			}
		}
	}
}
