package simulate

import (
	"bufio"
	"cmp"
	"fmt"
	"io"
	"slices"
	"strconv"
	"time"

	"picket"
)

// Logins is a simulated network of hosts that people log in to by SSH, with the log
// that sshd writes of it: people with keys, people with passwords that they mistype,
// jobs, and guessers. The same logins give the same log, byte by byte.
type Logins struct {
	Seed    uint64
	Start   time.Time
	Days    int
	Hosts   int
	People  int
	Attacks []LoginAttack
}

// LoginAttack is one guesser, or many who work together.
type LoginAttack struct {
	Kind     string // of LoginAttackKinds
	At       time.Duration
	Strength float64 // 1 is usual; guesses and speed grow with it
}

// LoginTruth says when an entity guessed, or was guessed at.
type LoginTruth struct {
	Entity picket.Entity
	Class  string
	Kind   string
	Times  []int64 // Unix seconds of guesses, in order
}

// LoginAttackKinds are the ways to guess that Logins knows.
func LoginAttackKinds() []string {
	return []string{"one-user", "dictionary", "slow", "hosts", "distributed", "found"}
}

// RandomLogins makes logins by chance, with attacks of the given kinds only.
func RandomLogins(seed uint64, days int, kinds []string) *Logins {
	d := newDice(seed, 21)
	l := &Logins{Seed: seed, Start: time.Date(2025, 1, 1+d.IntN(364), 0, 0, 0, 0, time.UTC), Days: days, Hosts: d.count(span{1, 12}), People: d.count(span{2, 20})}
	if len(kinds) == 0 {
		return l
	}
	for range d.count(span{4, 20}) {
		l.Attacks = append(l.Attacks, LoginAttack{
			Kind: kinds[d.IntN(len(kinds))], At: time.Duration(d.Float64() * float64(days) * 0.9 * float64(24*time.Hour)), Strength: d.in(span{0.3, 4}),
		})
	}
	return l
}

// sshLine is one line of the log.
type sshLine struct {
	at         int64 // Unix seconds
	host, text string
}

// loginPlay is logins under way.
type loginPlay struct {
	*Logins
	d      dice
	users  []string
	lines  []sshLine
	truths map[picket.Entity]*LoginTruth
}

// Write writes the log, with times of ISO 8601, and returns who guessed and who was
// guessed at.
func (l *Logins) Write(w io.Writer) ([]LoginTruth, error) {
	p := &loginPlay{Logins: l, d: newDice(l.Seed, 22), truths: map[picket.Entity]*LoginTruth{}}
	for i := range max(1, l.People) {
		p.users = append(p.users, []string{"root", "ana", "ben", "deploy", "chloe", "git", "dev", "backup", "eli", "fatou", "ubuntu", "gus"}[i%12]+suffix(i/12))
	}
	p.people()
	for i := range l.Attacks {
		p.attack(&l.Attacks[i], newDice(l.Seed^mix(uint64(i)), 23))
	}
	slices.SortStableFunc(p.lines, func(a, b sshLine) int { return cmp.Compare(a.at, b.at) })
	out := bufio.NewWriter(w)
	for i := range p.lines {
		line := &p.lines[i]
		fmt.Fprintf(out, "%s %s sshd[%d]: %s\n", time.Unix(line.at, 0).UTC().Format("2006-01-02T15:04:05+00:00"), line.host, 1000+i%30000, line.text)
	}
	var truths []LoginTruth
	for _, t := range p.truths {
		slices.Sort(t.Times)
		truths = append(truths, *t)
	}
	slices.SortFunc(truths, func(a, b LoginTruth) int {
		return cmp.Or(cmp.Compare(a.Entity.Kind, b.Entity.Kind), cmp.Compare(a.Entity.ID, b.Entity.ID))
	})
	return truths, out.Flush()
}

func suffix(n int) string {
	if n == 0 {
		return ""
	}
	return strconv.Itoa(n)
}

func (p *loginPlay) host(i int) string { return fmt.Sprintf("host%02d", i%max(1, p.Hosts)) }

func (p *loginPlay) say(at int64, host int, format string, args ...any) {
	p.lines = append(p.lines, sshLine{at, p.host(host), fmt.Sprintf(format, args...)})
}

// people log in at their hours; some by password, and some of them mistype it.
func (p *loginPlay) people() {
	for i, user := range p.users {
		d := newDice(p.Seed^mix(uint64(i)), 24)
		from := fmt.Sprintf("10.%d.%d.%d", d.IntN(4), d.IntN(8), 2+d.IntN(250))
		outside := publicIP(d)
		byKey, perDay, clumsy := d.chance(0.6), d.in(span{0.5, 12}), d.in(span{0.02, 0.3})
		job := d.chance(0.15) // runs around the clock
		for day := range p.Days {
			for range int(perDay + d.Float64()) {
				at := p.Start.Unix() + int64(day)*86400 + int64(28800+d.IntN(36000))
				if job {
					at = p.Start.Unix() + int64(day)*86400 + int64(d.IntN(86400))
				}
				ip := from
				if d.chance(0.15) {
					ip = outside
				}
				p.logIn(d, at, d.rank(max(1, p.Hosts)), user, ip, byKey, clumsy)
			}
		}
		if d.chance(0.06) { // a job whose password was changed, until somebody notices
			at := p.Start.Unix() + int64(d.IntN(max(1, p.Days)*86400))
			for range 2 + d.IntN(30) {
				p.say(at, i, "Failed password for %s from %s port %d ssh2", user, from, d.ephemeral())
				at += int64(d.in(span{300, 3600}))
			}
		}
	}
}

