package decode

import (
	"bytes"
	"encoding/json"
	"net/netip"
	"strings"

	"picket"
)

// readCloudTrail reads CloudTrail events, as S3 has them ({"Records":[…]}), as an
// array, one a line, or one alone, indented or not; also those that EventBridge
// wraps in "detail" and the LookupEvents API in "CloudTrailEvent". A line number
// is that of the event.
func readCloudTrail(d *run) error {
	return d.eachObject(d.readTrailEvent)
}

// readTrailEvent sends what one event says.
func (d *run) readTrailEvent(b []byte) error {
	var e trailEvent
	if !e.parse(b) {
		return d.drop(reasonJSON, "", b)
	}
	switch reason := e.record(&d.rec); reason {
	case "":
		return d.send(b)
	case reasonInsight:
		d.stats.Dropped[reason]++
		return nil
	default:
		return d.drop(reason, "", b)
	}
}

// trailEvent is one event: the text of what is read of it, strings without their
// quotes. Request and response are whole.
type trailEvent struct {
	time, source, name, region, address, agent, errorCode, errorMessage, id []byte
	kind, category, readOnly, account                                       []byte
	identity                                                                trailIdentity
	request, response, additional                                           []byte
}

type trailIdentity struct {
	kind, arn, principal, account, user, key, invoked, mfa []byte
}

// parse fills e from an event or from what wraps one.
func (e *trailEvent) parse(b []byte) bool {
	*e = trailEvent{}
	var inner []byte
	ok := walkObject(b, func(key, value []byte) bool {
		switch string(key) {
		case "detail":
			inner = value
		case "CloudTrailEvent":
			inner = plain(value)
		default:
			e.set(string(key), value)
		}
		return true
	})
	if ok && e.name == nil && len(inner) > 0 {
		*e = trailEvent{}
		return walkObject(inner, func(key, value []byte) bool { e.set(string(key), value); return true })
	}
	return ok
}

func (e *trailEvent) set(key string, value []byte) {
	switch key {
	case "eventTime":
		e.time = plain(value)
	case "eventSource":
		e.source = plain(value)
	case "eventName":
		e.name = plain(value)
	case "awsRegion":
		e.region = plain(value)
	case "sourceIPAddress":
		e.address = plain(value)
	case "userAgent":
		e.agent = plain(value)
	case "errorCode":
		e.errorCode = plain(value)
	case "errorMessage":
		e.errorMessage = plain(value)
	case "eventID":
		e.id = plain(value)
	case "eventType":
		e.kind = plain(value)
	case "eventCategory":
		e.category = plain(value)
	case "readOnly":
		e.readOnly = plain(value)
	case "recipientAccountId":
		e.account = plain(value)
	case "userIdentity":
		walkObject(value, e.identity.set)
	case "requestParameters":
		e.request = value
	case "responseElements":
		e.response = value
	case "additionalEventData":
		e.additional = value
	}
}

func (t *trailIdentity) set(key, value []byte) bool {
	switch string(key) {
	case "type":
		t.kind = plain(value)
	case "arn":
		t.arn = plain(value)
	case "principalId":
		t.principal = plain(value)
	case "accountId":
		t.account = plain(value)
	case "userName":
		t.user = plain(value)
	case "accessKeyId":
		t.key = plain(value)
	case "invokedBy":
		t.invoked = plain(value)
	case "sessionContext":
		t.mfa = field(field(value, "attributes"), "mfaAuthenticated")
	}
	return true
}

// field returns the value of a key of an object, strings without quotes; nil
// where there is none.
func field(object []byte, name string) (found []byte) {
	if len(object) == 0 || object[0] != '{' {
		return nil
	}
	walkObject(object, func(key, value []byte) bool {
		if string(key) == name {
			found = plain(value)
		}
		return true
	})
	return found
}

// plain returns the text of a JSON value: of a string what it says, of anything
// else the JSON itself, nil for null.
func plain(value []byte) []byte {
	if s, ok := scalar(value); ok {
		return s
	}
	if value[0] == '"' {
		var s string
		if json.Unmarshal(value, &s) == nil {
			return []byte(s)
		}
		return nil
	}
	return value
}

// record makes a record of the event; it returns why it cannot.
func (e *trailEvent) record(r *picket.Record) (reason string) {
	if e.name == nil || e.source == nil {
		if string(e.kind) == "AwsCloudTrailInsight" || string(e.category) == "Insight" {
			return reasonInsight
		}
		return reasonNoCall
	}
	at, ok := parseISO(e.time)
	if !ok {
		return reasonBadTime
	}
	if string(e.kind) == "AwsCloudTrailInsight" || string(e.category) == "Insight" {
		return reasonInsight
	}
	return e.recordAt(r, at)
}

