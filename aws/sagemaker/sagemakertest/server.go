// Package sagemakertest is SageMaker's registry and endpoint at the edge of the
// network, for tests: calls of its protocol -> what AWS answers, errors included.
//
// It keeps model packages, models, configurations and one endpoint, and their tags. A
// deployment of the endpoint ends when the test says so. What it does not know it
// refuses. It runs nothing.
package sagemakertest

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
)

// Object is what a call brought, or an answer.
type Object = map[string]any

// Server answers SageMaker's and Application Auto Scaling's calls. The zero value is
// not usable; see New.
type Server struct {
	Packages map[string]Object // by ARN
	Models   map[string]Object // by name
	Configs  map[string]Object // by name
	Endpoint Object            // nil: none

	mu    sync.Mutex
	arn   string // of everything, but for its kind and name
	next  string // configuration that the endpoint is on its way to
	tags  map[string]any
	calls []string
	odd   []string
}

// New returns a server of an account's region.
func New(region, account string) *Server {
	return &Server{
		Packages: map[string]Object{}, Models: map[string]Object{}, Configs: map[string]Object{},
		arn: "arn:aws:sagemaker:" + region + ":" + account + ":", tags: map[string]any{},
	}
}

// ServeHTTP implements http.Handler.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, call, _ := strings.Cut(r.Header.Get("X-Amz-Target"), ".")
	var in Object
	body, err := io.ReadAll(r.Body)
	if err != nil || json.Unmarshal(body, &in) != nil {
		s.odd = append(s.odd, fmt.Sprintf("%s: %s, %v", call, body, err))
	}
	if !strings.HasPrefix(r.Header.Get("Authorization"), "AWS4-HMAC-SHA256 ") {
		s.odd = append(s.odd, call+" is not signed")
	}
	out, refused := s.answer(call, in)
	w.Header().Set("Content-Type", "application/x-amz-json-1.1")
	if refused != "" {
		w.WriteHeader(http.StatusBadRequest)
		out = Object{"__type": "ValidationException", "message": refused}
	} else {
		s.calls = append(s.calls, call)
	}
	_ = json.NewEncoder(w).Encode(out) // who asks has gone
}

// kind is a kind of resource that has a name and tags.
type kind struct {
	all   map[string]Object
	field string // that has the name
	arn   string // its part of an ARN
}

func (s *Server) kindOf(call string) (verb string, k kind, ok bool) {
	for name, k := range map[string]kind{
		"Model": {s.Models, "ModelName", "model/"}, "EndpointConfig": {s.Configs, "EndpointConfigName", "endpoint-config/"},
	} {
		for _, verb := range []string{"Create", "Delete", "List"} {
			if call == verb+name || call == verb+name+"s" {
				return verb, k, true
			}
		}
	}
	return "", kind{}, false
}

func (s *Server) answer(call string, in Object) (Object, string) {
	if verb, k, ok := s.kindOf(call); ok {
		return s.named(verb, k, in)
	}
	switch call {
	case "DescribeModelPackage":
		if p := s.Packages[text(in["ModelPackageName"])]; p != nil {
			return p, ""
		}
		return nil, "ModelPackage " + text(in["ModelPackageName"]) + " does not exist."
	case "ListModelPackages":
		return s.listPackages(in), ""
	case "CreateModelPackage":
		return s.createPackage(in), ""
	case "UpdateModelPackage":
		s.Packages[text(in["ModelPackageArn"])]["ModelApprovalStatus"] = in["ModelApprovalStatus"]
		return Object{"ModelPackageArn": in["ModelPackageArn"]}, ""
	case "DeleteModelPackage":
		delete(s.Packages, text(in["ModelPackageName"]))
		return Object{}, ""
	case "DescribeModelPackageGroup":
		return Object{"ModelPackageGroupName": in["ModelPackageGroupName"], "ModelPackageGroupArn": s.arn + "model-package-group/picket", "CreationTime": 1, "CreatedBy": Object{}, "ModelPackageGroupStatus": "Completed"}, ""
	case "DescribeEndpoint":
		if s.Endpoint == nil {
			return nil, "Could not find endpoint \"" + text(in["EndpointName"]) + "\"."
		}
		return s.Endpoint, ""
	case "CreateEndpoint", "UpdateEndpoint":
		return s.move(call, in)
	case "DeleteEndpoint":
		s.Endpoint = nil
		return Object{}, ""
	case "ListTags":
		return Object{"Tags": s.tags[text(in["ResourceArn"])]}, ""
	case "RegisterScalableTarget", "PutScalingPolicy":
		return Object{}, ""
	}
	s.odd = append(s.odd, "call "+call)
	return nil, "no such call"
}

