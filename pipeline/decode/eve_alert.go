package decode

import (
	"cmp"
	"slices"

	"picket"
)

// Alert is what a sensor of another make says: a signature that fired. It is no
// finding of Picket; findings tell of it beside their own evidence.
type Alert struct {
	Signature string `json:"signature"`
	ID        string `json:"id"`       // generator:signature:revision
	Severity  uint64 `json:"severity"` // as the sensor has it; Suricata: 1 is worst
	Src       string `json:"src"`      // of the packet that fired it
	Dst       string `json:"dst"`
	Blocked   bool   `json:"blocked,omitempty"`
	Count     uint64 `json:"count"`
	First     int64  `json:"first"` // Unix seconds
	Last      int64  `json:"last"`
	Line      uint64 `json:"line"` // of the first
}

// MaxAlerts are kept of one object: of one signature, source and destination each.
// Stats.AlertsLeft counts those beyond.
const MaxAlerts = 512

type alertKey struct{ id, src, dst string }

// alerts gathers alerts by what they say.
type alerts struct {
	index map[alertKey]int
	list  []Alert
}

// add counts one alert, and reports whether there was room.
func (a *alerts) add(one Alert) bool {
	key := alertKey{one.ID, one.Src, one.Dst}
	if i, ok := a.index[key]; ok {
		old := &a.list[i]
		old.Count++
		old.First, old.Last = min(old.First, one.First), max(old.Last, one.Last)
		old.Blocked = old.Blocked || one.Blocked
		return true
	}
	if len(a.list) == MaxAlerts {
		return false
	}
	if a.index == nil {
		a.index = map[alertKey]int{}
	}
	a.index[key] = len(a.list)
	one.Count = 1
	a.list = append(a.list, one)
	return true
}

// sorted returns the alerts, worst first.
func (a *alerts) sorted() []Alert {
	slices.SortStableFunc(a.list, func(x, y Alert) int {
		return cmp.Or(cmp.Compare(x.Severity, y.Severity), cmp.Compare(y.Count, x.Count), cmp.Compare(x.Line, y.Line))
	})
	return a.list
}

// readAlert notes what an alert says, and keeps its flow until it is told whole.
func (e *eve) readAlert(b []byte) error {
	r := &e.rec
	*r = picket.Record{Source: picket.SourceEVE, Interface: e.place(), Opener: picket.OpenerSrc, Has: picket.HasReverse}
	reason := e.times(r, e.row.start, nil)
	if reason == "" {
		reason = e.sides(r)
	}
	if reason == "" {
		at, _ := parseStamp(e.row.when)
		if e.inTime(at, at) {
			e.note(r, at)
		}
		reason = e.alertFlow(r)
	}
	switch {
	case reason == reasonNoFlow || reason == reasonNotIP:
		e.stats.Dropped[reason]++
		return nil
	case reason != "":
		return e.drop(reason, "", b)
	}
	r.Line = e.stats.Lines
	if ok, err := e.believe(r, b); !ok {
		return err
	}
	return e.waiting.keep(e.row.flowID, r, e.give)
}

// note counts the alert among those of the object.
func (e *eve) note(r *picket.Record, at int64) {
	a := e.row.alert
	severity, _ := parseUint(field(a, "severity"), 255)
	one := Alert{
		Signature: text(field(a, "signature")), ID: text(field(a, "gid")) + ":" + text(field(a, "signature_id")) + ":" + text(field(a, "rev")),
		Severity: severity, Src: r.Src.String(), Dst: r.Dst.String(), Blocked: string(field(a, "action")) == "blocked",
		First: at / 1e9, Last: at / 1e9, Line: e.stats.Lines,
	}
	if !e.alerts.add(one) {
		e.stats.AlertsLeft++
	}
}

// alertFlow makes of r the flow that an alert is about, as far as it had come. The
// addresses are those of the packet: which side is the client the log may say, by
// the flow's own addresses or by a direction; else the lower port, if it is one of
// a service, is the server's.
func (e *eve) alertFlow(r *picket.Record) (reason string) {
	row := &e.row
	if row.pktsOut == nil {
		return reasonNoFlow // a flow is not made up of one packet of unknown size
	}
	client, known := parseAddr(row.flowSrcIP)
	switch {
	case known && client == r.Src && (row.flowSrc == nil || string(row.flowSrc) == string(row.srcPort)):
	case known, string(row.direction) == "to_client":
		turn(r)
	case row.direction == nil && r.SrcPort < r.DstPort && r.SrcPort < 1024:
		turn(r)
	}
	return e.counts(r)
}

// waitingAlerts are flows of alerts that may yet be told whole.
type waitingAlerts struct {
	byFlow map[string]int // flow id -> place in queue, counted from the first ever
	queue  []waitingAlert
	gone   int // taken off the front of the queue
}

type waitingAlert struct {
	flow string
	rec  picket.Record
	done bool // told whole, or by a later alert
}

// maxWaiting flows of alerts are kept.
const maxWaiting = 1 << 14

// keep holds the flow of an alert. A later alert of the same flow has seen more of
// it. Without an id nothing can follow.
func (w *waitingAlerts) keep(id []byte, r *picket.Record, give func(*picket.Record) error) error {
	if len(id) == 0 || len(id) > 32 {
		return give(r)
	}
	if w.byFlow == nil {
		w.byFlow = map[string]int{}
	}
	if at, ok := w.byFlow[string(id)]; ok {
		line := w.queue[at-w.gone].rec.Line
		w.queue[at-w.gone].rec = *r
		w.queue[at-w.gone].rec.Line = line
		return nil
	}
	flow := string(id)
	w.byFlow[flow] = w.gone + len(w.queue)
	w.queue = append(w.queue, waitingAlert{flow: flow, rec: *r})
	return w.flush(maxWaiting, give)
}

// forget drops what waits for a flow that is told whole.
func (w *waitingAlerts) forget(id []byte) {
	if at, ok := w.byFlow[string(id)]; ok {
		w.queue[at-w.gone].done = true
		delete(w.byFlow, string(id))
	}
}

// flush gives the oldest until no more than keep wait.
func (w *waitingAlerts) flush(keep int, give func(*picket.Record) error) error {
	for len(w.queue) > keep {
		first := &w.queue[0]
		if !first.done {
			delete(w.byFlow, first.flow)
			if err := give(&first.rec); err != nil {
				return err
			}
		}
		w.queue = w.queue[1:]
		w.gone++
	}
	return nil
}
