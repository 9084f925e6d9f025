package gbdt

import (
	"bytes"
	"fmt"
	"io"
	"math"
	"os"
	"slices"
	"strconv"
	"strings"
)

// maxModelBytes is the largest model file that Read takes.
const maxModelBytes = 1 << 29

// Read reads a model that XGBoost 1.3 to 3.x or this package saved as JSON or UBJ,
// told apart by content. Any bytes give a model or an error: links between nodes
// are checked to form trees, and memory stays within a small multiple of the
// file's size, which may be up to 512 MiB. XGBoost's old binary format, pickles,
// the boosters dart and gblinear and trees of several targets are errors that say
// what to do.
func Read(r io.Reader) (*Model, error) {
	data := bytes.NewBuffer(make([]byte, 0, bytes.MinRead+min(sizeOf(r), maxModelBytes)))
	if _, err := data.ReadFrom(io.LimitReader(r, maxModelBytes+1)); err != nil {
		return nil, fmt.Errorf("read model: %w", err)
	}
	m, err := decodeModel(data.Bytes())
	if err != nil {
		return nil, fmt.Errorf("read model: %w", err)
	}
	return m, nil
}

// sizeOf returns how many bytes r has if it is a file or says so, else 0. (Growing
// as they come took a fifth of the time to read a model.)
func sizeOf(r io.Reader) int {
	switch r := r.(type) {
	case interface{ Len() int }:
		return max(r.Len(), 0)
	case *os.File:
		if info, err := r.Stat(); err == nil && info.Mode().IsRegular() {
			return int(min(info.Size(), maxModelBytes))
		}
	}
	return 0
}

func decodeModel(data []byte) (*Model, error) {
	parse, err := sniff(data)
	if err != nil {
		return nil, err
	}
	doc, err := parse(data)
	if err != nil {
		return nil, err
	}
	return modelOf(&doc)
}

// sniff returns the parser for data.
func sniff(data []byte) (func([]byte) (value, error), error) {
	const save = `load it in XGBoost and save it with save_model("model.json")`
	body := bytes.TrimLeft(data, " \t\r\n")
	switch {
	case len(data) > maxModelBytes:
		return nil, fmt.Errorf("it is larger than %d bytes", maxModelBytes)
	case len(data) == 0:
		return nil, fmt.Errorf("it is empty")
	case bytes.HasPrefix(data, []byte("binf")) || bytes.HasPrefix(data, []byte("bs64")):
		return nil, fmt.Errorf("it is in XGBoost's old binary format: %s", save)
	case data[0] == 0x80:
		return nil, fmt.Errorf("it is a Python pickle, which is not safe to read: %s", save)
	case data[0] == 0x1f || bytes.HasPrefix(data, []byte("PK")):
		return nil, fmt.Errorf("it is compressed: unpack it first")
	case body[:min(1, len(body))] == nil || len(body) == 0 || body[0] != '{':
		return nil, fmt.Errorf("it is neither JSON nor UBJ; if it is in XGBoost's old binary format, %s", save)
	case len(data) > 2 && data[0] == '{' && strings.IndexByte("iUIlL}#$", data[1]) >= 0 && data[1] != '}':
		return parseUBJ, nil
	}
	return parseJSON, nil
}

// modelOf makes a model of a document.
func modelOf(doc *value) (*Model, error) {
	learner := doc.get("learner")
	if learner.kind != object {
		return nil, fmt.Errorf("it has no learner: it is not an XGBoost model")
	}
	booster := learner.get("gradient_booster", "name").text
	if booster != "gbtree" {
		return nil, fmt.Errorf("booster %q is not supported, only gbtree: train with booster=gbtree", booster)
	}
	m := &Model{attributes: map[string]string{}}
	for _, step := range []func(*Model, *value) error{(*Model).readShape, (*Model).readBase, (*Model).readTrees} {
		if err := step(m, learner); err != nil {
			return nil, err
		}
	}
	for _, f := range learner.get("attributes").fields {
		m.attributes[f.key] = f.value.text
	}
	for _, n := range learner.get("feature_names").list {
		m.names = append(m.names, n.text)
	}
	return m.finish(), nil
}

// readShape reads the objective and the numbers of classes and columns.
func (m *Model) readShape(learner *value) error {
	var err error
	if m.objective, err = linkByName(learner.get("objective", "name").text); err != nil {
		return err
	}
	params := learner.get("learner_model_param")
	if m.features, err = params.count("num_feature", 0, maxColumns); err != nil {
		return err
	}
	if m.classes, err = params.count("num_class", 0, maxClasses); err != nil {
		return err
	}
	m.classes = max(m.classes, 1)
	if m.objective.multi != (m.classes > 1) {
		return fmt.Errorf("objective %s with %d classes", m.objective.name, m.classes)
	}
	if targets, err := params.count("num_target", 1, 1); err != nil || targets != 1 {
		return fmt.Errorf("it has several targets: train one model for each")
	}
	return nil
}