// named answers a call about models or configurations.
func (s *Server) named(verb string, k kind, in Object) (Object, string) {
	name := text(in[k.field])
	switch verb {
	case "Create":
		if k.all[name] != nil {
			return nil, "Cannot create already existing " + k.field + " \"" + name + "\"."
		}
		k.all[name], s.tags[s.arn+k.arn+name] = in, in["Tags"]
	case "Delete":
		if k.all[name] == nil {
			return nil, "Could not find " + k.field + " \"" + name + "\"."
		}
		delete(k.all, name)
	case "List":
		rows := []any{}
		for _, name := range slices.Sorted(maps.Keys(k.all)) {
			if strings.Contains(name, text(in["NameContains"])) {
				rows = append(rows, Object{k.field: name, strings.TrimSuffix(k.field, "Name") + "Arn": s.arn + k.arn + name, "CreationTime": 1})
			}
		}
		return Object{strings.TrimSuffix(k.field, "Name") + "s": rows}, ""
	}
	return Object{}, ""
}

// AddPackage registers a model package of a group, as a step of a pipeline does, and
// returns its ARN.
func (s *Server) AddPackage(name, group, approval, data string, meta Object) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return text(s.createPackage(Object{
		"name": name, "ModelPackageGroupName": group, "ModelApprovalStatus": approval, "CustomerMetadataProperties": meta,
		"InferenceSpecification": Object{"Containers": []any{Object{"Image": "x", "ModelDataUrl": data}}},
	})["ModelPackageArn"])
}

func (s *Server) createPackage(in Object) Object {
	name := text(in["name"])
	if name == "" {
		name = fmt.Sprint(len(s.Packages) + 1)
	}
	delete(in, "name")
	arn := s.arn + "model-package/" + text(in["ModelPackageGroupName"]) + "/" + name
	for k, v := range map[string]any{
		"ModelPackageArn": arn, "ModelPackageName": name, "ModelPackageStatus": "Completed", "CreationTime": 1 + len(s.Packages),
		"ModelPackageStatusDetails": Object{"ValidationStatuses": []any{}},
	} {
		in[k] = v
	}
	s.Packages[arn] = in
	return Object{"ModelPackageArn": arn}
}

// listPackages lists the packages of a status, the newest first.
func (s *Server) listPackages(in Object) Object {
	all := slices.SortedFunc(maps.Values(s.Packages), func(a, b Object) int { return b["CreationTime"].(int) - a["CreationTime"].(int) })
	rows := []any{}
	for _, p := range all {
		if want := text(in["ModelApprovalStatus"]); want == "" || want == text(p["ModelApprovalStatus"]) {
			rows = append(rows, Object{"ModelPackageArn": p["ModelPackageArn"], "ModelPackageDescription": p["ModelPackageDescription"], "ModelPackageStatus": "Completed", "CreationTime": p["CreationTime"]})
		}
	}
	return Object{"ModelPackageSummaryList": rows}
}

func (s *Server) move(call string, in Object) (Object, string) {
	config, name := text(in["EndpointConfigName"]), text(in["EndpointName"])
	switch {
	case s.Configs[config] == nil:
		return nil, "Could not find endpoint configuration \"" + config + "\"."
	case call == "CreateEndpoint" && s.Endpoint != nil:
		return nil, "Cannot create already existing endpoint \"" + name + "\"."
	case call == "UpdateEndpoint" && s.Endpoint["EndpointStatus"] != "InService":
		return nil, "Cannot update in-progress endpoint \"" + name + "\"."
	}
	if call == "CreateEndpoint" {
		arn := s.arn + "endpoint/" + name
		s.Endpoint = Object{"EndpointName": name, "EndpointArn": arn, "EndpointStatus": "Creating", "EndpointConfigName": config}
		s.tags[arn] = in["Tags"]
	} else {
		s.Endpoint["EndpointStatus"] = "Updating"
	}
	s.next = config
	return Object{"EndpointArn": s.Endpoint["EndpointArn"]}, ""
}

// Finish ends the deployment under way: well, or by a rollback for a reason.
func (s *Server) Finish(why string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.Endpoint["EndpointStatus"] = "InService"
	if delete(s.Endpoint, "FailureReason"); why != "" {
		s.Endpoint["FailureReason"] = why
		return
	}
	s.Endpoint["EndpointConfigName"] = s.next
}

// Tag says what a resource is tagged with, in the place of who made it.
func (s *Server) Tag(resource, key, value string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tags[s.arn+resource] = []any{Object{"Key": key, "Value": value}}
}

// Calls returns the calls that were answered.
func (s *Server) Calls() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.calls)
}

// Count returns how many calls of a name were answered.
func (s *Server) Count(call string) (n int) {
	for _, c := range s.Calls() {
		if c == call {
			n++
		}
	}
	return n
}

// Odd returns what nobody should have asked: a call without a signature, a body that
// is no JSON, a call that this server does not know.
func (s *Server) Odd() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.odd)
}

func text(v any) string {
	s, _ := v.(string)
	return s
}
