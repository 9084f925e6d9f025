package extract

import (
	"math"
	"net/netip"
	"slices"
	"strings"

	"picket"
)

// accessWindow is what one entity did in one window. Events come in the order of
// their times.
type accessWindow struct {
	kind           picket.Kind
	start, seconds int64
	known          *known            // of the principal on earlier days; nil if nothing is
	accounts       map[string]*known // nil without a history

	calls, failed, denied, writes, guesses, hosts uint64
	identity                                      string // "user", "role", ...: the last seen
	minutes                                       uint64 // with a call

	actions, services, regions, networks, agents, targets, sessions, keys items
	deniedActions, readActions, users, places                             items

	fiveDenied, fiveDeniedMax, minuteCalls, minuteCallsMax uint64
	minute, five                                           int64 // at hand
	fiveReads                                              items
	fiveReadsMax                                           float64

	sensitive, grave, graveDenied uint64
	severityMax                   int
	sensitiveActions, graveDone   items
	tactics                       [11]items
	listed, secrets, passwords    items
	chained                       uint64
	rolesTried                    items
	rules                         []uint64

	logins      uint64 // that succeeded
	consoles    []console
	withoutMFA  uint64
	root, mfa   uint64
	newKeyCalls uint64
	streaks     map[string]uint64 // guesses from a source, or at a user, since the last success
	streakMax   uint64
	broken      uint64 // successes after a streak
	perUser     map[string]uint64
	keyNets     map[string]items
	instances   map[string]items

	fresh, accountFresh  [8]items
	newGrave, newGraveAc items
	newSeverity          [2]int // of the gravest deed that is new: to the principal, to the account
	strangeGrave         uint64 // grave calls from a network or agent that is new to the principal
	rarest, rarestGrave  float64
	agentKinds           [4]uint64
}

// console is a successful login at the console.
type console struct {
	at      int64
	network string
}

// maxFollowed bounds the sources, users and keys that a window follows one by one.
const maxFollowed = 1 << 14

func newAccessWindow(start, seconds int64) *accessWindow {
	return &accessWindow{
		start: start, seconds: seconds, rules: make([]uint64, len(Rules)), five: math.MinInt64,
		rarest: math.NaN(), rarestGrave: math.NaN(),
	}
}

// add counts an event.
func (w *accessWindow) add(e *event) {
	w.calls = add64(w.calls, e.count)
	w.identity = e.kind
	if e.kind == "login" {
		w.hosts = add64(w.hosts, e.count)
	}
	w.pace(e)
	w.actions.add(e.call())
	w.services.add(e.service)
	w.regions.add(e.region)
	w.networks.add(e.network())
	w.agents.add(e.agent)
	w.targets.add(e.target)
	w.sessions.add(e.session)
	w.keys.add(e.keyID)
	w.users.add(e.principal)
	w.places.add(e.account)
	if e.failed {
		w.failed = add64(w.failed, e.count)
	}
	if e.write {
		w.writes = add64(w.writes, e.count)
	} else if !e.login() {
		w.readActions.add(e.call())
	}
	if e.denied() {
		w.denied = add64(w.denied, e.count)
		w.deniedActions.add(e.call())
	}
	if e.mfa {
		w.mfa = add64(w.mfa, e.count)
	}
	if e.kind == "root" {
		w.root = add64(w.root, e.count)
	}
	w.agentKinds[agentKind(e)] += e.count
	w.credentials(e)
	w.login(e)
	w.novelty(e, w.sensitivity(e))
}

// pace counts per minute and per five minutes.
func (w *accessWindow) pace(e *event) {
	minute := floorDiv(e.at, minuteNanos)
	if minute != w.minute || w.minutes == 0 {
		w.minutes++
		w.minute, w.minuteCalls = minute, 0
	}
	w.minuteCalls = add64(w.minuteCalls, e.count)
	w.minuteCallsMax = max(w.minuteCallsMax, w.minuteCalls)
	if five := floorDiv(minute, 5); five != w.five {
		w.five, w.fiveDenied, w.fiveReads = five, 0, nil
	}
	if e.denied() {
		w.fiveDenied = add64(w.fiveDenied, e.count)
		w.fiveDeniedMax = max(w.fiveDeniedMax, w.fiveDenied)
	}
	if !e.write && !e.login() {
		w.fiveReads.add(e.call())
		w.fiveReadsMax = max(w.fiveReadsMax, w.fiveReads.count())
	}
}

