package server_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"picket/server"
	"picket/store"
)

// bubble runs a watch over a bucket in memory, in time that stands still while
// anything moves.
type bubble struct {
	t       *testing.T
	start   time.Time
	bucket  *store.Memory
	events  []string // "2s raw/a 3": when, which, bytes
	fail    map[string]int
	takes   time.Duration // to handle one
	looks   time.Duration // to list all
	known   func(store.Info) bool
	workers int
}

func inBubble(t *testing.T, f func(b *bubble)) {
	synctest.Test(t, func(t *testing.T) {
		b := &bubble{t: t, start: time.Now(), bucket: store.NewMemory(nil), fail: map[string]int{}}
		f(b)
	})
}

func (b *bubble) put(key, content string) {
	if _, err := b.bucket.Put(b.t.Context(), key, strings.NewReader(content)); err != nil {
		b.t.Fatal(err)
	}
}

func (b *bubble) handle(ctx context.Context, i store.Info) error {
	b.events = append(b.events, fmt.Sprintf("%v %s %d", time.Since(b.start), i.Key, i.Size))
	time.Sleep(b.takes)
	if b.fail[i.Key] > 0 {
		b.fail[i.Key]--
		return errors.New("not today")
	}
	return nil
}

// watch runs until the functions of at have run, each at its time, and an hour
// has passed. Then it compares what was handled.
func (b *bubble) watch(at map[time.Duration]func(), want ...string) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.t.Context(), time.Hour)
	defer cancel()
	for when, f := range at {
		time.AfterFunc(when, f)
	}
	o := server.WatchOptions{Prefix: "raw/", Settle: 2 * time.Second, Known: b.known, Workers: b.workers,
		Failed: func(i store.Info, err error) { b.events = append(b.events, i.Key+" "+err.Error()) }}
	if err := server.Watch(ctx, lister{b.bucket, func() { time.Sleep(b.looks) }}, o, b.handle); err != nil {
		b.t.Error(err)
	}
	if d := cmp.Diff(want, b.events); d != "" {
		b.t.Error(d)
	}
}

// lister calls before each list.
type lister struct {
	store.Bucket
	before func()
}

func (l lister) List(ctx context.Context, prefix, after string) iter.Seq2[store.Info, error] {
	l.before()
	return l.Bucket.List(ctx, prefix, after)
}

func TestWatchSettles(t *testing.T) {
	inBubble(t, func(b *bubble) {
		b.put("raw/old", "12")
		b.put("other/old", "12")
		time.Sleep(time.Minute)
		b.start = time.Now()
		b.watch(map[time.Duration]func(){
			3 * time.Second:  func() { b.put("raw/grows", "1") },
			4 * time.Second:  func() { b.put("raw/grows", "12") },
			5 * time.Second:  func() { b.put("raw/grows", "123"); b.put("raw/.hidden", "1"); b.put("raw/sub/.x.gz.tmp", "1") },
			20 * time.Second: func() { b.put("raw/grows", "123") }, // another time is another version
		},
			"0s raw/old 2",   // at rest long since
			"7s raw/grows 3", // 2 s after it was last written
			"22s raw/grows 3",
		)
	})
}

func TestWatchKnown(t *testing.T) {
	inBubble(t, func(b *bubble) {
		b.put("raw/a", "1")
		b.put("raw/b", "1")
		b.known = func(i store.Info) bool { return i.Key == "raw/a" && i.Size == 1 }
		b.watch(map[time.Duration]func(){10 * time.Second: func() { b.put("raw/a", "12") }}, "2s raw/b 1", "12s raw/a 2")
	})
}

func TestWatchRetries(t *testing.T) {
	inBubble(t, func(b *bubble) {
		b.fail["raw/a"] = 3
		b.put("raw/a", "1")
		b.put("raw/b", "1")
		b.watch(nil,
			"2s raw/a 1", "raw/a not today", "2s raw/b 1",
			"4s raw/a 1", "raw/a not today",
			"8s raw/a 1", "raw/a not today",
			"16s raw/a 1",
		)
	})
}

