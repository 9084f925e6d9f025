package simulate

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"picket"
)

// staff is everybody of an account.
type staff struct {
	*Account
	d                    dice
	seed                 uint64
	id, foreign, partner string
	users, roles         []string
	members              []*member
	regions              []string
	calls                []apiCall
	told                 []AccountTruth
	newKey               string
}

// member is a person, a tool, a job or a machine.
type member struct {
	kind, name, arn string
	seed            uint64
	d               dice
	from, until     int     // days
	hours           [2]int  // UTC, of work; equal: around the clock
	weekends        float64 // chance to work on one
	ips             []string
	agents          []string
	regions         []string
	key             string
	session         string
	roams           bool // another address every time
	mfa             bool
	jobs            []job
}

// job is something that a member does again and again.
type job struct {
	perDay float64 // runs on a day of work
	gap    span    // seconds between calls
	agent  string  // "" is the member's own
	steps  string  // see play
}

// habits of people. A step is service:Action[@variant][*lo-hi][!], "look:a,b*lo-hi"
// is that many reads of those services, "login" a login at the console. "!" is
// refused.
var (
	consoleJobs = []job{
		{1.2, span{0.3, 4}, "browser", "login look:ec2,monitoring,logs*8-40 ce:GetCostAndUsage*0-2!"},
		{1.5, span{0.3, 6}, "browser", "look:lambda,logs,dynamodb*5-30"},
		{0.8, span{0.3, 6}, "browser", "look:rds,s3,iam*4-25 organizations:DescribeOrganization*0-3!"},
		{0.4, span{0.2, 3}, "browser", "look:ecs,ecr,elasticloadbalancing*6-30 ecs:UpdateService*0-2"},
	}
	shellJobs = []job{
		{1.5, span{2, 60}, "", "sts:GetCallerIdentity look:ec2,s3,logs*2-15"},
		{0.5, span{2, 90}, "", "secretsmanager:GetSecretValue*1-2"},
		{0.4, span{2, 90}, "", "look:ssm*1-2 ssm:StartSession*1-3"},
		{0.15, span{2, 90}, "", "ec2:StopInstances*1-2 ec2:StartInstances*1-2"},
		{0.2, span{5, 90}, "", "ssm:GetParameter*1-4"},
		{0.08, span{5, 90}, "", "logs:DeleteLogGroup*1-3"},
	}
	adminJobs = []job{
		{0.25, span{5, 90}, "browser", "look:iam*4-20 iam:CreateUser iam:AddUserToGroup iam:CreateLoginProfile"},
		{0.2, span{5, 90}, "browser", "look:iam*3-12 iam:UpdateLoginProfile*1-1"},
		{0.12, span{5, 90}, "browser", "look:iam*3-12 iam:DeactivateMFADevice"},
		{0.15, span{5, 60}, "", "look:iam*1-5 iam:CreateAccessKey*1-1"},
		{0.1, span{5, 60}, "", "look:iam*1-5 iam:AttachUserPolicy*1-2"},
		{0.15, span{5, 60}, "", "look:ec2*1-5 ec2:AuthorizeSecurityGroupIngress*1-2"},
		{0.05, span{5, 60}, "", "look:ec2*1-3 ec2:ModifyInstanceAttribute*1-1"},
		{0.04, span{5, 60}, "browser", "look:cloudtrail*2-6 cloudtrail:PutEventSelectors*1-1"},
		{0.03, span{5, 60}, "", "look:ec2*1-3 ec2:ModifyImageAttribute@partner"},
		{0.03, span{5, 60}, "", "look:iam*1-3 iam:AttachRolePolicy@admin"},
		{0.03, span{5, 60}, "", "look:ec2*1-3 ec2:DeleteFlowLogs"},
		{0.03, span{5, 60}, "browser", "look:s3*3-8 s3:PutBucketPolicy@partner*1-1"},
		{0.04, span{5, 60}, "", "look:rds*1-3 rds:DeleteDBSnapshot*1-3"},
		{0.05, span{5, 60}, "", "sts:AssumeRole*1-1"},
	}
	onCallJobs = []job{
		{0.5, span{5, 120}, "", "look:ssm,ec2*1-6 ssm:SendCommand@patch*1-4"},
		{0.3, span{5, 120}, "", "look:ec2*1-2 ec2-instance-connect:SendSSHPublicKey*1-1"},
		{0.15, span{5, 120}, "", "look:ecs*1-4 ecs:ExecuteCommand*1-1"},
		{0.1, span{5, 120}, "", "ssm:SendCommand*1-2 ssm:GetCommandInvocation*1-3"},
	}
	analystJobs = []job{
		{4, span{2, 60}, "", "athena:StartQueryExecution*1-3 athena:GetQueryExecution*2-8 look:glue*0-3"},
		{1, span{2, 60}, "", "bedrock:InvokeModel*1-8"},
		{0.5, span{2, 60}, "", "redshift:GetClusterCredentials*1-1"},
	}
	buildJobs = []job{
		{10, span{0.5, 15}, "", "sts:GetCallerIdentity ecr:GetAuthorizationToken ecr:PutImage*1-3 ecs:RegisterTaskDefinition ecs:UpdateService*1-2 look:ecs*2-8"},
		{4, span{0.5, 15}, "", "lambda:UpdateFunctionCode20150331v2*1-3 lambda:UpdateFunctionConfiguration20150331v2*0-2 look:lambda*1-4"},
		{2, span{0.5, 15}, "", "look:cloudformation*2-8 cloudformation:CreateChangeSet*1-1 cloudformation:ExecuteChangeSet*1-1"},
		{1, span{0.5, 15}, "", "ssm:GetParameters*1-4 secretsmanager:GetSecretValue*0-2"},
	}
	terraformJobs = []job{
		{5, span{0.05, 0.6}, "", "sts:GetCallerIdentity look:ec2,iam,s3,rds,lambda,kms,route53,logs*60-400"},
		{1.5, span{0.05, 1.5}, "", "sts:GetCallerIdentity look:ec2,iam,s3,lambda*40-200 iam:CreateRole*0-1 iam:PutRolePolicy*0-3 iam:AttachRolePolicy*0-2 ec2:AuthorizeSecurityGroupIngress*0-3 s3:PutBucketPolicy*0-1 s3:PutBucketPublicAccessBlock*0-1"},
		{0.3, span{0.05, 1.5}, "", "look:ec2,iam,lambda*40-200 ec2:AuthorizeSecurityGroupIngress@web iam:CreatePolicyVersion*0-2 iam:UpdateAssumeRolePolicy*0-1 lambda:AddPermission20150331v2*0-2 lambda:CreateFunction20150331*0-1 ec2:RunInstances*0-2"},
		{0.12, span{0.05, 1.5}, "", "look:ec2,logs,rds*40-120 ec2:TerminateInstances*0-3 logs:DeleteLogGroup*0-4 ec2:DeleteFlowLogs*0-1 s3:DeleteBucket*0-1 monitoring:DeleteAlarms*0-3 kms:ScheduleKeyDeletion*0-1"},
	}
	rotationJobs = []job{
		{1, span{1, 4}, "", "iam:ListUsers iam:ListAccessKeys*5-20 iam:CreateAccessKey*1-4 secretsmanager:PutSecretValue*1-4 iam:UpdateAccessKey*1-4 iam:DeleteAccessKey*1-4"},
	}
	backupJobs = []job{
		{2, span{0.3, 3}, "", "look:ec2,rds*3-8 ec2:CreateSnapshot*3-15 ec2:ModifySnapshotAttribute@partner*1-6 ec2:DeleteSnapshot*2-12 rds:CreateDBSnapshot*1-3 rds:ModifyDBSnapshotAttribute@partner*0-2"},
	}
	inventoryJobs = []job{
		{3, span{0.02, 0.2}, "", "look:ec2,iam,s3,lambda,rds,logs,kms,cloudtrail,guardduty,config,sqs,sns,dynamodb,ecs,ecr,organizations,servicequotas*150-700 iam:GetAccountAuthorizationDetails iam:GenerateCredentialReport iam:GetCredentialReport s3:GetBucketPolicy*0-25! kms:GetKeyPolicy*0-12!"},
	}
	machineJobs = []job{
		{30, span{0.5, 30}, "", "kms:Decrypt*1-4"},
		{12, span{0.5, 30}, "", "ssm:GetParameter*0-2 sts:GetCallerIdentity*0-1 dynamodb:DescribeTable*0-2"},
		{4, span{0.5, 30}, "", "secretsmanager:GetSecretValue*1-3"},
		{1, span{0.5, 30}, "", "ec2:DescribeTags*0-2 s3:GetBucketLocation*0-1!"},
	}
	functionJobs = []job{
		{40, span{0.5, 30}, "", "logs:CreateLogStream*0-1 dynamodb:DescribeTable*0-1 kms:Decrypt*0-2"},
		{5, span{0.5, 30}, "", "secretsmanager:GetSecretValue*0-2 sqs:GetQueueAttributes*0-2"},
		{1, span{0.5, 30}, "", "sts:AssumeRole*1-1 bedrock:InvokeModel*0-4"},
	}
	serviceJobs = []job{
		{12, span{1, 60}, "", "ec2:RunInstances*0-2 ec2:TerminateInstances*0-2 look:elasticloadbalancing*1-3"},
		{6, span{1, 60}, "", "sts:AssumeRole*1-3"},
	}
)

