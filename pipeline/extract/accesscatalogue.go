package extract

import (
	"fmt"
	"slices"
	"strings"
	"sync"

	"picket"
)

// AccessFeature is one entry of the catalogue of principals and sources of logins.
type AccessFeature struct {
	Name    string
	Version int // counts up when the meaning changes under the same name
	Unit    string
	Meaning string
	State   string // "events", "history", "rule"
	Sources string // logs that can fill it
	Moves   string // attacks that move it

	of func(w *accessWindow) float64
}

const (
	fromTrail  = "cloudtrail"
	fromLogins = "sshd, zeek ssh, zeek rdp, cloudtrail (console)"
	fromAccess = "cloudtrail, sshd, zeek ssh, zeek rdp"
)

// learningDays is how many days of history there must be before "first seen" means
// anything.
const learningDays = 5

// AccessCatalogue is every feature of a window of access, in the order of a row:
// those below, then one of each rule.
var AccessCatalogue = append(accessFeatures, ruleFeatures()...)

func ruleFeatures() []AccessFeature {
	features := make([]AccessFeature, len(Rules))
	for i, r := range Rules {
		meaning, unit := "calls: "+r.Meaning, "calls"
		if r.Feature != "" {
			meaning, unit = fmt.Sprintf("1 if %s is %g or more: %s", r.Feature, r.Min, r.Meaning), "0 or 1"
		}
		features[i] = AccessFeature{"rule_" + r.Name, 1, unit, meaning, "rule", fromAccess, "unauthorized_access: " + r.Technique, nil}
	}
	return features
}

// ruleInputs are the places of the features that rules look at, -1 for rules that
// look at calls.
var ruleInputs = func() []int {
	at := map[string]int{}
	for i, f := range accessFeatures {
		at[f.Name] = i
	}
	inputs := make([]int, len(Rules))
	for i, r := range Rules {
		inputs[i] = -1
		if k, ok := at[r.Feature]; ok {
			inputs[i] = k
		} else if r.Feature != "" {
			panic("no feature " + r.Feature)
		}
	}
	return inputs
}()

// AccessSchema returns the columns of a row of access.
func AccessSchema() picket.Schema { return accessSchema() }

var accessSchema = sync.OnceValue(func() picket.Schema {
	var basis strings.Builder
	for _, c := range Calls() {
		fmt.Fprintln(&basis, c)
	}
	return hashSchema(basis.String(), len(AccessCatalogue), func(i int) (string, int) { return AccessCatalogue[i].Name, AccessCatalogue[i].Version })
})

func (w *accessWindow) values() []float64 {
	values := make([]float64, len(accessFeatures), len(AccessCatalogue))
	for i := range accessFeatures {
		values[i] = accessFeatures[i].of(w)
	}
	for i, input := range ruleInputs {
		hits := float64(w.rules[i])
		if input >= 0 {
			hits = is(values[input] >= Rules[i].Min)
		}
		values = append(values, hits)
	}
	return values
}

// trail is a value that only API calls have.
func (w *accessWindow) trail(v float64) float64 { return orMissing(v, w.calls > w.hosts) }

// new is a value that needs a history of the account that is old enough.
func (w *accessWindow) new(v float64) float64 {
	return orMissing(v, w.accountDays() >= learningDays)
}

// own is a value that needs a history of the principal itself too.
func (w *accessWindow) own(v float64) float64 {
	return orMissing(v, w.accountDays() >= learningDays && w.known.active() >= learningDays)
}

// Places of the dimensions in event.items.
const (
	itemDay = iota
	itemAction
	itemService
	itemRegion
	itemAgent
	itemNetwork
	itemHour
	itemWith
)