// TestWatchGone: what fails because it is gone is not looked for for ever.
func TestWatchGone(t *testing.T) {
	inBubble(t, func(b *bubble) {
		b.fail["raw/a"] = 1000
		b.put("raw/a", "1")
		b.watch(map[time.Duration]func(){3 * time.Second: func() { b.bucket.Delete(context.Background(), "raw/a") }},
			"2s raw/a 1", "raw/a not today")
	})
}

// TestWatchChangesWhileHandled: the new version is handled after the old one, never
// beside it.
func TestWatchChangesWhileHandled(t *testing.T) {
	inBubble(t, func(b *bubble) {
		b.takes = 10 * time.Second
		b.put("raw/a", "1")
		b.watch(map[time.Duration]func(){5 * time.Second: func() { b.put("raw/a", "12") }}, "2s raw/a 1", "12s raw/a 2")
	})
}

func TestWatchWorkers(t *testing.T) {
	inBubble(t, func(b *bubble) {
		b.takes = 10 * time.Second
		for _, key := range []string{"raw/a", "raw/b", "raw/c"} {
			b.put(key, "1")
		}
		// What changes while it queues is handled once, as it is then.
		b.watch(map[time.Duration]func(){5 * time.Second: func() { b.put("raw/b", "12") }},
			"2s raw/a 1", "12s raw/b 2", "22s raw/c 1")
	})
}

// TestWatchRests: a look that takes long is not the only thing that is done.
func TestWatchRests(t *testing.T) {
	inBubble(t, func(b *bubble) {
		b.looks = time.Second
		b.put("raw/a", "1")
		b.watch(nil, "6s raw/a 1") // after a look, four times as long, and another look
	})
}

// TestWatchEnds: the call under way is waited for, and no other begins.
func TestWatchEnds(t *testing.T) {
	inBubble(t, func(b *bubble) {
		b.put("raw/a", "1")
		b.put("raw/b", "1")
		ctx, cancel := context.WithCancel(b.t.Context())
		calls, finished := 0, false
		handle := func(context.Context, store.Info) error {
			calls++
			cancel()
			time.Sleep(time.Minute)
			finished = true
			return nil
		}
		err := server.Watch(ctx, b.bucket, server.WatchOptions{Prefix: "raw/"}, handle)
		if err != nil || calls != 1 || !finished {
			t.Errorf("%v, %d calls, finished %v", err, calls, finished)
		}
	})
}

// folder is a bucket on disk under watch, in real time. Looking at everything
// comes once an hour, so that all but the first look is the system's telling.
type folder struct {
	t     *testing.T
	dir   string
	keys  chan string
	bad   chan string
	looks atomic.Int64
}

func watchFolder(t *testing.T, poll time.Duration, dir func(string) string) *folder {
	f := &folder{t: t, dir: t.TempDir(), keys: make(chan string, 1000), bad: make(chan string, 1000)}
	if err := os.Mkdir(filepath.Join(f.dir, "raw"), 0o755); err != nil {
		t.Fatal(err)
	}
	b, err := store.OpenDisk(f.dir)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error)
	o := server.WatchOptions{Dir: dir(f.dir), Prefix: "raw/", Settle: 10 * time.Millisecond, Poll: poll,
		Bad: func(key string, err error) { f.bad <- key }}
	go func() {
		count := lister{b, func() { f.looks.Add(1) }}
		ended <- server.Watch(ctx, count, o, func(_ context.Context, i store.Info) error {
			var err error
			if i.Key == "raw/goes" {
				os.Remove(filepath.Join(f.dir, i.Key))
				err = fs.ErrNotExist
			}
			f.keys <- i.Key
			return err
		})
	}()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		b.Close()
	})
	return f
}

func told(dir string) string { return dir }
func deaf(string) string     { return "" }

// write puts a file in place whole, as a careful copying tool does: at 10 ms of
// rest a slow machine could be caught between two writes.
func (f *folder) write(name, content string) {
	f.t.Helper()
	name = filepath.Join(f.dir, "raw", name)
	hidden := filepath.Join(filepath.Dir(name), ".hidden")
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		f.t.Fatal(err)
	}
	if err := os.WriteFile(hidden, []byte(content), 0o644); err != nil {
		f.t.Fatal(err)
	}
	if err := os.Rename(hidden, name); err != nil {
		f.t.Fatal(err)
	}
}

