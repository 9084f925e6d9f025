package decode

import (
	"bytes"
	"io"
	"strconv"
)

// zeekTSV is the state that the directives of a Zeek log set up.
type zeekTSV struct {
	separator    byte
	unset, empty []byte
	path         []byte
	plan         []zeekField // nil before the first #fields
	log          *zeekLog    // what rows are of; nil for a log that is not read
	skip         string      // reason for which rows are skipped
	row          zeekRow
	ends         []int // of the current line's fields
	known        bool  // a header of a log that is read was seen
}

// readZeekTSV reads a Zeek log with #-directives. They may come again anywhere,
// with other fields, where logs were joined; #close may be missing.
func readZeekTSV(d *run) error {
	z := &zeekTSV{separator: '\t', unset: []byte("-"), empty: []byte("(empty)")}
	for {
		line, err := d.line()
		if err == io.EOF {
			break
		}
		if err != nil {
			return err
		}
		switch {
		case len(line) == 0:
		case line[0] == '#':
			err = z.directive(d, line)
		default:
			err = z.read(d, line)
		}
		if err != nil {
			return err
		}
	}
	if !z.known && z.skip != "" {
		return d.failAt(0, z.skip, "", nil)
	}
	return nil
}

// directive takes in one # line. Those of no use here are passed over.
func (z *zeekTSV) directive(d *run, line []byte) error {
	if v, ok := bytes.CutPrefix(line, []byte("#separator ")); ok {
		s := unescape(v)
		if len(s) != 1 {
			return d.fail(reasonSeparator, strconv.Quote(string(s[:min(len(s), 20)])), nil)
		}
		z.separator = s[0]
		z.path = nil
		return nil
	}
	name, value, _ := bytes.Cut(line, []byte{z.separator})
	switch string(name) {
	case "#unset_field":
		z.unset = bytes.Clone(value)
	case "#empty_field":
		z.empty = bytes.Clone(value)
	case "#path":
		z.path = bytes.Clone(value)
	case "#fields":
		z.fields(value)
	}
	return nil
}

// fields takes the order of fields, and by it which log this is.
func (z *zeekTSV) fields(names []byte) {
	z.plan = z.plan[:0]
	z.row = zeekRow{}
	for _, name := range bytes.Split(names, []byte{z.separator}) {
		f := zeekFieldOf(name)
		z.plan = append(z.plan, f)
		z.row[f] = name
	}
	z.row[zeekPath] = z.path
	z.ends = make([]int, len(z.plan))
	if z.log = z.row.log(); z.log != nil {
		z.known, z.skip = true, ""
	} else {
		z.skip = zeekSkipped(z.path)
	}
	z.row = zeekRow{}
}

func (z *zeekTSV) read(d *run, line []byte) error {
	switch {
	case z.plan == nil:
		return d.drop(reasonNoHeader, "", line)
	case z.skip != "":
		d.stats.Dropped[z.skip]++
		return nil
	case !z.split(line):
		return d.drop(reasonColumns, "", line)
	}
	return d.sendZeek(z.log, &z.row, line)
}

// split cuts line into z.row; it reports whether it has as many fields as the
// header.
func (z *zeekTSV) split(line []byte) bool {
	last := len(z.plan) - 1
	if cut(line, z.separator, z.ends[:last]) != last {
		return false
	}
	z.ends[last] = len(line)
	escaped := bytes.IndexByte(line, '\\') >= 0
	start := 0
	for i, f := range z.plan {
		if f != zeekOther {
			z.row[f] = z.value(line[start:z.ends[i]], escaped)
		}
		start = z.ends[i] + 1
	}
	return true
}

// value returns what a field holds, nil where it is unset or empty.
func (z *zeekTSV) value(b []byte, escaped bool) []byte {
	switch {
	case bytes.Equal(b, z.unset), bytes.Equal(b, z.empty):
		return nil
	case escaped:
		return unescape(b)
	}
	return b
}

// unescape replaces each \xHH by its byte.
func unescape(b []byte) []byte {
	out := make([]byte, 0, len(b))
	for len(b) > 0 {
		if len(b) >= 4 && b[0] == '\\' && b[1] == 'x' {
			if v, err := strconv.ParseUint(string(b[2:4]), 16, 8); err == nil {
				out = append(out, byte(v))
				b = b[4:]
				continue
			}
		}
		out = append(out, b[0])
		b = b[1:]
	}
	return out
}
