package train

import (
	"fmt"
	"slices"
	"strings"

	"picket"
)

// DefaultNormal are the label values that mean normal, in any case, with or
// without KDD's trailing dot.
var DefaultNormal = []string{"normal", "benign", "0"}

// ClassOther is what classes with fewer than minKindRows rows of a table become
// when a booster is to learn from it: three rows teach no class, but together they
// teach something of malicious. On NSL-KDD's 22 classes, ten of them with fewer
// than twelve rows, pooling takes half the time and costs no AUC on Test+.
const ClassOther = "other"

// class returns the class of a label value, and whether its rows are wanted.
func (t *tableReader) class(label string) (class string, keep bool, err error) {
	if class, ok := t.names[label]; ok {
		return class, class != "", nil
	}
	clean := strings.TrimSuffix(strings.TrimSpace(label), ".")
	if clean == "" {
		return "", false, fmt.Errorf("no label in column %q", t.options.Label)
	}
	normal := t.options.Normal
	if len(normal) == 0 {
		normal = DefaultNormal
	}
	switch {
	case matches(t.options.Skip, clean):
		clean = ""
	case matches(normal, clean):
		clean = picket.ClassNormal
	}
	if t.names[strings.Clone(label)] = clean; len(t.names) > maxClasses {
		return "", false, fmt.Errorf("column %q holds more than %d different labels: is it the label?", t.options.Label, maxClasses)
	}
	return clean, clean != "", nil
}

// matches reports whether a label is one of values, in any case; numbers by value.
func matches(values []string, label string) bool {
	got, isNumber := number(label)
	for _, v := range values {
		if strings.EqualFold(strings.TrimSuffix(v, "."), label) {
			return true
		}
		if want, ok := number(v); ok && isNumber && want == got {
			return true
		}
	}
	return false
}

// poolRare renames the classes with too few rows, if there are two or more.
func poolRare(rows []string) map[string]int {
	counts := map[string]int{}
	for _, class := range rows {
		counts[class]++
	}
	for class, n := range counts {
		if n >= minKindRows || class == picket.ClassNormal || class == "" {
			delete(counts, class)
		}
	}
	if len(counts) < 2 {
		return nil
	}
	for i, class := range rows {
		if counts[class] > 0 {
			rows[i] = ClassOther
		}
	}
	return counts
}

// classesOf returns normal and then the other classes, sorted.
func classesOf(rows []string) []string {
	seen := map[string]bool{}
	for _, class := range rows {
		seen[class] = true
	}
	delete(seen, picket.ClassNormal)
	classes := []string{picket.ClassNormal}
	for class := range seen {
		if class != "" {
			classes = append(classes, class)
		}
	}
	slices.Sort(classes[1:])
	return classes
}
