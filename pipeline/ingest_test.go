package pipeline

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"picket"
	"picket/pipeline/decode"
	"picket/store"
)

func TestFindsScan(t *testing.T) {
	p := pipelineOver(t, store.NewMemory(nil))
	take(t, p, rawText("a.log", nine.Add(time.Hour), scan(nine, 100), browsing(nine, 20)))
	turn(t, p)
	found, err := p.LatestFindings(context.Background())
	if err != nil || len(found) != 1 {
		t.Fatalf("%d findings, %v", len(found), err)
	}
	f := found[0]
	if f.Class != picket.ClassScan || f.Entity.ID != "203.0.113.9" || f.Status != picket.StatusNew {
		t.Errorf("found %s %s %s", f.Class, f.Entity, f.Status)
	}
	if len(f.Evidence) != 1 || f.Evidence[0].Object != "a.log" || f.Evidence[0].FirstLine != 2 || f.Evidence[0].LastLine != 101 || f.Evidence[0].Flows != 100 {
		t.Errorf("evidence %+v, want lines 2 to 101 of a.log", f.Evidence)
	}
	rows, err := p.Conversations(context.Background(), f, 7)
	if err != nil || len(rows) != 7 {
		t.Errorf("%d conversations behind it, %v", len(rows), err)
	}
	if _, err := p.LatestFinding(context.Background(), f.UID[:6]); err != nil {
		t.Error(err)
	}
}

func TestRedeliveryWritesNothing(t *testing.T) {
	ctx := context.Background()
	b := store.NewMemory(nil)
	p := pipelineOver(t, b)
	raw := rawText("a.log", nine.Add(time.Hour), scan(nine, 100))
	take(t, p, raw)
	turn(t, p)
	before := keys(t, b, "")
	in, err := p.Ingest(ctx, raw)
	if err != nil || !in.Already {
		t.Errorf("the second delivery: already %t, %v", in.Already, err)
	}
	turn(t, p)
	raw.Modified = raw.Modified.Add(time.Second) // touched: same content
	take(t, p, raw)
	turn(t, p)
	if after := keys(t, b, ""); !slices.Equal(before, after) {
		t.Errorf("delivered again, the bucket went from %d keys to\n%s", len(before), strings.Join(after, "\n"))
	}
}

func TestOverwrittenObject(t *testing.T) {
	b := store.NewMemory(nil)
	p := pipelineOver(t, b)
	ten := nine.Add(time.Hour)
	take(t, p, rawText("a.log", ten, browsing(nine, 10), scan(ten, 100)))
	turn(t, p)
	take(t, p, rawText("a.log", ten.Add(time.Hour), browsing(nine, 10)))
	turn(t, p)

	rows := 0
	err := p.Rows(context.Background(), func(f *picket.Features) error {
		if f.Entity.ID == "203.0.113.9" {
			t.Errorf("%s is still there", f.Window)
		}
		rows++
		return nil
	})
	if err != nil || rows == 0 {
		t.Fatalf("%d rows, %v", rows, err)
	}
	found, err := p.LatestFindings(context.Background())
	if err != nil || len(found) != 1 || found[0].Status != picket.StatusClosed {
		t.Errorf("want the scan's finding closed: %+v, %v", found, err)
	}
}

// An object put back to what it was has the content of an old version and is
// the newest all the same.
func TestOverwrittenAndPutBack(t *testing.T) {
	ten := nine.Add(time.Hour)
	f := func(texts ...string) map[string]string {
		p := pipelineOver(t, store.NewMemory(nil))
		for i, text := range texts {
			take(t, p, rawText("a.log", ten.Add(time.Duration(i)*time.Minute), text))
			turn(t, p)
		}
		return rowsOf(t, p)
	}
	want := f(scan(nine, 100))
	if got := f(scan(nine, 100), browsing(nine, 10), scan(nine, 100)); !maps.Equal(got, want) {
		t.Errorf("put back: %d rows %v, want %d", len(got), slices.Sorted(maps.Keys(got)), len(want))
	}
	if got := f(scan(nine, 100), browsing(nine.Add(2*time.Hour), 10), scan(nine, 100)); !maps.Equal(got, want) {
		t.Errorf("put back from another hour: %d rows, want %d", len(got), len(want))
	}
}

