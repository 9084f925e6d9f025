package extract

import (
	_ "embed"
	"fmt"
	"slices"
	"strings"
	"sync"
)

// Call is a sensitive API call: what is called matters more than how often.
type Call struct {
	Service   string // "iam"
	Action    string // "CreateAccessKey"
	Tactic    string // of ATT&CK: "persistence"
	Technique string // of ATT&CK: "T1098.001"
	Severity  int    // 1 to 4; see accesscalls.tsv
	Class     string // what rules call it; "" for none
}

//go:embed accesscalls.tsv
var callsTable string

// Calls is the catalogue of sensitive API calls, in the order of its table.
var Calls = sync.OnceValue(func() []Call {
	var calls []Call
	for line := range strings.Lines(callsTable) {
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		f := strings.Split(line, "\t")
		if len(f) != 6 || len(f[4]) != 1 || f[4] < "1" || f[4] > "4" || !slices.Contains(accessTactics, f[2]) {
			panic(fmt.Sprintf("accesscalls.tsv: %q", line))
		}
		c := Call{f[0], f[1], f[2], f[3], int(f[4][0] - '0'), f[5]}
		if c.Class == "-" {
			c.Class = ""
		}
		calls = append(calls, c)
	}
	return calls
})

// callOf finds the entry of a call, nil where it is not sensitive.
var callOf = sync.OnceValue(func() map[string]*Call {
	m := map[string]*Call{}
	for _, c := range Calls() {
		m[c.Service+":"+c.Action] = &c
	}
	return m
})

// accessTactics are the tactics of ATT&CK that calls serve, in the order of the
// matrix.
var accessTactics = []string{
	"initial-access", "execution", "persistence", "privilege-escalation", "defense-evasion", "credential-access",
	"discovery", "lateral-movement", "collection", "exfiltration", "impact",
}
