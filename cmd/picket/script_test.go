package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/spf13/cobra"

	"picket/pipeline"
	"picket/pipeline/train"
	"picket/store"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"picket": main})
}

const scripts = "../../testdata/script"

// TestScripts runs command lines as people type them.
func TestScripts(t *testing.T) { runScripts(t, scripts) }

func runScripts(t *testing.T, dir string) {
	testscript.Run(t, testscript.Params{
		Dir: dir, Setup: setupScript, RequireUniqueNames: true,
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){
			"exitcode": exitCode, "await": await, "get": get, "post": post, "like": like, "make-file": makeFile,
			"register": register, "s3": s3Command,
		},
	})
}

// setupScript puts testdata where the examples expect it, and names a free port.
func setupScript(env *testscript.Env) error {
	data, err := filepath.Abs("../../testdata")
	if err != nil {
		return err
	}
	if err := os.Symlink(data, filepath.Join(env.WorkDir, "testdata")); err != nil {
		return err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	defer l.Close()
	env.Setenv("PICKET_LISTEN", l.Addr().String())
	env.Setenv("PICKET_MODEL", os.Getenv("PICKET_MODEL"))
	return nil
}

// exitCode runs a command and wants its exit code: exitcode 2 picket detect.
// What it printed is in the files stdout and stderr.
func exitCode(ts *testscript.TestScript, neg bool, args []string) {
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	c := exec.Command(args[1], args[2:]...)
	var stdout, stderr bytes.Buffer
	c.Dir, c.Stdout, c.Stderr = ts.MkAbs("."), &stdout, &stderr
	for _, name := range []string{"PATH", "HOME", "PICKET_MODEL", "PICKET_LISTEN", "PICKET_DATA", "TMPDIR", "AWS_REGION", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE", "AWS_EC2_METADATA_DISABLED"} {
		c.Env = append(c.Env, name+"="+ts.Getenv(name))
	}
	err = c.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		ts.Fatalf("%v", err)
	}
	ts.Check(os.WriteFile(ts.MkAbs("stdout"), stdout.Bytes(), 0o644))
	ts.Check(os.WriteFile(ts.MkAbs("stderr"), stderr.Bytes(), 0o644))
	if got := c.ProcessState.ExitCode(); got != want {
		ts.Fatalf("exit code %d, want %d; stderr:\n%s", got, want, stderr.String())
	}
}

// eventually tries until it works, for 20 seconds.
func eventually(ts *testscript.TestScript, try func() error) {
	deadline := time.Now().Add(20 * time.Second)
	for {
		err := try()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			ts.Fatalf("%v", err)
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// await waits until a file of the given pattern is there.
func await(ts *testscript.TestScript, neg bool, args []string) {
	eventually(ts, func() error {
		found, err := filepath.Glob(ts.MkAbs(args[0]))
		if err == nil && len(found) == 0 {
			err = fmt.Errorf("no file %s", args[0])
		}
		return err
	})
}

// get waits until a URL answers 200 and keeps the answer: get URL FILE.
func get(ts *testscript.TestScript, neg bool, args []string) {
	eventually(ts, func() error {
		r, err := http.Get(args[0])
		if err != nil {
			return err
		}
		return keep(ts, r, args[1], http.StatusOK)
	})
}

// post sends a file as CSV and keeps the answer: post URL STATUS FILE ANSWER.
func post(ts *testscript.TestScript, neg bool, args []string) {
	status, err := strconv.Atoi(args[1])
	ts.Check(err)
	r, err := http.Post(args[0], "text/csv", strings.NewReader(ts.ReadFile(args[2])))
	ts.Check(err)
	ts.Check(keep(ts, r, args[3], status))
}

func keep(ts *testscript.TestScript, r *http.Response, file string, want int) error {
	defer r.Body.Close()
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return err
	}
	if r.StatusCode != want {
		return fmt.Errorf("%s, want %d: %s", r.Status, want, body)
	}
	return os.WriteFile(ts.MkAbs(file), body, 0o644)
}

// like wants two files of the same bytes, whatever they hold: like A B.
func like(ts *testscript.TestScript, neg bool, args []string) {
	if same := ts.ReadFile(args[0]) == ts.ReadFile(args[1]); same == neg {
		ts.Fatalf("%s and %s: the same is %t", args[0], args[1], same)
	}
}

// makeFile writes what a script cannot hold: make-file noise|long NAME.
func makeFile(ts *testscript.TestScript, neg bool, args []string) {
	var body []byte
	switch args[0] {
	case "noise":
		for i := range 5000 {
			body = append(body, byte(i*i%251), 0, 0xff)
		}
	case "long":
		body = append(bytes.Repeat([]byte("x"), 3<<20), '\n')
	case "bom":
		body = []byte("\xef\xbb\xbf")
	default:
		ts.Fatalf("no file of kind %s", args[0])
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[1]), body, 0o644))
}

// register puts a package into a registry as its candidate: register FILE DATA.
func register(ts *testscript.TestScript, neg bool, args []string) {
	pkg, err := train.ReadPackage(strings.NewReader(ts.ReadFile(args[0])))
	ts.Check(err)
	bucket, err := store.OpenDisk(ts.MkAbs(args[1]))
	ts.Check(err)
	p := pipeline.New(pipeline.Default(), pipeline.Deps{Bucket: bucket, Now: time.Now})
	ts.Check(p.PutModel(context.Background(), pkg))
	_, err = p.ChangeStages(context.Background(), func(s train.Stages) (train.Stages, error) {
		err := s.Register(pkg.Model.ID, train.Transition{})
		return s, err
	})
	ts.Check(err)
}

// TestExamples wants every example of a help text to stand in a script as printed.
func TestExamples(t *testing.T) {
	run := map[string]bool{}
	err := filepath.WalkDir(scripts, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		body, err := os.ReadFile(path)
		for line := range strings.Lines(string(body)) {
			line, _, _ = strings.Cut(line, " &")
			line = strings.TrimPrefix(line, "exitcode 1 ") // it runs, and says why it is not content
			run[strings.TrimSpace(line)] = true
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	var walk func(c *cobra.Command)
	walk = func(c *cobra.Command) {
		if c.Example == "" {
			t.Errorf("%s has no example", c.CommandPath())
		}
		for line := range strings.Lines(c.Example) {
			if line = strings.TrimSpace(line); !run[line] {
				t.Errorf("the example of %s stands in no script: %s", c.CommandPath(), line)
			}
		}
		for _, sub := range c.Commands() {
			walk(sub)
		}
	}
	walk((&app{}).root())
}