// recordAt makes a record of an event whose time is known.
func (e *trailEvent) recordAt(r *picket.Record, at int64) (reason string) {
	if e.name == nil || e.source == nil {
		return reasonNoCall
	}
	a := &picket.Access{
		ID: text(e.id), Service: text(e.source), Action: text(e.name), Region: text(e.region), Agent: text(e.agent),
		Key: text(e.identity.key), Error: text(e.errorCode), Failed: e.errorCode != nil, Count: 1,
		MFA: string(e.identity.mfa) == "true",
	}
	a.Account = text(first(e.identity.account, e.account))
	e.identity.name(a)
	a.Write = string(e.readOnly) == "false" || e.readOnly == nil && !reads(a.Action)
	*r = picket.Record{Source: picket.SourceAccess, Opener: picket.OpenerSrc, Start: at, End: at, Access: a}
	if addr, err := netip.ParseAddr(string(e.address)); err == nil && addr.Zone() == "" {
		r.Src = addr.Unmap()
	} else {
		a.From = text(e.address)
	}
	if a.Service == "signin.amazonaws.com" {
		e.login(a)
	}
	e.params(a)
	return ""
}

func first(list ...[]byte) []byte {
	for _, b := range list {
		if len(b) > 0 {
			return b
		}
	}
	return nil
}

// login takes what a sign-in event says. MFAUsed is spelled in several ways.
func (e *trailEvent) login(a *picket.Access) {
	a.Write = false
	if bytes.EqualFold(field(e.additional, "MFAUsed"), []byte("yes")) {
		a.MFA = true
	}
	if bytes.EqualFold(field(e.response, a.Action), []byte("failure")) {
		a.Failed = true
		a.Error = text(first(e.errorCode, e.errorMessage, []byte("Failure")))
	}
}

// hiddenUser stands in a failed login at the console in place of a name that there
// is not.
const hiddenUser = "HIDDEN_DUE_TO_SECURITY_REASONS"

// name says who it was: the role for all of its sessions, the user, the account's
// root, the service.
func (t *trailIdentity) name(a *picket.Access) {
	arn := text(t.arn)
	switch string(t.kind) {
	case "Root":
		a.Kind = "root"
	case "IAMUser":
		a.Kind = "user"
	case "AssumedRole", "Role":
		a.Kind = "role"
	case "AWSService":
		a.Kind = "service"
	case "AWSAccount":
		a.Kind = "account"
	case "":
	default: // FederatedUser, SAMLUser, WebIdentityUser, Directory, IdentityCenterUser, Unknown
		a.Kind = "federated"
	}
	switch role, session, ok := sessionOf(arn); {
	case ok:
		a.Principal, a.Session = role, session
	case arn != "":
		a.Principal = arn
	case a.Kind == "root":
		a.Principal = "arn:aws:iam::" + a.Account + ":root"
	case a.Kind == "service" || len(t.invoked) > 0:
		a.Principal, a.Kind = text(first(t.invoked, t.principal)), "service"
	case string(t.user) == hiddenUser: // what was typed is no user's name, and may be a password
	case len(t.user) > 0 && a.Kind == "user":
		a.Principal = "arn:aws:iam::" + a.Account + ":user/" + text(t.user)
	default:
		a.Principal = text(first(t.user, t.principal, t.account))
	}
}

// sessionOf splits arn:aws:sts::ACCOUNT:assumed-role/ROLE/SESSION into the role's
// ARN (its path is not told) and the session.
func sessionOf(arn string) (role, session string, ok bool) {
	f := strings.SplitN(arn, ":", 6)
	if len(f) != 6 || f[2] != "sts" {
		return "", "", false
	}
	rest, ok := strings.CutPrefix(f[5], "assumed-role/")
	if !ok {
		return "", "", false
	}
	name, session, _ := strings.Cut(rest, "/")
	return f[0] + ":" + f[1] + ":iam::" + f[4] + ":role/" + name, session, true
}

// reads reports whether a call of this name only looks, by the verbs that AWS uses.
func reads(action string) bool {
	for _, verb := range []string{"Get", "List", "Describe", "Head", "Lookup", "Search", "Query", "Scan", "BatchGet", "View", "Check", "Select", "Preview", "Test", "Validate", "Simulate"} {
		if strings.HasPrefix(action, verb) {
			return true
		}
	}
	return false
}
