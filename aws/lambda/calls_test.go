package lambda_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"picket"
	"picket/aws/lambda"
	"picket/aws/record"
	"picket/aws/s3/s3test"
)

// TestCallsAreAll: what the functions call between them, from both kinds of raw
// bucket, with histories, baselines and labels, is what aws/record/calls.txt lists,
// no more and no less. The roles of aws/template are proved with that list.
func TestCallsAreAll(t *testing.T) {
	all := map[string]*record.Calls{}
	for _, raw := range []string{"", "logs"} {
		w := newWorld(t, func(s *lambda.Settings) {
			s.Scorer, s.RawBucket = lambda.ScorerEndpoint, raw
			s.Pipeline.AlertsPerDay, s.Pipeline.AnomaliesPerDay = 5, 2
		})
		w.s3.Add(dataBucket, "labels/verdicts/x.json", []byte(`{"uid": "of nothing", "says": "true", "author": "me"}`))
		w.s3.Add(dataBucket, "history/baseline/2001-01-01.json.zst", []byte("too old to be read"))
		if raw == "" {
			w.everyVersion(t)
		} else {
			w.fromElsewhere(t)
		}
		for verb, calls := range w.calls {
			if all[verb] == nil {
				all[verb] = &record.Calls{}
			}
			all[verb].Add(calls)
		}
	}
	for verb, calls := range all {
		if err := calls.Compare(verb, dataBucket, "logs", "picket", true); err != nil {
			t.Error(err)
		}
	}
}

// everyVersion takes logs from raw/ of the data bucket, whose objects have versions;
// one is replayed by an event that names none.
func (w *world) everyVersion(t *testing.T) {
	t.Helper()
	w.s3.Add(dataBucket, "raw/poison.gz", []byte("\x1f\x8b\x08\x00 this is no gzip at all"))
	w.upload("ssh-guessing.pcap")
	replay := s3test.Event{Bucket: dataBucket, Key: "raw/ssh-guessing.pcap", ETag: "e", Sequencer: "replay", Time: noon, Size: 1}
	if back := w.deliver(t.Context(), lambda.VerbIngest, []string{eventOf(replay)}); back != nil {
		t.Fatal("the replay came back")
	}
	for day := range 2 {
		w.s3.Add(dataBucket, fmt.Sprintf("raw/trail-%d.json", day), trail(noon.AddDate(0, 0, day-3)))
	}
	w.work(t)
}

// fromElsewhere takes logs from a bucket of its own, with versions and without.
func (w *world) fromElsewhere(t *testing.T) {
	t.Helper()
	for i, version := range []string{"", "v"} {
		key := fmt.Sprintf("elsewhere-%d.json", i)
		w.s3.Add("logs", key, trail(noon.AddDate(0, 0, -2)))
		if version != "" {
			version = w.s3.Versions("logs", key)[0]
		}
		body := eventOf(s3test.Event{Bucket: "logs", Key: key, Version: version, ETag: "e", Sequencer: key, Time: noon, Size: 1})
		if back := w.deliver(t.Context(), lambda.VerbIngest, []string{body}); back != nil {
			t.Fatalf("%s came back", key)
		}
	}
	w.work(t)
}

// work empties the queues, then makes windows final, and empties them again.
func (w *world) work(t *testing.T) {
	t.Helper()
	for range 8 {
		for _, verb := range []string{lambda.VerbIngest, lambda.VerbClose, lambda.VerbDetect} {
			if bodies := w.take(verb); len(bodies) > 0 {
				for _, back := range w.deliver(t.Context(), verb, bodies) {
					w.mu.Lock()
					w.queues[verb] = append(w.queues[verb], back)
					w.mu.Unlock()
				}
			}
		}
		if back := w.deliver(t.Context(), lambda.VerbClose, []string{`{"final":true}`}); back != nil {
			t.Fatalf("%q came back", back)
		}
	}
	if keys := w.s3.Keys(dataBucket, picket.DuePrefix); len(keys) > 0 {
		t.Errorf("left: %q", keys)
	}
}

// trail is a CloudTrail object of one login.
func trail(at time.Time) []byte {
	record := `{"eventVersion":"1.08","userIdentity":{"type":"IAMUser","principalId":"AIDA","arn":"arn:aws:iam::111122223333:user/bob","accountId":"111122223333","userName":"bob"},` +
		`"eventTime":"TIME","eventSource":"signin.amazonaws.com","eventName":"ConsoleLogin","awsRegion":"us-east-1","sourceIPAddress":"203.0.113.9","userAgent":"Mozilla/5.0",` +
		`"requestParameters":null,"responseElements":{"ConsoleLogin":"Success"},"eventID":"ID","eventType":"AwsConsoleSignIn","recipientAccountId":"111122223333"}`
	record = strings.NewReplacer("TIME", at.Format(time.RFC3339), "ID", at.Format("20060102-1504")).Replace(record)
	return []byte(`{"Records":[` + record + `]}`)
}
