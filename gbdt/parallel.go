package gbdt

import (
	"sync"
	"sync/atomic"
)

// parallel calls f(worker, 0) to f(worker, n-1) from at most threads goroutines,
// numbered from 0 by worker, and waits.
func parallel(n, threads int, f func(worker, i int)) {
	if threads = min(threads, n); threads <= 1 {
		for i := range n {
			f(0, i)
		}
		return
	}
	var next atomic.Int64
	var wg sync.WaitGroup
	for worker := range threads {
		wg.Go(func() {
			for i := int(next.Add(1)) - 1; i < n; i = int(next.Add(1)) - 1 {
				f(worker, i)
			}
		})
	}
	wg.Wait()
}
