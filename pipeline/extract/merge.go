package extract

// merge streams the rows of several sorted streams in order: a binary heap of
// their first rows.
type merge struct {
	compare func(a, b *flow) int
	heap    []head
	pending bool // the row on top was handed out
}

type head struct {
	row *flow
	in  stream
}

func newMerge(compare func(a, b *flow) int, streams []stream) (*merge, error) {
	m := &merge{compare: compare}
	for _, in := range streams {
		row, err := in.next()
		if err != nil {
			return nil, err
		}
		if row != nil {
			m.heap = append(m.heap, head{row, in})
		}
	}
	for i := len(m.heap)/2 - 1; i >= 0; i-- {
		m.down(i)
	}
	return m, nil
}

func (m *merge) next() (*flow, error) {
	if m.pending {
		if err := m.advance(); err != nil {
			return nil, err
		}
	}
	m.pending = len(m.heap) > 0
	if !m.pending {
		return nil, nil
	}
	return m.heap[0].row, nil
}

// advance replaces the row on top by the next of its stream.
func (m *merge) advance() error {
	top := &m.heap[0]
	row, err := top.in.next()
	if err != nil {
		return err
	}
	top.row = row
	if row == nil {
		last := len(m.heap) - 1
		m.heap[0] = m.heap[last]
		m.heap = m.heap[:last]
	}
	m.down(0)
	return nil
}

func (m *merge) down(i int) {
	for {
		child := 2*i + 1
		if child >= len(m.heap) {
			return
		}
		if child+1 < len(m.heap) && m.compare(m.heap[child+1].row, m.heap[child].row) < 0 {
			child++
		}
		if m.compare(m.heap[i].row, m.heap[child].row) <= 0 {
			return
		}
		m.heap[i], m.heap[child] = m.heap[child], m.heap[i]
		i = child
	}
}

// summed adds up the equal rows of a sorted stream.
type summed struct {
	in    stream
	ahead *flow
	row   flow
	begun bool
}

func (s *summed) next() (*flow, error) {
	var err error
	if !s.begun {
		s.begun = true
		if s.ahead, err = s.in.next(); err != nil {
			return nil, err
		}
	}
	if s.ahead == nil {
		return nil, nil
	}
	s.row = *s.ahead
	for {
		if s.ahead, err = s.in.next(); err != nil {
			return nil, err
		}
		if s.ahead == nil || !s.row.same(&s.ahead.key) {
			return &s.row, nil
		}
		s.row.merge(s.ahead)
	}
}
