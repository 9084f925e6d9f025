package gbdt

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"sync"
)

// Model is a trained ensemble of trees. It does not change once made.
type Model struct {
	objective  *link
	classes    int
	features   int
	scores     []float32 // base score: one for all classes or one for each
	base       []float32 // margin of each class before the first tree
	above      []float32 // while training: what each class adds to base in the first round
	parallel   int       // trees of one class in a round, 1 unless a forest
	trees      []tree
	attributes map[string]string
	names      []string // of the columns, or nil
	forest     *forest  // nil if the trees do not suit it
	slots      *sync.Pool
	explainers *sync.Pool
}

// link is what an objective means for predictions.
type link struct {
	name   string
	margin func(score float32) float32 // of a base score
	invert func(margins []float32)     // margins to predictions, in place
	multi  bool
}

func identity(x float32) float32 { return x }

func oneSoftmax(m []float32) { softmax(m, len(m)) }

func logMargin(x float32) float32 { return float32(logOf(float64(x))) }

// links are the objectives of the models that can be read.
var links = []link{
	{BinaryLogistic, logit, sigmoids, false},
	{MultiSoftprob, identity, oneSoftmax, true},
	{SquaredError, identity, func([]float32) {}, false},
	{"multi:softmax", identity, oneSoftmax, true},
	{"binary:logitraw", logit, func([]float32) {}, false},
	{"reg:logistic", logit, sigmoids, false},
	{"reg:squaredlogerror", identity, func([]float32) {}, false},
	{"reg:absoluteerror", identity, func([]float32) {}, false},
	{"reg:pseudohubererror", identity, func([]float32) {}, false},
	{"count:poisson", logMargin, expEach, false},
	{"reg:gamma", logMargin, expEach, false},
	{"reg:tweedie", logMargin, expEach, false},
}

func linkByName(name string) (*link, error) {
	for i := range links {
		if links[i].name == name {
			return &links[i], nil
		}
	}
	return nil, fmt.Errorf("objective %q is not supported", name)
}

// newModel returns a model of a known objective without trees.
func newModel(objective string, classes, features int, score float32) *Model {
	l, _ := linkByName(objective)
	m := &Model{objective: l, classes: classes, features: features, parallel: 1, attributes: map[string]string{}}
	m.setBase([]float32{score})
	return m
}

// clone returns a copy that can grow without changing m.
func (m *Model) clone() *Model {
	c := *m
	c.trees = slices.Clip(slices.Clone(m.trees))
	c.attributes = maps.Clone(m.attributes)
	return &c
}

// finish makes the model ready to predict.
func (m *Model) finish() *Model {
	m.forest = newForest(m.trees)
	m.slots = &sync.Pool{New: func() any { s := make([]uint32, 2*m.features); return &s }}
	weigher := sync.OnceValue(func() *weigher { return newWeigher(m) })
	m.explainers = &sync.Pool{New: func() any { return newExplainer(m, weigher()) }}
	return m
}

// shift adds x to all leaves.
func (t *tree) shift(x float32) {
	for i := range t.nodes {
		if n := &t.nodes[i]; n.leaf() {
			n.value += x
		}
	}
}

// Objective returns XGBoost's name of what the model was trained for.
func (m *Model) Objective() string { return m.objective.name }

// Classes returns the number of outputs: 1, or the number of classes.
func (m *Model) Classes() int { return m.classes }

// Features returns the number of columns.
func (m *Model) Features() int { return m.features }

// Rounds returns how many rounds the model has.
func (m *Model) Rounds() int { return len(m.trees) / (m.classes * m.parallel) }

// Attribute returns a text stored with the model, such as XGBoost's
// "best_iteration", or "".
func (m *Model) Attribute(name string) string { return m.attributes[name] }

// BestRound returns the round, from 0, with the best score of a training with
// early stopping, and the last round of any other model.
func (m *Model) BestRound() int {
	if b := m.best(); b.known {
		return b.round
	}
	return m.Rounds() - 1
}

func (m *Model) best() best {
	round, err := strconv.Atoi(m.attributes["best_iteration"])
	if err != nil || round < 0 || round >= m.Rounds() {
		return best{}
	}
	score, err := strconv.ParseFloat(m.attributes["best_score"], 64)
	return best{round, score, err == nil}
}

// Slice returns the model of rounds from to to of m, such as Slice(0, BestRound()+1).
func (m *Model) Slice(from, to int) *Model {
	c, step := m.clone(), m.classes*m.parallel
	to = max(0, min(to, m.Rounds()))
	from = max(0, min(from, to))
	c.trees = c.trees[from*step : to*step]
	return c.finish()
}

// Unstopped returns the model without what early stopping noted of its best round:
// for trees that were watched on no rows of their own.
func (m *Model) Unstopped() *Model {
	c := m.clone()
	delete(c.attributes, "best_iteration")
	delete(c.attributes, "best_score")
	return c.finish()
}

// Widen returns the model for rows of more columns, which it does not look at: XGBoost
// does not count the last columns of a CSV file or a sparse matrix in which no row has a
// value. Fewer columns than Features change nothing.
func (m *Model) Widen(columns int) *Model {
	c := m.clone()
	c.features = max(c.features, columns)
	return c.finish()
}

func sqrt(x float64) float64 { return math.Sqrt(x) }
