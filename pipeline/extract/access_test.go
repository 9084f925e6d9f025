package extract

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"picket"
)

const accessDay = 1_767_225_600 // 2026-01-01T00:00:00Z

// accessRecords are events of some users of two accounts and of logins at hosts.
func accessRecords(r *rand.Rand, n int) []picket.Record {
	actions := []string{"DescribeInstances", "CreateAccessKey", "StopLogging", "ListUsers", "GetSecretValue", "ModifySnapshotAttribute"}
	records := make([]picket.Record, n)
	for i := range records {
		at := accessDay*1e9 + r.Int64N(20*3600)*1e9
		rec := picket.Record{Source: picket.SourceAccess, Start: at, End: at, Line: uint64(i + 1), Src: netip.AddrFrom4([4]byte{192, 0, byte(r.IntN(3)), byte(r.IntN(4))})}
		if r.IntN(4) == 0 {
			rec.Access = &picket.Access{Kind: "login", Service: "ssh", Action: "login", Principal: fmt.Sprint("user", r.IntN(3)), Account: fmt.Sprint("host", r.IntN(2)), Failed: r.IntN(3) > 0, Count: 1 + r.Uint64N(3)}
		} else {
			rec.Access = &picket.Access{ID: fmt.Sprint("id", i), Kind: "user", Service: "iam.amazonaws.com", Action: actions[r.IntN(len(actions))], Region: "eu-west-1",
				Principal: fmt.Sprint("arn:aws:iam::111122223333:user/u", r.IntN(4)), Account: "111122223333", Agent: "aws-cli/2", Write: r.IntN(2) == 0, Failed: r.IntN(5) == 0, Count: 1,
				Params: map[string]string{"user": "x", "shared": "public"}}
		}
		records[i] = rec
	}
	return records
}

// accessParts cuts records into objects and makes their parts.
func accessPartsOf(t testing.TB, records []picket.Record, objects, maxRows int, r *rand.Rand) []Part {
	t.Helper()
	builders := make([]*AccessBuilder, objects)
	for i := range builders {
		builders[i] = NewAccessBuilder(Options{MaxRows: maxRows, TempDir: t.TempDir()})
	}
	for i := range records {
		at := 0
		if objects > 1 {
			at = r.IntN(objects)
		}
		if err := builders[at].Add(&records[i]); err != nil {
			t.Fatal(err)
		}
	}
	var parts []Part
	for i, b := range builders {
		_, err := b.Finish(func(id PartID) (io.WriteCloser, error) {
			var out bytes.Buffer
			parts = append(parts, Part{ID: id, Object: fmt.Sprint("object", i), Open: func() (io.ReadCloser, error) {
				return io.NopCloser(bytes.NewReader(out.Bytes())), nil
			}})
			return unclosed{&out}, nil
		})
		if err != nil {
			t.Fatal(err)
		}
		b.Close()
	}
	return parts
}

// closeAccess prints every row of a day.
func closeAccess(t testing.TB, parts []Part, history *Part, maxRows int) string {
	t.Helper()
	var out strings.Builder
	o := CloseOptions{Source: picket.SourceAccess, From: accessDay, To: accessDay + picket.Day, Seconds: []int64{picket.Hour, picket.Day}, History: history, MaxRows: maxRows, TempDir: t.TempDir()}
	_, err := AccessWindows(context.Background(), parts, o, func(f *picket.Features) error {
		fmt.Fprintln(&out, f.Window, f.Flows, f.Values)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out.String()
}

func historyOf(t testing.TB, day int64, prev *Part, parts []Part, maxRows int) *Part {
	t.Helper()
	var out bytes.Buffer
	if err := WriteAccessHistory(context.Background(), unclosed{&out}, day, prev, parts, Options{MaxRows: maxRows, TempDir: t.TempDir()}); err != nil {
		t.Fatal(err)
	}
	return &Part{ID: PartID{day + picket.Day, AccessHistorySource}, Open: func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(out.Bytes())), nil }}
}

