// Package storetest holds every bucket to one contract: a store.Bucket -> the
// tests that it fails.
package storetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/iotest"
	"time"

	"picket/store"
)

// Run tests buckets that open makes. Each call of open returns an empty one.
func Run(t *testing.T, open func(t *testing.T) store.Bucket) {
	for _, c := range []struct {
		name string
		test func(*testing.T, store.Bucket)
	}{
		{"RoundTrip", roundTrip},
		{"Overwrite", overwrite},
		{"Missing", missing},
		{"Folders", folders},
		{"IfAbsent", ifAbsent},
		{"IfMatch", ifMatch},
		{"BadConditions", badConditions},
		{"Range", ranges},
		{"ListOrder", listOrder},
		{"ListAfter", listAfter},
		{"ListStops", listStops},
		{"OddKeys", oddKeys},
		{"BadKeys", badKeys},
		{"Delete", deletes},
		{"FailingReader", failingReader},
		{"Cancelled", cancelled},
		{"OneWinner", oneWinner},
		{"NoLostUpdate", noLostUpdate},
		{"WholeObjects", wholeObjects},
		{"PutAgainstDelete", putAgainstDelete},
	} {
		t.Run(c.name, func(t *testing.T) { c.test(t, open(t)) })
	}
}

func put(t *testing.T, b store.Bucket, key, content string, c ...store.Condition) store.Info {
	t.Helper()
	info, err := b.Put(t.Context(), key, strings.NewReader(content), c...)
	if err != nil {
		t.Fatal(err)
	}
	return info
}

func get(t *testing.T, b store.Bucket, key string) (string, store.Info) {
	t.Helper()
	r, info, err := b.Get(t.Context(), key)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	data, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return string(data), info
}

func want(t *testing.T, b store.Bucket, key, content string) {
	t.Helper()
	if got, _ := get(t, b, key); got != content {
		t.Fatalf("%q holds %.40q, want %.40q", key, got, content)
	}
}

func wantErr(t *testing.T, err, target error, key string) {
	t.Helper()
	if !errors.Is(err, target) {
		t.Fatalf("error %v, want %v", err, target)
	}
	if key != "" && !strings.Contains(err.Error(), key) {
		t.Fatalf("error %q does not name %q", err, key)
	}
}

func keys(t *testing.T, b store.Bucket, prefix, after string) []string {
	t.Helper()
	var list []string
	for info, err := range b.List(t.Context(), prefix, after) {
		if err != nil {
			t.Fatalf("%q: %v", info.Key, err)
		}
		list = append(list, info.Key)
	}
	return list
}

func wantKeys(t *testing.T, got []string, want ...string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Fatalf("listed %q, want %q", got, want)
	}
}

func roundTrip(t *testing.T, b store.Bucket) {
	for _, size := range []int{0, 1, 4096, 1<<20 - 1, 1 << 20, 1<<20 + 1, 3 << 20} {
		key := fmt.Sprintf("raw/size-%d", size)
		content := strings.Repeat("picket7", size/7+1)[:size]
		before := time.Now().Add(-time.Minute)
		info := put(t, b, key, content)
		if info.Key != key || info.Size != int64(size) || info.ETag == "" || info.Modified.Before(before) {
			t.Fatalf("put: %+v", info)
		}
		got, gotInfo := get(t, b, key)
		if got != content {
			t.Fatalf("%s: other bytes came back", key)
		}
		if gotInfo.ETag != "" && gotInfo.ETag != info.ETag || gotInfo.Size != info.Size || gotInfo.Key != key {
			t.Fatalf("get: %+v, put: %+v", gotInfo, info)
		}
		if size <= 1<<20 && gotInfo.ETag == "" {
			t.Fatalf("no ETag for %d bytes", size)
		}
		st, err := b.Stat(t.Context(), key)
		if err != nil || st.ETag != info.ETag || st.Size != info.Size || !st.Modified.Equal(gotInfo.Modified) {
			t.Fatalf("stat: %+v, %v", st, err)
		}
		for listed, err := range b.List(t.Context(), key, "") {
			if err != nil || listed.Key != key || listed.Size != info.Size || !listed.Modified.Equal(st.Modified) {
				t.Fatalf("list: %+v, %v", listed, err)
			}
			break
		}
	}
}

func overwrite(t *testing.T, b store.Bucket) {
	first := put(t, b, "models/stages.json", "one, and rather longer")
	open, _, err := b.Get(t.Context(), "models/stages.json")
	if err != nil {
		t.Fatal(err)
	}
	defer open.Close()
	second := put(t, b, "models/stages.json", "two")
	if first.ETag == second.ETag {
		t.Fatal("two contents have one ETag")
	}
	want(t, b, "models/stages.json", "two")
	if old, err := io.ReadAll(open); string(old) != "one, and rather longer" {
		t.Fatalf("an open reader saw %q, %v", old, err)
	}
	if third := put(t, b, "models/stages.json", "one, and rather longer"); third.ETag != first.ETag {
		t.Fatal("one content has two ETags")
	}
}

