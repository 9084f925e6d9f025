package template

import (
	"encoding/json"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"picket/aws/record"
)

// grant is one action on one resource that a statement gives or takes, in the
// words of aws/record/calls.txt and testdata/features.tsv.
type grant struct{ owner, action, resource string }

func (g grant) String() string { return g.owner + " " + g.action + " " + g.resource }

// grants spells a statement out: every action on every resource, from every
// principal, for every prefix that may be listed.
func grants(st Statement) []grant {
	var all []grant
	for _, action := range st.Actions {
		if !st.Allow {
			action = "deny:" + action
		}
		for _, res := range spelled(st) {
			all = append(all, grant{st.Owner, action, res})
		}
	}
	return all
}

func spelled(st Statement) []string {
	resources := st.Resources
	if st.Kind == Trust {
		resources = []string{""}
	}
	var all []string
	for _, res := range resources {
		res = short(res)
		switch {
		case conditionOf(st, "s3:prefix") != nil:
			for _, prefix := range conditionOf(st, "s3:prefix") {
				all = append(all, res+"?"+prefix)
			}
		case conditionOf(st, "kms:ViaService") != nil:
			service, _, _ := strings.Cut(conditionOf(st, "kms:ViaService")[0], ".")
			all = append(all, res+" via "+service)
		case st.Kind == Attached || st.Kind == Trust:
			for _, who := range st.Principals {
				all = append(all, strings.TrimSpace(res+" from "+principal(who))+unless(st))
			}
		default:
			all = append(all, res+unless(st))
		}
	}
	return all
}

// unless names what a Deny depends on: two of them may take away the same.
func unless(st Statement) string {
	if st.Allow {
		return ""
	}
	var keys []string
	for _, c := range st.Conditions {
		if !slices.Contains(keys, c.Key) {
			keys = append(keys, c.Key)
		}
	}
	return " if " + strings.Join(keys, "+")
}

func conditionOf(st Statement, key string) []string {
	for _, c := range st.Conditions {
		if c.Key == key {
			return c.Values
		}
	}
	return nil
}

func principal(who string) string {
	who = strings.TrimPrefix(who, "Service:")
	if who == "AWS:arn:aws:iam::"+account.ID+":root" {
		return "account"
	}
	return who
}

// short cuts an ARN down to what calls.txt writes.
func short(arn string) string {
	parts := strings.SplitN(arn, ":", 6)
	if len(parts) < 6 || parts[0] != "arn" {
		return arn
	}
	name := parts[5]
	data := "picket-data-" + account.ID + "-" + account.Region
	switch {
	case parts[2] == "s3" && (name == data || strings.HasPrefix(name, data+"/")):
		return "DATA" + name[len(data):]
	case parts[2] == "s3":
		_, rest, _ := strings.Cut(name, "/")
		return strings.TrimSuffix("RAW/"+rest, "/")
	case parts[2] == "kms" && strings.Contains(name, keyID):
		return "key"
	case parts[2] == "kms":
		return "raw-key"
	case parts[2] == "securityhub":
		return "product/default"
	case parts[2] == "ecr" && parts[4] != account.ID:
		return "built-in " + name
	}
	return name
}

// features reads testdata/features.tsv: what AWS asks for, where its conditions hold.
func features(t testing.TB, p Params) []grant {
	t.Helper()
	body, err := os.ReadFile("testdata/features.tsv")
	if err != nil {
		t.Fatal(err)
	}
	var all []grant
	for line := range strings.Lines(string(body)) {
		if strings.HasPrefix(line, "#") {
			continue
		}
		f := strings.Split(strings.TrimSuffix(line, "\n"), "\t")
		if len(f) != 6 || !strings.HasPrefix(f[5], "https://docs.aws.amazon.com/") || f[4] == "" {
			t.Fatalf("not WHEN, OWNER, ACTIONS, RESOURCES, FEATURE, PAGE: %q", line)
		}
		if !holds(t, p, f[0]) {
			continue
		}
		for _, owner := range strings.Fields(f[1]) {
			for _, action := range strings.Fields(f[2]) {
				for res := range strings.SplitSeq(f[3], " | ") {
					all = append(all, grant{owner, action, res})
				}
			}
		}
	}
	return all
}

// holds reports whether all conditions hold, each a name of either template.
func holds(t testing.TB, p Params, when string) bool {
	t.Helper()
	for _, name := range strings.Fields(when) {
		name, not := strings.CutPrefix(name, "!")
		text, given := base, p.Base()
		if _, ok := section(parsed(base), "Conditions")[name]; !ok {
			text, given = ml, p.ML()
		}
		r := &resolver{tree: parsed(text), account: account, parameters: map[string]any{}, conditions: map[string]bool{}}
		for name, v := range given {
			r.parameters[name] = v
		}
		is, err := r.condition(name)
		if err != nil {
			t.Fatal(err)
		}
		if is == not {
			return false
		}
	}
	return true
}

