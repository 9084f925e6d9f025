// Package template holds the CloudFormation templates of the AWS system:
// parameters -> the stacks as a reviewer reads them and as CloudFormation takes
// them, with the permissions that they give, each with its reason, and what
// they cost.
package template

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
)

//go:embed base.yaml
var base string

//go:embed ml.yaml
var ml string

// Base returns the base stack's template: YAML with its comments, above the
// 51,200 bytes that CloudFormation takes as a body, so it is given by URL.
func Base() string { return base }

// ML returns the ml stack's template: YAML with its comments.
func ML() string { return ml }

// storage is what must be there before the functions' zip, the image and the
// base template itself can be uploaded.
var storage = []string{"Key", "KeyAlias", "DataBucket", "DataBucketPolicy", "Repository"}

// Storage returns the part of the base template that holds the key, the bucket
// and the registry, as JSON that CloudFormation takes as a body. A new stack is
// made from it, then updated to Base.
func Storage() string {
	whole := parsed(base)
	part := map[string]any{
		"AWSTemplateFormatVersion": whole["AWSTemplateFormatVersion"],
		"Description":              "Picket, base stack: key, bucket and registry. The rest follows once code and image lie in them.",
	}
	pick := func(section string, names []string) {
		from, _ := whole[section].(map[string]any)
		to := map[string]any{}
		for _, name := range names {
			if v, ok := from[name]; ok {
				to[name] = v
			}
		}
		part[section] = to
	}
	pick("Resources", storage)
	pick("Outputs", []string{"DataBucket", "KmsKeyArn", "RepositoryUri"})
	part["Conditions"] = whole["Conditions"]
	conditions := uses(part, "Condition")
	pick("Conditions", conditions)
	pick("Parameters", uses(part, "Ref"))
	body, err := json.Marshal(part)
	if err != nil {
		panic(err) // a tree of our own file
	}
	return string(body)
}

// uses returns the names that a template's resources and outputs use by Ref, in
// Sub, or as the condition of a resource or an If.
func uses(part map[string]any, what string) []string {
	found := map[string]bool{}
	var walk func(v any)
	walk = func(v any) {
		switch v := v.(type) {
		case []any:
			for _, x := range v {
				walk(x)
			}
		case map[string]any:
			for k, x := range v {
				text, isText := x.(string)
				switch {
				case k == what && isText:
					found[text] = true
				case k == "Fn::If" && what == "Condition":
					found[x.([]any)[0].(string)] = true
				case k == "Fn::Sub" && what == "Ref" && isText:
					for _, m := range subName.FindAllStringSubmatch(text, -1) {
						found[m[1]] = true
					}
				}
				walk(x)
			}
		}
	}
	walk(part["Resources"])
	walk(part["Outputs"])
	if what == "Ref" {
		walk(part["Conditions"])
	}
	return sortedKeys(found)
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

// parsed reads a template of ours into maps, lists and scalars, with every short
// form such as !Ref written as CloudFormation's JSON has it.
func parsed(text string) map[string]any {
	trees.Lock()
	defer trees.Unlock()
	if t, ok := trees.of[text]; ok {
		return t
	}
	t, err := parse(text)
	if err != nil {
		panic(fmt.Sprintf("embedded template: %v", err)) // its test fails first
	}
	trees.of[text] = t
	return t
}

var trees = struct {
	sync.Mutex
	of map[string]map[string]any
}{of: map[string]map[string]any{}}

func parse(text string) (map[string]any, error) {
	file, err := parser.ParseBytes([]byte(text), 0)
	if err != nil {
		return nil, err
	}
	if len(file.Docs) != 1 {
		return nil, fmt.Errorf("%d documents", len(file.Docs))
	}
	v, err := value(file.Docs[0].Body)
	if err != nil {
		return nil, err
	}
	m, ok := v.(map[string]any)
	if !ok {
		return nil, fmt.Errorf("a template is a mapping, not a %T", v)
	}
	return m, nil
}

// value turns a YAML node into what JSON would hold.
func value(n ast.Node) (any, error) {
	switch n := n.(type) {
	case *ast.TagNode:
		return function(n)
	case *ast.MappingNode:
		return mapping(n.Values)
	case *ast.MappingValueNode:
		return mapping([]*ast.MappingValueNode{n})
	case *ast.SequenceNode:
		list := make([]any, len(n.Values))
		for i, v := range n.Values {
			var err error
			if list[i], err = value(v); err != nil {
				return nil, err
			}
		}
		return list, nil
	case *ast.LiteralNode:
		return n.Value.Value, nil
	case *ast.StringNode:
		return n.Value, nil
	case *ast.IntegerNode:
		return n.Value, nil
	case *ast.FloatNode:
		return n.Value, nil
	case *ast.BoolNode:
		return n.Value, nil
	}
	return nil, fmt.Errorf("line %d: a %s has no place in a template", n.GetToken().Position.Line, n.Type())
}

func mapping(values []*ast.MappingValueNode) (any, error) {
	m := make(map[string]any, len(values))
	for _, kv := range values {
		key, ok := kv.Key.(ast.ScalarNode)
		if !ok {
			return nil, fmt.Errorf("line %d: a key that is no scalar", kv.GetToken().Position.Line)
		}
		name := fmt.Sprint(key.GetValue())
		if _, twice := m[name]; twice {
			return nil, fmt.Errorf("line %d: %s stands there twice", kv.GetToken().Position.Line, name)
		}
		v, err := value(kv.Value)
		if err != nil {
			return nil, err
		}
		m[name] = v
	}
	return m, nil
}

// function turns a short form into CloudFormation's long form.
func function(n *ast.TagNode) (any, error) {
	v, err := value(n.Value)
	if err != nil {
		return nil, err
	}
	name := strings.TrimPrefix(n.Start.Value, "!")
	switch name {
	case "Ref", "Condition":
		return map[string]any{name: v}, nil
	case "GetAtt":
		resource, attribute, ok := strings.Cut(fmt.Sprint(v), ".")
		if !ok {
			return nil, fmt.Errorf("line %d: GetAtt without an attribute", n.Start.Position.Line)
		}
		return map[string]any{"Fn::GetAtt": []any{resource, attribute}}, nil
	}
	return map[string]any{"Fn::" + name: v}, nil
}

// Item is a resource that parameters switch on.
type Item struct{ ID, Type string }

// Resources returns what a stack would be made of, by logical id: what can be
// shown before an account has anything for a change set.
func Resources(text string, account Account, parameters map[string]string) ([]Item, error) {
	stack, err := Resolve(text, account, parameters)
	if err != nil {
		return nil, err
	}
	var all []Item
	for _, id := range sortedKeys(stack.Resources) {
		all = append(all, Item{id, stack.Resources[id].Type})
	}
	return all, nil
}
