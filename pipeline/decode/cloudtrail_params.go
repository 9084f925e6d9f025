package decode

import (
	"bytes"
	"encoding/json"
	"net/netip"
	"net/url"
	"slices"
	"strings"

	"picket"
)

// Keys of picket.Access.Params. They are the few things that requests and answers
// of all services say in their own ways, and that rules ask for.
const (
	paramShared = "shared" // opened to: "public" (everybody, any address) or "foreign" (another account)
	paramWith   = "with"   // the account that it was opened to
	paramAdmin  = "admin"  // "true": grants everything, by a policy of AWS or by "*" on "*"
	paramOff    = "off"    // "true": a switch in the request is set to false
	paramUser   = "user"   // the user that it was done to
	paramRole   = "role"   // the role that it was done to, or that was assumed: an ARN or a name
	paramNewKey = "newkey" // access key id that the answer gave out
	paramPolicy = "policy" // ARN or name of a policy
	paramHidden = "script" // "true": code or a script goes with it, such as an instance's user data
	paramSecret = "secret" // "true": asks for the decrypted value
)

// targetKeys name what a call is done to, the more telling first.
var targetKeys = []string{
	"userName", "roleName", "groupName", "bucketName", "secretId", "functionName", "trailName", "dBInstanceIdentifier",
	"dBSnapshotIdentifier", "snapshotId", "imageId", "volumeId", "instanceId", "groupId", "keyId", "detectorId",
	"roleArn", "policyArn", "target", "documentName", "repositoryName", "tableName", "queueUrl", "topicArn", "modelId", "name",
}

// maxDepth is how deep requests are looked into.
const maxDepth = 10

// params fills in Target and Params.
func (e *trailEvent) params(a *picket.Access) {
	w := paramWalk{access: a, account: a.Account, target: len(targetKeys)}
	if len(e.request) > 0 && e.request[0] == '{' && len(e.request) > 2 {
		w.walk(e.request, 0)
	}
	if key := first(field(field(e.response, "accessKey"), "accessKeyId"), field(field(e.response, "credentials"), "accessKeyId")); key != nil {
		w.set(paramNewKey, text(key))
	}
}

// paramWalk goes through one request.
type paramWalk struct {
	access  *picket.Access
	account string
	target  int // place of Target's key in targetKeys
}

func (w *paramWalk) set(name, value string) {
	if value == "" || w.access.Params[name] == "public" {
		return
	}
	if w.access.Params == nil {
		w.access.Params = map[string]string{}
	}
	w.access.Params[name] = value
}

func (w *paramWalk) walk(object []byte, depth int) {
	walkObject(object, func(key, value []byte) bool {
		w.see(string(key), value, depth)
		return true
	})
}

// see takes one key of the request. What is removed shares nothing.
func (w *paramWalk) see(key string, value []byte, depth int) {
	lower := strings.ToLower(key)
	switch {
	case lower == "remove" || lower == "valuestoremove" || depth > maxDepth:
		return
	case strings.HasPrefix(lower, "userdata"):
		w.set(paramHidden, "true")
	}
	switch value[0] {
	case '{':
		if isPolicyKey(lower) {
			w.policy(value)
			return
		}
		w.walk(value, depth+1)
	case '[':
		eachElement(value, func(v []byte) { w.see(key, v, depth+1) })
	case '"':
		w.text(key, lower, plain(value), depth)
	case 'f':
		if isSwitch(lower) {
			w.set(paramOff, "true")
		}
	case 't':
		if lower == "withdecryption" {
			w.set(paramSecret, "true")
		}
	}
}

// isSwitch names the settings whose false turns a guard off.
func isSwitch(lower string) bool {
	switch lower {
	case "enable", "enabled", "islogging", "includemanagementevents", "ismultiregiontrail", "includeglobalserviceevents", "enablelogfilevalidation",
		"blockpublicacls", "ignorepublicacls", "blockpublicpolicy", "restrictpublicbuckets", "deletionprotection", "mfadelete":
		return true
	}
	return false
}

func isPolicyKey(lower string) bool {
	return strings.HasSuffix(lower, "policy") || strings.HasSuffix(lower, "policydocument") || strings.HasSuffix(lower, "policytext")
}

