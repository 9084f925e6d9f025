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
	for _, hour := range byHour(parts, o) {
		if err := talksOf(ctx, hour, o, visit); err != nil {
			return fmt.Errorf("talks: %w", err)
		}
	}
	return nil
}

func talksOf(ctx context.Context, hour []Part, o CloseOptions, visit func(a, b netip.Addr, start, end int64)) error {
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
		first, last := &rows[0], &rows[len(rows)-1]
		visit(first.ends[0].netip(), first.ends[1].netip(), first.time(), last.time()+picket.Minute)
	}
}
