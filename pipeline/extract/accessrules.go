package extract

import (
	"math"
	"strings"
	"sync"
)

// Rule is a named class of action that is worth a look. Its hits are features; it
// makes no finding by itself. A rule holds for each call of one of its Classes
// that fits Outcome and Param, or for a window whose Feature is at least Min.
type Rule struct {
	Name      string
	Meaning   string
	Technique string // of ATT&CK
	GuardDuty string // the finding type that it matches, "" for none
	Severity  int    // 1 to 4

	Classes  []string  // of accesscalls.tsv
	Outcome  string    // "ok", "failed", "" for both
	Param    [2]string // name and value in the request; "" is any, "foreign" also takes "public"
	ForOther bool      // done to another user than the one who does it

	Feature string
	Min     float64
}

// Rules is every rule, in the order of its feature.
var Rules = []Rule{
	{Name: "logging_off", Meaning: "a log is deleted or stopped", Technique: "T1562.008", GuardDuty: "Stealth:IAMUser/CloudTrailLoggingDisabled", Severity: 4,
		Classes: []string{"logging_off"}, Outcome: "ok"},
	{Name: "logging_narrowed", Meaning: "what a log records is switched off", Technique: "T1562.008", GuardDuty: "Stealth:IAMUser/CloudTrailLoggingDisabled", Severity: 3,
		Classes: []string{"logging_changed"}, Outcome: "ok", Param: [2]string{"off", "true"}},
	{Name: "guard_off", Meaning: "a service or rule that watches the account is switched off", Technique: "T1562.001", GuardDuty: "DefenseImpairment:EC2/DisableOrModifyTools", Severity: 4,
		Classes: []string{"guard_off", "organisation_left"}},
	{Name: "guard_weakened", Meaning: "a guard against mistakes is taken away: a password policy, a block of public access, encryption", Technique: "T1562", GuardDuty: "Stealth:IAMUser/PasswordPolicyChange", Severity: 3,
		Classes: []string{"guard_weakened"}, Outcome: "ok"},
	{Name: "guard_switched", Meaning: "a setting of a guard is set to false", Technique: "T1562.001", GuardDuty: "Policy:S3/BucketBlockPublicAccessDisabled", Severity: 3,
		Classes: []string{"guard_changed"}, Outcome: "ok", Param: [2]string{"off", "true"}},
	{Name: "mfa_off", Meaning: "a second factor is taken off", Technique: "T1556.006", GuardDuty: "", Severity: 4,
		Classes: []string{"mfa_off"}, Outcome: "ok"},
	{Name: "credential_for_other", Meaning: "a key or password is made for another user", Technique: "T1098.001", GuardDuty: "Persistence:IAMUser/AnomalousBehavior", Severity: 3,
		Classes: []string{"credential_created"}, Outcome: "ok", ForOther: true},
	{Name: "account_created", Meaning: "a user or account is made", Technique: "T1136.003", GuardDuty: "Persistence:IAMUser/AnomalousBehavior", Severity: 2,
		Classes: []string{"account_created"}, Outcome: "ok"},
	{Name: "admin_granted", Meaning: "somebody gets the right to do everything", Technique: "T1098.003", GuardDuty: "PrivilegeEscalation:IAMUser/AnomalousBehavior", Severity: 4,
		Classes: []string{"privilege_granted"}, Outcome: "ok", Param: [2]string{"admin", "true"}},
	{Name: "privilege_granted", Meaning: "rights are given", Technique: "T1098.003", GuardDuty: "PrivilegeEscalation:IAMUser/AnomalousBehavior", Severity: 2,
		Classes: []string{"privilege_granted"}, Outcome: "ok"},
	{Name: "trust_given_out", Meaning: "somebody outside of the account is let in: another account, an identity provider", Technique: "T1098.003", GuardDuty: "Persistence:IAMUser/AnomalousBehavior", Severity: 4,
		Classes: []string{"trust_changed"}, Outcome: "ok", Param: [2]string{"shared", "foreign"}},
	{Name: "trust_anchor", Meaning: "who may log in is changed: an identity provider, a certificate authority, a role's trust", Technique: "T1484.002", GuardDuty: "Persistence:IAMUser/AnomalousBehavior", Severity: 3,
		Classes: []string{"trust_changed"}, Outcome: "ok"},
	{Name: "shared_public", Meaning: "data, a function or a queue is opened to everybody", Technique: "T1537", GuardDuty: "Policy:S3/BucketAnonymousAccessGranted", Severity: 4,
		Classes: []string{"shared"}, Outcome: "ok", Param: [2]string{"shared", "public"}},
	{Name: "shared_out", Meaning: "data, a function or a queue is opened to another account", Technique: "T1537", GuardDuty: "Exfiltration:IAMUser/AnomalousBehavior", Severity: 3,
		Classes: []string{"shared"}, Outcome: "ok", Param: [2]string{"shared", "foreign"}},
	{Name: "network_opened", Meaning: "a port is opened to every address", Technique: "T1562.007", GuardDuty: "", Severity: 3,
		Classes: []string{"network_opened"}, Outcome: "ok", Param: [2]string{"shared", "public"}},
	{Name: "mirrored", Meaning: "traffic is copied elsewhere", Technique: "T1040", GuardDuty: "", Severity: 3,
		Classes: []string{"mirrored"}, Outcome: "ok"},
	{Name: "remote_control", Meaning: "commands or a shell on a machine by way of the API", Technique: "T1651", GuardDuty: "", Severity: 3,
		Classes: []string{"remote_control"}},
	{Name: "startup_changed", Meaning: "the script that a machine runs when it starts is changed", Technique: "T1037", GuardDuty: "", Severity: 4,
		Classes: []string{"startup_changed"}, Param: [2]string{"script", "true"}},
	{Name: "startup_read", Meaning: "the script that a machine runs when it starts is read", Technique: "T1552.005", GuardDuty: "CredentialAccess:IAMUser/AnomalousBehavior", Severity: 2,
		Classes: []string{"startup_read"}, Param: [2]string{"script", "true"}},
	{Name: "code_changed", Meaning: "what a function, build or job runs is changed", Technique: "T1525", GuardDuty: "", Severity: 2,
		Classes: []string{"code_changed"}, Outcome: "ok"},
	{Name: "compute_launched", Meaning: "machines are started or quotas raised", Technique: "T1496.001", GuardDuty: "Impact:IAMUser/AnomalousBehavior", Severity: 2,
		Classes: []string{"compute_launched"}},
	{Name: "model_enabled", Meaning: "the use of a paid model is unlocked", Technique: "T1496.004", GuardDuty: "Impact:IAMUser/AnomalousBehavior", Severity: 3,
		Classes: []string{"model_enabled"}},
	{Name: "destroyed", Meaning: "data, keys or backups are destroyed", Technique: "T1485", GuardDuty: "Impact:IAMUser/AnomalousBehavior", Severity: 3,
		Classes: []string{"destroyed"}, Outcome: "ok"},
	{Name: "access_removed", Meaning: "users or their ways in are taken away", Technique: "T1531", GuardDuty: "Impact:IAMUser/AnomalousBehavior", Severity: 2,
		Classes: []string{"access_removed"}, Outcome: "ok"},
	{Name: "region_enabled", Meaning: "a region is unlocked that was not in use", Technique: "T1535", GuardDuty: "", Severity: 4,
		Classes: []string{"region_enabled"}, Outcome: "ok"},
	{Name: "session_made", Meaning: "a session is made that outlives the key it came from", Technique: "T1550.001", GuardDuty: "", Severity: 2,
		Classes: []string{"session_made"}, Outcome: "ok"},

	{Name: "sensitive_denied", Meaning: "a grave call was tried and refused", Technique: "T1078.004", GuardDuty: "PrivilegeEscalation:IAMUser/AnomalousBehavior", Severity: 2,
		Feature: "sensitive_denied_calls", Min: 1},
	{Name: "denied_burst", Meaning: "many calls refused in five minutes", Technique: "T1526", GuardDuty: "Discovery:IAMUser/AnomalousBehavior", Severity: 3,
		Feature: "denied_calls_5m_max", Min: 10},
	{Name: "enumeration", Meaning: "many kinds of looking around in five minutes", Technique: "T1580", GuardDuty: "Discovery:IAMUser/AnomalousBehavior", Severity: 2,
		Feature: "read_actions_5m_max", Min: 15},
	{Name: "account_listed", Meaning: "users, roles and their rights are listed", Technique: "T1087.004", GuardDuty: "Discovery:IAMUser/AnomalousBehavior", Severity: 2,
		Feature: "account_list_actions", Min: 4},
	{Name: "secrets_swept", Meaning: "many secrets are read", Technique: "T1555.006", GuardDuty: "CredentialAccess:IAMUser/AnomalousBehavior", Severity: 3,
		Feature: "secret_targets", Min: 8},
	{Name: "passwords_asked", Meaning: "the passwords of several machines are asked for", Technique: "T1555", GuardDuty: "CredentialAccess:IAMUser/AnomalousBehavior", Severity: 4,
		Feature: "password_targets", Min: 3},
	{Name: "roles_tried", Meaning: "many roles are tried", Technique: "T1548.005", GuardDuty: "PrivilegeEscalation:IAMUser/AnomalousBehavior", Severity: 3,
		Feature: "roles_tried", Min: 5},
	{Name: "root_used", Meaning: "the account's root user does something", Technique: "T1078.004", GuardDuty: "Policy:IAMUser/RootCredentialUsage", Severity: 2,
		Feature: "root_calls", Min: 1},
	{Name: "console_without_mfa", Meaning: "a login at the console without a second factor", Technique: "T1078.004", GuardDuty: "InitialAccess:IAMUser/AnomalousBehavior", Severity: 2,
		Feature: "console_logins_without_mfa", Min: 1},
	{Name: "console_from_afar", Meaning: "logins at the console from networks far apart, close in time", Technique: "T1078.004", GuardDuty: "UnauthorizedAccess:IAMUser/ConsoleLoginSuccess.B", Severity: 3,
		Feature: "console_networks_1h_max", Min: 2},
	{Name: "instance_credentials_elsewhere", Meaning: "the credentials of one machine are used from two networks", Technique: "T1552.005", GuardDuty: "UnauthorizedAccess:IAMUser/InstanceCredentialExfiltration.OutsideAWS", Severity: 4,
		Feature: "instance_networks_max", Min: 2},
	{Name: "session_elsewhere", Meaning: "one temporary key is used from two networks", Technique: "T1550.001", GuardDuty: "UnauthorizedAccess:IAMUser/ResourceCredentialExfiltration.OutsideAWS", Severity: 3,
		Feature: "key_networks_max", Min: 2},
	{Name: "new_key_elsewhere", Meaning: "a new key is used from another network than it was made from", Technique: "T1098.001", GuardDuty: "Persistence:IAMUser/AnomalousBehavior", Severity: 4,
		Feature: "new_key_calls_elsewhere", Min: 1},
	{Name: "password_guessing", Meaning: "many logins fail", Technique: "T1110.001", GuardDuty: "UnauthorizedAccess:EC2/SSHBruteForce", Severity: 3,
		Feature: "guesses", Min: 10},
	{Name: "password_spraying", Meaning: "logins fail for many users, few times each", Technique: "T1110.003", GuardDuty: "UnauthorizedAccess:EC2/SSHBruteForce", Severity: 3,
		Feature: "sprayed_users", Min: 8},
	{Name: "success_after_failures", Meaning: "a login succeeds after many failed", Technique: "T1110.001", GuardDuty: "UnauthorizedAccess:EC2/SSHBruteForce", Severity: 4,
		Feature: "guesses_before_success_max", Min: 5},
}

