package pipeline

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"picket"
	"picket/store"
)

// story is a bucket's life with all that can be awkward: two objects of one
// hour, one of which is overwritten by a version that leaves an hour empty.
func story() []Raw {
	ten := nine.Add(time.Hour)
	return []Raw{
		rawText("a.log", ten, scan(nine, 100), scan(ten, 60)),
		rawText("b.log", ten, browsing(nine, 5)),
		rawText("a.log", ten.Add(time.Minute), scan(nine, 90), browsing(nine, 7)),
	}
}

var errFault = errors.New("injected fault")

// TestFaultAtEachCall lets the store fail at each call in turn and runs the same
// again from the start, as a process that was killed there does.
func TestFaultAtEachCall(t *testing.T) {
	calm := pipelineOver(t, store.NewMemory(nil))
	life := func(p *Pipeline) error {
		l := watched(p)
		for _, raw := range story() {
			if err := l.Take(context.Background(), raw); err != nil {
				return err
			}
		}
		return l.Turn(context.Background(), true)
	}
	if err := life(calm); err != nil {
		t.Fatal(err)
	}
	want := outcome(t, calm)
	f := func(at int) int {
		memory := store.NewMemory(nil)
		var calls atomic.Int64 // slots are closed side by side
		fail := func() error {
			if calls.Add(1) == int64(at) {
				return errFault
			}
			return nil
		}
		if err := life(pipelineOver(t, hooked{Bucket: memory, before: fail})); err != nil && !errors.Is(err, errFault) {
			t.Fatal(err)
		}
		p := pipelineOver(t, memory)
		if err := life(p); err != nil {
			t.Fatal(err)
		}
		if got := outcome(t, p); !maps.Equal(got, want) {
			t.Errorf("a fault at call %d leaves\n%s", at, differ(got, want))
		}
		if due := keys(t, memory, picket.DuePrefix); len(due) > 0 {
			t.Errorf("a fault at call %d leaves the marks %v", at, due)
		}
		return int(calls.Load())
	}
	calls := f(-1)
	if calls < 50 {
		t.Fatalf("only %d calls: the story is too short to mean anything", calls)
	}
	for at := 1; at <= calls; at += faultStride {
		f(at)
	}
}

// differ says in what two outcomes differ.
func differ(got, want map[string]string) string {
	var b strings.Builder
	for k, v := range want {
		if got[k] != v {
			fmt.Fprintf(&b, "%s\n  is   %.300s\n  want %.300s\n", k, got[k], v)
		}
	}
	for k, v := range got {
		if want[k] == "" {
			fmt.Fprintf(&b, "%s\n  is %.300s, want none\n", k, v)
		}
	}
	return b.String()
}

// process is one of several that work on a bucket at the same time: it stops
// before each call to the bucket until it is told to go on.
type process struct {
	stopped, resume chan struct{}
	done            chan error
}

func start(t *testing.T, b store.Bucket, work func(*Pipeline) error) *process {
	a := &process{stopped: make(chan struct{}), resume: make(chan struct{}), done: make(chan error, 1)}
	p := pipelineOver(t, hooked{Bucket: b, before: func() error {
		a.stopped <- struct{}{}
		<-a.resume
		return nil
	}})
	go func() { a.done <- work(p) }()
	return a
}

// interleave runs processes one call at a time, in an order that dice choose.
func interleave(t *testing.T, dice *rand.Rand, all []*process) {
	t.Helper()
	settle := func(i int) { // waits until process i stops or ends
		select {
		case <-all[i].stopped:
		case err := <-all[i].done:
			if err != nil {
				t.Error(err)
			}
			all[i] = nil
		}
	}
	for i := range all {
		settle(i)
	}
	for {
		var alive []int
		for i, a := range all {
			if a != nil {
				alive = append(alive, i)
			}
		}
		if len(alive) == 0 {
			return
		}
		i := alive[dice.IntN(len(alive))]
		for range 1 + dice.IntN(12) { // a run of calls, so that one may get far ahead
			if all[i] == nil {
				break
			}
			all[i].resume <- struct{}{}
			settle(i)
		}
	}
}

// TestTwoClosers lets two closers, and the ingestion of further versions, run in
// random interleavings: all end in the same newest revisions and findings.
func TestTwoClosers(t *testing.T) {
	calm := pipelineOver(t, store.NewMemory(nil))
	for _, raw := range story() {
		take(t, calm, raw)
	}
	turn(t, calm)
	want := outcome(t, calm)
	closer := func(p *Pipeline) error { return watched(p).Turn(context.Background(), true) }
	ingester := func(raws ...Raw) func(*Pipeline) error {
		return func(p *Pipeline) error {
			for _, raw := range raws {
				if _, err := p.Ingest(context.Background(), raw); err != nil {
					return err
				}
			}
			return nil
		}
	}
	for seed := 15; seed < 15+interleavings; seed++ { // without the second look in Detect, 15 fails
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			b := store.NewMemory(nil)
			raws := story()
			take(t, pipelineOver(t, b), raws[0])
			interleave(t, rand.New(rand.NewPCG(uint64(seed), 1)), []*process{
				start(t, b, closer), start(t, b, closer),
				start(t, b, ingester(raws[1])), start(t, b, ingester(raws[2])), start(t, b, closer),
			})
			last := []*process{start(t, b, closer), start(t, b, closer)} // what came last is closed over by two
			interleave(t, rand.New(rand.NewPCG(uint64(seed), 2)), last)
			p := pipelineOver(t, b)
			if got := outcome(t, p); !maps.Equal(got, want) {
				t.Errorf("differs:\n%s", differ(got, want))
			}
			if due := keys(t, b, picket.DuePrefix); len(due) > 0 {
				t.Errorf("marks left: %v", due)
			}
		})
	}
}
