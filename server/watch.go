package server

import (
	"context"
	"fmt"
	"io/fs"
	"iter"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/fsnotify/fsnotify"

	"picket/store"
)

// Lister is what Watch needs of a bucket.
type Lister interface {
	List(ctx context.Context, prefix, after string) iter.Seq2[store.Info, error]
}

// WatchOptions say what to watch; zeros are good values.
type WatchOptions struct {
	Dir     string                        // folder of the bucket, to be told of changes by the system; "" looks every Settle
	Prefix  string                        // of the keys: "raw/"
	Settle  time.Duration                 // how long a file must rest before it is taken; 2 s
	Poll    time.Duration                 // how often to look at everything, whatever the system tells; 30 s
	Workers int                           // how many objects are handled at once; 1
	Known   func(store.Info) bool         // reports objects that need no handling; may be nil
	Bad     func(key string, err error)   // told once of each key or folder that cannot be looked at; may be nil
	Failed  func(i store.Info, err error) // told each time handle fails; may be nil
}

const (
	// gather is how long to wait for more changes after the first.
	gather = 50 * time.Millisecond
	// rest bounds the share of time spent looking: after a look that took t,
	// none begins for rest × t.
	rest = 4
	// longestRetry is the longest wait before an object that failed is tried again.
	longestRetry = 5 * time.Minute
)

// Watch calls handle for each object under the prefix, now and as they come, until
// ctx ends; then it waits for the calls under way and returns nil.
//
// A file is taken once its size and time have not changed for Settle; one that
// was moved here long after it was written, at once. A file that changes after
// that is taken again, as a new version. If handle fails, because the file
// changed while it was read or for any other reason, the object is put back and
// tried again, later each time. Names that begin with a dot are passed over:
// copying tools use them for what is not finished.
func Watch(ctx context.Context, b Lister, o WatchOptions, handle func(context.Context, store.Info) error) error {
	w := &watch{
		o: o.filled(), list: b, handle: handle, done: make(chan *watched),
		files: make(map[string]*watched), waiters: make(map[string]*watched),
		stirred: make(map[string]bool), bad: make(map[string]string),
	}
	if err := w.listen(); err != nil {
		w.deaf(err)
	}
	w.run(ctx)
	if w.notify != nil {
		return w.notify.Close()
	}
	return nil
}

func (o WatchOptions) filled() WatchOptions {
	if o.Settle == 0 {
		o.Settle = 2 * time.Second
	}
	if o.Poll == 0 {
		o.Poll = 30 * time.Second
	}
	o.Workers = max(1, o.Workers)
	if o.Known == nil {
		o.Known = func(store.Info) bool { return false }
	}
	if o.Bad == nil {
		o.Bad = func(string, error) {}
	}
	if o.Failed == nil {
		o.Failed = func(store.Info, error) {}
	}
	return o
}

// watch is a running Watch. All of it belongs to one goroutine.
type watch struct {
	o      WatchOptions
	list   Lister
	handle func(context.Context, store.Info) error
	notify *fsnotify.Watcher // nil: nobody tells, look every Settle

	files   map[string]*watched
	waiters map[string]*watched // those to look at again
	ready   []*watched          // to be handled
	running int
	done    chan *watched // handled

	stirred map[string]bool   // prefixes in which something changed
	bad     map[string]string // by key: what Bad was told since the last look at everything
	before  map[string]string // and before that
	looks   int
	full    time.Time // when to look at everything again
	quiet   time.Time // no look before
}

// watched is a file that was seen.
type watched struct {
	info  store.Info
	state state
	since time.Time  // when it was first seen as it is
	next  time.Time  // when to look at it again, if waiting
	taken store.Info // as it was when handle was called
	err   error      // of handle
	tries int
	look  int // the last that saw it
}

type state int

const (
	waiting state = iota
	ready
	running
	handled
)

