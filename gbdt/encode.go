package gbdt

import (
	"io"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
)

// encoder writes a document: JSON or UBJSON. Keys and values alternate between
// open and close of an object; array announces how many values follow.
type encoder interface {
	object()
	endObject()
	array(n int)
	endArray()
	key(name string)
	text(s string)
	integer(n int)
	int32s(n int, at func(int) int32)
	int64s(n int, at func(int) int64)
	bytes(n int, at func(int) uint8)
	floats(n int, at func(int) float32)
	flush() error
}

// WriteJSON writes the model as XGBoost's JSON, for XGBoost 1.7 and 3.x alike.
func (m *Model) WriteJSON(w io.Writer) error {
	return m.encode(&jsonEncoder{out: out{w: w}})
}

// WriteUBJ writes the model as XGBoost's binary JSON, for XGBoost 1.7 and 3.x alike.
func (m *Model) WriteUBJ(w io.Writer) error {
	return m.encode(&ubjEncoder{out: out{w: w}})
}

// encode writes the fields that XGBoost 1.7.4 needs, in the order of 3.x. The base
// score is a scalar: 1.7.4 misreads the vector that 3.x would write.
func (m *Model) encode(e encoder) error {
	m = m.scalarBase()
	e.object()
	e.key("learner")
	e.object()
	e.key("attributes")
	e.object()
	for _, k := range slices.Sorted(maps.Keys(m.attributes)) {
		e.key(k)
		e.text(m.attributes[k])
	}
	e.endObject()
	e.key("feature_names")
	texts(e, m.names)
	e.key("feature_types")
	texts(e, m.columnTypes())
	e.key("gradient_booster")
	m.encodeTrees(e)
	e.key("learner_model_param")
	params(e, "base_score", m.scoreText(), "boost_from_average", "1", "num_class", strconv.Itoa(m.classParam()),
		"num_feature", strconv.Itoa(m.features), "num_target", "1")
	e.key("objective")
	m.encodeObjective(e)
	e.endObject()
	e.key("version")
	e.array(3)
	for _, n := range []int{1, 7, 4} { // the oldest that the file is written for
		e.integer(n)
	}
	e.endArray()
	e.endObject()
	return e.flush()
}

// scalarBase returns m, or where each class has a base score of its own a model
// with one score that has them in the leaves of the first round instead: its
// margins may differ in the last bit.
func (m *Model) scalarBase() *Model {
	if len(m.scores) == 1 || len(m.trees) == 0 {
		return m
	}
	c := m.clone()
	c.setBase([]float32{0.5})
	for i := range m.classes * m.parallel {
		t := &c.trees[i]
		t.nodes = slices.Clone(t.nodes)
		t.shift((m.base[t.class] - c.base[t.class]) / float32(m.parallel))
	}
	return c
}

// scoreText is the base score as a scalar if one will do, else as 3.1's list.
func (m *Model) scoreText() string {
	if len(m.scores) == 1 {
		return formatFloat(m.scores[0])
	}
	var list []string
	for _, s := range m.scores {
		list = append(list, formatFloat(s))
	}
	return "[" + strings.Join(list, ",") + "]"
}

// classParam is num_class as XGBoost writes it: 0 for one output.
func (m *Model) classParam() int {
	if m.classes == 1 {
		return 0
	}
	return m.classes
}

func (m *Model) encodeObjective(e encoder) {
	e.object()
	e.key("name")
	e.text(m.objective.name)
	if m.objective.multi {
		e.key("softmax_multiclass_param")
		params(e, "num_class", strconv.Itoa(m.classes))
	} else {
		e.key("reg_loss_param")
		params(e, "scale_pos_weight", "1")
	}
	e.endObject()
}

func (m *Model) encodeTrees(e encoder) {
	e.object()
	e.key("model")
	e.object()
	e.key("gbtree_model_param")
	params(e, "num_parallel_tree", strconv.Itoa(m.parallel), "num_trees", strconv.Itoa(len(m.trees)), "size_leaf_vector", "0")
	e.key("iteration_indptr")
	e.array(m.Rounds() + 1)
	for i := range m.Rounds() + 1 {
		e.integer(i * m.classes * m.parallel)
	}
	e.endArray()
	e.key("tree_info")
	e.array(len(m.trees))
	for i := range m.trees {
		e.integer(m.trees[i].class)
	}
	e.endArray()
	e.key("trees")
	e.array(len(m.trees))
	for i := range m.trees {
		m.trees[i].encode(e, i, m.features)
	}
	e.endArray()
	e.endObject()
	e.key("name")
	e.text("gbtree")
	e.endObject()
}

