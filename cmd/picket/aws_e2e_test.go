//go:build e2e

package main

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/google/go-containerregistry/pkg/registry"

	"picket"
	"picket/aws/deploy"
	"picket/aws/s3"
	"picket/pipeline"
	"picket/pipeline/triage"
)

// cloud is an AWS account for a test: the emulator, or, with PICKET_E2E_AWS=1, the
// real one that the credentials are for.
type cloud struct {
	t      *testing.T
	real   bool
	prefix string
	cfg    aws.Config
	pid    int // of the emulator
	log    *lines
	bucket *s3.Bucket
}

// newCloud starts the emulator with IAM enforced and TLS, and what is beside it: a
// container registry, and "picket serve" as the endpoint.
func newCloud(t *testing.T) *cloud {
	t.Helper()
	c := &cloud{t: t, prefix: "picket-e2e", log: &lines{}}
	if os.Getenv("PICKET_E2E_AWS") != "" {
		c.real = true
	} else {
		c.emulate()
	}
	cfg, err := config.LoadDefaultConfig(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	c.cfg = cfg
	return c
}

// emulate starts ministack. Where the functions reach what is from its environment:
// no function has a variable for tests.
func (c *cloud) emulate() {
	t := c.t
	program := os.Getenv("PICKET_MINISTACK")
	if program == "" {
		t.Fatal("PICKET_MINISTACK names no emulator: run \"make e2e\"")
	}
	folder := t.TempDir()
	port, endpoint := freePort(t), freePort(t)
	url := "https://127.0.0.1:" + port
	certificate := filepath.Join(folder, "ministack-tls", "server.crt")
	images := imageRegistry(t)
	t.Setenv("AWS_ACCESS_KEY_ID", "test")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "test")
	t.Setenv("AWS_REGION", "us-east-1")
	t.Setenv("AWS_CONFIG_FILE", filepath.Join(folder, "none"))
	t.Setenv("AWS_SHARED_CREDENTIALS_FILE", filepath.Join(folder, "none"))
	t.Setenv("AWS_ENDPOINT_URL", url)
	t.Setenv("AWS_ENDPOINT_URL_ECR", images)
	t.Setenv("AWS_CA_BUNDLE", certificate)

	ctx, stop := context.WithCancel(context.Background())
	served := make(chan int, 1)
	go func() {
		served <- run(ctx, []string{"serve", "--quiet", "--listen", "127.0.0.1:" + endpoint}, func(string) string { return "" }, nil, io.Discard, os.Stderr)
	}()
	cmd := exec.Command(program)
	cmd.Dir = folder
	cmd.Env = []string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + folder, "TMPDIR=" + folder,
		"AUTH=true", "USE_SSL=1", "BIND_HOST=127.0.0.1", "GATEWAY_PORT=" + port,
		"AWS_ENDPOINT_URL=" + url, "AWS_CA_BUNDLE=" + certificate, "SSL_CERT_FILE=" + certificate,
		"AWS_ENDPOINT_URL_SAGEMAKER_RUNTIME=http://127.0.0.1:" + endpoint,
	}
	cmd.Stdout, cmd.Stderr = c.log, c.log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	c.pid = cmd.Process.Pid
	t.Cleanup(func() {
		stop()
		cmd.Process.Kill()
		cmd.Wait()
		<-served
		if t.Failed() {
			t.Logf("the emulator's last words:\n%s", c.log.tail(60))
		}
	})
	c.eventually("the emulator answers", time.Minute, func() (bool, error) {
		conn, err := net.DialTimeout("tcp", "127.0.0.1:"+port, time.Second)
		if err == nil {
			conn.Close()
		}
		_, missing := os.Stat(certificate)
		return err == nil && missing == nil, nil
	})
}

func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, port, _ := net.SplitHostPort(l.Addr().String())
	return port
}

// imageRegistry is ECR as far as a push needs it: a password, and a registry that
// keeps what is pushed.
func imageRegistry(t *testing.T) string {
	t.Helper()
	images := registry.New(registry.Logger(log.New(io.Discard, "", 0)))
	var server *httptest.Server
	server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("X-Amz-Target") == "" {
			images.ServeHTTP(w, r)
			return
		}
		io.Copy(io.Discard, r.Body)
		w.Header().Set("Content-Type", "application/x-amz-json-1.1")
		json.NewEncoder(w).Encode(map[string]any{"authorizationData": []any{map[string]any{
			"authorizationToken": base64.StdEncoding.EncodeToString([]byte("AWS:secret")), "proxyEndpoint": server.URL,
		}}})
	}))
	t.Cleanup(server.Close)
	return server.URL
}

