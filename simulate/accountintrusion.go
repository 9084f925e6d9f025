package simulate

import (
	"fmt"
	"slices"

	"picket"
)

// intrusion is a kind of attack: what is called, by whom it can be, how fast.
type intrusion struct {
	tactic string
	steps  string
	gap    span
	as     string  // kind of member: "user", "role", "machine", "any"
	warmUp float64 // chance to look around first
}

// intrusions by name. Each is one thing that intruders do in an account once they
// have somebody's credentials; they are put together from the techniques of ATT&CK's
// cloud matrix, with calls of several services.
var intrusions = map[string]intrusion{
	"console-stolen-password": {"initial-access", "badlogin*0-6 strangelogin look:ec2,s3,iam*3-20", span{1, 15}, "user", 0},
	"console-guessing":        {"initial-access", "badlogin*12-60 strangelogin", span{1, 6}, "user", 0},
	"look-around":             {"discovery", "sts:GetCallerIdentity look:iam,ec2,s3,lambda,rds,secretsmanager*30-150 iam:ListUsers iam:ListRoles look:iam,s3*0-12!", span{0.2, 2}, "any", 0},
	"denied-look-around":      {"discovery", "sts:GetCallerIdentity look:iam,ec2,s3,lambda,rds,kms,organizations*15-80!", span{0.2, 3}, "any", 0},
	"rights-listing":          {"discovery", "sts:GetCallerIdentity iam:GetAccountAuthorizationDetails*1-2 iam:ListUsers iam:ListRoles iam:ListGroups*0-1 iam:ListAttachedUserPolicies*2-10 iam:GetAccountSummary", span{0.5, 8}, "any", 0},
	"mail-quota-probing":      {"discovery", "sts:GetCallerIdentity ses:GetSendQuota*1-3 ses:ListIdentities servicequotas:ListServiceQuotas*1-3 ses:GetAccount*0-1", span{0.5, 10}, "any", 0},
	"script-reading":          {"discovery", "ec2:DescribeInstances ec2:DescribeInstanceAttribute@script*5-30", span{0.3, 3}, "any", 0.2},
	"secret-sweep":            {"credential-access", "secretsmanager:ListSecrets secretsmanager:GetSecretValue*8-40", span{0.2, 3}, "any", 0.3},
	"parameter-sweep":         {"credential-access", "ssm:DescribeParameters*1-4 ssm:GetParameter*6-40 ssm:GetParametersByPath*0-3", span{0.2, 3}, "any", 0.3},
	"windows-passwords":       {"credential-access", "ec2:DescribeInstances ec2:GetPasswordData*4-25", span{0.3, 3}, "any", 0.2},
	"machine-credentials":     {"credential-access", "sts:GetCallerIdentity look:s3,ec2,iam*2-20 s3:ListBuckets", span{0.5, 6}, "machine", 0},
	"key-for-other":           {"persistence", "iam:CreateAccessKey*1-2", span{2, 20}, "any", 0.5},
	"login-for-other":         {"persistence", "iam:CreateLoginProfile*1-1 iam:AttachUserPolicy@admin*0-1", span{2, 20}, "any", 0.5},
	"password-of-other":       {"privilege-escalation", "iam:UpdateLoginProfile*1-2", span{2, 20}, "any", 0.5},
	"new-admin":               {"persistence", "iam:CreateUser iam:AttachUserPolicy@admin iam:CreateAccessKey*0-1 iam:CreateLoginProfile*0-1", span{1, 15}, "any", 0.4},
	"foreign-trust":           {"persistence", "iam:UpdateAssumeRolePolicy@foreign*1-2", span{2, 20}, "any", 0.4},
	"foreign-role":            {"persistence", "iam:CreateRole@foreign iam:AttachRolePolicy@admin", span{1, 15}, "any", 0.4},
	"own-identity-provider":   {"persistence", "iam:CreateOpenIDConnectProvider*0-1 iam:CreateSAMLProvider*1-1 iam:UpdateAssumeRolePolicy@foreign*0-1", span{2, 20}, "any", 0.4},
	"function-door":           {"persistence", "lambda:UpdateFunctionCode20150331v2*0-1 lambda:AddPermission20150331v2@public*1-1 lambda:CreateFunctionUrlConfig*0-1", span{2, 20}, "any", 0.4},
	"function-code":           {"persistence", "look:lambda*1-6 lambda:UpdateFunctionCode20150331v2*1-2 lambda:UpdateFunctionConfiguration20150331v2*0-2", span{2, 20}, "any", 0.2},
	"long-session":            {"persistence", "sts:GetCallerIdentity sts:GetFederationToken*1-2", span{2, 20}, "user", 0.3},
	"self-admin":              {"privilege-escalation", "iam:PutUserPolicy@admin*1-1", span{2, 20}, "any", 0.5},
	"policy-version":          {"privilege-escalation", "look:iam*2-8 iam:CreatePolicyVersion@admin", span{2, 20}, "any", 0.3},
	"group-joining":           {"privilege-escalation", "iam:ListGroups*0-1 iam:AddUserToGroup@admin", span{2, 20}, "any", 0.4},
	"role-trying":             {"privilege-escalation", "iam:ListRoles*0-1 sts:AssumeRole*6-30! sts:AssumeRole*0-1", span{0.3, 4}, "any", 0.2},
	"trail-off":               {"defense-evasion", "cloudtrail:DescribeTrails*0-2 cloudtrail:StopLogging", span{2, 20}, "any", 0.3},
	"trail-narrowed":          {"defense-evasion", "cloudtrail:GetEventSelectors*0-1 cloudtrail:PutEventSelectors@off", span{2, 20}, "any", 0.3},
	"watch-off":               {"defense-evasion", "guardduty:ListDetectors*0-1 guardduty:UpdateDetector@off*0-1 guardduty:DeleteDetector config:StopConfigurationRecorder*0-1", span{2, 20}, "any", 0.3},
	"logs-gone":               {"defense-evasion", "logs:DescribeLogGroups*0-1 ec2:DeleteFlowLogs*1-3 logs:DeleteLogGroup*0-4", span{2, 20}, "any", 0.3},
	"alarms-gone":             {"defense-evasion", "monitoring:DescribeAlarms monitoring:DeleteAlarms*1-5 securityhub:DisableSecurityHub*0-1", span{2, 20}, "any", 0.3},
	"organisation-left":       {"defense-evasion", "organizations:DescribeOrganization*0-1 organizations:LeaveOrganization*1-2!", span{2, 20}, "any", 0.3},
	"command-run":             {"execution", "ssm:DescribeInstanceInformation*1-10 ssm:SendCommand*1-10 ssm:GetCommandInvocation*0-6", span{0.5, 10}, "any", 0.3},
	"start-script":            {"execution", "ec2:StopInstances*1-2 ec2:ModifyInstanceAttribute@script*1-2 ec2:StartInstances*1-2", span{2, 30}, "any", 0.3},
	"container-shell":         {"execution", "look:ecs*2-6 ecs:ExecuteCommand*1-5", span{2, 30}, "any", 0.3},
	"shell-hopping":           {"lateral-movement", "look:ec2*1-3 ssm:StartSession*3-12", span{2, 30}, "any", 0.3},
	"key-pushing":             {"lateral-movement", "ec2:DescribeInstances*0-1 ec2-instance-connect:SendSSHPublicKey*2-15", span{0.5, 10}, "any", 0.3},
	"console-port":            {"lateral-movement", "ec2:EnableSerialConsoleAccess*0-1 ec2-instance-connect:SendSerialConsoleSSHPublicKey*1-4", span{0.5, 10}, "any", 0.2},
	"snapshot-out":            {"exfiltration", "ec2:DescribeSnapshots*0-1 ec2:CreateSnapshot*0-2 ec2:ModifySnapshotAttribute@foreign*1-3", span{2, 20}, "any", 0.3},
	"snapshot-public":         {"exfiltration", "ec2:ModifySnapshotAttribute@public*1-2", span{2, 20}, "any", 0.3},
	"image-out":               {"exfiltration", "ec2:CreateImage*0-1 ec2:ModifyImageAttribute@foreign*1-2", span{2, 20}, "any", 0.3},
	"database-out":            {"exfiltration", "rds:CreateDBSnapshot*0-1 rds:ModifyDBSnapshotAttribute@foreign*1-2", span{2, 20}, "any", 0.3},
	"bucket-public":           {"exfiltration", "s3:ListBuckets*0-1 s3:PutBucketPublicAccessBlock@off*0-1 s3:PutBucketPolicy@public*1-3", span{2, 20}, "any", 0.3},
	"bucket-out":              {"exfiltration", "s3:PutBucketPolicy@foreign*1-2 s3:PutBucketReplication*0-1", span{2, 20}, "any", 0.3},
	"door-opened":             {"exfiltration", "ec2:DescribeSecurityGroups*0-1 ec2:AuthorizeSecurityGroupIngress@public*1-4", span{2, 20}, "any", 0.3},
	"share-out":               {"exfiltration", "ram:CreateResourceShare*1-2", span{2, 20}, "any", 0.3},
	"mining":                  {"impact", "servicequotas:RequestServiceQuotaIncrease*0-2 ec2:RunInstances@many*1-12", span{0.5, 10}, "any", 0.4},
	"mining-refused":          {"impact", "ec2:RunInstances@many*2-15!", span{0.5, 10}, "any", 0.4},
	"model-abuse":             {"impact", "bedrock:ListFoundationModels*0-2 bedrock:PutUseCaseForModelAccess*0-1 bedrock:CreateFoundationModelAgreement*0-1 bedrock:InvokeModel*20-150", span{0.3, 4}, "any", 0.3},
	"data-gone":               {"impact", "s3:DeleteBucket*2-10 rds:DeleteDBInstance*0-3 ec2:DeleteSnapshot*3-20 dynamodb:DeleteTable*0-4", span{0.3, 6}, "any", 0.3},
	"keys-gone":               {"impact", "kms:ListKeys*0-1 kms:ScheduleKeyDeletion*2-8", span{0.3, 6}, "any", 0.3},
}

