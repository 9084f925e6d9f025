package extract

import (
	"fmt"

	"picket"
)

// hourStream gives the rows of all parts of one hour, in the order of their
// keys, equal ones apart.
type hourStream struct {
	stream
	options CloseOptions
	tell    bool
	long    longInterfaces // of all parts together
	open    []*partReader
	runs    *sorter // of parts merged beforehand
}

// openHour opens the parts of one hour. No more than fanIn are open at a time:
// where there are more, they are first merged into runs. With tell, each row has
// the place of its part, from 1, as origin.
func openHour(parts []Part, o CloseOptions, tell bool) (*hourStream, error) {
	h := &hourStream{options: o, tell: tell, runs: newSorter(byKey, 1, o.TempDir)}
	var err error
	if len(parts) <= fanIn {
		h.stream, err = h.openParts(parts, 0)
	} else {
		h.stream, err = h.join(parts)
	}
	if err != nil {
		h.close()
		return nil, err
	}
	return h, nil
}

// join merges the parts into runs, fanIn at a time.
func (h *hourStream) join(parts []Part) (stream, error) {
	for i := 0; i < len(parts); i += fanIn {
		merged, err := h.openParts(parts[i:min(i+fanIn, len(parts))], i)
		if err != nil {
			return nil, err
		}
		if err := h.runs.addRun(&summed{in: merged}); err != nil {
			return nil, err
		}
		h.closeParts()
	}
	return h.runs.each()
}

// openParts opens parts, of which the first is the one at the given place.
func (h *hourStream) openParts(parts []Part, first int) (stream, error) {
	var streams []stream
	for i, p := range parts {
		if p.ID.Source != h.options.Source {
			return nil, fmt.Errorf("window part %d/%s of %s is not of source %s", p.ID.Hour, p.ID.Source, p.Object, h.options.Source)
		}
		r, err := openPart(p)
		if err != nil {
			return nil, err
		}
		h.open = append(h.open, r)
		if h.tell {
			r.origin = uint32(first+i) + 1
		}
		if r.all {
			h.long.all, h.long.names = true, nil
		}
		for _, name := range r.long {
			h.long.add(name)
		}
		streams = append(streams, r)
	}
	return newMerge(byKey.compare, streams)
}

// next returns the next row of a minute that counts.
func (h *hourStream) next() (*flow, error) {
	for {
		row, err := h.stream.next()
		if row == nil || err != nil {
			return nil, err
		}
		if at := row.time(); at >= h.options.From && at+picket.Minute <= h.options.To {
			return row, nil
		}
	}
}

func (h *hourStream) close() {
	h.closeParts()
	h.runs.reset()
}

func (h *hourStream) closeParts() {
	for _, r := range h.open {
		r.close()
	}
	h.open = nil
}
