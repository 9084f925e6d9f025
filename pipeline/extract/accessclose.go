package extract

import (
	"cmp"
	"context"
	"fmt"
	"strings"

	"picket"
)

// AccessWindows closes over parts of SourceAccess: it computes the features of
// every principal, and of every source of logins (kind actor), in every window of
// the asked widths in which it did something, and hands them to emit, which may
// keep them. Rows come by kind and entity, then by the end of the window.
//
// Of a row, Elapsed is from the start of the window to the end of the minute of its
// last event: nothing here is a rate.
//
// With o.History, which must be of the UTC day of o.From, first-seen features tell
// what is new; without, they are missing.
func AccessWindows(ctx context.Context, parts []Part, o CloseOptions, emit func(*picket.Features) error) (CloseStats, error) {
	c := accessCloser{o: o, emit: emit, accounts: map[string]*known{}}
	if err := c.run(ctx, parts); err != nil {
		return c.stats, fmt.Errorf("close windows of access: %w", err)
	}
	return c.stats, nil
}

// accessCloser is the state of one close.
type accessCloser struct {
	o        CloseOptions
	emit     func(*picket.Features) error
	stats    CloseStats
	rows     *ledger[accessState, *accessState]
	accounts map[string]*known
	items    int // of accounts

	class   byte
	entity  string
	known   *known // of the principal at hand
	last    event
	begun   bool
	windows []*accessWindow // of each width, nil where none is open
}

// maxAccountItems bounds what is held of all accounts together.
const maxAccountItems = 1 << 20

func (c *accessCloser) run(ctx context.Context, parts []Part) error {
	for _, s := range c.o.Seconds {
		if s < picket.Hour && picket.Hour%s != 0 || s > picket.Day || s%picket.Minute != 0 {
			return fmt.Errorf("no windows of %d s", s)
		}
	}
	c.rows = newLedger[accessState](accessOptions(Options{TempDir: c.o.TempDir, MaxRows: c.o.MaxRows}))
	defer c.rows.reset()
	if err := addHistory(c.rows, c.o.History, c.o.From-c.o.From%picket.Day); err != nil {
		return err
	}
	for _, hour := range byHour(parts, c.o) {
		for _, p := range hour {
			c.stats.Parts++
			if err := readLedgerPart(p, c.file); err != nil {
				return err
			}
			if err := ctx.Err(); err != nil {
				return err
			}
		}
	}
	c.windows = make([]*accessWindow, len(c.o.Seconds))
	steps := 0
	err := c.rows.each(func(key string, s *accessState) error {
		if steps++; steps%4096 == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		return c.take(key, s)
	})
	return cmp.Or(err, c.end())
}

// file files an event under its principal and, if it is a login, under its source.
func (c *accessCloser) file(key string, s *accessState) error {
	e, err := storedEvent(key, s)
	if err != nil || e.at < c.o.From*1e9 || e.at >= c.o.To*1e9 {
		return err
	}
	if e.principal != "" {
		if err := c.rows.add(string(e.append(rowHead(rowPrincipal, e.principal, tagEvent))), s); err != nil {
			return err
		}
	}
	if e.from != "" && (e.login() || e.kind == "login") {
		one := *s
		if err := c.rows.add(string(e.append(rowHead(rowActor, e.from, tagEvent))), &one); err != nil {
			return err
		}
	}
	if key, ok := e.newKeyItem(); ok {
		return c.rows.add(key, &accessState{days: 1})
	}
	return nil
}

// take takes one row: of an account, of what was known, or an event.
func (c *accessCloser) take(key string, s *accessState) error {
	class := key[0]
	entity, rest, ok := strings.Cut(key[1:], "\x00")
	if !ok || rest == "" {
		return fmt.Errorf("%w: a row of nobody", errCorrupt)
	}
	if class != c.class || entity != c.entity {
		if err := c.end(); err != nil {
			return err
		}
		c.class, c.entity, c.known, c.begun = class, entity, nil, false
	}
	switch {
	case class == rowAccount:
		k := c.accounts[entity]
		if k == nil {
			k = &known{}
			c.accounts[entity] = k
		}
		if c.items++; c.items > maxAccountItems {
			return nil
		}
		ok = k.add(rest[1:], s)
	case rest[0] == tagKnown:
		if c.known == nil {
			c.known = &known{}
		}
		ok = c.known.add(rest[1:], s)
	default:
		var e event
		if e, ok = parseEvent([]byte(rest[1:]), s.count); ok {
			return c.event(&e)
		}
	}
	if !ok {
		return fmt.Errorf("%w: a row of %q", errCorrupt, entity)
	}
	return nil
}

// event counts an event of the entity at hand into its windows.
func (c *accessCloser) event(e *event) error {
	if c.begun && c.last.same(e) {
		return nil
	}
	c.begun, c.last = true, *e
	c.stats.Rows++
	if c.class == rowPrincipal {
		c.stats.Conversations = add64(c.stats.Conversations, e.count)
	}
	for i, seconds := range c.o.Seconds {
		start := floorDiv(floorDiv(e.at, 1e9), seconds) * seconds
		if w := c.windows[i]; w != nil && w.start != start {
			if err := c.close(i); err != nil {
				return err
			}
		}
		if c.windows[i] == nil {
			c.windows[i] = c.open(start, seconds)
		}
		c.windows[i].add(e)
	}
	return nil
}

func (c *accessCloser) open(start, seconds int64) *accessWindow {
	w := newAccessWindow(start, seconds)
	w.kind, w.known, w.accounts = picket.KindPrincipal, c.known, c.accounts
	if c.class == rowActor {
		w.kind, w.known, w.accounts = picket.KindActor, nil, nil
	}
	return w
}

// end closes the windows of the entity at hand.
func (c *accessCloser) end() error {
	for i := range c.windows {
		if err := c.close(i); err != nil {
			return err
		}
	}
	return nil
}

// close emits the open window of a width. A name that was only guessed at, and not
// often, has none: it is seen in the row of who guessed.
func (c *accessCloser) close(i int) error {
	w := c.windows[i]
	c.windows[i] = nil
	if w == nil || w.kind == picket.KindPrincipal && w.hosts > 0 && w.guesses == w.calls && w.calls < minGuesses {
		return nil
	}
	c.stats.Windows++
	return c.emit(&picket.Features{
		Window: picket.Window{
			Entity: picket.Entity{Kind: w.kind, ID: c.entity},
			Start:  w.start, Seconds: w.seconds, Source: picket.SourceAccess,
		},
		Elapsed: w.elapsed(),
		Flows:   w.calls,
		Values:  w.values(),
	})
}

// minGuesses is how often a user of hosts is guessed at before there is a row of it.
const minGuesses = 5
