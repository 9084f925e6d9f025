package deploy

import (
	"encoding/json"
	"strings"
	"testing"
)

// TestPolicy: what --print-policy prints is a policy that IAM takes inline on a role
// (10,240 characters), with no action that is not spelled out and a resource of any name
// only where AWS knows no narrower.
func TestPolicy(t *testing.T) {
	text := Names{Prefix: "picket", Account: "123456789012", Region: "ap-southeast-1", Partition: "aws"}.Policy()
	if strings.Contains(text, "${") {
		t.Error("a placeholder is left")
	}
	var p struct {
		Statement []struct {
			Sid, Effect      string
			Action, Resource any
		}
	}
	if err := json.Unmarshal([]byte(text), &p); err != nil {
		t.Fatal(err)
	}
	if flat, _ := json.Marshal(json.RawMessage(text)); len(flat) > 10_240 {
		t.Errorf("%d characters", len(flat))
	}
	wide := map[string]bool{"NewKey": true, "Sources": true, "Look": true}
	for _, s := range p.Statement {
		body, _ := json.Marshal(s.Action)
		if strings.Contains(string(body), "*") {
			t.Errorf("%s: an action with a star: %s", s.Sid, body)
		}
		if s.Resource == "*" != wide[s.Sid] {
			t.Errorf("%s: resource %v", s.Sid, s.Resource)
		}
	}
}