// count reads a whole number up to most from a text field; without the field it
// is missing.
func (v *value) count(name string, missing, most int) (int, error) {
	f := v.get(name)
	if f.kind == null {
		return missing, nil
	}
	n, err := strconv.Atoi(f.text)
	if err != nil || n < 0 || n > most {
		return 0, fmt.Errorf("%s is %.20q: want a number from 0 to %d", name, f.text, most)
	}
	return n, nil
}

// readBase reads the base score: a number, or since 3.1 a list of one per class.
func (m *Model) readBase(learner *value) error {
	s := learner.get("learner_model_param", "base_score").text
	parts := strings.Split(strings.Trim(s, "[]"), ",")
	scores := make([]float32, len(parts))
	for i, part := range parts {
		x, err := strconv.ParseFloat(strings.TrimSpace(part), 32)
		if err != nil || math.IsNaN(x) || math.IsInf(x, 0) {
			return fmt.Errorf("base_score is %.40q: want a number", s)
		}
		scores[i] = float32(x)
	}
	if len(scores) != 1 && len(scores) != m.classes {
		return fmt.Errorf("base_score has %d numbers for %d classes", len(scores), m.classes)
	}
	for _, x := range scores {
		if margin := m.objective.margin(x); !finite(margin) {
			return fmt.Errorf("base_score %v has no finite margin for %s", x, m.objective.name)
		}
	}
	m.setBase(scores)
	return nil
}

// setBase sets the base score of each class, or one for all.
func (m *Model) setBase(scores []float32) {
	m.scores = scores
	m.base = make([]float32, m.classes)
	for k := range m.base {
		m.base[k] = m.objective.margin(scores[k%len(scores)])
	}
}

// readTrees reads the trees.
func (m *Model) readTrees(learner *value) error {
	gb := learner.get("gradient_booster", "model")
	trees, info := gb.get("trees"), gb.get("tree_info")
	if trees.kind != list && len(trees.numbers) > 0 {
		return fmt.Errorf("trees is not a list")
	}
	var err error
	if m.parallel, err = gb.get("gbtree_model_param").count("num_parallel_tree", 1, 1<<20); err != nil {
		return err
	}
	m.parallel = max(m.parallel, 1)
	if len(trees.list)%(m.classes*m.parallel) != 0 {
		return fmt.Errorf("%d trees are no whole number of rounds of %d", len(trees.list), m.classes*m.parallel)
	}
	if len(info.numbers) != len(trees.list) {
		return fmt.Errorf("tree_info has %d classes for %d trees", len(info.numbers), len(trees.list))
	}
	m.trees = make([]tree, len(trees.list))
	for i := range m.trees {
		class := info.numbers[i]
		if !(class >= 0 && class < float64(m.classes)) || class != math.Trunc(class) {
			return fmt.Errorf("tree %d is of class %v of %d", i, class, m.classes)
		}
		m.trees[i].class = int(class)
		if err := m.trees[i].read(&trees.list[i], m.features); err != nil {
			return fmt.Errorf("tree %d: %w", i, err)
		}
	}
	return nil
}

// columnsOf reads lists of one number per node.
func (v *value) columnsOf(names ...string) ([][]float64, error) {
	columns := make([][]float64, len(names))
	for i, name := range names {
		f := v.get(name)
		if f.kind != numbers {
			return nil, fmt.Errorf("%s is not a list of numbers", name)
		}
		if columns[i] = f.numbers; len(columns[i]) != len(columns[0]) {
			return nil, fmt.Errorf("%s has %d numbers for %d nodes", name, len(columns[i]), len(columns[0]))
		}
	}
	return columns, nil
}

