package template_test

import (
	"errors"
	"slices"
	"testing"

	"picket/aws/template"
)

func TestSet(t *testing.T) {
	p := template.Defaults()
	for name, text := range map[string]string{"Scorer": "endpoint", "LagSeconds": "900", "SubnetIds": "subnet-a,subnet-b"} {
		if err := p.Set(name, text); err != nil {
			t.Errorf("Set %s: %v", name, err)
		}
	}
	if p.Scorer != "endpoint" || p.LagSeconds != 900 || !slices.Equal(p.SubnetIds, []string{"subnet-a", "subnet-b"}) {
		t.Errorf("set: %+v", p)
	}
	for name, text := range map[string]string{"Scoer": "endpoint", "LagSeconds": "soon"} {
		var r *template.Refusal
		if err := p.Set(name, text); !errors.As(err, &r) || r.Try == "" {
			t.Errorf("Set %s=%s: %v, want a refusal that says what to try", name, text, err)
		}
	}
}