// listen asks the system to tell of changes. If it cannot, w looks more often.
func (w *watch) listen() error {
	if w.o.Dir == "" {
		return nil
	}
	n, err := fsnotify.NewWatcher()
	if err != nil {
		return err
	}
	w.notify = n
	if w.o.Dir, err = filepath.EvalSymlinks(w.o.Dir); err != nil {
		return err
	}
	return w.addAll()
}

// deaf goes on without the system's help, which has an end: a limit of watched
// folders, for one.
func (w *watch) deaf(err error) {
	if w.notify != nil {
		w.notify.Close()
		w.notify = nil
	}
	w.o.Bad(w.o.Prefix, fmt.Errorf("looking every %v from now on: %w", w.interval(), err))
	w.full = time.Time{}
}

func (w *watch) addAll() error {
	return w.addTree(filepath.Join(w.o.Dir, filepath.FromSlash(w.o.Prefix)))
}

// addTree watches a folder and all below it. A folder is watched before its
// entries are read, so that no new one is missed in between. Folders that cannot
// be read are told of by the list.
func (w *watch) addTree(dir string) error {
	return filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
		if err != nil || !d.IsDir() {
			return nil
		}
		if err := w.notify.Add(name); err != nil && !os.IsNotExist(err) && !os.IsPermission(err) {
			return err
		}
		return nil
	})
}

func (w *watch) run(ctx context.Context) {
	for {
		var events chan fsnotify.Event
		var troubles chan error
		if w.notify != nil {
			events, troubles = w.notify.Events, w.notify.Errors
		}
		w.look(ctx)
		w.start(ctx)
		timer := time.NewTimer(max(0, time.Until(w.wake())))
		select {
		case <-ctx.Done():
			timer.Stop()
			w.finish()
			return
		case e := <-events:
			w.stir(e)
		case err := <-troubles: // mostly that there were too many events
			w.o.Bad(w.o.Prefix, err)
			w.full = time.Time{}
		case f := <-w.done:
			w.ended(f)
		case <-timer.C:
		}
		timer.Stop()
	}
}

// finish waits for the calls of handle that are under way.
func (w *watch) finish() {
	for ; w.running > 0; w.running-- {
		<-w.done
	}
}

// stir notes where something changed.
func (w *watch) stir(e fsnotify.Event) {
	if e.Has(fsnotify.Create) {
		if err := w.addTree(e.Name); err != nil {
			w.deaf(err)
		}
	}
	name, err := filepath.Rel(w.o.Dir, e.Name)
	if err != nil {
		return
	}
	if len(w.stirred) == 0 {
		w.quiet = later(w.quiet, time.Now().Add(gather))
	}
	w.stirred[w.folder(filepath.ToSlash(name))] = true
}

// folder is the prefix of the keys beside a key.
func (w *watch) folder(key string) string {
	folder := key[:strings.LastIndexByte(key, '/')+1]
	if !strings.HasPrefix(folder, w.o.Prefix) {
		return w.o.Prefix
	}
	return folder
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// wake is when to look again if nothing happens before.
func (w *watch) wake() time.Time {
	at := w.full
	if len(w.stirred) > 0 {
		at = time.Now()
	}
	for _, f := range w.waiters {
		if f.next.Before(at) {
			at = f.next
		}
	}
	return later(at, w.quiet)
}

// look lists what may have changed: everything from time to time, else the
// folders that stirred and those of files whose rest is over.
func (w *watch) look(ctx context.Context) {
	now := time.Now()
	if now.Before(w.quiet) {
		return
	}
	everything := !now.Before(w.full)
	prefixes := w.stirredFolders(now)
	if everything {
		prefixes = []string{w.o.Prefix}
		w.full = now.Add(w.interval())
		w.bad, w.before = make(map[string]string), w.bad
	}
	clear(w.stirred)
	if len(prefixes) == 0 {
		return
	}
	w.looks++
	for _, prefix := range prefixes {
		w.scan(ctx, prefix, now)
	}
	w.forget(everything, now)
	end := time.Now()
	w.quiet = end.Add(rest * end.Sub(now))
}

func (w *watch) interval() time.Duration {
	if w.notify == nil {
		return min(w.o.Settle, w.o.Poll)
	}
	return w.o.Poll
}

// stirredFolders returns the prefixes to look at now, none inside another.
func (w *watch) stirredFolders(now time.Time) []string {
	for key, f := range w.waiters {
		if !now.Before(f.next) {
			w.stirred[w.folder(key)] = true
		}
	}
	var outer []string
	for folder := range w.stirred {
		outer = append(outer, folder)
	}
	slices.Sort(outer)
	return slices.CompactFunc(outer, func(a, b string) bool { return strings.HasPrefix(b, a) })
}

func (w *watch) scan(ctx context.Context, prefix string, now time.Time) {
	for info, err := range w.list.List(ctx, prefix, "") {
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			w.complain(info.Key, err)
		case !strings.HasPrefix(path.Base(info.Key), "."):
			w.saw(info, now)
		}
	}
}