func (p *loginPlay) logIn(d dice, at int64, host int, user, ip string, byKey bool, clumsy float64) {
	port := d.ephemeral()
	if byKey {
		if d.chance(0.1) {
			p.say(at, host, "Failed publickey for %s from %s port %d ssh2: RSA SHA256:%x", user, ip, port, d.Uint64())
		}
		p.say(at, host, "Accepted publickey for %s from %s port %d ssh2: ED25519 SHA256:%x", user, ip, port, mix(uint64(len(user))))
		return
	}
	for d.chance(clumsy) {
		p.say(at, host, "Failed password for %s from %s port %d ssh2", user, ip, port)
		at += int64(d.in(span{3, 20}))
	}
	if d.chance(clumsy / 3) { // has forgotten it, or mistypes the name, and gives up
		name := user
		if d.chance(0.3) {
			name = "invalid user " + user + "e"
			p.say(at, host, "Invalid user %se from %s port %d", user, ip, port)
		}
		for range 1 + d.rank(6) {
			p.say(at, host, "Failed password for %s from %s port %d ssh2", name, ip, port)
			at += int64(d.in(span{4, 40}))
		}
		return
	}
	p.say(at, host, "Accepted password for %s from %s port %d ssh2", user, ip, port)
}

// names that guessers try.
var guessed = []string{"root", "admin", "test", "oracle", "postgres", "user", "ubuntu", "guest", "git", "mysql", "nagios", "ftp", "pi", "tomcat", "support", "www", "hadoop", "jenkins", "es", "deploy", "minecraft", "teamspeak", "ansible", "vagrant", "ec2-user", "dev", "student", "backup", "web", "info"}

// attack plays one attack.
func (p *loginPlay) attack(a *LoginAttack, d dice) {
	at := float64(p.Start.Add(a.At).Unix())
	end := p.Start.Unix() + int64(p.Days)*86400 - 60
	guesses := int(d.in(span{15, 400}) * a.Strength)
	gap := d.in(span{1, 8}) / a.Strength
	source, target := publicIP(d), d.IntN(max(1, p.Hosts))
	if d.chance(0.2) {
		source = fmt.Sprintf("10.%d.%d.%d", d.IntN(4), d.IntN(8), 2+d.IntN(250)) // from within
	}
	crowd := 20 + d.IntN(150)
	seed := d.Uint64()
	for i := range guesses {
		user, host, from := "root", target, source
		switch a.Kind {
		case "dictionary":
			user = guessed[(i/(1+int(seed%3)))%len(guessed)] + suffix(i/90)
		case "slow":
			gap = 60 + float64(seed%500)
			user = guessed[i%(1+int(seed%4))]
		case "hosts":
			host, user = i, guessed[(i/max(1, p.Hosts))%len(guessed)]
		case "distributed":
			x := mix(seed ^ uint64(i%crowd))
			from = fmt.Sprintf("%d.%d.%d.%d", 20+x%180, x>>8%256, x>>16%256, 1+x>>24%250)
		}
		if i == guesses-1 && a.Kind == "found" {
			user = p.users[0]
			p.say(int64(at), host, "Accepted password for %s from %s port %d ssh2", user, from, d.ephemeral())
			p.tell(picket.KindActor, from, a.Kind, int64(at))
			p.tell(picket.KindPrincipal, user, a.Kind, int64(at))
			return
		}
		p.guess(d, a.Kind, int64(at), host, user, from)
		if at += d.around(gap, 0.5); int64(at) >= end {
			return
		}
	}
}

func (p *loginPlay) guess(d dice, kind string, at int64, host int, user, from string) {
	port := d.ephemeral()
	if slices.Contains(p.users, user) || user == "root" {
		p.say(at, host, "Failed password for %s from %s port %d ssh2", user, from, port)
	} else {
		p.say(at, host, "Invalid user %s from %s port %d", user, from, port)
		p.say(at, host, "Failed password for invalid user %s from %s port %d ssh2", user, from, port)
	}
	p.tell(picket.KindActor, from, kind, at)
	p.tell(picket.KindPrincipal, user, kind, at)
}

func (p *loginPlay) tell(kind picket.Kind, id, attack string, at int64) {
	e := picket.Entity{Kind: kind, ID: id}
	t := p.truths[e]
	if t == nil {
		t = &LoginTruth{Entity: e, Class: picket.ClassBruteforce, Kind: attack}
		p.truths[e] = t
	}
	t.Times = append(t.Times, at)
}