// strangeAgents are what intruders come with.
var strangeAgents = []string{"aws-cli/2.13.0 Python/3.11.4 Linux/6.1.0-kali9-amd64 exe/x86_64", "Boto3/1.26.10 Python/3.10.6 Linux/5.15 Botocore/1.29.10", "python-requests/2.31.0",
	"aws-cli/1.22.34 Python/3.10.12 Linux/5.15.0 botocore/1.23.34", "aws-sdk-go/1.44.0 (go1.19; windows; amd64)", "S3 Browser/11.6.7 (https://s3browser.com)", "aws-sdk-go-v2/1.20.0 os/linux", "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/115.0"}

// intrude plays one intrusion under a member who fits.
func (s *staff) intrude(in *Intrusion, d dice) {
	kind := intrusions[in.Kind]
	m := s.victim(d, kind.as, int(in.At.Hours())/24)
	if m == nil {
		return
	}
	c := apiCall{who: m, ip: publicIP(d), agent: strangeAgents[d.IntN(len(strangeAgents))], region: m.regions[0], key: m.key, session: m.session, mfa: false}
	if d.chance(0.15) {
		c.region = []string{"ap-south-1", "sa-east-1", "eu-north-1", "us-west-1"}[d.IntN(4)]
	}
	if in.Disguised {
		c.ip, c.agent, c.mfa = m.ips[0], m.agents[0], m.mfa
	}
	at := s.Start.Add(in.At).Unix()
	if busy := s.busiest(m); in.AtWork && busy > 0 {
		at = busy
	}
	last := at - at%86400 + 86399
	first, steps := at, kind.steps
	if d.chance(kind.warmUp) {
		steps = "sts:GetCallerIdentity look:iam,ec2,s3*2-25 " + steps
	}
	gap := span{kind.gap.lo, kind.gap.hi}
	if d.chance(0.25) { // slowly
		gap = span{gap.lo * 5, gap.hi * 10}
	}
	before := len(s.calls)
	end := s.intruderSteps(d, c, at, last, gap, steps)
	if len(s.calls) == before {
		return
	}
	s.tell(in.Kind, kind.tactic, m, first, end)
}

