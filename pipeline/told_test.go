package pipeline

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"picket"
	"picket/pipeline/triage"
	"picket/store"
)

// listener is who is told of findings. It wants what it hears to be in the bucket.
type listener struct {
	t      *testing.T
	bucket store.Bucket
	call   func() error // may fail before and after the listener heard
	heard  map[string][]byte
	latest map[string]picket.Finding // as who keeps one state for each finding has it
}

func (l *listener) tell(ctx context.Context, events []Event) error {
	if err := l.call(); err != nil {
		return err
	}
	for _, e := range events {
		if before, ok := l.heard[e.UID]; ok && !bytes.Equal(before, e.OCSF) {
			l.t.Errorf("event %s says one thing, then another", e.UID)
		}
		if !slices.ContainsFunc(written(l.t, l.bucket), func(w string) bool { return w == string(e.OCSF)+"\n" }) {
			l.t.Errorf("event %s is told and not written", e.UID)
		}
		l.heard[e.UID], l.latest[e.Finding.UID] = e.OCSF, e.Finding
	}
	return l.call()
}

// written returns the events in a bucket.
func written(t *testing.T, b store.Bucket) []string {
	t.Helper()
	var all []string
	for _, key := range keys(t, b, picket.FindingsPrefix) {
		if strings.HasSuffix(key, eventExt) {
			all = append(all, content(t, b, key))
		}
	}
	return all
}

func content(t *testing.T, b store.Bucket, key string) string {
	t.Helper()
	r, _, err := b.Get(context.Background(), key)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	var out bytes.Buffer
	if _, err := out.ReadFrom(r); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

// TestToldOnceWritten kills detect at each call that it makes of the bucket, and
// before and after it told, and runs it again: each event that is written is told,
// none that is not, and whatever is told twice is the same event.
func TestToldOnceWritten(t *testing.T) {
	ctx := context.Background()
	day := nine.Unix() - nine.Unix()%picket.Day
	// What the bucket holds after each object of the story was closed over.
	var chapters []map[string]string
	whole := pipelineOver(t, store.NewMemory(nil))
	for _, raw := range story() {
		take(t, whole, raw)
		if err := whole.Close(ctx, true, nil); err != nil {
			t.Fatal(err)
		}
		chapter := map[string]string{}
		for _, key := range keys(t, whole.deps.Bucket, "") {
			chapter[key] = content(t, whole.deps.Bucket, key)
		}
		chapters = append(chapters, chapter)
	}
	life := func(at int) (calls int, l *listener) {
		memory := store.NewMemory(nil)
		fail := func() error {
			if calls++; calls == at {
				return errFault
			}
			return nil
		}
		l = &listener{t: t, bucket: memory, call: fail, heard: map[string][]byte{}, latest: map[string]picket.Finding{}}
		detect := func(p *Pipeline) error {
			p.deps.Tell = l.tell
			_, err := p.Detect(ctx, &picket.Model{ID: strings.Repeat("a", 64)}, newWalker(), day)
			return err
		}
		for _, chapter := range chapters {
			for key, body := range chapter {
				if _, err := memory.Put(ctx, key, strings.NewReader(body)); err != nil {
					t.Fatal(err)
				}
			}
			if err := detect(pipelineOver(t, hooked{Bucket: memory, before: fail})); err != nil {
				if !errors.Is(err, errFault) {
					t.Fatal(err)
				}
				continue // dead: what comes next is a revision later
			}
		}
		l.call = func() error { return nil }
		if err := detect(pipelineOver(t, memory)); err != nil {
			t.Fatal(err)
		}
		events := written(t, memory)
		if len(events) != len(l.heard) || len(events) == 0 {
			t.Errorf("killed at call %d: %d events are written, %d were told", at, len(events), len(l.heard))
		}
		if marks := keys(t, memory, toldPrefix); len(marks) != len(events) {
			t.Errorf("killed at call %d: %d marks of %d events", at, len(marks), len(events))
		}
		found, err := pipelineOver(t, memory).Findings(ctx, day)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range triage.Latest(found) {
			if got := l.latest[f.UID]; triage.EventUID(&got) != triage.EventUID(&f) {
				t.Errorf("killed at call %d: the last that was told of %s is event %d, of %d", at, f.UID, got.Count, f.Count)
			}
		}
		l.call = func() error { t.Error("told again"); return nil }
		if err := detect(pipelineOver(t, memory)); err != nil {
			t.Fatal(err)
		}
		return calls, l
	}
	calls, l := life(-1)
	if calls < 30 || len(l.heard) < 2 {
		t.Fatalf("%d calls, %d events: too few to mean anything", calls, len(l.heard))
	}
	for at := 1; at <= calls; at += faultStride {
		life(at)
	}
}

// TestUntold: an event that was missed brings the newest of its finding along.
func TestUntold(t *testing.T) {
	f := func(written, told, want string) {
		t.Helper()
		marks := map[string]bool{}
		for _, name := range strings.Fields(told) {
			marks[name] = true
		}
		if got := strings.Join(untold(strings.Fields(written), marks), " "); got != want {
			t.Errorf("of %q with marks %q: %q, want %q", written, told, got, want)
		}
	}
	f("", "", "")
	f("d/a/1 d/a/2 d/b/1", "", "d/a/1 d/a/2 d/b/1")
	f("d/a/1 d/a/2 d/b/1", "d/a/1 d/a/2 d/b/1", "")
	f("d/a/1 d/a/2 d/a/3 d/b/1", "d/a/2 d/a/3 d/b/1", "d/a/1 d/a/3")
	f("d/a/1 d/a/2 d/b/1 d/b/2", "d/a/1 d/b/1", "d/a/2 d/b/2")
	f("d/a/1 d/b/1 d/b/2", "d/b/1 d/b/2", "d/a/1")
}

// TestVerdictIsTold: what an analyst says of a finding is told once it is written, by
// who said it or, where that one tells nobody, by the next detect.
func TestVerdictIsTold(t *testing.T) {
	ctx := context.Background()
	memory := store.NewMemory(nil)
	p := pipelineOver(t, memory)
	for _, raw := range story() {
		take(t, p, raw)
	}
	if err := p.Close(ctx, true, nil); err != nil {
		t.Fatal(err)
	}
	l := &listener{t: t, bucket: memory, call: func() error { return nil }, heard: map[string][]byte{}, latest: map[string]picket.Finding{}}
	detect := func() {
		t.Helper()
		told := pipelineOver(t, memory)
		told.deps.Tell = l.tell
		if _, err := told.Detect(ctx, &picket.Model{ID: strings.Repeat("a", 64)}, newWalker(), nine.Unix()-nine.Unix()%picket.Day); err != nil {
			t.Fatal(err)
		}
	}
	detect()
	all, err := p.LatestFindings(ctx)
	if err != nil || len(all) == 0 {
		t.Fatalf("%d findings, %v", len(all), err)
	}
	heard := len(l.heard)
	if _, err := p.PutVerdict(ctx, all[0].UID, picket.Verdict{Says: picket.VerdictExpected, Author: "ana", Expires: nine.Add(100 * time.Hour).Unix()}); err != nil {
		t.Fatal(err)
	}
	detect()
	if got := l.latest[all[0].UID]; got.Status != picket.StatusSuppressed || len(l.heard) != heard+1 {
		t.Errorf("told that it is %q, %d events more", got.Status, len(l.heard)-heard)
	}
}
