package template

import (
	"fmt"
	"reflect"
	"strconv"
	"strings"
)

// Set gives the parameter of that name a value, as CloudFormation would read it. What
// the value may be is for Check to say.
func (p *Params) Set(name, text string) error {
	f := reflect.ValueOf(p).Elem().FieldByName(name)
	if !f.IsValid() {
		return &Refusal{fmt.Sprintf("no parameter %q", name), "\"picket template\" shows them all: " + strings.Join(names(), ", ")}
	}
	if f.Kind() == reflect.Int {
		if _, err := strconv.Atoi(text); err != nil {
			return &Refusal{fmt.Sprintf("%s cannot be %q", name, text), "a number"}
		}
	}
	p.set(name, text)
	return nil
}

// names returns the names of all parameters, in the order of their declaration.
func names() []string {
	t := reflect.TypeFor[Params]()
	all := make([]string, t.NumField())
	for i := range all {
		all[i] = t.Field(i).Name
	}
	return all
}