var accountAgents = map[string][]string{
	"people":  {"aws-cli/2.15.30 md/awscrt#0.19.19 ua/2.0 os/macos#23.4.0 lang/python#3.11.8", "aws-cli/2.17.1 os/linux#6.5 lang/python#3.12.4", "aws-cli/1.32.0 Python/3.10.12 Linux/5.15 botocore/1.34.0", "Boto3/1.34.51 md/Botocore#1.34.51 os/linux"},
	"build":   {"aws-sdk-nodejs/2.1563.0 linux/v18.19.1", "aws-cli/2.15.30 exec-env/CodeBuild", "aws-sdk-js/3.523.0 os/linux"},
	"program": {"aws-sdk-java/2.25.1 Linux/5.10 OpenJDK_64-Bit", "Boto3/1.34.51 md/Botocore#1.34.51", "aws-sdk-go-v2/1.25.2 os/linux lang/go#1.22.1", "aws-sdk-go/1.50.30 (go1.22.1; linux; amd64)"},
	"browser": {"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36 Chrome/122.0 Safari/537.36", "Mozilla/5.0 (X11; Linux x86_64; rv:123.0) Gecko/20100101 Firefox/123.0"},
}

// newStaff hires everybody.
func newStaff(a *Account) *staff {
	d := newDice(a.Seed, 12)
	number := func() string { return fmt.Sprintf("%012d", 100_000_000_000+d.Uint64N(800_000_000_000)) }
	s := &staff{Account: a, d: newDice(a.Seed, 13), seed: d.Uint64(), id: number(), foreign: number(), partner: number()}
	if s.Level == 0 {
		s.Level = 1
	}
	all := []string{"us-east-1", "us-west-2", "eu-west-1", "eu-central-1", "ap-southeast-1"}
	s.regions = all[d.IntN(3):][:1+d.IntN(2)]
	office := publicIP(d)
	morning := d.IntN(16)
	for i := range max(2, a.People) {
		s.hirePerson(d, i, office, morning)
	}
	tools := d.IntN(3)
	s.hire(d, "ci-deploy", "build", tools != 1, buildJobs)
	s.hire(d, "terraform", "terraform", false, terraformJobs)
	s.hire(d, "key-rotation", "program", false, rotationJobs)
	s.hire(d, "backup", "program", false, backupJobs)
	if d.chance(0.7) {
		s.hire(d, "security-audit", "program", false, inventoryJobs)
	}
	for i := range 1 + d.IntN(4) {
		m := s.hire(d, fmt.Sprintf("web-%d", i), "program", false, machineJobs)
		m.session = fmt.Sprintf("i-%017x", d.Uint64()>>4)
	}
	for i := range d.IntN(4) {
		s.hire(d, fmt.Sprintf("fn-%d", i), "program", d.chance(0.5), functionJobs)
	}
	s.members = append(s.members, &member{kind: "service", name: "autoscaling.amazonaws.com", arn: "autoscaling.amazonaws.com", seed: d.Uint64(), d: newDice(d.Uint64(), 1),
		until: a.Days, weekends: 1, ips: []string{"autoscaling.amazonaws.com"}, agents: []string{"autoscaling.amazonaws.com"}, regions: s.regions[:1], jobs: serviceJobs})
	root := &member{kind: "root", name: "root", arn: "arn:aws:iam::" + s.id + ":root", seed: d.Uint64(), d: newDice(d.Uint64(), 1), until: a.Days, hours: [2]int{morning, morning + 8},
		ips: []string{office}, agents: accountAgents["browser"][:1], regions: []string{"us-east-1"}, mfa: d.chance(0.8), jobs: []job{{0.02, span{2, 30}, "browser", "login look:iam,ce*2-8"}}}
	s.members = append(s.members, root)
	s.users = append(s.users, "svc-mail", "svc-report", "svc-partner")
	return s
}