func missing(t *testing.T, b store.Bucket) {
	put(t, b, "raw/file", "x")
	for _, key := range []string{"raw/none", "none/at/all", "raw/file/below"} {
		_, _, err := b.Get(t.Context(), key)
		wantErr(t, err, fs.ErrNotExist, key)
		_, err = b.GetRange(t.Context(), key, 0, 1)
		wantErr(t, err, fs.ErrNotExist, key)
		_, err = b.Stat(t.Context(), key)
		wantErr(t, err, fs.ErrNotExist, key)
		if err := b.Delete(t.Context(), key); err != nil {
			t.Fatal(err)
		}
	}
	wantKeys(t, keys(t, b, "nothing/", ""))
	wantKeys(t, keys(t, b, "raw/file/", ""))
}

// folders: what lies between slashes is no object.
func folders(t *testing.T, b store.Bucket) {
	put(t, b, "raw/a/b/c.log", "x")
	for _, key := range []string{"raw", "raw/a", "raw/a/b"} {
		_, _, err := b.Get(t.Context(), key)
		wantErr(t, err, fs.ErrNotExist, key)
		_, err = b.Stat(t.Context(), key)
		wantErr(t, err, fs.ErrNotExist, key)
		if err := b.Delete(t.Context(), key); err != nil {
			t.Fatal(err)
		}
	}
	want(t, b, "raw/a/b/c.log", "x")
}

func ifAbsent(t *testing.T, b store.Bucket) {
	put(t, b, "due/1", "first", store.IfAbsent)
	_, err := b.Put(t.Context(), "due/1", strings.NewReader("second"), store.IfAbsent)
	wantErr(t, err, store.ErrPrecondition, "due/1")
	want(t, b, "due/1", "first")
	if err := b.Delete(t.Context(), "due/1"); err != nil {
		t.Fatal(err)
	}
	put(t, b, "due/1", "third", store.IfAbsent)
	want(t, b, "due/1", "third")
}

func ifMatch(t *testing.T, b store.Bucket) {
	_, err := b.Put(t.Context(), "s", strings.NewReader("x"), store.IfMatch("0123"))
	wantErr(t, err, store.ErrPrecondition, "s")
	first := put(t, b, "s", "1")
	_, read := get(t, b, "s")
	second := put(t, b, "s", "2", store.IfMatch(read.ETag))
	_, err = b.Put(t.Context(), "s", strings.NewReader("3"), store.IfMatch(first.ETag))
	wantErr(t, err, store.ErrPrecondition, "s")
	want(t, b, "s", "2")
	put(t, b, "s", "4", store.IfMatch(second.ETag))
	want(t, b, "s", "4")
}

func badConditions(t *testing.T, b store.Bucket) {
	info := put(t, b, "s", "1")
	for _, c := range [][]store.Condition{
		{store.IfMatch("")},
		{store.IfAbsent, store.IfMatch(info.ETag)},
		{store.IfMatch(info.ETag), store.IfMatch("other")},
		{store.IfMatch("other"), store.IfMatch(info.ETag)},
	} {
		if _, err := b.Put(t.Context(), "s", strings.NewReader("2"), c...); err == nil {
			t.Errorf("%+v was taken", c)
		}
	}
	want(t, b, "s", "1")
}

func ranges(t *testing.T, b store.Bucket) {
	put(t, b, "k", "0123456789")
	f := func(off, n int64, want string) {
		t.Helper()
		r, err := b.GetRange(t.Context(), "k", off, n)
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		if got, err := io.ReadAll(r); string(got) != want || err != nil {
			t.Errorf("%d+%d: %q, %v; want %q", off, n, got, err, want)
		}
	}
	f(0, 3, "012")
	f(3, 4, "3456")
	f(8, 5, "89")
	f(9, 1, "9")
	f(4, -1, "456789")
	f(0, 0, "")
	f(10, 5, "")
	f(99, -1, "")
	f(1, 1<<62, "123456789")
	if _, err := b.GetRange(t.Context(), "k", -1, 2); err == nil {
		t.Error("a negative offset was taken")
	}
}

// sorted are keys in byte order, where a folder's files do not lie together with
// names that merely begin alike: "-" < "/" < "0".
var sorted = []string{
	"a", "b-", "b-/x", "b.log", "b/1", "b/1.gz", "b/1b/c", "b/2-", "b/2/z", "b/20", "b0", "ba/x", "é", "\U0001F600/x",
}

