package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"golang.org/x/term"
)

// bar is a progress bar on stderr: drawn on a terminal, nothing elsewhere.
type bar struct {
	w     io.Writer // nil: not a terminal
	what  string
	total int64
	done  int64
	drawn time.Time
	now   func() time.Time
}

// progress returns a bar over total units; what names the work.
func (a *app) progress(what string, total int64) *bar {
	b := &bar{what: what, total: total, now: time.Now}
	if f, ok := a.stderr.(*os.File); ok && !a.quiet && term.IsTerminal(int(f.Fd())) {
		b.w = f
	}
	return b
}

// redraw is how often a bar is drawn at most.
const redraw = 100 * time.Millisecond

// Add moves the bar by n units.
func (b *bar) Add(n int64) {
	b.done += n
	if b.w == nil || b.now().Sub(b.drawn) < redraw {
		return
	}
	b.drawn = b.now()
	b.draw()
}

func (b *bar) draw() {
	const cells = 30
	share := 0.0
	if b.total > 0 {
		share = min(1, float64(b.done)/float64(b.total))
	}
	full := int(share * cells)
	fmt.Fprintf(b.w, "\r%-10s [%s%s] %3.0f %%", b.what, strings.Repeat("=", full), strings.Repeat(" ", cells-full), share*100)
}

// Done wipes the bar away.
func (b *bar) Done() {
	if b.w != nil {
		fmt.Fprint(b.w, "\r\x1b[K")
	}
}
