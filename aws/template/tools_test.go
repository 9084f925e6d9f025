//go:build e2e

package template

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// tools is where bench/aws-tools.sh put linters and simulator; bench/e2e.sh says
// what is missing where it cannot, and leaves the TestTools out.
func tools(t *testing.T, path string) string {
	t.Helper()
	dir := os.Getenv("PICKET_PEERS")
	if dir == "" {
		t.Fatal("PICKET_PEERS is not set: run it by \"make e2e\"")
	}
	return filepath.Join(dir, path)
}

// TestToolsCannot has every question answered by an IAM simulator, which knows
// which condition keys AWS gives to which action. Then it takes out every Deny and
// every test of a condition, one at a time: some question must miss it.
func TestToolsCannot(t *testing.T) {
	known := policies(t, full())
	all := questions(t, known)
	in, err := json.Marshal(map[string]any{"policies": known, "questions": all})
	if err != nil {
		t.Fatal(err)
	}
	script, err := filepath.Abs("testdata/simulate.mjs")
	if err != nil {
		t.Fatal(err)
	}
	c := exec.Command("node", script)
	c.Dir, c.Stdin = tools(t, "iam"), bytes.NewReader(in)
	var failure bytes.Buffer
	c.Stderr = &failure
	out, err := c.Output()
	if err != nil {
		t.Fatalf("node: %v\n%s", err, failure.Bytes())
	}
	var got struct {
		Answers []string
		Tried   int
		Missed  []string
	}
	if err := json.Unmarshal(out, &got); err != nil || len(got.Answers) != len(all) {
		t.Fatalf("%v: %s", err, out)
	}
	for i, q := range all {
		if got.Answers[i] != q.Expect {
			t.Errorf("%s: %s, want %s: may %s %s %s with %v", q.Text, got.Answers[i], q.Expect, q.Principal, q.Action, q.Resource, q.Context)
		}
	}
	for _, m := range got.Missed {
		t.Errorf("no question misses %s", m)
	}
	if got.Tried < 80 {
		t.Errorf("tried %d mutants: the walk is broken", got.Tried)
	}
	t.Logf("%d questions, %d mutants", len(all), got.Tried)
}

// finding is what a linter said of a place.
type finding struct{ tool, rule, place string }

// TestToolsLint runs cfn-lint, checkov and parliament. What they find must be
// listed with a reason in testdata/lint.tsv, and what is listed must be found.
func TestToolsLint(t *testing.T) {
	var found []finding
	for _, name := range []string{"base", "ml"} {
		found = append(found, cfnLint(t, name)...)
		found = append(found, checkov(t, name)...)
	}
	found = append(found, parliament(t)...)
	body, err := os.ReadFile("testdata/lint.tsv")
	if err != nil {
		t.Fatal(err)
	}
	var listed [][]string
	for line := range strings.Lines(string(body)) {
		if f := strings.Split(strings.TrimSuffix(line, "\n"), "\t"); !strings.HasPrefix(line, "#") {
			if len(f) != 4 || f[3] == "" {
				t.Fatalf("not TOOL, RULE, PLACE, REASON: %q", line)
			}
			listed = append(listed, f)
		}
	}
	used := make([]bool, len(listed))
	for _, f := range found {
		i := slices.IndexFunc(listed, func(l []string) bool {
			return l[0] == f.tool && l[1] == f.rule && regexp.MustCompile("^(?:"+l[2]+")$").MatchString(f.place)
		})
		if i < 0 {
			t.Errorf("%s: %s at %s", f.tool, f.rule, f.place)
			continue
		}
		used[i] = true
	}
	for i, l := range listed {
		if !used[i] {
			t.Errorf("listed and not found: %v", l[:3])
		}
	}
	t.Logf("%d findings, all listed with a reason in %d lines", len(found), len(listed))
}

// run returns a tool's output; linters exit with their number of findings.
func run(t *testing.T, stdin []byte, name string, args ...string) []byte {
	t.Helper()
	c := exec.Command(name, args...)
	c.Stdin = bytes.NewReader(stdin)
	var failure bytes.Buffer
	c.Stderr = &failure
	out, err := c.Output()
	if len(out) == 0 && err != nil {
		t.Fatalf("%s: %v\n%s", name, err, failure.Bytes())
	}
	return out
}

func cfnLint(t *testing.T, name string) []finding {
	out := run(t, nil, tools(t, "awslint/cfn-lint/bin/cfn-lint"), "--regions", "us-east-1", "--format", "json", "--", name+".yaml")
	var said []struct {
		Rule     struct{ Id string }
		Message  string
		Location struct{ Path []any }
	}
	if err := json.Unmarshal(out, &said); err != nil {
		t.Fatalf("cfn-lint: %v: %s", err, out)
	}
	var all []finding
	for _, s := range said {
		place := name
		for _, p := range s.Location.Path {
			place += "/" + text(p)
		}
		all = append(all, finding{"cfn-lint", s.Rule.Id, place})
	}
	return all
}

func checkov(t *testing.T, name string) []finding {
	out := run(t, nil, tools(t, "awslint/checkov/bin/checkov"), "--file", name+".yaml", "--framework", "cloudformation", "--compact", "--quiet", "--output", "json")
	var said struct {
		Summary struct{ Passed, Failed, Parsing_errors int }
		Results struct {
			Failed_checks []struct{ Check_id, Resource string }
		}
	}
	if err := json.Unmarshal(out, &said); err != nil || said.Summary.Passed < 20 || said.Summary.Parsing_errors > 0 {
		t.Fatalf("checkov: %v: %.300s", err, out)
	}
	var all []finding
	for _, s := range said.Results.Failed_checks {
		all = append(all, finding{"checkov", s.Check_id, name + "/" + s.Resource})
	}
	return all
}

// parliament knows every action, its resources and its condition keys.
func parliament(t *testing.T) []finding {
	known := policies(t, full())
	for _, made := range []string{"everything", "raw-key", "key!", "DATA!"} { // for the questions
		delete(known, made)
	}
	in, err := json.Marshal(known)
	if err != nil {
		t.Fatal(err)
	}
	out := run(t, in, tools(t, "awslint/parliament/bin/python"), "testdata/read_policies.py")
	var said []struct{ Policy, Issue, Detail string }
	if err := json.Unmarshal(out, &said); err != nil {
		t.Fatalf("parliament: %v: %s", err, out)
	}
	var all []finding
	for _, s := range said {
		all = append(all, finding{"parliament", s.Issue, s.Policy + ": " + s.Detail})
	}
	return all
}
