package lambda_test

import (
	"context"
	"encoding/json"
	"math"
	"math/rand/v2"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"picket"
	"picket/aws/lambda"
)

// threeLogs are of three formats, and all have something to find.
var threeLogs = []string{"names.txt", "route53.jsonl", "ssh-guessing.pcap"}

// TestEndToEnd: three logs and a poison object go through the functions, each
// message twice and in any order, while functions are killed in the middle of a
// batch. What is found is what "picket detect" finds in a folder, once.
func TestEndToEnd(t *testing.T) {
	for _, scorer := range []string{lambda.ScorerLambda, lambda.ScorerEndpoint} {
		t.Run(scorer, func(t *testing.T) { endToEnd(t, scorer) })
	}
}

func endToEnd(t *testing.T, scorer string) {
	w := newWorld(t, func(s *lambda.Settings) { s.Scorer = scorer })
	r := rand.New(rand.NewPCG(1, 2))
	w.s3.Add(dataBucket, "raw/poison.gz", []byte("\x1f\x8b\x08\x00 this is no gzip at all"))
	for _, name := range threeLogs {
		w.upload(name)
	}
	kills := 0
	for _, verb := range []string{lambda.VerbIngest, lambda.VerbClose, lambda.VerbDetect} {
		for n := 2; ; n += 3 { // after so many requests to S3
			bodies := w.take(verb)
			back := w.kill(verb, bodies, n)
			w.mu.Lock()
			w.queues[verb] = append(w.queues[verb], back...)
			w.mu.Unlock()
			w.start(verb)
			if len(back) == 0 || n > 40 {
				break
			}
			kills++
		}
	}
	if kills < 5 {
		t.Errorf("%d kills left work undone: the test shows little", kills)
	}
	w.drain(r)
	if back := w.deliver(t.Context(), lambda.VerbClose, []string{`{"final":true}`}); back != nil {
		t.Fatalf("%q came back", back)
	}
	w.drain(r)

	want, rows := reference(t, w.pkg, threeLogs...)
	p := w.functions[lambda.VerbDetect].Pipeline()
	if d := cmp.Diff(rows, newest(t, p)); d != "" {
		t.Errorf("features:\n%s", d)
	}
	got := open(t, p)
	if d := cmp.Diff(want, got, cmpopts.EquateNaNs()); d != "" || len(got) < 5 {
		t.Errorf("%d findings:\n%s", len(got), d)
	}
	for uid, f := range got {
		if math.Float64bits(f.Margin) != math.Float64bits(want[uid].Margin) {
			t.Errorf("%s: margin %v, want %v", uid, f.Margin, want[uid].Margin)
		}
	}
	if due := w.s3.Keys(dataBucket, picket.DuePrefix); len(due) != 0 {
		t.Errorf("left: %q", due)
	}
	if set := w.s3.Keys(dataBucket, picket.QuarantinePrefix); len(set) < 1 {
		t.Error("the poison object is not in quarantine")
	}
	w.checkTold(got)
	w.checkKeys()
	w.checkLog()
	for verb, calls := range w.calls {
		if err := calls.Compare(verb, dataBucket, "", "picket", false); err != nil {
			t.Error(err)
		}
	}
}

// kill delivers messages to a function that is killed after so many requests: its
// context ends, and what it was at with it. It returns what is given back.
func (w *world) kill(verb string, bodies []string, after int) []string {
	w.t.Helper()
	ctx, cancel := context.WithCancel(w.t.Context())
	defer cancel()
	var left atomic.Int64
	left.Store(int64(after))
	count := func() {
		if left.Add(-1) < 0 {
			cancel()
		}
	}
	w.request.Store(&count)
	defer w.request.Store(nil)
	return w.deliver(ctx, verb, bodies)
}

// checkTold: whoever listens knows every finding that is in the bucket, and an
// event that came twice by its uid.
func (w *world) checkTold(open map[string]picket.Finding) {
	w.t.Helper()
	type detail struct {
		Class    int `json:"class_uid"`
		Metadata struct{ UID string }
		Finding  struct{ UID string } `json:"finding_info"`
	}
	events := map[string]string{} // by the uid of the event
	for _, text := range w.told {
		var d detail
		if err := json.Unmarshal([]byte(text), &d); err != nil || d.Class != 2004 || d.Metadata.UID == "" {
			w.t.Fatalf("event %.200s: %v", text, err)
		}
		if old, ok := events[d.Metadata.UID]; ok && old != text {
			w.t.Errorf("two events have the uid %s", d.Metadata.UID)
		}
		events[d.Metadata.UID] = text
	}
	written, marks := 0, 0
	for key, body := range w.s3.Content(dataBucket, picket.FindingsPrefix) {
		if strings.HasPrefix(key, picket.FindingsPrefix+"told/") {
			marks++
			continue
		}
		written++
		var d detail
		if err := json.Unmarshal(body, &d); err != nil {
			w.t.Fatal(err)
		}
		if _, ok := events[d.Metadata.UID]; !ok {
			w.t.Errorf("nobody was told of %s", key)
		}
	}
	if written != len(events) || written != marks {
		w.t.Errorf("%d events are written, %d were told, %d marked", written, len(events), marks)
	}
	hub := map[any]bool{}
	for _, f := range w.hub {
		hub[f["Id"]] = true
	}
	for uid := range open {
		if !hub["picket/"+uid] {
			w.t.Errorf("security hub does not know %s", uid)
		}
	}
}

// checkKeys: whatever a function writes is encrypted with the key, and nothing that
// it writes is a raw log, which would start it again.
func (w *world) checkKeys() {
	w.t.Helper()
	for key, kms := range w.s3.KMSKeys(dataBucket) {
		if own := strings.HasPrefix(key, picket.RawPrefix) || strings.HasPrefix(key, picket.ModelsPrefix); !own && kms != w.settings.KMSKey {
			w.t.Errorf("%s is encrypted with %q", key, kms)
		}
	}
	if raw := w.s3.Keys(dataBucket, picket.RawPrefix); len(raw) != len(threeLogs)+1 {
		w.t.Errorf("raw objects %q", raw)
	}
}

// checkLog: every line is JSON and says which invocation it is of; a line of the
// logs that are looked at is in none of them. The steps find together by trace.
func (w *world) checkLog() {
	w.t.Helper()
	read, flagged := map[string]bool{}, 0
	for line := range strings.Lines(w.log.String()) {
		var l map[string]any
		if err := json.Unmarshal([]byte(line), &l); err != nil {
			w.t.Fatalf("%.200q: %v", line, err)
		}
		if _, metric := l["_aws"]; metric {
			continue
		}
		if l["request"] != "11111111-2222-3333-4444-555555555555" || l["xray"] == nil || l["function"] == nil {
			w.t.Fatalf("no trace: %s", line)
		}
		switch l["msg"] {
		case "object read", "object known":
			read[l["trace"].(string)] = true
		case "threat flagged":
			flagged++
			if c, ok := l["confidence"].(float64); !ok || c <= 0 || c > 1 {
				w.t.Errorf("no confidence: %s", line)
			}
		}
	}
	if flagged == 0 || len(read) == 0 {
		w.t.Errorf("%d threats flagged, %d objects read", flagged, len(read))
	}
	for _, key := range w.s3.Keys(dataBucket, picket.WindowsPrefix+"2") {
		if trace := key[strings.LastIndexByte(key, '/')+1:]; !read[trace] {
			w.t.Errorf("no line tells of %s", key)
		}
	}
	if strings.Contains(w.log.String(), "SSH-2.0") {
		w.t.Error("the log has payload")
	}
}
