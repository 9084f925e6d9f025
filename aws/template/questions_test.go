package template

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
)

// question is one line of testdata/questions.tsv, with ARNs in the place of words.
type question struct {
	Text           string            `json:"text"`
	Expect         string            `json:"expect"`
	Principal      string            `json:"principal"`
	Identity       []string          `json:"identity"` // names of policies
	Action         string            `json:"action"`
	Resource       string            `json:"resource"`
	Account        string            `json:"account"` // that the resource belongs to
	ResourcePolicy string            `json:"resourcePolicy,omitempty"`
	Context        map[string]string `json:"context"`
}

const dataBucket = "picket-data-111122223333-us-east-1"

// questions reads testdata/questions.tsv; known are the names of the policies.
func questions(t testing.TB, known map[string]any) []question {
	t.Helper()
	body, err := os.ReadFile("testdata/questions.tsv")
	if err != nil {
		t.Fatal(err)
	}
	var all []question
	for line := range strings.Lines(string(body)) {
		if strings.HasPrefix(line, "#") {
			continue
		}
		f := strings.Split(strings.TrimSuffix(line, "\n"), "\t")
		if len(f) != 7 || f[1] != "yes" && f[1] != "no" || f[6] == "" {
			t.Fatalf("not FOR, EXPECT, WHO, ACTION, RESOURCE, CONTEXT, QUESTION: %q", line)
		}
		each := strings.Fields(f[0])
		if len(each) == 0 {
			each = []string{""}
		}
		for _, value := range each {
			var g [7]string
			for i := range f {
				g[i] = strings.ReplaceAll(f[i], "@", value)
			}
			if value != "" {
				g[6] = f[6] + " (" + value + ")"
			}
			all = append(all, ask(t, g, known))
		}
	}
	return all
}

func ask(t testing.TB, f [7]string, known map[string]any) question {
	q := question{Text: f[6], Expect: f[1], Action: f[3], Resource: arnOf(f[4]), Account: account.ID, Context: map[string]string{"aws:SecureTransport": "true"}, Identity: []string{}}
	who := f[2]
	own := account.ID
	service, isService := strings.CutPrefix(who, "svc:")
	switch {
	case isService:
		q.Principal = service + ".amazonaws.com"
		q.Context["aws:PrincipalIsAWSService"] = "true"
	case who == "stranger":
		own = "999999999999"
		q.Principal = "arn:aws:iam::" + own + ":role/stranger"
		q.Identity = []string{"everything"}
	case who == "admin":
		q.Principal = "arn:aws:iam::" + own + ":role/admin"
		q.Identity = []string{"everything"}
	default:
		q.Principal = "arn:aws:iam::" + own + ":role/picket-" + who
		if _, ok := known["picket-"+who]; !ok {
			t.Fatalf("%s: no role picket-%s", f[6], who)
		}
		q.Identity = []string{"picket-" + who}
	}
	if !isService {
		q.Context["aws:PrincipalAccount"] = own
		q.Context["aws:PrincipalIsAWSService"] = "false"
		q.Context["kms:CallerAccount"] = own
	}
	for pair := range strings.SplitSeq(f[5], ";") {
		if key, v, ok := strings.Cut(pair, "="); ok {
			q.Context[key] = strings.ReplaceAll(v, "KEY", "arn:aws:kms:us-east-1:111122223333:key/"+keyID)
		}
	}
	if name := policyOf(f[4], f[3]); name != "" {
		if _, ok := known[name]; ok {
			q.ResourcePolicy = name
		}
	}
	return q
}

// arnOf turns a word of the file into an ARN.
func arnOf(word string) string {
	word = strings.Replace(word, "!", "", 1)
	switch {
	case word == "key":
		return "arn:aws:kms:us-east-1:111122223333:key/" + keyID
	case word == "raw-key":
		return "arn:aws:kms:us-east-1:111122223333:key/11111111-1111-4111-8111-111111111111"
	case strings.HasPrefix(word, "DATA"):
		return "arn:aws:s3:::" + dataBucket + word[4:]
	case strings.HasPrefix(word, "RAW"):
		return "arn:aws:s3:::logs-of-others" + word[3:]
	case word == "*":
		return word
	}
	service, name, _ := strings.Cut(word, ":")
	switch service {
	case "s3":
		return "arn:aws:s3:" + name
	case "iam":
		return "arn:aws:iam::" + account.ID + ":" + name
	}
	return "arn:aws:" + service + ":" + account.Region + ":" + account.ID + ":" + name
}

