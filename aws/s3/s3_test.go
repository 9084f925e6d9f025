package s3_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/iotest"

	"picket/aws/s3"
	"picket/aws/s3/locate"
	"picket/aws/s3/s3test"
	"picket/store"
	"picket/store/storetest"
)

// fake is an S3 on this machine.
type fake struct {
	*s3test.Server
	url string
}

// serve starts an S3 and returns it with the bucket "data" of it.
func serve(t *testing.T, query string) (fake, *s3.Bucket) {
	t.Helper()
	server := s3test.New("data")
	web := httptest.NewServer(server)
	t.Cleanup(web.Close)
	return fake{server, web.URL}, open(t, "s3://data"+query+"endpoint="+web.URL)
}

func open(t *testing.T, address string) *s3.Bucket {
	t.Helper()
	t.Setenv("AWS_ACCESS_KEY_ID", "test")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "test")
	t.Setenv("AWS_CONFIG_FILE", "none")
	t.Setenv("AWS_SHARED_CREDENTIALS_FILE", "none")
	b, err := locate.Open(t.Context(), address)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestContract(t *testing.T) {
	storetest.Run(t, func(t *testing.T) store.Bucket {
		_, b := serve(t, "?")
		return b
	})
}

// TestContractBelowPrefix holds a part of a bucket to the same contract, with
// pages of a few keys and what others keep beside it.
func TestContractBelowPrefix(t *testing.T) {
	storetest.Run(t, func(t *testing.T) store.Bucket {
		server, b := serve(t, "/team/a?kms=arn:aws:kms:eu-central-1:1:key/k&")
		server.PageSize, server.LongestKey = 3, 1024+len("team/a/")
		outside := open(t, "s3://data?endpoint="+server.url)
		for _, key := range []string{"team/b/x", "team/a0", "zzz"} {
			if _, err := outside.Put(t.Context(), key, strings.NewReader("x")); err != nil {
				t.Fatal(err)
			}
		}
		return b
	})
}

func content(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i ^ i>>8 ^ i>>16)
	}
	return b
}

func TestLargeObject(t *testing.T) {
	for _, size := range []int{8<<20 - 1, 8 << 20, 8<<20 + 1, 20 << 20, 24 << 20} {
		server, b := serve(t, "?kms=k1&")
		body := content(size)
		info, err := b.Put(t.Context(), "raw/large", iotest.HalfReader(bytes.NewReader(body)), store.IfAbsent)
		if err != nil || info.Size != int64(size) {
			t.Fatalf("%d bytes: %+v, %v", size, info, err)
		}
		if got := server.Content("data", "")["raw/large"]; !bytes.Equal(got, body) {
			t.Fatalf("%d bytes: others came", size)
		}
		if _, err := b.Put(t.Context(), "raw/large", bytes.NewReader(body), store.IfAbsent); !errors.Is(err, store.ErrPrecondition) {
			t.Fatalf("%d bytes put twice: %v", size, err)
		}
		if _, err := b.Put(t.Context(), "raw/large", bytes.NewReader(body), store.IfMatch(`"other"`)); !errors.Is(err, store.ErrPrecondition) {
			t.Fatalf("%d bytes over another: %v", size, err)
		}
		if _, err := b.Put(t.Context(), "raw/large", bytes.NewReader(body), store.IfMatch(info.ETag)); err != nil {
			t.Fatalf("%d bytes over the same: %v", size, err)
		}
		if server.Uploads() != 0 || server.KMSKeys("data")["raw/large"] != "k1" {
			t.Fatalf("%d bytes: %d uploads are left, key %v", size, server.Uploads(), server.KMSKeys("data"))
		}
	}
}

func TestLargeObjectFails(t *testing.T) {
	server, b := serve(t, "?")
	broken := errors.New("broken pipe in the test")
	_, err := b.Put(t.Context(), "k", io.MultiReader(bytes.NewReader(content(9<<20)), iotest.ErrReader(broken)))
	if !errors.Is(err, broken) || server.Uploads() != 0 || len(server.Keys("data", "")) != 0 {
		t.Fatalf("%v; %d uploads, keys %v", err, server.Uploads(), server.Keys("data", ""))
	}
	// The reader is stopped in the middle: nothing is left either.
	ctx, cancel := context.WithCancel(t.Context())
	r := &hook{r: bytes.NewReader(content(30 << 20)), after: 9 << 20, do: cancel}
	if _, err := b.Put(ctx, "k", r); !errors.Is(err, context.Canceled) || server.Uploads() != 0 {
		t.Fatalf("%v; %d uploads", err, server.Uploads())
	}
}

