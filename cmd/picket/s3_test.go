package main

import (
	"context"
	"fmt"
	"net/http/httptest"
	"sync"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"picket/aws/s3/locate"
	"picket/aws/s3/s3test"
)

// servers are the S3s of the scripts, by their address.
var servers sync.Map

// s3Command is an S3 on this machine: "s3 serve BUCKET" starts it and sets $S3 to
// its address, "s3 put BUCKET KEY FILE" puts an object, "s3 await BUCKET PREFIX"
// waits for one, "s3 cat BUCKET KEY" prints one.
func s3Command(ts *testscript.TestScript, neg bool, args []string) {
	if args[0] == "serve" {
		server := s3test.New(args[1:]...)
		web := httptest.NewServer(server)
		ts.Defer(web.Close)
		servers.Store(web.URL, server)
		ts.Setenv("S3", web.URL)
		ts.Setenv("AWS_ACCESS_KEY_ID", "test")
		ts.Setenv("AWS_SECRET_ACCESS_KEY", "test")
		return
	}
	at, _ := servers.Load(ts.Getenv("S3"))
	server := at.(*s3test.Server)
	switch args[0] {
	case "put":
		server.Add(args[1], args[2], []byte(ts.ReadFile(args[3])))
	case "await":
		eventually(ts, func() error {
			if len(server.Keys(args[1], args[2])) == 0 {
				return fmt.Errorf("no object %s in %s", args[2], args[1])
			}
			return nil
		})
	default:
		ts.Fatalf("s3 %s", args[0])
	}
}

// TestS3Address: an address of S3 that cannot be is refused with what to write.
func TestS3Address(t *testing.T) {
	for _, bad := range []string{"s3://", "s3://x?endpiont=y"} {
		if _, err := bucketAt(context.Background(), bad); err == nil {
			t.Errorf("%q was taken", bad)
		}
	}
	if at, err := locate.Parse("s3://x/y?region=r"); err != nil || rawFolder("s3://x/y?region=r") != "s3://x/y/raw" {
		t.Errorf("%+v, %v, %s", at, err, rawFolder("s3://x/y?region=r"))
	}
}
