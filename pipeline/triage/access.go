package triage

import "picket"

// accessType is a finer type of unauthorized access, told by the rule that hit.
type accessType struct {
	rule    string // of pipeline/extract: its feature is "rule_" and this
	name    string
	caption string
	technique
}

// accessTypes in order: the first whose rule hit in the window names the finding, so
// the gravest and the most telling stand first.
var accessTypes = []accessType{
	{"logging_off", "logging-disabled", "Logging switched off", technique{"TA0005", "T1562.008"}},
	{"guard_off", "guard-disabled", "Guard switched off", technique{"TA0005", "T1562.001"}},
	{"new_key_elsewhere", "new-key-elsewhere", "New key used elsewhere", technique{"TA0003", "T1098.001"}},
	{"instance_credentials_elsewhere", "instance-credentials-elsewhere", "Credentials of a machine used elsewhere", technique{"TA0006", "T1552.005"}},
	{"success_after_failures", "guessed-password", "Login after guessing", technique{"TA0006", "T1110.001"}},
	{"passwords_asked", "machine-passwords", "Passwords of machines asked for", technique{"TA0006", "T1555"}},
	{"trust_given_out", "foreign-trust", "Outsiders let in", technique{"TA0003", "T1098.003"}},
	{"admin_granted", "admin-granted", "All rights granted", technique{"TA0004", "T1098.003"}},
	{"shared_public", "made-public", "Opened to everybody", technique{"TA0010", "T1537"}},
	{"startup_changed", "startup-script", "Start script changed", technique{"TA0003", "T1037"}},
	{"mfa_off", "mfa-removed", "Second factor taken off", technique{"TA0005", "T1556.006"}},
	{"region_enabled", "region-enabled", "Unused region unlocked", technique{"TA0005", "T1535"}},
	{"logging_narrowed", "logging-narrowed", "Logging narrowed", technique{"TA0005", "T1562.008"}},
	{"guard_weakened", "guard-weakened", "Guard weakened", technique{"TA0005", "T1562"}},
	{"guard_switched", "guard-weakened", "Guard weakened", technique{"TA0005", "T1562.001"}},
	{"credential_for_other", "credential-for-other", "Credential made for another", technique{"TA0003", "T1098.001"}},
	{"shared_out", "shared-out", "Shared with outsiders", technique{"TA0010", "T1537"}},
	{"secrets_swept", "secrets-swept", "Secrets swept", technique{"TA0006", "T1555.006"}},
	{"model_enabled", "model-enabled", "Paid model unlocked", technique{"TA0040", "T1496.004"}},
	{"destroyed", "destroyed", "Data destroyed", technique{"TA0040", "T1485"}},
	{"remote_control", "remote-control", "Machines controlled through the API", technique{"TA0002", "T1651"}},
	{"trust_anchor", "trust-changed", "Who may log in changed", technique{"TA0004", "T1484.002"}},
	{"mirrored", "traffic-mirrored", "Traffic copied", technique{"TA0006", "T1040"}},
	{"network_opened", "network-opened", "Port opened to the world", technique{"TA0005", "T1562.007"}},
	{"roles_tried", "roles-tried", "Roles tried", technique{"TA0004", "T1548.005"}},
	{"denied_burst", "denied-burst", "Many calls refused", technique{"TA0007", "T1526"}},
	{"console_from_afar", "console-from-afar", "Console logins from far apart", technique{"TA0001", "T1078.004"}},
	{"session_elsewhere", "session-elsewhere", "Session used elsewhere", technique{"TA0008", "T1550.001"}},
	{"password_spraying", "password-spraying", "Password spraying", technique{"TA0006", "T1110.003"}},
	{"password_guessing", "password-guessing", "Password guessing", technique{"TA0006", "T1110.001"}},
	{"account_created", "account-created", "User made", technique{"TA0003", "T1136.003"}},
	{"session_made", "session-made", "Session made", technique{"TA0008", "T1550.001"}},
	{"privilege_granted", "privilege-granted", "Rights granted", technique{"TA0004", "T1098.003"}},
	{"compute_launched", "compute-launched", "Machines started", technique{"TA0040", "T1496.001"}},
	{"code_changed", "code-changed", "Code changed", technique{"TA0003", "T1525"}},
	{"access_removed", "access-removed", "Access taken away", technique{"TA0040", "T1531"}},
	{"console_without_mfa", "console-without-mfa", "Console login without a second factor", technique{"TA0001", "T1078.004"}},
	{"account_listed", "account-listed", "Account listed", technique{"TA0007", "T1087.004"}},
	{"enumeration", "enumeration", "Enumeration", technique{"TA0007", "T1580"}},
	{"startup_read", "startup-scripts-read", "Start scripts read", technique{"TA0006", "T1552.005"}},
	{"sensitive_denied", "denied", "Grave call refused", technique{"TA0001", "T1078.004"}},
	{"root_used", "root-used", "Root user used", technique{"TA0001", "T1078.004"}},
}

// AccessTechniques returns the technique of ATT&CK that each rule of access is told
// with, by the rule's name.
func AccessTechniques() map[string]string {
	m := map[string]string{}
	for _, t := range accessTypes {
		m[t.rule] = t.id
	}
	return m
}

// accessTypeOf returns the type that the rules of a row name, nil for none.
func accessTypeOf(r row) *accessType {
	for i := range accessTypes {
		if r.get("rule_"+accessTypes[i].rule) > 0 {
			return &accessTypes[i]
		}
	}
	return nil
}

// accessTypeNamed returns the type of a finding of access, nil where no rule named it.
func accessTypeNamed(f *picket.Finding) *accessType {
	if f.Detector != picket.DetectorAccess {
		return nil
	}
	for i := range accessTypes {
		if accessTypes[i].name == f.Type {
			return &accessTypes[i]
		}
	}
	return nil
}
