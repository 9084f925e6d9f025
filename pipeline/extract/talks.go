package extract

import (
	"context"
	"fmt"
	"net/netip"

	"picket"
)

// Talks visits who talked with whom in the given hours: each conversation once an
// hour, with the minutes that it touched in [start, end) Unix seconds.
func Talks(ctx context.Context, parts []Part, o CloseOptions, visit func(a, b netip.Addr, start, end int64)) error {
	return eachTalk(ctx, parts, o, func(rows []flow) {
		first, last := &rows[0], &rows[len(rows)-1]
		visit(first.ends[0].netip(), first.ends[1].netip(), first.time(), last.time()+picket.Minute)
	})
}

// Opening is one conversation in one hour: who opened it, to whom and to which port.
type Opening struct {
	Actor, Victim netip.Addr
	Port          uint16 // opened to
	Proto         uint8  // IANA protocol number
	Answered      bool   // the victim sent something
	Out, In       uint64 // packets sent by the actor, and by the victim
	Minutes       uint64 // bit i: in minute i of the hour
}

// Openings visits the conversations of the given hours, each once an hour.
func Openings(ctx context.Context, parts []Part, o CloseOptions, visit func(Opening)) error {
	return eachTalk(ctx, parts, o, func(rows []flow) {
		v := see(&rows[0], picket.KindActor)
		one := Opening{Actor: v.entity.netip(), Victim: v.peer.netip(), Port: v.servicePort, Proto: v.proto}
		for i := range rows {
			v := see(&rows[i], picket.KindActor)
			one.Answered = one.Answered || v.replied.sent()
			one.Out, one.In = add64(one.Out, v.asked.packets), add64(one.In, v.replied.packets)
			one.Minutes |= 1 << uint(rows[i].minute)
		}
		visit(one)
	})
}

// eachTalk visits the rows of each conversation of the given hours, which are valid
// during the call.
func eachTalk(ctx context.Context, parts []Part, o CloseOptions, visit func(rows []flow)) error {
	for _, hour := range byHour(parts, o) {
		if err := talksOf(ctx, hour, o, visit); err != nil {
			return fmt.Errorf("talks: %w", err)
		}
	}
	return nil
}

func talksOf(ctx context.Context, hour []Part, o CloseOptions, visit func(rows []flow)) error {
	in, err := openHour(hour, o, false)
	if err != nil {
		return err
	}
	defer in.close()
	talks := &conversations{in: &summed{in: in}, long: &in.long}
	for {
		rows, err := talks.next()
		if err != nil {
			return err
		}
		if len(rows) == 0 {
			return ctx.Err()
		}
		visit(rows)
	}
}
