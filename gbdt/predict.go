package gbdt

import "fmt"

// Margin writes the sum of the base score and the leaves, before any sigmoid or
// softmax, to out, which has Classes elements. Row has Features values, NaN where
// missing. Margins are equal to XGBoost's to the last bit.
func (m *Model) Margin(row, out []float32) {
	copy(out[:m.classes], m.base)
	m.Add(row, out)
}

// Add adds the leaves that row falls in to out: Margin from a base margin of one's
// own in the place of the base score.
func (m *Model) Add(row, out []float32) {
	row, out = row[:m.features], out[:m.classes]
	if m.forest == nil {
		m.add(row, out, 0, len(m.trees))
		return
	}
	slots := m.slots.Get().(*[]uint32)
	expand(row, *slots)
	m.forest.add(*slots, out)
	m.slots.Put(slots)
}

// Predict writes the predictions for row to out: the probability of label 1, of
// each class, or the expected value.
func (m *Model) Predict(row, out []float32) {
	m.Margin(row, out)
	m.objective.invert(out[:m.classes])
}

// Class returns the most likely class of row: of one output, 1 if its
// prediction is above one half.
func (m *Model) Class(row []float32) int {
	out := make([]float32, m.classes)
	m.Predict(row, out)
	if m.classes == 1 {
		return int(one(out[0] > 0.5))
	}
	return argmax(out)
}

// Leaves writes the number of the node that row ends at in each tree, as XGBoost's
// pred_leaf. Out has an element for each tree: those of a round stand together.
func (m *Model) Leaves(row []float32, out []int32) {
	out = out[:len(m.trees)]
	for i := range m.trees {
		out[i] = m.trees[i].find(row[:m.features])
	}
}

// Margins writes the margins of all rows of x, Classes values each, to out, from
// up to threads goroutines.
func (m *Model) Margins(x *Matrix, out []float32, threads int) error {
	return m.each(x, out, m.classes, threads, func(lo, hi int, buf, out []float32) {
		if m.forest == nil {
			for i := lo; i < hi; i++ {
				m.Margin(x.Row(i, buf), out[(i-lo)*m.classes:])
			}
			return
		}
		m.block(x, lo, hi, buf, out)
	})
}

// Predictions is Predict for all rows of x.
func (m *Model) Predictions(x *Matrix, out []float32, threads int) error {
	if err := m.Margins(x, out, threads); err != nil {
		return err
	}
	return m.each(x, out, m.classes, threads, func(lo, hi int, _, out []float32) {
		for i := range hi - lo {
			m.objective.invert(out[i*m.classes : (i+1)*m.classes])
		}
	})
}

// Explanations is Contributions for all rows of x.
func (m *Model) Explanations(x *Matrix, out []float32, threads int) error {
	width := m.classes * (m.features + 1)
	return m.each(x, out, width, threads, func(lo, hi int, _, out []float32) {
		e := m.explainers.Get().(*explainer)
		defer m.explainers.Put(e)
		bufs := make([]float32, blockRows*x.cols)
		for ; lo < hi; lo += blockRows {
			n := min(blockRows, hi-lo)
			rows := make([][]float32, n)
			for i := range rows {
				rows[i] = x.Row(lo+i, bufs[i*x.cols:][:x.cols])
			}
			e.explain(m, n, func(i int) []float32 { return rows[i] }, out[:n*width])
			out = out[n*width:]
		}
	})
}

// each calls f for spans of rows, with room for a row and where the span's width
// values a row go.
func (m *Model) each(x *Matrix, out []float32, width, threads int, f func(lo, hi int, buf, out []float32)) error {
	if err := x.check(); err != nil {
		return err
	}
	if x.cols != m.features || len(out) != x.rows*width {
		return fmt.Errorf("%d values for %d rows of %d columns: the model wants %d columns and gives %d values a row",
			len(out), x.rows, x.cols, m.features, width)
	}
	const span = 16 * blockRows
	parallel((x.rows+span-1)/span, threads, func(_, i int) {
		lo, hi := i*span, min(x.rows, (i+1)*span)
		f(lo, hi, make([]float32, x.cols), out[lo*width:hi*width])
	})
	return nil
}

// block computes the margins of rows lo to hi a block at a time.
func (m *Model) block(x *Matrix, lo, hi int, buf, out []float32) {
	slots := make([]uint32, 2*m.features*blockRows)
	for ; lo < hi; lo += blockRows {
		n := min(blockRows, hi-lo)
		for r := range n {
			expandAt(x.Row(lo+r, buf), slots, r)
			copy(out[r*m.classes:], m.base)
		}
		m.forest.addBlock(slots, n, out, m.classes)
		out = out[n*m.classes:]
	}
}

// add adds trees from to to to the margins of row.
func (m *Model) add(row, margins []float32, from, to int) {
	for i := from; i < to; i++ {
		t := &m.trees[i]
		margins[t.class] += t.nodes[t.find(row)].value
	}
}