func listOrder(t *testing.T, b store.Bucket) {
	var made []string
	for i := range sorted { // not in the order of the list
		key := "p/" + sorted[(i*5+3)%len(sorted)]
		if key == "p/b-" {
			continue // on disk b- is the folder of b-/x
		}
		put(t, b, key, key)
		made = append(made, key)
	}
	slices.Sort(made)
	wantKeys(t, keys(t, b, "", ""), made...)
	for _, prefix := range []string{"p", "p/", "p/b", "p/b/", "p/b/2", "p/b/2/", "p/b-", "p/é", "q", "p/b/2/z", "p/b/2/zz"} {
		var expect []string
		for _, key := range made {
			if strings.HasPrefix(key, prefix) {
				expect = append(expect, key)
			}
		}
		wantKeys(t, keys(t, b, prefix, ""), expect...)
	}
}

func listAfter(t *testing.T, b store.Bucket) {
	var made []string
	for _, key := range sorted {
		if key != "b-" {
			put(t, b, key, "")
			made = append(made, key)
		}
	}
	slices.Sort(made)
	for _, after := range append([]string{"", "0", "b", "b/", "b/1z", "b/2", "b/2/", "c", "\xff"}, made...) {
		for _, prefix := range []string{"", "b", "b/", "b/2"} {
			var expect []string
			for _, key := range made {
				if key > after && strings.HasPrefix(key, prefix) {
					expect = append(expect, key)
				}
			}
			wantKeys(t, keys(t, b, prefix, after), expect...)
		}
	}
}

func listStops(t *testing.T, b store.Bucket) {
	for i := range 20 {
		put(t, b, fmt.Sprintf("f%d/k%d", i%3, i), "")
	}
	n := 0
	for range b.List(t.Context(), "", "") {
		if n++; n == 5 {
			break
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	n = 0
	var last error
	for info, err := range b.List(ctx, "", "") {
		if n++; n == 8 {
			cancel()
		}
		if err != nil && info.Key != "" {
			t.Fatal(err)
		}
		last = err
	}
	if !errors.Is(last, context.Canceled) {
		t.Fatalf("a cancelled list of %d ended with %v", n, last)
	}
}

func oddKeys(t *testing.T, b store.Bucket) {
	odd := []string{
		" ", "raw/ leading", "raw/trailing ", "raw/new\nline", "raw/tab\t", "raw/bell\a", "raw/back\\slash",
		"raw/a:b", "raw/*?[x]", "raw/$(id)", "raw/'\"`", "raw/%2e%2e%2f", "raw/...", "raw/..x", "raw/.hidden", "raw/~",
		"raw/-rf", "raw/dt=2026-01-01/hour=03/x.gz", "raw/日本", "raw/e\u0301", "raw/\u202egpj.exe", "raw/.picket/x",
		"raw/" + strings.Repeat("n", 255), "raw/" + strings.Repeat("d/", 509) + "x", ".picket.old",
	}
	for i, key := range odd {
		put(t, b, key, strconv.Itoa(i))
	}
	for i, key := range odd {
		want(t, b, key, strconv.Itoa(i))
	}
	slices.Sort(odd)
	wantKeys(t, keys(t, b, "", ""), odd...)
}

func badKeys(t *testing.T, b store.Bucket) {
	for _, key := range []string{
		"", ".", "..", "/", "/etc/passwd", "../x", "raw/../../x", "raw/..", "raw//x", "raw/", "raw/./x", "a\x00b",
		"a/\xff", ".picket", ".picket/tmp/x", strings.Repeat("n", 256), strings.Repeat("d/", 600) + "x",
	} {
		_, err := b.Put(t.Context(), key, strings.NewReader("x"))
		wantErr(t, err, store.ErrKey, "")
		_, _, err = b.Get(t.Context(), key)
		wantErr(t, err, store.ErrKey, "")
		_, err = b.GetRange(t.Context(), key, 0, 1)
		wantErr(t, err, store.ErrKey, "")
		_, err = b.Stat(t.Context(), key)
		wantErr(t, err, store.ErrKey, "")
		wantErr(t, b.Delete(t.Context(), key), store.ErrKey, "")
	}
	wantKeys(t, keys(t, b, "", ""))
	wantKeys(t, keys(t, b, "../", ""))
	wantKeys(t, keys(t, b, "/", ""))
	wantKeys(t, keys(t, b, "\x00", ""))
}

func deletes(t *testing.T, b store.Bucket) {
	put(t, b, "due/h1/a", "1")
	put(t, b, "due/h1/b", "2")
	for range 2 {
		if err := b.Delete(t.Context(), "due/h1/a"); err != nil {
			t.Fatal(err)
		}
	}
	wantKeys(t, keys(t, b, "", ""), "due/h1/b")
	if err := b.Delete(t.Context(), "due/h1/b"); err != nil {
		t.Fatal(err)
	}
	wantKeys(t, keys(t, b, "", ""))
	put(t, b, "due/h1/c", "3")
	wantKeys(t, keys(t, b, "due/", ""), "due/h1/c")
}

func failingReader(t *testing.T, b store.Bucket) {
	put(t, b, "k", "old")
	broken := errors.New("broken pipe in the test")
	for _, key := range []string{"k", "new"} {
		r := io.MultiReader(strings.NewReader("half of it"), iotest.ErrReader(broken))
		_, err := b.Put(t.Context(), key, r)
		wantErr(t, err, broken, key)
	}
	want(t, b, "k", "old")
	wantKeys(t, keys(t, b, "", ""), "k")
}

func cancelled(t *testing.T, b store.Bucket) {
	put(t, b, "k", "old")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := b.Put(ctx, "k", strings.NewReader("new"))
	wantErr(t, err, context.Canceled, "")
	_, _, err = b.Get(ctx, "k")
	wantErr(t, err, context.Canceled, "")
	_, err = b.Stat(ctx, "k")
	wantErr(t, err, context.Canceled, "")
	wantErr(t, b.Delete(ctx, "k"), context.Canceled, "")
	want(t, b, "k", "old")
}

// together runs n functions at the same time.
func together(n int, f func(i int)) {
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() { f(i) })
	}
	wg.Wait()
}