// lines keeps what a process says.
type lines struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *lines) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(b)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

func (l *lines) tail(n int) string {
	all := strings.Split(l.String(), "\n")
	return strings.Join(all[max(0, len(all)-n):], "\n")
}

// eventually asks again and again until done says so.
func (c *cloud) eventually(what string, atMost time.Duration, done func() (bool, error)) {
	c.t.Helper()
	again := time.NewTicker(100 * time.Millisecond)
	defer again.Stop()
	end := time.After(atMost)
	for {
		ok, err := done()
		if err != nil {
			c.t.Fatalf("%s: %v", what, err)
		}
		if ok {
			return
		}
		select {
		case <-again.C:
		case <-end:
			c.t.Fatalf("not within %s: %s", atMost, what)
		}
	}
}

// picket runs a command line against the account and returns what it printed.
func (c *cloud) picket(args ...string) (stdout, stderr string, code int) {
	var out, words bytes.Buffer
	code = run(c.t.Context(), append(args, "--prefix", c.prefix), os.Getenv, strings.NewReader(""), &out, &words)
	return out.String(), words.String(), code
}

func (c *cloud) must(args ...string) string {
	c.t.Helper()
	out, words, code := c.picket(args...)
	if code != exitOK {
		c.t.Fatalf("picket %s: exit %d\n%s%s", strings.Join(args, " "), code, out, words)
	}
	return out + words
}

// put puts a raw object.
func (c *cloud) put(name string, body []byte) {
	c.t.Helper()
	if _, err := c.bucket.Put(c.t.Context(), picket.RawPrefix+name, bytes.NewReader(body)); err != nil {
		c.t.Fatal(err)
	}
}

// saying is what of a finding must not depend on where it was found.
type saying struct {
	Class, Type, Entity, Sentence string
	Severity                      picket.Severity
	Confidence                    float64
}

func sayings(events []picket.Finding) map[string]saying {
	all := map[string]saying{}
	for _, f := range triage.Latest(events) {
		if f.Status != picket.StatusClosed {
			all[f.UID] = saying{f.Class, f.Type, f.Entity.ID, f.Sentence, f.Severity, f.Confidence}
		}
	}
	return all
}

// found reads the findings of the account.
func (c *cloud) found() map[string]saying {
	c.t.Helper()
	events, err := pipeline.New(pipeline.Default(), pipeline.Deps{Bucket: c.bucket, Now: time.Now}).LatestFindings(c.t.Context())
	if err != nil {
		c.t.Fatal(err)
	}
	return sayings(events)
}

// expect waits until the account says what "picket detect" says of the same files.
func (c *cloud) expect(what string, files []string) {
	c.t.Helper()
	out := c.detect(files)
	var events []picket.Finding
	for line := range strings.Lines(out) {
		f, err := triage.Decode([]byte(line))
		if err != nil {
			c.t.Fatal(err)
		}
		events = append(events, f)
	}
	want := sayings(events)
	if len(want) < 2 {
		c.t.Fatalf("picket detect finds %d things in %v: too few to compare", len(want), files)
	}
	defer func() {
		if c.t.Failed() {
			c.t.Logf("%s\n got %v\nwant %v", what, c.found(), want)
		}
	}()
	var asked time.Time
	c.eventually(what, 2*time.Minute, func() (bool, error) {
		if time.Since(asked) > 10*time.Second {
			c.final()
			asked = time.Now()
		}
		return maps.Equal(c.found(), want), nil
	})
}

// final is what the schedule says every five minutes: close what is final.
func (c *cloud) final() {
	c.t.Helper()
	client, queue := sqs.NewFromConfig(c.cfg), c.prefix+"-"+deploy.Close
	url, err := client.GetQueueUrl(c.t.Context(), &sqs.GetQueueUrlInput{QueueName: &queue})
	if err == nil {
		_, err = client.SendMessage(c.t.Context(), &sqs.SendMessageInput{QueueUrl: url.QueueUrl, MessageBody: aws.String(`{"final":true}`)})
	}
	if err != nil {
		c.t.Fatal(err)
	}
}

func (c *cloud) detect(files []string) string {
	c.t.Helper()
	var out, words bytes.Buffer
	if code := run(c.t.Context(), append([]string{"detect", "-q", "-o", "jsonl"}, files...), func(string) string { return "" }, nil, &out, &words); code != exitOK {
		c.t.Fatalf("picket detect: exit %d: %s", code, words.String())
	}
	return out.String()
}

