package lambda

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	eventtypes "github.com/aws/aws-sdk-go-v2/service/eventbridge/types"
	"github.com/aws/aws-sdk-go-v2/service/securityhub"
	hubtypes "github.com/aws/aws-sdk-go-v2/service/securityhub/types"

	"picket/pipeline"
)

// What EventBridge takes in one call.
const (
	maxEntries    = 10
	maxEntryBytes = 256 << 10 // of all entries together
)

// Names of the events.
const (
	eventSource = "picket"
	detailType  = "Picket Finding"
)

// outbox tells others of findings: EventBridge and, by a switch, Security Hub. Each is
// written by then, and told again where the process dies before it is marked as told;
// who is told twice knows an event by its metadata.uid, and Security Hub a finding by
// its Id.
type outbox struct {
	f      *Function
	bus    string
	events *eventbridge.Client // nil tells nobody
	hub    *securityhub.Client // nil tells nobody
}

func newOutbox(s Settings, cfg aws.Config, f *Function) *outbox {
	o := &outbox{f: f, bus: s.EventBus}
	if s.EventBus != "" {
		o.events = eventbridge.NewFromConfig(cfg)
	}
	if s.SecurityHub {
		o.hub = securityhub.NewFromConfig(cfg)
	}
	return o
}

func (o *outbox) tell(ctx context.Context, events []pipeline.Event) error {
	if o.events != nil {
		if err := o.putEvents(ctx, events); err != nil {
			return fmt.Errorf("tell event bus %s: %w", o.bus, err)
		}
	}
	if o.hub != nil {
		if err := o.importFindings(ctx, events); err != nil {
			return fmt.Errorf("tell security hub: %w", err)
		}
	}
	return nil
}

func (o *outbox) putEvents(ctx context.Context, events []pipeline.Event) error {
	var batch []eventtypes.PutEventsRequestEntry
	size := 0
	for i := range events {
		entry, n := o.entry(&events[i])
		if len(batch) == maxEntries || size+n > maxEntryBytes {
			if err := o.send(ctx, batch); err != nil {
				return err
			}
			batch, size = nil, 0
		}
		batch, size = append(batch, entry), size+n
	}
	if len(batch) == 0 {
		return nil
	}
	return o.send(ctx, batch)
}

// entry returns what EventBridge is told of an event, and how large it counts that:
// 14 bytes for the time, and the texts.
func (o *outbox) entry(e *pipeline.Event) (eventtypes.PutEventsRequestEntry, int) {
	detail := string(e.OCSF)
	fixed := 14 + len(eventSource) + len(detailType)
	if len(detail)+fixed > maxEntryBytes {
		detail = short(e)
	}
	at := time.Unix(e.Finding.LastSeen, 0).UTC()
	return eventtypes.PutEventsRequestEntry{
		EventBusName: &o.bus, Source: aws.String(eventSource), DetailType: aws.String(detailType), Detail: &detail, Time: &at,
	}, fixed + len(detail)
}

// short names a finding that is too large to be told: the whole is in findings/.
func short(e *pipeline.Event) string {
	text, _ := json.Marshal(map[string]any{
		"class_uid": 2004, "metadata": map[string]string{"uid": e.UID}, "finding_info": map[string]string{"uid": e.Finding.UID},
		"message": "the finding is too large for an event: read it in findings/",
	})
	return string(text)
}

// sendTries bounds how often entries that failed are sent again.
const sendTries = 5

// send puts entries until each was taken: EventBridge may refuse some of a call
// that succeeds.
func (o *outbox) send(ctx context.Context, entries []eventtypes.PutEventsRequestEntry) error {
	why := ""
	for try := range sendTries {
		if err := pause(ctx, try); err != nil {
			return err
		}
		out, err := o.events.PutEvents(ctx, &eventbridge.PutEventsInput{Entries: entries})
		if err != nil {
			return err
		}
		if out.FailedEntryCount == 0 {
			return nil
		}
		var again []eventtypes.PutEventsRequestEntry
		for i, r := range out.Entries {
			if r.ErrorCode != nil {
				again = append(again, entries[i])
				why = *r.ErrorCode + ": " + aws.ToString(r.ErrorMessage)
			}
		}
		entries = again
	}
	return fmt.Errorf("%d entries were refused %d times: %s", len(entries), sendTries, why)
}

// pause waits before a try that is not the first, longer each time, with jitter.
func pause(ctx context.Context, try int) error {
	if try == 0 {
		return ctx.Err()
	}
	wait := time.NewTimer(rand.N(50 * time.Millisecond << try))
	defer wait.Stop()
	select {
	case <-wait.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// What Security Hub takes in one call: 100 findings, 6 MB together, 240 KB each.
// Ours have a few KB.
const maxFindings = 100

func (o *outbox) importFindings(ctx context.Context, events []pipeline.Event) error {
	partition, region, id := account(ctx)
	var batch []hubtypes.AwsSecurityFinding
	for i := range events {
		batch = append(batch, asff(&events[i].Finding, partition, region, id, o.f.now()))
		if len(batch) == maxFindings || i == len(events)-1 {
			if err := o.importBatch(ctx, batch); err != nil {
				return err
			}
			batch = nil
		}
	}
	return nil
}

// importBatch imports findings. One that Security Hub finds invalid would be so
// again: it is counted and left out.
func (o *outbox) importBatch(ctx context.Context, batch []hubtypes.AwsSecurityFinding) error {
	out, err := o.hub.BatchImportFindings(ctx, &securityhub.BatchImportFindingsInput{Findings: batch})
	if err != nil {
		return err
	}
	for _, f := range out.FailedFindings {
		if code := aws.ToString(f.ErrorCode); code != "InvalidInput" {
			return fmt.Errorf("finding %s: %s: %s", aws.ToString(f.Id), code, aws.ToString(f.ErrorMessage))
		}
		o.f.metrics.Dropped("triage", "security hub refused", 1)
		o.f.log.Warn("security hub refused a finding", "stage", "triage", "uid", aws.ToString(f.Id), "error", aws.ToString(f.ErrorMessage))
	}
	return nil
}
