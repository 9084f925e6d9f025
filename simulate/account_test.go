package simulate

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
)

type trailEvent struct {
	EventTime, EventName, EventSource, SourceIPAddress, EventID string
	ErrorCode                                                   string
	UserIdentity                                                struct{ Type, Arn, InvokedBy string }
}

func writeAccount(t *testing.T, a *Account) ([]trailEvent, []AccountTruth, []byte) {
	t.Helper()
	var b bytes.Buffer
	truths, err := a.Write(&b)
	if err != nil {
		t.Fatal(err)
	}
	var log struct{ Records []trailEvent }
	if err := json.Unmarshal(b.Bytes(), &log); err != nil {
		t.Fatal(err)
	}
	return log.Records, truths, b.Bytes()
}

// An account is the same each time, its events are in order and have ids of their own.
func TestAccount(t *testing.T) {
	kinds := IntrusionKinds()
	events, truths, log := writeAccount(t, RandomAccount(3, 12, kinds))
	_, _, again := writeAccount(t, RandomAccount(3, 12, kinds))
	if !bytes.Equal(log, again) {
		t.Error("two logs of one account differ")
	}
	ids, arns := map[string]bool{}, map[string]bool{}
	for i, e := range events {
		if ids[e.EventID] {
			t.Fatalf("event %s twice", e.EventID)
		}
		ids[e.EventID], arns[e.UserIdentity.Arn] = true, true
		if i > 0 && e.EventTime < events[i-1].EventTime {
			t.Fatalf("event %d is before the one before", i)
		}
	}
	if len(events) < 5000 || len(arns) < 8 || len(truths) < 4 {
		t.Errorf("%d events of %d principals, %d truths", len(events), len(arns), len(truths))
	}
}

// Each kind of intrusion leaves calls in the log under the principal that it names,
// and nothing of it is there without it.
func TestIntrusions(t *testing.T) {
	for _, kind := range IntrusionKinds() {
		a := RandomAccount(5, 3, nil)
		a.Level = 0.1
		quiet, _, _ := writeAccount(t, a)
		a.Intrusions = []Intrusion{{Kind: kind, At: 26 * 3600e9}}
		events, truths, _ := writeAccount(t, a)
		if len(truths) != 2 || len(events) <= len(quiet) {
			t.Errorf("%s: %d truths, %d events more", kind, len(truths), len(events)-len(quiet))
			continue
		}
		if tactic := truths[1].Tactic; tactic == "" || tactic != IntrusionTactic(kind) || !strings.HasPrefix(truths[1].Note, kind+" ") {
			t.Errorf("%s: %+v", kind, truths[1])
		}
	}
}