// deployer makes whoever deploys from here on a role that has the rights that
// --print-policy prints and no others.
func (c *cloud) deployer() {
	c.t.Helper()
	policy := c.must("deploy", "--print-policy")
	name := c.prefix + "-who-deploys"
	client := iam.NewFromConfig(c.cfg)
	role, err := client.CreateRole(c.t.Context(), &iam.CreateRoleInput{RoleName: &name, AssumeRolePolicyDocument: aws.String(
		`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"*"},"Action":"sts:AssumeRole"}]}`)})
	if err != nil {
		c.t.Fatal(err)
	}
	if _, err := client.PutRolePolicy(c.t.Context(), &iam.PutRolePolicyInput{RoleName: &name, PolicyName: &name, PolicyDocument: &policy}); err != nil {
		c.t.Fatal(err)
	}
	session, err := sts.NewFromConfig(c.cfg).AssumeRole(c.t.Context(), &sts.AssumeRoleInput{RoleArn: role.Role.Arn, RoleSessionName: &name})
	if err != nil {
		c.t.Fatal(err)
	}
	c.t.Setenv("AWS_ACCESS_KEY_ID", *session.Credentials.AccessKeyId)
	c.t.Setenv("AWS_SECRET_ACCESS_KEY", *session.Credentials.SecretAccessKey)
	c.t.Setenv("AWS_SESSION_TOKEN", *session.Credentials.SessionToken)
}

// grant gives a role an inline policy beside the template's.
func (c *cloud) grant(role, name, effect, action, resource string) {
	c.t.Helper()
	policy := fmt.Sprintf(`{"Version":"2012-10-17","Statement":[{"Effect":%q,"Action":%q,"Resource":%q}]}`, effect, action, resource)
	_, err := iam.NewFromConfig(c.cfg).PutRolePolicy(c.t.Context(), &iam.PutRolePolicyInput{RoleName: &role, PolicyName: &name, PolicyDocument: &policy})
	if err != nil {
		c.t.Fatal(err)
	}
}

func (c *cloud) revoke(role, name string) {
	c.t.Helper()
	if _, err := iam.NewFromConfig(c.cfg).DeleteRolePolicy(c.t.Context(), &iam.DeleteRolePolicyInput{RoleName: &role, PolicyName: &name}); err != nil {
		c.t.Fatal(err)
	}
}

// hurry makes a queue give a message out again after two seconds instead of thirty
// minutes, so that five failures fit into a test.
func (c *cloud) hurry(queue string) {
	c.t.Helper()
	client := sqs.NewFromConfig(c.cfg)
	url, err := client.GetQueueUrl(c.t.Context(), &sqs.GetQueueUrlInput{QueueName: &queue})
	if err == nil {
		_, err = client.SetQueueAttributes(c.t.Context(), &sqs.SetQueueAttributesInput{QueueUrl: url.QueueUrl, Attributes: map[string]string{"VisibilityTimeout": "2"}})
	}
	if err != nil {
		c.t.Fatal(err)
	}
}

// queues returns how the queues are, by function.
func (c *cloud) queues() map[string]deploy.QueueStatus {
	c.t.Helper()
	var s deploy.Status
	out, words, code := c.picket("deploy", "status", "-o", "json")
	if err := json.Unmarshal([]byte(out), &s); err != nil || code != exitOK {
		c.t.Fatalf("status: exit %d, %v: %s", code, err, words)
	}
	all := map[string]deploy.QueueStatus{}
	for _, q := range s.Queues {
		all[strings.TrimPrefix(q.Name, c.prefix+"-")] = q
	}
	return all
}

// killFunction kills the first function that runs, while it runs.
func (c *cloud) killFunction(ctx context.Context, killed chan<- int) {
	again := time.NewTicker(2 * time.Millisecond)
	defer again.Stop()
	for {
		for _, pid := range children(c.pid) {
			if exe, err := os.Readlink(fmt.Sprintf("/proc/%d/exe", pid)); err == nil && filepath.Base(exe) == "bootstrap" {
				syscall.Kill(pid, syscall.SIGKILL)
				killed <- pid
				return
			}
		}
		select {
		case <-again.C:
		case <-ctx.Done():
			return
		}
	}
}

