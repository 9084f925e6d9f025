package simulate

import (
	"bufio"
	"bytes"
	"cmp"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"picket"
)

// Account is a simulated AWS account: people, build and infrastructure tools, jobs
// and machines that call its API day after day, and intruders among them. The same
// account gives the same log, byte by byte.
type Account struct {
	Seed       uint64
	Start      time.Time // UTC midnight
	Days       int
	People     int
	Level      float64 // how busy everybody is; 1 if 0
	Intrusions []Intrusion
}

// Intrusion is one attack on an account.
type Intrusion struct {
	Kind      string        // of IntrusionKinds
	At        time.Duration // after the account's start
	AtWork    bool          // while the principal is at work, on the day of At
	Disguised bool          // comes from where the principal always comes from, with its usual tool
}

// AccountTruth says who was used for an attack, and when.
type AccountTruth struct {
	picket.Label
	Kind   string
	Tactic string
}

// RandomAccount makes an account by chance, with intrusions of the given kinds only
// (nil: none), after days enough to be known by.
func RandomAccount(seed uint64, days int, kinds []string) *Account {
	d := newDice(seed, 11)
	a := &Account{
		Seed: seed, Start: time.Date(2025, 1, 6+d.IntN(350), 0, 0, 0, 0, time.UTC), Days: days,
		People: d.count(span{2, 14}), Level: d.in(span{0.3, 1.5}),
	}
	if len(kinds) == 0 {
		return a
	}
	for range d.count(span{10, 30}) {
		day := 1 + d.IntN(days-1)
		if d.chance(0.8) && days > 8 {
			day = 7 + d.IntN(days-7)
		}
		at := time.Duration(day)*24*time.Hour + time.Duration(d.IntN(22*3600))*time.Second
		a.Intrusions = append(a.Intrusions, Intrusion{Kind: kinds[d.IntN(len(kinds))], At: at, Disguised: d.chance(0.4), AtWork: d.chance(0.5)})
	}
	return a
}

// Write writes the account's CloudTrail log as one object, events in the order of
// their times, and returns who was attacked with, the "normal" row of everybody
// first.
func (a *Account) Write(w io.Writer) ([]AccountTruth, error) {
	out := bufio.NewWriterSize(w, 1<<16)
	out.WriteString(`{"Records":[`)
	truths := a.play(func(_, n int, event []byte) {
		if n > 0 {
			out.WriteByte(',')
		}
		out.Write(event)
	})
	out.WriteString("]}\n")
	return truths, out.Flush()
}

// WriteDays is Write with an object for each day, named as CloudTrail names them.
func (a *Account) WriteDays(sink Sink) ([]AccountTruth, error) {
	logs := make([]bytes.Buffer, a.Days)
	truths := a.play(func(day, _ int, event []byte) {
		if logs[day].Len() > 0 {
			logs[day].WriteByte(',')
		}
		logs[day].Write(event)
	})
	id := newStaff(a).id
	for day := range logs {
		at := a.Start.Add(time.Duration(day) * 24 * time.Hour)
		w, err := sink(fmt.Sprintf("AWSLogs/%s/CloudTrail/us-east-1/%s/%s_CloudTrail_us-east-1_%s_day.json", id, at.Format("2006/01/02"), id, at.Format("20060102T1504Z")))
		if err != nil {
			return nil, err
		}
		_, err = fmt.Fprintf(w, "{\"Records\":[%s]}\n", logs[day].Bytes())
		if err := cmp.Or(err, w.Close()); err != nil {
			return nil, err
		}
	}
	return truths, nil
}

// play makes the events of all days, in the order of their times, and returns what
// was done.
func (a *Account) play(emit func(day, n int, event []byte)) []AccountTruth {
	s := newStaff(a)
	written := 0
	for day := range a.Days {
		s.day(day)
		slices.SortStableFunc(s.calls, func(x, y apiCall) int { return cmp.Compare(x.at, y.at) })
		for i := range s.calls {
			emit(day, written, s.event(&s.calls[i], written+1))
			written++
		}
		s.calls = s.calls[:0]
	}
	return s.truths()
}

// apiCall is one call on its way into the log.
type apiCall struct {
	at              int64 // Unix seconds
	who             *member
	service, action string
	variant         string
	denied          bool
	ip, agent       string
	region          string
	key, session    string
	login           string // "" for none, else the outcome of a console login: "Success", "Failure"
	mfa             bool
}

// readVerbs begin the names of calls that only look.
var readVerbs = []string{"Get", "List", "Describe", "Lookup", "BatchGet", "Assume", "Simulate", "Generate", "Start"}