// called are the rights that the functions' own code needs, for the parameters.
func called(t testing.TB, p Params) []grant {
	t.Helper()
	var all []grant
	for _, role := range []string{"ingest", "close", "detect", "deploy-model"} {
		needs := record.Listed(role)
		if len(needs) == 0 {
			t.Fatalf("aws/record/calls.txt has nothing of %s", role)
		}
		for _, n := range needs {
			if holds(t, p, callsWhen(n)) {
				all = append(all, grant{"picket-" + role, n.Action, n.Resource})
			}
		}
	}
	return all
}

// channels are the rights that the steps of the pipeline need to read and write
// their channels, taken from the definition that picket exports.
func channels(t testing.TB, p Params) []grant {
	t.Helper()
	body, err := os.ReadFile("../sagemaker/testdata/pipeline.golden.json")
	if err != nil {
		t.Fatal(err)
	}
	var definition struct {
		Steps []struct {
			Name, Type string
			Arguments  map[string]any
		}
	}
	if err := json.Unmarshal(body, &definition); err != nil {
		t.Fatal(err)
	}
	need := map[grant]bool{}
	outputs := map[string]any{} // what "Get" names
	for _, step := range definition.Steps {
		role := map[string]string{"Processing": "picket-processing", "Training": "picket-training"}[step.Type]
		for _, c := range uris(step.Arguments, "", nil) {
			if c.writes {
				outputs["Steps."+step.Name+".ProcessingOutputConfig.Outputs['"+c.name+"'].S3Output.S3Uri"] = c.uri
			}
			if role == "" {
				continue
			}
			folder := prefixOf(t, c.uri, outputs)
			if folder == "raw" && p.RawBucket != "" {
				need[grant{role, "s3:GetObject", "RAW/*"}] = true
				need[grant{role, "s3:ListBucket", "RAW"}] = true
				continue
			}
			if c.writes {
				need[grant{role, "s3:PutObject", "DATA/" + folder + "/*"}] = true
			}
			if c.reads {
				need[grant{role, "s3:GetObject", "DATA/" + folder + "/*"}] = true
				need[grant{role, "s3:ListBucket", "DATA?" + folder + "/*"}] = true
			}
		}
	}
	if len(need) < 8 {
		t.Fatalf("%d rights of channels: the walk is broken", len(need))
	}
	return slices.Collect(maps.Keys(need))
}

type channel struct {
	name          string
	uri           any
	reads, writes bool
}

// uris finds the places in S3 that a step's arguments name.
func uris(v any, under string, found []channel) []channel {
	switch v := v.(type) {
	case []any:
		for _, x := range v {
			found = uris(x, under, found)
		}
	case map[string]any:
		if out, ok := v["S3Output"].(map[string]any); ok {
			return append(found, channel{name: text(v["OutputName"]), uri: out["S3Uri"], writes: true})
		}
		for _, k := range sortedKeys(v) {
			switch {
			case k == "S3OutputPath":
				found = append(found, channel{uri: v[k], writes: true})
			case k == "S3Uri" && under == "CheckpointConfig":
				found = append(found, channel{uri: v[k], reads: true, writes: true})
			case k == "S3Uri":
				found = append(found, channel{uri: v[k], reads: true})
			default:
				found = uris(v[k], k, found)
			}
		}
	}
	return found
}

// prefixOf returns the prefix of the data bucket that a place is below, as a policy
// names it.
func prefixOf(t testing.TB, uri any, outputs map[string]any) string {
	t.Helper()
	m, isMap := uri.(map[string]any)
	if !isMap {
		_, key, _ := strings.Cut(strings.TrimPrefix(text(uri), "s3://"), "/")
		if strings.HasPrefix(key, "models/candidates") {
			return "models/candidates"
		}
		first, _, _ := strings.Cut(key, "/")
		return first
	}
	if name := text(m["Get"]); name == "Parameters.RawUri" {
		return "raw"
	} else if name != "" {
		out, ok := outputs[name]
		if !ok {
			t.Fatalf("no output %s before it", name)
		}
		return prefixOf(t, out, outputs)
	}
	values := m["Std:Join"].(map[string]any)["Values"].([]any)
	return prefixOf(t, values[0], outputs)
}

// needs is all that is needed.
func needs(t testing.TB, p Params) []grant {
	return slices.Concat(called(t, p), features(t, p), channels(t, p))
}

// callsWhen is when the code makes a call.
func callsWhen(n record.Need) string {
	switch {
	case strings.HasPrefix(n.Resource, "RAW"):
		return "!OwnRawBucket"
	case strings.HasPrefix(n.Resource, "DATA/raw/"):
		return "OwnRawBucket"
	case n.Action == "sagemaker:InvokeEndpoint":
		return "DetectAsks"
	case strings.HasPrefix(n.Action, "sagemaker:"), strings.HasPrefix(n.Action, "iam:"):
		return "ScoresElsewhere"
	case strings.HasPrefix(n.Action, "application-autoscaling:"), strings.HasPrefix(n.Action, "cloudwatch:"):
		return "HasInstances"
	case strings.HasPrefix(n.Action, "securityhub:"):
		return "ToSecurityHub"
	}
	return ""
}