// hook calls do once so many bytes were read.
type hook struct {
	r     io.Reader
	after int
	do    func()
}

func (h *hook) Read(p []byte) (int, error) {
	n, err := h.r.Read(p)
	if h.after -= n; h.after <= 0 && h.do != nil {
		h.do()
		h.do = nil
	}
	return n, err
}

// TestConflict: 409 is tried again; 412 is not.
func TestConflict(t *testing.T) {
	server, b := serve(t, "?")
	var left atomic.Int64
	server.Fault = func(r *http.Request) (int, string, bool) {
		if r.Method == http.MethodPut && left.Add(-1) >= 0 {
			return http.StatusConflict, "ConditionalRequestConflict", false
		}
		return 0, "", false
	}
	left.Store(3)
	if _, err := b.Put(t.Context(), "k", strings.NewReader("x"), store.IfAbsent); err != nil {
		t.Fatal(err)
	}
	left.Store(1000)
	_, err := b.Put(t.Context(), "k2", strings.NewReader("x"), store.IfAbsent)
	if err == nil || errors.Is(err, store.ErrPrecondition) || left.Load() < 900 {
		t.Fatalf("%v after %d tries: a conflict without end must be an error of its own", err, 1000-left.Load())
	}
	left.Store(0)
	before := len(server.Requests())
	if _, err := b.Put(t.Context(), "k", strings.NewReader("x"), store.IfAbsent); !errors.Is(err, store.ErrPrecondition) {
		t.Fatal(err)
	}
	if n := len(server.Requests()) - before; n != 1 {
		t.Errorf("a lost race was run %d times", n)
	}
}

// TestLostAnswer: the object is written, the answer is lost, and the SDK asks
// again: the put that wrote it did not lose a race.
func TestLostAnswer(t *testing.T) {
	server, b := serve(t, "?")
	var lose atomic.Bool
	server.Fault = func(r *http.Request) (int, string, bool) {
		return http.StatusInternalServerError * b2i(r.Method == http.MethodPut && lose.Swap(false)), "InternalError", true
	}
	lose.Store(true)
	first, err := b.Put(t.Context(), "s", strings.NewReader("one"), store.IfAbsent)
	if err != nil {
		t.Fatal(err)
	}
	lose.Store(true)
	if _, err := b.Put(t.Context(), "s", strings.NewReader("two"), store.IfMatch(first.ETag)); err != nil {
		t.Fatal(err)
	}
	if got := string(server.Content("data", "")["s"]); got != "two" {
		t.Fatalf("holds %q", got)
	}
}

func b2i(b bool) int {
	if b {
		return 1
	}
	return 0
}

// TestResume: a connection that breaks in the middle of an object costs nothing,
// unless the object is another one by then.
func TestResume(t *testing.T) {
	server, b := serve(t, "?")
	body := content(3 << 20)
	if _, err := b.Put(t.Context(), "k", bytes.NewReader(body)); err != nil {
		t.Fatal(err)
	}
	var cuts atomic.Int64
	server.Cut = func(*http.Request) int64 { cuts.Add(1); return 1 << 20 }
	r, _, err := b.Get(t.Context(), "k")
	if err != nil {
		t.Fatal(err)
	}
	got, err := io.ReadAll(r)
	r.Close()
	if err != nil || !bytes.Equal(got, body) || cuts.Load() < 3 {
		t.Fatalf("%d of %d bytes in %d pieces, %v", len(got), len(body), cuts.Load(), err)
	}

	if r, _, err = b.Get(t.Context(), "k"); err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if _, err := io.ReadFull(r, make([]byte, 100)); err != nil {
		t.Fatal(err)
	}
	other := bytes.Repeat([]byte("other"), len(body)/5+1)[:len(body)] // as long
	if _, err := b.Put(t.Context(), "k", bytes.NewReader(other)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadAll(r); err == nil {
		t.Error("read a mixture of two objects")
	}
}

func TestVersions(t *testing.T) {
	server, b := serve(t, "?")
	for _, text := range []string{"one", "two"} {
		if _, err := b.Put(t.Context(), "raw/x", strings.NewReader(text)); err != nil {
			t.Fatal(err)
		}
	}
	if err := b.Delete(t.Context(), "raw/x"); err != nil {
		t.Fatal(err)
	}
	ids := server.Versions("data", "raw/x")
	for i, want := range []string{"one", "two"} {
		r, info, err := b.GetVersion(t.Context(), "raw/x", ids[i])
		if err != nil {
			t.Fatal(err)
		}
		got, _ := io.ReadAll(r)
		r.Close()
		if string(got) != want || info.Size != 3 || info.Modified.IsZero() {
			t.Errorf("version %s holds %q: %+v", ids[i], got, info)
		}
	}
	for _, id := range []string{"", ids[2], "none"} {
		if _, _, err := b.GetVersion(t.Context(), "raw/x", id); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("version %q: %v", id, err)
		}
	}
}