// busiest is a second in the middle of the day's calls of a member, 0 if there are none.
func (s *staff) busiest(m *member) int64 {
	var at []int64
	for i := range s.calls {
		if s.calls[i].who == m {
			at = append(at, s.calls[i].at)
		}
	}
	if len(at) == 0 {
		return 0
	}
	slices.Sort(at)
	return at[len(at)/2]
}

// tell adds a row of truth.
func (s *staff) tell(kind, tactic string, m *member, first, last int64) {
	s.told = append(s.told, AccountTruth{
		Label: picket.Label{Start: first, End: last + 1, Entity: picket.Entity{Kind: picket.KindPrincipal, ID: m.arn}, Class: picket.ClassAccess,
			Note: fmt.Sprintf("%s %d", kind, first)},
		Kind: kind, Tactic: tactic,
	})
}

// intruderSteps plays steps that intruders alone have: logins without the second
// factor, wrong passwords; and the rest as everybody's.
func (s *staff) intruderSteps(d dice, c apiCall, at, last int64, gap span, text string) int64 {
	start := len(s.calls)
	end := s.steps(d, c, at, last, gap, text)
	for i := start; i < len(s.calls); i++ {
		one := &s.calls[i]
		switch one.service {
		case "badlogin":
			one.login = "Failure"
		case "strangelogin":
			one.login = "Success"
		default:
			continue
		}
		one.service, one.action, one.region, one.key, one.mfa = "signin", "ConsoleLogin", "us-east-1", "", false
	}
	return end
}

// victim draws whose credentials are used: somebody who works there already, unless
// there is nobody else.
func (s *staff) victim(d dice, as string, day int) *member {
	var fit []*member
	for _, m := range s.members {
		ok := m.kind == "user" || m.kind == "role"
		switch as {
		case "user":
			ok = m.kind == "user"
		case "machine":
			ok = m.machine()
		}
		if ok && m.from < day {
			fit = append(fit, m)
		}
	}
	if len(fit) == 0 {
		return nil
	}
	return fit[d.IntN(len(fit))]
}
