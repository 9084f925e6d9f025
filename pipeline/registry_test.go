package pipeline

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"

	"picket/pipeline/train"
	"picket/store"
)

// TestConcurrentTransitions registers from many sides at once: stages.json keeps
// each of them, because who loses a race reads again.
func TestConcurrentTransitions(t *testing.T) {
	ctx := context.Background()
	b := store.NewMemory(nil)
	const sides = 8
	var group sync.WaitGroup
	for i := range sides {
		group.Go(func() {
			_, err := pipelineOver(t, b).ChangeStages(ctx, func(s train.Stages) (train.Stages, error) {
				err := s.Register(fmt.Sprint(i), train.Transition{By: fmt.Sprint(i)})
				return s, err
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	stages, err := pipelineOver(t, b).Stages(ctx)
	if err != nil {
		t.Fatal(err)
	}
	var by []string
	for _, h := range stages.History {
		by = append(by, h.By)
	}
	slices.Sort(by)
	if len(slices.Compact(by)) != sides || stages.Candidate != stages.History[sides-1].Model {
		t.Errorf("history of %v, candidate %s", by, stages.Candidate)
	}
}

func TestDeployAndRollBack(t *testing.T) {
	ctx := context.Background()
	p := pipelineOver(t, store.NewMemory(nil))
	f := func(step func(*train.Stages) error, live, previous string) {
		t.Helper()
		s, err := p.ChangeStages(ctx, func(s train.Stages) (train.Stages, error) {
			err := step(&s)
			return s, err
		})
		if err != nil {
			t.Fatal(err)
		}
		if s.Live != live || s.Previous != previous {
			t.Errorf("live %q, previous %q, want %q and %q", s.Live, s.Previous, live, previous)
		}
	}
	deploy := func(id string) func(*train.Stages) error {
		return func(s *train.Stages) error {
			return errors.Join(s.Register(id, train.Transition{}), s.Approve(id, train.Transition{}), s.Deploy(train.Transition{}))
		}
	}
	back := func(s *train.Stages) error { return s.Rollback(train.Transition{}) }
	if _, err := p.LiveModel(ctx); !errors.Is(err, ErrNoModel) {
		t.Errorf("an empty registry: %v", err)
	}
	f(deploy("one"), "one", "")
	f(deploy("two"), "two", "one")
	f(back, "one", "two")
	f(back, "two", "one")
	refused := errors.New("no")
	if _, err := p.ChangeStages(ctx, func(s train.Stages) (train.Stages, error) { return s, refused }); !errors.Is(err, refused) {
		t.Errorf("a refused transition: %v", err)
	}
}