// takes reports whether the rule holds for a call of an event.
func (r *Rule) takes(e *event, class string) bool {
	fits := false
	for _, c := range r.Classes {
		fits = fits || c == class
	}
	switch {
	case !fits, r.Outcome == "ok" && e.failed, r.Outcome == "failed" && !e.failed:
		return false
	case r.ForOther && (e.params["user"] == "" || strings.HasSuffix(e.principal, "/"+e.params["user"])):
		return false
	case r.Param[0] == "":
		return true
	}
	value := e.params[r.Param[0]]
	return value == r.Param[1] || r.Param[1] == "foreign" && value == "public"
}

// What a rule must have beside it to be told of at first sight. They were chosen with
// an eye on simulated accounts and on recorded attacks: see docs/evaluation-access.md.
const (
	firstSightAlways = 4    // a rule of this severity is told whatever else was done
	firstSightGrave  = 0.5  // part of the principal's kinds of calls that are sensitive, for severity 3
	firstSightShort  = 0.3  // the same where there are few kinds
	firstSightKinds  = 8    // few: a day at work has three times as many
	firstSightLight  = 0.75 // part for severity 2

	rotates      = 3 // things that a program takes away before it is more than keeping house
	workingKinds = 8 // kinds of calls that are not sensitive, of a person at work
	spread       = 3 // regions with machines, and machines, of somebody who mines
)