func bytesOf(t testing.TB, p *Part) []byte {
	t.Helper()
	r, err := p.Open()
	if err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// Any cut of the events into objects, in any order, some of them told twice, with or
// without spilling, gives the same rows and the same history.
func TestAccessAnyCut(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	records := accessRecords(r, 600)
	whole := accessPartsOf(t, records, 1, 0, r)
	want, past := closeAccess(t, whole, nil, 0), bytesOf(t, historyOf(t, accessDay, nil, whole, 0))
	if n := strings.Count(want, "\n"); n < 50 {
		t.Fatalf("%d rows", n)
	}
	for range 12 {
		again := slices.Clone(records)
		for i := range records { // events with an id are delivered at least once
			if records[i].Access.ID != "" && r.IntN(3) == 0 {
				again = append(again, records[i])
			}
		}
		r.Shuffle(len(again), func(i, j int) { again[i], again[j] = again[j], again[i] })
		parts := accessPartsOf(t, again, 1+r.IntN(9), 1+r.IntN(200), r)
		if got := closeAccess(t, parts, nil, 1+r.IntN(300)); got != want {
			t.Fatal("rows differ between two cuts")
		}
		if got := bytesOf(t, historyOf(t, accessDay, nil, parts, 1+r.IntN(300))); !bytes.Equal(got, past) {
			t.Fatal("histories differ between two cuts")
		}
	}
}

// value returns a feature of one window.
func accessValue(t testing.TB, records []picket.Record, history *Part, e picket.Entity, seconds int64, feature string) float64 {
	t.Helper()
	found := math.Inf(-1)
	parts := accessPartsOf(t, records, 1, 0, nil)
	o := CloseOptions{Source: picket.SourceAccess, From: parts[0].ID.Hour - parts[0].ID.Hour%picket.Day, Seconds: []int64{seconds}, History: history}
	o.To = o.From + picket.Day
	at := slices.IndexFunc(AccessCatalogue, func(f AccessFeature) bool { return f.Name == feature })
	_, err := AccessWindows(context.Background(), parts, o, func(f *picket.Features) error {
		if f.Entity == e {
			found = f.Values[at]
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

var alice = picket.Entity{Kind: picket.KindPrincipal, ID: "arn:aws:iam::111122223333:user/alice"}

func call(second int64, action string, change func(*picket.Record)) picket.Record {
	service, name, _ := strings.Cut(action, ":")
	r := picket.Record{Source: picket.SourceAccess, Start: (accessDay + second) * 1e9, End: (accessDay + second) * 1e9, Line: 1, Src: netip.MustParseAddr("198.51.100.7"),
		Access: &picket.Access{ID: fmt.Sprint(action, second), Principal: alice.ID, Account: "111122223333", Kind: "user", Service: service + ".amazonaws.com", Action: name,
			Region: "eu-west-1", Agent: "aws-cli/2.15", Key: "AKIAALICE", Count: 1}}
	if change != nil {
		change(&r)
	}
	return r
}

// What was seen on earlier days is not new, of the principal or of anybody in the
// account; before there is enough of a history nothing is.
func TestAccessFirstSeen(t *testing.T) {
	var history *Part
	day := int64(accessDay)
	for i := range int64(8) { // a week of the same work, and one strange call that failed
		at := (i - 8) * picket.Day
		records := []picket.Record{call(at, "ec2:DescribeInstances", nil), call(at+60, "s3:ListBuckets", nil),
			call(at+90, "iam:CreateUser", func(r *picket.Record) { r.Access.Failed = true }),
			call(at+120, "kms:Decrypt", func(r *picket.Record) { r.Access.Principal = "arn:aws:iam::111122223333:role/app" })}
		history = historyOf(t, day+at, history, accessPartsOf(t, records, 1, 0, nil), 0)
		if i == 2 {
			if v := accessValue(t, []picket.Record{call(0, "kms:Decrypt", nil)}, history, alice, picket.Hour, "new_actions"); !math.IsNaN(v) {
				t.Errorf("after three days new_actions is %g, want missing", v)
			}
		}
	}
	today := []picket.Record{call(100, "ec2:DescribeInstances", nil), call(110, "kms:Decrypt", nil), call(120, "iam:CreateUser", func(r *picket.Record) { r.Src = netip.MustParseAddr("203.0.113.9") })}
	for name, want := range map[string]float64{"new_actions": 2, "account_new_actions": 1, "new_networks": 1, "account_new_networks": 1, "new_grave_actions": 1, "new_agents": 0, "known_days": 8, "rarest_action_share": 0} {
		if got := accessValue(t, today, history, alice, picket.Hour, name); got != want {
			t.Errorf("%s is %g, want %g", name, got, want)
		}
	}
	if v := accessValue(t, today, nil, alice, picket.Hour, "new_actions"); !math.IsNaN(v) {
		t.Errorf("without a history new_actions is %g, want missing", v)
	}
	stranger := picket.Entity{Kind: picket.KindPrincipal, ID: "arn:aws:iam::111122223333:user/new"}
	if v := accessValue(t, []picket.Record{call(5, "s3:ListBuckets", func(r *picket.Record) { r.Access.Principal = stranger.ID })}, history, stranger, picket.Hour, "known_days"); v != 0 {
		t.Errorf("known_days of a new principal is %g", v)
	}
}

// A key that somebody made and that is used from elsewhere is told, whoever uses it,
// on a later day too; used where it was made it is not.
func TestNewKeyElsewhere(t *testing.T) {
	made := call(10, "iam:CreateAccessKey", func(r *picket.Record) { r.Access.Params = map[string]string{"user": "bob", "newkey": "AKIANEW"} })
	bob := picket.Entity{Kind: picket.KindPrincipal, ID: "arn:aws:iam::111122223333:user/bob"}
	use := func(second int64, from string) picket.Record {
		return call(second, "s3:ListBuckets", func(r *picket.Record) {
			r.Access.Principal, r.Access.Key, r.Src = bob.ID, "AKIANEW", netip.MustParseAddr(from)
		})
	}
	if v := accessValue(t, []picket.Record{made, use(60, "203.0.113.9")}, nil, bob, picket.Hour, "new_key_calls_elsewhere"); v != 1 {
		t.Errorf("used elsewhere: %g", v)
	}
	if v := accessValue(t, []picket.Record{made, use(60, "198.51.100.77")}, nil, bob, picket.Hour, "new_key_calls_elsewhere"); v != 0 {
		t.Errorf("used where it was made: %g", v)
	}
	history := historyOf(t, accessDay, nil, accessPartsOf(t, []picket.Record{made}, 1, 0, nil), 0)
	if v := accessValue(t, []picket.Record{use(picket.Day+60, "203.0.113.9")}, history, bob, picket.Hour, "new_key_calls_elsewhere"); v != 1 {
		t.Errorf("used the day after: %g", v)
	}
}

// Every rule stands for something: its features exist, its classes occur in the
// catalogue, and every class of the catalogue is asked for by a rule or a feature.
func TestAccessRulesAndCalls(t *testing.T) {
	classes := map[string]bool{}
	for _, c := range Calls() {
		classes[c.Class] = true
		if !strings.HasPrefix(c.Technique, "T1") {
			t.Errorf("%s %s: technique %q", c.Service, c.Action, c.Technique)
		}
	}
	asked := map[string]bool{"": true, "account_listed": true, "secret_read": true, "parameter_read": true, "password_read": true, "role_assumed": true, "secret_listed": true, "data_read": true, "model_used": true}
	names := map[string]bool{}
	for i, r := range Rules {
		for _, c := range r.Classes {
			asked[c] = true
			if !classes[c] {
				t.Errorf("rule %s: no call of class %s", r.Name, c)
			}
		}
		if (len(r.Classes) > 0) == (r.Feature != "") || (ruleInputs[i] >= 0) != (r.Feature != "") || names[r.Name] || r.Severity < 1 || r.Severity > 4 || r.Meaning == "" {
			t.Errorf("rule %+v", r)
		}
		names[r.Name] = true
	}
	for c := range classes {
		if !asked[c] {
			t.Errorf("nothing asks for class %s", c)
		}
	}
}

func TestTrimVersion(t *testing.T) {
	f := func(action, want string) {
		t.Helper()
		if got := trimVersion(action); got != want {
			t.Errorf("%s: %s, want %s", action, got, want)
		}
	}
	f("CreateFunction20150331", "CreateFunction")
	f("AddPermission20150331v2", "AddPermission")
	f("CreateDistribution2020_05_31", "CreateDistribution")
	f("GetObjectV2", "GetObjectV2")
	f("DescribeDBInstances", "DescribeDBInstances")
	f("20150331", "20150331")
	f("v2", "v2")
}

// A row is read as it was written, whatever its texts hold.
func TestEventKey(t *testing.T) {
	r := call(5, "iam:CreateUser", func(r *picket.Record) {
		r.Access.Principal, r.Access.Error, r.Access.MFA, r.Access.Write, r.Access.Failed = "a\x00b", strings.Repeat("é", 90), true, true, true
		r.Access.Params = map[string]string{"user": "x=y\x00z", "admin": "true"}
	})
	e := eventOf(&r)
	got, err := storedEvent(e.key(), &accessState{count: 7})
	e.count = 7
	if err != nil || fmt.Sprint(got) != fmt.Sprint(e) {
		t.Errorf("%v:\n%+v\n%+v", err, got, e)
	}
	for i := range e.key() {
		storedEvent(e.key()[:i], &accessState{count: 1}) // cut anywhere, it must not fall over
	}
}