// children returns the processes that a process started.
func children(pid int) []int {
	var all []int
	tasks, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid))
	for _, task := range tasks {
		text, err := os.ReadFile(task)
		if err != nil {
			continue
		}
		for _, field := range strings.Fields(string(text)) {
			if child, err := strconv.Atoi(field); err == nil {
				all = append(all, child)
			}
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// TestAWS deploys the base stack with picket deploy itself and lets it find things:
// what lies in raw/ twice, what is no log, what failed five times and what was killed
// changes nothing of what is found.
func TestAWS(t *testing.T) {
	c := newCloud(t)
	if !c.real {
		c.deployer()
	}
	t.Logf("%s", c.must("deploy", "--yes", "--no-training", "--no-smoke-test", "--scorer", "endpoint", "--binary", os.Getenv("PICKET_BIN")))
	account, err := (&app{getenv: os.Getenv, stderr: os.Stderr}).connect(t.Context(), where{prefix: c.prefix})
	if err != nil {
		t.Fatal(err)
	}
	c.bucket = s3.New(s3.NewClient(c.cfg, ""), s3.Options{Name: account.DataBucket()})
	if !c.real {
		// The emulator knows no condition key events:source, by which the template narrows
		// this right, and so refuses it.
		c.grant(account.Function(deploy.Detect), "emulator-has-no-events-source", "Allow", "events:PutEvents", "*")
	}
	for _, verb := range deploy.Queues() {
		c.hurry(account.Queue(verb))
	}
	folder := t.TempDir()
	var files []string
	file := func(name string, body []byte) []byte {
		name = filepath.Join(folder, name)
		if err := os.WriteFile(name, body, 0o600); err != nil {
			t.Fatal(err)
		}
		files = append(files, name)
		return body
	}
	read := func(name string) []byte {
		body, err := os.ReadFile("../../testdata/logs/" + name)
		if err != nil {
			t.Fatal(err)
		}
		return file(name, body)
	}
	scan := func(at time.Time) []byte {
		return file(fmt.Sprintf("vpc-%d.log", at.Unix()), deploy.SmokeLogAt(at).Body)
	}

	// Three formats, one of them twice, and what is no log at all.
	day := time.Date(2026, 3, 2, 9, 30, 0, 0, time.UTC)
	pcap := read("ssh-guessing.pcap")
	c.put("ssh guessing+1.pcap", pcap)
	c.put("dns/route53.jsonl", read("route53.jsonl"))
	c.put("vpc/scan.log", scan(day))
	c.put("poison.bin", bytes.Repeat([]byte{0x1f, 0x8b, 0xff, 0}, 1000))
	c.put("ssh guessing+1.pcap", pcap)
	c.expect("the same findings as picket detect, of three formats", files)
	c.eventually("what is no log is set aside", time.Minute, func() (bool, error) {
		for info, err := range c.bucket.List(t.Context(), "quarantine/", "") {
			if err != nil || info.Size > 0 {
				return err == nil, err
			}
		}
		return false, nil
	})

	// A function that may not read fails five times; once it may, redrive brings it back.
	c.grant(account.Function(deploy.Ingest), "denied", "Deny", "s3:GetObject", "arn:aws:s3:::"+account.DataBucket()+"/raw/late/*")
	c.put("late/scan.log", scan(day.Add(61*time.Second)))
	c.eventually("a dead letter", 2*time.Minute, func() (bool, error) { return c.queues()[deploy.Ingest].Dead == 1, nil })
	c.revoke(account.Function(deploy.Ingest), "denied")
	if out := c.must("deploy", "redrive"); !strings.Contains(out, account.Queue(deploy.Ingest)+": 1 given back") {
		t.Errorf("redrive said %q", out)
	}
	c.expect("the finding of a dead letter that was given back", files)
	if dead := c.queues()[deploy.Ingest].Dead; dead != 0 {
		t.Errorf("%d dead letters after redrive", dead)
	}

	if !c.real {
		c.kill(scan, day, &files)
	}

	// Nothing changes, and says so.
	if out := c.must("deploy", "--yes", "--no-training", "--binary", os.Getenv("PICKET_BIN")); !strings.Contains(out, "nothing changes") {
		t.Errorf("the second deployment said %s", out)
	}
	c.latency()
	t.Logf("%s", c.must("deploy", "destroy", "--yes", "--delete-data"))
}

// kill kills a function in the middle of a batch.
func (c *cloud) kill(scan func(time.Time) []byte, day time.Time, files *[]string) {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(c.t.Context(), time.Minute)
	defer cancel()
	killed := make(chan int, 1)
	go c.killFunction(ctx, killed)
	for i := range 3 {
		c.put(fmt.Sprintf("killed/%d.log", i), scan(day.Add(time.Duration(130+i*61)*time.Second)))
	}
	select {
	case <-killed:
	case <-ctx.Done():
		c.t.Error("no function ran")
	}
	c.expect("the same findings after a function was killed", *files)
}

// latency times raw objects from put to finding, one at a time, and what each function
// had of it.
func (c *cloud) latency() {
	c.t.Helper()
	puts, _ := strconv.Atoi(os.Getenv("PICKET_AWS_PUTS"))
	puts = max(puts, 5)
	before := len(c.log.String())
	var took []float64 // seconds
	at := time.Now().UTC().Truncate(time.Minute)
	seen := map[string]bool{}
	for i := range puts {
		raw := deploy.SmokeLogAt(at.Add(time.Duration(i-puts) * time.Second))
		began := time.Now()
		c.put("latency/"+raw.Name, raw.Body)
		c.eventually("a finding about "+raw.Entity, time.Minute, func() (bool, error) { return c.tells(began, raw.Entity, seen) })
		took = append(took, time.Since(began).Seconds())
	}
	slices.Sort(took)
	var b strings.Builder
	fmt.Fprintf(&b, "| put of a raw object to its finding | %d | %.2f s | %.2f s |\n", len(took), took[len(took)/2], took[len(took)*99/100])
	share := shares(c.log.String()[before:])
	for _, verb := range deploy.Functions() {
		if ms := share[verb]; len(ms) > 0 {
			slices.Sort(ms)
			fmt.Fprintf(&b, "| of it in the function %s | %d | %.2f s | %.2f s |\n", verb, len(ms), ms[len(ms)/2]/1000, ms[len(ms)*99/100]/1000)
		}
	}
	c.t.Logf("\n%s", b.String())
	if file := os.Getenv("PICKET_AWS_WRITE"); file != "" {
		c.write(file, b.String())
	}
}

// tells reports whether a finding of that day which was not seen before is about an
// entity.
func (c *cloud) tells(day time.Time, entity string, seen map[string]bool) (bool, error) {
	for info, err := range c.bucket.List(c.t.Context(), picket.FindingsPrefix+day.UTC().Format(time.DateOnly)+"/", "") {
		if err != nil {
			return false, err
		}
		if seen[info.Key] {
			continue
		}
		seen[info.Key] = true
		r, _, err := c.bucket.Get(c.t.Context(), info.Key)
		if err != nil {
			return false, err
		}
		body, err := io.ReadAll(r)
		r.Close()
		if err != nil || bytes.Contains(body, []byte(`"`+entity+`"`)) {
			return err == nil, err
		}
	}
	return false, nil
}

// awsSection is the heading under which docs/benchmarks.md has these figures.
const awsSection = "## On AWS, emulated\n"

// write puts the figures under their heading.
func (c *cloud) write(file, rows string) {
	c.t.Helper()
	body, err := os.ReadFile(file)
	if err != nil {
		c.t.Fatal(err)
	}
	load, _ := os.ReadFile("/proc/loadavg")
	text := awsSection + `
A VPC flow log of 1,200 lines, a port scan, put one after the other into the stack that ` + "`picket deploy`" + `
made on ministack, with IAM enforced and the endpoint on loopback (` + "`bench/aws.sh bench`" + `). The emulator starts a
new process for each invocation and polls a queue about once a second; five seconds of each figure are the delay
of the close queue. On AWS other figures will stand here: nothing of this was measured there.

| | times | p50 | p99 |
|---|--:|--:|--:|
` + rows + fmt.Sprintf("\nMeasured on %s; load of the machine %s.\n", time.Now().UTC().Format(time.DateOnly), strings.Join(strings.Fields(string(load))[:1], ""))
	head, rest, found := strings.Cut(string(body), awsSection)
	if found {
		if _, after, more := strings.Cut(rest, "\n## "); more {
			text += "\n## " + after
		}
	} else {
		head = strings.TrimRight(head, "\n") + "\n\n"
	}
	if err := os.WriteFile(file, []byte(head+text), 0o644); err != nil {
		c.t.Fatal(err)
	}
}

// shares reads how long the functions took from what they logged, in milliseconds.
func shares(log string) map[string][]float64 {
	all := map[string][]float64{}
	for line := range strings.Lines(log) {
		var l struct {
			Msg, Function string
			Took          float64
		}
		if json.Unmarshal([]byte(line), &l) == nil && l.Msg == "invoked" {
			all[l.Function] = append(all[l.Function], l.Took*1000)
		}
	}
	return all
}