var accessFeatures = []AccessFeature{
	// Volume and pace.
	{"calls", 1, "calls", "calls and logins", "events", fromAccess, "enumeration, guessing", func(w *accessWindow) float64 { return float64(w.calls) }},
	{"active_minutes", 1, "minutes", "minutes with a call", "events", fromAccess, "guessing", func(w *accessWindow) float64 { return float64(w.minutes) }},
	{"calls_minute_max", 1, "calls", "calls in the busiest minute", "events", fromAccess, "enumeration, guessing", func(w *accessWindow) float64 { return float64(w.minuteCallsMax) }},

	// Who.
	{"is_user", 1, "0 or 1", "a user with keys or a password", "events", fromTrail, "none", func(w *accessWindow) float64 { return is(w.identity == "user") }},
	{"is_role", 1, "0 or 1", "a role", "events", fromTrail, "none", func(w *accessWindow) float64 { return is(w.identity == "role") }},
	{"is_service", 1, "0 or 1", "a service of AWS", "events", fromTrail, "none", func(w *accessWindow) float64 { return is(w.identity == "service") }},
	{"root_calls", 1, "calls", "calls of the account's root user", "events", fromTrail, "use of root", func(w *accessWindow) float64 { return float64(w.root) }},
	{"mfa_share", 1, "share", "calls whose session has a second factor", "events", fromTrail, "none", func(w *accessWindow) float64 { return w.trail(share(w.mfa, w.calls)) }},
	{"browser_share", 1, "share", "calls made with a browser", "events", fromTrail, "none", func(w *accessWindow) float64 { return w.trail(share(w.agentKinds[0], w.calls)) }},
	{"shell_share", 1, "share", "calls made with a command line", "events", fromTrail, "hands at a keyboard", func(w *accessWindow) float64 { return w.trail(share(w.agentKinds[1], w.calls)) }},
	{"tool_share", 1, "share", "calls made by tools that keep infrastructure", "events", fromTrail, "none", func(w *accessWindow) float64 { return w.trail(share(w.agentKinds[3], w.calls)) }},

	// Breadth.
	{"actions", 1, "actions", "distinct calls", "events", fromTrail, "enumeration", func(w *accessWindow) float64 { return w.actions.count() }},
	{"services", 1, "services", "distinct services", "events", fromTrail, "enumeration", func(w *accessWindow) float64 { return w.services.count() }},
	{"regions", 1, "regions", "distinct regions", "events", fromTrail, "enumeration, use of forgotten regions", func(w *accessWindow) float64 { return w.regions.count() }},
	{"networks", 1, "networks", "distinct /24 (IPv4) and /48 (IPv6) of sources", "events", fromAccess, "stolen credentials", func(w *accessWindow) float64 { return w.networks.count() }},
	{"agents", 1, "agents", "distinct families of user agents", "events", fromAccess, "stolen credentials", func(w *accessWindow) float64 { return w.agents.count() }},
	{"targets", 1, "things", "distinct things that calls were done to", "events", fromTrail, "enumeration, sweeping", func(w *accessWindow) float64 { return w.targets.count() }},
	{"sessions", 1, "sessions", "distinct sessions of a role", "events", fromTrail, "none", func(w *accessWindow) float64 { return w.sessions.count() }},
	{"calls_per_action", 1, "calls", "calls by distinct calls", "events", fromTrail, "sweeping (high)", func(w *accessWindow) float64 { return w.trail(ratio(float64(w.calls), w.actions.count())) }},

	// Outcome.
	{"failed_share", 1, "share", "calls that failed", "events", fromAccess, "enumeration, guessing", func(w *accessWindow) float64 { return share(w.failed, w.calls) }},
	{"denied_calls", 1, "calls", "calls refused for want of a permission", "events", fromTrail, "enumeration, privilege escalation", func(w *accessWindow) float64 { return float64(w.denied) }},
	{"denied_share", 1, "share", "of all calls", "events", fromTrail, "enumeration, privilege escalation", func(w *accessWindow) float64 { return w.trail(share(w.denied, w.calls)) }},
	{"denied_actions", 1, "actions", "distinct calls refused", "events", fromTrail, "enumeration, privilege escalation", func(w *accessWindow) float64 { return w.deniedActions.count() }},
	{"denied_calls_5m_max", 1, "calls", "calls refused in the worst five minutes", "events", fromTrail, "enumeration", func(w *accessWindow) float64 { return float64(w.fiveDeniedMax) }},

	// What.
	{"write_share", 1, "share", "calls that change something", "events", fromTrail, "persistence, impact", func(w *accessWindow) float64 { return w.trail(share(w.writes, w.calls)) }},
	{"read_actions", 1, "actions", "distinct calls that only look", "events", fromTrail, "enumeration", func(w *accessWindow) float64 { return w.readActions.count() }},
	{"read_actions_5m_max", 1, "actions", "distinct calls that only look, in the busiest five minutes", "events", fromTrail, "enumeration", func(w *accessWindow) float64 { return w.fiveReadsMax }},
	{"sensitive_share", 1, "share", "calls in the catalogue of sensitive ones", "events", fromTrail, "all", func(w *accessWindow) float64 { return w.trail(share(w.sensitive, w.calls)) }},
	{"sensitive_actions", 1, "actions", "distinct sensitive calls", "events", fromTrail, "all", func(w *accessWindow) float64 { return w.sensitiveActions.count() }},
	{"grave_calls", 1, "calls", "sensitive calls of severity 3 and 4, by the catalogue or by a rule that they hit", "events", fromTrail, "all", func(w *accessWindow) float64 { return float64(w.grave) }},
	{"grave_actions", 1, "actions", "distinct ones of them that succeeded", "events", fromTrail, "all", func(w *accessWindow) float64 { return w.graveDone.count() }},
	{"severity_max", 1, "1 to 4", "of the gravest call that succeeded; 0 for none", "events", fromTrail, "all", func(w *accessWindow) float64 { return float64(w.severityMax) }},
	{"sensitive_denied_calls", 1, "calls", "of severity 3 and 4 that failed", "events", fromTrail, "privilege escalation", func(w *accessWindow) float64 { return float64(w.graveDenied) }},
	{"tactics", 1, "tactics", "distinct tactics of ATT&CK that calls serve", "events", fromTrail, "an intrusion as a whole", func(w *accessWindow) float64 {
		n := 0.0
		for _, t := range w.tactics {
			n += is(len(t) > 0)
		}
		return n
	}},
	{"discovery_actions", 1, "actions", "distinct sensitive calls that serve discovery", "events", fromTrail, "enumeration", func(w *accessWindow) float64 { return w.tactics[6].count() }},
	{"account_list_actions", 1, "actions", "distinct calls that list users, roles and rights", "events", fromTrail, "enumeration", func(w *accessWindow) float64 { return w.listed.count() }},
	{"secret_targets", 1, "reads", "reads of secrets and decrypted parameters", "events", fromTrail, "credential access", func(w *accessWindow) float64 { return w.secrets.count() }},
	{"password_targets", 1, "machines", "whose password was asked for", "events", fromTrail, "credential access", func(w *accessWindow) float64 { return w.passwords.count() }},
	{"roles_tried", 1, "roles", "distinct roles that were to be assumed", "events", fromTrail, "privilege escalation", func(w *accessWindow) float64 { return w.rolesTried.count() }},
	{"chained_roles", 1, "calls", "roles assumed by a role", "events", fromTrail, "privilege escalation", func(w *accessWindow) float64 { return float64(w.chained) }},

	// Logins.
	{"logins", 1, "logins", "that succeeded", "events", fromLogins, "none", func(w *accessWindow) float64 { return float64(w.logins) }},
	{"guesses", 1, "logins", "that failed by a password", "events", fromLogins, "guessing", func(w *accessWindow) float64 { return float64(w.guesses) }},
	{"guess_share", 1, "share", "of all logins", "events", fromLogins, "guessing", func(w *accessWindow) float64 { return share(w.guesses, w.guesses+w.logins) }},
	{"guesses_per_minute", 1, "logins", "guesses by minutes with a call", "events", fromLogins, "guessing", func(w *accessWindow) float64 { return ratio(float64(w.guesses), float64(w.minutes)) }},
	{"guessed_pairs", 1, "pairs", "of a principal: sources that guessed; of a source: users at hosts guessed at", "events", fromLogins, "spraying", func(w *accessWindow) float64 { return float64(len(w.perUser)) }},
	{"guesses_per_pair_max", 1, "logins", "most guesses of one such pair", "events", fromLogins, "guessing", func(w *accessWindow) float64 { return most(w.perUser, func(n uint64) float64 { return float64(n) }) }},
	{"sprayed_users", 1, "pairs", "guessed_pairs where each was guessed at three times or less on the mean", "events", fromLogins, "spraying", func(w *accessWindow) float64 {
		if pairs := float64(len(w.perUser)); float64(w.guesses) <= 3*pairs {
			return pairs
		}
		return 0
	}},
	{"login_users", 1, "users", "distinct users", "events", fromLogins, "spraying", func(w *accessWindow) float64 { return orMissing(w.users.count(), w.kind == picket.KindActor) }},
	{"login_hosts", 1, "hosts", "distinct hosts and accounts", "events", fromLogins, "spraying", func(w *accessWindow) float64 { return w.places.count() }},
	{"guesses_before_success_max", 1, "logins", "guesses before a login that succeeded, from the same source", "events", fromLogins, "guessing that came to something", func(w *accessWindow) float64 { return float64(w.streakMax) }},
	{"console_logins_without_mfa", 1, "logins", "at the console, of users, without a second factor", "events", fromTrail, "stolen passwords", func(w *accessWindow) float64 { return float64(w.withoutMFA) }},
	{"console_networks_1h_max", 1, "networks", "distinct /16 (IPv4) and /32 (IPv6) of console logins within an hour", "events", fromTrail, "stolen passwords", (*accessWindow).consoleNetworks},

	// Sequences that cannot be.
	{"key_networks_max", 1, "networks", "from which one temporary key was used", "events", fromTrail, "stolen sessions", func(w *accessWindow) float64 { return most(w.keyNets, items.count) }},
	{"instance_networks_max", 1, "networks", "from which the credentials of one machine were used", "events", fromTrail, "stolen credentials of a machine", func(w *accessWindow) float64 { return most(w.instances, items.count) }},
	{"new_key_calls_elsewhere", 1, "calls", "signed by a key that was made within 64 days from another network", "history", fromTrail, "backdoor keys", func(w *accessWindow) float64 { return float64(w.newKeyCalls) }},

	// First seen: against the days before.
	{"known_days", 1, "days", "of the last 64 with a call of this principal", "history", fromTrail, "none", func(w *accessWindow) float64 { return w.new(float64(w.known.active())) }},
	{"new_actions", 1, "actions", "never called by this principal before; what makes a call another (to whom it opens, that it grants everything or switches off) counts as another call", "history", fromTrail, "all", func(w *accessWindow) float64 { return w.own(w.fresh[itemAction].count()) }},
	{"new_action_share", 1, "share", "of its distinct calls", "history", fromTrail, "all", func(w *accessWindow) float64 { return w.own(ratio(w.fresh[itemAction].count(), w.actions.count())) }},
	{"new_services", 1, "services", "never called by this principal before", "history", fromTrail, "all", func(w *accessWindow) float64 { return w.own(w.fresh[itemService].count()) }},
	{"new_regions", 1, "regions", "never used by this principal before", "history", fromTrail, "use of forgotten regions", func(w *accessWindow) float64 { return w.own(w.fresh[itemRegion].count()) }},
	{"new_agents", 1, "agents", "never used by this principal before", "history", fromTrail, "stolen credentials", func(w *accessWindow) float64 { return w.own(w.fresh[itemAgent].count()) }},
	{"new_networks", 1, "networks", "from which this principal never came before", "history", fromTrail, "stolen credentials", func(w *accessWindow) float64 { return w.own(w.fresh[itemNetwork].count()) }},
	{"new_hours", 1, "hours", "of the day in which this principal never did anything", "history", fromTrail, "stolen credentials", func(w *accessWindow) float64 { return w.own(w.fresh[itemHour].count()) }},
	{"new_recipients", 1, "accounts", "to which this account never opened anything before", "history", fromTrail, "exfiltration, persistence", func(w *accessWindow) float64 { return w.new(w.accountFresh[itemWith].count()) }},
	{"rarest_action_share", 1, "share", "of the principal's days on which its rarest call of the window was made before", "history", fromTrail, "all (0)", func(w *accessWindow) float64 { return w.own(w.rarest) }},
	{"new_grave_actions", 1, "actions", "of severity 3 and 4, never called by this principal before", "history", fromTrail, "all", func(w *accessWindow) float64 { return w.own(w.newGrave.count()) }},
	{"rarest_grave_share", 1, "share", "of the principal's days on which its rarest call of severity 3 and 4 was made before", "history", fromTrail, "all (0)", func(w *accessWindow) float64 { return w.own(w.rarestGrave) }},
	{"new_severity_max", 1, "1 to 4", "of the gravest call that this principal never made before; 0 for none", "history", fromTrail, "all", func(w *accessWindow) float64 { return w.own(float64(w.newSeverity[0])) }},
	{"strange_grave_calls", 1, "calls", "of severity 3 and 4, from a network or agent new to the principal", "history", fromTrail, "stolen credentials", func(w *accessWindow) float64 { return w.own(float64(w.strangeGrave)) }},
	{"account_new_severity_max", 1, "1 to 4", "of the gravest call that was never made in the account before; 0 for none", "history", fromTrail, "all", func(w *accessWindow) float64 { return w.new(float64(w.newSeverity[1])) }},
	{"account_new_actions", 1, "actions", "never called in the account before", "history", fromTrail, "all", func(w *accessWindow) float64 { return w.new(w.accountFresh[itemAction].count()) }},
	{"account_new_grave_actions", 1, "actions", "of severity 3 and 4, never called in the account before", "history", fromTrail, "all", func(w *accessWindow) float64 { return w.new(w.newGraveAc.count()) }},
	{"account_new_regions", 1, "regions", "never used in the account before", "history", fromTrail, "use of forgotten regions", func(w *accessWindow) float64 { return w.new(w.accountFresh[itemRegion].count()) }},
	{"account_new_agents", 1, "agents", "never seen in the account before", "history", fromTrail, "tools of intruders", func(w *accessWindow) float64 { return w.new(w.accountFresh[itemAgent].count()) }},
	{"account_new_networks", 1, "networks", "from which nobody of the account came before", "history", fromTrail, "stolen credentials", func(w *accessWindow) float64 { return w.new(w.accountFresh[itemNetwork].count()) }},
}

