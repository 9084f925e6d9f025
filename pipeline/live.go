package pipeline

import (
	"context"
	"sync"
	"time"

	"picket"
	"picket/pipeline/train"
)

// Serving is a model with what scores rows by it.
type Serving struct {
	Model   *picket.Model
	Scorer  Scorer
	Package *train.Package // that Model is of; may be nil
}

// Live keeps findings true while raw objects arrive. Take ingests one object.
// Run closes over the parts once none has arrived for cfg.Debounce, and detects
// in the days that changed; day-wide windows are closed over at each full hour.
// What is half done when ctx ends is done again by the next Live.
type Live struct {
	Pipeline *Pipeline
	Detected func(Detected) // called after each detection; may be nil

	mu      sync.Mutex
	serving Serving
	newest  map[string]int64 // Unix seconds: end of the newest record, by source
	budget  Budget           // of the newest day that was detected
	day     int64
	arrived chan struct{}
	turning sync.Mutex // one turn at a time
}

// NewLive returns a Live that serves a model.
func NewLive(p *Pipeline, s Serving) *Live {
	return &Live{Pipeline: p, serving: s, arrived: make(chan struct{}, 1), newest: map[string]int64{}}
}

// Serve makes a model the one that scores from the next turn on.
func (l *Live) Serve(s Serving) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.serving = s
}

// Serving returns the model that scores.
func (l *Live) Serving() Serving {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.serving
}

// Budget returns where the threshold of the newest day is from, once it is known.
func (l *Live) Budget() Budget {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.budget
}

// Lag sets the gauges of how old the newest record is that was scored, by source, to
// the minute that it stands in.
func (l *Live) Lag() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for source, at := range l.newest {
		l.Pipeline.deps.Metrics.Lag(source, max(0, l.Pipeline.deps.Now().Sub(time.Unix(at, 0))))
	}
}

// scored remembers what a turn has brought.
func (l *Live) scored(closed []Closed) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, c := range closed {
		if c.Last > 0 {
			l.newest[c.Source] = max(l.newest[c.Source], c.Last)
		}
	}
}

// Take ingests one raw object. ErrChanged means that it changed while it was
// read: try again once it is quiet.
func (l *Live) Take(ctx context.Context, raw Raw) error {
	if _, err := l.Pipeline.Take(ctx, raw); err != nil {
		return err
	}
	select {
	case l.arrived <- struct{}{}:
	default: // a turn is due already
	}
	return nil
}

// retryTurn is how long after a turn that failed the next one is tried.
const retryTurn = 10 * time.Second

// startOver is how long after a start the day-wide windows are closed at every turn:
// looking through raw/ again marks those of objects that have several versions,
// which the first turn may be too early for.
const startOver = 10 * time.Second

// Run works until ctx ends.
func (l *Live) Run(ctx context.Context) error {
	now := l.Pipeline.deps.Now
	began := now()
	hour := began.Truncate(time.Hour).Add(time.Hour)
	for days := true; ctx.Err() == nil; { // days: what an earlier process left due, too
		wait := retryTurn // what was due still is, if the turn fails
		if err := l.Turn(ctx, days); err == nil {
			wait, days = hour.Sub(now()), now().Sub(began) < startOver
		} else if ctx.Err() == nil {
			l.Pipeline.deps.Metrics.Error("close")
			l.Pipeline.deps.Log.Error("close failed", "stage", "extract", "error", err)
		}
		select {
		case <-ctx.Done():
		case <-time.After(wait):
		case <-l.arrived:
			l.debounce(ctx)
		}
		if t := now(); !t.Before(hour) {
			days, hour = true, t.Truncate(time.Hour).Add(time.Hour)
		}
	}
	return nil
}

// debounce waits until nothing has arrived for cfg.Debounce, ten times that at most.
func (l *Live) debounce(ctx context.Context) {
	wait := l.Pipeline.cfg.Debounce
	limit := time.NewTimer(10 * wait)
	defer limit.Stop()
	for {
		quiet := time.NewTimer(wait)
		select {
		case <-l.arrived:
			quiet.Stop()
			continue
		case <-quiet.C:
		case <-limit.C:
			quiet.Stop()
		case <-ctx.Done():
			quiet.Stop()
		}
		return
	}
}

// Turn closes what is due, day-wide windows too if days, and detects in the days
// that changed.
func (l *Live) Turn(ctx context.Context, days bool) error {
	l.turning.Lock()
	defer l.turning.Unlock()
	return l.Pipeline.Close(ctx, days, func(closed []Closed) error { return l.detect(ctx, closed) })
}

func (l *Live) detect(ctx context.Context, closed []Closed) error {
	days := make([]int64, len(closed))
	for i := range closed {
		days[i] = closed[i].Day
	}
	err := l.Pipeline.DetectDays(ctx, l.Serving(), days, func(day int64, d Detected) {
		l.mu.Lock()
		if day >= l.day {
			l.day, l.budget = day, d.Budget
		}
		l.mu.Unlock()
		if l.Detected != nil {
			l.Detected(d)
		}
	})
	if err != nil {
		return err
	}
	l.scored(closed)
	l.Lag()
	return nil
}
