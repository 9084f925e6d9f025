package store_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"picket/store"
	"picket/store/storetest"
)

func TestMain(m *testing.M) {
	if dir := os.Getenv("STORE_TEST_WRITE"); dir != "" {
		writeForever(dir)
	}
	os.Exit(m.Run())
}

func TestMemory(t *testing.T) {
	storetest.Run(t, func(*testing.T) store.Bucket { return store.NewMemory(nil) })
}

func TestDisk(t *testing.T) {
	storetest.Run(t, func(t *testing.T) store.Bucket { return openDisk(t, t.TempDir()) })
}

func openDisk(t *testing.T, dir string) *store.Disk {
	t.Helper()
	d, err := store.OpenDisk(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	return d
}

func TestMemoryClock(t *testing.T) {
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.FixedZone("", 3600))
	info, err := store.NewMemory(func() time.Time { return at }).Put(t.Context(), "k", strings.NewReader(""))
	if err != nil || !info.Modified.Equal(at) || info.Modified.Location() != time.UTC {
		t.Fatalf("%v, %v", info.Modified, err)
	}
}

func TestHash(t *testing.T) {
	content := strings.Repeat("0123456789", 2_000_000)
	h := store.NewHash(strings.NewReader(content))
	if _, err := io.Copy(io.Discard, h); err != nil {
		t.Fatal(err)
	}
	info, err := openDisk(t, t.TempDir()).Put(t.Context(), "k", strings.NewReader(content))
	if err != nil || h.ETag() != info.ETag || h.Size() != info.Size {
		t.Fatalf("hash %s of %d bytes, put says %+v, %v", h.ETag(), h.Size(), info, err)
	}
	if want := "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"; store.NewHash(nil).ETag() != want {
		t.Fatal("the hash of nothing is not SHA-256's")
	}
}

// TestDiskBadFiles lists a folder in which people have left all sorts of things.
func TestDiskBadFiles(t *testing.T) {
	dir := t.TempDir()
	d := openDisk(t, dir)
	at := func(name string) string { return filepath.Join(dir, "raw", name) }
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"a.log", "shut/x", "sub/x", "z.log"} {
		must(os.MkdirAll(filepath.Dir(at(name)), 0o755))
		must(os.WriteFile(at(name), []byte("x"), 0o644))
	}
	outside := filepath.Join(t.TempDir(), "secret")
	must(os.WriteFile(outside, []byte("secret"), 0o644))
	must(os.Symlink("nowhere", at("dangling")))
	must(os.Symlink(outside, at("escape")))
	must(os.Symlink("a.log", at("link")))
	must(os.Symlink(".", at("loop")))
	must(os.WriteFile(at("bad\xffname"), nil, 0o644))
	must(syscall.Mkfifo(at("pipe"), 0o644))
	must(os.MkdirAll(at("empty/deep"), 0o755))
	must(os.Chmod(at("shut"), 0))
	t.Cleanup(func() { os.Chmod(at("shut"), 0o755) })

	var good, bad []string
	for info, err := range d.List(t.Context(), "raw/", "") {
		if err == nil {
			good = append(good, info.Key)
			continue
		}
		bad = append(bad, info.Key)
		if !strings.Contains(err.Error(), strings.TrimSuffix(info.Key[4:], "\xffname")) {
			t.Errorf("%q does not name %q", err, info.Key)
		}
	}
	wantGood := []string{"raw/a.log", "raw/link", "raw/sub/x", "raw/z.log"}
	wantBad := []string{"raw/bad\xffname", "raw/dangling", "raw/escape", "raw/loop", "raw/pipe", "raw/shut/"}
	if os.Geteuid() == 0 { // root reads what is shut
		wantGood = []string{"raw/a.log", "raw/link", "raw/shut/x", "raw/sub/x", "raw/z.log"}
		wantBad = wantBad[:5]
	}
	if !slices.Equal(good, wantGood) || !slices.Equal(bad, wantBad) {
		t.Errorf("good %q\nbad  %q", good, bad)
	}
	for _, key := range []string{"raw/dangling", "raw/pipe"} {
		if _, _, err := d.Get(t.Context(), key); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("get %s: %v", key, err)
		}
	}
	for info, err := range d.List(t.Context(), "raw/loop", "") {
		if info.Key == "raw/loop" && !strings.Contains(err.Error(), "a link to a folder") {
			t.Error(err)
		}
	}
	if _, _, err := d.Get(t.Context(), "raw/escape"); err == nil {
		t.Error("a link led out of the bucket")
	}
}

