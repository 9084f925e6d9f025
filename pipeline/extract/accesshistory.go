package extract

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"math/bits"

	"picket"
)

// AccessHistorySource is the source of the part that holds a history.
const AccessHistorySource = "access-history"

// historyDays is how far back a history goes: a bit for each day.
const historyDays = 64

// Dimensions in which a principal, or an account, does something for the first time.
const (
	dimDay     = 'd' // that it did anything at all
	dimAction  = 'a'
	dimService = 's'
	dimRegion  = 'r'
	dimAgent   = 'u'
	dimNetwork = 'n'
	dimHour    = 'h' // of the day, UTC
	dimWith    = 'w' // the account that something was opened to
	dimKey     = 'k' // of an account: an access key that was made, with the network of who made it
)

// Classes of rows at close and in a history, in the order in which they are read.
const (
	rowAccount   = 'A'
	rowPrincipal = 'P'
	rowActor     = 'Q'
)

// Tags of rows: what was known comes before what happened.
const (
	tagKnown = 0
	tagEvent = 1
)

// maxKnown items of one dimension are kept of a principal or account: those with
// the smallest hashes.
const maxKnown = 1 << 14

// rowHead is how the keys of an entity's rows begin.
func rowHead(class byte, entity string, tag byte) []byte {
	b := append([]byte{class}, entity...)
	return append(b, 0, tag)
}

func knownKey(class byte, entity string, dim byte, hash uint64) string {
	return string(binary.BigEndian.AppendUint64(append(rowHead(class, entity, tagKnown), dim), hash))
}

// item is what an event is in one dimension.
type item struct {
	dim  byte
	text string
}

// items returns what the event is in each dimension.
func (e *event) items() [8]item {
	return [...]item{
		{dimDay, "day"}, {dimAction, e.deed()}, {dimService, e.service}, {dimRegion, e.region}, {dimAgent, e.agent},
		{dimNetwork, e.network()}, {dimHour, e.hour()}, {dimWith, e.params["with"]},
	}
}

// deed is the call with what makes it another one: whom it opens to, that it grants
// everything, that it switches something off.
func (e *event) deed() string {
	deed := e.call()
	for _, name := range [...]string{"shared", "admin", "off", "script"} {
		if v := e.params[name]; v != "" {
			deed += " " + name + "=" + v
		}
	}
	return deed
}

func (e *event) call() string { return e.service + ":" + e.action }

func (e *event) hour() string {
	return string(rune('A' + floorDiv(e.at, 3600*1_000_000_000)%24))
}

// newKeyItem is the row of an access key that the event made, in the account's
// history: the key, and from where it was made. Services make keys for others to
// use elsewhere, which is nothing to remember.
func (e *event) newKeyItem() (string, bool) {
	id := e.params["newkey"]
	if id == "" || e.failed || e.kind == "service" || e.network() == "aws" {
		return "", false
	}
	b := []byte(knownKey(rowAccount, e.account, dimKey, hashItem(id)))
	return string(binary.BigEndian.AppendUint64(b, hashItem(e.network()))), true
}

// WriteAccessHistory writes what was seen of each principal and account up to the
// end of a UTC day: what prev knew (nil for nothing), and what the day's parts say
// that succeeded. It is the history of the day after. The result depends on prev
// and on the union of the parts alone.
func WriteAccessHistory(ctx context.Context, w io.WriteCloser, day int64, prev *Part, parts []Part, o Options) error {
	next := day + picket.Day
	rows := newLedger[accessState](accessOptions(o))
	defer rows.reset()
	if err := addHistory(rows, prev, next); err != nil {
		return err
	}
	for _, p := range parts {
		err := readLedgerPart(p, func(key string, s *accessState) error {
			e, err := storedEvent(key, s)
			if err != nil || e.failed || e.at < day*1e9 || e.at >= next*1e9 {
				return err
			}
			return remember(rows, &e)
		})
		if err != nil {
			return fmt.Errorf("history of %d: %w", day, err)
		}
		if err := ctx.Err(); err != nil {
			return err
		}
	}
	out, err := newLedgerPart[accessState](w, PartInfo{ID: PartID{next, AccessHistorySource}})
	if err != nil {
		return err
	}
	err = rows.each(limitKnown(func(key string, s *accessState) error {
		out.info.Rows++
		return out.rows.write(key, s)
	}))
	if err != nil {
		return fmt.Errorf("history of %d: %w", day, err)
	}
	return out.finish()
}

