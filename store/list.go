package store

import (
	"context"
	"errors"
	"io/fs"
	"iter"
	"os"
	"path"
	"sort"
	"strings"
	"syscall"
)

// List holds the names of one folder at each depth in memory, no more. A folder
// that cannot be read, a link that leads nowhere or out of the bucket, a linked
// folder (it may hold itself), a pipe or device, and a name that is no key are
// yielded as errors.
func (d *Disk) List(ctx context.Context, prefix, after string) iter.Seq2[Info, error] {
	return func(yield func(Info, error) bool) {
		folder := path.Dir(prefix + "x") // the deepest folder that the prefix names whole
		if !fs.ValidPath(folder) {
			return
		}
		w := walk{ctx: ctx, root: d.root, prefix: prefix, after: after, yield: yield}
		w.folder(folder)
	}
}

type walk struct {
	ctx    context.Context
	root   *os.Root
	prefix string
	after  string
	yield  func(Info, error) bool
}

// folder yields what lies under a folder and reports whether to go on.
func (w *walk) folder(name string) bool {
	if err := w.ctx.Err(); err != nil {
		w.yield(Info{}, err)
		return false
	}
	entries, err := w.read(name)
	if errors.Is(err, fs.ErrNotExist) {
		return true
	}
	if err != nil && !w.bad(name+"/", err) {
		return false
	}
	for _, e := range entries {
		if !w.entry(e) {
			return false
		}
	}
	return true
}

// entry is a file or folder; the key of a folder ends in "/", so that sorting by
// key gives the order of the objects' keys.
type entry struct {
	key  string
	info fs.FileInfo
}

func (w *walk) read(folder string) ([]entry, error) {
	f, err := w.root.OpenFile(folder, os.O_RDONLY|syscall.O_DIRECTORY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, missing(err)
	}
	defer f.Close()
	infos, err := f.Readdir(-1)
	entries := make([]entry, 0, len(infos))
	for _, info := range infos {
		key := path.Join(folder, info.Name())
		if key == privateFolder {
			continue
		}
		if info.IsDir() {
			key += "/"
		}
		entries = append(entries, entry{key, info})
	}
	sort.Slice(entries, func(i, j int) bool { return entries[i].key < entries[j].key })
	return entries, err
}

func (w *walk) entry(e entry) bool {
	if e.info.IsDir() {
		inPrefix := strings.HasPrefix(e.key, w.prefix) || strings.HasPrefix(w.prefix, e.key)
		allBefore := e.key < w.after && !strings.HasPrefix(w.after, e.key)
		switch {
		case !inPrefix || allBefore:
			return true
		case CheckKey(e.key+"x") != nil:
			return w.bad(e.key, CheckKey(e.key+"x"))
		}
		return w.folder(strings.TrimSuffix(e.key, "/"))
	}
	if !strings.HasPrefix(e.key, w.prefix) || e.key <= w.after {
		return true
	}
	if err := CheckKey(e.key); err != nil {
		return w.bad(e.key, err)
	}
	return w.file(e)
}

// file yields a file, or what a link leads to.
func (w *walk) file(e entry) bool {
	info := e.info
	if info.Mode()&fs.ModeSymlink != 0 {
		target, err := w.root.Stat(e.key)
		if err != nil {
			return w.bad(e.key, err)
		}
		info = target
	}
	switch {
	case info.IsDir():
		return w.bad(e.key, errors.New("a link to a folder; put the folder itself in its place"))
	case !info.Mode().IsRegular():
		return w.bad(e.key, errors.New("not a regular file"))
	}
	return w.yield(Info{Key: e.key, Size: info.Size(), Modified: info.ModTime().UTC()}, nil)
}

func (w *walk) bad(key string, err error) bool {
	return w.yield(Info{Key: key}, wrap("list", key, err))
}
