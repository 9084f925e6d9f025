package template

import (
	"encoding/json"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// deployerPolicy is what "picket deploy --print-policy" prints, for the tests' account.
func deployerPolicy(t *testing.T) []Statement {
	t.Helper()
	body, err := os.ReadFile("../deploy/policy.json")
	if err != nil {
		t.Fatal(err)
	}
	text := strings.NewReplacer("${AccountId}", account.ID, "${Region}", account.Region, "${Prefix}", "picket", "${Partition}", account.Partition).Replace(string(body))
	var doc map[string]any
	if err := json.Unmarshal([]byte(text), &doc); err != nil {
		t.Fatal(err)
	}
	all, err := document(doc, Identity, "deployer")
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// deployerNeeds reads testdata/deployer.tsv: actions by what needs them.
func deployerNeeds(t *testing.T) map[string][]string {
	t.Helper()
	body, err := os.ReadFile("testdata/deployer.tsv")
	if err != nil {
		t.Fatal(err)
	}
	needs := map[string][]string{}
	for line := range strings.Lines(string(body)) {
		if strings.HasPrefix(line, "#") {
			continue
		}
		f := strings.Split(strings.TrimSuffix(line, "\n"), "\t")
		if len(f) != 3 || needs[f[0]] != nil {
			t.Fatalf("not WHAT, ACTIONS, PAGE, or twice: %q", line)
		}
		needs[f[0]] = append([]string{}, strings.Fields(f[1])...)
	}
	return needs
}

// Who deploys may do what CloudFormation does in its name for the types of the
// templates, what the code of the deployment calls, and nothing else.
func TestDeployer(t *testing.T) {
	needs := deployerNeeds(t)
	what := append(types(t), operationsOf(t)...)
	what = append(what, "image push")
	for _, w := range what {
		if needs[w] == nil {
			t.Errorf("testdata/deployer.tsv has no row for %s", w)
		}
	}
	needed := map[string]bool{}
	for w, actions := range needs {
		if !slices.Contains(what, w) {
			t.Errorf("testdata/deployer.tsv: nothing does %s", w)
		}
		for _, a := range actions {
			needed[a] = true
		}
	}
	granted := map[string]bool{}
	for _, st := range deployerPolicy(t) {
		for _, a := range st.Actions {
			granted[a] = true
			if !needed[a] {
				t.Errorf("granted and not needed: %s in %s", a, st.Sid)
			}
		}
	}
	for a := range needed {
		if !granted[a] {
			t.Errorf("needed and not granted: %s", a)
		}
	}
}

// types are those that any parameters switch on.
func types(t *testing.T) []string {
	t.Helper()
	found := map[string]bool{}
	for _, p := range ways() {
		base, ml := resolved(t, p)
		for _, stack := range []*Stack{base, ml} {
			for _, res := range stack.Resources {
				found[res.Type] = true
			}
		}
	}
	return sortedKeys(found)
}

// input matches the input of an SDK operation where it is made.
var input = regexp.MustCompile(`\b([a-z0-9]+)\.([A-Z][A-Za-z0-9]+)Input\{`)

// operationsOf are the SDK operations in the sources of the deployment.
func operationsOf(t *testing.T) []string {
	t.Helper()
	found := map[string]bool{}
	var files []string
	for _, glob := range []string{"../deploy/*.go", "../s3/*.go", "../sagemaker/register.go"} {
		some, err := filepath.Glob(glob)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, some...)
	}
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		body, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range input.FindAllStringSubmatch(string(body), -1) {
			found[m[1]+"."+m[2]] = true
		}
	}
	if len(found) < 30 {
		t.Fatalf("%d operations: the walk is broken", len(found))
	}
	return sortedKeys(found)
}

// What CloudFormation does to a resource whose name is known reaches that resource.
func TestDeployerReaches(t *testing.T) {
	needs, policy := deployerNeeds(t), deployerPolicy(t)
	reached := 0
	for _, text := range []string{base, ml} {
		given := full().Base()
		if text == ml {
			given = full().ML()
			given["KmsKeyArn"] = "arn:aws:kms:us-east-1:111122223333:key/" + keyID
		}
		r := &resolver{tree: parsed(text), account: account, parameters: map[string]any{}, conditions: map[string]bool{}}
		for name, v := range given {
			r.parameters[name] = v
		}
		for id, v := range section(parsed(text), "Resources") {
			res := v.(map[string]any)
			arn, err := r.attribute(id, "Arn")
			if err != nil {
				continue // it has no name before it is made
			}
			service := strings.Split(arn.(string), ":")[2]
			for _, action := range needs[res["Type"].(string)] {
				if !strings.HasPrefix(action, service+":") {
					continue
				}
				reached++
				if !slices.ContainsFunc(policy, func(st Statement) bool {
					return slices.Contains(st.Actions, action) && slices.ContainsFunc(st.Resources, func(pattern string) bool { return reaches(pattern, arn.(string)) })
				}) {
					t.Errorf("%s does not reach %s", action, arn)
				}
			}
		}
	}
	if reached < 200 {
		t.Errorf("%d rights: the walk is broken", reached)
	}
}

// reaches matches an ARN as IAM does: a star stands for anything, slashes too.
func reaches(pattern, arn string) bool {
	arn = strings.TrimSuffix(arn, ":*") // of a log group
	slash := func(s string) string { return strings.ReplaceAll(s, "/", "\x00") }
	ok, err := path.Match(slash(pattern), slash(arn))
	return err == nil && ok
}