// text takes one string of the request.
func (w *paramWalk) text(key, lower string, value []byte, depth int) {
	if i := slices.Index(targetKeys, key); i >= 0 && i < w.target {
		w.target, w.access.Target = i, text(value)
	}
	switch lower {
	case "username":
		w.set(paramUser, text(value))
	case "rolename", "rolearn":
		w.set(paramRole, text(value))
	case "policyarn", "policyname":
		w.set(paramPolicy, text(value))
		if grantsAll(value) {
			w.set(paramAdmin, "true")
		}
	case "attribute":
		if strings.EqualFold(string(value), "userData") {
			w.set(paramHidden, "true")
		}
	case "userid", "group", "groups", "principal", "valuestoadd", "accountid", "accountids", "accounts", "targetid", "sharedaccountids":
		if depth > 0 || lower != "group" && lower != "accountid" && lower != "targetid" {
			w.shared(value)
		}
	case "cidrip", "cidripv6", "cidripv4":
		if p, err := netip.ParsePrefix(string(value)); err == nil && p.Bits() == 0 {
			w.set(paramShared, "public")
		}
	case "x-amz-acl", "uri", "xsi:type":
		if v := string(value); strings.HasPrefix(v, "public-") || strings.HasSuffix(v, "/AllUsers") || strings.HasSuffix(v, "/AuthenticatedUsers") {
			w.set(paramShared, "public")
		}
	case "x-amz-grant-read", "x-amz-grant-read-acp", "x-amz-grant-write", "x-amz-grant-write-acp", "x-amz-grant-full-control":
		if v := string(value); strings.Contains(v, "/global/AllUsers") || strings.Contains(v, "/global/AuthenticatedUsers") {
			w.set(paramShared, "public")
		}
	}
	if isPolicyKey(lower) {
		w.policy(value)
	}
}

// grantsAll reports whether a policy of AWS lets its holder do anything, or give
// itself the right to.
func grantsAll(arn []byte) bool {
	for _, name := range []string{"/AdministratorAccess", "/IAMFullAccess", "/PowerUserAccess"} {
		if bytes.HasSuffix(arn, []byte(":aws:policy"+name)) {
			return true
		}
	}
	return false
}

// shared takes one who is let in: "*" and "all" are everybody, another account's
// number (alone or in an ARN) is foreign, a service of AWS is neither.
func (w *paramWalk) shared(who []byte) {
	switch s := string(who); {
	case s == "*" || s == "all" || s == "arn:aws:iam::*:root":
		w.set(paramShared, "public")
	default:
		if account := accountOf(s); account != "" && account != w.account {
			w.set(paramShared, "foreign")
			w.set(paramWith, account)
		}
	}
}

// accountOf returns the account that an ARN or a number names, "" for neither.
func accountOf(s string) string {
	if f := strings.SplitN(s, ":", 6); len(f) == 6 && f[0] == "arn" {
		s = f[4]
	}
	if len(s) != 12 || strings.Trim(s, "0123456789") != "" {
		return ""
	}
	return s
}

// statement is what is read of a statement of a policy.
type statement struct {
	Effect    string
	Principal json.RawMessage
	Action    json.RawMessage
	Resource  json.RawMessage
	Condition json.RawMessage
}

// policy takes a policy document: as an object, as JSON text, or URL-encoded.
func (w *paramWalk) policy(document []byte) {
	if len(document) > 0 && document[0] == '%' {
		if s, err := url.QueryUnescape(string(document)); err == nil {
			document = []byte(s)
		}
	}
	var doc struct{ Statement json.RawMessage }
	if json.Unmarshal(document, &doc) != nil {
		return
	}
	var list []statement
	if json.Unmarshal(doc.Statement, &list) != nil {
		var one statement
		if json.Unmarshal(doc.Statement, &one) != nil {
			return
		}
		list = []statement{one}
	}
	for _, s := range list {
		if s.Effect == "Allow" {
			w.statement(s)
		}
	}
}

func (w *paramWalk) statement(s statement) {
	if slices.Contains(texts(s.Action), "*") && slices.Contains(texts(s.Resource), "*") {
		w.set(paramAdmin, "true")
	}
	if len(s.Condition) > 2 { // who is let in is narrowed down, by what cannot be judged here
		return
	}
	for _, who := range texts(s.Principal) {
		w.shared([]byte(who))
	}
	var byKind map[string]json.RawMessage
	if json.Unmarshal(s.Principal, &byKind) == nil {
		for _, who := range texts(byKind["AWS"]) {
			w.shared([]byte(who))
		}
	}
}

// texts returns a string or an array of strings.
func texts(raw json.RawMessage) []string {
	var list []string
	if json.Unmarshal(raw, &list) == nil {
		return list
	}
	var one string
	if json.Unmarshal(raw, &one) == nil {
		return []string{one}
	}
	return nil
}

// eachElement calls visit with each element of the array b.
func eachElement(b []byte, visit func([]byte)) {
	for i := space(b, 1); i < len(b) && b[i] != ']'; {
		end := valueEnd(b, i)
		if end < 0 {
			return
		}
		visit(b[i:end])
		if i = space(b, end); i < len(b) && b[i] == ',' {
			i = space(b, i+1)
		}
	}
}