// read reads a tree and checks that it is one.
func (t *tree) read(v *value, features int) error {
	if n, err := v.get("tree_param").count("size_leaf_vector", 0, 1); err != nil || n > 1 {
		return fmt.Errorf("it has several targets: train one model for each")
	}
	c, err := v.columnsOf("left_children", "right_children", "split_indices", "split_conditions", "default_left")
	if err != nil {
		return err
	}
	if len(c[0]) == 0 || len(c[0]) > math.MaxInt32 {
		return fmt.Errorf("it has %d nodes", len(c[0]))
	}
	stats, err := v.stats(len(c[0]))
	if err != nil {
		return err
	}
	t.nodes = make([]node, len(c[0]))
	for i := range t.nodes {
		n := &t.nodes[i]
		*n = node{left: -1, right: -1, value: float32(c[3][i]), gain: stats[0][i], cover: stats[1][i], weight: stats[2][i]}
		if c[0][i] == -1 {
			continue
		}
		left, right, feature := c[0][i], c[1][i], c[2][i]
		if !index(left, len(t.nodes)) || !index(right, len(t.nodes)) || !index(feature, features) {
			return fmt.Errorf("node %d has children %v and %v of %d nodes and column %v of %d", i, left, right, len(t.nodes), feature, features)
		}
		n.left, n.right, n.feature, n.defaultLeft = int32(left), int32(right), int32(feature), c[4][i] != 0
	}
	if err := t.readCategories(v); err != nil {
		return err
	}
	return t.verify()
}

// stats reads gain, cover and weight, which files may leave out.
func (v *value) stats(nodes int) ([3][]float32, error) {
	var out [3][]float32
	for i, name := range []string{"loss_changes", "sum_hessian", "base_weights"} {
		out[i] = make([]float32, nodes)
		f := v.get(name)
		if len(f.numbers) > 0 && len(f.numbers) != nodes {
			return out, fmt.Errorf("%s has %d numbers for %d nodes", name, len(f.numbers), nodes)
		}
		for k, x := range f.numbers {
			if out[i][k] = float32(x); !finite(out[i][k]) {
				return out, fmt.Errorf("%s of node %d is %v", name, k, x)
			}
		}
	}
	return out, nil
}

// index tells if x is a whole number from 0 below n.
func index(x float64, n int) bool { return x >= 0 && x < float64(n) && x == math.Trunc(x) }

// readCategories reads the sets of the nodes that split by category.
func (t *tree) readCategories(v *value) error {
	types := v.get("split_type").numbers
	if len(types) != 0 && len(types) != len(t.nodes) {
		return fmt.Errorf("split_type has %d numbers for %d nodes", len(types), len(t.nodes))
	}
	all := v.get("categories").numbers
	nodes, starts, sizes := v.get("categories_nodes").numbers, v.get("categories_segments").numbers, v.get("categories_sizes").numbers
	if len(starts) != len(nodes) || len(sizes) != len(nodes) {
		return fmt.Errorf("categories_nodes, _segments and _sizes have %d, %d and %d numbers", len(nodes), len(starts), len(sizes))
	}
	for i, id := range nodes {
		if !index(id, len(t.nodes)) || !index(starts[i], len(all)+1) || !index(sizes[i], len(all)+1-int(starts[i])) {
			return fmt.Errorf("categories of node %v: %v from %v of %d", id, sizes[i], starts[i], len(all))
		}
		set, err := setOf(all[int(starts[i]):int(starts[i]+sizes[i])])
		if err != nil {
			return fmt.Errorf("node %v: %w", id, err)
		}
		t.sets = append(t.sets, set)
		t.nodes[int(id)].set = int32(len(t.sets))
	}
	for i, kind := range types {
		n := &t.nodes[i]
		if !n.leaf() && (kind == 1) != (n.set > 0) || kind != 0 && kind != 1 {
			return fmt.Errorf("node %d has split_type %v and %d sets of categories", i, kind, min(n.set, 1))
		}
	}
	return nil
}

// setOf sorts categories.
func setOf(categories []float64) ([]int32, error) {
	set := make([]int32, len(categories))
	for i, c := range categories {
		if !index(c, 1<<24) { // what a float32 counts without gaps
			return nil, fmt.Errorf("category %v: want a whole number below %d", c, 1<<24)
		}
		set[i] = int32(c)
	}
	slices.Sort(set)
	return slices.Compact(set), nil
}

// verify checks that every node is reached once from the root, or not at all, and
// that the numbers that decide are finite.
func (t *tree) verify() error {
	seen := make([]bool, len(t.nodes))
	stack := []int32{0}
	for len(stack) > 0 {
		i := stack[len(stack)-1]
		stack = stack[:len(stack)-1]
		if seen[i] {
			return fmt.Errorf("node %d is reached twice", i)
		}
		seen[i] = true
		n := &t.nodes[i]
		if n.set == 0 && !finite(n.value) {
			return fmt.Errorf("node %d has value %v", i, n.value)
		}
		if n.leaf() {
			continue
		}
		if n.set > 0 {
			n.value = 0
		}
		stack = append(stack, n.left, n.right)
	}
	return nil
}
