package store

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"sort"
	"strings"
	"sync"
	"time"
)

// Memory is a bucket in memory.
type Memory struct {
	now     func() time.Time
	mu      sync.RWMutex
	objects map[string]object
}

type object struct {
	info Info
	data []byte // never changed: Put replaces it
}

// NewMemory returns an empty bucket. now gives the time of each Put; nil is the
// system's clock.
func NewMemory(now func() time.Time) *Memory {
	if now == nil {
		now = time.Now
	}
	return &Memory{now: now, objects: make(map[string]object)}
}

func (m *Memory) find(ctx context.Context, verb, key string) (object, error) {
	if err := ctx.Err(); err != nil {
		return object{}, err
	}
	if err := CheckKey(key); err != nil {
		return object{}, err
	}
	m.mu.RLock()
	defer m.mu.RUnlock()
	o, ok := m.objects[key]
	if !ok {
		return object{}, wrap(verb, key, fs.ErrNotExist)
	}
	return o, nil
}

func (m *Memory) Get(ctx context.Context, key string) (io.ReadCloser, Info, error) {
	o, err := m.find(ctx, "get", key)
	if err != nil {
		return nil, Info{}, err
	}
	return io.NopCloser(bytes.NewReader(o.data)), o.info, nil
}

func (m *Memory) GetRange(ctx context.Context, key string, off, n int64) (io.ReadCloser, error) {
	o, err := m.find(ctx, "get", key)
	if err != nil {
		return nil, err
	}
	if off < 0 {
		return nil, wrap("get", key, fmt.Errorf("offset %d", off))
	}
	size := int64(len(o.data))
	off = min(off, size)
	if n < 0 || n > size-off {
		n = size - off
	}
	return io.NopCloser(bytes.NewReader(o.data[off : off+n])), nil
}

func (m *Memory) Stat(ctx context.Context, key string) (Info, error) {
	o, err := m.find(ctx, "stat", key)
	return o.info, err
}

func (m *Memory) Put(ctx context.Context, key string, r io.Reader, conditions ...Condition) (Info, error) {
	if err := CheckKey(key); err != nil {
		return Info{}, err
	}
	want, err := Sum(conditions)
	if err != nil {
		return Info{}, wrap("put", key, err)
	}
	h := NewHash(stopping{ctx, r})
	data, err := io.ReadAll(h)
	if err != nil {
		return Info{}, wrap("put", key, err)
	}
	info := Info{Key: key, Size: h.Size(), ETag: h.ETag(), Modified: m.now().UTC()}

	m.mu.Lock()
	defer m.mu.Unlock()
	old, exists := m.objects[key]
	if exists && want.absent || want.match != "" && old.info.ETag != want.match {
		return Info{}, wrap("put", key, ErrPrecondition)
	}
	m.objects[key] = object{info, data}
	return info, nil
}

func (m *Memory) List(ctx context.Context, prefix, after string) iter.Seq2[Info, error] {
	return func(yield func(Info, error) bool) {
		for _, info := range m.infos(prefix, after) {
			if err := ctx.Err(); err != nil {
				yield(Info{}, err)
				return
			}
			if !yield(info, nil) {
				return
			}
		}
	}
}

func (m *Memory) infos(prefix, after string) []Info {
	m.mu.RLock()
	defer m.mu.RUnlock()
	var list []Info
	for key, o := range m.objects {
		if strings.HasPrefix(key, prefix) && key > after {
			list = append(list, o.info)
		}
	}
	sort.Slice(list, func(i, j int) bool { return list[i].Key < list[j].Key })
	return list
}

func (m *Memory) Delete(ctx context.Context, key string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := CheckKey(key); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.objects, key)
	return nil
}
