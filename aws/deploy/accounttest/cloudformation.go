package accounttest

import (
	"encoding/xml"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"reflect"
	"slices"
	"strings"

	"picket/aws/template"
)

// stack is what was deployed under a name.
type stack struct {
	name, status, text string
	parameters         map[string]string
	resources          map[string]template.Resource
	events             []event // the oldest first
}

type event struct{ id, kind, status, reason string }

func (s *stack) arn() string {
	return "arn:aws:cloudformation:eu-west-1:123456789012:stack/" + s.name + "/1"
}

func (s *stack) tell(id, kind, status, reason string) {
	s.events = append(s.events, event{id, kind, status, reason})
}

// changeSet is what would become of a stack.
type changeSet struct {
	stack, text, refused string
	parameters           map[string]string
	resources            map[string]template.Resource
	changes              []change
}

type change struct {
	action, id, kind string
	properties       []string
}

func (a *Account) cloudFormation(w http.ResponseWriter, form url.Values) {
	action, name := form.Get("Action"), stackName(form.Get("StackName"))
	s := a.stacks[name]
	switch action {
	case "DescribeStacks":
		if s == nil {
			refuse(w, "ValidationError", "Stack with id "+name+" does not exist")
			return
		}
		answer(w, action, "<Stacks><member>"+a.describe(s)+"</member></Stacks>")
	case "CreateChangeSet":
		id, err := a.plan(form, name)
		if err != nil {
			refuse(w, "ValidationError", err.Error())
			return
		}
		answer(w, action, "<Id>"+id+"</Id><StackId>"+a.stacks[name].arn()+"</StackId>")
	case "DescribeChangeSet":
		answer(w, action, a.sets[form.Get("ChangeSetName")].describe())
	case "DeleteChangeSet":
		delete(a.sets, form.Get("ChangeSetName"))
		answer(w, action, "")
	case "ExecuteChangeSet":
		a.execute(a.sets[form.Get("ChangeSetName")])
		answer(w, action, "")
	case "DeleteStack":
		if s != nil {
			a.remove(s)
		}
		answer(w, action, "")
	case "DescribeStackEvents":
		at := 0
		_, _ = fmt.Sscan(form.Get("NextToken"), &at) // the first page has none
		answer(w, action, tellPage(s, at))
	default:
		refuse(w, "InvalidAction", action)
	}
}

// stackName takes a name, or the name out of an ARN.
func stackName(given string) string {
	if parts := strings.Split(given, "/"); len(parts) == 3 {
		return parts[1]
	}
	return given
}

func (a *Account) describe(s *stack) string {
	var b strings.Builder
	fmt.Fprintf(&b, "<StackName>%s</StackName><StackId>%s</StackId><StackStatus>%s</StackStatus><CreationTime>2026-01-01T00:00:00Z</CreationTime><Parameters>", s.name, s.arn(), s.status)
	for _, k := range slices.Sorted(maps.Keys(s.parameters)) {
		fmt.Fprintf(&b, "<member><ParameterKey>%s</ParameterKey><ParameterValue>%s</ParameterValue></member>", k, escaped(s.parameters[k]))
	}
	b.WriteString("</Parameters>")
	if key := a.keyOf(s); key != "" {
		fmt.Fprintf(&b, "<Outputs><member><OutputKey>KmsKeyArn</OutputKey><OutputValue>%s</OutputValue></member></Outputs>", key)
	}
	return b.String()
}

// keyOf is the key that a stack was given or made.
func (a *Account) keyOf(s *stack) string {
	for _, r := range s.resources {
		if r.Type == "AWS::KMS::Key" {
			return "arn:aws:kms:" + a.Region + ":" + a.ID + ":key/00000000-0000-4000-8000-000000000000"
		}
	}
	return s.parameters["KmsKeyArn"]
}

