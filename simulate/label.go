package simulate

import (
	"cmp"
	"fmt"
	"io"
	"net/netip"
	"slices"
	"strings"
	"time"

	"picket"
)

// Truth is one row of the label file with what is known beyond the file.
type Truth struct {
	picket.Label
	Attack        *Attack // nil: the row that says normal
	Conversations uint64  // of the attack, on this side
	Packets       uint64
	Bytes         uint64
	Share         float64 // of the side's conversations while it lasted, (0, 1]
	ByteShare     float64 // of its bytes
	Filled        float64 // share of the span in which some conversation of it went on, at most 1
}

// Shows reports whether the attack is there to be seen in an average window of
// the given width inside the row: whether the window holds enough conversations
// of it to tell them from chance, or one that goes on, and they are not drowned
// in what else the side does.
func (t *Truth) Shows(seconds int64) bool {
	span := max(1, t.End-t.Start)
	each := float64(t.Conversations) * min(1, float64(seconds)/float64(span))
	want := map[string]float64{picket.ClassDDoS: 1, picket.ClassScan: 4, picket.ClassBruteforce: 6, picket.ClassExfiltration: 1, picket.ClassC2: 3}[t.Class]
	least := 0.1
	if seconds >= picket.Hour && (t.Class == picket.ClassC2 || t.Class == picket.ClassExfiltration) {
		least = 0.01 // one pair of addresses among many shows over an hour
	}
	drowned := max(t.Share, t.ByteShare) < least || t.Class == picket.ClassC2 && t.Share < 0.2 && seconds < picket.Hour
	if t.Class == picket.ClassExfiltration { // less than this is anybody's upload, unless it comes in many small pieces
		drowned = drowned || each < 30 && float64(t.Bytes)*min(1, float64(seconds)/float64(span)) < 1e6
	}
	if drowned && t.Attack != nil {
		return false
	}
	return each >= want || t.Filled >= 0.5 && t.Class != picket.ClassScan && t.Class != picket.ClassBruteforce
}

// ledgerLimit bounds the addresses of one side of one attack that are followed:
// a spoofed flood has one for each packet, and none of them gets a row.
const ledgerLimit = 4096

// ledger counts what each address of one side of one attack had to do with it.
type ledger struct {
	tallies map[netip.Addr]*tally
}

type tally struct {
	first, last    int64 // Unix nanoseconds
	convs, packets uint64
	bytes, busy    uint64 // busy: nanoseconds
	otherConvs     uint64 // of other traffic since first, up to last
	otherBytes     uint64
	sinceConvs     uint64 // since last
	sinceBytes     uint64
	reply          bool // only seen as the one that answers are sent to
}

func (l *ledger) add(a netip.Addr, c *Conversation) {
	t := l.tallies[a]
	if t == nil {
		if len(l.tallies) >= ledgerLimit {
			return
		}
		t = &tally{first: c.Start, reply: c.Reply}
		l.tallies[a] = t
	}
	t.last = max(t.last, c.End)
	t.convs++
	t.packets += c.Out.Packets + c.In.Packets
	t.bytes += c.Out.Bytes + c.In.Bytes
	t.busy += uint64(c.End - c.Start)
	t.otherConvs, t.otherBytes = t.otherConvs+t.sinceConvs, t.otherBytes+t.sinceBytes
	t.sinceConvs, t.sinceBytes = 0, 0
}

func (l *ledger) other(a netip.Addr, c *Conversation) {
	if t := l.tallies[a]; t != nil {
		t.sinceConvs++
		t.sinceBytes += c.Out.Bytes + c.In.Bytes
	}
}

// note enters a conversation into the ledgers of the attacks.
func (w *world) note(c *Conversation) {
	for _, a := range w.attacks {
		switch {
		case a != c.Attack && (c.Start < a.from || c.Start >= a.until):
		case a != c.Attack:
			a.actors.other(c.Src, c)
			a.victims.other(c.Dst, c)
		case c.Reply:
			a.actors.add(c.Dst, c)
			a.victims.add(c.Dst, c)
		default:
			a.actors.add(c.Src, c)
			a.victims.add(c.Dst, c)
		}
	}
}

