package store

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path"
	"strings"
	"syscall"
)

// Disk is a bucket in a folder: an object is a file, its key the path. Every
// path is resolved inside the folder (os.Root), links included.
//
// An object is written to a file of its own under .picket/tmp, synced, and then
// renamed or linked to its place; so it is there whole or not at all, whenever
// the process or the machine stops. Several processes may share the folder.
type Disk struct {
	root *os.Root
	dir  string
}

const (
	tempFolder = privateFolder + "/tmp"
	lockFile   = privateFolder + "/lock"

	// smallObject is the most that Get reads at once, to give content and ETag
	// of one moment. Larger ones are streamed.
	smallObject = 1 << 20

	fileMode   = 0o640
	folderMode = 0o750
)

// OpenDisk opens the bucket in the folder dir, and makes it if there is none. It
// removes what a killed writer left behind.
func OpenDisk(dir string) (*Disk, error) {
	if err := os.MkdirAll(dir, folderMode); err != nil {
		return nil, err
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	d := &Disk{root: root, dir: dir}
	if err := root.MkdirAll(tempFolder, folderMode); err != nil {
		root.Close()
		return nil, fmt.Errorf("bucket %s: %w", dir, err)
	}
	if err := d.sweep(); err != nil {
		root.Close()
		return nil, fmt.Errorf("bucket %s: %w", dir, err)
	}
	return d, nil
}

// Dir returns the folder that the bucket is in.
func (d *Disk) Dir() string { return d.dir }

// Close ends the use of the bucket. Readers that are open stay usable.
func (d *Disk) Close() error { return d.root.Close() }

// open opens the file of an object. What is not a regular file is not there:
// opening must not wait for the other end of a pipe, hence O_NONBLOCK.
func (d *Disk) open(ctx context.Context, verb, key string) (*os.File, Info, error) {
	if err := ctx.Err(); err != nil {
		return nil, Info{}, err
	}
	if err := CheckKey(key); err != nil {
		return nil, Info{}, err
	}
	f, err := d.root.OpenFile(key, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, Info{}, wrap(verb, key, missing(err))
	}
	st, err := f.Stat()
	if err == nil && !st.Mode().IsRegular() {
		err = fs.ErrNotExist
	}
	if err != nil {
		f.Close()
		return nil, Info{}, wrap(verb, key, err)
	}
	return f, Info{Key: key, Size: st.Size(), Modified: st.ModTime().UTC()}, nil
}

// missing turns the error of a path through a file into that of a missing file.
func missing(err error) error {
	if errors.Is(err, syscall.ENOTDIR) {
		return fs.ErrNotExist
	}
	return err
}

func (d *Disk) Get(ctx context.Context, key string) (io.ReadCloser, Info, error) {
	f, info, err := d.open(ctx, "get", key)
	if err != nil || info.Size > smallObject {
		return f, info, err
	}
	defer f.Close()
	h := NewHash(io.LimitReader(f, smallObject+1))
	data, err := io.ReadAll(h)
	if err != nil {
		return nil, Info{}, wrap("get", key, err)
	}
	if h.Size() > smallObject {
		return nil, Info{}, wrap("get", key, errors.New("the file grows while it is read"))
	}
	info.Size, info.ETag = h.Size(), h.ETag()
	return io.NopCloser(bytes.NewReader(data)), info, nil
}

func (d *Disk) GetRange(ctx context.Context, key string, off, n int64) (io.ReadCloser, error) {
	f, info, err := d.open(ctx, "get", key)
	if err != nil {
		return nil, err
	}
	if off < 0 {
		f.Close()
		return nil, wrap("get", key, fmt.Errorf("offset %d", off))
	}
	off = min(off, info.Size)
	if n < 0 || n > info.Size-off {
		n = info.Size - off
	}
	return struct {
		io.Reader
		io.Closer
	}{io.NewSectionReader(f, off, n), f}, nil
}

// Stat reads the whole object for its ETag.
func (d *Disk) Stat(ctx context.Context, key string) (Info, error) {
	f, info, err := d.open(ctx, "stat", key)
	if err != nil {
		return Info{}, err
	}
	defer f.Close()
	h := NewHash(stopping{ctx, f})
	if _, err := io.Copy(io.Discard, h); err != nil {
		return Info{}, wrap("stat", key, err)
	}
	info.Size, info.ETag = h.Size(), h.ETag()
	return info, nil
}

func (d *Disk) Put(ctx context.Context, key string, r io.Reader, conditions ...Condition) (Info, error) {
	if err := CheckKey(key); err != nil {
		return Info{}, err
	}
	want, err := Sum(conditions)
	if err != nil {
		return Info{}, wrap("put", key, err)
	}
	temp, name, err := d.temp()
	if err != nil {
		return Info{}, wrap("put", key, err)
	}
	defer d.root.Remove(name) // gone already after a rename
	defer temp.Close()

	h := NewHash(stopping{ctx, r})
	if _, err := io.Copy(temp, h); err != nil {
		return Info{}, wrap("put", key, err)
	}
	if err := temp.Sync(); err != nil {
		return Info{}, wrap("put", key, err)
	}
	st, err := temp.Stat()
	if err != nil {
		return Info{}, wrap("put", key, err)
	}
	if err := d.place(ctx, name, key, want); err != nil {
		return Info{}, wrap("put", key, err)
	}
	return Info{Key: key, Size: h.Size(), ETag: h.ETag(), Modified: st.ModTime().UTC()}, nil
}

// place gives the finished file name its key, if what is wanted holds.
func (d *Disk) place(ctx context.Context, name, key string, want Condition) error {
	how := syscall.LOCK_SH
	if want.match != "" {
		how = syscall.LOCK_EX
	}
	unlock, err := d.lock(how)
	if err != nil {
		return err
	}
	defer unlock()
	if want.match != "" {
		now, err := d.Stat(ctx, key)
		if errors.Is(err, fs.ErrNotExist) || err == nil && now.ETag != want.match {
			return ErrPrecondition
		}
		if err != nil {
			return err
		}
	}
	folder := path.Dir(key)
	// Delete removes empty folders, perhaps this one just after it was made.
	for range 100 {
		err = d.root.MkdirAll(folder, folderMode)
		switch {
		case err != nil:
		case want.absent:
			err = d.root.Link(name, key)
		default:
			err = d.root.Rename(name, key)
		}
		if !errors.Is(err, fs.ErrNotExist) {
			break
		}
	}
	switch {
	case err == nil:
		return d.sync(folder)
	case want.absent && errors.Is(err, fs.ErrExist):
		return ErrPrecondition
	}
	return linkError(err)
}

// linkError drops the paths of a link or rename, which name a file that is no
// object.
func linkError(err error) error {
	var link *os.LinkError
	if errors.As(err, &link) {
		return link.Err
	}
	return err
}

// sync makes the names in a folder outlive a power cut. A folder that is gone
// again has none.
func (d *Disk) sync(folder string) error {
	f, err := d.root.Open(folder)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer f.Close()
	return f.Sync()
}

// Delete also removes the folders that it leaves empty, the first one of the key
// excepted.
func (d *Disk) Delete(ctx context.Context, key string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := CheckKey(key); err != nil {
		return err
	}
	unlock, err := d.lock(syscall.LOCK_SH)
	if err != nil {
		return wrap("delete", key, err)
	}
	defer unlock()
	if st, err := d.root.Lstat(key); err == nil && st.IsDir() {
		return nil // a folder is no object
	}
	if err := missing(d.root.Remove(key)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return wrap("delete", key, err)
	}
	for folder := path.Dir(key); strings.Contains(folder, "/"); folder = path.Dir(folder) {
		if d.root.Remove(folder) != nil {
			break
		}
	}
	return nil
}

// lock holds the bucket's lock file: shared to write or delete, alone to compare
// and write. It ends with the process that holds it.
func (d *Disk) lock(how int) (unlock func(), err error) {
	f, err := d.root.OpenFile(lockFile, os.O_RDWR|os.O_CREATE, fileMode)
	if err != nil {
		return nil, err
	}
	if err := flock(f, how); err != nil {
		f.Close()
		return nil, err
	}
	return func() { f.Close() }, nil
}

func flock(f *os.File, how int) error {
	for {
		err := syscall.Flock(int(f.Fd()), how)
		if err != syscall.EINTR {
			return err
		}
	}
}

// temp makes a file to write an object to. It is locked as long as its writer
// lives, which is how sweep knows it.
func (d *Disk) temp() (*os.File, string, error) {
	for {
		name := fmt.Sprintf("%s/%016x", tempFolder, rand.Uint64())
		f, err := d.root.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_EXCL, fileMode)
		if errors.Is(err, fs.ErrExist) {
			continue
		}
		if err != nil {
			return nil, "", err
		}
		if err := flock(f, syscall.LOCK_EX); err != nil {
			f.Close()
			return nil, "", err
		}
		if _, err := d.root.Lstat(name); err == nil {
			return f, name, nil
		}
		f.Close() // swept between its making and its lock: make another
	}
}

// sweep removes the files of writers that are no more.
func (d *Disk) sweep() error {
	folder, err := d.root.Open(tempFolder)
	if err != nil {
		return err
	}
	defer folder.Close()
	names, err := folder.Readdirnames(-1)
	if err != nil {
		return err
	}
	for _, name := range names {
		name = tempFolder + "/" + name
		f, err := d.root.OpenFile(name, os.O_RDWR|syscall.O_NONBLOCK, 0)
		if err != nil {
			continue
		}
		if flock(f, syscall.LOCK_EX|syscall.LOCK_NB) == nil {
			d.root.Remove(name)
		}
		f.Close()
	}
	return nil
}