// TestDiskPutThroughLink: no write leaves the bucket either.
func TestDiskPutThroughLink(t *testing.T) {
	dir, outside := t.TempDir(), t.TempDir()
	d := openDisk(t, dir)
	if err := os.Symlink(outside, filepath.Join(dir, "raw")); err != nil {
		t.Fatal(err)
	}
	if _, err := d.Put(t.Context(), "raw/x", strings.NewReader("x")); err == nil {
		t.Error("put through a link that leads out of the bucket")
	}
	for _, err := range d.List(t.Context(), "raw/", "") {
		if err == nil {
			t.Error("listed through a link that leads out of the bucket")
		}
	}
	if left, err := os.ReadDir(outside); len(left) > 0 || err != nil {
		t.Errorf("%v, %v lie outside", left, err)
	}
}

func writeForever(dir string) {
	d, err := store.OpenDisk(dir)
	if err != nil {
		panic(err)
	}
	var contents [4][]byte // made before: the time between two puts is none in which a kill shows anything
	for i := range contents {
		contents[i] = bytes.Repeat([]byte{byte(i)}, 2_000_000)
	}
	for i := 0; ; i++ {
		if _, err := d.Put(context.Background(), "k", bytes.NewReader(contents[i%len(contents)])); err != nil {
			panic(err)
		}
		os.Stdout.WriteString(".")
	}
}

// TestDiskKill kills a writer at random moments.
func TestDiskKill(t *testing.T) {
	dir := t.TempDir()
	leftBehind := 0
	for i := 0; leftBehind < 3; i++ {
		if i == 200 {
			t.Fatal("no kill comes while a file is written: the test shows nothing")
		}
		kill(t, dir, 1+i%4)
		temps, err := os.ReadDir(filepath.Join(dir, ".picket", "tmp"))
		if err != nil {
			t.Fatal(err)
		}
		leftBehind += len(temps)
		d := openDisk(t, dir)
		r, info, err := d.Get(t.Context(), "k")
		if err != nil {
			t.Fatal(err)
		}
		data, err := io.ReadAll(r)
		r.Close()
		if err != nil || info.Size != 2_000_000 || bytes.Count(data, data[:1]) != len(data) {
			t.Fatalf("%d bytes are left of an object, %v", len(data), err)
		}
		if temps, err := os.ReadDir(filepath.Join(dir, ".picket", "tmp")); len(temps) > 0 || err != nil {
			t.Fatalf("%d temporary files remain, %v", len(temps), err)
		}
	}
}

// kill ends a writer just after it has put n objects.
func kill(t *testing.T, dir string, n int) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "STORE_TEST_WRITE="+dir)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(out, make([]byte, n)); err != nil {
		t.Fatal(err)
	}
	cmd.Process.Kill()
	cmd.Wait()
}

// TestDiskSweepSpares: opening the folder again leaves a living writer alone.
func TestDiskSweepSpares(t *testing.T) {
	dir := t.TempDir()
	d := openDisk(t, dir)
	r, w := io.Pipe()
	done := make(chan error)
	go func() {
		_, err := d.Put(context.Background(), "k", r)
		done <- err
	}()
	io.WriteString(w, "first ")
	openDisk(t, dir)
	io.WriteString(w, "second")
	w.Close()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if info, err := d.Stat(t.Context(), "k"); err != nil || info.Size != 12 {
		t.Fatalf("%+v, %v", info, err)
	}
}

// FuzzKey: a key that is taken is an object of that name, in the bucket.
func FuzzKey(f *testing.F) {
	for _, key := range []string{"raw/x", "../x", "a//b", ".picket/x", "a/./b", "a\x00", "\xff", "a/..", "/", "", "é/ "} {
		f.Add(key)
	}
	f.Fuzz(func(t *testing.T, key string) {
		above := t.TempDir()
		d := openDisk(t, filepath.Join(above, "bucket"))
		_, err := d.Put(t.Context(), key, strings.NewReader("x"))
		if (err == nil) != (store.CheckKey(key) == nil) {
			t.Fatalf("put: %v, check: %v", err, store.CheckKey(key))
		}
		var listed []string
		for info, err := range d.List(t.Context(), "", "") {
			if err != nil {
				t.Fatal(err)
			}
			listed = append(listed, info.Key)
		}
		if err == nil && !slices.Equal(listed, []string{key}) || err != nil && len(listed) > 0 {
			t.Fatalf("put %q: %v; listed %q", key, err, listed)
		}
		if entries, _ := os.ReadDir(above); len(entries) != 1 {
			t.Fatalf("outside the bucket: %v", entries)
		}
	})
}

func BenchmarkDiskPut(b *testing.B) {
	d, err := store.OpenDisk(b.TempDir())
	if err != nil {
		b.Fatal(err)
	}
	defer d.Close()
	for i := 0; b.Loop(); i++ {
		if _, err := d.Put(b.Context(), "due/h/x"+string(rune('a'+i%26)), strings.NewReader("x")); err != nil {
			b.Fatal(err)
		}
	}
}