// truths are the rows of the label file.
func (w *world) truths() []Truth {
	rows := []Truth{{Label: picket.Label{
		Start: w.script.Start.Unix(), End: w.script.Start.Add(w.script.Duration).Unix(),
		Entity: picket.Entity{Kind: "*", ID: "*"}, Class: picket.ClassNormal, Note: "benign unless a row below says otherwise",
	}}}
	for _, a := range w.attacks {
		rows = append(rows, a.rows(picket.KindActor, a.actors)...)
		rows = append(rows, a.rows(picket.KindVictim, a.victims)...)
	}
	return rows
}

func (a *Attack) rows(kind picket.Kind, l *ledger) []Truth {
	var rows []Truth
	for addr, t := range l.tallies {
		class := a.Class
		if !a.names(kind, t) {
			if t.drowned() {
				continue
			}
			class = ClassExcluded
		}
		note := fmt.Sprintf("%s strength %g", a.Kind, a.Strength)
		if t.reply && kind == picket.KindActor {
			note += ", the target as it looks from replies alone"
		}
		span := max(1, t.last-t.first)
		rows = append(rows, Truth{
			Label: picket.Label{Start: t.first / second, End: t.last/second + 1, Class: class, Note: note,
				Entity: picket.Entity{Kind: kind, ID: addr.String()}},
			Attack: a, Conversations: t.convs, Packets: t.packets, Bytes: t.bytes,
			Share: float64(t.convs) / float64(t.convs+t.otherConvs), ByteShare: float64(t.bytes) / float64(max(1, t.bytes+t.otherBytes)), Filled: min(1, float64(t.busy)/float64(span)),
		})
	}
	slices.SortFunc(rows, func(x, y Truth) int {
		return cmp.Or(cmp.Compare(x.Start, y.Start), cmp.Compare(x.Entity.ID, y.Entity.ID))
	})
	return rows
}

// ClassExcluded is the class of a side that an attack touched and that no booster
// should name for it: what it looks like meanwhile is neither the attack nor
// normal.
const ClassExcluded = "excluded"

// drowned reports whether the attack is lost in what the side does besides: less
// than a fiftieth of its conversations and bytes while it lasted. Such a side is
// normal.
func (t *tally) drowned() bool { return t.convs*50 < t.otherConvs && t.bytes*50 < t.otherBytes }

// names says whether a side of the attack gets a row.
func (a *Attack) names(kind picket.Kind, t *tally) bool {
	seconds := max(1, (t.last-t.first)/second)
	mostly := t.convs > t.otherConvs
	switch {
	case a.Class == picket.ClassDDoS && kind == picket.KindVictim:
		return t.packets >= 30 && t.packets >= uint64(seconds)
	case a.Class == picket.ClassDDoS:
		return t.packets >= 200 && t.packets >= 10*uint64(seconds)
	case kind == picket.KindActor:
		return true
	case a.Class == picket.ClassExfiltration:
		return t.bytes > t.otherBytes
	case a.Class == picket.ClassC2:
		return mostly && t.convs >= 2 || mostly && t.busy > 0
	}
	return mostly && t.convs >= 10
}

// WriteLabels writes a label file: start,end,entity_kind,entity,class,note with
// times in RFC 3339.
func WriteLabels(w io.Writer, rows []Truth) error {
	var b strings.Builder
	b.WriteString("start,end,entity_kind,entity,class,note\n")
	for _, r := range rows {
		note := r.Note
		if strings.ContainsAny(note, ",\"") {
			note = `"` + strings.ReplaceAll(note, `"`, `""`) + `"`
		}
		fmt.Fprintf(&b, "%s,%s,%s,%s,%s,%s\n", stamp(r.Start), stamp(r.End), r.Entity.Kind, r.Entity.ID, r.Class, note)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func stamp(unix int64) string { return time.Unix(unix, 0).UTC().Format(time.RFC3339) }