func publicIP(d dice) string {
	return fmt.Sprintf("%d.%d.%d.%d", 11+d.IntN(150), d.IntN(256), d.IntN(256), 1+d.IntN(254))
}

// hirePerson adds a user, or a person who works by a role of single sign-on.
func (s *staff) hirePerson(d dice, i int, office string, morning int) {
	name := fmt.Sprintf("%s%d", []string{"ana", "ben", "chloe", "dev", "eli", "fatou", "gus", "hana"}[i%8], i)
	m := &member{kind: "user", name: name, seed: d.Uint64(), d: newDice(d.Uint64(), 2), until: s.Days, weekends: d.in(span{0.02, 0.3}),
		hours: [2]int{morning + d.IntN(3), morning + 8 + d.IntN(4)}, ips: []string{office, publicIP(d)}, regions: s.regions, mfa: d.chance(0.85),
		agents: []string{accountAgents["people"][d.IntN(4)], accountAgents["browser"][d.IntN(2)]}}
	m.arn = "arn:aws:iam::" + s.id + ":user/" + name
	m.key = fmt.Sprintf("AKIA%016X", d.Uint64())
	if d.chance(0.35) {
		m.kind, m.name, m.session = "role", "AWSReservedSSO_Engineer_"+name, name+"@example.com"
		m.arn = "arn:aws:iam::" + s.id + ":role/" + m.name
		s.roles = append(s.roles, m.name)
	}
	s.users = append(s.users, name)
	if i > 2 && d.chance(0.15) { // starts during the month
		m.from = d.IntN(s.Days)
	}
	m.jobs = append(m.jobs, consoleJobs...)
	m.jobs = append(m.jobs, shellJobs...)
	switch {
	case i < 2 || d.chance(0.2):
		m.jobs = append(m.jobs, adminJobs...)
	case d.chance(0.3):
		m.jobs = append(m.jobs, analystJobs...)
	}
	if d.chance(0.4) {
		m.jobs = append(m.jobs, onCallJobs...)
	}
	s.members = append(s.members, m)
}

