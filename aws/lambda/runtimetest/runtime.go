// Package runtimetest is the Lambda Runtime API on this machine: a program and
// events -> its answers. It needs no emulator and no container.
//
// https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html
package runtimetest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"time"
)

// Runtime is one function in one process.
type Runtime struct {
	cmd     *exec.Cmd
	server  *http.Server
	events  chan invocation
	answers chan Answer
	died    chan struct{} // closed once the process has ended
	err     error         // why
	count   int
}

type invocation struct {
	id      string
	payload []byte
	timeout time.Duration
}

// Answer is what the function said to one event.
type Answer struct {
	Body  []byte
	Error string // its type, "" for an answer
}

// Start starts a program as the function of a verb: argv is its command line, env
// what is added to an environment that is otherwise empty. Its log goes to log.
func Start(ctx context.Context, verb string, argv, env []string, log io.Writer) (*Runtime, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	r := &Runtime{events: make(chan invocation), answers: make(chan Answer, 1), died: make(chan struct{})}
	r.server = &http.Server{Handler: r}
	go r.server.Serve(l)
	r.cmd = exec.CommandContext(ctx, argv[0], argv[1:]...)
	r.cmd.Stdout, r.cmd.Stderr = log, log
	r.cmd.Env = append([]string{
		"AWS_LAMBDA_RUNTIME_API=" + l.Addr().String(), "_HANDLER=" + verb, "AWS_REGION=eu-north-1", "AWS_ACCESS_KEY_ID=test",
		"AWS_SECRET_ACCESS_KEY=test", "AWS_LAMBDA_FUNCTION_NAME=picket-" + verb, "AWS_LAMBDA_FUNCTION_MEMORY_SIZE=512",
		"AWS_LAMBDA_FUNCTION_VERSION=$LATEST", "AWS_LAMBDA_LOG_GROUP_NAME=/aws/lambda/picket-" + verb, "TMPDIR=" + os.TempDir(),
	}, env...)
	if err := r.cmd.Start(); err != nil {
		r.server.Close()
		return nil, err
	}
	go func() {
		r.err = r.cmd.Wait()
		close(r.died)
	}()
	return r, nil
}

// ServeHTTP implements http.Handler.
func (r *Runtime) ServeHTTP(w http.ResponseWriter, q *http.Request) {
	path := strings.TrimPrefix(q.URL.Path, "/2018-06-01/runtime/")
	if path == "invocation/next" {
		select {
		case i := <-r.events:
			h := w.Header()
			h.Set("Lambda-Runtime-Aws-Request-Id", i.id)
			h.Set("Lambda-Runtime-Deadline-Ms", fmt.Sprint(time.Now().Add(i.timeout).UnixMilli()))
			h.Set("Lambda-Runtime-Trace-Id", "Root=1-5759e988-bd862e3fe1be46a994272793;Sampled=1")
			h.Set("Lambda-Runtime-Invoked-Function-Arn", "arn:aws:lambda:eu-north-1:123456789012:function:"+r.cmd.Env[1])
			w.Write(i.payload)
		case <-q.Context().Done():
		}
		return
	}
	body, err := io.ReadAll(q.Body)
	if err != nil {
		return
	}
	w.WriteHeader(http.StatusAccepted)
	a := Answer{Body: body}
	if strings.HasSuffix(path, "/error") {
		a.Error = q.Header.Get("Lambda-Runtime-Function-Error-Type") + " "
	}
	r.answers <- a
}

// Invoke hands the function an event, with so much time, and waits for the answer.
func (r *Runtime) Invoke(ctx context.Context, payload []byte, timeout time.Duration) (Answer, error) {
	r.count++
	i := invocation{fmt.Sprintf("00000000-0000-0000-0000-%012d", r.count), payload, timeout}
	select {
	case r.events <- i:
	case <-r.died:
		return Answer{}, fmt.Errorf("the function ended before it answered: %w", errors.Join(errEnded, r.err))
	case <-ctx.Done():
		return Answer{}, ctx.Err()
	}
	select {
	case a := <-r.answers:
		return a, nil
	case <-r.died:
		return Answer{}, fmt.Errorf("the function ended before it answered: %w", errors.Join(errEnded, r.err))
	case <-ctx.Done():
		return Answer{}, ctx.Err()
	}
}

var errEnded = errors.New("its process is gone")

// Memory returns the most that the function has held in memory so far, in bytes.
func (r *Runtime) Memory() (int64, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", r.cmd.Process.Pid))
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(text)) {
		if rest, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			var kib int64
			_, err := fmt.Sscan(rest, &kib)
			return kib << 10, err
		}
	}
	return 0, errors.New("no VmHWM")
}

// Stop ends the process as Lambda does: at once.
func (r *Runtime) Stop() {
	r.cmd.Process.Kill()
	<-r.died
	r.server.Close()
}