// exceptions are granted though nothing above says that they are needed. At most ten.
var exceptions = map[grant]string{}

// faults returns what is granted and not needed, and what is needed and not granted.
func faults(needed []grant, granted []Statement) []string {
	need, have := map[grant]bool{}, map[grant]bool{}
	for _, g := range needed {
		need[g] = true
	}
	for _, st := range granted {
		if st.Kind == Network {
			continue
		}
		for _, g := range grants(st) {
			have[g] = true
		}
	}
	var wrong []string
	for g := range have {
		if _, excepted := exceptions[g]; !need[g] && !excepted {
			wrong = append(wrong, "granted and not needed: "+g.String())
		}
	}
	for g := range need {
		if !have[g] {
			wrong = append(wrong, "needed and not granted: "+g.String())
		}
	}
	slices.Sort(wrong)
	return wrong
}

// ways are parameters that between them turn every condition on and off.
func ways() map[string]Params {
	serverless := full()
	serverless.Scorer, serverless.VpcId, serverless.SubnetIds, serverless.SecurityGroupIds, serverless.RouteTableIds, serverless.VpcEndpoints = "serverless", "", nil, nil, nil, "off"
	serverless.RawBucket, serverless.RawKmsKeyArn = "", ""
	own := full()
	own.KmsKeyArn = "arn:aws:kms:us-east-1:111122223333:key/" + keyID
	return map[string]Params{"full": full(), "least": least(), "serverless": serverless, "own key": own}
}

// Granted equals needed, whatever the parameters. Needed is what the code calls
// (aws/record/calls.txt, which the code's tests check), what the pipeline's steps
// read and write (its definition), and what AWS asks for so that the templates'
// features work (testdata/features.tsv, each with its page).
func TestLeastPrivilege(t *testing.T) {
	for name, p := range ways() {
		for _, f := range faults(needs(t, p), statements(t, p)) {
			t.Errorf("%s: %s", name, f)
		}
	}
	if n := len(exceptions) + len(record.Unseen()); n > 10 {
		t.Errorf("%d exceptions", n)
	}
	for g, why := range exceptions {
		t.Logf("exception: %s: %s", g, why)
	}
	for _, line := range record.Unseen() {
		t.Logf("called, but no test is seen to: %s", line)
	}
}

// Without any one of its statements the proof fails, and with one more, too.
func TestLeastPrivilegeNotices(t *testing.T) {
	p := full()
	needed, granted := needs(t, p), statements(t, p)
	removed := 0
	for i, st := range granted {
		if st.Kind == Network {
			continue // narrows, and gives nothing; see TestNetwork
		}
		removed++
		if len(faults(needed, slices.Delete(slices.Clone(granted), i, i+1))) == 0 {
			t.Errorf("nobody misses %s of %s", st.Sid, st.Owner)
		}
	}
	if removed < 80 {
		t.Errorf("removed %d statements: the walk is broken", removed)
	}
	more := []Statement{
		{Kind: Identity, Owner: "picket-detect", Allow: true, Actions: []string{"s3:GetObject"}, Resources: []string{"arn:aws:s3:::logs-of-others/*"}},
		{Kind: Identity, Owner: "picket-training", Allow: true, Actions: []string{"s3:PutObject"}, Resources: []string{"arn:aws:s3:::picket-data-111122223333-us-east-1/findings/*"}},
		{Kind: Attached, Owner: "Key", Allow: true, Principals: []string{"Service:sns.amazonaws.com"}, Actions: []string{"kms:Decrypt"}, Resources: []string{"*"}},
		{Kind: Trust, Owner: "picket-ingest", Allow: true, Principals: []string{"AWS:arn:aws:iam::999999999999:root"}, Actions: []string{"sts:AssumeRole"}},
	}
	for _, st := range more {
		if len(faults(needed, append(slices.Clone(granted), st))) == 0 {
			t.Errorf("nobody notices %v of %s", st.Actions, st.Owner)
		}
	}
}

// What may pass a VPC endpoint is what the functions behind it need, no less and
// no more.
func TestNetwork(t *testing.T) {
	p := full()
	pass := map[string]bool{}
	for _, st := range statements(t, p) {
		if st.Kind != Network {
			continue
		}
		if conditionOf(st, "aws:PrincipalAccount") == nil && conditionOf(st, "aws:PrincipalArn") == nil {
			t.Errorf("%s: anybody may pass", st.Sid)
		}
		for _, action := range st.Actions {
			pass[action] = true
		}
	}
	for _, g := range called(t, p) {
		switch {
		case strings.HasPrefix(g.action, "iam:"), strings.HasPrefix(g.action, "cloudwatch:"):
			continue // rights, not requests of the function
		case pass[g.action]:
			continue
		}
		t.Errorf("%s cannot pass", g)
	}
	for action := range pass {
		if !slices.ContainsFunc(called(t, p), func(g grant) bool { return g.action == action }) {
			t.Errorf("%s may pass and nobody needs it", action)
		}
	}
}