// elapsed is from the start of the window to the end of the minute at hand.
func (w *accessWindow) elapsed() int64 {
	return min(w.seconds, (w.minute+1)*picket.Minute-w.start)
}

// agentKind is who seems to sit behind an agent: a person at a browser, a person or
// script at a shell, a program, or a tool that keeps infrastructure.
func agentKind(e *event) int {
	switch {
	case e.agent == "browser":
		return 0
	case e.agent == "aws-cli" || e.agent == "aws-powershelltools" || e.agent == "openssh":
		return 1
	case e.agent == "terraform" || e.agent == "pulumi" || e.agent == "cloudformation" || e.agent == "ansible":
		return 3
	}
	return 2
}

// credentials follows keys and the sessions of machines from network to network.
func (w *accessWindow) credentials(e *event) {
	network := e.network()
	if network == "" || network == "aws" || e.kind == "login" {
		return
	}
	if strings.HasPrefix(e.keyID, "ASIA") && e.agent != "browser" { // a browser roams
		follow(&w.keyNets, e.keyID, network)
	}
	if isInstance(e.session) && !e.local() {
		follow(&w.instances, e.session, network)
	}
	if account := w.accounts[e.account]; account != nil && e.keyID != "" {
		if made, ok := account.keys[hashItem(e.keyID)]; ok && made != hashItem(network) {
			w.newKeyCalls = add64(w.newKeyCalls, e.count)
		}
	}
}

func follow(m *map[string]items, key, network string) {
	if *m == nil {
		*m = map[string]items{}
	}
	nets, ok := (*m)[key]
	if !ok && len(*m) >= maxFollowed {
		return
	}
	nets.add(network)
	(*m)[key] = nets
}

// isInstance reports whether a session is that of a machine: its id is the name.
func isInstance(session string) bool {
	id, ok := strings.CutPrefix(session, "i-")
	return ok && (len(id) == 8 || len(id) == 17) && strings.Trim(strings.ToLower(id), "0123456789abcdef") == ""
}

// local reports whether the event came from a private address, as by way of an
// endpoint in the machine's own network.
func (e *event) local() bool {
	a, err := netip.ParseAddr(e.from)
	return err == nil && a.IsPrivate()
}

// login counts guesses and what they came to.
func (w *accessWindow) login(e *event) {
	if e.kind == "login" && e.action == "invalid user" {
		return
	}
	if !e.login() {
		return
	}
	other := e.from // of a principal: who tried; of an actor: whom it tried
	if w.kind == picket.KindActor {
		other = e.account + " " + e.principal
	}
	if w.streaks == nil {
		w.streaks, w.perUser = map[string]uint64{}, map[string]uint64{}
	}
	if e.guess() {
		w.guesses = add64(w.guesses, e.count)
		if _, ok := w.streaks[other]; ok || len(w.streaks) < maxFollowed {
			w.streaks[other] = add64(w.streaks[other], e.count)
			w.perUser[other] = add64(w.perUser[other], e.count)
		}
		return
	}
	if e.failed {
		return
	}
	w.logins = add64(w.logins, e.count)
	streak := w.streaks[other]
	if w.kind == picket.KindActor { // a guesser finds one user in the end
		streak = w.guesses
	}
	if streak > 0 {
		w.broken++
		w.streakMax = max(w.streakMax, streak)
	}
	delete(w.streaks, other)
	if e.service == "signin" {
		if !e.mfa && (e.kind == "user" || e.kind == "root") {
			w.withoutMFA = add64(w.withoutMFA, e.count)
		}
		if len(w.consoles) < maxFollowed {
			w.consoles = append(w.consoles, console{e.at, e.region16()})
		}
	}
}

// region16 is the source's neighbourhood at large: the /16 or /32 of an address.
func (e *event) region16() string {
	f := strings.SplitN(e.network(), ".", 3)
	if len(f) == 3 {
		return f[0] + "." + f[1]
	}
	g := strings.SplitN(e.network(), ":", 3)
	return strings.Join(g[:min(len(g), 2)], ":")
}