// await reads from c until each of want has come, in any order.
func (f *folder) await(c chan string, want ...string) {
	f.t.Helper()
	deadline := time.After(10 * time.Second)
	for len(want) > 0 {
		select {
		case got := <-c:
			i := slices.Index(want, got)
			if i < 0 {
				f.t.Fatalf("%q came, still waiting for %q", got, want)
			}
			want = slices.Delete(want, i, i+1)
		case <-deadline:
			f.t.Fatalf("%q did not come", want)
		}
	}
}

func TestWatchFolder(t *testing.T) {
	for name, dir := range map[string]func(string) string{"told": told, "polling": deaf} {
		t.Run(name, func(t *testing.T) {
			f := watchFolder(t, time.Hour, dir)
			f.write("first.log", "1")
			f.await(f.keys, "raw/first.log")
			f.write("a/b/c/deep.log", "1")
			f.await(f.keys, "raw/a/b/c/deep.log")
			f.write("a/b/c/later.log", "1")
			f.await(f.keys, "raw/a/b/c/later.log")
			f.write("first.log", "12")
			f.await(f.keys, "raw/first.log")

			moved := filepath.Join(f.dir, "elsewhere")
			if err := os.MkdirAll(filepath.Join(moved, "x"), 0o755); err != nil {
				t.Fatal(err)
			}
			for _, file := range []string{"1.log", "x/2.log"} {
				if err := os.WriteFile(filepath.Join(moved, file), nil, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			if err := os.Rename(moved, filepath.Join(f.dir, "raw", "moved")); err != nil {
				t.Fatal(err)
			}
			f.await(f.keys, "raw/moved/1.log", "raw/moved/x/2.log")
			f.write("moved/x/3.log", "")
			f.await(f.keys, "raw/moved/x/3.log")
		})
	}
}

func TestWatchFolderMany(t *testing.T) {
	f := watchFolder(t, time.Hour, told)
	var want []string
	for i := range 300 {
		name := fmt.Sprintf("%d/%d/%d.log", i%3, i%7, i)
		f.write(name, "x")
		want = append(want, "raw/"+name)
	}
	f.await(f.keys, want...)
}

func TestWatchFolderLinkedDir(t *testing.T) {
	f := watchFolder(t, time.Hour, func(dir string) string {
		link := filepath.Join(t.TempDir(), "link")
		if err := os.Symlink(dir, link); err != nil {
			t.Fatal(err)
		}
		return link
	})
	f.write("a.log", "x")
	f.await(f.keys, "raw/a.log")
}

// TestWatchFolderBad: what cannot be read is told of once, however often it is
// looked at, and hinders nothing.
func TestWatchFolderBad(t *testing.T) {
	f := watchFolder(t, 20*time.Millisecond, told)
	raw := func(name string) string { return filepath.Join(f.dir, "raw", name) }
	if err := os.Symlink("nowhere", raw("dangling")); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mkfifo(raw("pipe"), 0o644); err != nil {
		t.Fatal(err)
	}
	f.await(f.bad, "raw/dangling", "raw/pipe")
	for i := range 5 { // each takes a look or more
		name := fmt.Sprintf("%d.log", i)
		f.write(name, "x")
		f.await(f.keys, "raw/"+name)
	}
	select {
	case again := <-f.bad:
		t.Errorf("%s was told of again", again)
	default:
	}
	f.write("nowhere", "now it is there")
	f.await(f.keys, "raw/nowhere", "raw/dangling")
}

// TestWatchFolderGoes: a file that is gone before it could be read is not looked
// for again and again.
func TestWatchFolderGoes(t *testing.T) {
	f := watchFolder(t, time.Hour, told)
	f.write("goes", "x")
	f.await(f.keys, "raw/goes")
	<-time.After(300 * time.Millisecond) // time enough for hundreds of looks
	if n := f.looks.Load(); n > 20 {
		t.Errorf("looked %d times", n)
	}
}

// TestWatchNoFolder: without the folder the watch looks by itself.
func TestWatchNoFolder(t *testing.T) {
	f := watchFolder(t, time.Hour, func(dir string) string { return filepath.Join(dir, "not there") })
	f.await(f.bad, "raw/")
	f.write("a.log", "x")
	f.await(f.keys, "raw/a.log")
}