// plan works out what a template with parameters changes.
func (a *Account) plan(form url.Values, name string) (string, error) {
	set := &changeSet{stack: name, text: form.Get("TemplateBody"), parameters: map[string]string{}}
	if at := form.Get("TemplateURL"); at != "" {
		u, err := url.Parse(at)
		if err != nil {
			return "", err
		}
		bucket, key, _ := strings.Cut(strings.TrimPrefix(u.Path, "/"), "/")
		body, ok := a.S3.Content(bucket, key)[key]
		if !ok {
			return "", fmt.Errorf("no template at %s", at)
		}
		set.text = string(body)
	} else if len(set.text) > 51_200 {
		return "", fmt.Errorf("template body of %d bytes", len(set.text))
	}
	for i := 1; form.Has(fmt.Sprintf("Parameters.member.%d.ParameterKey", i)); i++ {
		set.parameters[form.Get(fmt.Sprintf("Parameters.member.%d.ParameterKey", i))] = form.Get(fmt.Sprintf("Parameters.member.%d.ParameterValue", i))
	}
	resolved, err := template.Resolve(set.text, a.templates(), set.parameters)
	if err != nil {
		return "", err
	}
	set.resources = resolved.Resources
	if a.stacks[name] == nil {
		a.stacks[name] = &stack{name: name, status: "REVIEW_IN_PROGRESS"}
	}
	have := a.stacks[name]
	set.changes = changes(have.resources, set.resources)
	if len(set.changes) == 0 && have.text == set.text && maps.Equal(have.parameters, set.parameters) {
		set.refused = "The submitted information didn't contain changes. Submit different information to create a change set."
	}
	id := fmt.Sprintf("arn:aws:cloudformation:change-set/%s/%d", form.Get("ChangeSetName"), len(a.sets))
	a.sets[id] = set
	return id, nil
}

func changes(have, want map[string]template.Resource) []change {
	var all []change
	for _, id := range slices.Sorted(maps.Keys(want)) {
		now, was := want[id], have[id]
		if was.Type == "" {
			all = append(all, change{"Add", id, now.Type, nil})
			continue
		}
		var properties []string
		for name := range now.Properties {
			if !reflect.DeepEqual(now.Properties[name], was.Properties[name]) {
				properties = append(properties, name)
			}
		}
		for name := range was.Properties {
			if _, kept := now.Properties[name]; !kept {
				properties = append(properties, name)
			}
		}
		if len(properties) > 0 {
			slices.Sort(properties)
			all = append(all, change{"Modify", id, now.Type, properties})
		}
	}
	for _, id := range slices.Sorted(maps.Keys(have)) {
		if _, kept := want[id]; !kept {
			all = append(all, change{"Remove", id, have[id].Type, nil})
		}
	}
	return all
}

func (c *changeSet) describe() string {
	if c.refused != "" {
		return "<Status>FAILED</Status><StatusReason>" + escaped(c.refused) + "</StatusReason>"
	}
	var b strings.Builder
	b.WriteString("<Status>CREATE_COMPLETE</Status><Changes>")
	for _, c := range c.changes {
		fmt.Fprintf(&b, "<member><Type>Resource</Type><ResourceChange><Action>%s</Action><LogicalResourceId>%s</LogicalResourceId><ResourceType>%s</ResourceType><Details>", c.action, c.id, c.kind)
		for _, p := range c.properties {
			fmt.Fprintf(&b, "<member><Target><Attribute>Properties</Attribute><Name>%s</Name></Target></member>", p)
		}
		b.WriteString("</Details></ResourceChange></member>")
	}
	return b.String() + "</Changes>"
}

// execute carries a change set out, or puts back what was there where a resource fails.
func (a *Account) execute(c *changeSet) {
	s := a.stacks[c.stack]
	verb := "UPDATE"
	if s.text == "" {
		verb = "CREATE"
	}
	made := map[string]template.Resource{}
	for _, one := range c.changes {
		if one.action == "Remove" {
			continue
		}
		s.tell(one.id, one.kind, verb+"_IN_PROGRESS", "")
		why := a.Fail[one.id]
		if why == "" && one.action == "Add" {
			why = a.make(c.resources[one.id], c.keyARN(a))
		}
		if why != "" {
			s.tell(one.id, one.kind, verb+"_FAILED", why)
			a.rollBack(s, verb, made)
			return
		}
		if one.action == "Add" {
			made[one.id] = c.resources[one.id]
		}
		s.tell(one.id, one.kind, verb+"_COMPLETE", "")
	}
	for _, one := range c.changes {
		if one.action == "Remove" {
			a.unmake(s.resources[one.id])
			s.tell(one.id, one.kind, "DELETE_COMPLETE", "")
		}
	}
	s.text, s.parameters, s.resources, s.status = c.text, c.parameters, c.resources, verb+"_COMPLETE"
	s.tell(s.name, "AWS::CloudFormation::Stack", s.status, "")
}