// rowsOf returns every row of the newest features as text, by window.
func rowsOf(t *testing.T, p *Pipeline) map[string]string {
	t.Helper()
	rows := map[string]string{}
	err := p.Rows(context.Background(), func(f *picket.Features) error {
		rows[f.Window.String()] = rowText(f)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return rows
}

func TestGrowingObject(t *testing.T) {
	whole := rawText("a.log", nine.Add(time.Hour), scan(nine, 100), browsing(nine, 10))
	once := pipelineOver(t, store.NewMemory(nil))
	take(t, once, whole)

	grown := pipelineOver(t, store.NewMemory(nil))
	take(t, grown, rawText("a.log", nine.Add(time.Minute), scan(nine, 60)))
	turn(t, grown)
	take(t, grown, rawText("a.log", nine.Add(30*time.Minute), scan(nine, 100)))
	turn(t, grown)
	take(t, grown, whole)

	turn(t, once)
	turn(t, grown)
	if got, want := rowsOf(t, grown), rowsOf(t, once); !maps.Equal(got, want) {
		t.Errorf("a growing file gives other rows than the whole one:\n%v\n%v", got, want)
	}
	found, err := grown.LatestFindings(context.Background())
	if err != nil || len(found) != 1 || found[0].Count < 2 || found[0].Status != picket.StatusUpdated {
		t.Errorf("one finding, updated: %+v, %v", found, err)
	}
}

// An older version may be delivered after the newer one.
func TestVersionsOutOfOrder(t *testing.T) {
	old := rawText("a.log", nine.Add(time.Minute), scan(nine, 100), browsing(nine.Add(2*time.Hour), 3))
	now := rawText("a.log", nine.Add(time.Hour), browsing(nine, 10))
	f := func(raws ...Raw) map[string]string {
		p := pipelineOver(t, store.NewMemory(nil))
		take(t, p, raws...)
		turn(t, p)
		return rowsOf(t, p)
	}
	want := f(now)
	for name, got := range map[string]map[string]string{"in order": f(old, now), "out of order": f(now, old)} {
		if !maps.Equal(got, want) {
			t.Errorf("%s: %v, want %v", name, slices.Sorted(maps.Keys(got)), slices.Sorted(maps.Keys(want)))
		}
	}
}

func TestChangedWhileRead(t *testing.T) {
	b := store.NewMemory(nil)
	p := pipelineOver(t, b)
	raw := rawText("a.log", nine.Add(time.Hour), scan(nine, 100))
	raw.Changed = func() bool { return true }
	if _, err := p.Ingest(context.Background(), raw); !errors.Is(err, ErrChanged) {
		t.Fatalf("got %v, want ErrChanged", err)
	}
	if left := keys(t, b, ""); len(left) > 0 {
		t.Errorf("wrote %v", left)
	}
	raw.Changed = func() bool { return false }
	take(t, p, raw)
	if len(keys(t, b, picket.WindowsPrefix)) == 0 {
		t.Error("nothing written once it was quiet")
	}
}

func TestQuarantine(t *testing.T) {
	b := store.NewMemory(nil)
	p := pipelineOver(t, b)
	good, bad := flow(nine, "10.0.0.1", 50000, "10.0.0.2", 443), "2 123456789010 eni-1 10.0.0.256 10.0.0.2 1 2 6 1 40 1600000000 1600000060 ACCEPT OK\n"
	in, err := p.Ingest(context.Background(), rawText("a.log", nine.Add(time.Hour), good, bad, good))
	if err != nil || in.Error != "" {
		t.Fatal(in.Error, err)
	}
	if got := keys(t, b, picket.QuarantinePrefix); len(got) != 1 || got[0] != in.Set {
		t.Fatalf("quarantine holds %v, the manifest says %q", got, in.Set)
	}
	var r Refused
	if err := readJSON(context.Background(), b, in.Set, &r); err != nil {
		t.Fatal(err)
	}
	if r.Object != "a.log" || r.Line != 3 || r.Offset != int64(len(vpcHeader)+len(good)) || r.Reason != "bad address" || strings.TrimSpace(string(r.Bytes)) != strings.TrimSpace(bad) {
		t.Errorf("refused %+v with %q", r, r.Bytes)
	}
	if in.Stats.Records != 2 || in.Stats.Dropped["bad address"] != 1 {
		t.Errorf("counts %+v", in.Stats)
	}
}

func TestQuarantineIsBounded(t *testing.T) {
	b := store.NewMemory(nil)
	q := newRefusals("a.log")
	for range 3000 {
		if err := q.Add(decode.Reject{Reason: "bad number", Bytes: make([]byte, 3000)}); err != nil {
			t.Fatal(err)
		}
	}
	key, err := q.Put(context.Background(), b, "v1")
	if err != nil {
		t.Fatal(err)
	}
	r, info, err := b.Get(context.Background(), key)
	if err != nil || info.Size > maxQuarantine+1000 {
		t.Fatalf("%d bytes kept, %v", info.Size, err)
	}
	body, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	lines := bytes.Split(bytes.TrimSpace(body), []byte("\n"))
	var last Refused
	if err := json.Unmarshal(lines[len(lines)-1], &last); err != nil || last.Reason != "more refused lines" || !strings.HasPrefix(last.Detail, strconv.Itoa(3001-len(lines))+" ") {
		t.Errorf("%d lines kept, the last says %+v, %v", len(lines)-1, last, err)
	}
}

func TestUnreadableObject(t *testing.T) {
	b := store.NewMemory(nil)
	p := pipelineOver(t, b)
	raw := rawText("noise.log", nine)
	raw.Open = func() (io.ReadCloser, error) {
		return io.NopCloser(bytes.NewReader(bytes.Repeat([]byte{0, 255, 7, 200}, 999))), nil
	}
	in, err := p.Ingest(context.Background(), raw)
	if err != nil || in.Error == "" || in.Set == "" || len(in.Slots) > 0 {
		t.Fatalf("%+v, %v", in, err)
	}
	var r Refused
	if err := readJSON(context.Background(), b, in.Set, &r); err != nil || r.Reason != "format not recognised" || r.Object != "noise.log" {
		t.Errorf("%+v, %v", r, err)
	}
}

// A line dated 2100 is set aside and changes no other row.
func TestLineFromTheFuture(t *testing.T) {
	f := func(lines ...string) map[string]string {
		p := pipelineOver(t, store.NewMemory(nil))
		take(t, p, rawText("a.log", nine.Add(time.Hour), lines...))
		turn(t, p)
		return rowsOf(t, p)
	}
	future := flow(time.Date(2100, 1, 1, 0, 0, 0, 0, time.UTC), "10.0.1.1", 50000, "10.0.0.80", 443)
	past := flow(time.Date(1970, 1, 1, 0, 0, 0, 0, time.UTC), "10.0.1.1", 50000, "10.0.0.80", 443)
	want := f(browsing(nine, 10))
	if got := f(browsing(nine, 10), future, past); !maps.Equal(got, want) {
		t.Errorf("rows with it:\n%v\nand without:\n%v", got, want)
	}
}

// listed is a bucket that remembers the prefixes and keys of its listings.
type listed struct {
	store.Bucket
	mu   sync.Mutex
	keys []string
}

func (l *listed) List(ctx context.Context, prefix, after string) iter.Seq2[store.Info, error] {
	return func(yield func(store.Info, error) bool) {
		for info, err := range l.Bucket.List(ctx, prefix, after) {
			l.mu.Lock()
			l.keys = append(l.keys, info.Key)
			l.mu.Unlock()
			if !yield(info, err) {
				return
			}
		}
	}
}

// TestListsOneDay asks for the features of one day of many: the keys of others are
// not even listed, but for the one that ends the list.
func TestListsOneDay(t *testing.T) {
	ctx := context.Background()
	b := &listed{Bucket: store.NewMemory(nil)}
	p := pipelineOver(t, b)
	day := nine.Truncate(24 * time.Hour)
	for i := -2; i <= 2; i++ {
		at := day.AddDate(0, 0, i)
		take(t, p, rawText(fmt.Sprintf("%d.log", i), at.Add(24*time.Hour), browsing(at, 2), browsing(at.Add(23*time.Hour), 2)))
	}
	turn(t, p)
	b.keys = nil
	newest, err := p.newestFeatures(ctx, day.Unix(), day.Unix()+picket.Day)
	if err != nil || len(newest) != 3 || len(b.keys) > 4 {
		t.Errorf("%d slots, %v; %d keys were listed", len(newest), err, len(b.keys))
	}
	newest, err = p.newestFeatures(ctx, day.Unix()+picket.Hour, day.Unix()+2*picket.Day)
	if err != nil || len(newest) != 4 {
		t.Errorf("%d slots from one o'clock on and of the day after, %v", len(newest), err)
	}
	newest, err = p.newestFeatures(ctx, math.MinInt64, math.MaxInt64)
	if err != nil || len(newest) != 15 {
		t.Errorf("%d slots in all, %v", len(newest), err)
	}
}

// TestVersionsOfOneSecond: S3 tells when an object was put to the second. Of two
// versions of one second the event's sequencer says which is newer, in whatever
// order they come and whatever their hashes are; both are read, though as long.
func TestVersionsOfOneSecond(t *testing.T) {
	texts := []string{browsing(nine, 1), browsing(nine.Add(time.Minute), 1)}
	for _, newer := range []int{0, 1} {
		for _, first := range []int{0, 1} {
			p := pipelineOver(t, store.NewMemory(nil))
			var versions [2]string
			for _, i := range []int{first, 1 - first} {
				raw := rawText("a.log", nine.Add(time.Hour), texts[i])
				raw.ID = fmt.Sprint("version ", i)
				raw.Sequence = map[bool]string{true: "0A1", false: "0A01"}[i == newer] // the shorter is filled up at its right
				in, err := p.Ingest(t.Context(), raw)
				if err != nil || in.Already {
					t.Fatalf("%+v, %v", in, err)
				}
				versions[i] = in.Version
			}
			parts, err := p.parts(t.Context(), slot{Start: nine.Unix(), Source: picket.SourceVPC})
			if err != nil || len(parts.newest) != 1 || parts.newest[0].Version != versions[newer] {
				t.Errorf("newer %d, first %d: %+v of %q, %v", newer, first, parts.newest, versions, err)
			}
		}
	}
}