// storedEvent reads the event that a row of a part is.
func storedEvent(key string, s *accessState) (event, error) {
	for i := range len(key) {
		if key[i] == 0 {
			if e, ok := parseEvent([]byte(key[i+1:]), s.count); ok && e.principal == key[:i] {
				return e, nil
			}
			break
		}
	}
	return event{}, fmt.Errorf("%w: a row that is no event", errCorrupt)
}

// remember adds what an event shows to the rows of its principal and account.
func remember(rows *ledger[accessState, *accessState], e *event) error {
	for _, i := range e.items() {
		if i.text == "" {
			continue
		}
		h := hashItem(i.text)
		if e.principal != "" {
			if err := rows.add(knownKey(rowPrincipal, e.principal, i.dim, h), &accessState{days: 1}); err != nil {
				return err
			}
		}
		if err := rows.add(knownKey(rowAccount, e.account, i.dim, h), &accessState{days: 1}); err != nil {
			return err
		}
	}
	if key, ok := e.newKeyItem(); ok {
		return rows.add(key, &accessState{days: 1})
	}
	return nil
}

// addHistory adds a history to rows, as it is seen from the start of a later day.
func addHistory(rows *ledger[accessState, *accessState], history *Part, day int64) error {
	if history == nil {
		return nil
	}
	age := (day - history.ID.Hour) / picket.Day
	if age < 0 {
		return fmt.Errorf("the history of %d is later than %d", history.ID.Hour, day)
	}
	return readLedgerPart(*history, func(key string, s *accessState) error {
		if s.days <<= uint64(age); s.days == 0 || age >= historyDays {
			return nil
		}
		return rows.add(key, s)
	})
}

// limitKnown passes on the first maxKnown rows of each entity and dimension.
func limitKnown(visit func(string, *accessState) error) func(string, *accessState) error {
	last, count := "", 0
	return func(key string, s *accessState) error {
		head := key[:min(len(key), knownHead(key))]
		if head != last {
			last, count = head, 0
		}
		if count++; count > maxKnown {
			return nil
		}
		return visit(key, s)
	}
}

// knownHead is the length of a key up to its dimension.
func knownHead(key string) int {
	for i := range len(key) {
		if key[i] == 0 {
			return i + 3
		}
	}
	return len(key)
}

// known is what was seen of a principal or an account on earlier days.
type known struct {
	days map[byte]map[uint64]uint64 // bit i: i+1 days ago
	keys map[uint64]uint64          // access keys made, and the network of who made them
}

func (k *known) add(rest string, s *accessState) bool {
	if len(rest) < 9 {
		return false
	}
	dim, hash := rest[0], binary.BigEndian.Uint64([]byte(rest[1:9]))
	if dim == dimKey {
		if len(rest) != 17 {
			return false
		}
		if k.keys == nil {
			k.keys = map[uint64]uint64{}
		}
		k.keys[hash] = binary.BigEndian.Uint64([]byte(rest[9:]))
		return true
	}
	if k.days == nil {
		k.days = map[byte]map[uint64]uint64{}
	}
	if k.days[dim] == nil {
		k.days[dim] = map[uint64]uint64{}
	}
	k.days[dim][hash] = s.days
	return len(rest) == 9
}

// active is on how many of the last historyDays days anything was seen.
func (k *known) active() int {
	if k == nil {
		return 0
	}
	return bits.OnesCount64(k.days[dimDay][hashItem("day")])
}

// seen is on how many of them an item was.
func (k *known) seen(dim byte, hash uint64) int {
	if k == nil {
		return 0
	}
	return bits.OnesCount64(k.days[dim][hash])
}
