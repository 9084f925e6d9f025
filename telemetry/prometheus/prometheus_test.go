package prometheus_test

import (
	"io"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"picket/telemetry"
	"picket/telemetry/prometheus"
)

func TestMetrics(t *testing.T) {
	m := prometheus.New()
	m.In("decode", 10)
	m.In("decode", 5)
	m.Out("decode", 12)
	m.Dropped("decode", "bad time", 3)
	m.In("extract", 12)
	m.Bytes("decode", 1<<20)
	m.Invocation(200, time.Millisecond)
	m.Invocation(400, time.Millisecond)
	m.Invocation(500, time.Second)
	m.Error("decode")
	m.Took("decode", 2*time.Second)
	m.Finding("scan", "high", .95)
	m.Finding("scan", "high", .5)
	m.Finding("scan", "low", .49)
	m.Lag("vpc", 90*time.Second)
	m.Drift("traffic/actor/60", "packets", .3)
	m.Live("aa", "first")
	m.Live("bb", "second")
	m.Retrained(time.Unix(1700000000, 0), "candidate")

	samples := m.Samples()
	f := func(want float64, name string, labels ...string) {
		t.Helper()
		if got := telemetry.Sum(samples, name, labels...); got != want {
			t.Errorf("%s%v is %v, want %v", name, labels, got, want)
		}
	}
	f(15, "picket_records_total", "stage", "decode", "result", "in")
	f(12, "picket_records_total", "stage", "decode", "result", "out")
	f(3, "picket_records_total", "stage", "decode", "result", "dropped", "reason", "bad time")
	f(27, "picket_records_total", "result", "in")
	f(0, "picket_records_total", "stage", "train")
	f(1<<20, "picket_bytes_total", "stage", "decode")
	f(3, "picket_invocations_total")
	f(1, "picket_invocations_total", "code", "400")
	f(1, "picket_errors_total", "stage", "serve")
	f(1, "picket_errors_total", "stage", "decode")
	f(2, "picket_latency_seconds", "stage", "decode")
	f(1.002, "picket_latency_seconds", "stage", "serve")
	f(2, "picket_findings_total", "class", "scan", "severity", "high")
	f(1, "picket_findings_total", "confidence", "high")
	f(1, "picket_findings_total", "confidence", "medium")
	f(1, "picket_findings_total", "confidence", "low")
	f(90, "picket_lag_seconds", "source", "vpc")
	f(.3, "picket_drift_psi", "booster", "traffic/actor/60", "feature", "packets")
	f(1, "picket_model_info", "id", "bb", "name", "second")
	f(1, "picket_model_info") // the model before is not live any more
	f(1700000000, "picket_last_retrain_timestamp_seconds", "outcome", "candidate")
}

func TestSamplesAreSorted(t *testing.T) {
	m := prometheus.New()
	for _, stage := range []string{"train", "decode", "infer"} {
		m.Error(stage)
	}
	m.Bytes("decode", 1)
	var got []string
	for _, s := range m.Samples() {
		got = append(got, s.Name+" "+s.Label("stage")+s.Label("none"))
	}
	want := []string{"picket_bytes_total decode", "picket_errors_total decode", "picket_errors_total infer", "picket_errors_total train"}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

func TestHandler(t *testing.T) {
	m := prometheus.New()
	m.Dropped("decode", "odd \"reason\"\n", 2)
	w := httptest.NewRecorder()
	m.Handler().ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
	body, _ := io.ReadAll(w.Result().Body)
	for _, want := range []string{
		`picket_records_total{reason="odd \"reason\"\n",result="dropped",stage="decode"} 2`,
		"# TYPE picket_records_total counter", "go_goroutines", "process_",
	} {
		if !strings.Contains(string(body), want) {
			t.Errorf("%s is not in the answer", want)
		}
	}
}

func TestMetricsTogether(t *testing.T) {
	m := prometheus.New()
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 1000 {
				m.In("decode", 1)
				m.Live("aa", "x")
			}
		})
	}
	wg.Wait()
	if got := telemetry.Sum(m.Samples(), "picket_records_total"); got != 4000 {
		t.Errorf("counted %v of 4000", got)
	}
}