// TestRefusals: what S3 refuses is not taken for a missing object, and what it
// asks to be tried again is.
func TestRefusals(t *testing.T) {
	server, b := serve(t, "?")
	missing := open(t, "s3://none?endpoint="+server.url)
	if _, _, err := missing.Get(t.Context(), "k"); err == nil || errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), "none") {
		t.Errorf("a missing bucket: %v", err)
	}
	var left atomic.Int64
	var code atomic.Value
	server.Fault = func(*http.Request) (int, string, bool) {
		f := code.Load().(failure)
		return f.status * b2i(left.Add(-1) >= 0), f.code, false
	}
	left.Store(2) // the list that would tell whether it is there, too
	code.Store(failure{http.StatusForbidden, "AccessDenied"})
	if _, err := b.Stat(t.Context(), "k"); err == nil || errors.Is(err, fs.ErrNotExist) {
		t.Errorf("forbidden: %v", err)
	}
	left.Store(2)
	code.Store(failure{http.StatusServiceUnavailable, "SlowDown"})
	if _, err := b.Put(t.Context(), "k", strings.NewReader("x")); err != nil {
		t.Errorf("asked to slow down: %v", err)
	}
}

type failure struct {
	status int
	code   string
}

func TestNoRegion(t *testing.T) {
	for _, name := range []string{"AWS_REGION", "AWS_DEFAULT_REGION", "AWS_PROFILE"} {
		t.Setenv(name, "")
	}
	t.Setenv("AWS_CONFIG_FILE", "none")
	if _, err := locate.Open(t.Context(), "s3://logs"); !errors.Is(err, locate.ErrRegion) {
		t.Error(err)
	}
}

// TestFoldersOfConsoles: a console makes an empty object for a folder.
func TestFoldersOfConsoles(t *testing.T) {
	server, b := serve(t, "?")
	request, err := http.NewRequest(http.MethodPut, server.url+"/data/raw/", nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Authorization", "AWS4-HMAC-SHA256 by hand")
	answer, err := http.DefaultClient.Do(request)
	if err != nil || answer.StatusCode != http.StatusOK {
		t.Fatal(answer, err)
	}
	if _, err := b.Put(t.Context(), "raw/x", strings.NewReader("x")); err != nil {
		t.Fatal(err)
	}
	var keys []string
	for info, err := range b.List(t.Context(), "raw/", "") {
		if err != nil {
			t.Error(err)
		}
		keys = append(keys, info.Key)
	}
	if !slices.Equal(keys, []string{"raw/x"}) {
		t.Errorf("listed %q", keys)
	}
}

// S3 says of a missing object that it is forbidden, to who may list only some
// prefixes. What is there and forbidden stays forbidden.
func TestForbidden(t *testing.T) {
	server := s3test.New("b")
	web := httptest.NewServer(server)
	t.Cleanup(web.Close)
	b := open(t, "s3://b/?endpoint="+web.URL)
	for _, key := range []string{"models/a/there", "models/b/absent.json"} {
		if _, err := b.Put(t.Context(), key, strings.NewReader("x")); err != nil {
			t.Fatal(err)
		}
	}
	server.Fault = func(r *http.Request) (int, string, bool) {
		if r.URL.Query().Has("list-type") {
			if p := r.URL.Query().Get("prefix"); !strings.HasPrefix(p, "models/") {
				return http.StatusForbidden, "AccessDenied", false
			}
			return 0, "", false
		}
		return http.StatusForbidden, "AccessDenied", false
	}
	f := func(key string, missing bool) {
		t.Helper()
		_, err := b.Stat(t.Context(), key)
		if err == nil || errors.Is(err, fs.ErrNotExist) != missing {
			t.Errorf("stat %s: %v", key, err)
		}
		_, _, err = b.Get(t.Context(), key)
		if err == nil || errors.Is(err, fs.ErrNotExist) != missing {
			t.Errorf("get %s: %v", key, err)
		}
		_, err = b.GetRange(t.Context(), key, 1, 2)
		if err == nil || errors.Is(err, fs.ErrNotExist) != missing {
			t.Errorf("get range %s: %v", key, err)
		}
	}
	f("models/a/there", false)
	f("models/a/ther", true)
	f("models/b/absent", true)
	f("models/z", true)
	f("raw/x", false) // nobody can tell
}