// event writes a call as CloudTrail does.
func (s *staff) event(c *apiCall, n int) []byte {
	m := c.who
	var b bytes.Buffer
	b.WriteString(`{"eventVersion":"1.09","userIdentity":`)
	m.identity(&b, s.id, c)
	fmt.Fprintf(&b, `,"eventTime":"%s","eventSource":"%s.amazonaws.com","eventName":"%s","awsRegion":"%s","sourceIPAddress":"%s","userAgent":"%s"`,
		time.Unix(c.at, 0).UTC().Format(time.RFC3339), c.service, c.action, c.region, c.ip, c.agent)
	if c.denied {
		code := "AccessDenied"
		if c.service == "ec2" {
			code = "Client.UnauthorizedOperation"
		}
		fmt.Fprintf(&b, `,"errorCode":"%s","errorMessage":"not authorized"`, code)
	}
	s.request(&b, c)
	kind, readOnly := "AwsApiCall", true
	if c.login != "" {
		kind, readOnly = "AwsConsoleSignIn", false
		used := "No"
		if c.mfa {
			used = "Yes"
		}
		fmt.Fprintf(&b, `,"responseElements":{"ConsoleLogin":"%s"},"additionalEventData":{"MobileVersion":"No","MFAUsed":"%s"}`, c.login, used)
		if c.login == "Failure" {
			b.WriteString(`,"errorMessage":"Failed authentication"`)
		}
	} else {
		readOnly = slices.ContainsFunc(readVerbs, func(v string) bool { return strings.HasPrefix(c.action, v) })
		s.response(&b, c)
	}
	fmt.Fprintf(&b, `,"requestID":"%016x","eventID":"%016x-%d","readOnly":%t,"eventType":"%s","managementEvent":true,"recipientAccountId":"%s","eventCategory":"Management"}`,
		mix(s.seed^uint64(n)), mix(s.seed+uint64(n)), n, readOnly, kind, s.id)
	return b.Bytes()
}

// request writes the request parameters, the first variant of the call that has any.
func (s *staff) request(b *bytes.Buffer, c *apiCall) {
	text, ok := accountRequests[c.action+"@"+c.variant]
	if !ok {
		text, ok = accountRequests[c.action]
	}
	if !ok {
		b.WriteString(`,"requestParameters":null`)
		return
	}
	b.WriteString(`,"requestParameters":`)
	b.WriteString(s.fill(text, c))
}

// fill puts names into a request.
func (s *staff) fill(text string, c *apiCall) string {
	d := s.d
	return strings.NewReplacer(
		"$user", s.users[d.IntN(len(s.users))], "$self", c.who.name, "$role", s.roles[d.IntN(len(s.roles))],
		"$acct", s.id, "$foreign", s.foreign, "$partner", s.partner, "$id", fmt.Sprintf("%017x", d.Uint64()>>3), "$file", strconv.Itoa(d.IntN(60)),
	).Replace(text)
}

// response writes what the answer gives out.
func (s *staff) response(b *bytes.Buffer, c *apiCall) {
	switch {
	case c.denied:
		b.WriteString(`,"responseElements":null`)
	case c.action == "CreateAccessKey":
		s.newKey = fmt.Sprintf("AKIA%016X", s.d.Uint64())
		fmt.Fprintf(b, `,"responseElements":{"accessKey":{"accessKeyId":"%s","status":"Active"}}`, s.newKey)
	case strings.HasPrefix(c.action, "AssumeRole") || c.action == "GetFederationToken":
		fmt.Fprintf(b, `,"responseElements":{"credentials":{"accessKeyId":"ASIA%016X"}}`, s.d.Uint64())
	default:
		b.WriteString(`,"responseElements":null`)
	}
}

// identity writes who calls.
func (m *member) identity(b *bytes.Buffer, account string, c *apiCall) {
	switch m.kind {
	case "root":
		fmt.Fprintf(b, `{"type":"Root","principalId":"%s","arn":"arn:aws:iam::%s:root","accountId":"%s","accessKeyId":""}`, account, account, account)
	case "service":
		fmt.Fprintf(b, `{"type":"AWSService","invokedBy":"%s"}`, m.name)
	case "user":
		fmt.Fprintf(b, `{"type":"IAMUser","principalId":"AIDA%016X","arn":"%s","accountId":"%s","accessKeyId":"%s","userName":"%s"}`, mix(m.seed), m.arn, account, c.key, m.name)
	default:
		fmt.Fprintf(b, `{"type":"AssumedRole","principalId":"AROA%016X:%s","arn":"arn:aws:sts::%s:assumed-role/%s/%s","accountId":"%s","accessKeyId":"%s","sessionContext":{"sessionIssuer":{"type":"Role","arn":"%s","userName":"%s"},"attributes":{"mfaAuthenticated":"%t"}}}`,
			mix(m.seed), c.session, account, m.name, c.session, account, c.key, m.arn, m.name, c.mfa)
	}
}

// AccountPrincipal is somebody who works in an account, as its log has them.
type AccountPrincipal struct {
	ARN      string // as picket.Access.Principal
	Kind     string // "user", "role", "root", "service"
	Name     string
	Account  string
	Identity string // userIdentity, JSON
	IP       string // where they mostly come from
	Agent    string // and with what
	Region   string
	Machine  bool // a machine's role
}

// Principals are those who work in the account from its first day on.
func (a *Account) Principals() []AccountPrincipal {
	var all []AccountPrincipal
	s := newStaff(a)
	for _, m := range s.members {
		if m.from > 0 {
			continue
		}
		if m.kind == "role" && m.key == "" {
			m.key = "ASIA0000000000000000"
		}
		c := apiCall{key: m.key, session: m.session}
		var b bytes.Buffer
		m.identity(&b, s.id, &c)
		all = append(all, AccountPrincipal{ARN: m.arn, Kind: m.kind, Name: m.name, Account: s.id, Identity: b.String(), IP: m.ips[0], Agent: m.agents[0], Region: m.regions[0], Machine: m.machine()})
	}
	return all
}

// machine reports whether the member is a machine: the session has its id.
func (m *member) machine() bool { return len(m.session) == 19 && strings.HasPrefix(m.session, "i-") }