func is(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

// speaksAgainst are the features of which more never makes an attack less likely,
// besides those of rules and of what is new. rarest_ features are the other way
// round: what is done every day is no attack for it.
var speaksAgainst = []string{
	"root_calls", "denied_calls", "denied_actions", "denied_calls_5m_max", "read_actions_5m_max", "grave_calls", "grave_actions", "severity_max",
	"sensitive_denied_calls", "tactics", "account_list_actions", "secret_targets", "password_targets", "roles_tried",
	"guesses", "guesses_per_pair_max", "sprayed_users", "guesses_before_success_max", "console_logins_without_mfa", "console_networks_1h_max",
	"key_networks_max", "instance_networks_max", "strange_grave_calls",
}

// AccessMonotone returns, for each column, 1 if the margin of an attack may only rise
// with it, -1 if it may only fall, and 0 where it is free. Without it a booster that
// saw no attack of some kind learns from the one administrator who did the like that
// it speaks for normal.
func AccessMonotone() []int {
	signs := make([]int, len(AccessCatalogue))
	for i, f := range AccessCatalogue {
		switch {
		case strings.HasPrefix(f.Name, "rarest_"):
			signs[i] = -1
		case strings.HasPrefix(f.Name, "rule_"), strings.HasPrefix(f.Name, "new_"), strings.HasPrefix(f.Name, "account_new_"), slices.Contains(speaksAgainst, f.Name):
			signs[i] = 1
		}
	}
	return signs
}