func oneWinner(t *testing.T, b store.Bucket) {
	for round := range 10 {
		key := fmt.Sprintf("due/%d/x", round)
		var winner atomic.Int64
		winner.Store(-1)
		together(8, func(i int) {
			_, err := b.Put(t.Context(), key, strings.NewReader(strconv.Itoa(i)), store.IfAbsent)
			switch {
			case err == nil && !winner.CompareAndSwap(-1, int64(i)):
				t.Errorf("%s was won twice", key)
			case err != nil && !errors.Is(err, store.ErrPrecondition):
				t.Error(err)
			}
		})
		want(t, b, key, strconv.FormatInt(winner.Load(), 10))
	}
}

// noLostUpdate counts in an object; each step must rest on the one before.
func noLostUpdate(t *testing.T, b store.Bucket) {
	const writers, steps = 4, 10
	put(t, b, "n", "0")
	step := func() error {
		r, info, err := b.Get(t.Context(), "n")
		if err != nil {
			return err
		}
		data, err := io.ReadAll(r)
		r.Close()
		if err != nil {
			return err
		}
		n, err := strconv.Atoi(string(data))
		if err != nil {
			return err
		}
		_, err = b.Put(t.Context(), "n", strings.NewReader(strconv.Itoa(n+1)), store.IfMatch(info.ETag))
		return err
	}
	together(writers, func(int) {
		for done := 0; done < steps; {
			switch err := step(); {
			case err == nil:
				done++
			case !errors.Is(err, store.ErrPrecondition):
				t.Error(err)
				return
			}
		}
	})
	want(t, b, "n", strconv.Itoa(writers*steps))
}

// wholeObjects reads while others write; each read is of one writer.
func wholeObjects(t *testing.T, b store.Bucket) {
	content := func(i int) []byte { return bytes.Repeat([]byte{byte('a' + i)}, 100_000+i) }
	put(t, b, "k", string(content(0)))
	together(6, func(i int) {
		for range 10 {
			if i < 3 {
				if _, err := b.Put(t.Context(), "k", bytes.NewReader(content(i))); err != nil {
					t.Error(err)
				}
				continue
			}
			r, _, err := b.Get(t.Context(), "k")
			if err != nil {
				t.Error(err)
				return
			}
			got, err := io.ReadAll(r)
			r.Close()
			if err != nil || len(got) == 0 || !bytes.Equal(got, content(int(got[0]-'a'))) {
				t.Errorf("read a mixture of %d bytes, %v", len(got), err)
			}
		}
	})
}

// putAgainstDelete: an object put into a folder that is being emptied is there.
func putAgainstDelete(t *testing.T, b store.Bucket) {
	together(4, func(i int) {
		key := fmt.Sprintf("due/h/m/%d", i)
		for range 25 {
			if _, err := b.Put(t.Context(), key, strings.NewReader("x"), store.IfAbsent); err != nil {
				t.Error(err)
				return
			}
			if _, err := b.Stat(t.Context(), key); err != nil {
				t.Error(err)
			}
			if err := b.Delete(t.Context(), key); err != nil {
				t.Error(err)
			}
		}
	})
	wantKeys(t, keys(t, b, "", ""))
}