// hire adds a role that a program works by.
func (s *staff) hire(d dice, name, agents string, roams bool, jobs []job) *member {
	m := &member{kind: "role", name: name, arn: "arn:aws:iam::" + s.id + ":role/" + name, seed: d.Uint64(), d: newDice(d.Uint64(), 3), until: s.Days, weekends: 1,
		ips: []string{publicIP(d)}, regions: s.regions, session: name + "-run", jobs: jobs, roams: roams}
	if agents == "terraform" {
		m.agents = []string{"APN/1.0 HashiCorp/1.0 Terraform/1.7.4 (+https://www.terraform.io) terraform-provider-aws/5.39.0"}
		m.hours = [2]int{7, 20}
	} else {
		m.agents = []string{accountAgents[agents][d.IntN(len(accountAgents[agents]))]}
	}
	if d.chance(0.4) {
		m.ips = append(m.ips, publicIP(d))
	}
	s.roles = append(s.roles, name)
	s.members = append(s.members, m)
	return m
}

// day lets everybody do a day's work, and intruders theirs.
func (s *staff) day(day int) {
	for _, m := range s.members {
		m.work(s, day)
	}
	for i := range s.Intrusions {
		if in := &s.Intrusions[i]; int(in.At.Hours())/24 == day {
			s.intrude(in, newDice(s.Seed^mix(uint64(i)), 14))
		}
	}
}

func (m *member) work(s *staff, day int) {
	d := m.d
	if weekday := (day + int(s.Start.Weekday())) % 7; day < m.from || day >= m.until || (weekday == 0 || weekday == 6) && !d.chance(m.weekends) {
		return
	}
	ip := m.ips[min(d.IntN(3)/2, len(m.ips)-1)]
	if m.kind == "user" && d.chance(0.02) { // travels
		ip = publicIP(d)
	}
	m.renew(d)
	for _, j := range m.jobs {
		runs := j.perDay * s.Level
		for range int(runs + d.Float64()) {
			at := s.Start.Unix() + int64(day)*86400 + int64(m.moment(d))
			if m.roams {
				ip = publicIP(d)
				m.renew(d)
			}
			s.play(d, m, at, ip, j)
		}
	}
}