func (c *changeSet) keyARN(a *Account) string {
	return a.keyOf(&stack{resources: c.resources, parameters: c.parameters})
}

func (a *Account) rollBack(s *stack, verb string, made map[string]template.Resource) {
	s.status = "UPDATE_ROLLBACK_COMPLETE"
	if verb == "CREATE" {
		s.status = "ROLLBACK_COMPLETE"
	}
	for id, r := range made {
		r.Deletion = "" // RetainExceptOnCreate: what a failed change made is taken away
		a.unmake(r)
		s.tell(id, r.Type, "DELETE_COMPLETE", "")
	}
	s.tell(s.name, "AWS::CloudFormation::Stack", s.status, "")
}

// make makes what a test can see of a resource, and says why it cannot. A bucket that
// an earlier stack left is taken over, as ImportExistingResources has it.
func (a *Account) make(r template.Resource, key string) string {
	switch name := fmt.Sprint(r.Properties["AliasName"]); r.Type {
	case "AWS::S3::Bucket":
		a.S3.Make(fmt.Sprint(r.Properties["BucketName"]), key)
	case "AWS::KMS::Alias":
		if a.names[name] {
			return name + " already exists"
		}
		a.names[name] = true
	}
	return ""
}

func (a *Account) unmake(r template.Resource) {
	if r.Type == "AWS::KMS::Alias" && r.Deletion == "" {
		delete(a.names, fmt.Sprint(r.Properties["AliasName"]))
	}
}

// remove deletes a stack but for what its template retains.
func (a *Account) remove(s *stack) {
	for _, r := range s.resources {
		a.unmake(r)
	}
	delete(a.stacks, s.name)
}

// eventPage is how many events a page has.
const eventPage = 100

// tellPage is a page of the events, the newest first.
func tellPage(s *stack, at int) string {
	if s == nil {
		return "<StackEvents></StackEvents>"
	}
	var b strings.Builder
	b.WriteString("<StackEvents>")
	end := min(at+eventPage, len(s.events))
	for i := at; i < end; i++ {
		n := len(s.events) - 1 - i
		e := s.events[n]
		fmt.Fprintf(&b, "<member><EventId>%d</EventId><StackId>%s</StackId><StackName>%s</StackName><LogicalResourceId>%s</LogicalResourceId><ResourceType>%s</ResourceType><ResourceStatus>%s</ResourceStatus><ResourceStatusReason>%s</ResourceStatusReason><Timestamp>2026-01-01T00:00:00Z</Timestamp></member>",
			n, s.arn(), s.name, e.id, e.kind, e.status, escaped(e.reason))
	}
	b.WriteString("</StackEvents>")
	if end < len(s.events) {
		fmt.Fprintf(&b, "<NextToken>%d</NextToken>", end)
	}
	return b.String()
}

func escaped(s string) string {
	var b strings.Builder
	_ = xml.EscapeText(&b, []byte(s)) // a builder takes all
	return b.String()
}

func answer(w http.ResponseWriter, action, inner string) {
	fmt.Fprintf(w, `<%sResponse xmlns="http://cloudformation.amazonaws.com/doc/2010-05-15/"><%sResult>%s</%sResult></%sResponse>`, action, action, inner, action, action)
}

func refuse(w http.ResponseWriter, code, message string) {
	w.WriteHeader(http.StatusBadRequest)
	fmt.Fprintf(w, `<ErrorResponse xmlns="http://cloudformation.amazonaws.com/doc/2010-05-15/"><Error><Type>Sender</Type><Code>%s</Code><Message>%s</Message></Error></ErrorResponse>`, code, escaped(message))
}