// FirstSight judges a day of a principal by rules, where its account has no history:
// it returns the severity of the gravest that hit, or 0 where an analyst would not
// want to hear of it.
//
// What everybody does all day stands beside what is sensitive, so the part of a
// principal's kinds of calls that are sensitive tells a burst of them from a day at
// work; repeated calls count once. Tools that keep infrastructure and services of AWS
// are left alone. A program that works by a role, and to whom nothing is refused, has
// a job that nobody knows yet: it must do what is gravest. Use of root and a login at
// the console without a second factor are told of whatever stands beside them: who
// reviews an account asks for just these.
// What is gravest is told too, but in a day of many kinds of calls, most of them
// harmless, as severity 2: there it is as a rule somebody's work.
func FirstSight(row []float64) (severity int) {
	r := firstSightRow(row)
	if !math.IsNaN(r.get("account_new_actions")) || r.get("is_service") > 0 || r.get("tool_share") >= 0.5 {
		return 0
	}
	severity = r.severity()
	if severity == 0 || math.IsNaN(r.get("sensitive_share")) { // nothing, or logins at hosts
		return 0
	}
	program := r.get("is_role") > 0 && !r.hands() && r.get("failed_share") < 0.5
	part, grave := r.get("sensitive_actions")/r.get("actions"), firstSightGrave
	short := r.get("actions") <= firstSightKinds
	if short {
		grave = firstSightShort
	}
	switch {
	case r.get("root_calls") > 0, r.get("console_logins_without_mfa") > 0:
		return severity
	case severity >= firstSightAlways && !short && part < grave:
		return 2
	case severity >= firstSightAlways:
		return severity
	case program:
		return 0
	case r.hit("compute_launched") >= spread && r.get("regions") >= spread:
		return max(severity, 3)
	case severity == 3 && part < grave, severity == 2 && part < firstSightLight, severity < 2:
		return 0
	}
	return severity
}

