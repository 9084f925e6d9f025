package main

import (
	"bytes"
	"encoding/json"
	"net/http/httptest"
	"os"
	"runtime/debug"
	"strings"
	"testing"
	"time"

	"picket/aws/lambda/runtimetest"
	"picket/aws/s3/s3test"
)

// TestMain lets the test binary be the function.
func TestMain(m *testing.M) {
	if os.Getenv("AWS_LAMBDA_RUNTIME_API") != "" {
		main()
		return
	}
	os.Exit(m.Run())
}

// record is a message of a queue that tells of an object.
func record(id, key string) map[string]any {
	body, _ := json.Marshal(map[string]any{"detail-type": "Object Created", "source": "aws.s3", "detail": map[string]any{
		"bucket": map[string]any{"name": "data"}, "object": map[string]any{"key": key, "sequencer": "0A"},
	}})
	return map[string]any{"messageId": id, "eventSource": "aws:sqs", "body": string(body)}
}

// TestFunction runs the program against a Lambda Runtime API: it reads a log, gives
// back what it cannot do, and hands back the rest of a batch when its time is over.
func TestFunction(t *testing.T) {
	server := s3test.New("data")
	web := httptest.NewServer(server)
	defer web.Close()
	log, err := os.ReadFile("../../testdata/logs/ssh-guessing.pcap")
	if err != nil {
		t.Fatal(err)
	}
	server.Add("data", "raw/ssh.pcap", log)
	var said bytes.Buffer
	r, err := runtimetest.Start(t.Context(), "ingest", []string{os.Args[0]}, []string{"PICKET_BUCKET=data", "AWS_ENDPOINT_URL_S3=" + web.URL}, &said)
	if err != nil {
		t.Fatal(err)
	}
	f := func(timeout time.Duration, want string, records ...map[string]any) {
		t.Helper()
		payload, _ := json.Marshal(map[string]any{"Records": records})
		a, err := r.Invoke(t.Context(), payload, timeout)
		if err != nil || a.Error != "" || string(a.Body) != want {
			t.Fatalf("%q %s, %v; want %s", a.Body, a.Error, err, want)
		}
	}
	f(time.Minute, `{"batchItemFailures":[]}`, record("1", "raw/ssh.pcap"), record("2", "raw/gone.log"), record("3", "raw/folder/"))
	if len(server.Keys("data", "windows/2015-03-30T14/")) == 0 {
		t.Error("no window part was written")
	}
	bad := map[string]any{"messageId": "4", "eventSource": "aws:sqs", "body": "rubbish"}
	f(time.Minute, `{"batchItemFailures":[{"itemIdentifier":"4"}]}`, bad, record("5", "raw/ssh.pcap"))
	f(-time.Second, `{"batchItemFailures":[{"itemIdentifier":"6"},{"itemIdentifier":"7"}]}`, record("6", "raw/ssh.pcap"), record("7", "raw/ssh.pcap"))
	if memory, err := r.Memory(); err != nil || memory < 1<<20 {
		t.Errorf("memory %d, %v", memory, err)
	}
	r.Stop()
	for _, want := range []string{`"msg":"object read"`, `"CostPerMillionRecords"`, `"xray":"Root=1-5759e988`, "context deadline exceeded"} {
		if !strings.Contains(said.String(), want) {
			t.Errorf("the log does not say %s:\n%s", want, said.String())
		}
	}
}

// TestBadSettings: a function that cannot work says why and ends.
func TestBadSettings(t *testing.T) {
	for _, env := range [][]string{nil, {"PICKET_BUCKET=data", "PICKET_SCORER=gpu"}} {
		var said bytes.Buffer
		r, err := runtimetest.Start(t.Context(), "detect", []string{os.Args[0]}, env, &said)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := r.Invoke(t.Context(), []byte("{}"), time.Minute); err == nil || !strings.Contains(said.String(), "picket: error: PICKET_") {
			t.Errorf("%v: %v, %s", env, err, said.String())
		}
		r.Stop()
	}
}

// TestStart: the SDK's newer clients of SageMaker and EventBridge work out schemas
// whenever a process starts, whether it calls them or not: SageMaker's 6 ms and 4 MB
// of each function's start, five of those milliseconds out of a budget of fifteen.
// go run ./bench/server lambda shows it.
func TestStart(t *testing.T) {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		t.Fatal("no build information")
	}
	pinned := map[string]string{"sagemaker": "v1.260.0", "eventbridge": "v1.46.0"}
	for _, m := range info.Deps {
		service, ok := strings.CutPrefix(m.Path, "github.com/aws/aws-sdk-go-v2/service/")
		if want := pinned[service]; ok && want != "" {
			delete(pinned, service)
			if m.Version != want {
				t.Errorf("%s is at %s: keep %s, or measure what it costs to start", m.Path, m.Version, want)
			}
		}
	}
	if len(pinned) > 0 {
		t.Errorf("not linked: %v", pinned)
	}
}