// renew gives a role the key of a new session.
func (m *member) renew(d dice) {
	if m.kind == "role" {
		m.key = fmt.Sprintf("ASIA%016X", d.Uint64())
	}
}

// moment is a second of the day in the member's hours, now and then another.
func (m *member) moment(d dice) int {
	if m.hours[0] == m.hours[1] || d.chance(0.02) {
		return d.IntN(86400)
	}
	from := m.hours[0] * 3600
	return (from + d.IntN((m.hours[1]-m.hours[0])*3600)) % 86400
}

// play makes the calls of one run of a job, within its day.
func (s *staff) play(d dice, m *member, at int64, ip string, j job) {
	c := apiCall{who: m, ip: ip, agent: m.agents[0], region: m.regions[0], key: m.key, session: m.session, mfa: m.mfa}
	if j.agent == "browser" {
		c.agent, c.key = m.agents[len(m.agents)-1], fmt.Sprintf("ASIA%016X", d.Uint64())
	}
	if len(m.regions) > 1 && d.chance(0.2) {
		c.region = m.regions[1]
	}
	last := at - at%86400 + 86399
	s.steps(d, c, at, min(last, at+6*3600), j.gap, j.steps)
}

// steps makes calls from at on, none later than last, and returns the time of the
// last one.
func (s *staff) steps(d dice, c apiCall, at, last int64, gap span, text string) int64 {
	clock := float64(at)
	for word := range strings.FieldsSeq(text) {
		word, refused := strings.CutSuffix(word, "!")
		word, times, _ := strings.Cut(word, "*")
		n := 1
		if lo, hi, ok := strings.Cut(times, "-"); ok {
			a, _ := strconv.Atoi(lo)
			b, _ := strconv.Atoi(hi)
			n = a + d.IntN(b-a+1)
		}
		service, action, _ := strings.Cut(word, ":")
		action, variant, _ := strings.Cut(action, "@")
		for range n {
			one := c
			one.service, one.action, one.variant, one.denied = service, action, variant, refused
			switch word {
			case "login":
				clock = s.login(d, one, clock, last)
				continue
			default:
				if service == "look" {
					one.service, one.action = readOf(d, action)
				}
			}
			one.at = min(int64(clock), last)
			s.calls = append(s.calls, one)
			clock += d.in(gap)
		}
	}
	return min(int64(clock), last)
}

// login logs in at the console, now and then after a slip of the finger.
func (s *staff) login(d dice, c apiCall, clock float64, last int64) float64 {
	if c.who.kind == "role" { // single sign-on makes its sessions elsewhere
		return clock
	}
	c.service, c.action, c.region, c.key = "signin", "ConsoleLogin", "us-east-1", ""
	for d.chance(0.06) {
		c.at, c.login = min(int64(clock), last), "Failure"
		s.calls = append(s.calls, c)
		clock += d.in(span{4, 20})
	}
	c.at, c.login = min(int64(clock), last), "Success"
	s.calls = append(s.calls, c)
	return clock + d.in(span{2, 8})
}

// readOf draws a read of one of some services; the first ones of a service are more
// usual.
func readOf(d dice, services string) (service, action string) {
	list := strings.Split(services, ",")
	service = list[d.IntN(len(list))]
	reads := accountReads[service]
	return service, reads[d.rank(len(reads))]
}

// truths are the rows of everybody and of the intrusions, in order.
func (s *staff) truths() []AccountTruth {
	start := s.Start.Unix()
	rows := []AccountTruth{{Label: picket.Label{Start: start, End: start + int64(s.Days)*86400, Entity: picket.Entity{Kind: "*", ID: "*"}, Class: picket.ClassNormal}}}
	return append(rows, s.told...)
}

// IntrusionKinds are the kinds of attack on an account, sorted.
func IntrusionKinds() []string { return slices.Sorted(maps.Keys(intrusions)) }

// IntrusionTactic is the tactic of ATT&CK that a kind of attack serves.
func IntrusionTactic(kind string) string { return intrusions[kind].tactic }
