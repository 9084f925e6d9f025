package triage

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// rows repeats a line of an alert, with the numbers from 1 to n put into it.
func rows(n int, format string) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, format+"\n", i+1)
	}
	return b.String()
}

// open leaves out what was closed.
func open(text string) string {
	var kept []string
	for _, line := range strings.Split(text, "\n") {
		if !strings.HasPrefix(line, "closed ") {
			kept = append(kept, line)
		}
	}
	return strings.Join(kept, "\n")
}

func TestGather(t *testing.T) {
	f := func(name, alerts, want string) {
		t.Run(name, func(t *testing.T) {
			t.Helper()
			found := Triage(parse(t, alerts), Config{})
			got := open(short(found))
			for _, f := range found {
				for _, fact := range f.Facts {
					got = fact.Name + ": " + fact.Value + "\n" + got
				}
			}
			if d := cmp.Diff(lines(want), lines(got)); d != "" {
				t.Errorf("(-want +got)\n%s", d)
			}
		})
	}
	member := "10:00+60 actor 10.1.0.%d bruteforce .60 flows=20 peers=10.0.0.5:18,10.0.0.6:2"
	f("a crowd whose victim shows nothing is one finding", rows(5, member),
		`bruteforce victim 10.0.0.5 0.60/60 10:00 to 10:01 n=5 [10.1.0.1 10.1.0.2 10.1.0.3 10.1.0.4 10.1.0.5]`)
	f("four are no crowd", rows(4, member), strings.TrimSpace(rows(4,
		"bruteforce actor 10.1.0.%d 0.60/60 10:00 to 10:01 n=1 [10.0.0.5 10.0.0.6]")))
	f("a leader has a finding of its own", rows(5, member)+
		"10:00+60 actor 10.2.0.1 bruteforce .99 flows=300 peers=10.0.0.5:300",
		`bruteforce actor 10.2.0.1 0.99/60 10:00 to 10:01 n=1 [10.0.0.5]
		bruteforce victim 10.0.0.5 0.60/60 10:00 to 10:01 n=5 [10.1.0.1 10.1.0.2 10.1.0.3 10.1.0.4 10.1.0.5]`)
	f("who comes an hour later is of no crowd", rows(5, member)+
		"12:00+60 actor 10.1.0.9 bruteforce .60 flows=20 peers=10.0.0.5:20",
		`bruteforce actor 10.1.0.9 0.60/60 12:00 to 12:01 n=1 [10.0.0.5]
		bruteforce victim 10.0.0.5 0.60/60 10:00 to 10:01 n=5 [10.1.0.1 10.1.0.2 10.1.0.3 10.1.0.4 10.1.0.5]`)
	f("scanners of one host are not of one mind", rows(5, "10:00+60 actor 10.1.0.%d scan .60 flows=20 peers=10.0.0.5:20"),
		strings.TrimSpace(rows(5, "scan actor 10.1.0.%d 0.60/60 10:00 to 10:01 n=1 [10.0.0.5]")))

	guesser := "10:00+3600 actor 10.1.0.1 bruteforce .99 detector=access flows=60 peers=web:60\n"
	guessed := "10:00+3600 principal user%d unauthorized_access .90 flows=12 peers=10.1.0.1:12 rule_password_guessing=1"
	f("the users that one guesser tries are its finding", guesser+rows(6, guessed),
		`bruteforce actor 10.1.0.1 0.99/3600 10:00 to 11:00 n=1 [web]
		users guessed at: user1, user2, user3, user4 and 2 more`)
	f("one user has a finding beside the guesser's", guesser+rows(1, guessed),
		`bruteforce actor 10.1.0.1 0.99/3600 10:00 to 11:00 n=1 [web]
		unauthorized_access principal user1 0.90/3600 10:00 to 11:00 n=1 [10.1.0.1]`)
	f("who was got at has a finding", guesser+rows(6, guessed)+
		"10:00+3600 principal root unauthorized_access .90 flows=12 peers=10.1.0.1:12 rule_success_after_failures=1 rule_password_guessing=1",
		`bruteforce actor 10.1.0.1 0.99/3600 10:00 to 11:00 n=1 [web]
		unauthorized_access principal root 0.90/3600 10:00 to 11:00 n=1 [10.1.0.1]
		users guessed at: user1, user2, user3, user4 and 2 more`)
	f("many guessers of one user are the user's finding", rows(5, "10:00+3600 actor 10.1.0.%d bruteforce .95 detector=access flows=9 peers=web:9")+
		"10:00+3600 principal root unauthorized_access .90 flows=45 peers=10.1.0.1:9,10.1.0.2:9,10.1.0.3:9,10.1.0.4:9,10.1.0.5:9 rule_password_spraying=1",
		`unauthorized_access principal root 0.90/3600 10:00 to 11:00 n=1 [10.1.0.1 10.1.0.2 10.1.0.3 10.1.0.4 10.1.0.5]`)

	name := "10:00+3600 name h%d.example.co.uk phishing .9 flows=1 peers=10.0.0.5:1"
	f("the names of one domain are one finding", rows(6, name),
		`phishing name h1.example.co.uk 0.90/3600 10:00 to 11:00 n=1 [10.0.0.5]
		names: 6 of example.co.uk`)
	f("those of a public suffix are not", rows(6, "10:00+3600 name h%d.pages.dev phishing .9 flows=1 peers=10.0.0.5:1"),
		strings.TrimSpace(rows(6, "phishing name h%d.pages.dev 0.90/3600 10:00 to 11:00 n=1 [10.0.0.5]")))
	f("what a tunnel is made of is its finding", rows(6, name)+
		"10:00+3600 name other.example phishing .9 flows=1 peers=10.0.0.5:1\n"+
		"10:00+3600 actor 10.0.0.5 exfiltration .5 flows=300 peers=example.co.uk:300 ruling="+TypeNameTunnel,
		`exfiltration actor 10.0.0.5 0.50/3600 10:00 to 11:00 n=1 [example.co.uk]
		phishing name other.example 0.90/3600 10:00 to 11:00 n=1 [10.0.0.5]`)
}
