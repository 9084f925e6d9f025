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