// consoleNetworks is the most networks at large of console logins within an hour.
func (w *accessWindow) consoleNetworks() float64 {
	most := 0
	for i := range w.consoles {
		seen := map[string]bool{}
		for j := i; j < len(w.consoles) && w.consoles[j].at-w.consoles[i].at <= 3600*1e9; j++ {
			seen[w.consoles[j].network] = true
		}
		most = max(most, len(seen))
		if i == 256 { // enough to tell
			break
		}
	}
	return float64(most)
}

// grave is the severity from which on a call counts as grave.
const grave = 3

// sensitivity takes what the catalogue of calls and the rules say, and returns how
// grave the event is: as the catalogue has it, or the gravest rule that it hits.
func (w *accessWindow) sensitivity(e *event) (severity int) {
	c := callOf()[e.call()]
	if c == nil {
		return 0
	}
	severity = c.Severity
	for i := range Rules {
		if len(Rules[i].Classes) > 0 && Rules[i].takes(e, c.Class) {
			w.rules[i] = add64(w.rules[i], e.count)
			severity = max(severity, Rules[i].Severity)
		}
	}
	w.sensitive = add64(w.sensitive, e.count)
	w.sensitiveActions.add(e.call())
	w.tactics[slices.Index(accessTactics, c.Tactic)].add(e.call())
	if !e.failed {
		w.severityMax = max(w.severityMax, severity)
	}
	if severity >= grave {
		w.grave = add64(w.grave, e.count)
		if e.failed {
			w.graveDenied = add64(w.graveDenied, e.count)
		} else {
			w.graveDone.add(e.deed())
		}
	}
	w.sweep(e, c.Class)
	return severity
}

// sweep follows what intruders do many times over.
func (w *accessWindow) sweep(e *event, class string) {
	switch class {
	case "account_listed":
		w.listed.add(e.call())
	case "secret_read":
		w.secrets.add(e.call() + " " + e.target + " " + e.id)
	case "parameter_read":
		if e.params["secret"] == "true" {
			w.secrets.add(e.call() + " " + e.target + " " + e.id)
		}
	case "password_read":
		w.passwords.add(e.target)
	case "role_assumed":
		w.rolesTried.add(e.target)
		if e.kind == "role" {
			w.chained = add64(w.chained, e.count)
		}
	}
}

// novelty compares the event with what was seen on earlier days.
func (w *accessWindow) novelty(e *event, severity int) {
	if w.accounts == nil {
		return
	}
	account := w.accounts[e.account]
	days, accountDays := w.known.active(), account.active()
	strange := false
	for i, it := range e.items() {
		if it.text == "" {
			continue
		}
		h := hashItem(it.text)
		seen := w.known.seen(it.dim, h)
		if seen == 0 {
			w.fresh[i].add(it.text)
			strange = strange || it.dim == dimNetwork || it.dim == dimAgent
		}
		first := account.seen(it.dim, h) == 0 && accountDays > 0
		if first {
			w.accountFresh[i].add(it.text)
		}
		if it.dim == dimAction {
			w.deed(it.text, severity, seen, days, first)
		}
	}
	if strange && severity >= grave {
		w.strangeGrave = add64(w.strangeGrave, e.count)
	}
}

// deed takes how rare a deed is: on how many of the principal's days it was seen
// before, and whether it is the first of the account.
func (w *accessWindow) deed(text string, severity, seen, days int, first bool) {
	share := float64(seen) / float64(max(1, days))
	if days > 0 {
		w.rarest = least(w.rarest, share)
	}
	if seen == 0 {
		w.newSeverity[0] = max(w.newSeverity[0], severity)
	}
	if first {
		w.newSeverity[1] = max(w.newSeverity[1], severity)
	}
	if severity < grave {
		return
	}
	if days > 0 {
		w.rarestGrave = least(w.rarestGrave, share)
	}
	if seen == 0 {
		w.newGrave.add(text)
	}
	if first {
		w.newGraveAc.add(text)
	}
}

func least(a, b float64) float64 {
	if a < b {
		return a
	}
	return b
}

// accountDays is on how many earlier days anything was seen of any account, 0
// without a history.
func (w *accessWindow) accountDays() int {
	most := 0
	for _, k := range w.accounts {
		most = max(most, k.active())
	}
	return most
}

func most[V any](m map[string]V, of func(V) float64) float64 {
	best := 0.0
	for _, v := range m {
		best = max(best, of(v))
	}
	return best
}