func (t *tree) encode(e encoder, id, features int) {
	n := len(t.nodes)
	e.object()
	floats := func(key string, of func(*node) float32) {
		e.key(key)
		e.floats(n, func(i int) float32 { return of(&t.nodes[i]) })
	}
	ints := func(key string, of func(*node) int32) {
		e.key(key)
		e.int32s(n, func(i int) int32 { return of(&t.nodes[i]) })
	}
	flags := func(key string, of func(*node) bool) {
		e.key(key)
		e.bytes(n, func(i int) uint8 { return uint8(one(of(&t.nodes[i]))) })
	}
	floats("base_weights", func(n *node) float32 { return n.weight })
	t.encodeCategories(e)
	flags("default_left", func(n *node) bool { return n.defaultLeft })
	e.key("id")
	e.integer(id)
	ints("left_children", func(n *node) int32 { return n.left })
	floats("loss_changes", func(n *node) float32 { return n.gain })
	parents := t.parents()
	e.key("parents")
	e.int32s(n, func(i int) int32 { return parents[i] })
	ints("right_children", func(n *node) int32 { return n.right })
	floats("split_conditions", func(n *node) float32 { return n.value })
	ints("split_indices", func(n *node) int32 { return n.feature })
	flags("split_type", func(n *node) bool { return n.set > 0 })
	floats("sum_hessian", func(n *node) float32 { return n.cover })
	e.key("tree_param")
	params(e, "num_deleted", "0", "num_feature", strconv.Itoa(features), "num_nodes", strconv.Itoa(n), "size_leaf_vector", "1")
	e.endObject()
}

// parents returns the parent of each node, MaxInt32 for the root.
func (t *tree) parents() []int32 {
	parents := make([]int32, len(t.nodes))
	parents[0] = math.MaxInt32
	for i := range t.nodes {
		if n := &t.nodes[i]; !n.leaf() {
			parents[n.left], parents[n.right] = int32(i), int32(i)
		}
	}
	return parents
}

// encodeCategories writes the categories that go right: all in a row, with the
// node, start and length of each set.
func (t *tree) encodeCategories(e encoder) {
	var all, nodes []int32
	var starts, sizes []int64
	for i := range t.nodes {
		n := &t.nodes[i]
		if n.set == 0 {
			continue
		}
		set := t.sets[n.set-1]
		starts, sizes = append(starts, int64(len(all))), append(sizes, int64(len(set)))
		all = append(all, set...)
		nodes = append(nodes, int32(i))
	}
	e.key("categories")
	e.int32s(len(all), func(i int) int32 { return all[i] })
	e.key("categories_nodes")
	e.int32s(len(nodes), func(i int) int32 { return nodes[i] })
	e.key("categories_segments")
	e.int64s(len(starts), func(i int) int64 { return starts[i] })
	e.key("categories_sizes")
	e.int64s(len(sizes), func(i int) int64 { return sizes[i] })
}

// columnTypes returns "c" for columns that a tree splits by category and "float"
// for others; nothing if there is none of the first.
func (m *Model) columnTypes() []string {
	var types []string
	for i := range m.trees {
		for k := range m.trees[i].nodes {
			n := &m.trees[i].nodes[k]
			if n.set == 0 {
				continue
			}
			if types == nil {
				types = slices.Repeat([]string{"float"}, m.features)
			}
			types[n.feature] = "c"
		}
	}
	return types
}

func texts(e encoder, list []string) {
	e.array(len(list))
	for _, s := range list {
		e.text(s)
	}
	e.endArray()
}

// params writes an object of texts, given as keys and values in turn.
func params(e encoder, pairs ...string) {
	e.object()
	for i := 0; i < len(pairs); i += 2 {
		e.key(pairs[i])
		e.text(pairs[i+1])
	}
	e.endObject()
}

// out gathers bytes and writes them in large pieces.
type out struct {
	w   io.Writer
	buf []byte
	err error
}

const outSize = 1 << 16

func (o *out) spill() {
	if len(o.buf) >= outSize {
		o.flush()
	}
}

func (o *out) flush() error {
	if o.err == nil {
		_, o.err = o.w.Write(o.buf)
	}
	o.buf = o.buf[:0]
	return o.err
}

// formatFloat writes x in the shortest form that reads back the same, always with
// an exponent: XGBoost tells floats from integers by it.
func formatFloat(x float32) string { return string(appendFloat(nil, x)) }

func appendFloat(b []byte, x float32) []byte {
	return strconv.AppendFloat(b, float64(x), 'E', -1, 32)
}