// complain tells Bad what is wrong with a key, once.
func (w *watch) complain(key string, err error) {
	text := err.Error()
	told := w.bad[key] == text || w.before[key] == text
	w.bad[key] = text
	if !told {
		w.o.Bad(key, err)
	}
}

// saw compares a file with what it was, and decides whether to take it.
func (w *watch) saw(info store.Info, now time.Time) {
	f := w.files[info.Key]
	if f == nil {
		f = &watched{since: now, info: info}
		w.files[info.Key] = f
		w.set(f, waiting)
	} else if !same(f.info, info) {
		f.since, f.tries, f.info = now, 0, info
		f.next = time.Time{}
		if f.state != running {
			w.set(f, waiting)
		}
	}
	f.look = w.looks
	if f.state != waiting {
		return
	}
	if w.o.Known(info) {
		w.set(f, handled)
		return
	}
	settled := f.since.Add(w.o.Settle)
	if written := info.Modified.Add(w.o.Settle); written.Before(settled) {
		settled = written
	}
	f.next = later(f.next, settled)
	if !now.Before(f.next) {
		w.set(f, ready)
		w.ready = append(w.ready, f)
	}
}

func same(a, b store.Info) bool { return a.Size == b.Size && a.Modified.Equal(b.Modified) }

func (w *watch) set(f *watched, s state) {
	f.state = s
	if s == waiting {
		w.waiters[f.info.Key] = f
	} else {
		delete(w.waiters, f.info.Key)
	}
}

// forget drops the files that the last look should have seen and did not.
func (w *watch) forget(everything bool, now time.Time) {
	among := w.waiters
	if everything {
		among = w.files
	}
	for key, f := range among {
		gone := f.look != w.looks && f.state != running
		if gone && (everything || !now.Before(f.next)) {
			w.set(f, handled)
			delete(w.files, key)
		}
	}
	if everything && w.notify != nil { // folders may have come back, or become readable
		if err := w.addAll(); err != nil {
			w.deaf(err)
		}
	}
}

// start handles what is ready, as far as there are workers.
func (w *watch) start(ctx context.Context) {
	for len(w.ready) > 0 && w.running < w.o.Workers && ctx.Err() == nil {
		f := w.ready[0]
		w.ready = w.ready[1:]
		if f.state != ready {
			continue // it changed while it stood here
		}
		w.set(f, running)
		f.taken = f.info
		w.running++
		go func() {
			f.err = w.handle(ctx, f.taken)
			w.done <- f
		}()
	}
}

// ended puts a file back if handle failed or the file is another one now.
func (w *watch) ended(f *watched) {
	w.running--
	switch {
	case f.err != nil:
		w.o.Failed(f.taken, f.err)
		f.next = time.Now().Add(min(longestRetry, w.o.Settle<<min(f.tries, 20)))
		f.tries++
		w.set(f, waiting)
	case !same(f.taken, f.info):
		w.set(f, waiting)
	default:
		w.set(f, handled)
	}
}