// policyOf names the policy of a resource.
func policyOf(word, action string) string {
	switch {
	case strings.HasPrefix(word, "DATA!"):
		return "DATA!"
	case strings.HasPrefix(word, "DATA"):
		return "DATA"
	case action == "sts:AssumeRole":
		return "trust of " + strings.TrimPrefix(word, "iam:role/")
	}
	return word
}

// policies are the documents of the stacks by name: those of a role together under
// its name, its trust policy, and those of the bucket, the key, queues, topic and
// functions under the word of the questions' file.
func policies(t testing.TB, p Params) map[string]any {
	t.Helper()
	all := map[string]any{}
	add := func(name string, doc any) {
		statements := anyList(doc.(map[string]any)["Statement"])
		if have, ok := all[name].(map[string]any); ok {
			statements = append(slices.Clone(anyList(have["Statement"])), statements...)
		}
		all[name] = map[string]any{"Version": "2012-10-17", "Statement": statements}
	}
	base, ml := resolved(t, p)
	for _, stack := range []*Stack{base, ml} {
		for _, id := range sortedKeys(stack.Resources) {
			r := stack.Resources[id].Properties
			switch stack.Resources[id].Type {
			case "AWS::IAM::Role":
				name := text(r["RoleName"])
				add("trust of "+name, r["AssumeRolePolicyDocument"])
				for _, policy := range anyList(r["Policies"]) {
					add(name, policy.(map[string]any)["PolicyDocument"])
				}
				for _, arn := range texts(r["ManagedPolicyArns"]) {
					for _, other := range stack.Resources {
						if other.Type == "AWS::IAM::ManagedPolicy" && strings.HasSuffix(arn, "/"+text(other.Properties["ManagedPolicyName"])) {
							add(name, other.Properties["PolicyDocument"])
						}
					}
				}
			case "AWS::KMS::Key":
				add("key", r["KeyPolicy"])
			case "AWS::S3::BucketPolicy":
				add("DATA", r["PolicyDocument"])
			case "AWS::SQS::QueuePolicy":
				for _, queue := range texts(r["Queues"]) {
					add("sqs:"+queue, r["PolicyDocument"])
				}
			case "AWS::SNS::TopicPolicy":
				add("sns:picket-alarms", r["PolicyDocument"])
			case "AWS::Lambda::Permission":
				add("lambda:function:"+text(r["FunctionName"]), map[string]any{"Statement": []any{map[string]any{
					"Sid": id, "Effect": "Allow", "Principal": map[string]any{"Service": r["Principal"]}, "Action": r["Action"], "Resource": arnOf("lambda:function:" + text(r["FunctionName"])),
					"Condition": map[string]any{"ArnLike": map[string]any{"aws:SourceArn": r["SourceArn"]}, "StringEquals": map[string]any{"aws:SourceAccount": r["SourceAccount"]}},
				}}})
			}
		}
	}
	everybody := map[string]any{"Sid": "Open", "Effect": "Allow", "Principal": "*", "Action": "*", "Resource": "*"}
	add("DATA!", map[string]any{"Statement": []any{everybody}})
	add("DATA!", all["DATA"])
	add("key!", map[string]any{"Statement": []any{map[string]any{"Sid": "Default", "Effect": "Allow", "Principal": map[string]any{"AWS": "arn:aws:iam::111122223333:root"}, "Action": "kms:*", "Resource": "*"}}})
	all["everything"] = map[string]any{"Version": "2012-10-17", "Statement": []any{map[string]any{"Sid": "Everything", "Effect": "Allow", "Action": "*", "Resource": "*"}}}
	all["raw-key"] = all["key!"]
	return all
}

// The file of questions is well formed and asks of every role and every kind of
// resource; "make e2e" has them answered.
func TestQuestions(t *testing.T) {
	known := policies(t, full())
	all := questions(t, known)
	asked := map[string]bool{}
	no := 0
	for _, q := range all {
		for _, name := range q.Identity {
			asked[name] = true
		}
		asked[q.ResourcePolicy] = true
		if q.Expect == "no" {
			no++
		}
	}
	if len(all) < 40 || no < 40 {
		t.Errorf("%d questions, %d of them answered no", len(all), no)
	}
	for name := range known {
		if !asked[name] {
			t.Errorf("no question about %s", name)
		}
	}
	if t.Failed() {
		fmt.Println(sortedKeys(known))
	}
}
