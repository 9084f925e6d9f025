package extract

import (
	"fmt"
	"os"

	"picket"
)

// hourStream gives the rows of all parts of one hour, in the order of their
// keys, equal ones apart.
type hourStream struct {
	stream
	long     longInterfaces // of all parts together
	from, to int64
	closers  []func() error
}

// openHour opens the parts of one hour. No more than fanIn are open at a time:
// where there are more, they are first merged into runs. With tell, each row has
// the place of its part, from 1, as origin.
func openHour(parts []Part, o CloseOptions, tell bool) (*hourStream, error) {
	h := &hourStream{from: o.From, to: o.To}
	if err := h.open(parts, o, tell); err != nil {
		h.close()
		return nil, err
	}
	return h, nil
}

func (h *hourStream) open(parts []Part, o CloseOptions, tell bool) error {
	var runs []*os.File
	for i := 0; len(parts)-i > fanIn || len(runs) > 0 && i < len(parts); {
		n := min(fanIn, len(parts)-i)
		run, err := h.joinParts(parts[i:i+n], i, o, tell)
		if err != nil {
			return err
		}
		runs = append(runs, run)
		i += n
		if i == len(parts) {
			return h.mergeRuns(runs, o.TempDir)
		}
	}
	streams, err := h.openParts(parts, 0, o, tell)
	if err != nil {
		return err
	}
	h.stream, err = newMerge(compareKey, streams)
	return err
}

// joinParts merges some parts into a run.
func (h *hourStream) joinParts(parts []Part, first int, o CloseOptions, tell bool) (*os.File, error) {
	streams, err := h.openParts(parts, first, o, tell)
	if err != nil {
		return nil, err
	}
	merged, err := newMerge(compareKey, streams)
	if err != nil {
		return nil, err
	}
	run, err := writeRun(o.TempDir, &summed{in: merged})
	h.close()
	return run, err
}

// mergeRuns streams runs, joined until there are few enough.
func (h *hourStream) mergeRuns(runs []*os.File, dir string) error {
	s := newSorter(byKey, 1, dir)
	h.closers = append(h.closers, func() error { s.reset(); return nil })
	for _, run := range runs {
		if len(s.runs) == fanIn {
			if err := s.join(); err != nil {
				return err
			}
		}
		s.runs = append(s.runs, run)
	}
	var err error
	h.stream, err = s.each()
	return err
}

func (h *hourStream) openParts(parts []Part, first int, o CloseOptions, tell bool) ([]stream, error) {
	var streams []stream
	for i, p := range parts {
		if p.ID.Source != o.Source {
			return nil, fmt.Errorf("window part %d/%s of %s is not of source %s", p.ID.Hour, p.ID.Source, p.Object, o.Source)
		}
		r, err := openPart(p)
		if err != nil {
			return nil, err
		}
		h.closers = append(h.closers, r.close)
		if tell {
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
	return streams, nil
}

// next returns the next row of a minute that counts.
func (h *hourStream) next() (*flow, error) {
	for {
		row, err := h.stream.next()
		if row == nil || err != nil {
			return nil, err
		}
		if at := row.time(); at >= h.from && at+picket.Minute <= h.to {
			return row, nil
		}
	}
}

func (h *hourStream) close() {
	for _, c := range h.closers {
		c()
	}
	h.closers = nil
}
