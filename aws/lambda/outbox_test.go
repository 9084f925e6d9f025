package lambda

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/aws/aws-sdk-go-v2/aws"

	"picket"
	"picket/pipeline"
	"picket/telemetry"
)

// outboxTo returns an outbox whose calls h answers, and its log.
func outboxTo(t *testing.T, h http.HandlerFunc) (*outbox, *bytes.Buffer) {
	t.Helper()
	web := httptest.NewServer(h)
	t.Cleanup(web.Close)
	cfg := environment(func(name string) string {
		return map[string]string{"AWS_REGION": "eu-north-1", "AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b", "AWS_ENDPOINT_URL": web.URL}[name]
	})
	var log bytes.Buffer
	f := &Function{metrics: telemetry.NewEMF(&log, "detect", "infer", time.Now), log: slog.New(slog.NewTextHandler(&log, nil)), now: time.Now}
	return newOutbox(Settings{EventBus: "default", SecurityHub: true}, cfg, f), &log
}

func eventsOf(n, bytesEach int) []pipeline.Event {
	events := make([]pipeline.Event, n)
	for i := range events {
		body, _ := json.Marshal(map[string]string{"fill": strings.Repeat("x", bytesEach)})
		events[i] = pipeline.Event{UID: fmt.Sprint("event-", i), OCSF: body, Finding: picket.Finding{UID: fmt.Sprint("f", i), Status: picket.StatusNew}}
	}
	return events
}

// TestPutEvents: no call is larger than EventBridge takes, whatever there is to tell.
func TestPutEvents(t *testing.T) {
	f := func(events []pipeline.Event, wantCalls int) {
		t.Helper()
		calls, told := 0, 0
		o, _ := outboxTo(t, func(w http.ResponseWriter, r *http.Request) {
			var in struct {
				Entries []struct{ Source, DetailType, Detail string }
			}
			json.NewDecoder(r.Body).Decode(&in)
			size := 0
			for _, e := range in.Entries {
				size += 14 + len(e.Source) + len(e.DetailType) + len(e.Detail)
				if !json.Valid([]byte(e.Detail)) {
					t.Error("a detail is no JSON")
				}
			}
			if len(in.Entries) > 10 || size > 256<<10 || len(in.Entries) == 0 {
				t.Errorf("%d entries of %d bytes in one call", len(in.Entries), size)
			}
			calls++
			told += len(in.Entries)
			fmt.Fprint(w, `{"FailedEntryCount":0,"Entries":[]}`)
		})
		if err := o.putEvents(t.Context(), events); err != nil || calls != wantCalls || told != len(events) {
			t.Errorf("%d events in %d calls, want %d in %d; %v", told, calls, len(events), wantCalls, err)
		}
	}
	f(nil, 0)
	f(eventsOf(1, 10), 1)
	f(eventsOf(10, 10), 1)
	f(eventsOf(11, 10), 2)
	f(eventsOf(10, 60<<10), 3) // four fit together
	f(eventsOf(3, 300<<10), 1) // too large: what to look for is told
}

// TestPutEventsFails: what is refused again and again is an error, so that the
// message comes back; nothing is lost in silence.
func TestPutEventsFails(t *testing.T) {
	calls := 0
	o, _ := outboxTo(t, func(w http.ResponseWriter, r *http.Request) {
		calls++
		fmt.Fprint(w, `{"FailedEntryCount":1,"Entries":[{"ErrorCode":"InternalFailure","ErrorMessage":"no"}]}`)
	})
	if err := o.tell(t.Context(), eventsOf(1, 10)); err == nil || calls != sendTries || !strings.Contains(err.Error(), "InternalFailure") {
		t.Errorf("%v after %d calls", err, calls)
	}
}

func TestImportFindings(t *testing.T) {
	f := func(code string, fails bool) {
		t.Helper()
		calls := 0
		o, log := outboxTo(t, func(w http.ResponseWriter, r *http.Request) {
			body, _ := io.ReadAll(r.Body)
			var in struct{ Findings []json.RawMessage }
			json.Unmarshal(body, &in)
			if len(in.Findings) > 100 || len(body) > 6<<20 || r.URL.Path != "/findings/import" {
				t.Errorf("%d findings, %d bytes, %s", len(in.Findings), len(body), r.URL.Path)
			}
			calls++
			failed := "[]"
			if code != "" {
				failed = fmt.Sprintf(`[{"Id":"picket/f0","ErrorCode":%q,"ErrorMessage":"why"}]`, code)
			}
			fmt.Fprintf(w, `{"FailedCount":1,"SuccessCount":0,"FailedFindings":%s}`, failed)
		})
		err := o.importFindings(t.Context(), eventsOf(250, 10))
		if (err != nil) != fails || !fails && calls != 3 {
			t.Errorf("%q: %v, %d calls", code, err, calls)
		}
		if code == "InvalidInput" && !strings.Contains(log.String(), "security hub refused a finding") {
			t.Errorf("said nothing of it: %s", log)
		}
	}
	f("", false)
	f("InvalidInput", false) // it would be invalid again
	f("InternalError", true)
}