// firstSightRow reads a row of access by name.
type firstSightRow []float64

func (r firstSightRow) get(name string) float64 { return r[firstSightColumns()[name]] }

// hit is how many calls a rule held for.
func (r firstSightRow) hit(rule string) float64 { return r.get("rule_" + rule) }

// hands reports whether most calls were made at a keyboard.
func (r firstSightRow) hands() bool { return r.get("shell_share")+r.get("browser_share") >= 0.5 }

// severity is that of the gravest call and rule, but for what is routine.
func (r firstSightRow) severity() (severity int) {
	var kept float64
	for i := range Rules {
		switch hits := r.hit(Rules[i].Name); {
		case hits == 0:
		case !r.routine(Rules[i].Name):
			severity = max(severity, Rules[i].Severity)
		case Rules[i].Feature == "":
			kept += hits
		}
	}
	if gravest := int(r.get("severity_max")); gravest >= firstSightAlways || r.get("grave_calls") > kept {
		severity = max(severity, gravest)
	}
	return severity
}

// routine reports whether what a rule hit is what goes on every day: several people
// share a role and log in from where they are; a program that deletes old backups; a
// shell that somebody opens amid a day's work.
func (r firstSightRow) routine(rule string) bool {
	switch rule {
	case "console_from_afar":
		return r.get("is_role") > 0
	case "destroyed":
		return !r.hands() && r.hit(rule) < rotates
	case "remote_control":
		return r.get("actions")-r.get("sensitive_actions") >= workingKinds
	}
	return false
}

var firstSightColumns = sync.OnceValue(func() map[string]int {
	at := map[string]int{}
	for i, f := range AccessCatalogue {
		at[f.Name] = i
	}
	return at
})