// TestASFF holds findings to the limits that the service model and the user guide
// give, the longest and the emptiest too.
func TestASFF(t *testing.T) {
	limits := map[string]int{"Title": 256, "Description": 1024, "Id": 512, "GeneratorId": 512, "ProductArn": 2048}
	stamp := regexp.MustCompile(`^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$`)
	long := strings.Repeat("é", 5000)
	for _, f := range []picket.Finding{
		{},
		{UID: "u", Class: picket.ClassScan, Detector: picket.DetectorTraffic, Severity: picket.SeverityHigh, Confidence: .987, FirstSeen: 1e9, LastSeen: 1e9 + 60, Title: "t", Sentence: "s"},
		{UID: strings.Repeat("u", 32), Class: picket.ClassAnomaly, Title: long, Sentence: long, Type: long, Confidence: 1, Entity: picket.Entity{Kind: picket.KindName, ID: long}, Status: picket.StatusClosed},
		{Class: picket.ClassPhishing, Confidence: 0, Status: picket.StatusSuppressed, Severity: picket.SeverityCritical},
	} {
		a := asff(&f, "aws", "eu-north-1", "123456789012", time.Unix(2e9, 0))
		for name, text := range map[string]*string{"Title": a.Title, "Description": a.Description, "Id": a.Id, "GeneratorId": a.GeneratorId, "ProductArn": a.ProductArn, "Resource": a.Resources[0].Id} {
			most := limits[name]
			if name == "Resource" {
				most = 512
			}
			if n := utf8.RuneCountInString(aws.ToString(text)); n == 0 || n > most {
				t.Errorf("%s has %d characters, of 1 to %d", name, n, most)
			}
		}
		if *a.SchemaVersion != "2018-10-08" || *a.ProductArn != "arn:aws:securityhub:eu-north-1:123456789012:product/123456789012/default" || *a.AwsAccountId != "123456789012" {
			t.Errorf("%s %s %s", *a.SchemaVersion, *a.ProductArn, *a.AwsAccountId)
		}
		if !stamp.MatchString(*a.CreatedAt) || !stamp.MatchString(*a.UpdatedAt) || *a.Confidence < 0 || *a.Confidence > 100 {
			t.Errorf("%s %s %d", *a.CreatedAt, *a.UpdatedAt, *a.Confidence)
		}
		if !strings.HasPrefix(a.Types[0], "TTPs") && !strings.HasPrefix(a.Types[0], "Effects/") && !strings.HasPrefix(a.Types[0], "Unusual Behaviors/") || strings.Count(a.Types[0], "/") > 2 {
			t.Errorf("type %q", a.Types[0])
		}
		if archived := a.RecordState == "ARCHIVED"; archived != (f.Status == picket.StatusClosed) {
			t.Errorf("status %q is %s", f.Status, a.RecordState)
		}
		if suppressed := a.Workflow.Status == "SUPPRESSED"; suppressed != (f.Status == picket.StatusSuppressed) {
			t.Errorf("status %q is %s", f.Status, a.Workflow.Status)
		}
		if size, err := json.Marshal(a); err != nil || len(size) > 240<<10 {
			t.Errorf("%d bytes, %v", len(size), err)
		}
	}
}

func TestFromEnv(t *testing.T) {
	env := map[string]string{"_HANDLER": "detect", "PICKET_BUCKET": "b", "PICKET_LATENESS": "900", "PICKET_PREFIX": "p", "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "512"}
	s, err := FromEnv(func(name string) string { return env[name] }, "v")
	if err != nil || s.Pipeline.Lateness != 15*time.Minute || s.Endpoint != "p" || s.Scorer != ScorerLambda || s.MemoryMB != 512 || s.Pipeline.AlertsPerDay != 5 {
		t.Errorf("%+v, %v", s, err)
	}
	for name, bad := range map[string]string{"_HANDLER": "hello", "PICKET_BUCKET": "", "PICKET_LATENESS": "soon", "PICKET_SCORER": "gpu", "PICKET_ALERTS_PER_DAY": "many"} {
		old := env[name]
		env[name] = bad
		if s, err := FromEnv(func(name string) string { return env[name] }, "v"); err == nil || name != "_HANDLER" && !strings.Contains(err.Error(), name) {
			t.Errorf("%s=%q: %+v, %v", name, bad, s, err)
		}
		env[name] = old
	}
}

// TestReserve: work ends before the function does, in time to give the rest back.
func TestReserve(t *testing.T) {
	for left, want := range map[time.Duration]time.Duration{5 * time.Minute: 5 * time.Second, 10 * time.Second: 2 * time.Second, -time.Second: 0} {
		if got := reserve(left); got != want {
			t.Errorf("of %v %v are kept, want %v", left, got, want)
		}
	}
}
